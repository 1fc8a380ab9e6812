//! Learns the words of the classes from the pages.

use analyzer::record::Source;
use analyzer::taxonomy::Class;
use analyzer::words::{Model, Weights, features, softmax};
use std::collections::BTreeMap;

use crate::parse::{OneOrMany, Page};

const ROUNDS: usize = 60;
const RATE: f32 = 0.25;
const SHRINK: f32 = 0.005;
/// Below this the model was wrong more often than right on pages that it had not seen.
const FLOOR: f32 = 0.4;
/// What the prose of a page and each of its expressions are worth beside a sample: more made the model worse
/// on pages that it had not seen.
const PROSE: f32 = 0.5;
const EXPRESSIONS: f32 = 0.08;
/// What a single line of a sample is worth: a failure is often known by one line.
const LINES: f32 = 0.5;
const SHORTEST_LINE: usize = 20;
/// Words that weigh less than this for every class are left out.
const LIGHTEST: f32 = 0.04;

/// Learns from all pages: multinomial logistic regression by gradient descent, without randomness.
pub fn train<'p>(pages: impl Iterator<Item = &'p Page>) -> Model {
    let mut numbers = BTreeMap::<String, usize>::new();
    let mut examples: Vec<(Vec<usize>, Class, f32)> = Vec::new();
    for page in pages {
        for (text, source, worth) in texts(page) {
            let words = features(&text, source).into_iter().map(|word| {
                let next = numbers.len();
                *numbers.entry(word).or_insert(next)
            });
            examples.push((words.collect(), page.class, worth));
        }
    }
    let mut weights = vec![Weights::default(); numbers.len()];
    let mut bias = Weights::default();
    for round in 0..ROUNDS {
        let rate = RATE / (1.0 + round as f32 * 0.1);
        for (words, class, worth) in &examples {
            learn(&mut weights, &mut bias, words, *class, rate * worth);
        }
        for weight in weights.iter_mut().flatten() {
            *weight *= 1.0 - SHRINK;
        }
    }
    let heavy = numbers.into_iter().filter_map(|(word, number)| {
        let weights = weights[number];
        weights.iter().any(|weight| weight.abs() >= LIGHTEST).then_some((word, weights))
    });
    Model::new(&heavy.collect(), bias, FLOOR)
}

/// Returns the texts of a page that are worth learning from, with how much each is worth.
fn texts(page: &Page) -> Vec<(String, Source, f32)> {
    let samples = page.samples.iter().filter(|sample| sample.expects_match);
    let mut texts: Vec<_> = samples.map(|sample| (sample.text.clone(), sample.source, 1.0)).collect();
    let Some((_, source, _)) = texts.first().cloned() else { return texts };
    let several = texts.iter().filter(|(text, _, _)| text.trim().contains('\n'));
    let lines: Vec<_> = several
        .flat_map(|(text, source, _)| text.lines().map(|line| (line.to_owned(), *source, LINES)))
        .filter(|(line, _, _)| line.len() > SHORTEST_LINE)
        .collect();
    texts.extend(lines);
    // The title says in plain words what the messages are about.
    texts.push((page.title.clone(), source, 1.0));
    texts.push((page.what_happened.clone(), source, PROSE));
    texts.push((page.id.replace(['/', '-'], " "), source, PROSE));
    let finds = page.header.evidence.iter().filter(|evidence| evidence.role.as_deref() != Some("excluding"));
    for find in finds.filter_map(|evidence| evidence.find.as_ref()) {
        let expressions: &[String] = match find {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        };
        texts.extend(expressions.iter().map(|expression| (plain(expression), source, EXPRESSIONS)));
    }
    texts
}

/// Returns what an expression says, without its syntax.
fn plain(expression: &str) -> String {
    let mut words = String::new();
    let mut characters = expression.chars().peekable();
    let mut in_set = false;
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let escaped = characters.next();
                words.push(escaped.filter(|c| !c.is_ascii_alphanumeric()).unwrap_or(' '));
            }
            '[' if !in_set => in_set = true,
            ']' if in_set => {
                in_set = false;
                words.push(' ');
            }
            _ if in_set => {}
            '(' if characters.peek() == Some(&'?') => {
                // Flags and names of groups are syntax.
                while characters.next_if(|c| !matches!(c, ':' | '>' | ')')).is_some() {}
                characters.next();
                words.push(' ');
            }
            '{' => {
                while characters.next_if(|c| *c != '}').is_some() {}
                characters.next();
            }
            '?' => {}
            '(' | ')' | '|' | '*' | '+' | '^' | '$' | '.' => words.push(' '),
            c => words.push(c),
        }
    }
    words
}

fn learn(weights: &mut [Weights], bias: &mut Weights, words: &[usize], class: Class, rate: f32) {
    let mut sums = *bias;
    for &word in words {
        for (sum, weight) in sums.iter_mut().zip(&weights[word]) {
            *sum += weight;
        }
    }
    let mut error = softmax(sums);
    error[class.index()] -= 1.0;
    let step = rate / (words.len() as f32).sqrt();
    for &word in words {
        for (weight, error) in weights[word].iter_mut().zip(error) {
            *weight -= step * error;
        }
    }
    for (bias, error) in bias.iter_mut().zip(error) {
        *bias -= step * error * 0.1;
    }
}

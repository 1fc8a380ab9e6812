//! Learns the words of the classes from the samples of pages.

use analyzer::taxonomy::Class;
use analyzer::words::{Model, Weights, features, softmax};
use std::collections::BTreeMap;

use crate::parse::Page;

const ROUNDS: usize = 60;
const RATE: f32 = 0.25;
const SHRINK: f32 = 0.0008;
const FLOOR: f32 = 0.34;
/// Words that weigh less than this for every class are left out.
const LIGHTEST: f32 = 0.04;

/// Learns from the samples of all pages: multinomial logistic regression by gradient descent, without randomness.
pub fn train<'p>(pages: impl Iterator<Item = &'p Page>) -> Model {
    let mut numbers = BTreeMap::<String, usize>::new();
    let mut examples: Vec<(Vec<usize>, Class)> = Vec::new();
    for page in pages {
        for (text, source) in texts(page) {
            let words = features(&text, source).into_iter().map(|word| {
                let next = numbers.len();
                *numbers.entry(word).or_insert(next)
            });
            examples.push((words.collect(), page.class));
        }
    }
    let mut weights = vec![Weights::default(); numbers.len()];
    let mut bias = Weights::default();
    for round in 0..ROUNDS {
        let rate = RATE / (1.0 + round as f32 * 0.1);
        for (words, class) in &examples {
            learn(&mut weights, &mut bias, words, *class, rate);
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

/// Returns the texts of a page that are worth learning from.
fn texts(page: &Page) -> Vec<(String, analyzer::record::Source)> {
    let samples = page.samples.iter().filter(|sample| sample.expects_match);
    let mut texts: Vec<_> = samples.map(|sample| (sample.text.clone(), sample.source)).collect();
    // The title says in plain words what the messages are about.
    if let Some((_, source)) = texts.first().cloned() {
        texts.push((page.title.clone(), source));
    }
    texts
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

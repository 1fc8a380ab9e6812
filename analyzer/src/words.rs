//! A small model from words to classes, for failures that no page knows.
//!
//! It is a table: each word has a weight for each class. What it says can be explained by listing words.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::matching::{Numbers, Strings};
use crate::record::Source;
use crate::taxonomy::Class;

pub type Weights = [f32; Class::ALL.len()];

/// Weights of words, learned from the samples of pages.
/// The words lie in one piece, as few runs ask for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Model {
    /// Sorted.
    words: Strings,
    /// The bits of the weights of each word, one word after the other.
    weights: Numbers,
    pub bias: Weights,
    /// Below this probability the model says nothing.
    pub floor: f32,
}

/// What the model says, and the words that made it say so.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub class: Class,
    pub probability: f32,
    pub words: Vec<String>,
}

impl Model {
    pub fn new(words: &BTreeMap<String, Weights>, bias: Weights, floor: f32) -> Model {
        let mut weights = Numbers::default();
        words.values().flatten().for_each(|weight| weights.push(weight.to_bits()));
        Model { words: words.keys().map(String::as_bytes).collect(), weights, bias, floor }
    }

    /// Returns what a word weighs for each class.
    pub fn weights(&self, word: &str) -> Option<Weights> {
        let (mut from, mut to) = (0, self.words.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.words.get(middle).cmp(word.as_bytes()) {
                Ordering::Less => from = middle + 1,
                Ordering::Greater => to = middle,
                Ordering::Equal => {
                    let first = middle * Class::ALL.len();
                    return Some(std::array::from_fn(|class| {
                        f32::from_bits(self.weights.get(first + class))
                    }));
                }
            }
        }
        None
    }

    /// Returns the likeliest class of texts that tell about one failure, the first of them counting most,
    /// or nothing where the words do not tell.
    pub fn judge(&self, texts: &[&str], source: Source) -> Option<Judgement> {
        let features: Vec<Vec<String>> = texts.iter().map(|text| features(text, source)).collect();
        let mut probabilities = Weights::default();
        let mut total = 0.0;
        for (index, words) in features.iter().enumerate() {
            let weight = 1.0 / (index + 1) as f32;
            total += weight;
            for (sum, probability) in probabilities.iter_mut().zip(self.probabilities(words)) {
                *sum += weight * probability;
            }
        }
        probabilities.iter_mut().for_each(|probability| *probability /= total.max(f32::MIN_POSITIVE));
        let class = Class::ALL
            .into_iter()
            .max_by(|a, b| probabilities[a.index()].total_cmp(&probabilities[b.index()]).then(b.cmp(a)))?;
        let probability = probabilities[class.index()];
        if probability < self.floor {
            return None;
        }
        let mut words: Vec<(f32, &String)> = features
            .first()?
            .iter()
            .filter_map(|word| self.weights(word).map(|weights| (weights[class.index()], word)))
            .filter(|(weight, word)| *weight > 0.0 && says_something(word))
            .collect();
        words.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let words = words.into_iter().take(5).map(|(_, word)| word.clone()).collect();
        Some(Judgement { class, probability, words })
    }

    pub fn probabilities(&self, features: &[String]) -> Weights {
        let mut sums = self.bias;
        for weights in features.iter().filter_map(|word| self.weights(word)) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        softmax(sums)
    }
}

/// Whether a feature tells a reader anything: words that stand in any sentence do not.
fn says_something(feature: &str) -> bool {
    const SAY_NOTHING: [&str; 44] = [
        "a", "again", "all", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "could",
        "did", "do", "for", "from", "giving", "had", "has", "have", "in", "into", "is", "it", "its", "of",
        "on", "or", "so", "than", "that", "the", "then", "there", "this", "to", "up", "was", "were", "will",
        "with", "you",
    ];
    !feature.starts_with("source:") && !feature.split(' ').any(|word| SAY_NOTHING.contains(&word))
}

/// Returns the sorted, distinct words and shapes of a text, and where it comes from.
pub fn features(text: &str, source: Source) -> Vec<String> {
    let mut features = vec![format!("source:{}", source.as_str())];
    let mut previous: Option<String> = None;
    let text: String = text.chars().take(2000).collect();
    for token in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        for word in parts(token) {
            if let Some(previous) = &previous {
                features.push(format!("{previous} {word}"));
            }
            features.push(word.clone());
            previous = Some(word);
        }
    }
    features.extend(shapes(&text).into_iter().map(str::to_owned));
    features.sort_unstable();
    features.dedup();
    features
}

pub fn softmax(mut sums: Weights) -> Weights {
    let highest = sums.iter().copied().fold(f32::MIN, f32::max);
    let mut total = 0.0;
    for sum in &mut sums {
        *sum = (*sum - highest).exp();
        total += *sum;
    }
    for sum in &mut sums {
        *sum /= total;
    }
    sums
}

/// Splits `NoSuchBucketException` into its words and keeps codes such as `P3009` and `ts2322` as families.
fn parts(token: &str) -> Vec<String> {
    if token.bytes().any(|byte| byte.is_ascii_digit()) {
        let letters: String = token.chars().take_while(char::is_ascii_alphabetic).collect();
        let family = (1..=6).contains(&letters.len()) && token.len() <= 10;
        return if family { vec![format!("{}#", letters.to_ascii_lowercase())] } else { Vec::new() };
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for c in token.chars() {
        if c.is_ascii_uppercase() && after_lower {
            words.push(std::mem::take(&mut word));
        }
        after_lower = c.is_ascii_lowercase();
        word.push(c.to_ascii_lowercase());
    }
    words.push(word);
    words.retain(|word| (2..=24).contains(&word.len()));
    words
}

fn shapes(text: &str) -> Vec<&'static str> {
    const SHAPES: [(&str, &str); 12] = [
        ("arn:aws", "shape:arn"),
        ("AWS::", "shape:cfn-type"),
        ("_FAILED", "shape:failed-status"),
        ("://", "shape:url"),
        (".ts(", "shape:ts-file"),
        (".py\"", "shape:py-file"),
        ("\tat ", "shape:java-frame"),
        ("    at ", "shape:frame"),
        ("Caused by", "shape:cause"),
        ("##[error]", "shape:gha-error"),
        ("npm ", "shape:npm"),
        ("dkr.ecr", "shape:ecr"),
    ];
    SHAPES.iter().filter(|(mark, _)| text.contains(mark)).map(|(_, shape)| *shape).collect()
}

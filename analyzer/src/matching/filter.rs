//! A bitmap of four-byte grams, probed at every `STRIDE`th byte.
//!
//! Of each literal, `STRIDE` neighbouring grams are in the bitmap, so that one of them is probed
//! whatever the alignment. Bytes are folded with `| 0x20` before they are compared: that folds letters,
//! and what else it folds together is told apart by the expression itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

use super::Literal;

const BITMAP_BITS: u32 = 21;
const BUCKET_BITS: u32 = 15;
const FOLD: u32 = 0x2020_2020;
const FOLD_WIDE: u64 = 0x2020_2020_2020_2020;

/// A gram that stands at `offset` in a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gram {
    pub folded: u32,
    pub literal: u32,
    pub offset: u32,
}

pub struct Filter<const STRIDE: usize> {
    bitmap: Vec<u64>,
    /// Where the grams of a bucket begin.
    buckets: Vec<u32>,
    grams: Vec<Gram>,
    literals: Vec<Literal>,
}

impl<const STRIDE: usize> Filter<STRIDE> {
    pub fn new(mut grams: Vec<Gram>, literals: Vec<Literal>) -> Self {
        let mut bitmap = vec![0u64; 1 << (BITMAP_BITS - 6)];
        for gram in &grams {
            let bit = hash(gram.folded);
            bitmap[(bit >> 6) as usize] |= 1 << (bit & 63);
        }
        grams.sort_unstable_by_key(|gram| (bucket(gram.folded), *gram));
        let mut buckets = vec![0u32; (1 << BUCKET_BITS) + 1];
        for gram in &grams {
            buckets[bucket(gram.folded) as usize + 1] += 1;
        }
        for index in 1..buckets.len() {
            buckets[index] += buckets[index - 1];
        }
        let literals =
            literals.into_iter().map(|literal| Literal { bytes: folded(&literal.bytes), ..literal });
        Filter { bitmap, buckets, grams, literals: literals.collect() }
    }

    /// Calls `found` for each place where a literal stands, case aside, ordered by the place of the gram that showed it.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(Range<usize>, &Literal)) {
        let bitmap: &[u64; 1 << (BITMAP_BITS - 6)] = match self.bitmap.as_slice().try_into() {
            Ok(bitmap) => bitmap,
            Err(_) => return,
        };
        let mut at = 0;
        // Six probes at a time out of loads of eight bytes.
        while at + 5 * STRIDE + 8 <= text.len() {
            let window = &text[at..at + 5 * STRIDE + 8];
            let mut grams = [0u32; 6];
            for (probe, gram) in grams.iter_mut().enumerate() {
                let start = probe * STRIDE;
                *gram = u32::from_le_bytes([
                    window[start],
                    window[start + 1],
                    window[start + 2],
                    window[start + 3],
                ]) | FOLD;
            }
            let mut any = 0u64;
            for gram in grams {
                any |= probe(bitmap, gram);
            }
            if any & 1 != 0 {
                for (index, gram) in grams.into_iter().enumerate() {
                    if probe(bitmap, gram) & 1 != 0 {
                        self.verify(text, at + index * STRIDE, gram, &mut found);
                    }
                }
            }
            at += 6 * STRIDE;
        }
        while at + 4 <= text.len() {
            let gram = u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]) | FOLD;
            if probe(bitmap, gram) & 1 != 0 {
                self.verify(text, at, gram, &mut found);
            }
            at += STRIDE;
        }
    }

    #[cold]
    #[inline(never)]
    fn verify(&self, text: &[u8], at: usize, gram: u32, found: &mut impl FnMut(Range<usize>, &Literal)) {
        let bucket = bucket(gram) as usize;
        for entry in &self.grams[self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize] {
            if entry.folded != gram {
                continue;
            }
            let literal = &self.literals[entry.literal as usize];
            let Some(start) = at.checked_sub(entry.offset as usize) else { continue };
            let Some(place) = text.get(start..start + literal.bytes.len()) else { continue };
            if equals_folded(place, &literal.bytes) {
                found(start..start + literal.bytes.len(), literal);
            }
        }
    }
}

/// Chooses for each literal the window of `STRIDE` grams that is rarest in `typical` text.
pub fn choose_grams<'a, const STRIDE: usize>(
    literals: impl Iterator<Item = &'a [u8]>,
    typical: &[u8],
) -> Vec<Gram> {
    let mut common = BTreeMap::<u32, u32>::new();
    for window in typical.windows(4) {
        *common.entry(gram_of(window)).or_default() += 1;
    }
    let count = |window: &[u8]| common.get(&gram_of(window)).copied().unwrap_or(0);
    let mut grams = Vec::new();
    for (index, literal) in literals.enumerate() {
        let windows = (0..=literal.len() - STRIDE - 3).min_by_key(|&start| {
            let cost: u32 = (start..start + STRIDE).map(|at| count(&literal[at..at + 4])).sum();
            (cost, std::cmp::Reverse(start))
        });
        let start = windows.unwrap_or(0);
        for offset in start..start + STRIDE {
            let folded = gram_of(&literal[offset..offset + 4]);
            grams.push(Gram { folded, literal: index as u32, offset: offset as u32 });
        }
    }
    grams
}

fn gram_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) | FOLD
}

#[inline(always)]
fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1) >> (32 - BITMAP_BITS)
}

#[inline(always)]
fn bucket(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1) >> (32 - BUCKET_BITS)
}

#[inline(always)]
fn probe(bitmap: &[u64; 1 << (BITMAP_BITS - 6)], gram: u32) -> u64 {
    let bit = hash(gram);
    bitmap[(bit >> 6) as usize] >> (bit & 63)
}

fn folded(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte | 0x20).collect()
}

fn equals_folded(text: &[u8], literal: &[u8]) -> bool {
    let (text_words, text_rest) = text.as_chunks::<8>();
    let (literal_words, literal_rest) = literal.as_chunks::<8>();
    let words = text_words.iter().zip(literal_words);
    words.into_iter().all(|(a, b)| u64::from_le_bytes(*a) | FOLD_WIDE == u64::from_le_bytes(*b))
        && text_rest.iter().zip(literal_rest).all(|(a, b)| a | 0x20 == *b)
}

//! Finds where literals stand, with bitmaps of grams that are probed at every `STRIDE`th byte.
//!
//! Of each literal, `STRIDE` neighbouring grams are in a bitmap, so that one of them is probed
//! whatever the alignment. A gram of eight bytes says much more than one of four: literals that are long
//! enough have wide grams, and only short ones have narrow grams. Bytes are folded with `| 0x20` before they
//! are compared: that folds letters, and what else it folds together is told apart by the expression itself.

use std::collections::BTreeMap;
use std::ops::Range;

use super::common::COMMON;
use super::tables::{Numbers, Strings};

const WIDE: usize = 8;
/// The usual width of a narrow gram.
pub const NARROW: usize = 4;
/// Words of 64 bits. What is probed at every step must stay in the cache of a core.
const WIDE_WORDS: usize = 1 << 14;
const NARROW_WORDS: usize = 1 << 10;
/// Tables of grams have so many buckets at most; few grams have few, which stay in the cache of a core.
const MOST_BUCKET_BITS: u32 = 14;
const FOLD: u64 = 0x2020_2020_2020_2020;
/// Where the bits of wide grams begin.
const WIDE_HIT: u32 = 32;

/// Finds literals of at least `STRIDE + NARROW - 1` bytes. Without `HAS_WIDE`, all grams are narrow and one bitmap is probed.
pub struct Filter<const STRIDE: usize, const NARROW: usize, const HAS_WIDE: bool> {
    wide: Grams<WIDE_WORDS>,
    narrow: Grams<NARROW_WORDS>,
    /// The bytes of all literals.
    bytes: Vec<u8>,
}

impl<const STRIDE: usize, const NARROW: usize, const HAS_WIDE: bool> Filter<STRIDE, NARROW, HAS_WIDE> {
    const MASK: u64 = (1 << (8 * NARROW)) - 1;

    /// Takes literals, and where in each its grams begin.
    pub fn new(literals: &Strings, starts: &Numbers) -> Self {
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        let mut bytes = Vec::new();
        for (index, literal) in literals.iter().enumerate() {
            let width = width::<STRIDE, NARROW, HAS_WIDE>(literal.len());
            let list = if width == WIDE { &mut wide } else { &mut narrow };
            let first = starts.get(index) as usize;
            let (start, length) = (bytes.len() as u32, literal.len() as u32);
            for offset in first..first + STRIDE {
                let gram = gram(&literal[offset..offset + width]);
                let head = head(literal);
                list.push((
                    gram,
                    Entry { head, offset: offset as u32, start, length, literal: index as u32 },
                ));
            }
            bytes.extend(literal.iter().map(|byte| byte | 0x20));
        }
        Filter { wide: Grams::new(&wide), narrow: Grams::new(&narrow), bytes }
    }

    /// Makes a filter of words.
    pub fn of_words<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        let literals: Strings = words.map(str::as_bytes).collect();
        let starts = choose_grams::<STRIDE, NARROW, HAS_WIDE>(&literals, &[(COMMON, 1)]);
        Filter::new(&literals, &starts)
    }

    /// Calls `found` for each place where a literal stands, case aside, with the number of the literal;
    /// ordered by the place of the gram that showed it.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(Range<usize>, usize)) {
        let (wide, narrow) = (self.wide.bitmap(), self.narrow.bitmap());
        let mut at = 0;
        while at + 5 * STRIDE + WIDE <= text.len() {
            let window = &text[at..at + 5 * STRIDE + WIDE];
            let mut grams = [0u64; 6];
            // For each gram a bit that says whether a narrow one, and in the upper half, whether a wide one may be there.
            let mut hits = 0u64;
            for (index, gram) in grams.iter_mut().enumerate() {
                let bytes = window[index * STRIDE..].first_chunk().copied().unwrap_or_default();
                *gram = u64::from_le_bytes(bytes) | FOLD;
                let mut hit = narrow.map_or(0, |bitmap| probe(bitmap, hash(*gram & Self::MASK)));
                if HAS_WIDE {
                    hit |= wide.map_or(0, |bitmap| probe(bitmap, hash(*gram))) << WIDE_HIT;
                }
                hits |= hit << index;
            }
            let mut places = (hits | hits >> WIDE_HIT) & ((1 << WIDE_HIT) - 1);
            while places != 0 {
                let index = places.trailing_zeros() as usize;
                self.verify(text, at + index * STRIDE, (grams[index % 6], hits >> index), &mut found);
                places &= places - 1;
            }
            at += 6 * STRIDE;
        }
        while at + NARROW <= text.len() {
            let gram = word_at(text, at) | FOLD;
            let mut hit = narrow.map_or(0, |bitmap| probe(bitmap, hash(gram & Self::MASK)));
            if HAS_WIDE {
                hit |= wide.map_or(0, |bitmap| probe(bitmap, hash(gram))) << WIDE_HIT;
            }
            if hit != 0 {
                self.verify(text, at, (gram, hit), &mut found);
            }
            at += STRIDE;
        }
    }

    #[inline(never)]
    fn verify(
        &self,
        text: &[u8],
        at: usize,
        (gram, hit): (u64, u64),
        found: &mut impl FnMut(Range<usize>, usize),
    ) {
        let mut verify = |entry: &Entry| {
            let (from, length) = (entry.start as usize, entry.length as usize);
            let Some(start) = at.checked_sub(entry.offset as usize) else { return };
            // Most places that have a gram of a literal are told apart by the bytes with which it begins.
            if (word_at(text, start) | FOLD) & head_mask(length) != entry.head {
                return;
            }
            let Some(place) = text.get(start..start + length) else { return };
            if equals_folded(place, &self.bytes[from..from + length]) {
                found(start..start + length, entry.literal as usize);
            }
        };
        if HAS_WIDE && hit & 1 << WIDE_HIT != 0 {
            self.wide.entries(gram).iter().for_each(&mut verify);
        }
        if hit & 1 != 0 {
            self.narrow.entries(gram & Self::MASK).iter().for_each(&mut verify);
        }
    }
}

/// Text of a kind that is matched, and how much it weighs.
pub type Typical<'t> = (&'t [u8], usize);

/// How much ordinary text weighs against text of failures: most of what is matched is ordinary.
pub const ORDINARY: usize = 100;

/// Chooses for each literal the window of `STRIDE` grams that is rarest in `typical` text; returns where it begins.
pub fn choose_grams<const STRIDE: usize, const NARROW: usize, const HAS_WIDE: bool>(
    literals: &Strings,
    typical: &[Typical<'_>],
) -> Numbers {
    let mut common = BTreeMap::<u64, usize>::new();
    let widths = if HAS_WIDE { &[NARROW, WIDE][..] } else { &[NARROW] };
    for (text, weight) in typical {
        for window in widths.iter().flat_map(|width| text.windows(*width)) {
            *common.entry(gram(window)).or_default() += weight;
        }
    }
    let count = |window: &[u8]| common.get(&gram(window)).copied().unwrap_or(0);
    let mut chosen = Numbers::default();
    for literal in literals.iter() {
        let width = width::<STRIDE, NARROW, HAS_WIDE>(literal.len());
        let starts = 0..=(literal.len() + 1).saturating_sub(STRIDE + width);
        let rarest = starts.min_by_key(|&start| {
            let grams = (start..start + STRIDE).filter_map(|at| literal.get(at..at + width));
            (grams.map(count).sum::<usize>(), std::cmp::Reverse(start))
        });
        chosen.push(rarest.unwrap_or(0) as u32);
    }
    chosen
}

/// Returns how wide the grams of a literal are; a window of `STRIDE` of them must fit.
fn width<const STRIDE: usize, const NARROW: usize, const HAS_WIDE: bool>(length: usize) -> usize {
    if HAS_WIDE && length + 1 >= WIDE + STRIDE { WIDE } else { NARROW }
}

/// Returns the folded gram of four or eight bytes.
fn gram(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |gram, byte| gram << 8 | u64::from(byte | 0x20))
}

/// Returns eight bytes of a text, with zeros behind its end.
#[inline(always)]
fn word_at(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Returns the first eight bytes of a literal, folded; zeros stand for those that a shorter one does not have.
fn head(literal: &[u8]) -> u64 {
    (word_at(literal, 0) | FOLD) & head_mask(literal.len())
}

#[inline(always)]
fn head_mask(length: usize) -> u64 {
    if length >= WIDE { u64::MAX } else { (1 << (8 * length)) - 1 }
}

/// A gram that stands at `offset` in a literal: what the literal begins with, and where its bytes are.
#[derive(Clone, Copy, Default)]
struct Entry {
    head: u64,
    offset: u32,
    start: u32,
    length: u32,
    literal: u32,
}

/// Grams of one width: a bitmap that says quickly where none is, and the grams by their hash.
struct Grams<const WORDS: usize> {
    bitmap: Vec<u64>,
    bucket_bits: u32,
    /// Where the entries of a bucket begin.
    buckets: Vec<u32>,
    entries: Vec<Entry>,
}

impl<const WORDS: usize> Grams<WORDS> {
    fn new(list: &[(u64, Entry)]) -> Self {
        if list.is_empty() {
            return Grams { bitmap: Vec::new(), bucket_bits: 1, buckets: Vec::new(), entries: Vec::new() };
        }
        let bucket_bits = (2 * list.len()).ilog2().clamp(1, MOST_BUCKET_BITS);
        let mut bitmap = vec![0u64; WORDS];
        let mut buckets = vec![0u32; (1 << bucket_bits) + 1];
        for (gram, _) in list {
            let hash = hash(*gram);
            bitmap[word::<WORDS>(hash)] |= 1 << first_bit(hash) | 1 << second_bit(hash);
            buckets[bucket(*gram, bucket_bits) + 1] += 1;
        }
        for index in 1..buckets.len() {
            buckets[index] += buckets[index - 1];
        }
        let mut next = buckets.clone();
        let mut entries = vec![Entry::default(); list.len()];
        for (gram, entry) in list {
            let place = &mut next[bucket(*gram, bucket_bits)];
            entries[*place as usize] = *entry;
            *place += 1;
        }
        Grams { bitmap, bucket_bits, buckets, entries }
    }

    /// Returns the bitmap, or nothing where there are no grams.
    fn bitmap(&self) -> Option<&[u64; WORDS]> {
        self.bitmap.as_slice().try_into().ok()
    }

    /// Returns the entries of a gram, and of others that share its bucket.
    fn entries(&self, gram: u64) -> &[Entry] {
        let bucket = bucket(gram, self.bucket_bits);
        match self.buckets.get(bucket..bucket + 2) {
            Some(&[from, to]) => &self.entries[from as usize..to as usize],
            _ => &[],
        }
    }
}

#[inline(always)]
fn hash(gram: u64) -> u64 {
    gram.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn bucket(gram: u64, bits: u32) -> usize {
    (hash(gram) >> (u64::BITS - bits)) as usize
}

#[inline(always)]
fn word<const WORDS: usize>(hash: u64) -> usize {
    (hash >> (64 - WORDS.trailing_zeros())) as usize
}

/// Two bits of one word stand for a gram: that both are set by others is rare.
#[inline(always)]
fn first_bit(hash: u64) -> u64 {
    hash >> 44 & 63
}

#[inline(always)]
fn second_bit(hash: u64) -> u64 {
    hash >> 38 & 63
}

#[inline(always)]
fn probe<const WORDS: usize>(bitmap: &[u64; WORDS], hash: u64) -> u64 {
    let bits = bitmap[word::<WORDS>(hash)];
    bits >> first_bit(hash) & bits >> second_bit(hash) & 1
}

fn equals_folded(text: &[u8], literal: &[u8]) -> bool {
    let (text_words, text_rest) = text.as_chunks::<8>();
    let (literal_words, literal_rest) = literal.as_chunks::<8>();
    let words = text_words.iter().zip(literal_words);
    words.into_iter().all(|(a, b)| u64::from_le_bytes(*a) | FOLD == u64::from_le_bytes(*b))
        && text_rest.iter().zip(literal_rest).all(|(a, b)| a | 0x20 == *b)
}

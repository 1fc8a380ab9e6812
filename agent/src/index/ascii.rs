//! Finds the words of a text of ASCII signs that have digits, 64 signs at a time: nearly all texts of logs are of that kind,
//! and most of their words have none.

use super::tokens::LONGEST;
use crate::bits;

/// A text in lower case: which of its bytes are of words, with which words begin, and which are digits.
#[derive(Clone, Debug, Default)]
pub struct Ascii {
    text: String,
    words: Vec<u64>,
    begins: Vec<u64>,
    digits: Vec<u64>,
}

/// A word, behind `position` others.
pub struct Run {
    pub from: usize,
    pub to: usize,
    pub position: usize,
    pub digits: usize,
}

impl Ascii {
    /// Takes a text; false where it has other signs, or a word without digits that is cut off.
    pub fn take(&mut self, text: &str) -> bool {
        if !text.is_ascii() {
            return false;
        }
        self.text.clear();
        self.text.push_str(text);
        self.text.make_ascii_lowercase();
        self.words.clear();
        self.begins.clear();
        self.digits.clear();
        let mut last = 0;
        for part in self.text.as_bytes().chunks(64) {
            let digits = bits::of_part(part, bits::digits_of_eight);
            let words = bits::of_part(part, bits::letters_of_eight) | digits;
            self.digits.push(digits);
            self.words.push(words);
            self.begins.push(words & !(words << 1 | last >> 63));
            last = words;
        }
        !self.is_cut()
    }

    /// Returns the text in lower case.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the words that have digits.
    pub fn with_digits(&self) -> impl Iterator<Item = Run> {
        let (mut at, mut passed) = (0, 0);
        std::iter::from_fn(move || {
            let digit = bits::next(&self.digits, at)?;
            let from = bits::begin_of_run(&self.words, digit);
            let to = bits::next_other(&self.words, digit).unwrap_or(self.text.len());
            let position = passed + bits::count(&self.begins, at, from);
            (at, passed) = (to, position + 1);
            Some(Run { from, to, position, digits: bits::count(&self.digits, digit, to) })
        })
    }

    /// Whether a word without digits is cut off.
    fn is_cut(&self) -> bool {
        // Wherever such a word begins, it fills half of a part.
        let fills_half = |part: &u64| *part as u32 == u32::MAX || part >> 32 == u64::from(u32::MAX);
        if !self.words.iter().any(fills_half) {
            return false;
        }
        let mut at = 0;
        while let Some(from) = bits::next(&self.words, at) {
            at = bits::next_other(&self.words, from).unwrap_or(self.text.len());
            if at - from >= LONGEST && bits::count(&self.digits, from, at) == 0 {
                return true;
            }
        }
        false
    }
}

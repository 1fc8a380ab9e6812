//! Splits text into the words that are searched for: runs of letters and digits, in lower case.
//!
//! In scripts that are written without spaces each sign is a word, so that whatever stands in a text is found as a run
//! of words.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::ascii::{Ascii, Run};
use super::scripts::{Kind, kind};
use super::shapes::Shapes;

/// Longer words are cut: nobody types them, and a blob would fill the dictionary.
pub const LONGEST: usize = 96;

/// A word of a text, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Plain(String),
    /// An identifier: a number, a hash, a part of an address. Each stands in few records, and there is no end of them.
    Id(String),
}

/// Returns the words of a text.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    let mut lower = String::new();
    while let Some(found) = next(text, at) {
        at = found.to;
        found.write(text, &mut lower);
        words.push(match found.is_id {
            true => Word::Id(lower.clone()),
            false => Word::Plain(lower.clone()),
        });
    }
    words
}

/// Returns what an identifier is known by.
pub fn mark(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

/// Whether a word may be another one in each text of a shape: it has digits, or may have some where it was cut off.
pub fn is_open(word: &str) -> bool {
    word.len() >= LONGEST || word.bytes().any(|byte| byte.is_ascii_digit())
}

/// What is kept beside the words of the documents of the segment that is being written.
#[derive(Clone, Debug, Default)]
pub struct Aside(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// The marks of the identifiers of the last document.
    marks: Vec<u64>,
    /// The place of its shape; none where it has no text.
    place: Option<u32>,
    shapes: Shapes,
}

impl Aside {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew, for another segment.
    pub fn begin(&self) {
        *self.kept() = Kept::default();
    }

    /// Hands out the marks of identifiers that were put aside.
    pub fn take(&self, each: impl FnMut(u64)) {
        self.kept().marks.drain(..).for_each(each);
    }

    /// Takes the last document into the shapes of the segment.
    pub fn keep_shape(&self) {
        let mut kept = self.kept();
        let place = kept.place.take();
        kept.shapes.add(place);
    }

    /// Hands out the shapes of the segment.
    pub fn take_shapes(&self) -> Shapes {
        std::mem::take(&mut self.kept().shapes)
    }

    /// Returns about how much memory the shapes take.
    pub fn size_of_shapes(&self) -> usize {
        self.kept().shapes.size()
    }
}

/// The tokenizer of the text of records: plain words become tokens, identifiers are put aside. Of words without digits
/// only those become tokens that stand in the first document of a shape.
#[derive(Clone, Debug, Default)]
pub struct Words {
    token: Token,
    aside: Aside,
    /// What becomes a token.
    found: Vec<Found>,
    /// What texts of one shape have in common: their words without digits, in lower case, and where others stand.
    shape: Vec<u8>,
    ascii: Ascii,
}

impl Words {
    pub fn new(aside: Aside) -> Words {
        Words { aside, ..Words::default() }
    }

    /// Finds what becomes a token, and puts all else aside. Tells whether tokens are taken from `ascii`.
    fn read(&mut self, text: &str) -> bool {
        self.found.clear();
        self.shape.clear();
        if self.ascii.take(text) {
            self.read_ascii();
            return true;
        }
        let mut kept = self.aside.kept();
        let (mut at, mut position) = (0, 0);
        let lower = &mut self.token.text;
        while let Some(found) = next(text, at) {
            at = found.to;
            let mut is_open = found.digits > 0;
            if !is_open {
                found.write(text, lower);
                self.shape.extend(lower.as_bytes());
                is_open = lower.len() >= LONGEST;
            }
            self.shape.push(b' ');
            if found.is_id {
                found.write(text, lower);
                kept.marks.push(mark(lower));
            } else {
                self.found.push(Found { position, is_open, ..found });
            }
            position += 1;
        }
        let (place, is_first) = kept.shapes.place(xxh3_64(&self.shape));
        kept.place = place;
        if !is_first {
            self.found.retain(|found| found.is_open);
        }
        false
    }

    /// Reads the text in `ascii` by its words with digits, which are few.
    fn read_ascii(&mut self) {
        let mut kept = self.aside.kept();
        let lower = self.ascii.text();
        let mut at = 0;
        for Run { from, to, position, digits } in self.ascii.with_digits() {
            self.shape.extend(&lower.as_bytes()[at..from]);
            // No text of ASCII signs has such a byte.
            self.shape.push(OPEN);
            at = to;
            if is_id(to - from, digits) {
                kept.marks.push(mark(kept_of(&lower[from..to])));
            } else {
                let found = Found { from, to, position, digits, is_ascii: true, is_id: false, is_open: true };
                self.found.push(found);
            }
        }
        self.shape.extend(&lower.as_bytes()[at..]);
        let (place, is_first) = kept.shapes.place(xxh3_64_with_seed(&self.shape, OF_ASCII));
        kept.place = place;
        if is_first {
            self.found.clear();
            let (mut at, mut position) = (0, 0);
            while let Some(found) = next(lower, at) {
                at = found.to;
                if !found.is_id {
                    self.found.push(Found { position, ..found });
                }
                position += 1;
            }
        }
    }
}

/// Stands for a word with digits in the shape of a text of ASCII signs.
const OPEN: u8 = 0xff;
/// Tells the shapes of texts of ASCII signs, which have what stands between their words, from others.
const OF_ASCII: u64 = 1;

pub struct WordStream<'a> {
    text: &'a str,
    is_lower: bool,
    next: std::slice::Iter<'a, Found>,
    token: &'a mut Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        let is_lower = self.read(text);
        self.token.reset();
        let text = if is_lower { self.ascii.text() } else { text };
        WordStream { text, is_lower, next: self.found.iter(), token: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(found) = self.next.next() else { return false };
        if self.is_lower {
            self.token.text.clear();
            self.token.text.push_str(kept_of(&self.text[found.from..found.to]));
        } else {
            found.write(self.text, &mut self.token.text);
        }
        self.token.position = found.position;
        self.token.offset_from = found.from;
        self.token.offset_to = found.to;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

const LETTER: u8 = 1;
const DIGIT: u8 = 2;

/// Which bytes are ASCII letters and digits; 0 for all others.
static SORTS: [u8; 256] = {
    let mut sorts = [0; 256];
    let mut byte = 0;
    while byte < 128u8 {
        if byte.is_ascii_digit() {
            sorts[byte as usize] = DIGIT;
        } else if byte.is_ascii_alphabetic() {
            sorts[byte as usize] = LETTER;
        }
        byte += 1;
    }
    sorts
};

/// Where a word stands.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    from: usize,
    to: usize,
    /// How many words stand before it.
    position: usize,
    digits: usize,
    is_ascii: bool,
    is_id: bool,
    is_open: bool,
}

impl Found {
    /// Writes the word in lower case, as far as it is kept.
    fn write(&self, text: &str, lower: &mut String) {
        let word = &text[self.from..self.to];
        lower.clear();
        if self.is_ascii {
            lower.push_str(kept_of(word));
            lower.make_ascii_lowercase();
        } else {
            lower.extend(word.chars().take(LONGEST).flat_map(char::to_lowercase));
        }
    }
}

/// Returns what is kept of a word of ASCII signs.
fn kept_of(word: &str) -> &str {
    &word[..word.len().min(LONGEST)]
}

/// Finds the next word.
fn next(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let from = begin(text, at)?;
    let (mut to, mut digits, mut is_ascii) = (from, 0, true);
    while let Some(byte) = bytes.get(to) {
        let sort = SORTS[usize::from(*byte)];
        if sort != 0 {
            digits += usize::from(sort == DIGIT);
            to += 1;
            continue;
        }
        let Some(sign) = text[to..].chars().next().filter(|_| !byte.is_ascii()) else { break };
        match kind(sign) {
            Kind::Letter => to += sign.len_utf8(),
            Kind::Word if to == from => {
                to += sign.len_utf8();
                is_ascii = false;
                break;
            }
            Kind::Word | Kind::Between => break,
        }
        is_ascii = false;
    }
    let is_id = is_ascii && is_id(to - from, digits);
    Some(Found { from, to, digits, is_ascii, is_id, ..Found::default() })
}

/// Returns where the next word begins.
fn begin(text: &str, mut at: usize) -> Option<usize> {
    loop {
        at += text.as_bytes()[at..]
            .iter()
            .position(|byte| SORTS[usize::from(*byte)] != 0 || !byte.is_ascii())?;
        match text[at..].chars().next()? {
            sign if !sign.is_ascii() && kind(sign) == Kind::Between => at += sign.len_utf8(),
            _ => return Some(at),
        }
    }
}

/// Ports, years, exit codes and the pieces of a time of day are few, and are words.
fn is_id(length: usize, digits: usize) -> bool {
    digits >= 5 || digits >= 3 && length >= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<const W: usize, const I: usize>(text: &str, words: [&str; W], ids: [&str; I]) {
        let aside = Aside::default();
        let mut found = Vec::new();
        Words::new(aside.clone()).token_stream(text).process(&mut |token| found.push(token.text.clone()));
        assert_eq!(found, words);
        let mut marks = Vec::new();
        aside.take(|mark| marks.push(mark));
        assert_eq!(marks, ids.map(mark));
        let (mut plain, mut apart) = (Vec::new(), Vec::new());
        for word in super::words(text) {
            match word {
                Word::Plain(word) => plain.push(word),
                Word::Id(id) => apart.push(id),
            }
        }
        assert_eq!((plain, apart), (words.map(str::to_owned).to_vec(), ids.map(str::to_owned).to_vec()));
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        check("DATABASE_URL=postgres://db:5432", ["database", "url", "postgres", "db", "5432"], []);
        check("größe ÜBER 3.5", ["größe", "über", "3", "5"], []);
        check(" -- ", [], []);
    }

    #[test]
    fn a_sign_of_a_script_without_spaces_is_a_word() {
        check("日本語テスト", ["日", "本", "語", "テ", "ス", "ト"], []);
        check("接続error:拒否1", ["接", "続", "error", "拒", "否", "1"], []);
        check("연결 거부", ["연", "결", "거", "부"], []);
        check("ｱ漢𠮷。「語」", ["ｱ", "漢", "𠮷", "語"], []);
        check("ผิด", ["ผ", "\u{e34}", "ด"], []);
        check("привет мир", ["привет", "мир"], []);
    }

    #[test]
    fn signs_between_words_belong_to_none() {
        check("“error” … naïve—test → ok", ["error", "naïve", "test", "ok"], []);
        check("a\u{a0}b\u{3000}c✗", ["a", "b", "c"], []);
        check("می\u{200c}شود", ["می\u{200c}شود"], []);
    }

    #[test]
    fn identifiers_are_put_aside() {
        check("task 0F3a9C71b2d84e66 of web", ["task", "of", "web"], ["0f3a9c71b2d84e66"]);
        check("took 123456 us, exit code 137", ["took", "us", "exit", "code", "137"], ["123456"]);
        check("2026-05-01T10:20:30.123456Z", ["2026", "05", "01t10", "20", "30"], ["123456z"]);
        check("größe12345", ["größe12345"], []);
    }

    /// Returns the tokens of some texts, one after the other.
    fn tokens(texts: &[&str]) -> Vec<Vec<(usize, String)>> {
        let mut words = Words::default();
        let mut tokens_of = |text: &&str| {
            let mut tokens = Vec::new();
            words.token_stream(text).process(&mut |token| tokens.push((token.position, token.text.clone())));
            words.aside.keep_shape();
            tokens
        };
        texts.iter().map(&mut tokens_of).collect()
    }

    #[test]
    fn words_without_digits_are_tokens_once_for_each_shape() {
        let token = |position: usize, text: &str| (position, text.to_owned());
        let first = vec![token(0, "request"), token(2, "done"), token(3, "in"), token(4, "3ms")];
        let found = tokens(&["Request 1234567 done in 3ms", "request 7 DONE in 20ms", "in done request"]);
        assert_eq!(found[..2], [first, vec![token(1, "7"), token(4, "20ms")]]);
        assert_eq!(found[2].len(), 3);
        for (one, other) in [
            ("request 1234567 done", "request done 1234567"),
            ("request 1234567 done", "request done"),
            ("request done", "request done done"),
            ("request", "requests"),
            ("a b", "ab"),
        ] {
            let found = tokens(&[one, other]);
            assert!(!found[1].is_empty(), "{one}, {other}");
        }
        // Where a word is cut off, digits may follow.
        let long = "x".repeat(LONGEST);
        let found = tokens(&[&long, &long, &format!("{long}1")]);
        assert!(found.iter().all(|tokens| tokens.len() == 1), "{found:?}");
        assert!(is_open(&long) && is_open("20ms") && !is_open("done"));
    }

    /// Texts of ASCII signs are read in a way of their own, in parts of 64 signs.
    #[test]
    fn ascii_texts_have_the_words_of_any_text() {
        let pieces = [
            "a",
            "Error",
            "x1",
            "7",
            "404",
            "0f3a9c71b2d84e66",
            " ",
            ", ",
            "-",
            "\0",
            "_",
            "\n",
            "::",
            "Ab-",
        ];
        let long = ["b".repeat(31), "c".repeat(64), "d".repeat(95), "e".repeat(96), "f1".repeat(60)];
        let mut random = 7u64;
        for _ in 0..2000 {
            let mut text = String::new();
            for _ in 0..random % 40 {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                match (random >> 33) as usize % 200 {
                    at @ 0..5 => text.push_str(&long[at]),
                    at => text.push_str(pieces[at % pieces.len()]),
                }
            }
            random = random.wrapping_add(1);
            let (mut all, mut open, mut ids) = (Vec::new(), Vec::new(), Vec::new());
            for (position, word) in words(&text).into_iter().enumerate() {
                match word {
                    Word::Id(id) => ids.push(mark(&id)),
                    Word::Plain(word) => {
                        if is_open(&word) {
                            open.push((position, word.clone()));
                        }
                        all.push((position, word));
                    }
                }
            }
            let mut tokenizer = Words::default();
            for expected in [all, open] {
                let mut tokens = Vec::new();
                let mut token_of = |token: &Token| tokens.push((token.position, token.text.clone()));
                tokenizer.token_stream(&text).process(&mut token_of);
                assert_eq!(tokens, expected, "{text:?}");
                let mut marks = Vec::new();
                tokenizer.aside.take(|mark| marks.push(mark));
                assert_eq!(marks, ids, "{text:?}");
            }
        }
    }

    #[test]
    fn positions_count_words_and_identifiers() {
        let mut positions = Vec::new();
        Words::default().token_stream("a, 1234567 b").process(&mut |token| positions.push(token.position));
        assert_eq!(positions, [0, 2]);
    }
}

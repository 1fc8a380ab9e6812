//! Splits text into the words that are searched for: runs of letters and digits, in lower case.
//!
//! In scripts that are written without spaces each sign is a word, so that whatever stands in a text is found as a run
//! of words.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use xxhash_rust::xxh3::xxh3_64;

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
    while let Some(found) = next(text, at, &mut lower) {
        at = found.to;
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

/// Stands for any word with a digit in a shape.
const VALUE: u64 = 1;

/// Words without digits in their order, the others left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub mark: u64,
    /// A bit for each two words that follow each other; several share one.
    pub pairs: u128,
    last: Option<u64>,
}

impl Shape {
    /// Returns the pairs among words without digits that follow each other, each with its place.
    pub fn pairs_of<'w>(words: impl Iterator<Item = (usize, &'w str)>) -> u128 {
        let mut shape = Shape::default();
        let mut next = None;
        for (place, word) in words {
            if next != Some(place) {
                shape.last = None;
            }
            shape.add(Some(mark(word)));
            next = Some(place + 1);
        }
        shape.pairs
    }

    /// Goes on with one more word, by its mark; none where it has a digit.
    fn add(&mut self, word: Option<u64>) {
        self.mark = mixed(self.mark, word.unwrap_or(VALUE));
        if let (Some(last), Some(word)) = (self.last, word) {
            self.pairs |= 1 << ((last.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57);
        }
        self.last = word;
    }
}

/// Mixes the mark of what came before with that of the next word.
fn mixed(before: u64, word: u64) -> u64 {
    let product =
        u128::from(before ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word.rotate_left(32) ^ 0xbf58_476d_1ce4_e5b9);
    (product as u64 ^ (product >> 64) as u64).wrapping_add(word)
}

/// What is kept beside the words of a document that is being indexed.
#[derive(Clone, Debug, Default)]
pub struct Aside(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// The marks of identifiers.
    marks: Vec<u64>,
    shape: Option<Shape>,
}

impl Aside {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out the marks of identifiers that were put aside.
    pub fn take(&self, each: impl FnMut(u64)) {
        self.kept().marks.drain(..).for_each(each);
    }

    /// Hands out the shape of the document; none where it has no text.
    pub fn take_shape(&self) -> Option<Shape> {
        self.kept().shape.take()
    }
}

/// The tokenizer of the text of records: plain words become tokens, identifiers are put aside.
#[derive(Clone, Debug, Default)]
pub struct Words {
    token: Token,
    aside: Aside,
}

impl Words {
    pub fn new(aside: Aside) -> Words {
        Words { token: Token::default(), aside }
    }
}

pub struct WordStream<'a> {
    text: &'a str,
    at: usize,
    token: &'a mut Token,
    aside: &'a Aside,
    /// What is known of the shape up to here.
    shape: Shape,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.token.reset();
        WordStream { text, at: 0, token: &mut self.token, aside: &self.aside, shape: Shape::default() }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        while let Some(found) = next(self.text, self.at, &mut self.token.text) {
            self.at = found.to;
            self.token.position = self.token.position.wrapping_add(1);
            self.shape.add((found.digits == 0).then(|| mark(&self.token.text)));
            if found.is_id {
                self.aside.kept().marks.push(mark(&self.token.text));
                continue;
            }
            self.token.offset_from = found.from;
            self.token.offset_to = found.to;
            return true;
        }
        self.aside.kept().shape = Some(self.shape);
        false
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

struct Found {
    from: usize,
    to: usize,
    digits: usize,
    is_id: bool,
}

/// Finds the next word and writes it in lower case.
fn next(text: &str, at: usize, lower: &mut String) -> Option<Found> {
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
    lower.clear();
    if is_ascii {
        lower.push_str(&text[from..to.min(from + LONGEST)]);
        lower.make_ascii_lowercase();
    } else {
        lower.extend(text[from..to].chars().take(LONGEST).flat_map(char::to_lowercase));
    }
    Some(Found { from, to, digits, is_id: is_ascii && is_id(to - from, digits) })
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

/// What a sign that is not ASCII is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A part of a word.
    Letter,
    /// A word of its own.
    Word,
    /// What stands between words.
    Between,
}

fn kind(sign: char) -> Kind {
    match sign {
        // Ideographs, kana, bopomofo, hangul and yi, also in half width.
        '\u{1100}'..='\u{11ff}'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3031}'..='\u{3035}'
        | '\u{3040}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ffdc}'
        | '\u{1b000}'..='\u{1b16f}'
        | '\u{20000}'..='\u{3ffff}' => Kind::Word,
        // Thai, Lao, Tibetan, Myanmar and Khmer.
        '\u{0e01}'..='\u{0fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Kind::Word,
        // Quotes, dashes, dots and spaces; what joins the letters of a word is none of them.
        '\u{80}'..='\u{a9}'
        | '\u{ab}'..='\u{b4}'
        | '\u{b6}'..='\u{b9}'
        | '\u{bb}'..='\u{bf}'
        | '\u{d7}'
        | '\u{f7}'
        | '\u{2000}'..='\u{200b}'
        | '\u{200e}'..='\u{206f}'
        | '\u{2190}'..='\u{245f}'
        | '\u{2500}'..='\u{2bff}'
        | '\u{3000}'..='\u{303f}'
        | '\u{fe10}'..='\u{fe1f}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{feff}'
        | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}'
        | '\u{ff3b}'..='\u{ff40}'
        | '\u{ff5b}'..='\u{ff65}' => Kind::Between,
        _ => Kind::Letter,
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

    #[test]
    fn texts_that_differ_in_numbers_alone_have_one_shape() {
        let shape = |text: &str| {
            let aside = Aside::default();
            Words::new(aside.clone()).token_stream(text).process(&mut |_| ());
            aside.take_shape().map(|shape| shape.mark)
        };
        assert_eq!(shape("Request 1234567 done in 3ms"), shape("request 7: DONE in 20ms"));
        assert_ne!(shape("request 1234567 done"), shape("request done 1234567"));
        assert_ne!(shape("request 1234567 done"), shape("request done"));
        assert_ne!(shape("request"), shape("requests"));
        assert_eq!(shape(""), shape(" -- "));
    }

    #[test]
    fn positions_count_words_and_identifiers() {
        let mut positions = Vec::new();
        Words::default().token_stream("a, 1234567 b").process(&mut |token| positions.push(token.position));
        assert_eq!(positions, [0, 2]);
    }
}

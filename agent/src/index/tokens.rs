//! Splits text into the words that are searched for: runs of letters and digits, in lower case.
//!
//! Every record brings new numbers and ids. Each would be a word of its own in the dictionary, and half of what the index
//! costs. They are cut into pieces that come back: `4f9a2b7c` is `<4f9`, `=a2b`, `>7c`. A question is cut the same way and
//! becomes a phrase, so an id is found as exactly as a word is.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Longer words are cut: nobody types them, and a blob would fill the dictionary.
const LONGEST: usize = 96;
/// Words with a digit are cut into pieces from this length on.
const SHORTEST_ID: usize = 5;
/// The length of a piece: there are as many of them as a dictionary holds with ease.
const PIECE: usize = 3;
const PIECE_OF_DIGITS: usize = 4;

/// The tokenizer of the text of records.
#[derive(Clone, Debug, Default)]
pub struct Words {
    token: Token,
}

pub struct WordStream<'a> {
    text: &'a str,
    at: usize,
    /// What is left of an id, from where to where, and the length of its pieces.
    id: Option<(usize, usize, usize)>,
    token: &'a mut Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.token.reset();
        WordStream { text, at: 0, id: None, token: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        if let Some((from, to, piece)) = self.id {
            self.put_piece(b'=', from, to, piece);
            return true;
        }
        let bytes = self.text.as_bytes();
        let mut from = self.at;
        while from < bytes.len() && !is_word(bytes[from]) {
            from += 1;
        }
        if from == bytes.len() {
            self.at = from;
            return false;
        }
        let (mut is_ascii, mut digits) = (true, 0);
        let mut to = from;
        while to < bytes.len() && is_word(bytes[to]) {
            is_ascii &= bytes[to].is_ascii();
            digits += usize::from(bytes[to].is_ascii_digit());
            to += 1;
        }
        self.at = to;
        if is_ascii && digits > 0 && to - from >= SHORTEST_ID {
            let piece = if digits == to - from { PIECE_OF_DIGITS } else { PIECE };
            self.put_piece(b'<', from, to.min(from + LONGEST), piece);
            return true;
        }
        self.token.text.clear();
        if is_ascii {
            self.token.text.push_str(&self.text[from..to.min(from + LONGEST)]);
            self.token.text.make_ascii_lowercase();
        } else {
            let letters = self.text[from..to].chars().take(LONGEST).flat_map(char::to_lowercase);
            self.token.text.extend(letters);
        }
        self.place(from, to);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

impl WordStream<'_> {
    /// Puts the next piece of an id: a sign for its first, middle and last pieces, so that none is taken for a word.
    fn put_piece(&mut self, sign: u8, from: usize, to: usize, piece: usize) {
        let end = to.min(from + piece);
        let is_last = end == to;
        self.id = (!is_last).then_some((end, to, piece));
        self.token.text.clear();
        self.token.text.push(char::from(if is_last { b'>' } else { sign }));
        self.token.text.push_str(&self.text[from..end]);
        self.token.text.make_ascii_lowercase();
        self.place(from, end);
    }

    fn place(&mut self, from: usize, to: usize) {
        self.token.offset_from = from;
        self.token.offset_to = to;
        self.token.position = self.token.position.wrapping_add(1);
    }
}

/// Letters and digits, and all that is not ASCII: a word of another script is one word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, words: &[&str]) {
        let mut found = Vec::new();
        Words::default().token_stream(text).process(&mut |token| found.push(token.text.clone()));
        assert_eq!(found, words);
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        check("DATABASE_URL=postgres://db:5432", &["database", "url", "postgres", "db", "5432"]);
        check("größe ÜBER 3.5", &["größe", "über", "3", "5"]);
        check(" -- ", &[]);
    }

    #[test]
    fn ids_are_cut_into_pieces() {
        check("task 4F9a2b7c", &["task", "<4f9", "=a2b", ">7c"]);
        check("pid 12345, 1780272000000", &["pid", "<1234", ">5", "<1780", "=2720", "=0000", ">0"]);
        check("sha256 utf8 5432", &["<sha", ">256", "utf8", "5432"]);
    }

    #[test]
    fn positions_count_words() {
        let mut positions = Vec::new();
        Words::default().token_stream("a, b").process(&mut |token| positions.push(token.position));
        assert_eq!(positions, [0, 1]);
    }
}

//! Splits text into the words that are searched for: runs of letters and digits, in lower case.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Longer words are cut: nobody types them, and a blob would fill the dictionary.
const LONGEST: usize = 96;

/// The tokenizer of the text of records.
#[derive(Clone, Debug, Default)]
pub struct Words {
    token: Token,
}

pub struct WordStream<'a> {
    text: &'a str,
    at: usize,
    token: &'a mut Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.token.reset();
        WordStream { text, at: 0, token: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let mut from = self.at;
        while from < bytes.len() && !is_word(bytes[from]) {
            from += 1;
        }
        if from == bytes.len() {
            self.at = from;
            return false;
        }
        let mut to = from + 1;
        let mut is_ascii = bytes[from].is_ascii();
        while to < bytes.len() && is_word(bytes[to]) {
            is_ascii &= bytes[to].is_ascii();
            to += 1;
        }
        self.at = to;
        let token = &mut *self.token;
        token.text.clear();
        if is_ascii {
            token.text.push_str(&self.text[from..to.min(from + LONGEST)]);
            token.text.make_ascii_lowercase();
        } else {
            token.text.extend(self.text[from..to].chars().take(LONGEST).flat_map(char::to_lowercase));
        }
        token.offset_from = from;
        token.offset_to = to;
        token.position = token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
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
    fn positions_count_words() {
        let mut positions = Vec::new();
        Words::default().token_stream("a, b").process(&mut |token| positions.push(token.position));
        assert_eq!(positions, [0, 1]);
    }
}

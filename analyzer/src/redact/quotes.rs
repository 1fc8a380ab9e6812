//! Quotes as they stand in text that was quoted before: `"`, `\"`, `\\\"`, `\u0022`, `\x22`, `&quot;`.

use memchr::{memchr2, memmem};

/// A quote, with the backslashes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    sign: &'static str,
    slashes: usize,
}

/// Signs that a backslash makes a quote of.
const NUMBERED: [&str; 4] = ["u0022", "u0027", "x22", "x27"];
const PLAIN: [&str; 4] = ["\"", "'", "`", "&quot;"];
const DOUBLED: &str = "''";
const MOST_SLASHES: usize = 15;
/// What is quoted is not longer: a quote that nothing closes is no reason to read the rest of a long line.
const LONGEST: usize = 1 << 14;

impl Quote {
    pub fn len(self) -> usize {
        self.slashes + self.sign.len()
    }

    /// Whether it is a quote of JSON, of any depth.
    pub fn is_double(self) -> bool {
        matches!(self.sign, "\"" | "u0022" | "x22" | "&quot;")
    }

    pub fn write(self, text: &mut String) {
        (0..self.slashes).for_each(|_| text.push('\\'));
        text.push_str(self.sign);
    }
}

/// Returns the quote that begins at a place.
pub fn quote_at(text: &[u8], at: usize) -> Option<Quote> {
    let rest = text.get(at..)?;
    let slashes = rest.iter().take(MOST_SLASHES).take_while(|byte| **byte == b'\\').count();
    let rest = &rest[slashes..];
    let begins = |sign: &&&str| rest.starts_with(sign.as_bytes());
    // In SQL that is quoted itself, quotes are doubled.
    if slashes == 0 && rest.starts_with(DOUBLED.as_bytes()) && !may_follow(rest.get(2)) {
        return Some(Quote { sign: DOUBLED, slashes });
    }
    let numbered = NUMBERED.iter().filter(|_| slashes > 0).find(begins);
    let sign = numbered.or_else(|| PLAIN.iter().find(begins))?;
    Some(Quote { sign, slashes })
}

/// Returns the quote that ends before a place.
pub fn quote_before(text: &[u8], end: usize) -> Option<Quote> {
    let before = text.get(..end)?;
    let ends = |sign: &&&str| before.ends_with(sign.as_bytes());
    let sign = PLAIN.iter().find(ends).or_else(|| NUMBERED.iter().find(ends))?;
    let slashes = slashes_before(text, end - sign.len());
    let is_quote = slashes > 0 || !sign.starts_with(['u', 'x']);
    is_quote.then_some(Quote { sign, slashes })
}

/// Returns where what a quote opened ends, and where the text goes on behind the closing quote;
/// nothing where it is not closed on the same line.
pub fn closing(text: &[u8], from: usize, quote: Quote) -> Option<(usize, usize)> {
    let area = text.get(from..text.len().min(from + LONGEST))?;
    let sign = quote.sign.as_bytes();
    let Some((&first, &[])) = sign.split_first() else {
        let line = &area[..memchr::memchr(b'\n', area).unwrap_or(area.len())];
        let end = from + memmem::find(line, sign)?;
        return Some((end.saturating_sub(quote.slashes).max(from), end + sign.len()));
    };
    let mut at = 0;
    while let Some(found) = area.get(at..).and_then(|rest| memchr2(first, b'\n', rest)) {
        at += found;
        if area[at] == b'\n' {
            return None;
        }
        let slashes = slashes_before(area, at);
        let is_doubled = first == b'\'' && at > 0 && area.get(at + 1) == Some(&first);
        if is_doubled && !may_follow(area.get(at + 2)) {
            at += 2;
            continue;
        }
        // Escaping doubles backslashes and gives the quote one: a quote that was inside has more than the one that closes.
        if slashes % (2 * (quote.slashes + 1)) == quote.slashes {
            return Some((from + at - quote.slashes, from + at + 1));
        }
        at += 1;
    }
    None
}

/// Whether a byte may stand behind a closing quote.
pub fn may_follow(byte: Option<&u8>) -> bool {
    byte.is_none_or(|byte| byte.is_ascii_whitespace() || b",;:.)]}>\"'`/\\!?|".contains(byte))
}

/// Returns how many backslashes end before a place.
pub fn slashes_before(text: &[u8], end: usize) -> usize {
    let before = text.get(..end).unwrap_or_default();
    before.iter().rev().take(MOST_SLASHES).take_while(|byte| **byte == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, content: Option<&str>) {
        let quote = quote_at(text.as_bytes(), 0).expect("begins with a quote");
        let end = closing(text.as_bytes(), quote.len(), quote).map(|(end, _)| &text[quote.len()..end]);
        assert_eq!(end, content, "{text}");
    }

    #[test]
    fn what_is_quoted_ends_at_a_quote_of_its_depth() {
        check(r#""a b", "c""#, Some("a b"));
        check(r#""a \"b", "c""#, Some(r#"a \"b"#));
        check(r#""a\\", "c""#, Some(r"a\\"));
        check(r#"\"a b\", \"c\""#, Some("a b"));
        check(r#"\"a \\\"b\", \"c\""#, Some(r#"a \\\"b"#));
        check(r#"\\\"a\\\", x"#, Some("a"));
        check(r"'it\'s' x", Some(r"it\'s"));
        check("'it''s' x", Some("it''s"));
        check("'' x", Some(""));
        check("''a'''", Some("a"));
        check(r"\u0022a\u0022,", Some("a"));
        check("&quot;a&quot;,", Some("a"));
        check("\"a\nb\"", None);
        check("'a b", None);
    }
}

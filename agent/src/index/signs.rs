//! Reads the signs that people know from other searches: `!`, `&&` and `||`, and tells those that would find nothing.

/// Returns a query with `NOT`, `AND` and `OR` in the place of these signs; quoted text and expressions stay as they are.
pub fn spelt_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let (mut begins, mut before) = (true, ' ');
    while let Some(sign) = rest.chars().next() {
        let is_value = begins || before == ':';
        let (length, written) = match sign {
            '"' | '\'' | '[' | '{' | '\\' => (whole(rest), None),
            '/' if is_value => (expression(rest).unwrap_or(1), None),
            '&' if rest.starts_with("&&") => (2, Some(" AND ")),
            '|' if rest.starts_with("||") => (2, Some(" OR ")),
            '!' if begins && !rest.starts_with("!=") => (1, Some("NOT ")),
            space if space.is_whitespace() => (space.len_utf8(), Some(" ")),
            other => (other.len_utf8(), None),
        };
        let (piece, left) = rest.split_at(length);
        out.push_str(written.unwrap_or(piece));
        begins = written.is_some() || piece == "(";
        before = sign;
        rest = left;
    }
    out
}

/// Returns the length of what stands in quotes or brackets, or of a sign that is meant as it is.
fn whole(text: &str) -> usize {
    let mut signs = text.char_indices();
    let Some((_, first)) = signs.next() else { return 0 };
    let last = match first {
        '[' | '{' => None,
        quote => Some(quote),
    };
    while let Some((at, sign)) = signs.next() {
        let is_end = last.map_or(matches!(sign, ']' | '}'), |quote| sign == quote);
        if first == '\\' || is_end {
            return at + sign.len_utf8();
        }
        if sign == '\\' {
            signs.next();
        }
    }
    text.len()
}

/// Returns the length of a regular expression: `/…/`, with nothing behind it.
fn expression(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    let (end, _) = text.char_indices().skip(1).find(|(_, sign)| {
        let ends = *sign == '/' && !is_escaped;
        is_escaped = *sign == '\\' && !is_escaped;
        ends
    })?;
    let behind = text[end + 1..].chars().next();
    behind.is_none_or(|sign| sign.is_whitespace() || matches!(sign, ')' | '^')).then_some(end + 1)
}

/// Says why a word that is not quoted would not be found as it is meant.
pub fn refused(word: &str) -> Option<String> {
    const WHOLE: &str = "words are found whole, and";
    let open = word.trim_matches('*');
    if open.len() < word.len() && !open.contains('*') && !open.is_empty() {
        let part = match (word.starts_with('*'), word.ends_with('*')) {
            (true, true) => "a part",
            (true, false) => "the end",
            _ => "the beginning",
        };
        return Some(format!("{WHOLE} `{open}` is only {part} of some"));
    }
    if word.contains('*') || is_one_left_open(word) {
        return Some(format!("{WHOLE} `{word}` leaves a part of one open"));
    }
    asks_for_similar(word)
        .then(|| format!("words are found as they are written, and `{word}` asks for similar ones"))
}

/// Whether a word ends like those that ask for similar ones: `refused~1`.
pub fn asks_for_similar(word: &str) -> bool {
    let similar = word.trim_end_matches(|sign: char| sign.is_ascii_digit() || sign == '.').strip_suffix('~');
    similar.is_some_and(|word| word.ends_with(char::is_alphanumeric))
}

/// Whether a `?` stands for one letter, and not before the parameters of an address: `refus?d`.
fn is_one_left_open(word: &str) -> bool {
    let letters: Vec<char> = word.chars().collect();
    let stands_within = letters.windows(3).any(|three| match three {
        [before, '?', after] => before.is_alphanumeric() && after.is_alphanumeric(),
        _ => false,
    });
    stands_within && letters.iter().all(|sign| sign.is_alphanumeric() || matches!(sign, '?' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let words =
            |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        assert_eq!(words(&spelt_out(text)), expected);
    }

    #[test]
    fn signs_are_spelt_out() {
        check("!error", "NOT error");
        check("error && refused||warn", "error AND refused OR warn");
        check("a && !(b || !c)", "a AND NOT (b OR NOT c)");
        check("!severity:error", "NOT severity:error");
        check("a\u{3000}b", "a b");
    }

    #[test]
    fn what_is_quoted_or_no_such_sign_stays() {
        for text in [
            r#""a && !b""#,
            r#"'a || b'"#,
            r"a \&& b",
            "done! a!=b a != b a&b a|b",
            "stream:/a||b/",
            "/a||b/",
            "entity: IN [a||b c]",
            r#""a \" && b" c"#,
            "\"a && b",
            "größe",
            "\\",
        ] {
            check(text, text);
        }
        check("/api/v1&&b", "/api/v1 AND b");
    }

    #[test]
    fn words_that_would_find_nothing_are_refused() {
        for word in
            ["ref*", "*fused", "*fus*", "re*ed", "re*ed*", "refused~", "refused~1", "refused~0.8", "refus?d"]
        {
            assert!(refused(word).is_some(), "{word}");
        }
        for word in ["refused", "why?", "/health?probe=1", "~/file", "a~b", "~1", "größe"] {
            assert_eq!(refused(word), None, "{word}");
        }
    }
}

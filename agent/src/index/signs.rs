//! Reads the signs that people know from other searches: `!`, `&&` and `||`, and tells those that would find nothing.

/// Brackets and `NOT` stand within each other so often at most: what reads a query takes some of the stack for each.
const DEEPEST: usize = 64;
/// So many brackets and `NOT` are read at most, quoted ones too: within other signs a quote may be a mere letter.
const MOST: usize = 500;

/// Returns a query with `NOT`, `AND` and `OR` in the place of these signs; quoted text and expressions stay as they are, but
/// the ends of a span of time need no quotes.
pub fn spelt_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let (mut begins, mut before) = (true, ' ');
    while let Some(sign) = rest.chars().next() {
        let is_value = begins || before == ':';
        let (length, written) = match sign {
            '&' if rest.starts_with("&&") => (2, Some(" AND ")),
            '|' if rest.starts_with("||") => (2, Some(" OR ")),
            '!' if begins && !rest.starts_with("!=") => (1, Some("NOT ")),
            space if space.is_whitespace() => (space.len_utf8(), Some(" ")),
            _ => (piece_length(rest, is_value), None),
        };
        let (piece, left) = rest.split_at(length);
        let range = without_quotes(piece);
        out.push_str(range.as_deref().or(written).unwrap_or(piece));
        begins = written.is_some() || piece == "(";
        before = sign;
        rest = left;
    }
    out
}

/// Says why a query that is spelt out is not read: its brackets and `NOT` stand within each other too often.
pub fn too_deep(text: &str) -> Option<String> {
    let all = text.matches('(').count() + text.matches("NOT").count();
    (depth(text) > DEEPEST || all > MOST).then(|| {
        format!(
            "its brackets and NOT are too many: use at most {MOST}, of which {DEEPEST} within each other, or ask in several queries"
        )
    })
}

/// Returns how often brackets and `NOT` stand within each other.
fn depth(text: &str) -> usize {
    let mut rest = text;
    let (mut begins, mut before) = (true, ' ');
    // How deep it is within the brackets that are open, and behind each `NOT` there.
    let (mut within, mut here, mut deepest) = (0usize, 0usize, 0usize);
    let mut outer: Vec<usize> = Vec::new();
    while let Some(sign) = rest.chars().next() {
        let is_not = begins && rest.starts_with("NOT ");
        let length = if is_not { "NOT".len() } else { piece_length(rest, begins || before == ':') };
        match sign {
            '(' => {
                outer.push(within);
                within = here + 1;
                here = within;
            }
            ')' => {
                within = outer.pop().unwrap_or(0);
                here = within;
            }
            _ if is_not => here += 1,
            _ if sign.is_whitespace() => {}
            _ => here = within,
        }
        deepest = deepest.max(here);
        begins = sign.is_whitespace() || sign == '(';
        before = sign;
        rest = &rest[length..];
    }
    deepest
}

/// Returns the length of a sign, or of what stands together from it on.
fn piece_length(text: &str, is_value: bool) -> usize {
    match text.chars().next() {
        Some('"' | '\'' | '[' | '{' | '\\') => whole(text),
        Some('/') if is_value => expression(text).unwrap_or(1),
        other => other.map_or(0, char::len_utf8),
    }
}

/// Returns a range whose ends stand in quotes without these, for ranges have none: `["A" TO "B"]`.
fn without_quotes(piece: &str) -> Option<String> {
    let open = piece.chars().next().filter(|sign| matches!(sign, '[' | '{'))?;
    let close = piece.chars().next_back().filter(|sign| matches!(sign, ']' | '}'))?;
    let (first, last) = piece.get(1..piece.len() - 1)?.split_once(" TO ")?;
    let (from, to) = (unquoted(first.trim()), unquoted(last.trim()));
    let is_quoted = from.is_some() || to.is_some();
    is_quoted.then(|| format!("{open}{} TO {}{close}", from.unwrap_or(first), to.unwrap_or(last)))
}

fn unquoted(text: &str) -> Option<&str> {
    let within = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\''))
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
    fn the_ends_of_a_range_need_no_quotes() {
        check(
            r#"time:["2026-05-01T10:00:00Z" TO '2026-05-02']"#,
            "time:[2026-05-01T10:00:00Z TO 2026-05-02]",
        );
        check(r#"time:{"a" TO *] b"#, "time:{a TO *] b");
        for text in [r#"entity: IN ["a TO b" c]"#, "[a TO", "[]", "[", "{é TO é}"] {
            check(text, text);
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        for (text, expected) in [
            ("", 0),
            ("a b", 0),
            ("NOT a NOT b", 1),
            ("NOT NOT a", 2),
            ("(a) (b)", 1),
            ("((a) b) (c)", 2),
            ("NOT (a NOT (b)) c", 4),
            (r#""((" '((' stream:/((/ \( NOTE"#, 0),
            (")))(a", 1),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
        assert_eq!(too_deep(&"(".repeat(64)), None);
        assert_eq!(too_deep(&"(a) ".repeat(500)), None);
        for text in
            ["(".repeat(65), "NOT ".repeat(65), "(a) ".repeat(501), format!(">a'b {}", "(".repeat(501))]
        {
            assert!(too_deep(&text).is_some_and(|because| because.contains("too many")), "{text}");
        }
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

//! Finds where a value without quotes ends.

use super::values::count;

/// What is longer is cut.
const LONGEST: usize = 1 << 14;
const LONGEST_NAME: usize = 48;

/// Returns where a value without quotes ends.
///
/// A comma, a bracket or a quote ends it where the text goes on as text does: generated passwords have them inside.
pub fn bare_end(text: &[u8], from: usize) -> usize {
    let mut limit = text.len().min(from + LONGEST);
    // Letters are not cut apart.
    limit += count(text, limit, |byte| byte & 0xC0 == 0x80);
    let text = &text[..limit];
    let mut depth = 0usize;
    let mut at = from;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at + 1..];
        let ends = match byte {
            0..=b' ' | 0x7f => true,
            b'\\' => match escaped(text, at) {
                Some(behind) => {
                    at = behind;
                    continue;
                }
                None => true,
            },
            b'(' | b'[' | b'{' => {
                depth += 1;
                false
            }
            b')' | b']' | b'}' if depth > 0 => {
                depth -= 1;
                false
            }
            b'&' => text_follows(byte, rest),
            b')' | b']' | b'}' | b',' | b';' | b'|' => {
                text_follows(byte, rest) && !goes_on(&text[from..at], rest)
            }
            b'"' | b'\'' | b'`' => {
                text_follows(byte, rest) && !goes_on(&text[from..at], rest) || is_item(byte, rest)
            }
            b'<' => is_tag(rest),
            b'>' => rest.first().is_none_or(|next| next.is_ascii_whitespace() || b")]},\"'`<".contains(next)),
            _ => false,
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// Whether a name begins here to which something is assigned.
pub fn is_assigned(text: &[u8]) -> bool {
    let name = count(text, 0, is_name);
    0 < name && name <= LONGEST_NAME && matches!(text.get(name), Some(b'=' | b':'))
}

/// Returns where a bare value goes on behind backslashes; nothing where they end it.
fn escaped(text: &[u8], at: usize) -> Option<usize> {
    let slashes = count(text, at, |byte| byte == b'\\');
    let behind = at + slashes;
    let next = *text.get(behind)?;
    let rest = &text[behind + 1..];
    let ends = match next {
        b'"' | b'\'' => text_follows(next, rest) || is_item(next, rest),
        // A line break that is escaped, and not a password with a backslash in it.
        b'n' | b'r' | b't' if slashes % 2 == 1 => text_follows(b' ', rest) || is_assigned(rest),
        b' ' => false,
        next => next.is_ascii_whitespace(),
    };
    // Only what is escaped by one of them is a part of the value whatever it is.
    (!ends).then_some(if matches!(next, b' ' | b'"' | b'\'') { behind + 1 } else { behind })
}

/// Whether behind a comma, a bracket or a quote a word ends, or the next setting begins.
fn text_follows(byte: u8, rest: &[u8]) -> bool {
    let is_sign = |byte: u8| b",;&|()[]{}\"'`<>.:!?/".contains(&byte);
    let signs = count(rest, 0, is_sign);
    if memchr::memchr(b'<', &rest[..signs]).is_some_and(|at| is_tag(&rest[at + 1..])) {
        return true;
    }
    let rest = &rest[signs..];
    match rest.first() {
        None => true,
        Some(b'\\') => true,
        Some(byte) if byte.is_ascii_whitespace() => true,
        Some(_) => {
            let name = count(rest, 0, is_name);
            // Behind a bracket alone no setting begins, and behind `&` none with a colon.
            let is_setting = match byte {
                b')' | b']' | b'}' if signs == 0 => false,
                b'&' => is_assigned(rest) && rest[name] == b'=' || rest.starts_with(b"amp;"),
                // `Password=x;Initial Catalog=db`
                b';' => {
                    let spaced = count(rest, 0, |byte| is_name(byte) || byte == b' ');
                    is_assigned(rest) || rest.get(spaced) == Some(&b'=')
                }
                _ => is_assigned(rest),
            };
            let is_quoted = signs > 0 && matches!(rest.get(name), Some(b'"' | b'\'' | b'\\'));
            is_setting || name > 0 && is_quoted
        }
    }
}

/// Whether a value that has signs inside goes on, because what follows is as random, and no name of a setting.
fn goes_on(value: &[u8], rest: &[u8]) -> bool {
    let is_signed = value.iter().any(|byte| b"!#$%^*~+?@<>{}[]()\\;|".contains(byte));
    if !is_signed {
        return false;
    }
    let signs = count(rest, 0, |byte| b",;&|()[]{}\"'`<>.:!?/".contains(&byte));
    let name = &rest[signs..signs + count(rest, signs, is_name)];
    // `Initial`, `PORT`, `db-port`, `dbPort`.
    let is_word = |part: &[u8]| {
        let is_all = |is: fn(&u8) -> bool| part.iter().all(is);
        let is_camel = part.len() > 4 && is_all(u8::is_ascii_alphabetic);
        is_all(u8::is_ascii_lowercase)
            || is_all(u8::is_ascii_uppercase)
            || part[0].is_ascii_alphabetic() && part[1..].iter().all(u8::is_ascii_lowercase)
            || is_camel
    };
    let mut parts = name.split(|byte| b"-_.".contains(byte)).filter(|part| !part.is_empty());
    let is_setting = name.len() > 2 && parts.all(is_word);
    let is_linked = matches!(rest.get(signs + name.len()), Some(b'=' | b':'));
    !name.is_empty() && is_linked && !is_setting
}

/// Whether a quote closes an item of a list or the last member of a document: `","`, `"},`, `"]`.
fn is_item(quote: u8, rest: &[u8]) -> bool {
    match rest {
        [b',', next, ..] => *next == quote || matches!(next, b'{' | b'['),
        [b'}' | b']', next, ..] => b",}]\"'\\".contains(next),
        _ => false,
    }
}

/// Whether `<` begins a tag: `</b>`, `<br>`, `<br/>`.
fn is_tag(rest: &[u8]) -> bool {
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    let name = count(rest, 0, |byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
    let begins = rest.first().is_some_and(u8::is_ascii_alphabetic);
    begins && rest.get(name).is_some_and(|byte| b">/".contains(byte))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(text: &str, value: Option<&str>) {
        let range = super::super::values::value_at(text.as_bytes(), 0).map(|value| value.range);
        assert_eq!(range.map(|range| &text[range]), value, "{text}");
    }

    #[test]
    fn bare_values_end_where_the_text_goes_on() {
        check("a b", Some("a"));
        check("a, b", Some("a"));
        check("a,b=c", Some("a"));
        check("a;Initial Catalog=c", Some("a"));
        check("a&b=c", Some("a"));
        check("a&amp;b=c", Some("a"));
        check("a)", Some("a"));
        check("a}, {b", Some("a"));
        check("a\"}", Some("a"));
        check("a</b>", Some("a"));
        check("a<br>b", Some("a"));
        check("a;</b>", Some("a"));
        check("a\"},{\"b\":1}", Some("a"));
        check("a\",\"b c\"]", Some("a"));
        check("a\",\"b\":1", Some("a"));
        check("a) b", Some("a"));
        check("a).", Some("a"));
        check("a&b=c&d", Some("a"));
        check(r"a\nb=c", Some("a"));
        check(r#"a\n","#, Some("a"));
        check(r#"a\", b"#, Some("a"));
    }

    #[test]
    fn bare_values_have_signs_inside() {
        check("a,b;c&d|e f", Some("a,b;c&d|e"));
        check("a(b)c) d", Some("a(b)c"));
        check("a\"b'c d", Some("a\"b'c"));
        check("a<2b>!c d", Some("a<2b>!c"));
        check("a<b)*c]#d}!e,f;g d", Some("a<b)*c]#d}!e,f;g"));
        check(r"a\nb c", Some(r"a\nb"));
        check(r"a\ b c", Some(r"a\ b"));
        check("(a1 b c", None);
        check("(a1)b c", Some("(a1)b"));
        check("{a: b}", None);
    }
}

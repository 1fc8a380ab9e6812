//! Reads what is encoded once more: `password%3Dx` of a URL in a URL, `user:password` in Base64.

use std::ops::Range;

use super::values::count;

/// Returns the value that a name is linked to where both are a part of a URL: `%3D`, `%22%3A%22`.
pub fn value(text: &[u8], end: usize) -> Option<Range<usize>> {
    let (at, is_quoted) = match skip(text, end, b"22") {
        Some(behind) => (behind, true),
        None => (end, false),
    };
    let equals = skip(text, at, b"3D").filter(|_| !is_quoted);
    let mut from = equals.or_else(|| skip(text, at, b"3A"))?;
    while let Some(behind) = skip(text, from, b"20").or_else(|| skip(text, from, b"22")) {
        from = behind;
    }
    let is_end = |at: usize| {
        const ENDS: [&[u8]; 7] = [b"26", b"22", b"2C", b"7D", b"0A", b"0D", b"20"];
        ENDS.iter().any(|code| skip(text, at, code).is_some())
    };
    let mut to = from;
    while let Some(byte) = text.get(to) {
        if byte.is_ascii_whitespace() || b"&\"'<>\\[".contains(byte) || is_end(to) {
            break;
        }
        to += 1;
    }
    (to > from).then_some(from..to)
}

/// Returns how many bytes of a sign that is encoded stand before a name: the `26` of `%26token`.
pub fn sign_before(text: &[u8], start: usize) -> usize {
    let is_sign = start > 0
        && text[start - 1] == b'%'
        && matches!(text.get(start..), Some([a, b, ..]) if a.is_ascii_digit() && b.is_ascii_hexdigit());
    if is_sign { 2 } else { 0 }
}

/// Whether a text is Base64 of a user and a password.
pub fn is_pair(text: &[u8]) -> bool {
    const LONGEST: usize = 4096;
    let bare = text.strip_suffix(b"=").unwrap_or(text);
    let bare = bare.strip_suffix(b"=").unwrap_or(bare);
    if bare.len() < 4 || bare.len() > LONGEST {
        return false;
    }
    let mut bits = 0u32;
    let mut held = 0;
    let mut has_colon = false;
    for byte in bare {
        let Some(six) = six(*byte) else { return false };
        bits = bits << 6 | six;
        held += 6;
        if held >= 8 {
            held -= 8;
            let byte = (bits >> held) as u8;
            has_colon |= byte == b':';
            if !(byte.is_ascii_graphic() || byte == b' ' || byte >= 0x80) {
                return false;
            }
        }
    }
    has_colon
}

fn six(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Returns where a text goes on behind `%CODE`, however often the `%` was encoded.
fn skip(text: &[u8], at: usize, code: &[u8]) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix(b"%")?;
    let mut again = 0;
    while rest.get(again..).is_some_and(|rest| rest.starts_with(b"25")) && again < 8 {
        again += 2;
    }
    let found = rest.get(again..again + 2)?;
    found.eq_ignore_ascii_case(code).then_some(at + 1 + again + 2)
}

/// Whether what follows a name links it to a value in a URL.
pub fn is_linked(text: &[u8], end: usize) -> bool {
    text.get(end) == Some(&b'%') && count(text, end + 1, |byte| byte.is_ascii_hexdigit()) >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_password_are_told_from_other_words() {
        assert!(is_pair(b"YXBwOlN1cGVyU2VjcmV0MTIzIQ=="));
        assert!(is_pair(b"YTpi"));
        for text in ["enabled", "required", "c2hvcA==", "db.internal", "AAAA", ""] {
            assert!(!is_pair(text.as_bytes()), "{text}");
        }
    }
}

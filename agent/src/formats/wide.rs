//! Lines of UTF-16 in what is followed line by line. A whole file is decoded before it is read.

use std::borrow::Cow;

/// Returns a line of UTF-16 as one of UTF-8, as far as its letters are those of ASCII; its secrets would not be known else.
pub fn without_zeros(raw: &str) -> Cow<'_, str> {
    if memchr::memchr(0, raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let zeros = memchr::memchr_iter(0, raw.as_bytes()).count();
    if zeros * 3 < raw.len() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.chars().filter(|letter| !matches!(*letter, '\0' | char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_utf_16_are_read() {
        let bytes: Vec<u8> = "password=hunter2".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let line = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(without_zeros(&line), "password=hunter2");
        assert_eq!(without_zeros(&format!("\u{fffd}\u{fffd}{line}")), "password=hunter2");
        assert_eq!(without_zeros("a\0b is not"), "a\0b is not");
    }
}

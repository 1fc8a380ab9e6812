//! Tells lines that say the same apart from lines that do not: numbers, ids and times aside.

use xxhash_rust::xxh3::xxh3_64;

/// Returns the text with runs that contain digits replaced by `#`.
pub fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            push_word(&mut shape, &mut word);
            if !(c.is_whitespace() && shape.ends_with(' ')) {
                shape.push(if c.is_whitespace() { ' ' } else { c });
            }
        }
    }
    push_word(&mut shape, &mut word);
    shape
}

/// Returns a stable hash of the shape.
pub fn shape_hash(text: &str) -> u64 {
    xxh3_64(shape(text).as_bytes())
}

fn push_word(shape: &mut String, word: &mut String) {
    if word.bytes().any(|byte| byte.is_ascii_digit()) {
        shape.push('#');
    } else {
        shape.push_str(word);
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_do_not_count() {
        let first = "2026-05-01T10:00:00Z task 0a1b2c3d failed with code 1";
        let second = "2026-05-01T10:07:31Z task ffee0011 failed with code 137";
        assert_eq!(shape_hash(first), shape_hash(second));
        assert_ne!(shape_hash(first), shape_hash("task stopped"));
    }
}

//! Lines that are as wide as a screen.

use unicode_width::UnicodeWidthChar;

/// Breaks a line where it is full, at a space where one is near; what does not fit so many lines is left out.
pub fn hard_wrapped(line: &str, width: usize, most: usize) -> Vec<String> {
    let width = width.max(20);
    let mut parts: Vec<String> = Vec::new();
    let mut rest = line;
    loop {
        let (end, is_full) = end_of(rest, width);
        if !is_full {
            parts.push(rest.to_owned());
            return parts;
        }
        if parts.len() + 1 >= most {
            let (end, _) = end_of(rest, width - 1);
            parts.push(format!("{}…", &rest[..end]));
            return parts;
        }
        let near = rest[..end].rfind(' ').filter(|space| width_of(&rest[..*space]) * 3 >= width * 2);
        let end = near.map_or(end, |space| space + 1);
        parts.push(rest[..end].trim_end().to_owned());
        rest = &rest[end..];
    }
}

/// Returns where the screen is full, and whether it is before the end of the text.
fn end_of(text: &str, width: usize) -> (usize, bool) {
    let mut column = 0;
    for (at, c) in text.char_indices() {
        column += c.width().unwrap_or(0);
        if column > width {
            return (at, true);
        }
    }
    (text.len(), false)
}

pub fn width_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The width of a text that holds colour codes.
pub fn visible_width(text: &str) -> usize {
    let mut width = 0;
    let mut in_code = false;
    for c in text.chars() {
        match (in_code, c) {
            (false, '\u{1b}') => in_code = true,
            (true, 'm') => in_code = false,
            (true, _) => {}
            (false, c) => width += c.width().unwrap_or(0),
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, most: usize, expected: &[&str]) {
        assert_eq!(hard_wrapped(line, 20, most), expected);
    }

    #[test]
    fn lines_break_at_a_space_that_is_near() {
        check("short", 3, &["short"]);
        check("exactly twenty chars", 3, &["exactly twenty chars"]);
        check("one two three four five six", 3, &["one two three four", "five six"]);
        check("ab cdefghijklmnopqrstuvwxyz", 3, &["ab cdefghijklmnopqrs", "tuvwxyz"]);
        check(
            "one two three four five six seven eight nine",
            2,
            &["one two three four", "five six seven eigh…"],
        );
        check("日本語日本語日本語日本語", 1, &["日本語日本語日本語…"]);
    }
}

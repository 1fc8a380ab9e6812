//! Pieces of a line that was too long for the log driver, which marks them as such.
//!
//! Docker and the drivers of ECS cut lines at 16 KiB. The pieces share a `partial_id`; older ones have none,
//! and the piece that ends the line is then the first without a mark.

use rmpv::Value;

use super::wire::{member, text};

/// A line that becomes longer is taken in parts.
const LONGEST: usize = 1 << 20;
/// More unfinished lines of one stream are not kept.
const MOST: usize = 64;

/// What a sender says of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    id: String,
    is_last: bool,
}

/// The unfinished lines of a stream, in the order in which they began; each with what belongs to its first piece.
#[derive(Debug)]
pub struct Pieces<T> {
    open: Vec<(String, Line<T>)>,
}

#[derive(Debug)]
pub struct Line<T> {
    pub text: String,
    pub first: T,
}

impl<T> Default for Pieces<T> {
    fn default() -> Pieces<T> {
        Pieces { open: Vec::new() }
    }
}

impl<T> Pieces<T> {
    /// Takes what a record says; returns the line that is whole with it.
    pub fn take(&mut self, record: &Value, text: String, first: T) -> Option<Line<T>> {
        let Some(mark) = mark(record) else {
            // Without an id only this tells that the line has ended.
            return Some(match self.remove("") {
                Some(line) => Line { text: line.text + &text, first: line.first },
                None => Line { text, first },
            });
        };
        match self.open.iter_mut().find(|(id, _)| *id == mark.id) {
            Some((_, line)) => line.text.push_str(&text),
            None => self.open.push((mark.id.clone(), Line { text, first })),
        }
        let is_long = self.open.iter().any(|(id, line)| *id == mark.id && line.text.len() >= LONGEST);
        if mark.is_last || is_long {
            return self.remove(&mark.id);
        }
        (self.open.len() > MOST).then(|| self.open.remove(0).1)
    }

    /// Returns what is unfinished: nothing more of it is expected.
    pub fn finish(&mut self) -> Vec<Line<T>> {
        self.open.drain(..).map(|(_, line)| line).collect()
    }

    fn remove(&mut self, id: &str) -> Option<Line<T>> {
        let at = self.open.iter().position(|(known, _)| known == id)?;
        Some(self.open.remove(at).1)
    }
}

fn mark(record: &Value) -> Option<Mark> {
    if !says(record, "partial_message") {
        return None;
    }
    let id = member(record, "partial_id").and_then(text).unwrap_or_default();
    Some(Mark { id, is_last: says(record, "partial_last") })
}

/// Drivers write the truth as text.
fn says(record: &Value, name: &str) -> bool {
    match member(record, name) {
        Some(Value::Boolean(truth)) => *truth,
        Some(other) => text(other).is_some_and(|said| said.eq_ignore_ascii_case("true")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes pieces `(text, id, is last)`; an empty id is none, and a text without a mark has `!` before it.
    fn join(pieces: &[(&str, &str, bool)]) -> Vec<String> {
        let mut kept = Pieces::default();
        let mut whole: Vec<String> = Vec::new();
        for (number, (said, id, is_last)) in pieces.iter().enumerate() {
            let mut members: Vec<(Value, Value)> = Vec::new();
            if !said.starts_with('!') {
                members.push(("partial_message".into(), "true".into()));
                members.push(("partial_last".into(), if *is_last { "true" } else { "false" }.into()));
            }
            if !id.is_empty() {
                members.push(("partial_id".into(), (*id).into()));
            }
            let line = kept.take(&Value::Map(members), said.trim_start_matches('!').to_owned(), number);
            whole.extend(line.map(|line| format!("{}:{}", line.first, line.text)));
        }
        whole.extend(kept.finish().into_iter().map(|line| format!("{}:{} …", line.first, line.text)));
        whole
    }

    #[test]
    fn pieces_become_one_line() {
        assert_eq!(
            join(&[("a", "x", false), ("b", "x", false), ("c", "x", true), ("!d", "", false)]),
            ["0:abc", "3:d"]
        );
    }

    #[test]
    fn pieces_of_two_lines_may_alternate() {
        assert_eq!(
            join(&[("a", "x", false), ("1", "y", false), ("b", "x", true), ("2", "y", true)]),
            ["0:ab", "1:12"]
        );
    }

    #[test]
    fn without_an_id_the_first_piece_without_a_mark_ends_the_line() {
        assert_eq!(join(&[("a", "", false), ("b", "", false), ("!c", "", false)]), ["0:abc"]);
    }

    #[test]
    fn what_never_ends_is_given_out() {
        assert_eq!(join(&[("a", "x", false)]), ["0:a …"]);
        let long = "a".repeat(LONGEST);
        assert_eq!(join(&[(&long, "x", false), ("b", "x", true)]), [format!("0:{long}"), "1:b".to_owned()]);
        let many: Vec<String> = (0..=MOST).map(|number| number.to_string()).collect();
        let many: Vec<(&str, &str, bool)> = many.iter().map(|id| ("a", id.as_str(), false)).collect();
        assert_eq!(join(&many)[0], "0:a");
    }
}

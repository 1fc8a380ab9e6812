//! Joins what a tool broke at the edge of its box.

use analyzer::record::{Record, without_transport};
use analyzer::redact::{Redactions, redact};
use std::borrow::Cow;

/// Joins the lines of a record that were broken, also in the middle of words.
pub fn unwrapped(mut record: Record) -> Record {
    if record.body.is_some() || !record.source.is_pipeline() || !record.text.contains('\n') {
        return record;
    }
    let lines: Vec<&str> = record.text.lines().map(str::trim_end).collect();
    let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
    let (Some(&widest), Some((_, full))) = (widths.iter().max(), widths.split_last()) else { return record };
    // A line with a time of its own begins something.
    let goes_on = lines[1..].iter().all(|line| {
        line.trim_start().starts_with(|c: char| c.is_alphanumeric())
            && without_transport(line).len() == line.len()
    });
    let breaks_at_edge =
        goes_on && (60..=140).contains(&widest) && full.iter().all(|width| widest - width <= 8);
    if breaks_at_edge && lines.len() <= 40 {
        let mut body = String::with_capacity(record.text.len());
        for line in lines {
            // A secret at the edge would no longer be seen once another word is joined to it.
            body.push_str(&redact(line.trim_start(), &mut Redactions::new()));
        }
        // One that was broken is whole only here.
        match redact(&body, &mut Redactions::new()) {
            Cow::Owned(_) => record.text = body,
            Cow::Borrowed(_) => record.body = Some(body),
        }
    }
    record
}

//! Records as a reader is shown them: decoded, and with the command that shows each where it stands.

use analyzer::diagnosis::Evidence;
use analyzer::record::{Level, Source, without_transport};
use jiff::Timestamp;
use serde::Serialize;
use std::ops::Range;

use crate::escape::{around, cut};
use crate::shell::quoted;

/// A record, quoted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quote {
    pub text: String,
    /// What the record says once it is decoded, where that differs.
    pub said: Option<String>,
    pub line: String,
    /// Where in the line the cause was recognised, in bytes.
    pub told: Option<Range<usize>>,
    pub source: Source,
    pub stream: String,
    pub line_number: u64,
    pub time: Option<Timestamp>,
    pub level: Level,
    pub entity: Option<String>,
    pub count: u64,
    /// The command that shows the record.
    pub show: String,
}

impl Quote {
    /// Returns what a reader is shown.
    pub fn readable(&self) -> &str {
        self.said.as_deref().unwrap_or_else(|| readable(&self.text))
    }

    /// Whether a line of it is the one that tells.
    pub fn is_telling(&self, line: &str) -> bool {
        line.trim_end() == self.line.trim_end()
    }

    /// Returns the line that tells, around what tells in it, where it has more characters than that.
    pub fn telling(&self, most: usize) -> String {
        self.shortened(&self.line, most)
    }

    /// Returns a line of it without what transports put in front, shortened where it has more characters than that.
    pub fn shortened(&self, line: &str, most: usize) -> String {
        let line = line.trim_end();
        let said = without_transport(line);
        let left_out = line.len() - said.len();
        let told = self.told.as_ref().filter(|_| self.is_telling(line));
        let told = told.map(|told| told.start.saturating_sub(left_out)..told.end.saturating_sub(left_out));
        match self.is_telling(line) {
            true => around(said, told, most),
            false => cut(said, most),
        }
    }

    /// Whether it stands in a line of a file, rather than in a stream of an account.
    pub fn is_in_a_file(&self) -> bool {
        self.line_number > 0 && self.show.contains("sed -n ")
    }
}

/// Quotes a piece of evidence; `told` is where its line tells.
pub fn quote(evidence: &Evidence, told: Option<Range<usize>>) -> Quote {
    Quote {
        told,
        text: evidence.text.clone(),
        said: evidence.said.clone(),
        line: evidence.line.clone(),
        source: evidence.source,
        stream: evidence.stream.clone(),
        line_number: evidence.line_number,
        time: evidence.time,
        level: evidence.level,
        entity: evidence.entity.clone(),
        count: evidence.count,
        show: show(evidence),
    }
}

/// Leaves out the line of printed JSON that stands below what a record of it says.
fn readable(text: &str) -> &str {
    let is_field = |line: &str| line.starts_with('"') && line.contains("\": \"");
    let is_object = |line: &str| line.starts_with("{\"") && line.trim_end_matches(',').ends_with('}');
    match text.rsplit_once('\n') {
        Some((said, line)) if !said.contains('{') && (is_field(line) || is_object(line)) => said,
        _ => text,
    }
}

/// Returns the command that shows a record where it stands; names are quoted for the shell.
fn show(evidence: &Evidence) -> String {
    if let Some((group, stream)) = evidence.stream.split_once('#') {
        // A log stream of an account; or of an answer in a file, where no line number leads to it.
        let is_file = group.rsplit('/').next().is_some_and(|name| name.contains('.'));
        return match is_file {
            true => String::new(),
            false => format!(
                "aws logs get-log-events --log-group-name {} --log-stream-name {}",
                quoted(group),
                quoted(stream)
            ),
        };
    }
    let kind = evidence.stream.split_once(':').map_or("", |(kind, _)| kind);
    let is_of_account =
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    if evidence.line_number == 0 || evidence.stream == "-" || is_of_account {
        return String::new();
    }
    let first = evidence.line_number.saturating_sub(3).max(1);
    let last = evidence.line_number + readable(&evidence.text).lines().count().min(12) as u64 + 2;
    let reader = if evidence.stream.ends_with(".gz") {
        format!("zcat {} | sed -n", quoted(&evidence.stream))
    } else if evidence.stream.ends_with(".zst") {
        format!("zstdcat {} | sed -n", quoted(&evidence.stream))
    } else {
        return format!("sed -n {first},{last}p {}", quoted(&evidence.stream));
    };
    format!("{reader} {first},{last}p")
}

//! Reads the events of a log out of an answer that is too large to be held: what the CLI prints of a whole log group.

use analyzer::record::{Record, Stream};
use analyzer::snapshot::Snapshot;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use super::{Reader, log_event};

/// So many events are read before their records are handed on.
const EVENTS: usize = 2048;
/// The list begins within so many bytes.
const BEGINNING: usize = 4096;

/// Whether a text begins as an answer of FilterLogEvents or GetLogEvents does.
pub fn begins_so(head: &[u8]) -> bool {
    let beginning = &head[..head.len().min(BEGINNING)];
    let Some(key) = memchr::memmem::find(beginning, b"\"events\"") else { return false };
    let rest = &head[key + b"\"events\"".len()..];
    let skipped =
        rest.iter().take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b':' | b'[')).count();
    let first = serde_json::Deserializer::from_slice(&rest[skipped..]).into_iter::<Value>().next();
    let is_first_key = beginning[..key].iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'{');
    is_first_key && matches!(first, Some(Ok(event)) if log_event(&event).is_some())
}

/// Reads such an answer; hands its records on while it goes, and returns what else it tells.
pub fn read(
    input: impl Read,
    stream: &Arc<Stream>,
    hand_on: &mut dyn FnMut(Vec<Record>),
) -> io::Result<Snapshot> {
    let mut reader = Reader::new(stream);
    let mut document = serde_json::Deserializer::from_reader(io::BufReader::with_capacity(1 << 16, input));
    let outcome = document.deserialize_map(Answer { reader: &mut reader, hand_on });
    // What was read before a cut counts.
    let found = reader.finish();
    hand_on(found.records);
    outcome.map_err(io::Error::from)?;
    Ok(found.snapshot)
}

struct Answer<'r, 'a> {
    reader: &'r mut Reader<'a>,
    hand_on: &'r mut dyn FnMut(Vec<Record>),
}

impl<'de> Visitor<'de> for Answer<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an answer with events")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "events" => {
                    members.next_value_seed(Events { reader: self.reader, hand_on: self.hand_on })?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Events<'r, 'a> {
    reader: &'r mut Reader<'a>,
    hand_on: &'r mut dyn FnMut(Vec<Record>),
}

impl<'de> DeserializeSeed<'de> for Events<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Events<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("events of a log")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        let mut count = 0;
        while let Some(event) = list.next_element::<Value>()? {
            if let Some(event) = log_event(&event) {
                self.reader.log_events(vec![event]);
            }
            count += 1;
            if count % EVENTS == 0 {
                (self.hand_on)(std::mem::take(&mut self.reader.records));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::Source;

    fn event(second: usize, message: &str) -> String {
        format!(
            "{{\"logStreamName\": \"web/web/0123456789abcdef0123456789abcdef\", \"timestamp\": {}, \"message\": {}, \"ingestionTime\": 1}}",
            1_790_000_000_000 + second * 1000,
            Value::from(message),
        )
    }

    fn texts(answer: &str) -> (Vec<String>, bool) {
        let stream = Arc::new(Stream { name: "logs.json".to_owned(), source: Source::Other });
        let mut found: Vec<Record> = Vec::new();
        let outcome = read(answer.as_bytes(), &stream, &mut |records| found.extend(records));
        (found.into_iter().map(|record| record.text).collect(), outcome.is_ok())
    }

    #[test]
    fn a_large_answer_is_read_like_a_small_one() {
        let events: Vec<String> =
            (0..EVENTS + 3).map(|second| event(second, &format!("line {second}"))).collect();
        let trace = [event(9000, "x.Y: no"), event(9001, "\tat a.B.c(B.java:3)")];
        let answer = format!(
            "{{\n \"events\": [{},{}], \"searchedLogStreams\": []}}",
            events.join(","),
            trace.join(",")
        );
        assert!(begins_so(answer.as_bytes()));
        let (found, is_whole) = texts(&answer);
        assert_eq!((found.len(), is_whole), (EVENTS + 4, true));
        assert_eq!(found.last().map(String::as_str), Some("x.Y: no\n\tat a.B.c(B.java:3)"));
        let stream = Arc::new(Stream { name: "logs.json".to_owned(), source: Source::Other });
        let value = serde_json::from_str(&answer).expect("JSON");
        let small = super::super::read(&value, &stream).expect("known");
        assert_eq!(found, small.records.into_iter().map(|record| record.text).collect::<Vec<_>>());
        // What stands before a cut is read, and the cut is told.
        let (found, is_whole) = texts(&answer[..answer.len() - 200]);
        assert!(found.len() > EVENTS && !is_whole);
    }

    #[test]
    fn other_answers_begin_otherwise() {
        assert!(!begins_so(b"{\"services\": [{\"events\": [{\"id\": \"1\"}]}]}"));
        assert!(!begins_so(b"{\"events\": [{\"id\": \"1\", \"message\": \"a\"}]}"));
        assert!(!begins_so(b"{\"level\": \"info\"}"));
    }
}

//! The wire format of the forward protocol: MessagePack values one after the other, without lengths in front.

use jiff::Timestamp;
use rmpv::Value;
use std::io::{Cursor, Read};
use thiserror::Error;

/// Larger messages are refused.
pub const LARGEST_MESSAGE: usize = 32 << 20;
/// Compressed entries that become larger than this are refused.
const LARGEST_UNPACKED: u64 = 128 << 20;
/// A message holds no more values than this; entries that are packed count as one.
const MOST_VALUES: u64 = 1 << 20;
/// Entries that are packed hold no more values than this in all.
const MOST_PACKED: u64 = 4 << 20;
const DEEPEST: usize = 64;
/// What Fluent Bit calls logs among the signals that it sends.
const LOGS: u64 = 0;

/// What a sender sent at a time.
#[derive(Debug, Default, PartialEq)]
pub struct Message {
    pub tag: String,
    pub entries: Vec<Entry>,
    /// The sender wants to hear this back once the entries are stored.
    pub chunk: Option<String>,
}

#[derive(Debug, PartialEq)]
pub struct Entry {
    pub time: Option<Timestamp>,
    pub record: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error(
        "a message is larger than {} bytes, unpacks to more than {}, or holds too many values",
        LARGEST_MESSAGE,
        LARGEST_UNPACKED
    )]
    TooLarge,
    #[error("what was sent is not MessagePack")]
    Malformed,
    #[error("what was sent is no message of the forward protocol")]
    Unknown,
    #[error("the sender did not prove that it knows the shared key")]
    Stranger,
    #[error("other senders use up all room for large messages: send smaller chunks, or fewer at once")]
    NoRoom,
    #[error("the sender stopped in the middle of a large message")]
    Stalled,
}

/// Finds where a value ends, looking at each byte once, however the bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    at: usize,
    /// Values that are still to come.
    missing: u64,
    values: u64,
}

impl Default for Scan {
    fn default() -> Scan {
        Scan { at: 0, missing: 1, values: 0 }
    }
}

impl Scan {
    /// Goes on with all bytes that have come so far; tells how long the value is, once it is whole.
    pub fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refused> {
        while self.missing > 0 {
            let Some((length, inside)) = head(bytes.get(self.at..).unwrap_or_default())? else {
                return Ok(None);
            };
            self.at = self.at.saturating_add(length);
            self.missing = (self.missing - 1).saturating_add(inside);
            self.values = self.values.saturating_add(1);
            if self.at > LARGEST_MESSAGE || self.values.saturating_add(self.missing) > MOST_VALUES {
                return Err(Refused::TooLarge);
            }
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }
}

/// Returns the length of the value at the start, less the values inside it, and how many those are;
/// `None` where its head is not whole.
fn head(bytes: &[u8]) -> Result<Option<(usize, u64)>, Refused> {
    let Some(&marker) = bytes.first() else { return Ok(None) };
    let number = |width: usize| {
        let digits = bytes.get(1..=width)?;
        Some(digits.iter().fold(0usize, |value, byte| value << 8 | usize::from(*byte)))
    };
    let plain = |length: usize| Ok(Some((length, 0)));
    let data = |width: usize, more: usize| Ok(number(width).map(|length| (1 + width + more + length, 0)));
    match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => plain(1),
        0x80..=0x8f => Ok(Some((1, 2 * u64::from(marker & 0x0f)))),
        0x90..=0x9f => Ok(Some((1, u64::from(marker & 0x0f)))),
        0xa0..=0xbf => plain(1 + usize::from(marker & 0x1f)),
        0xc1 => Err(Refused::Malformed),
        0xc4 | 0xd9 => data(1, 0),
        0xc5 | 0xda => data(2, 0),
        0xc6 | 0xdb => data(4, 0),
        0xc7 => data(1, 1),
        0xc8 => data(2, 1),
        0xc9 => data(4, 1),
        0xcc | 0xd0 => plain(2),
        0xcd | 0xd1 => plain(3),
        0xca | 0xce | 0xd2 => plain(5),
        0xcb | 0xcf | 0xd3 => plain(9),
        0xd4..=0xd8 => plain(2 + (1 << (marker - 0xd4))),
        0xdc => Ok(number(2).map(|count| (3, count as u64))),
        0xdd => Ok(number(4).map(|count| (5, count as u64))),
        0xde => Ok(number(2).map(|count| (3, 2 * count as u64))),
        0xdf => Ok(number(4).map(|count| (5, 2 * count as u64))),
    }
}

/// Reads one message; `None` where it says nothing, as a heartbeat does.
pub fn message(bytes: &[u8]) -> Result<Option<Message>, Refused> {
    let Value::Array(parts) = value(&mut Cursor::new(bytes), &mut 0)? else { return Ok(None) };
    let mut parts = parts.into_iter();
    let Some(tag) = parts.next().as_ref().and_then(text) else { return Err(Refused::Unknown) };
    let second = parts.next().ok_or(Refused::Unknown)?;
    let (entries, option) = match second {
        Value::Array(list) if !matches!(parts.as_slice(), [Value::Map(_), ..] if is_time(&list)) => {
            (list.into_iter().map(entry).collect::<Result<Vec<Entry>, Refused>>()?, parts.next())
        }
        Value::Binary(packed) => {
            let option = parts.next();
            (packed_entries(&packed, option.as_ref())?, option)
        }
        Value::String(packed) => {
            let option = parts.next();
            (packed_entries(packed.as_bytes(), option.as_ref())?, option)
        }
        time => {
            let record = parts.next().ok_or(Refused::Unknown)?;
            (vec![Entry { time: time_of(&time), record }], parts.next())
        }
    };
    let chunk = option.as_ref().and_then(|option| member(option, "chunk")).and_then(text);
    Ok(Some(Message { tag, entries, chunk }))
}

/// Returns the answer that tells a sender that its chunk is stored.
pub fn acknowledgement(chunk: &str) -> Vec<u8> {
    let answer = Value::Map(vec![(Value::from("ack"), Value::from(chunk))]);
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = rmpv::encode::write_value(&mut bytes, &answer);
    bytes
}

/// Returns a member of a map.
pub fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let Value::Map(members) = value else { return None };
    members.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// Returns what a text or its bytes say.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        Value::Binary(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// Writes a value as JSON has it.
pub fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil | Value::Ext(..) => serde_json::Value::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => serde_json::Value::Null,
        },
        Value::F32(number) => f64::from(*number).into(),
        Value::F64(number) => (*number).into(),
        Value::String(_) | Value::Binary(_) => text(value).into(),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Map(members) => {
            let named = members.iter().map(|(key, value)| {
                let name = text(key).unwrap_or_else(|| key.to_string());
                (name, json(value))
            });
            serde_json::Value::Object(named.collect())
        }
    }
}

fn packed_entries(packed: &[u8], option: Option<&Value>) -> Result<Vec<Entry>, Refused> {
    // Metrics and traces, which Fluent Bit sends the same way, are no log; they are taken, or they would come again and again.
    let signal = option.and_then(|option| member(option, "fluent_signal")).and_then(Value::as_u64);
    if signal.is_some_and(|signal| signal != LOGS) {
        return Ok(Vec::new());
    }
    let compression = option.and_then(|option| member(option, "compressed")).and_then(text);
    if !matches!(compression.as_deref(), Some("gzip" | "zstd")) {
        return entries(packed);
    }
    let mut unpacked = Vec::new();
    let input = crate::input::unpacked(packed).map_err(|_| Refused::Malformed)?;
    let got = input.take(LARGEST_UNPACKED).read_to_end(&mut unpacked);
    if got.map_err(|_| Refused::Malformed)? as u64 >= LARGEST_UNPACKED {
        return Err(Refused::TooLarge);
    }
    entries(&unpacked)
}

fn entries(bytes: &[u8]) -> Result<Vec<Entry>, Refused> {
    let mut entries = Vec::new();
    let mut cursor = Cursor::new(bytes);
    let mut values = 0;
    while cursor.position() < bytes.len() as u64 {
        entries.push(entry(value(&mut cursor, &mut values)?)?);
        if values > MOST_PACKED {
            return Err(Refused::TooLarge);
        }
    }
    Ok(entries)
}

fn entry(value: Value) -> Result<Entry, Refused> {
    let Value::Array(parts) = value else { return Err(Refused::Unknown) };
    let mut parts = parts.into_iter();
    let (Some(time), Some(record)) = (parts.next(), parts.next()) else { return Err(Refused::Unknown) };
    Ok(Entry { time: time_of(&time), record })
}

/// Reads a value whose lengths are checked against the bytes that are there before room is made for them.
/// Adds to `values` how many there are in it.
fn value(cursor: &mut Cursor<&[u8]>, values: &mut u64) -> Result<Value, Refused> {
    let rest = cursor.get_ref().get(cursor.position() as usize..).unwrap_or_default();
    let mut scan = Scan::default();
    if scan.end(rest)?.is_none() {
        return Err(Refused::Malformed);
    }
    *values += scan.values;
    rmpv::decode::read_value_with_max_depth(cursor, DEEPEST).map_err(|_| Refused::Malformed)
}

/// Whether a list is a time with metadata, as newer senders write it, rather than a list of entries.
fn is_time(list: &[Value]) -> bool {
    matches!(list, [time, Value::Map(_)] if time_of(time).is_some())
}

/// Reads seconds, seconds with nanoseconds, or either of them with metadata.
fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Integer(seconds) => Timestamp::from_second(seconds.as_i64()?).ok(),
        Value::F64(seconds) => Timestamp::from_microsecond((seconds * 1e6) as i64).ok(),
        Value::Ext(0, bytes) => {
            let (seconds, nanoseconds) = bytes.split_first_chunk::<4>()?;
            let nanoseconds = u32::from_be_bytes(nanoseconds.try_into().ok()?);
            Timestamp::new(u32::from_be_bytes(*seconds).into(), nanoseconds.try_into().ok()?).ok()
        }
        Value::Array(parts) => match parts.first()? {
            Value::Array(_) => None,
            time => time_of(time),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        bytes
    }

    fn time(seconds: u32, nanoseconds: u32) -> Value {
        Value::Ext(0, [seconds.to_be_bytes(), nanoseconds.to_be_bytes()].concat())
    }

    fn log(text: &str) -> Value {
        Value::Map(vec![("log".into(), text.into())])
    }

    /// Reads to the text of each entry, with its time in seconds.
    #[track_caller]
    fn check(parts: Vec<Value>, chunk: Option<&str>, wanted: &[(f64, &str)]) {
        let read = message(&packed(&Value::Array(parts))).unwrap().unwrap();
        let found: Vec<(f64, String)> = read
            .entries
            .iter()
            .map(|entry| {
                let seconds = entry.time.unwrap().as_nanosecond() as f64 / 1e9;
                (seconds, member(&entry.record, "log").and_then(text).unwrap())
            })
            .collect();
        let wanted: Vec<(f64, String)> =
            wanted.iter().map(|(time, text)| (*time, (*text).to_owned())).collect();
        assert_eq!((read.tag.as_str(), read.chunk.as_deref()), ("web", chunk));
        assert_eq!(found, wanted);
    }

    fn option(members: &[(&str, &str)]) -> Value {
        Value::Map(members.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn all_modes_are_read() {
        check(vec!["web".into(), 7.into(), log("a")], None, &[(7.0, "a")]);
        check(
            vec!["web".into(), time(7, 500_000_000), log("a"), option(&[("chunk", "x")])],
            Some("x"),
            &[(7.5, "a")],
        );
        let both = [Value::Array(vec![7.into(), log("a")]), Value::Array(vec![time(8, 0), log("b")])];
        check(vec!["web".into(), Value::Array(both.to_vec())], None, &[(7.0, "a"), (8.0, "b")]);
        let bytes: Vec<u8> = both.iter().flat_map(packed).collect();
        check(
            vec!["web".into(), Value::Binary(bytes.clone()), option(&[("chunk", "y")])],
            Some("y"),
            &[(7.0, "a"), (8.0, "b")],
        );
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &bytes).unwrap();
        let compressed = Value::Binary(encoder.finish().unwrap());
        check(
            vec!["web".into(), compressed, option(&[("compressed", "gzip")])],
            None,
            &[(7.0, "a"), (8.0, "b")],
        );
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let compressed = Value::Binary(ruzstd::encoding::compress_to_vec(&bytes[..], level));
        check(
            vec!["web".into(), compressed, option(&[("compressed", "zstd")])],
            None,
            &[(7.0, "a"), (8.0, "b")],
        );
    }

    #[test]
    fn metrics_are_taken_and_are_no_log() {
        let signal = Value::Map(vec![("chunk".into(), "z".into()), ("fluent_signal".into(), 1.into())]);
        check(vec!["web".into(), Value::Binary(vec![0x81, 0xa1, b'm', 0x01]), signal], Some("z"), &[]);
    }

    #[test]
    fn times_may_carry_metadata() {
        let timed = Value::Array(vec![time(7, 0), Value::Map(Vec::new())]);
        check(
            vec!["web".into(), Value::Array(vec![Value::Array(vec![timed.clone(), log("a")])])],
            None,
            &[(7.0, "a")],
        );
        check(vec!["web".into(), timed, log("a")], None, &[(7.0, "a")]);
    }

    #[test]
    fn a_heartbeat_says_nothing() {
        assert_eq!(message(&packed(&Value::Nil)), Ok(None));
    }

    #[test]
    fn a_list_that_claims_to_be_huge_is_refused_at_once() {
        assert_eq!(Scan::default().end(&[0xdd, 0xff, 0xff, 0xff, 0xff]), Err(Refused::TooLarge));
        assert_eq!(Scan::default().end(&[0xc6, 0xff, 0xff, 0xff, 0xff]), Err(Refused::TooLarge));
    }

    #[test]
    fn more_packed_entries_than_are_taken_are_refused() {
        let entry = packed(&Value::Array(vec![0.into(), Value::Map(Vec::new())]));
        assert_eq!(entries(&entry.repeat(9)).map(|entries| entries.len()), Ok(9));
        assert_eq!(entries(&entry.repeat(MOST_PACKED as usize / 2)), Err(Refused::TooLarge));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_not_fatal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut scan = Scan::default();
            let _ = scan.end(&bytes);
            let _ = message(&bytes);
            let _ = entries(&bytes);
        }

        #[test]
        fn a_value_is_found_whole_however_it_arrives(texts in proptest::collection::vec(".{0,20}", 0..10), cut in 0usize..400) {
            let list = Value::Array(texts.iter().map(|text| log(text)).chain([time(1, 2), 70_000.into(), 1.5.into()]).collect());
            let bytes = packed(&list);
            let mut scan = Scan::default();
            let cut = cut.min(bytes.len() - 1);
            prop_assert_eq!(scan.end(&bytes[..cut]), Ok(None));
            let mut more = bytes.clone();
            more.push(0xc0);
            prop_assert_eq!(scan.end(&more), Ok(Some(bytes.len())));
        }
    }
}

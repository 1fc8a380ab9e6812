//! What a record shares with many others: where it is from, how severe it is, which deployment it belongs to.
//!
//! All of it is one value of the index. A stream has few of them, and a column for each part would cost as much as
//! the words of the record.

use analyzer::record::{Level, Record, Source, Stream};
use std::borrow::Cow;
use std::sync::Arc;

/// Stands between the parts.
const BETWEEN: char = '\u{1f}';
/// So many of the last contexts are kept ready.
const RECENT: usize = 64;
/// So many hints tell where one of them may be.
const HINTS: usize = 256;

/// A part of a context, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Source,
    Severity,
    Stream,
    Entity,
    Deployment,
}

impl Part {
    /// Returns the part that people know by this name.
    pub fn named(name: &str) -> Option<Part> {
        Some(match name {
            "source" => Part::Source,
            "severity" => Part::Severity,
            "stream" => Part::Stream,
            "entity" => Part::Entity,
            "deployment" => Part::Deployment,
            _ => return None,
        })
    }

    /// Returns this part of a context; empty where the record has none.
    pub fn of(self, written: &str) -> Cow<'_, str> {
        unescaped(written.split(BETWEEN).nth(self as usize).unwrap_or_default())
    }
}

/// A context that was read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    pub source: Source,
    pub level: Level,
    pub stream: Arc<Stream>,
    pub entity: Option<Arc<str>>,
    /// The recorded deployment under whose name the record is found.
    pub deployment: Arc<str>,
    /// The deployment that the record itself names.
    pub named: Option<Arc<str>>,
}

impl Context {
    pub fn read(written: &str) -> Option<Context> {
        let mut parts = written.split(BETWEEN).map(unescaped);
        let mut next = || parts.next();
        let source: Source = next()?.parse().ok()?;
        let level = Level::named(&next()?).unwrap_or_default();
        let name = next()?.into_owned();
        let some = |part: Cow<'_, str>| (!part.is_empty()).then(|| Arc::from(part));
        let entity = some(next()?);
        let deployment = Arc::from(next()?);
        let named = some(next()?);
        let origin = next()?.parse().unwrap_or(source);
        let stream = Arc::new(Stream { name, source: origin });
        Some(Context { source, level, stream, entity, deployment, named })
    }
}

/// Writes contexts; those of the last records are at hand.
#[derive(Default)]
pub struct Contexts {
    recent: Vec<Written>,
    next: usize,
    /// Where the last context was that looked alike.
    hints: Vec<u8>,
}

struct Written {
    source: Source,
    level: Level,
    stream: Arc<Stream>,
    entity: Option<Arc<str>>,
    deployment: Arc<str>,
    named: Option<Arc<str>>,
    bytes: Arc<[u8]>,
}

impl Contexts {
    pub fn of(&mut self, record: &Record, deployment: &str) -> Arc<[u8]> {
        self.hints.resize(HINTS, 0);
        let hint = hint(record);
        let at = usize::from(self.hints[hint]);
        if let Some(known) = self.recent.get(at).filter(|known| known.is_of(record, deployment)) {
            return known.bytes.clone();
        }
        let at = self.recent.iter().position(|known| known.is_of(record, deployment));
        let at = at.unwrap_or_else(|| self.add(Written::new(record, deployment)));
        self.hints[hint] = at as u8;
        self.recent[at].bytes.clone()
    }

    /// Adds a context in the place of the oldest; returns where it is.
    fn add(&mut self, written: Written) -> usize {
        let at = self.next;
        match self.recent.get_mut(at) {
            Some(oldest) => *oldest = written,
            None => self.recent.push(written),
        }
        self.next = (at + 1) % RECENT;
        at
    }
}

impl Written {
    fn new(record: &Record, deployment: &str) -> Written {
        let origin = match record.stream.source == record.source {
            true => "",
            false => record.stream.source.as_str(),
        };
        let parts = [
            record.source.as_str(),
            record.level.as_str(),
            &record.stream.name,
            record.entity.as_deref().unwrap_or_default(),
            deployment,
            record.deployment.as_deref().unwrap_or_default(),
            origin,
        ];
        let mut written = String::new();
        for (place, part) in parts.into_iter().enumerate() {
            if place > 0 {
                written.push(BETWEEN);
            }
            written.push_str(&escaped(part));
        }
        Written {
            source: record.source,
            level: record.level,
            stream: record.stream.clone(),
            entity: record.entity.clone(),
            deployment: Arc::from(deployment),
            named: record.deployment.clone(),
            bytes: Arc::from(written.into_bytes()),
        }
    }

    fn is_of(&self, record: &Record, deployment: &str) -> bool {
        self.level == record.level
            && self.source == record.source
            && (Arc::ptr_eq(&self.stream, &record.stream) || self.stream == record.stream)
            && is_same(&self.entity, &record.entity)
            && *self.deployment == *deployment
            && is_same(&self.named, &record.deployment)
    }
}

/// Contexts that differ seldom have the same hint: it is made of where their names are in memory.
fn hint(record: &Record) -> usize {
    let entity = record.entity.as_deref().map_or(0, |entity| entity.as_ptr() as usize);
    let stream = Arc::as_ptr(&record.stream) as usize;
    ((entity >> 4) ^ (entity >> 12) ^ (stream >> 6) ^ (record.level as usize * 37)) % HINTS
}

/// Most names that are the same are so in memory.
fn is_same(one: &Option<Arc<str>>, other: &Option<Arc<str>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    }
}

/// Names come from anywhere, and may hold what stands between parts.
fn escaped(part: &str) -> Cow<'_, str> {
    match part.contains([BETWEEN, '\\']) {
        true => Cow::Owned(part.replace('\\', r"\\").replace(BETWEEN, r"\u")),
        false => Cow::Borrowed(part),
    }
}

fn unescaped(part: &str) -> Cow<'_, str> {
    if !part.contains('\\') {
        return Cow::Borrowed(part);
    }
    let mut text = String::with_capacity(part.len());
    let mut signs = part.chars();
    while let Some(sign) = signs.next() {
        match (sign, if sign == '\\' { signs.next() } else { None }) {
            ('\\', Some('u')) => text.push(BETWEEN),
            ('\\', Some(other)) => text.push(other),
            (sign, _) => text.push(sign),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stream: &str, entity: Option<&str>) -> Record {
        Record {
            stream: Arc::new(Stream { name: stream.to_owned(), source: Source::Other }),
            seq: 1,
            time: None,
            source: Source::ContainerLog,
            level: Level::Warn,
            text: String::new(),
            body: None,
            line: 1,
            entity: entity.map(Arc::from),
            deployment: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (stream, entity) in
            [("ecs/web/1", Some("task/7")), (r"C:\logs\u", None), ("a\u{1f}b\\", Some("\u{1f}\\u"))]
        {
            let record = record(stream, entity);
            let written = Contexts::default().of(&record, "ecs-svc/1");
            let written = std::str::from_utf8(&written).unwrap();
            let read = Context::read(written).unwrap();
            assert_eq!(read.stream, record.stream);
            assert_eq!((read.source, read.level), (record.source, record.level));
            assert_eq!((&read.entity, read.named), (&record.entity, None));
            assert_eq!(&*read.deployment, "ecs-svc/1");
            assert_eq!(Part::Stream.of(written), stream);
            assert_eq!(Part::Entity.of(written), entity.unwrap_or_default());
            assert_eq!(Part::Deployment.of(written), "ecs-svc/1");
        }
    }

    #[test]
    fn the_last_contexts_are_at_hand() {
        let mut contexts = Contexts::default();
        let first = contexts.of(&record("a", None), "1");
        assert!(Arc::ptr_eq(&first, &contexts.of(&record("a", None), "1")));
        assert_ne!(first, contexts.of(&record("a", None), "2"));
        (0..2 * RECENT).for_each(|at| {
            contexts.of(&record(&at.to_string(), None), "1");
        });
        assert_eq!(first, contexts.of(&record("a", None), "1"));
        assert_eq!(contexts.recent.len(), RECENT);
    }
}

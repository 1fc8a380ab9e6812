//! The names of streams and of what records are about, without secrets.

use analyzer::record::{Record, Stream};
use analyzer::redact::{Redactions, redact};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// So many names of a kind are remembered; each has its price once.
const MOST: usize = 4096;

/// What was found out about names: few of them stand in many records.
#[derive(Default)]
pub struct Names {
    /// The last stream that is clean as it is.
    clean: Option<Arc<Stream>>,
    streams: HashMap<String, Known<Stream>>,
    others: HashMap<Arc<str>, Known<str>>,
}

/// What a name without secrets is; none where it had none.
type Known<T> = Option<Arc<T>>;

impl Names {
    /// Takes secrets out of the names in a record; counts those that were not met before.
    pub fn clean(&mut self, record: &mut Record, removed: &mut Redactions) {
        self.clean_stream(&mut record.stream, removed);
        for name in [&mut record.entity, &mut record.deployment].into_iter().flatten() {
            if !self.others.contains_key(name) {
                make_room(&mut self.others);
                let clean = clean(name, removed).map(Arc::from);
                self.others.insert(name.clone(), clean);
            }
            if let Some(Some(clean)) = self.others.get(name) {
                *name = clean.clone();
            }
        }
    }

    fn clean_stream(&mut self, stream: &mut Arc<Stream>, removed: &mut Redactions) {
        if self.clean.as_ref().is_some_and(|clean| Arc::ptr_eq(clean, stream)) {
            return;
        }
        if !self.streams.contains_key(&stream.name) {
            make_room(&mut self.streams);
            let clean = clean(&stream.name, removed);
            let clean = clean.map(|name| Arc::new(Stream { name, source: stream.source }));
            self.streams.insert(stream.name.clone(), clean);
        }
        match self.streams.get(&stream.name) {
            // One name may be that of streams of two kinds.
            Some(Some(clean)) if clean.source == stream.source => *stream = clean.clone(),
            Some(Some(clean)) => {
                *stream = Arc::new(Stream { name: clean.name.clone(), source: stream.source });
            }
            _ => self.clean = Some(stream.clone()),
        }
    }
}

fn clean(name: &str, removed: &mut Redactions) -> Option<String> {
    match redact(name, removed) {
        Cow::Owned(clean) => Some(clean),
        Cow::Borrowed(_) => None,
    }
}

fn make_room<K, V>(known: &mut HashMap<K, V>) {
    if known.len() >= MOST {
        known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::{Level, Source};

    fn record(stream: &str, source: Source, entity: Option<&str>) -> Record {
        Record {
            stream: Arc::new(Stream { name: stream.to_owned(), source }),
            seq: 1,
            time: None,
            source: Source::ContainerLog,
            level: Level::Unknown,
            text: String::new(),
            body: None,
            line: 1,
            entity: entity.map(Arc::from),
            deployment: entity.map(Arc::from),
        }
    }

    #[test]
    fn secrets_in_names_are_removed_and_counted_once() {
        let (mut names, mut removed) = (Names::default(), Redactions::new());
        for _ in 0..3 {
            for source in [Source::ContainerLog, Source::Other] {
                let mut record = record(
                    "otlp:web password=hunter22",
                    source,
                    Some("https://u:hunter22@registry.internal/"),
                );
                names.clean(&mut record, &mut removed);
                assert_eq!(record.stream.name, "otlp:web password=[redacted:password]");
                assert_eq!(record.stream.source, source);
                for name in [record.entity, record.deployment].into_iter().flatten() {
                    assert!(!name.contains("hunter22") && name.ends_with("@registry.internal/"), "{name}");
                }
            }
        }
        assert_eq!(removed.values().sum::<u64>(), 2);
    }

    #[test]
    fn other_names_stay_what_they_are() {
        let mut names = Names::default();
        for name in
            ["ecs/web/0f3a9c71b2d84e66", "/var/log/app.log", "fluent:web-firelens-1/web", "ecs-svc/123"]
        {
            let before = record(name, Source::ContainerLog, Some(name));
            let mut after = before.clone();
            names.clean(&mut after, &mut Redactions::new());
            assert!(Arc::ptr_eq(&after.stream, &before.stream));
            assert_eq!(after, before);
        }
    }

    #[test]
    fn no_end_of_names_takes_no_end_of_memory() {
        let mut names = Names::default();
        for number in 0..3 * MOST {
            let name = format!("s{number}");
            names.clean(&mut record(&name, Source::Other, Some(&name)), &mut Redactions::new());
        }
        assert!(names.streams.len() <= MOST && names.others.len() <= MOST);
    }
}

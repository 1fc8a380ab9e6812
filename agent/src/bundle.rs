//! Bundles: one file with everything that was recorded of a deployment; it replays to the same report anywhere.
//!
//! A bundle is gzipped JSON lines: a header, then a record a line, then what tells whether all of them are there.
//! Secrets are gone from it, because they are gone from the index.

use analyzer::changes::{self, Remembered};
use analyzer::diagnosis::{Diagnosis, Gap, Study};
use analyzer::pattern::Patterns;
use analyzer::record::{Level, Record, Source, Stream};
use analyzer::redact::Redactions;
use analyzer::snapshot::Snapshot;
use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

use crate::collect::{of_deployment, remembered};
use crate::formats;
use crate::index::{DeploymentEntry, Reader};

/// The version of the format. A bundle of version 1 does not tell whether it is whole.
const VERSION: u32 = 2;
/// The first version with an end.
const WITH_END: u32 = 2;
const NOT_WHOLE: &str =
    "the bundle is not whole, or was changed: copy it again, or export it anew with `medic bundle export`";
/// A line longer than this is no record.
const LONGEST_LINE: u64 = 64 << 20;
/// Records are studied in batches of so many, or of so many bytes.
const BATCH: usize = 4096;
const BATCH_BYTES: usize = 8 << 20;

/// The first line of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    pub medic_bundle: u32,
    pub deployment: DeploymentEntry,
    /// The task definition of the last deployment before that ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<String>,
    pub snapshot: Snapshot,
    pub gaps: Vec<Gap>,
    pub redactions: Redactions,
}

/// A further line of a bundle.
#[derive(Serialize, Deserialize)]
struct Line {
    stream: String,
    origin: Source,
    source: Source,
    seq: u64,
    line: u64,
    level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment: Option<String>,
    text: String,
}

/// The last line of a bundle.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    /// How many records there are.
    end_of_records: u64,
    /// The XXH3 hash of all lines before, with their ends.
    xxh3: String,
}

impl Header {
    /// Whether the bundle tells whether it is whole.
    pub fn is_checked(&self) -> bool {
        self.medic_bundle >= WITH_END
    }
}

/// Writes all that is stored of a deployment; returns how many records that are.
pub fn export(reader: &Reader, id: &str, out: impl Write) -> Result<u64> {
    let Some(deployment) = reader.ledger().deployment(id).cloned() else {
        let known: Vec<&str> = reader.ledger().deployments.iter().map(|entry| entry.id.as_str()).collect();
        bail!("no deployment `{id}` was recorded; recorded are: {}", known.join(", "));
    };
    let header = Header {
        medic_bundle: VERSION,
        deployment,
        last_good: remembered(reader.ledger(), id).good.map(str::to_owned),
        snapshot: reader.state_of(&reader.ledger().names_of(id))?,
        gaps: reader.ledger().all_gaps(),
        redactions: reader.ledger().redactions.get(id).cloned().unwrap_or_default(),
    };
    let mut out = Lines { out: GzEncoder::new(out, Compression::default()), hash: Xxh3::new() };
    out.write(&header).context("cannot write the bundle")?;
    let mut count = 0;
    let mut written = Ok(());
    reader.each(&of_deployment(reader.ledger(), id), |records| {
        for record in records {
            count += 1;
            if written.is_ok() {
                written = out.write(&line_of(record));
            }
        }
    })?;
    written.context("cannot write the bundle")?;
    let end = End { end_of_records: count, xxh3: hash_of(&out.hash) };
    out.write(&end).context("cannot write the bundle")?;
    out.out.finish().context("cannot write the bundle")?.flush()?;
    Ok(count)
}

/// Writes lines, and hashes them.
struct Lines<W: Write> {
    out: GzEncoder<W>,
    hash: Xxh3,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, value: &impl Serialize) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.hash.update(&line);
        self.out.write_all(&line)
    }
}

fn hash_of(hash: &Xxh3) -> String {
    format!("{:016x}", hash.digest())
}

/// Diagnoses what a bundle holds.
pub fn open(input: impl Read, patterns: &Patterns) -> Result<(Header, Diagnosis)> {
    let mut lines = BufReader::new(MultiGzDecoder::new(input));
    let mut line = String::new();
    next(&mut lines, &mut line)?;
    let header: Header =
        serde_json::from_str(&line).context("this is no bundle: `medic bundle export` writes them")?;
    if !(1..=VERSION).contains(&header.medic_bundle) {
        bail!(
            "this bundle has version {}, and this Medic reads versions 1 to {VERSION}: use a newer Medic",
            header.medic_bundle
        );
    }
    let mut hash = Xxh3::new();
    hash.update(line.as_bytes());
    let mut study = Study::new(patterns);
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut number = 1;
    let mut end = None;
    while next(&mut lines, &mut line)? {
        number += 1;
        if header.is_checked() && line.starts_with("{\"end_of_records\"") {
            let read: End = serde_json::from_str(&line).with_context(|| NOT_WHOLE)?;
            end = Some((read, number - 2, hash_of(&hash)));
            break;
        }
        hash.update(line.as_bytes());
        let read: Line = serde_json::from_str(&line)
            .with_context(|| format!("line {number} of the bundle is no record"))?;
        bytes += read.text.len();
        batch.push(record_of(read));
        if batch.len() == BATCH || bytes >= BATCH_BYTES {
            study.observe(&batch);
            batch.clear();
            bytes = 0;
        }
    }
    if header.is_checked() {
        let Some((end, count, hash)) = end else { bail!("it ends before its end; {NOT_WHOLE}") };
        if end.end_of_records != count {
            bail!("it holds {count} records, and {} were exported; {NOT_WHOLE}", end.end_of_records);
        }
        if end.xxh3 != hash {
            bail!("its lines are not those that were exported; {NOT_WHOLE}");
        }
        if next(&mut lines, &mut line)? {
            bail!("there is more behind its end; {NOT_WHOLE}");
        }
    }
    study.observe(&batch);
    let mut diagnosis = study.conclude(&header.snapshot, header.gaps.clone());
    diagnosis.redactions = header.redactions.clone();
    let remembered = Remembered {
        deployed: header.deployment.task_definition.as_deref(),
        good: header.last_good.as_deref(),
    };
    diagnosis.changes = changes::since_last_good(&header.snapshot, remembered);
    Ok((header, diagnosis))
}

/// Reads the next line; false at the end.
fn next(lines: &mut impl BufRead, line: &mut String) -> Result<bool> {
    line.clear();
    let read = lines.take(LONGEST_LINE).read_line(line).context("the bundle cannot be read: is it whole?")?;
    Ok(read > 0)
}

fn line_of(record: &Record) -> Line {
    Line {
        stream: record.stream.name.clone(),
        origin: record.stream.source,
        source: record.source,
        seq: record.seq,
        line: record.line,
        level: record.level,
        time: record.time,
        entity: record.entity.as_deref().map(str::to_owned),
        deployment: record.deployment.as_deref().map(str::to_owned),
        text: record.text.clone(),
    }
}

fn record_of(line: Line) -> Record {
    formats::restored(Record {
        stream: Arc::new(Stream { name: line.stream, source: line.origin }),
        seq: line.seq,
        time: line.time,
        source: line.source,
        level: line.level,
        text: line.text,
        body: None,
        line: line.line,
        entity: line.entity.map(Arc::from),
        deployment: line.deployment.map(Arc::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Retention;
    use crate::index::{Entry, Writer};
    use std::sync::LazyLock;

    /// Returns the lines of a bundle with three records.
    fn lines() -> Vec<String> {
        let state = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(state.path(), &Retention::default()).unwrap();
        let stream = Arc::new(Stream { name: "web".to_owned(), source: Source::ContainerLog });
        for (id, text) in ["started", "error: connection refused", "stopped"].into_iter().enumerate() {
            let record = Record {
                stream: stream.clone(),
                seq: id as u64,
                time: None,
                source: Source::ContainerLog,
                level: Level::Unknown,
                text: text.to_owned(),
                body: None,
                line: 1,
                entity: None,
                deployment: None,
            };
            let arrived = Timestamp::UNIX_EPOCH;
            let row =
                writer.row(&record, Entry { id: id as u64, further: Vec::new(), arrived, deployment: "d" });
            writer.add(Arc::new(vec![record]), vec![row]).unwrap();
        }
        writer
            .commit(Timestamp::UNIX_EPOCH, |ledger| drop(ledger.deployment_mut("d").cluster.take()))
            .unwrap();
        let mut bundle = Vec::new();
        assert_eq!(export(&writer.reader().unwrap(), "d", &mut bundle).unwrap(), 3);
        let mut text = String::new();
        MultiGzDecoder::new(&bundle[..]).read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn opened(lines: &[String]) -> Result<Header> {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        lines.iter().try_for_each(|line| writeln!(out, "{line}")).unwrap();
        static BOOK: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(patterns::built_in().unwrap()));
        open(&out.finish().unwrap()[..], &BOOK).map(|(header, _)| header)
    }

    #[track_caller]
    fn check_refused(change: impl FnOnce(&mut Vec<String>), because: &str) {
        let mut lines = lines();
        change(&mut lines);
        let error = format!("{:#}", opened(&lines).unwrap_err());
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn a_bundle_that_is_whole_opens() {
        let lines = lines();
        assert_eq!(lines.len(), 5);
        assert!(opened(&lines).unwrap().is_checked());
    }

    #[test]
    fn a_bundle_that_lacks_something_is_refused() {
        check_refused(|lines| drop(lines.remove(2)), "it holds 2 records, and 3 were exported");
        check_refused(|lines| drop(lines.pop()), "export it anew");
        check_refused(|lines| lines.truncate(1), "it ends before its end");
        check_refused(|lines| lines.insert(2, lines[2].clone()), "it holds 4 records, and 3 were exported");
        check_refused(|lines| lines.swap(1, 2), "its lines are not those that were exported");
        check_refused(|lines| lines[2] = lines[2].replace("refused", "lost"), "export it anew");
        check_refused(|lines| lines[0] = lines[0].replace("\"gaps\":[]", "\"gaps\": []"), "export it anew");
        check_refused(|lines| lines.push(lines[1].clone()), "there is more behind its end");
        check_refused(|lines| lines[4] = "{\"end_of_records\":3}".to_owned(), "the bundle is not whole");
    }

    #[test]
    fn an_older_bundle_opens_and_a_newer_one_does_not() {
        let with_version = |lines: &[String], version: u32| {
            let mut lines = lines.to_vec();
            lines[0] = lines[0].replace("\"medic_bundle\":2", &format!("\"medic_bundle\":{version}"));
            lines
        };
        let lines = lines();
        let older = with_version(&lines[..4], 1);
        assert!(!opened(&older).unwrap().is_checked());
        // A bundle that has an end is no older one, whatever it says.
        assert!(opened(&with_version(&lines, 1)).is_err());
        let error = opened(&with_version(&lines, 3)).unwrap_err().to_string();
        assert!(error.contains("version 3") && error.contains("use a newer Medic"), "{error}");
    }
}

//! Bundles: one file with everything that was recorded of a deployment; it replays to the same report anywhere.
//!
//! A bundle is gzipped JSON lines: a header, then a record a line. Secrets are gone from it, because they are gone from the index.

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

use crate::collect::{of_deployment, remembered};
use crate::formats;
use crate::index::{DeploymentEntry, Reader};

/// The version of the format.
const VERSION: u32 = 1;
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
    let mut out = GzEncoder::new(out, Compression::default());
    serde_json::to_writer(&mut out, &header)?;
    out.write_all(b"\n")?;
    let mut count = 0;
    let mut failure = None;
    reader.each(&of_deployment(reader.ledger(), id), |records| {
        for record in records {
            count += 1;
            let written = serde_json::to_writer(&mut out, &line_of(record)).map_err(std::io::Error::from);
            if let Err(error) = written.and_then(|()| out.write_all(b"\n")) {
                failure.get_or_insert(error);
            }
        }
    })?;
    if let Some(error) = failure {
        return Err(error).context("cannot write the bundle");
    }
    out.finish().context("cannot write the bundle")?.flush()?;
    Ok(count)
}

/// Diagnoses what a bundle holds.
pub fn open(input: impl Read, patterns: &Patterns) -> Result<(Header, Diagnosis)> {
    let mut lines = BufReader::new(MultiGzDecoder::new(input));
    let mut line = String::new();
    next(&mut lines, &mut line)?;
    let header: Header =
        serde_json::from_str(&line).context("this is no bundle: `medic bundle export` writes them")?;
    if header.medic_bundle != VERSION {
        bail!(
            "this bundle has version {}, and this Medic reads version {VERSION}: use a newer Medic",
            header.medic_bundle
        );
    }
    let mut study = Study::new(patterns);
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut number = 1;
    while next(&mut lines, &mut line)? {
        number += 1;
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

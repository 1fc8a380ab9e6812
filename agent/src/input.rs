//! Opens what a person hands in: files, folders, compressed files, standard input.

use analyzer::diagnosis::{Gap, Study};
use analyzer::record::Record;
use analyzer::snapshot::Snapshot;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::formats::{self, Sink};

/// Which records count: those of a span of time, and those without a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Span {
    fn admits(&self, record: &Record) -> bool {
        let Some(time) = record.time else { return true };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
    }

    fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

/// Feeds a study with what is read.
pub struct Feed<'s, 'p> {
    pub study: &'s mut Study<'p>,
    pub snapshot: Snapshot,
    pub span: Span,
}

impl Sink for Feed<'_, '_> {
    fn records(&mut self, records: &[Record]) {
        if self.span.is_open() {
            self.study.observe(records);
            return;
        }
        let within: Vec<Record> = records.iter().filter(|record| self.span.admits(record)).cloned().collect();
        self.study.observe(&within);
    }

    fn snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot.merge(snapshot);
    }
}

/// Reads all inputs; what cannot be read becomes a gap. Returns how many could be read.
pub fn read_all(paths: &[PathBuf], feed: &mut Feed<'_, '_>, gaps: &mut Vec<Gap>) -> usize {
    let mut read = 0;
    for path in paths {
        if path.as_os_str() == "-" {
            let outcome = read_stream("-", io::stdin().lock(), feed);
            read += usize::from(note(Path::new("standard input"), outcome, gaps));
            continue;
        }
        for file in files(path, gaps) {
            let outcome = File::open(&file).and_then(|open| read_stream(&file.to_string_lossy(), open, feed));
            read += usize::from(note(&file, outcome, gaps));
        }
    }
    read
}

/// Reads one stream, decompressing it where it is compressed.
fn read_stream(name: &str, input: impl Read, feed: &mut Feed<'_, '_>) -> io::Result<()> {
    formats::read(name, None, decompressed(input)?, feed)
}

/// Decompresses what is compressed; all else stays as it is.
pub(crate) fn decompressed<'r>(input: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut magic = [0; 4];
    let got = read_up_to(&mut input, &mut magic)?;
    let whole = io::Cursor::new(magic[..got].to_vec()).chain(input);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(ruzstd::decoding::StreamingDecoder::new(whole).map_err(io::Error::other)?)
        }
        _ => Box::new(whole),
    })
}

fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match input.read(&mut buffer[got..])? {
            0 => break,
            count => got += count,
        }
    }
    Ok(got)
}

/// Returns the files below a path, sorted; hidden ones only where they are named.
fn files(path: &Path, gaps: &mut Vec<Gap>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    match fs::read_dir(path) {
        Ok(entries) => {
            for entry in entries.flatten() {
                let below = entry.path();
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                if hidden || is_link && below.is_dir() {
                    continue;
                }
                found.extend(files(&below, gaps));
            }
        }
        Err(error) => gaps.push(cannot_read(path, &error)),
    }
    found.sort();
    found
}

fn note(path: &Path, outcome: io::Result<()>, gaps: &mut Vec<Gap>) -> bool {
    if let Err(error) = &outcome {
        gaps.push(cannot_read(path, error));
    }
    outcome.is_ok()
}

fn cannot_read(path: &Path, error: &io::Error) -> Gap {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "run Medic as a user that may read it",
        _ => "check that the file is whole",
    };
    Gap {
        what: format!("{}", path.display()),
        because: format!("cannot read it: {error}"),
        remedy: Some(remedy.to_owned()),
    }
}

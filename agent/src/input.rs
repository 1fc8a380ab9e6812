//! Opens what a person hands in: files, folders, compressed files, standard input.

use analyzer::diagnosis::{Gap, Study};
use analyzer::record::Record;
use analyzer::snapshot::Snapshot;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
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
    /// How many records were handed over so far, and how many of them lie outside of the span.
    taken: u64,
    outside: u64,
}

impl<'s, 'p> Feed<'s, 'p> {
    pub fn new(study: &'s mut Study<'p>, span: Span) -> Feed<'s, 'p> {
        Feed { study, snapshot: Snapshot::default(), span, taken: 0, outside: 0 }
    }
}

impl Feed<'_, '_> {
    /// Says that all records lie outside of the span, where that is so.
    pub fn outside_gap(&self) -> Option<Gap> {
        (self.outside > 0 && self.outside == self.taken).then(|| Gap {
            what: "the records of the span".to_owned(),
            because: format!("all {} records are left out by --since and --until", self.outside),
            remedy: Some("choose a span that the records lie in".to_owned()),
        })
    }
}

impl Sink for Feed<'_, '_> {
    fn records(&mut self, records: &mut Vec<Record>) {
        let all = records.len();
        if !self.span.is_open() {
            records.retain(|record| self.span.admits(record));
        }
        self.taken += all as u64;
        self.outside += (all - records.len()) as u64;
        self.study.observe(records);
    }

    fn snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot.merge(snapshot);
    }
}

/// Reads all inputs; what cannot be read becomes a gap. Returns how many could be read.
pub fn read_all(paths: &[PathBuf], feed: &mut Feed<'_, '_>, gaps: &mut Vec<Gap>) -> usize {
    let mut read = 0;
    // What is named twice, by itself and in its folder, is read once.
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let before = feed.taken;
            let outcome = read_stream("-", io::stdin().lock(), feed);
            read += usize::from(note(Path::new("standard input"), outcome, feed.taken > before, gaps));
            continue;
        }
        for file in files(path, gaps) {
            if file.canonicalize().is_ok_and(|whole| !known.insert(whole)) {
                continue;
            }
            let before = feed.taken;
            let outcome = File::open(&file).and_then(|open| read_stream(&file.to_string_lossy(), open, feed));
            read += usize::from(note(&file, outcome, feed.taken > before, gaps));
        }
    }
    read
}

/// Reads one stream, decompressing it where it is compressed.
fn read_stream(name: &str, input: impl Read, feed: &mut Feed<'_, '_>) -> io::Result<()> {
    formats::read(name, None, decompressed(input)?, feed)
}

/// Decompresses what is compressed, and turns UTF-16 into UTF-8; all else stays as it is.
pub(crate) fn decompressed<'r>(input: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let input = unpacked(input)?;
    let mut input = BufReader::with_capacity(1 << 16, input);
    let order = match input.fill_buf()? {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return Ok(Box::new(input)),
    };
    Ok(Box::new(Utf16 { input, order, text: io::Cursor::default() }))
}

/// Reads UTF-16, as Windows PowerShell writes what is redirected into a file.
struct Utf16<R> {
    input: R,
    order: fn([u8; 2]) -> u16,
    text: io::Cursor<Vec<u8>>,
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.text.read(buffer)?;
        if got > 0 || buffer.is_empty() {
            return Ok(got);
        }
        // Lines are whole characters; a surrogate is never parted from its other half.
        let mut line = Vec::new();
        while line.len() < LONGEST_UTF16 {
            let mut unit = [0; 2];
            if read_up_to(&mut self.input, &mut unit)? < unit.len() {
                break;
            }
            let unit = (self.order)(unit);
            line.push(unit);
            if unit == u16::from(b'\n') {
                break;
            }
        }
        self.text = io::Cursor::new(String::from_utf16_lossy(&line).into_bytes());
        self.text.read(buffer)
    }
}

/// Longer lines are cut.
const LONGEST_UTF16: usize = 1 << 20;

/// Decompresses what is compressed with gzip or zstd.
pub(crate) fn unpacked<'r>(input: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut magic = [0; 4];
    let got = read_up_to(&mut input, &mut magic)?;
    let whole = io::Cursor::new(magic[..got].to_vec()).chain(input);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(Frames { input: whole, decoder: FrameDecoder::new(), is_inside: false })
        }
        _ => Box::new(whole),
    })
}

/// Decompresses one frame of zstd after the other, as they stand in files that were put together.
struct Frames<R> {
    input: R,
    decoder: FrameDecoder,
    is_inside: bool,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if self.is_inside {
                while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                    let wanted = BlockDecodingStrategy::UptoBytes(buffer.len() - self.decoder.can_collect());
                    self.decoder.decode_blocks(&mut self.input, wanted).map_err(io::Error::other)?;
                }
                let got = self.decoder.read(buffer)?;
                if got > 0 {
                    return Ok(got);
                }
                self.is_inside = false;
            }
            if self.input.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.reset(&mut self.input) {
                Ok(()) => self.is_inside = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.input.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(0)
    }
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
                // Nobody may ever write into a pipe that happens to lie in a folder.
                let is_read = below.metadata().map_or(true, |found| found.is_file() || found.is_dir());
                if hidden || is_link && below.is_dir() || !is_read {
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

/// Notes what could not be read; returns whether anything could.
fn note(path: &Path, outcome: io::Result<()>, has_begun: bool, gaps: &mut Vec<Gap>) -> bool {
    if let Err(error) = &outcome {
        let gap = cannot_read(path, error);
        gaps.push(match has_begun {
            true => Gap { because: format!("only its beginning can be read: {error}"), ..gap },
            false => gap,
        });
    }
    outcome.is_ok() || has_begun
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

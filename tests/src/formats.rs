//! Any bytes can be read; what cannot be read is a gap.

use analyzer::diagnosis::{Diagnosis, Gap, Study};
use analyzer::record::Record;
use flate2::Compression;
use flate2::write::GzEncoder;
use medic::formats::{Collected, read};
use medic::input::{Feed, Span, read_all};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::given::{book, cases};

const LOG: &str = "\
2026-05-01T10:00:00Z INFO starting
2026-05-01T10:05:00Z FATAL connection to server at \"db.internal\" (10.0.0.9), port 5432 failed: Connection refused
2026-05-01T10:10:00Z INFO bye
";

proptest! {
    #![proptest_config(cases(256))]

    /// Feature: deployment-infrastructure-reliability, Property 17: any bytes can be read
    #[test]
    fn any_bytes_can_be_read(name in "[a-z.-]{0,12}", bytes in bytes()) {
        let records = records(&name, &bytes);
        for (before, after) in records.iter().zip(records.iter().skip(1)) {
            prop_assert!(before.seq != after.seq, "two records at {}", after.seq);
        }
    }

    /// Feature: deployment-infrastructure-reliability, Property 29: what is neither an escape sequence nor JSON stands
    /// in a record as it stands in the input
    #[test]
    fn text_stands_in_a_record_as_it_was_written(name in "[a-z.-]{0,12}", bytes in plain_bytes()) {
        let input = String::from_utf8_lossy(&bytes);
        for line in records(&name, &bytes).iter().flat_map(|record| record.text.lines()) {
            prop_assert!(input.contains(line), "{line:?} is not in {input:?}");
        }
    }

    /// Feature: deployment-infrastructure-reliability, Property 27: every way to end a line ends a line
    #[test]
    fn every_way_to_end_a_line_ends_a_line(lines in prop::collection::vec("[ -~]{0,40}", 0..20)) {
        let with = |ending: &str| records("x.container-log.log", lines.join(ending).as_bytes());
        prop_assert_eq!(with("\r"), with("\n"));
        prop_assert_eq!(with("\r\n"), with("\n"));
    }

    /// Feature: deployment-infrastructure-reliability, Property 28: compressed input is read as if it were not
    #[test]
    fn compressed_input_reads_the_same(bytes in bytes().prop_filter("fits a frame", |bytes| bytes.len() < 60_000)) {
        let folder = tempfile::tempdir()?;
        let said = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).expect("a file can be written");
            let (diagnosis, gaps) = diagnosed(vec![path], Span::default());
            (diagnosis.seen, diagnosis.verdict, diagnosis.root_cause().map(|root| root.cause.clone()), gaps.len())
        };
        let plain = said("a.log", &bytes);
        // Bytes that happen to begin like a compressed file are none.
        prop_assume!(plain.3 == 0);
        prop_assert_eq!(said("a.log.gz", &gz(&bytes)), plain.clone());
        prop_assert_eq!(said("a.log.zst", &zst(&bytes)), plain);
    }
}

#[test]
fn compressed_logs_give_their_cause() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in [("a.log.gz", gz(LOG.as_bytes())), ("a.log.zst", zst(LOG.as_bytes()))] {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        let (diagnosis, gaps) = diagnosed(vec![path], Span::default());
        let cause = diagnosis.root_cause().map(|root| root.cause.as_str());
        assert_eq!(cause, Some("application/database/connection-refused"), "{name}");
        assert_eq!(gaps, [], "{name}");
    }
}

#[test]
fn only_records_of_the_span_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.log");
    fs::write(&path, LOG).expect("a file can be written");
    let at = |time: &str| Some(time.parse().expect("a time"));
    let check = |since, until, expected: u64| {
        let (diagnosis, _) = diagnosed(vec![path.clone()], Span { since, until });
        assert_eq!(diagnosis.seen.records, expected, "{since:?} to {until:?}");
    };
    check(None, None, 3);
    check(at("2026-05-01T10:05:00Z"), None, 2);
    check(None, at("2026-05-01T10:05:00Z"), 2);
    check(at("2026-05-01T10:05:01Z"), at("2026-05-01T10:09:59Z"), 0);
}

#[test]
fn what_cannot_be_read_is_a_gap_and_the_rest_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        path
    };
    let whole = file("a.log", LOG.as_bytes());
    let compressed = gz(LOG.as_bytes());
    let cut = file("cut.log.gz", &compressed[..compressed.len() / 2]);
    let broken = file("broken.log.zst", &[0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff]);
    let missing = folder.path().join("missing.log");
    let (diagnosis, gaps) = diagnosed(vec![cut, whole, broken, missing], Span::default());
    let cause = diagnosis.root_cause().map(|root| root.cause.as_str());
    assert_eq!(cause, Some("application/database/connection-refused"));
    for name in ["cut.log.gz", "broken.log.zst", "missing.log"] {
        let gap =
            gaps.iter().find(|gap| gap.what.ends_with(name)).unwrap_or_else(|| panic!("no gap for {name}"));
        let because =
            if name.starts_with("cut") { "only its beginning can be read: " } else { "cannot read it: " };
        assert!(gap.because.starts_with(because) && gap.remedy.is_some(), "{gap:?}");
    }
}

#[test]
fn what_stands_before_a_cut_is_read() {
    let log = format!("{}{LOG}{}", "2026-05-01T09:59:59Z INFO waits\n".repeat(40), "x\n".repeat(200_000));
    let compressed = gz(log.as_bytes());
    let cut = &compressed[..compressed.len() - 20];
    let mut collected = Collected::default();
    let input = flate2::read::MultiGzDecoder::new(cut);
    let outcome = read("cut.log", None, input, &mut collected);
    assert!(outcome.is_err(), "the cut is told");
    let last = LOG.lines().last().expect("a log has lines");
    assert!(
        collected.records.iter().any(|record| record.text.contains(last)),
        "what stands before it is read"
    );
}

#[test]
fn frames_of_zstd_are_read_one_after_the_other() {
    let frame = |text: &str| {
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
    };
    // A frame to be skipped stands between them.
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.log.zst");
    fs::write(&path, [frame("INFO starts\n"), skipped.to_vec(), frame(LOG)].concat())
        .expect("a file can be written");
    let (diagnosis, gaps) = diagnosed(vec![path], Span::default());
    let cause = diagnosis.root_cause().map(|root| root.cause.as_str());
    assert_eq!((cause, gaps), (Some("application/database/connection-refused"), Vec::new()));
}

#[test]
fn utf_16_is_read() {
    let text: Vec<u8> =
        std::iter::once(0xfeff).chain(LOG.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.log");
    fs::write(&path, text).expect("a file can be written");
    let (diagnosis, _) = diagnosed(vec![path], Span::default());
    let cause = diagnosis.root_cause().map(|root| root.cause.as_str());
    assert_eq!(cause, Some("application/database/connection-refused"));
}

fn records(name: &str, bytes: &[u8]) -> Vec<Record> {
    let mut collected = Collected::default();
    read(name, None, bytes, &mut collected).expect("memory can be read");
    collected.records
}

fn diagnosed(paths: Vec<PathBuf>, span: Span) -> (Diagnosis, Vec<Gap>) {
    let mut study = Study::new(book());
    let mut gaps = Vec::new();
    let mut feed = Feed::new(&mut study, span);
    read_all(&paths, &mut feed, &mut gaps);
    let snapshot = feed.snapshot;
    (study.conclude(&snapshot, Vec::new()), gaps)
}

/// Noise, and pieces that make readers look closer.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 40] = [
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\t",
        " ",
        "    ",
        "\u{feff}",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        "null",
        "1e999",
        "{\"message\":\"x\",\"level\":50}",
        "{\"log\":\"a\\n\",\"stream\":\"stderr\",\"time\":\"2026-05-01T10:00:01Z\"}",
        "{\"services\":[{\"serviceName\":\"web\",\"deployments\":[{}]}]}",
        "[{\"taskArn\":1}]",
        "#12 0.345 npm ERR! code",
        "#1 [",
        "##[error]",
        "##[group]Run",
        "::error::",
        "web-1  | ",
        "job\tstep\t2026-05-01T10:00:00.1Z ",
        "2026-05-01T10:00:00Z ",
        "2026-99-99T99:99:99Z ",
        "01/May/2026:10:00:00 +0000",
        "\u{1b}[31m",
        "\u{1b}]8;;",
        "\u{1b}",
        "Traceback (most recent call last):\n  File \"a\", line 1\n",
        "panic: x\n\ngoroutine 1 [running]:\n",
        "thread 'main' panicked at a.rs:1:1:\n",
        "    at a (b.js:1:2)\n",
        "Caused by: x.Y: z\n",
        "\u{1f600}é",
        "ERROR ",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..24),
        2 => "[ -~]{0,40}".prop_map(String::into_bytes),
        1 => (any::<u8>(), 1usize..3000).prop_map(|(byte, times)| vec![byte; times]),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Noise without what begins an escape sequence or JSON.
fn plain_bytes() -> impl Strategy<Value = Vec<u8>> {
    bytes().prop_map(|mut bytes| {
        bytes.retain(|byte| !matches!(byte, 0x1b | 0x08 | b'{' | b'['));
        bytes
    })
}

fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory can be written")
}

/// Returns a frame of Zstandard (RFC 8878) of one raw block, its size in four bytes.
fn zst(content: &[u8]) -> Vec<u8> {
    const SINGLE_SEGMENT_WITH_SIZE_IN_FOUR_BYTES: u8 = 0b1010_0000;
    const LAST_RAW_BLOCK: u32 = 1;
    let size = content.len() as u32;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, SINGLE_SEGMENT_WITH_SIZE_IN_FOUR_BYTES];
    frame.extend(size.to_le_bytes());
    frame.extend(&(size << 3 | LAST_RAW_BLOCK).to_le_bytes()[..3]);
    frame.extend(content);
    frame
}

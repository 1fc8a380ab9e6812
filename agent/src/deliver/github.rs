//! Writes the guide where GitHub shows it: the summary of the job, and annotations.

use anyhow::{Context, Result};
use reports::Guide;
use reports::github::{LARGEST_SUMMARY, annotations, summary_within};
use std::collections::hash_map::RandomState;
use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::path::Path;

/// A summary that has less room than this would say nothing.
const LEAST_ROOM: usize = 2_000;

/// Appends the summary to the file of the step, and writes annotations.
pub fn post(guide: &Guide, summary: Option<&Path>, out: &mut impl Write) -> Result<()> {
    out.write_all(annotations(guide).as_bytes())?;
    out.flush()?;
    let summary = summary.context(
        "the summary of the job was not written: GITHUB_STEP_SUMMARY is not set, which GitHub does for each step",
    )?;
    append(guide, summary)
}

/// GitHub takes no summary at all that is too large, so the file is filled up to its limit and not beyond.
fn append(guide: &Guide, path: &Path) -> Result<()> {
    let failed = || format!("cannot write the summary of the job to {}", path.display());
    let mut file = OpenOptions::new().create(true).append(true).open(path).with_context(failed)?;
    let written = usize::try_from(file.metadata().with_context(failed)?.len()).unwrap_or(usize::MAX);
    let room = LARGEST_SUMMARY.saturating_sub(written).saturating_sub(1);
    if room < LEAST_ROOM {
        anyhow::bail!("the summary of the job is full; the guide was not added to {}", path.display());
    }
    let text = summary_within(guide, room).context("cannot write the guide")?;
    // What another command wrote may have no end of line.
    file.write_all(format!("\n{text}").as_bytes()).with_context(failed)
}

/// Returns a word that no text from outside can know, to turn workflow commands on again.
pub fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("medic-{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::diagnosis::Study;
    use analyzer::pattern::Patterns;
    use analyzer::record::Source;

    fn guide(log: &str) -> Guide {
        let patterns = Patterns::new(patterns::built_in().unwrap());
        let mut study = Study::new(&patterns);
        let read = crate::formats::read_text("web.log", Some(Source::ContainerLog), log);
        study.observe(&read.records);
        Guide::new(&study.conclude(&read.snapshot, Vec::new()), &patterns)
    }

    #[test]
    fn the_summary_is_appended_and_commands_in_text_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        std::fs::write(&path, "before").unwrap();
        let log = "psycopg2.OperationalError: connection to server at \"db.internal\" (10.0.0.7), port 5432 failed: Connection refused\n::error::forged <script>alert(1)</script>\n";
        let mut out = Vec::new();
        post(&guide(log), Some(&path), &mut out).unwrap();
        let summary = std::fs::read_to_string(&path).unwrap();
        assert!(summary.starts_with("before\n") && summary.contains("application/database"), "{summary}");
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("::error ") && out.lines().all(|line| line.starts_with("::")), "{out}");
        assert!(!out.contains("::error::forged"), "{out}");
        assert!(out.lines().count() <= 20);
    }

    #[test]
    fn a_full_summary_is_not_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        std::fs::write(&path, "x".repeat(LARGEST_SUMMARY - 2_600)).unwrap();
        let log = "psycopg2.OperationalError: connection to server at \"db.internal\" (10.0.0.7), port 5432 failed: Connection refused\n";
        post(&guide(log), Some(&path), &mut Vec::new()).unwrap();
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        assert!(length > LARGEST_SUMMARY - 2_600 && length <= LARGEST_SUMMARY, "{length}");
        assert!(post(&guide(log), Some(&path), &mut Vec::new()).unwrap_err().to_string().contains("full"));
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, length);
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(token(), token());
    }
}

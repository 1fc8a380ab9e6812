//! The steps of a job: where they begin, and where they fail.

use std::collections::BTreeSet;

use super::kept::bound;
use crate::record::without_transport;

const MOST_STEPS: usize = 2000;
/// So many steps that do not look after a failure show that the job was not stopped by one.
const ENOUGH_STEPS: usize = 2;

/// The steps of a job, by position.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    pub begin: BTreeSet<u64>,
    /// Those that do not run for the sake of a failure.
    pub plain: BTreeSet<u64>,
    /// Whether the runner's own marks are there.
    pub marked: bool,
    pub failed: Option<u64>,
    pub last_error: Option<u64>,
}

impl Steps {
    pub fn begins(&mut self, seq: u64, said: &str) {
        self.marked |= said.contains("##[group]");
        // The first failure is looked for among the first steps, what follows the last error among the last.
        self.begin.insert(seq);
        bound(&mut self.begin, MOST_STEPS);
        if !runs_after_failure(said) {
            self.plain.insert(seq);
            if self.plain.len() > MOST_STEPS {
                self.plain.pop_first();
            }
        }
    }

    pub fn fails(&mut self, seq: u64) {
        self.failed = Some(self.failed.map_or(seq, |failed| failed.min(seq)));
        self.last_error = self.last_error.max(Some(seq));
    }

    /// Whether a position lies outside of the step that failed: what came before it was survived,
    /// and what comes after it is cleaning up.
    pub fn is_outside_failed(&self, seq: u64) -> bool {
        let Some(failed) = self.failed else { return false };
        let begin = self.begin.range(..failed).next_back();
        seq > failed || begin.is_some_and(|begin| seq < *begin)
    }

    /// Whether the job did more of its work after its last error: the step was allowed to fail.
    pub fn went_on(&self) -> bool {
        self.last_error.is_some_and(|error| self.plain.range(error..).count() >= ENOUGH_STEPS)
    }
}

/// Reads a line of BuildKit, `#6 ERROR: …`: the number of its step, and what it says.
pub(super) fn build_step(line: &str) -> Option<(&str, &str)> {
    let (number, said) =
        without_transport(line.trim_start()).trim_start().strip_prefix('#')?.split_once(' ')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((number, said))
}

/// Whether a step is one of those that also run, or only run, when a job has failed.
fn runs_after_failure(said: &str) -> bool {
    const WORDS: [&str; 24] = [
        "upload",
        "report",
        "notify",
        "notif",
        "slack",
        "teams",
        "artifact",
        "cache",
        "log",
        "describe",
        "status",
        "debug",
        "dump",
        "clean",
        "down",
        "comment",
        "coverage",
        "codecov",
        "summary",
        "rollback",
        "roll back",
        "fail",
        "always",
        "post job",
    ];
    let lower = said.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_build_names_its_step() {
        assert_eq!(build_step("#6 ERROR: not found"), Some(("6", "ERROR: not found")));
        assert_eq!(build_step("# a comment"), None);
        assert_eq!(build_step("#fff is white"), None);
    }
}

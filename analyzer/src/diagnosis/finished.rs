//! Tasks that no service asked for: to end is what they were started for.

use super::kept::Kept;
use crate::record::{Level, Source};

/// Whether a record tells of such a task that came to its end without an error.
/// Only of a task of a service, which is to stay, is the same end told as an error.
pub(super) fn is_done(kept: &Kept) -> bool {
    kept.source == Source::EcsStoppedTask
        && kept.level == Level::Info
        && kept.text.contains("essential container exited with exit code 0: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Place;
    use std::collections::BTreeMap;

    #[track_caller]
    fn check(level: Level, containers: &str, done: bool) {
        let head = "task 0f9d STOPPED EssentialContainerExited: Essential container in task exited";
        let kept = Kept {
            place: Place { time: None, stream: "tasks.json".to_owned(), seq: 1 },
            source: Source::EcsStoppedTask,
            level,
            text: format!("{head}\n{containers}"),
            said: None,
            line: head.to_owned(),
            line_index: 0,
            line_number: 1,
            entity: None,
            deployment: None,
            values: BTreeMap::new(),
        };
        assert_eq!(is_done(&kept), done, "{level:?}: {containers}");
    }

    #[test]
    fn a_job_is_done_when_nothing_in_it_failed() {
        let done = "container job STOPPED exitCode=0\nessential container exited with exit code 0: job";
        check(Level::Info, done, true);
        check(Level::Error, done, false);
        check(Level::Info, "container job STOPPED exitCode=0\ncontainer logs STOPPED exitCode=1", false);
    }
}

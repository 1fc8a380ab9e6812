//! Tasks that no service asked for: to end is what they were started for.

use super::kept::Kept;
use crate::record::{Level, Source};

/// Whether a record tells of such a task that came to its end without an error.
/// Only of a task of a service, which is to stay, is the same end told as an error.
pub(super) fn is_done(kept: &Kept) -> bool {
    let is_told = kept.source == Source::EcsStoppedTask
        && kept.level == Level::Info
        && kept.text.contains("STOPPED EssentialContainerExited");
    let codes = kept.text.split("exitCode=").skip(1);
    let codes: Vec<&str> =
        codes.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()).collect();
    // What stands beside it is told to stop with it, which is 143.
    is_told && codes.contains(&"0") && codes.iter().all(|code| matches!(*code, "0" | "143"))
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
        check(Level::Info, "container job STOPPED exitCode=0", true);
        check(Level::Info, "container job STOPPED exitCode=0\ncontainer logs STOPPED exitCode=143", true);
        check(Level::Info, "container job STOPPED exitCode=143", false);
        check(Level::Info, "container job STOPPED exitCode=0\ncontainer logs STOPPED exitCode=1", false);
        check(Level::Info, "container job STOPPED", false);
        check(Level::Error, "container web STOPPED exitCode=0", false);
    }
}

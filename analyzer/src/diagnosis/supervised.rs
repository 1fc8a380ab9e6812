//! Programs that a supervisor inside a container starts: one of them may fail for good while the others run.

use std::collections::BTreeMap;

use super::kept::bound_keys;
use crate::record::Record;

const MOST_PROGRAMS: usize = 200;

/// Where each program of each stream last ended without being told to, and where it last ran.
#[derive(Clone, Debug, Default)]
pub(super) struct Supervised(BTreeMap<(String, String), Program>);

#[derive(Clone, Copy, Debug, Default)]
struct Program {
    ended: Option<u64>,
    ran: Option<u64>,
}

impl Supervised {
    /// Takes in what supervisord says about a program, and gunicorn about its workers.
    pub fn note(&mut self, record: &Record, said: &str) {
        for line in said.lines() {
            let Some((name, has_ended)) = of_supervisord(line).or_else(|| of_gunicorn(line)) else {
                continue;
            };
            let key = (record.stream.name.clone(), name.to_owned());
            let program = self.0.entry(key).or_default();
            let place = if has_ended { &mut program.ended } else { &mut program.ran };
            *place = (*place).max(Some(record.seq));
            bound_keys(&mut self.0, MOST_PROGRAMS);
        }
    }

    /// Whether a program of a stream ended and did not run again since.
    pub fn is_down(&self, stream: &str) -> bool {
        let from = (stream.to_owned(), String::new());
        let of_stream = self.0.range(from..).take_while(|((name, _), _)| name == stream);
        of_stream.into_iter().any(|(_, program)| program.ended > program.ran)
    }
}

/// Returns the program that a line is about, and whether it ended.
fn of_supervisord(line: &str) -> Option<(&str, bool)> {
    let ended = line.split_once("exited: ").filter(|_| line.contains("not expected)"));
    let ran = line.split_once("success: ").filter(|_| line.contains("entered RUNNING state"));
    let name = ended.or(ran).and_then(|(_, rest)| rest.split([' ', '(']).next())?;
    Some((name, ended.is_some()))
}

/// gunicorn listens before its workers load the application.
fn of_gunicorn(line: &str) -> Option<(&str, bool)> {
    let has_ended = line.contains("Exception in worker process") || line.contains("Worker failed to boot");
    (has_ended || line.contains("Listening at: http")).then_some(("gunicorn", has_ended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Level, Source, Stream};
    use std::sync::Arc;

    #[track_caller]
    fn check(lines: &[&str], is_down: bool) {
        let stream = Arc::new(Stream { name: "web".to_owned(), source: Source::ContainerLog });
        let mut supervised = Supervised::default();
        for (seq, text) in (1..).zip(lines) {
            let record = Record {
                stream: stream.clone(),
                seq,
                time: None,
                source: Source::ContainerLog,
                level: Level::Info,
                text: (*text).to_owned(),
                body: None,
                line: seq,
                entity: None,
                deployment: None,
            };
            supervised.note(&record, text);
        }
        assert_eq!(supervised.is_down("web"), is_down, "{lines:?}");
        assert!(!supervised.is_down("we") && !supervised.is_down("web2"));
    }

    #[test]
    fn a_program_is_down_until_it_runs_again() {
        let ends = "2026-05-01 10:00:00,776 WARN exited: relay (exit status 1; not expected)";
        let runs = "2026-05-01 10:00:01,779 INFO success: relay entered RUNNING state, process has stayed up";
        let other =
            "2026-05-01 10:00:01,779 INFO success: nginx entered RUNNING state, process has stayed up";
        check(&[ends, other], true);
        check(&[ends, runs], false);
        check(&[runs, ends], true);
        check(&[other, "INFO exited: once (exit status 0; expected)"], false);
    }

    #[test]
    fn a_server_whose_workers_do_not_boot_is_down_until_it_is_started_again() {
        let listens = "[2026-05-01 10:00:00 +0000] [7] [INFO] Listening at: http://0.0.0.0:8000 (7)";
        let fails = "[2026-05-01 10:00:01 +0000] [9] [ERROR] Exception in worker process";
        let ends = "[2026-05-01 10:00:01 +0000] [7] [INFO] Reason: Worker failed to boot.";
        check(&[listens, fails, ends], true);
        check(&[listens, fails, ends, listens], false);
        check(&[listens], false);
    }
}

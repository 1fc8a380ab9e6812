//! What AWS did not find when it was asked: nobody could see it, which is no failure.

use std::collections::{BTreeMap, BTreeSet};

use super::Gap;
use super::kept::bound;
use crate::record::{Record, Source};

/// How an entry of `failures` is told that an answer has for what it could not describe.
const TOLD_AS: &str = "failure MISSING ";
/// So many of one kind are remembered, and so many are named.
const MOST: usize = 1000;
const NAMED: usize = 3;

/// The names of what was not found, by their kind: `task`, `service`, `container-instance`.
#[derive(Clone, Debug, Default)]
pub(super) struct NotFound(BTreeMap<String, BTreeSet<String>>);

impl NotFound {
    /// Remembers what a record says was not found; false where it says something else.
    pub fn keep(&mut self, record: &Record, said: &str) -> bool {
        let Some(told) = said.strip_prefix(TOLD_AS).filter(|_| record.source == Source::EcsServiceEvent)
        else {
            return false;
        };
        let arn = told.split_whitespace().next().unwrap_or_default();
        // `arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d`
        let (kind, name) = arn.splitn(6, ':').last().and_then(|own| own.split_once('/')).unwrap_or(("", arn));
        let names = self.0.entry(kind.to_owned()).or_default();
        names.insert(name.to_owned());
        bound(names, MOST);
        true
    }

    pub fn gaps(&self) -> Vec<Gap> {
        self.0.iter().map(|(kind, names)| gap(kind, names)).collect()
    }
}

fn gap(kind: &str, names: &BTreeSet<String>) -> Gap {
    let (because, remedy) = match kind {
        "task" => (
            "not found: ECS describes a task for about an hour after its end, and only in its own cluster",
            "aws ecs list-tasks --cluster CLUSTER --desired-status STOPPED",
        ),
        "service" => (
            "not found: the cluster has no service of that name in that region",
            "aws ecs list-services --cluster CLUSTER",
        ),
        "container-instance" => (
            "not found: no instance of that id is registered with the cluster",
            "aws ecs list-container-instances --cluster CLUSTER",
        ),
        "cluster" => ("not found: the region has no cluster of that name", "aws ecs list-clusters"),
        _ => ("not found", "check the name, the account and the region"),
    };
    Gap { what: in_words(kind, names), because: because.to_owned(), remedy: Some(remedy.to_owned()) }
}

fn in_words(kind: &str, names: &BTreeSet<String>) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let kind = kind.replace('-', " ");
    match (kind.is_empty(), shown.is_empty(), names.len()) {
        (_, true, _) => "what a call asked for".to_owned(),
        (true, ..) => format!("{shown}{rest}"),
        (_, _, 1) => format!("{kind} {shown}"),
        _ => format!("{kind}s {shown}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Level, Stream};
    use std::sync::Arc;

    fn record(source: Source) -> Record {
        Record {
            stream: Arc::new(Stream { name: "tasks.json".to_owned(), source: Source::Other }),
            seq: 1,
            time: None,
            source,
            level: Level::Warn,
            text: String::new(),
            body: None,
            line: 1,
            entity: None,
            deployment: None,
        }
    }

    #[track_caller]
    fn check(arns: &[&str], what: &str, because: &str) {
        let mut not_found = NotFound::default();
        for arn in arns {
            assert!(not_found.keep(&record(Source::EcsServiceEvent), &format!("failure MISSING {arn}")));
        }
        let [gap] = &not_found.gaps()[..] else { panic!("{:?}", not_found.gaps()) };
        assert_eq!(gap.what, what);
        assert!(gap.because.contains(because), "{}", gap.because);
    }

    #[test]
    fn a_kind_of_things_is_told_once() {
        let task = |id: u8| format!("arn:aws:ecs:eu-west-1:111122223333:task/prod/{id}");
        check(&[&task(1)], "task prod/1", "for about an hour");
        let many: Vec<String> = (1..=5).map(task).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, "tasks prod/1, prod/2, prod/3 and 2 more", "for about an hour");
        check(&["arn:aws:ecs:eu-west-1:111122223333:task/1"], "task 1", "for about an hour");
        check(&["arn:aws:ecs:eu-west-1:111122223333:service/prod/web"], "service prod/web", "no service");
        check(
            &["arn:aws-cn:ecs:cn-north-1:111122223333:container-instance/prod/1"],
            "container instance prod/1",
            "no instance",
        );
        check(&["web"], "web", "not found");
        check(&[""], "what a call asked for", "not found");
    }

    #[test]
    fn what_else_failed_is_no_gap() {
        let mut not_found = NotFound::default();
        let arn = "arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/1";
        let events = record(Source::EcsServiceEvent);
        assert!(!not_found.keep(&events, &format!("failure RESOURCE:MEMORY {arn}")));
        assert!(!not_found.keep(&record(Source::ContainerLog), &format!("failure MISSING {arn}")));
        assert!(not_found.gaps().is_empty());
    }
}

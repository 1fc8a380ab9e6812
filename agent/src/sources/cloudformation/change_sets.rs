//! Change sets that could not be made. No event of the stack tells of them: it stays as it was.

use analyzer::record::{Level, Record, Source, Stream};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{ChangeSetStatus, ChangeSetSummary, Stack};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use crate::aws::{Asking, calls};
use crate::sources::rounds::{arrival, now};
use crate::sources::{Arrival, id};

const EVERY: Duration = Duration::from_secs(15);
const MOST_PAGES: usize = 5;
/// They are kept until somebody deletes them; older ones tell nothing of the present deployment.
const OLDEST: SignedDuration = SignedDuration::from_hours(1);
/// A change set without changes counts as failed, though all is as it should be.
const NOTHING_TO_DO: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

#[derive(Default)]
pub struct ChangeSets {
    listed: Option<Instant>,
    told: BTreeSet<String>,
}

impl ChangeSets {
    /// Returns the change sets of a stack that failed since its last operation began.
    pub async fn failed(
        &mut self,
        stack: &Stack,
        stream: &Arc<Stream>,
        client: &Client,
        asking: &mut Asking<'_>,
    ) -> Vec<Arrival> {
        if self.listed.is_some_and(|listed| listed.elapsed() < EVERY) {
            return Vec::new();
        }
        self.listed = Some(Instant::now());
        let name = stack.stack_name().unwrap_or_default();
        let what = format!("change sets of stack {name}");
        let begun = stack.last_updated_time().or(stack.creation_time());
        let begun = begun.and_then(|time| Timestamp::from_second(time.secs()).ok());
        let from = begun.max(now().checked_sub(OLDEST).ok());
        let mut arrivals = Vec::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let call =
                client.list_change_sets().stack_name(stack.stack_id().unwrap_or(name)).set_next_token(token);
            let Some(page) = asking.ask(calls::LIST_CHANGE_SETS, &what, || call.clone().send()).await else {
                break;
            };
            arrivals.extend(page.summaries().iter().filter_map(|summary| self.tell(summary, from, stream)));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        arrivals
    }

    fn tell(
        &mut self,
        summary: &ChangeSetSummary,
        from: Option<Timestamp>,
        stream: &Arc<Stream>,
    ) -> Option<Arrival> {
        let reason = summary.status_reason().unwrap_or_default();
        let is_fine = NOTHING_TO_DO.iter().any(|words| reason.contains(words));
        if summary.status() != Some(&ChangeSetStatus::Failed) || is_fine {
            return None;
        }
        let time = summary.creation_time().and_then(|time| Timestamp::from_nanosecond(time.as_nanos()).ok());
        let change_set = summary.change_set_id()?;
        if time < from || !self.told.insert(change_set.to_owned()) {
            return None;
        }
        let name = summary.change_set_name().unwrap_or(change_set);
        let record = Record {
            stream: stream.clone(),
            seq: 0,
            time,
            source: Source::CfnStackEvent,
            level: Level::Error,
            text: format!("Creation of change set {name} failed: {reason}"),
            body: None,
            line: 1,
            entity: Some(Arc::from(name)),
            deployment: None,
        };
        Some(arrival(id(&["cfn-change-set", change_set]), record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudformation::primitives::DateTime;

    fn summary(name: &str, status: ChangeSetStatus, reason: &str, second: i64) -> ChangeSetSummary {
        ChangeSetSummary::builder()
            .change_set_id(format!("arn:aws:cloudformation:eu-west-1:111122223333:changeSet/{name}/1"))
            .change_set_name(name)
            .status(status)
            .status_reason(reason)
            .creation_time(DateTime::from_secs(second))
            .build()
    }

    #[test]
    fn what_failed_since_the_last_operation_is_told_once() {
        let stream =
            Arc::new(Stream { name: "cloudformation:web".to_owned(), source: Source::CfnStackEvent });
        let mut change_sets = ChangeSets::default();
        let from = Timestamp::from_second(1_800_000_000).ok();
        let mut tell = |summary: &ChangeSetSummary| {
            change_sets.tell(summary, from, &stream).map(|arrival| arrival.record.text)
        };
        let failed =
            summary("deploy-7", ChangeSetStatus::Failed, "Export shop:VpcId not found", 1_800_000_060);
        assert_eq!(
            tell(&failed).as_deref(),
            Some("Creation of change set deploy-7 failed: Export shop:VpcId not found")
        );
        assert_eq!(tell(&failed), None);
        assert_eq!(tell(&summary("old", ChangeSetStatus::Failed, "x", 1_700_000_000)), None);
        assert_eq!(tell(&summary("good", ChangeSetStatus::CreateComplete, "", 1_800_000_060)), None);
        let empty = "The submitted information didn't contain changes. Submit different information to create a change set.";
        assert_eq!(tell(&summary("same", ChangeSetStatus::Failed, empty, 1_800_000_060)), None);
    }
}

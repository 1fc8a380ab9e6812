//! All that a diagnosis is reached on, taken out of the collector: another thread can reach it while records come in.

use analyzer::changes::{self, Remembered};
use analyzer::diagnosis::{Diagnosis, Gap, Study};
use analyzer::redact::Redactions;
use analyzer::snapshot::{Part, Snapshot};
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::debug_span;

use super::collector::remembered;
use crate::index::Ledger;

pub struct Case {
    study: Study<'static>,
    known: Arc<Snapshot>,
    gaps: Vec<Gap>,
    redactions: Redactions,
    deployed: Option<String>,
    good: Option<String>,
}

impl Case {
    pub fn of(study: Study<'static>, known: Arc<Snapshot>, ledger: &Ledger, deployment: &str) -> Case {
        let Remembered { deployed, good } = remembered(ledger, deployment);
        Case {
            study,
            known,
            gaps: ledger.all_gaps(),
            redactions: ledger.redactions.get(deployment).cloned().unwrap_or_default(),
            deployed: deployed.map(str::to_owned),
            good: good.map(str::to_owned),
        }
    }

    pub fn concluded(self) -> Diagnosis {
        let _span = debug_span!("medic.diagnose").entered();
        let mut diagnosis = self.study.conclude(&self.known, self.gaps);
        diagnosis.redactions = self.redactions;
        let remembered = Remembered { deployed: self.deployed.as_deref(), good: self.good.as_deref() };
        diagnosis.changes = changes::since_last_good(&self.known, remembered);
        diagnosis
    }
}

/// Whether all that was described is known already, so that it changes nothing.
pub fn is_known(described: &Snapshot, known: &Snapshot) -> bool {
    holds(&known.services, &described.services)
        && holds(&known.task_definitions, &described.task_definitions)
        && holds(&known.tasks, &described.tasks)
        && holds(&known.service_deployments, &described.service_deployments)
        && holds(&known.target_groups, &described.target_groups)
        && holds(&known.target_health, &described.target_health)
        && holds(&known.images, &described.images)
        && holds(&known.stacks, &described.stacks)
        && holds(&known.alarms, &described.alarms)
}

fn holds<T: Ord>(known: &Part<Vec<T>>, described: &Part<Vec<T>>) -> bool {
    match (known, described) {
        (Part::Known(_), Part::Unknown { .. }) => true,
        (Part::Known(known), Part::Known(described)) => {
            // What a source describes again mostly stands as it stood.
            *known == *described || {
                let known: BTreeSet<&T> = known.iter().collect();
                described.iter().all(|item| known.contains(item))
            }
        }
        (Part::Unknown { .. }, _) => known == described || *described == Part::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::snapshot::{Alarm, Stack};

    fn stacks(names: &[&str]) -> Part<Vec<Stack>> {
        let stack = |name: &&str| Stack { stack_name: (*name).to_owned(), ..Stack::default() };
        Part::Known(names.iter().map(stack).collect())
    }

    /// Checks against what an update makes of it.
    #[track_caller]
    fn check(known: Snapshot, described: Snapshot, expected: bool) {
        let mut updated = known.clone();
        updated.update(described.clone());
        assert_eq!(updated == known, expected, "the update itself");
        assert_eq!(is_known(&described, &known), expected);
    }

    #[test]
    fn what_is_described_again_is_known() {
        let of = |stacks: Part<Vec<Stack>>| Snapshot { stacks, ..Snapshot::default() };
        check(of(stacks(&["a", "b"])), of(stacks(&["b"])), true);
        check(of(stacks(&["a", "b"])), of(stacks(&["b", "a"])), true);
        check(of(stacks(&["a"])), of(stacks(&["a", "b"])), false);
        check(of(stacks(&["a"])), Snapshot::default(), true);
        check(Snapshot::default(), of(stacks(&["a"])), false);
        check(Snapshot::default(), of(stacks(&[])), false);
        check(Snapshot::default(), Snapshot::default(), true);
        let denied = || of(Part::Unknown { reason: "access denied".to_owned() });
        check(denied(), denied(), true);
        check(Snapshot::default(), denied(), false);
        check(denied(), Snapshot::default(), true);
        check(of(stacks(&["a"])), denied(), true);
    }

    #[test]
    fn another_state_of_a_known_thing_is_news() {
        let alarm = |state: &str| Snapshot {
            alarms: Part::Known(vec![Alarm {
                alarm_name: "a".to_owned(),
                state_value: state.to_owned(),
                ..Alarm::default()
            }]),
            ..Snapshot::default()
        };
        check(alarm("OK"), alarm("OK"), true);
        check(alarm("OK"), alarm("ALARM"), false);
    }
}

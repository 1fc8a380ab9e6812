//! The simulated account as tests use it, and what it has seen.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;
use twin::{Clock, Scenario, Twin};

use crate::{medic, text};

/// It begins so many seconds ago: sources look for logs of the last hours.
const LEAD: i64 = 600;

/// A simulated account that runs, and what plays in it.
pub struct Account {
    pub scenario: Scenario,
    twin: Twin,
    /// It serves for as long as this lives.
    _runtime: tokio::runtime::Runtime,
}

impl Account {
    /// Starts a scenario whose clock runs.
    pub fn running(scenario: &str, speed: f64) -> Account {
        Account::start(scenario, Clock::running(begin(), speed))
    }

    /// Starts a scenario whose clock stands still until it is moved.
    pub fn standing(scenario: &str) -> Account {
        Account::start(scenario, Clock::manual(begin()))
    }

    /// Starts a scenario whose clock runs, and which began so many seconds ago.
    pub fn begun(scenario: &str, seconds: u64, speed: f64) -> Account {
        let begin = (jiff::Timestamp::now().as_second() - seconds as i64) * 1000;
        let account = Account::start(scenario, Clock::running(begin, speed));
        account.advance(seconds);
        account
    }

    fn start(scenario: &str, clock: Clock) -> Account {
        Account::playing(Scenario::built_in(scenario).expect("a built-in scenario"), clock)
    }

    /// Starts a scenario of a test's own, whose clock runs.
    pub fn running_own(scenario: Scenario, speed: f64) -> Account {
        Account::playing(scenario, Clock::running(begin(), speed))
    }

    fn playing(scenario: Scenario, clock: Clock) -> Account {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let twin = runtime.block_on(Twin::start(scenario.clone(), clock)).expect("the account starts");
        Account { scenario, twin, _runtime: runtime }
    }

    pub fn advance(&self, seconds: u64) {
        self.twin.advance(Duration::from_secs(seconds));
    }

    pub fn look<T>(&self, see: impl FnOnce(&twin::World) -> T) -> T {
        self.twin.look(see)
    }

    pub fn url(&self) -> String {
        self.twin.url()
    }

    /// Returns the command `medic`, pointed at the account.
    pub fn medic(&self) -> Command {
        let mut command = medic();
        command.env("AWS_ENDPOINT_URL", self.url()).env("AWS_REGION", "eu-central-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    /// Returns how often an action was called (`StartLiveTail`).
    pub fn times(&self, action: &str) -> usize {
        self.twin.calls().iter().filter(|call| call.action == action).count()
    }

    /// Returns how often anything was called.
    pub fn called(&self) -> usize {
        self.twin.calls().len()
    }

    /// Returns the actions that were called (`ecs:DescribeTasks`).
    pub fn calls(&self) -> BTreeSet<String> {
        self.twin.calls().into_iter().map(|call| format!("{}:{}", call.service, call.action)).collect()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.twin.stop();
    }
}

/// Asserts that the policy for reading allows all that was called.
#[track_caller]
pub fn assert_within_policy(scenario: &str, calls: &BTreeSet<String>) {
    let policy = medic().args(["iam-policy", "read"]).output().expect("medic runs");
    let policy = text(&policy);
    assert!(!calls.is_empty(), "{scenario}: nothing was called");
    for call in calls {
        // IAM has one action for deleting one message and for deleting several.
        let action = call.replace("DeleteMessageBatch", "DeleteMessage");
        assert!(policy.contains(&format!("\"{action}\"")), "{scenario}: {call} lies outside of the policy");
    }
}

fn begin() -> i64 {
    (jiff::Timestamp::now().as_second() - LEAD) * 1000
}

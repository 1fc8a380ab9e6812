//! Sources that read beside the deployment itself: a queue, the task metadata endpoint, a pipeline, alarms, change sets.

use std::path::Path;
use twin::Scenario;

use crate::simulated::{Account, assert_within_policy};
use crate::{count, diagnose, errors};

const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/medic-events";

/// Runs `medic collect --once` with sources.
#[track_caller]
fn collect(account: &Account, state: &Path, sources: &str, environment: &[(&str, &str)]) {
    let config = state.with_extension("toml");
    std::fs::write(&config, sources).expect("written");
    let mut command = account.medic();
    command.args(["collect", "--once", "--config"]).arg(&config).arg("--state").arg(state);
    let output = command.envs(environment.iter().copied()).output().expect("medic runs");
    assert!(output.status.success(), "{}", errors(&output));
}

fn queue() -> String {
    format!("[[source]]\nkind = \"eventbridge-sqs\"\nqueue_url = \"{QUEUE}\"\n")
}

#[test]
fn events_of_a_queue_are_stored_once_though_they_come_twice() {
    let account = Account::standing("database-refused");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    account.advance(150);
    collect(&account, &state, &queue(), &[]);
    let some = count(&state, "");
    assert!(some > 0);
    account.advance(420);
    // What was received and not deleted is shown again after its visibility time-out, and so are the doubles.
    for _ in 0..3 {
        collect(&account, &state, &queue(), &[]);
        account.advance(40);
    }
    let told: Vec<String> = account.look(|world| {
        let stopped = world.tasks.iter().filter(|task| task.stopped.is_some() && task.exit_code == Some(1));
        stopped.map(|task| task.id.clone()).collect()
    });
    assert!(told.len() >= 3, "{told:?}");
    for task in &told {
        assert_eq!(count(&state, &format!("\"task {task} STOPPED\"")), 1, "task {task}");
    }
    let doubles =
        account.look(|world| world.mailbox.values().filter(|delivery| delivery.deleted).count() as u64);
    assert!(doubles > count(&state, ""), "{doubles} messages came, some of them twice");
    assert_within_policy("database-refused", &account.calls());
}

#[test]
fn a_sidecar_tells_what_the_health_check_of_its_task_prints() {
    let account = Account::standing("slow-start");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    account.advance(20);
    let mut unhealthy = None;
    for _ in 0..120 {
        account.advance(5);
        unhealthy = account.look(|world| {
            let ill = |task: &&twin::world::Task| {
                task.health == twin::world::Health::Unhealthy && task.stopped.is_none()
            };
            world.tasks.iter().find(ill).map(|task| task.id.clone())
        });
        if unhealthy.is_some() {
            break;
        }
    }
    let task = unhealthy.expect("a task becomes unhealthy");
    let endpoint = format!("{}/v4/{task}", account.url());
    collect(
        &account,
        &state,
        "[[source]]\nkind = \"task-metadata\"\n",
        &[("ECS_CONTAINER_METADATA_URI_V4", &endpoint)],
    );
    assert_eq!(count(&state, "\"health=UNHEALTHY\" \"requested URL returned error\""), 1);
    assert_eq!(count(&state, "MemoryUtilization source:metric"), 1);
    assert_eq!(count(&state, "CPUUtilization source:metric"), 1);
}

#[test]
fn the_logs_of_the_jobs_of_a_run_are_stored_once_each() {
    let account = Account::standing("job-green-rolled-back");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let source = "[[source]]\nkind = \"github-actions\"\nrepository = \"shop/web\"\nrun = 7001\n";
    let api = format!("{}/github", account.url());
    let environment = [("GITHUB_API_URL", api.as_str()), ("GITHUB_TOKEN", "token")];
    account.advance(20);
    collect(&account, &state, source, &environment);
    assert_eq!(count(&state, "docker build"), 1, "the job that has ended");
    assert_eq!(count(&state, "\"update-service\""), 0, "the job that runs has no log yet");
    account.advance(20);
    for _ in 0..2 {
        collect(&account, &state, source, &environment);
        assert_eq!((count(&state, "docker build"), count(&state, "\"update-service\"")), (1, 1));
    }
    assert_eq!(count(&state, ""), 5);
}

#[test]
fn a_log_of_a_job_that_may_not_be_read_is_a_gap() {
    let account = Account::standing("job-green-rolled-back");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    account.advance(40);
    let source = "cluster = \"shop\"\nservice = \"web\"\n[[source]]\nkind = \"ecs\"\n[[source]]\nkind = \"github-actions\"\nrepository = \"shop/web\"\nrun = 7001\n";
    let api = format!("{}/github", account.url());
    collect(&account, &state, source, &[("GITHUB_API_URL", &api)]);
    let gaps = diagnose(&state)["gaps"].to_string();
    assert!(gaps.contains("log of job deploy") && gaps.contains("GITHUB_TOKEN"), "{gaps}");
}

#[test]
fn the_alarm_that_ended_a_deployment_is_told() {
    let account = Account::standing("alarm-rolls-back");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let place = "cluster = \"shop\"\nservice = \"web\"\n";
    // The alarm is judged at full minutes, and rests again once the deployment is undone.
    for _ in 0..9 {
        account.advance(60);
        collect(&account, &state, place, &[]);
    }
    assert_eq!(count(&state, "\"alarm web-cpu ALARM\""), 1);
    assert!(count(&state, "\"alarm detected\" source:ecs-service-event") > 0);
    assert!(account.calls().contains("cloudwatch:DescribeAlarms"));
    assert_within_policy("alarm-rolls-back", &account.calls());
}

#[test]
fn a_composite_alarm_that_ended_a_deployment_leads_to_the_metric_below_it() {
    let account = Account::standing("composite-alarm-rolls-back");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    for _ in 0..9 {
        account.advance(60);
        collect(&account, &state, "cluster = \"shop\"\nservice = \"web\"\n", &[]);
    }
    assert_eq!(count(&state, "\"web-release ended the deployment, it watches CPUUtilization\""), 1);
    assert_eq!(count(&state, "\"it watches MemoryUtilization\""), 0, "that alarm was never on");
    assert_within_policy("composite-alarm-rolls-back", &account.calls());
}

#[test]
fn a_change_set_that_could_not_be_made_is_found() {
    let account = Account::standing("change-set-fails");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    account.advance(60);
    for _ in 0..2 {
        collect(&account, &state, "stack = \"shop-web\"\n", &[]);
        assert_eq!(count(&state, "\"Creation of change set\""), 1);
    }
    let report = diagnose(&state);
    assert_eq!(report["root_cause"]["class"], "infrastructure/stack-failure", "{:#}", report["headline"]);
    assert!(report["root_cause"]["evidence"].to_string().contains("network-PrivateSubnetA"));
    assert_within_policy("change-set-fails", &account.calls());
}

/// Everything that can be read is read, in every scenario, in the middle and at the end.
#[test]
fn nothing_is_called_that_the_policy_does_not_allow() {
    let names: Vec<&str> = Scenario::names().collect();
    std::thread::scope(|scope| {
        for half in names.chunks(names.len().div_ceil(2)) {
            scope.spawn(move || half.iter().for_each(|name| check_policy(name)));
        }
    });
}

fn check_policy(name: &str) {
    let account = Account::standing(name);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let mut sources = String::from("cluster = \"shop\"\nservice = \"web\"\n");
    let kinds = ["ecs", "cloudwatch-logs", "target-health", "cloudwatch-metrics"];
    for kind in kinds.into_iter().chain(account.scenario.stack.iter().map(|_| "cloudformation")) {
        sources.push_str(&format!("[[source]]\nkind = \"{kind}\"\n"));
        if let Some(stack) = account.scenario.stack.as_ref().filter(|_| kind == "cloudformation") {
            sources.push_str(&format!("stack = \"{}\"\n", stack.name));
        }
    }
    sources.push_str(&queue());
    for seconds in [90, 480] {
        account.advance(seconds);
        collect(&account, &state, &sources, &[]);
    }
    assert_within_policy(name, &account.calls());
}

//! What is shown, and when watching ends.

use analyzer::deployment::{DETERMINISTIC, State, outcome};
use analyzer::diagnosis::Verdict;
use analyzer::record::Source;
use jiff::SignedDuration;
use serde_json::json;
use std::sync::{Arc, Mutex};
use unicode_width::UnicodeWidthStr;

use super::given::{at, book, going_well, rolled_back, scene, tag_missing};
use super::*;

const LIMITS: Limits = Limits {
    timeout: SignedDuration::from_secs(1800),
    settle: SignedDuration::from_secs(8),
    stand: SignedDuration::from_secs(30),
    blind: SignedDuration::from_secs(60),
};

fn text(scene: &Scene, width: usize) -> Vec<String> {
    view(scene, width).iter().map(Line::text).collect()
}

#[track_caller]
fn check_shows(scene: &Scene, expected: &[&str]) {
    let lines = text(scene, 100);
    for words in expected {
        assert!(lines.iter().any(|line| line.contains(words)), "`{words}` is not in\n{}", lines.join("\n"));
    }
}

#[test]
fn a_failing_deployment_is_shown_with_all_that_tells() {
    check_shows(
        &tag_missing(),
        &[
            "● web in prod  ecs-svc/2  2 min 5 s (usually 4 min 10 s)",
            "tasks fail, ECS tries again",
            "Revision  Rollout      Desired  Running  Pending   Failed",
            "web:42    IN_PROGRESS        2        0        1        3",
            "web:41    COMPLETED          2        2        0        0",
            "×3",
            "3 × CannotPullContainerError",
            "1c2d3e4f  77d1e0aa  8f0c12ab",
            "2 of 2 healthy",
            "3 of 10 failures",
            "2 quiet",
            "shop-web UPDATE_IN_PROGRESS",
            "pipeline/image/tag-not-found",
        ],
    );
}

#[test]
fn text_from_outside_steers_no_terminal_and_breaks_no_line() {
    let mut scene = tag_missing();
    scene.events[0].text = "a\u{1b}[2J\u{1b}]0;title\u{7}\nb\r::error::c\u{202e}".to_owned();
    for line in text(&scene, 100).into_iter().chain(changes(&mut Told::default(), &scene)) {
        assert!(!line.chars().any(reports::escape::is_invisible), "{line:?}");
        assert!(!line.trim_start().starts_with("::"), "{line:?}");
    }
}

#[test]
fn the_view_is_as_wide_as_the_screen() {
    for scene in [tag_missing(), rolled_back(), going_well(30, "IN_PROGRESS")] {
        for width in [20, 40, 60, 80, 200] {
            for line in text(&scene, width) {
                assert!(line.width() <= width, "{} of {width}: {line}", line.width());
            }
        }
    }
}

#[test]
fn a_narrow_screen_loses_no_count_and_no_phase() {
    let lines = text(&tag_missing(), 50);
    for words in [
        "tasks fail, ECS tries again",
        "Rev.    Rollout     Want  Run Wait Fail",
        "IN_PROGRESS    2    0    1    3",
    ] {
        assert!(lines.iter().any(|line| line.contains(words)), "`{words}` is not in\n{}", lines.join("\n"));
    }
}

#[test]
fn an_estimate_comes_from_earlier_deployments() {
    check_shows(&going_well(30, "IN_PROGRESS"), &["pulling images, about 3 min 40 s left"]);
    check_shows(&going_well(250, "COMPLETED"), &["✔ web", "100 %  completed"]);
}

#[track_caller]
fn check_end(scene: &Scene, stood: i64, expected: Option<End>) {
    let outcome = outcome(&scene.rollout());
    let since = scene.now.checked_sub(SignedDuration::from_secs(stood)).unwrap();
    assert_eq!(verdict_of_watch(scene, &outcome, since, &LIMITS), expected, "{outcome:?}");
}

#[test]
fn an_outcome_ends_watching_once_it_has_settled() {
    check_end(&going_well(250, "COMPLETED"), 7, None);
    check_end(&going_well(250, "COMPLETED"), 8, Some(End::Succeeded));
    check_end(&going_well(250, "IN_PROGRESS"), 200, None);
    check_end(&rolled_back(), 8, Some(End::Failed));
}

/// A deployment that ECS completed, of a service without a load balancer whose tasks have run for a while.
fn nothing_checks(ran: i64) -> Scene {
    let runs = |id: &str| {
        json!({"taskArn": format!("task/{id}"), "startedBy": "ecs-svc/2", "lastStatus": "RUNNING",
            "desiredStatus": "RUNNING", "startedAt": given::BEGAN + 100 - ran, "containers": []})
    };
    let parts = json!({"tasks": [runs("a"), runs("b")], "services": [{"serviceName": "web", "desiredCount": 2,
        "deployments": [{"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "COMPLETED", "desiredCount": 2,
            "runningCount": 2, "createdAt": given::BEGAN, "updatedAt": given::BEGAN + 95}]}]});
    let mut scene = scene(100, parts, &[]);
    scene.target.stack = None;
    scene
}

#[test]
fn a_success_that_nothing_checks_is_looked_at_until_its_tasks_have_run_long_enough() {
    check_end(&nothing_checks(5), 8, None);
    check_end(&nothing_checks(5), 29, None);
    check_end(&nothing_checks(5), 30, Some(End::Succeeded));
    check_end(&nothing_checks(30), 8, Some(End::Succeeded));
    check_shows(&nothing_checks(5), &["completed, seeing if it lasts"]);
    let told = changes(&mut Told::default(), &nothing_checks(5)).join("\n");
    assert!(told.contains("Medic looks whether they keep running") && !told.contains("outcome:"), "{told}");
}

#[test]
fn a_task_that_stops_after_the_completion_is_a_failure() {
    let mut scene = nothing_checks(5);
    let mut live = (*scene.live).clone();
    let stopped = json!({"taskArn": "task/c", "startedBy": "ecs-svc/2", "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
        "stoppedAt": given::BEGAN + 97, "containers": [{"name": "app", "exitCode": 1}]});
    let mut known = (*live.known).clone();
    known.update(given::snapshot(json!({"tasks": [stopped]})));
    live.known = Arc::new(known);
    scene.live = Arc::new(live);
    check_end(&scene, 7, None);
    check_end(&scene, 24, Some(End::Failed));
    check_shows(&scene, &["✘ web", "tasks fail, ECS tries again"]);
}

#[test]
fn a_failure_without_a_cause_is_given_longer() {
    let mut scene = rolled_back();
    let mut live = (*scene.live).clone();
    live.diagnosis = None;
    scene.live = Arc::new(live);
    check_end(&scene, 8, None);
    check_end(&scene, 24, Some(End::Failed));
}

#[test]
fn what_no_waiting_repairs_ends_watching() {
    let cause = "pipeline/image/tag-not-found".to_owned();
    check_end(&tag_missing(), 7, None);
    check_end(&tag_missing(), 8, Some(End::FailsFast { cause }));
}

#[test]
fn capacity_is_waited_for() {
    let parts = json!({"services": [{"serviceName": "web", "desiredCount": 1, "deployments": [
        {"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "desiredCount": 1, "runningCount": 0}]}]});
    let says = "(service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.";
    let scene = scene(600, parts, &[(Source::EcsServiceEvent, says)]);
    let root = scene.diagnosis().and_then(|diagnosis| diagnosis.root_cause()).unwrap();
    assert!(root.cause.starts_with("infrastructure/capacity/"), "{}", root.cause);
    check_end(&scene, 500, None);

    // At the end of the wait the deployment is not called failed: ECS goes on, and capacity may come.
    let mut diagnosis = scene.diagnosis().unwrap().clone();
    assert!(session::may_come_to_be(&diagnosis));
    (diagnosis.verdict, diagnosis.has_root_cause) = (Verdict::CannotTell, false);
    let told = guide(diagnosis, &outcome(&scene.rollout()), &End::TimedOut, book());
    assert!(told.headline.contains("still deploying"), "{}", told.headline);
    assert!(told.happened.iter().any(|text| text.contains("In the way so far")), "{:?}", told.happened);
}

#[test]
fn every_cause_that_ends_early_has_a_page() {
    for cause in DETERMINISTIC {
        assert!(book().get(cause).is_some(), "there is no page {cause}");
    }
}

#[test]
fn the_timeout_ends_watching() {
    let mut scene = going_well(1799, "IN_PROGRESS");
    check_end(&scene, 0, None);
    scene.now = at(1800);
    check_end(&scene, 0, Some(End::TimedOut));
}

#[test]
fn credentials_that_stay_refused_end_watching() {
    let mut scene = going_well(300, "IN_PROGRESS");
    let mut live = (*scene.live).clone();
    let mut diagnosis = (*live.diagnosis.unwrap()).clone();
    diagnosis.gaps = vec![Gap {
        what: "service web".to_owned(),
        because: "ecs:DescribeServices was refused for its credentials: the token is expired".to_owned(),
        remedy: None,
    }];
    live.diagnosis = Some(Arc::new(diagnosis));
    let live = Arc::new(live);
    scene.take(live.clone());
    check_end(&scene, 0, None);
    scene.now = at(330);
    scene.take(live.clone());
    check_end(&scene, 0, None);
    scene.now = at(361);
    scene.take(live);
    let because =
        "service web: ecs:DescribeServices was refused for its credentials: the token is expired".to_owned();
    check_end(&scene, 0, Some(End::Blind { because }));
}

#[test]
fn a_service_that_cannot_be_seen_ends_watching_with_the_gap() {
    let mut scene = scene(61, json!({}), &[]);
    scene.deployment = None;
    let mut live = (*scene.live).clone();
    live.deployment = None;
    live.deployments.clear();
    let mut diagnosis = (*live.diagnosis.unwrap()).clone();
    diagnosis.gaps = vec![Gap {
        what: "ecs".to_owned(),
        because: "access denied for ecs:DescribeServices".to_owned(),
        remedy: Some("allow ecs:DescribeServices".to_owned()),
    }];
    live.diagnosis = Some(Arc::new(diagnosis));
    scene.live = Arc::new(live);
    let because = "ecs: access denied for ecs:DescribeServices; allow ecs:DescribeServices".to_owned();
    check_end(&scene, 61, Some(End::Blind { because }));
}

#[test]
fn another_deployment_ends_watching_without_a_verdict() {
    let parts = json!({"services": [{"serviceName": "web", "desiredCount": 1, "deployments": [
        {"id": "ecs-svc/9", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "desiredCount": 1, "runningCount": 0}]}]});
    let scene = scene(100, parts, &[]);
    check_end(&scene, 8, Some(End::Unclear));
    assert_eq!(exit_code(&End::Unclear, Verdict::Healthy), 3);
}

#[test]
fn what_changes_has_to_settle_again() {
    let before = going_well(240, "IN_PROGRESS");
    let after = going_well(250, "COMPLETED");
    let mut settling = Settling::new(at(0));
    settling.look(&before, &outcome(&before.rollout()));
    assert_eq!(settling.since, at(240));
    settling.look(&after, &outcome(&after.rollout()));
    assert_eq!(settling.since, at(250));
    let mut later = after.clone();
    later.now = at(255);
    settling.look(&later, &outcome(&later.rollout()));
    assert_eq!(settling.since, at(250));
}

#[test]
fn exit_codes_are_those_of_diagnose() {
    assert_eq!(exit_code(&End::Succeeded, Verdict::Failed), 0);
    assert_eq!(exit_code(&End::Failed, Verdict::Healthy), 1);
    assert_eq!(exit_code(&End::FailsFast { cause: String::new() }, Verdict::CannotTell), 1);
    assert_eq!(exit_code(&End::TimedOut, Verdict::Failed), 1);
    assert_eq!(exit_code(&End::TimedOut, Verdict::Healthy), 3);
    assert_eq!(exit_code(&End::Interrupted, Verdict::CannotTell), 3);
}

#[test]
fn only_what_changed_is_told_where_nothing_is_drawn_again() {
    let mut told = Told::default();
    let mut scene = tag_missing();
    let first = changes(&mut told, &scene);
    assert!(first.contains(&"watching web (web:42): ecs-svc/2".to_owned()), "{first:#?}");
    assert!(
        first.contains(&"web:42 IN_PROGRESS: 2 desired, 0 running, 1 pending, 3 failed".to_owned()),
        "{first:#?}"
    );
    assert!(
        first.iter().any(|line| line.starts_with("stopped: 3 tasks (1c2d3e4f, 77d1e0aa, 8f0c12ab): Cannot"))
    );
    scene.now = at(130);
    assert_eq!(changes(&mut told, &scene), Vec::<String>::new());
    scene.now = at(190);
    assert_eq!(changes(&mut told, &scene), ["tasks fail, ECS tries again: 3 min 10 s so far"]);
}

#[test]
fn the_guide_says_what_became_of_the_deployment() {
    let scene = rolled_back();
    let result = outcome(&scene.rollout());
    assert_eq!(result.state, State::Failed);
    assert!(result.layers_disagree);
    let told = guide(scene.diagnosis().unwrap().clone(), &result, &End::Failed, book());
    assert!(told.happened[0].starts_with("The job is green, but ECS rolled web back"), "{:?}", told.happened);
    assert!(told.root.as_ref().unwrap().id.starts_with("application/database/"));
    let well = going_well(250, "COMPLETED");
    let result = outcome(&well.rollout());
    let told = guide(scene.diagnosis().unwrap().clone(), &result, &End::Succeeded, book());
    assert_eq!((told.verdict, told.root), (Verdict::Healthy, None));
    assert_eq!(told.headline, "ECS completed the deployment of web, and its tasks run.");
}

#[test]
fn what_is_under_way_is_not_called_healthy() {
    let well = going_well(250, "IN_PROGRESS");
    let mut diagnosis = well.diagnosis().unwrap().clone();
    diagnosis.verdict = Verdict::Healthy;
    let told = guide(diagnosis, &outcome(&well.rollout()), &End::TimedOut, book());
    assert_eq!(told.verdict, Verdict::CannotTell);
}

#[test]
fn the_deployment_that_was_seen_first_stays_the_one_that_is_watched() {
    let mut scene = tag_missing();
    let mut live = (*scene.live).clone();
    let other = DeploymentEntry { id: "ecs-svc/9".to_owned(), ..Default::default() };
    live.deployments.push(other.clone());
    live.deployment = Some(other);
    scene.take(Arc::new(live));
    assert_eq!(scene.rollout().id, "ecs-svc/2");
    assert!(scene.diagnosis().is_none(), "the diagnosis is that of another deployment");
}

#[test]
fn a_line_of_the_stream_has_the_names_of_the_design() {
    let scene = tag_missing();
    let line = status_line(&scene, &outcome(&scene.rollout()));
    let text = reports::status::render(&line).unwrap();
    assert_eq!(text.lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["deploymentStatus"]["phase"], "failing");
    assert_eq!(json["verdict"]["cause"], "pipeline/image/tag-not-found");
    for name in ["deploymentStatus", "healthStatus", "deploymentMetrics", "outcome"] {
        assert!(json[name].is_object(), "{name}");
    }
    for name in ["overall", "containers", "loadBalancer", "dependencies"] {
        assert!(!json["healthStatus"][name].is_null(), "{name}");
    }
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_view_takes_the_place_of_the_one_before() {
    let paper = Paper::default();
    let mut screen = Screen::new(Box::new(paper.clone()), true, false);
    let line = |text: &str| Line::of(text, Tone::Bad);
    screen.draw(&[line("a"), line("b"), line("c")], 3).unwrap();
    screen.draw(&[line("d")], 10).unwrap();
    screen.print(&[line("log")]).unwrap();
    screen.draw(&[line("e")], 10).unwrap();
    let written = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert_eq!(written, "a\nb\n\u{1b}[2F\u{1b}[Jd\n\u{1b}[1F\u{1b}[Jlog\ne\n");
}

#[test]
fn colours_are_off_where_they_are_not_wanted() {
    let paint = |colours: bool| {
        let paper = Paper::default();
        Screen::new(Box::new(paper.clone()), false, colours).print(&[Line::of("x", Tone::Bad)]).unwrap();
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    };
    assert_eq!(paint(false), "x\n");
    assert_eq!(paint(true), "\u{1b}[31mx\u{1b}[0m\n");
}

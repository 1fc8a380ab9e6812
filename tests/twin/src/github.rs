//! The part of GitHub's REST API that tells of a run of Actions: `/github` stands for `https://api.github.com`.

use crate::clock::Millis;
use crate::scenario::{Job, Pipeline};
use crate::wire::{iso, present};
use crate::world::World;
use serde_json::{Value, json};

/// What a request is answered with.
pub enum Reply {
    Json(Value),
    /// Where the log is; it is fetched from there without a token.
    Moved(String),
    Text(String),
    Refused(u16, &'static str),
}

/// Answers a request; `None` where it is none to GitHub.
pub fn answer(world: &World, path: &str, has_token: bool) -> Option<Reply> {
    if let Some(id) = path.strip_prefix("/github-logs/") {
        let job = world.scenario.pipeline.as_ref().and_then(|run| find(run, id));
        return Some(job.map_or(NOT_FOUND, |job| Reply::Text(log(world, job))));
    }
    let path = path.strip_prefix("/github/")?;
    let Some(run) = &world.scenario.pipeline else { return Some(NOT_FOUND) };
    let Some(rest) = path.strip_prefix(&format!("repos/{}/actions/", run.repository)) else {
        return Some(NOT_FOUND);
    };
    Some(match rest.split('/').collect::<Vec<&str>>().as_slice() {
        ["runs", id] if *id == run.run.to_string() => Reply::Json(run_json(world, run)),
        ["runs", id, "jobs"] if *id == run.run.to_string() => {
            let jobs: Vec<Value> =
                run.jobs.iter().enumerate().map(|(at, job)| job_json(world, run, at, job)).collect();
            Reply::Json(json!({ "total_count": jobs.len(), "jobs": jobs }))
        }
        ["jobs", _, "logs"] if !has_token => Reply::Refused(403, "Must have admin rights to Repository."),
        ["jobs", id, "logs"] => match find(run, id) {
            // The log of a job is there once the job has ended.
            Some(job) if world.now >= world.begin + job.ends && job.conclusion != "skipped" => {
                Reply::Moved(format!("/github-logs/{id}"))
            }
            _ => NOT_FOUND,
        },
        _ => NOT_FOUND,
    })
}

const NOT_FOUND: Reply = Reply::Refused(404, "Not Found");

fn id(run: &Pipeline, at: usize) -> u64 {
    run.run * 100 + at as u64
}

fn find<'p>(run: &'p Pipeline, wanted: &str) -> Option<&'p Job> {
    run.jobs.iter().enumerate().find(|(at, _)| id(run, *at).to_string() == wanted).map(|(_, job)| job)
}

fn run_json(world: &World, run: &Pipeline) -> Value {
    let ends = run.jobs.iter().map(|job| job.ends).max().unwrap_or(0);
    let has_ended = world.now >= world.begin + ends;
    let conclusion = match run.jobs.iter().any(|job| job.conclusion == "failure") {
        true => "failure",
        false => "success",
    };
    json!({
        "id": run.run,
        "name": "deploy",
        "head_branch": "main",
        "event": "push",
        "run_attempt": 1,
        "status": if has_ended { "completed" } else { "in_progress" },
        "conclusion": has_ended.then_some(conclusion),
        "created_at": seconds(world.begin),
        "updated_at": seconds(world.now),
    })
}

fn job_json(world: &World, run: &Pipeline, at: usize, job: &Job) -> Value {
    let (starts, ends) = (world.begin + job.starts, world.begin + job.ends);
    let status = match world.now {
        now if now >= ends => "completed",
        now if now >= starts => "in_progress",
        _ => "queued",
    };
    present(json!({
        "id": id(run, at),
        "run_id": run.run,
        "name": job.name,
        "status": status,
        "conclusion": (status == "completed").then_some(&job.conclusion),
        "started_at": seconds(starts),
        "completed_at": (status == "completed").then(|| seconds(ends)),
    }))
}

fn log(world: &World, job: &Job) -> String {
    let line = |at: Millis, text: &str| {
        // GitHub writes seven digits of a second.
        let time = iso(world.begin + job.starts + at);
        format!("{}0000Z {text}\n", time.trim_end_matches('Z'))
    };
    job.log.iter().map(|said| line(said.at, &said.text)).collect()
}

/// Writes a time as the API does: without parts of a second.
fn seconds(at: Millis) -> String {
    iso(at - at.rem_euclid(1000)).replace(".000Z", "Z")
}

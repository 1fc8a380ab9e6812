//! The logs of the jobs of a run of GitHub Actions, each as a whole once the job has ended.

use analyzer::diagnosis::Gap;
use analyzer::record::Source;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

use super::{Arrival, Closed, Delivery, Outlet, id};
use crate::formats;

const EVERY: Duration = Duration::from_secs(15);
/// Records are handed over in batches of this size.
const BATCH: usize = 2000;
const MOST_PAGES: usize = 10;
/// Answers are held in memory: a larger one is not read.
const LARGEST_ANSWER: usize = 256 << 20;

/// Reads until the run has ended or Medic stops, or once.
pub async fn run(
    repository: &str,
    run: u64,
    token_variable: &str,
    once: bool,
    cursor: Option<Value>,
    outlet: &Outlet,
) -> Result<(), Closed> {
    let mut done: Done = cursor.and_then(|cursor| serde_json::from_value(cursor).ok()).unwrap_or_default();
    let base = std::env::var("GITHUB_API_URL").unwrap_or_else(|_| "https://api.github.com".to_owned());
    let token = std::env::var(token_variable).ok().filter(|token| !token.is_empty());
    let client = match reqwest::Client::builder().timeout(Duration::from_secs(60)).build() {
        Ok(client) => client,
        Err(error) => {
            let because = format!("cannot make requests: {error}");
            return outlet
                .say_gaps(vec![Gap { what: format!("run {run} of {repository}"), because, remedy: None }])
                .await;
        }
    };
    let github = Github {
        client,
        runs: format!("{}/repos/{repository}/actions/runs/{run}", base.trim_end_matches('/')),
        jobs: format!("{}/repos/{repository}/actions/jobs", base.trim_end_matches('/')),
        what: format!("run {run} of {repository}"),
        token,
        token_variable: token_variable.to_owned(),
    };
    let mut said: Option<Vec<Gap>> = None;
    // What asking again does not change.
    let mut lasting: Vec<Gap> = Vec::new();
    loop {
        let mut gaps = Vec::new();
        let mut has_ended = false;
        match github.state().await {
            Ok((ended, jobs)) => {
                has_ended = ended;
                for job in jobs.iter().filter(|job| job.has_ended()) {
                    if done.0.contains(&job.id) {
                        continue;
                    }
                    match github.log(job).await {
                        Ok(log) => {
                            done.0.insert(job.id);
                            hand_over(&arrivals(repository, run, job, &log), &done, outlet).await?;
                        }
                        Err(trouble) if trouble.lasts => {
                            done.0.insert(job.id);
                            lasting.push(trouble.gap);
                        }
                        Err(trouble) => gaps.push(trouble.gap),
                    }
                }
            }
            Err(trouble) => gaps.push(trouble.gap),
        }
        let is_complete = has_ended && gaps.is_empty();
        gaps.extend(lasting.iter().cloned());
        if said.as_ref() != Some(&gaps) {
            outlet.say_gaps(gaps.clone()).await?;
            said = Some(gaps);
        }
        if once || is_complete {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The jobs whose logs are stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Done(BTreeSet<u64>);

/// A job of a run.
#[derive(Clone, Debug, PartialEq)]
struct Job {
    id: u64,
    name: String,
    status: String,
    conclusion: String,
}

impl Job {
    fn of(value: &Value) -> Option<Job> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = value.get("id")?.as_u64()?;
        Some(Job { id, name: text("name"), status: text("status"), conclusion: text("conclusion") })
    }

    /// Whether the job has ended and has a log: one that was skipped has none.
    fn has_ended(&self) -> bool {
        self.status == "completed" && self.conclusion != "skipped"
    }
}

struct Github {
    client: reqwest::Client,
    runs: String,
    jobs: String,
    what: String,
    token: Option<String>,
    token_variable: String,
}

impl Github {
    /// Returns whether the run has ended, and its jobs.
    async fn state(&self) -> Result<(bool, Vec<Job>), Trouble> {
        let run = self.json(&self.runs).await?;
        let mut jobs = Vec::new();
        for page in 1..=MOST_PAGES {
            let answer = self.json(&format!("{}/jobs?per_page=100&page={page}", self.runs)).await?;
            let of_page: Vec<Job> =
                answer["jobs"].as_array().into_iter().flatten().filter_map(Job::of).collect();
            let is_last = of_page.len() < 100;
            jobs.extend(of_page);
            if is_last {
                break;
            }
        }
        Ok((run["status"] == "completed", jobs))
    }

    async fn log(&self, job: &Job) -> Result<Vec<u8>, Trouble> {
        self.get(&format!("{}/{}/logs", self.jobs, job.id), &format!("log of job {}", job.name)).await
    }

    async fn json(&self, url: &str) -> Result<Value, Trouble> {
        let bytes = self.get(url, &self.what).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| trouble(&self.what, format!("the answer is no JSON: {error}"), None))
    }

    async fn get(&self, url: &str, what: &str) -> Result<Vec<u8>, Trouble> {
        let mut request = self
            .client
            .get(url)
            .header(USER_AGENT, "medic")
            .header(ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let failed = |error: reqwest::Error| {
            let remedy = "let the network reach the API of GitHub (`GITHUB_API_URL`, api.github.com); it is asked again";
            trouble(what, format!("GitHub gave no answer: {}", error.without_url()), Some(remedy.to_owned()))
        };
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if !status.is_success() {
            let remedy = self.remedy(status);
            return Err(trouble(what, format!("GitHub answered {status}"), remedy));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > LARGEST_ANSWER {
                let because = format!("it is larger than {} MB", LARGEST_ANSWER >> 20);
                return Err(Trouble { lasts: true, ..trouble(what, because, None) });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// GitHub says of what may not be seen that it is not there.
    fn remedy(&self, status: StatusCode) -> Option<String> {
        let is_refused =
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status);
        Some(match self.token {
            _ if !is_refused => format!("nothing: it is asked again every {} s", EVERY.as_secs()),
            None => format!("set {} to a token with `actions: read`", self.token_variable),
            Some(_) => "give the token the permission `actions: read`".to_owned(),
        })
    }
}

/// Why something could not be read.
struct Trouble {
    gap: Gap,
    /// Whether asking again changes nothing.
    lasts: bool,
}

fn trouble(what: &str, because: String, remedy: Option<String>) -> Trouble {
    Trouble { gap: Gap { what: what.to_owned(), because, remedy }, lasts: false }
}

/// Reads the log of a job.
fn arrivals(repository: &str, run: u64, job: &Job, log: &[u8]) -> Vec<Arrival> {
    let name = format!("github:{repository}/{run}/{}", job.name);
    let mut collected = formats::Collected::default();
    // Reading from memory does not fail.
    let _ = formats::read(&name, Some(Source::GithubActions), log, &mut collected);
    let job_id = job.id.to_string();
    let identified = collected.records.into_iter().map(|record| Arrival {
        id: id(&["github", repository, &job_id, &record.line.to_string(), &record.text]),
        further: Vec::new(),
        record,
    });
    identified.collect()
}

/// Hands the records of a job over; the cursor comes with the last of them.
async fn hand_over(arrivals: &[Arrival], done: &Done, outlet: &Outlet) -> Result<(), Closed> {
    let mut batches = arrivals.chunks(BATCH).peekable();
    if batches.peek().is_none() {
        return outlet
            .deliver(Delivery { cursor: serde_json::to_value(done).ok(), ..Delivery::default() })
            .await;
    }
    while let Some(batch) = batches.next() {
        let cursor = if batches.peek().is_none() { serde_json::to_value(done).ok() } else { None };
        outlet.deliver(Delivery { records: batch.to_vec(), cursor, ..Delivery::default() }).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_jobs_that_have_ended_have_a_log() {
        let job = |status: &str, conclusion: Value| {
            Job::of(&json!({"id": 7, "name": "deploy", "status": status, "conclusion": conclusion})).unwrap()
        };
        assert!(job("completed", json!("failure")).has_ended());
        assert!(!job("completed", json!("skipped")).has_ended());
        assert!(!job("in_progress", Value::Null).has_ended());
    }

    #[test]
    fn a_log_is_read_the_same_each_time() {
        let job = Job { id: 7, name: "deploy".to_owned(), status: String::new(), conclusion: String::new() };
        let log = b"2026-11-01T10:00:00.0000000Z ##[group]Run cdk deploy\n2026-11-01T10:00:01.0000000Z ##[error]Process completed with exit code 1.\n";
        let ids =
            |arrivals: Vec<Arrival>| -> Vec<u64> { arrivals.iter().map(|arrival| arrival.id).collect() };
        let first = arrivals("shop/web", 1, &job, log);
        assert_eq!(first.len(), 2);
        assert_eq!(first[0].record.stream.name, "github:shop/web/1/deploy");
        assert_eq!(ids(first), ids(arrivals("shop/web", 1, &job, log)));
    }
}

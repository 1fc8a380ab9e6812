//! `medic watch`: what a pipeline runs right after it deployed.

use analyzer::deployment::{Job, Outcome};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use reports::{Format, Guide};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use super::watched::Watched;
use super::{HEALTHY, collect, diagnose, knowledge};
use crate::config::{Config, Span};
use crate::deliver::{self, Slack, github};
use crate::telemetry;
use crate::watch::{self, Ended, Limits, Scene, Screen, Session};

/// Watches a deployment until it has an outcome, and tells why it failed.
///
/// The live view goes to standard error, the guide to standard output. Watching ends early when a cause is found that
/// no waiting repairs, such as an image tag that does not exist; ECS may go on then.
#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    watched: Watched,

    /// How long to wait for an outcome [default: 30m]
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,

    /// Show the lines of the containers' logs as they arrive
    #[arg(long)]
    follow_logs: bool,

    /// Where records are kept [default: a directory that is removed at the end]
    #[arg(long, value_name = "DIR", env = "MEDIC_STATE")]
    state: Option<PathBuf>,

    /// What standard output is given
    #[arg(long, value_enum, default_value_t = WatchFormat::Text)]
    format: WatchFormat,

    /// Send the guide (may be given more than once)
    #[arg(long, value_enum, value_name = "WHERE")]
    post: Vec<Post>,

    /// What the pipeline says of its own steps (`${{ job.status }}`), to tell where it and ECS disagree
    #[arg(long, value_enum, value_name = "STATUS")]
    job: Option<JobArgument>,

    /// End with 0 whatever was found; only where Medic itself fails it ends with 2
    #[arg(long)]
    exit_zero: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WatchFormat {
    /// The guide at the end
    Text,
    /// One JSON object a line as things change; the last holds the report
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Post {
    /// To the incoming webhook in MEDIC_SLACK_WEBHOOK
    Slack,
    /// To the summary and the annotations of the job
    Github,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum JobArgument {
    Success,
    Failure,
    Cancelled,
    TimedOut,
}

impl Watch {
    pub fn run(self) -> Result<u8> {
        let config = self.watched.clone().configuration(Vec::new(), "watch")?;
        let runtime = collect::runtime()?;
        // The live view is on standard error itself; what goes wrong meanwhile is a gap in it.
        let _telemetry = telemetry::begin("error", &config, runtime.handle());
        let slack = match self.post.contains(&Post::Slack) {
            // What cannot be sent is better said before half an hour than after.
            true => Some(Slack::from_environment(&config.deliver)?),
            false => None,
        };
        let patterns = Box::leak(Box::new(knowledge::load(config.patterns.as_deref())?));
        let temporary = match self.state.is_some() || config.state.is_some() {
            true => None,
            false => Some(tempfile::tempdir().context("cannot make a directory for the records")?),
        };
        let kept = self.state.clone().or(config.state.clone());
        let state = kept.clone().or(temporary.as_ref().map(|folder| folder.path().to_owned()));
        let state = state.context("no directory for the records")?;
        let muted = Muted::begin();
        let interrupt = CancellationToken::new();
        let session = Session {
            limits: limits(self.timeout.unwrap_or(config.watch.timeout), &config)?,
            config,
            patterns,
            state: state.clone(),
            follow: self.follow_logs,
            job: self.job.map(job),
            interrupt: interrupt.clone(),
        };
        let screen = (self.format == WatchFormat::Text).then(Screen::of_stderr);
        let is_json = self.format == WatchFormat::Json;
        let mut stream = Stream::default();
        // Whoever reads the stream no longer needs it: then watching ends, with what is known by then.
        let unread = interrupt.clone();
        let ended = runtime.block_on(async {
            tokio::spawn(end_on_signal(interrupt));
            watch::run(session, screen, |scene, outcome| match is_json {
                true => told(stream.tell(scene, outcome), &unread),
                false => Ok(()),
            })
            .await
        })?;
        let exit_code = watch::exit_code(&ended.end, ended.diagnosis.verdict);
        let guide = watch::guide(ended.diagnosis.clone(), &ended.outcome, &ended.end, patterns);
        self.conclude(&ended, &guide, exit_code)?;
        muted.end(is_json);
        runtime.block_on(self.deliver(&guide, slack, &state, kept.is_some()));
        Ok(if self.exit_zero { HEALTHY } else { exit_code })
    }

    /// Prints how watching ended, and the guide.
    fn conclude(&self, ended: &Ended, guide: &Guide, exit_code: u8) -> Result<()> {
        let Ended { end, scene, outcome, .. } = ended;
        if self.format == WatchFormat::Json {
            let line = watch::last_line(scene, outcome, end, exit_code, guide);
            return super::print(&reports::status::render(&line)?).context("cannot write the report");
        }
        super::say(&format!("\n{}\n", end.says(scene, outcome)));
        diagnose::print(guide, Format::Text)
    }

    /// Sends the guide where it is asked for; what cannot be sent changes no exit code.
    async fn deliver(&self, guide: &Guide, slack: Option<Slack>, state: &Path, is_kept: bool) {
        if self.post.contains(&Post::Github) {
            let summary = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
            let posted = match self.format {
                WatchFormat::Text => github::post(guide, summary.as_deref(), &mut std::io::stdout()),
                WatchFormat::Json => github::post(guide, summary.as_deref(), &mut std::io::stderr()),
            };
            if let Err(error) = posted {
                super::say(&format!("medic: {error:#}"));
            }
        }
        let Some(slack) = slack else { return };
        let outbox = deliver::Outbox::new(state.join("outbox/slack"));
        if let Err(error) = slack.post(&outbox, &reports::slack::payload(guide)).await {
            let then = match (outbox.waiting().is_empty(), is_kept) {
                (true, _) => "",
                (false, true) => "; it is sent the next time",
                (false, false) => {
                    "; it is lost with the temporary state; with --state DIR it is sent the next time"
                }
            };
            super::say(&format!("medic: the message was not sent to Slack: {error:#}{then}"));
        }
    }
}

/// Ends watching where the reader of the stream has gone.
fn told(written: Result<()>, unread: &CancellationToken) -> Result<()> {
    let is_gone = |error: &anyhow::Error| error.downcast_ref::<std::io::Error>().is_some_and(super::has_gone);
    match written {
        Err(error) if is_gone(&error) => unread.cancel(),
        other => return other,
    }
    Ok(())
}

/// The JSON stream: a line when anything but the time changed.
#[derive(Default)]
struct Stream {
    last: String,
}

impl Stream {
    fn tell(&mut self, scene: &Scene, outcome: &Outcome) -> Result<()> {
        let mut line = watch::status_line(scene, outcome);
        let time = line.time;
        line.time = jiff::Timestamp::UNIX_EPOCH;
        line.deployment_metrics.duration = None;
        let timeless = reports::status::render(&line)?;
        if timeless == self.last {
            return Ok(());
        }
        self.last = timeless;
        line = watch::status_line(scene, outcome);
        line.time = time;
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(reports::status::render(&line)?.as_bytes())?;
        stdout.flush()?;
        Ok(())
    }
}

/// In a job of GitHub, text that looks like a workflow command is one: commands are off while text from outside is shown.
struct Muted {
    token: Option<String>,
}

impl Muted {
    fn begin() -> Muted {
        let in_job = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        let token = in_job.then(github::token);
        if let Some(token) = &token {
            super::say(&format!("::stop-commands::{token}"));
        }
        Muted { token }
    }

    fn end(self, on_stderr: bool) {
        match self.token {
            Some(token) if on_stderr => super::say(&format!("::{token}::")),
            // Who no longer reads needs no commands either.
            Some(token) => drop(super::print(&format!("::{token}::\n"))),
            None => {}
        }
    }
}

fn limits(timeout: Span, config: &Config) -> Result<Limits> {
    let signed = |span: Duration| SignedDuration::try_from(span).context("the span of time is too long");
    Ok(Limits {
        timeout: signed(timeout.0)?,
        settle: signed(config.watch.settle.0)?,
        stand: signed(config.watch.stand.0)?,
        blind: SignedDuration::from_secs(60),
    })
}

fn job(argument: JobArgument) -> Job {
    match argument {
        JobArgument::Success => Job::Succeeded,
        JobArgument::Failure => Job::Failed,
        JobArgument::Cancelled => Job::Cancelled,
        JobArgument::TimedOut => Job::TimedOut,
    }
}

/// Ends watching at the first signal; a second one ends Medic at once.
async fn end_on_signal(interrupt: CancellationToken) {
    let Some(mut signals) = Signals::heard() else { return };
    signals.next().await;
    interrupt.cancel();
    signals.next().await;
    std::process::exit(130);
}

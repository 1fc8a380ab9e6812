//! `medic demo`: a deployment that fails, watched live; no account needed.

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::process::{Command, Stdio};
use twin::{Clock, Scenario, Twin};

use super::diagnose::{FormatArgument, of_texts, recorded, show};
use super::{HEALTHY, collect, knowledge};
use crate::collect::diagnose_stored;
use crate::index::Reader;
use crate::input::Span;

/// Deploys a service that fails in a simulated account, watches it, and shows the guide.
#[derive(Debug, Args)]
pub struct Demo {
    /// What happens: `database-refused`, `image-missing`, `oom`, `health-check-404` …
    #[arg(long, value_name = "NAME", default_value = "database-refused")]
    scenario: String,

    /// Diagnose embedded files instead, as `medic diagnose` does
    #[arg(long)]
    files: bool,

    /// How the guide is written
    #[arg(long, value_enum, default_value_t = FormatArgument::Text)]
    format: FormatArgument,
}

/// What a team had at hand after a deployment failed: API answers, a log, the output of the pipeline.
const FILES: &[(&str, &str)] = &[
    ("services.json", include_str!("../../demo/services.json")),
    ("task-definition.json", include_str!("../../demo/task-definition.json")),
    ("task-definition-41.json", include_str!("../../demo/task-definition-41.json")),
    ("tasks.json", include_str!("../../demo/tasks.json")),
    ("target-health.json", include_str!("../../demo/target-health.json")),
    ("stack-events.json", include_str!("../../demo/stack-events.json")),
    ("web.container-log.log", include_str!("../../demo/web.container-log.log")),
    ("deploy.github-actions.log", include_str!("../../demo/deploy.github-actions.log")),
];

/// So many seconds of the simulated account pass in one.
const SPEED: f64 = 20.0;
/// How much time of the account passes until the demo ends, about: it begins so long ago.
const LEAD: SignedDuration = SignedDuration::from_secs(240);

/// Polls as often as the hurried clock of the account needs.
const CONFIG: &str = r#"
cluster = "shop"
service = "web"
region = "eu-central-1"

[watch]
timeout = "60s"
settle = "2s"

[[source]]
kind = "ecs"
every = "300ms"

[[source]]
kind = "cloudwatch-logs"
every = "300ms"

[[source]]
kind = "target-health"
every = "300ms"

[[source]]
kind = "cloudwatch-metrics"
every = "2s"
"#;

const STACK: &str = r#"
[[source]]
kind = "cloudformation"
stack = "STACK"
every = "300ms"
"#;

impl Demo {
    pub fn run(self) -> Result<u8> {
        if self.files {
            let patterns = knowledge::load(None)?;
            let diagnosis = of_texts(FILES.iter().copied(), &patterns);
            show(&diagnosis, &patterns, self.format.format())?;
            // The demo did what it is for.
            return Ok(HEALTHY);
        }
        let Some(scenario) = Scenario::built_in(&self.scenario) else {
            let known: Vec<&str> = Scenario::names().collect();
            bail!("there is no scenario `{}`; there are {}", self.scenario, known.join(", "));
        };
        let folder = tempfile::tempdir().context("cannot make a directory for the records")?;
        let mut config = CONFIG.to_owned();
        if let Some(stack) = &scenario.stack {
            config.push_str(&STACK.replace("STACK", &stack.name));
        }
        let path = folder.path().join("medic.toml");
        std::fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        super::say(&format!(
            "A simulated account deploys `web` on cluster `shop`: {}.\n\
             Its clock runs {SPEED} times as fast. The same with your account: medic watch --cluster C --service S\n",
            scenario.title
        ));
        let begin = Timestamp::now().checked_sub(LEAD).unwrap_or(Timestamp::UNIX_EPOCH);
        let runtime = collect::runtime()?;
        let clock = Clock::running(begin.as_millisecond(), SPEED);
        let account =
            runtime.block_on(Twin::start(scenario, clock)).context("cannot start the simulated account")?;
        self.watch(&account.url(), &path, folder.path())?;
        account.stop();
        if self.format != FormatArgument::Text {
            let patterns = knowledge::load(None)?;
            let reader = Reader::open(folder.path())?;
            let id = recorded(&reader, None)?;
            show(
                &diagnose_stored(&reader, &patterns, &id, Span::default())?,
                &patterns,
                self.format.format(),
            )?;
        }
        Ok(HEALTHY)
    }

    /// Runs `medic watch` as a pipeline would, in a process whose environment points to the simulated account.
    fn watch(&self, url: &str, config: &Path, state: &Path) -> Result<()> {
        let medic = std::env::current_exe().context("cannot find the program itself")?;
        let mut watch = Command::new(medic);
        watch.args(["watch", "--exit-zero", "--config"]).arg(config).arg("--state").arg(state);
        watch.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "eu-central-1");
        watch.env("AWS_ACCESS_KEY_ID", "demo").env("AWS_SECRET_ACCESS_KEY", "demo");
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN"] {
            watch.env_remove(name);
        }
        for name in ["SERVICE", "CLUSTER", "STACK", "REGION", "PROFILE"] {
            watch.env_remove(format!("MEDIC_{name}"));
        }
        watch.env("MEDIC_LOG", std::env::var("MEDIC_LOG").unwrap_or_else(|_| "error".to_owned()));
        if self.format != FormatArgument::Text {
            watch.stdout(Stdio::null());
        }
        let status = watch.status().context("cannot start `medic watch`")?;
        if !status.success() {
            bail!("`medic watch` ended with {status}");
        }
        Ok(())
    }
}

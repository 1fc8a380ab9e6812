//! `medic demo`: an embedded example, from its records to its guide.

use clap::Args;

use super::diagnose::{FormatArgument, of_texts, show};
use super::{HEALTHY, knowledge};

/// Diagnoses an embedded example: a failed deployment, no account needed.
#[derive(Debug, Args)]
pub struct Demo {
    /// How the guide is written
    #[arg(long, value_enum, default_value_t = FormatArgument::Text)]
    format: FormatArgument,
}

/// What a team had at hand after a deployment failed: API answers, a log, the output of the pipeline.
const FILES: &[(&str, &str)] = &[
    ("services.json", include_str!("../../demo/services.json")),
    ("task-definition.json", include_str!("../../demo/task-definition.json")),
    ("tasks.json", include_str!("../../demo/tasks.json")),
    ("target-health.json", include_str!("../../demo/target-health.json")),
    ("stack-events.json", include_str!("../../demo/stack-events.json")),
    ("web.container-log.log", include_str!("../../demo/web.container-log.log")),
    ("deploy.github-actions.log", include_str!("../../demo/deploy.github-actions.log")),
];

impl Demo {
    pub fn run(self) -> anyhow::Result<u8> {
        let patterns = knowledge::load(None)?;
        let diagnosis = of_texts(FILES.iter().copied(), &patterns);
        show(&diagnosis, &patterns, self.format.format())?;
        // The demo did what it is for.
        Ok(HEALTHY)
    }
}

//! What is read, and where it is: the flags that `check`, `collect`, `iam-policy` and `watch` share.

use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

use crate::config::{Config, SourceConfig};
use crate::sources;

#[derive(Clone, Debug, Default, Args)]
pub struct Watched {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "MEDIC_CONFIG")]
    config: Option<PathBuf>,

    /// The cluster of the service
    #[arg(long, value_name = "NAME", env = "MEDIC_CLUSTER")]
    cluster: Option<String>,

    /// The service that is deployed
    #[arg(long, value_name = "NAME", env = "MEDIC_SERVICE")]
    service: Option<String>,

    /// The CloudFormation stack that deploys the service
    #[arg(long, value_name = "NAME", env = "MEDIC_STACK")]
    stack: Option<String>,

    /// The region [default: what the environment or the profile says; `iam-policy` reads no profile]
    #[arg(long, value_name = "NAME", env = "MEDIC_REGION")]
    region: Option<String>,

    /// The profile of the AWS tools that gives credentials and region [default: AWS_PROFILE]
    #[arg(long, value_name = "NAME", env = "MEDIC_PROFILE")]
    profile: Option<String>,
}

impl Watched {
    /// Returns the configuration: the file's, with what flags and the environment say, and with `more` sources.
    /// Where no source is configured, it has those that the cluster, the service and the stack ask for.
    pub fn configuration(self, more: Vec<SourceConfig>, what_for: &str) -> Result<Config> {
        let mut config = self.read()?;
        config.sources.extend(more);
        if config.sources.is_empty() {
            config.sources = sources::usual(&config);
        }
        if config.sources.is_empty() {
            bail!(
                "there is nothing to {what_for}: name --cluster and --service, or a --config with a [[source]]"
            );
        }
        Ok(config)
    }

    /// Returns the file's configuration, with what flags and the environment say.
    pub fn read(self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        config.cluster = named(self.cluster).or(config.cluster);
        config.service = named(self.service).or(config.service);
        config.stack = named(self.stack).or(config.stack);
        config.region = named(self.region).or(config.region);
        config.profile = named(self.profile).or(config.profile);
        // A stack that only its source names is the deployment's all the same.
        config.stack =
            config.stack.or_else(|| config.sources.iter().find_map(SourceConfig::stack).map(str::to_owned));
        Ok(config)
    }
}

/// Returns a name; an empty one names nothing.
fn named(name: Option<String>) -> Option<String> {
    name.filter(|name| !name.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_names_nothing() {
        let empty = || Some(" ".to_owned());
        let watched = Watched {
            cluster: empty(),
            service: empty(),
            stack: empty(),
            region: empty(),
            ..Watched::default()
        };
        assert_eq!(watched.clone().read().unwrap(), Config::default());
        let error = watched.configuration(Vec::new(), "record").unwrap_err().to_string();
        assert!(error.starts_with("there is nothing to record"), "{error}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("medic.toml");
        std::fs::write(
            &file,
            "cluster = \"shop\"\nservice = \"web\"\nregion = \"eu-west-1\"\nprofile = \"a\"\n",
        )
        .unwrap();
        let watched = Watched {
            config: Some(file),
            service: Some("api".to_owned()),
            region: Some("eu-central-1".to_owned()),
            ..Watched::default()
        };
        let config = watched.configuration(Vec::new(), "record").unwrap();
        let said = [&config.cluster, &config.service, &config.region, &config.profile].map(Option::as_deref);
        assert_eq!(said, [Some("shop"), Some("api"), Some("eu-central-1"), Some("a")]);
        assert!(!config.sources.is_empty());
    }

    #[track_caller]
    fn check_stack(text: &str, flag: Option<&str>, expected: Option<&str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let stack = flag.map(str::to_owned);
        let watched = Watched { config: Some(file.path().to_owned()), stack, ..Watched::default() };
        let config = watched.configuration(Vec::new(), "watch").unwrap();
        assert_eq!(config.stack.as_deref(), expected);
    }

    #[test]
    fn the_stack_of_a_source_is_the_deployments() {
        let source =
            "[[source]]\nkind = \"ecs\"\n[[source]]\nkind = \"cloudformation\"\nstack = \"shop-web\"\n";
        check_stack(source, None, Some("shop-web"));
        check_stack(source, Some("other"), Some("other"));
        check_stack(&format!("stack = \"shop\"\n{source}"), None, Some("shop"));
        check_stack("cluster = \"shop\"\nservice = \"web\"\n", None, None);
    }

    #[test]
    fn without_a_source_there_is_nothing_to_do() {
        let error = Watched::default().configuration(Vec::new(), "watch").unwrap_err().to_string();
        assert!(error.starts_with("there is nothing to watch: name --cluster"), "{error}");
    }
}

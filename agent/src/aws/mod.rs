//! AWS: the table of calls, and what every call goes through.

#[cfg(feature = "aws")]
mod asking;
#[cfg(feature = "aws")]
mod budget;
pub mod calls;
#[cfg(feature = "cloudwatch-logs")]
mod host;
#[cfg(feature = "aws")]
mod json;
#[cfg(any(feature = "cloudwatch-logs", feature = "cloudwatch-metrics", feature = "ecs"))]
mod pages;
pub mod place;
#[cfg(feature = "aws")]
mod trouble;

#[cfg(feature = "aws")]
pub use asking::Asking;
#[cfg(feature = "aws")]
pub use connected::Aws;
#[cfg(feature = "cloudwatch-logs")]
pub use host::PlainHost;
#[cfg(feature = "aws")]
pub use json::Fields;
#[cfg(any(feature = "cloudwatch-logs", feature = "cloudwatch-metrics", feature = "ecs"))]
pub use pages::Pages;
pub use place::Place;
#[cfg(feature = "aws")]
pub use trouble::{Kind, Trouble};

#[cfg(feature = "aws")]
mod connected {
    use aws_config::profile::ProfileFileCredentialsProvider;
    use aws_config::retry::RetryConfig;
    use aws_config::timeout::TimeoutConfig;
    use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
    use aws_smithy_http_client::proxy::ProxyConfig;
    use aws_smithy_http_client::tls::Provider;
    use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
    use aws_smithy_http_client::{Builder, ConnectorBuilder};
    use aws_smithy_runtime_api::client::http::SharedHttpClient;
    use std::sync::OnceLock;
    use std::time::Duration;

    use super::budget::Budgets;
    use super::place::account_in_arn;

    /// A connection to an account: all sources share it, because they share the account's limits.
    #[derive(Debug)]
    pub struct Aws {
        pub config: SdkConfig,
        pub budgets: Budgets,
        /// The account, once an ARN has told it.
        account: OnceLock<String>,
    }

    /// Returns the one HTTP client of all services; by default each has its own, with its own trusted certificates.
    fn one_client() -> SharedHttpClient {
        Builder::new().build_with_connector_fn(|settings, components| {
            let provider = Provider::Rustls(CryptoMode::AwsLc);
            let mut connector = ConnectorBuilder::default().tls_provider(provider);
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector.set_proxy_config(Some(ProxyConfig::from_env()));
            connector.build()
        })
    }

    impl Aws {
        /// Connects as the environment, the profile and the configuration say.
        pub async fn connect(region: Option<&str>, profile: Option<&str>) -> Aws {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                // A queue may take 20 s to answer.
                .operation_attempt_timeout(Duration::from_secs(30))
                .operation_timeout(Duration::from_secs(75))
                .build();
            let mut loader = aws_config::defaults(BehaviorVersion::latest())
                .http_client(one_client())
                .timeout_config(timeouts);
            if let Ok(name) = AppName::new("medic") {
                loader = loader.app_name(name);
            }
            if let Some(profile) = profile {
                // A profile that was named wins over keys in the environment, as it does in the AWS tools.
                let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).build();
                loader = loader.profile_name(profile).credentials_provider(credentials);
            }
            if let Some(region) = region {
                loader = loader.region(Region::new(region.to_owned()));
            }
            Aws::new(loader.load().await)
        }

        /// Takes a configuration, but not its retries: those of the SDK would pass the budgets by. [`super::Asking`]
        /// retries, and slows down the calls that are throttled; the adaptive mode of the SDK slows down all calls
        /// of a client.
        pub fn new(config: SdkConfig) -> Aws {
            let config = config.into_builder().retry_config(RetryConfig::disabled()).build();
            let region = config.region().map(ToString::to_string).unwrap_or_default();
            Aws { budgets: Budgets::new(&region), config, account: OnceLock::new() }
        }

        /// Returns the region; empty where none is known.
        pub fn region(&self) -> &str {
            self.config.region().map(AsRef::as_ref).unwrap_or_default()
        }

        /// Takes the account from an ARN that was read.
        pub fn learn_account(&self, arn: &str) {
            if let Some(account) = account_in_arn(arn) {
                self.account.get_or_init(|| account.to_owned());
            }
        }

        pub fn account(&self) -> Option<&str> {
            self.account.get().map(String::as_str)
        }
    }
}

//! Sends messages to an incoming webhook of Slack.
//!
//! The address of the webhook is a secret: whoever knows it can post. It is in no message, log or error.

use anyhow::{Context, Result, anyhow, bail};
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;
use std::time::Duration;
use tracing::{info, warn};

use super::outbox::{Message, Outbox, Waiting};
use crate::config::Deliver;

/// How often and how fast is sent.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Slack takes about one message a second.
    between: Duration,
    first_retry: Duration,
    longest_retry: Duration,
    retries: usize,
}

const USUAL: Pace = Pace {
    between: Duration::from_secs(1),
    first_retry: Duration::from_millis(500),
    longest_retry: Duration::from_secs(30),
    retries: 4,
};
const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Slack {
    webhook: reqwest::Url,
    client: reqwest::Client,
    pace: Pace,
}

/// Why a message was not sent.
#[derive(Debug)]
enum Failure {
    /// Slack did not take it; it may take it later.
    Later { because: String, after: Option<Duration> },
    /// Slack will never take it.
    Never { because: String },
    /// It was sent, and nobody knows whether it arrived.
    Unknown { because: String },
}

impl Slack {
    /// Takes the webhook from the environment variable that the configuration names.
    pub fn from_environment(config: &Deliver) -> Result<Slack> {
        let variable = &config.slack_webhook_variable;
        let webhook = std::env::var(variable).ok().filter(|webhook| !webhook.trim().is_empty());
        let webhook = webhook.with_context(|| {
            format!("there is no webhook to post to: set {variable} to the address of an incoming webhook")
        })?;
        let webhook: reqwest::Url = webhook
            .trim()
            .parse()
            .map_err(|_| anyhow!("{variable} is no address: it begins with https://hooks.slack.com/"))?;
        if !matches!(webhook.scheme(), "https" | "http") {
            bail!("{variable} is no address of the web: it begins with https://hooks.slack.com/");
        }
        Slack::new(webhook, USUAL)
    }

    fn new(webhook: reqwest::Url, pace: Pace) -> Result<Slack> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("medic/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(reqwest::Error::without_url)
            .context("cannot prepare to send")?;
        Ok(Slack { webhook, client, pace })
    }

    /// Puts a message into the outbox, and sends all that wait there, the oldest first.
    pub async fn post(&self, outbox: &Outbox, payload: &Value) -> Result<()> {
        outbox.put(&payload.to_string())?;
        self.send_waiting(outbox).await
    }

    async fn send_waiting(&self, outbox: &Outbox) -> Result<()> {
        let mut is_first = true;
        let mut refused = None;
        while let Some(message) = outbox.take() {
            if !std::mem::take(&mut is_first) {
                tokio::time::sleep(self.pace.between).await;
            }
            match self.send(message).await {
                Ok(()) => {}
                Err(Failure::Later { because, .. }) => bail!("{because}"),
                Err(Failure::Never { because }) => {
                    warn!(because, "slack refused a message");
                    refused = Some(because);
                }
                Err(Failure::Unknown { because }) => {
                    refused = Some(format!("{because}; it may have arrived, so it is not sent again"));
                }
            }
        }
        match refused {
            Some(because) => bail!("{because}"),
            None => {
                info!("sent to slack");
                Ok(())
            }
        }
    }

    /// Sends until it arrives, is refused, or was tried often enough. Between two attempts the message waits in the
    /// outbox: if Medic dies meanwhile, it is there the next time.
    async fn send(&self, mut message: Message) -> Result<(), Failure> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(self.pace.first_retry)
            .with_max_delay(self.pace.longest_retry)
            .with_max_times(self.pace.retries)
            .with_jitter()
            .build();
        loop {
            let failure = match self.attempt(&message.body).await {
                Ok(()) => {
                    message.sent();
                    return Ok(());
                }
                Err(failure) => failure,
            };
            let after = match &failure {
                Failure::Later { after, .. } => *after,
                Failure::Never { .. } => {
                    message.set_aside("refused");
                    return Err(failure);
                }
                Failure::Unknown { .. } => {
                    message.set_aside("unknown");
                    return Err(failure);
                }
            };
            let waiting = message.keep();
            // Slack says when it takes messages again; for longer than a job can wait, the outbox waits.
            let is_too_long = after.is_some_and(|after| after > self.pace.longest_retry);
            let Some(pause) = pauses.next().filter(|_| !is_too_long) else { return Err(failure) };
            tokio::time::sleep(pause.max(after.unwrap_or_default())).await;
            message = match waiting.and_then(Waiting::take) {
                Some(message) => message,
                // Another process has taken it meanwhile.
                None => return Ok(()),
            };
        }
    }

    async fn attempt(&self, body: &str) -> Result<(), Failure> {
        let request = self.client.post(self.webhook.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => {
                return Err(Failure::Later { because: said(error), after: None });
            }
            Err(error) => return Err(Failure::Unknown { because: said(error) }),
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let after =
            answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
        let after = after.map(Duration::from_secs);
        let words = answer.text().await.unwrap_or_default();
        let words: String = crate::watch::one_line(&words).chars().take(200).collect();
        let because = format!("slack answered {} {words}", status.as_u16()).trim_end().to_owned();
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(Failure::Later { because, after })
            }
            status if status.is_server_error() => Err(Failure::Later { because, after }),
            _ => Err(Failure::Never { because }),
        }
    }
}

/// Says what went wrong, with its causes and without the address.
fn said(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;

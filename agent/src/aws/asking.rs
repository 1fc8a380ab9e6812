//! Asking: every call of a source goes through here. Each attempt waits for the budget; errors that last become gaps,
//! and what failed is asked later and later.

use analyzer::diagnosis::Gap;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Instrument, debug, debug_span};

use super::calls::Call;
use super::{Aws, Kind, Place, Trouble, trouble};
use crate::telemetry::{self, Measure};

const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often a call is attempted whose failure may pass at once, how long it rests after the first attempt,
/// and how long after it none is made any more.
const ATTEMPTS: u32 = 4;
const FIRST_REST: Duration = Duration::from_millis(300);
const ATTEMPTED: Duration = Duration::from_secs(45);

/// The calls of one source, and what went wrong with them.
#[derive(Debug)]
pub struct Asking<'a> {
    pub aws: &'a Aws,
    /// What is watched; it names the resource in statements.
    pub place: Place,
    failed: BTreeMap<(Call, String), Failed>,
}

#[derive(Debug)]
struct Failed {
    trouble: Trouble,
    again_at: Instant,
    wait: Duration,
}

impl<'a> Asking<'a> {
    pub fn new(aws: &'a Aws, place: Place) -> Asking<'a> {
        Asking { aws, place, failed: BTreeMap::new() }
    }

    /// Makes a call about `what`. Without an answer, or while it is too early to ask again, there is none.
    /// `send` makes one attempt: the SDK makes no further ones, for they would pass the budget by.
    pub async fn ask<T, E, F>(&mut self, call: Call, what: &str, mut send: impl FnMut() -> F) -> Option<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let key = (call, what.to_owned());
        if self.failed.get(&key).is_some_and(|failed| failed.again_at > Instant::now()) {
            return None;
        }
        let begun = Instant::now();
        let mut rest = FIRST_REST;
        for attempt in 1.. {
            let error = match self.attempt(call, send()).await {
                Ok(answer) => {
                    self.failed.remove(&key);
                    return Some(answer);
                }
                Err(error) => error,
            };
            let place = Place { account: self.aws.account().map(str::to_owned), ..self.place.clone() };
            let trouble = Trouble::of(call, &place, what, &error);
            let may_pass = trouble::may_pass(trouble.kind, &error) && begun.elapsed() < ATTEMPTED;
            debug!(operation = call.operation, what, attempt, because = trouble.gap.because, "not answered");
            if !may_pass || attempt >= ATTEMPTS {
                self.note(key, trouble);
                return None;
            }
            tokio::time::sleep(rest).await;
            rest *= 2;
        }
        None
    }

    /// Makes one attempt, once the budget allows it.
    async fn attempt<T, E>(
        &self,
        call: Call,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, SdkError<E, HttpResponse>>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (service, operation) = (call.service, call.operation);
        let arrived = Instant::now();
        self.aws.budgets.take(call.bucket).await;
        let begun = Instant::now();
        telemetry::note(Measure::Waited { service, operation, took: begun - arrived });
        let span =
            debug_span!("medic.call", rpc.system = "aws-api", rpc.service = service, rpc.method = operation);
        let outcome = send.instrument(span).await;
        let took = begun.elapsed();
        let kind = outcome.as_ref().err().map(Kind::of);
        match kind {
            Some(Kind::Throttled) => self.aws.budgets.slow_down(call.bucket),
            Some(_) => {}
            None => {
                debug!(operation, milliseconds = took.as_millis() as u64, "answered");
                self.aws.budgets.go_on(call.bucket);
            }
        }
        telemetry::note(Measure::Called { service, operation, error: kind.map(Kind::as_str), took });
        outcome
    }

    /// Makes a call whose answer is JSON, and returns it as it was sent: what the SDK does not know is in it too.
    pub async fn ask_json<T, E, F>(
        &mut self,
        call: Call,
        what: &str,
        mut send: impl FnMut(RawAnswer) -> F,
    ) -> Option<Value>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let raw = RawAnswer::default();
        self.ask(call, what, || send(raw.clone())).await?;
        let bytes = std::mem::take(&mut *raw.0.lock().unwrap_or_else(PoisonError::into_inner));
        match serde_json::from_slice(&bytes) {
            Ok(value) => Some(value),
            Err(error) => {
                let because = format!("{} answered what is no JSON: {error}", call.action());
                let gap = Gap { what: what.to_owned(), because, remedy: None };
                self.note((call, what.to_owned()), Trouble { kind: Kind::Other, gap });
                None
            }
        }
    }

    /// Returns what went wrong with the last call about `what`.
    pub fn trouble(&self, call: Call, what: &str) -> Option<Kind> {
        self.failed.get(&(call, what.to_owned())).map(|failed| failed.trouble.kind)
    }

    /// Notes what an answer says is missing; it is asked again later and later.
    pub fn say(&mut self, call: Call, what: &str, kind: Kind, because: String) {
        let gap = Gap { what: what.to_owned(), because, remedy: None };
        self.note((call, what.to_owned()), Trouble { kind, gap });
    }

    /// Forgets what went wrong, where it says nothing or another call has given the answer.
    pub fn forgive(&mut self, call: Call, what: &str) {
        self.failed.remove(&(call, what.to_owned()));
    }

    /// Returns what cannot be seen at present.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.failed.values().map(|failed| failed.trouble.gap.clone()).collect();
        gaps.sort();
        gaps.dedup();
        gaps
    }

    fn note(&mut self, key: (Call, String), trouble: Trouble) {
        let before = self.failed.get(&key).map(|failed| failed.wait);
        let wait = before.map_or(FIRST_WAIT, |wait| (wait * 2).min(LONGEST_WAIT));
        self.failed.insert(key, Failed { trouble, again_at: Instant::now() + wait, wait });
    }
}

/// Keeps the body of an answer.
#[derive(Clone, Debug, Default)]
pub struct RawAnswer(Arc<Mutex<Vec<u8>>>);

impl Intercept for RawAnswer {
    fn name(&self) -> &'static str {
        "RawAnswer"
    }

    // The body is in memory from here on; before, it is still a stream.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(bytes) = context.response().body().bytes() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "cloudwatch-logs"))]
mod tests;

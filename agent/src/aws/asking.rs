//! Asking: every call of a source goes through here. It waits for the budget, turns errors into gaps,
//! and asks what failed later and later.

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
use tracing::{Instrument, debug, debug_span, warn};

use super::calls::Call;
use super::{Aws, Kind, Place, Trouble};
use crate::telemetry::{self, Measure};

const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

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
    pub async fn ask<T, E>(
        &mut self,
        call: Call,
        what: &str,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Option<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let key = (call, what.to_owned());
        if self.failed.get(&key).is_some_and(|failed| failed.again_at > Instant::now()) {
            return None;
        }
        let (service, operation) = (call.service, call.operation);
        let arrived = Instant::now();
        self.aws.budgets.take(call.bucket).await;
        let begun = Instant::now();
        telemetry::note(Measure::Waited { service, operation, took: begun - arrived });
        let span =
            debug_span!("medic.call", rpc.system = "aws-api", rpc.service = service, rpc.method = operation);
        let outcome = send.instrument(span).await;
        let took = begun.elapsed();
        let milliseconds = took.as_millis() as u64;
        match outcome {
            Ok(answer) => {
                debug!(operation, milliseconds, "answered");
                telemetry::note(Measure::Called { service, operation, error: None, took });
                self.failed.remove(&key);
                Some(answer)
            }
            Err(error) => {
                let place = Place { account: self.aws.account().map(str::to_owned), ..self.place.clone() };
                let trouble = Trouble::of(call, &place, what, &error);
                warn!(operation, what, because = trouble.gap.because, "not answered");
                let error = Some(trouble.kind.as_str());
                telemetry::note(Measure::Called { service, operation, error, took });
                self.note(key, trouble);
                None
            }
        }
    }

    /// Makes a call whose answer is JSON, and returns it as it was sent: what the SDK does not know is in it too.
    pub async fn ask_json<T, E, F>(
        &mut self,
        call: Call,
        what: &str,
        send: impl FnOnce(RawAnswer) -> F,
    ) -> Option<Value>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let raw = RawAnswer::default();
        self.ask(call, what, send(raw.clone())).await?;
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

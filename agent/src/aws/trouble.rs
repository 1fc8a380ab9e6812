//! What goes wrong with a call: it becomes a gap that says what could not be read, why, and what closes it.

use analyzer::diagnosis::Gap;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::calls::Call;
use super::place::Place;

/// Longer messages are cut.
const LONGEST: usize = 300;

/// A call that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub kind: Kind,
    pub gap: Gap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Denied,
    /// Credentials are missing, wrong or expired.
    Credentials,
    Throttled,
    NotFound,
    /// The endpoint does not know the call.
    NotOffered,
    Unreachable,
    Other,
}

impl Kind {
    /// Tells what kind of trouble an error is.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Kind
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(_) => {
                let (code, message) = code_and_message(error);
                kind_of_code(code, message)
            }
            SdkError::TimeoutError(_) => Kind::Unreachable,
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
                Kind::Unreachable
            }
            _ if speaks_of_credentials(&told_by(error)) => Kind::Credentials,
            _ => Kind::Other,
        }
    }

    /// Returns the word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Denied => "denied",
            Kind::Credentials => "credentials",
            Kind::Throttled => "throttled",
            Kind::NotFound => "not-found",
            Kind::NotOffered => "not-offered",
            Kind::Unreachable => "unreachable",
            Kind::Other => "other",
        }
    }
}

impl Trouble {
    /// Reads the error of a call about `what`.
    pub fn of<E>(call: Call, place: &Place, what: &str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (code, message) = code_and_message(error);
        let (kind, whole) = (Kind::of(error), told_by(error));
        let said = if message.is_empty() { &whole } else { message };
        Trouble { kind, gap: gap(kind, call, place, what, code, said) }
    }
}

/// Whether the same call may be answered a moment later.
pub fn may_pass<E>(kind: Kind, error: &SdkError<E, HttpResponse>) -> bool {
    const TOO_MANY: u16 = 429;
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    matches!(kind, Kind::Throttled | Kind::Unreachable)
        || kind == Kind::Other && (status == TOO_MANY || (500..600).contains(&status))
}

fn code_and_message<E>(error: &SdkError<E, HttpResponse>) -> (&str, &str)
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let service_error = error.as_service_error();
    let code = service_error.and_then(ProvideErrorMetadata::code).unwrap_or_default();
    (code, service_error.and_then(ProvideErrorMetadata::message).unwrap_or_default())
}

/// Returns what an error and its sources say, the outermost first, each once.
fn told_by(error: &dyn std::error::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}

fn gap(kind: Kind, call: Call, place: &Place, what: &str, code: &str, said: &str) -> Gap {
    let action = call.action();
    let said = shortened(said);
    let (because, remedy) = match kind {
        Kind::Denied => {
            (format!("access denied for {action}"), Some(format!("allow it: {}", call.statement(place))))
        }
        Kind::Credentials if has_none(said) => (
            format!("no credentials were found for {action}: {said}"),
            Some(
                "log in (`aws sso login`), name a profile with --profile, or give the task a task role"
                    .to_owned(),
            ),
        ),
        Kind::Credentials => (
            format!("{action} was refused for its credentials: {said}"),
            Some("renew the credentials, or give the task a task role".to_owned()),
        ),
        Kind::Throttled => (format!("{action} is throttled; it is asked again more slowly"), None),
        Kind::NotFound => (
            format!("it does not exist: {said}"),
            Some("check the names of cluster, service and stack, the region and the account".to_owned()),
        ),
        Kind::NotOffered => (format!("{action} is not offered here"), None),
        Kind::Unreachable => (
            format!("{action} got no answer: {said}"),
            Some(
                "let the network reach the endpoint of the service: a NAT gateway or a VPC endpoint"
                    .to_owned(),
            ),
        ),
        Kind::Other => {
            let no_region = said.to_ascii_lowercase().contains("region").then(|| {
                "name the region: --region, AWS_REGION, or `region` in the configuration".to_owned()
            });
            (format!("{action} failed: {code}{}{said}", if code.is_empty() { "" } else { ": " }), no_region)
        }
    };
    Gap { what: what.to_owned(), because, remedy }
}

/// Whether no credentials were found at all, as the SDK says it.
fn has_none(said: &str) -> bool {
    ["loading credentials", "no credentials", "no providers in chain"]
        .iter()
        .any(|words| said.contains(words))
}

fn kind_of_code(code: &str, message: &str) -> Kind {
    const DENIED: [&str; 5] = [
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "NotAuthorized",
        "AuthorizationError",
    ];
    const CREDENTIALS: [&str; 10] = [
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    ];
    const THROTTLED: [&str; 8] = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
    ];
    const NOT_OFFERED: [&str; 5] = [
        "UnknownOperationException",
        "UnknownOperation",
        "InvalidAction",
        "UnsupportedOperation",
        "UnsupportedFeatureException",
    ];
    let is_missing = code.contains("NotFound")
        || code.contains("NonExistentQueue")
        || code.contains("DoesNotExist")
        || code == "ValidationError" && message.contains("does not exist");
    match code {
        _ if DENIED.contains(&code) => Kind::Denied,
        _ if CREDENTIALS.contains(&code) => Kind::Credentials,
        _ if THROTTLED.contains(&code) => Kind::Throttled,
        _ if NOT_OFFERED.contains(&code) => Kind::NotOffered,
        _ if is_missing => Kind::NotFound,
        _ => Kind::Other,
    }
}

fn speaks_of_credentials(text: &str) -> bool {
    ["credential", "identity", "token provider"].iter().any(|word| text.contains(word))
}

fn shortened(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => &line[..end],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls;
    use super::*;

    #[track_caller]
    fn check(code: &str, message: &str, kind: Kind, because: &str) -> Gap {
        assert_eq!(kind_of_code(code, message), kind, "{code}");
        let place = Place {
            region: "eu-west-1".to_owned(),
            log_group: Some("/ecs/web".to_owned()),
            ..Place::default()
        };
        let gap = gap(kind, calls::FILTER_LOG_EVENTS, &place, "log group /ecs/web", code, message);
        assert_eq!((gap.what.as_str(), gap.because.as_str()), ("log group /ecs/web", because));
        gap
    }

    #[test]
    fn a_refusal_names_the_statement_to_add() {
        let gap = check(
            "AccessDeniedException",
            "User: x is not authorized",
            Kind::Denied,
            "access denied for logs:FilterLogEvents",
        );
        assert_eq!(
            gap.remedy.as_deref(),
            Some(
                r#"allow it: {"Effect":"Allow","Action":"logs:FilterLogEvents","Resource":"arn:aws:logs:eu-west-1:*:log-group:/ecs/web:*"}"#
            )
        );
    }

    #[test]
    fn an_error_tells_its_sources_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("dispatch failure: no profile")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("no profile")]
        struct Inner(#[source] std::fmt::Error);
        let told = told_by(&Outer(Inner(std::fmt::Error)));
        assert_eq!(told, format!("dispatch failure: no profile: {}", std::fmt::Error));
    }

    #[test]
    fn missing_credentials_are_not_refused_ones() {
        let place = Place::default();
        let call = calls::DESCRIBE_SERVICES;
        let gap =
            gap(Kind::Credentials, call, &place, "service web", "", "other: while loading credentials: x");
        assert!(gap.because.starts_with("no credentials were found for ecs:DescribeServices"), "{gap:?}");
        assert!(gap.remedy.is_some_and(|remedy| remedy.contains("aws sso login")));
    }

    #[test]
    fn what_went_wrong_is_told_apart() {
        check(
            "ExpiredTokenException",
            "the token is expired\nmore",
            Kind::Credentials,
            "logs:FilterLogEvents was refused for its credentials: the token is expired",
        );
        check(
            "ThrottlingException",
            "Rate exceeded",
            Kind::Throttled,
            "logs:FilterLogEvents is throttled; it is asked again more slowly",
        );
        check(
            "ResourceNotFoundException",
            "no such group",
            Kind::NotFound,
            "it does not exist: no such group",
        );
        check(
            "ValidationError",
            "Stack with id web does not exist",
            Kind::NotFound,
            "it does not exist: Stack with id web does not exist",
        );
        check("InternalFailure", "sorry", Kind::Other, "logs:FilterLogEvents failed: InternalFailure: sorry");
    }
}

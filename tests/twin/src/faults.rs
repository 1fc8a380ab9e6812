//! Faults of the API: which of them meets a call.

use crate::clock::Millis;
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::wire::ApiError;
use crate::world::draw;

/// What happens to a call besides its answer.
#[derive(Debug, Default)]
pub struct Met {
    pub error: Option<ApiError>,
    /// Real milliseconds of waiting.
    pub slow: Millis,
    pub truncate: bool,
    pub empty_page: bool,
    pub repeat_logs: bool,
}

/// Returns what meets the nth call of an action, counted from zero.
pub fn meet(scenario: &Scenario, seed: u64, elapsed: Millis, service: &str, action: &str, nth: u32) -> Met {
    let mut met = Met::default();
    for (number, fault) in scenario.faults.iter().enumerate() {
        if !concerns(fault, service, action)
            || elapsed < fault.from
            || fault.until.is_some_and(|until| elapsed >= until)
        {
            continue;
        }
        let drawn = draw(seed, &format!("fault {number} {service}:{action}"), u64::from(nth));
        if fault.first.is_some_and(|first| nth >= first) || (drawn % 10_000) as f64 >= fault.share * 10_000.0
        {
            continue;
        }
        match fault.kind {
            FaultKind::Throttle => met.error = Some(throttled(service)),
            FaultKind::ServerError => met.error = Some(broken(fault.status)),
            FaultKind::Expire => met.error = Some(expired(service)),
            FaultKind::Deny => met.error = Some(denied(scenario, service, action)),
            FaultKind::Slow => met.slow += fault.by,
            FaultKind::Truncate => met.truncate = true,
            FaultKind::EmptyPage => met.empty_page = true,
            FaultKind::RepeatLogs => met.repeat_logs = true,
            FaultKind::LateLogs => {}
        }
    }
    met
}

/// Returns how late a log event is ingested because of faults; `drawn` is the event's own number.
pub fn late_logs(scenario: &Scenario, drawn: u64) -> Millis {
    let meets = |fault: &&Fault| ((drawn % 10_000) as f64) < fault.share * 10_000.0;
    let late = scenario.faults.iter().filter(|fault| fault.kind == FaultKind::LateLogs);
    late.filter(meets).map(|fault| fault.by).sum()
}

/// Returns how late a log event can be at most.
pub fn latest_logs(scenario: &Scenario) -> Millis {
    let late = scenario.faults.iter().filter(|fault| fault.kind == FaultKind::LateLogs);
    late.map(|fault| fault.by).sum()
}

fn concerns(fault: &Fault, service: &str, action: &str) -> bool {
    let name = format!("{service}:{action}");
    match fault.action.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == fault.action,
    }
}

fn throttled(service: &str) -> ApiError {
    let code = match service {
        "ec2" => "RequestLimitExceeded",
        "cloudformation" | "elasticloadbalancing" | "sts" => "Throttling",
        _ => "ThrottlingException",
    };
    ApiError::new(code, "Rate exceeded")
}

fn broken(status: u16) -> ApiError {
    if status == 503 {
        let message = "The service is unavailable. Please try again later.";
        return ApiError { status, code: "ServiceUnavailable", message: message.to_owned() };
    }
    let message = "The request processing has failed because of an unknown error, exception or failure.";
    ApiError { status, code: "InternalFailure", message: message.to_owned() }
}

fn expired(service: &str) -> ApiError {
    match service {
        "ec2" => ApiError::new("RequestExpired", "Request has expired."),
        "cloudformation" | "elasticloadbalancing" | "sts" => ApiError {
            status: 403,
            code: "ExpiredToken",
            message: "The security token included in the request is expired".to_owned(),
        },
        _ => ApiError::new("ExpiredTokenException", "The security token included in the request is expired"),
    }
}

fn denied(scenario: &Scenario, service: &str, action: &str) -> ApiError {
    let account = &scenario.account;
    let message = format!(
        "User: arn:aws:sts::{}:assumed-role/medic/session is not authorized to perform: {service}:{action} \
         on resource: * because no identity-based policy allows the {service}:{action} action",
        account.id
    );
    match service {
        "ec2" => ApiError { status: 403, code: "UnauthorizedOperation", message },
        "cloudformation" | "elasticloadbalancing" | "sts" => {
            ApiError { status: 403, code: "AccessDenied", message }
        }
        _ => ApiError::new("AccessDeniedException", message),
    }
}

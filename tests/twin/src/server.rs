//! The HTTP side: finds out which call it is, lets faults meet it, and writes the answer.

use crate::clock::Millis;
use crate::faults::{self, Met};
use crate::wire::{self, ApiError, Protocol};
use crate::{
    Call, Shared, cloudformation, ec2, ecs, elb, github, held, logs, metadata, metrics, registry, sqs,
};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A call as it was read.
struct Asked {
    service: &'static str,
    action: String,
    params: Value,
    protocol: Protocol,
}

/// The services with JSON protocols: the prefix of their targets, their name in policies, their version.
const TARGETS: [(&str, &str, &str); 5] = [
    ("AmazonEC2ContainerServiceV20141113", "ecs", "1.1"),
    ("Logs_20140328", "logs", "1.1"),
    ("AmazonEC2ContainerRegistry_V20150921", "ecr", "1.1"),
    ("GraniteServiceVersion20100801", "cloudwatch", "1.0"),
    ("AmazonSQS", "sqs", "1.0"),
];

/// The services with the query protocol: their API version, name in policies and namespace.
const VERSIONS: [(&str, &str, &str); 4] = [
    ("2010-05-15", "cloudformation", cloudformation::NAMESPACE),
    ("2015-12-01", "elasticloadbalancing", elb::NAMESPACE),
    ("2011-06-15", "sts", registry::STS_NAMESPACE),
    ("2016-11-15", "ec2", ec2::NAMESPACE),
];

const LARGEST_BODY: usize = 8 << 20;

/// Answers one request.
pub async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return response(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", Vec::new());
    };
    let path = head.uri.path();
    if let Some(order) = path.strip_prefix("/_twin/") {
        return steer(&shared, order, head.uri.query().unwrap_or_default());
    }
    if let Some(response) = beside_aws(&shared, path, &head.headers) {
        return response;
    }
    let Some(asked) = read(path, &head.headers, &body) else {
        let error =
            json!({ "__type": "UnknownOperationException", "message": "the twin does not know this call" });
        return response(StatusCode::BAD_REQUEST, "application/x-amz-json-1.1", wire::json_body(&error));
    };
    let (number, met) = note(&shared, &asked);
    if met.slow > 0 {
        tokio::time::sleep(Duration::from_millis(met.slow as u64)).await;
    }
    if asked.action == "ReceiveMessage" && met.error.is_none() {
        wait_for_messages(&shared, &asked.params).await;
    }
    if asked.action == "StartLiveTail" && met.error.is_none() {
        match live_tail(&shared, &asked, number) {
            Ok(response) => return response,
            Err(error) => return refuse(&shared, &asked, number, &error),
        }
    }
    let answer = match &met.error {
        Some(error) => Err(error.clone()),
        None => ask(&shared, &asked, &met),
    };
    match answer {
        Ok(value) => accept(&shared, &asked, number, &value, met.truncate),
        Err(error) => refuse(&shared, &asked, number, &error),
    }
}

/// Answers what is no call to AWS: the metadata endpoint of a task, and GitHub.
fn beside_aws(shared: &Shared, path: &str, headers: &HeaderMap) -> Option<Response> {
    if !path.starts_with("/v4/") && !path.starts_with("/github") {
        return None;
    }
    let mut world = held(&shared.world);
    world.run(shared.clock.now());
    if path.starts_with("/v4/") {
        return Some(match metadata::answer(&world, path) {
            Some(value) => {
                response(StatusCode::OK, "application/json", wire::plain(&value).to_string().into_bytes())
            }
            None => response(StatusCode::NOT_FOUND, "text/plain", Vec::new()),
        });
    }
    let reply = github::answer(&world, path, headers.contains_key("authorization"))?;
    Some(match reply {
        github::Reply::Json(value) => {
            response(StatusCode::OK, "application/json", value.to_string().into_bytes())
        }
        github::Reply::Text(text) => response(StatusCode::OK, "text/plain", text.into_bytes()),
        github::Reply::Moved(to) => {
            let mut moved = response(StatusCode::FOUND, "text/plain", Vec::new());
            if let Ok(to) = to.parse() {
                moved.headers_mut().insert("location", to);
            }
            moved
        }
        github::Reply::Refused(status, message) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
            let body = json!({ "message": message, "status": status.as_str() });
            response(status, "application/json", body.to_string().into_bytes())
        }
    })
}

/// Finds out which call a request is.
fn read(path: &str, headers: &HeaderMap, body: &Bytes) -> Option<Asked> {
    if let Some(rest) = path.strip_prefix("/service/GraniteServiceVersion20100801/operation/") {
        let params = wire::from_cbor(body)?;
        let protocol = Protocol::Cbor;
        return Some(Asked { service: "cloudwatch", action: rest.to_owned(), params, protocol });
    }
    if let Some(target) = headers.get("x-amz-target") {
        let (prefix, action) = target.to_str().ok()?.split_once('.')?;
        let (_, service, version) = *TARGETS.iter().find(|(known, ..)| *known == prefix)?;
        let params = if body.is_empty() { json!({}) } else { serde_json::from_slice(body).ok()? };
        let protocol = Protocol::Json { version };
        return Some(Asked { service, action: action.to_owned(), params, protocol });
    }
    let params = wire::from_form(body);
    let version = params["Version"].as_str()?;
    let (_, service, _) = *VERSIONS.iter().find(|(known, ..)| *known == version)?;
    let action = params["Action"].as_str()?.to_owned();
    let protocol = if service == "ec2" { Protocol::Ec2 } else { Protocol::Query };
    Some(Asked { service, action, params, protocol })
}

/// Writes the call down and returns its number and what meets it.
fn note(shared: &Shared, asked: &Asked) -> (u64, Met) {
    let at = shared.clock.now();
    let mut calls = held(&shared.calls);
    let mut counts = held(&shared.counts);
    let count = counts.entry(format!("{}:{}", asked.service, asked.action)).or_insert(0);
    let nth = *count;
    *count += 1;
    let number = calls.len() as u64;
    let world = held(&shared.world);
    let elapsed = at - world.begin;
    let met = faults::meet(&world.scenario, world.seed, elapsed, asked.service, &asked.action, nth);
    calls.push(Call {
        service: asked.service.to_owned(),
        action: asked.action.clone(),
        params: asked.params.clone(),
        error: met.error.as_ref().map(|error| error.code.to_owned()),
        at,
    });
    (number, met)
}

fn ask(shared: &Shared, asked: &Asked, met: &Met) -> wire::Answer {
    let mut world = held(&shared.world);
    world.run(shared.clock.now());
    let (action, params) = (asked.action.as_str(), &asked.params);
    match asked.service {
        "ecs" => ecs::answer(&mut world, action, params),
        "logs" => logs::answer(&world, action, params, met.empty_page, met.repeat_logs),
        "cloudformation" => cloudformation::answer(&mut world, action, params),
        "elasticloadbalancing" => elb::answer(&world, action, params),
        "cloudwatch" => metrics::answer(&world, action, params),
        "sqs" => sqs::answer(&mut world, action, params),
        "ec2" => ec2::answer(&world, action, params),
        "ecr" => registry::answer(&world, action, params),
        _ => registry::identity(&world, action),
    }
}

fn accept(shared: &Shared, asked: &Asked, number: u64, value: &Value, truncate: bool) -> Response {
    let request = request_id(shared, number);
    let body = match asked.protocol {
        Protocol::Json { .. } => wire::json_body(value),
        Protocol::Query => wire::query_body(namespace(asked.service), &asked.action, value, &request),
        Protocol::Ec2 => wire::ec2_body(namespace(asked.service), &asked.action, value, &request),
        Protocol::Cbor => wire::cbor_body(value),
    };
    let mut response = response(StatusCode::OK, content_type(asked.protocol), body.clone());
    if truncate {
        // The length promises the whole body; the connection ends after half of it.
        let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
        *response.body_mut() = Body::from_stream(stream::unfold(Some(half), cut));
        if let Ok(length) = body.len().to_string().parse() {
            response.headers_mut().insert("content-length", length);
        }
    }
    finish(response, asked, &request)
}

/// Gives half a body, and an error once that has had time to leave.
async fn cut(half: Option<Bytes>) -> Option<(std::io::Result<Bytes>, Option<Bytes>)> {
    match half {
        Some(half) => Some((Ok(half), None)),
        None => {
            tokio::time::sleep(Duration::from_millis(30)).await;
            Some((Err(std::io::Error::other("cut by a fault")), None))
        }
    }
}

fn refuse(shared: &Shared, asked: &Asked, number: u64, error: &ApiError) -> Response {
    if let Some(call) = held(&shared.calls).get_mut(number as usize) {
        call.error = Some(error.code.to_owned());
    }
    let request = request_id(shared, number);
    let prefix = match asked.service {
        "sqs" => "com.amazonaws.sqs#",
        "cloudwatch" => "com.amazonaws.cloudwatch#",
        _ => "",
    };
    let body = wire::error_body(asked.protocol, namespace(asked.service), prefix, error, &request);
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(status, content_type(asked.protocol), body);
    if let Ok(code) = error.code.parse() {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    finish(response, asked, &request)
}

fn finish(mut response: Response, asked: &Asked, request: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(request) = request.parse() {
        headers.insert("x-amzn-requestid", request);
    }
    if asked.protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", axum::http::HeaderValue::from_static("rpc-v2-cbor"));
    }
    response
}

fn response(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let value = axum::http::HeaderValue::from_static(content_type);
    response.headers_mut().insert("content-type", value);
    response
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Json { version: "1.0" } => "application/x-amz-json-1.0",
        Protocol::Json { .. } => "application/x-amz-json-1.1",
        Protocol::Query | Protocol::Ec2 => "text/xml",
        Protocol::Cbor => "application/cbor",
    }
}

fn namespace(service: &str) -> &'static str {
    VERSIONS.iter().find(|(_, known, _)| *known == service).map_or("", |(.., namespace)| namespace)
}

fn request_id(shared: &Shared, number: u64) -> String {
    crate::world::uuid(shared.seed, "call", number)
}

/// Waits as long as ReceiveMessage may, when the clock runs; a clock moved by hand answers at once.
async fn wait_for_messages(shared: &Shared, params: &Value) {
    let wait = crate::page::whole(params, "WaitTimeSeconds").unwrap_or(0).clamp(0, 20) * 1000;
    let until = shared.clock.now() + wait;
    while let Some(pause) = shared.clock.real(250) {
        {
            let mut world = held(&shared.world);
            let now = shared.clock.now();
            world.run(now);
            if now >= until || !sqs::available(&world).is_empty() {
                return;
            }
        }
        tokio::time::sleep(pause.clamp(Duration::from_millis(5), Duration::from_millis(250))).await;
    }
}

/// Streams log events as they are ingested, an update for each second of virtual time.
fn live_tail(shared: &Arc<Shared>, asked: &Asked, number: u64) -> Result<Response, ApiError> {
    let (selection, group, now) = {
        let mut world = held(&shared.world);
        let now = shared.clock.now();
        world.run(now);
        (logs::tail_selection(&world, &asked.params)?, logs::group_arn(&world), now)
    };
    let request = request_id(shared, number);
    let started = json!({
        "requestId": request,
        "sessionId": crate::world::uuid(shared.seed, "session", number),
        "logGroupIdentifiers": [group],
        "logStreamNames": crate::page::texts(&asked.params, "logStreamNames"),
        "logStreamNamePrefixes": crate::page::texts(&asked.params, "logStreamNamePrefixes"),
        "logEventFilterPattern": asked.params["logEventFilterPattern"].as_str().unwrap_or_default(),
    });
    let mut opening = message("initial-response", &json!({}));
    opening.extend(message("sessionStart", &started));
    let state = Tail { shared: Arc::clone(shared), selection, group, told: now, opening: Some(opening) };
    let body = Body::from_stream(stream::unfold(state, next_update));
    let mut response = Response::new(body);
    let value = axum::http::HeaderValue::from_static("application/vnd.amazon.eventstream");
    response.headers_mut().insert("content-type", value);
    Ok(finish(response, asked, &request))
}

struct Tail {
    shared: Arc<Shared>,
    selection: logs::Selection,
    group: String,
    told: Millis,
    opening: Option<Vec<u8>>,
}

async fn next_update(mut tail: Tail) -> Option<(Result<Bytes, std::convert::Infallible>, Tail)> {
    if let Some(opening) = tail.opening.take() {
        return Some((Ok(opening.into()), tail));
    }
    loop {
        if tail.shared.is_stopped() {
            return None;
        }
        let now = tail.shared.clock.now();
        if now - tail.told >= 1_000 {
            let update = {
                let mut world = held(&tail.shared.world);
                world.run(now);
                let events = logs::ingested(&world, &tail.selection, tail.told, now);
                // CloudWatch samples above five hundred events in an update.
                let sampled = events.len() > 500;
                let results: Vec<Value> = events
                    .iter()
                    .take(500)
                    .map(|event| {
                        json!({
                            "logStreamName": event.stream,
                            "logGroupIdentifier": tail.group,
                            "message": event.text,
                            "timestamp": event.at,
                            "ingestionTime": event.ingested,
                        })
                    })
                    .collect();
                json!({ "sessionMetadata": { "sampled": sampled }, "sessionResults": results })
            };
            tail.told = now;
            return Some((Ok(message("sessionUpdate", &update).into()), tail));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn message(event: &str, payload: &Value) -> Vec<u8> {
    let headers = [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")];
    wire::frame(&headers, &wire::json_body(payload))
}

/// Obeys tests in other languages: `advance?seconds=5`, `now`, `calls`.
fn steer(shared: &Shared, order: &str, query: &str) -> Response {
    if order == "advance" {
        let seconds = query.strip_prefix("seconds=").and_then(|text| text.parse::<f64>().ok());
        if let Some(by) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            shared.clock.advance(by);
        }
    }
    let body = match order {
        "advance" | "now" => json!({ "now": shared.clock.now() }),
        "calls" => {
            let calls = held(&shared.calls);
            calls
                .iter()
                .map(|call| json!({ "service": call.service, "action": call.action, "error": call.error, "at": call.at }))
                .collect()
        }
        _ => return response(StatusCode::NOT_FOUND, "text/plain", Vec::new()),
    };
    response(StatusCode::OK, "application/json", body.to_string().into_bytes())
}

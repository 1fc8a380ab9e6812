//! OTLP over HTTP: a request is protobuf or JSON, and may be compressed; the answer is like the request.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;
use axum::routing::post;
use flate2::read::MultiGzDecoder;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Read;

use super::{LARGEST_REQUEST, Receiver};

pub fn routes(receiver: Receiver) -> Router {
    Router::new().route("/v1/logs", post(logs)).route("/v1/metrics", post(metrics)).with_state(receiver)
}

async fn logs(State(receiver): State<Receiver>, request: Request) -> Response {
    let (coding, outcome) = read(request).await;
    match outcome {
        Ok(request) => answer(coding, receiver.logs(request).await.map_err(|_| Refused::NotNow)),
        Err(refused) => answer::<Status>(coding, Err(refused)),
    }
}

async fn metrics(State(receiver): State<Receiver>, request: Request) -> Response {
    let (coding, outcome) = read(request).await;
    match outcome {
        Ok(request) => answer(coding, receiver.metrics(request).await.map_err(|_| Refused::NotNow)),
        Err(refused) => answer::<Status>(coding, Err(refused)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Protobuf,
    Json,
}

/// Why a request is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("the content type is neither application/x-protobuf nor application/json")]
    ContentType,
    #[error("the content encoding is neither gzip nor identity")]
    ContentEncoding,
    #[error("the request is larger than {} bytes", LARGEST_REQUEST)]
    TooLarge,
    #[error("the request cannot be read: {0}")]
    Malformed(String),
    #[error("the collector has stopped")]
    NotNow,
}

/// What a refused request is answered with: `google.rpc.Status`.
#[derive(Clone, PartialEq, Message, Serialize)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

async fn read<T: Message + Default + DeserializeOwned>(request: Request) -> (Coding, Result<T, Refused>) {
    let (parts, body) = request.into_parts();
    let coding = match header(&parts.headers, CONTENT_TYPE).as_str() {
        "application/x-protobuf" => Coding::Protobuf,
        "application/json" => Coding::Json,
        _ => return (Coding::Json, Err(Refused::ContentType)),
    };
    (coding, decode(coding, &parts.headers, body).await)
}

async fn decode<T: Message + Default + DeserializeOwned>(
    coding: Coding,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Refused> {
    let is_compressed = match header(headers, CONTENT_ENCODING).as_str() {
        "" | "identity" => false,
        "gzip" => true,
        _ => return Err(Refused::ContentEncoding),
    };
    let mut bytes = to_bytes(body, LARGEST_REQUEST).await.map_err(|_| Refused::TooLarge)?;
    if is_compressed {
        bytes = unpack(&bytes)?;
    }
    match coding {
        Coding::Protobuf => T::decode(bytes).map_err(|error| Refused::Malformed(error.to_string())),
        Coding::Json => of_json(&bytes).map_err(|error| Refused::Malformed(error.to_string())),
    }
}

/// Reads JSON of protobuf, where `null` says what a missing member says, and a number may be written as text.
fn of_json<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut value: Value = serde_json::from_slice(bytes)?;
    normalise(&mut value);
    serde_json::from_value(value)
}

/// Goes as deep as the parser of JSON does, which has a limit.
fn normalise(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| !member.is_null() && !is_no_number(name, member));
            if let Some(text) = members.get("doubleValue").and_then(not_finite).map(str::to_owned) {
                members.shift_remove("doubleValue");
                members.insert("stringValue".to_owned(), text.into());
            }
            for (name, member) in members.iter_mut() {
                match member {
                    Value::Array(elements) if DOUBLES.contains(&name.as_str()) => {
                        elements.retain(|element| not_finite(element).is_none());
                        elements.iter_mut().for_each(read_double);
                    }
                    member if DOUBLES.contains(&name.as_str()) => read_double(member),
                    member => normalise(member),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(normalise),
        _ => {}
    }
}

/// The members that hold a double: of values, and of data points.
const DOUBLES: [&str; 9] =
    ["doubleValue", "asDouble", "sum", "min", "max", "zeroThreshold", "quantile", "value", "explicitBounds"];

/// Whether a data point holds what is no finite number, as JSON cannot: it is as good as missing.
fn is_no_number(name: &str, member: &Value) -> bool {
    name != "doubleValue" && DOUBLES.contains(&name) && not_finite(member).is_some()
}

fn not_finite(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| matches!(*text, "NaN" | "Infinity" | "-Infinity"))
}

/// Reads a double that is written as text; what else has its name is looked into.
fn read_double(member: &mut Value) {
    let read = member.as_str().and_then(|text| text.trim().parse::<f64>().ok());
    match read.and_then(serde_json::Number::from_f64) {
        Some(number) => *member = Value::Number(number),
        None => normalise(member),
    }
}

fn unpack(bytes: &[u8]) -> Result<Bytes, Refused> {
    let mut unpacked = Vec::new();
    let most = LARGEST_REQUEST as u64 + 1;
    let got = MultiGzDecoder::new(bytes).take(most).read_to_end(&mut unpacked);
    match got {
        Ok(length) if length > LARGEST_REQUEST => Err(Refused::TooLarge),
        Ok(_) => Ok(unpacked.into()),
        Err(error) => Err(Refused::Malformed(error.to_string())),
    }
}

/// Returns a header without its parameters.
fn header(headers: &HeaderMap, name: HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn answer<T: Message + Serialize>(coding: Coding, outcome: Result<T, Refused>) -> Response {
    let (status, body) = match &outcome {
        Ok(done) => (StatusCode::OK, encode(coding, done)),
        Err(refused) => {
            let status = Status { code: 0, message: refused.to_string() };
            (refused.status(), encode(coding, &status))
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = match coding {
        Coding::Protobuf => "application/x-protobuf",
        Coding::Json => "application/json",
    };
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(kind));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static("5"));
    }
    response
}

fn encode(coding: Coding, message: &(impl Message + Serialize)) -> Vec<u8> {
    match coding {
        Coding::Protobuf => message.encode_to_vec(),
        Coding::Json => serde_json::to_vec(message).unwrap_or_default(),
    }
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Refused::ContentType | Refused::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refused::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::Malformed(_) => StatusCode::BAD_REQUEST,
            Refused::NotNow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

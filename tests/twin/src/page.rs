//! What calls have in common: lists of texts, numbers, and pages.

use crate::wire::{Answer, ApiError};
use serde_json::{Map, Value, json};

/// Returns the texts of a parameter that is a list.
pub fn texts(params: &Value, name: &str) -> Vec<String> {
    let items = params[name].as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns a whole number, also when the query protocol wrote it as text.
pub fn whole(params: &Value, name: &str) -> Option<i64> {
    let value = &params[name];
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|number| number as i64))
        .or_else(|| value.as_str()?.parse().ok())
}

/// Answers with a page of items; the token is the place of the next item.
pub fn answer(
    member: &str,
    items: Vec<Value>,
    params: &Value,
    token: &'static str,
    limit: &str,
    otherwise: usize,
) -> Answer {
    // Elastic Load Balancing calls the token of a request otherwise.
    let given = if token == "NextMarker" { "Marker" } else { token };
    let from = match params[given].as_str() {
        None => 0,
        Some(text) => place(text).ok_or_else(|| {
            ApiError::new("InvalidParameterException", format!("The {token} is not valid."))
        })?,
    };
    let size = whole(params, limit).map_or(otherwise, |size| size.clamp(1, otherwise as i64) as usize);
    let all = items.len();
    let page: Vec<Value> = items.into_iter().skip(from).take(size).collect();
    let next = from + page.len();
    let mut answer = Map::new();
    answer.insert(member.to_owned(), page.into());
    if next < all {
        answer.insert(token.to_owned(), json!(token_of(next)));
    }
    Ok(answer.into())
}

/// Writes a place in a list as a token.
pub fn token_of(place: usize) -> String {
    format!("twin-{place:08}")
}

/// Reads the place of a token.
pub fn place(token: &str) -> Option<usize> {
    token.strip_prefix("twin-")?.parse().ok()
}

/// Returns the error for a call that the twin does not play.
pub fn unknown_action(action: &str) -> ApiError {
    ApiError::new("UnknownOperationException", format!("the twin does not play {action}"))
}

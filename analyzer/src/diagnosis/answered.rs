//! Requests that were answered well: an error about a request is over once the same request is answered.

use std::collections::BTreeMap;

use super::kept::Lane;

/// Of so many requests of one log the last answers are remembered: of the shortest ones, among which those are
/// that ask whether the application lives.
const MOST: usize = 32;

/// Where each request of each log was last answered well; requests are in the order of their length.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered(BTreeMap<Lane, BTreeMap<(usize, String), u64>>);

impl Answered {
    /// Remembers a line about a request that was answered well.
    pub fn keep(&mut self, lane: &Lane, said: &str, seq: u64) {
        let Some(request) = request_in(said) else { return };
        if !self.0.contains_key(lane) {
            self.0.insert(lane.clone(), BTreeMap::new());
        }
        let Some(requests) = self.0.get_mut(lane) else { return };
        let is_short = requests.len() < MOST
            || requests.last_key_value().is_some_and(|((longest, _), _)| request.len() <= *longest);
        if is_short {
            let last = requests.entry((request.len(), request.to_owned())).or_default();
            *last = seq.max(*last);
            if requests.len() > MOST {
                requests.pop_last();
            }
        }
    }

    /// Whether the request that a line names was answered well after a place.
    pub fn answers_since(&self, lane: &Lane, line: &str, seq: u64) -> bool {
        let request = request_in(line);
        let last = request.and_then(|request| self.0.get(lane)?.get(&(request.len(), request.to_owned())));
        last.is_some_and(|last| *last > seq)
    }
}

/// Returns the method and the path of the request that a line names: `GET /orders/17`.
fn request_in(line: &str) -> Option<&str> {
    const METHODS: [&str; 7] = ["GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS "];
    let (begin, path) = memchr::memchr_iter(b'/', line.as_bytes()).find_map(|path| {
        let before = &line[..path];
        let method = METHODS.iter().find(|method| before.ends_with(**method))?;
        Some((path - method.len(), path))
    })?;
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '?' | ',' | ')');
    let end = line[path..].find(is_end).map_or(line.len(), |at| path + at);
    Some(&line[begin..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_answered_later_is_the_same_method_and_path() {
        let lane: Lane = ("web".to_owned(), None);
        let mut answered = Answered::default();
        answered.keep(&lane, r#"10.0.0.4 - - "GET /orders?page=2 HTTP/1.1" 200 15"#, 8);
        let refused = r#"[error] 30#30: *1 connect() failed, request: "GET /orders HTTP/1.1", upstream: "x""#;
        assert!(answered.answers_since(&lane, refused, 5));
        assert!(!answered.answers_since(&lane, refused, 8), "it must come after");
        assert!(!answered.answers_since(&lane, r#"request: "POST /orders HTTP/1.1""#, 5));
        assert!(!answered.answers_since(&("api".to_owned(), None), refused, 5), "another log");
        assert!(!answered.answers_since(&lane, "connect() failed", 5));
    }
}

//! Sentences about success: a marker is a word, and what stands around it may deny it.

use super::markers::{Scope, says_that_it_connects, says_that_it_serves};

/// A marker is a word; whether it stands in a sentence about success is seen here.
pub(super) fn succeeds(scope: Scope, said: &str) -> bool {
    match scope {
        Scope::Stack => !said.contains("ROLLBACK") && !said.contains("DELETE_COMPLETE"),
        // What an active deployment reached was reached before the primary one began.
        Scope::Service => !said.contains("rolloutState=FAILED") && !said.contains(" ACTIVE rolloutState="),
        // "Make sure that the server is running" says that it is not.
        Scope::Application => {
            let lower = said.to_ascii_lowercase();
            const DENIALS: [&str; 15] = [
                "in use",
                "fail",
                " error",
                "error ",
                "cannot",
                "unable",
                "refused",
                "denied",
                "not yet",
                // "Stop the process that's listening on port 8080" is advice.
                "that's listening",
                "that is listening",
                "already listening",
                "already running",
                "no listening",
                "the process ",
            ];
            !has_doubt(said)
                && !DENIALS.iter().any(|denial| lower.contains(denial))
                && (says_that_it_serves(&lower) || serves_at_an_address(&lower))
        }
        Scope::Connection => {
            let lower = said.to_ascii_lowercase();
            const DENIALS: [&str; 12] = [
                "disconnect",
                "not ",
                "n't ",
                "fail",
                "error",
                "unable",
                "refused",
                "never",
                "no longer",
                "until ",
                "waiting",
                "timed out",
            ];
            !has_doubt(said)
                && !DENIALS.iter().any(|denial| lower.contains(denial))
                && (has_word(&lower, "connected") || says_that_it_connects(&lower))
        }
        Scope::Part => !counts_failures(said),
        // "PRE_BUILD Success: false"; and pip "successfully built" a package where docker built an image.
        Scope::Pipeline => !said.to_ascii_lowercase().contains("success: false") && !names_a_package(said),
        Scope::Step | Scope::Migration | Scope::Target | Scope::Registration => true,
        Scope::Launch => said.contains("Launching"),
    }
}

/// Whether a line says `listening` or `serving` beside an address, that something started within a time, or nothing but that it started.
fn serves_at_an_address(lower: &str) -> bool {
    let denied =
        ["not ", "n't ", "nothing", "no longer", "stop", "must ", "should ", "shutdown", "to close "];
    let is_word = |at: usize| !lower[..at].ends_with(|before: char| before.is_ascii_alphabetic());
    let says = ["listening", "serving", "running on "]
        .iter()
        .any(|word| lower.match_indices(word).any(|(at, _)| is_word(at)));
    let ports = lower
        .match_indices(':')
        .any(|(at, _)| lower[at + 1..].chars().take_while(char::is_ascii_digit).count() >= 2);
    let address =
        ports || ["port", "addr", "http", "requests", "connections"].iter().any(|word| lower.contains(word));
    let within = lower
        .split_once("started in ")
        .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    // `[INFO ][o.e.n.Node] [node-1] started`
    let is_all = lower.trim_end().ends_with("] started");
    (says && address || within || is_all) && !denied.iter().any(|denial| lower.contains(denial))
}

/// Whether a word stands by itself, and is no part of a name such as `ensure_connected`.
fn has_word(text: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '?';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_name) && !text[at + word.len()..].starts_with(is_name))
}

/// Whether what was built is no image, which docker names by twelve digits.
fn names_a_package(said: &str) -> bool {
    let Some((_, built)) = said.split_once("uccessfully built ") else { return false };
    let digits = built.bytes().take_while(u8::is_ascii_hexdigit).count();
    digits < 12
}

fn has_doubt(said: &str) -> bool {
    ["ake sure", "heck that", "nsure ", "Is the server"].iter().any(|doubt| said.contains(doubt))
}

/// Whether a summary counts failures: `2 failed`, `Failures: 1`.
fn counts_failures(said: &str) -> bool {
    const WORDS: [&str; 4] = ["failed", "failing", "failures", "errors"];
    let lower = said.to_ascii_lowercase();
    let count = |word: &str, at: usize| -> Option<u64> {
        let after = lower[at + word.len()..].trim_start();
        let digits: String = match after.strip_prefix([':', '=']) {
            Some(rest) => rest.trim_start().chars().take_while(char::is_ascii_digit).collect(),
            None => {
                let before = lower[..at].trim_end();
                before[before.trim_end_matches(|c: char| c.is_ascii_digit()).len()..].to_owned()
            }
        };
        digits.parse().ok()
    };
    WORDS
        .iter()
        .any(|word| lower.match_indices(word).any(|(at, _)| count(word, at).is_some_and(|count| count > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scope: Scope, said: &str, success: bool) {
        assert_eq!(succeeds(scope, said), success, "{said}");
    }

    #[test]
    fn a_summary_with_failures_is_no_success() {
        check(Scope::Part, "Tests run: 14, Failures: 0, Errors: 0, Skipped: 1", true);
        check(Scope::Part, "Tests run: 14, Failures: 1, Errors: 0, Skipped: 1", false);
        check(Scope::Part, "===== 22 passed, 3 warnings in 4.11s =====", true);
        check(Scope::Part, "===== 1 failed, 21 passed in 4.11s =====", false);
        check(Scope::Part, "Test Suites: 1 failed, 2 passed, 3 total", false);
    }

    #[test]
    fn an_image_is_built_and_not_a_package() {
        check(Scope::Pipeline, "Successfully built 83a4de6e1b9a", true);
        check(Scope::Pipeline, "Successfully built psycopg2 uvloop", false);
        check(Scope::Pipeline, "Successfully tagged shop/web:1.4", true);
    }

    #[test]
    fn a_connection_that_is_not_made_is_no_success() {
        check(Scope::Connection, "Connected to redis://cache:6379/0", true);
        check(Scope::Connection, "MongoDB disconnected", false);
        check(Scope::Connection, "client.rb:381:in `ensure_connected'", false);
        check(Scope::Connection, "postgres: connected, 8 in pool", true);
        check(Scope::Connection, "Connection to node -1 could not be established", false);
        check(Scope::Connection, "Redis is online, 8.1 sec downtime", true);
    }

    #[test]
    fn a_server_that_could_not_listen_is_no_success() {
        check(Scope::Application, "http server listening on :8080", true);
        check(Scope::Application, "error listening on :8080: address already in use", false);
        check(Scope::Application, "INFO shop::http: listening addr=0.0.0.0:8080", true);
        check(Scope::Application, r#"level=INFO msg=serving addr=:8080"#, true);
        check(Scope::Application, "nothing is listening on 127.0.0.1:8080", false);
        check(Scope::Application, "listening for changes", false);
        check(Scope::Application, "18:25:04 shutdown: going to close listening sockets...", false);
        check(Scope::Application, "preserving 12 headers for http", false);
        check(Scope::Application, "failed while listening on port 8080", false);
        check(Scope::Application, "Identify and stop the process that's listening on port 8080", false);
    }
}

//! Removes secrets from text before it is stored, printed or sent.

use regex::{Captures, Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// How many secrets of each kind were removed.
pub type Redactions = BTreeMap<String, u64>;

/// Returns the text without secrets; what was removed reads `[redacted:KIND]` and is counted.
pub fn redact<'t>(text: &'t str, redactions: &mut Redactions) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for rule in RULES.iter() {
        if !rule.hints.is_empty() && !rule.hints.iter().any(|hint| contains_ignoring_case(&text, hint)) {
            continue;
        }
        let mut count = 0;
        let replaced = rule.expression.replace_all(&text, |found: &Captures<'_>| {
            let secret = found.name("secret").map_or("", |secret| secret.as_str());
            if says_nothing(secret) {
                return found[0].to_owned();
            }
            count += 1;
            let before = found.name("before").map_or("", |part| part.as_str());
            let after = found.name("after").map_or("", |part| part.as_str());
            format!("{before}[redacted:{}]{after}", rule.kind)
        });
        if count > 0 {
            text = Cow::Owned(replaced.into_owned());
            *redactions.entry(rule.kind.to_owned()).or_default() += count;
        }
    }
    text
}

struct Rule {
    kind: &'static str,
    /// One of these stands in any text that the rule changes; compared without case.
    hints: &'static [&'static str],
    expression: Regex,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |kind, hints, expression: &str| {
        let expression = RegexBuilder::new(expression).size_limit(1 << 22).build();
        expression.ok().map(|expression| Rule { kind, hints, expression })
    };
    [
        rule(
            "private-key",
            &["PRIVATE KEY"],
            r"(?<before>-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----)(?<secret>[\s\S]*?)(?<after>-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----|\z)",
        ),
        rule("aws-access-key", &["AKIA", "ASIA", "AROA", "AIDA"], r"(?<before>\b)(?<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b"),
        rule(
            "aws-session-token",
            &["session", "security"],
            r#"(?i)(?<before>(?:aws_?session_?token|x-amz-security-token|"?sessiontoken"?)["']?\s*[=:]\s*["']?)(?<secret>[A-Za-z0-9/+=%_-]{20,})"#,
        ),
        rule(
            "aws-secret-key",
            &["secret"],
            r#"(?i)(?<before>(?:aws_?)?secret_?access_?key["']?\s*[=:]\s*["']?)(?<secret>[A-Za-z0-9/+=]{30,})"#,
        ),
        rule("jwt", &["eyJ"], r"(?<secret>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"),
        rule(
            "slack-token",
            &["xox", "xapp-", "hooks.slack.com"],
            r"(?<before>hooks\.slack\.com/(?:services|workflows)/|\b)(?<secret>xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}|T[A-Z0-9]{6,}/[AB][A-Z0-9]{6,}/[A-Za-z0-9]{12,})",
        ),
        rule(
            "github-token",
            &["gh", "github_pat_"],
            r"(?<before>\b)(?<secret>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
        ),
        rule(
            "api-token",
            &["npm_", "glpat-", "sk_live_", "sk_test_", "AIza", "dckr_pat_", "pypi-"],
            r"(?<before>\b)(?<secret>npm_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{16,}|sk_(?:live|test)_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{30,}|dckr_pat_[A-Za-z0-9_-]{16,}|pypi-[A-Za-z0-9_-]{30,})",
        ),
        rule(
            "bearer-token",
            &["bearer", "basic", "authorization"],
            r#"(?i)(?<before>\bbearer\s+|authorization["']?\s*[:=]\s*["']?(?:basic|bearer|token|aws4-hmac-sha256)\s+)(?<secret>[A-Za-z0-9._~+/=:-]{8,})"#,
        ),
        rule(
            "url-password",
            &["://"],
            r#"(?<before>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*:)(?<secret>[^\s/@"'<>]+)(?<after>@)"#,
        ),
        rule(
            "connection-string",
            &["accountkey", "sharedaccesskey", "sharedsecret"],
            r#"(?i)(?<before>\b(?:accountkey|sharedaccesskey|sharedsecret(?:value|issuer)?)\s*=\s*)(?<secret>[^;\s"']+)"#,
        ),
        rule("password", SECRET_HINTS, &format!(r#"(?i)(?<before>{SECRET_NAMES}\s*=\s*)(?<secret>"[^"\r\n]+"|'[^'\r\n]+'|[^\s;,&"'()\[\]{{}}]+)"#)),
        rule(
            "password",
            SECRET_HINTS,
            &format!(r#"(?i)(?<before>\\?["']{SECRET_NAMES}\\?["']\s*(?::|=>)\s*\\?["'])(?<secret>[^"'\\\r\n]+)(?<after>\\?["'])"#),
        ),
        rule(
            "password",
            SECRET_HINTS,
            &format!(r#"(?im)(?<before>^[\s{{,-]*{SECRET_NAMES}\s*:\s+|generated security password: )(?<secret>[^\s,;"'()\[\]{{}}]{{6,}})\s*$"#),
        ),
        rule("password", &["--password", "-p"], r#"(?<before>--(?:password|token|secret)[ =])(?<secret>[^\s"']+)"#),
    ]
    .into_iter()
    .flatten()
    .collect()
});

const SECRET_HINTS: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "private_key",
    "credential",
];

const SECRET_NAMES: &str = r"\b[\w.-]*?(?:password|passwd|passphrase|\bpwd|secret(?:[_-]?key(?:[_-]?base)?)?|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|api[_-]?token|github[_-]?token|gh[_-]?token|\btoken|_token|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?secret|encryption[_-]?key|credentials?)";

/// Words that stand where a secret could stand and tell nothing.
fn says_nothing(secret: &str) -> bool {
    let bare = secret.trim_matches(|c: char| c == '"' || c == '\'');
    const WORDS: [&str; 16] = [
        "yes",
        "no",
        "true",
        "false",
        "null",
        "none",
        "nil",
        "undefined",
        "required",
        "missing",
        "empty",
        "write",
        "read",
        "invalid",
        "string",
        "<none>",
    ];
    bare.is_empty()
        || bare.starts_with("[redacted:")
        || bare.starts_with('$')
        || bare.starts_with("arn:")
        || bare.starts_with("{{")
        || bare.starts_with("os.")
        || bare.starts_with("process.env")
        || bare.bytes().all(|byte| byte == b'*' || byte == b'x' || byte == b'.')
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(bare))
}

fn contains_ignoring_case(text: &str, hint: &str) -> bool {
    let first = hint.as_bytes()[0];
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let bytes = text.as_bytes();
    memchr::memchr2_iter(lower, upper, bytes).any(|at| {
        bytes.get(at..at + hint.len()).is_some_and(|part| part.eq_ignore_ascii_case(hint.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut redactions = Redactions::new();
        assert_eq!(redact(text, &mut redactions), expected);
        assert_eq!(redact(expected, &mut redactions.clone()), expected, "twice is once");
        assert_eq!(redactions.is_empty(), text == expected);
    }

    #[test]
    fn secrets_are_removed() {
        check("key AKIAIOSFODNN7EXAMPLE used", "key [redacted:aws-access-key] used");
        check(
            "postgres://app:hunter2@db.internal/app",
            "postgres://app:[redacted:url-password]@db.internal/app",
        );
        check("DB_PASSWORD=hunter2 DB_HOST=db", "DB_PASSWORD=[redacted:password] DB_HOST=db");
        check(r#"{"password": "hunter2"}"#, r#"{"password": "[redacted:password]"}"#);
        check("Server=db;User Id=sa;Password=hunter2;", "Server=db;User Id=sa;Password=[redacted:password];");
        check("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [redacted:bearer-token]");
        check("xoxb-123456789012-abcdef", "[redacted:slack-token]");
        check("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted:github-token]");
        check(
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----[redacted:private-key]-----END RSA PRIVATE KEY-----",
        );
        check("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[redacted:jwt]");
    }

    #[test]
    fn what_only_looks_like_a_secret_stays() {
        for text in [
            "Access denied for user 'app'@'10.0.0.1' (using password: YES)",
            "password authentication failed for user \"app\"",
            "PASSWORD=${DB_PASSWORD}",
            "GH_TOKEN=***",
            "Missing `secret_key_base` for 'production' environment",
            "unable to retrieve secret from asm: service call has been retried",
            "http://127.0.0.1:8000/path@x",
            "KeyError: 'SECRET_KEY'",
        ] {
            check(text, text);
        }
    }
}

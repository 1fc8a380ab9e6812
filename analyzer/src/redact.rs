//! Removes secrets from text before it is stored, printed or sent.

use regex::{Captures, Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use crate::matching::Filter;

/// How many secrets of each kind were removed.
pub type Redactions = BTreeMap<String, u64>;

/// Returns the text without secrets; what was removed reads `[redacted:KIND]` and is counted.
///
/// Text without secrets costs one pass of a filter, so that every record can be asked.
pub fn redact<'t>(text: &'t str, redactions: &mut Redactions) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    let mut suspected = suspects(&text);
    for (index, rule) in RULES.iter().enumerate() {
        let is_suspected = suspected & (1 << index) != 0;
        if !is_suspected || !rule.hints.iter().any(|hint| contains_ignoring_case(&text, hint)) {
            continue;
        }
        let Some(expression) = rule.expression() else { continue };
        let mut count = 0;
        let replaced = expression.replace_all(&text, |found: &Captures<'_>| {
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
            suspected |= suspects(&text);
        }
    }
    text
}

/// Returns which rules could change a text, a bit a rule.
fn suspects(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let mut suspected = 0;
    WORDS.filter.scan(bytes, |place, word| {
        let word = WORDS.rules[word];
        // A name alone is no secret: one is assigned to it.
        if !word.is_name || may_be_assigned(&bytes[place.end..]) {
            suspected |= word.rules;
        }
    });
    // `://` is common and short; the `@` behind a password is rare.
    if memchr::memchr(b'@', bytes).is_some() {
        suspected |= WORDS.at_sign;
    }
    suspected
}

/// Whether `=` or `:` follows, behind what a name may still have, quotes and spaces.
fn may_be_assigned(rest: &[u8]) -> bool {
    const LONGEST_REST_OF_NAME: usize = "_key_base".len();
    let is_name = |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    let name = rest.iter().take(LONGEST_REST_OF_NAME).take_while(is_name).count();
    let may_lie_between = |byte: &&u8| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b'\\');
    let rest = &rest[name..];
    let between = rest.iter().take_while(may_lie_between).count();
    matches!(rest.get(between), Some(b'=' | b':'))
}

/// The words of which one stands in whatever a rule changes, found in one pass.
struct Words {
    filter: Filter<1, false>,
    rules: Vec<Word>,
    /// The rules whose word is an `@`.
    at_sign: u32,
}

#[derive(Clone, Copy)]
struct Word {
    /// A bit for each rule that the word speaks for.
    rules: u32,
    /// The word is a part of a name to which a secret is assigned.
    is_name: bool,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut texts: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    let mut at_sign = 0;
    for (index, rule) in RULES.iter().enumerate() {
        for word in rule.words {
            if *word == "@" {
                at_sign |= 1 << index;
                continue;
            }
            // Words of three bytes are too short for the filter: what may follow is added.
            let follow = match *word {
                "eyJ" => "abcdefghijklmnopqrstuvwxyz0123456789_-",
                "xox" => "abcdefghijklmnopqrstuvwxyz",
                "pwd" => "=:\"'\\ \t\r\n\u{b}\u{c}\u{a0}",
                _ => "",
            };
            let is_name = rule.hints == SECRET_WORDS;
            let word_of = Word { rules: 1 << index, is_name: is_name && *word != "pwd" };
            if follow.is_empty() {
                texts.push((*word).to_owned());
                rules.push(word_of);
            }
            for next in follow.chars() {
                texts.push(format!("{word}{next}"));
                rules.push(word_of);
            }
        }
    }
    Words { filter: Filter::of_words(texts.iter().map(String::as_str)), rules, at_sign }
});

struct Rule {
    kind: &'static str,
    /// One of these stands in whatever the expression matches; compared without case.
    words: &'static [&'static str],
    /// One of these stands in any text that the rule changes; compared without case.
    hints: &'static [&'static str],
    source: Cow<'static, str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Rule {
    /// Compiles the expression when it is first needed: most runs need few.
    fn expression(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&self.source).size_limit(1 << 22).build().ok();
        self.compiled.get_or_init(compile).as_ref()
    }
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    fn rule(
        kind: &'static str,
        words: &'static [&'static str],
        hints: &'static [&'static str],
        source: impl Into<Cow<'static, str>>,
    ) -> Rule {
        Rule { kind, words, hints, source: source.into(), compiled: OnceLock::new() }
    }
    vec![
        rule(
            "private-key",
            &["PRIVATE KEY"],
            &["PRIVATE KEY"],
            r"(?<before>-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----)(?<secret>[\s\S]*?)(?<after>-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----|\z)",
        ),
        rule(
            "aws-access-key",
            &["AKIA", "ASIA"],
            &["AKIA", "ASIA", "AROA", "AIDA"],
            r"(?<before>\b)(?<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b",
        ),
        rule(
            "aws-session-token",
            &["session_token", "sessiontoken", "security-token"],
            &["session", "security"],
            r#"(?i)(?<before>(?:aws_?session_?token|x-amz-security-token|"?sessiontoken"?)["']?\s*[=:]\s*["']?)(?<secret>[A-Za-z0-9/+=%_-]{20,})"#,
        ),
        rule(
            "aws-secret-key",
            &["secret_access", "secretaccess"],
            &["secret"],
            r#"(?i)(?<before>(?:aws_?)?secret_?access_?key["']?\s*[=:]\s*["']?)(?<secret>[A-Za-z0-9/+=]{30,})"#,
        ),
        rule(
            "jwt",
            &["eyJ"],
            &["eyJ"],
            r"(?<secret>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        ),
        rule(
            "slack-token",
            &["xox", "xapp-", "hooks.slack.com"],
            &["xox", "xapp-", "hooks.slack.com"],
            r"(?<before>hooks\.slack\.com/(?:services|workflows)/|\b)(?<secret>xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}|T[A-Z0-9]{6,}/[AB][A-Z0-9]{6,}/[A-Za-z0-9]{12,})",
        ),
        rule(
            "github-token",
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
            &["gh", "github_pat_"],
            r"(?<before>\b)(?<secret>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
        ),
        rule(
            "api-token",
            &["npm_", "glpat-", "sk_live_", "sk_test_", "AIza", "dckr_pat_", "pypi-"],
            &["npm_", "glpat-", "sk_live_", "sk_test_", "AIza", "dckr_pat_", "pypi-"],
            r"(?<before>\b)(?<secret>npm_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{16,}|sk_(?:live|test)_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{30,}|dckr_pat_[A-Za-z0-9_-]{16,}|pypi-[A-Za-z0-9_-]{30,})",
        ),
        rule(
            "bearer-token",
            &["bearer", "authorization"],
            &["bearer", "basic", "authorization"],
            r#"(?i)(?<before>\bbearer\s+|authorization["']?\s*[:=]\s*["']?(?:basic|bearer|token|aws4-hmac-sha256)\s+)(?<secret>[A-Za-z0-9._~+/=:-]{8,})"#,
        ),
        rule(
            "url-password",
            &["@"],
            &["://"],
            r#"(?<before>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*:)(?<secret>[^\s/@"'<>]+)(?<after>@)"#,
        ),
        rule(
            "connection-string",
            &["accountkey", "sharedaccesskey", "sharedsecret"],
            &["accountkey", "sharedaccesskey", "sharedsecret"],
            r#"(?i)(?<before>\b(?:accountkey|sharedaccesskey|sharedsecret(?:value|issuer)?)\s*=\s*)(?<secret>[^;\s"']+)"#,
        ),
        rule(
            "password",
            SECRET_WORDS,
            SECRET_WORDS,
            format!(
                r#"(?i)(?<before>{SECRET_NAMES}\s*=\s*)(?<secret>"[^"\r\n]+"|'[^'\r\n]+'|[^\s;,&"'()\[\]{{}}]+)"#
            ),
        ),
        rule(
            "password",
            SECRET_WORDS,
            SECRET_WORDS,
            format!(
                r#"(?i)(?<before>\\?["']{SECRET_NAMES}\\?["']\s*(?::|=>)\s*\\?["'])(?<secret>[^"'\\\r\n]+)(?<after>\\?["'])"#
            ),
        ),
        rule(
            "password",
            SECRET_WORDS,
            SECRET_WORDS,
            format!(
                r#"(?im)(?<before>^[\s{{,-]*{SECRET_NAMES}\s*:\s+["']?|generated security password: )(?<secret>[^\s,;"'()\[\]{{}}]{{6,}})(?<after>["']?)\s*$"#
            ),
        ),
        rule(
            "password",
            OPTION_WORDS,
            OPTION_WORDS,
            r#"(?i)(?<before>--(?:[\w-]{1,30}-)?(?:password|passwd|token|secret|api-key|access-key|secret-key)(?: +|=))(?<secret>"[^"\r\n]+"|'[^'\r\n]+'|[^\s"'-][^\s"']*)"#,
        ),
    ]
});

/// Each option of a command whose value is a secret has one of these in it.
const OPTION_WORDS: &[&str] =
    &["--password", "--passwd", "--token", "--secret", "-password ", "-token ", "-secret ", "-key "];

/// Each of the names below has one of these in it.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "privatekey",
    "private_key",
    "private-key",
    "encryptionkey",
    "encryption_key",
    "encryption-key",
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
    fn a_name_needs_no_other_hint_beside_it() {
        check("access-key=0a1b2c3d4e", "access-key=[redacted:password]");
        check("encryptionKey: '0a1b2c3d4e'", "encryptionKey: '[redacted:password]'");
        check("encryption_key=0a1b2c3d4e", "encryption_key=[redacted:password]");
    }

    #[test]
    fn values_of_options_are_removed() {
        check("deploy --token 0a1b2c3d --stage prod", "deploy --token [redacted:password] --stage prod");
        check("login --password hunter22", "login --password [redacted:password]");
        check("run --auth-token 0a1b2c3d", "run --auth-token [redacted:password]");
        check("run --api-key '0a1b 2c3d'", "run --api-key [redacted:password]");
        check("docker login --username AWS --password-stdin", "docker login --username AWS --password-stdin");
        check("unknown flag: --token", "unknown flag: --token");
        check("--token --verbose", "--token --verbose");
    }

    #[test]
    fn all_expressions_compile() {
        assert!(RULES.len() <= 32, "a bit a rule");
        for rule in RULES.iter() {
            assert!(rule.expression().is_some(), "{}", rule.source);
        }
    }

    #[test]
    fn every_name_is_looked_for() {
        for name in [
            "password",
            "db_passwd",
            "PASSPHRASE",
            "my-pwd",
            "secret",
            "secret_key",
            "SECRET_KEY_BASE",
            "auth-token",
            "ACCESS_TOKEN",
            "refreshToken",
            "id_token",
            "apitoken",
            "GITHUB_TOKEN",
            "ghtoken",
            "token",
            "x_token",
            "apiKey",
            "api-key",
            "api_key",
            "accesskey_secret",
            "accesskey",
            "access-key",
            "encryption-key",
            "encryptionKey",
            "privateKey",
            "private_key",
            "client-secret",
            "credential",
            "credentials",
            "app.secret.key",
        ] {
            let shapes = [
                "NAME=hunter22",
                "NAME = 'hunter22'",
                r#"{"NAME": "hunter22"}"#,
                "NAME:  hunter22",
                "\"NAME\" => \"hunter22\"",
            ];
            for shape in shapes {
                let text = shape.replace("NAME", name);
                let rules = || RULES.iter().filter(|rule| rule.hints == SECRET_WORDS);
                let changes = rules().any(|rule| {
                    rule.expression().is_some_and(|expression| expression.is_match(&text))
                        && rule.hints.iter().any(|hint| contains_ignoring_case(&text, hint))
                });
                let mut redactions = Redactions::new();
                let redacted = redact(&text, &mut redactions);
                assert_eq!(changes, redacted != text, "{text} became {redacted}");
            }
        }
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

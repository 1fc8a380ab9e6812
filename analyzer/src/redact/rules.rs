//! Finds secrets that are known by their form, and those that commands and statements take.

use regex::{Captures, Regex, RegexBuilder};
use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use super::telling::{hides, says_nothing};
use super::values::value_at;
use super::{Secret, without};

pub struct Rule {
    pub kind: &'static str,
    /// One of these stands in whatever the expression matches; compared without case.
    pub words: &'static [&'static str],
    /// One of these stands in any text that the rule changes; compared without case.
    hints: &'static [&'static str],
    source: Cow<'static, str>,
    secret: Where,
    compiled: OnceLock<Option<Regex>>,
}

/// Where the secret is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In the group of that name.
    Captured,
    /// It is the value that begins where the match ends.
    Next,
    /// It is in that value behind a colon: `user:password`.
    BehindColon,
}

impl Rule {
    /// Returns a text without what the rule finds, and how much that was; nothing where it finds nothing.
    pub fn apply(&self, text: &str) -> Option<(String, u64)> {
        if !self.hints.iter().any(|hint| contains_ignoring_case(text, hint)) {
            return None;
        }
        let expression = self.expression()?;
        if self.secret != Where::Captured {
            let found =
                expression.find_iter(text).filter_map(|found| self.secret_at(text.as_bytes(), found.end()));
            return without(text, found.collect(), self.kind);
        }
        let mut count = 0;
        let replaced = expression.replace_all(text, |found: &Captures<'_>| {
            let secret = found.name("secret").or(found.name("other"));
            if secret.is_none_or(|secret| hides(secret.as_str().as_bytes())) {
                return found[0].to_owned();
            }
            count += 1;
            let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
            format!("{}[redacted:{}]{}", part("before"), self.kind, part("after"))
        });
        (count > 0).then(|| (replaced.into_owned(), count))
    }

    fn secret_at(&self, text: &[u8], at: usize) -> Option<Secret> {
        let mut range = value_at(text, at)?.range;
        let is_number = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        if self.secret == Where::BehindColon {
            let value = &text[range.clone()];
            let said = memchr::memmem::find(value, b"[redacted:").unwrap_or(value.len());
            let colon = memchr::memchr(b':', &value[..said])?;
            let user = range.start..range.start + colon;
            range.start = user.end + 1;
            // A user and a group of a container are numbers.
            if !user.is_empty() && is_number(&text[user]) && is_number(&text[range.clone()]) {
                return None;
            }
        }
        let value = &text[range.clone()];
        let is_port = value.split(|byte| *byte == b':').all(|part| part.len() <= 5 && is_number(part));
        let is_kept = is_port && self.secret == Where::Next || says_nothing(value) || value.starts_with(b"-");
        (!is_kept).then_some(Secret { range, quotes: None })
    }

    /// Compiles the expression when it is first needed: most runs need few.
    fn expression(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&self.source).size_limit(1 << 22).build().ok();
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// What links a name to its value, and what opens the value.
const LINK: &str = r#"(?:\\*["'])?\s*(?:=>|[=:])\s*(?:\\*["'])?"#;
/// What separates the words of a command, also of one that is written as a list.
const GAP: &str = r#"(?:[ \t]+|\\*["'],\s*)"#;
/// What stands before an option.
const BEFORE: &str = r#"[ \t"']"#;

pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |secret, kind, words, hints, source: Cow<'static, str>| Rule {
        kind,
        words,
        hints,
        source,
        secret,
        compiled: OnceLock::new(),
    };
    let form =
        |kind, words, hints, source: &'static str| rule(Where::Captured, kind, words, hints, source.into());
    let linked = |kind, words, hints, names: &str, value: &str| {
        rule(Where::Captured, kind, words, hints, format!("(?i)(?<before>{names}{LINK}){value}").into())
    };
    let option = |secret, words, hints, commands: &str, options: &str| {
        // What `curl` is given has semicolons; elsewhere they and pipes end a command.
        let within = if commands == "curl" { r"[^\n]" } else { r"[^\n|;]" };
        let source = format!(r"\b(?i:{commands})\b{within}*?{BEFORE}(?:{options})");
        rule(secret, "password", words, hints, source.into())
    };
    let mut rules = vec![
        form(
            "private-key",
            &["PRIVATE KEY"],
            &["PRIVATE KEY"],
            r"(?<before>-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----)(?<secret>[\s\S]*?)(?<after>-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----|\z)",
        ),
        form(
            "aws-access-key",
            &["AKIA", "ASIA"],
            &["AKIA", "ASIA", "AROA", "AIDA"],
            r"(?<before>\b)(?<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b",
        ),
        linked(
            "aws-session-token",
            &["session_token", "sessiontoken", "security-token"],
            &["session", "security"],
            r"(?:aws_?session_?token|x-amz-security-token|sessiontoken)",
            r"(?<secret>[A-Za-z0-9/+=%_-]{20,})",
        ),
        linked(
            "aws-secret-key",
            &["secret_access", "secretaccess"],
            &["secret"],
            r"(?:aws_?)?secret_?access_?key",
            r"(?<secret>[A-Za-z0-9/+=]{30,})",
        ),
        form(
            "jwt",
            &["eyJ"],
            &["eyJ"],
            r"(?<secret>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        ),
        form(
            "slack-token",
            &["xox", "xapp-", "hooks.slack.com"],
            &["xox", "xapp-", "hooks.slack.com"],
            r"(?<before>hooks\.slack\.com/(?:services|workflows)/|\b)(?<secret>xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}|T[A-Z0-9]{6,}/[AB][A-Z0-9]{6,}/[A-Za-z0-9]{12,})",
        ),
        form(
            "github-token",
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
            &["gh", "github_pat_"],
            r"(?<before>\b)(?<secret>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
        ),
        form(
            "api-token",
            &["npm_", "glpat-", "sk_live_", "sk_test_", "AIza", "dckr_pat_", "pypi-"],
            &["npm_", "glpat-", "sk_live_", "sk_test_", "AIza", "dckr_pat_", "pypi-"],
            r"(?<before>\b)(?<secret>npm_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{16,}|sk_(?:live|test)_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{30,}|dckr_pat_[A-Za-z0-9_-]{16,}|pypi-[A-Za-z0-9_-]{30,})",
        ),
        rule(
            Where::Captured,
            "bearer-token",
            &["bearer", "authorization"],
            &["bearer", "authorization"],
            format!(r#"(?i)(?<before>\bbearer\s+|authorization{LINK}(?:\[\s*(?:\\*["'])?)?(?:basic|bearer|token|apikey|api-key|negotiate|sharedkey|splunk|aws4-hmac-sha256)\s+)(?<secret>[A-Za-z0-9._~+/=:-]{{8,}})"#).into(),
        ),
        // The last `@` before the host ends the password, which may have others. One that nobody encoded may have
        // slashes and question marks: then what follows the colon is no port.
        form(
            "url-password",
            &["@"],
            &["://"],
            r#"(?<before>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>\[]*:)(?:(?<secret>[^\s/?#"'<>]+)|(?<other>(?:\d{0,4}[^\d\s/?#"'<>@]|\d{5}[^\s/?#"'<>@])[^\s"'<>@]*[/?#][^\s"'<>@]*))(?<after>@)"#,
        ),
        form(
            "url-password",
            &["jdbc:oracle:"],
            &["jdbc:oracle:"],
            r#"(?<before>jdbc:oracle:\w+:[^\s/@"']+/)(?<secret>[^\s"']+)(?<after>@)"#,
        ),
        linked(
            "connection-string",
            &["accountkey", "sharedaccesskey", "sharedsecret"],
            &["accountkey", "sharedaccesskey", "sharedsecret"],
            r"\b(?:accountkey|sharedaccesskey|sharedsecret(?:value|issuer)?)",
            r#"(?<secret>[^;\s"'\\]+)"#,
        ),
        option(
            Where::Next,
            &["login", "sshpass", "mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"],
            &["-p"],
            "login|sshpass|mongo(?:sh|dump|restore|export|import)?",
            &format!("-p(?:{GAP}|=)"),
        ),
        option(
            Where::Next,
            &["mysql", "mariadb", "mysqldump", "mysqladmin", "mysqlimport", "mysqlsh", "mariadb-dump", "mariadb-admin", "sshpass"],
            &["-p"],
            "(?:mysql|mariadb)(?:-?(?:dump|admin|import|sh))?|sshpass",
            r#"-p(?-u:\b|\B)"#,
        ),
        option(
            Where::BehindColon,
            &["curl"],
            &["-u", "-user", "u ", "u\""],
            "curl",
            &format!("-[A-Za-z]{{0,5}}u{GAP}|-u=?|--(?:proxy-)?user(?:{GAP}|=)"),
        ),
        option(Where::Next, &["redis-cli"], &["-a"], "redis-cli", &format!("-a{GAP}")),
        option(
            Where::Next,
            &["sqlcmd", "mosquitto_"],
            &["-P"],
            "sqlcmd|mosquitto_(?:pub|sub)",
            &format!("-P{GAP}?"),
        ),
        option(
            Where::Next,
            &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldappasswd"],
            &["-w"],
            "ldap(?:search|add|modify|delete|whoami|passwd)", &format!("-w{GAP}"),
        ),
    ];
    let statement = |words, hints, source: String| rule(Where::Next, "password", words, hints, source.into());
    rules.push(statement(
        &["identified"],
        &["identified"],
        r"(?:(?i:\b(?:create|alter|grant|near)\b[^\n]*?\bidentified)|\bIDENTIFIED)(?i:\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?)".into(),
    ));
    rules.push(statement(
        &["requirepass", "masterauth"],
        &["requirepass", "masterauth"],
        format!(r"(?i)\b(?:requirepass|masterauth){GAP}"),
    ));
    // `machine host login user password x` of a .netrc.
    rules.push(statement(&["login"], &["password"], r"\blogin[ \t]+\S+\s+password[ \t]+".into()));
    rules
});

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

    #[test]
    fn all_expressions_compile() {
        assert!(RULES.len() <= 32, "a bit a rule");
        for rule in RULES.iter() {
            assert!(rule.expression().is_some(), "{}", rule.source);
        }
    }
}

//! Lists the rules for secrets that are known by their form: keys, tokens, signatures, parts of URLs.

use super::rules::{LINK, Rule, Where};

pub fn rules() -> Vec<Rule> {
    let mut rules = keys();
    rules.extend(tokens());
    rules.extend(headers());
    rules.extend(urls());
    rules
}

fn keys() -> Vec<Rule> {
    vec![
        form(
            "private-key",
            &["PRIVATE KEY"],
            &["PRIVATE KEY"],
            r"(?<before>-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----)(?<secret>[\s\S]*?)(?<after>-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----|\z)",
        ),
        // The beginning of what was printed is cut off.
        form(
            "private-key",
            &["PRIVATE KEY"],
            &["-----END"],
            r"(?<secret>\b[A-Za-z0-9+/]{16,}={0,2}(?:(?:\s|\\[nr])+[A-Za-z0-9+/]+={0,2})*)(?<after>(?:\s|\\[nr])+-----END [A-Z ]*PRIVATE KEY)",
        ),
        form("private-key", &["AGE-SECRET-KEY-"], &[], r"(?<before>AGE-SECRET-KEY-)(?<secret>[A-Z0-9]{30,})"),
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
        linked(
            "connection-string",
            &["accountkey", "sharedaccesskey", "sharedsecret"],
            &["accountkey", "sharedaccesskey", "sharedsecret"],
            r"\b(?:accountkey|sharedaccesskey|sharedsecret(?:value|issuer)?)",
            r#"(?<secret>[^;\s"'\\]+)"#,
        ),
    ]
}

fn tokens() -> Vec<Rule> {
    vec![
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
        // Of services of clouds and of vaults.
        form(
            "api-token",
            &[
                "hvs.",
                "hvb.",
                "hvr.",
                "dp.st.",
                "dp.pt.",
                "dp.ct.",
                "dp.sa.",
                "dop_v1_",
                "doo_v1_",
                "dor_v1_",
                "pscale_",
                "tskey-",
                "ATATT3x",
                "ATCTT3x",
                "glsa_",
                "glrt-",
                "gldt-",
                "glcbt-",
                "glptt-",
                "sntrys_",
                "sntryu_",
                "NRAK-",
                "rubygems_",
            ],
            &[],
            r"(?<before>\b)(?<secret>hv[sbr]\.[A-Za-z0-9_-]{16,}|dp\.(?:st|pt|ct|sa)\.(?:[a-z0-9_-]{1,40}\.)?[A-Za-z0-9]{20,}|do[opr]_v1_[a-f0-9]{32,}|pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_.-]{20,}|tskey-[a-z]+-[A-Za-z0-9-]{16,}|AT[AC]TT3x[A-Za-z0-9_=-]{20,}|glsa_[A-Za-z0-9_]{20,}|gl(?:rt|dt|cbt|ptt)-[A-Za-z0-9_-]{16,}|sntry[su]_[A-Za-z0-9_+/=-]{30,}|NRAK-[A-Z0-9]{20,}|rubygems_[a-f0-9]{30,})",
        ),
        // Of other services.
        form(
            "api-token",
            &[
                "shpat_",
                "shpca_",
                "shppa_",
                "shpss_",
                "lin_api_",
                "lin_oauth_",
                "rk_live_",
                "rk_test_",
                "whsec_",
                "xkeysib-",
                "PMAK-",
                "sq0atp-",
                "sq0csp-",
                "figd_",
                "ya29.",
                "lsv2_",
                "hf_",
            ],
            &[],
            r"(?<before>\b)(?<secret>shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{20,}|lin_(?:api|oauth)_[A-Za-z0-9]{20,}|rk_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}|xkeysib-[A-Za-z0-9-]{30,}|PMAK-[A-Za-z0-9-]{30,}|sq0(?:atp|csp)-[A-Za-z0-9_-]{20,}|figd_[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,}|lsv2_[a-z]{2}_[A-Za-z0-9_]{20,}|hf_[A-Za-z0-9]{24,})",
        ),
        form(
            "api-token",
            &["SG."],
            &[],
            r"(?<before>\b)(?<secret>SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})",
        ),
        // What begins with two letters only has more of them: a task has an id, too.
        form(
            "api-token",
            &[
                "sk-ant-",
                "sk-proj-",
                "sk-svcacct-",
                "sk-admin-",
                "sk-or-v1-",
                " sk-",
                "\"sk-",
                "'sk-",
                "=sk-",
                ":sk-",
                "gsk_",
                "xai-",
            ],
            &[],
            r"(?<before>\b)(?<secret>sk-(?:ant|proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{16,}|sk-[A-Za-z0-9]{32,}|gsk_[A-Za-z0-9]{32,}|xai-[A-Za-z0-9]{32,})",
        ),
        form(
            "api-token",
            &["telegram.org", ":AA"],
            &[":AA"],
            r"(?<before>\bbot|\b)(?<secret>\d{6,12}:AA[A-Za-z0-9_-]{30,})",
        ),
        // Whoever refuses a key of his own says which.
        form(
            "api-token",
            &["key provided:"],
            &[],
            r"(?i)(?<before>\bapi key provided:\s+)(?<secret>[A-Z0-9_-]{16,})",
        ),
        form(
            "webhook",
            &["/webhooks/", "webhook.office.com"],
            &["discord", "webhook.office.com"],
            r"(?<before>discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/|webhook\.office\.com/webhookb?2?/[^\s/]{1,120}/IncomingWebhook/)(?<secret>[A-Za-z0-9_-]{20,}(?:/[A-Za-z0-9-]+)*)",
        ),
    ]
}

fn headers() -> Vec<Rule> {
    vec![
        Rule::new(
            Where::Captured,
            "bearer-token",
            &["bearer", "authorization"],
            &["bearer", "authorization"],
            format!(
                r#"(?i)(?<before>\bbearer\s+|authorization{LINK}(?:\[\s*(?:\\*["'])?)?(?:basic|bearer|token|apikey|api-key|negotiate|sharedkey|splunk|aws4-hmac-sha256)\s+)(?<secret>[A-Za-z0-9._~+/=:-]{{8,}})"#
            ),
        ),
        // What a file of docker keeps beside a registry.
        Rule::new(Where::Encoded, "password", &["auth"], &[], r#"(?i)\bauth(?:\\*["'])?\s*:\s*"#),
        form(
            "signature",
            &["sig=", "signature="],
            &[],
            r"(?i)(?<before>(?:[?&;]|u0026|%26)sig=|\bx-(?:amz|goog)-signature=|(?:[?&;]|u0026|, ?)signature=)(?<secret>[A-Za-z0-9%+/=_~-]{16,})",
        ),
        form(
            "session",
            &["PHPSESSID=", "JSESSIONID=", "connect.sid=", "SessionId="],
            &[],
            r"(?i)(?<before>\b(?:phpsessid|jsessionid|connect\.sid|asp\.net_sessionid)=)(?<secret>[A-Za-z0-9%._~+/!-]{8,})",
        ),
    ]
}

fn urls() -> Vec<Rule> {
    vec![
        // In a URL of a store nothing behind the host has an `@`: the last one ends the password, whatever stands in it.
        form(
            "url-password",
            &["@"],
            &["://"],
            r#"(?i)(?<before>\b(?:postgres(?:ql)?|mysqlx?2?|mariadb|cockroachdb|mongodb|rediss?|valkeys?|amqps?|mssql|sqlserver|oracle|clickhouse|nats|ldaps?)(?:\+[a-z0-9]+)?://[^\s/:@"'<>\[]*:)(?<secret>(?:[^\s:?"'<>\[\\]|\[[^\s:?"'<>\[\\r]|:[^/\s?"'<>\[\\]|:/[^/\s?"'<>\[\\])+)(?<after>@)"#,
        ),
        // The last `@` before the host ends the password, which may have others. One that nobody encoded may have
        // slashes and question marks: then what follows the colon is no port.
        form(
            "url-password",
            &["@"],
            &["://"],
            r#"(?<before>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>\[]*:)(?:(?<secret>[^\s/?#"'<>]+)|(?<other>(?:\d{0,4}[^\d\s/?#"'<>@]|\d{5}[^\s/?#"'<>@])[^\s"'<>@]*[/?#][^\s"'<>@]*))(?<after>@)"#,
        ),
        // A token instead of a user.
        Rule::new(
            Where::CapturedRandom,
            "url-password",
            &["@"],
            &["://"],
            r#"(?<before>\b[A-Za-z][A-Za-z0-9+.-]*://)(?<secret>[^\s/:@"'<>\[?#]{12,})(?<after>@)"#,
        ),
        form(
            "url-password",
            &["%3A%2F%2F"],
            &["%40"],
            r"(?i)(?<before>%3A%2F%2F[A-Za-z0-9._-]*%3A)(?<secret>(?:[A-Za-z0-9._~!*-]|%[0-9A-F]{2})+?)(?<after>%40)",
        ),
        form(
            "url-password",
            &["jdbc:oracle:"],
            &["jdbc:oracle:"],
            r#"(?<before>jdbc:oracle:\w+:[^\s/@"']+/)(?<secret>[^\s"']+)(?<after>@)"#,
        ),
    ]
}

fn form(
    kind: &'static str,
    words: &'static [&'static str],
    hints: &'static [&'static str],
    source: &'static str,
) -> Rule {
    Rule::new(Where::Captured, kind, words, hints, source)
}

fn linked(
    kind: &'static str,
    words: &'static [&'static str],
    hints: &'static [&'static str],
    names: &str,
    value: &str,
) -> Rule {
    Rule::new(Where::Captured, kind, words, hints, format!("(?i)(?<before>{names}{LINK}){value}"))
}

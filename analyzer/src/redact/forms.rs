//! Lists the rules for secrets that are known by their form: keys, tokens, signatures, parts of URLs.

use super::rules::{LINK, Rule, Where};

/// What may stand before a token besides what ends a word: an escape, a colour, a letter of another script.
const BEFORE: &str = r"(?<before>\b|\\+(?:[nrtbf]|u00[0-9A-Fa-f]{2}|x[0-9A-Fa-f]{2})|\[[0-9;]{0,10}m|%[0-9A-Fa-f]{2}|_|[^\x00-\x7F])";

/// Lines of a private key, whatever separates them, and what stands above them.
const KEY: &str = r#"(?:(?:\s|\\+[nrt]|\\+u000[ad]|["'`+,|>*])*(?:[A-Za-z0-9+/]{20,}={0,2}|\[redacted:[a-z-]+\]|(?:Proc-Type|DEK-Info|Comment|Version|Hash): [^\n\\]{1,80}))+(?:(?:\r?\n|(?:\\+r)?\\+n)[A-Za-z0-9+/]{1,19}={0,2}\z)?"#;

pub fn rules() -> Vec<Rule> {
    let mut rules = keys();
    rules.extend(tokens());
    rules.extend(headers());
    rules.extend(urls());
    rules
}

fn keys() -> Vec<Rule> {
    vec![
        // Where its end is missing, what follows and reads as a key is one; a log goes on behind it.
        Rule::new(
            Where::Captured,
            "private-key",
            &["PRIVATE KEY"],
            &["PRIVATE KEY"],
            format!(
                r"(?<before>-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----)(?:(?<secret>[\s\S]*?)(?<after>-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----)|(?<other>{KEY}))"
            ),
        ),
        // The beginning of what was printed is cut off.
        form(
            "private-key",
            &["PRIVATE KEY"],
            &["-----END"],
            r"(?<secret>\b[A-Za-z0-9+/]{16,}={0,2}(?:(?:\s|\\[nr])+[A-Za-z0-9+/]+={0,2})*)(?<after>(?:\s|\\[nr])+-----END [A-Z ]*PRIVATE KEY)",
        ),
        // Keys, accounts and configurations in Base64.
        form(
            "private-key",
            &["LS0tLS1CRUdJTi", "ewogICJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCI", "eyJhdXRocyI6"],
            &[],
            r"(?<secret>LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0Eg|BFQyBQ|BPUEVOU1NI)[A-Za-z0-9+/=]{20,}|ewogICJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCI[A-Za-z0-9+/=]{20,}|eyJhdXRocyI6[A-Za-z0-9+/=]{20,})",
        ),
        form("private-key", &["AGE-SECRET-KEY-"], &[], r"(?<before>AGE-SECRET-KEY-)(?<secret>[A-Z0-9]{30,})"),
        token(
            "aws-access-key",
            &["AKIA", "ASIA"],
            &["AKIA", "ASIA", "AROA", "AIDA"],
            r"(?<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b",
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
        token(
            "jwt",
            &["eyJ"],
            &["eyJ"],
            r"(?<secret>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        ),
        form(
            "slack-token",
            &["hooks.slack.com"],
            &[],
            r"(?<before>hooks\.slack\.com/(?:services|workflows)/)(?<secret>T[A-Z0-9]{6,}/[AB][A-Z0-9]{6,}/[A-Za-z0-9]{12,})",
        ),
        token(
            "slack-token",
            &["xox", "xapp-"],
            &["xox", "xapp-"],
            r"(?<secret>xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,})",
        ),
        token(
            "github-token",
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
            &["gh", "github_pat_"],
            r"(?<secret>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
        ),
        token(
            "api-token",
            &["npm_", "glpat-", "sk_live_", "sk_test_", "AIza", "dckr_pat_", "pypi-"],
            &["npm_", "glpat-", "sk_live_", "sk_test_", "AIza", "dckr_pat_", "pypi-"],
            r"(?<secret>npm_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{16,}|sk_(?:live|test)_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{30,}|dckr_pat_[A-Za-z0-9_-]{16,}|pypi-[A-Za-z0-9_-]{30,})",
        ),
        // Of services of clouds and of vaults.
        token(
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
            r"(?<secret>hv[sbr]\.[A-Za-z0-9_-]{16,}|dp\.(?:st|pt|ct|sa)\.(?:[a-z0-9_-]{1,40}\.)?[A-Za-z0-9]{20,}|do[opr]_v1_[a-f0-9]{32,}|pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_.-]{20,}|tskey-[a-z]+-[A-Za-z0-9-]{16,}|AT[AC]TT3x[A-Za-z0-9_=-]{20,}|glsa_[A-Za-z0-9_]{20,}|gl(?:rt|dt|cbt|ptt)-[A-Za-z0-9_-]{16,}|sntry[su]_[A-Za-z0-9_+/=-]{30,}|NRAK-[A-Z0-9]{20,}|rubygems_[a-f0-9]{30,})",
        ),
        // Of other services.
        token(
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
            r"(?<secret>shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{20,}|lin_(?:api|oauth)_[A-Za-z0-9]{20,}|rk_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}|xkeysib-[A-Za-z0-9-]{30,}|PMAK-[A-Za-z0-9-]{30,}|sq0(?:atp|csp)-[A-Za-z0-9_-]{20,}|figd_[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,}|lsv2_[a-z]{2}_[A-Za-z0-9_]{20,}|hf_[A-Za-z0-9]{24,})",
        ),
        // Of clouds, registries and models.
        token(
            "api-token",
            &[
                "sbp_",
                "sb_secret_",
                "GOCSPX-",
                "HRKU-",
                "fm2_",
                "dckr_oat_",
                "glc_",
                "gloas-",
                "glsoat-",
                "glagent-",
                "glft-",
                "sqp_",
                "squ_",
                "NRII-",
                "pplx-",
                "nvapi-",
                "pcsk_",
                "tvly-",
                "rzp_live_",
                "xsmtpsib-",
                "ops_eyJ",
                "dt0c01.",
                "CCIPAT_",
                "ATBB",
                "ntn_",
                "dapi",
                ".atlasv1.",
            ],
            &[],
            r"(?<secret>sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}|HRKU-[A-Za-z0-9_-]{20,}|fm2_[A-Za-z0-9+/=_-]{40,}|dckr_oat_[A-Za-z0-9_-]{16,}|glc_[A-Za-z0-9+/=]{30,}|gloas-[A-Za-z0-9]{40,}|gl(?:soat|agent|ft)-[A-Za-z0-9_-]{16,}|sq[pu]_[a-f0-9]{40}|NRII-[A-Za-z0-9_-]{20,}|pplx-[A-Za-z0-9]{32,}|nvapi-[A-Za-z0-9_-]{40,}|pcsk_[A-Za-z0-9_]{30,}|tvly-[A-Za-z0-9-]{24,}|rzp_live_[A-Za-z0-9]{14,}|xsmtpsib-[A-Za-z0-9-]{30,}|ops_eyJ[A-Za-z0-9_=-]{40,}|dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{40,}|CCIPAT_[A-Za-z0-9_]{30,}|ATBB[A-Za-z0-9]{28,}|ntn_[A-Za-z0-9]{40,}|dapi[a-f0-9]{32}(?:-\d)?|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,})",
        ),
        token("api-token", &["SG."], &[], r"(?<secret>SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"),
        // What begins with two letters only has more of them: a task has an id, too.
        token(
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
                "(sk-",
                "`sk-",
                "\nsk-",
                "\\nsk-",
                "gsk_",
                "xai-",
            ],
            &[],
            r"(?<secret>sk-(?:ant|proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{16,}|sk-[A-Za-z0-9]{32,}|gsk_[A-Za-z0-9]{32,}|xai-[A-Za-z0-9]{32,})",
        ),
        form(
            "api-token",
            &["telegram.org", ":AA"],
            &[":AA"],
            r"(?<before>\bbot|\b|\\+[nrt]|%[0-9A-Fa-f]{2})(?<secret>\d{6,12}:AA[A-Za-z0-9_-]{30,})",
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
                r#"(?i)(?<before>(?:\b|\\+[nrt])bearer\s+|authorization{LINK}(?:\[\s*(?:\\*["'])?)?(?:basic|bearer|token|apikey|api-key|negotiate|sharedkey|splunk|aws4-hmac-sha256)\s+)(?<secret>[A-Za-z0-9._~+/=:-]{{8,}})"#
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
            r#"(?i)(?<before>\b(?:postgres(?:ql)?|mysqlx?2?|mariadb|cockroachdb|mongodb|rediss?|valkeys?|amqps?|mssql|sqlserver|oracle|clickhouse|nats|ldaps?)(?:\+[a-z0-9]+)?://[^\s/:@"'<>\[]*:)(?<secret>(?:[^\s:?"'\[\\]|\[[^\s:?"'\[\\r]|:[^/\s?"'\[\\]|:/[^/\s?"'\[\\])+)(?<after>@)"#,
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
        // What drivers of Go take: `shop:x@tcp(db:3306)/shop`.
        form(
            "url-password",
            &["@tcp(", "@unix("],
            &[],
            r#"(?<before>(?:^|[\s"'=`(\[])[\w.-]+:)(?<secret>[^\s"'/][^\s"']*)(?<after>@(?:tcp|unix)\()"#,
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

/// Returns the rule for tokens that are known by how they begin.
fn token(
    kind: &'static str,
    words: &'static [&'static str],
    hints: &'static [&'static str],
    secret: &str,
) -> Rule {
    Rule::new(Where::Captured, kind, words, hints, format!("{BEFORE}{secret}"))
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

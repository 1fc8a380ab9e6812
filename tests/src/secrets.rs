//! Secrets are gone before anything is kept or shown.

use analyzer::diagnosis::Diagnosis;
use analyzer::record::Source;
use analyzer::redact::{Redactions, redact};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::given::{cases, diagnosed, matches, renderings};

/// What a secret looks like, and what makes it recognisable.
#[derive(Clone, Debug)]
struct Planted {
    kind: &'static str,
    /// As it stands in the log.
    text: String,
    /// What must never be seen again.
    secret: String,
}

proptest! {
    #![proptest_config(cases(192))]

    /// Feature: deployment-infrastructure-reliability, Property 16: a secret in a record is in no report, and counted
    #[test]
    fn a_secret_in_a_record_is_in_no_report(
        secret in planted(),
        sample in any::<Index>(),
        place in any::<Index>(),
        around in prop::sample::select(vec![(" ", " "), ("", ""), ("\"", "\""), ("'", "'"), ("(", ")"), (": ", ","), ("key=", ";")]),
    ) {
        let (_, sample) = sample.get(matches());
        let is_document = sample.text.trim_start().starts_with(['{', '[']);
        let mut lines: Vec<String> = sample.text.lines().map(str::to_owned).collect();
        let planted = format!("{}{}{}", around.0, secret.text, around.1);
        match place.index(lines.len() + 1) {
            at if at < lines.len() && !is_document => lines[at] = format!("{} {planted}", lines[at]),
            _ => lines.push(format!("FATAL Error: cannot open widget {planted} at once")),
        }
        is_hidden(sample.source, &lines.join("\n"), &secret)?;
    }

    /// Feature: deployment-infrastructure-reliability, Property 16: a secret in a record is in no report, and counted
    #[test]
    fn a_secret_in_an_unknown_failure_is_in_no_report(secret in planted(), json in any::<bool>(), frames in 0usize..4) {
        let said = format!("cannot open widget with {} in the vault", secret.text);
        let text = match json {
            true => serde_json::json!({"level": "fatal", "msg": said, "err": {"stack": secret.text}}).to_string(),
            false => format!("FATAL Error: {said}\n{}", "    at open (/app/widget.js:1:2)\n".repeat(frames)),
        };
        // What is said is the evidence, so what was removed of it is counted by its kind.
        let diagnosis = is_hidden(Source::ContainerLog, &text, &secret)?;
        let counted = diagnosis.redactions.get(secret.kind).copied().unwrap_or_default();
        prop_assert!(counted >= 1, "no {} in {:?} of:\n{text}", secret.kind, diagnosis.redactions);
    }

    /// Feature: deployment-infrastructure-reliability, Property 24: redacting twice is redacting once
    #[test]
    fn redacting_twice_is_redacting_once(
        secrets in prop::collection::vec(planted(), 0..4),
        between in prop::collection::vec("[ -~\n]{0,24}", 5),
    ) {
        let texts = secrets.iter().map(|secret| secret.text.as_str());
        let text: String = between.iter().map(String::as_str).zip(texts.chain(std::iter::repeat(""))).flat_map(|(a, b)| [a, b]).collect();
        let once = redact(&text, &mut Redactions::new()).into_owned();
        let mut second = Redactions::new();
        prop_assert_eq!(&redact(&once, &mut second), &once);
        prop_assert!(second.is_empty(), "{:?} in {}", second, once);
    }
}

/// Feature: deployment-infrastructure-reliability, Property 25: a secret in a described thing is in no report
#[test]
fn a_value_of_a_task_definition_is_in_no_report() {
    let text = r#"{"taskDefinition": {"family": "web", "cpu": "300", "memory": "512", "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [{"name": "app", "image": "web:1",
        "environment": [{"name": "WIDGET", "value": "s3cr3t-value"}], "command": ["--key", "s3cr3t-command"],
        "logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": "s3cr3t-option"}}}]}}"#;
    let collected = medic::formats::read_text("task-definition.json", None, text);
    let diagnosis =
        analyzer::diagnose(crate::given::book(), &collected.records, &collected.snapshot, Vec::new());
    assert!(diagnosis.root_cause().is_some(), "300 CPU units are none that Fargate knows");
    for (format, report) in renderings(&diagnosis) {
        assert!(!report.contains("s3cr3t"), "{format:?}: {report}");
    }
}

/// Feature: deployment-infrastructure-reliability, Property 16: a secret in a record is in no report, and counted
#[test]
fn a_private_key_over_several_lines_is_in_no_report() {
    let text = "FATAL Error: cannot parse the key\n\
        -----BEGIN RSA PRIVATE KEY-----\n\
        MIIEpAIBAAKCAQEAu5s3cr3tNotReallyAKeyButLooksLikeOneToAnyReader\n\
        qhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCs3cr3tAndTheLastLineIsShort==\n\
        -----END RSA PRIVATE KEY-----\n\
        Error: error:1E08010C:DECODER routines::unsupported\n";
    for (format, report) in renderings(&diagnosed(Source::ContainerLog, text)) {
        assert!(!report.contains("s3cr3t"), "{format:?}: {report}");
    }
}

fn is_hidden(source: Source, text: &str, secret: &Planted) -> Result<Diagnosis, TestCaseError> {
    let diagnosis = diagnosed(source, text);
    for (format, report) in renderings(&diagnosis) {
        prop_assert!(!report.contains(&secret.secret), "{} in {format:?} of:\n{text}", secret.kind);
    }
    for evidence in diagnosis.findings.iter().flat_map(|finding| &finding.evidence) {
        let marks = evidence.text.split("[redacted:").skip(1).filter_map(|rest| rest.split_once(']'));
        for (kind, _) in marks {
            let counted = diagnosis.redactions.get(kind).copied().unwrap_or_default();
            prop_assert!(counted > 0, "{kind} is marked and not in {:?}:\n{text}", diagnosis.redactions);
        }
    }
    Ok(diagnosis)
}

fn planted() -> impl Strategy<Value = Planted> {
    const UPPER: &str = "[A-Z0-9]{16}";
    let alphabet = "[A-Za-z0-9]{36}";
    let whole = |kind, text: String| Planted { kind, secret: text.clone(), text };
    prop_oneof![
        UPPER.prop_map(move |key| whole("aws-access-key", format!("AKIA{key}"))),
        UPPER.prop_map(move |key| whole("aws-access-key", format!("ASIA{key}"))),
        "[A-Za-z0-9/+]{40}".prop_map(|secret| Planted {
            kind: "aws-secret-key",
            text: format!("AWS_SECRET_ACCESS_KEY={secret}"),
            secret,
        }),
        "[A-Za-z0-9/+]{60}".prop_map(|secret| Planted {
            kind: "aws-session-token",
            text: format!("AWS_SESSION_TOKEN={secret}"),
            secret,
        }),
        ("[A-Za-z0-9_-]{20}", "[A-Za-z0-9_-]{20}", "[A-Za-z0-9_-]{20}")
            .prop_map(move |(a, b, c)| whole("jwt", format!("eyJ{a}.{b}.{c}q"))),
        "[0-9]{12}-[a-zA-Z0-9]{24}".prop_map(move |rest| whole("slack-token", format!("xoxb-{rest}"))),
        "T[A-Z0-9]{8}/B[A-Z0-9]{8}/[A-Za-z0-9]{24}".prop_map(|secret| Planted {
            kind: "slack-token",
            text: format!("https://hooks.slack.com/services/{secret}"),
            secret,
        }),
        alphabet.prop_map(move |rest| whole("github-token", format!("ghp_{rest}"))),
        alphabet.prop_map(move |rest| whole("github-token", format!("github_pat_{rest}"))),
        alphabet.prop_map(move |rest| whole("api-token", format!("npm_{rest}"))),
        alphabet.prop_map(move |rest| whole("api-token", format!("glpat-{rest}"))),
        alphabet.prop_map(move |rest| whole("api-token", format!("sk_live_{rest}"))),
        alphabet.prop_map(|secret| Planted {
            kind: "bearer-token",
            text: format!("Authorization: Bearer {secret}"),
            secret,
        }),
        "[A-Za-z0-9!$%^*-]{12}q".prop_filter("says something", |text| !text.starts_with('$')).prop_map(
            |secret| Planted {
                kind: "url-password",
                text: format!("postgres://app:{secret}@db.internal:5432/app"),
                secret,
            }
        ),
        "[A-Za-z0-9]{16}".prop_map(|secret| Planted {
            kind: "password",
            text: format!("DB_PASSWORD={secret}"),
            secret,
        }),
        "[A-Za-z0-9]{16}".prop_map(|secret| Planted {
            kind: "password",
            text: format!("Server=db;User Id=sa;Password={secret};Encrypt=true"),
            secret,
        }),
        "[A-Za-z0-9]{16}".prop_map(|secret| Planted {
            kind: "password",
            text: format!("{{\"client_secret\": \"{secret}\"}}"),
            secret,
        }),
        ("[a-z]{4}[0-9]{4}[A-Z]{4}", 0usize..9).prop_map(|(secret, shape)| {
            let text = match shape {
                0 => format!("{{:host=>\"db\", :password=>\"{secret}\"}}"),
                1 => format!("SMTP_PASS={secret}"),
                2 => format!("{{\"name\": \"DB_PASSWORD\", \"value\": \"{secret}\"}}"),
                3 => format!("CREATE USER shop IDENTIFIED BY '{secret}'"),
                4 => format!("ALTER ROLE shop PASSWORD '{secret}'"),
                5 => format!("docker login -u shop -p {secret} registry.internal"),
                6 => format!("curl -u shop:{secret} https://registry.internal/v2/"),
                7 => format!("DB_PASSWORD: {secret}"),
                _ => format!("postgres://shop:p@ss:{secret}@db.internal/shop"),
            };
            Planted { kind: if shape < 8 { "password" } else { "url-password" }, text, secret }
        }),
        "[A-Za-z0-9+/]{40}".prop_map(|secret| Planted {
            kind: "private-key",
            text: format!("-----BEGIN PRIVATE KEY-----\\n{secret}\\n-----END PRIVATE KEY-----"),
            secret,
        }),
    ]
}

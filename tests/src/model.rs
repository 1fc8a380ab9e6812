//! Measures the word model on pages that it has not seen.

use analyzer::record::Source;
use analyzer::taxonomy::Class;
use patterns::parse::{Page, Sample, default_source};
use patterns::train::train;

use crate::given::pages;

const FOLDS: usize = 10;

/// Words that a person would look for, class by class.
const WORDS: [(Class, [&str; 16]); 12] = [
    (
        Class::StackFailure,
        [
            "stack",
            "CREATE_FAILED",
            "UPDATE_FAILED",
            "ROLLBACK",
            "DELETE_FAILED",
            "resource",
            "already exists",
            "export",
            "AWS::",
            "changeset",
            "nested",
            "template",
            "custom resource",
            "handler",
            "termination",
            "limit exceeded",
        ],
    ),
    (
        Class::ServiceStartup,
        [
            "service",
            "task",
            "essential container",
            "steady state",
            "circuit breaker",
            "unable to start",
            "placement",
            "place a task",
            "container instance",
            "ResourceInitializationError",
            "TaskFailedToStart",
            "stopped",
            "deployment",
            "agent",
            "tasks failed to start",
            "launch",
        ],
    ),
    (
        Class::Network,
        [
            "timed out",
            "timeout",
            "ECONNREFUSED",
            "ENOTFOUND",
            "DNS",
            "getaddrinfo",
            "no such host",
            "unreachable",
            "security group",
            "subnet",
            "route",
            "TLS",
            "certificate",
            "x509",
            "dial tcp",
            "connection reset",
        ],
    ),
    (
        Class::Capacity,
        [
            "memory",
            "OutOfMemory",
            "OOM",
            "heap",
            "137",
            "capacity",
            "insufficient",
            "quota",
            "limit",
            "throttl",
            "disk",
            "no space left",
            "vCPU",
            "Spot",
            "unavailable",
            "exhausted",
        ],
    ),
    (
        Class::StartupHealth,
        [
            "health check",
            "unhealthy",
            "Exception",
            "Traceback",
            "panic",
            "exit code",
            "exited",
            "crash",
            "segmentation",
            "failed to start",
            "cannot find module",
            "undefined",
            "TypeError",
            "fatal",
            "migration",
            "startup",
        ],
    ),
    (
        Class::Database,
        [
            "database",
            "postgres",
            "mysql",
            "SQL",
            "connection pool",
            "relation",
            "mongo",
            "redis",
            "deadlock",
            "role",
            "pg_hba",
            "migrate",
            "Prisma",
            "too many connections",
            "JDBC",
            "authentication failed",
        ],
    ),
    (
        Class::Configuration,
        [
            "environment variable",
            "missing",
            "required",
            "not set",
            "invalid",
            "config",
            "secret",
            "parse",
            "undefined variable",
            "KeyError",
            "validation",
            "property",
            "yaml",
            "option",
            "must be",
            "unset",
        ],
    ),
    (
        Class::PortBinding,
        [
            "port",
            "bind",
            "EADDRINUSE",
            "address already in use",
            "listen",
            "EACCES",
            "permission denied",
            "0.0.0.0",
            "127.0.0.1",
            "localhost",
            ":80",
            ":443",
            ":3000",
            ":8080",
            "socket",
            "in use",
        ],
    ),
    (
        Class::Image,
        [
            "docker",
            "image",
            "pull",
            "push",
            "manifest",
            "Dockerfile",
            "buildx",
            "npm",
            "pip",
            "COPY",
            "RUN",
            "layer",
            "exec format error",
            "platform",
            "registry",
            "build",
        ],
    ),
    (
        Class::Workflow,
        [
            "workflow",
            "job",
            "step",
            "##[error]",
            "runner",
            "action",
            "checkout",
            "artifact",
            "cache",
            "process completed with exit code",
            "tests failed",
            "lint",
            "canceled",
            "actions/",
            "FAIL",
            "uses",
        ],
    ),
    (
        Class::Cdk,
        [
            "cdk",
            "synth",
            "construct",
            "bootstrap",
            "jsii",
            "aws-cdk-lib",
            "context",
            "node tree",
            "app",
            "assembly",
            "asset",
            "toolkit",
            "TS2",
            "scope",
            "token",
            "feature flag",
        ],
    ),
    (
        Class::Credentials,
        [
            "AccessDenied",
            "not authorized",
            "credentials",
            "token",
            "expired",
            "AssumeRole",
            "OIDC",
            "sts",
            "permission",
            "unauthorized",
            "403",
            "401",
            "forbidden",
            "signature",
            "iam:PassRole",
            "denied",
        ],
    ),
];

/// A page is never judged by what was learned from it: a silent answer counts as wrong.
#[test]
fn the_model_judges_pages_that_it_has_not_seen() {
    let (mut model, mut words, mut source, mut silent, mut total) = (0, 0, 0, 0, 0);
    for fold in 0..FOLDS {
        let learned = train(of_fold(|number| number != fold));
        for page in of_fold(|number| number == fold) {
            for sample in page.samples.iter().filter(|sample| sample.expects_match) {
                total += 1;
                let judgement = learned.judge(&[&sample.text], sample.source);
                silent += usize::from(judgement.is_none());
                model += usize::from(judgement.is_some_and(|judgement| judgement.class == page.class));
                words += usize::from(by_words(sample) == Some(page.class));
                source += usize::from(by_source(fold, sample.source) == page.class);
            }
        }
    }
    let percent = |right: usize| 100.0 * right as f64 / total as f64;
    println!(
        "held-out samples: {total}; right: model {:.1} % (silent on {:.1} %), list of words {:.1} %, class of the source {:.1} %",
        percent(model),
        percent(silent),
        percent(words),
        percent(source)
    );
    assert!(percent(model) >= percent(words) + 15.0, "the model is not clearly better than a list of words");
    assert!(
        percent(model) >= percent(source) + 15.0,
        "the model is not clearly better than the source alone"
    );
}

fn of_fold(is_in: impl Fn(usize) -> bool) -> impl Iterator<Item = &'static Page> {
    pages().iter().enumerate().filter(move |(index, _)| is_in(index % FOLDS)).map(|(_, page)| page)
}

/// Returns the class with most hits; of equals, the first.
fn by_words(sample: &Sample) -> Option<Class> {
    let text = sample.text.to_ascii_lowercase();
    let hits = WORDS.iter().map(|(class, words)| {
        (words.iter().filter(|word| text.contains(&word.to_ascii_lowercase())).count(), *class)
    });
    hits.filter(|(hits, _)| *hits > 0)
        .max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)))
        .map(|(_, class)| class)
}

/// Returns the class that most samples of that source have outside of the fold.
fn by_source(fold: usize, source: Source) -> Class {
    let mut counts = [0; Class::ALL.len()];
    for page in of_fold(|number| number != fold) {
        let samples = page.samples.iter().filter(|sample| sample.expects_match && sample.source == source);
        counts[page.class.index()] += samples.count();
    }
    let usual = Class::ALL.into_iter().max_by_key(|class| (counts[class.index()], std::cmp::Reverse(*class)));
    usual
        .filter(|class| counts[class.index()] > 0)
        .or_else(|| Class::ALL.into_iter().find(|class| default_source(*class) == source))
        .unwrap_or(Class::StackFailure)
}

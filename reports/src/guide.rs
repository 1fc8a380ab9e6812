//! The guide: the one view model that every renderer reads.

use analyzer::changes::{Basis, Change, Changes, Kind};
use analyzer::diagnosis::{Diagnosis, Finding, Proof, Verdict};
use analyzer::pattern::Patterns;
use analyzer::record::{Level, Source};
use analyzer::taxonomy::{Blame, Class, Remedy, Safety, Severity};
use analyzer::{checks::Outcome, diagnosis::DeploymentFacts};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::commands::{self, Filling};
use crate::page::{summary, to_do, to_do_without_cause};
pub use crate::quote::Quote;
use crate::quote::quote;
use crate::sentences::{happened, headline, tasks};
pub use crate::sentences::{short, span};
use crate::stack;
use crate::treatment::{Known, Treatment, told_once, treatment};

/// At most this many records are quoted.
pub const MOST_EVIDENCE: usize = 10;

/// Everything a reader is told, in the order in which it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guide {
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub headline: String,
    /// What happened and its impact, a sentence each.
    pub happened: Vec<String>,
    /// How many tasks run, and of which version.
    pub tasks: Option<String>,
    pub root: Option<Cause>,
    /// From the root cause to what was seen last, each explained by the one before.
    pub chain: Vec<Link>,
    pub evidence: Vec<Quote>,
    /// What to do now, as Markdown of the page.
    pub to_do: String,
    pub remedies: Vec<Treatment>,
    pub next: Vec<Next>,
    /// What changed since the last good deployment.
    pub changes: Option<Changed>,
    pub ruled_out: Vec<Ruled>,
    pub timeline: Vec<Moment>,
    pub gaps: Vec<Missing>,
    pub others: Vec<Cause>,
    pub redactions: BTreeMap<String, u64>,
    pub deployment: DeploymentFacts,
    pub records: u64,
    pub streams: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    pub id: String,
    pub class: Class,
    pub title: String,
    pub severity: Severity,
    pub blame: Blame,
    pub known: bool,
    pub symptom: bool,
    pub proof: Proof,
    /// How it was proven, or what could not be checked.
    pub proof_says: Vec<String>,
    pub confidence: f64,
    pub confidence_because: Vec<String>,
    /// What happened, as Markdown of the page.
    pub summary: String,
    pub explains: Vec<String>,
    pub explained_by: Vec<String>,
    pub values: BTreeMap<String, String>,
    pub auto_recoverable: bool,
    pub evidence: Vec<Quote>,
    pub remedies: Vec<Treatment>,
}

/// A link of the causal chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    pub id: String,
    pub title: String,
    pub symptom: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Next {
    pub class: Class,
    pub title: String,
    pub because: String,
}

/// The task definition of the deployment beside that of the last good one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    pub from: String,
    pub to: String,
    /// Why `from` is taken for the last good one.
    pub basis: Basis,
    /// Both in one sentence, names in backticks.
    pub says: String,
    pub items: Vec<ChangedField>,
    /// The command that shows a revision that is not described.
    pub show: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangedField {
    pub container: Option<String>,
    pub what: String,
    pub kind: Kind,
    pub before: Option<String>,
    pub after: Option<String>,
    /// What became of it, in words.
    pub says: String,
    /// Whether the root cause names it, or what stands in it.
    pub is_named: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ruled {
    pub cause: String,
    pub because: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    pub time: Option<Timestamp>,
    pub stream: String,
    pub source: Source,
    pub level: Level,
    pub text: String,
    pub cause: Option<String>,
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missing {
    pub what: String,
    pub because: String,
    pub remedy: Option<String>,
}

impl ChangedField {
    /// Says the change in one line.
    pub fn line(&self) -> String {
        let whose = self.container.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        format!("{whose}{} {}", self.what, self.says)
    }
}

impl Guide {
    /// Writes the guide to a diagnosis, with the texts of the pages.
    pub fn new(diagnosis: &Diagnosis, patterns: &Patterns) -> Guide {
        let mut causes = diagnosis.findings.iter().map(|finding| cause(finding, patterns, diagnosis));
        let root = if diagnosis.has_root_cause { causes.next() } else { None };
        let others: Vec<Cause> = causes.collect();
        let finding = diagnosis.root_cause();
        Guide {
            verdict: diagnosis.verdict,
            headline: headline(diagnosis),
            happened: happened(diagnosis, root.as_ref()),
            tasks: tasks(diagnosis),
            chain: root.iter().flat_map(|root| chain(root, &others)).collect(),
            evidence: root.iter().flat_map(|root| root.evidence.clone()).take(MOST_EVIDENCE).collect(),
            to_do: match finding {
                Some(finding) => {
                    let to_do = commands::in_markdown(&to_do(finding, patterns), &filling(diagnosis));
                    stack::with_next_step(to_do, &diagnosis.deployment)
                }
                None => to_do_without_cause(diagnosis),
            },
            remedies: root.iter().flat_map(|root| told_once(&root.remedies)).collect(),
            next: diagnosis
                .blockers
                .iter()
                .map(|blocker| Next {
                    class: blocker.class,
                    title: blocker.title.clone(),
                    because: blocker.because.clone(),
                })
                .collect(),
            changes: diagnosis
                .changes
                .as_ref()
                .filter(|_| diagnosis.verdict != Verdict::Healthy)
                .map(|changes| changed(changes, root.as_ref())),
            ruled_out: diagnosis
                .ruled_out
                .iter()
                .map(|ruled| Ruled { cause: ruled.cause.clone(), because: ruled.because.clone() })
                .collect(),
            timeline: diagnosis
                .timeline
                .iter()
                .map(|entry| Moment {
                    time: entry.time,
                    stream: entry.stream.clone(),
                    source: entry.source,
                    level: entry.level,
                    text: entry.text.clone(),
                    cause: entry.cause.clone(),
                    count: entry.count,
                })
                .collect(),
            gaps: diagnosis
                .gaps
                .iter()
                .map(|gap| Missing {
                    what: gap.what.clone(),
                    because: gap.because.clone(),
                    remedy: gap
                        .remedy
                        .as_ref()
                        .map(|remedy| commands::completed(remedy, &filling(diagnosis))),
                })
                .collect(),
            redactions: diagnosis.redactions.clone(),
            deployment: diagnosis.deployment.clone(),
            records: diagnosis.seen.records,
            streams: diagnosis.seen.streams,
            bytes: diagnosis.seen.bytes,
            root,
            others,
        }
    }

    /// Returns the day of the timeline, where it is one day.
    pub fn one_day(&self) -> Option<Date> {
        let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
        let mut days = self.timeline.iter().filter_map(|moment| moment.time).map(day);
        let first = days.next()?;
        days.all(|other| other == first).then_some(first)
    }

    /// Returns how many secrets were removed.
    pub fn redacted(&self) -> u64 {
        self.redactions.values().sum()
    }
}

/// Says how sure a number is.
pub fn in_words(confidence: f64) -> &'static str {
    match confidence {
        0.9.. => "almost certain",
        0.75.. => "likely",
        0.5.. => "plausible",
        _ => "a guess by words",
    }
}

/// Returns what commands are completed with.
fn filling(diagnosis: &Diagnosis) -> Filling<'_> {
    Filling {
        known: &diagnosis.deployment,
        good: good(diagnosis),
        values: diagnosis.root_cause().map(|root| &root.values),
    }
}

/// Returns the revision of the last good deployment.
fn good(diagnosis: &Diagnosis) -> Option<&str> {
    let compared = diagnosis.changes.as_ref().filter(|changes| changes.from != changes.to);
    compared.map(|changes| changes.from.as_str()).or(diagnosis.deployment.good.as_deref())
}

fn cause(finding: &Finding, patterns: &Patterns, diagnosis: &Diagnosis) -> Cause {
    let known = Known {
        deployment: &diagnosis.deployment,
        class: finding.class,
        good: good(diagnosis),
        log_group: finding.values.get("group").or(finding.values.get("log_group")).map(String::as_str),
    };
    let mut wanted = finding.remedies.clone();
    let is_root = diagnosis.root_cause().is_some_and(|root| root.cause == finding.cause);
    if is_root && !wanted.contains(&Remedy::ContinueUpdateRollback) && stack::blocks(&diagnosis.deployment) {
        wanted.push(Remedy::ContinueUpdateRollback);
    }
    let remedies: Vec<Treatment> =
        wanted.into_iter().filter_map(|remedy| treatment(remedy, &known)).collect();
    let quotes = finding.evidence.iter().take(MOST_EVIDENCE);
    let quotes = quotes.map(|evidence| quote(evidence, patterns.told(&finding.cause, &evidence.line)));
    Cause {
        id: finding.cause.clone(),
        class: finding.class,
        title: finding.title.clone(),
        severity: finding.severity,
        blame: finding.class.blame(),
        known: finding.known,
        symptom: finding.symptom,
        proof: finding.proof,
        proof_says: proof_says(finding),
        confidence: finding.confidence,
        confidence_because: finding.confidence_because.clone(),
        summary: summary(finding, patterns),
        explains: finding.explains.clone(),
        explained_by: finding.explained_by.clone(),
        values: finding.values.clone(),
        auto_recoverable: remedies.iter().any(|remedy| remedy.automatable && remedy.safety == Safety::Safe),
        evidence: quotes.collect(),
        remedies,
    }
}

fn changed(changes: &Changes, root: Option<&Cause>) -> Changed {
    let named = |change: &Change| {
        let values = root.iter().flat_map(|root| root.values.values());
        values.into_iter().any(|value| names(change, value.trim()))
    };
    Changed {
        from: changes.from.clone(),
        to: changes.to.clone(),
        basis: changes.basis,
        says: changes.says(),
        items: changes
            .items
            .iter()
            .map(|change| ChangedField {
                container: change.container.clone(),
                what: change.what.clone(),
                kind: change.kind,
                before: change.before.clone(),
                after: change.after.clone(),
                says: change.values(),
                is_named: named(change),
            })
            .collect(),
        show: changes
            .not_described
            .first()
            .and_then(|name| commands::plain(name))
            .map(|name| format!("aws ecs describe-task-definition --task-definition {name}")),
    }
}

/// Whether a value that the cause captured is what changed: the name of a variable, a port, a host, an image.
fn names(change: &Change, value: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let texts = [Some(&change.what), change.before.as_ref(), change.after.as_ref()];
    value.len() > 1
        && texts.into_iter().flatten().any(|text| text.split(|c| !is_word(c)).any(|word| word == value))
}

fn proof_says(finding: &Finding) -> Vec<String> {
    let says = finding.proof_checks.iter().map(|result| match &result.outcome {
        Outcome::Holds => format!("{}: {}", result.subject, result.check.says()),
        Outcome::Violated { field, value, because } => {
            format!("{}: {field} is {value}; {because}", result.subject)
        }
        Outcome::Unknown { .. } => {
            let missing = result.missing().unwrap_or_default();
            format!("not verified whether {}: {missing}", result.check.says())
        }
    });
    says.collect()
}

fn chain(root: &Cause, others: &[Cause]) -> Vec<Link> {
    let link =
        |cause: &Cause| Link { id: cause.id.clone(), title: cause.title.clone(), symptom: cause.symptom };
    let mut explained: Vec<&Cause> =
        others.iter().filter(|other| root.explains.contains(&other.id)).collect();
    // From the inside to the outside, and in each layer in the order of time.
    explained.sort_by_key(|other| {
        let layer = match other.class {
            Class::Cdk | Class::Workflow => 3,
            Class::StackFailure => 2,
            Class::ServiceStartup => 1,
            _ => 0,
        };
        (layer, other.evidence.first().and_then(|quote| quote.time))
    });
    std::iter::once(root).chain(explained.into_iter().take(7)).map(link).collect()
}

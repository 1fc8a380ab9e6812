//! The guide: the one view model that every renderer reads.

use analyzer::changes::{Basis, Change, Changes, Kind};
use analyzer::diagnosis::{Diagnosis, Evidence, Finding, Proof, Verdict};
use analyzer::pattern::Patterns;
use analyzer::record::{Level, Source};
use analyzer::taxonomy::{Blame, Class, Safety, Severity};
use analyzer::{checks::Outcome, diagnosis::DeploymentFacts};
use handlebars::Handlebars;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::commands;
use crate::sentences::{happened, headline, tasks};
pub use crate::sentences::{short, span};
use crate::shell::{self, quoted};
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

/// A record, quoted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quote {
    pub text: String,
    /// What the record says once it is decoded, where that differs.
    pub said: Option<String>,
    pub line: String,
    pub source: Source,
    pub stream: String,
    pub line_number: u64,
    pub time: Option<Timestamp>,
    pub level: Level,
    pub entity: Option<String>,
    pub count: u64,
    /// The command that shows the record.
    pub show: String,
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

impl Quote {
    /// Returns what a reader is shown.
    pub fn readable(&self) -> &str {
        self.said.as_deref().unwrap_or_else(|| readable(&self.text))
    }

    /// Whether it stands in a line of a file, rather than in a stream of an account.
    pub fn is_in_a_file(&self) -> bool {
        self.line_number > 0 && self.show.contains("sed -n ")
    }
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
                Some(finding) => commands::in_markdown(&to_do(finding, patterns), &diagnosis.deployment),
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
                        .map(|remedy| commands::completed(remedy, &diagnosis.deployment)),
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

fn cause(finding: &Finding, patterns: &Patterns, diagnosis: &Diagnosis) -> Cause {
    let good = diagnosis.changes.as_ref().filter(|changes| changes.from != changes.to);
    let known = Known {
        deployment: &diagnosis.deployment,
        good: good.map(|changes| changes.from.as_str()),
        log_group: finding.values.get("group").or(finding.values.get("log_group")).map(String::as_str),
    };
    let remedies: Vec<Treatment> = finding.remedies.iter().map(|&remedy| treatment(remedy, &known)).collect();
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
        evidence: finding.evidence.iter().take(MOST_EVIDENCE).map(quote).collect(),
        remedies,
    }
}

fn quote(evidence: &Evidence) -> Quote {
    Quote {
        text: evidence.text.clone(),
        said: evidence.said.clone(),
        line: evidence.line.clone(),
        source: evidence.source,
        stream: evidence.stream.clone(),
        line_number: evidence.line_number,
        time: evidence.time,
        level: evidence.level,
        entity: evidence.entity.clone(),
        count: evidence.count,
        show: show(evidence),
    }
}

/// Leaves out the line of printed JSON that stands below what a record of it says.
fn readable(text: &str) -> &str {
    let is_field = |line: &str| line.starts_with('"') && line.contains("\": \"");
    let is_object = |line: &str| line.starts_with("{\"") && line.trim_end_matches(',').ends_with('}');
    match text.rsplit_once('\n') {
        Some((said, line)) if !said.contains('{') && (is_field(line) || is_object(line)) => said,
        _ => text,
    }
}

/// Returns the command that shows a record where it stands; names are quoted for the shell.
fn show(evidence: &Evidence) -> String {
    if let Some((group, stream)) = evidence.stream.split_once('#') {
        // A log stream of an account; or of an answer in a file, where no line number leads to it.
        let is_file = group.rsplit('/').next().is_some_and(|name| name.contains('.'));
        return match is_file {
            true => String::new(),
            false => format!(
                "aws logs get-log-events --log-group-name {} --log-stream-name {}",
                quoted(group),
                quoted(stream)
            ),
        };
    }
    let kind = evidence.stream.split_once(':').map_or("", |(kind, _)| kind);
    let is_of_account =
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    if evidence.line_number == 0 || evidence.stream == "-" || is_of_account {
        return String::new();
    }
    let first = evidence.line_number.saturating_sub(3).max(1);
    let last = evidence.line_number + readable(&evidence.text).lines().count().min(12) as u64 + 2;
    let reader = if evidence.stream.ends_with(".gz") {
        format!("zcat {} | sed -n", quoted(&evidence.stream))
    } else if evidence.stream.ends_with(".zst") {
        format!("zstdcat {} | sed -n", quoted(&evidence.stream))
    } else {
        return format!("sed -n {first},{last}p {}", quoted(&evidence.stream));
    };
    format!("{reader} {first},{last}p")
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
        Outcome::Unknown { missing } => format!("not checked whether {}: {missing}", result.check.says()),
    });
    says.collect()
}

/// Renders a text of a page; a text that cannot be rendered is shown as it is written.
fn render(template: &str, finding: &Finding, variables: &[String]) -> String {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(inline);
    handlebars.register_helper("word", Box::new(shell::word));
    let mut values: BTreeMap<&str, &str> = variables.iter().map(|name| (name.as_str(), "")).collect();
    values.extend(finding.values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    handlebars.render_template(&shell::with_words(template), &values).unwrap_or_else(|_| template.to_owned())
}

/// Makes a captured value safe inside Markdown: it stays one line, and it opens or closes nothing.
pub(crate) fn inline(value: &str) -> String {
    let value = crate::escape::unlinked(&crate::escape::printable(value));
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    let mut safe = String::with_capacity(line.len());
    for c in line.trim().chars() {
        match c {
            '`' => safe.push('\''),
            '<' => safe.push('‹'),
            '>' => safe.push('›'),
            '[' | ']' | '*' | '_' | '|' | '!' | '#' | '~' | '@' | '\\' | '&' | '{' | '}' => {
                // Zero width: a word joiner breaks markup without being seen.
                safe.push(c);
                if matches!(c, '[' | ']' | '!' | '@' | '|' | '\\' | '~') {
                    safe.push('\u{2060}');
                }
            }
            _ => safe.push(c),
        }
    }
    safe
}

fn summary(finding: &Finding, patterns: &Patterns) -> String {
    match patterns.get(&finding.cause) {
        Some(page) => render(&page.what_happened, finding, &page.variables),
        None if finding.symptom => {
            "The records show the consequence, not what caused it. The gaps below name what to collect."
                .to_owned()
        }
        None if finding.known => finding.title.clone(),
        None => format!(
            "No page describes this message. By its words and its source it belongs to `{}`: {}.",
            finding.class,
            finding.class.in_words()
        ),
    }
}

fn to_do(finding: &Finding, patterns: &Patterns) -> String {
    if let Some(page) = patterns.get(&finding.cause) {
        return render(&page.what_to_do, finding, &page.variables);
    }
    match (finding.symptom, finding.known) {
        (true, _) => "1. Collect what the gaps name, and run Medic again with it.\n2. Record the next deployment from its start: stopped tasks are described for about an hour only.".to_owned(),
        (_, true) => "1. Correct the field that the proof names, and deploy again.".to_owned(),
        _ => "1. Read the first record of the evidence, and the lines around it.\n2. When you know the cause, write a page for it: `medic patterns new`.".to_owned(),
    }
}

/// Says what would let Medic tell.
fn to_do_without_cause(diagnosis: &Diagnosis) -> String {
    if diagnosis.verdict == Verdict::Healthy {
        return String::new();
    }
    let known = &diagnosis.deployment;
    let cluster = known.cluster.as_deref().and_then(commands::plain).unwrap_or("CLUSTER");
    let service = known.service.as_deref().and_then(commands::plain).unwrap_or("SERVICE");
    let collect = format!(
        "1. Give Medic more of what the deployment left behind, in one folder: the logs of its containers, its stopped tasks, the events of the service and of the stack, the output of the pipeline. Stopped tasks are described for about an hour only.\n\n   ```sh\n   aws ecs describe-services --cluster {cluster} --services {service} > services.json\n   aws ecs list-tasks --cluster {cluster} --service-name {service} --desired-status STOPPED --query 'taskArns[]' --output text |\n     xargs aws ecs describe-tasks --cluster {cluster} --tasks > tasks.json\n   ```\n"
    );
    format!(
        "{collect}2. Watch the next deployment from its start: `medic watch --cluster {cluster} --service {service}`."
    )
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

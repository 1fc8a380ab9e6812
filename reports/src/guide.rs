//! The guide: the one view model that every renderer reads.

use analyzer::diagnosis::{Diagnosis, Evidence, Finding, Proof, Verdict};
use analyzer::pattern::Patterns;
use analyzer::record::{Level, Source};
use analyzer::taxonomy::{Blame, Class, Remedy, Safety, Severity};
use analyzer::{checks::Outcome, diagnosis::DeploymentFacts};
use handlebars::Handlebars;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

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
    pub root: Option<Cause>,
    /// From the root cause to what was seen last, each explained by the one before.
    pub chain: Vec<Link>,
    pub evidence: Vec<Quote>,
    /// What to do now, as Markdown of the page.
    pub to_do: String,
    pub remedies: Vec<Treatment>,
    pub next: Vec<Next>,
    /// What changed since the last good deployment.
    pub changed: Vec<String>,
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
pub struct Treatment {
    pub remedy: Remedy,
    pub title: String,
    pub safety: Safety,
    pub automatable: bool,
    pub estimated_minutes: u32,
    pub undo: Option<String>,
    /// The command that previews it, without changing anything.
    pub preview: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Next {
    pub class: Class,
    pub title: String,
    pub because: String,
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
            chain: root.iter().flat_map(|root| chain(root, &others)).collect(),
            evidence: root.iter().flat_map(|root| root.evidence.clone()).take(MOST_EVIDENCE).collect(),
            to_do: finding.map_or_else(String::new, |finding| to_do(finding, patterns)),
            remedies: root.iter().flat_map(|root| root.remedies.clone()).collect(),
            next: diagnosis
                .blockers
                .iter()
                .map(|blocker| Next {
                    class: blocker.class,
                    title: blocker.title.clone(),
                    because: blocker.because.clone(),
                })
                .collect(),
            changed: Vec::new(),
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
                    remedy: gap.remedy.clone(),
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
    let remedies: Vec<Treatment> =
        finding.remedies.iter().map(|&remedy| treatment(remedy, diagnosis)).collect();
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
    let last = evidence.line_number + evidence.text.lines().count().min(12) as u64 + 2;
    let reader = if evidence.stream.ends_with(".gz") {
        format!("zcat {} | sed -n", quoted(&evidence.stream))
    } else if evidence.stream.ends_with(".zst") {
        format!("zstdcat {} | sed -n", quoted(&evidence.stream))
    } else {
        return format!("sed -n {first},{last}p {}", quoted(&evidence.stream));
    };
    format!("{reader} {first},{last}p")
}

fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    if !name.is_empty() && name.chars().all(plain) && !name.starts_with('-') {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

fn treatment(remedy: Remedy, diagnosis: &Diagnosis) -> Treatment {
    let facts = remedy.facts();
    let deployment = &diagnosis.deployment;
    Treatment {
        remedy,
        title: facts.title.to_owned(),
        safety: facts.safety,
        automatable: facts.automatable,
        estimated_minutes: facts.estimated_minutes,
        undo: (!facts.undo.is_empty()).then(|| facts.undo.to_owned()),
        preview: preview(remedy, deployment),
    }
}

/// Returns a command that shows what the remedy would change. It reads only.
fn preview(remedy: Remedy, deployment: &DeploymentFacts) -> Option<String> {
    let service = || {
        let name = deployment.service.as_deref().map_or("SERVICE".to_owned(), quoted);
        let cluster = deployment.cluster.as_deref().map_or("CLUSTER".to_owned(), quoted);
        (name, cluster)
    };
    let stack = || deployment.stack.as_deref().map_or("STACK".to_owned(), quoted);
    match remedy {
        Remedy::ScaleService | Remedy::RestartTasks | Remedy::StopDeployment | Remedy::RetryDeployment => {
            let (service, cluster) = service();
            Some(format!(
                "aws ecs describe-services --cluster {cluster} --services {service} --query 'services[].deployments'"
            ))
        }
        Remedy::RollBack => {
            let (service, cluster) = service();
            Some(format!(
                "aws ecs list-service-deployments --cluster {cluster} --service {service} --status SUCCESSFUL --max-results 1"
            ))
        }
        Remedy::IncreaseTaskSize => {
            let family = deployment.task_definition.as_deref().map_or("TASK_DEFINITION".to_owned(), quoted);
            Some(format!(
                "aws ecs describe-task-definition --task-definition {family} --query 'taskDefinition.[cpu,memory]'"
            ))
        }
        Remedy::DeleteFailedStack | Remedy::ContinueUpdateRollback | Remedy::RollBackStack | Remedy::Wait => {
            Some(format!(
                "aws cloudformation describe-stacks --stack-name {} --query 'Stacks[].StackStatus'",
                stack()
            ))
        }
        _ => None,
    }
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
    let mut values: BTreeMap<&str, &str> = variables.iter().map(|name| (name.as_str(), "")).collect();
    values.extend(finding.values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    handlebars.render_template(template, &values).unwrap_or_else(|_| template.to_owned())
}

/// Makes a captured value safe inside Markdown: it stays one line, and it opens or closes nothing.
fn inline(value: &str) -> String {
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

fn headline(diagnosis: &Diagnosis) -> String {
    let subject = subject(&diagnosis.deployment);
    match (diagnosis.verdict, diagnosis.root_cause()) {
        (_, Some(root)) => {
            format!("{subject} failed: {}", sentence(&root.title))
        }
        (Verdict::Healthy, None) => format!("{subject} is healthy: nothing in the records failed for good."),
        (Verdict::Failed, None) => format!("{subject} failed, and the records do not tell why."),
        (Verdict::CannotTell, None) => format!(
            "Medic cannot tell what happened to {}: the records show neither a failure nor a success.",
            lower_first(&subject)
        ),
    }
}

fn subject(deployment: &DeploymentFacts) -> String {
    match (&deployment.service, &deployment.stack) {
        (Some(service), _) => format!("The deployment of `{}`", inline(service)),
        (None, Some(stack)) => format!("The deployment of stack `{}`", inline(stack)),
        _ => "The deployment".to_owned(),
    }
}

fn sentence(title: &str) -> String {
    let title = title.trim();
    let text = lower_first(title);
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// Lowers the first letter unless the word is a name or an acronym.
fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            let word: String = text.split(' ').next().unwrap_or_default().to_owned();
            const ORDINARY: [&str; 22] = [
                "The",
                "A",
                "An",
                "No",
                "Tasks",
                "Two",
                "Another",
                "Several",
                "Some",
                "One",
                "This",
                "That",
                "There",
                "Too",
                "Not",
                "Nothing",
                "Only",
                "Essential",
                "Containers",
                "It",
                "Tests",
                "What",
            ];
            if !ORDINARY.contains(&word.as_str()) {
                return text.to_owned();
            }
            let rest = &text[first.len_utf8()..];
            format!("{}{rest}", first.to_lowercase())
        }
        _ => text.to_owned(),
    }
}

fn happened(diagnosis: &Diagnosis, root: Option<&Cause>) -> Vec<String> {
    let mut sentences = Vec::new();
    let facts = &diagnosis.deployment;
    if let Some(root) = root {
        sentences.push(root.summary.clone());
    }
    if let (Some(running), Some(desired)) = (facts.running, facts.desired) {
        sentences.push(format!("{running} of {desired} tasks run."));
    }
    if let (Some(started), Some(ended)) = (facts.started, facts.ended)
        && ended > started
    {
        let seconds = ended.as_second() - started.as_second();
        sentences.push(format!(
            "The records span {}, from {} to {}.",
            span(seconds),
            short(started),
            short(ended)
        ));
    }
    sentences
}

pub fn span(seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

pub fn short(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
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

//! The sentences of a guide that no page holds: the verdict, the impact, times.

use analyzer::diagnosis::{DeploymentFacts, Diagnosis, Verdict};
use jiff::Timestamp;

use crate::guide::{Cause, inline};

/// Says the verdict in one sentence.
pub fn headline(diagnosis: &Diagnosis) -> String {
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

/// Says what happened and its impact, a sentence each.
pub fn happened(diagnosis: &Diagnosis, root: Option<&Cause>) -> Vec<String> {
    let mut sentences = Vec::new();
    let facts = &diagnosis.deployment;
    if let Some(root) = root {
        sentences.push(root.summary.clone());
    }
    if let Some(tasks) = tasks(diagnosis) {
        sentences.push(format!("{}.", upper_first(&tasks)));
    }
    if let (Some(started), Some(ended)) = (facts.started, facts.ended)
        && ended > started
    {
        let seconds = ended.as_second() - started.as_second();
        let what = if facts.id.is_some() { "The deployment spans" } else { "The records span" };
        sentences.push(format!("{what} {}, from {} to {}.", span(seconds), short(started), short(ended)));
    }
    sentences
}

/// Says how many tasks run; after a roll-back these are not of the version that was deployed.
pub fn tasks(diagnosis: &Diagnosis) -> Option<String> {
    const ROLLED_BACK: &str = "infrastructure/service-startup/deployment-rolled-back";
    let (running, desired) = (diagnosis.deployment.running?, diagnosis.deployment.desired?);
    let went_back = diagnosis.findings.iter().any(|finding| finding.cause == ROLLED_BACK);
    let new = diagnosis.deployment.running_new.filter(|_| !went_back);
    Some(match (running, desired) {
        (0, 1..) => format!("no task runs, {desired} are wanted"),
        (1.., _) if new == Some(0) => {
            format!("no task of this deployment runs, {running} of {desired} of the version before do")
        }
        _ if went_back => format!("{running} of {desired} tasks run, of the version before"),
        _ => match new {
            Some(new) => format!("{new} of {desired} tasks of this deployment run"),
            None => format!("{running} of {desired} tasks run"),
        },
    })
}

/// Says a span of time as a person does.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Says a time to the second.
pub fn short(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
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

fn upper_first(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), characters.as_str()))
}

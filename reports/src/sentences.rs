//! The sentences of a guide that no page holds: the verdict, the impact, times.

use analyzer::diagnosis::{DeploymentFacts, Diagnosis, Finding, Verdict};
use jiff::Timestamp;

use crate::guide::Cause;
use crate::page::inline;

/// Says the verdict in one sentence.
pub fn headline(diagnosis: &Diagnosis) -> String {
    let subject = subject(&diagnosis.deployment);
    match (diagnosis.verdict, diagnosis.root_cause()) {
        (_, Some(root)) if is_later(root, diagnosis.deployment.completed) => {
            format!("{subject} was completed, and a failure followed: {}", sentence(&root.title))
        }
        (_, Some(root)) => format!("{subject} failed: {}", sentence(&root.title)),
        (Verdict::Healthy, None) => format!("{subject} is healthy: nothing in the records failed for good."),
        (Verdict::Failed, None) => format!("{subject} failed, and the records do not tell why."),
        (Verdict::CannotTell, None) if diagnosis.under_way => {
            format!("{subject} was still in progress when the records end, and nothing has failed for good.")
        }
        (Verdict::CannotTell, None) => format!(
            "Medic cannot tell what happened to {}: the records show neither a failure nor a success.",
            lower_first(&subject)
        ),
    }
}

/// Whether all that shows a failure happened after the deployment was completed.
fn is_later(root: &Finding, completed: Option<Timestamp>) -> bool {
    let Some(completed) = completed else { return false };
    let mut times = root.evidence.iter().map(|evidence| evidence.time);
    !root.evidence.is_empty() && times.all(|time| time.is_some_and(|time| time > completed))
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
        && ended.as_second() > started.as_second()
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
        (0, 1..) => format!("0 of {desired} tasks are running"),
        (1.., _) if new == Some(0) => format!("0 new tasks are running; {running} of {desired} old ones are"),
        _ if went_back => format!("{running} of {desired} tasks are running, all on the previous version"),
        _ => match new {
            Some(new) => format!("{new} of {desired} new tasks are running"),
            None => format!("{running} of {desired} tasks are running"),
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

/// Words that begin titles and are neither names nor acronyms.
const ORDINARY: [&str; 61] = [
    "A",
    "An",
    "Another",
    "Application",
    "Binding",
    "Changes",
    "Character",
    "Client",
    "Container",
    "Containers",
    "Environment",
    "Essential",
    "Every",
    "Existing",
    "Fetching",
    "Health",
    "Host",
    "Image",
    "Importing",
    "Installing",
    "Instances",
    "It",
    "Kernel",
    "Loading",
    "Name",
    "Native",
    "No",
    "Not",
    "Nothing",
    "Old",
    "One",
    "Only",
    "Other",
    "Pushing",
    "Resources",
    "Security",
    "Service",
    "Settings",
    "Several",
    "Some",
    "Somebody",
    "Something",
    "Targets",
    "Task",
    "Tasks",
    "Termination",
    "Test",
    "Tests",
    "That",
    "The",
    "Their",
    "There",
    "These",
    "This",
    "Too",
    "Two",
    "What",
    "When",
    "Where",
    "Worker",
    "Your",
];

/// Lowers the first letter unless the word is a name or an acronym.
fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let word = text.split(' ').next().unwrap_or_default();
    match characters.next() {
        Some(first) if ORDINARY.contains(&word) => format!("{}{}", first.to_lowercase(), characters.as_str()),
        _ => text.to_owned(),
    }
}

fn upper_first(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(title: &str, expected: &str) {
        assert_eq!(sentence(title), expected);
    }

    #[test]
    fn a_title_goes_on_in_a_sentence() {
        check("A column does not exist", "a column does not exist.");
        check("The image tag is gone", "the image tag is gone.");
        check("An SSL certificate has expired", "an SSL certificate has expired.");
        check("ECS cannot roll back", "ECS cannot roll back.");
        check("AWS refuses", "AWS refuses.");
        check("Python cannot import it", "Python cannot import it.");
        check("I/O is exhausted", "I/O is exhausted.");
    }

    #[track_caller]
    fn says(running: i64, new: Option<i64>, expected: &str) {
        let patterns = empty();
        let mut diagnosis = analyzer::diagnose(&patterns, &[], &Default::default(), Vec::new());
        let facts = DeploymentFacts {
            desired: Some(2),
            running: Some(running),
            running_new: new,
            ..DeploymentFacts::default()
        };
        diagnosis.deployment = facts;
        assert_eq!(tasks(&diagnosis).as_deref(), Some(expected));
    }

    fn empty() -> analyzer::pattern::Patterns {
        use analyzer::{matching::Prepared, pattern, words::Model};
        pattern::Patterns::new(pattern::Book {
            patterns: Vec::new(),
            prepared: Prepared::default(),
            noise: Vec::new(),
            model: Model::default(),
        })
    }

    #[test]
    fn the_tasks_are_counted_in_plain_words() {
        says(0, None, "0 of 2 tasks are running");
        says(2, Some(0), "0 new tasks are running; 2 of 2 old ones are");
        says(2, Some(1), "1 of 2 new tasks are running");
        says(2, None, "2 of 2 tasks are running");
    }
}

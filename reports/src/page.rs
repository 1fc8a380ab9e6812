//! The texts of pages, with what was captured.

use analyzer::diagnosis::{Diagnosis, Finding, Verdict};
use analyzer::pattern::Patterns;
use handlebars::Handlebars;
use std::collections::BTreeMap;

use crate::commands;
use crate::shell;

/// Renders a text of a page; a text that cannot be rendered is shown as it is written.
fn render(template: &str, finding: &Finding, variables: &[String]) -> String {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(inline);
    // Named as no captured value can be.
    handlebars.register_helper("as-word", Box::new(shell::word));
    handlebars.register_helper("as-code", Box::new(shell::code));
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

/// Returns what happened, as the page of a cause tells it.
pub fn summary(finding: &Finding, patterns: &Patterns) -> String {
    match patterns.get(&finding.cause) {
        Some(page) => render(&page.what_happened, finding, &page.variables),
        None if finding.symptom => {
            "The records show the consequence, not what caused it. The gaps below name what to collect."
                .to_owned()
        }
        None if finding.known => finding.title.clone(),
        None => format!(
            "No known error matches this message. By its words and its source it belongs to `{}`: {}.",
            finding.class,
            finding.class.in_words()
        ),
    }
}

/// Returns what to do, as the page of a cause tells it.
pub fn to_do(finding: &Finding, patterns: &Patterns) -> String {
    if let Some(page) = patterns.get(&finding.cause) {
        return render(&page.what_to_do, finding, &page.variables);
    }
    match (finding.symptom, finding.known) {
        (true, _) => "1. Collect what the gaps name, and run Medic again with it.\n2. Record the next deployment from its start: ECS keeps stopped tasks for about an hour.".to_owned(),
        (_, true) => "1. Correct the field that the proof names, and deploy again.".to_owned(),
        _ => "1. Read the first record of the evidence, and the lines around it.\n2. When you know the cause, write a page for it: `medic patterns new`.".to_owned(),
    }
}

/// Says what would let Medic tell.
pub fn to_do_without_cause(diagnosis: &Diagnosis) -> String {
    if diagnosis.verdict == Verdict::Healthy {
        return String::new();
    }
    let known = &diagnosis.deployment;
    let cluster = known.cluster.as_deref().and_then(commands::plain).unwrap_or("CLUSTER");
    let service = known.service.as_deref().and_then(commands::plain).unwrap_or("SERVICE");
    let collect = format!(
        "1. Give Medic more of what the deployment left behind, in one folder: the logs of its containers, its stopped tasks, the events of the service and of the stack, the output of the pipeline. ECS keeps stopped tasks for about an hour.\n\n   ```sh\n   aws ecs describe-services --cluster {cluster} --services {service} > services.json\n   aws ecs list-tasks --cluster {cluster} --service-name {service} --desired-status STOPPED --query 'taskArns[]' --output text |\n     xargs aws ecs describe-tasks --cluster {cluster} --tasks > tasks.json\n   ```\n"
    );
    let to_do = format!(
        "{collect}2. Watch the next deployment from its start: `medic watch --cluster {cluster} --service {service}`."
    );
    crate::stack::with_next_step(to_do, known)
}

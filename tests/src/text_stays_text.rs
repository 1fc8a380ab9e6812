//! Text from logs is a value in every rendering: never markup, a link, a mention, a command or a control.

use analyzer::diagnosis::Diagnosis;
use analyzer::record::Source;
use proptest::prelude::*;
use proptest::sample::Index;
use reports::{Format, Guide, Screen};

use crate::given::{book, cases, diagnosed, matches, rendered};
use crate::{hostile, html, schema};

proptest! {
    #![proptest_config(cases(128))]

    /// Feature: deployment-infrastructure-reliability, Property 13: text from outside stays text in every report
    #[test]
    fn captured_values_stay_text(sample in any::<Index>(), texts in prop::collection::vec(hostile::text(), 1..4)) {
        let (_, sample) = sample.get(matches());
        let diagnosis = diagnosed(sample.source, &sample.text);
        let mut text = sample.text.clone();
        let values = diagnosis.findings.iter().flat_map(|finding| finding.values.values());
        for (value, hostile) in values.zip(texts.iter().cycle()).filter(|(value, _)| value.len() > 1) {
            text = text.replace(value.as_str(), &format!("{value}{hostile}"));
        }
        is_only_text(&diagnosed(sample.source, &text))?;
    }

    /// Feature: deployment-infrastructure-reliability, Property 13: text from outside stays text in every report
    #[test]
    fn an_unknown_failure_stays_text(text in hostile::text(), again in hostile::text(), pipeline in any::<bool>()) {
        let source = if pipeline { Source::GithubActions } else { Source::ContainerLog };
        let log = format!("2026-05-01T10:00:00Z FATAL widget {text} failed: {again}\nError: cannot open {again}\n");
        is_only_text(&diagnosed(source, &log))?;
    }

    /// Feature: deployment-infrastructure-reliability, Property 13: text from outside stays text in every report
    #[test]
    fn every_field_from_outside_stays_text(
        sample in any::<Index>(),
        texts in prop::collection::vec(hostile::text(), 1..8),
    ) {
        let (_, sample) = sample.get(matches());
        let mut diagnosis = diagnosed(sample.source, &sample.text);
        hostile::fill(&mut diagnosis, &texts);
        is_only_text(&diagnosis)?;
    }
}

fn is_only_text(diagnosis: &Diagnosis) -> Result<(), TestCaseError> {
    html::is_safe(&rendered(diagnosis, Format::Html)).map_err(TestCaseError::fail)?;
    markdown_is_safe(&rendered(diagnosis, Format::Markdown)).map_err(TestCaseError::fail)?;
    github_is_safe(&rendered(diagnosis, Format::Github)).map_err(TestCaseError::fail)?;
    slack_is_safe(&rendered(diagnosis, Format::Slack)).map_err(TestCaseError::fail)?;
    terminal_is_safe(diagnosis).map_err(TestCaseError::fail)?;
    let json = rendered(diagnosis, Format::Json);
    hostile::no_controls(&json).and_then(|()| schema::is_valid(&json)).map_err(TestCaseError::fail)
}

/// Outside of code nothing reads as a tag, a link, an image, a mention or a heading of its own.
fn markdown_is_safe(text: &str) -> Result<(), String> {
    const HEADINGS: [&str; 12] = [
        "# ✘ ",
        "# ✔ ",
        "# ? ",
        "## What happened",
        "## Root cause",
        "## Evidence",
        "## What to do now",
        "## What would fail next",
        "## What changed since the last good deployment",
        "## Ruled out",
        "## Timeline",
        "## What Medic could not see",
    ];
    hostile::no_controls(text)?;
    for line in outside_of_fences(text)? {
        if line.trim_start().starts_with('#') && !HEADINGS.iter().any(|heading| line.starts_with(heading)) {
            return Err(format!("Markdown has a heading of its own: {line}"));
        }
        let prose = outside_of_code(line);
        for mark in
            ["<", "](http://evil", "](https://evil", "://evil", "www.evil", "@here", "@channel", "@everyone"]
        {
            if prose.contains(mark) {
                return Err(format!("Markdown has {mark} outside of code: {line}"));
            }
        }
    }
    Ok(())
}

/// Returns the lines that no fence encloses.
fn outside_of_fences(text: &str) -> Result<Vec<&str>, String> {
    let mut lines = Vec::new();
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let ticks = trimmed.len() - trimmed.trim_start_matches('`').len();
        let info = &trimmed[ticks..];
        match open {
            Some(fence) if ticks >= fence && info.trim().is_empty() => open = None,
            Some(_) => {}
            None if ticks >= 3 && !info.contains('`') => open = Some(ticks),
            None => lines.push(line),
        }
    }
    if open.is_some() { Err("Markdown has a fence that is never closed".to_owned()) } else { Ok(lines) }
}

/// Leaves out the code spans of a line: runs of backticks of the same length, and what is between.
fn outside_of_code(line: &str) -> String {
    let mut prose = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let escaped = rest[..at].chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        let ticks = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let ticks = if escaped { 1 } else { ticks };
        prose.push_str(&rest[..at]);
        let after = &rest[at + ticks..];
        rest = match (escaped, closing(after, ticks)) {
            (false, Some(end)) => &after[end..],
            _ => after,
        };
    }
    prose + rest
}

fn closing(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        at = start + run;
        if run == ticks {
            return Some(at);
        }
    }
    None
}

/// Commands stand before the summary only; the summary is enclosed by a word that it does not contain.
fn github_is_safe(text: &str) -> Result<(), String> {
    if text.contains('\r') {
        return Err("GitHub output has a carriage return, which ends a line".to_owned());
    }
    let (annotations, rest) =
        text.split_once("::stop-commands::").ok_or("GitHub output does not stop commands")?;
    let (token, summary) = rest.split_once('\n').ok_or("GitHub output has no summary")?;
    for line in annotations.lines() {
        let known = ["::error ", "::warning ", "::notice "].iter().any(|start| line.starts_with(start));
        if !known {
            return Err(format!("GitHub output has the command {line}"));
        }
    }
    let end = format!("::{token}::\n");
    match summary.strip_suffix(&end) {
        Some(summary) if !summary.contains(token) => markdown_is_safe(summary),
        _ => Err(format!("the summary does not end with {end:?}, or has it inside")),
    }
}

fn slack_is_safe(text: &str) -> Result<(), String> {
    let payload: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut texts = vec![payload["text"].as_str().unwrap_or_default().to_owned()];
    crate::slack::texts(&payload["blocks"], &mut texts);
    for text in texts {
        hostile::no_controls(&text)?;
        let words = outside_of_slack_code(&text);
        for (mark, place) in
            [("<", &text), (">", &text), ("@here", &words), ("@channel", &words), ("@everyone", &words)]
        {
            if place.contains(mark) {
                return Err(format!("Slack would read {mark} in: {text}"));
            }
        }
    }
    Ok(())
}

/// Leaves out blocks and spans of code, in which Slack looks for no names.
fn outside_of_slack_code(text: &str) -> String {
    let parts = text.split("```").enumerate().filter(|(index, _)| index % 2 == 0);
    let parts = parts.flat_map(|(_, part)| part.split('`').step_by(2));
    parts.collect()
}

/// The only escape sequences are the renderer's own: colours, and links to files where links are on.
fn terminal_is_safe(diagnosis: &Diagnosis) -> Result<(), String> {
    let guide = Guide::new(diagnosis, book());
    for hyperlinks in [false, true] {
        let text = reports::render(&guide, Format::Text, Screen { width: 90, hyperlinks })
            .map_err(|error| error.to_string())?;
        let mut rest = text.as_str();
        let mut shown = String::new();
        while let Some((before, sequence)) = rest.split_once('\u{1b}') {
            shown.push_str(before);
            rest = after_colour(sequence)
                .or_else(|| after_link(sequence).filter(|_| hyperlinks))
                .ok_or_else(|| format!("the terminal gets an escape sequence: {sequence:.20?}"))?;
        }
        shown.push_str(rest);
        hostile::no_controls(&shown)?;
    }
    Ok(())
}

fn after_colour(sequence: &str) -> Option<&str> {
    let (codes, rest) = sequence.strip_prefix('[')?.split_once('m')?;
    codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';').then_some(rest)
}

fn after_link(sequence: &str) -> Option<&str> {
    let (address, rest) = sequence.strip_prefix("]8;;")?.split_once("\u{1b}\\")?;
    let is_file = address.is_empty() || address.starts_with("file:///");
    (is_file && address.is_ascii() && !address.contains(char::is_control)).then_some(rest)
}

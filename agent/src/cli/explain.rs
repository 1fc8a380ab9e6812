//! `medic explain`: the page of one cause.

use analyzer::pattern::Pattern;
use anyhow::bail;
use clap::Args;
use std::path::PathBuf;

use super::{HEALTHY, diagnose, knowledge};

/// Shows the page of one cause.
#[derive(Debug, Args)]
pub struct Explain {
    /// The id of a cause (`application/database/connection-refused`), or the last part of it
    cause: String,

    /// A folder with pattern pages of your own
    #[arg(long, value_name = "DIR")]
    patterns: Option<PathBuf>,
}

impl Explain {
    pub fn run(self) -> anyhow::Result<u8> {
        let mut texts: Vec<(String, String)> = patterns::page_texts().to_vec();
        if let Some(folder) = &self.patterns {
            for page in knowledge::pages_of(folder)? {
                texts.retain(|(id, _)| *id != page.id);
                texts.push((page.id, page.text));
            }
        }
        let wanted = self.cause.trim_end_matches(".md").trim_matches('/');
        let found: Vec<&(String, String)> =
            texts.iter().filter(|(id, _)| id == wanted || id.rsplit('/').next() == Some(wanted)).collect();
        match found[..] {
            [(id, text)] => {
                let known = knowledge::load(self.patterns.as_deref())?;
                let facts = known.get(id).map(facts).unwrap_or_default();
                let page = readable(text, &facts);
                let screen = diagnose::screen();
                // On a terminal a person reads; elsewhere it stays Markdown.
                super::print(&if screen.hyperlinks { reports::page(&page, screen) } else { page })?;
                Ok(HEALTHY)
            }
            [] => bail!("no cause is called `{wanted}`{}", nearest(wanted, &texts)),
            _ => {
                let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
                bail!("several causes are called `{wanted}`: {}", ids.join(", "))
            }
        }
    }
}

/// Says of a page what its header holds.
fn facts(pattern: &Pattern) -> String {
    let remedies = pattern.remedies.iter().map(|remedy| {
        let facts = remedy.facts();
        format!("{} ({})", facts.title, facts.safety.as_str())
    });
    let remedies: Vec<String> = remedies.collect();
    let mut text = format!("`{}`, severity {}", pattern.id, pattern.severity.as_str());
    if !remedies.is_empty() {
        text.push_str(&format!("\n\nRemedies: {}", remedies.join("; ")));
    }
    text
}

/// Leaves out what only the matcher reads, and shows what the page captures as `‹name›`.
fn readable(page: &str, facts: &str) -> String {
    let (words, samples) = match page.split_once("\n## Samples") {
        Some((words, samples)) => (words, format!("\n## Samples{samples}")),
        None => (page, String::new()),
    };
    let mut out = String::new();
    let mut in_header = false;
    for line in words.lines() {
        match line {
            "```toml" => in_header = true,
            "```" if in_header => {
                in_header = false;
                out.push_str(facts);
                out.push('\n');
            }
            _ if in_header => {}
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    without_template(&out) + &samples + "\n"
}

fn without_template(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut is_otherwise = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((tag, after)) = after.split_once("}}") else { break };
        if !is_otherwise {
            out.push_str(before);
        }
        match tag.trim() {
            "else" => is_otherwise = true,
            tag if tag.starts_with('/') => is_otherwise = false,
            tag if tag.starts_with('#') => {}
            name if !is_otherwise => out.push_str(&format!("‹{name}›")),
            _ => {}
        }
        rest = after;
    }
    out + rest
}

/// Names causes that share words with what was asked for.
fn nearest(wanted: &str, texts: &[(String, String)]) -> String {
    let words: Vec<&str> = wanted.split(['/', '-', '_']).filter(|word| word.len() > 2).collect();
    let mut scored: Vec<(usize, &str)> = texts
        .iter()
        .map(|(id, _)| (words.iter().filter(|word| id.contains(**word)).count(), id.as_str()))
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = scored.iter().take(3).map(|(_, id)| *id).collect();
    if names.is_empty() {
        return "; `medic patterns list` names all".to_owned();
    }
    format!("; did you mean {}?", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_without_its_header_and_its_template() {
        let page = "# Refused\n\n```toml\nseverity = \"high\"\n```\n\n## What happened\n\nNothing listens{{#if port}} on {{port}}{{else}}, it seems{{/if}}.\n\n## Samples\n\n### Match: {{x}}\n";
        let expected = "# Refused\n\nfacts\n\n## What happened\n\nNothing listens on ‹port›.\n\n## Samples\n\n### Match: {{x}}\n\n";
        assert_eq!(readable(page, "facts"), expected);
    }
}

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
        format!("{} ({})", facts.title, facts.safety.in_words())
    });
    let remedies: Vec<String> = remedies.collect();
    let mut text = format!("`{}`, severity {}", pattern.id, pattern.severity.as_str());
    if !remedies.is_empty() {
        text.push_str(&format!("\n\nRemedies: {}", remedies.join("; ")));
    }
    text
}

/// Leaves out what only the matcher reads, and shows what the page captures as a word in capitals.
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
    reports::with_placeholders(&without_template(&out)) + &samples + "\n"
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
            name if !is_otherwise => out.push_str(&name.to_ascii_uppercase()),
            _ => {}
        }
        rest = after;
    }
    out + rest
}

/// Names the causes whose ids or titles have what was asked for, the nearest first.
fn nearest(wanted: &str, texts: &[(String, String)]) -> String {
    const MOST: usize = 10;
    let wanted = wanted.to_ascii_lowercase();
    let words: Vec<&str> =
        wanted.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 1).collect();
    let score = |id: &str, text: &str| {
        let title = text.lines().next().unwrap_or_default().trim_start_matches("# ").to_ascii_lowercase();
        let name = id.rsplit('/').next().unwrap_or(id);
        let score = words.iter().map(|word| match word {
            // A whole word of the name tells more than a part of it, and that more than the title or the class.
            word if name.split('-').any(|part| part == *word) => 8,
            word if name.contains(*word) => 4,
            word if title.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == *word) => 2,
            word if title.contains(*word) || id.contains(*word) => 1,
            _ => 0,
        });
        score.sum::<usize>()
    };
    let mut scored: Vec<(usize, &str)> = texts
        .iter()
        .map(|(id, text)| (score(id, text), id.as_str()))
        .filter(|(score, _)| *score > 0)
        .collect();
    // Of names that have as much of it, the shorter one is nearer.
    scored.sort_by(|a, b| (b.0, a.1.len(), a.1).cmp(&(a.0, b.1.len(), b.1)));
    let names: Vec<&str> = scored.iter().take(MOST).map(|(_, id)| *id).collect();
    let more = match scored.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more (`medic patterns list` names all)"),
    };
    match names[..] {
        [] => "; `medic patterns list` names all".to_owned(),
        [name] => format!("; did you mean {name}?"),
        _ => format!("; did you mean one of these?\n  {}{more}", names.join("\n  ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_without_its_header_and_its_template() {
        let page = "# Refused\n\n```toml\nseverity = \"high\"\n```\n\n## What happened\n\nNothing listens{{#if port}} on {{port}}{{else}}, it seems{{/if}}.\n\n## Samples\n\n### Match: {{x}}\n";
        let expected = "# Refused\n\nfacts\n\n## What happened\n\nNothing listens on PORT.\n\n## Samples\n\n### Match: {{x}}\n\n";
        assert_eq!(readable(page, "facts"), expected);
    }

    #[test]
    fn causes_of_any_class_are_suggested_by_id_and_title() {
        let page = |id: &str, title: &str| (id.to_owned(), format!("# {title}\n\nmore about memory"));
        let texts = [
            page("infrastructure/capacity/insufficient-memory", "No instance has enough free memory"),
            page("application/startup-health/heap-exhausted", "The program uses more memory than its heap"),
            page("application/database/memory-of-the-database", "The database is out of memory"),
            page("pipeline/image/tag-not-found", "The image tag does not exist"),
        ];
        let expected = "; did you mean one of these?\n  application/database/memory-of-the-database\n  infrastructure/capacity/insufficient-memory\n  application/startup-health/heap-exhausted";
        assert_eq!(nearest("Memory", &texts), expected);
        assert_eq!(nearest("tag-missing", &texts), "; did you mean pipeline/image/tag-not-found?");
        assert_eq!(nearest("zzz", &texts), "; `medic patterns list` names all");
    }
}

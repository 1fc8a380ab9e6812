//! `medic explain`: the page of one cause.

use anyhow::bail;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

use super::{HEALTHY, knowledge};

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
            [(_, text)] => {
                let mut out = anstream::stdout().lock();
                out.write_all(readable(text).as_bytes())?;
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

/// Leaves out what only the matcher reads.
fn readable(page: &str) -> String {
    let mut out = String::new();
    let mut in_header = false;
    for line in page.lines() {
        match line {
            "```toml" => in_header = true,
            "```" if in_header => in_header = false,
            _ if in_header => {}
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
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

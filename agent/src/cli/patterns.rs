//! `medic patterns`: lists, tests and scaffolds pattern pages.

use analyzer::pattern::Patterns;
use analyzer::taxonomy::Class;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::{FAILURE, HEALTHY, knowledge};
use crate::samples;

/// Lists, tests and scaffolds pattern pages.
#[derive(Debug, Args)]
pub struct PatternsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists all causes with their classes
    List {
        /// Only the causes of one class, or one domain
        #[arg(long, value_name = "CLASS")]
        class: Option<String>,
        /// A folder with pattern pages of your own
        #[arg(long, value_name = "DIR")]
        patterns: Option<PathBuf>,
    },
    /// Runs the samples of a folder: every sample is shown to all patterns
    Test {
        /// The folder of pages; without it, the built-in pages
        folder: Option<PathBuf>,
        /// Only pages whose id begins so
        #[arg(long, value_name = "PREFIX")]
        only: Option<String>,
        /// Leave out the built-in pages
        #[arg(long)]
        alone: bool,
    },
    /// Writes the scaffold of a page
    New {
        /// The id of the cause: `application/database/connection-refused`
        cause: String,
        /// The folder of pages
        #[arg(long, value_name = "DIR", default_value = "patterns")]
        patterns: PathBuf,
    },
}

impl PatternsCommand {
    pub fn run(self) -> anyhow::Result<u8> {
        match self.action {
            Action::List { class, patterns } => list(class.as_deref(), patterns),
            Action::Test { folder, only, alone } => test(folder, only.as_deref().unwrap_or_default(), alone),
            Action::New { cause, patterns } => scaffold(&cause, patterns),
        }
    }
}

fn list(class: Option<&str>, folder: Option<PathBuf>) -> anyhow::Result<u8> {
    let patterns = knowledge::load(folder.as_deref())?;
    let mut out = anstream::stdout().lock();
    let mut count = 0;
    for page in patterns.list() {
        if class.is_some_and(|class| {
            page.class.as_str() != class && !page.class.as_str().starts_with(&format!("{class}/"))
        }) {
            continue;
        }
        count += 1;
        let mark = if page.symptom { "symptom" } else { page.severity.as_str() };
        writeln!(out, "{:<72} {mark:<9} {}", page.id, page.title)?;
    }
    if count == 0 {
        let classes: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
        bail!("no cause is of class `{}`; the classes are {}", class.unwrap_or_default(), classes.join(", "));
    }
    Ok(HEALTHY)
}

fn test(folder: Option<PathBuf>, only: &str, alone: bool) -> anyhow::Result<u8> {
    let pages = match &folder {
        Some(folder) => knowledge::pages_of(folder)?,
        None => patterns::pages()?,
    };
    let mut complaints: Vec<String> = Vec::new();
    let all_ids: Vec<&str> = pages.iter().map(|page| page.id.as_str()).collect();
    if !all_ids.iter().any(|id| id.starts_with(only)) {
        bail!("no page has an id that begins with `{only}`; the nearest is `{}`", nearest(only, &all_ids));
    }
    let lint = patterns::compile::lint(&pages);
    let built_in = patterns::built_in().context("cannot read the built-in patterns")?;
    let known = |name: &str| !alone && built_in.patterns.iter().any(|page| page.id == name);
    for error in &lint {
        let names_built_in = error.message.split('`').nth(3).is_some_and(known);
        if !names_built_in {
            complaints.push(error.to_string());
        }
    }
    let mut sound = Vec::new();
    for page in &pages {
        match patterns::compile::compile(page) {
            Ok(_) => sound.push(page.clone()),
            Err(error) => complaints.push(error.to_string()),
        }
    }
    let book = if alone { patterns::book(&sound)? } else { patterns::extend(built_in, &sound)? };
    let book = Patterns::new(book);
    let mut samples = 0;
    for page in sound.iter().filter(|page| page.id.starts_with(only)) {
        samples += page.samples.len();
        complaints.extend(samples::run(page, &book));
    }
    complaints.retain(|complaint| complaint.starts_with(only));
    let mut out = anstream::stdout().lock();
    for complaint in &complaints {
        writeln!(out, "{complaint}")?;
    }
    let pages = all_ids.iter().filter(|id| id.starts_with(only)).count();
    let (pages, samples) = (counted(pages, "page"), counted(samples, "sample"));
    writeln!(out, "{pages}, {samples}, {}", counted(complaints.len(), "error"))?;
    Ok(if complaints.is_empty() { HEALTHY } else { FAILURE })
}

/// Returns the id that holds a wrong beginning, or begins most like it.
fn nearest<'i>(wrong: &str, ids: &[&'i str]) -> &'i str {
    let distance = |id: &str| {
        let beginning: String = id.chars().take(wrong.chars().count()).collect();
        let by_letters = strsim::damerau_levenshtein;
        (!id.contains(wrong), by_letters(wrong, &beginning), by_letters(wrong, id))
    };
    ids.iter().copied().min_by_key(|id| distance(id)).unwrap_or_default()
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn scaffold(cause: &str, folder: PathBuf) -> anyhow::Result<u8> {
    if patterns::parse::class_of(cause).is_none() {
        let classes: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
        bail!(
            "`{cause}` is not a valid cause id: write <class>/<name> with a name in lower case and dashes; the classes are {}",
            classes.join(", ")
        );
    }
    let path = folder.join(format!("{cause}.md"));
    if path.exists() {
        bail!("{} exists already", path.display());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    fs::write(&path, SCAFFOLD).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "wrote {}; test it with: medic patterns test {} --only {cause}",
        path.display(),
        folder.display()
    )?;
    Ok(HEALTHY)
}

const SCAFFOLD: &str = r##"# The fault in one plain sentence

```toml
severity = "high"
remedies = ["fix-configuration"]

[[evidence]]
find = '(?i)cannot open widget (?<widget>[\w-]+): not configured'
```

## What happened

The application needs the widget `{{widget}}`, and nothing configures it.

## What to do

1. Set the widget in the task definition, and deploy again.

## Samples

### Match: the message as the application prints it

```log
2026-05-01T10:00:00Z ERROR cannot open widget main-panel: not configured
```

### Near miss: a widget that is configured but slow

```log
2026-05-01T10:00:00Z WARN widget main-panel: took 3 s to open
```
"##;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_beginning_names_the_nearest_page() {
        let refused = "application/database/connection-refused";
        let ids = ["application/config/missing-variable", refused, "infrastructure/network/blocked"];
        for wrong in [
            "application/databse",
            "application/database/conection-refused",
            "connection-refused",
            "database/",
        ] {
            assert_eq!(nearest(wrong, &ids), refused, "{wrong}");
        }
        assert_eq!(nearest("infrastucture/", &ids), ids[2]);
        let error = test(None, "application/databse", false).unwrap_err().to_string();
        assert!(error.contains("begins with `application/databse`"), "{error}");
        assert!(error.contains("the nearest is `application/database/"), "{error}");
    }
}

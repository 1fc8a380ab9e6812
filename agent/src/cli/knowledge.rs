//! Loads the patterns: the built-in pages, and a user's folder.

use analyzer::pattern::Patterns;
use anyhow::{Context, bail};
use patterns::parse::{self, Page};
use std::fs;
use std::path::{Path, PathBuf};

/// Pages live so many folders deep: `application/database/connection-refused.md`.
const LEVELS: usize = 2;

/// Loads the built-in patterns and those of a folder, whose pages win.
pub fn load(folder: Option<&Path>) -> anyhow::Result<Patterns> {
    let book = patterns::built_in().context("cannot read the built-in patterns")?;
    let Some(folder) = folder else { return Ok(Patterns::new(book)) };
    let pages = pages_of(folder)?;
    Ok(Patterns::new(patterns::extend(book, &pages)?))
}

/// Reads all pages of a folder; every error is named.
pub fn pages_of(folder: &Path) -> anyhow::Result<Vec<Page>> {
    if !folder.is_dir() {
        bail!("{} is not a folder of pattern pages", folder.display());
    }
    let mut pages = Vec::new();
    let mut errors = Vec::new();
    for file in markdown_below(folder, LEVELS)? {
        let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        // What lies elsewhere is documentation.
        if name.matches('/').count() != LEVELS {
            continue;
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        match parse::parse(&name, &text) {
            Ok(page) => pages.push(page),
            Err(error) => errors.push(error.to_string()),
        }
    }
    if !errors.is_empty() {
        bail!("{} of the pages in {} cannot be read:\n{}", errors.len(), folder.display(), errors.join("\n"));
    }
    if pages.is_empty() {
        bail!(
            "{} holds no pattern pages: name the folder in which `application/database/some-cause.md` would lie",
            folder.display()
        );
    }
    pages.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(pages)
}

/// Returns the Markdown files in a folder, down to so many folders below it: links may lead round in circles.
fn markdown_below(folder: &Path, levels: usize) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            if levels > 0 {
                found.extend(markdown_below(&path, levels - 1)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_where_links_lead_round_in_circles() {
        let folder = tempfile::tempdir().unwrap();
        let class = folder.path().join("application/database");
        fs::create_dir_all(&class).unwrap();
        std::os::unix::fs::symlink(folder.path(), class.join("again")).unwrap();
        fs::write(class.join("own.md"), &patterns::page_texts()[0].1).unwrap();
        fs::write(folder.path().join("README.md"), "no page").unwrap();
        let found: Vec<String> = pages_of(folder.path()).unwrap().into_iter().map(|page| page.id).collect();
        assert_eq!(found, ["application/database/own"]);
    }
}

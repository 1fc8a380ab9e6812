//! Compiles all pages into one book, so that start-up only has to read it.

#[path = "src/compile.rs"]
mod compile;
#[path = "src/parse.rs"]
#[allow(dead_code)]
mod parse;
#[path = "src/train.rs"]
mod train;

use analyzer::diagnosis::noise;
use analyzer::matching::{ORDINARY, Prepared};
use analyzer::pattern::{Book, expressions};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut pages = Vec::new();
    let mut errors = Vec::new();
    for domain in ["infrastructure", "application", "pipeline"] {
        println!("cargo::rerun-if-changed={domain}");
        for path in files(&root.join(domain)).unwrap_or_default() {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            match fs::read_to_string(&path) {
                Ok(text) => match parse::parse(&name, &text) {
                    Ok(page) => pages.push(page),
                    Err(error) => errors.push(error.to_string()),
                },
                Err(error) => errors.push(format!("{name}: {error}")),
            }
        }
    }
    println!("cargo::rerun-if-changed=typical.log");
    println!("cargo::rerun-if-changed=src");
    pages.sort_by(|a, b| a.id.cmp(&b.id));
    errors.extend(compile::lint(&pages).iter().map(ToString::to_string));
    let mut patterns = Vec::new();
    for page in &pages {
        match compile::compile(page) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => errors.push(error.to_string()),
        }
    }
    if !errors.is_empty() {
        for error in &errors {
            println!("cargo::error=patterns/{error}");
        }
        return;
    }
    // What ordinary text looks like, and what the text of failures has in common: neither makes a good filter.
    let ordinary = fs::read(root.join("typical.log")).unwrap_or_default();
    let mut failures = Vec::new();
    for sample in pages.iter().flat_map(|page| &page.samples) {
        failures.extend_from_slice(sample.text.as_bytes());
    }
    let prepared = match Prepared::new(expressions(&patterns), &[(&ordinary, ORDINARY), (&failures, 1)]) {
        Ok(prepared) => prepared,
        Err(error) => {
            println!("cargo::error=expression {}: {error}", error.index);
            return;
        }
    };
    let book = Book { patterns, prepared, noise: noise::literals(), model: train::train(pages.iter()) };
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let pages: Vec<(String, String)> = pages.into_iter().map(|page| (page.id, page.text)).collect();
    write(&out.join("book.bin"), &book);
    write(&out.join("pages.bin"), &pages);
}

fn write(path: &Path, value: &impl serde::Serialize) {
    let bytes = postcard::to_stdvec(value).map_err(|error| error.to_string());
    if let Err(error) = bytes.and_then(|bytes| fs::write(path, bytes).map_err(|error| error.to_string())) {
        println!("cargo::error=cannot write {}: {error}", path.display());
    }
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

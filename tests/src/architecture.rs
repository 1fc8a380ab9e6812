//! Compares what the members depend on with what ARCHITECTURE.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Each member, the name of its package, and the members that it may depend on.
const EDGES: [(&str, &str, &[&str]); 6] = [
    ("analyzer", "analyzer", &[]),
    ("patterns", "patterns", &["analyzer"]),
    ("reports", "reports", &["analyzer"]),
    ("agent", "medic", &["analyzer", "patterns", "reports", "twin"]),
    ("tests", "tests", &["analyzer", "medic", "patterns", "reports"]),
    ("tests/twin", "twin", &[]),
];

#[test]
fn members_depend_on_each_other_along_the_edges() {
    let packages: BTreeSet<&str> = EDGES.iter().map(|(_, package, _)| *package).collect();
    for (folder, package, expected) in EDGES {
        let manifest = manifest(&root().join(folder));
        assert_eq!(manifest["package"]["name"].as_str(), Some(package), "the package in {folder}");
        let named = dependencies(&manifest);
        let edges: Vec<&str> =
            named.iter().map(String::as_str).filter(|name| packages.contains(name)).collect();
        assert_eq!(edges, expected, "the members that {folder} depends on");
    }
}

#[test]
fn every_member_is_known_to_this_test() {
    let workspace = manifest(&root());
    let members: BTreeSet<&str> = workspace["workspace"]["members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let known: BTreeSet<&str> = EDGES.iter().map(|(folder, ..)| *folder).collect();
    assert_eq!(members, known);
}

#[test]
fn only_the_agent_reaches_outside() {
    for (folder, ..) in EDGES.into_iter().filter(|(folder, ..)| *folder != "agent") {
        // The twin serves HTTP and the tests run the agent, so they may name tokio; they never call AWS.
        // The benches compare the index with plain tantivy.
        let serves = folder.starts_with("tests");
        let compares = folder == "tests";
        let outside: Vec<String> = dependencies(&manifest(&root().join(folder)))
            .into_iter()
            .filter(|name| {
                name.starts_with("aws-") || name == "tokio" && !serves || name == "tantivy" && !compares
            })
            .collect();
        assert!(outside.is_empty(), "{folder} names {outside:?}");
    }
}

#[test]
fn no_folder_is_a_drawer() {
    for name in ["common", "core", "utils"] {
        assert!(!root().join(name).exists(), "{name} says nothing about what is in it");
    }
}

#[test]
fn clippy_keeps_the_analyzer_pure() {
    let text = fs::read_to_string(root().join("analyzer/clippy.toml")).expect("analyzer/clippy.toml");
    let rules: Table = text.parse().expect("analyzer/clippy.toml is TOML");
    let forbidden: BTreeMap<&str, &str> = ["disallowed-methods", "disallowed-types"]
        .into_iter()
        .flat_map(|list| rules[list].as_array().into_iter().flatten())
        .filter_map(|rule| Some((rule.get("path")?.as_str()?, rule.get("reason")?.as_str()?)))
        .collect();
    for path in [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "jiff::Timestamp::now",
        "std::fs::read",
        "std::fs::read_to_string",
        "std::fs::File::open",
        "std::env::var",
        "std::collections::HashMap",
        "std::collections::HashSet",
    ] {
        assert!(forbidden.get(path).is_some_and(|reason| !reason.is_empty()), "{path} is not forbidden");
    }
}

#[test]
fn no_file_of_the_analyzer_mentions_what_is_impure() {
    let mut mentions = Vec::new();
    for file in sources(&root().join("analyzer/src")) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in ["std::fs", "std::env", "std::net", "SystemTime", "Instant", "HashMap", "HashSet"] {
                if code.contains(word) {
                    mentions.push(format!("{}:{}: {word}", file.display(), index + 1));
                }
            }
        }
    }
    assert!(mentions.is_empty(), "{}", mentions.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the names of all dependencies, those of builds, tests and single platforms included.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
        names.extend(keys(manifest.get(kind)));
        let targets = manifest.get("target").and_then(Value::as_table);
        for target in targets.into_iter().flat_map(Table::values) {
            names.extend(keys(target.get(kind)));
        }
    }
    names
}

fn keys(table: Option<&Value>) -> impl Iterator<Item = String> {
    table.and_then(Value::as_table).into_iter().flat_map(Table::keys).cloned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

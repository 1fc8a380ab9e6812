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
        "jiff::Zoned::now",
        "jiff::tz::TimeZone::system",
        "std::env::var",
        "std::env::var_os",
        "std::env::vars",
        "std::env::args",
        "std::env::current_dir",
        "std::fs::read",
        "std::fs::read_to_string",
        "std::fs::read_dir",
        "std::fs::write",
        "std::fs::File::open",
        "std::fs::File::create",
        "std::fs::OpenOptions::new",
        "std::net::TcpStream::connect",
        "std::process::Command::new",
        "std::thread::spawn",
        "std::thread::sleep",
        "std::collections::HashMap",
        "std::collections::HashSet",
        "std::collections::hash_map::RandomState",
    ] {
        assert!(forbidden.get(path).is_some_and(|reason| !reason.is_empty()), "{path} is not forbidden");
    }
}

/// What the analyzer does not name, whole modules among it.
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
];

#[test]
fn no_file_of_the_analyzer_mentions_what_is_impure() {
    let mut mentions = Vec::new();
    // What measures time reads the clock.
    let measures = |file: &PathBuf| file.ends_with("redact/tests/speed.rs");
    for file in sources(&root().join("analyzer/src")).into_iter().filter(|file| !measures(file)) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let found = impure(&text);
        mentions.extend(found.into_iter().map(|path| format!("{}: {path}", file.display())));
    }
    assert!(mentions.is_empty(), "{}", mentions.join("\n"));
}

#[test]
fn what_is_impure_is_found_however_it_is_named() {
    let check = |text: &str, found: &[&str]| assert_eq!(impure(text), found, "{text}");
    check("use std::fs;", &["std::fs"]);
    check("let text = std::fs::read(path);", &["std::fs::read"]);
    check("use std::{fs, env as e};", &["std::env", "std::fs"]);
    check("use std::{\n    collections::{BTreeMap, HashMap},\n    fmt,\n};", &["std::collections::HashMap"]);
    check("use std::{time::{Duration, Instant}};", &["std::time::Instant"]);
    check("use std::collections::{hash_map::Entry, BTreeMap};", &["std::collections::hash_map::Entry"]);
    check("use std::{self, fmt}; // not std::fs", &[]);
    check("use std::collections::BTreeMap; use std::time::Duration;", &[]);
}

/// Returns the paths of a text that name what is impure, those within braces among them.
fn impure(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join(" ").replace(" as ", " @ ").split_whitespace().collect::<String>();
    let mut paths = BTreeSet::new();
    for (at, _) in code.match_indices("std::") {
        spread("std::", &code[at + "std::".len()..], &mut paths);
    }
    let is_impure = |path: &String| {
        let names = |impure: &str| {
            path.strip_prefix(impure).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        IMPURE.iter().any(|impure| names(impure))
    };
    paths.into_iter().filter(is_impure).collect()
}

/// Spreads `fs,collections::{BTreeMap,HashMap}` behind a prefix into whole paths; returns what follows.
fn spread<'t>(prefix: &str, text: &'t str, paths: &mut BTreeSet<String>) -> &'t str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let path = format!("{prefix}{name}");
    if !rest.starts_with('{') || !path.ends_with("::") {
        paths.insert(path.trim_end_matches("::").to_owned());
        return rest;
    }
    while let Some(inner) = rest.strip_prefix(['{', ',']) {
        rest = spread(&path, inner, paths);
        // What it is called here does not matter.
        let renamed = rest.strip_prefix('@').map(|rest| rest.trim_start_matches(is_part));
        rest = renamed.unwrap_or(rest);
    }
    rest.strip_prefix('}').unwrap_or(rest)
}

/// Files that are longer than they should be. The list only gets shorter.
const LONG: [&str; 9] = [
    "agent/src/config.rs",
    "agent/src/index/reader.rs",
    "agent/src/sources/files.rs",
    "agent/src/sources/files/tests.rs",
    "analyzer/src/diagnosis/findings.rs",
    "analyzer/src/diagnosis/markers.rs",
    "analyzer/src/diagnosis/study.rs",
    "tests/twin/tests/plays.rs",
    "tests/twin/src/world/stack.rs",
];

#[test]
fn files_are_small() {
    let mut wrong = Vec::new();
    let mut long = BTreeSet::new();
    for folder in ["agent", "analyzer", "patterns", "reports", "tests", "fuzz/fuzz_targets"] {
        for file in sources(&root().join(folder)) {
            let name = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
            let lines = fs::read_to_string(&file).expect("a source file can be read").lines().count();
            if lines > 700 {
                wrong.push(format!("{name} has {lines} lines: no file has more than 700"));
            } else if lines > 500 && !LONG.contains(&name.as_str()) {
                wrong.push(format!("{name} has {lines} lines: split what grows beyond 500"));
            }
            if lines > 500 {
                long.insert(name);
            }
        }
    }
    let short = LONG.into_iter().filter(|name| !long.contains(*name));
    wrong.extend(short.map(|name| format!("{name} is short: take it off the list")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub fn root() -> PathBuf {
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

pub fn sources(folder: &Path) -> Vec<PathBuf> {
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

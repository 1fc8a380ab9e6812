//! The JSON report is a public format: its schema is current, and every report follows it.

use jsonschema::Validator;
use reports::Format;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use crate::given::{book, rendered};

#[test]
fn the_schemas_in_the_repository_are_current() {
    for (name, schema) in [("report", reports::json::schema()), ("status", reports::status::schema())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../reports/{name}.schema.json"));
        let schema = serde_json::to_string_pretty(&schema).expect("a schema") + "\n";
        if std::env::var_os("MEDIC_UPDATE").is_some() {
            fs::write(&path, &schema).expect("the schema can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == schema,
            "reports/{name}.schema.json is old: MEDIC_UPDATE=1 cargo test -p tests schema"
        );
    }
}

#[test]
fn the_report_of_every_scenario_follows_the_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut followed = 0;
    for entry in fs::read_dir(folder).expect("the scenarios can be read").flatten() {
        let diagnosis = crate::diagnose_folder(&entry.path().join("input"), book());
        assert_eq!(is_valid(&rendered(&diagnosis, Format::Json)), Ok(()), "{}", entry.path().display());
        followed += 1;
    }
    assert!(followed >= 95, "only {followed} scenarios were found");
}

/// Returns how a report departs from the schema.
pub fn is_valid(report: &str) -> Result<(), String> {
    static SCHEMA: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::validator_for(&reports::json::schema()).expect("the schema is one"));
    let report: serde_json::Value = serde_json::from_str(report).map_err(|error| error.to_string())?;
    match SCHEMA.iter_errors(&report).next() {
        Some(error) => Err(format!("{}: {error}", error.instance_path())),
        None => Ok(()),
    }
}

//! Diagnoses that are larger than any reader wants.

use analyzer::diagnosis::{Blocker, Diagnosis, Gap, RuledOut, TimelineEntry};
use analyzer::record::{Level, Source};
use analyzer::taxonomy::Class;
use proptest::prelude::*;

/// Long text of characters that grow when they are escaped.
pub fn text() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec![
            "&",
            "<",
            "\"",
            "\\",
            "\u{1f600}",
            "*",
            "@",
            "a b ",
            "`x` ",
            "\n",
            "\u{4e00}",
        ]),
        1usize..4000,
    )
        .prop_map(|(piece, times)| piece.repeat(times))
}

/// Repeats what a diagnosis holds, and adds blockers, gaps and a timeline.
pub fn grow(diagnosis: &mut Diagnosis, copies: usize) {
    let findings = diagnosis.findings.clone();
    for number in 0..copies {
        if let Some(finding) = findings.get(number % findings.len().max(1)) {
            let mut finding = finding.clone();
            finding.cause = format!("{}-{number}", finding.cause);
            diagnosis.findings.push(finding);
        }
        let evidence = findings.first().map(|finding| finding.evidence.clone()).unwrap_or_default();
        if let Some(root) = diagnosis.findings.first_mut() {
            root.evidence.extend(evidence);
            root.explains.push(format!("{}-{number}", root.cause));
        }
        let said = format!("thing {number}");
        diagnosis.gaps.push(Gap { what: said.clone(), because: said.clone(), remedy: Some(said.clone()) });
        diagnosis.blockers.push(Blocker {
            class: Class::ALL[number % 12],
            cause: None,
            title: said.clone(),
            because: said.clone(),
        });
        diagnosis.ruled_out.push(RuledOut { cause: said.clone(), because: said.clone() });
        diagnosis.timeline.push(TimelineEntry {
            time: None,
            stream: said.clone(),
            seq: number as u64,
            source: Source::ContainerLog,
            level: Level::Error,
            text: said,
            cause: None,
            count: 1,
        });
    }
}

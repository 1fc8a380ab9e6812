//! Runs the samples of pages: every sample is shown to all patterns.

use analyzer::diagnosis::{Diagnosis, diagnose};
use analyzer::pattern::Patterns;
use patterns::parse::{Page, Sample};

use crate::formats;

/// Returns what is wrong with a page's samples, one sentence each with file and line.
pub fn run(page: &Page, patterns: &Patterns) -> Vec<String> {
    let complaints = page.samples.iter().filter_map(|sample| {
        complaint(page, sample, patterns)
            .map(|complaint| format!("{}.md:{}: {complaint}", page.id, sample.line))
    });
    complaints.collect()
}

fn complaint(page: &Page, sample: &Sample, patterns: &Patterns) -> Option<String> {
    let diagnosis = diagnosis_of(sample, patterns);
    let met = diagnosis.findings.iter().find(|finding| finding.cause == page.id);
    let root = diagnosis.root_cause().map_or("no root cause", |root| root.cause.as_str());
    match (sample.expects_match, met) {
        (false, None) => None,
        (false, Some(_)) => Some(format!("the near miss `{}` gives this cause", sample.title)),
        (true, None)
            if page.header.symptom
                && root == format!("{}/unknown", page.class)
                && explains(&diagnosis, &page.id) =>
        {
            None
        }
        (true, None) => Some(format!("the match `{}` does not give this cause, but {root}", sample.title)),
        (true, Some(_)) if !page.header.symptom && root != page.id => {
            Some(format!("the match `{}` gives this cause, but {root} as the root cause", sample.title))
        }
        (true, Some(_)) => {
            let others: Vec<&str> = diagnosis
                .findings
                .iter()
                .filter(|finding| {
                    finding.cause != page.id
                        && !finding.symptom
                        && finding.known
                        && finding.explained_by.is_empty()
                })
                .map(|finding| finding.cause.as_str())
                .collect();
            (!others.is_empty())
                .then(|| format!("the match `{}` also gives {}", sample.title, others.join(", ")))
        }
    }
}

fn explains(diagnosis: &Diagnosis, id: &str) -> bool {
    diagnosis.root_cause().is_some_and(|root| root.explains.iter().any(|cause| cause == id))
}

fn diagnosis_of(sample: &Sample, patterns: &Patterns) -> Diagnosis {
    let name = format!("sample.{}.log", sample.source.as_str());
    let collected = formats::read_text(&name, Some(sample.source), &sample.text);
    diagnose(patterns, &collected.records, &collected.snapshot, Vec::new())
}

//! Everything that is tested across crates.

#[cfg(test)]
mod scenarios;

#[cfg(test)]
fn diagnose_folder(folder: &std::path::Path, patterns: &analyzer::pattern::Patterns) -> analyzer::Diagnosis {
    use analyzer::diagnosis::Study;
    use medic::input::{Feed, Span, read_all};

    let mut study = Study::new(patterns);
    let mut gaps = Vec::new();
    let mut feed = Feed { study: &mut study, snapshot: Default::default(), span: Span::default() };
    let read = read_all(&[folder.to_owned()], &mut feed, &mut gaps);
    assert!(read > 0, "{} holds no input", folder.display());
    let snapshot = feed.snapshot;
    study.conclude(&snapshot, gaps)
}

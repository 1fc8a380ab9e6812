//! Everything that is tested across crates.

pub mod generator;

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod github;
#[cfg(test)]
mod given;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod html;
#[cfg(test)]
mod huge;
#[cfg(test)]
mod matcher;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod model;
#[cfg(test)]
mod order;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod search;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod slack;
#[cfg(test)]
mod text_stays_text;
#[cfg(test)]
mod world;

#[cfg(test)]
fn diagnose_folder(folder: &std::path::Path, patterns: &analyzer::pattern::Patterns) -> analyzer::Diagnosis {
    use analyzer::diagnosis::Study;
    use medic::input::{Feed, Span, read_all};

    let mut study = Study::new(patterns);
    let mut gaps = Vec::new();
    let mut feed = Feed::new(&mut study, Span::default());
    let read = read_all(&[folder.to_owned()], &mut feed, &mut gaps);
    assert!(read > 0, "{} holds no input", folder.display());
    let snapshot = feed.snapshot;
    study.conclude(&snapshot, gaps)
}

//! What a container or a build said last: where nothing else tells why it failed, that often does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::findings::{self, Draft};
use super::foreign;
use super::kept::{Group, Kept, keep};
use super::study::Study;
use super::tail::answers_well;
use super::unknown::{Judged, judge, of_lead};
use super::{Evidence, telling};
use crate::record::{Level, Place, Record, Source, Stream};
use crate::redact::{Redactions, redact};

/// So many records of a stream are remembered, from its end.
const MOST: usize = 4;

/// The last records of each log of a container, and of each build, the newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWords(BTreeMap<String, Vec<Word>>);

#[derive(Clone, Debug)]
struct Word {
    kept: Kept,
    /// The secrets in it that are not counted elsewhere.
    redactions: Redactions,
}

impl LastWords {
    /// Takes in a batch of records; the batches may come in any order. The secrets of some are counted already.
    pub fn keep(&mut self, records: &[Record], counted: &BTreeSet<usize>) {
        let mut newest: BTreeMap<&str, BTreeMap<u64, usize>> = BTreeMap::new();
        // The stream at hand, and the place from which on its records are worth a look.
        let mut known: Option<(&Arc<Stream>, u64)> = None;
        for (index, record) in records.iter().enumerate().rev() {
            let is_passed =
                known.is_some_and(|(stream, from)| Arc::ptr_eq(stream, &record.stream) && record.seq < from);
            let has_last_words = matches!(record.source, Source::ContainerLog | Source::DockerBuild);
            if is_passed || !has_last_words || record.said().trim().is_empty() {
                continue;
            }
            let last = newest.entry(&record.stream.name).or_default();
            last.insert(record.seq, index);
            if last.len() > MOST {
                last.pop_first();
                known = last.first_key_value().map(|(first, _)| (&record.stream, *first));
            }
        }
        for (index, record) in
            newest.values().flat_map(BTreeMap::values).map(|index| (index, &records[*index]))
        {
            let last = self.0.entry(record.stream.name.clone()).or_default();
            let at = last.partition_point(|word| word.kept.place.seq > record.seq);
            if at >= MOST || last.get(at).is_some_and(|word| word.kept.place.seq == record.seq) {
                continue;
            }
            let mut redactions = Redactions::new();
            let said = redact(record.said(), &mut redactions).into_owned();
            if counted.contains(index) {
                redactions.clear();
            }
            let lines: Vec<&str> = said.lines().collect();
            let telling = lines.iter().rposition(|line| !line.trim().is_empty()).unwrap_or(0);
            let kept = keep(record, &said, &lines, telling, BTreeMap::new());
            last.insert(at, Word { kept, redactions });
            last.truncate(MOST);
        }
    }

    fn of(&self, stream: &str) -> impl DoubleEndedIterator<Item = &Word> {
        self.0.get(stream).into_iter().flatten()
    }

    /// Returns the secrets in what is shown that are not counted elsewhere.
    pub fn secrets_in(&self, evidence: &[Evidence]) -> Redactions {
        let mut secrets = Redactions::new();
        for item in evidence {
            for word in self.of(&item.stream).filter(|word| word.kept.place.seq == item.seq) {
                for (kind, count) in &word.redactions {
                    *secrets.entry(kind.clone()).or_default() += count;
                }
            }
        }
        secrets
    }
}

/// Makes a finding of the last words of a container that ended with an error.
pub(super) fn of_ended(study: &Study<'_>, drafts: &[Draft<'_>], shown: &[&Group]) -> Option<Judged> {
    const ENDED: &str = "application/startup-health/container-exited-with-error";
    let ended = drafts.iter().find(|draft| draft.pattern.id == ENDED)?;
    let of_tasks = study.events.values().filter(|kept| kept.source == Source::EcsStoppedTask);
    let mut said = of_tasks.map(|kept| &kept.text).chain(ended.all().map(|group| &group.first.text));
    if !said.any(|text| ends_by_itself(text)) {
        return None;
    }
    let words = study.last_words.0.values().filter_map(|last| {
        let said = last.iter().map(|word| &word.kept).filter(|kept| {
            let is_calm = matches!(kept.level, Level::Info | Level::Debug | Level::Trace)
                || answers_well(&kept.line.to_ascii_lowercase());
            let is_known = ended.all().any(|group| group.first.place == kept.place);
            let is_of_another = foreign::is_of_another(&study.foreign, &Group::of(kept)).is_some();
            let says = telling::message_of(&kept.line).split_whitespace().count() >= 3;
            says && !is_calm && !is_known && !is_of_another
        });
        said.max_by_key(|kept| tells(kept))
    });
    let kept = words.max_by_key(|kept| tells(kept))?;
    let lead = Group::of(kept);
    let judged = judge(study, &lead, &[]);
    let (mut finding, probability) = of_lead(&lead, judged, true, shown, drafts);
    finding.title =
        format!("No known error matches, and the container said last: {}", telling::message_of(&kept.line));
    Some((finding, probability))
}

/// How much a line tells; of those that tell nothing by their form, the last one does.
fn tells(kept: &Kept) -> (i32, Place) {
    (telling::telling_score(&kept.line, kept.source).max(0), kept.place.clone())
}

/// Whether a text tells of an exit code that a program gives itself, and not of one that a signal leaves.
fn ends_by_itself(text: &str) -> bool {
    const SIGNALS: [&str; 2] = ["137", "143"];
    let codes = ["exitCode", "exit code", "exited with code", "Exit code"];
    let said =
        codes.iter().flat_map(|name| text.match_indices(name).map(|(at, name)| &text[at + name.len()..]));
    let mut codes = said.map(|rest| {
        let from = rest.find(|c: char| c.is_ascii_digit()).filter(|from| *from <= 5).unwrap_or(0);
        let digits = rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        &rest[from..from + digits]
    });
    codes.any(|code| !code.is_empty() && code != "0" && !SIGNALS.contains(&code))
}

/// Puts what a build said right before it failed beside the line that says that it did, where nothing else tells more.
pub(super) fn add_words_before(study: &Study<'_>, evidence: &mut Vec<Evidence>) {
    const STEPS: [&str; 3] = ["Step ", "--->", "Removing intermediate container"];
    let [lead] = evidence.as_slice() else { return };
    if lead.source != Source::DockerBuild {
        return;
    }
    let is_step = |kept: &Kept| STEPS.iter().any(|step| kept.line.trim_start().starts_with(step));
    let last = study.last_words.of(&lead.stream).map(|word| &word.kept);
    let before = last.filter(|kept| kept.place.seq < lead.seq).take_while(|kept| !is_step(kept));
    let before: Vec<&Kept> = before.collect();
    evidence.extend(before.into_iter().rev().map(|kept| findings::of_group(&Group::of(kept))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_by_itself_or_by_a_signal() {
        for (text, expected) in [
            ("container web STOPPED exitCode=1", true),
            (r#""exitCode": 134, "name": "web""#, true),
            ("web exited with code 2", true),
            ("container web STOPPED exitCode=0", false),
            ("container web STOPPED exitCode=137", false),
            ("container web STOPPED exitCode=143; container log exitCode=0", false),
            ("Essential container in task exited", false),
        ] {
            assert_eq!(ends_by_itself(text), expected, "{text}");
        }
    }
}

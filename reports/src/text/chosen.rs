//! What a terminal shows of records and of timelines that are too long for it.

use crate::guide::{Moment, Quote};

/// How many lines of a record are shown.
const MOST_LINES: usize = 6;
/// How many lines of the timeline are shown, about.
const MOST_MOMENTS: usize = 28;

/// Chooses what of a long timeline is shown: evidence, what came right before it, and both ends.
pub(super) fn worth_showing(timeline: &[Moment]) -> Vec<bool> {
    if timeline.len() <= MOST_MOMENTS {
        return vec![true; timeline.len()];
    }
    let mut shown = vec![false; timeline.len()];
    let last = timeline.len() - 1;
    let evident = timeline.iter().enumerate().filter(|(_, moment)| moment.cause.is_some()).map(|(at, _)| at);
    let around = evident.flat_map(|at| [at, at.saturating_sub(1)]);
    for at in [0, 1, last - 1, last].into_iter().chain(around) {
        if shown.iter().filter(|it| **it).count() == MOST_MOMENTS {
            break;
        }
        shown[at] = true;
    }
    // A mark that something is left out takes a line, too.
    for at in 1..last {
        if !shown[at] && shown[at - 1] && shown[at + 1] {
            shown[at] = true;
        }
    }
    shown
}

/// Shows the head of a record and what stands around the line that tells.
pub(super) fn lines_to_show(quote: &Quote) -> Vec<String> {
    let lines: Vec<&str> = quote.readable().lines().collect();
    if lines.len() <= MOST_LINES {
        return lines.iter().map(|line| (*line).to_owned()).collect();
    }
    let telling = lines.iter().position(|line| quote.is_telling(line)).unwrap_or(0);
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (index, line) in lines.iter().enumerate() {
        if index < 2 || index.abs_diff(telling) <= 1 {
            if left_out > 0 {
                shown.push(format!("… {left_out} lines …"));
            }
            left_out = 0;
            shown.push((*line).to_owned());
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        shown.push(format!("… {left_out} lines …"));
    }
    shown
}

/// Shortens the ids of tasks, so that what became of a task fits into a line.
pub(super) fn with_short_ids(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let id = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        match id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => out.extend([&id[..8], "…", &word[id.len()..]]),
            false => out.push_str(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::{Level, Source};

    fn moment(is_evident: bool) -> Moment {
        Moment {
            time: None,
            stream: String::new(),
            source: Source::ContainerLog,
            level: Level::Info,
            text: String::new(),
            cause: is_evident.then(String::new),
            count: 1,
        }
    }

    #[test]
    fn of_a_long_timeline_the_evidence_is_shown() {
        let timeline: Vec<Moment> = (0..60).map(|at| moment(at == 30 || at == 33)).collect();
        let shown = worth_showing(&timeline);
        let places: Vec<usize> = (0..60).filter(|&at| shown[at]).collect();
        assert_eq!(places, [0, 1, 29, 30, 31, 32, 33, 58, 59]);
        assert_eq!(worth_showing(&timeline[..20]), [true; 20]);
    }

    #[test]
    fn ids_of_tasks_are_short() {
        let text = "task 6f1c0de2a4b34f0f9c1d2e3f4a5b6c7d STOPPED, task 0f9d";
        assert_eq!(with_short_ids(text), "task 6f1c0de2… STOPPED, task 0f9d");
    }
}

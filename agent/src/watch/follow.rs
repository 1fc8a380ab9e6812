//! Which lines of logs are shown: those that Live Tail brings at once, and those of the index where it does not.

use analyzer::diagnosis::Gap;
use jiff::Timestamp;
use std::collections::BTreeSet;
use tokio::sync::mpsc;

use super::LogLine;

/// What Live Tail tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Tailed {
    /// It follows these log groups from now on.
    Groups(BTreeSet<String>),
    /// Lines, and when the first of them was taken in.
    Lines(Vec<LogLine>, Option<Timestamp>),
    /// There are more lines than Live Tail shows.
    Sampled,
    /// It ended for good, and why.
    Ended(Gap),
}

/// What is followed. Live Tail and the index bring the same lines: the time of a line says which of them shows it.
#[derive(Debug, Default)]
pub struct Follow {
    tailed: Option<mpsc::Receiver<Tailed>>,
    groups: BTreeSet<String>,
    /// From when on Live Tail shows the lines; `None`: it has brought none yet.
    from: Option<Timestamp>,
    /// The newest line that it has shown.
    newest: Option<Timestamp>,
    has_ended: bool,
    is_sampled: bool,
}

/// What becomes of something that Live Tail told.
#[derive(Debug, PartialEq)]
pub enum Shown {
    Lines(Vec<LogLine>),
    Note(&'static str),
    Gap(Gap),
    Nothing,
}

impl Follow {
    pub fn new(tailed: mpsc::Receiver<Tailed>) -> Follow {
        Follow { tailed: Some(tailed), ..Follow::default() }
    }

    /// Waits for what Live Tail tells; for ever, where it tells nothing more.
    pub async fn next(&mut self) -> Tailed {
        if let Some(tailed) = &mut self.tailed {
            if let Some(told) = tailed.recv().await {
                return told;
            }
            self.tailed = None;
        }
        std::future::pending().await
    }

    /// Takes in what Live Tail tells.
    pub fn take(&mut self, told: Tailed) -> Shown {
        match told {
            Tailed::Groups(groups) => {
                self.groups = groups;
                Shown::Nothing
            }
            Tailed::Lines(mut lines, taken_in) => {
                let from = *self.from.get_or_insert(taken_in.unwrap_or(Timestamp::MIN));
                // What happened before comes from the index, with what came even earlier.
                lines.retain(|line| line.time.is_none_or(|time| time >= from));
                self.newest = lines.iter().filter_map(|line| line.time).chain(self.newest).max();
                if lines.is_empty() { Shown::Nothing } else { Shown::Lines(lines) }
            }
            Tailed::Sampled if std::mem::replace(&mut self.is_sampled, true) => Shown::Nothing,
            Tailed::Sampled => {
                Shown::Note("… more lines than Live Tail shows: a part is left out here, all are stored")
            }
            Tailed::Ended(gap) => {
                self.has_ended = true;
                Shown::Gap(gap)
            }
        }
    }

    /// Whether a line that was read from the index is shown: Live Tail does not show it.
    pub fn shows_stored(&self, line: &LogLine) -> bool {
        let group = line.stream.split_once('#').map(|(group, _)| group);
        let is_followed = group.is_some_and(|group| self.groups.contains(group));
        let (true, Some(from), Some(time)) = (is_followed, self.from, line.time) else { return true };
        time < from || self.has_ended && self.newest.is_none_or(|newest| time > newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn line(second: i64) -> LogLine {
        let stream = "/ecs/web#web/app/1".to_owned();
        LogLine { time: Some(at(second)), stream, task: "app".to_owned(), text: format!("line {second}") }
    }

    fn gap() -> Gap {
        Gap { what: "Live Tail".to_owned(), because: "access denied".to_owned(), remedy: None }
    }

    fn started() -> Follow {
        let mut follow = Follow::default();
        follow.take(Tailed::Groups(["/ecs/web".to_owned()].into()));
        follow
    }

    #[test]
    fn each_line_is_shown_by_one_of_both() {
        let mut follow = started();
        assert!(follow.shows_stored(&line(1)), "Live Tail has brought nothing yet");
        let shown = follow.take(Tailed::Lines(vec![line(9), line(11)], Some(at(10))));
        assert_eq!(shown, Shown::Lines(vec![line(11)]), "the index shows what happened before");
        assert!(follow.shows_stored(&line(9)));
        assert!(!follow.shows_stored(&line(11)));
        let of_another = LogLine { stream: "/ecs/worker#worker/app/1".to_owned(), ..line(11) };
        assert!(follow.shows_stored(&of_another), "Live Tail does not follow that group");
        assert_eq!(follow.take(Tailed::Lines(vec![line(10)], Some(at(12)))), Shown::Lines(vec![line(10)]));
    }

    #[test]
    fn when_live_tail_ends_the_index_goes_on() {
        let mut follow = started();
        follow.take(Tailed::Lines(vec![line(11), line(14)], Some(at(10))));
        assert_eq!(follow.take(Tailed::Ended(gap())), Shown::Gap(gap()));
        assert!(!follow.shows_stored(&line(14)));
        assert!(follow.shows_stored(&line(15)));
    }

    #[test]
    fn without_live_tail_the_index_shows_all() {
        let mut follow = started();
        assert_eq!(follow.take(Tailed::Ended(gap())), Shown::Gap(gap()));
        assert!(follow.shows_stored(&line(1)) && follow.shows_stored(&line(99)));
    }

    #[test]
    fn that_lines_are_left_out_is_said_once() {
        let mut follow = started();
        assert!(matches!(follow.take(Tailed::Sampled), Shown::Note(_)));
        assert_eq!(follow.take(Tailed::Sampled), Shown::Nothing);
    }
}

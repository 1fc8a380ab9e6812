//! Lists that begin with the newest: AWS prints its events so, and people copy them as they are printed.

use analyzer::record::{Record, Source};

/// Two times that agree are too few to tell an order from a clock that steps.
const ENOUGH_STEPS: usize = 2;

/// Puts the records of one input into the order of time, where it lists the newest first.
pub fn oldest_first(records: &mut [Record]) {
    if !is_newest_first(records) {
        return;
    }
    let places: Vec<u64> = records.iter().map(|record| record.seq).collect();
    records.reverse();
    // What has no time belongs to the record that it stood behind.
    let mut from = 0;
    while from < records.len() {
        let untimed = records[from..].iter().take_while(|record| clock(record).is_none()).count();
        let end = (from + untimed + 1).min(records.len());
        records[from..end].reverse();
        from = end;
    }
    for (record, seq) in records.iter_mut().zip(places) {
        record.seq = seq;
    }
}

/// Whether the times of all records go down and never up.
fn is_newest_first(records: &[Record]) -> bool {
    let clocks: Vec<i64> = records.iter().filter_map(clock).collect();
    let falls = clocks.windows(2).filter(|pair| pair[1] < pair[0]).count();
    let rises = clocks.windows(2).any(|pair| pair[1] > pair[0]);
    !rises
        && falls >= ENOUGH_STEPS.min(records.len().saturating_sub(1)).max(1)
        && 2 * clocks.len() > records.len()
}

/// Returns when a record happened, in milliseconds since 1970, or since midnight where an event has no date.
fn clock(record: &Record) -> Option<i64> {
    if let Some(time) = record.time {
        return Some(time.as_millisecond());
    }
    let is_event = matches!(record.source, Source::CfnStackEvent | Source::EcsServiceEvent);
    let line = record.text.lines().next().filter(|_| is_event)?;
    line.split([' ', '|', '\t']).find_map(time_of_day)
}

/// Reads `13:01:13`.
fn time_of_day(word: &str) -> Option<i64> {
    let mut parts = word.split(':');
    let mut part = |below: i64| {
        let digits = parts.next().filter(|digits| (1..=2).contains(&digits.len()))?;
        digits.parse::<i64>().ok().filter(|number| *number < below)
    };
    let seconds = (part(24)? * 60 + part(60)?) * 60 + part(60)?;
    parts.next().is_none().then_some(seconds * 1000)
}

#[cfg(test)]
mod tests {
    use super::super::{Collected, read};
    use analyzer::record::Source;

    /// Compares the texts in the order in which they are handed on.
    #[track_caller]
    fn check(source: Source, lines: &[&str], expected: &[&str]) {
        let mut collected = Collected::default();
        read("events.txt", Some(source), lines.join("\n").as_bytes(), &mut collected).expect("read");
        let texts: Vec<&str> = collected.records.iter().map(|record| record.text.trim()).collect();
        assert_eq!(texts, expected);
        let rises = collected.records.windows(2).all(|pair| pair[0].seq < pair[1].seq);
        assert!(rises, "places follow the order");
    }

    #[test]
    fn a_list_that_begins_with_the_newest_is_turned_round() {
        let newest = "2026-05-01T10:02:00Z (service web) was unable to place a task.";
        let middle = "2026-05-01T10:01:00Z (service web) has started 1 tasks.";
        let oldest = "2026-05-01T10:00:00Z (service web) has reached a steady state.";
        check(Source::EcsServiceEvent, &[newest, middle, oldest], &[oldest, middle, newest]);
        check(Source::EcsServiceEvent, &[newest, oldest], &[oldest, newest]);
        check(Source::EcsServiceEvent, &[oldest, middle, newest], &[oldest, middle, newest]);
    }

    #[test]
    fn padded_columns_are_no_continuation() {
        let newest = "2026-05-01 10:02:00 +0100  service web was unable to place a task.";
        let oldest = "2026-05-01 10:00:00 +0100  service web has reached a steady state.";
        check(Source::EcsServiceEvent, &[newest, oldest], &[oldest, newest]);
    }

    #[test]
    fn events_of_a_table_have_no_date() {
        let complete = "| 13:01:13 UTC+0000 | UPDATE_COMPLETE | AWS::CloudFormation::Stack | shop |";
        let cleanup =
            "| 13:00:38 UTC+0000 | UPDATE_COMPLETE_CLEANUP_IN_PROGRESS | AWS::CloudFormation::Stack | shop |";
        let begins = "| 13:00:19 UTC+0000 | UPDATE_IN_PROGRESS | AWS::EC2::Instance | Backup |";
        check(Source::CfnStackEvent, &[complete, cleanup, begins], &[begins, cleanup, complete]);
    }

    #[test]
    fn a_clock_that_steps_back_once_turns_nothing_round() {
        let lines = ["2026-05-01T10:00:00Z a b", "2026-05-01T10:00:05Z a c", "2026-05-01T09:59:59Z a d"];
        check(Source::ContainerLog, &lines, &lines);
        let lines = ["2026-05-01T10:00:00Z a b", "2026-05-01T09:59:59Z a c", "2026-05-01T09:59:59Z a d"];
        check(Source::ContainerLog, &lines, &lines);
    }
}

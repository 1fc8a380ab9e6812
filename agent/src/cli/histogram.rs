//! How records spread over time, as lines that a person reads.

use std::time::Duration;

use crate::index::Bucket;
use crate::watch::span;

/// So many rows at most.
const MOST_ROWS: i64 = 40;
/// From so many empty rows on, one line stands for all of them.
const EMPTY: usize = 3;
const NARROWEST: usize = 50;
const USUAL: usize = 80;
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Widths that people count in, in seconds.
const ROUND: [i64; 20] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    2 * 60,
    5 * 60,
    10 * 60,
    15 * 60,
    30 * 60,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
];

/// Returns the smallest round width, in microseconds, by which a span of time has few enough rows.
pub fn round_width(first: i64, last: i64) -> i64 {
    let fits = |width: i64| last.div_euclid(width) - first.div_euclid(width) < MOST_ROWS;
    let round = ROUND.iter().map(|seconds| seconds * SECOND).find(|width| fits(*width));
    // Above a week, as many weeks as it takes.
    let week = 7 * DAY * SECOND;
    round.unwrap_or_else(|| week * ((last - first) / week / (MOST_ROWS - 1) + 1))
}

/// Returns how wide the terminal is, or what is usual where there is none.
pub fn columns_of_terminal() -> usize {
    terminal_size::terminal_size().map_or(USUAL, |(width, _)| usize::from(width.0).clamp(NARROWEST, USUAL))
}

/// Returns a line for each bucket, at most so wide; runs of empty ones become one line.
pub fn lines(buckets: &[Bucket], columns: usize, bar: char) -> Vec<String> {
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or_default().max(1);
    let digits = most.to_string().len();
    let width = width_of(buckets);
    let format = if width.as_secs() >= 60 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    let begin = if width.as_secs() >= 60 { 16 } else { 19 };
    let longest = columns.saturating_sub(begin + digits + 4) as u64;
    let mut lines = Vec::new();
    if buckets.len() > 1 {
        lines.push(format!("a row is {}, in UTC", span(width.as_secs() as i64)));
    }
    for run in buckets.chunk_by(|a, b| (a.count == 0) == (b.count == 0)) {
        if run[0].count == 0 && run.len() >= EMPTY {
            let seconds = width.as_secs() as i64 * run.len() as i64;
            lines.push(format!("{:begin$}  {:>digits$}  nothing for {}", "…", 0, span(seconds)));
            continue;
        }
        for bucket in run {
            let from = bucket.from.strftime(format);
            let length = (u128::from(bucket.count) * u128::from(longest)).div_ceil(u128::from(most));
            let bar: String = std::iter::repeat_n(bar, length as usize).collect();
            lines.push(format!("{from}  {:>digits$}  {bar}", bucket.count).trim_end().to_owned());
        }
    }
    lines
}

fn width_of(buckets: &[Bucket]) -> Duration {
    let first = buckets.first().zip(buckets.get(1));
    first.map_or(Duration::ZERO, |(one, next)| next.from.duration_since(one.from).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[track_caller]
    fn check_width(span: i64, expected: i64) {
        let first = 1_795_082_417 * SECOND + 3;
        let last = first + span * SECOND;
        let width = round_width(first, last);
        assert_eq!(width, expected * SECOND);
        assert!(last.div_euclid(width) - first.div_euclid(width) < MOST_ROWS);
    }

    #[test]
    fn widths_are_round() {
        check_width(0, 1);
        check_width(38, 1);
        check_width(180, 5);
        check_width(HOUR, 2 * 60);
        check_width(30 * HOUR, HOUR);
        check_width(30 * DAY, DAY);
        check_width(14 * DAY, 12 * HOUR);
        check_width(3650 * DAY, 98 * DAY);
    }

    #[test]
    fn empty_runs_are_one_line_and_nothing_is_wider_than_the_screen() {
        let counts = [200_000, 1, 0, 0, 0, 0, 0, 5, 0, 7];
        let buckets: Vec<Bucket> = counts
            .iter()
            .enumerate()
            .map(|(row, count)| Bucket {
                from: Timestamp::from_second(1_795_082_400 + row as i64 * 300).unwrap(),
                count: *count,
            })
            .collect();
        let lines = lines(&buckets, 60, '#');
        let expected = [
            "a row is 5 min, in UTC".to_owned(),
            format!("2026-11-19 10:00  200000  {}", "#".repeat(34)),
            "2026-11-19 10:05       1  #".to_owned(),
            "…                      0  nothing for 25 min".to_owned(),
            "2026-11-19 10:35       5  #".to_owned(),
            "2026-11-19 10:40       0".to_owned(),
            "2026-11-19 10:45       7  #".to_owned(),
        ];
        assert_eq!(lines, expected);
    }
}

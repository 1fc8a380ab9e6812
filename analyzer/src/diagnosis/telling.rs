//! Finds the line that tells most about a failure that no page knows.

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet, meta};
use std::sync::LazyLock;

use crate::record::{Level, Record, Source};

/// A line that scores less than this is not taken for the cause of a failure.
pub const TELLING_ENOUGH: i32 = 40;
/// A line that scores less than this is not worth showing beside the evidence.
const WORTH_SHOWING: i32 = 8;

/// What the innermost of several causes tells more than the others.
const INNERMOST: i32 = 30;

/// Returns the line of a record that tells most, with its score, where it is worth showing; none of those that are
/// `known`.
pub fn key_line<'r>(
    record: &Record,
    said: &'r str,
    known: impl Fn(usize) -> bool,
) -> Option<(usize, &'r str, i32)> {
    let mut best: Option<(usize, &str, i32)> = None;
    let lines = said.lines().count();
    let is_trace = said.contains("Traceback (most recent call last)");
    let is_cause = |line: &str| line.trim_start().starts_with("Caused by:");
    let innermost =
        said.lines().enumerate().filter(|(_, line)| is_cause(line)).last().map(|(index, _)| index);
    for (index, line) in said.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let mut score = telling_score(line, record.source);
        // What a calm record goes on to say is as calm.
        let is_calm = matches!(record.level, Level::Info | Level::Debug | Level::Trace);
        if index == 0 || is_calm {
            score += level_bonus(record.level);
        }
        if lines > 1 {
            score += place_bonus(line, index, lines, is_trace);
            score += if innermost == Some(index) { INNERMOST } else { 0 };
        }
        // To know a line takes longer than to see that it tells less.
        if score > best.map_or(WORTH_SHOWING - 1, |(_, _, best)| best) && !known(index) {
            best = Some((index, line, score));
        }
    }
    best
}

/// Returns how much a line tells about a failure, from its words alone.
pub fn telling_score(line: &str, source: Source) -> i32 {
    let line = without_transport(cut(line, 2000));
    let (mut form, mut words, mut against) = (0, 0, 0);
    for (shape, worth) in shapes(line) {
        match (worth < 0, shape.starts_with(WORDS)) {
            (true, _) => against += worth,
            (false, true) => words += worth,
            (false, false) => form += worth,
        }
    }
    if form + words == 0 && source == Source::AlbTargetHealth && line.contains("unhealthy") {
        form = 45;
    }
    let said = message_of(line).bytes().filter(u8::is_ascii_alphanumeric).count();
    let silence = match said {
        0..3 => 200,
        3..8 => 30,
        _ => 0,
    };
    // A long line holds many words; that alone does not make it tell more.
    form.min(MOST_FORM) + words.min(MOST_WORDS) + against - silence
}

fn level_bonus(level: Level) -> i32 {
    match level {
        Level::Fatal => 35,
        Level::Error => 25,
        Level::Warn => -10,
        Level::Info | Level::Debug | Level::Trace => -25,
        Level::Unknown => 0,
    }
}

/// The innermost cause of a trace tells most; frames tell nothing.
fn place_bonus(line: &str, index: usize, lines: usize, is_trace: bool) -> i32 {
    let trimmed = line.trim_start();
    let is_frame = FRAME.is_match(line.as_bytes()) && !is_uncaught_of_ruby(line);
    if is_frame {
        return -80;
    }
    if trimmed.starts_with("Caused by:") {
        // A later cause is a deeper one.
        return 15 + (10 * index / lines) as i32;
    }
    if is_trace && index + 1 == lines {
        return 25;
    }
    if is_trace && line.starts_with(' ') {
        return -60;
    }
    0
}

/// Whether a line is what Ruby prints of an error that nobody caught: ``app.rb:12:in `boot': the reason (Acme::Error)``.
pub fn is_uncaught_of_ruby(line: &str) -> bool {
    UNCAUGHT_OF_RUBY.is_match(line.as_bytes())
}

fn cut(line: &str, most: usize) -> &str {
    if line.len() <= most {
        return line;
    }
    let mut end = most;
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// Returns the line without time stamps, levels and other prefixes.
pub fn message_of(line: &str) -> &str {
    PREFIX.of(line).find(line.as_bytes()).and_then(|prefix| line.get(prefix.end()..)).unwrap_or(line).trim()
}

/// Returns the line without what transports put in front: a container, a build step, a time.
fn without_transport(line: &str) -> &str {
    TRANSPORT.of(line).find(line.as_bytes()).and_then(|prefix| line.get(prefix.end()..)).unwrap_or(line)
}

/// What stands in front of a message.
struct Front {
    plain: LazyLock<Regex>,
    with_job: LazyLock<Regex>,
}

impl Front {
    /// Returns the expression for a line. To count the signs of a job costs much, and few lines name one.
    fn of(&self, line: &str) -> &Regex {
        if memchr::memchr(b'\t', line.as_bytes()).is_some() { &self.with_job } else { &self.plain }
    }
}

/// `job<TAB>step<TAB>`, in both expressions below.
const JOB: &str = r"(?:[^\t]{1,120}\t[^\t]{1,120}\t)?";

static TRANSPORT: Front = Front {
    plain: LazyLock::new(|| regex(&BEFORE_MESSAGE.replace(JOB, ""))),
    with_job: LazyLock::new(|| regex(BEFORE_MESSAGE)),
};

const BEFORE_MESSAGE: &str = r"^(?:[\w.-]{1,60}\s+\|\s)?(?:#\d+\s+[\d.]+\s)?(?:(?:[^\t]{1,120}\t[^\t]{1,120}\t)?\S{0,4}\d{4}-\d\d-\d\d[T ]\S+\s|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,80} \S{1,60}\[\d+\]: )?";

static PREFIX: Front = Front {
    plain: LazyLock::new(|| regex(&BEFORE_WORDS.replace(JOB, ""))),
    with_job: LazyLock::new(|| regex(BEFORE_WORDS)),
};

const BEFORE_WORDS: &str = r"^(?:[\w.-]+\s+\|\s)?(?:#\d+\s+[\d.]+\s)?(?:(?:[^\t]{1,120}\t[^\t]{1,120}\t)?\S*\d{4}[-/]\d\d[-/]\d\d[T ]\S*\s*|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,80} \S{1,60}\[\d+\]: )?(?:[A-Z], \[[^\]]{1,60}\]\s+[A-Z]+ -- [^:]{0,40}:\s*)?(?:\[[^\]]{1,40}\]\s*)*(?:(?i:error|fatal|warn|warning|info|critical)\b:?\s*)?(?:##\[\w+\])?";

static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"^\s+(?:at |\.\.\. \d+ |File "|from |in |\d+: |---)|^\S+\.(?:rb|go|php|py|js|ts|java):\d+(?::in |\s*\+0x|$)|^\s*\^[\^~ ]*$|^goroutine \d+|^\s+[~^]+$"#,
    )
});

static UNCAUGHT_OF_RUBY: LazyLock<Regex> = LazyLock::new(|| regex(OF_RUBY));

const OF_RUBY: &str = r"^\S+:\d+:in [`'][^']*': .+ \((?:[A-Z]\w*::)*[A-Z]\w*\)\s*$";

/// The most that the form of a line, and the words in it, are worth.
const MOST_FORM: i32 = 95;
const MOST_WORDS: i32 = 38;

/// Expressions that begin so look for words.
const WORDS: &str = r"(?i)\b";

/// Shapes of lines and what they are worth.
const SHAPE_LIST: &[(&str, i32)] = &[
    // How a runtime or tool reports the error that stops it.
    (r"^\W*(?:Caused by:|Root cause)", 30),
    (r"(?:^|[\s>:])[A-Za-z_][\w.$:\\]*(?:Error|Exception|Fault|Failure)\b(?:\s*\(\w+\))?(?::|$| \[)", 42),
    (
        r"^(?:.*\s)?(?:thread '.*' panicked|panic: |fatal error: |Fatal error: |Fatal Python error|FATAL: |fatal: |Unhandled exception|Uncaught)",
        50,
    ),
    (OF_RUBY, 50),
    (r"##\[error\]|^::error", 30),
    (
        r"(?i)(?:^|[\s\[(|])(?:error|err|fatal|crit(?:ical)?|emerg|severe|alert)(?:\]|\)|:|!|\s*\||\s-|\s{2,}|/)",
        30,
    ),
    (r"^(?:\S+\s+)?(?:ERROR|FATAL|SEVERE|CRITICAL|E)\s", 20),
    (r"(?i)^\W*(?:error|failed|failure)\b", 22),
    (r"\bnpm (?:ERR!|error) ", 18),
    // Where and with what, which says nothing about why.
    (r"\bnpm (?:ERR!|error) (?:path |errno |command |syscall )", -90),
    (r"error (?:TS|CS|MSB|NU|NETSDK)\d+|error\[E\d+\]|\bE\d{4,5}:", 45),
    (r"\b(?:CREATE|UPDATE|DELETE|IMPORT|ROLLBACK)_FAILED\b", 60),
    (r"(?:❌|✘|✖|⨯|✕)\s*\S", 42),
    (r"An error occurred \(\w+\) when calling", 45),
    (r"(?:Exception|Error): .*(?:Service: |Status Code: )", 15),
    (r"stoppedReason|[Ss]topped reason|(?i:status reason)", 35),
    (r"\b(?:Cannot|Resource|Docker|Container|TaskFailed|Internal)\w*(?:Error|Failed\w*)\b", 40),
    (r"unable to (?:place|start|reach|pull|assume|create|attach)", 40),
    // Words that say what is wrong.
    (
        r"(?i)\b(?:cannot|can't|can not|could not|couldn't|unable to|failed to|fails to|did not|does not|doesn't|is not|was not|are not|not)\b",
        14,
    ),
    (
        r"(?i)\b(?:not found|no such|denied|invalid|missing|required|refused|time[d-]? ?out|undefined|unexpected|unsupported|must (?:be|have)|already (?:exists|in use)|killed|expired|exceeded|unknown|conflict|mismatch|insufficient|unauthorized|forbidden|unreachable|corrupt|incompatible|violat\w+|unrecognized|limit)\b",
        16,
    ),
    (
        r"(?i)\b(?:no space left|out of memory|segmentation fault|core dumped|connection reset|broken pipe|permission denied|command not found|format error|invalid (?:choice|option)|no such option|unrecognized (?:option|argument)s?|too many requests|rate exceeded|rate limit|can not be updated|not accessible|no such file)\b",
        25,
    ),
    (r"(?i)\berror\b", 9),
    (r"(?i)\b(?:in use|failed|failure|rejected|cancell?ed|aborted|unhealthy|unavailable)\b", 12),
    (r"(?i)\bexit(?:ed)?(?: with)?(?: code| status)?[ :=(]+(?:[1-9]\d*)\b|exitCode[=: ]+[1-9]", 14),
    (r"--> [A-Z ]*FAIL|\bFAIL(?:ED)?\b", 14),
    // What Gradle says behind its prompt.
    (r"^\s*> (?:Could not|Cannot|There were|No |A problem|A failure|Failed|Unable|Unsupported|Plugin )", 75),
    (r"^\s*(?:Execution failed for task|FAILURE: Build failed|\* What went wrong)", -25),
    // What only follows from something else.
    (
        r"(?i)process completed with exit code|\d+ errors? occurred|errors? found|exited with (?:error )?code|returned a non-zero code|command failed|exit status \d|ELIFECYCLE|lifecycle script|subprocess exited|script returned exit",
        -40,
    ),
    (
        r"(?i)did not (?:complete|exit) successfully|Phase complete: \w+ State: |Phase context status|process completed with exit|^error: step\b|^build step|complete log of this run|BUILD FAILURE|\[Help 1\]|re-run maven|full stack ?trace|for more information|read the following|see above|more details|try:?$|run with --|finished: failure|marked build as failure|step .* (?:failed|errored) with|rollback requested|resource creation cancelled|View build details",
        -60,
    ),
    (r"(?i)stack ?trace:?$|^Traceback|during handling of the above|the above exception was", -40),
    (r"(?i)\bwarn(?:ing)?\b|[a-z]Warning:|deprecat", -24),
    (
        r"(?i)\b(?:0 (?:errors?|failures?|failed)|(?:errors?|failures?|failed|unknown|critical|high)[:=]\s*0|no errors?|without errors?|error_?log|errors? ?= ?0|ignored|ignoring|on[_-]?error|error[_-]?(?:page|handler|handling)|if-?no-?files|continue-on-error|--quiet)\b",
        -45,
    ),
    (r"(?i)\b(?:retrying|will retry|trying again|skipping|fall(?:ing)? back|trapped|optional)\b", -18),
    (
        r"^\s*(?:Downloading|Collecting|Progress|Compiling|Building|Requirement|#\d+ \[|\s*✓|\[command\]|\+ |\$ |> |Step \d+/)",
        -50,
    ),
    (
        r"^\s*(?://|\*|/\*|#!|<!--|import |public |private |def |if |for |return |throw |raise |else|\}|\{)|;\s*$",
        -35,
    ),
    // Differences that are planned, not made.
    (r"^\W*\[[-+~]\] ", -80),
    // Settings that are shown: `LOG_LEVEL=error`.
    (r"^\s*[A-Z][A-Z0-9_]*=\S*\s*$", -80),
    // What is taken away before it is made anew need not be there.
    (r"(?i)^(?:error response from daemon|error): no such (?:container|volume|network):", -60),
    (r"(?:^|\s)(?:PASS(?:ED)?|✓|✔|ok)\b", -30),
];

/// Shapes that are looked for in one pass, with the places of each in the list.
struct Set {
    places: Vec<usize>,
    engine: meta::Regex,
}

/// Sets of shapes of a kind: the automaton of all of them would have a state for each combination, and would still be
/// built when most logs are read.
static SETS: LazyLock<Vec<Set>> = LazyLock::new(|| {
    let kind_of = |place: usize| {
        let shape = SHAPE_LIST[place].0;
        (shape.starts_with(WORDS), shape.starts_with('^'), shape.starts_with("(?i)"))
    };
    let mut places: Vec<usize> = (0..SHAPE_LIST.len()).collect();
    places.sort_by_key(|place| kind_of(*place));
    let kinds = places.chunk_by(|a, b| kind_of(*a) == kind_of(*b));
    kinds.filter_map(|places| Some(Set { places: places.to_vec(), engine: engine(places)? })).collect()
});

/// Of what the engine can prepare, only what a set of expressions runs on is built: all else takes longer than it serves
/// in a start-up.
fn engine(places: &[usize]) -> Option<meta::Regex> {
    let only_sets = meta::Config::new()
        .match_kind(MatchKind::All)
        .which_captures(WhichCaptures::None)
        .utf8_empty(false)
        .onepass(false)
        .backtrack(false)
        .auto_prefilter(false)
        .nfa_size_limit(Some(1 << 24))
        .hybrid_cache_capacity(1 << 26);
    let shapes: Vec<&str> = places.iter().map(|place| SHAPE_LIST[*place].0).collect();
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    meta::Builder::new().configure(only_sets).syntax(syntax).build_many(&shapes).ok()
}

/// Returns the shapes that a line has, and what each is worth.
fn shapes(line: &str) -> impl Iterator<Item = (&'static str, i32)> {
    SETS.iter().flat_map(move |set| {
        let mut found = PatternSet::new(set.places.len());
        set.engine.which_overlapping_matches(&Input::new(line.as_bytes()), &mut found);
        let shapes: Vec<usize> = found.iter().map(|shape| set.places[shape.as_usize()]).collect();
        shapes.into_iter().map(|place| SHAPE_LIST[place])
    })
}

fn regex(expression: &str) -> Regex {
    // The expressions are constants; the test below compiles each of them.
    RegexBuilder::new(expression)
        .unicode(false)
        .build()
        .unwrap_or_else(|_| panic!("constant expression {expression}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_expressions_compile() {
        assert_eq!(SETS.iter().map(|set| set.engine.pattern_len()).sum::<usize>(), SHAPE_LIST.len());
        assert_eq!(message_of("2026-05-01T10:00:00Z ERROR: disk is full"), "disk is full");
        assert!(FRAME.is_match(b"    at main (app.js:3:1)"));
        assert!(BEFORE_MESSAGE.contains(JOB) && BEFORE_WORDS.contains(JOB));
        assert_eq!(message_of("build\tTest\t2026-05-01T10:00:00Z ##[error]disk is full"), "disk is full");
    }

    #[test]
    fn where_npm_failed_tells_less_than_why() {
        tells_more("npm ERR! gyp ERR! find Python is not set", "npm ERR! command failed");
    }

    #[track_caller]
    fn tells_more(more: &str, less: &str) {
        let (a, b) = (telling_score(more, Source::Other), telling_score(less, Source::Other));
        assert!(a > b, "{a} for {more:?}, {b} for {less:?}");
    }

    #[test]
    fn the_cause_tells_more_than_what_follows() {
        tells_more(
            "ERROR: Could not find a version that satisfies the requirement x",
            "##[error]Process completed with exit code 1.",
        );
        tells_more("java.lang.IllegalStateException: no key", "[ERROR] -> [Help 1]");
        tells_more(
            "Error: Cannot find module 'express'",
            "npm ERR! A complete log of this run can be found in:",
        );
        tells_more("KeyError: 'DATABASE_URL'", "Traceback (most recent call last):");
    }

    #[test]
    fn progress_and_summaries_tell_nothing() {
        for line in [
            "Tests run: 3, Failures: 0, Errors: 0",
            "Downloading error-handler-1.2.whl",
            "0 errors",
            "Passed!  - Failed:     0, Passed:    42, Skipped:     0, Total:    42, Duration: 2 s - Shop.Tests.dll",
            "Total: 0 (UNKNOWN: 0, LOW: 0, MEDIUM: 0, HIGH: 0, CRITICAL: 0)",
            "Listening on 8080",
        ] {
            assert!(
                telling_score(line, Source::Other) < TELLING_ENOUGH,
                "{line}: {}",
                telling_score(line, Source::Other)
            );
        }
    }
}

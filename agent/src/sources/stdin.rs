//! Standard input: lines, or one answer of the AWS CLI, until its end.

use analyzer::diagnosis::Gap;
use analyzer::record::{Source, Stream};
use jiff::Timestamp;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::hand::{self, Hand};
use super::lines::{Lines, Placed};
use super::{Arrival, Closed, Delivery, Outlet, id};
use crate::formats::{self, Collected};

const NAME: &str = "stdin";
const CHUNK: usize = 256 << 10;
const LOOK: Duration = Duration::from_millis(250);
/// Input that pauses for so long has said all that it had to say.
const QUIET: Duration = Duration::from_secs(2);
/// More than this is no answer of the AWS CLI.
const LARGEST_DOCUMENT: usize = 64 << 20;

/// Reads standard input to its end. What was read is not there a second time: there is no cursor.
pub async fn run(holds: Option<Source>, outlet: Outlet) -> Result<(), Closed> {
    read(io::stdin(), holds, outlet).await
}

async fn read(
    input: impl Read + Send + 'static,
    holds: Option<Source>,
    outlet: Outlet,
) -> Result<(), Closed> {
    // Nothing can end a thread that waits for input, so it is one that nobody waits for.
    let (give, take) = sync_channel(2);
    std::thread::spawn(move || pump(input, &give));
    hand::work(outlet, move |hand| Reader::new(holds, hand).run(&take)).await
}

fn pump(mut input: impl Read, give: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let outcome = match input.read(&mut chunk) {
            Ok(0) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            outcome => outcome,
        };
        let failed = outcome.is_err();
        let sent = give.send(outcome.map(|got| {
            chunk.truncate(got);
            chunk
        }));
        if failed || sent.is_err() {
            return;
        }
    }
}

struct Reader {
    hand: Hand,
    holds: Option<Source>,
    /// Tells this input from every other.
    run: String,
    /// `None` until the first bytes tell what the input holds.
    lines: Option<Lines>,
    begun: Vec<u8>,
    offset: u64,
    done: Vec<Placed>,
}

impl Reader {
    fn new(holds: Option<Source>, hand: Hand) -> Reader {
        let run = format!("{}:{}", Timestamp::now().as_nanosecond(), std::process::id());
        Reader { hand, holds, run, lines: None, begun: Vec::new(), offset: 0, done: Vec::new() }
    }

    fn run(mut self, input: &Receiver<io::Result<Vec<u8>>>) -> Result<(), Closed> {
        let mut changed = Instant::now();
        loop {
            let ends = self.hand.outlet.stop.is_cancelled();
            match input.recv_timeout(LOOK) {
                Ok(Ok(bytes)) => {
                    changed = Instant::now();
                    self.begun.extend_from_slice(&bytes);
                    self.take(false)?;
                }
                Ok(Err(error)) => {
                    self.settle()?;
                    return self
                        .hand
                        .deliver(Delivery { gaps: Some(vec![gap(&error)]), ..Delivery::default() });
                }
                Err(RecvTimeoutError::Timeout) if ends => return self.settle(),
                Err(RecvTimeoutError::Timeout) if changed.elapsed() >= QUIET => self.settle()?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.settle(),
            }
            self.hand.check()?;
        }
    }

    /// Takes what has come as complete.
    fn settle(&mut self) -> Result<(), Closed> {
        self.take(true)?;
        if let Some(lines) = &mut self.lines {
            lines.finish(&mut self.done);
        }
        self.deliver()
    }

    /// Takes the lines that have ended; with `all`, also the last one.
    fn take(&mut self, all: bool) -> Result<(), Closed> {
        if self.lines.is_none() && !self.recognise(all)? {
            return Ok(());
        }
        let Some(lines) = &mut self.lines else { return Ok(()) };
        let length = if all { self.begun.len() } else { formats::end_of_lines(&self.begun, 0) };
        let taken = &self.begun[..length];
        for line in formats::split(taken) {
            let at = self.offset + line.start as u64;
            lines.push(&String::from_utf8_lossy(&taken[line]), at, &mut self.done);
        }
        self.offset += length as u64;
        self.begun.drain(..length);
        self.deliver()
    }

    /// Finds out what the input holds; false where it was an answer, or more has to be read to know.
    fn recognise(&mut self, all: bool) -> Result<bool, Closed> {
        if self.begun.is_empty() {
            return Ok(false);
        }
        if formats::looks_like_document(&self.begun) && formats::may_be_answer(&self.begun) {
            if !all && self.begun.len() < LARGEST_DOCUMENT {
                return Ok(false);
            }
            let mut found = Collected::default();
            if formats::documents(NAME, self.holds, &self.begun, &mut found) {
                self.begun.clear();
                self.hand_over_answer(found)?;
                return Ok(false);
            }
        }
        let source = self.holds.unwrap_or_else(|| formats::source_of(NAME, &self.begun));
        self.lines = Some(Lines::new(Arc::new(Stream { name: NAME.to_owned(), source })));
        Ok(true)
    }

    fn hand_over_answer(&mut self, found: Collected) -> Result<(), Closed> {
        let records = super::answered("stdin", found.records);
        self.hand.deliver(Delivery { records, snapshot: found.snapshot, ..Delivery::default() })
    }

    fn deliver(&mut self) -> Result<(), Closed> {
        if self.done.is_empty() {
            return Ok(());
        }
        let records = self.done.drain(..).map(|placed| Arrival {
            id: id(&["stdin", &self.run, &placed.offset.to_string()]),
            further: Vec::new(),
            record: placed.record,
        });
        let records = records.collect();
        self.hand.deliver(Delivery { records, ..Delivery::default() })
    }
}

fn gap(error: &io::Error) -> Gap {
    Gap { what: "standard input".to_owned(), because: format!("cannot read it: {error}"), remedy: None }
}

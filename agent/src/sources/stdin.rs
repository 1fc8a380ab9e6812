//! Standard input: lines, or one answer of the AWS CLI, until its end.

use analyzer::diagnosis::Gap;
use analyzer::record::{Source, Stream};
use jiff::Timestamp;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::hand::{self, Hand};
use super::lines::{HALF_LINE, Lines, Placed, keep_said};
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
    /// What was given out of a line that has not ended.
    said: Vec<u8>,
    offset: u64,
    done: Vec<Placed>,
}

impl Reader {
    fn new(holds: Option<Source>, hand: Hand) -> Reader {
        let run = format!("{}:{}", Timestamp::now().as_nanosecond(), std::process::id());
        Reader {
            hand,
            holds,
            run,
            lines: None,
            begun: Vec::new(),
            said: Vec::new(),
            offset: 0,
            done: Vec::new(),
        }
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
                    self.settle(true)?;
                    return self
                        .hand
                        .deliver(Delivery { gaps: Some(vec![gap(&error)]), ..Delivery::default() });
                }
                Err(RecvTimeoutError::Timeout) if ends => return self.settle(true),
                Err(RecvTimeoutError::Timeout) if changed.elapsed() >= QUIET => {
                    self.settle(changed.elapsed() >= HALF_LINE)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.settle(true),
            }
            self.hand.check()?;
        }
    }

    /// Takes records as complete; with `all`, also the line that has no end yet.
    fn settle(&mut self, all: bool) -> Result<(), Closed> {
        if self.lines.is_none() {
            self.recognise(true)?;
        }
        self.take(all)?;
        if let Some(lines) = &mut self.lines
            && (all || !lines.is_in_key())
        {
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
            match line.start == 0 && !self.said.is_empty() {
                true => lines.push_rest(&self.said, &taken[line], at, &mut self.done),
                false => lines.push(&String::from_utf8_lossy(&taken[line]), at, &mut self.done),
            }
        }
        keep_said(&mut self.said, taken);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::Fake;

    async fn collected(input: &'static str) -> Fake {
        let fake = Fake::default();
        let (outlet, _stop) = fake.collect();
        read(input.as_bytes(), None, outlet).await.unwrap();
        fake.ended().await;
        fake
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn lines_are_folded_to_the_end() {
        let fake = collected("ERROR x\n\tat a.B.c(B.java:1)\r\nnext\n{\"msg\":\"last\"}").await;
        assert_eq!(fake.texts(), ["ERROR x\n\tat a.B.c(B.java:1)", "next", "{\"msg\":\"last\"}"]);
    }

    /// Gives each piece after a pause that is longer than a quiet one.
    struct Pieces(std::vec::IntoIter<&'static str>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.next() else { return Ok(0) };
            buffer[..piece.len()].copy_from_slice(piece.as_bytes());
            if self.0.len() < 2 {
                std::thread::sleep(QUIET + 3 * LOOK);
            }
            Ok(piece.len())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn half_a_line_waits_for_its_rest() {
        let fake = Fake::default();
        let (outlet, _stop) = fake.collect();
        let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n";
        let rest = "MIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\npassword=hunt";
        let pieces = vec![key, rest, "er2secret99\n"];
        read(Pieces(pieces.into_iter()), None, outlet).await.unwrap();
        fake.ended().await;
        let wanted = [key, rest].concat();
        let (wanted, _) = wanted.rsplit_once('\n').unwrap();
        assert_eq!(fake.texts(), [wanted, "password=hunter2secret99"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_answer_of_the_cli_is_described() {
        let fake = collected("{\"services\": [\n{\"serviceName\": \"web\", \"desiredCount\": 2}]}").await;
        let store = fake.store.lock().unwrap();
        assert!(
            matches!(&store.snapshot.services, analyzer::snapshot::Part::Known(services) if services.len() == 1)
        );
    }
}

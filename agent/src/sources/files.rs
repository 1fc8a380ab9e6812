//! Log files: paths and globs are followed through rotation, from where they were left.
//!
//! A file is known by its device and inode, so a renamed file goes on under its new name, and a file that has
//! its old name is a new one. Of a file that is cut and begun anew, what was read before stays as it was.

mod asked;
mod follow;
mod rotation;
mod saved;
mod siblings;
mod tail;

use analyzer::diagnosis::Gap;
use analyzer::record::Source;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

pub use self::asked::expand;
use self::rotation::{Horizon, Rotation};
use self::saved::{Copied, Held, Key, New, Saved, Whereabouts};
use self::tail::{Batch, Reading, Tail};
use super::hand::{self, Hand};
use super::{Closed, Delivery, Outlet};
use crate::formats;

/// How often files are looked at. That asks for their sizes, no more.
const LOOK: Duration = Duration::from_millis(250);
/// How often new files are looked for.
const DISCOVER: Duration = Duration::from_secs(1);
/// A file that lost its name is kept open so long after it was last written to.
const LINGER: Duration = Duration::from_secs(600);
const LINGER_REMOVED: Duration = Duration::from_secs(10);
/// What may be a copy of another file waits no longer than this until that is known.
const PATIENCE: Duration = Duration::from_secs(45);
/// What is read of a file at a time.
const CHUNK: usize = 256 << 10;
/// So many chunks of one file are read before the next file has its turn.
const TURN: usize = 32;
/// When Medic stops, what was written just before is still read, for so long; the rest is read at the next start.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// So many files that are gone are remembered, should they come back.
const REMEMBERED: usize = 256;
/// So many files that were cut are remembered until a copy of them is found.
const MOST_CUT: usize = 16;

/// Follows the files until Medic stops; with `once`, reads them to their ends and returns.
pub async fn run(
    paths: Vec<String>,
    holds: Option<Source>,
    cursor: Option<Value>,
    once: bool,
    outlet: Outlet,
) -> Result<(), Closed> {
    let saved = cursor.and_then(|cursor| serde_json::from_value::<Cursor>(cursor).ok()).unwrap_or_default();
    hand::work(outlet, move |hand| Reader::new(paths, holds, saved, hand).run(once)).await
}

/// What is stored of all files of a source.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    files: Vec<Saved>,
    /// What was read of files that were cut since, until a copy of it is found.
    #[serde(default)]
    cut: Vec<Saved>,
    /// Which rotated files are older than what was read, by the name that they had.
    #[serde(default)]
    horizons: BTreeMap<PathBuf, Horizon>,
}

/// What was read before, and where it is.
type Origins = Vec<(Saved, Whereabouts)>;

struct Reader {
    paths: Vec<String>,
    holds: Option<Source>,
    hand: Hand,
    tails: Vec<Tail>,
    /// Files that are not open: they were read before, and may be found again.
    saved: BTreeMap<Key, Saved>,
    cut: Vec<Saved>,
    rotation: Rotation,
    /// Files that may be copies of others, and since when they wait.
    waiting: BTreeMap<Key, Instant>,
    waits: bool,
    /// Whether a file was opened since the cursor was handed over: of a copy, that says what is known of it.
    has_opened: bool,
    is_first_look: bool,
    /// Files that were left and are not found again.
    missed: BTreeSet<PathBuf>,
    discovered: Instant,
    batch: Batch,
    chunk: Vec<u8>,
    gaps: BTreeMap<String, Gap>,
    /// What could not be looked into at the last look.
    unreadable: BTreeSet<String>,
    said_gaps: Option<BTreeMap<String, Gap>>,
}

impl Reader {
    fn new(paths: Vec<String>, holds: Option<Source>, cursor: Cursor, hand: Hand) -> Reader {
        Reader {
            paths,
            holds,
            hand,
            tails: Vec::new(),
            saved: cursor.files.into_iter().map(|saved| (saved.key, saved)).collect(),
            cut: cursor.cut,
            rotation: Rotation::new(cursor.horizons),
            waiting: BTreeMap::new(),
            waits: false,
            has_opened: false,
            is_first_look: true,
            missed: BTreeSet::new(),
            discovered: Instant::now(),
            batch: Batch::default(),
            chunk: vec![0; CHUNK],
            gaps: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            said_gaps: None,
        }
    }

    fn run(mut self, once: bool) -> Result<(), Closed> {
        self.find_renamed();
        self.discover(false);
        // Until it is stored which files there are, one that is renamed is not known when Medic starts again.
        let (soon, _) = oneshot::channel();
        self.deliver(Some(soon))?;
        loop {
            if self.is_stopped() {
                return self.end();
            }
            if self.discovered.elapsed() >= DISCOVER {
                self.discover(false);
            }
            let more = self.read_turn(once)?;
            if self.is_stopped() {
                continue;
            }
            if !more {
                self.tails.iter_mut().for_each(|tail| tail.settle(once, &mut self.batch));
            }
            self.deliver(None)?;
            self.leave();
            match more {
                true => self.hand.check()?,
                // All that was open is read to its end: what waited for that is looked at once more.
                false if once && std::mem::take(&mut self.waits) => self.discover(true),
                false if once => return Ok(()),
                false => self.hand.rest(LOOK)?,
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.hand.outlet.stop.is_cancelled()
    }

    /// Reads what was written just before Medic stopped, and hands over what is open at the end of each file.
    /// Where a file goes on, its cursor tells where: what is open there is read again at the next start.
    fn end(mut self) -> Result<(), Closed> {
        let until = Instant::now() + LAST_LOOK;
        self.tails.sort_by_key(Tail::behind);
        for at in 0..self.tails.len() {
            let mut is_at_end = false;
            while !is_at_end && Instant::now() < until && !self.tails[at].is_costly() {
                is_at_end = !self.read_chunk(at, true)?;
            }
            if is_at_end || self.tails[at].behind() == 0 {
                self.tails[at].settle(true, &mut self.batch);
            }
        }
        self.deliver(None)
    }

    /// Reads a part of each file; false when all are read as far as they are written.
    fn read_turn(&mut self, hurry: bool) -> Result<bool, Closed> {
        let mut more = false;
        let mut at = 0;
        while at < self.tails.len() {
            for _ in 0..TURN {
                if self.is_stopped() {
                    return Ok(true);
                }
                // A file may come and go while others are read for long.
                if self.discovered.elapsed() >= DISCOVER {
                    self.discover(false);
                }
                let went_on = self.read_chunk(at, hurry)?;
                more |= went_on;
                if !went_on {
                    break;
                }
            }
            at += 1;
        }
        Ok(more)
    }

    /// Reads the next part of a file; false where there is nothing to read now.
    fn read_chunk(&mut self, at: usize, hurry: bool) -> Result<bool, Closed> {
        let tail = &mut self.tails[at];
        let reading = Reading { holds: self.holds, hurry, stop: &self.hand.outlet.stop };
        let outcome = tail.read(&reading, &mut self.chunk, &mut self.batch);
        let name = tail.path.to_string_lossy().into_owned();
        let went_on = note(&mut self.gaps, name, outcome).unwrap_or(false);
        if self.batch.arrivals.len() >= formats::BATCH {
            self.deliver(None)?;
        }
        Ok(went_on)
    }

    /// Hands over what was read. `soon`: it is stored without waiting for more.
    fn deliver(&mut self, soon: Option<oneshot::Sender<()>>) -> Result<(), Closed> {
        // What was said before Medic was started anew is taken back, too.
        let says_gaps = self.said_gaps.as_ref() != Some(&self.gaps);
        let Batch { arrivals, snapshot, cut, .. } = self.batch.take();
        if arrivals.len() >= formats::BATCH {
            // Where many came, as many may follow.
            self.batch.arrivals.reserve(arrivals.len());
        }
        self.cut.extend(cut);
        self.cut.drain(..self.cut.len().saturating_sub(MOST_CUT));
        let has_moved = std::mem::take(&mut self.has_opened) || !arrivals.is_empty();
        if !has_moved && snapshot == Default::default() && !says_gaps {
            return Ok(());
        }
        let files = self.saved.values().cloned().chain(self.tails.iter().map(Tail::save)).collect();
        self.hand.deliver(Delivery {
            records: arrivals,
            snapshot,
            gaps: says_gaps.then(|| self.gaps.values().cloned().collect()),
            cursor: serde_json::to_value(Cursor {
                files,
                cut: self.cut.clone(),
                horizons: self.rotation.horizons.clone(),
            })
            .ok(),
            stored: soon,
        })?;
        self.said_gaps = Some(self.gaps.clone());
        Ok(())
    }

    /// Opens files that were not seen before, and notes which still have their names. `hurry`: none may wait.
    fn discover(&mut self, hurry: bool) {
        self.discovered = Instant::now();
        self.tails.iter_mut().for_each(|tail| tail.present = false);
        let matching = self.matching();
        // What is known goes first: what is new may be a copy of it.
        let mut new = Vec::new();
        for path in &matching {
            let outcome = self.meet_known(path);
            new.extend(self.note_found(path, outcome).flatten());
        }
        self.note_absent(&matching);
        let left = if self.is_first_look { self.left() } else { Vec::new() };
        let looked = self.rotation.look(&self.families(&matching), &matching, &left);
        new.extend(looked.into_iter().filter(|found| !self.is_known(found)));
        new.sort_by_key(|found: &New| found.modified);
        let mut origins = if new.is_empty() { Vec::new() } else { self.origins() };
        let mut put_off = BTreeSet::new();
        self.waits = false;
        for found in new {
            let outcome = self.meet_new(&found, &mut origins, hurry);
            let met = self.note_found(&found.path, outcome);
            self.waits |= met == Some(false);
            if met != Some(true) {
                put_off.insert(found.name);
            }
        }
        self.rotation.advance(&put_off);
        self.note_missed(&matching);
    }

    fn note_found<T>(&mut self, path: &Path, outcome: io::Result<T>) -> Option<T> {
        match outcome {
            // It went between two looks.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            outcome => note(&mut self.gaps, path.to_string_lossy().into_owned(), outcome),
        }
    }

    /// Returns the file where it is not known.
    fn meet_known(&mut self, path: &Path) -> io::Result<Option<New>> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let key = Key::of(&metadata);
        if let Some(tail) = self.tails.iter_mut().find(|tail| tail.key == key) {
            tail.present = true;
            tail.path = path.to_owned();
            return Ok(None);
        }
        let Some(saved) = self.saved.get(&key) else { return New::of(path, path, &metadata).map(Some) };
        if !saved.is_born_as(follow::born(&metadata)) && saved.may_go_on() {
            self.missed.insert(saved.path.clone());
        }
        let tail = Tail::reopen(path, saved, &mut self.batch)?;
        self.cut.append(&mut self.batch.cut);
        self.take_up(tail, key);
        Ok(None)
    }

    /// Opens a file that was not seen before; false where it has to wait.
    fn meet_new(&mut self, new: &New, origins: &mut Origins, hurry: bool) -> io::Result<bool> {
        let since = *self.waiting.entry(new.key).or_insert_with(Instant::now);
        let is_patient = !hurry && since.elapsed() < PATIENCE;
        let Some(mut tail) = self.open_new(new, origins, is_patient)? else { return Ok(false) };
        self.waiting.remove(&new.key);
        tail.present = new.path == new.name;
        tail.path.clone_from(&new.name);
        self.take_up(tail, new.key);
        Ok(true)
    }

    fn take_up(&mut self, tail: Tail, key: Key) {
        // Between two looks another file may have taken the name; it is found the next time.
        if tail.key == key {
            self.saved.remove(&key);
            self.tails.push(tail);
            self.has_opened = true;
        }
    }

    /// Opens a file that was not seen before. Where it is a copy of one that was read, as tools make it that cut
    /// the file then, compress it or put another in its place, only what was not read yet is read.
    fn open_new(&mut self, new: &New, origins: &mut Origins, is_patient: bool) -> io::Result<Option<Tail>> {
        let mut best: Option<(Copied, u64, usize)> = None;
        let is_written = new.age() < tail::QUIET;
        for (at, (saved, whereabouts)) in origins.iter().enumerate() {
            if !saved.may_be_in(new, *whereabouts) {
                continue;
            }
            if new.is_compressed && is_written && is_patient {
                return Ok(None);
            }
            let mut copied = saved.copied_to(new)?;
            let open = self.tails.iter().find(|tail| tail.key == saved.key);
            if let (Copied::Begun, Some(open), false) = (copied, open, new.is_compressed)
                && open.begins_with(&new.path)?
            {
                copied = Copied::Less;
            }
            // What takes the place of another file does so when it is complete.
            let is_shorter = matches!(copied, Copied::Begun | Copied::Less);
            if copied == Copied::No || is_shorter && saved.path == new.path {
                continue;
            }
            let goes_on = open.is_some_and(|open| !open.is_at_end());
            // A copy of a file that is all read, and was not cut, holds no more than that file.
            if (*whereabouts, copied, goes_on) == (Whereabouts::InPlace, Copied::WithMore, false) {
                continue;
            }
            if is_patient && (goes_on && *whereabouts != Whereabouts::Cut || is_shorter && is_written) {
                return Ok(None);
            }
            best = best.max(Some((copied, saved.read_to(), at)));
        }
        let Some((copied, _, at)) = best.filter(|(copied, _, _)| *copied != Copied::Begun) else {
            return Tail::open(&new.path, self.base_of(&new.name)).map(Some);
        };
        let (origin, whereabouts) = origins[at].clone();
        let goes_on = whereabouts != Whereabouts::Cut && self.tails.iter().any(|tail| tail.key == origin.key);
        let (path, batch) = (&new.path, &mut self.batch);
        let tail = match (copied, new.is_compressed) {
            // Also of a file that was read to its end a record may still be open.
            (Copied::WithMore | Copied::Whole, true) => Tail::open_rest(path, &origin, goes_on, batch)?,
            (_, true) => Tail::open_read(path, origin.base)?,
            (Copied::Less, false) => Tail::open_at_end(path, &origin, batch)?,
            _ if goes_on => Tail::open_copy(path, &origin, batch)?,
            _ => Tail::reopen(path, &origin, batch)?,
        };
        if copied != Copied::Less {
            self.missed.remove(&origin.path);
            self.cut.retain(|cut| *cut != origin);
            self.saved.retain(|_, saved| *saved != origin);
            origins.remove(at);
        }
        Ok(Some(tail))
    }

    /// Returns what was read so far, and where it is.
    fn origins(&self) -> Origins {
        let open = self.tails.iter().map(|tail| {
            let whereabouts = match () {
                () if tail.keeps_name() => Whereabouts::InPlace,
                () if tail.is_removed() => Whereabouts::Gone(tail.changed_at()),
                () => Whereabouts::Renamed,
            };
            (tail.save(), whereabouts)
        });
        let cut = self.cut.iter().map(|saved| (saved.clone(), Whereabouts::Cut));
        let closed = self.saved.values().map(|saved| (saved.clone(), Whereabouts::Gone(0)));
        open.chain(cut).chain(closed).filter(|(saved, _)| saved.held != Held::Nothing).collect()
    }

    /// Returns what was read of files that are not found: they were rotated while Medic was away.
    fn left(&self) -> Origins {
        let mut origins = self.origins();
        origins.retain(|(_, at)| matches!(at, Whereabouts::Cut | Whereabouts::Gone(_)));
        origins
    }

    /// Returns the names whose rotated files are looked for.
    fn families(&self, matching: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let named = self.paths.iter().map(PathBuf::from).filter(|path| !path.is_dir());
        named.chain(matching.iter().cloned()).collect()
    }

    fn is_known(&self, found: &New) -> bool {
        let saved = self.saved.get(&found.key).filter(|saved| saved.is_born_as(found.born));
        saved.is_some_and(|saved| saved.held != Held::Nothing)
            || self.tails.iter().any(|tail| tail.key == found.key)
    }

    /// Remembers under which names nothing is found.
    fn note_absent(&mut self, matching: &BTreeSet<PathBuf>) {
        let is_absent = |path: &Path| !matching.contains(path) && !path.exists();
        let saved = self.saved.values_mut().filter(|saved| !saved.absent);
        saved.for_each(|saved| saved.absent = is_absent(&saved.path));
        let tails = self.tails.iter_mut().filter(|tail| !tail.absent && !tail.present);
        tails.for_each(|tail| tail.absent = is_absent(&tail.path));
    }

    /// Says of which files something may have been missed: another one has their name, and they are not found.
    fn note_missed(&mut self, matching: &BTreeSet<PathBuf>) {
        if self.waits || !std::mem::take(&mut self.is_first_look) {
            return;
        }
        let is_replaced = |saved: &&Saved| {
            fs::metadata(&saved.path).is_ok_and(|found| Key::of(&found) != saved.key)
                && matching.contains(&saved.path)
        };
        let lost = self.saved.values().filter(|saved| saved.may_go_on()).filter(is_replaced);
        self.missed.extend(lost.map(|saved| saved.path.clone()));
        for path in &self.missed {
            let what = path.to_string_lossy().into_owned();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let because = "another file has its name now, and the one that was read before is not found: \
                           what was written to it since may be missing";
            let remedy = format!(
                "let rotated files stay until Medic has read them, and name their folder or `{name}*` in `paths`"
            );
            self.gaps.insert(
                format!("{what} as it was before"),
                Gap { what, because: because.to_owned(), remedy: Some(remedy) },
            );
        }
    }

    /// Returns the number from which a new file counts its records: behind all that had its name before.
    fn base_of(&self, path: &Path) -> u64 {
        let open = self.tails.iter().map(Tail::save);
        let before = self.saved.values().cloned().chain(open).chain(self.cut.iter().cloned());
        before.filter(|saved| saved.stream() == path).map(|saved| saved.after()).max().unwrap_or(0)
    }

    /// Finds files that were renamed while Medic was away, to names that are not asked for: what was written
    /// before they were renamed is still to be read.
    fn find_renamed(&mut self) {
        let matching: BTreeSet<Key> = self
            .matching()
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|found| Key::of(&found))
            .collect();
        let missing: Vec<Saved> =
            self.saved.values().filter(|saved| !matching.contains(&saved.key)).cloned().collect();
        let folders: BTreeSet<&Path> =
            missing.iter().filter_map(|saved| rotation::folder_of(&saved.path)).collect();
        for entry in folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let Some(saved) = missing.iter().find(|saved| saved.key == Key::of(&metadata)) else { continue };
            // An inode is used again for other files: only what was read tells that it is still the same.
            let Ok(new) = New::of(&entry.path(), &entry.path(), &metadata) else { continue };
            let is_same = match saved.held {
                Held::Nothing => saved.born != 0 && saved.born == new.born,
                Held::Whole(_) => false,
                Held::Lines(_) => saved.copied_to(&new).is_ok_and(|copied| copied >= Copied::WithMore),
            };
            if !is_same || !saved.is_born_as(new.born) {
                continue;
            }
            if let Ok(mut tail) = Tail::reopen(&entry.path(), saved, &mut self.batch) {
                tail.present = false;
                tail.path.clone_from(&saved.path);
                self.saved.remove(&tail.key);
                self.tails.push(tail);
            }
        }
    }

    /// Closes files that lost their names and have nothing more to say.
    fn leave(&mut self) {
        let (gone, kept): (Vec<Tail>, Vec<Tail>) = self.tails.drain(..).partition(|tail| {
            let quiet = tail.changed.elapsed();
            !tail.present && (quiet >= LINGER || quiet >= LINGER_REMOVED && tail.is_removed())
        });
        self.tails = kept;
        for tail in gone {
            self.saved.insert(tail.key, tail.save());
            self.waiting.retain(|_, since| since.elapsed() < LINGER);
        }
        while self.saved.len() > REMEMBERED {
            self.saved.pop_first();
        }
    }

    fn matching(&mut self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut unreadable = BTreeSet::new();
        for pattern in &self.paths {
            let expanded = note(&mut self.gaps, pattern.clone(), expand(pattern)).unwrap_or_default();
            found.extend(expanded.files);
            for (path, error) in expanded.unreadable {
                let name = path.to_string_lossy().into_owned();
                note::<()>(&mut self.gaps, name.clone(), Err(error));
                unreadable.insert(name);
            }
        }
        for name in self.unreadable.difference(&unreadable) {
            self.gaps.remove(name);
        }
        self.unreadable = unreadable;
        found
    }
}

/// Keeps what cannot be read as a gap, for as long as it cannot be read.
fn note<T>(gaps: &mut BTreeMap<String, Gap>, what: String, outcome: io::Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => {
            gaps.remove(&what);
            Some(value)
        }
        Err(error) => {
            gaps.insert(what.clone(), asked::gap(what, &error));
            None
        }
    }
}

#[cfg(test)]
mod tests;

//! What is stored of a file, and whether another file is a copy of it.

use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::follow::{self, Mark, Place, TOLD_BY};
use super::siblings;
use super::tail::Tail;

/// Two files that share fewer bytes may do so by chance.
const TELLING: u64 = 32;
/// Room between the numbers of records of two files that had the same name, one after the other.
pub const BETWEEN: u64 = 1 << 20;
const SECOND: i64 = 1_000_000_000;

/// What tells a file from all others while it exists, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    pub device: u64,
    pub inode: u64,
}

impl Key {
    pub fn of(metadata: &Metadata) -> Key {
        Key { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What is stored of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    pub path: PathBuf,
    pub key: Key,
    /// The file that was read: another one, where this is a copy of it.
    pub origin: Key,
    /// Its content's beginning and its birth, hashed: an inode is used again for other files.
    pub fingerprint: u64,
    /// How often the file was cut and begun anew.
    pub generation: u32,
    /// The number of its first record in its stream, less one.
    pub base: u64,
    /// When it came into being; 0 where nobody tells.
    #[serde(default)]
    pub born: i64,
    /// Whether nothing was found under its name at some time: what is there later is no copy of it.
    #[serde(default)]
    pub absent: bool,
    /// Whether it was seen without the name under which it was found.
    #[serde(default)]
    pub unnamed: bool,
    pub held: Held,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Nothing was read yet.
    Nothing,
    Lines(Mark),
    Whole(Whole),
}

/// A file that is read as a whole: an answer of the AWS CLI, or a compressed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    pub size: u64,
    pub modified: i64,
    pub records: u64,
}

/// A file that was not seen before.
#[derive(Clone, Debug)]
pub struct New {
    pub path: PathBuf,
    /// What it was called when it was written, where that is known; else its path.
    pub name: PathBuf,
    pub key: Key,
    pub born: i64,
    pub size: u64,
    pub modified: i64,
    pub is_compressed: bool,
}

/// Where a file is that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// It was cut and begun anew: only a copy can hold what it held.
    Cut,
    /// It still has its name.
    InPlace,
    Renamed,
    /// Nobody can find it any more, since this time; 0 where nobody tells.
    Gone(i64),
}

/// How much of what was read another file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Copied {
    No,
    /// It holds less, which may be chance: it could be another file, or a copy that is being written.
    Begun,
    /// It holds less: what was read was added after the copy was made.
    Less,
    WithMore,
    /// All of it, and nothing else.
    Whole,
}

impl New {
    pub fn of(path: &Path, name: &Path, metadata: &Metadata) -> io::Result<New> {
        Ok(New {
            path: path.to_owned(),
            name: name.to_owned(),
            key: Key::of(metadata),
            born: follow::born(metadata),
            modified: follow::modified(metadata),
            size: metadata.len(),
            is_compressed: Tail::is_compressed(path)?,
        })
    }

    /// Whether it is no copy of what was written at this time: tools that keep the time of what they copy
    /// may keep whole seconds only.
    fn is_older(&self, modified: i64) -> bool {
        let is_rounded = self.modified % SECOND == 0;
        self.modified + if is_rounded { SECOND } else { 0 } < modified
    }

    /// Returns how long ago it was written to.
    pub fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(Duration::from_nanos(self.modified.max(0) as u64))
    }
}

impl Saved {
    /// Returns the name of the stream of its records: the name under which the file was found first.
    pub fn stream(&self) -> &Path {
        match &self.held {
            Held::Lines(mark) => Path::new(&mark.stream),
            Held::Nothing | Held::Whole(_) => &self.path,
        }
    }

    /// Returns the number from which a successor of this file counts its records.
    pub fn after(&self) -> u64 {
        let records = match &self.held {
            Held::Nothing => 0,
            Held::Lines(mark) => mark.count.records,
            Held::Whole(whole) => whole.records,
        };
        self.base + records + BETWEEN
    }

    /// Returns how much of it was read.
    pub fn read_to(&self) -> u64 {
        if let Held::Lines(mark) = &self.held { mark.offset } else { 0 }
    }

    /// Whether more may have been written to it than was read, as far as was seen.
    pub fn may_go_on(&self) -> bool {
        matches!(self.held, Held::Lines(_)) && !self.unnamed && !self.absent
    }

    /// Whether a file that has this birth may be the same.
    pub fn is_born_as(&self, born: i64) -> bool {
        self.born == 0 || born == 0 || self.born == born
    }

    /// Whether a file may hold what this one held, as far as can be told without reading it.
    pub fn may_be_in(&self, new: &New, whereabouts: Whereabouts) -> bool {
        let is_same_path = self.path == new.path;
        let mark = match &self.held {
            Held::Nothing => return false,
            // The same file on a device that has another number now.
            Held::Whole(whole) => {
                let is_alike = whole.size == new.size && whole.modified == new.modified;
                return matches!(whereabouts, Whereabouts::Gone(_)) && is_same_path && is_alike;
            }
            Held::Lines(mark) => mark,
        };
        let is_another = self.absent || self.key.inode == new.key.inode && !self.is_born_as(new.born);
        if mark.before.length == 0 || new.is_older(mark.begun) || is_same_path && is_another {
            return false;
        }
        let is_telling = mark.before.length >= TELLING;
        let is_akin = is_same_path
            || [self.path.as_path(), self.stream()].iter().any(|own| siblings::are_akin(own, &new.path));
        match whereabouts {
            // What is compressed may get any name; then its content has to tell.
            Whereabouts::InPlace if new.is_compressed => is_akin,
            _ if new.is_compressed => is_akin || is_telling && siblings::is_free_below(&self.path, &new.path),
            Whereabouts::Cut | Whereabouts::InPlace => is_akin && !is_same_path,
            Whereabouts::Renamed => false,
            // What takes its place was there before it went.
            Whereabouts::Gone(at) if is_same_path => at == 0 || new.born < at,
            Whereabouts::Gone(_) => is_akin && is_telling,
        }
    }

    /// Tells by what stands in a file how much of what was read it holds.
    pub fn copied_to(&self, new: &New) -> io::Result<Copied> {
        let mark = match &self.held {
            Held::Lines(mark) if mark.before.length > 0 => mark,
            Held::Whole(_) => return Ok(Copied::Whole),
            _ => return Ok(Copied::No),
        };
        let file = File::open(&new.path)?;
        let held = match new.is_compressed {
            true => held_in_stream(&mark.places(), crate::input::decompressed(file)?)?,
            false => held_in_file(&mark.places(), &file)?,
        };
        Ok(match held {
            None => Copied::No,
            Some((reached, has_more)) if reached == mark.offset => {
                if new.is_older(mark.modified) {
                    Copied::No
                } else if has_more {
                    Copied::WithMore
                } else {
                    Copied::Whole
                }
            }
            Some((reached, _)) if reached >= TOLD_BY as u64 => Copied::Less,
            Some(_) => Copied::Begun,
        })
    }
}

/// Returns up to which place the content is the same, and whether there is more; `None` where it is another.
fn held_in_file(places: &[Place], file: &File) -> io::Result<Option<(u64, bool)>> {
    let size = file.metadata()?.len();
    let mut reached = 0;
    for place in places.iter().filter(|place| place.offset <= size) {
        if place.bytes_in(file)?.is_none() {
            return Ok(None);
        }
        reached = place.offset;
    }
    Ok(Some((reached, size > reached)))
}

fn held_in_stream(places: &[Place], mut input: impl Read) -> io::Result<Option<(u64, bool)>> {
    let (mut at, mut reached, mut last) = (0, 0, Vec::new());
    for place in places {
        let kept = (place.offset - at).min(TOLD_BY as u64);
        let skipped = place.offset - at - kept;
        let passed = io::copy(&mut input.by_ref().take(skipped), &mut io::sink())?;
        let got = input.by_ref().take(kept).read_to_end(&mut last)? as u64;
        if passed < skipped || got < kept {
            return Ok(Some((reached, true)));
        }
        last.drain(..last.len().saturating_sub(TOLD_BY));
        at = place.offset;
        let from = last.len().saturating_sub(place.before.length as usize);
        if !place.before.are(&last[from..]) {
            return Ok(None);
        }
        reached = place.offset;
    }
    let has_more = io::copy(&mut input.take(1), &mut io::sink())? > 0;
    Ok(Some((reached, has_more)))
}

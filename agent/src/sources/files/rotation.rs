//! Finds files that were rotated before they were seen under the name that is asked for.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::saved::{Copied, New, Saved, Whereabouts};
use super::{Origins, follow, siblings};

/// When the newest file of a name and its rotated ones was written to, at the last look and at the one before.
/// A file that was listed while it was renamed may be missed at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    before: i64,
    last: i64,
}

pub struct Rotation {
    pub horizons: BTreeMap<PathBuf, Horizon>,
    /// When the newest file of each name was written to, at this look.
    newest: BTreeMap<PathBuf, i64>,
}

impl Rotation {
    pub fn new(horizons: BTreeMap<PathBuf, Horizon>) -> Rotation {
        Rotation { horizons, newest: BTreeMap::new() }
    }

    /// Returns the rotated files of these names that were written to since the last look. Those that are older
    /// than the first look were there before Medic was. Of files that were left, the rotated ones are returned
    /// whenever they were written to: the look before may have seen more than was read.
    pub fn look(
        &mut self,
        names: &BTreeSet<PathBuf>,
        matching: &BTreeSet<PathBuf>,
        left: &Origins,
    ) -> Vec<New> {
        let modified = |name: &PathBuf| fs::metadata(name).map_or(0, |found| follow::modified(&found));
        self.newest = names.iter().map(|name| (name.clone(), modified(name))).collect();
        let folders: BTreeSet<&Path> = names.iter().filter_map(|name| folder_of(name)).collect();
        let mut found = Vec::new();
        for folder in folders {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                found.extend(self.sibling(&entry, matching, left));
            }
        }
        found
    }

    fn sibling(&mut self, entry: &fs::DirEntry, matching: &BTreeSet<PathBuf>, left: &Origins) -> Option<New> {
        let path = entry.path();
        let path = path.strip_prefix("./").map_or(path.clone(), Path::to_owned);
        if matching.contains(&path) {
            return None;
        }
        let before = siblings::named_before(&entry.file_name().to_string_lossy());
        let name = before
            .iter()
            .map(|name| path.with_file_name(name))
            .find(|name| self.newest.contains_key(name))?;
        let metadata = entry.metadata().ok().filter(|found| found.is_file() && found.len() > 0)?;
        let modified = follow::modified(&metadata);
        self.newest.entry(name.clone()).and_modify(|newest| *newest = modified.max(*newest));
        let is_newer = self.horizons.get(&name).is_some_and(|horizon| modified > horizon.before);
        if !is_newer && left.is_empty() {
            return None;
        }
        let new = New::of(&path, &name, &metadata).ok()?;
        let is_left = || left.iter().any(|(saved, whereabouts)| is_rest_of(&new, saved, *whereabouts));
        (is_newer || is_left()).then_some(new)
    }

    /// Takes this look as the last one, but for names of which a file was not opened yet.
    pub fn advance(&mut self, but: &BTreeSet<PathBuf>) {
        for (name, newest) in std::mem::take(&mut self.newest) {
            if but.contains(&name) {
                continue;
            }
            let horizon = self.horizons.entry(name).or_insert(Horizon { before: newest, last: newest });
            *horizon = Horizon { before: horizon.last, last: newest.max(horizon.last) };
        }
    }
}

/// Whether a rotated file is the one that was left under its former name, as its content tells.
fn is_rest_of(new: &New, saved: &Saved, whereabouts: Whereabouts) -> bool {
    let has_name = saved.path == new.name || saved.stream() == new.name.as_path();
    let is_possible = has_name && saved.may_be_in(new, whereabouts);
    is_possible && saved.copied_to(new).is_ok_and(|copied| copied >= Copied::WithMore)
}

/// Returns the folder that a file is in.
pub fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

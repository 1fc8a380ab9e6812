//! A glance at a state directory, without opening its index.

use jiff::Timestamp;
use std::path::Path;

use super::parts;

/// Returns when the newest part was last committed to; `None` where nothing was committed yet.
pub fn last_commit(state: &Path) -> Option<Timestamp> {
    let newest = parts::list(state).ok()?.pop()?;
    // A commit replaces this file.
    let written = parts::path(state, newest).join("meta.json").metadata().ok()?.modified().ok()?;
    Timestamp::try_from(written).ok()
}

/// Returns how many bytes of the disk are free.
pub fn free_space(state: &Path) -> Option<u64> {
    fs4::available_space(state).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Retention;
    use crate::index::Writer;

    #[test]
    fn a_commit_is_seen_from_outside() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(last_commit(state.path()), None);
        let mut writer = Writer::open(state.path(), &Retention::default()).unwrap();
        let created = last_commit(state.path()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        writer.commit(Timestamp::now(), |_| {}).unwrap();
        assert!(last_commit(state.path()).unwrap() > created);
    }
}

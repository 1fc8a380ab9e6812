//! The names that rotation gives: `a.log.1`, `a.log-20261128.gz`, `a.1.log`.

use std::path::Path;

/// What rotation may call a file that is not numbered.
const FORMER: [&str; 5] = ["old", "prev", "previous", "bak", "last"];

/// Returns the names that a rotated file may have had when it was written.
pub fn named_before(name: &str) -> Vec<String> {
    let plain = uncompressed(name);
    let mut found = Vec::new();
    for (at, _) in plain.match_indices(['.', '-', '_']).filter(|(at, _)| *at > 0) {
        let (begins, rest) = plain.split_at(at);
        if is_tag(rest) {
            found.push(begins.to_owned());
        }
        if let Some((tag, extension)) = rest.rsplit_once('.')
            && is_tag(tag)
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            found.push(format!("{begins}.{extension}"));
        }
    }
    found
}

/// Whether a file may be called so when it is a copy of the other one: its name has something added.
pub fn are_akin(own: &Path, copy: &Path) -> bool {
    let (Some(own), Some(copy)) = (own.file_name(), copy.file_name()) else { return false };
    let (own, copy) = (own.to_string_lossy(), copy.to_string_lossy());
    let copy = uncompressed(&copy);
    let same = own.bytes().zip(copy.bytes()).take_while(|(one, other)| one == other).count();
    if copy.len() < own.len() || !copy.as_bytes().ends_with(&own.as_bytes()[same..]) {
        return false;
    }
    let added = &copy.as_bytes()[same..copy.len() - (own.len() - same)];
    let is_mark = |byte: Option<&u8>| matches!(byte, Some(b'.' | b'-' | b'_'));
    added.is_empty() || is_mark(added.first()) || is_mark(added.last())
}

fn uncompressed(name: &str) -> &str {
    let ends = [".gz", ".zst", ".zstd"];
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// Whether this is what rotation adds: a number or a time behind a mark, or a word for what was before.
fn is_tag(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['.', '-', '_']) else { return false };
    let is_time = rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | ':' | 'T' | 'Z'));
    is_time || FORMER.contains(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_tell_what_they_were_called() {
        let check = |name: &str, wanted: &str| {
            assert!(
                named_before(name).iter().any(|before| before == wanted),
                "{name}: {:?}",
                named_before(name)
            );
        };
        check("a.log.1", "a.log");
        check("a.log.12.gz", "a.log");
        check("a.log-20261128", "a.log");
        check("a.log.2026-11-28T10:00:00.zst", "a.log");
        check("app.1.log", "app.log");
        check("app-2026-11-28-1.log.gz", "app.log");
        check("a.log.old", "a.log");
        for other in ["a.log", "a.log.lock", "web-app.log", "a.log.gz", ".1"] {
            assert_eq!(named_before(other), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn copies_have_longer_names() {
        let akin = |own: &str, copy: &str| are_akin(Path::new(own), Path::new(copy));
        assert!(akin("/l/app.log", "/l/app.1.log") && akin("/l/app.log", "/l/old/app.log-2026.gz"));
        assert!(akin("/l/app.log", "/l/app.log.bak") && akin("/l/app.log", "/l/app.log.gz"));
        assert!(!akin("/l/web-1.log", "/l/web-2.log") && !akin("/l/app.log", "/l/app2.log"));
        assert!(!akin("/l/app.log", "/l/app.txt"));
    }
}

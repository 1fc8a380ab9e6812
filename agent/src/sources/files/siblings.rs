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
        if is_tag(rest) && (begins.contains('.') || !is_of_instance(rest)) {
            found.push(begins.to_owned());
        }
        if let Some((tag, extension)) = rest.rsplit_once('.')
            && is_tag(tag)
            && !is_of_instance(tag)
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            found.push(format!("{begins}.{extension}"));
        }
    }
    found
}

/// Whether a file may be called so when it is a copy of the other one: it has a name that rotation gives, in the
/// same folder, or in one below it where such files are put aside.
pub fn are_akin(own: &Path, copy: &Path) -> bool {
    let (Some(own_name), Some(copy_name)) = (own.file_name(), copy.file_name()) else { return false };
    let (own_name, copy_name) = (own_name.to_string_lossy(), copy_name.to_string_lossy());
    let is_own = |name: &String| name.as_str() == own_name;
    let before = named_before(&copy_name);
    // What was rotated may be put aside once more: `a.log.2.bak`.
    let is_rotated = before.iter().any(|name| is_own(name) || named_before(name).iter().any(is_own));
    if folder_of(own) == folder_of(copy) {
        let plain = uncompressed(&copy_name);
        return is_rotated || plain == own_name && plain.len() < copy_name.len();
    }
    is_rotated && is_free_below(own, copy)
}

/// Whether a file lies in the folder of another one or below it, and no file that is there has a claim to it but
/// the one that had the name of the other one's: `a.log` claims `a.log.2.gz`, which may have been `a.log.1`.
pub fn is_free_below(own: &Path, copy: &Path) -> bool {
    let Some(name) = copy.file_name().map(|name| name.to_string_lossy()) else { return false };
    let plain = uncompressed(&name);
    let mut before = named_before(&name);
    if plain.len() < name.len() {
        before.push(plain.to_owned());
    }
    if folder_of(copy) == folder_of(own) {
        let own_name = own.file_name().unwrap_or_default().to_string_lossy();
        let own_before = named_before(&own_name);
        before.retain(|name| name.as_str() != own_name && !own_before.contains(name));
    }
    folder_of(copy).starts_with(folder_of(own))
        && !before.iter().any(|name| copy.with_file_name(name).exists())
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    folder.strip_prefix(".").unwrap_or(folder)
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

/// Whether this may as well number programs that run side by side: `web-1.log` is no former `web.log`.
fn is_of_instance(tag: &str) -> bool {
    let digits = tag.bytes().filter(u8::is_ascii_digit).count();
    !tag.starts_with('.') && (1..6).contains(&digits)
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
        check("a.log-1", "a.log");
        check("a-old.log", "a.log");
        for other in ["a.log", "a.log.lock", "web-app.log", "web-1.log", "worker_12", "a.log.gz", ".1"] {
            assert_eq!(named_before(other), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn copies_have_rotated_names() {
        let akin = |own: &str, copy: &str| are_akin(Path::new(own), Path::new(copy));
        assert!(akin("/l/app.log", "/l/app.1.log") && akin("/l/app.log", "/l/old/app.log-2026.gz"));
        assert!(akin("/l/app.log", "/l/app.log.bak") && akin("/l/app.log", "/l/app.log.gz"));
        assert!(!akin("/l/web-1.log", "/l/web-2.log") && !akin("/l/app.log", "/l/app2.log"));
        assert!(!akin("/l/app.log", "/l/app.txt"));
        assert!(akin("/l/app.log", "/l/app-2026-11-30.log") && akin("/l/app.log", "/l/app.log-20261130"));
        assert!(akin("/l/app.log", "/l/app.log.1.gz") && akin("/l/app.log", "/l/app.log.2.bak"));
        assert!(akin("app.log", "./app.log.1") && !akin("/l/app.log", "/l/app.log"));
        assert!(!akin("/l/web.log", "/l/web-1.log") && !akin("/l/web.log", "/l/web.log.wf"));
    }

    #[test]
    fn a_file_in_another_folder_is_another() {
        let akin = |own: &str, copy: &str| are_akin(Path::new(own), Path::new(copy));
        assert!(!akin("/t1/app.log", "/t2/app.log") && !akin("/t1/app.log", "/t2/app.log.1"));
        assert!(!akin("/t/app.log", "/t/old/app.log") && !akin("/t/app.log", "/t/old/app.log.gz"));
        let folder = tempfile::tempdir().unwrap();
        let (own, below) = (folder.path().join("app.log"), folder.path().join("web"));
        assert!(are_akin(&own, &below.join("app.log.1")));
        std::fs::create_dir(&below).unwrap();
        std::fs::write(below.join("app.log"), "it has a log of its own\n").unwrap();
        assert!(!are_akin(&own, &below.join("app.log.1")));
    }

    #[test]
    fn a_rotated_file_belongs_to_the_one_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let is_free =
            |own: &str, copy: &str| is_free_below(&folder.path().join(own), &folder.path().join(copy));
        assert!(is_free("web.log", "app.log.2.gz"));
        std::fs::write(folder.path().join("app.log"), "one\n").unwrap();
        assert!(!is_free("web.log", "app.log.2.gz") && !is_free("web.log", "app.log.gz"));
        assert!(is_free("app.log.1", "app.log.2.gz") && is_free("app.log", "app.log.2.gz"));
        assert!(is_free("web.log", "old/app.log.2.gz") && !is_free("old/web.log", "db.log.gz"));
    }
}

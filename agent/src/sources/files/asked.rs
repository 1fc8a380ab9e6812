//! What a path, a folder or a glob means, and why it cannot be read.

use analyzer::diagnosis::Gap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files that are meant, and what cannot be looked into.
#[derive(Debug, Default)]
pub struct Expanded {
    pub files: Vec<PathBuf>,
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// How names are compared: hidden files are meant only where they are named.
const OPTIONS: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What stands between two slashes of a pattern.
struct Part {
    name: glob::Pattern,
    /// Whether more than one name may match.
    is_open: bool,
    /// Whether it is looked for in all folders below, too.
    is_deep: bool,
}

/// Returns the files that a path, a folder or a glob means.
pub fn expand(pattern: &str) -> io::Result<Expanded> {
    let path = Path::new(pattern);
    let (folder, parts, fixed) = match fs::metadata(path) {
        Ok(found) if found.is_file() => {
            return Ok(Expanded { files: vec![path.to_owned()], ..Expanded::default() });
        }
        Ok(found) if found.is_dir() => {
            // Whoever may not list a folder is told so, and not that there is nothing in it.
            fs::read_dir(path)?;
            let folder: PathBuf = path.strip_prefix(".").unwrap_or(path).components().collect();
            (folder, parts_of("**/*")?, path)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        _ => {
            let root = if pattern.starts_with('/') { "/" } else { "" };
            (PathBuf::from(root), parts_of(pattern.trim_start_matches('/'))?, fixed_part(pattern))
        }
    };
    let mut expanded = Expanded::default();
    walk(&folder, &parts, &mut expanded);
    if !expanded.files.is_empty() || !expanded.unreadable.is_empty() {
        return Ok(expanded);
    }
    match fs::read_dir(fixed) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file yet")),
    }
}

fn parts_of(pattern: &str) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut is_deep = false;
    for text in pattern.split('/').filter(|text| *text != ".") {
        if text == "**" {
            is_deep = true;
            continue;
        }
        let name = glob::Pattern::new(text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        parts.push(Part { name, is_open: text.contains(['*', '?', '[']), is_deep });
        is_deep = false;
    }
    Ok(parts)
}

/// Collects the files that the parts of a pattern mean in a folder. Into all folders below it leads no link:
/// a link that leads up has no end.
fn walk(folder: &Path, parts: &[Part], expanded: &mut Expanded) {
    let Some((part, rest)) = parts.split_first() else { return take(folder, expanded) };
    if !part.is_open && !part.is_deep {
        return walk(&folder.join(part.name.as_str()), rest, expanded);
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match fs::read_dir(listed) {
        Ok(entries) => entries,
        Err(error) => return note_denied(folder, error, expanded),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        let is_met = part.name.matches_with(&shown, OPTIONS);
        let is_entered =
            part.is_deep && !shown.starts_with('.') && entry.file_type().is_ok_and(|found| found.is_dir());
        let below = folder.join(&name);
        if name.to_str().is_none() {
            // A file is remembered by its name, which has to be text.
            if is_entered || is_met && below.is_dir() != rest.is_empty() {
                let error = io::Error::new(io::ErrorKind::Unsupported, "its name is not UTF-8");
                expanded.unreadable.push((below, error));
            }
            continue;
        }
        if is_met {
            walk(&below, rest, expanded);
        }
        if is_entered {
            walk(&below, parts, expanded);
        }
    }
}

fn take(path: &Path, expanded: &mut Expanded) {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => expanded.files.push(path.to_owned()),
        Err(error) => note_denied(path, error, expanded),
        Ok(_) => {}
    }
}

/// Notes what may not be looked into; all else is a folder that is none, or went between two looks.
fn note_denied(path: &Path, error: io::Error, expanded: &mut Expanded) {
    if error.kind() == io::ErrorKind::PermissionDenied {
        expanded.unreadable.push((path.to_owned(), error));
    }
}

/// Says what cannot be read, and what to do.
pub fn gap(what: String, error: &io::Error) -> Gap {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "run Medic as a user that may read it, or let that user read it",
        io::ErrorKind::InvalidInput => "correct the pattern in `paths`",
        io::ErrorKind::Unsupported => "give it another name",
        _ => "check that the file is whole",
    };
    Gap { what, because: format!("cannot read it: {error}"), remedy: Some(remedy.to_owned()) }
}

/// Returns the folder in which a pattern begins to leave something open.
fn fixed_part(pattern: &str) -> &Path {
    let fixed = pattern.split(['*', '?', '[']).next().unwrap_or_default();
    let folder = fixed.rsplit_once('/').map_or(".", |(folder, _)| folder);
    Path::new(if folder.is_empty() { "/" } else { folder })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A folder or a pattern below a folder means these files.
    #[track_caller]
    fn check_means(folder: &Path, pattern: &str, wanted: &[&str]) {
        let mut expanded = expand(&folder.join(pattern).to_string_lossy()).unwrap();
        expanded.files.sort();
        let wanted: Vec<PathBuf> = wanted.iter().map(|name| folder.join(name)).collect();
        assert_eq!(expanded.files, wanted, "{pattern}");
    }

    #[test]
    fn a_name_that_is_no_text_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (odd, odd_folder) = (OsStr::from_bytes(b"caf\xe9.log"), OsStr::from_bytes(b"caf\xe9"));
        fs::write(folder.path().join("ok.log"), "a\n").unwrap();
        // Not every platform has such names.
        if fs::write(folder.path().join(odd), "b\n").is_err() {
            return;
        }
        fs::create_dir(folder.path().join(odd_folder)).unwrap();
        for (pattern, wanted) in
            [("", vec![odd_folder, odd]), ("*.log", vec![odd]), ("*/*.log", vec![odd_folder])]
        {
            let pattern = folder.path().join(pattern).to_string_lossy().into_owned();
            let mut expanded = expand(&pattern).unwrap();
            expanded.unreadable.sort_by(|(one, _), (other, _)| one.cmp(other));
            let told: Vec<&OsStr> =
                expanded.unreadable.iter().filter_map(|(path, _)| path.file_name()).collect();
            assert_eq!(told, wanted, "{pattern}");
            assert_eq!(expanded.files.len(), usize::from(!pattern.ends_with("*/*.log")), "{pattern}");
        }
    }

    #[test]
    fn links_to_files_are_followed_and_links_to_folders_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir_all(logs.join("inner/.hidden")).unwrap();
        for name in ["a.log", ".b.log", "inner/c.log", "inner/.hidden/d.log"] {
            fs::write(logs.join(name), "one\n").unwrap();
        }
        symlink(".", logs.join("up-1")).unwrap();
        symlink("..", logs.join("inner/up-2")).unwrap();
        symlink("a.log", logs.join("link.log")).unwrap();
        symlink("nowhere", logs.join("broken.log")).unwrap();
        symlink("logs", folder.path().join("given")).unwrap();
        let all = ["logs/a.log", "logs/inner/c.log", "logs/link.log"];
        check_means(folder.path(), "logs", &all);
        check_means(folder.path(), "logs/**/*.log", &all);
        check_means(folder.path(), "**/c.log", &["logs/inner/c.log"]);
        check_means(folder.path(), "logs/*.log", &["logs/a.log", "logs/link.log"]);
        check_means(folder.path(), "given", &["given/a.log", "given/inner/c.log", "given/link.log"]);
        check_means(folder.path(), "log[s]/.b.log", &["logs/.b.log"]);
    }

    #[track_caller]
    fn check_fails(pattern: &Path, kind: io::ErrorKind) {
        let error = expand(&pattern.to_string_lossy()).unwrap_err();
        assert_eq!(error.kind(), kind, "{}: {error}", pattern.display());
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        for pattern in ["a.log", "*.log", "none/*.log", "", "?/a"] {
            check_fails(&folder.path().join(pattern), io::ErrorKind::NotFound);
        }
        check_fails(&folder.path().join("***"), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn what_may_not_be_read_is_denied() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        fs::create_dir_all(closed.join("inner")).unwrap();
        fs::write(closed.join("a.log"), "one\n").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        // Whoever may do everything is denied nothing.
        if fs::read_dir(&closed).is_err() {
            for pattern in ["closed", "closed/a.log", "closed/inner/*.log"] {
                check_fails(&folder.path().join(pattern), io::ErrorKind::PermissionDenied);
            }
            let outer = expand(&folder.path().to_string_lossy()).unwrap();
            assert_eq!(outer.unreadable[0].0, closed);
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn the_fixed_part_of_a_pattern_is_a_folder() {
        for (pattern, wanted) in [("/a/b/*.log", "/a/b"), ("/*.log", "/"), ("*.log", "."), ("a/b.log", "a")] {
            assert_eq!(fixed_part(pattern), Path::new(wanted));
        }
    }
}

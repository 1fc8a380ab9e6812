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

/// Returns the files that a path, a folder or a glob means.
pub fn expand(pattern: &str) -> io::Result<Expanded> {
    let path = Path::new(pattern);
    let below = format!("{}/**/*", glob::Pattern::escape(pattern.trim_end_matches('/')));
    let pattern = match fs::metadata(path) {
        Ok(found) if found.is_file() => {
            return Ok(Expanded { files: vec![path.to_owned()], ..Expanded::default() });
        }
        Ok(found) if found.is_dir() => {
            // Whoever may not list a folder is told so, and not that there is nothing in it.
            fs::read_dir(path)?;
            &below
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        _ => pattern,
    };
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
    let mut expanded = Expanded::default();
    for found in paths {
        let (path, outcome) = match found {
            Ok(path) => (path.clone(), fs::metadata(&path)),
            Err(error) => (error.path().to_owned(), Err(error.into())),
        };
        match outcome {
            Ok(metadata) if metadata.is_file() => expanded.files.push(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                expanded.unreadable.push((path, error));
            }
            // A folder, or it went between two looks.
            _ => {}
        }
    }
    if !expanded.files.is_empty() || !expanded.unreadable.is_empty() {
        return Ok(expanded);
    }
    match fs::read_dir(fixed_part(pattern)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file yet")),
    }
}

/// Says what cannot be read, and what to do.
pub fn gap(what: String, error: &io::Error) -> Gap {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "run Medic as a user that may read it, or let that user read it",
        io::ErrorKind::InvalidInput => "correct the pattern in `paths`",
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
    use std::os::unix::fs::PermissionsExt;

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

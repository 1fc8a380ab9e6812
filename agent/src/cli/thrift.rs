//! What a program that runs for weeks may take of the system: little memory, and many open files.

/// Lets the program open as many files at once as the system allows it: a folder may hold thousands that are followed.
#[cfg(unix)]
pub fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the number of open files stays limited");
    }
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub fn open_many_files() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use glibc::give_back_memory;

/// Other allocators give back what they can.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back_memory() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::env;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use tracing::debug;

    /// From this size on, memory that is freed goes back to the system.
    const LARGE: &str = "131072";
    const SETTINGS: [&str; 2] = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];

    /// Makes the C library give back freed memory. Left to itself it learns from the first large block that is freed,
    /// which is the table of the index's writer, to keep up to twice as much. It reads its settings from the environment
    /// and only at the start of a program, so the program starts once more: the process stays the same.
    pub fn give_back_memory() {
        if SETTINGS.iter().any(|setting| env::var_os(setting).is_some()) {
            return;
        }
        let Ok(program) = env::current_exe() else { return };
        let mut again = Command::new(program);
        let mut arguments = env::args_os();
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        again.args(arguments).envs(SETTINGS.map(|setting| (setting, LARGE)));
        let error = again.exec();
        debug!(%error, "the program goes on as it is, and takes more memory");
    }
}

//! Writing fails: what was stored stays, and collecting goes on once it can be written again.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{count, medic, text};

const LINES: u64 = 4_000;

/// A small file system in memory; only what is run inside sees it, and it goes with the process that holds it.
struct SmallDisk {
    holder: Child,
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one in a namespace of its own; `None` where this machine does not let us.
    fn mount(folder: &Path) -> Option<SmallDisk> {
        let path = folder.join("disk");
        std::fs::create_dir(&path).expect("a folder");
        let script = "mount -t tmpfs -o size=12m tmpfs \"$0\" && echo mounted && exec sleep 300";
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = String::new();
        let mut out = BufReader::new(holder.stdout.take()?);
        let _ = out.read_line(&mut said);
        let disk = SmallDisk { holder, path };
        (said.trim() == "mounted").then_some(disk)
    }

    /// Returns the command as it is run where the file system is seen.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args([
            "--user",
            "--mount",
            "--preserve-credentials",
            "--target",
            &self.holder.id().to_string(),
            "--",
        ]);
        inside.arg(command.get_program()).args(command.get_args());
        inside.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.stdout(Stdio::null()).stderr(Stdio::null());
        inside
    }

    /// Takes all space that is left.
    fn fill(&self) {
        let ballast = self.path.join("ballast");
        let mut fill = Command::new("dd");
        fill.args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", ballast.display()));
        let _ = self.inside(&fill).status().expect("dd runs");
    }

    fn empty(&self) {
        let mut remove = Command::new("rm");
        remove.arg(self.path.join("ballast"));
        assert!(self.inside(&remove).status().expect("rm runs").success());
    }

    fn count(&self, state: &Path, query: &str) -> u64 {
        let mut search = medic();
        search.args(["search", query, "--count", "--state"]).arg(state);
        let output = self.inside(&search).stdout(Stdio::piped()).output().expect("medic runs");
        // The agent may not have stored anything yet.
        text(&output).trim().parse().unwrap_or(0)
    }

    #[track_caller]
    fn wait_for(&self, state: &Path, wanted: u64) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if self.count(state, "") == wanted {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{} records are stored, not {wanted}", self.count(state, ""));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Feature: deployment-infrastructure-reliability, Property 23: a full disk loses nothing that was stored
#[test]
fn a_full_disk_stops_collecting_until_there_is_space() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        let because = "a small file system cannot be mounted here: it needs `unshare --user --mount`";
        assert!(std::env::var_os("CI").is_none(), "{because}");
        // Not by a macro: what those print of a test that passes is hidden.
        let _ = writeln!(std::io::stderr(), "NOT TESTED: what a full disk does, {because}");
        return;
    };
    let state = disk.path.join("state");
    let log = folder.path().join("web.container-log.log");
    append(&log, 0);
    let mut agent = disk.inside(&collect(&log, &state, &[])).spawn().expect("medic starts");
    disk.wait_for(&state, LINES);
    disk.fill();
    append(&log, LINES);
    // What is stored can be searched while nothing more can be stored.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(disk.count(&state, ""), LINES);
    assert!(agent.try_wait().expect("asked").is_none(), "the agent goes on trying");
    disk.empty();
    disk.wait_for(&state, 2 * LINES);

    // It is killed while the disk is full, and does not get anywhere when it is started.
    disk.fill();
    append(&log, 2 * LINES);
    std::thread::sleep(Duration::from_secs(2));
    agent.kill().expect("killed");
    agent.wait().expect("it ended");
    let once = collect(&log, &state, &["--once"]);
    let ended = disk.inside(&once).status().expect("medic runs");
    assert_eq!(ended.code(), Some(2), "it says that it failed");
    disk.empty();
    assert!(disk.inside(&once).status().expect("medic runs").success());
    assert_all(3 * LINES, |query| disk.count(&state, query));
}

/// The limit of the size of a file is everywhere; a write beyond it fails as one on a full disk does.
#[test]
fn writes_that_fail_leave_what_was_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, state) = (folder.path().join("web.container-log.log"), folder.path().join("state"));
    append(&log, 0);
    assert!(collect(&log, &state, &["--once"]).status().expect("medic runs").success());
    append(&log, LINES);
    for blocks in ["4", "32", "128"] {
        let medic = collect(&log, &state, &["--once"]);
        // A process that ignores the signal is told of the failure by the call.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut limited = Command::new("sh");
        limited.args(["-c", &script]).arg(medic.get_program()).args(medic.get_args());
        limited.env_clear().envs(medic.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ended = limited.stderr(Stdio::null()).status().expect("sh runs");
        assert_eq!(ended.code(), Some(2), "with files of at most {blocks} blocks");
        assert_eq!(count(&state, ""), LINES);
    }
    assert!(collect(&log, &state, &["--once"]).status().expect("medic runs").success());
    assert_all(2 * LINES, |query| count(&state, query));
}

#[track_caller]
fn assert_all(lines: u64, count: impl Fn(&str) -> u64) {
    assert_eq!(count(""), lines);
    for number in [0, 1, LINES - 1, LINES, lines - 1] {
        assert_eq!(count(&format!("\"number{number}\"")), 1, "line {number}");
    }
}

/// Appends lines that do not compress well.
fn append(log: &Path, from: u64) {
    let mut lines = String::new();
    for number in from..from + LINES {
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let more = noise.rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let _ =
            writeln!(lines, "2026-05-01T10:00:00Z ERROR request {noise:x} {more:x} failed number{number}");
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("the log opens");
    file.write_all(lines.as_bytes()).expect("written");
}

fn collect(log: &Path, state: &Path, more: &[&str]) -> Command {
    let config = log.with_extension("toml");
    let keys = format!(
        "[retention]\nfree = \"64KB\"\n[[source]]\nkind = \"files\"\npaths = [\"{}\"]\n",
        log.display()
    );
    std::fs::write(&config, keys).expect("written");
    let mut command = medic();
    command.args(["collect", "--config"]).arg(config).arg("--state").arg(state).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

//! From the start of the process to the answer on 200 lines, and what loading the pages takes of it.
//!
//! `cargo build --release -p medic && cargo bench -p tests --bench startup`; the binary is the one beside this
//! bench, or the one that `MEDIC_BIN` names.

use criterion::{Criterion, criterion_group, criterion_main};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::generator;

const LINES: usize = 200;

fn startup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("startup");
    group.sample_size(20).measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_millis(500));
    group.bench_function("load the pages", |bench| {
        bench.iter(|| patterns::load().expect("the built-in patterns load"));
    });
    let mut input = tempfile::NamedTempFile::new().expect("a file can be made");
    let log = generator::log(7, 64 << 10);
    for line in log.split_inclusive(|byte| *byte == b'\n').take(LINES) {
        input.write_all(line).expect("the file can be written");
    }
    match binary().filter(|binary| binary.exists()) {
        Some(binary) => {
            group.bench_function("answer on 200 lines", |bench| {
                bench.iter(|| {
                    let mut command = Command::new(&binary);
                    command.arg("diagnose").arg(input.path()).stdout(Stdio::null());
                    command.status().expect("medic starts")
                });
            });
        }
        None => println!(
            "there is no medic beside this bench: `cargo build --release -p medic`, or set MEDIC_BIN"
        ),
    }
    group.finish();
}

fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("MEDIC_BIN").map(PathBuf::from);
    named.or_else(|| Some(std::env::current_exe().ok()?.parent()?.parent()?.join("medic")))
}

criterion_group!(benches, startup);
criterion_main!(benches);

//! The binary `medic`.

use std::process::ExitCode;

/// The system's allocator keeps what one thread has freed from all others, which doubles what an idle agent holds.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    medic::cli::run()
}

//! The binary `medic`.

use std::process::ExitCode;

fn main() -> ExitCode {
    medic::cli::run()
}

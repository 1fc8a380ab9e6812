//! The command line, a command a file.

mod demo;
mod diagnose;
mod explain;
mod knowledge;
mod patterns;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Nothing failed.
pub const HEALTHY: u8 = 0;
/// A failure was found.
pub const FAILURE: u8 = 1;
/// Medic itself failed.
pub const MEDIC_FAILED: u8 = 2;
/// The records do not tell.
pub const CANNOT_TELL: u8 = 3;

/// Tells why an ECS deployment failed, proves it, and says what to do.
#[derive(Debug, Parser)]
#[command(name = "medic", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 healthy, 1 failure found, 2 Medic failed, 3 cannot tell.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diagnose(diagnose::Diagnose),
    Explain(explain::Explain),
    Patterns(patterns::PatternsCommand),
    Demo(demo::Demo),
}

/// Runs the command that the arguments ask for.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { MEDIC_FAILED } else { HEALTHY };
            // Nothing is left to do when even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = match arguments.command {
        Command::Diagnose(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Patterns(command) => command.run(),
        Command::Demo(command) => command.run(),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(HEALTHY),
        Err(error) => {
            anstream::eprintln!("medic: {error:#}");
            ExitCode::from(MEDIC_FAILED)
        }
    }
}

/// A reader such as `head` that has seen enough is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.into_iter().any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

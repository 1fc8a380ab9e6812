//! The command line, a command a file.

mod bundle;
mod check;
mod collect;
mod demo;
mod deployments;
mod diagnose;
mod explain;
mod health;
mod histogram;
mod iam_policy;
mod knowledge;
mod patterns;
mod search;
mod signals;
mod state;
mod thrift;
mod time;
mod watch;
mod watched;

use clap::builder::{OsStr, Resettable};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::telemetry;

/// Nothing failed.
pub const HEALTHY: u8 = 0;
/// A failure was found.
pub const FAILURE: u8 = 1;
/// Medic itself failed.
pub const MEDIC_FAILED: u8 = 2;
/// The records do not tell.
pub const CANNOT_TELL: u8 = 3;

/// Which of Medic's own messages are usually told.
const MESSAGES: &str = "medic=info,warn";

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
    Collect(collect::Collect),
    Check(check::Check),
    Health(health::HealthCommand),
    IamPolicy(iam_policy::IamPolicy),
    Watch(watch::Watch),
    Search(search::Search),
    Deployments(deployments::Deployments),
    Bundle(bundle::BundleCommand),
    Explain(explain::Explain),
    Patterns(patterns::PatternsCommand),
    Demo(demo::Demo),
}

/// Runs the command that the arguments ask for.
pub fn run() -> ExitCode {
    let arguments = match parse(without_empty_variables(Arguments::command()), std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_health = std::env::args().nth(1).is_some_and(|command| command == "health");
            let code = match error.use_stderr() {
                // Health checks of containers know 0 and 1, also where the command is wrong.
                true if is_health => FAILURE,
                true => MEDIC_FAILED,
                false => HEALTHY,
            };
            // Nothing is left to do when even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // What records begins to tell of itself once it knows from its configuration how.
    match arguments.command {
        Command::Collect(_) | Command::Watch(_) => {}
        // It tells itself what went wrong, and what closes the gap.
        Command::Check(_) => telemetry::log("error"),
        _ => telemetry::log(MESSAGES),
    }
    let outcome = match arguments.command {
        Command::Diagnose(command) => command.run(),
        Command::Collect(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Health(command) => command.run(),
        Command::IamPolicy(command) => command.run(),
        Command::Watch(command) => command.run(),
        Command::Search(command) => command.run(),
        Command::Deployments(command) => command.run(),
        Command::Bundle(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Patterns(command) => command.run(),
        Command::Demo(command) => command.run(),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(HEALTHY),
        Err(error) => {
            say(&format!("medic: {error:#}"));
            ExitCode::from(MEDIC_FAILED)
        }
    }
}

fn parse(
    mut command: clap::Command,
    words: impl IntoIterator<Item = OsString>,
) -> Result<Arguments, clap::Error> {
    let mut found = command.try_get_matches_from_mut(words)?;
    Arguments::from_arg_matches_mut(&mut found).map_err(|error| error.format(&mut command))
}

/// Lets no argument take its value from a variable of the environment that is empty: that is how one is unset in
/// task definitions and pipelines.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let unset = |argument: clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        match value.is_some_and(|value| value.to_string_lossy().trim().is_empty()) {
            true => argument.env(Resettable::<OsStr>::Reset),
            false => argument,
        }
    };
    command.mut_args(unset).mut_subcommands(without_empty_variables)
}

/// Says something on standard error; where nobody reads it, nothing is left to do.
fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", reports::escape::printable(text));
}

/// A reader such as `head` that has seen enough is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.into_iter().any(has_gone)
}

/// Whether the reader of what is written has gone away.
pub(crate) fn has_gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

/// Writes a report to standard output. Its reader may have seen enough: that takes nothing from the verdict.
fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.or_else(|error| if has_gone(&error) { Ok(()) } else { Err(error) })
}

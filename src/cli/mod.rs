//! Turns argv, environment and config file into a run. Known by nobody.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};

use clap::{CommandFactory, Parser, Subcommand};

use crate::exit::Exit;
use crate::respond::plan::Action;

mod baseline;
mod ci;
mod ci_logs;
mod completions;
mod config;
mod explain;
mod filter;
mod history;
mod hook;
mod incidents;
mod inspect;
mod inspector;
mod message;
mod netrc;
mod output;
mod pack;
mod progress;
mod respond;
mod revoke;
mod rules;
mod scan;
mod task;

/// Finds leaked tokens in trees, git history and CI logs, and stops the leak.
#[derive(Debug, Parser)]
#[command(name = "stanch", version, propagate_version = true, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Search files, directories or standard input for leaked tokens
    Scan(Box<scan::Args>),
    /// Ask the providers about the tokens that are found, or given; changes nothing
    Inspect(Box<inspect::Args>),
    /// Revoke the tokens that are found, or given, and prove them dead
    Revoke(Box<revoke::Args>),
    /// Replace the tokens that are found, or given: deliver the successor, end the old one, prove it dead
    Rotate(Box<revoke::Args>),
    /// Open tasks for what only a person can do, and close them when it is done
    Task(Box<task::Args>),
    /// Say why a finding is believed or not: each piece of evidence and its weight
    Explain(explain::Args),
    /// Show what was done about incidents
    Incidents(incidents::Args),
    /// Pass on standard input, or what a command writes, with every secret replaced
    #[command(alias = "redact")]
    Filter(filter::Args),
    /// Check, list and show the rules
    #[command(subcommand)]
    Rules(rules::Command),
    /// Manage what is known already and hidden from scans
    Baseline(Box<baseline::Args>),
    /// Let git ask stanch before it commits, pushes or receives
    Hook(hook::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page (roff)
    Man,
}

/// Runs the program with these arguments (the first one is its name).
pub fn run(argv: impl IntoIterator<Item = OsString>) -> Exit {
    panic::set_hook(Box::new(message::panic));
    // What a scan can survive it catches itself, object by object.
    panic::catch_unwind(AssertUnwindSafe(|| dispatch(argv))).unwrap_or(Exit::CouldNotRun)
}

fn dispatch(argv: impl IntoIterator<Item = OsString>) -> Exit {
    let argv: Vec<OsString> = argv.into_iter().collect();
    // Before anything reads them: whoever refuses an argument may repeat it.
    if let Err(error) = respond::refuse_token_words(&argv) {
        message::error(&error);
        return Exit::CouldNotRun;
    }
    let args = match Args::try_parse_from(argv) {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let result = match args.command {
        Command::Scan(args) => scan::run(*args),
        Command::Inspect(args) => inspect::run(&args, &scan::findings),
        Command::Revoke(args) => revoke::run(&args, &scan::findings, Action::Revoke),
        Command::Rotate(args) => revoke::run(&args, &scan::findings, Action::Rotate),
        Command::Task(args) => task::run(&args, &scan::findings),
        Command::Explain(args) => explain::run(&args),
        Command::Incidents(args) => incidents::run(&args),
        Command::Filter(args) => filter::run(args),
        Command::Rules(command) => rules::run(&command),
        Command::Baseline(args) => baseline::run(*args),
        Command::Hook(args) => hook::run(args),
        Command::Completions(args) => completions::run(&args, &mut Args::command()),
        Command::Man => completions::man(Args::command()),
    };
    result.unwrap_or_else(|error| {
        message::error(&error);
        Exit::CouldNotRun
    })
}

/// Seconds since 1970 (UTC).
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Help and version are no errors; everything else that clap has to say is.
fn usage(error: &clap::Error) -> Exit {
    // Nothing can be told to somebody who closed the channel.
    match message::masked(&error.to_string()) {
        Cow::Owned(text) if error.use_stderr() => drop(std::io::stderr().write_all(text.as_bytes())),
        _ => drop(error.print()),
    }
    if error.use_stderr() { Exit::CouldNotRun } else { Exit::Clean }
}

//! `stanch inspect`: asks the providers, changes nothing.

use std::io::Write;
use std::ops::ControlFlow;

use anyhow::Result;
use serde_json::{Value, json};

use super::message;
use super::respond::{Format, Input, Scan, door, view};
use crate::exit::Exit;
use crate::respond::inspection::Liveness;
use crate::respond::plan::Case;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// How to show what was learnt
    #[arg(short, long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args, scan: &Scan<'_>) -> Result<Exit> {
    let http = door(&args.input.file()?, args.input.offline)?;
    let gathered = args.input.gather(scan)?;
    let mut out = std::io::stdout().lock();
    let mut failed = None;
    let cases = crate::respond::inspect(&http, gathered.incidents, &mut |case| {
        if args.format == Format::Text && failed.is_none() {
            failed = writeln!(out, "{}", view::case(case)).err();
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    if args.format == Format::Json {
        let cases: Vec<Value> = cases.iter().map(view::case_json).collect();
        let document = json!({ "schema_version": "1", "incidents": cases });
        writeln!(out, "{}", crate::report::escape::json(&document, true)?)?;
    } else if cases.is_empty() {
        message::note("no token was found");
    }
    let unread = if gathered.missing > 0 { Exit::Unread } else { Exit::Clean };
    Ok(cases.iter().map(exit).fold(unread, Exit::and))
}

/// Live: something is left to do. Unknown: something could not be read.
fn exit(case: &Case) -> Exit {
    match case.said.liveness {
        Liveness::Live { .. } => Exit::Found,
        Liveness::Dead(_) => Exit::Clean,
        Liveness::Unknown(_) => Exit::Unread,
    }
}

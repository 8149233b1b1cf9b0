//! What is said on standard error: `error: …`, `warning: …`, `note: …`.

use std::io::Write;
use std::panic::PanicHookInfo;

use anstyle::{AnsiColor, Style};

use crate::report::escape::terminal;

/// The run could not be done.
pub(super) fn error(error: &anyhow::Error) {
    say("error", AnsiColor::Red, &format!("{error:#}"));
}

/// The run goes on, but the user should know.
pub(super) fn warning(text: &str) {
    say("warning", AnsiColor::Yellow, text);
}

/// Something worth knowing.
pub(super) fn note(text: &str) {
    say("note", AnsiColor::Cyan, text);
}

/// A bug of ours, by its place alone: what a panic says may quote what was scanned.
pub(super) fn panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    say("error", AnsiColor::Red, &format!("internal error{place}; please report this as a bug of stanch"));
}

fn say(word: &str, color: AnsiColor, text: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    // Standard error is the last resort; if it is closed there is nobody left to tell.
    drop(writeln!(anstream::stderr(), "{style}{word}{style:#}: {}", terminal(text)));
}

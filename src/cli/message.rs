//! What is said on standard error: `error: …`, `warning: …`, `note: …`.

use std::io::Write;

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

fn say(word: &str, color: AnsiColor, text: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    // Standard error is the last resort; if it is closed there is nobody left to tell.
    drop(writeln!(anstream::stderr(), "{style}{word}{style:#}: {}", terminal(text)));
}

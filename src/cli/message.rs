//! What is said on standard error: `error: …`, `warning: …`, `note: …`.

use std::borrow::Cow;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::{Arc, LazyLock};

use anstyle::{AnsiColor, Style};

use crate::builtin;
use crate::detect::Detector;
use crate::detect::prefilter::for_each_run;
use crate::report::escape::terminal;
use crate::rule::Confidence;
use crate::scan::filter;

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
    drop(writeln!(anstream::stderr(), "{style}{word}{style:#}: {}", terminal(&masked(text))));
}

/// Encodings inside each other that are undone in what is said.
const DEPTH: u8 = 3;

/// A text without the tokens in it: people give them where paths and names belong, and messages repeat what they gave.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    masked_from(text, Confidence::Low)
}

/// A name without the tokens in it that would be reported, were they in a file. Others stay: a report leads to files, many of which
/// have hashes for names.
pub(super) fn masked_name(name: &str) -> Cow<'_, str> {
    masked_from(name, Confidence::Medium)
}

fn masked_from(text: &str, least: Confidence) -> Cow<'_, str> {
    static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
        Detector::new(Arc::new(builtin::ready()), 0).expect("the built-in rules compile").with_depth(DEPTH)
    });
    let mut runs = 0;
    for_each_run(text.as_bytes(), |_, _| runs += 1);
    let escapes = text.bytes().filter(|byte| matches!(byte, b'%' | b'\\' | b'&')).count();
    if runs == 0 && escapes < 8 {
        return text.into();
    }
    let masked = filter::masked_from(&DETECTOR, &mut DETECTOR.scratch(), text.as_bytes(), least);
    if masked == text { text.into() } else { masked.into() }
}

//! Workflow commands that GitHub Actions turns into annotations.

use std::io;

use crate::coverage::Skip;
use crate::finding::{Finding, Verdict};
use crate::rule::Confidence;

use super::common::{Run, Whole, checked_out, counted, is_checked_out, message, most_important, unread};
use super::{Out, Style, escape};

/// Annotations of one level that GitHub shows for a step; it drops the others without a word (actions/toolkit,
/// docs/problem-matchers.md).
const SHOWN: usize = 10;
/// The notices for findings; one more tells what was cut.
const NOTICES: usize = SHOWN - 1;

pub(super) fn new(out: Out, _: Style) -> Whole {
    Whole::new(out, draw)
}

/// The level of a command, how many of it are written, and the word for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    fn of(finding: &Finding) -> Level {
        match (&finding.verdict, finding.confidence) {
            (Verdict::Reported, Confidence::Medium | Confidence::High) => Level::Error,
            (Verdict::Reported, Confidence::Low) => Level::Warning,
            _ => Level::Notice,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        }
    }
}

fn draw(run: &Run<'_>) -> io::Result<String> {
    let mut text = String::new();
    let mut cut = 0;
    // What was not read comes before look-alikes: it says that the result is not clean.
    let skips: Vec<&Skip> = unaccepted(run).collect();
    for (level, most) in
        [(Level::Error, SHOWN), (Level::Warning, SHOWN.saturating_sub(skips.len())), (Level::Notice, NOTICES)]
    {
        let of_level: Vec<Finding> =
            run.findings.iter().filter(|finding| Level::of(finding) == level).cloned().collect();
        let kept = most_important(&of_level, most);
        cut += of_level.len() - kept.len();
        kept.iter().for_each(|finding| text += &command(run, finding, level));
        let rest = of_level.iter().filter(|finding| !kept.iter().any(|kept| std::ptr::eq(*kept, *finding)));
        rest.for_each(|finding| text += &line(run, finding));
    }
    skips.iter().take(SHOWN).for_each(|skip| text += &not_read(run, skip));
    text += &notice(run, cut, skips.len().saturating_sub(SHOWN));
    Ok(text)
}

fn unaccepted<'r>(run: &Run<'r>) -> impl Iterator<Item = &'r Skip> {
    let summary = run.summary;
    summary.coverage.skips.iter().filter(|skip| !summary.accepted.contains(&skip.why))
}

fn command(run: &Run<'_>, finding: &Finding, level: Level) -> String {
    let (start, end) = (finding.region.start, finding.region.end);
    let mut properties = vec![format!("title={}", escape::workflow_property(&finding.rule.id))];
    if is_checked_out(finding) {
        properties.push(format!("file={}", escape::workflow_property(&run.visible_path(&checked_out(finding)))));
        properties.push(format!("line={}", start.line));
        properties.push(format!("endLine={}", end.line));
        // GitHub takes columns only on one line.
        if start.line == end.line {
            properties.push(format!("col={},endColumn={}", start.column, end.column));
        }
    }
    let text = format!("{} {} (fingerprint {})", run.visible_place(finding), message(finding), finding.fingerprint);
    format!("::{} {}::{}\n", level.word(), properties.join(","), escape::workflow_data(&text))
}

/// A finding that GitHub would not show, for the log. What stands first keeps a name from being a command.
fn line(run: &Run<'_>, finding: &Finding) -> String {
    let text = escape::terminal(&message(finding));
    format!("not annotated: {} [{}] {text}\n", run.visible_place(finding), escape::terminal(&finding.rule.id))
}

fn not_read(run: &Run<'_>, skip: &Skip) -> String {
    let file = match skip.origin.path() {
        Some(_) => format!(",file={}", escape::workflow_property(&run.visible_path(&skip.origin))),
        None => String::new(),
    };
    let text = format!("{} {}", run.visible_path(&skip.origin), unread(skip));
    format!("::warning title=not read{file}::{}\n", escape::workflow_data(&text))
}

/// The last word: what was counted, and what of it has no annotation.
fn notice(run: &Run<'_>, findings: usize, skips: usize) -> String {
    let mut text = counted(run.summary);
    if findings + skips > 0 {
        text += &format!(". GitHub shows {SHOWN} annotations of a level for a step: ");
        text += &format!("{findings} findings, named in the log, and {skips} skips have none");
    }
    format!("::notice title=stanch::{}\n", escape::workflow_data(&text))
}

//! Markdown for a job summary or a comment: one table of findings, then what was not read.

use std::io;

use crate::finding::{Finding, Verdict};

use super::common::{Run, Whole, counted, description, inspected, sentence, settled, unread, why};
use super::companion;
use super::escape::{cell, markdown};
use super::{Out, Style};

/// GitHub takes 1 MiB for a step's summary and drops all of a longer one (docs.github.com, "Workflow commands");
/// GitLab takes 1,000,000 characters for a comment.
const LIMIT: usize = 900_000;
/// Skips that are named one by one.
const SKIPS: usize = 100;

pub(super) fn new(out: Out, _: Style) -> Whole {
    Whole::new(out, draw)
}

fn draw(run: &Run<'_>) -> io::Result<String> {
    let summary = run.summary;
    let mark = match summary.exit().code() {
        0 => "nothing found",
        1 => "leaked secrets",
        _ => "not a clean result",
    };
    let mut text = format!("## stanch: {mark}\n\n{}.\n", markdown(&counted(summary)));
    let skips = not_read(run);
    if !run.findings.is_empty() {
        text += "\n| | What | Where | Secret | Why | What to do |\n| --- | --- | --- | --- | --- | --- |\n";
        let mut left = run.findings.len();
        for finding in run.findings {
            let row = row(run, finding);
            if text.len() + row.len() + skips.len() > LIMIT {
                text += &format!("\n{left} more are not shown: the table would be too long.\n");
                break;
            }
            text += &row;
            left -= 1;
        }
    }
    Ok(text + &skips)
}

fn row(run: &Run<'_>, finding: &Finding) -> String {
    let rule = &finding.rule;
    let state = match (&finding.verdict, settled(finding)) {
        (Verdict::Reported, _) => match &finding.inspected {
            Some(it) => format!("**{}**, {}", markdown(it.state.as_str()), markdown(rule.severity.as_str())),
            None => markdown(rule.severity.as_str()),
        },
        (_, settled) => markdown(&settled.unwrap_or_default()),
    };
    let what = format!("{} {}", markdown(&description(rule)), cell(&rule.id));
    let said = finding.inspected.as_ref().map(|it| markdown(&sentence(&format!(" Inspected: {}", inspected(it)))));
    let with = companion::named(finding).map(|with| markdown(&sentence(&format!(" With {with}")))).unwrap_or_default();
    let said = said.unwrap_or_default() + &with;
    let why = format!("{} ({} confidence){said}", markdown(&why(finding)), finding.confidence);
    let fields = [
        state,
        what,
        cell(&run.visible_place(finding)),
        format!("{} {}", cell(&finding.redacted), cell(&finding.fingerprint.to_string())),
        why,
        markdown(&rule.remedy),
    ];
    format!("| {} |\n", fields.join(" | "))
}

fn not_read(run: &Run<'_>) -> String {
    let skips = &run.summary.coverage.skips;
    if skips.is_empty() {
        return String::new();
    }
    let mut text = format!("\n### Not read: {}\n\n", skips.len());
    for skip in skips.iter().take(SKIPS) {
        let accepted = if run.summary.accepted.contains(&skip.why) { " (accepted)" } else { "" };
        text += &format!("- {} {}{accepted}\n", cell(&run.visible_path(&skip.origin)), markdown(&unread(skip)));
    }
    if skips.len() > SKIPS {
        text += &format!("- … and {} more\n", skips.len() - SKIPS);
    }
    text
}

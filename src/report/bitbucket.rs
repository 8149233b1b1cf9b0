//! Bitbucket's Code Insights: the body of a report, and its annotations.

use std::io;

use serde::Serialize;

use crate::exit::Exit;
use crate::finding::{Finding, Verdict};
use crate::rule::Severity;

use super::common::{
    Results, Run, Whole, checked_out, clip, counted, counts, is_checked_out, message, most_important, unread,
};
use super::{Out, Style, escape};

/// Annotations that a report may have (Bitbucket Cloud REST API, "Reports"; 100 of them in one request).
const ANNOTATIONS: usize = 1000;
/// Characters of an annotation's summary, and of details, that Bitbucket takes.
const SUMMARY: usize = 450;
const DETAILS: usize = 2000;
/// Skips that are named in the report's details; each takes a line.
const SKIPS: usize = 5;

#[derive(Serialize)]
struct Document {
    report: Report,
    annotations: Vec<Annotation>,
}

#[derive(Serialize)]
struct Report {
    title: &'static str,
    details: String,
    external_id: &'static str,
    reporter: &'static str,
    report_type: &'static str,
    result: &'static str,
    data: Vec<Number>,
}

#[derive(Serialize)]
struct Number {
    title: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: u64,
}

#[derive(Serialize)]
struct Annotation {
    external_id: String,
    annotation_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    summary: String,
    details: String,
    severity: &'static str,
    result: &'static str,
}

pub(super) fn new(out: Out, _: Style) -> Whole {
    Whole::new(out, draw)
}

fn draw(run: &Run<'_>) -> io::Result<String> {
    let kept = most_important(run.findings, ANNOTATIONS);
    let mut names = Results::default();
    let document = Document {
        report: report(run, run.findings.len() - kept.len()),
        annotations: kept.into_iter().map(|finding| annotation(run, finding, &mut names)).collect(),
    };
    Ok(escape::json(&document, true)? + "\n")
}

fn report(run: &Run<'_>, cut: usize) -> Report {
    let mut details = counted(run.summary);
    if cut > 0 {
        details += &format!("\n{cut} are not annotated: Bitbucket takes {ANNOTATIONS}");
    }
    for skip in run.summary.coverage.skips.iter().take(SKIPS) {
        details += &format!("\n{}: {}", clip(&run.visible_path(&skip.origin), 100), escape::terminal(&unread(skip)));
    }
    // Bitbucket shows ten at most, in this order; zeros would push nothing aside.
    let data = counts(run.summary).into_iter().map(|(title, value)| Number { title, kind: "NUMBER", value });
    Report {
        title: "Leaked secrets",
        details: clip(&details, DETAILS),
        external_id: "stanch",
        reporter: "stanch",
        report_type: "SECURITY",
        result: if run.summary.exit() == Exit::Clean { "PASSED" } else { "FAILED" },
        data: data.collect(),
    }
}

fn annotation(run: &Run<'_>, finding: &Finding, names: &mut Results) -> Annotation {
    let (_, result) = names.name(finding, &escape::percent(run.path(&finding.origin).as_bytes()));
    let place = is_checked_out(finding).then(|| (run.path(&checked_out(finding)), finding.region.start.line));
    let text = escape::terminal(&format!("{} {}", message(finding), run.visible_place(finding)));
    Annotation {
        external_id: format!("stanch-{result}"),
        annotation_type: "VULNERABILITY",
        line: place.as_ref().map(|(_, line)| *line),
        path: place.map(|(path, _)| path),
        summary: clip(&text, SUMMARY),
        details: clip(&format!("{text} Rule {}, fingerprint {}.", finding.rule.id, finding.fingerprint), DETAILS),
        severity: match finding.rule.severity {
            Severity::Low => "LOW",
            Severity::Medium => "MEDIUM",
            Severity::High => "HIGH",
            Severity::Critical => "CRITICAL",
        },
        result: if finding.verdict == Verdict::Reported { "FAILED" } else { "IGNORED" },
    }
}

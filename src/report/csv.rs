//! Comma-separated values (RFC 4180) that a spreadsheet opens and takes nothing in them for a formula.

use std::io;

use csv::{QuoteStyle, Terminator, WriterBuilder};

use crate::finding::{Finding, Verdict};

use super::common::{Run, Whole, commit, counted, description, inspected, settled, unread, why};
use super::escape::spreadsheet;
use super::{Out, Style};

/// The columns. `record` is `finding`, `skip` or, once and last, `summary`.
const COLUMNS: [&str; 21] = [
    "record",
    "verdict",
    "rule",
    "description",
    "provider",
    "severity",
    "confidence",
    "path",
    "line",
    "column",
    "end_line",
    "end_column",
    "secret",
    "fingerprint",
    "tracking",
    "why",
    "reason",
    "remedy",
    "commit",
    "liveness",
    "inspected",
];

pub(super) fn new(out: Out, _: Style) -> Whole {
    Whole::new(out, draw)
}

fn draw(run: &Run<'_>) -> io::Result<String> {
    let mut builder = WriterBuilder::new();
    let mut table = builder.terminator(Terminator::CRLF).quote_style(QuoteStyle::Always).from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for finding in run.findings {
        table.write_record(row(run, finding).map(|field| spreadsheet(&field)))?;
    }
    for skip in &run.summary.coverage.skips {
        let verdict = if run.summary.accepted.contains(&skip.why) { "accepted" } else { "not read" };
        let path = run.visible_path(&skip.origin);
        table.write_record(other("skip", verdict, skip.why.as_str(), &path, &unread(skip)))?;
    }
    let verdict = format!("exit {}", run.summary.exit().code());
    table.write_record(other("summary", &verdict, "", "", &counted(run.summary)))?;
    let bytes = table.into_inner().map_err(|error| error.into_error())?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn row(run: &Run<'_>, finding: &Finding) -> [String; COLUMNS.len()] {
    let (rule, start, end) = (&finding.rule, finding.region.start, finding.region.end);
    let verdict = match finding.verdict {
        Verdict::Reported => "reported",
        Verdict::Allowed(_) => "allowed",
        Verdict::Baselined { .. } => "baselined",
        Verdict::Hidden => "hidden",
    };
    [
        "finding".to_owned(),
        verdict.to_owned(),
        rule.id.clone(),
        description(rule),
        rule.provider.clone(),
        rule.severity.as_str().to_owned(),
        finding.confidence.to_string(),
        run.visible_path(&finding.origin),
        start.line.to_string(),
        start.column.to_string(),
        end.line.to_string(),
        end.column.to_string(),
        finding.redacted.clone(),
        finding.fingerprint.to_string(),
        finding.origin.tracking().map_or("", |tracking| tracking.as_str()).to_owned(),
        why(finding),
        settled(finding).unwrap_or_default(),
        rule.remedy.clone(),
        commit(finding).unwrap_or_default(),
        finding.inspected.as_ref().map_or("", |it| it.state.as_str()).to_owned(),
        finding.inspected.as_ref().map(inspected).unwrap_or_default(),
    ]
}

/// A record that is no finding: most columns are empty.
fn other(record: &str, verdict: &str, rule: &str, path: &str, why: &str) -> [String; COLUMNS.len()] {
    let mut row = [const { String::new() }; COLUMNS.len()];
    for (column, value) in [("record", record), ("verdict", verdict), ("rule", rule), ("path", path), ("why", why)] {
        if let Some(at) = COLUMNS.iter().position(|name| *name == column) {
            row[at] = spreadsheet(value);
        }
    }
    row
}

//! GitLab's code quality report: a list of issues, shown in merge requests on every tier.

use std::io;

use serde::Serialize;

use crate::coverage::Skip;
use crate::finding::{Finding, Verdict};
use crate::rule::{Confidence, Severity};
use crate::secret::Fingerprint;

use super::common::{Results, Run, Whole, checked_out, message, unread};
use super::{Out, Style, escape};

/// What `check_name` says of what was not read.
const UNREAD: &str = "not-read";

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
}

pub(super) fn new(out: Out, _: Style) -> Whole {
    Whole::new(out, draw)
}

fn draw(run: &Run<'_>) -> io::Result<String> {
    let mut names = Results::default();
    let mut issues: Vec<_> = run.findings.iter().map(|finding| issue(run, finding, &mut names)).collect();
    issues.extend(run.summary.coverage.skips.iter().map(|skip| not_read(run, skip)));
    Ok(escape::json(&issues, true)? + "\n")
}

fn issue(run: &Run<'_>, finding: &Finding, names: &mut Results) -> Issue {
    let (_, result) = names.name(finding, &escape::percent(run.path(&finding.origin).as_bytes()));
    let path = run.path(&checked_out(finding));
    Issue {
        description: format!("{} {}", message(finding), run.visible_place(finding)),
        check_name: finding.rule.id.clone(),
        fingerprint: result.to_string(),
        severity: severity(finding),
        location: Location { path, lines: Lines { begin: finding.region.start.line } },
    }
}

fn severity(finding: &Finding) -> &'static str {
    match (&finding.verdict, finding.confidence, finding.rule.severity) {
        (Verdict::Reported, Confidence::Medium | Confidence::High, severity) => match severity {
            Severity::Low => "minor",
            Severity::Medium => "major",
            Severity::High => "critical",
            Severity::Critical => "blocker",
        },
        _ => "info",
    }
}

/// The format has no other place to say that something was not read.
fn not_read(run: &Run<'_>, skip: &Skip) -> Issue {
    let path = run.path(&skip.origin);
    let name = Fingerprint::of_place(UNREAD, path.as_bytes(), skip.why.as_str().as_bytes(), skip.detail.as_bytes());
    Issue {
        description: unread(skip),
        check_name: UNREAD.to_owned(),
        fingerprint: name.to_string(),
        severity: if run.summary.accepted.contains(&skip.why) { "info" } else { "major" },
        location: Location { path, lines: Lines { begin: 1 } },
    }
}

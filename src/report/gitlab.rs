//! GitLab's secret detection report. What is decided here, and why, is in `docs/formats.md`.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::finding::Finding;
use crate::rule::{Confidence, Severity};
use crate::secret::Fingerprint;

use super::common::{
    Results, Run, Whole, clip, commit, counted, description, inspected, is_web_address, settled, unread, why,
};
use super::{Out, Style, escape};

/// The version of the schema that the report keeps to. GitLab takes the newest patch it has of 15.0.
const VERSION: &str = "15.0.7";
const SCHEMA: &str = "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v15.0.7/dist/\
    secret-detection-report-format.json";
/// Characters of a name and of a solution that the schema takes.
const NAME: usize = 255;
const SOLUTION: usize = 7000;
/// Skips that are named one by one.
const MESSAGES: usize = 1000;
/// What GitLab's own analyzer says where there is no commit.
const NO_COMMIT: &str = "0000000";

#[derive(Serialize)]
struct Document {
    version: &'static str,
    schema: &'static str,
    scan: Scan,
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Serialize)]
struct Scan {
    analyzer: Tool,
    scanner: Tool,
    #[serde(rename = "type")]
    kind: &'static str,
    start_time: String,
    end_time: String,
    status: &'static str,
    messages: Vec<Message>,
    primary_identifiers: Vec<Identifier>,
}

#[derive(Serialize)]
struct Tool {
    id: &'static str,
    name: &'static str,
    version: String,
    vendor: Vendor,
}

#[derive(Serialize)]
struct Vendor {
    name: &'static str,
}

#[derive(Serialize)]
struct Message {
    level: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'static str>,
}

#[derive(Serialize)]
struct Vulnerability {
    id: String,
    category: &'static str,
    name: String,
    description: String,
    severity: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    solution: String,
    identifiers: [Identifier; 2],
    links: Vec<Link>,
    details: BTreeMap<&'static str, Detail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<Flag>,
    location: Location,
}

#[derive(Serialize)]
struct Link {
    url: String,
}

#[derive(Serialize)]
struct Detail {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Flag {
    #[serde(rename = "type")]
    kind: &'static str,
    origin: &'static str,
    description: String,
}

#[derive(Serialize)]
struct Location {
    file: String,
    start_line: u64,
    end_line: u64,
    commit: Commit,
}

#[derive(Serialize)]
struct Commit {
    sha: String,
}

pub(super) fn new(out: Out, _: Style) -> Whole {
    Whole::new(out, draw)
}

fn draw(run: &Run<'_>) -> io::Result<String> {
    let mut names = Results::default();
    let document = Document {
        version: VERSION,
        schema: SCHEMA,
        scan: scan(run)?,
        vulnerabilities: run.findings.iter().map(|finding| vulnerability(run, finding, &mut names)).collect(),
    };
    Ok(escape::json(&document, true)? + "\n")
}

fn scan(run: &Run<'_>) -> io::Result<Scan> {
    let tool =
        || Tool { id: "stanch", name: "stanch", version: run.version.to_owned(), vendor: Vendor { name: "stanch" } };
    let start = jiff::Timestamp::from_second(run.now).map_err(io::Error::other)?;
    let time = start.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    Ok(Scan {
        analyzer: tool(),
        scanner: tool(),
        kind: "secret_detection",
        // No report reads the clock, so what the scan was started with is all there is.
        start_time: time.clone(),
        end_time: time,
        status: if run.summary.interrupted { "failure" } else { "success" },
        messages: messages(run),
        primary_identifiers: run.rules.iter().map(|id| rule(id)).collect(),
    })
}

fn messages(run: &Run<'_>) -> Vec<Message> {
    let skips = &run.summary.coverage.skips;
    let named = skips.iter().take(MESSAGES).map(|skip| Message {
        level: if run.summary.accepted.contains(&skip.why) { "info" } else { "warn" },
        value: format!("{}: {}", run.visible_path(&skip.origin), escape::terminal(&unread(skip))),
    });
    let mut messages: Vec<_> =
        [Message { level: "info", value: counted(run.summary) }].into_iter().chain(named).collect();
    if skips.len() > MESSAGES {
        let value = format!("{} more were not read and are not named here", skips.len() - MESSAGES);
        messages.push(Message { level: "warn", value });
    }
    messages
}

fn rule(id: &str) -> Identifier {
    Identifier { kind: "stanch_rule_id", name: format!("stanch rule {id}"), value: id.to_owned(), url: None }
}

fn vulnerability(run: &Run<'_>, finding: &Finding, names: &mut Results) -> Vulnerability {
    let file = run.path(&finding.origin);
    let (_, result) = names.name(finding, &escape::percent(file.as_bytes()));
    let what = description(&finding.rule);
    let masked = escape::code(&finding.redacted);
    let text =
        format!("{}: {masked}. {}", escape::markdown(what.trim_end_matches('.')), escape::markdown(&why(finding)));
    let cwe = Identifier {
        kind: "cwe",
        name: "CWE-798".to_owned(),
        value: "798".to_owned(),
        url: Some("https://cwe.mitre.org/data/definitions/798.html"),
    };
    let references = finding.rule.references.iter().filter(|text| is_web_address(text));
    let flag = |text| Flag { kind: "flagged-as-likely-false-positive", origin: "stanch", description: text };
    Vulnerability {
        id: uuid(result),
        category: "secret_detection",
        name: clip(&what, NAME),
        description: text,
        severity: severity(finding),
        solution: clip(finding.rule.remedy.trim(), SOLUTION),
        identifiers: [rule(&finding.rule.id), cwe],
        links: references.map(|url| Link { url: url.clone() }).collect(),
        details: details(finding),
        flags: settled(finding).map(flag).into_iter().collect(),
        location: Location {
            file,
            start_line: finding.region.start.line,
            end_line: finding.region.end.line,
            commit: Commit { sha: commit(finding).unwrap_or_else(|| run.revision.unwrap_or(NO_COMMIT).to_owned()) },
        },
    }
}

fn severity(finding: &Finding) -> &'static str {
    match (finding.confidence, finding.rule.severity) {
        (Confidence::Low, _) => "Info",
        (_, Severity::Low) => "Low",
        (_, Severity::Medium) => "Medium",
        (_, Severity::High) => "High",
        (_, Severity::Critical) => "Critical",
    }
}

fn details(finding: &Finding) -> BTreeMap<&'static str, Detail> {
    let text = |name, value: String| Detail { name, kind: "text", value };
    let mut details = BTreeMap::from([
        ("confidence", text("Confidence", finding.confidence.to_string())),
        ("fingerprint", text("Fingerprint", finding.fingerprint.to_string())),
    ]);
    if !finding.decoded.is_empty() {
        details.insert("decoded", text("decoded", finding.decoded.join(", ")));
    }
    let said = finding.inspected.as_ref().map(|it| ("liveness", text("Liveness", inspected(it))));
    details.extend(said);
    details.extend(finding.facts.iter().map(|fact| (fact.name, text(fact.name, fact.value.clone()))));
    details
}

/// The result's name in the form of a UUID of version 8, which leaves the bits to whoever makes them (RFC 9562).
fn uuid(result: Fingerprint) -> String {
    let hex = result.to_string();
    let variant = char::from(b"89ab"[usize::from(hex.as_bytes()[16] & 3)]);
    format!("{}-{}-8{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

//! `json`, one document, and `jsonl`, one object per line. The fields are documented in `docs/formats.md`; a field may
//! be added under the same `schema_version`, none changes or goes.

mod totals;

use std::collections::BTreeMap;
use std::io;

use data_encoding::BASE64;
use serde::Serialize;

use self::totals::Summary;
use crate::finding::{self, Proof, Verdict};
use crate::origin::{self, Origin};
use crate::summary;

use super::companion::{Companion, Span};
use super::escape;
use super::history::{self, Groups};
use super::{Header, Out, Report, Style};

const SCHEMA_VERSION: &str = "1";

#[derive(Clone, Serialize)]
struct Head {
    schema_version: &'static str,
    tool: Tool,
    targets: Vec<String>,
    confidence: &'static str,
}

#[derive(Clone, Serialize)]
struct Tool {
    name: &'static str,
    version: String,
}

impl Head {
    fn new(header: &Header<'_>) -> Self {
        Head {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: "stanch", version: header.version.to_owned() },
            targets: header.targets.clone(),
            confidence: header.confidence.as_str(),
        }
    }
}

#[derive(Serialize)]
struct Finding {
    rule: String,
    description: String,
    provider: String,
    kind: String,
    severity: &'static str,
    confidence: &'static str,
    proof: ProofState,
    secret: String,
    fingerprint: String,
    #[serde(flatten)]
    origin: Place,
    #[serde(flatten)]
    span: Span,
    decoded: Vec<&'static str>,
    snippet: Snippet,
    verdict: State,
    object: Option<Object>,
    history: Option<History>,
    liveness: Option<Liveness>,
    properties: BTreeMap<&'static str, String>,
    evidence: Vec<Evidence>,
    companions: Vec<Companion>,
    remedy: String,
    references: Vec<String>,
}

/// What speaks for or against it, where no proof decides.
#[derive(Serialize)]
struct Evidence {
    name: &'static str,
    weight: i32,
    detail: String,
}

impl From<&finding::Evidence> for Evidence {
    fn from(evidence: &finding::Evidence) -> Self {
        Evidence { name: evidence.name, weight: evidence.weight, detail: evidence.detail.clone() }
    }
}

#[derive(Serialize)]
struct ProofState {
    state: &'static str,
    why: Option<String>,
}

#[derive(Serialize)]
struct Place {
    origin: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes_base64: Option<String>,
    tracking: Option<&'static str>,
}

#[derive(Serialize)]
struct Object {
    id: String,
    kind: Option<&'static str>,
}

#[derive(Serialize)]
struct History {
    paths: Vec<Path>,
    introduced: Vec<Commit>,
    references: Vec<String>,
    removed: Vec<Removed>,
    more_references: u64,
    more_removed: u64,
    in_head: bool,
    unreachable: bool,
    truncated: bool,
}

#[derive(Serialize)]
struct Path {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes_base64: Option<String>,
}

#[derive(Serialize)]
struct Commit {
    commit: String,
    author: Option<String>,
    email: Option<String>,
    date: Option<String>,
    subject: String,
}

#[derive(Serialize)]
struct Removed {
    reference: String,
    commit: String,
}

/// What the provider said.
#[derive(Serialize)]
struct Liveness {
    state: &'static str,
    detail: Option<String>,
    holder: Option<String>,
    host: Option<String>,
}

impl From<&finding::Inspected> for Liveness {
    fn from(it: &finding::Inspected) -> Self {
        let (detail, holder, host) = (it.detail.clone(), it.holder.clone(), it.host.clone());
        Liveness { state: it.state.as_str(), detail, holder, host }
    }
}

#[derive(Serialize)]
struct Snippet {
    line: u64,
    text: String,
    /// UTF-16 code units of `text`, 0-based, end exclusive.
    mark: [usize; 2],
    cut_before: bool,
    cut_after: bool,
}

#[derive(Serialize)]
struct State {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<&finding::Finding> for Finding {
    fn from(finding: &finding::Finding) -> Self {
        let rule = &finding.rule;
        Finding {
            rule: rule.id.clone(),
            description: rule.description.clone(),
            provider: rule.provider.clone(),
            kind: rule.kind.clone(),
            severity: rule.severity.as_str(),
            confidence: finding.confidence.as_str(),
            proof: (&finding.proof).into(),
            secret: finding.redacted.clone(),
            fingerprint: finding.fingerprint.to_string(),
            origin: (&finding.origin).into(),
            span: finding.region.into(),
            decoded: finding.decoded.clone(),
            snippet: (&finding.snippet).into(),
            verdict: (&finding.verdict).into(),
            object: object(&finding.origin),
            history: finding.provenance.as_deref().map(History::from),
            liveness: finding.inspected.as_ref().map(Liveness::from),
            properties: finding.facts.iter().map(|fact| (fact.name, fact.value.clone())).collect(),
            evidence: finding.evidence.iter().map(Evidence::from).collect(),
            companions: finding.companions.iter().map(Companion::from).collect(),
            remedy: rule.remedy.clone(),
            references: rule.references.clone(),
        }
    }
}

impl From<&Proof> for ProofState {
    fn from(proof: &Proof) -> Self {
        let (state, why) = match proof {
            Proof::Holds(why) => ("holds", Some(why.clone())),
            Proof::Fails(why) => ("fails", Some(why.clone())),
            Proof::Absent => ("absent", None),
        };
        ProofState { state, why }
    }
}

impl From<&Origin> for Place {
    fn from(origin: &Origin) -> Self {
        let name = origin.to_string();
        let (kind, bytes) = match origin {
            Origin::File { path, .. } => ("file", path.as_os_str().as_encoded_bytes()),
            Origin::Stream { name } => ("stream", name.as_bytes()),
            Origin::Staged { path, .. } => ("staged", path.as_os_str().as_encoded_bytes()),
            Origin::Member { .. } => {
                let path = origin.to_string();
                return Place { origin: "member", path, path_bytes_base64: None, tracking: None };
            }
            Origin::Log { .. } => ("log", name.as_bytes()),
            Origin::Object { path: Some(path), .. } => ("object", path.as_os_str().as_encoded_bytes()),
            Origin::Object { path: None, .. } => ("object", name.as_bytes()),
        };
        let Path { path, path_bytes_base64 } = bytes.into();
        let tracking = origin.tracking().map(|tracking| tracking.as_str());
        Place { origin: kind, path, path_bytes_base64, tracking }
    }
}

impl From<&[u8]> for Path {
    fn from(bytes: &[u8]) -> Self {
        let path_bytes_base64 = std::str::from_utf8(bytes).is_err().then(|| BASE64.encode(bytes));
        Path { path: String::from_utf8_lossy(bytes).into_owned(), path_bytes_base64 }
    }
}

fn object(origin: &Origin) -> Option<Object> {
    let Origin::Object { id, kind, .. } = origin else { return None };
    Some(Object { id: id.to_string(), kind: kind.map(|kind| kind.as_str()) })
}

impl From<&origin::Provenance> for History {
    fn from(provenance: &origin::Provenance) -> Self {
        let commit = |commit: &origin::Commit| Commit {
            commit: commit.id.to_string(),
            author: commit.author.clone(),
            email: commit.email.clone(),
            date: history::date(commit.time),
            subject: commit.subject.clone(),
        };
        let removed = |it: &origin::Removed| Removed { reference: it.reference.clone(), commit: it.commit.to_string() };
        History {
            paths: provenance.paths.iter().map(|path| path.as_os_str().as_encoded_bytes().into()).collect(),
            introduced: provenance.introduced.iter().map(commit).collect(),
            references: provenance.references.clone(),
            removed: provenance.removed.iter().map(removed).collect(),
            more_references: provenance.more_references,
            more_removed: provenance.more_removed,
            in_head: provenance.in_head,
            unreachable: provenance.is_unreachable(),
            truncated: provenance.truncated,
        }
    }
}

impl From<&finding::Snippet> for Snippet {
    fn from(snippet: &finding::Snippet) -> Self {
        let units = |to: usize| snippet.text.get(..to).unwrap_or_default().encode_utf16().count();
        Snippet {
            line: snippet.line,
            text: snippet.text.clone(),
            mark: [units(snippet.mark.start), units(snippet.mark.end)],
            cut_before: snippet.cut_before,
            cut_after: snippet.cut_after,
        }
    }
}

impl From<&Verdict> for State {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Reported => State { state: "reported", by: None, reason: None },
            Verdict::Allowed(allowed) => {
                State { state: "allowed", by: Some(allowed.by), reason: Some(allowed.reason.clone()) }
            }
            Verdict::Baselined { reason } => {
                State { state: "baselined", by: Some("baseline"), reason: Some(reason.clone()) }
            }
            Verdict::Hidden => State { state: "hidden", by: None, reason: None },
        }
    }
}

/// One document, written at the end.
pub(super) struct Json {
    out: Out,
    head: Option<Head>,
    findings: Vec<Finding>,
    groups: Groups,
}

impl Json {
    pub(super) fn new(out: Out, _: Style) -> Self {
        Json { out, head: None, findings: Vec::new(), groups: Groups::default() }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Option<&'a Head>,
    findings: &'a [Finding],
    summary: Summary,
}

impl Report for Json {
    fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.head = Some(Head::new(header));
        Ok(())
    }

    fn finding(&mut self, finding: &finding::Finding) -> io::Result<()> {
        self.groups.add(finding);
        self.findings.push(finding.into());
        Ok(())
    }

    fn finish(&mut self, summary: &summary::Summary) -> io::Result<()> {
        let summary = Summary::new(summary, &self.groups);
        let document = Document { head: self.head.as_ref(), findings: &self.findings, summary };
        writeln!(self.out, "{}", escape::json(&document, true)?)?;
        self.out.flush()
    }
}

/// One object per line, each flushed: what reads it sees a finding as soon as it is made.
pub(super) struct Jsonl {
    out: Out,
    groups: Groups,
}

impl Jsonl {
    pub(super) fn new(out: Out, _: Style) -> Self {
        Jsonl { out, groups: Groups::default() }
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        writeln!(self.out, "{}", escape::json(line, false)?)?;
        self.out.flush()
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Header(Head),
    Finding(Box<Finding>),
    Summary(Summary),
}

impl Report for Jsonl {
    fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.line(&Line::Header(Head::new(header)))
    }

    fn finding(&mut self, finding: &finding::Finding) -> io::Result<()> {
        self.groups.add(finding);
        self.line(&Line::Finding(Box::new(finding.into())))
    }

    fn finish(&mut self, summary: &summary::Summary) -> io::Result<()> {
        self.line(&Line::Summary(Summary::new(summary, &self.groups)))
    }
}

//! SARIF 2.1.0 as GitHub's upload takes it and ranks it well. What is decided here, and why, is in `docs/formats.md`.

mod model;
mod place;
mod rules;

use std::collections::{BTreeMap, HashSet};
use std::io;

use crate::coverage::{Skip, Why};
use crate::exit::Exit;
use crate::finding::{Finding, Proof, Verdict};
use crate::origin::Origin;
use crate::summary::Summary;

use self::model::*;
use self::place::{SRCROOT, artifact};
use super::common::{self, Results, checked_out, most_important, short_hash};
use super::companion::{self, Companion};
use super::history::date;
use super::{Header, Out, Report, Style, escape};
use crate::place::Places;

/// Results that GitHub takes in one run; it rejects a file with more (docs.github.com, "SARIF support for code
/// scanning").
const RESULTS: usize = 25_000;
/// Skips that are named one by one; the rest is counted in one notification.
const NOTIFICATIONS: usize = 1_000;
/// Commits that are named in `versionControlProvenance`.
const COMMITS: usize = 1_000;
/// The notification that says how many results or skips were left out.
const CUT: &str = "cut";

pub(super) struct Sarif {
    out: Out,
    /// Everything that the header decides.
    frame: Option<Frame>,
    findings: Vec<Finding>,
}

struct Frame {
    driver: Driver,
    places: Places,
    category: String,
    provenance: Vec<Provenance>,
    show_allowed: bool,
}

impl Sarif {
    pub(super) fn new(out: Out, _: Style) -> Self {
        Sarif { out, frame: None, findings: Vec::new() }
    }
}

impl Report for Sarif {
    fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.frame = Some(Frame {
            driver: Driver {
                name: "stanch",
                version: header.version.to_owned(),
                semantic_version: header.version.to_owned(),
                rules: rules::descriptors(header.rules),
                notifications: notices(),
            },
            places: Places { root: header.root.clone(), base: header.base.clone() },
            category: category(&header.targets),
            provenance: provenance(header),
            show_allowed: header.show_allowed,
        });
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.findings.push(finding.clone());
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let frame = self.frame.take().ok_or_else(|| io::Error::other("the report was not begun"))?;
        let kept = most_important(&self.findings, RESULTS);
        let cut = self.findings.len() - kept.len();
        let log = Log {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            runs: [frame.run(&kept, cut, summary)],
        };
        writeln!(self.out, "{}", escape::json(&log, false)?)?;
        self.out.flush()
    }
}

impl Frame {
    fn run(self, kept: &[&Finding], cut: usize, summary: &Summary) -> Run {
        let base = Base { description: Text::plain("The top of the work tree, or the directory that was scanned.") };
        Run {
            automation_details: AutomationDetails { id: self.category.clone() },
            invocations: [invocation(&self.places, cut, summary)],
            original_uri_base_ids: BTreeMap::from([(SRCROOT, base)]),
            column_kind: "utf16CodeUnits",
            results: self.results(kept),
            properties: counts(summary),
            version_control_provenance: with_commits(self.provenance, kept),
            tool: Tool { driver: self.driver },
        }
    }

    fn results(&self, findings: &[&Finding]) -> Vec<Result> {
        let mut names = Results::default();
        findings.iter().map(|finding| self.result(finding, &mut names)).collect()
    }

    fn result(&self, finding: &Finding, names: &mut Results) -> Result {
        let (line, result) = names.name(finding, &artifact(&self.places, &finding.origin).uri);
        let location = artifact(&self.places, &checked_out(finding));
        let secret = finding.fingerprint.to_string();
        let id = finding.rule.id.as_str();
        Result {
            rule_id: finding.rule.id.clone(),
            rule_index: self.driver.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok(),
            level: rules::level(finding.confidence),
            message: message(finding),
            locations: [located(location, finding)],
            partial_fingerprints: BTreeMap::from([("primaryLocationLineHash", line), ("stanch/v1", secret)]),
            fingerprints: BTreeMap::from([("stanchResult/v1", result.to_string())]),
            suppressions: self.show_allowed.then(|| suppressions(&finding.verdict)),
            properties: properties(finding),
        }
    }
}

/// What GitHub takes for the analysis' category, the part before the last `/`: two scans of different targets for one
/// commit stand side by side, two of the same replace each other. It outranks the `category` of the upload action.
fn category(targets: &[String]) -> String {
    if targets.iter().all(|target| target == ".") {
        return "stanch/".to_owned();
    }
    let names: Vec<_> = targets.iter().map(|target| escape::percent(target.as_bytes())).collect();
    let names = names.join("+");
    if names.len() <= 200 { format!("stanch/{names}/") } else { format!("stanch/{}/", short_hash(&names)) }
}

fn provenance(header: &Header<'_>) -> Vec<Provenance> {
    let Some(repository) = &header.repository else { return Vec::new() };
    let Some(uri) = repository.uri.as_deref().and_then(escape::repository) else { return Vec::new() };
    vec![Provenance {
        repository_uri: uri,
        revision_id: repository.revision.clone(),
        branch: repository.branch.clone(),
        mapped_to: Some(Mapped { uri_base_id: SRCROOT }),
    }]
}

/// The scanned repository, and in it every commit that brought a finding, in the order of the findings.
fn with_commits(mut scanned: Vec<Provenance>, findings: &[&Finding]) -> Vec<Provenance> {
    let Some(repository) = scanned.first() else { return scanned };
    let (repository_uri, head) = (repository.repository_uri.clone(), repository.revision_id.clone());
    let brought = findings.iter().filter_map(|finding| finding.provenance.as_ref()?.introduced.first());
    let mut seen: HashSet<String> = head.into_iter().collect();
    let new: Vec<String> = brought.map(|commit| commit.id.to_string()).filter(|id| seen.insert(id.clone())).collect();
    scanned.extend(new.into_iter().take(COMMITS).map(|id| Provenance {
        repository_uri: repository_uri.clone(),
        revision_id: Some(id),
        branch: None,
        mapped_to: None,
    }));
    scanned
}

/// The kinds of notification: one for each reason of a skip, and one for what was cut.
fn notices() -> Vec<Notice> {
    let notice = |why: &Why| Notice { id: why.as_str(), short_description: Text::plain(why.advice()) };
    let cut = Notice { id: CUT, short_description: Text::plain("scan less at once, or use the json format") };
    Why::ALL.iter().map(notice).chain([cut]).collect()
}

fn invocation(places: &Places, cut: usize, summary: &Summary) -> Invocation {
    let exit = summary.exit();
    let skips = &summary.coverage.skips;
    let mut notifications: Vec<_> =
        skips.iter().take(NOTIFICATIONS).map(|skip| skipped(places, skip, summary)).collect();
    if skips.len() > NOTIFICATIONS {
        let more = skips.len() - NOTIFICATIONS;
        notifications.push(notification(CUT, "warning", &format!("{more} more were not read and are not named here.")));
    }
    if cut > 0 {
        let text = format!("{cut} results are not in this file, which holds the {RESULTS} that GitHub takes at most.");
        notifications.push(notification(CUT, "warning", &text));
    }
    if summary.interrupted {
        let why = Why::Interrupted;
        notifications.push(notification(why.as_str(), "error", "The run was interrupted; not everything was read."));
    }
    Invocation {
        // GitHub rejects a file that says false. Right after an interruption, whose results would close alerts of files
        // that were not reached; wrong for a broken link, so what was not read is a warning.
        execution_successful: !summary.interrupted,
        exit_code: exit.code(),
        exit_code_description: match exit {
            Exit::Clean => "nothing found and everything read",
            Exit::Found => "something was found",
            Exit::CouldNotRun => "could not run",
            Exit::Unread => "nothing found, but something could not be read",
            Exit::Interrupted => "interrupted",
            Exit::Command(_) => "the code of the command that was filtered",
        },
        tool_execution_notifications: notifications,
    }
}

fn notification(id: &'static str, level: &'static str, text: &str) -> Notification {
    let index = Why::ALL.iter().position(|why| why.as_str() == id).unwrap_or(Why::ALL.len());
    let message = Text::plain(escape::sarif_message(text));
    Notification { descriptor: Descriptor { id, index }, level, message, locations: Vec::new() }
}

fn skipped(places: &Places, skip: &Skip, summary: &Summary) -> Notification {
    let level = if summary.accepted.contains(&skip.why) { "note" } else { "warning" };
    let text = common::unread(skip);
    let location =
        PhysicalLocation { artifact_location: artifact(places, &skip.origin), region: None, context_region: None };
    let locations = vec![Location { physical_location: location }];
    Notification { locations, ..notification(skip.why.as_str(), level, &text) }
}

fn message(finding: &Finding) -> Text {
    let what = common::description(&finding.rule);
    let why = common::why(finding);
    let what = what.trim_end_matches('.');
    let remedy = finding.rule.remedy.trim();
    let said = finding.inspected.as_ref().map(|it| format!(" Inspected: {}.", common::inspected(it)));
    let with = companion::named(finding).map(|with| format!(" With {with}."));
    let said = said.unwrap_or_default() + &with.unwrap_or_default();
    let text = format!("{what}: {}. {why}{said} {remedy}", finding.redacted);
    let (what, shown) = (escape::markdown(what), escape::code(&finding.redacted));
    let why = escape::markdown(&format!("{why}{said}"));
    let markdown = format!("**{what}**: {shown}. {why} {}", escape::markdown(remedy));
    Text { text: escape::sarif_message(text.trim_end()), markdown: Some(markdown.trim_end().to_owned()) }
}

fn located(artifact_location: ArtifactLocation, finding: &Finding) -> Location {
    let (start, end, snippet) = (finding.region.start, finding.region.end, &finding.snippet);
    let marked = snippet.text.get(snippet.mark.clone()).unwrap_or(&finding.redacted);
    let lines = u64::try_from(snippet.text.trim_end_matches('\n').matches('\n').count()).unwrap_or(0);
    let region = Region {
        start_line: start.line,
        start_column: start.column,
        end_line: end.line,
        end_column: end.column,
        byte_offset: start.offset,
        byte_length: end.offset.saturating_sub(start.offset),
        snippet: Text::plain(marked),
    };
    let context = ContextRegion {
        start_line: snippet.line,
        end_line: snippet.line + lines,
        snippet: Text::plain(snippet.text.clone()),
    };
    let (region, context_region) = (Some(region), Some(context));
    Location { physical_location: PhysicalLocation { artifact_location, region, context_region } }
}

fn suppressions(verdict: &Verdict) -> Vec<Suppression> {
    let (kind, justification) = match verdict {
        Verdict::Allowed(allowed) if allowed.by == "inline" => ("inSource", format!("inline: {}", allowed.reason)),
        Verdict::Allowed(allowed) => ("external", format!("{}: {}", allowed.by, allowed.reason)),
        Verdict::Baselined { reason } => ("external", format!("baseline: {reason}")),
        Verdict::Reported | Verdict::Hidden => return Vec::new(),
    };
    vec![Suppression { kind, justification }]
}

fn properties(finding: &Finding) -> ResultProperties {
    let (proof, proof_why) = match &finding.proof {
        Proof::Holds(why) => ("holds", Some(why.clone())),
        Proof::Fails(why) => ("fails", Some(why.clone())),
        Proof::Absent => ("absent", None),
    };
    ResultProperties {
        confidence: finding.confidence.as_str(),
        proof,
        proof_why,
        tracking: finding.origin.tracking().map(|tracking| tracking.as_str()),
        provider: finding.rule.provider.clone(),
        kind: finding.rule.kind.clone(),
        severity: finding.rule.severity.as_str(),
        secret: finding.redacted.clone(),
        evidence: finding.evidence.iter().map(|one| (one.name, one.weight)).collect(),
        decoded: finding.decoded.clone(),
        companions: finding.companions.iter().map(Companion::from).collect(),
        liveness: finding.inspected.as_ref().map(|it| it.state.as_str()),
        inspected: finding.inspected.as_ref().map(common::inspected),
        facts: finding.facts.iter().map(|fact| (fact.name, fact.value.clone())).collect(),
        history: history(finding),
    }
}

fn history(finding: &Finding) -> Option<History> {
    let Origin::Object { id, kind, .. } = &finding.origin else { return None };
    let provenance = finding.provenance.as_deref().cloned().unwrap_or_default();
    let first = provenance.introduced.first();
    let unreachable = provenance.is_unreachable();
    Some(History {
        object_id: id.to_string(),
        object_kind: kind.map(|kind| kind.as_str()),
        commit: first.map(|commit| commit.id.to_string()),
        author: first.and_then(|commit| commit.author.clone()),
        author_email: first.and_then(|commit| commit.email.clone()),
        author_date: first.and_then(|commit| date(commit.time)),
        subject: first.map(|commit| commit.subject.clone()),
        commits: provenance.introduced.iter().map(|commit| commit.id.to_string()).collect(),
        paths: provenance.paths.iter().map(|path| path.display().to_string()).collect(),
        removed: provenance.removed.iter().map(|it| format!("{} {}", it.reference, it.commit)).collect(),
        references: provenance.references,
        in_head: provenance.in_head,
        unreachable,
    })
}

fn counts(summary: &Summary) -> Counts {
    Counts {
        reported: summary.reported,
        live: summary.asked.map(|asked| asked.live),
        dead: summary.asked.map(|asked| asked.dead),
        allowed: summary.allowed,
        baselined: summary.baselined,
        stale: summary.stale.len(),
        expired: summary.expired.len(),
        hidden: summary.hidden,
        objects: summary.coverage.objects,
        files: summary.coverage.files,
        streams: summary.coverage.streams,
        bytes: summary.coverage.bytes,
        excluded: summary.coverage.excluded,
        skips: summary.coverage.skips.len(),
    }
}

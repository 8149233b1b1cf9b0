//! What several formats share: the words, the name of a result, the frame of a report that is written at its end.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::coverage::Skip;
use crate::finding::{Finding, Inspected, Proof, Snippet, Verdict};
use crate::origin::Origin;
use crate::place::{Places, slashed};
use crate::rule::Rule;
use crate::secret::Fingerprint;
use crate::summary::Summary;

use super::{Header, Out, Report, companion, escape};

/// Everything that there is to report, once it is all there.
pub(super) struct Run<'a> {
    pub places: &'a Places,
    pub version: &'a str,
    /// Ids of the rules of the run.
    pub rules: &'a [String],
    /// The commit that is checked out.
    pub revision: Option<&'a str>,
    /// When the scan was started, in seconds since 1970 (UTC).
    pub now: i64,
    pub findings: &'a [Finding],
    pub summary: &'a Summary,
}

/// A report that is written at its end.
pub(super) struct Whole {
    out: Out,
    draw: fn(&Run<'_>) -> io::Result<String>,
    places: Places,
    version: String,
    rules: Vec<String>,
    revision: Option<String>,
    now: i64,
    findings: Vec<Finding>,
}

impl Whole {
    /// A report that `draw` makes the text of.
    pub(super) fn new(out: Out, draw: fn(&Run<'_>) -> io::Result<String>) -> Self {
        let (places, version, findings) = (Places::default(), String::new(), Vec::new());
        Whole { out, draw, places, version, rules: Vec::new(), revision: None, now: 0, findings }
    }
}

impl Report for Whole {
    fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.places = Places { root: header.root.clone(), base: header.base.clone() };
        self.version = header.version.to_owned();
        self.rules = header.rules.rules.iter().map(|rule| rule.id.clone()).collect();
        self.revision = header.repository.as_ref().and_then(|repository| repository.revision.clone());
        self.now = header.now;
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.findings.push(finding.clone());
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let text = (self.draw)(&Run {
            places: &self.places,
            version: &self.version,
            rules: &self.rules,
            revision: self.revision.as_deref(),
            now: self.now,
            findings: &self.findings,
            summary,
        })?;
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl Run<'_> {
    /// The path in the repository, `/`-separated and lossy; of a stream its name without `<>`.
    pub(super) fn path(&self, origin: &Origin) -> String {
        match self.places.of(origin) {
            Some(path) if !matches!(origin, Origin::Log { .. }) => {
                String::from_utf8_lossy(&slashed(&path)).into_owned()
            }
            _ => origin.to_string().trim_matches(['<', '>']).to_owned(),
        }
    }

    /// The path as one visible line; bytes that are no UTF-8 become `\xff`.
    pub(super) fn visible_path(&self, origin: &Origin) -> String {
        match self.places.of(origin) {
            Some(path) if !matches!(origin, Origin::Log { .. }) => escape::terminal_path(&path),
            _ => escape::terminal(&origin.to_string()),
        }
    }

    /// `a/b.rs:7:3`, and the commit if what is checked out does not hold it.
    pub(super) fn visible_place(&self, finding: &Finding) -> String {
        let start = finding.region.start;
        let past = commit(finding).filter(|_| !is_checked_out(finding)).map(|id| format!(" in commit {id}"));
        let past = past.unwrap_or_default();
        format!("{}:{}:{}{past}", self.visible_path(&checked_out(finding)), start.line, start.column)
    }
}

/// The first commit that brought what was found in history.
pub(super) fn commit(finding: &Finding) -> Option<String> {
    Some(finding.provenance.as_ref()?.introduced.first()?.id.to_string())
}

/// Whether the file that is checked out has the finding at this line: a platform may point at it.
pub(super) fn is_checked_out(finding: &Finding) -> bool {
    match &finding.origin {
        Origin::File { .. } | Origin::Staged { .. } => true,
        Origin::Object { path, .. } => path.is_some() && finding.provenance.as_ref().is_some_and(|it| it.in_head),
        Origin::Stream { .. } | Origin::Member { .. } | Origin::Log { .. } => false,
    }
}

/// Where it was found, with the path that the commit has which is checked out: that may not be the path it had first.
pub(super) fn checked_out(finding: &Finding) -> Cow<'_, Origin> {
    let now = finding.provenance.as_ref().and_then(|it| it.paths.get(it.checked_out?));
    match (&finding.origin, now) {
        (Origin::Object { path: Some(first), id, kind }, Some(now)) if first != now => {
            Cow::Owned(Origin::Object { path: Some(now.clone()), id: *id, kind: *kind })
        }
        (origin, _) => Cow::Borrowed(origin),
    }
}

/// What the run counted, by name. `not read` are those that nobody accepted.
pub(super) fn counts(summary: &Summary) -> Vec<(&'static str, u64)> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let asked = summary.asked.map(|it| [("live", it.live), ("dead", it.dead), ("not known to be dead", it.unknown)]);
    let found = [("found", summary.reported)].into_iter().chain(asked.into_iter().flatten());
    let rest = [
        ("allowed", summary.allowed),
        ("in the baseline", summary.baselined),
        ("hidden look-alikes", summary.hidden),
        ("stale in the baseline", count(summary.stale.len())),
        ("expired in the baseline", count(summary.expired.len())),
        ("not read", count(summary.unaccepted())),
    ];
    found.chain(rest).collect()
}

/// The counts in one line: what is nothing is left out, but for what was found.
pub(super) fn counted(summary: &Summary) -> String {
    let some = counts(summary).into_iter().enumerate().filter(|(at, (_, count))| *at == 0 || *count > 0);
    let parts: Vec<_> = some.map(|(_, (name, count))| format!("{count} {name}")).collect();
    let end = if summary.interrupted { "; interrupted, the rest was not read" } else { "" };
    format!("{}{end}", parts.join(", "))
}

/// What the rule says of itself; never empty.
pub(super) fn description(rule: &Rule) -> String {
    match rule.description.trim() {
        "" => format!("Secret found by the rule {}", rule.id),
        text => text.to_owned(),
    }
}

/// The text with one full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

/// At most `limit` characters of the text.
pub(super) fn clip(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

/// Why it is taken for a secret, as a sentence.
pub(super) fn why(finding: &Finding) -> String {
    let why = sentence(match &finding.proof {
        Proof::Holds(why) | Proof::Fails(why) => why,
        Proof::Absent if finding.rule.regex.is_empty() => "Found by its name",
        Proof::Absent => "Found by its shape and what stands around it",
    });
    let mut chars = why.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// What it is, with the masked secret; why; what to do; who said that it is all right.
pub(super) fn message(finding: &Finding) -> String {
    let what = description(&finding.rule);
    let text = format!("{}: {}. {}", what.trim_end_matches('.'), finding.redacted, why(finding));
    let said = finding.inspected.as_ref().map(|it| sentence(&format!("Inspected: {}", inspected(it))));
    let with = companion::named(finding).map(|with| sentence(&format!("With {with}"))).unwrap_or_default();
    let rest =
        [said.unwrap_or_default(), with, finding.rule.remedy.trim().to_owned(), settled(finding).unwrap_or_default()];
    rest.into_iter().filter(|part| !part.is_empty()).fold(text, |text, part| format!("{text} {part}"))
}

/// What the provider said, in one line.
pub(super) fn inspected(it: &Inspected) -> String {
    let detail = it.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let holder = it.holder.as_ref().map(|holder| format!(", held by {holder}")).unwrap_or_default();
    let host = it.host.as_ref().map(|host| format!(", asked at {host}")).unwrap_or_default();
    format!("{}{detail}{holder}{host}", it.state.as_str())
}

/// Who said that the finding is all right, and why, if anybody did.
pub(super) fn settled(finding: &Finding) -> Option<String> {
    match &finding.verdict {
        Verdict::Allowed(allowed) => Some(format!("allowed ({}): {}", allowed.by, allowed.reason)),
        Verdict::Baselined { reason } => Some(format!("in the baseline: {reason}")),
        Verdict::Reported | Verdict::Hidden => None,
    }
}

/// Why something was not read, what the system said, what to do.
pub(super) fn unread(skip: &Skip) -> String {
    let detail = if skip.detail.is_empty() { String::new() } else { format!(": {}", skip.detail) };
    sentence(&format!("not read ({}){detail}; {}", skip.why.as_str(), skip.why.advice()))
}

/// Whether the address may stand as a URI without escaping; a rule file may also say "handbook, page 3".
pub(super) fn is_web_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
}

/// At most `limit` findings, in their order; the least sure and the least severe go first.
pub(super) fn most_important(findings: &[Finding], limit: usize) -> Vec<&Finding> {
    let mut ranked: Vec<usize> = (0..findings.len()).collect();
    let rank = |finding: &Finding| (finding.verdict == Verdict::Reported, finding.confidence, finding.rule.severity);
    ranked.sort_by_key(|&at| Reverse(rank(&findings[at])));
    ranked.truncate(limit);
    ranked.sort_unstable();
    ranked.into_iter().map(|at| &findings[at]).collect()
}

/// Names results so that they stay the same when lines move, and no two of a report are alike.
#[derive(Default)]
pub(super) struct Results {
    seen: HashMap<(String, String), u32>,
}

impl Results {
    /// The line's name, and the result's: rule, place, line and secret.
    pub(super) fn name(&mut self, finding: &Finding, uri: &str) -> (String, Fingerprint) {
        let hash = line_hash(&finding.snippet);
        let count = self.seen.entry((uri.to_owned(), hash.clone())).or_default();
        *count += 1;
        let line = format!("{hash}:{count}");
        let secret = finding.fingerprint.to_string();
        let result = Fingerprint::of_place(&finding.rule.id, uri.as_bytes(), line.as_bytes(), secret.as_bytes());
        (line, result)
    }
}

/// Names a line by what stands on it, blanks apart and the secret masked: it stays the same when lines move. Not the
/// value GitHub's upload action computes: that one hashes the secret itself, in a way that can be searched.
fn line_hash(snippet: &Snippet) -> String {
    short_hash(&snippet.text.split_whitespace().collect::<String>())
}

/// 16 hex digits.
pub(super) fn short_hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text)[..8])
}

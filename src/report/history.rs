//! How a secret came into a repository, in words, and one secret over all its places.

use std::collections::BTreeMap;

use crate::finding::{Finding, Identity, Verdict};
use crate::origin::{Commit, ObjectKind, Origin, Provenance};
use crate::secret::Fingerprint;

/// Paths, branches, tags and commits that are named before the rest is counted.
const NAMED: usize = 3;

/// Hex digits by which a commit is named to people.
const SHORT: usize = 10;

/// What is pushed and not yet accepted, or what only a reference that cannot be read may lead to.
const UNREACHED: &str = "no reference leads to it yet, or none that could be read";

/// A time as RFC 3339 has it, in UTC; `None` for one that no calendar has.
pub(super) fn date(seconds: i64) -> Option<String> {
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_string())
}

fn day(seconds: i64) -> String {
    date(seconds).map_or_else(|| "at an impossible time".to_owned(), |text| text[..text.len().min(10)].to_owned())
}

/// What text reports say of a finding's history, as name and sentence; nothing for what is no object of git.
pub(super) fn notes(finding: &Finding) -> Vec<(&'static str, String)> {
    let Origin::Object { id, kind, .. } = &finding.origin else { return Vec::new() };
    let kind = kind.map_or("object", ObjectKind::as_str);
    let mut notes = vec![("object", format!("{kind} {id}"))];
    if let Some(provenance) = &finding.provenance {
        notes.extend(brought(provenance, kind).map(|text| ("history", text)));
        notes.push(("now", now(provenance)));
    }
    notes
}

fn brought(provenance: &Provenance, kind: &str) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(first) = provenance.introduced.first() {
        let word = if kind == "commit" { "written" } else { "brought by" };
        let more = match provenance.introduced.len() - 1 {
            0 => String::new(),
            1 => " and by 1 other commit".to_owned(),
            more => format!(" and by {more} other commits"),
        };
        parts.push(format!("{word} {}{more}", described(first)));
    }
    let others = provenance.paths.iter().enumerate().filter(|(at, _)| *at != provenance.first);
    let names: Vec<String> = others.map(|(_, path)| path.display().to_string()).collect();
    if !names.is_empty() {
        let more = if provenance.truncated { " (and more than were followed)" } else { "" };
        parts.push(format!("also at {}{more}", listed(&names)));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn described(commit: &Commit) -> String {
    let id = commit.id.to_string();
    let author = commit.author.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let email = commit.email.as_deref().map(|mail| format!(" <{mail}>")).unwrap_or_default();
    format!("{} {}{author}{email} \"{}\"", &id[..SHORT], day(commit.time), commit.subject)
}

/// Whether it is still there, and what leads to it.
fn now(provenance: &Provenance) -> String {
    if provenance.is_unreachable() {
        return "unreachable: only an object id away".to_owned();
    }
    let mut parts = Vec::new();
    if provenance.in_head {
        parts.push("still in HEAD".to_owned());
    }
    let removed: Vec<String> = provenance
        .removed
        .iter()
        .map(|it| format!("{} by {}", short(&it.reference), &it.commit.to_string()[..SHORT]))
        .collect();
    if !removed.is_empty() {
        let more = match provenance.more_removed {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        parts.push(format!("removed from {}{more}", listed(&removed)));
    }
    parts.extend(reached(provenance));
    if parts.is_empty() {
        parts.push(UNREACHED.to_owned());
    }
    parts.join("; ")
}

fn reached(provenance: &Provenance) -> Option<String> {
    let of = |prefix: &str| -> Vec<String> {
        provenance.references.iter().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    let (branches, tags) = (of("refs/heads/"), of("refs/tags/"));
    let is_other = |name: &&String| !name.starts_with("refs/heads/") && !name.starts_with("refs/tags/");
    let others: Vec<String> = provenance.references.iter().filter(is_other).cloned().collect();
    let groups =
        [(branches, "branch", "branches"), (tags, "tag", "tags"), (others, "other reference", "other references")];
    let said: Vec<String> = groups
        .iter()
        .filter(|group| !group.0.is_empty())
        .map(|(names, one, many)| {
            let noun = if names.len() == 1 { one } else { many };
            let shown = names[..names.len().min(NAMED)].join(", ");
            format!("{} {noun} ({shown}{})", names.len(), if names.len() > NAMED { ", …" } else { "" })
        })
        .collect();
    let more = match provenance.more_references {
        0 => String::new(),
        more => format!(" and {more} more references"),
    };
    (!said.is_empty()).then(|| format!("reached by {}{more}", said.join(", ")))
}

fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").unwrap_or(reference)
}

/// The first few, and how many more there are.
fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        1 => format!("{shown} and 1 other"),
        more => format!("{shown} and {more} others"),
    }
}

/// One secret over all its places.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub rule: String,
    pub secret: String,
    /// How many findings it has.
    pub places: u64,
    /// When the first commit that brought it was written, in seconds since 1970.
    pub first_seen: Option<i64>,
    pub in_head: bool,
    /// A reference leads to one of its places.
    pub reached: bool,
    /// Nothing but object ids leads to any of its places.
    pub unreachable: bool,
}

/// The secrets of a run that were met in the history of a repository; those that were reported.
#[derive(Default)]
pub(super) struct Groups {
    /// By secret, and when each was met first.
    groups: BTreeMap<Identity, (usize, Group)>,
    /// Some finding has a history.
    historic: bool,
}

impl Groups {
    pub(super) fn add(&mut self, finding: &Finding) {
        if finding.verdict != Verdict::Reported {
            return;
        }
        let order = self.groups.len();
        let (_, group) = self.groups.entry(finding.identity()).or_insert_with(|| {
            let (rule, secret) = (finding.rule.id.clone(), finding.redacted.clone());
            let (first_seen, in_head, reached) = (None, false, false);
            (order, Group { rule, secret, places: 0, first_seen, in_head, reached, unreachable: true })
        });
        group.places += 1;
        if let Some(provenance) = &finding.provenance {
            self.historic = true;
            let first = provenance.introduced.iter().map(|commit| commit.time).min();
            group.first_seen = group.first_seen.into_iter().chain(first).min();
            group.in_head |= provenance.in_head;
            group.reached |= !provenance.references.is_empty();
            group.unreachable &= provenance.is_unreachable();
        } else {
            group.reached = true;
            group.unreachable = false;
        }
    }

    /// In the order in which they were met; nothing if no finding has a history.
    pub(super) fn all(&self) -> Vec<(Fingerprint, &Group)> {
        let mut all: Vec<_> = self.groups.iter().filter(|_| self.historic).collect();
        all.sort_by_key(|(_, (order, _))| *order);
        all.into_iter().map(|((fingerprint, _), (_, group))| (*fingerprint, group)).collect()
    }
}

impl Group {
    /// `3 places, first seen 2021-05-03, still in HEAD`.
    pub(super) fn sentence(&self) -> String {
        let places = if self.places == 1 { "1 place".to_owned() } else { format!("{} places", self.places) };
        let first = self.first_seen.map(|time| format!(", first seen {}", day(time))).unwrap_or_default();
        let now = match () {
            () if self.in_head => "still in HEAD",
            () if self.unreachable => "unreachable: only an object id away",
            () if self.reached => "not in HEAD, but in what the repository hands out",
            () => UNREACHED,
        };
        format!("{places}{first}, {now}")
    }
}

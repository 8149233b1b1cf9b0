//! What `json` and `jsonl` say at the end: how many findings became what, what was not read.

use serde::Serialize;

use super::Place;
use crate::baseline::{Key, Known};
use crate::report::history::{self, Groups};
use crate::{coverage, summary};

#[derive(Serialize)]
pub(super) struct Summary {
    reported: u64,
    liveness: Option<Asked>,
    allowed: u64,
    baselined: u64,
    stale: Vec<Entry>,
    expired: Vec<Entry>,
    hidden: u64,
    objects: u64,
    files: u64,
    streams: u64,
    bytes: u64,
    excluded: u64,
    secrets: Vec<Secret>,
    skips: Vec<Skip>,
    interrupted: bool,
    exit_code: u8,
}

/// How many of the findings that count are what.
#[derive(Serialize)]
struct Asked {
    live: u64,
    dead: u64,
    unknown: u64,
}

impl From<summary::Asked> for Asked {
    fn from(asked: summary::Asked) -> Self {
        Asked { live: asked.live, dead: asked.dead, unknown: asked.unknown }
    }
}

/// One secret over all its places.
#[derive(Serialize)]
struct Secret {
    fingerprint: String,
    rule: String,
    secret: String,
    places: u64,
    first_seen: Option<String>,
    in_head: bool,
    unreachable: bool,
}

/// An entry of the baseline.
#[derive(Serialize)]
struct Entry {
    fingerprint: Option<String>,
    rule: String,
    path: String,
    line: Option<u64>,
    commit: Option<String>,
    reason: String,
    by: String,
    added: Option<String>,
    expires: Option<String>,
}

impl From<&Known> for Entry {
    fn from(known: &Known) -> Self {
        let fingerprint = match known.key {
            Key::Fingerprint(fingerprint) => Some(fingerprint.to_string()),
            Key::Sha256(_) | Key::Sha1(_) | Key::Place { .. } => None,
        };
        Entry {
            fingerprint,
            rule: known.rule.clone(),
            path: known.path.clone(),
            line: known.line,
            commit: known.commit.clone(),
            reason: known.reason.clone(),
            by: known.by.clone(),
            added: known.added.map(|day| day.to_string()),
            expires: known.expires.map(|day| day.to_string()),
        }
    }
}

#[derive(Serialize)]
struct Skip {
    #[serde(flatten)]
    origin: Place,
    reason: &'static str,
    detail: String,
    advice: &'static str,
    accepted: bool,
}

impl Summary {
    pub(super) fn new(summary: &summary::Summary, groups: &Groups) -> Self {
        let coverage = &summary.coverage;
        let skip = |skip: &coverage::Skip| Skip {
            origin: (&skip.origin).into(),
            reason: skip.why.as_str(),
            detail: skip.detail.clone(),
            advice: skip.why.advice(),
            accepted: summary.accepted.contains(&skip.why),
        };
        Summary {
            reported: summary.reported,
            liveness: summary.asked.map(Asked::from),
            allowed: summary.allowed,
            baselined: summary.baselined,
            stale: summary.stale.iter().map(Entry::from).collect(),
            expired: summary.expired.iter().map(Entry::from).collect(),
            hidden: summary.hidden,
            objects: coverage.objects,
            files: coverage.files,
            streams: coverage.streams,
            bytes: coverage.bytes,
            excluded: coverage.excluded,
            secrets: secrets(groups),
            skips: coverage.skips.iter().map(skip).collect(),
            interrupted: summary.interrupted,
            exit_code: summary.exit().code(),
        }
    }
}

fn secrets(groups: &Groups) -> Vec<Secret> {
    let secret = |(fingerprint, group): (crate::secret::Fingerprint, &history::Group)| Secret {
        fingerprint: fingerprint.to_string(),
        rule: group.rule.clone(),
        secret: group.secret.clone(),
        places: group.places,
        first_seen: group.first_seen.and_then(history::date),
        in_head: group.in_head,
        unreachable: group.unreachable,
    };
    groups.all().into_iter().map(secret).collect()
}

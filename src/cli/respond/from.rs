//! Reads a report and finds its secrets again. Reports hold no secrets, so the places that they name are scanned once
//! more, and what has a fingerprint of the report counts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Gathered, Scan, Search, add, join};
use crate::cli::message;
use crate::finding::Finding;
use crate::respond::incident::{self, Incident};
use crate::respond::kind::Kind;
use crate::secret::{Fingerprint, Secret};
use crate::source::worktree;

/// What a report names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    fingerprints: BTreeSet<Fingerprint>,
    paths: BTreeSet<PathBuf>,
    /// Something is in an object of git, which need not be a file any more.
    history: bool,
    /// Something is in the index, which need not be what the file has.
    staged: bool,
}

pub(super) fn report(path: &Path, search: &Search, scan: &Scan<'_>) -> Result<Gathered> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = zeroize::Zeroizing::new(text);
    let report = parse(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    if let Some(list) = alerts(&report) {
        return from_alerts(list, search, scan);
    }
    let mut named = named(&report);
    if named.fingerprints.is_empty() {
        bail!("{} names no fingerprint; --from takes our JSON or SARIF, or GitHub's list of alerts", path.display());
    }
    (named.history, named.staged) = (named.history || search.history, named.staged || search.staged);
    let again = scan_again(&named, search, scan)?;
    let again: Vec<_> = again.into_iter().filter(|it| named.fingerprints.contains(&it.fingerprint)).collect();
    let found: BTreeSet<Fingerprint> = again.iter().map(|finding| finding.fingerprint).collect();
    let missing = named.fingerprints.difference(&found).count();
    if missing > 0 {
        message::warning(&format!("{missing} of the report's secrets were not found again where it says they are"));
    }
    Ok(Gathered { incidents: incident::gather(&again), missing })
}

/// Everything that is found where the report says that something is.
fn scan_again(named: &Named, search: &Search, scan: &Scan<'_>) -> Result<Vec<Finding>> {
    let of = |targets: Vec<PathBuf>, history, staged| {
        let mut search = search.clone();
        (search.targets, search.history, search.staged) = (targets, history, staged);
        if search.targets.is_empty() { Ok(Vec::new()) } else { scan(&search) }
    };
    let here = || vec![PathBuf::from(".")];
    let mut findings = Vec::new();
    if named.history {
        findings.extend(of(here(), true, false)?);
    }
    if named.staged {
        findings.extend(of(here(), false, true)?);
    }
    // Paths of SARIF start at the top of the work tree, wherever we are in it.
    let top = worktree::describe(Path::new(".")).map(|it| it.root);
    let mut there = Vec::new();
    for path in &named.paths {
        let below = top.as_ref().map(|top| top.join(path));
        match [Some(path.clone()), below].into_iter().flatten().find(|path| path.exists()) {
            Some(path) => there.push(path),
            None => message::warning(&format!("{} is not there any more", path.display())),
        }
    }
    findings.extend(of(there, false, false)?);
    Ok(findings)
}

/// A document, or one per line.
fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| {
        let lines = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
        lines.collect::<serde_json::Result<Vec<Value>>>().map(Value::Array).map_err(|_| error)
    })
}

/// GitHub's list of alerts.
fn alerts(report: &Value) -> Option<&Vec<Value>> {
    report.as_array().filter(|list| !list.is_empty() && list.iter().all(|alert| alert.get("secret_type").is_some()))
}

/// The list holds the secrets themselves, unless it was asked for without (`hide_secret`); then each alert names one
/// place, which is scanned again.
fn from_alerts(list: &[Value], search: &Search, scan: &Scan<'_>) -> Result<Gathered> {
    let mut gathered = Gathered { incidents: Vec::new(), missing: 0 };
    let (mut places, mut named) = (BTreeSet::new(), Named::default());
    for alert in list {
        let secret = alert.get("secret").and_then(Value::as_str).map(str::as_bytes);
        let place = alert.get("first_location_detected").and_then(|it| Some((it.get("path")?, it.get("start_line")?)));
        let place = place.and_then(|(path, line)| Some((PathBuf::from(path.as_str()?), line.as_u64()?)));
        match (secret.and_then(|secret| Some((secret, Kind::of_prefix(secret)?))), place) {
            (Some((secret, kind)), _) => add(&mut gathered.incidents, Incident::bare(Secret::new(secret), kind)),
            (None, Some((path, line))) => {
                named.paths.insert(path.clone());
                places.insert((path, line));
            }
            (None, None) => gathered.missing += 1,
        }
    }
    named.history = search.history;
    let at = |it: &Finding| {
        let is = |(path, line): &&(PathBuf, u64)| {
            it.region.start.line == *line && it.origin.path().is_some_and(|it| it.ends_with(path))
        };
        places.iter().find(is)
    };
    let again = if places.is_empty() { Vec::new() } else { scan_again(&named, search, scan)? };
    let again: Vec<_> = again.into_iter().filter(|it| at(it).is_some()).collect();
    gathered.missing += places.len() - again.iter().filter_map(at).collect::<BTreeSet<_>>().len();
    join(&mut gathered.incidents, incident::gather(&again));
    if gathered.missing > 0 {
        message::warning(&format!(
            "{} alerts hold no secret of a known kind, and none was found again in the place that they name",
            gathered.missing
        ));
    }
    Ok(gathered)
}

/// Fingerprints and paths, wherever they stand in ours or in SARIF.
fn named(report: &Value) -> Named {
    let mut named = Named::default();
    collect(report, &mut named);
    named
}

fn collect(value: &Value, named: &mut Named) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| collect(one, named)),
        Value::Object(fields) => {
            let allowed = fields.get("verdict").and_then(|verdict| verdict.get("state").or(Some(verdict)));
            if allowed.and_then(Value::as_str).is_some_and(|state| state != "reported")
                || fields.contains_key("suppressions")
            {
                return;
            }
            let in_object = fields.get("origin").is_some_and(|it| it == "object")
                || fields.get("properties").is_some_and(|it| it.get("objectId").is_some());
            named.history |= in_object;
            named.staged |= fields.get("origin").is_some_and(|it| it == "staged");
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("fingerprint", Value::String(text)) => named.fingerprints.extend(Fingerprint::parse(text)),
                    // The others there name lines and results, not secrets.
                    ("partialFingerprints", prints) => {
                        let text = prints.get("stanch/v1").and_then(Value::as_str);
                        named.fingerprints.extend(text.and_then(Fingerprint::parse));
                    }
                    ("fingerprints", _) => {}
                    // The history of an object names paths, too; so do skips, where nothing was found.
                    ("history" | "skips" | "toolExecutionNotifications" | "stale" | "expired", _) => {}
                    ("path" | "locations", _) if in_object => {}
                    ("path", Value::String(text)) => drop(named.paths.insert(archive(text))),
                    ("artifactLocation", location) => {
                        let uri = location.get("uri").and_then(Value::as_str).unwrap_or_default();
                        named.paths.insert(archive(&from_uri(uri).to_string_lossy()));
                    }
                    (_, value) => collect(value, named),
                }
            }
        }
        _ => {}
    }
}

/// The file itself, of a member the archive that it is in.
fn archive(path: &str) -> PathBuf {
    let whole = PathBuf::from(path);
    let file = path.match_indices('!').map(|(at, _)| PathBuf::from(&path[..at])).find(|file| file.is_file());
    if whole.exists() { whole } else { file.unwrap_or(whole) }
}

fn from_uri(uri: &str) -> PathBuf {
    let path = uri.strip_prefix("file://").unwrap_or(uri);
    PathBuf::from(percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ours_and_sarif_name_the_same() {
        let print = Fingerprint::of_strong(b"x");
        let other = Fingerprint::of_strong(b"y").to_string();
        let paths = [PathBuf::from("a b.txt")].into();
        let expected = Named { fingerprints: [print].into(), paths, ..Named::default() };
        let print = print.to_string();
        let ours = json!({ "findings": [
            { "fingerprint": print, "path": "a b.txt", "verdict": { "state": "reported" } },
            { "fingerprint": other, "path": "c.txt", "verdict": { "state": "allowed" } },
        ]});
        assert_eq!(named(&ours), expected);
        let sarif = json!({ "runs": [{ "results": [{
            "partialFingerprints": { "stanch/v1": print },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": "a%20b.txt" } } }],
        }]}]});
        assert_eq!(named(&sarif), expected);
        let lines = format!("{}\n{}\n", json!({ "fingerprint": print, "path": "a b.txt" }), json!({ "x": 1 }));
        assert_eq!(named(&parse(&lines).unwrap()), expected);
    }

    #[test]
    fn alerts_of_github_hold_the_secrets_or_name_a_place() {
        let token = format!("glpat-{}", "x1".repeat(10));
        let list = json!([{ "secret_type": "gitlab", "secret": token }, { "secret_type": "x", "secret": null }]);
        let search = Search::default();
        let gathered = from_alerts(alerts(&list).unwrap(), &search, &|_| unreachable!("no place is named")).unwrap();
        assert_eq!((gathered.incidents.len(), gathered.missing), (1, 1));
        assert!(alerts(&json!([])).is_none());
        let hidden = json!([{ "secret_type": "x", "first_location_detected": { "path": "src", "start_line": 3 } }]);
        let scanned = std::cell::Cell::new(false);
        let scan = |search: &Search| {
            assert_eq!(search.targets, [PathBuf::from("src")]);
            scanned.set(true);
            Ok(Vec::new())
        };
        let gathered = from_alerts(alerts(&hidden).unwrap(), &search, &scan).unwrap();
        assert_eq!((gathered.incidents.len(), gathered.missing, scanned.get()), (0, 1, true));
    }

    #[test]
    fn what_was_found_in_history_is_looked_for_in_history() {
        let print = Fingerprint::of_strong(b"x").to_string();
        let ours = json!({ "findings": [{ "fingerprint": print, "origin": "object", "path": "gone.txt",
            "history": { "paths": [{ "path": "gone.txt" }] } }] });
        let sarif = json!({ "runs": [{ "results": [{
            "partialFingerprints": { "stanch/v1": print },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": "gone.txt" } } }],
            "properties": { "objectId": "00" },
        }]}]});
        for report in [ours, sarif] {
            let named = named(&report);
            assert!(named.history && named.paths.is_empty() && named.fingerprints.len() == 1, "{named:?}");
        }
    }
}

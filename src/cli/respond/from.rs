//! Reads a report and finds its secrets again. Reports hold no secrets, so the places that they name are scanned once
//! more, and what has a fingerprint of the report counts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Gathered, Scan, ScanArgs, add};
use crate::cli::message;
use crate::respond::incident::{self, Incident};
use crate::respond::kind::Kind;
use crate::secret::{Fingerprint, Secret};

/// What a report names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    fingerprints: BTreeSet<Fingerprint>,
    paths: BTreeSet<PathBuf>,
}

pub(super) fn report(path: &Path, args: &ScanArgs, scan: &Scan<'_>) -> Result<Gathered> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = zeroize::Zeroizing::new(text);
    let report = parse(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    if let Some(alerts) = alerts(&report) {
        return Ok(alerts);
    }
    let named = named(&report);
    if named.fingerprints.is_empty() {
        bail!("{} names no fingerprint; --from takes our JSON or SARIF, or GitHub's list of alerts", path.display());
    }
    // What a history holds need not be among the files any more.
    let paths = if args.history { [PathBuf::from(".")].into() } else { named.paths };
    let (there, gone): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.exists());
    for path in gone {
        message::warning(&format!("{} is not there any more", path.display()));
    }
    let findings = if there.is_empty() { Vec::new() } else { scan(&ScanArgs { targets: there, ..args.clone() })? };
    let again: Vec<_> = findings.into_iter().filter(|it| named.fingerprints.contains(&it.fingerprint)).collect();
    let found: BTreeSet<Fingerprint> = again.iter().map(|finding| finding.fingerprint).collect();
    let missing = named.fingerprints.difference(&found).count();
    if missing > 0 {
        message::warning(&format!("{missing} of the report's secrets were not found again where it says they are"));
    }
    Ok(Gathered { incidents: incident::gather(&again), missing })
}

/// A document, or one per line.
fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| {
        let lines = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
        lines.collect::<serde_json::Result<Vec<Value>>>().map(Value::Array).map_err(|_| error)
    })
}

/// GitHub's list of alerts holds the secrets themselves, unless it was asked for without.
fn alerts(report: &Value) -> Option<Gathered> {
    let list = report.as_array()?;
    if list.is_empty() || !list.iter().all(|alert| alert.get("secret_type").is_some()) {
        return None;
    }
    let mut gathered = Gathered { incidents: Vec::new(), missing: 0 };
    for alert in list {
        let secret = alert.get("secret").and_then(Value::as_str).map(str::as_bytes);
        match secret.and_then(|secret| Some((secret, Kind::of_prefix(secret)?))) {
            Some((secret, kind)) => add(&mut gathered.incidents, Incident::bare(Secret::new(secret), kind)),
            None => gathered.missing += 1,
        }
    }
    if gathered.missing > 0 {
        message::warning(&format!("{} alerts have no secret in them, or none of a known kind", gathered.missing));
    }
    Some(gathered)
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
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("fingerprint", Value::String(text)) => named.fingerprints.extend(Fingerprint::parse(text)),
                    ("partialFingerprints" | "fingerprints", Value::Object(prints)) => {
                        let texts = prints.values().filter_map(Value::as_str);
                        named.fingerprints.extend(texts.filter_map(Fingerprint::parse));
                    }
                    ("path", Value::String(text)) => drop(named.paths.insert(PathBuf::from(text))),
                    ("artifactLocation", location) => {
                        let uri = location.get("uri").and_then(Value::as_str).unwrap_or_default();
                        named.paths.insert(from_uri(uri));
                    }
                    (_, value) => collect(value, named),
                }
            }
        }
        _ => {}
    }
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
        let expected = Named { fingerprints: [print].into(), paths: [PathBuf::from("a b.txt")].into() };
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
    fn alerts_of_github_hold_the_secrets() {
        let token = format!("glpat-{}", "x1".repeat(10));
        let list = json!([{ "secret_type": "gitlab", "secret": token }, { "secret_type": "x", "secret": null }]);
        let gathered = alerts(&list).unwrap();
        assert_eq!((gathered.incidents.len(), gathered.missing), (1, 1));
        assert!(alerts(&json!([])).is_none());
    }
}

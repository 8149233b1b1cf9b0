//! Reads what other tools know: a gitleaks report in JSON, and `.secrets.baseline` of detect-secrets.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::baseline::{Key, Known, thousandths};
use crate::place::{Places, slashed};
use crate::secret::{Fingerprint, Secret};

/// What gitleaks (8.30, `report/finding.go`) says of a finding, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Gitleaks {
    #[serde(rename = "RuleID")]
    rule: String,
    file: String,
    start_line: u64,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    entropy: f64,
}

/// The file of detect-secrets (1.5, docs/design.md): findings by file.
#[derive(Deserialize)]
struct DetectSecrets {
    results: BTreeMap<String, Vec<Detected>>,
}

#[derive(Deserialize)]
struct Detected {
    #[serde(rename = "type")]
    kind: String,
    hashed_secret: String,
    line_number: Option<u64>,
    /// What an audit said, if there was one.
    is_secret: Option<bool>,
}

/// Whether the text is JSON and so no baseline of ours.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The entries and the tool that wrote them, or what is wrong with the text: a place, never a part of it.
pub(super) fn read(text: &str, places: &Places) -> Result<(Vec<Known>, &'static str), String> {
    let place = |error: serde_json::Error| format!(" (line {}, column {})", error.line(), error.column());
    if text.trim_start().starts_with('[') {
        let all: Vec<Gitleaks> = serde_json::from_str(text).map_err(place)?;
        return Ok((all.into_iter().map(|one| gitleaks(one, places)).collect(), "gitleaks"));
    }
    let all: DetectSecrets = serde_json::from_str(text).map_err(place)?;
    let mut known = Vec::new();
    for (file, detected) in &all.results {
        for one in detected {
            let bad = || format!(": a hashed_secret of {file:?} is no SHA-1");
            let hash = HEXLOWER_PERMISSIVE.decode(one.hashed_secret.as_bytes()).map_err(|_| bad())?;
            known.push(detect_secrets(one, file, hash.try_into().map_err(|_| bad())?, places));
        }
    }
    Ok((known, "detect-secrets"))
}

fn gitleaks(found: Gitleaks, places: &Places) -> Known {
    let secret = Secret::new(found.secret);
    // `--redact` leaves `REDACTED`, `--redact=50` half of it and three dots.
    let whole = !secret.is_empty() && secret.expose() != b"REDACTED" && !secret.expose().ends_with(b"...");
    Known {
        key: match whole {
            true => Key::Sha256(Fingerprint::of_strong(secret.expose())),
            false => Key::Place { entropy: (found.entropy > 0.0).then(|| thousandths(found.entropy)) },
        },
        rule: found.rule,
        path: path(&found.file, places),
        line: Some(found.start_line),
        reason: "known to gitleaks".to_owned(),
        by: String::new(),
        added: None,
        expires: None,
    }
}

fn detect_secrets(found: &Detected, file: &str, hash: [u8; 20], places: &Places) -> Known {
    let audit = match found.is_secret {
        Some(true) => ", audited as a secret",
        Some(false) => ", audited as none",
        None => "",
    };
    Known {
        key: Key::Sha1(hash),
        rule: found.kind.clone(),
        path: path(file, places),
        line: found.line_number,
        reason: format!("known to detect-secrets{audit}"),
        by: String::new(),
        added: None,
        expires: None,
    }
}

/// The path in the repository. Both tools write it relative to the repository, as a rule, or absolute.
fn path(file: &str, places: &Places) -> String {
    let file = file.replace('\\', "/");
    let top = Places { root: places.root.clone(), base: places.root.clone() };
    String::from_utf8_lossy(&slashed(&top.inside(Path::new(&file)))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places { root: Some("/srv/tree".into()), base: Some("/srv/tree/sub".into()) }
    }

    #[test]
    fn a_redacted_gitleaks_report_knows_places_and_entropies() {
        let entry = |rest: &str| format!("{{\"RuleID\": \"r\", \"File\": \"./a\\\\b\", \"StartLine\": 3{rest}}}");
        let text = format!(
            "[{}, {}, {}, {}]",
            entry(", \"Secret\": \"REDACTED\", \"Entropy\": 3.5004001, \"Match\": \"x\""),
            entry(", \"Secret\": \"abc...\""),
            entry(", \"Secret\": \"abc\", \"Entropy\": 1.5"),
            entry("").replace("./a\\\\b", "/srv/tree/c"),
        );
        let (known, tool) = read(&text, &places()).unwrap();
        assert_eq!(tool, "gitleaks");
        let keys: Vec<_> = known.iter().map(|known| known.key.clone()).collect();
        let whole = Key::Sha256(Fingerprint::of_strong(b"abc"));
        let place = |entropy| Key::Place { entropy };
        assert_eq!(keys, [place(Some(3500)), place(None), whole, place(None)]);
        assert_eq!((known[0].path.as_str(), known[0].line, known[3].path.as_str()), ("a/b", Some(3), "c"));
    }

    #[test]
    fn an_error_repeats_nothing_of_the_file() {
        let secret = "a-very-long-secret-value";
        for text in [
            format!("[{{\"RuleID\": 7, \"Secret\": \"{secret}\"}}]"),
            format!("{{\"results\": {{\"a\": [{{\"type\": \"t\", \"hashed_secret\": \"{secret}\"}}]}}}}"),
            format!("{{\"other\": \"{secret}\"}}"),
            format!("\"{secret}\""),
        ] {
            assert!(is_json(&text));
            let error = read(&text, &places()).map(|_| ()).unwrap_err();
            assert!(!error.contains(secret), "{error}");
        }
    }
}

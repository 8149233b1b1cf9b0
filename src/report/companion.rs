//! What stands beside a secret and belongs to it, as `json` and `sarif` write it and as people read it.

use serde::Serialize;

use crate::finding::{self, Finding};

/// One companion. The fields mean what those of a finding in `json` mean.
#[derive(Serialize)]
pub(super) struct Companion {
    rule: String,
    description: String,
    secret: String,
    fingerprint: String,
    line: u64,
    column: u64,
    end_line: u64,
    end_column: u64,
    byte_offset: u64,
    byte_length: u64,
    decoded: Vec<&'static str>,
}

impl From<&finding::Companion> for Companion {
    fn from(companion: &finding::Companion) -> Self {
        let (start, end) = (companion.region.start, companion.region.end);
        Companion {
            rule: companion.rule.id.clone(),
            description: companion.rule.description.clone(),
            secret: companion.redacted.clone(),
            fingerprint: companion.fingerprint.to_string(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            byte_offset: start.offset,
            byte_length: end.offset.saturating_sub(start.offset),
            decoded: companion.decoded.clone(),
        }
    }
}

/// All companions in one line: `aws-access-key-id AKIA****…WXYZ at 3:9`. Nothing for a finding without any.
pub(super) fn named(finding: &Finding) -> Option<String> {
    let one = |it: &finding::Companion| {
        let start = it.region.start;
        format!("{} {} at {}:{}", it.rule.id, it.redacted, start.line, start.column)
    };
    let all: Vec<String> = finding.companions.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

//! What stands beside a secret and belongs to it, as `json` and `sarif` write it and as people read it.

use serde::Serialize;

use crate::finding::{self, Finding, Region};

/// Where in its object a secret stands, as both write it.
#[derive(Serialize)]
pub(super) struct Span {
    line: u64,
    column: u64,
    end_line: u64,
    end_column: u64,
    byte_offset: u64,
    byte_length: u64,
}

impl From<Region> for Span {
    fn from(Region { start, end }: Region) -> Self {
        Span {
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            byte_offset: start.offset,
            byte_length: end.offset.saturating_sub(start.offset),
        }
    }
}

/// One companion. The fields mean what those of a finding in `json` mean.
#[derive(Serialize)]
pub(super) struct Companion {
    rule: String,
    description: String,
    secret: String,
    fingerprint: String,
    #[serde(flatten)]
    span: Span,
    decoded: Vec<&'static str>,
}

impl From<&finding::Companion> for Companion {
    fn from(companion: &finding::Companion) -> Self {
        Companion {
            rule: companion.rule.id.clone(),
            description: companion.rule.description.clone(),
            secret: companion.redacted.clone(),
            fingerprint: companion.fingerprint.to_string(),
            span: companion.region.into(),
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

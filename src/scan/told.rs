//! Keeps what is found twice from being told twice.

use std::ops::Range;

use crate::chunk::Chunk;
use crate::finding::Finding;
use crate::secret::Fingerprint;

/// What was found in the part of a stream that will be searched again, because its margin has not come yet.
#[derive(Debug, Default)]
pub(super) struct Told {
    findings: Vec<(Range<u64>, String, Option<Fingerprint>)>,
    /// Up to here the object was searched, in bytes of the chunks' text.
    searched: u64,
}

impl Told {
    /// How much of a chunk's part is searched for the first time, in bytes; forgets what is behind it.
    pub(super) fn fresh(&mut self, chunk: &Chunk<'_>) -> u64 {
        let from = chunk.start.offset + chunk.own.start as u64;
        let to = chunk.start.offset + chunk.own.end as u64;
        self.findings.retain(|(span, ..)| span.end > from);
        let fresh = to.saturating_sub(self.searched.max(from));
        self.searched = self.searched.max(to);
        fresh
    }

    /// Whether a finding, or a longer one in its place, was not emitted yet.
    pub(super) fn is_new(&mut self, finding: &Finding) -> bool {
        let span = finding.region.start.offset..finding.region.end.offset;
        let is_in = |known: &Range<u64>| known.start <= span.start && span.end <= known.end;
        // Several secrets may be compressed into one place.
        let name = (!finding.decoded.is_empty()).then_some(finding.fingerprint);
        let is_it = |(place, rule, other): &(Range<u64>, String, Option<Fingerprint>)| {
            is_in(place) && *rule == finding.rule.id && *other == name
        };
        let known = self.findings.iter().any(is_it);
        if !known {
            self.findings.push((span, finding.rule.id.clone(), name));
        }
        !known
    }
}

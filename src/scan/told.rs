//! Keeps what is found twice from being told twice.

use std::collections::{BTreeMap, HashMap};

use crate::chunk::Chunk;
use crate::finding::Finding;
use crate::secret::Fingerprint;

/// Where things were found, from start to end: none of these places lies in another.
type Places = BTreeMap<u64, u64>;

/// What was found in the part of a stream that will be searched again, because its margin has not come yet.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By rule, and by fingerprint where several secrets may be compressed into one place.
    findings: HashMap<(String, Option<Fingerprint>), Places>,
    /// Up to here the object was searched, in bytes of the chunks' text.
    searched: u64,
}

impl Told {
    /// How much of a chunk's part is searched for the first time, in bytes; forgets what is behind it.
    pub(super) fn fresh(&mut self, chunk: &Chunk<'_>) -> u64 {
        let from = chunk.start.offset + chunk.own.start as u64;
        let to = chunk.start.offset + chunk.own.end as u64;
        self.findings.values_mut().for_each(|places| places.retain(|_, end| *end > from));
        self.findings.retain(|_, places| !places.is_empty());
        let fresh = to.saturating_sub(self.searched.max(from));
        self.searched = self.searched.max(to);
        fresh
    }

    /// Whether a finding, or a longer one in its place, was not emitted yet.
    pub(super) fn is_new(&mut self, finding: &Finding) -> bool {
        let (start, end) = (finding.region.start.offset, finding.region.end.offset);
        let name = (!finding.decoded.is_empty()).then_some(finding.fingerprint);
        let places = self.findings.entry((finding.rule.id.clone(), name)).or_default();
        // As none lies in another, the last one to begin before it is also the last of these to end.
        if places.range(..=start).next_back().is_some_and(|(_, known)| end <= *known) {
            return false;
        }
        let within: Vec<u64> =
            places.range(start..).take_while(|place| *place.1 <= end).map(|place| *place.0).collect();
        for place in within {
            places.remove(&place);
        }
        places.insert(start, end);
        true
    }
}

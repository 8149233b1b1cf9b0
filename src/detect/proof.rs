//! Decides offline what a token's own bytes can prove: checksum, structure, expiry.

use crate::finding::{Fact, Proof};
use crate::rule::ProofKind;

/// What a proof found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The outcome.
    pub proof: Proof,
    /// Bytes at the start of what was given that do not belong to the token (text before an instance prefix);
    /// only ever more than 0 when the proof holds without them.
    pub skip: usize,
    /// What the token tells of itself.
    pub facts: Vec<Fact>,
}

/// Proves `token`, escapes already undone. `now` is in seconds since 1970 (UTC), for "expired".
pub fn prove(kind: ProofKind, token: &[u8], now: i64) -> Proven {
    let _ = (kind, token, now);
    Proven { proof: Proof::Absent, skip: 0, facts: Vec::new() }
}

/// Undoes escapes.
pub fn unescape(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    std::borrow::Cow::Borrowed(raw)
}

//! Decides offline what a token's own bytes can prove: checksum, structure, expiry.

pub(super) mod atlassian;

pub(super) mod github;

pub(super) mod gitlab;

pub(super) mod jwt;

pub(super) mod key;

pub use super::escape::unescape;
use crate::finding::{Fact, Proof};
use crate::rule::{Confidence, ProofKind};

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

impl Proven {
    fn holds(why: &str, facts: Vec<Fact>) -> Self {
        Proven { proof: Proof::Holds(why.to_owned()), skip: 0, facts }
    }

    fn fails(why: &str) -> Self {
        Proven { proof: Proof::Fails(why.to_owned()), skip: 0, facts: Vec::new() }
    }

    fn absent() -> Self {
        Proven { proof: Proof::Absent, skip: 0, facts: Vec::new() }
    }
}

impl Proven {
    /// How sure that makes of it; `None` where nothing is decided. What a passphrase guards is no use without it.
    pub(super) fn confidence(&self) -> Option<Confidence> {
        let guarded = || self.facts.iter().any(|fact| fact.name == key::ENCRYPTED && fact.value == "yes");
        match self.proof {
            Proof::Holds(_) => Some(if guarded() { Confidence::Medium } else { Confidence::High }),
            Proof::Fails(_) => Some(Confidence::Low),
            Proof::Absent => None,
        }
    }
}

/// Proves `token`, escapes already undone. `now` is in seconds since 1970 (UTC), for "expired".
pub fn prove(kind: ProofKind, token: &[u8], now: i64) -> Proven {
    match kind {
        ProofKind::GithubCrc32 => github::crc32(token),
        ProofKind::GithubPatSha256 => github::pat_sha256(token),
        ProofKind::GitlabRoutable => gitlab::routable(token),
        ProofKind::AtlassianCrc32 => atlassian::crc32(token),
        ProofKind::DataCenter => atlassian::data_center(token),
        ProofKind::Jwt => jwt::web_token(token, now),
        ProofKind::PrivateKey => key::private_key(token),
    }
}

/// `value` in `digits`, most significant first, padded on the left with the first digit to `width`; only the lowest
/// `width` digits if it needs more.
fn in_base(mut value: u64, digits: &[u8], width: usize) -> Vec<u8> {
    let base = digits.len() as u64;
    let mut text = vec![digits[0]; width];
    for slot in text.iter_mut().rev() {
        *slot = digits[(value % base) as usize];
        value /= base;
    }
    text
}

/// The number that lower-case base36 `text` writes; `None` for other characters, for nothing and beyond 64 bits.
fn from_base36(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    if plain { u64::from_str_radix(text, 36).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base_36_there_and_back() {
        assert_eq!(in_base(1_451_103_464, b"0123456789abcdefghijklmnopqrstuvwxyz", 7), b"0nzy6lk");
        assert_eq!(from_base36(b"0nzy6lk"), Some(1_451_103_464));
        assert_eq!(from_base36(b""), None);
        assert_eq!(from_base36(b"+1"), None);
        assert_eq!(from_base36(b"zzzzzzzzzzzzzzzzzzzz"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_proof_panic(token: Vec<u8>, now: i64) {
            for &kind in ProofKind::ALL {
                prove(kind, &token, now);
            }
        }

        #[test]
        fn nothing_near_a_token_makes_a_proof_panic(
            token in r"(gh[pos]_|github_pat_|glpat-|ATATT3|BBDC-|ghs_1_eyJ)?[A-Za-z0-9_=.-]{0,120}(\.01\.[0-9a-z]{9})?",
            now: i64,
        ) {
            for &kind in ProofKind::ALL {
                let proven = prove(kind, token.as_bytes(), now);
                prop_assert!(proven.skip == 0 || matches!(proven.proof, Proof::Holds(_)));
            }
        }
    }
}

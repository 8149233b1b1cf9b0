//! Decides offline what a token's own bytes can prove: checksum, structure, expiry.

pub(super) mod atlassian;

mod aws;

pub(super) mod azure;

pub(super) mod checksum;

pub(super) mod credentials;

pub(super) mod fly;

pub(super) mod form;

pub(super) mod github;

pub(super) mod gitlab;

pub(super) mod jwt;

pub(super) mod key;
pub(super) mod macaroon;

pub(super) mod vault;

use data_encoding::BASE64_NOPAD;

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
    /// How sure it makes us at most where it holds: a token may be one, and be of no use.
    pub most: Confidence,
}

impl Proven {
    fn holds(why: &str, facts: Vec<Fact>) -> Self {
        Proven { proof: Proof::Holds(why.to_owned()), skip: 0, facts, most: Confidence::High }
    }

    fn fails(why: &str) -> Self {
        Proven { proof: Proof::Fails(why.to_owned()), skip: 0, facts: Vec::new(), most: Confidence::Low }
    }

    /// Nothing is proven, but told.
    fn absent(facts: Vec<Fact>) -> Self {
        Proven { proof: Proof::Absent, skip: 0, facts, most: Confidence::High }
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
        ProofKind::PolarCrc32 => checksum::POLAR.prove(token),
        ProofKind::MatrixCrc32 => checksum::matrix(token),
        ProofKind::GrafanaCrc32 => checksum::GRAFANA.prove(token),
        ProofKind::CloudflareCrc32 => checksum::cloudflare(token),
        ProofKind::CashfreeCrc32 => checksum::CASHFREE.prove(token),
        ProofKind::HoneybadgerCrc32 => checksum::HONEYBADGER.prove(token),
        ProofKind::NatsCrc16 => checksum::nats(token),
        ProofKind::AzureMarvin32 => azure::marvin32(token),
        ProofKind::Base64 => form::base64(token, now),
        ProofKind::Credentials => credentials::pair(token),
        ProofKind::PypiMacaroon => macaroon::pypi(token),
        ProofKind::FlyMacaroon => fly::macaroons(token, now),
        ProofKind::VaultProtobuf => vault::protobuf(token),
        ProofKind::AwsAccount => aws::account(token),
    }
}

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What `text` writes in base64, with the letters of either alphabet, padded or not.
pub(super) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|&byte| byte != b'=')? + 1;
    let letter = |&byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let letters: Vec<u8> = text[..end].iter().map(letter).collect();
    BASE64_NOPAD.decode(&letters).ok()
}

/// Facts are shown up to this many characters: what tells an owner apart is shorter.
const LONGEST_FACT: usize = 200;

/// The fact of that name, unless its value is no line of plain text.
fn fact(name: &'static str, value: &str) -> Option<Fact> {
    let plain = !value.is_empty() && !value.chars().any(char::is_control);
    plain.then(|| Fact { name, value: value.chars().take(LONGEST_FACT).collect() })
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
            token in r"(gh[pos]_|github_pat_|glpat-|ATATT3|BBDC-|ghs_1_eyJ|glsa_|syt_|pypi-Ag|fm2_lJPE|hvs\.CAESI|sk\.eyJ|p\.eyJ|S[AU]|AKIAQ)?[A-Za-z0-9_=.-]{0,120}(\.01\.[0-9a-z]{9})?",
            now: i64,
        ) {
            for &kind in ProofKind::ALL {
                let proven = prove(kind, token.as_bytes(), now);
                prop_assert!(proven.skip == 0 || matches!(proven.proof, Proof::Holds(_)));
            }
        }
    }
}

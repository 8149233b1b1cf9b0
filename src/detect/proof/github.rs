//! GitHub's checksums.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use super::{BASE62, Proven, in_base};

/// Characters of a classic token's body that the checksum covers.
const BODY: usize = 30;
/// Characters of its checksum.
const CHECK: usize = 6;
/// Characters of a fine-grained token that its check covers, prefix included.
const PAT_COVERED: usize = 77;
/// Characters of that check.
const PAT_CHECK: usize = 8;
const PAT_LENGTH: usize = 93;

/// The last six of the 36 characters after the prefix are the CRC-32 (IEEE) of the 30 before, in base62 padded with
/// `0`; the prefix is not covered. Published as an idea in
/// <https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats>, recomputed on 8 public `ghp_`
/// samples. UNVERIFIED for a short `ghr_`; npm's tokens use the same scheme.
pub(super) fn crc32(token: &[u8]) -> Proven {
    let Some(tail) = token.len().checked_sub(BODY + CHECK).map(|at| &token[at..]) else {
        return Proven::fails("too short for GitHub's checksum");
    };
    let (body, check) = tail.split_at(BODY);
    if crc32_of(body) == check {
        Proven::holds("the last six characters are GitHub's CRC-32 of the thirty before them", Vec::new())
    } else {
        Proven::fails("the last six characters are not GitHub's CRC-32 of the thirty before them")
    }
}

/// Base32 (RFC 4648, upper case, no padding) of the SHA-256 of the first 77 characters, its first 8 digits at offset
/// 77. UNVERIFIED: GitHub documents no checksum for this kind and the rule held for one public sample only, so it
/// raises confidence and never lowers it.
pub(super) fn pat_sha256(token: &[u8]) -> Proven {
    if token.len() == PAT_LENGTH && pat_sha256_of(&token[..PAT_COVERED]) == token[PAT_COVERED..][..PAT_CHECK] {
        Proven::holds("characters 78 to 85 are the base32 SHA-256 of the 77 before them", Vec::new())
    } else {
        Proven::absent(Vec::new())
    }
}

fn crc32_of(body: &[u8]) -> Vec<u8> {
    in_base(crc32fast::hash(body).into(), BASE62, CHECK)
}

fn pat_sha256_of(covered: &[u8]) -> Vec<u8> {
    let mut digits = BASE32_NOPAD.encode(&Sha256::digest(covered)).into_bytes();
    digits.truncate(PAT_CHECK);
    digits
}

/// Makes `token`'s checksum right. `None` if it is too short to have one.
pub(in crate::detect) fn seal_crc32(token: &mut [u8]) -> Option<()> {
    let body = token.len().checked_sub(BODY + CHECK)?;
    let check = crc32_of(&token[body..][..BODY]);
    token[body + BODY..].copy_from_slice(&check);
    Some(())
}

/// Makes a fine-grained token's check right. `None` if it has another length.
pub(in crate::detect) fn seal_pat_sha256(token: &mut [u8]) -> Option<()> {
    if token.len() != PAT_LENGTH {
        return None;
    }
    let check = pat_sha256_of(&token[..PAT_COVERED]);
    token[PAT_COVERED..][..PAT_CHECK].copy_from_slice(&check);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use proptest::prelude::*;

    #[test]
    fn the_published_revoked_sample_holds() {
        // gist coolaj86/eb8cddfd3e4251258712dfed03e1f86d, revoked; in pieces so that no file holds a live-looking token.
        let token = ["ghp_", "zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ", "0mLq17"].concat();
        assert!(matches!(crc32(token.as_bytes()).proof, Proof::Holds(_)));
    }

    #[test]
    fn a_placeholder_fails() {
        let token = ["ghp_", "0123456789abcdefghij", "0123456789abcdef"].concat();
        assert!(matches!(crc32(token.as_bytes()).proof, Proof::Fails(_)));
    }

    #[test]
    fn a_fine_grained_token_without_the_check_is_not_doubted() {
        let token = ["github_pat_", &"1A".repeat(11), "_", &"zY9".repeat(19), "ab"].concat();
        assert_eq!(token.len(), PAT_LENGTH);
        assert_eq!(pat_sha256(token.as_bytes()).proof, Proof::Absent);
    }

    proptest! {
        #[test]
        fn sealed_holds_and_any_other_body_fails(body in "gh[pousr]_[0-9A-Za-z]{36}", at in 4usize..40, to in "[0-9A-Za-z]") {
            let mut token = body.into_bytes();
            seal_crc32(&mut token).unwrap();
            prop_assert!(matches!(crc32(&token).proof, Proof::Holds(_)));
            prop_assume!(token[at] != to.as_bytes()[0]);
            token[at] = to.as_bytes()[0];
            prop_assert!(matches!(crc32(&token).proof, Proof::Fails(_)));
        }

        #[test]
        fn a_sealed_fine_grained_token_holds(body in "github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}") {
            let mut token = body.into_bytes();
            seal_pat_sha256(&mut token).unwrap();
            prop_assert!(matches!(pat_sha256(&token).proof, Proof::Holds(_)));
        }
    }
}

//! Atlassian's checksums, and the structure of its Data Center tokens.

use data_encoding::{BASE64, HEXUPPER};

use super::Proven;
use crate::finding::Fact;

/// Characters of the checksum.
const CHECK: usize = 8;
/// Random bytes of a Data Center token.
const RANDOM: usize = 20;
const DATA_CENTER_PREFIX: &[u8] = b"BBDC-";

/// The last eight characters are the CRC-32 (IEEE) of everything before them, prefix and `=` included, in upper-case
/// hexadecimal. Recomputed on public samples of `ATBB`, `ATATT3` and `ATCTT3` (the scheme as Samsung/CredSweeper reads
/// it). UNVERIFIED for `ATSTT3`.
pub(super) fn crc32(token: &[u8]) -> Proven {
    let Some((covered, check)) = token.len().checked_sub(CHECK).map(|at| token.split_at(at)) else {
        return Proven::fails("too short for Atlassian's checksum");
    };
    if check_of(covered).as_bytes() == check {
        Proven::holds("the last eight characters are the CRC-32 of everything before them", Vec::new())
    } else {
        Proven::fails("the last eight characters are not the CRC-32 of what stands before them")
    }
}

/// Base64 of `<decimal id>:<20 random bytes>`, after an optional `BBDC-`. Verified on one public sample with the
/// prefix (Bitbucket) and one without (Jira). Twenty bytes that are all ASCII were written, not drawn: random ones are
/// so once in 2^20, and base64 of `<AWS account>:<text>` would pass otherwise. UNVERIFIED: that ids have 12 digits.
pub(super) fn data_center(token: &[u8]) -> Proven {
    let text = token.strip_prefix(DATA_CENTER_PREFIX).unwrap_or(token);
    let Ok(raw) = BASE64.decode(text) else {
        return Proven::fails("not base64");
    };
    let Some((head, random)) = raw.len().checked_sub(RANDOM).map(|at| raw.split_at(at)) else {
        return Proven::fails("too short for <id>:<20 bytes>");
    };
    let Some(id) = head.strip_suffix(b":").and_then(decimal) else {
        return Proven::fails("does not decode to <id>:<20 bytes>");
    };
    if random.is_ascii() {
        return Proven::fails("the 20 bytes after the id are text, not random");
    }
    let facts = vec![Fact { name: "data_center.id", value: id.to_owned() }];
    Proven::holds("decodes to a decimal id and 20 random bytes", facts)
}

fn decimal(digits: &[u8]) -> Option<&str> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(digits).ok() } else { None }
}

fn check_of(covered: &[u8]) -> String {
    HEXUPPER.encode(&crc32fast::hash(covered).to_be_bytes())
}

/// Makes `token`'s checksum right. `None` if it is too short to have one.
pub(in crate::detect) fn seal_crc32(token: &mut [u8]) -> Option<()> {
    let at = token.len().checked_sub(CHECK)?;
    let check = check_of(&token[..at]);
    token[at..].copy_from_slice(check.as_bytes());
    Some(())
}

/// A Data Center token with that id.
pub(in crate::detect) fn make_data_center(prefixed: bool, id: u64, random: [u8; RANDOM]) -> Vec<u8> {
    let raw = [format!("{id:012}:").as_bytes(), &random].concat();
    let prefix = if prefixed { DATA_CENTER_PREFIX } else { b"" };
    [prefix, BASE64.encode(&raw).as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use proptest::prelude::*;

    #[test]
    fn the_public_app_password_holds_and_its_near_miss_fails() {
        // Samsung/CredSweeper's samples; in pieces so that no file holds a live-looking token.
        let good = ["ATBB", "cCe6fczW96Vz", "wgvb4r8F2gZS", "54D591C4"].concat();
        assert!(matches!(crc32(good.as_bytes()).proof, Proof::Holds(_)));
        let near = ["ATBB", "cXe6fczW96Vz", "wgvb4r8F2gZS", "54D591C4"].concat();
        assert!(matches!(crc32(near.as_bytes()).proof, Proof::Fails(_)));
    }

    #[test]
    fn base64_of_an_account_and_a_name_is_no_token() {
        let text = BASE64.encode(b"123456789012:role/SomeAdminRole12");
        assert_eq!(text.len(), 44);
        assert!(matches!(data_center(text.as_bytes()).proof, Proof::Fails(_)));
    }

    proptest! {
        #[test]
        fn sealed_holds_and_any_other_body_fails(
            body in "ATCTT3xFfGN0[0-9A-Za-z_-]{20,200}=[0-9A-F]{8}", at: prop::sample::Index, to in "[0-9A-F]",
        ) {
            let mut token = body.into_bytes();
            seal_crc32(&mut token).unwrap();
            prop_assert!(matches!(crc32(&token).proof, Proof::Holds(_)));
            let at = at.index(token.len());
            prop_assume!(token[at] != to.as_bytes()[0]);
            token[at] = to.as_bytes()[0];
            prop_assert!(matches!(crc32(&token).proof, Proof::Fails(_)));
        }

        #[test]
        fn a_made_data_center_token_holds(prefixed: bool, id in 0u64..1_000_000_000_000, mut random: [u8; 20]) {
            random[7] |= 0x80;
            let token = make_data_center(prefixed, id, random);
            prop_assert_eq!(token.len(), if prefixed { 49 } else { 44 });
            let proven = data_center(&token);
            prop_assert!(matches!(proven.proof, Proof::Holds(_)));
            prop_assert_eq!(&proven.facts[0].value, &format!("{id:012}"));
        }
    }
}

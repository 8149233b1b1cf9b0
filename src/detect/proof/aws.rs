//! The account that an AWS key id names.

use data_encoding::BASE32_NOPAD;

use super::{Proven, fact};

/// Letters of the prefix, which says what the id is of.
const PREFIX: usize = 4;
/// The first letter behind the prefix in ids that hold their account; those of before 2019 begin lower.
const FIRST: u8 = b'Q';

/// Of the ten bytes that base32 behind the prefix encodes, bits 1 to 40 are the account's number. Not documented by
/// AWS; recomputed on the public sample of account 029608264753 (Tal Be'ery, "A short note on AWS
/// KEY ID", 2023). A fact, and no proof: any letters give a number.
pub(super) fn account(token: &[u8]) -> Proven {
    Proven::absent(number(token).and_then(|number| fact("aws.account", &format!("{number:012}"))).into_iter().collect())
}

fn number(token: &[u8]) -> Option<u64> {
    let body = token.get(PREFIX..).filter(|body| body.first().is_some_and(|&letter| letter >= FIRST))?;
    let raw = BASE32_NOPAD.decode(body).ok()?;
    let bits = raw.first_chunk::<6>()?.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte));
    let number = (bits & 0x7FFF_FFFF_FF80) >> 7;
    (number < 1_000_000_000_000).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_samples_account_is_read() {
        // In pieces so that no file holds a live-looking id.
        let id = ["ASIAQNZG", "KIQY56JQ7WML"].concat();
        assert_eq!(account(id.as_bytes()).facts[0].value, "029608264753");
        for none in ["AKIAIOSFODNN7EXAMPLE", "AKIA", "AKIAQ", "AKIAQ0000000000000001"] {
            assert!(account(none.as_bytes()).facts.is_empty(), "{none}");
        }
    }
}

//! Vault's signed tokens, in Protocol Buffers.

use data_encoding::BASE64URL_NOPAD;

use super::{Proven, from_base64};

const PREFIX: &[u8] = b"hvs.";
/// Bytes of the signature, an HMAC of SHA-256.
const SIGNED: usize = 32;
/// A dot and the namespace's id, behind the random part of what is made.
const NAMESPACE: &[u8] = b".n4mSp";
/// Letters of the random part.
const RANDOM: usize = 24;

/// Behind `hvs.` stands base64url of `SignedToken` (hashicorp/vault, vault/tokens/token.proto): version 1, a signature
/// of 32 bytes, and a token whose first field is `hvs.` and letters again. Read in the sample of
/// <https://developer.hashicorp.com/vault/tutorials/tokens/tokens>. The short form, `hvs.` and 24 letters, has nothing
/// to check, so this only raises.
pub(super) fn protobuf(token: &[u8]) -> Proven {
    let signed = token.strip_prefix(PREFIX).and_then(from_base64).is_some_and(|raw| is_signed(&raw));
    if signed { Proven::holds("decodes to a signed token of Vault's", Vec::new()) } else { Proven::absent(Vec::new()) }
}

fn is_signed(raw: &[u8]) -> bool {
    let inner = |raw: &[u8]| {
        let rest = raw.strip_prefix(&[0x08, 1, 0x12, SIGNED as u8])?.get(SIGNED..)?;
        let mut rest = rest.strip_prefix(&[0x1A])?;
        let length = varint(&mut rest)?;
        (length == rest.len() as u64).then_some(())?;
        let mut rest = rest.strip_prefix(&[0x0A])?;
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        Some(rest.get(..length)?.starts_with(PREFIX))
    };
    inner(raw).unwrap_or(false)
}

/// A number of seven bits a byte, least significant first, as Protocol Buffers and macaroons have them; it is taken
/// from `rest`. `None` if it does not end, or has more than 63 bits.
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let length = rest.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    let (bytes, behind) = rest.split_at(length);
    *rest = behind;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7F)))
}

/// A signed token of a namespace, as HCP's are: its inner part alone is no short form.
pub(in crate::detect) fn make(signature: [u8; SIGNED], letters: [u8; RANDOM]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letters = letters.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]);
    let length = (PREFIX.len() + RANDOM + NAMESPACE.len()) as u8;
    let raw = [
        &[0x08, 1, 0x12, SIGNED as u8][..],
        &signature,
        &[0x1A, length + 2, 0x0A, length],
        PREFIX,
        &letters,
        NAMESPACE,
    ]
    .concat();
    [PREFIX, BASE64URL_NOPAD.encode(&raw).as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use proptest::prelude::*;

    #[test]
    fn the_tutorials_token_holds() {
        // In pieces so that no file holds a live-looking token.
        let token =
            ["hvs.CAESIJRM-T1q5lEjIWux1Tjx-VGqAYJdd4FZtbp1", "wpD5Ym9pGh4KHGh2cy5TSjRndGoxaU44NzNscm5MSlRLQXZ0ZGg"]
                .concat();
        assert!(protobuf(token.as_bytes()).proof.holds());
        assert_eq!(protobuf(&token.as_bytes()[..90]).proof, Proof::Absent);
    }

    #[test]
    fn numbers_of_several_bytes_are_read() {
        let mut rest = &[0xAC, 0x02, 7][..];
        assert_eq!((varint(&mut rest), rest), (Some(300), &[7][..]));
        assert_eq!(varint(&mut &[0xFF; 12][..]), None);
        assert_eq!(varint(&mut &[][..]), None);
    }

    proptest! {
        #[test]
        fn made_holds(signature: [u8; 32], letters in prop::array::uniform24(any::<u8>())) {
            prop_assert!(protobuf(&make(signature, letters)).proof.holds());
        }
    }
}

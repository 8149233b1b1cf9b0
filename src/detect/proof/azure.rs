//! Marvin32, the checksum in the keys of Azure's services.

use data_encoding::BASE64_NOPAD;

use super::{Proven, fact, from_base64};

/// Bytes of the checksum.
const CHECK: usize = 4;
/// Characters behind the four of the signature: the checksum, and what base64 shares with the bytes before it.
const AFTER: usize = 6;
/// The least and the greatest size of a key, in bytes.
const SIZES: std::ops::RangeInclusive<usize> = 32..=64;

/// A seed is eight letters, read as a number most significant byte first, and says what the key is for.
const SEEDS: &[(&[u8; 8], &str)] = &[
    (b"Functi00", "function"),
    (b"Master00", "host, master"),
    (b"System00", "system"),
    (b"PAdmin00", "admin"),
    (b"Query000", "query"),
    (b"Default0", ""),
    (b"SendRecv", "send and receive"),
    (b"MastRW00", "master, read and write"),
    (b"MastRO00", "master, read only"),
    (b"SystRW00", "system, read and write"),
    (b"SystRO00", "system, read only"),
    (b"SysAll00", "system, all"),
    (b"Resour00", "resource"),
    (b"Encryp00", "encryption of data"),
    (b"AbAcct00", "account"),
    (b"Tenant00", "direct management"),
    (b"IoTHub00", "IoT hub, or subscription"),
    (b"Gatewy00", "gateway"),
    (b"GitKey00", "repository"),
    (b"Send0000", "send"),
    (b"Manage00", "manage"),
    (b"Listen00", "listen"),
    (b"Unknown0", ""),
    (b"DpsKey00", "device provisioning"),
    (b"Device00", "device"),
    (b"Access00", "access"),
    (b"ACRDflt0", "registry"),
];

/// Signatures of keys that were recomputed: only of these does a wrong checksum say anything.
const RECOMPUTED: &[&[u8; 4]] = &[b"AzFu", b"AzSe", b"+ASt", b"ACDb", b"+ABa", b"APIM", b"+ACR"];

/// The last four bytes of what base64 encodes are the Marvin32 of those before them, least significant first:
/// `ValidateChecksum` in microsoft/security-utilities, IdentifiableSecrets.cs, with the seeds of
/// IdentifiableMetadata.cs. Recomputed on the keys of its Rust tests (identifiable_scans.rs), one for each signature of
/// [`RECOMPUTED`]; Marvin32 itself on the vectors of microsoft/SymCrypt. UNVERIFIED: keys with another signature
/// (Service Bus, Event Hubs, Relay, IoT, Event Grid, Cache for Redis, which replaces letters); these it only raises.
pub(super) fn marvin32(token: &[u8]) -> Proven {
    let raw = from_base64(token).filter(|raw| SIZES.contains(&raw.len()));
    let purpose = raw.and_then(|raw| {
        let (covered, check) = raw.split_at(raw.len() - CHECK);
        SEEDS.iter().find(|(seed, _)| marvin32_of(covered, seed) == check)
    });
    if let Some((_, purpose)) = purpose {
        let facts = fact("azure.purpose", purpose).into_iter().collect();
        return Proven::holds("the last four bytes are the Marvin32 of those before them", facts);
    }
    if RECOMPUTED.iter().any(|known| signature(token) == Some(*known)) {
        Proven::fails("the last four bytes are not the Marvin32 of those before them, with no seed of Azure's")
    } else {
        Proven::absent(Vec::new())
    }
}

/// The four characters before the checksum.
fn signature(token: &[u8]) -> Option<&[u8; 4]> {
    let end = token.iter().rposition(|&byte| byte != b'=')? + 1;
    token[..end.checked_sub(AFTER)?].last_chunk()
}

/// Makes the token's checksum right, with the seed that stands first. `None` if it is no base64.
pub(in crate::detect) fn seal(token: &mut [u8]) -> Option<()> {
    // What was drawn may have bits in its last letter that no byte has.
    let last = token.iter().rposition(|&byte| byte != b'=')?;
    token[last] = b'A';
    let mut raw = from_base64(token).filter(|raw| SIZES.contains(&raw.len()))?;
    let at = raw.len() - CHECK;
    let check = marvin32_of(&raw[..at], SEEDS[0].0);
    raw[at..].copy_from_slice(&check);
    let text = BASE64_NOPAD.encode(&raw);
    let url = token.iter().any(|byte| matches!(byte, b'-' | b'_'));
    // Padding stays where it is, in whatever way it is written.
    for (old, new) in token.iter_mut().zip(text.bytes()) {
        *old = match new {
            b'+' if url => b'-',
            b'/' if url => b'_',
            letter => letter,
        };
    }
    Some(())
}

/// Marvin32 (US patent 8,578,049 B2; microsoft/SymCrypt, lib/marvin32.c), both halves folded into one.
fn marvin32_of(bytes: &[u8], seed: &[u8; 8]) -> [u8; CHECK] {
    let [low, high] = marvin(bytes, u64::from_be_bytes(*seed));
    (low ^ high).to_le_bytes()
}

fn marvin(bytes: &[u8], seed: u64) -> [u32; 2] {
    let (mut low, mut high) = (seed as u32, (seed >> 32) as u32);
    let mut mix = |word: u32| {
        low = low.wrapping_add(word);
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        high = high.rotate_left(19);
    };
    let (words, rest) = bytes.as_chunks::<4>();
    words.iter().for_each(|word| mix(u32::from_le_bytes(*word)));
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    mix(u32::from_le_bytes(last));
    mix(0);
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use proptest::prelude::*;

    #[test]
    fn symcrypts_vectors_hold() {
        let number = |bytes: &[u8], seed| {
            let [low, high] = marvin(bytes, seed);
            u64::from(high) << 32 | u64::from(low)
        };
        assert_eq!(number(b"abc", 0xD53C_D9CE_CD08_93B7), 0x22C7_4339_4927_69BF);
        assert_eq!(number(b"abcdefghijklmnopqrstuvwxyz", 0x0DDD_DEEE_EFFF_F000), 0xA128_EB7E_7260_ACA2);
        assert_eq!(number(b"", 0x004F_B61A_001B_DBCC), 0x30ED_35C1_00CD_3C7D);
    }

    #[test]
    fn the_keys_of_microsofts_tests_hold() {
        for (letter, count, end, purpose) in [
            ("a", 42, "AzSeCjhzCu", Some("query")),
            ("a", 76, "+ABa13FZVQ==", Some("account")),
            ("a", 76, "+ASt5mnCaw==", None),
            ("a", 76, "ACDbOpqrYA==", Some("encryption of data")),
            ("a", 76, "APIMHbKhsQ==", Some("direct management")),
            ("d", 42, "+ACRCUDxQE", Some("registry")),
            ("d", 44, "AzFu182vhA==", Some("system")),
        ] {
            let key = letter.repeat(count) + end;
            let proven = marvin32(key.as_bytes());
            assert!(proven.proof.holds(), "{end}: {proven:?}");
            assert_eq!(proven.facts.first().map(|fact| fact.value.as_str()), purpose);
            let wrong = format!("b{}", &key[1..]);
            assert!(matches!(marvin32(wrong.as_bytes()).proof, Proof::Fails(_)), "{end}");
        }
    }

    #[test]
    fn a_kind_that_was_not_recomputed_is_not_doubted() {
        let key = "a".repeat(33) + "+ASbABCDEF=";
        assert_eq!(marvin32(key.as_bytes()).proof, Proof::Absent);
    }

    proptest! {
        #[test]
        fn a_sealed_key_holds(body in "[0-9A-Za-z+/]{76}[+]ASt[0-9A-Za-z+/]{5}[AQgw]==") {
            let mut token = body.into_bytes();
            seal(&mut token).unwrap();
            prop_assert!(marvin32(&token).proof.holds());
        }
    }
}

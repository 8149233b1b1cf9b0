//! Checksums that stand at the end of a token.

use data_encoding::{BASE32_NOPAD, HEXLOWER};

use super::{BASE62, Proven, fact, from_base64, in_base};

/// The CRC-32 (IEEE) of a part of the token in its last characters.
pub(in crate::detect) struct Crc32 {
    covered: Covered,
    /// Characters of the checksum.
    width: usize,
    write: fn(u32, usize) -> Vec<u8>,
    holds: &'static str,
    fails: &'static str,
}

/// What a checksum covers.
enum Covered {
    /// So many characters in front of it.
    Last(usize),
    /// Everything before the underscore in front of it.
    Before,
    /// So many characters before that underscore.
    LastBefore(usize),
    /// Everything before it.
    All,
}

/// The last 6 of the 43 characters behind the prefix are the CRC-32 of the 37 before, in base62: `generate_token` in
/// polarsource/polar, server/polar/kit/crypto.py. Recomputed on two public samples.
pub(in crate::detect) const POLAR: Crc32 = Crc32 {
    covered: Covered::Last(37),
    width: 6,
    write: base62,
    holds: "the last six characters are the CRC-32 of the 37 before them",
    fails: "the last six characters are not the CRC-32 of the 37 before them",
};

/// `syt_<localpart>_<random>_<CRC-32 of all before this underscore, in base62>`: `generate_access_token` in
/// element-hq/synapse, synapse/handlers/auth.py. Recomputed on one public sample.
pub(in crate::detect) const MATRIX: Crc32 = Crc32 {
    covered: Covered::Before,
    width: 6,
    write: base62,
    holds: "the last six characters are the CRC-32 of everything before the underscore",
    fails: "the last six characters are not the CRC-32 of what stands before the underscore",
};

/// `glsa_<secret>_<CRC-32 of all before this underscore>`, its bytes least significant first, in hexadecimal:
/// `CalculateChecksum` in grafana/grafana, pkg/components/satokengen/tokengen.go. Recomputed on the vector of
/// tokengen_test.go.
pub(in crate::detect) const GRAFANA: Crc32 = Crc32 {
    covered: Covered::Before,
    width: 8,
    write: |crc, _| HEXLOWER.encode(&crc.to_le_bytes()).into_bytes(),
    holds: "the last eight digits are the CRC-32 of everything before the underscore",
    fails: "the last eight digits are not the CRC-32 of what stands before the underscore",
};

/// The last 8 characters are the CRC-32 of the 40 before, in hexadecimal. Cloudflare says that there is a checksum
/// (<https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/>) and not which; recomputed on one
/// public sample of `cfut_`. UNVERIFIED for `cfat_` and `cfk_`, which it only raises.
pub(in crate::detect) const CLOUDFLARE: Crc32 = Crc32 {
    covered: Covered::Last(40),
    width: 8,
    write: |crc, _| HEXLOWER.encode(&crc.to_be_bytes()).into_bytes(),
    holds: "the last eight digits are the CRC-32 of the forty characters before them",
    fails: "the last eight digits are not the CRC-32 of the forty characters before them",
};

/// `cfsk_ma_<environment>_<32 digits>_<CRC-32 of these digits, in hexadecimal>`. UNVERIFIED: Cashfree says nothing of a
/// checksum; recomputed on ten public secrets, of production and of the sandbox.
pub(in crate::detect) const CASHFREE: Crc32 = Crc32 {
    covered: Covered::LastBefore(32),
    width: 8,
    write: |crc, _| HEXLOWER.encode(&crc.to_be_bytes()).into_bytes(),
    holds: "the last eight digits are the CRC-32 of the 32 digits before the underscore",
    fails: "the last eight digits are not the CRC-32 of the 32 digits before the underscore",
};

/// The last 6 characters are the CRC-32 of all before them, the prefix too, in base62 whose small letters stand before
/// its capitals. UNVERIFIED: Honeybadger says nothing of a checksum; recomputed on four public keys.
pub(in crate::detect) const HONEYBADGER: Crc32 = Crc32 {
    covered: Covered::All,
    width: 6,
    write: |crc, width| in_base(crc.into(), BASE62_SMALL_FIRST, width),
    holds: "the last six characters are the CRC-32 of everything before them",
    fails: "the last six characters are not the CRC-32 of what stands before them",
};

const BASE62_SMALL_FIRST: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn base62(crc: u32, width: usize) -> Vec<u8> {
    in_base(crc.into(), BASE62, width)
}

impl Crc32 {
    pub(super) fn prove(&self, token: &[u8]) -> Proven {
        match self.check_of(token) {
            Some(check) if token.ends_with(&check) => Proven::holds(self.holds, Vec::new()),
            _ => Proven::fails(self.fails),
        }
    }

    /// What must stand at the token's end.
    fn check_of(&self, token: &[u8]) -> Option<Vec<u8>> {
        let head = &token[..token.len().checked_sub(self.width)?];
        let covered = match self.covered {
            Covered::Last(count) => last(head, count)?,
            Covered::Before => head.strip_suffix(b"_")?,
            Covered::LastBefore(count) => last(head.strip_suffix(b"_")?, count)?,
            Covered::All => head,
        };
        Some((self.write)(crc32fast::hash(covered), self.width))
    }

    /// Makes the token's checksum right. `None` if it has no place for one.
    pub(in crate::detect) fn seal(&self, token: &mut [u8]) -> Option<()> {
        let check = self.check_of(token)?;
        let at = token.len() - check.len();
        token[at..].copy_from_slice(&check);
        Some(())
    }
}

fn last(bytes: &[u8], count: usize) -> Option<&[u8]> {
    Some(&bytes[bytes.len().checked_sub(count)?..])
}

/// As [`CLOUDFLARE`].
pub(super) fn cloudflare(token: &[u8]) -> Proven {
    let proven = CLOUDFLARE.prove(token);
    if proven.proof.holds() || token.starts_with(b"cfut_") { proven } else { Proven::absent(Vec::new()) }
}

/// As [`MATRIX`], and the localpart of the user's name, which stands in base64 between the first underscores.
pub(super) fn matrix(token: &[u8]) -> Proven {
    let mut proven = MATRIX.prove(token);
    let user = token.split(|&byte| byte == b'_').nth(1).and_then(from_base64);
    if proven.proof.holds() {
        proven.facts.extend(user.and_then(|user| fact("matrix.user", std::str::from_utf8(&user).ok()?)));
    }
    proven
}

/// Bytes of a seed that its checksum covers: two of prefix, and the key.
const SEED: usize = 34;
/// The first byte's upper five bits, by which base32 gives `S`.
const SEED_PREFIX: u8 = 18 << 3;

/// Base32 of two bytes of prefix, 32 of key, and their CRC-16 (XMODEM), least significant byte first:
/// <https://github.com/nats-io/nkeys/blob/main/strkey.go>. Recomputed on the seed of its creds_utils_test.go.
pub(super) fn nats(token: &[u8]) -> Proven {
    let raw = BASE32_NOPAD.decode(token).ok().filter(|raw| raw.len() == SEED + 2 && raw[0] & 0xF8 == SEED_PREFIX);
    let Some(raw) = raw else { return Proven::fails("base32 of no nkey seed") };
    let (covered, check) = raw.split_at(SEED);
    if check != crc16(covered).to_le_bytes() {
        return Proven::fails("the last two bytes are not the CRC-16 of those before them");
    }
    // The kind's five bits lie across both bytes of the prefix.
    let kind = match covered[0] << 5 | (covered[1] & 0xF8) >> 3 {
        0 => "account",
        0x10 => "cluster",
        0x68 => "server",
        0x70 => "operator",
        0xA0 => "user",
        0xB8 => "curve",
        _ => "",
    };
    let facts = fact("nats.kind", kind).into_iter().collect();
    Proven::holds("the last two bytes are the CRC-16 of those before them", facts)
}

/// Makes the checksum of a seed right. `None` if it is none.
pub(in crate::detect) fn seal_nats(token: &mut [u8]) -> Option<()> {
    // A last character may have bits that no byte has.
    let last = token.last_mut()?;
    *last = b'A';
    let mut raw = BASE32_NOPAD.decode(token).ok().filter(|raw| raw.len() == SEED + 2)?;
    let check = crc16(&raw[..SEED]).to_le_bytes();
    raw[SEED..].copy_from_slice(&check);
    token.copy_from_slice(BASE32_NOPAD.encode(&raw).as_bytes());
    Some(())
}

/// CRC-16/XMODEM: polynomial 0x1021, from 0, not reflected.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_vectors_hold() {
        // grafana/grafana tokengen_test.go, in pieces so that no file holds a live-looking token.
        let grafana = ["glsa_iNValIdinValiD", "invalidinvalidinva", "_5b582697"].concat();
        assert!(GRAFANA.prove(grafana.as_bytes()).proof.holds());
        // By zlib's CRC-32, in pieces as well: what tells the two apart is which characters it covers and how it is written.
        let cashfree = ["cfsk_ma_test_", "0123456789abcdef", "fedcba9876543210", "_fb63c46d"].concat();
        assert!(CASHFREE.prove(cashfree.as_bytes()).proof.holds());
        let honeybadger = ["hbp_", "0123456789", "abcdefghij", "ABCDEFGHIJ", "2K9T18"].concat();
        assert!(HONEYBADGER.prove(honeybadger.as_bytes()).proof.holds());
        // nats-io/nkeys creds_utils_test.go.
        let seed = ["SUAOTBNEUHZDFJT3EUMELT7MQTP2", "4JF3XVCXQNDSCU74G5IU6VAJBKH5LI"].concat();
        let proven = nats(seed.as_bytes());
        assert!(proven.proof.holds() && proven.facts[0].value == "user", "{proven:?}");
        assert_eq!(crc16(b"123456789"), 0x31C3, "the check value of CRC-16/XMODEM");
    }

    #[test]
    fn the_name_is_told_only_of_a_token_that_holds() {
        let mut token = b"syt_YWxpY2U_abcdefghijklmnopqrst_000000".to_vec();
        assert!(matrix(&token).facts.is_empty());
        MATRIX.seal(&mut token).unwrap();
        assert_eq!(matrix(&token).facts[0].value, "alice");
    }

    proptest! {
        #[test]
        fn sealed_holds_and_any_other_character_fails(
            body in "[0-9A-Za-z]{40}", at: prop::sample::Index, to in "[0-9a-z]", which in 0usize..6,
        ) {
            let crc = [&POLAR, &MATRIX, &GRAFANA, &CLOUDFLARE, &CASHFREE, &HONEYBADGER][which];
            let covered = match crc.covered {
                Covered::Last(count) | Covered::LastBefore(count) => &body[..count],
                Covered::Before | Covered::All => &body[..],
            };
            let between = if matches!(crc.covered, Covered::Before | Covered::LastBefore(_)) { "_" } else { "" };
            let mut token = format!("{covered}{between}{}", "0".repeat(crc.width)).into_bytes();
            crc.seal(&mut token).unwrap();
            prop_assert!(crc.prove(&token).proof.holds());
            let at = at.index(token.len());
            prop_assume!(token[at] != to.as_bytes()[0]);
            token[at] = to.as_bytes()[0];
            prop_assert!(!crc.prove(&token).proof.holds());
        }

        #[test]
        fn a_sealed_seed_holds(body in "S[ACNOUX][A-Z2-7]{56}") {
            let mut token = body.into_bytes();
            seal_nats(&mut token).unwrap();
            prop_assert!(nats(&token).proof.holds(), "{:?}", nats(&token));
        }
    }
}

//! OpenPGP secret keys (RFC 9580): the first packet tells all that is asked.

use data_encoding::{BASE64, HEXUPPER};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::der::bits;
use super::{Bad, Key, Read};

/// Object ids of curves.
const CURVES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "EC P-256"),
    (&[0x2b, 0x81, 4, 0, 0x22], "EC P-384"),
    (&[0x2b, 0x81, 4, 0, 0x23], "EC P-521"),
    (&[0x2b, 0x81, 4, 0, 0x0a], "EC secp256k1"),
    (&[0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1], "Ed25519"),
    (&[0x2b, 6, 1, 4, 1, 0x97, 0x55, 1, 5, 1], "X25519"),
];

/// A packet: its type, its body as far as it is there, and the length that was promised.
struct Packet<'b> {
    tag: u8,
    body: &'b [u8],
    len: usize,
    rest: &'b [u8],
}

/// The packets of a block, the first of which is a secret key; `checksum` is what the armour says.
pub(super) fn secret_key(bytes: &[u8], checksum: Option<&[u8]>) -> Read<Key> {
    let first = packet(bytes)?;
    if !matches!(first.tag, 5 | 7) {
        let public = matches!(first.tag, 6 | 14);
        return Err(if public { Bad::Public("it is a public key") } else { Bad::Wrong(NONE) });
    }
    let cut = first.body.len() < first.len;
    let key = match key(&first) {
        Ok(_) | Err(Bad::Short) if cut => {
            return Err(Bad::Cut { there: first.body.len(), stated: first.len });
        }
        Err(Bad::Short) => return Err(Bad::Wrong(NONE)),
        read => read?,
    };
    if checksum.is_some_and(|digits| BASE64.decode(digits).is_ok_and(|sum| sum != crc24(bytes))) {
        return Err(Bad::Wrong("the checksum of its armour is wrong"));
    }
    Ok(key)
}

const NONE: &str = "what it decodes to is no OpenPGP key";

fn packet(bytes: &[u8]) -> Read<Packet<'_>> {
    let first = *bytes.first().ok_or(Bad::Wrong(NONE))?;
    let byte = |at: usize| bytes.get(at).map(|&byte| usize::from(byte)).ok_or(Bad::Short);
    let many = |from: usize, to: usize| (from..to).try_fold(0, |sum: usize, at| Ok(sum << 8 | byte(at)?));
    let (tag, header, len) = match first {
        0xc0.. => match byte(1)? {
            len @ 0..192 => (first & 0x3f, 2, len),
            high @ 192..224 => (first & 0x3f, 3, ((high - 192) << 8) + byte(2)? + 192),
            255 => (first & 0x3f, 6, many(2, 6)?),
            _ => return Err(Bad::Wrong(NONE)),
        },
        0x80.. => match first & 3 {
            0 => (first >> 2 & 15, 2, byte(1)?),
            1 => (first >> 2 & 15, 3, many(1, 3)?),
            2 => (first >> 2 & 15, 5, many(1, 5)?),
            _ => return Err(Bad::Wrong(NONE)),
        },
        _ => return Err(Bad::Wrong(NONE)),
    };
    let behind = bytes.get(header..).ok_or(Bad::Short)?;
    let (body, rest) = behind.split_at(len.min(behind.len()));
    Ok(Packet { tag, body, len, rest })
}

/// Version, time, algorithm, public numbers; then how the private ones are kept: 0 is plainly.
fn key(packet: &Packet<'_>) -> Read<Key> {
    let body = packet.body;
    let byte = |at: usize| body.get(at).copied().ok_or(Bad::Short);
    let version = byte(0)?;
    let fields = match version {
        3 => 8,
        4 => 6,
        5 | 6 => 10,
        _ => return Err(Bad::Wrong(NONE)),
    };
    let algorithm = byte(if version == 3 { 7 } else { 5 })?;
    let (kind, len) = public(algorithm, body.get(fields..).ok_or(Bad::Short)?)?;
    let (end, usage) = (fields + len, byte(fields + len)?);
    // GnuPG's mark for a secret half that is kept elsewhere stands behind the cipher, the kind 101 and the hash.
    let gnu = body.get(end + 2..end + 7).is_some_and(|text| text[0] == 101 && text.ends_with(b"GNU"));
    if gnu && !has_subkey(packet.rest) {
        return Err(Bad::Public("its private half is not in it"));
    }
    let public = &body[..end];
    let prefix = |first: u8| [&[first][..], &(public.len() as u16).to_be_bytes()].concat();
    let name = match version {
        4 => Some(HEXUPPER.encode(&Sha1::new().chain_update(prefix(0x99)).chain_update(public).finalize())),
        6 => {
            let prefix = [&[0x9b][..], &(public.len() as u32).to_be_bytes()].concat();
            Some(HEXUPPER.encode(&Sha256::new().chain_update(prefix).chain_update(public).finalize()))
        }
        _ => None,
    };
    Ok(Key { format: "an OpenPGP key", kind, encrypted: Some(usage != 0), public: name })
}

fn has_subkey(mut bytes: &[u8]) -> bool {
    while let Ok(next) = packet(bytes) {
        if next.tag == 7 {
            return true;
        }
        bytes = next.rest;
    }
    false
}

/// What the algorithm is called, and how long its public numbers are.
fn public(algorithm: u8, bytes: &[u8]) -> Read<(String, usize)> {
    let number = |at: usize| -> Read<usize> {
        let count = bytes.get(at..at + 2).ok_or(Bad::Short)?;
        Ok(2 + usize::from(u16::from_be_bytes([count[0], count[1]])).div_ceil(8))
    };
    let numbers = |from: usize, count: usize| (0..count).try_fold(from, |at, _| Ok(at + number(at)?));
    let size = || -> Read<usize> { Ok(bits(bytes.get(2..number(0)?).ok_or(Bad::Short)?)) };
    let curve = || -> Read<(String, usize)> {
        let len = usize::from(*bytes.first().ok_or(Bad::Short)?);
        let id = bytes.get(1..1 + len).ok_or(Bad::Short)?;
        let name = CURVES.iter().find(|(known, _)| *known == id).map_or("EC", |(_, name)| *name);
        Ok((name.to_owned(), numbers(1 + len, 1)?))
    };
    match algorithm {
        1..=3 => Ok((format!("RSA {}", size()?), numbers(0, 2)?)),
        16 | 20 => Ok((format!("ElGamal {}", size()?), numbers(0, 3)?)),
        17 => Ok((format!("DSA {}", size()?), numbers(0, 4)?)),
        // Behind the point: the length of what derives a key from it.
        18 => curve().and_then(|(name, end)| Ok((name, end + 1 + usize::from(*bytes.get(end).ok_or(Bad::Short)?)))),
        19 | 22 => curve(),
        25 => Ok(("X25519".to_owned(), 32)),
        26 => Ok(("X448".to_owned(), 56)),
        27 => Ok(("Ed25519".to_owned(), 32)),
        28 => Ok(("Ed448".to_owned(), 57)),
        _ => Err(Bad::Wrong(NONE)),
    }
}

/// RFC 9580 section 6.1.1.
pub(super) fn crc24(bytes: &[u8]) -> [u8; 3] {
    let sum = bytes.iter().fold(0x00b7_04ce_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 16, |sum, _| {
            let sum = sum << 1;
            if sum & 0x0100_0000 == 0 { sum } else { sum ^ 0x0186_4cfb }
        })
    });
    let [_, high, middle, low] = sum.to_be_bytes();
    [high, middle, low]
}

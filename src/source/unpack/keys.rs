//! Private keys in binary files, as the text (PEM) that tools write of the same keys.
//!
//! DER of PKCS#1 (RFC 8017), PKCS#8 (RFC 5958), SEC1 (RFC 5915), PKCS#12 (RFC 7292), and Java's key stores, JKS and JCEKS
//! (`sun.security.provider.JavaKeyStore`, `com.sun.crypto.provider.JceKeyStore`). A rule knows keys by their text, so that
//! a key has one fingerprint however it is written. Certificates and public keys give nothing.

use std::ops::{Range, RangeInclusive};

use data_encoding::BASE64;
use memchr::memmem;
use zeroize::Zeroizing;

/// Longest file that is looked into, in bytes. The list of authorities that Java comes with has 200 kB.
pub(super) const LONGEST: usize = 4 << 20;

/// Most keys of one file that are told; those behind stay in it as bytes.
const MOST: usize = 1000;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.12.10.1.1 and .2 with tag and length: bags of PKCS#12 with a key, plain or encrypted.
const BAG: [u8; 12] = [OBJECT, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];

/// 1.3.6.1.4.1.42.2.17.1.1 and 1.3.6.1.4.1.42.2.19.1: what JKS and JCEKS encrypt keys with.
const SUN_PROTECTOR: [u8; 12] = [OBJECT, 10, 0x2b, 6, 1, 4, 1, 0x2a, 2, 0x11, 1, 1];
const SUN_TRIPLE_DES: [u8; 11] = [OBJECT, 9, 0x2b, 6, 1, 4, 1, 0x2a, 2, 0x13, 1];

/// Bytes of the heads of the two sequences before such a number; that of the inner one has two.
const HEADS: RangeInclusive<usize> = 4..=6;

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A key as text, with its name in the file; empty if the file is the key.
pub(super) struct Block {
    pub name: String,
    pub text: Zeroizing<Vec<u8>>,
}

/// Whether something that begins so may hold a key. No text begins so.
pub(super) fn is_keys(head: &[u8]) -> bool {
    is_store(head) || label(head).is_some() || is_pkcs12(head)
}

/// The magic number of JKS or of JCEKS, and a version.
fn is_store(head: &[u8]) -> bool {
    let magic = head.starts_with(b"\xFE\xED\xFE\xED") || head.starts_with(b"\xCE\xCE\xCE\xCE");
    magic && matches!(head.get(4..8), Some([0, 0, 0, 1 | 2]))
}

/// The keys of a file, in their order.
pub(super) fn blocks(file: &[u8]) -> Vec<Block> {
    let alone = |label| vec![Block { name: String::new(), text: pem(label, whole(file)) }];
    let mut blocks = match () {
        () if is_store(file) => store(file),
        () if is_pkcs12(file) => bags(file),
        () => label(file).map_or_else(Vec::new, alone),
    };
    blocks.truncate(MOST);
    blocks
}

/// The tag of an element, and where its contents stand, which may be cut off.
fn element(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
    let (header, len) = match first {
        ..=0x7f => (2, usize::from(first)),
        0x81..=0x84 => {
            let digits = bytes.get(2..2 + usize::from(first & 0x7f))?;
            (2 + digits.len(), digits.iter().fold(0usize, |len, &digit| len << 8 | usize::from(digit)))
        }
        _ => return None,
    };
    Some((tag, header..header.checked_add(len)?))
}

/// The element without what follows it; all there is of one that is cut off.
fn whole(bytes: &[u8]) -> &[u8] {
    let end = element(bytes).map_or(0, |(_, contents)| contents.end);
    &bytes[..end.min(bytes.len())]
}

fn inside(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (tag, contents) = element(bytes)?;
    Some((tag, bytes.get(contents.start..)?))
}

/// What PEM calls a private key in DER, told by its first fields; `None` for anything else.
fn label(der: &[u8]) -> Option<&'static str> {
    let (SEQUENCE, fields) = inside(der)? else { return None };
    let (_, first) = element(fields)?;
    let second = fields.get(first.end..)?;
    match (fields, element(second)?.0) {
        ([INTEGER, 1, 0 | 1, ..], SEQUENCE) if is_algorithm(second) => Some("PRIVATE KEY"),
        ([INTEGER, 1, 1, ..], OCTET_STRING) => Some("EC PRIVATE KEY"),
        // A modulus and a short exponent, or two primes.
        ([INTEGER, 1, 0 | 1, ..], INTEGER) => {
            let modulus = element(second)?.1;
            let exponent = element(second.get(modulus.end..)?)?;
            let long = modulus.len() >= 32 && exponent.0 == INTEGER;
            long.then_some(if exponent.1.len() > 8 { "DSA PRIVATE KEY" } else { "RSA PRIVATE KEY" })
        }
        ([SEQUENCE, ..], OCTET_STRING) if is_algorithm(fields) => Some(ENCRYPTED),
        _ => None,
    }
}

/// A sequence that begins with the number of an algorithm.
fn is_algorithm(der: &[u8]) -> bool {
    inside(der).is_some_and(|(tag, fields)| tag == SEQUENCE && matches!(fields, [OBJECT, 1..0x20, ..]))
}

/// Version 3, then contents with a number of their kind.
fn is_pkcs12(der: &[u8]) -> bool {
    let fields = inside(der).filter(|(tag, _)| *tag == SEQUENCE).map(|(_, fields)| fields);
    fields.and_then(|fields| fields.strip_prefix(&[INTEGER, 1, 3])).is_some_and(is_algorithm)
}

/// The keys in the safes of a PKCS#12 store that are not encrypted, wherever they stand. Writers put keys there, each
/// encrypted for itself, and only certificates into safes that are encrypted.
fn bags(file: &[u8]) -> Vec<Block> {
    let keys = memmem::find_iter(file, &BAG).filter_map(|at| {
        let (_, key) = inside(file.get(at + BAG.len() + 1..)?)?;
        Some(pem(label(key)?, whole(key)))
    });
    keys.zip(1..).map(|(text, number)| Block { name: format!("key {number}"), text }).collect()
}

/// PEM of RFC 7468.
fn pem(label: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let digits = Zeroizing::new(BASE64.encode(der));
    let mut text = Zeroizing::new(Vec::with_capacity(digits.len() * 65 / 64 + 100));
    text.extend(format!("-----BEGIN {label}-----\n").bytes());
    for line in digits.as_bytes().chunks(64) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend(format!("-----END {label}-----\n").bytes());
    text
}

/// The private keys of a key store of Java's; each has a password. What protects them is named by one of two numbers, which
/// nothing else in a store has.
fn store(file: &[u8]) -> Vec<Block> {
    let numbers = memmem::find_iter(file, &SUN_PROTECTOR).chain(memmem::find_iter(file, &SUN_TRIPLE_DES));
    let mut places: Vec<usize> = numbers.collect();
    places.sort_unstable();
    let keys = places.into_iter().filter_map(|number| {
        let starts = HEADS.filter_map(|heads| number.checked_sub(heads));
        let mut keys = starts.map(|at| whole(&file[at..])).filter(|key| label(key) == Some(ENCRYPTED));
        keys.next().map(|key| pem(ENCRYPTED, key))
    });
    keys.zip(1..).map(|(text, number)| Block { name: format!("key {number}"), text }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, 0x82], &(contents.len() as u16).to_be_bytes()[..], contents].concat()
    }

    fn encrypted(algorithm: &[u8]) -> Vec<u8> {
        let algorithm = [&[SEQUENCE, algorithm.len() as u8 + 2], algorithm, &[5, 0]].concat();
        element(SEQUENCE, &[algorithm, element(OCTET_STRING, &[7; 300])].concat())
    }

    /// As short as the key of a curve.
    fn short(algorithm: &[u8]) -> Vec<u8> {
        let algorithm = [&[SEQUENCE, algorithm.len() as u8 + 2], algorithm, &[5, 0]].concat();
        let inside = [&algorithm[..], &[OCTET_STRING, 100], &[7; 100]].concat();
        [&[SEQUENCE, 0x81, inside.len() as u8], &inside[..]].concat()
    }

    fn texts(file: &[u8]) -> Vec<(String, String)> {
        assert!(is_keys(&file[..file.len().min(512)]));
        let text = |block: Block| (block.name, String::from_utf8(block.text.to_vec()).unwrap());
        blocks(file).into_iter().map(text).collect()
    }

    #[test]
    fn each_key_of_a_java_key_store_is_a_block_and_certificates_are_none() {
        let (one, two) = (encrypted(&SUN_PROTECTOR), encrypted(&SUN_TRIPLE_DES));
        let (jks, jceks) = ([0xFE, 0xED, 0xFE, 0xED], [0xCE, 0xCE, 0xCE, 0xCE]);
        let between = element(SEQUENCE, &[1; 500]);
        for magic in [jks, jceks] {
            let head = [&magic[..], &[0, 0, 0, 2, 0, 0, 0, 3]].concat();
            let small = short(&SUN_PROTECTOR);
            let found = texts(&[&head[..], &two, &between, &one, &small, b"sum"].concat());
            let wanted = [("key 1".to_owned(), &two), ("key 2".to_owned(), &one), ("key 3".to_owned(), &small)];
            let wanted = wanted.map(|(name, der)| (name, String::from_utf8(pem(ENCRYPTED, der).to_vec()).unwrap()));
            assert_eq!(found, wanted);
            assert_eq!(texts(&[&head[..], &between].concat()), []);
        }
    }

    #[test]
    fn a_key_ends_where_it_says_and_one_that_is_cut_is_told_as_far_as_it_goes() {
        let key = encrypted(&SUN_PROTECTOR);
        let alone = texts(&key);
        assert!(alone[0].1.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII"), "{}", alone[0].1);
        assert_eq!(texts(&[&key[..], b"\r\n"].concat()), alone);
        assert!(texts(&key[..200])[0].1.len() < alone[0].1.len());
    }

    #[test]
    fn text_certificates_and_public_keys_are_no_keys() {
        let oid = [OBJECT, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
        let public = element(SEQUENCE, &[&[SEQUENCE, 13][..], &oid, &[5, 0], &element(3, &[0; 270])].concat());
        let certificate = element(SEQUENCE, &element(SEQUENCE, &[0xa0, 3, 2, 1, 2, 2, 1, 7]));
        for file in [
            &public[..],
            &certificate,
            b"0.1.2\n",
            b"0",
            b"",
            b"{}",
            &[0x30, 0x80, 2, 1, 0],
            &[0xFE, 0xED, 0xFE, 0xED, 9],
        ] {
            assert!(!is_keys(file), "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300), head in 0usize..6, at: prop::sample::Index) {
            let key = encrypted(&SUN_PROTECTOR);
            let heads: [&[u8]; 6] = [b"", b"0\x82\x01\x30\x02\x01\0", b"\xFE\xED\xFE\xED\0\0\0\x02", b"\xCE\xCE\xCE\xCE\0\0\0\x02", b"0\x82\x09\x30\x02\x01\x03\x30\x0b\x06\x09", &key];
            let mut file = [heads[head], &bytes].concat();
            is_keys(&file);
            blocks(&file);
            if !file.is_empty() {
                let at = at.index(file.len());
                file[at] ^= 0xFF;
                blocks(&file[..at]);
                blocks(&file);
            }
        }
    }
}

//! Private keys in DER: PKCS#1 (RFC 8017), PKCS#8 (RFC 5958), SEC1 (RFC 5915), DSA as OpenSSL writes it, PKCS#12 (RFC 7292).

use super::{Bad, Key, Read, ssh};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Least modulus that anybody has called an RSA key, in bits.
pub(super) const LEAST_RSA: usize = 256;

/// Object ids, without tag and length, and what reports call them.
const CURVES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], "P-192"),
    (&[0x2b, 0x81, 4, 0, 0x21], "P-224"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256"),
    (&[0x2b, 0x81, 4, 0, 0x22], "P-384"),
    (&[0x2b, 0x81, 4, 0, 0x23], "P-521"),
    (&[0x2b, 0x81, 4, 0, 0x0a], "secp256k1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7], "brainpoolP256r1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 11], "brainpoolP384r1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 13], "brainpoolP512r1"),
    (&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x82, 0x2d], "SM2"),
];
const RSA: &[&[u8]] =
    &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
/// RFC 8410; FIPS 203 and 204 as NIST registered them; Diffie-Hellman.
const OTHERS: &[(&[u8], &str)] = &[
    (&[0x2b, 0x65, 0x6e], "X25519"),
    (&[0x2b, 0x65, 0x6f], "X448"),
    (ED25519, "Ed25519"),
    (&[0x2b, 0x65, 0x71], "Ed448"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17], "ML-DSA-44"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18], "ML-DSA-65"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19], "ML-DSA-87"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 1], "ML-KEM-512"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 2], "ML-KEM-768"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 3], "ML-KEM-1024"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 3, 1], "DH"),
];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
/// 1.2.840.113549.1.12.10.1; the last number is the kind of bag.
const BAGS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];

/// The elements of a constructed one, in their order.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    /// Tag and contents of the next one. Only definite lengths below 4 GiB.
    fn next(&mut self) -> Read<(u8, &'b [u8])> {
        let (tag, header, len) = head(self.0)?;
        let contents = self.0.get(header..header + len).ok_or(Bad::Short)?;
        self.0 = &self.0[header + len..];
        Ok((tag, contents))
    }

    fn want(&mut self, tag: u8) -> Read<&'b [u8]> {
        let (found, contents) = self.next()?;
        if found == tag { Ok(contents) } else { Err(Bad::Wrong("its fields are not those of a private key")) }
    }

    /// A number that is not negative, without the zero before it.
    fn number(&mut self) -> Read<&'b [u8]> {
        match self.want(INTEGER)? {
            [0, rest @ ..] => Ok(rest),
            number @ [1..=0x7f, ..] => Ok(number),
            _ => Err(Bad::Wrong("a number in it is negative")),
        }
    }

    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Bad::Wrong("something follows the key")) }
    }
}

/// Tag, length of tag and length, and length of the contents.
fn head(bytes: &[u8]) -> Read<(u8, usize, usize)> {
    let (tag, first) = (*bytes.first().ok_or(Bad::Short)?, *bytes.get(1).ok_or(Bad::Short)?);
    match usize::from(first) {
        len @ ..=0x7f => Ok((tag, 2, len)),
        more if (0x81..=0x84).contains(&more) => {
            let digits = bytes.get(2..2 + (more & 0x7f)).ok_or(Bad::Short)?;
            let len = digits.iter().fold(0, |len, &digit| len << 8 | u64::from(digit));
            Ok((tag, 2 + digits.len(), usize::try_from(len).map_err(|_| Bad::Short)?))
        }
        _ => Err(Bad::Wrong("it is no DER")),
    }
}

/// Any private key, told by its fields.
pub(super) fn private_key(bytes: &[u8]) -> Read<Key> {
    const NONE: Bad = Bad::Wrong("what it decodes to is no private key");
    let (tag, header, len) = head(bytes).map_err(|_| NONE)?;
    let stated = header.saturating_add(len);
    let inside = &bytes[header..bytes.len().min(stated)];
    if tag != SEQUENCE || bytes.len() > stated {
        return Err(NONE);
    }
    match (sequence(inside), bytes.len() < stated) {
        (Ok(_) | Err(Bad::Short), true) => Err(Bad::Cut { there: bytes.len(), stated }),
        (Err(Bad::Short), false) => Err(NONE),
        (read, _) => read,
    }
}

fn sequence(inside: &[u8]) -> Read<Key> {
    let mut fields = Fields(inside);
    if fields.tag() == Some(SEQUENCE) {
        return encrypted(fields);
    }
    let version = fields.want(INTEGER)?;
    match (version, fields.tag().ok_or(Bad::Short)?) {
        ([0 | 1], SEQUENCE) => pkcs8(fields),
        ([0 | 1], INTEGER) => numbers(fields),
        ([1], OCTET_STRING) => sec1(fields, None, "a SEC1 key"),
        ([3], SEQUENCE) => pkcs12(fields),
        _ => Err(Bad::Wrong("its fields are not those of a private key")),
    }
}

/// PKCS#8, encrypted: the algorithm and an octet string. A public key has a bit string there, a certificate a sequence.
fn encrypted(mut fields: Fields<'_>) -> Read<Key> {
    let mut algorithm = Fields(fields.want(SEQUENCE)?);
    if fields.tag() != Some(OCTET_STRING) {
        return Err(Bad::Public("it is public: a public key or a certificate"));
    }
    algorithm.want(OBJECT)?;
    fields.want(OCTET_STRING)?;
    fields.end()?;
    Ok(Key { format: "an encrypted PKCS#8 key", kind: String::new(), encrypted: Some(true), public: None })
}

fn pkcs8(mut fields: Fields<'_>) -> Read<Key> {
    let mut algorithm = Fields(fields.want(SEQUENCE)?);
    let id = algorithm.want(OBJECT)?;
    let key = fields.want(OCTET_STRING)?;
    let mut public = None;
    while let Some(tag) = fields.tag() {
        let (_, contents) = fields.next()?;
        match tag {
            // Attributes, and the public key as a bit string that leaves no bits over.
            0xa0 => {}
            0x81 => public = contents.split_first().map(|(_, public)| public),
            0xa1 => public = Fields(contents).want(BIT_STRING).ok().and_then(<[u8]>::split_first).map(|(_, rest)| rest),
            _ => return Err(Bad::Wrong("its fields are not those of a private key")),
        }
    }
    let format = "a PKCS#8 key";
    if RSA.contains(&id) || id == EC {
        let mut outer = Fields(key);
        let mut inner = Fields(outer.want(SEQUENCE)?);
        inner.want(INTEGER)?;
        let key = if id == EC { sec1(inner, algorithm.next().ok(), format)? } else { numbers(inner)? };
        return Ok(Key { format, ..key });
    }
    let kind = match id {
        DSA => format!("DSA {}", bits(Fields(algorithm.want(SEQUENCE)?).number()?)),
        _ => name(OTHERS, id),
    };
    // A number, or an octet string; for what is new, anything that is DER.
    if key.is_empty() {
        return Err(Bad::Wrong("there is no key in it"));
    }
    let public = public.filter(|_| id == ED25519).map(|public| ssh::fingerprint(&[b"ssh-ed25519", public]));
    Ok(Key { format, kind, encrypted: Some(false), public })
}

/// PKCS#1 has eight numbers behind the version, and others for more than two primes; DSA has five.
fn numbers(mut fields: Fields<'_>) -> Read<Key> {
    let mut all = Vec::new();
    while fields.tag() == Some(INTEGER) && all.len() < 9 {
        all.push(fields.number()?);
    }
    // What is cut off is not there to be counted.
    if all.len() < 5 || (all.len() > 5 && all.len() < 8) {
        return Err(if fields.0.is_empty() { Bad::Short } else { Bad::Wrong("a number is missing in it") });
    }
    if let [p, q, g, y, _] = all[..] {
        fields.end()?;
        let public = ssh::fingerprint_of_numbers(b"ssh-dss", &[p, q, g, y]);
        let kind = format!("DSA {}", bits(p));
        return Ok(Key { format: "a DSA key", kind, encrypted: Some(false), public: Some(public) });
    }
    if fields.tag() == Some(SEQUENCE) {
        fields.want(SEQUENCE)?;
    }
    fields.end()?;
    let (modulus, exponent) = (all[0], all[1]);
    if bits(modulus) < LEAST_RSA || exponent.len() > modulus.len() {
        return Err(Bad::Wrong("its numbers are not those of an RSA key"));
    }
    let public = ssh::fingerprint_of_numbers(b"ssh-rsa", &[exponent, modulus]);
    let kind = format!("RSA {}", bits(modulus));
    Ok(Key { format: "a PKCS#1 key", kind, encrypted: Some(false), public: Some(public) })
}

/// The fields behind the version; the curve may be named outside, in PKCS#8.
fn sec1(mut fields: Fields<'_>, outer: Option<(u8, &[u8])>, format: &'static str) -> Read<Key> {
    let number = fields.want(OCTET_STRING)?;
    let (mut curve, mut point) = (outer, None);
    while let Some(tag) = fields.tag() {
        let (_, contents) = fields.next()?;
        match tag {
            0xa0 => curve = Some(Fields(contents).next()?),
            0xa1 => point = Fields(contents).want(BIT_STRING)?.split_first().map(|(_, point)| point),
            _ => return Err(Bad::Wrong("its fields are not those of a private key")),
        }
    }
    if !(14..=72).contains(&number.len()) {
        return Err(Bad::Wrong("its number is not that of an EC key"));
    }
    let curve = match curve {
        Some((OBJECT, id)) => name(CURVES, id),
        Some(_) => "with a curve of its own".to_owned(),
        None => String::new(),
    };
    let ssh_curve = match curve.as_str() {
        "P-256" => Some("nistp256"),
        "P-384" => Some("nistp384"),
        "P-521" => Some("nistp521"),
        _ => None,
    };
    let public = ssh_curve
        .zip(point)
        .map(|(curve, point)| ssh::fingerprint(&[format!("ecdsa-sha2-{curve}").as_bytes(), curve.as_bytes(), point]));
    Ok(Key { format, kind: format!("EC {curve}").trim_end().to_owned(), encrypted: Some(false), public })
}

/// The safes that are not encrypted tell what they hold; where all are, nobody can tell without the password.
fn pkcs12(mut fields: Fields<'_>) -> Read<Key> {
    let safes = data(Fields(fields.want(SEQUENCE)?))?.ok_or(Bad::Wrong("its fields are not those of PKCS#12"))?;
    if fields.tag().is_some() {
        fields.want(SEQUENCE)?;
    }
    fields.end()?;
    let mut safes = Fields(Fields(safes).want(SEQUENCE)?);
    let (mut hidden, mut shrouded) = (false, None);
    while safes.tag().is_some() {
        let Some(bags) = data(Fields(safes.want(SEQUENCE)?))? else {
            hidden = true;
            continue;
        };
        let mut bags = Fields(Fields(bags).want(SEQUENCE)?);
        while bags.tag().is_some() {
            let mut bag = Fields(bags.want(SEQUENCE)?);
            match bag.want(OBJECT)?.strip_prefix(BAGS) {
                Some([1]) => {
                    let key = private_key(bag.want(0xa0)?).map_err(|_| Bad::Wrong("the key in it is none"))?;
                    return Ok(Key { format: "a PKCS#12 store with a key", ..key });
                }
                Some([2]) => shrouded = Some(true),
                _ => {}
            }
        }
    }
    if shrouded.is_none() && !hidden {
        return Err(Bad::Public("there is no private key in the store"));
    }
    Ok(Key { format: "a PKCS#12 store", kind: String::new(), encrypted: Some(true), public: None })
}

/// The contents of a `ContentInfo` that is plain; `None` for an encrypted one.
fn data<'b>(mut info: Fields<'b>) -> Read<Option<&'b [u8]>> {
    match info.want(OBJECT)? {
        DATA => Fields(info.want(0xa0)?).want(OCTET_STRING).map(Some),
        ENCRYPTED_DATA => Ok(None),
        _ => Err(Bad::Wrong("its fields are not those of PKCS#12")),
    }
}

/// The length of a number without leading zeros, in bits.
pub(super) fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// What a table calls an object id; its numbers where it does not.
fn name(table: &[(&[u8], &str)], id: &[u8]) -> String {
    table.iter().find(|(known, _)| *known == id).map_or_else(|| dotted(id), |(_, name)| (*name).to_owned())
}

/// `1.2.840.113549`: seven bits a byte, the first two numbers in one.
fn dotted(id: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0u64;
    for &byte in id {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte < 0x80 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                number -= first * 40;
            }
            numbers.push(std::mem::take(&mut number));
        }
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

/// An element; `len` of one that is to be short in tests is the caller's.
pub(super) fn write(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = contents.len();
    let mut bytes = vec![tag];
    match len {
        0..0x80 => bytes.push(len as u8),
        0x80..0x100 => bytes.extend([0x81, len as u8]),
        _ => bytes.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    bytes.extend_from_slice(contents);
    bytes
}

/// `RSA`: PKCS#1 around these numbers, PKCS#8 around that, and PKCS#12 around that.
pub(super) fn write_rsa(numbers: &[Vec<u8>]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|number| write(INTEGER, number));
    write(SEQUENCE, &write(INTEGER, &[0]).into_iter().chain(numbers).collect::<Vec<u8>>())
}

pub(super) fn write_pkcs8(pkcs1: &[u8]) -> Vec<u8> {
    let algorithm = write(SEQUENCE, &[write(OBJECT, RSA[0]), vec![5, 0]].concat());
    write(SEQUENCE, &[write(INTEGER, &[0]), algorithm, write(OCTET_STRING, pkcs1)].concat())
}

pub(super) fn write_sec1(number: &[u8], point: &[u8]) -> Vec<u8> {
    let curve = write(0xa0, &write(OBJECT, CURVES[2].0));
    let point = write(0xa1, &write(BIT_STRING, point));
    write(SEQUENCE, &[write(INTEGER, &[1]), write(OCTET_STRING, number), curve, point].concat())
}

pub(super) fn write_pkcs12(pkcs8: &[u8]) -> Vec<u8> {
    let info = |contents: &[u8]| {
        let contents = write(0xa0, &write(OCTET_STRING, contents));
        write(SEQUENCE, &[write(OBJECT, DATA), contents].concat())
    };
    let bag = [write(OBJECT, &[BAGS, &[1]].concat()), write(0xa0, pkcs8)].concat();
    let safe = info(&write(SEQUENCE, &write(SEQUENCE, &bag)));
    write(SEQUENCE, &[write(INTEGER, &[3]), info(&write(SEQUENCE, &safe))].concat())
}

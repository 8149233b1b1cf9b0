//! Private keys in JSON (JWK: RFC 7517, RFC 7518 section 6, RFC 8037) and in XML, as `RSA.ToXmlString` of .NET writes them.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use memchr::memmem;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::der::{LEAST_RSA, bits};
use super::{Bad, Key, Read, ssh, text};
use crate::detect::proof::from_base64;

/// Fewer bytes of a secret that signs and checks are a password, if anything.
const LEAST_SHARED: usize = 16;

type Bytes = Zeroizing<Vec<u8>>;

/// What of a key in JSON is read; all are text.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    k: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
}

impl Drop for Jwk {
    fn drop(&mut self) {
        [&mut self.k, &mut self.d, &mut self.p, &mut self.q].into_iter().for_each(Zeroize::zeroize);
    }
}

/// A JSON object with `kty`, escaped or not. One without a private part is public.
pub(super) fn jwk(token: &[u8]) -> Read<Key> {
    let parsed = serde_json::from_slice(token).or_else(|_| serde_json::from_slice(&text::undo(token)));
    let jwk: Jwk = parsed.map_err(|_| Bad::Wrong("it is no JSON with a key"))?;
    let private = match jwk.kty.as_str() {
        "oct" => &jwk.k,
        _ => &jwk.d,
    };
    let private = decoded(private.as_ref().ok_or(Bad::Public("there is no private part in it"))?)?;
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("oct", _) if private.len() >= LEAST_SHARED => Err(Bad::Shared { bits: private.len() * 8 }),
        ("RSA", _) => {
            let part = |text: &Option<String>| text.as_deref().map(decoded).transpose();
            let public = part(&jwk.n)?.zip(part(&jwk.e)?);
            rsa("a JSON Web Key", public, &private, part(&jwk.p)?.zip(part(&jwk.q)?))
        }
        ("EC" | "OKP", Some(curve)) => {
            let (kind, len, ssh) =
                CURVES.iter().find(|known| known.0 == curve).ok_or(NONE).map(|&(_, a, b, c)| (a, b, c))?;
            let part = |text: &Option<String>| text.as_deref().map_or(Ok(None), |text| decoded(text).map(Some));
            let (x, y) = (part(&jwk.x)?, part(&jwk.y)?);
            if private.len() != len || [&x, &y].into_iter().flatten().any(|part| part.len() != len) {
                return Err(NONE);
            }
            let public = match (ssh, x, y) {
                ("ssh-ed25519", Some(x), _) => Some(ssh::fingerprint(&[ssh.as_bytes(), &x])),
                ("", ..) => None,
                (_, Some(x), Some(y)) => {
                    let point = [&[4][..], &x, &y].concat();
                    Some(ssh::fingerprint(&[format!("ecdsa-sha2-{ssh}").as_bytes(), ssh.as_bytes(), &point]))
                }
                _ => None,
            };
            Ok(Key { format: "a JSON Web Key", kind: kind.to_owned(), encrypted: Some(false), public })
        }
        _ => Err(NONE),
    }
}

const NONE: Bad = Bad::Wrong("its fields are not those of a private key");

/// A curve, what reports call it, the length of its numbers in bytes, and SSH's name of it.
const CURVES: &[(&str, &str, usize, &str)] = &[
    ("P-256", "EC P-256", 32, "nistp256"),
    ("P-384", "EC P-384", 48, "nistp384"),
    ("P-521", "EC P-521", 66, "nistp521"),
    ("secp256k1", "EC secp256k1", 32, ""),
    ("Ed25519", "Ed25519", 32, "ssh-ed25519"),
    ("X25519", "X25519", 32, ""),
    ("Ed448", "Ed448", 57, ""),
    ("X448", "X448", 56, ""),
];

/// `<RSAKeyValue>` with a `<D>`; line ends may be written as escapes.
pub(super) fn xml(token: &[u8]) -> Read<Key> {
    let part = |name: &str| {
        let from = memmem::find(token, format!("<{name}>").as_bytes())? + name.len() + 2;
        let len = memmem::find(&token[from..], format!("</{name}>").as_bytes())?;
        from_base64(&digits(&token[from..from + len])).map(Zeroizing::new)
    };
    let private = part("D").ok_or(Bad::Public("there is no private part in it"))?;
    rsa("an RSA key in XML", part("Modulus").zip(part("Exponent")), &private, part("P").zip(part("Q")))
}

/// Without blanks and line ends, escaped or not.
fn digits(text: &[u8]) -> Bytes {
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        rest = match behind {
            [b'n' | b'r' | b't', behind @ ..] if first == b'\\' => behind,
            _ => behind,
        };
        if !first.is_ascii_whitespace() && first != b'\\' {
            digits.push(first);
        }
    }
    digits
}

/// The two primes, where they are there, make the modulus.
fn rsa(
    format: &'static str,
    public: Option<(Bytes, Bytes)>,
    private: &[u8],
    primes: Option<(Bytes, Bytes)>,
) -> Read<Key> {
    let (modulus, exponent) = public.ok_or(NONE)?;
    let (modulus, exponent) = (number(&modulus), number(&exponent));
    if bits(modulus) < LEAST_RSA
        || exponent.is_empty()
        || exponent.len() > modulus.len()
        || private.len() > modulus.len() + 1
    {
        return Err(Bad::Wrong("its numbers are not those of an RSA key"));
    }
    if bits(number(private)) < bits(modulus) / 4 {
        return Err(Bad::Wrong("its private exponent is too short"));
    }
    if let Some((p, q)) = primes
        && number(&product(&p, &q)) != modulus
    {
        return Err(Bad::Wrong("its primes do not make its modulus"));
    }
    let public = ssh::fingerprint_of_numbers(b"ssh-rsa", &[exponent, modulus]);
    Ok(Key { format, kind: format!("RSA {}", bits(modulus)), encrypted: Some(false), public: Some(public) })
}

/// Without leading zeros.
fn number(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..]
}

fn decoded(text: &str) -> Read<Bytes> {
    let bytes = from_base64(text.as_bytes()).ok_or(Bad::Wrong("what stands in it is not base64"))?;
    Ok(Zeroizing::new(bytes))
}

/// Most significant byte first, as long as both together.
fn product(one: &[u8], other: &[u8]) -> Bytes {
    let mut product = Zeroizing::new(vec![0u8; one.len() + other.len()]);
    for (at, &a) in one.iter().enumerate().rev() {
        let mut carry = 0;
        for (nth, &b) in other.iter().enumerate().rev() {
            let sum = u16::from(a) * u16::from(b) + u16::from(product[at + nth + 1]) + carry;
            product[at + nth + 1] = sum as u8;
            carry = sum >> 8;
        }
        product[at] = carry as u8;
    }
    product
}

/// Random numbers in the structure of an RSA key of 2048 bits: modulus, private exponent, two factors.
fn random_rsa(byte: &mut dyn FnMut() -> u8) -> [Vec<u8>; 4] {
    let mut some = |len: usize| {
        let mut number: Vec<u8> = (0..len).map(|_| byte()).collect();
        // So that the product has all its bits.
        number[0] |= 0xC0;
        number
    };
    let (private, p, q) = (some(256), some(128), some(128));
    [product(&p, &q).to_vec(), private, p, q]
}

pub(super) fn make_jwk(byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    if byte() < 0x80 {
        let mut some = || BASE64URL_NOPAD.encode(&(0..32).map(|_| byte()).collect::<Vec<_>>());
        return format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}","d":"{}"}}"#, some(), some(), some())
            .into_bytes();
    }
    let [n, d, p, q] = random_rsa(byte).map(|number| BASE64URL_NOPAD.encode(&number));
    format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB","d":"{d}","p":"{p}","q":"{q}"}}"#).into_bytes()
}

pub(super) fn make_xml(byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let [n, d, p, q] = random_rsa(byte).map(|number| BASE64.encode(&number));
    let text = format!(
        "<RSAKeyValue><Modulus>{n}</Modulus><Exponent>AQAB</Exponent><P>{p}</P><Q>{q}</Q><D>{d}</D></RSAKeyValue>"
    );
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::dice;
    use super::*;

    fn text(make: fn(&mut dyn FnMut() -> u8) -> Vec<u8>, seed: u64) -> String {
        String::from_utf8(make(&mut dice(seed))).unwrap()
    }

    #[test]
    fn a_key_in_json_is_read_however_it_is_written() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..10 {
            let key = text(make_jwk, seed);
            let read = jwk(key.as_bytes()).unwrap();
            kinds.insert(read.kind.clone());
            for written in [
                key.replace('"', "\\\""),
                key.replace('"', "\\\\\""),
                key.replace(',', ",\n  "),
                key.replace(',', ",\\n"),
            ] {
                assert_eq!(jwk(written.as_bytes()).unwrap().public, read.public, "{written}");
            }
        }
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["EC P-256", "RSA 2048"]);
        let shared = format!(r#"{{"kty":"oct","k":"{}"}}"#, BASE64URL_NOPAD.encode(&[7; 32]));
        assert_eq!(jwk(shared.as_bytes()).err(), Some(Bad::Shared { bits: 256 }));
    }

    #[test]
    fn the_primes_make_the_modulus() {
        assert_eq!(*product(&[0xFF, 0xFF], &[0xFF, 0xFF]), [0xFF, 0xFE, 0, 1]);
        assert_eq!(*product(&[1, 0], &[3]), [0, 3, 0]);
        for (key, read) in [(text(make_jwk, 1), jwk as fn(&[u8]) -> Read<Key>), (text(make_xml, 1), xml)] {
            let at = if key.starts_with('<') { "<Modulus>" } else { "\"n\":\"" };
            let at = key.find(at).map(|found| found + at.len() + 40);
            // A key of a curve has none.
            let Some(at) = at else { continue };
            let mut broken = key.into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(&broken).err(), Some(Bad::Wrong("its primes do not make its modulus")));
        }
        let key = text(make_xml, 1);
        let public = xml(key.as_bytes()).unwrap().public;
        for end in ["\n  ", "\\r\\n"] {
            assert_eq!(xml(key.replace('>', &format!(">{end}")).as_bytes()).unwrap().public, public);
        }
    }

    #[test]
    fn a_public_half_is_no_key() {
        let key = text(make_xml, 2);
        let private = key.find("<P>").unwrap()..key.find("</RSA").unwrap();
        assert!(matches!(xml(key.replace(&key[private], "").as_bytes()), Err(Bad::Public(_))));
        for public in [r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, r#"{"kty":"EC","crv":"P-256","x":"AQAB"}"#] {
            assert!(matches!(jwk(public.as_bytes()), Err(Bad::Public(_))));
        }
    }

    proptest! {
        #[test]
        fn nothing_near_a_key_panics(seed: u64, at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            for (make, read) in [(make_jwk as fn(&mut dyn FnMut() -> u8) -> Vec<u8>, jwk as fn(&[u8]) -> Read<Key>), (make_xml, xml)] {
                let mut key = make(&mut dice(seed));
                let at = at.index(key.len());
                key[at] = byte;
                read(&key).ok();
                read(&key[..cut.index(key.len())]).ok();
            }
        }
    }
}

//! Private keys: undoes what the text wraps them in and reads the structure, which tells the type, whether a passphrase
//! guards it and, where the public half is contained, that half's fingerprint.

mod age;
mod der;
mod make;
mod pgp;
mod ssh;
mod text;
mod web;

use memchr::memmem;
use zeroize::Zeroizing;

use super::Proven;
use crate::finding::Fact;
use crate::rule::Confidence;
pub(in crate::detect) use make::make;
use text::{Block, Body};

/// The fact that tells whether a passphrase guards the key.
const ENCRYPTED: &str = "key.encrypted";

/// Fewer digits of base64 than an Ed25519 key has (64) tell nothing.
const LEAST_DRAWN: usize = 64;

/// The digits of base64 of an Ed25519 key as OpenSSH writes it, without its comment.
const LEAST_OPENSSH: usize = 300;

/// No key has so many bytes.
const LONGEST: usize = 1 << 20;

/// A private key that was read.
struct Key {
    /// How it is written, for the sentence.
    format: &'static str,
    /// `RSA 2048`, `EC P-256`, `Ed25519`; empty where a passphrase hides it.
    kind: String,
    /// `None`: not known.
    encrypted: Option<bool>,
    /// The fingerprint of the public half, as `ssh-keygen -l` or `gpg --list-keys` have it.
    public: Option<String>,
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
enum Bad {
    /// It is something else.
    Wrong(&'static str),
    /// It is read, and is not private: a public key, a certificate.
    Public(&'static str),
    /// Base64 such as a machine writes, in the place of a key, but no key that is read: spoilt, or made up.
    Scrambled,
    /// A secret that signs and checks: random bytes have no structure.
    Shared { bits: usize },
    /// A field reaches beyond the end; whoever knows what was promised makes it `Cut` or `Wrong`.
    Short,
    /// So many bytes of a key are there, and so many should be.
    Cut { there: usize, stated: usize },
}

type Read<T> = Result<T, Bad>;

/// A key in PEM (RFC 7468, RFC 1421), OpenPGP (RFC 9580), PuTTY, age, JSON (RFC 7517) or XML form, or the base64 of PKCS#1, PKCS#8, SEC1,
/// PKCS#12, an OpenSSH container or of a PEM text. Undecided is a key of which at least half is there (an RSA key has its
/// private exponent in its first half), and one that somebody spoilt: what is written as machines write keys is a leak
/// until a person says otherwise.
pub(super) fn private_key(token: &[u8]) -> Proven {
    match read(token) {
        Ok(key) => {
            // What a passphrase guards is no use without it.
            let most = if key.encrypted == Some(true) { Confidence::Medium } else { Confidence::High };
            Proven { most, ..Proven::holds(&format!("it reads to its end as {}", key.format), key.facts()) }
        }
        Err(Bad::Cut { there, stated }) if there >= stated.div_ceil(2) => {
            let cut = Fact { name: "key.cut_short", value: format!("{there} of {stated} bytes") };
            Proven::absent(vec![cut])
        }
        Err(Bad::Scrambled) => {
            let spoilt = Fact { name: "key.structure", value: "spoilt".to_owned() };
            Proven::absent(vec![spoilt])
        }
        Err(Bad::Shared { bits }) => {
            Proven::absent(vec![Fact { name: "key.type", value: format!("shared secret, {bits} bits") }])
        }
        Err(Bad::Cut { .. }) => Proven::fails("only the beginning of a private key is there"),
        Err(Bad::Wrong(why) | Bad::Public(why)) => Proven::fails(why),
        Err(Bad::Short) => Proven::fails("it ends within a field"),
    }
}

fn read(token: &[u8]) -> Read<Key> {
    if memmem::find(token, b"PuTTY-User-Key-File-").is_some() {
        return ssh::putty(&text::undo(token));
    }
    if token.starts_with(b"AGE-SECRET-KEY-") {
        return age::secret_key(token);
    }
    match token.first() {
        Some(b'{') => return web::jwk(token),
        Some(b'<') => return web::xml(token),
        _ => {}
    }
    if let Some(block) = text::private_block(token) {
        return armoured(block);
    }
    let bytes = text::body(token)?.decode();
    match text::private_block(&bytes) {
        Some(block) => armoured(block),
        None => binary(&bytes),
    }
}

fn armoured(block: Block<'_>) -> Read<Key> {
    let (label, body) = (block.label, text::body(block.inside)?);
    if body.base64.is_empty() {
        return Err(Bad::Wrong("nothing stands between its header and its end"));
    }
    let bytes = body.decode();
    let read = match () {
        () if label.starts_with(b"PGP") => pgp::secret_key(&bytes, body.checksum.as_deref()),
        () if body.is_encrypted => enciphered(label, &body, &bytes),
        () => binary(&bytes),
    };
    read.map_err(|bad| match bad {
        // As long as the shortest, and with its end, it is not cut: the lengths in it are spoilt, or lead too far to be any.
        Bad::Cut { there, stated }
            if (there == 0 || stated > LONGEST)
                && block.has_end
                && body.base64.len() >= LEAST_OPENSSH
                && looks_made(&body.base64) =>
        {
            Bad::Scrambled
        }
        Bad::Wrong(_) if looks_made(&body.base64) => Bad::Scrambled,
        bad => bad,
    })
}

/// Whether these digits look drawn: long enough, of all kinds, none in a row. Words and filler do not.
fn looks_made(digits: &[u8]) -> bool {
    let part = |of: fn(&u8) -> bool| digits.iter().filter(|digit| of(digit)).count() as f64 / digits.len() as f64;
    let rows = digits.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    let places: std::collections::BTreeSet<&[u8]> = digits.windows(4).collect();
    // Of 64 digits 26 are capitals, 26 small and 10 numerals.
    digits.len() >= LEAST_DRAWN
        && part(u8::is_ascii_uppercase) > 0.25
        && part(u8::is_ascii_lowercase) > 0.2
        && part(u8::is_ascii_digit) > 0.06
        && rows * 4 < digits.len()
        && places.len() * 10 > digits.len() * 7
}

fn binary(bytes: &[u8]) -> Read<Key> {
    match bytes {
        _ if bytes.starts_with(ssh::MAGIC) => ssh::container(&bytes[ssh::MAGIC.len()..]),
        [0x3f, 0x6f, 0xf9, 0xeb, rest @ ..] => ssh::commercial(rest),
        [0, 0, 0, 1..=40, b'e' | b's', ..] => Err(Bad::Public("it is a public key of SSH")),
        _ => der::private_key(bytes),
    }
}

/// RFC 1421 as OpenSSL writes it: the headers are plain, the DER is enciphered. Blocks have 8 or 16 bytes.
fn enciphered(label: &[u8], body: &Body, bytes: &[u8]) -> Read<Key> {
    if !body.has_cipher || bytes.len() < 48 || !bytes.len().is_multiple_of(8) {
        return Err(Bad::Wrong("its headers say that it is encrypted, but what follows is no such text"));
    }
    let kind = label.split(|&byte| byte == b' ').next().filter(|word| matches!(*word, b"RSA" | b"DSA" | b"EC"));
    let kind = kind.map_or_else(String::new, |word| String::from_utf8_lossy(word).into_owned());
    Ok(Key { format: "an encrypted PEM key", kind, encrypted: Some(true), public: None })
}

impl Key {
    fn facts(self) -> Vec<Fact> {
        let word = |yes| if yes { "yes" } else { "no" }.to_owned();
        let encrypted = self.encrypted.map(|yes| Fact { name: ENCRYPTED, value: word(yes) });
        let public = self.public.map(|value| Fact { name: "key.fingerprint", value });
        let kind = Some(self.kind).filter(|kind| !kind.is_empty()).map(|value| Fact { name: "key.type", value });
        encrypted.into_iter().chain(public).chain(kind).collect()
    }
}

impl Body {
    /// The bytes that the base64 stands for, as far as whole bytes go.
    fn decode(&self) -> Zeroizing<Vec<u8>> {
        let mut digits = Zeroizing::new(self.base64.to_vec());
        let len = digits.len() / 4 * 3 + [0, 0, 1, 2][digits.len() % 4];
        // Digits that say nothing more: so bits left over in the last digit of a byte are no error.
        digits.resize(self.base64.len().next_multiple_of(4), b'A');
        // The body is made of nothing but digits.
        let mut bytes = Zeroizing::new(data_encoding::BASE64.decode(&digits).unwrap_or_default());
        bytes.truncate(len);
        bytes
    }
}

#[cfg(test)]
mod tests;

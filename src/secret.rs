//! A secret that cannot be printed by accident, and the name by which it is known outside.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A leaked token: whole inside, invisible outside. No `Display`, no `Serialize`; `Debug` shows a length only;
/// the memory is overwritten on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes in.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Secret(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves, for comparing, hashing, masking and sending to their provider. Never for output;
    /// clippy.toml forbids the call outside the modules that must have it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

/// Shannon entropy of the bytes, in bits per byte: 0 for none or all alike, at most 8.
pub fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let len = bytes.len() as f64;
    counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / len).map(|p| -p * p.log2()).sum()
}

/// The public name of a secret: 32 lowercase hex digits, stable when lines and files move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// For kinds whose format guarantees at least 80 random bits: the first 128 bits of SHA-256 of the secret.
    /// Nobody can find such a secret by trying.
    pub fn of_strong(secret: &[u8]) -> Self {
        Self::first_half(&Sha256::digest(secret))
    }

    /// For weaker secrets, which could be guessed from a bare hash: HMAC-SHA256 under the user's key.
    pub fn of_keyed(key: &[u8], secret: &[u8]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(secret);
        Self::first_half(&mac.finalize().into_bytes())
    }

    /// For weaker secrets where no key was given: a hash of what stands around the secret, never of the secret.
    pub fn of_place(rule: &str, path: &[u8], before: &[u8], after: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [rule.as_bytes(), path, before, after] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self::first_half(&hash.finalize())
    }

    /// Reads 32 hex digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Some(Fingerprint(bytes.try_into().ok()?))
    }

    fn first_half(digest: &[u8]) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Fingerprint(half)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_a_length_only() {
        assert_eq!(format!("{:?}", Secret::new("hunter2hunter2")), "Secret(14 bytes)");
    }

    #[test]
    fn strong_fingerprint_is_half_of_sha256() {
        // SHA-256("abc"), FIPS 180-4 appendix.
        assert_eq!(Fingerprint::of_strong(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(Fingerprint::parse("BA7816BF8F01CFEA414140DE5DAE2223"), Some(Fingerprint::of_strong(b"abc")));
    }

    #[test]
    fn a_place_fingerprint_does_not_confuse_its_parts() {
        assert_ne!(Fingerprint::of_place("r", b"ab", b"c", b""), Fingerprint::of_place("r", b"a", b"bc", b""));
    }
}

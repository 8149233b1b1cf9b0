//! Secret keys of age: Bech32 (BIP 173) in capitals.

use super::{Bad, Key, Read};

const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// `AGE-SECRET-KEY-1` or `AGE-SECRET-KEY-PQ-1`, 32 bytes in 52 digits, and six digits of checksum.
pub(super) fn secret_key(token: &[u8]) -> Read<Key> {
    let lower = zeroize::Zeroizing::new(token.to_ascii_lowercase());
    let mark = lower.iter().rposition(|&byte| byte == b'1').ok_or(Bad::Wrong("it is no Bech32"))?;
    let (prefix, digits) = (&lower[..mark], &lower[mark + 1..]);
    let value = |digit: &u8| DIGITS.iter().position(|known| known == digit).map(|at| at as u8);
    let values: Option<Vec<u8>> = digits.iter().map(value).collect();
    let values = values.filter(|values| values.len() == 58).ok_or(Bad::Wrong("it is no Bech32 of 32 bytes"))?;
    if checksum(prefix, &values) != 1 {
        return Err(Bad::Wrong("its Bech32 checksum is wrong"));
    }
    let kind = if prefix == b"age-secret-key-pq-" { "ML-KEM-768 with X25519" } else { "X25519" };
    Ok(Key { format: "an age secret key", kind: kind.to_owned(), encrypted: Some(false), public: None })
}

/// A key with this prefix (in capitals, up to the `1`) of 52 random values.
pub(super) fn make(prefix: &str, byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let mut values: Vec<u8> = (0..52).map(|_| byte() % 32).collect();
    // 260 bits for 256: the last four are zero.
    values[51] &= 0b1_0000;
    let unchecked: Vec<u8> = values.iter().copied().chain([0; 6]).collect();
    let sum = checksum(prefix.to_ascii_lowercase().as_bytes(), &unchecked) ^ 1;
    values.extend((0..6).map(|at| (sum >> (5 * (5 - at)) & 31) as u8));
    let digits = values.iter().map(|&value| DIGITS[usize::from(value)].to_ascii_uppercase());
    prefix.bytes().chain([b'1']).chain(digits).collect()
}

/// The remainder that BIP 173 defines; 1 for a text whose last six values are right.
fn checksum(prefix: &[u8], values: &[u8]) -> u32 {
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = prefix.iter().map(|byte| byte >> 5);
    let low = prefix.iter().map(|byte| byte & 31);
    high.chain([0]).chain(low).chain(values.iter().copied()).fold(1, |sum, value| {
        let bits = (0..5).filter(|bit| sum >> (25 + bit) & 1 == 1);
        bits.fold((sum & 0x01ff_ffff) << 5 ^ u32::from(value), |sum, bit| sum ^ GENERATORS[bit as usize])
    })
}

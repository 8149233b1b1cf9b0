//! Tells run bytes from others, and digits among them, many at a time.

#[cfg(any(test, not(target_arch = "x86_64")))]
use crate::shape::is_run_byte;

/// Bytes that are told by one word of bits.
pub(super) const BLOCK: usize = 64;

/// Bytes that are classified at once.
pub(super) const PIECE: usize = 4 << 10;

/// A block: one bit a byte, the first byte lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask {
    /// Run bytes.
    pub run: u64,
    /// Digits.
    pub digit: u64,
}

/// The masks of at most [`PIECE`] bytes; those behind the end are no run bytes.
pub(super) fn run_masks<'m>(piece: &[u8], masks: &'m mut [Mask; PIECE / BLOCK]) -> &'m [Mask] {
    let (blocks, rest) = piece.as_chunks::<BLOCK>();
    classify(blocks, masks);
    let mut used = blocks.len();
    if !rest.is_empty() {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        classify(&[block], &mut masks[used..]);
        used += 1;
    }
    &masks[..used]
}

#[cfg(not(target_arch = "x86_64"))]
fn classify(blocks: &[[u8; BLOCK]], masks: &mut [Mask]) {
    blocks.iter().zip(masks).for_each(|(block, mask)| *mask = plain(block));
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain(block: &[u8; BLOCK]) -> Mask {
    let bits = |wanted: fn(u8) -> bool| {
        block.iter().enumerate().fold(0, |mask, (index, &byte)| mask | u64::from(wanted(byte)) << index)
    };
    Mask { run: bits(is_run_byte), digit: bits(|byte| byte.is_ascii_digit()) }
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the compiler wants it for instructions that not every processor has")]
fn classify(blocks: &[[u8; BLOCK]], masks: &mut [Mask]) {
    if std::arch::is_x86_feature_detected!("avx512bw") {
        // SAFETY: the processor was just asked.
        return unsafe { avx512(blocks, masks) };
    }
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor was just asked.
        return unsafe { avx2(blocks, masks) };
    }
    // SAFETY: SSE2 is part of x86-64; the compiler asks for the word only because the feature is named below.
    unsafe { sse2(blocks, masks) }
}

/// A block at a time; a comparison gives its mask at once.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn avx512(blocks: &[[u8; BLOCK]], masks: &mut [Mask]) {
    use std::arch::x86_64::{
        _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask, _mm512_or_si512, _mm512_set1_epi8, _mm512_sub_epi8,
    };
    for (block, mask) in blocks.iter().zip(masks) {
        let bytes = whole(block);
        let all = |byte: u8| _mm512_set1_epi8(byte as i8);
        let letter = _mm512_sub_epi8(_mm512_or_si512(bytes, all(0x20)), all(b'a'));
        mask.digit = _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, all(b'0')), all(9));
        mask.run = _mm512_cmple_epu8_mask(letter, all(25))
            | mask.digit
            | _mm512_cmpeq_epi8_mask(bytes, all(b'-'))
            | _mm512_cmpeq_epi8_mask(bytes, all(b'_'));
    }
}

/// A block as the instructions take it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub(super) fn whole(block: &[u8; BLOCK]) -> std::arch::x86_64::__m512i {
    let word = |at| word(block, at);
    std::arch::x86_64::_mm512_set_epi64(word(7), word(6), word(5), word(4), word(3), word(2), word(1), word(0))
}

/// Classifies blocks by the instructions of one width, in bytes; `$bits` has as many bits. How a part is loaded is no
/// closure: with one it took a fifth longer.
#[cfg(target_arch = "x86_64")]
macro_rules! classifier {
    (
        $name:ident, $feature:literal, $width:literal, $bits:ty, |$part:ident| $load:expr,
        $equal:ident, $least:ident, $bits_of:ident, $or:ident, $all:ident, $minus:ident
    ) => {
        #[target_feature(enable = $feature)]
        fn $name(blocks: &[[u8; BLOCK]], masks: &mut [Mask]) {
            use std::arch::x86_64::{$all, $bits_of, $equal, $least, $minus, $or};
            for (block, mask) in blocks.iter().zip(masks) {
                *mask = Mask::default();
                for (index, $part) in block.as_chunks::<$width>().0.iter().enumerate() {
                    let bytes = $load;
                    // Comparisons are signed; "at most n" in unsigned is "the minimum with n changes nothing".
                    let offset = $minus($or(bytes, $all(0x20)), $all(b'a' as i8));
                    let letter = $equal($least(offset, $all(25)), offset);
                    let offset = $minus(bytes, $all(b'0' as i8));
                    let digit = $equal($least(offset, $all(9)), offset);
                    let dash = $equal(bytes, $all(b'-' as i8));
                    let underscore = $equal(bytes, $all(b'_' as i8));
                    let any = $or($or(letter, digit), $or(dash, underscore));
                    mask.run |= u64::from($bits_of(any) as $bits) << ($width * index);
                    mask.digit |= u64::from($bits_of(digit) as $bits) << ($width * index);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
classifier!(
    avx2,
    "avx2",
    32,
    u32,
    |part| std::arch::x86_64::_mm256_set_epi64x(word(part, 3), word(part, 2), word(part, 1), word(part, 0)),
    _mm256_cmpeq_epi8,
    _mm256_min_epu8,
    _mm256_movemask_epi8,
    _mm256_or_si256,
    _mm256_set1_epi8,
    _mm256_sub_epi8
);

#[cfg(target_arch = "x86_64")]
classifier!(
    sse2,
    "sse2",
    16,
    u16,
    |part| std::arch::x86_64::_mm_set_epi64x(word(part, 1), word(part, 0)),
    _mm_cmpeq_epi8,
    _mm_min_epu8,
    _mm_movemask_epi8,
    _mm_or_si128,
    _mm_set1_epi8,
    _mm_sub_epi8
);

/// Eight bytes of a block as the instructions take them.
#[cfg(target_arch = "x86_64")]
pub(super) fn word<const N: usize>(bytes: &[u8; N], at: usize) -> i64 {
    bytes.as_chunks::<8>().0.get(at).map_or(0, |word| i64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_instruction_set_says_what_a_plain_loop_does(
            bytes in prop::collection::vec(any::<u8>(), 0..1000),
        ) {
            let mut masks = [Mask::default(); PIECE / BLOCK];
            let found = run_masks(&bytes, &mut masks).to_vec();
            let mut plainly = Vec::new();
            for block in bytes.chunks(BLOCK) {
                let mut whole = [0; BLOCK];
                whole[..block.len()].copy_from_slice(block);
                plainly.push(plain(&whole));
            }
            prop_assert_eq!(&found, &plainly);
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "asks for what this processor may not be asked for otherwise")]
            {
                let blocks = bytes.as_chunks::<BLOCK>().0;
                // SAFETY: SSE2 is part of x86-64.
                unsafe { sse2(blocks, &mut masks) };
                prop_assert_eq!(&masks[..blocks.len()], &plainly[..blocks.len()]);
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor was just asked.
                    unsafe { avx2(blocks, &mut masks) };
                    prop_assert_eq!(&masks[..blocks.len()], &plainly[..blocks.len()]);
                }
            }
        }
    }
}

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
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor was just asked.
        return unsafe { avx2(blocks, masks) };
    }
    // SAFETY: SSE2 is part of x86-64; the compiler asks for the word only because the feature is named below.
    unsafe { sse2(blocks, masks) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(blocks: &[[u8; BLOCK]], masks: &mut [Mask]) {
    use std::arch::x86_64::{
        _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8,
        _mm256_sub_epi8,
    };
    for (block, mask) in blocks.iter().zip(masks) {
        *mask = Mask::default();
        for (index, half) in block.as_chunks::<32>().0.iter().enumerate() {
            let [one, two, three, four] = std::array::from_fn(|at| word(half, at));
            let bytes = _mm256_set_epi64x(four, three, two, one);
            // Comparisons are signed; "at most n" in unsigned is "the minimum with n changes nothing".
            let offset = _mm256_sub_epi8(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), _mm256_set1_epi8(b'a' as i8));
            let letter = _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8(25)), offset);
            let offset = _mm256_sub_epi8(bytes, _mm256_set1_epi8(b'0' as i8));
            let digit = _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8(9)), offset);
            let dash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'-' as i8));
            let underscore = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'_' as i8));
            let any = _mm256_or_si256(_mm256_or_si256(letter, digit), _mm256_or_si256(dash, underscore));
            mask.run |= u64::from(_mm256_movemask_epi8(any) as u32) << (32 * index);
            mask.digit |= u64::from(_mm256_movemask_epi8(digit) as u32) << (32 * index);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn sse2(blocks: &[[u8; BLOCK]], masks: &mut [Mask]) {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8, _mm_sub_epi8,
    };
    for (block, mask) in blocks.iter().zip(masks) {
        *mask = Mask::default();
        for (index, quarter) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = _mm_set_epi64x(word(quarter, 1), word(quarter, 0));
            // Comparisons are signed; "at most n" in unsigned is "the minimum with n changes nothing".
            let offset = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8(b'a' as i8));
            let letter = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(25)), offset);
            let offset = _mm_sub_epi8(bytes, _mm_set1_epi8(b'0' as i8));
            let digit = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(9)), offset);
            let dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'-' as i8));
            let underscore = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'_' as i8));
            let any = _mm_or_si128(_mm_or_si128(letter, digit), _mm_or_si128(dash, underscore));
            mask.run |= u64::from(_mm_movemask_epi8(any) as u16) << (16 * index);
            mask.digit |= u64::from(_mm_movemask_epi8(digit) as u16) << (16 * index);
        }
    }
}

/// Eight bytes of a block as the instructions take them.
#[cfg(target_arch = "x86_64")]
fn word<const N: usize>(bytes: &[u8; N], at: usize) -> i64 {
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
            {
                let blocks = bytes.as_chunks::<BLOCK>().0;
                // SAFETY: SSE2 is part of x86-64.
                #[expect(unsafe_code, reason = "asks for what this processor may not be asked for otherwise")]
                unsafe { sse2(blocks, &mut masks) };
                prop_assert_eq!(&masks[..blocks.len()], &plainly[..blocks.len()]);
            }
        }
    }
}

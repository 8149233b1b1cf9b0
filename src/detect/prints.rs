//! Finds the places where one of many words may stand, at a cost that hardly grows with how many there are: by three
//! bytes of each, which are looked for at 32 places at a time.
//!
//! The words are dealt into buckets. For each of the three bytes a table says by its lower and by its upper four bits
//! which buckets may have it; the places that some bucket may have in all three are then looked up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

/// Bytes that a word is looked for by.
const PRINT: usize = 3;

/// As many as a byte has bits, twice: with half of them six places in a hundred look like a word's, with all two.
const BUCKETS: usize = SETS * 8;

/// Tables that are asked one after the other.
const SETS: usize = 2;

/// Places that one word of bits tells of.
const BLOCK: usize = 64;

/// Blocks that are told at once.
const BLOCKS: usize = 64;

/// Sets a bit that tells capital letters from small ones. It makes one of some other bytes, too, which costs a second look.
const FOLD: u8 = 0x20;

/// How many words share a slot of the look-up matters little: there are a hundred or two.
const SLOTS: usize = 1 << 12;

/// Three folded bytes.
type Print = [u8; PRINT];

/// Of each byte of a print: a bit for each bucket, by the byte's lower half and by its upper half.
type Halves = [[[u8; 16]; 2]; PRINT];

/// Words, by their prints.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "([Halves; SETS], Vec<Owner>)")]
pub(super) struct Prints {
    halves: [Halves; SETS],
    /// Where the owners of each slot begin; the last is where they end.
    firsts: Box<[u16; SLOTS + 1]>,
    owners: Vec<Owner>,
}

/// A word that has a print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    print: Print,
    /// How far in the word the print stands.
    behind: usize,
    /// The first byte of the word, folded.
    first: u8,
    word: usize,
}

impl From<([Halves; SETS], Vec<Owner>)> for Prints {
    /// The owners are sorted by their slots.
    fn from((halves, owners): ([Halves; SETS], Vec<Owner>)) -> Self {
        let mut firsts = Box::new([0; SLOTS + 1]);
        owners.iter().for_each(|owner| firsts[slot(owner.print) + 1] += 1);
        (0..SLOTS).for_each(|slot| firsts[slot + 1] += firsts[slot]);
        Prints { halves, firsts, owners }
    }
}

impl Serialize for Prints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.halves, &self.owners).serialize(serializer)
    }
}

impl Prints {
    /// For words of at least [`PRINT`] bytes, in any case, with their numbers. `None` if there are none.
    pub(super) fn new<'t>(words: impl Iterator<Item = (usize, &'t [u8])> + Clone) -> Option<Self> {
        let folded = |text: &[u8]| text.iter().map(|byte| byte | FOLD).collect::<Vec<_>>();
        let mut counts: BTreeMap<Print, u64> = BTreeMap::new();
        for (_, text) in words.clone() {
            prints(&folded(text)).for_each(|print| *counts.entry(print).or_default() += 1);
        }
        // One that is rare, or that many words share.
        let price = |print: &Print| (print.iter().map(|byte| share(*byte)).product::<u64>() + RARE) / counts[print];
        let mut owners: Vec<Owner> = words
            .filter_map(|(word, text)| {
                let text = folded(text);
                let (behind, print) = prints(&text).enumerate().min_by_key(|(_, print)| price(print))?;
                Some(Owner { print, behind, first: text[0], word })
            })
            .collect();
        owners.sort_by_key(|owner| slot(owner.print));
        let halves = halves(owners.iter().map(|owner| owner.print).collect());
        (!owners.is_empty()).then(|| (halves, owners).into())
    }

    /// Calls `each` with the number of every word that may stand in `bytes` and the place where it would begin, for each
    /// place where it does and a few others.
    pub(super) fn find(&self, bytes: &[u8], mut each: impl FnMut(usize, usize)) {
        let mut masks = [0; BLOCKS];
        for (number, piece) in bytes.chunks(BLOCKS * BLOCK).enumerate() {
            let start = number * BLOCKS * BLOCK;
            // The last prints of a piece reach into the next one.
            let end = bytes.len().min(start + piece.len() + PRINT - 1);
            for (block, mut mask) in self.masks(&bytes[start..end], &mut masks).iter().copied().enumerate() {
                while mask != 0 {
                    let at = start + block * BLOCK + mask.trailing_zeros() as usize;
                    self.look_up(bytes, at, &mut each);
                    mask &= mask - 1;
                }
            }
        }
    }

    fn look_up(&self, bytes: &[u8], at: usize, each: &mut impl FnMut(usize, usize)) {
        let Some(print) = bytes[at..].first_chunk::<PRINT>().map(|print| print.map(|byte| byte | FOLD)) else { return };
        let slot = slot(print);
        let owners = usize::from(self.firsts[slot])..usize::from(self.firsts[slot + 1]);
        for owner in self.owners[owners].iter().filter(|owner| owner.print == print) {
            if let Some(at) = at.checked_sub(owner.behind).filter(|at| bytes[*at] | FOLD == owner.first) {
                each(at, owner.word);
            }
        }
    }

    /// For each block of `bytes` at which of its places a print may stand.
    fn masks<'m>(&self, bytes: &[u8], masks: &'m mut [u64; BLOCKS]) -> &'m [u64] {
        let whole = bytes.len().saturating_sub(PRINT - 1) / BLOCK;
        mark(&self.halves, bytes, &mut masks[..whole]);
        let rest = &bytes[(whole * BLOCK).min(bytes.len())..];
        if rest.len() < PRINT {
            return &masks[..whole];
        }
        let mut last = [0; BLOCK + PRINT - 1];
        last[..rest.len()].copy_from_slice(rest);
        mark(&self.halves, &last, &mut masks[whole..=whole]);
        masks[whole] &= u64::MAX >> (BLOCK - (rest.len() + 1 - PRINT).min(BLOCK));
        &masks[..=whole]
    }
}

fn prints(text: &[u8]) -> impl Iterator<Item = Print> {
    text.windows(PRINT).map(|print| [print[0], print[1], print[2]])
}

#[inline]
fn slot(print: Print) -> usize {
    let [one, two, three] = print;
    // The upper bits of a product with a large odd number depend on every byte.
    let product = u32::from_le_bytes([one, two, three, 0]).wrapping_mul(0x9e37_79b1);
    (product >> (u32::BITS - SLOTS.ilog2())) as usize
}

/// As dear as this is any print at all, in thousandths to the power of [`PRINT`].
const RARE: u64 = 20_000;

/// How often a folded byte stands in source and text, in thousandths, roughly.
fn share(byte: u8) -> u64 {
    const LETTERS: [u8; 26] =
        [60, 12, 30, 28, 90, 18, 16, 25, 55, 3, 6, 35, 22, 52, 50, 22, 2, 55, 55, 68, 26, 9, 9, 6, 12, 3];
    match byte {
        b' ' => 120,
        b'a'..=b'z' => u64::from(LETTERS[usize::from(byte - b'a')]),
        b'0'..=b'9' => 8,
        _ => 6,
    }
}

/// The halves that the bytes of a bucket's prints have, one bit each.
type Bucket = [[u16; 2]; PRINT];

/// Deals the prints into buckets so that few other places look like a bucket's, and makes the tables.
fn halves(mut all: Vec<Print>) -> [Halves; SETS] {
    all.sort_by_key(|print| (std::cmp::Reverse(print.iter().map(|byte| share(*byte)).product::<u64>()), *print));
    all.dedup();
    // With how many places look like each.
    let mut buckets = [(Bucket::default(), 0); BUCKETS];
    for print in all {
        let with = |bucket: &Bucket| {
            let mut bucket = *bucket;
            for ([low, high], byte) in bucket.iter_mut().zip(print) {
                *low |= 1 << (byte & 15);
                *high |= 1 << (byte >> 4);
            }
            (bucket, passing(&bucket))
        };
        let grown = buckets.iter().map(|(bucket, _)| with(bucket)).enumerate();
        if let Some((best, grown)) = grown.min_by_key(|(number, (_, passing))| passing - buckets[*number].1) {
            buckets[best] = grown;
        }
    }
    let mut halves = [[[[0; 16]; 2]; PRINT]; SETS];
    for (number, (bucket, _)) in buckets.iter().enumerate() {
        for (table, bits) in halves[number / 8].iter_mut().flatten().zip(bucket.iter().flatten()) {
            let bit = |half: usize| u8::from(bits >> half & 1 == 1) << (number % 8);
            table.iter_mut().enumerate().for_each(|(half, buckets)| *buckets |= bit(half));
        }
    }
    halves
}

/// How many places look like a bucket's, as a part of 1000 to the power of [`PRINT`].
fn passing(bucket: &Bucket) -> u64 {
    let ones = |mut bits: u16| {
        std::iter::from_fn(move || {
            let first = (bits != 0).then(|| bits.trailing_zeros() as u8)?;
            bits &= bits - 1;
            Some(first)
        })
    };
    let share = |[low, high]: &[u16; 2]| {
        ones(*high).flat_map(|high| ones(*low).map(move |low| share(high << 4 | low))).sum::<u64>()
    };
    bucket.iter().map(share).product()
}

/// At which places of the first `masks.len()` blocks of `bytes` a print may stand. There are [`PRINT`] - 1 bytes more.
fn mark(halves: &[Halves; SETS], bytes: &[u8], masks: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor was just asked.
        #[expect(unsafe_code, reason = "the compiler wants it for instructions that not every processor has")]
        return unsafe { avx2(halves, bytes, masks) };
    }
    plain(halves, bytes, masks);
}

fn plain(halves: &[Halves; SETS], bytes: &[u8], masks: &mut [u64]) {
    // Both sets in one number.
    let of = |nth: usize, byte: u8| {
        let byte = byte | FOLD;
        let buckets = |halves: &Halves| halves[nth][0][usize::from(byte & 15)] & halves[nth][1][usize::from(byte >> 4)];
        u16::from_le_bytes(halves.each_ref().map(buckets))
    };
    let tables: [[u16; 256]; PRINT] = std::array::from_fn(|nth| std::array::from_fn(|byte| of(nth, byte as u8)));
    for (block, mask) in masks.iter_mut().enumerate() {
        let print = |at: &[u8]| (0..PRINT).fold(u16::MAX, |all, nth| all & tables[nth][usize::from(at[nth])]);
        let places = bytes[block * BLOCK..][..BLOCK + PRINT - 1].windows(PRINT).enumerate();
        *mask = places.fold(0, |mask, (place, at)| mask | u64::from(print(at) != 0) << place);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(halves: &[Halves; SETS], bytes: &[u8], masks: &mut [u64]) {
    use std::arch::x86_64::{
        _mm_set_epi64x, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
        _mm256_srli_epi16,
    };

    use super::masks::word;
    const WIDTH: usize = 32;
    let table = |table: &[u8; 16]| _mm256_broadcastsi128_si256(_mm_set_epi64x(word(table, 1), word(table, 0)));
    let tables = halves.map(|set| set.map(|halves| [table(&halves[0]), table(&halves[1])]));
    let half = _mm256_set1_epi8(15);
    for (block, mask) in masks.iter_mut().enumerate() {
        *mask = 0;
        for part in 0..BLOCK / WIDTH {
            let mut buckets = [_mm256_set1_epi8(-1); SETS];
            for nth in 0..PRINT {
                let at = bytes[block * BLOCK + part * WIDTH + nth..].first_chunk::<WIDTH>().unwrap_or(&[0; WIDTH]);
                let loaded = _mm256_set_epi64x(word(at, 3), word(at, 2), word(at, 1), word(at, 0));
                let folded = _mm256_or_si256(loaded, _mm256_set1_epi8(FOLD as i8));
                let low = _mm256_and_si256(folded, half);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(folded), half);
                for (buckets, set) in buckets.iter_mut().zip(&tables) {
                    let both =
                        _mm256_and_si256(_mm256_shuffle_epi8(set[nth][0], low), _mm256_shuffle_epi8(set[nth][1], high));
                    *buckets = _mm256_and_si256(*buckets, both);
                }
            }
            let any = _mm256_or_si256(buckets[0], buckets[1]);
            let none = _mm256_movemask_epi8(_mm256_cmpeq_epi8(any, _mm256_setzero_si256()));
            *mask |= u64::from(!none as u32) << (part * WIDTH);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WORDS: [&str; 12] =
        ["token", "secret", "://", "pwd", "api-key", "authkey", "$2a$", "<server>", "kty", "pass=", "xoxd-", "nix_"];

    fn by_hand(bytes: &[u8]) -> Vec<(usize, usize)> {
        let places = (0..bytes.len()).flat_map(|at| (0..WORDS.len()).map(move |word| (at, word)));
        let is_there = |(at, word): &(usize, usize)| {
            let text = WORDS[*word].as_bytes();
            bytes[*at..].get(..text.len()).is_some_and(|there| there.eq_ignore_ascii_case(text))
        };
        places.filter(is_there).collect()
    }

    fn some_text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::sample::select(WORDS.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            prop::sample::select(WORDS.to_vec()).prop_map(|word| word.to_ascii_uppercase().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..5),
            (0usize..130).prop_map(|len| vec![b'x'; len]),
            Just(vec![b' '; BLOCKS * BLOCK - 2]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_word_is_lost(bytes in some_text()) {
            let prints = Prints::new(WORDS.iter().map(|word| word.as_bytes()).enumerate()).unwrap();
            let mut found = Vec::new();
            prints.find(&bytes, |at, word| found.push((at, word)));
            for one in by_hand(&bytes) {
                prop_assert!(found.contains(&one), "{one:?}");
            }
        }

        #[test]
        fn every_instruction_set_says_what_a_plain_loop_does(bytes in prop::collection::vec(any::<u8>(), 66..1000)) {
            let halves = halves(WORDS.iter().filter_map(|word| prints(word.as_bytes()).next()).collect());
            let (mut masks, mut plainly) = ([0; BLOCKS], [0; BLOCKS]);
            let whole = (bytes.len() - 2) / BLOCK;
            mark(&halves, &bytes, &mut masks[..whole]);
            plain(&halves, &bytes, &mut plainly[..whole]);
            prop_assert_eq!(masks, plainly);
        }
    }

    #[test]
    fn nothing_to_look_for_is_nothing() {
        assert!(Prints::new([].into_iter()).is_none());
    }
}

//! Finds the places where one of many words may stand, at a cost that hardly grows with how many there are: by four
//! bytes of each, which are looked for at 32 places at a time.
//!
//! The words are dealt into buckets. For each of the four bytes a table says which buckets may have it; where a processor has
//! no look-up of that size, two tables say so by the lower and by the upper four bits. Of the places that some bucket may
//! have in all four, those are looked up whose bytes have the hash of a word's.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that a word is looked for by.
const PRINT: usize = 4;

/// Bytes of a print that every word has; the last may be any.
pub(super) const SURE: usize = 3;

/// As many as a byte has bits, four times: with three, twice as many places look like a word's.
const BUCKETS: usize = SETS * 8;

/// Tables that are asked one after the other.
const SETS: usize = 4;

/// Places that one word of bits tells of.
const BLOCK: usize = 64;

/// Bytes that are looked at together.
const PIECE: usize = 4 << 10;

/// Bytes that may be read behind a piece.
const BEHIND: usize = 8;

/// A piece and what may be read behind it.
type Piece = [u8; PIECE + BEHIND];

/// Sets a bit that tells capital letters from small ones. It makes one of some other bytes, too, which costs a second look.
const FOLD: u8 = 0x20;

/// How many words share a slot of the look-up matters little: there are a few hundred.
const SLOTS: usize = 1 << 12;

/// 16 KiB: one print in twenty is taken for one that a word has.
const BITS: usize = 1 << 17;

/// How often the words are dealt anew. A third time would change little.
const ROUNDS: usize = 2;

/// More prints than this are dealt once: to deal anew takes time that grows with the square of how many there are.
const MANY: usize = 2000;

/// At each place the folded bytes that may stand there.
type Print = [Vec<u8>; PRINT];

/// Kinds of bytes that are told apart: without [`FOLD`], and without the bit that ASCII has not.
const KINDS: usize = 64;

/// Of each byte of a print: a bit for each bucket, by the byte's kind.
type Kinds = [[u8; KINDS]; PRINT];

/// Of each byte of a print: a bit for each bucket, by the folded byte's lower half and by its upper half.
type Halves = [[[u8; 16]; 2]; PRINT];

/// Words, by their prints.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "(Tables, Bits, Vec<Owner>)")]
pub(super) struct Prints {
    tables: Tables,
    bits: Bits,
    /// Where the owners of each slot begin; the last is where they end.
    firsts: Box<[u32; SLOTS + 1]>,
    owners: Vec<Owner>,
}

/// Which buckets may have a byte. Each has buckets of its own: what goes well together by kinds does not by halves, and by kinds
/// half as many places look like a bucket's.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tables {
    #[serde(serialize_with = "as_bytes", deserialize_with = "of_bytes")]
    kinds: [Kinds; SETS],
    halves: [Halves; SETS],
}

/// Whether a word has a print with that hash.
#[derive(Debug, PartialEq, Eq)]
struct Bits(Box<[u64; BITS / 64]>);

/// A word that has a print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    print: [u8; SURE],
    /// How far in the word the print stands.
    behind: u8,
    /// Folded, what the word begins with, as far as it has one byte at each place, and how many bytes that are.
    begins: [u8; 8],
    len: u8,
    word: u32,
}

impl From<(Tables, Bits, Vec<Owner>)> for Prints {
    /// The owners are sorted by their slots.
    fn from((tables, bits, owners): (Tables, Bits, Vec<Owner>)) -> Self {
        let mut firsts = Box::new([0; SLOTS + 1]);
        owners.iter().for_each(|owner| firsts[owner.slot() + 1] += 1);
        (0..SLOTS).for_each(|slot| firsts[slot + 1] += firsts[slot]);
        Prints { tables, bits, firsts, owners }
    }
}

impl Serialize for Prints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.tables, &self.bits, &self.owners).serialize(serializer)
    }
}

fn as_bytes<S: Serializer>(kinds: &[Kinds; SETS], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(kinds.as_flattened().as_flattened())
}

fn of_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[Kinds; SETS], D::Error> {
    let (places, rest) = <&[u8]>::deserialize(deserializer)?.as_chunks::<KINDS>();
    let sets = places.as_chunks::<PRINT>().0.try_into().ok().filter(|_| rest.is_empty());
    sets.ok_or_else(|| D::Error::custom("no tables"))
}

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (words, rest) =
            <&[u8]>::deserialize(deserializer)?.as_chunks().0.split_at_checked(BITS / 64).unwrap_or_default();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let words = words.into_boxed_slice().try_into().ok().filter(|_| rest.is_empty());
        words.map(Bits).ok_or_else(|| D::Error::custom("no prints"))
    }
}

impl Bits {
    /// Those of these prints.
    fn of(prints: &[Print]) -> Self {
        let mut bits = Box::new([0; BITS / 64]);
        for print @ [.., last] in prints {
            for ([one, two, three], four) in sure(print).flat_map(|sure| last.iter().map(move |four| (sure, *four))) {
                let bit = hash([one, two, three, four], BITS);
                bits[bit / 64] |= 1 << (bit % 64);
            }
        }
        Bits(bits)
    }

    /// 1 if a word may have the print, else 0.
    #[inline]
    fn has(&self, print: [u8; PRINT]) -> usize {
        let bit = hash(print, BITS);
        (self.0[bit / 64] >> (bit % 64) & 1) as usize
    }
}

/// Of a print, folded or not; below `most`, a power of two.
#[inline]
fn hash(print: [u8; PRINT], most: usize) -> usize {
    // The upper bits of a product with a large odd number depend on every byte.
    let product = (u32::from_le_bytes(print) | u32::from_le_bytes([FOLD; PRINT])).wrapping_mul(0x9e37_79b1);
    (product >> (u32::BITS - most.ilog2())) as usize
}

/// Where the owners of a print are: it depends on its sure bytes alone.
#[inline]
fn slot([one, two, three, _]: [u8; PRINT]) -> usize {
    hash([one, two, three, 0], SLOTS)
}

impl Owner {
    fn slot(&self) -> usize {
        let [one, two, three] = self.print;
        slot([one, two, three, 0])
    }

    /// Whether `text`, folded, begins as the word does.
    #[inline]
    fn begins(&self, text: u64) -> bool {
        let unsure = u64::BITS - u8::BITS * u32::from(self.len);
        (text ^ u64::from_le_bytes(self.begins)).checked_shl(unsure).unwrap_or(0) == 0
    }
}

impl Prints {
    /// For words of at least [`SURE`] places, each with the bytes that may stand there, in any case, with their numbers.
    /// `None` if there are none.
    pub(super) fn new(words: impl Iterator<Item = (usize, Vec<Vec<u8>>)>) -> Option<Self> {
        let words: Vec<_> = words.map(|(number, places)| (number, folded(places))).collect();
        let mut counts: BTreeMap<Print, u64> = BTreeMap::new();
        for (_, places) in &words {
            prints(places).for_each(|print| *counts.entry(print).or_default() += 1);
        }
        // One that is rare, or that many words share.
        let cost = |print: &Print| (price(print) + RARE) / counts[print];
        let (mut owners, mut all) = (Vec::new(), Vec::new());
        for (word, places) in &words {
            let near = prints(places).take(usize::from(u8::MAX)).enumerate();
            let Some((behind, print)) = near.min_by_key(|(_, print)| cost(print)) else { continue };
            owners.extend(sure(&print).map(|sure| Owner::new(*word as u32, places, behind as u8, sure)));
            all.push(print);
        }
        owners.sort_by_key(Owner::slot);
        (!owners.is_empty()).then(|| (Tables::new(&all), Bits::of(&all), owners).into())
    }

    /// Calls `each` with the number of every word that may stand in `bytes` and the place where it would begin, for each
    /// place where it does and a few others. A place is at most as far before the one told last as a word has bytes.
    pub(super) fn find(&self, bytes: &[u8], mut each: impl FnMut(usize, usize)) {
        let mut last = [0; PIECE + BEHIND];
        let (mut masks, mut hits) = ([0; PIECE / BLOCK], [0; PIECE]);
        for start in (0..bytes.len()).step_by(PIECE) {
            let rest = &bytes[start..];
            let piece = rest.first_chunk().unwrap_or_else(|| {
                last[..rest.len()].copy_from_slice(rest);
                last[rest.len()..].fill(0);
                &last
            });
            let masks = &mut masks[..rest.len().min(PIECE).div_ceil(BLOCK)];
            self.tables.mark(piece, masks);
            for at in self.sieve(piece, masks, &mut hits) {
                self.look_up(piece, bytes, start, usize::from(*at), &mut each);
            }
        }
    }

    /// The places that the masks tell of and where a word's print may stand. A function of its own, without branches, as most
    /// of them are none and nobody can tell which.
    #[inline(never)]
    fn sieve<'h>(&self, piece: &Piece, masks: &[u64], hits: &'h mut [u16; PIECE]) -> &'h [u16] {
        let mut found = 0;
        for (block, mask) in masks.iter().enumerate() {
            let mut mask = *mask;
            while mask != 0 {
                let at = block * BLOCK + mask.trailing_zeros() as usize;
                hits[found % PIECE] = at as u16;
                found += self.bits.has(piece[at..].first_chunk().copied().unwrap_or_default());
                mask &= mask - 1;
            }
        }
        &hits[..found]
    }

    fn look_up(&self, piece: &Piece, bytes: &[u8], start: usize, at: usize, each: &mut impl FnMut(usize, usize)) {
        let slot = slot(piece[at..].first_chunk().copied().unwrap_or_default());
        let owners = self.firsts[slot] as usize..self.firsts[slot + 1] as usize;
        for owner in &self.owners[owners] {
            // Behind the end there are zeros, which look like spaces.
            let begin = (start + at).checked_sub(usize::from(owner.behind)).filter(|at| *at < bytes.len());
            let Some(at) = begin else { continue };
            if owner.begins(u64::from_le_bytes(eight(bytes, at)) | u64::from_le_bytes([FOLD; 8])) {
                each(at, owner.word as usize);
            }
        }
    }
}

impl Owner {
    fn new(word: u32, places: &[Vec<u8>], behind: u8, print: [u8; SURE]) -> Self {
        let (mut begins, mut len) = ([0; 8], 0);
        for (byte, place) in begins.iter_mut().zip(places) {
            let [only] = place[..] else { break };
            *byte = only;
            len += 1;
        }
        Owner { print, behind, begins, len, word }
    }
}

/// The bytes at a place; behind the end there are zeros.
#[inline]
fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    bytes[at..].first_chunk().copied().unwrap_or_else(|| {
        let mut eight = [0; 8];
        eight[..bytes.len() - at].copy_from_slice(&bytes[at..]);
        eight
    })
}

fn folded(mut places: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    for place in &mut places {
        place.iter_mut().for_each(|byte| *byte |= FOLD);
        place.sort_unstable();
        place.dedup();
    }
    places
}

/// What a word can be looked for by: any byte may follow a short one.
fn prints(places: &[Vec<u8>]) -> impl Iterator<Item = Print> {
    let any = || (0..=u8::MAX).filter(|byte| byte | FOLD == *byte).collect();
    let print = move |first| std::array::from_fn(|nth| places.get(first + nth).cloned().unwrap_or_else(any));
    let whole = (places.len() + 1).saturating_sub(PRINT);
    (0..whole.max((places.len() >= SURE).into())).map(print)
}

/// The bytes that are sure, in all ways in which they can be.
fn sure(print: &Print) -> impl Iterator<Item = [u8; SURE]> {
    let [one, two, three, _] = print;
    one.iter().flat_map(move |one| two.iter().flat_map(move |two| three.iter().map(move |three| [*one, *two, *three])))
}

/// How many places look like a print, in thousandths to the power of [`PRINT`].
fn price(print: &Print) -> u64 {
    print.iter().map(|place| place.iter().map(|byte| share(*byte)).sum::<u64>().min(1000)).product()
}

/// As dear as this is any print at all, in thousandths to the power of [`PRINT`].
const RARE: u64 = 400_000;

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

impl Tables {
    fn new(all: &[Print]) -> Self {
        let mut all = all.to_vec();
        all.sort_by_cached_key(|print| (std::cmp::Reverse(price(print)), print.clone()));
        all.dedup();
        let (mut kinds, mut halves) = ([[[0; KINDS]; PRINT]; SETS], [[[[0; 16]; 2]; PRINT]; SETS]);
        for (number, bucket) in deal(all.iter().map(ByKind::of).collect()).iter().enumerate() {
            for (table, bits) in kinds[number / 8].iter_mut().zip(bucket.0) {
                ones(bits).for_each(|kind| table[usize::from(kind)] |= 1 << (number % 8));
            }
        }
        for (number, bucket) in deal(all.iter().map(ByHalf::of).collect()).iter().enumerate() {
            for (table, bits) in halves[number / 8].as_flattened_mut().iter_mut().zip(bucket.0.as_flattened()) {
                ones((*bits).into()).for_each(|half| table[usize::from(half)] |= 1 << (number % 8));
            }
        }
        Tables { kinds, halves }
    }

    /// At which places of the first `masks.len()` blocks of a piece a print may stand.
    fn mark(&self, piece: &Piece, masks: &mut [u64]) {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "the compiler wants it for instructions that not every processor has")]
        if std::arch::is_x86_feature_detected!("avx512vbmi") && std::arch::is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor was just asked.
            return unsafe { avx512(&self.kinds, piece, masks) };
        } else if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor was just asked.
            return unsafe { avx2(&self.halves, piece, masks) };
        }
        plain(&self.kinds, piece, masks);
    }
}

/// What remains of a byte without two of its bits.
fn kind(byte: u8) -> usize {
    usize::from(byte & 0x1F | byte >> 1 & 0x20)
}

/// What is said of all the prints in a bucket.
trait Bucket: Copy + Default {
    /// A bucket with this print alone.
    fn of(print: &Print) -> Self;

    fn both(self, other: Self) -> Self;

    /// How many places look like a bucket's, as a part of 1000 to the power of [`PRINT`].
    fn passing(self) -> u64;
}

/// The kinds that their bytes are of, one bit each.
#[derive(Clone, Copy, Default)]
struct ByKind([u64; PRINT]);

/// The halves that their bytes have, one bit each.
#[derive(Clone, Copy, Default)]
struct ByHalf([[u16; 2]; PRINT]);

impl Bucket for ByKind {
    fn of(print: &Print) -> Self {
        ByKind(print.each_ref().map(|place| place.iter().fold(0, |kinds, byte| kinds | 1 << kind(*byte))))
    }

    fn both(self, other: Self) -> Self {
        ByKind(std::array::from_fn(|place| self.0[place] | other.0[place]))
    }

    fn passing(self) -> u64 {
        let share = |kind: u8| share(kind & 0x1F | kind << 1 & 0x40 | FOLD);
        self.0.iter().map(|kinds| ones(*kinds).map(share).sum::<u64>().min(1000)).product()
    }
}

impl Bucket for ByHalf {
    fn of(print: &Print) -> Self {
        let bits = |place: &Vec<u8>, half: fn(u8) -> u8| place.iter().fold(0, |bits, byte| bits | 1 << half(*byte));
        ByHalf(print.each_ref().map(|place| [bits(place, |byte| byte & 15), bits(place, |byte| byte >> 4)]))
    }

    fn both(self, other: Self) -> Self {
        ByHalf(std::array::from_fn(|place| std::array::from_fn(|half| self.0[place][half] | other.0[place][half])))
    }

    fn passing(self) -> u64 {
        let share = |[low, high]: [u16; 2]| {
            let bytes = ones(high.into()).flat_map(|high| ones(low.into()).map(move |low| high << 4 | low));
            bytes.map(share).sum::<u64>().min(1000)
        };
        self.0.into_iter().map(share).product()
    }
}

/// The numbers of the bits that are set.
fn ones(mut bits: u64) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let first = (bits != 0).then(|| bits.trailing_zeros() as u8)?;
        bits &= bits - 1;
        Some(first)
    })
}

/// Deals the prints into buckets so that few other places look like a bucket's.
fn deal<B: Bucket>(all: Vec<B>) -> [B; BUCKETS] {
    // With how many places look like each.
    let mut buckets = [(B::default(), 0); BUCKETS];
    let mut dealt = vec![None; all.len()];
    for _ in 0..=if all.len() > MANY { 0 } else { ROUNDS } {
        for (number, one) in all.iter().enumerate() {
            if let Some(from) = dealt[number].take() {
                let others = all.iter().zip(&dealt).filter(|(_, bucket)| **bucket == Some(from));
                let left = others.fold(B::default(), |all, (one, _)| all.both(*one));
                buckets[from] = (left, left.passing());
            }
            let with = |(bucket, _): &(B, u64)| {
                let bucket = bucket.both(*one);
                (bucket, bucket.passing())
            };
            let grown = buckets.iter().map(with).enumerate();
            if let Some((best, grown)) = grown.min_by_key(|(number, (_, passing))| passing - buckets[*number].1) {
                buckets[best] = grown;
                dealt[number] = Some(best);
            }
        }
    }
    buckets.map(|(bucket, _)| bucket)
}

fn plain(kinds: &[Kinds; SETS], piece: &Piece, masks: &mut [u64]) {
    // All sets in one number.
    let of = |nth: usize, byte: u8| kinds.iter().fold(0, |all, set| all << 8 | u32::from(set[nth][kind(byte)]));
    let tables: [[u32; 256]; PRINT] = std::array::from_fn(|nth| std::array::from_fn(|byte| of(nth, byte as u8)));
    for (block, mask) in masks.iter_mut().enumerate() {
        let print = |at: &[u8]| (0..PRINT).fold(u32::MAX, |all, nth| all & tables[nth][usize::from(at[nth])]);
        let places = piece[block * BLOCK..][..BLOCK + PRINT - 1].windows(PRINT).enumerate();
        *mask = places.fold(0, |mask, (place, at)| mask | u64::from(print(at) != 0) << place);
    }
}

/// Looks up 64 bytes in a table of 64 at once: a quarter of what [`avx2`] has to do.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn avx512(kinds: &[Kinds; SETS], piece: &Piece, masks: &mut [u64]) {
    use std::arch::x86_64::{
        __m512i, _mm512_and_si512, _mm512_or_si512, _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_srli_epi16,
        _mm512_ternarylogic_epi64, _mm512_test_epi8_mask,
    };

    use super::masks::whole;
    let tables = kinds.each_ref().map(|set| set.each_ref().map(|table| whole(table)));
    let low = _mm512_set1_epi8(0x1F);
    for (block, mask) in masks.iter_mut().enumerate() {
        let kinds: [__m512i; PRINT] = std::array::from_fn(|nth| {
            let bytes = whole(piece[block * BLOCK + nth..].first_chunk().unwrap_or(&[0; BLOCK]));
            // Bits where `low` has ones are the byte's, the others those of the byte moved; a look-up takes six of eight.
            _mm512_ternarylogic_epi64::<0xCA>(low, bytes, _mm512_srli_epi16::<1>(bytes))
        });
        let buckets = tables.map(|set| {
            let [one, two, three, four]: [__m512i; PRINT] =
                std::array::from_fn(|nth| _mm512_permutexvar_epi8(kinds[nth], set[nth]));
            _mm512_and_si512(_mm512_and_si512(one, two), _mm512_and_si512(three, four))
        });
        let any = buckets.into_iter().reduce(|any, one| _mm512_or_si512(any, one)).unwrap_or(low);
        *mask = _mm512_test_epi8_mask(any, any);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(halves: &[Halves; SETS], piece: &Piece, masks: &mut [u64]) {
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
                let at = piece[block * BLOCK + part * WIDTH + nth..].first_chunk::<WIDTH>().unwrap_or(&[0; WIDTH]);
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
            let any = buckets.into_iter().fold(_mm256_setzero_si256(), |any, one| _mm256_or_si256(any, one));
            let none = _mm256_movemask_epi8(_mm256_cmpeq_epi8(any, _mm256_setzero_si256()));
            *mask |= u64::from(!none as u32) << (part * WIDTH);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WORDS: [&str; 14] = [
        "token", "secret", "://", "pwd", "api-key", "authkey", "$2a$", "<server>", "kty", "pass=", "xoxd-", "nix_",
        "   ", "=    =",
    ];

    fn places(word: &str) -> Vec<Vec<u8>> {
        word.bytes().map(|byte| vec![byte]).collect()
    }

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
            Just(vec![b' '; PIECE - 2]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_word_is_lost(bytes in some_text()) {
            let words = WORDS.iter().map(|word| places(word)).enumerate();
            let prints = Prints::new(words).unwrap();
            let mut found = std::collections::HashSet::new();
            prints.find(&bytes, |at, word| found.extend([(at, word)]));
            for one in by_hand(&bytes) {
                prop_assert!(found.contains(&one), "{one:?}");
            }
        }

        #[test]
        fn every_instruction_set_says_what_a_plain_loop_does(bytes in prop::collection::vec(any::<u8>(), 0..1000)) {
            let all: Vec<_> = WORDS.iter().filter_map(|word| prints(&places(word)).next()).collect();
            let tables = Tables::new(&all);
            let mut piece = [0; PIECE + BEHIND];
            piece[..bytes.len()].copy_from_slice(&bytes);
            let mut plainly = [0; PIECE / BLOCK];
            plain(&tables.kinds, &piece, &mut plainly);
            let print = |at: usize| piece[at..].first_chunk::<PRINT>().unwrap().map(|byte| byte | FOLD);
            let has = |halves: &Halves, nth: usize, byte: u8| halves[nth][0][usize::from(byte & 15)] & halves[nth][1][usize::from(byte >> 4)];
            let fits = |at: usize| tables.halves.iter().any(|set| {
                print(at).iter().enumerate().fold(u8::MAX, |all, (nth, byte)| all & has(set, nth, *byte)) != 0
            });
            let by_halves: [u64; PIECE / BLOCK] = std::array::from_fn(|block| {
                (0..BLOCK).fold(0, |mask, place| mask | u64::from(fits(block * BLOCK + place)) << place)
            });
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "asks for what a processor may not be asked for otherwise")]
            {
                let mut masks = [0; PIECE / BLOCK];
                if std::arch::is_x86_feature_detected!("avx512vbmi") {
                    // SAFETY: the processor was just asked.
                    unsafe { avx512(&tables.kinds, &piece, &mut masks) };
                    prop_assert_eq!(masks, plainly);
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor was just asked.
                    unsafe { avx2(&tables.halves, &piece, &mut masks) };
                    prop_assert_eq!(masks, by_halves);
                }
            }
        }
    }

    #[test]
    fn what_is_long_or_one_of_many_is_found() {
        let long = [&"a ".repeat(200), "qjxz"].concat();
        let many: Vec<String> = (0..MANY + 2).map(|number| format!("{number:04}")).chain([long]).collect();
        let prints = Prints::new(many.iter().map(|word| places(word)).enumerate()).unwrap();
        for (word, text) in many.iter().enumerate() {
            let mut found = Vec::new();
            prints.find(format!("x{text}").as_bytes(), |at, word| found.push((at, word)));
            assert!(found.contains(&(1, word)), "{word}");
        }
    }

    #[test]
    fn nothing_to_look_for_is_nothing() {
        assert!(Prints::new([].into_iter()).is_none());
    }
}

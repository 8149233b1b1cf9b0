//! Finds out where keywords may begin, by four bytes at a time: at a cost that does not grow with how many there are.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are looked at together.
pub(super) const GRAM: usize = 4;

/// Grams that are looked at between two branches.
const GRAMS: usize = 8;

/// 32 KiB: with a quarter of that the fastest cache does better, but one gram in twelve is taken for one that it is not.
const WORDS: usize = 1 << 12;

/// Sets a bit that tells capital letters from small ones. It makes one of some other bytes, too, which costs a second look.
const FOLD: u32 = 0x2020_2020;

/// What things begin with: a Bloom filter of blocks, with two bits of one word for each gram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grams {
    bits: Box<[u64; WORDS]>,
    /// Where the owners of each word begin; the last is where they end.
    firsts: Box<[u32; WORDS + 1]>,
    /// Hashes and what begins so, by word.
    owners: Vec<(Hash, u32)>,
}

/// Of a gram, folded: which word, and which bits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hash(u32);

impl Hash {
    const BITS: u32 = 24;

    #[inline]
    fn of(gram: [u8; GRAM]) -> Self {
        // The upper bits of a product with a large odd number depend on every byte.
        let product = u64::from(u32::from_le_bytes(gram) | FOLD).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Hash((product >> (u64::BITS - Self::BITS)) as u32)
    }

    #[inline]
    fn word(self) -> usize {
        (self.0 >> 12) as usize
    }

    #[inline]
    fn bits(self) -> u64 {
        1 << (self.0 >> 6 & 63) | 1 << (self.0 & 63)
    }
}

impl Grams {
    /// Each thing begins with one of the bytes in each of the sets, in any case. `None` if there is nothing.
    pub(super) fn new(things: impl IntoIterator<Item = (u32, [Vec<u8>; GRAM])>) -> Option<Self> {
        let mut given = Vec::new();
        for (thing, sets) in things {
            let [one, two, three, four] = sets.map(folded);
            for (a, b) in one.iter().flat_map(|a| two.iter().map(move |b| (a, b))) {
                for (c, d) in three.iter().flat_map(|c| four.iter().map(move |d| (c, d))) {
                    given.push((Hash::of([*a, *b, *c, *d]), thing));
                }
            }
        }
        (!given.is_empty()).then(|| Grams::of(&given))
    }

    /// Of each gram and what begins with it.
    fn of(given: &[(Hash, u32)]) -> Self {
        let (mut bits, mut firsts) = (Box::new([0; WORDS]), Box::new([0; WORDS + 1]));
        for (hash, _) in given {
            bits[hash.word()] |= hash.bits();
            firsts[hash.word() + 1] += 1;
        }
        for word in 0..WORDS {
            firsts[word + 1] += firsts[word];
        }
        // Each to the next free place of its word: a sort would be a tenth of a short run.
        let (mut next, mut owners) = (firsts.clone(), given.to_vec());
        for one in given {
            let place = &mut next[one.0.word()];
            owners[*place as usize] = *one;
            *place += 1;
        }
        Grams { bits, firsts, owners }
    }

    /// Calls `each` for whatever may begin in `from..to`, with its place. Most of it does not. Only every `STRIDE`th place is
    /// looked at.
    #[inline]
    pub(super) fn find<const STRIDE: usize>(
        &self,
        bytes: &[u8],
        from: usize,
        to: usize,
        mut each: impl FnMut(usize, u32),
    ) {
        let mut at = from;
        loop {
            at = self.next::<STRIDE>(bytes, at, to);
            if at >= to.min(bytes.len()) {
                return;
            }
            self.owners_of(Hash::of(gram(bytes, at))).for_each(|thing| each(at, thing));
            at += STRIDE;
        }
    }

    /// The first place where something may begin, from `from` in steps of `STRIDE`, or one from `to` on. A function of its
    /// own, as what is done at such a place would take the registers that this loop needs.
    #[inline(never)]
    fn next<const STRIDE: usize>(&self, bytes: &[u8], from: usize, to: usize) -> usize {
        const { assert!(STRIDE == 1 || STRIDE == 2) };
        let (mut at, to) = (from, to.min(bytes.len()));
        while let Some(block) = bytes[at.min(to)..].first_chunk::<{ 2 * GRAMS + GRAM }>() {
            let mut hits = 0_u32;
            for nth in 0..GRAMS {
                let gram = &block[nth * STRIDE..nth * STRIDE + GRAM];
                hits |= u32::from(self.has(Hash::of([gram[0], gram[1], gram[2], gram[3]]))) << nth;
            }
            if hits != 0 {
                return at + hits.trailing_zeros() as usize * STRIDE;
            }
            at += GRAMS * STRIDE;
            if at >= to {
                return to;
            }
        }
        (at..to).step_by(STRIDE).find(|at| self.has(Hash::of(gram(bytes, *at)))).unwrap_or(to)
    }

    #[inline]
    fn has(&self, hash: Hash) -> bool {
        self.bits[hash.word()] & hash.bits() == hash.bits()
    }

    fn owners_of(&self, hash: Hash) -> impl Iterator<Item = u32> {
        let owners = self.firsts[hash.word()] as usize..self.firsts[hash.word() + 1] as usize;
        self.owners[owners].iter().filter(move |owner| owner.0 == hash).map(|owner| owner.1)
    }
}

/// As bytes, eight for each: there are ten thousands, and a number at a time they take as long to read as to make.
impl Serialize for Grams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let one = |(hash, thing): &(Hash, u32)| [hash.0.to_le_bytes(), thing.to_le_bytes()].concat();
        serializer.serialize_bytes(&self.owners.iter().flat_map(one).collect::<Vec<u8>>())
    }
}

impl<'de> Deserialize<'de> for Grams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (words, rest) = <&[u8]>::deserialize(deserializer)?.as_chunks::<4>();
        let (pairs, odd) = words.as_chunks::<2>();
        let given = pairs.iter().map(|pair| pair.map(u32::from_le_bytes)).map(|[hash, thing]| (Hash(hash), thing));
        let whole = rest.is_empty() && odd.is_empty() && given.clone().all(|(hash, _)| hash.0 >> Hash::BITS == 0);
        whole.then(|| Grams::of(&given.collect::<Vec<_>>())).ok_or_else(|| D::Error::custom("no grams"))
    }
}

/// Two for each text, of which one is found where only every second place is looked at: its beginning, and its beginning
/// but for the first byte, or, if it is too short for that, its beginning with any byte before it.
pub(super) fn either<'t>(
    texts: impl Iterator<Item = (usize, &'t [u8])>,
) -> impl Iterator<Item = (u32, [Vec<u8>; GRAM])> {
    let any: Vec<u8> = (0..=u8::MAX).filter(|byte| byte | FOLD as u8 == *byte).collect();
    texts.flat_map(move |(number, text)| {
        let [one, two, three, four] = beginning(text, &any);
        let other = match text.get(1..=GRAM) {
            Some(_) => (Half::Behind, beginning(&text[1..], &any)),
            None => (Half::Before, [any.clone(), one.clone(), two.clone(), three.clone()]),
        };
        [(Half::There, [one, two, three, four]), other].map(|(half, sets)| (half.with(number), sets))
    })
}

/// Where a text begins, from the place where one of [`either`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    There,
    /// The place is one behind it.
    Behind,
    /// The place is one before it.
    Before,
}

impl Half {
    fn with(self, number: usize) -> u32 {
        3 * number as u32 + self as u32
    }
}

/// The place and the number of the text to which `thing` of [`either`] at `at` belongs.
#[inline]
pub(super) fn whole(at: usize, thing: u32) -> (usize, usize) {
    let number = thing as usize / 3;
    match thing % 3 {
        0 => (at, number),
        1 => (at.wrapping_sub(1), number),
        _ => (at + 1, number),
    }
}

/// What a text begins with: itself, and `then` behind it if it is short.
pub(super) fn beginning(text: &[u8], then: &[u8]) -> [Vec<u8>; GRAM] {
    std::array::from_fn(|at| text.get(at).map_or_else(|| then.to_vec(), |byte| vec![*byte]))
}

fn folded(mut set: Vec<u8>) -> Vec<u8> {
    set.iter_mut().for_each(|byte| *byte |= FOLD as u8);
    // Most are; to sort them, for every short keyword, would be a twentieth of a short run.
    if !set.is_sorted() {
        set.sort_unstable();
    }
    set.dedup();
    set
}

/// The bytes at a place; behind the end there are zeros.
#[inline]
fn gram(bytes: &[u8], at: usize) -> [u8; GRAM] {
    bytes[at..].first_chunk().copied().unwrap_or_else(|| {
        let mut gram = [0; GRAM];
        gram[..bytes.len() - at].copy_from_slice(&bytes[at..]);
        gram
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(grams: &Grams, bytes: &[u8]) -> Vec<(usize, u32)> {
        let mut found = Vec::new();
        grams.find::<1>(bytes, 0, bytes.len(), |at, thing| found.push((at, thing)));
        found
    }

    #[test]
    fn what_begins_somewhere_is_found_in_any_case_and_at_the_very_end() {
        let any: Vec<u8> = (0..=u8::MAX).collect();
        let grams = Grams::new([(0, beginning(b"glpat-", &any)), (1, beginning(b"gh_", &any))]).unwrap();
        assert!(found(&grams, b"xGLpat-").contains(&(1, 0)));
        assert!(found(&grams, b"x gh_").contains(&(2, 1)));
        assert!(found(&grams, b"x gH_\xff").contains(&(2, 1)));
        assert_eq!(found(&grams, b"glp"), []);
        assert!(Grams::new([]).is_none());
    }

    #[test]
    fn every_second_place_is_enough_for_either_of_two() {
        let grams = Grams::new(either([(7, b"://".as_slice()), (9, b"token")].into_iter())).unwrap();
        let text = b"toKen ://://x  token tokentoken http://";
        for from in 0..text.len() {
            let mut all = Vec::new();
            grams.find::<2>(text, from, text.len(), |at, thing| all.push(whole(at, thing)));
            for at in from..text.len() {
                assert_eq!(all.contains(&(at, 7)), text[at..].starts_with(b"://"), "{from} {at}");
                assert_eq!(all.contains(&(at, 9)), text[at..].to_ascii_lowercase().starts_with(b"toke"), "{from} {at}");
            }
        }
    }
}

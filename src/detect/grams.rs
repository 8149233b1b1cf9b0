//! Finds out where keywords may begin, by four bytes at a time: at a cost that does not grow with how many there are.

/// Bytes that are looked at together.
pub(super) const GRAM: usize = 4;

/// One bit for each value of a hash: 8 KiB, which stay in the fastest cache.
const WORDS: usize = 1 << 10;

/// Sets a bit that tells capital letters from small ones. It makes one of some other bytes, too, which costs a second look.
const FOLD: u32 = 0x2020_2020;

/// What things begin with.
#[derive(Debug)]
pub(super) struct Grams {
    bits: Box<[u64; WORDS]>,
    /// Hashes and what begins so, sorted.
    owners: Vec<(u16, u32)>,
}

impl Grams {
    /// Each thing begins with one of the bytes in each of the sets, in any case. `None` if there is nothing.
    pub(super) fn new(things: impl IntoIterator<Item = (u32, [Vec<u8>; GRAM])>) -> Option<Self> {
        let mut owners = Vec::new();
        for (thing, sets) in things {
            let [one, two, three, four] = sets.map(folded);
            for (a, b) in one.iter().flat_map(|a| two.iter().map(move |b| (a, b))) {
                for (c, d) in three.iter().flat_map(|c| four.iter().map(move |d| (c, d))) {
                    owners.push((hash([*a, *b, *c, *d]), thing));
                }
            }
        }
        owners.sort_unstable();
        owners.dedup();
        let mut bits = Box::new([0; WORDS]);
        for (hash, _) in &owners {
            bits[usize::from(hash >> 6)] |= 1 << (hash & 63);
        }
        (!owners.is_empty()).then_some(Grams { bits, owners })
    }

    /// Calls `each` for whatever may begin in `from..to`, with its place. Most of it does not.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8], from: usize, to: usize, mut each: impl FnMut(usize, u32)) {
        let whole = to.min(bytes.len().saturating_sub(GRAM - 1)).max(from);
        for (at, gram) in (from..whole).zip(bytes[from..].windows(GRAM)) {
            let hash = hash([gram[0], gram[1], gram[2], gram[3]]);
            if self.bits[usize::from(hash >> 6)] >> (hash & 63) & 1 == 1 {
                self.owners_of(hash).for_each(|thing| each(at, thing));
            }
        }
        for at in whole..to.min(bytes.len()) {
            let mut gram = [0; GRAM];
            gram[..bytes.len() - at].copy_from_slice(&bytes[at..]);
            self.owners_of(hash(gram)).for_each(|thing| each(at, thing));
        }
    }

    #[cold]
    fn owners_of(&self, hash: u16) -> impl Iterator<Item = u32> {
        let first = self.owners.partition_point(|owner| owner.0 < hash);
        self.owners[first..].iter().take_while(move |owner| owner.0 == hash).map(|owner| owner.1)
    }
}

/// What a text begins with: itself, and `then` behind it if it is short.
pub(super) fn beginning(text: &[u8], then: &[u8]) -> [Vec<u8>; GRAM] {
    std::array::from_fn(|at| text.get(at).map_or_else(|| then.to_vec(), |byte| vec![*byte]))
}

fn folded(mut set: Vec<u8>) -> Vec<u8> {
    set.iter_mut().for_each(|byte| *byte |= FOLD as u8);
    set.sort_unstable();
    set.dedup();
    set
}

fn hash(gram: [u8; GRAM]) -> u16 {
    // A large odd number: the upper half of a product depends on every byte.
    ((u32::from_le_bytes(gram) | FOLD).wrapping_mul(0x9e37_79b1) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(grams: &Grams, bytes: &[u8]) -> Vec<(usize, u32)> {
        let mut found = Vec::new();
        grams.find(bytes, 0, bytes.len(), |at, thing| found.push((at, thing)));
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
}

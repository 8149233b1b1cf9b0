//! Many small things by the number of what they belong to, in little memory; and tables that are quick for numbers.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A table by numbers that this program gave: nobody from outside chooses them, so they need no hash that withstands that.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// As [`Map`].
pub(super) type Set<K> = HashSet<K, BuildHasherDefault<Mix>>;

/// Multiplies and folds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let wide = u128::from(self.0 ^ value ^ 0x243f_6a88_85a3_08d3) * 0x9e37_79b9_7f4a_7c15;
        self.0 = wide as u64 ^ (wide >> 64) as u64;
    }
}

/// The values of each number below some bound.
#[derive(Debug, Default)]
pub(super) struct Grouped<T> {
    /// Where those of each number begin; the last is where they end.
    starts: Vec<usize>,
    values: Vec<T>,
}

impl<T: Copy + Default + Ord> Grouped<T> {
    /// From pairs of a number below `len` and one of its values. They are gone through twice.
    pub(super) fn new<I: Iterator<Item = (u32, T)>>(len: usize, pairs: impl Fn() -> I) -> Self {
        let mut starts = vec![0usize; len + 2];
        pairs().for_each(|(number, _)| starts[number as usize + 2] += 1);
        for at in 2..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut values = vec![T::default(); starts[len + 1]];
        for (number, value) in pairs() {
            let slot = &mut starts[number as usize + 1];
            values[*slot] = value;
            *slot += 1;
        }
        starts.pop();
        Grouped { starts, values }
    }

    /// Puts the values of each number in ascending order.
    pub(super) fn sort(&mut self) {
        for span in self.starts.windows(2) {
            self.values[span[0]..span[1]].sort_unstable();
        }
    }

    /// The values of a number.
    pub(super) fn of(&self, number: u32) -> &[T] {
        &self.values[self.starts[number as usize]..self.starts[number as usize + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_with_their_numbers() {
        let pairs = [(2, 7), (0, 5), (2, 1), (3, 9)];
        let mut grouped = Grouped::new(4, || pairs.into_iter());
        assert_eq!(
            (0..4).map(|at| grouped.of(at).to_vec()).collect::<Vec<_>>(),
            [vec![5], vec![], vec![7, 1], vec![9]]
        );
        grouped.sort();
        assert_eq!(grouped.of(2), [1, 7]);
        assert!(Grouped::<u32>::new(1, std::iter::empty).of(0).is_empty());
    }

    #[test]
    fn neighbours_are_far_apart() {
        let hash = |value: u32| {
            let mut mix = Mix::default();
            mix.write_u32(value);
            mix.finish()
        };
        // A table goes by the lowest bits for the place, and by the highest for what it compares.
        for shift in [0, 57] {
            let places: HashSet<u64> = (0..1 << 7).map(|value| hash(value) >> shift & 0x7f).collect();
            assert!(places.len() > 70, "{} places by bit {shift}", places.len());
        }
    }
}

//! Objects that are in several packs: all copies but the first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Range;

use rayon::prelude::*;

use super::index::Index;
use super::store::Stores;

/// One bit for each row of each pack.
pub(super) struct Twins(Vec<Vec<u64>>);

impl Twins {
    /// Merges the sorted names of all packs but those that are not to be read. A pack's copy gives way to one in a pack before it,
    /// and to one in a pack that is not read because it is known.
    pub(super) fn find(stores: &Stores, known: &BTreeSet<usize>) -> Twins {
        let numbers: Vec<usize> = (0..stores.packs.len()).filter(|number| !known.contains(number)).collect();
        let packs: Vec<&Index> = numbers.iter().map(|number| &stores.packs[*number].index).collect();
        let mut twins = Twins(vec![Vec::new(); stores.packs.len()]);
        if packs.len() > 1 || !known.is_empty() {
            numbers.iter().zip(&packs).for_each(|(at, index)| twins.0[*at] = vec![0u64; index.len().div_ceil(64)]);
        }
        if packs.len() > 1 {
            let found: Vec<_> = (0..=255u8).into_par_iter().flat_map_iter(|first| merge(&packs, first)).collect();
            found.into_iter().for_each(|(at, row)| twins.mark(numbers[at], row));
        }
        for (number, index) in numbers.iter().zip(&packs).filter(|_| !known.is_empty()) {
            let is_known = |row: &usize| {
                let id = index.id(*row);
                id.is_some_and(|id| known.iter().any(|pack| stores.packs[*pack].index.find(&id).is_some()))
            };
            let rows: Vec<usize> = (0..index.len()).into_par_iter().filter(is_known).collect();
            rows.into_iter().for_each(|row| twins.mark(*number, row));
        }
        twins
    }

    fn mark(&mut self, pack: usize, row: usize) {
        self.0[pack][row / 64] |= 1 << (row % 64);
    }

    /// Whether the object in that row of that pack is visited elsewhere.
    pub(super) fn contains(&self, pack: usize, row: u32) -> bool {
        self.0[pack].get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

/// The copies among the names that begin with one byte.
fn merge(packs: &[&Index], first: u8) -> Vec<(usize, usize)> {
    let mut ranges: Vec<Range<usize>> = packs.iter().map(|index| rows(index, first)).collect();
    let mut heap = BinaryHeap::new();
    let mut push = |heap: &mut BinaryHeap<_>, pack: usize| {
        if let Some(row) = ranges[pack].next() {
            heap.push(Reverse((packs[pack].name(row), pack, row)));
        }
    };
    (0..packs.len()).for_each(|pack| push(&mut heap, pack));
    let (mut found, mut last): (_, &[u8]) = (Vec::new(), &[]);
    while let Some(Reverse((name, pack, row))) = heap.pop() {
        if name == last {
            found.push((pack, row));
        }
        last = name;
        push(&mut heap, pack);
    }
    found
}

/// The rows whose names begin with that byte.
fn rows(index: &Index, first: u8) -> Range<usize> {
    let below = |limit: u16| {
        let (mut low, mut high) = (0, index.len());
        while low < high {
            let middle = (low + high) / 2;
            let before = index.name(middle).first().is_some_and(|byte| u16::from(*byte) < limit);
            if before { low = middle + 1 } else { high = middle }
        }
        low
    };
    below(u16::from(first))..below(u16::from(first) + 1)
}

//! Turns a pack into its delta trees: what is built from what, and what of it is wanted.

use std::collections::BTreeSet;
use std::ops::Range;

use rayon::prelude::*;

use super::pack::{Link, Pack};
use crate::origin::{ObjectId, ObjectKind};

/// The row of an entry that nobody wants to see.
pub(super) const UNWANTED: u32 = u32::MAX;

/// What an entry costs beside its bytes, in bytes: so that many tiny ones weigh something.
const ENTRY_COST: u64 = 64;

/// An entry of a pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Where it starts in the pack.
    pub offset: u64,
    /// Its row in the index, or [`UNWANTED`].
    pub row: u32,
    kids_at: u32,
}

/// A whole entry, or one whose base is not in its pack, with all that is built on it.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// The node to start with.
    pub root: u32,
    /// What all of its objects are. Unknown if the root is a delta whose base is elsewhere, or cannot be read.
    pub kind: Option<ObjectKind>,
    /// The base, if it is not in this pack; that is rare, and there are as many trees as commits.
    pub far: Option<Box<ObjectId>>,
    /// Packed bytes that must be read, with a surcharge for each entry.
    pub weight: u64,
}

/// All delta trees of a pack with something wanted in them.
#[derive(Debug, Default)]
pub(super) struct Forest {
    /// By offset.
    pub nodes: Vec<Node>,
    kids: Vec<u32>,
    pub trees: Vec<Tree>,
    /// Rows that are wanted and that the index has at an offset where it has another one, too, or whose entry, or one that it is
    /// built on, is not what it was when the index was made. They are in no tree.
    pub doubtful: Vec<u32>,
}

/// What was found out about an entry before all of them are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parent {
    Root(ObjectKind),
    Node(u32),
    /// By name, in another store or nowhere.
    Far,
    /// At an offset that the index does not list.
    Unlisted(u64),
    /// Its header cannot be read.
    Broken,
}

impl Forest {
    /// Reads every entry's header. `wanted` says whether to visit the object of a row, if it is of that kind; it is
    /// also asked for objects whose kind is not known yet. `checks` says whether to look at all bytes of the entries, too.
    pub(super) fn plan(pack: &Pack, checks: bool, wanted: &(dyn Fn(u32, Option<ObjectKind>) -> bool + Sync)) -> Forest {
        let mut places: Vec<(u64, u32)> =
            (0..pack.index.len()).map(|row| (pack.index.offset(row).unwrap_or(u64::MAX), row as u32)).collect();
        places.par_sort_unstable();
        let mut doubtful = doubtful(&mut places);
        let mut parents = parents(pack, &places);
        if checks {
            doubtful.extend(damaged(pack, &mut places, &parents));
        }
        doubtful.retain(|row| wanted(*row, None));
        let unlisted = unlisted(pack, &places, &parents);
        if !unlisted.is_empty() {
            places.extend(unlisted.into_iter().map(|offset| (offset, UNWANTED)));
            places.par_sort_unstable();
            parents = self::parents(pack, &places);
        }
        Forest { doubtful, ..Builder::new(pack, places, parents).build(wanted) }
    }

    /// What is built directly on a node and leads to something wanted; the heaviest last.
    pub(super) fn kids(&self, node: u32) -> &[u32] {
        &self.kids[self.kid_range(node)]
    }

    fn kid_range(&self, node: u32) -> Range<usize> {
        let next = self.nodes.get(node as usize + 1).map_or(self.kids.len(), |next| next.kids_at as usize);
        self.nodes[node as usize].kids_at as usize..next
    }

    /// Where the entry after this one starts.
    pub(super) fn next_offset(&self, node: u32) -> Option<u64> {
        self.nodes.get(node as usize + 1).map(|next| next.offset)
    }
}

fn node_at(places: &[(u64, u32)], offset: u64) -> Option<u32> {
    let at = places.partition_point(|place| place.0 < offset);
    places.get(at).filter(|place| place.0 == offset).map(|_| at as u32)
}

/// Takes the rows out of sorted places that are not the only one at their offset: one entry is one object, so all of these
/// but one lie. What stands there is nobody's then, though others may be built on it. A row without an offset lies alone.
fn doubtful(places: &mut Vec<(u64, u32)>) -> Vec<u32> {
    let mut rows = Vec::new();
    places.dedup_by(|second, first| {
        let same = second.0 == first.0 && first.0 != u64::MAX;
        if same {
            rows.extend([first.1, second.1].into_iter().filter(|row| *row != UNWANTED));
            first.1 = UNWANTED;
        }
        same
    });
    rows
}

/// Takes the rows out of sorted places whose entry has another CRC-32 than the index says, and those that are built on one. What an
/// entry says of itself is not in the checksum of its zlib stream: one bit makes a commit of a blob.
fn damaged(pack: &Pack, places: &mut [(u64, u32)], parents: &[Parent]) -> Vec<u32> {
    let end = |at: usize| places.get(at + 1).map_or(pack.entries().end, |next| next.0);
    let is_intact = |at: usize| {
        let (start, row) = places[at];
        row == UNWANTED || pack.is_intact(row as usize, start, end(at))
    };
    let mut damaged: Vec<bool> =
        (0..places.len()).into_par_iter().with_min_len(1024).map(|at| !is_intact(at)).collect();
    let mut is_done = !damaged.contains(&true);
    while !is_done {
        is_done = true;
        for (at, parent) in parents.iter().enumerate() {
            if matches!(parent, Parent::Node(base) if damaged[*base as usize]) && !damaged[at] {
                (damaged[at], is_done) = (true, false);
            }
        }
    }
    let rows = places.iter_mut().zip(damaged).filter(|(place, damaged)| *damaged && place.1 != UNWANTED);
    rows.map(|(place, _)| std::mem::replace(&mut place.1, UNWANTED)).collect()
}

fn parents(pack: &Pack, places: &[(u64, u32)]) -> Vec<Parent> {
    let parent = |place: &(u64, u32)| match pack.header(place.0).map(|header| header.link) {
        Ok(Link::Whole(kind)) => Parent::Root(kind),
        Ok(Link::Offset(base)) => node_at(places, base).map_or(Parent::Unlisted(base), Parent::Node),
        Ok(Link::Name(id)) => {
            let here = pack.index.find(&id).and_then(|row| pack.index.offset(row));
            here.and_then(|offset| node_at(places, offset)).map_or(Parent::Far, Parent::Node)
        }
        Err(_) => Parent::Broken,
    };
    places.par_iter().with_min_len(4096).map(parent).collect()
}

/// Entries that the index does not list but others are built on: a multi-pack-index names one of several copies. Each
/// is before the one that needs it, so following them ends.
fn unlisted(pack: &Pack, places: &[(u64, u32)], parents: &[Parent]) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for parent in parents {
        let mut next = match parent {
            Parent::Unlisted(offset) => Some(*offset),
            _ => None,
        };
        while let Some(offset) =
            next.take().filter(|offset| node_at(places, *offset).is_none() && found.insert(*offset))
        {
            if let Ok(Link::Offset(base)) = pack.header(offset).map(|header| header.link) {
                next = Some(base);
            }
        }
    }
    found
}

struct Builder<'a> {
    pack: &'a Pack,
    places: Vec<(u64, u32)>,
    parents: Vec<Parent>,
    /// Where the kids of each node start in `kids`, and one more.
    starts: Vec<u32>,
    kids: Vec<u32>,
    weights: Vec<u64>,
}

impl<'a> Builder<'a> {
    fn new(pack: &'a Pack, places: Vec<(u64, u32)>, parents: Vec<Parent>) -> Self {
        let mut starts = vec![0u32; places.len() + 2];
        for parent in &parents {
            if let Parent::Node(base) = parent {
                starts[*base as usize + 2] += 1;
            }
        }
        for at in 2..starts.len() {
            starts[at] += starts[at - 1];
        }
        // `starts[n + 1]` is where the next kid of `n` goes, and ends up as where those of `n + 1` start.
        let mut kids = vec![0; starts[starts.len() - 1] as usize];
        for (node, parent) in parents.iter().enumerate() {
            if let Parent::Node(base) = parent {
                let slot = &mut starts[*base as usize + 1];
                kids[*slot as usize] = node as u32;
                *slot += 1;
            }
        }
        Builder { pack, weights: vec![0; places.len()], places, parents, starts, kids }
    }

    fn kids(&self, node: u32) -> &[u32] {
        &self.kids[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    fn build(mut self, wanted: &(dyn Fn(u32, Option<ObjectKind>) -> bool + Sync)) -> Forest {
        let mut trees = Vec::new();
        let mut order = Vec::new();
        let mut reached = vec![false; self.places.len()];
        for root in 0..self.places.len() as u32 {
            if !matches!(self.parents[root as usize], Parent::Node(_)) {
                self.list(root, &mut order);
                order.iter().for_each(|node| reached[*node as usize] = true);
                trees.extend(self.weigh(&order, wanted));
            }
        }
        // What no root reaches hangs on a circle of bases. Each is a tree without kids, and fails by itself.
        for node in (0..self.places.len() as u32).filter(|node| !reached[*node as usize]) {
            self.parents[node as usize] = Parent::Broken;
            trees.extend(self.weigh(&[node], wanted));
        }
        self.finish(trees)
    }

    /// All nodes of a tree, each after its base.
    fn list(&self, root: u32, order: &mut Vec<u32>) {
        order.clear();
        order.push(root);
        let mut at = 0;
        while let Some(node) = order.get(at) {
            order.extend_from_slice(self.kids(*node));
            at += 1;
        }
    }

    /// Weighs each node with all that is built on it: 0 if nothing of that is wanted.
    fn weigh(&mut self, order: &[u32], wanted: &(dyn Fn(u32, Option<ObjectKind>) -> bool + Sync)) -> Option<Tree> {
        let root = order[0];
        let kind = match self.parents[root as usize] {
            Parent::Root(kind) => Some(kind),
            _ => None,
        };
        for &node in order.iter().rev() {
            let (offset, row) = self.places[node as usize];
            let want = row != UNWANTED && wanted(row, kind);
            if !want {
                self.places[node as usize].1 = UNWANTED;
            }
            if want || self.weights[node as usize] > 0 {
                let end = self.places.get(node as usize + 1).map_or(self.pack.entries().end, |next| next.0);
                self.weights[node as usize] += end.saturating_sub(offset).min(u64::from(u32::MAX)) + ENTRY_COST;
            }
            if let Parent::Node(base) = self.parents[node as usize] {
                self.weights[base as usize] += self.weights[node as usize];
            }
        }
        let weight = self.weights[root as usize];
        let far = match (self.parents[root as usize], self.pack.header(self.places[root as usize].0)) {
            (Parent::Far, Ok(header)) => match header.link {
                Link::Name(id) => Some(Box::new(id)),
                _ => None,
            },
            _ => None,
        };
        (weight > 0).then_some(Tree { root, kind, far, weight })
    }

    /// Leaves out what leads to nothing wanted, and puts the heaviest kid last.
    fn finish(self, trees: Vec<Tree>) -> Forest {
        let mut nodes = Vec::with_capacity(self.places.len());
        let mut kids: Vec<u32> = Vec::with_capacity(self.kids.len());
        for (node, (offset, row)) in self.places.iter().enumerate() {
            let kids_at = kids.len();
            nodes.push(Node { offset: *offset, row: *row, kids_at: kids_at as u32 });
            let leads = |kid: &&u32| {
                self.weights[**kid as usize] > 0 && self.parents[**kid as usize] == Parent::Node(node as u32)
            };
            kids.extend(self.kids(node as u32).iter().filter(leads));
            let heaviest = (kids_at..kids.len()).max_by_key(|at| self.weights[kids[*at] as usize]);
            if let (Some(heaviest), Some(last)) = (heaviest, kids.len().checked_sub(1)) {
                kids.swap(heaviest, last);
            }
        }
        Forest { nodes, kids, trees, doubtful: Vec::new() }
    }
}

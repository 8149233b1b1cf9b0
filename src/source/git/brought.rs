//! Turns the tree of a commit and those of its parents into what the commit may have brought.
//!
//! That is what stands where no parent has it. Some of it a parent has elsewhere: it was moved or copied. To tell that takes a look
//! at all that the parents hold, so it is asked only of what something was found in ([`mod@super::attribute`]).

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::iter::Peekable;
use std::sync::Arc;

use super::read::{Reader, Whole};
use super::tree::{Entries, Entry};
use crate::origin::{ObjectId, ObjectKind};

/// Of the comparisons made so far, as many are remembered as have so many trees in them.
const MAX_SEEN: usize = 1 << 19;

/// So many trees of its parents are looked at for one commit. A large merge takes some thousands; of trees that were made to cross each
/// other, each way through them is another comparison, and these double with every level.
const MAX_LOOKS: usize = 1 << 17;

/// So many parents of one commit are compared with it.
const MAX_PARENTS: usize = 64;

/// Gathers what commits may have brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Trees and blobs. Of what cannot be read, only its name: whoever reads it will say so.
    pub objects: HashSet<ObjectId>,
    /// Trees that are not what a tree looks like.
    pub broken: BTreeSet<ObjectId>,
    /// Trees, and those of the parents in the same place, that were compared.
    seen: HashSet<(ObjectId, Vec<ObjectId>)>,
    /// How many trees these are.
    weight: usize,
    /// Trees of which all was taken, whatever a parent has.
    taken: HashSet<ObjectId>,
}

impl Brought {
    /// Adds what stands in a tree where it does in none of the others.
    pub(super) fn add(&mut self, reader: &mut Reader<'_>, tree: ObjectId, mut parents: Vec<ObjectId>) {
        // Without some of them more may have been brought.
        parents.truncate(MAX_PARENTS);
        let mut left = vec![(tree, parents)];
        let mut looks = 0;
        while let Some((tree, mut parents)) = left.pop() {
            if parents.contains(&tree) {
                continue;
            }
            if looks > MAX_LOOKS {
                parents.clear();
            }
            if self.is_new(tree, &parents) {
                looks += parents.len();
                self.objects.insert(tree);
                let Some(whole) = tree_of(reader, &tree) else { continue };
                let parents: Vec<Arc<Whole>> = parents.iter().filter_map(|parent| tree_of(reader, parent)).collect();
                self.compare(tree, &whole, &parents, &mut left);
            }
        }
    }

    fn is_new(&mut self, tree: ObjectId, parents: &[ObjectId]) -> bool {
        if self.taken.contains(&tree) || parents.is_empty() {
            return self.taken.insert(tree);
        }
        if self.weight >= MAX_SEEN {
            self.seen.clear();
            self.weight = 0;
        }
        self.weight += parents.len() + 1;
        self.seen.insert((tree, parents.to_vec()))
    }

    /// Goes along all trees at once. They are sorted; of one that is not, more than was brought is taken for that.
    fn compare(
        &mut self,
        tree: ObjectId,
        whole: &Whole,
        parents: &[Arc<Whole>],
        left: &mut Vec<(ObjectId, Vec<ObjectId>)>,
    ) {
        let width = tree.as_bytes().len();
        let mut parents: Vec<Peekable<Entries<'_>>> =
            parents.iter().map(|parent| Entries::new(&parent.bytes, width).peekable()).collect();
        let mut entries = Entries::new(&whole.bytes, width);
        for entry in entries.by_ref().filter(|entry| !entry.is_module) {
            let (mut is_known, mut before) = (false, Vec::new());
            for parent in &mut parents {
                while parent.next_if(|other| order(other, &entry) == Ordering::Less).is_some() {}
                if let Some(same) = parent.peek().filter(|other| order(other, &entry) == Ordering::Equal) {
                    is_known |= same.id == entry.id && !same.is_module;
                    before.extend(ObjectId::from_bytes(same.id).filter(|_| same.is_tree));
                }
            }
            match ObjectId::from_bytes(entry.id).filter(|_| !is_known) {
                Some(id) if entry.is_tree => left.push((id, before)),
                Some(id) => drop(self.objects.insert(id)),
                None => {}
            }
        }
        if !entries.is_complete() {
            self.broken.insert(tree);
        }
    }
}

/// In the order of git's trees: as if a `/` stood behind the name of a tree.
fn order(one: &Entry<'_>, other: &Entry<'_>) -> Ordering {
    let both = one.name.len().min(other.name.len());
    let next = |entry: &Entry<'_>| entry.name.get(both).copied().unwrap_or(if entry.is_tree { b'/' } else { 0 });
    one.name[..both].cmp(&other.name[..both]).then_with(|| {
        let same = one.name.len().cmp(&other.name.len());
        next(one).cmp(&next(other)).then(same)
    })
}

fn tree_of(reader: &mut Reader<'_>, id: &ObjectId) -> Option<Arc<Whole>> {
    reader.find(id, None, 0).ok().flatten().filter(|whole| whole.kind == ObjectKind::Tree)
}

//! What trees hold and where commits point: the lenses of attribution.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::ops::Range;

use super::grouped::Map;
use super::lens::{HEAD, Lens, Note, Object, Reach};
use super::store::Stores;
use super::tree::Entry;
use crate::origin::{ObjectId, ObjectKind};

/// No object.
pub(super) const NONE: u32 = u32::MAX;

/// Numbers for all objects of some stores, from 0. An object that is there twice has the number of its first place.
#[derive(Debug)]
pub(super) struct Numbers<'s> {
    pub stores: &'s Stores,
    /// The number of each pack's first row, then that of the first loose object, then how many there are.
    starts: Vec<u32>,
}

impl<'s> Numbers<'s> {
    /// Fails for more than 4 billion objects.
    pub(super) fn new(stores: &'s Stores) -> io::Result<Self> {
        let mut starts = vec![0u32];
        let lens = stores.packs.iter().map(|pack| pack.index.len()).chain([stores.loose.len()]);
        for len in lens {
            let next = starts[starts.len() - 1] as usize + len;
            starts.push(u32::try_from(next).map_err(|_| io::Error::other("more than 4 billion objects"))?);
        }
        Ok(Numbers { stores, starts })
    }

    pub(super) fn len(&self) -> usize {
        self.starts[self.starts.len() - 1] as usize
    }

    pub(super) fn get(&self, id: &ObjectId) -> Option<u32> {
        let packs = self.stores.packs.iter().zip(&self.starts);
        let mut rows = packs.filter_map(|(pack, start)| Some(start + pack.index.find(id)? as u32));
        rows.next().or_else(|| Some(self.starts[self.starts.len() - 2] + self.stores.loose_at(id)? as u32))
    }

    pub(super) fn id(&self, number: u32) -> Option<ObjectId> {
        let pack = self.starts.partition_point(|start| *start <= number).checked_sub(1)?;
        let row = (number - self.starts[pack]) as usize;
        match self.stores.packs.get(pack) {
            Some(pack) => pack.index.id(row),
            None => self.stores.loose.get(row).map(|loose| loose.id),
        }
    }
}

/// Answers "surely not among them" for most ids after one look.
#[derive(Clone, Debug)]
pub(super) struct Filter(Vec<u64>);

impl Filter {
    pub(super) fn new<'i>(ids: impl Iterator<Item = &'i ObjectId>) -> Self {
        let mut filter = Filter(vec![0; 1 << 14]);
        for id in ids {
            let (word, bit) = Self::place(id.as_bytes());
            filter.0[word] |= bit;
        }
        filter
    }

    /// By the second to fourth byte: the first one says in which part of an index an id is.
    fn place(id: &[u8]) -> (usize, u64) {
        let bits = u32::from_be_bytes([0, id[1], id[2], id[3]]) >> 4;
        ((bits >> 6) as usize, 1 << (bits & 63))
    }

    pub(super) fn may_contain(&self, id: &[u8]) -> bool {
        let (word, bit) = Self::place(id);
        self.0[word] & bit != 0
    }
}

/// The numbers of ids asked for lately, and their names: neighbouring trees hold mostly the same.
#[derive(Clone)]
struct Recent(Vec<Known>);

#[derive(Clone, Copy)]
struct Known {
    key: [u64; 4],
    number: u32,
    name: u32,
}

impl Recent {
    /// Remembers up to so many.
    fn new(len: usize) -> Self {
        // No object has the name of zeros.
        Recent(vec![Known { key: [0; 4], number: NONE, name: NONE }; len])
    }

    fn get(&mut self, raw: &[u8], number: impl FnOnce(&ObjectId) -> u32) -> Option<&mut Known> {
        let key = key(raw)?;
        let slot = usize::from(u16::from_be_bytes([raw[1], raw[2]])) % self.0.len();
        let entry = &mut self.0[slot];
        if entry.key != key {
            *entry = Known { key, number: number(&ObjectId::from_bytes(raw)?), name: NONE };
        }
        Some(entry)
    }
}

/// Names, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Vec<u8>, u32>,
    all: Vec<Vec<u8>>,
}

impl Names {
    /// The number of a name, which is most likely `guess`.
    fn number(&mut self, name: &[u8], guess: u32) -> u32 {
        if self.all.get(guess as usize).is_some_and(|guess| guess == name) {
            return guess;
        }
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.all.len() as u32;
        self.all.push(name.to_vec());
        self.numbers.insert(name.to_vec(), number);
        number
    }

    pub(super) fn name(&self, number: u32) -> &[u8] {
        &self.all[number as usize]
    }

    /// Takes in others, and says which number each of them has now.
    pub(super) fn add(&mut self, others: &Names) -> Vec<u32> {
        others.all.iter().map(|name| self.number(name, NONE)).collect()
    }
}

/// The bytes of an id as words, which compare without a call.
fn key(raw: &[u8]) -> Option<[u64; 4]> {
    let word = |at: usize| Some(u64::from_ne_bytes(*raw.get(at..)?.first_chunk()?));
    match raw.len() {
        20 => Some([word(0)?, word(8)?, word(12)?, 0]),
        32 => Some([word(0)?, word(8)?, word(16)?, word(24)?]),
        _ => None,
    }
}

/// A commit as far as attribution goes. All by number; [`NONE`] for what is in no store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub number: u32,
    pub tree: u32,
    /// Where its parents start in the list of all parents, and how many.
    pub parents: (u32, u32),
    /// Committer time, seconds since 1970.
    pub time: i64,
}

/// What trees hold: trees, and targets. There are millions of it, so each takes four bytes: nearly everything has one name
/// wherever it is.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// Trees, and where in `held` what they hold ends; it begins where that of the one before ends.
    trees: Vec<(u32, usize)>,
    held: Vec<u32>,
    /// The first name of each number that is held.
    names: Map<u32, u32>,
    /// Other names, by place in `held`; ascending.
    others: Vec<(usize, u32)>,
}

impl Holdings {
    /// Adds a tree, and the numbers and names of what it holds.
    pub(super) fn add(&mut self, tree: u32, held: impl Iterator<Item = Note>) {
        for [number, name] in held {
            if *self.names.entry(number).or_insert(name) != name {
                self.others.push((self.held.len(), name));
            }
            self.held.push(number);
        }
        self.trees.push((tree, self.held.len()));
    }

    /// How many trees there are.
    pub(super) fn len(&self) -> usize {
        self.trees.len()
    }

    /// The number of one of them.
    pub(super) fn tree(&self, at: usize) -> u32 {
        self.trees[at].0
    }

    /// Where what it holds stands.
    pub(super) fn range(&self, at: usize) -> Range<usize> {
        at.checked_sub(1).map_or(0, |before| self.trees[before].1)..self.trees[at].1
    }

    /// Each tree, and where what it holds stands.
    pub(super) fn trees(&self) -> impl Iterator<Item = (u32, Range<usize>)> {
        (0..self.len()).map(|at| (self.tree(at), self.range(at)))
    }

    /// What is held there.
    pub(super) fn held(&self, at: usize) -> u32 {
        self.held[at]
    }

    /// Under which name.
    pub(super) fn name(&self, at: usize) -> u32 {
        let other = self.others.binary_search_by_key(&at, |other| other.0);
        other.map_or_else(|_| self.names[&self.held[at]], |other| self.others[other].1)
    }
}

/// Which tree holds which tree or target, and all commits.
pub(super) struct Edges<'a> {
    numbers: &'a Numbers<'a>,
    filter: &'a Filter,
    targets: &'a [ObjectId],
    recent: Recent,
    pub holdings: Holdings,
    pub names: Names,
    pub commits: Vec<Commit>,
    pub parents: Vec<u32>,
    /// Trees and commits that are not what they should be.
    pub broken: Vec<(ObjectId, ObjectKind)>,
}

impl<'a> Edges<'a> {
    /// `targets` must be sorted.
    pub(super) fn new(numbers: &'a Numbers<'a>, filter: &'a Filter, targets: &'a [ObjectId]) -> Self {
        let recent = Recent::new(1 << 12);
        let (holdings, names, commits, parents, broken) = Default::default();
        Edges { numbers, filter, targets, recent, holdings, names, commits, parents, broken }
    }

    fn commit(&mut self, object: &Object, bytes: &[u8]) {
        let number = |id: ObjectId| self.numbers.get(&id).unwrap_or(NONE);
        let parsed = parse_commit(bytes);
        let Some((tree, parents, time)) = parsed else { return self.broken.push((object.id, object.kind)) };
        let start = self.parents.len() as u32;
        self.parents.extend(parents.iter().map(|id| number(*id)));
        let parents = (start, parents.len() as u32);
        self.commits.push(Commit { number: number(object.id), tree: number(tree), parents, time });
    }
}

/// The tree, the parents and the committer's time of a commit.
fn parse_commit(bytes: &[u8]) -> Option<(ObjectId, Vec<ObjectId>, i64)> {
    let mut lines = bytes.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let tree = ObjectId::from_hex(lines.next()?.strip_prefix(b"tree ")?)?;
    let (mut parents, mut time) = (Vec::new(), 0);
    for line in lines {
        if let Some(parent) = line.strip_prefix(b"parent ") {
            parents.push(ObjectId::from_hex(parent)?);
        } else if let Some(person) = line.strip_prefix(b"committer ") {
            // `Name <mail> seconds zone`; what is written otherwise has no time.
            let seconds = person.rsplit(|byte| *byte == b' ').nth(1).unwrap_or_default();
            time = std::str::from_utf8(seconds).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        }
    }
    Some((tree, parents, time))
}

impl Lens for Edges<'_> {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: 0, after: 1 }
    }

    fn has_marks(&self, _: ObjectKind) -> bool {
        false
    }

    fn marks(&mut self, _: ObjectKind, _: &[u8], _: &mut Vec<u32>) {}

    fn reads_entries(&self) -> bool {
        true
    }

    /// What it names, if that matters, and under which name.
    fn entry(&mut self, entry: &Entry<'_>) -> Note {
        let found = || self.targets.binary_search_by(|id| id.as_bytes().cmp(entry.id)).is_ok();
        let is_target = || self.filter.may_contain(entry.id) && found();
        if !entry.is_tree && !is_target() {
            return [NONE; 2];
        }
        match self.recent.get(entry.id, |id| self.numbers.get(id).unwrap_or(NONE)) {
            Some(child) if child.number != NONE => {
                child.name = self.names.number(entry.name, child.name);
                [child.number, child.name]
            }
            _ => [NONE; 2],
        }
    }

    fn tree(&mut self, object: &Object, notes: &[Note], is_sound: bool) -> bool {
        if let Some(tree) = self.numbers.get(&object.id) {
            self.holdings.add(tree, notes.iter().copied().filter(|note| note[0] != NONE));
        }
        self.broken.extend((!is_sound).then_some((object.id, object.kind)));
        false
    }

    fn head(&mut self, object: &Object, _: &[u8]) -> bool {
        object.kind == ObjectKind::Commit
    }

    fn object(&mut self, object: &Object, bytes: &[u8], _: &[u32]) {
        if object.kind == ObjectKind::Commit {
            self.commit(object, bytes);
        }
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        // No sound tree or commit is so large: read to its end it is named, not kept.
        io::copy(content, &mut io::sink())?;
        self.broken.push((object.id, object.kind));
        Ok(())
    }
}

/// Whether there is a commit that has one of some others for a parent and is none of them.
pub(super) struct Children<'a> {
    pub of: &'a HashSet<ObjectId>,
    /// There is one, or something that may be one.
    pub found: bool,
}

impl Children<'_> {
    fn look(&mut self, object: &Object, bytes: &[u8]) {
        let is_child =
            || parse_commit(bytes).is_none_or(|(_, parents, _)| parents.iter().any(|id| self.of.contains(id)));
        self.found |= !self.of.contains(&object.id) && is_child();
    }
}

impl Lens for Children<'_> {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: 0, after: 1 }
    }

    fn has_marks(&self, _: ObjectKind) -> bool {
        false
    }

    fn marks(&mut self, _: ObjectKind, _: &[u8], _: &mut Vec<u32>) {}

    /// Only of an octopus the parents may stand further on.
    fn head(&mut self, object: &Object, head: &[u8]) -> bool {
        let ends = head.len() < HEAD || memchr::memmem::find(head, b"\ncommitter ").is_some();
        if ends {
            self.look(object, head);
        }
        !ends
    }

    fn object(&mut self, object: &Object, bytes: &[u8], _: &[u32]) {
        self.look(object, bytes);
    }

    fn stream(&mut self, _: &Object, content: &mut dyn Read) -> io::Result<()> {
        io::copy(content, &mut io::sink())?;
        self.found = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_name_elsewhere_has_it_there_alone() {
        let mut holdings = Holdings::default();
        holdings.add(5, [[1, 7], [2, 8]].into_iter());
        holdings.add(6, [].into_iter());
        holdings.add(4, [[2, 9], [1, 7], [2, 8], [3, 7]].into_iter());
        let all = |range: Range<usize>| range.map(|at| [holdings.held(at), holdings.name(at)]).collect::<Vec<_>>();
        let trees: Vec<_> = holdings.trees().map(|(tree, held)| (tree, all(held))).collect();
        let expected = [(5, vec![[1, 7], [2, 8]]), (6, vec![]), (4, vec![[2, 9], [1, 7], [2, 8], [3, 7]])];
        assert_eq!(trees, expected);
    }

    #[test]
    fn commits_are_read_as_git_writes_them() {
        let hex = |digit: &str| digit.repeat(40);
        let (tree, one, two) = (hex("a"), hex("b"), hex("c"));
        let head = format!("tree {tree}\nparent {one}\nparent {two}\nauthor A <a> 5 +0000\n");
        let id = |text: &str| ObjectId::from_hex(text.as_bytes()).expect("hex");
        let commit = format!("{head}committer B C <b> 1700000000 -0130\ngpgsig x\n y\n\nparent {tree}\n");
        assert_eq!(parse_commit(commit.as_bytes()), Some((id(&tree), vec![id(&one), id(&two)], 1_700_000_000)));
        assert_eq!(parse_commit(b"tree 12\n\n"), None);
        assert_eq!(parse_commit(format!("tree {tree}\ncommitter x\n").as_bytes()), Some((id(&tree), vec![], 0)));
    }
}

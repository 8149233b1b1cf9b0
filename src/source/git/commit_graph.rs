//! The commit-graph: what git wrote down of commits, so that nobody has to inflate them to walk a history. Format:
//! gitformat-commit-graph(5).
//!
//! It is a note about the objects, not one of them. A file that is not what its checksum says is not used, nor is any in a
//! repository whose history is cut off; then commits are read as if there were none.

use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::index::{ObjectFormat, Table, be32, fanout, find_chunk};
use super::map::Map;
use crate::origin::ObjectId;

/// Git joins the files of a chain long before there are so many (`commitGraph.sizeMultiple`).
const MAX_FILES: usize = 64;

/// A parent that there is not.
const NO_PARENT: u32 = 0x7000_0000;

/// From here on a generation is what fits, not what was counted.
const MAX_GENERATION: u32 = 0x3fff_ffff;

/// Bytes of a row beside the tree: two parents, the generation and the time.
const REST: usize = 16;

/// What is written down of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// As positions, in order.
    pub parents: Vec<u32>,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// More than that of any of its ancestors, at least 1; 0 if nobody counted.
    pub generation: u32,
}

/// One file, or a chain of them.
#[derive(Debug)]
pub(super) struct CommitGraph {
    /// Each knows only commits of itself and of those before it.
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    bytes: Map,
    format: ObjectFormat,
    /// How many commits the files before it have; the position of its first one.
    first: usize,
    len: usize,
    names: Table,
    rows: Table,
    /// Where the parents of commits stand that have more than two.
    edges: std::ops::Range<usize>,
}

impl CommitGraph {
    /// Looks for one in object directories; the first wins, whose files may lie in the others.
    pub(super) fn open(object_dirs: &[PathBuf], format: ObjectFormat) -> Option<CommitGraph> {
        object_dirs.iter().find_map(|dir| {
            let single = || Some(CommitGraph { files: vec![File::open(&dir.join("info/commit-graph"), format, 0)?] });
            single().or_else(|| CommitGraph::chain(dir, object_dirs, format))
        })
    }

    fn chain(dir: &Path, object_dirs: &[PathBuf], format: ObjectFormat) -> Option<CommitGraph> {
        let list = Map::open(&dir.join("info/commit-graphs/commit-graph-chain")).ok()?;
        let names = std::str::from_utf8(&list).ok()?.lines().take(MAX_FILES + 1).collect::<Vec<_>>();
        let mut files: Vec<File> = Vec::new();
        for name in names.iter().filter(|_| names.len() <= MAX_FILES) {
            ObjectId::from_hex(name.as_bytes())?;
            let first = files.last().map_or(0, |file| file.first + file.len);
            let name = format!("info/commit-graphs/graph-{name}.graph");
            files.push(object_dirs.iter().find_map(|dir| File::open(&dir.join(&name), format, first))?);
        }
        (!files.is_empty()).then_some(CommitGraph { files })
    }

    /// The position of a commit.
    pub(super) fn find(&self, id: &ObjectId) -> Option<u32> {
        self.files.iter().rev().find_map(|file| Some((file.first + file.find(id)?) as u32))
    }

    /// The name of the commit at a position.
    pub(super) fn id(&self, position: u32) -> Option<ObjectId> {
        let (file, row) = self.place(position)?;
        ObjectId::from_bytes(file.name(row)?)
    }

    /// What is written of the commit at a position; `None` if that contradicts itself.
    pub(super) fn row(&self, position: u32) -> Option<Row> {
        let (file, row) = self.place(position)?;
        let at = file.rows.at + row * file.rows.stride + file.format.width();
        let word = |at| be32(&file.bytes, at);
        let (one, two, high, low) = (word(at)?, word(at + 4)?, word(at + 8)?, word(at + 12)?);
        let mut parents: Vec<u32> = Some(one).filter(|one| *one != NO_PARENT).into_iter().collect();
        match two {
            NO_PARENT => {}
            two if two >> 31 == 0 => parents.push(two),
            more => parents.extend(file.edges((more & 0x7fff_ffff) as usize)?),
        }
        let own = self.generation(position);
        let is_above = |parent: &u32| (1..own).contains(&self.generation(*parent));
        let generation = if parents.iter().all(is_above) { own } else { 0 };
        let end = file.first + file.len;
        let time = i64::from(high & 3) << 32 | i64::from(low);
        parents.iter().all(|parent| (*parent as usize) < end).then_some(Row { parents, time, generation })
    }

    fn generation(&self, position: u32) -> u32 {
        let place = self.place(position);
        let at = |(file, row): (&File, usize)| file.rows.at + row * file.rows.stride + file.format.width() + 8;
        let word = place.and_then(|place| be32(&place.0.bytes, at(place))).unwrap_or(0);
        Some(word >> 2).filter(|generation| *generation < MAX_GENERATION).unwrap_or(0)
    }

    fn place(&self, position: u32) -> Option<(&File, usize)> {
        let at = self.files.partition_point(|file| file.first <= position as usize).checked_sub(1)?;
        let file = &self.files[at];
        let row = position as usize - file.first;
        (row < file.len).then_some((file, row))
    }

    /// How many commits there are.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn len(&self) -> usize {
        self.files.last().map_or(0, |file| file.first + file.len)
    }
}

impl File {
    fn open(path: &Path, format: ObjectFormat, first: usize) -> Option<File> {
        let bytes = Map::open(path).ok()?;
        is_as_written(&bytes, format).then(|| File::parse(bytes, format, first))?
    }

    /// `first` commits are in other files.
    fn parse(bytes: Map, format: ObjectFormat, first: usize) -> Option<File> {
        let head: &[u8; 8] = bytes.first_chunk()?;
        let hash = match format {
            ObjectFormat::Sha1 => 1,
            ObjectFormat::Sha256 => 2,
        };
        if &head[..5] != b"CGPH\x01" || head[5] != hash {
            return None;
        }
        let chunk = |name: &[u8; 4]| find_chunk(&bytes, 8, usize::from(head[6]), name);
        let len = fanout(&bytes, chunk(b"OIDF").ok()?.start).ok()?;
        let table = |name: &[u8; 4], stride: usize| {
            let place = chunk(name).ok()?;
            (place.len() >= len * stride).then_some(Table { at: place.start, stride })
        };
        let (names, rows) = (table(b"OIDL", format.width())?, table(b"CDAT", format.width() + REST)?);
        let edges = chunk(b"EDGE").unwrap_or(0..0);
        // Positions have 31 bits.
        let fits = (first + len) < NO_PARENT as usize;
        fits.then_some(File { format, first, len, names, rows, edges, bytes })
    }

    fn name(&self, row: usize) -> Option<&[u8]> {
        let at = self.names.at + row * self.names.stride;
        self.bytes.get(at..at + self.format.width())
    }

    fn find(&self, id: &ObjectId) -> Option<usize> {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle)?.cmp(id.as_bytes()) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The parents from the second on: positions up to one with the top bit set.
    fn edges(&self, first: usize) -> Option<Vec<u32>> {
        let words = self.bytes.get(self.edges.clone())?.get(4 * first..)?.chunks_exact(4);
        let mut parents = Vec::new();
        for word in words.map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]])) {
            parents.push(word & 0x7fff_ffff);
            if word >> 31 == 1 {
                return Some(parents);
            }
        }
        None
    }
}

/// Whether a file ends in its checksum.
pub(super) fn is_as_written(bytes: &[u8], format: ObjectFormat) -> bool {
    let Some(end) = bytes.len().checked_sub(format.width()) else { return false };
    let (told, checksum) = bytes.split_at(end);
    match format {
        ObjectFormat::Sha1 => Sha1::digest(told).as_slice() == checksum,
        ObjectFormat::Sha256 => Sha256::digest(told).as_slice() == checksum,
    }
}

/// Any bytes, as the one file of a graph.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn unchecked(bytes: Map, format: ObjectFormat) -> Option<CommitGraph> {
    Some(CommitGraph { files: vec![File::parse(bytes, format, 0)?] })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::graph::Graph;
    use super::super::read::Reader;
    use super::super::store::Stores;
    use super::*;

    /// Parents as positions among the sorted names, generation, time.
    type Told = (Vec<u32>, u32, u64);

    /// A file of commits by name, as git writes it, whose `first` commits are in others; sealed with its checksum.
    fn file(commits: &BTreeMap<[u8; 20], Told>, first: u32) -> Vec<u8> {
        let (mut fanout, mut names, mut rows, mut edges) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for slot in 0..=255u8 {
            fanout.extend((commits.keys().filter(|name| name[0] <= slot).count() as u32).to_be_bytes());
        }
        for (name, (parents, generation, time)) in commits {
            names.extend(name);
            rows.extend([name[0]; 20]);
            rows.extend(parents.first().copied().unwrap_or(NO_PARENT).to_be_bytes());
            rows.extend(match &parents[..] {
                [] | [_] => NO_PARENT.to_be_bytes(),
                [_, two] => two.to_be_bytes(),
                [_, more @ .., last] => {
                    let at = edges.len() as u32 / 4;
                    more.iter().for_each(|parent| edges.extend(parent.to_be_bytes()));
                    edges.extend((last | 1 << 31).to_be_bytes());
                    (at | 1 << 31).to_be_bytes()
                }
            });
            rows.extend((u64::from(*generation) << 34 | time).to_be_bytes());
        }
        let chunks = [(b"OIDF", fanout), (b"OIDL", names), (b"CDAT", rows), (b"EDGE", edges)];
        let mut bytes = [&b"CGPH\x01\x01"[..], &[chunks.len() as u8, u8::from(first > 0)]].concat();
        let mut at = 8 + 12 * (chunks.len() as u64 + 1);
        for (name, chunk) in &chunks {
            bytes.extend(*name);
            bytes.extend(at.to_be_bytes());
            at += chunk.len() as u64;
        }
        bytes.extend([0; 4]);
        bytes.extend(at.to_be_bytes());
        chunks.iter().for_each(|(_, chunk)| bytes.extend(chunk));
        let checksum = Sha1::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }

    fn name(number: u32) -> [u8; 20] {
        Sha1::digest(number.to_be_bytes()).into()
    }

    /// Commits of which each has parents among those before it (in a file `first` came before all).
    fn commits(shape: &[Vec<u32>], first: u32, known: &mut Vec<u32>) -> BTreeMap<[u8; 20], Told> {
        let mut sorted: Vec<[u8; 20]> = (0..shape.len() as u32).map(|at| name(first + at)).collect();
        sorted.sort_unstable();
        let position = |number: u32| sorted.binary_search(&name(number)).map_or(number, |at| first + at as u32);
        let mut all = BTreeMap::new();
        for (number, parents) in (first..).zip(shape) {
            let parents: Vec<u32> =
                parents.iter().filter(|_| number > 0).map(|parent| parent % number.max(1)).collect();
            let generation = 1 + parents.iter().map(|parent| known[*parent as usize]).max().unwrap_or(0);
            known.push(generation);
            let told = (parents.into_iter().map(position).collect(), generation, (1 << 33) + u64::from(number));
            all.insert(name(number), told);
        }
        all
    }

    fn check(graph: &CommitGraph, commits: &BTreeMap<[u8; 20], Told>, first: u32) {
        for (at, (name, (parents, generation, time))) in (first..).zip(commits) {
            let id = ObjectId::from_bytes(name).expect("20 bytes");
            assert_eq!((graph.find(&id), graph.id(at)), (Some(at), Some(id)));
            let row = Row { parents: parents.clone(), time: *time as i64, generation: *generation };
            assert_eq!(graph.row(at), Some(row));
        }
    }

    fn write(dir: &Path, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(dir.join("info/commit-graphs")).expect("ours");
        std::fs::write(dir.join("info").join(name), bytes).expect("ours");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// One file, then a chain of two.
        #[test]
        fn what_was_written_is_read(
            shape in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..6), 1..40),
            at in any::<usize>(),
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let dirs = [dir.path().to_owned()];
            let all = commits(&shape, 0, &mut Vec::new());
            write(dir.path(), "commit-graph", &file(&all, 0));
            let graph = CommitGraph::open(&dirs, ObjectFormat::Sha1).expect("a graph");
            check(&graph, &all, 0);
            prop_assert_eq!(graph.len(), all.len());
            prop_assert_eq!(graph.row(all.len() as u32), None);

            std::fs::remove_file(dir.path().join("info/commit-graph")).expect("ours");
            let (base, own) = shape.split_at(at % shape.len());
            let mut known = Vec::new();
            let base = commits(base, 0, &mut known);
            // The parents of those behind are told by their positions, which are those of sorted names.
            let sorted: Vec<u32> = base.keys().map(|name| base[name].1).collect();
            let own = commits(own, base.len() as u32, &mut sorted.clone());
            let files = [file(&base, 0), file(&own, base.len() as u32)];
            let names = [1u8, 2].map(|digit| format!("{digit:040x}"));
            for (name, file) in names.iter().zip(&files) {
                write(dir.path(), &format!("commit-graphs/graph-{name}.graph"), file);
            }
            write(dir.path(), "commit-graphs/commit-graph-chain", format!("{}\n{}\n", names[0], names[1]).as_bytes());
            let graph = CommitGraph::open(&dirs, ObjectFormat::Sha1).expect("a chain");
            check(&graph, &base, 0);
            check(&graph, &own, base.len() as u32);
        }

        /// Nothing is made of a file that is not what was written, and whatever a sealed one says, nothing breaks.
        #[test]
        fn what_is_broken_is_not_used(
            shape in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..6), 1..20),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let sound = file(&commits(&shape, 0, &mut Vec::new()), 0);
            let mut bytes = sound.clone();
            changes.iter().for_each(|(at, change)| bytes[at.index(sound.len())] ^= change);
            prop_assume!(bytes != sound);
            write(dir.path(), "commit-graph", &bytes);
            prop_assert!(CommitGraph::open(&[dir.path().to_owned()], ObjectFormat::Sha1).is_none());
            let bytes = Map::open(&dir.path().join("info/commit-graph")).expect("ours");
            let Some(graph) = unchecked(bytes, ObjectFormat::Sha1) else { return Ok(()) };
            for at in 0..graph.len() as u32 {
                if let (Some(row), Some(id)) = (graph.row(at), graph.id(at)) {
                    graph.find(&id);
                    prop_assert!(row.parents.iter().all(|parent| graph.id(*parent).is_some()));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// There is no object at all, so nothing but the file can tell who goes on from a range.
        #[test]
        fn who_goes_on_from_a_range_is_looked_up(
            shape in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..4), 2..30),
            (tip, of) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let all = commits(&shape, 0, &mut Vec::new());
            write(dir.path(), "commit-graph", &file(&all, 0));
            let parents: Vec<&Vec<u32>> = all.values().map(|told| &told.0).collect();
            let (tip, of) = (tip.index(all.len()) as u32, of.index(all.len()) as u32);
            let (mut left, mut seen) = (vec![tip], std::collections::BTreeSet::new());
            while let Some(at) = left.pop() {
                if seen.insert(at) {
                    left.extend(parents[at as usize]);
                }
            }
            let stores = Stores::open(&[dir.path().to_owned()], ObjectFormat::Sha1);
            let (mut reader, shallow) = (Reader::new(&stores, 1 << 20), std::collections::HashSet::new());
            let id = |at: u32| stores.commit_graph().and_then(|graph| graph.id(at)).expect("it is there");
            let told = Graph::new(&mut reader, &shallow).goes_on(&[id(tip)], &[id(of)].into());
            prop_assert_eq!(told, Some(tip != of && seen.contains(&of)));
        }
    }

    #[test]
    fn a_generation_that_is_not_above_those_of_the_parents_is_none() {
        let told = |parents: &[u32], generation| (parents.to_vec(), generation, 1);
        let mut names: Vec<[u8; 20]> = (0..3).map(name).collect();
        names.sort_unstable();
        let all = [told(&[], 1), told(&[0], 1), told(&[1], 5)];
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "commit-graph", &file(&names.into_iter().zip(all).collect(), 0));
        let graph = CommitGraph::open(&[dir.path().to_owned()], ObjectFormat::Sha1).expect("a graph");
        let generations = [0, 1, 2].map(|at| graph.row(at).expect("a row").generation);
        assert_eq!(generations, [1, 0, 5]);
        assert!(CommitGraph::open(&[dir.path().to_owned()], ObjectFormat::Sha256).is_none());
    }
}

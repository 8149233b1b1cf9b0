//! Turns an index and `HEAD` into what the next commit would change.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::layout::Layout;
use super::read::Reader;
use super::refs;
use super::stage::{self, Cached, Entry, Files, StageError, What};
use super::store::Stores;
use super::tree::Entries;
use crate::coverage::Skip;
use crate::origin::{ObjectId, ObjectKind};

/// A file that the index has otherwise than `HEAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// From the top of the work tree, `/`-separated.
    pub path: Vec<u8>,
    /// Its content.
    pub id: ObjectId,
    /// Its content in `HEAD`, if it is there.
    pub before: Option<ObjectId>,
    /// Only its name is new: `HEAD` has its content in a file that goes away.
    pub is_renamed: bool,
}

/// What is staged.
#[derive(Debug, Default)]
pub struct Staged {
    /// By path. In a conflict every side of it that is not `HEAD`'s. Not among them: submodules.
    pub changes: Vec<Change>,
    /// The contents of files that `HEAD` has and the index has not: what was renamed comes from there.
    pub removed: Vec<ObjectId>,
    /// What could not be read. Without `HEAD` everything is new.
    pub skips: Vec<Skip>,
}

/// Compares the index of a repository with its `HEAD`. Reads only the trees in which something changed.
///
/// # Errors
/// An index that cannot be read.
pub fn staged(layout: &Layout, stores: &Stores, memory: u64) -> Result<Staged, StageError> {
    let files = Files::default();
    let index = stage::read(&layout.index, &layout.git_dir, layout.format, &files)?;
    let mut reader = Reader::new(stores, memory);
    let mut staged = Staged::default();
    let tree = match refs::head(layout) {
        Ok(head) => head.and_then(|head| tree_of(&mut reader, head, &mut staged.skips)),
        Err(skip) => {
            staged.skips.push(skip);
            None
        }
    };
    let mut comparison =
        Comparison { entries: &index.entries, reader, width: layout.format.width(), staged, gone: Vec::new() };
    comparison.directory(0..index.entries.len(), 0, tree, Some(&index.cached));
    let Comparison { mut staged, gone, mut reader, .. } = comparison;
    staged.removed = blobs(&mut reader, gone, layout.format.width());
    let removed: HashSet<ObjectId> = staged.removed.iter().copied().collect();
    for change in &mut staged.changes {
        change.is_renamed = change.before.is_none() && removed.contains(&change.id);
    }
    Ok(staged)
}

/// The tree of a commit. Its absence is a skip.
fn tree_of(reader: &mut Reader<'_>, commit: ObjectId, skips: &mut Vec<Skip>) -> Option<ObjectId> {
    match reader.read(&commit) {
        Ok(Some((ObjectKind::Commit, text))) => refs::field(&text, b"tree ").and_then(ObjectId::from_hex),
        Ok(_) => {
            skips.push(super::fault::Fault::Absent.skip(commit, Some(ObjectKind::Commit)));
            None
        }
        Err(fault) => {
            skips.push(fault.skip(commit, Some(ObjectKind::Commit)));
            None
        }
    }
}

/// What stands under a name of a tree.
#[derive(Clone, Copy)]
enum Held {
    Blob(ObjectId),
    Tree(ObjectId),
}

impl Held {
    fn tree(self) -> Option<ObjectId> {
        match self {
            Held::Tree(id) => Some(id),
            Held::Blob(_) => None,
        }
    }
}

/// What stands under the names of a tree of `HEAD`'s, and whether the index has it, too.
type Before<'b> = BTreeMap<&'b [u8], (Held, bool)>;

/// What stood under a name, if it is of that kind; then it stays.
fn stays(before: &mut Before<'_>, name: &[u8], is_tree: bool) -> Option<Held> {
    let (held, stays) = before.get_mut(name).filter(|(held, _)| held.tree().is_some() == is_tree)?;
    *stays = true;
    Some(*held)
}

struct Comparison<'s> {
    entries: &'s [Entry<'s>],
    reader: Reader<'s>,
    width: usize,
    staged: Staged,
    /// What `HEAD` holds and the index does not.
    gone: Vec<Held>,
}

impl Comparison<'_> {
    /// Compares the entries of a directory, whose paths agree in their first `prefix` bytes, with a tree.
    fn directory(&mut self, range: Range<usize>, prefix: usize, tree: Option<ObjectId>, cached: Option<&Cached>) {
        if tree.is_some() && cached.is_some_and(|cached| cached.tree == tree) {
            return;
        }
        let tree = tree.map(|tree| self.tree(tree)).unwrap_or_default();
        let mut before: Before<'_> = names(&tree, self.width).map(|(name, held)| (name, (held, false))).collect();
        let entries = self.entries;
        let mut at = range.start;
        while at < range.end {
            let entry = &entries[at];
            let name = &entry.path[prefix.min(entry.path.len())..];
            let slash = memchr::memchr(b'/', name).filter(|slash| *slash + 1 < name.len());
            let Some(slash) = slash else {
                let (name, is_tree) = (name.strip_suffix(b"/").unwrap_or(name), entry.what == What::Tree);
                let held = stays(&mut before, name, is_tree);
                if is_tree {
                    self.sparse(entry, held)
                } else {
                    self.file(entry, held)
                }
                at += 1;
                continue;
            };
            let (name, whole) = (&name[..slash], &entry.path[..prefix + slash + 1]);
            let len = entries[at..range.end].partition_point(|entry| entry.path.starts_with(whole));
            let tree = stays(&mut before, name, true).and_then(Held::tree);
            let below = cached.and_then(|cached| cached.below.get(name));
            self.directory(at..at + len, prefix + slash + 1, tree, below);
            at += len;
        }
        self.gone.extend(before.into_values().filter(|(_, stays)| !stays).map(|(held, _)| held));
    }

    fn file(&mut self, entry: &Entry<'_>, held: Option<Held>) {
        let before = match held {
            Some(Held::Blob(id)) => Some(id),
            _ => None,
        };
        if entry.what == What::Blob && before != Some(entry.id) {
            self.staged.changes.push(Change { path: entry.path.to_vec(), id: entry.id, before, is_renamed: false });
        }
    }

    /// A directory that is one entry.
    fn sparse(&mut self, entry: &Entry<'_>, held: Option<Held>) {
        let mut left = vec![(entry.path.to_vec(), entry.id, held.and_then(Held::tree))];
        while let Some((path, tree, before)) = left.pop() {
            if before == Some(tree) {
                continue;
            }
            let (before, now) = (before.map(|before| self.tree(before)).unwrap_or_default(), self.tree(tree));
            let mut known: BTreeMap<&[u8], Held> = names(&before, self.width).collect();
            for (name, held) in names(&now, self.width).collect::<BTreeMap<_, _>>() {
                let path = [&path[..], name].concat();
                match (held, known.remove(name)) {
                    (Held::Blob(id), Some(Held::Blob(before))) if id == before => {}
                    (Held::Blob(id), Some(Held::Blob(before))) => {
                        self.staged.changes.push(Change { path, id, before: Some(before), is_renamed: false });
                    }
                    (Held::Blob(id), _) => {
                        self.staged.changes.push(Change { path, id, before: None, is_renamed: false })
                    }
                    (Held::Tree(id), Some(Held::Tree(before))) => {
                        left.push(([&path[..], b"/"].concat(), id, Some(before)));
                    }
                    (Held::Tree(id), _) => left.push(([&path[..], b"/"].concat(), id, None)),
                }
            }
            self.gone.extend(known.into_values());
        }
    }

    /// A tree. One that cannot be read is a skip, and what it holds is new.
    fn tree(&mut self, tree: ObjectId) -> Vec<u8> {
        match self.reader.read(&tree) {
            Ok(Some((ObjectKind::Tree, bytes))) => return bytes,
            Ok(_) => self.staged.skips.push(super::fault::Fault::Absent.skip(tree, Some(ObjectKind::Tree))),
            Err(fault) => self.staged.skips.push(fault.skip(tree, Some(ObjectKind::Tree))),
        }
        Vec::new()
    }
}

/// The names of a tree and what stands under them.
fn names(tree: &[u8], width: usize) -> impl Iterator<Item = (&[u8], Held)> {
    let entries = Entries::new(tree, width).filter(|entry| !entry.is_module);
    entries.filter_map(|entry| {
        let id = ObjectId::from_bytes(entry.id)?;
        Some((entry.name, if entry.is_tree { Held::Tree(id) } else { Held::Blob(id) }))
    })
}

/// All blobs that are, or are below of, what is given; sorted.
fn blobs(reader: &mut Reader<'_>, mut left: Vec<Held>, width: usize) -> Vec<ObjectId> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    while let Some(next) = left.pop() {
        match next {
            Held::Blob(id) => found.push(id),
            Held::Tree(id) if seen.insert(id) => {
                // What cannot be read of a past that goes away hides nothing: what is new is reported.
                let tree = reader.read(&id).ok().flatten().filter(|(kind, _)| *kind == ObjectKind::Tree);
                let tree = tree.map_or_else(Vec::new, |(_, bytes)| bytes);
                left.extend(names(&tree, width).map(|(_, held)| held));
            }
            Held::Tree(_) => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

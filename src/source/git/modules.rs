//! Turns a repository into the commits of other repositories that it names: its submodules, in the index and in `HEAD`.

use std::collections::BTreeSet;

use super::layout::Layout;
use super::read::Reader;
use super::refs;
use super::stage::{self, Files, What};
use super::store::Stores;
use super::tree::Entries;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// Directories deeper than that are none of git's: a path has at most so many parts (`PATH_MAX`).
const MAX_DEPTH: usize = 2048;

/// The submodules that the index and the tree of `HEAD` name: path from the top of the work tree, and commit. An index that
/// cannot be read is a skip; trees that cannot be read are named by whoever walks over all objects.
pub fn modules(layout: &Layout, stores: &Stores, memory: u64, skips: &mut Vec<Skip>) -> BTreeSet<(Vec<u8>, ObjectId)> {
    let mut found = BTreeSet::new();
    match stage::read(&layout.index, &layout.git_dir, layout.format, &Files::default()) {
        Ok(index) => {
            let modules = index.entries.into_iter().filter(|entry| entry.what == What::Submodule);
            found.extend(modules.map(|entry| (entry.path.into_owned(), entry.id)));
        }
        Err(error) => {
            let origin = Origin::File { path: layout.index.clone(), tracking: None };
            skips.push(Skip { origin, why: Why::ReadError, detail: error.to_string() });
        }
    }
    // A reftable is named by whoever reads all references.
    let head = refs::head(layout).ok().flatten();
    in_head(head, &mut Reader::new(stores, memory), layout.format.width(), &mut found);
    found
}

/// Adds what the tree of a commit names.
fn in_head(
    head: Option<ObjectId>,
    reader: &mut Reader<'_>,
    width: usize,
    found: &mut BTreeSet<(Vec<u8>, ObjectId)>,
) -> Option<()> {
    let (_, text) = reader.read(&head?).ok()?.filter(|(kind, _)| *kind == ObjectKind::Commit)?;
    let mut left = vec![(Vec::new(), ObjectId::from_hex(refs::field(&text, b"tree ")?)?, 0)];
    while let Some((prefix, tree, depth)) = left.pop() {
        let Ok(Some((ObjectKind::Tree, bytes))) = reader.read(&tree) else { continue };
        for entry in Entries::new(&bytes, width).filter(|entry| entry.is_tree || entry.is_module) {
            let Some(id) = ObjectId::from_bytes(entry.id) else { continue };
            let path = [&prefix, entry.name].concat();
            if entry.is_module {
                found.insert((path, id));
            } else if depth < MAX_DEPTH {
                left.push(([&path[..], b"/"].concat(), id, depth + 1));
            }
        }
    }
    Some(())
}

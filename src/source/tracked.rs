//! Turns the indices of work trees into the files that git tracks, whatever its ignore files say of them.

use std::collections::BTreeSet;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use super::git::{Layout, tracked};
use crate::coverage::{Skip, Why};
use crate::origin::Origin;

/// The tracked files that a walk has not come to yet, in the order of walks: by the parts of their paths.
pub(super) struct Tracked<'w> {
    root: &'w Path,
    real_root: &'w Path,
    left: BTreeSet<PathBuf>,
}

impl<'w> Tracked<'w> {
    /// Those below `root` in the work tree around it, if there is one. An index that cannot be read is a skip.
    pub(super) fn around(root: &'w Path, real_root: &'w Path) -> (Self, Option<Skip>) {
        let mut tracked = Tracked { root, real_root, left: BTreeSet::new() };
        let top = real_root.ancestors().find(|dir| dir.join(".git").exists());
        let skip = top.and_then(|top| tracked.add(top));
        (tracked, skip)
    }

    /// Adds those of a work tree that begins in a directory of the walk.
    pub(super) fn enter(&mut self, dir: &Path) -> Option<Skip> {
        let top = self.real_root.join(dir.strip_prefix(self.root).ok()?);
        top.join(".git").exists().then(|| self.add(&top))?
    }

    fn add(&mut self, top: &Path) -> Option<Skip> {
        let store = top.join(".git");
        let layout = if store.is_dir() { Layout::of(&store) } else { Layout::discover(top) };
        let unknown = |path: &Path, detail: String| {
            let origin = Origin::File { path: path.to_owned(), tracking: None };
            let detail = format!("{detail}; what is ignored and tracked nevertheless is not known");
            Some(Skip { origin, why: Why::ReadError, detail })
        };
        let paths = match layout {
            Ok(layout) => tracked(&layout).map_err(|error| (layout.index.clone(), error.to_string())),
            // What git does not take for a repository has no index.
            Err(_) if store.is_dir() => return None,
            Err(error) => Err((store, error.to_string())),
        };
        match paths {
            Ok(paths) => {
                let real = paths.iter().map(|path| top.join(path));
                let below = real.filter_map(|path| Some(self.root.join(path.strip_prefix(self.real_root).ok()?)));
                self.left.extend(below);
                None
            }
            Err((path, detail)) => unknown(&path, detail),
        }
    }

    /// What the walk would have come to before `path` (or its end) and did not, because it is ignored.
    pub(super) fn before(&mut self, path: Option<&Path>) -> Vec<(PathBuf, FileType)> {
        let rest = path.map_or_else(BTreeSet::new, |path| self.left.split_off(path));
        let passed = std::mem::replace(&mut self.left, rest);
        path.map(|path| self.left.remove(path));
        passed.into_iter().filter_map(|path| self.on_disk(path)).collect()
    }

    /// What is there under that name; nothing if it is gone, or is in another place by a link on the way.
    fn on_disk(&self, path: PathBuf) -> Option<(PathBuf, FileType)> {
        let kind = path.symlink_metadata().ok()?.file_type();
        let parent = path.parent()?;
        let real = self.real_root.join(parent.strip_prefix(self.root).ok()?);
        (!kind.is_dir() && fs::canonicalize(parent).is_ok_and(|parent| parent == real)).then_some((path, kind))
    }
}

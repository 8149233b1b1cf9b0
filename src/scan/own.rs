//! What a repository holds beside its objects and may hold a secret: its own files, the names of its references, and what is kept in
//! forms that no search of a file sees through.

use std::io;
use std::path::{Path, PathBuf};

use super::{Plan, Watch, scan_list};
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::Detector;
use crate::finding::Finding;
use crate::origin::Origin;
use crate::source::files::Target;
use crate::source::git::{Layout, Names, Stores, hidden, logs_in_tables};

/// What reflogs are called that are not files of their own.
pub(super) const REFLOGS: &str = "reflogs";

/// What is read in another way, or is no part of the repository: objects, submodules, tables of references, our cache, the contents that
/// git-annex keeps for its work tree, and the socket of `git fsmonitor--daemon`. The work trees' own are gone through one by one.
const ELSEWHERE: &[&str] = &["objects", "modules", "reftable", "stanch", "annex", "fsmonitor--daemon.ipc", "worktrees"];

/// What git reads through a link, too.
const LINKED: &[&str] =
    &["config", "config.worktree", "packed-refs", "logs", "refs", "info", "hooks", "HEAD", "index", "rr-cache", "lfs"];

/// The files and directories of a git directory that are searched as they are: configuration, reflogs, messages, hooks, and whatever else
/// git or somebody left there. What is neither a file nor a directory nobody asked to be read.
pub(super) fn files(layout: &Layout, given: &Path, skips: &mut Vec<Skip>) -> Vec<Target> {
    let mut directories = vec![layout.common_dir.clone()];
    let trees = layout.common_dir.join("worktrees").read_dir().into_iter().flatten().flatten();
    directories.extend(trees.map(|tree| tree.path()).filter(|tree| tree.is_dir() && !tree.is_symlink()));
    // That of a linked work tree is in `worktrees`, unless somebody moved it.
    if !layout.git_dir.starts_with(&layout.common_dir) {
        directories.push(layout.git_dir.clone());
    }
    let skip = |path: &Path, why, detail: &str| {
        let origin = Origin::File { path: as_given(path.to_owned(), given), tracking: None };
        Skip { origin, why, detail: detail.to_owned() }
    };
    let mut own = Vec::new();
    for directory in directories {
        match directory.read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => {
                // Links lead anywhere, but for those of names that git reads.
                let is_foreign = |entry: &std::fs::DirEntry| {
                    entry.path().is_symlink() && LINKED.iter().all(|name| entry.file_name() != *name)
                };
                let is_own = |entry: &std::fs::DirEntry| ELSEWHERE.iter().all(|name| entry.file_name() != *name);
                own.extend(entries.into_iter().filter(|it| is_own(it) && !is_foreign(it)).map(|entry| entry.path()));
            }
            Err(error) => skips.push(skip(&directory, Why::ReadError, &error.to_string())),
        }
    }
    own.sort_unstable();
    let is_special = |path: &PathBuf| path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    let (special, own): (Vec<PathBuf>, Vec<PathBuf>) = own.into_iter().partition(is_special);
    skips.extend(special.iter().map(|path| skip(path, Why::SpecialFile, "a FIFO, socket or device")));
    own.into_iter().map(|path| Target::Path(as_given(path, given))).collect()
}

/// A path below what the user named, as a path from there: the same on every machine.
pub(super) fn as_given(path: PathBuf, given: &Path) -> PathBuf {
    let Ok(real) = given.canonicalize() else { return path };
    match path.strip_prefix(real) {
        Ok(rest) if given == Path::new(".") => rest.to_owned(),
        Ok(rest) => given.join(rest),
        Err(_) => path,
    }
}

/// Names of references that are files of their own are in no file's content; a list of all is searched. So is what reflogs say that are
/// kept in tables, and what an index hides.
pub(super) fn scan_lists(
    plan: &Plan,
    (layout, stores): (&Layout, &Stores),
    names: &Names,
    detector: &Detector,
    watch: &Watch,
    tell: &mut dyn FnMut(Finding),
) -> Coverage {
    let all: String = names.all().chain(names.tabled()).map(|name| format!("{name}\n")).collect();
    let (logs, unread) = logs_in_tables(layout);
    let index = hidden(layout, stores);
    let mut coverage = Coverage { skips: names.skips.clone(), ..Coverage::default() };
    for (what, text) in [("references", all), (REFLOGS, logs), ("names in the index", index.names)] {
        let name = match layout.within.to_string_lossy() {
            within if within.is_empty() => what.to_owned(),
            within => format!("{what} of {within}"),
        };
        scan_list(plan, name, &text, detector, watch, tell);
        coverage.bytes += text.len() as u64;
    }
    for skip in unread.into_iter().chain(index.skips) {
        if !coverage.skips.contains(&skip) {
            coverage.skips.push(skip);
        }
    }
    coverage
}

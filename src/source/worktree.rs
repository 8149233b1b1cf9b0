//! Asks git what it knows of a file in a work tree, and of the repository around a directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use git2::Repository;

use super::git::{Layout, LayoutError, Names, accept_extensions};
use crate::origin::Tracking;

/// Answers for files of any number of work trees; opens each repository once.
#[derive(Default)]
pub struct Worktrees {
    by_directory: HashMap<PathBuf, Option<usize>>,
    open: Vec<Worktree>,
}

struct Worktree {
    repository: Repository,
    root: PathBuf,
    index: Option<git2::Index>,
}

/// The repository that a scanned tree belongs to, for reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Root of the work tree.
    pub root: PathBuf,
    /// URL of the remote `origin`, as the configuration has it (it may hold a credential).
    pub uri: Option<String>,
    /// Commit id of HEAD.
    pub revision: Option<String>,
    /// Short name of the branch that HEAD is.
    pub branch: Option<String>,
}

impl Worktrees {
    /// What git knows of the file; `None` outside a work tree, or if git refuses to say.
    pub fn tracking(&mut self, path: &Path) -> Option<Tracking> {
        let directory =
            std::fs::canonicalize(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))
                .ok()?;
        let index = match self.by_directory.get(&directory) {
            Some(known) => *known,
            None => {
                let found = self.find(&directory);
                self.by_directory.insert(directory.clone(), found);
                found
            }
        }?;
        let worktree = &self.open[index];
        let inside = directory.strip_prefix(&worktree.root).ok()?.join(path.file_name()?);
        if worktree.index.as_ref().is_some_and(|index| index.get_path(&inside, 0).is_some()) {
            return Some(Tracking::Tracked);
        }
        match worktree.repository.is_path_ignored(&inside) {
            Ok(true) => Some(Tracking::Ignored),
            Ok(false) => Some(Tracking::Untracked),
            Err(_) => None,
        }
    }

    fn find(&mut self, directory: &Path) -> Option<usize> {
        let repository = discover(directory).ok()?;
        let root = std::fs::canonicalize(repository.workdir()?).ok()?;
        if let Some(known) = self.open.iter().position(|worktree| worktree.root == root) {
            return Some(known);
        }
        let index = repository.index().ok();
        self.open.push(Worktree { repository, root, index });
        Some(self.open.len() - 1)
    }
}

fn discover(path: &Path) -> Result<Repository, git2::Error> {
    accept_extensions();
    // Libgit2 would wait for a writer where a FIFO is in the place of one of git's files.
    if let Err(LayoutError::Io(path, error)) = Layout::discover(path) {
        return Err(git2::Error::from_str(&format!("{}: {error}", path.display())));
    }
    Repository::discover(path)
}

/// Who works on what is at `path`, as git is told: `user.email`, else `user.name`.
pub fn user(path: &Path) -> Option<String> {
    let config = discover(path).and_then(|repository| repository.config());
    let config = config.or_else(|_| git2::Config::open_default()).ok()?;
    let value = |name| config.get_string(name).ok().filter(|value| !value.trim().is_empty());
    value("user.email").or_else(|| value("user.name"))
}

/// The root of the work tree around `path`, if it is in one.
pub fn root(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(discover(path).ok()?.workdir()?).ok()
}

/// The repository around `path`, if it is in a work tree.
pub fn describe(path: &Path) -> Option<Description> {
    let repository = discover(path).ok()?;
    let root = std::fs::canonicalize(repository.workdir()?).ok()?;
    let uri = repository.find_remote("origin").ok().and_then(|remote| remote.url().ok().map(str::to_owned));
    let (revision, branch) = match repository.head() {
        Ok(head) => {
            let branch = Some(&head).filter(|head| head.is_branch()).and_then(|head| head.shorthand().ok());
            // Not looked up: in a loose object that is cut off, libgit2 1.9 looks for the rest for ever.
            (head.target().map(|id| id.to_string()), branch.map(str::to_owned))
        }
        Err(_) => in_tables(repository.path()).unwrap_or_default(),
    };
    Some(Description { root, uri, revision, branch })
}

/// The commit and the branch of a repository whose references libgit2 does not find.
fn in_tables(git_dir: &Path) -> Option<(Option<String>, Option<String>)> {
    let names = Names::read(&Layout::of(git_dir).ok()?);
    let revision = names.checked_out()?;
    Some((Some(revision.to_string()), names.branch().map(str::to_owned)))
}

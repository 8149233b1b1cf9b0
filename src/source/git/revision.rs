//! Turns what people call commits into object names, by git's own rules, and tells whose repository it is.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository};
use rayon::prelude::*;

use super::layout::Layout;
use super::lookup::Lookup;
use super::settings::{self, Reach};
use super::store::Stores;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, Origin};

/// Most bytes held to read a commit and what it is a delta of.
const COMMITS: u64 = 1 << 28;

/// Why a scope means nothing.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// Neither a reference nor an object, in git's own words.
    #[error(
        "ambiguous argument '{0}': unknown revision or path not in the working tree; `git log --all` and `git branch -a` \
         list what there is"
    )]
    Unknown(String),
    /// It names something, but no commit.
    #[error("'{0}' names a {1}; a range is made of commits")]
    NoCommit(String, &'static str),
    /// Revisions cannot be looked up.
    #[error("cannot look up revisions in {0}: {1}; scan its whole history instead (without a range)")]
    Unsupported(PathBuf, String),
}

/// A repository that belongs to somebody else.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} belongs to somebody else, so git does not trust it; if you do: git config --global --add safe.directory '{}'",
    .0.display(), .0.display()
)]
pub struct NotOwned(pub PathBuf);

/// Asks libgit2 whether the repository, and its work tree, belong to who asks, or are listed in `safe.directory`. A repository that
/// libgit2 cannot open at all is not judged: nothing of it is executed.
pub fn check_owner(layout: &Layout) -> Result<(), NotOwned> {
    match open(layout) {
        Err(error) if error.code() == ErrorCode::Owner => Err(NotOwned(place(layout))),
        _ => Ok(()),
    }
}

/// What git itself would name.
fn place(layout: &Layout) -> PathBuf {
    let place = around(layout);
    place.canonicalize().unwrap_or_else(|_| place.to_owned())
}

/// The directory that a `.git` is in; of a git directory by another name, itself.
fn around(layout: &Layout) -> &Path {
    let is_inner = layout.git_dir.file_name().is_some_and(|name| name == ".git");
    layout.git_dir.parent().filter(|_| is_inner).unwrap_or(&layout.git_dir)
}

fn open(layout: &Layout) -> Result<Repository, git2::Error> {
    match settings::open(layout) {
        // As bare it is not asked for its owner.
        Err(error) if error.code() == ErrorCode::Owner && settings::is_trusted(&place(layout)) => {
            Repository::open_bare(&layout.git_dir)
        }
        opened => opened,
    }
}

/// Looks up revisions.
pub(super) struct Revisions<'l> {
    layout: &'l Layout,
    stores: &'l Stores,
    repository: Option<Repository>,
    lookup: Lookup<'l>,
    is_shallow: bool,
    /// Bases that a shallow clone lacks.
    pub skips: Vec<Skip>,
}

impl<'l> Revisions<'l> {
    pub(super) fn new(layout: &'l Layout, stores: &'l Stores, memory: u64, is_shallow: bool) -> Self {
        let lookup = Lookup::new(layout, stores, memory);
        Revisions { layout, stores, repository: None, lookup, is_shallow, skips: Vec::new() }
    }

    fn repository(&mut self) -> Result<&Repository, ScopeError> {
        if self.repository.is_none() {
            let unsupported = |why: String| ScopeError::Unsupported(self.layout.git_dir.clone(), why);
            if let Some(cut) = self.stores.loose.par_iter().find_any(|loose| loose.is_cut()) {
                return Err(unsupported(format!("the object {} is cut off, as `git fsck` says, too", cut.id)));
            }
            if let Some(path) = self.stores.waiting() {
                return Err(unsupported(format!("{} is no regular file", path.display())));
            }
            let opened = open(self.layout).map_err(|error| unsupported(error.message().to_owned()));
            self.repository = Some(opened?);
        }
        self.repository.as_ref().ok_or_else(|| ScopeError::Unknown(String::new()))
    }

    /// The object that a revision names; a tag is the tag.
    pub(super) fn object(&mut self, text: &str) -> Result<ObjectId, ScopeError> {
        let found = if self.layout.is_beyond_libgit2() {
            if Lookup::is_beyond(text) {
                let why = format!(
                    "'{text}' is not understood where references are in tables, objects are named by SHA-256 or info/grafts tells of \
                     other parents (name a commit by its id)"
                );
                return Err(ScopeError::Unsupported(self.layout.git_dir.clone(), why));
            }
            self.lookup.find(text)
        } else {
            let object = self.repository()?.revparse_single(text).ok();
            object.and_then(|object| ObjectId::from_bytes(object.id().as_bytes()))
        };
        found.ok_or_else(|| ScopeError::Unknown(text.to_owned()))
    }

    /// The commit that a revision leads to.
    pub(super) fn commit(&mut self, text: &str) -> Result<ObjectId, ScopeError> {
        let object = self.object(text)?;
        self.lookup.commit_or_kind(object).map_err(|kind| ScopeError::NoCommit(text.to_owned(), kind))
    }

    /// Where a range begins. If a shallow clone lacks it, more is scanned than was asked for, and that is said.
    pub(super) fn excluded(&mut self, text: &str) -> Result<Option<ObjectId>, ScopeError> {
        match self.commit(text) {
            Err(ScopeError::Unknown(_)) if self.is_shallow && self.may_be_cut_off(text) => {
                let origin = Origin::File { path: self.layout.common_dir.join("shallow"), tracking: None };
                let detail = format!("{text} was not fetched, so where the range begins is not known");
                self.skips.push(Skip { origin, why: Why::ShallowClone, detail });
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// A whole object name, or an ancestor of what is there.
    fn may_be_cut_off(&mut self, text: &str) -> bool {
        let stem = text.split(['~', '^']).next().unwrap_or_default();
        ObjectId::from_hex(stem.as_bytes()).is_some() || (stem.len() < text.len() && self.object(stem).is_ok())
    }

    /// The parents of a commit.
    pub(super) fn parents(&mut self, text: &str) -> Result<Vec<ObjectId>, ScopeError> {
        let object = self.object(text)?;
        self.lookup.parents(object).ok_or_else(|| ScopeError::NoCommit(text.to_owned(), "object"))
    }
}

/// The one commit whose name begins with these hex digits. What references are called does not matter.
pub fn abbreviated(layout: &Layout, digits: &str) -> Option<ObjectId> {
    let stores = layout.open();
    let mut lookup = Lookup::new(layout, &stores, COMMITS);
    let object = lookup.abbreviated(digits)?;
    lookup.commit_or_kind(object).ok().filter(|commit| *commit == object)
}

/// Whether git takes this for the name of a branch.
pub fn is_branch_name(name: &str) -> bool {
    git2::Branch::name_is_valid(name).unwrap_or(false)
}

/// Nobody can tell where hooks are.
#[derive(Debug, thiserror::Error)]
#[error("cannot find out where the hooks of {path} are: {what}; correct its configuration", path = .0.display(), what = .1)]
pub struct HooksError(PathBuf, String);

/// The directory in which git looks for hooks, and whether it does so for other repositories, too. Here the configuration counts, the
/// user's and the system's too, as it does for git.
pub fn hooks_dir(layout: &Layout) -> Result<(PathBuf, bool), HooksError> {
    let fail = |what: &str| HooksError(layout.git_dir.clone(), what.to_owned());
    let repository = open(layout).ok();
    let said = settings::hooks_path(layout, repository.as_ref()).map_err(|error| fail(error.message()))?;
    let Some((value, reach)) = said else { return Ok((layout.common_dir.join("hooks"), false)) };
    if value.is_empty() {
        return Err(fail("core.hooksPath is empty, so git runs no hooks"));
    }
    let path = settings::expand(&value).ok_or_else(|| fail("only git knows what its core.hooksPath means"))?;
    let is_shared = reach == Reach::Everywhere && path.is_absolute();
    Ok((top(layout, repository.as_ref()).join(path), is_shared))
}

/// Where git runs hooks: at the top of the work tree, or in a bare repository.
fn top(layout: &Layout, repository: Option<&Repository>) -> PathBuf {
    // Libgit2 does not find the work tree of a git directory that is kept apart from it.
    let here = Path::new(".").canonicalize().unwrap_or_default();
    let outer = here.ancestors().find(|dir| dir.join(".git").exists());
    if let Some(outer) = outer.filter(|dir| dir.join(".git").is_file() && !is_bare(layout)) {
        return outer.to_owned();
    }
    repository.and_then(Repository::workdir).unwrap_or_else(|| around(layout)).to_owned()
}

/// Whether a repository has no work tree; asked from a linked one, it has.
pub fn is_bare(layout: &Layout) -> bool {
    let said = git2::Config::open(&layout.common_dir.join("config")).and_then(|config| config.get_bool("core.bare"));
    layout.git_dir == layout.common_dir && said.unwrap_or(!layout.git_dir.ends_with(".git"))
}

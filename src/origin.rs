//! Where bytes came from, in the words a reader needs to find them again.

use std::fmt;
use std::path::{Path, PathBuf};

/// What git knows of a file in a work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tracking {
    /// The index names the file: the secret is, or is about to be, in history.
    Tracked,
    /// Neither tracked nor ignored: the next `git add .` takes it along.
    Untracked,
    /// An ignore rule keeps it out of git; it leaks only by other ways.
    Ignored,
}

impl Tracking {
    /// The word every report uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Tracking::Tracked => "tracked",
            Tracking::Untracked => "untracked",
            Tracking::Ignored => "ignored",
        }
    }
}

/// The name of a git object: SHA-1 (20 bytes) or SHA-256 (32 bytes). Ordered as git orders names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    bytes: [u8; 32],
    len: u8,
}

impl ObjectId {
    /// From the raw bytes; `None` unless there are 20 or 32.
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        if raw.len() != 20 && raw.len() != 32 {
            return None;
        }
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Some(ObjectId { bytes, len: raw.len() as u8 })
    }

    /// From 40 or 64 hex digits of either case.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        Self::from_bytes(&data_encoding::HEXLOWER_PERMISSIVE.decode(text).ok()?)
    }

    /// The raw bytes, 20 or 32.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(self.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a git object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A commit: tree, parents, author, committer, message.
    Commit,
    /// A directory: names, modes, ids.
    Tree,
    /// The content of a file.
    Blob,
    /// An annotated tag: what it names, tagger, message.
    Tag,
}

impl ObjectKind {
    /// Every kind, in the order of their numbers in a pack.
    pub const ALL: [ObjectKind; 4] = [ObjectKind::Commit, ObjectKind::Tree, ObjectKind::Blob, ObjectKind::Tag];

    /// The word git uses.
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Commit => "commit",
            ObjectKind::Tree => "tree",
            ObjectKind::Blob => "blob",
            ObjectKind::Tag => "tag",
        }
    }

    /// The kind of that word.
    pub fn parse(word: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().as_bytes() == word)
    }
}

/// The place that gave the bytes. Ordered, so that reports come out the same for any number of threads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A file of a directory tree, by the path as it is to be shown (relative where the target was).
    File {
        /// The path, in the system's own bytes.
        path: PathBuf,
        /// What git says of it; `None` outside a work tree.
        tracking: Option<Tracking>,
    },
    /// Something that can be read only once: standard input, a FIFO, `/dev/fd/63`.
    Stream {
        /// `<stdin>`, or the path as it was given.
        name: String,
    },
    /// A file as the index of a repository has it.
    Staged {
        /// From the top of the work tree, `/`-separated.
        path: PathBuf,
        /// The name of its content.
        id: ObjectId,
    },
    /// A file inside of an archive.
    Member {
        /// The archive's path, as of a file.
        archive: PathBuf,
        /// The member's name; U+FFFD for what is no UTF-8.
        name: String,
    },
    /// The log of a CI run, or another file of it, as its provider gives it.
    Log {
        /// What `--ci-logs` takes: `github:OWNER/REPO`, `gitlab:GROUP/PROJECT`, `bitbucket:WORKSPACE/REPO`.
        project: String,
        /// What `--ci-logs` takes behind the `#`: number of the run, job or pipeline; `123.2` is its second attempt.
        run: String,
        /// The job, step or file in it; U+FFFD for what is no UTF-8. Empty for a run as a whole.
        part: String,
    },
    /// An object of a git repository.
    Object {
        /// The path that it had first, `/`-separated from the top of the work tree, where it had one.
        path: Option<PathBuf>,
        /// Its name.
        id: ObjectId,
        /// What it is, where that could be found out.
        kind: Option<ObjectKind>,
    },
}

impl Origin {
    /// The path of a file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Origin::File { path, .. } | Origin::Staged { path, .. } => Some(path),
            Origin::Object { path, .. } => path.as_deref(),
            Origin::Stream { .. } | Origin::Member { .. } | Origin::Log { .. } => None,
        }
    }

    /// The name under which it is known again in another run: of a CI log without the number of the run.
    pub fn lasting_name(&self) -> String {
        match self {
            Origin::Log { project, part, .. } => format!("{project}/{part}"),
            _ => self.to_string(),
        }
    }

    /// What git knows of the file, where there is a file and a work tree.
    pub fn tracking(&self) -> Option<Tracking> {
        match self {
            Origin::File { tracking, .. } => *tracking,
            Origin::Stream { .. }
            | Origin::Member { .. }
            | Origin::Log { .. }
            | Origin::Staged { .. }
            | Origin::Object { .. } => None,
        }
    }
}

/// The display form, lossy for bytes that are no UTF-8. Not yet escaped for any channel:
/// every report escapes for its own.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, .. } | Origin::Staged { path, .. } => write!(f, "{}", path.display()),
            Origin::Stream { name } => f.write_str(name),
            Origin::Member { archive, name } => write!(f, "{}!/{name}", archive.display()),
            Origin::Log { project, run, part } if run.is_empty() || part.is_empty() => {
                write!(f, "{project}{}{run}{part}", if run.is_empty() { "" } else { "#" })
            }
            Origin::Log { project, run, part } => write!(f, "{project}#{run}!/{part}"),
            Origin::Object { path: Some(path), .. } => write!(f, "{}", path.display()),
            Origin::Object { path: None, id, kind: Some(kind) } => write!(f, "{} {id}", kind.as_str()),
            Origin::Object { path: None, id, kind: None } => write!(f, "object {id}"),
        }
    }
}

/// A commit as far as a report names it. Texts are lossily decoded and may not be shown before secrets in them are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: ObjectId,
    /// Who wrote it; left out on request.
    pub author: Option<String>,
    /// The author's address; left out on request.
    pub email: Option<String>,
    /// When it was written, in seconds since 1970 (UTC), as it claims.
    pub time: i64,
    /// The first paragraph of its message, in one line.
    pub subject: String,
}

/// A reference whose history has an object that its newest commit no longer holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removed {
    /// The reference, in full.
    pub reference: String,
    /// The commit that took the object away.
    pub commit: ObjectId,
}

/// How a git object came into the repository, and what still leads to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Every path it had in any commit; sorted, `/`-separated.
    pub paths: Vec<PathBuf>,
    /// Which of these it had in the first commit that brought it; of several there, the first by name.
    pub first: usize,
    /// Which of these it has in the commit that is checked out: the one above, if that is among them, or the first by name.
    pub checked_out: Option<usize>,
    /// The commits that brought it: their tree holds it, that of no parent does. No commit comes before its ancestors.
    pub introduced: Vec<Commit>,
    /// References that lead to it, in full; sorted. All, or the first [`NAMED`] branches, then tags, then others.
    pub references: Vec<String>,
    /// References whose newest commit no longer holds it, with the commit that took it away; sorted. As many as of `references`.
    pub removed: Vec<Removed>,
    /// How many references lead to it beside those that are named.
    pub more_references: u64,
    /// From how many references it was removed beside those that are named.
    pub more_removed: u64,
    /// The commit that is checked out holds it.
    pub in_head: bool,
    /// There are more paths than were followed.
    pub truncated: bool,
    /// Not all references and commits could be read, or a push that is not through yet brings more: that none leads to the object means
    /// nothing.
    pub incomplete: bool,
}

/// What people look for first.
fn rank(reference: &str) -> u8 {
    match () {
        () if reference == "HEAD" || reference.starts_with("refs/heads/") => 0,
        () if reference.starts_with("refs/tags/") => 1,
        () => 2,
    }
}

/// References that are named for one object: a server has tens of thousands, of merge requests, that lead to everything.
pub const NAMED: usize = 100;

impl Provenance {
    /// Sorts what it names, and keeps [`NAMED`] of each kind of list.
    pub fn limit(&mut self) {
        self.references.sort_by_cached_key(|name| (rank(name), name.clone()));
        self.references.dedup();
        self.removed.sort_by_cached_key(|it| (rank(&it.reference), it.reference.clone()));
        self.more_references += self.references.len().saturating_sub(NAMED) as u64;
        self.more_removed += self.removed.len().saturating_sub(NAMED) as u64;
        self.references.truncate(NAMED);
        self.removed.truncate(NAMED);
        self.references.sort();
        self.references.shrink_to_fit();
        self.removed.sort_by(|one, other| one.reference.cmp(&other.reference));
        self.removed.shrink_to_fit();
    }

    /// The path that it had first.
    pub fn first_path(&self) -> Option<&PathBuf> {
        self.paths.get(self.first)
    }

    /// No reference leads to it, and no commit that is checked out: only an object id away.
    pub fn is_unreachable(&self) -> bool {
        self.references.is_empty() && !self.in_head && !self.incomplete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_named_before_what_servers_keep_and_the_rest_is_counted() {
        let pulls = (0..300).map(|number| format!("refs/pull/{number}/head"));
        let references =
            pulls.chain(["refs/tags/v1", "refs/heads/main", "refs/heads/main"].map(str::to_owned)).collect();
        let removed = |reference: &str| Removed {
            reference: reference.to_owned(),
            commit: ObjectId::from_bytes(&[7; 20]).unwrap(),
        };
        let mut provenance =
            Provenance { references, removed: vec![removed("refs/heads/side")], ..Provenance::default() };
        provenance.limit();
        assert_eq!((provenance.references.len(), provenance.more_references), (NAMED, 202));
        assert!(
            ["refs/heads/main", "refs/tags/v1"].iter().all(|name| provenance.references.iter().any(|it| it == name))
        );
        assert!(provenance.references.is_sorted());
        assert_eq!((provenance.removed.len(), provenance.more_removed), (1, 0));
    }
}

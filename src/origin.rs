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
    /// A file inside of an archive.
    Member {
        /// The archive's path, as of a file.
        archive: PathBuf,
        /// The member's name; U+FFFD for what is no UTF-8.
        name: String,
    },
}

impl Origin {
    /// The path of a file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Origin::File { path, .. } => Some(path),
            Origin::Stream { .. } | Origin::Member { .. } => None,
        }
    }

    /// What git knows of the file, where there is a file and a work tree.
    pub fn tracking(&self) -> Option<Tracking> {
        match self {
            Origin::File { tracking, .. } => *tracking,
            Origin::Stream { .. } | Origin::Member { .. } => None,
        }
    }
}

/// The display form, lossy for bytes that are no UTF-8. Not yet escaped for any channel:
/// every report escapes for its own.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, .. } => write!(f, "{}", path.display()),
            Origin::Stream { name } => f.write_str(name),
            Origin::Member { archive, name } => write!(f, "{}!/{name}", archive.display()),
        }
    }
}

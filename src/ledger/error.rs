//! Turns what SQLite says into what to do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::SCHEMA;

/// Why the ledger cannot be used. Nothing irreversible is done without it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not open, or its directory cannot be made.
    #[error("the ledger {path} cannot be opened: {why}; name another one with --ledger FILE")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// It may be read, but not written.
    #[error("the ledger {0} is read-only; nothing can be done without it: name another one with --ledger FILE")]
    ReadOnly(PathBuf),
    /// No space.
    #[error("the disk of the ledger {0} is full; make room, then run the same command again")]
    Full(PathBuf),
    /// Another process holds it for too long.
    #[error("another process holds the ledger {0}; run the same command again when it is done")]
    Busy(PathBuf),
    /// No SQLite database, or a broken one.
    #[error("the ledger {0} is broken; move it away for the post-mortem, and begin a new one")]
    Corrupt(PathBuf),
    /// A database of something else.
    #[error("{0} is a database, but no ledger of stanch; name another file with --ledger FILE")]
    NotOurs(PathBuf),
    /// Written by another version.
    #[error(
        "the ledger {path} has schema {found}, this stanch writes {SCHEMA}; use the stanch that wrote it, or a new file"
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// Anything else that SQLite says.
    #[error("the ledger {path}: {why}")]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
}

/// What is wrong, told by SQLite's code.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly) => Error::ReadOnly(path),
        Some(ErrorCode::DiskFull) => Error::Full(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy(path),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt(path),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Error::Open { path, why: error.to_string() },
        _ => Error::Other { path, why: error.to_string() },
    }
}

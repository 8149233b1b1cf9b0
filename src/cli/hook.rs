//! `stanch hook`.

use std::path::PathBuf;

use crate::scan::staged::Request;
use crate::source::git::{Environment, alternate_paths};

/// The largest file that is scanned, in bytes.
const MEMORY: u64 = 512 << 20;

/// The request for the index of the repository at `target`; here, it is the one that git names to its hooks.
pub(super) fn staged(target: PathBuf) -> Request {
    let environment = if target.as_os_str() == "." { environment() } else { Environment::default() };
    Request { repository: target, environment, memory: MEMORY }
}

/// What git says to its hooks.
pub(super) fn environment() -> Environment {
    let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let alternates = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
    Environment {
        git_dir: path("GIT_DIR"),
        common_dir: path("GIT_COMMON_DIR"),
        index: path("GIT_INDEX_FILE"),
        objects: path("GIT_OBJECT_DIRECTORY"),
        alternates: alternate_paths(alternates.as_encoded_bytes()),
    }
}

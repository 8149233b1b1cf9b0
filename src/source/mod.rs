//! Turns places into chunks.
//!
//! Knows files, streams, logs and git; no rules and no findings.

pub mod encoding;
pub mod files;
pub mod git;
pub mod log;
pub mod read;
pub mod remote;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod testing;
mod tracked;
pub mod unpack;
pub mod worktree;

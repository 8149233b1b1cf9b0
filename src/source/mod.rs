//! Turns places into chunks.
//!
//! Knows files, streams and git; no rules and no findings.

pub mod encoding;
pub mod files;
pub mod log;
pub mod read;
pub mod unpack;
pub mod worktree;

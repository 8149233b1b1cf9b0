//! Turns places into chunks.

pub mod git;

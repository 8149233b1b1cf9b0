//! Turns chunks into candidates.

pub mod escape;
pub mod mint;
pub mod proof;

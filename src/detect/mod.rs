//! Turns chunks into candidates.

pub mod mint;
pub mod proof;

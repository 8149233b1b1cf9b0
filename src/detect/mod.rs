//! Turns chunks into candidates.

pub mod allow;
pub mod mint;
pub mod proof;

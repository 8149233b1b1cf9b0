//! Turns the bytes of a log into the text that its programs wrote, and leads each byte of it back to the log.

pub mod ansi;
pub mod basic;
pub mod context;
pub mod dialect;
pub mod normalise;
pub mod strip;
pub mod text;
pub mod wrap;

pub use context::Context;
pub use dialect::Dialect;
pub use normalise::Normaliser;
pub use text::{Normalised, Source};

//! Turns X into Y.

pub mod config;

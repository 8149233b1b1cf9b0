//! Turns findings into closed incidents.

pub mod config;
pub mod incident;
pub mod inspection;
pub mod kind;
pub mod provider;

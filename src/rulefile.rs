//! The TOML form of a rule set.

//! stanch finds leaked tokens and stops the leak. The modules stand in the order in which data flows.
//!
//! ```text
//! nouns    origin → place → chunk → coverage → shape → rule → secret → finding → baseline → summary → exit
//! rules    rulefile   TOML (ours, gitleaks') in, RuleSet out; builtin has ours, read when the program was built
//! scan     source ──chunks──▶ detect ──candidates──▶ scan ──findings──▶ report
//! hooks    hook       git asks before it commits, pushes, receives: what to scan then
//! fetch    fetch      logs of CI runs at their provider, as a source that scan reads, and the end of those that leaked
//! respond  findings ──▶ incidents ──inspect──▶ plan ──act──▶ closed, through the doors http and ledger
//! outside  cli        knows all, known by nobody
//! ```
//!
//! Every stage opens with `//! Turns X into Y.`; `tests/arrows.rs` holds which module may use which.
#![warn(missing_docs)]

pub mod origin;

pub mod place;

pub mod chunk;

pub mod coverage;

pub mod shape;

pub mod rule;

pub mod secret;

pub mod finding;

pub mod baseline;

pub mod summary;

pub mod exit;

pub mod rulefile;

pub mod builtin;

pub mod source;

pub mod detect;

pub mod scan;

pub mod report;

pub mod hook;

pub mod http;

pub mod ledger;

pub mod fetch;

pub mod respond;

pub mod cli;

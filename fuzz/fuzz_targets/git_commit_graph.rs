#![no_main]
//! Commit-graph files: no panic, and whoever is named as a parent is there.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::commit_graph(bytes));

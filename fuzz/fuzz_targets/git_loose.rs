#![no_main]
//! Loose objects: compressed bytes as they are, and any header and content compressed.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::loose(bytes));

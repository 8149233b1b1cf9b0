#![no_main]
//! Headers of pack entries.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::entry(bytes));

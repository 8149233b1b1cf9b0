#![no_main]
//! Deltas: no panic, and the marks that are carried are those of the whole object.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::delta(bytes));

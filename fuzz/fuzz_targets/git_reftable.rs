#![no_main]
//! Tables of references of any version: no panic, and no more than what a table of that size can hold.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::reftable(bytes));

#![no_main]
//! Pack indices of any version: no panic, and what is found is there.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::index(bytes));

#![no_main]
//! Multi-pack-indices: no panic, no runaway memory.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::multi_index(bytes));

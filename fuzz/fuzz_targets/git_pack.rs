#![no_main]
//! A whole object store with a pack of any bytes: every object the index names is visited or a skip, within a small memory bound.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stanch::source::git::fuzzing::pack(bytes));

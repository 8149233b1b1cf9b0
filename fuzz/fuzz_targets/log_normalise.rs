//! Any log, in any dialect: every byte of the normalised text leads back into the log, to itself where it was not
//! decoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stanch::source::log::{Dialect, Normaliser};

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (dialect, at_line_start, log) = input;
    let mut normaliser = Normaliser::new(Dialect::ALL[usize::from(dialect) % Dialect::ALL.len()]);
    let normalised = normaliser.normalise(log, at_line_start);
    for at in 0..normalised.text().len() {
        let raw = normalised.source(&(at..at + 1)).expect("one byte reaches over nothing").raw;
        assert!(!raw.is_empty() && raw.end <= log.len());
        // One digit may be the number of a byte.
        if raw.len() == 1 && log[raw.start] != b'\r' && !log[raw.start].is_ascii_digit() {
            assert_eq!(log[raw.start], normalised.text()[at]);
        }
    }
});

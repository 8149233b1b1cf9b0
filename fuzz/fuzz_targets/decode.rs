//! Anything encoded: never a panic, every place in the text, and the same spots from a window as from all.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use stanch::detect::decode::DEPTH;
use stanch::detect::{Detector, Where};
use stanch::builtin::ready;

fuzz_target!(|bytes: &[u8]| {
    static DETECTOR: OnceLock<Detector> = OnceLock::new();
    let detector =
        DETECTOR.get_or_init(|| Detector::new(Arc::new(ready()), 0).expect("our rules compile").with_depth(DEPTH));
    let mut scratch = detector.scratch();
    for ends in [true, false] {
        detector.candidates(&mut scratch, bytes, &(0..bytes.len()), Where::Nowhere);
        let unwrapped = detector.unwrapped(&mut scratch, bytes, Where::Nowhere, ends);
        for one in &unwrapped.candidates {
            assert!(one.span.start < one.span.end && one.span.end <= bytes.len());
            assert!(one.wrapping.text.start <= one.span.start && one.span.end <= one.wrapping.text.end);
        }
    }
    let mut marks = Vec::new();
    detector.marks(&mut scratch, bytes, &mut marks);
    for &mark in &marks {
        let (from, to) = (mark.saturating_sub(64) as usize, bytes.len().min(mark as usize + 192));
        let mut again = Vec::new();
        detector.marks(&mut scratch, &bytes[from..to], &mut again);
        assert!(again.contains(&(mark - from as u32)));
    }
});

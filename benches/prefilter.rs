//! How fast the prefilter goes over a tree of real source: `cargo bench --bench prefilter -- DIR`.
//! Prints gigabytes per second of one thread for the run detector alone and for the anchors of all built-in rules.
#![expect(clippy::disallowed_macros, reason = "a bench speaks to the person who runs it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use stanch::builtin;
use stanch::detect::{Detector, Where, prefilter};

fn main() {
    let root = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).unwrap_or_else(|| ".".to_owned());
    let files: Vec<Vec<u8>> = ignore::Walk::new(PathBuf::from(root))
        .filter_map(|entry| std::fs::read(entry.ok()?.path()).ok())
        .take(20_000)
        .collect();
    let bytes: usize = files.iter().map(Vec::len).sum();
    let detector = Detector::new(Arc::new(builtin::ready()), 0).expect("the built-in rules compile");
    let mut scratch = detector.scratch();
    measure("runs", bytes, || {
        let mut runs = 0;
        for file in &files {
            prefilter::for_each_run(file, |_, _| runs += 1);
        }
        runs
    });
    measure("candidates", bytes, || {
        files.iter().map(|file| detector.candidates(&mut scratch, file, &(0..file.len()), Where::Nowhere).len()).sum()
    });
}

fn measure(name: &str, bytes: usize, mut work: impl FnMut() -> usize) {
    let best = (0..5)
        .map(|_| {
            let started = Instant::now();
            let count = work();
            (started.elapsed(), count)
        })
        .min()
        .expect("five rounds");
    let rate = bytes as f64 / 1e9 / best.0.as_secs_f64();
    println!("{name:12} {rate:6.2} GB/s over {} MB, {} found", bytes / 1_000_000, best.1);
}

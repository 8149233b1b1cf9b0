//! Any text in any reads: the filter passes on what it passes on when it gets everything at once.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use stanch::builtin::with_examples;
use stanch::detect::Detector;
use stanch::rule::Confidence;
use stanch::scan::filter::Filter;

/// One of each kind: to follow all of ours takes seconds to get ready, and is asked for twice for every input.
const RULES: [&str; 6] = [
    "github-pat",
    "gitlab-pat-routable",
    "generic-bare",
    "generic-url-credentials",
    "private-key-pem",
    "npm-access-token",
];

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    let mut rules = with_examples();
    rules.rules.retain(|rule| RULES.contains(&rule.id.as_str()));
    Detector::new(Arc::new(rules), 0).expect("our own rules")
});

fn filtered<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut filter = Filter::new(&DETECTOR, Confidence::Low).expect("our own rules");
    for (number, piece) in pieces.enumerate() {
        filter.take(piece);
        filter.pass_on(number % 3 == 1, &mut out).expect("memory does not fail");
    }
    filter.finish(&mut out).expect("memory does not fail");
    out
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, text) = input;
    assert_eq!(filtered(text.chunks(usize::from(step) + 1)), filtered(std::iter::once(text)));
});

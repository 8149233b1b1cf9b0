//! UTF-16 text inside of something else: ASCII with a zero beside each character.

use std::ops::Range;

use super::map::Map;

/// Characters that are worth decoding.
const LEAST: usize = 18;

/// Bytes between two looks: every stretch of [`LEAST`] characters has a whole [`LOOK`] at one of them.
const STEP: usize = 16;
const LOOK: usize = 8;

fn is_character(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// Calls `each` with every stretch of at least [`LEAST`] characters: from the first to behind the last, of either order.
pub(super) fn stretches(bytes: &[u8], mut each: impl FnMut(Range<usize>)) {
    if memchr::memchr(0, bytes).is_none() {
        return;
    }
    let mut done = 0;
    for at in (0..bytes.len().saturating_sub(LOOK)).step_by(STEP) {
        if at < done {
            continue;
        }
        let look = |first: usize| (first..first + LOOK).step_by(2).all(|at| is_character(bytes[at]));
        let zero = |first: usize| (first..first + LOOK).step_by(2).all(|at| bytes[at] == 0);
        let first = match () {
            () if at + 1 + LOOK <= bytes.len() && zero(at + 1) && look(at) => at,
            () if at + 1 + LOOK <= bytes.len() && zero(at) && look(at + 1) => at + 1,
            () => continue,
        };
        let stretch = around(bytes, first);
        done = stretch.end;
        if stretch.len() >= 2 * LEAST - 1 {
            each(stretch);
        }
    }
}

/// The characters around the one at `at`: each second byte is one, those between them are zero.
pub(super) fn around(bytes: &[u8], at: usize) -> Range<usize> {
    let (mut start, mut end) = (at, at + 1);
    while start >= 2 && bytes[start - 1] == 0 && is_character(bytes[start - 2]) {
        start -= 2;
    }
    while end + 1 < bytes.len() && bytes[end] == 0 && is_character(bytes[end + 1]) {
        end += 2;
    }
    start..end
}

/// The characters of a stretch, and their map.
pub(super) fn decode(bytes: &[u8], stretch: &Range<usize>) -> (Vec<u8>, Map) {
    let text = bytes[stretch.clone()].iter().step_by(2).copied().collect();
    (text, Map::Digits { digits: 2, bytes: 1, stretches: vec![(0, stretch.start)] })
}

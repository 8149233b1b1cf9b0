//! Terminal control sequences (ECMA-48), as far as a log needs them: how long one is and what it does to the text.

use memchr::{memchr_iter, memchr3, memmem, memrchr};

/// The byte every 7-bit control sequence begins with.
pub const ESC: u8 = 0x1B;

/// What `ESC [` is in one byte; U+009B in UTF-8.
const CSI: u8 = 0x9B;

/// What comes next stands over what stood there last.
pub const BACKSPACE: u8 = 0x08;

/// Longest string sequence (OSC, APC, DCS) that is taken for one, in bytes. Terminals have limits of this order; a
/// lone introducer must not swallow the rest of a log.
const LONGEST: usize = 8 << 10;

/// Most bytes of a sequence that is looked for from its inside: a colour of 24 bits before and behind has 38.
const SHORT: usize = 40;

/// What a sequence leaves behind in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Colours, titles, links, erasing: nothing.
    Nothing,
    /// The cursor moves right (Windows' console writes blanks so): one space.
    Space,
    /// The cursor goes to another line or column: what follows stands elsewhere, as after a newline.
    Break,
}

/// Where the first byte stands that does something to a line: the first of a sequence, CR, or a backspace.
pub fn next_control(bytes: &[u8]) -> Option<usize> {
    let control = memchr3(ESC, b'\r', BACKSPACE, bytes);
    next_csi(&bytes[..control.unwrap_or(bytes.len())]).or(control)
}

/// Where the first sequence begins that does so without ESC.
pub fn next_csi(bytes: &[u8]) -> Option<usize> {
    memchr_iter(CSI, bytes).find_map(|at| introducer(bytes, at))
}

/// Where the introducer begins that has the byte at `at`, if that is no part of another character.
fn introducer(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes[..at].last() {
        Some(0xC2) => Some(at - 1),
        Some(before) if !before.is_ascii() => None,
        _ => Some(at),
    }
}

/// Whether `bytes` begin with a sequence.
pub fn is_sequence(bytes: &[u8]) -> bool {
    matches!(bytes, [ESC | CSI, ..] | [0xC2, CSI, ..])
}

/// Where the sequence ends that `at` is in, behind its introducer. Only short ones are seen, as those of colours.
pub fn end_around(bytes: &[u8], at: usize) -> Option<usize> {
    let start = memrchr(ESC, &bytes[at.saturating_sub(SHORT)..at])? + at.saturating_sub(SHORT);
    Some(start + sequence(&bytes[start..]).0).filter(|end| *end > at)
}

/// Length in bytes and effect of the sequence at the start of `bytes`. Never reaches over a newline; what is no whole
/// sequence is one byte long.
pub fn sequence(bytes: &[u8]) -> (usize, Effect) {
    if bytes.first() != Some(&ESC) {
        return control(bytes, if bytes.first() == Some(&CSI) { 1 } else { 2 });
    }
    match bytes.get(1) {
        Some(b'[') => control(bytes, 2),
        Some(b']' | b'P' | b'_' | b'^' | b'X') => (string(bytes).unwrap_or(2), Effect::Nothing),
        // Character sets, `ESC ( B` and the like: intermediates, then one final byte.
        Some(0x20..=0x2F) => {
            let intermediates = bytes[1..].iter().take_while(|byte| (0x20..=0x2F).contains(*byte)).count();
            match bytes.get(1 + intermediates) {
                Some(0x30..=0x7E) => (intermediates + 2, Effect::Nothing),
                _ => (1, Effect::Nothing),
            }
        }
        // Next line, reverse index, and the like.
        Some(b'D' | b'E' | b'M') => (2, Effect::Break),
        Some(0x30..=0x7E) => (2, Effect::Nothing),
        _ => (1, Effect::Nothing),
    }
}

/// `ESC [ parameters intermediates final`, behind an introducer of so many bytes.
fn control(bytes: &[u8], introducer: usize) -> (usize, Effect) {
    let last = introducer + bytes[introducer..].iter().take_while(|byte| (0x20..=0x3F).contains(*byte)).count();
    let end = last + 1;
    let effect = match bytes.get(last) {
        Some(b'C') => Effect::Space,
        Some(b'A' | b'B' | b'E' | b'F' | b'G' | b'H' | b'd' | b'f') => Effect::Break,
        Some(b'm') if bytes[introducer..last] == *b"8" => return (end + note(&bytes[end..]), Effect::Nothing),
        Some(0x40..=0x7E) => Effect::Nothing,
        _ => return (1, Effect::Nothing),
    };
    (end, effect)
}

/// Length of a Jenkins console note that follows `ESC [ 8 m`: `ha:` + base64 + `ESC [ 0 m` (hudson.console.ConsoleNote).
fn note(bytes: &[u8]) -> usize {
    if !bytes.starts_with(b"ha:") {
        return 0;
    }
    let window = &bytes[..bytes.len().min(LONGEST)];
    memmem::find(window, b"\x1b[0m").filter(|&at| !window[..at].contains(&b'\n')).map_or(0, |at| at + 4)
}

/// `ESC ] … BEL`, or ended by `ESC \`.
fn string(bytes: &[u8]) -> Option<usize> {
    let window = &bytes[..bytes.len().min(LONGEST)];
    let at = 2 + memchr3(0x07, ESC, b'\n', &window[2..])?;
    match (window[at], window.get(at + 1)) {
        (0x07, _) => Some(at + 1),
        (ESC, Some(b'\\')) => Some(at + 2),
        // A newline or a new sequence cancels an unfinished one.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_end_where_terminals_end_them() {
        let cases: [(&[u8], (usize, Effect)); 16] = [
            (b"\x9b31mred", (4, Effect::Nothing)),
            (b"\xc2\x9b1Cx", (4, Effect::Space)),
            (b"\x9b2;5Hx", (5, Effect::Break)),
            (b"\x9b", (1, Effect::Nothing)),
            (b"\x1b[31mred", (5, Effect::Nothing)),
            (b"\x1b[1;38;5;214mx", (13, Effect::Nothing)),
            (b"\x1b[0K", (4, Effect::Nothing)),
            (b"\x1b[3Cx", (4, Effect::Space)),
            (b"\x1b[2;5Hx", (6, Effect::Break)),
            (b"\x1b]0;title\x07x", (10, Effect::Nothing)),
            (b"\x1b]8;;http://x\x1b\\x", (15, Effect::Nothing)),
            (b"\x1b_bk;t=1700000000000\x07x", (21, Effect::Nothing)),
            (b"\x1b(Bx", (3, Effect::Nothing)),
            (b"\x1b]0;no end\nnext\x07", (2, Effect::Nothing)),
            (b"\x1b[8mha:AAAA/BBBB==\x1b[0mx", (22, Effect::Nothing)),
            (b"\x1b", (1, Effect::Nothing)),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(sequence(bytes), wanted, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_part_of_a_character_is_no_control() {
        assert_eq!(next_control("⛔ 盛 à\u{9b}1m".as_bytes()), Some("⛔ 盛 à".len()));
        assert_eq!(next_control(b"a\x9b1m"), Some(1));
        assert_eq!(next_csi("⛔ 盛 à\u{9b}1m".as_bytes()), Some("⛔ 盛 à".len()));
        assert_eq!((next_control("⛔".as_bytes()), next_csi("⛔".as_bytes())), (None, None));
        assert_eq!(next_control(b"ab\x08"), Some(2));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_sequence_within_their_line(
            head in prop::sample::select(vec![&b"\x1b"[..], b"\x9b", b"\xc2\x9b"]),
            tail in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let bytes = [head, &tail[..]].concat();
            let (len, _) = sequence(&bytes);
            prop_assert!(len >= 1 && len <= bytes.len());
            prop_assert!(!bytes[..len].contains(&b'\n'));
        }
    }
}

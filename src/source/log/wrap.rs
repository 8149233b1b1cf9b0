//! Tells whether a line goes on in the next one because a terminal was too narrow.

use super::ansi::{self, BACKSPACE};

/// Widths that terminals and CI runners have by default, in columns.
const USUAL: [usize; 11] = [80, 100, 120, 128, 132, 140, 150, 160, 180, 200, 240];

/// Narrower lines are taken for lines.
const NARROWEST: usize = 40;

/// Two lines are joined only if a stretch of this many token bytes results (`shape::RUN`).
const RUN: usize = 20;

/// For each byte, whether tokens are made of it, or it joins their parts.
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] =
            (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'_' | b'-' | b'.' | b'+' | b'/' | b'=');
        byte += 1;
    }
    table
};

/// A byte that tokens are made of, or that joins their parts.
#[inline]
pub fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[usize::from(byte)]
}

/// Whether what is left of a line and the next could be one stretch of token bytes. Cheap, and nearly always no.
#[inline]
pub fn may_join(line: &[u8], next: &[u8]) -> bool {
    if line.len() < NARROWEST {
        return false;
    }
    let Some((true, true)) = line.last().zip(next.first()).map(|(&a, &b)| (is_token_byte(a), is_token_byte(b))) else {
        return false;
    };
    let tail = line.iter().rev().take(RUN).take_while(|&&byte| is_token_byte(byte)).count();
    let head = next.iter().take(RUN).take_while(|&&byte| is_token_byte(byte)).count();
    tail + head >= RUN
}

/// A line as it stands in the log.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'t> {
    /// Its bytes.
    pub text: &'t [u8],
    /// None of them does something to a line.
    pub plain: bool,
}

/// Whether a line was cut at its end, given the lines around it: none is wider, and the width is a usual one or a
/// neighbour's.
pub fn was_cut(line: Raw<'_>, before: Raw<'_>, next: Raw<'_>) -> bool {
    let columns = line.width();
    let is_usual = USUAL.contains(&columns);
    // No line has more columns than bytes, which are known already.
    if columns < NARROWEST || !is_usual && before.text.len().max(next.text.len()) < columns {
        return false;
    }
    let around = [before, next].map(Raw::width);
    around.iter().all(|other| *other <= columns) && (is_usual || around.contains(&columns))
}

impl Raw<'_> {
    /// In columns: characters that show.
    fn width(self) -> usize {
        if self.plain {
            return characters(self.text);
        }
        let (line, mut width, mut at) = (self.text, 0usize, 0);
        while let Some(len) = ansi::next_control(&line[at..]) {
            width += characters(&line[at..at + len]);
            at += len;
            match line[at] {
                b'\r' => at += 1,
                BACKSPACE => {
                    width = width.saturating_sub(1);
                    at += 1;
                }
                _ => at += ansi::sequence(&line[at..]).0,
            }
        }
        width + characters(&line[at..])
    }
}

/// Characters in UTF-8. Counted in bytes for as long as those hold the count: a register has room for many of them.
fn characters(text: &[u8]) -> usize {
    let parts = text.chunks(usize::from(u8::MAX));
    parts.map(|part| usize::from(part.iter().map(|&byte| u8::from(byte & 0xC0 != 0x80)).sum::<u8>())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_lines_are_joined() {
        let full = "x".repeat(80);
        assert!(may_join(full.as_bytes(), b"yyy"));
        assert!(!may_join(full.as_bytes(), b" yyy"));
        assert!(!may_join(b"short-line-of-token-bytes", b"yyy"));
        let raw = |text| Raw { text, plain: true };
        let lines = [80, 0, 3, 97, 90, 81].map(|columns| "x".repeat(columns).into_bytes());
        let [usual, none, short, other, wider, wide] = lines.each_ref().map(|line| raw(line));
        assert!(was_cut(usual, none, short) && was_cut(other, other, short) && was_cut(other, none, other));
        assert!(!was_cut(other, none, short) && !was_cut(usual, wider, short) && !was_cut(usual, none, wide));
        let coloured = format!("\x1b[1m{}\x1b[m", "ä".repeat(97)).into_bytes();
        let coloured = Raw { text: &coloured, plain: false };
        assert!(was_cut(other, coloured, short) && !was_cut(usual, coloured, short));
    }

    #[test]
    fn width_counts_what_shows() {
        let width = |text: &str, plain| Raw { text: text.as_bytes(), plain }.width();
        assert_eq!(width("\x1b[31mäb\x1b[0m\r", false), 2);
        assert_eq!(width("\u{9b}31m⛔b\x08b", false), 2);
        assert_eq!(width(&"äb".repeat(400), true), 800);
    }
}

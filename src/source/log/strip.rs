//! Undoes within one line what terminals and log drivers do to it: control sequences, overwrites, escapes and arrays of JSON.

use std::ops::Range;

use memchr::memchr;

use super::ansi::{self, BACKSPACE, Effect};
use super::text::Normalised;
use super::wrap::is_token_byte;

/// What becomes of a part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// It stays.
    Keep(Range<usize>),
    /// One byte stands for it.
    Put(u8, Range<usize>),
    /// The character before is overwritten by what follows.
    Back,
}

/// Shows `each` what is left of `line`. What a carriage return overwrites stays as a line of its own: both what was
/// there and what came over it are searched. What a backspace takes back stands in the line as it is.
pub fn strip(bytes: &[u8], line: Range<usize>, mut each: impl FnMut(Piece)) {
    let end = line.start + bytes[line.clone()].iter().rposition(|&byte| byte != b'\r').map_or(0, |last| last + 1);
    let mut at = line.start;
    while let Some(len) = ansi::next_control(&bytes[at..end]) {
        let special = at + len;
        if bytes[special] == BACKSPACE {
            each(Piece::Keep(at..special));
            each(Piece::Back);
            at = special + 1;
        } else if bytes[special] != b'\r' {
            each(Piece::Keep(at..special));
            let (len, effect) = ansi::sequence(&bytes[special..end]);
            at = special + len;
            match effect {
                Effect::Nothing => {}
                Effect::Space => each(Piece::Put(b' ', special..at)),
                Effect::Break => each(Piece::Put(b'\n', special..at)),
            }
        } else if is_readline_wrap(&bytes[at..end], len) {
            each(Piece::Keep(at..special - 1));
            at = special + 1;
        } else {
            each(Piece::Keep(at..special));
            each(Piece::Put(b'\n', special..special + 1));
            at = special + 1;
        }
    }
    each(Piece::Keep(at..end));
}

/// A shell that wraps what is typed writes a blank and a carriage return at the terminal's edge, and goes on.
fn is_readline_wrap(bytes: &[u8], cr: usize) -> bool {
    cr >= 2
        && bytes[cr - 1] == b' '
        && is_token_byte(bytes[cr - 2])
        && bytes.get(cr + 1).is_some_and(|&next| is_token_byte(next))
}

/// Replaces `out` by the text of the JSON string whose inside stands at `string`.
pub fn decode_json(bytes: &[u8], string: Range<usize>, out: &mut Normalised) {
    out.clear();
    let mut at = string.start;
    while let Some(len) = memchr(b'\\', &bytes[at..string.end]) {
        let escape = at + len;
        out.copy(&bytes[at..escape], at);
        let (character, len) = unescape(&bytes[escape..string.end]);
        at = escape + len;
        out.substitute(character.encode_utf8(&mut [0; 4]).as_bytes(), escape..at);
    }
    out.copy(&bytes[at..string.end], at);
}

/// Replaces `out` by the bytes whose numbers stand at `array`: `72,101,108`.
pub fn decode_numbers(bytes: &[u8], array: Range<usize>, out: &mut Normalised) {
    out.clear();
    let mut at = array.start;
    for number in bytes[array].split(|&byte| byte == b',') {
        let value = std::str::from_utf8(number).ok().and_then(|digits| digits.parse().ok());
        if let Some(value) = value {
            out.substitute(&[value], at..at + number.len());
        }
        at += number.len() + 1;
    }
}

/// The character of the escape at the start of `bytes`, and its length. What is no escape is one backslash.
fn unescape(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match bytes.get(1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(&plain @ (b'"' | b'\\' | b'/')) => (plain.into(), 2),
        Some(b'u') => match (unit(0), unit(6)) {
            (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
                let pair = char::decode_utf16([high, low]).next();
                (pair.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            }
            (Some(one), _) => (char::from_u32(one.into()).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            (None, _) => ('\\', 1),
        },
        _ => ('\\', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(text: &str) -> String {
        let mut out = String::new();
        strip(text.as_bytes(), 0..text.len(), |piece| match piece {
            Piece::Keep(part) => out.push_str(&text[part]),
            Piece::Put(byte, _) => out.push(byte.into()),
            Piece::Back => drop(out.pop()),
        });
        out
    }

    #[test]
    fn colours_go_and_overwritten_text_stays() {
        assert_eq!(stripped("a\x1b[31mb\x1b[0mc"), "abc");
        assert_eq!(stripped("10%\r20%\r\x1b[2Kdone\r\r"), "10%\n20%\ndone");
        assert_eq!(
            stripped("section_start:17:prepare[collapsed=true]\r\x1b[0KTitle"),
            "section_start:17:prepare[collapsed=true]\nTitle"
        );
        assert_eq!(stripped("key\x1b[1Cvalue"), "key value");
        assert_eq!(stripped("key\u{9b}1Cval\u{9b}1mue ⛔"), "key value ⛔");
        assert_eq!(stripped("b\x08bo\x08ol\x08ld _\x08u |\x08/\x08-\x08done"), "bold u done");
        assert_eq!(stripped("typed at the ed \rge"), "typed at the edge");
    }

    #[test]
    fn numbers_come_out_and_lead_back() {
        let raw = b"72,9,195,169,300,,33";
        let mut out = Normalised::default();
        decode_numbers(raw, 0..raw.len(), &mut out);
        assert_eq!(out.text(), "H\té!".as_bytes());
        assert_eq!(out.source(&(0..1)).unwrap().raw, 0..2);
        assert_eq!(out.source(&(2..5)).unwrap().raw, 5..20);
    }

    #[test]
    fn json_strings_come_out_and_lead_back() {
        let raw = br#"a\n\"\u00e9\ud83d\ude00\x"#;
        let mut out = Normalised::default();
        decode_json(raw, 0..raw.len(), &mut out);
        assert_eq!(out.text(), "a\n\"é😀\\x".as_bytes());
        assert_eq!(out.source(&(1..2)).unwrap().raw, 1..3);
        assert_eq!(out.source(&(3..9)).unwrap().raw, 5..23);
    }
}

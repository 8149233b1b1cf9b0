//! The strings of a document: what their escapes and digits write, and text of two bytes a character.

use memchr::{memchr, memmem};

use super::objects::{Part, part};

/// A string that says that it is text of two bytes a character is looked at up to so many bytes.
const STRING: usize = 64 << 10;

/// What a string writes between its parentheses (ISO 32000, 7.3.4.2).
pub(super) fn literal(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let Some(at) = memchr(b'\\', text) {
        out.extend_from_slice(&text[..at]);
        text = escape(&text[at + 1..], &mut out);
    }
    out.extend_from_slice(text);
    out
}

/// Adds what is escaped; gives what is behind it.
fn escape<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let digits = text.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if digits > 0 {
        out.push(text[..digits].iter().fold(0u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
        return &text[digits..];
    }
    let Some((first, rest)) = text.split_first() else { return text };
    match first {
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        b'b' => out.push(8),
        b'f' => out.push(12),
        // A line that goes on.
        b'\r' => return rest.strip_prefix(b"\n").unwrap_or(rest),
        b'\n' => {}
        other => out.push(*other),
    }
    rest
}

/// What digits write between `<` and `>`; one that is missing is zero.
pub(super) fn hex(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> =
        text.iter().filter_map(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
}

/// The strings that say that they are text of two bytes a character, and are written by escapes or digits (7.9.2.2), each as a line.
pub(in crate::source::unpack) fn wide(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mark in [&b"<FEFF"[..], b"<feff", b"(\\376\\377", b"(\xFE\xFF"] {
        let mut done = 0;
        for at in memmem::find_iter(document, mark) {
            let mut rest = &document[at..document.len().min(at + STRING)];
            if at < done {
                continue;
            }
            let known = rest.len();
            let bytes = match part(&mut rest) {
                Some(Part::Hex(digits)) => hex(digits),
                // As they are they are read anyway.
                Some(Part::Literal(text)) if text.contains(&b'\\') => literal(text),
                _ => continue,
            };
            done = at + known - rest.len();
            let (pairs, _) = bytes.get(2..).unwrap_or_default().as_chunks::<2>();
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            let text: String = char::decode_utf16(units).map(|character| character.unwrap_or('\u{fffd}')).collect();
            out.extend_from_slice(text.as_bytes());
            out.push(b'\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_what_they_write() {
        assert_eq!(literal(b"a\\(b\\)\\\\\\\r\n\\101\\7\\t(c)"), b"a(b)\\A\x07\t(c)");
        assert_eq!(hex(b"4 1\n42 5"), b"AB\x50");
    }

    #[test]
    fn text_of_two_bytes_is_text() {
        let document = b"/A<FEFF00 41 0042>/B(\\376\\377\\000c\\000\\051\\000d)/C<feff00e9>/D(\\376\\377";
        assert_eq!(wide(document), "AB\n\u{e9}\nc)d\n\n".as_bytes());
    }
}

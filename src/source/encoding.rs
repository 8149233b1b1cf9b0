//! Recognises UTF-16 and UTF-32, with or without a byte order mark, and transcodes them to UTF-8.

use crate::chunk::Encoding;

/// How many bytes [`sniff`] looks at, at most.
pub const SNIFF: usize = 1024;

/// The encoding of an object by its first bytes, and the length of its byte order mark.
///
/// Without a mark, text is taken for UTF-16 or UTF-32 when the bytes that are zero in nearly every script that has
/// tokens in it (the high halves of ASCII) are zero, and the others are not.
pub fn sniff(head: &[u8]) -> (Encoding, usize) {
    match head {
        [0xFF, 0xFE, 0, 0, ..] => return (Encoding::Utf32 { big_endian: false }, 4),
        [0, 0, 0xFE, 0xFF, ..] => return (Encoding::Utf32 { big_endian: true }, 4),
        [0xFF, 0xFE, ..] => return (Encoding::Utf16 { big_endian: false }, 2),
        [0xFE, 0xFF, ..] => return (Encoding::Utf16 { big_endian: true }, 2),
        _ => {}
    }
    let head = &head[..head.len().min(SNIFF) / 4 * 4];
    if head.len() < 8 || !head.contains(&0) {
        return (Encoding::Bytes, 0);
    }
    let mut zeros = [0usize; 4];
    for four in head.chunks_exact(4) {
        for (count, &byte) in zeros.iter_mut().zip(four) {
            *count += usize::from(byte == 0);
        }
    }
    let groups = head.len() / 4;
    let (mostly, hardly) = (|count: usize| count * 10 >= groups * 7, |count: usize| count * 10 <= groups);
    let encoding = match zeros.map(|count| (mostly(count), hardly(count))) {
        [(_, true), (true, _), (true, _), (true, _)] => Encoding::Utf32 { big_endian: false },
        [(true, _), (true, _), (true, _), (_, true)] => Encoding::Utf32 { big_endian: true },
        [(_, true), (true, _), (_, true), (true, _)] => Encoding::Utf16 { big_endian: false },
        [(true, _), (_, true), (true, _), (_, true)] => Encoding::Utf16 { big_endian: true },
        _ => Encoding::Bytes,
    };
    (encoding, 0)
}

/// Transcodes as much of `raw` as is whole characters, appends it to `out`, and returns how many bytes of `raw` that
/// took. Whatever is no character becomes U+FFFD, one for each code unit, so that positions can be computed back.
/// At the end of the object (`last`), a cut character becomes U+FFFD too.
pub fn transcode(encoding: Encoding, raw: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
    match encoding {
        Encoding::Bytes => {
            out.extend_from_slice(raw);
            raw.len()
        }
        Encoding::Utf16 { big_endian } => transcode_utf16(big_endian, raw, last, out),
        Encoding::Utf32 { big_endian } => transcode_utf32(big_endian, raw, last, out),
    }
}

/// Whether a byte is plain text: ASCII that is no control character, and what separates words and lines.
pub fn is_plain(byte: &u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

fn push(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn transcode_utf16(big_endian: bool, raw: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
    let unit = |pair: &[u8]| {
        let pair = [pair[0], pair[1]];
        if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    let mut units = raw.chunks_exact(2).map(unit).peekable();
    let mut used = 0;
    while let Some(first) = units.next() {
        let high = (0xD800..0xDC00).contains(&first);
        if high && units.peek().is_none() && !last {
            return used;
        }
        let second = units.next_if(|second| high && (0xDC00..0xE000).contains(second));
        used += if second.is_some() { 4 } else { 2 };
        let decoded = char::decode_utf16([Some(first), second].into_iter().flatten()).next();
        push(out, decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    finish(raw, used, last, out)
}

fn transcode_utf32(big_endian: bool, raw: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
    for four in raw.chunks_exact(4) {
        let four = [four[0], four[1], four[2], four[3]];
        let code = if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
        push(out, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    finish(raw, raw.len() / 4 * 4, last, out)
}

/// What is left of a character that the end of the object cut.
fn finish(raw: &[u8], used: usize, last: bool, out: &mut Vec<u8>) -> usize {
    if last && used < raw.len() {
        push(out, char::REPLACEMENT_CHARACTER);
        return raw.len();
    }
    used
}

/// Bytes that the characters of `text`, which [`transcode`] made, take in the object.
pub fn encoded_len(encoding: Encoding, text: &[u8]) -> u64 {
    match encoding {
        Encoding::Bytes => text.len() as u64,
        Encoding::Utf16 { .. } => 2 * utf16_units(text),
        Encoding::Utf32 { .. } => 4 * std::str::from_utf8(text).map_or(0, |text| text.chars().count()) as u64,
    }
}

/// UTF-16 code units of a text; a sequence of bytes that is no UTF-8 counts as the one U+FFFD that shows for it.
pub fn utf16_units(text: &[u8]) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    text.utf8_chunks()
        .map(|chunk| {
            let valid: usize = chunk.valid().chars().map(char::len_utf16).sum();
            valid as u64 + u64::from(!chunk.invalid().is_empty())
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Bytes => text.as_bytes().to_vec(),
            Encoding::Utf16 { big_endian: true } => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Encoding::Utf16 { big_endian: false } => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf32 { big_endian: true } => text.chars().flat_map(|c| (c as u32).to_be_bytes()).collect(),
            Encoding::Utf32 { big_endian: false } => text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect(),
        }
    }

    const ALL: [Encoding; 4] = [
        Encoding::Utf16 { big_endian: false },
        Encoding::Utf16 { big_endian: true },
        Encoding::Utf32 { big_endian: false },
        Encoding::Utf32 { big_endian: true },
    ];

    #[test]
    fn text_without_a_mark_is_recognised() {
        for encoding in ALL {
            let raw = encode("password = \"hunter2\"\r\nnächste Zeile €\r\n", encoding);
            assert_eq!(sniff(&raw), (encoding, 0));
        }
        assert_eq!(sniff(b"plain text, nothing else"), (Encoding::Bytes, 0));
        assert_eq!(sniff(&[0; 64]), (Encoding::Bytes, 0));
        assert_eq!(sniff(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0"), (Encoding::Bytes, 0));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_whole_in_any_pieces(text in any::<String>(), cut in 1usize..40) {
            for encoding in ALL {
                let raw = encode(&text, encoding);
                let (mut out, mut rest) = (Vec::new(), Vec::new());
                for piece in raw.chunks(cut) {
                    rest.extend_from_slice(piece);
                    let used = transcode(encoding, &rest, false, &mut out);
                    rest.drain(..used);
                }
                transcode(encoding, &rest, true, &mut out);
                prop_assert_eq!(encoded_len(encoding, &out), raw.len() as u64);
                prop_assert_eq!(String::from_utf8(out).unwrap(), text.clone());
            }
        }

        #[test]
        fn any_bytes_transcode_without_panic_and_positions_add_up(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            for encoding in ALL {
                let mut out = Vec::new();
                let used = transcode(encoding, &raw, false, &mut out);
                prop_assert_eq!(encoded_len(encoding, &out), used as u64);
            }
            sniff(&raw);
        }
    }
}

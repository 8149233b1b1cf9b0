//! The source of a macro as Office keeps it, in a compression of its own (MS-OVBA 2.4.1).
//!
//! A module's stream has what the source was compiled to, and behind that the source. Where it begins says another stream, which
//! is compressed, too; every source begins with `Attribute`, and that is looked for instead.

use memchr::memmem;

/// Bytes of a chunk that is not compressed, and of what a compressed one holds at most.
const CHUNK: usize = 4096;

/// The longest stream that a source is looked for in, and the longest source that is made, in bytes. Editors allow 65,534 lines of
/// 1,023 characters; nobody writes so many.
pub(super) const LONGEST: usize = 16 << 20;

/// Whether a stream of that name, with those of the storages that it is in, is a module or what belongs to it.
pub(super) fn is_module(name: &str) -> bool {
    name.rsplit('/').nth(1) == Some("VBA")
}

/// The source in a module's stream, as far as it can be made, and whether that is all of it. `None` if it has none.
pub(super) fn source(stream: &[u8]) -> Option<(Vec<u8>, bool)> {
    let start = memmem::find_iter(stream, b"\0Attribut")
        .filter_map(|at| at.checked_sub(3))
        .find(|at| stream[*at] == 1 && is_chunk(u16::from_le_bytes([stream[at + 1], stream[at + 2]])))?;
    Some(decompressed(&stream[start + 1..]))
}

/// Whether the three bits of a chunk's header that are fixed are what they are to be.
fn is_chunk(header: u16) -> bool {
    header >> 12 & 0b111 == 0b011
}

/// What the chunks hold, and whether all of them could be read. Behind the last one, which is the only one that holds less than 4096
/// bytes, may stand what is left of an older source; it follows as it is.
fn decompressed(mut chunks: &[u8]) -> (Vec<u8>, bool) {
    let (mut source, mut is_last) = (Vec::new(), false);
    while let Some((header, rest)) = chunks.split_first_chunk() {
        let header = u16::from_le_bytes(*header);
        if is_last && !is_chunk(header) {
            break;
        }
        let start = source.len();
        let len = usize::from(header & 0xfff) + 1;
        let chunk = &rest[..len.min(rest.len())];
        let read = is_chunk(header)
            && match header >> 15 {
                0 => {
                    source.extend_from_slice(chunk);
                    true
                }
                _ => decompress(chunk, &mut source),
            };
        if !read || len > rest.len() || source.len() > LONGEST {
            return (source, false);
        }
        is_last = source.len() - start < CHUNK;
        chunks = &rest[len..];
    }
    source.extend_from_slice(chunks);
    (source, is_last || chunks.is_empty())
}

/// Adds what one chunk holds: eight tokens behind each byte that says which of them are copies of what the chunk had before.
fn decompress(chunk: &[u8], source: &mut Vec<u8>) -> bool {
    let start = source.len();
    let mut bytes = chunk.iter().copied();
    while let Some(flags) = bytes.next() {
        for bit in 0..8 {
            let Some(first) = bytes.next() else { return true };
            if flags >> bit & 1 == 0 {
                source.push(first);
            } else {
                let Some(second) = bytes.next() else { return false };
                let token = u16::from_le_bytes([first, second]);
                // The further it is, the more of the sixteen bits say how far back.
                let bits = usize::BITS - (source.len() - start).saturating_sub(1).leading_zeros();
                let bits = bits.clamp(4, 12);
                let (back, len) = (usize::from(token >> (16 - bits)) + 1, usize::from(token & 0xffff >> bits) + 3);
                if back > source.len() - start {
                    return false;
                }
                for _ in 0..len {
                    source.push(source[source.len() - back]);
                }
            }
            if source.len() - start > CHUNK {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of MS-OVBA 3.2.
    #[test]
    fn examples_of_the_specification_are_read() {
        let read = |hex: &str| {
            let bytes = data_encoding::HEXUPPER.decode(hex.replace(' ', "").as_bytes()).unwrap();
            let (text, whole) = decompressed(&bytes[1..]);
            (String::from_utf8(text).unwrap(), whole)
        };
        let plain = "01 19 B0 00 61 62 63 64 65 66 67 68 00 69 6A 6B 6C 6D 6E 6F 70 00 71 72 73 74 75 76 2E";
        assert_eq!(read(plain), ("abcdefghijklmnopqrstuv.".to_owned(), true));
        let normal = "01 2F B0 00 23 61 61 61 62 63 64 65 82 66 00 70 61 67 68 69 6A 01 38 08 61 6B 6C 00 30 6D 6E 6F 70 06 71 \
                      02 70 04 10 72 73 74 75 76 10 77 78 79 7A 00 3C";
        assert_eq!(read(normal), ("#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa".to_owned(), true));
        assert_eq!(read("01 03 B0 02 61 45 00"), ("a".repeat(73), true));
        assert_eq!(read("01 03 B0 02 61 45"), ("a".to_owned(), false));
        assert_eq!(read("01 03 C0 02 61 45 00"), (String::new(), false));
        assert_eq!(read("01 03 B0 01 61 45 00"), (String::new(), false));
        assert_eq!(read("01 03 B0 02 61 45 00 00 41 42"), (format!("{}\0AB", "a".repeat(73)), true));
    }

    /// Compresses, copying the longest stretch that was there before.
    pub(in super::super) fn compressed(text: &[u8]) -> Vec<u8> {
        let mut out = vec![1];
        for chunk in text.chunks(CHUNK) {
            let (mut at, mut tokens) = (0, Vec::new());
            while at < chunk.len() {
                let bits = (0..).find(|bits| 1usize << bits >= at).unwrap().clamp(4, 12);
                let most = ((0xffff >> bits) + 3usize).min(chunk.len() - at);
                let len = |back: usize| (0..most).take_while(|nth| chunk[at + nth] == chunk[at + nth - back]).count();
                match (1..=at.min(1 << bits)).map(|back| (len(back), back)).max().filter(|(len, _)| *len > 2) {
                    Some((len, back)) => {
                        tokens.push((((back - 1) << (16 - bits) | (len - 3)) as u16).to_le_bytes().to_vec());
                        at += len;
                    }
                    None => {
                        tokens.push(vec![chunk[at]]);
                        at += 1;
                    }
                }
            }
            let mut data = Vec::new();
            for eight in tokens.chunks(8) {
                data.push(eight.iter().enumerate().map(|(nth, token)| u8::from(token.len() > 1) << nth).sum());
                data.extend(eight.concat());
            }
            out.extend((0xb000 | (data.len() - 1) as u16).to_le_bytes());
            out.extend(data);
        }
        out
    }

    #[test]
    fn chunks_that_are_not_compressed_are_read() {
        let text = vec![b'x'; CHUNK];
        let chunk = [&0x3fffu16.to_le_bytes()[..], &text].concat();
        assert_eq!(decompressed(&chunk), (text.clone(), true));
        assert_eq!(decompressed(&chunk[..1000]), (text[..998].to_vec(), false));
        let (again, whole) = decompressed(&[&chunk[..], &[0, 0]].concat());
        assert!(again.starts_with(&text) && !whole);
    }

    proptest! {
        #[test]
        fn a_source_comes_back_from_behind_what_it_was_compiled_to(
            before in prop::collection::vec(any::<u8>(), 0..300),
            words in prop::collection::vec(prop::sample::select(vec!["Dim pw As String", "\r\n", "x", " = \"", "Sub ", "aaaa", "é"]), 0..2500),
        ) {
            let text = format!("Attribute VB_Name = \"Module1\"\r\n{}", words.concat());
            let stream = [&before[..], &compressed(text.as_bytes())].concat();
            prop_assert_eq!(source(&stream), Some((text.into_bytes(), true)));
        }

        #[test]
        fn any_bytes_give_no_more_than_their_chunks_hold(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0usize..600) {
            let stream = [&bytes[..at.min(bytes.len())], b"\x01\xff\xb7\0Attribut", &bytes[at.min(bytes.len())..]].concat();
            let (source, _) = source(&stream).unwrap();
            prop_assert!(source.len() <= (stream.len() / 3 + 1) * (2 * CHUNK));
        }
    }
}

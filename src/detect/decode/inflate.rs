//! What stands compressed in decoded bytes.

use std::io::{self, Read};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use lzma_rust2::XzReader;
use memchr::memmem;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::{Layer, Left, Open};

/// What anything may expand to, in bytes, and how many times its size beyond that. JSON and YAML stay below 30.
const FREE: u64 = 4 << 20;
const RATIO: u64 = 200;

/// Most memory an xz block may ask for, in KiB, and the largest window of zstd, in bytes: what `xz -9` and `zstd -19` need.
const XZ_MEMORY: u32 = 96 << 10;
const ZSTD_WINDOW: u64 = 8 << 20;

/// How many compressed layers or archives inside of one are undone.
const NESTED: u8 = 3;

/// So many bytes of a broken stream are not what any bytes decompress to: the two that it is known by are no rare ones.
const LUCK: usize = 64;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inflated {
    pub layer: Layer,
    pub bytes: Vec<u8>,
    /// Why there may be more.
    pub left: Left,
}

/// The content of what looks compressed, as far as it is sound; at most `room` bytes. What is compressed in that is undone, too.
pub(super) fn inflate(packed: &[u8], room: u64, open: Option<Open>) -> Option<Inflated> {
    let mut room = room;
    nested(packed, &mut room, NESTED, open)
}

/// The same with so many layers in it at most. What is made on the way takes of the room, too.
fn nested(packed: &[u8], room: &mut u64, depth: u8, open: Option<Open>) -> Option<Inflated> {
    let mut outer = outermost(packed, room, depth, open)?;
    // The members of an archive were seen to.
    if depth == 0 || is_archive(outer.layer) {
        return Some(outer);
    }
    if let Some(inner) = nested(&outer.bytes, room, depth - 1, open) {
        outer.left = outer.left.max(inner.left);
        outer.bytes = inner.bytes;
    } else if is_tar(&outer.bytes) {
        untar(&mut outer, room, depth - 1, open);
    }
    Some(outer)
}

/// What is outermost is undone. What follows its end is none of it.
fn outermost(packed: &[u8], room: &mut u64, depth: u8, open: Option<Open>) -> Option<Inflated> {
    let layer = layer(packed)?;
    let most = (*room).min(FREE.max(RATIO * packed.len() as u64));
    let (mut bytes, mut left) = (Vec::new(), Left::Nothing);
    let mut rest = packed;
    let ended = match layer {
        // Several streams are one.
        Layer::Gzip => each_stream(packed, most, &mut bytes, &[0x1F, 0x8B, 8], |rest, room, out| {
            GzDecoder::new(rest).take(room).read_to_end(out)
        }),
        Layer::Bzip2 => each_stream(packed, most, &mut bytes, b"BZh", |rest, room, out| {
            bzip2::bufread::BzDecoder::new(rest).take(room).read_to_end(out)
        }),
        Layer::Xz => XzReader::new_mem_limit(packed, false, XZ_MEMORY).take(most).read_to_end(&mut bytes),
        Layer::Zstd => unframed(packed).and_then(|mut stream| (&mut stream).take(most).read_to_end(&mut bytes)),
        Layer::Zip | Layer::SevenZip | Layer::Pdf | Layer::Foreign => {
            left = match open {
                Some(open) if layer != Layer::Foreign => open(packed, most, &mut bytes),
                _ if layer != Layer::Zip => Left::Strange,
                _ => unzip(packed, most, (room, depth, open), &mut bytes),
            };
            Ok(bytes.len())
        }
        _ => ZlibDecoder::new(&mut rest).take(most).read_to_end(&mut bytes),
    };
    *room -= (*room).min(bytes.len() as u64);
    // Broken or cut off: what was sound so far counts.
    let sound = ended.is_ok() || layer != Layer::Zlib || bytes.len() >= LUCK;
    let left = match () {
        () if bytes.len() as u64 == most => Left::TooMuch,
        () if ended.is_err() => left.max(Left::Broken),
        () => left,
    };
    let is_told = is_archive(layer) && left != Left::Nothing;
    (is_told || (sound && !bytes.is_empty())).then_some(Inflated { layer, left, bytes })
}

/// Reads stream behind stream that begins with `magic`.
fn each_stream(
    mut rest: &[u8],
    most: u64,
    out: &mut Vec<u8>,
    magic: &[u8],
    read: impl Fn(&mut &[u8], u64, &mut Vec<u8>) -> io::Result<usize>,
) -> io::Result<usize> {
    while rest.starts_with(magic) && (out.len() as u64) < most {
        read(&mut rest, most - out.len() as u64, out)?;
    }
    Ok(out.len())
}

/// Those whose members are seen to where they are opened.
fn is_archive(layer: Layer) -> bool {
    matches!(layer, Layer::Zip | Layer::SevenZip | Layer::Pdf | Layer::Foreign)
}

/// RFC 1952, RFC 1950, the file formats of zip, xz and bzip2, RFC 8878, and archives and documents by their first bytes.
fn layer(packed: &[u8]) -> Option<Layer> {
    Some(match packed {
        [0x1F, 0x8B, 8, ..] => Layer::Gzip,
        [0x78, second, ..] if (0x7800 + u16::from(*second)).is_multiple_of(31) => Layer::Zlib,
        [b'P', b'K', 3, 4, ..] => Layer::Zip,
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Layer::Xz,
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', ..] => Layer::Bzip2,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Layer::Zstd,
        [b'7', b'z', 0xBC, 0xAF, 0x27, 0x1C, ..] => Layer::SevenZip,
        [b'%', b'P', b'D', b'F', b'-', b'1'..=b'2', b'.', ..] => Layer::Pdf,
        [b'R', b'a', b'r', b'!', 0x1A, 7, ..] | [b'M', b'S', b'C', b'F', 0, 0, 0, 0, ..] => Layer::Foreign,
        _ => return None,
    })
}

/// Whether it is an archive of tar's, by the mark of POSIX and of GNU.
fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Appends what is compressed in the members of an archive of tar's; everything else stands in it as it is.
fn untar(archive: &mut Inflated, room: &mut u64, depth: u8, open: Option<Open>) {
    const BLOCK: usize = 512;
    let (mut at, mut more) = (0, Vec::new());
    while let Some(header) = archive.bytes.get(at..at + BLOCK).filter(|header| header[257..262] == *b"ustar") {
        let digits = header[124..136].iter().skip_while(|byte| **byte == b' ').take_while(|byte| byte.is_ascii_digit());
        let size = digits.fold(0_usize, |size, digit| size.saturating_mul(8).saturating_add(usize::from(digit - b'0')));
        let start = at + BLOCK;
        let content = archive.bytes.get(start..start.saturating_add(size)).unwrap_or_default();
        if let Some(inner) = nested(content, room, depth, open) {
            more.push(b'\n');
            more.extend(inner.bytes);
            archive.left = archive.left.max(inner.left);
        }
        at = start.saturating_add(size.next_multiple_of(BLOCK));
    }
    archive.bytes.append(&mut more);
}

fn unframed(packed: &[u8]) -> io::Result<impl Read> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(ZSTD_WINDOW);
    StreamingDecoder::new_with_decoder(packed, decoder).map_err(io::Error::other)
}

/// The members of a zip archive by their local headers (APPNOTE.TXT 4.3.7), each on lines of its own, as far as they are
/// sound. Says whether there are some that have a password or are compressed otherwise than is usual: these are passed over.
fn unzip(mut rest: &[u8], most: u64, (all, depth, open): (&mut u64, u8, Option<Open>), out: &mut Vec<u8>) -> Left {
    const LOCAL: &[u8] = b"PK\x03\x04";
    const HEADER: usize = 30;
    let number = |at: &[u8]| usize::from(u16::from_le_bytes([at[0], at[1]]));
    let mut left = Left::Nothing;
    while let Some(at) = memmem::find(rest, LOCAL) {
        rest = &rest[at..];
        let Some(header) = rest.get(..HEADER) else { break };
        let (flags, method) = (number(&header[6..]), number(&header[8..]));
        let packed = u32::from_le_bytes([header[18], header[19], header[20], header[21]]) as usize;
        let content = rest.get(HEADER + number(&header[26..]) + number(&header[28..])..).unwrap_or_default();
        let room = most.saturating_sub(out.len() as u64);
        let start = out.len();
        let read = match (flags & 1, method) {
            (0, 0) => {
                let stored = &content[..packed.min(content.len()).min(room as usize)];
                out.extend_from_slice(stored);
                stored.len()
            }
            (0, 8) => {
                let mut stream = DeflateDecoder::new(content);
                // What is broken is read as far as it goes; what follows it is looked for right behind its header.
                (&mut stream).take(room).read_to_end(out).map_or(0, |_| stream.total_in() as usize)
            }
            (locked, _) => {
                left = left.max(if locked == 1 { Left::Locked } else { Left::Strange });
                packed
            }
        };
        if let Some(inner) = depth.checked_sub(1).and_then(|depth| nested(&out[start..], all, depth, open)) {
            left = left.max(inner.left);
            out.truncate(start);
            out.extend(inner.bytes);
        }
        if out.len() as u64 == most {
            break;
        }
        out.push(b'\n');
        rest = content.get(read..).unwrap_or_default();
    }
    left
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &[u8] = b"a line that is compressed, and one more line that is compressed with it";

    #[test]
    fn every_way_is_undone() {
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(TEXT).unwrap();
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default()).unwrap();
        xz.write_all(TEXT).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(TEXT, ruzstd::encoding::CompressionLevel::Fastest);
        let all = [(Layer::Bzip2, bzip2.finish().unwrap()), (Layer::Xz, xz.finish().unwrap()), (Layer::Zstd, zstd)];
        for (layer, packed) in all {
            let unpacked = inflate(&packed, 1 << 20, None).unwrap();
            assert_eq!((unpacked.layer, &unpacked.bytes[..], unpacked.left), (layer, TEXT, Left::Nothing));
            assert_eq!(inflate(&packed, 8, None).unwrap().left, Left::TooMuch, "{layer:?}");
        }
        for level in 1..=9 {
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
            zlib.write_all(TEXT).unwrap();
            assert_eq!(inflate(&zlib.finish().unwrap(), 1 << 20, None).unwrap().bytes, TEXT);
        }
    }

    #[test]
    fn a_zip_archive_is_its_members() {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for method in [zip::CompressionMethod::Deflated, zip::CompressionMethod::Stored] {
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{method:?}"), options).unwrap();
            zip.write_all(TEXT).unwrap();
        }
        let packed = zip.finish().unwrap().into_inner();
        let unpacked = inflate(&packed, 1 << 20, None).unwrap();
        assert_eq!((unpacked.layer, unpacked.bytes), (Layer::Zip, [TEXT, b"\n", TEXT, b"\n"].concat()));
        for len in 0..packed.len() {
            inflate(&packed[..len], 1 << 20, None);
        }
        // The first member broken, locked, and compressed in a way that is not read: the second is read all the same.
        for (at, byte, left) in [(40, 0xFF, Left::Nothing), (6, 1, Left::Locked), (8, 99, Left::Strange)] {
            let mut packed = packed.clone();
            packed[at] = byte;
            let unpacked = inflate(&packed, 1 << 20, None).unwrap();
            assert_eq!(unpacked.left, left);
            assert!(unpacked.bytes.ends_with(&[b"\n", TEXT, b"\n"].concat()), "{left:?}");
        }
    }
}

//! What something is, by its first bytes.

use std::io::{self, Read};

use lzma_rust2::LzmaReader;

use super::{HEAD, Packing, cpio, keys, lz4, payload, pdf, pyc, tar};

/// Objects of git, most of them as what to change in others.
const PACK: Packing =
    Packing::Foreign("packs of git are not read as files; scan their repository with --history, or make one of it");
const BUNDLE: Packing = Packing::Foreign("bundles of git are not read; clone it and scan the clone with --history");

/// The first bytes of each format.
const MAGIC: [(&[u8], Packing); 23] = [
    (b"\x1f\x8b\x08", Packing::Gzip),
    (b"\x28\xb5\x2f\xfd", Packing::Zstd),
    (b"\xfd7zXZ\0", Packing::Xz),
    (b"BZh", Packing::Bzip2),
    (b"\x04\x22\x4d\x18", Packing::Lz4),
    (&lz4::OLD, Packing::Lz4),
    (b"PK\x03\x04", Packing::Zip),
    (b"PK\x05\x06", Packing::Zip),
    (b"PK\x07\x08PK\x03\x04", Packing::Zip),
    (b"!<arch>\n", Packing::Ar),
    (b"070701", Packing::Cpio),
    (b"070702", Packing::Cpio),
    (b"070707", Packing::Cpio),
    (b"\xed\xab\xee\xdb", Packing::Rpm),
    (b"%PDF-", Packing::Pdf),
    (b"SQLite format 3\0", Packing::Sqlite),
    (b"7z\xbc\xaf\x27\x1c", Packing::SevenZip),
    (b"LZIP\x01", Packing::Lzip),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Packing::Ole),
    (b"PACK\0\0\0\x02", PACK),
    (b"PACK\0\0\0\x03", PACK),
    (b"# v2 git bundle\n", BUNDLE),
    (b"# v3 git bundle\n", BUNDLE),
];

/// What `pg_dump -Fc` writes.
const DUMP: Packing =
    Packing::Foreign("custom dumps of PostgreSQL are not read; make text of it: pg_restore -f - FILE | stanch scan -");

/// What compresses and is not read.
macro_rules! foreign {
    ($what:literal) => {
        Packing::Foreign(concat!($what, " are not read; unpack it and scan what is in it"))
    };
}

/// Marks of formats that are not read, and where they stand. None of them begins a text.
const FOREIGN: [(usize, &[u8], Packing); 22] = [
    (0, b"Rar!\x1a\x07", foreign!("rar archives")),
    (0, b"MSCF\0\0\0\0", foreign!("cab archives")),
    (0, b"ISc(", foreign!("cab archives of InstallShield")),
    (0, b"hsqs", foreign!("images of squashfs")),
    (0, b"sqsh", foreign!("images of squashfs")),
    (0, b"\x45\x3d\xcd\x28", foreign!("images of cramfs")),
    (0, b"xar!\0\x1c\0\x01", foreign!("xar archives")),
    (0, b"MSWIM\0\0\0", foreign!("wim images")),
    (0, b"ITSF\x03\0\0\0", foreign!("chm documents")),
    (0, b"\x89LZO\0\r\n\x1a\n", foreign!("files of lzop")),
    (0, b"\xff\x06\0\0sNaPpY", foreign!("streams of snappy")),
    (0, b"LRZI\0", foreign!("files of lrzip")),
    (0, b"zPQ", foreign!("zpaq archives")),
    (0, b"7kSt", foreign!("zpaq archives")),
    (0, b"bvx2", foreign!("streams of LZFSE")),
    (0, b"PAR1", foreign!("files of Parquet")),
    (0, b"Obj\x01", foreign!("files of Avro")),
    (0, b"ORC", foreign!("files of ORC")),
    (0, b"ZWS", foreign!("compressed Flash films")),
    (0, b"PGDMP\x01", DUMP),
    (7, b"**ACE**", foreign!("ace archives")),
    (20, b"\xdc\xa7\xc4\xfd", foreign!("zoo archives")),
];

/// What begins as nothing that is read does, but compresses.
fn foreign(head: &[u8]) -> Option<Packing> {
    /// Bits of the largest code of `compress`.
    const CODES: std::ops::RangeInclusive<u8> = 9..=16;
    let marked = |(at, mark, _): &(usize, &[u8], Packing)| head.get(*at..).is_some_and(|rest| rest.starts_with(mark));
    let found = match head {
        [0x1f, 0x9d, flags, ..] if flags & 0x60 == 0 && CODES.contains(&(flags & 0x1f)) => {
            Some(foreign!("files of compress (.Z)"))
        }
        // The header of the archive itself, its size first.
        [0x60, 0xea, _, 0..=10, 0x1e..=0x30, _, _, _, _, _, 2, ..] => Some(foreign!("arj archives")),
        [_, _, b'-', b'l', b'h' | b'z', b'0'..=b'9' | b'd' | b's' | b'x', b'-', ..] => Some(foreign!("lha archives")),
        _ => FOREIGN.into_iter().find(marked).map(|(.., packing)| packing),
    };
    found.filter(|_| !is_text(head))
}

/// The packing of something that begins with `head`, its first [`HEAD`] bytes or all there are.
pub fn packing(head: &[u8]) -> Option<Packing> {
    let found = MAGIC.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, packing)| packing);
    match found {
        // These begin as text may.
        Some(Packing::Bzip2) => is_bzip2(head).then_some(Packing::Bzip2),
        Some(Packing::Cpio) => cpio::is_cpio(head).then_some(Packing::Cpio),
        None if is_zipapp(head) => Some(Packing::Zip),
        None if pyc::is_pyc(head) => Some(Packing::Pyc),
        None if keys::is_keys(head) => Some(Packing::Keys),
        None if pdf::is_pdf(head) => Some(Packing::Pdf),
        None if cpio::is_binary(head) => Some(Packing::Cpio),
        None if is_skippable(head) => Some(Packing::Zstd),
        None if is_zlib(head) => Some(Packing::Zlib),
        None if is_lzma(head) => Some(Packing::Lzma),
        None => {
            tar::is_tar(head).then_some(Packing::Tar).or_else(|| payload::behind_header(head)).or_else(|| foreign(head))
        }
        found => found,
    }
}

/// A line that names what runs it, then a zip archive (PEP 441).
fn is_zipapp(head: &[u8]) -> bool {
    after_shebang(head).is_some_and(|rest| rest.starts_with(b"PK\x03\x04"))
}

/// What stands behind the line at the start that names what runs it.
fn after_shebang(head: &[u8]) -> Option<&[u8]> {
    head.starts_with(b"#!").then(|| head.splitn(2, |&byte| byte == b'\n').nth(1)).flatten()
}

/// A frame of zstd or lz4 that holds none of the content (RFC 8878, 3.1.2); the first one of what pzstd writes.
pub(super) fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// As many bytes of something as tell how it is packed, if they can be unpacked.
const TOLD: usize = 512;

/// Two bytes that are divisible by 31, and behind them what can be inflated: text may begin with the two. With the usual window little
/// is asked; numbers of any kind begin as smaller ones do, and are rarely deflate to the end of all that is known.
fn is_zlib(head: &[u8]) -> bool {
    const PRESET: u8 = 0x20;
    let [method @ (0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78), flags, rest @ ..] = head else {
        return false;
    };
    if flags & PRESET != 0 || !u16::from_be_bytes([*method, *flags]).is_multiple_of(31) {
        return false;
    }
    let (mut inflate, mut space) = (flate2::Decompress::new(false), vec![0; 8 << 10]);
    // Without the sum at the end, which may be wrong.
    let status = inflate.decompress(rest, &mut space, flate2::FlushDecompress::None);
    let (read, written) = (inflate.total_in() as usize, inflate.total_out() as usize);
    match status {
        Err(_) => false,
        Ok(_) if *method == 0x78 => written >= 8,
        Ok(flate2::Status::StreamEnd) => {
            rest.get(read..) == Some(&zlib_rs::adler32::adler32(1, &space[..written]).to_be_bytes())
        }
        Ok(_) => head.len() >= TOLD && written >= TOLD / 2,
    }
}

/// Whether something may be the start of a text: UTF-8 without what controls nothing that shows text.
pub(super) fn is_text(head: &[u8]) -> bool {
    let controls = |byte: &u8| matches!(byte, 0..=6 | 14..=26 | 28..=31);
    // The last character may be cut.
    let is_utf8 = str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf8 && !head.iter().any(controls)
}

/// A dictionary of a power of two, of one and its half, or of any size, and a size that is not known or no nonsense. Without the usual
/// properties what follows is to be LZMA, too.
fn is_lzma(head: &[u8]) -> bool {
    const USUAL: u8 = 0x5d;
    const PROPERTIES: u8 = 9 * 5 * 5;
    let Some([properties, dictionary @ .., first]) = head.first_chunk::<14>() else { return false };
    let size = u64::from_le_bytes(dictionary[4..].first_chunk().copied().unwrap_or_default());
    let dictionary = u32::from_le_bytes(dictionary.first_chunk().copied().unwrap_or_default());
    let even = dictionary.is_power_of_two()
        || dictionary == u32::MAX
        || (dictionary / 3 * 3 == dictionary && (dictionary / 3).is_power_of_two());
    let sane = *properties < PROPERTIES && dictionary >= 4096 && even && (size == u64::MAX || size < 1 << 38);
    sane && (*properties == USUAL || (*first == 0 && unpacks_as_lzma(&head[13..], size, *properties)))
}

/// Whether it is LZMA to its end, or as far as the head of something goes. Zeros are, but nobody packs them to be so many.
fn unpacks_as_lzma(packed: &[u8], size: u64, properties: u8) -> bool {
    const DICTIONARY: u32 = 64 << 10;
    let zeros = memchr::memchr_iter(0, packed).count();
    let reader = LzmaReader::new_with_props(packed, size, properties, DICTIONARY, None);
    let Some(mut reader) = reader.ok().filter(|_| zeros * 8 <= packed.len()) else { return false };
    reader.set_relaxed_end_condition(false);
    reader.set_defer_errors(true);
    let (mut space, mut written) = (vec![0; 4 << 10], 0);
    while written < DICTIONARY as usize {
        match reader.read(&mut space) {
            Ok(0) => return written > 0,
            Ok(len) => written += len,
            Err(error) => return error.kind() == io::ErrorKind::UnexpectedEof && packed.len() + 13 >= TOLD,
        }
    }
    true
}

/// After the level: the number pi begins a block, the square root of pi an empty stream's end.
fn is_bzip2(head: &[u8]) -> bool {
    let block = head.get(4..10);
    head.get(3).is_some_and(|level| (b'1'..=b'9').contains(level))
        && (block == Some(b"1AY&SY") || block == Some(b"\x17\x72\x45\x38\x50\x90"))
}

/// Whether more bytes may tell what it is.
pub(super) fn is_undecided(head: &[u8]) -> bool {
    MAGIC.iter().any(|(magic, _)| magic.len() > head.len() && magic.starts_with(head))
        || (head.starts_with(b"BZh") && head.len() < 10)
        || after_shebang(head).is_some_and(|rest| rest.len() < 4 && b"PK\x03\x04".starts_with(rest))
        || (head.starts_with(b"ANDROID BACKUP\n") && head.len() < 64)
        // No line of a text. It is not to depend on how it comes what it is.
        || (head.len() < HEAD && !(head.contains(&b'\n') && is_text(head)) && packing(head).is_none())
}

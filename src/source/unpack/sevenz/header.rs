//! What a 7z archive says of itself, as 7-Zip's `DOC/7zFormat.txt` has it. Every number in it is a claim.

use std::io::{self, Read, SeekFrom};
use std::ops::Range;

use super::super::archive::corrupt;
use super::super::contents::Disk;
use super::super::named;
use super::coders;
use super::streams::{Bytes, SIGNATURE, Streams, bit, id, unread};

/// Longest header that is read, packed or not, in bytes: one of 250,000 files with paths of 50 characters.
const HEADER: u64 = 32 << 20;

/// A header may be packed, and what unpacks it may be, too; 7-Zip writes one such layer.
const LAYERS: u8 = 4;

/// All that an archive says of itself.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub streams: Streams,
    bytes: Vec<u8>,
    count: usize,
    names: Range<usize>,
    /// Bits: files without content, and of those the ones that are no directories.
    empty: Range<usize>,
    files: Range<usize>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has a part of a block.
    Content,
    Empty,
    Directory,
}

impl Header {
    /// Reads the header of an archive; that of an empty one has nothing.
    pub fn read(disk: &mut dyn Disk) -> io::Result<Header> {
        let bytes = plain(disk)?;
        if bytes.is_empty() { Ok(Header::default()) } else { Header::parse(bytes) }
    }

    fn parse(bytes: Vec<u8>) -> io::Result<Header> {
        let mut header = Header::default();
        let mut reader = Bytes { bytes: &bytes, at: 1 };
        loop {
            match reader.byte()? {
                id::END => break,
                id::ARCHIVE_PROPERTIES => while reader.property()?.is_some() {},
                id::MAIN_STREAMS => header.streams = reader.streams()?,
                id::FILES => header.files(&mut reader)?,
                other => return Err(unread(&format!("an archive with a header of kind {other}"))),
            }
        }
        header.bytes = bytes;
        let contents = header.entries().filter(|(_, kind)| *kind == Kind::Content).count();
        if contents != header.streams.parts.len() {
            return Err(corrupt("it has not as many contents as files"));
        }
        Ok(header)
    }

    fn files(&mut self, reader: &mut Bytes<'_>) -> io::Result<()> {
        self.count = reader.count(reader.bytes.len())?;
        while let Some((kind, range)) = reader.property()? {
            match u8::try_from(kind).unwrap_or(u8::MAX) {
                id::EMPTY_STREAMS => self.empty = range,
                id::EMPTY_FILES => self.files = range,
                id::NAMES if reader.bytes[range.clone()].first() == Some(&0) => self.names = range.start + 1..range.end,
                id::NAMES => return Err(unread("an archive with its names elsewhere")),
                // Times, attributes, and which of the empty ones stand for something that an update deletes.
                _ => {}
            }
        }
        Ok(())
    }

    /// Name and kind of every file, in their order.
    pub fn entries(&self) -> impl Iterator<Item = (String, Kind)> {
        let (empty, files) = (&self.bytes[self.empty.clone()], &self.bytes[self.files.clone()]);
        let mut names = self.bytes[self.names.clone()].chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let mut nth_empty = 0;
        (0..self.count).map(move |at| {
            let name: Vec<u16> = names.by_ref().take_while(|unit| *unit != 0).collect();
            let name = if name.is_empty() { (at + 1).to_string() } else { String::from_utf16_lossy(&name) };
            if !bit(empty, at) {
                return (name, Kind::Content);
            }
            nth_empty += 1;
            (name, if bit(files, nth_empty - 1) { Kind::Empty } else { Kind::Directory })
        })
    }
}

/// The bytes of a header, unpacked; none for an empty archive.
pub(super) fn plain(disk: &mut dyn Disk) -> io::Result<Vec<u8>> {
    let mut bytes = start(disk)?;
    for _ in 0..LAYERS {
        let mut reader = Bytes { bytes: &bytes, at: 1 };
        match bytes.first() {
            None | Some(&id::HEADER) => return Ok(bytes),
            Some(&id::ENCODED_HEADER) => bytes = unpacked(disk, &reader.streams()?)?,
            Some(_) => return Err(corrupt("its header is none")),
        }
    }
    Err(corrupt("its header is packed too often"))
}

/// The bytes that the signature header points to; none for an empty archive.
fn start(disk: &mut dyn Disk) -> io::Result<Vec<u8>> {
    let mut head = [0; SIGNATURE as usize];
    disk.seek(SeekFrom::Start(0))?;
    disk.read_exact(&mut head).map_err(named)?;
    let number = |range: Range<usize>| head[range].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let (offset, size) = (number(12..20), number(20..28));
    if head[6] != 0 {
        return Err(unread(&format!("7z archives of version {}", head[6])));
    }
    if u64::from(crc32fast::hash(&head[12..])) != number(8..12) {
        return Err(corrupt("the sum of its first header is wrong"));
    }
    if size > HEADER {
        return Err(unread(&format!("its header has {size} bytes, and up to {} MiB are read", HEADER >> 20)));
    }
    let at = offset.checked_add(SIGNATURE).ok_or_else(|| corrupt("its header stands nowhere"))?;
    let mut bytes = Vec::new();
    disk.seek(SeekFrom::Start(at))?;
    (&mut *disk).take(size).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < size {
        return Err(corrupt("it is cut off before its header, or the first part of a set"));
    }
    if u64::from(crc32fast::hash(&bytes)) != number(28..32) {
        return Err(corrupt("the sum of its header is wrong"));
    }
    Ok(bytes)
}

/// A header that is packed.
fn unpacked(disk: &mut dyn Disk, streams: &Streams) -> io::Result<Vec<u8>> {
    let block = streams.blocks.first().ok_or_else(|| corrupt("its header is packed and has no content"))?;
    let size = block.size();
    if size > HEADER {
        return Err(unread(&format!("its header has {size} bytes, and up to {} MiB are read", HEADER >> 20)));
    }
    let mut bytes = Vec::new();
    coders::content(block, &streams.packs, &coders::share(disk))?.take(size).read_to_end(&mut bytes).map_err(named)?;
    match block.sum {
        _ if (bytes.len() as u64) < size => Err(corrupt("its header is cut off")),
        Some(sum) if sum != crc32fast::hash(&bytes) => Err(corrupt("the sum of its header is wrong")),
        _ => Ok(bytes),
    }
}

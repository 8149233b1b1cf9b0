//! Packs: their header and the headers of their entries. Format: gitformat-pack(5).

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use super::fault::Fault;
use super::index::{Index, ObjectFormat};
use super::map::Map;
use crate::origin::{ObjectId, ObjectKind};

/// Bytes before the first entry: `PACK`, version, number of entries.
pub(super) const HEADER: usize = 12;

/// What an entry's bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// An object itself.
    Whole(ObjectKind),
    /// What to change in the object that starts at this offset of the same pack.
    Offset(u64),
    /// What to change in the object of that name, wherever it is.
    Name(ObjectId),
}

/// The header of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes that come out of its zlib stream.
    pub size: u64,
    /// What these are.
    pub link: Link,
    /// Where the zlib stream starts in the pack.
    pub stream: usize,
}

/// A mapped pack and its index.
#[derive(Debug)]
pub(super) struct Pack {
    pub index: Index,
    /// Nothing was wrong with it as a whole.
    pub sound: bool,
    bytes: Map,
    /// Where the entries end: the trailer, or the end of a pack that was cut off.
    end: usize,
    width: usize,
    /// Offsets and rows in the order of offsets, once somebody asks.
    by_offset: OnceLock<Vec<(u64, u32)>>,
}

impl Pack {
    /// Opens a pack. The list holds what is wrong with it as a whole; its entries may be good nevertheless.
    pub(super) fn open(path: &Path, index: Index, format: ObjectFormat) -> Result<(Pack, Vec<&'static str>), String> {
        let bytes = Map::open(path).map_err(|error| error.to_string())?;
        let width = format.width();
        let mut wrong = Vec::new();
        match bytes.first_chunk::<HEADER>() {
            Some([b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, count @ ..]) => {
                // A multi-pack-index may leave entries to other packs.
                if index.pack_checksum.is_some() && u32::from_be_bytes(*count) as usize != index.len() {
                    wrong.push("holds another number of objects than its index");
                }
            }
            Some(_) => return Err("does not start like a pack".into()),
            None => return Err("is too short to be a pack".into()),
        }
        let trailer = bytes.len().checked_sub(width).filter(|at| *at >= HEADER);
        let intact = match (&index.pack_checksum, trailer) {
            (Some(sum), Some(at)) => bytes[at..] == sum[..],
            (_, at) => at.is_some(),
        };
        if !intact {
            wrong.push("does not end with the checksum its index names: cut off, or another pack");
        }
        let end = if intact { trailer.unwrap_or(bytes.len()) } else { bytes.len() };
        Ok((Pack { index, sound: wrong.is_empty(), bytes, end, width, by_offset: OnceLock::new() }, wrong))
    }

    /// The header of the entry at `offset`.
    pub(super) fn header(&self, offset: u64) -> Result<Header, Fault> {
        let at = usize::try_from(offset).ok().filter(|at| (HEADER..self.end).contains(at));
        let at = at.ok_or(Fault::Corrupt("its index points outside of the pack"))?;
        parse_header(&self.bytes[..self.end], at, self.width)
    }

    /// The bytes from `stream` to where the next entry starts, or to the end.
    pub(super) fn stream(&self, stream: usize, next: Option<u64>) -> &[u8] {
        let next = next.map_or(self.end, |next| (next as usize).min(self.end));
        let end = if next > stream { next } else { self.end };
        &self.bytes[stream.min(end)..end]
    }

    /// Whether the entry of a row, which goes from `start` to `end`, is what the index says by its CRC-32, if it says anything.
    pub(super) fn is_intact(&self, row: usize, start: u64, end: u64) -> bool {
        let entry = || self.bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?.min(self.end));
        self.index.sum(row).is_none_or(|sum| entry().is_some_and(|entry| crc32fast::hash(entry) == sum))
    }

    /// The name of the object whose entry starts at `offset`. Sorts the index on first use.
    pub(super) fn id_at(&self, offset: u64) -> Option<ObjectId> {
        let places = self.by_offset.get_or_init(|| {
            let place = |row| (self.index.offset(row).unwrap_or(u64::MAX), row as u32);
            let mut places: Vec<_> = (0..self.index.len()).map(place).collect();
            places.sort_unstable();
            places
        });
        let at = places.binary_search_by_key(&offset, |place| place.0).ok()?;
        self.index.id(places[at].1 as usize)
    }

    /// Where the entries can stand.
    pub(super) fn entries(&self) -> Range<u64> {
        HEADER as u64..self.end as u64
    }
}

/// Reads the header of the entry at `at`: type and size, and for a delta what its base is.
pub(super) fn parse_header(bytes: &[u8], at: usize, width: usize) -> Result<Header, Fault> {
    const SHORT: Fault = Fault::Corrupt("its pack ends within its header");
    let mut rest = bytes.get(at..).unwrap_or_default().iter();
    let mut byte = *rest.next().ok_or(SHORT)?;
    let kind = byte >> 4 & 7;
    let mut size = u64::from(byte & 15);
    let mut shift = 4;
    while byte & 0x80 != 0 {
        byte = *rest.next().ok_or(SHORT)?;
        let bits = u64::from(byte & 0x7f);
        if shift > 57 && bits >> (64 - shift).max(0) != 0 {
            return Err(Fault::Corrupt("claims a size beyond 64 bits"));
        }
        size |= bits << shift;
        shift += 7;
        if shift > 63 && byte & 0x80 != 0 {
            return Err(Fault::Corrupt("claims a size beyond 64 bits"));
        }
    }
    let link = match kind {
        1..=4 => Link::Whole(ObjectKind::ALL[usize::from(kind) - 1]),
        6 => Link::Offset(base_offset(&mut rest, at as u64)?),
        7 => {
            let name = rest.as_slice().get(..width).ok_or(SHORT)?;
            rest = rest.as_slice()[width..].iter();
            Link::Name(ObjectId::from_bytes(name).ok_or(SHORT)?)
        }
        _ => return Err(Fault::Corrupt("is of a type that git does not have")),
    };
    Ok(Header { size, link, stream: bytes.len() - rest.as_slice().len() })
}

/// How far back the base is: seven bits a byte, most significant first, and one added at each step, so that no number
/// has two spellings.
fn base_offset(rest: &mut std::slice::Iter<'_, u8>, at: u64) -> Result<u64, Fault> {
    const BAD: Fault = Fault::Corrupt("its base would stand before the pack");
    let mut back = 0u64;
    loop {
        let byte = *rest.next().ok_or(BAD)?;
        back |= u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
        back = back.checked_add(1).filter(|back| back.leading_zeros() >= 7).ok_or(BAD)? << 7;
    }
    at.checked_sub(back).filter(|base| *base >= HEADER as u64 && back > 0).ok_or(BAD)
}

//! Pack indices: which object stands where in a pack. Versions 1 and 2, and the part of a multi-pack-index that
//! speaks of one pack. Formats: gitformat-pack(5).

use std::sync::{Arc, OnceLock};

use super::map::Map;
use crate::origin::ObjectId;
use data_encoding::HEXLOWER;

/// Entries of a fan-out table: how many names begin with a byte at most that large.
const FANOUT: usize = 256;

/// So many names are looked at one by one.
const FEW: usize = 64;

/// Which hash names the objects of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ObjectFormat {
    /// 20 bytes, nearly everywhere.
    #[default]
    Sha1,
    /// 32 bytes, `extensions.objectFormat = sha256`.
    Sha256,
}

impl ObjectFormat {
    /// Bytes of a name.
    pub fn width(self) -> usize {
        match self {
            ObjectFormat::Sha1 => 20,
            ObjectFormat::Sha256 => 32,
        }
    }

    /// Hex digits of a name.
    pub fn digits(self) -> usize {
        2 * self.width()
    }
}

/// A table of fixed rows somewhere in a file. Checked once to lie within it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub at: usize,
    pub stride: usize,
}

impl Table {
    fn row<'a, const N: usize>(&self, bytes: &'a [u8], row: usize) -> Option<&'a [u8; N]> {
        bytes.get(self.at + row * self.stride..)?.first_chunk()
    }
}

/// The objects of one pack, sorted by name. Rows count from 0.
#[derive(Debug)]
pub(super) struct Index {
    bytes: Arc<Map>,
    width: usize,
    /// Rows of the tables that speak of this pack; all of them, in order, where there is no list.
    rows: Option<Vec<u32>>,
    len: usize,
    names: Table,
    offsets: Table,
    /// 64-bit offsets, for those whose 32-bit one has the top bit set. Version 1 has none.
    large: Option<(Table, usize)>,
    /// The CRC-32 of each entry, as it stands in the pack; only version 2 has it.
    sums: Option<Table>,
    /// The checksum of the pack it was made for; a multi-pack-index does not say.
    pub pack_checksum: Option<Vec<u8>>,
    /// For who asks for many names.
    fan: OnceLock<Fan>,
}

/// A finer fan-out table than that of the file: a row for about every name.
#[derive(Debug)]
struct Fan {
    /// How many bits of a name do not count.
    shift: u32,
    /// The first row whose name begins with that number or a larger one; then how many rows there are.
    firsts: Vec<u32>,
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number of objects by a fan-out table, which must not fall.
pub(super) fn fanout(bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    let mut last = 0;
    for slot in 0..FANOUT {
        let count = be32(bytes, at + 4 * slot).ok_or("is too short for its fan-out table")?;
        if count < last {
            return Err("has a fan-out table that falls");
        }
        last = count;
    }
    Ok(last as usize)
}

impl Index {
    /// Reads an `.idx` of version 1 or 2.
    pub(super) fn parse(bytes: Arc<Map>, format: ObjectFormat) -> Result<Index, &'static str> {
        let index = Self::parse_unchecked(bytes, format)?;
        index.check_order()?;
        Ok(index)
    }

    /// As [`Index::parse`], but does not look at every name: if they are out of order some may not be found.
    pub(super) fn parse_unchecked(bytes: Arc<Map>, format: ObjectFormat) -> Result<Index, &'static str> {
        match bytes.get(..4) {
            Some(b"\xfftOc") if be32(&bytes, 4) == Some(2) => Self::version2(bytes, format.width()),
            Some(b"\xfftOc") => Err("has a version that is not known"),
            _ => Self::version1(bytes, format.width()),
        }
    }

    fn version1(bytes: Arc<Map>, width: usize) -> Result<Index, &'static str> {
        let len = fanout(&bytes, 0)?;
        let stride = 4 + width;
        let end = 4 * FANOUT + len * stride;
        if bytes.len() != end + 2 * width {
            return Err("has another length than its number of objects demands");
        }
        Ok(Index {
            width,
            rows: None,
            len,
            names: Table { at: 4 * FANOUT + 4, stride },
            offsets: Table { at: 4 * FANOUT, stride },
            large: None,
            sums: None,
            pack_checksum: Some(bytes[end..end + width].to_vec()),
            fan: OnceLock::new(),
            bytes,
        })
    }

    fn version2(bytes: Arc<Map>, width: usize) -> Result<Index, &'static str> {
        let len = fanout(&bytes, 8)?;
        let names = 8 + 4 * FANOUT;
        // Name, CRC-32 and 32-bit offset of each object, then 64-bit offsets, then two checksums.
        let large = names + len * (width + 4 + 4);
        let end = bytes.len().checked_sub(2 * width).filter(|end| *end >= large && (end - large).is_multiple_of(8));
        let end = end.ok_or("has another length than its number of objects demands")?;
        Ok(Index {
            width,
            rows: None,
            len,
            names: Table { at: names, stride: width },
            offsets: Table { at: names + len * (width + 4), stride: 4 },
            large: Some((Table { at: large, stride: 8 }, (end - large) / 8)),
            sums: Some(Table { at: names + len * width, stride: 4 }),
            pack_checksum: Some(bytes[end..end + width].to_vec()),
            fan: OnceLock::new(),
            bytes,
        })
    }

    fn check_order(&self) -> Result<(), &'static str> {
        let sorted = (1..self.len).all(|row| self.name(row - 1) < self.name(row));
        if sorted { Ok(()) } else { Err("has names out of order") }
    }

    /// Number of objects.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn table_row(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows[row] as usize)
    }

    /// The raw name of the object in `row`, which must be below `len`.
    pub(super) fn name(&self, row: usize) -> &[u8] {
        let at = self.names.at + self.table_row(row) * self.names.stride;
        self.bytes.get(at..at + self.width).unwrap_or_default()
    }

    /// The name of the object in `row`.
    pub(super) fn id(&self, row: usize) -> Option<ObjectId> {
        ObjectId::from_bytes(self.name(row))
    }

    /// Where the object in `row` stands in the pack; `None` if the index contradicts itself.
    pub(super) fn offset(&self, row: usize) -> Option<u64> {
        let low = u32::from_be_bytes(*self.offsets.row(&self.bytes, self.table_row(row))?);
        match self.large {
            Some((table, len)) if low >> 31 == 1 => {
                let slot = (low & 0x7fff_ffff) as usize;
                let slot = (slot < len).then_some(slot)?;
                Some(u64::from_be_bytes(*table.row(&self.bytes, slot)?))
            }
            _ => Some(u64::from(low)),
        }
    }

    /// The CRC-32 of the entry of the object in `row`, header and all; `None` if the index has none.
    pub(super) fn sum(&self, row: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*self.sums?.row(&self.bytes, self.table_row(row))?))
    }

    /// The file that it is in; several may be in one.
    pub(super) fn file(&self) -> &Arc<Map> {
        &self.bytes
    }

    /// Rows between which a name stands that begins with `wanted`. Names are hashes, evenly spread: a guess is seldom off
    /// by more than the square root of the rows between two known ones. Each probe that is saved is a cache miss.
    fn narrow(&self, wanted: u64) -> (usize, usize) {
        let (mut low, mut high) = (0, self.len);
        let (mut first, mut last) = (0u64, u64::MAX);
        while high - low > 64 && first < last {
            let rows = high - low;
            let share = u128::from(wanted - first) * rows as u128 / (u128::from(last - first) + 1);
            let slack = 2 * rows.isqrt();
            let left = low + (share as usize).saturating_sub(slack);
            let right = (low + share as usize + slack).min(high - 1);
            let (at_left, at_right) = (prefix(self.name(left)), prefix(self.name(right)));
            if at_left < wanted && at_left >= first {
                (low, first) = (left, at_left);
            }
            if at_right > wanted && at_right <= last {
                (high, last) = (right, at_right);
            }
            if high - low > rows / 2 {
                break;
            }
        }
        (low, high)
    }

    /// Makes finding many names faster: about 4 bytes a name, made by looking at all of them.
    pub(super) fn fan_out(&self) {
        self.fan.get_or_init(|| {
            let bits = self.len.next_power_of_two().trailing_zeros().clamp(8, 28);
            let mut firsts = Vec::with_capacity((1 << bits) + 1);
            for row in 0..self.len {
                let key = (prefix(self.name(row)) >> (64 - bits)) as usize;
                if key >= firsts.len() {
                    firsts.resize(key + 1, row as u32);
                }
            }
            firsts.resize((1 << bits) + 1, self.len as u32);
            Fan { shift: 64 - bits, firsts }
        });
    }

    /// Takes out of `wanted` what is here. Looking up many names at a time hides how far away memory is.
    pub(super) fn take_found<T>(&self, wanted: &mut Vec<(ObjectId, T)>) {
        if let Some(fan) = self.fan.get().filter(|_| self.len > 0) {
            let first = |(id, _): &(ObjectId, T)| fan.firsts[(prefix(id.as_bytes()) >> fan.shift) as usize] as usize;
            // None of these reads waits for another one; what they bring is near when it is compared.
            let near = wanted.iter().map(|id| self.name(first(id).min(self.len - 1)).first().copied().unwrap_or(0));
            std::hint::black_box(near.fold(0u8, u8::wrapping_add));
        }
        wanted.retain(|(id, _)| self.find(id).is_none());
    }

    /// The ids from the first on that does not stand before these hex digits.
    pub(super) fn from<'i>(&'i self, digits: &str) -> impl Iterator<Item = ObjectId> + use<'i> {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            match HEXLOWER.encode(self.name(middle)).as_str() < digits {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        (low..self.len).filter_map(|row| self.id(row))
    }

    /// The row of a name.
    pub(super) fn find(&self, id: &ObjectId) -> Option<usize> {
        let name = id.as_bytes();
        if name.len() != self.width {
            return None;
        }
        if let Some(fan) = self.fan.get() {
            let key = (prefix(name) >> fan.shift) as usize;
            let rows = fan.firsts[key] as usize..fan.firsts[key + 1] as usize;
            // Many names can begin alike only if somebody made them so.
            if rows.len() <= FEW {
                return rows.into_iter().find(|row| is_same(self.name(*row), name));
            }
        }
        let (mut low, mut high) = self.narrow(prefix(name));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(name) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Compares names of the same length, those of 20 bytes without a call.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let word = |name: &[u8], at: usize| name.get(at..)?.first_chunk().map(|word| u64::from_ne_bytes(*word));
    let words = |name: &[u8]| (word(name, 0), word(name, 8), word(name, 12));
    match one.len() {
        20 => other.len() == 20 && words(one) == words(other),
        _ => one == other,
    }
}

/// The first eight bytes of a name.
fn prefix(name: &[u8]) -> u64 {
    name.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// A multi-pack-index, version 1.
pub(super) struct MultiIndex {
    bytes: Arc<Map>,
    width: usize,
    len: usize,
    /// File names of the packs, by number.
    pub packs: Vec<String>,
    names: Table,
    offsets: Table,
    large: (Table, usize),
}

impl MultiIndex {
    /// Reads the header and the chunk table of a `multi-pack-index`.
    pub(super) fn parse(bytes: Map, format: ObjectFormat) -> Result<MultiIndex, &'static str> {
        let head: &[u8; 12] = bytes.first_chunk().ok_or("is too short")?;
        let hash = match format {
            ObjectFormat::Sha1 => 1,
            ObjectFormat::Sha256 => 2,
        };
        if &head[..5] != b"MIDX\x01" || head[5] != hash {
            return Err("has a version that is not known");
        }
        let chunk = |name: &[u8; 4]| find_chunk(&bytes, 12, usize::from(head[6]), name);
        let len = fanout(&bytes, chunk(b"OIDF")?.start)?;
        let width = format.width();
        let table = |name: &[u8; 4], stride| {
            let place = chunk(name)?;
            match place.len() >= len * stride {
                true => Ok(Table { at: place.start, stride }),
                false => Err("has a table shorter than its number of objects"),
            }
        };
        let (names, offsets) = (table(b"OIDL", width)?, table(b"OOFF", 8)?);
        let large = chunk(b"LOFF").unwrap_or(0..0);
        let names_of_packs = bytes.get(chunk(b"PNAM")?).unwrap_or_default().split(|byte| *byte == 0);
        let packs: Vec<String> = names_of_packs
            .take(be32(&bytes, 8).unwrap_or(0) as usize)
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        let large = (Table { at: large.start, stride: 8 }, large.len() / 8);
        Ok(MultiIndex { width, len, packs, names, offsets, large, bytes: Arc::new(bytes) })
    }

    /// The part that speaks of the pack of that number. It may lack objects that the pack has: of copies
    /// in several packs a multi-pack-index names one.
    pub(super) fn index(&self, pack: usize) -> Result<Index, &'static str> {
        let of_pack = |row: &u32| be32(&self.bytes, self.offsets.at + 8 * *row as usize) == Some(pack as u32);
        let rows: Vec<u32> = (0..self.len as u32).filter(of_pack).collect();
        let index = Index {
            bytes: Arc::clone(&self.bytes),
            width: self.width,
            len: rows.len(),
            rows: Some(rows),
            names: self.names,
            offsets: Table { at: self.offsets.at + 4, stride: 8 },
            large: Some(self.large),
            sums: None,
            pack_checksum: None,
            fan: OnceLock::new(),
        };
        index.check_order()?;
        Ok(index)
    }
}

/// Where a chunk stands: the table, which begins at `table`, has 12 bytes for each, an id and where it starts; the next one's start is
/// its end.
pub(super) fn find_chunk(
    bytes: &[u8],
    table: usize,
    chunks: usize,
    name: &[u8; 4],
) -> Result<std::ops::Range<usize>, &'static str> {
    for chunk in 0..chunks {
        let at = table + 12 * chunk;
        if bytes.get(at..at + 4) == Some(name) {
            let start = be64(bytes, at + 4).ok_or("is too short for its chunk table")?;
            let end = be64(bytes, at + 16).ok_or("is too short for its chunk table")?;
            if start > end || end > bytes.len() as u64 {
                return Err("has a chunk that does not lie within it");
            }
            return Ok(start as usize..end as usize);
        }
    }
    Err("lacks a table it must have")
}

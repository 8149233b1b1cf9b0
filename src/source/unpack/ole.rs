//! The streams of a compound file of OLE (MS-CFB): sectors of a file, chained by a table. So Office kept its documents in up to 2003,
//! and keeps what has a password, Outlook its messages, Windows Installer its packages.
//!
//! A stream lies in pieces all over the file; what lies in it is cut by whatever stands between. Every number is a claim: a sector
//! belongs to one stream, and to what it was found for first.

use std::collections::HashSet;
use std::io::{self, Read, SeekFrom};
use std::ops::{ControlFlow, Range};

use super::Error;
use super::archive::{Member, Visit, corrupt};
use super::contents::{Broken, Disk};

mod vba;

/// Bytes of the header that is read, and of an entry of the directory.
const HEADER: usize = 512;
const ENTRY: usize = 128;

/// Bits of the offset in a sector of the mini stream, which has all that is shorter than [`CUTOFF`].
const MINI: u32 = 6;
const CUTOFF: u64 = 4096;

/// Most sectors of a file whose streams are read: 32 GiB in sectors of 512 bytes.
const SECTORS: u64 = 1 << 26;

/// Longest directory that is read, in bytes.
const DIRECTORY: u64 = 64 << 20;

/// From here on a number of a sector says that there is none.
const NONE: u32 = 0xffff_fffa;

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Which sectors are taken: who asks for one again, or for one that is not there, gets none.
struct Taken(Vec<bool>);

impl Taken {
    fn take(&mut self, sector: u32) -> bool {
        self.0.get_mut(sector as usize).is_some_and(|taken| !std::mem::replace(taken, true))
    }

    /// The sectors of a chain, from its first one on, at most so many.
    fn chain(&mut self, table: &[u32], first: u32, most: u64) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut next = first;
        while (chain.len() as u64) < most && self.take(next) {
            chain.push(next);
            next = table.get(next as usize).copied().unwrap_or(NONE);
        }
        chain
    }
}

/// An entry of the directory.
struct Entry {
    name: String,
    kind: u8,
    first: u32,
    size: u64,
    /// The entries before and behind it in its storage, and one that is in it.
    links: [u32; 3],
}

/// Kinds of entries.
const STREAM: u8 = 2;
const ROOT: u8 = 5;

impl Entry {
    /// `None` for a place that has none.
    fn read(bytes: &[u8], is_small: bool) -> Option<Self> {
        let units = bytes[..64].chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        // Control characters begin the names that the format gives itself.
        let name = String::from_utf16_lossy(&units).replace(char::is_control, "");
        let size = u64::from(long(bytes, 120)) | if is_small { 0 } else { u64::from(long(bytes, 124)) << 32 };
        let links = [long(bytes, 68), long(bytes, 72), long(bytes, 76)];
        matches!(bytes[66], 1 | STREAM | ROOT).then(|| Entry {
            name,
            kind: bytes[66],
            first: long(bytes, 116),
            size,
            links,
        })
    }
}

/// A stream and where its bytes stand in the file.
pub(super) struct Stream {
    pub name: String,
    pub places: Vec<Range<u64>>,
    /// Its chain ends before its size is reached.
    is_cut: bool,
}

/// What a compound file says of itself.
struct Compound<'d> {
    disk: &'d mut dyn Disk,
    /// Bits of the offset in a sector.
    shift: u32,
    /// Sectors behind the header, the last one perhaps in part.
    sectors: u64,
    table: Vec<u32>,
    taken: Taken,
}

/// All streams of a compound file, in the order of its directory.
pub(super) fn streams(disk: &mut dyn Disk) -> io::Result<Vec<Stream>> {
    let (mut file, header) = Compound::open(disk)?;
    let directory = file.chain_of(long(&header, 48), DIRECTORY >> file.shift);
    let directory = file.bytes(&directory)?;
    let is_small = short(&header, 26) < 4;
    let mut entries = directory.chunks_exact(ENTRY).map(|bytes| Entry::read(bytes, is_small)).collect::<Vec<_>>();
    let minis = file.chain_of(long(&header, 60), file.sectors);
    let minis = file.words(&minis)?;
    let root = entries.iter().flatten().find(|entry| entry.kind == ROOT);
    let (first, size) = root.map_or((NONE, 0), |root| (root.first, root.size));
    let most = size.div_ceil(1 << file.shift);
    let container = file.chain_of(first, most);
    let taken = Taken(vec![false; container.len() << (file.shift - MINI)]);
    let container = Container { sectors: container, shift: file.shift, table: minis, taken };
    name_by_storage(&mut entries);
    let streams = entries.into_iter().flatten().filter(|entry| entry.kind == STREAM);
    Ok(file.places(streams, container))
}

impl<'d> Compound<'d> {
    /// Reads the header and the table of sectors.
    fn open(disk: &'d mut dyn Disk) -> io::Result<(Self, [u8; HEADER])> {
        let size = disk.seek(SeekFrom::End(0))?;
        let mut header = [0; HEADER];
        disk.seek(SeekFrom::Start(0))?;
        disk.read_exact(&mut header).map_err(|_| corrupt("cut off in the header of a compound file"))?;
        let shift = u32::from(short(&header, 30));
        if !matches!(shift, 9 | 12) || short(&header, 28) != 0xfffe || short(&header, 32) != MINI as u16 {
            return Err(corrupt("the header of a compound file says what cannot be"));
        }
        let sectors = size.div_ceil(1 << shift).saturating_sub(1);
        if sectors > SECTORS {
            return Err(io::Error::other(Error::Unsupported("a compound file with so much in it".to_owned())));
        }
        let mut file =
            Compound { disk, shift, sectors, table: Vec::new(), taken: Taken(vec![false; sectors as usize]) };
        file.read_table(&header)?;
        Ok((file, header))
    }

    /// Reads the table, whose sectors stand in the header and in a list that goes on in others.
    fn read_table(&mut self, header: &[u8; HEADER]) -> io::Result<()> {
        let mut list: Vec<u32> = header[76..].chunks_exact(4).map(|four| long(four, 0)).collect();
        let mut next = long(header, 68);
        while self.taken.take(next) {
            let mut more = self.words(&[next])?;
            next = more.pop().unwrap_or(NONE);
            list.extend(more);
        }
        list.retain(|sector| self.taken.take(*sector));
        self.table = self.words(&list)?;
        self.table.truncate(self.sectors as usize);
        Ok(())
    }

    fn chain_of(&mut self, first: u32, most: u64) -> Vec<u32> {
        self.taken.chain(&self.table, first, most.min(self.sectors))
    }

    fn bytes(&mut self, sectors: &[u32]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for sector in sectors {
            self.disk.seek(SeekFrom::Start((u64::from(*sector) + 1) << self.shift))?;
            (&mut *self.disk).take(1 << self.shift).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn words(&mut self, sectors: &[u32]) -> io::Result<Vec<u32>> {
        Ok(self.bytes(sectors)?.chunks_exact(4).map(|four| long(four, 0)).collect())
    }

    /// Where the streams stand.
    fn places(&mut self, entries: impl Iterator<Item = Entry>, mut small: Container) -> Vec<Stream> {
        let stream = |Entry { name, first, size, .. }: Entry| {
            let mut places = Vec::new();
            let mut left = size;
            let (unit, chain) = match size < CUTOFF {
                true => (1 << MINI, small.taken.chain(&small.table, first, size.div_ceil(1 << MINI))),
                false => (1 << self.shift, self.chain_of(first, size.div_ceil(1 << self.shift))),
            };
            for sector in chain {
                let start = match size < CUTOFF {
                    true => small.place(sector),
                    false => Some((u64::from(sector) + 1) << self.shift),
                };
                let Some(start) = start else { break };
                let len = left.min(unit);
                left -= len;
                match places.last_mut() {
                    Some(Range { end, .. }) if *end == start => *end += len,
                    _ => places.push(start..start + len),
                }
            }
            Stream { name, places, is_cut: left > 0 }
        };
        entries.map(stream).collect()
    }
}

/// The stream that holds short ones.
struct Container {
    sectors: Vec<u32>,
    shift: u32,
    table: Vec<u32>,
    taken: Taken,
}

impl Container {
    fn place(&self, mini: u32) -> Option<u64> {
        let at = u64::from(mini) << MINI;
        let sector = self.sectors.get((at >> self.shift) as usize)?;
        Some(((u64::from(*sector) + 1) << self.shift) + at % (1 << self.shift))
    }
}

/// Puts the names of the storages that they are in before those of entries. Entries that nothing leads to keep theirs.
fn name_by_storage(entries: &mut [Option<Entry>]) {
    /// Longest name that is made, in bytes.
    const LONGEST: usize = 1024;
    let mut open = vec![(0, String::new())];
    let mut seen = HashSet::new();
    while let Some((at, storage)) = open.pop() {
        let Some(Some(entry)) = entries.get_mut(at as usize) else { continue };
        if !seen.insert(at) {
            continue;
        }
        let [before, behind, inside] = entry.links;
        if entry.kind != ROOT && storage.len() < LONGEST {
            entry.name = format!("{storage}{}", entry.name);
        }
        let own = if entry.kind == ROOT { String::new() } else { format!("{}/", entry.name) };
        open.extend([(before, storage.clone()), (behind, storage), (inside, own)]);
    }
}

/// Shows every stream; of one that has a password, only that, and of a macro its source.
pub(super) fn members(disk: &mut dyn Disk, streams: &[Stream], visit: &mut Visit<'_>) -> io::Result<()> {
    for stream in streams {
        let member = Member { name: stream.name.clone() };
        let mut content = Content { disk: &mut *disk, stream, piece: 0, at: 0 };
        let is_module = vba::is_module(&stream.name);
        let most = if is_module { vba::LONGEST } else { HEADER };
        let mut head = Vec::new();
        let begun = (&mut content).take(most as u64).read_to_end(&mut head);
        let source = is_module.then(|| vba::source(&head)).flatten();
        let flow = match (begun, source) {
            (Ok(_), Some((source, true))) => visit(&member, Ok(&mut source.as_slice())),
            (Ok(_), Some((source, false))) => {
                let broken = Broken(Some(corrupt("the source of a macro is broken")));
                visit(&member, Ok(&mut source.as_slice().chain(&head[..]).chain(content).chain(broken)))
            }
            _ if is_encrypted(&stream.name, &head) => visit(&member, Err(io::Error::other(Error::Encrypted))),
            (Ok(_), None) => visit(&member, Ok(&mut head.as_slice().chain(content))),
            (Err(_), _) => {
                let mut content = Content { disk: &mut *disk, stream, piece: 0, at: 0 };
                visit(&member, Ok(&mut content))
            }
        };
        if matches!(flow, ControlFlow::Break(())) {
            break;
        }
    }
    Ok(())
}

/// Whether a stream that begins so is one of a document that has a password.
fn is_encrypted(name: &str, head: &[u8]) -> bool {
    /// Records of a workbook: its beginning, and what says how it is encrypted (MS-XLS 2.4.21, 2.4.117).
    const FILE_PASS: u16 = 0x2f;
    const ENCRYPTED: u16 = 0x100;
    match name {
        "EncryptedPackage" | "EncryptedSummary" | "EncryptionInfo" => true,
        "WordDocument" => head.starts_with(&[0xec, 0xa5]) && head.len() > 12 && short(head, 10) & ENCRYPTED != 0,
        "Workbook" | "Book" => {
            let mut rest = head;
            while let Some((&[a, b, c, d], behind)) = rest.split_first_chunk() {
                if u16::from_le_bytes([a, b]) == FILE_PASS {
                    return true;
                }
                rest = behind.get(usize::from(u16::from_le_bytes([c, d]))..).unwrap_or_default();
            }
            false
        }
        _ => false,
    }
}

/// A stream while it is read.
struct Content<'c> {
    disk: &'c mut dyn Disk,
    stream: &'c Stream,
    piece: usize,
    at: u64,
}

impl Read for Content<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while let Some(place) = self.stream.places.get(self.piece).filter(|_| !space.is_empty()) {
            let start = place.start + self.at;
            if start >= place.end {
                (self.piece, self.at) = (self.piece + 1, 0);
                continue;
            }
            let most = usize::try_from(place.end - start).unwrap_or(usize::MAX).min(space.len());
            self.disk.seek(SeekFrom::Start(start))?;
            return match self.disk.read(&mut space[..most])? {
                0 => Err(corrupt("it is cut off")),
                len => {
                    self.at += len as u64;
                    Ok(len)
                }
            };
        }
        if self.stream.is_cut && !space.is_empty() { Err(corrupt("its chain of sectors is broken")) } else { Ok(0) }
    }
}

/// What tests and fuzz targets read of a compound file: names and contents of its streams.
#[cfg(any(test, feature = "fuzzing"))]
pub fn read(file: &[u8]) -> Vec<(String, Vec<u8>, bool)> {
    let mut disk = io::Cursor::new(file);
    let (mut seen, all) = (Vec::new(), streams(&mut disk).unwrap_or_default());
    let shown = members(&mut disk, &all, &mut |member, content| {
        let mut bytes = Vec::new();
        let whole = content.is_ok_and(|content| content.read_to_end(&mut bytes).is_ok());
        seen.push((member.name.clone(), bytes, whole));
        ControlFlow::Continue(())
    });
    assert!(shown.is_ok() || all.is_empty(), "no disk fails");
    seen
}

#[cfg(test)]
mod tests;

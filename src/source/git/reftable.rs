//! Turns a stack of reftables into references and the lines of reflogs. Format: git's Documentation/technical/reftable.adoc,
//! versions 1 and 2. Only read, and from end to end, without the indices in it: who scans wants all.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::index::ObjectFormat;
use super::inflate::{Stream, plausible};
use super::map;
use super::rest::Rest;
use crate::coverage::{Skip, Why};
use crate::origin::Origin;

/// So often the list is read again when a table on it is gone: another process may have merged it into the next.
const ATTEMPTS: usize = 8;

/// Bytes of a header of version 1; one of version 2 has the hash's name behind them.
const HEADER: usize = 24;

/// What stands behind the header in the footer, without the checksum: five positions.
const POSITIONS: usize = 40;

/// Most bytes of reflogs that are read. Deflated they are a thousandth of that.
const MAX_LOG: usize = 256 << 20;

/// What a stack of tables says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stack {
    /// By name: an id in hex, or `ref: NAME`.
    pub references: BTreeMap<String, String>,
    /// A line for each change of a reference: its name, who made it, and why.
    pub log: String,
    /// What could not be read.
    pub skips: Vec<Skip>,
}

/// What of a stack is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    References,
    Log,
}

/// Whether the references of a git directory are kept in tables.
pub(super) fn is_at(git_dir: &Path) -> bool {
    directory(git_dir).is_dir()
}

/// The stack of a git directory.
pub(super) fn directory(git_dir: &Path) -> PathBuf {
    git_dir.join("reftable")
}

/// Reads the tables of a git directory, the oldest first.
pub(super) fn read(git_dir: &Path, part: Part) -> Stack {
    let directory = directory(git_dir);
    for attempt in 1.. {
        match attempt_to_read(&directory, part) {
            Ok(stack) => return stack,
            Err((_, error)) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {}
            Err((path, error)) => {
                let skips = vec![skip(&path, Why::ReadError, &error.to_string())];
                return Stack { skips, ..Stack::default() };
            }
        }
    }
    Stack::default()
}

fn attempt_to_read(directory: &Path, part: Part) -> Result<Stack, (PathBuf, io::Error)> {
    let mut stack = Stack::default();
    let list = directory.join("tables.list");
    let names = map::read(&list).map_err(|error| (list.clone(), error))?;
    let names = String::from_utf8_lossy(&names);
    let is_table = |entry: io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|it| it == "ref"))
    };
    if names.trim().is_empty() && std::fs::read_dir(directory).is_ok_and(|mut entries| entries.any(is_table)) {
        stack.skips.push(skip(&list, Why::CorruptObject, "names none of the tables beside it"));
    }
    for name in names.lines() {
        if name.contains(['/', '\\']) {
            stack.skips.push(skip(&list, Why::CorruptObject, "names a table that is elsewhere"));
            continue;
        }
        let path = directory.join(name);
        let bytes = map::read(&path).map_err(|error| (path.clone(), error))?;
        if let Err(what) = stack.add(&bytes, part) {
            stack.skips.push(skip(&path, Why::CorruptObject, what));
        }
    }
    Ok(stack)
}

fn skip(path: &Path, why: Why, detail: &str) -> Skip {
    Skip { origin: Origin::File { path: path.to_owned(), tracking: None }, why, detail: detail.to_owned() }
}

impl Stack {
    /// Adds a table that is newer than those before. One that is broken is believed up to there.
    pub(super) fn add(&mut self, bytes: &[u8], part: Part) -> Result<(), &'static str> {
        let table = Table::parse(bytes)?;
        match part {
            Part::References => table.references(&mut |name, value| {
                let name = String::from_utf8_lossy(name).into_owned();
                match value {
                    Some(value) => self.references.insert(name, value),
                    None => self.references.remove(&name),
                };
            }),
            Part::Log => {
                table.log(&mut |line| {
                    if self.log.len() <= MAX_LOG {
                        self.log += line.trim_end();
                        self.log.push('\n');
                    }
                })?;
                if self.log.len() <= MAX_LOG {
                    Ok(())
                } else {
                    Err("holds more of reflogs than 256 MiB; the rest was not read")
                }
            }
        }
    }
}

/// One file of a stack.
struct Table<'t> {
    bytes: &'t [u8],
    /// Length of the header.
    header: usize,
    /// Where a block begins when it does not follow the one before: at multiples of that; 0 if all follow.
    block_size: usize,
    format: ObjectFormat,
    /// Where the blocks of references end.
    references: usize,
    /// Where the blocks of reflogs begin and end.
    log: (usize, usize),
}

const ENDS_EARLY: &str = "ends within a record";

impl<'t> Table<'t> {
    fn parse(bytes: &'t [u8]) -> Result<Table<'t>, &'static str> {
        let is_other = "does not begin like a reftable of version 1 or 2";
        let mut rest = Rest(bytes);
        let (magic, version) = (rest.take(4), rest.u32().ok_or(is_other)?);
        let (version, block_size) = (version >> 24, (version & 0x00ff_ffff) as usize);
        let hash = rest.take(16).and_then(|_| if version == 2 { rest.take(4) } else { Some(b"sha1") });
        let (header, format) = match (magic, version, hash) {
            (Some(b"REFT"), 1, Some(_)) => (HEADER, ObjectFormat::Sha1),
            (Some(b"REFT"), 2, Some(b"sha1")) => (HEADER + 4, ObjectFormat::Sha1),
            (Some(b"REFT"), 2, Some(b"s256")) => (HEADER + 4, ObjectFormat::Sha256),
            _ => return Err(is_other),
        };
        let footer = bytes.len().checked_sub(header + POSITIONS + 4).filter(|at| *at >= header).ok_or("is cut off")?;
        let (told, checksum) = bytes[footer..].split_at(header + POSITIONS);
        if told[..header] != bytes[..header] || crc32fast::hash(told).to_be_bytes() != checksum {
            return Err("its footer is not what its checksum says");
        }
        let mut positions = Rest(&told[header..]);
        let mut position = || positions.u64().and_then(|at| usize::try_from(at).ok()).ok_or(ENDS_EARLY);
        let (index, objects, objects_index) = (position()?, position()? >> 5, position()?);
        let (mut log, log_index) = (position()?, position()?);
        let first = |positions: &[usize]| positions.iter().copied().filter(|at| *at > 0).min().unwrap_or(footer);
        let mut references = first(&[index, objects, objects_index, log, log_index, footer]).min(footer);
        let mut log_end = first(&[log_index, footer]).min(footer);
        match bytes[header] {
            // All of it is a log; its position is then left out.
            b'g' => references = 0,
            _ if log == 0 => log_end = 0,
            _ => {}
        }
        if references <= header {
            references = 0;
        }
        log = log.min(log_end);
        Ok(Table { bytes, header, block_size, format, references, log: (log, log_end) })
    }

    /// Tells of each reference: what it is set to, or that it is removed.
    fn references(&self, tell: &mut dyn FnMut(&[u8], Option<String>)) -> Result<(), &'static str> {
        let mut at = 0;
        while at < self.references {
            let (head, len) = self.block(at, self.references, b'r')?;
            let block = self.bytes[at..self.references].get(..len).ok_or("a block goes on where the next one is")?;
            records(block, head, &mut |name, kind, rest| {
                rest.offset()?;
                let value = match kind {
                    0 => None,
                    1 | 2 => Some(rest.id(self.format)?.to_string()),
                    3 => Some(format!("ref: {}", String::from_utf8_lossy(text(rest)?))),
                    _ => return None,
                };
                if kind == 2 {
                    rest.id(self.format)?;
                }
                tell(name, value);
                Some(())
            })?;
            let is_padded = self.bytes.get(at + len) == Some(&0) && len < self.block_size;
            at += if is_padded { self.block_size } else { len };
        }
        Ok(())
    }

    /// Tells of each line of a reflog.
    fn log(&self, tell: &mut dyn FnMut(&str)) -> Result<(), &'static str> {
        let (mut at, end) = self.log;
        while at < end {
            let (head, len) = self.block(at, end, b'g')?;
            let packed = self.bytes.get(at + head..end).ok_or(ENDS_EARLY)?;
            plausible(packed.len(), len as u64).map_err(|_| "claims a size that its bytes cannot hold")?;
            let mut block = vec![0; len];
            let mut stream = Stream::new(packed);
            stream.read_exact(&mut block[head..]).map_err(|_| "the zlib stream of a log is broken")?;
            // The end of the stream is behind its last byte.
            stream.read(&mut [0]).ok().filter(|more| *more == 0).ok_or("a log is longer than it says")?;
            records(&block, head, &mut |key, kind, rest| {
                match kind {
                    0 => {}
                    1 => tell(&self.line(key, rest)?),
                    _ => return None,
                }
                Some(())
            })?;
            at += head + stream.consumed();
        }
        Ok(())
    }

    fn line(&self, key: &[u8], rest: &mut Rest<'_>) -> Option<String> {
        let name = key.split(|byte| *byte == 0).next()?;
        // What it was before, and what it was then.
        rest.id(self.format)?;
        rest.id(self.format)?;
        let (who, mail, _time, _zone, why) = (text(rest)?, text(rest)?, rest.offset()?, rest.u16()?, text(rest)?);
        let [name, who, mail, why] = [name, who, mail, why].map(String::from_utf8_lossy);
        Some(format!("{name} {who} <{mail}>\t{why}"))
    }

    /// How long the head of a block is, that of the file included, and how long the block says that it is (from the same place).
    fn block(&self, at: usize, end: usize, kind: u8) -> Result<(usize, usize), &'static str> {
        let head = if at == 0 { self.header } else { 0 };
        let said = self.bytes[..end].get(at + head..).and_then(|bytes| bytes.first_chunk::<4>()).ok_or(ENDS_EARLY)?;
        let len = (u32::from_be_bytes(*said) & 0x00ff_ffff) as usize;
        let head = head + 4;
        match said[0] == kind && len > head {
            true => Ok((head, len)),
            false => Err("holds no block of its kind where one should be"),
        }
    }
}

/// A text behind its length.
fn text<'b>(rest: &mut Rest<'b>) -> Option<&'b [u8]> {
    let len = rest.offset()?;
    rest.take(len)
}

/// Takes a record: its key, what follows (three bits), and the bytes from there, of which it takes those that belong to the record.
type Tell<'t> = dyn FnMut(&[u8], usize, &mut Rest<'_>) -> Option<()> + 't;

/// Tells of each record of a block.
fn records(block: &[u8], head: usize, tell: &mut Tell<'_>) -> Result<(), &'static str> {
    // At the end: places at which a key stands as a whole, and how many.
    let count = block.last_chunk::<2>().map_or(0, |count| usize::from(u16::from_be_bytes(*count)));
    let end = block.len().checked_sub(2 + 3 * count).ok_or(ENDS_EARLY)?;
    let mut rest = Rest(block.get(head..end).ok_or(ENDS_EARLY)?);
    let mut key = Vec::new();
    while !rest.0.is_empty() {
        record(&mut rest, &mut key, tell).ok_or(ENDS_EARLY)?;
    }
    Ok(())
}

fn record(rest: &mut Rest<'_>, key: &mut Vec<u8>, tell: &mut Tell<'_>) -> Option<()> {
    let (shared, own) = (rest.offset()?, rest.offset()?);
    let suffix = rest.take(own >> 3)?;
    if shared > key.len() {
        return None;
    }
    key.truncate(shared);
    key.extend_from_slice(suffix);
    tell(key, own & 7, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::deflate;
    use super::*;

    /// A block of records: name, kind of value, and what stands behind the name.
    fn block(kind: u8, records: &[(&str, usize, &[u8])], header: usize) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value, more) in records {
            body.extend([0, ((name.len() << 3) | value) as u8]);
            body.extend(name.as_bytes());
            body.extend(*more);
        }
        body.extend([0, 0, 4, 0, 1]);
        let len = (body.len() + 4 + header) as u32;
        [&[kind][..], &len.to_be_bytes()[1..], &body].concat()
    }

    fn table(version: u8, blocks: &[u8], log: u64) -> Vec<u8> {
        let mut head = [b"REFT", &[version, 0, 16, 0][..], &[0; 16]].concat();
        if version == 2 {
            head.extend(b"s256");
        }
        let mut footer = head.clone();
        footer.extend([0; 24]);
        footer.extend(log.to_be_bytes());
        footer.extend([0; 8]);
        footer.extend(crc32fast::hash(&footer).to_be_bytes());
        [head, blocks.to_vec(), footer].concat()
    }

    fn stack(tables: &[Vec<u8>], part: Part) -> (Stack, Vec<&'static str>) {
        let mut stack = Stack::default();
        let faults = tables.iter().filter_map(|table| stack.add(table, part).err()).collect();
        (stack, faults)
    }

    #[test]
    fn a_newer_table_has_the_last_word() {
        let id = |byte: u8| [&[0][..], &[byte; 20]].concat();
        let (one, two) = (id(1), id(2));
        let old = block(
            b'r',
            &[("HEAD", 3, b"\0\x0frefs/heads/main"), ("refs/heads/a", 1, &one), ("refs/heads/main", 1, &one)],
            24,
        );
        let new = block(b'r', &[("refs/heads/a", 0, b"\0"), ("refs/heads/main", 1, &two)], 24);
        let (found, faults) = stack(&[table(1, &old, 0), table(1, &new, 0)], Part::References);
        assert!(faults.is_empty(), "{faults:?}");
        let said: Vec<(&str, &str)> = found.references.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(said, [("HEAD", "ref: refs/heads/main"), ("refs/heads/main", &"02".repeat(20)[..])]);
    }

    #[test]
    fn what_is_not_a_table_is_said() {
        let good = table(1, &block(b'r', &[("HEAD", 3, b"\0\x01x")], 24), 0);
        for (at, what) in [(0, "begin"), (good.len() - 1, "checksum"), (24, "kind"), (29, "record")] {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            let (_, faults) = stack(&[bad], Part::References);
            assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
        }
        assert_eq!(stack(&[good[..60].to_vec()], Part::References).1, ["is cut off"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fall(
            body in prop::collection::vec(any::<u8>(), 0..300), version in 1..3_u8, log in 0..400_u64,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let id = [&[0][..], &[7; 20]].concat();
            let records: [(&str, usize, &[u8]); 3] = [("HEAD", 3, b"\0\x01x"), ("refs/heads/a", 1, &id), ("refs/heads/b", 0, b"\0")];
            let mut blocks = [block(b'r', &records, 24), block(b'r', &records[1..], 0)].concat();
            let line = [&[0; 40][..], b"\x01n\x01m\x01\0\0\x03why"].concat();
            let at = 24 + blocks.len() as u64;
            let log_block = block(b'g', &[("refs/heads/a\0~", 1, &line[..])], 0);
            blocks.extend([&log_block[..4], &deflate(&log_block[4..])].concat());
            let good = table(1, &blocks, at);
            let (found, faults) = stack(std::slice::from_ref(&good), Part::Log);
            prop_assert_eq!((found.log.as_str(), faults), ("refs/heads/a n <m>\twhy\n", vec![]));
            for (place, byte) in changes {
                let place = place.index(blocks.len());
                blocks[place] = byte;
            }
            let tables = [body.clone(), table(version, &body, log), table(1, &blocks, at), table(1, &blocks, log)];
            for part in [Part::References, Part::Log] {
                stack(&tables, part);
            }
        }
    }
}

//! The members of a 7z archive. What it is made of stands at its end, so it is read from any place.
//!
//! sevenz-rust2 (0.24.2) is not used: it unpacks a packed header to any size that the header claims, keeps 150 bytes for each
//! file that one byte of it may claim, panics at coders with no input, and takes a block that ends early for a whole one. Its
//! writer makes archives for the tests.

use std::io::{self, Read};
use std::ops::ControlFlow;

mod coders;
mod header;
mod streams;
#[cfg(test)]
mod tests;

use super::archive::{Member, Visit, corrupt};
use super::beside::{HEADERS, Headers};
use super::contents::Disk;
use super::{Error, named};
use header::{Header, Kind};
use streams::Part;

/// Shows every file of a 7z archive with its content, block by block; then those that have none, and all names. `visit` reads a content to
/// its end, since the next one stands behind it; where it does not, the rest of the block is not read.
pub(super) fn members(disk: &mut dyn Disk, visit: &mut Visit<'_>) -> io::Result<()> {
    let header = Header::read(disk)?;
    let disk = coders::share(disk);
    let mut files = header.entries().filter(|(_, kind)| *kind == Kind::Content).map(|(name, _)| Member::named(&name));
    let mut parts = header.streams.parts.iter();
    for block in &header.streams.blocks {
        let content = match block.parts {
            0 => continue,
            _ => coders::content(block, &header.streams.packs, &disk),
        };
        let mut members = files.by_ref().zip(parts.by_ref().copied()).take(block.parts);
        if members_of(content, &mut members, visit).is_break() {
            return Ok(());
        }
    }
    for (name, _) in header.entries().filter(|(_, kind)| *kind == Kind::Empty) {
        if visit(&Member::named(&name), Ok(&mut io::empty())).is_break() {
            return Ok(());
        }
    }
    let mut beside = Headers::default();
    for (name, _) in header.entries() {
        if beside.add(name.as_bytes(), |text| visit(&Member::named(HEADERS), Ok(text))).is_break() {
            return Ok(());
        }
    }
    beside.finish(&mut io::empty(), &mut |name, text| visit(&Member::named(name), Ok(text)))
}

fn members_of(
    mut content: io::Result<Box<dyn Read + '_>>,
    members: &mut dyn Iterator<Item = (Member, Part)>,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    for (member, part) in members {
        let (flow, left, failed) = match &mut content {
            Err(error) => (visit(&member, Err(again(error))), 0, true),
            Ok(stream) => {
                let hash = crc32fast::Hasher::new();
                let mut reader = Reader { stream, left: part.size, sum: part.sum, hash, ended: false, failed: false };
                let flow = visit(&member, Ok(&mut reader));
                (flow, reader.left, reader.failed)
            }
        };
        if left > 0 && !failed {
            // Nobody wanted to read so much.
            content = Err(io::Error::other(Error::Bomb));
        } else if left > 0 {
            content = Err(corrupt("what stands before it in its block cannot be read"));
        }
        flow?;
    }
    ControlFlow::Continue(())
}

/// The same error for the next member of a block.
fn again(error: &io::Error) -> io::Error {
    io::Error::other(match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::Encrypted) => Error::Encrypted,
        Some(Error::Bomb) => Error::Bomb,
        Some(Error::Unsupported(what)) => Error::Unsupported(what.clone()),
        _ => Error::Corrupt(error.to_string()),
    })
}

/// The content of one member. Where its sum is wrong, its end is an error; behind an error it is at its end.
struct Reader<'r, 'd> {
    stream: &'r mut Box<dyn Read + 'd>,
    left: u64,
    sum: Option<u32>,
    hash: crc32fast::Hasher,
    ended: bool,
    failed: bool,
}

impl Read for Reader<'_, '_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.ended || space.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(space.len());
        let read = match most {
            0 if self.sum.is_some_and(|sum| sum != self.hash.clone().finalize()) => Err(corrupt("its sum is wrong")),
            0 => Ok(0),
            _ => match self.stream.read(&mut space[..most]) {
                Ok(0) => Err(corrupt("it is cut off")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                read => read.map_err(named),
            },
        };
        let len = *read.as_ref().unwrap_or(&0);
        self.left -= len as u64;
        self.hash.update(&space[..len]);
        self.ended = len == 0;
        self.failed |= read.is_err();
        read
    }
}

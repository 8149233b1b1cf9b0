//! Zip archives behind something else: a program or a script that unpacks them, a picture, another signature. Their directory
//! stands at the end, and nothing at the start tells of it.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::LazyLock;

use memchr::memmem;

use super::{Error, HEAD, Packing, packing};
use crate::chunk::Encoding;
use crate::source::encoding::sniff;

/// How the end of a zip archive begins, and its bytes without a comment (APPNOTE.TXT 4.3.16).
const END: &[u8] = b"PK\x05\x06";
const FIXED: usize = 22;
const LONGEST: usize = FIXED + u16::MAX as usize;

/// What stands before the end of an archive with sizes of 64 bits, and how long it is (4.3.15).
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCATOR_LEN: usize = 20;

/// An entry of the directory.
const CENTRAL: &[u8] = b"PK\x01\x02";

/// Looks for ends of archives; to make it takes longer than to search a few bytes.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(END));

/// Where ends of zip archives may stand.
pub fn ends_of_zip(bytes: &[u8]) -> impl Iterator<Item = usize> {
    FINDER.find_iter(bytes)
}

/// The packing of a file of so many bytes that begins with `begun`, as [`packing`]; also where a zip archive stands behind
/// something else. It is read on behind what was begun.
pub fn packing_of(begun: &[u8], file: &mut (impl Read + Seek), size: u64) -> io::Result<Option<Packing>> {
    let found = packing(&begun[..begun.len().min(HEAD)]);
    if found.is_some() {
        return Ok(found);
    }
    if begun.len() as u64 >= size {
        return Ok(ends_as_zip(begun).then_some(Packing::Zip));
    }
    let at = file.stream_position()?;
    let ends = file_ends_as_zip(file, size)?;
    file.seek(SeekFrom::Start(at))?;
    Ok(ends.then_some(Packing::Zip))
}

/// As [`packing_of`] of something that is at hand.
pub fn packing_of_whole(bytes: &[u8]) -> Option<Packing> {
    packing(&bytes[..bytes.len().min(HEAD)]).or_else(|| ends_as_zip(bytes).then_some(Packing::Zip))
}

/// Whether a stream that begins so may have a zip archive behind it: no text, or a script.
pub fn may_hold_zip(head: &[u8]) -> bool {
    head.starts_with(b"#!") || (head.contains(&0) && sniff(head).0 == Encoding::Bytes)
}

/// Whether something ends as a zip archive does, with its directory right before.
pub(super) fn ends_as_zip(bytes: &[u8]) -> bool {
    let from = bytes.len().saturating_sub(LONGEST);
    let is_entry = |at: u64| usize::try_from(at).ok().and_then(|at| bytes.get(at..)).is_some_and(begins_entry);
    ends(&bytes[from..], from as u64, &mut |end| Ok(is_entry(end.directory))).unwrap_or(false)
}

fn begins_entry(bytes: &[u8]) -> bool {
    bytes.starts_with(CENTRAL)
}

fn file_ends_as_zip(file: &mut (impl Read + Seek), size: u64) -> io::Result<bool> {
    let from = size.saturating_sub(LONGEST as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&mut *file).take(LONGEST as u64).read_to_end(&mut tail)?;
    ends(&tail, from, &mut |end| {
        file.seek(SeekFrom::Start(end.directory))?;
        let mut mark = Vec::new();
        (&mut *file).take(CENTRAL.len() as u64).read_to_end(&mut mark)?;
        Ok(begins_entry(&mark))
    })
}

/// What the end of a zip archive says of its directory.
struct End {
    /// Where it begins if it stands right before.
    directory: u64,
    /// Where the archive says that it begins, from its own start on.
    claimed: u64,
}

/// Whether the end of an archive stands in `tail`, which begins at `from`, with a directory that `is_there`.
fn ends(tail: &[u8], from: u64, is_there: &mut dyn FnMut(&End) -> io::Result<bool>) -> io::Result<bool> {
    for at in ends_of_zip(tail) {
        let Some(end) = tail[at..].first_chunk::<FIXED>() else { continue };
        if at >= LOCATOR_LEN && tail[at - LOCATOR_LEN..].starts_with(LOCATOR_64) {
            return Ok(true);
        }
        let long = |at: usize| u64::from(u32::from_le_bytes([end[at], end[at + 1], end[at + 2], end[at + 3]]));
        let Some(directory) = (from + at as u64).checked_sub(long(12)).filter(|_| long(12) > 0) else { continue };
        if is_there(&End { directory, claimed: long(16) })? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads something to its end and keeps its last bytes, to tell whether a zip archive was in it.
pub struct Tail<R> {
    input: R,
    last: Vec<u8>,
    read: u64,
}

impl<R: Read> Tail<R> {
    /// Nothing of it is read yet.
    pub fn new(input: R) -> Self {
        Tail { input, last: Vec::new(), read: 0 }
    }

    /// An error if what was read ends as a zip archive: it can only be unpacked from its end.
    pub fn told(&self) -> io::Result<()> {
        let from = self.read - self.last.len() as u64;
        let is_there = |end: &End| match end.directory.checked_sub(from) {
            Some(at) => self.last.get(at as usize..).is_some_and(begins_entry),
            // It is gone; at least its place is a possible one.
            None => end.claimed <= end.directory,
        };
        match ends(&self.last, from, &mut |end| Ok(is_there(end)))? {
            true => Err(io::Error::other(Error::Unsupported(
                "a zip archive stands behind what was read; save it to a file of its own".to_owned(),
            ))),
            false => Ok(()),
        }
    }
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(space)?;
        self.read += len as u64;
        if self.last.len() + len > 2 * LONGEST {
            let kept = LONGEST.saturating_sub(len).min(self.last.len());
            self.last.drain(..self.last.len() - kept);
        }
        self.last.extend_from_slice(&space[len.saturating_sub(LONGEST)..len]);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zip(comment: &str) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        archive.set_comment(comment).unwrap();
        archive.start_file("a", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"text").unwrap();
        archive.finish().unwrap().into_inner()
    }

    /// As a file, as bytes at hand, and as a stream in reads of any size.
    fn told(bytes: &[u8]) -> [bool; 4] {
        let stream = |step: usize| {
            let mut tail = Tail::new(crate::source::testing::Slow(bytes, step));
            io::copy(&mut tail, &mut io::sink()).unwrap();
            tail.told().is_err()
        };
        let mut file = io::Cursor::new(bytes);
        let at_start = packing_of(&bytes[..100], &mut file, bytes.len() as u64).unwrap();
        [at_start.is_some(), packing_of_whole(bytes).is_some(), stream(7000), stream(1 << 20)]
    }

    #[test]
    fn an_archive_behind_anything_is_told_by_its_end() {
        for before in [&b"hello\n"[..], &[0xA5; 200_000], b"PK00", b"\x89PNG\r\n\x1a\n\0\0"] {
            for comment in [String::new(), "x".repeat(60_000)] {
                assert_eq!(told(&[before, &zip(&comment)].concat()), [true; 4]);
            }
        }
    }

    #[test]
    fn what_only_has_the_marks_is_none() {
        let end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x20\0\0\0\x10\0\0\0\0\0";
        assert_eq!(told(&[&[0xA5; 200][..], end].concat()), [false; 4]);
        assert_eq!(told(&b"PK\x05\x06".repeat(20_000)[1..]), [false; 4]);
        assert_eq!(told(&zip("")[1..][..100]), [false; 4]);
    }
}

//! Zip archives behind something else: a program or a script that unpacks them, a picture, another signature. Their directory
//! stands at the end, and nothing at the start tells of it.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::LazyLock;

use memchr::memmem;

use super::{Error, HEAD, Packing, packing, payload};
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
        return Ok(packing_behind(begun));
    }
    let at = file.stream_position()?;
    let found = match file_ends_as_zip(file, size)? {
        true => Some(Packing::Zip),
        false if payload::may_unpack(begun) => {
            let mut begun = Vec::new();
            file.seek(SeekFrom::Start(0))?;
            (&mut *file).take(payload::SOUGHT as u64).read_to_end(&mut begun)?;
            payload::unpacked_by(&begun)
        }
        false => None,
    };
    file.seek(SeekFrom::Start(at))?;
    Ok(found)
}

/// As [`packing_of`] of something that is at hand.
pub fn packing_of_whole(bytes: &[u8]) -> Option<Packing> {
    packing(&bytes[..bytes.len().min(HEAD)]).or_else(|| packing_behind(bytes))
}

/// What stands behind something else that is at hand.
pub(super) fn packing_behind(bytes: &[u8]) -> Option<Packing> {
    if ends_as_zip(bytes) { Some(Packing::Zip) } else { payload::unpacked_by(bytes) }
}

/// Whether a stream that begins so may have a zip archive behind it: no text, or a script.
pub fn may_hold_zip(head: &[u8]) -> bool {
    head.starts_with(b"#!") || (head.contains(&0) && sniff(head).0 == Encoding::Bytes && !is_class(head))
}

/// A class of Java's: Apple's programs with this mark have fewer parts than its oldest version's number.
pub(super) fn is_class(head: &[u8]) -> bool {
    matches!(head, [0xCA, 0xFE, 0xBA, 0xBE, _, _, _, 45..=u8::MAX, ..])
}

/// Whether something ends as a zip archive does, with its directory right before.
pub(super) fn ends_as_zip(bytes: &[u8]) -> bool {
    let from = bytes.len().saturating_sub(LONGEST);
    let is_entry = |at: u64| usize::try_from(at).ok().and_then(|at| bytes.get(at..)).is_some_and(begins_entry);
    ends(&bytes[from..], from as u64, &mut |end| Ok(is_entry(end.directory))).unwrap_or(false)
}

/// Whether it ends as a zip archive that begins before it.
pub(super) fn ends_earlier_zip(bytes: &[u8]) -> bool {
    let from = bytes.len().saturating_sub(LONGEST);
    let begins_earlier = |end: &End| end.claimed > end.directory && end.claimed < u32::MAX.into();
    ends(&bytes[from..], from as u64, &mut |end| Ok(begins_earlier(end))).unwrap_or(false)
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
    /// What it says fits together, and it reaches to the end of everything, zeros aside.
    is_sound: bool,
}

impl End {
    /// What the record at the start of `rest` says, which stands `at` there.
    fn read(rest: &[u8], at: u64) -> Option<Self> {
        const ENTRY: u64 = 46;
        let end = rest.first_chunk::<FIXED>()?;
        let short = |at: usize| u64::from(u16::from_le_bytes([end[at], end[at + 1]]));
        let long = |at: usize| short(at) | short(at + 2) << 16;
        let directory = at.checked_sub(long(12)).filter(|_| long(12) > 0)?;
        let behind = rest.get(FIXED + short(20) as usize..);
        let reaches = behind.is_some_and(|behind| behind.iter().all(|byte| *byte == 0));
        let is_sound = reaches && end[4..8] == [0; 4] && short(8) == short(10) && long(12) >= ENTRY * short(8);
        Some(End { directory, claimed: long(16), is_sound })
    }
}

/// Whether a locator stands right before `at`: of one disk, and of something before it.
fn is_located(tail: &[u8], from: u64, at: usize) -> bool {
    let Some(locator) = at.checked_sub(LOCATOR_LEN).map(|start| &tail[start..at]) else { return false };
    let place = locator[8..16].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let is_one = locator[4..8] == [0; 4] && matches!(locator[16..], [0 | 1, 0, 0, 0]);
    locator.starts_with(LOCATOR_64) && is_one && place < from + at as u64
}

/// Whether the end of an archive stands in `tail`, which begins at `from`, with a directory that `is_there`.
fn ends(tail: &[u8], from: u64, is_there: &mut dyn FnMut(&End) -> io::Result<bool>) -> io::Result<bool> {
    for at in ends_of_zip(tail) {
        let located = is_located(tail, from, at) && tail.len() - at >= FIXED;
        let end = End::read(&tail[at..], from + at as u64);
        if located || end.map_or(Ok(false), |end| is_there(&end))? {
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
            None => end.is_sound && end.claimed <= end.directory,
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
    fn the_marks_in_compiled_code_are_none() {
        // As a module has them that reads zip archives: what follows says nothing that fits together.
        let marks = b"PK\x06\x07t\x04\0\0\0<4sLs\0\0\0\x1ft\x06";
        let end = b"PK\x05\x06i\x01\0\0\0i\x02\0\x10\0\0\0\0\0\0\0\0\0";
        for before in [200, 100_000] {
            let code = [&vec![0xA5; before][..], &marks[..20], end, b"more code"].concat();
            assert_eq!(told(&code), [false; 4]);
        }
        // A directory that is gone when its end is seen tells only if nothing follows.
        let far = b"PK\x05\x06\0\0\0\0\x01\0\x01\0\0\0\x02\0\x10\0\0\0\0\0";
        let noise = [&[0xA5; 300_000][..], far].concat();
        assert_eq!(told(&noise), [false, false, true, true]);
        assert_eq!(told(&[&noise[..], b"more"].concat()), [false; 4]);
    }

    #[test]
    fn a_class_holds_no_archive_and_a_program_may() {
        assert!(!may_hold_zip(b"\xCA\xFE\xBA\xBE\0\0\0\x34\0\x10"));
        assert!(may_hold_zip(b"\xCA\xFE\xBA\xBE\0\0\0\x02\x01\0"));
        assert!(may_hold_zip(b"#!/bin/sh") && !may_hold_zip(b"text"));
    }

    #[test]
    fn what_only_has_the_marks_is_none() {
        let end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x20\0\0\0\x10\0\0\0\0\0";
        assert_eq!(told(&[&[0xA5; 200][..], end].concat()), [false; 4]);
        assert_eq!(told(&b"PK\x05\x06".repeat(20_000)[1..]), [false; 4]);
        assert_eq!(told(&zip("")[1..][..100]), [false; 4]);
    }
}

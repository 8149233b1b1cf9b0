//! What the headers of a zip archive say beside its contents: names, comments, other fields. One follows the other with nothing
//! between them, and the mark of the next header behind: as bytes, `token` and `PK` are one word.

use std::collections::HashSet;
use std::io::{self, Read, SeekFrom};
use std::ops::Range;

use super::contents::Disk;

/// Bytes of an entry of the directory, and of the header before a member, up to the name (APPNOTE.TXT 4.3.12, 4.3.7).
const CENTRAL: usize = 46;
const LOCAL: usize = 30;

/// Bytes that are read of a header at once: few are longer.
const USUAL: usize = 256;

/// A field with fewer bytes says times, owners and sizes.
const SHORT: usize = 16;

/// How any record begins.
const MARK: &[u8] = b"PK";

/// So much of all comments is kept, in bytes.
const COMMENTS: usize = 8 << 20;

/// Where the two headers of a member stand.
pub(super) struct Place {
    pub central: u64,
    pub local: u64,
}

/// Adds to `held` what is no text in these headers, and names that stand there twice: every name is seen once, where it stands in the directory.
/// Gives the comments on members, each on a line, which are `held`, too.
pub(super) fn headers(disk: &mut dyn Disk, places: &[Place], held: &mut Vec<Range<u64>>) -> io::Result<Vec<u8>> {
    let (mut central, mut local) = (Header::default(), Header::default());
    let mut comments = Vec::new();
    let mut seen = HashSet::new();
    for place in places {
        if !central.read(disk, place.central, CENTRAL)? {
            continue;
        }
        central.hold(place.central, held);
        if central.is_followed {
            let end = place.central + central.bytes.len() as u64;
            held.push(end..end + MARK.len() as u64);
        }
        let comment = &central.bytes[central.extra.end..];
        if !comment.is_empty() && comments.len() < COMMENTS {
            let end = place.central + central.bytes.len() as u64;
            held.push(end - comment.len() as u64..end);
            comments.push(b'\n');
            comments.extend_from_slice(comment);
        }
        // Many may lead to one.
        if seen.insert(place.local) && local.read(disk, place.local, LOCAL)? {
            local.hold(place.local, held);
            if local.bytes[LOCAL..local.extra.start] == central.bytes[CENTRAL..central.extra.start] {
                held.push(place.local..place.local + local.extra.start as u64);
            }
        }
    }
    Ok(comments)
}

/// A header with what follows it up to the next one or the content.
#[derive(Default)]
struct Header {
    bytes: Vec<u8>,
    extra: Range<usize>,
    fixed: usize,
    /// The mark of another record stands right behind it.
    is_followed: bool,
}

impl Header {
    /// Reads a header with so many bytes before the name; `false` where it is cut off.
    fn read(&mut self, disk: &mut dyn Disk, at: u64, fixed: usize) -> io::Result<bool> {
        self.bytes.clear();
        disk.seek(SeekFrom::Start(at))?;
        self.bytes.resize(USUAL, 0);
        let mut read = 0;
        while read < fixed {
            match disk.read(&mut self.bytes[read..])? {
                0 => return Ok(false),
                len => read += len,
            }
        }
        self.bytes.truncate(read);
        let (first, count) = if fixed == CENTRAL { (28, 3) } else { (26, 2) };
        let length = |nth: usize| {
            let at = first + 2 * nth;
            usize::from(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]))
        };
        let extra = fixed + length(0)..fixed + length(0) + length(1);
        let end = extra.end + if count == 3 { length(2) } else { 0 };
        if let Some(more) = (end + MARK.len()).checked_sub(read) {
            disk.take(more as u64).read_to_end(&mut self.bytes)?;
        }
        self.is_followed = self.bytes.get(end..).is_some_and(|behind| behind.starts_with(MARK));
        self.bytes.truncate(end);
        (self.extra, self.fixed) = (extra, fixed);
        Ok(self.bytes.len() == end)
    }

    /// Adds what stands before the name and, of the fields behind it, what says which they are, and all of short ones.
    fn hold(&self, at: u64, held: &mut Vec<Range<u64>>) {
        const KIND: usize = 4;
        held.push(at..at + self.fixed as u64);
        let mut start = self.extra.start;
        while start < self.extra.end {
            let field = &self.bytes[start..self.extra.end];
            let len = field.first_chunk().map_or(0, |[_, _, low, high]| usize::from(u16::from_le_bytes([*low, *high])));
            let own = if len < SHORT { KIND + len } else { KIND };
            let range = at + start as u64..at + (start + own).min(self.extra.end) as u64;
            match held.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => held.push(range),
            }
            start += KIND + len;
        }
    }
}

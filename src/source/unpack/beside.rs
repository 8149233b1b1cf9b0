//! What stands in an archive beside the contents of its members: names, comments, targets of links, filler.

use std::io::{self, Read, SeekFrom};
use std::ops::{ControlFlow, Range};

use super::contents::Disk;

/// The name under which a stream of members shows what its headers say.
pub(super) const HEADERS: &str = "(headers)";

/// The name of what stands behind the end of an archive.
pub(super) const BEHIND: &str = "(behind the end)";

/// So much of it is kept until it is shown, in bytes.
const KEPT: usize = 1 << 20;

/// What the headers of a stream of members say, each piece on a line of its own.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<u8>);

impl Headers {
    /// Adds what a header says, without the zeros that fill it up; shows everything once that is much.
    pub fn add(&mut self, header: &[u8], show: impl FnOnce(&mut dyn Read) -> ControlFlow<()>) -> ControlFlow<()> {
        self.keep(header);
        if self.0.len() < KEPT { ControlFlow::Continue(()) } else { self.show(show) }
    }

    /// Adds something short.
    pub fn keep(&mut self, header: &[u8]) {
        for piece in header.split(|&byte| byte == 0).filter(|piece| !piece.is_empty()) {
            self.0.push(b'\n');
            self.0.extend_from_slice(piece);
        }
    }

    /// Shows what was added last, and what stands behind the end of the archive.
    pub fn finish(
        mut self,
        input: &mut dyn Read,
        visit: &mut dyn FnMut(&str, &mut dyn Read) -> ControlFlow<()>,
    ) -> io::Result<()> {
        if self.show(|text| visit(HEADERS, text)).is_continue() {
            behind(input, &mut |rest| visit(BEHIND, rest))?;
        }
        Ok(())
    }

    /// Shows what was added last.
    pub fn show(&mut self, show: impl FnOnce(&mut dyn Read) -> ControlFlow<()>) -> ControlFlow<()> {
        match std::mem::take(&mut self.0) {
            text if text.is_empty() => ControlFlow::Continue(()),
            text => show(&mut text.as_slice()),
        }
    }
}

/// Shows the rest of the input from the first byte on that does not fill a block up.
pub(super) fn behind(input: &mut dyn Read, show: &mut dyn FnMut(&mut dyn Read) -> ControlFlow<()>) -> io::Result<()> {
    let mut block = vec![0; 64 << 10];
    loop {
        let len = match input.read(&mut block) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if let Some(first) = block[..len].iter().position(|&byte| byte != 0) {
            // It is the last that is shown: whether to go on is no question.
            let _ = show(&mut block[first..len].chain(input));
            return Ok(());
        }
    }
}

/// An archive, with zeros in place of what is read elsewhere: everything else has its place.
pub(super) struct Outside<'d> {
    disk: &'d mut dyn Disk,
    /// Read elsewhere: from the left, disjoint.
    held: Vec<Range<u64>>,
    at: u64,
    size: u64,
}

impl<'d> Outside<'d> {
    pub fn new(disk: &'d mut dyn Disk, mut held: Vec<Range<u64>>) -> io::Result<Self> {
        let size = disk.seek(SeekFrom::End(0))?;
        held.sort_by_key(|range| range.start);
        held.dedup_by(|next, last| {
            let touch = next.start <= last.end;
            if touch {
                last.end = last.end.max(next.end);
            }
            touch
        });
        Ok(Outside { disk, held, at: 0, size })
    }

    /// Where the next byte stands.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Goes on behind what is read elsewhere, if that is next.
    pub fn pass_held(&mut self) {
        let next = self.held.get(self.held.partition_point(|range| range.end <= self.at));
        self.at = next.filter(|range| range.start <= self.at).map_or(self.at, |range| range.end);
    }

    /// Goes on from there.
    pub fn go_to(&mut self, at: u64) {
        self.at = at;
    }

    /// What stands from there up to what is read elsewhere.
    pub fn from(&mut self, at: u64) -> io::Result<io::Take<&mut (dyn Disk + 'd)>> {
        let next = self.held.get(self.held.partition_point(|range| range.end <= at));
        let end = next.map_or(self.size, |range| range.start.max(at));
        self.disk.seek(SeekFrom::Start(at))?;
        Ok((&mut *self.disk).take(end.saturating_sub(at)))
    }
}

impl Read for Outside<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let next = self.held.get(self.held.partition_point(|range| range.end <= self.at));
        let is_held = next.is_some_and(|range| range.start <= self.at);
        let end = next.map_or(self.size, |range| if is_held { range.end } else { range.start }).min(self.size);
        let most = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(space.len());
        let len = match is_held {
            true => {
                space[..most].fill(0);
                most
            }
            false => {
                self.disk.seek(SeekFrom::Start(self.at))?;
                self.disk.read(&mut space[..most])?
            }
        };
        self.at += len as u64;
        Ok(len)
    }
}

/// The header of a gzip member, as far as it was read, and whether it says anything: a name, a comment, other fields (RFC 1952, 2.3).
pub(super) fn gzip(input: &mut dyn Read) -> io::Result<(Vec<u8>, bool)> {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let mut head = Vec::new();
    (&mut *input).take(10).read_to_end(&mut head)?;
    let flags = head.get(3).copied().unwrap_or(0);
    if flags & EXTRA != 0 {
        let start = head.len();
        (&mut *input).take(2).read_to_end(&mut head)?;
        let len = head[start..].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        (&mut *input).take(len).read_to_end(&mut head)?;
    }
    for _ in [NAME, COMMENT].into_iter().filter(|flag| flags & flag != 0) {
        let most = head.len() + KEPT;
        let mut byte = [1];
        while byte != [0] && head.len() < most && input.read(&mut byte)? == 1 {
            head.push(byte[0]);
        }
    }
    Ok((head, flags & (EXTRA | NAME | COMMENT) != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_elsewhere_reads_as_zeros() {
        let mut disk = io::Cursor::new(b"abcdefghij".to_vec());
        for (held, wanted) in [
            (vec![], *b"abcdefghij"),
            (vec![7..20, 2..4, 3..5], *b"ab\0\0\0fg\0\0\0"),
            (vec![0..1, 1..2, 9..10], *b"\0\0cdefghi\0"),
            (vec![0..5, 4..u64::MAX], [0; 10]),
        ] {
            let mut all = Vec::new();
            Outside::new(&mut disk, held).unwrap().read_to_end(&mut all).unwrap();
            assert_eq!(all, wanted);
        }
    }

    #[test]
    fn headers_are_shown_before_they_are_many() {
        let (mut headers, mut shown) = (Headers::default(), 0);
        for _ in 0..5 {
            let mut show = |text: &mut dyn Read| {
                shown += io::copy(text, &mut io::sink()).unwrap();
                ControlFlow::Continue(())
            };
            assert!(headers.add(&[&b"ab\0\0"[..], &[b'x'; KEPT / 2]].concat(), &mut show).is_continue());
        }
        assert_eq!((shown, headers.0.len()), (4 * (KEPT as u64 / 2 + 4), KEPT / 2 + 4));
    }

    #[test]
    fn a_gzip_header_is_read_to_its_end() {
        let head = b"\x1f\x8b\x08\x1c\0\0\0\0\0\xff\x02\0exname\0comment\0";
        let mut input = &[&head[..], b"rest"].concat()[..];
        assert_eq!(gzip(&mut input).unwrap(), (head.to_vec(), true));
        assert_eq!(input, b"rest");
        let plain = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
        assert_eq!(gzip(&mut &plain[..]).unwrap(), (plain.to_vec(), false));
        assert_eq!(gzip(&mut &head[..14]).unwrap(), (head[..14].to_vec(), true));
    }
}

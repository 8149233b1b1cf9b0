//! Cuts what a reader gives into chunks with margins, in bounded memory.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::encoding::{encoded_len, is_plain, sniff, transcode, utf16_units};
use crate::chunk::{Chunk, Encoding, MARGIN, Position};

/// How much of an object is searched at once, in bytes, margins not counted.
pub const CHUNK: usize = 1 << 20;

/// How much is read or transcoded at once, in bytes.
const PIECE: usize = 256 << 10;

/// A thread's buffers, used again for every object. Grow to a little over one chunk.
#[derive(Debug, Default)]
pub struct Buffer {
    /// The window of text that chunks are cut from; only the first `filled` bytes mean something.
    text: Vec<u8>,
    /// Bytes of the object that wait to be transcoded.
    raw: Vec<u8>,
    /// How many bytes in the window are the first of the object that is to come.
    begun: Option<usize>,
}

impl Buffer {
    /// Reads the first bytes of an object, at least `least` if there are as many; most files are read whole. Nothing is lost if
    /// [`Buffer::begins`] tells so before the rest is read. `expected` is the object's size, if that is true.
    pub fn begin(&mut self, input: &mut dyn Read, expected: u64, least: usize) -> io::Result<&[u8]> {
        let piece = expected.saturating_add(1).clamp(least as u64, PIECE as u64) as usize;
        if self.text.len() < piece {
            self.text.resize(piece, 0);
        }
        let mut got = 0;
        loop {
            let more = read_some(input, &mut self.text[got..])?;
            got += more;
            if more == 0 || got >= least || got as u64 == expected {
                return Ok(&self.text[..got]);
            }
        }
    }

    /// The next object begins with so many bytes that were read by [`Buffer::begin`].
    pub fn begins(&mut self, len: usize) {
        self.begun = Some(len);
    }
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Bytes read from the object.
    pub bytes: u64,
    /// Whether the visitor stopped it.
    pub stopped: bool,
}

/// Reads `input` to its end, or to where that fails, and shows it to `visit` in chunks of about `chunk` bytes. `expected` is the object's size
/// where it is known; reading goes on to the real end whatever it says.
///
/// A reader that has nothing more at the moment says [`io::ErrorKind::WouldBlock`], once: then the lines that are
/// complete are shown at once, and shown again, as parts of later chunks, until their margin has come. Whoever visits
/// must expect to find the same again.
pub fn chunks(
    input: &mut dyn Read,
    expected: Option<u64>,
    chunk: usize,
    buffer: &mut Buffer,
    visit: &mut dyn FnMut(&Chunk<'_>) -> ControlFlow<()>,
) -> io::Result<Ended> {
    let mut cutter = Cutter::new(buffer, expected);
    loop {
        let mut failed = None;
        let filled = cutter.fill(input, chunk + MARGIN).unwrap_or_else(|error| {
            failed = Some(error);
            Filled::Ended
        });
        let own_end = match filled {
            Filled::Ended => cutter.filled,
            Filled::Enough => cutter.filled - MARGIN,
            Filled::Idle => match cutter.complete_lines() {
                Some(end) => end,
                None => continue,
            },
        };
        let piece = Chunk {
            bytes: &cutter.buffer.text[..cutter.filled],
            start: cutter.start,
            own: cutter.done..own_end,
            ends: filled == Filled::Ended,
            encoding: cutter.encoding,
        };
        let stopped = visit(&piece).is_break();
        // What came before the failure is shown, too.
        if let Some(error) = failed {
            return Err(error);
        }
        if filled == Filled::Ended || stopped {
            let stopped = stopped || cutter.plain.show(visit).is_break();
            if cutter.plain.is_cut {
                return Err(io::Error::other(
                    "begins like UTF-16 or UTF-32, and goes on as other text for over 64 MiB",
                ));
            }
            return Ok(Ended { bytes: cutter.read, stopped });
        }
        cutter.shown = cutter.shown.max(own_end);
        cutter.advance(own_end.min(cutter.filled.saturating_sub(MARGIN)).max(cutter.done));
    }
}

/// Why the window is not filled further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// There is enough for a chunk.
    Enough,
    /// There is nothing more at the moment.
    Idle,
    /// The object has ended.
    Ended,
}

/// The state between two chunks of one object.
struct Cutter<'b> {
    buffer: &'b mut Buffer,
    filled: usize,
    /// Up to here anchors are answered for.
    done: usize,
    /// Up to here everything was shown at least once.
    shown: usize,
    start: Position,
    /// `None` until the first bytes are seen.
    sniffed: bool,
    encoding: Encoding,
    plain: Plain,
    read: u64,
    expected: Option<u64>,
}

/// What of a text that is taken for UTF-16 or UTF-32 is hardly either: long stretches of plain text, byte by byte, which
/// another program wrote behind it, or a binary that only begins like it. They are searched as they stand when the rest was.
struct Plain {
    done: Vec<Stretch>,
    /// The one that the next bytes may go on with.
    open: Stretch,
    /// Where the next bytes stand, if all are plain text.
    next: Position,
    /// Bytes of all that are done.
    len: usize,
    /// There is more than is kept.
    is_cut: bool,
}

struct Stretch {
    start: Position,
    text: Vec<u8>,
}

impl Plain {
    /// Fewer bytes in a row are no reason to doubt: CJK has as many.
    const LEAST: usize = 16;
    /// So much is kept, in bytes: more than there is in any text that is UTF-16 or UTF-32.
    const MOST: usize = 64 << 20;

    fn new() -> Self {
        let open = Stretch { start: Position::START, text: Vec::new() };
        Plain { done: Vec::new(), open, next: Position::START, len: 0, is_cut: false }
    }

    /// Takes in the next bytes of the object.
    fn take(&mut self, raw: &[u8]) {
        for part in raw.split_inclusive(|byte| !is_plain(byte)) {
            if self.len + self.open.text.len() + part.len() > Self::MOST {
                self.is_cut = true;
                return;
            }
            if self.open.text.is_empty() {
                self.open.start = self.next;
            }
            self.open.text.extend_from_slice(part);
            self.next = forward(self.next, Encoding::Bytes, part);
            if self.open.text.pop_if(|last| !is_plain(last)).is_some() {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        if self.open.text.len() < Self::LEAST {
            return self.open.text.clear();
        }
        let text = std::mem::take(&mut self.open.text);
        self.len += text.len();
        self.done.push(Stretch { start: self.open.start, text });
    }

    fn show(&mut self, visit: &mut dyn FnMut(&Chunk<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        self.close();
        self.done.iter().try_for_each(|Stretch { start, text }| {
            visit(&Chunk { bytes: text, start: *start, own: 0..text.len(), ends: true, encoding: Encoding::Bytes })
        })
    }
}

impl<'b> Cutter<'b> {
    fn new(buffer: &'b mut Buffer, expected: Option<u64>) -> Self {
        buffer.raw.clear();
        Cutter {
            buffer,
            filled: 0,
            done: 0,
            shown: 0,
            start: Position::START,
            sniffed: false,
            encoding: Encoding::Bytes,
            plain: Plain::new(),
            read: 0,
            expected,
        }
    }

    /// Fills the window until `wanted` bytes wait for an answer.
    fn fill(&mut self, input: &mut dyn Read, wanted: usize) -> io::Result<Filled> {
        loop {
            let ended = match self.encoding {
                Encoding::Bytes => self.fill_plain(input),
                _ => self.fill_transcoded(input),
            };
            match ended {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Filled::Idle),
                Err(error) => return Err(error),
                Ok(true) => return Ok(Filled::Ended),
                Ok(false) if self.filled - self.done >= wanted => return Ok(Filled::Enough),
                Ok(false) => {}
            }
        }
    }

    /// Where the last complete line ends, if it was not shown yet.
    fn complete_lines(&self) -> Option<usize> {
        let text = &self.buffer.text[..self.filled];
        memchr::memrchr(b'\n', &text[self.shown..]).map(|at| self.shown + at + 1)
    }

    fn fill_plain(&mut self, input: &mut dyn Read) -> io::Result<bool> {
        // One more than there should be: a read that falls short of that is the last.
        let left = self.expected.map(|size| size.saturating_sub(self.read).saturating_add(1));
        let piece = left.map_or(PIECE, |left| left.min(PIECE as u64) as usize);
        if self.buffer.text.len() < self.filled + piece {
            self.buffer.text.resize(self.filled + piece, 0);
        }
        let space = self.buffer.text.len() - self.filled;
        let got = match self.buffer.begun.take() {
            Some(len) => len,
            None => read_some(input, &mut self.buffer.text[self.filled..])?,
        };
        self.filled += got;
        self.read += got as u64;
        if !self.sniffed && got > 0 {
            self.sniffed = true;
            let (encoding, mark) = sniff(&self.buffer.text[..self.filled]);
            if encoding != Encoding::Bytes {
                self.encoding = encoding;
                self.start.offset = mark as u64;
                self.plain.take(&self.buffer.text[..self.filled]);
                self.buffer.raw.extend_from_slice(&self.buffer.text[mark..self.filled]);
                self.filled = 0;
                return Ok(false);
            }
        }
        // A read that fell short at the known size is the end; asking again would cost a call for every file.
        Ok(got == 0 || (got < space && Some(self.read) == self.expected))
    }

    fn fill_transcoded(&mut self, input: &mut dyn Read) -> io::Result<bool> {
        let waiting = self.buffer.raw.len();
        self.buffer.raw.resize(waiting + PIECE, 0);
        let got = read_some(input, &mut self.buffer.raw[waiting..]);
        self.buffer.raw.truncate(waiting + got.as_ref().map_or(0, |&got| got));
        let got = got?;
        self.read += got as u64;
        self.plain.take(&self.buffer.raw[waiting..]);
        self.buffer.text.truncate(self.filled);
        let used = transcode(self.encoding, &self.buffer.raw, got == 0, &mut self.buffer.text);
        self.buffer.raw.drain(..used);
        self.filled = self.buffer.text.len();
        Ok(got == 0)
    }

    /// Drops what no later chunk needs, after everything before `answered` has been answered for.
    fn advance(&mut self, answered: usize) {
        let cut = boundary(&self.buffer.text[..answered], answered.saturating_sub(MARGIN));
        self.start = forward(self.start, self.encoding, &self.buffer.text[..cut]);
        self.buffer.text.copy_within(cut..self.filled, 0);
        self.filled -= cut;
        self.shown -= cut;
        self.done = answered - cut;
    }
}

/// Where to cut at or a little before `at` so that no character is cut: characters are counted from there. A byte that
/// continues a character has the first byte at most 3 before it; a fourth one in a row continues nothing.
fn boundary(text: &[u8], at: usize) -> usize {
    let begins = |cut: &usize| text.get(*cut).is_none_or(|byte| byte & 0xC0 != 0x80);
    (at.saturating_sub(3)..=at).rev().find(begins).unwrap_or(at)
}

/// The position behind `text`, which stands at `from`.
pub fn forward(from: Position, encoding: Encoding, text: &[u8]) -> Position {
    let offset = from.offset + encoded_len(encoding, text);
    match memchr::memrchr(b'\n', text) {
        None => Position { offset, line: from.line, column: from.column + utf16_units(text) },
        Some(newline) => Position {
            offset,
            line: from.line + memchr::memchr_iter(b'\n', text).count() as u64,
            column: 1 + utf16_units(&text[newline + 1..]),
        },
    }
}

fn read_some(input: &mut dyn Read, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::testing::Slow;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_byte_is_owned_once_with_its_margins_and_its_position(
            seed in prop::collection::vec(prop::sample::select("ab\nü€😀".chars().collect::<Vec<_>>()), 1..500),
            repeat in 1usize..400,
            step in 1000usize..90_000,
            chunk in 1usize..100_000,
        ) {
            let text: String = seed.iter().collect::<String>().repeat(repeat);
            let (mut owned, mut buffer) = (0, Buffer::default());
            let ended = chunks(&mut Slow(text.as_bytes(), step), None, chunk, &mut buffer, &mut |piece| {
                let from = piece.start.offset as usize;
                assert_eq!(piece.bytes, &text.as_bytes()[from..from + piece.bytes.len()]);
                assert_eq!(piece.start, forward(Position::START, Encoding::Bytes, &text.as_bytes()[..from]));
                assert_eq!(from + piece.own.start, owned);
                assert!(piece.own.start >= MARGIN.min(owned));
                owned = from + piece.own.end;
                assert!(piece.bytes.len() - piece.own.end == MARGIN || owned == text.len());
                ControlFlow::Continue(())
            }).unwrap();
            prop_assert_eq!(owned, text.len());
            prop_assert_eq!(ended, Ended { bytes: text.len() as u64, stopped: false });
        }
    }

    /// A reader that has nothing to give after each piece.
    struct Drip<'a>(Vec<&'a [u8]>, bool);

    impl Read for Drip<'_> {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.1, false) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let Some(piece) = self.0.first_mut() else { return Ok(0) };
            let len = piece.len().min(space.len());
            space[..len].copy_from_slice(&piece[..len]);
            *piece = &piece[len..];
            if piece.is_empty() {
                self.0.remove(0);
                self.1 = true;
            }
            Ok(len)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_line_is_shown_as_soon_as_it_is_there_and_once_more_with_its_margins(
            pieces in prop::collection::vec(("[a\n]{0,9}", 1usize..9000), 1..12), chunk in 1usize..100_000,
        ) {
            let pieces: Vec<String> = pieces.into_iter().map(|(text, times)| text.repeat(times)).collect();
            let text = pieces.concat();
            let input = pieces.iter().map(String::as_bytes).filter(|piece| !piece.is_empty()).collect();
            let (mut shown, mut buffer) = (0, Buffer::default());
            chunks(&mut Drip(input, false), None, chunk, &mut buffer, &mut |piece| {
                let from = piece.start.offset as usize;
                assert_eq!(piece.bytes, &text.as_bytes()[from..from + piece.bytes.len()]);
                assert_eq!(piece.start, forward(Position::START, Encoding::Bytes, &text.as_bytes()[..from]));
                let own = from + piece.own.start..from + piece.own.end;
                assert!(own.start <= shown, "nothing is left out");
                assert!(piece.own.start >= MARGIN.min(own.start));
                shown = shown.max(own.end);
                ControlFlow::Continue(())
            }).unwrap();
            prop_assert_eq!(shown, text.len());
        }
    }

    #[test]
    fn complete_lines_are_shown_while_the_reader_waits() {
        let mut seen = Vec::new();
        let input = vec![&b"one\ntw"[..], b"o", b"\nthree"];
        chunks(&mut Drip(input, false), None, CHUNK, &mut Buffer::default(), &mut |piece| {
            seen.push(String::from_utf8_lossy(&piece.bytes[piece.own.clone()]).into_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(seen, ["one\n", "one\ntwo\n", "one\ntwo\nthree"]);
    }

    proptest! {
        #[test]
        fn positions_add_up_across_a_cut(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec!["\u{fc}", "\u{1f600}", "\u{20ac}", "a", "\n"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..3),
                    prop::collection::vec(0x80u8..0xC0, 0..6),
                ],
                1..40,
            ),
            at in any::<prop::sample::Index>(),
        ) {
            let text = pieces.concat();
            let at = at.index(text.len() + 1);
            let (before, after) = text.split_at(boundary(&text, at));
            prop_assert!(before.len() + 3 >= at);
            let there = forward(Position::START, Encoding::Bytes, before);
            let through = forward(there, Encoding::Bytes, after);
            prop_assert_eq!(through, forward(Position::START, Encoding::Bytes, &text));
        }
    }

    #[test]
    fn what_was_begun_goes_on_where_it_was_left() {
        let mut buffer = Buffer::default();
        for len in [0, 1, 511, 512, 513, 5000, 700_000, 3] {
            let text: Vec<u8> = (0..len).map(|at| (at % 251) as u8 | 0x20).collect();
            // The size may be wrong, too: of what is written to, or of a file of the kernel's.
            for expected in [len as u64, 0, len as u64 + 9] {
                for slow in [false, true].into_iter().take(if len < 6000 { 2 } else { 1 }) {
                    let (mut slowly, mut quickly) = (Slow(&text, 1), &text[..]);
                    let input: &mut dyn Read = if slow { &mut slowly } else { &mut quickly };
                    let head = buffer.begin(input, expected, 512).unwrap();
                    assert!(head.len() >= len.min(512) && text.starts_with(head), "{len} {expected} {slow}");
                    let begun = head.len();
                    buffer.begins(begun);
                    let mut seen = Vec::new();
                    let ended = chunks(input, Some(expected), CHUNK, &mut buffer, &mut |piece| {
                        seen.extend_from_slice(&piece.bytes[piece.own.clone()]);
                        ControlFlow::Continue(())
                    });
                    assert_eq!((ended.unwrap().bytes, seen == text), (len as u64, true), "{len} {expected} {slow}");
                }
            }
        }
    }

    #[test]
    fn a_byte_order_mark_counts_in_offsets_only() {
        let raw: Vec<u8> = [0xFF, 0xFE].into_iter().chain("a\nbc".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        chunks(&mut &raw[..], Some(raw.len() as u64), CHUNK, &mut Buffer::default(), &mut |piece| {
            assert_eq!((piece.bytes, piece.start.offset), (&b"a\nbc"[..], 2));
            let end = forward(piece.start, piece.encoding, piece.bytes);
            assert_eq!(end, Position { offset: 10, line: 2, column: 3 });
            ControlFlow::Continue(())
        })
        .unwrap();
    }
}

//! Text and the way back from each of its bytes to where it came from.

use std::ops::Range;

/// A stretch of text and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// First byte in the text.
    text: u32,
    /// First byte in the log.
    raw: u32,
    /// Bytes in the log. As many as in the text: byte for byte; else the whole stands for the whole (an escape).
    len: u32,
}

/// Normalised text of one window of a log. Only lines that read differently without the machine's layer are in it,
/// with their neighbours.
#[derive(Debug, Default)]
pub struct Normalised {
    text: Vec<u8>,
    segments: Vec<Segment>,
    /// Where lines are left out: the first byte in the text behind each gap.
    gaps: Vec<u32>,
    /// Where lines were joined because they looked wrapped: the first byte behind each seam.
    seams: Vec<u32>,
}

/// A place in the log that a stretch of text came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// From the first byte to behind the last one; may have bytes of other lines between them.
    pub raw: Range<usize>,
    /// Lines were joined by their look alone.
    pub guessed: bool,
}

impl Normalised {
    /// The text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a non-empty stretch of the text came from; `None` if it reaches over lines that are left out.
    pub fn source(&self, stretch: &Range<usize>) -> Option<Source> {
        let inside = |marks: &[u32]| {
            let next = marks.partition_point(|&mark| mark as usize <= stretch.start);
            marks.get(next).is_some_and(|&mark| (mark as usize) < stretch.end)
        };
        if inside(&self.gaps) {
            return None;
        }
        let (first, last) = (self.locate(stretch.start)?, self.locate(stretch.end - 1)?);
        Some(Source { raw: first.start..last.end, guessed: inside(&self.seams) })
    }

    /// The bytes of the log that one byte of the text stands for.
    fn locate(&self, at: usize) -> Option<Range<usize>> {
        let index = self.segments.partition_point(|segment| segment.text as usize <= at).checked_sub(1)?;
        let Segment { text, raw, len } = self.segments[index];
        let end = self.segments.get(index + 1).map_or(self.text.len(), |next| next.text as usize);
        let (text, raw, len) = (text as usize, raw as usize, len as usize);
        match end - text == len {
            true => Some(raw + (at - text)..raw + (at - text) + 1),
            false => Some(raw..raw + len),
        }
    }

    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.segments.clear();
        self.gaps.clear();
        self.seams.clear();
    }

    /// Adds bytes that stand in the log at `raw` as they are.
    #[inline]
    pub(super) fn copy(&mut self, bytes: &[u8], raw: usize) {
        let goes_on = self.segments.last().is_some_and(|last| {
            let len = self.text.len() - last.text as usize;
            len == last.len as usize && last.raw as usize + len == raw
        });
        match self.segments.last_mut() {
            Some(last) if goes_on => last.len += bytes.len() as u32,
            _ if bytes.is_empty() => {}
            _ => self.segments.push(Segment { text: self.text.len() as u32, raw: raw as u32, len: bytes.len() as u32 }),
        }
        self.text.extend_from_slice(bytes);
    }

    /// Adds text that stands for `raw` as a whole.
    pub(super) fn substitute(&mut self, text: &[u8], raw: Range<usize>) {
        if !text.is_empty() {
            self.segments.push(Segment { text: self.text.len() as u32, raw: raw.start as u32, len: raw.len() as u32 });
            self.text.extend_from_slice(text);
        }
    }

    /// Takes the last byte back.
    pub(super) fn pop(&mut self) {
        self.text.pop();
        match self.segments.last_mut() {
            Some(last) if last.text as usize == self.text.len() => drop(self.segments.pop()),
            Some(last) => last.len -= 1,
            None => {}
        }
    }

    /// Takes the last character back, but no newline and nothing before `floor`.
    pub(super) fn pop_character(&mut self, floor: usize) {
        while let Some(&last) = self.text[floor..].last().filter(|&&last| last != b'\n') {
            self.pop();
            if last & 0xC0 != 0x80 {
                return;
            }
        }
    }

    /// Notes that lines were left out here.
    pub(super) fn gap(&mut self) {
        self.gaps.push(self.text.len() as u32);
    }

    /// Notes that lines were joined here because they looked wrapped.
    pub(super) fn seam(&mut self) {
        self.seams.push(self.text.len() as u32);
    }

    /// The segments of a stretch: their text, what it stands for, and whether byte for byte.
    fn pieces(&self, stretch: Range<usize>) -> impl Iterator<Item = (Range<usize>, Range<usize>, bool)> + '_ {
        let first = self.segments.partition_point(|segment| segment.text as usize <= stretch.start).saturating_sub(1);
        (first..self.segments.len()).map_while(move |index| {
            let Segment { text, raw, len } = self.segments[index];
            let (text, raw, len) = (text as usize, raw as usize, len as usize);
            let end = self.segments.get(index + 1).map_or(self.text.len(), |next| next.text as usize);
            let part = text.max(stretch.start)..end.min(stretch.end);
            if part.is_empty() {
                return None;
            }
            let exact = end - text == len;
            let from = if exact { raw + (part.start - text)..raw + (part.end - text) } else { raw..raw + len };
            Some((part, from, exact))
        })
    }

    /// Adds a stretch of another text, with the places that one came from.
    pub(super) fn copy_from(&mut self, other: &Normalised, stretch: Range<usize>) {
        for (part, from, exact) in other.pieces(stretch) {
            match exact {
                true => self.copy(&other.text[part], from.start),
                false => self.substitute(&other.text[part], from),
            }
        }
    }

    /// Adds a stretch of this text once more.
    pub(super) fn repeat(&mut self, stretch: Range<usize>) {
        let pieces: Vec<_> = self.pieces(stretch).collect();
        for (part, from, exact) in pieces {
            let bytes = self.text[part].to_vec();
            match exact {
                true => self.copy(&bytes, from.start),
                false => self.substitute(&bytes, from),
            }
        }
    }
}

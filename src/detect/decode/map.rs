//! The way back from decoded bytes to the text that they were written in.

use std::ops::Range;

/// Where the encoded text has each part of the decoded one.
#[derive(Debug)]
pub(super) enum Map {
    /// Any part may depend on any other: compressed.
    Whole(Range<usize>),
    /// So many digits write so many bytes (base64 4 and 3). Digits stand in stretches: the number of the first digit
    /// of each, and its place.
    Digits { digits: usize, bytes: usize, stretches: Vec<(usize, usize)> },
    /// Most bytes stand for themselves.
    Pieces(Vec<Piece>),
}

/// A part of the decoded text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Where it begins in the decoded text.
    pub out: usize,
    /// Where it begins in the encoded text.
    pub from: usize,
    /// How much of the encoded text stands for it, if not each byte for itself.
    pub escape: Option<usize>,
}

impl Map {
    /// The part of the encoded text that writes `span`, which is not empty, of the decoded one.
    pub fn source(&self, span: &Range<usize>) -> Range<usize> {
        match self {
            Map::Whole(all) => all.clone(),
            Map::Digits { digits, bytes, stretches } => {
                let place = |digit: usize| {
                    let stretch = stretches.partition_point(|(first, _)| *first <= digit).saturating_sub(1);
                    stretches.get(stretch).map_or(0, |(first, place)| place + (digit - first))
                };
                place(span.start * digits / bytes)..place((span.end * digits).div_ceil(*bytes) - 1) + 1
            }
            Map::Pieces(pieces) => {
                let at = |out: usize| &pieces[pieces.partition_point(|piece| piece.out <= out).saturating_sub(1)];
                let (first, last) = (at(span.start), at(span.end - 1));
                let start = first.escape.map_or(first.from + (span.start - first.out), |_| first.from);
                let end = last.from + last.escape.unwrap_or(span.end - last.out);
                start..end
            }
        }
    }

    /// Whether decoding made a difference to `span` or right beside it.
    pub fn changed(&self, span: &Range<usize>) -> bool {
        let Map::Pieces(pieces) = self else { return true };
        let near = pieces.partition_point(|piece| piece.out < span.start);
        let inside = pieces[near..].iter().take_while(|piece| piece.out <= span.end);
        // A piece that begins right behind the span tells of it only if it is an escape.
        let mut inside = inside.filter(|piece| piece.out < span.end || piece.escape.is_some());
        inside.any(|piece| piece.out > 0 || piece.escape.is_some())
            || pieces[..near].last().is_some_and(|piece| piece.escape.is_some())
    }
}

/// Decoded bytes and their map, as they grow.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub bytes: Vec<u8>,
    pub pieces: Vec<Piece>,
}

impl Copied {
    /// Adds what stands for itself, from `from` of the encoded text.
    pub fn copy(&mut self, from: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.pieces.push(Piece { out: self.bytes.len(), from, escape: None });
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Adds what `len` bytes at `from` of the encoded text stand for.
    pub fn escape(&mut self, from: usize, len: usize, bytes: &[u8]) {
        self.pieces.push(Piece { out: self.bytes.len(), from, escape: Some(len) });
        self.bytes.extend_from_slice(bytes);
    }
}

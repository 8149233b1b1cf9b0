//! Keeps what is compressed in an encoded text that is longer than a chunk until its end has come.

use std::ops::Range;

use super::snippet::Masks;
use super::suspect::Suspect;
use crate::chunk::{Chunk, Encoding, Position};
use crate::detect::Candidate;
use crate::detect::decode::{Left, Unwrapped};
use crate::finding::Region;
use crate::source::encoding::encoded_len;
use crate::source::read::forward;

/// Most bytes of an encoded text that are kept. A release of Helm's has at most 1.5 MB.
const MOST: usize = 32 << 20;

/// What is kept of the bytes around it, in bytes: as much as decides what a manifest calls it.
const AROUND: usize = 8 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Collector {
    held: Option<Held>,
    left: Left,
}

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    /// Where `bytes[0]` stands.
    start: Position,
    encoding: Encoding,
    /// How much of it stands before the encoded text.
    lead: usize,
    /// How far in the object it was read.
    next: u64,
    /// Too long.
    given_up: bool,
}

impl Collector {
    /// What was left out since this was asked last.
    pub(super) fn left(&mut self) -> Left {
        std::mem::take(&mut self.left)
    }

    /// Up to where everything was found once the chunk was searched: the end of what it answers for, or where a text begins
    /// that is kept.
    pub(super) fn pending(&self, chunk: &Chunk<'_>) -> Position {
        match &self.held {
            Some(held) if !held.given_up => forward(held.start, held.encoding, &held.bytes[..held.lead]),
            _ => forward(chunk.start, chunk.encoding, &chunk.bytes[..chunk.own.end]),
        }
    }

    /// Takes in a chunk, in which texts begin at `cut` that need their rest; gives what was found in one that ends in it.
    pub(super) fn chunk<'d>(
        &mut self,
        chunk: &Chunk<'_>,
        cut: &[Range<usize>],
        search: &mut dyn FnMut(&[u8]) -> Unwrapped<'d>,
    ) -> Vec<Suspect> {
        let mut suspects = Vec::new();
        if let Some(mut held) = self.held.take() {
            match held.take(chunk) {
                Some(end) if !held.given_up => {
                    let unwrapped = search(&held.bytes);
                    self.left = self.left.max(unwrapped.left);
                    suspects = held.suspects(end, &unwrapped.candidates);
                }
                Some(_) => {}
                None => {
                    if !held.given_up && held.bytes.len() > MOST {
                        held.bytes = Vec::new();
                        held.given_up = true;
                        self.left = Left::TooMuch;
                    }
                    self.held = Some(held);
                }
            }
        }
        if self.held.is_none()
            && let Some(first) = cut.iter().map(|cut| cut.start).filter(|start| *start < chunk.own.end).min()
        {
            self.held = Some(Held::new(chunk, first));
        }
        suspects
    }
}

impl Held {
    fn new(chunk: &Chunk<'_>, first: usize) -> Self {
        let mut from = first.saturating_sub(AROUND);
        while from > 0 && chunk.bytes[from] & 0xC0 == 0x80 {
            from -= 1;
        }
        Held {
            bytes: chunk.bytes[from..chunk.own.end].to_vec(),
            start: forward(chunk.start, chunk.encoding, &chunk.bytes[..from]),
            encoding: chunk.encoding,
            lead: first - from,
            next: chunk.start.offset + encoded_len(chunk.encoding, &chunk.bytes[..chunk.own.end]),
            given_up: false,
        }
    }

    /// Adds what the chunk answers for. Returns where in `bytes` the text ended, once that is so.
    fn take(&mut self, chunk: &Chunk<'_>) -> Option<usize> {
        let from = index(chunk, self.next);
        let fresh = &chunk.bytes[from..chunk.own.end.max(from)];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_= \t\r\n".contains(byte);
        let end = fresh.iter().position(|byte| !is_part(byte));
        if end.is_none() && !chunk.ends {
            self.next += encoded_len(self.encoding, fresh);
            if !self.given_up {
                self.bytes.extend_from_slice(fresh);
            }
            return None;
        }
        let end = end.unwrap_or(fresh.len());
        let ends = self.bytes.len() + end;
        self.bytes.extend_from_slice(&chunk.bytes[from..chunk.bytes.len().min(from + end + AROUND)]);
        Some(ends)
    }

    /// What was compressed in the text; everything else was found without its rest.
    fn suspects(&self, end: usize, candidates: &[Candidate<'_>]) -> Vec<Suspect> {
        let packed = |one: &&Candidate<'_>| {
            (self.lead..end).contains(&one.span.start) && one.wrapping.layers.iter().any(|layer| layer.is_compressed())
        };
        let mut suspects = Vec::new();
        for one in candidates.iter().filter(packed) {
            let start = forward(self.start, self.encoding, &self.bytes[..one.span.start]);
            let region = Region { start, end: forward(start, self.encoding, &self.bytes[one.span.clone()]) };
            suspects.push(Suspect::of(&self.bytes, one, &Masks::of(&self.bytes, std::iter::empty()), region));
        }
        suspects
    }
}

/// Where the byte at `offset` of the object stands in the chunk.
fn index(chunk: &Chunk<'_>, offset: u64) -> usize {
    let ahead = offset.saturating_sub(chunk.start.offset);
    if chunk.encoding == Encoding::Bytes {
        return chunk.bytes.len().min(ahead as usize);
    }
    let text = std::str::from_utf8(chunk.bytes).unwrap_or_default();
    let mut passed = 0;
    for (at, character) in text.char_indices() {
        if passed >= ahead {
            return at;
        }
        passed += encoded_len(chunk.encoding, &text.as_bytes()[at..at + character.len_utf8()]);
    }
    chunk.bytes.len()
}

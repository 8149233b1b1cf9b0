//! Turns encoded text into the text it stands for, and searches that.
//!
//! Spots → regions → decoded text with the way back → candidates, whose places are those of the encoded text.

use std::collections::HashMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::{Candidate, Detector, Scratch, Where, believe, settle};
use crate::finding::Proof;
use crate::rule::ProofKind;
use crate::secret::Fingerprint;

mod digits;
mod escapes;
mod inflate;
mod kubernetes;
mod layer;
mod map;
pub mod spots;
mod wide;

use digits::Run;
use inflate::{Inflated, inflate};
pub use layer::Layer;
use map::Map;
use spots::{Hint, Spot};

/// How many encodings inside each other are undone unless the user says otherwise. Compression inside of one does not count.
pub const DEPTH: u8 = 3;

/// Most bytes that one encoded text may decode to, all its layers together.
const ROOM: u64 = 64 << 20;

/// Most bytes that all encoded texts in what is searched at once may decode to, by its size: a mail of documents, a list of Helm's releases.
fn room_of(bytes: &[u8]) -> u64 {
    ROOM + 8 * bytes.len() as u64
}

/// What is read around a spot of an encoding that leaves most bytes as they are: before, and behind.
const LEFT: usize = 512;
const RIGHT: usize = 4 << 10;

/// Spots near each other are decoded together, but no more than about this, in bytes; a candidate that may reach over the
/// end is left to the next part, which begins at a spot so far before.
const TILE: usize = 64 << 10;
const OVERLAP: usize = 2 << 10;

/// The longest way to write one byte, or the bytes that are written together, in bytes: what is cut off within is not decoded.
const UNIT: usize = 8;

/// Places in one run of digits at which something compressed is looked for; a run of nothing but its signs has many.
const TRIES: u32 = 8;

/// Undoes archives and documents: adds all that is in one, but no more than so many bytes, and says what it left.
pub type Open = fn(&[u8], u64, &mut Vec<u8>) -> Left;

/// What a candidate was wrapped in.
#[derive(Clone, Debug, Default)]
pub struct Wrapping {
    /// From the outside in; empty for what stands there as it is.
    pub layers: Vec<Layer>,
    /// The encoded text that it is a part of.
    pub text: Range<usize>,
    /// What the pattern matched, decoded.
    pub matched: Zeroizing<Vec<u8>>,
}

/// The fact that names the key of a value in a Kubernetes Secret.
pub(super) const KEY_FACT: &str = "kubernetes.key";

/// What came of decoding.
#[derive(Debug, Default)]
pub struct Unwrapped<'d> {
    /// The candidates, by their places in the encoded text.
    pub candidates: Vec<Candidate<'d>>,
    /// Where encoded texts begin that may go on behind the end, and cannot be decoded without their rest.
    pub cut: Vec<Range<usize>>,
    /// Why not all was searched.
    pub left: Left,
}

/// Why something of what is encoded was not searched; of several reasons the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// All was.
    #[default]
    Nothing,
    /// Something compressed is broken or cut off.
    Broken,
    /// It is an archive, or has a member, of a kind that is not read.
    Strange,
    /// An archive or one of its members has a password.
    Locked,
    /// Something was larger when decoded than is allowed, and was not searched to its end.
    TooMuch,
}

impl Detector {
    /// Candidates in what is encoded in `bytes`, at the spots that the last call of [`Detector::candidates`] for the same
    /// bytes left in `scratch`. `ends`: nothing follows.
    pub fn unwrapped<'d>(&'d self, scratch: &mut Scratch, bytes: &[u8], place: Where<'_>, ends: bool) -> Unwrapped<'d> {
        let spots = std::mem::take(&mut scratch.spots);
        if spots.is_empty() || self.depth == 0 {
            return Unwrapped::default();
        }
        let all = room_of(bytes);
        let mut search = Search { detector: self, scratch, place, all, room: ROOM, left: Left::Nothing, fresh: true };
        let found = search.inside(bytes, spots, self.depth, ends);
        let mut candidates = found.candidates;
        candidates.sort_by_key(|one| (one.span.start, one.span.end));
        Unwrapped { candidates, cut: found.cut, left: search.left }
    }
}

/// One search through the layers.
struct Search<'d, 's, 'w> {
    detector: &'d Detector,
    scratch: &'s mut Scratch,
    place: Where<'w>,
    /// Bytes that may still be decoded, of all texts and of the one at hand.
    all: u64,
    room: u64,
    left: Left,
    /// At the outermost layer: each text there has its own room, as long as there is any.
    fresh: bool,
}

#[derive(Default)]
struct Inside<'d> {
    candidates: Vec<Candidate<'d>>,
    cut: Vec<Range<usize>>,
    /// Where candidates of the last run of digits are, which those of its lines are compared with; none meets another.
    told: Vec<Range<usize>>,
}

/// A decoded text and where it stood.
struct Decoded {
    layers: Vec<Layer>,
    text: Vec<u8>,
    map: Map,
    /// The whole encoded text.
    all: Range<usize>,
    /// The encoded text reaches to the end of what was there, and there may be more.
    cut: bool,
    /// Where the value begins that a manifest may have a key for.
    value: Option<usize>,
    /// Which part it is of what may be one text over several lines, or one on each.
    lines_of: Option<Part>,
}

/// A part of a run of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All lines together.
    Whole,
    /// One: what is known of it from all together is not told again.
    Line,
}

/// A way to write bytes in digits.
struct Base {
    layer: Layer,
    around: fn(&[u8], usize) -> Run,
    texts: fn(&[u8], &mut dyn FnMut(usize)),
    decode: fn(&[u8]) -> Vec<u8>,
    /// So many of them write so many bytes.
    digits: usize,
    bytes: usize,
}

impl Base {
    const B64: Base = Base {
        layer: Layer::Base64,
        around: Run::around,
        texts: |digits, each| digits::texts64(digits, each),
        decode: digits::decode64,
        digits: 4,
        bytes: 3,
    };
    const HEX: Base = Base {
        layer: Layer::Hex,
        around: Run::around16,
        texts: |digits, each| digits::texts16(digits, each),
        decode: digits::decode16,
        digits: 2,
        bytes: 1,
    };

    fn decoded(&self, digits: &[u8], stretches: Vec<(usize, usize)>, all: Range<usize>) -> Decoded {
        let value = (self.layer == Layer::Base64).then_some(all.start);
        let map = Map::Digits { digits: self.digits, bytes: self.bytes, stretches };
        let (layers, text) = (vec![self.layer], (self.decode)(digits));
        Decoded { layers, text, map, all, cut: false, value, lines_of: None }
    }
}

impl<'d> Search<'d, '_, '_> {
    /// Candidates in what is encoded in `bytes`.
    fn inside(&mut self, bytes: &[u8], mut spots: Vec<Spot>, depth: u8, ends: bool) -> Inside<'d> {
        spots.sort_unstable();
        spots.dedup();
        let outermost = std::mem::replace(&mut self.fresh, false);
        let mut found = Inside::default();
        let mut take = |search: &mut Self, decoded: Decoded| {
            let room = search.room;
            let before = found.candidates.len();
            let (lines_of, all) = (decoded.lines_of, decoded.all.clone());
            search.decoded(decoded, bytes, depth, &mut found);
            if outermost {
                search.all -= room - search.room;
                search.room = ROOM.min(search.all);
            }
            match lines_of {
                None => found.told.retain(|_| false),
                Some(Part::Whole) => {
                    // Its other readings, and those of its lines, are compared with it.
                    found.told.retain(|told| meet(told, &all));
                    found.told.extend(found.candidates[before..].iter().map(|one| one.span.clone()));
                    found.told.sort_by_key(|told| told.start);
                    found.told.dedup_by(|next, last| {
                        meet(last, next) && {
                            last.end = last.end.max(next.end);
                            true
                        }
                    });
                }
                Some(Part::Line) => {
                    let told = &found.told;
                    let is_new = |one: &Candidate<'_>| {
                        let at = told.partition_point(|told| told.end <= one.span.start);
                        told.get(at).is_none_or(|told| !meet(told, &one.span))
                    };
                    let new: Vec<_> = found.candidates.drain(before..).filter(is_new).collect();
                    found.candidates.extend(new);
                }
            }
        };
        self.runs(bytes, &spots, ends, &mut take);
        for layer in [Layer::Percent, Layer::Escape, Layer::Html, Layer::QuotedPrintable, Layer::Concatenation] {
            for range in stretches(bytes, &spots, layer) {
                if let Some((text, map)) = escapes::decode(layer, bytes, &range) {
                    let cut = !ends && range.end == bytes.len();
                    take(
                        self,
                        Decoded { layers: vec![layer], text, map, all: range, cut, value: None, lines_of: None },
                    );
                }
            }
        }
        self.fresh = outermost;
        Inside { candidates: once(found.candidates), ..found }
    }

    /// What consists of nothing but digits, or of characters with zeros between them.
    fn runs(&mut self, bytes: &[u8], spots: &[Spot], ends: bool, take: &mut dyn FnMut(&mut Self, Decoded)) {
        let (mut done64, mut done16, mut tried) = (0, 0, (0, 0));
        for spot in spots {
            match spot.hint {
                Hint::Packed => {
                    tried.1 = if spot.at < tried.0 { tried.1 + 1 } else { 0 };
                    if tried.1 < TRIES {
                        tried.0 = self.packed(bytes, spot.at, ends, take);
                    }
                }
                Hint::Text(layer @ (Layer::Base64 | Layer::Hex)) => {
                    let (base, done) =
                        if layer == Layer::Hex { (Base::HEX, &mut done16) } else { (Base::B64, &mut done64) };
                    if spot.at >= *done {
                        *done = self.digits(&base, bytes, spot.at, ends, take);
                    }
                }
                Hint::Text(Layer::Utf16) => {
                    let stretch = wide::around(bytes, spot.at);
                    let (text, map) = wide::decode(bytes, &stretch);
                    let (layers, cut) = (vec![Layer::Utf16], !ends && stretch.end + 2 >= bytes.len());
                    take(self, Decoded { layers, text, map, all: stretch, cut, value: None, lines_of: None });
                }
                Hint::Text(_) => {}
            }
        }
    }

    /// The run of digits around `at`, together and line by line: lines that were taken for one text may be one each. Returns where it ends.
    fn digits(
        &mut self,
        base: &Base,
        bytes: &[u8],
        at: usize,
        ends: bool,
        take: &mut dyn FnMut(&mut Self, Decoded),
    ) -> usize {
        let run = (base.around)(bytes, at);
        let cut = !ends && run.end == bytes.len();
        let mut phases = [false; 4];
        (base.texts)(&run.digits(bytes, 0).0, &mut |at| phases[at % base.digits] = true);
        for phase in (0..4).filter(|phase| phases[*phase]) {
            let (digits, stretches) = run.digits(bytes, run.start() + phase);
            let all = run.start()..run.end;
            take(self, Decoded { cut, lines_of: Some(Part::Whole), ..base.decoded(&digits, stretches, all) });
        }
        // What the last one goes on with is not known.
        let lines = if cut { run.lines.len() - 1 } else { run.lines.len() };
        for all in run.lines[..lines].iter().filter(|_| run.lines.len() > 1).cloned() {
            let (digits, mut is_text) = (&bytes[all.clone()], false);
            (base.texts)(digits, &mut |at| is_text |= at % base.digits == 0);
            if is_text {
                take(self, Decoded { lines_of: Some(Part::Line), ..base.decoded(digits, vec![(0, all.start)], all) });
            }
        }
        run.end
    }

    /// Base64 from `at` on of something compressed. Returns where the digits end.
    fn packed(&mut self, bytes: &[u8], at: usize, ends: bool, take: &mut dyn FnMut(&mut Self, Decoded)) -> usize {
        let run = Run::around(bytes, at);
        let (digits, _) = run.digits(bytes, at);
        let all = at..run.end;
        let cut = !ends && run.end == bytes.len();
        let whole = bytes;
        if self.room == 0 {
            self.left = Left::TooMuch;
            return run.end;
        }
        let Some(Inflated { layer, bytes, left }) = inflate(&digits::decode64(&digits), self.room, self.detector.open)
        else {
            return run.end;
        };
        let (layers, text, map) =
            (vec![Layer::Base64, layer], if cut { Vec::new() } else { bytes }, Map::Whole(all.clone()));
        // Without padding it may go on in another string or line; two bytes are no sure sign of zlib.
        let is_whole = is_padded(whole, &run) && layer != Layer::Zlib;
        let left = if cut || (left == Left::Broken && !is_whole) { Left::Nothing } else { left };
        self.left = self.left.max(left);
        take(self, Decoded { layers, text, map, all, cut, value: Some(run.start()), lines_of: None });
        run.end
    }

    /// Searches a decoded text and what is encoded in it.
    fn decoded(&mut self, decoded: Decoded, whole: &[u8], depth: u8, found: &mut Inside<'d>) {
        let Decoded { layers, text, map, all, cut, value, lines_of: _ } = decoded;
        if let (Map::Whole(place), true) = (&map, cut) {
            return found.cut.push(place.clone());
        }
        let Some(room) = self.room.checked_sub(text.len() as u64) else {
            self.left = Left::TooMuch;
            return;
        };
        self.room = room;
        let detector = self.detector;
        let mut candidates = detector.candidates(self.scratch, &text, &(0..text.len()), self.place);
        let spots = std::mem::take(&mut self.scratch.spots);
        believe(&mut candidates);
        settle(&mut candidates, |one| (one.span.start as u64..one.span.end as u64, one.rule, &one.proof));
        let mut plain: Vec<Candidate<'d>> = candidates.into_iter().filter_map(|one| detector.own(one, &text)).collect();
        if depth > 1 && !spots.is_empty() {
            let inner = self.inside(&text, spots, depth - 1, !cut);
            plain.extend(inner.candidates);
            found.cut.extend(inner.cut.iter().map(|_| all.clone()));
        }
        if plain.is_empty() {
            return;
        }
        let facts = value.map_or(Vec::new(), |at| kubernetes::facts(whole, at));
        for mut one in plain {
            // The last character of UTF-16 may be cut in half.
            let source = |span: &Range<usize>| Range { end: map.source(span).end.min(all.end), ..map.source(span) };
            let span = source(&one.span);
            let deeper = !one.wrapping.layers.is_empty();
            // It may go on where the part at hand ends; or nothing was undone in it, and what has no other layer is found without this.
            let written = if deeper { &one.wrapping.text } else { &one.span };
            let place = source(written);
            let begins_open = place.start < all.start + UNIT && all.start > 0;
            let ends_open = place.end + UNIT > all.end && all.end < whole.len() && !is_run(&layers);
            if ends_open || (!map.changed(written) && (!deeper || begins_open)) {
                continue;
            }
            one.matched = source(&one.matched);
            one.span = span;
            // The least that shows nothing of it: what decodes to it, and where that is no certain part, everything.
            one.wrapping.text = match &map {
                Map::Pieces(_) if deeper => source(&one.wrapping.text),
                Map::Pieces(_) => one.span.clone(),
                Map::Whole(_) | Map::Digits { .. } => all.clone(),
            };
            one.wrapping.layers.splice(0..0, layers.iter().copied());
            // The innermost manifest is the one that names it.
            if one.facts.iter().all(|fact| fact.name != KEY_FACT) {
                one.facts.extend(facts.iter().cloned());
            }
            found.candidates.push(one);
        }
    }
}

impl Detector {
    /// A candidate that borrows nothing from the text in which it was found.
    fn own<'d>(&'d self, candidate: Candidate<'_>, text: &[u8]) -> Option<Candidate<'d>> {
        let wrapping = match candidate.wrapping.layers.is_empty() {
            true => Wrapping { matched: text[candidate.matched.clone()].to_vec().into(), ..Wrapping::default() },
            false => candidate.wrapping,
        };
        Some(Candidate {
            rule: self.rules.get(&candidate.rule.id)?,
            matched: candidate.matched.clone(),
            span: candidate.span,
            token: candidate.token.into_owned().into(),
            proof: candidate.proof,
            confidence: candidate.confidence,
            facts: candidate.facts,
            judgement: candidate.judgement,
            wrapping,
        })
    }
}

/// Whether padding says that a run of base64 ends where it does.
fn is_padded(bytes: &[u8], run: &Run) -> bool {
    run.end > run.start() && bytes[run.end - 1] == b'='
}

/// Encodings whose texts end by themselves.
fn is_run(layers: &[Layer]) -> bool {
    matches!(layers[0], Layer::Base64 | Layer::Hex | Layer::Utf16)
}

/// The parts of `bytes` that are decoded because of spots of that layer.
fn stretches(bytes: &[u8], spots: &[Spot], layer: Layer) -> Vec<Range<usize>> {
    let spots: Vec<usize> = spots.iter().filter(|spot| spot.hint == Hint::Text(layer)).map(|spot| spot.at).collect();
    let (mut all, mut next) = (Vec::new(), 0);
    while let Some(&first) = spots.get(next) {
        let mut start = first.saturating_sub(LEFT);
        // Not behind a backslash that belongs to what follows.
        while start > 0 && bytes[start - 1] == b'\\' {
            start -= 1;
        }
        let mut end = first + RIGHT;
        next += 1;
        while let Some(&spot) = spots.get(next).filter(|spot| **spot < end - OVERLAP) {
            if end - start < TILE {
                end = spot + RIGHT;
            }
            next += 1;
        }
        all.push(start..end.min(bytes.len()));
    }
    all
}

/// What is found by several ways comes once, by the shortest.
fn once(mut candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    candidates.sort_by_key(|one| (one.wrapping.layers.len(), one.span.start));
    let (mut kept, mut by_token): (Vec<Candidate<'_>>, HashMap<Fingerprint, Vec<usize>>) = Default::default();
    for one in candidates {
        let known = by_token.entry(Fingerprint::of_strong(&one.token)).or_default();
        let is_same = |other: &Candidate<'_>| meet(&other.span, &one.span) && compete(other, &one);
        if !known.iter().any(|at| is_same(&kept[*at])) {
            known.push(kept.len());
            kept.push(one);
        }
    }
    kept
}

fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Whether only one of both may be kept: what is judged together with something else stands beside other rules' candidates.
pub(crate) fn compete(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    one.rule.id == other.rule.id || !(one.rule.is_apart() || other.rule.is_apart())
}

/// Adds what was wrapped to what stands there as it is (already settled): each token in a place once, and of two
/// readings of the same bytes the one that proves more.
pub fn join<'c>(plain: &mut Vec<Candidate<'c>>, wrapped: Vec<Candidate<'c>>) {
    let rank = |one: &Candidate<'_>| match one.proof {
        Proof::Holds(_) => (one.rule.is_strong(), 2),
        Proof::Absent => (one.rule.is_strong(), 1),
        Proof::Fails(_) => (one.rule.is_strong(), 0),
    };
    let mut yields = vec![false; plain.len()];
    let mut added = Vec::new();
    for one in wrapped {
        let from = plain.partition_point(|other| other.span.end <= one.span.start);
        let met = from..from + plain[from..].iter().take_while(|other| other.span.start < one.span.end).count();
        let known = plain[met.clone()].iter().filter(|other| compete(other, &one)).any(|other| {
            // A key that a rule reads in base64 is the key in it.
            let key = other.rule.proof == Some(ProofKind::PrivateKey) && one.rule.proof == other.rule.proof;
            let same = other.rule.id == one.rule.id || key || other.token == one.token;
            same && rank(other) >= rank(&one)
        });
        if !known {
            met.for_each(|at| yields[at] |= compete(&one, &plain[at]) && rank(&one) > rank(&plain[at]));
            added.push(one);
        }
    }
    let mut yields = yields.into_iter();
    plain.retain(|_| !yields.next().unwrap_or(false));
    plain.extend(added);
    plain.sort_by_key(|one| (one.span.start, one.span.end));
}

#[cfg(test)]
mod tests;

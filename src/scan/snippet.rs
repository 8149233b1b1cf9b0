//! The text around a secret, with every secret in it masked.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use memchr::{memchr, memrchr};

use crate::detect::Candidate;
use crate::finding::Snippet;
use crate::rule::{Confidence, Rule};

/// How much of a line is kept on either side of a secret, in bytes.
const KEPT: usize = 160;

/// How far a line is followed for comments and allowlists, in bytes on either side of a match.
const LINE: usize = 4096;

/// How much text on either side makes up the fingerprint of a place, in bytes.
const NEIGHBOURS: usize = 64;

/// Longest kind prefix that is shown unmasked, in bytes.
const PREFIX: usize = 32;

/// A secret of at least so many bytes may be longer than the rule that found it looks: most rules by name end with 100.
pub(super) const LONG: usize = 60;

/// Copies of secrets are looked for by so many of their first bytes: the most that a secret has.
const HEADS: [usize; 3] = [16, 6, 1];

/// All secrets of a chunk: where they were found, and their bytes, for further copies nearby.
pub(super) struct Masks<'b> {
    bytes: &'b [u8],
    /// Where they were found, sorted, and how each shows.
    spans: Vec<(Range<usize>, String)>,
    /// Bytes of the longest.
    longest: usize,
    /// Those that begin so, as indices of spans; each text once.
    heads: [HashMap<&'b [u8], Vec<usize>>; HEADS.len()],
}

impl<'b> Masks<'b> {
    pub(super) fn of<'c>(bytes: &'b [u8], candidates: impl Iterator<Item = &'c Candidate<'c>>) -> Self {
        let mut spans = Vec::new();
        // Copies of these are not masked: they are most likely words.
        let mut words = HashSet::new();
        for candidate in candidates {
            let span = match candidate.wrapping.layers.is_empty() {
                true => candidate.span.clone(),
                // All of it: what stands beside the secret in its encoded text could be put together with what is shown.
                false => candidate.wrapping.text.clone(),
            };
            if candidate.confidence == Confidence::Low && candidate.rule.provider == "generic" {
                words.insert(span.clone());
            }
            spans.push((span, redacted(candidate.rule, &candidate.token)));
        }
        spans.sort_by_key(|(span, _)| (span.start, span.end));
        // Thousands may be in one encoded text.
        spans.dedup_by(|next, last| next.0 == last.0);
        let longest = spans.iter().map(|(span, _)| span.len()).max().unwrap_or(0);
        let mut heads: [HashMap<&[u8], Vec<usize>>; HEADS.len()] = Default::default();
        let mut seen = HashSet::new();
        for (index, (span, _)) in spans.iter().enumerate().filter(|(_, (span, _))| !words.contains(span)) {
            let secret = &bytes[span.clone()];
            if let Some(table) = HEADS.iter().position(|len| *len <= secret.len())
                && seen.insert(secret)
            {
                heads[table].entry(&secret[..HEADS[table]]).or_default().push(index);
            }
        }
        Masks { bytes, spans, longest, heads }
    }

    /// The secrets that were found in the window or reach into it, and the copies of secrets in it.
    fn within(&self, window: &Range<usize>) -> Vec<(Range<usize>, &str)> {
        let first = self.spans.partition_point(|(span, _)| span.start + self.longest < window.start);
        let found = self.spans[first..].iter().take_while(|(span, _)| span.start < window.end);
        let mut places: Vec<(Range<usize>, &str)> = found
            .filter(|(span, _)| window.start < span.end)
            .map(|(span, shown)| (span.clone(), shown.as_str()))
            .collect();
        for at in window.clone() {
            for (head, table) in HEADS.iter().zip(&self.heads).filter(|(_, table)| !table.is_empty()) {
                let rest = &self.bytes[at..window.end];
                let alike = rest.get(..*head).and_then(|head| table.get(head));
                for (span, shown) in alike.into_iter().flatten().map(|index| &self.spans[*index]) {
                    if rest.starts_with(&self.bytes[span.clone()]) {
                        places.push((at..at + span.len(), shown));
                    }
                }
            }
        }
        places
    }
}

/// A token as it may be shown: the prefix of its kind, and the last 4 characters of one that nobody could guess.
pub fn redacted(rule: &Rule, token: &[u8]) -> String {
    let lower = token.to_ascii_lowercase();
    let prefix = rule
        .keywords
        .iter()
        .filter_map(|keyword| Some(memchr::memmem::find(&lower, keyword.as_bytes())? + keyword.len()))
        .filter(|&end| end <= PREFIX && end + 8 <= token.len())
        .max()
        .unwrap_or(0);
    let tail = if rule.is_strong() && token.len() >= prefix + 12 { token.len() - 4 } else { token.len() };
    let shown = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    match tail < token.len() {
        true => format!("{}****…{}", shown(&token[..prefix]), shown(&token[tail..])),
        false => format!("{}****", shown(&token[..prefix])),
    }
}

/// The whole lines that `span` stands on, as far as they are followed.
pub(super) fn lines(bytes: &[u8], span: &Range<usize>) -> Range<usize> {
    around(bytes, span, LINE)
}

fn around(bytes: &[u8], span: &Range<usize>, most: usize) -> Range<usize> {
    let floor = span.start.saturating_sub(most);
    let ceiling = bytes.len().min(span.end + most);
    let start = memrchr(b'\n', &bytes[floor..span.start]).map_or(floor, |at| floor + at + 1);
    let end = memchr(b'\n', &bytes[span.end..ceiling]).map_or(ceiling, |at| span.end + at);
    start..end
}

/// The text around `span`, which shows as `redacted`, with all of `masks` masked. `line` is where `span` begins.
pub(super) fn mask(span: &Range<usize>, redacted: &str, masks: &Masks<'_>, line: u64) -> Snippet {
    let bytes = masks.bytes;
    let window = around(bytes, span, KEPT);
    let window = character_start(bytes, window.start)..character_start(bytes, window.end);
    let cut_before = window.start > 0 && bytes[window.start - 1] != b'\n';
    let cut_after = bytes.get(window.end).is_some_and(|&next| next != b'\n');
    let (mut text, mut mark, mut done) = (String::new(), 0..0, window.start);
    for (place, shown) in places(&window, span, redacted, masks) {
        text.push_str(&String::from_utf8_lossy(&bytes[done..place.start.max(done)]));
        let from = text.len();
        text.push_str(shown);
        if place.start <= span.start && span.end <= place.end {
            mark = from..text.len();
        }
        done = place.end;
    }
    text.push_str(&String::from_utf8_lossy(&bytes[done.min(window.end)..window.end]));
    if text.ends_with('\r') {
        text.pop();
    }
    Snippet { line, text, mark, cut_before, cut_after }
}

/// The secret alone, where what stands around it is too far apart.
pub(super) fn alone(redacted: &str, line: u64) -> Snippet {
    Snippet { line, text: redacted.to_owned(), mark: 0..redacted.len(), cut_before: true, cut_after: true }
}

/// Where a secret ends of which a rule may have found no more than the beginning.
pub(super) fn whole_end(bytes: &[u8], span: &Range<usize>) -> usize {
    let goes_on = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'`<>".contains(byte);
    let rest = if span.len() < LONG { 0 } else { bytes[span.end..].iter().take_while(goes_on).count() };
    span.end + rest
}

/// What has to be masked in the window and how it shows: disjoint, from the left.
fn places<'m>(
    window: &Range<usize>,
    span: &Range<usize>,
    redacted: &'m str,
    masks: &'m Masks<'_>,
) -> Vec<(Range<usize>, &'m str)> {
    let mut places: Vec<(Range<usize>, &str)> = vec![(span.clone(), redacted)];
    // Of what is most likely a word, copies are masked beside itself alone.
    let own = &masks.bytes[span.clone()];
    if own.len() <= window.len() {
        let copies = memchr::memmem::find_iter(&masks.bytes[window.clone()], own);
        places.extend(copies.map(|at| (window.start + at..window.start + at + own.len(), redacted)));
    }
    places.extend(masks.within(window));
    places.iter_mut().for_each(|(place, _)| place.end = whole_end(masks.bytes, place));
    places.sort_by_key(|(place, _)| place.start);
    let mut merged: Vec<(Range<usize>, &str)> = Vec::new();
    for (place, shown) in places {
        match merged.last_mut() {
            Some((last, _)) if place.start < last.end => last.end = last.end.max(place.end),
            _ => merged.push((place, shown)),
        }
    }
    // The finding's own mark is the one a reader looks for.
    if let Some((_, shown)) = merged.iter_mut().find(|(place, _)| place.start <= span.start && span.end <= place.end) {
        *shown = redacted;
    }
    merged
}

/// `at`, or a little before it where that would cut a UTF-8 character.
fn character_start(bytes: &[u8], at: usize) -> usize {
    let is_start = |at: usize| bytes.get(at).is_none_or(|&byte| byte & 0xC0 != 0x80);
    (at.saturating_sub(3)..=at).rev().find(|&at| is_start(at)).unwrap_or(at)
}

impl Snippet {
    /// The text before and after the mark that names a place whose secret could be guessed.
    pub(super) fn neighbours(&self) -> (&[u8], &[u8]) {
        let before = &self.text.as_bytes()[..self.mark.start];
        let after = &self.text.as_bytes()[self.mark.end..];
        (&before[before.len().saturating_sub(NEIGHBOURS)..], &after[..after.len().min(NEIGHBOURS)])
    }
}

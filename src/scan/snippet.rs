//! The text around a secret, with every secret in it masked.

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

/// A secret to mask: where one was found, and its bytes, for further copies nearby.
pub(super) struct Masked {
    span: Range<usize>,
    shown: String,
    /// Copies of it nearby are masked, too: not those of what is most likely a word.
    copies: bool,
}

impl Masked {
    pub(super) fn of(candidate: &Candidate<'_>) -> Self {
        let word = candidate.confidence == Confidence::Low && candidate.rule.provider == "generic";
        let span = match candidate.wrapping.layers.is_empty() {
            true => candidate.span.clone(),
            // All of it: what stands beside the secret in its encoded text could be put together with what is shown.
            false => candidate.wrapping.text.clone(),
        };
        Masked { span, shown: redacted(candidate.rule, &candidate.token), copies: !word }
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

/// The text around `span`, which shows as `redacted`, with all of `masked` masked. `line` is where `span` begins.
pub(super) fn mask(bytes: &[u8], span: &Range<usize>, redacted: &str, masked: &[Masked], line: u64) -> Snippet {
    let window = around(bytes, span, KEPT);
    let window = character_start(bytes, window.start)..character_start(bytes, window.end);
    let cut_before = window.start > 0 && bytes[window.start - 1] != b'\n';
    let cut_after = bytes.get(window.end).is_some_and(|&next| next != b'\n');
    let (mut text, mut mark, mut done) = (String::new(), 0..0, window.start);
    for (place, shown) in places(bytes, &window, span, redacted, masked) {
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

/// What has to be masked in the window and how it shows: disjoint, from the left.
fn places<'m>(
    bytes: &[u8],
    window: &Range<usize>,
    span: &Range<usize>,
    redacted: &'m str,
    masked: &'m [Masked],
) -> Vec<(Range<usize>, &'m str)> {
    let mut places: Vec<(Range<usize>, &str)> = vec![(span.clone(), redacted)];
    for one in masked {
        if one.span.start < window.end && window.start < one.span.end {
            places.push((one.span.clone(), &one.shown));
        }
        // A long encoded text has no copy in a window, and looking for it would cost its length for every snippet.
        if one.span.len() > window.len() || (!one.copies && one.span != *span) {
            continue;
        }
        let copies = memchr::memmem::find_iter(&bytes[window.clone()], &bytes[one.span.clone()]);
        places.extend(copies.map(|at| (window.start + at..window.start + at + one.span.len(), one.shown.as_str())));
    }
    places.sort_by_key(|(place, _)| place.start);
    let mut merged: Vec<(Range<usize>, &str)> = Vec::new();
    for (place, shown) in places {
        match merged.last_mut() {
            Some((last, last_shown)) if place.start < last.end => {
                last.end = last.end.max(place.end);
                // The finding's own mark is the one a reader looks for.
                if place.start <= span.start && span.end <= place.end {
                    *last_shown = shown;
                }
            }
            _ => merged.push((place, shown)),
        }
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

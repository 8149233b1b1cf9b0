//! The only code that touches every byte: finds the anchors of all rules, and loses none.
//!
//! A keyword of a rule whose every match has a run of [`RUN`] token characters is looked for only near such runs, which
//! are found first and at a cost that does not grow with the number of rules. Other keywords are looked for everywhere.
//! The oracle (tests, fuzzing) is a plain search for all keywords everywhere.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::shape::{RUN, is_run_byte};

/// A keyword at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Index of the keyword's first byte.
    pub at: usize,
    /// Which keyword, as an index into those the prefilter was made of.
    pub keyword: usize,
}

/// A keyword and where it has to be looked for.
#[derive(Clone, Debug)]
pub struct Keyword {
    /// Lower case; found in any case.
    pub text: String,
    /// `Some(n)`: only at most `n` bytes before a run, or inside one. `None`: everywhere.
    pub run_within: Option<usize>,
}

/// Finds keywords.
#[derive(Debug)]
pub struct Prefilter {
    near_runs: Option<Matcher>,
    everywhere: Option<Matcher>,
    lead: usize,
    tail: usize,
}

/// An automaton over some of the keywords, with their indices.
#[derive(Debug)]
struct Matcher {
    automaton: AhoCorasick,
    keywords: Vec<usize>,
}

impl Matcher {
    fn new(keywords: &[Keyword], everywhere: bool) -> Option<Self> {
        let chosen: Vec<usize> =
            (0..keywords.len()).filter(|&index| keywords[index].run_within.is_none() == everywhere).collect();
        if chosen.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // The automatic choice is 2.6 times slower at 232 keywords (reference/libraries.md, section 2).
            .kind(Some(AhoCorasickKind::DFA))
            // Windows are short: skipping ahead in them costs more than it saves.
            .prefilter(everywhere)
            .build(chosen.iter().map(|&index| &keywords[index].text))
            .expect("a few hundred short keywords stay far below the automaton's limits");
        Some(Matcher { automaton, keywords: chosen })
    }

    fn search(&self, bytes: &[u8], window: Range<usize>, out: &mut Vec<Anchor>) {
        let offset = window.start;
        let hits = self.automaton.find_overlapping_iter(&bytes[window]);
        out.extend(
            hits.map(|hit| Anchor { at: offset + hit.start(), keyword: self.keywords[hit.pattern().as_usize()] }),
        );
    }
}

impl Prefilter {
    /// For these keywords, each non-empty.
    pub fn new(keywords: &[Keyword]) -> Self {
        Prefilter {
            near_runs: Matcher::new(keywords, false),
            everywhere: Matcher::new(keywords, true),
            lead: keywords.iter().filter_map(|keyword| keyword.run_within).max().unwrap_or(0),
            tail: keywords.iter().map(|keyword| keyword.text.len()).max().unwrap_or(0),
        }
    }

    /// Replaces `out` by the anchors in `bytes`, sorted. There may be more than the rules need, never fewer.
    pub fn anchors(&self, bytes: &[u8], out: &mut Vec<Anchor>) {
        out.clear();
        if let Some(matcher) = &self.near_runs {
            let mut pending = 0..0;
            for_each_run(bytes, |run| {
                let window = run.start.saturating_sub(self.lead)..bytes.len().min(run.end + self.tail);
                if window.start <= pending.end {
                    pending.end = window.end;
                } else {
                    matcher.search(bytes, std::mem::replace(&mut pending, window), out);
                }
            });
            matcher.search(bytes, pending, out);
        }
        if let Some(matcher) = &self.everywhere {
            matcher.search(bytes, 0..bytes.len(), out);
        }
        out.sort_unstable();
    }
}

/// Bytes that are classified in one step.
const BLOCK: usize = 64;

/// Calls `each` with every maximal run of at least [`RUN`] run bytes, from the left.
pub fn for_each_run(bytes: &[u8], mut each: impl FnMut(Range<usize>)) {
    let mut done = 0;
    // Length of the run that the block before ends with.
    let mut carried = 0;
    let mut start = 0;
    while start < bytes.len() {
        let mask = match bytes[start..].first_chunk::<BLOCK>() {
            Some(block) => run_mask(block),
            None => {
                let mut block = [0; BLOCK];
                block[..bytes.len() - start].copy_from_slice(&bytes[start..]);
                run_mask(&block)
            }
        };
        let goes_on = mask.trailing_ones() as usize;
        if carried > 0 && goes_on > 0 && carried + goes_on >= RUN && start >= done {
            done = emit(bytes, start, done, &mut each);
        }
        let mut firsts = starts_of_runs(mask);
        while firsts != 0 {
            let inside = start + firsts.trailing_zeros() as usize;
            if inside >= done {
                done = emit(bytes, inside, done, &mut each);
            }
            // The rest of this run begins no other.
            let past = done.saturating_sub(start).max(1) as u32;
            firsts &= u64::MAX.checked_shl(past).unwrap_or(0);
        }
        carried = mask.leading_ones() as usize;
        // A run that fills blocks has been emitted to its end.
        start = (start + BLOCK).max(done / BLOCK * BLOCK);
    }
}

/// Bit n: RUN ones in a row begin at bit n.
fn starts_of_runs(mask: u64) -> u64 {
    const { assert!(RUN == 18) };
    let two = mask & mask >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let sixteen = eight & eight >> 8;
    sixteen & two >> 16
}

/// Passes on the maximal run around `inside`, not reaching below `floor`; returns its end.
fn emit(bytes: &[u8], inside: usize, floor: usize, each: &mut impl FnMut(Range<usize>)) -> usize {
    let before = bytes[floor..inside].iter().rev().take_while(|&&byte| is_run_byte(byte)).count();
    let after = bytes[inside..].iter().take_while(|&&byte| is_run_byte(byte)).count();
    each(inside - before..inside + after);
    inside + after
}

/// One bit a byte, the first byte lowest: whether it is a run byte.
#[cfg(target_arch = "x86_64")]
fn run_mask(block: &[u8; BLOCK]) -> u64 {
    // SAFETY: SSE2 is part of x86-64; the compiler asks for the word only because the feature is named below.
    unsafe { run_mask_sse2(block) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn run_mask_sse2(block: &[u8; BLOCK]) -> u64 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8, _mm_sub_epi8,
    };
    let mut mask = 0;
    for (index, sixteen) in block.chunks_exact(16).enumerate() {
        let half = |at: usize| i64::from_le_bytes(sixteen[at..at + 8].try_into().expect("8 bytes of 16"));
        let bytes = _mm_set_epi64x(half(8), half(0));
        // SSE2 compares signed; "at most n" in unsigned is "the minimum with n changes nothing".
        let offset = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8(b'a' as i8));
        let letter = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(25)), offset);
        let offset = _mm_sub_epi8(bytes, _mm_set1_epi8(b'0' as i8));
        let digit = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(9)), offset);
        let dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'-' as i8));
        let underscore = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'_' as i8));
        let any = _mm_or_si128(_mm_or_si128(letter, digit), _mm_or_si128(dash, underscore));
        mask |= u64::from(_mm_movemask_epi8(any) as u16) << (16 * index);
    }
    mask
}

/// One bit a byte, the first byte lowest: whether it is a run byte.
#[cfg(not(target_arch = "x86_64"))]
fn run_mask(block: &[u8; BLOCK]) -> u64 {
    block.iter().enumerate().fold(0, |mask, (index, &byte)| mask | u64::from(is_run_byte(byte)) << index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs_by_hand(bytes: &[u8]) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let len = bytes[at..].iter().take_while(|&&byte| is_run_byte(byte)).count();
            if len >= RUN {
                runs.push(at..at + len);
            }
            at += len.max(1);
        }
        runs
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        // Runs of every length around the limits, with separators, so that all alignments to blocks occur.
        let piece = prop_oneof![
            (0usize..200, prop::sample::select(b"aZ09_-".to_vec())).prop_map(|(len, byte)| vec![byte; len]),
            (15usize..25, prop::sample::select(b"aZ09_-".to_vec())).prop_map(|(len, byte)| vec![byte; len]),
            prop::collection::vec(any::<u8>(), 0..4),
            Just(b"ghp_".to_vec()),
            Just(b" GitLab ".to_vec()),
            Just(b"://".to_vec()),
            (0usize..80).prop_map(|len| vec![b' '; len]),
        ];
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn runs_are_what_a_plain_loop_finds(bytes in text()) {
            let mut found = Vec::new();
            for_each_run(&bytes, |run| found.push(run));
            prop_assert_eq!(found, runs_by_hand(&bytes));
        }

        #[test]
        fn no_anchor_is_lost(bytes in text()) {
            let keyword = |text: &str, run_within| Keyword { text: text.to_owned(), run_within };
            let keywords = [keyword("ghp_", Some(0)), keyword("gitlab", Some(30)), keyword("://", None)];
            let mut found = Vec::new();
            Prefilter::new(&keywords).anchors(&bytes, &mut found);
            let runs = runs_by_hand(&bytes);
            for (index, keyword) in keywords.iter().enumerate() {
                for at in 0..bytes.len().saturating_sub(keyword.text.len() - 1) {
                    let here = bytes[at..at + keyword.text.len()].eq_ignore_ascii_case(keyword.text.as_bytes());
                    let wanted = here && keyword.run_within.is_none_or(|lead| {
                        runs.iter().any(|run| at + lead >= run.start && at < run.end)
                    });
                    let anchor = Anchor { at, keyword: index };
                    prop_assert!(!wanted || found.contains(&anchor), "lost {:?}", anchor);
                    prop_assert!(here || !found.contains(&anchor), "invented {:?}", anchor);
                }
            }
        }
    }
}

//! The only code that touches every byte: finds the anchors of all rules, and loses none.
//!
//! A keyword of a rule whose every match has a run of [`RUN`] token characters is looked for only near such runs, which
//! are found first and at a cost that does not grow with the number of rules. Other keywords are looked for everywhere.
//! The oracle (tests, fuzzing) is a plain search for all keywords everywhere.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use memchr::memmem;

#[cfg(any(test, not(target_arch = "x86_64")))]
use super::shape::is_run_byte;
use super::shape::{Near, RUN, Stencil};

/// A keyword at a place, or a place where a stencil fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Index of its first byte.
    pub at: usize,
    /// Which, as an index into the keywords, and then the stencils, that the prefilter was made of.
    pub keyword: usize,
}

/// A keyword and where it has to be looked for.
#[derive(Clone, Debug)]
pub struct Keyword {
    /// In lower case.
    pub text: String,
    /// It is looked for in lower case only; otherwise in any case.
    pub lower_case: bool,
    /// Only near such a run; `None`: everywhere.
    pub near: Option<Near>,
    /// Only near a run that has a digit in it.
    pub digit: bool,
}

/// Runs of at least this many bytes are long.
const LONG: usize = 25;

/// At most so many keywords are looked for by a search of their own.
const MAX_SINGLE: usize = 6;

/// Finds keywords and stencils.
#[derive(Debug)]
pub struct Prefilter {
    near_runs: Option<Matcher>,
    /// Most tokens are longer than most names.
    near_long_runs: Option<Matcher>,
    /// Two of three runs in source are names without a digit; what stands around these need not be searched.
    near_digits: Option<Matcher>,
    /// A search for one string is the fastest there is.
    single: Vec<(memmem::Finder<'static>, usize)>,
    everywhere: Option<Matcher>,
    stencils: Vec<(Stencil, usize)>,
}

/// An automaton over some of the keywords, with their indices.
#[derive(Debug)]
struct Matcher {
    automaton: AhoCorasick,
    keywords: Vec<usize>,
    /// What holds for the runs of all its keywords.
    near: Near,
    /// How far it looks behind a run.
    tail: usize,
}

impl Matcher {
    fn new(keywords: &[Keyword], skip_ahead: bool, wanted: impl Fn(&Keyword) -> bool) -> Option<Self> {
        let chosen: Vec<usize> = (0..keywords.len()).filter(|&index| wanted(&keywords[index])).collect();
        if chosen.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // The automatic choice is 2.6 times slower at 232 keywords (reference/libraries.md, section 2).
            .kind(Some(AhoCorasickKind::DFA))
            .prefilter(skip_ahead)
            .build(chosen.iter().map(|&index| &keywords[index].text))
            .expect("a few hundred short keywords stay far below the automaton's limits");
        let all = || chosen.iter().map(|&index| &keywords[index]);
        let near = all().filter_map(|keyword| keyword.near).reduce(Near::or).unwrap_or(Near { lead: 0, len: RUN });
        let tail = all().map(|keyword| keyword.text.len()).max().unwrap_or(0);
        Some(Matcher { automaton, near, tail, keywords: chosen })
    }

    /// Takes in a run: windows that meet are searched as one, `pending` is the last of them.
    fn run(&self, bytes: &[u8], run: &Range<usize>, pending: &mut Range<usize>, out: &mut Vec<Anchor>) {
        if run.len() < self.near.len {
            return;
        }
        let window = run.start.saturating_sub(self.near.lead)..bytes.len().min(run.end + self.tail);
        if window.start <= pending.end {
            pending.end = window.end;
        } else {
            self.search(bytes, std::mem::replace(pending, window), out);
        }
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
    /// For these keywords, each non-empty, and stencils.
    pub fn new(keywords: &[Keyword], stencils: Vec<Stencil>) -> Self {
        let caseless = |keyword: &Keyword| !keyword.text.bytes().any(|byte| byte.is_ascii_alphabetic());
        let everywhere = |keyword: &Keyword| keyword.near.is_none();
        let long = |keyword: &Keyword| keyword.near.is_some_and(|near| near.len >= LONG);
        let plain = |keyword: &Keyword| !everywhere(keyword) && !keyword.digit;
        let one_case = |keyword: &Keyword| everywhere(keyword) && (keyword.lower_case || caseless(keyword));
        // Each single search goes over all the bytes; more than a few are slower than one automaton.
        let few = keywords.iter().filter(|keyword| one_case(keyword)).count() <= MAX_SINGLE;
        let single = |keyword: &Keyword| few && one_case(keyword);
        let finders = keywords.iter().enumerate().filter(|(_, keyword)| single(keyword));
        Prefilter {
            // Windows are short: skipping ahead in them costs more than it saves.
            near_runs: Matcher::new(keywords, false, |keyword| plain(keyword) && !long(keyword)),
            near_long_runs: Matcher::new(keywords, false, |keyword| plain(keyword) && long(keyword)),
            near_digits: Matcher::new(keywords, false, |keyword| !everywhere(keyword) && keyword.digit),
            single: finders
                .map(|(index, keyword)| (memmem::Finder::new(keyword.text.as_bytes()).into_owned(), index))
                .collect(),
            everywhere: Matcher::new(keywords, true, |keyword| everywhere(keyword) && !single(keyword)),
            stencils: stencils.into_iter().zip(keywords.len()..).collect(),
        }
    }

    /// Replaces `out` by the anchors in `bytes`, sorted. There may be more than the rules need, never fewer. `each` is shown
    /// every run, as finding them again would cost as much.
    pub fn anchors(&self, bytes: &[u8], out: &mut Vec<Anchor>, each: impl FnMut(&Range<usize>)) {
        out.clear();
        self.anchors_near_runs(bytes, out, each);
        for (finder, keyword) in &self.single {
            out.extend(finder.find_iter(bytes).map(|at| Anchor { at, keyword: *keyword }));
        }
        if let Some(matcher) = &self.everywhere {
            matcher.search(bytes, 0..bytes.len(), out);
        }
        out.sort_unstable();
    }

    fn anchors_near_runs(&self, bytes: &[u8], out: &mut Vec<Anchor>, mut each: impl FnMut(&Range<usize>)) {
        let (mut pending, mut pending_long, mut pending_digits) = (0..0, 0..0, 0..0);
        for_each_run(bytes, |run| {
            each(&run);
            for (stencil, keyword) in &self.stencils {
                out.extend(
                    fits(stencil, &bytes[run.clone()]).map(|at| Anchor { at: run.start + at, keyword: *keyword }),
                );
            }
            if let Some(matcher) = &self.near_runs {
                matcher.run(bytes, &run, &mut pending, out);
            }
            if let Some(matcher) = &self.near_long_runs {
                matcher.run(bytes, &run, &mut pending_long, out);
            }
            if let Some(matcher) = &self.near_digits
                && bytes[run.clone()].iter().any(u8::is_ascii_digit)
            {
                matcher.run(bytes, &run, &mut pending_digits, out);
            }
        });
        let last =
            [(&self.near_runs, pending), (&self.near_long_runs, pending_long), (&self.near_digits, pending_digits)];
        for (matcher, last) in last {
            if let Some(matcher) = matcher {
                matcher.search(bytes, last, out);
            }
        }
    }
}

/// The places in a run where a stencil fits.
fn fits<'a>(stencil: &'a Stencil, run: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let [one, two, three] = stencil.first();
    memchr::memchr3_iter(one, two, three, run).filter(|&at| stencil.fits(&run[at..]))
}

/// Bytes that are classified in one step.
const BLOCK: usize = 64;

/// Calls `each` with every maximal run of at least [`RUN`] run bytes, from the left.
pub fn for_each_run(bytes: &[u8], mut each: impl FnMut(Range<usize>)) {
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
        // A run that comes from the block before.
        let goes_on = mask.trailing_ones() as usize;
        if goes_on == BLOCK {
            carried += BLOCK;
            start += BLOCK;
            continue;
        }
        if carried + goes_on >= RUN {
            each(start - carried..start + goes_on);
        }
        // Runs that begin and end in this block; one that reaches its end is left to the next.
        let carry = mask.leading_ones() as usize;
        let inner =
            mask & u64::MAX.checked_shl(goes_on as u32).unwrap_or(0) & u64::MAX.checked_shr(carry as u32).unwrap_or(0);
        let mut firsts = starts_of_runs(inner);
        while firsts != 0 {
            let first = firsts.trailing_zeros();
            let len = (inner >> first).trailing_ones();
            each(start + first as usize..start + (first + len) as usize);
            firsts &= u64::MAX.checked_shl(first + len).unwrap_or(0);
        }
        carried = carry;
        start += BLOCK;
    }
    let end = bytes.len().next_multiple_of(BLOCK);
    if carried >= RUN && end == bytes.len() {
        each(end - carried..end);
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

/// One bit a byte, the first byte lowest: whether it is a run byte.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the compiler wants it for instructions that every x86-64 has")]
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
            let keyword = |text: &str, near: Option<(usize, usize)>| {
                let near = near.map(|(lead, len)| Near { lead, len });
                Keyword { text: text.to_owned(), lower_case: false, near, digit: false }
            };
            let keywords = [
                keyword("ghp_", Some((0, 18))),
                keyword("hp_", Some((0, 30))),
                keyword("gitlab", Some((30, 20))),
                Keyword { digit: true, ..keyword("tla", Some((40, 19))) },
                keyword("://", None),
                keyword("lab", None),
                Keyword { lower_case: true, ..keyword("itl", None) },
            ];
            let mut found = Vec::new();
            Prefilter::new(&keywords, Vec::new()).anchors(&bytes, &mut found, |_| {});
            let runs = runs_by_hand(&bytes);
            for (index, keyword) in keywords.iter().enumerate() {
                for at in 0..bytes.len().saturating_sub(keyword.text.len() - 1) {
                    let text = &bytes[at..at + keyword.text.len()];
                    let exact = text == keyword.text.as_bytes();
                    let here = exact || (!keyword.lower_case && text.eq_ignore_ascii_case(keyword.text.as_bytes()));
                    let wanted = here && keyword.near.is_none_or(|near| {
                        runs.iter()
                            .filter(|run| !keyword.digit || bytes[run.start..run.end].contains(&b'0'))
                            .any(|run| run.len() >= near.len && at + near.lead >= run.start && at < run.end)
                    });
                    let anchor = Anchor { at, keyword: index };
                    prop_assert!(!wanted || found.contains(&anchor), "lost {:?}", anchor);
                    prop_assert!(here || !found.contains(&anchor), "invented {:?}", anchor);
                }
            }
        }
    }
}

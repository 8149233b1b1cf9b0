//! The only code that touches every byte: finds the anchors of all rules, and loses none.
//!
//! A keyword of a rule whose every match has a run of [`RUN`] token characters counts only near such runs, which are found
//! first and at a cost that does not grow with the number of rules. Most rules want a run of 30 of them: there are so few
//! that what stands around them is searched for all their keywords. All other keywords are looked for everywhere at once,
//! and are held against the runs where they stand.
//! The oracle (tests, fuzzing) is a plain search for all keywords everywhere.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use memchr::memmem;
use serde::{Deserialize, Serialize, Serializer};

use super::grams::{GRAM, Grams, beginning, either, whole};
use super::masks::{BLOCK, Mask, PIECE, run_masks};
use super::prints::{Prints, SURE};
use super::signs::{SIGNS, Sign};
use crate::shape::{Near, RUN, Stencil, is_run_byte};

/// A keyword at a place, or a place where a stencil fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Index of its first byte.
    pub at: usize,
    /// Which, as an index into the keywords, and then the stencils, that the prefilter was made of.
    pub keyword: usize,
}

/// What a search found. Its memory serves the next one.
#[derive(Debug, Default)]
pub struct Found {
    /// Sorted. There may be more than the rules need, never fewer.
    pub anchors: Vec<Anchor>,
    /// All maximal runs of at least [`RUN`] run bytes, from the left.
    pub runs: Vec<Range<usize>>,
    /// Where one of the signs of something encoded stands, in no particular order.
    pub signs: Vec<usize>,
}

/// A keyword and where it has to be looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// At most so many keywords are looked for by a search of their own.
const MAX_SINGLE: usize = 6;

/// One run in eight has so many bytes.
const LONG: usize = 30;

/// Finds keywords and stencils.
#[derive(Debug, Deserialize)]
#[serde(from = "Tables")]
pub struct Prefilter {
    tables: Tables,
    /// A search for one string is the fastest there is.
    single: Vec<(memmem::Finder<'static>, usize)>,
    short: Option<Automaton>,
}

/// What it goes by, as far as it takes long to make.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tables {
    keywords: Vec<Keyword>,
    stencils: Vec<(Stencil, Near)>,
    /// What begins with much of a long run: keywords, then stencils.
    heads: Option<Heads>,
    /// What stands somewhere near a long run, without a digit or with one: two of three runs in source are names, near which there
    /// is less to look for.
    near_runs: [Option<Windows>; 2],
    /// What may stand anywhere, or near a shorter run: keywords, then stencils, then signs.
    everywhere: Option<Prints>,
    /// The longest that is looked for everywhere, in bytes.
    longest: usize,
}

/// Keywords and stencils that begin in a run and have some of it behind them.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heads {
    grams: Grams,
    /// The least that any of them has.
    rest: usize,
}

/// Keywords near runs.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Windows {
    grams: Grams,
    /// What holds for the runs of all its keywords.
    near: Near,
    /// How far it looks behind a run.
    tail: usize,
}

/// An automaton over some of the keywords, with their indices: for those that are shorter than most of a gram, for which
/// [`Grams`] are no use. It takes longer over every byte.
#[derive(Debug)]
struct Automaton {
    automaton: AhoCorasick,
    keywords: Vec<usize>,
}

impl Keyword {
    /// Too short for a table, and not the beginning of a long run.
    fn is_short(&self) -> bool {
        !is_head(self.near) && self.text.len() < SURE
    }

    /// It stands near a long run that it does not begin.
    fn is_near(&self) -> bool {
        self.near.is_some_and(|near| near.len >= LONG) && !is_head(self.near) && !self.is_short()
    }

    fn is_caseless(&self) -> bool {
        !self.text.bytes().any(|byte| byte.is_ascii_alphabetic())
    }

    fn is_at(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.text.len()).is_some_and(|text| text.eq_ignore_ascii_case(self.text.as_bytes()))
    }
}

/// It begins a long run.
fn is_head(near: Option<Near>) -> bool {
    near.is_some_and(|near| near.rest >= LONG)
}

fn run_bytes() -> Vec<u8> {
    (0..=u8::MAX).filter(|byte| is_run_byte(*byte)).collect()
}

impl Heads {
    fn new(keywords: &[Keyword], stencils: &[(Stencil, Near)]) -> Option<Self> {
        let run = run_bytes();
        let heads = || keywords.iter().enumerate().filter(|(_, keyword)| is_head(keyword.near));
        let begin = heads().map(|(index, keyword)| (index as u32, beginning(keyword.text.as_bytes(), &run)));
        let stencil =
            |(stencil, _): &(Stencil, Near)| std::array::from_fn(|at| stencil.choices(at).unwrap_or(&run).to_vec());
        let stencils = || (keywords.len()..).zip(stencils).filter(|(_, (_, near))| is_head(Some(*near)));
        let fitting = stencils().map(|(index, one)| (index as u32, stencil(one)));
        let grams = Grams::new(begin.chain(fitting))?;
        let near = heads().filter_map(|(_, keyword)| keyword.near).chain(stencils().map(|(_, (_, near))| *near));
        Some(Heads { grams, rest: near.map(|near| near.rest).min().unwrap_or(0).max(GRAM) })
    }
}

impl Windows {
    fn new(keywords: &[Keyword], wanted: impl Fn(&Keyword) -> bool) -> Option<Self> {
        let chosen = || keywords.iter().enumerate().filter(|(_, keyword)| wanted(keyword));
        let grams = Grams::new(either(chosen().map(|(index, keyword)| (index, keyword.text.as_bytes()))))?;
        let near = chosen().filter_map(|(_, keyword)| keyword.near).reduce(Near::or)?;
        let tail = chosen().map(|(_, keyword)| keyword.text.len()).max().unwrap_or(0);
        Some(Windows { grams, near, tail })
    }

    /// Takes in a run: windows that meet are searched as one, `pending` is the last of them.
    fn run(&self, bytes: &[u8], run: &Range<usize>, pending: &mut Range<usize>, each: impl FnMut(usize, u32)) {
        if run.len() < self.near.len {
            return;
        }
        let window = run.start.saturating_sub(self.near.lead)..bytes.len().min(run.end + self.tail);
        if window.start <= pending.end {
            pending.end = window.end;
        } else {
            let last = std::mem::replace(pending, window);
            self.grams.find::<2>(bytes, last.start, last.end + 1, each);
        }
    }
}

impl Automaton {
    fn new(keywords: &[Keyword], chosen: Vec<usize>) -> Option<Self> {
        if chosen.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // The automatic choice is 2.6 times slower at 232 keywords (reference/libraries.md, section 2).
            .kind(Some(AhoCorasickKind::DFA))
            .build(chosen.iter().map(|&index| &keywords[index].text))
            .expect("a few hundred short keywords stay far below the automaton's limits");
        Some(Automaton { automaton, keywords: chosen })
    }

    fn search(&self, bytes: &[u8], out: &mut Vec<Anchor>) {
        let hits = self.automaton.find_overlapping_iter(bytes);
        out.extend(hits.map(|hit| Anchor { at: hit.start(), keyword: self.keywords[hit.pattern().as_usize()] }));
    }
}

/// How the keywords that may stand anywhere are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// Each by a search of its own.
    Single,
    Short,
    Print,
}

impl Tables {
    fn new(keywords: Vec<Keyword>, stencils: Vec<(Stencil, Near)>) -> Self {
        let words = of_search(&keywords, Search::Print).map(|index| {
            let places = keywords[index].text.bytes().map(|byte| vec![byte]).collect();
            (index, places)
        });
        let shorter = (keywords.len()..).zip(&stencils).filter(|(_, (_, near))| !is_head(Some(*near)));
        let fitting = shorter.map(|(index, (stencil, _))| {
            let mut places: Vec<_> = (0..).map_while(|at| stencil.choices(at)).map(<[u8]>::to_vec).collect();
            places.resize(places.len().max(GRAM), run_bytes());
            (index, places)
        });
        let signs = (keywords.len() + stencils.len()..).zip(SIGNS.iter().map(Sign::places));
        let all: Vec<_> = words.chain(fitting).chain(signs).collect();
        Tables {
            heads: Heads::new(&keywords, &stencils),
            near_runs: [false, true]
                .map(|digit| Windows::new(&keywords, |keyword| keyword.is_near() && (digit || !keyword.digit))),
            longest: all.iter().map(|(_, places)| places.len()).max().unwrap_or(0),
            everywhere: Prints::new(all.into_iter()),
            keywords,
            stencils,
        }
    }
}

impl From<Tables> for Prefilter {
    fn from(tables: Tables) -> Self {
        let finder = |index: usize| (memmem::Finder::new(tables.keywords[index].text.as_bytes()).into_owned(), index);
        Prefilter {
            single: of_search(&tables.keywords, Search::Single).map(finder).collect(),
            short: Automaton::new(&tables.keywords, of_search(&tables.keywords, Search::Short).collect()),
            tables,
        }
    }
}

impl Serialize for Prefilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tables.serialize(serializer)
    }
}

/// The keywords that are looked for in this way.
fn of_search(keywords: &[Keyword], wanted: Search) -> impl Iterator<Item = usize> + Clone {
    let one_case = |keyword: &Keyword| keyword.near.is_none() && (keyword.lower_case || keyword.is_caseless());
    // Each single search goes over all the bytes; more than a few are slower than one automaton.
    let few = keywords.iter().filter(|keyword| one_case(keyword)).count() <= MAX_SINGLE;
    let search = move |keyword: &Keyword| match keyword {
        _ if few && one_case(keyword) => Some(Search::Single),
        _ if keyword.is_short() => Some(Search::Short),
        _ => (!is_head(keyword.near) && !keyword.is_near()).then_some(Search::Print),
    };
    (0..keywords.len()).filter(move |index| search(&keywords[*index]) == Some(wanted))
}

impl Prefilter {
    /// For these keywords, each non-empty, and stencils with the runs they begin.
    pub fn new(keywords: Vec<Keyword>, stencils: Vec<(Stencil, Near)>) -> Self {
        Tables::new(keywords, stencils).into()
    }

    /// Replaces `found` by what is in `bytes`.
    pub fn find(&self, bytes: &[u8], found: &mut Found) {
        let Found { anchors, runs, signs } = found;
        anchors.clear();
        runs.clear();
        signs.clear();
        self.anchors_near_long_runs(bytes, anchors, runs);
        for (finder, keyword) in &self.single {
            anchors.extend(finder.find_iter(bytes).map(|at| Anchor { at, keyword: *keyword }));
        }
        if let Some(everywhere) = &self.tables.everywhere {
            let (mut next, others) = (0, self.tables.keywords.len() + self.tables.stencils.len());
            everywhere.find(bytes, |at, word| {
                if let Some(sign) = word.checked_sub(others) {
                    return signs.extend(bytes[at..].starts_with(SIGNS[sign].text.as_bytes()).then_some(at));
                }
                // The next place may be before this one, though not by more than this.
                next += runs[next..].iter().take_while(|run| run.end + self.tables.longest < at).count();
                self.word(bytes, at, word, &runs[next..], anchors);
            });
        }
        if let Some(short) = &self.short {
            short.search(bytes, anchors);
        }
        anchors.sort_unstable();
        // Near two runs, of which one has a digit.
        anchors.dedup();
    }

    fn anchors_near_long_runs(&self, bytes: &[u8], out: &mut Vec<Anchor>, runs: &mut Vec<Range<usize>>) {
        let mut pending = [0..0, 0..0];
        for_each_run(bytes, |run, has_digit| {
            if run.len() >= LONG {
                if let Some(heads) = self.tables.heads.as_ref().filter(|heads| run.len() >= heads.rest) {
                    heads.grams.find::<1>(bytes, run.start, run.end + 1 - heads.rest, |at, head| {
                        self.begins(bytes, at, head as usize, &run, out);
                    });
                }
                let which = usize::from(has_digit);
                if let Some(windows) = &self.tables.near_runs[which] {
                    windows.run(bytes, &run, &mut pending[which], |at, number| self.half(bytes, at, number, out));
                }
            }
            runs.push(run);
        });
        for (windows, last) in self.tables.near_runs.iter().zip(pending) {
            if let Some(windows) = windows {
                windows.grams.find::<2>(bytes, last.start, last.end, |at, number| self.half(bytes, at, number, out));
            }
        }
    }

    /// Adds a keyword or stencil that may begin at `at` in a run, if it does and the run goes on for long enough.
    fn begins(&self, bytes: &[u8], at: usize, word: usize, run: &Range<usize>, out: &mut Vec<Anchor>) {
        let goes_on = |near: &Near| run.contains(&at) && run.end - at >= near.rest;
        let is_there = match self.tables.keywords.get(word) {
            Some(keyword) => keyword.near.as_ref().is_some_and(goes_on) && keyword.is_at(&bytes[at..]),
            None => {
                let (stencil, near) = &self.tables.stencils[word - self.tables.keywords.len()];
                goes_on(near) && stencil.fits(&bytes[at..run.end])
            }
        };
        if is_there {
            out.push(Anchor { at, keyword: word });
        }
    }

    /// Adds the keyword or stencil that may begin at `at`, if it does and one of the `runs` is as it has to be. These begin with
    /// the first that does not end before `at`, or with earlier ones.
    fn word(&self, bytes: &[u8], at: usize, word: usize, runs: &[Range<usize>], out: &mut Vec<Anchor>) {
        let keyword = self.tables.keywords.get(word);
        let begins_run = keyword.is_none_or(|keyword| keyword.near.is_some_and(|near| near.rest >= RUN));
        if begins_run {
            if let Some(run) = runs.iter().find(|run| run.end > at) {
                self.begins(bytes, at, word, run, out);
            }
            return;
        }
        let is_near = |keyword: &Keyword, near: Near| {
            let mut runs = runs.iter().filter(|run| run.end >= at).take_while(|run| run.start <= at + near.lead);
            let has_digit = |run: &Range<usize>| bytes[run.clone()].iter().any(u8::is_ascii_digit);
            runs.any(|run| run.len() >= near.len && (!keyword.digit || has_digit(run)))
        };
        if keyword.is_some_and(|keyword| keyword.near.is_none_or(|near| is_near(keyword, near))) {
            self.keyword(bytes, at, word, out);
        }
    }

    /// Adds the keyword that [`either`] says may begin around `at`, if it does.
    fn half(&self, bytes: &[u8], at: usize, number: u32, out: &mut Vec<Anchor>) {
        let (at, keyword) = whole(at, number);
        self.keyword(bytes, at, keyword, out);
    }

    /// Adds a keyword that may begin at `at`, if it does.
    fn keyword(&self, bytes: &[u8], at: usize, keyword: usize, out: &mut Vec<Anchor>) {
        if bytes.get(at..).is_some_and(|rest| self.tables.keywords[keyword].is_at(rest)) {
            out.push(Anchor { at, keyword });
        }
    }
}

/// Calls `each` with every maximal run of at least [`RUN`] run bytes, from the left, and whether it has a digit.
pub fn for_each_run(bytes: &[u8], mut each: impl FnMut(Range<usize>, bool)) {
    // Length of the run that the block before ends with, and whether there is a digit in it.
    let (mut carried, mut digit) = (0, false);
    let mut masks = [Mask::default(); PIECE / BLOCK];
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        for (block, mask) in run_masks(piece, &mut masks).iter().enumerate() {
            let start = number * PIECE + block * BLOCK;
            // A run that comes from the block before.
            let goes_on = mask.run.trailing_ones() as usize;
            if goes_on == BLOCK {
                carried += BLOCK;
                digit |= mask.digit != 0;
                continue;
            }
            if carried + goes_on >= RUN {
                each(start - carried..start + goes_on, digit || mask.digit & !(u64::MAX << goes_on) != 0);
            }
            // Runs that begin and end in this block; one that reaches its end is left to the next.
            carried = mask.run.leading_ones() as usize;
            digit = mask.digit & !(u64::MAX >> carried) != 0;
            let mut firsts = starts_of_runs(mask.run & (u64::MAX << goes_on) & (u64::MAX >> carried));
            while firsts != 0 {
                let first = firsts.trailing_zeros();
                let end = first + (mask.run >> first).trailing_ones();
                let behind = u64::MAX.checked_shl(end).unwrap_or(0);
                let has_digit = mask.digit & (u64::MAX << first) & !behind != 0;
                each(start + first as usize..start + end as usize, has_digit);
                firsts &= behind;
            }
        }
    }
    let end = bytes.len().next_multiple_of(BLOCK);
    if carried >= RUN && end == bytes.len() {
        each(end - carried..end, digit);
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
            Just(b"7".to_vec()),
            (15usize..25, prop::sample::select(b"aZ09_-".to_vec())).prop_map(|(len, byte)| vec![byte; len]),
            prop::collection::vec(any::<u8>(), 0..4),
            Just(b"ghp_".to_vec()),
            Just(b" GitLab ".to_vec()),
            Just(b"://".to_vec()),
            (0..SIGNS.len()).prop_map(|sign| SIGNS[sign].places().iter().map(|place| place[place.len() / 2]).collect()),
            (0usize..80).prop_map(|len| vec![b' '; len]),
        ];
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn runs_are_what_a_plain_loop_finds(bytes in text()) {
            let mut found = Vec::new();
            for_each_run(&bytes, |run, digit| {
                assert_eq!(digit, bytes[run.clone()].iter().any(u8::is_ascii_digit));
                found.push(run);
            });
            prop_assert_eq!(found, runs_by_hand(&bytes));
        }

        #[test]
        fn no_anchor_is_lost(bytes in text()) {
            let keyword = |text: &str, near: Option<(usize, usize, usize)>| {
                let near = near.map(|(lead, len, rest)| Near { lead, len, rest });
                Keyword { text: text.to_owned(), lower_case: false, near, digit: false }
            };
            let keywords = [
                keyword("ghp_", Some((0, 18, 18))),
                keyword("gh", Some((0, 20, 30))),
                keyword("hp_", Some((0, 30, 3))),
                keyword("p_", Some((0, 30, 25))),
                keyword("gitlab", Some((30, 20, 6))),
                keyword("itla", Some((50, 40, 4))),
                keyword("h_", Some((0, 36, 36))),
                keyword("b ", Some((3, 20, 1))),
                Keyword { digit: true, ..keyword("tla", Some((40, 19, 3))) },
                keyword("://", None),
                keyword("lab", None),
                Keyword { lower_case: true, ..keyword("itl", None) },
            ];
            let stencils = ["[ag][Zhap][Z0h]", "[ag][Zh0a_]"].map(|sets| {
                let shape = |len: usize| crate::shape::of(&format!("{sets}[a-zA-Z0-9_-]{{{len}}}"), &[]).unwrap();
                [16, 40].map(shape).map(|shape| (shape.stencil.unwrap(), shape.run.unwrap()))
            });
            let stencils = stencils.concat();
            let mut all = Found::default();
            Prefilter::new(keywords.to_vec(), stencils.clone()).find(&bytes, &mut all);
            let Found { anchors: found, runs, signs } = all;
            prop_assert_eq!(&runs, &runs_by_hand(&bytes));
            for at in 0..bytes.len() {
                let is_there = SIGNS.iter().any(|sign| bytes[at..].starts_with(sign.text.as_bytes()));
                let goes_on = SIGNS.iter().map(Sign::places).any(|places| {
                    bytes.len() - at >= places.len() && places.iter().zip(&bytes[at..]).all(|(all, one)| all.contains(one))
                });
                prop_assert!(!goes_on || signs.contains(&at), "lost at {at}");
                prop_assert!(is_there || !signs.contains(&at), "invented at {at}");
            }
            for (index, (stencil, near)) in stencils.iter().enumerate() {
                for at in 0..bytes.len() {
                    let run = runs.iter().find(|run| run.contains(&at) && at + near.rest <= run.end);
                    let wanted = run.is_some_and(|run| stencil.fits(&bytes[at..run.end]));
                    let anchor = Anchor { at, keyword: keywords.len() + index };
                    prop_assert_eq!(wanted, found.contains(&anchor), "{:?}", anchor);
                }
            }
            for (index, keyword) in keywords.iter().enumerate() {
                for at in 0..bytes.len().saturating_sub(keyword.text.len() - 1) {
                    let text = &bytes[at..at + keyword.text.len()];
                    let exact = text == keyword.text.as_bytes();
                    let here = exact || (!keyword.lower_case && text.eq_ignore_ascii_case(keyword.text.as_bytes()));
                    let wanted = here && keyword.near.is_none_or(|near| {
                        runs.iter()
                            .filter(|run| !keyword.digit || bytes[run.start..run.end].contains(&b'0'))
                            .any(|run| match near.rest >= RUN {
                                true => run.contains(&at) && at + near.rest <= run.end,
                                false => run.len() >= near.len && at + near.lead >= run.start && at < run.end,
                            })
                    });
                    let anchor = Anchor { at, keyword: index };
                    prop_assert!(!wanted || found.contains(&anchor), "lost {:?}", anchor);
                    prop_assert!(here || !found.contains(&anchor), "invented {:?}", anchor);
                }
            }
        }
    }
}

//! What stands around an anchor in every match, byte by byte: asked before a pattern is tried, or even compiled.

use std::collections::BTreeSet;

use regex_automata::nfa::thompson::{Compiler, Config, NFA, State, WhichCaptures};
use regex_syntax::hir::{Capture, Hir, HirKind, Repetition};
use serde::{Deserialize, Serialize};

use super::{Stretch, find_anchor, flatten};

/// How far behind the anchor's first byte, and before it, is looked, in bytes.
const REACH: usize = 40;

/// Most bytes that are asked about.
const MAX_CHECKS: usize = 6;

/// A pattern that has its anchors in more ways is not asked about.
const MAX_WAYS: usize = 16;

/// A byte that so great a share of source text would pass is not asked about.
const TOO_COMMON: f64 = 0.6;

/// A set of bytes: which of ASCII, and whether all others or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bytes {
    ascii: u128,
    others: bool,
}

/// One byte at a distance from the first of the anchor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Check {
    at: i8,
    bytes: Bytes,
}

/// What every match shows around an anchor, in one of some ways; of all that is certain, what says most. No way at all
/// if nothing is certain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context(Vec<Vec<Check>>);

impl Context {
    /// Whether a match may have its anchor at `at`.
    #[inline]
    pub fn fits(&self, bytes: &[u8], at: usize) -> bool {
        let passes = |check: &Check| {
            let place = at.checked_add_signed(isize::from(check.at));
            place.and_then(|place| bytes.get(place)).is_some_and(|byte| check.bytes.contains(*byte))
        };
        self.0.is_empty() || self.0.iter().any(|way| way.iter().all(passes))
    }
}

impl Bytes {
    const NONE: Self = Bytes { ascii: 0, others: false };

    fn contains(self, byte: u8) -> bool {
        match byte.is_ascii() {
            true => self.ascii >> byte & 1 == 1,
            false => self.others,
        }
    }

    fn insert(&mut self, first: u8, last: u8) {
        (first..=last.min(0x7f)).for_each(|byte| self.ascii |= 1 << byte);
        self.others |= last > 0x7f;
    }

    /// How much of source text passes, roughly.
    fn share(self) -> f64 {
        let of = |byte: u8| match byte {
            b' ' => 0.16,
            b'a'..=b'z' => 0.021,
            b'A'..=b'Z' => 0.002,
            b'0'..=b'9' => 0.005,
            b'\n' => 0.03,
            b'\t' | b'_' => 0.02,
            b'!'..=b'~' => 0.006,
            _ => 0.0,
        };
        (0..0x80).filter(|byte| self.contains(*byte)).map(of).sum::<f64>() + if self.others { 0.005 } else { 0.0 }
    }
}

/// States of a pattern and what leads from one to the next.
#[derive(Debug, Default)]
struct Graph {
    free: Vec<Vec<usize>>,
    bytes: Vec<Vec<(u8, u8, usize)>>,
    /// Whatever comes next is no longer the pattern's.
    ends: BTreeSet<usize>,
}

impl Graph {
    fn empty(states: usize) -> Self {
        Graph { free: vec![Vec::new(); states], bytes: vec![Vec::new(); states], ends: BTreeSet::new() }
    }

    fn of(nfa: &NFA) -> Self {
        let mut graph = Graph::empty(nfa.states().len());
        for (number, state) in nfa.states().iter().enumerate() {
            match state {
                State::ByteRange { trans } => {
                    graph.bytes[number].push((trans.start, trans.end, trans.next.as_usize()));
                }
                State::Sparse(sparse) => graph.bytes[number]
                    .extend(sparse.transitions.iter().map(|trans| (trans.start, trans.end, trans.next.as_usize()))),
                State::Dense(dense) => graph.bytes[number].extend(
                    (0..=u8::MAX).zip(dense.transitions.iter()).map(|(byte, next)| (byte, byte, next.as_usize())),
                ),
                // Where a look-around does not hold, less is matched, and never more.
                State::Look { next, .. } | State::Capture { next, .. } => graph.free[number].push(next.as_usize()),
                State::Union { alternates } => {
                    graph.free[number].extend(alternates.iter().map(|next| next.as_usize()));
                }
                State::BinaryUnion { alt1, alt2 } => {
                    graph.free[number].extend([alt1.as_usize(), alt2.as_usize()]);
                }
                State::Fail => {}
                State::Match { .. } => drop(graph.ends.insert(number)),
            }
        }
        graph
    }

    /// The same from the end to `start`.
    fn reversed(&self, start: usize) -> Self {
        let mut graph = Graph { ends: BTreeSet::from([start]), ..Graph::empty(self.free.len()) };
        for (from, nexts) in self.free.iter().enumerate() {
            nexts.iter().for_each(|next| graph.free[*next].push(from));
        }
        for (from, nexts) in self.bytes.iter().enumerate() {
            nexts.iter().for_each(|(first, last, next)| graph.bytes[*next].push((*first, *last, from)));
        }
        graph
    }

    /// The states and all that they lead to for nothing.
    fn closed(&self, states: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let (mut closed, mut open) = (BTreeSet::new(), Vec::from_iter(states));
        while let Some(state) = open.pop() {
            if closed.insert(state) {
                open.extend(&self.free[state]);
            }
        }
        closed
    }

    /// What one byte leads to, and which bytes may be that; with `wanted`, only those (of both cases).
    fn step(&self, states: &BTreeSet<usize>, wanted: Option<u8>) -> (Bytes, BTreeSet<usize>) {
        let (mut bytes, mut next) = (Bytes::NONE, Vec::new());
        for &(first, last, to) in states.iter().flat_map(|state| &self.bytes[*state]) {
            let cases = wanted.map(|byte| [byte, byte.to_ascii_uppercase()]);
            let spans = cases.map_or(vec![(first, last)], |cases| {
                let has = |byte: &u8| (first..=last).contains(byte);
                cases.into_iter().filter(has).map(|byte| (byte, byte)).collect()
            });
            spans.iter().for_each(|(first, last)| bytes.insert(*first, *last));
            next.extend((!spans.is_empty()).then_some(to));
        }
        (bytes, self.closed(next))
    }

    /// Which bytes every match has next, one after the other.
    fn certain(&self, mut states: BTreeSet<usize>) -> Vec<Bytes> {
        let mut certain = Vec::new();
        while certain.len() < REACH && states.is_disjoint(&self.ends) && !states.is_empty() {
            let (bytes, next) = self.step(&states, None);
            certain.push(bytes);
            states = next;
        }
        certain
    }
}

/// What stands around each of `keywords` wherever a match has it as its anchor.
pub(super) fn contexts(parts: &[Hir], keywords: &[String]) -> Vec<Context> {
    let mut spelled = Vec::new();
    let ways: Option<Vec<Way>> = match spell_out(parts.to_vec(), keywords, &mut spelled) {
        Some(()) => spelled.iter().map(|(parts, anchor)| Way::new(parts, anchor, keywords)).collect(),
        None => None,
    };
    let context = |keyword: &String| {
        let mut checks: Vec<_> = ways.iter().flatten().filter_map(|way| way.checks(keyword.as_bytes())).collect();
        checks.dedup();
        // One way that may look like anything is enough for all.
        if checks.iter().any(Vec::is_empty) { Context::default() } else { Context(checks) }
    };
    keywords.iter().map(context).collect()
}

/// The pattern by each of the alternatives that have the anchor somewhere inside: there it has a place of its own. `None`
/// if there are too many.
fn spell_out(parts: Vec<Hir>, keywords: &[String], ways: &mut Vec<(Vec<Hir>, Stretch)>) -> Option<()> {
    let anchor = find_anchor(&parts, keywords).filter(|_| ways.len() < MAX_WAYS)?;
    match parts[anchor.from].kind() {
        HirKind::Alternation(branches) if anchor.slack > 0 => branches.iter().try_for_each(|branch| {
            let one = [&parts[..anchor.from], &flatten(branch), &parts[anchor.to + 1..]].concat();
            spell_out(one, keywords, ways)
        }),
        _ => {
            ways.push((parts, anchor));
            Some(())
        }
    }
}

/// One way to spell out a pattern.
struct Way {
    graph: Graph,
    back: Graph,
    /// Where an anchor may begin.
    starts: BTreeSet<usize>,
}

impl Way {
    fn new(parts: &[Hir], anchor: &Stretch, keywords: &[String]) -> Option<Self> {
        let longest = keywords.iter().map(String::len).max().filter(|len| anchor.slack.max(*len) <= REACH)?;
        let reach = anchor.slack + longest + REACH;
        let capped = |parts: &[Hir]| Hir::concat(parts.iter().map(|part| cap(part, reach)).collect());
        let rest = Hir::capture(Capture { index: 1, name: None, sub: Box::new(capped(&parts[anchor.from..])) });
        let config = Config::new().utf8(false).which_captures(WhichCaptures::All);
        let whole = Hir::concat(vec![capped(&parts[..anchor.from]), rest]);
        let nfa = Compiler::new().configure(config).build_from_hir(&whole).ok()?;
        let begins = |state: &State| match state {
            State::Capture { group_index, slot, .. } => group_index.as_usize() == 1 && slot.as_usize() % 2 == 0,
            _ => false,
        };
        let graph = Graph::of(&nfa);
        let mut starts = graph.closed([nfa.states().iter().position(begins)?]);
        let mut layer = starts.clone();
        for _ in 0..anchor.slack {
            layer = graph.step(&layer, None).1;
            starts.extend(&layer);
        }
        Some(Way { back: graph.reversed(nfa.start_anchored().as_usize()), graph, starts })
    }

    /// What says most of what stands around `keyword`; `None` if no match has it as its anchor.
    fn checks(&self, keyword: &[u8]) -> Option<Vec<Check>> {
        let mut read = vec![self.starts.clone()];
        for byte in keyword {
            read.push(self.graph.step(&read[read.len() - 1], Some(*byte)).1);
        }
        let behind = read.pop().filter(|behind| !behind.is_empty())?;
        // Of the states that were come by, those that led to the end of the keyword.
        let mut led = behind.clone();
        let mut all = Vec::new();
        for (at, byte) in keyword.iter().enumerate().rev() {
            let (bytes, before) = self.back.step(&self.back.closed(led), Some(*byte));
            led = before.intersection(&read[at]).copied().collect();
            let mut both = Bytes::NONE;
            [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()].iter().for_each(|byte| both.insert(*byte, *byte));
            all.push((at as i8, bytes, bytes.share() / both.share()));
        }
        let after = self.graph.certain(behind).into_iter().enumerate();
        all.extend(after.map(|(nth, bytes)| ((keyword.len() + nth) as i8, bytes, bytes.share())));
        let before = self.back.certain(self.back.closed(led)).into_iter().enumerate();
        all.extend(before.map(|(nth, bytes)| (-1 - nth as i8, bytes, bytes.share())));
        all.retain(|(_, _, share)| *share < TOO_COMMON);
        all.sort_by(|one, other| one.2.total_cmp(&other.2).then(one.0.unsigned_abs().cmp(&other.0.unsigned_abs())));
        Some(all.into_iter().take(MAX_CHECKS).map(|(at, bytes, _)| Check { at, bytes }).collect())
    }
}

/// A pattern without groups that matches whatever `hir` does, the same as it in its first and last `reach` bytes, with
/// fewer states.
fn cap(hir: &Hir, reach: usize) -> Hir {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let reach = reach as u32;
            Hir::repetition(Repetition {
                min: repetition.min.min(reach),
                max: repetition.max.filter(|max| *max <= reach),
                greedy: repetition.greedy,
                sub: Box::new(cap(&repetition.sub, reach as usize)),
            })
        }
        HirKind::Capture(capture) => cap(&capture.sub, reach),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(|part| cap(part, reach)).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(|part| cap(part, reach)).collect()),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => hir.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::{Anchored, Input, meta::Regex};

    use super::super::parse;
    use super::*;

    fn context(pattern: &str, keyword: &str) -> Context {
        contexts(&flatten(&parse(pattern).unwrap()), &[keyword.to_owned()]).remove(0)
    }

    #[test]
    fn the_rarest_bytes_are_asked_about() {
        let redis = context("(?i:rediss?|valkey)://[a-z]{0,9}@", "://");
        assert!(redis.fits(b"redis://x@", 5) && redis.fits(b"ValKey://@", 6));
        assert!(!redis.fits(b"https:// @", 5) && !redis.fits(b"://x@", 0), "nothing of a scheme");
        let token = context("pat[0-9A-Za-z]{14}[.][0-9a-f]{20}", "pat");
        assert!(token.fits(b"pat0123456789abcd.01234567890123456789", 0));
        assert!(!token.fits(b"pattern of paths and other things to look at", 0));
        assert!(!token.fits(b"pat0123456789abcd", 0), "the text ends");
    }

    #[test]
    fn alternatives_are_asked_one_by_one() {
        let header = context(r"(?:\bx-[a-z-]{0,9}auth|auth-token)[:=] ?[0-9a-z]{20}", "auth");
        let value = "0123456789abcdef0123";
        let fits = |before: &str, at| header.fits(format!("{before}{value}").as_bytes(), at);
        assert!(fits("x-auth: ", 2) && fits("auth-token=", 0));
        assert!(!fits("author: ", 0) && !fits(" auth: ", 1));
    }

    #[test]
    fn where_nothing_is_certain_everything_fits() {
        assert_eq!(context("key[a-z ]{0,9}[0-9]", "key"), Context::default());
        assert_eq!(context("(?:a?.?)*key(?s:.*)", "key"), Context::default());
        assert!(Context::default().fits(b"key", 0));
    }

    /// Patterns whose group `k` is their anchor.
    const PATTERNS: [(&str, &[&str]); 9] = [
        ("(?P<k>key)=a{2,3}b", &["key"]),
        ("a{1,3}(?P<k>key)[=b]{0,2}a", &["key"]),
        ("(?:a|bb=)?(?P<k>key)(?:=a|b)+", &["key"]),
        (r"\ba?(?P<k>key)\b", &["key"]),
        ("(?:b-(?P<k>key)|(?P<l>key)-b)=[ab]", &["key"]),
        ("(?:a[ab=]{0,3}(?P<k>key)|(?P<l>be)a)=a{1,4}$", &["key", "be"]),
        ("(?i)(?:(?P<k>Ke)|(?P<l>yK))[^a]b", &["ke", "yk"]),
        ("(?:ab|=)*(?P<k>key)(?:a{3}|b{2}){1,2}-", &["key"]),
        ("(?:^|[^a])(?P<k>k)(?P<m>e{0,2}y){2}=?b", &["k"]),
    ];

    proptest! {
        #[test]
        fn what_stands_around_the_anchor_of_a_match_fits(
            which in 0..PATTERNS.len(),
            pieces in prop::collection::vec(prop::sample::select(vec!["key", "a", "b", "=", "-", "be", "KEY", "y", "k"]), 0..14),
        ) {
            let ((pattern, keywords), text) = (PATTERNS[which], pieces.concat());
            let keywords: Vec<String> = keywords.iter().map(|keyword| keyword.to_string()).collect();
            let contexts = contexts(&flatten(&parse(pattern).unwrap()), &keywords);
            let regex = Regex::builder().build_from_hir(&parse(pattern).unwrap()).unwrap();
            for start in 0..=text.len() {
                let mut captures = regex.create_captures();
                regex.captures(Input::new(&text).range(start..).anchored(Anchored::Yes), &mut captures);
                for span in ["k", "l"].iter().filter_map(|group| captures.get_group_by_name(group)) {
                    let spelled = text[span.range()].to_lowercase();
                    let nth = keywords.iter().position(|keyword| spelled == *keyword).unwrap();
                    prop_assert!(contexts[nth].fits(text.as_bytes(), span.start), "{} {:?} {}", pattern, text, span.start);
                }
            }
        }
    }
}

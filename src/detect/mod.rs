//! Turns chunks into candidates.
//!
//! Run → anchor → context → window → pattern → proof. Knows bytes and rules; no files, no git, no reports, no network.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::finding::{Fact, Proof};
use crate::rule::{Confidence, ProofKind, Rule, RuleSet};
use crate::secret::entropy;

pub mod beginning;
pub mod escape;
pub mod evidence;
pub mod allow;
pub mod decode;
mod columns;
mod engine;
mod grams;
pub mod index;
mod loose;
mod manifest;
pub mod marks;
mod masks;
pub mod mint;
pub mod open;
pub mod pattern;
pub mod prefilter;
mod prints;
pub mod proof;
mod signs;
pub mod table;
mod vague;

use decode::Wrapping;
use decode::spots::{self, Spot};
use evidence::Judgement;
use index::{Index, Owner};
use manifest::Meaning;
use marks::Marker;
use pattern::{Hit, Memory, Pattern};
use prefilter::{Anchor, Found, Prefilter};
pub use vague::believe;

/// Something that looks like a token, in borrowed bytes.
#[derive(Clone, Debug)]
pub struct Candidate<'c> {
    /// The rule that matched.
    pub rule: &'c Arc<Rule>,
    /// Everything the pattern matched.
    pub matched: Range<usize>,
    /// The token as it stands in the bytes.
    pub span: Range<usize>,
    /// The token with escapes undone.
    pub token: Cow<'c, [u8]>,
    /// What the offline proof said.
    pub proof: Proof,
    /// How sure that makes us.
    pub confidence: Confidence,
    /// What the token tells of itself.
    pub facts: Vec<Fact>,
    /// What speaks for and against it where no proof holds; without its path.
    pub judgement: Option<Judgement>,
    /// What had to be undone to find it.
    pub wrapping: Wrapping,
}

/// Where bytes are, for rules that ask for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where<'a> {
    /// At this path, `/`-separated.
    At(&'a [u8]),
    /// They have no path.
    Nowhere,
    /// They have no path, and what follows them is not known yet: nothing behind a match may decide about it.
    Passing,
    /// Not known yet: every rule is tried, and whoever learns the path must ask again.
    Unknown,
}

/// All rules, ready to search with. Shared by all threads.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<RuleSet>,
    patterns: Vec<Pattern>,
    index: Index,
    marker: Marker,
    now: i64,
    /// Encodings inside each other that are undone; 0: none.
    depth: u8,
    /// Undoes archives and documents in what was encoded.
    open: Option<decode::Open>,
    /// Finds what may be encoded, without anchors. On first need, as to make it takes a fifth of a short run.
    encoded: OnceLock<Prefilter>,
}

/// What one thread needs to search; made once, used for every object.
#[derive(Debug)]
pub struct Scratch {
    found: Found,
    spots: Vec<Spot>,
    memories: Vec<Option<Box<Memory>>>,
    short_memories: Vec<Option<Box<Memory>>>,
    /// Objects since the memories were weighed.
    unweighed: u32,
}

/// What the memories of all threads may take when they are weighed, in bytes: with more, patterns are searched faster.
const ROOM: usize = 14 << 20;

/// What those of one thread may take however many there are: with less, it would forget what it needs for the next object.
const LEAST_ROOM: usize = 3 << 20;

/// They are weighed once for so many objects: there are eight hundred of them.
const WEIGHED: u32 = 32;

impl Scratch {
    /// To be called after each object by one of so many threads: forgets the largest memories of patterns if all take too
    /// much. They come back where they are needed.
    pub fn rest(&mut self, threads: usize) {
        self.unweighed += 1;
        if self.unweighed < WEIGHED {
            return;
        }
        self.unweighed = 0;
        let all = self.memories.iter_mut().chain(&mut self.short_memories);
        let mut sizes: Vec<_> = all.filter_map(|one| Some((one.as_ref()?.size(), one))).collect();
        let mut sum: usize = sizes.iter().map(|(size, _)| size).sum();
        sizes.sort_by_key(|(size, _)| *size);
        while sum > LEAST_ROOM.max(ROOM / threads.max(1))
            && let Some((size, largest)) = sizes.pop()
        {
            *largest = None;
            sum -= size;
        }
    }
}

impl Detector {
    /// Makes ready to search with `rules`. `now` is in seconds since 1970 (UTC) and decides what has expired.
    pub fn new(rules: Arc<RuleSet>, now: i64) -> Result<Self, pattern::Error> {
        let patterns = rules.rules.iter().map(Pattern::new).collect::<Result<Vec<_>, _>>()?;
        let index = index_of(&rules, &patterns);
        let marker = Marker::new(&patterns);
        Ok(Detector { rules, patterns, index, marker, now, depth: 0, open: None, encoded: OnceLock::new() })
    }

    /// The same detector, which undoes so many encodings inside each other ([`Detector::unwrapped`]); a new one undoes none.
    #[must_use]
    pub fn with_depth(self, depth: u8) -> Self {
        Detector { depth, ..self }
    }

    /// The same detector, which undoes archives and documents in what is encoded by that; a new one names them.
    #[must_use]
    pub fn with_open(self, open: decode::Open) -> Self {
        Detector { open: Some(open), ..self }
    }

    /// The rules it searches with.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// What a thread needs for [`Detector::candidates`].
    pub fn scratch(&self) -> Scratch {
        let none = || self.patterns.iter().map(|_| None).collect();
        let (memories, short_memories) = (none(), none());
        Scratch { found: Found::default(), spots: Vec::new(), memories, short_memories, unweighed: 0 }
    }

    /// The candidates whose anchor lies in `own`, in no particular order; one that two anchors lead to comes once. Where
    /// `own` is empty, only what may be encoded is looked for.
    /// `place` is for rules that ask for a path.
    pub fn candidates<'c>(
        &'c self,
        scratch: &mut Scratch,
        bytes: &'c [u8],
        own: &Range<usize>,
        place: Where<'_>,
    ) -> Vec<Candidate<'c>> {
        if own.is_empty() {
            self.look_for_spots(scratch, bytes);
            return Vec::new();
        }
        self.look(scratch, bytes);
        let mut anchors = std::mem::take(&mut scratch.found.anchors);
        anchors.retain(|anchor| own.contains(&anchor.at));
        let mut found = self.around(scratch, bytes, &anchors, place);
        scratch.found.anchors = anchors;
        for &index in self.index.unanchored.iter().filter(|&&index| applies(&self.rules.rules[index], place)) {
            if self.has_keyword(index, bytes) {
                self.patterns[index].everywhere(&mut scratch.memories[index], bytes, |hit| {
                    if own.contains(&hit.matched.start) {
                        found.extend(self.judge(&self.rules.rules[index], bytes, hit, place != Where::Passing));
                    }
                });
            }
        }
        found
    }

    /// What stands around anchors.
    fn around<'c>(
        &'c self,
        scratch: &mut Scratch,
        bytes: &'c [u8],
        anchors: &[Anchor],
        place: Where<'_>,
    ) -> Vec<Candidate<'c>> {
        let mut found: BTreeMap<(usize, usize, usize), Candidate<'c>> = BTreeMap::new();
        let mut keys: Vec<(Range<usize>, Fact)> = Vec::new();
        for anchor in anchors {
            let (len, owners) = self.index.owners(anchor.keyword);
            let mut missing = None;
            let is_worth_it = |owner: &&Owner| {
                !self.lacks(owner, bytes, anchor.at, &mut missing) && self.may_match(owner, bytes, anchor.at)
            };
            for &Owner { rule, .. } in owners.iter().filter(is_worth_it) {
                if !applies(&self.rules.rules[rule], place) {
                    continue;
                }
                let Some(hit) = self.patterns[rule].around(&mut scratch.memories[rule], bytes, anchor.at, len) else {
                    continue;
                };
                let kind = self.rules.rules[rule].kind.as_str();
                if kind == manifest::KIND {
                    keys.extend(self.values(rule, bytes, &hit.matched, place, &mut found));
                } else if columns::is_kind(kind) {
                    if !columns::is_elsewhere(bytes, hit.matched.start) {
                        self.cells(rule, bytes, &hit.secret, place, &mut found);
                    }
                } else if let MapEntry::Vacant(new) = found.entry((hit.secret.start, hit.secret.end, rule))
                    && let Some(candidate) = self.judge(&self.rules.rules[rule], bytes, hit, place != Where::Passing)
                {
                    new.insert(candidate);
                }
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        keys.sort_by_key(|(value, _)| value.start);
        for one in found.iter_mut().filter(|_| !keys.is_empty()) {
            let before = keys.partition_point(|(value, _)| value.start <= one.span.start);
            let named = before.checked_sub(1).map(|at| &keys[at]).filter(|(value, _)| one.span.end <= value.end);
            one.facts.extend(named.map(|(_, key)| key.clone()));
        }
        found
    }

    /// The values that the match of a manifest's rule leads to, and their keys. While they pass they are not known yet.
    fn values<'c>(
        &'c self,
        rule: usize,
        bytes: &'c [u8],
        matched: &Range<usize>,
        place: Where<'_>,
        found: &mut BTreeMap<(usize, usize, usize), Candidate<'c>>,
    ) -> Vec<(Range<usize>, Fact)> {
        let entries = if place == Where::Passing { Vec::new() } else { manifest::entries(bytes, matched) };
        let keys = entries.iter().map(|entry| (entry.value.clone(), entry.fact(bytes))).collect();
        for entry in entries.into_iter().filter(|entry| entry.meaning != Meaning::Other) {
            let hit = Hit { matched: entry.key.start..entry.value.end, secret: entry.value.clone() };
            if let MapEntry::Vacant(new) = found.entry((hit.secret.start, hit.secret.end, rule))
                && let Some(candidate) = self.judge(&self.rules.rules[rule], bytes, hit, true)
            {
                new.insert(entry.dress(candidate, bytes, self.depth > 0));
            }
        }
        keys
    }

    /// The cells below the header of a column. While they pass they are not known yet.
    fn cells<'c>(
        &'c self,
        rule: usize,
        bytes: &'c [u8],
        name: &Range<usize>,
        place: Where<'_>,
        found: &mut BTreeMap<(usize, usize, usize), Candidate<'c>>,
    ) {
        let cells = if place == Where::Passing {
            Vec::new()
        } else {
            columns::cells(&self.rules.rules[rule].kind, bytes, name)
        };
        for secret in cells {
            if let MapEntry::Vacant(new) = found.entry((secret.start, secret.end, rule))
                && let Some(candidate) = self.judge(
                    &self.rules.rules[rule],
                    bytes,
                    Hit { matched: secret.start - 1..secret.end, secret },
                    true,
                )
            {
                new.insert(candidate);
            }
        }
    }

    /// Whether what stands around an anchor is what every match of the rule has there.
    fn may_match(&self, owner: &Owner, bytes: &[u8], at: usize) -> bool {
        let contexts = self.patterns[owner.rule].shape.as_ref().map(|shape| &shape.contexts);
        contexts.and_then(|contexts| contexts.get(owner.keyword)).is_none_or(|context| context.fits(bytes, at))
    }

    /// Whether a byte that every match of the rule has behind its anchor is not there. `missing` is what was found to be so at
    /// the same anchor before: twenty rules for URLs need the same byte, and few URLs have it.
    fn lacks(&self, owner: &Owner, bytes: &[u8], at: usize, missing: &mut Option<(u8, usize)>) -> bool {
        let Some(needed) = self.patterns[owner.rule].shape.as_ref().and_then(|shape| shape.needs) else { return false };
        let known = missing.is_some_and(|(byte, within)| byte == needed.0 && needed.1 <= within);
        if !known && pattern::is_missing(needed, bytes, at) {
            *missing = Some(needed);
            return true;
        }
        known
    }

    /// Finds the anchors in `bytes`, and the spots where something may be encoded.
    fn look(&self, scratch: &mut Scratch, bytes: &[u8]) {
        scratch.spots.clear();
        self.index.prefilter.find(bytes, &mut scratch.found);
        if self.depth > 0 {
            spots::all(bytes, &scratch.found, &mut scratch.spots);
        }
    }

    /// Whether there is anything in `bytes` that a search could go by. `true` may be wrong, `false` is not.
    pub fn has_anything(&self, scratch: &mut Scratch, bytes: &[u8]) -> bool {
        self.look(scratch, bytes);
        !(self.index.unanchored.is_empty() && scratch.found.anchors.is_empty() && scratch.spots.is_empty())
    }

    /// Finds the spots alone, at half the cost.
    fn look_for_spots(&self, scratch: &mut Scratch, bytes: &[u8]) {
        scratch.spots.clear();
        if self.depth > 0 {
            let encoded = self.encoded.get_or_init(|| Prefilter::new(Vec::new(), Vec::new()));
            encoded.find(bytes, &mut scratch.found);
            spots::all(bytes, &scratch.found, &mut scratch.spots);
        }
    }

    /// gitleaks' meaning of keywords where they need not be in the match: one of them stands somewhere.
    fn has_keyword(&self, index: usize, bytes: &[u8]) -> bool {
        let keywords = &self.rules.rules[index].keywords;
        keywords.is_empty()
            || keywords.iter().any(|keyword| {
                bytes.windows(keyword.len()).any(|window| window.eq_ignore_ascii_case(keyword.as_bytes()))
            })
    }

    fn judge<'c>(&self, rule: &'c Arc<Rule>, bytes: &'c [u8], hit: Hit, ahead: bool) -> Option<Candidate<'c>> {
        let token = proof::unescape(&bytes[hit.secret.clone()]);
        if rule.entropy.is_some_and(|least| entropy(&token) < least)
            || (rule.requires_digit && !token.iter().any(u8::is_ascii_digit))
        {
            return None;
        }
        let proven = rule.proof.map(|kind| proof::prove(kind, &token, self.now));
        let (proof, skip, facts, most) = proven.map_or((Proof::Absent, 0, Vec::new(), Confidence::High), |proven| {
            (proven.proof, proven.skip, proven.facts, proven.most)
        });
        let judgement = match proof {
            Proof::Holds(_) if rule.proof == Some(ProofKind::PrivateKey) && most == Confidence::Medium => {
                Some(evidence::guarded())
            }
            Proof::Holds(_) => None,
            // A proof that read the structure has seen more of it than evidence can.
            Proof::Absent if rule.proof == Some(ProofKind::PrivateKey) && !facts.is_empty() => None,
            Proof::Fails(_) | Proof::Absent => evidence::judge(rule, bytes, &hit.matched, &hit.secret, ahead),
        };
        let confidence = match proof {
            Proof::Holds(_) => most,
            Proof::Fails(_) => Confidence::Low,
            Proof::Absent => judgement.as_ref().map_or(rule.confidence, |one| one.confidence(rule.confidence)),
        };
        let token = match token {
            Cow::Borrowed(all) => Cow::Borrowed(&all[skip..]),
            Cow::Owned(all) => Cow::Owned(all[skip..].to_vec()),
        };
        // What is skipped is a prefix of plain characters, so it is as long escaped as not.
        let span = hit.secret.start + skip..hit.secret.end;
        let wrapping = Wrapping::default();
        Some(Candidate { rule, matched: hit.matched, span, token, proof, confidence, facts, judgement, wrapping })
    }
}

/// The index of the built-in rules behind their key, by `build.rs`.
const BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/index.bin"));

/// Where the rules are worth a try: as it was read when the program was built, if they are the built-in ones.
fn index_of(rules: &RuleSet, patterns: &[Pattern]) -> Index {
    let key = Index::key(rules.rules.iter().map(|rule| &**rule));
    match postcard::take_from_bytes::<u64>(BUILT_IN) {
        Ok((of, index)) if of == key => postcard::from_bytes(index).expect("build.rs wrote it from the same types"),
        _ => Index::new(rules.rules.iter().zip(patterns).map(|(rule, pattern)| (&**rule, pattern.shape.as_deref()))),
    }
}

fn applies(rule: &Rule, place: Where<'_>) -> bool {
    rule.path.as_ref().is_none_or(|wanted| match place {
        Where::At(path) => wanted.is_match(path),
        Where::Nowhere | Where::Passing => false,
        Where::Unknown => true,
    })
}

/// Leaves of several candidates that overlap the one that says most: a generic match inside a specific one is the
/// specific one, and a token never leaves a shorter twin. Rules that are judged together with others neither yield nor are
/// yielded to. The result is sorted by position.
pub fn settle<T>(candidates: &mut Vec<T>, view: impl Fn(&T) -> (Range<u64>, &Arc<Rule>, &Proof)) {
    let rank = |candidate: &T| {
        let (span, rule, proof) = view(candidate);
        rank(rule, proof, span.end - span.start)
    };
    candidates.sort_by(|one, other| {
        let ids = || view(one).1.id.cmp(&view(other).1.id);
        rank(other).cmp(&rank(one)).then_with(|| view(one).0.start.cmp(&view(other).0.start)).then_with(ids)
    });
    // Positions taken so far, by start; they never overlap. What is judged together with something else has its own.
    let mut all: BTreeMap<Option<String>, BTreeMap<u64, u64>> = BTreeMap::new();
    candidates.retain(|candidate| {
        let (span, rule, ..) = view(candidate);
        let taken = all.entry(rule.is_apart().then(|| rule.id.clone())).or_default();
        let free = taken.range(..span.end).next_back().is_none_or(|(_, &end)| end <= span.start);
        if free {
            taken.insert(span.start, span.end);
        }
        free
    });
    candidates.sort_by_key(|candidate| view(candidate).0.start);
}

/// How much a candidate says whose secret has so many bytes: more than what has less of the first that differs.
pub(crate) fn rank(rule: &Rule, proof: &Proof, len: u64) -> impl Ord + use<> {
    let proof = match proof {
        Proof::Holds(_) => 2,
        Proof::Absent => 1,
        Proof::Fails(_) => 0,
    };
    // A rule of a provider says more than one of none, even where it goes by the context, too.
    let specific = (rule.provider != "generic", !is_generic(rule));
    (specific, rule.random_bits > 0, proof, len, rule.random_bits)
}

/// Whether the rule goes by words that any assignment has, as gitleaks' `generic-api-key`: a rule that knows whose token
/// it is says more.
fn is_generic(rule: &Rule) -> bool {
    let says_so = || rule.id.starts_with("generic-") || rule.tags.iter().any(|tag| tag == "generic");
    rule.provider == "generic" || (rule.provider.is_empty() && says_so())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn the_index_that_was_made_at_the_build_is_that_of_the_built_in_rules() {
        let rules = crate::builtin::ready();
        let patterns: Vec<Pattern> = rules.rules.iter().map(|rule| Pattern::new(rule).unwrap()).collect();
        let shaped = rules.rules.iter().zip(&patterns).map(|(rule, pattern)| (&**rule, pattern.shape.as_deref()));
        let key = Index::key(rules.rules.iter().map(|rule| &**rule));
        assert!(postcard::to_allocvec(&(key, Index::new(shaped))).unwrap() == BUILT_IN);
        let read = index_of(&rules, &patterns);
        assert!(postcard::to_allocvec(&(key, read)).unwrap() == BUILT_IN, "read as it was written");
        let mut others = rules.clone();
        others.rules.remove(0);
        assert_ne!(Index::key(others.rules.iter().map(|rule| &**rule)), key);
    }

    #[test]
    fn what_a_thread_remembers_is_bounded_and_changes_nothing() {
        let detector = Detector::new(Arc::new(crate::builtin::ready()), 0).unwrap();
        let leaks = crate::builtin::with_examples().rules;
        let leaks = leaks.iter().map(|rule| mint::Press::new(rule).unwrap().expand(&rule.leaks[0], 3).unwrap());
        let text = leaks.collect::<Vec<_>>().join("\n").into_bytes();
        let scratch = &mut detector.scratch();
        let found = |scratch: &mut Scratch| {
            let all = detector.candidates(scratch, &text, &(0..text.len()), Where::Nowhere);
            all.iter().map(|one| (one.rule.id.clone(), one.span.clone())).collect::<Vec<_>>()
        };
        let size = |scratch: &Scratch| scratch.memories.iter().flatten().map(|one| one.size()).sum::<usize>();
        let before = found(scratch);
        assert!(size(scratch) > ROOM && before.len() > 700);
        for (threads, most) in [(1, ROOM), (2, ROOM / 2), (0, ROOM / 2), (100, LEAST_ROOM)] {
            (0..WEIGHED).for_each(|_| scratch.rest(threads));
            assert!(size(scratch) <= most, "{threads} threads");
        }
        assert_eq!(found(scratch), before);
    }

    /// A rule with nothing but a pattern and keywords.
    pub(crate) fn rule(id: &str, regex: &str, keywords: &[&str]) -> Rule {
        Rule {
            id: id.to_owned(),
            regex: regex.to_owned(),
            keywords: keywords.iter().map(|word| word.to_string()).collect(),
            ..Rule::default()
        }
    }
}

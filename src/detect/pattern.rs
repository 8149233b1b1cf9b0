//! A rule's pattern, compiled on first need and tried only in the window around an anchor.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use memchr::memchr;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::Hir;

use super::engine::{self, Engine};
use super::loose::{self, Loose};
use super::marks::{AFTER, BEFORE, shorten, shorten_each};
use super::table::Table;
use crate::rule::Rule;
use crate::shape::{self, MAX_MATCH, Shape, Written, shape};

/// The tables of the built-in rules, by `build.rs`.
const TABLES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tables.bin"));

/// A match that begins at most so many bytes before its anchor is looked for from there, without a search backward.
const NEAR: usize = 256;

/// A pattern that does not compile. Cannot happen to rules that were loaded through `rulefile`.
#[derive(Debug, thiserror::Error)]
#[error("rule {rule}: the regex does not compile: {reason}")]
pub struct Error {
    rule: String,
    reason: String,
}

impl Error {
    pub(super) fn new(rule: &str, reason: impl ToString) -> Self {
        Error { rule: rule.to_owned(), reason: reason.to_string() }
    }
}

/// The syntax tree of a rule's pattern.
pub(super) fn parse(rule: &Rule) -> Result<Hir, Error> {
    shape::parse(&rule.regex).map_err(|error| Error::new(&rule.id, error))
}

/// One rule's pattern.
#[derive(Debug)]
pub struct Pattern {
    /// Parsed on first need where the rule brought its shape along.
    hir: OnceLock<Hir>,
    rule: Arc<Rule>,
    group: usize,
    compiled: OnceLock<Engine>,
    /// Spares most runs the compiling of most patterns. `None`: there is no such form.
    loose: OnceLock<Option<Box<Loose>>>,
    table: OnceLock<Option<Table<'static>>>,
    /// It is the short form of one: a match of it may reach further than the secret, into what the next one begins with.
    is_short: bool,
    /// `None`: nothing shows that each match contains a keyword, so the whole object has to be searched.
    pub shape: Option<Arc<Shape>>,
}

/// Whether the byte that every match has behind its anchor, so near, is not there.
pub(super) fn is_missing((byte, within): (u8, usize), bytes: &[u8], at: usize) -> bool {
    memchr(byte, &bytes[at..bytes.len().min(at + within)]).is_none()
}

/// A match and the secret in it, as ranges of the searched bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Everything the pattern matched.
    pub matched: Range<usize>,
    /// The group that holds the secret.
    pub secret: Range<usize>,
}

/// What one thread needs to search with one pattern.
#[derive(Debug, Default)]
pub struct Memory {
    loose: Option<loose::Memory>,
    exact: Option<engine::Memory>,
}

impl Memory {
    /// What it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.loose.as_ref().map_or(0, loose::Memory::size) + self.exact.as_ref().map_or(0, Engine::size)
    }
}

impl Pattern {
    /// Parses a rule's pattern; compiling it is put off until an anchor is met.
    pub fn new(rule: &Arc<Rule>) -> Result<Self, Error> {
        let (hir, shape) = match &rule.shape {
            Some(shape) => (OnceLock::new(), Some(shape.clone())),
            None => {
                let hir = parse(rule)?;
                let shape = shape(&hir, &rule.keywords).map(Arc::new);
                (OnceLock::from(hir), shape)
            }
        };
        let (compiled, loose, table) = Default::default();
        Ok(Pattern {
            hir,
            rule: rule.clone(),
            group: rule.secret_group,
            compiled,
            loose,
            table,
            is_short: false,
            shape,
        })
    }

    fn hir(&self) -> &Hir {
        self.hir.get_or_init(|| parse(&self.rule).expect("its shape was read off its tree"))
    }

    /// The same pattern as far as it fits in the window of a mark. Matches wherever this one does; `None` if there is none such.
    pub(super) fn shortened(&self, shape: &Shape) -> Option<Self> {
        let (before, after) = (BEFORE - 1, AFTER - 1);
        let (hir, anchor) = match shape.before <= before && shape.after <= after {
            true => (self.hir().clone(), shape.anchor),
            false if shape.exact => shorten(self.hir(), shape.anchor, before, after),
            false => (shorten_each(self.hir(), &self.rule.keywords, before, after)?, shape.anchor),
        };
        // What a match needs may stand beyond.
        let (before, after) = (shape.before.min(before), shape.after.min(after));
        let shape = Shape { before, after, needs: None, anchor, contexts: Vec::new(), loose: None, ..shape.clone() };
        Some(Pattern {
            hir: OnceLock::from(hir),
            rule: self.rule.clone(),
            group: 0,
            compiled: OnceLock::new(),
            loose: OnceLock::new(),
            table: OnceLock::new(),
            is_short: true,
            shape: Some(shape.into()),
        })
    }

    /// The pattern, compiled.
    fn engine(&self) -> &Engine {
        let ahead = self.shape.as_ref().is_some_and(|shape| shape.before <= NEAR);
        self.compiled.get_or_init(|| Engine::new(self.hir(), self.group, ahead))
    }

    /// The match that contains the anchor at `at..at + len`. A function of the bytes in the window alone.
    pub fn around(&self, memory: &mut Option<Box<Memory>>, bytes: &[u8], at: usize, len: usize) -> Option<Hit> {
        let shape = self.shape.as_ref()?;
        if shape.needs.is_some_and(|needed| is_missing(needed, bytes, at)) || !self.may_match(memory, bytes, at, shape)
        {
            return None;
        }
        self.search(memory, bytes, at, len, shape)
    }

    /// The same, whether it is worth it or not.
    fn search(
        &self,
        memory: &mut Option<Box<Memory>>,
        bytes: &[u8],
        at: usize,
        len: usize,
        shape: &Shape,
    ) -> Option<Hit> {
        let end = bytes.len().min(at + shape.after);
        if shape.starts_with_anchor {
            return self.find(memory, bytes, at..end, Anchored::Yes);
        }
        let mut from = at.saturating_sub(shape.before);
        while from <= at {
            let hit = self.find(memory, bytes, from..end, Anchored::No)?;
            if hit.matched.start > at {
                return None;
            }
            if hit.matched.end >= at + len {
                return Some(self.behind(memory, bytes, &(at..at + len), &hit, end).unwrap_or(hit));
            }
            // What stands behind a secret, the next match may begin with.
            let next = hit.matched.start + 1;
            from = if self.is_short { next } else { hit.secret.end.max(next) };
        }
        None
    }

    /// The match that `anchor` leads to where it stands in the secret of another one: a keyword may end a password, and the next
    /// one follow it.
    fn behind(
        &self,
        memory: &mut Option<Box<Memory>>,
        bytes: &[u8],
        anchor: &Range<usize>,
        other: &Hit,
        end: usize,
    ) -> Option<Hit> {
        let is_inside = other.matched.start < other.secret.start && other.secret.contains(&(anchor.end - 1));
        let own = is_inside.then(|| self.find(memory, bytes, other.secret.start..end, Anchored::No))??;
        (own.matched.start <= anchor.start && anchor.end <= own.secret.start).then_some(own)
    }

    /// Whether a search is worth it. What stands from the anchor on says so with the first byte that does not fit, where a
    /// search that has to find the beginning, too, goes on to the end of its window; and without counting there are few
    /// states, where the pattern itself has new ones at most places.
    fn may_match(&self, memory: &mut Option<Box<Memory>>, bytes: &[u8], at: usize, shape: &Shape) -> bool {
        let end = bytes.len().min(at + shape.after);
        if let Some(table) = self.table() {
            return table.may_match(bytes, at, end);
        }
        let (from, anchored) = match shape.exact {
            true => (at, Anchored::Yes),
            false => (at.saturating_sub(shape.before), Anchored::No),
        };
        let input = Input::new(bytes).range(from..end).anchored(anchored);
        let memory = &mut memory.get_or_insert_default().loose;
        self.loose(shape).is_none_or(|loose| loose.may_match(memory, &input))
    }

    /// The table of the loose form of what every match has from its anchor on.
    fn table(&self) -> Option<&Table<'static>> {
        let form = || self.shape.as_ref().filter(|shape| shape.exact)?.loose.as_ref();
        self.table.get_or_init(|| Table::find(TABLES, form()?)).as_ref()
    }

    /// Whether the bytes up to `end`, behind which there are others, leave it open that there is a match around `at`.
    pub(super) fn goes_on(&self, bytes: &[u8], at: usize, end: usize) -> bool {
        self.table().is_none_or(|table| table.goes_on(bytes, at, end))
    }

    fn loose(&self, shape: &Shape) -> Option<&Loose> {
        let form = || shape.loose.as_ref().map_or_else(|| shape::loosened(self.hir(), Some(shape)), Written::hir);
        self.loose.get_or_init(|| Loose::new(&form()).map(Box::new)).as_deref()
    }

    /// Whether what [`around`](Pattern::around) says of an anchor at `at` does not depend on the bytes from `end` on.
    pub(super) fn ends_before(&self, memory: &mut Option<Box<Memory>>, bytes: &[u8], at: usize, end: usize) -> bool {
        let Some(shape) = self.shape.as_ref().filter(|shape| shape.exact && at < end) else { return false };
        let input = Input::new(bytes).range(at..).anchored(Anchored::Yes);
        let memory = &mut memory.get_or_insert_default().loose;
        self.loose(shape).is_some_and(|loose| loose.ends_before(memory, &input, end))
    }

    /// Every match in `bytes`, from the left, without overlaps.
    pub fn everywhere(&self, memory: &mut Option<Box<Memory>>, bytes: &[u8], mut each: impl FnMut(Hit)) {
        let mut from = 0;
        // One of a rule of the user's may match nothing at all, and go on behind that.
        while from <= bytes.len() {
            let Some(hit) = self.look(memory, bytes, from..bytes.len(), Anchored::No) else { break };
            from = hit.matched.end.max(hit.matched.start + 1);
            if hit.matched.len() <= MAX_MATCH && !hit.secret.is_empty() {
                each(hit);
            }
        }
    }

    fn find(
        &self,
        memory: &mut Option<Box<Memory>>,
        bytes: &[u8],
        window: Range<usize>,
        anchored: Anchored,
    ) -> Option<Hit> {
        self.look(memory, bytes, window, anchored).filter(|hit| !hit.secret.is_empty())
    }

    /// The leftmost match, whose secret may be empty.
    fn look(
        &self,
        memory: &mut Option<Box<Memory>>,
        bytes: &[u8],
        window: Range<usize>,
        anchored: Anchored,
    ) -> Option<Hit> {
        let engine = self.engine();
        let memory = memory.get_or_insert_default().exact.get_or_insert_with(|| engine.memory());
        let (matched, secret) = engine.find(memory, bytes, window, anchored == Anchored::Yes)?;
        Some(Hit { matched, secret })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::mint::Press;
    use crate::detect::tests::rule;

    fn secret_at<'b>(pattern: &str, keyword: &str, text: &'b str) -> Option<&'b str> {
        let pattern = Pattern::new(&rule("r", pattern, &[keyword]).into()).unwrap();
        let at = text.find(keyword).unwrap();
        let hit = pattern.around(&mut None, text.as_bytes(), at, keyword.len())?;
        Some(&text[hit.secret])
    }

    #[test]
    fn the_group_is_the_secret() {
        assert_eq!(secret_at("key=([0-9]{3})(?:[^0-9]|$)", "key=", "key=123 "), Some("123"));
        assert_eq!(secret_at("key=([0-9]{3})(?:[^0-9]|$)", "key=", "key=1234"), None);
        assert_eq!(secret_at("key=[0-9]{3}", "key=", "a key=123"), Some("key=123"));
    }

    #[test]
    fn a_match_of_nothing_ends_no_search() {
        let text = b"hello a_1 and\n\na_2";
        for pattern in ["(a_[0-9])?", "a_[0-9]|\\b", "(?m)^(?:.*(a_[0-9]).*)?$"] {
            let pattern = Pattern::new(&Rule { secret_group: 0, ..rule("r", pattern, &[]) }.into()).unwrap();
            let mut found = Vec::new();
            pattern.everywhere(&mut None, text, |hit| found.push(&text[hit.secret]));
            assert_eq!(found, [b"a_1", b"a_2"]);
        }
        // The group has no part in the second match.
        let pattern = Pattern::new(&Rule { secret_group: 1, ..rule("r", "a_([0-9])|and", &[]) }.into()).unwrap();
        let mut found = Vec::new();
        pattern.everywhere(&mut None, text, |hit| found.push(hit.secret.len()));
        assert_eq!(found, [1, 1]);
    }

    #[test]
    fn boundaries_see_what_is_outside_the_window() {
        assert_eq!(secret_at(r"\bkey=[0-9]{3}\b", "key=", "monkey=123"), None);
        assert_eq!(secret_at(r"key=[0-9]{3}\b", "key=", "key=1234"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn what_is_worth_no_search_has_no_match(
            rule in any::<prop::sample::Index>(),
            leak in any::<prop::sample::Index>(),
            seed in any::<u64>(),
            is_read_now in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"ab1 :/@=\"\n-<".to_vec())), 0..4),
        ) {
            let (ready, rules) = (crate::builtin::ready().rules, crate::builtin::with_examples().rules);
            let rule = rule.index(rules.len());
            let press = Press::new(&rules[rule]).unwrap();
            let mut text = press.expand(leak.get::<String>(&rules[rule].leaks), seed).unwrap().into_bytes();
            for (at, byte) in changes {
                *at.get_mut(&mut text) = byte;
            }
            let pattern = Pattern::new(if is_read_now { &rules[rule] } else { &ready[rule] }).unwrap();
            let words = rules[rule].keywords.iter().map(|word| word.as_bytes());
            let is_at = |word: &[u8], at: usize| text[at..].get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
            let anchors = words.flat_map(|word| (0..text.len()).filter(move |at| is_at(word, *at)).map(move |at| (at, word.len())));
            let hits = |find: &dyn Fn(usize, usize) -> Option<Hit>| {
                let spans = anchors.clone().filter_map(|(at, len)| find(at, len)).map(|hit| (hit.matched.start, hit.secret.end));
                spans.collect::<std::collections::BTreeSet<_>>()
            };
            let shape = pattern.shape.as_ref().unwrap();
            let all = hits(&|at, len| pattern.search(&mut None, &text, at, len, shape));
            prop_assert_eq!(hits(&|at, len| pattern.around(&mut None, &text, at, len)), all, "{}", rules[rule].id);
        }
    }

    #[test]
    fn a_match_before_the_anchor_does_not_hide_the_one_at_it() {
        let pattern = Pattern::new(&rule("r", "[a-z]{0,3}key([0-9])", &["key"]).into()).unwrap();
        let hit = pattern.around(&mut None, b"abkey1key2", 6, 3).unwrap();
        assert_eq!(hit, Hit { matched: 6..10, secret: 9..10 });
    }

    #[test]
    fn what_generic_rules_may_match_is_said_by_tables() {
        for rule in crate::builtin::ready().rules.iter().filter(|rule| rule.provider == "generic") {
            let pattern = Pattern::new(rule).unwrap();
            let exact = pattern.shape.as_ref().is_some_and(|shape| shape.exact);
            assert_eq!(pattern.table().is_some(), exact, "{}", rule.id);
        }
    }

    #[test]
    fn what_ends_a_match_may_begin_the_next() {
        let pattern = Pattern::new(&rule("r", r"(?:^|\s)[a-z]{1,3}k=([0-9]{3})(?:\s|$)", &["k="]).into()).unwrap();
        let hit = pattern.around(&mut None, b"ak=123\nbk=456\nck=789", 8, 2).unwrap();
        assert_eq!(hit, Hit { matched: 6..14, secret: 10..13 });
    }

    #[test]
    fn a_keyword_in_a_secret_may_have_one_of_its_own() {
        let pattern = Pattern::new(&rule("r", r#"[a-z]{0,9}key[ "]{0,2}=([a-z]{3,9})"#, &["key"]).into()).unwrap();
        let around = |at| pattern.around(&mut None, br#"key=onekey" =other"#, at, 3).unwrap();
        assert_eq!(around(0), Hit { matched: 0..10, secret: 4..10 });
        assert_eq!(around(7), Hit { matched: 4..18, secret: 13..18 });
        let pattern = Pattern::new(&rule("r", "[ =]([a-z]{0,9}key[0-9])", &["key"]).into()).unwrap();
        let hit = pattern.around(&mut None, b"a=thekey1", 5, 3).unwrap();
        assert_eq!(hit, Hit { matched: 1..9, secret: 2..9 });
    }
}

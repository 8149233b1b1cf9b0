//! Searches with one compiled pattern.

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson;
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Capture, Hir, HirKind, Repetition};

/// What the states of an automaton may take, in bytes, for each thread.
const ROOM: usize = 2 << 20;

/// What remembers where a search for groups was may take, in bytes: a row of SQL takes half of that.
const VISITED: usize = 1 << 20;

/// A compiled pattern, and which of its groups is looked for.
#[derive(Debug)]
pub(super) struct Engine {
    way: Way,
    /// 0 for the first that is not empty.
    group: usize,
}

#[derive(Debug)]
enum Way {
    /// Whose matches are looked for near where they begin.
    Ahead(Box<Ahead>),
    /// Whose matches begin anywhere.
    Anywhere(Regex),
}

/// Says where a match ends, and then where its groups are. What [`Regex`] does besides, to look for where the match
/// begins, takes as long to make and to run again.
#[derive(Debug)]
struct Ahead {
    end: DFA,
    groups: BoundedBacktracker,
    /// For a match that is too long for the one before.
    long: OnceLock<PikeVM>,
}

type AheadMemory = (dfa::Cache, backtrack::Cache, Captures);

/// What one thread needs to search with it.
#[derive(Debug)]
pub(super) enum Memory {
    Ahead(Box<AheadMemory>),
    Anywhere(Box<(meta::Cache, Captures)>),
}

impl Engine {
    /// Of a pattern and the group in it that is looked for, 0 for the first that is not empty. Its matches are looked for where
    /// they begin, or little before, if `ahead`.
    pub(super) fn new(hir: &Hir, group: usize, ahead: bool) -> Self {
        let is_one = group != 0 || groups(hir) <= 1;
        let hir = if is_one { with_one_group(hir, group) } else { hir.clone() };
        let way = match ahead.then(|| Ahead::new(&hir)).flatten() {
            Some(ahead) => Way::Ahead(Box::new(ahead)),
            None => Way::Anywhere(anywhere(&hir)),
        };
        Engine { way, group: group.min(1) }
    }

    /// What a thread needs to search with it.
    pub(super) fn memory(&self) -> Memory {
        match &self.way {
            Way::Ahead(ahead) => {
                let groups = (ahead.groups.create_cache(), ahead.groups.create_captures());
                Memory::Ahead(Box::new((ahead.end.create_cache(), groups.0, groups.1)))
            }
            Way::Anywhere(regex) => Memory::Anywhere(Box::new((regex.create_cache(), regex.create_captures()))),
        }
    }

    /// What a thread's memory takes, in bytes.
    pub(super) fn size(memory: &Memory) -> usize {
        match memory {
            Memory::Ahead(memory) => memory.0.memory_usage() + memory.1.memory_usage(),
            Memory::Anywhere(memory) => memory.0.memory_usage(),
        }
    }

    /// The leftmost match in `window`, and the group in it; all of it if no group has a part in it and none was asked for.
    /// `anchored`: it begins where the window does. The memory is that of the same engine.
    pub(super) fn find(
        &self,
        memory: &mut Memory,
        bytes: &[u8],
        window: Range<usize>,
        anchored: bool,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let kind = if anchored { Anchored::Yes } else { Anchored::No };
        let input = Input::new(bytes).range(window).anchored(kind);
        let captures = match (&self.way, memory) {
            (Way::Ahead(ahead), Memory::Ahead(memory)) => ahead.find(memory, input)?,
            (Way::Anywhere(regex), Memory::Anywhere(memory)) => {
                let (cache, captures) = &mut **memory;
                // Most anchors lead nowhere, and a plain search says so faster than one with groups.
                regex.search_half_with(cache, &input)?;
                regex.search_captures_with(cache, &input, captures);
                captures
            }
            _ => unreachable!("each pattern has its own"),
        };
        let matched = captures.get_match()?.range();
        let secret = match self.group {
            0 => (1..captures.group_len())
                .find_map(|group| captures.get_group(group).filter(|span| !span.is_empty()))
                .map_or(matched.clone(), |span| span.range()),
            group => captures.get_group(group).map_or(matched.start..matched.start, |span| span.range()),
        };
        Some((matched, secret))
    }
}

fn anywhere(hir: &Hir) -> Regex {
    // These take long to compile and are hardly used: most patterns are tried once or twice, at an anchor.
    let config = Regex::config().onepass(false).auto_prefilter(false).nfa_size_limit(None);
    let regex = Regex::builder()
        .configure(config.utf8_empty(false).hybrid_cache_capacity(ROOM))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build_from_hir(hir);
    regex.expect("rulefile compiled it when it was loaded, and a test does for the embedded rules")
}

/// In how many groups a match can have a part at most, as far as it is asked: two stands for more.
fn groups(hir: &Hir) -> usize {
    let all = match hir.kind() {
        HirKind::Capture(capture) => 1 + groups(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(groups).sum(),
        HirKind::Alternation(branches) => branches.iter().map(groups).max().unwrap_or(0),
        // In each turn it may be another.
        HirKind::Repetition(it) if it.max == Some(1) => groups(&it.sub),
        HirKind::Repetition(it) => it.sub.properties().explicit_captures_len(),
        _ => 0,
    };
    all.min(2)
}

/// The same with that group alone, as the first, or with all of them as the first if it is 0. What keeps the groups of each state
/// apart takes room for each group: with fifty of them 100 MB for a pattern of 14 kB.
fn with_one_group(hir: &Hir, group: usize) -> Hir {
    let again = |hir: &Hir| with_one_group(hir, group);
    match hir.kind() {
        HirKind::Capture(it) if group == 0 || it.index as usize == group => {
            Hir::capture(Capture { index: 1, name: None, sub: Box::new(again(&it.sub)) })
        }
        HirKind::Capture(it) => again(&it.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(again).collect()),
        HirKind::Alternation(branches) => Hir::alternation(branches.iter().map(again).collect()),
        HirKind::Repetition(it) => Hir::repetition(Repetition { sub: Box::new(again(&it.sub)), ..it.clone() }),
        _ => hir.clone(),
    }
}

impl Ahead {
    /// `None` for what is too large.
    fn new(hir: &Hir) -> Option<Self> {
        let compiler = thompson::Compiler::new().configure(thompson::Config::new().utf8(false)).build_from_hir(hir);
        let nfa = compiler.ok()?;
        // It gives up where it does little but make states.
        let config = DFA::config().minimum_cache_clear_count(Some(3)).minimum_bytes_per_state(Some(10));
        let config = config.skip_cache_capacity_check(true).cache_capacity(ROOM);
        let end = DFA::builder().configure(config).build_from_nfa(nfa.clone()).ok()?;
        let config = backtrack::Config::new().visited_capacity(VISITED);
        let groups = BoundedBacktracker::builder().configure(config).build_from_nfa(nfa).ok()?;
        Some(Ahead { end, groups, long: OnceLock::new() })
    }

    /// The groups of the leftmost match.
    fn find<'m>(&self, memory: &'m mut AheadMemory, input: Input<'_>) -> Option<&'m Captures> {
        let (cache, groups, captures) = memory;
        let end = match self.end.try_search_fwd(cache, &input) {
            Ok(found) => found?.offset(),
            Err(_) => input.end(),
        };
        let input = input.clone().range(input.start()..end);
        if self.groups.try_captures(groups, input.clone(), captures).is_err() {
            let long = self.long.get_or_init(|| {
                PikeVM::new_from_nfa(self.groups.get_nfa().clone()).expect("the other was made of the same")
            });
            long.captures(&mut long.create_cache(), input, captures);
        }
        Some(captures)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::builtin::with_examples;
    use crate::detect::mint::Press;
    use crate::shape::parse;

    /// What a pattern with all its groups finds.
    fn naive(
        plain: &Regex,
        text: &[u8],
        window: Range<usize>,
        anchored: bool,
        group: usize,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let anchored = if anchored { Anchored::Yes } else { Anchored::No };
        let mut captures = plain.create_captures();
        plain.search_captures(&Input::new(text).range(window).anchored(anchored), &mut captures);
        let matched = captures.get_match()?.range();
        let all: Vec<_> =
            (1..captures.group_len()).map(|group| captures.get_group(group).map(|it| it.range())).collect();
        let secret = match group {
            0 => all.into_iter().flatten().find(|it| !it.is_empty()).unwrap_or(matched.clone()),
            _ => all[group - 1].clone().unwrap_or(matched.start..matched.start),
        };
        Some((matched, secret))
    }

    #[test]
    fn groups_are_one_where_no_match_has_two() {
        for (pattern, group, len) in [
            ("a(b)|c(d)", 0, 2),
            ("a(b)|c(d)", 2, 2),
            ("(a)?b(c)", 0, 3),
            ("(a)?b(c)", 2, 2),
            ("(?:a(b)|c(d)){1,3}", 0, 3),
            ("(?:ab|c(d)){2}", 0, 2),
            ("x((a)|b)", 0, 3),
            ("(?:a(b)|c(d))?(?:e|f)", 0, 2),
            ("ab", 0, 1),
        ] {
            let hir = parse(pattern).unwrap();
            for ahead in [true, false] {
                let engine = Engine::new(&hir, group, ahead);
                let groups = match engine.memory() {
                    Memory::Ahead(memory) => memory.2.group_info().all_group_len(),
                    Memory::Anywhere(memory) => memory.1.group_info().all_group_len(),
                };
                assert_eq!(groups, len, "{pattern}");
                for text in [
                    "ab", "cd", "b", "bc", "abc", "abab", "abcd", "cdab", "cdcd", "abcdab", "xa", "xb", "e", "abe",
                    "cdf",
                ] {
                    for anchored in [true, false] {
                        let found = engine.find(&mut engine.memory(), text.as_bytes(), 0..text.len(), anchored);
                        let expected = naive(&anywhere(&hir), text.as_bytes(), 0..text.len(), anchored, group);
                        assert_eq!(found, expected, "{pattern} in {text}");
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn both_ways_find_the_same(
            rule in any::<prop::sample::Index>(),
            leak in any::<prop::sample::Index>(),
            seed in any::<u64>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"ab1 :/@=\"\n-<".to_vec())), 0..3),
            cut in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let rules = with_examples().rules;
            let rule = rule.get(&rules);
            let text = Press::new(rule).unwrap().expand(leak.get::<String>(&rule.leaks), seed).unwrap();
            let mut text = [text.as_bytes(), b" ", text.as_bytes()].concat();
            for (at, byte) in changes {
                *at.get_mut(&mut text) = byte;
            }
            let hir = parse(&rule.regex).unwrap();
            let plain = anywhere(&hir);
            let engines = [true, false].map(|ahead| Engine::new(&hir, rule.secret_group, ahead));
            let from = cut.0.index(text.len() / 2);
            let to = text.len() - cut.1.index(text.len() / 4 + 1);
            for (from, anchored) in [(0, true), (0, false), (from, true), (from, false), (text.len() / 2 + 1, true)] {
                let window = from..to.max(from);
                let expected = naive(&plain, &text, window.clone(), anchored, rule.secret_group);
                for engine in &engines {
                    let found = engine.find(&mut engine.memory(), &text, window.clone(), anchored);
                    prop_assert_eq!(&found, &expected, "{}", rule.id);
                }
            }
        }
    }

    #[test]
    fn a_match_that_is_too_long_to_go_back_in_has_its_groups() {
        let hir = parse("k=([a-z]{3,9000})(?:1|2){0,2000};").unwrap();
        let text = [b"k=".as_slice(), &[b'x'; 8000], b"12;"].concat();
        let engine = Engine::new(&hir, 1, true);
        let found = engine.find(&mut engine.memory(), &text, 0..text.len(), true);
        assert_eq!(found, Some((0..text.len(), 2..8002)));
    }
}

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
use regex_syntax::hir::Hir;

/// What the states of an automaton may take, in bytes, for each thread.
const ROOM: usize = 2 << 20;

/// What remembers where a search for groups was may take, in bytes: a row of SQL takes half of that.
const VISITED: usize = 1 << 20;

/// A compiled pattern.
#[derive(Debug)]
pub(super) enum Engine {
    /// Whose matches are looked for near where they begin.
    Ahead(Box<Ahead>),
    /// Whose matches begin anywhere.
    Anywhere(Regex),
}

/// Says where a match ends, and then where its groups are. What [`Regex`] does besides, to look for where the match
/// begins, takes as long to make and to run again.
#[derive(Debug)]
pub(super) struct Ahead {
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
    /// Of a pattern whose matches are looked for where they begin, or little before, if `ahead`.
    pub(super) fn new(hir: &Hir, ahead: bool) -> Self {
        if let Some(ahead) = ahead.then(|| Ahead::new(hir)).flatten() {
            return Engine::Ahead(Box::new(ahead));
        }
        // These take long to compile and are hardly used: most patterns are tried once or twice, at an anchor.
        let config = Regex::config().onepass(false).auto_prefilter(false).nfa_size_limit(None);
        let regex = Regex::builder()
            .configure(config.utf8_empty(false).hybrid_cache_capacity(ROOM))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build_from_hir(hir);
        Engine::Anywhere(
            regex.expect("rulefile compiled it when it was loaded, and a test does for the embedded rules"),
        )
    }

    /// What a thread needs to search with it.
    pub(super) fn memory(&self) -> Memory {
        match self {
            Engine::Ahead(ahead) => {
                let groups = (ahead.groups.create_cache(), ahead.groups.create_captures());
                Memory::Ahead(Box::new((ahead.end.create_cache(), groups.0, groups.1)))
            }
            Engine::Anywhere(regex) => Memory::Anywhere(Box::new((regex.create_cache(), regex.create_captures()))),
        }
    }

    /// What a thread's memory takes, in bytes.
    pub(super) fn size(memory: &Memory) -> usize {
        match memory {
            Memory::Ahead(memory) => memory.0.memory_usage() + memory.1.memory_usage(),
            Memory::Anywhere(memory) => memory.0.memory_usage(),
        }
    }

    /// The leftmost match in `window`, and the group in it, or the first that is not empty if that is 0. `anchored`: it
    /// begins where the window does. The memory is that of the same engine.
    pub(super) fn find(
        &self,
        memory: &mut Memory,
        bytes: &[u8],
        window: Range<usize>,
        anchored: bool,
        group: usize,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let kind = if anchored { Anchored::Yes } else { Anchored::No };
        let input = Input::new(bytes).range(window).anchored(kind);
        let captures = match (self, memory) {
            (Engine::Ahead(ahead), Memory::Ahead(memory)) => ahead.find(memory, input)?,
            (Engine::Anywhere(regex), Memory::Anywhere(memory)) => {
                let (cache, captures) = &mut **memory;
                // Most anchors lead nowhere, and a plain search says so faster than one with groups.
                regex.search_half_with(cache, &input)?;
                regex.search_captures_with(cache, &input, captures);
                captures
            }
            _ => unreachable!("each pattern has its own"),
        };
        let matched = captures.get_match()?.range();
        let secret = match group {
            0 => (1..captures.group_len())
                .find_map(|group| captures.get_group(group).filter(|span| !span.is_empty()))
                .map_or(matched.clone(), |span| span.range()),
            group => captures.get_group(group).map_or(matched.start..matched.start, |span| span.range()),
        };
        Some((matched, secret))
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
            let engines = [true, false].map(|ahead| Engine::new(&hir, ahead));
            let from = cut.0.index(text.len() / 2);
            let to = text.len() - cut.1.index(text.len() / 4 + 1);
            for (from, anchored) in [(0, true), (0, false), (from, true), (from, false), (text.len() / 2 + 1, true)] {
                let found = engines.each_ref().map(|engine| {
                    engine.find(&mut engine.memory(), &text, from..to.max(from), anchored, rule.secret_group)
                });
                prop_assert_eq!(&found[0], &found[1], "{}", rule.id);
            }
        }
    }

    #[test]
    fn a_match_that_is_too_long_to_go_back_in_has_its_groups() {
        let hir = parse("k=([a-z]{3,9000})(?:1|2){0,2000};").unwrap();
        let text = [b"k=".as_slice(), &[b'x'; 8000], b"12;"].concat();
        let engine = Engine::new(&hir, true);
        let found = engine.find(&mut engine.memory(), &text, 0..text.len(), true, 1);
        assert_eq!(found, Some((0..text.len(), 2..8002)));
    }
}

//! Says without a pattern that nothing matches it: by its loose form, which takes little to compile ([`Shape::loose`]).
//!
//! [`Shape::loose`]: crate::shape::Shape::loose

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::Hir;

/// The loose form of a pattern.
#[derive(Debug)]
pub(super) struct Loose(DFA);

/// What one thread needs to search with one loose form.
#[derive(Debug)]
pub(super) struct Memory(Cache);

impl Memory {
    /// What it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.memory_usage()
    }
}

impl Loose {
    /// Of this form; `None` if it asks for something that such an automaton cannot do.
    pub(super) fn new(form: &Hir) -> Option<Self> {
        Loose::automaton(form, 2 << 20).map(Loose)
    }

    /// Its automaton, which remembers states in so many bytes.
    pub(super) fn automaton(form: &Hir, room: usize) -> Option<DFA> {
        let config = thompson::Config::new().utf8(false).which_captures(thompson::WhichCaptures::None);
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(form).ok()?;
        let automaton = DFA::builder()
            // Of every way to match: what the pattern prefers, its loose form may not.
            .configure(DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true).cache_capacity(room))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build_from_nfa(nfa);
        automaton.ok()
    }

    /// Whether the pattern may match. `true` may be wrong, `false` is not.
    pub(super) fn may_match(&self, memory: &mut Option<Memory>, input: &Input<'_>) -> bool {
        let Memory(cache) = memory.get_or_insert_with(|| Memory(self.0.create_cache()));
        // One that gives up knows nothing.
        !matches!(self.0.try_search_fwd(cache, &input.clone().earliest(true)), Ok(None))
    }

    /// Whether no match that begins where `input` does depends on the bytes from `end` on.
    pub(super) fn ends_before(&self, memory: &mut Option<Memory>, input: &Input<'_>, end: usize) -> bool {
        let Memory(cache) = memory.get_or_insert_with(|| Memory(self.0.create_cache()));
        let Ok(mut state) = self.0.start_state_forward(cache, input) else { return false };
        input.haystack()[input.start()..end].iter().any(|byte| match self.0.next_state(cache, state, *byte) {
            Ok(next) => {
                state = next;
                state.is_dead()
            }
            // One that gives up knows nothing.
            Err(_) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::builtin::{ready, with_examples};
    use crate::detect::mint::Press;
    use crate::rule::compile;
    use crate::shape::{loosened, parse};

    #[test]
    fn counting_is_left_out_and_the_rest_is_not() {
        let loose = |pattern: &str, text: &str| {
            Loose::new(&loosened(&parse(pattern).unwrap(), None))
                .unwrap()
                .may_match(&mut None, &Input::new(text.as_bytes()))
        };
        assert!(loose("key=[0-9]{2,4};", "key=123456;"));
        assert!(!loose("key=[0-9]{2,4};", "key=1;"));
        assert!(!loose("key=[0-9]{2,4};", "key=12 ;"));
        assert!(loose("key=[0-9]{20}", "key=12345678"));
        assert!(!loose("key=[0-9]{20}", "key=1234567"));
        assert!(!loose(r"\bkey=(?:[0-9]{3}|[a-f]{3})?$", "monkey="));
        assert!(loose("(?:key|token)=[0-9]", "token=1") && !loose("(?:key|token)=[0-9]", "password=1"));
        assert!(loose("[0-9](?:a|bc)[0-9]", "1bc2") && !loose("[0-9](?:a|bc)[0-9]", "12"));
        assert!(loose("key=(?u:[^ü;]{3,5});", "key=日本語;") && loose("key=(?u:[^ü;]{3,5});", "key=日b語;"));
        assert!(!loose("key=(?u:[^ü;]{3,5});", "key=;") && !loose("key=(?u:[a-z]{3,5});", "key=日本語;"));
    }

    #[test]
    fn the_loose_forms_that_were_written_at_the_build_are_those_of_the_patterns() {
        for rule in ready().rules {
            let Some(shape) = &rule.shape else { continue };
            let form = loosened(&parse(&rule.regex).unwrap(), Some(shape));
            assert_eq!(shape.loose.as_ref().unwrap().hir(), form, "{}", rule.id);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn whatever_a_rule_matches_its_loose_form_does(
            rule in 0usize..1000,
            leak in 0usize..1000,
            seed in any::<u64>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"ab1 :/@=\"\n-<".to_vec())), 0..4),
        ) {
            let rules = with_examples().rules;
            let rule = &rules[rule % rules.len()];
            let press = Press::new(rule).unwrap();
            let mut text = press.expand(&rule.leaks[leak % rule.leaks.len()], seed).unwrap().into_bytes();
            for (at, byte) in changes {
                let at = at.index(text.len());
                text[at] = byte;
            }
            let loose = Loose::new(&loosened(&parse(&rule.regex).unwrap(), None)).unwrap();
            let matches = compile(&rule.regex).unwrap().is_match(&text);
            prop_assert!(!matches || loose.may_match(&mut None, &Input::new(&text)), "{}", rule.id);
        }
    }
}

//! A pattern with its counting left out, which says without the pattern that nothing matches.
//!
//! Compiling `[^"\r\n]{6,160}` takes 160 times as long as compiling `[^"\r\n]+`, and a start-up that meets a word such as `token` in
//! one file compiles several such patterns, to find that not one of them matches there. Whatever a pattern matches, its
//! loose form does, as a repetition may only go on for longer; most of what it does not match, its loose form does not
//! either.

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, Hir, HirKind, Repetition};

/// Repetitions are counted up to here: a value is told from the end of a line by its being there.
const COUNTED: u32 = 8;

/// The loose form of a pattern.
#[derive(Debug)]
pub(super) struct Loose(DFA);

/// What one thread needs to search with one loose form.
#[derive(Debug)]
pub(super) struct Memory(Cache);

impl Loose {
    /// Of this pattern; `None` if it asks for something that such an automaton cannot do.
    pub(super) fn new(hir: &Hir) -> Option<Self> {
        let config = thompson::Config::new().utf8(false).which_captures(thompson::WhichCaptures::None);
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(&loosen(hir)).ok()?;
        let automaton = DFA::builder()
            .configure(DFA::config().skip_cache_capacity_check(true))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build_from_nfa(nfa);
        automaton.ok().map(Loose)
    }

    /// Whether the pattern may match. `true` may be wrong, `false` is not.
    pub(super) fn may_match(&self, memory: &mut Option<Memory>, input: &Input<'_>) -> bool {
        let Memory(cache) = memory.get_or_insert_with(|| Memory(self.0.create_cache()));
        // One that gives up knows nothing.
        !matches!(self.0.try_search_fwd(cache, &input.clone().earliest(true)), Ok(None))
    }
}

/// What matches wherever `hir` does, and takes little to compile.
fn loosen(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let (min, max) = (repetition.min.min(COUNTED), repetition.max.filter(|max| *max <= 1));
            Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(loosen(&repetition.sub)) })
        }
        HirKind::Capture(capture) => loosen(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(loosen).collect()),
        HirKind::Alternation(branches) => Hir::alternation(branches.iter().map(loosen).collect()),
        HirKind::Class(Class::Unicode(class)) => by_bytes(class),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) => hir.clone(),
    }
}

/// A class of characters without telling those apart that take several bytes: the automaton for these takes a table of 400 KB
/// to make.
fn by_bytes(class: &ClassUnicode) -> Hir {
    let ascii = |end: char| u8::try_from(end).ok().filter(u8::is_ascii);
    let narrow = class
        .iter()
        .filter_map(|range| Some(ClassBytesRange::new(ascii(range.start())?, ascii(range.end()).unwrap_or(0x7f))));
    let narrow = Hir::class(Class::Bytes(ClassBytes::new(narrow)));
    let wide = Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(0x80, 0xff)])));
    let wide = Hir::repetition(Repetition { min: 1, max: None, greedy: true, sub: Box::new(wide) });
    if class.is_ascii() { narrow } else { Hir::alternation(vec![narrow, wide]) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::builtin::with_examples;
    use crate::detect::mint::Press;
    use crate::detect::pattern::parse;
    use crate::rule::compile;

    #[test]
    fn counting_is_left_out_and_the_rest_is_not() {
        let loose = |pattern: &str, text: &str| {
            let hir = crate::shape::parse(pattern).unwrap();
            Loose::new(&hir).unwrap().may_match(&mut None, &Input::new(text.as_bytes()))
        };
        assert!(loose("key=[0-9]{2,4};", "key=123456;"));
        assert!(!loose("key=[0-9]{2,4};", "key=1;"));
        assert!(!loose("key=[0-9]{2,4};", "key=12 ;"));
        assert!(loose("key=[0-9]{20}", "key=12345678"));
        assert!(!loose("key=[0-9]{20}", "key=1234567"));
        assert!(!loose(r"\bkey=(?:[0-9]{3}|[a-f]{3})?$", "monkey="));
        assert!(loose("key=(?u:[^ü;]{3,5});", "key=日本語;") && loose("key=(?u:[^ü;]{3,5});", "key=日b語;"));
        assert!(!loose("key=(?u:[^ü;]{3,5});", "key=;") && !loose("key=(?u:[a-z]{3,5});", "key=日本語;"));
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
            let loose = Loose::new(&parse(rule).unwrap()).unwrap();
            let matches = compile(&rule.regex).unwrap().is_match(&text);
            prop_assert!(!matches || loose.may_match(&mut None, &Input::new(&text)), "{}", rule.id);
        }
    }
}

//! Reads off a pattern's syntax tree where in a match the secret can begin.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::pattern::Error;

/// A set of bytes.
pub type Bytes = [bool; 256];

/// Where in a match the secret begins.
#[derive(Debug)]
pub struct Beginning {
    /// What a match has before the secret; nothing where the match as a whole may be the secret.
    before: Hir,
    /// The same, compiled on first need.
    search: Option<(DFA, Cache)>,
    /// The secret begins with one of these bytes.
    first: Bytes,
}

impl Beginning {
    /// Of the secret in `group` of a pattern; 0 is the first group that takes part, or everything.
    pub fn of(hir: &Hir, group: usize) -> Self {
        let wanted = |index: u32| group == 0 || index as usize == group;
        let mut first = [false; 256];
        let whole = Beginning { before: Hir::empty(), search: None, first: first_bytes(hir).0 };
        // Without a group that always takes part, the whole match may be the secret.
        if group == 0 && !has_group(hir) {
            return whole;
        }
        match before(hir, &wanted, &mut first) {
            Some(before) => Beginning { before, search: None, first },
            None => whole,
        }
    }

    /// Where the secret of a match that begins at or after `start` can begin at the earliest.
    pub fn at_or_after(&mut self, bytes: &[u8], start: usize) -> usize {
        let from = self.first_end(bytes, start);
        bytes[from..].iter().position(|&byte| self.first[usize::from(byte)]).map_or(bytes.len(), |at| from + at)
    }

    /// Where what stands before the secret first comes to its end, if it begins at or after `start`; or the end of all.
    fn first_end(&mut self, bytes: &[u8], start: usize) -> usize {
        let (automaton, cache) = self.search.get_or_insert_with(|| {
            let automaton = automaton(std::slice::from_ref(&self.before), MatchKind::All).expect("a part of a pattern");
            let cache = automaton.create_cache();
            (automaton, cache)
        });
        let input = Input::new(bytes).range(start..).earliest(true);
        // An automaton that gives up tells nothing.
        automaton.try_search_fwd(cache, &input).map_or(start, |end| end.map_or(bytes.len(), |end| end.offset()))
    }
}

/// The automaton of some patterns, whose states are made as they are met.
pub(super) fn automaton(hirs: &[Hir], kind: MatchKind) -> Result<DFA, Error> {
    let config = thompson::Config::new().utf8(false).which_captures(thompson::WhichCaptures::None);
    let nfa = thompson::Compiler::new().configure(config).build_many_from_hir(hirs);
    let nfa = nfa.map_err(|error| Error::new("(all)", error))?;
    let config = DFA::config().match_kind(kind).skip_cache_capacity_check(true).cache_capacity(8 << 20);
    let mut builder = DFA::builder();
    builder.configure(config).syntax(syntax::Config::new().unicode(false).utf8(false));
    builder.build_from_nfa(nfa).map_err(|error| Error::new("(all)", error))
}

/// Whether a group takes part in every match, and is not empty.
fn has_group(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => capture.sub.properties().minimum_len().is_some_and(|len| len > 0),
        HirKind::Repetition(repetition) => repetition.min > 0 && has_group(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().any(has_group),
        HirKind::Alternation(branches) => branches.iter().all(has_group),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// What stands before the wanted groups of a pattern, if there are any; adds what these can begin with.
fn before(hir: &Hir, wanted: &impl Fn(u32) -> bool, first: &mut Bytes) -> Option<Hir> {
    match hir.kind() {
        HirKind::Capture(capture) => {
            let inner = before(&capture.sub, wanted, first);
            if !wanted(capture.index) {
                return inner;
            }
            first.iter_mut().zip(first_bytes(&capture.sub).0).for_each(|(one, other)| *one |= other);
            Some(Hir::empty())
        }
        HirKind::Repetition(repetition) => {
            let inner = before(&repetition.sub, wanted, first)?;
            let earlier = Hir::repetition(Repetition { min: 0, ..repetition.clone() });
            Some(Hir::concat(vec![earlier, inner]))
        }
        HirKind::Concat(parts) => {
            let up_to = |(at, part): (usize, &Hir)| {
                let inner = before(part, wanted, first)?;
                Some(Hir::concat(parts[..at].iter().cloned().chain([inner]).collect()))
            };
            either(parts.iter().enumerate().filter_map(up_to).collect())
        }
        HirKind::Alternation(branches) => {
            either(branches.iter().filter_map(|branch| before(branch, wanted, first)).collect())
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

fn either(ways: Vec<Hir>) -> Option<Hir> {
    (!ways.is_empty()).then(|| Hir::alternation(ways))
}

/// The bytes that a match which is not empty can begin with, and whether a match can be empty.
pub(super) fn first_bytes(hir: &Hir) -> (Bytes, bool) {
    let mut first = [false; 256];
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => return (first, true),
        HirKind::Literal(literal) => first[usize::from(literal.0[0])] = true,
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().flat_map(|range| range.start()..=range.end()).for_each(|byte| first[usize::from(byte)] = true);
        }
        // The first bytes of UTF-8 are in the order of its characters.
        HirKind::Class(Class::Unicode(class)) => {
            let lead = |character: char| character.encode_utf8(&mut [0; 4]).as_bytes()[0];
            let leads = class.iter().flat_map(|range| lead(range.start())..=lead(range.end()));
            leads.for_each(|byte| first[usize::from(byte)] = true);
        }
        HirKind::Repetition(repetition) => {
            let (first, empty) = first_bytes(&repetition.sub);
            return (first, empty || repetition.min == 0);
        }
        HirKind::Capture(capture) => return first_bytes(&capture.sub),
        HirKind::Concat(parts) => {
            for part in parts {
                let (one, empty) = first_bytes(part);
                first.iter_mut().zip(one).for_each(|(all, one)| *all |= one);
                if !empty {
                    return (first, false);
                }
            }
            return (first, true);
        }
        HirKind::Alternation(branches) => {
            let mut can_be_empty = false;
            for branch in branches {
                let (one, empty) = first_bytes(branch);
                first.iter_mut().zip(one).for_each(|(all, one)| *all |= one);
                can_be_empty |= empty;
            }
            return (first, can_be_empty);
        }
    }
    (first, false)
}

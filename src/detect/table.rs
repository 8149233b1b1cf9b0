//! Loose forms of patterns ([`Shape::loose`]) as tables of states, made when the program is built: nothing has to be compiled,
//! nor remembered by a thread, to learn that a pattern does not match.
//!
//! [`Shape::loose`]: crate::shape::Shape::loose

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::Cache;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::Hir;

use super::loose::Loose;
use crate::shape::Written;

/// More states than this have no numbers.
const MANY: usize = 60_000;

/// Nothing that goes on from here matches.
const DEAD: u16 = 0;

/// Whatever goes on from here, there is a match.
const MATCH: u16 = 1;

/// What may stand before a match, as far as patterns ask: nothing, the end of a line, a letter or digit, anything else.
const BEFORE: [&[u8]; 4] = [b"", b"\n", b"a", b" "];

/// What a table begins with: the class of each byte, the state to begin with for each of [`BEFORE`], and how many classes
/// there are. The last of them is the end.
const HEAD: usize = 256 + 2 * BEFORE.len() + 2;

/// The states of one form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'t> {
    classes: &'t [u8; 256],
    starts: [u16; BEFORE.len()],
    width: usize,
    /// For each state, for each class, which state is next.
    next: &'t [[u8; 2]],
}

/// What stands for a loose form.
fn key(form: &Written) -> u64 {
    let mut hasher = DefaultHasher::new();
    form.hash(&mut hasher);
    hasher.finish()
}

/// The tables of patterns, in one piece, each by its loose form: of what [`tabled`](crate::shape::tabled) gives, unless that would take
/// more bytes than is said beside it.
pub fn write<'f>(forms: impl Iterator<Item = (&'f Written, Hir, usize)>) -> Vec<u8> {
    let table = |(form, of, most): (&Written, Hir, usize)| Some((key(form), table(&of, most)?));
    let tables: BTreeMap<u64, Vec<u8>> = forms.filter_map(table).collect();
    let mut at = 4 + 16 * tables.len();
    let mut out = (tables.len() as u32).to_le_bytes().to_vec();
    for (key, table) in &tables {
        out.extend(key.to_le_bytes());
        out.extend([at as u32, table.len() as u32].iter().flat_map(|number| number.to_le_bytes()));
        at += table.len();
    }
    tables.values().for_each(|table| out.extend(table));
    out
}

/// The table of one pattern, of at most so many bytes.
fn table(form: &Hir, most: usize) -> Option<Vec<u8>> {
    let automaton = Loose::automaton(form, 64 << 20)?;
    let mut cache = automaton.create_cache();
    let classes = automaton.byte_classes();
    let mut states = States::default();
    let start = |before: &&[u8], cache: &mut Cache| {
        let input = Input::new(before).range(before.len()..).anchored(Anchored::Yes);
        automaton.start_state_forward(cache, &input).ok()
    };
    let starts = BEFORE.iter().map(|before| Some(states.number(start(before, &mut cache)?)));
    let starts = starts.collect::<Option<Vec<u16>>>()?;
    let bytes: Vec<u8> = (0..=u8::MAX).map(|byte| classes.get(byte)).collect();
    let ways: Vec<u8> =
        (0..=u8::MAX).filter(|byte| !bytes[..usize::from(*byte)].contains(&bytes[usize::from(*byte)])).collect();
    let mut next: Vec<u16> = Vec::new();
    let mut done = 0;
    while let Some(state) = states.all.get(done).copied() {
        done += 1;
        let mut row = vec![DEAD; ways.len() + 1];
        for way in &ways {
            let next = automaton.next_state(&mut cache, state, *way).ok().filter(|next| !next.is_quit())?;
            row[usize::from(classes.get(*way))] = states.number(next);
        }
        row[ways.len()] = if automaton.next_eoi_state(&mut cache, state).ok()?.is_match() { MATCH } else { DEAD };
        next.extend(row);
        if HEAD + 2 * (states.all.len() + 2) * (ways.len() + 1) > most || states.all.len() > MANY {
            return None;
        }
    }
    let numbers = starts.into_iter().chain([ways.len() as u16 + 1]);
    let blank = vec![DEAD; 2 * (ways.len() + 1)];
    let numbers = numbers.chain(blank).chain(next).flat_map(u16::to_le_bytes);
    Some(bytes.into_iter().chain(numbers).collect())
}

/// The states that were met, and their numbers.
#[derive(Default)]
struct States {
    numbers: BTreeMap<LazyStateID, u16>,
    all: Vec<LazyStateID>,
}

impl States {
    fn number(&mut self, state: LazyStateID) -> u16 {
        match () {
            () if state.is_dead() => DEAD,
            () if state.is_match() => MATCH,
            () => *self.numbers.entry(state).or_insert_with(|| {
                self.all.push(state);
                self.all.len() as u16 + MATCH
            }),
        }
    }
}

impl<'t> Table<'t> {
    /// That of a form among what [`write()`] wrote.
    pub(super) fn find(tables: &'t [u8], form: &Written) -> Option<Self> {
        let (count, rest) = tables.split_first_chunk()?;
        let (entries, _) = rest.get(..16 * u32::from_le_bytes(*count) as usize)?.as_chunks::<16>();
        let of = |entry: &[u8; 16]| u64::from_le_bytes(*entry.first_chunk().unwrap_or(&[0; 8]));
        let entry = entries[entries.binary_search_by_key(&key(form), of).ok()?];
        let number = |at: usize| u32::from_le_bytes(*entry[at..].first_chunk().unwrap_or(&[0; 4])) as usize;
        let table = &tables[number(8)..number(8) + number(12)];
        let (classes, rest) = table.split_first_chunk()?;
        let (numbers, next) = rest.split_at_checked(HEAD - 256)?;
        let (numbers, _) = numbers.as_chunks::<2>();
        let starts = std::array::from_fn(|at| u16::from_le_bytes(numbers[at]));
        let width = usize::from(u16::from_le_bytes(numbers[BEFORE.len()]));
        Some(Table { classes, starts, width, next: next.as_chunks().0 })
    }

    /// Whether the pattern may match where `at` is, by the bytes up to `end` and the one behind. `true` may be wrong, `false` is not.
    #[inline]
    pub(super) fn may_match(&self, bytes: &[u8], at: usize, end: usize) -> bool {
        let end_of_all = self.width - 1;
        match self.walk(bytes, at, end) {
            state @ (DEAD | MATCH) => state == MATCH,
            state => self.next(state, bytes.get(end).map_or(end_of_all, |byte| self.class(*byte))) == MATCH,
        }
    }

    /// Whether the bytes up to `end`, which are not all, leave it open that the pattern matches. `true` may be wrong, `false` is not.
    #[inline]
    pub(super) fn goes_on(&self, bytes: &[u8], at: usize, end: usize) -> bool {
        self.walk(bytes, at, end) != DEAD
    }

    /// The state at `end`, unless it was sure before.
    #[inline]
    fn walk(&self, bytes: &[u8], at: usize, end: usize) -> u16 {
        let before = match at.checked_sub(1).map(|before| bytes[before]) {
            None => 0,
            Some(b'\n') => 1,
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => 2,
            Some(_) => 3,
        };
        let mut state = self.starts[before];
        for byte in &bytes[at..end] {
            if state <= MATCH {
                break;
            }
            state = self.next(state, self.class(*byte));
        }
        state
    }

    #[inline]
    fn class(&self, byte: u8) -> usize {
        usize::from(self.classes[usize::from(byte)])
    }

    #[inline]
    fn next(&self, state: u16, class: usize) -> u16 {
        u16::from_le_bytes(self.next[usize::from(state) * self.width + class])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shape;

    fn hir(pattern: &str) -> Hir {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).unwrap()
    }

    fn form(pattern: &str) -> Written {
        shape::of(pattern, &["k".to_owned()]).unwrap().loose.unwrap()
    }

    #[test]
    fn a_table_that_would_be_too_large_is_left_out() {
        let (one, other) = (form("k=[0-9]+;"), form(r"\bk[a-z]{0,3}=x"));
        let tables = write([(&one, one.hir(), 1 << 20), (&other, other.hir(), 100)].into_iter());
        assert!(Table::find(&tables, &one).is_some() && Table::find(&tables, &other).is_none());
        assert!(Table::find(&[], &one).is_none() && Table::find(&write(std::iter::empty()), &one).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn a_table_says_what_its_form_does(
            pattern in prop::sample::select(vec![
                "k=[0-9]+;", r"\bk[a-z]{0,3}=x", r"(?m)^k:(?:a|b{2,9}|\s)*$", "k", "k[^;]{3,40}(?:;|$)", r"k\B.=", r"(?-u:\b)k(?:1|2)\b",
            ]),
            text in "[ak1 ;=:b\n]{0,12}",
            at in any::<prop::sample::Index>(),
            end in any::<prop::sample::Index>(),
        ) {
            let form = form(pattern);
            let tables = write([(&form, form.hir(), 1 << 20)].into_iter());
            let table = Table::find(&tables, &form).unwrap();
            let at = at.index(text.len() + 1);
            let end = at + end.index(text.len() + 1 - at);
            let may = |end: usize| {
                let input = Input::new(text.as_bytes()).range(at..end).anchored(Anchored::Yes);
                Loose::new(&form.hir()).unwrap().may_match(&mut None, &input)
            };
            prop_assert_eq!(table.may_match(text.as_bytes(), at, end), may(end), "{:?}", hir(pattern));
            prop_assert!(table.goes_on(text.as_bytes(), at, end) || !(end..=text.len()).any(may));
        }
    }
}

//! Says from which byte on a stream must be held back, because what comes next could still make a token of it.
//!
//! A place in the stream is *open* while a rule's pattern, begun there, has neither failed nor come to its end. What
//! lies before the first open place is decided: no further byte changes what the rules find in it. A secret may begin
//! some way behind the place where its pattern does; what lies between can be passed on, but is not decided.

use std::sync::Arc;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

use super::beginning::{Beginning, Bytes, automaton, first_bytes};
use super::pattern::{Error, parse};
use crate::rule::{Rule, RuleSet};
use crate::shape::{MAX_MATCH, shape};

/// Rules whose matches end at most this far from their start, in bytes, are followed together. The few others may
/// begin far back and are followed apart, so that the many do not have to be.
const SHORT: usize = 1 << 10;

/// All rules, ready to say what is open.
#[derive(Debug)]
pub struct Openings {
    /// The many short rules, and how far a match of each can reach.
    short: Vec<(Arc<Rule>, usize)>,
    /// The few long ones.
    long: Vec<(Arc<Rule>, usize)>,
    /// All, followed: on first need, as to compile them takes longer than to filter 100 MB.
    /// Nothing where they cannot be followed.
    followed: Option<Option<Followed>>,
}

/// The rules, followed.
#[derive(Debug)]
struct Followed {
    /// The short ones in one automaton, to see quickly that nothing is open.
    together: Follower,
    /// The same, each by itself, to see where the secret of an open match can begin.
    short: Vec<Single>,
    long: Vec<(Follower, Beginning)>,
}

/// A rule that is followed by itself, ready on first need: a stream asks few of them.
#[derive(Debug)]
struct Single {
    rule: Arc<Rule>,
    span: usize,
    /// Bytes that a match can begin with.
    first: Box<Bytes>,
    ready: Option<(Follower, Beginning)>,
}

/// How far a stream is decided and how far it can be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Matches that begin before this are final.
    pub decided: usize,
    /// No secret of an open match begins before this; at least `decided`.
    pub held: usize,
}

/// Follows rules by one automaton.
#[derive(Debug)]
struct Follower {
    automaton: DFA,
    cache: Cache,
    /// A match ends at most this many bytes behind its start.
    reach: usize,
    /// Bytes that a match can begin with.
    first: Box<Bytes>,
}

impl Openings {
    /// For these rules; an error for one that is no pattern.
    pub fn new(rules: &RuleSet) -> Result<Self, Error> {
        let mut openings = Openings { short: Vec::new(), long: Vec::new(), followed: None };
        // What a rule only leads to is not known while it passes.
        for rule in rules.rules.iter().filter(|rule| !rule.regex.is_empty() && !rule.leads()) {
            let shape = match &rule.shape {
                Some(shape) => Some(shape.clone()),
                None => shape(&parse(rule)?, &rule.keywords).map(Into::into),
            };
            let span = shape.map_or(2 * MAX_MATCH, |shape| shape.before + shape.after);
            let rules = if span <= SHORT { &mut openings.short } else { &mut openings.long };
            rules.push((rule.clone(), span));
        }
        Ok(openings)
    }

    /// Whether a look costs little, as all that it needs is there.
    pub fn is_ready(&self) -> bool {
        self.followed.is_some()
    }

    /// What is open in `bytes` at or after `from`; places before `from` must be decided.
    pub fn look(&mut self, bytes: &[u8], from: usize) -> Open {
        match self.followed.get_or_insert_with(|| Followed::new(&self.short, &self.long).ok()) {
            Some(followed) => followed.look(bytes, from),
            // What cannot be followed stays open.
            None => self.look_roughly(bytes, from),
        }
    }

    /// As [`Openings::look`] without a look at the bytes: as much may be open as a match can be long.
    pub fn look_roughly(&self, bytes: &[u8], from: usize) -> Open {
        let reach = farthest(&self.short).max(farthest(&self.long));
        let place = bytes.len().saturating_sub(reach).max(from);
        Open { decided: place, held: place }
    }
}

/// How far a match of any of these can reach.
fn farthest(rules: &[(Arc<Rule>, usize)]) -> usize {
    rules.iter().map(|(_, span)| *span).max().unwrap_or(0)
}

impl Followed {
    fn new(short: &[(Arc<Rule>, usize)], long: &[(Arc<Rule>, usize)]) -> Result<Self, Error> {
        let reach = farthest(short);
        let (mut hirs, mut alone) = (Vec::new(), Vec::new());
        for (rule, span) in short {
            let hir = parse(rule)?;
            alone.push(Single { rule: rule.clone(), span: *span, first: begins_with(&hir), ready: None });
            hirs.push(hir);
        }
        // Each rule must be followed to its own end, also when another one has a match before.
        let together = Follower::new(&hirs, reach, MatchKind::All)?;
        let long = long.iter().map(|(rule, span)| Follower::alone(&parse(rule)?, rule, *span));
        Ok(Followed { together, short: alone, long: long.collect::<Result<_, Error>>()? })
    }

    fn look(&mut self, bytes: &[u8], from: usize) -> Open {
        let end = bytes.len();
        let first = self.together.first_open(bytes, from);
        let mut open = Open { decided: end, held: end };
        let mut there: Vec<u8> = bytes[first..].to_vec();
        there.sort_unstable();
        there.dedup();
        let may_begin = |single: &&mut Single| there.iter().any(|&byte| single.first[usize::from(byte)]);
        let short = self.short.iter_mut().filter(may_begin).map(|single| (single.ready(), first));
        for ((rule, secret), from) in short.chain(self.long.iter_mut().map(|long| (long, from))) {
            let place = rule.first_open(bytes, from);
            if place < end {
                open.decided = open.decided.min(place);
                open.held = open.held.min(secret.at_or_after(bytes, place));
            }
        }
        open
    }
}

impl Single {
    fn ready(&mut self) -> &mut (Follower, Beginning) {
        self.ready.get_or_insert_with(|| {
            let hir = parse(&self.rule);
            let alone = hir.and_then(|hir| Follower::alone(&hir, &self.rule, self.span));
            alone.expect("it was compiled together with the others")
        })
    }
}

impl Follower {
    /// One rule's, and where its secret begins.
    fn alone(hir: &Hir, rule: &Rule, span: usize) -> Result<(Self, Beginning), Error> {
        let follower = Follower::new(std::slice::from_ref(hir), span, MatchKind::LeftmostFirst)?;
        Ok((follower, Beginning::of(hir, rule.secret_group)))
    }

    fn new(hirs: &[Hir], reach: usize, kind: MatchKind) -> Result<Self, Error> {
        let automaton = automaton(hirs, kind)?;
        let cache = automaton.create_cache();
        let mut first = Box::new([false; 256]);
        for one in hirs.iter().map(begins_with) {
            first.iter_mut().zip(one.iter()).for_each(|(all, one)| *all |= one);
        }
        Ok(Follower { automaton, cache, reach, first })
    }

    /// The first open place at or after `from`, or the end.
    fn first_open(&mut self, bytes: &[u8], from: usize) -> usize {
        let mut at = from.max(bytes.len().saturating_sub(self.reach));
        while at < bytes.len() {
            let Some(skip) = bytes[at..].iter().position(|&byte| self.first[usize::from(byte)]) else {
                break;
            };
            at += skip;
            if self.is_open(bytes, at) {
                return at;
            }
            at += 1;
        }
        bytes.len()
    }

    /// Whether a match that begins at `start` could depend on what comes behind `bytes`. An automaton that gives up
    /// counts as open. A match that is over is not open.
    fn is_open(&mut self, bytes: &[u8], start: usize) -> bool {
        let input = Input::new(bytes).range(start..).anchored(Anchored::Yes);
        let Ok(mut state) = self.automaton.start_state_forward(&mut self.cache, &input) else { return true };
        for &byte in &bytes[start..] {
            match self.automaton.next_state(&mut self.cache, state, byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) => state = next,
                Err(_) => return true,
            }
        }
        self.depends_on_more(state)
    }

    /// Whether it matters what follows. The automaton tells a match one byte late, so a match that is over looks alive.
    fn depends_on_more(&mut self, state: LazyStateID) -> bool {
        let clears = self.cache.clear_count();
        let Some(next) = self.successors(state, clears) else { return true };
        let ends = next.iter().filter(|state| state.is_match()).count();
        match ends {
            0 => !next.is_empty(),
            // A look-ahead decides by the next byte; a longer match may follow.
            _ => {
                let more = |state| self.successors(state, clears).is_none_or(|next| !next.is_empty());
                ends < next.len() || next.into_iter().any(more) || self.has_dead_successor(state, clears)
            }
        }
    }

    /// The state that a byte leads to. `None` if the automaton gives up, or has cleared its cache since it had cleared it
    /// so often: no state that is known from before means anything then.
    fn step(&mut self, state: LazyStateID, byte: u8, clears: usize) -> Option<LazyStateID> {
        let is_known = self.cache.clear_count() == clears;
        let next = is_known.then(|| self.automaton.next_state(&mut self.cache, state, byte).ok())??;
        (self.cache.clear_count() == clears).then_some(next)
    }

    /// The states that one more byte can lead to, without the dead one; `None` if that cannot be found out.
    fn successors(&mut self, state: LazyStateID, clears: usize) -> Option<Vec<LazyStateID>> {
        let mut next = Vec::new();
        for byte in 0..=u8::MAX {
            let one = self.step(state, byte, clears)?;
            if !one.is_dead() && !next.contains(&one) {
                next.push(one);
            }
        }
        Some(next)
    }

    fn has_dead_successor(&mut self, state: LazyStateID, clears: usize) -> bool {
        (0..=u8::MAX).any(|byte| self.step(state, byte, clears).is_none_or(|next| next.is_dead()))
    }
}

/// The bytes that a match can begin with; all if it can be empty.
fn begins_with(hir: &Hir) -> Box<Bytes> {
    let (first, can_be_empty) = first_bytes(hir);
    Box::new(if can_be_empty { [true; 256] } else { first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::mint::Press;
    use crate::detect::tests::rule;

    fn open(regex: &str, keyword: &str, text: &str) -> usize {
        let rules = RuleSet { rules: vec![Arc::new(rule("r", regex, &[keyword]))], ..RuleSet::default() };
        Openings::new(&rules).unwrap().look(text.as_bytes(), 0).decided
    }

    #[test]
    fn what_stands_before_the_secret_is_not_held() {
        let held = |regex: &str, text: &str| {
            let rules = RuleSet { rules: vec![Arc::new(rule("r", regex, &["token"]))], ..RuleSet::default() };
            let open = Openings::new(&rules).unwrap().look(text.as_bytes(), 0);
            (open.decided, open.held)
        };
        let context = r#"token[\s"]{0,3}[=:][\s"]{0,3}([a-z0-9]{8})"#;
        assert_eq!(held(context, "a token:\n"), (2, 9));
        assert_eq!(held(context, "a token:\nab"), (2, 9));
        assert_eq!(held(context, "a token:ab"), (2, 8));
        assert_eq!(held(r"(?:^|\s)(token_[a-z]{8})", "line\n"), (4, 5));
        assert_eq!(held(r"(?:^|\s)(token_[a-z]{8})", "line t"), (4, 5));
        assert_eq!(held(r"token_[a-z]{8}", "line t"), (5, 5));
    }

    #[test]
    fn what_could_become_a_token_is_open() {
        let of = |text| open("ghp_[0-9a-z]{6}", "ghp_", text);
        assert_eq!(
            [of("no"), of("say g"), of("say ghp_"), of("say ghp_12345"), of("say ghp_123456")],
            [2, 4, 4, 4, 14]
        );
        assert_eq!([of("ghp_12345\n"), of("ghp_!"), of("gg")], [10, 5, 1]);
    }

    #[test]
    fn a_token_of_open_length_ends_with_what_cannot_go_on() {
        let of = |text| open("ghp_[0-9a-z]{6,}", "ghp_", text);
        assert_eq!([of("x ghp_123456"), of("x ghp_1234567"), of("x ghp_1234567\n")], [2, 2, 14]);
    }

    #[test]
    fn a_look_ahead_waits_for_its_byte() {
        let of = |text| open(r"ghp_[0-9]{3}\b", "ghp_", text);
        assert_eq!([of("ghp_123"), of("ghp_123 "), of("ghp_1234")], [0, 8, 8]);
    }

    #[test]
    fn a_newline_that_ends_a_match_ends_it() {
        let of = |text| open(r#"key=([0-9]{3,9})(?:\s|"|$)"#, "key=", text);
        assert_eq!([of("key=123"), of("key=123\n"), of("key=\n")], [0, 8, 5]);
    }

    #[test]
    fn a_match_over_lines_is_open_over_lines() {
        let of = |text| open(r"(?s)-----BEGIN.{4,200}END", "-----begin", text);
        assert_eq!([of("a\n-----BEGIN\nxyz\n"), of("-----BEGIN\nxyz\nEND"), of("-----")], [2, 0, 0]);
        let of = |text| open(r"(?s)-----BEGIN.{4,200}?END", "-----begin", text);
        assert_eq!(of("x\n-----BEGIN\nxyz\n"), 2);
    }

    /// Who reads a filtered stream sees a line, and a prompt, as soon as it has come.
    #[test]
    fn no_rule_of_ours_holds_back_what_is_plain() {
        for rule in &crate::builtin::ready().rules {
            let mut openings = Openings::new(&RuleSet { rules: vec![rule.clone()], ..RuleSet::default() }).unwrap();
            for text in ["all is well here\n> ", "and so it is.\n", "Password: ", "me@host's token: "] {
                assert_eq!(openings.look(text.as_bytes(), 0).held, text.len(), "{}: {text:?}", rule.id);
            }
        }
    }

    /// With a cache that is full at every turn: what is open then is no less, and no state of before is asked.
    #[test]
    fn an_automaton_that_forgets_holds_no_less() {
        const PATTERN: &str = r"key=(?:[a-m0-9]{8,60}z?|[a-f0-9]{20,90}(?:\.[a-z]{2,40})?)\b";
        let follower = |room: usize| {
            let config = DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true).cache_capacity(room);
            let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
            let automaton = DFA::builder().configure(config).syntax(syntax).build(PATTERN).unwrap();
            let cache = automaton.create_cache();
            Follower { automaton, cache, reach: 500, first: Box::new([true; 256]) }
        };
        let (mut whole, mut small) = (follower(8 << 20), follower(0));
        let text = format!("a key={} key={}.{} b", "abc0".repeat(12), "f".repeat(30), "xyz".repeat(9));
        for end in 0..=text.len() {
            let text = &text.as_bytes()[..end];
            assert!(small.first_open(text, 0) <= whole.first_open(text, 0), "{end}");
        }
        assert!(small.cache.clear_count() > 0 && whole.cache.clear_count() == 0);
    }

    /// Wherever a stream is cut: what one of our rules holds in it is held by a rough look, too.
    #[test]
    fn a_rough_look_holds_no_less() {
        let mut openings = Openings::new(&crate::builtin::ready()).unwrap();
        let mut seen = 0;
        for rule in &crate::builtin::with_examples().rules {
            let leak = rule.leaks.first().map(|leak| Press::new(rule).unwrap().expand(leak, 7).unwrap());
            let before = "some text before\n".repeat(1000);
            let leak = leak.unwrap_or_default();
            let text = before.clone() + &leak;
            for cut in [3, 2, 1].map(|part| before.len() + leak.len() * part / 4) {
                let text = &text.as_bytes()[..cut];
                let (open, rough) = (openings.look(text, 0), openings.look_roughly(text, 0));
                assert!((1..=open.held).contains(&rough.held) && rough.decided <= open.decided, "{}", rule.id);
                seen += usize::from(open.held < cut);
            }
        }
        assert!(seen > 700, "{seen}");
    }
}

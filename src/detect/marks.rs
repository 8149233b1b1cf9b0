//! Marks the places of an object that have to be looked at, by a bounded window of bytes around each.
//!
//! A walk over git's deltas carries an answer along with the bytes it depends on, so the answer may depend on few. A
//! mark says "here may be a candidate": it never misses one, and what it says too much costs only a second look.

use std::ops::Range;
use std::sync::OnceLock;

use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::decode::Left;
use super::index::Owner;
use super::pattern::{Hit, Memory, Pattern};
use super::prefilter::Anchor;
use super::{Candidate, Detector, Scratch, Where, columns};
use crate::shape::{Shape, find_anchor, flatten, is_run_byte, max_len};

/// How far before an anchor a mark looks, in bytes.
pub const BEFORE: usize = 64;

/// How far behind an anchor's first byte a mark looks, in bytes. Longer patterns are tried as far as they fit.
pub const AFTER: usize = 192;

/// How far around a mark its anchors are looked for again: more than the prefilter ever looks, in bytes.
const NEAR: usize = 512;

/// What decides marks: for each rule its pattern, cut to the window. `None`: it cannot be, and every anchor is a mark.
#[derive(Debug)]
pub(super) struct Marker {
    short: Vec<OnceLock<Option<Box<Pattern>>>>,
}

impl Marker {
    pub(super) fn new(patterns: &[Pattern]) -> Self {
        Marker { short: patterns.iter().map(|_| OnceLock::new()).collect() }
    }
}

impl Detector {
    /// Whether some rule can only be decided on whole objects, so that marks say nothing.
    pub fn needs_whole_objects(&self) -> bool {
        !self.index.unanchored.is_empty()
    }

    /// Adds to `out`, ascending, the places in `bytes` where a candidate may be. Whether a place is marked depends on
    /// the bytes from [`BEFORE`] before it to [`AFTER`] behind it alone, and on whether `bytes` begins or ends there.
    pub fn marks(&self, scratch: &mut Scratch, bytes: &[u8], out: &mut Vec<u32>) {
        self.look(scratch, bytes);
        let mut last = None;
        for anchor in &scratch.found.anchors {
            if last != Some(anchor.at) && self.is_marked(&mut scratch.short_memories, bytes, anchor) {
                last = Some(anchor.at);
                out.push(anchor.at as u32);
            }
        }
        if !scratch.spots.is_empty() {
            out.extend(scratch.spots.iter().map(|spot| spot.at as u32));
            out.sort_unstable();
            out.dedup();
        }
    }

    /// The candidates in `bytes`, a whole object, as [`Detector::candidates`] gives them, going by their marks alone: all of
    /// them, ascending. What lies between marks is not searched.
    pub fn candidates_at<'c>(
        &'c self,
        scratch: &mut Scratch,
        bytes: &'c [u8],
        marks: &[u32],
        place: Where<'_>,
    ) -> Vec<Candidate<'c>> {
        let (mut anchors, mut spots) = (Vec::new(), Vec::new());
        let near = |one: &u32, next: &u32| (*next - *one) as usize <= 2 * NEAR;
        for together in marks.chunk_by(near) {
            let (first, last) = (together[0] as usize, together[together.len() - 1] as usize);
            let start = first.saturating_sub(NEAR);
            let is_mark = |at: usize| together.binary_search(&((start + at) as u32)).is_ok();
            self.look(scratch, &bytes[start..bytes.len().min(last + NEAR)]);
            let here = scratch.spots.iter().filter(|spot| is_mark(spot.at));
            spots.extend(here.map(|spot| spot.behind(start)));
            let here = scratch.found.anchors.iter().filter(|anchor| is_mark(anchor.at));
            anchors.extend(here.map(|anchor| Anchor { at: start + anchor.at, ..*anchor }));
        }
        scratch.spots = spots;
        self.around(scratch, bytes, &anchors, place)
    }

    /// Whether a search of `now`, a whole object, may find something that one of `before` does not, which differs from it
    /// only where `now` has `changed`. `true` may be wrong, `false` is not.
    pub fn may_hold_more(&self, scratch: &mut Scratch, before: &[u8], now: &[u8], changed: &Range<usize>) -> bool {
        self.look(scratch, now);
        let held = scratch.found.anchors.iter().any(|anchor| {
            let (len, owners) = self.index.owners(anchor.keyword);
            // Where it stood before.
            let was = match anchor.at {
                at if at + len <= changed.start => Some(at),
                at if at >= changed.end => Some(before.len() + at - now.len()),
                _ => None,
            };
            owners.iter().any(|owner @ &Owner { rule, .. }| {
                let Some(shape) = &self.patterns[rule].shape else { return false };
                // What a manifest or a table holds stands anywhere around the match.
                if self.rules.rules[rule].leads() && self.may_match(owner, now, anchor.at) {
                    let hit = self.patterns[rule].around(&mut scratch.memories[rule], now, anchor.at, len);
                    return hit.is_some_and(|hit| self.may_lead(rule, now, &hit));
                }
                let reach = anchor.at.saturating_sub(shape.before)..anchor.at + shape.after;
                if reach.start > changed.end || changed.start > reach.end || !self.may_match(owner, now, anchor.at) {
                    return false;
                }
                let memory = &mut scratch.memories[rule];
                if self.patterns[rule].ends_before(memory, now, anchor.at, changed.start) {
                    return false;
                }
                let mut hit = |bytes, at| self.patterns[rule].around(memory, bytes, at, len);
                let Some(new) = hit(now, anchor.at) else { return false };
                let old = was.and_then(|was| hit(before, was));
                let is_old = old.is_some_and(|old| before[old.secret] == now[new.secret.clone()]);
                !is_old && self.judge(&self.rules.rules[rule], now, new, true).is_some()
            })
        });
        held || self.holds_encoded(scratch, now)
    }

    /// Whether something is found, or was not all read, in what is encoded at the spots of the scratch.
    fn holds_encoded(&self, scratch: &mut Scratch, bytes: &[u8]) -> bool {
        let decoded = self.unwrapped(scratch, bytes, Where::Unknown, true);
        decoded.left != Left::Nothing || !decoded.candidates.is_empty() || !decoded.cut.is_empty()
    }

    fn is_marked(&self, memories: &mut [Option<Box<Memory>>], bytes: &[u8], anchor: &Anchor) -> bool {
        let (len, owners) = self.index.owners(anchor.keyword);
        owners.iter().any(|owner| {
            self.may_match(owner, bytes, anchor.at) && self.is_marked_for(owner, memories, bytes, anchor, len)
        })
    }

    /// Whether one that looks for the keyword of `anchor`, of `len` bytes, has a mark there.
    fn is_marked_for(
        &self,
        &Owner { rule, .. }: &Owner,
        memories: &mut [Option<Box<Memory>>],
        bytes: &[u8],
        anchor: &Anchor,
        len: usize,
    ) -> bool {
        let window = anchor.at.saturating_sub(BEFORE - 1)..bytes.len().min(anchor.at + AFTER - 1);
        let pattern = &self.patterns[rule];
        let Some(shape) = &pattern.shape else { return false };
        let digit = self.rules.rules[rule].requires_digit && shape.one_run;
        let at = anchor.at - window.start;
        if !pattern.goes_on(bytes, anchor.at, window.end) || !is_near_run(&bytes[window], at, shape, digit) {
            return false;
        }
        let short = self.marker.short[rule].get_or_init(|| pattern.shortened(shape).map(Box::new));
        short.as_ref().is_none_or(|short| {
            let hit = short.around(&mut memories[rule], bytes, anchor.at, len);
            hit.is_some_and(|hit| self.may_lead(rule, bytes, &hit))
        })
    }

    /// Whether a match is one of a header, if only these lead anywhere.
    fn may_lead(&self, rule: usize, bytes: &[u8], hit: &Hit) -> bool {
        !(columns::is_kind(&self.rules.rules[rule].kind) && columns::is_elsewhere(bytes, hit.matched.start))
    }
}

/// What the prefilter asks, asked of the window alone: whether the anchor goes on as a run for as long as it must, and
/// whether there is a run (with a digit, if one is needed) that begins at most the rule's lead behind the anchor, and does
/// not end before it.
fn is_near_run(window: &[u8], at: usize, shape: &Shape, digit: bool) -> bool {
    let Some(near) = shape.run else { return true };
    if !window[at..].iter().take(near.rest).all(|&byte| is_run_byte(byte)) || window.len() < at + near.rest {
        return false;
    }
    let mut start = 0;
    while start < window.len() && start <= at + near.lead {
        let len = window[start..].iter().take_while(|&&byte| is_run_byte(byte)).count();
        let run: Range<usize> = start..start + len;
        if len >= near.len && run.end >= at && (!digit || window[run].iter().any(u8::is_ascii_digit)) {
            return true;
        }
        start += len + 1;
    }
    false
}

/// [`shorten`] for a pattern whose keyword does not stand where one of its parts begins: each of the alternatives that hold one
/// is cut on its own. `None` if that does not do.
pub(super) fn shorten_each(hir: &Hir, keywords: &[String], before: usize, after: usize) -> Option<Hir> {
    let parts = flatten(hir);
    let anchor = find_anchor(&parts, keywords)?;
    if anchor.slack == 0 {
        return Some(shorten(hir, anchor.from, before, after).0);
    }
    let HirKind::Alternation(branches) = parts[anchor.from].kind() else { return None };
    let each = branches.iter().map(|branch| {
        let around = [&parts[..anchor.from], std::slice::from_ref(branch), &parts[anchor.from + 1..]];
        shorten_each(&Hir::concat(around.concat()), keywords, before, after)
    });
    each.collect::<Option<Vec<_>>>().map(Hir::alternation)
}

/// The pattern of all that a match of `hir` begins with, in at most `after` bytes from its anchor on, which begins a part, and
/// ends with, in at most `before` bytes up to there, and in which part of that the anchor is. Whatever `hir` matches, this does.
pub(super) fn shorten(hir: &Hir, anchor: usize, before: usize, after: usize) -> (Hir, usize) {
    let parts = flatten(hir);
    let mut short: Vec<Hir> = Vec::new();
    let mut left = before;
    for part in parts[..anchor].iter().rev() {
        let (part, whole) = fit(part, left, false);
        left -= max_len(&part).unwrap_or(0);
        short.insert(0, part);
        if !whole {
            break;
        }
    }
    let before = flatten(&Hir::concat(short.clone())).len();
    short.extend(fit_all(&parts[anchor..], after).0);
    (Hir::concat(short), before)
}

/// As many of the parts as fit in `room` bytes, and whether that is all of them.
fn fit_all(parts: &[Hir], mut room: usize) -> (Vec<Hir>, bool) {
    let mut fitting = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if let Some(both) = ends_or_goes_on(part, &parts[at + 1..], room) {
            fitting.push(both);
            return (fitting, false);
        }
        let (part, whole) = fit(part, room, true);
        room -= max_len(&part).unwrap_or(0);
        fitting.push(part);
        if !whole {
            return (fitting, false);
        }
    }
    (fitting, true)
}

/// Of something repeated that may not fit, and what follows it, which would: either it ends early enough for that, or it
/// goes on. `None` if it is not so.
fn ends_or_goes_on(part: &Hir, rest: &[Hir], room: usize) -> Option<Hir> {
    let part = match part.kind() {
        HirKind::Capture(capture) => &capture.sub,
        _ => part,
    };
    let HirKind::Repetition(repetition) = part.kind() else { return None };
    let behind = rest.iter().try_fold(0, |sum, part| Some(sum + max_len(part)?))?;
    let len = max_len(&repetition.sub).filter(|len| *len > 0)?;
    let most = room.checked_sub(behind)? / len;
    let fits = max_len(part).is_some_and(|len| len <= room);
    if fits || (most + 1) * len > room || most < repetition.min as usize {
        return None;
    }
    let times = |min, max| Hir::repetition(Repetition { min, max: Some(max), ..repetition.clone() });
    let most = most as u32;
    let ends = [times(repetition.min, most)].into_iter().chain(rest.iter().cloned()).collect();
    Some(Hir::alternation(vec![Hir::concat(ends), times(most + 1, most + 1)]))
}

/// What every match of a part begins with (or ends with, unless `forward`), in at most `room` bytes, and whether that
/// is the part itself.
fn fit(part: &Hir, room: usize, forward: bool) -> (Hir, bool) {
    if max_len(part).is_some_and(|len| len <= room) {
        return (part.clone(), true);
    }
    let short = match part.kind() {
        HirKind::Repetition(repetition) => match max_len(&repetition.sub) {
            Some(len @ 1..) => {
                let times = repetition.min.min((room / len) as u32);
                Hir::repetition(Repetition { min: times, max: Some(times), ..repetition.clone() })
            }
            _ => Hir::empty(),
        },
        HirKind::Capture(capture) => fit(&capture.sub, room, forward).0,
        HirKind::Concat(_) if forward => Hir::concat(fit_all(&flatten(part), room).0),
        HirKind::Alternation(branches) if forward => {
            Hir::alternation(branches.iter().map(|branch| Hir::concat(fit_all(&flatten(branch), room).0)).collect())
        }
        _ => Hir::empty(),
    };
    (short, false)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::sync::{Arc, LazyLock};

    use proptest::prelude::*;

    use super::*;
    use crate::builtin::with_examples;
    use crate::detect::Where;
    use crate::detect::mint::Press;

    /// With all rules, made once: that takes longer than most cases.
    fn detector() -> &'static Detector {
        static DETECTOR: LazyLock<Detector> =
            LazyLock::new(|| Detector::new(Arc::new(with_examples()), 0).unwrap().with_depth(3));
        &DETECTOR
    }

    /// With what was made for the texts before: caches take longer to make than most texts to search.
    fn with_scratch<T>(act: impl FnOnce(&mut Scratch) -> T) -> T {
        thread_local!(static SCRATCH: RefCell<Scratch> = RefCell::new(detector().scratch()));
        SCRATCH.with_borrow_mut(act)
    }

    fn marks(detector: &Detector, bytes: &[u8]) -> Vec<u32> {
        let mut out = Vec::new();
        with_scratch(|scratch| detector.marks(scratch, bytes, &mut out));
        out
    }

    /// What is encoded is seen from so many bytes on.
    const SHORT: usize = 32;

    /// The rule, where it is, and what.
    type Shown = (String, usize, usize, Vec<u8>);

    /// All that a search gives, decoded or not, with where it is, and what is left to say: of the whole, or by its marks.
    fn found(detector: &Detector, bytes: &[u8], by_marks: bool) -> (BTreeSet<Shown>, String) {
        let marks = marks(detector, bytes);
        with_scratch(|scratch| {
            let mut all = match by_marks {
                true => detector.candidates_at(scratch, bytes, &marks, Where::Unknown),
                false => detector.candidates(scratch, bytes, &(0..bytes.len()), Where::Unknown),
            };
            let decoded = detector.unwrapped(scratch, bytes, Where::Unknown, true);
            all.extend(decoded.candidates);
            let shown =
                |one: Candidate<'_>| (one.rule.id.clone(), one.span.start, one.span.end, one.token.into_owned());
            (all.into_iter().map(shown).collect(), format!("{:?} {:?}", decoded.left, decoded.cut))
        })
    }

    fn is_found(detector: &Detector, bytes: &[u8]) -> bool {
        !found(detector, bytes, false).0.is_empty()
    }

    /// All that a search of the whole gives.
    fn tokens(detector: &Detector, bytes: &[u8]) -> BTreeSet<(String, Vec<u8>)> {
        let all = with_scratch(|scratch| {
            let mut all = detector.candidates(scratch, bytes, &(0..bytes.len()), Where::Unknown);
            all.extend(detector.unwrapped(scratch, bytes, Where::Unknown, true).candidates);
            all
        });
        all.into_iter().map(|one| (one.rule.id.clone(), one.token.into_owned())).collect()
    }

    const WAYS: usize = 5;

    fn wrapped(way: usize, text: &str) -> String {
        let each = |write: &dyn Fn(u8) -> String| text.bytes().map(write).collect::<String>();
        match way {
            0 => data_encoding::BASE64.encode(text.as_bytes()),
            1 => data_encoding::HEXLOWER.encode(text.as_bytes()),
            2 => each(&|byte| format!("%{byte:02x}")),
            3 => each(&|byte| format!("\\x{byte:02x}")),
            _ => each(&|byte| format!("{}\0", char::from(byte))),
        }
    }

    #[test]
    fn every_candidate_is_marked() {
        let detector = detector();
        let whole: Vec<_> = detector.index.unanchored.iter().map(|&index| &detector.rules.rules[index].id).collect();
        assert!(whole.is_empty(), "{whole:?}");
        for rule in &detector.rules().rules {
            let press = Press::new(rule).unwrap();
            for (seed, leak) in rule.leaks.iter().enumerate() {
                let text = press.expand(leak, seed as u64).unwrap();
                assert!(!marks(detector, text.as_bytes()).is_empty(), "{}: leak {seed}", rule.id);
                assert!(is_found(detector, text.as_bytes()), "{}: leak {seed}", rule.id);
                for way in 0..WAYS {
                    let wrapped = wrapped(way, &text);
                    let marked = !marks(detector, wrapped.as_bytes()).is_empty();
                    let place = || format!("{}: leak {seed} by {way}", rule.id);
                    assert!(marked || !is_found(detector, wrapped.as_bytes()), "{}", place());
                    let both = [true, false].map(|by_marks| found(detector, wrapped.as_bytes(), by_marks));
                    assert!(both[0] == both[1], "{}", place());
                    // A password is short, and what is short is not always taken for encoded.
                    assert!(marked || (rule.provider == "generic" && text.len() < SHORT), "{}", place());
                }
            }
        }
    }

    /// Of each rule on its own: what another one marks does not help it where that one's place is not in the same object.
    #[test]
    fn what_a_pattern_finds_at_an_anchor_is_marked_there() {
        let detector = detector();
        for rule in &detector.rules().rules {
            let press = Press::new(rule).unwrap();
            for (seed, leak) in rule.leaks.iter().enumerate() {
                let leak = press.expand(leak, seed as u64).unwrap();
                for way in 0..=WAYS {
                    let text = if way < WAYS { wrapped(way, &leak) } else { format!("{leak}\n{leak}") };
                    with_scratch(|scratch| is_marked_where_it_matches(detector, scratch, text.as_bytes()));
                }
            }
        }
    }

    fn is_marked_where_it_matches(detector: &Detector, scratch: &mut Scratch, bytes: &[u8]) {
        detector.look(scratch, bytes);
        for anchor in scratch.found.anchors.clone() {
            let (len, owners) = detector.index.owners(anchor.keyword);
            for owner in owners {
                let pattern = &detector.patterns[owner.rule];
                let hit = pattern.around(&mut scratch.memories[owner.rule], bytes, anchor.at, len);
                let may = detector.may_match(owner, bytes, anchor.at)
                    && hit.is_some_and(|hit| detector.may_lead(owner.rule, bytes, &hit));
                let is_marked = detector.is_marked_for(owner, &mut scratch.short_memories, bytes, &anchor, len);
                assert!(!may || is_marked, "{} at {}", detector.rules.rules[owner.rule].id, anchor.at);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_mark_depends_on_its_window_alone(
            rule in 0usize..1000,
            seed in any::<u64>(),
            way in 0..=WAYS,
            before in prop::collection::vec(prop::sample::select(b"ab1 :/@=\"\n-".to_vec()), 0..300),
            after in prop::collection::vec(prop::sample::select(b"ab1 :/@=\"\n-".to_vec()), 0..300),
        ) {
            let detector = detector();
            let rule = &detector.rules().rules[rule % detector.rules().rules.len()];
            let leak = Press::new(rule).unwrap().expand(&rule.leaks[seed as usize % rule.leaks.len()], seed).unwrap();
            let leak = if way < WAYS { wrapped(way, &leak) } else { leak };
            let text = [&before[..], leak.as_bytes(), &after[..]].concat();
            for &mark in &marks(detector, &text) {
                let at = mark as usize;
                let window = at.saturating_sub(BEFORE)..text.len().min(at + AFTER);
                let here = (at - window.start) as u32;
                prop_assert!(marks(detector, &text[window]).contains(&here), "{} at {at}", rule.id);
            }
        }

        #[test]
        fn what_is_new_takes_in_what_changed(
            rules in prop::collection::vec((0usize..1000, any::<u64>(), 0..=WAYS), 1..4),
            cut in 0.0..1.0f64,
            gone in 0usize..40,
            put in prop::collection::vec(prop::sample::select(b"ab1 :/@=\"\n-<>".to_vec()), 0..20),
            between in prop::collection::vec(prop::sample::select(b"ab1 :/@=\"\n-<>".to_vec()), 0..300),
        ) {
            let detector = detector();
            let all = &detector.rules().rules;
            let mut before = between.clone();
            for (number, seed, way) in rules {
                let rule = &all[number % all.len()];
                let leak = &rule.leaks[seed as usize % rule.leaks.len()];
                let leak = Press::new(rule).unwrap().expand(leak, seed).unwrap();
                before.extend(if way < WAYS { wrapped(way, &leak) } else { leak }.bytes());
                before.extend(&between);
            }
            let at = (before.len() as f64 * cut) as usize;
            let behind = before.len().min(at + gone);
            let now = [&before[..at], &put, &before[behind..]].concat();
            // Both ways: what one change brings, the other takes away.
            for (from, to, changed) in [(&before, &now, at..at + put.len()), (&now, &before, at..behind)] {
                let new = &tokens(detector, to) - &tokens(detector, from);
                let may = with_scratch(|scratch| detector.may_hold_more(scratch, from, to, &changed));
                prop_assert!(may || new.is_empty());
            }
        }

        #[test]
        fn a_search_by_marks_finds_what_a_search_of_the_whole_does(
            rules in prop::collection::vec((0usize..1000, any::<u64>(), 0..=WAYS), 1..5),
            cut in 0usize..400,
            between in prop::collection::vec(prop::sample::select(b"ab1 :/@=\"\n-<>".to_vec()), 0..3000),
        ) {
            let detector = detector();
            let all = &detector.rules().rules;
            let mut text = between.clone();
            for (number, seed, way) in rules {
                let rule = &all[number % all.len()];
                let leak = &rule.leaks[seed as usize % rule.leaks.len()];
                let leak = Press::new(rule).unwrap().expand(leak, seed).unwrap();
                let leak = if way < WAYS { wrapped(way, &leak) } else { leak };
                // Often cut short, so that there is a mark and nothing behind it.
                text.extend(&leak.as_bytes()[..leak.len().saturating_sub(cut % (leak.len() + 1))]);
                text.extend(&between);
            }
            prop_assert!(found(detector, &text, true) == found(detector, &text, false));
        }
    }
}

//! Replaces every secret in a stream by a mark, and lets no part of one through.

use std::io::{self, Write};
use std::ops::Range;

use super::armour::Armour;
use super::compose::Kinship;
use super::snippet::{LONG, redacted, whole_end};
use crate::detect::open::{Open, Openings};
use crate::detect::{Candidate, Detector, Scratch, Where, pattern, settle};
use crate::rule::Confidence;

/// What is kept of what has been passed on, in bytes: twice what any rule looks at before a match.
const CONTEXT: usize = 16 << 10;

/// Filters one stream.
#[derive(Debug)]
pub struct Filter<'d> {
    detector: &'d Detector,
    scratch: Scratch,
    openings: Openings,
    confidence: Confidence,
    /// A stream does not wait for the other half of a key: each half is replaced wherever it stands.
    kinship: Kinship,
    /// What of a private key no rule sees.
    armour: Armour,
    /// What was passed on last, and what waits.
    buffer: Vec<u8>,
    /// Up to here the buffer was passed on.
    passed: usize,
    /// What comes next may be the rest of the last secret.
    goes_on: bool,
    /// Before this no further byte changes what the rules find.
    decided: usize,
    /// Secrets replaced so far.
    replaced: u64,
}

impl<'d> Filter<'d> {
    /// Replaces what `detector`'s rules find with at least this confidence.
    pub fn new(detector: &'d Detector, confidence: Confidence) -> Result<Self, pattern::Error> {
        let (scratch, openings) = (detector.scratch(), Openings::new(detector.rules())?);
        let kinship = Kinship::of(detector.rules());
        let (armour, buffer) = (Armour::new(detector.rules()), Vec::new());
        Ok(Filter {
            detector,
            scratch,
            openings,
            confidence,
            kinship,
            armour,
            buffer,
            passed: 0,
            goes_on: false,
            decided: 0,
            replaced: 0,
        })
    }

    /// Takes what came next in the stream.
    pub fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether it is told quickly from now on what could still become a secret. The first time takes longer than to filter 100 MB.
    pub fn is_ready(&self) -> bool {
        self.openings.is_ready()
    }

    /// Passes on what is decided. `more`: what comes next is there already, so it does not matter if a little more than must be
    /// is held until then.
    pub fn pass_on(&mut self, more: bool, out: &mut impl Write) -> io::Result<()> {
        let open = match more {
            true => self.openings.look_roughly(&self.buffer, self.decided),
            false => self.openings.look(&self.buffer, self.decided),
        };
        self.decided = open.decided;
        self.pass(open, out)?;
        if self.passed > 4 * CONTEXT {
            let cut = (self.passed - CONTEXT).min(self.decided);
            self.buffer.drain(..cut);
            self.passed -= cut;
            self.decided -= cut;
        }
        Ok(())
    }

    /// Passes on the rest, at the end of the stream; tells how many secrets were replaced.
    pub fn finish(mut self, out: &mut impl Write) -> io::Result<u64> {
        self.pass(Open { decided: usize::MAX, held: self.buffer.len() }, out)?;
        self.armour.finish(out)?;
        Ok(self.replaced)
    }

    /// Passes on everything that need not be held, but no part of a secret that reaches over that.
    fn pass(&mut self, open: Open, out: &mut impl Write) -> io::Result<()> {
        if self.goes_on {
            self.pass_rest(self.passed - LONG.min(self.passed)..self.passed);
        }
        let mut candidates =
            self.detector.candidates(&mut self.scratch, &self.buffer, &(0..self.buffer.len()), Where::Passing);
        candidates.retain(|one| one.confidence >= self.confidence && self.kinship.wants(one.rule));
        // A match may be final while another one around it is open: then it waits, and so does its secret.
        let waiting = candidates.iter().filter(|one| one.matched.start >= open.decided).map(|one| one.span.start);
        let mut limit = waiting.fold(open.held, usize::min);
        candidates.retain(|one| one.matched.start < open.decided);
        for (place, mark) in
            places(candidates, |one| format!("[stanch: {} {}]", one.rule.id, redacted(one.rule, &one.token)))
        {
            if place.end > limit {
                limit = place.start.min(limit);
                break;
            }
            if place.end <= self.passed {
                continue;
            }
            self.armour.write(&self.buffer[self.passed..place.start.max(self.passed)], out)?;
            self.armour.write(mark.as_bytes(), out)?;
            self.passed = place.end;
            self.pass_rest(place);
            self.replaced += 1;
        }
        if limit > self.passed {
            self.armour.write(&self.buffer[self.passed..limit], out)?;
            self.passed = limit;
        }
        Ok(())
    }
}

impl Filter<'_> {
    /// Leaves out what may be the rest of a secret.
    fn pass_rest(&mut self, place: Range<usize>) {
        self.passed = whole_end(&self.buffer, &place);
        self.goes_on = place.len() >= LONG && self.passed == self.buffer.len();
    }
}

/// Places to replace: disjoint, from the left, each with the mark of the candidate in it that says most. A candidate
/// that yields to another one is replaced, too, where it reaches further.
fn places(candidates: Vec<Candidate<'_>>, mark: impl Fn(&Candidate<'_>) -> String) -> Vec<(Range<usize>, String)> {
    let mut spans: Vec<Range<usize>> = candidates.iter().map(|one| one.span.clone()).collect();
    spans.sort_by_key(|span| span.start);
    let mut places: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match places.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => places.push(span),
        }
    }
    let mut best = candidates;
    settle(&mut best, |one| (one.span.start as u64..one.span.end as u64, one.rule, &one.proof));
    places
        .into_iter()
        .filter_map(|place| {
            let winner = best.iter().find(|one| place.start <= one.span.start && one.span.end <= place.end)?;
            let mark = mark(winner);
            Some((place, mark))
        })
        .collect()
}

/// A short text with everything masked that looks like a secret, of whatever confidence.
pub fn masked(detector: &Detector, scratch: &mut Scratch, text: &[u8]) -> String {
    masked_from(detector, scratch, text, Confidence::Low)
}

/// The same of what looks so with at least that confidence.
pub fn masked_from(detector: &Detector, scratch: &mut Scratch, text: &[u8], least: Confidence) -> String {
    let mut candidates = detector.candidates(scratch, text, &(0..text.len()), Where::Passing);
    // What is encoded in it is replaced where it stands.
    candidates.extend(detector.unwrapped(scratch, text, Where::Passing, true).candidates);
    candidates.retain(|one| one.confidence >= least);
    let (mut shown, mut done) = (String::new(), 0);
    for (place, mark) in places(candidates, |one| redacted(one.rule, &one.token)) {
        if place.start < done {
            continue;
        }
        shown.push_str(&String::from_utf8_lossy(&text[done..place.start]));
        shown.push_str(&mark);
        done = whole_end(text, &place);
    }
    shown.push_str(&String::from_utf8_lossy(&text[done..]));
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::detect::tests::rule;
    use crate::rule::{Rule, RuleSet};

    fn detector() -> Detector {
        let context = r#"(?i)[\w.-]{0,20}?(?:token|secret)[\s'"]{0,3}[=:][\s'"]{0,5}([\w.=-]{10,150}|[a-z0-9]{6,8})(?:['"\s;]|$)"#;
        let mut rules = vec![
            rule("context", context, &["token", "secret"]),
            rule("fixed", r"\bfix_[0-9A-Za-z]{26}\b", &["fix_"]),
            rule("key", r"(?i)-----BEGIN[ A-Z]{0,20}KEY-----[\s\S]{10,}?-----END KEY-----", &["-----begin"]),
            rule("long", r"lng-[\w-]{20,}", &["lng-"]),
            rule("long-routed", r"lng-[\w-]{20,300}\.[0-9a-z]{2}\.[a-z0-9]{9}\b", &["lng-"]),
        ];
        rules.iter_mut().for_each(|rule: &mut Rule| rule.random_bits = 100);
        let rules = RuleSet { rules: rules.into_iter().map(Arc::new).collect(), ..RuleSet::default() };
        Detector::new(Arc::new(rules), 0).unwrap()
    }

    fn filtered(detector: &Detector, pieces: &[&[u8]]) -> String {
        let (mut filter, mut out) = (Filter::new(detector, Confidence::Medium).unwrap(), Vec::new());
        for (nth, piece) in pieces.iter().enumerate() {
            filter.take(piece);
            filter.pass_on(nth % 3 == 1, &mut out).unwrap();
        }
        filter.finish(&mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The oracle: everything at once, each place replaced.
    fn naive(detector: &Detector, text: &[u8]) -> String {
        let candidates = detector.candidates(&mut detector.scratch(), text, &(0..text.len()), Where::Passing);
        let (mut out, mut done) = (Vec::new(), 0);
        for (place, mark) in
            places(candidates, |one| format!("[stanch: {} {}]", one.rule.id, redacted(one.rule, &one.token)))
        {
            if place.end > done {
                out.extend_from_slice(&text[done..place.start.max(done)]);
                out.extend_from_slice(mark.as_bytes());
                done = whole_end(text, &place);
            }
        }
        out.extend_from_slice(&text[done..]);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_secret_becomes_a_mark_and_the_rest_stays() {
        let text = format!("a fix_{} b\r\n\0tail", "x".repeat(26));
        assert_eq!(filtered(&detector(), &[text.as_bytes()]), "a [stanch: fixed fix_****…xxxx] b\r\n\0tail");
    }

    #[test]
    fn the_rest_of_what_a_rule_finds_the_beginning_of_is_replaced_too() {
        let text = format!("a fix_{}\"; next", "x".repeat(26));
        assert_eq!(filtered(&detector(), &[text.as_bytes()]), "a [stanch: fixed fix_****…xxxx]\"; next");
        let (bytes, rest) = (format!("a {}+/{} b", "y".repeat(LONG), "z".repeat(200)), LONG + 2);
        assert_eq!(whole_end(bytes.as_bytes(), &(2..rest)), bytes.len() - 2);
        assert_eq!(whole_end(bytes.as_bytes(), &(2..rest - 1)), rest - 1);
    }

    #[test]
    fn a_secret_whose_name_ends_another_one_is_replaced_though_the_line_goes_on() {
        let parts = ["secret \"=a0aa0a", "secret \"=  aaaaaa", "secret\"", ": a00aa0"];
        let shown = filtered(&detector(), &parts.map(str::as_bytes));
        let marks = shown.matches("[stanch: context").count();
        assert_eq!((shown.contains("aaaaaa"), shown.contains("a00aa0"), marks), (false, false, 3), "{shown}");
    }

    #[test]
    fn what_begins_in_the_rest_of_a_secret_and_goes_on_is_marked_the_same_however_it_is_read() {
        let (detector, long) = (detector(), "x".repeat(LONG));
        let text = format!("lng-{long}.lng-{}-----BEGIN KEY-----\naaaaa\naaaaa\n-----END KEY-----\n", "y".repeat(60));
        let whole = naive(&detector, text.as_bytes());
        for at in 1..text.len() {
            let (one, other) = text.as_bytes().split_at(at);
            assert_eq!(filtered(&detector, &[one, other]), whole, "{at}");
        }
    }

    #[test]
    fn a_line_is_passed_on_at_once_and_a_prompt_too() {
        let detector = detector();
        let (mut filter, mut out) = (Filter::new(&detector, Confidence::Medium).unwrap(), Vec::new());
        let mut passed = |bytes: &[u8]| {
            filter.take(bytes);
            filter.pass_on(false, &mut out).unwrap();
            String::from_utf8(out.split_off(0)).unwrap()
        };
        assert_eq!(passed(b"one line\n"), "one line\n");
        assert_eq!(passed(b"Continue? [y/n] "), "Continue? [y/n] ");
        assert_eq!(passed(b"fix_"), "", "this could still become a token");
        assert_eq!(passed(b"!\n"), "fix_!\n");
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => "[a-z =:.\n\"'-]{0,30}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..9),
            2 => "fix_[0-9A-Za-z]{24,27}".prop_map(String::into_bytes),
            2 => "lng-[\\w&&[:ascii:]-]{18,50}(\\.0a\\.[0-9a-z]{9})?".prop_map(String::into_bytes),
            2 => "(secret|TOKEN)[ \"]{0,2}[=:][ \n\"]{0,3}[a-z0-9]{5,14}[\"; \n]?".prop_map(String::into_bytes),
            1 => "-----BEGIN KEY-----\n([a-z]{5}\n){2,8}(-----END KEY-----)?\n".prop_map(String::into_bytes),
            1 => "[ab\n ]{1,4}".prop_map(|text| text.repeat(700).into_bytes()),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_reads_give_what_replacing_in_the_whole_gives(text in text(), cuts in prop::collection::vec(1usize..60, 0..60)) {
            thread_local!(static DETECTOR: Detector = detector());
            DETECTOR.with(|detector| {
                let (mut pieces, mut rest) = (Vec::new(), &text[..]);
                for cut in cuts {
                    let (piece, tail) = rest.split_at(cut.min(rest.len()));
                    pieces.push(piece);
                    rest = tail;
                }
                pieces.push(rest);
                let whole = naive(detector, &text);
                assert_eq!(filtered(detector, &pieces), whole);
                Ok::<(), TestCaseError>(())
            })?;
        }
    }
}

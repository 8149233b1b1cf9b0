use std::sync::Arc;

use super::*;
use crate::chunk::Position;
use crate::finding::{Proof, Region, Snippet};
use crate::origin::Origin;
use crate::rule::{Confidence, Rule};
use crate::secret::Secret;

const TODAY: Date = jiff::civil::date(2026, 11, 21);

fn finding(rule: &str, random_bits: u32, path: &str, line: u64, secret: &str) -> Finding {
    let at = Position { offset: 0, line, column: 1 };
    Finding {
        provenance: None,
        rule: Arc::new(Rule { id: rule.to_owned(), random_bits, ..Rule::default() }),
        secret: Secret::new(secret),
        redacted: String::new(),
        decoded: Vec::new(),
        fingerprint: Fingerprint::of_strong(secret.as_bytes()),
        origin: Origin::File { path: path.into(), tracking: None },
        region: Region { start: at, end: at },
        snippet: Snippet { line, text: String::new(), mark: 0..0, cut_before: false, cut_after: false },
        confidence: Confidence::Medium,
        proof: Proof::Absent,
        verdict: Verdict::Reported,
        facts: Vec::new(),
        evidence: Vec::new(),
        companions: Vec::new(),
        inspected: None,
        aliases: Vec::new(),
    }
}

fn known(key: Key) -> Known {
    Known {
        key,
        rule: "theirs".to_owned(),
        path: "dir/a".to_owned(),
        line: Some(3),
        commit: None,
        reason: "old".to_owned(),
        by: String::new(),
        added: None,
        expires: None,
    }
}

fn ours(id: &str) -> &'static [&'static str] {
    if id == "theirs" { &["our-one", "our-other"] } else { &[] }
}

fn baseline(known: Vec<Known>) -> Baseline {
    let places = Places { root: Some("/srv".into()), base: Some("/srv/dir".into()) };
    Baseline::new(known, places, TODAY, ours)
}

fn hides(key: Key, mut finding: Finding) -> bool {
    baseline(vec![known(key)]).matcher().settle(&mut finding);
    finding.verdict == Verdict::Baselined { reason: "old".to_owned() }
}

#[test]
fn a_fingerprint_hides_wherever_the_secret_stands() {
    let key = || Key::Fingerprint(Fingerprint::of_strong(b"secret"));
    assert!(hides(key(), finding("any", 128, "a", 9, "secret")));
    assert!(hides(key(), finding("any", 128, "elsewhere", 1, "secret")));
    assert!(!hides(key(), finding("any", 128, "a", 3, "another")));
}

#[test]
fn a_hash_hides_what_could_be_guessed_only_in_its_file() {
    let sha1 = Key::Sha1(Sha1::digest(b"secret").into());
    for key in [sha1, Key::Sha256(Fingerprint::of_strong(b"secret"))] {
        assert!(hides(key.clone(), finding("any", 80, "elsewhere", 1, "secret")));
        assert!(hides(key.clone(), finding("any", 79, "a", 1, "secret")));
        assert!(!hides(key.clone(), finding("any", 79, "elsewhere", 1, "secret")));
        assert!(!hides(key, finding("any", 128, "a", 3, "another")));
    }
}

#[test]
fn a_place_hides_no_other_secret_that_came_to_stand_there() {
    let with = || Key::Place { entropy: Some(thousandths(entropy(b"aabbccdd"))) };
    // The line may have moved.
    assert!(hides(with(), finding("our-other", 128, "a", 8, "aabbccdd")));
    assert!(!hides(with(), finding("our-other", 128, "a", 3, "abcdefgh")));
    assert!(!hides(with(), finding("our-other", 128, "b", 3, "aabbccdd")));
    assert!(!hides(with(), finding("unlike", 128, "a", 3, "aabbccdd")));
    let without = || Key::Place { entropy: None };
    assert!(hides(without(), finding("theirs", 128, "./a", 3, "aabbccdd")));
    assert!(!hides(without(), finding("theirs", 128, "a", 4, "aabbccdd")));
}

#[test]
fn an_entry_hides_up_to_its_last_day() {
    let until = |expires| Known { expires, ..known(Key::Fingerprint(Fingerprint::of_strong(b"secret"))) };
    for (expires, hides) in [(None, true), (Some(TODAY), true), (TODAY.yesterday().ok(), false)] {
        let baseline = baseline(vec![until(expires)]);
        let mut matcher = baseline.matcher();
        let mut finding = finding("any", 128, "a", 1, "secret");
        matcher.settle(&mut finding);
        assert_eq!(finding.verdict == Verdict::Reported, !hides, "{expires:?}");
        assert_eq!((matcher.expired().count(), matcher.unmet().count()), (usize::from(!hides), 0));
    }
}

#[test]
fn what_is_allowed_or_hidden_stays_so_and_meets_its_entry() {
    let baseline = baseline(vec![known(Key::Fingerprint(Fingerprint::of_strong(b"secret")))]);
    let mut matcher = baseline.matcher();
    assert_eq!(matcher.unmet().count(), 1);
    let mut finding = finding("any", 128, "a", 1, "secret");
    finding.verdict = Verdict::Hidden;
    matcher.settle(&mut finding);
    assert_eq!((finding.verdict, matcher.unmet().count()), (Verdict::Hidden, 0));
}

//! The rules of this program, one file of `rules/` per provider, in two forms: ready for a run, and with their examples.

use std::sync::{Arc, OnceLock};

use crate::rule::{Allowlist, Rule, RuleSet};
use crate::rulefile;

/// The name and text of each file.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Made of the files by `build.rs`.
const TABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.bin"));

/// The built-in rules as a run needs them: their patterns' shapes are known, their examples are left out.
pub fn ready() -> RuleSet {
    let (rules, allowlists): (Vec<Arc<Rule>>, Vec<Allowlist>) =
        postcard::from_bytes(TABLE).expect("build.rs wrote the table from the same types, and tests read it");
    RuleSet { rules, allowlists, ignores: Vec::new() }
}

/// The built-in rules as their files say, with the examples that prove them. Reads the files the first time.
pub fn with_examples() -> RuleSet {
    static READ: OnceLock<RuleSet> = OnceLock::new();
    READ.get_or_init(|| rulefile::ours(FILES).expect("build.rs read the same files")).clone()
}

/// How many built-in rules there are, without reading them: the table begins with that.
fn count() -> usize {
    postcard::take_from_bytes(TABLE).map_or(0, |(count, _)| count)
}

/// Those of the built-in rules that are not among `rules`, sorted by id, if any are: a line of a report is not to show what
/// they know. One that a user wrote anew is not the one that it replaces.
pub fn missing_from(rules: &RuleSet) -> Option<RuleSet> {
    // So it is nearly always: only these bring their shapes along.
    if rules.rules.iter().filter(|rule| rule.shape.is_some()).count() == count() {
        return None;
    }
    let find = |id: &str| rules.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok();
    let is_there = |rule: &Rule| find(&rule.id).is_some_and(|at| rules.rules[at].regex == rule.regex);
    let mut missing = ready();
    missing.rules.retain(|rule| !is_there(rule));
    (!missing.rules.is_empty()).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_what_was_left_out_or_replaced() {
        let ids = |rules: &RuleSet| rules.rules.iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        let all = ready();
        assert!(missing_from(&all).is_none());
        // Read at run time, but the same.
        assert!(missing_from(&with_examples()).is_none());
        let (mut fewer, mut other) = (all.clone(), all.clone());
        let left_out = fewer.rules.remove(3);
        assert_eq!(ids(&missing_from(&fewer).unwrap()), [&*left_out.id]);
        // As many as there were, but one is somebody else's.
        let theirs = Rule { regex: "other".to_owned(), shape: None, ..Rule::clone(&left_out) };
        other.rules[3] = Arc::new(theirs);
        assert_eq!(ids(&missing_from(&other).unwrap()), [&*left_out.id]);
    }

    #[test]
    fn both_forms_are_the_same_rules() {
        let (ready, mut whole) = (ready(), with_examples());
        for rule in whole.rules.iter_mut().map(Arc::make_mut) {
            assert!(rule.shape.is_none());
            rule.shape = crate::shape::of(&rule.regex, &rule.keywords).map(Arc::new);
            (rule.leaks, rule.clean) = Default::default();
        }
        assert!(whole.rules.len() > 50 && whole.rules.len() == count());
        assert!(ready.rules.iter().all(|rule| rule.shape.is_some()));
        // Debug leaves the text of path patterns and allowlists out.
        let bytes = |set: &RuleSet| {
            let rules: Vec<&Rule> = set.rules.iter().map(|rule| &**rule).collect();
            postcard::to_allocvec(&(rules, &set.allowlists)).unwrap()
        };
        assert!(bytes(&ready) == bytes(&whole));
    }
}

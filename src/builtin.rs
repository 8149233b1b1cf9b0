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

/// The built-in rules, if some of them are not among `rules`: a line of a report is not to show what they know.
pub fn missing_from(rules: &RuleSet) -> Option<RuleSet> {
    // So it is nearly always.
    if rules.rules.len() == count() {
        return None;
    }
    let ready = ready();
    let has = |id: &String| rules.rules.binary_search_by(|rule| rule.id.cmp(id)).is_ok();
    (!ready.rules.iter().all(|rule| has(&rule.id))).then_some(ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_the_same_rules() {
        let (ready, mut whole) = (ready(), with_examples());
        for rule in whole.rules.iter_mut().map(Arc::make_mut) {
            assert!(rule.shape.is_none());
            rule.shape = crate::shape::of(&rule.regex, &rule.keywords).map(Arc::new);
            (rule.leaks, rule.clean) = Default::default();
        }
        assert!(whole.rules.len() > 50 && whole.rules.len() == count());
        // Debug leaves the text of path patterns and allowlists out.
        let bytes = |set: &RuleSet| {
            let rules: Vec<&Rule> = set.rules.iter().map(|rule| &**rule).collect();
            postcard::to_allocvec(&(rules, &set.allowlists)).unwrap()
        };
        assert!(bytes(&ready) == bytes(&whole));
    }
}

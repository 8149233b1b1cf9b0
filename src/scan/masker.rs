//! Finds what must not be shown beside a finding though nobody asked for it: what the built-in rules know that are not used.

use std::sync::Arc;

use super::Plan;
use super::snippet::Masks;
use crate::detect::{Candidate, Detector, Scratch, Where};
use crate::rule::RuleSet;

/// Searches with the rules that are not used.
#[derive(Debug)]
pub(super) struct Masker {
    detector: Detector,
    scratch: Scratch,
}

impl Masker {
    /// `None` if all rules are used.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        let rules = plan.masks.clone()?;
        let detector = Detector::new(rules, plan.now).expect("the built-in rules compile");
        Some(Masker { scratch: detector.scratch(), detector })
    }

    /// The secrets of `bytes`: of the `candidates`, and what else it finds.
    pub(super) fn masks<'b>(&mut self, bytes: &'b [u8], candidates: &[&[Candidate<'_>]]) -> Masks<'b> {
        let others = self.detector.candidates(&mut self.scratch, bytes, &(0..bytes.len()), Where::Unknown);
        Masks::of(bytes, candidates.iter().copied().flatten().chain(&others))
    }

    /// To be called after each object by one of so many threads.
    pub(super) fn rest(&mut self, threads: usize) {
        self.scratch.rest(threads);
    }
}

/// Finds all that must not be shown, where the rules that are used do not.
pub(super) fn all_knowing(plan: &Plan) -> Option<Detector> {
    let missing = plan.masks.as_ref()?;
    let rules = plan.rules.rules.iter().chain(&missing.rules).cloned().collect();
    let rules = Arc::new(RuleSet { rules, ..RuleSet::default() });
    Some(Detector::new(rules, plan.now).expect("each of the rules compiled before"))
}

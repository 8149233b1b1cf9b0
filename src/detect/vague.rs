//! Believes a shape that might be anybody's where the name that it is assigned to says that it is a secret.

use std::ops::Range;

use super::Candidate;
use super::evidence::THRESHOLD;
use crate::finding::Proof;
use crate::rule::{Confidence, Severity};

/// Raises to medium what is of low confidence by its shape alone and is the value of an assignment that would be reported without
/// it: it takes that one's place, and must not hide it. Before [`settle`](super::settle).
pub fn believe(candidates: &mut [Candidate<'_>]) {
    let mut named: Vec<Range<usize>> =
        candidates.iter().filter(|one| is_named(one)).map(|one| one.span.clone()).collect();
    named.sort_unstable_by_key(|span| span.start);
    // How far any of those reaches that begin up to there.
    let furthest = |far: &mut usize, span: &Range<usize>| {
        *far = span.end.max(*far);
        Some(*far)
    };
    let ends: Vec<usize> = named.iter().scan(0, furthest).collect();
    let is_value = |span: &Range<usize>| {
        let before = named.partition_point(|one| one.start <= span.start);
        before > 0 && span.end <= ends[before - 1]
    };
    for one in candidates.iter_mut().filter(|one| is_vague(one)) {
        if let Some(judgement) = one.judgement.as_mut().filter(|_| is_value(&one.span)) {
            judgement.believe();
            one.confidence = judgement.confidence(one.rule.confidence);
        }
    }
}

fn is_named(one: &Candidate<'_>) -> bool {
    let assigned = matches!(one.rule.kind.as_str(), "assignment" | "default" | "element");
    one.rule.provider == "generic" && assigned && one.confidence >= Confidence::Medium
}

/// The rule says low, and not because of what the secret is worth, nor of a proof, nor of what speaks against it.
fn is_vague(one: &Candidate<'_>) -> bool {
    one.rule.confidence == Confidence::Low
        && one.rule.severity > Severity::Low
        && one.rule.proof.is_none()
        && one.proof == Proof::Absent
        && one.judgement.as_ref().is_some_and(|judgement| judgement.points() >= THRESHOLD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::with_examples;
    use crate::detect::mint::mint;
    use crate::detect::{Detector, Where, settle};
    use crate::rule::RuleSet;

    fn sure(text: &str, detector: &Detector) -> Vec<String> {
        let bytes = text.as_bytes();
        let mut found = detector.candidates(&mut detector.scratch(), bytes, &(0..bytes.len()), Where::Nowhere);
        believe(&mut found);
        settle(&mut found, |one| (one.span.start as u64..one.span.end as u64, one.rule, &one.proof));
        found.retain(|one| one.confidence >= Confidence::Medium);
        found.iter().map(|one| one.rule.id.clone()).collect()
    }

    #[test]
    fn a_name_says_what_a_shape_does_not() {
        let wanted = ["voyage-api-key", "algolia-search-api-key", "generic-bare", "generic-quoted"];
        let rules = with_examples();
        let rules = wanted.iter().map(|id| rules.get(id).unwrap().clone()).collect();
        let detector = Detector::new(RuleSet { rules, ..RuleSet::default() }.into(), 0).unwrap();
        let token = |id: &str| mint(detector.rules().rules.iter().find(|rule| rule.id == id).unwrap(), 1).unwrap();
        let key = token("voyage-api-key");
        assert_eq!(sure(&format!("VOYAGE_API_KEY={key}\n"), &detector), ["voyage-api-key"]);
        assert_eq!(sure(&format!("api_key: '{key}'\n"), &detector), ["voyage-api-key"]);
        assert_eq!(sure(&format!("see {key} there\n"), &detector), [""; 0]);
        // What everybody may see stays so, whatever its name.
        let public = token("algolia-search-api-key");
        assert_eq!(sure(&format!("ALGOLIA_SEARCH_API_KEY={public}\n"), &detector), [""; 0]);
    }
}

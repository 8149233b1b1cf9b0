//! Believes a shape that might be anybody's where the name that it is assigned to says that it is a secret, and what such a name says
//! where a provider's rule does not know the form.

use std::ops::Range;

use super::Candidate;
use super::evidence::THRESHOLD;
use crate::finding::Proof;
use crate::rule::{Allowlist, Confidence, RegexTarget, Severity};

/// Raises to medium what is of low confidence by its shape alone and is the value of an assignment that would be reported without
/// it: it takes that one's place, and must not hide it. Leaves out, for the same reason, what goes by a provider's name and is not of
/// the form that its tokens have: `VERCEL_TOKEN=` and what has another alphabet. Before [`settle`](super::settle).
pub fn believe(candidates: &mut Vec<Candidate<'_>>) {
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
    candidates.retain(|one| !(is_value(&one.span) && is_strange(one)));
    for one in candidates.iter_mut().filter(|one| is_vague(one)) {
        if let Some(judgement) = one.judgement.as_mut().filter(|_| is_value(&one.span)) {
            judgement.believe();
            one.confidence = judgement.confidence(one.rule.confidence);
        }
    }
}

/// Its rule goes by a name, and one of the rule's own lists says by its form that it is no token of the provider.
fn is_strange(one: &Candidate<'_>) -> bool {
    let says = |list: &Allowlist| {
        let alone = list.paths.is_empty() && list.stopwords.is_empty() && list.commits.is_empty();
        list.builtin
            && alone
            && list.regex_target == RegexTarget::Secret
            && list.regexes.iter().any(|regex| regex.is_match(&one.token))
    };
    one.rule.provider != "generic"
        && one.rule.tags.iter().any(|tag| tag == "generic")
        && one.rule.required.is_empty()
        && one.rule.proof.is_none()
        && one.rule.allowlists.iter().any(says)
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

    #[test]
    fn what_a_provider_does_not_make_is_what_its_name_says() {
        let wanted = ["vercel-access-token-unprefixed", "generic-bare"];
        let rules = with_examples();
        let rules = wanted.iter().map(|id| rules.get(id).unwrap().clone()).collect();
        let detector = Detector::new(RuleSet { rules, ..RuleSet::default() }.into(), 0).unwrap();
        let token =
            |seed: u64| mint(detector.rules().rules.iter().find(|rule| rule.provider == "vercel").unwrap(), seed);
        let (one, other) = (token(1).unwrap(), token(2).unwrap().to_ascii_uppercase());
        assert_eq!(sure(&format!("VERCEL_TOKEN={one}\n"), &detector), ["vercel-access-token-unprefixed"]);
        assert_eq!(sure(&format!("VERCEL_TOKEN={other}\n"), &detector), ["generic-bare"]);
        // A name alone, and nothing that would be reported without it.
        assert_eq!(sure(&format!("VERCEL_TOKEN={}\n", "A".repeat(24)), &detector), [""; 0]);
    }
}

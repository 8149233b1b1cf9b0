//! A candidate that owns what it takes to judge it once its places are known.

use std::sync::Arc;

use super::Plan;
use super::snippet::{Masks, lines, mask, redacted};
use crate::detect::Candidate;
use crate::detect::allow::{Subject, allowed};
use crate::finding::{Allowed, Fact, Finding, Proof, Region, Snippet, Verdict};
use crate::origin::{Origin, Provenance};
use crate::rule::{Confidence, Rule};
use crate::secret::{Fingerprint, Secret};

/// Where an object is or was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The path, `/`-separated.
    pub path: Option<&'a [u8]>,
    /// The commit that brought it there, in hex.
    pub commit: Option<&'a str>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Suspect {
    pub rule: Arc<Rule>,
    pub facts: Vec<Fact>,
    token: Secret,
    matched: Secret,
    lines: Secret,
    redacted: String,
    snippet: Snippet,
    region: Region,
    confidence: Confidence,
    proof: Proof,
}

impl Suspect {
    /// Takes from `bytes` what will be needed. `masks` is all that must not show in the snippet.
    pub(super) fn of(bytes: &[u8], candidate: &Candidate<'_>, masks: &Masks<'_>, region: Region) -> Self {
        let redacted = redacted(candidate.rule, &candidate.token);
        Suspect {
            rule: candidate.rule.clone(),
            facts: candidate.facts.clone(),
            token: Secret::new(candidate.token.to_vec()),
            matched: Secret::new(&bytes[candidate.matched.clone()]),
            lines: Secret::new(&bytes[lines(bytes, &candidate.matched)]),
            snippet: mask(&candidate.span, &redacted, masks, region.start.line),
            redacted,
            region,
            confidence: candidate.confidence,
            proof: candidate.proof.clone(),
        }
    }

    /// The finding. It is allowed only if it is at every one of `places`.
    pub(super) fn finding(
        self,
        plan: &Plan,
        origin: Origin,
        places: &[Place<'_>],
        provenance: Option<Arc<Provenance>>,
    ) -> Finding {
        let fingerprint = self.fingerprint(plan, &origin);
        let allowed: Option<Vec<Allowed>> =
            places.iter().map(|place| self.allowed(plan, fingerprint, *place)).collect();
        let verdict = match allowed.and_then(|all| all.into_iter().next()) {
            Some(allowed) => Verdict::Allowed(allowed),
            None if self.confidence < plan.confidence => Verdict::Hidden,
            None => Verdict::Reported,
        };
        Finding {
            rule: self.rule,
            secret: self.token,
            redacted: self.redacted,
            fingerprint,
            origin,
            provenance,
            region: self.region,
            snippet: self.snippet,
            confidence: self.confidence,
            proof: self.proof,
            verdict,
            facts: self.facts,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "hashes the secret")]
    fn fingerprint(&self, plan: &Plan, origin: &Origin) -> Fingerprint {
        match (&plan.fingerprint_key, self.rule.is_strong()) {
            (_, true) => Fingerprint::of_strong(self.token.expose()),
            (Some(key), false) => Fingerprint::of_keyed(key.expose(), self.token.expose()),
            (None, false) => {
                let (before, after) = self.snippet.neighbours();
                Fingerprint::of_place(&self.rule.id, origin.to_string().as_bytes(), before, after)
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "compares the secret with what is allowed")]
    fn allowed(&self, plan: &Plan, fingerprint: Fingerprint, place: Place<'_>) -> Option<Allowed> {
        let subject = Subject {
            rule: &self.rule,
            secret: self.token.expose(),
            matched: self.matched.expose(),
            lines: self.lines.expose(),
            path: place.path,
            fingerprint,
            line_number: self.region.start.line,
            commit: place.commit,
            proof_holds: matches!(self.proof, Proof::Holds(_)),
        };
        allowed(&plan.rules, &subject)
    }
}

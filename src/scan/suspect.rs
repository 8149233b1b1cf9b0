//! A candidate that owns what it takes to judge it once its places are known.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use super::Plan;
use super::snippet::{Masks, alone, lines, mask, redacted};
use crate::chunk::{MARGIN, Position};
use crate::detect::Candidate;
use crate::detect::allow::{Subject, allowed};
use crate::detect::evidence::Judgement;
use crate::finding::{Allowed, Fact, Finding, Masking, Proof, Region, Snippet, Verdict};
use crate::origin::{Origin, Provenance};
use crate::place::slashed;
use crate::rule::{Confidence, Rule};
use crate::secret::{Fingerprint, Secret};

/// At so many other paths of an object its fingerprint is known, too.
const ALIASES: usize = 1000;

/// Where an object is or was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The path, `/`-separated.
    pub path: Option<&'a [u8]>,
    /// The commit that brought it there, in hex.
    pub commit: Option<&'a str>,
}

/// What a report has to mask: by which name of the secret, where, and what is shown there.
pub(super) type Mask = (Fingerprint, Masking, String);

/// What a report learns from a finding, if anything.
pub(super) fn mask_of(finding: &Finding) -> Option<Mask> {
    let Finding { secret, rule, confidence, evidence, redacted, .. } = finding;
    named(Masking::of(secret, rule, *confidence, evidence), secret, redacted)
}

#[expect(clippy::disallowed_methods, reason = "hashes the secret")]
fn named(masking: Masking, secret: &Secret, redacted: &str) -> Option<Mask> {
    (masking != Masking::Nowhere).then(|| (Fingerprint::of_strong(secret.expose()), masking, redacted.to_owned()))
}

/// A secret whose text is longer is shown without what stands around it, in bytes: no chunk is sure to have all of that.
const LONG: usize = MARGIN / 2;

fn is_long(candidate: &Candidate<'_>) -> bool {
    candidate.span.len() > LONG
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
    judgement: Option<Judgement>,
    decoded: Vec<&'static str>,
}

/// A path from the top of the repository, or of the directory that is scanned: what leads there says nothing of what is in it. Paths in trees
/// of git begin there.
fn inside<'p>(plan: &Plan, origin: &Origin, path: &'p [u8]) -> Cow<'p, [u8]> {
    if matches!(origin, Origin::Object { .. }) {
        return Cow::Borrowed(path);
    }
    let tops = plan.tops.iter().filter_map(|top| path.strip_prefix(&slashed(top)[..])?.strip_prefix(b"/"));
    match tops.min_by_key(|rest| rest.len()) {
        Some(rest) => Cow::Borrowed(rest),
        None => plan.places.of(origin).map_or(Cow::Borrowed(path), |path| Cow::Owned(slashed(&path))),
    }
}

impl Suspect {
    /// Takes from `bytes` what will be needed. `masks` is all that must not show in the snippet.
    pub(super) fn of(bytes: &[u8], candidate: &Candidate<'_>, masks: &Masks<'_>, region: Region) -> Self {
        let redacted = redacted(candidate.rule, &candidate.token);
        Suspect {
            rule: candidate.rule.clone(),
            facts: candidate.facts.clone(),
            token: Secret::new(candidate.token.to_vec()),
            matched: Secret::new(match candidate.wrapping.layers.is_empty() {
                true => &bytes[candidate.matched.clone()],
                false => &candidate.wrapping.matched,
            }),
            // No comment stands beside what is so long.
            lines: Secret::new(if is_long(candidate) { &[] } else { &bytes[lines(bytes, &candidate.matched)] }),
            snippet: match is_long(candidate) {
                true => alone(&redacted, region.start.line),
                false => mask(&candidate.span, &redacted, masks, region.start.line),
            },
            redacted,
            region,
            confidence: candidate.confidence,
            proof: candidate.proof.clone(),
            judgement: candidate.judgement.clone(),
            decoded: candidate.wrapping.layers.iter().map(|layer| layer.as_str()).collect(),
        }
    }

    /// A file that a rule without a pattern asks for by its path: there is no secret but the file.
    pub(super) fn named(rule: &Arc<Rule>) -> Self {
        let text = String::new();
        Suspect {
            rule: rule.clone(),
            facts: Vec::new(),
            token: Secret::new([]),
            matched: Secret::new([]),
            lines: Secret::new([]),
            snippet: Snippet { line: 1, text, mark: 0..0, cut_before: false, cut_after: false },
            redacted: "(the file itself)".to_owned(),
            region: Region { start: Position::START, end: Position::START },
            confidence: rule.confidence,
            proof: Proof::Absent,
            judgement: None,
            decoded: Vec::new(),
        }
    }

    /// Whether it is less sure than `least` wherever it is: paths only ever speak against a candidate.
    pub(super) fn is_below(&self, least: Confidence) -> bool {
        self.rule.path.is_none() && self.confidence < least
    }

    /// Whether it is counted, and nothing else, wherever it is. `origin` names no path.
    pub(super) fn is_hidden(&self, plan: &Plan, origin: &Origin) -> bool {
        let nowhere = Place { path: None, commit: None };
        self.is_below(plan.confidence) && self.allowed(plan, &[self.fingerprint(plan, origin)], nowhere).is_none()
    }

    /// Whether it is less sure than is reported where it is, which are all of its places.
    pub(super) fn is_below_at(&self, plan: &Plan, origin: &Origin, places: &[Place<'_>]) -> bool {
        let at = |mut judgement| self.confidence_at(plan, origin, places, &mut judgement);
        self.rule.path.is_none() && self.judgement.clone().map_or(self.confidence, at) < plan.confidence
    }

    /// How sure it is at all of `places`, which `judgement` takes in.
    fn confidence_at(
        &self,
        plan: &Plan,
        origin: &Origin,
        places: &[Place<'_>],
        judgement: &mut Judgement,
    ) -> Confidence {
        match places {
            [Place { path: Some(path), .. }] => judgement.at(&[Some(&inside(plan, origin, path))]),
            _ => judgement.at(&places.iter().map(|place| place.path).collect::<Vec<_>>()),
        }
        match self.proof {
            Proof::Absent => judgement.confidence(self.rule.confidence),
            Proof::Holds(_) => judgement.confidence(self.confidence),
            Proof::Fails(_) => self.confidence,
        }
    }

    /// What a report learns from it though it is hidden, if anything.
    pub(super) fn mask(&self) -> Option<Mask> {
        let evidence = self.judgement.as_ref().map_or(&[][..], |judgement| &judgement.evidence);
        named(Masking::of(&self.token, &self.rule, self.confidence, evidence), &self.token, &self.redacted)
    }

    /// The finding. It is allowed only if it is at every one of `places`, and no path makes it less sure than another.
    pub(super) fn finding(
        mut self,
        plan: &Plan,
        origin: Origin,
        places: &[Place<'_>],
        provenance: Option<Arc<Provenance>>,
    ) -> Finding {
        let fingerprint = self.fingerprint(plan, &origin);
        let mut names = vec![fingerprint];
        names.extend(provenance.iter().flat_map(|provenance| self.aliases(plan, &origin, provenance)));
        if let Some(mut judgement) = self.judgement.take() {
            self.confidence = self.confidence_at(plan, &origin, places, &mut judgement);
            self.judgement = Some(judgement);
        }
        let allowed: Option<Vec<Allowed>> = places.iter().map(|place| self.allowed(plan, &names, *place)).collect();
        let verdict = match allowed.and_then(|all| all.into_iter().next()) {
            Some(allowed) => Verdict::Allowed(allowed),
            None if self.confidence < plan.confidence => Verdict::Hidden,
            None => Verdict::Reported,
        };
        Finding {
            rule: self.rule,
            secret: self.token,
            redacted: self.redacted,
            decoded: self.decoded,
            fingerprint,
            origin,
            provenance,
            region: self.region,
            snippet: self.snippet,
            confidence: self.confidence,
            proof: self.proof,
            verdict,
            facts: self.facts,
            evidence: self.judgement.map_or_else(Vec::new, |judgement| judgement.evidence),
            companions: Vec::new(),
            inspected: None,
            aliases: names.split_off(1),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "hashes the secret")]
    fn fingerprint(&self, plan: &Plan, origin: &Origin) -> Fingerprint {
        match (&plan.fingerprint_key, self.rule.is_strong()) {
            (_, true) if !self.token.is_empty() => Fingerprint::of_strong(self.token.expose()),
            (Some(key), false) if !self.token.is_empty() => Fingerprint::of_keyed(key.expose(), self.token.expose()),
            _ => {
                let (before, after) = self.snippet.neighbours();
                let path =
                    plan.places.of(origin).map_or_else(|| origin.to_string().into_bytes(), |path| slashed(&path));
                Fingerprint::of_place(&self.rule.id, &path, before, after)
            }
        }
    }

    /// What the fingerprint would be at the other paths that an object had: whoever wrote one down may have seen it when it had but one.
    fn aliases(&self, plan: &Plan, origin: &Origin, provenance: &Provenance) -> Vec<Fingerprint> {
        let Origin::Object { path: Some(first), id, kind } = origin else { return Vec::new() };
        let others = provenance.paths.iter().filter(|path| *path != first);
        let at =
            |path: &PathBuf| self.fingerprint(plan, &Origin::Object { path: Some(path.clone()), id: *id, kind: *kind });
        let own = self.fingerprint(plan, origin);
        // One of the secret itself is the same everywhere.
        others.take(ALIASES).map(at).take_while(|name| *name != own).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "compares the secret with what is allowed")]
    fn allowed(&self, plan: &Plan, fingerprints: &[Fingerprint], place: Place<'_>) -> Option<Allowed> {
        let subject = Subject {
            rule: &self.rule,
            secret: self.token.expose(),
            matched: self.matched.expose(),
            lines: self.lines.expose(),
            path: place.path,
            fingerprints,
            line_number: self.region.start.line,
            commit: place.commit,
            proof_holds: matches!(self.proof, Proof::Holds(_)),
        };
        allowed(&plan.rules, &subject)
    }
}

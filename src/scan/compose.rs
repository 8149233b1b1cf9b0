//! Joins a finding of a rule that requires others to what these found near it: one finding for both halves of a key.
//!
//! What is found in an object passes through here in order and waits as long as something behind it may still decide about
//! it. As long as that is, and how far back is remembered, goes by the bounds of the rules and by [`REACH`] alone: how the
//! object is cut changes nothing.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::suspect::Suspect;
use crate::chunk::{MARGIN, Position};
use crate::finding::{Companion, Finding, Region, Verdict};
use crate::rule::{Required, Rule, RuleSet};
use crate::secret::Fingerprint;

/// Companions are looked for so far around a secret, in bytes of the object, whatever its rule allows.
const REACH: u64 = 1 << 20;

/// The nearest companions that are named, of each rule that is required.
const MOST: usize = 8;

/// Other readings of a secret begin at most so far before it, in bytes.
const OVERLAP: u64 = 16 << 10;

/// What was found so far behind the end may be found again, in bytes: a stream that pauses is shown once more from its last
/// margin on, and a byte of text is at most four of the object.
const AGAIN: u64 = 8 * MARGIN as u64;

/// Which rules belong together.
#[derive(Debug, Default)]
pub(super) struct Kinship {
    /// Of rules that require others, and of those that are required: in how many lines all is there; `None`: in [`REACH`].
    patience: HashMap<String, Option<u64>>,
    required: BTreeSet<String>,
}

impl Kinship {
    pub(super) fn of(rules: &RuleSet) -> Self {
        let mut kinship = Kinship::default();
        for rule in rules.rules.iter().filter(|rule| !rule.required.is_empty()) {
            let bounds = rule.required.iter().map(|required| required.within_lines);
            let own = bounds.reduce(longer).flatten();
            for id in rule.required.iter().map(|required| &required.rule).chain([&rule.id]) {
                kinship.patience.entry(id.clone()).and_modify(|known| *known = longer(*known, own)).or_insert(own);
            }
            kinship.required.extend(rule.required.iter().map(|required| required.rule.clone()));
        }
        kinship
    }

    /// Whether other rules require this one.
    pub(super) fn requires(&self, rule: &Rule) -> bool {
        self.required.contains(&rule.id)
    }

    /// Whether what the rule finds may be of use: it is reported, or others require it.
    pub(super) fn wants(&self, rule: &Rule) -> bool {
        !rule.skip_report || self.requires(rule)
    }

    /// Whether what the rule finds is judged together with what others find.
    pub(super) fn concerns(&self, rule: &Rule) -> bool {
        self.patience.contains_key(&rule.id)
    }

    /// Drops what only helps where there is nothing that it could help.
    pub(super) fn prune(&self, suspects: &mut Vec<Suspect>) {
        let by = suspects.iter().flat_map(|suspect| &suspect.rule.required).map(|required| required.rule.clone());
        let needed: BTreeSet<String> = by.collect();
        suspects.retain(|suspect| !suspect.rule.skip_report || needed.contains(&suspect.rule.id));
    }

    /// The findings of a whole object.
    pub(super) fn whole(&self, findings: Vec<Finding>) -> Vec<Finding> {
        if self.patience.is_empty() {
            return findings;
        }
        let mut composer = Composer::new(self);
        composer.add(findings, 0);
        composer.finish()
    }
}

fn longer(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// What was found in the object at hand and is not done with.
pub(super) struct Composer<'k> {
    kinship: &'k Kinship,
    /// Sorted by place.
    held: Vec<Held>,
}

struct Held {
    finding: Finding,
    /// All companions it may have were there.
    decided: bool,
    /// It is not reported: another finding speaks of it, or what its rule requires is not there.
    silent: bool,
    /// It was given back, and waits for those that may require it.
    told: bool,
}

impl Held {
    fn start(&self) -> Position {
        self.finding.region.start
    }

    /// By place first.
    fn name(&self) -> (Region, &str, Fingerprint) {
        name(&self.finding)
    }
}

impl<'k> Composer<'k> {
    pub(super) fn new(kinship: &'k Kinship) -> Self {
        Composer { kinship, held: Vec::new() }
    }

    /// Takes in what was found in a part of the object, and gives back what is decided. What was found from offset `again`
    /// on is found again where it is still there. `seen` is asked up to where everything has been found.
    pub(super) fn take(&mut self, fresh: Vec<Finding>, again: u64, seen: impl Fn() -> Position) -> Vec<Finding> {
        if self.kinship.patience.is_empty() {
            return fresh;
        }
        if fresh.is_empty() && self.held.is_empty() {
            return Vec::new();
        }
        self.add(fresh, again);
        self.settle(Some(seen()))
    }

    /// Gives back the rest, at the end of the object.
    pub(super) fn finish(&mut self) -> Vec<Finding> {
        self.settle(None)
    }

    fn add(&mut self, fresh: Vec<Finding>, again: u64) {
        let held = std::mem::take(&mut self.held);
        let (mut known, kept): (Vec<Held>, Vec<Held>) = held.into_iter().partition(|one| one.start().offset >= again);
        self.held = kept;
        for finding in fresh {
            let new = match known.iter().position(|one| one.name() == name(&finding)) {
                Some(at) => known.swap_remove(at),
                None => Held { finding, decided: false, silent: false, told: false },
            };
            self.held.push(new);
        }
        self.held.sort_by(|one, other| one.name().cmp(&other.name()));
        // What is compressed in a long text may be found by its part and by the whole.
        self.held.dedup_by(|later, first| first.name() == later.name());
    }

    fn settle(&mut self, seen: Option<Position>) -> Vec<Finding> {
        self.decide(seen);
        let out = self.release(seen);
        let kinship = self.kinship;
        self.held.retain(|one| {
            let open = !one.told && !one.silent && kinship.wants(&one.finding.rule) && !one.finding.rule.skip_report;
            let needed = kinship.requires(&one.finding.rule) && !kinship.is_past(one, 2, seen);
            let undecided = !one.finding.rule.required.is_empty() && !one.decided;
            let again = seen.is_some_and(|seen| one.start().offset + AGAIN >= seen.offset);
            open || needed || undecided || again
        });
        out
    }

    /// Looks for the companions of findings that all of them are there for.
    fn decide(&mut self, seen: Option<Position>) {
        let due =
            |one: &Held| !one.finding.rule.required.is_empty() && !one.decided && self.kinship.is_past(one, 1, seen);
        let due: Vec<usize> = (0..self.held.len()).filter(|&at| due(&self.held[at])).collect();
        if due.is_empty() {
            return;
        }
        let mut parts: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, one) in self.held.iter().enumerate().filter(|(_, one)| self.kinship.requires(&one.finding.rule)) {
            if one.finding.verdict == Verdict::Reported {
                parts.entry(one.finding.rule.id.clone()).or_default().push(at);
            }
        }
        for at in due {
            self.held[at].decided = true;
            match self.companions(at, &parts) {
                None => self.held[at].silent = true,
                Some(companions) => self.join(at, companions),
            }
        }
    }

    /// The companions of each rule that is required; `None` if one has none.
    fn companions(&self, at: usize, parts: &HashMap<String, Vec<usize>>) -> Option<Vec<usize>> {
        let rule = &self.held[at].finding.rule;
        let mut all = BTreeSet::new();
        for required in &rule.required {
            let near = self.nearest(at, required, parts.get(&required.rule)?);
            if near.is_empty() {
                return None;
            }
            all.extend(near);
        }
        Some(all.into_iter().collect())
    }

    /// The nearest of `parts` that are near enough.
    fn nearest(&self, at: usize, required: &Required, parts: &[usize]) -> Vec<usize> {
        let own = &self.held[at];
        let (mut left, mut right) = parts.split_at(parts.partition_point(|&part| part < at));
        let distance = |part: usize| own.start().offset.abs_diff(self.held[part].start().offset);
        let is_in_reach = |part: &&usize| {
            let lines = own.start().line.abs_diff(self.held[**part].start().line);
            distance(**part) <= REACH && required.within_lines.is_none_or(|most| lines <= most)
        };
        let mut near = Vec::new();
        while near.len() < MOST {
            let (before, behind) = (left.last().filter(is_in_reach), right.first().filter(is_in_reach));
            let before_first = before.is_some_and(|&part| behind.is_none_or(|&other| distance(part) < distance(other)));
            let part = match (before, behind) {
                (Some(part), _) if before_first => {
                    left = &left[..left.len() - 1];
                    *part
                }
                (_, Some(part)) => {
                    right = &right[1..];
                    *part
                }
                _ => break,
            };
            let columns = own.start().column.abs_diff(self.held[part].start().column);
            if required.within_columns.is_none_or(|most| columns <= most)
                && !same_secret(&own.finding, &self.held[part].finding)
            {
                near.push(part);
            }
        }
        near
    }

    /// Makes one finding of a finding and its companions. Other readings of its secret say less.
    fn join(&mut self, at: usize, companions: Vec<usize>) {
        let companion = |&part: &usize| {
            let it = &self.held[part].finding;
            Companion {
                rule: it.rule.clone(),
                secret: it.secret.clone(),
                redacted: it.redacted.clone(),
                fingerprint: it.fingerprint,
                region: it.region,
                decoded: it.decoded.clone(),
            }
        };
        self.held[at].finding.companions = companions.iter().map(companion).collect();
        if self.held[at].finding.verdict == Verdict::Hidden {
            return;
        }
        for part in companions {
            self.held[part].silent = true;
        }
        for other in self.around(at) {
            let (own, reading) = (&self.held[at].finding, &self.held[other].finding);
            let is_outside =
                reading.decoded.len() < own.decoded.len() && !reading.rule.is_strong() && meet(own, reading);
            if reading.rule.required.is_empty() && (is_outside || same_secret(own, reading)) {
                self.held[other].silent = true;
            } else if other != at && are_twins(own, reading) {
                self.held[at.max(other)].silent = true;
            }
        }
    }

    /// What may overlap it.
    fn around(&self, at: usize) -> Range<usize> {
        let region = self.held[at].finding.region;
        let from = region.start.offset.saturating_sub(OVERLAP);
        self.held.partition_point(|one| one.start().offset < from)
            ..self.held.partition_point(|one| one.start().offset < region.end.offset)
    }

    /// What is decided, up to the first that is not.
    fn release(&mut self, seen: Option<Position>) -> Vec<Finding> {
        let mut out = Vec::new();
        for at in 0..self.held.len() {
            let one = &self.held[at];
            if one.told || one.finding.rule.skip_report {
                continue;
            }
            if !self.is_ripe(at, seen) {
                break;
            }
            if !one.silent {
                out.push(one.finding.clone());
            }
            self.held[at].told = true;
        }
        out
    }

    fn is_ripe(&self, at: usize, seen: Option<Position>) -> bool {
        let Some(end) = seen else { return true };
        let one = &self.held[at];
        if self.kinship.requires(&one.finding.rule) {
            return self.kinship.is_past(one, 2, seen);
        }
        let undecided = |other: &Held| !other.finding.rule.required.is_empty() && !other.decided;
        !undecided(one)
            && one.finding.region.end.offset <= end.offset
            && !self.held[self.around(at)].iter().any(undecided)
    }
}

impl Kinship {
    /// Whether everything was found in so many times the distance in which something may decide about it.
    fn is_past(&self, one: &Held, times: u64, seen: Option<Position>) -> bool {
        let (Some(seen), Some(lines)) = (seen, self.patience.get(&one.finding.rule.id)) else { return true };
        let behind = |from: u64, distance: u64| from.saturating_add(distance.saturating_mul(times));
        seen.offset > behind(one.start().offset, REACH)
            || lines.is_some_and(|lines| seen.line > behind(one.start().line, lines))
    }
}

/// Whether two findings read the same secret in the same place.
#[expect(clippy::disallowed_methods, reason = "compares secrets")]
fn same_secret(one: &Finding, other: &Finding) -> bool {
    let (long, short) = match one.secret.len() >= other.secret.len() {
        true => (one, other),
        false => (other, one),
    };
    meet(one, other) && memchr::memmem::find(long.secret.expose(), short.secret.expose()).is_some()
}

/// Whether two rules of one provider have joined the same to the same.
fn are_twins(one: &Finding, other: &Finding) -> bool {
    let parts = |finding: &Finding| -> Vec<(Region, Fingerprint)> {
        finding.companions.iter().map(|part| (part.region, part.fingerprint)).collect()
    };
    let is_one_provider = !one.rule.provider.is_empty() && one.rule.provider == other.rule.provider;
    is_one_provider && !one.companions.is_empty() && parts(one) == parts(other) && same_secret(one, other)
}

fn name(finding: &Finding) -> (Region, &str, Fingerprint) {
    (finding.region, &finding.rule.id, finding.fingerprint)
}

fn meet(one: &Finding, other: &Finding) -> bool {
    one.region.start.offset < other.region.end.offset && other.region.start.offset < one.region.end.offset
}

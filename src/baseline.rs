//! What is known already: entries that keep findings out of the way, and which entry covers which finding.
//!
//! An entry never holds a secret. One of ours names it by its fingerprint; entries of other tools name it by a hash, or
//! only the place where it stood.

use std::collections::HashMap;

use jiff::civil::Date;
use sha1::{Digest, Sha1};

use crate::finding::{Finding, Verdict};
use crate::place::{Places, slashed};
use crate::secret::{Fingerprint, entropy};

/// By what an entry knows its finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A fingerprint of ours: wherever the secret stands; for one that could be guessed, where it stood.
    Fingerprint(Fingerprint),
    /// The first half of SHA-256 of the secret: anywhere, or in the entry's file if the secret could be guessed.
    Sha256(Fingerprint),
    /// SHA-1 of the secret, as detect-secrets has it: as above.
    Sha1([u8; 20]),
    /// The rule and the path, and the entropy that gitleaks leaves in a redacted report; without one, the line.
    Place {
        /// Shannon entropy of the secret in thousandths of a bit per byte.
        entropy: Option<u32>,
    },
}

/// One thing that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// By what it is known.
    pub key: Key,
    /// Id of the rule, as the tool that wrote the entry has it.
    pub rule: String,
    /// The path in the repository, `/`-separated, lossy if it is no UTF-8.
    pub path: String,
    /// The line where it stood when the entry was written, 1-based.
    pub line: Option<u64>,
    /// The commit that brought it, or the object that it is in, abbreviated: it was found in history, and only a scan of
    /// history can tell whether it is gone. None for what was found in files.
    pub commit: Option<String>,
    /// Why it may stay, for people.
    pub reason: String,
    /// Who said so; empty if nobody did.
    pub by: String,
    /// The day on which it was said.
    pub added: Option<Date>,
    /// The last day on which the entry hides anything.
    pub expires: Option<Date>,
}

/// How far two entropies may differ that are the same, in thousandths: gitleaks rounds to 32 bits, we to thousandths.
const SAME_ENTROPY: u32 = 1;

/// The entropy of a secret as [`Key::Place`] has it.
pub fn thousandths(bits: f64) -> u32 {
    (bits * 1000.0).round() as u32
}

impl Known {
    /// Whether the entry no longer hides anything on that day.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }

    /// Whether the entry speaks of a finding of `rule`. `ours` are our names for the rules of other tools.
    fn is_of(&self, rule: &str, ours: Rename) -> bool {
        self.rule == rule || ours(&self.rule).contains(&rule)
    }
}

/// Our ids for what another tool calls a rule.
pub type Rename = fn(&str) -> &'static [&'static str];

/// What leads from a finding to the entries that may cover it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Fingerprint(Fingerprint),
    Sha256(Fingerprint),
    Sha1([u8; 20]),
    Path(String),
}

/// Everything that is known, ready to be asked.
#[derive(Clone, Debug)]
pub struct Baseline {
    known: Vec<Known>,
    names: HashMap<Name, Vec<usize>>,
    places: Places,
    today: Date,
    ours: Rename,
}

impl Baseline {
    /// The entries in this order. `places` leads from the paths of findings to those of entries.
    pub fn new(known: Vec<Known>, places: Places, today: Date, ours: Rename) -> Self {
        let mut names: HashMap<Name, Vec<usize>> = HashMap::new();
        for (index, entry) in known.iter().enumerate() {
            let name = match &entry.key {
                Key::Fingerprint(fingerprint) => Name::Fingerprint(*fingerprint),
                Key::Sha256(half) => Name::Sha256(*half),
                Key::Sha1(hash) => Name::Sha1(*hash),
                Key::Place { .. } => Name::Path(entry.path.clone()),
            };
            names.entry(name).or_default().push(index);
        }
        Baseline { known, names, places, today, ours }
    }

    /// The entries, in the order in which they were given.
    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// Where the paths of entries start.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The day for which it was made.
    pub fn today(&self) -> Date {
        self.today
    }

    /// The indices of the entries that cover the finding.
    #[expect(clippy::disallowed_methods, reason = "hashes the secret as entries do")]
    fn covering(&self, finding: &Finding) -> Vec<usize> {
        let secret = finding.secret.expose();
        let paths = self.paths(finding);
        let mut names = vec![
            Name::Fingerprint(finding.fingerprint),
            Name::Sha256(Fingerprint::of_strong(secret)),
            Name::Sha1(Sha1::digest(secret).into()),
        ];
        names.extend(finding.aliases.iter().copied().map(Name::Fingerprint));
        names.extend(paths.iter().cloned().map(Name::Path));
        let candidates = names.iter().filter_map(|name| self.names.get(name)).flatten();
        candidates.copied().filter(|&index| self.covers(&self.known[index], finding, &paths)).collect()
    }

    /// Every path that it had: an entry may have been made when it had only one of them.
    fn paths(&self, finding: &Finding) -> Vec<String> {
        let others = finding.provenance.iter().flat_map(|provenance| &provenance.paths);
        let others = others.map(|path| String::from_utf8_lossy(&slashed(path)).into_owned());
        let mut paths: Vec<String> = self.path(finding).into_iter().chain(others).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    #[expect(clippy::disallowed_methods, reason = "measures the secret as gitleaks does")]
    fn covers(&self, entry: &Known, finding: &Finding, paths: &[String]) -> bool {
        match &entry.key {
            Key::Fingerprint(_) => true,
            Key::Sha256(_) | Key::Sha1(_) => finding.rule.is_strong() || paths.contains(&entry.path),
            Key::Place { entropy: bits } => {
                let same = match bits {
                    Some(bits) => thousandths(entropy(finding.secret.expose())).abs_diff(*bits) <= SAME_ENTROPY,
                    None => entry.line == Some(finding.region.start.line),
                };
                same && entry.is_of(&finding.rule.id, self.ours)
            }
        }
    }

    /// The path of the finding as entries have it; none for what is no file.
    pub fn path(&self, finding: &Finding) -> Option<String> {
        let path = self.places.of(&finding.origin)?;
        Some(String::from_utf8_lossy(&slashed(&path)).into_owned())
    }

    /// Starts a run over findings.
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher { baseline: self, met: vec![false; self.known.len()] }
    }
}

/// Follows one run and remembers which entries it met.
#[derive(Debug)]
pub struct Matcher<'b> {
    baseline: &'b Baseline,
    met: Vec<bool>,
}

impl<'b> Matcher<'b> {
    /// Hides the finding if an entry covers it that has not expired. What somebody allowed, or what is hidden anyway,
    /// stays that.
    pub fn settle(&mut self, finding: &mut Finding) {
        let covering = self.baseline.covering(finding);
        for &index in &covering {
            self.met[index] = true;
        }
        let valid = |entry: &&Known| !entry.is_expired(self.baseline.today);
        let entry = covering.iter().map(|&index| &self.baseline.known[index]).find(valid);
        if let (Verdict::Reported, Some(entry)) = (&finding.verdict, entry) {
            finding.verdict = Verdict::Baselined { reason: entry.reason.clone() };
        }
    }

    /// The entries that no finding met, in their order.
    pub fn unmet(&self) -> impl Iterator<Item = &'b Known> {
        let met = self.met.clone();
        self.baseline.known.iter().zip(met).filter(|(_, met)| !met).map(|(entry, _)| entry)
    }

    /// The entries that would hide something if they had not expired, in their order.
    pub fn expired(&self) -> impl Iterator<Item = &'b Known> {
        let (met, today) = (self.met.clone(), self.baseline.today);
        self.baseline.known.iter().zip(met).filter(move |(entry, met)| *met && entry.is_expired(today)).map(|it| it.0)
    }
}

#[cfg(test)]
mod tests;

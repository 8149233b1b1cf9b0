//! Applies the baseline to the findings of a run, and tells afterwards which entries have had their day.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::Plan;
use crate::baseline::{Baseline, Key, Known, Matcher};
use crate::finding::{Finding, Verdict};
use crate::source::files::{Excludes, Target};
use crate::summary::Summary;

/// The baseline of a run, if it has one.
pub(super) struct Applied<'p> {
    plan: &'p Plan,
    matcher: Option<Matcher<'p>>,
    /// Rules of look-alikes in a history of which it was not looked up where they were.
    unplaced: HashSet<String>,
}

impl<'p> Applied<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Applied { plan, matcher: plan.baseline.as_ref().map(Baseline::matcher), unplaced: HashSet::new() }
    }

    /// The finding with its verdict.
    pub(super) fn settle(&mut self, mut finding: Finding) -> Finding {
        if let Some(matcher) = &mut self.matcher {
            matcher.settle(&mut finding);
            if finding.verdict == Verdict::Hidden && self.plan.history.is_some() && finding.provenance.is_none() {
                self.unplaced.insert(finding.rule.id.clone());
            }
        }
        finding
    }

    /// Adds to the summary what the run tells of the entries.
    pub(super) fn account(self, summary: &mut Summary) {
        let (Some(matcher), Some(baseline)) = (self.matcher, &self.plan.baseline) else { return };
        summary.expired = matcher.expired().cloned().collect();
        // Whoever stops a run, or looks at a part, knows nothing of what it did not reach.
        let is_part = self.plan.staged.is_some()
            || self.plan.remote.is_some()
            || self.plan.history.as_ref().is_some_and(|it| it.scope.is_some());
        if !summary.interrupted && !is_part {
            let Some(judge) = Judge::new(self.plan, baseline, summary) else { return };
            let placed = |entry: &&Known| !self.unplaced.contains(&entry.rule);
            let stale = matcher.unmet().filter(|entry| judge.would_have_met(entry));
            summary.stale = stale.filter(placed).cloned().collect();
        }
    }
}

/// Tells whether a run that did not meet an entry would have met it, if it were still good for anything.
struct Judge<'p> {
    plan: &'p Plan,
    /// Where the paths of entries start.
    root: PathBuf,
    /// What the targets are in the repository.
    targets: Vec<PathBuf>,
    excludes: Excludes,
    /// What was not read.
    unread: HashSet<PathBuf>,
}

impl<'p> Judge<'p> {
    fn new(plan: &'p Plan, baseline: &Baseline, summary: &Summary) -> Option<Self> {
        let inside = |path: &Path| baseline.places().inside(path);
        let target = |target: &Target| match target {
            Target::Path(path) => Some(inside(path)),
            Target::Stdin => None,
        };
        let skips = summary.coverage.skips.iter();
        Some(Judge {
            plan,
            root: baseline.places().root.clone().unwrap_or_default(),
            excludes: Excludes::new(&plan.files).ok()?,
            targets: plan.targets.iter().filter_map(target).collect(),
            unread: skips.filter_map(|skip| baseline.places().of(&skip.origin)).collect(),
        })
    }

    fn would_have_met(&self, entry: &Known) -> bool {
        // Of what is in an archive, the archive is what was read or not.
        let path = Path::new(entry.path.split_once("!/").map_or(entry.path.as_str(), |(archive, _)| archive));
        // A scan of files knows nothing of history, nor that of files that were never committed.
        entry.commit.is_some() == self.plan.history.is_some()
        // What another tool knows may be of a kind that we do not look for.
            && matches!(entry.key, Key::Fingerprint(_))
            && self.plan.rules.get(&entry.rule).is_some()
            && self.targets.iter().any(|target| self.reads(path, target))
            && !path.ancestors().any(|part| self.unread.contains(part))
    }

    /// Whether a walk of the target comes to that path, or would if there were such a file.
    fn reads(&self, path: &Path, target: &Path) -> bool {
        let ignored = || self.plan.files.respect_gitignore && self.root.join(path).exists();
        let store = path.components().any(|part| part.as_os_str() == ".git");
        path.strip_prefix(target).is_ok_and(|rest| !self.excludes.has(rest)) && !store && !ignored()
    }
}

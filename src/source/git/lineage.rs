//! Turns objects with a history into the references that lead to them, and the commits that took them away.

use super::attribute::Attribution;
use super::edges::{Commit, Numbers};
use super::grouped::{Map, Set};
use crate::origin::ObjectId;

/// Commits by index, and who descends from whom. Parents come before their children.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Index of each commit by its number.
    at: Map<u32, u32>,
    numbers: Vec<u32>,
    /// Where each commit's parents begin in `parents`; the last is where they end.
    starts: Vec<u32>,
    /// Indices; without what is not in the stores.
    parents: Vec<u32>,
    /// The tree of each commit, and the commit's index; ascending.
    pub(super) trees: Vec<(u32, u32)>,
}

impl Lines {
    pub(super) fn new(commits: &[Commit], parents: &[u32]) -> Self {
        let at: Map<u32, u32> = (0..).zip(commits).map(|(at, commit)| (commit.number, at)).collect();
        let mut lines = Lines { starts: vec![0], ..Lines::default() };
        for (child, commit) in (0..).zip(commits) {
            let (start, len) = (commit.parents.0 as usize, commit.parents.1 as usize);
            let known = parents[start..start + len].iter().filter_map(|parent| at.get(parent).copied());
            // What hangs on a circle has no order.
            lines.parents.extend(known.filter(|parent| *parent < child));
            lines.starts.push(lines.parents.len() as u32);
            lines.numbers.push(commit.number);
        }
        lines.trees = (0..).zip(commits).map(|(at, commit)| (commit.tree, at)).collect();
        lines.trees.sort_unstable();
        Lines { at, ..lines }
    }

    fn index(&self, numbers: &Numbers<'_>, commit: &ObjectId) -> Option<u32> {
        self.at.get(&numbers.get(commit)?).copied()
    }

    fn parents(&self, at: usize) -> &[u32] {
        &self.parents[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// For each commit whether it is one of `from`, or descends from one.
    fn descendants(&self, from: impl Iterator<Item = u32>) -> Vec<bool> {
        let mut descends = vec![false; self.numbers.len()];
        from.for_each(|at| descends[at as usize] = true);
        for at in 0..descends.len() {
            descends[at] |= self.parents(at).iter().any(|&parent| descends[parent as usize]);
        }
        descends
    }

    /// What became of a target on the way to each commit. `holds` tells which commits have it.
    fn fates(&self, holds: &[bool]) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(holds.len());
        for at in 0..holds.len() {
            let parents = self.parents(at);
            fates.push(match () {
                () if holds[at] => Fate::Holds,
                () if parents.iter().any(|&parent| holds[parent as usize]) => Fate::Removed(at as u32),
                () => last(parents.iter().map(|&parent| fates[parent as usize])),
            });
        }
        fates
    }
}

/// Puts parents before children, as below. The commits of a range stand in the same order whatever else is known: behind what none of
/// them leads to, before what goes on from them.
pub(super) fn order(commits: &mut Vec<Commit>, parents: &[u32], own: Option<&Set<u32>>) {
    order_all(commits, parents);
    let Some(own) = own else { return };
    let mut after: Set<u32> = Set::default();
    let (mut before, mut within, mut behind) = (Vec::new(), Vec::new(), Vec::new());
    for commit in commits.drain(..) {
        let (start, len) = (commit.parents.0 as usize, commit.parents.1 as usize);
        let goes_on = |parent: &u32| own.contains(parent) || after.contains(parent);
        if own.contains(&commit.number) {
            within.push(commit);
        } else if parents[start..start + len].iter().any(goes_on) {
            after.insert(commit.number);
            behind.push(commit);
        } else {
            before.push(commit);
        }
    }
    order_all(&mut within, parents);
    commits.extend(before.into_iter().chain(within).chain(behind));
}

/// Puts parents before children, and otherwise the older first, then the lower number. A commit counts as no older than its ancestors,
/// so that the same two come in the same order whatever else is known. What hangs on a circle, which no sound repository has, comes
/// last.
fn order_all(commits: &mut [Commit], parents: &[u32]) {
    let at: Map<u32, usize> = commits.iter().enumerate().map(|(at, commit)| (commit.number, at)).collect();
    let parents_of = |commit: &Commit| {
        let (start, len) = (commit.parents.0 as usize, commit.parents.1 as usize);
        parents[start..start + len].iter().filter_map(|parent| at.get(parent).copied())
    };
    let mut missing: Vec<u32> = commits.iter().map(|commit| parents_of(commit).count() as u32).collect();
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); commits.len()];
    for (child, commit) in commits.iter().enumerate() {
        parents_of(commit).for_each(|parent| children[parent].push(child as u32));
    }
    let mut depth = vec![u32::MAX; commits.len()];
    let mut times: Vec<i64> = commits.iter().map(|commit| commit.time).collect();
    let mut ready: Vec<usize> = (0..commits.len()).filter(|at| missing[*at] == 0).collect();
    ready.iter().for_each(|at| depth[*at] = 0);
    while let Some(parent) = ready.pop() {
        for &child in &children[parent] {
            let child = child as usize;
            // The last parent to come may not be the deepest: the deepest so far is remembered one lower until then.
            let known = if depth[child] == u32::MAX { 0 } else { depth[child] };
            depth[child] = known.max(depth[parent] + 1);
            times[child] = times[child].max(times[parent]);
            missing[child] -= 1;
            if missing[child] == 0 {
                ready.push(child);
            }
        }
    }
    let key = |at: usize| (missing[at] > 0, times[at], depth[at], commits[at].number);
    let mut places: Vec<usize> = (0..commits.len()).collect();
    places.sort_by_key(|at| key(*at));
    let sorted: Vec<Commit> = places.into_iter().map(|at| commits[at]).collect();
    commits.copy_from_slice(&sorted);
}

/// What one tip has to do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tip {
    /// Nothing: no commit that brought the object is an ancestor of it.
    Unrelated,
    /// It holds the object.
    Holds,
    /// Its history has the object; this commit took it away, the last one to do so.
    Removed(ObjectId),
    /// Its history has the object, and no single commit took it away.
    Lost,
}

impl Attribution<'_> {
    /// Which of `commits` are a commit or descend from it.
    pub fn descend(&self, from: &ObjectId, commits: &[ObjectId]) -> Vec<bool> {
        let descends = self.lines.descendants(self.indices(&[*from]).into_iter().flatten());
        self.indices(commits).into_iter().map(|at| at.is_some_and(|at| descends[at as usize])).collect()
    }

    /// Numbers by which [`Attribution::tips`] knows commits; `None` for what is none, or is not in the stores.
    pub fn indices(&self, commits: &[ObjectId]) -> Vec<Option<u32>> {
        commits.iter().map(|commit| self.lines.index(&self.numbers, commit)).collect()
    }

    /// What each of `tips` ([`Attribution::indices`]) has to do with a target.
    pub fn tips(&self, target: &ObjectId, tips: &[Option<u32>]) -> Vec<Tip> {
        let index = |commit: &ObjectId| self.lines.index(&self.numbers, commit);
        let brought = self.history(target).map_or(&[][..], |history| &history.introduced);
        let descends = self.lines.descendants(brought.iter().filter_map(|one| index(&one.commit)));
        // What came to others without the commits of a range is not told of it.
        let holds: Vec<bool> = self.holding(target).iter().zip(&descends).map(|(holds, is)| *holds && *is).collect();
        let fates = self.lines.fates(&holds);
        let about = |tip: &Option<u32>| match tip.filter(|&at| descends[at as usize]) {
            None => Tip::Unrelated,
            Some(at) => match fates[at as usize] {
                Fate::Holds => Tip::Holds,
                Fate::Removed(by) => self.numbers.id(self.lines.numbers[by as usize]).map_or(Tip::Lost, Tip::Removed),
                Fate::Lost => Tip::Lost,
            },
        };
        tips.iter().map(about).collect()
    }
}

/// What became of a target on the way to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Holds,
    /// The last commit that took it away, by its index.
    Removed(u32),
    Lost,
}

/// The last removal of several: none comes before one of its ancestors.
fn last(parents: impl Iterator<Item = Fate>) -> Fate {
    let removals = parents.filter_map(|fate| match fate {
        Fate::Removed(by) => Some(by),
        Fate::Holds | Fate::Lost => None,
    });
    removals.max().map_or(Fate::Lost, Fate::Removed)
}

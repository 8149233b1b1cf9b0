//! Turns objects with a history into the references that lead to them, and the commits that took them away.

use super::attribute::Attribution;
use super::edges::{Commit, Numbers};
use super::grouped::Map;
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
        let fates = self.lines.fates(&self.holding(target));
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

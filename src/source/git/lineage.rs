//! Turns objects with a history into the references that lead to them, and the commits that took them away.

use std::collections::HashMap;

use super::attribute::Attribution;
use super::edges::{Commit, Numbers};
use crate::origin::ObjectId;

/// Commits by index, and who descends from whom.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Index of each commit by its number.
    at: HashMap<u32, u32>,
    numbers: Vec<u32>,
    parents: Vec<Vec<u32>>,
    children: Vec<Vec<u32>>,
}

impl Lines {
    pub(super) fn new(commits: &[Commit], parents: &[u32]) -> Self {
        let at: HashMap<u32, u32> = (0..).zip(commits).map(|(at, commit)| (commit.number, at)).collect();
        let mut lines = Lines { children: vec![Vec::new(); commits.len()], ..Lines::default() };
        for (child, commit) in (0..).zip(commits) {
            let (start, len) = (commit.parents.0 as usize, commit.parents.1 as usize);
            let known: Vec<u32> =
                parents[start..start + len].iter().filter_map(|parent| at.get(parent).copied()).collect();
            known.iter().for_each(|parent| lines.children[*parent as usize].push(child));
            lines.parents.push(known);
            lines.numbers.push(commit.number);
        }
        Lines { at, ..lines }
    }

    fn index(&self, numbers: &Numbers<'_>, commit: &ObjectId) -> Option<u32> {
        self.at.get(&numbers.get(commit)?).copied()
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
    /// Whether a commit is another one, or one of its descendants.
    pub fn descends(&self, commit: &ObjectId, from: &ObjectId) -> bool {
        let lines = &self.lines;
        let (Some(commit), Some(from)) = (lines.index(&self.numbers, commit), lines.index(&self.numbers, from)) else {
            return false;
        };
        let mut seen = vec![false; lines.numbers.len()];
        let mut left = vec![commit];
        while let Some(at) = left.pop() {
            // Parents come before their children, so nothing older than `from` can lead to it.
            if at >= from && !std::mem::replace(&mut seen[at as usize], true) {
                left.extend(&lines.parents[at as usize]);
            }
        }
        seen[from as usize]
    }

    /// What each of `tips`, ids of commits, has to do with a target.
    pub fn tips(&self, target: &ObjectId, tips: &[ObjectId]) -> Vec<Tip> {
        let lines = &self.lines;
        let brought = self.history(target).map_or(&[][..], |history| &history.introduced);
        let mut descends = vec![false; lines.numbers.len()];
        let mut left: Vec<u32> = brought.iter().filter_map(|one| lines.index(&self.numbers, &one.commit)).collect();
        while let Some(commit) = left.pop() {
            if !std::mem::replace(&mut descends[commit as usize], true) {
                left.extend(&lines.children[commit as usize]);
            }
        }
        // Tips share most of their commits: what is known of one is known for all.
        let mut fates = vec![None; descends.len()];
        let about = |tip: &ObjectId| match lines.index(&self.numbers, tip) {
            Some(at) if descends[at as usize] => match self.fate(at, target, &descends, &mut fates) {
                Fate::Holds => Tip::Holds,
                Fate::Removed { by, .. } => {
                    self.numbers.id(self.lines.numbers[by as usize]).map_or(Tip::Lost, Tip::Removed)
                }
                Fate::Lost => Tip::Lost,
            },
            _ => Tip::Unrelated,
        };
        tips.iter().map(about).collect()
    }

    /// What became of a target in the history of the commit `at`, with what is found out on the way kept in `fates`.
    fn fate(&self, at: u32, target: &ObjectId, descends: &[bool], fates: &mut [Option<Fate>]) -> Fate {
        let holds = |at: u32| self.holds_numbered(self.lines.numbers[at as usize], target);
        let mut left = vec![at];
        while let Some(&commit) = left.last() {
            let parents = &self.lines.parents[commit as usize];
            let open = parents.iter().filter(|&&parent| descends[parent as usize] && fates[parent as usize].is_none());
            let fate = match () {
                () if fates[commit as usize].is_some() => None,
                () if holds(commit) => Some(Fate::Holds),
                () if parents.iter().any(|&parent| holds(parent)) => Some(Fate::Removed { by: commit, steps: 0 }),
                () if open.clone().next().is_some() => {
                    left.extend(open);
                    continue;
                }
                () => Some(nearest(parents.iter().filter_map(|&parent| fates[parent as usize]))),
            };
            fates[commit as usize] = fates[commit as usize].or(fate);
            left.pop();
        }
        fates[at as usize].unwrap_or(Fate::Lost)
    }
}

/// What became of a target on the way to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Holds,
    /// The nearest commit that has it no longer, so many steps back.
    Removed {
        by: u32,
        steps: u32,
    },
    Lost,
}

/// The removal that is fewest steps away, of several the one by the first parent, seen from a commit one step on.
fn nearest(parents: impl Iterator<Item = Fate>) -> Fate {
    let removals = parents.filter_map(|fate| match fate {
        Fate::Removed { by, steps } => Some((steps + 1, by)),
        Fate::Holds | Fate::Lost => None,
    });
    removals.min_by_key(|(steps, _)| *steps).map_or(Fate::Lost, |(steps, by)| Fate::Removed { by, steps })
}

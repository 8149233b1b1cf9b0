//! Turns objects with a history into the references that lead to them, and the commits that took them away.

use std::collections::{HashMap, VecDeque};

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
        let about = |tip: &ObjectId| match lines.index(&self.numbers, tip) {
            Some(at) if descends[at as usize] => self.tip(at, tip, target, &descends),
            _ => Tip::Unrelated,
        };
        tips.iter().map(about).collect()
    }

    fn tip(&self, at: u32, tip: &ObjectId, target: &ObjectId, descends: &[bool]) -> Tip {
        if self.holds(tip, target) {
            return Tip::Holds;
        }
        let id = |at: u32| self.numbers.id(self.lines.numbers[at as usize]);
        let holds = |at: u32| id(at).is_some_and(|id| self.holds(&id, target));
        let mut seen = vec![false; descends.len()];
        let mut left = VecDeque::from([at]);
        while let Some(commit) = left.pop_front() {
            if std::mem::replace(&mut seen[commit as usize], true) {
                continue;
            }
            let parents = &self.lines.parents[commit as usize];
            if parents.iter().any(|&parent| holds(parent)) {
                return id(commit).map_or(Tip::Lost, Tip::Removed);
            }
            left.extend(parents.iter().filter(|&&parent| descends[parent as usize]));
        }
        Tip::Lost
    }
}

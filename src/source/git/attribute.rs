//! Turns objects with findings into the paths they had and the commits that brought them.
//!
//! One pass over all trees and commits tells which tree holds which; whatever holds a target is found by walking up
//! from it. Nothing is compared with anything, so what only a merge brought is found like everything else, and the
//! cost does not depend on the number of targets.
//!
//! Of a range only its own commits and their parents are read with their trees, and all others where some commit goes on from there.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;

use rayon::prelude::*;

use super::edges::{Children, Commit, Edges, Filter, Holdings, NONE, Names, Numbers};
use super::fault::Fault;
use super::grouped::{Grouped, Map, Set};
use super::lineage::{Lines, order};
use super::read::Reader;
use super::refs::field;
use super::scope::{Range as Commits, add_trees};
use super::store::Stores;
use super::walk::{Options, walk};
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind};

/// If more than one of so many objects is a commit of a range, all trees are read: that is quicker.
const SMALL: usize = 32;

/// Targets are followed up in groups, a bit for each.
const GROUP: usize = 64;

/// A path is followed through so many trees at most for one target: trees can be made that have more paths than
/// atoms.
const MAX_STEPS: usize = 1 << 22;

/// So many different paths are followed for one target, and parts of paths, and so many bytes of them.
const MAX_PATHS: usize = 1 << 16;
const MAX_PATH_BYTES: usize = 1 << 25;

/// The tree of each commit.
type Trees = Map<u32, u32>;

/// A commit that brought an object: its tree holds it, and that of no parent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduced {
    /// The commit.
    pub commit: ObjectId,
    /// When it was committed, in seconds since 1970, as the commit claims.
    pub time: i64,
    /// Where the object stands in the commit's tree; sorted, `/`-separated.
    pub paths: Vec<Vec<u8>>,
}

/// Where an object was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Every path it has in the tree of any commit of the stores, reachable or not; sorted. Empty if none holds it.
    pub paths: Vec<Vec<u8>>,
    /// Every path of these that it has in the tree of one commit that was asked for; sorted.
    pub checked_out: Vec<Vec<u8>>,
    /// Every commit that brought it; none comes before one of its ancestors.
    pub introduced: Vec<Introduced>,
    /// There are more paths than were followed.
    pub truncated: bool,
}

/// Where objects were, and which commits hold them.
#[derive(Debug)]
pub struct Attribution<'s> {
    pub(super) numbers: Numbers<'s>,
    pub(super) lines: Lines,
    targets: Vec<ObjectId>,
    histories: Vec<History>,
    /// The tree of each commit.
    trees: Trees,
    /// For each group of targets.
    holders: Vec<Holders>,
    /// Trees and commits that could not be read: their part of the history is unknown.
    pub skips: Vec<Skip>,
}

impl Attribution<'_> {
    /// Where a target was; `None` for what was no target.
    pub fn history(&self, target: &ObjectId) -> Option<&History> {
        self.targets.binary_search(target).ok().map(|at| &self.histories[at])
    }

    /// Whether the tree of a commit holds a target. False for commits that are not in the stores.
    pub fn holds(&self, commit: &ObjectId, target: &ObjectId) -> bool {
        let tree = self.numbers.get(commit).and_then(|commit| self.trees.get(&commit));
        tree.is_some_and(|tree| self.has(*tree, target))
    }

    /// For each commit, by its index in the lines, whether its tree holds a target.
    pub(super) fn holding(&self, target: &ObjectId) -> Vec<bool> {
        let mut holding = vec![false; self.lines.trees.len()];
        let Ok(at) = self.targets.binary_search(target) else { return holding };
        let mut holders = self.holders[at / GROUP].of(at % GROUP).peekable();
        // Both lists are ascending.
        for (tree, commit) in &self.lines.trees {
            while holders.next_if(|holder| holder < tree).is_some() {}
            holding[*commit as usize] = holders.peek() == Some(tree);
        }
        holding
    }

    /// Whether a tree, or one in it, holds a target. False for trees that are not in the stores.
    pub fn is_in(&self, tree: &ObjectId, target: &ObjectId) -> bool {
        self.numbers.get(tree).is_some_and(|tree| self.has(tree, target))
    }

    fn has(&self, tree: u32, target: &ObjectId) -> bool {
        let Ok(at) = self.targets.binary_search(target) else { return false };
        self.holders[at / GROUP].has(tree, at % GROUP)
    }
}

/// The trees that hold one of a group of targets, and which. There may be as many as commits, and few ways to hold some.
#[derive(Debug, Default)]
struct Holders {
    /// Ascending, each with where its mask stands.
    trees: Vec<(u32, u32)>,
    masks: Vec<u64>,
}

impl Holders {
    /// Takes the masks of `marked` out of `masks`.
    fn take(mut marked: Vec<u32>, masks: &mut [u64]) -> Self {
        marked.sort_unstable();
        let mut places = Map::default();
        let mut holders = Holders::default();
        for number in marked {
            let mask = std::mem::take(&mut masks[number as usize]);
            let place = *places.entry(mask).or_insert_with(|| {
                holders.masks.push(mask);
                holders.masks.len() as u32 - 1
            });
            holders.trees.push((number, place));
        }
        holders
    }

    fn is(&self, place: u32, target: usize) -> bool {
        self.masks[place as usize] >> target & 1 == 1
    }

    /// Those that hold a target of the group, ascending.
    fn of(&self, target: usize) -> impl Iterator<Item = u32> {
        self.trees.iter().filter(move |tree| self.is(tree.1, target)).map(|tree| tree.0)
    }

    /// Whether a tree holds it.
    fn has(&self, tree: u32, target: usize) -> bool {
        let found = self.trees.binary_search_by_key(&tree, |holder| holder.0);
        found.is_ok_and(|found| self.is(self.trees[found].1, target))
    }
}

/// A part of a history, as far as only that is told of its objects which it has to do with them.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// Its commits.
    pub range: &'a Commits,
    /// Where references lead: of these commits [`Attribution::tips`] and [`Attribution::descend`] are asked.
    pub tips: &'a [ObjectId],
    /// Commits and trees of which [`Attribution::holds`] and [`Attribution::is_in`] are asked.
    pub roots: &'a [ObjectId],
}

/// Finds out where objects were, in all commits or in those of a part, and where they are in `head`. `options.kinds` and `options.only` do not matter.
///
/// # Errors
/// If the system has no threads left, or for more than 4 billion objects.
pub fn attribute<'s>(
    stores: &'s Stores,
    targets: &HashSet<ObjectId>,
    within: Option<Within<'_>>,
    head: Option<ObjectId>,
    options: Options<'_>,
) -> io::Result<Attribution<'s>> {
    let numbers = Numbers::new(stores)?;
    let mut targets: Vec<ObjectId> = targets.iter().copied().collect();
    targets.sort_unstable();
    let Graph { held, mut commits, parents, skips } = Graph::read(&numbers, &targets, within, options)?;
    let trees: Trees = commits.iter().map(|commit| (commit.number, commit.tree)).collect();
    let own: Option<Set<u32>> =
        within.map(|within| within.range.commits.iter().filter_map(|id| numbers.get(id)).collect());
    order(&mut commits, &parents, own.as_ref());
    let lines = Lines::new(&commits, &parents);
    let commits: Vec<Commit> =
        commits.into_iter().filter(|commit| own.as_ref().is_none_or(|own| own.contains(&commit.number))).collect();
    let head = head.and_then(|head| trees.get(&numbers.get(&head)?).copied());
    let roots = Roots { trees: commits.iter().map(|commit| commit.tree).collect(), head };
    let history = |(target, commits): (&ObjectId, Vec<Commit>)| {
        numbers.get(target).map_or_else(History::default, |number| held.history(number, &roots, &commits, &numbers))
    };
    let group = |masks: &mut Vec<u64>, group: &[ObjectId]| {
        masks.resize(numbers.len(), 0);
        let marked = held.mark(&numbers, group, masks);
        let introduced = introduced(&commits, &parents, &trees, masks, group.len());
        let holders = Holders::take(marked, masks);
        (group.iter().zip(introduced).map(history).collect::<Vec<_>>(), holders)
    };
    // The masks of a group would take more than all else if those of all groups were there at a time.
    let groups = targets.par_chunks(GROUP).map_init(Vec::new, group);
    let (histories, holders): (Vec<_>, Vec<_>) =
        pool(options.threads)?.install(|| groups.collect::<Vec<_>>()).into_iter().unzip();
    let histories = histories.into_iter().flatten().collect();
    Ok(Attribution { numbers, lines, targets, histories, trees, holders, skips })
}

fn pool(threads: usize) -> io::Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build().map_err(io::Error::other)
}

/// Up to where targets are followed.
struct Roots {
    /// The trees of all commits that are told of.
    trees: Set<u32>,
    /// That of one that may be another.
    head: Option<u32>,
}

/// All commits, and which tree holds what.
struct Graph {
    held: Held,
    commits: Vec<Commit>,
    parents: Vec<u32>,
    skips: Vec<Skip>,
}

impl Graph {
    fn read(
        numbers: &Numbers<'_>,
        targets: &[ObjectId],
        within: Option<Within<'_>>,
        options: Options<'_>,
    ) -> io::Result<Graph> {
        let of = |kinds, only| Graph::of(numbers, targets, Options { kinds, only, links: false, ..options });
        let Some(Within { range, tips, roots }) = within else {
            return of(&[ObjectKind::Tree, ObjectKind::Commit], None);
        };
        let is_own = |id: &ObjectId| range.commits.contains(id);
        let is_large = range.commits.len() > numbers.len() / SMALL;
        if is_large || (!tips.iter().all(is_own) && goes_on(numbers.stores, tips, &range.commits, options)?) {
            return of(&[ObjectKind::Tree, ObjectKind::Commit], None);
        }
        let mut only = HashSet::new();
        let mut reader = Reader::new(numbers.stores, options.memory);
        for root in range.commits.iter().chain(&range.outside).chain(roots) {
            let tree = match reader.read(root) {
                Ok(Some((ObjectKind::Commit, text))) => field(&text, b"tree ").and_then(ObjectId::from_hex),
                _ => None,
            };
            only.insert(*root);
            add_trees(&mut reader, tree.unwrap_or(*root), &mut only);
        }
        of(&[ObjectKind::Tree, ObjectKind::Commit], Some(&only))
    }

    fn of(numbers: &Numbers<'_>, targets: &[ObjectId], options: Options<'_>) -> io::Result<Graph> {
        let filter = Filter::new(targets.iter());
        let walked = walk(numbers.stores, || Edges::new(numbers, &filter, targets), options)?;
        let mut graph = Graph { held: Held::default(), commits: Vec::new(), parents: Vec::new(), skips: walked.skips };
        let (mut parts, mut names) = (Vec::new(), Names::default());
        for lens in walked.lenses {
            let shift = graph.parents.len() as u32;
            graph.parents.extend(lens.parents);
            let commits = lens.commits.into_iter();
            graph.commits.extend(
                commits.map(|commit| Commit { parents: (commit.parents.0 + shift, commit.parents.1), ..commit }),
            );
            parts.push((lens.holdings, names.add(&lens.names)));
            let what = Fault::Corrupt("is not what a tree or commit looks like");
            graph.skips.extend(lens.broken.into_iter().map(|(id, kind)| what.skip(id, Some(kind))));
        }
        graph.held = Held::new(parts, names, numbers, targets);
        Ok(graph)
    }
}

/// Whether some other commit that leads to one of the tips has one of these for a parent, or may have.
fn goes_on(stores: &Stores, tips: &[ObjectId], commits: &HashSet<ObjectId>, options: Options<'_>) -> io::Result<bool> {
    let (mut reader, shallow) = (Reader::new(stores, options.memory), HashSet::new());
    if let Some(known) = super::graph::Graph::new(&mut reader, &shallow).goes_on(tips, commits) {
        return Ok(known);
    }
    let options = Options { kinds: &[ObjectKind::Commit], only: None, links: false, progress: None, ..options };
    let walked = walk(stores, || Children { of: commits, found: false }, options)?;
    // That a server may hold back objects hides no commit: no filter leaves out commits.
    let unread = walked.skips.iter().any(|skip| skip.why != Why::PartialClone);
    Ok(unread || walked.lenses.iter().any(|lens| lens.found))
}

/// What a tree holds that is not looked at yet.
type Left<'h> = (&'h Holdings, Range<usize>);

/// What is one of `targets` or holds one, over any number of steps. Depth first, over what each tree holds: to know who holds
/// each would take as much memory again.
fn matters(parts: &[(Holdings, Vec<u32>)], len: usize, targets: impl Iterator<Item = u32>) -> Vec<bool> {
    let mut places = vec![(NONE, NONE); len];
    for (number, (part, _)) in (0..).zip(parts) {
        (0..part.len()).for_each(|at| places[part.tree(at) as usize] = (number, at as u32));
    }
    let list = |number: usize| -> Option<Left<'_>> {
        let (part, at) = places[number];
        let part = &parts.get(part as usize)?.0;
        Some((part, part.range(at as usize)))
    };
    let (mut matters, mut is_open, mut seen) = (vec![false; len], vec![false; len], vec![false; len]);
    targets.for_each(|target| matters[target as usize] = true);
    let mut path: Vec<(usize, Option<Left<'_>>)> = Vec::new();
    for first in 0..len {
        let mut next = (!seen[first]).then_some(first);
        while let Some(number) = next {
            (seen[number], is_open[number]) = (true, true);
            path.push((number, list(number)));
            next = None;
            while let (None, Some((tree, left))) = (next, path.last_mut()) {
                let tree = *tree;
                let held =
                    left.as_mut().filter(|_| !matters[tree]).and_then(|(part, left)| Some(part.held(left.next()?)));
                match held.map(|held| held as usize) {
                    Some(held) if !seen[held] => next = Some(held),
                    // No sound tree is in itself; of one that claims so, all is kept.
                    Some(held) => matters[tree] = matters[held] || is_open[held],
                    None => {
                        is_open[tree] = false;
                        path.pop();
                        path.last().into_iter().for_each(|(above, _)| matters[*above] |= matters[tree]);
                    }
                }
            }
        }
    }
    matters
}

/// A tree that holds something, and the number of the name under which it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    tree: u32,
    name: u32,
}

/// Who holds what: for each number the trees that hold it, ascending, and under which names. Of what neither is a target
/// nor holds one, nobody is known to hold it.
#[derive(Default)]
struct Held {
    holders: Grouped<Holder>,
    names: Names,
}

impl Held {
    /// From what each thread found, with the names' numbers in `names`.
    fn new(parts: Vec<(Holdings, Vec<u32>)>, names: Names, numbers: &Numbers<'_>, targets: &[ObjectId]) -> Held {
        let targets = targets.iter().filter_map(|target| numbers.get(target));
        let matters = matters(&parts, numbers.len(), targets);
        let holders = || {
            let trees = parts.iter().flat_map(|part| part.0.trees().map(move |one| (part, one)));
            let each = trees.flat_map(|((part, renamed), (tree, held))| held.map(move |at| (part, renamed, tree, at)));
            let mattering = each.filter(|(part, _, _, at)| matters[part.held(*at) as usize]);
            mattering.map(|(part, renamed, tree, at)| {
                (part.held(at), Holder { tree, name: renamed[part.name(at) as usize] })
            })
        };
        let mut holders = Grouped::new(numbers.len(), holders);
        // Which thread came first must not matter.
        holders.sort();
        Held { holders, names }
    }

    /// Adds to `masks`, which are all 0, which of a group each object is or, over any number of steps, holds. Gives what
    /// has one.
    fn mark(&self, numbers: &Numbers<'_>, group: &[ObjectId], masks: &mut [u64]) -> Vec<u32> {
        let numbered = (0..).zip(group).filter_map(|(bit, target)| Some((numbers.get(target)?, 1u64 << bit)));
        let (mut left, mut marked): (Vec<(u32, u64)>, _) = (numbered.collect(), Vec::new());
        while let Some((number, more)) = left.pop() {
            let mask = &mut masks[number as usize];
            if *mask | more == *mask {
                continue;
            }
            if *mask == 0 {
                marked.push(number);
            }
            *mask |= more;
            left.extend(self.holders.of(number).iter().map(|holder| (holder.tree, *mask)));
        }
        marked
    }

    /// Follows a target up to the trees of commits, with all paths on the way.
    fn history(&self, target: u32, roots: &Roots, commits: &[Commit], numbers: &Numbers<'_>) -> History {
        let mut paths: Vec<Vec<u8>> = vec![Vec::new()];
        let mut ids: HashMap<Vec<u8>, u32> = HashMap::from([(Vec::new(), 0)]);
        let (mut steps, mut seen) = (Map::default(), Set::default());
        seen.insert((target, 0));
        let mut left = vec![(target, 0u32)];
        let mut at_roots: Map<u32, Vec<u32>> = Map::default();
        let (mut truncated, mut bytes) = (false, 0);
        while let Some((node, path)) = left.pop() {
            if roots.trees.contains(&node) || roots.head == Some(node) {
                at_roots.entry(node).or_default().push(path);
            }
            for &Holder { tree, name } in self.holders.of(node) {
                truncated |= seen.len() >= MAX_STEPS || paths.len() >= MAX_PATHS || bytes >= MAX_PATH_BYTES;
                if truncated && !steps.contains_key(&(name, path)) {
                    continue;
                }
                let next = *steps.entry((name, path)).or_insert_with(|| {
                    let longer = join(self.names.name(name), &paths[path as usize]);
                    *ids.entry(longer).or_insert_with_key(|longer| {
                        bytes += longer.len();
                        paths.push(longer.clone());
                        paths.len() as u32 - 1
                    })
                });
                if !truncated && seen.insert((tree, next)) {
                    left.push((tree, next));
                }
            }
        }
        let text = |ids: &[u32]| {
            let mut texts: Vec<Vec<u8>> = ids.iter().map(|id| paths[*id as usize].clone()).collect();
            texts.sort();
            texts
        };
        let own = at_roots.iter().filter(|(tree, _)| roots.trees.contains(tree));
        let all: HashSet<u32> = own.flat_map(|(_, paths)| paths).copied().collect();
        let mut checked_out = roots.head.and_then(|head| at_roots.get(&head)).cloned().unwrap_or_default();
        checked_out.retain(|path| all.contains(path));
        let introduced = commits.iter().filter_map(|commit| {
            let paths = text(at_roots.get(&commit.tree).map_or(&[], Vec::as_slice));
            Some(Introduced { commit: numbers.id(commit.number)?, time: commit.time, paths })
        });
        let introduced = introduced.collect();
        let paths = text(&all.into_iter().collect::<Vec<_>>());
        History { paths, checked_out: text(&checked_out), introduced, truncated }
    }
}

/// The commits that brought each target of a group, whose masks these are.
fn introduced(commits: &[Commit], parents: &[u32], trees: &Trees, masks: &[u64], targets: usize) -> Vec<Vec<Commit>> {
    let mut found = vec![Vec::new(); targets];
    let mask = |tree: u32| masks.get(tree as usize).copied().unwrap_or(0);
    for commit in commits {
        let mut new = mask(commit.tree);
        if new == 0 {
            continue;
        }
        let (start, len) = (commit.parents.0 as usize, commit.parents.1 as usize);
        for parent in &parents[start..start + len] {
            new &= !trees.get(parent).map_or(0, |tree| mask(*tree));
        }
        while new != 0 {
            found[new.trailing_zeros() as usize].push(*commit);
            new &= new - 1;
        }
    }
    found
}

fn join(name: &[u8], path: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [name, b"/", path].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_target_matters_however_deep_and_in_circles() {
        let deep = 200_000;
        let mut holdings = Holdings::default();
        // A long way to the target; a circle that leads to it; trees that do not.
        (0..deep).rev().for_each(|tree| holdings.add(tree, [[tree + 1, 0]].into_iter()));
        let (circle, lone, beside) = (deep + 1, deep + 3, deep + 5);
        holdings.add(circle, [[circle + 1, 0]].into_iter());
        holdings.add(circle + 1, [[circle, 0], [deep, 0]].into_iter());
        holdings.add(lone, [[lone + 1, 0]].into_iter());
        holdings.add(beside, [[beside + 1, 0]].into_iter());
        let matters = matters(&[(holdings, Vec::new())], deep as usize + 7, std::iter::once(deep));
        assert!(matters[..=circle as usize + 1].iter().all(|matters| *matters));
        assert!(matters[lone as usize..].iter().all(|matters| !matters));
    }
}

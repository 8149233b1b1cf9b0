//! The walk: every object of every store once, shared out over threads.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::descend::{Part, SMALL, Walker};
use super::fault::Fault;
use super::lens::{Lens, Object};
use super::links::Links;
use super::plan::{Forest, Tree};
use super::store::Stores;
use super::twins::Twins;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// If not more than one of so many objects is wanted, each is read by its name. Reading one builds its chain of
/// bases, some dozens, and a walk has to look at every entry's header.
const FEW: usize = 256;

/// Loose objects that are one unit of work.
const LOOSE_BATCH: usize = 64;

/// What an object that is looked up weighs against a packed byte.
const FILE_COST: u64 = 64 << 10;

/// How to walk.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Threads at work, at least 1.
    pub threads: usize,
    /// Most bytes of objects held at a time, beside the mapped packs and about 45 bytes for each packed object. What
    /// cannot be built within is a skip.
    pub memory: u64,
    /// The kinds to visit.
    pub kinds: &'a [ObjectKind],
    /// Visit only these, if given: cheap if they are few.
    pub only: Option<&'a HashSet<ObjectId>>,
    /// Check that whatever the visited trees, commits and tags name is there. Not done where `only` is given.
    pub links: bool,
    /// Set it, and the walk ends after the objects at hand.
    pub interrupt: &'a AtomicBool,
    /// Counted up while the walk goes on, for a progress bar.
    pub progress: Option<&'a Progress>,
}

/// How far a walk has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Packed bytes, and a surcharge for each object, that there are to read. Known before the first object is
    /// visited.
    pub total: AtomicU64,
    /// The part of `total` that is done.
    pub done: AtomicU64,
    /// Objects visited.
    pub objects: AtomicU64,
    /// Bytes of these objects.
    pub bytes: AtomicU64,
}

/// What was visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects, in the order of [`ObjectKind::ALL`].
    pub objects: [u64; 4],
    /// Bytes of their content.
    pub bytes: u64,
    /// Bytes that were shown to lenses; the answers about all others were carried.
    pub searched: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        for (sum, more) in self.objects.iter_mut().zip(other.objects) {
            *sum += more;
        }
        self.bytes += other.bytes;
        self.searched += other.searched;
    }

    /// What was added to `before`.
    pub(super) fn since(mut self, before: &Counts) -> Counts {
        self.objects.iter_mut().zip(before.objects).for_each(|(now, before)| *now -= before);
        self.bytes -= before.bytes;
        self.searched -= before.searched;
        self
    }

    /// Objects of all kinds.
    pub fn total(&self) -> u64 {
        self.objects.iter().sum()
    }
}

/// Packs that need not be read, because what is in them is known from an earlier walk.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Their numbers in [`Stores::checksums`]. None of their objects is visited, from no store.
    pub packs: BTreeSet<usize>,
    /// What their objects name and what was not there. It is named again if it still is not.
    pub missing: BTreeMap<ObjectId, ObjectKind>,
}

/// What was done in a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InPack {
    /// The objects that were visited in it.
    pub counts: Counts,
    /// Something in it could not be read, or not all of it was visited yet.
    pub broken: bool,
}

/// What came of a walk.
#[derive(Debug)]
pub struct Walked<L> {
    /// The lenses, one per thread.
    pub lenses: Vec<L>,
    /// What was visited.
    pub counts: Counts,
    /// The part of each pack in it, as numbered by [`Stores::checksums`]; empty if objects were read by name.
    pub packs: Vec<InPack>,
    /// What visited objects name and what is nowhere; each is, or is part of, a skip.
    pub missing: BTreeMap<ObjectId, ObjectKind>,
    /// What was not, sorted. Skips of opening the stores are in [`Stores::skips`].
    pub skips: Vec<Skip>,
    /// The walk was stopped before its end.
    pub interrupted: bool,
}

/// A unit of work.
pub(super) enum Task<'f> {
    /// A delta tree of a pack.
    Tree(usize, &'f Tree),
    /// Loose objects.
    Loose(Range<usize>),
    /// Objects to be read by name.
    Named(Range<usize>),
}

/// What all threads of a walk share.
pub(super) struct Shared<'a> {
    pub stores: &'a Stores,
    pub forests: Vec<Forest>,
    /// If few objects are wanted: these, in the order of the packs, and nothing else.
    pub named: Option<Vec<ObjectId>>,
    known: &'a Known,
    /// Objects that are wanted and that no store has.
    absent: Vec<ObjectId>,
    pub options: Options<'a>,
    /// Whoever needs much memory for a tree waits for this.
    pub lane: Mutex<()>,
}

impl Shared<'_> {
    /// Most bytes for one tree and what its deltas make: all but what the other threads may need for small ones, and
    /// half in any case.
    pub(super) fn room(&self) -> u64 {
        let Options { memory, threads, .. } = self.options;
        memory.saturating_sub(SMALL * threads.max(1) as u64).max(memory / 2)
    }

    fn checks_links(&self) -> bool {
        self.options.links && self.options.only.is_none()
    }
}

/// Visits every object that is wanted, once, and asks lenses about it.
///
/// # Errors
/// Only if the system has no threads left; whatever cannot be read is a skip.
pub fn walk<L: Lens>(
    stores: &Stores,
    make_lens: impl Fn() -> L + Sync,
    options: Options<'_>,
) -> Result<Walked<L>, std::io::Error> {
    walk_unknown(stores, &Known::default(), make_lens, options)
}

/// As [`walk`], but for what is in known packs.
pub fn walk_unknown<L: Lens>(
    stores: &Stores,
    known: &Known,
    make_lens: impl Fn() -> L + Sync,
    options: Options<'_>,
) -> Result<Walked<L>, std::io::Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build();
    let pool = pool.map_err(std::io::Error::other)?;
    let shared = pool.install(|| plan(stores, known, options));
    let tasks = pool.install(|| tasks(&shared));
    let next = AtomicUsize::new(0);
    let parts = pool.broadcast(|_| run(&shared, make_lens(), &tasks, &next));
    Ok(gather(&shared, parts))
}

/// A walk on the thread at hand: a pool for each would be most of the work for a fuzzer.
#[cfg(feature = "fuzzing")]
pub(super) fn walk_alone<L: Lens>(stores: &Stores, lens: L, options: Options<'_>) -> Walked<L> {
    let known = Known::default();
    let shared = plan(stores, &known, options);
    let part = run(&shared, lens, &tasks(&shared), &AtomicUsize::new(0));
    gather(&shared, vec![part])
}

/// What each thread does: takes tasks until there are none.
fn run<'a, L: Lens>(shared: &'a Shared<'a>, lens: L, tasks: &[(u64, Task<'a>)], next: &AtomicUsize) -> Part<'a, L> {
    let mut walker = Walker::new(shared, lens, Links::new(shared.stores, shared.checks_links()));
    while let Some((weight, task)) = tasks.get(next.fetch_add(1, Ordering::Relaxed))
        && !walker.interrupted()
    {
        walker.task(task);
        walker.report(*weight);
    }
    walker.finish()
}

/// Finds out what there is to do: the delta trees, or, where few objects are wanted, just their names.
fn plan<'a>(stores: &'a Stores, known: &'a Known, options: Options<'a>) -> Shared<'a> {
    let (forests, absent, lane) = Default::default();
    let mut shared = Shared { stores, forests, named: None, known, absent, options, lane };
    if let Some(only) = options.only
        && only.len() <= stores.len() / FEW
    {
        let mut named: Vec<ObjectId> = only.iter().copied().collect();
        named.sort_by_cached_key(|id| (stores.place(id), *id));
        shared.named = Some(named);
        return shared;
    }
    // Whatever is read may name what is in any pack.
    let reads = known.packs.len() < stores.packs.len() || !stores.loose.is_empty();
    if shared.checks_links() && reads {
        stores.packs.par_iter().for_each(|pack| pack.index.fan_out());
    }
    let twins = Twins::find(stores, &known.packs);
    for id in options.only.into_iter().flatten().filter(|id| !stores.contains(id)) {
        shared.absent.push(*id);
    }
    let packs = stores.packs.par_iter().enumerate();
    let forests = packs.map(|(number, pack)| {
        if known.packs.contains(&number) {
            return Forest::default();
        }
        Forest::plan(pack, options.links, &|row, kind| {
            kind.is_none_or(|kind| options.kinds.contains(&kind))
                && !twins.contains(number, row)
                && options.only.is_none_or(|only| pack.index.id(row as usize).is_some_and(|id| only.contains(&id)))
        })
    });
    shared.forests = forests.collect();
    shared
}

/// The units of work with their weights, big ones first: they would be the ones that all wait for in the end.
fn tasks<'s>(shared: &'s Shared<'_>) -> Vec<(u64, Task<'s>)> {
    let tasks = list(shared);
    if let Some(progress) = shared.options.progress {
        progress.total.store(tasks.iter().map(|task| task.0).sum(), Ordering::Relaxed);
    }
    tasks
}

fn list<'s>(shared: &'s Shared<'_>) -> Vec<(u64, Task<'s>)> {
    let mut tasks = Vec::new();
    let batches = |len: usize, size: usize| (0..len).step_by(size).map(move |at| at..len.min(at + size));
    if let Some(named) = &shared.named {
        let size = named.len().div_ceil(4 * shared.options.threads.max(1)).max(1);
        tasks.extend(batches(named.len(), size).map(|batch| (batch.len() as u64 * FILE_COST, Task::Named(batch))));
        return tasks;
    }
    let loose = batches(shared.stores.loose.len(), LOOSE_BATCH);
    tasks.extend(loose.map(|batch| (batch.len() as u64 * FILE_COST, Task::Loose(batch))));
    for (pack, forest) in shared.forests.iter().enumerate() {
        tasks.extend(forest.trees.iter().map(|tree| (tree.weight, Task::Tree(pack, tree))));
    }
    tasks.par_sort_by_key(|task| std::cmp::Reverse(task.0));
    tasks
}

/// Puts the threads' parts together. What failed in one place and may be read from another is tried again here.
fn gather<L: Lens>(shared: &Shared<'_>, parts: Vec<Part<'_, L>>) -> Walked<L> {
    let interrupted = shared.options.interrupt.load(Ordering::Relaxed);
    let (mut lenses, mut links) = (Vec::new(), Vec::new());
    let (mut counts, mut skips, mut retries) = (Counts::default(), Vec::new(), Vec::new());
    // What an index says of a pack is not remembered where it cannot be true.
    let in_pack = |forest: &Forest| InPack { broken: interrupted || !forest.doubtful.is_empty(), ..InPack::default() };
    let mut packs: Vec<InPack> = shared.forests.iter().map(in_pack).collect();
    for part in parts {
        for (pack, (counts, broken)) in part.packs {
            packs[pack].counts.add(&counts);
            packs[pack].broken |= broken;
        }
        lenses.push(part.lens);
        links.push(part.links);
        counts.add(&part.counts);
        skips.extend(part.skips);
        retries.extend(part.retries);
    }
    skips.extend(shared.absent.iter().map(|id| Fault::Absent.skip(*id, None)));
    retries.sort_unstable();
    let doubtful = doubtful(shared);
    let is_any_left = !retries.is_empty() || !doubtful.is_empty();
    if is_any_left
        && !interrupted
        && let Some(lens) = lenses.pop()
    {
        let mut walker = Walker::new(shared, lens, Links::new(shared.stores, shared.checks_links()));
        retries.iter().for_each(|id| walker.named(id, false));
        doubtful.iter().for_each(|id| walker.named(id, true));
        let part = walker.finish();
        lenses.push(part.lens);
        links.push(part.links);
        counts.add(&part.counts);
        skips.extend(part.skips);
    }
    for object in links.iter().flat_map(|links| &links.broken) {
        packs.iter_mut().zip(&shared.stores.packs).for_each(|(part, pack)| {
            part.broken |= pack.index.find(&object.id).is_some();
        });
    }
    let missing = incomplete(shared, &links, &mut skips);
    skips.sort();
    Walked { lenses, counts, packs, missing, skips, interrupted }
}

/// What stands where another object does, as an index says; sorted. Which of them lies, only what is there tells.
fn doubtful(shared: &Shared<'_>) -> Vec<ObjectId> {
    let packs = shared.forests.iter().zip(&shared.stores.packs);
    let rows = packs.flat_map(|(forest, pack)| forest.doubtful.iter().map(move |row| pack.index.id(*row as usize)));
    let mut ids: Vec<ObjectId> = rows.flatten().collect();
    ids.sort_unstable();
    ids
}

/// Names what is missing. A server that holds back objects may hold back thousands: they are one skip.
fn incomplete(shared: &Shared<'_>, links: &[Links<'_>], skips: &mut Vec<Skip>) -> BTreeMap<ObjectId, ObjectKind> {
    let unread = |why: &Fault, object: &Object| why.skip(object.id, Some(object.kind));
    let broken = Fault::Corrupt("is not what its kind looks like, or too large for it");
    skips.extend(links.iter().flat_map(|links| &links.broken).map(|object| unread(&broken, object)));
    let known = shared.known.missing.iter().filter(|missing| !shared.stores.contains(missing.0));
    let missing: BTreeMap<ObjectId, ObjectKind> =
        links.iter().flat_map(|links| &links.missing).chain(known).map(|(id, kind)| (*id, *kind)).collect();
    let promisor = |path: &PathBuf, detail: String| {
        let origin = Origin::File { path: path.clone(), tracking: None };
        Skip { origin, why: Why::PartialClone, detail }
    };
    let promisors = &shared.stores.promisors;
    if !shared.checks_links() {
        let detail = "comes from a server that may hold back objects";
        skips.extend(promisors.iter().map(|path| promisor(path, detail.to_owned())));
    } else if let Some(first) = promisors.first().filter(|_| !missing.is_empty()) {
        skips.push(promisor(first, format!("{} objects were held back by the server", missing.len())));
    } else {
        skips.extend(missing.iter().map(|(id, kind)| Fault::Absent.skip(*id, Some(*kind))));
    }
    missing
}

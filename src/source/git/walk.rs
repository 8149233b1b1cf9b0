//! The walk: every object of every store once, shared out over threads.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::descend::{Part, Walker};
use super::fault::Fault;
use super::lens::{Lens, Object};
use super::links::Linked;
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
    /// Most bytes of objects held at a time, beside the mapped packs and about 40 bytes for each packed object. What
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

    /// Objects of all kinds.
    pub fn total(&self) -> u64 {
        self.objects.iter().sum()
    }
}

/// What came of a walk.
#[derive(Debug)]
pub struct Walked<L> {
    /// The lenses, one per thread.
    pub lenses: Vec<L>,
    /// What was visited.
    pub counts: Counts,
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
    /// Objects that are wanted and that no store has.
    absent: Vec<ObjectId>,
    pub options: Options<'a>,
    /// Whoever needs much memory for a tree waits for this.
    pub lane: Mutex<()>,
}

impl Shared<'_> {
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
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build();
    let pool = pool.map_err(std::io::Error::other)?;
    let shared = pool.install(|| plan(stores, options));
    let tasks = pool.install(|| tasks(&shared));
    let next = AtomicUsize::new(0);
    let parts = pool.broadcast(|_| run(&shared, make_lens(), &tasks, &next));
    Ok(gather(&shared, parts))
}

/// A walk on the thread at hand: a pool for each would be most of the work for a fuzzer.
#[cfg(fuzzing)]
pub(super) fn walk_alone<L: Lens>(stores: &Stores, lens: L, options: Options<'_>) -> Walked<L> {
    let shared = plan(stores, options);
    let part = run(&shared, lens, &tasks(&shared), &AtomicUsize::new(0));
    gather(&shared, vec![part])
}

/// What each thread does: takes tasks until there are none.
fn run<'a, L: Lens>(
    shared: &'a Shared<'a>,
    lens: L,
    tasks: &[(u64, Task<'a>)],
    next: &AtomicUsize,
) -> Part<Linked<'a, L>> {
    let mut walker = Walker::new(shared, Linked::new(lens, shared.stores, shared.checks_links()));
    while let Some((weight, task)) = tasks.get(next.fetch_add(1, Ordering::Relaxed))
        && !walker.interrupted()
    {
        walker.task(task);
        walker.report(*weight);
    }
    walker.finish()
}

/// Finds out what there is to do: the delta trees, or, where few objects are wanted, just their names.
fn plan<'a>(stores: &'a Stores, options: Options<'a>) -> Shared<'a> {
    let mut shared =
        Shared { stores, forests: Vec::new(), named: None, absent: Vec::new(), options, lane: Mutex::new(()) };
    if let Some(only) = options.only
        && only.len() <= stores.len() / FEW
    {
        let mut named: Vec<ObjectId> = only.iter().copied().collect();
        named.sort_by_cached_key(|id| (stores.place(id), *id));
        shared.named = Some(named);
        return shared;
    }
    let twins = Twins::find(stores);
    for id in options.only.into_iter().flatten().filter(|id| !stores.contains(id)) {
        shared.absent.push(*id);
    }
    let packs = stores.packs.par_iter().enumerate();
    let forests = packs.map(|(number, pack)| {
        Forest::plan(pack, &|row, kind| {
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
fn gather<L: Lens>(shared: &Shared<'_>, parts: Vec<Part<Linked<'_, L>>>) -> Walked<L> {
    let interrupted = shared.options.interrupt.load(Ordering::Relaxed);
    let (mut lenses, mut counts, mut skips, mut retries) = (Vec::new(), Counts::default(), Vec::new(), Vec::new());
    for part in parts {
        lenses.push(part.lens);
        counts.add(&part.counts);
        skips.extend(part.skips);
        retries.extend(part.retries);
    }
    skips.extend(shared.absent.iter().map(|id| Fault::Absent.skip(*id, None)));
    retries.sort_unstable();
    if !retries.is_empty()
        && !interrupted
        && let Some(lens) = lenses.pop()
    {
        let mut walker = Walker::new(shared, lens);
        retries.iter().for_each(|id| walker.named(id));
        let part = walker.finish();
        lenses.push(part.lens);
        counts.add(&part.counts);
        skips.extend(part.skips);
    }
    incomplete(shared, &lenses, &mut skips);
    skips.sort();
    let lenses = lenses.into_iter().map(|lens| lens.inner).collect();
    Walked { lenses, counts, skips, interrupted }
}

/// Names what is missing. A server that holds back objects may hold back thousands: they are one skip.
fn incomplete<L>(shared: &Shared<'_>, lenses: &[Linked<'_, L>], skips: &mut Vec<Skip>) {
    let unread = |why: &Fault, object: &Object| why.skip(object.id, Some(object.kind));
    let broken = Fault::Corrupt("is not what its kind looks like, or too large for it");
    skips.extend(lenses.iter().flat_map(|lens| &lens.broken).map(|object| unread(&broken, object)));
    let missing: BTreeMap<_, _> = lenses.iter().flat_map(|lens| &lens.missing).collect();
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
        skips.extend(missing.into_iter().map(|(id, kind)| Fault::Absent.skip(*id, Some(*kind))));
    }
}

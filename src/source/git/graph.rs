//! Turns commits into the set that lies between them: exact by the graph, whatever their dates claim.

use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use super::read::Reader;
use super::refs::field;
use crate::origin::{ObjectId, ObjectKind};

/// With a wider boundary than this the whole history is walked instead of remembering for each commit what of it lies above.
const MAX_BOUNDARY: usize = 4096;

/// So many commits are read one by one to find out whether others go on from a range.
const MAX_READ: usize = 1024;

/// A commit, as far as it was asked for.
#[derive(Debug)]
pub(super) struct Node {
    pub id: ObjectId,
    /// `None` until it was read, and if it cannot be.
    pub tree: Option<ObjectId>,
    pub parents: Vec<u32>,
    /// When it was committed, as it claims; in seconds since 1970 (UTC).
    pub time: i64,
    /// More than that of any of its ancestors, by the commit-graph; 0 if nobody counted, `None` if it is not in there.
    generation: Option<u32>,
    /// Its parents were kept back by the server.
    pub is_cut: bool,
    is_read: bool,
    is_looked_up: bool,
}

/// The commits of a repository, read when they are asked for, once.
pub(super) struct Graph<'r, 's> {
    pub reader: &'r mut Reader<'s>,
    pub nodes: Vec<Node>,
    numbers: HashMap<ObjectId, u32>,
    shallow: &'r HashSet<ObjectId>,
}

impl<'r, 's> Graph<'r, 's> {
    /// No commit of `shallow` has parents.
    pub(super) fn new(reader: &'r mut Reader<'s>, shallow: &'r HashSet<ObjectId>) -> Self {
        Graph { reader, nodes: Vec::new(), numbers: HashMap::new(), shallow }
    }

    pub(super) fn number(&mut self, id: ObjectId) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            let (tree, parents) = (None, Vec::new());
            let (time, generation, is_cut, is_read, is_looked_up) = (i64::MAX, None, false, false, false);
            self.nodes.push(Node { id, tree, parents, time, generation, is_cut, is_read, is_looked_up });
            self.nodes.len() as u32 - 1
        })
    }

    /// Takes the parents from the commit-graph, as git does, and reads the commit if that does not know it.
    fn look_up(&mut self, number: u32) {
        let node = &mut self.nodes[number as usize];
        if node.is_read || std::mem::replace(&mut node.is_looked_up, true) {
            return;
        }
        let (id, written) = (node.id, self.reader.stores().commit_graph());
        let row = written.and_then(|written| Some((written, written.row(written.find(&id)?)?)));
        let named = row.and_then(|(written, row)| {
            let parents: Option<Vec<ObjectId>> = row.parents.iter().map(|parent| written.id(*parent)).collect();
            Some((row.time, Some(row.generation), parents?))
        });
        let Some((time, generation, parents)) = named else { return self.read(number) };
        let parents = parents.into_iter().map(|parent| self.number(parent)).collect();
        let node = &mut self.nodes[number as usize];
        (node.time, node.generation, node.parents) = (time, generation, parents);
    }

    /// Reads a commit. One that is not there, or is none, has no tree and no parents.
    pub(super) fn read(&mut self, number: u32) {
        let node = &mut self.nodes[number as usize];
        if std::mem::replace(&mut node.is_read, true) {
            return;
        }
        let id = node.id;
        let Ok(Some((ObjectKind::Commit, text))) = self.reader.read(&id) else { return };
        let written = self.reader.stores().commit_graph();
        let generation = written.and_then(|written| Some(written.row(written.find(&id)?)?.generation));
        let is_cut = self.shallow.contains(&id);
        let named = if is_cut { Vec::new() } else { parents(&text) };
        let parents = named.into_iter().map(|parent| self.number(parent)).collect();
        let node = &mut self.nodes[number as usize];
        node.tree = field(&text, b"tree ").and_then(ObjectId::from_hex);
        node.time = committed(&text).unwrap_or(0);
        (node.parents, node.generation, node.is_cut) = (parents, generation, is_cut);
    }

    /// The commits that `include` reaches and `exclude` does not.
    pub(super) fn between(&mut self, include: &[u32], exclude: &[u32]) -> Vec<u32> {
        let mut search = Search::new(self);
        exclude.iter().for_each(|number| search.exclude(*number));
        include.iter().for_each(|number| search.include(*number));
        search.until_decided();
        search.included()
    }

    /// Whether a commit that one of `starts` reaches, and that is none of `commits`, has one of them for a parent; `None` if without a
    /// commit-graph, or with one that knows too little, there are faster ways to find out.
    pub(super) fn goes_on(&mut self, starts: &[ObjectId], commits: &HashSet<ObjectId>) -> Option<bool> {
        let written = self.reader.stores().commit_graph()?;
        let counted = commits.iter().filter_map(|id| Some(written.row(written.find(id)?)?.generation));
        let least = counted.min().unwrap_or(u32::MAX);
        let (mut left, mut seen, mut read) = (Vec::new(), HashSet::new(), 0);
        left.extend(starts.iter().filter(|start| !commits.contains(*start)).map(|start| self.number(*start)));
        while let Some(number) = left.pop().filter(|_| read < MAX_READ) {
            if !seen.insert(number) {
                continue;
            }
            self.look_up(number);
            let node = &self.nodes[number as usize];
            read += usize::from(node.is_read);
            if node.parents.iter().any(|parent| commits.contains(&self.nodes[*parent as usize].id)) {
                return Some(true);
            }
            if !node.generation.is_some_and(|generation| (1..=least).contains(&generation)) {
                left.extend(&node.parents);
            }
        }
        (read < MAX_READ).then_some(false)
    }

    /// The commits at most `depth - 1` steps away from one of `starts`, out of `allowed`.
    pub(super) fn near(&mut self, starts: &[u32], allowed: &HashSet<u32>, depth: u32) -> HashSet<u32> {
        let mut near: HashSet<u32> = starts.iter().copied().filter(|start| allowed.contains(start)).collect();
        let mut left: VecDeque<(u32, u32)> = near.iter().map(|start| (*start, 1)).collect();
        while let Some((number, steps)) = left.pop_front() {
            for parent in self.nodes[number as usize].parents.clone() {
                if steps < depth && allowed.contains(&parent) && near.insert(parent) {
                    left.push_back((parent, steps + 1));
                }
            }
        }
        near
    }

    /// Leaves out commits that are further away from `starts`, or older.
    pub(super) fn narrow(
        &mut self,
        commits: &mut HashSet<u32>,
        starts: &[u32],
        depth: Option<u32>,
        since: Option<i64>,
    ) {
        if let Some(depth) = depth {
            *commits = self.near(starts, commits, depth);
        }
        if let Some(since) = since {
            commits.retain(|number| self.nodes[*number as usize].time >= since);
        }
    }

    /// The parents of `commits` that are none of them.
    pub(super) fn boundary(&self, commits: &HashSet<u32>) -> Vec<u32> {
        let parents = commits.iter().flat_map(|number| &self.nodes[*number as usize].parents);
        let mut boundary: Vec<u32> = parents.copied().filter(|parent| !commits.contains(parent)).collect();
        boundary.sort_unstable();
        boundary.dedup();
        boundary
    }
}

/// The ids of a commit's parents. A line like theirs in the message is none.
fn parents(text: &[u8]) -> Vec<ObjectId> {
    let head = text.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty());
    head.filter_map(|line| ObjectId::from_hex(line.strip_prefix(b"parent ")?)).collect()
}

/// When it was committed. The address may hold anything but `>`.
fn committed(text: &[u8]) -> Option<i64> {
    let line = field(text, b"committer ")?;
    let after = &line[memchr::memrchr(b'>', line)? + 1..];
    std::str::from_utf8(after).ok()?.split_whitespace().next()?.parse().ok()
}

/// What is known of a commit during a search.
#[derive(Clone, Default)]
struct State {
    included: bool,
    excluded: bool,
    queued: bool,
    explored: bool,
    /// Which commits of the boundary it is, or is an ancestor of; one bit each.
    below: Vec<u64>,
}

/// A search for `included and not excluded`. Commits are explored from the newest, which is fast where dates are true, and the
/// search ends only when the result is certain, which holds whatever they are.
struct Search<'g, 'r, 's> {
    graph: &'g mut Graph<'r, 's>,
    states: Vec<State>,
    /// Not explored yet.
    queue: BinaryHeap<(i64, u32)>,
    /// Of these, how many are included and not excluded.
    open: usize,
    /// Something that had been explored as included turned out to be excluded.
    surprised: bool,
}

impl<'g, 'r, 's> Search<'g, 'r, 's> {
    fn new(graph: &'g mut Graph<'r, 's>) -> Self {
        Search { graph, states: Vec::new(), queue: BinaryHeap::new(), open: 0, surprised: false }
    }

    fn state(&mut self, number: u32) -> &mut State {
        let len = self.states.len().max(number as usize + 1);
        self.states.resize_with(len, State::default);
        &mut self.states[number as usize]
    }

    fn enqueue(&mut self, number: u32) {
        let state = self.state(number);
        if state.queued || state.explored {
            return;
        }
        state.queued = true;
        let excluded = state.excluded;
        self.open += usize::from(!excluded);
        // What is to be scanned is told by the commits themselves.
        if excluded {
            self.graph.look_up(number)
        } else {
            self.graph.read(number)
        }
        self.queue.push((self.graph.nodes[number as usize].time, number));
    }

    fn include(&mut self, number: u32) {
        self.state(number).included = true;
        self.enqueue(number);
    }

    /// Excludes a commit and all of its ancestors that are known.
    fn exclude(&mut self, number: u32) {
        let mut left = vec![number];
        while let Some(number) = left.pop() {
            let state = self.state(number);
            if std::mem::replace(&mut state.excluded, true) {
                continue;
            }
            let (queued, explored, included) = (state.queued, state.explored, state.included);
            self.open -= usize::from(queued);
            if explored {
                self.surprised |= included;
                left.extend(&self.graph.nodes[number as usize].parents);
            } else {
                self.enqueue(number);
            }
        }
    }

    fn explore(&mut self, number: u32) {
        let state = self.state(number);
        (state.queued, state.explored) = (false, true);
        let excluded = state.excluded;
        self.open -= usize::from(!excluded);
        for parent in self.graph.nodes[number as usize].parents.clone() {
            if excluded { self.exclude(parent) } else { self.include(parent) }
        }
    }

    /// When everything that is left is excluded, dates may still have led astray: a commit taken for included may be an
    /// ancestor of one that is left. It then stands above the boundary, and so does what is left and leads to it. So the result is
    /// certain once all that is left is known to be below every commit of the boundary.
    fn until_decided(&mut self) {
        while self.open > 0
            && let Some((_, number)) = self.queue.pop()
        {
            self.explore(number);
        }
        if self.graph.reader.stores().commit_graph().is_some() {
            return self.down_to_generation();
        }
        let included: HashSet<u32> = self.included().into_iter().collect();
        let boundary = self.graph.boundary(&included);
        let is_root = |number: &u32| self.graph.nodes[*number as usize].parents.is_empty();
        if included.is_empty() || (!included.iter().any(is_root) && self.below_all(&boundary)) {
            return;
        }
        while let Some((_, number)) = self.queue.pop() {
            self.explore(number);
        }
    }

    /// Explores what may have an ancestor among what is included. What the commit-graph does not know is an ancestor of nothing it knows.
    fn down_to_generation(&mut self) {
        let counted = |search: &Self, number: u32| search.graph.nodes[number as usize].generation;
        let least = self.included().into_iter().filter_map(|number| counted(self, number)).min().unwrap_or(u32::MAX);
        while let Some((_, number)) = self.queue.pop() {
            if !counted(self, number).is_some_and(|generation| (1..=least).contains(&generation)) {
                self.explore(number);
            }
        }
    }

    /// Explores until all that is left is below every commit of the boundary; `false` if something else came to light.
    fn below_all(&mut self, boundary: &[u32]) -> bool {
        if boundary.len() > MAX_BOUNDARY {
            return false;
        }
        let words = boundary.len().div_ceil(64);
        for (bit, number) in boundary.iter().enumerate() {
            let mut mask = vec![0; words];
            mask[bit / 64] |= 1 << (bit % 64);
            self.sink(*number, &mask);
        }
        let bits = boundary.len() as u32;
        let is_full = |state: &State| state.below.iter().map(|word| word.count_ones()).sum::<u32>() == bits;
        self.surprised = false;
        // Counting what is left anew is dear; it is done after as many steps as it takes.
        let mut patience = 0;
        while !self.surprised {
            if patience == 0 {
                if self.queue.iter().all(|(_, number)| is_full(&self.states[*number as usize])) {
                    return true;
                }
                patience = self.queue.len();
            }
            patience = patience.saturating_sub(1);
            let Some((_, number)) = self.queue.pop() else { return true };
            self.explore(number);
            let mask = self.state(number).below.clone();
            for parent in self.graph.nodes[number as usize].parents.clone() {
                self.sink(parent, &mask);
            }
        }
        false
    }

    /// Tells a commit, and all of its ancestors that are known, what they are below of.
    fn sink(&mut self, number: u32, mask: &[u64]) {
        let mut left = vec![number];
        while let Some(number) = left.pop() {
            let state = self.state(number);
            state.below.resize(mask.len(), 0);
            let is_known = state.below.iter().zip(mask).all(|(have, more)| have | more == *have);
            state.below.iter_mut().zip(mask).for_each(|(have, more)| *have |= more);
            if !is_known && state.explored {
                left.extend(&self.graph.nodes[number as usize].parents);
            }
        }
    }

    fn included(&self) -> Vec<u32> {
        let is_in = |state: &State| state.included && !state.excluded;
        (0..).zip(&self.states).filter(|(_, state)| is_in(state)).map(|(number, _)| number).collect()
    }
}

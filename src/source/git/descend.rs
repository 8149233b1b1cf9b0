//! The descent of one thread: each object of a delta tree from its base, without building what nobody must see whole.

use std::collections::BTreeMap;
use std::mem::take;
use std::ops::Range;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use super::buffer::{Buffer, Pool};
use super::carry::{Carry, Change};
use super::delta::{self, Made, Op};
use super::entries::{self, Listed, Note};
use super::fault::Fault;
use super::inflate::{Inflate, OneShot, Stream, plausible};
use super::lens::{HEAD, Lens, Object};
use super::links::Links;
use super::loose::Exact;
use super::pack::{Link, Pack};
use super::plan::{Forest, Tree, UNWANTED};
use super::read::Reader;
use super::tree::Entry;
use super::walk::{Counts, Shared, Task};
use crate::coverage::Skip;
use crate::origin::{ObjectId, ObjectKind};

/// Larger objects on which nothing is built are streamed.
pub(super) const STREAM: u64 = 64 << 20;

/// A tree that needs more bytes at a time than this takes the lane, so that one thread at a time needs much.
pub(super) const SMALL: u64 = 16 << 20;

/// What one thread did.
pub(super) struct Part<'s, L> {
    pub lens: L,
    pub links: Links<'s>,
    pub counts: Counts,
    pub skips: Vec<Skip>,
    /// Objects that may be read from another place.
    pub retries: Vec<ObjectId>,
    /// What was visited in each pack, and whether something in it failed.
    pub packs: BTreeMap<usize, (Counts, bool)>,
}

/// An object on which others are built.
struct Held {
    node: u32,
    /// How many of the kids are done.
    done: usize,
    kind: ObjectKind,
    bytes: Buffer,
    marks: Vec<u32>,
    /// Of a tree whose entries are read.
    listed: Listed,
}

/// A delta tree and where it grows.
#[derive(Clone, Copy)]
struct Ground<'a> {
    pack: &'a Pack,
    forest: &'a Forest,
}

/// One thread of a walk.
pub(super) struct Walker<'a, L> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) part: Part<'a, L>,
    zlib: OneShot,
    pub(super) reader: Reader<'a>,
    pub(super) delta: Buffer,
    ops: Vec<Op>,
    head: Vec<u8>,
    pub(super) carry: Carry,
    pub(super) pool: Pool,
    /// Bytes of objects held.
    alive: u64,
    pub(super) lane: Option<MutexGuard<'a, ()>>,
    reported: Counts,
}

impl<'a, L: Lens> Walker<'a, L> {
    pub(super) fn new(shared: &'a Shared<'a>, lens: L, links: Links<'a>) -> Self {
        Walker {
            shared,
            part: Part {
                lens,
                links,
                counts: Counts::default(),
                skips: Vec::new(),
                retries: Vec::new(),
                packs: BTreeMap::new(),
            },
            zlib: OneShot::default(),
            reader: Reader::new(shared.stores, shared.options.memory / 2),
            delta: Buffer::default(),
            ops: Vec::new(),
            head: Vec::new(),
            carry: Carry::default(),
            pool: Pool::default(),
            alive: 0,
            lane: None,
            reported: Counts::default(),
        }
    }

    pub(super) fn interrupted(&self) -> bool {
        self.shared.options.interrupt.load(Ordering::Relaxed)
    }

    pub(super) fn finish(mut self) -> Part<'a, L> {
        self.part.counts.searched = self.carry.searched;
        self.part.links.look_up();
        self.part
    }

    /// Tells the progress bar what was done since it was told last.
    pub(super) fn report(&mut self, weight: u64) {
        if let Some(progress) = self.shared.options.progress {
            let (now, before) = (self.part.counts, self.reported);
            progress.done.fetch_add(weight, Ordering::Relaxed);
            progress.objects.fetch_add(now.total() - before.total(), Ordering::Relaxed);
            progress.bytes.fetch_add(now.bytes - before.bytes, Ordering::Relaxed);
            self.reported = now;
        }
    }

    pub(super) fn task(&mut self, task: &Task<'a>) {
        match task {
            Task::Tree(number, tree) => {
                let (pack, forest) = (&self.shared.stores.packs[*number], &self.shared.forests[*number]);
                let failures = |part: &Part<'_, L>| part.skips.len() + part.retries.len();
                let (before, failed) = (self.part.counts, failures(&self.part));
                self.tree(Ground { pack, forest }, tree);
                let broken = failures(&self.part) > failed;
                let entry = self.part.packs.entry(*number).or_default();
                entry.0.add(&self.part.counts.since(&before));
                entry.1 |= broken;
            }
            Task::Loose(batch) => self.each(batch, |walker, at| walker.loose(at)),
            Task::Named(batch) => {
                let named = self.shared.named.as_deref().unwrap_or_default();
                self.each(batch, |walker, at| walker.named(&named[at], true));
            }
        }
    }

    fn each(&mut self, batch: &Range<usize>, mut visit: impl FnMut(&mut Self, usize)) {
        for at in batch.clone() {
            if self.interrupted() {
                return;
            }
            visit(self, at);
        }
    }

    /// Depth first. The heaviest kid is the last, and its base is released before what is built on the kid is
    /// visited: so no more bases are held than the logarithm of the tree's size.
    fn tree(&mut self, ground: Ground<'a>, tree: &Tree) {
        let mut stack = Vec::new();
        let first = self.root(ground, tree);
        self.settle(ground, (tree.root, tree.kind), first, &mut stack);
        while let Some(mut base) = stack.pop() {
            if self.interrupted() {
                self.release(base);
                continue;
            }
            let kids = ground.forest.kids(base.node);
            let kid = kids[base.done];
            base.done += 1;
            let built = self.kid(ground, &base, kid);
            let kind = Some(base.kind);
            if base.done == kids.len() {
                self.release(base);
            } else {
                stack.push(base);
            }
            self.settle(ground, (kid, kind), built, &mut stack);
        }
        self.lane = None;
    }

    fn settle(
        &mut self,
        ground: Ground<'a>,
        (node, kind): (u32, Option<ObjectKind>),
        built: Result<Option<Held>, Fault>,
        stack: &mut Vec<Held>,
    ) {
        match built {
            Ok(held) => stack.extend(held),
            Err(fault) => self.fail(ground, node, kind, &fault),
        }
    }

    /// Reads the node a tree starts with. Gives it back if something is built on it.
    fn root(&mut self, ground: Ground<'a>, tree: &Tree) -> Result<Option<Held>, Fault> {
        if let Some(far) = &tree.far {
            return self.far(ground, tree.root, **far);
        }
        let header = ground.pack.header(ground.forest.nodes[tree.root as usize].offset)?;
        let Link::Whole(kind) = header.link else { return Err(Fault::Corrupt("its delta bases form a circle")) };
        let packed = ground.pack.stream(header.stream, ground.forest.next_offset(tree.root));
        plausible(packed.len(), header.size)?;
        let object = ground.object(tree.root, kind, header.size);
        let kids = ground.forest.kids(tree.root);
        let room = self.reserve(header.size);
        if room.is_err() || (kids.is_empty() && header.size > STREAM) {
            let stream = |object| self.stream(&object, &mut Exact::new(Stream::new(packed), header.size), false);
            object.map_or(Ok(()), stream)?;
            if let Err(fault) = room {
                kids.iter().for_each(|kid| self.fail(ground, *kid, Some(kind), &fault));
            }
            return Ok(None);
        }
        let mut bytes = self.pool.buffer();
        self.zlib.inflate(packed, bytes.resize(header.size as usize))?;
        let mut marks = self.pool.marks();
        self.search(kind, &bytes, &mut marks);
        let listed = self.show(object.as_ref(), kind, &bytes, &marks);
        Ok(self.hold(ground, Held { node: tree.root, done: 0, kind, bytes, marks, listed }))
    }

    /// Shows an object that was searched to whoever must see it whole. Of one that is not to be visited only the entries are
    /// read, for those that are built on it.
    pub(super) fn show(&mut self, object: Option<&Object>, kind: ObjectKind, bytes: &[u8], marks: &[u32]) -> Listed {
        let mut listed = self.pool.list();
        let is_sound = !self.part.reads_entries(kind) || {
            let width = self.shared.stores.format.width();
            entries::list(bytes, width, &mut |entry| self.part.entry(entry), &mut listed)
        };
        if let Some(object) = object {
            let mut asked = self.part.ask(object, &bytes[..bytes.len().min(HEAD)]);
            asked.by_lens |= self.part.tree(object, &listed, is_sound);
            self.part.tell(object, bytes, marks, asked);
            self.count(object);
        }
        listed
    }

    /// A node whose base is in no entry of its pack.
    fn far(&mut self, ground: Ground<'a>, node: u32, id: ObjectId) -> Result<Option<Held>, Fault> {
        let whole = self.reader.find(&id, None, 0).map_err(|fault| fault.below(Some(id)))?.ok_or(Fault::Missing(id))?;
        if !self.shared.options.kinds.contains(&whole.kind) {
            return Ok(None);
        }
        self.reserve(whole.bytes.len() as u64)?;
        let mut bytes = self.pool.buffer();
        bytes.resize(whole.bytes.len()).copy_from_slice(&whole.bytes);
        let mut marks = self.pool.marks();
        self.search(whole.kind, &bytes, &mut marks);
        let listed = self.show(None, whole.kind, &bytes, &marks);
        let base = Held { node, done: 0, kind: whole.kind, bytes, marks, listed };
        self.alive += base.size();
        let built = self.kid(ground, &base, node);
        self.release(base);
        built
    }

    /// Finds what a delta makes of its base: the marks always, the bytes only if somebody must see them.
    fn kid(&mut self, ground: Ground<'a>, base: &Held, node: u32) -> Result<Option<Held>, Fault> {
        let len = self.read_delta(ground, base, node)?;
        let room = self.reserve(u64::from(len));
        let mut marks = self.pool.marks();
        let change =
            Change { kind: base.kind, base: &base.bytes, marks: &base.marks, delta: &self.delta, ops: &self.ops, len };
        if self.part.lens.has_marks(base.kind) {
            self.carry.marks(change, &mut self.part.lens, &mut marks);
        }
        let object = ground.object(node, base.kind, u64::from(len));
        let mut listed = self.pool.list();
        let is_sound = !self.part.reads_entries(base.kind) || {
            let (width, scratch, part) = (self.shared.stores.format.width(), &mut self.head, &mut self.part);
            entries::list_by_delta(&change, width, &base.listed, scratch, &mut |entry| part.entry(entry), &mut listed)
        };
        if let Err(fault) = &room
            && !(marks.is_empty() && ground.forest.kids(node).is_empty())
        {
            return self.in_pieces(ground, base, (node, object), fault);
        }
        let mut asked = object.map(|object| self.ask(&object, &base.bytes)).unwrap_or_default();
        asked.by_lens |= object.is_some_and(|object| self.part.tree(&object, &listed, is_sound));
        let mut bytes = self.pool.buffer();
        if !marks.is_empty() || !ground.forest.kids(node).is_empty() || asked.by_lens || asked.by_links {
            if let Err(fault) = &room {
                return self.in_pieces(ground, base, (node, object), fault);
            }
            delta::apply(&self.ops, &base.bytes, &self.delta, bytes.resize(len as usize));
        }
        if let Some(object) = object {
            self.part.tell(&object, &bytes, &marks, asked);
            self.count(&object);
        }
        Ok(self.hold(ground, Held { node, done: 0, kind: base.kind, bytes, marks, listed }))
    }

    /// A node whose object does not fit beside its base: it is read from that and the delta, and nothing is built on it.
    fn in_pieces(
        &mut self,
        ground: Ground<'a>,
        base: &Held,
        (node, object): (u32, Option<Object>),
        fault: &Fault,
    ) -> Result<Option<Held>, Fault> {
        let (ops, delta) = (take(&mut self.ops), take(&mut self.delta));
        let made = Made::new(&ops, &base.bytes, &delta);
        let seen = object.map_or(Ok(()), |object| self.stream(&object, &mut Exact::new(made, object.size), false));
        (self.ops, self.delta) = (ops, delta);
        seen?;
        ground.forest.kids(node).iter().for_each(|kid| self.fail(ground, *kid, Some(base.kind), fault));
        Ok(None)
    }

    fn read_delta(&mut self, ground: Ground<'a>, base: &Held, node: u32) -> Result<u32, Fault> {
        let header = ground.pack.header(ground.forest.nodes[node as usize].offset)?;
        let packed = ground.pack.stream(header.stream, ground.forest.next_offset(node));
        plausible(packed.len(), header.size)?;
        self.reserve(header.size)?;
        self.delta.trim();
        self.zlib.inflate(packed, self.delta.resize(header.size as usize))?;
        delta::parse(&self.delta, base.bytes.len(), &mut self.ops)
    }

    /// Shows the first bytes of the object that the delta at hand makes.
    fn ask(&mut self, object: &Object, base: &[u8]) -> Asked {
        let most = object.size.min(HEAD as u64) as u32;
        if let Some(Op { len, from: delta::From::Base(from), .. }) = self.ops.first()
            && *len >= most
        {
            return self.part.ask(object, &base[*from as usize..(*from + most) as usize]);
        }
        self.head.clear();
        delta::gather(&self.ops, &mut 0, (base, &self.delta), (0, most), &mut self.head);
        self.part.ask(object, &self.head)
    }

    /// Whether so many bytes more may be held. Takes the lane if the tree at hand needs much; it is kept to the
    /// tree's end.
    pub(super) fn reserve(&mut self, size: u64) -> Result<(), Fault> {
        let need = self.alive.saturating_add(size);
        if need > self.shared.room() {
            return Err(Fault::TooLarge(size));
        }
        if need > SMALL && self.lane.is_none() {
            // A thread that panicked in the lane left nothing behind that matters here.
            let guard = self.shared.lane.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            self.lane = Some(guard);
        }
        Ok(())
    }

    fn hold(&mut self, ground: Ground<'a>, held: Held) -> Option<Held> {
        self.alive += held.size();
        if ground.forest.kids(held.node).is_empty() {
            self.release(held);
            return None;
        }
        Some(held)
    }

    fn release(&mut self, held: Held) {
        self.alive -= held.size();
        self.pool.give(held.bytes);
        self.pool.give_marks(held.marks);
        self.pool.give_list(held.listed);
    }

    pub(super) fn search(&mut self, kind: ObjectKind, bytes: &[u8], marks: &mut Vec<u32>) {
        if !bytes.is_empty() && self.part.lens.has_marks(kind) {
            self.part.lens.marks(kind, bytes, marks);
            self.carry.searched += bytes.len() as u64;
        }
    }

    pub(super) fn count(&mut self, object: &Object) {
        self.part.counts.objects[object.kind as usize] += 1;
        self.part.counts.bytes += object.size;
    }

    /// An object cannot be built, and so nothing that is built on it. What has a copy elsewhere is tried again later.
    fn fail(&mut self, ground: Ground<'a>, node: u32, kind: Option<ObjectKind>, fault: &Fault) {
        let stores = self.shared.stores;
        let source = ground.id(node).or_else(|| ground.pack.id_at(ground.forest.nodes[node as usize].offset));
        let hope = stores.has_twins() && !matches!(fault, Fault::TooLarge(_) | Fault::LargeBase(_));
        let base_elsewhere = hope && source.is_some_and(|id| stores.copies(&id) > 1);
        let mut left = vec![node];
        while let Some(at) = left.pop() {
            left.extend_from_slice(ground.forest.kids(at));
            let Some(id) = ground.id(at) else { continue };
            if hope && (base_elsewhere || stores.copies(&id) > 1) {
                self.part.retries.push(id);
            } else {
                let fault = if at == node { fault.clone() } else { fault.below(source) };
                self.part.skips.push(fault.skip(id, kind));
            }
        }
    }
}

/// Who must see an object whole.
#[derive(Clone, Copy, Default)]
struct Asked {
    by_lens: bool,
    /// What it names is not all named in its first bytes.
    by_links: bool,
}

impl<L: Lens> Part<'_, L> {
    /// Whether the entries of objects of that kind are read.
    fn reads_entries(&self, kind: ObjectKind) -> bool {
        self.links.reads_entries(kind) || (kind == ObjectKind::Tree && self.lens.reads_entries())
    }

    /// Shows an entry of a tree.
    fn entry(&mut self, entry: &Entry<'_>) -> Note {
        self.links.entry(entry);
        if self.lens.reads_entries() { self.lens.entry(entry) } else { Note::default() }
    }

    /// Tells what came of a tree's entries. Whether the lens must see it whole.
    fn tree(&mut self, object: &Object, listed: &Listed, is_sound: bool) -> bool {
        self.links.tree(object, is_sound);
        object.kind == ObjectKind::Tree && self.lens.reads_entries() && self.lens.tree(object, &listed.notes, is_sound)
    }

    /// Shows an object's first bytes.
    fn ask(&mut self, object: &Object, head: &[u8]) -> Asked {
        Asked { by_lens: self.lens.head(object, head), by_links: !self.links.lines(object, head) }
    }

    /// Shows an object to who asked for it, and to the lens if it has a mark.
    fn tell(&mut self, object: &Object, bytes: &[u8], marks: &[u32], asked: Asked) {
        if asked.by_links {
            self.links.lines(object, bytes);
        }
        if asked.by_lens || !marks.is_empty() {
            self.lens.object(object, bytes, marks);
        }
    }
}

impl Held {
    fn size(&self) -> u64 {
        (self.bytes.len() + 4 * self.marks.len() + self.listed.size()) as u64
    }
}

impl Ground<'_> {
    /// The name of the object at a node; `None` if it is not to be visited.
    fn id(&self, node: u32) -> Option<ObjectId> {
        let row = self.forest.nodes[node as usize].row;
        if row == UNWANTED { None } else { self.pack.index.id(row as usize) }
    }

    fn object(&self, node: u32, kind: ObjectKind, size: u64) -> Option<Object> {
        Some(Object { id: self.id(node)?, kind, size })
    }
}

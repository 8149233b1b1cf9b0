//! Searches the objects that a walk over a repository shows.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::compose::Kinship;
use super::lfs;
use super::object::{Searcher, left_out, unread};
use super::suspect::{Mask, Place, Suspect};
use super::{Plan, Watch};
use crate::chunk::Encoding;
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::decode::Left;
use crate::detect::marks::{AFTER, BEFORE};
use crate::detect::{Detector, Scratch};
use crate::finding::Finding;
use crate::origin::{ObjectKind, Origin};
use crate::source::encoding::sniff;
use crate::source::git::{Entries, Entry, Lens, Note, Object, Reach};
use crate::source::unpack::{self, Packing, Tail};

/// Larger archives in a history are not unpacked, in bytes: they would have to be held whole.
const LARGEST_ARCHIVE: u64 = 256 << 20;

/// So many names of entries are remembered, so that they are searched once.
const MOST_NAMES: usize = 1 << 16;

/// What was found in an object.
pub(super) struct Found {
    pub object: Object,
    /// Where in it, if it is an archive.
    pub member: Option<String>,
    pub suspects: Vec<Suspect>,
}

impl Found {
    /// Whether nothing in it will be reported, wherever it was: there are many of these, and to find out where they were
    /// costs more than the search.
    pub(super) fn is_below(&self, plan: &Plan, kinship: &Kinship) -> bool {
        self.suspects.iter().all(|suspect| suspect.is_below(plan.confidence) && !kinship.concerns(&suspect.rule))
    }

    /// Whether nothing in it is to be reported. An entry of a baseline may know it by more.
    fn is_hidden(&self, plan: &Plan, kinship: &Kinship) -> bool {
        let origin = Origin::Object { path: None, id: self.object.id, kind: Some(self.object.kind) };
        plan.baseline.is_none()
            && self.is_below(plan, kinship)
            && self.suspects.iter().all(|suspect| suspect.is_hidden(plan, &origin))
    }

    /// The findings without their places, for the count.
    pub(super) fn placeless(self, plan: &Plan) -> impl Iterator<Item = Finding> {
        let Object { id, kind, .. } = self.object;
        let origin = Origin::Object { path: None, id, kind: Some(kind) };
        let places = [Place { path: None, commit: None }];
        self.suspects.into_iter().map(move |suspect| suspect.finding(plan, origin.clone(), &places, None))
    }
}

/// Searches what the walker shows.
pub(super) struct Scanner<'p> {
    plan: &'p Plan,
    kinship: Kinship,
    searcher: Searcher<'p>,
    detector: &'p Detector,
    scratch: Scratch,
    pub found: Vec<Found>,
    /// Objects in which nothing else was found than so many look-alikes that are only counted. A long history has tens
    /// of thousands of some hundred.
    pub look_alikes: Vec<(Object, u64)>,
    /// What was learned of look-alikes.
    masks: HashSet<Mask>,
    /// Objects in which the search failed.
    pub failed: Vec<Object>,
    /// Objects that hold something that was not decoded, or not to its end.
    pub left: Vec<(Object, Left)>,
    /// Archives of which something was not read: what, and why.
    pub unread: Vec<(Object, String, Skip)>,
    /// Pointers of Git LFS, and what they point to.
    pub pointers: Vec<(Object, String)>,
    /// The prefilter failed on bytes that any object may share.
    pub blind: bool,
    /// Whether something may be in a name of an entry in a tree.
    names: HashMap<Box<[u8]>, bool>,
}

impl<'p> Scanner<'p> {
    pub(super) fn new(plan: &'p Plan, detector: &'p Detector, watch: &'p Watch) -> Self {
        let searcher = Searcher::new(plan, detector, watch);
        Scanner {
            plan,
            kinship: Kinship::of(&plan.rules),
            searcher,
            detector,
            scratch: detector.scratch(),
            found: Vec::new(),
            look_alikes: Vec::new(),
            masks: HashSet::new(),
            failed: Vec::new(),
            left: Vec::new(),
            unread: Vec::new(),
            pointers: Vec::new(),
            blind: false,
            names: HashMap::new(),
        }
    }

    fn search(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let searched = guarded(|| self.searcher.suspects(content, Some(object.size))).transpose();
        self.searched(object, searched?);
        Ok(())
    }

    /// Keeps what a search came to; nothing if it failed.
    fn searched(&mut self, object: &Object, suspects: Option<Vec<Suspect>>) {
        self.look_back(object);
        match suspects {
            None => self.failed.push(*object),
            Some(suspects) => self.keep(Found { object: *object, member: None, suspects }),
        }
    }

    fn keep(&mut self, found: Found) {
        match found.suspects.len() as u64 {
            0 => {}
            count if found.is_hidden(self.plan, &self.kinship) && !self.learns(&found) => {
                self.look_alikes.push((found.object, count));
            }
            _ => self.found.push(found),
        }
    }

    /// Whether a report learns of it what to mask, which it did not learn of any before.
    fn learns(&mut self, found: &Found) -> bool {
        let masks = found.suspects.iter().filter_map(Suspect::mask);
        masks.fold(false, |learns, mask| self.masks.insert(mask) | learns)
    }

    /// Keeps what the search of an object left out.
    fn look_back(&mut self, object: &Object) {
        let left = self.searcher.left();
        self.left.extend((left != Left::Nothing).then_some((*object, left)));
    }

    /// Searches what an object holds that is packed.
    fn unpack(&mut self, object: &Object, packing: Packing, bytes: &[u8]) {
        let searched = guarded(|| self.searcher.packed_suspects(packing, bytes));
        self.look_back(object);
        let Some((found, unread)) = searched else { return self.failed.push(*object) };
        for (member, suspects) in found {
            self.keep(Found { object: *object, member: (!member.is_empty()).then_some(member), suspects });
        }
        self.unread.extend(unread.into_iter().map(|(member, skip)| (*object, member, skip)));
    }

    /// Objects of which something must be said that is no finding: what was not read of them, or where it is.
    pub(super) fn unread(&self) -> impl Iterator<Item = Object> {
        let left = self.left.iter().map(|left| left.0).chain(self.unread.iter().map(|unread| unread.0));
        left.chain(self.pointers.iter().map(|pointer| pointer.0))
    }

    /// What became of the walk's account by failures of the search.
    pub(super) fn account(&self, objects: &Path, coverage: &mut Coverage) {
        coverage.look_alikes += self.look_alikes.iter().map(|one| one.1).sum::<u64>();
        let skip = |origin, detail: &str| Skip { origin, why: Why::Panicked, detail: detail.to_owned() };
        for Object { id, kind, size } in self.failed.iter().copied() {
            coverage.objects -= 1;
            coverage.bytes -= size;
            let origin = Origin::Object { path: None, id, kind: Some(kind) };
            coverage.skips.push(skip(origin, "the search failed; the object is not covered"));
        }
        for (Object { id, kind, .. }, left) in self.left.iter().copied() {
            coverage.skips.extend(left_out(&Origin::Object { path: None, id, kind: Some(kind) }, left));
        }
        for (Object { id, kind, .. }, member, skip) in &self.unread {
            let origin = Origin::Object { path: None, id: *id, kind: Some(*kind) };
            let detail = match member.as_str() {
                "" => skip.detail.clone(),
                member => format!("{member}: {}", skip.detail),
            };
            coverage.skips.push(Skip { origin, why: skip.why, detail });
        }
        if self.blind {
            let origin = Origin::File { path: objects.to_owned(), tracking: None };
            coverage.skips.push(skip(origin, "the search failed; it is not known how many objects are not covered"));
        }
    }
}

/// A bug met in one object must not keep the others from being read.
fn guarded<T>(search: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(search)).ok()
}

impl Lens for Scanner<'_> {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: BEFORE as u32, after: AFTER as u32 }
    }

    fn has_marks(&self, kind: ObjectKind) -> bool {
        kind != ObjectKind::Tree
    }

    fn reads_entries(&self) -> bool {
        true
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Note {
        if let Some(held) = self.names.get(entry.name) {
            return [u32::from(*held), 0];
        }
        let name: Vec<u8> = entry.name.iter().map(on_one_line).collect();
        let text = [&between(20)[..], b"100644 ", &name, b"\0", &between(20)].concat();
        let mut marks = Vec::new();
        self.marks(ObjectKind::Tree, &text, &mut marks);
        if self.names.len() < MOST_NAMES {
            self.names.insert(entry.name.into(), !marks.is_empty());
        }
        [u32::from(!marks.is_empty()), 0]
    }

    fn tree(&mut self, _: &Object, notes: &[Note], is_sound: bool) -> bool {
        !is_sound || notes.iter().any(|note| note[0] != 0)
    }

    fn marks(&mut self, kind: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        if guarded(|| self.detector.marks(&mut self.scratch, bytes, out)).is_none() {
            self.blind = true;
        }
        // A zip archive behind something else is told by its end alone.
        let known = out.len();
        if kind == ObjectKind::Blob {
            out.extend(unpack::ends_of_zip(bytes).map(|at| at as u32));
        }
        if out.len() > known {
            out.sort_unstable();
            out.dedup();
        }
    }

    fn head(&mut self, object: &Object, head: &[u8]) -> bool {
        if object.kind == ObjectKind::Tree {
            return self.detector.needs_whole_objects();
        }
        self.pointers.extend(lfs::pointer(head).map(|content| (*object, content)));
        let may_be_packed = || self.searcher.packing(head).is_some() || unpack::may_unpack(head);
        self.detector.needs_whole_objects() || sniff(head).0 != Encoding::Bytes || may_be_packed()
    }

    fn object(&mut self, object: &Object, mut bytes: &[u8], marks: &[u32]) {
        if object.kind == ObjectKind::Tree {
            let names = names_of(bytes, object.id.as_bytes().len());
            return self.search(object, &mut &names[..]).expect("reading from memory does not fail");
        }
        if let Some(packing) = self.searcher.packing_of(bytes) {
            return self.unpack(object, packing, bytes);
        }
        if self.searcher.is_plain(bytes) {
            let searched = guarded(|| self.searcher.suspects_at(bytes, marks));
            return self.searched(object, searched);
        }
        self.search(object, &mut bytes).expect("reading from memory does not fail");
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        guarded(|| self.streamed(object, content)).unwrap_or_else(|| {
            self.failed.push(*object);
            Ok(())
        })
    }
}

/// A tree as it is searched: instead of ids, which are random and would be taken for anything, there is what no secret goes
/// on over, and a line's end, so that each entry is a line. What is no entry stays as it is.
fn names_of(tree: &[u8], width: usize) -> Vec<u8> {
    let mut names = Vec::with_capacity(tree.len());
    let mut entries = Entries::new(tree, width);
    while entries.next().is_some() {
        let entry = &tree[names.len()..tree.len() - entries.left() - width];
        names.extend(entry.iter().map(on_one_line));
        names.extend(between(width));
    }
    names.extend_from_slice(&tree[names.len()..]);
    names
}

/// A line's end in a name would make two lines of an entry.
fn on_one_line(byte: &u8) -> u8 {
    if *byte == b'\n' { 0x0b } else { *byte }
}

/// What is searched in place of an id.
fn between(width: usize) -> Vec<u8> {
    let mut id = vec![1; width];
    id[width - 1] = b'\n';
    id
}

impl Scanner<'_> {
    fn streamed(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let mut head = Vec::with_capacity(unpack::HEAD);
        (&mut *content).take(unpack::HEAD as u64).read_to_end(&mut head)?;
        match self.searcher.packing(&head) {
            None => {
                let mut whole = Tail::new(head.as_slice().chain(content));
                self.search(object, &mut whole)?;
                let told = if self.searcher.depth() > 0 { whole.told() } else { Ok(()) };
                let skip = told.err().map(|error| unread(&Origin::Stream { name: String::new() }, &error));
                self.unread.extend(skip.map(|skip| (*object, String::new(), skip)));
                Ok(())
            }
            Some(packing) if object.size <= LARGEST_ARCHIVE => {
                content.read_to_end(&mut head)?;
                self.unpack(object, packing, &head);
                Ok(())
            }
            Some(_) => {
                let origin = Origin::Stream { name: String::new() };
                let detail = format!("an archive of {} bytes", object.size);
                self.unread.push((*object, String::new(), Skip { origin, why: Why::TooLarge, detail }));
                io::copy(content, &mut io::sink()).map(drop)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rule::{Confidence, RuleSet};
    use crate::source::files;

    struct Trap;

    impl Read for Trap {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a bug of ours")
        }
    }

    #[test]
    fn a_panic_costs_one_object_and_is_named() {
        let rules = Arc::new(RuleSet::default());
        let detector = Detector::new(rules.clone(), 0).unwrap();
        let plan = Plan {
            staged: None,
            remote: None,
            baseline: None,
            masks: None,
            targets: Vec::new(),
            history: None,
            files: files::Options::default(),
            log: None,
            rules,
            jobs: 1,
            confidence: Confidence::Medium,
            accept: Vec::new(),
            fingerprint_key: None,
            places: Default::default(),
            tops: Vec::new(),
            now: 0,
            decode: 3,
            unpack: 8,
            chunk: 1 << 20,
        };
        let watch = Watch::default();
        let mut scanner = Scanner::new(&plan, &detector, &watch);
        let id = crate::origin::ObjectId::from_bytes(&[7; 20]).unwrap();
        let object = Object { id, kind: ObjectKind::Blob, size: 3 };
        scanner.stream(&object, &mut Trap).unwrap();
        scanner.stream(&object, &mut &b"abc"[..]).unwrap();
        let mut coverage = Coverage { objects: 2, bytes: 6, ..Coverage::default() };
        scanner.account(Path::new("objects"), &mut coverage);
        assert_eq!((coverage.objects, coverage.bytes, coverage.skips.len()), (1, 3, 1));
        assert_eq!(coverage.skips[0].why, Why::Panicked);
        scanner.blind = guarded(|| -> () { panic!("a bug of ours") }).is_none();
        scanner.account(Path::new("objects"), &mut coverage);
        assert!(coverage.skips.iter().any(|skip| matches!(skip.origin, Origin::File { .. })));
    }
}

//! Whether what trees, commits and tags name is there. An object that is missing can be known by no other way, and
//! history that is not there was not read.
//!
//! Entries that a tree shares with its delta base were checked there: the check is a lens like any other, and the
//! walker carries its answers. What looks like an entry and names something missing is a mark; the tree is then read
//! whole, by the rules.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::edges::{NONE, Recent};
use super::lens::{Lens, Object, Reach};
use super::store::Stores;
use super::tree::Entries;
use crate::origin::{ObjectId, ObjectKind};

/// Mode, blank, name, zero byte and id. File systems allow names of 255 bytes; a longer one makes its tree be read
/// whole.
const ENTRY: u32 = 7 + 255 + 1 + 32;

/// Asks another lens, and checks links beside.
pub(super) struct Linked<'s, L> {
    pub inner: L,
    stores: &'s Stores,
    /// `None` if nothing is to be checked.
    recent: Option<Recent>,
    /// What the other lens said to the first bytes of the object at hand.
    asked: bool,
    /// The links of the commit or tag at hand go on beyond its first bytes.
    cut: bool,
    links: Vec<u32>,
    /// What is named and not there.
    pub missing: BTreeMap<ObjectId, ObjectKind>,
    /// Trees, commits and tags that are not what they should be.
    pub broken: Vec<Object>,
}

impl<'s, L: Lens> Linked<'s, L> {
    pub(super) fn new(inner: L, stores: &'s Stores, check: bool) -> Self {
        let recent = check.then(|| Recent::new(1 << 15));
        let (links, missing, broken) = Default::default();
        Linked { inner, stores, recent, asked: false, cut: false, links, missing, broken }
    }

    fn is_missing(&mut self, raw: &[u8]) -> bool {
        let stores = self.stores;
        let Some(recent) = &mut self.recent else { return false };
        recent.get(raw, |id| if stores.contains(id) { 0 } else { NONE }) == NONE
    }

    fn need(&mut self, id: ObjectId, kind: ObjectKind) {
        if self.is_missing(id.as_bytes()) {
            self.missing.insert(id, kind);
        }
    }

    /// Whether what looks like an entry at the start of these bytes names something missing, or cannot be told.
    fn is_suspect(&mut self, bytes: &[u8]) -> bool {
        let Some(mode) = mode_len(bytes) else { return false };
        let window = &bytes[..bytes.len().min(ENTRY as usize)];
        let end = memchr::memchr(0, &window[mode + 1..]).map(|end| mode + 2 + end);
        match end.and_then(|end| window.get(end..end + self.stores.format.width())) {
            Some(id) => !bytes.starts_with(b"160000 ") && self.is_missing(id),
            None => true,
        }
    }

    fn tree(&mut self, object: &Object, bytes: &[u8]) {
        let mut entries = Entries::new(bytes, self.stores.format.width());
        for entry in entries.by_ref().filter(|entry| !entry.is_module) {
            if self.is_missing(entry.id)
                && let Some(id) = ObjectId::from_bytes(entry.id)
            {
                self.missing.insert(id, if entry.is_tree { ObjectKind::Tree } else { ObjectKind::Blob });
            }
        }
        if !entries.is_complete() {
            self.broken.push(*object);
        }
    }

    /// The lines before a commit's author or a tag's name. `false` if they go on beyond these bytes.
    fn head_lines(&mut self, object: &Object, bytes: &[u8]) -> bool {
        // The parents of such a commit are not there by design; the clone is named as shallow.
        let shallow = self.stores.shallow.contains(&object.id);
        let (mut sound, mut target) = (false, None);
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next_if(|line| line.ends_with(b"\n")) {
            let line = &line[..line.len() - 1];
            let hex = |prefix: &[u8]| line.strip_prefix(prefix).and_then(ObjectId::from_hex);
            if object.kind == ObjectKind::Tag {
                match (hex(b"object "), line.strip_prefix(b"type ").and_then(ObjectKind::parse)) {
                    (Some(id), _) => target = Some(id),
                    (_, Some(kind)) => {
                        sound = target.inspect(|id| self.need(*id, kind)).is_some();
                        break;
                    }
                    _ => break,
                }
            } else {
                match (hex(b"tree "), hex(b"parent ")) {
                    (Some(id), _) => {
                        self.need(id, ObjectKind::Tree);
                        sound = true;
                    }
                    (_, Some(id)) if !shallow => self.need(id, ObjectKind::Commit),
                    (_, Some(_)) => {}
                    _ => break,
                }
            }
        }
        let more = lines.peek().is_none_or(|line| !line.ends_with(b"\n")) && (bytes.len() as u64) < object.size;
        if !sound && !more {
            self.broken.push(*object);
        }
        !more
    }
}

/// The length of what may be the mode of an entry: five digits for a tree, six for all others, a blank behind.
fn mode_len(bytes: &[u8]) -> Option<usize> {
    let len = match bytes.first()? {
        b'4' => 5,
        b'0' | b'1' => 6,
        _ => return None,
    };
    let (digits, rest) = bytes.split_at_checked(len)?;
    (rest.first() == Some(&b' ') && digits.iter().all(|digit| (b'0'..b'8').contains(digit))).then_some(len)
}

impl<L: Lens> Lens for Linked<'_, L> {
    fn reach(&self, kind: ObjectKind) -> Reach {
        let reach = self.inner.reach(kind);
        let checked = self.recent.is_some() && kind == ObjectKind::Tree;
        if checked { Reach { after: reach.after.max(ENTRY), ..reach } } else { reach }
    }

    fn marks(&mut self, kind: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        self.inner.marks(kind, bytes, out);
        if kind != ObjectKind::Tree || self.recent.is_none() {
            return;
        }
        let mut links = std::mem::take(&mut self.links);
        for blank in memchr::memchr_iter(b' ', bytes) {
            for start in [blank.checked_sub(6), blank.checked_sub(5)].into_iter().flatten() {
                if self.is_suspect(&bytes[start..]) {
                    links.push(start as u32);
                }
            }
        }
        if !links.is_empty() {
            out.append(&mut links);
            out.sort_unstable();
            out.dedup();
        }
        self.links = links;
    }

    fn head(&mut self, object: &Object, head: &[u8]) -> bool {
        self.asked = self.inner.head(object, head);
        let lines = matches!(object.kind, ObjectKind::Commit | ObjectKind::Tag) && self.recent.is_some();
        self.cut = lines && !self.head_lines(object, head);
        self.asked || self.cut
    }

    fn object(&mut self, object: &Object, bytes: &[u8], marks: &[u32]) {
        if self.recent.is_none() || object.kind == ObjectKind::Blob {
            return self.inner.object(object, bytes, marks);
        }
        if object.kind != ObjectKind::Tree {
            if self.cut {
                self.head_lines(object, bytes);
            }
            if self.asked || !marks.is_empty() {
                self.inner.object(object, bytes, marks);
            }
            return;
        }
        if marks.is_empty() {
            return self.inner.object(object, bytes, marks);
        }
        self.tree(object, bytes);
        // Some marks are the check's own: the other lens is asked again which are its.
        let mut own = Vec::new();
        self.inner.marks(object.kind, bytes, &mut own);
        if self.asked || !own.is_empty() {
            self.inner.object(object, bytes, &own);
        }
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        if self.recent.is_some() && object.kind == ObjectKind::Tree {
            // Larger than any sound tree: its links are not checked, so it does not pass for sound.
            self.broken.push(*object);
        }
        self.inner.stream(object, content)
    }
}

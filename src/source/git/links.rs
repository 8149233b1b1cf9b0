//! Whether what trees, commits and tags name is there. An object that is missing can be known by no other way, and
//! history that is not there was not read.

use std::collections::BTreeMap;

use super::lens::Object;
use super::store::Stores;
use super::tree::Entry;
use crate::origin::{ObjectId, ObjectKind};

/// So many names are looked up at a time.
const BATCH: usize = 256;

/// Checks links, if asked to.
pub(super) struct Links<'s> {
    stores: &'s Stores,
    check: bool,
    /// What is named and was not looked up yet.
    named: Vec<(ObjectId, ObjectKind)>,
    /// What is named and not there, once all is looked up.
    pub missing: BTreeMap<ObjectId, ObjectKind>,
    /// Trees, commits and tags that are not what they should be.
    pub broken: Vec<Object>,
}

impl<'s> Links<'s> {
    pub(super) fn new(stores: &'s Stores, check: bool) -> Self {
        let (named, missing, broken) = Default::default();
        Links { stores, check, named, missing, broken }
    }

    fn need(&mut self, id: ObjectId, kind: ObjectKind) {
        self.named.push((id, kind));
        if self.named.len() >= BATCH {
            self.look_up();
        }
    }

    /// Looks up what was named so far.
    pub(super) fn look_up(&mut self) {
        self.stores.take_found(&mut self.named);
        self.missing.extend(self.named.drain(..));
    }

    /// Checks what an entry of a tree names.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) {
        if self.check
            && !entry.is_module
            && let Some(id) = ObjectId::from_bytes(entry.id)
        {
            self.need(id, if entry.is_tree { ObjectKind::Tree } else { ObjectKind::Blob });
        }
    }

    /// Whether objects of that kind are read entry by entry.
    pub(super) fn reads_entries(&self, kind: ObjectKind) -> bool {
        kind == ObjectKind::Tree && self.check
    }

    /// What came of reading a tree's entries.
    pub(super) fn tree(&mut self, object: &Object, is_sound: bool) {
        if self.check && !is_sound {
            self.broken.push(*object);
        }
    }

    /// A tree that is larger than any sound one: it was not read entry by entry, so it does not pass for sound.
    pub(super) fn unread(&mut self, object: &Object) {
        if self.reads_entries(object.kind) {
            self.broken.push(*object);
        }
    }

    /// Checks the first lines of a commit or tag. `false` if they go on beyond these bytes: they must be shown whole.
    pub(super) fn lines(&mut self, object: &Object, bytes: &[u8]) -> bool {
        let has_lines = matches!(object.kind, ObjectKind::Commit | ObjectKind::Tag);
        !has_lines || !self.check || self.head_lines(object, bytes)
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

//! Whether what trees, commits and tags name is there. An object that is missing can be known by no other way, and
//! history that is not there was not read.
//!
//! Entries that a tree has whole from its delta base were checked there. So where the entries of a base end is kept for
//! as long as trees are built on it, and of a tree only those are read that are not such copies.

use std::collections::BTreeMap;

use super::carry::Change;
use super::delta::{From, gather, source};
use super::lens::Object;
use super::store::Stores;
use super::tree::{Entries, Entry};
use crate::origin::{ObjectId, ObjectKind};

/// What is looked at first of an entry that lies in several operations of a delta: mode, name and id of nearly all.
const ENTRY: u32 = 128;

/// So many names are looked up at a time.
const BATCH: usize = 256;

/// Checks links, if asked to.
pub(super) struct Links<'s> {
    stores: &'s Stores,
    check: bool,
    scratch: Vec<u8>,
    /// What is named and was not looked up yet.
    named: Vec<(ObjectId, ObjectKind)>,
    /// What is named and not there, once all is looked up.
    pub missing: BTreeMap<ObjectId, ObjectKind>,
    /// Trees, commits and tags that are not what they should be.
    pub broken: Vec<Object>,
}

impl<'s> Links<'s> {
    pub(super) fn new(stores: &'s Stores, check: bool) -> Self {
        let (scratch, named, missing, broken) = Default::default();
        Links { stores, check, scratch, named, missing, broken }
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

    fn entry_needs(&mut self, entry: &Entry<'_>) {
        if !entry.is_module
            && let Some(id) = ObjectId::from_bytes(entry.id)
        {
            self.need(id, if entry.is_tree { ObjectKind::Tree } else { ObjectKind::Blob });
        }
    }

    /// Whether objects of that kind are read entry by entry.
    pub(super) fn reads_entries(&self, kind: ObjectKind) -> bool {
        kind == ObjectKind::Tree && self.check
    }

    /// Checks a whole tree. Adds to `bounds` where its entries begin, and where the last one ends. An object that nobody
    /// visits is checked for those that are built on it.
    pub(super) fn tree(&mut self, object: Option<&Object>, bytes: &[u8], bounds: &mut Vec<u32>) {
        let mut entries = Entries::new(bytes, self.stores.format.width());
        loop {
            bounds.push((bytes.len() - entries.left()) as u32);
            let Some(entry) = entries.next() else { break };
            self.entry_needs(&entry);
        }
        if !entries.is_complete() {
            self.broken.extend(object);
        }
    }

    /// The same of a tree that a delta makes, by what is known of its base.
    pub(super) fn tree_by_delta(
        &mut self,
        object: Option<&Object>,
        change: &Change<'_>,
        known: &[u32],
        bounds: &mut Vec<u32>,
    ) {
        let (mut at, mut number) = (0, 0);
        while at < change.len {
            while change.ops[number].at + change.ops[number].len <= at {
                number += 1;
            }
            let op = &change.ops[number];
            if let From::Base(from) = op.from {
                let (start, end) = (from + (at - op.at), from + op.len);
                let first = known.partition_point(|bound| *bound < start);
                let copied = known[first..].partition_point(|bound| *bound <= end);
                if copied > 1 && known[first] == start {
                    let (last, inner) = known[first..first + copied].split_last().unwrap_or((&start, &[]));
                    bounds.extend(inner.iter().map(|bound| bound - start + at));
                    at += last - start;
                    continue;
                }
            }
            bounds.push(at);
            match self.entry(change, number, at) {
                Some(len) => at += len,
                None => return self.broken.extend(object),
            }
        }
        bounds.push(at);
    }

    /// Checks the entry at `at`, in that operation, and gives its length; `None` if it is no entry.
    fn entry(&mut self, change: &Change<'_>, number: usize, at: u32) -> Option<u32> {
        let op = &change.ops[number];
        let rest = &source(op, change.base, change.delta)[(at - op.at) as usize..];
        if let Some(len) = self.first_entry(rest) {
            return Some(len);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let (mut window, mut len) = (ENTRY.min(change.len - at), None);
        loop {
            scratch.clear();
            let mut first = number;
            gather(change.ops, &mut first, (change.base, change.delta), (at, at + window), &mut scratch);
            len = len.or_else(|| self.first_entry(&scratch));
            if len.is_some() || window == change.len - at {
                break;
            }
            window = window.saturating_mul(2).min(change.len - at);
        }
        self.scratch = scratch;
        len
    }

    /// Checks the entry that these bytes begin with, and gives its length.
    fn first_entry(&mut self, bytes: &[u8]) -> Option<u32> {
        let mut entries = Entries::new(bytes, self.stores.format.width());
        let entry = entries.next()?;
        self.entry_needs(&entry);
        Some((bytes.len() - entries.left()) as u32)
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

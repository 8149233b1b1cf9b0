//! Reads the entries of trees, each as often as somebody wrote it: those that a tree has whole from its delta base are
//! known from there. So where the entries of a base end is kept for as long as trees are built on it, and of a tree only
//! those are read that are not such copies.

use super::carry::Change;
use super::delta::{From, gather, source};
use super::tree::{Entries, Entry};

/// What is looked at first of an entry that lies in several operations of a delta: mode, name and id of nearly all.
const ENTRY: u32 = 128;

/// What somebody made of an entry.
pub type Note = [u32; 2];

/// What is known of a tree.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Where its entries begin, and where the last one ends.
    pub bounds: Vec<u32>,
    /// What was made of each.
    pub notes: Vec<Note>,
}

impl Listed {
    pub(super) fn clear(&mut self) {
        self.bounds.clear();
        self.notes.clear();
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        4 * self.bounds.len() + size_of::<Note>() * self.notes.len()
    }
}

/// Reads a whole tree, whose ids have `width` bytes. `false` if something in it is no entry.
pub(super) fn list(bytes: &[u8], width: usize, each: &mut impl FnMut(&Entry<'_>) -> Note, listed: &mut Listed) -> bool {
    let mut entries = Entries::new(bytes, width);
    loop {
        listed.bounds.push((bytes.len() - entries.left()) as u32);
        let Some(entry) = entries.next() else { break };
        listed.notes.push(each(&entry));
    }
    entries.is_complete()
}

/// The same of a tree that a delta makes, by what is known of its base.
pub(super) fn list_by_delta(
    change: &Change<'_>,
    width: usize,
    known: &Listed,
    scratch: &mut Vec<u8>,
    each: &mut impl FnMut(&Entry<'_>) -> Note,
    listed: &mut Listed,
) -> bool {
    let (mut at, mut number) = (0, 0);
    while at < change.len {
        while change.ops[number].at + change.ops[number].len <= at {
            number += 1;
        }
        let op = &change.ops[number];
        if let From::Base(from) = op.from {
            let (start, end) = (from + (at - op.at), from + op.len);
            let first = known.bounds.partition_point(|bound| *bound < start);
            let copied = known.bounds[first..].partition_point(|bound| *bound <= end);
            if copied > 1 && known.bounds[first] == start {
                let (last, inner) = known.bounds[first..first + copied].split_last().unwrap_or((&start, &[]));
                listed.bounds.extend(inner.iter().map(|bound| bound - start + at));
                listed.notes.extend_from_slice(&known.notes[first..first + copied - 1]);
                at += last - start;
                continue;
            }
        }
        listed.bounds.push(at);
        match entry(change, width, (number, at), scratch, each) {
            Some((len, note)) => {
                listed.notes.push(note);
                at += len;
            }
            None => return false,
        }
    }
    listed.bounds.push(at);
    true
}

/// Reads the entry at a place, in that operation, and gives its length; `None` if it is no entry.
fn entry(
    change: &Change<'_>,
    width: usize,
    (number, at): (usize, u32),
    scratch: &mut Vec<u8>,
    each: &mut impl FnMut(&Entry<'_>) -> Note,
) -> Option<(u32, Note)> {
    let mut first = |bytes: &[u8]| {
        let mut entries = Entries::new(bytes, width);
        let note = each(&entries.next()?);
        Some(((bytes.len() - entries.left()) as u32, note))
    };
    let op = &change.ops[number];
    let read = first(&source(op, change.base, change.delta)[(at - op.at) as usize..]);
    if read.is_some() {
        return read;
    }
    let mut window = ENTRY.min(change.len - at);
    loop {
        scratch.clear();
        gather(change.ops, &mut number.clone(), (change.base, change.delta), (at, at + window), scratch);
        let read = first(scratch);
        if read.is_some() || window == change.len - at {
            return read;
        }
        window = window.saturating_mul(2).min(change.len - at);
    }
}

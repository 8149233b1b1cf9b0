//! What the walker asks about bytes that it has not shown before.

use std::io::{self, Read};

use super::tree::Entry;
use crate::origin::{ObjectId, ObjectKind};

pub use super::entries::Note;

/// The walker shows this many of an object's first bytes to [`Lens::head`], or all there are.
pub const HEAD: usize = 1024;

/// How far around a position its answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Bytes before the position.
    pub before: u32,
    /// Bytes from the position on, itself included: at least 1.
    pub after: u32,
}

/// An object of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub id: ObjectId,
    /// What it is.
    pub kind: ObjectKind,
    /// Bytes of its content.
    pub size: u64,
}

/// Looks at objects. There is one per thread, and each object is shown to one of them, once.
pub trait Lens: Send {
    /// How far an answer about objects of that kind looks. Always the same; the smaller, the less is searched twice.
    /// Up to some hundred bytes cost little.
    fn reach(&self, kind: ObjectKind) -> Reach;

    /// Whether there are marks in objects of that kind at all. If not, [`Lens::marks`] is not called for them.
    fn has_marks(&self, _kind: ObjectKind) -> bool {
        true
    }

    /// Adds the marked positions of `bytes`, which are from an object of that kind, to `out`, ascending. Whether `p`
    /// is marked must depend on nothing but the bytes in `[p - before, p + after)` and on whether `bytes` begins
    /// or ends within them: as if an object did. The walker carries the answer to every object that has the same
    /// bytes there.
    fn marks(&mut self, kind: ObjectKind, bytes: &[u8], out: &mut Vec<u32>);

    /// Whether [`Lens::entry`] and [`Lens::tree`] are called.
    fn reads_entries(&self) -> bool {
        false
    }

    /// What to make of an entry of a tree. It must depend on nothing else: the walker carries the answer to every tree that has
    /// the same entry from its delta base.
    fn entry(&mut self, _entry: &Entry<'_>) -> Note {
        Note::default()
    }

    /// Called for every tree that is not streamed, with what was made of its entries, in their order; if something in it is no
    /// entry, it is not sound, and there are only those before. `true` if it must be looked at whole.
    fn tree(&mut self, _object: &Object, _notes: &[Note], _is_sound: bool) -> bool {
        false
    }

    /// Called for every object that is not streamed, with its first [`HEAD`] bytes. `true` if it must be looked at
    /// whole, marked or not.
    fn head(&mut self, object: &Object, head: &[u8]) -> bool;

    /// An object that has a mark, or that [`Lens::head`] or [`Lens::tree`] asked for, with all its marks, ascending.
    fn object(&mut self, object: &Object, bytes: &[u8], marks: &[u32]);

    /// An object too large to be held. Whatever [`Lens::head`] and [`Lens::object`] would have found, this must. An
    /// error of the reader must be handed back: the object becomes a skip.
    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()>;
}

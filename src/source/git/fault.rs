//! Why one object could not be had.

use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// A fault of one object. Never fatal: it becomes a [`Skip`] that names the object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are not what a git object looks like.
    #[error("{0}")]
    Corrupt(&'static str),
    /// Nothing of that name is in any object store.
    #[error("its delta base {0} is in no object store")]
    Missing(ObjectId),
    /// It is itself in no object store.
    #[error("is in no object store")]
    Absent,
    /// An object on which this one is a delta cannot be read.
    #[error("its delta base {0} cannot be read: {1}")]
    Base(ObjectId, &'static str),
    /// It does not fit in the memory that the user allows.
    #[error("{0} bytes, more than the memory bound leaves for one object")]
    TooLarge(u64),
    /// What it is built from does not.
    #[error("is built from an object of {0} bytes, more than the memory bound leaves for one object")]
    LargeBase(u64),
    /// The system refused.
    #[error("{0}")]
    Io(String),
}

impl Fault {
    /// The word of the coverage account.
    pub fn why(&self) -> Why {
        match self {
            Fault::Corrupt(_) | Fault::Base(..) => Why::CorruptObject,
            Fault::Missing(_) | Fault::Absent => Why::MissingObject,
            Fault::TooLarge(_) | Fault::LargeBase(_) => Why::TooLarge,
            Fault::Io(_) => Why::ReadError,
        }
    }

    /// What an object suffers whose base `id` has this fault.
    pub(super) fn below(&self, id: Option<ObjectId>) -> Fault {
        match (self, id) {
            (Fault::Corrupt(what), Some(id)) => Fault::Base(id, what),
            (Fault::TooLarge(size), _) => Fault::LargeBase(*size),
            _ => self.clone(),
        }
    }

    pub(super) fn skip(&self, id: ObjectId, kind: Option<ObjectKind>) -> Skip {
        Skip { origin: Origin::Object { path: None, id, kind }, why: self.why(), detail: self.to_string() }
    }
}

//! Turns git object stores into objects. Nothing is written and no process is started.

mod attribute;
mod brought;
mod buffer;
mod carry;
mod commit_graph;
mod delta;
mod descend;
mod edges;
mod entries;
mod fault;
mod fetched;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod graph;
mod grouped;
mod index;
mod inflate;
mod layout;
mod lens;
mod lineage;
mod links;
mod location;
mod lookup;
mod loose;
mod map;
mod modules;
mod pack;
mod plan;
mod read;
mod refs;
mod reftable;
mod remote;
mod rest;
mod revision;
mod scope;
mod settings;
mod single;
mod stage;
mod staged;
mod store;
#[cfg(any(test, feature = "fuzzing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod tree;
mod twins;
mod walk;

pub use attribute::{Attribution, History, Introduced, Within, attribute};
pub use fault::Fault;
pub use index::ObjectFormat;
pub use layout::{Environment, Layout, LayoutError, alternate_paths};
pub use lens::{HEAD, Lens, Note, Object, Reach};
pub use lineage::Tip;
pub use modules::modules;
pub use read::Reader;
pub use refs::{Names, Reference, References, field, logs_in_tables, references};
pub use remote::{There, Told, known_there};
pub use revision::{HooksError, NotOwned, ScopeError, abbreviated, check_owner, hooks_dir, is_bare, is_branch_name};
pub use scope::{Chosen, Range, Revision, Scope, choose};
pub use settings::accept_extensions;
pub use stage::{Hidden, StageError, hidden, tracked};
pub use staged::{Change, Staged, staged};
pub use store::{Stores, path as to_path};
pub use tree::{Entries, Entry};
pub use walk::{Counts, InPack, Known, Options, Progress, Walked, walk, walk_unknown};

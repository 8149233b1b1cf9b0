//! Bytes and where they stand in the object they were cut from.

use std::ops::Range;

/// How far beyond the part it answers for a chunk must reach, in bytes, on both sides (where the object has them).
/// Whatever decides about an anchor lies within this distance, so cutting an object anywhere changes no finding.
pub const MARGIN: usize = 32 << 10;

/// How the object's bytes were coded before they became the chunk's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// Searched as they are: UTF-8, any ASCII superset, or binary.
    #[default]
    Bytes,
    /// UTF-16, transcoded to UTF-8. The flag tells big-endian.
    Utf16 {
        /// Most significant byte first.
        big_endian: bool,
    },
    /// UTF-32, transcoded to UTF-8. The flag tells big-endian.
    Utf32 {
        /// Most significant byte first.
        big_endian: bool,
    },
}

/// A position in an object, as an editor and as a file know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Bytes from the start of the object, in the object's own encoding, 0-based.
    pub offset: u64,
    /// Line, 1-based. A line ends with `\n`.
    pub line: u64,
    /// Column in UTF-16 code units, 1-based. A byte that is no UTF-8 counts as one unit.
    pub column: u64,
}

impl Position {
    /// The start of an object.
    pub const START: Position = Position { offset: 0, line: 1, column: 1 };
}

/// A piece of one object, with margins.
#[derive(Clone, Debug)]
pub struct Chunk<'b> {
    /// The bytes to search, transcoded to UTF-8 if the object was UTF-16 or UTF-32.
    pub bytes: &'b [u8],
    /// Where `bytes[0]` stands in the object.
    pub start: Position,
    /// The part of `bytes` that this chunk answers for: an anchor is decided by the one chunk that owns its first byte.
    pub own: Range<usize>,
    /// The object ends with these bytes.
    pub ends: bool,
    /// How the object was coded.
    pub encoding: Encoding,
}

impl<'b> Chunk<'b> {
    /// A whole object in one piece, searched as it is.
    pub fn whole(bytes: &'b [u8]) -> Self {
        Chunk { bytes, start: Position::START, own: 0..bytes.len(), ends: true, encoding: Encoding::Bytes }
    }
}

//! Opens archives and documents that stood encoded in something, for who decodes.

use std::io::{Cursor, Read};
use std::ops::ControlFlow;

use crate::detect::decode::Left;
use crate::source::unpack::{self, Error};

/// How many packings inside each other are undone.
const DEPTH: u8 = 4;

/// Adds what is in it, part behind part on lines of their own, up to so many bytes; and says what was left.
pub(super) fn open(packed: &[u8], most: u64, out: &mut Vec<u8>) -> Left {
    let Some(packing) = unpack::packing_of_whole(packed) else { return Left::Broken };
    let mut left = Left::Nothing;
    let read = unpack::contents(packing, &mut Cursor::new(packed), packed.len() as u64, DEPTH, &mut |_, part| {
        let room = most.saturating_sub(out.len() as u64);
        let read = part.and_then(|part| part.take(room).read_to_end(out));
        left = left.max(read.err().map_or(Left::Nothing, |error| why(&error)));
        out.push(b'\n');
        if (out.len() as u64) < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    left = left.max(read.err().map_or(Left::Nothing, |error| why(&error)));
    out.truncate(most as usize);
    left
}

/// What an error says of what was not read.
fn why(error: &std::io::Error) -> Left {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Error::Encrypted) => Left::Locked,
        Some(Error::Unsupported(_)) => Left::Strange,
        Some(Error::Bomb | Error::Deep | Error::Large) => Left::TooMuch,
        Some(Error::Corrupt(_)) | None => Left::Broken,
    }
}

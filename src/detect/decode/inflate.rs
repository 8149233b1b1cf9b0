//! What stands compressed in decoded bytes.

use std::io::Read;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use super::Layer;

/// What anything may expand to, in bytes, and how many times its size beyond that. JSON and YAML stay below 30.
const FREE: u64 = 4 << 20;
const RATIO: u64 = 200;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inflated {
    pub layer: Layer,
    pub bytes: Vec<u8>,
    /// It went on; this is where reading it was given up.
    pub endless: bool,
}

/// The content of what looks like gzip (RFC 1952) or zlib (RFC 1950), as far as it is sound; at most `room` bytes.
pub(super) fn inflate(packed: &[u8], room: u64) -> Option<Inflated> {
    let layer = match packed {
        [0x1F, 0x8B, 8, ..] => Layer::Gzip,
        [0x78, second, ..] if (0x7800 + u16::from(*second)).is_multiple_of(31) => Layer::Zlib,
        _ => return None,
    };
    let most = room.min(FREE.max(RATIO * packed.len() as u64));
    let mut bytes = Vec::new();
    let ended = match layer {
        Layer::Gzip => MultiGzDecoder::new(packed).take(most).read_to_end(&mut bytes),
        _ => ZlibDecoder::new(packed).take(most).read_to_end(&mut bytes),
    };
    // Broken or cut off: what was sound so far counts, if that is more than the luck of a few bytes.
    let sound = ended.is_ok() || bytes.len() >= 64;
    (sound && !bytes.is_empty()).then_some(Inflated { layer, endless: bytes.len() as u64 == most, bytes })
}

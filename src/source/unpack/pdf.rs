//! The compressed streams of a PDF document.

use std::io::{self, Read};

use flate2::bufread::ZlibDecoder;
use memchr::memmem;

/// What stands between `stream` and `endstream` and begins as zlib does (ISO 32000, 7.3.8 and 7.4.4), in its order. Streams
/// with other filters are in the document as they are.
pub(super) fn streams(document: &[u8]) -> impl Iterator<Item = &[u8]> {
    memmem::find_iter(document, b"stream").filter_map(move |at| {
        let is_end = at >= 3 && &document[at - 3..at] == b"end";
        let rest = &document[at + 6..];
        let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
        let is_zlib = rest.len() > 2 && rest[0] == 0x78 && (0x7800 + u16::from(rest[1])).is_multiple_of(31);
        let len = memmem::find(rest, b"endstream").unwrap_or(rest.len());
        (!is_end && is_zlib).then_some(&rest[..len])
    })
}

/// Reads as much as is sound: writers of PDF leave off checksums and ends.
pub(super) struct Lenient<'d>(ZlibDecoder<&'d [u8]>);

impl<'d> Lenient<'d> {
    pub(super) fn new(stream: &'d [u8]) -> Self {
        Lenient(ZlibDecoder::new(stream))
    }
}

impl Read for Lenient<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space).or(Ok(0))
    }
}

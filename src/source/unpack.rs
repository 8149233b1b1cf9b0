//! Reads what is compressed as a stream of what is in it: bounded memory, nothing on disk.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::ops::ControlFlow;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use zip::result::ZipError;
use zip::{HasZipMetadata, ZipArchive};

use super::remote::Unread;

pub mod stream;

/// Largest window of a zstd frame, in bytes; `zstd -19` uses 8 MiB.
const ZSTD_WINDOW: u64 = 32 << 20;

/// Most memory an xz block may ask for, in KiB; `xz -9` needs 65 MiB.
const XZ_MEMORY: u32 = 96 << 10;

/// What any stream may expand to, in bytes, and how much more than its own size beyond that. Deflate cannot exceed
/// 1032; a log of one repeated line comes near it.
const FREE: u64 = 1 << 30;
const RATIO: u64 = 1100;

/// How something is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
    /// The .xz format, any number of streams.
    Xz,
    /// An archive of members that are each stored or deflated.
    Zip,
}

/// The first bytes of each format.
const MAGIC: [(&[u8], Packing); 4] = [
    (b"\x1f\x8b\x08", Packing::Gzip),
    (b"\x28\xb5\x2f\xfd", Packing::Zstd),
    (b"\xfd7zXZ\0", Packing::Xz),
    (b"PK\x03\x04", Packing::Zip),
];

/// The packing of something that begins with `head`.
pub fn packing(head: &[u8]) -> Option<Packing> {
    MAGIC.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, packing)| packing)
}

/// Reads as many first bytes as it takes to say what the packing is; waits for no more. Returns them, to be read again.
pub fn head(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let mut byte = [0; 8];
        let undecided = MAGIC.iter().any(|(magic, _)| magic.len() > head.len() && magic.starts_with(&head));
        if !undecided {
            return Ok(head);
        }
        match input.read(&mut byte) {
            Ok(0) => return Ok(head),
            Ok(len) => head.extend_from_slice(&byte[..len]),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Why something packed was not read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would never end.
    #[error("expands to more than {RATIO} times its size; this is no log")]
    Bomb,
    /// A member of a zip archive has a password.
    #[error("encrypted")]
    Encrypted,
    /// The format is right, but this way of compressing is not read.
    #[error("{0}")]
    Unsupported(String),
    /// It is not what it says it is, or it is cut off.
    #[error("{0}")]
    Corrupt(String),
}

/// The content of a stream that is packed in any way but zip. Its errors hold an [`Error`] where the content is to blame.
pub fn unpacked<'r>(packing: Packing, input: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let read = Rc::new(Cell::new(0));
    let input = BufReader::with_capacity(64 << 10, Counted { input: Patient(input), read: read.clone() });
    let output: Box<dyn Read + 'r> = match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(input)),
        Packing::Zstd => {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(ZSTD_WINDOW);
            Box::new(Frames { input, decoder, in_frame: false })
        }
        Packing::Xz => Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY)),
        Packing::Zip => {
            let detail = "a zip archive is more than one stream".to_owned();
            return Err(io::Error::other(Error::Unsupported(detail)));
        }
    };
    Ok(Box::new(Guarded { output, read, written: 0 }))
}

/// A member of a zip archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, lossy for bytes that are no UTF-8.
    pub name: String,
    /// Bytes of its content, as the archive claims.
    pub size: u64,
}

/// Is shown a member and its content.
pub type Visit<'v> = dyn FnMut(&Member, Result<&mut dyn Read, Error>) -> ControlFlow<()> + 'v;

/// Shows `visit` every file of a zip archive with its content, in the order of its directory, until it breaks.
pub fn members(archive: impl Read + Seek, visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut archive = ZipArchive::new(archive).map_err(zip_error)?;
    for index in 0..archive.len() {
        let (member, encrypted) = {
            let raw = archive.by_index_raw(index).map_err(zip_error)?;
            if raw.is_dir() {
                continue;
            }
            (Member { name: String::from_utf8_lossy(raw.name_raw()).into_owned(), size: raw.size() }, raw.encrypted())
        };
        let flow = match archive.by_index(index) {
            _ if encrypted => visit(&member, Err(Error::Encrypted)),
            Err(error) => visit(&member, Err(zip_error(error))),
            Ok(content) => {
                let read = Rc::new(Cell::new(content.get_metadata().compressed_size));
                visit(&member, Ok(&mut Guarded { output: Box::new(content), read, written: 0 }))
            }
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

fn zip_error(error: ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            Error::Unsupported(error.to_string())
        }
        other => Error::Corrupt(other.to_string()),
    }
}

/// Waits where its reader would block: what decompresses cannot be interrupted.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(space) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

/// Counts what goes into a decompressor.
struct Counted<R> {
    input: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(space)?;
        self.read.set(self.read.get() + len as u64);
        Ok(len)
    }
}

/// Stops what expands without end, and names what is broken.
struct Guarded<'r> {
    output: Box<dyn Read + 'r>,
    read: Rc<Cell<u64>>,
    written: u64,
}

impl Read for Guarded<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.output.read(space).map_err(named)?;
        self.written += len as u64;
        if self.written > FREE && self.written / RATIO > self.read.get() {
            return Err(io::Error::other(Error::Bomb));
        }
        Ok(len)
    }
}

/// The error of a decompressor: an [`Error`], unless it came from below.
fn named(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::PermissionDenied => error,
        _ if error.raw_os_error().is_some() => error,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Error>() || inner.is::<Unread>()) => error,
        io::ErrorKind::OutOfMemory | io::ErrorKind::Unsupported => {
            io::Error::other(Error::Unsupported(error.to_string()))
        }
        _ => io::Error::other(Error::Corrupt(error.to_string())),
    }
}

/// All frames of a zstd stream, one after the other.
struct Frames<R> {
    input: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame; `false` at the end of the stream.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.input).take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(invalid(&error)),
            }
        }
        Ok(false)
    }
}

fn invalid(error: &FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.in_frame {
                while self.decoder.can_collect() < space.len() && !self.decoder.is_finished() {
                    let more = BlockDecodingStrategy::UptoBytes(space.len() - self.decoder.can_collect());
                    self.decoder.decode_blocks(&mut self.input, more).map_err(|error| invalid(&error))?;
                }
                let len = self.decoder.read(space)?;
                if len > 0 || space.is_empty() {
                    return Ok(len);
                }
            }
            self.in_frame = self.begin()?;
            if !self.in_frame {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn xz(text: &[u8]) -> Vec<u8> {
        let mut packed = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default()).unwrap();
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn content(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut input = packed;
        let head = head(&mut input)?;
        let mut out = Vec::new();
        unpacked(packing(&head).unwrap(), head.as_slice().chain(input))?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn every_format_gives_its_content_also_in_several_parts() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|number| number.to_le_bytes()).collect();
        for pack in [gzip, zstd, xz] {
            assert_eq!(content(&pack(&text)).unwrap(), text);
            let twice = [pack(b"one "), pack(b"two")].concat();
            assert_eq!(content(&twice).unwrap(), b"one two");
        }
    }

    #[test]
    fn what_is_cut_off_is_corrupt_and_never_an_end() {
        let text: Vec<u8> = (0..5000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for pack in [gzip, zstd, xz] {
            let packed = pack(&text);
            for cut in (8..packed.len()).step_by(packed.len() / 12) {
                let error = content(&packed[..cut]).expect_err("it is cut off");
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
                assert!(matches!(inner, Some(Error::Corrupt(_))), "{error:?} at {cut} of {}", packed.len());
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        let read = Rc::new(Cell::new(1000));
        let mut guarded = Guarded { output: Box::new(io::repeat(0)), read, written: FREE };
        let error = io::copy(&mut guarded, &mut io::sink()).unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| matches!(inner.downcast_ref(), Some(Error::Bomb))));
    }

    #[test]
    fn a_short_live_line_is_not_waited_on() {
        struct Never;
        impl Read for Never {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("it was decided already")
            }
        }
        assert_eq!(head(&mut b"hi\n".as_slice().chain(Never)).unwrap(), b"hi\n");
    }

    #[test]
    fn members_of_a_zip_come_in_their_order() {
        let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for name in ["build/1_Set up.txt", "build/2_Run.txt"] {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(name.as_bytes()).unwrap();
        }
        let mut seen = Vec::new();
        members(archive.finish().unwrap(), &mut |member, content| {
            let mut text = String::new();
            content.unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, member.name);
            seen.push(text);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(seen, ["build/1_Set up.txt", "build/2_Run.txt"]);
        assert!(matches!(
            members(io::Cursor::new(b"PK\x03\x04junk"), &mut |_, _| ControlFlow::Break(())),
            Err(Error::Corrupt(_))
        ));
    }
}

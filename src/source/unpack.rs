//! Reads what is compressed or archived as streams of what is in it: bounded memory, nothing on disk.
//!
//! What it is, its first bytes say; its name does not matter.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use lzma_rust2::{LzipReader, LzmaReader, XzReader};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

mod archive;
mod behind;
mod beside;
mod contents;
mod cpio;
mod directory;
mod image;
mod inflate;
mod keys;
mod lz4;
mod magic;
mod odf;
mod ole;
mod payload;
mod pdf;
mod pyc;
mod runs;
mod sevenz;
mod sqlite;
mod stray;
mod tar;

pub use behind::{Tail, ends_of_zip, may_hold_zip, packing_of, packing_of_whole};
pub use contents::{Show, contents, streamed, unknown};
pub use image::{Images, LIST};
pub use magic::packing;
#[cfg(any(test, feature = "fuzzing"))]
pub use ole::read as ole_streams;
pub use payload::may_unpack;

use super::remote::Unread;
use inflate::Summed;
use magic::{is_skippable, is_text};

pub mod stream;

/// Largest window of a zstd frame, in bytes: what `zstd -d` takes unless it is told otherwise. `zstd -19` uses 8 MiB, `--ultra -22` all.
const ZSTD_WINDOW: u64 = 128 << 20;

/// Most memory an xz block may ask for, in KiB; `xz -9` needs 65 MiB.
const XZ_MEMORY: u32 = 96 << 10;

/// Most bytes of frames that hold none of the content.
const PASSED: u64 = 8 << 20;

/// What anything may expand to, in bytes, with all that is in it, and how many times its size beyond that. Deflate cannot
/// exceed 1032; a log of one repeated line comes near it.
const FREE: u64 = 1 << 30;
const RATIO: u64 = 1100;

/// How many packings inside each other are undone unless the user says otherwise: a layer of an image of a package in an archive.
pub const DEPTH: u8 = 8;

/// Bytes that it takes to say what something is: a PDF may begin so late that readers still find it.
pub const HEAD: usize = (1 << 10) + "%PDF-1.7".len();

/// How something is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
    /// The .xz format, any number of streams.
    Xz,
    /// bzip2, any number of streams.
    Bzip2,
    /// The frame format of LZ4.
    Lz4,
    /// RFC 1950, one stream: so git keeps objects that are in no pack.
    Zlib,
    /// The .lzma format of LZMA SDK.
    Lzma,
    /// The .lz format of lzip, any number of members.
    Lzip,
    /// An archive of members that are each stored or compressed.
    Zip,
    /// POSIX, GNU, or older.
    Tar,
    /// As of Unix: Debian packages, static libraries.
    Ar,
    /// The three text formats of cpio, and the binary one in either byte order.
    Cpio,
    /// A package of RPM: a compressed cpio archive behind headers.
    Rpm,
    /// An archive of blocks, each of which packs some members together.
    SevenZip,
    /// Compressed streams in a document.
    Pdf,
    /// A database of SQLite: rows of values.
    Sqlite,
    /// Compiled Python: constants between the bytes that say what they are.
    Pyc,
    /// A compound file of OLE: streams in sectors, as Office kept its documents in up to 2003 and Outlook its messages.
    Ole,
    /// Private keys in binary.
    Keys,
    /// Something packed that begins so many bytes behind the start.
    Behind(u64),
    /// A format whose content is not read, and what to do about it.
    Foreign(&'static str),
}

impl Packing {
    /// Whether it is one stream and nothing else.
    pub fn is_stream(self) -> bool {
        matches!(
            self,
            Packing::Gzip
                | Packing::Zstd
                | Packing::Xz
                | Packing::Bzip2
                | Packing::Lz4
                | Packing::Zlib
                | Packing::Lzma
                | Packing::Lzip
        )
    }
}

/// Reads as many first bytes as it takes to say whether it is compressed; waits for no more. Returns them, to be read again.
pub fn head(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let mut bytes = [0; HEAD];
        if !magic::is_undecided(&head) {
            return Ok(head);
        }
        match input.read(&mut bytes) {
            Ok(0) => return Ok(head),
            Ok(len) => head.extend_from_slice(&bytes[..len]),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Why something packed was not read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would never end.
    #[error("expands to more than {RATIO} times its size")]
    Bomb,
    /// Archives inside of archives, deeper than is asked for.
    #[error("packed in more layers than --archive-depth")]
    Deep,
    /// An archive inside of another one that is larger than what is kept of one.
    #[error("archives of more than {} MiB inside of another one", contents::KEPT >> 20)]
    Large,
    /// A member has a password.
    #[error("encrypted")]
    Encrypted,
    /// The format is right, but this way of compressing is not read.
    #[error("{0}")]
    Unsupported(String),
    /// It is not what it says it is, or it is cut off.
    #[error("{0}")]
    Corrupt(String),
}

/// The content of a stream that is packed in a way that is a stream. Its errors hold an [`Error`] where the content is to blame.
pub fn unpacked<'r>(packing: Packing, input: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let meter = Meter::default();
    let input = Counted { input: Patient(input), meter: meter.clone() };
    Ok(Box::new(Guarded { output: decoder(packing, input, &Passed::default())?, meter }))
}

/// What stands between frames of zstd or lz4.
type Passed = Rc<RefCell<Vec<u8>>>;

/// What decompresses, and leaves in `passed` what is none of the content.
fn decoder<'r>(packing: Packing, input: impl Read + 'r, passed: &Passed) -> io::Result<Box<dyn Read + 'r>> {
    let mut input = BufReader::with_capacity(64 << 10, input);
    Ok(match packing {
        Packing::Gzip => Box::new(Summed::gzip(input)),
        Packing::Zstd if pass_skippable(&mut input, passed)? == Some(0x04) => lz4::lz4(input, passed)?,
        Packing::Zstd => {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(ZSTD_WINDOW);
            Box::new(Frames { input, decoder, in_frame: false, passed: passed.clone() })
        }
        Packing::Xz => Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY)),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        Packing::Zlib => Box::new(Alone(Summed::zlib(input))),
        Packing::Lzma => Box::new(Lzma(Some(lzma(input)?))),
        Packing::Lzip => Box::new(LzipReader::new(input)),
        Packing::Lz4 => lz4::lz4(input, passed)?,
        other => {
            let detail = format!("{other:?} archives are more than one stream");
            return Err(io::Error::other(Error::Unsupported(detail)));
        }
    })
}

/// A stream of zlib with nothing behind it.
struct Alone<R>(Summed<R>);

impl<R: BufRead> Read for Alone<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(space)?;
        let at_end = len == 0 && !space.is_empty();
        match self.0.rest().filter(|_| at_end).map(BufRead::fill_buf).transpose()? {
            Some([_, ..]) => Err(archive::corrupt("something stands behind its zlib stream")),
            _ => Ok(len),
        }
    }
}

/// What unpacks a .lzma file. A dictionary is no larger than what it is made of; of one that claims to be larger than what is kept
/// all is sound that does not look back further.
fn lzma<R: Read>(mut input: R) -> io::Result<LzmaReader<R>> {
    const MOST: u32 = (XZ_MEMORY << 10) / 3 * 2;
    let mut header = [0; 13];
    input.read_exact(&mut header)?;
    let size = header[5..].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let claimed = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    let dictionary = u64::from(claimed.min(MOST)).min(size) as u32;
    let mut reader = LzmaReader::new_with_props(input, size, header[0], dictionary, None)
        .map_err(|error| archive::corrupt(&error.to_string()))?;
    reader.set_relaxed_end_condition(false);
    reader.set_defer_errors(true);
    Ok(reader)
}

/// A stream of LZMA with nothing behind it.
struct Lzma<R>(Option<LzmaReader<R>>);

impl<R: Read> Read for Lzma<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.0 else { return Ok(0) };
        let len = reader.read(space)?;
        if len > 0 || space.is_empty() {
            return Ok(len);
        }
        let rest = self.0.take().map(LzmaReader::into_parts);
        let behind = rest
            .map_or(Ok(false), |(mut input, kept)| Ok::<_, io::Error>(!kept.is_empty() || input.read(&mut [0])? > 0));
        if behind? { Err(archive::corrupt("something stands behind its LZMA stream")) } else { Ok(0) }
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

/// What went into the outermost packing so far, and what came out of all of them. An archive on a disk counts whole.
#[derive(Clone, Debug, Default)]
struct Meter {
    read: Rc<Cell<u64>>,
    written: Rc<Cell<u64>>,
    /// Members that were endless, and do not count any more.
    bombs: Rc<Cell<u8>>,
    /// Behind one of them, what the present member may come to.
    cap: Rc<Cell<u64>>,
}

/// So many members that are endless keep nothing else from being read; behind the first one, what expands to more than this part of
/// what anything may is taken for endless.
const BOMBS: u8 = 16;
const PART: u64 = 16;

impl Meter {
    /// Whether so much came out that it is taken for endless.
    fn is_spent(&self) -> bool {
        let is_over_all = self.written.get() > FREE && self.written.get() / RATIO > self.read.get();
        is_over_all || (self.bombs.get() > 0 && self.written.get() > self.cap.get())
    }

    /// A member begins; gives what came out before.
    fn begin(&self) -> u64 {
        let most = FREE.max(RATIO.saturating_mul(self.read.get()));
        self.cap.set(self.written.get().saturating_add(most / PART));
        self.written.get()
    }

    /// Counts a member no more that was endless, before which so much had come out. What comes behind it is not to blame.
    fn forgive(&self, written: u64) {
        if self.is_spent() && self.bombs.get() < BOMBS {
            self.bombs.set(self.bombs.get() + 1);
            self.written.set(written);
        }
    }
}

/// Counts what goes into the outermost decompressor.
struct Counted<R> {
    input: R,
    meter: Meter,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(space)?;
        self.meter.read.set(self.meter.read.get() + len as u64);
        Ok(len)
    }
}

/// Stops what expands without end, and names what is broken.
struct Guarded<'r> {
    output: Box<dyn Read + 'r>,
    meter: Meter,
}

impl Read for Guarded<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.output.read(space).map_err(named)?;
        let written = self.meter.written.get() + len as u64;
        self.meter.written.set(written);
        if self.meter.is_spent() {
            return Err(io::Error::other(Error::Bomb));
        }
        Ok(len)
    }
}

/// The error with an [`Error`] in it, unless it came from below and not from the content.
fn named(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::PermissionDenied | io::ErrorKind::WouldBlock => error,
        _ if error.raw_os_error().is_some() => error,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Error>() || inner.is::<Unread>()) => error,
        io::ErrorKind::OutOfMemory | io::ErrorKind::Unsupported => {
            io::Error::other(Error::Unsupported(error.to_string()))
        }
        _ => io::Error::other(Error::Corrupt(error.to_string())),
    }
}

/// Reads past frames that hold none of the content; gives the first byte behind them. What they hold is text of whoever packed it.
fn pass_skippable(input: &mut impl BufRead, passed: &Passed) -> io::Result<Option<u8>> {
    loop {
        match input.fill_buf()?.first() {
            Some(0x50..=0x5f) => {}
            first => return Ok(first.copied()),
        }
        let mut header = [0; 8];
        input.read_exact(&mut header)?;
        if !is_skippable(&header) {
            return Err(archive::corrupt("no frame where one should begin"));
        }
        let len = u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
        let mut passed = passed.borrow_mut();
        passed.push(b'\n');
        if passed.len() as u64 + len > PASSED {
            let detail = format!("more than {} MiB in skippable frames", PASSED >> 20);
            return Err(io::Error::other(Error::Unsupported(detail)));
        }
        if ((&mut *input).take(len).read_to_end(&mut passed)? as u64) < len {
            return Err(archive::corrupt("it is cut off"));
        }
    }
}

/// All frames of a zstd stream, one after the other.
struct Frames<R> {
    input: R,
    decoder: FrameDecoder,
    in_frame: bool,
    passed: Passed,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame; `false` at the end of the stream.
    fn begin(&mut self) -> io::Result<bool> {
        if pass_skippable(&mut self.input, &self.passed)?.is_none() {
            return Ok(false);
        }
        self.decoder.init(&mut self.input).map(|()| true).map_err(|error| invalid(&error))
    }
}

fn invalid(error: &FrameDecoderError) -> io::Error {
    use FrameDecoderError::{DictNotProvided, WindowSizeTooBig};
    match error {
        WindowSizeTooBig { requested, .. } => io::Error::other(Error::Unsupported(format!(
            "it takes {} MiB to unpack, and up to {} are given",
            requested >> 20,
            ZSTD_WINDOW >> 20
        ))),
        DictNotProvided { .. } => io::Error::other(Error::Unsupported("zstd with a dictionary is not read".to_owned())),
        _ => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
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

    fn bzip2(text: &[u8]) -> Vec<u8> {
        let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn lz4(text: &[u8]) -> Vec<u8> {
        let mut packed = lz4_flex::frame::FrameEncoder::new(Vec::new());
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
        for pack in [gzip, zstd, xz, bzip2, lz4] {
            assert_eq!(content(&pack(&text)).unwrap(), text);
            let twice = [pack(b"one "), pack(b"two")].concat();
            assert_eq!(content(&twice).unwrap(), b"one two");
        }
    }

    #[test]
    fn what_is_cut_off_is_corrupt_and_never_an_end() {
        let text: Vec<u8> = (0..5000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for pack in [gzip, zstd, xz, bzip2] {
            let packed = pack(&text);
            for cut in (12..packed.len()).step_by(packed.len() / 12) {
                let error = content(&packed[..cut]).expect_err("it is cut off");
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
                assert!(matches!(inner, Some(Error::Corrupt(_))), "{error:?} at {cut} of {}", packed.len());
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        let meter = Meter { read: Rc::new(Cell::new(1000)), written: Rc::new(Cell::new(FREE)), ..Meter::default() };
        let mut guarded = Guarded { output: Box::new(io::repeat(0)), meter };
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
    fn binary_is_waited_on_until_it_is_known() {
        for begun in [&b"MZ\x90"[..], b"GIF8", b"\x89PNG\r\n", b"\xC3"] {
            let rest = [0xA5; HEAD];
            assert!(head(&mut begun.chain(&rest[..])).unwrap().len() >= HEAD);
        }
    }
}

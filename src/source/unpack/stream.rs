//! Reads a zip archive that comes as a stream: from its local headers, without its directory, in constant memory.
//!
//! The directory at the end is read, too, and must count what was seen: an archive that is cut off between two members
//! is not taken for a whole one.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::{ControlFlow, Range};

use flate2::bufread::DeflateDecoder;

use super::beside::{HEADERS, Headers};
use super::{Counted, Error, Guarded, Meter, Patient, named};

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, lossy for bytes that are no UTF-8.
    pub name: String,
    /// Bytes of its content, as the archive claims.
    pub size: u64,
}

/// Is shown a member and its content.
pub type Visit<'v> = dyn FnMut(&Member, Result<&mut dyn Read, Error>) -> ControlFlow<()> + 'v;

/// Signatures of APPNOTE.TXT 4.3, little-endian.
const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;

/// Bits of the general purpose flag (4.4.4).
const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 8;

/// Ways of compressing (4.4.5).
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

type Input<'r> = BufReader<Counted<Patient<&'r mut dyn Read>>>;

/// What is said of a member before its content.
struct Header {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Sizes behind the content have 64 bits.
    wide: bool,
}

/// Shows `visit` every file of the archive with its content, in the order in which they come, until it breaks; then what
/// headers and the directory say. The content's last read fails if the content is not what its checksum says. Errors hold an [`Error`], or what the
/// stream's own errors hold.
pub fn members(archive: &mut dyn Read, visit: &mut Visit<'_>) -> io::Result<()> {
    let meter = Meter::default();
    let counted = Counted { input: Patient(archive), meter: meter.clone() };
    let mut input = BufReader::with_capacity(64 << 10, counted);
    let (mut seen, mut beside) = (0u64, Headers::default());
    skip_shebang(&mut input, &mut beside)?;
    loop {
        match number(&mut input)? {
            // The mark of one that might have gone on in another file.
            DESCRIPTOR if seen == 0 => continue,
            LOCAL => {}
            other => {
                let ended = directory(&mut input, other, seen, &mut beside, visit);
                let about = |name: &str| Member { name: name.to_owned(), size: 0 };
                beside.finish(&mut input, &mut |name, text| visit(&about(name), Ok(text)))?;
                return ended;
            }
        }
        seen += 1;
        let header = Header::read(&mut input)?;
        if member(&mut input, &header, &meter, visit)?.is_break() {
            return Ok(());
        }
    }
}

/// Shows what headers said.
fn headers(visit: &mut Visit<'_>) -> impl FnOnce(&mut dyn Read) -> ControlFlow<()> {
    |text| visit(&Member { name: HEADERS.to_owned(), size: 0 }, Ok(text))
}

/// Goes on behind the line that names what runs a zipapp.
fn skip_shebang(input: &mut Input<'_>, beside: &mut Headers) -> io::Result<()> {
    let mut line = Vec::new();
    if input.fill_buf()?.first() == Some(&b'#') {
        input.take(super::HEAD as u64).read_until(b'\n', &mut line)?;
    }
    beside.keep(&line);
    Ok(())
}

fn member(input: &mut Input<'_>, header: &Header, meter: &Meter, visit: &mut Visit<'_>) -> io::Result<ControlFlow<()>> {
    let about = Member { name: header.name.clone(), size: header.size };
    let follows = header.flags & SIZES_FOLLOW != 0;
    // Nothing keeps a directory from having content.
    let is_file = !header.name.ends_with('/') || header.packed > 0 || (follows && header.method != STORED);
    if let Some(obstacle) = header.obstacle(is_file) {
        let stays = follows.then(|| Error::Unsupported(format!("what follows {} cannot be found", header.name)));
        let flow = if is_file { visit(&about, Err(obstacle)) } else { ControlFlow::Continue(()) };
        return match stays {
            Some(error) if flow.is_continue() => Err(io::Error::other(error)),
            _ => skip(input, header.packed).map(|()| flow),
        };
    }
    let mut content = Content::new(input, header);
    let mut flow = ControlFlow::Continue(());
    if is_file {
        let written = meter.begin();
        let mut guarded = Guarded { output: Box::new(&mut content), meter: meter.clone() };
        flow = visit(&about, Ok(&mut guarded));
        drop(guarded);
        meter.forgive(written);
    }
    if flow.is_continue() {
        // What was not read, and what could not: the next header stands behind it.
        let rest = io::copy(&mut content, &mut io::sink());
        rest.or_else(|error| if content.whole { Ok(0) } else { Err(error) })?;
    }
    Ok(flow)
}

/// Where a member stands that was looked at, from behind its signature on.
pub(super) struct Extent {
    /// Its content, as far as it can be unpacked.
    pub content: Range<u64>,
    /// Nothing of it is missing.
    pub whole: bool,
}

/// Looks at the member whose header stands right behind the signature there, with `left` bytes from there on; `None` if its
/// header is none. What it expands to counts, and what is stored is not read.
pub(super) fn extent(archive: &mut dyn Read, left: u64, spent: &Meter) -> Option<Extent> {
    let meter = Meter::default();
    let mut input = BufReader::with_capacity(8 << 10, Counted { input: Patient(archive), meter: meter.clone() });
    let header = Header::read(&mut input).ok()?;
    let start = meter.read.get() - input.buffer().len() as u64;
    let (end, whole) = match header.method {
        _ if header.obstacle(true).is_some() => (start, false),
        STORED if header.packed <= left.saturating_sub(start) => (start + header.packed, true),
        STORED => (start, false),
        _ => {
            let mut decoder = DeflateDecoder::new((&mut input).take(header.most()));
            let mut guarded = Guarded { output: Box::new(&mut decoder), meter: spent.clone() };
            let whole = io::copy(&mut guarded, &mut io::sink()).is_ok();
            drop(guarded);
            (start + decoder.total_in(), whole)
        }
    };
    Some(Extent { content: start..end, whole })
}

/// Shows the member whose header stands right behind the signature there, without what follows it.
pub(super) fn alone(archive: &mut dyn Read, extent: &Extent, visit: &mut Visit<'_>) -> io::Result<ControlFlow<()>> {
    let most = if extent.whole { u64::MAX } else { extent.content.end };
    let mut archive = archive.take(most);
    let meter = Meter::default();
    let mut input = BufReader::with_capacity(8 << 10, Counted { input: Patient(&mut archive as &mut dyn Read), meter });
    let mut header = Header::read(&mut input)?;
    let about = Member { name: header.name.clone(), size: header.size };
    let is_file = !header.name.ends_with('/') || header.packed > 0;
    if let Some(obstacle) = header.obstacle(is_file) {
        return Ok(visit(&about, Err(obstacle)));
    }
    if header.method == STORED && !extent.whole {
        return Ok(visit(&about, Err(Error::Corrupt("it is cut off".to_owned()))));
    }
    // Where deflate ends, whatever its header says.
    header.packed = header.packed.min(extent.content.end - extent.content.start);
    Ok(visit(&about, Ok(&mut Content::new(&mut input, &header))))
}

/// Longest name of a member that a directory does not have, in bytes.
pub(super) const NAME: usize = 4096;

/// Whether the fields behind a signature are those of a member (4.4): where else the signature stands they hardly are.
pub(super) fn is_member(header: &[u8; 30]) -> bool {
    /// Bits that are not used (4.4.4).
    const UNUSED: u16 = 0xD780;
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let known_method = matches!(short(8), 0..=20 | 93..=99);
    let sane_version = header[4] <= 63 && header[5] <= 20;
    sane_version && short(6) & UNUSED == 0 && known_method && (1..=NAME).contains(&short(26).into())
}

impl Header {
    /// Reads what follows the signature.
    fn read(input: &mut Input<'_>) -> io::Result<Self> {
        let mut fixed = [0; 26];
        exactly(input, &mut fixed)?;
        let short = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let mut name = vec![0; short(22).into()];
        let mut extra = vec![0; short(24).into()];
        exactly(input, &mut name)?;
        exactly(input, &mut extra)?;
        let mut header = Header {
            name: String::from_utf8_lossy(&name).into_owned(),
            flags: short(2),
            method: short(4),
            crc: long(10),
            packed: long(14).into(),
            size: long(18).into(),
            wide: false,
        };
        header.widen(&extra);
        Ok(header)
    }

    /// Bytes of what is deflated, at most.
    fn most(&self) -> u64 {
        if self.flags & SIZES_FOLLOW != 0 { u64::MAX } else { self.packed }
    }

    /// Why the content cannot be read.
    fn obstacle(&self, is_file: bool) -> Option<Error> {
        match self.method {
            _ if self.flags & ENCRYPTED != 0 => Some(Error::Encrypted),
            STORED if self.flags & SIZES_FOLLOW != 0 && is_file => {
                Some(Error::Unsupported("a stored member whose length only a directory could say".to_owned()))
            }
            STORED | DEFLATED => None,
            other => Some(Error::Unsupported(format!("compression method {other}"))),
        }
    }

    /// Takes sizes of 64 bits from the extra field (4.5.3).
    fn widen(&mut self, mut extra: &[u8]) {
        while let Some((&[a, b, c, d], rest)) = extra.split_first_chunk() {
            let Some((field, rest)) = rest.split_at_checked(u16::from_le_bytes([c, d]).into()) else { return };
            extra = rest;
            if u16::from_le_bytes([a, b]) != 1 {
                continue;
            }
            self.wide = true;
            let mut sizes =
                field.chunks_exact(8).map(|it| it.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
            for size in [&mut self.size, &mut self.packed] {
                if *size == u64::from(u32::MAX) {
                    *size = sizes.next().unwrap_or(*size);
                }
            }
        }
    }
}

/// A member's content while it is read, with the sum of what came.
struct Content<'i, 'r> {
    packed: Packed<'i, 'r>,
    sum: crc32fast::Hasher,
    written: u64,
    /// All that belongs to it was read.
    whole: bool,
    crc: u32,
    size: u64,
    follows: bool,
    wide: bool,
}

enum Packed<'i, 'r> {
    Stored(io::Take<&'i mut Input<'r>>),
    Deflated(DeflateDecoder<io::Take<&'i mut Input<'r>>>),
}

impl<'i, 'r> Content<'i, 'r> {
    fn new(input: &'i mut Input<'r>, header: &Header) -> Self {
        let follows = header.flags & SIZES_FOLLOW != 0;
        let packed = match header.method {
            DEFLATED => Packed::Deflated(DeflateDecoder::new(input.take(header.most()))),
            _ => Packed::Stored(input.take(header.packed)),
        };
        let (sum, wide) = (crc32fast::Hasher::new(), header.wide);
        Content { packed, sum, written: 0, whole: false, crc: header.crc, size: header.size, follows, wide }
    }

    /// Reads what stands behind the content, and compares.
    fn finish(&mut self) -> io::Result<()> {
        if self.whole {
            return Ok(());
        }
        let written = self.written;
        let (rest, taken) = match &mut self.packed {
            Packed::Stored(rest) => (rest, written),
            Packed::Deflated(decoder) => {
                let taken = decoder.total_in();
                (decoder.get_mut(), taken)
            }
        };
        let (mut crc, mut size) = (self.crc, self.size);
        if self.follows {
            let input = rest.get_mut();
            let first = number(input)?;
            crc = if first == DESCRIPTOR { number(input)? } else { first };
            let wide = self.wide || taken.max(written) > u32::MAX.into();
            let mut sizes = [0; 2];
            for size in &mut sizes {
                *size = u64::from(number(input)?);
                if wide {
                    *size |= u64::from(number(input)?) << 32;
                }
            }
            size = sizes[1];
        } else if rest.limit() > 0 {
            io::copy(rest, &mut io::sink())?;
            if rest.limit() > 0 {
                return Err(cut_off());
            }
        }
        self.whole = true;
        if size != written || crc != self.sum.clone().finalize() {
            return Err(corrupt("the content is not what its checksum says"));
        }
        Ok(())
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = match &mut self.packed {
            Packed::Stored(input) => input.read(space)?,
            Packed::Deflated(decoder) => {
                let before = decoder.total_out();
                match (decoder.read(space), decoder.total_out() - before) {
                    // What came out before the corrupt part is content; the next read fails again.
                    (Err(_), came) if came > 0 => came as usize,
                    (read, _) => read.map_err(named)?,
                }
            }
        };
        self.sum.update(&space[..len]);
        self.written += len as u64;
        if len == 0 && !space.is_empty() {
            self.finish()?;
        }
        Ok(len)
    }
}

/// Reads the directory, whose first signature is `signature`, to the end of the archive, and what stands behind it.
fn directory(
    input: &mut Input<'_>,
    mut signature: u32,
    seen: u64,
    beside: &mut Headers,
    visit: &mut Visit<'_>,
) -> io::Result<()> {
    let mut named = 0u64;
    loop {
        match signature {
            CENTRAL => {
                let mut fixed = [0; 42];
                exactly(input, &mut fixed)?;
                let length = |at: usize| u64::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
                // Name, other fields, comment.
                for part in [24, 26, 28] {
                    let mut about = vec![0; length(part) as usize];
                    exactly(input, &mut about)?;
                    if beside.add(&about, headers(visit)).is_break() {
                        return Ok(());
                    }
                }
                named += 1;
            }
            END_64 => {
                let mut length = [0; 8];
                exactly(input, &mut length)?;
                skip(input, u64::from_le_bytes(length))?;
            }
            LOCATOR_64 => skip(input, 16)?,
            END => {
                skip(input, 16)?;
                let mut length = [0; 2];
                exactly(input, &mut length)?;
                let mut comment = vec![0; u16::from_le_bytes(length).into()];
                exactly(input, &mut comment)?;
                beside.keep(&comment);
                return match named == seen {
                    true => Ok(()),
                    false => Err(corrupt("its directory names other members than it has")),
                };
            }
            _ => return Err(corrupt("something else stands where a member or the directory should begin")),
        }
        signature = number(input)?;
    }
}

fn number(input: &mut dyn Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    exactly(input, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn exactly(input: &mut dyn Read, space: &mut [u8]) -> io::Result<()> {
    input.read_exact(space).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => cut_off(),
        _ => error,
    })
}

fn skip(input: &mut impl BufRead, length: u64) -> io::Result<()> {
    match io::copy(&mut input.take(length), &mut io::sink())? {
        copied if copied == length => Ok(()),
        _ => Err(cut_off()),
    }
}

fn cut_off() -> io::Error {
    corrupt("it is cut off")
}

fn corrupt(what: &str) -> io::Error {
    io::Error::other(Error::Corrupt(what.to_owned()))
}

/// What tests and fuzz targets read of an archive that comes in reads of `step` bytes: names, the first 64 kB of contents
/// and whether they ended well, and whether the archive did.
#[cfg(any(test, feature = "fuzzing"))]
pub fn read(archive: &[u8], step: usize) -> (Vec<(String, Vec<u8>, bool)>, bool) {
    let mut seen = Vec::new();
    let ended = members(&mut crate::source::testing::Slow(archive, step), &mut |member, content| {
        let mut bytes = Vec::new();
        let whole = content.is_ok_and(|content| content.take(1 << 16).read_to_end(&mut bytes).is_ok());
        if ![HEADERS, super::beside::BEHIND].contains(&member.name.as_str()) {
            seen.push((member.name.clone(), bytes, whole));
        }
        ControlFlow::Continue(())
    });
    (seen, ended.is_ok())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use zip::CompressionMethod;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(members: &[(String, Vec<u8>, bool)], streamed: bool) -> Vec<u8> {
        let options = |stored: bool| {
            let method = if stored && !streamed { CompressionMethod::Stored } else { CompressionMethod::Deflated };
            SimpleFileOptions::default().compression_method(method)
        };
        if streamed {
            let mut archive = zip::ZipWriter::new_stream(Vec::new());
            for (name, content, stored) in members {
                archive.start_file(name, options(*stored)).unwrap();
                archive.write_all(content).unwrap();
            }
            return archive.finish().unwrap().into_inner();
        }
        let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content, stored) in members {
            archive.start_file(name, options(*stored)).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn some() -> impl Strategy<Value = Vec<(String, Vec<u8>, bool)>> {
        let one = (prop::collection::vec(any::<u8>(), 0..300), 1usize..40, any::<bool>());
        prop::collection::vec(one, 0..5).prop_map(|all| {
            let named = all.into_iter().enumerate();
            named.map(|(at, (bytes, times, stored))| (format!("job/{at}_ü.txt"), bytes.repeat(times), stored)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn every_member_comes_whole_in_any_reads(members in some(), streamed: bool, step in 1usize..5000) {
            let wanted: Vec<_> = members.iter().map(|(name, bytes, _)| (name.clone(), bytes.clone(), true)).collect();
            prop_assert_eq!(read(&archive(&members, streamed), step), (wanted, true));
        }

        #[test]
        fn what_is_cut_or_changed_is_never_whole_with_another_content(
            members in some(), streamed: bool, at: prop::sample::Index, flip in 0u8..8, cut: bool, step in 1usize..5000,
        ) {
            let mut bytes = archive(&members, streamed);
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << flip }
            let (seen, whole) = read(&bytes, step);
            prop_assert_eq!((&seen, whole), (&read(&bytes, usize::MAX).0, read(&bytes, usize::MAX).1));
            if cut {
                prop_assert!(!whole);
            }
            for (_, content, _) in seen.iter().filter(|(.., good)| *good) {
                prop_assert!(members.iter().any(|(_, known, _)| known == content), "a checksum that fails is an error");
            }
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..40) {
            let bytes = [b"PK\x03\x04".as_slice(), &bytes].concat();
            prop_assert_eq!(read(&bytes, step), read(&bytes, usize::MAX));
        }
    }
}

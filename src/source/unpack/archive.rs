//! The members of each kind of archive. Names are for people alone: nothing is written anywhere.

use std::collections::HashSet;
use std::io::{self, Read, SeekFrom};
use std::ops::{ControlFlow, Range};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::beside::{HEADERS, Headers};
use super::contents::Disk;
use super::directory::{self, Place};
use super::{Error, Packing, Passed, decoder, odf};

/// Longest name that is read, in bytes. Systems have paths of 4,096.
pub(super) const NAME: u64 = 64 << 10;

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name, lossy for bytes that are no UTF-8.
    pub name: String,
}

impl Member {
    pub(super) fn named(name: &str) -> Self {
        member(name.as_bytes())
    }
}

/// Is shown a member and its content.
pub(super) type Visit<'v> = dyn FnMut(&Member, io::Result<&mut dyn Read>) -> ControlFlow<()> + 'v;

pub(super) fn corrupt(what: &str) -> io::Error {
    io::Error::other(Error::Corrupt(what.to_owned()))
}

pub(super) fn member(name: &[u8]) -> Member {
    Member { name: String::from_utf8_lossy(name).trim_start_matches("./").to_owned() }
}

/// What a zip archive has beside its members.
#[derive(Default)]
pub(super) struct Beside {
    /// Where contents stand, and what of the headers is no text or is said twice.
    pub held: Vec<Range<u64>>,
    /// Comments on members.
    pub comments: Vec<u8>,
}

/// Shows the files of a zip archive with their contents, in the order of its directory; of those with one name the last.
pub(super) fn zip(disk: &mut dyn Disk, beside: &mut Beside, visit: &mut Visit<'_>) -> io::Result<()> {
    let mut places = Vec::new();
    let read = zip_members(disk, &mut beside.held, &mut places, visit);
    beside.comments = directory::headers(disk, &places, &mut beside.held)?;
    read
}

fn zip_members(
    disk: &mut dyn Disk,
    held: &mut Vec<Range<u64>>,
    places: &mut Vec<Place>,
    visit: &mut Visit<'_>,
) -> io::Result<()> {
    let is_first = begins_set(disk)?;
    let mut archive = ZipArchive::new(disk).map_err(|error| match (is_first, error) {
        (true, _) => corrupt("it is the first part of a set; put all of them together and scan that"),
        (_, ZipError::InvalidArchive(text)) if text.contains("Multi-disk") => {
            corrupt("it is part of a set; put all of them together and scan that")
        }
        (_, error) => zip_error(error),
    })?;
    let (locked, manifest) = locked(&mut archive).unwrap_or_default();
    for index in 0..archive.len() {
        let (member, encrypted, is_zstd) = {
            let raw = archive.by_index_raw(index).map_err(zip_error)?;
            places.push(Place { central: raw.central_header_start(), local: raw.header_start() });
            held.extend(raw.data_start().map(|start| start..start.saturating_add(raw.compressed_size())));
            // Nothing keeps a directory from having content.
            if raw.is_dir() && raw.compressed_size() == 0 {
                continue;
            }
            let encrypted = raw.encrypted() || locked.contains(raw.name_raw());
            (member(raw.name_raw()), encrypted, raw.compression() == CompressionMethod::ZSTD)
        };
        let is_manifest = !locked.is_empty() && member.name == odf::MANIFEST;
        let mut shown = |content: io::Result<&mut dyn Read>| visit(&member, content);
        let flow = if encrypted {
            shown(Err(io::Error::other(Error::Encrypted)))
        } else if is_manifest {
            shown(Ok(&mut manifest.as_slice()))
        } else if is_zstd {
            match zstd(&mut archive, index) {
                Err(error) => shown(Err(error)),
                Ok(mut content) => shown(Ok(&mut content)),
            }
        } else {
            match archive.by_index(index) {
                Err(error) => shown(Err(zip_error(error))),
                Ok(mut content) => shown(Ok(&mut content)),
            }
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// A member that is packed by zstd, which the crate that reads the others would do in C.
fn zstd<'a>(archive: &'a mut ZipArchive<&mut dyn Disk>, index: usize) -> io::Result<impl Read + 'a> {
    let raw = archive.by_index_raw(index).map_err(zip_error)?;
    let (crc, size) = (raw.crc32(), raw.size());
    Ok(Summed {
        content: decoder(Packing::Zstd, raw, &Passed::default())?,
        sum: crc32fast::Hasher::new(),
        left: size,
        crc,
    })
}

/// A member's content while it is read, which fails at its end if it is not what its header says.
struct Summed<R> {
    content: R,
    sum: crc32fast::Hasher,
    left: u64,
    crc: u32,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.content.read(space)?;
        self.sum.update(&space[..len]);
        let is_end = len == 0 && !space.is_empty();
        match self.left.checked_sub(len as u64) {
            Some(left) if !is_end || (left == 0 && self.sum.clone().finalize() == self.crc) => self.left = left,
            _ => return Err(corrupt("the content is not what its checksum says")),
        }
        Ok(len)
    }
}

/// Whether an archive begins with the mark of one that goes on in another file (APPNOTE.TXT 8.5.4).
fn begins_set(disk: &mut dyn Disk) -> io::Result<bool> {
    let mut mark = Vec::new();
    disk.seek(SeekFrom::Start(0))?;
    disk.take(4).read_to_end(&mut mark)?;
    Ok(mark == b"PK\x07\x08")
}

/// The members of a document of OpenDocument that have a password, and its manifest without what says how they are encrypted.
fn locked(archive: &mut ZipArchive<&mut dyn Disk>) -> Option<(HashSet<Vec<u8>>, Vec<u8>)> {
    let manifest = archive.by_name(odf::MANIFEST).ok()?;
    let mut text = Vec::new();
    manifest.take(odf::LONGEST).read_to_end(&mut text).ok()?;
    odf::encrypted(&text)
}

fn zip_error(error: ZipError) -> io::Error {
    io::Error::other(match error {
        ZipError::Io(error) => return super::named(error),
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            Error::Unsupported(error.to_string())
        }
        other => Error::Corrupt(other.to_string()),
    })
}

/// Shows what the headers of an archive said.
pub(super) fn headers(visit: &mut Visit<'_>) -> impl FnOnce(&mut dyn Read) -> ControlFlow<()> {
    |text| visit(&Member::named(HEADERS), Ok(text))
}

/// Shows what the last headers said, and what stands behind the end.
pub(super) fn finish(beside: Headers, input: &mut dyn Read, visit: &mut Visit<'_>) -> io::Result<()> {
    beside.finish(input, &mut |name, text| visit(&Member::named(name), Ok(text)))
}

/// Fills `space`; `false` at the end of the input.
pub(super) fn fill(input: &mut dyn Read, space: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < space.len() {
        match input.read(&mut space[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(corrupt("cut off in a header")),
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Reads past `len` bytes, all of which must be there.
pub(super) fn pass(input: &mut dyn Read, len: u64) -> io::Result<()> {
    match io::copy(&mut (&mut *input).take(len), &mut io::sink())? {
        passed if passed == len => Ok(()),
        _ => Err(corrupt("cut off in a member")),
    }
}

/// Shows the next `size` bytes as a member, then goes on behind them and behind what fills them up.
pub(super) fn show(
    input: &mut dyn Read,
    name: &[u8],
    size: u64,
    fill: u64,
    visit: &mut Visit<'_>,
) -> io::Result<ControlFlow<()>> {
    let mut content = (&mut *input).take(size);
    let flow = visit(&member(name), Ok(&mut content));
    let left = content.limit();
    if flow.is_continue() {
        pass(input, left)?;
        // The last one may go without.
        io::copy(&mut (&mut *input).take(fill), &mut io::sink())?;
    }
    Ok(flow)
}

pub(super) fn number(text: &[u8], radix: u32) -> io::Result<u64> {
    let text = std::str::from_utf8(text).unwrap_or("?").trim_end_matches([' ', '\0']);
    u64::from_str_radix(text, radix).map_err(|_| corrupt("a number in a header is none"))
}

/// Shows every file of an ar archive: headers of 60 bytes, GNU's and BSD's long names.
pub(super) fn ar(input: &mut dyn Read, visit: &mut Visit<'_>) -> io::Result<()> {
    let (mut header, mut names, mut beside) = ([0; 60], Vec::new(), Headers::default());
    fill(input, &mut header[..8])?;
    while fill(input, &mut header)? {
        if header[58..] != *b"`\n" {
            return Err(corrupt("a member's header is none"));
        }
        let (name, mut size) = (header[..16].trim_ascii_end().to_vec(), number(&header[48..58], 10)?);
        let odd = size % 2;
        let name = match &name[..] {
            b"//" => {
                names.clear();
                (&mut *input).take(size.min(1 << 20)).read_to_end(&mut names)?;
                pass(input, (size - names.len() as u64) + odd)?;
                continue;
            }
            name if name.starts_with(b"#1/") => {
                let len = number(&name[3..], 10)?.min(size);
                let mut long = Vec::new();
                (&mut *input).take(len.min(NAME)).read_to_end(&mut long)?;
                pass(input, len - long.len() as u64)?;
                size -= len;
                long.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
            }
            name if name.len() > 1 && name[0] == b'/' && name[1].is_ascii_digit() => {
                let at = number(&name[1..], 10)? as usize;
                let rest = names.get(at..).unwrap_or_default();
                rest.split(|byte| matches!(byte, b'\n' | 0)).next().unwrap_or_default().to_vec()
            }
            name => name.to_vec(),
        };
        let name = name.strip_suffix(b"/").filter(|name| !name.is_empty()).unwrap_or(&name);
        if beside.add(name, headers(visit)).is_break() || show(input, name, size, odd, visit)?.is_break() {
            return Ok(());
        }
    }
    finish(beside, input, visit)
}

/// Shows the second header of an RPM package, which has its scripts, and goes on to the payload.
pub(super) fn rpm_headers(input: &mut dyn Read, visit: &mut Visit<'_>) -> io::Result<ControlFlow<()>> {
    pass(input, 96)?;
    for is_signature in [true, false] {
        let mut intro = [0; 16];
        fill(input, &mut intro)?;
        if intro[..3] != [0x8E, 0xAD, 0xE8] {
            return Err(corrupt("no header where an RPM package has one"));
        }
        let word = |at: usize| u64::from(u32::from_be_bytes([intro[at], intro[at + 1], intro[at + 2], intro[at + 3]]));
        let len = 16 * word(8) + word(12);
        if !is_signature {
            return show(input, HEADERS.as_bytes(), len, 0, visit);
        }
        pass(input, len.next_multiple_of(8))?;
    }
    Ok(ControlFlow::Continue(()))
}

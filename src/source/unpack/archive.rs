//! The members of each kind of archive. Names are for people alone: nothing is written anywhere.

use std::io::{self, Read, Seek};
use std::ops::{ControlFlow, Range};

use zip::ZipArchive;
use zip::result::ZipError;

use super::Error;
use super::beside::{HEADERS, Headers};

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

/// Shows the files of a zip archive with their contents, in the order of its directory; of those with one name the last. Adds to
/// `held` where contents stand, and names that the directory has, too.
pub(super) fn zip<R: Read + Seek>(archive: R, held: &mut Vec<Range<u64>>, visit: &mut Visit<'_>) -> io::Result<()> {
    /// What stands before the name in a local header.
    const FIXED: u64 = 30;
    let mut archive = ZipArchive::new(archive).map_err(zip_error)?;
    for index in 0..archive.len() {
        let (member, encrypted) = {
            let raw = archive.by_index_raw(index).map_err(zip_error)?;
            let name = raw.header_start() + FIXED;
            held.push(name..name + raw.name_raw().len() as u64);
            held.extend(raw.data_start().map(|start| start..start.saturating_add(raw.compressed_size())));
            // Nothing keeps a directory from having content.
            if raw.is_dir() && raw.compressed_size() == 0 {
                continue;
            }
            (member(raw.name_raw()), raw.encrypted())
        };
        let flow = match archive.by_index(index) {
            _ if encrypted => visit(&member, Err(io::Error::other(Error::Encrypted))),
            Err(error) => visit(&member, Err(zip_error(error))),
            Ok(mut content) => visit(&member, Ok(&mut content)),
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
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

fn number(text: &[u8], radix: u32) -> io::Result<u64> {
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

/// Whether a header of cpio has digits where it must.
pub(super) fn is_cpio(head: &[u8]) -> bool {
    match head.starts_with(b"070707") {
        true => head.get(6..76).is_some_and(|rest| rest.iter().all(|byte| (b'0'..=b'7').contains(byte))),
        false => head.get(6..110).is_some_and(|rest| rest.iter().all(u8::is_ascii_hexdigit)),
    }
}

/// Shows every file of a cpio archive: `newc`, `crc` and `odc`; then names and targets of links.
pub(super) fn cpio(input: &mut dyn Read, visit: &mut Visit<'_>) -> io::Result<()> {
    let (mut header, mut beside) = ([0; 110], Headers::default());
    while fill(input, &mut header[..6])? {
        let (len, mode, name_len, size, align) = match &header[..6] {
            b"070701" | b"070702" => {
                fill(input, &mut header[6..110])?;
                let field = |at: usize| number(&header[at..at + 8], 16);
                (110, field(14)?, field(94)?, field(54)?, 4)
            }
            b"070707" => {
                fill(input, &mut header[6..76])?;
                (76, number(&header[18..24], 8)?, number(&header[59..65], 8)?, number(&header[65..76], 8)?, 1)
            }
            // What fills the last block up.
            [0, 0, 0, 0, 0, 0] => break,
            _ => return Err(corrupt("a member's header is none")),
        };
        let rest = |done: u64| done.next_multiple_of(align) - done;
        let mut name = Vec::new();
        (&mut *input).take(name_len.min(NAME)).read_to_end(&mut name)?;
        pass(input, name_len - name.len() as u64)?;
        io::copy(&mut (&mut *input).take(rest(len + name_len)), &mut io::sink())?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name == b"TRAILER!!!" {
            break;
        }
        if beside.add(name, headers(visit)).is_break() {
            return Ok(());
        }
        const TYPE: u64 = 0o170_000;
        const FILE: u64 = 0o100_000;
        if mode & TYPE != FILE {
            let mut target = Vec::new();
            (&mut *input).take(size.min(NAME)).read_to_end(&mut target)?;
            pass(input, size - target.len() as u64)?;
            if beside.add(&target, headers(visit)).is_break() {
                return Ok(());
            }
            io::copy(&mut (&mut *input).take(rest(size)), &mut io::sink())?;
        } else if show(input, name, size, rest(size), visit)?.is_break() {
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

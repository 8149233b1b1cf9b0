//! Loose objects: one file each, compressed with its header. Format: gitformat-loose(5) of git's documentation of
//! objects.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::index::ObjectFormat;
use super::inflate::{Stream, plausible};
use super::map::Map;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// Longest header: a kind of six letters, a blank, twenty digits and a zero byte.
const MAX_HEADER: usize = 32;

/// A loose object.
#[derive(Debug)]
pub(super) struct Loose {
    pub id: ObjectId,
    pub path: PathBuf,
    /// The same object in other directories, should this file be broken.
    pub twins: Vec<PathBuf>,
}

impl Loose {
    /// Whether it is cut off, or no object at all, and not known to be a blob. In such a one libgit2 1.9 looks for the rest
    /// for ever (`read_loose` in odb_loose.c).
    pub(super) fn is_cut(&self) -> bool {
        match Opened::open(&self.path) {
            Ok(opened) if opened.kind == ObjectKind::Blob => false,
            Ok(opened) => !opened.content().is_ok_and(|mut content| io::copy(&mut content, &mut io::sink()).is_ok()),
            Err(fault) => matches!(fault, Fault::Corrupt(_)),
        }
    }
}

/// Lists the loose objects of an object directory. Files of other names are not git's objects; those that an
/// interrupted git command left are named.
pub(super) fn list(dir: &Path, format: ObjectFormat, out: &mut Vec<Loose>, skips: &mut Vec<Skip>) {
    for first in 0..=255u8 {
        let prefix = format!("{first:02x}");
        let sub = dir.join(&prefix);
        let mut problem = |path: PathBuf, error: io::Error| match error.kind() {
            io::ErrorKind::NotFound if path.is_symlink() => {
                skips.push(skip(path, Why::BrokenSymlink, error.to_string()));
            }
            io::ErrorKind::NotFound => {}
            _ => skips.push(skip(path, Why::ReadError, error.to_string())),
        };
        let entries = match std::fs::read_dir(&sub) {
            Ok(entries) => entries,
            Err(error) => {
                problem(sub, error);
                continue;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => add(&prefix, &entry, format, out, skips),
                Err(error) => {
                    skips.push(skip(sub, Why::ReadError, error.to_string()));
                    break;
                }
            }
        }
    }
}

fn skip(path: PathBuf, why: Why, detail: String) -> Skip {
    Skip { origin: Origin::File { path, tracking: None }, why, detail }
}

fn add(prefix: &str, entry: &std::fs::DirEntry, format: ObjectFormat, out: &mut Vec<Loose>, skips: &mut Vec<Skip>) {
    let name = entry.file_name();
    let name = name.to_str().unwrap_or_default();
    if name.starts_with("tmp_obj_") {
        skips.push(skip(entry.path(), Why::Unfinished, "left behind by an interrupted git command".into()));
    } else if name.len() == 2 * format.width() - 2
        && !name.bytes().any(|byte| byte.is_ascii_uppercase())
        && let Some(id) = ObjectId::from_hex(format!("{prefix}{name}").as_bytes())
    {
        out.push(Loose { id, path: entry.path(), twins: Vec::new() });
    }
}

/// A loose object opened: its header read, its content still to come.
pub(super) struct Opened {
    map: Map,
    pub kind: ObjectKind,
    pub size: u64,
    header: usize,
}

impl Opened {
    /// Opens the file and reads the header.
    pub(super) fn open(path: &Path) -> Result<Opened, Fault> {
        let map = Map::open(path).map_err(|error| Fault::Io(error.to_string()))?;
        let (kind, size, header) = header(&map)?;
        plausible(map.len(), size)?;
        Ok(Opened { map, kind, size, header })
    }

    /// The content, to be read piece by piece. Bytes beyond the size are an error.
    pub(super) fn content(&self) -> Result<Exact<Stream<'_>>, Fault> {
        let mut stream = Stream::alone(&self.map);
        let mut header = [0; MAX_HEADER];
        stream.read_exact(&mut header[..self.header]).map_err(|_| Fault::Corrupt("its header is broken"))?;
        Ok(Exact { inner: stream, left: self.size })
    }
}

/// Reads `<kind> <size>\0` and gives how long that was.
pub(super) fn header(packed: &[u8]) -> Result<(ObjectKind, u64, usize), Fault> {
    const BAD: Fault = Fault::Corrupt("its header is broken");
    let mut bytes = [0; MAX_HEADER];
    let mut have = 0;
    let mut stream = Stream::new(packed);
    while have < MAX_HEADER {
        match stream.read(&mut bytes[have..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => have += more,
        }
    }
    let end = bytes[..have].iter().position(|byte| *byte == 0).ok_or(BAD)?;
    let blank = bytes[..end].iter().position(|byte| *byte == b' ').ok_or(BAD)?;
    let kind = ObjectKind::parse(&bytes[..blank]).ok_or(Fault::Corrupt("is of a type that git does not have"))?;
    let digits = &bytes[blank + 1..end];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    let size = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(BAD)?;
    Ok((kind, size, end + 1))
}

/// A reader that must give exactly as many bytes as it was said to.
pub(super) struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Exact<R> {
    pub(super) fn new(inner: R, size: u64) -> Self {
        Exact { inner, left: size }
    }

    /// Whether everything was read and nothing more is there.
    pub(super) fn at_end(&mut self) -> bool {
        self.left == 0 && matches!(self.inner.read(&mut [0]), Ok(0))
    }

    /// Fills `out`, which must be as long as what is left, and checks that this was all.
    pub(super) fn fill(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.read_exact(out).map_err(|_| Fault::Corrupt("its zlib stream is broken or cut off"))?;
        if self.at_end() { Ok(()) } else { Err(Fault::Corrupt("holds more bytes than it claims")) }
    }
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.inner.read(&mut out[..most])?;
        if got == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "holds fewer bytes than it claims"));
        }
        self.left -= got as u64;
        Ok(got)
    }
}

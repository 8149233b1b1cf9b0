//! Turns an index file into its entries. Format: gitformat-index(5), versions 2 to 4, whole, split or sparse. Only read.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::index::ObjectFormat;
use super::layout::Layout;
use super::map::Map;
use super::rest::Rest;
use super::store::{Stores, path as to_path};
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// Bytes of an entry before its object name: times, device, inode, mode, owner, size.
const STAT: usize = 40;

/// Longer paths than twice Linux's `PATH_MAX` are no paths; so directories are at most half as deep.
const MAX_PATH: usize = 8192;

/// Modes that are no file's.
const DIRECTORY: u32 = 0o040_000;
const SUBMODULE: u32 = 0o160_000;

/// Why an index cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The system refused.
    #[error("cannot read the index {path}: {error}", path = .0.display(), error = .1)]
    Io(PathBuf, io::Error),
    /// It is none, or a part of it is missing.
    #[error("the index {path} {what}; `git read-tree HEAD` makes it anew, and unstages everything", path = .0.display(), what = .1)]
    Corrupt(PathBuf, &'static str),
    /// Something in it must be understood, and is not.
    #[error("the index {path} has the extension {name:?}, which this version does not read", path = .0.display(), name = .1)]
    Unsupported(PathBuf, String),
}

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A file or a symbolic link.
    Blob,
    /// A whole directory that a sparse checkout leaves out; its path ends with a slash.
    Tree,
    /// A commit of a submodule.
    Submodule,
    /// The intention to add a file: no commit will hold it as it is.
    Intent,
}

/// An entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'b> {
    /// From the top of the work tree.
    pub path: Cow<'b, [u8]>,
    pub id: ObjectId,
    pub what: What,
    /// 0, or in a conflict 1 (base), 2 (ours), 3 (theirs).
    pub stage: u8,
}

/// The tree that a directory of the index would be written as.
#[derive(Debug, Default)]
pub(super) struct Cached {
    /// `None` if something in it changed since.
    pub tree: Option<ObjectId>,
    pub below: BTreeMap<Vec<u8>, Cached>,
}

/// What index files hold, for as long as entries are looked at.
#[derive(Debug, Default)]
pub(super) struct Files {
    own: OnceCell<Map>,
    shared: OnceCell<Map>,
}

/// An index file.
#[derive(Debug, Default)]
pub(super) struct Stage<'b> {
    /// Sorted by path, then by stage.
    pub entries: Vec<Entry<'b>>,
    pub cached: Cached,
    link: Option<Link>,
}

/// What is different from a shared index.
#[derive(Debug)]
struct Link {
    base: ObjectId,
    deleted: Vec<usize>,
    replaced: Vec<usize>,
}

/// The files that the index of a repository names, from the top of the work tree; not those of directories that a sparse
/// checkout leaves out.
///
/// # Errors
/// An index that cannot be read.
pub fn tracked(layout: &Layout) -> Result<Vec<PathBuf>, StageError> {
    let files = Files::default();
    let index = read(&layout.index, &layout.git_dir, layout.format, &files)?;
    let entries = index.entries.iter().filter(|entry| matches!(entry.what, What::Blob | What::Intent));
    Ok(entries.map(|entry| to_path(&entry.path)).collect())
}

/// What an index says that its bytes do not show: names of version 4, which are told by how they differ; with what is wrong with it.
#[derive(Debug, Default)]
pub struct Hidden {
    /// Lines.
    pub names: String,
    /// What could not be read, or names an object that is not there.
    pub skips: Vec<Skip>,
}

/// Reads what the indexes of a repository hide: its own, and those of its linked work trees.
pub fn hidden(layout: &Layout, stores: &Stores) -> Hidden {
    let mut hidden = Hidden::default();
    let trees = std::fs::read_dir(layout.common_dir.join("worktrees")).into_iter().flatten().flatten();
    let mut directories: Vec<PathBuf> = trees.map(|tree| tree.path()).collect();
    directories.sort_unstable();
    directories.retain(|tree| *tree != layout.git_dir);
    let others = directories.into_iter().map(|tree| (tree.join("index"), tree));
    for (path, git_dir) in std::iter::once((layout.index.clone(), layout.git_dir.clone())).chain(others) {
        let files = Files::default();
        let skip = |origin, why, detail| Skip { origin, why, detail };
        match read(&path, &git_dir, layout.format, &files) {
            Ok(stage) => hidden.add(&stage, stores),
            Err(StageError::Corrupt(path, what)) => {
                let origin = Origin::File { path, tracking: None };
                hidden.skips.push(skip(origin, Why::CorruptObject, what.to_owned()));
            }
            Err(StageError::Unsupported(path, name)) => {
                let detail = format!("has the extension {name:?}, which this version does not read");
                hidden.skips.push(skip(Origin::File { path, tracking: None }, Why::Unsupported, detail));
            }
            // Whoever reads it as a file says why it cannot be.
            Err(StageError::Io(path, _)) if path.ends_with("index") => {}
            Err(StageError::Io(path, error)) => {
                hidden.skips.push(skip(Origin::File { path, tracking: None }, Why::ReadError, error.to_string()));
            }
        }
    }
    hidden
}

impl Hidden {
    fn add(&mut self, stage: &Stage<'_>, stores: &Stores) {
        for entry in &stage.entries {
            // Others stand in the file as they are.
            if matches!(entry.path, Cow::Owned(_)) {
                self.names.push_str(&String::from_utf8_lossy(&entry.path));
                self.names.push('\n');
            }
            let kind = match entry.what {
                What::Blob => ObjectKind::Blob,
                What::Tree => ObjectKind::Tree,
                What::Submodule | What::Intent => continue,
            };
            // What a server holds back is named by whoever follows trees.
            if stores.promisors.is_empty() && !stores.contains(&entry.id) {
                let path = Some(to_path(&entry.path));
                let origin = Origin::Object { path, id: entry.id, kind: Some(kind) };
                let detail = "the index names it".to_owned();
                self.skips.push(Skip { origin, why: Why::MissingObject, detail });
            }
        }
    }
}

/// Reads an index, and the shared index in `git_dir` that it may be split from. There is none before the first `git add`.
pub(super) fn read<'b>(
    path: &Path,
    git_dir: &Path,
    format: ObjectFormat,
    files: &'b Files,
) -> Result<Stage<'b>, StageError> {
    let mut stage = match Map::open(path) {
        Ok(bytes) => parse(path, files.own.get_or_init(|| bytes), format)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stage::default()),
        Err(error) => return Err(StageError::Io(path.to_owned(), error)),
    };
    if let Some(link) = stage.link.take() {
        let shared = git_dir.join(format!("sharedindex.{}", link.base));
        let bytes = Map::open(&shared).map_err(|error| StageError::Io(shared.clone(), error))?;
        let base = parse(&shared, files.shared.get_or_init(|| bytes), format)?;
        let entries = unite(base.entries, stage.entries, &link);
        stage.entries = entries.ok_or(StageError::Corrupt(path.to_owned(), "does not fit its shared index"))?;
    }
    let is_sorted = stage.entries.is_sorted_by_key(|entry| (&entry.path, entry.stage));
    if !is_sorted || stage.entries.iter().any(|entry| entry.path.is_empty() || entry.path.len() > MAX_PATH) {
        return Err(StageError::Corrupt(path.to_owned(), "has paths out of order, or none at all"));
    }
    Ok(stage)
}

/// Puts a split index together. What is replaced comes first, in the order of the shared index, and without a path.
fn unite<'b>(base: Vec<Entry<'b>>, mut own: Vec<Entry<'b>>, link: &Link) -> Option<Vec<Entry<'b>>> {
    if own.len() < link.replaced.len() {
        return None;
    }
    let added = own.split_off(link.replaced.len());
    let mut base: Vec<Option<Entry<'b>>> = base.into_iter().map(Some).collect();
    for (at, entry) in link.replaced.iter().zip(own) {
        let slot = base.get_mut(*at)?;
        let path = slot.take()?.path;
        *slot = Some(Entry { path, ..entry });
    }
    for at in &link.deleted {
        *base.get_mut(*at)? = None;
    }
    let mut entries: Vec<Entry<'b>> = base.into_iter().flatten().chain(added).collect();
    entries.sort_by(|one, other| (&one.path, one.stage).cmp(&(&other.path, other.stage)));
    Some(entries)
}

fn parse<'b>(path: &Path, bytes: &'b [u8], format: ObjectFormat) -> Result<Stage<'b>, StageError> {
    let corrupt = |what| StageError::Corrupt(path.to_owned(), what);
    let end = bytes.len().checked_sub(format.width()).ok_or(corrupt("is too short"))?;
    let mut rest = Rest(&bytes[..end]);
    let header = (rest.take(4), rest.u32(), rest.u32());
    let (Some(b"DIRC"), Some(version @ 2..=4), Some(count)) = header else {
        return Err(corrupt("does not begin like an index of version 2, 3 or 4"));
    };
    let mut stage = Stage::default();
    // Each takes so much at least, whatever the header claims.
    stage.entries.reserve((count as usize).min(end / (STAT + format.width())));
    for _ in 0..count {
        let last = stage.entries.last().map_or(&[][..], |entry| &entry.path);
        let entry = entry(&mut rest, version, last, format).ok_or_else(|| corrupt("ends within an entry"))?;
        stage.entries.push(entry);
    }
    while !rest.0.is_empty() {
        let (name, len) = (rest.take(4), rest.u32());
        let content = len.and_then(|len| rest.take(len as usize));
        let (Some(name), Some(content)) = (name, content) else { return Err(corrupt("ends within an extension")) };
        match name {
            b"TREE" => stage.cached = cached(&mut Rest(content), format).unwrap_or_default().1,
            b"link" => stage.link = link(&mut Rest(content), format).ok_or(corrupt("has a broken link to its base"))?,
            b"sdir" => {}
            [b'A'..=b'Z', ..] => {}
            _ => return Err(StageError::Unsupported(path.to_owned(), String::from_utf8_lossy(name).into_owned())),
        }
    }
    Ok(stage)
}

fn entry<'b>(rest: &mut Rest<'b>, version: u32, last: &[u8], format: ObjectFormat) -> Option<Entry<'b>> {
    let before = rest.0.len();
    let stat = rest.take(STAT)?;
    let mode = u32::from_be_bytes(*stat[24..].first_chunk()?);
    let id = rest.id(format)?;
    let flags = rest.u16()?;
    let more = if version >= 3 && flags & 1 << 14 != 0 { rest.u16()? } else { 0 };
    let path = if version == 4 {
        let kept = last.len().checked_sub(rest.offset()?)?;
        let more = rest.until(0)?;
        // Each may keep all of the one before: long ones would take any memory.
        Cow::Owned((kept + more.len() <= MAX_PATH).then(|| [&last[..kept], more].concat())?)
    } else {
        let path = rest.until(0)?;
        // Filled up with zeros to eight bytes, of which at least one was there.
        let len = before - rest.0.len();
        rest.take(len.next_multiple_of(8) - len)?;
        Cow::Borrowed(path)
    };
    let what = match mode & 0o170_000 {
        _ if more & 1 << 13 != 0 => What::Intent,
        DIRECTORY => What::Tree,
        SUBMODULE => What::Submodule,
        _ => What::Blob,
    };
    Some(Entry { path, id, what, stage: (flags >> 12 & 3) as u8 })
}

/// A directory of the `TREE` extension, with its name.
fn cached(rest: &mut Rest<'_>, format: ObjectFormat) -> Option<(Vec<u8>, Cached)> {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    let mut open: Vec<(Vec<u8>, Cached, i64)> = Vec::new();
    loop {
        let name = rest.until(0)?.to_vec();
        let is_valid = number(rest.until(b' ')?)? >= 0;
        let below = number(rest.until(b'\n')?)?;
        let tree = if is_valid { Some(rest.id(format)?) } else { None };
        // Directories are no deeper than paths are long; what is deeper would be dropped by recursion.
        if open.len() > MAX_PATH / 2 {
            return None;
        }
        open.push((name, Cached { tree, below: BTreeMap::new() }, below));
        // Without recursion: how deep it goes is up to whoever wrote the file.
        while let Some((_, _, 0)) = open.last() {
            let (name, done, _) = open.pop()?;
            match open.last_mut() {
                None => return Some((name, done)),
                Some((_, parent, left)) => {
                    parent.below.insert(name, done);
                    *left -= 1;
                }
            }
        }
    }
}

/// The `link` extension: none if the base has no name.
fn link(rest: &mut Rest<'_>, format: ObjectFormat) -> Option<Option<Link>> {
    let base = rest.id(format)?;
    if base.as_bytes().iter().all(|byte| *byte == 0) {
        return Some(None);
    }
    if rest.0.is_empty() {
        return Some(Some(Link { base, deleted: Vec::new(), replaced: Vec::new() }));
    }
    let (deleted, replaced) = (bitmap(rest)?, bitmap(rest)?);
    Some(Some(Link { base, deleted, replaced }))
}

/// A bitmap that claims more entries than this is not believed: a run of ones takes memory for each, and costs a few bytes
/// to write. The largest repositories have some millions of files.
const MAX_ENTRIES: usize = 1 << 23;

/// The positions of the bits of an EWAH bitmap: words that say how many words of zeros or ones follow, and then how many as they
/// are (gitformat-bitmap(5)).
fn bitmap(rest: &mut Rest<'_>) -> Option<Vec<usize>> {
    let (bits, words) = (rest.u32()? as usize, rest.u32()? as usize);
    if bits > MAX_ENTRIES {
        return None;
    }
    let mut words = Rest(rest.take(words.checked_mul(8)?)?);
    rest.u32()?;
    let (mut found, mut at) = (Vec::new(), 0usize);
    while at < bits
        && let Some(word) = words.u64()
    {
        let run = 64 * ((word >> 1) & u64::from(u32::MAX)) as usize;
        if word & 1 == 1 {
            found.extend(at..bits.min(at + run));
        }
        at += run;
        for _ in 0..word >> 33 {
            let literal = words.u64()?;
            found.extend((0..64).filter(|bit| literal >> bit & 1 == 1).map(|bit| at + bit).filter(|at| *at < bits));
            at += 64;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fall(mut bytes in prop::collection::vec(any::<u8>(), 0..400), version in 2..5_u8, head in any::<bool>()) {
            if head {
                bytes.splice(..0, [b'D', b'I', b'R', b'C', 0, 0, 0, version, 0, 0, 0, 1]);
            }
            drop(parse(Path::new("index"), &bytes, ObjectFormat::Sha1));
            drop(bitmap(&mut Rest(&bytes)));
            drop(cached(&mut Rest(&bytes), ObjectFormat::Sha256));
        }
    }

    #[test]
    fn a_bitmap_has_runs_and_words() {
        let words: [u64; 3] = [1 | 1 << 1 | 1 << 33, 0b101, 0];
        let mut bytes = [130u32.to_be_bytes(), 3u32.to_be_bytes()].concat();
        words.iter().for_each(|word| bytes.extend(word.to_be_bytes()));
        bytes.extend(0u32.to_be_bytes());
        let expected: Vec<usize> = (0..64).chain([64, 66]).collect();
        assert_eq!(bitmap(&mut Rest(&bytes)), Some(expected));
    }
}

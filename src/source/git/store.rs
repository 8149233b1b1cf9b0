//! Turns object directories into packs and loose objects.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::commit_graph::{CommitGraph, is_as_written};
use super::index::{Index, MultiIndex, ObjectFormat};
use super::loose::{self, Loose};
use super::map::{Map, check, read};
use super::pack::Pack;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, Origin};

/// Git follows alternates of alternates that far (`link_alt_odb_entries`, object-file.c) and ignores what lies
/// deeper.
const MAX_DEPTH: usize = 6;

/// Every object that some object directories and their alternates hold. Read in place, never written.
#[derive(Debug)]
pub struct Stores {
    pub(super) format: ObjectFormat,
    pub(super) packs: Vec<Pack>,
    /// Files that say that a pack comes from a server which may hold back objects.
    pub(super) promisors: Vec<PathBuf>,
    /// Commits whose parents are not there by design.
    pub(super) shallow: HashSet<ObjectId>,
    /// Sorted by name; a name once.
    pub(super) loose: Vec<Loose>,
    /// The directories whose loose objects are not listed, but looked for one by one.
    probed: Vec<PathBuf>,
    /// Check that indices are in order, and list what is loose.
    whole: bool,
    /// The directories, alternates behind those that name them.
    dirs: Vec<PathBuf>,
    commit_graph: OnceLock<Option<CommitGraph>>,
    /// What could not be opened, and what lacks older commits by design.
    pub skips: Vec<Skip>,
}

impl Stores {
    /// Opens object directories (`.git/objects`, a quarantine directory) and, recursively, the alternates they name.
    /// Never fails: what cannot be opened is a skip.
    pub fn open(object_dirs: &[PathBuf], format: ObjectFormat) -> Stores {
        Stores::open_as(object_dirs, format, true)
    }

    /// As [`Stores::open`], for who reads a few objects by name: the cost does not grow with the number of objects. Walks need
    /// [`Stores::open`].
    pub fn open_quick(object_dirs: &[PathBuf], format: ObjectFormat) -> Stores {
        Stores::open_as(object_dirs, format, false)
    }

    fn open_as(object_dirs: &[PathBuf], format: ObjectFormat, whole: bool) -> Stores {
        let (packs, promisors, shallow, loose, probed, dirs, commit_graph, skips) = Default::default();
        let mut stores = Stores { format, packs, promisors, shallow, loose, probed, whole, dirs, commit_graph, skips };
        let mut seen = HashSet::new();
        for dir in object_dirs {
            stores.add_dir(dir, 0, &mut seen);
        }
        // A twin in a second directory is the same object: the first directory's is taken.
        stores.loose.sort_by_key(|loose| loose.id);
        stores.loose.dedup_by(|later, first| {
            let twin = later.id == first.id;
            if twin {
                first.twins.push(std::mem::take(&mut later.path));
            }
            twin
        });
        stores
    }

    /// What git wrote down of commits. Where a history is cut off, it may tell of more than there is.
    pub(super) fn commit_graph(&self) -> Option<&CommitGraph> {
        let open = || self.shallow.is_empty().then(|| CommitGraph::open(&self.dirs, self.format))?;
        self.commit_graph.get_or_init(open).as_ref()
    }

    /// Objects in all stores; one that is there twice counts twice.
    pub fn len(&self) -> usize {
        self.loose.len() + self.packs.iter().map(|pack| pack.index.len()).sum::<usize>()
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an object of that name is in some store.
    pub fn contains(&self, id: &ObjectId) -> bool {
        let loose = || self.loose_at(id).is_some() || (!self.probed.is_empty() && !self.loose_files(id).is_empty());
        self.packs.iter().any(|pack| pack.index.find(id).is_some()) || loose()
    }

    /// The objects whose names begin with these hex digits (in lower case); sorted.
    pub(super) fn beginning_with(&self, digits: &str) -> Vec<ObjectId> {
        let begins = |id: &ObjectId| id.to_string().starts_with(digits);
        let packed = self.packs.iter().flat_map(|pack| pack.index.from(digits).take_while(begins));
        let loose = self.loose.iter().map(|loose| loose.id).filter(begins);
        packed.chain(loose).collect::<BTreeSet<ObjectId>>().into_iter().collect()
    }

    /// Takes out of `wanted` what is in some store.
    pub(super) fn take_found<T>(&self, wanted: &mut Vec<(ObjectId, T)>) {
        self.packs.iter().for_each(|pack| pack.index.take_found(wanted));
        wanted.retain(|(id, _)| self.loose_at(id).is_none());
    }

    /// What tells each pack apart from all others: its checksum. `None` for one that is not sound, or that has no index of its own.
    pub fn checksums(&self) -> Vec<Option<&[u8]>> {
        self.packs.iter().map(|pack| pack.index.pack_checksum.as_deref().filter(|_| pack.sound)).collect()
    }

    /// A hash of which objects there are, in hex; `None` if a pack cannot be told apart from others.
    pub fn digest(&self) -> Option<String> {
        let mut packs: Vec<&[u8]> = self.checksums().into_iter().collect::<Option<_>>()?;
        packs.sort_unstable();
        let mut shallow: Vec<&ObjectId> = self.shallow.iter().collect();
        shallow.sort_unstable();
        let mut hash = Sha256::new();
        packs.iter().for_each(|checksum| hash.update(checksum));
        for ids in [self.loose.iter().map(|loose| &loose.id).collect(), shallow] {
            hash.update((ids.len() as u64).to_le_bytes());
            ids.iter().for_each(|id| hash.update(id.to_string()));
        }
        Some(HEXLOWER.encode(&hash.finalize()))
    }

    /// What its objects are named by.
    pub fn format(&self) -> ObjectFormat {
        self.format
    }

    /// How many objects a pack has.
    pub fn objects_in(&self, pack: usize) -> usize {
        self.packs[pack].index.len()
    }

    /// Whether a pack has an object of that name.
    pub fn is_in(&self, pack: usize, id: &ObjectId) -> bool {
        self.packs[pack].index.find(id).is_some()
    }

    /// In how many places an object is.
    pub(super) fn copies(&self, id: &ObjectId) -> usize {
        let packs = self.packs.iter().filter(|pack| pack.index.find(id).is_some()).count();
        packs + self.loose_at(id).map_or(0, |at| 1 + self.loose[at].twins.len())
    }

    /// Whether an object can have copies at all.
    pub(super) fn has_twins(&self) -> bool {
        self.packs.len() > 1 || !self.loose.is_empty() || !self.probed.is_empty()
    }

    /// Numbers of the packs whose table of names is not what its checksum says. Git does not ask either, before `git fsck`: it takes
    /// a look at every byte of the tables.
    pub fn misnamed(&self) -> HashSet<usize> {
        let mut files: HashMap<*const Map, bool> = HashMap::new();
        let is_broken = |(number, pack): (usize, &Pack)| {
            let file = pack.index.file();
            let is_sound = files.entry(Arc::as_ptr(file)).or_insert_with(|| is_as_written(file, self.format()));
            (!*is_sound).then_some(number)
        };
        self.packs.iter().enumerate().filter_map(is_broken).collect()
    }

    /// Where an object stands first, for asking in an order that is kind to the reader.
    pub fn place(&self, id: &ObjectId) -> (usize, u64) {
        let place = |(number, pack): (usize, &Pack)| Some((number, pack.index.offset(pack.index.find(id)?)?));
        self.packs.iter().enumerate().find_map(place).unwrap_or((usize::MAX, 0))
    }

    pub(super) fn loose_at(&self, id: &ObjectId) -> Option<usize> {
        self.loose.binary_search_by(|loose| loose.id.cmp(id)).ok()
    }

    /// The files that hold a loose object.
    pub(super) fn loose_files(&self, id: &ObjectId) -> Vec<PathBuf> {
        if let Some(at) = self.loose_at(id) {
            let loose = &self.loose[at];
            return std::iter::once(&loose.path).chain(&loose.twins).cloned().collect();
        }
        let name = id.to_string();
        let probe = |dir: &PathBuf| dir.join(&name[..2]).join(&name[2..]);
        self.probed.iter().map(probe).filter(|path| path.exists()).collect()
    }

    fn skip(&mut self, path: &Path, why: Why, detail: impl Into<String>) {
        let origin = Origin::File { path: path.to_owned(), tracking: None };
        self.skips.push(Skip { origin, why, detail: detail.into() });
    }

    fn add_dir(&mut self, dir: &Path, depth: usize, seen: &mut HashSet<PathBuf>) {
        let real = match dir.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.skip(dir, Why::MissingObject, "the store that is borrowed from is not there");
            }
            Err(error) => return self.skip(dir, Why::ReadError, error.to_string()),
        };
        if !seen.insert(real) {
            return;
        }
        if depth > MAX_DEPTH {
            return self.skip(dir, Why::ReadError, "alternates nested deeper than git follows them");
        }
        self.dirs.push(dir.to_owned());
        self.add_packs(&dir.join("pack"));
        for name in list_names(dir).unwrap_or_default().iter().filter(|name| name.starts_with("tmp_objdir-")) {
            self.skip(
                &dir.join(name),
                Why::Unfinished,
                "left behind by an interrupted git command, or a push that is under way",
            );
        }
        if self.whole {
            loose::list(dir, self.format, &mut self.loose, &mut self.skips);
        } else {
            self.probed.push(dir.to_owned());
        }
        let list = dir.join("info/alternates");
        match read(&list) {
            Ok(text) => alternates(&text, dir).iter().for_each(|dir| self.add_dir(dir, depth + 1, seen)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => self.skip(&list, Why::ReadError, error.to_string()),
        }
    }

    /// A file for which libgit2 would wait for ever: in the place of one that it opens stands a FIFO.
    pub(super) fn waiting(&self) -> Option<PathBuf> {
        let in_packs = |dir: &PathBuf| {
            let packs = dir.join("pack");
            let names = list_names(&packs).unwrap_or_default().into_iter();
            names.map(move |name| packs.join(name)).chain([dir.join("info/alternates")])
        };
        let is_special = |error: std::io::Error| error.kind() == std::io::ErrorKind::InvalidInput;
        self.dirs.iter().flat_map(in_packs).find(|path| check(path).is_err_and(is_special))
    }

    fn add_packs(&mut self, dir: &Path) {
        let names = match list_names(dir) {
            Ok(names) => names,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return self.skip(dir, Why::ReadError, error.to_string());
            }
            Err(error) if dir.is_symlink() => return self.skip(dir, Why::BrokenSymlink, error.to_string()),
            Err(_) => return,
        };
        let has = |name: &str| names.binary_search_by(|have| have.as_str().cmp(name)).is_ok();
        let mut multi = None;
        for name in &names {
            let path = dir.join(name);
            let Some(stem) = name.strip_suffix(".pack") else {
                self.note(&path, name, &has);
                continue;
            };
            if has(&format!("{stem}.idx")) {
                self.add_pack(&path, Map::open(&path.with_extension("idx")).map(Arc::new).map_err(|e| e.to_string()));
            } else {
                let multi = multi.get_or_insert_with(|| self.open_multi(&dir.join("multi-pack-index")));
                self.add_unindexed(&path, &format!("{stem}.idx"), multi.as_ref());
            }
        }
    }

    /// What a file that is no pack tells about completeness.
    fn note(&mut self, path: &Path, name: &str, has: &dyn Fn(&str) -> bool) {
        if name.starts_with("tmp_pack_") || name.starts_with("tmp_idx_") {
            self.skip(path, Why::Unfinished, "left behind by an interrupted git command");
        } else if name.ends_with(".promisor") {
            self.promisors.push(path.to_owned());
        } else if let Some(stem) = name.strip_suffix(".idx")
            && !has(&format!("{stem}.pack"))
        {
            self.skip(path, Why::CorruptPack, "its pack is gone");
        }
    }

    fn add_pack(&mut self, path: &Path, idx: Result<Arc<Map>, String>) {
        let index_path = path.with_extension("idx");
        let index = match idx {
            Ok(bytes) if self.whole => Index::parse(bytes, self.format),
            Ok(bytes) => Index::parse_unchecked(bytes, self.format),
            Err(error) => return self.skip(&index_path, Why::ReadError, error),
        };
        match index {
            Ok(index) => self.open_pack(path, index),
            Err(what) => self.skip(&index_path, Why::CorruptPack, what),
        }
    }

    fn open_pack(&mut self, path: &Path, index: Index) {
        match Pack::open(path, index, self.format) {
            Ok((pack, wrong)) => {
                wrong.into_iter().for_each(|what| self.skip(path, Why::CorruptPack, what));
                self.packs.push(pack);
            }
            Err(what) => self.skip(path, Why::CorruptPack, what),
        }
    }

    fn open_multi(&mut self, path: &Path) -> Option<MultiIndex> {
        let bytes = match Map::open(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.skip(path, Why::ReadError, error.to_string());
                return None;
            }
        };
        match MultiIndex::parse(bytes, self.format) {
            Ok(multi) => Some(multi),
            Err(what) => {
                self.skip(path, Why::CorruptPack, what);
                None
            }
        }
    }

    /// A pack without an index of its own: the multi-pack-index may know it.
    fn add_unindexed(&mut self, path: &Path, idx: &str, multi: Option<&MultiIndex>) {
        let known = multi.and_then(|multi| Some((multi, multi.packs.iter().position(|name| name == idx)?)));
        match known.map(|(multi, pack)| multi.index(pack)) {
            Some(Ok(index)) => self.open_pack(path, index),
            Some(Err(what)) => self.skip(path, Why::CorruptPack, format!("the multi-pack-index {what}")),
            None => self.skip(path, Why::Unfinished, "has no index"),
        }
    }
}

/// The names in a directory, sorted. Names that are no UTF-8 are none of git's.
fn list_names(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// The directories an `info/alternates` names: one a line, relative to the object directory, `#` comments; a line
/// that starts with a quote is a C string.
fn alternates(text: &[u8], dir: &Path) -> Vec<PathBuf> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#');
    lines.map(|line| dir.join(path(&unquote(line)))).collect()
}

/// A path of git as one of the system.
#[cfg(unix)]
pub fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// A path of git as one of the system.
#[cfg(not(unix))]
pub fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// Undoes git's C-style quoting; a line that is not quoted, or badly, is itself.
pub(super) fn unquote(line: &[u8]) -> Vec<u8> {
    let Some(inner) = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")) else { return line.to_vec() };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'\\' => match rest.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(high @ b'0'..=b'3') => {
                    let mut octal = u32::from(high - b'0');
                    for digit in rest.by_ref().take(2) {
                        octal = octal * 8 + u32::from(digit.wrapping_sub(b'0') & 7);
                    }
                    octal as u8
                }
                Some(other) => other,
                None => return line.to_vec(),
            },
            plain => plain,
        };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_are_read_as_git_writes_them() {
        let text = b"# a comment\n\n../other/objects\n/abs/olute\n\"/q/\\\"u\\303\\244\\ttab\"\n";
        let dirs = alternates(text, Path::new("/r/objects"));
        let names: Vec<_> = dirs.iter().map(|dir| dir.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["/r/objects/../other/objects", "/abs/olute", "/q/\"uä\ttab"]);
    }
}

//! Turns a repository's references into names and the commits they lead to, whatever the configuration says.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::layout::Layout;
use super::read::Reader;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// Tags of tags, and references to references, are followed this far.
const MAX_STEPS: usize = 16;

/// A reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// In full: `refs/heads/main`.
    pub name: String,
    /// The object that it names; `None` for one that leads to nothing.
    pub id: Option<ObjectId>,
    /// The commit it leads to; `None` for one that leads to something else or to nothing.
    pub commit: Option<ObjectId>,
}

/// All references of a repository.
#[derive(Debug, Default)]
pub struct References {
    /// Sorted by name.
    pub all: Vec<Reference>,
    /// The commit that is checked out.
    pub head: Option<ObjectId>,
    /// The commits that other work trees have checked out.
    pub heads: Vec<ObjectId>,
    /// What could not be read.
    pub skips: Vec<Skip>,
}

/// Reads the references of a repository: loose ones, packed ones, and `HEAD`.
pub fn references(layout: &Layout, reader: &mut Reader<'_>) -> References {
    let mut found = Found::default();
    let common = &layout.common_dir;
    if common.join("reftable").is_dir() {
        let detail = "references are kept in a reftable".to_owned();
        found.skip(&common.join("reftable"), Why::Unsupported, detail);
    }
    match std::fs::read(common.join("packed-refs")) {
        Ok(text) => found.packed(&text),
        Err(error) => found.unread(&common.join("packed-refs"), &error),
    }
    found.loose(common, "refs", 0);
    let head = std::fs::read(layout.git_dir.join("HEAD")).ok();
    let head = head.and_then(|text| found.resolve(&String::from_utf8_lossy(&text)));
    let mut peel = |id: ObjectId| peel(reader, id);
    let names: Vec<(String, String)> = found.raw.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let all = names.into_iter().map(|(name, value)| {
        let id = found.resolve(&value);
        Reference { name, id, commit: id.and_then(&mut peel) }
    });
    let all = all.collect();
    let head = head.and_then(|id| self::peel(reader, id));
    let heads = heads(layout).iter().filter_map(|text| found.resolve(text)).collect();
    References { all, head, heads, skips: found.skips }
}

/// What the `HEAD` files of linked work trees say, and that of the main one.
fn heads(layout: &Layout) -> Vec<String> {
    let linked = std::fs::read_dir(layout.common_dir.join("worktrees")).into_iter().flatten().flatten();
    let mut files: Vec<_> = linked.map(|entry| entry.path().join("HEAD")).collect();
    files.push(layout.common_dir.join("HEAD"));
    files.sort();
    files.iter().filter_map(|file| Some(String::from_utf8_lossy(&std::fs::read(file).ok()?).into_owned())).collect()
}

/// The commit that is checked out, read without looking at other references; `None` before the first commit.
pub(super) fn head(layout: &Layout) -> Result<Option<ObjectId>, Skip> {
    let skip = |path: &Path, why, detail: String| {
        let origin = Origin::File { path: path.to_owned(), tracking: None };
        Skip { origin, why, detail }
    };
    let reftable = layout.common_dir.join("reftable");
    if reftable.is_dir() {
        return Err(skip(&reftable, Why::Unsupported, "references are kept in a reftable".to_owned()));
    }
    let read = |path: &Path| match std::fs::read(path) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).trim().to_owned())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => Ok(None),
        Err(error) => Err(skip(path, Why::ReadError, error.to_string())),
    };
    let mut value = read(&layout.git_dir.join("HEAD"))?;
    for _ in 0..MAX_STEPS {
        let Some(text) = value else { return Ok(None) };
        let Some(name) = text.strip_prefix("ref:").map(str::trim) else {
            return Ok(ObjectId::from_hex(text.as_bytes()));
        };
        value = match (read(&layout.git_dir.join(name))?, read(&layout.common_dir.join(name))?) {
            (Some(own), _) => Some(own),
            (None, Some(common)) => Some(common),
            (None, None) => packed(read(&layout.common_dir.join("packed-refs"))?, name),
        };
    }
    Ok(None)
}

/// The id that a packed reference names.
fn packed(text: Option<String>, name: &str) -> Option<String> {
    let text = text?;
    let line = text.lines().find(|line| line.split_once(' ').is_some_and(|(id, other)| id != "#" && other == name))?;
    line.split_once(' ').map(|(id, _)| id.to_owned())
}

/// What the files say: an id in hex, or `ref: NAME`, by name.
#[derive(Default)]
struct Found {
    raw: BTreeMap<String, String>,
    skips: Vec<Skip>,
}

impl Found {
    fn skip(&mut self, path: &Path, why: Why, detail: String) {
        self.skips.push(Skip { origin: Origin::File { path: path.to_owned(), tracking: None }, why, detail });
    }

    fn unread(&mut self, path: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.skip(path, Why::ReadError, error.to_string());
        }
    }

    fn packed(&mut self, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines().filter(|line| !line.starts_with(['#', '^'])) {
            if let Some((id, name)) = line.split_once(' ') {
                self.raw.insert(name.to_owned(), id.to_owned());
            }
        }
    }

    /// Loose references win over packed ones.
    fn loose(&mut self, common: &Path, name: &str, depth: usize) {
        let directory = common.join(name);
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => return self.unread(&directory, &error),
        };
        for entry in entries {
            let Ok(entry) = entry else { continue };
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < 64 => self.loose(common, &name, depth + 1),
                Ok(kind) if kind.is_dir() => self.skip(&entry.path(), Why::Unsupported, "too deep".to_owned()),
                _ if name.ends_with(".lock") => {}
                _ => match std::fs::read(entry.path()) {
                    Ok(text) => drop(self.raw.insert(name, String::from_utf8_lossy(&text).into_owned())),
                    Err(error) => self.unread(&entry.path(), &error),
                },
            }
        }
    }

    fn resolve(&self, value: &str) -> Option<ObjectId> {
        let mut value = value.trim();
        for _ in 0..MAX_STEPS {
            match value.strip_prefix("ref:") {
                Some(name) => value = self.raw.get(name.trim())?.trim(),
                None => return ObjectId::from_hex(value.as_bytes()),
            }
        }
        None
    }
}

/// The commit that an id leads to, through tags.
fn peel(reader: &mut Reader<'_>, mut id: ObjectId) -> Option<ObjectId> {
    for _ in 0..MAX_STEPS {
        match reader.read(&id).ok()?? {
            (ObjectKind::Commit, _) => return Some(id),
            (ObjectKind::Tag, text) => id = ObjectId::from_hex(field(&text, b"object ")?)?,
            _ => return None,
        }
    }
    None
}

/// The value of a header line of a commit or tag.
pub fn field<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let head = text.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty());
    head.into_iter().find_map(|line| line.strip_prefix(name))
}

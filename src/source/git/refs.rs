//! Turns a repository's references into names and the commits they lead to, whatever the configuration says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::layout::Layout;
use super::map;
use super::read::Reader;
use super::reftable::{self, Part, Stack};
use super::store::Stores;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// Tags of tags, and references to references, are followed this far.
const MAX_STEPS: usize = 16;

/// What `HEAD` says where references are kept elsewhere than in files: no branch has such a name.
const ELSEWHERE: &str = "ref: refs/heads/.invalid";

/// A reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// In full: `refs/heads/main`; `HEAD` where no branch is checked out.
    pub name: String,
    /// What it names and what that leads to: tags, and at the end what is tagged.
    pub leads_to: Vec<ObjectId>,
    /// The commit it leads to; `None` for one that leads to something else or to nothing.
    pub commit: Option<ObjectId>,
}

impl Reference {
    /// The object that it names; `None` for one that leads to nothing.
    pub fn id(&self) -> Option<ObjectId> {
        self.leads_to.first().copied()
    }
}

/// All references of a repository.
#[derive(Debug, Default)]
pub struct References {
    /// Sorted by name.
    pub all: Vec<Reference>,
    /// The commit that is checked out.
    pub head: Option<ObjectId>,
    /// What could not be read.
    pub skips: Vec<Skip>,
}

/// What a repository's files say of its references.
#[derive(Debug, Default)]
pub struct Names {
    /// By name: an id in hex, or `ref: NAME`.
    raw: BTreeMap<String, String>,
    head: Option<String>,
    /// What symbolic ones in tables stand for; those in files are searched as files.
    tabled: Vec<String>,
    /// What could not be read.
    pub skips: Vec<Skip>,
}

/// Reads the references of a repository: loose ones, packed ones, and `HEAD`.
pub fn references(layout: &Layout, reader: &mut Reader<'_>) -> References {
    Names::read(layout).resolve(reader)
}

/// The commit that is checked out, read without looking at other references; `None` before the first commit.
pub(super) fn head(layout: &Layout) -> Result<Option<ObjectId>, Skip> {
    let skip = |path: &Path, why, detail: String| {
        let origin = Origin::File { path: path.to_owned(), tracking: None };
        Skip { origin, why, detail }
    };
    if reftable::is_at(&layout.common_dir) {
        let names = Names::of_tables(layout);
        return names.skips.first().cloned().map_or_else(|| Ok(names.checked_out()), Err);
    }
    let read = |path: &Path| match map::read(path) {
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
        if text == ELSEWHERE {
            let detail = "references are kept in a form that this version does not know".to_owned();
            return Err(skip(&layout.git_dir.join("HEAD"), Why::Unsupported, detail));
        }
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

impl Names {
    /// Reads the files that name references: loose ones, packed ones, `HEAD` and those of linked work trees.
    pub fn read(layout: &Layout) -> Names {
        let mut found = Names::default();
        let common = &layout.common_dir;
        if reftable::is_at(common) {
            return Names::of_tables(layout);
        }
        match map::read(&common.join("packed-refs")) {
            Ok(text) => found.packed(&common.join("packed-refs"), &text),
            Err(error) => found.unread(&common.join("packed-refs"), &error),
        }
        found.loose(common, "refs", 0);
        found.head = found.head(&layout.git_dir, "HEAD");
        for tree in list(&common.join("worktrees")) {
            let name = format!("worktrees/{}/HEAD", tree.to_string_lossy());
            found.head(&common.join("worktrees").join(&tree), &name);
            // Those of a work tree alone: `refs/bisect`, `refs/worktree`.
            found.loose(common, &format!("worktrees/{}/refs", tree.to_string_lossy()), 0);
        }
        if found.head.as_deref() == Some(ELSEWHERE) {
            let detail = "references are kept in a form that this version does not know".to_owned();
            found.skip(&layout.git_dir.join("HEAD"), Why::Unsupported, detail);
        }
        found
    }

    /// Reads the tables that name references: those of all work trees, and those of each.
    fn of_tables(layout: &Layout) -> Names {
        let mut found = Names::default();
        let head = found.tables(&layout.common_dir, "");
        if layout.git_dir != layout.common_dir {
            found.head = reftable::read(&layout.git_dir, Part::References).references.remove("HEAD");
        } else {
            found.head = head;
        }
        for tree in linked(layout) {
            let prefix = format!("worktrees/{}/", tree.file_name().unwrap_or_default().to_string_lossy());
            found.tables(&tree, &prefix);
        }
        found
    }

    /// Reads the tables of one git directory, and tells what its `HEAD` says. One that names no branch is a reference of its own; what
    /// else is not below `refs/`, as `ORIG_HEAD`, is none.
    fn tables(&mut self, git_dir: &Path, prefix: &str) -> Option<String> {
        let Stack { references, skips, .. } = reftable::read(git_dir, Part::References);
        self.skips.extend(skips);
        let head = references.get("HEAD").cloned();
        let targets = references.values().filter_map(|value| value.strip_prefix("ref:"));
        self.tabled.extend(targets.map(|target| target.trim().to_owned()));
        let is_named = |(name, value): &(String, String)| {
            name.starts_with("refs/") || (name == "HEAD" && !value.starts_with("ref:"))
        };
        self.raw
            .extend(references.into_iter().filter(is_named).map(|(name, value)| (format!("{prefix}{name}"), value)));
        head
    }

    /// The names, sorted.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.raw.keys().map(String::as_str)
    }

    /// What symbolic references stand for that are in no file of their own: it need not be there.
    pub fn tabled(&self) -> impl Iterator<Item = &str> {
        self.tabled.iter().map(String::as_str).filter(|target| !self.raw.contains_key(*target))
    }

    /// The object that a reference names, by its full name.
    pub fn id(&self, name: &str) -> Option<ObjectId> {
        self.resolve_name(self.raw.get(name)?)
    }

    /// The reference that a symbolic one stands for.
    pub fn stands_for(&self, name: &str) -> Option<&str> {
        self.raw.get(name)?.trim().strip_prefix("ref:").map(str::trim)
    }

    /// The commit that is checked out.
    pub fn checked_out(&self) -> Option<ObjectId> {
        self.resolve_name(self.head.as_deref()?)
    }

    /// The short name of the branch that is checked out.
    pub fn branch(&self) -> Option<&str> {
        self.head.as_deref()?.trim().strip_prefix("ref:")?.trim().strip_prefix("refs/heads/")
    }

    /// A hash of all references and what they stand for, in hex.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for text in self.raw.iter().flat_map(|(name, value)| [name, value]).chain(&self.head) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        HEXLOWER.encode(&hash.finalize())
    }

    /// What is wrong with references: they name an object that is nowhere, or nothing that could be one.
    pub fn broken(&self, stores: &Stores) -> Vec<Skip> {
        let mut skips = Vec::new();
        for (name, value) in &self.raw {
            let kind = None;
            match self.resolve_name(value) {
                Some(id) if stores.contains(&id) => {}
                Some(id) => {
                    let (origin, detail) = (Origin::Object { path: None, id, kind }, format!("{name} names it"));
                    skips.push(Skip { origin, why: Why::MissingObject, detail });
                }
                // A symbolic one may name a branch that is not born yet.
                None if value.starts_with("ref:") => {}
                None => {
                    let origin = Origin::Stream { name: name.clone() };
                    let detail = "is not what a reference looks like".to_owned();
                    skips.push(Skip { origin, why: Why::CorruptObject, detail });
                }
            }
        }
        skips
    }

    /// What the references lead to.
    pub fn resolve(self, reader: &mut Reader<'_>) -> References {
        let reference = |(name, value): (&String, &String)| {
            let (leads_to, commit) = self.resolve_name(value).map(|id| peel(reader, id)).unwrap_or_default();
            Reference { name: name.clone(), leads_to, commit }
        };
        let all = self.raw.iter().map(reference).collect();
        let head = self.head.as_deref().and_then(|value| self.resolve_name(value));
        References { all, head: head.and_then(|id| peel(reader, id).1), skips: self.skips }
    }

    /// What a `HEAD` says. One that names no branch is a reference of its own.
    fn head(&mut self, directory: &Path, name: &str) -> Option<String> {
        let text = map::read(&directory.join("HEAD")).ok()?;
        let value = String::from_utf8_lossy(&text).trim().to_owned();
        if !value.starts_with("ref:") {
            self.raw.insert(name.to_owned(), value.clone());
        }
        Some(value)
    }

    fn skip(&mut self, path: &Path, why: Why, detail: String) {
        self.skips.push(Skip { origin: Origin::File { path: path.to_owned(), tracking: None }, why, detail });
    }

    fn unread(&mut self, path: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.skip(path, Why::ReadError, error.to_string());
        }
    }

    fn packed(&mut self, path: &Path, text: &[u8]) {
        for (number, line) in (1..).zip(String::from_utf8_lossy(text).lines()) {
            if line.starts_with(['#', '^']) {
                continue;
            }
            match line.split_once(' ').filter(|(id, _)| ObjectId::from_hex(id.as_bytes()).is_some()) {
                Some((id, name)) => drop(self.raw.insert(name.to_owned(), id.to_owned())),
                // Not what stands there: it may be anything.
                None => {
                    let detail = format!("line {number} is not what a packed reference looks like");
                    self.skip(path, Why::CorruptObject, detail);
                }
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
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.unread(&directory, &error),
            };
            // Git knows no such names, file managers do.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < 64 => self.loose(common, &name, depth + 1),
                Ok(kind) if kind.is_dir() => self.skip(&entry.path(), Why::Unsupported, "too deep".to_owned()),
                _ if name.ends_with(".lock") => {}
                _ => match map::read(&entry.path()) {
                    Ok(text) => drop(self.raw.insert(name, String::from_utf8_lossy(&text).into_owned())),
                    Err(error) => self.unread(&entry.path(), &error),
                },
            }
        }
    }

    fn resolve_name(&self, value: &str) -> Option<ObjectId> {
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

/// What the reflogs of a repository say whose references are kept in tables: a line for each change of one; and what could not be read
/// of them. Other reflogs are files of their own.
pub fn logs_in_tables(layout: &Layout) -> (String, Vec<Skip>) {
    let (mut text, mut skips) = (String::new(), Vec::new());
    let trees = if reftable::is_at(&layout.common_dir) { linked(layout) } else { return (text, skips) };
    for git_dir in [layout.common_dir.clone()].into_iter().chain(trees) {
        let stack = reftable::read(&git_dir, Part::Log);
        text += &stack.log;
        skips.extend(stack.skips);
    }
    (text, skips)
}

/// The git directories of linked work trees that have tables of their own.
fn linked(layout: &Layout) -> Vec<PathBuf> {
    let all = layout.common_dir.join("worktrees");
    list(&all).into_iter().map(|name| all.join(name)).filter(|tree| reftable::is_at(tree)).collect()
}

/// What an id leads to through tags, itself first, and the commit at the end.
pub(super) fn peel(reader: &mut Reader<'_>, id: ObjectId) -> (Vec<ObjectId>, Option<ObjectId>) {
    let mut leads_to = vec![id];
    while let Some(&last) = leads_to.last().filter(|_| leads_to.len() <= MAX_STEPS) {
        match reader.read(&last) {
            Ok(Some((ObjectKind::Commit, _))) => return (leads_to, Some(last)),
            Ok(Some((ObjectKind::Tag, text))) => match field(&text, b"object ").and_then(ObjectId::from_hex) {
                Some(next) => leads_to.push(next),
                None => break,
            },
            _ => break,
        }
    }
    (leads_to, None)
}

/// The names in a directory, sorted; none if it cannot be read.
fn list(directory: &Path) -> Vec<OsString> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<OsString> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    names
}

/// The value of a header line of a commit or tag.
pub fn field<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let head = text.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty());
    head.into_iter().find_map(|line| line.strip_prefix(name))
}

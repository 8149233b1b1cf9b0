//! Turns a place into what of a repository is to be read: `.git` directories and files, bare repositories, linked
//! work trees.
//!
//! Nothing but the repository's own files is asked, so neither the user's nor the system's configuration can change
//! what is read.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::index::ObjectFormat;
use super::map::{self, read};
use super::reftable;
use super::store::{Stores, path as bytes_to_path, unquote};
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, Origin};

/// Why there is no repository to read.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// Neither here nor above.
    #[error("{0} is not in a git repository; name the work tree, its .git directory or a bare repository")]
    NotARepository(PathBuf),
    /// Something that names a git directory leads to none.
    #[error("{0} does not lead to a git directory; restore what it names, or remove it")]
    Dangling(PathBuf),
    /// The system refused.
    #[error("cannot read {0}: {1}")]
    Io(PathBuf, io::Error),
    /// A configuration that cannot be read says how objects are named.
    #[error("cannot read {0}: {1}; repair it with `git config --file`")]
    Config(PathBuf, String),
    /// A hash that this version does not know.
    #[error("{0} names its objects by {1}; known are sha1 and sha256")]
    ObjectFormat(PathBuf, String),
}

/// What git told the process that it started, a hook for one, of where things are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `GIT_DIR`.
    pub git_dir: Option<PathBuf>,
    /// `GIT_COMMON_DIR`.
    pub common_dir: Option<PathBuf>,
    /// `GIT_INDEX_FILE`.
    pub index: Option<PathBuf>,
    /// `GIT_OBJECT_DIRECTORY`: where new objects are, in quarantine until a push is accepted.
    pub objects: Option<PathBuf>,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`, read by [`alternate_paths`].
    pub alternates: Vec<PathBuf>,
}

/// Where a repository keeps what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `HEAD` and what else belongs to one work tree.
    pub git_dir: PathBuf,
    /// What all work trees share; the same as `git_dir` but for linked work trees.
    pub common_dir: PathBuf,
    /// Where objects are: one directory, but for a push that is still in quarantine.
    pub objects: Vec<PathBuf>,
    /// The index file of the work tree.
    pub index: PathBuf,
    /// How objects are named.
    pub format: ObjectFormat,
    /// Commits whose parents were not fetched; sorted.
    pub shallow: Vec<ObjectId>,
    /// What else there is that is not understood, and may keep something from being read.
    pub unclear: Vec<Skip>,
    /// Of a submodule, its name: nearly always its path in the work tree around it. Empty for the repository asked for.
    pub within: PathBuf,
}

impl Layout {
    /// Looks for a repository in a directory and then in those above it, as git does.
    pub fn discover(start: &Path) -> Result<Layout, LayoutError> {
        Ok(Layout::find(start)?.0)
    }

    /// As [`Layout::discover`]; and where git would be at work: at the top of the work tree, or where it was started if there is none.
    fn find(start: &Path) -> Result<(Layout, PathBuf), LayoutError> {
        let real = start.canonicalize().map_err(|error| LayoutError::Io(start.to_owned(), error))?;
        for dir in real.ancestors() {
            let inner = dir.join(".git");
            if inner.is_dir() && is_git_dir(&inner) {
                return Ok((Layout::of(&inner)?, dir.to_owned()));
            }
            if inner.is_file() {
                return Ok((Layout::of(&follow(&inner)?)?, dir.to_owned()));
            }
            if is_git_dir(dir) {
                return Ok((Layout::of(dir)?, start.to_owned()));
            }
        }
        Err(LayoutError::NotARepository(start.to_owned()))
    }

    /// The top of the work tree that a directory is in, or is the `.git` of.
    pub fn work_tree(start: &Path) -> Option<PathBuf> {
        let (layout, top) = Layout::find(start).ok()?;
        let is_git_dir = top.file_name().is_some_and(|name| name == ".git") && layout.git_dir.starts_with(&top);
        if is_git_dir { top.parent().map(Path::to_owned) } else { Some(top) }
    }

    /// The repository that is at a path in a work tree, with its own `.git` directory; not through links, which may lead anywhere.
    pub fn below(top: &Path, path: &Path) -> Option<Layout> {
        let mut inner = top.to_owned();
        for part in path.components().chain([Component::Normal(".git".as_ref())]) {
            inner.push(part);
            let is_plain = matches!(part, Component::Normal(_));
            inner.symlink_metadata().ok().filter(|metadata| is_plain && metadata.is_dir())?;
        }
        if is_git_dir(&inner) { Layout::of(&inner).ok() } else { None }
    }

    /// As [`Layout::discover`], unless the environment says where things are; relative to where git would be at work.
    pub fn locate(start: &Path, environment: &Environment) -> Result<Layout, LayoutError> {
        let (mut layout, top) = match &environment.git_dir {
            Some(git_dir) => (Layout::split(git_dir, environment.common_dir.clone())?, start.to_owned()),
            None => Layout::find(start)?,
        };
        if let Some(index) = &environment.index {
            layout.index = top.join(index);
        }
        if let Some(objects) = &environment.objects {
            layout.objects = vec![top.join(objects)];
        }
        layout.objects.extend(environment.alternates.iter().map(|alternate| top.join(alternate)));
        Ok(layout)
    }

    /// The layout of a git directory.
    pub fn of(git_dir: &Path) -> Result<Layout, LayoutError> {
        Layout::split(git_dir, None)
    }

    /// The layout of a git directory whose shared part may be said to be elsewhere.
    fn split(git_dir: &Path, common_dir: Option<PathBuf>) -> Result<Layout, LayoutError> {
        let common_dir = match common_dir {
            Some(common_dir) => common_dir,
            None => match read_path(&git_dir.join("commondir"), b"")? {
                Some(target) => git_dir.join(target),
                None => git_dir.to_owned(),
            },
        };
        if !common_dir.join("objects").is_dir() {
            return Err(LayoutError::Dangling(git_dir.to_owned()));
        }
        check_files([git_dir, &common_dir])?;
        let mut unclear = Vec::new();
        let format = format(&common_dir.join("config"), &mut unclear)?;
        let shallow = shallow(&common_dir.join("shallow"), &mut unclear)?;
        let (objects, index) = (vec![common_dir.join("objects")], git_dir.join("index"));
        let within = PathBuf::new();
        Ok(Layout { git_dir: git_dir.to_owned(), common_dir, objects, index, format, shallow, unclear, within })
    }

    /// Whether libgit2 finds nothing here, as it knows neither SHA-256 nor reftables, or something else than is there: it takes the
    /// parents from `info/grafts`.
    pub(super) fn is_beyond_libgit2(&self) -> bool {
        let has_grafts = self.common_dir.join("info/grafts").symlink_metadata().is_ok();
        self.format == ObjectFormat::Sha256 || reftable::is_at(&self.common_dir) || has_grafts
    }

    /// Opens the repository's objects, and names what it lacks by design.
    pub fn open(&self) -> Stores {
        let mut stores = Stores::open(&self.objects, self.format);
        stores.shallow = self.shallow.iter().copied().collect();
        stores.skips.extend(self.unclear.iter().cloned());
        if !self.shallow.is_empty() {
            let origin = Origin::File { path: self.common_dir.join("shallow"), tracking: None };
            let detail = "older commits were not fetched".to_owned();
            stores.skips.push(Skip { origin, why: Why::ShallowClone, detail });
        }
        stores
    }

    /// The git directories of submodules, below this one's `modules`, recursively; sorted.
    pub fn submodules(&self) -> Result<Vec<PathBuf>, LayoutError> {
        let trees = std::fs::read_dir(self.common_dir.join("worktrees")).into_iter().flatten().flatten();
        let mut left: Vec<PathBuf> = trees.map(|tree| tree.path().join("modules")).collect();
        left.push(self.common_dir.join("modules"));
        let mut found = Vec::new();
        while let Some(dir) = left.pop() {
            let entries = match std::fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(LayoutError::Io(dir, error)),
            };
            for entry in entries {
                let entry = entry.map_err(|error| LayoutError::Io(dir.clone(), error))?;
                // Not through links: they may lead in a circle.
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                if is_git_dir(&entry.path()) {
                    left.push(entry.path().join("modules"));
                    found.push(entry.path());
                } else {
                    left.push(entry.path());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// The directories of `GIT_ALTERNATE_OBJECT_DIRECTORIES`: between colons (semicolons on Windows), quoted as in C where
/// a name begins with a quote.
pub fn alternate_paths(text: &[u8]) -> Vec<PathBuf> {
    let separator = if cfg!(windows) { b';' } else { b':' };
    let (mut paths, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let quoted = rest.starts_with(b"\"").then(|| quoted_len(rest)).flatten();
        let end = quoted.or_else(|| memchr::memchr(separator, rest)).unwrap_or(rest.len());
        if end > 0 {
            paths.push(bytes_to_path(&unquote(&rest[..end])));
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    paths
}

/// Bytes up to and with the closing quote.
fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while *text.get(at)? != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    Some(at + 1)
}

/// As git has it: a `HEAD`, and objects and references here or where `commondir` says.
fn is_git_dir(dir: &Path) -> bool {
    let shared = dir.join("commondir").is_file() || (dir.join("objects").is_dir() && dir.join("refs").is_dir());
    shared && dir.join("HEAD").symlink_metadata().is_ok()
}

/// The git directory that a `.git` file names.
fn follow(file: &Path) -> Result<PathBuf, LayoutError> {
    let dangling = || LayoutError::Dangling(file.to_owned());
    let target = read_path(file, b"gitdir: ")?.ok_or_else(dangling)?;
    let dir = file.parent().unwrap_or(Path::new("")).join(target);
    if is_git_dir(&dir) { Ok(dir) } else { Err(dangling()) }
}

/// Refuses what is neither a file nor a directory in the place of what libgit2 opens: to open a FIFO is to wait for a writer.
fn check_files(directories: [&Path; 2]) -> Result<(), LayoutError> {
    const OPENED: [&str; 8] = [
        "config",
        "config.worktree",
        "HEAD",
        "shallow",
        "packed-refs",
        "info/grafts",
        "info/attributes",
        "objects/info/alternates",
    ];
    let paths = directories.iter().flat_map(|directory| OPENED.map(|name| directory.join(name)));
    for path in paths {
        match map::check(&path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(LayoutError::Io(path, error)),
            _ => {}
        }
    }
    Ok(())
}

/// The path that a one-line file holds after a prefix; `None` if there is no file.
fn read_path(file: &Path, prefix: &[u8]) -> Result<Option<PathBuf>, LayoutError> {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LayoutError::Io(file.to_owned(), error)),
    };
    let line = text.strip_prefix(prefix).ok_or_else(|| LayoutError::Dangling(file.to_owned()))?;
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Some(bytes_to_path(line.strip_suffix(b"\r").unwrap_or(line))))
}

fn skip(path: &Path, why: Why, detail: String) -> Skip {
    Skip { origin: Origin::File { path: path.to_owned(), tracking: None }, why, detail }
}

/// The commits that a `shallow` file lists, one a line.
fn shallow(file: &Path, unclear: &mut Vec<Skip>) -> Result<Vec<ObjectId>, LayoutError> {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if file.is_symlink() {
                unclear.push(skip(file, Why::BrokenSymlink, error.to_string()));
            }
            return Ok(Vec::new());
        }
        Err(error) => return Err(LayoutError::Io(file.to_owned(), error)),
    };
    let lines = || text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut ids: Vec<ObjectId> = lines().filter_map(ObjectId::from_hex).collect();
    if ids.len() < lines().count() {
        unclear.push(skip(file, Why::CorruptObject, "has a line that names no commit".to_owned()));
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Extensions that change nothing of what is read here, or that are understood (gitrepository-layout(5), git's
/// `Documentation/technical/repository-version.adoc`).
const EXTENSIONS: &[&str] = &[
    "noop",
    "noop-v1",
    "objectformat",
    "compatobjectformat",
    "partialclone",
    "preciousobjects",
    "refstorage",
    "relativeworktrees",
    "submodulepathconfig",
    "worktreeconfig",
];

/// How objects are named, by this one file. What git would refuse to read for what the file says is unclear.
fn format(config: &Path, unclear: &mut Vec<Skip>) -> Result<ObjectFormat, LayoutError> {
    if !config.exists() {
        return Ok(ObjectFormat::Sha1);
    }
    let bad = |error: git2::Error| LayoutError::Config(config.to_owned(), error.message().to_owned());
    let file = git2::Config::open(config).map_err(bad)?;
    let text = |name: &str| match file.get_string(name) {
        Ok(value) => Ok(Some(value.to_ascii_lowercase())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(bad(error)),
    };
    let version = match file.get_i64("core.repositoryformatversion") {
        Err(error) if error.code() == git2::ErrorCode::NotFound => 0,
        version => version.map_err(bad)?,
    };
    let mut names = Vec::new();
    let extensions = file.entries(Some("^extensions\\.")).map_err(bad)?;
    extensions.for_each(|entry| names.extend(entry.name().ok().map(str::to_owned))).map_err(bad)?;
    let unknown = names.iter().filter_map(|name| name.strip_prefix("extensions."));
    // git refuses these in version 0, too, and overlooks all others there.
    let is_later =
        |name: &str| matches!(name, "objectformat" | "compatobjectformat" | "refstorage" | "relativeworktrees");
    let is_unknown = |name: &&str| if version == 1 { !EXTENSIONS.contains(name) } else { is_later(name) };
    let unknown = unknown.filter(is_unknown).map(|name| format!("the extension {name} in this version"));
    let stored = text("extensions.refstorage")?.filter(|how| {
        let how = how.split("://").next().unwrap_or_default();
        !matches!(how, "files" | "reftable")
    });
    let stored = stored.map(|how| format!("references stored as {how}"));
    let version = (!matches!(version, 0 | 1)).then(|| format!("the format version {version}"));
    unclear.extend(unknown.chain(stored).chain(version).map(|what| {
        skip(config, Why::Unsupported, format!("{what} is not understood: what depends on it is not read"))
    }));
    match text("extensions.objectformat")?.as_deref() {
        None | Some("sha1") => Ok(ObjectFormat::Sha1),
        Some("sha256") => Ok(ObjectFormat::Sha256),
        Some(name) => Err(LayoutError::ObjectFormat(config.to_owned(), name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_of_the_environment_stand_between_colons() {
        let paths = alternate_paths(b"/a b:\"/c:\\303\\244\\\"\":rel::\"open");
        let names: Vec<_> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["/a b", "/c:\u{e4}\"", "rel", "\"open"]);
    }
}

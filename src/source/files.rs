//! Walks targets, in an order that depends on nothing but the names, and opens what is there.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, FileType};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};

use super::tracked::Tracked;
use crate::coverage::{Skip, Why};
use crate::origin::Origin;

/// One thing to scan, as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard input.
    Stdin,
    /// A file, a directory, a FIFO.
    Path(PathBuf),
}

/// The name that standard input has in reports.
pub const STDIN: &str = "<stdin>";

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stdin => f.write_str(STDIN),
            Target::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What to leave out.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Globs as in a `.gitignore`, relative to the target.
    pub exclude: Vec<String>,
    /// Leave out what `.gitignore` files, `.git/info/exclude` and the user's global ignore file name, and git does not track.
    pub respect_gitignore: bool,
    /// Larger files are skipped; in bytes.
    pub max_size: Option<u64>,
    /// Names of files that this run itself is writing: in no directory are they part of what is scanned.
    pub unfinished: Vec<OsString>,
}

/// What a walk comes across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A directory, before what is in it.
    Directory(PathBuf),
    /// A link to what is walked anyway.
    Link(PathBuf),
    /// A regular file.
    File(PathBuf),
    /// Something that can be read only once.
    Stream(Target),
    /// Something that cannot be read.
    Skip(Skip),
    /// Something the user left out.
    Excluded,
}

/// A target that cannot be walked at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path names nothing.
    #[error("{}: no such file or directory; check the spelling, or use - for standard input", .0.display())]
    Missing(PathBuf),
    /// A glob of `--exclude` is no glob.
    #[error("--exclude {glob}: {reason}")]
    Glob {
        /// As it was given.
        glob: String,
        /// What the parser said.
        reason: String,
    },
}

/// Checks targets and globs before anything is read.
pub fn check(targets: &[Target], options: &Options) -> Result<(), Error> {
    for target in targets {
        if let Target::Path(path) = target
            && let Err(error) = fs::metadata(path)
            && error.kind() == io::ErrorKind::NotFound
            && path.symlink_metadata().is_err()
        {
            return Err(Error::Missing(path.clone()));
        }
    }
    excludes(Path::new("."), options).map(drop)
}

/// Shows everything that the targets hold to `visit`: directories depth first, names in byte order. A file that several
/// targets lead to is shown once.
pub fn walk(
    targets: &[Target],
    options: &Options,
    visit: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut once = Once::of(targets);
    let visit = &mut |item: Item| match &item {
        Item::File(path) if !once.is_first(path) => ControlFlow::Continue(()),
        Item::Directory(path) | Item::Link(path) if !once.is_first_name(path) => ControlFlow::Continue(()),
        _ => visit(item),
    };
    for target in targets {
        let flow = match target {
            Target::Stdin => visit(Item::Stream(Target::Stdin)),
            Target::Path(path) => match fs::metadata(path) {
                Ok(what) if what.is_dir() => walk_directory(path, options, visit)?,
                Ok(what) if what.is_file() => visit(Item::File(shown(path).to_owned())),
                Ok(_) => visit(Item::Stream(target.clone())),
                Err(error) if path.is_symlink() => {
                    visit(Item::Skip(Skip { origin: file(path), why: link_reason(&error), detail: error.to_string() }))
                }
                Err(error) => visit(Item::Skip(skip(path, &error))),
            },
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// What was shown by its path, where targets overlap.
struct Once(Option<Seen>);

#[derive(Default)]
struct Seen {
    /// By what they lead to.
    files: HashSet<PathBuf>,
    /// By where they are.
    names: HashSet<PathBuf>,
}

impl Once {
    fn of(targets: &[Target]) -> Self {
        let real = |target: &Target| match target {
            Target::Stdin => None,
            Target::Path(path) => fs::canonicalize(path).ok(),
        };
        let mut real: Vec<PathBuf> = targets.iter().filter_map(real).collect();
        // What lies below a path stands right behind it.
        real.sort_unstable();
        Once(real.windows(2).any(|pair| pair[1].starts_with(&pair[0])).then(Seen::default))
    }

    fn is_first(&mut self, path: &Path) -> bool {
        let Some(seen) = &mut self.0 else { return true };
        fs::canonicalize(path).map_or(true, |real| seen.files.insert(real))
    }

    fn is_first_name(&mut self, path: &Path) -> bool {
        let (Some(seen), Some(directory), Some(name)) = (&mut self.0, path.parent(), path.file_name()) else {
            return true;
        };
        let directory = if directory == Path::new("") { Path::new(".") } else { directory };
        fs::canonicalize(directory).map_or(true, |real| seen.names.insert(real.join(name)))
    }
}

/// What a walk leaves out, for whoever asks about one path.
pub struct Excludes(Override);

impl Excludes {
    /// Fails for a glob that is none.
    pub fn new(options: &Options) -> Result<Self, Error> {
        excludes(Path::new(""), options).map(Excludes)
    }

    /// Whether a walk leaves out the file at this path, relative to the target.
    pub fn has(&self, file: &Path) -> bool {
        let part = |path: &Path| self.0.matched(path, path != file).is_ignore();
        file.ancestors().take_while(|part| !part.as_os_str().is_empty()).any(part)
    }
}

fn excludes(root: &Path, options: &Options) -> Result<Override, Error> {
    let mut globs = OverrideBuilder::new(root);
    let error = |glob: &str, reason: ignore::Error| Error::Glob { glob: glob.to_owned(), reason: reason.to_string() };
    for glob in &options.exclude {
        globs.add(&format!("!{glob}")).map_err(|reason| error(glob, reason))?;
    }
    globs.build().map_err(|reason| error("", reason))
}

fn walk_directory(
    root: &Path,
    options: &Options,
    visit: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let excludes = excludes(root, options)?;
    let real_root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let unfinished = options.unfinished.clone();
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(false)
        .git_ignore(options.respect_gitignore)
        .git_exclude(options.respect_gitignore)
        .git_global(options.respect_gitignore)
        .parents(options.respect_gitignore)
        .follow_links(false)
        .sort_by_file_name(|one, other| one.cmp(other))
        // A repository's own store is not a tree of files; `--history` reads it as what it is.
        .filter_entry(move |entry| {
            let name = entry.file_name();
            entry.depth() == 0 || (name != ".git" && !unfinished.iter().any(|own| own == name))
        });
    let mut sieve = Sieve { root, real_root: &real_root, excludes, left_out: None };
    let (mut tracked, skip) = match options.respect_gitignore {
        true => Some(Tracked::around(root, &real_root)).unzip(),
        false => (None, None),
    };
    let mut items: Vec<Item> = skip.flatten().map(Item::Skip).into_iter().collect();
    for entry in walk.build() {
        match entry {
            Ok(entry) => {
                let Some(kind) = entry.file_type() else { continue };
                if let Some(tracked) = &mut tracked {
                    items.extend(sieve.ignored(tracked.before(Some(entry.path()))));
                    let inner = (kind.is_dir() && entry.depth() > 0).then(|| tracked.enter(entry.path()));
                    items.extend(inner.flatten().map(Item::Skip));
                }
                items.extend(sieve.item(entry.path(), kind));
            }
            Err(error) => items.push(Item::Skip(walk_error(root, error))),
        }
        if items.drain(..).any(|item| visit(item).is_break()) {
            return Ok(ControlFlow::Break(()));
        }
    }
    let rest = sieve.ignored(tracked.map(|mut tracked| tracked.before(None)).unwrap_or_default());
    Ok(rest.into_iter().try_for_each(visit))
}

/// Tells what of a directory is to be read.
struct Sieve<'w> {
    root: &'w Path,
    real_root: &'w Path,
    excludes: Override,
    /// The directory that was excluded last.
    left_out: Option<PathBuf>,
}

impl Sieve<'_> {
    /// What the walk came to.
    fn item(&mut self, path: &Path, kind: FileType) -> Option<Item> {
        if self.left_out.as_ref().is_some_and(|dir| path.starts_with(dir)) {
            return None;
        }
        if path != self.root && self.excludes.matched(path, kind.is_dir()).is_ignore() {
            self.left_out = kind.is_dir().then(|| path.to_owned());
            return Some(Item::Excluded);
        }
        classify(path, kind, self.real_root)
    }

    /// Tracked files that the walk did not come to, nor to all directories above them.
    fn ignored(&mut self, tracked: Vec<(PathBuf, FileType)>) -> Vec<Item> {
        let mut items = Vec::new();
        for (path, kind) in tracked {
            let above: Vec<&Path> = path.ancestors().skip(1).take_while(|dir| *dir != self.root).collect();
            match above.into_iter().rev().find(|dir| self.excludes.matched(dir, true).is_ignore()) {
                Some(dir) if self.left_out.as_deref() != Some(dir) => {
                    self.left_out = Some(dir.to_owned());
                    items.push(Item::Excluded);
                }
                Some(_) => {}
                None => items.extend(self.item(&path, kind)),
            }
        }
        items
    }
}

fn classify(path: &Path, kind: FileType, real_root: &Path) -> Option<Item> {
    let skip = |why, detail: &str| Some(Item::Skip(Skip { origin: file(path), why, detail: detail.to_owned() }));
    if kind.is_file() {
        return Some(Item::File(shown(path).to_owned()));
    }
    if kind.is_dir() {
        return Some(Item::Directory(shown(path).to_owned()));
    }
    if !kind.is_symlink() {
        return skip(Why::SpecialFile, "a FIFO, socket or device");
    }
    match fs::canonicalize(path) {
        // What it points to is walked under its own name.
        Ok(real) if real.starts_with(real_root) => Some(Item::Link(shown(path).to_owned())),
        Ok(_) => skip(Why::SymlinkOutside, "leads out of the target"),
        Err(error) => skip(link_reason(&error), &error.to_string()),
    }
}

/// "Too many levels of symbolic links"; the standard library's name for it is not stable yet.
const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };

fn link_reason(error: &io::Error) -> Why {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Why::BrokenSymlink,
        io::ErrorKind::PermissionDenied => Why::PermissionDenied,
        _ if error.raw_os_error() == Some(ELOOP) => Why::SymlinkLoop,
        _ => Why::ReadError,
    }
}

fn walk_error(root: &Path, error: ignore::Error) -> Skip {
    let mut path = root.to_owned();
    let mut inner = &error;
    loop {
        match inner {
            ignore::Error::WithPath { path: at, err } => {
                path.clone_from(at);
                inner = err;
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => inner = err,
            _ => break,
        }
    }
    match inner {
        ignore::Error::Io(io) => skip(&path, io),
        other => Skip { origin: file(&path), why: Why::ReadError, detail: other.to_string() },
    }
}

/// The skip for a file or directory that the system would not read.
pub fn skip(path: &Path, error: &io::Error) -> Skip {
    let why = match error.kind() {
        io::ErrorKind::PermissionDenied => Why::PermissionDenied,
        io::ErrorKind::NotFound => Why::Vanished,
        _ => Why::ReadError,
    };
    Skip { origin: file(path), why, detail: error.to_string() }
}

fn file(path: &Path) -> Origin {
    Origin::File { path: shown(path).to_owned(), tracking: None }
}

/// The path without a leading `./`, which is how every other tool shows it.
fn shown(path: &Path) -> &Path {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest,
        _ => path,
    }
}

/// Standard input, unless it was closed when the program began: nothing to read is not an empty text.
pub fn stdin() -> io::Result<io::Stdin> {
    let stdin = io::stdin();
    if is_closed(&stdin) { Err(io::Error::other("standard input is closed")) } else { Ok(stdin) }
}

/// Rust opens the null device for reading and writing in the place of a closed standard input. So do those who start
/// programs and connect nothing; `< /dev/null` opens it for reading.
#[cfg(unix)]
fn is_closed(stdin: &io::Stdin) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
    let both_ways = fcntl_getfl(stdin).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    let is_null = || Ok::<_, rustix::io::Errno>(fstat(stdin)?.st_rdev == stat("/dev/null")?.st_rdev);
    both_ways && is_null() == Ok(true)
}

/// Not told apart from an empty one.
#[cfg(not(unix))]
fn is_closed(_: &io::Stdin) -> bool {
    false
}

/// Opens a file for reading and tells its size in bytes, as far as `options` allow it to be read.
pub fn open(path: &Path, options: &Options) -> Result<(File, u64), Skip> {
    let file = File::open(path).map_err(|error| skip(path, &error))?;
    let size = file.metadata().map_err(|error| skip(path, &error))?.len();
    match options.max_size {
        Some(most) if size > most => Err(Skip {
            origin: self::file(path),
            why: Why::TooLarge,
            detail: format!("{size} bytes, --max-size is {most}"),
        }),
        _ => Ok((file, size)),
    }
}

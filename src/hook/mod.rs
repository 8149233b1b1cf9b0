//! Turns the wish to be asked before git commits, pushes or receives into hook scripts, and what git tells a hook into what to scan.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::source::git::{HooksError, Layout, hooks_dir};

mod kept;
pub mod push;

/// The line by which a script is known as ours.
const MARK: &str = "# Written by `stanch hook install`";

/// The directory that keeps a hook that was there before; one that needs its place is kept beside ours, and this is added to its name.
const CHAINED: &str = "stanch-chained";

/// A moment at which git asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before a commit is made.
    PreCommit,
    /// Before a merge that went well is committed.
    PreMergeCommit,
    /// Before objects are sent to another repository.
    PrePush,
    /// On a server, before anything that was pushed is accepted.
    PreReceive,
    /// On a server, before one reference is changed.
    Update,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Hook; 5] = [Hook::PreCommit, Hook::PreMergeCommit, Hook::PrePush, Hook::PreReceive, Hook::Update];

    /// The name of its file.
    pub fn as_str(self) -> &'static str {
        match self {
            Hook::PreCommit => "pre-commit",
            Hook::PreMergeCommit => "pre-merge-commit",
            Hook::PrePush => "pre-push",
            Hook::PreReceive => "pre-receive",
            Hook::Update => "update",
        }
    }

    /// Git writes to its standard input which references change.
    fn reads_lines(self) -> bool {
        matches!(self, Hook::PrePush | Hook::PreReceive)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a hook could not be put in its place, or out of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody knows where hooks are.
    #[error(transparent)]
    Directory(#[from] HooksError),
    /// The system refused.
    #[error("cannot write {path}: {error}", path = .0.display(), error = .1)]
    Io(PathBuf, io::Error),
    /// Two hooks would have to be kept.
    #[error(
        "{one} and {other} are both there; remove the one that is not needed any more, then try again",
        one = .0.display(), other = .1.display()
    )]
    Both(PathBuf, PathBuf),
    /// A hook that would not work any more from elsewhere.
    #[error(
        "{there} goes by its own name and place, so it cannot be moved and called; add this line to {file}: {line}",
        there = .there.display(), file = .file.display()
    )]
    Rooted {
        /// The hook.
        there: PathBuf,
        /// Where the line belongs.
        file: PathBuf,
        /// What to add.
        line: String,
    },
}

/// What became of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in its place; the flag tells that it calls one that was there before.
    Installed {
        /// The script.
        path: PathBuf,
        /// Another hook is called first.
        chains: bool,
    },
    /// It is gone; the flag tells that what was there before is there again.
    Removed {
        /// Where the script was.
        path: PathBuf,
        /// Another hook is in its place again.
        restored: bool,
    },
    /// None of ours was there.
    Absent,
}

/// The hooks of a repository.
#[derive(Debug)]
pub struct Hooks {
    directory: PathBuf,
    /// Other repositories of the user's have the same.
    pub is_shared: bool,
}

impl Hooks {
    /// Where git looks for the hooks of a repository: `core.hooksPath`, or its own directory for them.
    pub fn of(layout: &Layout) -> Result<Hooks, Error> {
        let (directory, is_shared) = hooks_dir(layout)?;
        Ok(Hooks { directory, is_shared })
    }

    /// Puts a hook in its place that runs `program`; one that is there already is moved, and called first. Twice is once.
    pub fn install(&self, hook: Hook, program: &Path) -> Result<Outcome, Error> {
        let path = self.place(hook);
        if let Some(file) = self.rooted(hook, &path) {
            let line = format!("stanch hook run {hook}");
            let is_there = kept::calls(&file, &line);
            let arguments = if matches!(hook, Hook::PreCommit | Hook::PreMergeCommit) { "" } else { " -- \"$@\"" };
            let error = || Error::Rooted { there: path, file: file.clone(), line: format!("{line}{arguments}") };
            return is_there.then(|| Outcome::Installed { path: file.clone(), chains: false }).ok_or_else(error);
        }
        std::fs::create_dir_all(&self.directory).map_err(fail(&self.directory))?;
        let mut chained = self.chained(hook);
        if exists(&path) && !is_ours(&path) {
            // Pre-commit's own scripts are all the same: the newer one takes the place of the older.
            if let Some(other) = chained.filter(|other| !(kept::is_pre_commit(other) && kept::is_pre_commit(&path))) {
                return Err(Error::Both(path, other));
            }
            chained = Some(self.keep(hook, &path)?);
        }
        let written = write(&self.directory, &path, &script(hook, program, chained.as_deref()));
        if let Some(chained) = chained.as_ref().filter(|_| written.is_err() && !exists(&path)) {
            std::fs::rename(chained, &path).map_err(fail(&path))?;
        }
        written.map_err(fail(&path))?;
        Ok(Outcome::Installed { path, chains: chained.is_some() })
    }

    /// Removes a hook of ours, and puts back what was there before as it was.
    pub fn uninstall(&self, hook: Hook) -> Result<Outcome, Error> {
        let (path, chained) = (self.place(hook), self.chained(hook));
        if exists(&path) && !is_ours(&path) {
            return chained.map_or(Ok(Outcome::Absent), |chained| Err(Error::Both(path, chained)));
        }
        if !exists(&path) && chained.is_none() {
            return Ok(Outcome::Absent);
        }
        // Where pre-commit calls us, it is in its place already.
        let is_back = path != self.directory.join(hook.as_str()) && chained.as_deref().is_some_and(kept::is_pre_commit);
        if let Some(chained) = chained.as_ref().filter(|_| is_back) {
            std::fs::remove_file(chained).map_err(fail(chained))?;
        }
        let back = chained.filter(|_| !is_back);
        // What was there before takes the place of ours in one step.
        let done = back.as_ref().map_or_else(|| std::fs::remove_file(&path), |back| std::fs::rename(back, &path));
        done.map_err(fail(&path))?;
        // While other hooks are in it, it stays.
        drop(std::fs::remove_dir(self.directory.join(CHAINED)));
        Ok(Outcome::Removed { path, restored: back.is_some() })
    }

    /// The file that is ours, or is to be. Pre-commit moves what it finds, ours too, and calls it there.
    fn place(&self, hook: Hook) -> PathBuf {
        let (path, legacy) = (self.directory.join(hook.as_str()), self.directory.join(format!("{hook}.legacy")));
        let is_called = !is_ours(&path) && is_ours(&legacy) && kept::calls_legacy(&path);
        if is_called { legacy } else { path }
    }

    /// The hook that was there before.
    fn chained(&self, hook: Hook) -> Option<PathBuf> {
        [self.inside(hook), self.beside(hook)].into_iter().find(|path| exists(path))
    }

    fn inside(&self, hook: Hook) -> PathBuf {
        self.directory.join(CHAINED).join(hook.as_str())
    }

    fn beside(&self, hook: Hook) -> PathBuf {
        self.directory.join(format!("{hook}.{CHAINED}"))
    }

    /// Moves a hook to where it works as before.
    fn keep(&self, hook: Hook, path: &Path) -> Result<PathBuf, Error> {
        let kept = match kept::needs(path) {
            kept::Needs::Place => self.beside(hook),
            kept::Needs::Name | kept::Needs::Both => self.inside(hook),
        };
        let above = kept.parent().unwrap_or(&self.directory);
        std::fs::create_dir_all(above).map_err(fail(above))?;
        std::fs::rename(path, &kept).map_err(fail(&kept))?;
        Ok(kept)
    }

    /// Where a line belongs if the hook that is there cannot be moved. Husky's own directory is its to write, again and again.
    fn rooted(&self, hook: Hook, path: &Path) -> Option<PathBuf> {
        if self.directory.ends_with("_") && self.directory.join("h").exists() {
            return Some(self.directory.parent()?.join(hook.as_str()));
        }
        (!is_ours(path) && kept::needs(path) == kept::Needs::Both).then(|| path.to_owned())
    }
}

fn fail(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |error| Error::Io(path, error)
}

/// A link that leads nowhere is there, too.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn is_ours(path: &Path) -> bool {
    let is_marked = |text: Vec<u8>| memchr::memmem::find(&text, MARK.as_bytes()).is_some();
    !path.is_symlink() && std::fs::read(path).is_ok_and(is_marked)
}

/// Writes a script that appears only when it is whole.
fn write(directory: &Path, path: &Path, script: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".stanch-").tempfile_in(directory)?;
    file.write_all(script.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o755))?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// The script: first what was there before, then the program. A program that is gone refuses, too: nobody would notice otherwise.
/// Other tools keep hooks that they find and call them, as we do; where both did so in turn, each would call the other for ever. So a
/// hook that is called again below itself does not call what was there before again, nor pre-commit while it runs. It checks all the same.
fn script(hook: Hook, program: &Path, chained: Option<&Path>) -> String {
    let program = program.display().to_string().replace('\'', r"'\''");
    let is_beside = chained.is_some_and(|path| path.file_name().is_some_and(|name| name != hook.as_str()));
    let place = if is_beside { format!("{hook}.{CHAINED}") } else { format!("{CHAINED}/{hook}") };
    let (keep, call, run) = if hook.reads_lines() {
        (
            "lines=$(cat)\nfeed() { [ -z \"$lines\" ] || printf '%s\\n' \"$lines\"; }\n",
            "feed | \"$chained\" \"$@\"",
            "feed |",
        )
    } else {
        ("", "\"$chained\" \"$@\"", "exec")
    };
    format!(
        r#"#!/bin/sh
{MARK}; `stanch hook uninstall` removes it and restores what was here before.
stanch='{program}'
[ -x "$stanch" ] || stanch=stanch
case $0 in
    /* | ?:*) here=${{0%/*}} ;;
    */*) here=$PWD/${{0%/*}} ;;
    *) here=$PWD ;;
esac
chained="$here/{place}"
may_call() {{
    [ -x "$chained" ] && [ "$STANCH_CHAINED" != "$chained" ] || return 1
    [ -z "$PRE_COMMIT_RUNNING_LEGACY" ] || ! grep -q '{pre_commit}' "$chained"
}}
{keep}if may_call; then
    export STANCH_CHAINED="$chained"
    {call} || exit $?
fi
if ! command -v "$stanch" >/dev/null 2>&1; then
    echo "stanch is not installed any more, so nothing was checked: install it, or remove $0" >&2
    exit 2
fi
{run} "$stanch" hook run {hook} -- "$@"
"#,
        pre_commit = kept::PRE_COMMIT,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let script = script(Hook::PreCommit, Path::new("/it's here/stanch"), None);
        assert!(script.contains(r"stanch='/it'\''s here/stanch'"), "{script}");
    }
}

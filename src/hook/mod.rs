//! Turns the wish to be asked before git commits, pushes or receives into hook scripts, and what git tells a hook into what to scan.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::source::git::{HooksError, Layout, hooks_dir};

pub mod push;

/// The line by which a script is known as ours.
const MARK: &str = "# Written by `stanch hook install`";

/// What is added to the name of a hook that was there before.
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
}

impl Hooks {
    /// Where git looks for the hooks of a repository: `core.hooksPath`, or its own directory for them.
    pub fn of(layout: &Layout) -> Result<Hooks, Error> {
        Ok(Hooks { directory: hooks_dir(layout)? })
    }

    /// Puts a hook in its place that runs `program`; one that is there already is renamed, and called first. Twice is once.
    pub fn install(&self, hook: Hook, program: &Path) -> Result<Outcome, Error> {
        let (path, chained) = self.places(hook);
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |error| Error::Io(path, error)
        };
        std::fs::create_dir_all(&self.directory).map_err(fail(&self.directory))?;
        if exists(&path) && !is_ours(&path) {
            if exists(&chained) {
                return Err(Error::Both(path, chained));
            }
            std::fs::rename(&path, &chained).map_err(fail(&chained))?;
        }
        let chains = exists(&chained);
        let written = write(&self.directory, &path, &script(hook, program));
        if written.is_err() && chains && !exists(&path) {
            std::fs::rename(&chained, &path).map_err(fail(&path))?;
        }
        written.map_err(fail(&path))?;
        Ok(Outcome::Installed { path, chains })
    }

    /// Removes a hook of ours, and puts back what was there before as it was.
    pub fn uninstall(&self, hook: Hook) -> Result<Outcome, Error> {
        let (path, chained) = self.places(hook);
        let fail = |error| Error::Io(path.clone(), error);
        let restored = exists(&chained);
        if exists(&path) {
            if !is_ours(&path) {
                return if restored { Err(Error::Both(path, chained)) } else { Ok(Outcome::Absent) };
            }
        } else if !restored {
            return Ok(Outcome::Absent);
        }
        // What was there before takes the place of ours in one step.
        let done = if restored { std::fs::rename(&chained, &path) } else { std::fs::remove_file(&path) };
        done.map_err(fail)?;
        Ok(Outcome::Removed { path, restored })
    }

    fn places(&self, hook: Hook) -> (PathBuf, PathBuf) {
        (self.directory.join(hook.as_str()), self.directory.join(format!("{hook}.{CHAINED}")))
    }
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
/// hook that is called again below itself does not call what was there before again. It checks all the same.
fn script(hook: Hook, program: &Path) -> String {
    let program = program.display().to_string().replace('\'', r"'\''");
    let (keep, chained, run) = if hook.reads_lines() {
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
chained="$(cd "${{0%/*}}" && pwd)/{hook}.{CHAINED}"
{keep}if [ -x "$chained" ] && [ "$STANCH_CHAINED" != "$chained" ]; then
    export STANCH_CHAINED="$chained"
    {chained} || exit $?
fi
if ! command -v "$stanch" >/dev/null 2>&1; then
    echo "stanch is not installed any more, so nothing was checked: install it, or remove $0" >&2
    exit 2
fi
{run} "$stanch" hook run {hook} -- "$@"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let script = script(Hook::PreCommit, Path::new("/it's here/stanch"));
        assert!(script.contains(r"stanch='/it'\''s here/stanch'"), "{script}");
    }
}

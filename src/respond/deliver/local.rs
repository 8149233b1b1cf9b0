//! Files and programs of this machine, and the file of last resort.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Expected, Place};
use crate::secret::{Fingerprint, Secret};

pub(super) struct AtFile<'a> {
    pub path: &'a Path,
    pub expected: Expected<'a>,
}

impl AtFile<'_> {
    /// Where the file is made that takes its place.
    fn beside(&self) -> std::io::Result<tempfile::NamedTempFile> {
        let directory = self.path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        tempfile::Builder::new().prefix(".stanch-").tempfile_in(directory)
    }

    fn check(&self) -> Result<(), String> {
        match std::fs::symlink_metadata(self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.to_string()),
            Ok(found) if !found.is_file() => return Err("it is no plain file".to_owned()),
            Ok(_) => {}
        }
        let there = zeroize::Zeroizing::new(std::fs::read(self.path).map_err(|error| error.to_string())?);
        self.expected.is(&String::from_utf8_lossy(&there))
    }
}

impl Place for AtFile<'_> {
    fn probe(&self) -> Result<(), String> {
        self.check()?;
        self.beside().map(drop).map_err(|error| error.to_string())
    }

    #[expect(clippy::disallowed_methods, reason = "written to its place")]
    fn put(&self, new: &Secret) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        let line = zeroize::Zeroizing::new([new.expose(), b"\n"].concat());
        let there = std::fs::read(self.path).map(zeroize::Zeroizing::new);
        if there.is_ok_and(|there| *there == *line) {
            return Ok(());
        }
        self.check()?;
        let mut file = self.beside().map_err(failed)?;
        file.write_all(&line).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(self.path).map(drop).map_err(|error| failed(error.error))
    }
}

pub(super) struct AtCommand<'a> {
    pub words: &'a [String],
}

impl Place for AtCommand<'_> {
    fn probe(&self) -> Result<(), String> {
        let program = self.words.first().ok_or("the command is empty")?;
        // A name without a slash is looked for by the system when it is started.
        if program.contains('/') && !Path::new(program).is_file() {
            return Err(format!("there is no program {program}"));
        }
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "written to its place")]
    fn put(&self, new: &Secret) -> Result<(), String> {
        let (program, arguments) = self.words.split_first().ok_or("the command is empty")?;
        let cannot = |error: std::io::Error| format!("cannot run {program}: {error}");
        // What it prints may hold what it was given.
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(cannot)?;
        let written = child.stdin.take().map(|mut pipe| pipe.write_all(new.expose()));
        let status = child.wait().map_err(cannot)?;
        match written {
            _ if !status.success() => Err(format!("{program} failed: {status}")),
            Some(Err(_)) | None => Err(format!("{program} did not read all of its standard input")),
            Some(Ok(())) => Ok(()),
        }
    }
}

/// The file that takes a successor when no place does: opened before there is one, so that it can be written then.
#[derive(Debug)]
pub struct Spare {
    path: PathBuf,
    file: File,
    /// We made it: it is removed again if nothing was written.
    fresh: bool,
}

impl Spare {
    /// Makes the file, readable by its owner alone, or opens one that is like that already.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let (file, fresh) = match options.open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (ours(path)?, false),
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 != 0 {
            return Err(format!("{} can be read by others than its owner: chmod 600", path.display()));
        }
        Ok(Spare { path: path.to_owned(), file, fresh })
    }

    /// Adds a line: the fingerprint of the old token, and the new one.
    #[expect(clippy::disallowed_methods, reason = "written to the file that the user named for it")]
    pub fn keep(&mut self, old: Fingerprint, new: &Secret) -> Result<(), String> {
        let line = zeroize::Zeroizing::new([old.to_string().as_bytes(), b" ", new.expose(), b"\n"].concat());
        self.fresh = false;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_all());
        written.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if self.fresh {
            // An empty file that stays behind harms nobody.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Opens a file that is there, if it is a plain one of ours: whoever owns it could read what comes in, whatever its mode
/// is, and a link may lead to one of somebody else's choice.
fn ours(path: &Path) -> Result<File, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let seen = std::fs::symlink_metadata(path).map_err(failed)?;
    if !seen.is_file() {
        return Err(format!("{} is no plain file (a link is none): name the file itself", path.display()));
    }
    let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = file.metadata().map_err(failed)?;
        if (found.dev(), found.ino()) != (seen.dev(), seen.ino()) {
            return Err(format!("{} was replaced while it was opened", path.display()));
        }
        // What we make is ours, whoever we are.
        if found.uid() != tempfile::tempfile().and_then(|own| own.metadata()).map_err(failed)?.uid() {
            return Err(format!(
                "{} belongs to another user, who could read it: name a file of your own",
                path.display()
            ));
        }
    }
    Ok(file)
}

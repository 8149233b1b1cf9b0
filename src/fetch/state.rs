//! Remembers which logs were read, so that the next run reads only new ones. Holds no secret and no text of a log.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Raised by a change of the form.
const VERSION: u32 = 1;

/// A log is forgotten when no provider has it any more: GitHub keeps logs for 400 days at most.
const FORGET: i64 = 500;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A larger file is none of ours, in bytes: it would name ten million logs.
const LARGEST: u64 = 256 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{path}: cannot read what was scanned before: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no file of ours, or a broken one.
    #[error(
        "{path}: this is no state file of stanch, or a broken one ({why}); move it away, and every log is read again"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another version wrote it.
    #[error(
        "{path}: this state file has version {found}, this stanch writes {VERSION}; name another file with --state"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It cannot be written.
    #[error("{path}: cannot write what was scanned: {source}; the next run reads the same logs again")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is in the file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    version: u32,
    /// The rules and the version of stanch that read the logs.
    rules: String,
    /// For each host and project, each log and the day on which it was read, in days since 1970.
    read: BTreeMap<String, BTreeMap<String, i64>>,
}

/// What was read in earlier runs, and in this one.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    memory: Memory,
    today: i64,
    /// Logs that were read by other rules.
    others: usize,
}

impl State {
    /// Reads the file; one that is not there is an empty one. `rules` names the rules of this run, `now` is in seconds
    /// since 1970.
    pub fn load(path: &Path, rules: &str, now: i64) -> Result<Self, Error> {
        let memory = read(path)?;
        let today = now.div_euclid(DAY);
        let mut memory = memory.unwrap_or_else(|| Memory { version: VERSION, ..Memory::default() });
        for read in memory.read.values_mut() {
            read.retain(|_, day| today - *day <= FORGET);
        }
        memory.read.retain(|_, read| !read.is_empty());
        let all = memory.read.values().map(BTreeMap::len).sum();
        let others = if memory.rules == rules { 0 } else { all };
        rules.clone_into(&mut memory.rules);
        Ok(State { path: path.to_owned(), memory, today, others })
    }

    /// Logs that an earlier run has read by other rules than those of this one.
    pub fn read_by_others(&self) -> usize {
        self.others
    }

    pub(super) fn knows(&self, project: &str, log: &str) -> bool {
        self.memory.read.get(project).is_some_and(|read| read.contains_key(log))
    }

    pub(super) fn add(&mut self, project: String, log: String) {
        self.memory.read.entry(project).or_default().insert(log, self.today);
    }

    /// Writes the file anew, beside the old one, and puts it in its place.
    pub(super) fn save(&self) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let directory = self.path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".stanch-").tempfile_in(directory).map_err(failed)?;
        let text = serde_json::to_vec(&self.memory).map_err(|error| failed(error.into()))?;
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(&self.path).map(drop).map_err(|error| failed(error.error))
    }
}

fn read(path: &Path) -> Result<Option<Memory>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let corrupt = |why: String| Error::Corrupt { path: path.to_owned(), why };
    let text = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(found) if found.len() > LARGEST => return Err(corrupt("it is too large".to_owned())),
        Ok(_) => std::fs::read(path).map_err(failed)?,
    };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| corrupt(place(&error)))?;
    match value["version"].as_u64().and_then(|version| u32::try_from(version).ok()) {
        Some(VERSION) => serde_json::from_value(value).map(Some).map_err(|_| corrupt("its form is another".to_owned())),
        Some(found) => Err(Error::Version { path: path.to_owned(), found }),
        None => Err(corrupt("it names no version".to_owned())),
    }
}

/// Where an error is. What stands there is not shown: whatever the file is, it may hold a secret.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_known_until_nobody_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        let mut state = State::load(&path, "rules", 100 * DAY).unwrap();
        assert!(!state.knows("github:o/r", "1"));
        state.add("github:o/r".to_owned(), "1".to_owned());
        state.save().unwrap();
        let state = State::load(&path, "rules", 101 * DAY).unwrap();
        assert!(state.knows("github:o/r", "1") && !state.knows("github:o/r", "2"));
        assert_eq!(state.read_by_others(), 0);
        assert_eq!(State::load(&path, "new rules", 101 * DAY).unwrap().read_by_others(), 1);
        assert!(!State::load(&path, "rules", (101 + FORGET) * DAY).unwrap().knows("github:o/r", "1"));
    }

    #[test]
    fn a_broken_file_is_said_to_be_one_and_not_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        for text in ["", "{\"version\":1", "{}", "[1]", "{\"version\":1,\"hidden\":\"word\"}"] {
            std::fs::write(&path, text).unwrap();
            let said = State::load(&path, "", 0).unwrap_err().to_string();
            assert!(said.contains("broken") && !said.contains("word"), "{said}");
        }
        std::fs::write(&path, "{\"version\":2}").unwrap();
        assert!(matches!(State::load(&path, "", 0), Err(Error::Version { found: 2, .. })));
    }
}

//! Logs that are elsewhere: how a scan asks for them, whoever has them and by whatever way they come.

use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;

use crate::coverage::{Skip, Why};
use crate::origin::Origin;

/// Why something elsewhere was not read, or not to its end. Errors of readers hold it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unread {
    /// In one of a fixed set of words.
    pub why: Why,
    /// For people. Holds no secret.
    pub detail: String,
}

/// A log, or another file of a CI run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// As [`Origin::Log`] has it.
    pub project: String,
    /// As [`Origin::Log`] has it.
    pub run: String,
    /// As [`Origin::Log`] has it; of an archive what stands before its members' names.
    pub part: String,
    /// Names it among the project's, for ever.
    pub id: String,
    /// Where its owner gives it, in its own way.
    pub address: String,
    /// The page that shows it to people.
    pub page: String,
    /// The job that wrote it, where it is one job's.
    pub job: Option<String>,
    /// When it was begun, as its owner writes it.
    pub time: Option<String>,
    /// The content must be an archive: anything else is an error in its place.
    pub archive: bool,
    /// What writes it has not ended.
    pub grows: bool,
}

impl Log {
    /// The place of a member of it, or its own.
    pub fn origin(&self, member: Option<&str>) -> Origin {
        let part = match member {
            Some(member) if self.part.is_empty() => member.to_owned(),
            Some(member) => format!("{}/{member}", self.part),
            None => self.part.clone(),
        };
        Origin::Log { project: self.project.clone(), run: self.run.clone(), part }
    }
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Something to read.
    Log(Box<Log>),
    /// Something that there is, or may be, and that cannot be read.
    Skip(Skip),
}

/// Whoever has logs.
pub trait Remote: fmt::Debug + Send + Sync {
    /// Gives everything that there is to read, project by project, the newest first, until `give` breaks.
    fn list(&self, give: &mut dyn FnMut(Listed) -> ControlFlow<()>);

    /// Opens a log. Errors of the reader hold an [`Unread`].
    fn open(&self, log: &Log) -> Result<Box<dyn Read + Send>, Unread>;

    /// What a reader needs to find a place of the log again, by name. Not yet masked.
    fn facts(&self, log: &Log, place: &Origin) -> Vec<(&'static str, String)>;

    /// Is told that a log was read to its end.
    fn done(&self, log: &Log);
}

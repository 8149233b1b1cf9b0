//! Findings counted by verdict, coverage, and the exit that follows.

use crate::baseline::Known;
use crate::chunk::Position;
use crate::coverage::{Coverage, Why};
use crate::exit::Exit;
use crate::finding::{Finding, Inspected, State, Verdict};
use crate::origin::Origin;

/// Something worth knowing that was met on the way and is no leak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// A GitLab job token was refused by a project whose allowlist lacks the job's project.
    JobTokenRefused {
        /// Path of the project whose job asked, if the log names it.
        caller: Option<String>,
        /// Path or number of the project that was asked.
        callee: String,
    },
}

/// A note and where it was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is.
    pub kind: NoteKind,
    /// One sentence for people. Holds no secret.
    pub text: String,
    /// The log.
    pub origin: Origin,
    /// Where in the log.
    pub position: Position,
}

/// Which findings make a run fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Every one that counts.
    #[default]
    Found,
    /// Those that are not proven dead: who was not asked, or could not tell, has proven nothing.
    Live,
    /// Those alone that are proven live.
    ProvenLive,
}

/// What the providers said of the findings that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Which of them make the run fail.
    pub fail_on: FailOn,
    /// They work, at least for something.
    pub live: u64,
    /// They are proven dead.
    pub dead: u64,
    /// Nobody could tell, or nobody was asked.
    pub unknown: u64,
}

impl Asked {
    /// Counts a finding that counts.
    pub fn count(&mut self, inspected: Option<&Inspected>) {
        match inspected.map(|it| it.state) {
            Some(State::Live | State::Limited) => self.live += 1,
            Some(State::Dead) => self.dead += 1,
            Some(State::Unknown) | None => self.unknown += 1,
        }
    }

    /// Whether a finding that counts makes the run fail.
    pub fn fails(&self, inspected: Option<&Inspected>) -> bool {
        match (self.fail_on, inspected.map(|it| it.state)) {
            (FailOn::Found, _) => true,
            (FailOn::Live, state) => state != Some(State::Dead),
            (FailOn::ProvenLive, state) => matches!(state, Some(State::Live | State::Limited)),
        }
    }

    /// How many of `reported` make the run fail.
    fn failing(&self, reported: u64) -> u64 {
        match self.fail_on {
            FailOn::Found => reported,
            FailOn::Live => reported.saturating_sub(self.dead),
            FailOn::ProvenLive => self.live,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Findings that count.
    pub reported: u64,
    /// Findings that somebody allowed.
    pub allowed: u64,
    /// Findings that the baseline knows.
    pub baselined: u64,
    /// Entries of the baseline that match nothing any more, as far as the scan could tell.
    pub stale: Vec<Known>,
    /// Entries of the baseline that match something and have expired: they hide it no longer.
    pub expired: Vec<Known>,
    /// Look-alikes below the confidence that was asked for.
    pub hidden: u64,
    /// What was read and what was not.
    pub coverage: Coverage,
    /// What is worth knowing and no leak, in the order of the findings.
    pub notes: Vec<Note>,
    /// Reasons of skips that the user accepted with `--accept-skip`; still counted, no longer exit 3.
    pub accepted: Vec<Why>,
    /// What the user should know of the run itself, one sentence each. Holds no secret.
    pub warnings: Vec<String>,
    /// What the providers said, if they were asked.
    pub asked: Option<Asked>,
    /// Stopped by a signal.
    pub interrupted: bool,
}

impl Summary {
    /// Counts one finding under its verdict.
    pub fn count(&mut self, finding: &Finding) {
        match finding.verdict {
            Verdict::Reported => self.reported += 1,
            Verdict::Allowed(_) => self.allowed += 1,
            Verdict::Baselined { .. } => self.baselined += 1,
            Verdict::Hidden => self.hidden += 1,
        }
    }

    /// Skips that nobody accepted.
    pub fn unaccepted(&self) -> usize {
        self.coverage.skips.iter().filter(|skip| !self.accepted.contains(&skip.why)).count()
    }

    /// The exit code's meaning.
    pub fn exit(&self) -> Exit {
        if self.interrupted {
            Exit::Interrupted
        } else if self.asked.unwrap_or_default().failing(self.reported) > 0 {
            Exit::Found
        } else if self.unaccepted() > 0 {
            Exit::Unread
        } else {
            Exit::Clean
        }
    }
}

//! Findings counted by verdict, coverage, and the exit that follows.

use crate::baseline::Known;
use crate::coverage::{Coverage, Why};
use crate::exit::Exit;
use crate::finding::{Finding, Verdict};

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
    /// Reasons of skips that the user accepted with `--accept-skip`; still counted, no longer exit 3.
    pub accepted: Vec<Why>,
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
        } else if self.reported > 0 {
            Exit::Found
        } else if self.unaccepted() > 0 {
            Exit::Unread
        } else {
            Exit::Clean
        }
    }
}

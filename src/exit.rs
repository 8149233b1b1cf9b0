//! The exit codes and how two outcomes merge.

/// The outcome of a run as the shell sees it. README's table of exit codes is read by a test against this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing found, or nothing that the user wanted to hear of, and everything read.
    Clean,
    /// Something was found.
    Found,
    /// The run could not start: usage, configuration, a broken rule.
    CouldNotRun,
    /// Nothing found, but something could not be read.
    Unread,
    /// Stopped by a signal; what was found so far was reported.
    Interrupted,
    /// The code of the command whose output was filtered.
    Command(u8),
}

impl Exit {
    /// The number the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Found => 1,
            Exit::CouldNotRun => 2,
            Exit::Unread => 3,
            Exit::Interrupted => 130,
            Exit::Command(code) => code,
        }
    }

    /// The outcome of two runs taken together (a filtered command stands alone): 130 outranks 2 outranks 1 outranks 3 outranks 0.
    #[must_use]
    pub fn and(self, other: Exit) -> Exit {
        let rank = |exit| match exit {
            Exit::Clean => 0,
            Exit::Unread => 1,
            Exit::Found => 2,
            Exit::CouldNotRun => 3,
            Exit::Interrupted => 4,
            Exit::Command(_) => 5,
        };
        if rank(self) >= rank(other) { self } else { other }
    }
}

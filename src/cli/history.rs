//! What `--history` is asked to read.

use std::path::PathBuf;

use jiff::{Span, Timestamp, Zoned, civil};

use super::config::parse_size;
use crate::scan::history::{CacheIn, Request};
use crate::source::git::{Environment, Revision, Scope};

/// How much memory objects may take unless `--memory` says otherwise, in bytes.
const MEMORY: u64 = 512 << 20;

/// What the options stand below in the help. As `next_help_heading` it would be the heading of what follows them, too.
const HEADING: &str = "What of a history is read";

/// The options of `--history`.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "history-options")]
pub(super) struct Args {
    /// With --history: only what these commits brought, as `git rev-list` has it: A..B, A...B, ^A, REV (repeatable)
    #[arg(long, value_name = "RANGE", requires = "history", conflicts_with = "ci_env", help_heading = HEADING)]
    range: Vec<String>,
    /// With --history: not what this revision reaches (repeatable); with nothing else, all references but that
    #[arg(long, value_name = "REV", requires = "history", conflicts_with = "ci_env", help_heading = HEADING)]
    not: Vec<String>,
    /// With --history: everything this branch, tag or other revision reaches (repeatable); with --ci-logs: runs of this branch
    #[arg(long, value_name = "REF", conflicts_with = "ci_env", help_heading = HEADING)]
    pub(super) branch: Vec<String>,
    /// With --history: what commits brought that say they were committed since then (2026-01-31, 2026-01-31T08:00:00Z, "3 weeks ago"),
    /// or all but what a commit reaches, which does not rely on dates; with --ci-logs: runs that were created since then, or within
    /// 7d, 12h
    #[arg(long, value_name = "DATE|COMMIT", conflicts_with = "ci_env", help_heading = HEADING)]
    pub(super) since: Option<String>,
    /// With --history: what the last N commits on every line of history brought; 1 is the newest alone
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "history", conflicts_with = "ci_env", help_heading = HEADING)]
    max_depth: Option<u32>,
    /// With --history: the repositories of submodules, too
    #[arg(long, requires = "history", conflicts_with_all = ["range", "not", "branch", "since", "max_depth", "ci_env"], help_heading = HEADING)]
    submodules: bool,
    /// With --history or --ci-env: most memory for objects (64MB, 2GB) [default: 512MB]; larger objects are read in pieces, not what is built from one
    #[arg(long, value_name = "SIZE", value_parser = memory, requires = "objects", help_heading = HEADING)]
    memory: Option<u64>,
    /// With --history: remember in this directory what was in each pack, to read only new ones the next time; auto is stanch/ in the
    /// git directory. Use one that nobody else can write to: what it says was read is not read
    #[arg(long, value_name = "DIR", requires = "history", conflicts_with = "ci_env", help_heading = HEADING)]
    cache: Option<PathBuf>,
    /// With --history or --ci-env: leave authors and their addresses out of reports
    #[arg(long, requires = "objects", help_heading = HEADING)]
    no_authors: bool,
}

fn memory(text: &str) -> Result<u64, String> {
    parse_size(text).filter(|&size| size >= 1 << 20).ok_or_else(|| "write 1MB or more, as in 64MB or 2GB".to_owned())
}

impl Args {
    /// The request for the repository at `target`.
    pub(super) fn request(&self, target: PathBuf) -> Request {
        Request {
            repository: target,
            environment: Environment::default(),
            scope: self.scope(),
            submodules: self.submodules,
            memory: self.memory.unwrap_or(MEMORY),
            authors: !self.no_authors,
            cache: self.cache.clone().map(|directory| match directory.to_str() {
                Some("auto") => CacheIn::Repository,
                _ => CacheIn::Directory(directory),
            }),
        }
    }

    /// What of the history was asked for, if not all.
    fn scope(&self) -> Option<Scope> {
        let named = self.range.iter().chain(&self.branch).cloned().map(Revision::Text);
        let mut scope = Scope { depth: self.max_depth, ..Scope::default() };
        scope.revisions = named.chain(self.not.iter().cloned().map(Revision::Not)).collect();
        if let Some(since) = &self.since {
            match time(since, &now()) {
                Some(time) => scope.since = Some(time.as_second()),
                None => scope.revisions.push(Revision::Not(since.clone())),
            }
        }
        (scope != Scope::default()).then_some(scope)
    }
}

/// The time of this run, where it runs.
pub(super) fn now() -> Zoned {
    let now = Timestamp::from_second(super::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    now.to_zoned(jiff::tz::TimeZone::system())
}

/// A point in time: a day, a day and a time of day (here, unless it says where), or how long ago, also as git has it
/// (`2.weeks.ago`, `yesterday`: a day ago, `today`: since midnight).
pub(super) fn time(text: &str, now: &Zoned) -> Option<Timestamp> {
    let here = |time: civil::DateTime| time.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp());
    match text {
        "today" => return now.start_of_day().ok().map(|midnight| midnight.timestamp()),
        "yesterday" => return time("1 day ago", now),
        _ => {}
    }
    let ago = || text.replace('.', " ").parse::<Span>().ok().filter(|_| text.ends_with("ago"));
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<civil::DateTime>().ok().filter(|_| text.contains('-')).and_then(here))
        .or_else(|| now.checked_add(ago()?).ok().map(|zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_from_a_commit() {
        let now: Zoned = "2026-03-29T12:00[Europe/Berlin]".parse().unwrap();
        let utc = |text| time(text, &now).map(|time| time.to_string());
        assert_eq!(utc("2026-03-28").as_deref(), Some("2026-03-27T23:00:00Z"));
        assert_eq!(utc("2026-03-28 10:30").as_deref(), Some("2026-03-28T09:30:00Z"));
        assert_eq!(utc("2026-03-28T10:30:00+05:00").as_deref(), Some("2026-03-28T05:30:00Z"));
        assert_eq!(utc("2 days ago").as_deref(), Some("2026-03-27T11:00:00Z"));
        assert_eq!(utc("2.days.ago").as_deref(), Some("2026-03-27T11:00:00Z"));
        assert_eq!(utc("yesterday").as_deref(), Some("2026-03-28T11:00:00Z"));
        assert_eq!(utc("today").as_deref(), Some("2026-03-28T23:00:00Z"));
        for revision in ["HEAD~3", "20260328", "v1.0", "main", "2 days", "deadbeef"] {
            assert_eq!(utc(revision), None, "{revision}");
        }
    }
}

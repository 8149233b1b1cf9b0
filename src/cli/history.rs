//! What `--history` is asked to read.

use std::path::PathBuf;

use super::config::parse_size;
use crate::scan::history::{CacheIn, Request};

/// How much memory objects may take unless `--memory` says otherwise, in bytes.
const MEMORY: u64 = 512 << 20;

/// The options of `--history`.
#[derive(Debug, clap::Args)]
#[group(id = "history-options")]
pub(super) struct Args {
    /// With --history: the repositories of submodules, too
    #[arg(long, requires = "history", help_heading = "What of a history is read")]
    submodules: bool,
    /// With --history: most memory for objects (64MB, 2GB) [default: 512MB]; larger objects are read in pieces
    #[arg(long, value_name = "SIZE", value_parser = memory, requires = "history", help_heading = "What of a history is read")]
    memory: Option<u64>,
    /// With --history: remember in this directory what was in each pack, to read only new ones the next time; auto is stanch/ in the
    /// git directory. Use one that nobody else can write to: what it says was read is not read
    #[arg(long, value_name = "DIR", requires = "history", help_heading = "What of a history is read")]
    cache: Option<PathBuf>,
    /// With --history: leave authors and their addresses out of reports
    #[arg(long, requires = "history", help_heading = "What of a history is read")]
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
            only: None,
            submodules: self.submodules,
            memory: self.memory.unwrap_or(MEMORY),
            authors: !self.no_authors,
            cache: self.cache.clone().map(|directory| match directory.to_str() {
                Some("auto") => CacheIn::Repository,
                _ => CacheIn::Directory(directory),
            }),
        }
    }
}

//! What can be said on the command line of a scan.

use std::path::PathBuf;

use crate::cli::output::Wanted;
use crate::cli::pack::Selection;
use crate::cli::{ci_logs, config, history};
use crate::coverage::Why;
use crate::report::Format;
use crate::rule::Confidence;
use crate::source::log::Dialect;
use crate::summary::FailOn;

/// What is searched, and for what. What is not said comes from the configuration file, then from the default.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("objects").args(["history", "ci_env"]).multiple(true))]
pub(in crate::cli) struct Search {
    /// Files, directories, FIFOs, or - for standard input [default: .]
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<PathBuf>,

    /// Search everything that the git repository at TARGET holds, instead of its files
    #[arg(long, help_heading = "What is read")]
    pub(in crate::cli) history: bool,
    /// Search what the next commit would change, as the index of the repository at TARGET has it, instead of its files
    #[arg(long, conflicts_with_all = ["history", "log", "log_dialect", "respect_gitignore"], help_heading = "What is read")]
    pub(in crate::cli) staged: bool,
    /// Search what the change brought for which a CI system runs this, as its environment tells; where no change is told (a schedule), all
    /// that references lead to. A CI system that is not known is an error
    #[arg(long, conflicts_with_all = ["staged", "log", "log_dialect", "respect_gitignore"], help_heading = "What is read")]
    pub(super) ci_env: bool,
    #[command(flatten)]
    pub(in crate::cli) in_history: history::Args,
    /// Leave out files and directories that match, as in a .gitignore (repeatable)
    #[arg(long, value_name = "GLOB", help_heading = "What is read")]
    pub(super) exclude: Vec<String>,
    /// Leave out what git ignores and does not track; by default ignored files are read, because they leak, too
    #[arg(long, help_heading = "What is read")]
    pub(super) respect_gitignore: bool,
    /// Skip larger files (500, 64k, 10MB); by default none is too large
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "What is read")]
    pub(super) max_size: Option<u64>,
    /// Do not exit with 3 for what was not read for this reason (repeatable); it is still counted
    #[arg(long, value_name = "REASON", value_parser = parse_reason, help_heading = "What is read")]
    pub(super) accept_skip: Vec<Why>,
    /// The targets are logs: what terminals and CI systems add to the text is undone, too
    #[arg(long, help_heading = "What is read")]
    pub(super) log: bool,
    /// Whose logs they are, instead of finding out line by line; implies --log
    #[arg(long, value_name = "DIALECT", value_parser = parse_dialect, help_heading = "What is read")]
    pub(super) log_dialect: Option<Dialect>,
    /// Undo so many encodings inside each other (base64, hex, escapes …); 0 undoes none [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=16), help_heading = "What is read")]
    pub(super) decode_depth: Option<u8>,
    /// Look into archives and compressed files, so many inside each other; 0 searches them as they are [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=32), help_heading = "What is read")]
    pub(super) archive_depth: Option<u8>,
    /// Threads that search [default: as many as there are cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "What is read")]
    pub(in crate::cli) jobs: Option<u16>,

    /// Report findings of at least this confidence [default: medium]
    #[arg(long, value_name = "LEVEL", value_parser = parse_confidence, help_heading = "What is found")]
    pub(super) confidence: Option<Confidence>,
    /// Use only this rule (repeatable)
    #[arg(long = "rule", value_name = "ID", help_heading = "What is found")]
    pub(super) only: Vec<String>,
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Add the rules of a TOML file, ours or gitleaks' (repeatable)
    #[arg(long, value_name = "PATH", help_heading = "What is found")]
    pub(super) rules: Vec<PathBuf>,
    /// Ignore, with a warning, what of betterleaks' keys in rule files cannot be honoured
    #[arg(long, help_heading = "What is found")]
    pub(super) lenient: bool,
    /// Configuration file; otherwise the nearest .stanch.toml or .gitleaks.toml upwards from the target
    #[arg(long, value_name = "PATH", help_heading = "What is found")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// A server asks, about what somebody pushes to the repository here
    #[arg(skip)]
    pub(in crate::cli) for_server: bool,
    /// Hide what this file knows: a baseline of ours, a gitleaks report or a .secrets.baseline
    #[arg(long, value_name = "FILE", help_heading = "What is found")]
    pub(in crate::cli) baseline: Option<PathBuf>,
}

impl Search {
    /// What is searched: the directory in which we are, unless something is named.
    pub(in crate::cli) fn targets(&self) -> Vec<PathBuf> {
        if self.targets.is_empty() { vec![PathBuf::from(".")] } else { self.targets.clone() }
    }

    /// The first target that is a path.
    pub(in crate::cli) fn first(&self) -> Option<PathBuf> {
        self.targets().into_iter().next().filter(|path| path.as_os_str() != "-")
    }
}

/// What can be said on the command line of a scan.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    pub(in crate::cli) search: Search,
    #[command(flatten)]
    pub(in crate::cli) ci: ci_logs::Args,
    /// Show findings that somebody allowed, or that the baseline knows, too
    #[arg(long, help_heading = "What is found")]
    pub(super) show_allowed: bool,

    /// Ask the providers whether the tokens that are found work. A token is shown to its own provider's host alone
    /// (docs/respond.md)
    #[arg(long, help_heading = "What the providers say")]
    pub(in crate::cli) inspect: bool,
    /// Which findings make the run fail: found (all that count), live (all that are not proven dead: what nobody could
    /// tell of fails, too) or proven-live [default: found]
    #[arg(long, value_parser = parse_fail_on, value_name = "WHICH", requires = "inspect", help_heading = "What the providers say")]
    pub(super) fail_on: Option<FailOn>,
    /// Ask nobody. A scan asks nobody anyway unless --inspect is said, which this forbids
    #[arg(long, conflicts_with = "inspect", help_heading = "What the providers say")]
    pub(super) offline: bool,

    /// How to report [default: text]
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_format, help_heading = "How it is reported")]
    pub(super) format: Option<Format>,
    /// Write the report to this file, readable by you alone, once it is whole; - is standard output
    #[arg(short, long, value_name = "FILE", help_heading = "How it is reported")]
    pub(super) output: Option<PathBuf>,
    /// Write a report, to standard output or to a file (repeatable)
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = Wanted::parse, help_heading = "How it is reported")]
    pub(super) report: Vec<Wanted>,
    /// No colours; so does the environment variable NO_COLOR
    #[arg(long, help_heading = "How it is reported")]
    pub(super) no_color: bool,
    /// Say nothing but the report
    #[arg(short, long, conflicts_with = "verbose", help_heading = "How it is reported")]
    pub(in crate::cli) quiet: bool,
    /// Name everything that was not read, and the time it took
    #[arg(short, long, help_heading = "How it is reported")]
    pub(super) verbose: bool,
}

fn parse_fail_on(text: &str) -> Result<FailOn, String> {
    let known = [("found", FailOn::Found), ("live", FailOn::Live), ("proven-live", FailOn::ProvenLive)];
    let found = known.into_iter().find(|(word, _)| *word == text);
    found.map(|(_, which)| which).ok_or_else(|| "found, live or proven-live".to_owned())
}

fn parse_reason(text: &str) -> Result<Why, String> {
    let known = || Why::ALL.iter().map(|why| why.as_str()).collect::<Vec<_>>().join(", ");
    Why::ALL.iter().copied().find(|why| why.as_str() == text).ok_or_else(|| format!("the reasons are {}", known()))
}

fn parse_dialect(text: &str) -> Result<Dialect, String> {
    let known = || Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect::<Vec<_>>().join(", ");
    Dialect::parse(text).ok_or_else(|| format!("the dialects are {}", known()))
}

pub(in crate::cli) fn parse_confidence(text: &str) -> Result<Confidence, String> {
    let levels = [Confidence::Low, Confidence::Medium, Confidence::High];
    levels.into_iter().find(|level| level.as_str() == text).ok_or_else(|| "low, medium or high".to_owned())
}

fn parse_size(text: &str) -> Result<u64, String> {
    config::parse_size(text).ok_or_else(|| "write bytes, or 64k, 10MB, 1GiB".to_owned())
}

fn parse_format(text: &str) -> Result<Format, String> {
    Ok(Wanted::parse(&text.replace('=', " "))?.format)
}

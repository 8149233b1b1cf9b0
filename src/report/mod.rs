//! Turns findings and a summary into what a reader asked for.
//!
//! A format is one file here and one line in `formats!` below. It gets only what is to be shown, with every secret
//! already masked in every untrusted string (`mask`), and the secret itself taken out; so it cannot print one.
//! What a format must still do is escape for its own channel (`escape`).
//!
//! Same findings, same bytes: no format reads a clock, a terminal or the environment.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::finding::Finding;
use crate::rule::{Confidence, RuleSet};
use crate::summary::Summary;

mod bitbucket;
mod codequality;
mod common;
mod companion;
mod csv;
pub mod escape;
mod github;
mod gitlab;
mod history;
mod json;
mod junit;
mod markdown;
mod mask;
mod sarif;
mod text;

/// Where a report goes.
pub type Out = Box<dyn Write + Send>;

/// What a report knows before the first finding.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    /// The rules of the run.
    pub rules: &'a RuleSet,
    /// stanch's own version.
    pub version: &'a str,
    /// The absolute directory that `%SRCROOT%` stands for: the work tree's top, or the directory scanned.
    pub root: Option<PathBuf>,
    /// The absolute directory that relative paths of findings start from: the one stanch was called in. Without it
    /// they are taken to start from `root`.
    pub base: Option<PathBuf>,
    /// The repository the files belong to.
    pub repository: Option<Repository>,
    /// Findings below this are hidden.
    pub confidence: Confidence,
    /// Show what somebody allowed, too.
    pub show_allowed: bool,
    /// `--confidence low`: nothing is hidden.
    pub show_hidden: bool,
    /// When the scan was started, in seconds since 1970 (UTC).
    pub now: i64,
    /// The findings come when all is searched, as those of a history do: a format that streams waits for the last one, too,
    /// so that every secret is masked in every finding.
    pub at_once: bool,
    /// The targets as they were given.
    pub targets: Vec<String>,
    /// Takes out of a name or path whatever looks like a secret, also one that nobody found: names of files are not
    /// searched, and what could not be read may be called by one.
    pub masked: fn(&str) -> Cow<'_, str>,
}

/// A repository, as far as a report names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// Where it was cloned from. Credentials in it are removed (again) before it is shown.
    pub uri: Option<String>,
    /// The commit that is checked out, in hex.
    pub revision: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
}

/// How a report may look. Only `text` uses `color`, `escape`, `width` and `verbose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Write ANSI colours.
    pub color: bool,
    /// Show what a terminal would obey or hide (control, bidi and zero-width characters, workflow commands) as
    /// `\u{202e}`. Only for a file may it be off; line ends in names are escaped even then.
    pub escape: bool,
    /// Columns of the terminal; lines of code are cut to it.
    pub width: usize,
    /// Name every skip, not only the first of each reason.
    pub verbose: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { color: false, escape: true, width: 120, verbose: false }
    }
}

/// Takes findings in their final order and writes them in its own way.
pub trait Report {
    /// Called once, first.
    fn begin(&mut self, header: &Header<'_>) -> io::Result<()>;
    /// Called for every finding, in the final order; allowed and hidden ones too.
    fn finding(&mut self, finding: &Finding) -> io::Result<()>;
    /// Called once, last, also when the run was interrupted. Flushes.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}

/// Declares [`Format`] from one line per format: variant, module function that makes it, name, whether it is written
/// while findings still come (then a secret is masked only from its own finding on), and one line of help.
macro_rules! formats {
    ($($variant:ident $make:path, $name:literal, streams: $streams:literal, $about:literal;)+) => {
        /// A way to write a report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Format {
            $(#[doc = $about] $variant,)+
        }

        impl Format {
            /// Every format, in the order of the help text.
            pub const ALL: &'static [Format] = &[$(Format::$variant),+];

            /// The name that `--format` takes.
            pub fn as_str(self) -> &'static str {
                match self { $(Format::$variant => $name,)+ }
            }

            /// One line of help.
            pub fn about(self) -> &'static str {
                match self { $(Format::$variant => $about,)+ }
            }

            fn streams(self) -> bool {
                match self { $(Format::$variant => $streams,)+ }
            }

            fn make(self, out: Out, style: Style) -> Box<dyn Report + Send> {
                match self { $(Format::$variant => Box::new($make(out, style)),)+ }
            }
        }
    };
}

formats! {
    Text text::Text::new, "text", streams: true, "For people: a code frame for each finding, then what was read";
    Json json::Json::new, "json", streams: false, "One JSON document";
    Jsonl json::Jsonl::new, "jsonl", streams: true, "One JSON object per line, written as it is found";
    Sarif sarif::Sarif::new, "sarif", streams: false, "SARIF 2.1.0, for GitHub code scanning and others";
    Github github::new, "github", streams: false, "Workflow commands: annotations in a GitHub Actions run";
    Markdown markdown::new, "markdown", streams: false, "A table in Markdown, for a job summary or a comment";
    Gitlab gitlab::new, "gitlab", streams: false, "GitLab's secret detection report";
    Codequality codequality::new, "codequality", streams: false, "GitLab's code quality report";
    Bitbucket bitbucket::new, "bitbucket", streams: false, "A report and annotations for Bitbucket's Code Insights";
    Junit junit::new, "junit", streams: false, "JUnit XML: every finding is a failed test";
    Csv csv::new, "csv", streams: false, "Comma-separated values with a header line, for spreadsheets";
}

impl Format {
    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.as_str() == name)
    }
}

/// A report in `format`, written to `out`.
pub fn report(format: Format, out: Out, style: Style) -> Box<dyn Report + Send> {
    Box::new(mask::Masked::new(format.make(out, style), format.streams()))
}

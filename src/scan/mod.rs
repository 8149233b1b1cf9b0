//! Turns a plan into findings and coverage.
//!
//! The only module that sees both sources and detection.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::baseline::Baseline;
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::prefilter::for_each_run;
use crate::detect::{Detector, pattern};
use crate::finding::{Finding, Verdict};
use crate::origin::Origin;
use crate::place::Places;
use crate::rule::{Confidence, RuleSet};
use crate::secret::Secret;
use crate::source::files::{self, Item, Target};
use crate::source::git::{LayoutError, NotOwned, Progress, ScopeError, StageError};
use crate::source::log::Dialect;
use crate::source::remote::Remote;
use crate::source::worktree::Worktrees;
use crate::summary::{Note, Summary};

mod annals;
mod armour;
mod cache;
mod chronicle;
mod collect;
mod compose;
pub mod filter;
pub mod history;
mod known;
mod lfs;
mod log;
mod masker;
mod object;
mod opened;
mod own;
mod packed;
mod pool;
mod remote;
mod scanner;
mod snippet;
pub mod staged;
mod suspect;
mod told;

use object::Searcher;

pub use cache::digest;
pub use snippet::redacted;

/// What to scan and how. Complete: nothing below asks the environment, the clock or the terminal.
#[derive(Debug)]
pub struct Plan {
    /// What to scan, in this order.
    pub targets: Vec<Target>,
    /// Scan this repository instead of the targets.
    pub history: Option<history::Request>,
    /// Scan what this repository's next commit would change instead of the targets.
    pub staged: Option<staged::Request>,
    /// Scan the logs that somebody else has instead of the targets.
    pub remote: Option<Arc<dyn Remote>>,
    /// What else must not be shown beside a finding, where the rules are not all that we know.
    pub masks: Option<Arc<RuleSet>>,
    /// What to leave out.
    pub files: files::Options,
    /// The targets are logs, of this dialect: their normalised text is searched, too.
    pub log: Option<Dialect>,
    /// What to look for.
    pub rules: Arc<RuleSet>,
    /// Threads that search; at least 1.
    pub jobs: usize,
    /// Findings below this are look-alikes: counted, not reported.
    pub confidence: Confidence,
    /// What leads from the paths of files to those of their repository, which fingerprints of guessable secrets go by.
    pub places: Places,
    /// Directories that are scanned and are in no work tree: what leads to them says nothing of what is in them.
    pub tops: Vec<PathBuf>,
    /// What is known already and hidden.
    pub baseline: Option<Baseline>,
    /// Reasons of skips that do not make the exit code 3.
    pub accept: Vec<Why>,
    /// Key for fingerprints of secrets that could be guessed.
    pub fingerprint_key: Option<Secret>,
    /// Seconds since 1970 (UTC), for what has expired.
    pub now: i64,
    /// How many encodings inside each other are undone; 0: none.
    pub decode: u8,
    /// How many archives and compressions inside each other are undone; 0: none.
    pub unpack: u8,
    /// How much of an object is searched at once, in bytes; `source::read::CHUNK` unless a test says otherwise.
    pub chunk: usize,
}

/// Why a scan could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A target or a glob is wrong.
    #[error(transparent)]
    Target(#[from] files::Error),
    /// A rule does not compile.
    #[error(transparent)]
    Rule(#[from] pattern::Error),
    /// There is no repository that could be read.
    #[error(transparent)]
    Repository(#[from] LayoutError),
    /// The repository is somebody else's.
    #[error(transparent)]
    Owner(#[from] NotOwned),
    /// A range that means nothing.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// There is no index that could be read.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The system has no threads left.
    #[error("cannot start threads: {0}; try a smaller --jobs")]
    Threads(#[from] std::io::Error),
}

/// What others may see of a scan while it runs, and the way to stop it.
#[derive(Debug, Default)]
pub struct Watch {
    /// Set it to stop the scan; what was found so far is reported.
    pub interrupt: AtomicBool,
    /// Files read so far.
    pub files: AtomicU64,
    /// Bytes read so far.
    pub bytes: AtomicU64,
    /// How far the walk over a repository's objects has come.
    pub objects: Progress,
    /// Findings so far that count.
    pub findings: AtomicU64,
}

/// What one object, or a batch of them, came to.
#[derive(Debug, Default)]
struct Outcome {
    findings: Vec<Finding>,
    notes: Vec<Note>,
    coverage: Coverage,
}

impl Outcome {
    /// Whether somebody waits for it.
    fn is_urgent(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict != Verdict::Hidden) || !self.notes.is_empty()
    }
}

/// Scans. Findings come to `sink` in an order that depends on the plan alone: the order of the targets, within a
/// target by path, within an object by position.
pub fn run(plan: &Plan, watch: &Watch, sink: &mut dyn FnMut(Finding)) -> Result<Summary, Error> {
    run_with(plan, &detector(plan)?, watch, sink)
}

/// What [`run_with`] needs for this plan.
pub fn detector(plan: &Plan) -> Result<Detector, Error> {
    Ok(Detector::new(plan.rules.clone(), plan.now)?.with_depth(plan.decode).with_open(opened::open))
}

/// As [`run`], for who decides what becomes of the detector.
pub fn run_with(
    plan: &Plan,
    detector: &Detector,
    watch: &Watch,
    sink: &mut dyn FnMut(Finding),
) -> Result<Summary, Error> {
    let mut summary = Summary { accepted: plan.accept.clone(), ..Summary::default() };
    let (mut notes, mut warnings) = (Vec::new(), Vec::new());
    let mut known = known::Applied::new(plan);
    let mut worktrees = Worktrees::default();
    let mut tell = |finding: Finding| {
        let finding = known.settle(with_tracking(finding, &mut worktrees));
        summary.count(&finding);
        watch.findings.store(summary.reported, Relaxed);
        sink(finding);
    };
    let coverage = match (&plan.history, &plan.staged, &plan.remote) {
        (Some(request), ..) => history::run(plan, request, detector, watch, &mut warnings, &mut tell)?,
        (None, Some(request), _) => staged::run(plan, request, detector, watch, &mut tell)?,
        (None, None, Some(remote)) => remote::run(plan, &**remote, detector, watch, &mut notes, &mut tell),
        (None, None, None) => {
            files::check(&plan.targets, &plan.files)?;
            scan_files(plan, &plan.targets, detector, watch, &mut notes, &mut tell)
        }
    };
    summary.hidden += coverage.look_alikes;
    summary.coverage = coverage;
    summary.coverage.skips.sort();
    summary.coverage.skips.dedup();
    summary.notes = notes;
    summary.warnings = warnings;
    summary.interrupted = watch.interrupt.load(Relaxed);
    known.account(&mut summary);
    Ok(summary)
}

/// Searches what targets hold, on all threads.
fn scan_files(
    plan: &Plan,
    targets: &[Target],
    detector: &Detector,
    watch: &Watch,
    notes: &mut Vec<Note>,
    tell: &mut dyn FnMut(Finding),
) -> Coverage {
    let walk = |give: &mut Give<'_, Item>| {
        files::walk(targets, &plan.files, give).expect("targets and globs were checked before");
    };
    search_each(plan.jobs, pool::FILES, walk, || Searcher::new(plan, detector, watch), search, notes, tell)
}

/// Searches names, one a line, that are in no file's content.
fn scan_list(
    plan: &Plan,
    name: String,
    names: &str,
    detector: &Detector,
    watch: &Watch,
    tell: &mut dyn FnMut(Finding),
) {
    Searcher::new(plan, detector, watch).names(|| Origin::Stream { name }, names).into_iter().for_each(tell);
}

/// Searches the name of a file, a directory or a link, and what a link says, if they are long enough to be a token.
fn search_name(searcher: &mut Searcher<'_>, path: &Path, link: Option<&Path>, emit: &mut dyn FnMut(Outcome)) {
    let (Some(name), Some(directory)) = (path.file_name(), path.parent()) else { return };
    let mut has_run = false;
    for text in [Some(name), link.map(Path::as_os_str)].into_iter().flatten() {
        for_each_run(text.as_encoded_bytes(), |_, _| has_run = true);
    }
    if has_run {
        let said = link.map(|link| format!("{}\n", link.to_string_lossy())).unwrap_or_default();
        let text = format!("{}\n{said}", name.to_string_lossy());
        let directory = if directory == Path::new("") { Path::new(".") } else { directory };
        let origin = || Origin::Stream { name: format!("names in {}", directory.display()) };
        let findings = searcher.names(origin, &text);
        if !findings.is_empty() {
            emit(Outcome { findings, ..Outcome::default() });
        }
    }
}

/// Takes a job; whoever gives them stops when it breaks.
type Give<'g, J> = dyn FnMut(J) -> ControlFlow<()> + 'g;

/// Searches what `produce` gives, `size` jobs at a time on `threads` threads (`pool::in_order`), and adds up what came of it.
fn search_each<J: Send, S>(
    threads: usize,
    size: usize,
    produce: impl FnOnce(&mut Give<'_, J>) + Send,
    searcher: impl Fn() -> S + Sync,
    search: impl Fn(&mut S, J, &mut dyn FnMut(Outcome)) + Sync,
    notes: &mut Vec<Note>,
    tell: &mut dyn FnMut(Finding),
) -> Coverage {
    let mut coverage = Coverage::default();
    pool::in_order(threads, size, produce, searcher, search, Outcome::is_urgent, |outcome: Outcome| {
        outcome.findings.into_iter().for_each(&mut *tell);
        notes.extend(outcome.notes);
        coverage.add(outcome.coverage);
    });
    coverage
}

fn search(searcher: &mut Searcher<'_>, item: Item, emit: &mut dyn FnMut(Outcome)) {
    if searcher.interrupted() {
        return;
    }
    let origin = match &item {
        Item::Excluded => {
            let coverage = Coverage { excluded: 1, ..Coverage::default() };
            return emit(Outcome { coverage, ..Outcome::default() });
        }
        Item::Skip(skip) => skip.origin.clone(),
        Item::Directory(path) | Item::Link(path) | Item::File(path) => {
            Origin::File { path: path.clone(), tracking: None }
        }
        Item::Stream(target) => Origin::Stream { name: target.to_string() },
    };
    let not_read =
        |skip| Outcome { coverage: Coverage { skips: vec![skip], ..Coverage::default() }, ..Outcome::default() };
    if let Item::Skip(skip) = &item {
        emit(not_read(skip.clone()));
    }
    // A bug met in one object must not keep the others from being read.
    let searched = catch_unwind(AssertUnwindSafe(|| match (&item, origin.path()) {
        (Item::Stream(target), _) => searcher.stream(target, &origin, emit),
        (Item::File(path), _) => {
            search_name(searcher, path, None, emit);
            searcher.file(path, &origin, emit);
        }
        (Item::Directory(path), _) => search_name(searcher, path, None, emit),
        (_, Some(path)) => search_name(searcher, path, path.read_link().ok().as_deref(), emit),
        (_, None) => {}
    }));
    if searched.is_err() {
        let detail = "the search failed; the object is not covered".to_owned();
        emit(not_read(Skip { origin, why: Why::Panicked, detail }));
    }
}

/// What is only counted needs no answer from git.
fn with_tracking(mut finding: Finding, worktrees: &mut Worktrees) -> Finding {
    if let Origin::File { path, tracking } = &mut finding.origin
        && finding.verdict != Verdict::Hidden
    {
        *tracking = worktrees.tracking(path);
    }
    finding
}

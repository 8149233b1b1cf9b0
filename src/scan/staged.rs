//! Scans what the next commit would hold, read from the index: whole files as they are staged, where `HEAD` has them otherwise.
//!
//! What counts is new against `HEAD`: a secret that stands in `HEAD`'s version of the same file, or in a file that the commit
//! removes (a rename), is counted as allowed by `head`. The place and the number of times do not matter, the secret does. One that
//! only a comment on its line allowed there is new where no comment allows it any more.
//! The names of files that are new are searched, too. For a pointer of Git LFS, what it stands for is searched, too.
//! A file is not searched to its end where nothing takes in a byte that changed: what is in it, `HEAD` has.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::object::Searcher;
use super::{Error, Outcome, Plan, Watch, lfs, pool, scan_list};
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::Detector;
use crate::detect::allow::may_allow;
use crate::finding::{Allowed, Finding, Verdict};
use crate::origin::{ObjectId, Origin};
use crate::secret::Secret;
use crate::source::files;
use crate::source::git::{Change, Environment, Layout, Reader, Staged, Stores, check_owner, staged, to_path};
use crate::source::read::Ended;

/// Whose index to scan.
#[derive(Clone, Debug)]
pub struct Request {
    /// A place in the work tree, or its git directory.
    pub repository: PathBuf,
    /// Where git says that things are, to a hook.
    pub environment: Environment,
    /// Most bytes of a file.
    pub memory: u64,
}

/// Scans what is staged. Findings come to `tell` sorted by path and position.
pub(super) fn run(
    plan: &Plan,
    request: &Request,
    detector: &Detector,
    watch: &Watch,
    tell: &mut dyn FnMut(Finding),
) -> Result<Coverage, Error> {
    let layout = Layout::locate(&request.repository, &request.environment)?;
    if request.environment.git_dir.is_none() {
        check_owner(&layout)?;
    }
    let stores = Stores::open_quick(&layout.objects, layout.format);
    let Staged { changes, removed, skips } = staged(&layout, &stores, request.memory)?;
    let excludes = files::Excludes::new(&plan.files)?;
    let (excluded, changes): (Vec<Change>, Vec<Change>) =
        changes.into_iter().partition(|change| excludes.has(&to_path(&change.path)));
    let mut coverage = Coverage { excluded: excluded.len() as u64, skips, ..Coverage::default() };
    scan_list(plan, "names of staged files".to_owned(), &new_names(&changes), detector, watch, tell);
    let worker = || Worker {
        searcher: Searcher::new(plan, detector, watch),
        reader: Reader::new(&stores, request.memory),
        removed: &removed,
        common_dir: &layout.common_dir,
        max_size: plan.files.max_size,
    };
    let mut take = |outcome: Outcome| {
        outcome.findings.into_iter().for_each(&mut *tell);
        coverage.add(outcome.coverage);
    };
    if changes.len() <= pool::FILES {
        // To start threads takes longer than to search most of what is staged.
        let mut worker = worker();
        changes.iter().for_each(|change| take(worker.survive(change)));
        return Ok(coverage);
    }
    pool::in_order(
        plan.jobs.min(changes.len()).max(1),
        pool::FILES,
        |give| {
            for change in &changes {
                if give(change).is_break() {
                    return;
                }
            }
        },
        worker,
        |worker, change, emit| emit(worker.survive(change)),
        Outcome::is_urgent,
        take,
    );
    Ok(coverage)
}

/// The names of files that `HEAD` has not and of the directories they are in, one a line, each once.
fn new_names(changes: &[Change]) -> String {
    let new = changes.iter().filter(|change| change.before.is_none());
    let names: BTreeSet<&[u8]> = new.flat_map(|change| change.path.split(|byte| *byte == b'/')).collect();
    names.into_iter().map(|name| String::from_utf8_lossy(name).into_owned() + "\n").collect()
}

/// What one thread needs.
struct Worker<'p> {
    searcher: Searcher<'p>,
    reader: Reader<'p>,
    removed: &'p [ObjectId],
    common_dir: &'p Path,
    max_size: Option<u64>,
}

impl Worker<'_> {
    /// A bug met in one file must not keep the others from being read.
    fn survive(&mut self, change: &Change) -> Outcome {
        catch_unwind(AssertUnwindSafe(|| self.change(change))).unwrap_or_else(|_| {
            let origin = Origin::Staged { path: to_path(&change.path), id: change.id };
            let detail = "the search failed; the file is not covered".to_owned();
            let skips = vec![Skip { origin, why: Why::Panicked, detail }];
            Outcome { coverage: Coverage { skips, ..Coverage::default() }, ..Outcome::default() }
        })
    }

    fn change(&mut self, change: &Change) -> Outcome {
        let mut outcome = Outcome::default();
        if self.searcher.interrupted() {
            return outcome;
        }
        let origin = Origin::Staged { path: to_path(&change.path), id: change.id };
        if change.is_renamed {
            outcome.findings = self.searcher.named(&origin);
            return outcome;
        }
        match self.content(&origin, change.id) {
            Ok(content) if self.is_harmless(change, &origin, &content) => {
                self.searcher.account(
                    &origin,
                    Ok(Ended { bytes: content.len() as u64, stopped: false }),
                    None,
                    &mut outcome.coverage,
                );
            }
            Ok(content) => outcome = self.search(&origin, &content),
            Err(skip) => outcome.coverage.skips.push(skip),
        }
        if outcome.findings.iter().any(|finding| finding.verdict == Verdict::Reported) {
            let old = self.old(change, &origin);
            for finding in &mut outcome.findings {
                // Not by its fingerprint: that of a weak secret is that of its place, where a new one may stand now.
                let is_name = finding.secret.is_empty();
                let is_old = if is_name { change.before.is_some() } else { old.contains(&finding.secret) };
                if finding.verdict == Verdict::Reported && is_old {
                    let reason = "HEAD has it already: scan the files or --history".to_owned();
                    finding.verdict = Verdict::Allowed(Allowed { by: "head", reason });
                }
            }
        }
        outcome
    }

    /// Searches a file and, if it is a pointer of Git LFS, what it stands for.
    fn search(&mut self, origin: &Origin, content: &[u8]) -> Outcome {
        let mut outcome = self.searcher.content(origin, content);
        let Some(id) = lfs::pointer(content) else { return outcome };
        let (there, absent) = lfs::contents(self.common_dir, &BTreeSet::from([id.as_str()]));
        outcome.coverage.skips.extend(absent.map(|skip| Skip { origin: origin.clone(), ..skip }));
        for path in there {
            self.searcher.file(&path, origin, &mut |more| {
                outcome.findings.extend(more.findings);
                outcome.coverage.add(more.coverage);
            });
        }
        outcome
    }

    fn content(&mut self, origin: &Origin, id: ObjectId) -> Result<Vec<u8>, Skip> {
        let skip = |why, detail: String| Skip { origin: origin.clone(), why, detail };
        match self.reader.read(&id) {
            Ok(Some((_, content))) if self.max_size.is_some_and(|most| content.len() as u64 > most) => {
                Err(skip(Why::TooLarge, format!("{} bytes", content.len())))
            }
            Ok(Some((_, content))) => Ok(content),
            Ok(None) => Err(skip(Why::MissingObject, format!("{id} is in no object store"))),
            Err(fault) => Err(skip(fault.why(), fault.to_string())),
        }
    }

    /// Whether nothing that a search finds takes in what is new against the file's version in `HEAD`.
    fn is_harmless(&mut self, change: &Change, origin: &Origin, content: &[u8]) -> bool {
        if lfs::pointer(content).is_some() {
            return false;
        }
        let Some(before) = change.before.and_then(|before| self.content(origin, before).ok()) else { return false };
        // A comment that goes away uncovers what stands beside it.
        let bared = may_allow(lines(&before, &changed(content, &before)));
        !bared && !self.searcher.may_hold_more(&before, content, &changed(&before, content))
    }

    /// The secrets in `HEAD`'s versions of a file, but for those that only a comment on their line allows there.
    fn old(&mut self, change: &Change, origin: &Origin) -> Vec<Secret> {
        let versions: Vec<ObjectId> = change.before.map_or_else(|| self.removed.to_vec(), |before| vec![before]);
        let mut old = Vec::new();
        for id in versions {
            // A version that cannot be read hides nothing.
            if let Ok(content) = self.content(origin, id) {
                let found = self.search(origin, &content).findings.into_iter();
                let is_old = |finding: &Finding| !matches!(&finding.verdict, Verdict::Allowed(it) if it.by == "inline");
                old.extend(found.filter(is_old).map(|finding| finding.secret));
            }
        }
        old
    }
}

/// The whole lines that a part of a text touches.
fn lines<'t>(text: &'t [u8], part: &Range<usize>) -> &'t [u8] {
    let start = memchr::memrchr(b'\n', &text[..part.start]).map_or(0, |at| at + 1);
    let end = memchr::memchr(b'\n', &text[part.end..]).map_or(text.len(), |at| part.end + at);
    &text[start..end]
}

/// What of `now` is neither how `before` begins nor how it ends.
fn changed(before: &[u8], now: &[u8]) -> Range<usize> {
    let same = |(one, other): &(&u8, &u8)| one == other;
    let start = before.iter().zip(now).take_while(same).count();
    let ends = before[start..].iter().rev().zip(now[start..].iter().rev()).take_while(same).count();
    start..now.len() - ends
}

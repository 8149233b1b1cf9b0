//! Searches logs that somebody else has, while they come.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::filter::masked;
use super::object::Searcher;
use super::packed::Ears;
use super::{Outcome, Plan, Watch, search_each};
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::Detector;
use crate::finding::{Fact, Finding, Verdict};
use crate::source::remote::{Listed, Log, Remote};
use crate::source::unpack::Packing;
use crate::summary::Note;

/// Searches everything that `remote` has, as many logs at a time as there are threads.
pub(super) fn run(
    plan: &Plan,
    remote: &dyn Remote,
    detector: &Detector,
    watch: &Watch,
    notes: &mut Vec<Note>,
    tell: &mut dyn FnMut(Finding),
) -> Coverage {
    let read = |searcher: &mut Searcher<'_>, listed, emit: &mut dyn FnMut(Outcome)| match listed {
        _ if searcher.interrupted() => {}
        Listed::Log(log) => search(searcher, remote, detector, &log, emit),
        Listed::Skip(skip) => {
            emit(Outcome { coverage: Coverage { skips: vec![skip], ..Coverage::default() }, ..Outcome::default() })
        }
    };
    search_each(plan.jobs, 1, |give| remote.list(give), || Searcher::new(plan, detector, watch), read, notes, tell)
}

fn search(
    searcher: &mut Searcher<'_>,
    remote: &dyn Remote,
    detector: &Detector,
    log: &Log,
    emit: &mut dyn FnMut(Outcome),
) {
    let mut coverage = Coverage::default();
    let mut told = |mut outcome: Outcome| {
        // Whoever is asked is asked about what is shown alone.
        for finding in outcome.findings.iter_mut().filter(|finding| finding.verdict != Verdict::Hidden) {
            let facts = remote.facts(log, &finding.origin).into_iter();
            let shown = |value: String| masked(detector, &mut detector.scratch(), value.as_bytes());
            finding.facts.extend(facts.map(|(name, value)| Fact { name, value: shown(value) }));
        }
        emit(outcome);
    };
    // A bug met in one log must not keep the others from being read.
    let searched = catch_unwind(AssertUnwindSafe(|| {
        read(searcher, remote, log, &mut Ears { coverage: &mut coverage, emit: &mut told });
    }));
    if searched.is_err() {
        let detail = "the search failed; the log is not covered".to_owned();
        coverage.skips.push(Skip { origin: log.origin(None), why: Why::Panicked, detail });
    }
    if coverage.skips.is_empty() {
        remote.done(log);
    }
    emit(Outcome { coverage, ..Outcome::default() });
}

fn read(searcher: &mut Searcher<'_>, remote: &dyn Remote, log: &Log, ears: &mut Ears<'_>) {
    let origin = log.origin(None);
    let mut content = match remote.open(log) {
        Ok(content) => content,
        Err(error) => {
            let (why, detail) = (error.why, error.detail);
            return ears.coverage.skips.push(Skip { origin, why, detail });
        }
    };
    if log.archive {
        let name = |member: &str| log.origin((!member.is_empty()).then_some(member));
        searcher.unpacked(&origin, &name, Packing::Zip, &mut content, ears);
    } else {
        searcher.packed(&origin, &mut content, ears);
    }
    if log.grows {
        let detail = "what it had written so far was searched".to_owned();
        ears.coverage.skips.push(Skip { origin, why: Why::StillRunning, detail });
    }
}

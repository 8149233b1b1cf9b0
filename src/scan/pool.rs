//! Does work on many threads and hands over the results in the order in which the work came.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Files that travel together; opening one costs less than a channel's handshake.
pub const FILES: usize = 32;

/// Batches for each thread that may lie ready. Where directories are many and files few, a walk is slower than the search.
const AHEAD: usize = 32;

/// Batches that may be under way or wait for an earlier one. Bounds memory when one job takes long.
const IN_FLIGHT: usize = 512;

/// Which job's results are next: the number of its batch, and its own in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    batch: usize,
    job: usize,
}

/// Jobs that one thread does one after the other.
struct Batch<J> {
    first: Turn,
    jobs: VecDeque<J>,
    /// Whose turn comes when these are done: the next batch's, or that of what was given away of this one.
    next: Turn,
    /// To give jobs away by. While any thread could, the others wait for more.
    give: Sender<Batch<J>>,
}

/// A part of the results of the jobs from `first` on.
struct Part<R> {
    first: Turn,
    results: Vec<R>,
    /// When these were the last of them: whose turn it is.
    next: Option<Turn>,
}

/// Lets `produce` give jobs, does `work` on each in one of `threads` threads (each with a state of its own), at most `size` of them at a time, and calls
/// `consume` on this thread with the results in the order of the jobs. Urgent results of the earliest unfinished batch are
/// handed over at once, others with the next urgent one or the end of their batch.
pub fn in_order<J: Send, R: Send, S>(
    threads: usize,
    size: usize,
    produce: impl FnOnce(&mut dyn FnMut(J) -> ControlFlow<()>) + Send,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J, &mut dyn FnMut(R)) + Sync,
    is_urgent: impl Fn(&R) -> bool + Sync,
    mut consume: impl FnMut(R),
) {
    let (give, take) = bounded::<Batch<J>>(AHEAD * threads);
    let (report, reports) = bounded::<Part<R>>(8 * threads);
    // A ticket for each batch that is under way.
    let (enter, leave) = bounded::<()>(IN_FLIGHT);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut batch = VecDeque::with_capacity(size);
            let mut number = 0;
            let mut send = |jobs: VecDeque<J>| {
                let [first, next] = [number, number + 1].map(|batch| Turn { batch, job: 0 });
                let batch = Batch { first, jobs, next, give: give.clone() };
                number += 1;
                enter.send(()).is_ok() && give.send(batch).is_ok()
            };
            produce(&mut |job| {
                batch.push_back(job);
                // Few files may be large ones: nobody waits for work while it is put together.
                let wanted = batch.len() == size || give.len() < threads;
                if !wanted || send(std::mem::replace(&mut batch, VecDeque::with_capacity(size))) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            if !batch.is_empty() {
                send(batch);
            }
        });
        for _ in 0..threads.max(1) {
            let (take, report, state, work, is_urgent) = (take.clone(), report.clone(), &state, &work, &is_urgent);
            scope.spawn(move || {
                let mut state = state();
                while let Ok(batch) = take.recv() {
                    batch.work(&take, &report, is_urgent, |job, emit| work(&mut state, job, emit));
                }
            });
        }
        drop((take, report));
        reorder(reports.iter(), || leave.recv().expect("a batch that is through had a ticket"), &mut consume);
    });
}

impl<J> Batch<J> {
    /// Does the jobs one after the other. Gives some of them away while `others` wait for any: few files may be large ones.
    fn work<R>(
        mut self,
        others: &Receiver<Self>,
        report: &Sender<Part<R>>,
        is_urgent: impl Fn(&R) -> bool,
        mut work: impl FnMut(J, &mut dyn FnMut(R)),
    ) {
        let Turn { batch, mut job } = self.first;
        // Nobody listens any more only when the consumer panicked; the scope reports that.
        let tell = |results, next| drop(report.send(Part { first: self.first, results, next }));
        let mut results = Vec::new();
        while let Some(next) = self.jobs.pop_front() {
            work(next, &mut |result| {
                let urgent = is_urgent(&result);
                results.push(result);
                if urgent {
                    tell(std::mem::take(&mut results), None);
                }
            });
            job += 1;
            if self.jobs.len() > 1 && others.is_empty() {
                self.next = Self::share(&mut self.jobs, Turn { batch, job }, self.next, &self.give);
            }
        }
        tell(results, Some(self.next));
    }

    /// Gives away the second half of `jobs`, of which the first has its turn at `at`, and says whose turn it is after those that are left.
    fn share(jobs: &mut VecDeque<J>, at: Turn, next: Turn, give: &Sender<Self>) -> Turn {
        let kept = jobs.len().div_ceil(2);
        let first = Turn { job: at.job + kept, ..at };
        match give.try_send(Self { first, jobs: jobs.split_off(kept), next, give: give.clone() }) {
            Ok(()) => first,
            Err(refused) => {
                jobs.append(&mut refused.into_inner().jobs);
                next
            }
        }
    }
}

/// Passes on parts in the order of their turns; calls `finished` for each batch that is through.
fn reorder<R>(parts: impl Iterator<Item = Part<R>>, mut finished: impl FnMut(), consume: &mut impl FnMut(R)) {
    let mut turn = Turn { batch: 0, job: 0 };
    let mut waiting: BTreeMap<Turn, (Vec<R>, Option<Turn>)> = BTreeMap::new();
    for part in parts {
        let entry = waiting.entry(part.first).or_insert_with(|| (Vec::new(), None));
        entry.0.extend(part.results);
        entry.1 = part.next;
        while let Some((results, next)) = waiting.get_mut(&turn) {
            results.drain(..).for_each(&mut *consume);
            let Some(next) = *next else { break };
            waiting.remove(&turn);
            turn = next;
            if turn.job == 0 {
                finished();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [1, 2, 16] {
            let mut seen = Vec::new();
            in_order(
                threads,
                FILES,
                |give| {
                    for job in 0..10_000 {
                        if give(job).is_break() {
                            return;
                        }
                    }
                },
                || (),
                |(), job, emit| {
                    if job % 97 == 0 {
                        std::thread::sleep(std::time::Duration::from_micros(300));
                    }
                    emit(2 * job);
                    emit(2 * job + 1);
                },
                |result| result % 3 == 0,
                |result| seen.push(result),
            );
            assert!(seen.iter().copied().eq(0..20_000), "{threads} threads");
        }
    }

    #[test]
    fn what_one_thread_has_too_much_of_is_shared() {
        let ((give, take), (report, reports)) = (bounded(8), bounded(8));
        let [first, next] = [0, 1].map(|batch| Turn { batch, job: 0 });
        Batch { first, jobs: (0..6).collect(), next, give }.work(&take, &report, |_| false, |job, emit| emit(job));
        // While it did one, another could have had the last two of five, which nobody took: so it did the three before them as well.
        let shared = take.recv().expect("some were given away");
        assert_eq!(shared.jobs, [4, 5]);
        shared.work(&take, &report, |_| false, |job, emit| emit(job));
        assert!(take.recv().is_err(), "nobody can give any more");
        drop(report);
        let parts: Vec<_> = reports.iter().collect();
        let (mut seen, mut ended) = (Vec::new(), 0);
        reorder(parts.into_iter().rev(), || ended += 1, &mut |result| seen.push(result));
        assert_eq!((seen, ended), ((0..6).collect(), 1));
    }
}

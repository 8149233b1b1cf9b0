//! Does work on many threads and hands over the results in the order in which the work came.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crossbeam_channel::bounded;

/// Files that travel together; opening one costs less than a channel's handshake.
pub const FILES: usize = 32;

/// Batches for each thread that may lie ready. Where directories are many and files few, a walk is slower than the search.
const AHEAD: usize = 32;

/// Batches that may be under way or wait for an earlier one. Bounds memory when one job takes long.
const IN_FLIGHT: usize = 512;

/// A part of a batch's results.
struct Part<R> {
    batch: usize,
    results: Vec<R>,
    done: bool,
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
    let (give, take) = bounded::<(usize, Vec<J>)>(AHEAD * threads);
    let waiting = give.clone();
    let (report, reports) = bounded::<Part<R>>(8 * threads);
    // A ticket for each batch that is under way.
    let (enter, leave) = bounded::<()>(IN_FLIGHT);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut batch = Vec::with_capacity(size);
            let mut number = 0;
            let mut send = |batch: Vec<J>| {
                number += 1;
                enter.send(()).is_ok() && give.send((number - 1, batch)).is_ok()
            };
            produce(&mut |job| {
                batch.push(job);
                // Few files may be large ones: nobody waits for work while it is put together.
                let wanted = batch.len() == size || waiting.len() < threads;
                if !wanted || send(std::mem::replace(&mut batch, Vec::with_capacity(size))) {
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
                for (batch, jobs) in take {
                    let mut results = Vec::new();
                    for job in jobs {
                        work(&mut state, job, &mut |result| {
                            let urgent = is_urgent(&result);
                            results.push(result);
                            if urgent {
                                // Nobody listens any more only when the consumer panicked; the scope reports that.
                                drop(report.send(Part { batch, results: std::mem::take(&mut results), done: false }));
                            }
                        });
                    }
                    drop(report.send(Part { batch, results, done: true }));
                }
            });
        }
        drop((take, report));
        reorder(reports.iter(), || leave.recv().expect("a batch that is through had a ticket"), &mut consume);
    });
}

/// Passes on parts in the order of their batches; calls `finished` for each batch that is through.
fn reorder<R>(parts: impl Iterator<Item = Part<R>>, mut finished: impl FnMut(), consume: &mut impl FnMut(R)) {
    let mut next = 0;
    let mut waiting: BTreeMap<usize, (Vec<R>, bool)> = BTreeMap::new();
    for part in parts {
        let entry = waiting.entry(part.batch).or_insert_with(|| (Vec::new(), false));
        entry.0.extend(part.results);
        entry.1 |= part.done;
        while let Some((results, done)) = waiting.get_mut(&next) {
            results.drain(..).for_each(&mut *consume);
            if !*done {
                break;
            }
            waiting.remove(&next);
            finished();
            next += 1;
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
}

//! A progress line on a terminal, for work that lasts over a second.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scan::Watch;

/// Nothing is shown before the work has lasted this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line changes.
const TICK: Duration = Duration::from_millis(100);

/// Does `work` while showing `watch` on standard error, if that is a terminal and `wanted`.
pub(super) fn during<R>(watch: &Watch, wanted: bool, work: impl FnOnce() -> R) -> R {
    if !wanted {
        return work();
    }
    let (done, finished) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if finished.recv_timeout(PATIENCE) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a template that a test renders"));
            while finished.recv_timeout(TICK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                bar.set_message(line(watch));
                bar.tick();
            }
            bar.finish_and_clear();
        });
        let result = work();
        drop(done);
        result
    })
}

fn line(watch: &Watch) -> String {
    let count = |number: &std::sync::atomic::AtomicU64| HumanCount(number.load(Relaxed)).to_string();
    let bytes = HumanBytes(watch.bytes.load(Relaxed));
    format!("{} files, {bytes}, {} findings", count(&watch.files), count(&watch.findings))
}

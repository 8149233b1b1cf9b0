//! What a signal says to the filter is meant for the command.

use std::io;
use std::process::Child;

/// The signals that end programs, from now on caught.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    caught: signal_hook::iterator::Signals,
}

#[cfg(not(unix))]
impl Signals {
    /// An interrupt from the terminal reaches the command, too; what it still writes then must be filtered to its end.
    pub(super) fn catch() -> io::Result<Self> {
        ctrlc::set_handler(|| {}).map_err(io::Error::other)?;
        Ok(Signals {})
    }

    pub(super) fn pass_on_to(self, _: &Child) {}
}

#[cfg(unix)]
impl Signals {
    /// What is ignored (`nohup`) stays so, for the command as well.
    pub(super) fn catch() -> io::Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let ignored = ignored();
        let wanted = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored & 1 << (signal - 1) == 0);
        Ok(Signals { caught: signal_hook::iterator::Signals::new(wanted)? })
    }

    /// Sends the command what came and what comes, until the program ends.
    pub(super) fn pass_on_to(mut self, command: &Child) {
        use rustix::process::{Pid, Signal, kill_process};
        let command = Pid::from_child(command);
        std::thread::spawn(move || {
            for number in self.caught.forever() {
                let signal = Signal::from_named_raw(number);
                let typed = signal == Some(Signal::INT) && has_terminal();
                if let Some(signal) = signal.filter(|_| !typed) {
                    // One that has ended need not be told.
                    kill_process(command, signal).ok();
                }
            }
        });
    }
}

/// Whether there is a terminal, where an interrupt is typed: that reaches the command by itself, and many programs take a
/// second one for impatience.
#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// The signals that are ignored, one bit for each, where the system says so in a file.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

//! `stanch filter`.

use std::ffi::OsString;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::{config, message};
use crate::detect::Detector;
use crate::exit::Exit;
use crate::rule::Confidence;
use crate::scan::filter::Filter;

mod signals;

use signals::Signals;

/// How much is read at once, in bytes.
const PIECE: usize = 128 << 10;

/// How many pieces may wait; what has come while the ones before were filtered is filtered together.
const PIECES: usize = 8;

/// So long is waited for more before what could become a secret is told from what cannot for the first time, which takes a while.
const PAUSE: Duration = Duration::from_millis(1);

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run this command and filter what it writes; without one, standard input is filtered
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<OsString>,

    /// Replace what is found with at least this confidence [default: medium]
    #[arg(long, value_name = "LEVEL", value_parser = super::scan::parse_confidence)]
    confidence: Option<Confidence>,
    /// Use only this rule (repeatable)
    #[arg(long = "rule", value_name = "ID")]
    only: Vec<String>,
    /// Add the rules of a TOML file, ours or gitleaks' (repeatable)
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Ignore, with a warning, what of betterleaks' keys in rule files cannot be honoured
    #[arg(long)]
    lenient: bool,
    /// Configuration file; otherwise the nearest .stanch.toml or .gitleaks.toml upwards from here
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<Exit> {
    let mut config = config::for_target(Path::new("."), args.config.as_deref(), args.lenient)?;
    for path in &args.rules {
        config.add_rules(path, args.lenient)?;
    }
    config.keep_rules(&args.only)?;
    let detector = Detector::new(Arc::new(config.rules), super::now())?;
    let confidence = args.confidence.or(config.scan.confidence).unwrap_or_default();
    match args.command.split_first() {
        Some((program, arguments)) => wrap(program, arguments, &detector, confidence),
        None => {
            let filtered = filter(&detector, confidence, io::stdin(), io::stdout().lock());
            filtered.map(|()| Exit::Clean).context("cannot filter standard input")
        }
    }
}

/// Runs a command, filters both its outputs, and comes to its exit code; to 127 where there is no such command and to 126
/// where it cannot be run, as shells and `env` do.
fn wrap(program: &OsString, arguments: &[OsString], detector: &Detector, confidence: Confidence) -> Result<Exit> {
    // Before there is a command: it must not go on where the filter has ended.
    let signals = Signals::catch().context("cannot listen for signals")?;
    let mut command = Command::new(program);
    let mut child = match command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            let error = anyhow::Error::new(error).context(format!("cannot run {}", Path::new(program).display()));
            message::error(&error);
            return Ok(Exit::Command(code));
        }
    };
    signals.pass_on_to(&child);
    let outputs = child.stdout.take().zip(child.stderr.take()).ok_or_else(|| anyhow!("the command has no outputs"))?;
    let filtered = std::thread::scope(|scope| {
        let errors = scope.spawn(|| filter(detector, confidence, outputs.1, io::stderr().lock()));
        let output = filter(detector, confidence, outputs.0, io::stdout().lock());
        let errors = errors.join().unwrap_or_else(|_| Err(anyhow!("the filter of standard error failed")));
        output.and(errors)
    });
    let status = child.wait().context("cannot wait for the command")?;
    filtered.context("cannot filter the command's output")?;
    Ok(Exit::Command(code(status)))
}

/// The exit code as a shell has it: 128 and the number of the signal for a command that was killed by one.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or(signal).unwrap_or(1);
    // Windows has 32 bits of it; what does not fit is still a failure.
    u8::try_from(code).unwrap_or(1)
}

/// Filters one stream to its end, or until nobody reads the output any more.
fn filter(
    detector: &Detector,
    confidence: Confidence,
    input: impl Read + Send + 'static,
    output: impl Write,
) -> Result<()> {
    let mut filter = Filter::new(detector, confidence)?;
    let mut output = BufWriter::new(output);
    let pieces = pieces(input);
    let mut next = Err(RecvTimeoutError::Timeout);
    let written = loop {
        let piece = match next {
            Err(RecvTimeoutError::Timeout) => pieces.recv().map_err(RecvTimeoutError::from),
            known => known,
        };
        match piece {
            Ok(Ok(piece)) => next = more(&pieces, piece, &mut filter),
            Ok(Err(error)) => break Err(error),
            Err(_) => break filter.finish(&mut output).and_then(|_| output.flush()),
        }
        let is_there = !matches!(next, Err(RecvTimeoutError::Timeout));
        if let Err(error) = filter.pass_on(is_there, &mut output).and_then(|()| output.flush()) {
            break Err(error);
        }
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Gives the filter a piece and those that have come in the meantime, as many as are filtered at once; what came next, the end
/// of all, or that nothing came for a while.
fn more(
    pieces: &Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    filter: &mut Filter<'_>,
) -> Result<io::Result<Vec<u8>>, RecvTimeoutError> {
    let mut taken = piece.len();
    filter.take(&piece);
    loop {
        match pieces.try_recv() {
            Ok(Ok(piece)) if taken < PIECES * PIECE => {
                taken += piece.len();
                filter.take(&piece);
            }
            Ok(next) => return Ok(next),
            Err(TryRecvError::Empty) if filter.is_ready() => return Err(RecvTimeoutError::Timeout),
            Err(_) => return pieces.recv_timeout(PAUSE),
        }
    }
}

/// What a stream gives, read ahead by a thread of its own. The thread is not joined: nothing can be done about a read
/// that blocks when nobody wants its result any more.
fn pieces(mut input: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (give, take) = sync_channel(PIECES);
    std::thread::spawn(move || {
        let mut space = vec![0; PIECE];
        loop {
            let piece = match input.read(&mut space) {
                Ok(0) => return,
                Ok(len) => Ok(space[..len].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = piece.is_err();
            if give.send(piece).is_err() || failed {
                return;
            }
        }
    });
    take
}

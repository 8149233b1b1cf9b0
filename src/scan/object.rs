//! Searches one object at a time and makes findings of its candidates.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::time::Duration;

use super::log::{self, Log};
use super::snippet::Masks;
use super::suspect::{Place, Suspect};
use super::told::Told;
use super::{Outcome, Plan, Watch};
use crate::chunk::{Chunk, MARGIN};
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::{Detector, Scratch, Where, settle};
use crate::finding::{Finding, Region};
use crate::origin::Origin;
use crate::source::files::{self, Target};
use crate::source::read::{self, Buffer, Ended, forward};

/// How far around its own part a chunk is searched, so that what a neighbour will report is masked here, too.
const LOOK_AROUND: usize = MARGIN / 2;

/// How long a stream may give nothing before what it gave is searched.
const IDLE: Duration = Duration::from_millis(2);

/// How often a blocked stream is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(50);

/// How much of a stream is taken at once, in bytes.
const PIECE: usize = 128 << 10;

/// What one thread needs.
pub(super) struct Searcher<'p> {
    plan: &'p Plan,
    detector: &'p Detector,
    watch: &'p Watch,
    scratch: Scratch,
    buffer: Buffer,
    /// For logs, made anew for each.
    log: Option<Log>,
}

impl<'p> Searcher<'p> {
    pub(super) fn new(plan: &'p Plan, detector: &'p Detector, watch: &'p Watch) -> Self {
        Searcher { plan, detector, watch, scratch: detector.scratch(), buffer: Buffer::default(), log: None }
    }

    pub(super) fn interrupted(&self) -> bool {
        self.watch.interrupt.load(Relaxed)
    }

    /// Reads and searches one file; emits findings chunk by chunk, then the account.
    pub(super) fn file(&mut self, path: &Path, origin: &Origin, emit: &mut dyn FnMut(Outcome)) {
        let mut coverage = Coverage::default();
        match files::open(path, &self.plan.files) {
            Ok((file, size)) if self.plan.log.is_some() => {
                self.packed_file(origin, file, size, &mut coverage, emit);
            }
            Ok((mut file, size)) => {
                let ended = self.read(origin, &mut file, Some(size), emit);
                self.account(origin, ended, Some(size), &mut coverage);
            }
            Err(skip) => coverage.skips.push(skip),
        }
        emit(Outcome { coverage, ..Outcome::default() });
    }

    /// Searches what was read already.
    pub(super) fn content(&mut self, origin: &Origin, content: &[u8]) -> Outcome {
        let (mut all, size) = (Outcome::default(), content.len() as u64);
        let ended = self.read(origin, &mut &*content, Some(size), &mut |outcome| all.findings.extend(outcome.findings));
        self.account(origin, ended, Some(size), &mut all.coverage);
        all
    }

    /// Reads and searches something that can be read only once; emits as it comes, then the account.
    pub(super) fn stream(&mut self, target: &Target, origin: &Origin, emit: &mut dyn FnMut(Outcome)) {
        let mut coverage = Coverage::default();
        let mut stream = Stream::open(target.clone(), self.watch);
        let ended = match self.plan.log {
            Some(_) => self.packed_stream(origin, &mut stream, emit),
            None => self.read(origin, &mut stream, None, emit),
        };
        self.account(origin, ended, None, &mut coverage);
        emit(Outcome { coverage, ..Outcome::default() });
    }

    pub(super) fn account(
        &self,
        origin: &Origin,
        ended: io::Result<Ended>,
        size: Option<u64>,
        coverage: &mut Coverage,
    ) {
        match ended {
            Err(error) => return coverage.skips.push(unread(origin, &error)),
            Ok(ended) => {
                coverage.bytes += ended.bytes;
                if ended.stopped || self.interrupted() {
                    let detail = format!("stopped after {} bytes", ended.bytes);
                    return coverage.skips.push(Skip { origin: origin.clone(), why: Why::Interrupted, detail });
                }
                if let Some(size) = size.filter(|&size| ended.bytes < size) {
                    let detail = format!("{size} bytes when opened, {} could be read", ended.bytes);
                    coverage.skips.push(Skip { origin: origin.clone(), why: Why::Shrank, detail });
                }
            }
        }
        match origin {
            Origin::File { .. } | Origin::Member { .. } | Origin::Staged { .. } => coverage.files += 1,
            Origin::Stream { .. } | Origin::Object { .. } => coverage.streams += 1,
        }
        self.watch.files.fetch_add(1, Relaxed);
    }

    pub(super) fn read(
        &mut self,
        origin: &Origin,
        input: &mut dyn Read,
        size: Option<u64>,
        emit: &mut dyn FnMut(Outcome),
    ) -> io::Result<Ended> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.log = self.plan.log.map(|dialect| Log::new(dialect, origin));
        let mut told = Told::default();
        let ended = read::chunks(input, size, self.plan.chunk, &mut buffer, &mut |chunk| {
            let mut log = self.log.take();
            let notes =
                log.as_mut().map_or(Vec::new(), |log| log::notes(log, self.detector, &mut self.scratch, origin, chunk));
            let path = origin.path().map(|path| path.as_os_str().as_encoded_bytes());
            let suspects = self.chunk(path.map_or(Where::Nowhere, Where::At), chunk, log.as_mut());
            let place = Place { path, commit: None };
            let made = suspects.into_iter().map(|suspect| suspect.finding(self.plan, origin.clone(), &[place], None));
            let mut findings: Vec<Finding> = made.collect();
            self.log = log;
            self.watch.bytes.fetch_add(told.fresh(chunk), Relaxed);
            findings.retain(|finding| told.is_new(finding));
            if !findings.is_empty() || !notes.is_empty() {
                emit(Outcome { findings, notes, coverage: Coverage::default() });
            }
            if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.buffer = buffer;
        ended
    }

    /// The findings whose secret begins in the part that the chunk answers for.
    fn chunk(&mut self, place: Where<'_>, chunk: &Chunk<'_>, mut log: Option<&mut Log>) -> Vec<Suspect> {
        let around = chunk.own.start.saturating_sub(LOOK_AROUND)..chunk.own.end.saturating_add(LOOK_AROUND);
        let mut candidates = self.detector.candidates(&mut self.scratch, chunk.bytes, &around, place);
        if let Some(log) = &mut log {
            log.normaliser.normalise(chunk.bytes, chunk.start.column == 1);
        }
        let log = log.as_deref();
        if let Some(log) = log {
            let normalised = log.normaliser.normalised();
            let all = 0..normalised.text().len();
            let normal = self.detector.candidates(&mut self.scratch, normalised.text(), &all, place);
            candidates = log::both(candidates, normal, normalised);
        }
        if candidates.is_empty() {
            return Vec::new();
        }
        // Every candidate is masked in snippets, also those that yield to a better one.
        let masks = Masks::of(chunk.bytes, &candidates);
        settle(&mut candidates, |candidate| {
            let span = candidate.span.start as u64..candidate.span.end as u64;
            (span, candidate.rule, &candidate.proof)
        });
        let mut suspects = Vec::new();
        let mut so_far = (0, chunk.start);
        for candidate in candidates.iter().filter(|candidate| chunk.own.contains(&candidate.span.start)) {
            if candidate.rule.skip_report {
                continue;
            }
            let start = forward(so_far.1, chunk.encoding, &chunk.bytes[so_far.0..candidate.span.start]);
            let end = forward(start, chunk.encoding, &chunk.bytes[candidate.span.clone()]);
            so_far = (candidate.span.start, start);
            let mut suspect = Suspect::of(chunk.bytes, candidate, &masks, Region { start, end });
            if let Some(log) = log {
                suspect.facts.extend(log::facts(log, self.detector, &mut self.scratch, chunk, candidate.span.start));
            }
            suspects.push(suspect);
        }
        suspects
    }

    /// Everything suspicious in an object of git, whose paths are not known yet.
    pub(super) fn suspects(&mut self, content: &mut dyn Read, size: u64) -> io::Result<Vec<Suspect>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut suspects = Vec::new();
        let ended = read::chunks(content, Some(size), self.plan.chunk, &mut buffer, &mut |chunk| {
            suspects.extend(self.chunk(Where::Unknown, chunk, None));
            ControlFlow::Continue(())
        });
        self.buffer = buffer;
        ended.map(|_| suspects)
    }
}

fn unread(origin: &Origin, error: &io::Error) -> Skip {
    let why = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(packed) => super::packed::why(packed),
        None if error.kind() == io::ErrorKind::PermissionDenied => Why::PermissionDenied,
        None => Why::ReadError,
    };
    Skip { origin: origin.clone(), why, detail: error.to_string() }
}

/// A stream that ends when the run is interrupted, even while nothing comes, and says so (once, as a read that would
/// block) when it has nothing to give at the moment.
struct Stream<'w> {
    pieces: Receiver<io::Result<Vec<u8>>>,
    rest: Vec<u8>,
    /// Something was given since the stream last had nothing.
    gave: bool,
    watch: &'w Watch,
}

impl<'w> Stream<'w> {
    fn open(target: Target, watch: &'w Watch) -> Self {
        let (give, pieces) = sync_channel(2);
        // Not joined: opening or reading may block for ever, which must not keep the program from reporting.
        std::thread::spawn(move || {
            let opened: io::Result<Box<dyn Read>> = match &target {
                Target::Stdin => Ok(Box::new(io::stdin())),
                Target::Path(path) => std::fs::File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
            };
            let sent = match opened {
                Ok(mut stream) => pump(&mut *stream, &give),
                Err(error) => give.send(Err(error)),
            };
            // Whoever listened was interrupted.
            drop(sent);
        });
        Stream { pieces, rest: Vec::new(), gave: false, watch }
    }
}

/// Sends what `stream` gives, piece by piece; an empty one is its end.
fn pump(stream: &mut dyn Read, give: &SyncSender<io::Result<Vec<u8>>>) -> Result<(), SendError<io::Result<Vec<u8>>>> {
    loop {
        let mut piece = vec![0; PIECE];
        match stream.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return give.send(Err(error)),
            Ok(len) => {
                piece.truncate(len);
                give.send(Ok(piece))?;
                if len == 0 {
                    return Ok(());
                }
            }
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.recv_timeout(if self.gave { IDLE } else { PATIENCE }) {
                Ok(Ok(piece)) if piece.is_empty() => return Ok(0),
                Ok(Ok(piece)) => self.rest = piece,
                Ok(Err(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) if self.watch.interrupt.load(Relaxed) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if self.gave => {
                    self.gave = false;
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let len = self.rest.len().min(space.len());
        space[..len].copy_from_slice(&self.rest[..len]);
        self.rest.drain(..len);
        self.gave = true;
        Ok(len)
    }
}

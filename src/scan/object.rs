//! Searches one object at a time and makes findings of its candidates.

use std::io::{self, Read};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::log::{self, Log};
use super::snippet::{Masked, lines, mask};
use super::{Outcome, Plan, Watch};
use crate::chunk::{Chunk, MARGIN};
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::{Candidate, Detector, Scratch, settle};
use crate::finding::{Finding, Proof, Region, Verdict};
use crate::origin::Origin;
use crate::secret::{Fingerprint, Secret};
use crate::source::files;
use crate::source::read::{self, Buffer, Ended, forward};

/// How far around its own part a chunk is searched, so that what a neighbour will report is masked here, too.
const LOOK_AROUND: usize = MARGIN / 2;

/// How long a stream may give nothing before what it gave is searched.
const IDLE: Duration = Duration::from_millis(2);

/// How often a blocked stream is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(50);

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

    /// Reads and searches one object; emits findings chunk by chunk, then the account.
    pub(super) fn object(&mut self, origin: &Origin, emit: &mut dyn FnMut(Outcome)) {
        let mut coverage = Coverage::default();
        match origin {
            Origin::File { path, .. } => match files::open(path, &self.plan.files) {
                Ok((mut file, size)) => {
                    let ended = self.read(origin, &mut file, Some(size), emit);
                    self.account(origin, ended, Some(size), &mut coverage);
                }
                Err(skip) => coverage.skips.push(skip),
            },
            Origin::Stream { name } => match open_stream(name) {
                Ok(stream) => {
                    let watch = self.watch;
                    let ended = self.read(origin, &mut Interruptible::new(stream, watch), None, emit);
                    self.account(origin, ended, None, &mut coverage);
                }
                Err(error) => coverage.skips.push(unread(origin, &error)),
            },
        }
        emit(Outcome { coverage, ..Outcome::default() });
    }

    fn account(&self, origin: &Origin, ended: io::Result<Ended>, size: Option<u64>, coverage: &mut Coverage) {
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
            Origin::File { .. } => coverage.files += 1,
            Origin::Stream { .. } => coverage.streams += 1,
        }
        self.watch.files.fetch_add(1, Relaxed);
    }

    fn read(
        &mut self,
        origin: &Origin,
        input: &mut dyn Read,
        size: Option<u64>,
        emit: &mut dyn FnMut(Outcome),
    ) -> io::Result<Ended> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.log = self.plan.log.map(Log::new);
        let mut told = Told::default();
        let ended = read::chunks(input, size, self.plan.chunk, &mut buffer, &mut |chunk| {
            let mut log = self.log.take();
            let notes =
                log.as_mut().map_or(Vec::new(), |log| log::notes(log, self.detector, &mut self.scratch, origin, chunk));
            let mut findings = self.chunk(origin, chunk, log.as_mut());
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
    fn chunk(&mut self, origin: &Origin, chunk: &Chunk<'_>, mut log: Option<&mut Log>) -> Vec<Finding> {
        let around = chunk.own.start.saturating_sub(LOOK_AROUND)..chunk.own.end.saturating_add(LOOK_AROUND);
        let path = origin.path().map(|path| path.as_os_str().as_encoded_bytes());
        let mut candidates = self.detector.candidates(&mut self.scratch, chunk.bytes, &around, path);
        if let Some(log) = &mut log {
            log.normaliser.normalise(chunk.bytes, chunk.start.column == 1);
        }
        let log = log.as_deref();
        if let Some(log) = log {
            let normalised = log.normaliser.normalised();
            let all = 0..normalised.text().len();
            let normal = self.detector.candidates(&mut self.scratch, normalised.text(), &all, path);
            candidates = log::both(candidates, normal, normalised);
        }
        if candidates.is_empty() {
            return Vec::new();
        }
        // Every candidate is masked in snippets, also those that yield to a better one.
        let masked: Vec<Masked> = candidates.iter().map(Masked::of).collect();
        settle(&mut candidates, |candidate| {
            let span = candidate.span.start as u64..candidate.span.end as u64;
            (span, candidate.rule, &candidate.proof)
        });
        let mut findings = Vec::new();
        let mut so_far = (0, chunk.start);
        for candidate in candidates.iter().filter(|candidate| chunk.own.contains(&candidate.span.start)) {
            if candidate.rule.skip_report {
                continue;
            }
            let start = forward(so_far.1, chunk.encoding, &chunk.bytes[so_far.0..candidate.span.start]);
            let end = forward(start, chunk.encoding, &chunk.bytes[candidate.span.clone()]);
            so_far = (candidate.span.start, start);
            let mut finding = self.finding(origin, chunk.bytes, candidate, &masked, Region { start, end });
            if let Some(log) = log {
                finding.facts.extend(log::facts(log, self.detector, &mut self.scratch, chunk, candidate.span.start));
            }
            findings.push(finding);
        }
        findings
    }

    fn finding(
        &self,
        origin: &Origin,
        bytes: &[u8],
        candidate: &Candidate<'_>,
        masked: &[Masked],
        region: Region,
    ) -> Finding {
        let rule = candidate.rule;
        let redacted = super::snippet::redacted(rule, &candidate.token);
        let snippet = mask(bytes, &candidate.span, &redacted, masked, region.start.line);
        let name = origin.to_string();
        let fingerprint = match (&self.plan.fingerprint_key, rule.is_strong()) {
            (_, true) => Fingerprint::of_strong(&candidate.token),
            (Some(key), false) => Fingerprint::of_keyed(key.expose(), &candidate.token),
            (None, false) => {
                let (before, after) = snippet.neighbours();
                Fingerprint::of_place(&rule.id, name.as_bytes(), before, after)
            }
        };
        let verdict = self.verdict(origin, bytes, candidate, fingerprint, region);
        Finding {
            rule: rule.clone(),
            secret: Secret::new(candidate.token.to_vec()),
            redacted,
            fingerprint,
            origin: origin.clone(),
            region,
            snippet,
            confidence: candidate.confidence,
            proof: candidate.proof.clone(),
            verdict,
            facts: candidate.facts.clone(),
        }
    }

    fn verdict(
        &self,
        origin: &Origin,
        bytes: &[u8],
        candidate: &Candidate<'_>,
        fingerprint: Fingerprint,
        region: Region,
    ) -> Verdict {
        let lines: Range<usize> = lines(bytes, &candidate.matched);
        let _ = (origin, lines, fingerprint, region, matches!(candidate.proof, Proof::Holds(_)));
        if candidate.confidence < self.plan.confidence { Verdict::Hidden } else { Verdict::Reported }
    }
}

/// What was found in the part of a stream that will be searched again, because its margin has not come yet.
#[derive(Default)]
struct Told {
    findings: Vec<(Range<u64>, String)>,
    /// Up to here the object was searched, in bytes of the chunks' text.
    searched: u64,
}

impl Told {
    /// How much of a chunk's part is searched for the first time, in bytes; forgets what is behind it.
    fn fresh(&mut self, chunk: &Chunk<'_>) -> u64 {
        let from = chunk.start.offset + chunk.own.start as u64;
        let to = chunk.start.offset + chunk.own.end as u64;
        self.findings.retain(|(span, _)| span.end > from);
        let fresh = to.saturating_sub(self.searched.max(from));
        self.searched = self.searched.max(to);
        fresh
    }

    /// Whether a finding, or a longer one in its place, was not emitted yet.
    fn is_new(&mut self, finding: &Finding) -> bool {
        let span = finding.region.start.offset..finding.region.end.offset;
        let is_in = |known: &Range<u64>| known.start <= span.start && span.end <= known.end;
        let known = self.findings.iter().any(|(place, rule)| is_in(place) && *rule == finding.rule.id);
        if !known {
            self.findings.push((span, finding.rule.id.clone()));
        }
        !known
    }
}

fn unread(origin: &Origin, error: &io::Error) -> Skip {
    let why = match error.kind() {
        io::ErrorKind::PermissionDenied => Why::PermissionDenied,
        _ => Why::ReadError,
    };
    Skip { origin: origin.clone(), why, detail: error.to_string() }
}

fn open_stream(name: &str) -> io::Result<Box<dyn Read + Send>> {
    if name == files::STDIN { Ok(Box::new(io::stdin())) } else { Ok(Box::new(std::fs::File::open(name)?)) }
}

/// A stream that ends when the run is interrupted, even while nothing comes, and says so (once, as a read that would
/// block) when it has nothing to give at the moment.
struct Interruptible<'w> {
    pieces: std::sync::mpsc::Receiver<io::Result<Vec<u8>>>,
    rest: Vec<u8>,
    /// Something was given since the stream last had nothing.
    gave: bool,
    watch: &'w Watch,
}

impl<'w> Interruptible<'w> {
    fn new(mut stream: Box<dyn Read + Send>, watch: &'w Watch) -> Self {
        let (give, pieces) = sync_channel(2);
        // Not joined: a read that blocks for ever must not keep the program from reporting what was found.
        std::thread::spawn(move || {
            loop {
                let mut piece = vec![0; 128 << 10];
                let got = loop {
                    match stream.read(&mut piece) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        other => break other,
                    }
                };
                let ended = !matches!(got, Ok(len) if len > 0);
                let piece = got.map(|len| {
                    piece.truncate(len);
                    piece
                });
                if give.send(piece).is_err() || ended {
                    return;
                }
            }
        });
        Interruptible { pieces, rest: Vec::new(), gave: false, watch }
    }
}

impl Read for Interruptible<'_> {
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

//! Searches one object at a time and makes findings of its candidates.

use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::time::Duration;

use super::collect::Collector;
use super::compose::{Composer, Kinship};
use super::log::{self, Log, Shown};
use super::masker::Masker;
use super::packed::Ears;
use super::snippet::Masks;
use super::suspect::{Place, Suspect};
use super::told::Told;
use super::{Outcome, Plan, Watch};
use crate::chunk::{Chunk, Encoding, MARGIN, Position};
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::decode::{Left, Unwrapped, join};
use crate::detect::{Candidate, Detector, Scratch, Where, believe, settle};
use crate::finding::{Finding, Region};
use crate::origin::Origin;
use crate::rule::Rule;
use crate::source::encoding::sniff;
use crate::source::files::{self, Target};
use crate::source::read::{self, Buffer, Ended, forward};
use crate::source::remote::Unread;
use crate::source::unpack::{self, Packing, packing};

/// How far around its own part a chunk is searched, so that what a neighbour will report is masked here, too.
const LOOK_AROUND: usize = MARGIN / 2;

fn around(chunk: &Chunk<'_>) -> Range<usize> {
    chunk.own.start.saturating_sub(LOOK_AROUND)..chunk.own.end.saturating_add(LOOK_AROUND)
}

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
    /// Rules that speak of files by their path alone.
    by_path: Vec<Arc<Rule>>,
    kinship: Arc<Kinship>,
    /// For what else must not be shown, ready on first need.
    masker: Option<Masker>,
    pub(super) buffer: Buffer,
    /// For logs, made anew for each.
    log: Option<Log>,
    /// What of the object at hand is compressed in a text that is longer than a chunk.
    collector: Collector,
    /// What of the object at hand was not decoded.
    left: Left,
}

impl<'p> Searcher<'p> {
    pub(super) fn new(plan: &'p Plan, detector: &'p Detector, watch: &'p Watch) -> Self {
        let by_path =
            plan.rules.rules.iter().filter(|rule| rule.regex.is_empty() && !rule.skip_report).cloned().collect();
        Searcher {
            plan,
            detector,
            watch,
            scratch: detector.scratch(),
            by_path,
            kinship: Kinship::of(&plan.rules).into(),
            masker: None,
            buffer: Buffer::default(),
            log: None,
            collector: Collector::default(),
            left: Left::Nothing,
        }
    }

    /// How many archives and compressions inside each other are undone.
    pub(super) fn depth(&self) -> u8 {
        self.plan.unpack
    }

    /// How an object that begins so is packed, if that is undone.
    pub(super) fn packing(&self, bytes: &[u8]) -> Option<Packing> {
        packing(&bytes[..bytes.len().min(unpack::HEAD)]).filter(|_| self.depth() > 0)
    }

    /// How an object is packed, if that is undone; also where only its end tells.
    pub(super) fn packing_of(&self, bytes: &[u8]) -> Option<Packing> {
        if self.depth() > 0 { unpack::packing_of_whole(bytes) } else { None }
    }

    /// Whether an object that is not packed is searched at once, as it is, by anchors alone.
    pub(super) fn is_plain(&self, bytes: &[u8]) -> bool {
        !self.detector.needs_whole_objects() && bytes.len() <= self.plan.chunk && sniff(bytes).0 == Encoding::Bytes
    }

    /// Whether [`Searcher::content`] may find something in `now` that it does not find in `before`, which differs from it
    /// only where `now` has `changed`.
    pub(super) fn may_hold_more(&mut self, before: &[u8], now: &[u8], changed: &Range<usize>) -> bool {
        let plain = [before, now].iter().all(|bytes| self.packing_of(bytes).is_none() && self.is_plain(bytes));
        !plain || self.detector.may_hold_more(&mut self.scratch, before, now, changed)
    }

    pub(super) fn interrupted(&self) -> bool {
        self.watch.interrupt.load(Relaxed)
    }

    /// Reads and searches one file; emits findings chunk by chunk, then the account.
    pub(super) fn file(&mut self, path: &Path, origin: &Origin, emit: &mut dyn FnMut(Outcome)) {
        let mut coverage = Coverage::default();
        match files::open(path, &self.plan.files) {
            Ok((mut file, size)) => {
                self.packed_file(origin, &mut file, size, &mut Ears { coverage: &mut coverage, emit });
            }
            Err(skip) => coverage.skips.push(skip),
        }
        emit(Outcome { coverage, ..Outcome::default() });
    }

    /// Searches what was read already.
    pub(super) fn content(&mut self, origin: &Origin, content: &[u8]) -> Outcome {
        let (mut all, size) = (Outcome::default(), content.len() as u64);
        let (findings, mut coverage) = (&mut all.findings, Coverage::default());
        let mut keep = |outcome: Outcome| findings.extend(outcome.findings);
        self.packed_file(
            origin,
            &mut io::Cursor::new(content),
            size,
            &mut Ears { coverage: &mut coverage, emit: &mut keep },
        );
        all.coverage = coverage;
        all
    }

    /// Reads and searches something that can be read only once; emits as it comes, then the account.
    pub(super) fn stream(&mut self, target: &Target, origin: &Origin, emit: &mut dyn FnMut(Outcome)) {
        let mut coverage = Coverage::default();
        let mut stream = Stream::open(target.clone(), self.watch);
        self.packed(origin, &mut stream, &mut Ears { coverage: &mut coverage, emit });
        emit(Outcome { coverage, ..Outcome::default() });
    }

    pub(super) fn account(
        &mut self,
        origin: &Origin,
        ended: io::Result<Ended>,
        size: Option<u64>,
        coverage: &mut Coverage,
    ) {
        self.scratch.rest(self.plan.jobs);
        self.masker.iter_mut().for_each(|masker| masker.rest(self.plan.jobs));
        coverage.skips.extend(left_out(origin, self.left()));
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
            Origin::Stream { .. } | Origin::Object { .. } | Origin::Log { .. } => coverage.streams += 1,
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
        self.log = match self.log.take() {
            Some(log) => Some(log.next(origin)),
            None => self.plan.log.map(|dialect| Log::new(dialect, origin)),
        };
        self.collector = Collector::default();
        let kinship = self.kinship.clone();
        let (mut told, mut composer) = (Told::default(), Composer::new(&kinship));
        let path = path(origin);
        let path = path.as_deref();
        let named = self.named(origin);
        if !named.is_empty() {
            emit(Outcome { findings: named, ..Outcome::default() });
        }
        let ended = read::chunks(input, size, self.plan.chunk, &mut buffer, &mut |chunk| {
            let mut log = self.log.take();
            let notes =
                log.as_mut().map_or(Vec::new(), |log| log::notes(log, self.detector, &mut self.scratch, origin, chunk));
            let suspects = self.chunk(path.map_or(Where::Nowhere, Where::At), chunk, None, log.as_mut());
            let place = Place { path, commit: None };
            let made = suspects.into_iter().map(|suspect| suspect.finding(self.plan, origin.clone(), &[place], None));
            let made = made.collect();
            let mut findings =
                composer.take(made, before(chunk, chunk.own.start).offset, || self.collector.pending(chunk));
            self.log = log;
            self.watch.bytes.fetch_add(told.fresh(chunk), Relaxed);
            findings.retain(|finding| told.is_new(finding));
            if !findings.is_empty() || !notes.is_empty() {
                emit(Outcome { findings, notes, coverage: Coverage::default() });
            }
            if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let mut rest = composer.finish();
        rest.retain(|finding| told.is_new(finding));
        if !rest.is_empty() {
            emit(Outcome { findings: rest, ..Outcome::default() });
        }
        self.buffer = buffer;
        ended
    }

    /// What rules without a pattern find: files whose path matches.
    pub(super) fn named(&self, origin: &Origin) -> Vec<Finding> {
        let Some(path) = origin.path().map(|path| path.as_os_str().as_encoded_bytes()) else { return Vec::new() };
        let place = Place { path: Some(path), commit: None };
        let found = self.by_path.iter().filter(|rule| rule.path.as_ref().is_some_and(|wanted| wanted.is_match(path)));
        found.map(|rule| Suspect::named(rule).finding(self.plan, origin.clone(), &[place], None)).collect()
    }

    /// The findings whose secret begins in the part that the chunk answers for. If all its marks are known, what lies between
    /// them is not searched.
    fn chunk(
        &mut self,
        place: Where<'_>,
        chunk: &Chunk<'_>,
        marks: Option<&[u32]>,
        mut log: Option<&mut Log>,
    ) -> Vec<Suspect> {
        if let Some(log) = &mut log {
            log.normaliser.normalise(chunk.bytes, chunk.start.column == 1);
        }
        let log = log.as_deref();
        let shown = log.map(|log| self.shown(log, place, chunk.ends));
        let mut candidates = match (marks, &shown) {
            (Some(marks), _) => self.detector.candidates_at(&mut self.scratch, chunk.bytes, marks, place),
            (_, Some(shown)) if shown.is_all() => Vec::new(),
            (_, shown) => {
                let own = if shown.as_ref().is_some_and(|shown| shown.complete) { 0..0 } else { around(chunk) };
                self.detector.candidates(&mut self.scratch, chunk.bytes, &own, place)
            }
        };
        let mut wrapped = self.unwrapped(chunk.bytes, place, chunk.ends);
        let mut suspects = self.collector.chunk(chunk, &wrapped.cut, &mut |bytes| {
            self.detector.candidates(&mut self.scratch, bytes, &(0..0), place);
            self.detector.unwrapped(&mut self.scratch, bytes, place, true)
        });
        suspects.retain(|suspect| self.kinship.wants(&suspect.rule));
        self.left = self.left.max(self.collector.left());
        if let Some((log, shown)) = log.zip(shown) {
            let normalised = log.normaliser.normalised();
            candidates = log::both(candidates, shown.candidates, normalised, chunk.bytes);
            wrapped.candidates =
                log::both_wrapped(wrapped.candidates, shown.wrapped.candidates, normalised, chunk.bytes);
        }
        if candidates.is_empty() && wrapped.candidates.is_empty() {
            return suspects;
        }
        // Every candidate is masked in snippets, also those that yield to a better one.
        self.masker = self.masker.take().or_else(|| Masker::new(self.plan));
        let masks = match &mut self.masker {
            Some(masker) => masker.masks(chunk.bytes, &[&candidates, &wrapped.candidates]),
            None => Masks::of(chunk.bytes, candidates.iter().chain(&wrapped.candidates)),
        };
        believe(&mut candidates);
        settle(&mut candidates, |candidate| {
            let span = candidate.span.start as u64..candidate.span.end as u64;
            (span, candidate.rule, &candidate.proof)
        });
        join(&mut candidates, wrapped.candidates);
        suspects.extend(self.owned(chunk, &candidates, &masks, log));
        suspects
    }

    /// What is in a log's normalised text.
    fn shown<'l>(&mut self, log: &'l Log, place: Where<'_>, ends: bool) -> Shown<'l>
    where
        'p: 'l,
    {
        let text = log.normaliser.normalised().text();
        let candidates = self.detector.candidates(&mut self.scratch, text, &(0..text.len()), place);
        let wrapped = self.unwrapped(text, place, ends);
        Shown { candidates, wrapped, complete: log.normaliser.is_complete() }
    }

    /// What stands in the part that the chunk answers for, with its place.
    fn owned(
        &mut self,
        chunk: &Chunk<'_>,
        candidates: &[Candidate<'_>],
        masks: &Masks<'_>,
        log: Option<&Log>,
    ) -> Vec<Suspect> {
        let (mut suspects, mut so_far) = (Vec::new(), (0, chunk.start));
        for candidate in candidates.iter().filter(|candidate| chunk.own.contains(&candidate.span.start)) {
            if !self.kinship.wants(candidate.rule) {
                continue;
            }
            let start = forward(so_far.1, chunk.encoding, &chunk.bytes[so_far.0..candidate.span.start]);
            let end = forward(start, chunk.encoding, &chunk.bytes[candidate.span.clone()]);
            so_far = (candidate.span.start, start);
            let mut suspect = Suspect::of(chunk.bytes, candidate, masks, Region { start, end });
            if let Some(log) = log {
                suspect.facts.extend(log::facts(log, self.detector, &mut self.scratch, chunk, candidate.span.start));
            }
            suspects.push(suspect);
        }
        suspects
    }

    /// What is encoded in bytes that were searched just now.
    fn unwrapped(&mut self, bytes: &[u8], place: Where<'_>, ends: bool) -> Unwrapped<'p> {
        let unwrapped = self.detector.unwrapped(&mut self.scratch, bytes, place, ends);
        self.left = self.left.max(unwrapped.left);
        unwrapped
    }

    /// Whether something in the object at hand was too large when decoded; forgets it.
    pub(super) fn left(&mut self) -> Left {
        std::mem::take(&mut self.left)
    }

    /// Everything suspicious in an object of git, whose paths are not known yet.
    pub(super) fn suspects(&mut self, content: &mut dyn Read, size: Option<u64>) -> io::Result<Vec<Suspect>> {
        let (suspects, ended) = self.suspects_until(content, size);
        ended.map(|()| suspects)
    }

    /// The same up to where reading fails, and whether it does.
    pub(super) fn suspects_until(
        &mut self,
        content: &mut dyn Read,
        size: Option<u64>,
    ) -> (Vec<Suspect>, io::Result<()>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.collector = Collector::default();
        let mut suspects = Vec::new();
        let ended = read::chunks(content, size, self.plan.chunk, &mut buffer, &mut |chunk| {
            suspects.extend(self.chunk(Where::Unknown, chunk, None, None));
            ControlFlow::Continue(())
        });
        self.buffer = buffer;
        self.kinship.prune(&mut suspects);
        (suspects, ended.map(drop))
    }

    /// The same of one that is plain ([`Searcher::is_plain`]), and whose marks are known.
    pub(super) fn suspects_at(&mut self, bytes: &[u8], marks: &[u32]) -> Vec<Suspect> {
        self.collector = Collector::default();
        let mut suspects = self.chunk(Where::Unknown, &Chunk::whole(bytes), Some(marks), None);
        self.kinship.prune(&mut suspects);
        suspects
    }

    /// What is in names, one a line, that are in no file's content; `origin` says whose they are.
    pub(super) fn names(&mut self, origin: impl FnOnce() -> Origin, names: &str) -> Vec<Finding> {
        // Hardly any name has, and to search one as a file is takes twenty times as long.
        if !self.detector.has_anything(&mut self.scratch, names.as_bytes()) {
            return Vec::new();
        }
        let suspects = self.suspects(&mut names.as_bytes(), Some(names.len() as u64));
        let suspects = suspects.expect("reading from memory does not fail").into_iter();
        let anywhere = suspects.filter(|suspect| suspect.rule.path.is_none());
        let (origin, places) = (origin(), [Place { path: None, commit: None }]);
        self.kinship.whole(anywhere.map(|one| one.finding(self.plan, origin.clone(), &places, None)).collect())
    }
}

/// Where the chunk's byte `at` stands.
fn before(chunk: &Chunk<'_>, at: usize) -> Position {
    forward(chunk.start, chunk.encoding, &chunk.bytes[..at])
}

/// The path that rules and allowlists ask about: of a member, behind its archive's.
fn path(origin: &Origin) -> Option<Cow<'_, [u8]>> {
    match origin {
        Origin::Member { archive, name } => {
            let archive = archive.as_os_str().as_encoded_bytes();
            Some([archive, b"!/", name.as_bytes()].concat().into())
        }
        // What is allowed at a path is allowed in every run of a job.
        Origin::Log { .. } => Some(origin.lasting_name().into_bytes().into()),
        _ => origin.path().map(|path| path.as_os_str().as_encoded_bytes().into()),
    }
}

/// For what was encoded and not searched to its end.
pub(super) fn left_out(origin: &Origin, left: Left) -> Option<Skip> {
    let (why, detail) = match left {
        Left::Nothing => return None,
        Left::Broken => (
            Why::CorruptArchive,
            "something compressed in base64 is broken or cut off; what is before that was searched",
        ),
        Left::Strange => {
            (Why::UnknownPacking, "an archive or document in base64 is of a kind, or packed in a way, that is not read")
        }
        Left::Locked => (Why::Encrypted, "an archive or document in base64 has a password"),
        Left::TooMuch => {
            (Why::DecodeLimit, "something in it is too large when decoded; the first part of that was searched")
        }
    };
    Some(Skip { origin: origin.clone(), why, detail: detail.to_owned() })
}

pub(super) fn unread(origin: &Origin, error: &io::Error) -> Skip {
    let inner = error.get_ref();
    if let Some(Unread { why, detail }) = inner.and_then(|inner| inner.downcast_ref()) {
        return Skip { origin: origin.clone(), why: *why, detail: detail.clone() };
    }
    let why = match inner.and_then(|inner| inner.downcast_ref()) {
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
                Target::Stdin => files::stdin().map(|stdin| Box::new(stdin) as Box<dyn Read>),
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

//! What a log adds to the search of an object: its normalised text, its job, step and time, and notes.

use super::filter::masked;
use crate::chunk::Chunk;
use crate::detect::decode::Unwrapped;
use crate::detect::{Candidate, Detector, Scratch};
use crate::finding::{Fact, Proof};
use crate::origin::Origin;
use crate::source::log::context::{Refusal, line_around};
use crate::source::log::{Context, Dialect, Normalised, Normaliser};
use crate::source::read::forward;
use crate::summary::{Note, NoteKind};

/// The state of reading one log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) normaliser: Normaliser,
    pub(super) context: Context,
    /// What the file's name says: job and step.
    file: (Option<Vec<u8>>, Option<Vec<u8>>),
}

impl Log {
    pub(super) fn new(dialect: Dialect, origin: &Origin) -> Self {
        Log { normaliser: Normaliser::new(dialect), context: Context::default(), file: github_member(origin) }
    }

    /// For the next one, in the memory of this.
    pub(super) fn next(self, origin: &Origin) -> Self {
        Log { context: Context::default(), file: github_member(origin), ..self }
    }
}

/// What is in a log's normalised text, with places there.
#[derive(Debug)]
pub(super) struct Shown<'c> {
    pub(super) candidates: Vec<Candidate<'c>>,
    pub(super) wrapped: Unwrapped<'c>,
    /// The text has everything that the log has.
    pub(super) complete: bool,
}

impl Shown<'_> {
    /// Whether the log's own bytes need not be searched. What is cut off where the chunk ends is kept as it stands in them.
    pub(super) fn is_all(&self) -> bool {
        self.complete && self.wrapped.cut.is_empty()
    }
}

/// Candidates of a chunk's own bytes and of its normalised text, all with places in the chunk. What both show comes once.
pub(super) fn both<'c>(raw: Vec<Candidate<'c>>, normal: Vec<Candidate<'c>>, text: &Normalised) -> Vec<Candidate<'c>> {
    let mut all: Vec<Candidate<'c>> = Vec::with_capacity(raw.len() + normal.len());
    for candidate in normal {
        let Some(span) = text.source(&candidate.span) else { continue };
        let matched = text.source(&candidate.matched).map_or(span.raw.clone(), |matched| matched.raw);
        let twin = |other: &&Candidate<'c>| other.rule.id == candidate.rule.id && other.span.start == span.raw.start;
        let is_known = match raw.iter().find(twin) {
            // Two lines that only look like one wrapped line must not make a token longer.
            Some(twin) if span.guessed => !proves_more(&candidate, twin),
            Some(twin) => twin.span == span.raw && twin.token == candidate.token,
            None => false,
        };
        if !is_known {
            all.push(Candidate { matched, span: span.raw, ..candidate });
        }
    }
    all.extend(raw);
    all
}

/// Candidates in what is encoded in a log's normalised text, with places in the chunk.
pub(super) fn placed<'c>(decoded: Vec<Candidate<'c>>, text: &Normalised) -> Vec<Candidate<'c>> {
    let place = |mut one: Candidate<'c>| {
        one.span = text.source(&one.span)?.raw;
        one.matched = text.source(&one.matched).map_or(one.span.clone(), |matched| matched.raw);
        one.wrapping.text = text.source(&one.wrapping.text).map_or(one.span.clone(), |all| all.raw);
        Some(one)
    };
    decoded.into_iter().filter_map(place).collect()
}

fn proves_more(candidate: &Candidate<'_>, twin: &Candidate<'_>) -> bool {
    matches!(candidate.proof, Proof::Holds(_)) && !matches!(twin.proof, Proof::Holds(_))
}

/// Job, step and time of a finding at `at` of a chunk.
pub(super) fn facts(log: &Log, detector: &Detector, scratch: &mut Scratch, chunk: &Chunk<'_>, at: usize) -> Vec<Fact> {
    let place = chunk.start.offset + at as u64;
    let mut line = line_around(chunk.bytes, at);
    // A byte order mark stands before the first line of GitHub's files.
    line.start += if chunk.bytes[line.clone()].starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let prefix = log.normaliser.dialect().prefix(&chunk.bytes[line.clone()]);
    let time = prefix.time.map(|(from, to)| chunk.bytes[line.start + from as usize..line.start + to as usize].to_vec());
    let (file_job, file_step) = log.file.clone();
    let job = log.context.job(place).or(file_job);
    let step = log.context.step(place).or(file_step);
    [("log.job", job), ("log.step", step), ("log.time", time)]
        .into_iter()
        .filter_map(|(name, value)| Some(Fact { name, value: masked(detector, scratch, &value?) }))
        .collect()
}

/// Job and step that a file of GitHub's run logs is of: `<job>/<number>_<step>.txt` (cli/cli, pkg/cmd/run/view).
fn github_member(origin: &Origin) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let name = match origin {
        Origin::Member { name, .. } => name,
        Origin::Log { project, part, .. } if project.starts_with("github:") => part,
        _ => return (None, None),
    };
    let Some((job, file)) = name.rsplit_once('/') else { return (None, None) };
    let step = file.strip_suffix(".txt").and_then(|file| file.split_once('_'));
    let step = step.filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    (Some(job.into()), step.map(|(_, step)| step.into()))
}

/// The notes that a chunk gives rise to.
pub(super) fn notes(
    log: &mut Log,
    detector: &Detector,
    scratch: &mut Scratch,
    origin: &Origin,
    chunk: &Chunk<'_>,
) -> Vec<Note> {
    let refusals = log.context.read(chunk.bytes, &chunk.own, chunk.start.offset);
    let mut shown = |name: &[u8]| masked(detector, scratch, name);
    let named = refusals
        .into_iter()
        .map(|Refusal { at, caller, callee }| (at, caller.as_deref().map(&mut shown), shown(&callee)));
    named.map(|(at, caller, callee)| refused(origin, chunk, at, caller, callee)).collect()
}

fn refused(origin: &Origin, chunk: &Chunk<'_>, at: usize, caller: Option<String>, callee: String) -> Note {
    let asker = caller.as_deref().unwrap_or("the job's project");
    let text = format!("{callee} refused the job token of {asker}: {asker} is not on its job token allowlist");
    Note {
        kind: NoteKind::JobTokenRefused { caller, callee },
        text,
        origin: origin.clone(),
        position: forward(chunk.start, chunk.encoding, &chunk.bytes[..at]),
    }
}

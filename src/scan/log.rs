//! What a log adds to the search of an object: its normalised text, its job, step and time, and notes.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem;

use super::filter::masked;
use crate::chunk::Chunk;
use crate::detect::decode::{Unwrapped, compete};
use crate::detect::{Candidate, Detector, Scratch, rank};
use crate::finding::{Fact, Proof};
use crate::origin::Origin;
use crate::source::log::ansi::end_around;
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
pub(super) fn both<'c>(
    mut raw: Vec<Candidate<'c>>,
    normal: Vec<Candidate<'c>>,
    text: &Normalised,
    bytes: &[u8],
) -> Vec<Candidate<'c>> {
    let (mut sure, mut guessed) = placed(normal, text);
    leave_torn(&mut raw, &mut sure, bytes);
    let twin = |all: &[Candidate<'c>], one: &Candidate<'c>| {
        all.iter().position(|other| other.rule.id == one.rule.id && other.span.start == one.span.start)
    };
    sure.retain(|one| twin(&raw, one).is_none_or(|at| raw[at].span != one.span || raw[at].token != one.token));
    raw.extend(sure);
    // Two lines that only look like one wrapped line must not make a token longer, at neither end.
    let meet = |one: &Candidate<'c>, other: &Candidate<'c>| {
        other.rule.id == one.rule.id && other.span.start < one.span.end && one.span.start < other.span.end
    };
    guessed.retain(|one| raw.iter().filter(|other| meet(one, other)).all(|other| proves_more(one, other)));
    raw.extend(guessed);
    raw
}

/// The same of what is encoded: of two readings of one text, of which one has a token that is a part of the other's, the one
/// that says more.
pub(super) fn both_wrapped<'c>(
    mut raw: Vec<Candidate<'c>>,
    normal: Vec<Candidate<'c>>,
    text: &Normalised,
    bytes: &[u8],
) -> Vec<Candidate<'c>> {
    let (mut sure, guessed) = placed(normal, text);
    leave_torn(&mut raw, &mut sure, bytes);
    add(&mut raw, sure, |one, twin| says(one) > says(twin));
    add(&mut raw, guessed, proves_more);
    raw
}

/// Adds those that are better than all that they are other readings of, instead of these.
fn add<'c>(
    all: &mut Vec<Candidate<'c>>,
    mut more: Vec<Candidate<'c>>,
    is_better: impl Fn(&Candidate<'c>, &Candidate<'c>) -> bool,
) {
    all.sort_by_key(|one| one.span.start);
    // How far those up to each reach.
    let reach = all.iter().scan(0, |most, one| {
        *most = one.span.end.max(*most);
        Some(*most)
    });
    let (reach, mut yields): (Vec<usize>, _) = (reach.collect(), vec![false; all.len()]);
    more.retain(|one| {
        let before = all.partition_point(|other| other.span.start < one.span.end);
        let met = (0..before).rev().take_while(|at| reach[*at] > one.span.start);
        let twins: Vec<usize> =
            met.filter(|at| all[*at].span.end > one.span.start && is_part(one, &all[*at])).collect();
        let best = twins.iter().all(|at| is_better(one, &all[*at]));
        twins.iter().for_each(|at| yields[*at] |= best);
        best
    });
    let mut yields = yields.into_iter();
    all.retain(|_| !yields.next().unwrap_or(false));
    all.append(&mut more);
}

/// Leaves out what begins with the rest of a control sequence, as `1m` of a colour, where it is read without that, too.
fn leave_torn(raw: &mut Vec<Candidate<'_>>, sure: &mut Vec<Candidate<'_>>, bytes: &[u8]) {
    let is_torn = |one: &Candidate<'_>| end_around(bytes, one.span.start).is_some_and(|end| end < one.span.end);
    let starts: BTreeSet<usize> =
        raw.iter().chain(&*sure).filter(|one| !is_torn(one)).map(|one| one.span.start).collect();
    let is_whole = |one: &Candidate<'_>| !is_torn(one) || starts.range(one.span.clone()).next().is_none();
    raw.retain(is_whole);
    sure.retain(is_whole);
}

/// Whether only one of both may be kept, for one's token is a part of the other's.
fn is_part(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    let (short, long) = if one.token.len() < other.token.len() { (one, other) } else { (other, one) };
    compete(one, other) && memmem::find(&long.token, &short.token).is_some()
}

/// How much a candidate says.
fn says(one: &Candidate<'_>) -> impl Ord + use<> {
    rank(one.rule, &one.proof, one.token.len() as u64)
}

/// Candidates in a log's normalised text with their places in the chunk: those that are sure to stand there, and those of lines that
/// were joined by their look alone.
fn placed<'c>(candidates: Vec<Candidate<'c>>, text: &Normalised) -> (Vec<Candidate<'c>>, Vec<Candidate<'c>>) {
    let (mut sure, mut guessed) = (Vec::new(), Vec::new());
    for mut one in candidates {
        let Some(source) = text.source(&one.span) else { continue };
        let raw = |span: &Range<usize>| text.source(span).map_or(source.raw.clone(), |found| found.raw);
        one.matched = raw(&one.matched);
        if !one.wrapping.layers.is_empty() {
            one.wrapping.text = raw(&one.wrapping.text);
        }
        one.span = source.raw;
        if source.guessed { guessed.push(one) } else { sure.push(one) }
    }
    (sure, guessed)
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

//! What a log adds to the search of an object: its normalised text, its job, step and time, and notes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

use super::filter::masked;
use crate::chunk::Chunk;
use crate::detect::decode::{Unwrapped, compete};
use crate::detect::{Candidate, Detector, Scratch, believe, rank};
use crate::finding::{Fact, Proof};
use crate::origin::Origin;
use crate::rule::Confidence;
use crate::source::log::ansi::{ESC, end_around};
use crate::source::log::context::{Refusal, line_around};
use crate::source::log::{Context, Dialect, Normalised, Normaliser};
use crate::source::read::forward;
use crate::summary::{Note, NoteKind};

/// So many candidates that stand where another one does are compared with it, and as many that are the same.
const TWINS: usize = 64;

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
    leave_twins(&mut raw, &mut sure, bytes);
    // Of those that say as much, the first one counts.
    let mut all = sure;
    all.append(&mut raw);
    all.sort_by_key(|one| one.span.start);
    // Two lines that only look like one wrapped line must not make a token longer, at neither end, nor doubtful.
    believe(&mut guessed);
    let reach = reach(&all);
    let is_better = |one: &Candidate<'c>, other: &Candidate<'c>| match one.rule.id == other.rule.id {
        true => proves_more(one, other),
        false => one.confidence > Confidence::Low || other.confidence == Confidence::Low,
    };
    guessed.retain(|one| met(&all, &reach, &one.span).all(|at| is_better(one, &all[at])));
    all.extend(guessed);
    all
}

/// Leaves of two readings from one place by one rule that of the normalised text, unless the log's own bytes say more.
fn leave_twins<'c>(raw: &mut Vec<Candidate<'c>>, sure: &mut Vec<Candidate<'c>>, bytes: &[u8]) {
    let place = |one: &Candidate<'_>| (Arc::as_ptr(one.rule), one.span.start);
    let read: HashMap<_, usize> = sure.iter().enumerate().map(|(at, one)| (place(one), at)).collect();
    let mut yields = vec![false; sure.len()];
    raw.retain(|one| {
        let Some(&at) = read.get(&place(one)) else { return true };
        let other = &sure[at];
        let same = one.span == other.span && one.token == other.token;
        let is_better = match same {
            true => one.confidence >= other.confidence,
            false => proves_more(one, other) || one.confidence > other.confidence,
        };
        yields[at] |= same && is_better;
        is_better
    });
    let mut yields = yields.into_iter();
    sure.retain(|_| !yields.next().unwrap_or(false));
    // What has a control sequence in it is another reading of what the text has.
    sure.sort_by_key(|one| one.span.start);
    let reach = reach(sure);
    let is_plain = |one: &Candidate<'_>| memchr::memchr(ESC, &bytes[one.span.clone()]).is_none();
    let says_more = |one: &Candidate<'_>, other: &Candidate<'_>| {
        let is_known = one.rule.provider != "generic" && other.rule.provider == "generic";
        is_known || proves_more(one, other) || one.confidence > other.confidence
    };
    raw.retain(|one| is_plain(one) || met(sure, &reach, &one.span).all(|at| says_more(one, &sure[at])));
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
    let (reach, mut yields) = (reach(all), vec![false; all.len()]);
    // All of what one compressed text has stands in one place.
    let mut tokens: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, one) in all.iter().enumerate() {
        tokens.entry(&one.token).or_default().push(at);
    }
    more.retain(|one| {
        let same = tokens.get(&*one.token).into_iter().flatten().copied();
        let same = same.filter(|at| meets(&all[*at].span, &one.span)).take(TWINS);
        let twins = met(all, &reach, &one.span).take(TWINS).chain(same).filter(|at| is_part(one, &all[*at]));
        let twins: Vec<usize> = twins.collect();
        let best = twins.iter().all(|at| is_better(one, &all[*at]));
        twins.iter().for_each(|at| yields[*at] |= best);
        best
    });
    drop(tokens);
    let mut yields = yields.into_iter();
    all.retain(|_| !yields.next().unwrap_or(false));
    all.append(&mut more);
}

/// How far those up to each reach, of such as are sorted by their starts.
fn reach(all: &[Candidate<'_>]) -> Vec<usize> {
    let furthest = |most: &mut usize, one: &Candidate<'_>| {
        *most = one.span.end.max(*most);
        Some(*most)
    };
    all.iter().scan(0, furthest).collect()
}

/// Which of them share a byte with `span`, from the last one on.
fn met(all: &[Candidate<'_>], reach: &[usize], span: &Range<usize>) -> impl Iterator<Item = usize> {
    let before = all.partition_point(|other| other.span.start < span.end);
    let met = (0..before).rev().take_while(|at| reach[*at] > span.start);
    met.filter(|at| meets(&all[*at].span, span))
}

fn meets(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Leaves out what begins with the rest of a control sequence, as `1m` of a colour, where what is read without that says as much.
fn leave_torn(raw: &mut Vec<Candidate<'_>>, sure: &mut Vec<Candidate<'_>>, bytes: &[u8]) {
    let is_torn = |one: &Candidate<'_>| end_around(bytes, one.span.start).is_some_and(|end| end < one.span.end);
    // Without its length, as the torn one has more; and what is said of it.
    let says = |one: &Candidate<'_>| (one.confidence, rank(one.rule, &one.proof, 0));
    let mut whole = BTreeMap::new();
    for one in raw.iter().chain(&*sure).filter(|one| !is_torn(one)) {
        let best = whole.entry(one.span.start).or_insert_with(|| says(one));
        if says(one) > *best {
            *best = says(one);
        }
    }
    let yields =
        |one: &Candidate<'_>| is_torn(one) && whole.range(one.span.clone()).any(|(_, other)| *other >= says(one));
    raw.retain(|one| !yields(one));
    sure.retain(|one| !yields(one));
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

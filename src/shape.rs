//! Reads off a pattern's syntax tree what every match of it must look like: how long it can be, where in it an anchor
//! stands, and whether it contains a long run of token characters. The prefilter rests on this, so every answer errs
//! on the safe side.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde::{Deserialize, Serialize};

mod context;
mod loose;

pub use context::Context;
pub use loose::Written;

/// Bytes a *run* is made of.
pub fn is_run_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// A run of at least this many bytes of `[A-Za-z0-9_-]` is what the prefilter looks for first. Nearly every
/// machine-made token has one (measured for 20: one per 386 bytes of source, `reference/libraries.md` section 2). A Data
/// Center token, which has no prefix, is sure of 18.
pub const RUN: usize = 18;

/// Runs need not be told apart beyond this length; what a mark sees of a run (`marks::BEFORE`) is longer.
pub const MAX_RUN: usize = 40;

/// Longest match that is searched for. A pattern without an upper limit is cut here; nothing that leaks is longer
/// (GitLab's longest routable token has 319 characters, a job-token JWT about 1,500).
pub const MAX_MATCH: usize = 8192;

/// A rule whose anchor may stand further than this before its run is not worth a run: its anchor is searched everywhere.
const MAX_LEAD: usize = 256;

/// Bytes that most lines do without, and that rules have.
const RARE: &[u8] = b"@<>{}$%~^|";

/// More spellings of one stretch of a pattern than these are not followed.
const MAX_SPELLINGS: usize = 64;

/// A stencil is no longer than this; more positions would tell little more.
const MAX_STENCIL: usize = 8;

/// What a run must show at consecutive places for a pattern without keywords to be tried there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stencil(Vec<Vec<u8>>);

impl Stencil {
    /// The bytes that it allows at a place, if it says.
    pub(super) fn choices(&self, at: usize) -> Option<&[u8]> {
        self.0.get(at).map(Vec::as_slice)
    }

    /// Whether `bytes` begin as it demands.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        self.0.len() <= bytes.len() && self.0.iter().zip(bytes).all(|(choices, byte)| choices.contains(byte))
    }
}

/// A run that every match has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// The anchor stands at most this far before the run, in bytes, or inside it.
    pub lead: usize,
    /// The run has at least this many bytes, from [`RUN`] to [`MAX_RUN`].
    pub len: usize,
    /// The anchor's first byte and those behind it are run bytes, at least this many, up to [`MAX_RUN`]. From [`RUN`] on the
    /// anchor stands in the run that is meant.
    pub rest: usize,
}

impl Near {
    /// What holds for both.
    #[must_use]
    pub fn or(self, other: Near) -> Near {
        let (lead, len) = (self.lead.max(other.lead), self.len.min(other.len));
        Near { lead, len, rest: self.rest.min(other.rest) }
    }
}

/// How to look for a pattern around an anchor: a keyword, or the place where a stencil fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Every match begins with an anchor: no need to look before it.
    pub starts_with_anchor: bool,
    /// A match begins at most this many bytes before its anchor.
    pub before: usize,
    /// A match ends at most this many bytes after the first byte of its anchor.
    pub after: usize,
    /// Every match has such a run near its anchor.
    pub run: Option<Near>,
    /// The anchor stands in lower case in every match, so other cases need not be looked for.
    pub lower_case: bool,
    /// The anchor begins in this part of the flattened pattern.
    pub(crate) anchor: usize,
    /// It begins where that part does.
    pub(crate) exact: bool,
    /// What to look for in runs; only for a pattern that has no keywords.
    pub stencil: Option<Stencil>,
    /// A byte that stands in every match behind its anchor, and how many bytes behind the first of the anchor's it ends at most.
    /// Few places have such a byte so near, and looking for one byte is the cheapest search there is.
    pub needs: Option<(u8, usize)>,
    /// Every group is a run of its own, of at least [`RUN`] bytes, and the run that is looked for stands behind the anchor:
    /// what is asked of the secret may be asked of that run.
    pub one_run: bool,
    /// What stands around each keyword, in their order; none for a stencil, nor for a pattern that is read at run time: to
    /// read it off takes longer than most runs would gain.
    pub contexts: Vec<Context>,
    /// The loose form (`shape::loosened`), written down; none for a pattern that is read at run time.
    pub loose: Option<Written>,
}

/// The syntax tree of a pattern as rules mean it: over bytes, Unicode off.
pub(crate) fn parse(pattern: &str) -> Result<Hir, Box<regex_syntax::Error>> {
    regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).map_err(Box::new)
}

/// [`shape`] of a pattern's text, and what stands around its keywords; `None` also for one that does not parse.
pub fn of(pattern: &str, keywords: &[String]) -> Option<Shape> {
    let hir = parse(pattern).ok()?;
    let contexts = context::contexts(&flatten(&hir), keywords);
    let shape = shape(&hir, keywords)?;
    let loose = Written::new(&loosened(&hir, Some(&shape)));
    Some(Shape { contexts, loose, ..shape })
}

/// What matches wherever the pattern does and takes little to compile: of what stands from the anchor on, if the shape says
/// that it is sure to begin there; otherwise of the whole.
pub(crate) fn loosened(hir: &Hir, shape: Option<&Shape>) -> Hir {
    match shape.filter(|shape| shape.exact && !shape.starts_with_anchor) {
        Some(shape) => loose::loosen(&Hir::concat(flatten(hir).split_off(shape.anchor))),
        None => loose::loosen(hir),
    }
}

/// What a table is made of for a pattern whose every match is sure to begin with its anchor, or to go on from there: its loose form,
/// with the words of the anchor as they are.
pub fn tabled(pattern: &str, shape: &Shape) -> Option<Hir> {
    let mut parts = flatten(&parse(pattern).ok().filter(|_| shape.exact)?);
    let from = if shape.starts_with_anchor { 0 } else { shape.anchor };
    Some(loose::loosen_behind(&Hir::concat(parts.split_off(from))))
}

/// The shape of a pattern whose every match contains one of `keywords` (lower case) in any case, or, if there are none,
/// has a run that a stencil can be made of. `None` if neither can be shown, and then only searching everything is safe.
pub fn shape(hir: &Hir, keywords: &[String]) -> Option<Shape> {
    let parts = flatten(hir);
    let (anchor, stencil) = match keywords {
        [] => stencil(&parts).map(|(anchor, stencil)| (anchor, Some(stencil)))?,
        _ => (find_anchor(&parts, keywords)?, None),
    };
    let longest = |parts: &[Hir]| parts.iter().try_fold(0usize, |sum, part| Some(sum + max_len(part)?));
    let before = longest(&parts[..anchor.from]).map(|sum| sum + anchor.slack).unwrap_or(MAX_MATCH).min(MAX_MATCH);
    let after = longest(&parts[anchor.from..]).unwrap_or(MAX_MATCH).min(MAX_MATCH);
    let rest = match anchor.slack {
        0 => parts[anchor.from..].iter().map(runs).fold(Runs::solid(0, true), Runs::then).prefix.min(MAX_RUN),
        _ => 0,
    };
    let head = (rest >= RUN).then_some(Near { lead: 0, len: rest, rest });
    let run = head.or_else(|| {
        guaranteed_run(&parts).and_then(|run| {
            // The anchor must not stand behind the run: it is spelled out within it, or it ends before the run's first part.
            let in_front = anchor.to < run.from || (anchor.slack == 0 && anchor.to <= run.to);
            // Or right behind it: the prefilter looks on behind a run for as long as a keyword is.
            let behind = anchor.slack == 0 && anchor.from == run.to + 1 && run.solid_to_end;
            let lead = longest(&parts[anchor.from.min(run.from)..run.from])? + run.slack;
            ((in_front || behind) && lead <= MAX_LEAD).then_some(Near { lead, len: run.len, rest })
        })
    });
    Some(Shape {
        starts_with_anchor: anchor.slack == 0 && parts[..anchor.from].iter().all(|part| max_len(part) == Some(0)),
        before,
        after,
        run,
        anchor: anchor.from,
        exact: anchor.slack == 0,
        lower_case: parts[anchor.from..=anchor.to].iter().all(is_lower_case),
        stencil,
        needs: needed(&parts, &anchor),
        one_run: secrets(hir).iter().all(|secret| is_one_run(secret))
            && guaranteed_run(&parts).is_some_and(|run| anchor.to < run.from),
        contexts: Vec::new(),
        loose: None,
    })
}

/// The first rare byte behind the anchor that no match does without.
fn needed(parts: &[Hir], anchor: &Stretch) -> Option<(u8, usize)> {
    let before =
        parts[anchor.from..=anchor.to].iter().try_fold(anchor.slack, |sum, part| Some(sum + max_len(part)?))?;
    first_rare(&parts[anchor.to + 1..], before)
}

/// The first rare byte in every match of the parts, and how many bytes behind the beginning it ends at most, if they begin
/// `before` bytes behind it.
fn first_rare(parts: &[Hir], before: usize) -> Option<(u8, usize)> {
    let mut start = before;
    for part in parts {
        let found = match part.kind() {
            HirKind::Alternation(branches) => in_each(branches, start),
            _ => bytes_of(part).and_then(|bytes| match bytes[..] {
                [byte] if RARE.contains(&byte) => Some((byte, start + 1)),
                _ => None,
            }),
        };
        if found.is_some() {
            return found;
        }
        start += max_len(part)?;
    }
    None
}

/// The same where one of the branches is matched.
fn in_each(branches: &[Hir], before: usize) -> Option<(u8, usize)> {
    let mut rare = branches.iter().map(|branch| first_rare(&flatten(branch), before));
    let first = rare.next()??;
    rare.try_fold(first, |all, one| one.filter(|one| one.0 == all.0).map(|one| (all.0, all.1.max(one.1))))
}

fn is_one_run(secret: &Hir) -> bool {
    secret.properties().minimum_len().is_some_and(|len| len >= RUN) && is_of_run_bytes(secret)
}

/// What may be the secret of a match: its groups, or all of it.
fn secrets(hir: &Hir) -> Vec<&Hir> {
    fn groups<'h>(hir: &'h Hir, out: &mut Vec<&'h Hir>) {
        match hir.kind() {
            HirKind::Capture(capture) => out.push(&capture.sub),
            HirKind::Repetition(repetition) => groups(&repetition.sub, out),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| groups(part, out)),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        }
    }
    let mut out = Vec::new();
    groups(hir, &mut out);
    if out.is_empty() { vec![hir] } else { out }
}

fn is_of_run_bytes(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().all(|byte| is_run_byte(*byte)),
        HirKind::Class(_) => bytes_of(hir).is_some_and(|bytes| bytes.iter().all(|byte| is_run_byte(*byte))),
        HirKind::Repetition(repetition) => is_of_run_bytes(&repetition.sub),
        HirKind::Capture(capture) => is_of_run_bytes(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_of_run_bytes),
        HirKind::Empty | HirKind::Look(_) => true,
    }
}

/// What makes a pattern dear to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dear {
    /// Not every match is certain to have a keyword in it: the pattern is tried on everything.
    Unanchored,
    /// Alternatives do not have a run in common that stands near the keyword, though one alone would: the keyword is looked
    /// for in every byte. The number of the first that has none, from 1.
    Alternative(usize),
}

/// What makes the pattern dear that need not, if anything does. `None` also for one that does not parse.
pub fn dear(pattern: &str, keywords: &[String]) -> Option<Dear> {
    let hir = parse(pattern).ok()?;
    let Some(shape) = shape(&hir, keywords) else { return Some(Dear::Unanchored) };
    let parts = flatten(&hir);
    let near = |at: usize, branch: &Hir| {
        let one = [&parts[..at], std::slice::from_ref(branch), &parts[at + 1..]].concat();
        self::shape(&Hir::concat(one), keywords).is_some_and(|shape| shape.run.is_some())
    };
    let of_part = |(at, part): (usize, &Hir)| {
        let HirKind::Alternation(branches) = part.kind() else { return None };
        let near: Vec<bool> = branches.iter().map(|branch| near(at, branch)).collect();
        near.contains(&true).then(|| near.iter().position(|near| !near).unwrap_or(0) + 1)
    };
    let alternatives = || parts.iter().enumerate().find_map(of_part);
    if shape.run.is_some() { None } else { alternatives().map(Dear::Alternative) }
}

/// Parts `from..=to` of a concatenation; what is meant begins at most `slack` bytes into part `from`.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) from: usize,
    to: usize,
    pub(crate) slack: usize,
    /// A run: it reaches to the end of part `to`.
    solid_to_end: bool,
    /// A run: how long it is at least.
    len: usize,
}

/// The one-byte parts that the guaranteed run begins with, if the first of them is rare enough to look for.
fn stencil(parts: &[Hir]) -> Option<(Stretch, Stencil)> {
    let run = guaranteed_run(parts).filter(|run| run.slack == 0)?;
    let sets: Vec<Vec<u8>> = parts[run.from..].iter().map_while(bytes_of).take(MAX_STENCIL).collect();
    (sets.len() >= 2 && sets[0].len() <= 3).then_some((run, Stencil(sets)))
}

/// A concatenation's parts with groups opened and literals split into bytes.
pub(crate) fn flatten(hir: &Hir) -> Vec<Hir> {
    match hir.kind() {
        HirKind::Concat(parts) => parts.iter().flat_map(flatten).collect(),
        HirKind::Capture(capture) => flatten(&capture.sub),
        HirKind::Literal(literal) => literal.0.iter().map(|&byte| Hir::literal([byte])).collect(),
        HirKind::Empty => Vec::new(),
        HirKind::Repetition(repetition)
            if repetition.max == Some(repetition.min) && choices(&repetition.sub).is_none() && repetition.min <= 8 =>
        {
            let once = flatten(&repetition.sub);
            (0..repetition.min).flat_map(|_| once.iter().cloned()).collect()
        }
        _ => vec![hir.clone()],
    }
}

pub(crate) fn max_len(hir: &Hir) -> Option<usize> {
    hir.properties().maximum_len()
}

/// The bytes a one-byte part can match, lower-cased; `None` for any other part.
fn choices(hir: &Hir) -> Option<Vec<u8>> {
    let mut bytes = bytes_of(hir)?;
    bytes.make_ascii_lowercase();
    bytes.sort_unstable();
    bytes.dedup();
    Some(bytes)
}

/// Whether a part matches one byte that is no capital letter, or nothing.
fn is_lower_case(part: &Hir) -> bool {
    max_len(part) == Some(0) || bytes_of(part).is_some_and(|bytes| !bytes.iter().any(u8::is_ascii_uppercase))
}

/// The bytes a one-byte part can match; `None` for any other part.
fn bytes_of(hir: &Hir) -> Option<Vec<u8>> {
    Some(match hir.kind() {
        HirKind::Literal(literal) if literal.0.len() == 1 => vec![literal.0[0]],
        HirKind::Class(Class::Bytes(class)) => class.iter().flat_map(|range| range.start()..=range.end()).collect(),
        HirKind::Class(Class::Unicode(class)) => {
            let chars = class.iter().flat_map(|range| range.start()..=range.end()).take(257);
            chars.map(|c| u8::try_from(c).ok().filter(u8::is_ascii)).collect::<Option<_>>()?
        }
        _ => return None,
    })
}

/// The first stretch of parts that contains a keyword whatever is matched.
pub(crate) fn find_anchor(parts: &[Hir], keywords: &[String]) -> Option<Stretch> {
    (0..parts.len()).find_map(|from| match choices(&parts[from]) {
        Some(_) => literal_anchor(parts, from, keywords),
        None => {
            let slack = inner_anchor(&parts[from], keywords)?;
            Some(Stretch { from, to: from, slack, solid_to_end: false, len: 0 })
        }
    })
}

/// Whether one-byte parts from `from` on spell keywords in every combination of their choices.
fn literal_anchor(parts: &[Hir], from: usize, keywords: &[String]) -> Option<Stretch> {
    let mut spelled: Vec<Vec<u8>> = vec![Vec::new()];
    for (to, part) in parts.iter().enumerate().skip(from) {
        // Positions that match nothing (`^`, `\b`) may stand inside.
        if max_len(part) == Some(0) {
            continue;
        }
        let choices = choices(part)?;
        if spelled.len() * choices.len() > MAX_SPELLINGS {
            return None;
        }
        spelled = spelled
            .iter()
            .flat_map(|text| choices.iter().map(move |&byte| [text.as_slice(), &[byte]].concat()))
            .filter(|text| !keywords.iter().any(|keyword| text.starts_with(keyword.as_bytes())))
            .collect();
        if spelled.is_empty() {
            return Some(Stretch { from, to, slack: 0, solid_to_end: false, len: 0 });
        }
        if !spelled.iter().all(|text| keywords.iter().any(|keyword| keyword.as_bytes().starts_with(text))) {
            return None;
        }
    }
    None
}

/// How far into a match of one part a keyword begins at most, if every match of it contains one.
fn inner_anchor(hir: &Hir, keywords: &[String]) -> Option<usize> {
    let branches = match hir.kind() {
        HirKind::Alternation(branches) => branches.as_slice(),
        HirKind::Repetition(repetition) if repetition.min > 0 => std::slice::from_ref(&*repetition.sub),
        _ => return None,
    };
    let anchors: Option<Vec<Stretch>> = branches.iter().map(|branch| find_anchor(&flatten(branch), keywords)).collect();
    let at_start = anchors?.iter().all(|anchor| anchor.from == 0 && anchor.slack == 0);
    Some(if at_start { 0 } else { max_len(hir).unwrap_or(MAX_MATCH) })
}

/// What is certain about runs in every match of a pattern. Lengths in bytes.
#[derive(Clone, Copy, Debug)]
struct Runs {
    /// Only run bytes can be matched.
    all: bool,
    /// Least length of the run a match begins with.
    prefix: usize,
    /// Least length of the run a match ends with.
    suffix: usize,
    /// Least length of the longest run in a match.
    best: usize,
}

impl Runs {
    fn solid(len: usize, all: bool) -> Self {
        let len = if all { len } else { 0 };
        Runs { all, prefix: len, suffix: len, best: len }
    }

    fn then(self, next: Runs) -> Runs {
        Runs {
            all: self.all && next.all,
            prefix: if self.all { self.prefix + next.prefix } else { self.prefix },
            suffix: if next.all { self.suffix + next.suffix } else { next.suffix },
            best: self.best.max(next.best).max(self.suffix + next.prefix),
        }
    }

    fn or(self, other: Runs) -> Runs {
        Runs {
            all: self.all && other.all,
            prefix: self.prefix.min(other.prefix),
            suffix: self.suffix.min(other.suffix),
            best: self.best.min(other.best),
        }
    }
}

fn runs(hir: &Hir) -> Runs {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Runs::solid(0, true),
        HirKind::Literal(literal) => literal
            .0
            .iter()
            .map(|&byte| Runs::solid(1, is_run_byte(byte)))
            .fold(Runs::solid(0, true), |left, right| left.then(right)),
        HirKind::Class(Class::Bytes(class)) => {
            Runs::solid(1, class.iter().all(|range| (range.start()..=range.end()).all(is_run_byte)))
        }
        HirKind::Class(Class::Unicode(class)) => Runs::solid(
            1,
            class.iter().all(|range| range.end() < '\u{80}')
                && class.iter().all(|range| (range.start() as u8..=range.end() as u8).all(is_run_byte)),
        ),
        HirKind::Repetition(repetition) => {
            let sub = runs(&repetition.sub);
            let min = repetition.min as usize;
            match (sub.all, min) {
                (true, _) => Runs::solid(min.saturating_mul(sub.prefix).min(MAX_MATCH), true),
                (false, 0) => Runs::solid(0, false),
                (false, 1) => sub,
                (false, _) => sub.then(Runs { all: false, ..sub }),
            }
        }
        HirKind::Capture(capture) => runs(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(runs).fold(Runs::solid(0, true), |left, right| left.then(right)),
        HirKind::Alternation(branches) => {
            branches.iter().map(runs).reduce(Runs::or).unwrap_or_else(|| Runs::solid(0, true))
        }
    }
}

/// The stretch of parts in which every match has a run of [`RUN`] bytes.
fn guaranteed_run(parts: &[Hir]) -> Option<Stretch> {
    for from in 0..parts.len() {
        let first = runs(&parts[from]);
        if first.suffix == 0 && first.best < RUN {
            continue;
        }
        let slack = if first.all { 0 } else { max_len(&parts[from])? };
        let mut so_far = first;
        let mut to = from;
        // Once the run that began in `from` has ended, a later `from` will find the rest.
        while to + 1 < parts.len() && (to == from || runs(&parts[to]).all) && so_far.suffix > 0 {
            let next = runs(&parts[to + 1]);
            // A run that lies inside of the next part begins there, and a later `from` will find it.
            if so_far.best < RUN && !next.all && so_far.suffix + next.prefix < RUN && next.best >= RUN {
                break;
            }
            let longer = so_far.then(next);
            if longer.best == so_far.best && so_far.best >= RUN {
                break;
            }
            so_far = longer;
            to += 1;
        }
        if so_far.best >= RUN {
            let solid_to_end = so_far.suffix >= RUN;
            return Some(Stretch { from, to, slack, solid_to_end, len: so_far.best.min(MAX_RUN) });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str, keywords: &[&str]) -> Option<Shape> {
        shape(&parse(pattern).unwrap(), &keywords.iter().map(|word| word.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn a_prefix_token_is_anchored_and_is_a_run() {
        let shape = of("ghp_[0-9A-Za-z]{36}", &["ghp_"]).unwrap();
        assert_eq!(
            shape,
            Shape {
                starts_with_anchor: true,
                before: 0,
                after: 40,
                run: Some(Near { lead: 0, len: 40, rest: 40 }),
                lower_case: true,
                anchor: 0,
                stencil: None,
                needs: None,
                one_run: false,
                contexts: Vec::new(),
                loose: None,
                exact: true,
            }
        );
    }

    #[test]
    fn classes_may_spell_several_keywords() {
        assert!(of("gh[po]_[0-9]{30}", &["ghp_", "gho_"]).unwrap().starts_with_anchor);
        assert_eq!(of("gh[pou]_[0-9]{30}", &["ghp_", "gho_"]), None, "ghu_ is no keyword");
        assert!(of("(?i)glpat-[0-9]{20}", &["glpat-"]).unwrap().starts_with_anchor);
    }

    #[test]
    fn a_context_rule_looks_before_its_anchor_and_before_its_run() {
        let shape = of(r#"[a-z]{0,9}gitlab[ =]{1,4}([0-9a-z]{20})(?:\s|$)"#, &["gitlab"]).unwrap();
        assert_eq!(
            shape,
            Shape {
                starts_with_anchor: false,
                before: 9,
                after: 31,
                run: Some(Near { lead: 10, len: 20, rest: 6 }),
                lower_case: true,
                anchor: 1,
                stencil: None,
                needs: None,
                one_run: true,
                contexts: Vec::new(),
                loose: None,
                exact: true,
            }
        );
    }

    #[test]
    fn a_run_inside_of_alternatives_begins_there() {
        let branches = "[0-9A-Za-z]{18}[0-9A-Za-z+/]{24}|[0-9A-Za-z+/]{5}[0-9A-Za-z]{18}[0-9A-Za-z+/]{19}";
        let run = of(&format!("ptr_(?:{branches})"), &["ptr_"]).unwrap().run.unwrap();
        assert!(run.lead >= 9, "{run:?}");
    }

    #[test]
    fn a_rare_byte_behind_the_anchor_is_needed() {
        let needs = |pattern: &str| of(pattern, &["://"]).unwrap().needs;
        assert_eq!(needs("[a-z]{1,9}://[^@ ]{1,60}@[a-z]"), Some((b'@', 64)));
        assert_eq!(needs("://[^@ ]{1,60}@?[a-z]"), None, "not in every match");
        assert_eq!(needs("://[^@ ]{1,60}(?:@|=)[a-z]"), None, "or another");
        assert_eq!(needs("://[^@ ]{1,60}=[a-z]"), None, "not rare");
        assert_eq!(needs("://[^@ ]+@[a-z]"), None, "anywhere");
        assert_eq!(needs("://(?:[^@ ]{1,60}@[a-z]|user@[a-z]{9})"), Some((b'@', 64)), "in all ways to spell it");
        assert_eq!(needs("://(?:[^@ ]{1,60}@[a-z]|user%40)"), None, "in one of them");
        assert_eq!(needs("@[a-z]{3}://x"), None, "before it");
    }

    #[test]
    fn a_secret_that_may_have_its_digit_elsewhere_is_not_one_run() {
        let one = |pattern: &str| of(pattern, &["key"]).unwrap().one_run;
        assert!(one("key[ =]{1,4}([0-9a-z]{20})") && one("key=(?:([a-f0-9]{18}|[a-z-]{30,40}))"));
        assert!(!one("key[ =]{1,4}([0-9a-z]{4,12}:[A-Za-z]{32})"), "not of run bytes alone");
        assert!(!one("key=([0-9a-z]{4,12}) [A-Za-z]{32}"), "the run is another");
        assert!(!one("key_of_somebody_else=([0-9a-z]{20})"), "the run may be that of the anchor");
    }

    #[test]
    fn an_anchor_behind_the_run_is_not_near_it() {
        assert_eq!(of("[0-9]{20}[ ]{0,400}key", &["key"]).unwrap().run, None);
        assert_eq!(of("[0-9]{20} {0,1}[.]1[.]", &[".1."]).unwrap().run, None);
        assert_eq!(
            of("[0-9]{20}[.]1[.]", &[".1."]).unwrap().run,
            Some(Near { lead: 0, len: 20, rest: 0 }),
            "right behind it"
        );
    }

    #[test]
    fn no_run_without_eighteen_bytes_of_it() {
        assert_eq!(of("://[^@ ]{1,60}@", &["://"]).unwrap().run, None);
        assert_eq!(of("abc[0-9+/]{44}", &["abc"]).unwrap().run, None);
        assert_eq!(of("abc_[0-9]{4}[.][0-9]{17}", &["abc_"]).unwrap().run, None);
        assert_eq!(of("abc_[.][0-9]{20}", &["abc_"]).unwrap().run, Some(Near { lead: 5, len: 20, rest: 4 }));
        assert_eq!(of("(?:[0-9]{20} key|[0-9]{20} kez)", &["key", "kez"]).unwrap().run, None);
    }

    #[test]
    fn without_keywords_the_beginning_of_the_run_is_looked_for() {
        let shape = of("(?:^|[^-])((?:[MN][DT][A-Z]){2}[0-9a-z]{20})", &[]).unwrap();
        assert_eq!((shape.before, shape.after, shape.run), (1, 26, Some(Near { lead: 0, len: 26, rest: 26 })));
        let stencil = shape.stencil.unwrap();
        assert_eq!(stencil.choices(0), Some(&b"MN"[..]));
        assert!(stencil.fits(b"MDANTB00") && !stencil.fits(b"MDAND900") && !stencil.fits(b"MDAN"));
        assert_eq!(of("[a-z][0-9]{30}", &[]), None, "too many ways to begin");
    }

    #[test]
    fn what_makes_a_pattern_dear_is_named() {
        let of = |pattern: &str, keywords: &[&str]| {
            dear(pattern, &keywords.iter().map(|word| word.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(of("ghp_[0-9a-z]{36}", &["ghp_"]), None);
        assert_eq!(of("(?:ghp_|v1[.])[0-9a-f]{40}", &["ghp_"]), Some(Dear::Unanchored));
        assert_eq!(of("key=(?:[0-9a-f]{40}|[0-9a-f]{8})", &["key="]), Some(Dear::Alternative(2)));
        assert_eq!(of("://[^@ ]{1,60}@", &["://"]), None, "nothing could be better");
    }

    #[test]
    fn alternatives_must_all_have_it() {
        assert!(of("(?:ghp_|v1[.])[0-9a-f]{40}", &["ghp_", "v1."]).is_some());
        assert_eq!(of("(?:ghp_|v1[.])[0-9a-f]{40}", &["ghp_"]), None);
        assert_eq!(of("(?:ghp_)?[0-9a-f]{40}", &["ghp_"]), None);
        assert!(of(r"(?:://|:\\/\\/)[a-z]{9}", &["://", r":\/\/"]).unwrap().starts_with_anchor);
        assert!(!of(r"(?:://|s:\\/\\/)[a-z]{9}", &["://", r":\/\/"]).unwrap().starts_with_anchor);
    }
}

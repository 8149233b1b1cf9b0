//! Reads off a pattern's syntax tree what every match of it must look like: how long it can be, where in it an anchor
//! stands, and whether it contains a long run of token characters. The prefilter rests on this, so every answer errs
//! on the safe side.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Bytes a *run* is made of.
pub fn is_run_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// A run of at least this many bytes of `[A-Za-z0-9_-]` is what the prefilter looks for first. Nearly every
/// machine-made token has one (measured for 20: one per 386 bytes of source, `reference/libraries.md` section 2). A Data
/// Center token, which has no prefix, is sure of 18.
pub const RUN: usize = 18;

/// Longest match that is searched for. A pattern without an upper limit is cut here; nothing that leaks is longer
/// (GitLab's longest routable token has 319 characters, a job-token JWT about 1,500).
pub const MAX_MATCH: usize = 8192;

/// A rule whose anchor may stand further than this before its run is not worth a run: its anchor is searched everywhere.
const MAX_LEAD: usize = 256;

/// More spellings of one stretch of a pattern than these are not followed. Ten digits and sixteen random bits make 160:
/// what marks a Data Center token.
const MAX_SPELLINGS: usize = 256;

/// How to look for a pattern around an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Every match begins with an anchor: no need to look before it.
    pub starts_with_anchor: bool,
    /// A match begins at most this many bytes before its anchor.
    pub before: usize,
    /// A match ends at most this many bytes after the first byte of its anchor.
    pub after: usize,
    /// Every match has a run of [`RUN`] bytes, and an anchor at most this far before that run or inside it.
    pub run_within: Option<usize>,
}

/// The shape of a pattern whose every match contains one of `keywords` (lower case) in any case; `None` if that cannot
/// be shown, and then only searching everything is safe.
pub fn shape(hir: &Hir, keywords: &[String]) -> Option<Shape> {
    let parts = flatten(hir);
    let anchor = find_anchor(&parts, keywords)?;
    let longest = |parts: &[Hir]| parts.iter().try_fold(0usize, |sum, part| Some(sum + max_len(part)?));
    let before = longest(&parts[..anchor.from]).map(|sum| sum + anchor.slack).unwrap_or(MAX_MATCH).min(MAX_MATCH);
    let after = longest(&parts[anchor.from..]).unwrap_or(MAX_MATCH).min(MAX_MATCH);
    let run_within = guaranteed_run(&parts).and_then(|run| {
        // The anchor must not stand behind the run: it is spelled out within it, or it ends before the run's first part.
        let in_front = anchor.to < run.from || (anchor.slack == 0 && anchor.to <= run.to);
        // Or right behind it: the prefilter looks on behind a run for as long as a keyword is.
        let behind = anchor.slack == 0 && anchor.from == run.to + 1 && run.solid_to_end;
        let lead = longest(&parts[anchor.from.min(run.from)..run.from])? + run.slack;
        ((in_front || behind) && lead <= MAX_LEAD).then_some(lead)
    });
    Some(Shape {
        starts_with_anchor: anchor.slack == 0 && parts[..anchor.from].iter().all(|part| max_len(part) == Some(0)),
        before,
        after,
        run_within,
    })
}

/// Parts `from..=to` of a concatenation; what is meant begins at most `slack` bytes into part `from`.
#[derive(Debug)]
struct Stretch {
    from: usize,
    to: usize,
    slack: usize,
    /// A run: it reaches to the end of part `to`.
    solid_to_end: bool,
}

/// A concatenation's parts with groups opened and literals split into bytes.
fn flatten(hir: &Hir) -> Vec<Hir> {
    match hir.kind() {
        HirKind::Concat(parts) => parts.iter().flat_map(flatten).collect(),
        HirKind::Capture(capture) => flatten(&capture.sub),
        HirKind::Literal(literal) => literal.0.iter().map(|&byte| Hir::literal([byte])).collect(),
        HirKind::Empty => Vec::new(),
        _ => vec![hir.clone()],
    }
}

fn max_len(hir: &Hir) -> Option<usize> {
    hir.properties().maximum_len()
}

/// The bytes a one-byte part can match, lower-cased; `None` for any other part.
fn choices(hir: &Hir) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = match hir.kind() {
        HirKind::Literal(literal) if literal.0.len() == 1 => vec![literal.0[0]],
        HirKind::Class(Class::Bytes(class)) => class.iter().flat_map(|range| range.start()..=range.end()).collect(),
        HirKind::Class(Class::Unicode(class)) => {
            let chars = class.iter().flat_map(|range| range.start()..=range.end()).take(257);
            chars.map(|c| u8::try_from(c).ok().filter(u8::is_ascii)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    bytes.make_ascii_lowercase();
    bytes.sort_unstable();
    bytes.dedup();
    Some(bytes)
}

/// The first stretch of parts that contains a keyword whatever is matched.
fn find_anchor(parts: &[Hir], keywords: &[String]) -> Option<Stretch> {
    (0..parts.len()).find_map(|from| match choices(&parts[from]) {
        Some(_) => literal_anchor(parts, from, keywords),
        None => inner_anchor(&parts[from], keywords).then(|| Stretch {
            from,
            to: from,
            slack: max_len(&parts[from]).unwrap_or(MAX_MATCH),
            solid_to_end: false,
        }),
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
            return Some(Stretch { from, to, slack: 0, solid_to_end: false });
        }
        if !spelled.iter().all(|text| keywords.iter().any(|keyword| keyword.as_bytes().starts_with(text))) {
            return None;
        }
    }
    None
}

/// Whether every match of one part contains a keyword.
fn inner_anchor(hir: &Hir, keywords: &[String]) -> bool {
    let has_one = |hir: &Hir| find_anchor(&flatten(hir), keywords).is_some();
    match hir.kind() {
        HirKind::Alternation(branches) => branches.iter().all(has_one),
        HirKind::Repetition(repetition) => repetition.min > 0 && has_one(&repetition.sub),
        _ => false,
    }
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
        let slack = if first.all { 0 } else { max_len(&parts[from])? };
        let mut so_far = first;
        let mut to = from;
        while so_far.best < RUN && to + 1 < parts.len() {
            to += 1;
            so_far = so_far.then(runs(&parts[to]));
            // Once the run that began in `from` has ended, a later `from` will find the rest.
            if !so_far.all && !runs(&parts[to]).all {
                break;
            }
        }
        if so_far.best >= RUN {
            return Some(Stretch { from, to, slack, solid_to_end: so_far.suffix >= RUN });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str, keywords: &[&str]) -> Option<Shape> {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).unwrap();
        shape(&hir, &keywords.iter().map(|word| word.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn a_prefix_token_is_anchored_and_is_a_run() {
        let shape = of("ghp_[0-9A-Za-z]{36}", &["ghp_"]).unwrap();
        assert_eq!(shape, Shape { starts_with_anchor: true, before: 0, after: 40, run_within: Some(0) });
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
        assert_eq!(shape, Shape { starts_with_anchor: false, before: 9, after: 31, run_within: Some(10) });
    }

    #[test]
    fn an_anchor_behind_the_run_is_not_near_it() {
        assert_eq!(of("[0-9]{20}[ ]{0,400}key", &["key"]).unwrap().run_within, None);
        assert_eq!(of("[0-9]{20} {0,1}[.]1[.]", &[".1."]).unwrap().run_within, None);
        assert_eq!(of("[0-9]{20}[.]1[.]", &[".1."]).unwrap().run_within, Some(0), "right behind it");
    }

    #[test]
    fn no_run_without_eighteen_bytes_of_it() {
        assert_eq!(of("://[^@ ]{1,60}@", &["://"]).unwrap().run_within, None);
        assert_eq!(of("abc[0-9+/]{44}", &["abc"]).unwrap().run_within, None);
        assert_eq!(of("abc_[0-9]{4}[.][0-9]{17}", &["abc_"]).unwrap().run_within, None);
        assert_eq!(of("abc_[.][0-9]{20}", &["abc_"]).unwrap().run_within, Some(5));
        assert_eq!(of("(?:[0-9]{20} key|[0-9]{20} kez)", &["key", "kez"]).unwrap().run_within, None);
    }

    #[test]
    fn alternatives_must_all_have_it() {
        assert!(of("(?:ghp_|v1[.])[0-9a-f]{40}", &["ghp_", "v1."]).is_some());
        assert_eq!(of("(?:ghp_|v1[.])[0-9a-f]{40}", &["ghp_"]), None);
        assert_eq!(of("(?:ghp_)?[0-9a-f]{40}", &["ghp_"]), None);
    }
}

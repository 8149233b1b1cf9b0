//! Reads off a pattern's syntax tree where in a match the secret can begin.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A set of bytes.
pub type Bytes = [bool; 256];

/// Where in a match the secret begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// At least this many bytes behind the start of the match.
    pub lead: usize,
    /// With one of these bytes.
    first: Bytes,
}

impl Default for Beginning {
    /// Anywhere, with anything.
    fn default() -> Self {
        Beginning { lead: 0, first: [true; 256] }
    }
}

impl Beginning {
    /// Of the secret in `group` of a pattern; 0 is the first group that takes part, or everything.
    pub fn of(hir: &Hir, group: usize) -> Self {
        let parts = match hir.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(hir),
        };
        let wanted = |index: u32| group == 0 || index as usize == group;
        let holds = |part: &Hir| {
            let mut first = [false; 256];
            groups(part, &wanted, &mut first).then_some(first)
        };
        let Some(at) = parts.iter().position(|part| holds(part).is_some()) else {
            return Beginning { lead: 0, first: first_bytes(hir).0 };
        };
        // Without a group that always takes part, the whole match may be the secret.
        if group == 0 && !parts.iter().any(has_group) {
            return Beginning::default();
        }
        let lead = parts[..at].iter().map(|part| part.properties().minimum_len().unwrap_or(0)).sum();
        let mut first = [false; 256];
        for part in &parts[at..] {
            groups(part, &wanted, &mut first);
        }
        Beginning { lead, first }
    }

    /// Where the secret of a match that begins at or after `start` can begin at the earliest.
    pub fn at_or_after(&self, bytes: &[u8], start: usize) -> usize {
        let from = bytes.len().min(start + self.lead);
        bytes[from..].iter().position(|&byte| self.first[usize::from(byte)]).map_or(bytes.len(), |at| from + at)
    }
}

/// Whether a group takes part in every match, and is not empty.
fn has_group(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => capture.sub.properties().minimum_len().is_some_and(|len| len > 0),
        HirKind::Repetition(repetition) => repetition.min > 0 && has_group(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().any(has_group),
        HirKind::Alternation(branches) => branches.iter().all(has_group),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// Adds what the wanted groups in `hir` can begin with; tells whether there are any.
fn groups(hir: &Hir, wanted: &impl Fn(u32) -> bool, first: &mut [bool; 256]) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => {
            let inner = groups(&capture.sub, wanted, first);
            if wanted(capture.index) {
                first.iter_mut().zip(first_bytes(&capture.sub).0).for_each(|(one, other)| *one |= other);
            }
            inner || wanted(capture.index)
        }
        HirKind::Repetition(repetition) => groups(&repetition.sub, wanted, first),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            let found = parts.iter().filter(|part| groups(part, wanted, first)).count();
            found > 0
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// The bytes that a match which is not empty can begin with, and whether a match can be empty.
pub(super) fn first_bytes(hir: &Hir) -> (Bytes, bool) {
    let mut first = [false; 256];
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => return (first, true),
        HirKind::Literal(literal) => first[usize::from(literal.0[0])] = true,
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().flat_map(|range| range.start()..=range.end()).for_each(|byte| first[usize::from(byte)] = true);
        }
        // Never there with Unicode off; any byte, to be safe.
        HirKind::Class(Class::Unicode(_)) => first = [true; 256],
        HirKind::Repetition(repetition) => {
            let (first, empty) = first_bytes(&repetition.sub);
            return (first, empty || repetition.min == 0);
        }
        HirKind::Capture(capture) => return first_bytes(&capture.sub),
        HirKind::Concat(parts) => {
            for part in parts {
                let (one, empty) = first_bytes(part);
                first.iter_mut().zip(one).for_each(|(all, one)| *all |= one);
                if !empty {
                    return (first, false);
                }
            }
            return (first, true);
        }
        HirKind::Alternation(branches) => {
            let mut can_be_empty = false;
            for branch in branches {
                let (one, empty) = first_bytes(branch);
                first.iter_mut().zip(one).for_each(|(all, one)| *all |= one);
                can_be_empty |= empty;
            }
            return (first, can_be_empty);
        }
    }
    (first, false)
}

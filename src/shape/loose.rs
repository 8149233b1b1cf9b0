//! A pattern with its counting and its words left out.
//!
//! Compiling `[^"\r\n]{6,160}` takes 160 times as long as compiling `[^"\r\n]+`, and a start-up that meets a word such as `token` in
//! one file compiles several such patterns, to find that not one of them matches there. Whatever a pattern matches, its
//! loose form does, as a repetition may only go on for longer; most of what it does not match, its loose form does not
//! either.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Repetitions are counted up to here: enough to tell a value from none.
const COUNTED: u32 = 8;

/// What matches wherever `hir` does, and takes little to compile.
pub(super) fn loosen(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let max = repetition.max.filter(|max| *max <= 1);
            repeated(loosen(&repetition.sub), repetition.min, max)
        }
        HirKind::Capture(capture) => loosen(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(loosen).collect()),
        HirKind::Alternation(branches) => {
            spelled(hir).unwrap_or_else(|| Hir::alternation(branches.iter().map(loosen).collect()))
        }
        HirKind::Class(Class::Unicode(_)) => spelled(hir).unwrap_or_else(|| hir.clone()),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) => hir.clone(),
    }
}

/// The same, with the words that it begins with as they are: a table takes no longer to walk for knowing them, and what stands behind
/// another word need not be walked. As a class of bytes they would go on through all letters and blanks.
pub(super) fn loosen_behind(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Capture(capture) => loosen_behind(&capture.sub),
        HirKind::Concat(parts) => {
            let first = parts.iter().position(|part| part.properties().maximum_len() != Some(0)).unwrap_or(0);
            let part = |(at, part): (usize, &Hir)| if at == first { loosen_behind(part) } else { loosen(part) };
            Hir::concat(parts.iter().enumerate().map(part).collect())
        }
        HirKind::Alternation(_) if spelled(hir).is_some() => hir.clone(),
        HirKind::Alternation(branches) => Hir::alternation(branches.iter().map(loosen_behind).collect()),
        _ => loosen(hir),
    }
}

fn repeated(hir: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition { min: min.min(COUNTED), max, greedy: true, sub: Box::new(hir) })
}

/// Of words, as keywords are, only which bytes they have and how many at least: the anchor is one of them, and it has been
/// seen. Of characters beyond ASCII only that they are such: an automaton that tells them apart takes a table of 400 KB to
/// make. `None` for what is neither.
fn spelled(hir: &Hir) -> Option<Hir> {
    let mut bytes = [false; 256];
    let (least, most) = spell(hir, &mut bytes)?;
    let ranges = (0..=u8::MAX).filter(|byte| bytes[usize::from(*byte)]).map(|byte| ClassBytesRange::new(byte, byte));
    let class = Hir::class(Class::Bytes(ClassBytes::new(ranges)));
    Some(if (least, most) == (1, 1) { class } else { repeated(class, least, None) })
}

/// Marks the bytes that words have; gives the least length and the greatest.
fn spell(hir: &Hir, bytes: &mut [bool; 256]) -> Option<(u32, u32)> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            literal.0.iter().for_each(|byte| bytes[usize::from(*byte)] = true);
            Some((literal.0.len() as u32, literal.0.len() as u32))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().for_each(|range| bytes[usize::from(range.start())..=usize::from(range.end())].fill(true));
            Some((1, 1))
        }
        HirKind::Class(Class::Unicode(class)) => {
            let narrow = |end: char| (end as usize).min(0x7f);
            let ascii = class.iter().filter(|range| range.start().is_ascii());
            ascii.for_each(|range| bytes[narrow(range.start())..=narrow(range.end())].fill(true));
            if class.is_ascii() {
                return Some((1, 1));
            }
            bytes[0x80..].fill(true);
            Some((1, 4))
        }
        HirKind::Concat(parts) => parts.iter().try_fold((0, 0), |(least, most), part| {
            let more = spell(part, bytes)?;
            Some((least + more.0, most + more.1))
        }),
        HirKind::Alternation(branches) => branches.iter().try_fold((u32::MAX, 0), |(least, most), branch| {
            let other = spell(branch, bytes)?;
            Some((least.min(other.0), most.max(other.1)))
        }),
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) | HirKind::Capture(_) => None,
    }
}

/// A loose form as the program carries it: read in a tenth of the time that the syntax of the pattern takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Written(Box<[u8]>);

/// As much of a syntax tree as loose forms have.
#[derive(Serialize, Deserialize)]
enum Node {
    Empty,
    Literal(Box<[u8]>),
    /// Ranges, both ends included.
    Class(Vec<(u8, u8)>),
    Look(u32),
    Repetition(u32, Option<u32>, Box<Node>),
    Concat(Vec<Node>),
    Alternation(Vec<Node>),
}

impl Written {
    /// `None` if it has what loose forms do not.
    pub(super) fn new(form: &Hir) -> Option<Self> {
        Some(Written(postcard::to_allocvec(&Node::of(form)?).ok()?.into()))
    }

    /// The form that was written down.
    pub(crate) fn hir(&self) -> Hir {
        postcard::from_bytes::<Node>(&self.0).expect("it was written from the same type, and a test reads it").hir()
    }
}

/// As one piece: hundreds of them are read at every start.
impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(|bytes| Written(bytes.into()))
    }
}

impl Node {
    fn of(hir: &Hir) -> Option<Self> {
        let all = |parts: &[Hir]| parts.iter().map(Node::of).collect::<Option<Vec<_>>>();
        Some(match hir.kind() {
            HirKind::Empty => Node::Empty,
            HirKind::Literal(literal) => Node::Literal(literal.0.clone()),
            HirKind::Class(Class::Bytes(class)) => {
                Node::Class(class.iter().map(|range| (range.start(), range.end())).collect())
            }
            HirKind::Look(look) => Node::Look(look.as_repr()),
            HirKind::Repetition(Repetition { min, max, sub, .. }) => {
                Node::Repetition(*min, *max, Box::new(Node::of(sub)?))
            }
            HirKind::Concat(parts) => Node::Concat(all(parts)?),
            HirKind::Alternation(branches) => Node::Alternation(all(branches)?),
            HirKind::Class(Class::Unicode(_)) | HirKind::Capture(_) => return None,
        })
    }

    fn hir(self) -> Hir {
        let all = |nodes: Vec<Node>| nodes.into_iter().map(Node::hir).collect();
        match self {
            Node::Empty => Hir::empty(),
            Node::Literal(bytes) => Hir::literal(bytes),
            Node::Class(ranges) => {
                let range = |(first, last)| ClassBytesRange::new(first, last);
                Hir::class(Class::Bytes(ClassBytes::new(ranges.into_iter().map(range))))
            }
            Node::Look(look) => Hir::look(Look::from_repr(look).expect("it was one")),
            Node::Repetition(min, max, sub) => {
                Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(sub.hir()) })
            }
            Node::Concat(nodes) => Hir::concat(all(nodes)),
            Node::Alternation(nodes) => Hir::alternation(all(nodes)),
        }
    }
}

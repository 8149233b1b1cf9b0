//! What a document's objects say: the parts that they are written in, values of dictionaries, and objects by their numbers.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::io::Read as _;
use std::ops::Range;

use memchr::{memchr, memmem};

use super::streams;
use crate::source::unpack::runs::LONGEST;

/// An object is read up to so many bytes.
const OBJECT: usize = 64 << 10;

/// How many references are followed from one to the next.
const REFERENCES: usize = 8;

/// A part of what objects and content are written in (ISO 32000, 7.2 and 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A list or a dictionary begins.
    Open,
    /// One ends.
    Close,
    /// Behind its slash, with its escapes.
    Name(&'a [u8]),
    /// What stands between parentheses, with its escapes.
    Literal(&'a [u8]),
    /// What stands between `<` and `>`.
    Hex(&'a [u8]),
    /// A number, or a word that means something.
    Word(&'a [u8]),
}

/// The next part; what is behind it is left.
pub(super) fn part<'a>(rest: &mut &'a [u8]) -> Option<Part<'a>> {
    *rest = behind_blanks(rest);
    let (len, part) = match *rest {
        [] => return None,
        [b'<', b'<', ..] => (2, Part::Open),
        [b'>', b'>', ..] => (2, Part::Close),
        [b'[', ..] => (1, Part::Open),
        [b']' | b'>', ..] => (1, Part::Close),
        [b'(', inside @ ..] => {
            let len = literal(inside);
            (len + 2, Part::Literal(&inside[..len]))
        }
        [b'<', inside @ ..] => {
            let len = memchr(b'>', inside).unwrap_or(inside.len());
            (len + 2, Part::Hex(&inside[..len]))
        }
        [b'/', inside @ ..] => {
            let len = word(inside);
            (len + 1, Part::Name(&inside[..len]))
        }
        all => {
            let len = word(all).max(1);
            (len, Part::Word(&all[..len]))
        }
    };
    *rest = rest.get(len..).unwrap_or_default();
    Some(part)
}

fn is_blank(byte: u8) -> bool {
    byte == 0 || byte == 0x0C || byte.is_ascii_whitespace()
}

/// What is behind blanks and comments.
fn behind_blanks(mut rest: &[u8]) -> &[u8] {
    loop {
        match rest {
            [b'%', comment @ ..] => rest = &comment[memchr::memchr2(b'\n', b'\r', comment).unwrap_or(comment.len())..],
            [first, behind @ ..] if is_blank(*first) => rest = behind,
            _ => return rest,
        }
    }
}

fn word(text: &[u8]) -> usize {
    text.iter().position(|byte| is_blank(*byte) || b"<>[](){}/%".contains(byte)).unwrap_or(text.len())
}

/// How long a string is whose parenthesis was opened.
fn literal(text: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(next) = text.get(at..).and_then(|rest| memchr::memchr3(b'(', b')', b'\\', rest)) {
        at += next;
        match (text[at], depth.checked_sub(1)) {
            (b'\\', _) => at += 1,
            (b'(', _) => depth += 1,
            (_, Some(less)) => depth = less,
            (_, None) => return at,
        }
        at += 1;
    }
    text.len()
}

/// How long the first value is, with all that is in it. A number may be the first of a reference.
fn value_len(text: &[u8]) -> usize {
    let (mut rest, mut depth) = (text, 0_usize);
    loop {
        match part(&mut rest) {
            Some(Part::Open) => depth += 1,
            Some(Part::Close) => depth = depth.saturating_sub(1),
            Some(Part::Word(first)) if depth == 0 && is_number(first) => {
                let mut more = rest;
                let (second, third) = (part(&mut more), part(&mut more));
                if matches!((second, third), (Some(Part::Word(second)), Some(Part::Word(b"R"))) if is_number(second)) {
                    rest = more;
                }
            }
            Some(_) => {}
            None => return text.len(),
        }
        if depth == 0 {
            return text.len() - rest.len();
        }
    }
}

fn is_number(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

/// The keys of a dictionary and what stands behind them; none of the dictionaries in it.
pub(super) fn pairs(dictionary: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
    let begin = memmem::find(dictionary, b"<<").map_or(0, |at| at + 2);
    let mut rest = &dictionary[begin..];
    std::iter::from_fn(move || {
        loop {
            match part(&mut rest)? {
                Part::Name(key) => {
                    rest = behind_blanks(rest);
                    let len = value_len(rest);
                    let value = &rest[..len];
                    rest = &rest[len..];
                    return Some((unescaped(key), value));
                }
                Part::Close => return None,
                _ => {}
            }
        }
    })
}

/// What stands behind a key in a dictionary.
pub(super) fn value<'a>(dictionary: &'a [u8], key: &str) -> Option<&'a [u8]> {
    pairs(dictionary).find(|(name, _)| name == key).map(|(_, value)| value)
}

/// The values of a list, or one that is in none.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value.strip_prefix(b"[").unwrap_or(value);
    std::iter::from_fn(move || {
        rest = behind_blanks(rest);
        let next = &rest[..value_len(rest)];
        rest = &rest[next.len()..];
        (!next.is_empty() && next != b"]").then_some(next)
    })
}

/// The number of the object that a value refers to.
pub(super) fn reference(value: &[u8]) -> Option<u32> {
    let mut rest = value;
    let (Some(Part::Word(number)), Some(Part::Word(_)), Some(Part::Word(b"R"))) =
        (part(&mut rest), part(&mut rest), part(&mut rest))
    else {
        return None;
    };
    str::from_utf8(number).ok()?.parse().ok()
}

/// A name without its escapes, `#` and two digits (7.3.5).
pub(super) fn unescaped(name: &[u8]) -> Cow<'_, str> {
    if !name.contains(&b'#') {
        return String::from_utf8_lossy(name);
    }
    let mut parts = name.split(|byte| *byte == b'#');
    let mut plain = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(part.len().min(2));
        plain.extend(str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok()));
        plain.extend_from_slice(rest);
    }
    String::from_utf8_lossy(&plain).into_owned().into()
}

/// The objects of a document by their numbers: those that stand in it, and those in streams of objects.
pub(in crate::source::unpack) struct Objects<'d> {
    pub(super) document: &'d [u8],
    plain: OnceCell<HashMap<u32, Range<usize>>>,
    packed: OnceCell<Packed>,
    /// The streams of objects are being read: what they are read by stands in none.
    reads: Cell<bool>,
    /// Bytes that may still be looked at.
    left: Cell<usize>,
}

/// What the streams of objects hold, and where in it each object is.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    places: HashMap<u32, Range<usize>>,
}

impl<'d> Objects<'d> {
    pub(in crate::source::unpack) fn new(document: &'d [u8]) -> Self {
        let left = Cell::new(LONGEST + 8 * document.len());
        Objects { document, plain: OnceCell::new(), packed: OnceCell::new(), reads: Cell::new(false), left }
    }

    /// Takes of what may be looked at.
    pub(super) fn spend(&self, bytes: usize) -> Option<()> {
        self.left.set(self.left.get().checked_sub(bytes)?);
        Some(())
    }

    /// Where objects are in the document itself, each behind its head. Of two with one number the last is it.
    pub(super) fn plain(&self) -> &HashMap<u32, Range<usize>> {
        self.plain.get_or_init(|| {
            let mut all: HashMap<u32, Range<usize>> = HashMap::new();
            let mut last = None;
            for at in memmem::find_iter(self.document, b"obj") {
                let Some(number) = number_before(&self.document[..at]) else { continue };
                if let Some(last) = last.replace(number).and_then(|last| all.get_mut(&last)) {
                    last.end = at;
                }
                all.insert(number, at + 3..self.document.len());
            }
            all
        })
    }

    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| {
            let mut packed = Packed::default();
            if memmem::find(self.document, b"ObjStm").is_some() {
                self.reads.set(true);
                let streams = streams(self).filter(|stream| stream.is_objects());
                streams.for_each(|stream| packed.add(&stream, self));
                self.reads.set(false);
            }
            packed
        })
    }

    /// What stands behind the head of an object.
    pub(super) fn get(&self, number: u32) -> Option<&[u8]> {
        let object = match self.plain().get(&number) {
            Some(place) => &self.document[place.clone()],
            None if self.reads.get() => return None,
            None => &self.packed().bytes[self.packed().places.get(&number)?.clone()],
        };
        let object = &object[..object.len().min(OBJECT)];
        self.spend(object.len())?;
        Some(object)
    }

    /// Every object that stands in the document or in a stream of objects.
    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        let plain = self.plain().values().map(|place| &self.document[place.clone()]);
        let packed = self.packed().places.values().map(|place| &self.packed().bytes[place.clone()]);
        plain.chain(packed)
    }

    /// The document, and what stands in its streams of objects.
    pub(super) fn texts(&self) -> [&[u8]; 2] {
        [self.document, &self.packed().bytes]
    }

    /// A value, or what it refers to; `None` if that is not there.
    pub(super) fn resolved<'o>(&'o self, value: &'o [u8]) -> Option<&'o [u8]> {
        let mut value = value;
        for _ in 0..REFERENCES {
            let Some(number) = reference(value) else { return Some(value) };
            let object = behind_blanks(self.get(number)?);
            value = &object[..value_len(object)];
        }
        None
    }

    /// What a dictionary says behind a key: `None` if it has no such key, or refers to what is not there.
    pub(super) fn said<'o>(&'o self, dictionary: &'o [u8], key: &str) -> Option<&'o [u8]> {
        self.resolved(value(dictionary, key)?)
    }

    /// The number behind a key.
    pub(super) fn number(&self, dictionary: &[u8], key: &str) -> Option<usize> {
        str::from_utf8(self.said(dictionary, key)?).ok()?.trim().parse().ok()
    }
}

impl Packed {
    /// Adds the objects of a stream: pairs of their numbers and places, then they (7.5.7).
    fn add(&mut self, stream: &super::Stream<'_>, objects: &Objects<'_>) {
        let room = LONGEST.saturating_sub(self.bytes.len()) as u64;
        let begin = self.bytes.len();
        let Ok(content) = stream.content() else { return };
        // What is broken is read as far as it goes; that it is, the stream itself says.
        _ = content.take(room).read_to_end(&mut self.bytes);
        let first = objects.number(stream.dictionary, "First").unwrap_or(0);
        let head = self.bytes.get(begin..begin.saturating_add(first)).unwrap_or_default();
        let numbers = str::from_utf8(head).unwrap_or_default().split_ascii_whitespace();
        let numbers: Vec<usize> = numbers.map_while(|number| number.parse().ok()).collect();
        let (pairs, _) = numbers.as_chunks::<2>();
        let place = |at: usize| begin.saturating_add(first).saturating_add(at).min(self.bytes.len());
        for (at, [number, start]) in pairs.iter().enumerate() {
            let end = pairs.get(at + 1).map_or(self.bytes.len(), |[_, next]| place(*next));
            let (Ok(number), start) = (u32::try_from(*number), place(*start)) else { continue };
            self.places.insert(number, start..end.max(start));
        }
    }
}

/// The number of an object whose head, `12 0 obj`, ends there but for its word.
pub(super) fn number_before(before: &[u8]) -> Option<u32> {
    let digits = |text: &[u8]| text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let before = before.trim_ascii_end();
    let before = &before[..before.len() - digits(before).min(5)].trim_ascii_end();
    let number = &before[before.len() - digits(before).min(10)..];
    str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dictionary_says_what_stands_in_itself() {
        let dictionary =
            b" <</X<</Filter/No/A[1 2<<>>]>>/S(>>/Filter) % >>\n/F#69lter 5 0 R /Length 12/N[1 0 R/a(b) 3]>> /Y 1";
        let pair = |(key, value): (Cow<'_, str>, &[u8])| format!("{key}={}", String::from_utf8_lossy(value));
        let all: Vec<String> = pairs(dictionary).map(pair).collect();
        let parts = ["X=<</Filter/No/A[1 2<<>>]>>", "S=(>>/Filter)", "Filter=5 0 R", "Length=12", "N=[1 0 R/a(b) 3]"];
        assert_eq!(all, parts);
        let values: Vec<&[u8]> = list(value(dictionary, "N").unwrap()).collect();
        assert_eq!(values, [&b"1 0 R"[..], b"/a", b"(b)", b"3"]);
        assert_eq!(value(dictionary, "Y"), None);
    }

    #[test]
    fn objects_are_found_by_their_numbers() {
        let objects =
            Objects::new(b"1 0 obj 2 0 R endobj\n2 0 obj\n20\nendobj 12 0 obj<</A 1 0 R/B 3 0 R>>endobj 4 0 obj 4 0 R");
        let dictionary = objects.get(12).unwrap();
        assert_eq!((objects.number(dictionary, "A"), objects.number(dictionary, "B")), (Some(20), None));
        assert_eq!(objects.resolved(b"4 0 R"), None);
    }

    #[test]
    fn objects_stand_in_streams_of_objects() {
        let document = b"5 0 obj<</Type/ObjStm/N 2/First 9>>stream\n7 0 8 4  <<>> 12\nendstream endobj";
        let objects = Objects::new(document);
        assert_eq!((objects.resolved(b"8 0 R"), objects.resolved(b"7 0 R")), (Some(&b"12"[..]), Some(&b"<<>>"[..])));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(parts in prop::collection::vec(prop::sample::select(vec![
            "<<", ">>", "[", "]", "(", ")", "\\", "<", "/Type", "/ObjStm", "1", " 0 ", "obj", "stream\n", "endstream", "/First", "R", " ", "%", "\n", "#4",
        ]), 0..40)) {
            let text = parts.concat();
            let objects = Objects::new(text.as_bytes());
            for number in 0..20 {
                objects.resolved(format!("{number} 0 R").as_bytes());
            }
            let read: usize = pairs(text.as_bytes()).map(|(key, value)| key.len().min(1) + value.len()).sum();
            prop_assert!(read <= text.len());
            prop_assert!(list(text.as_bytes()).count() <= text.len());
        }
    }
}

//! Draws a text that a pattern matches.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// A repetition is drawn at most this much longer than it must be.
const SPREAD: u32 = 8;

/// A small deterministic generator (SplitMix64, public domain, Vigna 2015). Not for secrets: examples must come out
/// the same in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; the bias of the remainder does not matter here. `bound` is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.below(256) as u8)
    }

    /// One of the bits that are set.
    fn bit(&mut self, mut from: u128) -> Option<u8> {
        let nth = (from != 0).then(|| self.below(from.count_ones().into()))?;
        (0..nth).for_each(|_| from &= from - 1);
        Some(from.trailing_zeros() as u8)
    }

    fn pick<'s, T>(&mut self, from: &'s [T]) -> Option<&'s T> {
        if from.is_empty() { None } else { from.get(self.below(from.len() as u64) as usize) }
    }
}

/// A secret that the group `group` of `pattern` captures in some text; for group 0 the first group that takes part,
/// or all of the text. `None` if there is no ASCII text that the pattern matches, or the group takes no part.
pub(super) fn sample(pattern: &Hir, group: usize, random: &mut Random) -> Option<Vec<u8>> {
    let mut draw = Draw { text: Vec::new(), groups: Vec::new(), random };
    draw.hir(pattern)?;
    draw.groups.sort_by_key(|&(index, _)| index);
    let wanted = draw.groups.iter().find(|&&(index, _)| group == 0 || index == group);
    match wanted {
        Some((_, range)) => Some(draw.text[range.clone()].to_vec()),
        None if group == 0 => Some(draw.text),
        None => None,
    }
}

struct Draw<'r> {
    text: Vec<u8>,
    groups: Vec<(usize, Range<usize>)>,
    random: &'r mut Random,
}

impl Draw<'_> {
    fn hir(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.text.extend_from_slice(&literal.0),
            HirKind::Class(class) => {
                let byte = self.random.bit(members(class))?;
                self.text.push(byte);
            }
            HirKind::Repetition(repetition) => self.repetition(repetition)?,
            HirKind::Capture(capture) => {
                let start = self.text.len();
                self.hir(&capture.sub)?;
                self.groups.push((capture.index as usize, start..self.text.len()));
            }
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.hir(part))?,
            HirKind::Alternation(branches) => self.alternation(branches)?,
        }
        Some(())
    }

    fn repetition(&mut self, repetition: &Repetition) -> Option<()> {
        let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(SPREAD));
        let more = self.random.below(u64::from(most - repetition.min) + 1) as u32;
        (0..repetition.min + more).try_for_each(|_| self.hir(&repetition.sub))
    }

    /// Where the branches tell different contexts of the secret apart, the first one is the plain one: an example
    /// brings its own context. Branches for characters beyond ASCII are left out.
    fn alternation(&mut self, branches: &[Hir]) -> Option<()> {
        let contexts = branches.iter().any(|branch| branch.properties().explicit_captures_len() > 0);
        let beyond = |hir: &Hir| matches!(hir.kind(), HirKind::Class(class) if members(class) == 0);
        let branches: Vec<&Hir> = branches.iter().filter(|branch| !beyond(branch)).collect();
        let branch = if contexts { branches.first() } else { self.random.pick(&branches) };
        self.hir(branch?)
    }
}

/// The ASCII characters of a class, a bit for each. Of a class that goes beyond what tokens are made of ("anything but a
/// quote") only letters and digits, where it has them.
fn members(class: &Class) -> u128 {
    const ALPHANUMERIC: u128 = between(b'0', b'9') | between(b'A', b'Z') | between(b'a', b'z');
    const GRAPHIC: u128 = between(b'!', b'~');
    let ascii = |start: u32, end: u32| if start < 128 { between(start as u8, end.min(127) as u8) } else { 0 };
    let all = match class {
        Class::Bytes(bytes) => {
            bytes.ranges().iter().fold(0, |all, range| all | ascii(range.start().into(), range.end().into()))
        }
        Class::Unicode(chars) => {
            chars.ranges().iter().fold(0, |all, range| all | ascii(range.start().into(), range.end().into()))
        }
    };
    let (plain, beyond) = (all & ALPHANUMERIC, all & !GRAPHIC);
    if beyond != 0 && plain != 0 { plain } else { all }
}

/// The bits from one to the other, both included and below 128.
const fn between(first: u8, last: u8) -> u128 {
    u128::MAX >> (127 - last) & u128::MAX << first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(pattern: &str, group: usize, seed: u64) -> Option<String> {
        let parser = || regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let drawn = sample(&parser().parse(pattern).unwrap(), group, &mut Random::new(seed))?;
        Some(String::from_utf8(drawn).unwrap())
    }

    fn texts(pattern: &str, group: usize) -> Vec<String> {
        (0..50).map(|seed| draw(pattern, group, seed).unwrap()).collect()
    }

    #[test]
    fn the_secret_alone_is_drawn() {
        assert!(texts("key=([a-f]{4})(?:[^a-z]|$)", 0).iter().all(|text| text.len() == 4));
        assert!(texts("(?:(a)|(b))c", 0).iter().all(|text| text == "a"));
        assert!(texts("(x)(y)", 2).iter().all(|text| text == "y"));
        assert_eq!(draw("(x)|y", 5, 0), None);
        assert_eq!(draw(r"[\x80-\xff]", 0, 0), None);
        assert!(texts(r"(?:[\x80-\xff]|a){9}", 0).iter().all(|text| text == "aaaaaaaaa"));
    }

    #[test]
    fn repetitions_stay_modest_and_vary() {
        let texts = texts("[a-z]{20,4000}", 0);
        assert!(texts.iter().all(|text| (20..=28).contains(&text.len())));
        assert!(texts.iter().any(|text| text.len() != texts[0].len()));
    }

    #[test]
    fn a_wide_class_gives_letters_and_digits() {
        assert!(texts(r#"[^\s"]{12}"#, 0).iter().all(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }
}

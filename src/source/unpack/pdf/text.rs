//! The text that content shows: its strings, joined to the lines in which a reader sees them.

use std::rc::Rc;

use memchr::memmem;

use super::fonts::Codes;
use super::objects::{Part, part};
use super::strings;

/// So much space between two strings, in thousandths of a letter's size, is a blank between words.
const BLANK: f32 = 200.0;

/// How far from the end of a piece the next may begin without a blank between them, in sizes of a letter.
const NEAR: f32 = 0.15;

/// How wide letters are in most fonts, from the blank on, in thousandths of their size; those that all are as wide as each other are
/// [`SAME`].
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
const SAME: f32 = 600.0;

/// Most numbers that belong to what is done with them.
const NUMBERS: usize = 6;

/// Most strings, and numbers between them, that are shown at once.
const PIECES: usize = 1 << 14;

/// By so much what is put together may be longer than the content, in bytes.
const LONGER: usize = 1 << 20;

/// Most states that are kept for later.
const STATES: usize = 64;

/// From the space of letters to that of a page (ISO 32000, 8.3.3).
type Matrix = [f32; 6];

const SAME_PLACE: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// First the one, then the other.
fn then(one: &Matrix, other: &Matrix) -> Matrix {
    let [a, b, c, d, e, f] = *one;
    let [u, v, w, x, y, z] = *other;
    [a * u + b * w, a * v + b * x, c * u + d * w, c * v + d * x, e * u + f * w + y, e * v + f * x + z]
}

/// Gives the codes of the font of that name.
pub(in crate::source::unpack) type Find<'f> = dyn FnMut(&[u8]) -> Option<Rc<Codes>> + 'f;

/// What is shown in several pieces or otherwise than it is written, each line of it as one.
pub(in crate::source::unpack) fn text(content: &[u8], find: &mut Find<'_>) -> Vec<u8> {
    if memmem::find(content, b"Tj").or_else(|| memmem::find(content, b"TJ")).is_none() {
        return Vec::new();
    }
    let mut text = Text::default();
    let (mut rest, mut images) = (content, true);
    while let Some(next) = part(&mut rest) {
        if text.out.len() > content.len() + LONGER {
            break;
        }
        match next {
            Part::Literal(_) | Part::Hex(_) if text.pieces.len() >= PIECES => {}
            Part::Literal(written) => {
                text.pieces.push(Piece::String(strings::literal(written), written.contains(&b'\\')))
            }
            Part::Hex(digits) => text.pieces.push(Piece::String(strings::hex(digits), true)),
            Part::Name(name) => text.name = name.to_vec(),
            Part::Open | Part::Close => {}
            Part::Word(word) => match number(word) {
                Some(number) => text.number(number),
                None if word == b"ID" && images => match memmem::find(rest, b"EI") {
                    Some(end) => rest = &rest[end + 2..],
                    None => images = false,
                },
                None => text.act(word, find),
            },
        }
    }
    text.end_line();
    text.out
}

fn number(word: &[u8]) -> Option<f32> {
    let begins = matches!(word, [b'0'..=b'9' | b'+' | b'-' | b'.', ..]);
    begins.then(|| str::from_utf8(word).ok()?.parse().ok()).flatten()
}

/// What is to be shown.
enum Piece {
    /// What was written, and whether by escapes or digits.
    String(Vec<u8>, bool),
    /// A number between strings.
    Space(f32),
}

#[derive(Clone)]
struct State {
    page: Matrix,
    font: Option<Rc<Codes>>,
    size: f32,
    leading: f32,
}

struct Text {
    out: Vec<u8>,
    numbers: Vec<f32>,
    pieces: Vec<Piece>,
    name: Vec<u8>,
    state: State,
    states: Vec<State>,
    /// Where the line begins, from which the next is reckoned.
    line: Matrix,
    /// Something was said of the place since the last string.
    moved: bool,
    /// The last line that was shown, if it may go on.
    shown: Option<Line>,
}

/// A line that is being put together.
#[derive(Clone, Copy)]
struct Line {
    /// Where it begins in what is put out.
    start: usize,
    pieces: usize,
    /// It stands otherwise in the document.
    differs: bool,
    /// Where the last piece begins along the line, how far the line is from where it is reckoned, and how wide the piece may be.
    along: f32,
    across: f32,
    width: f32,
    letters: usize,
    /// How far its letters stand from each other if all did so, as far as is known.
    pitch: f32,
}

impl Default for Text {
    fn default() -> Self {
        let state = State { page: SAME_PLACE, font: None, size: 1.0, leading: 0.0 };
        let (out, numbers, pieces, name, states) = Default::default();
        Text { out, numbers, pieces, name, state, states, line: SAME_PLACE, moved: true, shown: None }
    }
}

impl Text {
    fn number(&mut self, number: f32) {
        // In a list they are between strings.
        if !self.pieces.is_empty() && self.pieces.len() < PIECES {
            self.pieces.push(Piece::Space(number));
        }
        if self.numbers.len() == NUMBERS {
            self.numbers.remove(0);
        }
        self.numbers.push(number);
    }

    /// Does what an operator says (Annex A).
    fn act(&mut self, operator: &[u8], find: &mut Find<'_>) {
        match (operator, &self.numbers[..]) {
            (b"q", _) if self.states.len() < STATES => self.states.push(self.state.clone()),
            (b"Q", _) => self.state = self.states.pop().unwrap_or_else(|| self.state.clone()),
            (b"cm", [a, b, c, d, e, f]) => self.state.page = then(&[*a, *b, *c, *d, *e, *f], &self.state.page),
            (b"BT", _) => self.place(SAME_PLACE),
            (b"Tm", [a, b, c, d, e, f]) => self.place([*a, *b, *c, *d, *e, *f]),
            (b"Td", [.., x, y]) => self.walk(*x, *y),
            (b"TD", [.., x, y]) => {
                self.state.leading = -*y;
                self.walk(*x, *y);
            }
            (b"TL", [.., leading]) => self.state.leading = *leading,
            (b"T*", _) => self.next_line(),
            (b"Tf", [.., size]) => {
                self.state.size = *size;
                self.state.font = find(&self.name);
            }
            (b"Tj" | b"TJ", _) => self.show(),
            (b"'" | b"\"", _) => {
                self.next_line();
                self.show();
            }
            _ => {}
        }
        self.numbers.clear();
        self.pieces.clear();
    }

    fn place(&mut self, place: Matrix) {
        self.line = place;
        self.moved = true;
    }

    fn walk(&mut self, x: f32, y: f32) {
        self.place(then(&[1.0, 0.0, 0.0, 1.0, x, y], &self.line));
    }

    fn next_line(&mut self) {
        let leading = self.state.leading;
        self.walk(0.0, -leading);
        self.end_line();
    }

    fn show(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        let place = then(&self.line, &self.state.page);
        let length = place[0].hypot(place[1]);
        let size = match length * self.state.size.abs() {
            size if size.is_normal() => size,
            _ => 1.0,
        };
        let (x, y) = if length.is_normal() { (place[0] / length, place[1] / length) } else { (1.0, 0.0) };
        let (along, across) = (place[4] * x + place[5] * y, place[5] * x - place[4] * y);
        let moved = std::mem::replace(&mut self.moved, false);
        let pitch = match self.shown {
            Some(line) if moved => self.go_on(&line, along, across, size),
            line => line.map_or(SAME * size / 1000.0, |line| line.pitch),
        };
        let before = self.shown;
        let start = before.map_or(self.out.len(), |line| line.start);
        let (mut strings, mut differs, from) = (0, false, self.out.len());
        let mut space = 0.0;
        for piece in &pieces {
            match piece {
                Piece::Space(wide) => {
                    space += wide;
                    self.out.extend((*wide <= -BLANK).then_some(b' '));
                }
                Piece::String(string, written) => {
                    strings += 1;
                    differs |= written | self.add(string);
                }
            }
        }
        let letters = String::from_utf8_lossy(&self.out[from..]);
        let width = (letters.chars().map(width).sum::<f32>() - space) / 1000.0 * size;
        let letters = letters.chars().count();
        let new = Line { start, pieces: strings, differs, along, across, width, letters, pitch };
        self.shown = Some(match before {
            Some(line) => {
                let new = Line { pieces: line.pieces + strings, differs: line.differs | differs, ..new };
                // Without a word of the place it goes on where the last one ended.
                if moved {
                    new
                } else {
                    Line { along: line.along, width: line.width + width, letters: line.letters + new.letters, ..new }
                }
            }
            None => new,
        });
    }

    /// Ends the line if what comes next is not on it, or adds a blank if it is not near. Gives how far letters are from each other.
    fn go_on(&mut self, line: &Line, along: f32, across: f32, size: f32) -> f32 {
        let far = along - line.along;
        if (across - line.across).abs() > 0.3 * size || far.is_nan() || far <= 0.01 * size {
            self.end_line();
            return SAME * size / 1000.0;
        }
        let same = line.letters as f32 * line.pitch;
        let is_same = (far - same).abs() <= 0.02 * same;
        let is_near = is_same || far <= line.width * 1.08 + NEAR * size;
        if !is_near && self.out.last() != Some(&b' ') {
            self.out.push(b' ');
        }
        if is_near { far / line.letters.max(1) as f32 } else { line.pitch }
    }

    fn end_line(&mut self) {
        let Some(line) = self.shown.take() else { return };
        match line.pieces > 1 || line.differs {
            true => self.out.push(b'\n'),
            false => self.out.truncate(line.start),
        }
    }

    /// Adds what a string says; whether it stands otherwise in the document.
    fn add(&mut self, string: &[u8]) -> bool {
        if let Some(font) = &self.state.font {
            let from = self.out.len();
            font.write(string, &mut self.out);
            return &self.out[from..] != string;
        }
        // Two bytes a character, of which most fonts without a map make letters.
        let (pairs, rest) = string.as_chunks::<2>();
        if rest.is_empty() && !pairs.is_empty() && pairs.iter().all(|pair| pair[0] == 0 && pair[1] >= b' ') {
            self.out.extend(pairs.iter().map(|pair| pair[1]));
            return true;
        }
        self.out.extend_from_slice(string);
        false
    }
}

fn width(letter: char) -> f32 {
    let at = (letter as usize).checked_sub(usize::from(b' '));
    at.and_then(|at| WIDTHS.get(at)).map_or(556.0, |width| f32::from(*width))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(content: &str) -> String {
        String::from_utf8_lossy(&text(content.as_bytes(), &mut |_| None)).into_owned()
    }

    #[test]
    fn strings_that_are_spaced_are_one() {
        assert_eq!(plain(r"BT [(to) -20 (k\(en=) 3.5 <41 42>-333(c\144)] TJ ET BT (alone) Tj ET"), "tok(en=AB cd\n");
        assert_eq!(plain("BT [(one)] TJ 0 -9 Td [(a(b)c)1(d)]TJ ET"), "a(b)cd\n");
        assert_eq!(plain(r"BT (\141\142) Tj 0 -9 Td <4 1 42 5> Tj 0 -9 Td <00410042> Tj"), "ab\nABP\nAB\n");
    }

    #[test]
    fn pieces_on_one_line_are_one() {
        let at = |x: f32, text: &str| format!("1 0 0 1 {x} 700 Tm ({text})Tj ");
        assert_eq!(plain(&format!("BT /F 10 Tf {}{}{}", at(10.0, "a"), at(16.0, "b"), at(34.0, "c"))), "ab c\n");
        let turned = "BT /F 10 Tf 0 1 -1 0 50 10 Tm (a)Tj 0 1 -1 0 50 16 Tm (b)Tj 0 1 -1 0 80 22 Tm (c)Tj";
        assert_eq!(plain(turned), "ab\n");
        assert_eq!(
            plain("BT /F 10 Tf 5 5 Td (ab)Tj (c)Tj 40 0 Td (d)Tj 0 -12 Td (e)Tj T* (f)Tj (g) ' (h)Tj"),
            "abc d\ngh\n"
        );
        let moved = |x: f32| format!("q 1 0 0 1 {x} 9 cm BT /F 10 Tf (w)Tj ET Q ");
        assert_eq!(plain(&[moved(0.0), moved(7.0), moved(0.0)].concat()), "ww\n");
        assert_eq!(plain("BT (a)Tj BI /W 1 ID (((\\ EI (b)Tj"), "ab\n");
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_grow(parts in prop::collection::vec(prop::sample::select(vec![
            "[", "]", " TJ ", " Tj ", "(", ")", "\\", "<", ">", " 7 ", " -250 ", "4", "a", " ", "\u{e9}", "\n", " q ", " Q ", " cm ", " Tm ", " Td ", " BT ", " ' ", " ID ", "EI",
        ]), 0..40)) {
            let content = parts.concat();
            prop_assert!(plain(&content).len() <= content.len() * 4);
        }
    }
}

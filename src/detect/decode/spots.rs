//! Where something encoded may stand. Each answer depends on [`BEFORE`](super::super::marks::BEFORE) bytes before the
//! spot and [`AFTER`](super::super::marks::AFTER) behind it at most, so that a walk over git's deltas can carry it along.

use std::ops::Range;

use memchr::memrchr3_iter;

use super::digits::{is_base64, texts16, texts64};
use super::escapes::{SEAM, Undone, backslash, decode, html, percent, quoted_printable, seam};
use super::{Layer, wide};
use crate::detect::prefilter::Found;
use crate::shape::is_run_byte;

/// A place to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Where it is.
    pub at: usize,
    /// What may be there.
    pub(super) hint: Hint,
}

impl Spot {
    /// The same in bytes of which those it was found in begin at `start`.
    pub(in crate::detect) fn behind(self, start: usize) -> Spot {
        Spot { at: start + self.at, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    /// Decodes to text by this way of writing.
    Text(Layer),
    /// Base64 of what is compressed.
    Packed,
}

/// Digits that follow the first bytes of something compressed, at least; it is worth nothing shorter.
const PACKED: usize = 32;

/// How often the sign of an escape may have been written by escapes.
const AGAIN: usize = 3;

/// So many escapes in a row hide what they write from every other search.
const DENSE: usize = 3;

/// The spots in `bytes` that the prefilter's runs and signs lead to, and those of UTF-16.
pub(in crate::detect) fn all(bytes: &[u8], found: &Found, out: &mut Vec<Spot>) {
    found.runs.iter().for_each(|run| at_run(bytes, run, out));
    out.extend(found.signs.iter().filter_map(|sign| sign_at(bytes, *sign)));
    wide::stretches(bytes, |stretch| out.push(Spot { at: stretch.start, hint: Hint::Text(Layer::Utf16) }));
}

/// The spots that a run of at least [`RUN`](crate::shape::RUN) token characters leads to: digits, and escapes
/// at its ends.
fn at_run(bytes: &[u8], run: &Range<usize>, out: &mut Vec<Spot>) {
    let digits = &bytes[run.clone()];
    texts64(digits, |at| out.push(Spot { at: run.start + at, hint: Hint::Text(Layer::Base64) }));
    texts16(digits, |at| out.push(Spot { at: run.start + at, hint: Hint::Text(Layer::Hex) }));
    out.extend(before(bytes, run.start));
    out.extend(behind(bytes, run.end));
}

fn text(at: usize, layer: Layer) -> Option<Spot> {
    Some(Spot { at, hint: Hint::Text(layer) })
}

/// What ends where a run begins, or takes the run's first characters with it.
fn before(bytes: &[u8], start: usize) -> Option<Spot> {
    let at = start.checked_sub(1)?;
    match bytes[at] {
        b'\\' if matches!(bytes[start], b'n' | b'r' | b't' | b'x' | b'u') => {
            backslash(&bytes[at..]).and_then(|_| text(at, Layer::Escape))
        }
        b'%' => percent(&bytes[at..]).filter(writes_ascii).and_then(|_| text(at, Layer::Percent)),
        b'=' => quoted_printable(&bytes[at..]).filter(writes_mark).and_then(|_| text(at, Layer::QuotedPrintable)),
        b'\n' => line_goes_on(bytes, start),
        b' ' | b'\t' => line_goes_on(bytes, start),
        b';' => {
            let from = start.saturating_sub(10);
            let name = bytes[from..at].iter().rposition(|byte| *byte == b'&')?;
            let undone = html(&bytes[from + name..])?;
            (from + name + undone.len == start).then_some(text(from + name, Layer::Html)?)
        }
        b'"' | b'\'' | b'`' => {
            let from = start.saturating_sub(SEAM).max(1);
            let is_seam = |quote: &usize| {
                is_run_byte(bytes[quote - 1]) && seam(&bytes[*quote..]).is_some_and(|seam| seam.len == start - quote)
            };
            let mut quotes = memrchr3_iter(b'"', b'\'', b'`', bytes.get(from..at)?).map(|quote| from + quote);
            text(quotes.find(is_seam)?, Layer::Concatenation)
        }
        _ => None,
    }
}

/// A line end that was put into what begins again at `start`.
fn line_goes_on(bytes: &[u8], start: usize) -> Option<Spot> {
    let from = start.saturating_sub(SEAM);
    let indent = bytes[from..start].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let line = bytes[from..start - indent].strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (&mark, line) = line.split_last()?;
    let at = from + line.len();
    match mark {
        _ if !line.last().is_some_and(|last| is_run_byte(*last)) => None,
        b'\\' => text(at, Layer::Concatenation),
        b'=' if indent == 0 && is_soft_end(&bytes[start..]) => text(at, Layer::QuotedPrintable),
        _ => None,
    }
}

/// What begins where a run ends, if a token character follows it.
fn behind(bytes: &[u8], end: usize) -> Option<Spot> {
    let rest = &bytes[end..];
    let (undone, layer) = match rest.first()? {
        b'%' => (percent(rest).filter(writes_ascii)?, Layer::Percent),
        b'=' => (
            quoted_printable(rest).filter(|undone| match undone.byte {
                None => is_soft_end(&rest[undone.len..]),
                Some(_) => writes_mark(undone),
            })?,
            Layer::QuotedPrintable,
        ),
        b'&' => (html(rest)?, Layer::Html),
        b'\\' => match backslash(rest) {
            Some(undone) if undone.len == 2 => return written_seam(rest).then_some(text(end, Layer::Escape)?),
            Some(undone) => (Some(undone).filter(writes_ascii)?, Layer::Escape),
            None => (seam(rest)?, Layer::Concatenation),
        },
        b'"' | b'\'' | b'`' => (seam(rest)?, Layer::Concatenation),
        _ => return None,
    };
    rest.get(undone.len).is_some_and(|next| is_run_byte(*next)).then_some(text(end, layer)?)
}

/// Whether the line behind may go on with what a `=` ended: in quoted-printable every other `=` writes something, and so does none in
/// `name = value` below a key in base64.
fn is_soft_end(behind: &[u8]) -> bool {
    let line = &behind[..behind.len().min(SEAM)];
    let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
    memchr::memchr_iter(b'=', line).all(|at| match &line[at + 1..] {
        [high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => true,
    })
}

/// Whether it is the seam of two strings, of which one ends in a run, in a string itself: `\" + \"`.
fn written_seam(rest: &[u8]) -> bool {
    if !matches!(rest, [_, b'"' | b'\'' | b'`', b' ' | b'\\' | b'+' | b'.' | b'&' | b'|' | b'~', ..]) {
        return false;
    }
    let part = &rest[..rest.len().min(SEAM)];
    let plain = decode(Layer::Escape, part, &(0..part.len())).map(|(plain, _)| plain).unwrap_or_default();
    seam(&plain).is_some_and(|seam| plain.get(seam.len).is_some_and(|next| is_run_byte(*next)))
}

fn writes_ascii(undone: &Undone) -> bool {
    undone.byte.is_some_and(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
}

/// What stands in or right before tokens and is no letter: everything else would be found in every assignment.
fn writes_mark(undone: &Undone) -> bool {
    undone.byte.is_some_and(|byte| b"_-=.+/:~@".contains(&byte))
}

/// What an escape writes whose sign was written by escapes again and again: `\\\\u0041`, `%252541`, `&amp;amp;#65;`.
fn deep(text: &[u8], again: &[u8], undo: fn(&[u8]) -> Option<Undone>) -> Option<Undone> {
    let times =
        (0..AGAIN).take_while(|times| text.get(1 + times * again.len()..).is_some_and(|it| it.starts_with(again)));
    let mores = (0..=times.count()).rev().map(|times| times * again.len());
    // Any byte may stand for the sign.
    let undone = |more: usize| undo(text.get(more..)?).map(|undone| Undone { len: more + undone.len, ..undone });
    mores.into_iter().find_map(undone)
}

fn sign_at(bytes: &[u8], at: usize) -> Option<Spot> {
    let rest = &bytes[at..];
    let dense = |undo: fn(&[u8]) -> Option<Undone>, layer| {
        let mut done = 0;
        for _ in 0..DENSE {
            done += undo(rest.get(done..)?).filter(writes_ascii)?.len;
            (done < rest.len() && rest[done] == rest[0] || done == rest.len()).then_some(())?;
        }
        text(at, layer)
    };
    match rest[0] {
        b'\\' => dense(|text| deep(text, b"\\", backslash), Layer::Escape),
        b'&' => dense(|text| deep(text, b"amp;", html), Layer::Html),
        b'%' => dense(|text| deep(text, b"25", percent), Layer::Percent),
        b'=' => dense(quoted_printable, Layer::QuotedPrintable),
        first => {
            let digits = rest.iter().take(PACKED).take_while(|byte| is_base64(**byte)).count();
            let begins = first == b'H' || at == 0 || !is_base64(bytes[at - 1]);
            (begins && digits == PACKED).then_some(Spot { at, hint: Hint::Packed })
        }
    }
}

//! Base64 and hexadecimal digits: where a run of them writes text, how far it goes, and what it writes.

use std::ops::Range;

/// Groups of digits in a row that have to write text before a run is decoded. A secret of 19 characters has 5 whole
/// groups of base64 wherever it begins, and 16 of hex.
const GROUPS64: usize = 5;
const GROUPS16: usize = 16;
const GROUPS32: usize = 16;

/// A line of wrapped base64 has at least so many digits.
const LINE: usize = 40;

/// Values of base64 digits of both alphabets, 64 for anything else.
const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [64; 256];
    let mut value = 0;
    while value < 64 {
        let digit = match value {
            0..26 => b'A' + value,
            26..52 => b'a' + (value - 26),
            52..62 => b'0' + (value - 52),
            62 => b'+',
            _ => b'/',
        };
        values[digit as usize] = value;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
}

/// Whether it is a digit of base64 in either alphabet.
pub(super) fn is_base64(byte: u8) -> bool {
    VALUES[usize::from(byte)] < 64
}

/// What text is made of, UTF-16 of ASCII included.
fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0)
}

/// Whether four digits write text: ASCII has the highest bit of each byte clear. Three zeros are no text.
fn writes_text(four: &[u8; 4]) -> bool {
    let [a, b, c, d] = four.map(|digit| VALUES[usize::from(digit)]);
    // Read off one by one: most groups fail at the first or second.
    if a >= 32 || b & 0x48 != 0 || c & 0x42 != 0 || d == 64 {
        return false;
    }
    let three = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    three != [0; 3] && three.into_iter().all(is_text)
}

/// Calls `each` with the first digit of every stretch of base64 that writes text.
pub(super) fn texts64(digits: &[u8], each: impl FnMut(usize)) {
    stretches::<4>(digits, GROUPS64, writes_text, each);
}

/// The same for hexadecimal digits, of UTF-16 too.
pub(super) fn texts16(digits: &[u8], mut each: impl FnMut(usize)) {
    stretches::<2>(digits, GROUPS16, |[high, low]| is_ascii16(*high, *low), &mut each);
    stretches::<4>(digits, GROUPS32, writes_wide, &mut each);
}

fn is_ascii16(high: u8, low: u8) -> bool {
    matches!(high, b'2'..=b'7') && low.is_ascii_hexdigit()
}

/// Whether four digits write a character of ASCII and a zero; in the other order that begins two digits later.
fn writes_wide(four: &[u8; 4]) -> bool {
    matches!(four, [high, low, b'0', b'0'] if is_ascii16(*high, *low))
}

/// Calls `each` with the first digit of every longest stretch of at least so many groups that write text, whatever digit the
/// groups begin at.
#[inline]
fn stretches<const N: usize>(
    digits: &[u8],
    groups: usize,
    writes_text: impl Fn(&[u8; N]) -> bool,
    mut each: impl FnMut(usize),
) {
    for phase in 0..N.min(digits.len()) {
        let all = digits[phase..].as_chunks::<N>().0;
        let mut first = 0;
        while let Some(stretch) = all[first..].get(..groups) {
            // Read from its end: no stretch begins before the last group that is no text.
            if let Some(last) = stretch.iter().rposition(|group| !writes_text(group)) {
                first += last + 1;
                continue;
            }
            each(phase + N * first);
            first += groups;
            first += all[first..].iter().take_while(|group| writes_text(group)).count();
        }
    }
}

/// A run of digits, over line ends where it is wrapped.
#[derive(Debug)]
pub(super) struct Run {
    /// The digits of each line.
    pub lines: Vec<Range<usize>>,
    /// Where it ends, its padding included.
    pub end: usize,
}

impl Run {
    /// The run of base64 around `at`.
    pub fn around(bytes: &[u8], at: usize) -> Self {
        Run::of(bytes, at, is_base64)
    }

    /// The run of hexadecimal digits around `at`.
    pub fn around16(bytes: &[u8], at: usize) -> Self {
        Run::of(bytes, at, |byte| byte.is_ascii_hexdigit())
    }

    fn of(bytes: &[u8], at: usize, is: fn(u8) -> bool) -> Self {
        let start = at - bytes[..at].iter().rev().take_while(|byte| is(**byte)).count();
        let mut lines = vec![line(bytes, start, is)];
        while let Some(next) = next_line(bytes, &lines[lines.len() - 1], is)
            && (lines.len() < 2 || lines[lines.len() - 1].len() == lines[lines.len() - 2].len())
        {
            lines.push(next);
        }
        let mut before = Vec::new();
        let mut first = lines[0].clone();
        let alone = lines.len() == 1;
        while let Some(previous) = previous_line(bytes, first.start, is)
            && (previous.len() == first.len() || (alone && before.is_empty() && previous.len() > first.len()))
        {
            first = previous.clone();
            before.push(previous);
        }
        before.reverse();
        before.append(&mut lines);
        let end = before.last().map_or(at, |last| last.end);
        let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
        Run { lines: before, end: end + padding }
    }

    pub fn start(&self) -> usize {
        self.lines.first().map_or(self.end, |first| first.start)
    }

    /// The digits from the one at place `from` on, and where they stand.
    pub fn digits(&self, bytes: &[u8], from: usize) -> (Vec<u8>, Vec<(usize, usize)>) {
        let (mut digits, mut stretches) = (Vec::new(), Vec::new());
        for line in self.lines.iter().filter(|line| line.end > from) {
            let line = line.start.max(from)..line.end;
            stretches.push((digits.len(), line.start));
            digits.extend_from_slice(&bytes[line]);
        }
        (digits, stretches)
    }
}

/// The digits from `start` on.
fn line(bytes: &[u8], start: usize, is: fn(u8) -> bool) -> Range<usize> {
    start..start + bytes[start..].iter().take_while(|byte| is(**byte)).count()
}

/// The line that goes on with what `line` began: as long, or shorter and the last.
fn next_line(bytes: &[u8], last: &Range<usize>, is: fn(u8) -> bool) -> Option<Range<usize>> {
    let rest = &bytes[last.end..];
    let ending = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
    if ending == 0 || last.len() < LINE {
        return None;
    }
    let indent = rest[ending..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let next = line(bytes, last.end + ending + indent, is);
    let ends = bytes.get(next.end).is_none_or(|byte| matches!(byte, b'\r' | b'\n' | b'=' | b'"' | b'\'' | b'<'));
    (ends && !next.is_empty() && next.len() <= last.len()).then_some(next)
}

/// The line before the one whose digits begin at `start`.
fn previous_line(bytes: &[u8], start: usize, is: fn(u8) -> bool) -> Option<Range<usize>> {
    let indent = bytes[..start].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let before = bytes[..start - indent].strip_suffix(b"\n")?;
    let end = before.strip_suffix(b"\r").unwrap_or(before).len();
    let len = bytes[..end].iter().rev().take_while(|byte| is(**byte)).count();
    (len >= LINE).then_some(end - len..end)
}

/// What base64 digits write; what is left of a group at the end counts as far as it goes.
pub(super) fn decode64(digits: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let value = |at: usize| group.get(at).map_or(0, |digit| u32::from(VALUES[usize::from(*digit)] & 63));
        let all = (value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3)).to_be_bytes();
        bytes.extend_from_slice(&all[1..group.len()]);
    }
    bytes
}

/// What hexadecimal digits write.
pub(super) fn decode16(digits: &[u8]) -> Vec<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    digits.chunks_exact(2).map(|two| value(two[0]) << 4 | value(two[1])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The oracle: counts from the left.
    fn counted<const N: usize>(digits: &[u8], groups: usize, writes_text: impl Fn(&[u8; N]) -> bool) -> Vec<usize> {
        let (mut found, mut counts) = (Vec::new(), [0; N]);
        for (at, group) in digits.windows(N).enumerate() {
            let count = &mut counts[at % N];
            let group = group.first_chunk().expect("a group");
            *count = if writes_text(group) { *count + 1 } else { 0 };
            found.extend((*count == groups).then(|| at - N * (groups - 1)));
        }
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn stretches_are_those_that_counting_finds(
            parts in prop::collection::vec(prop_oneof!["[a-zA-Z0-9+/]{0,9}", "([2-7][0-9a-f]){1,40}", "([2-7][0-9a-f]){15,18}", "0?([2-7][0-9a-f]00){15,18}", "[0-9a-f]{1,40}",
                "[ -~]{1,40}".prop_map(|text| data_encoding::BASE64.encode(text.as_bytes()))], 0..8),
        ) {
            let digits = parts.concat().into_bytes();
            let (mut of64, mut of16) = (Vec::new(), Vec::new());
            texts64(&digits, |at| of64.push(at));
            texts16(&digits, |at| of16.push(at));
            of64.sort_unstable();
            of16.sort_unstable();
            prop_assert_eq!(of64, counted(&digits, GROUPS64, writes_text));
            let writes16 = |two: &[u8; 2]| (b'2'..=b'7').contains(&two[0]) && two[1].is_ascii_hexdigit();
            let mut all = counted(&digits, GROUPS16, writes16);
            all.extend(counted(&digits, GROUPS32, writes_wide));
            all.sort_unstable();
            prop_assert_eq!(of16, all);
        }
    }
}

//! Joins texts that documents hold in pieces: the strings of a line of PDF, which stand apart for their spacing, and the runs of
//! a paragraph of Word or PowerPoint, which a spelling checker divides.

use memchr::{memchr, memmem};

/// A document of more bytes than this is shown in its pieces alone.
pub(super) const LONGEST: usize = 32 << 20;

/// So much space between two strings, in thousandths of a letter's size, is a blank between words.
const BLANK: f32 = 200.0;

/// Whether it begins as the text of a document, or of a slide, of Office Open XML does (ECMA-376, part 1, 17.2.3 and 19.3.1.38).
pub(super) fn is_office(head: &[u8]) -> bool {
    head.starts_with(b"<") && [&b"<w:document"[..], b"<p:sld "].iter().any(|root| memmem::find(head, root).is_some())
}

/// The paragraphs in which a word goes on from one run to the next, each as a line.
pub(super) fn office(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for end in [&b"</w:p>"[..], b"</a:p>"] {
        let mut from = 0;
        for at in memmem::find_iter(document, end) {
            paragraph(&document[from..at], &mut out);
            from = at + end.len();
        }
    }
    out
}

/// Adds a paragraph's text if one of its words is in two runs.
fn paragraph(runs: &[u8], out: &mut Vec<u8>) {
    let (start, mut divided) = (out.len(), false);
    for at in memchr::memchr_iter(b'<', runs) {
        let rest = &runs[at..];
        let text = [&b"<w:t>"[..], b"<w:t ", b"<a:t>"].iter().any(|tag| rest.starts_with(tag));
        let Some(begin) = text.then(|| memchr(b'>', rest)).flatten() else { continue };
        let text = &rest[begin + 1..];
        let text = &text[..memchr(b'<', text).unwrap_or(text.len())];
        let goes_on = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
        divided |= out.len() > start && goes_on(out.last()) && goes_on(text.first());
        out.extend(text);
    }
    match divided {
        true => out.push(b'\n'),
        false => out.truncate(start),
    }
}

/// The strings of each array that is shown, of several, as a line (ISO 32000, 9.4.3).
pub(super) fn pdf(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for end in memmem::find_iter(content, b"TJ") {
        let before = content[..end].trim_ascii_end();
        let Some(array) = before.strip_suffix(b"]") else { continue };
        // What stands in a string may look like a bracket; then less is joined.
        let Some(begin) = memchr::memrchr(b'[', array) else { continue };
        let start = out.len();
        if strings(&array[begin + 1..], &mut out) > 1 {
            out.push(b'\n');
        } else {
            out.truncate(start);
        }
    }
    out
}

/// Adds the strings of an array, and a blank where there is much space between two; gives how many there are.
fn strings(mut array: &[u8], out: &mut Vec<u8>) -> usize {
    let mut count = 0;
    while let [first, rest @ ..] = array {
        array = match first {
            b'(' => {
                count += 1;
                literal(rest, out)
            }
            b'<' => {
                count += 1;
                let len = memchr(b'>', rest).unwrap_or(rest.len());
                let digits: Vec<u8> = rest[..len].iter().filter(|byte| byte.is_ascii_hexdigit()).copied().collect();
                let (pairs, _) = digits.as_chunks::<2>();
                out.extend(pairs.iter().filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()));
                rest.get(len + 1..).unwrap_or_default()
            }
            b'-' | b'0'..=b'9' => {
                let len = array.iter().take_while(|byte| matches!(byte, b'-' | b'.' | b'0'..=b'9')).count();
                let space: f32 = str::from_utf8(&array[..len]).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
                out.extend((space <= -BLANK).then_some(b' '));
                &array[len..]
            }
            _ => rest,
        };
    }
    count
}

/// Adds the string that an open parenthesis stands before; gives what is behind it.
fn literal<'a>(mut text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut depth = 0;
    while let [first, rest @ ..] = text {
        text = rest;
        match first {
            b')' if depth == 0 => break,
            b'\\' => text = escape(rest, out),
            other => {
                depth += usize::from(*other == b'(');
                depth -= usize::from(*other == b')');
                out.push(*other);
            }
        }
    }
    text
}

/// Adds what is escaped; gives what is behind it.
fn escape<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let digits = text.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if digits > 0 {
        out.push(text[..digits].iter().fold(0u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
        return &text[digits..];
    }
    let Some((first, rest)) = text.split_first() else { return text };
    match first {
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        // A line that goes on.
        b'\n' | b'\r' => {}
        other => out.push(*other),
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_that_are_spaced_are_one() {
        let content = br"BT [(to) -20 (k\(en=) 3.5 <41 42>-333(c\144)] TJ (alone) Tj [(one)] TJ ET [(a(b)c)1(d)]TJ";
        assert_eq!(pdf(content), b"tok(en=AB cd\na(b)cd\n");
    }

    #[test]
    fn words_that_are_divided_are_one() {
        let run = |text: &str| format!("<w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">{text}</w:t></w:r>");
        let one = format!("<w:p>{}{}{}</w:p>", run("Token: "), run("abc"), run("def ghi"));
        let other = format!("<w:p>{}{}</w:p>", run("no word "), run("is divided"));
        assert_eq!(office(format!("{one}{other}<w:p/>").as_bytes()), b"Token: abcdef ghi\n");
        assert_eq!(office(b"<a:p><a:r><a:t>ab</a:t></a:r><a:r><a:t>cd</a:t></a:r></a:p>"), b"abcd\n");
        assert!(is_office(b"<?xml version=\"1.0\"?>\n<w:document xmlns:w=\"\">") && !is_office(b"see <w:document"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_grow(parts in prop::collection::vec(prop::sample::select(vec![
            "[", "]", "TJ", "(", ")", "\\", "<", ">", "<w:t>", "</w:t>", "</w:p>", "7", "-250", "4", "a", " ", "\u{e9}", "<w:t", "\n",
        ]), 0..40)) {
            let text = parts.concat();
            for joined in [pdf(text.as_bytes()), office(text.as_bytes())] {
                // Each array, and each paragraph, is read once.
                prop_assert!(joined.len() <= text.len() * 2);
            }
        }
    }
}

//! Undoes what writers put between the characters of a text: `%41`, `\x41`, `\u0041`, `&#65;`, `=41`, seams of strings.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::Layer;
use super::map::{Copied, Map};

/// How much stands between the two parts of a string at most, in bytes: quotes, an operator, a line end, an indent.
pub(super) const SEAM: usize = 60;

/// Decodes `range` of `bytes` by one way of writing; `None` if nothing in it is so written.
pub(super) fn decode(layer: Layer, bytes: &[u8], range: &Range<usize>) -> Option<(Vec<u8>, Map)> {
    let text = &bytes[range.clone()];
    let (first, undo): (&[u8], Undo) = match layer {
        Layer::Percent => (b"%", percent),
        Layer::Escape => (b"\\", backslash),
        Layer::Html => (b"&", html),
        Layer::QuotedPrintable => (b"=", quoted_printable),
        Layer::Concatenation => (b"\"'`\\", seam),
        _ => return None,
    };
    let (mut out, mut done, mut at) = (Copied::default(), 0, 0);
    while let Some(next) = text[at..].iter().position(|byte| first.contains(byte)) {
        at += next;
        match undo(&text[at..]) {
            None => at += 1,
            Some(undone) => {
                out.copy(range.start + done, &text[done..at]);
                if let Some(byte) = undone.byte {
                    out.escape(range.start + at, undone.len, &[byte]);
                }
                at += undone.len;
                done = at;
            }
        }
    }
    (done > 0).then(|| {
        out.copy(range.start + done, &text[done..]);
        (out.bytes, Map::Pieces(out.pieces))
    })
}

/// Undoes what a text begins with.
type Undo = fn(&[u8]) -> Option<Undone>;

/// What stands at the beginning of a text: its length, and the byte that it writes, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undone {
    pub len: usize,
    pub byte: Option<u8>,
}

fn hex(digits: Option<&[u8]>) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let [high, low] = digits? else { return None };
    Some(value(*high)? << 4 | value(*low)?)
}

pub(super) fn percent(text: &[u8]) -> Option<Undone> {
    Some(Undone { len: 3, byte: Some(hex(text.get(1..3))?) })
}

/// Escapes of C, Java, JSON, Python, shells. Of `\u` only what stands for ASCII.
pub(super) fn backslash(text: &[u8]) -> Option<Undone> {
    let one = |byte| Some(Undone { len: 2, byte: Some(byte) });
    match text.get(1)? {
        b'n' => one(b'\n'),
        b'r' => one(b'\r'),
        b't' => one(b'\t'),
        byte @ (b'\\' | b'"' | b'\'' | b'/') => one(*byte),
        b'x' => Some(Undone { len: 4, byte: Some(hex(text.get(2..4))?) }),
        b'u' if text.get(2..4) == Some(b"00") => Some(Undone { len: 6, byte: Some(hex(text.get(4..6))?) }),
        b'u' if text.get(2) == Some(&b'{') => {
            let digits = text[3..].iter().take(7).take_while(|byte| byte.is_ascii_hexdigit()).count();
            let value = std::str::from_utf8(&text[3..3 + digits]).ok()?;
            let value = u8::try_from(u32::from_str_radix(value, 16).ok()?).ok()?;
            (text.get(3 + digits) == Some(&b'}')).then_some(Undone { len: digits + 4, byte: Some(value) })
        }
        _ => None,
    }
}

/// Numbers, and the names of what is ASCII.
pub(super) fn html(text: &[u8]) -> Option<Undone> {
    let end = 1 + text.get(1..)?.iter().take(9).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let byte = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => u32::from(match name {
            "quot" => b'"',
            "apos" => b'\'',
            "amp" => b'&',
            "lt" => b'<',
            "gt" => b'>',
            "sol" => b'/',
            "bsol" => b'\\',
            "plus" => b'+',
            "equals" => b'=',
            "lowbar" => b'_',
            "hyphen" | "dash" => b'-',
            "period" => b'.',
            "colon" => b':',
            "commat" => b'@',
            "nbsp" => b' ',
            _ => return None,
        }),
    };
    Some(Undone { len: end + 1, byte: Some(u8::try_from(byte).ok()?) })
}

/// RFC 2045: `=41`, and a `=` at the end of a line that goes on.
pub(super) fn quoted_printable(text: &[u8]) -> Option<Undone> {
    let rest = text.get(1..)?;
    if rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
        return Some(Undone { len: if rest[0] == b'\r' { 3 } else { 2 }, byte: None });
    }
    Some(Undone { len: 3, byte: Some(hex(rest.get(..2))?) })
}

/// What two parts of a string are joined by: `" + "`, `' . '`, `" \⏎ "`, `" "`, with comments between them, and a backslash at the end of a
/// line.
pub(super) fn seam(text: &[u8]) -> Option<Undone> {
    let text = &text[..text.len().min(SEAM)];
    let blank = |from: usize| text[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let first = *text.first()?;
    if first == b'\\' {
        let ending = if text[1..].starts_with(b"\r\n") { 2 } else { 1 };
        let indent = 1 + ending;
        return (text.get(ending) == Some(&b'\n')).then(|| Undone { len: indent + blank(indent), byte: None });
    }
    let mut at = gap(text, 1, b"");
    let operator = text[at..].iter().take_while(|byte| b"+.&~|<>^".contains(byte)).count();
    let known = matches!(
        &text[at..at + operator],
        [] | [b'+' | b'.' | b'&' | b'~' | b'|' | b'^'] | b"++" | b".." | b"||" | b"<>"
    );
    // Visual Basic's line goes on behind an underscore.
    at = gap(text, at + operator, if operator > 0 { b"_" } else { b"" });
    let apart = at > 1;
    // C, Python, C#: `L"…"`, `rb"…"`, `$@"…"`.
    at += text[at..].iter().take(2).take_while(|byte| b"bBfFlLrRuU$@".contains(byte)).count();
    let last = *text.get(at)?;
    // Two quotes side by side are an empty string, or a quote in one.
    let joins = known && apart && matches!(last, b'"' | b'\'' | b'`') && (operator > 0 || last == first);
    joins.then_some(Undone { len: at + 1, byte: None })
}

/// Where blanks, ends of lines and comments end that begin at `at`, and what else counts as blank.
fn gap(text: &[u8], mut at: usize, also: &[u8]) -> usize {
    loop {
        let rest = &text[at..];
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\\') || also.contains(byte);
        let comment = match rest {
            [b'/', b'*', ..] => memmem::find(rest, b"*/").map(|len| len + 2),
            [b'#', ..] | [b'/', b'/', ..] | [b'-', b'-', ..] => memchr(b'\n', rest),
            _ => None,
        };
        match comment.unwrap_or_else(|| rest.iter().take_while(blank).count()) {
            0 => return at,
            len => at += len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(layer: Layer, bytes: &[u8]) -> String {
        let decoded = decode(layer, bytes, &(0..bytes.len())).expect("it is so written");
        String::from_utf8(decoded.0).expect("text")
    }

    #[test]
    fn every_way_is_undone() {
        assert_eq!(text(Layer::Percent, b"a%3Ab%2fc%zz%"), "a:b/c%zz%");
        assert_eq!(text(Layer::Escape, br#"a\nb\x41\u0042\u{43}\"\\n\q"#), "a\nbABC\"\\n\\q");
        assert_eq!(text(Layer::Html, b"&#65;&#x42;&quot;&amp;lt;&none;"), "AB\"&lt;&none;");
        assert_eq!(text(Layer::QuotedPrintable, b"a=3Db=\r\nc=\nd=zz"), "a=bcd=zz");
        for joined in
            ["\"ab\" + \"cd\"", "'ab' . 'cd'", "\"ab\" +\n    \"cd\"", "'ab'\n  'cd'", "\"ab\" \\\r\n\t\"cd\""]
        {
            assert_eq!(text(Layer::Concatenation, joined.as_bytes())[1..5], *"abcd", "{joined}");
        }
        assert_eq!(text(Layer::Concatenation, b"ab\\\n  cd"), "abcd");
        for joined in [
            "'ab'  # one\n  'cd'",
            "'ab' + // it's one\n 'cd'",
            "'ab' /* one */ + /* two */ 'cd'",
            "'ab' -- one\n || 'cd'",
            "'ab' <> 'cd'",
            "'ab' ^ 'cd'",
            "'ab' ++ 'cd'",
            "'ab'..'cd'",
        ] {
            assert_eq!(text(Layer::Concatenation, joined.as_bytes()), "'abcd'", "{joined}");
        }
        for joined in ["\"ab\" L\"cd\"", "\"ab\"\n  rb\"cd\"", "\"ab\" & _\r\n $@\"cd\""] {
            assert_eq!(text(Layer::Concatenation, joined.as_bytes()), "\"abcd\"", "{joined}");
        }
        let apart = [
            "\"ab\", \"cd\"",
            "\"\"",
            "'ab' \"cd\"",
            "f(\"ab\")",
            "'ab' /* 'cd'",
            "'ab' # 'cd'",
            "'ab' < 'cd'",
            "\"ab\" key\"cd\"",
            "'a'b'c'",
        ];
        for apart in apart {
            assert!(decode(Layer::Concatenation, apart.as_bytes(), &(0..apart.len())).is_none(), "{apart}");
        }
    }

    #[test]
    fn a_span_leads_back_to_what_wrote_it() {
        let bytes = b"..%41b%43d..";
        let (decoded, map) = decode(Layer::Percent, bytes, &(1..bytes.len())).expect("percent");
        assert_eq!(decoded, b".AbCd..");
        for (span, source, changed) in
            [(1..4, 2..9, true), (2..3, 5..6, true), (4..5, 9..10, true), (5..6, 10..11, false), (0..7, 1..12, true)]
        {
            assert_eq!((map.source(&span), map.changed(&span)), (source, changed), "{span:?}");
        }
    }
}

//! Undoes the escapes that JSON, URLs and shells put inside tokens, so that a proof sees the token itself.

use std::borrow::Cow;

/// What is undone: each escape (letters in lower case) and the byte it stands for. Only the three characters of
/// base64 that writers escape; anything else in a token is as it is.
const ESCAPES: &[(&[u8], u8)] = &[
    (b"\\=", b'='),
    (b"%3d", b'='),
    (b"\\u003d", b'='),
    (b"\\/", b'/'),
    (b"%2f", b'/'),
    (b"\\u002f", b'/'),
    (b"%2b", b'+'),
    (b"\\u002b", b'+'),
];

/// The token that `raw` writes: `\=`, `%3D`, `\u003d`, `\/`, `%2F`, `\u002f`, `%2B`, `\u002b` (hexadecimal digits of
/// either case) become the character they stand for. Borrowed when there is nothing to undo.
pub fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.iter().any(|byte| matches!(byte, b'\\' | b'%')) {
        return Cow::Borrowed(raw);
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(&first) = rest.first() {
        let (byte, length) = escape_at(rest).unwrap_or((first, 1));
        plain.push(byte);
        rest = &rest[length..];
    }
    Cow::Owned(plain)
}

/// The escape that `text` begins with: what it stands for, and its length.
fn escape_at(text: &[u8]) -> Option<(u8, usize)> {
    ESCAPES
        .iter()
        .find(|(escape, _)| text.get(..escape.len()).is_some_and(|head| head.eq_ignore_ascii_case(escape)))
        .map(|&(escape, byte)| (byte, escape.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_escape_is_undone_in_either_case() {
        assert_eq!(&*unescape(br"a\=b%3Dc%3dd\u003De\/f%2Fg\u002fh%2Bi\u002B"), b"a=b=c=d=e/f/g/h+i+");
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(&*unescape(br"\u003 %3 \\ %25 \n%"), br"\u003 %3 \\ %25 \n%");
        assert!(matches!(unescape(b"plain"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn undoing_never_panics_and_never_grows(raw: Vec<u8>) {
            prop_assert!(unescape(&raw).len() <= raw.len());
        }

        #[test]
        fn written_then_undone_is_the_same(token in "[A-Za-z0-9+/=]{0,64}") {
            let written = token.replace('/', r"\/").replace('=', "%3D").replace('+', r"\u002b");
            prop_assert_eq!(&*unescape(written.as_bytes()), token.as_bytes());
        }
    }
}

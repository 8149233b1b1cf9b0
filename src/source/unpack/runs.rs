//! Joins texts that documents hold in pieces: the strings of a line of PDF, which stand apart for their spacing, and the runs of
//! a paragraph of Word or PowerPoint, which a spelling checker divides.

use memchr::{memchr, memmem};

/// A document of more bytes than this is shown in its pieces alone.
pub(super) const LONGEST: usize = 32 << 20;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            for joined in [office(text.as_bytes())] {
                // Each array, and each paragraph, is read once.
                prop_assert!(joined.len() <= text.len() * 2);
            }
        }
    }
}

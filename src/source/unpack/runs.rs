//! Joins texts that documents hold in pieces: the runs of a paragraph of Word or PowerPoint, which a spelling checker divides, of a
//! cell of Excel, and spans of OpenDocument.

use memchr::{memchr, memmem};

/// A document of more bytes than this is shown in its pieces alone.
pub(super) const LONGEST: usize = 32 << 20;

/// What texts of Office Open XML begin with (ECMA-376, part 1): documents with what belongs to them, slides, strings and tables of
/// Excel; and those of OpenDocument (part 3, 3.1.3).
const OFFICE: [&[u8]; 14] = [
    b"<w:document",
    b"<w:hdr",
    b"<w:ftr",
    b"<w:comments",
    b"<w:footnotes",
    b"<w:endnotes",
    b"<p:sld ",
    b"<p:notes ",
    b"<sst",
    b"<x:sst",
    b"<worksheet",
    b"<x:worksheet",
    b"<office:document-content",
    b"<office:document ",
];

/// What ends a text that is one for its reader, of which the parts that are shown are in tags of their own.
const TEXTS: [&[u8]; 6] = [b"</w:p>", b"</a:p>", b"</si>", b"</is>", b"</x:si>", b"</x:is>"];

/// The tags of the parts: of what is shown, of what was deleted and is still there for who looks at changes, and of what fields are
/// made from. Each is a text of its own.
const PARTS: [&[&[u8]]; 3] = [
    &[b"<w:t>", b"<w:t ", b"<a:t>", b"<t>", b"<t ", b"<x:t>", b"<x:t "],
    &[b"<w:delText>", b"<w:delText "],
    &[b"<w:instrText>", b"<w:instrText "],
];

/// What of OpenDocument is one text: all in it is shown.
const PARAGRAPHS: [(&[u8], &[u8]); 2] = [(b"<text:p", b"</text:p>"), (b"<text:h", b"</text:h>")];

/// Whether it begins as a text of an office's program.
pub(super) fn is_office(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    head.starts_with(b"<") && OFFICE.iter().any(|root| memmem::find(head, root).is_some())
}

/// The paragraphs and cells in which a word goes on from one run to the next, each as a line.
pub(super) fn office(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let is_there = |tags: &&[&[u8]]| tags.iter().any(|tag| memmem::find(document, tag).is_some());
    let parts: Vec<&[&[u8]]> = PARTS.into_iter().filter(is_there).collect();
    for end in TEXTS {
        let mut from = 0;
        for at in memmem::find_iter(document, end) {
            for tags in &parts {
                paragraph(&document[from..at], tags, &mut out);
            }
            from = at + end.len();
        }
    }
    for (begin, end) in PARAGRAPHS {
        let mut from = 0;
        for at in memmem::find_iter(document, end) {
            if let Some(begin) = memmem::rfind(&document[from..at], begin) {
                spans(&document[from + begin..at], &mut out);
            }
            from = at + end.len();
        }
    }
    out
}

/// Adds a paragraph's text if one of its words is in two runs.
fn paragraph(runs: &[u8], tags: &[&[u8]], out: &mut Vec<u8>) {
    let (start, mut divided) = (out.len(), false);
    for at in memchr::memchr_iter(b'<', runs) {
        let rest = &runs[at..];
        let text = tags.iter().any(|tag| rest.starts_with(tag));
        // A tag has none in it.
        let begin = || memchr::memchr2(b'<', b'>', &rest[1..]).map(|at| at + 1).filter(|at| rest[*at] == b'>');
        let Some(begin) = text.then(begin).flatten() else { continue };
        let text = &rest[begin + 1..];
        add(&text[..memchr(b'<', text).unwrap_or(text.len())], start, &mut divided, out);
    }
    end(divided, start, out);
}

/// Adds a paragraph's text if one of its words goes on behind a tag.
fn spans(paragraph: &[u8], out: &mut Vec<u8>) {
    const BLANKS: [&[u8]; 3] = [b"<text:s", b"<text:tab", b"<text:line-break"];
    let (start, mut divided, mut rest) = (out.len(), false, paragraph);
    while let Some(len) = memchr(b'>', rest) {
        let (tag, text) = (&rest[..len], &rest[len + 1..]);
        if BLANKS.iter().any(|blank| tag.strip_prefix(*blank).is_some_and(|rest| !matches!(rest, [b'a'..=b'z', ..]))) {
            out.push(b' ');
        }
        let len = memchr(b'<', text).unwrap_or(text.len());
        add(&text[..len], start, &mut divided, out);
        rest = &text[len..];
    }
    end(divided, start, out);
}

/// Adds what goes on with a paragraph that begins at `start`.
fn add(text: &[u8], start: usize, divided: &mut bool, out: &mut Vec<u8>) {
    let goes_on = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    *divided |= out.len() > start && goes_on(out.last()) && goes_on(text.first());
    out.extend_from_slice(text);
}

/// Ends a paragraph, which is not told if nothing in it is divided.
fn end(divided: bool, start: usize, out: &mut Vec<u8>) {
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
        let changed = format!("<w:p>{}<w:del>{}{0}</w:del></w:p>", run("x ").replace("w:t", "w:delText"), run("y"));
        let code = "<w:instrText>HYPER</w:instrText><w:instrText xml:space=\"preserve\">LINK</w:instrText></w:p>";
        assert_eq!(office(format!("{changed}{code}").as_bytes()), b"HYPERLINK\n");
        let deleted = run("ab").replace("w:t", "w:delText") + &run("y") + &run("cd").replace("w:t", "w:delText");
        assert_eq!(office(format!("<w:p>{deleted}</w:p>").as_bytes()), b"abcd\n");
        assert_eq!(office(b"<a:p><a:r><a:t>ab</a:t></a:r><a:r><a:t>cd</a:t></a:r></a:p>"), b"abcd\n");
        assert!(is_office(b"<?xml version=\"1.0\"?>\n<w:document xmlns:w=\"\">") && !is_office(b"see <w:document"));
    }

    #[test]
    fn cells_and_spans_are_one() {
        let cells =
            b"<sst><si><t>alone</t></si><si><r><t>ab</t></r><r><rPr/><t xml:space=\"preserve\">cd</t></r></si></sst>";
        assert_eq!(office(cells), b"abcd\n");
        assert_eq!(office(b"<worksheet><is><r><t>e</t></r><r><t>f</t></r></is>"), b"ef\n");
        let text = b"<text:p>no word</text:p>\n<text:p a='b'>x<text:span>ab<text:s/>c</text:span><text:span>d</text:span></text:p><text:h>e<b/>f</text:h>";
        assert_eq!(office(text), b"xab cd\nef\n");
        assert!(
            is_office(b"\xEF\xBB\xBF<?xml version=\"1.0\"?><sst xmlns=\"\">")
                && is_office(b"<office:document-content xmlns")
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_grow(parts in prop::collection::vec(prop::sample::select(vec![
            "[", "]", "TJ", "(", ")", "\\", "<", ">", "<w:t>", "</w:t>", "</w:p>", "7", "-250", "4", "a", " ", "\u{e9}", "<w:t", "\n", "<text:p", "</text:p>", "<text:s/>", "<t>", "</si>",
        ]), 0..40)) {
            let text = parts.concat();
            // Each paragraph is read once for each way to end.
            prop_assert!(office(text.as_bytes()).len() <= text.len() * 3);
        }
    }
}

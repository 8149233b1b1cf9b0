//! The streams of a PDF document that are compressed or hold something that is.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use memchr::memmem;

use super::archive::corrupt;
use super::inflate::Inflater;
use super::{Error, HEAD, is_text, packing};

mod filters;

use filters::{Digits, Rows};

/// The dictionary before a stream is looked for in so many bytes.
const DICTIONARY: usize = 4 << 10;

/// Filters of pictures, whose data is in the document as it is.
const PICTURES: [&str; 6] = ["DCTDecode", "DCT", "JPXDecode", "CCITTFaxDecode", "CCF", "JBIG2Decode"];

/// Most filters of a stream.
const FILTERS: usize = 8;

/// Longest row of what a predictor made, in bytes.
const ROW: usize = 1 << 20;

/// Whether a document begins there, or behind something that readers pass over: a byte order mark, blanks; in binary, also a line.
pub(super) fn is_pdf(head: &[u8]) -> bool {
    let begun = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let begins = |at: usize| {
        let version = matches!(head[at + 5..], [b'0'..=b'9', b'.', b'0'..=b'9', ..]);
        at > 0 && version && matches!(head[at - 1], b'\n' | b'\r' | 0 | 0x80..)
    };
    begun.starts_with(b"%PDF-") || (!is_text(head) && memmem::find_iter(head, b"%PDF-").any(begins))
}

/// Whether the document's streams and strings have a password, which may be empty: its trailer says so.
pub(super) fn is_encrypted(document: &[u8]) -> bool {
    memmem::find_iter(document, b"/Encrypt").any(|at| {
        let value = document[at + 8..].trim_ascii_start();
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let reference =
            |rest: &[u8]| rest.starts_with(b" ") && rest.trim_ascii_start().first().is_some_and(u8::is_ascii_digit);
        value.starts_with(b"<<") || (digits > 0 && reference(&value[digits..]))
    })
}

/// A stream with what its dictionary says of it (ISO 32000, 7.3.8).
pub(super) struct Stream<'d> {
    dictionary: &'d [u8],
    data: &'d [u8],
    filters: Vec<Cow<'d, str>>,
    /// No filter is named, but it begins as zlib does.
    guessed: bool,
}

/// The streams that have to be decoded, in their order. All others are in the document as they are.
pub(super) fn streams(document: &[u8]) -> impl Iterator<Item = Stream<'_>> {
    let mut end = 0;
    memmem::find_iter(document, b"stream").filter_map(move |at| {
        let rest = &document[at + 6..];
        let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
        if document[..at].ends_with(b"end") {
            return None;
        }
        let before = &document[at.saturating_sub(DICTIONARY)..at];
        let dictionary = &before[memmem::rfind(before, b"obj").unwrap_or(before.len())..];
        let start = document.len() - rest.len();
        if end < start {
            end = memmem::find(rest, END).map_or(document.len(), |len| start + len);
        }
        let data = &rest[..length(dictionary, rest).unwrap_or(end - start)];
        let mut filters = names(dictionary, b"/Filter");
        let guessed = filters.is_empty() && is_zlib(data);
        if guessed {
            filters.push("FlateDecode".into());
        }
        let is_packed = filters.is_empty() && packing(&data[..data.len().min(HEAD)]).is_some();
        let is_coded = filters.first().is_some_and(|first| !PICTURES.contains(&&**first));
        (is_packed || is_coded).then_some(Stream { dictionary, data, filters, guessed })
    })
}

/// The word that ends a stream.
const END: &[u8] = b"endstream";

/// How long a stream is as its dictionary says, if it ends there.
fn length(dictionary: &[u8], rest: &[u8]) -> Option<usize> {
    /// So many blanks may stand before the word.
    const BLANKS: usize = 64;
    let ends = |rest: &[u8]| rest[..rest.len().min(BLANKS + END.len())].trim_ascii_start().starts_with(END);
    number(dictionary, b"/Length").filter(|len| rest.get(*len..).is_some_and(ends))
}

/// What stands behind a key in a dictionary.
fn value<'d>(dictionary: &'d [u8], key: &[u8]) -> Option<&'d [u8]> {
    let mut values = memmem::find_iter(dictionary, key).map(|at| &dictionary[at + key.len()..]);
    values.find(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric)).map(<[u8]>::trim_ascii_start)
}

fn number(dictionary: &[u8], key: &[u8]) -> Option<usize> {
    let value = value(dictionary, key)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(&value[..digits]).ok()?.parse().ok()
}

/// The names behind a key: one, or a list.
fn names<'d>(dictionary: &'d [u8], key: &[u8]) -> Vec<Cow<'d, str>> {
    let Some(value) = value(dictionary, key) else { return Vec::new() };
    let (list, most) = match value.strip_prefix(b"[") {
        Some(list) => (&list[..memchr::memchr(b']', list).unwrap_or(list.len())], usize::MAX),
        None => (value, usize::from(value.starts_with(b"/"))),
    };
    let names = list.split(|byte| *byte == b'/').skip(1).take(most);
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"<>[]()%".contains(byte);
    names.map(|name| unescaped(name.split(ends).next().unwrap_or_default())).collect()
}

/// A name without its escapes, `#` and two digits (7.3.5).
fn unescaped(name: &[u8]) -> Cow<'_, str> {
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

fn is_zlib(data: &[u8]) -> bool {
    matches!(data, [first, second, ..] if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31))
}

impl<'d> Stream<'d> {
    /// What the stream holds. Of a picture it is what its own format makes of it: such data is in the document as it is.
    pub(super) fn content(&self) -> io::Result<Box<dyn BufRead + 'd>> {
        if self.filters.len() > FILTERS {
            return Err(unread(&format!("a stream of PDF with more than {FILTERS} filters")));
        }
        let mut content: Box<dyn BufRead> = Box::new(self.data);
        for filter in &self.filters {
            content = match &**filter {
                "FlateDecode" | "Fl" => self.predicted(Zlib::new(content, self.guessed))?,
                "ASCII85Decode" | "A85" => Box::new(BufReader::new(Digits::base85(content))),
                "ASCIIHexDecode" | "AHx" => Box::new(BufReader::new(Digits::hex(content))),
                // Of what is encrypted the document tells.
                "Crypt" => content,
                other if self.is_image() || PICTURES.contains(&other) => return Ok(content),
                other => return Err(unread(&format!("the filter {other} of PDF"))),
            }
        }
        Ok(content)
    }

    /// Bytes before anything is undone.
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether it is a zip archive as it stands there.
    pub(super) fn is_stored_zip(&self) -> bool {
        self.filters.is_empty() && self.data.starts_with(b"PK")
    }

    fn is_image(&self) -> bool {
        names(self.dictionary, b"/Subtype").iter().any(|name| name == "Image")
    }

    /// What was inflated, without what made it easier to deflate (7.4.4.4).
    fn predicted(&self, content: impl Read + 'd) -> io::Result<Box<dyn BufRead + 'd>> {
        let said = |key: &[u8], otherwise| number(self.dictionary, key).unwrap_or(otherwise);
        match said(b"/Predictor", 1) {
            10.. if !self.is_image() => {
                let samples = said(b"/Columns", 1).saturating_mul(said(b"/Colors", 1));
                let (bits, sample) =
                    (said(b"/BitsPerComponent", 8), said(b"/Colors", 1).saturating_mul(said(b"/BitsPerComponent", 8)));
                let row = samples.saturating_mul(bits).div_ceil(8);
                match row {
                    1..=ROW => Ok(Box::new(BufReader::new(Rows::new(content, row, sample.div_ceil(8))))),
                    _ => Err(unread("rows of that length in PDF")),
                }
            }
            2 if !self.is_image() => Err(unread("the predictor of TIFF in PDF")),
            _ => Ok(Box::new(BufReader::new(content))),
        }
    }
}

fn unread(what: &str) -> io::Error {
    io::Error::other(Error::Unsupported(format!("{what} is not read")))
}

/// What zlib packed, without its sum, and also without an end: some writers of PDF leave them off.
struct Zlib<R> {
    content: Inflater<R>,
    begun: bool,
    /// There is nothing to inflate.
    empty: bool,
    gave: bool,
    /// Whatever is wrong is no error.
    lenient: bool,
}

impl<R: BufRead> Zlib<R> {
    fn new(input: R, lenient: bool) -> Self {
        Zlib { content: Inflater::new(input), begun: false, empty: false, gave: false, lenient }
    }

    /// Reads past blanks and the header; `false` if there is nothing.
    fn begin(&mut self) -> io::Result<bool> {
        while let Some(b'\t' | b'\n' | b'\r' | b' ' | 0) = self.content.input().fill_buf()?.first() {
            self.content.input().consume(1);
        }
        let mut header = Vec::new();
        self.content.input().take(2).read_to_end(&mut header)?;
        if header.is_empty() || is_zlib(&[&header[..], &[0]].concat()[..2]) {
            return Ok(!header.is_empty());
        }
        Err(corrupt("what should be deflated is not"))
    }
}

impl<R: BufRead> Read for Zlib<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.begun, true) {
            self.empty = !self.begin()?;
        }
        if self.empty {
            return Ok(0);
        }
        match self.content.read(space) {
            Ok(len) => {
                self.gave |= len > 0;
                Ok(len)
            }
            Err(_) if self.lenient || (self.gave && !self.content.is_broken()) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_read() {
        let dictionary = b"1 0 obj\n<</Length 12/LengthX 3 /Filter[/ASCII85Decode /FlateDecode]/Subtype/Image>>";
        assert_eq!(names(dictionary, b"/Filter"), ["ASCII85Decode", "FlateDecode"]);
        assert_eq!(names(dictionary, b"/Subtype"), ["Image"]);
        assert_eq!(names(b"/Filter /Fl#61te#44ecode", b"/Filter"), ["FlateDecode"]);
        assert_eq!(names(b"<< /Filter 5 0 R /Type /X >>", b"/Filter"), Vec::<String>::new());
        assert_eq!((number(dictionary, b"/Length"), number(dictionary, b"/Predictor")), (Some(12), None));
    }

    #[test]
    fn a_document_may_begin_late() {
        for head in [&b"%PDF-1.4"[..], b"\xEF\xBB\xBF%PDF-1.4", b"HTTP\r\n\r\n%PDF-2.0\n%\xE2\xE3", b"\0\0%PDF-1.7"] {
            assert!(is_pdf(head));
        }
        for head in [&b"print('%PDF-1.4')"[..], b"# what begins with\n%PDF-1.4 is one", b"\0\n%PDF- is none"] {
            assert!(!is_pdf(head));
        }
    }

    #[test]
    fn nothing_deflated_is_nothing() {
        for data in [&b""[..], b"\n", b"\r\n \0"] {
            let mut zlib = Zlib::new(data, false);
            assert!((0..3).all(|_| matches!(zlib.read(&mut [0; 8]), Ok(0))));
        }
        assert!(Zlib::new(&b"\nno"[..], false).read(&mut [0; 8]).is_err());
    }

    #[test]
    fn streams_end_at_the_next_word_or_with_the_document() {
        let text = b"obj /Filter/Fl stream\na stream\nb\nendstream obj /Filter/Fl /Length 2 stream\ncd\nendstream obj /Filter/Fl stream\ne";
        let data: Vec<_> = streams(text).map(|stream| stream.data).collect();
        assert_eq!(data, [&b"a stream\nb\n"[..], b"b\n", b"cd", b"e"]);
    }

    #[test]
    fn only_a_trailer_says_that_it_is_encrypted() {
        assert!(is_encrypted(b"trailer << /Root 1 0 R /Encrypt 12 0 R >>"));
        assert!(is_encrypted(b"trailer <</Encrypt<</Filter/Standard>>>>"));
        assert!(!is_encrypted(b"<< /EncryptMetadata false >> the key /Encrypt says it"));
    }
}

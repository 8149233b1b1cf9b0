//! The streams of a PDF document that are compressed or hold something that is.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use memchr::memmem;

use super::archive::corrupt;
use super::inflate::Inflater;
use super::{Error, HEAD, is_text, packing};

mod filters;
mod fonts;
mod objects;
mod strings;
mod text;

use filters::{Codes, Digits, Runs, Unpredicted};
pub(super) use fonts::Fonts;
pub(super) use objects::Objects;
use objects::{list, number_before, reference, unescaped, value};
pub(super) use strings::wide;
pub(super) use text::text;

/// The dictionary before a stream is looked for in so many bytes.
const DICTIONARY: usize = 4 << 10;

/// Filters of pictures, whose data is in the document as it is.
const PICTURES: [&str; 6] = ["DCTDecode", "DCT", "JPXDecode", "CCITTFaxDecode", "CCF", "JBIG2Decode"];

/// Most filters of a stream.
const FILTERS: usize = 8;

/// Longest row of what a predictor made, in bytes.
const ROW: usize = 1 << 20;

/// Whether a document begins there, or behind something that readers pass over: a byte order mark, blanks; in binary, anything.
pub(super) fn is_pdf(head: &[u8]) -> bool {
    let begun = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let begins = |at: usize| {
        let version = matches!(head[at + 5..], [b'0'..=b'9', b'.', b'0'..=b'9', ..]);
        at > 0 && version
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
    number: Option<u32>,
    dictionary: &'d [u8],
    data: &'d [u8],
    filters: Vec<Filter>,
    /// No filter is named, but it begins as zlib does.
    guessed: bool,
    /// It is in the document as it is.
    is_plain: bool,
}

/// One of the filters of a stream, and by what rows were predicted.
struct Filter {
    name: String,
    rows: Option<Rows>,
}

/// What a predictor was told; what is referred to and is not there is no number.
#[derive(Clone, Copy)]
struct Rows {
    predictor: Option<usize>,
    columns: Option<usize>,
    colors: Option<usize>,
    bits: Option<usize>,
    /// Of LZW: by how many codes too early they grow.
    early: Option<usize>,
}

/// The streams of a document in their order; of those that are in it as they are, none that is in another.
pub(super) fn streams<'d>(objects: &Objects<'d>) -> impl Iterator<Item = Stream<'d>> {
    let (document, mut end, mut read) = (objects.document, 0, 0);
    memmem::find_iter(document, STREAM).filter_map(move |at| {
        let start = begin(document, at)?;
        if end < start {
            end = memmem::find(&document[start..], END).map_or(document.len(), |len| start + len);
        }
        let stream = Stream::new(objects, at, start..end);
        if stream.is_plain && at < read {
            return None;
        }
        read = end;
        Some(stream)
    })
}

/// The stream that an object of the document is.
fn stream_of<'d>(objects: &Objects<'d>, number: u32) -> Option<Stream<'d>> {
    let object = objects.plain().get(&number)?.clone();
    let dictionary = &objects.document[object.start..object.end.min(object.start + DICTIONARY)];
    let at = object.start + memmem::find(dictionary, STREAM)?;
    let start = begin(objects.document, at)?;
    let end = memmem::find(objects.document.get(start..object.end)?, END).map_or(object.end, |len| start + len);
    Some(Stream::new(objects, at, start..end))
}

/// The words around a stream.
const STREAM: &[u8] = b"stream";
const END: &[u8] = b"endstream";

/// So many blanks may stand between a stream and its words.
const BLANKS: usize = 64;

/// Where a stream begins whose word stands there: on the next line.
fn begin(document: &[u8], at: usize) -> Option<usize> {
    let (before, rest) = (&document[..at], &document[at + STREAM.len()..]);
    if before.ends_with(b"end") {
        return None;
    }
    // Readers pass over blanks, and take a lone carriage return for the end of the line.
    let is_behind = before.trim_ascii_end().ends_with(b">>");
    let blanks = rest.iter().take(BLANKS).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let len = match rest.get(blanks..)? {
        _ if blanks > 0 && !is_behind => return None,
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        [b'\r', ..] if is_behind => 1,
        _ => return None,
    };
    Some(at + STREAM.len() + blanks + len)
}

/// How long a stream is as its dictionary says, if it ends there.
fn length(objects: &Objects<'_>, dictionary: &[u8], rest: &[u8]) -> Option<usize> {
    let ends = |rest: &[u8]| rest[..rest.len().min(BLANKS + END.len())].trim_ascii_start().starts_with(END);
    objects.number(dictionary, "Length").filter(|len| rest.get(*len..).is_some_and(ends))
}

/// What the names of filters are, and the parameters of each.
fn filters(objects: &Objects<'_>, dictionary: &[u8]) -> Vec<Filter> {
    let said = |keys: [&str; 2]| keys.into_iter().find_map(|key| value(dictionary, key));
    let Some(names) = value(dictionary, "Filter") else { return Vec::new() };
    let is_name = |value: &&[u8]| value.starts_with(b"/");
    let names = objects.resolved(names).unwrap_or(names);
    let names: Vec<&[u8]> = list(names).take(FILTERS + 1).collect();
    let rows = said(["DecodeParms", "DP"]).map(|rows| objects.resolved(rows).unwrap_or(rows));
    let of_each: Vec<&[u8]> = match rows {
        Some(rows) if rows.starts_with(b"[") => list(rows).take(FILTERS).collect(),
        // For one, or for all.
        Some(rows) => vec![rows; names.len()],
        None => Vec::new(),
    };
    let filter = |(at, name): (usize, &&[u8])| {
        let name = objects.resolved(name).filter(is_name).map(|name| unescaped(&name[1..]).into_owned());
        Filter { name: name.unwrap_or_default(), rows: of_each.get(at).map(|rows| Rows::said(objects, rows)) }
    };
    names.iter().enumerate().filter(|(_, name)| **name != b"null").map(filter).collect()
}

impl Rows {
    fn said(objects: &Objects<'_>, rows: &[u8]) -> Self {
        let lost = reference(rows).is_some() && objects.resolved(rows).is_none();
        let rows = objects.resolved(rows).unwrap_or_default();
        let number = |key: &str, otherwise: usize| match value(rows, key) {
            _ if lost => None,
            Some(_) => objects.number(rows, key),
            None => Some(otherwise),
        };
        Rows {
            predictor: number("Predictor", 1),
            columns: number("Columns", 1),
            colors: number("Colors", 1),
            bits: number("BitsPerComponent", 8),
            early: number("EarlyChange", 1),
        }
    }
}

fn is_zlib(data: &[u8]) -> bool {
    matches!(data, [first, second, ..] if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31))
}

impl<'d> Stream<'d> {
    /// What stands behind the word at `at`.
    fn new(objects: &Objects<'d>, at: usize, place: Range<usize>) -> Self {
        let document = objects.document;
        let begin = at.saturating_sub(DICTIONARY);
        let object = memmem::rfind(&document[begin..at], b"obj").map(|object| begin + object);
        let dictionary = object.map_or(&b""[..], |object| &document[object + 3..at]);
        let dictionary = objects.spend(dictionary.len()).map_or(&b""[..], |()| dictionary);
        let number = object.and_then(|object| number_before(&document[..object]));
        let len = length(objects, dictionary, &document[place.start..]);
        let data = &document[place.start..len.map_or(place.end, |len| place.start + len)];
        let mut filters = filters(objects, dictionary);
        let guessed = filters.is_empty() && is_zlib(data);
        if guessed {
            filters.push(Filter { name: "FlateDecode".to_owned(), rows: None });
        }
        let is_packed = filters.is_empty() && packing(&data[..data.len().min(HEAD)]).is_some();
        let is_coded = filters.first().is_some_and(|first| !PICTURES.contains(&&*first.name));
        Stream { number, dictionary, data, filters, guessed, is_plain: !is_packed && !is_coded }
    }

    /// What the stream holds. Of a picture it is what its own format makes of it: such data is in the document as it is.
    pub(super) fn content(&self) -> io::Result<Box<dyn BufRead + 'd>> {
        if self.filters.len() > FILTERS {
            return Err(unread(&format!("a stream of PDF with more than {FILTERS} filters")));
        }
        let mut content: Box<dyn BufRead> = Box::new(self.data);
        for filter in &self.filters {
            content = match &*filter.name {
                "FlateDecode" | "Fl" => self.predicted(filter.rows, Zlib::new(content, self.guessed))?,
                "LZWDecode" | "LZW" => {
                    let early = filter.rows.map_or(Some(1), |rows| rows.early);
                    let early = early.ok_or_else(|| unread("LZW in PDF that the document does not say enough of"))?;
                    self.predicted(filter.rows, Codes::new(content, early != 0))?
                }
                "RunLengthDecode" | "RL" => Box::new(BufReader::new(Runs::new(content))),
                "ASCII85Decode" | "A85" => Box::new(BufReader::new(Digits::base85(content))),
                "ASCIIHexDecode" | "AHx" => Box::new(BufReader::new(Digits::hex(content))),
                // Of what is encrypted the document tells.
                "Crypt" => content,
                other if self.is_image() || PICTURES.contains(&other) => return Ok(content),
                "" => return Err(unread("a filter of PDF that the document does not name")),
                other => return Err(unread(&format!("the filter {other} of PDF"))),
            }
        }
        Ok(content)
    }

    /// What it is in the document, if it is there as it is and may be what a page shows.
    pub(super) fn plain(&self) -> Option<&'d [u8]> {
        (self.is_plain && self.filters.is_empty()).then_some(self.data)
    }

    /// Whether it is in the document as it is, or a picture.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Bytes before anything is undone.
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether it is a zip archive as it stands there.
    pub(super) fn is_stored_zip(&self) -> bool {
        self.filters.is_empty() && self.data.starts_with(b"PK")
    }

    fn is(&self, key: &str, name: &[u8]) -> bool {
        value(self.dictionary, key).and_then(|value| value.strip_prefix(b"/")).is_some_and(|value| value == name)
    }

    pub(super) fn is_image(&self) -> bool {
        self.is("Subtype", b"Image")
    }

    /// Whether it is a stream of objects.
    fn is_objects(&self) -> bool {
        self.is("Type", b"ObjStm")
    }

    /// What was inflated, without what made it easier to deflate (7.4.4.4).
    fn predicted(&self, rows: Option<Rows>, content: impl Read + 'd) -> io::Result<Box<dyn BufRead + 'd>> {
        let Some(rows) = rows.filter(|_| !self.is_image()) else { return Ok(Box::new(BufReader::new(content))) };
        let Rows { predictor: Some(predictor), columns: Some(columns), colors: Some(colors), bits: Some(bits), .. } =
            rows
        else {
            return Err(unread("a predictor of PDF that the document does not say enough of"));
        };
        let sample = colors.saturating_mul(bits);
        let row = columns.saturating_mul(sample).div_ceil(8);
        match (predictor, row) {
            (10.., 1..=ROW) => Ok(Box::new(BufReader::new(Unpredicted::new(content, row, sample.div_ceil(8))))),
            (10.., _) => Err(unread("rows of that length in PDF")),
            (2, _) => Err(unread("the predictor of TIFF in PDF")),
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
    use proptest::prelude::*;

    use super::*;

    fn names(dictionary: &str, more: &str) -> Vec<String> {
        let document = format!("{more}9 0 obj<<{dictionary}>>stream\nx\nendstream");
        let objects = Objects::new(document.as_bytes());
        let all: Vec<Stream<'_>> = streams(&objects).collect();
        all.iter().flat_map(|stream| &stream.filters).map(|filter| filter.name.clone()).collect()
    }

    #[test]
    fn filters_are_named() {
        assert_eq!(
            names("/Length 12/Filter[/ASCII85Decode /FlateDecode]/Subtype/Image", ""),
            ["ASCII85Decode", "FlateDecode"]
        );
        assert_eq!(names("/X<</Filter/No>>/Fi#6cter /Fl#61te#44ecode", ""), ["FlateDecode"]);
        assert_eq!(names("/Filter 5 0 R /Type /X", "5 0 obj[6 0 R null]endobj 6 0 obj /Fl endobj "), ["Fl"]);
        assert_eq!(names("/Filter 5 0 R", ""), [""]);
        assert_eq!(names("/FilterX /No", ""), Vec::<String>::new());
    }

    #[test]
    fn predictors_are_those_of_the_filter() {
        let objects = Objects::new(b"5 0 obj<</Predictor 6 0 R/Columns 7>>endobj 6 0 obj 12 endobj");
        let rows = |dictionary: &[u8]| {
            let all = filters(&objects, dictionary);
            all.iter().map(|filter| filter.rows.map(|rows| (rows.predictor, rows.columns))).collect::<Vec<_>>()
        };
        let found = Some((Some(12), Some(7)));
        assert_eq!(rows(b"<</Filter/Fl/DecodeParms 5 0 R>>"), [found]);
        assert_eq!(rows(b"<</Filter[/Fl/Fl]/DecodeParms[null 5 0 R]>>"), [Some((Some(1), Some(1))), found]);
        assert_eq!(rows(b"<</X<</Predictor 3>>/Filter/Fl>>"), [None]);
        assert_eq!(rows(b"<</Filter/Fl/DP<</#50redictor 12/Columns 9 0 R>>>>"), [Some((Some(12), None))]);
        assert_eq!(rows(b"<</Filter/Fl/DecodeParms 9 0 R>>"), [Some((None, None))]);
    }

    #[test]
    fn a_document_may_begin_late() {
        for head in [&b"%PDF-1.4"[..], b"\xEF\xBB\xBF%PDF-1.4", b"HTTP\r\n\r\n%PDF-2.0\n%\xE2\xE3", b"\0\x016%PDF-1.7"]
        {
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
        let text = b"1 0 obj<</Filter/Fl>>stream\na stream\nb\nendstream 1 0 obj<</Filter/Fl /Length 2>>stream  \r\ncd\nendstream 1 0 obj<</Filter/Fl>> stream\re";
        let objects = Objects::new(text);
        let data: Vec<_> = streams(&objects).map(|stream| stream.data).collect();
        assert_eq!(data, [&b"a stream\nb\n"[..], b"b\n", b"cd", b"e"]);
        let objects =
            Objects::new(b"1 0 obj<<>>stream\na stream\nb\nendstream<<>>stream \nc\nendstream a stream of\rwords");
        let data: Vec<_> = streams(&objects).filter_map(|stream| stream.plain()).collect();
        assert_eq!(data, [&b"a stream\nb\n"[..], b"c\n"]);
    }

    #[test]
    fn only_a_trailer_says_that_it_is_encrypted() {
        assert!(is_encrypted(b"trailer << /Root 1 0 R /Encrypt 12 0 R >>"));
        assert!(is_encrypted(b"trailer <</Encrypt<</Filter/Standard>>>>"));
        assert!(!is_encrypted(b"<< /EncryptMetadata false >> the key /Encrypt says it"));
    }

    proptest! {
        #[test]
        fn no_document_panics_or_takes_long(parts in prop::collection::vec(prop::sample::select(vec![
            "1 0 obj", "2 0 obj", "<<", ">>", "[", "]", "/Filter", "/AHx", "/Fl", "/DecodeParms", "/Length", " 1 0 R", " 2 0 R", " 9 0 R", "/Type/ObjStm",
            "/First 4", "/N 1", "stream\n", "endstream", "2 0 ", "4142", "/Predictor 12", "/Columns", "/Contents", "/Resources", "/Font", "/F", "/ToUnicode",
            "/F 1 Tf (a) Tj <42> Tj", "1 beginbfchar <41> <0042>", "endobj", "/Parent",
        ]), 0..40)) {
            let document = parts.concat();
            let objects = Objects::new(document.as_bytes());
            let fonts = Fonts::new(&objects);
            let mut all = 0;
            for stream in streams(&objects) {
                let mut content = Vec::new();
                if let Ok(read) = stream.content() {
                    _ = read.take(1 << 10).read_to_end(&mut content);
                }
                all += text(&content, &mut |name| fonts.find(&stream, name)).len() + wide(&content).len();
            }
            prop_assert!(all <= 64 * document.len() * parts.len());
        }
    }
}

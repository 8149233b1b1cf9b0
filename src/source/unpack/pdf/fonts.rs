//! Which letters the codes of a font stand for, as its map to Unicode says (ISO 32000, 9.10.3), and which font a name is.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::rc::Rc;

use memchr::memmem;

use super::objects::{Objects, Part, list, pairs, part, reference, value};
use super::{Stream, stream_of, strings};

/// A map is read up to so many bytes.
const MAP: u64 = 1 << 20;

/// Most letters that a code stands for, in halves.
const LETTERS: usize = 8;

/// Most rows of a map, and how much of what may be looked at each of them costs, in bytes.
const ROWS: usize = 1 << 16;
const ROW: usize = 64;

/// How many pages are inside each other.
const PAGES: usize = 16;

/// Where the keys of a page are looked for in its object.
const PAGE: usize = 8 << 10;

/// What the codes of a font stand for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::source::unpack) struct Codes {
    /// Bytes of a code.
    bytes: usize,
    /// The first of some codes in a row, the last, and what the first stands for.
    rows: BTreeMap<u32, (u32, Vec<u16>)>,
}

impl Codes {
    /// The map of a font, if it maps anything.
    fn read(map: &[u8]) -> Option<Self> {
        let (mut codes, mut rest) = (Codes::default(), map);
        let (mut section, mut held, mut listed) = (&b""[..], Vec::new(), None);
        while let Some(next) = part(&mut rest) {
            match next {
                Part::Word(word) => (section, held, listed) = (word, Vec::new(), None),
                Part::Open => listed = Some(0),
                Part::Close => (held, listed) = (Vec::new(), None),
                Part::Hex(digits) => held.push(strings::hex(digits)),
                _ => {}
            }
            match (section, &held[..], listed) {
                (b"begincodespacerange", [first], _) => codes.bytes = first.len(),
                (b"beginbfchar", [code, letters], _) => codes.add(code, code, 0, letters),
                (b"beginbfrange", [first, last, letters], None) => codes.add(first, last, 0, letters),
                (b"beginbfrange", [first, _, letters], Some(at)) => {
                    codes.add(first, first, at, letters);
                    (held, listed) = (held[..2].to_vec(), Some(at + 1));
                    continue;
                }
                _ => continue,
            }
            if section != b"begincodespacerange" {
                held.clear();
            }
        }
        (!codes.rows.is_empty() && (1..=4).contains(&codes.bytes)).then_some(codes)
    }

    /// Adds codes in a row; the first is so many behind the one that is named.
    fn add(&mut self, first: &[u8], last: &[u8], behind: u32, letters: &[u8]) {
        if self.bytes == 0 {
            self.bytes = first.len();
        }
        let number = |code: &[u8]| code.iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let (first, last) = (number(first).saturating_add(behind), number(last).saturating_add(behind));
        let (units, _) = letters.as_chunks::<2>();
        let units: Vec<u16> = units.iter().take(LETTERS).map(|unit| u16::from_be_bytes(*unit)).collect();
        let units = if let [only] = letters { vec![u16::from(*only)] } else { units };
        if !units.is_empty() && self.rows.len() < ROWS {
            self.rows.insert(first, (last, units));
        }
    }

    /// Adds what a string says.
    pub(super) fn write(&self, string: &[u8], out: &mut Vec<u8>) {
        let most = out.len() + 4 * string.len() + (64 << 10);
        for code in string.chunks(self.bytes) {
            if out.len() > most {
                return;
            }
            let number = code.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
            match self.rows.range(..=number).next_back() {
                Some((first, (last, letters))) if number <= *last => {
                    let more = (number - first) as u16;
                    let end = letters.len().saturating_sub(1);
                    // The last letter counts on.
                    let units = letters
                        .iter()
                        .enumerate()
                        .map(|(at, unit)| if at == end { unit.wrapping_add(more) } else { *unit });
                    let letters = char::decode_utf16(units).map(|letter| letter.unwrap_or('\u{fffd}'));
                    out.extend_from_slice(letters.filter(|letter| *letter != '\0').collect::<String>().as_bytes());
                }
                // Of one byte most say what they are.
                _ if self.bytes == 1 => out.extend_from_slice(code),
                _ => out.extend_from_slice("\u{fffd}".as_bytes()),
            }
        }
    }
}

/// The fonts of a document, of which each map is read once.
pub(in crate::source::unpack) struct Fonts<'o, 'd> {
    objects: &'o Objects<'d>,
    /// The resources of a page, for each stream of its content.
    pages: OnceCell<HashMap<u32, &'o [u8]>>,
    /// By name, the maps of all fonts that are called so somewhere.
    names: OnceCell<HashMap<Vec<u8>, Vec<u32>>>,
    maps: RefCell<HashMap<u32, Option<Rc<Codes>>>>,
}

impl<'o, 'd> Fonts<'o, 'd> {
    pub(in crate::source::unpack) fn new(objects: &'o Objects<'d>) -> Self {
        Fonts { objects, pages: OnceCell::new(), names: OnceCell::new(), maps: RefCell::default() }
    }

    /// The codes of the font that a stream calls so: by the resources of its page, or else by those of any.
    pub(in crate::source::unpack) fn find(&self, stream: &Stream<'_>, name: &[u8]) -> Option<Rc<Codes>> {
        self.objects.spend(stream.dictionary.len())?;
        let own = value(stream.dictionary, "Resources").and_then(|own| self.objects.resolved(own));
        let page = || self.pages().get(&stream.number?).copied();
        if let Some(fonts) = own.or_else(page).and_then(|resources| self.objects.said(resources, "Font"))
            && let Some(font) = pairs(fonts).find(|(key, _)| key.as_bytes() == name).map(|(_, font)| font)
        {
            return self.codes(self.map_of(font)?);
        }
        self.names().get(name)?.iter().find_map(|map| self.codes(*map))
    }

    /// The number of the map of a font.
    fn map_of(&self, font: &[u8]) -> Option<u32> {
        reference(value(self.objects.resolved(font)?, "ToUnicode")?)
    }

    fn codes(&self, map: u32) -> Option<Rc<Codes>> {
        if let Some(known) = self.maps.borrow().get(&map) {
            return known.clone();
        }
        let read = || {
            let (mut bytes, stream) = (Vec::new(), stream_of(self.objects, map)?);
            // What is broken, the stream itself says.
            _ = stream.content().ok()?.take(MAP).read_to_end(&mut bytes);
            self.objects.spend(bytes.len())?;
            let codes = Codes::read(&bytes)?;
            self.objects.spend(ROW * codes.rows.len())?;
            Some(codes)
        };
        let codes = read().map(Rc::new);
        self.maps.borrow_mut().insert(map, codes.clone());
        codes
    }

    fn pages(&self) -> &HashMap<u32, &'o [u8]> {
        self.pages.get_or_init(|| {
            let mut pages = HashMap::new();
            for page in self.objects.all() {
                let page = &page[..page.len().min(PAGE)];
                if self.objects.spend(page.len()).is_none() {
                    return pages;
                }
                if memmem::find(page, b"/Contents").is_none() {
                    continue;
                }
                let contents = value(page, "Contents").map(|contents| match self.objects.resolved(contents) {
                    Some(all) if all.starts_with(b"[") => all,
                    _ => contents,
                });
                let (Some(contents), Some(resources)) = (contents, self.resources(page)) else { continue };
                for number in list(contents).filter_map(reference) {
                    if self.objects.spend(1).is_none() {
                        return pages;
                    }
                    pages.insert(number, resources);
                }
            }
            pages
        })
    }

    /// The resources of a page, or of what it is a part of.
    fn resources(&self, page: &'o [u8]) -> Option<&'o [u8]> {
        let mut page = page;
        for _ in 0..PAGES {
            if let Some(resources) = value(page, "Resources") {
                return self.objects.resolved(resources);
            }
            page = self.objects.resolved(value(page, "Parent")?)?;
        }
        None
    }

    fn names(&self) -> &HashMap<Vec<u8>, Vec<u32>> {
        const FONT: &[u8] = b"/Font";
        self.names.get_or_init(|| {
            let mut names: HashMap<Vec<u8>, Vec<u32>> = HashMap::new();
            for text in self.objects.texts() {
                for at in memmem::find_iter(text, FONT) {
                    let fonts = text[at + FONT.len()..].trim_ascii_start();
                    let fonts = &fonts[..fonts.len().min(PAGE)];
                    let begins = matches!(fonts, [b'<', b'<', ..] | [b'0'..=b'9', ..])
                        && self.objects.spend(fonts.len()).is_some();
                    let Some(fonts) = begins.then(|| self.objects.resolved(fonts)).flatten() else { continue };
                    for (name, font) in pairs(fonts) {
                        let Some(map) = self.map_of(font) else { continue };
                        let maps = names.entry(name.into_owned().into_bytes()).or_default();
                        if !maps.contains(&map) && maps.len() < PAGES {
                            maps.push(map);
                        }
                    }
                }
            }
            names
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAP: &[u8] = b"begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n2 beginbfchar\n<0001> <0053>\n<0002> <00660069>\n
        endbfchar 2 beginbfrange <0010> <0012> <0061> <0020><0021>[<0031> <0032>] <0030> <0031> <D83DDE00> endbfrange endcmap";

    #[test]
    fn codes_are_what_a_map_says() {
        let mut out = Vec::new();
        Codes::read(MAP).unwrap().write(b"\0\x01\0\x02\0\x10\0\x12\0\x20\0\x21\0\x31\0\x40", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "Sfiac12\u{1f601}\u{fffd}");
        assert_eq!(Codes::read(b"begincmap endcmap"), None);
    }

    #[test]
    fn a_font_is_that_of_the_page() {
        let map = |letter: &str| format!("<<>>stream\n1 beginbfchar <01> <00{letter}> endbfchar\nendstream");
        let objects = [
            "<</Kids[2 0 R 3 0 R]/Resources 8 0 R>>".to_owned(),
            "<</Parent 1 0 R/Contents[4 0 R]>>".to_owned(),
            "<</Parent 1 0 R/Contents 5 0 R/Resources<</Font<</F 7 0 R>>>>>>".to_owned(),
            "<<>>stream\nx\nendstream".to_owned(),
            "<<>>stream\nx\nendstream".to_owned(),
            "<</ToUnicode 9 0 R>>".to_owned(),
            "<</ToUnicode 10 0 R>>".to_owned(),
            "<</Font<</F 6 0 R>>>>".to_owned(),
            map("41"),
            map("42"),
            "<</Resources<</Font<</F 7 0 R>>>>>>stream\nx\nendstream".to_owned(),
            "<<>>stream\nx\nendstream".to_owned(),
        ];
        let objects: String =
            (1..).zip(objects).map(|(number, object)| format!("{number} 0 obj {object} endobj\n")).collect();
        let objects = Objects::new(objects.as_bytes());
        let fonts = Fonts::new(&objects);
        let letter = |number: u32| {
            let (mut out, stream) = (Vec::new(), stream_of(&objects, number).unwrap());
            fonts.find(&stream, b"F").unwrap().write(b"\x01", &mut out);
            assert_eq!(fonts.find(&stream, b"G"), None);
            String::from_utf8(out).unwrap()
        };
        assert_eq!([4, 5, 11].map(letter), ["A", "B", "B"]);
        // No page has it.
        letter(12);
    }

    proptest! {
        #[test]
        fn no_map_panics_or_grows(parts in prop::collection::vec(prop::sample::select(vec![
            "beginbfchar", "beginbfrange", "begincodespacerange", "<00>", "<FFFF>", "<0041>", "[", "]", " ", "<ffffffff>", "<>", "<004100420043004400450046>",
        ]), 0..40)) {
            let mut out = Vec::new();
            if let Some(codes) = Codes::read(parts.concat().as_bytes()) {
                codes.write(b"\0A\xFF\xFF\0\0\0", &mut out);
            }
            prop_assert!(out.len() <= 7 * 3 * LETTERS);
        }
    }
}

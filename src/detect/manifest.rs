//! The values of a Kubernetes Secret, which are secrets whatever their keys are called.
//!
//! The match of a rule of [`KIND`] says that there is one; its values stand before that or behind it. Where a value begins and
//! ends is a function of [`REACH`] bytes on either side of the match, so it does not matter how an object was cut.

use std::borrow::Cow;
use std::ops::Range;

use data_encoding::BASE64;
use memchr::{memchr, memmem, memrchr};

use super::Candidate;
use super::decode::{KEY_FACT, Layer, Wrapping};
use crate::finding::Fact;

/// The kind of the rules whose match leads to values instead of being one.
pub(super) const KIND: &str = "manifest";

/// How far from the match values are looked for, in bytes. A Secret holds 1 MiB, but few have more than some keys.
const REACH: usize = 8 << 10;

/// Lengths of values that are looked at, as they are meant, in bytes. What is longer is a file.
const LENGTHS: Range<usize> = 5..200;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its key.
    pub key: Range<usize>,
    /// What stands there.
    pub value: Range<usize>,
    /// What that means.
    pub meaning: Meaning,
}

/// What a value means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Something too short, a file, a document or a URL, which says for itself what of it is secret.
    Other,
    /// What stands there.
    Plain,
    /// This text, in base64.
    Encoded(Vec<u8>),
}

/// The values of the Secret that `kind` says there is.
pub(super) fn entries(bytes: &[u8], kind: &Range<usize>) -> Vec<Entry> {
    let (from, to) = (kind.start.saturating_sub(REACH), bytes.len().min(kind.end + REACH));
    let from = memmem::rfind(&bytes[from..kind.start], b"\n---").map_or(from, |mark| from + mark + 1);
    // The match may end with its line.
    let to = memmem::find(&bytes[kind.end - 1..to], b"\n---").map_or(to, |mark| kind.end + mark);
    let manifest = Manifest { bytes, all: from..to };
    let mut found = Vec::new();
    let is_json = kind.start > from && bytes[kind.start - 1] == b'"';
    match is_json {
        true => manifest.json(kind, &mut found),
        false => manifest.yaml(kind, &mut found),
    }
    found.into_iter().map(|pair| manifest.entry(pair)).collect()
}

/// A key and what stands behind it, in base64 if the block is `data`.
struct Pair {
    key: Range<usize>,
    value: Range<usize>,
    is_encoded: bool,
}

/// A document in which there may be a Secret.
struct Manifest<'b> {
    bytes: &'b [u8],
    all: Range<usize>,
}

/// A line of YAML.
struct Line {
    /// With its end.
    all: Range<usize>,
    /// Where its text begins: behind blanks, and dashes that make it an item.
    start: usize,
    /// Where its text ends.
    end: usize,
    /// In what column its text begins.
    column: usize,
    /// It begins an item of a list.
    is_item: bool,
}

impl Entry {
    /// The fact that names its key.
    pub(super) fn fact(&self, bytes: &[u8]) -> Fact {
        Fact { name: KEY_FACT, value: String::from_utf8_lossy(&bytes[self.key.clone()]).into_owned() }
    }

    /// What was found at its value, as it is meant. `is_read` tells whether what is encoded is decoded.
    pub(super) fn dress<'c>(self, found: Candidate<'c>, bytes: &[u8], is_read: bool) -> Candidate<'c> {
        let Meaning::Encoded(text) = self.meaning else { return found };
        if !is_read {
            return found;
        }
        let matched = [&bytes[self.key.start..self.value.start], &text].concat().into();
        let wrapping = Wrapping { layers: vec![Layer::Base64], text: self.value, matched };
        Candidate { token: Cow::Owned(text), wrapping, ..found }
    }
}

impl Line {
    fn is_empty(&self, bytes: &[u8]) -> bool {
        self.start == self.end || bytes[self.start] == b'#'
    }
}

impl Manifest<'_> {
    fn entry(&self, Pair { key, value, is_encoded }: Pair) -> Entry {
        let raw = &self.bytes[value.clone()];
        let is_text = |text: &[u8]| text.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let mut text = if is_encoded { BASE64.decode(raw).unwrap_or_default() } else { Vec::new() };
        text.truncate(text.trim_ascii_end().len());
        // Of random bytes, what writes them is the secret. What has lines is a file.
        let is_file = !is_text(&text) && std::str::from_utf8(&text).is_ok();
        let text = (!text.is_empty() && is_text(&text)).then_some(text);
        let meant = text.as_deref().unwrap_or(raw);
        let is_value = !is_file
            && LENGTHS.contains(&meant.len())
            && is_text(meant)
            && !meant.iter().any(|byte| matches!(byte, b'{' | b'[' | b'"'))
            && memmem::find(meant, b"://").is_none();
        let meaning = if is_value { text.map_or(Meaning::Plain, Meaning::Encoded) } else { Meaning::Other };
        Entry { key, value, meaning }
    }

    fn json(&self, kind: &Range<usize>, found: &mut Vec<Pair>) {
        for (name, is_encoded) in [("\"data\"", true), ("\"stringData\"", false)] {
            for at in memmem::find_iter(&self.bytes[self.all.clone()], name).map(|at| self.all.start + at) {
                let Some(open) = self.opens(at + name.len()) else { continue };
                let mut inside = Vec::new();
                let Some(end) = self.object(open + 1, is_encoded, &mut inside) else { continue };
                let between = if at < kind.start { end..kind.start - 1 } else { kind.end..at };
                // A key that is called kind says nothing.
                if between.start <= between.end && self.is_level(between) {
                    found.append(&mut inside);
                }
            }
        }
    }

    /// Where the brace is that opens the value of a name that ends at `at`.
    fn opens(&self, at: usize) -> Option<usize> {
        let colon = self.blanks(at);
        let open = self.blanks(colon + 1);
        (self.bytes.get(colon) == Some(&b':') && self.bytes.get(open) == Some(&b'{')).then_some(open)
    }

    fn blanks(&self, at: usize) -> usize {
        let rest = &self.bytes[at.min(self.all.end)..self.all.end];
        at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    }

    /// The entries of an object of strings that was opened before `at`; gives where it ends.
    fn object(&self, mut at: usize, is_encoded: bool, found: &mut Vec<Pair>) -> Option<usize> {
        loop {
            at = self.blanks(at);
            match self.bytes[..self.all.end].get(at)? {
                b'}' => return Some(at + 1),
                b',' => at += 1,
                b'"' => {
                    let key = self.string(at)?;
                    let colon = self.blanks(key.end + 1);
                    let value = self.blanks(colon + 1);
                    if self.bytes.get(colon) != Some(&b':') {
                        return None;
                    }
                    let value = match self.bytes[..self.all.end].get(value)? {
                        b'"' => self.string(value)?,
                        // null
                        _ => {
                            value
                                ..value
                                    + self.bytes[value..].iter().take_while(|byte| byte.is_ascii_lowercase()).count()
                        }
                    };
                    at = value.end + usize::from(self.bytes.get(value.end) == Some(&b'"'));
                    found.push(Pair { key, value, is_encoded });
                }
                _ => return None,
            }
        }
    }

    /// What stands between the quote at `at` and the next.
    fn string(&self, at: usize) -> Option<Range<usize>> {
        let (mut end, rest) = (at + 1, &self.bytes[..self.all.end]);
        loop {
            match rest.get(end)? {
                b'"' => return Some(at + 1..end),
                b'\\' => end += 2,
                b'\n' => return None,
                _ => end += 1,
            }
        }
    }

    /// Whether both ends of a part are in the same object.
    fn is_level(&self, part: Range<usize>) -> bool {
        let (mut depth, mut at) = (0_usize, part.start);
        while at < part.end {
            match self.bytes[at] {
                b'"' => match self.string(at) {
                    Some(string) => at = string.end,
                    None => return false,
                },
                b'{' | b'[' => depth += 1,
                b'}' | b']' => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return false,
                },
                _ => {}
            }
            at += 1;
        }
        depth == 0
    }

    fn yaml(&self, kind: &Range<usize>, found: &mut Vec<Pair>) {
        let from = memrchr(b'\n', &self.bytes[self.all.start..kind.start]).map_or(0, |at| at + 1);
        let own = self.line(self.all.start + from);
        if own.start != kind.start {
            return;
        }
        let column = own.column;
        // Of the same mapping is what lies deeper, until something lies less deep, or says again of what kind it is.
        let belongs = |line: &Line| {
            let other = line.column == column && self.bytes[line.start..].starts_with(b"kind:");
            line.is_empty(self.bytes) || (line.column >= column && !other)
        };
        let begins = |line: &Line| line.is_item && line.column == column;
        let mut lines = vec![own];
        while let Some(last) = lines.last().filter(|last| !begins(last) && last.all.start > self.all.start) {
            let end = last.all.start - 1;
            let from = memrchr(b'\n', &self.bytes[self.all.start..end]).map_or(0, |at| at + 1);
            match self.line(self.all.start + from) {
                line if belongs(&line) => lines.push(line),
                _ => break,
            }
        }
        lines.reverse();
        while let Some(last) = lines.last().filter(|last| last.all.end < self.all.end) {
            match self.line(last.all.end) {
                line if belongs(&line) && !begins(&line) => lines.push(line),
                _ => break,
            }
        }
        // Whether it is encoded, and in what column its keys stand.
        let mut block: Option<(bool, Option<usize>)> = None;
        for line in lines.iter().filter(|line| !line.is_empty(self.bytes)) {
            if line.column == column {
                block = match self.bytes[line.start..line.end].trim_ascii_end() {
                    b"data:" => Some((true, None)),
                    b"stringData:" => Some((false, None)),
                    _ => None,
                };
            } else if let Some((is_encoded, keys)) = &mut block
                && *keys.get_or_insert(line.column) == line.column
            {
                found.extend(self.pair(line, *is_encoded));
            }
        }
    }

    /// The line that begins at `at`.
    fn line(&self, at: usize) -> Line {
        let rest = &self.bytes[at..self.all.end];
        let line = &rest[..memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)];
        let blank = |from: usize| line[from..].iter().take_while(|byte| **byte == b' ').count();
        let (mut column, mut is_item) = (blank(0), false);
        while line[column..].starts_with(b"- ") {
            (column, is_item) = (column + 2 + blank(column + 2), true);
        }
        let end = at + line.trim_ascii_end().len().max(column);
        Line { all: at..at + line.len(), start: at + column, end, column, is_item }
    }

    /// The key and the value of a line.
    fn pair(&self, line: &Line, is_encoded: bool) -> Option<Pair> {
        let text = &self.bytes[line.start..line.end];
        let colon = memmem::find(text, b": ")?;
        let trim = |part: Range<usize>, quotes: &[u8]| {
            let (first, last) = (self.bytes.get(part.start)?, self.bytes.get(part.end.checked_sub(1)?)?);
            let is_quoted = part.len() >= 2 && first == last && quotes.contains(first);
            Some(if is_quoted { part.start + 1..part.end - 1 } else { part })
        };
        let key = trim(line.start..line.start + colon, b"\"'")?;
        let from = line.start + colon + 2;
        let from = from + self.bytes[from..line.end].iter().take_while(|byte| **byte == b' ').count();
        let comment = memmem::find(&self.bytes[from..line.end], b" #").map_or(line.end, |at| from + at);
        let end = from + self.bytes[from..comment].trim_ascii_end().len();
        // Blocks, aliases and templates are no values.
        if self.bytes.get(from).is_none_or(|first| b"|>&*!{[".contains(first)) {
            return None;
        }
        Some(Pair { key, value: trim(from..end, b"\"'")?, is_encoded })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys and what their values mean.
    fn read(text: &str) -> Vec<(String, String)> {
        let at = text.find("Secret").unwrap();
        let kind = text[..at].rfind("kind").unwrap()..at + "Secret".len() + 1;
        let bytes = text.as_bytes();
        let said = |entry: Entry| {
            let key = entry.fact(bytes).value;
            let text = match entry.meaning {
                Meaning::Other => return None,
                Meaning::Plain => bytes[entry.value].to_vec(),
                Meaning::Encoded(text) => text,
            };
            Some((key, String::from_utf8(text).unwrap()))
        };
        entries(bytes, &kind).into_iter().filter_map(said).collect()
    }

    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        prop::collection::vec(("[A-Za-z][A-Za-z0-9_.-]{0,12}", "[A-Za-z0-9!$%+/._-]{5,40}"), 1..6)
    }

    fn block(name: &str, indent: &str, pairs: &[(String, String)], write: impl Fn(&str) -> String) -> String {
        let lines = pairs.iter().map(|(key, value)| format!("{indent}  {key}: {}\n", write(value)));
        format!("{indent}{name}:\n{}", lines.collect::<String>())
    }

    proptest! {
        #[test]
        fn every_value_is_read_however_the_manifest_is_written(
            plain in pairs(),
            encoded in pairs(),
            order in Just(vec![0, 1, 2, 3]).prop_shuffle(),
            form in 0..3,
        ) {
            let indent = if form == 1 { "  " } else { "" };
            let text = if form == 2 {
                let object = |pairs: &[(String, String)], write: &dyn Fn(&str) -> String| {
                    let pairs = pairs.iter().map(|(key, value)| format!("\"{key}\" : \"{}\"", write(value)));
                    pairs.collect::<Vec<_>>().join(",\n ")
                };
                let parts = [
                    "\"kind\": \"Secret\"".to_owned(),
                    format!("\"data\":{{{}}}", object(&encoded, &|value| BASE64.encode(value.as_bytes()))),
                    format!("\"stringData\": {{ {} }}", object(&plain, &str::to_owned)),
                    "\"metadata\":{\"labels\":{\"a\":\"{\"}}".to_owned(),
                ];
                let parts: Vec<_> = order.iter().map(|part| parts[*part].as_str()).collect();
                format!("{{\"items\":[{{\"data\":{{\"other\":\"none of it\"}}}},{{{}}}]}}\n", parts.join(", "))
            } else {
                let parts = [
                    format!("{indent}kind: Secret\n"),
                    block("data", indent, &encoded, |value| BASE64.encode(value.as_bytes())),
                    block("stringData", indent, &plain, |value| format!("'{value}' # why")),
                    format!("{indent}metadata:\n{indent}  labels:\n{indent}    data: no value\n"),
                ];
                let text = order.iter().map(|part| parts[*part].as_str()).collect::<String>();
                match form {
                    1 => format!("items:\n- data:\n    other: none of it\n-{}- data:\n    other: none of it\n", &text[1..]),
                    _ => format!("data:\n  other: none of it\n---\n{text}---\ndata:\n  other: none of it\n"),
                }
            };
            let mut wanted: Vec<_> = plain.into_iter().chain(encoded).collect();
            let mut found = read(&text);
            wanted.sort();
            found.sort();
            prop_assert_eq!(found, wanted, "{}", text);
        }

        #[test]
        fn nothing_is_too_strange(
            parts in prop::collection::vec(prop::sample::select(vec![
                "kind: Secret", "\"kind\":\"Secret\"", "\n", "  ", "- ", "data:", "stringData:", "\"data\":", "{", "}", "\"", "\\", ": ",
                "a", "\n---", "'", "#", "[", "]", ",", "\u{e9}", "YWRtaW4=", "\r\n", "\t",
            ]), 0..60),
            at in any::<prop::sample::Index>(),
        ) {
            let text = parts.concat();
            let start = at.index(text.len() + 1);
            let kind = start..text.len().min(start + 12).max(start);
            if !kind.is_empty() {
                for entry in entries(text.as_bytes(), &kind) {
                    prop_assert!(entry.key.start <= entry.key.end && entry.value.end <= text.len());
                }
            }
        }
    }

    #[test]
    fn what_is_no_value_is_left_out() {
        for value in ["!!binary abcdefgh", "|", "{a: b}", "*anchor", "true", "postgres://a:b@c/d", "'[\"a\"]'"] {
            assert_eq!(read(&format!("kind: Secret\nstringData:\n  key: {value}\n")), []);
        }
        assert_eq!(read("{\"data\": {\"kind\": \"Secret\", \"other\": \"none of it\"}}"), []);
        // Random bytes stay as they are written.
        let random = BASE64.encode(&[200; 24]);
        assert_eq!(read(&format!("kind: Secret\ndata:\n  key: {random}\n")), [("key".to_owned(), random)]);
        let file = BASE64.encode(b"first line\nsecond line\n");
        assert_eq!(read(&format!("kind: Secret\ndata:\n  key: {file}\n")), []);
    }
}

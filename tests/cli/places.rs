//! The place of a finding is the place of the token, in every encoding.

use super::*;

/// How a text is written to a file.
#[derive(Clone, Copy, Debug)]
enum Coding {
    Utf8,
    Utf16 { big: bool, mark: bool },
    Utf32 { big: bool, mark: bool },
}

const CODINGS: [Coding; 9] = [
    Coding::Utf8,
    Coding::Utf16 { big: false, mark: false },
    Coding::Utf16 { big: false, mark: true },
    Coding::Utf16 { big: true, mark: false },
    Coding::Utf16 { big: true, mark: true },
    Coding::Utf32 { big: false, mark: false },
    Coding::Utf32 { big: false, mark: true },
    Coding::Utf32 { big: true, mark: false },
    Coding::Utf32 { big: true, mark: true },
];

impl Coding {
    fn encode(self, text: &str) -> Vec<u8> {
        let marked = |mark: bool| if mark { format!("\u{feff}{text}") } else { text.to_owned() };
        match self {
            Coding::Utf8 => text.as_bytes().to_vec(),
            Coding::Utf16 { big, mark } => {
                let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
                marked(mark).encode_utf16().flat_map(bytes).collect()
            }
            Coding::Utf32 { big, mark } => {
                let bytes = |c: char| if big { (c as u32).to_be_bytes() } else { (c as u32).to_le_bytes() };
                marked(mark).chars().flat_map(bytes).collect()
            }
        }
    }

    /// The characters of a slice of the file.
    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Coding::Utf8 => String::from_utf8(bytes.to_vec()).unwrap(),
            Coding::Utf16 { big, .. } => {
                let unit = |two: &[u8]| {
                    let two = [two[0], two[1]];
                    if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) }
                };
                String::from_utf16(&bytes.chunks(2).map(unit).collect::<Vec<_>>()).unwrap()
            }
            Coding::Utf32 { big, .. } => {
                let code = |four: &[u8]| {
                    let four = [four[0], four[1], four[2], four[3]];
                    if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
                };
                bytes.chunks(4).map(|four| char::from_u32(code(four)).unwrap()).collect()
            }
        }
    }
}

/// What makes columns hard; `@` is where tokens go. Mostly ASCII, as files without a mark are recognised by that.
const TEXTS: [(&str, &str); 9] = [
    ("plain", "first line of the file\nTOKEN=@\nlast line\n"),
    ("crlf", "first line of the file\r\nTOKEN=@\r\nOTHER=@\r\n"),
    ("tabs", "first line of the file\n\t\tkey:\t@\t# tab\n"),
    (
        "emoji",
        "first line of the file, quite long to be sure\n\u{1f600}\u{1f600} key=@ \u{1f600} and more text, key=@\n",
    ),
    ("wide", "the password of everybody who works here\nSchl\u{fc}ssel \u{65e5}\u{672c} = @\n"),
    ("combining", "the password of everybody who works here\ne\u{301}a\u{308} = '@'\n"),
    ("first", "@\nthat was the first line of the file, and this is the second\n"),
    ("last", "this file has no newline at its end, and it has a token there: @"),
    ("two", "two=@ in=@ one line, and then there is some more text in it\n"),
];

fn text_with_tokens(text: &str, seed: u64) -> (String, Vec<String>) {
    let tokens: Vec<String> = (0..).take(text.matches('@').count()).map(|number| pat(seed + number)).collect();
    let mut pieces = text.split('@');
    let mut whole = pieces.next().unwrap().to_owned();
    for (piece, token) in pieces.zip(&tokens) {
        whole += token;
        whole += piece;
    }
    (whole, tokens)
}

/// What stands in `text` between two places of SARIF: lines end with a newline, columns count UTF-16 code units.
fn slice(text: &str, region: &Value) -> String {
    let number = |key: &str| region[key].as_u64().map(|number| number as usize);
    let line = number("startLine").unwrap();
    assert!(number("endLine").is_none_or(|end| end == line), "{region}");
    let units: Vec<u16> = text.split('\n').nth(line - 1).unwrap().encode_utf16().collect();
    let (from, to) = (number("startColumn").unwrap() - 1, number("endColumn").unwrap() - 1);
    String::from_utf16(&units[from..to]).unwrap()
}

#[test]
fn the_region_is_the_token() {
    let tree = Tree::new();
    let mut wanted = Vec::new();
    for (seed, coding) in (0..).zip(CODINGS) {
        for (number, (name, text)) in (0..).zip(TEXTS) {
            let (text, tokens) = text_with_tokens(text, 100 * seed + 10 * number);
            let path = format!("{seed:02}-{name}");
            tree.write(&path, coding.encode(&text));
            wanted.push((path, coding, text, tokens));
        }
    }
    let sarif: Value = serde_json::from_str(&tree.scan(&["--format", "sarif"]).exits(1).out).unwrap();
    let json = tree.json(&[]);
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), findings(&json).len());
    for (path, coding, text, tokens) in &wanted {
        let location = |result: &Value| result["locations"][0]["physicalLocation"].clone();
        let here = results.iter().filter(|result| location(result)["artifactLocation"]["uri"] == path.as_str());
        let mut seen = Vec::new();
        for result in here {
            let token = slice(text, &location(result)["region"]);
            assert_eq!(result["partialFingerprints"]["stanch/v1"], fingerprint(&token), "{path} {coding:?}");
            seen.push(token);
        }
        assert_eq!(&seen, tokens, "{path} {coding:?}");
        let file = std::fs::read(tree.path(path)).unwrap();
        let here = findings(&json).iter().filter(|finding| finding["path"] == path.as_str());
        let bytes = here.map(|finding| {
            let number = |key: &str| finding[key].as_u64().unwrap() as usize;
            let from = number("byte_offset");
            coding.decode(&file[from..from + number("byte_length")])
        });
        assert_eq!(&bytes.collect::<Vec<_>>(), tokens, "{path} {coding:?}");
    }
}

/// The mark in the masked snippet is the masked token.
#[test]
fn the_mark_is_the_masked_token() {
    let tree = Tree::new();
    for (number, (name, text)) in (0..).zip(TEXTS) {
        tree.write(name, text_with_tokens(text, 10 * number).0);
    }
    for finding in findings(&tree.json(&[])) {
        let units: Vec<u16> = finding["snippet"]["text"].as_str().unwrap().encode_utf16().collect();
        let mark = |end: usize| finding["snippet"]["mark"][end].as_u64().unwrap() as usize;
        assert_eq!(finding["secret"], String::from_utf16(&units[mark(0)..mark(1)]).unwrap());
    }
}

#[test]
fn bytes_that_are_no_text_are_searched() {
    let token = pat(1);
    let noise: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let tree = Tree::new();
    let place = noise.len() + 1;
    tree.write("a.bin", [&noise[..], b"\0", token.as_bytes(), b"\0", &noise].concat());
    tree.write("b.elf", [b"\x7fELF\x02\x01\x01\0", &noise[..], b" ", token.as_bytes()].concat());
    let report = tree.json(&[]);
    assert_eq!(found(&report), ["a.bin", "b.elf"].map(|name| (name.to_owned(), fingerprint(&token))));
    assert_eq!(findings(&report)[0]["byte_offset"], place);
}

/// Chunks are of 2 MiB with margins of 32 KiB; tokens stand at every distance from the edges.
#[test]
fn a_token_across_the_edge_of_a_chunk_is_found_once_and_in_its_place() {
    let tree = Tree::new();
    let press_rule = rule("github-pat");
    let press = Press::new(&press_rule).unwrap();
    let (mut text, mut wanted) = (Vec::new(), Vec::new());
    let mut number = 0;
    while text.len() < (5 << 20) {
        let near = [2usize << 20, (2 << 20) + (256 << 10), 4 << 20, (4 << 20) + (512 << 10)]
            .iter()
            .any(|edge| text.len().abs_diff(*edge) < 60_000);
        if near {
            number += 1;
            let token = press.token(number).unwrap();
            wanted.push((text.len() as u64, fingerprint(&token)));
            text.extend_from_slice(token.as_bytes());
            // Of a length that is prime to those of chunks and pieces, so that every alignment comes.
            text.resize(text.len() + 701, b' ');
        } else {
            text.extend_from_slice("a line of filler with \u{fc} in it, and no token\n".as_bytes());
        }
    }
    tree.write("large", &text);
    let place = |finding: &Value| {
        (finding["byte_offset"].as_u64().unwrap(), finding["fingerprint"].as_str().unwrap().to_owned())
    };
    let whole = tree.json(&["large"]);
    assert_eq!(findings(&whole).iter().map(place).collect::<Vec<_>>(), wanted);
    let stream = tree.with_stdin(&["scan", "-", "--format", "json"], &text).exits(1).json();
    assert_eq!(findings(&stream).iter().map(place).collect::<Vec<_>>(), wanted);
    let lines = |report: &Value| {
        findings(report).iter().map(|it| (it["line"].clone(), it["column"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(lines(&whole), lines(&stream));
}

//! Documents of offices: whatever a reader sees in them is searched, however it is written.

use super::archives::{gzip, sevenz, zip, zlib};
use super::odd_archives::rows;
use super::*;

/// A document of a page, whose content is the stream in it, and of other objects from number 5 on.
fn document(stream: &str, content: &[u8], others: &[&str]) -> Vec<u8> {
    let head = "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Kids[3 0 R]/Resources 5 0 R>>endobj\n\
        3 0 obj<</Parent 2 0 R/Contents 4 0 R>>endobj\n";
    let others = (5..).zip(others).map(|(number, other)| format!("{number} 0 obj{other}\nendobj\n"));
    let others: String = others.chain(["trailer<</Root 1 0 R>>\n".to_owned()]).collect();
    let stream = format!("4 0 obj<</Length {} {stream}", content.len());
    [head.as_bytes(), stream.as_bytes(), content, b"\nendstream endobj\n", others.as_bytes()].concat()
}

fn each(text: &str, write: impl FnMut(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

/// Where the one token of all files is found; nothing in them is left out.
fn places(files: &[(&str, Vec<u8>)]) -> Vec<String> {
    let tree = Tree::new();
    files.iter().for_each(|(name, bytes)| tree.write(name, bytes));
    let report = tree.json(&[]);
    assert_eq!(skips(&report), []);
    let mut places: Vec<String> = found(&report).into_iter().map(|(path, _)| path).collect();
    places.sort();
    places.dedup();
    places
}

#[test]
fn streams_are_read_by_what_their_own_dictionary_says_wherever_that_is() {
    let token = pat(610);
    let shown = format!("BT ({token}) Tj ET");
    let (predicted, packed) = (zlib(&rows(shown.as_bytes())), zlib(shown.as_bytes()));
    let parms = "<</Predictor 12/Columns 8>>";
    let plain = document("/Filter/FlateDecode>>stream\n", &packed, &[]);
    let inside = format!("<</Type/ObjStm/N 1/First 4>>stream\n9 0 {parms}\nendstream");
    let behind = |len: usize| [&b"\x016%\xFF\0".repeat(len / 5)[..], &plain].concat();
    let files = [
        ("a reference", document("/Filter/FlateDecode/DecodeParms 5 0 R>>stream\n", &predicted, &[parms])),
        ("b list", document("/Filter[/FlateDecode]/DecodeParms[5 0 R]>>stream\n", &predicted, &[parms])),
        (
            "c columns",
            document("/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 5 0 R>>>>stream\n", &predicted, &["8"]),
        ),
        (
            "d escapes",
            document("/Filter/FlateDecode/Decode#50arms<</#50redictor 12/Columns 8>>>>stream\n", &predicted, &[]),
        ),
        ("e object in a stream", document("/Filter/Fl/DecodeParms 9 0 R>>stream\n", &predicted, &["null", &inside])),
        ("f dictionary in it", document("/X<</Filter/AHx/Predictor 12>>/Filter/Fl>>stream\n", &packed, &[])),
        ("g filter", document("/Filter 5 0 R>>stream\n", &packed, &["[/FlateDecode]"])),
        ("h blanks", document("/Filter/FlateDecode>>stream  \r\n", &packed, &[])),
        ("i return", document("/Filter/FlateDecode>>stream\r", &packed, &[])),
        ("j behind 100", behind(100)),
        ("k behind 600", behind(600)),
        ("l behind 1000", behind(1000)),
    ];
    let names = files.iter().map(|(name, _)| format!("{name}!/stream 1"));
    assert_eq!(places(&files), names.collect::<Vec<String>>());
    let tree = Tree::new();
    tree.write("x.pdf", document("/Filter/FlateDecode/DecodeParms 77 0 R>>stream\n", &predicted, &[]));
    assert_eq!(skips(&tree.json(&[])), [("x.pdf!/stream 1".to_owned(), "unknown-packing".to_owned())]);
}

#[test]
fn words_of_documents_are_read_however_they_are_written() {
    let token = pat(611);
    let (front, back) = token.split_at(17);
    let mut at = 0;
    let apart = each(&token, |byte| {
        at += 6;
        format!("1 0 0 1 {at} 700 Tm ({})Tj ", char::from(byte))
    });
    let wide = each(&token, |byte| format!("00{byte:02X}"));
    let octal = each(&token, |byte| format!("\\000\\{byte:03o}"));
    let info = |title: &str| document(">>stream\n", b"q", &[&format!("<</Title {title}>>")]);
    let plain = |content: &str| document(">>stream\n", format!("BT /F 9 Tf 10 700 Td {content} ET").as_bytes(), &[]);
    let packed = |content: &str| {
        document("/Filter/Fl>>stream\n", &zlib(format!("BT /F 9 Tf 10 700 Td {content} ET").as_bytes()), &[])
    };
    let shown = [
        ("a spaced", format!("[({front})-5({back})]TJ")),
        ("b octal", format!("({}) Tj", each(&token, |byte| format!("\\{byte:03o}")))),
        ("c hex", format!("<{}> Tj", each(&token, |byte| format!("{byte:02x} ")))),
        ("d apart", apart),
        ("e two", format!("({front})Tj ({back})Tj")),
    ];
    let titles = [
        ("f title", format!("<feff{}>", wide.to_lowercase())),
        ("g title", format!("<FEFF{wide}>")),
        ("h title", format!("(\\376\\377{octal})")),
    ];
    let files: Vec<(String, Vec<u8>)> = shown
        .iter()
        .flat_map(|(name, content)| {
            [(format!("{name} plain"), plain(content)), (format!("{name} packed"), packed(content))]
        })
        .chain(titles.iter().map(|(name, title)| ((*name).to_owned(), info(title))))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (&**name, bytes.clone())).collect();
    let places = places(&files);
    for (name, _) in &files {
        let inside = if name.ends_with("packed") { "!/stream 1!/text" } else { "!/text" };
        assert!(places.contains(&format!("{name}{inside}")), "{name}: {places:?}");
    }
}

/// Fonts of which a document has only the letters that it uses number them as they come.
#[test]
fn letters_are_those_that_the_font_maps() {
    let token = pat(612);
    let mut letters: Vec<u8> = token.bytes().collect();
    letters.sort_unstable();
    letters.dedup();
    let code = |byte: u8| letters.iter().position(|letter| *letter == byte).unwrap() + 1;
    let map = |digits: usize| {
        let row = |(code, letter): (usize, &u8)| format!("<{code:0digits$x}> <00{letter:02x}>\n");
        let rows: String = (1..).zip(&letters).map(row).collect();
        format!("<</Length 1>>stream\nbegincmap {} beginbfchar\n{rows}endbfchar endcmap\nendstream", letters.len())
    };
    let font = "<</Type/Font/Encoding/Identity-H/ToUnicode 7 0 R>>";
    let resources = "<</Font<</F1 6 0 R>>>>";
    let hex =
        |digits: usize| format!("BT /F1 9 Tf <{}> Tj ET", each(&token, |byte| format!("{:0digits$x}", code(byte))));
    let octal = format!("BT /F1 9 Tf ({}) Tj ET", each(&token, |byte| format!("\\000\\{:03o}", code(byte))));
    let inside = format!("5 0 6 {} {resources} {font}", resources.len() + 1);
    let inside = format!("<</Type/ObjStm/N 2/First {}>>stream\n{inside}\nendstream", inside.find('<').unwrap());
    let packed = "/Filter/FlateDecode>>stream\n";
    let files = [
        ("a two bytes", document(packed, &zlib(hex(4).as_bytes()), &[resources, font, &map(4)])),
        ("b escapes", document(packed, &zlib(octal.as_bytes()), &[resources, font, &map(4)])),
        ("c one byte", document(packed, &zlib(hex(2).as_bytes()), &[resources, font, &map(2)])),
        (
            "d objects in a stream",
            [
                document(packed, &zlib(hex(4).as_bytes()), &[]),
                format!("8 0 obj{inside} endobj 7 0 obj{} endobj", map(4)).into_bytes(),
            ]
            .concat(),
        ),
    ];
    let names = files.iter().map(|(name, _)| format!("{name}!/stream 1!/text"));
    assert_eq!(places(&files), names.collect::<Vec<String>>());
}

/// An office's document with the token in two runs.
fn runs(token: &str) -> Vec<u8> {
    let (front, back) = token.split_at(17);
    let text = format!("<w:document><w:p><w:r><w:t>{front}</w:t></w:r><w:r><w:t>{back}</w:t></w:r></w:p></w:document>");
    zip(&[("word/document.xml", text.as_bytes())])
}

#[test]
fn runs_of_cells_and_spans_are_joined() {
    let token = pat(613);
    let (front, back) = token.split_at(17);
    let cell = format!("<sst><si><r><t>{front}</t></r><r><rPr/><t>{back}</t></r></si></sst>");
    let spans = format!(
        "<office:document-content><text:p><text:span>{front}</text:span>{back}</text:p></office:document-content>"
    );
    let files = [
        ("a.xlsx", zip(&[("xl/sharedStrings.xml", cell.as_bytes())])),
        ("b.odt", zip(&[("content.xml", spans.as_bytes())])),
        ("c.docx", runs(&token)),
    ];
    let inside = ["a.xlsx!/xl/sharedStrings.xml!/text", "b.odt!/content.xml!/text", "c.docx!/word/document.xml!/text"];
    assert_eq!(places(&files), inside);
}

/// As mails have what is attached to them, and programs what they send.
#[test]
fn documents_and_archives_in_base64_are_opened() {
    let token = pat(614);
    let shown = format!("BT ({token}) Tj ET");
    let pdf = document("/Filter/FlateDecode>>stream\n", &zlib(shown.as_bytes()), &[]);
    let mail = |bytes: &[u8]| {
        let digits = data_encoding::BASE64_MIME.encode(bytes);
        format!("Content-Transfer-Encoding: base64\r\n\r\n{digits}\r\n--XX--\r\n").into_bytes()
    };
    let archive = sevenz(&[("a", format!("{}key = {token}\n", "some words\n".repeat(200)).as_bytes())]);
    let files = [
        ("a.eml", mail(&pdf)),
        ("b.eml", mail(&archive)),
        ("c.eml", mail(&runs(&token))),
        ("d.eml", mail(&gzip(&pdf))),
        ("e.json", format!("{{\"data\":\"{}\"}}", data_encoding::BASE64.encode(&pdf)).into_bytes()),
    ];
    assert_eq!(places(&files), files.each_ref().map(|(name, _)| (*name).to_owned()));
    let tree = Tree::new();
    let layers: Vec<Value> = files
        .iter()
        .map(|(name, bytes)| {
            tree.write(name, bytes);
            findings(&tree.json(&[name]))[0]["decoded"].clone()
        })
        .collect();
    let layers: Vec<String> = layers.iter().map(Value::to_string).collect();
    let wanted = [
        "[\"base64\",\"pdf\"]",
        "[\"base64\",\"7z\"]",
        "[\"base64\",\"zip\"]",
        "[\"base64\",\"gzip\"]",
        "[\"base64\",\"pdf\"]",
    ];
    assert_eq!(layers, wanted);
    let tree = Tree::new();
    tree.write("rar.eml", mail(&[&b"Rar!\x1a\x07\x01\0"[..], &[0xA5; 60]].concat()));
    let mut locked = document("/Filter/FlateDecode>>stream\n", b"no zlib", &[]);
    locked.extend_from_slice(b"trailer<</Encrypt 9 0 R>>");
    tree.write("locked.eml", mail(&locked));
    let skip = |path: &str, why: &str| (path.to_owned(), why.to_owned());
    assert_eq!(skips(&tree.json(&[])), [skip("locked.eml", "encrypted"), skip("rar.eml", "unknown-packing")]);
}

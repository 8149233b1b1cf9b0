//! Files of other programs that carry a token in their own way: each is made here, and the token must be found in it.

use std::io::Cursor;

use super::archives::zip;
use super::*;

/// What the token is written into: a file's name, its content, the path that the finding must have, and what it must say.
struct Carrier {
    name: &'static str,
    content: Vec<u8>,
    path: &'static str,
    decoded: &'static [&'static str],
    property: Option<(&'static str, &'static str)>,
}

fn carrier(name: &'static str, content: impl Into<Vec<u8>>) -> Carrier {
    Carrier { name, content: content.into(), path: name, decoded: &[], property: None }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::BASE64.encode(bytes.as_ref())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn wrapped(text: &str, columns: usize, indent: &str) -> String {
    let lines = text.as_bytes().chunks(columns).map(|line| format!("{indent}{}\n", std::str::from_utf8(line).unwrap()));
    lines.collect()
}

/// A database as the library writes it, with rows of the texts.
fn sqlite(encoding: &str, rows: &[[&str; 3]]) -> Vec<u8> {
    let tree = Tree::new();
    let path = tree.path("db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "encoding", encoding).unwrap();
    database.execute("create table t (a text, b text, c text)", ()).unwrap();
    for row in rows {
        database.execute("insert into t values (?1, ?2, ?3)", row).unwrap();
    }
    drop(database);
    std::fs::read(path).unwrap()
}

/// A database with packed values, as SQLite's own archives are.
fn blobs(token: &str) -> Vec<u8> {
    let tree = Tree::new();
    let path = tree.path("db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("create table t (name text, data blob)", ()).unwrap();
    for content in [&b"nothing here"[..], format!("{} key = {token}", "filler ".repeat(3000)).as_bytes()] {
        database.execute("insert into t values ('a', ?1)", [super::archives::zlib(content)]).unwrap();
    }
    drop(database);
    std::fs::read(path).unwrap()
}

fn pdf(content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(content).unwrap();
    let stream = packed.finish().unwrap();
    let head = format!("%PDF-1.7\n1 0 obj\n<< /Filter /FlateDecode /Length {} >>\nstream\r\n", stream.len());
    [head.as_bytes(), &stream, b"\nendstream\nendobj\n"].concat()
}

/// A module of CPython 2.7 or 3.6.
fn old_pyc(is_two: bool, constants: &[&str]) -> Vec<u8> {
    let (version, header, numbers) = if is_two { (62211u16, 8, 16) } else { (3379, 12, 20) };
    let text = |text: &str| [&b"s"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let mut file = [&version.to_le_bytes()[..], b"\r\n", &vec![0; header - 4], b"c", &vec![0; numbers]].concat();
    file.extend(text("d\0\0S"));
    file.extend([b'(', constants.len() as u8 + 1, 0, 0, 0]);
    constants.iter().for_each(|constant| file.extend(text(constant)));
    file.extend(b"N(\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0");
    ["a.py", "<module>"].iter().for_each(|name| file.extend(text(name)));
    file.extend([&1u32.to_le_bytes()[..], b"s\0\0\0\0"].concat());
    file
}

/// A module of CPython 3.11: constants with nothing but their types between them, which are letters.
fn pyc(constants: &[&str]) -> Vec<u8> {
    let short = |text: &str| [&[b'z', text.len() as u8], text.as_bytes()].concat();
    let mut file = [&3495u16.to_le_bytes()[..], b"\r\n", &[0; 12], b"\xe3", &[0; 20]].concat();
    file.extend([&b"s\x04\0\0\0"[..], b"\x97\0d\0"].concat());
    file.extend([b')', constants.len() as u8 + 1]);
    constants.iter().for_each(|text| file.extend(short(text)));
    file.extend(b"N");
    // Names, variables, their kinds.
    file.extend(b")\0)\0s\0\0\0\0");
    ["a.py", "<module>", "<module>"].iter().for_each(|text| file.extend(short(text)));
    file.extend([&1u32.to_le_bytes()[..], b"s\0\0\0\0s\0\0\0\0"].concat());
    file
}

/// The memory of a process, as the kernel writes it: an ELF file with segments of anything.
fn core(text: &str) -> Vec<u8> {
    let noise = |len: u32| (0..len).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<u8>>();
    let header = [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0".as_slice(), &[0; 44]].concat();
    [header, noise(9001), format!("\0TOKEN={text}\0PATH=/bin\0").into_bytes(), noise(5000)].concat()
}

fn jwt(payload: &Value) -> String {
    let part = |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signature = data_encoding::BASE64URL_NOPAD.encode(&[7; 32]);
    format!("{}.{}.{signature}", part(&serde_json::json!({ "alg": "HS256", "typ": "JWT" })), part(payload))
}

fn carriers(token: &str) -> Vec<Carrier> {
    let (front, back) = token.split_at(17);
    let outputs = serde_json::json!({ "cells": [{ "cell_type": "code", "source": ["print(token)\n"], "outputs": [
        { "output_type": "stream", "name": "stdout", "text": ["ok\n", format!("\u{1b}[31m{token}\u{1b}[0m\n")] }] }] });
    let html = serde_json::json!({ "cells": [{ "cell_type": "code", "outputs": [{ "data": {
        "text/html": [format!("<td>token</td><td>&#34;{}&#34;</td>", token.replace('_', "&#95;"))] } }] }] });
    let har = |entry: Value| serde_json::json!({ "log": { "version": "1.2", "entries": [entry] } }).to_string();
    let header = serde_json::json!({ "request": { "headers": [{ "name": "Authorization", "value": format!("token {token}") }] } });
    let body = serde_json::json!({ "response": { "content": {
        "encoding": "base64", "text": base64(format!("{{\"access\":\"{token}\",\"scope\":\"repo\"}}")) } } });
    let posted = serde_json::json!({ "request": { "postData": { "text":
        serde_json::json!({ "note": format!("\"{token}\"\n") }).to_string() } } });
    let release = format!(r#"{{"name":"app","config":{{"token":"{token}"}},"version":1}}"#);
    let helm = base64(base64(gzip(release.as_bytes())));
    let secret = format!("apiVersion: v1\nkind: Secret\ndata:\n  deploy-key: {}\n", base64(token));
    let block = format!("script: |\n  set -e\n  export T={token}\n  run\n");
    let blob =
        format!("data:\n  file: |-\n{}", wrapped(&base64(format!("# settings\ntoken = {token}\n# end\n")), 64, "    "));
    let folded = format!("key: >-\n  \"{front}\\\n  {back}\"\n");
    let long = format!("{} {token} {}", "x".repeat(3000), "y".repeat(9000));
    // Cut by the end of the first page that the row goes on in, wherever that is.
    let cut: Vec<String> = (0..60).map(|at| format!("{} {token} ", "x".repeat(4400 + at))).collect();
    let cut: Vec<[&str; 3]> = cut.iter().map(|text| ["", text.as_str(), ""]).collect();
    let spaced = format!("BT [({front}) -20 ({back})] TJ ET");
    let run = |text: &str| format!("<w:r><w:rPr><w:lang w:val=\"en-US\"/></w:rPr><w:t>{text}</w:t></w:r>");
    let document = format!(
        "<?xml version=\"1.0\"?>\n<w:document xmlns:w=\"x\"><w:body><w:p>{}{}</w:p></w:body></w:document>",
        run(&format!("Token: {front}")),
        run(back)
    );
    let binary = [&b"MZ\x90\0\x03\0\0\0"[..], &[200; 99], &utf16(&format!("connect {token} now")), &[0; 3]].concat();
    let printable = [&[0xFFu8; 31][..], &utf16(token), &[0xFF; 5]].concat();
    vec![
        carrier("outputs.ipynb", outputs.to_string()),
        Carrier { decoded: &["html"], ..carrier("html.ipynb", html.to_string()) },
        carrier("header.har", har(header)),
        Carrier { decoded: &["base64"], ..carrier("body.har", har(body)) },
        carrier("posted.har", har(posted)),
        Carrier { path: "row.sqlite!/values", ..carrier("row.sqlite", sqlite("UTF-8", &[["deploy", token, "2026"]])) },
        Carrier { path: "long.sqlite!/values", ..carrier("long.sqlite", sqlite("UTF-8", &[["a", &long, "b"]])) },
        Carrier { path: "cut.sqlite!/values", ..carrier("cut.sqlite", sqlite("UTF-8", &cut)) },
        Carrier {
            path: "wide.sqlite!/values",
            decoded: &["utf-16"],
            ..carrier("wide.sqlite", sqlite("UTF-16le", &[["deploy", token, "2026"]]))
        },
        Carrier { path: "spaced.pdf!/stream 1!/text", ..carrier("spaced.pdf", pdf(spaced.as_bytes())) },
        Carrier {
            path: "divided.docx!/word/document.xml!/text",
            ..carrier("divided.docx", zip(&[("word/document.xml", document.as_bytes())]))
        },
        Carrier { path: "flate.pdf!/stream 1", ..carrier("flate.pdf", pdf(format!("BT ({token}) Tj ET").as_bytes())) },
        carrier("module.pyc", pyc(&["deploy", token, "x"])),
        carrier("last.pyc", pyc(&[token])),
        carrier("2.7.pyc", old_pyc(true, &["deploy", token, "x"])),
        carrier("3.6.pyc", old_pyc(false, &["deploy", token])),
        Carrier { path: "blob.sqlite!/blob 2", ..carrier("blob.sqlite", blobs(token)) },
        carrier("core.1234", core(token)),
        Carrier {
            decoded: &["base64"],
            ..carrier("jwt.txt", format!("cookie: {}", jwt(&serde_json::json!({ "sub": "7", "upstream": token }))))
        },
        Carrier { decoded: &["quoted-printable"], ..carrier("mail.eml", format!("Token=3D{front}=\r\n{back}=20\r\n")) },
        Carrier {
            decoded: &["html"],
            ..carrier("page.html", format!("<p>&quot;{}&quot;", token.replace('_', "&#x5f;")))
        },
        carrier("block.yaml", block),
        Carrier { decoded: &["base64"], ..carrier("blob.yaml", blob) },
        Carrier { decoded: &["concatenation"], ..carrier("folded.yaml", folded) },
        Carrier {
            decoded: &["base64", "base64", "gzip"],
            ..carrier("release.yaml", format!("data:\n  release: {helm}\n"))
        },
        Carrier {
            decoded: &["base64"],
            property: Some(("kubernetes.key", "deploy-key")),
            ..carrier("secret.yaml", secret)
        },
        Carrier {
            decoded: &["concatenation"],
            ..carrier("plus.js", format!("const t = \"{front}\" +\n  \"{back}\";\n"))
        },
        Carrier { decoded: &["concatenation"], ..carrier("implicit.py", format!("T = ('{front}'\n     '{back}')\n")) },
        Carrier { decoded: &["utf-16"], ..carrier("wide.exe", binary) },
        Carrier { decoded: &["utf-16"], ..carrier("odd.bin", printable) },
    ]
}

#[test]
fn every_carrier_gives_its_token_away() {
    let token = pat(31);
    let all = carriers(&token);
    let (tree, _) = Tree::git(&[]);
    for carrier in &all {
        tree.write(carrier.name, &carrier.content);
    }
    let git = |args: &[&str]| tree.run_git(args);
    git(&["add", "."]);
    git(&["commit", "-qm", "add"]);
    git(&["repack", "-adfq"]);
    for args in [&[][..], &["--history"], &["--jobs", "1"]] {
        let ran = tree.scan(&[&["--format", "json"], args].concat()).exits(1);
        hides(&ran.out, &token);
        let report = ran.json();
        assert_eq!(skips(&report), [], "{args:?}");
        for carrier in &all {
            let is_it =
                |finding: &&Value| finding["path"] == carrier.path && finding["fingerprint"] == fingerprint(&token);
            let found: Vec<&Value> = findings(&report).iter().filter(is_it).collect();
            assert!(!found.is_empty(), "{args:?} {}: {:?}", carrier.name, self::found(&report));
            assert_eq!(found[0]["decoded"], serde_json::json!(carrier.decoded), "{args:?} {}", carrier.name);
            if let Some((name, value)) = carrier.property {
                assert_eq!(found[0]["properties"][name], value, "{args:?} {}", carrier.name);
            }
            let due = if carrier.name == "cut.sqlite" { 60 } else { 1 };
            assert_eq!(found.len(), due, "{args:?} {}", carrier.name);
        }
    }
    // In an archive, too.
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for carrier in &all {
        archive.start_file(carrier.name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&carrier.content).unwrap();
    }
    let place = Tree::new();
    place.write("all.zip", archive.finish().unwrap().into_inner());
    let report = place.json(&[]);
    for carrier in &all {
        let path = format!("all.zip!/{}", carrier.path);
        assert!(by_path(&report).contains_key(&path), "{path}: {:?}", by_path(&report));
    }
}

#[test]
fn what_no_row_holds_of_a_database_is_read_too_and_a_lying_one_ends() {
    let token = pat(32);
    let tree = Tree::new();
    let whole = sqlite("UTF-8", &[["", &format!(" {token} "), ""]]);
    // A row that is gone: nothing points to it any more.
    let mut gone = whole.clone();
    let page = 4096;
    gone[page + 3..page + 5].fill(0);
    tree.write("gone.sqlite", &gone);
    let report = tree.json(&[]);
    assert_eq!(by_path(&report), [("gone.sqlite".to_owned(), 1)].into());
    // Every byte wrong once: it ends, and says what it did not read or finds what there is.
    let place = Tree::new();
    for at in (0..whole.len()).step_by(whole.len() / 97) {
        let mut broken = whole.clone();
        broken[at] ^= 0xFF;
        place.write(&format!("{at}.sqlite"), broken);
    }
    let report = place.json(&[]);
    assert!(findings(&report).len() > 90, "{}", findings(&report).len());
    // Fewer pages than it says, and one that is none.
    let mut bad = whole.clone();
    bad[page] = 0;
    let place = Tree::new();
    place.write("bad.sqlite", bad);
    place.write("cut.sqlite", &whole[..page]);
    let named = ["bad.sqlite", "cut.sqlite"].map(|name| (name.to_owned(), "corrupt-archive".to_owned()));
    assert_eq!(skips(&place.json(&[])), named);
    // With a log beside it, its pages may be newer there.
    let mut logged = whole[..page].to_vec();
    logged[18..20].fill(2);
    let place = Tree::new();
    place.write("logged.sqlite", logged);
    assert_eq!(skips(&place.json(&[])), []);
    // Names no page size that could be.
    let mut header = whole;
    header[16] = 0xFF;
    let place = Tree::new();
    place.write("header.sqlite", header);
    let report = place.json(&[]);
    assert_eq!(skips(&report), [("header.sqlite".to_owned(), "corrupt-archive".to_owned())]);
    assert_eq!(findings(&report).len(), 1, "as bytes it was searched");
}

#[test]
fn a_compiled_file_that_breaks_off_is_read_as_far_as_it_goes() {
    let tree = Tree::new();
    let whole = pyc(&[&format!(" {} ", pat(33)), &pat(34)]);
    for cut in 20..whole.len() {
        tree.write(&format!("{cut}.pyc"), &whole[..cut]);
    }
    let report = tree.json(&[]);
    assert_eq!(skips(&report), []);
    assert!(findings(&report).len() > 100, "{}", findings(&report).len());
}

/// What begins like UTF-16 or UTF-32 may go on as something else.
#[test]
fn plain_text_in_what_looks_like_another_encoding_is_read_too() {
    let token = pat(7);
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let numbers: Vec<u8> = (0..400u32).flat_map(u32::to_le_bytes).collect();
    let line = format!("set T={token}\r\n");
    let long = utf16(&"Get-Date\r\n".repeat(40_000));
    let cases = [
        [&b"\xff\xfe"[..], &utf16(&"Get-Date\r\n".repeat(20)), line.as_bytes()].concat(),
        [&b"\xff\xfe"[..], &long, line.as_bytes(), &b"ls -l\n".repeat(100_000)].concat(),
        [b"\xff\xfe", line.as_bytes()].concat(),
        [b"\xfe\xff\0", line.as_bytes(), b"\0\x01"].concat(),
        [&numbers[..], b"\n", line.as_bytes()].concat(),
        [&numbers[..], b"\n", line.as_bytes(), &numbers].concat(),
    ];
    for (number, content) in cases.iter().enumerate() {
        let tree = Tree::new();
        tree.write("f", content);
        let report = tree.json(&[]);
        let finding = &findings(&report).first().unwrap_or_else(|| panic!("case {number}"));
        let at = content.windows(40).position(|window| window == token.as_bytes()).unwrap();
        assert_eq!((finding["byte_offset"].as_u64(), findings(&report).len()), (Some(at as u64), 1), "case {number}");
        let line = content[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = content[..at].iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        assert_eq!((finding["line"].as_u64(), finding["column"].as_u64()), (Some(line as u64), Some(column as u64)));
        hides(&report.to_string(), &token);
        let streamed = tree.with_stdin(&["scan", "-", "--format", "json"], content);
        assert_eq!(findings(&streamed.json()).len(), 1, "case {number} as a stream");
        tree.run_git(&["init", "-q"]);
        tree.run_git(&["add", "f"]);
        tree.run_git(&["commit", "-qm", "x"]);
        assert_eq!(findings(&tree.json(&["--history"])).len(), 1, "case {number} in a history");
    }
}

//! Archives that no tool writes, or only one: whatever somebody can get out of them is searched, or named.

use super::archives::{Files, gzip, lz4, lzma, tar, zip, zlib, zstd};
use super::*;

fn line(number: u64) -> Vec<u8> {
    format!("key = {}\n", pat(number)).into_bytes()
}

/// Where the last such bytes stand.
fn last(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).rposition(|window| window == mark).unwrap()
}

/// The members of both under the names of the first.
fn same_names(files: Files<'_>) -> Vec<u8> {
    let mut archive = zip(files);
    let (first, other) = (files[0].0.as_bytes(), files[1].0.as_bytes());
    assert_eq!(first.len(), other.len());
    while let Some(at) = archive.windows(other.len()).position(|window| window == other) {
        archive[at..at + first.len()].copy_from_slice(first);
    }
    archive
}

/// A zip archive whose end says that it has so many members.
fn counts(mut archive: Vec<u8>, members: u8) -> Vec<u8> {
    let end = last(&archive, b"PK\x05\x06");
    archive[end + 8..end + 12].copy_from_slice(&[members, 0, members, 0]);
    archive
}

/// Zip archives with members that their directories do not have, or do not have as files; and what they are called.
fn stray(content: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let plain: Files<'_> = &[("b", b"nothing here")];
    let two: Files<'_> = &[("b", b"nothing here"), ("a", content)];
    let whole = zip(&[("a", content)]);
    vec![
        ("two of one name", same_names(&[("aaaa", content), ("bbbb", b"clean")]), "!/aaaa"),
        ("says none", counts(whole.clone(), 0), "!/a"),
        ("says one", counts(zip(two), 1), "!/a"),
        ("another before it", [whole.clone(), zip(plain)].concat(), "!/a"),
        ("header before it", [&whole[..last(&whole, b"PK\x01\x02")], &zip(plain)].concat(), "!/a"),
        ("cut off", whole[..last(&whole, b"PK\x05\x06")].to_vec(), "!/a"),
    ]
}

#[test]
fn members_that_no_directory_has_are_read() {
    let tree = Tree::new();
    let all = stray(&line(40));
    for (name, bytes, _) in &all {
        tree.write(name, bytes);
    }
    let mut directory = zip(&[("xy", &line(40))]);
    while let Some(at) = directory.windows(2).position(|window| window == b"xy") {
        directory[at + 1] = b'/';
    }
    tree.write("directory", directory);
    let report = tree.json(&[]);
    let inside = all.iter().map(|(name, _, inside)| format!("{name}{inside}")).chain(["directory!/x/".to_owned()]);
    for place in inside {
        assert_eq!(by_path(&report).get(&place), Some(&1), "{place}: {:?} {:?}", found(&report), skips(&report));
    }
    assert_eq!(skips(&report), [("cut off".to_owned(), "corrupt-archive".to_owned())]);
}

#[test]
fn a_member_that_no_directory_has_and_that_cannot_be_read_is_named() {
    let mut broken = zip(&[("a", &line(41))]);
    broken[40] ^= 0xFF;
    let mut locked = zip(&[("a", &line(41))]);
    locked[6] |= 1;
    let tree = Tree::new();
    tree.write("broken", counts(broken, 0));
    tree.write("locked", counts(locked, 0));
    // What only looks like one is none.
    tree.write("words", [b"#!/bin/sh\necho 'PK\x03\x04 begins a zip archive'\n", &zip(&[("b", b"x")])[..]].concat());
    let named = skips(&tree.json(&[]));
    let skip = |path: &str, why: &str| (path.to_owned(), why.to_owned());
    assert_eq!(named, [skip("broken!/a", "corrupt-archive"), skip("locked!/a", "encrypted")]);
}

/// A zip archive behind each of these, as it lies in a tree.
fn behind(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let archive = zip(&[("a", content)]);
    let noise: Vec<u8> = (1..3000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let befores: [(&str, &[u8]); 9] = [
        ("program", b"MZ\x90\0 and so on"),
        ("script", b"#!/bin/sh\nexec java -jar $0\n"),
        ("noise", &noise),
        ("text", b"hello\n"),
        ("zeros", &[0; 512]),
        ("spanned", b"PK00"),
        ("divided", b"PK\x07\x08"),
        ("extension", b"Cr24\x03\0\0\0\x04\0\0\0abcd"),
        ("picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ];
    befores.map(|(name, before)| (name, [before, &archive].concat())).to_vec()
}

#[test]
fn an_archive_behind_something_else_is_read_wherever_it_is() {
    let (tree, _) = Tree::git(&[]);
    let all = behind(&line(42));
    for (name, bytes) in &all {
        tree.write(name, bytes);
        tree.write(&format!("{name}.tar"), tar(&[("in", bytes)]));
        tree.write(&format!("{name}.zip"), zip(&[("in", bytes)]));
        tree.write(&format!("{name}.gz"), gzip(bytes));
    }
    for args in [&["add", "."][..], &["commit", "-qm", "add"], &["repack", "-adfq"]] {
        tree.run_git(args);
    }
    for report in [tree.json(&[]), tree.json(&["--history"])] {
        for (name, _) in &all {
            for place in ["!/a", ".tar!/in!/a", ".zip!/in!/a", ".gz!/a"].map(|inside| format!("{name}{inside}")) {
                assert_eq!(
                    by_path(&report).get(&place),
                    Some(&1),
                    "{place}: {:?} {:?}",
                    found(&report),
                    skips(&report)
                );
            }
        }
        assert_eq!(skips(&report), []);
    }
    for (name, bytes) in &all {
        let report = tree.with_stdin(&["scan", "--format", "json", "-"], bytes).exits(1).json();
        assert_eq!(by_path(&report).get("<stdin>!/a"), Some(&1), "{name}: {:?}", found(&report));
        tree.with_stdin(&["scan", "--archive-depth", "0", "-"], bytes).exits(0);
    }
}

/// What begins as text is read as it comes: nobody can go back in it, and its end is never clean.
#[test]
fn an_archive_behind_a_text_in_a_stream_is_named() {
    let bytes = ["lines of text\n".repeat(100).as_bytes(), &zip(&[("a", &line(43))])].concat();
    let tree = Tree::new();
    tree.write("x", &bytes);
    tree.write("x.tar", tar(&[("in", &bytes)]));
    let named = skips(&tree.json(&[]));
    assert_eq!(named, [("x.tar!/in".to_owned(), "unknown-packing".to_owned())]);
    tree.with_stdin(&["scan", "-"], &bytes).exits(3).prints("a zip archive stands behind");
}

#[test]
fn what_is_found_before_the_break_is_reported_of_a_history_too() {
    let mut sum = gzip(&line(44));
    let at = sum.len() - 8;
    sum[at] ^= 0xFF;
    let cut = gzip(&line(44).repeat(300));
    let mut member = zip(&[("a", &line(44))]);
    for mark in [b"PK\x03\x04", b"PK\x01\x02"] {
        let at = last(&member, mark) + if mark[2] == 3 { 14 } else { 16 };
        member[at] ^= 0xFF;
    }
    let (tree, _) = Tree::git(&[]);
    let mut packed = gzip(&zip(&[("a", &line(44))]));
    let at = packed.len() - 8;
    packed[at] ^= 0xFF;
    let all = [
        ("sum.gz", &sum[..], ""),
        ("cut.gz", &cut[..cut.len() - 9], ""),
        ("sum.zip", &member, "!/a"),
        ("packed.gz", &packed, "!/a"),
    ];
    for (name, bytes, _) in all {
        tree.write(name, bytes);
    }
    for args in [&["add", "."][..], &["commit", "-qm", "add"]] {
        tree.run_git(args);
    }
    for report in [tree.json(&[]), tree.json(&["--history"])] {
        for (name, _, inside) in all {
            let place = format!("{name}{inside}");
            assert!(by_path(&report).contains_key(&place), "{place}: {:?}", by_path(&report));
        }
        assert_eq!(skips(&report).len(), all.len(), "{:?}", skips(&report));
    }
}

#[test]
fn odd_streams_are_read() {
    let skippable = |kind: u8| [&[kind, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"abcd"].concat();
    let content = line(45);
    let noted = [&[0x53, 0x2a, 0x4d, 0x18, content.len() as u8, 0, 0, 0][..], &content].concat();
    let mut large = lzma(&content);
    large[1..5].copy_from_slice(&[0xFF; 4]);
    let tree = Tree::new();
    for (name, bytes) in [
        ("pz.zst", [skippable(0x50), zstd(&content)].concat()),
        ("two.zst", [skippable(0x5f), skippable(0x57), zstd(b"x"), skippable(0x50), zstd(&content)].concat()),
        ("pz.lz4", [skippable(0x51), lz4(b"x"), skippable(0x50), lz4(&content)].concat()),
        ("noted.zst", [zstd(b"x"), noted].concat()),
        ("large.lzma", large),
        ("tape.gz", [gzip(&content), vec![0; 1000]].concat()),
        ("text.gz", [gzip(b"x"), content.clone()].concat()),
        ("text.tgz", [gzip(&tar(&[("a", b"x")])), content.clone()].concat()),
    ] {
        tree.write(name, bytes);
    }
    let report = tree.json(&[]);
    assert_eq!(skips(&report), []);
    let mut places: Vec<String> = found(&report).into_iter().map(|(path, _)| path).collect();
    places.sort();
    let behind = ["text.gz!/(behind the end)", "text.tgz!/(behind the end)"];
    assert_eq!(
        places,
        [&["large.lzma", "noted.zst!/(headers)", "pz.lz4", "pz.zst", "tape.gz"][..], &behind, &["two.zst"]].concat()
    );
}

/// All that can be read is searched, and the rest is named.
#[test]
fn what_is_wrong_with_a_stream_is_named() {
    let content = line(46);
    let sum = zlib(&content);
    let longer = zlib(&content.repeat(1000));
    let tree = Tree::new();
    for (name, bytes) in [
        ("sum.zlib", [&sum[..sum.len() - 4], b"abcd"].concat()),
        ("sums.zlib", [&longer[..longer.len() - 4], b"abcd"].concat()),
        ("two.lzma", [lzma(&content), lzma(b"more")].concat()),
        ("more.lzma", [&lzma(&content)[..], b"x"].concat()),
    ] {
        tree.write(name, bytes);
    }
    let report = tree.json(&[]);
    let names = ["more.lzma", "sum.zlib", "sums.zlib", "two.lzma"];
    assert_eq!(skips(&report), names.map(|name| (name.to_owned(), "corrupt-archive".to_owned())));
    for name in names {
        assert!(by_path(&report).contains_key(name), "{name}: {:?}", by_path(&report));
    }
}

/// A document of one stream.
fn document(dictionary: &str, stream: &[u8]) -> Vec<u8> {
    let head = format!("%PDF-1.7\n1 0 obj\n<< {dictionary} /Length {} >>\nstream\n", stream.len());
    [head.as_bytes(), stream, b"\nendstream\nendobj\ntrailer\n<< /Root 1 0 R >>\n"].concat()
}

fn base85(bytes: &[u8]) -> Vec<u8> {
    let group = |bytes: &[u8]| {
        let number = (0..4).fold(0u32, |sum, at| sum << 8 | u32::from(bytes.get(at).copied().unwrap_or(0)));
        let digits = (0..5).rev().map(|power| (number / 85u32.pow(power) % 85) as u8 + b'!');
        digits.take(bytes.len() + 1).collect::<Vec<_>>()
    };
    [bytes.chunks(4).flat_map(group).collect(), b"~>".to_vec()].concat()
}

/// Rows of 8 bytes, each less the one above.
pub(super) fn rows(bytes: &[u8]) -> Vec<u8> {
    let mut above = vec![0; 8];
    let row = |row: &[u8]| {
        let less = row.iter().zip(&above).map(|(byte, above)| byte.wrapping_sub(*above));
        let packed: Vec<u8> = [2].into_iter().chain(less).collect();
        above = row.to_vec();
        packed
    };
    bytes.chunks(8).flat_map(row).collect()
}

fn lzw(bytes: &[u8], early: bool) -> Vec<u8> {
    let new = if early { weezl::encode::Encoder::with_tiff_size_switch } else { weezl::encode::Encoder::new };
    new(weezl::BitOrder::Msb, 8).encode(bytes).unwrap()
}

/// Pieces of 20 bytes, and one byte 50 times.
fn runs(bytes: &[u8]) -> Vec<u8> {
    let piece = |piece: &[u8]| [&[piece.len() as u8 - 1][..], piece].concat();
    [bytes.chunks(20).flat_map(piece).collect(), vec![257u16.wrapping_sub(50) as u8, b'x', 128]].concat()
}

#[test]
fn streams_of_documents_are_decoded() {
    let content = line(47);
    let flate = zlib(&content);
    let hex = |bytes: &[u8]| data_encoding::HEXUPPER.encode(bytes).into_bytes();
    let plain = document("/Filter /FlateDecode", &flate);
    let mut small_window = flate.clone();
    (small_window[0], small_window[1]) = (0x48, 0x89);
    let tree = Tree::new();
    for (name, bytes) in [
        ("late.pdf", [b"\xEF\xBB\xBF", &plain[..]].concat()),
        ("later.pdf", [b"X-Header: 1\r\n\r\n", &plain[..]].concat()),
        ("85.pdf", document("/Filter [/ASCII85Decode/FlateDecode]", &base85(&flate))),
        ("hex.pdf", document("/Filter [ /AHx /Fl ]", &hex(&flate))),
        ("twice.pdf", document("/Filter[/FlateDecode /FlateDecode]", &zlib(&flate))),
        ("window.pdf", document("/Filter /FlateDecode", &small_window)),
        ("sum.pdf", document("/Filter /FlateDecode", &[&flate[..flate.len() - 4], b"abcd"].concat())),
        (
            "rows.pdf",
            document("/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 8 >>", &zlib(&rows(&content))),
        ),
        ("lzw.pdf", document("/Filter /LZWDecode", &lzw(&content, true))),
        (
            "late lzw.pdf",
            document("/Filter [/A85 /LZW] /DP [null << /EarlyChange 0 >>]", &base85(&lzw(&content, false))),
        ),
        ("runs.pdf", document("/Filter /RunLengthDecode", &runs(&content))),
        ("zip.pdf", document("/Type /EmbeddedFile /Filter /FlateDecode", &zlib(&zip(&[("a", &content)])))),
        ("stored.pdf", document("/Type /EmbeddedFile", &zip(&[("a", &content)]))),
        ("both.pdf", [document("", b""), zip(&[("a", &content)])].concat()),
    ] {
        tree.write(name, bytes);
    }
    // A picture is none of them.
    tree.write("picture.pdf", document("/Subtype /Image /Filter /DCTDecode", b"\xFF\xD8\xFF\xE0 and so on"));
    tree.write("scan.pdf", document("/Subtype /Image /Filter [/FlateDecode /DCTDecode]", &zlib(b"\xFF\xD8\xFF\xE0")));
    let report = tree.json(&[]);
    assert_eq!(skips(&report), []);
    let mut places: Vec<String> = found(&report).into_iter().map(|(path, _)| path).collect();
    places.sort();
    let inside = [
        "85", "both", "hex", "late lzw", "late", "later", "lzw", "rows", "runs", "stored", "sum", "twice", "window",
        "zip",
    ]
    .map(|name| {
        let member = match name {
            "both" | "stored" => "a",
            "zip" => "stream 1!/a",
            _ => "stream 1",
        };
        format!("{name}.pdf!/{member}")
    });
    assert_eq!(places, inside);
}

#[test]
fn streams_of_documents_that_are_not_decoded_are_named() {
    let mut locked = document("/Filter /FlateDecode", b"no zlib at all");
    let at = last(&locked, b"/Root");
    locked.splice(at..at, *b"/Encrypt 7 0 R ");
    let tree = Tree::new();
    tree.write("locked.pdf", locked);
    tree.write("broken.pdf", document("/Filter /FlateDecode", b"no zlib at all"));
    tree.write("lzw.pdf", document("/Filter /LZWDecode", b"\xff\xff"));
    tree.write("other.pdf", document("/Filter /BrotliDecode", b"\x80\x0b\x60\x50"));
    let skip = |path: &str, why: &str| (path.to_owned(), why.to_owned());
    assert_eq!(
        skips(&tree.json(&[])),
        [
            skip("broken.pdf!/stream 1", "corrupt-archive"),
            skip("locked.pdf", "encrypted"),
            skip("lzw.pdf!/stream 1", "corrupt-archive"),
            skip("other.pdf!/stream 1", "unknown-packing"),
        ]
    );
}

/// An entry of a tar archive.
fn entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_entry_type(::tar::EntryType::new(kind));
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut all = [header.as_bytes(), content].concat();
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

/// A pax header.
fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let text: String = records.iter().map(|(key, value)| record(key, value)).collect();
    entry(b'x', "PaxHeaders/x", text.as_bytes())
}

fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let len = (rest.len()..).find(|len| len - len.to_string().len() == rest.len()).unwrap();
    format!("{len}{rest}")
}

#[test]
fn extensions_of_tar_are_read() {
    let content = [&b"first\n"[..], &line(48)].concat();
    // GNU tar writes no size of a label.
    let mut label = entry(b'V', "label", b"");
    label[124..136].fill(0);
    label[148..156].fill(b' ');
    let sum: u32 = label[..512].iter().map(|byte| u32::from(*byte)).sum();
    label[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let map = format!("1\n0\n{}\n", content.len());
    let mut sparse = map.into_bytes();
    sparse.resize(512, 0);
    sparse.extend_from_slice(&content);
    let said = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "q/sp")];
    let older = [("GNU.sparse.name", "q/sp"), ("GNU.sparse.map", "0,99")];
    let mut long = entry(b'0', "long", b"");
    long.extend_from_slice(&entry(b'0', "x", &content)[512..]);
    let mut filler = entry(b'0', "a", b"x");
    filler.splice(600..600 + content.len(), content.clone());
    let file = |name: &str| entry(b'0', name, &content);
    let tree = Tree::new();
    for (name, entries) in [
        ("label.tar", vec![label.clone(), file("a")]),
        ("sparse.tar", vec![pax(&said), entry(b'0', "q/GNUSparseFile.7/sp", &sparse), file("a")]),
        ("older.tar", vec![pax(&older), file("q/GNUSparseFile.7/sp"), file("a")]),
        ("size.tar", vec![pax(&[("size", &content.len().to_string())]), long, file("a")]),
        ("filler.tar", vec![filler]),
        ("directory.tar", vec![entry(b'5', "d/", &content), file("a")]),
    ] {
        tree.write(name, [entries.concat(), vec![0; 1024]].concat());
    }
    tree.write("label.tgz", gzip(&[label, file("a"), vec![0; 1024]].concat()));
    let report = tree.json(&[]);
    assert_eq!(skips(&report), []);
    let mut places: Vec<String> = found(&report).into_iter().map(|(path, _)| path).collect();
    places.sort();
    let wanted = [
        "directory.tar!/a",
        "directory.tar!/d/",
        "filler.tar!/(headers)",
        "label.tar!/a",
        "label.tgz!/a",
        "older.tar!/a",
        "older.tar!/q/sp",
    ];
    assert_eq!(places, [&wanted[..], &["size.tar!/a", "size.tar!/long", "sparse.tar!/a", "sparse.tar!/q/sp"]].concat());
    let of_members = findings(&report).iter().filter(|finding| finding["path"] != "filler.tar!/(headers)");
    assert!(of_members.into_iter().all(|finding| finding["line"] == 2));
}

#[test]
fn many_members_that_cannot_be_read_are_counted() {
    let names: Vec<String> = (0..250).map(|number| format!("{number:03}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"Rar!\x1a\x07\x01\0"[..])).collect();
    let (tree, _) = Tree::git(&[]);
    tree.write("a.zip", zip(&files));
    for args in [&["add", "."][..], &["commit", "-qm", "add"]] {
        tree.run_git(args);
    }
    for args in [&["scan", "--format", "json"][..], &["scan", "--format", "json", "--history"]] {
        let ran = tree.run(args).exits(3).prints("and 150 more of its members");
        assert_eq!(skips(&ran.json()).len(), 101);
    }
}

/// The header of a member called `a` without its content, which claims to be so long.
fn header(method: u8, len: u32) -> Vec<u8> {
    let len = len.to_le_bytes();
    [&b"PK\x03\x04\x14\0\0\0"[..], &[method, 0], &[0; 8], &len, &len, b"\x01\0\0\0a"].concat()
}

/// Each byte is unpacked as the content of one member, however many claim it.
#[test]
fn members_that_claim_the_same_bytes_end_soon() {
    let tree = Tree::new();
    tree.write("stored", header(0, 0x7fff_ffff).repeat(300));
    // Blocks of deflate with nothing in them, and one that holds the next header.
    let len = header(8, 0).len() as u16;
    let block = [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes()].concat();
    let inside = [block, header(8, 0x7fff_ffff)].concat();
    tree.write("deflated", [header(8, 0x7fff_ffff), inside.repeat(300), vec![0xFF; 9]].concat());
    let report = tree.json(&[]);
    let count = |name: &str| skips(&report).iter().filter(|(path, _)| path.starts_with(name)).count();
    // The archive, and its members: alike ones once.
    assert_eq!((count("stored"), count("deflated")), (2, 2), "{:?}", skips(&report));
}

/// What is found in a jar that is cut off in a jar in it is found once, where it stands.
#[test]
fn a_member_that_is_cut_off_is_not_opened() {
    let noise: Vec<u8> = (1..5000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let inner = zip(&[("a", &line(49)), ("b", &noise)]);
    let jar = zip(&[("x", b"clean"), ("in.jar", &inner)]);
    let tree = Tree::new();
    tree.write("cut.jar", &jar[..jar.len() - 700]);
    let report = tree.json(&[]);
    assert_eq!(findings(&report).len(), 1, "{:?}", found(&report));
    assert!(!skips(&report).is_empty());
}

#[test]
fn documents_that_would_not_end_are_named() {
    let tree = Tree::new();
    tree.write("filters.pdf", document(&format!("/Filter [{}]", "/Fl".repeat(9)), b"x"));
    tree.write("open.pdf", [&b"%PDF-1.4\n"[..], &b"obj/Filter/A85 stream\n".repeat(300)].concat());
    let report = tree.json(&[]);
    let of = |name: &str| skips(&report).into_iter().filter(|(path, _)| path.starts_with(name)).collect::<Vec<_>>();
    assert_eq!(of("filters"), [("filters.pdf!/stream 1".to_owned(), "unknown-packing".to_owned())]);
    assert!(of("open").contains(&("open.pdf".to_owned(), "corrupt-archive".to_owned())) && of("open").len() < 20);
}

#[test]
fn empty_streams_and_texts_about_documents_are_clean() {
    let tree = Tree::new();
    tree.write("empty.pdf", document("/Filter /FlateDecode", b""));
    tree.write("blank.pdf", b"%PDF-1.4\n1 0 obj<</Filter/FlateDecode>>\nstream\n\nendstream\n");
    tree.write("digits.pdf", document("/Filter [/ASCII85Decode /FlateDecode]", b"~>"));
    // Nothing in it is decoded, whatever follows.
    tree.write("text", [&b"a session\n%PDF-1.4\n"[..], &document("/Filter /BrotliDecode", b"x"), &line(50)].concat());
    let report = tree.json(&[]);
    assert_eq!(skips(&report), []);
    assert_eq!(by_path(&report).into_iter().collect::<Vec<_>>(), [("text".to_owned(), 1)]);
}

/// Its directory would be out of sight of who sees only its last bytes: but it is there to see, and none.
#[test]
fn what_only_seems_to_end_as_a_zip_is_clean_where_it_is_held() {
    let end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0\0\0\x02\0\x10\0\0\0\0\0";
    let bytes = [&[0, 0xA5, 0xA5].repeat(100_000)[..], end].concat();
    let tree = Tree::new();
    tree.write("x.tar", tar(&[("in", &bytes)]));
    assert_eq!(skips(&tree.json(&[])), []);
    tree.with_stdin(&["scan", "-"], &bytes).exits(0);
}

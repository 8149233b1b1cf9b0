//! Packings of old machines and of installers, and what stands where headers of archives do.

use std::io::{Cursor, Write as _};

use zip::CompressionMethod;

use super::archives::{gzip, tar, zip, zlib, zstd};
use super::*;

fn line(number: u64) -> Vec<u8> {
    format!("key = {}\n", pat(number)).into_bytes()
}

/// A binary cpio archive of a machine of either byte order.
fn cpio(files: &[(&str, &[u8])], word: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let len = [(content.len() >> 16) as u16, content.len() as u16];
        let fields = [0o070_707, 1, 2, 0o100_644, 0, 0, 1, 0, 0, 0, name.len() as u16 + 1, len[0], len[1]];
        archive.extend(fields.map(word).concat());
        for part in [&[name.as_bytes(), b"\0"].concat()[..], content] {
            archive.extend_from_slice(part);
            archive.resize(archive.len().next_multiple_of(2), 0);
        }
    }
    archive
}

fn lzma(content: &[u8], lc: u32, lp: u32, pb: u32) -> Vec<u8> {
    let options = lzma_rust2::LzmaOptions { lc, lp, pb, ..lzma_rust2::LzmaOptions::default() };
    let mut packed = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

/// A stream of zlib that says that it looks back so little.
fn zlib_of(content: &[u8], header: [u8; 2]) -> Vec<u8> {
    let mut packed = zlib(content);
    packed[..2].copy_from_slice(&header);
    packed
}

/// What unpacks itself: a shell script, a program.
fn unpack_themselves(content: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let script = b"#!/bin/sh\n# caf\xc3\xa9\ntail -n +4 $0 | gzip -cd | tar x; exit\n";
    let program = [&b"MZ\x90\0"[..], &[7; 900], b"7z\xbc\xaf\x27\x1c is what it looks for\0"].concat();
    let mut sevenz = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    sevenz.push_archive_entry(sevenz_rust2::ArchiveEntry::new_file("a"), Some(content)).unwrap();
    let sevenz = sevenz.finish().unwrap().into_inner();
    vec![
        ("a.run", [&script[..], &gzip(&tar(&[("a", content)]))].concat(), "!/(payload)!/a"),
        ("plain.run", [&script[..], &tar(&[("a", content)])].concat(), "!/(payload)!/a"),
        ("a.exe", [&program[..], &sevenz].concat(), "!/(payload)!/a"),
    ]
}

fn ppmd(content: &[u8]) -> Vec<u8> {
    let mut sevenz = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    sevenz.set_content_methods(vec![sevenz_rust2::EncoderMethod::PPMD.into()]);
    sevenz.push_archive_entry(sevenz_rust2::ArchiveEntry::new_file("a"), Some(content)).unwrap();
    sevenz.finish().unwrap().into_inner()
}

fn zip_by(method: CompressionMethod, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("a", zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap().into_inner()
}

/// A member that is stored, and is what another method makes of the content.
fn zip_by_zstd(content: &[u8]) -> Vec<u8> {
    let mut archive = zip_by(CompressionMethod::Stored, &zstd(content));
    let central = memchr::memmem::find(&archive, b"PK\x01\x02").unwrap();
    for (method, crc, size) in [(8, 14, 22), (central + 10, central + 16, central + 24)] {
        archive[method..method + 2].copy_from_slice(&93u16.to_le_bytes());
        archive[crc..crc + 4].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
        archive[size..size + 4].copy_from_slice(&(content.len() as u32).to_le_bytes());
    }
    archive
}

#[test]
fn packings_that_few_write_are_read() {
    let (content, long) = (line(50), [&line(50)[..], &b"and so on\n".repeat(900)].concat());
    let numbers: Vec<u8> = (0..3000u32).flat_map(|number| format!("{}\n", number * 7919).into_bytes()).collect();
    let numbers = [&numbers[..], &content].concat();
    let film = [&b"CWS\x08"[..], &(long.len() as u32 + 8).to_le_bytes(), &zlib(&long)].concat();
    let backup = [&b"ANDROID BACKUP\n5\n1\nnone\n"[..], &zlib(&tar(&[("a", &content)]))].concat();
    let mut all = vec![
        ("cpio little", cpio(&[("x", b"odd"), ("a", &content)], u16::to_le_bytes), "!/a"),
        ("cpio big", cpio(&[("x", b"odd"), ("a", &content)], u16::to_be_bytes), "!/a"),
        ("lzma 022", lzma(&numbers, 0, 2, 2), ""),
        ("lzma 300", lzma(&content, 3, 0, 0), ""),
        ("lzma 421", lzma(&long, 4, 0, 1), ""),
        ("zlib 9", zlib_of(&content, [0x18, 0x19]), ""),
        ("zlib 14", zlib_of(&numbers[numbers.len() - 9000..], [0x68, 0x81]), ""),
        ("ppmd.7z", ppmd(&content), "!/a"),
        ("ppmd.zip", zip_by(CompressionMethod::Ppmd, &content), "!/a"),
        ("zstd.zip", zip_by_zstd(&content), "!/a"),
        ("a.swf", film, "!/(payload)"),
        ("a.ab", backup, "!/(payload)!/a"),
    ];
    all.extend(unpack_themselves(&content));
    let (tree, _) = Tree::git(&[]);
    for (name, bytes, _) in &all {
        tree.write(name, bytes);
        tree.write(&format!("{name}.tar"), tar(&[("in", bytes)]));
    }
    for args in [&["add", "."][..], &["commit", "-qm", "add"], &["repack", "-adfq"]] {
        tree.run_git(args);
    }
    for report in [tree.json(&[]), tree.json(&["--history"])] {
        assert_eq!(skips(&report), []);
        for (name, _, inside) in &all {
            for place in [format!("{name}{inside}"), format!("{name}.tar!/in{inside}")] {
                assert_eq!(by_path(&report).get(&place), Some(&1), "{place}: {:?}", found(&report));
            }
        }
    }
    // In a stream a zip archive is read member by member, and only what is deflated.
    for (name, bytes, inside) in all.iter().filter(|(name, ..)| !name.ends_with(".zip")) {
        let report = tree.with_stdin(&["scan", "--format", "json", "-"], bytes).exits(1).json();
        assert_eq!(by_path(&report).get(&format!("<stdin>{inside}")), Some(&1), "{name}: {:?}", found(&report));
    }
}

#[test]
fn a_member_packed_by_zstd_that_is_not_what_its_sum_says_is_named() {
    let tree = Tree::new();
    let mut wrong = zip_by_zstd(&line(52));
    let central = memchr::memmem::find(&wrong, b"PK\x01\x02").unwrap();
    wrong[central + 16] ^= 1;
    tree.write("sum.zip", wrong);
    let mut longer = zip_by_zstd(&line(52));
    longer[central + 24] += 1;
    tree.write("size.zip", longer);
    let report = tree.json(&[]);
    assert_eq!(
        skips(&report),
        ["size.zip!/a", "sum.zip!/a"].map(|name| (name.to_owned(), "corrupt-archive".to_owned()))
    );
    assert_eq!(by_path(&report).len(), 2, "what came before is searched");
}

/// Numbers and texts that begin as packings do.
#[test]
fn what_only_begins_as_a_packing_is_none() {
    let token = line(51);
    let noise: Vec<u8> = (1..3000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let tree = Tree::new();
    for (name, head) in [
        ("zlib 8", &b"\x08\x1d"[..]),
        ("zlib 14", b"\x68\x81"),
        ("lzma", b"\x37\0\0\x10\0\xff\xff\xff\xff\xff\xff\xff\xff\0"),
        ("zeros", &[&b"\0\0\0\0\x01"[..], &[0; 600]].concat()),
        ("cpio", b"\xc7\x71\0\xfe\x70\xa1\xa4\x81\0\0\0\0\x01\0\0\0\x04\x6b\x71\x6d\x07\0\0\0\0\x09abcdefg"),
        ("film", b"CWS and more"),
        ("backup", b"ANDROID BACKUP\nis\nwhat\nit\nsays\n"),
    ] {
        tree.write(name, [head, &noise, b"\n", &token].concat());
        tree.write(&format!("{name} short"), [head, &noise[..60], b"\n", &token].concat());
    }
    let report = tree.json(&[]);
    assert_eq!(skips(&report), []);
    assert_eq!(by_path(&report).len(), 14, "{:?}", by_path(&report));
}

/// A token that is a name or a comment, with the mark of the next header behind it, is told once.
#[test]
fn names_and_comments_of_a_zip_stand_alone() {
    let (name, comment) = (pat(52), pat(53));
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file(name.as_str(), options).unwrap();
    let commented = zip::write::FullFileOptions::default().with_file_comment(comment.as_str());
    archive.start_file("b", commented).unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    let tree = Tree::new();
    tree.write("a.zip", &bytes);
    tree.write("a.gz", gzip(&bytes));
    let report = tree.json(&[]);
    for archive in ["a.zip", "a.gz"] {
        let here = |path: &str| {
            let all = findings(&report).iter().filter(|finding| finding["path"] == format!("{archive}{path}"));
            all.map(|finding| finding["fingerprint"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(here(""), [fingerprint(&name)], "{archive}: {:?}", found(&report));
        assert_eq!(here("!/(headers)"), [fingerprint(&comment)], "{archive}");
    }
    let at = bytes.windows(name.len()).rposition(|window| window == name.as_bytes()).unwrap();
    let place = findings(&report).iter().find(|finding| finding["path"] == "a.zip").unwrap();
    assert_eq!(place["byte_offset"], at as u64);
    let report = tree.with_stdin(&["scan", "--format", "json", "-"], &bytes).exits(1).json();
    assert_eq!(by_path(&report), [("<stdin>!/(headers)".to_owned(), 2)].into());
}

#[test]
fn a_tar_goes_on_behind_a_header_that_is_broken() {
    let (first, second) = (line(54), line(55));
    let whole = tar(&[("a", &first), ("b", &second)]);
    let mut wrong = whole.clone();
    wrong[148] ^= 1;
    let mut torn = whole.clone();
    torn[1024..1536].fill(0xA5);
    let third = [&whole[..1024], b"\x01", &whole[1025..2048], &whole].concat();
    let tree = Tree::new();
    tree.write("wrong.tar", wrong);
    tree.write("torn.tar", torn);
    tree.write("third.tar", third);
    let report = tree.json(&[]);
    let named = ["third.tar", "torn.tar", "wrong.tar"].map(|name| (name.to_owned(), "corrupt-archive".to_owned()));
    assert_eq!(skips(&report), named);
    let here = by_path(&report);
    for path in ["wrong.tar!/a", "wrong.tar!/b", "torn.tar!/a", "torn.tar!/(no header)", "third.tar!/b"] {
        assert!(here.contains_key(path), "{path}: {here:?}");
    }
}

#[test]
fn members_of_a_document_with_a_password_are_named() {
    let salt = "<m:key-derivation m:salt=\"q0nFbGJ2kYqXv6c1xT5d9g==\"/>";
    let manifest = format!(
        "<m:manifest><m:file-entry m:full-path=\"content.xml\"><m:encryption-data m:checksum=\"5zK3v0Wc1aJ9\">{salt}\
         </m:encryption-data></m:file-entry><m:file-entry m:full-path=\"open.xml\"/></m:manifest>"
    );
    let tree = Tree::new();
    tree.write(
        "a.odt",
        zip(&[("content.xml", b"?"), ("open.xml", &line(56)), ("META-INF/manifest.xml", manifest.as_bytes())]),
    );
    let report = tree.json(&[]);
    assert_eq!(skips(&report), [("a.odt!/content.xml".to_owned(), "encrypted".to_owned())]);
    assert_eq!(by_path(&report), [("a.odt!/open.xml".to_owned(), 1)].into());
}

#[test]
fn what_a_program_has_behind_it_that_is_not_read_is_named() {
    let rar = [&b"Rar!\x1a\x07\x01\0"[..], &crc32fast::hash(b"\x03abc").to_le_bytes(), b"\x03abc"].concat();
    let tree = Tree::new();
    tree.write("a.exe", [&b"MZ\x90\0"[..], &[7; 900], &rar].concat());
    tree.write("a.dump", b"PGDMP\x01\x0e\0\x04\x08\x01\0");
    let skip = |path: &str| (path.to_owned(), "unknown-packing".to_owned());
    assert_eq!(skips(&tree.json(&[])), [skip("a.dump"), skip("a.exe!/(payload)")]);
    tree.scan(&["a.dump"]).exits(3).prints("pg_restore -f - FILE | stanch scan -");
}

/// Archives that go on in other files: each of them says so.
#[test]
fn a_part_of_a_set_is_named() {
    let mut last = zip(&[("a", b"x")]);
    let end = last.windows(4).rposition(|window| window == b"PK\x05\x06").unwrap();
    last[end + 4] = 1;
    let mut first = [&b"PK\x07\x08"[..], &zip(&[("a", &line(57))])].concat();
    first.truncate(first.windows(4).position(|window| window == b"PK\x01\x02").unwrap());
    let tree = Tree::new();
    tree.write("x.z01", &first);
    tree.write("x.zip", last);
    let report = tree.json(&[]);
    assert_eq!(skips(&report), ["x.z01", "x.zip"].map(|name| (name.to_owned(), "corrupt-archive".to_owned())));
    assert!(by_path(&report).contains_key("x.z01!/a"));
    tree.scan(&["x.z01"]).exits(1).prints("the first part of a set");
    tree.scan(&["x.zip"]).exits(3).prints("part of a set");
}

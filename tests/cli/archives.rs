//! What is packed, by what it is and not by its name.

use std::io::{Cursor, Write as _};

use super::*;

pub(super) type Files<'f> = &'f [(&'f str, &'f [u8])];

pub(super) fn zip(files: Files<'_>) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (number, (name, content)) in files.iter().enumerate() {
        let method = if number % 2 == 0 { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub(super) fn tar(files: Files<'_>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        match name.starts_with('/') || name.contains("..") {
            // The crate does not write such names by itself.
            true => {
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.set_cksum();
                archive.append(&header, *content).unwrap();
            }
            false => archive.append_data(&mut header, name, *content).unwrap(),
        }
    }
    archive.into_inner().unwrap()
}

fn ar(files: Files<'_>) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in files {
        archive.extend(
            format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", format!("{name}/"), 0, 0, 0, 644, content.len()).bytes(),
        );
        archive.extend_from_slice(content);
        archive.extend_from_slice(&b"\n"[..content.len() % 2]);
    }
    archive
}

fn cpio(files: Files<'_>) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let fields = [1, 0o100_644, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        archive.extend(b"070701");
        archive.extend(fields.map(|field| format!("{field:08x}")).concat().bytes());
        archive.extend(name.bytes());
        archive.push(0);
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

fn rpm(payload: &[u8]) -> Vec<u8> {
    let mut package = vec![0xED, 0xAB, 0xEE, 0xDB];
    package.resize(96, 0);
    for data in [5u32, 8] {
        package.extend([0x8E, 0xAD, 0xE8, 1, 0, 0, 0, 0]);
        package.extend(1u32.to_be_bytes());
        package.extend(data.to_be_bytes());
        package.extend([7; 16]);
        package.extend(vec![7; data as usize]);
        if data == 5 {
            package.extend([0; 3]);
        }
    }
    package.extend_from_slice(payload);
    package
}

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

pub(super) fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

pub(super) fn xz(content: &[u8]) -> Vec<u8> {
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default()).unwrap();
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

pub(super) fn lz4(content: &[u8]) -> Vec<u8> {
    let mut packed = lz4_flex::frame::FrameEncoder::new(Vec::new());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

fn old_lz4(content: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress(content);
    [&b"\x02\x21\x4c\x18"[..], &(packed.len() as u32).to_le_bytes(), &packed].concat()
}

pub(super) fn zlib(content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

pub(super) fn lzma(content: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::LzmaOptions::default();
    let mut packed = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

fn lzip(content: &[u8]) -> Vec<u8> {
    let mut packed = lzma_rust2::LzipWriter::new(Vec::new(), lzma_rust2::LzipOptions::default());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

pub(super) fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(super) fn sevenz(files: Files<'_>) -> Vec<u8> {
    let mut archive = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    let (full, empty): (Vec<_>, Vec<_>) = files.iter().copied().partition(|(_, content)| !content.is_empty());
    let entry = |(name, _): &(&str, &[u8])| sevenz_rust2::ArchiveEntry::new_file(name);
    let readers = full.iter().map(|(_, content)| sevenz_rust2::SourceReader::new(*content)).collect();
    archive.push_archive_entries(full.iter().map(entry).collect(), readers).unwrap();
    for file in &empty {
        archive.push_archive_entry::<&[u8]>(entry(file), None).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub(super) fn pdf(content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(content).unwrap();
    let stream = packed.finish().unwrap();
    let head = format!("%PDF-1.7\n1 0 obj\n<< /Filter /FlateDecode /Length {} >>\nstream\r\n", stream.len());
    [head.as_bytes(), &stream, b"\nendstream\nendobj\n"].concat()
}

/// Each file with the names that findings in it have behind its own.
fn packed(content: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let files: Files<'_> = &[("README", b"nothing here"), ("etc/app.conf", content), ("z", b"")];
    let long = format!("{}/app.conf", "long".repeat(50));
    vec![
        ("zip", zip(files), "!/etc/app.conf"),
        ("tar", tar(files), "!/etc/app.conf"),
        ("tar long", tar(&[(&long, content)]), "!/long"),
        ("tar absolute", tar(&[("/etc/passwd", content)]), "!//etc/passwd"),
        ("tar upwards", tar(&[("../../x", content)]), "!/../../x"),
        ("tgz", gzip(&tar(files)), "!/etc/app.conf"),
        ("gz", gzip(content), ""),
        ("bz2", bzip2(content), ""),
        ("xz", xz(content), ""),
        ("zst", zstd(content), ""),
        ("lz4", lz4(content), ""),
        ("old lz4", old_lz4(content), ""),
        ("lzma", lzma(content), ""),
        ("lzip", [lzip(b"nothing"), lzip(content)].concat(), ""),
        ("zlib", zlib(content), ""),
        ("tar of objects of git", tar(&[(".git/objects/ab/cd", &zlib(content))]), "!/.git/objects/ab/cd"),
        ("ar", ar(files), "!/etc/app.conf"),
        ("deb", ar(&[("data.tar.xz", &xz(&tar(files)))]), "!/data.tar.xz!/etc/app.conf"),
        ("cpio", cpio(files), "!/etc/app.conf"),
        ("rpm", rpm(&zstd(&cpio(files))), "!/etc/app.conf"),
        (
            "image",
            tar(&[("blobs/sha256/abc", &gzip(&tar(files))), ("manifest.json", b"[]")]),
            "!/blobs/sha256/abc!/etc/app.conf",
        ),
        ("nested", zip(&[("a.jar", &zip(&[("b.war", &zip(files))]))]), "!/a.jar!/b.war!/etc/app.conf"),
        ("7z", sevenz(files), "!/etc/app.conf"),
        (
            "7z in others",
            zip(&[("a.7z", &sevenz(&[("b.tar.xz", &xz(&tar(files)))]))]),
            "!/a.7z!/b.tar.xz!/etc/app.conf",
        ),
        ("pdf", pdf(content), "!/stream 1"),
    ]
}

#[test]
fn every_kind_is_read_by_what_it_is() {
    let token = pat(20);
    let tree = Tree::new();
    let all = packed(format!("a = 1\nkey = {token}\n").as_bytes());
    for (name, bytes, _) in &all {
        tree.write(&format!("x/{name}"), bytes);
    }
    let ran = tree.scan(&["--format", "json"]).exits(1);
    hides(&ran.out, &token);
    let report = ran.json();
    assert_eq!(skips(&report), []);
    for (name, _, inside) in &all {
        let wanted = format!("x/{name}{inside}");
        let here: Vec<&Value> = findings(&report)
            .iter()
            .filter(|finding| {
                finding["path"].as_str().unwrap().starts_with(&wanted) && finding["fingerprint"] == fingerprint(&token)
            })
            .collect();
        assert!(!here.is_empty(), "{wanted}: {:?}", found(&report));
        assert_eq!(here[0]["line"], 2, "{name}");
    }
    tree.scan(&["--format", "text", "--archive-depth", "0", "x/nested"]).exits(0);
}

/// An object of git that is in no pack, as it lies in a copy of a repository or a layer of an image; and what only begins like zlib.
#[test]
fn loose_objects_of_git_are_read() {
    let token = pat(24);
    let object = format!("blob {}\0key = {token}\n", token.len() + 7);
    let tree = Tree::new();
    tree.write("copy/objects/ab/cdef", zlib(object.as_bytes()));
    tree.write("formula.txt", format!("x^2 + y^2\nkey = {}\n", pat(25)));
    let whole = zlib(format!("{}key = {}\n", "text\n".repeat(999), pat(26)).as_bytes());
    tree.write("cut", &whole[..whole.len() - 8]);
    tree.write("more", [&whole[..], b"behind"].concat());
    let ran = tree.scan(&["--format", "json"]).exits(1);
    let report = ran.json();
    let places: Vec<&str> = findings(&report).iter().filter_map(|finding| finding["path"].as_str()).collect();
    assert!(places.contains(&"copy/objects/ab/cdef") && places.contains(&"formula.txt"), "{places:?}");
    let unread: Vec<&str> =
        report["summary"]["skips"].as_array().unwrap().iter().filter_map(|skip| skip["path"].as_str()).collect();
    assert_eq!(unread, ["cut", "more"]);
}

/// What no member holds: names, comments, targets of links, and bytes before, between and behind.
#[test]
fn what_stands_beside_the_members_is_read_too() {
    let token = pat(23);
    let text = format!("key = {token}\n");
    let plain: Files<'_> = &[("a", b"nothing here"), ("b", b"nothing there, and stored as it is")];
    let mut commented = zip::ZipWriter::new(Cursor::new(Vec::new()));
    commented.set_comment(text.as_str()).unwrap();
    commented.start_file("a", zip::write::SimpleFileOptions::default()).unwrap();
    let link = |kind, name: &str| {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        archive.append_link(&mut header, "link", name).unwrap();
        archive.into_inner().unwrap()
    };
    let mut global = tar::Header::new_ustar();
    global.set_path("pax_global_header").unwrap();
    global.set_entry_type(tar::EntryType::XGlobalHeader);
    let record = format!("comment={token}\n");
    let record = format!("{} {record}", record.len() + 3);
    global.set_size(record.len() as u64);
    global.set_cksum();
    let mut pax = tar::Builder::new(Vec::new());
    pax.append(&global, record.as_bytes()).unwrap();
    let named = flate2::GzBuilder::new().filename(token.as_str()).write(Vec::new(), flate2::Compression::fast());
    let path = format!("dir/{token}/x");
    let shebang = b"#!/usr/bin/env python3\n";
    let stored: Files<'_> = &[("a", b"x"), ("b", text.as_bytes())];
    let program = [&b"MZ\x90\0"[..], &[7; 900], b"PK\x05\x06 and what else it says\0"].concat();
    let script = format!("#!/bin/sh\n# {token}\nexec java -jar $0\n");
    let archives: [(&str, Vec<u8>, &str); 18] = [
        ("zip comment", commented.finish().unwrap().into_inner(), ""),
        ("zip name", zip(&[(&path, b"x")]), ""),
        ("zip behind", [zip(plain), text.clone().into_bytes()].concat(), ""),
        ("zip stored", zip(stored), "!/b"),
        ("zipapp", [shebang, &zip(&[("a", text.as_bytes())])[..]].concat(), "!/a"),
        ("zipapp line", [format!("#!/usr/bin/env {token}\n").as_bytes(), &zip(plain)].concat(), ""),
        ("program", [&program, &zip(&[("a", text.as_bytes())])[..]].concat(), "!/a"),
        ("script", [script.as_bytes(), &zip(plain)].concat(), ""),
        ("zip in tar", tar(&[("z", &[zip(plain), text.clone().into_bytes()].concat())]), "!/z"),
        ("tar name", tar(&[(&path, b"x")]), "!/(headers)"),
        ("tar link", link(tar::EntryType::Symlink, &token), "!/(headers)"),
        (
            "tar long link",
            link(tar::EntryType::Link, &format!("{}/{token}", "long".repeat(50))),
            "!/@LongLink (header)",
        ),
        ("tar global", pax.into_inner().unwrap(), "!/pax_global_header (header)"),
        ("tar behind", [tar(plain), text.clone().into_bytes()].concat(), "!/(behind the end)"),
        ("tars", [tar(plain), tar(stored)].concat(), "!/(behind the end)!/b"),
        ("gz name", named.finish().unwrap(), ""),
        ("cpio name", cpio(&[(&path, b"x")]), "!/(headers)"),
        ("7z name", sevenz(&[(&path, b"x")]), "!/(headers)"),
    ];
    let tree = Tree::new();
    for (name, bytes, _) in &archives {
        tree.write(name, bytes);
    }
    let report = tree.json(&[]);
    for (name, _, inside) in &archives {
        let inner = format!("{name}!/");
        let here = found(&report).into_iter().map(|(path, _)| path);
        let here: Vec<String> = here.filter(|path| path == name || path.starts_with(&inner)).collect();
        assert_eq!(here, [format!("{name}{inside}")]);
    }
    for (name, bytes, inside) in archives.iter().filter(|(name, ..)| name.starts_with("zip") && *name != "zip in tar") {
        let wanted = match *inside {
            "" if *name == "zip behind" => "<stdin>!/(behind the end)".to_owned(),
            "" => "<stdin>!/(headers)".to_owned(),
            inside => format!("<stdin>{inside}"),
        };
        let output =
            tree.stanch().args(["scan", "-", "--format", "json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = output.unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let here: Vec<String> = found(&report).into_iter().map(|(path, _)| path).collect();
        assert_eq!(here, [wanted], "{name}");
    }
}

#[test]
fn what_is_packed_in_a_history_is_read_too() {
    let token = pat(21);
    let (tree, _) = Tree::git(&[]);
    let all = packed(format!("a = 1\nkey = {token}\n").as_bytes());
    for (name, bytes, _) in &all {
        tree.write(name, bytes);
    }
    let git = |args: &[&str]| tree.run_git(args);
    git(&["add", "."]);
    let staged = tree.json(&["--staged"]);
    git(&["commit", "-qm", "add"]);
    git(&["rm", "-qr", "."]);
    git(&["commit", "-qm", "remove"]);
    git(&["repack", "-adfq"]);
    let history = tree.json(&["--history"]);
    for report in [&staged, &history] {
        for (name, _, inside) in &all {
            let here = found(report).iter().filter(|(path, _)| path.starts_with(&format!("{name}{inside}"))).count();
            assert!(here > 0, "{name}{inside}: {:?}", found(report));
        }
    }
}

#[test]
fn what_cannot_be_read_of_an_archive_is_named_and_the_rest_is_read() {
    let token = pat(22);
    let content = format!("key = {token}\n");
    let mut encrypted = zip(&[("secret", b"x"), ("open", content.as_bytes())]);
    // The bit of encryption, in the local header and in the directory.
    encrypted[6] |= 1;
    let directory = encrypted.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    encrypted[directory + 8] |= 1;
    let broken = gzip(content.repeat(300).as_bytes());
    let inner_cut = zip(&[("cut.gz", &broken[..broken.len() / 2]), ("open", content.as_bytes())]);
    let mut deep = gzip(content.as_bytes());
    (0..9).for_each(|_| deep = gzip(&deep));
    let sevenz = sevenz(&[("open", content.as_bytes())]);
    let tree = Tree::new();
    for (name, bytes) in [
        ("encrypted.zip", &encrypted[..]),
        ("cut.gz", &broken[..broken.len() - 9]),
        ("inner.zip", &inner_cut),
        ("deep", &deep),
        ("x.7z", b"7z\xbc\xaf\x27\x1c\0\x04and so on"),
        ("cut.7z", &sevenz[..sevenz.len() - 3]),
        ("x.rar", b"Rar!\x1a\x07\x01\0and so on"),
        ("y.pack", b"PACK\0\0\0\x02\0\0\0\x01and so on"),
        ("z.bundle", b"# v2 git bundle\nand so on"),
        ("no.zip", b"PK\x03\x04 and nothing of a zip archive"),
    ] {
        tree.write(name, bytes);
    }
    let report = tree.json(&[]);
    let named: Vec<(String, String)> = skips(&report);
    let named: Vec<(&str, &str)> = named.iter().map(|(path, why)| (path.as_str(), why.as_str())).collect();
    assert_eq!(
        named,
        [
            ("cut.7z", "corrupt-archive"),
            ("cut.gz", "corrupt-archive"),
            ("deep", "bomb"),
            ("encrypted.zip!/secret", "encrypted"),
            ("inner.zip!/cut.gz", "corrupt-archive"),
            ("no.zip", "corrupt-archive"),
            ("x.7z", "corrupt-archive"),
            ("x.rar", "unknown-packing"),
            ("y.pack", "unknown-packing"),
            ("z.bundle", "unknown-packing"),
        ]
    );
    for path in ["encrypted.zip!/open", "inner.zip!/open", "cut.gz"] {
        assert!(by_path(&report).contains_key(path), "{path}: {:?}", found(&report));
    }
}

/// A container image of three layers: the first has three secrets, the second deletes one file, the third hides a directory.
/// Each with the names of its layers.
fn images(token: &dyn Fn(u64) -> String) -> Vec<(&'static str, Vec<u8>, [String; 3])> {
    let line = |seed: u64| format!("key = {}\n", token(seed)).into_bytes();
    let first = tar(&[("etc/app.conf", &line(1)), ("srv/old/a.conf", &line(2)), ("etc/kept.conf", &line(3))]);
    let layers = [first, tar(&[("etc/.wh.app.conf", b""), ("x", &line(4))]), tar(&[("srv/old/.wh..wh..opq", b"")])];
    let digest = |content: &[u8]| Fingerprint::of_strong(content).to_string().repeat(2);
    let blob = |content: &[u8]| format!("blobs/sha256/{}", digest(content));
    let packed = [gzip(&layers[0]), zstd(&layers[1]), layers[2].clone()];
    let digests = [0, 1, 2].map(|at| format!("sha256:{}", digest(&packed[at])));
    let oci = serde_json::json!({ "schemaVersion": 2, "config": { "digest": "sha256:00" },
        "layers": digests.iter().map(|digest| serde_json::json!({ "digest": digest, "size": 1 })).collect::<Vec<_>>() });
    let oci = oci.to_string();
    let index =
        serde_json::json!({ "manifests": [{ "digest": format!("sha256:{}", digest(oci.as_bytes())) }] }).to_string();
    // The blobs stand before what says what they are, the upper layers first.
    let names = [0, 1, 2].map(|at| blob(&packed[at]));
    let oci = tar(&[
        (&names[2], &packed[2]),
        (&names[1], &packed[1]),
        (&names[0], &packed[0]),
        (&blob(oci.as_bytes()), oci.as_bytes()),
        ("index.json", index.as_bytes()),
    ]);
    let saved = serde_json::json!([{ "Config": "c.json", "RepoTags": ["app:1"], "Layers": &names }]).to_string();
    let newer = tar(&[
        (&names[0], &packed[0]),
        (&names[1], &packed[1]),
        (&names[2], &packed[2]),
        ("manifest.json", saved.as_bytes()),
    ]);
    let older = ["aa", "bb", "cc"].map(|name| format!("{name}/layer.tar"));
    let saved = serde_json::json!([{ "Config": "c.json", "RepoTags": null, "Layers": &older }]).to_string();
    let legacy = tar(&[
        ("manifest.json", saved.as_bytes()),
        (&older[0], &layers[0]),
        (&older[1], &layers[1]),
        (&older[2], &layers[2]),
    ]);
    vec![
        ("oci.tar", oci.clone(), digests.clone()),
        ("oci.tgz", gzip(&oci), digests.clone()),
        ("saved.tar", newer, digests),
        ("legacy.tar", legacy, older),
    ]
}

#[test]
fn what_is_in_an_image_names_its_layer_and_the_one_that_deletes_it() {
    let all = images(&pat);
    let (tree, _) = Tree::git(&[]);
    for (name, bytes, _) in &all {
        tree.write(name, bytes);
    }
    let git = |args: &[&str]| tree.run_git(args);
    git(&["add", "."]);
    git(&["commit", "-qm", "add"]);
    for report in [tree.json(&[]), tree.json(&["--history"])] {
        assert_eq!(skips(&report), []);
        for (name, _, layers) in &all {
            let expected = [
                ("etc/app.conf", 1, &layers[0], Some(&layers[1])),
                ("srv/old/a.conf", 2, &layers[0], Some(&layers[2])),
                ("etc/kept.conf", 3, &layers[0], None),
                ("x", 4, &layers[1], None),
            ];
            for (path, seed, layer, deleted) in expected {
                let is_it = |finding: &&Value| {
                    let place = finding["path"].as_str().unwrap();
                    place.starts_with(name)
                        && place.ends_with(&format!("!/{path}"))
                        && finding["fingerprint"] == fingerprint(&pat(seed))
                };
                let found: Vec<&Value> = findings(&report).iter().filter(is_it).collect();
                assert_eq!(found.len(), 1, "{name} {path}: {:?}", self::found(&report));
                assert_eq!(found[0]["properties"]["image.layer"], **layer, "{name} {path}");
                let by = &found[0]["properties"]["image.deleted_in"];
                assert_eq!(by.as_str(), deleted.map(String::as_str), "{name} {path}");
            }
        }
    }
    let [first, second, _] = &all[3].2;
    tree.scan(&["legacy.tar"]).exits(1).prints(&format!("image: in layer {first}; layer {second} deletes the file"));
    let stream = tree.with_stdin(&["scan", "--format", "json", "-"], &all[0].1).json();
    let of_stream = findings(&stream).iter().filter(|finding| finding["properties"]["image.deleted_in"].is_string());
    assert_eq!(of_stream.count(), 2);
}

#[test]
fn what_is_in_a_rar_is_not_read_and_never_clean() {
    let rar = b"Rar!\x1a\x07\x01\0and so on";
    let (tree, _) = Tree::git(&[]);
    tree.write("a.rar", rar);
    tree.write("b.zip", zip(&[("in/c.rar", rar), ("d", b"nothing")]));
    let git = |args: &[&str]| tree.run_git(args);
    git(&["add", "."]);
    git(&["commit", "-qm", "add"]);
    let named = |ran: Ran| skips(&ran.json()).into_iter().filter(|(_, why)| why == "unknown-packing").count();
    let args = ["scan", "--format", "json"];
    assert_eq!(named(tree.run(&args).exits(3)), 2);
    assert_eq!(named(tree.run(&[&args[..], &["--history"]].concat()).exits(3)), 2);
    assert_eq!(named(tree.with_stdin(&[&args[..], &["-"]].concat(), rar).exits(3)), 1);
    tree.scan(&["a.rar"]).exits(3).prints("rar archives are not read");
    tree.scan(&["--accept-skip", "unknown-packing"]).exits(0);
}

#[test]
fn what_compresses_and_is_not_read_is_named_and_searched_as_it_stands() {
    let token = pat(20);
    let marks: &[(&str, &[u8])] = &[
        ("cab", b"MSCF\0\0\0\0"),
        ("squashfs", b"hsqs"),
        ("xar", b"xar!\0\x1c\0\x01"),
        ("compress", b"\x1f\x9d\x90"),
        ("lzop", b"\x89LZO\0\r\n\x1a\n"),
        ("arj", b"\x60\xea\x2b\0\x22\x0b\x01\x0b\x10\0\x02"),
        ("lha", b"\x20\x10-lh5-"),
        ("ace", b"1234567**ACE**"),
        ("Parquet", b"PAR1\x15\0"),
    ];
    let tree = Tree::new();
    for (name, mark) in marks {
        tree.write(name, [mark, &b"\0\0\x01"[..], token.as_bytes(), b"\0"].concat());
        // A text that begins so is one.
        tree.write(&format!("{name}.txt"), [&mark[..mark.len().min(3)], b" is how it begins\n"].concat());
    }
    let report = tree.run(&["scan", "--format", "json"]).exits(1).json();
    assert_eq!(findings(&report).len(), marks.len());
    let skips = skips(&report);
    for (name, _) in marks {
        assert!(skips.contains(&((*name).to_owned(), "unknown-packing".to_owned())), "{name}: {skips:?}");
    }
    let binary = |name: &str| matches!(name, "compress.txt" | "lzop.txt" | "arj.txt");
    assert!(skips.iter().all(|(path, _)| !path.ends_with(".txt") || binary(path)), "{skips:?}");
}

#[test]
fn a_member_of_a_7z_that_has_a_password_is_named() {
    // One block of 16 bytes for two files, packed by AES-256 alone.
    let names: Vec<u8> = "a\0b\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let streams = [6, 0, 1, 9, 16, 0, 7, 11, 1, 0, 1, 0x24, 6, 0xF1, 7, 1, 1, 0x3F, 12, 9, 0, 8, 13, 2, 9, 4, 0, 0];
    let header = [&[1, 4][..], &streams, &[5, 2, 17, 9, 0], &names, &[0, 0]].concat();
    let place = [&16u64.to_le_bytes()[..], &(header.len() as u64).to_le_bytes(), &crc(&header)].concat();
    let archive = [b"7z\xbc\xaf\x27\x1c\0\x04", &crc(&place)[..], &place, b"0123456789abcdef", &header].concat();
    let tree = Tree::new();
    tree.write("x.7z", archive);
    let skip = |member: &str| (format!("x.7z!/{member}"), "encrypted".to_owned());
    assert_eq!(skips(&tree.json(&[])), [skip("a"), skip("b")]);
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

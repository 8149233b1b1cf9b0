//! What hides a token by the way it is written, and what is said of it.

use std::io::Write as _;

use super::archives::{bzip2, xz, zip};
use super::*;

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    zlib_at(bytes, 6)
}

fn zlib_at(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn wrapped(text: &str, columns: usize, between: &str) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(between)
}

fn each(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

/// Text that no token is in, so that a wrapped one begins anywhere.
fn around(token: &str) -> String {
    let lead = "# settings of the service that nobody should see\n[remote]\nuser = deploy\n";
    format!("{lead}token = {token}\n# the end of the settings, and a few more words behind it\n")
}

fn helm(token: &str) -> String {
    let release = format!(r#"{{"name":"app","manifest":"kind: Deployment\nenv:\n  token: {token}\n","version":1}}"#);
    base64(base64(&gzip(release.as_bytes())).as_bytes())
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Each wrapping: its name, a file with the token in it, and the layers that are told.
fn wrappings(token: &str) -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let text = around(token);
    let json = serde_json::to_string(&serde_json::json!({ "text": format!("first\n{token}\nlast") })).unwrap();
    let json = json.replace('_', "\\u005f");
    let nested = serde_json::to_string(&serde_json::json!({ "body": json })).unwrap();
    let (front, back) = token.split_at(token.len() / 2 + 1);
    let code = |text: String| text.into_bytes();
    let noise: Vec<u8> = (0..3001u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let binary = [&noise[..], &utf16(&format!("key {token} ")), &[0, 0, 0, 3, 200]].concat();
    let odd = [&b"\x01"[..], &binary].concat();
    let url = data_encoding::BASE64URL_NOPAD.encode(format!("{text}???>>>~~~").as_bytes());
    vec![
        ("alone", code(format!("data: {}\n", base64(token.as_bytes()))), vec!["base64"]),
        ("text", code(format!("data: {}\n", base64(text.as_bytes()))), vec!["base64"]),
        ("unpadded", code(format!("'{}'", base64(text.as_bytes()).trim_end_matches('='))), vec!["base64"]),
        ("url-safe", code(format!("x={url}&y")), vec!["base64"]),
        ("glued", code(format!("https://example.com/a/{}", base64(text.as_bytes()))), vec!["base64"]),
        ("64", code(wrapped(&base64(text.as_bytes()), 64, "\n")), vec!["base64"]),
        ("76", code(wrapped(&base64(text.as_bytes()), 76, "\r\n")), vec!["base64"]),
        (
            "yaml",
            code(format!("data: |\n    {}\nnext: 1", wrapped(&base64(text.as_bytes()), 64, "\n    "))),
            vec!["base64"],
        ),
        ("twice", code(base64(base64(text.as_bytes()).as_bytes())), vec!["base64", "base64"]),
        ("gzip", code(format!("x: {}", base64(&gzip(text.as_bytes())))), vec!["base64", "gzip"]),
        ("zlib", code(format!("x: {}", base64(&zlib(text.as_bytes())))), vec!["base64", "zlib"]),
        ("zlib 1", code(format!("x: {}", base64(&zlib_at(text.as_bytes(), 1)))), vec!["base64", "zlib"]),
        ("zlib 3", code(format!("x: {}", base64(&zlib_at(text.as_bytes(), 3)))), vec!["base64", "zlib"]),
        ("zip", code(format!("x: {}", base64(&zip(&[("a", text.as_bytes())])))), vec!["base64", "zip"]),
        ("bzip2", code(format!("x: {}", base64(&bzip2(text.as_bytes())))), vec!["base64", "bzip2"]),
        ("xz", code(format!("x: {}", base64(&xz(text.as_bytes())))), vec!["base64", "xz"]),
        ("helm", code(format!("release: {}", helm(token))), vec!["base64", "base64", "gzip"]),
        ("powershell", code(format!("powershell -enc {}", base64(&utf16(&text)))), vec!["base64", "utf-16"]),
        ("hex", code(format!("0x{}", data_encoding::HEXLOWER.encode(text.as_bytes()))), vec!["hex"]),
        ("HEX", code(data_encoding::HEXUPPER.encode(token.as_bytes())), vec!["hex"]),
        ("percent", code(each(token, |byte| format!("%{byte:02x}"))), vec!["percent"]),
        (
            "url",
            code(format!("https%3A%2F%2Fexample.com%2F%3Ft%3D{}%26b%3D", token.replace('_', "%5f"))),
            vec!["percent"],
        ),
        ("x", code(format!("s = \"{}\"", each(token, |byte| format!("\\x{byte:02x}")))), vec!["escape"]),
        ("u", code(format!("s = \"{}\"", each(token, |byte| format!("\\u{byte:04X}")))), vec!["escape"]),
        ("json", code(json), vec!["escape"]),
        ("json in json", code(nested), vec!["escape", "escape"]),
        ("html", code(each(token, |byte| format!("&#{byte};"))), vec!["html"]),
        ("html in hex", code(each(token, |byte| format!("&#x{byte:x};"))), vec!["html"]),
        ("mail", code(format!("t=3D{front}=\r\n{back}=20")), vec!["quoted-printable"]),
        ("plus", code(format!("let t = \"{front}\" + \"{back}\";")), vec!["concatenation"]),
        ("lines", code(format!("t = ('{front}'\n     '{back}')")), vec!["concatenation"]),
        ("dots", code(format!("$t = '{front}' . \"{back}\";")), vec!["concatenation"]),
        ("shell", code(format!("export T={front}\\\n{back}\n")), vec!["concatenation"]),
        ("binary", binary, vec!["utf-16"]),
        ("odd binary", odd, vec!["utf-16"]),
    ]
}

#[test]
fn every_wrapping_is_undone_and_told_and_shows_nothing() {
    let token = pat(77);
    let tree = Tree::new();
    let all = wrappings(&token);
    for (name, bytes, _) in &all {
        tree.write(name, bytes);
    }
    let report = tree.json(&[]);
    for (name, bytes, layers) in &all {
        let here: Vec<&Value> = findings(&report).iter().filter(|finding| finding["path"] == **name).collect();
        assert_eq!(here.len(), 1, "{name}: {here:?}");
        assert_eq!(here[0]["fingerprint"], fingerprint(&token), "{name}");
        assert_eq!(here[0]["decoded"], serde_json::json!(layers), "{name}");
        let (offset, len) = (here[0]["byte_offset"].as_u64().unwrap(), here[0]["byte_length"].as_u64().unwrap());
        let slice = &bytes[offset as usize..(offset + len) as usize];
        assert!(len > 0 && (slice.len() < bytes.len() || bytes.len() < 400), "{name}");
        let shown = here[0]["snippet"]["text"].as_str().unwrap();
        hides(shown, &token);
        let encoded = String::from_utf8_lossy(slice).into_owned();
        assert!(!shown.contains(&encoded), "{name}: {shown}");
    }
    for format in FORMATS {
        let ran = tree.scan(&["--format", format]).exits(1);
        hides(&ran.out, &token);
        let encodings: Vec<String> =
            all.iter().filter_map(|(_, bytes, _)| String::from_utf8(bytes.clone()).ok()).collect();
        for text in encodings.iter().flat_map(|text| text.split_whitespace()).filter(|text| text.len() > 60) {
            let middle = &text[20..text.len() - 20];
            assert!(!ran.out.contains(middle), "{format}: {middle}");
        }
    }
    tree.scan(&["--decode-depth", "0"]).exits(0);
}

#[test]
fn a_key_of_a_kubernetes_secret_is_named() {
    let token = pat(5);
    let value = base64(token.as_bytes());
    let tree = Tree::with(&[
        ("a.yaml", &format!("apiVersion: v1\nkind: Secret\ndata:\n  GITHUB_TOKEN: {value}\n  other: eA==\n")),
        ("b.yaml", &format!("data:\n  git.token: \"{value}\"\nkind: Secret\n")),
        ("c.json", &format!("{{\"kind\":\"Secret\",\"data\":{{\"token\":\"{value}\"}}}}")),
        ("d.yaml", &format!("kind: ConfigMap\ndata:\n  token: {value}\n---\nkind: Secret\ndata: {{}}\n")),
        ("e.yaml", &format!("kind: Secret\ndata:\n  long-one: |\n    {value}\n")),
    ]);
    let report = tree.json(&[]);
    let keys: Vec<&Value> = findings(&report).iter().map(|finding| &finding["properties"]["kubernetes.key"]).collect();
    assert_eq!(
        keys,
        ["GITHUB_TOKEN", "git.token", "token", "", "long-one"]
            .map(|key| match key {
                "" => Value::Null,
                key => Value::from(key),
            })
            .iter()
            .collect::<Vec<_>>()
    );
}

/// What a Secret holds is a secret, whatever its key is called; whose token it is says more.
#[test]
fn every_value_of_a_kubernetes_secret_is_judged() {
    let (token, random) = (pat(7), &pat(8)[10..30]);
    let encode = |text: &str| base64(text.as_bytes());
    let data =
        [("foo", random), ("github", &token), ("pass", "Kx92-Lagos!"), ("user", "admin"), ("host", "db.corp.internal")];
    let yaml: String = data.iter().map(|(key, value)| format!("  {key}: {}\n", encode(value))).collect();
    let json: Vec<String> = data.iter().map(|(key, value)| format!("\"{key}\":\"{}\"", encode(value))).collect();
    let plain: String = data.iter().map(|(key, value)| format!("    {key}: \"{value}\"\n")).collect();
    let (tree, _) = Tree::git(&[
        ("a.yaml", &format!("apiVersion: v1\nkind: Secret\ndata:\n{yaml}type: Opaque\n")),
        ("b.json", &format!("{{\"data\":{{{}}},\"kind\":\"Secret\"}}", json.join(","))),
        ("c.yaml", &format!("items:\n- stringData:\n{plain}  kind: Secret\n")),
        ("d.yaml", &format!("kind: ConfigMap\ndata:\n{}", yaml.replace("pass", "motd"))),
    ]);
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "-qm", "x"]);
    for scope in [&[][..], &["--history"]] {
        let report = tree.json(scope);
        let said = |finding: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            [text(&finding["rule"]), text(&finding["properties"]["kubernetes.key"])].join(" ")
        };
        let mut said: Vec<String> = findings(&report).iter().map(said).collect();
        said.sort();
        let all = |rule: &str, times| vec![rule.to_owned(); times];
        let mut wanted = [all("kubernetes-secret-value foo", 3), all("kubernetes-secret-value pass", 3)].concat();
        // What is no Secret may hold a token, too.
        wanted.extend([all("github-pat github", 3), all("github-pat ", 1)].concat());
        wanted.sort();
        assert_eq!(said, wanted, "{scope:?}");
        [random, &token, &encode(random), &encode(&token)].iter().for_each(|secret| hides(&report.to_string(), secret));
    }
}

/// What is staged far away from where it says that it is a Secret is new all the same.
#[test]
fn a_value_that_is_added_to_a_kubernetes_secret_is_found_before_it_is_committed() {
    let value = base64(&pat(9).as_bytes()[10..30]);
    let labels: String = (0..60).map(|at| format!("    label{at}: value\n")).collect();
    let before = format!("kind: Secret\nmetadata:\n  labels:\n{labels}data:\n  user: YWRtaW4=\n");
    let (tree, _) = Tree::git(&[("a.yaml", &before)]);
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "-qm", "x"]);
    tree.write("a.yaml", format!("{before}  foo: {value}\n"));
    tree.run_git(&["add", "-A"]);
    assert_eq!(findings(&tree.json(&["--staged"])).len(), 1);
}

/// What stands below a header is found in every way of reading, also where a row is all that is new.
#[test]
fn the_rows_of_a_table_are_told_by_its_header() {
    let value = |at: u64| base64(&pat(at).as_bytes()[10..25]);
    let rows: String = (0..100).map(|at| format!("https://host{at}.corp.test,user{at},,\n")).collect();
    let before = format!("url,username,password,note\n{rows}");
    let (tree, _) = Tree::git(&[("export.csv", &before)]);
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "-qm", "x"]);
    let last = format!("{before}https://a.corp.test,bob,{},\n", value(9));
    tree.write("export.csv", &last);
    tree.run_git(&["add", "-A"]);
    assert_eq!(findings(&tree.json(&["--staged"])).len(), 1);
    tree.run_git(&["commit", "-qm", "y"]);
    tree.write("export.csv", last.replace("user0,,", &format!("user0,{},", value(10))));
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "-qm", "z"]);
    tree.run_git(&["repack", "-adfq"]);
    for (scope, wanted) in [(&[][..], &[2, 102][..]), (&["--history"], &[2, 102, 102])] {
        let report = tree.json(scope);
        let mut lines: Vec<u64> = findings(&report).iter().map(|one| one["line"].as_u64().unwrap()).collect();
        lines.sort_unstable();
        assert_eq!(lines, wanted, "{scope:?}");
        assert!(findings(&report).iter().all(|one| one["rule"] == "generic-column"), "{report}");
        [9, 10].iter().for_each(|at| hides(&report.to_string(), &value(*at)));
    }
}

#[test]
fn the_place_is_that_of_the_encoded_secret() {
    let token = pat(6);
    let text = around(&token);
    let lines = wrapped(&base64(text.as_bytes()), 64, "\n  ");
    let tree = Tree::with(&[("a", &format!("data: |\n  {lines}\n"))]);
    let report = tree.json(&[]);
    let finding = &findings(&report)[0];
    let at = text.find(&token).unwrap() * 4 / 3;
    assert_eq!(
        (finding["line"].as_u64(), finding["column"].as_u64()),
        (Some(2 + at as u64 / 64), Some(3 + at as u64 % 64))
    );
}

#[test]
fn a_token_that_stands_there_twice_in_one_place_is_told_once() {
    let token = pat(7);
    // The escape before it makes no difference to what stands alone.
    let tree =
        Tree::with(&[("a", &format!("\"\\u003cb\\u003e {token} \\u003cb\\u003e\\nxxxxxxxxxxxxxxxxxxxxxxxxx\""))]);
    let report = tree.json(&[]);
    assert_eq!(findings(&report).len(), 1);
    assert_eq!(findings(&report)[0]["decoded"], serde_json::json!([]));
    // Two in one compressed text are two.
    let both = format!("a: {}\nb: {}\n", pat(8), pat(9));
    let tree = Tree::with(&[("a", &base64(&gzip(both.as_bytes())))]);
    assert_eq!(findings(&tree.json(&[])).len(), 2);
}

#[test]
fn what_grows_too_much_is_a_skip_with_a_name() {
    let zeros = vec![0; 64 << 20];
    let token = pat(10);
    let tree = Tree::with(&[("a", &format!("x: {}\n", base64(&gzip(&[token.as_bytes(), b"\n", &zeros].concat()))))]);
    let report = tree.json(&[]);
    assert_eq!(skips(&report), [("a".to_owned(), "decode-limit".to_owned())]);
    assert_eq!(findings(&report).len(), 1, "what could be decoded was searched");
}

/// One member has a password, the other one is searched; in a history, too.
#[test]
fn a_locked_member_of_an_archive_in_base64_is_a_skip() {
    let token = pat(13);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for text in ["nobody can read this", &token] {
        zip.start_file(text.len().to_string(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let whole = zip.finish().unwrap().into_inner();
    let entry = whole.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    for (at, byte, reason) in [(6, 1, "encrypted"), (8, 99, "unknown-packing")] {
        let mut zip = whole.clone();
        // Its own header, and the directory.
        zip[at] |= byte;
        zip[entry + at + 2] |= byte;
        let tree = Tree::with(&[("a", &format!("x: {}\n", base64(&zip)))]);
        let report = tree.json(&[]);
        assert_eq!(skips(&report), [("a".to_owned(), reason.to_owned())]);
        assert_eq!(findings(&report).len(), 1);
        tree.run_git(&["init", "-q"]);
        tree.run_git(&["add", "a"]);
        tree.run_git(&["commit", "-qm", "x"]);
        let report = tree.json(&["--history"]);
        let reasons: Vec<String> = skips(&report).into_iter().map(|(_, why)| why).collect();
        assert_eq!((findings(&report).len(), reasons), (1, vec![reason.to_owned()]));
    }
}

#[test]
fn allowing_and_baselines_reach_into_what_is_wrapped() {
    let token = pat(11);
    let value = base64(around(&token).as_bytes());
    let tree = Tree::with(&[("a", &format!("x: {value} # stanch:allow\n"))]);
    tree.scan(&[]).exits(0);
    let tree = Tree::with(&[("a", &format!("x: {value}\n")), (".stanchignore", &format!("{}\n", fingerprint(&token)))]);
    tree.scan(&[]).exits(0);
    let tree = Tree::with(&[("a", &format!("x: {value}\n"))]);
    tree.run(&["baseline", "create", "--reason", "old", "--by", "me", "."]).exits(0);
    tree.scan(&["--baseline", ".stanch-baseline.toml"]).exits(0);
}

#[test]
fn logs_and_standard_input_are_decoded_too() {
    let token = pat(12);
    let line = format!("2026-11-21T03:00:00.1234567Z data: {}\n", base64(around(&token).as_bytes()));
    let tree = Tree::with(&[("a.log", &line)]);
    for args in [&["--log", "a.log"][..], &["a.log"]] {
        assert_eq!(findings(&tree.json(args)).len(), 1);
    }
    tree.with_stdin(&["scan", "-"], line.as_bytes()).exits(1);
}

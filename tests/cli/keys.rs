//! Private keys in other forms than PEM: found, proved, told once, and nowhere shown.

use super::*;

/// A key of RSA in PEM and its DER.
fn rsa(number: u64) -> (String, Vec<u8>) {
    let keys = (number * 100..).map(|seed| token("private-key-pem", seed));
    let key = keys.into_iter().find(|key| key.starts_with("BEGIN RSA")).unwrap();
    let digits: String = key.lines().filter(|line| !line.contains('-')).collect();
    (key, data_encoding::BASE64.decode(digits.as_bytes()).unwrap())
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, 0x82], &(contents.len() as u16).to_be_bytes()[..], contents].concat()
}

/// A key store of Java's with one key, which has a password, and a certificate.
fn jks() -> Vec<u8> {
    let noise: Vec<u8> = (0..1200u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let algorithm = [0x30, 14, 6, 10, 0x2b, 6, 1, 4, 1, 0x2a, 2, 0x11, 1, 1, 5, 0];
    let key = element(0x30, &[&algorithm[..], &element(4, &noise)].concat());
    let head = [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b'a', 0, 0, 1, 0x90, 0, 0, 0, 0];
    let certificate = [&[0, 0, 0, 1, 0, 5][..], b"X.509", &element(0x30, &element(0x30, &noise[..300]))].concat();
    [&head[..], &(key.len() as u32).to_be_bytes(), &key, &certificate, &[9; 20]].concat()
}

#[test]
fn a_key_in_binary_is_the_same_secret_as_in_pem() {
    let (pem, der) = rsa(1);
    let (tree, _) = Tree::git(&[]);
    tree.write("certs/server.key", &der);
    tree.write("old.bin", [&der[..], b"\n"].concat());
    tree.write("cut.der", &der[..der.len() - 100]);
    tree.write("store.jks", jks());
    tree.write("trust.jks", &jks()[..12]);
    tree.run_git(&["add", "."]);
    tree.run_git(&["commit", "-qm", "add"]);
    for report in [&tree.json(&[]), &tree.json(&["--history"])] {
        assert_eq!(skips(report), []);
        let all: Vec<(String, &str, &str)> = findings(report)
            .iter()
            .map(|finding| {
                let word = |name: &str| finding[name].as_str().unwrap();
                (word("path").to_owned(), word("rule"), word("confidence"))
            })
            .collect();
        for (path, confidence) in [
            ("certs/server.key!/pem", "high"),
            ("old.bin!/pem", "high"),
            ("cut.der!/pem", "medium"),
            ("store.jks!/key 1", "medium"),
        ] {
            let here = all.iter().filter(|found| found.0 == path).collect::<Vec<_>>();
            assert!(matches!(here[..], [(_, "private-key-pem", found)] if *found == confidence), "{path}: {all:?}");
        }
        assert_eq!(all.len(), 4, "{all:?}");
        let same = findings(report).iter().filter(|finding| finding["fingerprint"] == fingerprint(&pem));
        assert_eq!(same.count(), 2);
    }
    let stream = tree.with_stdin(&["scan", "--format", "json", "-"], &der).json();
    assert_eq!(findings(&stream).len(), 1);
    assert_eq!(findings(&stream)[0]["fingerprint"], fingerprint(&pem));
}

#[test]
fn a_key_in_json_or_xml_is_told_once_and_never_shown() {
    let (jwk, xml) = (token("private-key-jwk", 3), token("private-key-xml", 4));
    let tree = Tree::new();
    tree.write("jwks.json", format!("{{\"keys\":[{jwk}]}}\n"));
    tree.write("pretty.json", jwk.replace(',', ",\n  "));
    tree.write("key.xml", format!("<a>\n{xml}\n</a>\n"));
    let public: String = xml.replace(&xml[xml.find("<P>").unwrap()..xml.find("</RSA").unwrap()], "");
    tree.write("public.xml", public);
    tree.write("public.jwk", r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#);
    let report = tree.json(&["--confidence", "low"]);
    let all = by_path(&report);
    let mut paths: Vec<&str> = all.keys().map(String::as_str).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["jwks.json", "key.xml", "pretty.json"]);
    assert_eq!(findings(&report).len(), 3, "{:?}", found(&report));
    assert!(findings(&report).iter().all(|finding| finding["confidence"] == "high"));
    // Whatever stands between the quotes or tags of a private part.
    let parts: Vec<&str> = jwk.split('"').chain(xml.split(['<', '>'])).filter(|part| part.len() > 40).collect();
    for format in ["text", "json", "sarif", "csv", "markdown"] {
        let ran = tree.run(&["scan", "--format", format]).exits(1);
        for part in &parts {
            assert!(!ran.out.contains(&part[..20]), "{format}");
        }
    }
}

#[test]
fn a_line_of_an_htpasswd_or_shadow_file_is_told_and_an_example_of_one_is_not() {
    let hash = |number: u64| token("password-hash-bcrypt", number);
    let tree = Tree::new();
    let lines = format!("admin:{}\nbob:{}\r\n", hash(1), hash(2));
    for path in
        ["site/.htpasswd", "conf/users", "tests/fixtures/.htpasswd", "docs/guide.md", "vendor/x/htpasswd.sample"]
    {
        tree.write(path, &lines);
    }
    tree.write("etc/shadow", format!("daemon:*:18375:0:99999:7:::\nroot:{}:19000:0:99999:7:::\n", hash(3)));
    tree.write("dump.sql", format!("INSERT INTO users VALUES (1, 'bob', '{}');\n", hash(4)));
    tree.write("secret.yaml", format!("data:\n  auth: {}\n", data_encoding::BASE64.encode(lines.as_bytes())));
    let told = by_path(&tree.json(&[]));
    let wanted = [("site/.htpasswd", 2), ("conf/users", 2), ("etc/shadow", 1), ("secret.yaml", 2)];
    assert_eq!(told, wanted.map(|(path, count)| (path.to_owned(), count)).into());
    let low = by_path(&tree.json(&["--confidence", "low"]));
    for path in ["tests/fixtures/.htpasswd", "docs/guide.md", "vendor/x/htpasswd.sample", "dump.sql"] {
        assert!(low.contains_key(path), "{path}: {low:?}");
    }
}

/// The passphrase of a test's key stands in the test; anywhere else nobody knows who knows it.
#[test]
fn a_key_behind_a_passphrase_is_worth_less_in_a_test() {
    let noise: Vec<u8> = (1..609u64).map(|number| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    let mut lines =
        format!("-----BEGIN RSA {}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{:032X}\n\n", "PRIVATE KEY", 77);
    for line in data_encoding::BASE64.encode(&noise).as_bytes().chunks(64) {
        lines += std::str::from_utf8(line).unwrap();
        lines.push('\n');
    }
    lines += concat!("-----END RSA ", "PRIVATE KEY-----\n");
    let (tree, _) = Tree::git(&[]);
    for path in ["deploy/id_rsa", "tests/id_rsa", "vendor/x/id_rsa"] {
        tree.write(path, &lines);
    }
    tree.run_git(&["add", "tests"]);
    tree.run_git(&["commit", "-qm", "add"]);
    let told = |report: &serde_json::Value| {
        let one = |finding: &serde_json::Value| {
            assert_eq!(finding["properties"]["key.encrypted"], "yes");
            [&finding["path"], &finding["confidence"]].map(|word| word.as_str().unwrap().to_owned())
        };
        findings(report).iter().map(one).collect::<Vec<_>>()
    };
    let all = [["deploy/id_rsa", "medium"], ["tests/id_rsa", "low"], ["vendor/x/id_rsa", "low"]];
    assert_eq!(told(&tree.json(&["--confidence", "low"])), all);
    assert_eq!(told(&tree.json(&[])), all[..1]);
    assert_eq!(told(&tree.json(&["--history"])), [""; 0].map(|_| [String::new(), String::new()]));
    // With the same key at another path, the one that speaks least against it counts; it is told of where it was first.
    tree.run_git(&["add", "deploy"]);
    tree.run_git(&["commit", "-qm", "more"]);
    assert_eq!(told(&tree.json(&["--history"])), [["tests/id_rsa", "medium"]]);
}

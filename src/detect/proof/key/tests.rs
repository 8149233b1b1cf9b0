use proptest::prelude::*;

use super::*;
use crate::finding::Proof;

/// Random bytes that are the same in every run.
pub(super) fn dice(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    }
}

fn made(drawn: &str, seed: u64) -> String {
    String::from_utf8(make(drawn.as_bytes(), &mut dice(seed))).unwrap()
}

/// A block with its dashes, of each kind in turn.
fn blocks() -> Vec<String> {
    let all: Vec<String> = (0..40).map(|seed| format!("-----{}-----\n", made("BEGIN X-----END X", seed))).collect();
    for label in ["BEGIN RSA P", "BEGIN P", "BEGIN EC P", "BEGIN OPENSSH P", "BEGIN PGP P"] {
        assert!(all.iter().any(|block| block[5..].starts_with(label)), "{label}");
    }
    all
}

fn block(label: &str) -> String {
    blocks().into_iter().find(|block| block[5..].starts_with(&format!("BEGIN {label}"))).unwrap()
}

fn holds(text: &str) -> bool {
    matches!(private_key(text.as_bytes()).proof, Proof::Holds(_))
}

fn fails(text: &str) -> bool {
    matches!(private_key(text.as_bytes()).proof, Proof::Fails(_))
}

fn fact(text: &str, name: &str) -> Option<String> {
    private_key(text.as_bytes()).facts.into_iter().find(|fact| fact.name == name).map(|fact| fact.value)
}

#[test]
fn every_form_is_read() {
    for (begins, kind) in [
        ("PuTTY-", "Ed25519"),
        ("AGE-SECRET-KEY-1", "X25519"),
        ("AGE-SECRET-KEY-PQ-1", "ML-KEM-768 with X25519"),
        ("b3BlbnNzaC1rZXktdjEA", "Ed25519"),
        ("MIIEpAIBAAKC", "RSA 2048"),
        ("MIIEvQIBADAN", "RSA 2048"),
        ("MIIKagIBAzCC", "RSA 2048"),
        ("BEGIN PGP", "RSA 2048"),
    ] {
        let text = made(begins, 7);
        assert!(holds(&text), "{begins}: {:?}", private_key(text.as_bytes()));
        assert_eq!(fact(&text, "key.type").as_deref(), Some(kind), "{begins}");
        assert_eq!(fact(&text, ENCRYPTED).as_deref(), Some("no"), "{begins}");
    }
    for text in blocks().into_iter().chain([made("LS0tLS1CRUdJTi", 1)]) {
        assert!(holds(&text), "{text}");
    }
}

/// Every way of writing it down gives the same key.
#[test]
fn what_a_text_wraps_lines_in_is_undone() {
    for block in blocks() {
        let (public, kind) = (fact(&block, "key.fingerprint"), fact(&block, "key.type"));
        let lines: Vec<&str> = block.lines().collect();
        let each =
            |before: &str, after: &str| lines.iter().map(|line| format!("{before}{line}{after}")).collect::<String>();
        let written = [
            block.replace('\n', "\r\n"),
            block.replace('\n', "\\n"),
            block.replace('\n', "\\\\n"),
            block.replace('\n', "\\\\r\\\\n"),
            block.replace('\n', " "),
            block.replace('\n', "<br>"),
            block.replace('\n', "<br />\n"),
            block.replace('\n', "&#10;"),
            block.replace('\n', "&#xA;"),
            block.replace('\n', "\\n").replace('/', "\\/").replace('+', "\\u002b"),
            each("    ", "\n"),
            each("\t\"", "\\n\" +\n"),
            each("  + '", "\\n'\n"),
            each("'", "' .\n"),
            each("'", "', "),
            each("# ", "\n"),
            each("//", "\n"),
            each(" * ", "\n"),
            each("+", "\n"),
            each("-", "\n"),
            each("> ", "\n"),
            each("", "\\\n"),
        ];
        for text in written {
            assert!(holds(&text), "{:?} {text}", private_key(text.as_bytes()).proof);
            assert_eq!(fact(&text, "key.fingerprint"), public, "{text}");
            assert_eq!(fact(&text, "key.type"), kind, "{text}");
        }
    }
}

#[test]
fn what_is_no_key_fails() {
    let key = block("RSA");
    let lines: Vec<&str> = key.lines().collect();
    let shown = |lines: &[&str]| lines.join("\n");
    let last = lines[lines.len() - 1];
    for text in [
        "BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY".to_owned(),
        "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
        shown(&[lines[0], "...", last]),
        shown(&[lines[0], lines[1], "...", lines[lines.len() - 2], last]),
        shown(&[lines[0], lines[1], last]),
        shown(&[lines[0], lines[1], lines[2]]),
        shown(&[lines[0], "your key goes here, in base64 and over several lines of text", last]),
        shown(&[lines[0], &"A".repeat(64), &"A".repeat(64), last]),
        shown(&[lines[0], &"0123456789abcdef".repeat(4), last]),
        String::new(),
        "AGE-SECRET-KEY-1".to_owned(),
    ] {
        assert!(fails(&text), "{text}: {:?}", private_key(text.as_bytes()));
    }
}

#[test]
fn a_public_half_is_no_key() {
    let spki =
        der::write(0x30, &[der::write(0x30, &der::write(6, &[0x2b, 0x65, 0x70])), der::write(3, &[0; 33])].concat());
    let text = format!("BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY", data_encoding::BASE64.encode(&spki));
    let proven = private_key(text.as_bytes());
    assert_eq!(proven.proof, Proof::Fails("it is public: a public key or a certificate".to_owned()));
}

#[test]
fn a_remark_behind_the_header_spoils_nothing() {
    for (remark, end) in [(" fake", "\n"), (" not used", "\\n"), (" test", "\r\n")] {
        for label in ["RSA P", "OPENSSH P"] {
            let plain = block(label);
            let header = plain.find("KEY-----").unwrap() + "KEY-----".len();
            let lines = plain[header..].replace('\n', end);
            assert!(holds(&format!("{}{remark}{lines}", &plain[..header])), "{label}{remark}");
        }
    }
    assert!(!holds("-----BEGIN RSA PRIVATE KEY----- fake\n-----END RSA PRIVATE KEY-----"));
}

/// A length that reaches far beyond a block which has its end is spoilt; without the end, the key is cut.
#[test]
fn a_wild_length_in_a_whole_block_is_spoilt() {
    let plain = block("OPENSSH P");
    let (header, end) = (plain.find('\n').unwrap() + 1, plain.rfind("-----END").unwrap());
    // The magic and the names of the ciphers stay, the length of what follows does not.
    let digits: Vec<u8> = plain
        .bytes()
        .enumerate()
        .map(|(at, byte)| if (header + 52..header + 56).contains(&at) { b'x' } else { byte })
        .collect();
    let spoilt = String::from_utf8(digits).unwrap();
    let proven = private_key(spoilt.as_bytes());
    assert_eq!((proven.proof, fact(&spoilt, "key.structure").as_deref()), (Proof::Absent, Some("spoilt")));
    assert!(fails(&spoilt[..end]));
}

#[test]
fn a_cut_key_is_neither_proved_nor_refuted() {
    for label in ["RSA", "PRIVATE", "PGP"] {
        let key = block(label);
        let lines: Vec<&str> = key.lines().collect();
        let most = lines[..lines.len() - 6].join("\n");
        for text in [most.clone(), format!("{most}\n{}", lines[lines.len() - 1])] {
            let proven = private_key(text.as_bytes());
            assert_eq!(proven.proof, Proof::Absent, "{label}");
            assert!(proven.facts.iter().any(|fact| fact.name == "key.cut_short"), "{label}");
        }
        assert!(fails(&lines[..8].join("\n")), "{label}");
    }
}

#[test]
fn a_spoilt_key_is_neither_proved_nor_refuted() {
    for label in ["RSA", "PRIVATE", "PGP", "EC", "OPENSSH"] {
        let key = block(label);
        let lines: Vec<&str> = key.lines().collect();
        let first = lines.iter().position(|line| line.len() == 64).unwrap();
        let spoilt = key.replace(lines[first], &lines[first].chars().rev().collect::<String>()).replace("\n=", "\n");
        let proven = private_key(spoilt.as_bytes());
        assert_eq!(proven.proof, Proof::Absent, "{label} {spoilt}");
        assert_eq!(fact(&spoilt, "key.structure").as_deref(), Some("spoilt"), "{label}");
    }
    let words = "this is the place where your own private key should go in the end of all things".replace(' ', "");
    let row = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for filler in [words.as_str(), row, &"Ab1c".repeat(40), &"x".repeat(64), &"0b3d576ba5a108c3".repeat(5)] {
        let text = format!("BEGIN RSA PRIVATE KEY-----\n{filler}\n{filler}\n-----END RSA PRIVATE KEY");
        assert!(fails(&text), "{filler}");
    }
}

#[test]
fn a_passphrase_makes_less_sure() {
    let lines: String = (0..8u8).map(|at| format!("{}\n", data_encoding::BASE64.encode(&[at; 48]))).collect();
    let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n";
    let text = format!("BEGIN RSA PRIVATE KEY-----\n{headers}{lines}-----END RSA PRIVATE KEY");
    let pkcs8 = der::write(0x30, &[der::write(0x30, &der::write(6, &[0x2a, 3])), der::write(4, &[7; 64])].concat());
    let pkcs8 = format!(
        "BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY",
        data_encoding::BASE64.encode(&pkcs8)
    );
    let putty = made("PuTTY-", 3).replace("Encryption: none", "Encryption: aes256-cbc");
    let putty = putty.replace(putty.lines().nth(7).unwrap(), &data_encoding::BASE64.encode(&[9; 48]));
    for text in [&text, &text.replace('\n', " "), &text.replace('\n', "\\n"), &pkcs8, &putty] {
        let proven = private_key(text.as_bytes());
        assert!(matches!(proven.proof, Proof::Holds(_)), "{text}: {proven:?}");
        assert_eq!(fact(text, ENCRYPTED).as_deref(), Some("yes"), "{text}");
        assert_eq!(proven.most, crate::rule::Confidence::Medium);
    }
    assert_eq!(private_key(block("EC").as_bytes()).most, crate::rule::Confidence::High);
}

#[test]
fn checksums_count() {
    let key = made("AGE-SECRET-KEY-1", 5);
    for at in 17..key.len() {
        let mut broken = key.clone().into_bytes();
        broken[at] = if broken[at] == b'Q' { b'P' } else { b'Q' };
        assert!(matches!(private_key(&broken).proof, Proof::Fails(_)), "{at}");
    }
    // The vector of RFC 9580 for nothing at all is the beginning value.
    assert_eq!(pgp::crc24(b""), [0xb7, 0x04, 0xce]);
    let key = block("PGP");
    let sum = key.lines().find(|line| line.starts_with('=')).unwrap();
    assert_eq!(private_key(key.replace(sum, "=AAAA").as_bytes()).proof, Proof::Absent, "somebody changed it");
    assert!(holds(&key.replace(sum, "")));
}

/// Against `ssh-keygen -l -E sha256` of the public key whose 32 bytes are 0 to 31.
#[test]
fn the_fingerprint_is_that_of_the_public_half() {
    let public: Vec<u8> = (0..32).collect();
    let blob = ssh::wire(&[b"ssh-ed25519", &public]);
    let text = data_encoding::BASE64.encode(&blob);
    assert_eq!(text, "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f");
    assert_eq!(ssh::fingerprint(&[b"ssh-ed25519", &public]), "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA");
}

proptest! {
    #[test]
    fn no_bytes_panic_at_any_depth(bytes: Vec<u8>, label in "(RSA |PGP |OPENSSH )?", cut in 0usize..2000, seed: u64) {
        der::private_key(&bytes).ok();
        ssh::container(&bytes).ok();
        ssh::commercial(&bytes).ok();
        pgp::secret_key(&bytes, Some(b"AAAA")).ok();
        ssh::putty(&bytes).ok();
        let body = data_encoding::BASE64.encode(&bytes);
        private_key(format!("BEGIN {label}PRIVATE KEY-----\n{body}\n-----END X").as_bytes());
        // What is nearly a key goes deeper.
        let mut near = make(b"BEGIN X-----END X", &mut dice(seed));
        near.truncate(cut);
        for (at, byte) in bytes.iter().enumerate().take(3) {
            let place = (seed as usize).wrapping_mul(at + 1) % near.len().max(1);
            if let Some(old) = near.get_mut(place) {
                *old = *byte;
            }
        }
        private_key(&near);
    }

    #[test]
    fn nothing_near_der_panics(seed: u64, at in 0usize..1300, byte: u8, len in 0usize..1400) {
        let bases = ["MIIEpAIBAAKC", "MIIEvQIBADAN", "MIIKagIBAzCC", "b3BlbnNzaC1rZXktdjEA"];
        for base in bases {
            let mut bytes = data_encoding::BASE64.decode(&make(base.as_bytes(), &mut dice(seed))).unwrap();
            bytes.truncate(len);
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
            binary(&bytes).ok();
        }
    }
}

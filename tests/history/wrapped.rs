//! What is encoded in a history is found as in the objects as files, however deltas cut it.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn lines(text: &str, columns: usize) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\n  ")
}

/// The ways of writing, by number; each is one or more lines.
fn written(way: usize, token: &str, lead: &str) -> Vec<u8> {
    let text = format!("{lead} token: {token} and more that is text {lead}");
    let each = |write: &dyn Fn(u8) -> String| token.bytes().map(write).collect::<String>();
    match way % 10 {
        0 => base64(text.as_bytes()).into_bytes(),
        1 => lines(&base64(text.repeat(4).as_bytes()), 64).into_bytes(),
        2 => base64(&gzip(text.as_bytes())).into_bytes(),
        3 => base64(base64(&gzip(text.as_bytes())).as_bytes()).into_bytes(),
        4 => data_encoding::HEXLOWER.encode(text.as_bytes()).into_bytes(),
        5 => each(&|byte| format!("%{byte:02X}")).into_bytes(),
        6 => each(&|byte| format!("\\u{byte:04x}")).into_bytes(),
        7 => format!("\"{}\" +\n  \"{}\"", &token[..22], &token[22..]).into_bytes(),
        8 => format!("x=3D{}=\n{}", &token[..22], &token[22..]).into_bytes(),
        _ => [
            &b"\xFF\x00\x01"[..],
            &token.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
            b"\x00\x00\xFE",
        ]
        .concat(),
    }
}

/// Lines that nothing is in, and that compress badly.
fn filler(number: usize) -> Vec<u8> {
    format!("line {number} of some text: {}", fingerprint(&format!("{number}"))).into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_wrapped_is_found_in_every_version(
        ways in prop::collection::vec((0usize..10, "[a-z ]{0,9}", 0usize..60), 1..6),
        edits in prop::collection::vec((0usize..3, 0usize..60, 0usize..400), 8..24),
        depth in prop::sample::select(vec!["1", "5", "4095"]),
    ) {
        let repository = Repository::new();
        let mut file: Vec<Vec<u8>> = (0..60).map(filler).collect();
        for (number, (way, lead, at)) in ways.iter().enumerate() {
            file[*at] = written(*way, &token(number as u64), lead);
        }
        for (step, (edit, line, at)) in edits.iter().enumerate() {
            let count = file.len();
            match edit {
                0 => file.insert(line % count, filler(1000 + step)),
                1 => file.swap(line % count, at % count),
                _ => {
                    // A byte of a line, which may be in the middle of what is encoded.
                    let line = &mut file[line % count];
                    let at = at % line.len().max(1);
                    line.insert(at, b"aQ9=\n%\\\""[step % 8]);
                }
            }
            repository.put("f", file.join(&b'\n'), "edit");
        }
        repository.git(&["repack", "-adfq", &format!("--depth={depth}"), "--window=50"]);
        same_as_files(&repository.top(), &[]);
    }
}

#[test]
fn every_way_of_writing_is_found_in_history_with_its_commit() {
    let repository = Repository::new();
    let tokens: Vec<String> = (0..10).map(|way| token(500 + way)).collect();
    for (way, token) in tokens.iter().enumerate() {
        let file: Vec<Vec<u8>> = (0..50).map(filler).chain([written(way, token, "a few words")]).collect();
        repository.put(&format!("f{way}"), file.join(&b'\n'), "add");
        repository.put(&format!("f{way}"), (0..50).map(filler).collect::<Vec<_>>().join(&b'\n'), "remove");
    }
    for repack in [false, true] {
        if repack {
            repository.git(&["repack", "-adfq"]);
        }
        let scanned = repository.scan(&[]);
        for (way, token) in tokens.iter().enumerate() {
            assert_eq!(scanned.of(token).len(), if way == 1 { 4 } else { 1 }, "{way}");
        }
    }
}

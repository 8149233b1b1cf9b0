//! What belongs together is found in a history as in the objects as files, however deltas cut it.

use super::*;

const RULEFILE: &str = r#"
[[rules]]
id = "pair-secret"
regex = '''\bpsec_[0-9a-f]{24}\b'''
keywords = ["psec_"]
random_bits = 96
[[rules.required]]
id = "pair-id"
withinLines = 2
[[rules.required]]
id = "pair-host"

[[rules]]
id = "pair-id"
regex = '''\bpid_[0-9a-f]{24}\b'''
keywords = ["pid_"]
random_bits = 96

[[rules]]
id = "pair-host"
regex = '''\b[0-9a-f]{8}\.hosted\.test\b'''
keywords = [".hosted.test"]
path = '''\.conf(?:!/.*)?$'''
skipReport = true
"#;

fn drawn(kind: &str, seed: usize) -> String {
    let hex = fingerprint(&format!("{kind}{seed}"));
    match kind {
        "host" => format!("{}.hosted.test", &hex[..8]),
        kind => format!("{kind}_{}", &hex[..24]),
    }
}

/// Rule, line and companions' lines of every finding.
fn shown(report: &Value) -> Vec<(String, u64, Vec<u64>)> {
    let line = |value: &Value| value["line"].as_u64().expect("a line");
    let all = report["findings"].as_array().expect("a list");
    let mut all: Vec<_> = all
        .iter()
        .map(|it| {
            let companions = it["companions"].as_array().expect("a list").iter().map(line).collect();
            (it["rule"].as_str().expect("a rule").to_owned(), line(it), companions)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_version_has_the_pairs_that_it_has_as_a_file() {
    let repository = Repository::new();
    let rules = repository.dir.path().join("rules.toml");
    fs::write(&rules, RULEFILE).expect("ours");
    let rules = rules.to_str().expect("UTF-8");
    let filler = |number: usize| format!("line {number}: {}", fingerprint(&number.to_string()));
    let mut lines: Vec<String> = (0..400).map(filler).collect();
    let mut expected = Vec::new();
    // Each version differs from the last by one line: a half that comes, goes, or comes too far away.
    let edits = [
        (100, drawn("psec", 1)),
        (300, drawn("host", 1)),
        (98, drawn("pid", 1)),
        (97, drawn("pid", 2)),
        (98, filler(98)),
        (102, drawn("pid", 3)),
        (200, drawn("psec", 2)),
        (201, drawn("pid", 4)),
        (300, filler(300)),
        (0, drawn("host", 2)),
    ];
    for (at, line) in edits {
        lines[at] = line;
        repository.put("app.conf", lines.join("\n"), "a version");
        let file = repository.dir.path().join("copy.conf");
        fs::write(&file, lines.join("\n")).expect("ours");
        let alone = Command::new(env!("CARGO_BIN_EXE_stanch"))
            .args(["scan", "--rules", rules, "--format", "json"])
            .arg(&file)
            .output()
            .expect("the program runs");
        expected.extend(shown(&serde_json::from_slice(&alone.stdout).expect("a report")));
    }
    expected.sort();
    assert!(expected.iter().any(|(_, _, lines)| lines.len() == 2), "{expected:?}");
    for depth in ["1", "50"] {
        repository.git(&["repack", "-adfq", "--depth", depth]);
        for jobs in ["1", "4"] {
            let scan = repository.scan(&["--rules", rules, "--jobs", jobs]);
            assert_eq!(shown(&scan.report), expected, "depth {depth}, {jobs} threads");
        }
    }
    // The host's rule asks for a name that this file does not have; what is there of it is still no finding alone.
    let other = Repository::new();
    other.put("app.txt", lines.join("\n"), "another name");
    assert_eq!(shown(&other.scan(&["--rules", rules]).report).iter().filter(|it| it.0 == "pair-secret").count(), 0);
}

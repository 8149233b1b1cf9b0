//! What every rule of ours finds is found in a history as it is in files: most of it stands in objects that are kept as
//! deltas, of which no more is searched than what is new.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;
use stanch::builtin::with_examples;
use stanch::detect::mint::Press;

use super::{Repository, git_fed, scan};

/// So many examples are in one version of the file.
const TOGETHER: usize = 12;

/// Longer than what is looked at around a place: no example profits from what is looked at for another one.
fn between() -> String {
    (0..10).fold(String::new(), |mut text, line| {
        writeln!(text, "Line {line} of what stands between them, and says little.").expect("text");
        text
    })
}

/// What was found: in which object, where, by which rule, and how sure that is.
fn told(report: &Value, object: impl Fn(&Value) -> String) -> BTreeSet<(String, u64, String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let all = report["findings"].as_array().expect("a list").iter();
    all.map(|it| {
        (object(it), it["byte_offset"].as_u64().expect("a number"), text(&it["rule"]), text(&it["confidence"]))
    })
    .collect()
}

#[test]
fn every_example_of_every_rule_is_found_in_a_delta_as_in_a_file() {
    let rules = with_examples().rules;
    let examples: Vec<String> = rules
        .iter()
        .flat_map(|rule| {
            let press = Press::new(rule).expect("a rule of ours");
            rule.leaks.iter().zip(0..).map(move |(leak, seed)| press.expand(leak, seed).expect("an example"))
        })
        .collect();
    // Neighbours are of other rules.
    let versions = examples.len().div_ceil(TOGETHER);
    let repository = Repository::new();
    let files = repository.dir.path().join("files");
    fs::create_dir(&files).expect("ours");
    let (between, mut import, mut texts) = (between(), String::new(), Vec::new());
    for version in 0..versions {
        let mut text = between.clone();
        for example in examples.iter().skip(version).step_by(versions) {
            text += example;
            text += "\n";
            text += &between;
        }
        let data = format!("data {}\n{text}\n", text.len());
        let commit = "commit refs/heads/main\ncommitter Jane Doe <jane@example.org> 1620000000 +0000\ndata 1\nc\n";
        write!(import, "{commit}M 100644 inline a.txt\n{data}\n").expect("text");
        texts.push(text);
    }
    git_fed(&repository.top(), &["fast-import", "--quiet"], import.as_bytes());
    // `:100644 100644 <before> <after> M<TAB>a.txt`
    let changes = repository.git(&["log", "--reverse", "--format=", "--raw", "--no-abbrev", "main"]);
    for (change, text) in changes.lines().zip(&texts) {
        let file = files.join(change.split(' ').nth(3).expect("an id")).join("a.txt");
        fs::create_dir(file.parent().expect("a directory")).expect("ours");
        fs::write(file, text).expect("ours");
    }
    repository.git(&["repack", "-adfq", "--depth", "50"]);
    let deltas = repository.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(deltabase)"]);
    let deltas = deltas.lines().filter(|line| line.starts_with("blob") && !line.ends_with(&"0".repeat(40))).count();
    assert!(deltas * 10 > versions * 8, "{deltas} of {versions}");

    let in_history = scan(&repository.top(), &["--confidence", "low"]).report;
    let in_history = told(&in_history, |it| it["object"]["id"].as_str().expect("an id").to_owned());
    let alone = Command::new(env!("CARGO_BIN_EXE_stanch"))
        .args(["scan", "--format", "json", "--confidence", "low", "."])
        .current_dir(&files)
        .output()
        .expect("the program runs");
    let alone = serde_json::from_slice(&alone.stdout).expect("a report");
    let alone = told(&alone, |it| {
        it["path"]
            .as_str()
            .and_then(|path| path.split(['/', '!']).find(|part| part.len() == 40))
            .expect("an id")
            .to_owned()
    });
    assert!(alone.len() > examples.len() / 2, "{}", alone.len());
    let missing: Vec<_> = alone.difference(&in_history).collect();
    let more: Vec<_> = in_history.difference(&alone).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing: {missing:#?}, more: {more:#?}");
}

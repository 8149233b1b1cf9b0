//! An interrupted scan reports what it has, and is never clean.

use std::io::{BufRead, BufReader};

use super::*;

fn interrupt(child: &std::process::Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_scan_that_waits_for_a_stream_can_be_interrupted() {
    for (signal, jobs) in [("-INT", "1"), ("-TERM", "4")] {
        let tree = Tree::with(&[("leak", &pat(1))]);
        let mut command = tree.stanch();
        command.args(["scan", "leak", "-", "--format", "jsonl", "--report", "json=out.json", "--jobs", jobs]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"waiting\n").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The finding before the stream comes while the stream blocks; then the handler is there for sure.
        assert!(lines.next().unwrap().unwrap().contains("\"header\""));
        let finding: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(finding["fingerprint"], fingerprint(&pat(1)));
        interrupt(&child, signal);
        let summary: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&summary["interrupted"], &summary["exit_code"]), (&Value::from(true), &Value::from(130)));
        let output = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(output.status.code(), Some(130));
        assert!(String::from_utf8_lossy(&output.stderr).contains("the report holds what was found so far"));
        let report: Value = serde_json::from_slice(&std::fs::read(tree.path("out.json")).unwrap()).unwrap();
        assert_eq!(findings(&report).len(), 1);
        assert_eq!(skips(&report), [("<stdin>".to_owned(), "interrupted".to_owned())]);
    }
}

#[test]
fn a_fifo_that_nobody_writes_to_can_be_interrupted() {
    let tree = Tree::with(&[("leak", "nothing")]);
    assert!(Command::new("mkfifo").arg(tree.path("pipe")).status().unwrap().success());
    let mut command = tree.stanch();
    let mut child = command.args(["scan", "--format", "jsonl", "pipe"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("\"header\""));
    interrupt(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let summary: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(summary["reported"], 0);
}

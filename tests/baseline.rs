//! The baseline through the real program: what is known is hidden and counted, everything else is not.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use stanch::builtin::with_examples;
use stanch::detect::mint::mint;
use tempfile::TempDir;

const FILE: &str = ".stanch-baseline.toml";

fn token(rule: &str, seed: u64) -> String {
    mint(with_examples().get(rule).unwrap(), seed).unwrap()
}

fn pat(seed: u64) -> String {
    token("github-pat", seed)
}

/// A directory with a file that holds these tokens, one a line.
fn tree(tokens: &[String]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.txt", tokens);
    dir
}

fn put(dir: &Path, name: &str, tokens: &[String]) {
    let lines: Vec<_> = tokens.iter().map(|token| format!("key = {token}\n")).collect();
    std::fs::write(dir.join(name), lines.concat()).unwrap();
}

fn stanch(dir: &Path, args: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("stanch"))
        .args(args)
        .current_dir(dir)
        .env_remove("STANCH_FINGERPRINT_KEY")
        .output()
        .unwrap()
}

/// Runs and checks the exit code; gives both outputs as one text.
fn run(dir: &Path, code: i32, args: &[&str]) -> String {
    let output = stanch(dir, args);
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    text
}

fn scan(dir: &Path, code: i32, args: &[&str]) -> Value {
    let output = stanch(dir, &[&["scan", "-q", "-f", "json"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn counts(report: &Value) -> (u64, u64, usize, usize) {
    let summary = &report["summary"];
    let list = |name: &str| summary[name].as_array().unwrap().len();
    (summary["reported"].as_u64().unwrap(), summary["baselined"].as_u64().unwrap(), list("stale"), list("expired"))
}

fn read(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(FILE)).unwrap()
}

#[test]
fn what_is_written_down_is_hidden_wherever_it_moves_and_what_is_new_is_not() {
    let dir = tree(&[pat(1), pat(2), pat(1)]);
    let dir = dir.path();
    let said = run(dir, 0, &["baseline", "create", "--reason", "from before", "--by", "me", "."]);
    assert!(said.contains("2 entries in .stanch-baseline.toml"), "{said}");
    let text = read(dir);
    assert!(text.contains("reason = \"from before\", by = \"me\", "), "{text}");
    assert!(!text.contains(&pat(1)) && !text.contains(&pat(2)), "{text}");
    let mode = dir.join(FILE).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & 0o600, 0o600, "{mode:o}");

    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 3, 0, 0));
    assert_eq!(counts(&scan(dir, 1, &[])), (3, 0, 0, 0));
    put(dir, "moved.txt", &["x".to_owned(), pat(2), pat(3)]);
    let report = scan(dir, 1, &["--baseline", FILE]);
    assert_eq!(counts(&report), (1, 4, 0, 0));
    assert_eq!(report["findings"][0]["line"], 3);
    let shown = scan(dir, 1, &["--baseline", FILE, "--show-allowed"]);
    let states = shown["findings"].as_array().unwrap().iter().map(|it| it["verdict"]["state"].as_str().unwrap());
    assert_eq!(states.filter(|state| *state == "baselined").count(), 4);
    assert_eq!(shown["findings"][0]["verdict"]["reason"], "from before");
    let text = run(dir, 1, &["scan", "--baseline", FILE]);
    assert!(text.contains("1 secret found") && text.contains("4 in the baseline"), "{text}");
    let quiet = run(dir, 1, &["scan", "--baseline", FILE, "-f", "sarif"]);
    assert!(quiet.contains("note: 1 found, 0 allowed, 4 in the baseline, 0 not read"), "{quiet}");
}

#[test]
fn update_keeps_what_was_said_and_prune_drops_what_is_gone() {
    let dir = tree(&[pat(1), pat(2)]);
    let dir = dir.path();
    run(dir, 0, &["baseline", "create", "--reason", "first", "--by", "me"]);
    let refused = run(dir, 2, &["baseline", "create"]);
    assert!(refused.contains("is there already"), "{refused}");
    put(dir, "a.txt", &["x".to_owned(), pat(3), pat(2)]);
    let report = scan(dir, 1, &["--baseline", FILE]);
    assert_eq!(counts(&report), (1, 1, 1, 0));
    assert_eq!(report["summary"]["stale"][0]["line"], 1);
    let said = run(dir, 1, &["scan", "--baseline", FILE]);
    assert!(said.contains("baseline: 1 stale") && !said.contains("a.txt:1 "), "{said}");
    let said = run(dir, 1, &["scan", "-v", "--baseline", FILE]);
    assert!(said.contains("  - a.txt:1 github-pat (first)"), "{said}");

    let said = run(dir, 0, &["baseline", "update", "--reason", "second", "--by", "you"]);
    assert!(said.contains("3 entries in .stanch-baseline.toml, 1 of them new, 1 stale"), "{said}");
    let text = read(dir);
    assert_eq!((text.matches("\"first\"").count(), text.matches("\"second\"").count()), (2, 1), "{text}");
    assert!(text.contains("line = 3"), "the line that moved is not followed: {text}");
    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 2, 1, 0));

    let said = run(dir, 0, &["baseline", "prune"]);
    assert!(said.contains("1 entry dropped, 2 in"), "{said}");
    let pruned = read(dir);
    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 2, 0, 0));
    run(dir, 0, &["baseline", "update"]);
    assert_eq!(read(dir), pruned, "an update with nothing new writes another file");
    let shown = run(dir, 0, &["baseline", "show"]);
    assert!(shown.contains("a.txt:2 github-pat") && shown.contains("2 known, 0 expired"), "{shown}");
}

#[test]
fn a_link_to_a_baseline_stays_one() {
    let dir = tree(&[pat(1)]);
    run(dir.path(), 0, &["baseline", "create"]);
    let (link, target) = (dir.path().join(FILE), dir.path().join("kept/baseline"));
    std::fs::create_dir(dir.path().join("kept")).unwrap();
    std::fs::rename(&link, &target).unwrap();
    std::os::unix::fs::symlink("kept/baseline", &link).unwrap();
    put(dir.path(), "a.txt", &[pat(1), pat(2)]);
    run(dir.path(), 0, &["baseline", "update"]);
    put(dir.path(), "a.txt", &[pat(2)]);
    run(dir.path(), 0, &["baseline", "prune"]);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let text = std::fs::read_to_string(&target).unwrap();
    assert_eq!(text.matches("fingerprint = ").count(), 1, "{text}");
    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(std::fs::read_dir(dir.path().join("kept")).unwrap().count(), 1);
    std::fs::remove_file(&target).unwrap();
    assert!(run(dir.path(), 2, &["baseline", "update"]).contains("is not there"));
}

#[test]
fn what_a_scan_did_not_look_at_is_not_stale() {
    let dir = tree(&[pat(1)]);
    let dir = dir.path();
    std::fs::create_dir(dir.join("sub")).unwrap();
    put(dir, "sub/b.txt", &[pat(2)]);
    put(dir, "c.txt", &[token("gitlab-pat", 1)]);
    run(dir, 0, &["baseline", "create"]);
    let stale = |args: &[&str]| {
        let report = scan(dir, 0, &[args, &["--baseline", FILE]].concat());
        let paths = report["summary"]["stale"].as_array().unwrap().iter().map(|it| it["path"].to_string());
        paths.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(stale(&["sub"]), "");
    assert_eq!(stale(&["--rule", "github-pat"]), "");
    assert_eq!(stale(&["--exclude", "sub"]), "");
    assert_eq!(stale(&["--exclude", "*.txt"]), "");
    assert_eq!(stale(&["--max-size", "1", "--accept-skip", "too-large"]), "");
    std::fs::remove_file(dir.join("a.txt")).unwrap();
    assert_eq!(stale(&["--exclude", "sub"]), "\"a.txt\"");
    std::fs::remove_dir_all(dir.join("sub")).unwrap();
    assert_eq!(stale(&["."]), "\"a.txt\" \"sub/b.txt\"");
}

#[test]
fn an_expired_entry_hides_nothing_and_says_so() {
    let dir = tree(&[pat(1)]);
    let dir = dir.path();
    run(dir, 0, &["baseline", "create", "--expires", "2999-12-31"]);
    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 1, 0, 0));
    let text = read(dir).replace("2999-12-31", "2020-01-31");
    std::fs::write(dir.join(FILE), text).unwrap();
    assert_eq!(counts(&scan(dir, 1, &["--baseline", FILE])), (1, 0, 0, 1));
    let said = run(dir, 1, &["scan", "--baseline", FILE]);
    assert!(said.contains("baseline: 1 expired") && said.contains("expires 2020-01-31"), "{said}");
    let said = run(dir, 1, &["scan", "--baseline", FILE, "-f", "csv"]);
    assert!(said.contains("warning: expired in the baseline: 1;"), "{said}");
    let said = run(dir, 0, &["baseline", "update"]);
    assert!(said.contains("0 of them new") && said.contains("1 expired stay reported"), "{said}");
    let shown = run(dir, 0, &["baseline", "show"]);
    assert!(shown.contains("EXPIRED 2020-01-31"), "{shown}");
    run(dir, 0, &["baseline", "prune"]);
    assert!(!read(dir).contains("fingerprint = "));
}

#[test]
fn a_run_from_a_subdirectory_writes_the_same_baseline() {
    let dir = tree(&[pat(1)]);
    let dir = dir.path();
    assert!(Command::new("git").args(["init", "-q"]).current_dir(dir).status().unwrap().success());
    std::fs::create_dir(dir.join("sub")).unwrap();
    put(dir, "sub/b.txt", &[pat(2)]);
    run(dir, 0, &["baseline", "create", "--by", "me"]);
    let from_top = read(dir);
    std::fs::remove_file(dir.join(FILE)).unwrap();
    run(&dir.join("sub"), 0, &["baseline", "create", "--by", "me", "--baseline", "../.stanch-baseline.toml", ".."]);
    assert_eq!(read(dir), from_top);
    assert!(from_top.contains("path = \"sub/b.txt\""), "{from_top}");
}

#[test]
fn history_and_files_share_a_baseline() {
    let dir = tree(&[pat(1)]);
    let dir = dir.path();
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=me", "-c", "user.email=me@example.org"];
        assert!(Command::new("git").args(who).args(args).current_dir(dir).status().unwrap().success());
    };
    git(&["init", "-q"]);
    git(&["add", "a.txt"]);
    git(&["commit", "-qm", "x"]);
    put(dir, "a.txt", &[pat(2)]);
    run(dir, 0, &["baseline", "create", "--by", "me", "--history"]);
    assert!(read(dir).contains(", commit = \"") && read(dir).contains("path = \"a.txt\""), "{}", read(dir));
    // Neither kind of scan calls stale what only the other one reads.
    assert_eq!(counts(&scan(dir, 1, &["--baseline", FILE])), (1, 0, 0, 0));
    run(dir, 0, &["baseline", "update", "--by", "me"]);
    assert_eq!(read(dir).matches("fingerprint = ").count(), 2);
    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 1, 0, 0));
    assert_eq!(counts(&scan(dir, 0, &["--history", "--baseline", FILE])), (0, 1, 0, 0));
    put(dir, "a.txt", &[]);
    assert_eq!(counts(&scan(dir, 0, &["--history", "--baseline", FILE])), (0, 1, 0, 0));
    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 0, 1, 0));
    run(dir, 0, &["baseline", "prune"]);
    assert_eq!(counts(&scan(dir, 0, &["--history", "--baseline", FILE])), (0, 1, 0, 0));
}

#[test]
fn an_unread_file_is_no_part_of_a_baseline_and_said_to_be_none() {
    let dir = tree(&[pat(1)]);
    std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
    let said = run(dir.path(), 3, &["baseline", "create"]);
    assert!(said.contains("warning: 1 could not be read"), "{said}");
}

#[test]
fn a_hostile_path_is_seen_in_the_file_and_on_the_terminal() {
    let dir = tree(&[]);
    let dir = dir.path();
    put(dir, "a\n{ path = \u{202e}\x1b[2J\" },.txt", &[pat(1)]);
    run(dir, 0, &["baseline", "create"]);
    let text = read(dir);
    assert_eq!(text.lines().filter(|line| line.trim_start().starts_with("{ path = ")).count(), 1, "{text}");
    assert!(text.contains("\\U0000202E") && !text.contains('\u{202e}') && !text.contains('\x1b'), "{text}");
    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 1, 0, 0));
    let shown = run(dir, 0, &["baseline", "show"]);
    assert!(!shown.contains('\u{202e}') && !shown.contains('\x1b') && shown.contains("\\u{202e}"), "{shown}");
}

#[test]
fn git_merges_what_two_branches_add() {
    let dir = tree(&[]);
    let dir = dir.path();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b.c"]).args(args).current_dir(dir);
        assert!(git.output().unwrap().status.success(), "{args:?}");
    };
    let commit = |what: &str| {
        run(dir, 0, &["baseline", what]);
        git(&["add", "-A"]);
        git(&["commit", "-qm", what]);
    };
    git(&["init", "-q", "-b", "main"]);
    std::fs::write(dir.join(".gitattributes"), format!("{FILE} merge=union\n")).unwrap();
    [1, 5, 9].iter().for_each(|one| put(dir, &format!("{one}.txt"), &[pat(*one)]));
    commit("create");
    git(&["checkout", "-q", "-b", "other"]);
    // Each between the same two lines, and one on both branches.
    [2, 3, 7].iter().for_each(|one| put(dir, &format!("{one}.txt"), &[pat(*one)]));
    commit("update");
    git(&["checkout", "-q", "main"]);
    [4, 6, 7].iter().for_each(|one| put(dir, &format!("{one}.txt"), &[pat(*one)]));
    commit("update");
    git(&["merge", "-q", "-m", "both", "other"]);
    assert_eq!(counts(&scan(dir, 0, &["--baseline", FILE])), (0, 8, 0, 0));
    run(dir, 0, &["baseline", "update"]);
    let text = read(dir);
    let places: Vec<usize> = (1..=9).filter_map(|one| text.find(&format!("\"{one}.txt\""))).collect();
    assert!(places.len() == 8 && places.is_sorted() && text.matches("fingerprint = ").count() == 8, "{text}");
}

#[test]
fn gitleaks_reports_are_read_whole_and_redacted() {
    let dir = tree(&[pat(1), pat(2), pat(3)]);
    let dir = dir.path();
    let entropy = stanch::secret::entropy(pat(2).as_bytes()) as f32;
    let report = format!(
        r#"[{{"RuleID":"github-pat","File":"elsewhere","StartLine":9,"Secret":"{}","Entropy":4.1,"Commit":"c0ffee"}},
            {{"RuleID":"github-pat","File":"a.txt","StartLine":77,"Secret":"REDACTED","Entropy":{entropy}}}]"#,
        pat(1)
    );
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("gitleaks.json");
    std::fs::write(&file, report).unwrap();
    let found = scan(dir, 1, &["--baseline", file.to_str().unwrap()]);
    assert_eq!(counts(&found), (1, 2, 0, 0));
    assert_eq!(found["findings"][0]["line"], 3);
    let refused = run(dir, 2, &["baseline", "update", "--baseline", file.to_str().unwrap()]);
    assert!(refused.contains("written by gitleaks"), "{refused}");
    let shown = run(dir, 0, &["baseline", "show", "--baseline", file.to_str().unwrap()]);
    assert!(shown.contains("elsewhere:9 github-pat") && !shown.contains(&pat(1)), "{shown}");
}

#[test]
fn a_baseline_of_detect_secrets_is_read() {
    use sha1::{Digest, Sha1};
    let dir = tree(&[pat(1), pat(2)]);
    let dir = dir.path();
    let hash = data_encoding::HEXLOWER.encode(&Sha1::digest(pat(2)));
    let text = format!(
        r#"{{"version":"1.5.0","plugins_used":[{{"name":"GitHubTokenDetector"}}],"results":{{"a.txt":[{{
            "type":"GitHub Token","filename":"a.txt","hashed_secret":"{hash}","is_verified":false,"line_number":2
        }}]}},"generated_at":"2026-11-21T00:00:00Z"}}"#
    );
    std::fs::write(dir.join(".secrets.baseline"), text).unwrap();
    let found = scan(dir, 1, &["--baseline", ".secrets.baseline"]);
    assert_eq!((counts(&found), &found["findings"][0]["line"]), ((1, 1, 0, 0), &1.into()));
}

#[test]
fn a_broken_baseline_stops_the_run_and_repeats_nothing() {
    let dir = tree(&[pat(1)]);
    let dir = dir.path();
    run(dir, 2, &["scan", "--baseline", "missing.toml"]);
    for text in [format!("key = {}\n", pat(9)), format!("[\"{}\"]", pat(9)), format!("known = \"{}\"", pat(9))] {
        std::fs::write(dir.join("broken"), text).unwrap();
        let said = run(dir, 2, &["scan", "--baseline", "broken"]);
        assert!(said.contains("broken") && !said.contains(&pat(9)), "{said}");
    }
}

#[test]
fn an_interrupted_run_writes_no_baseline() {
    let dir = tree(&[pat(1)]);
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Nobody writes to the pipe, so the scan waits.
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("stanch"))
        .args(["baseline", "create", "a.txt", "pipe"])
        .current_dir(dir.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!dir.path().join(FILE).exists());
}

#[test]
fn only_a_scan_writes_reports() {
    let dir = tree(&[pat(1)]);
    let said = run(dir.path(), 2, &["baseline", "create", "-f", "json"]);
    assert!(said.contains("no report is written here"), "{said}");
    let help = run(dir.path(), 0, &["baseline", "create", "--help"]);
    assert!(help.contains("--exclude") && !help.contains("--format"), "{help}");
}

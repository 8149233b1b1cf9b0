//! What can go wrong outside of us: a message that says what to do, and never "clean" for what was not read.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::*;

#[test]
fn no_arguments_and_wrong_ones_are_usage() {
    let tree = Tree::new();
    tree.run(&[]).exits(2).says("Usage: stanch");
    tree.scan(&["--no-such"]).exits(2).says("unexpected argument '--no-such'");
    tree.scan(&["--jobs", "0"]).exits(2).says("1..=1024");
    tree.scan(&["-q", "-v"]).exits(2).says("cannot be used with");
    tree.run(&["--version"]).exits(0).prints(env!("CARGO_PKG_VERSION"));
    tree.run(&["scan", "--help"]).exits(0).prints("Usage: stanch scan");
}

/// Whoever gives a token where a path or a name belongs does not see it again.
#[test]
fn a_token_among_the_arguments_is_in_no_message() {
    let tree = Tree::with(&[("a", "x")]);
    let token = pat(3);
    let option = format!("--{token}");
    let glob = format!("[{token}");
    for args in [
        &["scan", &token][..],
        &["scan", &option],
        &["scan", "--exclude", &glob],
        &["scan", "-o", &format!("{token}/x")],
    ] {
        let ran = tree.run(args).exits(2);
        assert!(ran.err.len() > 20);
        hides(&ran.err, &token);
    }
    tree.write(".stanch.toml", format!("{token} = 1\n"));
    let ran = tree.scan(&[]).exits(2);
    hides(&ran.err, &token);
}

/// libgit2 looks for the rest of such an object for ever.
#[test]
fn a_head_that_is_cut_off_is_named_and_nobody_waits_for_it() {
    let tree = Tree::with(&[("a", &pat(1))]);
    tree.run_git(&["init", "-q"]);
    tree.run_git(&["add", "a"]);
    tree.run_git(&["commit", "-qm", "x"]);
    let head = std::fs::read_to_string(tree.path(".git/refs/heads/master"))
        .or_else(|_| std::fs::read_to_string(tree.path(".git/refs/heads/main")))
        .unwrap();
    let object = tree.path(&format!(".git/objects/{}/{}", &head[..2], head[2..].trim()));
    std::fs::set_permissions(&object, PermissionsExt::from_mode(0o644)).unwrap();
    for len in [60, 2] {
        std::fs::File::options().write(true).open(&object).unwrap().set_len(len).unwrap();
        tree.scan(&[]).exits(1);
        tree.scan(&["--history"]).exits(1);
        tree.scan(&["--staged"]);
        tree.scan(&["--history", "--range", "HEAD"]).exits(2).says("is cut off");
    }
}

#[test]
fn a_missing_target_stops_the_run_before_it_starts() {
    let tree = Tree::with(&[("leak", &pat(1))]);
    let ran = tree.scan(&["leak", "gone"]).exits(2);
    assert_eq!(ran.out, "");
    ran.says("gone: no such file or directory; check the spelling, or use - for standard input");
    tree.scan(&["leak/below"]).exits(3);
}

/// Tests may run as root, who can read everything: then the program runs as nobody.
fn powerless(tree: &Tree, args: &[&str]) -> Ran {
    let mut command = tree.stanch();
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        command.uid(65534).gid(65534);
    }
    Ran::of(command.args(args).output().unwrap())
}

#[test]
fn what_may_not_be_read_is_named() {
    let tree = Tree::with(&[("open/file", &pat(1)), ("file", "x"), ("dir/inner", &pat(2))]);
    let mode = |name: &str, mode| std::fs::set_permissions(tree.path(name), PermissionsExt::from_mode(mode)).unwrap();
    mode(".", 0o755);
    mode("file", 0);
    mode("dir", 0);
    // The program itself must be within reach of nobody.
    let reachable = powerless(&tree, &["--version"]);
    assert_eq!(reachable.code, Some(0), "{}", reachable.err);
    let ran = powerless(&tree, &["scan", "--format", "json"]).exits(1);
    let denied = |name: &str| (name.to_owned(), "permission-denied".to_owned());
    assert_eq!(skips(&ran.json()), [denied("dir"), denied("file")]);
    assert_eq!(by_path(&ran.json()), HashMap::from([("open/file".to_owned(), 1)]));
    powerless(&tree, &["scan", "file", "dir"]).exits(3).prints("run as a user who may read it");
    powerless(&tree, &["scan", "open", "--config", "file"]).exits(2).says("file: cannot read this configuration");
    powerless(&tree, &["scan", "open", "-o", "report"]).exits(2).says("no new file can be made in .");
    mode("dir", 0o755);
}

#[test]
fn a_path_that_is_no_utf8_is_read_and_shown() {
    let tree = Tree::new();
    let name = OsStr::from_bytes(b"bad-\xff\xfe-name");
    std::fs::write(tree.root().join(name), pat(1)).unwrap();
    let report = tree.json(&[]);
    let bytes = findings(&report)[0]["path_bytes_base64"].as_str().unwrap().to_owned();
    assert_eq!(data_encoding::BASE64.decode(bytes.as_bytes()).unwrap(), name.as_bytes());
    tree.scan(&[]).exits(1).prints(r"bad-\xff\xfe-name:1:1");
    tree.scan(&["--format", "sarif"]).exits(1).prints("bad-%FF%FE-name");
    let ran = Ran::of(tree.stanch().args(["scan", "--format", "json"]).arg(name).output().unwrap());
    assert_eq!(findings(&ran.exits(1).json()).len(), 1);
}

#[test]
fn a_name_cannot_give_orders_to_a_terminal() {
    let tree = Tree::new();
    tree.write("a\x1b[2J\n::error::x\u{202e}", format!("\x1b]0;title\x07 {} \u{202e}", pat(1)));
    for args in [&["-v"][..], &["--format", "json"], &["--format", "jsonl"], &["--format", "sarif"]] {
        let ran = tree.scan(args).exits(1);
        for text in [&ran.out, &ran.err] {
            assert!(text.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{text:?}");
            assert!(!text.lines().any(|line| line.starts_with("::")), "{text}");
        }
    }
}

/// Held open at its start by a FIFO before it in the order of the walk: then the tree changes.
#[test]
fn what_goes_away_while_the_scan_runs_is_named() {
    let tree = Tree::with(&[("b/file", &pat(1)), ("c", &pat(2))]);
    assert!(Command::new("mkfifo").arg(tree.path("a")).status().unwrap().success());
    let mut command = tree.stanch();
    command.args(["scan", "--jobs", "1", "--format", "json", "a", "b", "c"]).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    // The scan has started when somebody reads the FIFO.
    let mut pipe = std::fs::File::options().write(true).open(tree.path("a")).unwrap();
    // In one step: a directory that is emptied first may be listed in between, and then nothing that it holds is missing.
    std::fs::rename(tree.path("b"), tree.path("moved")).unwrap();
    pipe.write_all(pat(3).as_bytes()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let report = Ran::of(output).json();
    let seen = by_path(&report);
    assert_eq!((seen["a"], seen["c"]), (1, 1));
    // Whether the walk had listed the directory before it went is the scheduler's choice.
    if !seen.contains_key("b/file") {
        let skips = skips(&report);
        assert!(skips.iter().any(|(path, why)| path.starts_with('b') && why == "vanished"), "{skips:?}");
    }
}

/// A file of mostly nothing, cut off as soon as its first finding is told.
#[test]
fn a_file_that_shrinks_while_it_is_read_is_named() {
    let tree = Tree::with(&[("large", &format!("{}\n", pat(1)))]);
    let file = std::fs::File::options().write(true).open(tree.path("large")).unwrap();
    file.set_len(2 << 30).unwrap();
    let mut command = tree.stanch();
    let mut child =
        command.args(["scan", "--format", "jsonl", "--jobs", "1", "large"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains(&fingerprint(&pat(1)))));
    file.set_len(4 << 20).unwrap();
    let summary: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(summary["skips"][0]["reason"], "shrank");
    assert_eq!(summary["skips"][0]["advice"], "scan again when nothing writes to the file");
}

const OWN: &str = "[[rules]]\nid = 'own-a'\nregex = 'own_[0-9]{8}'\nkeywords = ['own_']\n";

#[test]
fn a_broken_rule_file_is_refused_with_its_place() {
    for (text, place, what) in [
        (OWN.replace("own_[", "(own_["), "rules.toml:3:10", "unclosed group"),
        (format!("{OWN}{OWN}"), "rules.toml:6:6", "own-a"),
        (OWN.replace("keywords", "keyword"), "rules.toml:4:1", "keyword"),
        (OWN.replace("'own-a'", "own-a"), "rules.toml:2:", ""),
        (format!("{OWN}proof = 'crc'\n"), "rules.toml:5:9", "github-crc32"),
        (format!("{OWN}secretGroup = 3\n"), "rules.toml:5:15", "group"),
    ] {
        let tree = Tree::with(&[("rules.toml", &text), ("leak", &pat(1))]);
        let ran = tree.scan(&["--rules", "rules.toml", "leak"]).exits(2);
        assert_eq!(ran.out, "", "nothing is scanned with rules that are not meant");
        ran.says(place).says(what);
    }
    let tree = Tree::with(&[("rules.toml", OWN), ("leak", "x own_12345678 y")]);
    assert_eq!(findings(&tree.json(&["--rules", "rules.toml", "leak"])).len(), 1);
    tree.scan(&["--rules", "gone.toml"]).exits(2).says("gone.toml: cannot read this rule file");
}

#[test]
fn a_rule_about_names_of_files_finds_the_file() {
    let rules = "[[rules]]\nid = 'own-p12'\npath = '\\.p12$'\n[[rules.allowlists]]\npaths = ['^ok/']\n";
    let tree = Tree::with(&[("rules.toml", rules), ("x.p12", "x"), ("ok/y.p12", ""), ("empty.p12", ""), ("p12", "x")]);
    let found = tree.json(&["--rules", "rules.toml"]);
    let places: Vec<_> = findings(&found).iter().map(|finding| finding["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(places, ["empty.p12", "x.p12"]);
    let prints: Vec<_> = findings(&found).iter().map(|finding| finding["fingerprint"].clone()).collect();
    assert_ne!(prints[0], prints[1], "each file is known by itself");
    let shown = tree.scan(&["--rules", "rules.toml", "x.p12"]).exits(1);
    assert!(shown.out.contains("own-p12") && shown.out.contains("x.p12:1:1"), "{}", shown.out);
}

/// An empty file, an empty directory, nothing on standard input: read, and clean.
#[test]
fn nothing_is_clean() {
    let tree = Tree::with(&[("empty", "")]);
    std::fs::create_dir(tree.path("dir")).unwrap();
    tree.scan(&["empty"]).exits(0).prints("nothing found in 1 file");
    tree.scan(&["dir"]).exits(0).prints("nothing found in 0 files");
    tree.with_stdin(&["scan", "-"], b"").exits(0).prints("nothing found in 1 stream");
}

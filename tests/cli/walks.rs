//! Targets, what a walk enters, and what it says of what it does not.

use std::os::unix::fs::symlink;

use super::*;

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn pair(path: &str, reason: &str) -> (String, String) {
    (path.to_owned(), reason.to_owned())
}

#[test]
fn files_directories_and_standard_input_are_targets() {
    let tree = Tree::with(&[("a/one", &pat(1)), ("a/b/two", &pat(2)), ("three", &pat(3))]);
    let paths = |args: &[&str]| found(&tree.json(args)).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(&[]), ["a/b/two", "a/one", "three"]);
    assert_eq!(paths(&["a"]), ["a/b/two", "a/one"]);
    assert_eq!(paths(&["three", "a/one"]), ["three", "a/one"], "in the order in which they were named");
    assert_eq!(paths(&["./a/../three"]), ["a/../three"]);
    let absolute = tree.path("three").display().to_string();
    assert_eq!(paths(&[&absolute]), [absolute.as_str()]);
    let ran = tree.with_stdin(&["scan", "-", "--format", "json"], pat(4).as_bytes()).exits(1);
    assert_eq!(found(&ran.json()), [("<stdin>".to_owned(), fingerprint(&pat(4)))]);
    let ran = tree.with_stdin(&["scan", "/dev/stdin", "--format", "json"], pat(4).as_bytes()).exits(1);
    assert_eq!(ran.json()["summary"]["streams"], 1);
    assert_eq!(by_path(&ran.json())["/dev/stdin"], 1);
}

#[test]
fn fifos_and_process_substitutions_are_streams() {
    let tree = Tree::with(&[("leak", &format!("key = {}\n", pat(5)))]);
    fifo(&tree.path("pipe"));
    let mut writer = Command::new("cp").arg(tree.path("leak")).arg(tree.path("pipe")).spawn().unwrap();
    let report = tree.json(&["pipe"]);
    writer.wait().unwrap();
    assert_eq!(found(&report), [("pipe".to_owned(), fingerprint(&pat(5)))]);
    assert_eq!(findings(&report)[0]["origin"], "stream");
    let script = format!("{} scan --format json <(cat leak)", env!("CARGO_BIN_EXE_stanch"));
    let output = Command::new("bash").args(["-c", &script]).current_dir(tree.root()).output().unwrap();
    assert_eq!(findings(&Ran::of(output).exits(1).json()).len(), 1);
}

#[test]
fn a_fifo_inside_a_directory_is_named_and_not_read() {
    let tree = Tree::with(&[("file", "nothing")]);
    fifo(&tree.path("pipe"));
    let report = tree.json(&[]);
    assert_eq!(skips(&report), [pair("pipe", "special-file")]);
    tree.scan(&[]).exits(3).prints("name it as a target of its own to read it as a stream");
}

#[test]
fn hidden_and_ignored_files_are_read() {
    let (tree, _) = Tree::git(&[
        (".gitignore", ".env\nout/\n"),
        (".env", &pat(1)),
        (".hidden/deep/.file", &pat(2)),
        ("out/log", &pat(3)),
        ("seen", &pat(4)),
    ]);
    let report = tree.json(&["."]);
    assert_eq!(by_path(&report).len(), 4);
    let tracking: Vec<_> =
        findings(&report).iter().map(|it| (it["path"].as_str().unwrap(), it["tracking"].as_str().unwrap())).collect();
    assert_eq!(
        tracking,
        [(".env", "ignored"), (".hidden/deep/.file", "untracked"), ("out/log", "ignored"), ("seen", "untracked")]
    );
    let respectful = tree.json(&["--respect-gitignore", "."]);
    let paths: Vec<_> = found(&respectful).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, [".hidden/deep/.file", "seen"]);
}

#[test]
fn what_git_tracks_is_told_and_its_store_is_not_entered() {
    let (tree, repository) = Tree::git(&[("tracked", &pat(1)), ("sub/.git/config", &pat(2)), ("sub/file", &pat(3))]);
    let mut index = repository.index().unwrap();
    index.add_path(Path::new("tracked")).unwrap();
    index.write().unwrap();
    tree.write(".git/leak", pat(4));
    let report = tree.json(&["."]);
    assert_eq!(found(&report).into_iter().map(|(path, _)| path).collect::<Vec<_>>(), ["sub/file", "tracked"]);
    assert_eq!(findings(&report)[1]["tracking"], "tracked");
    assert_eq!(findings(&tree.json(&[".git/leak"])).len(), 1, "but it can be named");
}

#[test]
fn links_are_not_followed_out_of_the_target() {
    let outside = Tree::with(&[("secret", &pat(1))]);
    let tree = Tree::with(&[("real/file", &pat(2))]);
    symlink("file", tree.path("real/inside")).unwrap();
    symlink("real", tree.path("dir-inside")).unwrap();
    symlink(outside.path("secret"), tree.path("outside")).unwrap();
    symlink(outside.root(), tree.path("dir-outside")).unwrap();
    symlink("nowhere", tree.path("broken")).unwrap();
    symlink("loop-b", tree.path("loop-a")).unwrap();
    symlink("loop-a", tree.path("loop-b")).unwrap();
    symlink("..", tree.path("real/up")).unwrap();
    let report = tree.json(&[]);
    assert_eq!(found(&report), [("real/file".to_owned(), fingerprint(&pat(2)))], "once, under its own name");
    assert_eq!(
        skips(&report),
        [
            pair("broken", "broken-symlink"),
            pair("dir-outside", "symlink-outside"),
            pair("loop-a", "symlink-loop"),
            pair("loop-b", "symlink-loop"),
            pair("outside", "symlink-outside"),
        ]
    );
    for (link, advice) in [
        ("broken", "remove the link or restore what it points to"),
        ("loop-a", "remove one of the links of the circle"),
    ] {
        tree.scan(&[link]).exits(3).prints(advice);
    }
    assert_eq!(by_path(&tree.json(&["dir-outside"])), HashMap::from([("dir-outside/secret".to_owned(), 1)]), "named");
    assert_eq!(findings(&tree.json(&["outside"])).len(), 1);
}

#[test]
fn a_skip_can_be_accepted_by_its_reason_and_is_still_counted() {
    let tree = Tree::with(&[("file", "nothing")]);
    symlink("nowhere", tree.path("broken")).unwrap();
    tree.scan(&[]).exits(3).prints("this is not a clean result");
    let accepted = tree.json(&["--accept-skip", "broken-symlink"]);
    assert_eq!(accepted["summary"]["exit_code"], 0);
    assert_eq!(accepted["summary"]["skips"][0]["accepted"], true);
    tree.scan(&["--accept-skip", "too-large"]).exits(3);
    tree.scan(&["--accept-skip", "whatever"]).exits(2).says("broken-symlink");
    tree.write("leak", pat(1));
    tree.scan(&[]).exits(1).prints("1 secret found").prints("and 1 could not be read");
}

#[test]
fn excluded_is_counted_and_a_bad_glob_is_refused() {
    let tree = Tree::with(&[("a/vendor/x", &pat(1)), ("a/vendor/y", &pat(2)), ("b.lock", &pat(3)), ("c", &pat(4))]);
    let report = tree.json(&["--exclude", "vendor", "--exclude", "*.lock"]);
    assert_eq!(by_path(&report).into_keys().collect::<Vec<_>>(), ["c"]);
    assert_eq!(report["summary"]["excluded"], 2);
    tree.scan(&["--exclude", "a{b"]).exits(2).says("--exclude");
}

#[test]
fn the_size_limit_makes_a_named_skip() {
    let tree = Tree::with(&[("small", "x"), ("large", &"x".repeat(3000))]);
    let report = tree.json(&["--max-size", "2k"]);
    assert_eq!(skips(&report), [pair("large", "too-large")]);
    tree.scan(&["--max-size", "2k"])
        .exits(3)
        .prints("raise or drop --max-size")
        .prints("3000 bytes, --max-size is 2048");
    tree.scan(&["--max-size", "3000"]).exits(0);
    tree.scan(&["--max-size", "many"]).exits(2).says("write bytes, or 64k, 10MB, 1GiB");
}

#[test]
fn the_same_file_through_two_targets_is_read_twice_and_says_so() {
    let tree = Tree::with(&[("a/f", &pat(1))]);
    assert_eq!(by_path(&tree.json(&["a", "a/f"]))["a/f"], 2);
}

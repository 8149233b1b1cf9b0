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
fn names_are_searched_too() {
    let tree = Tree::new();
    tree.write(&format!("a/{}.txt", pat(1)), "nothing");
    tree.write(&format!("a/dir-{}/below/file", pat(2)), "nothing");
    tree.write("a/plain", "nothing");
    symlink("plain", tree.path(&format!("a/{}", pat(3)))).unwrap();
    tree.write(&format!("a/{}/to", "f".repeat(40)), "nothing");
    symlink(format!("dir-{}/below/file", pat(2)), tree.path("a/link")).unwrap();
    let fingerprints = |report: &Value| {
        let all = findings(report).iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned());
        let mut all = all.collect::<Vec<_>>();
        all.sort();
        all
    };
    let [one, two, three] = [1, 2, 3].map(|seed| fingerprint(&pat(seed)));
    let report = tree.json(&["a"]);
    let mut wanted = [&two, &one, &three, &two].map(Clone::clone);
    wanted.sort();
    assert_eq!(fingerprints(&report), wanted);
    assert!(by_path(&report).keys().all(|name| name == "names in a"), "{report}");
    // One target inside another does not tell a name twice.
    assert_eq!(fingerprints(&tree.json(&["a", "."])).len(), 4);
    let file = format!("{}.txt", pat(1));
    let ran = tree.stanch().current_dir(tree.path("a")).args(["scan", &file, "--format", "json"]).output().unwrap();
    let report = Ran::of(ran).exits(1).json();
    assert_eq!((fingerprints(&report), by_path(&report)["names in ."]), (vec![one], 1));
    tree.scan(&["a", "--exclude", "*ghp_*", "--exclude", "link"]).exits(0);
}

#[test]
fn a_closed_standard_input_is_not_an_empty_one() {
    let tree = Tree::new();
    let with = |redirection: &str| {
        let script = format!("{} scan --format json - {redirection}", env!("CARGO_BIN_EXE_stanch"));
        let output = Command::new("sh").args(["-c", &script]).current_dir(tree.root()).output().unwrap();
        skips(&Ran::of(output).json())
    };
    assert_eq!(with("<&-"), [pair("<stdin>", "read-error")]);
    assert_eq!(with("</dev/null"), []);
    tree.write("empty", "");
    assert_eq!(with("<empty"), []);
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
fn a_file_that_several_targets_lead_to_is_read_once() {
    let (tree, _) = Tree::git(&[("a/f", &pat(1)), ("a/b/g", &pat(2)), ("c", &pat(3)), ("out/h", &pat(4))]);
    symlink("a/f", tree.path("link")).unwrap();
    let paths = |args: &[&str]| found(&tree.json(args)).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(&["a", "a/f"]), ["a/b/g", "a/f"]);
    assert_eq!(paths(&["a/f", "a"]), ["a/f", "a/b/g"]);
    assert_eq!(paths(&["a", "c", "a"]), ["a/b/g", "a/f", "c"]);
    assert_eq!(paths(&["c", "link", "./a/b", "."]), ["c", "link", "a/b/g", "out/h"]);
    // What a target leaves out another one may name.
    tree.write(".gitignore", "out\n");
    assert_eq!(paths(&["--respect-gitignore", "a", ".", "out"]), ["a/b/g", "a/f", "c", "out/h"]);
}

#[test]
fn tracked_files_are_read_whatever_ignores_them() {
    let (tree, _) = Tree::git(&[
        ("a.log", &pat(1)),
        ("out/deep/f", &pat(2)),
        ("out/not", &pat(3)),
        ("out/vendor/f", &pat(4)),
        ("sub/x.log", &pat(5)),
        ("z.log", &pat(6)),
        ("inner/y.log", &pat(7)),
        ("seen", &pat(8)),
    ]);
    let inner = git2::Repository::init(tree.path("inner")).unwrap();
    let mut index = inner.index().unwrap();
    index.add_path(Path::new("y.log")).unwrap();
    index.write().unwrap();
    tree.run_git(&["add", "a.log", "out/deep/f", "out/vendor/f", "sub/x.log"]);
    tree.write(".gitignore", "*.log\nout/\n");
    let paths = |args: &[&str]| {
        let report = tree.json(&[&["--respect-gitignore"], args].concat());
        let paths: Vec<_> = found(&report).into_iter().map(|(path, _)| path).collect();
        (paths, report["summary"]["excluded"].as_u64().unwrap())
    };
    let all = ["a.log", "inner/y.log", "out/deep/f", "out/vendor/f", "seen", "sub/x.log"].map(str::to_owned).to_vec();
    assert_eq!(paths(&["."]), (all.clone(), 0));
    let absolute = tree.root().display().to_string();
    assert_eq!(paths(&[&absolute]).0, all.iter().map(|path| format!("{absolute}/{path}")).collect::<Vec<_>>());
    assert_eq!(paths(&["sub"]).0, ["sub/x.log"]);
    let (excluding, excluded) = paths(&[".", "--exclude", "vendor", "--exclude", "*.log"]);
    assert_eq!((excluding, excluded), (vec!["out/deep/f".to_owned(), "seen".to_owned()], 4));
    // A directory that a link took the place of is not where git has its file.
    std::fs::rename(tree.path("out/deep"), tree.path("out/elsewhere")).unwrap();
    symlink("elsewhere", tree.path("out/deep")).unwrap();
    assert!(!paths(&["."]).0.contains(&"out/deep/f".to_owned()));
    tree.write(".git/index", "no index");
    assert_eq!(skips(&tree.json(&["--respect-gitignore", "."])).len(), 1);
}

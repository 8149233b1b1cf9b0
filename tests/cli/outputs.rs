//! Reports: where they go, that they are the same each time, and that none shows a secret.

use std::os::unix::fs::{PermissionsExt, symlink};

use stanch::report::Format;

use super::*;

/// A tree with something of everything.
fn rich() -> (Tree, Vec<String>) {
    let tree = Tree::new();
    let mut tokens = Vec::new();
    for (number, rule) in (0..).zip(&RULES.rules) {
        let press = Press::new(rule).unwrap();
        // A password of a few letters stands in any text by chance.
        let draws = (0..64).filter_map(|draw| press.token(7000 + number + 1000 * draw));
        let token = draws.into_iter().find(|token| token.len() >= 8).expect("one that is long enough");
        let leak = rule.leaks[0].replace("<mint>", &token);
        let comment = if number % 5 == 0 { " # stanch:allow in a test" } else { "" };
        tree.write(&format!("d{}/{}.txt", number % 7, rule.id), format!("head\n{leak}{comment}\n{leak}\n"));
        tokens.push(token);
        if let Some(broken) = press.broken(number) {
            tree.write(&format!("look-alikes/{}", rule.id), format!("{broken}\n"));
        }
    }
    std::os::unix::fs::symlink("nowhere", tree.path("broken")).unwrap();
    (tree, tokens)
}

#[test]
fn order_does_not_matter() {
    let (tree, _) = rich();
    for format in FORMATS {
        let once = tree.scan(&["--jobs", "1", "--format", format, "--confidence", "low", "--show-allowed"]).exits(1);
        for jobs in ["2", "16"] {
            let again = tree.scan(&["--jobs", jobs, "--format", format, "--confidence", "low", "--show-allowed"]);
            assert!(once.out == again.out, "{format} differs with {jobs} threads");
        }
    }
}

/// All formats, all that is written to standard error, with everything shown that can be shown.
#[test]
fn nothing_that_is_written_shows_a_secret() {
    let (tree, tokens) = rich();
    let odd = pat(99);
    tree.write(&format!("name-{odd}"), format!("{odd} {}", data_encoding::BASE64.encode(odd.as_bytes())));
    let mut texts = Vec::new();
    for format in FORMATS {
        let ran = tree.scan(&["--format", format, "--confidence", "low", "--show-allowed", "-v"]).exits(1);
        texts.extend([ran.out, ran.err]);
    }
    // Tokens where a user might put one by mistake: in options, names, configuration.
    for args in
        [&["--exclude", &odd][..], &["--max-size", &odd], &["--rule", &odd], &["--config", &odd], &["-o", &odd, &odd]]
    {
        let ran = tree.scan(args);
        assert!(ran.code.is_some());
    }
    let all = texts.concat();
    hides_all(&all, tokens.iter().chain([&odd]).map(String::as_str));
}

#[test]
fn a_report_file_is_its_owners_alone_and_appears_whole() {
    let tree = Tree::with(&[("src/leak", &pat(1))]);
    tree.write("report.json", "old");
    for format in FORMATS {
        tree.scan(&["src", "--format", format, "-o", "report.json"]).exits(1);
        let direct = tree.scan(&["src", "--format", format]);
        assert_eq!(std::fs::read_to_string(tree.path("report.json")).unwrap(), direct.out, "{format}");
        let mode = std::fs::metadata(tree.path("report.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let names: Vec<_> = std::fs::read_dir(tree.root()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left behind: {names:?}");
}

#[test]
fn an_output_that_cannot_be_written_stops_the_run_and_touches_nothing() {
    let tree = Tree::with(&[("leak", &pat(1)), ("report", "old")]);
    std::fs::create_dir(tree.path("dir")).unwrap();
    tree.scan(&["-o", "gone/report"])
        .exits(2)
        .says("cannot write gone/report")
        .says("choose a directory that is there");
    tree.scan(&["-o", "dir"]).exits(2).says("cannot write dir: it is a directory; name a file in it");
    tree.scan(&["--report", "json=report", "--report", "text=gone/x"]).exits(2);
    assert_eq!(std::fs::read_to_string(tree.path("report")).unwrap(), "old");
    tree.scan(&["gone", "-o", "report"]).exits(2);
    assert_eq!(std::fs::read_to_string(tree.path("report")).unwrap(), "old");
}

/// A full disk loses one report and no other, and the exit says so.
#[test]
fn a_report_that_fails_takes_no_other_with_it() {
    let tree = Tree::with(&[("leak", &pat(1))]);
    let ran = tree.scan(&["leak", "--report", "json=/dev/full", "--report", "text"]).exits(2);
    ran.says("cannot write /dev/full").prints("1 secret found");
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&std::fs::metadata("/dev/full").unwrap().file_type()));
}

#[test]
fn devices_and_links_stay_what_they_are() {
    let tree = Tree::with(&[("leak", &pat(1)), ("real/report", "old")]);
    tree.scan(&["leak", "-o", "/dev/null"]).exits(1);
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&std::fs::metadata("/dev/null").unwrap().file_type()));
    std::os::unix::fs::symlink("real/report", tree.path("link")).unwrap();
    tree.scan(&["leak", "-o", "link"]).exits(1);
    assert!(tree.path("link").is_symlink());
    assert!(std::fs::read_to_string(tree.path("real/report")).unwrap().contains("1 secret found"));
    symlink("../later", tree.path("real/next")).unwrap();
    symlink("real/next", tree.path("dangling")).unwrap();
    tree.scan(&["leak", "-o", "dangling"]).exits(1);
    assert!(tree.path("dangling").is_symlink() && tree.path("real/next").is_symlink());
    assert!(std::fs::read_to_string(tree.path("later")).unwrap().contains("1 secret found"));
    symlink("round", tree.path("round")).unwrap();
    tree.scan(&["leak", "-o", "round"]).exits(1);
    tree.scan(&["leak", "-o", "-"]).exits(1).prints("1 secret found");
    tree.scan(&["leak", "-o", "/dev/stdout"]).exits(1).prints("1 secret found");
}

#[test]
fn the_report_that_is_being_written_is_no_part_of_the_tree() {
    let tree = Tree::with(&[("leak", &pat(1))]);
    tree.scan(&["-o", "report.jsonl", "--format", "jsonl", "--report", "json=report.json"]).exits(1);
    let report: Value = serde_json::from_slice(&std::fs::read(tree.path("report.json")).unwrap()).unwrap();
    assert_eq!(report["summary"]["files"], 1);
}

#[test]
fn several_reports_come_from_one_run() {
    let tree = Tree::with(&[("src/leak", &pat(1))]);
    let args =
        ["src", "--report", "text", "--report", "sarif=a.sarif", "--report", "json=b.json", "--report", "jsonl=c"];
    let ran = tree.scan(&args).exits(1).prints("1 secret found");
    assert_eq!(ran.out, tree.scan(&["src"]).out);
    for (file, format) in [("a.sarif", "sarif"), ("b.json", "json"), ("c", "jsonl")] {
        assert_eq!(std::fs::read_to_string(tree.path(file)).unwrap(), tree.scan(&["src", "-f", format]).out);
    }
    tree.scan(&["--report", "text", "--report", "json"]).exits(2).says("two reports would go to standard output");
    tree.scan(&["--report", "text=x", "--report", "json=x"]).exits(2).says("two reports would go to x");
    tree.scan(&["--report", "xml"]).exits(2).says("text, json, jsonl, sarif");
}

#[test]
fn jsonl_holds_what_json_holds() {
    let (tree, _) = rich();
    let json = tree.json(&["--show-allowed"]);
    let jsonl = tree.scan(&["--show-allowed", "--format", "jsonl"]).exits(1);
    let lines: Vec<Value> = jsonl.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let without_type = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove("type");
        value
    };
    assert_eq!(lines[0]["type"], "header");
    let middle: Vec<Value> = lines[1..lines.len() - 1].iter().map(without_type).collect();
    for (one, other) in middle.iter().zip(findings(&json)) {
        assert_eq!(one, other);
    }
    assert_eq!(middle.len(), findings(&json).len());
    assert_eq!(without_type(&lines[lines.len() - 1]), json["summary"]);
}

#[test]
fn quiet_says_nothing_and_verbose_says_more() {
    let tree = Tree::with(&[("leak", &pat(1))]);
    for name in (0..15).map(|number| format!("link{number:02}")) {
        std::os::unix::fs::symlink("nowhere", tree.path(&name)).unwrap();
    }
    assert_eq!(tree.scan(&["-q", "--format", "json"]).exits(1).err, "");
    let ran = tree.scan(&["--format", "json"]).exits(1).says("1 found, 0 allowed, 15 not read");
    drop(ran);
    let brief = tree.scan(&[]).exits(1).prints("and 5 more (-v names all)");
    assert!(!brief.out.contains("link14"));
    tree.scan(&["-v"]).exits(1).prints("link14").says("MB/s");
    tree.scan(&["--format", "json", "link00"]).exits(3).says("this is not a clean result");
}

#[test]
fn colours_are_for_terminals() {
    let tree = Tree::with(&[("leak", &pat(1))]);
    assert!(!tree.scan(&[]).out.contains('\x1b'));
    let forced = |args: &[&str], no_color: &str| {
        let mut command = tree.stanch();
        command.args([&["scan"], args].concat()).env("CLICOLOR_FORCE", "1");
        if !no_color.is_empty() {
            command.env("NO_COLOR", no_color);
        }
        Ran::of(command.output().unwrap()).exits(1).out.contains('\x1b')
    };
    assert!(forced(&[], ""));
    assert!(!forced(&["--no-color"], ""));
    assert!(!forced(&[], "1"));
    assert!(!forced(&["-o", "/dev/stdout"], ""), "a file gets none");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let tree = Tree::new();
    for number in 0..400 {
        tree.write(&format!("f{number:03}"), pat(number));
    }
    for format in FORMATS {
        let mut command = tree.stanch();
        command.args(["scan", "--format", format, "--report", "json=whole.json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains("error"), "{format}: {err}");
        let whole: Value = serde_json::from_slice(&std::fs::read(tree.path("whole.json")).unwrap()).unwrap();
        assert_eq!(whole["summary"]["reported"], 400, "the other report is whole");
        std::fs::remove_file(tree.path("whole.json")).unwrap();
    }
}

#[test]
fn a_name_that_is_a_token_is_shown_nowhere() {
    let tree = Tree::with(&[(&format!("{}/file", pat(2)), &format!("key = {}\n", pat(1)))]);
    tree.write(&format!("{}.rar", pat(3)), b"Rar!\x1a\x07\x01\0and so on");
    symlink(pat(4), tree.path("link")).unwrap();
    let nowhere = tree.path(&pat(5)).display().to_string();
    symlink(&nowhere, tree.path(&format!("to-{}", pat(5)))).unwrap();
    for format in Format::ALL {
        let ran = tree.scan(&["--format", format.as_str(), "."]).exits(1);
        for number in 1..=5 {
            hides(&ran.out, &pat(number));
            hides(&ran.err, &pat(number));
        }
    }
    let report = tree.json(&["."]);
    let mut paths: Vec<_> = found(&report).into_iter().map(|(path, _)| path).collect();
    paths.sort();
    paths.dedup();
    assert!(paths.len() == 2 && paths[0].starts_with("ghp_****") && paths[1] == "names in .", "{report}");
    assert_eq!((found(&report).len(), skips(&report).len()), (6, 3), "{report}");
    // What only looks like one by its length is what leads to the file.
    let name = format!("{}.txt", "0123456789abcdef".repeat(4));
    let tree = Tree::with(&[(&name, &pat(1))]);
    assert_eq!(by_path(&tree.json(&[]))[&name], 1);
}

#[test]
fn two_passwords_in_like_places_are_two() {
    let line = |number: u64| format!("password = \"Harbor{}!q\"\n", 4127 + 31 * number);
    let tree =
        Tree::with(&[("a.py", &[line(1), "x = 1\n".repeat(40), line(2), "x = 1\n".repeat(40), line(2)].concat())]);
    let ran = tree.scan(&[]).exits(1);
    assert_eq!(ran.out.matches("the same secret as in").count(), 1, "{}", ran.out);
    assert!(ran.out.contains("the same secret as in a.py:42"), "{}", ran.out);
    assert!(!ran.out.contains("or the fingerprint in"), "{}", ran.out);
    // A token is one wherever it stands.
    let ran = Tree::with(&[("a", &pat(1)), ("b", &pat(1))]).scan(&[]).exits(1);
    assert!(ran.out.contains("the same secret as in a:1") && ran.out.contains("or the fingerprint in"), "{}", ran.out);
}

#[test]
fn a_baseline_holds_no_token_of_a_name() {
    let tree = Tree::with(&[(&format!("k-{}/f", pat(1)), &format!("t = {}\n", pat(2)))]);
    tree.run(&["baseline", "create", "."]).exits(0);
    hides(&std::fs::read_to_string(tree.path(".stanch-baseline.toml")).unwrap(), &pat(1));
    hides(&tree.run(&["baseline", "show"]).exits(0).out, &pat(1));
}

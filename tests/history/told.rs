//! How a finding is told: by which path, by whose commit, and under which name.

use super::*;

fn output(repository: &Repository, format: &str) -> Value {
    let output = run(&repository.top(), &["--format", format]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Each commit a second later: none is as old as another.
fn renamed(r: &Repository, from: &str, to: &str, second: u64) {
    r.git(&["mv", from, to]);
    let date = format!("2026-05-01T00:00:{second:02}Z");
    git_with(&r.top(), &[("GIT_COMMITTER_DATE", &date)], &["commit", "-q", "-m", to]);
}

/// The commit that is named has the file under the path that is named with it; whoever points at a line of HEAD takes the path there.
#[test]
fn a_path_is_the_one_it_had_first_and_platforms_get_that_of_head() {
    let r = Repository::new();
    let first = r.put("z.env", format!("key = {}\n", token(1)), "leak");
    renamed(&r, "z.env", "a.env", 1);
    renamed(&r, "a.env", "m.env", 2);
    let scanned = r.scan(&[]);
    let finding = scanned.one(&token(1), "blob");
    assert_eq!(
        (&finding["path"], &finding["history"]["introduced"][0]["commit"]),
        (&"z.env".into(), &first.as_str().into())
    );
    let paths: Vec<&Value> =
        finding["history"]["paths"].as_array().expect("a list").iter().map(|it| &it["path"]).collect();
    assert_eq!(paths, ["a.env", "m.env", "z.env"]);
    let place = &output(&r, "gitlab")["vulnerabilities"][0]["location"];
    assert_eq!((&place["file"], &place["commit"]["sha"]), (&"z.env".into(), &first.as_str().into()));
    let result = &output(&r, "sarif")["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "m.env");
    assert_eq!(
        (&result["properties"]["commit"], &result["properties"]["inHead"]),
        (&first.as_str().into(), &true.into())
    );
    assert_eq!(output(&r, "codequality")[0]["location"]["path"], "m.env");
    assert_eq!(output(&r, "bitbucket")["annotations"][0]["path"], "m.env");
    let said = run(&r.top(), &["--format", "github"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("file=m.env"), "{said:?}");
    // Where it is remembered, too; and gone from HEAD it stands where it stood first.
    let cache = tempfile::tempdir().expect("a directory");
    let cached = ["--cache", cache.path().to_str().expect("text")];
    assert_eq!(r.scan(&cached).text, r.scan(&cached).text);
    r.git(&["rm", "-q", "m.env"]);
    r.commit("gone");
    let result = &output(&r, "sarif")["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "z.env");
}

/// What was written down when an object had one path holds when it has others, though its fingerprint is one of its place.
#[test]
fn a_known_place_is_known_by_any_path_that_it_had() {
    let r = Repository::new();
    let weak = format!("db_pass{} = \"{}\"\n", "word", ["vR7k", "2Wq9", "Zt4p"].concat());
    r.put("b.env", &weak, "one");
    renamed(&r, "b.env", "a.env", 1);
    renamed(&r, "a.env", "c.env", 2);
    let own = r.scan(&[]).findings()[0]["fingerprint"].as_str().expect("text").to_owned();
    for name in ["a.env", "b.env", "c.env"] {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(name), &weak).expect("ours");
        let mut files = Command::new(env!("CARGO_BIN_EXE_stanch"));
        files.current_dir(dir.path()).args(["scan", "-q", "-f", "json"]).env_remove("STANCH_FINGERPRINT_KEY");
        let report: Value = serde_json::from_slice(&files.output().expect("it runs").stdout).expect("a report");
        let seen = report["findings"][0]["fingerprint"].as_str().expect("text");
        assert_eq!(seen == own, name == "b.env");
        let config = dir.path().join("config.toml");
        fs::write(&config, format!("[allowlist]\nfingerprints = [\"{seen}\"]\n")).expect("ours");
        let scanned = r.scan(&["--config", config.to_str().expect("text")]);
        assert_eq!((scanned.exit, scanned.findings().len()), (0, 0), "{name}: {}", scanned.text);
        let mut known = Command::new(env!("CARGO_BIN_EXE_stanch"));
        known.current_dir(dir.path()).args(["baseline", "create", "--by", "me"]).env_remove("STANCH_FINGERPRINT_KEY");
        assert!(known.output().expect("it runs").status.success());
        let scanned = r.scan(&["--baseline", dir.path().join(".stanch-baseline.toml").to_str().expect("text")]);
        assert_eq!((scanned.exit, &scanned.report["summary"]["baselined"]), (0, &1.into()), "{name}: {}", scanned.text);
    }
}

/// One bit of a table gives an object a name that nobody uses: git does not look either, before `git fsck`.
#[test]
fn what_an_index_calls_by_another_name_is_told_by_its_own_and_named() {
    for what in ["HEAD", "HEAD:a"] {
        let r = Repository::new();
        r.put("x", "nothing\n", "base");
        r.git(&["checkout", "-q", "-b", "gone"]);
        r.put("a", format!("key = {}\n", token(1)), "leak");
        let (commit, name) = (r.git(&["rev-parse", "HEAD"]), r.git(&["rev-parse", what]));
        r.git(&["repack", "-q", "-a", "-d"]);
        r.git(&["checkout", "-q", "main"]);
        r.git(&["branch", "-q", "-D", "gone"]);
        let index = packs(&r.top().join(".git"), "idx").remove(0);
        let mut bytes = fs::read(&index).expect("an index");
        let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&name[2 * at..2 * at + 2], 16).expect("hex")).collect();
        let at = bytes.windows(20).position(|row| row == raw).expect("a row");
        bytes[at + 10] ^= 1;
        fs::remove_file(&index).expect("ours");
        fs::write(&index, bytes).expect("ours");
        let scanned = r.scan(&[]);
        assert!(scanned.exit == 1 && scanned.skips().contains(&"corrupt-object"), "{what}: {}", scanned.text);
        assert!(scanned.text.contains(&format!("kept under this name is {name}")), "{what}: {}", scanned.text);
        let finding = scanned.one(&token(1), "blob");
        let brought = &finding["history"]["introduced"];
        assert!(what != "HEAD" || brought[0]["commit"] == commit.as_str(), "{}", scanned.text);
        assert!(what == "HEAD" || finding["object"]["id"] == name.as_str(), "{}", scanned.text);
    }
}

#[test]
fn subjects_are_those_of_git_log() {
    let r = Repository::new();
    for message in ["\n\nfirst\nsecond \n\nthird", "one", "  a\n \nb", "x\r\ny\n"] {
        r.write("a", format!("key = {} {message}\n", token(1)));
        r.git(&["add", "a"]);
        r.git(&["commit", "-q", "--cleanup=verbatim", "-m", message]);
    }
    let scanned = r.scan(&[]);
    let mut told: Vec<&str> =
        scanned.of(&token(1)).iter().filter_map(|it| it["history"]["introduced"][0]["subject"].as_str()).collect();
    told.sort_unstable();
    let listed = r.git(&["log", "--format=%s"]);
    let mut listed: Vec<&str> = listed.lines().map(str::trim).collect();
    listed.sort_unstable();
    assert_eq!(told, listed);
}

/// `git for-each-ref` lists none of them, however references are kept.
#[test]
fn what_a_reset_left_behind_is_no_reference() {
    for format in [&[][..], &["--ref-format=reftable"]] {
        let r = Repository::of(format);
        r.put("x", "nothing\n", "base");
        r.put("a", format!("key = {}\n", token(1)), "leak");
        r.git(&["reset", "-q", "--hard", "HEAD~1"]);
        let scanned = r.scan(&[]);
        let history = &scanned.one(&token(1), "blob")["history"];
        assert_eq!((&history["references"], &history["unreachable"]), (&Value::Array(Vec::new()), &true.into()));
    }
}

#[test]
fn each_entry_of_a_tree_is_a_line_whatever_its_name() {
    let r = Repository::new();
    r.write("a\nb\nc", "x\n");
    r.write(&format!("x-{}.txt", token(1)), "x\n");
    r.commit("names");
    assert_eq!(r.scan(&[]).one(&token(1), "tree")["line"], 2);
}

/// What is small and built from what is large: the size is told of the one that has it.
#[test]
fn what_is_built_from_something_too_large_says_so() {
    let r = Repository::new();
    let line = |number: u64| format!("{:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let large: String = (0..60_000).map(line).collect();
    r.put("a", &large, "large");
    r.put("a", format!("{}key = {}\n", &large[..200], token(1)), "small");
    r.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50"]);
    let scanned = r.scan(&["--memory", "1MB"]);
    let skips = scanned.report["summary"]["skips"].as_array().expect("a list");
    let details: Vec<&str> = skips.iter().map(|skip| skip["detail"].as_str().expect("text")).collect();
    let told = format!("is built from an object of {} bytes", large.len());
    assert!(skips.is_empty() || details.iter().all(|detail| detail.starts_with(&told)), "{details:?}");
}

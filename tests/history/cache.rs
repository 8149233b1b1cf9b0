//! `--cache`: a second run says the same, reads less, and believes nobody.

use sha2::Digest;

use super::*;

/// A repository with all of its objects in packs that overlap, and what stands in one pack alone in a byte range of its middle.
fn packed() -> (Repository, Vec<String>) {
    let (repository, hidden) = places();
    let top = repository.top();
    let listed = repository.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    let ids: Vec<&str> = listed.lines().collect();
    for part in [&ids[..ids.len() / 2], &ids[ids.len() / 3..], &ids[ids.len() / 4..ids.len() / 2]] {
        git_fed(&top, &["pack-objects", "-q", ".git/objects/pack/pack"], part.join("\n").as_bytes());
    }
    repository.git(&["prune-packed"]);
    (repository, hidden.into_iter().map(|it| it.0).collect())
}

fn same(one: &Value, other: &Value) {
    for key in ["objects", "bytes", "files", "reported", "skips", "secrets"] {
        assert_eq!(one["summary"][key], other["summary"][key], "{key}");
    }
    assert!(one == other, "the findings differ");
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Breaks everything between a pack's header and its trailer: whoever reads it says so.
fn spoil(repository: &Repository) {
    for pack in packs(&repository.top().join(".git"), "pack") {
        fs::set_permissions(&pack, fs::Permissions::from_mode(0o644)).unwrap();
        let mut bytes = fs::read(&pack).unwrap();
        let end = bytes.len() - 20;
        bytes[12..end].fill(0xff);
        fs::write(&pack, bytes).unwrap();
    }
}

/// Changes a word of what is remembered.
fn forge(repository: &Repository, from: &str, to: &str) {
    for file in files_in(&repository.top().join(".git/stanch")) {
        let text = fs::read_to_string(&file).unwrap();
        if text.contains(from) {
            let json = text[64..].replace(from, to);
            let sum = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(json.as_bytes()));
            fs::write(&file, sum + &json).unwrap();
        }
    }
}

#[test]
fn a_second_run_says_the_same() {
    let (repository, hidden) = packed();
    let directory = repository.dir.path().join("made/on/demand");
    let options = ["--cache", directory.to_str().unwrap()];
    let without = repository.scan(&[]);
    let pack_count = packs(&repository.top().join(".git"), "pack").len();
    for _ in 0..3 {
        let with = repository.scan(&options);
        assert_eq!((with.exit, with.errors.contains("warning")), (1, false), "{}", with.errors);
        same(&with.report, &without.report);
        assert_eq!(files_in(&directory).len(), pack_count, "paths that are tokens are not remembered");
    }
    // New objects, loose and packed.
    repository.put("new", format!("key = {}\n", token(500)), "new");
    assert_eq!(repository.scan(&options).of(&token(500)).len(), 1);
    repository.git(&["repack", "-dq"]);
    repository.put("newer", format!("key = {}\n", token(501)), "newer");
    for _ in 0..2 {
        let (with, without) = (repository.scan(&options), repository.scan(&[]));
        assert_eq!(with.of(&token(500)).len() + with.of(&token(501)).len(), 2);
        same(&with.report, &without.report);
    }
    // What is remembered is no secret and no text.
    for file in files_in(&directory) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(hidden.iter().all(|token| !text.contains(token.as_str())), "{text}");
        assert!(!text.contains("key = ") && !text.contains("Jane"), "{text}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    }
    // Everything in one new pack.
    repository.git(&["repack", "-adkq"]);
    for _ in 0..2 {
        same(&repository.scan(&options).report, &repository.scan(&[]).report);
    }
}

#[test]
fn where_findings_were_is_remembered_as_long_as_nothing_changes() {
    let repository = Repository::new();
    let options = ["--cache", "auto"];
    repository.put("a/f", format!("key = {}\n", token(1)), "brings it");
    repository.git(&["branch", "old"]);
    repository.put("b/g", format!("key = {}\n", token(1)), "brings it again");
    repository.git(&["rm", "-q", "-r", "a", "b"]);
    repository.commit("removes it");
    repository.git(&["repack", "-adq"]);
    let cached = || {
        let directory = repository.top().join(".git/stanch");
        let texts = files_in(&directory).into_iter().map(|file| fs::read_to_string(file).unwrap());
        texts.filter(|text| text.contains("refs/heads/old")).collect::<Vec<_>>()
    };
    let paths = |paths: &[&str]| paths.iter().map(|path| serde_json::json!({ "path": path })).collect::<Value>();
    let first = repository.scan(&options).report;
    assert_eq!(first["findings"][0]["history"]["paths"], paths(&["a/f", "b/g"]), "{first}");
    assert_eq!(cached().len(), 1);
    // What is read there is believed: a word of it that we change is in the next report.
    let forge = |from: &str, to: &str| forge(&repository, from, to);
    forge("b/g", "b/h");
    let second = repository.scan(&options).report;
    assert_eq!(second["findings"][0]["history"]["paths"], paths(&["a/f", "b/h"]));
    assert_eq!(second["findings"][0]["history"]["introduced"], first["findings"][0]["history"]["introduced"]);
    // Another reference, and it is found out anew.
    repository.git(&["branch", "other"]);
    let third = repository.scan(&options);
    same(&third.report, &repository.scan(&[]).report);
    assert_eq!(third.report["findings"][0]["history"]["paths"], paths(&["a/f", "b/g"]));
    same(&repository.scan(&options).report, &third.report);
    assert_eq!(cached().len(), 1, "the file is replaced");
    // Without authors, as asked.
    let nobody = repository.scan(&["--cache", "auto", "--no-authors"]);
    assert!(!nobody.text.contains("Jane") && third.text.contains("Jane"));
    // A path that looks like a secret is not remembered, nor what was there.
    repository.put(&format!("x/{}/f", token(2)), format!("key = {}\n", token(3)), "hides it");
    repository.git(&["repack", "-adq"]);
    for _ in 0..2 {
        same(&repository.scan(&options).report, &repository.scan(&[]).report);
    }
    assert!(
        files_in(&repository.top().join(".git/stanch"))
            .iter()
            .all(|file| !fs::read_to_string(file).unwrap().contains(&token(2)))
    );
}

/// Ten thousand versions of a file may have the same look-alike: one of them is read again, for what to mask.
#[test]
fn look_alikes_are_counted_without_another_look_at_them() {
    let repository = Repository::new();
    for version in 0..5 {
        repository.put("settings.ini", format!("password = \"${{DATABASE}}\"\nversion {version}\n"), "settings");
    }
    repository.put("f", format!("key = {}\n", token(1)), "a leak beside ${DATABASE}");
    repository.git(&["repack", "-adq"]);
    let options = ["--cache", "auto", "--jobs", "1"];
    let hidden = |report: &Value| report["summary"]["hidden"].as_u64().unwrap();
    let (without, first) = (repository.scan(&[]), repository.scan(&options));
    assert_eq!(hidden(&first.report), 5);
    for _ in 0..2 {
        same(&repository.scan(&options).report, &without.report);
    }
    // Though nothing else is told of them, no report shows them.
    assert!(without.text.contains("a leak beside") && !without.text.contains("DATABASE"), "{}", without.text);
    // Four of the five are believed to be what they were: if that is changed, so is the count.
    forge(&repository, "\"look_alikes\":{\"1\":", "\"look_alikes\":{\"11\":");
    assert_eq!(hidden(&repository.scan(&options).report), 45);
    assert_eq!(hidden(&repository.scan(&["--cache", "auto", "--confidence", "high"]).report), 45);
    // What is told is read, and so is what a baseline may know.
    let told = repository.scan(&["--cache", "auto", "--confidence", "low"]).report;
    assert_eq!((hidden(&told), told["summary"]["reported"].as_u64()), (0, Some(6)));
    let baseline = repository.dir.path().join("baseline.toml");
    let made = ["baseline", "create", "--history", ".", "--by", "me", "--baseline", baseline.to_str().unwrap()];
    let made = Command::new(env!("CARGO_BIN_EXE_stanch")).args(made).current_dir(repository.top()).output().unwrap();
    assert!(baseline.exists(), "{}", String::from_utf8_lossy(&made.stderr));
    let known = repository.scan(&["--cache", "auto", "--baseline", baseline.to_str().unwrap()]).report;
    assert_eq!((hidden(&known), known["summary"]["reported"].as_u64()), (5, Some(0)));
}

/// What is hidden where it is, as in tests, is remembered with its places: nothing else is told of it.
#[test]
fn what_came_to_nothing_where_it_is_is_counted_without_another_look_at_it() {
    let repository = Repository::new();
    let text = |version: u8| format!("password = \"secret{}\"\nversion = {version}\n", 123);
    for version in 0..5 {
        repository.put("tests/test_login.py", text(version), "brings secret123");
    }
    repository.put("f", format!("key = {}\n", token(1)), "a leak beside secret123");
    repository.git(&["repack", "-adq"]);
    let options = ["--cache", "auto", "--jobs", "1"];
    let counts = |options: &[&str]| {
        let summary = &repository.scan(options).report["summary"];
        ["hidden", "reported"].map(|key| summary[key].as_u64().unwrap())
    };
    let (without, first) = (repository.scan(&[]), repository.scan(&options));
    assert_eq!(counts(&[]), [5, 1], "hidden by its path");
    for _ in 0..2 {
        same(&first.report, &without.report);
        same(&repository.scan(&options).report, &without.report);
    }
    assert!(without.text.contains("a leak beside") && !without.text.contains("secret123"), "{}", without.text);
    // Four of the five are believed, the fifth is read for what to mask.
    let forged = |counted: &[&str]| {
        repository.scan(&options);
        forge(&repository, ":[1,", ":[11,");
        counts(counted)
    };
    assert_eq!(forged(&options), [45, 1]);
    // Not where that may not tell what becomes of them: below another confidence, known to a baseline, left out.
    assert_eq!(forged(&["--cache", "auto", "--confidence", "low"]), [0, 6]);
    assert_eq!(forged(&["--cache", "auto", "--exclude", "tests"]), [0, 1]);
    let baseline = repository.dir.path().join("baseline.toml");
    fs::write(&baseline, "").unwrap();
    assert_eq!(forged(&["--cache", "auto", "--baseline", baseline.to_str().unwrap()]), [5, 1]);
    // Nor when something else leads to it.
    repository.git(&["mv", "tests/test_login.py", "login.py"]);
    repository.commit("brings one of them elsewhere");
    repository.git(&["repack", "-adq"]);
    for _ in 0..2 {
        assert_eq!(counts(&options), [4, 2]);
        same(&repository.scan(&options).report, &repository.scan(&[]).report);
    }
}

/// What came to nothing in one member says nothing of the others.
#[test]
fn an_archive_is_counted_whole() {
    let repository = Repository::new();
    repository.put("tests/test_login.py", format!("password = \"secret{}\"\n", 123), "brings it");
    for (name, version) in [("settings.ini", 1), ("other.ini", 2)] {
        repository.put(name, format!("password = \"${{DATABASE}}\"\nversion {version}\n"), "settings");
    }
    // Of several with the same secret at most one has to be read again.
    let archive = repository.dir.path().join("all.tar");
    for prefix in ["--prefix=a/", "--prefix=b/"] {
        repository.git(&["archive", "--format=tar", prefix, "-o", archive.to_str().unwrap(), "HEAD~0"]);
        fs::write(repository.top().join(format!("{}.tar", &prefix[9..10])), fs::read(&archive).unwrap()).unwrap();
    }
    repository.commit("archives of it");
    repository.git(&["repack", "-adq"]);
    let without = repository.scan(&[]);
    assert_eq!(without.report["summary"]["hidden"], 9, "{}", without.report);
    for _ in 0..3 {
        same(&repository.scan(&["--cache", "auto"]).report, &without.report);
    }
}

/// A look-alike is masked because another object has it, too: if that one goes, the first must be read.
#[test]
fn what_a_loose_object_taught_is_learned_again_without_it() {
    let repository = Repository::new();
    let text = |version: u8| format!("password = \"${{DATABASE}}\"\nversion {version}\n");
    repository.put("settings.ini", text(1), "settings");
    repository.put("f", format!("key = {}\n", token(1)), "a leak beside ${DATABASE}");
    repository.git(&["repack", "-adq"]);
    for version in 2..6 {
        git_fed(&repository.top(), &["hash-object", "-w", "--stdin"], text(version).as_bytes());
    }
    let options = ["--cache", "auto", "--jobs", "1"];
    for _ in 0..2 {
        same(&repository.scan(&options).report, &repository.scan(&[]).report);
    }
    repository.git(&["prune", "--expire=now"]);
    for _ in 0..2 {
        let told = repository.scan(&options);
        same(&told.report, &repository.scan(&[]).report);
        assert!(told.text.contains("a leak beside") && !told.text.contains("DATABASE"), "{}", told.text);
    }
}

/// A password is no token that shows by itself: a path that holds one is not remembered either.
#[test]
fn a_name_that_holds_what_was_found_is_not_remembered() {
    let repository = Repository::new();
    let secret = &token(7)[8..22];
    let files = || files_in(&repository.top().join(".git/stanch"));
    repository.put("login.py", format!("password = \"{secret}\"\n"), "brings it");
    repository.git(&["repack", "-adq"]);
    assert_eq!(repository.scan(&["--cache", "auto"]).findings().len(), 1);
    assert_eq!(files().len(), 2);
    repository.git(&["mv", "login.py", &format!("backup-{}.py", secret.to_uppercase())]);
    repository.commit("by another name");
    repository.git(&["repack", "-adq"]);
    for _ in 0..2 {
        same(&repository.scan(&["--cache", "auto"]).report, &repository.scan(&[]).report);
        let texts = files().into_iter().map(|file| fs::read_to_string(file).unwrap().to_lowercase());
        assert!(texts.into_iter().all(|text| !text.contains(&secret.to_lowercase())));
    }
}

/// How the repository was named says nothing of what is in it: a directory that is called `tests` is not one of its own.
#[test]
fn what_leads_to_a_repository_is_no_part_of_its_paths() {
    let repository = Repository::new();
    repository.put("tests/x.py", format!("password = \"secret{}\"\n", 123), "brings it");
    let parent = repository.dir.path();
    git(parent, &["clone", "-q", "--bare", repository.top().to_str().unwrap(), "tests"]);
    for name in [Path::new("tests"), &parent.join("tests")] {
        let options = ["scan", "--history", "--format", "json", "--cache", "cache"];
        let program = Command::new(env!("CARGO_BIN_EXE_stanch")).args(options).arg(name).current_dir(parent).output();
        let report: Value = serde_json::from_slice(&program.unwrap().stdout).unwrap();
        assert_eq!((&report["summary"]["hidden"], &report["summary"]["reported"]), (&1.into(), &0.into()), "{report}");
    }
}

#[test]
fn a_second_run_does_not_read_what_is_known() {
    let repository = Repository::new();
    for n in 0..9 {
        repository.put("f", format!("{}edit {n}\n", "some text\n".repeat(n)), "edit");
    }
    repository.git(&["repack", "-adq"]);
    let first = repository.scan(&["--cache", "auto"]);
    assert_eq!(first.exit, 0);
    assert_eq!(files_in(&repository.top().join(".git/stanch")).len(), 1);
    spoil(&repository);
    let second = repository.scan(&["--cache", "auto"]);
    assert_eq!(second.exit, 0, "{}", second.text);
    same(&second.report, &first.report);
    assert_eq!(repository.scan(&[]).exit, 3, "without a cache the pack is read");
    // Other rules must read it again, and what is broken is not remembered.
    let words = word_rules(repository.dir.path());
    for _ in 0..2 {
        let other = repository.scan(&["--cache", "auto", "--rules", words.to_str().unwrap()]);
        assert_eq!(other.exit, 3);
        assert!(other.skips().contains(&"corrupt-object"));
    }
    assert_eq!(files_in(&repository.top().join(".git/stanch")).len(), 1);
}

#[test]
fn a_pattern_that_changes_is_another_rule() {
    let repository = Repository::new();
    repository.put("src/f", "word_aaaa and word_bbbb\n", "first");
    repository.git(&["repack", "-adq"]);
    let path = repository.dir.path().join("rules.toml");
    let found = |regex: &str, at: &str| {
        let text =
            format!("[[rules]]\nid = 'w'\ndescription = 'w'\nregex = '{regex}'\npath = '{at}'\nkeywords = ['word_']\n");
        fs::write(&path, text).unwrap();
        let options = ["--cache", "auto", "--rules", path.to_str().unwrap()];
        let counts = [repository.scan(&options), repository.scan(&options)].map(|scan| scan.findings().len());
        assert_eq!(counts[0], counts[1]);
        counts[0]
    };
    assert_eq!(found("word_a+", "^src/"), 1);
    assert_eq!(found("word_[a-z]+", "^src/"), 2);
    assert_eq!(found("word_[a-z]+", "^srd/"), 0);
    assert_eq!(found("word_[a-z]+", "^src/"), 2);
}

#[test]
fn a_broken_or_foreign_cache_is_ignored_with_a_warning() {
    let (repository, _) = packed();
    let directory = repository.dir.path().join("cache");
    let options = ["--cache", directory.to_str().unwrap()];
    let right = repository.scan(&options).report;
    let fresh: Vec<(PathBuf, Vec<u8>)> =
        files_in(&directory).into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 9].to_vec();
    let short = |_: &[u8]| b"x".to_vec();
    let forged = |bytes: &[u8]| {
        // A pack may hold nothing suspicious: then what is forged is a blank.
        let text = String::from_utf8_lossy(&bytes[64..]);
        let forged =
            text.replace("\"suspects\":[\"", "\"suspects\":[\"00").replace("\"suspects\":[]", "\"suspects\":[ ]");
        assert_ne!(text, forged);
        [&bytes[..64], forged.as_bytes()].concat()
    };
    let swapped = |_: &[u8]| fresh[1].1.clone();
    let bytes = &fresh[0].1;
    for text in [cut(bytes), short(bytes), forged(bytes), swapped(bytes)] {
        fs::write(&fresh[0].0, text).unwrap();
        let again = repository.scan(&options);
        same(&again.report, &right);
        assert!(again.errors.contains("warning: the cache file"), "{}", again.errors);
        let healed = repository.scan(&options);
        assert_eq!((healed.report == right, healed.errors.contains("warning")), (true, false), "{}", healed.errors);
    }
    fs::remove_file(&fresh[0].0).unwrap();
    fs::create_dir(&fresh[0].0).unwrap();
    let again = repository.scan(&options);
    same(&again.report, &right);
    assert!(again.errors.contains("warning: the cache file") && again.errors.contains("cannot write to the cache"));
    // Each file alone may be lost.
    fs::remove_dir(&fresh[0].0).unwrap();
    for (file, _) in &fresh {
        repository.scan(&options);
        fs::remove_file(file).unwrap();
        same(&repository.scan(&options).report, &right);
    }
    let output = run(&repository.top(), &["--cache", "/dev/null/x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: "));
}

#[test]
fn a_pack_that_others_rely_on_is_missed() {
    let (repository, _) = packed();
    let options = ["--cache", "auto"];
    repository.scan(&options);
    for pack in packs(&repository.top().join(".git"), "pack") {
        let aside = repository.dir.path().join("aside");
        let index = pack.with_extension("idx");
        fs::rename(&pack, aside.with_extension("pack")).unwrap();
        fs::rename(&index, aside.with_extension("idx")).unwrap();
        let (with, without) = (repository.scan(&options), repository.scan(&[]));
        same(&with.report, &without.report);
        fs::rename(aside.with_extension("pack"), &pack).unwrap();
        fs::rename(aside.with_extension("idx"), &index).unwrap();
        same(&repository.scan(&options).report, &repository.scan(&[]).report);
    }
}

#[test]
fn what_is_missing_stays_missing() {
    let repository = Repository::new();
    repository.put("f", "one\n", "one");
    repository.put("g", "two\n", "two");
    let blob = repository.git(&["rev-parse", "HEAD:g"]);
    let all = repository.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    let rest: Vec<&str> = all.lines().filter(|id| *id != blob).collect();
    git_fed(&repository.top(), &["pack-objects", "-q", ".git/objects/pack/pack"], rest.join("\n").as_bytes());
    repository.git(&["prune-packed"]);
    let (directory, name) = blob.split_at(2);
    let path = repository.top().join(".git/objects").join(directory).join(name);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        let scanned = repository.scan(&["--cache", "auto"]);
        assert_eq!((scanned.exit, scanned.skips()), (3, vec!["missing-object"]));
    }
    fs::write(&path, bytes).unwrap();
    assert_eq!(repository.scan(&["--cache", "auto"]).exit, 0);
}

#[test]
fn runs_at_the_same_time_do_not_disturb_each_other() {
    let (repository, _) = packed();
    let right = repository.scan(&[]).report;
    for _ in 0..2 {
        let runs: Vec<_> = (0..4)
            .map(|_| {
                let mut program = Command::new(env!("CARGO_BIN_EXE_stanch"));
                program.args(["scan", "--history", "--cache", "auto", "--format", "json"]).arg(repository.top());
                program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            same(&serde_json::from_slice(&output.stdout).unwrap(), &right);
            assert!(output.stderr.is_empty() || !String::from_utf8_lossy(&output.stderr).contains("warning"));
        }
    }
}

/// What was remembered of a commit that is damaged now is not told, nor made up.
#[test]
fn what_is_damaged_since_then_is_looked_up_anew() {
    let repository = Repository::new();
    let first = repository.put("s", format!("key = {}\n", token(1)), "one");
    repository.put("f", "nothing\n", "two");
    let options = ["--cache", "auto"];
    assert_eq!(repository.scan(&options).exit, 1);
    let file = repository.top().join(".git/objects").join(&first[..2]).join(&first[2..]);
    let mut bytes = fs::read(&file).unwrap();
    bytes[20..24].copy_from_slice(b"XXXX");
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    let (with, without) = (repository.scan(&options), repository.scan(&[]));
    same(&with.report, &without.report);
    assert_eq!(with.skips(), ["corrupt-object"]);
    assert!(!with.text.contains("1970"), "{}", with.text);
}

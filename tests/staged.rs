//! `scan --staged`: what the next commit would change, read from the index.
#![cfg(unix)]

mod repository;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use repository::{Repository, Said, command, git, stanch, token, try_git};

/// Paths of findings that count, and the exit code.
fn found(said: &Said) -> (Option<i32>, BTreeSet<String>) {
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_default();
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let counted = findings.iter().filter(|one| one["verdict"]["state"] == "reported");
    (said.code, counted.map(|one| one["path"].as_str().unwrap_or_default().to_owned()).collect())
}

const STAGED: [&str; 5] = ["scan", "--staged", "--format", "json", "--quiet"];

fn scan(repository: &Repository) -> (Option<i32>, BTreeSet<String>) {
    let before = index_bytes(&repository.path);
    let said = repository.run(&STAGED);
    assert_eq!(index_bytes(&repository.path), before, "nothing is written");
    assert!(said.err.is_empty(), "{}", said.err);
    found(&said)
}

/// All that git keeps, by file, with the time of the last change.
fn index_bytes(dir: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let git_dir = git(dir, &["rev-parse", "--absolute-git-dir"]);
    let (mut all, mut left) = (BTreeMap::new(), vec![std::path::PathBuf::from(git_dir)]);
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            if entry.path().is_dir() {
                left.push(entry.path());
            } else {
                let modified = entry.metadata().and_then(|file| file.modified()).expect("a time");
                let bytes = std::fs::read(entry.path()).expect("a file");
                all.insert(entry.path().display().to_string(), (bytes, modified));
            }
        }
    }
    all
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn is(repository: &Repository, names: &[&str]) {
    assert_eq!(scan(repository), (Some(i32::from(!names.is_empty())), set(names)));
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let repository = Repository::new();
    is(&repository, &[]);
    repository.stage("deep/er/a", token(1));
    repository.write("untracked", token(2));
    is(&repository, &["deep/er/a"]);
}

#[test]
fn what_git_lfs_keeps_is_searched_too() {
    let repository = Repository::new();
    let keep = |id: &str, text: &str| {
        let directory = repository.path.join(".git/lfs/objects").join(&id[..2]).join(&id[2..4]);
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join(id), text).expect("a file");
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize 9\n")
    };
    let [one, two, three] = ["a1", "b2", "c3"].map(|digits| digits.repeat(32));
    repository.commit("a.bin", keep(&one, "nothing\n"));
    repository.stage("a.bin", keep(&two, &token(1)));
    is(&repository, &["a.bin"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    // What is old is old in there, too.
    repository.stage("a.bin", keep(&three, &format!("more\n{}", token(1))));
    is(&repository, &[]);
    repository.stage("b.bin", keep(&one, "") + &token(2));
    is(&repository, &["b.bin"]);
    repository.git(&["rm", "-q", "--cached", "b.bin"]);
    std::fs::remove_dir_all(repository.path.join(".git/lfs")).expect("it was there");
    let said = repository.run(&["scan", "--staged"]);
    assert!(said.code == Some(3) && said.all().contains("missing-lfs"), "{}", said.all());
    assert_eq!(repository.run(&["hook", "run", "pre-commit"]).code, Some(0));
}

#[test]
fn a_token_in_a_name_that_is_new_counts() {
    let repository = Repository::new();
    let found = || {
        let said = repository.run(&["scan", "--staged"]);
        assert!(!said.all().contains(&token(1)), "{}", said.all());
        (said.code, said.out.contains("names of staged files:"))
    };
    repository.stage(&format!("key-{}", token(1)), "x\n");
    assert_eq!(found(), (Some(1), true));
    repository.git(&["commit", "-q", "-m", "x"]);
    repository.stage(&format!("key-{}", token(1)), "y\n");
    assert_eq!(found(), (Some(0), false));
    repository.git(&["mv", &format!("key-{}", token(1)), "fine"]);
    assert_eq!(found(), (Some(0), false));
    repository.git(&["commit", "-q", "-m", "x"]);
    repository.stage(&format!("deep/{}/er", token(1)), "x\n");
    assert_eq!(found(), (Some(1), true));
}

#[test]
fn what_head_has_is_old_and_what_is_new_counts() {
    let repository = Repository::new();
    repository.commit("a", format!("one\n{}\n", token(1)));
    repository.commit("d/b", "nothing\n");
    is(&repository, &[]);
    repository.stage("a", format!("another line\none\n\n{}\n{}\n", token(1), token(1)));
    is(&repository, &[]);
    let said = repository.run(&["scan", "--staged"]);
    assert!(said.out.contains("2 allowed"), "what is old is counted: {}", said.out);
    repository.stage("d/b", token(1));
    is(&repository, &["d/b"]);
    repository.stage("a", format!("{}\n{}\n", token(1), token(3)));
    is(&repository, &["a", "d/b"]);
    repository.git(&["rm", "-q", "-f", "a"]);
    repository.git(&["reset", "-q", "--", "d/b"]);
    is(&repository, &[]);
}

#[test]
fn a_change_far_from_what_it_completes_or_bares_counts() {
    let repository = Repository::new();
    let far = "some line of text\n".repeat(300);
    let (head, tail) = (&token(1)[..20], &token(1)[20..]);
    repository.commit("a", format!("{far}{head}{far}"));
    repository.stage("a", format!("{far}{head}\n{far}"));
    is(&repository, &[]);
    repository.stage("a", format!("{far}{head}{tail}\n{far}"));
    is(&repository, &["a"]);
    // One byte too many makes it no token; what takes that byte away brings the token.
    repository.commit("a", format!("{far}{}x\n{far}", token(2)));
    repository.stage("a", format!("{far}{}\n{far}", token(2)));
    is(&repository, &["a"]);
    // The first line of a base64 text of many lines does not change; what it says does.
    let encoded = |last: &str| {
        let text = data_encoding::BASE64.encode(format!("{far}{last}\n").as_bytes());
        text.as_bytes().chunks(76).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect::<String>()
    };
    repository.commit("a", encoded("nothing"));
    repository.stage("a", encoded(&token(3)));
    is(&repository, &["a"]);
}

#[test]
fn a_new_line_beside_an_old_secret_brings_nothing_and_a_secret_beside_it_does() {
    let repository = Repository::new();
    repository.commit("a", format!("one\n{}\ntwo\n", token(1)));
    repository.stage("a", format!("one\n{}\nand\ntwo\n", token(1)));
    is(&repository, &[]);
    repository.stage("a", format!("one\n{}\n{}\ntwo\n", token(1), token(2)));
    is(&repository, &["a"]);
    let said = repository.run(&["scan", "--staged"]);
    assert!(!said.out.contains(&token(1)) && !said.out.contains(&token(2)), "{}", said.out);
}

#[test]
fn a_secret_that_loses_the_comment_that_allowed_it_is_new() {
    let repository = Repository::new();
    let far = "some line of text\n".repeat(300);
    let text = |comment: &str| format!("{far}{} {comment}\n{far}{}\n", token(1), token(2));
    repository.commit("a", text("# stanch:allow github-pat a test"));
    for comment in ["", "# stanch:allow gitlab-pat a test", "# stanch:al low github-pat"] {
        repository.stage("a", text(comment));
        is(&repository, &["a"]);
        let said = repository.run(&["scan", "--staged"]);
        assert!(said.out.contains("1 secret found"), "what stands on other lines is old: {}", said.out);
    }
    for comment in ["# stanch:allow github-pat another reason", "# gitleaks:allow", "# stanch:allow github-pat a test"]
    {
        repository.stage("a", format!("first\n{}", text(comment)));
        is(&repository, &[]);
    }
    // In a file that moves, too.
    repository.git(&["mv", "-f", "a", "b"]);
    is(&repository, &[]);
    repository.stage("b", text(""));
    is(&repository, &["b"]);
    // Where it stands without a comment already, it is old.
    repository.git(&["reset", "-q", "--hard"]);
    repository.commit("a", format!("{}{}\n", text("# stanch:allow"), token(1)));
    repository.stage("a", format!("{}{}\n", text(""), token(1)));
    is(&repository, &[]);
}

/// What a weak secret is called is what its place is called; the place stays, the secret is new.
#[test]
fn a_new_weak_secret_in_the_place_of_an_old_one_is_new() {
    let repository = Repository::new();
    let url = |password: &str| format!("url = https://user:{password}@bitbucket.org/x/y.git\n");
    repository.commit("a", url("hunter2Secret"));
    repository.stage("a", format!("first\n{}", url("hunter2Secret")));
    is(&repository, &[]);
    repository.stage("a", url("tiger7Hidden9"));
    is(&repository, &["a"]);
}

#[test]
fn a_file_that_is_found_by_its_name_is_new_under_a_new_name() {
    let repository = Repository::new();
    repository
        .write(".gitleaks.toml", "[extend]\nuseDefault = true\n\n[[rules]]\nid = \"key-file\"\npath = 'id_rsa$'\n");
    repository.commit("id_rsa", "one\n");
    repository.commit("plain", "two\n");
    repository.stage("id_rsa", "three\n");
    is(&repository, &[]);
    repository.git(&["mv", "-f", "plain", "other_id_rsa"]);
    is(&repository, &["other_id_rsa"]);
    repository.stage("other_id_rsa", "four\n");
    is(&repository, &["other_id_rsa"]);
}

#[test]
fn the_index_counts_and_not_the_work_tree() {
    let repository = Repository::new();
    repository.commit("a", "x\n");
    repository.write("a", token(1));
    is(&repository, &[]);
    repository.stage("a", token(2));
    repository.write("a", "cleaned up, but not staged\n");
    is(&repository, &["a"]);
    std::fs::remove_file(repository.path.join("a")).expect("it was there");
    is(&repository, &["a"]);
}

#[test]
fn renames_and_modes_bring_nothing() {
    let repository = Repository::new();
    repository.commit("old/a", format!("{}\nand\nmuch\nmore\n", token(1)));
    repository.commit("old/b", token(2));
    repository.git(&["mv", "old", "new"]);
    is(&repository, &[]);
    repository.stage("new/a", format!("{}\nand\nmore\n", token(1)));
    is(&repository, &[]);
    repository.stage("new/a", format!("{}\nand\nmore\n{}\n", token(1), token(3)));
    is(&repository, &["new/a"]);
    repository.git(&["reset", "-q", "--hard"]);
    repository.git(&["update-index", "--chmod=+x", "old/a"]);
    is(&repository, &[]);
    // A copy is one place more.
    repository.stage("copy", token(2));
    is(&repository, &["copy"]);
    // A file in the place of a directory, and the other way round.
    repository.git(&["rm", "-q", "-r", "-f", "old"]);
    repository.stage("old", token(4));
    is(&repository, &["old"]);
}

#[test]
fn links_are_read_and_submodules_and_intentions_are_not() {
    let repository = Repository::new();
    repository.commit("a", "x\n");
    std::os::unix::fs::symlink(token(1), repository.path.join("link")).expect("a link");
    repository.git(&["add", "link"]);
    let other = Repository::new();
    let id = other.commit("b", "x\n");
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},module")]);
    repository.write("later", token(2));
    repository.git(&["add", "-N", "later"]);
    is(&repository, &["link"]);
}

#[test]
fn all_sides_of_a_conflict_are_read() {
    let repository = Repository::new();
    repository.commit("a", "base\n");
    repository.git(&["checkout", "-q", "-b", "theirs"]);
    repository.commit("a", token(1));
    repository.git(&["checkout", "-q", "main"]);
    repository.commit("a", "ours\n");
    assert_ne!(try_git(&repository.path, &["merge", "theirs"]).code, Some(0));
    is(&repository, &["a"]);
}

#[test]
fn every_form_of_index_is_read() {
    for version in ["2", "3", "4"] {
        let repository = Repository::new();
        for number in 0..40 {
            repository.write(&format!("d{}/e/f{number}", number % 5), format!("{number}\n"));
        }
        repository.git(&["add", "."]);
        repository.git(&["commit", "-q", "-m", "x"]);
        repository.git(&["update-index", "--index-version", version]);
        repository.git(&["update-index", "--skip-worktree", "d1/e/f1"]);
        is(&repository, &[]);
        repository.stage("d2/e/f7", token(1));
        repository.stage("z", token(2));
        is(&repository, &["d2/e/f7", "z"]);
    }
}

#[test]
fn a_split_index_is_put_together() {
    let repository = Repository::new();
    for number in 0..200 {
        repository.write(&format!("d/f{number:03}"), format!("{number}\n"));
    }
    repository.git(&["add", "."]);
    repository.git(&["commit", "-q", "-m", "x"]);
    repository.git(&["config", "splitIndex.maxPercentChange", "100"]);
    repository.git(&["update-index", "--split-index"]);
    is(&repository, &[]);
    repository.stage("d/f070", token(1));
    repository.stage("d/f150", "quiet\n");
    repository.stage("d/f151", token(2));
    repository.git(&["rm", "-q", "d/f010", "d/f199"]);
    repository.stage("d/a", token(3));
    repository.stage("z", token(4));
    let files = index_bytes(&repository.path);
    assert!(files.keys().any(|name| name.contains("sharedindex")), "it is split");
    is(&repository, &["d/a", "d/f070", "d/f151", "z"]);
    let shared = files.keys().find(|name| name.contains("sharedindex")).expect("it is there");
    std::fs::remove_file(shared).expect("it was there");
    let said = repository.run(&STAGED);
    assert_eq!(said.code, Some(2), "{}", said.all());
    assert!(said.err.contains("sharedindex."), "{}", said.err);
}

#[test]
fn a_sparse_index_is_unfolded_where_it_changed() {
    let repository = Repository::new();
    for directory in ["in", "out/deep", "out/deeper", "away"] {
        repository.write(&format!("{directory}/a"), format!("{directory}\n"));
    }
    repository.git(&["add", "."]);
    repository.git(&["commit", "-q", "-m", "x"]);
    repository.git(&["tag", "start"]);
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.commit("out/deep/a", token(1));
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    is(&repository, &[]);
    repository.stage("in/a", token(2));
    is(&repository, &["in/a"]);
    repository.git(&["reset", "-q", "--soft", "other"]);
    is(&repository, &["in/a"]);
    repository.git(&["reset", "-q", "--hard", "other"]);
    repository.git(&["reset", "-q", "--soft", "start"]);
    assert!(repository.git(&["ls-files", "--sparse", "--stage"]).contains("040000"), "it is sparse");
    is(&repository, &["out/deep/a"]);
}

#[test]
fn the_index_is_where_git_says() {
    let repository = Repository::new();
    repository.commit("a", "x\n");
    let index = repository.path.join("other-index");
    let mut add = command("git", &repository.path);
    repository.write("b", token(1));
    assert!(add.args(["add", "b"]).env("GIT_INDEX_FILE", &index).status().expect("git runs").success());
    is(&repository, &[]);
    let elsewhere = tempfile::tempdir().expect("a directory");
    let run = |dir: &Path, environment: &[(&str, &Path)]| -> Said {
        let mut scan = command(stanch(), dir);
        scan.args(STAGED).envs(environment.iter().copied()).output().expect("stanch runs").into()
    };
    let said = run(&repository.path, &[("GIT_INDEX_FILE", &index)]);
    assert_eq!(found(&said), (Some(1), set(&["b"])));
    let git_dir = repository.path.join(".git");
    let said = run(elsewhere.path(), &[("GIT_INDEX_FILE", &index), ("GIT_DIR", &git_dir)]);
    assert_eq!(found(&said), (Some(1), set(&["b"])));
    repository.git(&["config", "core.worktree", "/nowhere"]);
    let said = run(elsewhere.path(), &[("GIT_INDEX_FILE", &index), ("GIT_DIR", &git_dir)]);
    assert_eq!(found(&said), (Some(1), set(&["b"])));
}

#[test]
fn a_linked_work_tree_has_its_own_index_and_head() {
    let repository = Repository::new();
    repository.commit("a", "x\n");
    repository.git(&["worktree", "add", "-q", "linked", "-b", "topic"]);
    let linked = repository.path.join("linked");
    std::fs::write(linked.join("b"), token(1)).expect("a file");
    git(&linked, &["add", "b"]);
    is(&repository, &[]);
    assert_eq!(found(&repository::run(&linked, &STAGED)), (Some(1), set(&["b"])));
    git(&linked, &["commit", "-q", "-m", "x"]);
    assert_eq!(found(&repository::run(&linked, &STAGED)), (Some(0), set(&[])));
}

#[test]
fn packed_references_and_other_formats_are_read() {
    for format in ["sha1", "sha256"] {
        let repository = Repository::init(&["--object-format", format]);
        repository.commit("a", token(1));
        repository.git(&["pack-refs", "--all"]);
        repository.git(&["gc", "-q"]);
        is(&repository, &[]);
        repository.stage("b", token(2));
        is(&repository, &["b"]);
    }
}

#[test]
fn head_is_found_in_reftables() {
    for format in ["sha1", "sha256"] {
        let repository = Repository::init(&["--ref-format=reftable", "--object-format", format]);
        repository.stage("a", "x\n");
        is(&repository, &[]);
        repository.commit("a", token(1));
        is(&repository, &[]);
        // Many blocks, many tables, and one of all.
        let id = repository.git(&["rev-parse", "HEAD"]);
        for part in 0..3 {
            let lines = (0..400).map(|at| format!("create refs/heads/{part}/a-branch-with-a-long-name-{at} {id}\n"));
            repository.write("lines", lines.collect::<String>());
            let mut update = command("git", &repository.path);
            update.args(["update-ref", "--stdin"]);
            let lines = std::fs::File::open(repository.path.join("lines")).expect("a file");
            assert!(update.stdin(lines).status().expect("git runs").success());
        }
        repository.stage("a", format!("y\n{}\n", token(1)));
        is(&repository, &[]);
        repository.git(&["checkout", "-q", "-f", "2/a-branch-with-a-long-name-399"]);
        repository.git(&["branch", "-q", "-D", "main"]);
        repository.stage("b", token(2));
        is(&repository, &["b"]);
        repository.git(&["pack-refs", "--all"]);
        is(&repository, &["b"]);
        repository.git(&["commit", "-q", "-m", "x"]);
        repository.git(&["checkout", "-q", "--detach"]);
        is(&repository, &[]);
        repository.git(&["worktree", "add", "-q", "linked", "-b", "topic", "HEAD~"]);
        let linked = repository.path.join("linked");
        std::fs::write(linked.join("b"), token(2)).expect("a file");
        git(&linked, &["add", "b"]);
        assert_eq!(found(&repository::run(&linked, &STAGED)), (Some(1), set(&["b"])));
        let stack = repository.path.join(".git/reftable");
        for entry in std::fs::read_dir(stack).expect("a directory").flatten() {
            if entry.file_name().to_string_lossy().ends_with(".ref") {
                std::fs::write(entry.path(), "REFT nonsense").expect("a file");
            }
        }
        let said = repository.run(&["scan", "--staged"]);
        assert_ne!(said.code, Some(0), "{}", said.all());
    }
}

#[test]
fn what_cannot_be_read_is_not_clean() {
    let repository = Repository::new();
    repository.commit("a", "x\n");
    repository.stage("b", "a file whose content gets lost\n");
    let id = repository.git(&["rev-parse", ":b"]);
    std::fs::remove_file(repository.path.join(".git/objects").join(&id[..2]).join(&id[2..])).expect("it was there");
    let said = repository.run(&["scan", "--staged"]);
    assert_eq!(said.code, Some(3), "{}", said.all());
    assert!(said.out.contains("missing-object") && said.out.contains(&id), "{}", said.out);
    std::fs::write(repository.path.join(".git/index"), b"DIRC\0\0\0\x02\0\0\0\x09").expect("a file");
    let said = repository.run(&["scan", "--staged"]);
    assert_eq!(said.code, Some(2), "{}", said.all());
    let elsewhere = tempfile::tempdir().expect("a directory");
    assert_eq!(repository::run(elsewhere.path(), &["scan", "--staged"]).code, Some(2));
}

#[test]
fn options_hold_for_what_is_staged() {
    let repository = Repository::new();
    repository.stage("vendor/a", token(1));
    repository.stage("b", format!("{} stanch:allow github-pat a test\n", token(2)));
    assert_eq!(found(&repository.run(&[&STAGED[..], &["--exclude", "vendor"]].concat())).0, Some(0));
    repository.write(".stanch.toml", "[scan]\nexclude = [\"vendor/**\"]\n");
    is(&repository, &[]);
    let said = repository.run(&[&STAGED[..], &["--max-size", "10", "--config", "/dev/null"]].concat());
    assert_eq!(said.code, Some(3), "{}", said.all());
}

/// The paths agree with what git itself says is different, on index files of all kinds of changes.
#[test]
fn changes_are_those_that_git_lists() {
    for seed in 0..6u64 {
        let repository = Repository::new();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |limit: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % limit
        };
        for number in 0..60 {
            let name = format!("{}/{}/f{number}", ["a", "a.b", "a-b", "b"][random(4) as usize], random(3));
            repository.write(&name, format!("{number}\n"));
        }
        repository.git(&["add", "."]);
        repository.git(&["commit", "-q", "-m", "x"]);
        let names: Vec<String> = repository.git(&["ls-files"]).lines().map(str::to_owned).collect();
        for name in &names {
            match random(8) {
                0 => repository.stage(name, token(1000 * seed + random(500))),
                1 => drop(repository.git(&["rm", "-q", "--cached", name])),
                _ => {}
            }
        }
        repository.stage("a/new", token(1000 * seed + 999));
        let listed = repository.git(&["diff", "--cached", "--name-only", "--diff-filter=AM", "--no-renames"]);
        let expected: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
        assert_eq!(scan(&repository), (Some(1), expected), "seed {seed}");
    }
}

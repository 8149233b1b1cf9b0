//! Parts of a history: the commits that git has, and what these brought, and nothing else.
#![cfg(unix)]

mod repository;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;

use repository::{Repository, command, token, try_git};
use stanch::origin::ObjectId;
use stanch::source::git::{Chosen, Layout, Names, Options, Revision, Scope, Stores, Tip, Within, attribute, choose};

/// xorshift, so that a failing seed fails again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// How git keeps references and what it calls objects.
const FORMATS: [&[&str]; 4] = [
    &[],
    &["--ref-format=reftable"],
    &["--object-format=sha256"],
    &["--ref-format=reftable", "--object-format=sha256"],
];

/// A history of `len` commits, each with a branch `c0`, `c1`, …: merges of up to four parents, criss-cross merges, new roots, few
/// contents so that many return. With `skewed` dates nothing can be told from them.
fn history(seed: u64, len: u64, skewed: bool) -> Repository {
    let repository = Repository::init(FORMATS[seed as usize % FORMATS.len()]);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut stream = String::new();
    for number in 0..len {
        let time = if skewed { 1_000_000_000 + random.below(1000) } else { 1_000_000_000 + number };
        writeln!(stream, "commit refs/heads/c{number}\nmark :{}", number + 1).unwrap();
        writeln!(stream, "committer A <a@example.org> {time} +0000\ndata 2\nc\n").unwrap();
        let count =
            if number == 0 || random.below(20) == 0 { 0 } else { [1, 1, 1, 2, 2, 3, 4][random.below(7) as usize] };
        let near = number.min(6);
        let mut parents = BTreeSet::new();
        parents.extend((0..count).map(|_| number - 1 - random.below(near)));
        let mut parents: Vec<u64> = parents.into_iter().collect();
        if random.below(2) == 0 {
            parents.reverse();
        }
        for (at, parent) in parents.iter().enumerate() {
            writeln!(stream, "{} :{}", if at == 0 { "from" } else { "merge" }, parent + 1).unwrap();
        }
        for _ in 0..1 + random.below(3) {
            let name = ["a", "b", "d/a", "d/b", "d/e/f", "g/h"][random.below(6) as usize];
            if random.below(6) == 0 {
                writeln!(stream, "D {name}").unwrap();
            } else {
                writeln!(stream, "M 100644 inline {name}\ndata 3\nv{:x}", random.below(14)).unwrap();
            }
        }
        if random.below(8) == 0 {
            writeln!(stream, "tag t{number}\nfrom :{}\ntagger A <a@example.org> {time} +0000\ndata 2\nt\n", number + 1)
                .unwrap();
        }
    }
    let mut import = command("git", &repository.path);
    let mut import = import.args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git runs");
    import.stdin.take().expect("a pipe").write_all(stream.as_bytes()).expect("it reads");
    assert!(import.wait().expect("it ends").success(), "{stream}");
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/c0"]);
    write_commit_graph(&repository, (seed + seed / 4) % 4, len);
    repository
}

/// None, one of all commits, one of half of the branches, or a chain of two files.
fn write_commit_graph(repository: &Repository, how: u64, len: u64) {
    let write = |branches: std::ops::Range<u64>, more: &[&str]| {
        let list: String =
            branches.map(|branch| repository.git(&["rev-parse", &format!("c{branch}")]) + "\n").collect();
        let mut git = command("git", &repository.path);
        let git = git.args(["commit-graph", "write", "--stdin-commits"]).args(more);
        let mut git = git.stdin(Stdio::piped()).spawn().expect("git runs");
        git.stdin.take().expect("a pipe").write_all(list.as_bytes()).expect("it reads");
        assert!(git.wait().expect("it ends").success());
    };
    match how {
        0 => return,
        1 => write(0..len, &[]),
        2 => write(0..len / 2, &[]),
        _ => {
            write(0..len / 2, &["--split=no-merge"]);
            write(0..len, &["--split=no-merge"]);
        }
    }
    let info = repository.path.join(".git/objects/info");
    assert_eq!(info.join("commit-graph").exists(), how < 3);
    let chain = std::fs::read_to_string(info.join("commit-graphs/commit-graph-chain")).unwrap_or_default();
    assert_eq!(chain.lines().count(), if how == 3 { 2 } else { 0 });
}

/// What a history is as git tells it: each commit's parents, and what stands where in its tree.
struct Model {
    parents: BTreeMap<String, Vec<String>>,
    trees: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Model {
    fn of(repository: &Repository) -> Model {
        let text = repository.git(&["rev-list", "--parents", "--all"]);
        let ids = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let parents: BTreeMap<_, _> = ids.map(|ids| (ids[0].clone(), ids[1..].to_vec())).collect();
        let tree = |commit: &String| {
            let listed = repository.git(&["ls-tree", "-r", "-t", "--format=%(objectname) %(path)", commit]);
            let places = listed.lines().filter_map(|line| line.split_once(' '));
            let top = (repository.git(&["rev-parse", &format!("{commit}^{{tree}}")]), String::new());
            let places = places.map(|(id, path)| (id.to_owned(), path.to_owned())).chain([top]).collect();
            (commit.clone(), places)
        };
        Model { trees: parents.keys().map(tree).collect(), parents }
    }

    /// The commits, and what stands in the tree of one of them where it does in that of no parent.
    fn brought(&self, commits: &BTreeSet<String>) -> BTreeSet<String> {
        let mut brought = commits.clone();
        for commit in commits {
            let is_new = |place: &&_| self.parents[commit].iter().all(|parent| !self.trees[parent].contains(*place));
            brought.extend(self.trees[commit].iter().filter(is_new).map(|place| place.0.clone()));
        }
        brought
    }
}

/// Commits, trees and blobs of `arguments` (ranges, `--not`), as we have them.
fn ours(repository: &Repository, arguments: &[String]) -> BTreeSet<String> {
    let layout = Layout::discover(&repository.path).expect("a repository");
    let stores = layout.open();
    let revisions = arguments.iter().cloned().map(Revision::Text).collect();
    let chosen = choose(&Scope { revisions, ..Scope::default() }, &layout, &stores, 1 << 30).expect("revisions");
    assert_eq!(chosen.skips, []);
    let tags = repository.git(&["for-each-ref", "--format=%(objecttype) %(objectname)"]);
    let tags: BTreeSet<&str> = tags.lines().filter_map(|line| line.strip_prefix("tag ")).collect();
    chosen.objects.iter().map(ToString::to_string).filter(|id| !tags.contains(id.as_str())).collect()
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

fn ranges(random: &mut Random, len: u64) -> Vec<String> {
    let mut name = || format!("c{}", random.below(len));
    let (a, b, c, d) = (name(), name(), name(), name());
    match random.below(10) {
        0 | 1 => vec![format!("{a}..{b}")],
        2 => vec![format!("{a}...{b}")],
        3 => vec![format!("^{a}"), b, c],
        4 => vec![format!("{a}..{b}"), format!("{c}..{d}")],
        5 => vec![a, format!("^{b}"), format!("^{c}"), format!("^{d}")],
        6 => vec![format!("{a}^@"), b],
        7 => vec![a, b, format!("^{c}^@")],
        8 => vec![c, format!("{d}^!")],
        _ => vec![format!("{a}...{b}"), format!("^{c}"), d],
    }
}

#[test]
fn a_range_is_the_commits_that_git_has_and_what_they_brought() {
    for seed in 0..12 {
        let len = 12 + 6 * seed;
        let repository = history(seed, len, false);
        let model = Model::of(&repository);
        let mut random = Random(seed + 99);
        for _ in 0..12 {
            let range = ranges(&mut random, len);
            let arguments: Vec<&str> =
                ["rev-list"].into_iter().chain(range.iter().map(String::as_str)).chain(["--"]).collect();
            let expected = model.brought(&lines(&repository.git(&arguments)));
            assert_eq!(ours(&repository, &range), expected, "seed {seed}: {range:?}");
        }
    }
}

#[test]
fn all_but_what_a_parent_reaches_is_what_git_has() {
    let (mut seen, mut refused) = (0, 0);
    for seed in 0..8 {
        let repository = history(seed, 24, false);
        let model = Model::of(&repository);
        for number in 0..24 {
            for range in [format!("c{number}^-"), format!("c{number}^-2"), format!("c{number}^-x")] {
                let said = try_git(&repository.path, &["rev-list", &range, "--"]);
                if said.code == Some(0) {
                    let expected = model.brought(&lines(&said.out));
                    assert_eq!(ours(&repository, std::slice::from_ref(&range)), expected, "{seed} {range}");
                    seen += 1;
                } else {
                    let refusal = repository.run(&["scan", "--history", "--range", &range]);
                    assert_eq!(refusal.code, Some(2), "{seed} {range}: {}", refusal.all());
                    refused += 1;
                }
            }
        }
    }
    assert!(seen > 100 && refused > 100, "{seen} {refused}");
}

/// What is told of a range's objects, against what a look at all trees and commits tells of it.
#[test]
fn a_range_is_told_of_as_if_all_had_been_looked_at() {
    let (mut related, mut unrelated) = (0, 0);
    for seed in 0..12 {
        let len = 12 + 6 * seed;
        let repository = history(seed, len, false);
        let mut random = Random(seed + 7);
        let layout = Layout::discover(&repository.path).expect("a repository");
        let stores = layout.open();
        let commits = |arguments: &[&str]| -> Vec<ObjectId> {
            let text = repository.git(arguments);
            text.lines().map(|line| ObjectId::from_hex(line.as_bytes()).expect("hex")).collect()
        };
        let all = commits(&["rev-list", "--all"]);
        // In some of the runs no reference goes on from the range.
        for _ in 0..8 {
            let revisions = ranges(&mut random, len).into_iter().map(Revision::Text).collect();
            let chosen =
                choose(&Scope { revisions, ..Scope::default() }, &layout, &stores, 1 << 30).expect("revisions");
            let tips: Vec<ObjectId> =
                all.iter().filter(|id| chosen.commits.contains(id) || random.below(9) == 0).copied().collect();
            let (more, fewer) = told_of(&stores, &chosen, &tips);
            related += more;
            unrelated += fewer;
        }
    }
    assert!(related > 1000 && unrelated > 1000, "{related} {unrelated}");
}

/// Compares what is told of a range with all that there is to tell; how many tips its objects reached, and how many not.
fn told_of(stores: &Stores, chosen: &Chosen, tips: &[ObjectId]) -> (usize, usize) {
    let interrupt = AtomicBool::new(false);
    let (kinds, only, progress) = (&[][..], None, None);
    let options = Options { threads: 2, memory: 1 << 30, kinds, only, links: false, interrupt: &interrupt, progress };
    let own = |id: &&ObjectId| !chosen.commits.contains(*id);
    let targets = chosen.objects.iter().filter(own).copied().collect();
    let whole = attribute(stores, &targets, None, None, options).expect("threads");
    let part = attribute(
        stores,
        &targets,
        Some(Within { range: chosen.range.as_ref().expect("a range"), tips, roots: tips }),
        None,
        options,
    )
    .expect("threads");
    let (mut related, mut unrelated) = (0, 0);
    for target in &targets {
        let (all, some) = (whole.history(target).expect("a target"), part.history(target).expect("a target"));
        let expected = all.introduced.iter().filter(|one| chosen.commits.contains(&one.commit));
        assert!(some.introduced.iter().eq(expected), "{target}");
        assert!(some.paths.iter().all(|path| all.paths.contains(path)));
        let reaches = |tip: &ObjectId| some.introduced.iter().any(|one| whole.descend(&one.commit, &[*tip])[0]);
        for (tip, told) in tips.iter().zip(part.tips(target, &part.indices(tips))) {
            assert_eq!(told != Tip::Unrelated, reaches(tip), "{target} {tip}");
            assert_eq!(part.holds(tip, target), whole.holds(tip, target), "{target} {tip}");
            assert!(told == Tip::Unrelated || (told == Tip::Holds) == whole.holds(tip, target), "{target} {tip}");
            if told == Tip::Unrelated { unrelated += 1 } else { related += 1 }
        }
    }
    (related, unrelated)
}

/// Whatever a name stands for, it is what git says that it is.
#[test]
fn a_name_is_what_git_says_that_it_is() {
    for (seed, format) in (20..).zip(FORMATS) {
        let repository = history(seed, 30, false);
        repository.git(&["tag", "-a", "-m", "m", "tagged", "c20"]);
        repository.git(&["tag", "-a", "-m", "m", "twice", "tagged"]);
        repository.git(&["branch", "tagged", "c3"]);
        let id = repository.git(&["rev-parse", "c9"]);
        let names = [
            "@",
            "HEAD",
            "c5~2",
            "c5^",
            "c5^0",
            "c25^2",
            "c25~1^2~1",
            "tagged",
            "heads/tagged",
            "refs/heads/tagged",
            "twice",
            "twice^{}",
            "twice^{commit}",
            "twice^{tag}",
            "c4^{tree}",
            "c29~99",
            "c4^{blob}",
            "c4^9",
            "no",
            "",
            "c4^{nonsense}",
            "c4~x",
            "c4^{commit}~1",
            &id,
            &id[..9],
            "0123456789",
        ];
        for name in names {
            let said = try_git(&repository.path, &["rev-parse", "--verify", "--quiet", name]).out;
            let layout = Layout::discover(&repository.path).expect("a repository");
            let (stores, text) = (layout.open(), Revision::Text(name.to_owned()));
            let scope = Scope { revisions: vec![text], depth: Some(1), ..Scope::default() };
            let chosen = choose(&scope, &layout, &stores, 1 << 30);
            match chosen {
                Ok(chosen) => {
                    let is_there = chosen.objects.iter().any(|id| said.contains(&id.to_string()));
                    assert!(is_there, "{format:?} {name}: {said}");
                }
                Err(error) => assert!(said.is_empty(), "{format:?} {name}: {said} {error}"),
            }
        }
    }
}

#[test]
fn references_in_tables_are_those_that_git_lists() {
    for format in &FORMATS[1..] {
        let repository = Repository::init(format);
        repository.commit("a", "text\n");
        let id = repository.git(&["rev-parse", "HEAD"]);
        // Many blocks and several tables; some are changed, some removed, some symbolic.
        let create =
            (0..3000).map(|number| format!("create refs/heads/some/{number:05}/name {id}\n")).collect::<String>();
        let mut update = command("git", &repository.path);
        let mut update = update.args(["update-ref", "--stdin"]).stdin(Stdio::piped()).spawn().expect("git runs");
        update.stdin.take().expect("a pipe").write_all(create.as_bytes()).expect("it reads");
        assert!(update.wait().expect("it ends").success());
        repository.commit("b", "more\n");
        for number in [7, 1234, 2999] {
            repository.git(&["update-ref", "-d", &format!("refs/heads/some/{number:05}/name")]);
            repository.git(&["update-ref", &format!("refs/heads/some/{:05}/name", number - 1), "HEAD"]);
        }
        repository.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/main"]);
        repository.git(&["tag", "-a", "-m", "m", "tagged"]);
        let names = Names::read(&Layout::discover(&repository.path).expect("a repository"));
        assert_eq!(names.skips, []);
        let have: Vec<String> = names.all().map(|name| format!("{} {name}", names.id(name).expect("an id"))).collect();
        let want = repository.git(&["for-each-ref", "--format=%(objectname) %(refname)"]);
        assert!(have.len() > 2990 && have == want.lines().collect::<Vec<_>>());
        assert_eq!(names.checked_out().expect("a commit").to_string(), repository.git(&["rev-parse", "HEAD"]));
        // A work tree of its own has a `HEAD` of its own.
        let tree = repository.path.with_extension("tree");
        repository.git(&["worktree", "add", "-q", "--detach", &tree.to_string_lossy(), "HEAD~1"]);
        let names = Names::read(&Layout::discover(&tree).expect("a work tree"));
        let head = names.checked_out().expect("a commit");
        assert_eq!(head.to_string(), repository.git(&["rev-parse", "HEAD~1"]));
        assert_eq!(names.id("worktrees/repo.tree/HEAD"), Some(head));
    }
}

/// git itself looks at dates to know when to end, and may be wrong if they are. What one revision reaches it always knows.
#[test]
fn dates_that_lie_change_nothing() {
    let mut seen = 0;
    for seed in 0..12 {
        let len = 40 + 10 * seed;
        let repository = history(seed, len, true);
        let reached = |name: &str| lines(&repository.git(&["rev-list", name, "--"]));
        let mut random = Random(seed + 7);
        for _ in 0..10 {
            let (from, to) = (format!("c{}", random.below(len)), format!("c{}", random.below(len)));
            let commits: BTreeSet<String> = reached(&to).difference(&reached(&from)).cloned().collect();
            let all = reached("--all");
            let have: BTreeSet<String> =
                ours(&repository, &[format!("{from}..{to}")]).intersection(&all).cloned().collect();
            assert_eq!(have, commits, "seed {seed}: {from}..{to}");
            seen += commits.len();
        }
    }
    assert!(seen > 100);
}

fn scan(repository: &Repository, arguments: &[&str]) -> (Option<i32>, BTreeSet<String>, String) {
    let arguments = [&["scan", "--history", "--format", "json", "--quiet"], arguments].concat();
    let said = repository.run(&arguments);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_default();
    let paths = report["findings"].as_array().into_iter().flatten().map(|one| {
        let path = one["path"].as_str().unwrap_or_default();
        path.split(' ').next().unwrap_or_default().to_owned()
    });
    (said.code, paths.collect(), said.all())
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `old` on main, `side` on a branch, `merge` only in the merge of both, `new` after it; each with its own secret.
fn story() -> Repository {
    let repository = Repository::new();
    repository.commit("readme", "hello\n");
    repository.commit("old", token(1));
    repository.git(&["tag", "base"]);
    repository.git(&["checkout", "-q", "-b", "topic"]);
    repository.commit("side", token(2));
    repository.git(&["checkout", "-q", "main"]);
    repository.commit("main", "more\n");
    repository.git(&["merge", "-q", "--no-commit", "topic"]);
    repository.stage("merge", token(3));
    repository.git(&["commit", "-q", "-m", "merge"]);
    repository.git(&["tag", "merged"]);
    repository.commit("new", token(4));
    repository
}

#[test]
fn only_what_the_range_brought_is_scanned() {
    let repository = story();
    let cases: &[(&[&str], &[&str])] = &[
        (&["--range", "base..main"], &["side", "merge", "new"]),
        (&["--range", "merged.."], &["new"]),
        (&["--range", "main...topic"], &["merge", "new"]),
        (&["--range", "main", "--not", "topic"], &["merge", "new"]),
        (&["--range", "main", "--range", "^merged^1", "--range", "^merged^2"], &["merge", "new"]),
        (&["--range", "merged^!"], &["merge"]),
        // One set: what any of them leaves out is out.
        (&["--range", "base..topic", "--range", "merged..main"], &["new"]),
        (&["--branch", "topic"], &["old", "side"]),
        (&["--branch", "refs/tags/merged"], &["old", "side", "merge"]),
        (&["--since", "merged"], &["new"]),
        (&["--not", "topic"], &["merge", "new"]),
        // Every reference starts: base, topic, merged and main.
        (&["--max-depth", "1"], &["old", "side", "merge", "new"]),
        (&["--branch", "main", "--max-depth", "1"], &["new"]),
        (&["--branch", "main", "--max-depth", "2"], &["new", "merge"]),
        (&["--branch", "main", "--max-depth", "3"], &["new", "merge", "side"]),
        (&["--branch", "main", "--max-depth", "9"], &["new", "merge", "side", "old"]),
        (&["--since", "2026-01-01"], &["new", "merge", "side", "old"]),
    ];
    for (arguments, expected) in cases {
        let (code, found, said) = scan(&repository, arguments);
        assert_eq!((code, found), (Some(1), set(expected)), "{arguments:?}: {said}");
    }
    for nothing in [&["--range", "main..topic"][..], &["--since", "2026-02-01"], &["--range", "base..base"]] {
        assert_eq!(scan(&repository, nothing).0, Some(0), "{nothing:?}");
    }
}

/// What is hidden where it stands takes no look at what leads there; what is told says the same as ever.
#[test]
fn a_path_says_as_much_in_a_range_as_in_all() {
    let repository = Repository::new();
    // A range of much more than that is told of as everything is.
    (0..200).for_each(|number| repository.write(&format!("many/{number}"), format!("{number}\n")));
    repository.git(&["add", "many"]);
    repository.commit("readme", "hello\n");
    let weak = format!("db_pass{} = \"Pass{}\"\n", "word", "w0rd!");
    let counts = |arguments: &[&str]| {
        let all = [&["scan", "--history", "--format", "json", "--quiet"], arguments].concat();
        let report: serde_json::Value = serde_json::from_str(&repository.run(&all).out).unwrap();
        let mut findings = report["findings"].as_array().unwrap().clone();
        findings.sort_by_key(|one| one["path"].to_string());
        let told = |one: &serde_json::Value| (one["path"].clone(), one["history"].clone());
        (findings.iter().map(told).collect::<Vec<_>>(), report["summary"]["hidden"].clone())
    };
    repository.commit("tests/a.py", &weak);
    repository.git(&["checkout", "-q", "-b", "goes-on"]);
    repository.commit("more", "more\n");
    repository.git(&["checkout", "-q", "main"]);
    let hidden = counts(&[]);
    assert_eq!((hidden.0.len(), hidden.1.as_u64()), (0, Some(1)));
    assert_eq!(counts(&["--range", "main^..main"]), hidden);
    // The same content, where it is none of a test, and another.
    repository.commit("src/a.py", &weak);
    repository.commit("src/b.py", token(1));
    repository.git(&["checkout", "-q", "goes-on"]);
    repository.git(&["merge", "-q", "-m", "merge", "main"]);
    repository.git(&["rm", "-q", "src/b.py"]);
    repository.git(&["commit", "-q", "-m", "away"]);
    repository.git(&["checkout", "-q", "main"]);
    let shown = counts(&["--range", "main~3..main"]);
    assert_eq!(shown.0.len(), 2);
    assert!(shown.0.iter().all(|(_, history)| history["references"].as_array().unwrap().len() == 2), "{shown:?}");
    assert_eq!(counts(&[]), shown);
}

/// Where secrets are, and the subjects of the commits that brought them, as a scope has it.
fn told(repository: &Repository, arguments: &[&str]) -> Vec<(String, Vec<String>, Vec<String>)> {
    let arguments = [&["scan", "--history", "--format", "json", "--quiet"], arguments].concat();
    let report: serde_json::Value = serde_json::from_str(&repository.run(&arguments).out).expect("a report");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let list = |values: &serde_json::Value, key: &str| -> Vec<String> {
        values.as_array().expect("a list").iter().map(|value| text(&value[key])).collect()
    };
    let findings = report["findings"].as_array().expect("a list").iter();
    let history = |one: &serde_json::Value| {
        (list(&one["history"]["paths"], "path"), list(&one["history"]["introduced"], "subject"))
    };
    findings.map(|one| (text(&one["path"]), history(one).0, history(one).1)).collect()
}

/// Whether a commit that the range leaves out had it, too, says nothing of the commit that brought it back.
#[test]
fn what_a_commit_of_the_range_brought_counts_whoever_had_it_before() {
    let repository = Repository::new();
    repository.commit("readme", "hello\n");
    repository.commit("a", token(1));
    repository.git(&["tag", "add"]);
    repository.git(&["rm", "-q", "a"]);
    repository.git(&["commit", "-q", "-m", "away"]);
    repository.commit("b", token(1));
    let add = repository.git(&["rev-parse", "add"]);
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let again = [("b".to_owned(), owned(&["b"]), owned(&["change b"]))];
    let scopes: [&[&str]; 9] = [
        &["--range", "add~0..main"],
        &["--range", "main~1..main"],
        &["--branch", "main", "--not", "add"],
        &["--not", "add"],
        &["--since", &add],
        // What narrows a range changes nothing of how it is told.
        &["--range", "add..main", "--since", "2000-01-01"],
        &["--range", "main^..main", "--max-depth", "1"],
        &["--range", "add..main", "--max-depth", "9"],
        &["--not", "add", "--max-depth", "1"],
    ];
    for scope in scopes {
        assert_eq!(told(&repository, scope), again, "{scope:?}");
        repository.git(&["commit-graph", "write", "--reachable"]);
    }
    // A side that brings the same, left out and merged.
    let repository = Repository::new();
    repository.commit("readme", "hello\n");
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.commit("a", token(1));
    repository.git(&["checkout", "-q", "main"]);
    repository.commit("b", token(1));
    repository.git(&["merge", "-q", "-m", "merge", "side"]);
    for scope in [&["--range", "side..main"][..], &["--not", "side"], &["--since", "side"]] {
        let told = told(&repository, scope);
        assert_eq!((told.len(), &told[0].1, &told[0].2), (1, &owned(&["a", "b"]), &owned(&["change b"])), "{scope:?}");
    }
    assert_eq!(told(&repository, &["--range", "main^1..main"])[0].2, owned(&["change a"]), "the merge brought nothing");
}

/// What is only moved or copied was brought before.
#[test]
fn what_moves_is_told_of_who_brought_it() {
    let repository = Repository::new();
    repository.commit("a", token(1));
    repository.write("d/b", token(1));
    repository.write("kept", token(2));
    repository.git(&["rm", "-q", "a"]);
    repository.git(&["add", "."]);
    let mut commit = command("git", &repository.path);
    commit.env("GIT_COMMITTER_DATE", "2026-03-01T00:00:00Z").args(["commit", "-q", "-m", "moved"]);
    assert!(commit.status().expect("git runs").success());
    let base = repository.git(&["rev-parse", "main^"]);
    let scopes: [&[&str]; 7] = [
        &["--range", "main^..main"],
        &["--not", "main^"],
        &["--since", &base],
        &["--since", "2026-02-20"],
        &["--max-depth", "1"],
        &["--branch", "main", "--max-depth", "1"],
        &["--range", "main", "--since", "2026-02-20"],
    ];
    for scope in scopes {
        assert_eq!(scan(&repository, scope).1, set(&["kept"]), "{scope:?}");
    }
    for scope in [&["--max-depth", "2"][..], &["--since", "2020-01-01"], &["--range", "main"]] {
        assert_eq!(scan(&repository, scope).1.len(), 2, "{scope:?}");
    }
    // One copy more, and a tree as it was once.
    repository.commit("copy", token(2));
    repository.git(&["revert", "--no-edit", "HEAD"]);
    assert_eq!(scan(&repository, &["--range", "main~2..main"]).0, Some(0));
    assert_eq!(scan(&repository, &["--max-depth", "2"]).0, Some(0));
}

/// A tag that names a blob is no commit's doing.
/// Through these trees there are 2^40 ways, and each meets others of the parents' trees: without end, if all were compared.
#[test]
fn trees_that_cross_each_other_come_to_an_end() {
    const PARENTS: usize = 40;
    let repository = Repository::new();
    let write = |arguments: &[&str], text: &str| {
        let mut git = command("git", &repository.path);
        let mut git = git.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git runs");
        git.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        let said = git.wait_with_output().expect("it ends");
        assert!(said.status.success());
        String::from_utf8(said.stdout).expect("text").lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let entry = |mode: &str, id: &str, name: &str| format!("{mode} {id}\t{name}\n");
    // Of each commit two trees on every level. Those of one commit change places on a level of its own.
    let leaves = (0..=PARENTS)
        .flat_map(|commit| [0, 1].map(|state| write(&["hash-object", "-w", "--stdin"], &format!("{commit} {state}"))));
    let mut below: Vec<String> = leaves.map(|id| entry("100644 blob", &id[0], "x")).collect();
    below = write(&["mktree", "--batch"], &below.join("\n"));
    for level in (0..PARENTS).rev() {
        let trees = (0..=PARENTS).flat_map(|commit| {
            let below = &below;
            [0, 1].map(|state| {
                let crossed = if commit == level { 1 - state } else { state };
                let straight = entry("040000 tree", &below[2 * commit + state], "a");
                straight + &entry("040000 tree", &below[2 * commit + crossed], "b")
            })
        });
        below = write(&["mktree", "--batch"], &trees.collect::<Vec<_>>().join("\n"));
    }
    let top = |commit: usize, more: &str| {
        write(&["mktree"], &(entry("040000 tree", &below[2 * commit], "d") + more)).remove(0)
    };
    let parents: Vec<String> =
        (1..=PARENTS).map(|commit| repository.git(&["commit-tree", "-m", "p", &top(commit, "")])).collect();
    let secret = write(&["hash-object", "-w", "--stdin"], &token(1)).remove(0);
    let tree = top(0, &entry("100644 blob", &secret, "secret"));
    let parents: Vec<&str> = parents.iter().flat_map(|parent| ["-p", parent]).collect();
    let merge = repository.git(&[&["commit-tree", "-m", "merge", &tree][..], &parents].concat());
    repository.git(&["update-ref", "refs/heads/main", &merge]);
    let (code, found, said) = scan(&repository, &["--range", "main^!"]);
    assert_eq!((code, found), (Some(1), set(&["secret"])), "{said}");
}

#[test]
fn what_a_tag_names_is_blamed_on_nobody_who_did_not_bring_it() {
    let repository = Repository::new();
    repository.commit("a", token(1));
    for (tag, what) in [("v1", "main"), ("blob", "main:a"), ("tree", "main^{tree}")] {
        repository.git(&["tag", tag, what]);
    }
    repository.commit("later", "nothing\n");
    for _ in 0..2 {
        assert_eq!(scan(&repository, &["--range", "v1..main"]).0, Some(0));
        for scope in [&["--not", "v1"][..], &["--branch", "main", "--branch", "blob", "--not", "v1"]] {
            let told = told(&repository, scope);
            assert!(told.len() == 1 && told[0].2.is_empty(), "{scope:?}: {told:?}");
        }
        repository.git(&["commit-graph", "write", "--reachable"]);
    }
}

#[test]
fn a_date_means_the_committers_whatever_came_before() {
    let repository = Repository::new();
    for (number, date) in ["2026-01-10", "2026-01-30", "2026-01-15"].iter().enumerate() {
        repository.stage(&format!("f{number}"), token(number as u64));
        let date = format!("{date}T00:00:00Z");
        let mut commit = command("git", &repository.path);
        commit.env("GIT_COMMITTER_DATE", &date).env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z");
        assert!(commit.args(["commit", "-q", "-m", "x"]).status().expect("git runs").success());
    }
    assert_eq!(scan(&repository, &["--since", "2026-01-20"]).1, set(&["f1"]));
    assert_eq!(scan(&repository, &["--since", "2026-01-12T00:00:00Z"]).1, set(&["f1", "f2"]));
}

#[test]
fn messages_and_tags_of_the_range_are_scanned() {
    let repository = story();
    repository.git(&["commit", "-q", "--allow-empty", "-m", &token(5)]);
    repository.git(&["tag", "-a", "-m", &token(6), "told"]);
    let (_, found, _) = scan(&repository, &["--range", "HEAD^..HEAD"]);
    assert_eq!(found, set(&["commit", "tag"]));
}

#[test]
fn a_revision_that_means_nothing_is_an_error_with_gits_words() {
    let repository = story();
    for bad in
        [&["--range", "nowhere..main"][..], &["--not", "nowhere"], &["--branch", "nowhere"], &["--since", "nowhere"]]
    {
        let (code, _, said) = scan(&repository, bad);
        assert_eq!(code, Some(2), "{bad:?}");
        assert!(said.contains("'nowhere': unknown revision or path not in the working tree"), "{said}");
    }
    let (code, _, said) = scan(&repository, &["--range", "base..main:new"]);
    assert!(code == Some(0) || code == Some(1), "a blob may be named, as for git: {said}");
}

#[test]
fn a_base_that_was_not_fetched_is_not_clean() {
    let origin = Repository::new();
    let base = origin.commit("a", "1\n");
    (2..6).for_each(|number| drop(origin.commit("a", format!("{number}\n"))));
    let shallow = origin.clone_of(&["--depth", "3"]);
    for range in [format!("{base}..HEAD"), "HEAD~4..HEAD".to_owned(), "HEAD".to_owned()] {
        let (code, _, said) = scan(&shallow, &["--range", &range]);
        assert_eq!(code, Some(3), "{range}: {said}");
        assert!(said.contains("shallow-clone") && said.contains("git fetch --unshallow"), "{said}");
    }
    assert_eq!(scan(&shallow, &["--range", "HEAD~2..HEAD"]).0, Some(0), "this much is there");
    assert_eq!(scan(&shallow, &["--range", "nowhere..HEAD"]).0, Some(2), "this was never there");
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = origin.clone_of(&["--filter=blob:none", "--no-checkout"]);
    let (code, _, said) = scan(&partial, &["--range", "HEAD~1..HEAD"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("missing-object"), "{said}");
    partial.git(&["checkout", "-q", "HEAD"]);
    assert_eq!(scan(&partial, &["--range", "HEAD~1..HEAD"]).0, Some(0), "now it is there");
}

#[test]
fn references_that_cannot_be_read_are_not_clean() {
    let repository = story();
    let since = ["--since", "2026-02-01"];
    assert_eq!(scan(&repository, &since).0, Some(0));
    repository.write(".git/refs/heads/bad", "nonsense\n");
    let (code, _, said) = scan(&repository, &since);
    assert!(code == Some(3) && said.contains("refs/heads/bad"), "{said}");
    let tables = Repository::init(&["--ref-format=reftable"]);
    tables.commit("a", token(1));
    tables.write(".git/reftable/tables.list", "nothing.ref\n");
    let (code, _, said) = scan(&tables, &["--since", "2026-01-01"]);
    assert!(code == Some(3) && said.contains("nothing.ref"), "{said}");
    // Nor are those that are kept where nobody looks; without `HEAD` all that is staged is new.
    std::fs::remove_dir_all(tables.path.join(".git/reftable")).expect("it was there");
    for (arguments, code) in [(&["--history", "--since", "2026-01-01"][..], 3), (&["--staged"], 1)] {
        let said = tables.run(&[&["scan"], arguments].concat());
        assert!(said.code == Some(code) && said.all().contains("kept in a form"), "{arguments:?}: {}", said.all());
    }
}

/// To open a FIFO is to wait for somebody who writes to it: whoever prepared the repository would keep the scan for ever.
#[test]
fn a_fifo_in_the_place_of_a_file_of_gits_keeps_nobody_waiting() {
    let known = [
        ("HEAD", 2),
        ("config", 2),
        ("shallow", 2),
        ("info/grafts", 2),
        ("packed-refs", 2),
        ("index", 3),
        ("ORIG_HEAD", 3),
        ("refs/heads/pipe", 3),
        ("objects/info/alternates", 2),
        ("objects/info/commit-graph", 0),
        ("objects/pack/multi-pack-index", 0),
        ("objects/pack/pack-0123456789012345678901234567890123456789.idx", 3),
        ("objects/pack/pack-0123456789012345678901234567890123456789.pack", 3),
        ("borrowed/info/alternates", 3),
    ];
    for (name, expected) in known {
        let repository = Repository::new();
        repository.commit("readme", "hello\n");
        if name.starts_with("borrowed") {
            repository.write(".git/objects/info/alternates", "../borrowed\n");
            std::fs::create_dir_all(repository.path.join(".git/borrowed/info")).expect("it can be made");
        }
        let path = repository.path.join(".git").join(name);
        std::fs::remove_file(&path).ok();
        assert!(command("mkfifo", &repository.path).arg(&path).status().expect("it runs").success());
        let said = repository.run(&["scan", "--history"]);
        assert!(said.code == Some(expected), "{name}: {:?} {}", said.code, said.all());
        assert!(expected == 0 || said.all().contains(name), "{name}: {}", said.all());
        assert_eq!(repository.run(&["scan", "."]).code, Some(0), "{name}");
        let ranges = ["HEAD", "HEAD~0..HEAD"].map(|range| ["scan", "--history", "--range", range]);
        for arguments in [&["scan", "--staged"][..], &ranges[0], &ranges[1]] {
            assert!(repository.run(arguments).code.is_some(), "{name}");
        }
    }
}

#[test]
fn a_work_tree_that_is_not_there_changes_no_range() {
    let repository = story();
    let before = scan(&repository, &["--range", "merged~1..main"]);
    repository.git(&["config", "core.worktree", "/nonexistent"]);
    assert_eq!(scan(&repository, &["--range", "merged~1..main"]), before);
}

#[test]
fn configuration_changes_no_range() {
    let repository = story();
    let before = scan(&repository, &["--range", "base..main"]).1;
    repository.git(&["replace", "main", "base"]);
    repository.write(".git/info/grafts", format!("{}\n", repository.git(&["rev-parse", "main"])));
    for (name, value) in [("log.showRoot", "false"), ("color.ui", "always"), ("diff.renames", "copies")] {
        repository.git(&["config", name, value]);
    }
    assert_eq!(scan(&repository, &["--range", "base..refs/heads/main"]).1, before);
    // Libgit2 goes by grafts where it goes from a commit to its parents.
    std::fs::remove_file(repository.path.join(".git/info/grafts")).expect("ours");
    let steps = ["--range", "refs/heads/main~1..refs/heads/main"];
    let before = scan(&repository, &steps).1;
    let parent = repository.git(&["rev-parse", "main"]);
    repository.write(
        ".git/info/grafts",
        format!("{parent} {}\n", repository.git(&["--no-replace-objects", "rev-parse", "main^{tree}"])),
    );
    assert_eq!(scan(&repository, &steps).1, before);
}

#[test]
fn somebody_elses_repository_is_refused_with_the_fix() {
    let repository = story();
    let chown =
        |owner: &str, path: &Path| command("chown", path).args(["-R", owner, "."]).status().expect("chown runs");
    if !chown("12345:12345", &repository.path).success() {
        writeln!(std::io::stderr(), "not root: nothing can be given to somebody else").expect("somebody listens");
        return;
    }
    let home = tempfile::tempdir().expect("a directory");
    let scan = |arguments: &[&str]| -> repository::Said {
        let mut scan = command(repository::stanch(), &repository.path);
        scan.env_remove("GIT_CONFIG_GLOBAL").env("HOME", home.path()).args(["scan"]).args(arguments);
        scan.output().expect("stanch runs").into()
    };
    let config = std::fs::read_to_string(repository.path.join(".git/config")).expect("ours");
    for work_tree in ["", "[core]\nworktree = /nonexistent\n"] {
        repository.write(".git/config", format!("{config}{work_tree}"));
        for arguments in [&["--history"][..], &["--history", "--range", "base..main"], &["--staged"]] {
            let said = scan(arguments);
            assert_eq!(said.code, Some(2), "{}", said.all());
            let fix = format!("git config --global --add safe.directory '{}'", repository.path.display());
            assert!(said.err.contains(&fix), "{}", said.err);
        }
    }
    repository.write(".git/config", config);
    let mut config = command("git", home.path());
    config
        .env_remove("GIT_CONFIG_GLOBAL")
        .args(["config", "--global", "--add", "safe.directory"])
        .arg(&repository.path);
    assert!(config.status().expect("git runs").success());
    assert_eq!(scan(&["--history"]).code, Some(1));
    assert!(try_git(&repository.path, &["status"]).code != Some(0), "git itself does not trust it");
}

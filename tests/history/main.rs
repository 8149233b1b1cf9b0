//! `stanch scan --history` through the real program: secrets in every place a repository has, in every form of object store.
#![cfg(unix)]

mod cache;
mod composite;
mod leaks;
mod own;
mod told;
mod wrapped;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use stanch::builtin::with_examples;
use stanch::detect::mint::mint;
use stanch::secret::Fingerprint;
use stanch::source::read::CHUNK;
use tempfile::TempDir;

/// A token nobody has.
fn token(seed: u64) -> String {
    let rules = with_examples();
    mint(rules.get("github-pat").expect("a rule of ours"), seed).expect("tokens can be drawn")
}

fn fingerprint(token: &str) -> String {
    Fingerprint::of_strong(token.as_bytes()).to_string()
}

/// Git as it is on every machine.
fn git_in(dir: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(dir).stderr(Stdio::piped()).stdin(Stdio::null());
    for name in
        ["GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_INDEX_FILE"]
    {
        git.env_remove(name);
    }
    let fixed = [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "Jane Doe"),
        ("GIT_AUTHOR_EMAIL", "jane@example.org"),
        ("GIT_COMMITTER_NAME", "Joe Doe"),
        ("GIT_COMMITTER_EMAIL", "joe@example.org"),
        ("GIT_AUTHOR_DATE", "1620000000 +0200"),
        ("GIT_COMMITTER_DATE", "1620000000 +0200"),
        ("LC_ALL", "C"),
    ];
    git.envs(fixed);
    git
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn git(dir: &Path, args: &[&str]) -> String {
    done(git_in(dir).args(args).output().expect("git runs"))
}

fn git_with(dir: &Path, variables: &[(&str, &str)], args: &[&str]) -> String {
    done(git_in(dir).envs(variables.iter().copied()).args(args).output().expect("git runs"))
}

/// What git says to what it is told on standard input.
fn git_fed(dir: &Path, args: &[&str], input: &[u8]) -> String {
    let mut git = git_in(dir).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git runs");
    git.stdin.take().expect("piped").write_all(input).expect("git reads");
    done(git.wait_with_output().expect("git ends"))
}

struct Repository {
    dir: TempDir,
}

impl Repository {
    fn new() -> Self {
        Self::of(&[])
    }

    fn of(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        git(dir.path(), &[&["init", "-q", "-b", "main", "top"], options].concat());
        let repository = Repository { dir };
        repository.git(&["config", "gc.auto", "0"]);
        repository
    }

    fn top(&self) -> PathBuf {
        self.dir.path().join("top")
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.top(), args)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.top().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("ours");
        fs::write(path, content).expect("ours");
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>, message: &str) -> String {
        self.write(name, content);
        self.commit(message)
    }

    fn scan(&self, options: &[&str]) -> Scan {
        scan(&self.top(), options)
    }
}

/// What the program said.
struct Scan {
    exit: i32,
    text: String,
    errors: String,
    report: Value,
}

fn run(repository: &Path, options: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stanch"));
    program.args(["scan", "--history"]).arg(repository).args(options).env_remove("STANCH_FINGERPRINT_KEY");
    program.stdin(Stdio::null()).output().expect("the program runs")
}

fn scan(repository: &Path, options: &[&str]) -> Scan {
    let output = run(repository, &[&["--format", "json"], options].concat());
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_str(&text).unwrap_or(Value::Null);
    Scan { exit: output.status.code().expect("an exit code"), text, errors, report }
}

impl Scan {
    fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().unwrap_or_else(|| panic!("{} {}", self.text, self.errors))
    }

    fn of(&self, token: &str) -> Vec<&Value> {
        let name = fingerprint(token);
        self.findings().iter().filter(|finding| finding["fingerprint"] == name.as_str()).collect()
    }

    /// The only finding of a token in an object of that kind.
    fn one(&self, token: &str, kind: &str) -> &Value {
        let all: Vec<&Value> = self.of(token).into_iter().filter(|finding| finding["object"]["kind"] == kind).collect();
        assert_eq!(all.len(), 1, "{kind}: {all:#?}");
        all[0]
    }

    fn skips(&self) -> Vec<&str> {
        let skips = self.report["summary"]["skips"].as_array().unwrap_or_else(|| panic!("{}", self.errors));
        skips.iter().map(|skip| skip["reason"].as_str().expect("a word")).collect()
    }

    /// What was found in which object, and where in it.
    fn marks(&self) -> BTreeSet<(String, u64, String, String)> {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let in_objects = self.findings().iter().filter(|finding| finding["object"].is_object());
        in_objects
            .map(|it| {
                let offset = it["byte_offset"].as_u64().expect("a number");
                (text(&it["object"]["id"]), offset, text(&it["rule"]), text(&it["fingerprint"]))
            })
            .collect()
    }
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// A repository with a token in each of the places a repository has, and what must be found: the token, the kind of object (or none)
/// and what is special about it.
fn places() -> (Repository, Vec<(String, &'static str, &'static str)>) {
    let repository = Repository::new();
    let mut hidden = Vec::new();
    let mut hide = |kind: &'static str, place: &'static str| {
        hidden.push((token(hidden.len() as u64 + 1), kind, place));
        hidden.last().expect("just put").0.clone()
    };
    let r = &repository;
    let filler: String = (0..200).map(|n| format!("line {n}\n")).collect();
    r.put("plain.txt", format!("key = {}\n", hide("blob", "in HEAD")), "first");
    r.put("gone.txt", format!("key = {}\n", hide("blob", "removed")), "brings");
    r.git(&["rm", "-q", "gone.txt"]);
    r.commit("removes");
    let renamed = hide("blob", "renamed and edited, of which only the old one has it");
    r.put("old/name.txt", format!("{filler}key = {renamed}\n"), "before the renaming");
    r.git(&["mv", "old/name.txt", "new.txt"]);
    r.put("new.txt", format!("{filler}key = changed\n"), "renamed and edited");
    r.put("kind", "a file\n", "a file");
    fs::remove_file(r.top().join("kind")).expect("ours");
    std::os::unix::fs::symlink(hide("blob", "type change to a link"), r.top().join("kind")).expect("ours");
    r.commit("a link");
    r.git(&["checkout", "-q", "-b", "side"]);
    r.put("side", "side\n", "side");
    r.git(&["checkout", "-q", "main"]);
    r.put("main", "main\n", "main");
    r.git(&["merge", "-q", "--no-commit", "--no-ff", "side"]);
    r.put("merged", format!("key = {}\n", hide("blob", "only in a merge")), "a merge with something of its own");
    r.write("plain.txt", format!("stashed {}\n", hide("blob", "stash")));
    r.git(&["stash", "-q"]);
    r.git(&["notes", "add", "-m", &hide("blob", "notes")]);
    r.git(&["tag", "-a", "v1", "-m", &hide("tag", "message of a tag")]);
    git_with(&r.top(), &[("GIT_COMMITTER_NAME", &hide("tag", "name of a tagger"))], &["tag", "-a", "v2", "-m", "tag"]);
    r.git(&["commit", "-q", "--allow-empty", "-m", &format!("subject\n\n{}", hide("commit", "message"))]);
    let as_whom = |name: &str, value: &str| {
        git_with(&r.top(), &[(name, value)], &["commit", "-q", "--allow-empty", "-m", "as whom"])
    };
    as_whom("GIT_AUTHOR_NAME", &hide("commit", "author's name"));
    as_whom("GIT_COMMITTER_EMAIL", &format!("{}@example.org", hide("commit", "committer's address")));
    let tree = r.git(&["rev-parse", "HEAD^{tree}"]);
    let people = "author A <a> 1 +0000\ncommitter A <a> 1 +0000";
    let odd = format!("tree {tree}\n{people}\nodd {}\n\nan odd header\n", hide("commit", "header nobody knows"));
    git_fed(&r.top(), &["hash-object", "-w", "-t", "commit", "--stdin"], odd.as_bytes());
    r.put("reset", format!("key = {}\n", hide("blob", "only in the reflog")), "to be reset");
    r.git(&["reset", "-q", "--hard", "HEAD~1"]);
    git_fed(&r.top(), &["hash-object", "-w", "--stdin"], format!("key {}\n", hide("blob", "unreachable")).as_bytes());
    r.put(&format!("name-{}.txt", hide("tree", "name of a file")), "named\n", "a file's name");
    r.put(&format!("d/{}/f", hide("tree", "name of a directory")), "named, too\n", "a directory's name");
    r.write(".gitattributes", "*.secret -diff binary export-ignore\n");
    r.put("x.secret", format!("key = {}\n", hide("blob", "without diff")), "attributes");
    r.put("wide.txt", utf16(&format!("key = {}\r\n", hide("blob", "UTF-16"))), "wide");
    r.put("dos.txt", format!("a = b\r\nkey = {}\r\n", hide("blob", "CRLF")), "dos");
    let seam = hide("blob", "over a seam of a large file");
    let mut huge = vec![b'x'; CHUNK + (1 << 20) + 5];
    huge.chunks_mut(64).for_each(|line| line[line.len() - 1] = b'\n');
    huge[CHUNK - 21..][..seam.len() + 2].copy_from_slice(format!(" {seam} ").as_bytes());
    r.put("huge", huge, "huge");
    r.git(&["branch", &format!("b/{}", hide("", "name of a branch"))]);
    r.git(&["remote", "add", "x", &format!("https://me:{}@github.com/o/r", hide("", "configuration"))]);
    fs::write(r.top().join(".git/FETCH_HEAD"), format!("x branch of https://{}@h/\n", hide("", "FETCH_HEAD"))).unwrap();
    r.git(&["update-ref", "-m", &format!("said {}", hide("", "reflog")), "refs/heads/side", "HEAD~1"]);
    r.write("staged", format!("key = {}\n", hide("blob", "staged, not committed")));
    r.git(&["add", "staged"]);
    (repository, hidden)
}

#[test]
fn secrets_are_found_wherever_a_repository_keeps_them_and_however() {
    let (repository, hidden) = places();
    let loose = repository.scan(&[]);
    assert_eq!((loose.exit, loose.skips()), (1, vec![]), "{}", loose.errors);
    for (token, kind, place) in &hidden {
        let all = loose.of(token);
        let is_there = all.iter().any(|it| it["object"]["kind"].as_str().unwrap_or_default() == *kind);
        assert!(is_there, "{place}: {all:#?}");
        assert!(!loose.text.contains(token.as_str()), "{place}: the report shows it");
    }
    let tokens: BTreeSet<String> = hidden.iter().map(|it| fingerprint(&it.0)).collect();
    let extra: Vec<&Value> =
        loose.findings().iter().filter(|it| !tokens.contains(it["fingerprint"].as_str().unwrap())).collect();
    assert!(extra.is_empty(), "{extra:#?}");
    let listed = repository.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    assert_eq!(loose.report["summary"]["objects"], listed.lines().count());

    // What a mirror is handed out: everything that references lead to.
    git(repository.dir.path(), &["clone", "-q", "--no-local", "--mirror", "top", "mirror.git"]);
    let mirror = scan(&repository.dir.path().join("mirror.git"), &[]);
    assert_eq!((mirror.exit, mirror.skips()), (1, vec![]));
    let reachable = repository.git(&["rev-list", "--all", "--objects", "--no-object-names"]);
    let reachable: BTreeSet<&str> = reachable.lines().collect();
    let led_to: BTreeSet<_> = loose.marks().into_iter().filter(|it| reachable.contains(it.0.as_str())).collect();
    assert_eq!(mirror.marks(), led_to);
    assert!(led_to.len() < loose.marks().len());

    // The same objects, kept otherwise.
    let top = repository.top();
    let same = |place: &Path, how: &str| {
        let scan = scan(place, &[]);
        assert_eq!((scan.exit, scan.skips()), (1, vec![]), "{how}");
        assert_eq!(scan.marks(), loose.marks(), "{how}");
    };
    let linked = repository.dir.path().join("linked");
    repository.git(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap(), "HEAD"]);
    same(&linked, "linked work tree");
    same(&linked.join("d"), "a directory in a linked work tree");
    repository.git(&["worktree", "remove", "--force", linked.to_str().unwrap()]);
    // Half of the objects in a pack, twins of it loose.
    let half: String = listed.lines().step_by(2).map(|id| format!("{id}\n")).collect();
    git_fed(&top, &["pack-objects", "-q", ".git/objects/pack/pack"], half.as_bytes());
    same(&top, "packed and loose twins");
    repository.git(&["prune-packed"]);
    same(&top, "half packed");
    let rest: String = listed.lines().skip(1).step_by(3).map(|id| format!("{id}\n")).collect();
    git_fed(&top, &["pack-objects", "-q", ".git/objects/pack/pack"], rest.as_bytes());
    same(&top, "two packs that overlap");
    git_fed(&top, &["pack-objects", "-q", "--window=50", "--depth=200", ".git/objects/pack/pack"], listed.as_bytes());
    repository.git(&["prune-packed"]);
    repository.git(&["multi-pack-index", "write"]);
    same(&top, "three packs with an index over all");
    let borrower = repository.dir.path().join("borrower");
    git(repository.dir.path(), &["clone", "-q", "--shared", "--no-checkout", "top", "borrower"]);
    same(&borrower, "everything borrowed");
    for pack in packs(&top.join(".git"), "idx") {
        fs::remove_file(pack).expect("ours");
    }
    same(&top, "only an index over all");
    let bare = repository.dir.path().join("bare.git");
    fs::rename(top.join(".git"), &bare).expect("ours");
    git(&bare, &["config", "core.bare", "true"]);
    same(&bare, "bare");
}

fn packs(git_dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(git_dir.join("objects/pack")).expect("packs");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|have| have == extension));
    files.sort();
    files
}

#[test]
fn no_report_shows_a_token_that_stands_in_names_and_subjects() {
    let (repository, hidden) = places();
    let everywhere = token(900);
    repository.git(&["checkout", "-q", "-b", &format!("b-{everywhere}")]);
    let author = [("GIT_AUTHOR_NAME", everywhere.as_str()), ("GIT_AUTHOR_EMAIL", everywhere.as_str())];
    repository.write(&format!("{everywhere}/a file"), format!("one = {everywhere}\ntwo = {}\n", token(901)));
    repository.git(&["add", "-A"]);
    git_with(&repository.top(), &author, &["commit", "-q", "-m", &format!("Add {everywhere}")]);
    for format in ["text", "json", "jsonl", "sarif"] {
        let output = run(&repository.top(), &["--format", format, "--show-allowed", "--confidence", "low", "-v"]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for token in hidden.iter().map(|it| &it.0).chain([&everywhere, &token(901)]) {
            assert!(!said.contains(token.as_str()), "{format} shows {token}");
        }
        assert!(said.contains(&fingerprint(&everywhere)), "{format}");
    }
}

/// Encoded, it is as good as plain.
#[test]
fn no_report_shows_an_encoded_token_that_stands_in_names_and_subjects() {
    let token = token(910);
    let each = |form: fn(&u8) -> String| token.bytes().map(|byte| form(&byte)).collect::<String>();
    let forms = [
        each(|byte| format!("{byte:02x}")),
        each(|byte| format!("%{byte:02X}")),
        each(|byte| format!("\\x{byte:02x}")),
        each(|byte| format!("&#{byte};")),
    ];
    let repository = Repository::new();
    for form in &forms {
        repository.put(&format!("{form}/a"), format!("{form}\nkey = {token}\n"), &format!("Add {form}"));
    }
    for format in ["text", "json", "sarif", "csv"] {
        let output = run(&repository.top(), &["--format", format, "-v"]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for form in &forms {
            // As it is, and as the format escapes what is in it.
            let escaped = form.replace('\\', "\\\\");
            assert!(!said.contains(form.as_str()) && !said.contains(&escaped), "{format} shows {form}:\n{said}");
        }
    }
}

#[test]
fn authors_are_left_out_on_request() {
    let repository = Repository::new();
    repository.put("f", format!("key = {}\n", token(1)), "first");
    git_with(&repository.top(), &[("GIT_AUTHOR_NAME", &token(2))], &["commit", "-q", "--allow-empty", "-m", &token(3)]);
    for format in ["text", "json", "jsonl", "sarif"] {
        let said = |options: &[&str]| {
            let output = run(&repository.top(), &[&["--format", format], options].concat());
            assert_eq!(output.status.code(), Some(1));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        assert!(said(&[]).contains("jane@example.org") && said(&[]).contains("Jane Doe"), "{format}");
        let without = said(&["--no-authors"]);
        for name in ["Jane", "jane@", "Joe", "joe@"] {
            assert!(!without.contains(name), "{format} names {name} in\n{without}");
        }
        assert!([1, 2, 3].iter().all(|seed| without.contains(&fingerprint(&token(*seed)))), "{format}");
    }
}

#[test]
fn a_finding_tells_who_brought_it_and_what_leads_to_it() {
    let repository = Repository::new();
    let (r, secret) = (&repository, token(1));
    r.put("other", "nothing\n", "before");
    let brought = r.put("a", format!("key = {secret}\n"), "Add a key\n\nwith a body");
    r.put("dir/b", format!("key = {secret}\n"), "the same blob again");
    r.git(&["branch", "keeps"]);
    r.git(&["tag", "-a", "v1", "-m", "annotated"]);
    r.git(&["rm", "-q", "-r", "a", "dir"]);
    let removed = r.commit("Remove the key");
    r.put("other", "more\n", "after");
    let scanned = r.scan(&[]);
    let finding = scanned.one(&secret, "blob");
    let history = &finding["history"];
    assert_eq!((&finding["path"], &finding["origin"]), (&"a".into(), &"object".into()));
    let paths: Vec<&str> = history["paths"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["a", "dir/b"]);
    let expected = serde_json::json!([{
        "commit": brought, "author": "Jane Doe", "email": "jane@example.org", "date": "2021-05-03T00:00:00Z", "subject": "Add a key",
    }]);
    assert_eq!(history["introduced"], expected);
    assert_eq!(history["references"], serde_json::json!(["refs/heads/keeps", "refs/heads/main", "refs/tags/v1"]));
    assert_eq!(history["removed"], serde_json::json!([{ "reference": "refs/heads/main", "commit": removed }]));
    assert_eq!((&history["in_head"], &history["unreachable"]), (&false.into(), &false.into()));
    let secrets = &scanned.report["summary"]["secrets"];
    assert_eq!((&secrets[0]["places"], &secrets[0]["first_seen"]), (&1.into(), &"2021-05-03T00:00:00Z".into()));
    // Seen from where it is still there.
    r.git(&["checkout", "-q", "--detach", "v1"]);
    let history = r.scan(&[]).one(&secret, "blob")["history"].clone();
    assert_eq!(history["in_head"], true);
    assert_eq!(history["references"][0], "HEAD");
    let text = String::from_utf8(run(&r.top(), &["--format", "text"]).stdout).unwrap();
    for part in
        ["history: brought by", "Jane Doe <jane@example.org> \"Add a key\"; also at dir/b", "still in HEAD", "objects"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn what_only_names_lead_to_is_not_called_unreachable() {
    let repository = Repository::new();
    let r = &repository;
    r.put("f", "nothing\n", "first");
    let top = r.top();
    let blob = |seed| git_fed(&top, &["hash-object", "-w", "--stdin"], format!("key = {}\n", token(seed)).as_bytes());
    r.git(&["tag", "of-a-blob", &blob(1)]);
    let tree = git_fed(&top, &["mktree"], format!("100644 blob {}\tin-a-tree\n", blob(2)).as_bytes());
    r.git(&["tag", "-a", "of-a-tree", "-m", &token(3), &tree]);
    blob(4);
    r.git(&["tag", "-a", "lost", "-m", &token(5)]);
    r.git(&["tag", "-d", "lost"]);
    r.git(&["checkout", "-q", "--detach"]);
    r.put("g", format!("key = {}\n", token(6)), "detached");
    let scanned = r.scan(&[]);
    let reach = |seed, kind| scanned.one(&token(seed), kind)["history"].clone();
    assert_eq!(reach(1, "blob")["references"], serde_json::json!(["refs/tags/of-a-blob"]));
    assert_eq!(reach(2, "blob")["references"], serde_json::json!(["refs/tags/of-a-tree"]));
    assert_eq!(reach(3, "tag")["references"], serde_json::json!(["refs/tags/of-a-tree"]));
    assert_eq!(
        (reach(4, "blob")["unreachable"].clone(), reach(5, "tag")["unreachable"].clone()),
        (true.into(), true.into())
    );
    assert_eq!(reach(6, "blob")["references"], serde_json::json!(["HEAD"]));
    assert_eq!(reach(6, "blob")["in_head"], true);
}

/// Runs a script of testdata/repos and puts tokens in the place of the words it marks content with.
fn made_by(script: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/repos").join(script);
    let status = Command::new("sh").arg(&path).arg(dir.path()).status().expect("sh runs");
    assert!(status.success(), "{script}");
    dir
}

/// Rules that find the words by which the scripts of testdata/repos mark content.
fn word_rules(dir: &Path) -> PathBuf {
    let path = dir.join("words.toml");
    let rule = "[[rules]]\nid = 'word'\ndescription = 'a word'\nregex = 'tok_[a-z0-9]+'\nkeywords = ['tok_']\n";
    fs::write(&path, rule).expect("ours");
    path
}

/// A tree with what is searched in place of the ids, which are random: so many bytes of value 1, and a line's end.
fn without_ids(tree: &[u8], width: usize) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), tree);
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        out.extend(&rest[..=end]);
        out.extend([1].repeat(width - 1));
        out.push(b'\n');
        rest = &rest[end + 1 + width..];
    }
    assert!(rest.is_empty());
    out
}

/// Every object as git reads it, as files named by their ids.
fn written_out(repository: &Path, to: &Path) -> usize {
    let mut git = git_in(repository);
    git.args(["cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"]).env("GIT_NO_LAZY_FETCH", "1");
    let output = git.output().expect("git runs").stdout;
    let (mut rest, mut count) = (&output[..], 0);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        let words: Vec<&str> = line.split(' ').collect();
        let size: usize = words[2].parse().expect("a size");
        let content = &rest[end + 1..][..size];
        let content = if words[1] == "tree" { without_ids(content, words[0].len() / 2) } else { content.to_vec() };
        fs::write(to.join(words[0]), content).expect("ours");
        rest = &rest[end + 1 + size + 1..];
        count += 1;
    }
    count
}

/// The oracle of the whole program: what it finds in a history it finds in each object as a file.
fn same_as_files(repository: &Path, options: &[&str]) -> usize {
    let files = tempfile::tempdir().expect("a directory");
    let count = written_out(repository, files.path());
    let options = [&["--confidence", "low", "--show-allowed"], options].concat();
    let history = scan(repository, &options);
    assert_eq!(history.report["summary"]["objects"], count, "{}", history.errors);
    let mut program = Command::new(env!("CARGO_BIN_EXE_stanch"));
    program.arg("scan").arg(".").args(["--format", "json"]).args(&options).current_dir(files.path());
    let output = program.output().expect("the program runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // A fingerprint of a weak secret is one of its place, which is not the same.
    let in_files: BTreeSet<(String, u64, String)> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|it| {
            // What is in an archive has that object's id.
            let file = it["path"].as_str().unwrap().split("!/").next().unwrap();
            let id = file.rsplit('/').next().unwrap();
            (id.to_owned(), it["byte_offset"].as_u64().unwrap(), it["rule"].as_str().unwrap().to_owned())
        })
        .collect();
    let in_history: BTreeSet<_> = history.marks().into_iter().map(|(id, at, rule, _)| (id, at, rule)).collect();
    let lost: Vec<_> = in_files.difference(&in_history).take(9).collect();
    let made_up: Vec<_> = in_history.difference(&in_files).take(9).collect();
    assert!(lost.is_empty() && made_up.is_empty(), "lost: {lost:#?}\nmade up: {made_up:#?}");
    in_history.len()
}

#[test]
fn a_history_is_what_its_objects_are_as_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let words = word_rules(directory.path());
    let words = ["--rules", words.to_str().unwrap()];
    for (script, name) in [
        ("chains.sh", "chains"),
        ("refdelta.sh", "completed"),
        ("packs.sh", "midx"),
        ("places.sh", "places"),
        ("history.sh", "history"),
        ("sha256.sh", "sha256"),
        ("alternates.sh", "borrower"),
    ] {
        let dir = made_by(script);
        assert!(same_as_files(&dir.path().join(name), &words) > 3, "{script}");
    }
    let (repository, hidden) = places();
    assert!(same_as_files(&repository.top(), &[]) > hidden.len() / 2);
    repository.git(&["repack", "-adfkq", "--depth=50"]);
    same_as_files(&repository.top(), &[]);
}

/// Where something was is not looked up for what is not reported anyway.
#[test]
fn look_alikes_are_counted_as_if_they_were_shown() {
    let repository = Repository::new();
    for version in 0..5 {
        let lines = format!("password = \"${{DB_{version}}}\"\n<password>password</password>\ntoken: 'your-token'\n");
        repository.put("settings.ini", lines, "settings");
    }
    repository.put("both", format!("secret = \"changeme\"\n{}\n", token(1)), "both");
    let count = |options: &[&str]| {
        let summary = &repository.scan(options).report["summary"];
        ["reported", "allowed", "hidden"].map(|it| summary[it].as_u64().expect("a number"))
    };
    let ([reported, allowed, hidden], all) = (count(&[]), count(&["--confidence", "low"]));
    assert_eq!((reported, allowed, all[2]), (1, 0, 0));
    assert_eq!(reported + hidden, all[0] + all[1]);
    assert!(hidden > 5, "{hidden}");
}

/// A token that editing tears and mends, in a file with a long chain of deltas.
#[test]
fn a_token_that_seams_of_deltas_cut_is_found_where_it_is_whole() {
    let repository = Repository::new();
    let secret = token(7);
    let line = |n: usize| format!("line {n} of some text that compresses badly: {}\n", fingerprint(&format!("{n}")));
    let mut lines: Vec<String> = (0..120).map(line).collect();
    lines[60] = format!("key = {secret}\n");
    let mut whole = BTreeSet::new();
    for step in 0..secret.len() {
        let mut torn = lines.clone();
        // In turns: torn at another place, whole again, and moved.
        match step % 3 {
            0 => torn[60] = format!("key = {}-{}\n", &secret[..step.max(1)], &secret[step.max(1)..]),
            1 => torn.insert(step, line(1000 + step)),
            _ => torn.swap(60, step),
        }
        repository.put("f", torn.concat(), "edit");
        if step % 3 != 0 {
            whole.insert(repository.git(&["rev-parse", "HEAD:f"]));
        }
    }
    for (depth, window) in [("0", "0"), ("4095", "250"), ("3", "10")] {
        let (depth, window) = (format!("--depth={depth}"), format!("--window={window}"));
        repository.git(&["repack", "-adfq", &depth, &window]);
        let scanned = repository.scan(&[]);
        let found: BTreeSet<String> =
            scanned.of(&secret).iter().map(|it| it["object"]["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, whole, "{depth} {window}");
        assert!(same_as_files(&repository.top(), &[]) >= whole.len());
    }
}

#[test]
fn configuration_grafts_and_replacements_change_nothing() {
    let (repository, _) = places();
    let before = repository.scan(&[]).marks();
    let r = &repository;
    let hooks = r.dir.path().join("marker");
    for (key, value) in [
        ("color.ui", "always"),
        ("core.bigFileThreshold", "1"),
        ("core.quotePath", "false"),
        ("core.autocrlf", "true"),
        ("diff.noprefix", "true"),
        ("core.attributesFile", "/dev/full"),
        ("core.excludesFile", "/dev/full"),
        ("log.showSignature", "true"),
        ("extensions.partialClone", "origin"),
    ] {
        r.git(&["config", key, value]);
    }
    for key in ["diff.external", "core.pager", "core.fsmonitor", "core.sshCommand", "diff.x.textconv", "filter.x.clean"]
    {
        r.git(&["config", key, &format!("touch {}; false", hooks.display())]);
    }
    let (head, first) = (r.git(&["rev-parse", "HEAD"]), r.git(&["rev-list", "--max-parents=0", "HEAD"]));
    fs::create_dir_all(r.top().join(".git/info")).expect("ours");
    fs::write(r.top().join(".git/info/grafts"), format!("{head}\n")).expect("ours");
    r.git(&["update-ref", &format!("refs/replace/{head}"), first.lines().next().unwrap()]);
    fs::write(r.top().join(".git/info/attributes"), "* diff=x filter=x\n").expect("ours");
    let after = r.scan(&[]);
    assert_eq!(after.marks(), before);
    assert!(!hooks.exists(), "a command of the repository's was run");
    assert!(after.findings().iter().any(|it| it["history"]["in_head"] == true));
}

#[test]
fn what_is_missing_or_broken_is_named_and_never_clean() {
    let clean = || {
        let repository = Repository::new();
        for n in 0..30 {
            repository.put("f", format!("{}edit {n}\n", "some text\n".repeat(n)), "edit");
        }
        assert_eq!(repository.scan(&[]).exit, 0);
        repository
    };
    let unread = |path: &Path, reason: &str| {
        let scanned = scan(path, &[]);
        assert_eq!(scanned.exit, 3, "{reason}: {}", scanned.text);
        assert!(scanned.skips().contains(&reason), "{reason}: {:?}", scanned.skips());
        assert_eq!(scanned.report["summary"]["exit_code"], 3);
    };
    let loose = |repository: &Repository, id: &str| {
        let (directory, name) = id.split_at(2);
        let path = repository.top().join(".git/objects").join(directory).join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        path
    };
    let r = clean();
    fs::remove_file(loose(&r, &r.git(&["rev-parse", "HEAD~3:f"]))).expect("ours");
    unread(&r.top(), "missing-object");

    let r = clean();
    let head = loose(&r, &r.git(&["rev-parse", "HEAD"]));
    fs::remove_file(head).expect("ours");
    unread(&r.top(), "missing-object");

    let r = clean();
    let path = loose(&r, &r.git(&["rev-parse", "HEAD~3:f"]));
    let bytes = fs::read(&path).expect("ours");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("ours");
    unread(&r.top(), "corrupt-object");
    fs::write(&path, b"").expect("ours");
    unread(&r.top(), "corrupt-object");
    // A sound object, but another one's.
    let other = fs::read(loose(&r, &r.git(&["rev-parse", "HEAD~5:f"]))).expect("ours");
    fs::write(&path, other).expect("ours");
    unread(&r.top(), "corrupt-object");

    let r = clean();
    r.git(&["repack", "-adq"]);
    let pack = packs(&r.top().join(".git"), "pack").remove(0);
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o644)).expect("ours");
    let bytes = fs::read(&pack).expect("ours");
    fs::write(&pack, &bytes[..bytes.len() - 300]).expect("ours");
    unread(&r.top(), "corrupt-pack");
    fs::write(&pack, &bytes).expect("ours");
    // One bit in the header of an entry makes something else of a commit, and its zlib stream knows nothing of it.
    let index = git(&r.top(), &["verify-pack", "-v", &pack.with_extension("idx").to_string_lossy()]);
    for kind in ["commit", "tree"] {
        let entry = index.lines().find(|line| line.split_whitespace().nth(1) == Some(kind)).expect("there is one");
        let offset: usize = entry.split_whitespace().nth(4).expect("an offset").parse().expect("a number");
        let mut flipped = bytes.clone();
        flipped[offset] ^= if kind == "commit" { 0x20 } else { 0x10 };
        fs::write(&pack, &flipped).expect("ours");
        unread(&r.top(), "corrupt-object");
    }
    fs::write(&pack, &bytes).expect("ours");
    // Two names for one entry, and none for another.
    let idx = pack.with_extension("idx");
    fs::set_permissions(&idx, fs::Permissions::from_mode(0o644)).expect("ours");
    let mut index = fs::read(&idx).expect("ours");
    let len = u32::from_be_bytes(*index[8 + 4 * 255..].first_chunk().expect("a fan-out table")) as usize;
    let offsets = 8 + 4 * 256 + len * 24;
    index.copy_within(offsets..offsets + 4, offsets + 4);
    fs::write(&idx, index).expect("ours");
    unread(&r.top(), "corrupt-object");
    fs::remove_file(idx).expect("ours");
    unread(&r.top(), "unfinished");

    let r = clean();
    fs::write(r.top().join(".git/refs/heads/odd"), "no id\n").expect("ours");
    unread(&r.top(), "corrupt-object");

    let r = clean();
    r.git(&["pack-refs", "--all"]);
    let packed = r.top().join(".git/packed-refs");
    let lines = fs::read_to_string(&packed).expect("ours");
    for (garbage, line) in [("nonsense\n", 3), ("no id\n", 3)] {
        fs::write(&packed, format!("{lines}{garbage}")).expect("ours");
        unread(&r.top(), "corrupt-object");
        let skip = &r.scan(&[]).report["summary"]["skips"][0];
        assert!(skip["path"].as_str().is_some_and(|path| path.ends_with(".git/packed-refs")), "{skip}");
        assert!(skip["detail"].as_str().is_some_and(|text| text.starts_with(&format!("line {line} "))), "{skip}");
    }

    let r = clean();
    fs::create_dir_all(r.top().join(".git/objects/tmp_objdir-incoming-x1")).expect("ours");
    unread(&r.top(), "unfinished");

    let dir = made_by("incomplete.sh");
    unread(&dir.path().join("shallow"), "shallow-clone");
    unread(&dir.path().join("partial"), "partial-clone");
}

/// Ten trees in which everything is ten times the next one: as many paths as nobody can hold.
#[test]
fn trees_with_more_paths_than_atoms_are_told_of_in_bounds() {
    let r = Repository::new();
    let blob = git_fed(&r.top(), &["hash-object", "-w", "--stdin"], format!("key = {}\n", token(77)).as_bytes());
    let (mut kind, mut id) = ("100644 blob", blob);
    for _ in 0..10 {
        let entry = |name: u32| format!("{kind} {id}\t{}{name}\n", "n".repeat(50));
        let entries: String = (0..10).map(entry).collect();
        id = git_fed(&r.top(), &["mktree"], entries.as_bytes());
        kind = "040000 tree";
    }
    let commit = r.git(&["commit-tree", &id, "-m", "bomb"]);
    r.git(&["update-ref", "refs/heads/bomb", &commit]);
    let scanned = r.scan(&[]);
    let history = &scanned.findings()[0]["history"];
    assert_eq!((scanned.exit, &history["truncated"]), (1, &true.into()), "{}", scanned.text);
}

#[test]
fn what_is_excluded_everywhere_is_left_out() {
    let r = Repository::new();
    r.put("test/a", format!("key = {}\n", token(1)), "one");
    r.put("test/b", format!("key = {}\n", token(2)), "two");
    r.put("src/b", format!("key = {}\n", token(2)), "three");
    let found = |options: &[&str]| r.scan(options).findings().len();
    assert_eq!((found(&[]), found(&["--exclude", "test/**"]), found(&["--exclude", "*"])), (2, 1, 0));
}

/// Removed, brought again on a branch and removed there: the later of both took it away.
#[test]
fn the_last_removal_is_told() {
    let r = Repository::new();
    let line = format!("key = {}\n", token(1));
    r.put("f", line.clone(), "bring");
    r.git(&["rm", "-q", "f"]);
    r.git(&["commit", "-q", "-m", "first removal"]);
    r.git(&["checkout", "-q", "-b", "side"]);
    r.put("g", line, "bring again");
    r.git(&["rm", "-q", "g"]);
    r.git(&["commit", "-q", "-m", "last removal"]);
    let last = r.git(&["rev-parse", "HEAD"]);
    // Further away from the merge than the first.
    r.git(&["commit", "-q", "--allow-empty", "-m", "beside"]);
    r.git(&["checkout", "-q", "-"]);
    r.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let scanned = r.scan(&[]);
    let removed = scanned.findings()[0]["history"]["removed"].as_array().expect("a list");
    assert!(removed.len() >= 2 && removed.iter().all(|it| it["commit"] == last.as_str()), "{removed:?}");
}

/// What only a reference of one linked work tree leads to is not called unreachable.
#[test]
fn references_of_one_work_tree_are_known() {
    let r = Repository::new();
    r.put("f", "nothing\n", "one");
    let tree = r.dir.path().join("tree");
    r.git(&["worktree", "add", "-q", "-b", "side", &tree.to_string_lossy()]);
    fs::write(tree.join("s"), format!("key = {}\n", token(3))).expect("ours");
    git(&tree, &["add", "s"]);
    git(&tree, &["commit", "-q", "-m", "two"]);
    git(&tree, &["update-ref", "refs/worktree/keep", "HEAD"]);
    git(&tree, &["reset", "-q", "--hard", "HEAD~1"]);
    let scanned = r.scan(&[]);
    assert_eq!(
        scanned.findings()[0]["history"]["references"],
        serde_json::json!(["worktrees/tree/refs/worktree/keep"])
    );
}

/// A clone that lacks nothing is whole, whatever its server could have held back.
#[test]
fn a_partial_clone_that_lacks_nothing_is_whole() {
    let r = Repository::new();
    r.put("f", format!("key = {} # stanch:allow github-pat ours\n", token(5)), "one");
    r.git(&["config", "uploadpack.allowFilter", "true"]);
    let to = r.dir.path().join("clone");
    let from = format!("file://{}", r.top().display());
    git(r.dir.path(), &["clone", "-q", "--filter=blob:none", &from, &to.to_string_lossy()]);
    let scanned = scan(&to, &["--show-allowed"]);
    assert_eq!((scanned.exit, scanned.skips(), scanned.findings().len()), (0, vec![], 1), "{}", scanned.text);
}

#[test]
fn formats_of_newer_git_are_read_or_named() {
    let repository = Repository::of(&["--object-format=sha256"]);
    let commit = repository.put("f", format!("key = {}\n", token(1)), "first");
    let scanned = repository.scan(&[]);
    assert_eq!((scanned.exit, commit.len()), (1, 64));
    assert_eq!(scanned.one(&token(1), "blob")["history"]["introduced"][0]["commit"], commit.as_str());

    let repository = Repository::of(&["--ref-format=reftable"]);
    let commit = repository.put("f", format!("key = {}\n", token(2)), "second");
    repository.git(&["branch", &token(3)]);
    repository.git(&["update-ref", "-m", &format!("because {}", token(4)), "refs/heads/other", "HEAD"]);
    let scanned = repository.scan(&[]);
    assert_eq!((scanned.exit, scanned.skips()), (1, vec![]), "{}", scanned.text);
    let history = &scanned.one(&token(2), "blob")["history"];
    assert_eq!(
        (&history["introduced"][0]["commit"], &history["unreachable"]),
        (&commit.as_str().into(), &false.into())
    );
    for (seed, place) in [(3, "references"), (4, "reflogs")] {
        assert!(scanned.of(&token(seed)).iter().any(|one| one["path"] == place), "{}", scanned.text);
    }
    // The tables are what git says, or nothing is known.
    let list = repository.top().join(".git/reftable/tables.list");
    let names = std::fs::read_to_string(&list).unwrap();
    let table = list.with_file_name(names.lines().next().unwrap());
    let mut bytes = std::fs::read(&table).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::set_permissions(&table, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(&table, bytes).unwrap();
    let scanned = repository.scan(&[]);
    assert_eq!((scanned.exit, scanned.skips()), (1, vec!["corrupt-object"]), "{}", scanned.text);
    assert!(scanned.text.contains("its footer is not what its checksum says"));
}

#[test]
fn files_of_a_repository_are_named_as_it_was() {
    let repository = Repository::new();
    repository.put("sub/f", "nothing\n", "first");
    repository.git(&["config", "remote.x.url", &format!("https://{}@github.com/o/r", token(1))]);
    repository.git(&["branch", &token(2)]);
    let (top, outer) = (repository.top(), repository.dir.path());
    let absolute = top.canonicalize().unwrap().join(".git/config");
    let given = [(outer, "top", "top/.git/config"), (&top, ".", ".git/config"), (&top, ".git", ".git/config")];
    for (start, target, path) in given.into_iter().chain([(top.as_path(), "sub", absolute.to_str().unwrap())]) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_stanch"));
        program.args(["scan", "--history", target, "--format", "json"]).current_dir(start);
        let report: Value = serde_json::from_slice(&program.output().unwrap().stdout).unwrap();
        let paths: Vec<&str> =
            report["findings"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
        assert!(paths.contains(&path) && paths.contains(&"references"), "{target}: {paths:?}");
    }
}

#[test]
fn what_is_no_repository_cannot_be_scanned() {
    let dir = tempfile::tempdir().expect("a directory");
    for path in [dir.path().to_owned(), dir.path().join("nowhere")] {
        let output = run(&path, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: ") && said.contains(dir.path().to_str().unwrap()), "{said}");
    }
}

#[test]
fn submodules_are_read_on_request_and_named() {
    let dir = made_by("submodule.sh");
    let parent = dir.path().join("parent");
    let words = word_rules(dir.path());
    let rules = ["--rules", words.to_str().unwrap()];
    assert_eq!(scan(&parent, &rules).exit, 0);
    let scanned = scan(&parent, &[&rules[..], &["--submodules"]].concat());
    assert_eq!(scanned.exit, 1);
    assert_eq!(scanned.findings()[0]["path"], "lib/inner/file");
    assert_eq!(scanned.findings()[0]["history"]["paths"][0]["path"], "lib/inner/file");
}

/// Cloned first and added then: its git directory is in the work tree. So is that of one in it.
#[test]
fn a_submodule_that_was_cloned_in_place_is_read() {
    let outer = Repository::new();
    let words = word_rules(outer.dir.path());
    let options = ["--rules", words.to_str().unwrap(), "--submodules"];
    let at = |path: &str| outer.top().join(path);
    for (place, text) in [("sub", "nothing\n"), ("sub/deep", "tok_secret1\n")] {
        fs::create_dir_all(at(place)).unwrap();
        git(&at(place), &["init", "-q", "-b", "main"]);
        fs::write(at(place).join("file"), text).unwrap();
        git(&at(place), &["add", "file"]);
        git(&at(place), &["commit", "-q", "-m", "x"]);
    }
    git(&at("sub"), &["-c", "advice.addEmbeddedRepo=false", "add", "deep"]);
    git(&at("sub"), &["commit", "-q", "-m", "deep"]);
    outer.git(&["-c", "advice.addEmbeddedRepo=false", "add", "sub"]);
    outer.git(&["commit", "-q", "-m", "sub"]);
    for place in ["", ".git"] {
        let scanned = scan(&at(place), &options);
        assert_eq!((scanned.exit, scanned.skips()), (1, vec![]), "{}", scanned.text);
        assert_eq!(scanned.findings()[0]["path"], "sub/deep/file");
    }
    // A link leads elsewhere, and what is elsewhere nobody asked for.
    fs::rename(at("sub"), at("moved")).unwrap();
    std::os::unix::fs::symlink("moved", at("sub")).unwrap();
    let scanned = scan(&outer.top(), &options);
    assert_eq!((scanned.exit, scanned.skips()), (3, vec!["missing-submodule"]), "{}", scanned.text);
}

#[test]
fn a_submodule_that_is_not_there_is_named() {
    let dir = made_by("submodule.sh");
    let parent = dir.path().join("parent");
    let words = word_rules(dir.path());
    let options = ["--rules", words.to_str().unwrap(), "--submodules"];
    // One that is broken is named, and the others are read.
    let broken = parent.join(".git/modules/broken");
    fs::create_dir_all(broken.join("objects")).unwrap();
    fs::create_dir_all(broken.join("refs")).unwrap();
    fs::write(broken.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(broken.join("config"), "[core\n").unwrap();
    let scanned = scan(&parent, &options);
    assert_eq!((scanned.skips(), scanned.findings().len()), (vec!["read-error"], 1), "{}", scanned.text);
    fs::remove_dir_all(broken).unwrap();
    // Its work tree is not needed, nor is that it was ever registered.
    fs::remove_dir_all(parent.join("lib")).unwrap();
    assert_eq!(scan(&parent, &options).skips(), Vec::<&str>::new());
    git(dir.path(), &["clone", "-q", "--no-local", "parent", "uncloned"]);
    git(dir.path(), &["clone", "-q", "--no-local", "--bare", "parent", "bare.git"]);
    fs::remove_dir_all(parent.join(".git/modules")).unwrap();
    for repository in ["parent", "uncloned", "bare.git"] {
        let repository = dir.path().join(repository);
        assert_eq!(scan(&repository, &options[..2]).exit, 0);
        let scanned = scan(&repository, &options);
        assert_eq!((scanned.exit, scanned.skips()), (3, vec!["missing-submodule"]), "{}", scanned.text);
        assert_eq!(scanned.report["summary"]["skips"][0]["path"], "lib/inner");
    }
    // Nobody has committed it yet.
    let tip = git(&dir.path().join("library"), &["rev-parse", "HEAD"]);
    let r = Repository::new();
    r.put("f", "nothing\n", "first");
    r.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{tip},sub")]);
    assert_eq!(r.scan(&["--submodules"]).skips(), ["missing-submodule"]);
}

#[test]
fn what_git_lfs_keeps_is_read_or_named() {
    let repository = Repository::new();
    let pointer = |id: &str| format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize 99\n");
    let (one, other, old) = ("a1".repeat(32), "b2".repeat(32), "c3".repeat(32));
    let keep = |id: &str, content: &str| {
        repository.write(&format!(".git/lfs/objects/{}/{}/{id}", &id[..2], &id[2..4]), content);
    };
    keep(&one, &format!("key = {}\n", token(1)));
    keep(&other, &format!("key = {}\n", token(2)));
    let first = repository.put("one.bin", pointer(&one), "first");
    repository.put("other.bin", pointer(&other), "second");
    let scanned = repository.scan(&[]);
    assert_eq!((scanned.exit, scanned.skips()), (1, vec![]));
    let path = format!(".git/lfs/objects/b2/b2/{other}");
    assert!(scanned.of(&token(2))[0]["path"].as_str().unwrap().ends_with(&path), "{}", scanned.text);
    assert_eq!(scanned.of(&token(1)).len(), 1);
    // Of a part of the history, what is kept for that.
    let scanned = repository.scan(&["--range", &format!("{first}..HEAD")]);
    assert_eq!((scanned.exit, scanned.of(&token(1)).len(), scanned.of(&token(2)).len()), (1, 0, 1));

    fs::remove_dir_all(repository.top().join(".git/lfs")).unwrap();
    for id in [&old, &one] {
        repository.put("old.bin", pointer(id), "older");
    }
    repository.git(&["repack", "-adq"]);
    let cache = repository.dir.path().join("cache");
    let cached = ["--cache", cache.to_str().unwrap()];
    for options in [&[][..], &cached, &cached] {
        let scanned = repository.scan(options);
        assert_eq!((scanned.exit, scanned.skips()), (3, vec!["missing-lfs"]), "{}", scanned.text);
        assert!(scanned.text.contains("3 of the 3 files that Git LFS keeps are not here"), "{}", scanned.text);
    }
    assert_eq!(repository.scan(&["--accept-skip", "missing-lfs"]).exit, 0);
    assert_eq!(repository.scan(&["--range", "HEAD~2..HEAD~1"]).skips(), ["missing-lfs"]);
}

#[test]
fn allowed_by_path_is_allowed_at_every_path() {
    let repository = Repository::new();
    repository.put("testdata/one", format!("key = {}\n", token(1)), "allowed");
    repository.put("testdata/two", format!("key = {}\n", token(2)), "also at another path");
    repository.git(&["mv", "testdata/two", "moved"]);
    repository.commit("moves");
    let config = repository.dir.path().join("allow.toml");
    fs::write(&config, "[extend]\nuseDefault = true\n[[allowlists]]\npaths = ['^testdata/']\n").expect("ours");
    let scanned = repository.scan(&["--config", config.to_str().unwrap()]);
    assert_eq!(scanned.of(&token(1)).len(), 0, "{}", scanned.text);
    let told = scanned.one(&token(2), "blob");
    assert_eq!((&told["path"], &told["history"]["paths"][0]["path"]), (&"testdata/two".into(), &"moved".into()));
    assert_eq!(scanned.report["summary"]["allowed"], 1);
}

/// Commits by the trees that hold an object, told by git alone.
struct Held {
    held: BTreeMap<String, BTreeSet<String>>,
    parents: BTreeMap<String, Vec<String>>,
}

impl Held {
    fn of(repository: &Path) -> Held {
        let listed = git(repository, &["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"]);
        let (mut held, mut parents) = (BTreeMap::new(), BTreeMap::new());
        for commit in listed.lines().filter_map(|line| line.strip_prefix("commit ")) {
            let tree = git(repository, &["ls-tree", "-r", "-t", commit]);
            let ids = tree.lines().map(|line| line.split([' ', '\t']).nth(2).unwrap().to_owned());
            held.insert(commit.to_owned(), ids.collect());
            let line = git(repository, &["rev-list", "--parents", "-n1", commit]);
            parents.insert(commit.to_owned(), line.split(' ').skip(1).map(str::to_owned).collect());
        }
        Held { held, parents }
    }

    fn brought(&self, id: &str) -> BTreeSet<&str> {
        let holds = |commit: &String| self.held[commit].contains(id);
        let new = |commit: &&String| holds(commit) && !self.parents[*commit].iter().any(holds);
        self.held.keys().filter(new).map(String::as_str).collect()
    }
}

#[test]
fn histories_are_what_git_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let words = word_rules(directory.path());
    for (script, name) in [("places.sh", "places"), ("history.sh", "history")] {
        let dir = made_by(script);
        let repository = dir.path().join(name);
        let oracle = Held::of(&repository);
        let scanned = scan(&repository, &["--rules", words.to_str().unwrap()]);
        let references = git(&repository, &["for-each-ref", "--format=%(refname)"]);
        let blobs = scanned.findings().iter().filter(|it| it["object"]["kind"] == "blob");
        let mut checked = 0;
        for finding in blobs {
            checked += 1;
            let (id, history) = (finding["object"]["id"].as_str().unwrap(), &finding["history"]);
            let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
            let brought: Vec<String> =
                history["introduced"].as_array().unwrap().iter().map(|it| text(it, "commit")).collect();
            assert_eq!(brought.iter().map(String::as_str).collect::<BTreeSet<_>>(), oracle.brought(id), "{id}");
            for (at, commit) in brought.iter().enumerate() {
                let before = |other: &String| {
                    git_in(&repository).args(["merge-base", "--is-ancestor", other, commit]).status().unwrap().success()
                };
                assert!(!brought[at + 1..].iter().any(before), "an ancestor of {commit} comes after it");
            }
            for reference in references.lines() {
                let known = history["references"].as_array().unwrap().contains(&reference.into());
                let reached: BTreeSet<String> =
                    match git_in(&repository).args(["rev-list", reference]).output().unwrap() {
                        output if output.status.success() => done(output).lines().map(str::to_owned).collect(),
                        _ => BTreeSet::new(),
                    };
                let direct = git(&repository, &["rev-parse", reference]) == id;
                assert_eq!(known, direct || brought.iter().any(|it| reached.contains(it)), "{id} {reference}");
                let removed = history["removed"].as_array().unwrap().iter().find(|it| it["reference"] == reference);
                if let Some(commit) = removed.map(|it| text(it, "commit")) {
                    assert!(reached.contains(&commit) && !oracle.held[&commit].contains(id), "{id} {reference}");
                    assert!(oracle.parents[&commit].iter().any(|parent| oracle.held[parent].contains(id)));
                }
                let tip = git_in(&repository)
                    .args(["rev-parse", "-q", "--verify", &format!("{reference}^{{commit}}")])
                    .output();
                if let Some(held) = oracle.held.get(String::from_utf8_lossy(&tip.unwrap().stdout).trim()) {
                    assert_eq!(removed.is_some(), known && !held.contains(id), "{id} {reference}");
                }
            }
            let head = git(&repository, &["rev-parse", "HEAD"]);
            assert_eq!(history["in_head"], oracle.held[&head].contains(id));
        }
        assert!(checked > 3, "{script}");
    }
}

/// `STANCH_REPOSITORY=/some/git/dir cargo test --test history -- --ignored`: the oracle on a repository of one's own.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test by hand is told which repository to read")]
#[ignore = "needs a repository named by STANCH_REPOSITORY, and room for its objects as files"]
fn a_real_history_is_what_its_objects_are_as_files() {
    let repository =
        PathBuf::from(std::env::var_os("STANCH_REPOSITORY").expect("STANCH_REPOSITORY names a git directory"));
    let found = same_as_files(&repository, &[]);
    assert!(found > 0, "a repository without any finding shows nothing");
}

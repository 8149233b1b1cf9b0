//! The walker against git: on repositories that scripts make, it visits what `git cat-file --batch-all-objects`
//! lists, shows the same bytes and finds the same marks as a search of every object whole.
#![expect(clippy::disallowed_methods, reason = "a test on demand is told which repository to read")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use stanch::coverage::Why;
use stanch::origin::{ObjectId, ObjectKind, Origin};
use stanch::source::git::{Layout, Lens, Object, Options, Reach, Reader, Stores, Walked, attribute, walk};

/// Marks where `tok_` begins, if no digit stands in the eight bytes before and a blank, an end or a letter in the
/// forty after: an answer that looks both ways and at the ends of the object.
#[derive(Clone, Default)]
struct Token {
    whole: bool,
    asked: Vec<Object>,
    shown: Vec<(Object, Vec<u32>, Vec<u8>)>,
}

fn is_marked(bytes: &[u8], at: usize) -> bool {
    let before = &bytes[at.saturating_sub(8)..at];
    let after = &bytes[at..bytes.len().min(at + 40)];
    after.starts_with(b"tok_") && !before.iter().all(u8::is_ascii_digit) && (after.len() < 40 || after.contains(&b' '))
        || (at == 0 && after.starts_with(b"line"))
        || (after.len() == 3 && before.len() == 8)
}

fn marks_of(bytes: &[u8]) -> Vec<u32> {
    (0..bytes.len()).filter(|at| is_marked(bytes, *at)).map(|at| at as u32).collect()
}

impl Lens for Token {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: 8, after: 40 }
    }

    fn marks(&mut self, _: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        out.extend(marks_of(bytes));
    }

    fn head(&mut self, object: &Object, _: &[u8]) -> bool {
        self.asked.push(*object);
        self.whole
    }

    fn object(&mut self, object: &Object, bytes: &[u8], marks: &[u32]) {
        self.shown.push((*object, marks.to_vec(), bytes.to_vec()));
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.asked.push(*object);
        self.shown.push((*object, marks_of(&bytes), bytes));
        Ok(())
    }
}

type Objects = BTreeMap<ObjectId, (ObjectKind, Vec<u8>)>;

/// Every object, as git reads it.
fn oracle(git_dir: &Path) -> Objects {
    let mut git = Command::new("git");
    git.args(["cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"]).env("GIT_DIR", git_dir);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_NO_LAZY_FETCH", "1");
    let output = git.stderr(Stdio::null()).output().expect("git runs");
    let (mut objects, mut rest) = (Objects::new(), &output.stdout[..]);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        let words: Vec<&str> = line.split(' ').collect();
        let [id, kind, size] = words[..] else { continue };
        let Ok(size) = size.parse::<usize>() else { continue };
        let id = ObjectId::from_hex(id.as_bytes()).expect("an id");
        let kind = ObjectKind::parse(kind.as_bytes()).expect("a kind");
        objects.insert(id, (kind, rest[..size].to_vec()));
        rest = &rest[size + 1..];
    }
    objects
}

/// Runs a script of testdata/repos.
fn make(script: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/repos").join(script);
    let status = Command::new("sh").arg(&path).arg(dir.path()).status().expect("sh runs");
    assert!(status.success(), "{script}");
    dir
}

/// A walk that shows every object whole and checks links, or neither.
fn look(stores: &Stores, whole: bool, threads: usize) -> Walked<Token> {
    let interrupt = AtomicBool::new(false);
    let (memory, kinds) = (1 << 30, &ObjectKind::ALL[..]);
    let options = Options { threads, memory, kinds, only: None, links: whole, interrupt: &interrupt, progress: None };
    walk(stores, || Token { whole, ..Token::default() }, options).expect("threads")
}

/// Checks a walk against what git has; `skipped` is how many objects git has that the walk names as skips.
fn check(stores: &Stores, objects: &Objects, skipped: usize) {
    for (whole, threads) in [(true, 1), (false, 2)] {
        let walked = look(stores, whole, threads);
        let (mut asked, mut shown) = (BTreeMap::new(), BTreeMap::new());
        for lens in walked.lenses {
            for object in lens.asked {
                assert!(asked.insert(object.id, object).is_none(), "{} twice", object.id);
            }
            shown.extend(lens.shown.into_iter().map(|(object, marks, bytes)| (object.id, (marks, bytes))));
        }
        let named = |skip: &stanch::coverage::Skip| match skip.origin {
            Origin::Object { id, .. } => Some(id),
            _ => None,
        };
        let skips: Vec<ObjectId> = walked.skips.iter().filter_map(named).collect();
        assert_eq!(skips.iter().filter(|id| objects.contains_key(id)).count(), skipped, "{:?}", walked.skips);
        for (id, (kind, bytes)) in objects.iter().filter(|(id, _)| !skips.contains(id)) {
            let object = Object { id: *id, kind: *kind, size: bytes.len() as u64 };
            assert_eq!(asked.remove(id), Some(object));
            let marks = marks_of(bytes);
            assert_eq!(shown.remove(id), (whole || !marks.is_empty()).then(|| (marks, bytes.clone())), "{id}");
        }
        assert!(asked.is_empty() && shown.is_empty(), "more than git has: {asked:?}");
    }
}

/// Checks every repository that a script makes, but for those whose name is in `but`.
fn check_script(script: &str, expected: &[&str], skips: &[Why]) {
    let dir = make(script);
    for name in expected {
        let layout = Layout::discover(&dir.path().join(name)).expect("a repository");
        let stores = layout.open();
        let whys: Vec<Why> = stores.skips.iter().map(|skip| skip.why).collect();
        assert_eq!(whys, skips, "{name}");
        let objects = oracle(&layout.git_dir);
        assert!(objects.len() > 2, "{name}");
        check(&stores, &objects, 0);
        let mut reader = Reader::new(&stores, 1 << 30);
        for (id, (kind, bytes)) in &objects {
            assert_eq!(reader.read(id).expect("sound").as_ref(), Some(&(*kind, bytes.clone())), "{id}");
        }
    }
}

#[test]
fn deep_chains_and_odd_blobs() {
    check_script("chains.sh", &["chains"], &[]);
}

#[test]
fn bases_by_name_and_behind_what_needs_them() {
    check_script("refdelta.sh", &["refdelta", "completed"], &[]);
}

#[test]
fn several_packs_and_twins() {
    check_script("packs.sh", &["packs", "unpacked", "midx"], &[]);
}

#[test]
fn what_no_branch_shows() {
    check_script("places.sh", &["places", "linked"], &[]);
}

#[test]
fn borrowed_objects() {
    check_script("alternates.sh", &["lender", "middle", "borrower"], &[]);
}

#[test]
fn names_of_32_bytes() {
    check_script("sha256.sh", &["sha256"], &[]);
}

#[test]
fn submodules_have_stores_of_their_own() {
    check_script("submodule.sh", &["library", "parent", "parent/lib/inner"], &[]);
    let dir = make("submodule.sh");
    let layout = Layout::discover(&dir.path().join("parent")).expect("a repository");
    assert_eq!(layout.submodules().expect("readable"), [layout.git_dir.join("modules/lib/inner")]);
}

#[test]
fn incomplete_clones_say_so() {
    check_script("incomplete.sh", &["shallow"], &[Why::ShallowClone]);
    check_script("incomplete.sh", &["partial"], &[]);
    let dir = make("incomplete.sh");
    let stores = Layout::discover(&dir.path().join("partial")).expect("a repository").open();
    let details = |links| -> Vec<String> {
        let skips = look(&stores, links, 1).skips;
        assert!(skips.iter().all(|skip| skip.why == Why::PartialClone));
        skips.into_iter().map(|skip| skip.detail).collect()
    };
    // One of five versions was fetched later. Unchecked, each of the two packs is suspect.
    assert_eq!(details(true), ["4 objects were held back by the server"]);
    assert_eq!(details(false).len(), 2);
}

#[test]
fn a_lost_object_is_named() {
    let dir = make("places.sh");
    let git_dir = dir.path().join("places/.git");
    let objects = oracle(&git_dir);
    for spec in ["side:file", "side^{tree}", "main~1"] {
        let name = String::from_utf8(git(&git_dir, &["rev-parse", spec])).expect("hex");
        let (name, id) = (name.trim(), ObjectId::from_hex(name.trim().as_bytes()).expect("hex"));
        let file = git_dir.join("objects").join(&name[..2]).join(&name[2..]);
        let bytes = std::fs::read(&file).expect("loose");
        std::fs::remove_file(&file).expect("ours");
        let skips = look(&Layout::of(&git_dir).expect("a repository").open(), true, 2).skips;
        let origin = Origin::Object { path: None, id, kind: Some(objects[&id].0) };
        assert_eq!(
            skips.iter().map(|skip| (&skip.origin, skip.why)).collect::<Vec<_>>(),
            [(&origin, Why::MissingObject)]
        );
        std::fs::write(&file, bytes).expect("ours");
    }
}

/// The files with that extension in the pack directory.
fn packed(git_dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(git_dir.join("objects/pack")).expect("packs");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|have| have == extension));
    files.sort();
    files
}

#[test]
fn a_multi_pack_index_stands_in_for_lost_ones() {
    for (script, name) in [("packs.sh", "midx"), ("sha256.sh", "sha256")] {
        let dir = make(script);
        let git_dir = dir.path().join(name).join(".git");
        let objects = oracle(&git_dir);
        for idx in packed(&git_dir, "idx") {
            std::fs::remove_file(idx).expect("ours");
        }
        let stores = Layout::of(&git_dir).expect("a repository").open();
        assert_eq!(stores.skips, []);
        check(&stores, &objects, 0);
        std::fs::remove_file(git_dir.join("objects/pack/multi-pack-index")).expect("ours");
        let stores = Layout::of(&git_dir).expect("a repository").open();
        assert_eq!(stores.skips.len(), packed(&git_dir, "pack").len());
        assert!(stores.skips.iter().all(|skip| skip.why == Why::Unfinished));
    }
}

#[test]
fn an_old_index_is_read() {
    let dir = make("refdelta.sh");
    let git_dir = dir.path().join("refdelta/.git");
    let objects = oracle(&git_dir);
    for pack in packed(&git_dir, "pack") {
        let idx = pack.with_extension("idx");
        std::fs::remove_file(&idx).expect("ours");
        let mut git = Command::new("git");
        git.args(["index-pack", "--index-version=1", "-o"]).arg(&idx).arg(&pack);
        assert!(git.current_dir(dir.path()).stdout(Stdio::null()).status().expect("git runs").success());
        assert_ne!(std::fs::read(&idx).expect("ours")[..4], *b"\xfftOc");
    }
    check(&Layout::of(&git_dir).expect("a repository").open(), &objects, 0);
}

/// Marks common words whose surroundings, ends of the object included, have an even sum: fast enough for gigabytes.
#[derive(Clone)]
struct Words {
    engine: aho_corasick::AhoCorasick,
    asked: Vec<Object>,
    shown: BTreeMap<ObjectId, (usize, u64)>,
}

impl Words {
    fn marks_of(&self, bytes: &[u8]) -> Vec<u32> {
        let even = |at: &usize| {
            let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 256)];
            around.iter().map(|byte| u64::from(*byte)).sum::<u64>() % 2 == 0
        };
        self.engine.find_iter(bytes).map(|hit| hit.start()).filter(even).map(|at| at as u32).collect()
    }
}

/// The number of marks and a sum that tells where they are.
fn digest(marks: &[u32]) -> (usize, u64) {
    (marks.len(), marks.iter().fold(7, |sum, at| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*at)))
}

impl Lens for Words {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: 200, after: 256 }
    }

    fn marks(&mut self, _: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        out.extend(self.marks_of(bytes));
    }

    fn head(&mut self, object: &Object, _: &[u8]) -> bool {
        self.asked.push(*object);
        false
    }

    fn object(&mut self, object: &Object, _: &[u8], marks: &[u32]) {
        self.shown.insert(object.id, digest(marks));
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.asked.push(*object);
        let marks = self.marks_of(&bytes);
        if !marks.is_empty() {
            self.shown.insert(object.id, digest(&marks));
        }
        Ok(())
    }
}

/// `STANCH_REPOSITORY=/some/git/dir cargo test --test objects -- --ignored`: the same on a repository of one's own,
/// however large.
#[test]
#[ignore = "needs a repository named by STANCH_REPOSITORY"]
fn a_real_repository() {
    let git_dir =
        PathBuf::from(std::env::var_os("STANCH_REPOSITORY").expect("STANCH_REPOSITORY names a git directory"));
    let words = ["password", "secret", "token", "://", "return", "BEGIN"];
    let engine = aho_corasick::AhoCorasick::new(words).expect("few words");
    let words = Words { engine, asked: Vec::new(), shown: BTreeMap::new() };
    let stores = Layout::of(&git_dir).expect("a repository").open();
    let interrupt = AtomicBool::new(false);
    let (threads, memory, kinds) = (2, 1 << 30, &ObjectKind::ALL[..]);
    let options = Options { threads, memory, kinds, only: None, links: false, interrupt: &interrupt, progress: None };
    let walked = walk(&stores, || words.clone(), options).expect("threads");
    // A promisor pack is fine here: what is compared is what is there.
    assert!(walked.skips.iter().all(|skip| skip.why == Why::PartialClone), "{:?}", walked.skips);
    let mut asked: BTreeMap<ObjectId, Object> = BTreeMap::new();
    let mut shown = BTreeMap::new();
    for lens in walked.lenses {
        for object in lens.asked {
            assert!(asked.insert(object.id, object).is_none(), "{} twice", object.id);
        }
        shown.extend(lens.shown);
    }
    let mut git = Command::new("git");
    git.args(["cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"]).env("GIT_DIR", &git_dir);
    let mut git = git.env("GIT_NO_LAZY_FETCH", "1").stdout(Stdio::piped()).spawn().expect("git runs");
    let mut out = io::BufReader::with_capacity(1 << 20, git.stdout.take().expect("piped"));
    let mut line = String::new();
    while io::BufRead::read_line(&mut out, &mut line).expect("readable") > 0 {
        let mut parts = line.split_whitespace();
        let mut part = || parts.next().expect("id, kind and size");
        let id = ObjectId::from_hex(part().as_bytes()).expect("an id");
        let kind = ObjectKind::parse(part().as_bytes()).expect("a kind");
        let size: u64 = part().parse().expect("a size");
        let mut bytes = vec![0; size as usize + 1];
        out.read_exact(&mut bytes).expect("readable");
        bytes.pop();
        assert_eq!(asked.remove(&id), Some(Object { id, kind, size }));
        let marks = words.marks_of(&bytes);
        assert_eq!(shown.remove(&id), (!marks.is_empty()).then(|| digest(&marks)), "{id}");
        line.clear();
    }
    assert!(git.wait().expect("ours").success());
    assert!(asked.is_empty() && shown.is_empty());
}

fn git(git_dir: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new("git").args(args).env("GIT_DIR", git_dir).output().expect("git runs");
    assert!(output.status.success(), "{args:?}");
    output.stdout
}

/// What each commit's tree holds, by object, as `git ls-tree` tells it; trees too.
type Held = BTreeMap<ObjectId, std::collections::BTreeSet<Vec<u8>>>;

fn held(git_dir: &Path, commit: &str) -> Held {
    let mut held = Held::new();
    for line in
        git(git_dir, &["ls-tree", "-r", "-t", "-z", commit]).split(|byte| *byte == 0).filter(|line| !line.is_empty())
    {
        let tab = line.iter().position(|byte| *byte == b'\t').expect("a tab before the path");
        let id = line[..tab].rsplit(|byte| *byte == b' ').next().expect("an id");
        held.entry(ObjectId::from_hex(id).expect("hex")).or_default().insert(line[tab + 1..].to_vec());
    }
    held
}

#[test]
fn attribution_is_what_comparing_all_commits_gives() {
    for (script, name) in [("places.sh", "places"), ("history.sh", "history"), ("sha256.sh", "sha256")] {
        let dir = make(script);
        let layout = Layout::discover(&dir.path().join(name)).expect("a repository");
        let objects = oracle(&layout.git_dir);
        let commits: Vec<&ObjectId> =
            objects.iter().filter(|object| object.1.0 == ObjectKind::Commit).map(|object| object.0).collect();
        let trees: BTreeMap<String, Held> =
            commits.iter().map(|commit| (commit.to_string(), held(&layout.git_dir, &commit.to_string()))).collect();
        let parents: BTreeMap<&String, Vec<String>> = trees
            .keys()
            .map(|commit| {
                let line = git(&layout.git_dir, &["rev-list", "--parents", "-n1", commit]);
                let line = String::from_utf8(line).expect("hex");
                (commit, line.split_whitespace().skip(1).map(str::to_owned).collect())
            })
            .collect();
        let stores = layout.open();
        let targets = objects.iter().filter(|object| object.1.0 == ObjectKind::Blob).map(|object| *object.0).collect();
        let interrupt = AtomicBool::new(false);
        let options = Options {
            threads: 2,
            memory: 1 << 30,
            kinds: &[],
            only: None,
            links: false,
            interrupt: &interrupt,
            progress: None,
        };
        let attribution = attribute(&stores, &targets, None, None, options).expect("threads");
        assert_eq!(attribution.skips, []);
        let mut brought = 0;
        for target in &targets {
            let history = attribution.history(target).expect("a target");
            let all: std::collections::BTreeSet<&Vec<u8>> =
                trees.values().filter_map(|held| held.get(target)).flatten().collect();
            assert!(history.paths.iter().eq(all) && !history.truncated, "{target}");
            let mut expected = BTreeMap::new();
            for (commit, held) in &trees {
                let id = ObjectId::from_hex(commit.as_bytes()).expect("hex");
                assert_eq!(attribution.holds(&id, target), held.contains_key(target));
                let inherited = parents[commit].iter().any(|parent| trees[parent].contains_key(target));
                if let Some(paths) = held.get(target).filter(|_| !inherited) {
                    expected.insert(id, paths.iter().cloned().collect::<Vec<_>>());
                }
            }
            brought += expected.len();
            let got: BTreeMap<_, _> = history.introduced.iter().map(|one| (one.commit, one.paths.clone())).collect();
            assert_eq!(got, expected, "{target}");
            assert_eq!(history.introduced.len(), expected.len());
        }
        assert!(brought > 5, "{name}");
    }
}

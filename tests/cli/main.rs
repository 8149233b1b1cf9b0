//! The real program on real trees, made at run time: no token is stored.
#![cfg(unix)]

mod archives;
mod bad_input;
mod carriers;
mod composite;
mod config;
mod cutting;
mod docs;
mod documents;
mod explain;
mod finds;
mod keys;
mod odd_archives;
mod outputs;
mod packings;
mod places;
mod prefilter;
mod rules;
mod signals;
mod walks;
mod wrappings;

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use stanch::builtin::with_examples;
use stanch::detect::mint::Press;
use stanch::finding::{Finding, Snippet};
use stanch::rule::{Confidence, Rule, RuleSet};
use stanch::scan::{self, Plan, Watch};
use stanch::secret::Fingerprint;
use stanch::source::files::Target;
use tempfile::TempDir;

/// Every format of a report, by the name that `--format` takes.
const FORMATS: [&str; 4] = ["text", "json", "jsonl", "sarif"];

static RULES: LazyLock<RuleSet> = LazyLock::new(with_examples);

fn rule(id: &str) -> Arc<Rule> {
    RULES.get(id).unwrap_or_else(|| panic!("no rule {id}")).clone()
}

/// A token of the rule's, another one for each number.
fn token(id: &str, number: u64) -> String {
    Press::new(&rule(id)).unwrap().token(number).unwrap_or_else(|| panic!("{id} mints"))
}

/// One that anybody would be sure of.
fn pat(number: u64) -> String {
    token("github-pat", number)
}

/// What a leak of the rule's is worth: a minted token's proof holds.
fn due(rule: &Rule) -> Confidence {
    rule.best()
}

fn fingerprint(token: &str) -> String {
    Fingerprint::of_strong(token.as_bytes()).to_string()
}

/// A directory of its own, with a `.git`-less root, that goes away with the test.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Tree(tempfile::tempdir().unwrap())
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let tree = Tree::new();
        for (name, text) in files {
            tree.write(name, text);
        }
        tree
    }

    /// The same, and a git repository.
    fn git(files: &[(&str, &str)]) -> (Self, git2::Repository) {
        let tree = Tree::with(files);
        let repository = git2::Repository::init(tree.root()).unwrap();
        (tree, repository)
    }

    /// Real git, in this directory.
    fn run_git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(self.root()).args(["-c", "user.name=A", "-c", "user.email=a@b.c"]).args(args);
        assert!(git.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(), "{args:?}");
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// The program, to be started in this directory, with nothing of the caller's environment that it listens to.
    fn stanch(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stanch"));
        command.current_dir(self.root()).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "STANCH_FINGERPRINT_KEY", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.stanch().args(args).output().unwrap())
    }

    fn scan(&self, args: &[&str]) -> Ran {
        self.run(&[&["scan"], args].concat())
    }

    /// Scans with the JSON report and returns it.
    fn json(&self, args: &[&str]) -> Value {
        self.scan(&[&["--format", "json"], args].concat()).json()
    }

    fn with_stdin(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = self.stanch();
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }
}

/// What the program said and how it ended.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what is printed is UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in\n{}", self.err);
        self
    }

    #[track_caller]
    fn prints(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no {text:?} in\n{}", self.out);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: stdout:\n{}\nstderr:\n{}", self.out, self.err));
        assert_eq!(value["summary"]["exit_code"], self.code.unwrap_or(-1), "the report knows the exit code");
        value
    }
}

/// The findings of a JSON report.
fn findings(report: &Value) -> &Vec<Value> {
    report["findings"].as_array().expect("findings are a list")
}

/// Paths and fingerprints of all findings, in their order.
fn found(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    findings(report).iter().map(|finding| (text(&finding["path"]), text(&finding["fingerprint"]))).collect()
}

/// How often each path has a finding.
fn by_path(report: &Value) -> HashMap<String, usize> {
    let mut count = HashMap::new();
    for (path, _) in found(report) {
        *count.entry(path).or_default() += 1;
    }
    count
}

/// Paths and reasons of what was not read, sorted.
fn skips(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let skips = report["summary"]["skips"].as_array().expect("skips are a list");
    let mut all: Vec<_> = skips.iter().map(|skip| (text(&skip["path"]), text(&skip["reason"]))).collect();
    all.sort();
    all
}

/// The words that must not stand anywhere if nobody may learn the secret from it.
fn disguises(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    let mut all = vec![
        secret.to_owned(),
        secret.chars().rev().collect(),
        data_encoding::HEXLOWER.encode(bytes),
        data_encoding::HEXUPPER.encode(bytes),
        percent.to_lowercase(),
        percent,
    ];
    for lead in ["", "x", "xy"] {
        let text = format!("{lead}{secret}");
        for encoding in [data_encoding::BASE64_NOPAD, data_encoding::BASE64URL_NOPAD, data_encoding::BASE32_NOPAD] {
            let encoded = encoding.encode(text.as_bytes());
            // The first characters depend on what stands before, the last on what follows.
            all.extend(encoded.get(5..encoded.len() - 4).filter(|middle| middle.len() >= 8).map(str::to_owned));
        }
    }
    all
}

#[track_caller]
fn hides(text: &str, secret: &str) {
    hides_all(text, [secret]);
}

/// In one pass: there may be hundreds of secrets and megabytes of text.
#[track_caller]
fn hides_all<'s>(text: &str, secrets: impl IntoIterator<Item = &'s str>) {
    let disguises: Vec<String> = secrets.into_iter().flat_map(disguises).collect();
    if let Some(shown) = aho_corasick::AhoCorasick::new(&disguises).unwrap().find(text) {
        panic!("{} stands in\n{text}", disguises[shown.pattern().as_usize()]);
    }
}

/// A scan of one file by the library, cut into pieces of `chunk` bytes; each finding goes to `each`.
fn scan_cut(path: &Path, rules: Arc<RuleSet>, chunk: usize, each: &mut dyn FnMut(Finding)) {
    let plan = Plan {
        baseline: None,
        masks: None,
        targets: vec![Target::Path(path.to_owned())],
        history: None,
        staged: None,
        remote: None,
        files: Default::default(),
        log: None,
        rules,
        jobs: 1,
        confidence: Confidence::Low,
        accept: Vec::new(),
        fingerprint_key: None,
        places: Default::default(),
        tops: Vec::new(),
        now: 0,
        decode: 3,
        unpack: 8,
        chunk,
    };
    let summary = scan::run(&plan, &Watch::default(), each).unwrap();
    assert!(summary.coverage.skips.is_empty());
}

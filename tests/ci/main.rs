//! CI: which part of a history is scanned for which event, the steps of the GitHub Action, the template for GitLab, the snippets of docs/ci.md.
//! Real git, real clones, the real program and the real scripts; only the CI systems are played.
#![cfg(unix)]

mod action;
mod change;
mod lint;
#[path = "../repository/mod.rs"]
mod repository;
mod templates;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use repository::{Repository, Said, command, stanch, token};

/// All zeros: no commit.
const ZERO: &str = "0000000000000000000000000000000000000000";

/// A command that sees the given variables and no other, but for what tells where programs are.
#[expect(clippy::disallowed_methods, reason = "programs must be found")]
fn alone(program: &str, dir: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = command(program, dir);
    let path = std::env::var_os("PATH").expect("a PATH");
    command.env_clear().env("PATH", path).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("HOME", dir).env("NO_COLOR", "1").env("CI", "true").envs(variables.iter().copied());
    command
}

/// `stanch scan` with these arguments in this environment; the names of files with findings.
fn scan(dir: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, BTreeSet<String>, String) {
    let program = stanch();
    let mut scan = alone(program.to_str().expect("UTF-8"), dir, variables);
    let said: Said = scan.args(["scan", "--format", "jsonl"]).args(arguments).output().expect("it runs").into();
    (said.code, found(&said.out), said.all())
}

/// The files with findings of a report in JSON lines.
fn found(report: &str) -> BTreeSet<String> {
    let objects = report.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let findings = objects.filter(|object| object["type"] == "finding");
    findings.map(|object| object["path"].as_str().expect("a path").to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A server with a branch `main`, a topic on it that took its token back, and what a pull request makes of both; and commits of each.
struct Story {
    server: Repository,
    /// First and second commit of main; the second one brings `old`.
    m1: String,
    m2: String,
    /// Commits of the topic: one brings `came`, the next one removes it, the last one is clean.
    t1: String,
    t3: String,
    /// What was pushed first as the topic, and then replaced by force. It is on nobody's branch any more.
    lost: String,
    /// The merge of both, as `refs/pull/7/merge`.
    merge: String,
}

impl Story {
    fn new() -> Story {
        Self::with([&token(1), &token(2)])
    }

    /// The same without any secret.
    fn clean() -> Story {
        Self::with(["nothing", "nor here"])
    }

    fn with([old, came]: [&str; 2]) -> Story {
        let (dev, server) = (Repository::new(), Repository::init(&["--bare"]));
        server.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        dev.git(&["remote", "add", "origin", server.path.to_str().expect("UTF-8")]);
        let m1 = dev.commit("readme", "hello\n");
        let m2 = dev.commit("old", old);
        dev.git(&["checkout", "-q", "-b", "topic"]);
        let lost = dev.commit("lost", "replaced\n");
        dev.git(&["reset", "-q", "--hard", "main"]);
        let t1 = dev.commit("came", came);
        dev.git(&["rm", "-q", "came"]);
        dev.git(&["commit", "-q", "-m", "took it back"]);
        let t3 = dev.commit("clean", "nothing here\n");
        dev.git(&["checkout", "-q", "--detach", "main"]);
        dev.git(&["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
        let merge = dev.git(&["rev-parse", "HEAD"]);
        let refs = ["main", "topic", "HEAD:refs/pull/7/merge", "topic:refs/pull/7/head"];
        dev.git(&[&["push", "-q", "origin"], &refs[..]].concat());
        Story { server, m1, m2, t1, t3, lost, merge }
    }

    /// Another commit `name` on a branch.
    fn push(&self, branch: &str, name: &str, text: &str) -> String {
        let dev = self.server.clone_of(&["--branch", branch]);
        let id = dev.commit(name, text);
        dev.git(&["push", "-q", "origin", branch]);
        id
    }

    /// What a CI system checks out: this commit, alone or with all branches and their pasts.
    fn checkout(&self, commit: &str, depth: Option<&str>) -> Repository {
        let clone = Repository::new();
        clone.git(&["remote", "add", "origin", &format!("file://{}", self.server.path.display())]);
        match depth {
            Some(depth) => clone.git(&["fetch", "-q", "--depth", depth, "origin", commit]),
            None => clone.git(&["fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*", commit]),
        };
        clone.git(&["checkout", "-q", "--detach", commit]);
        clone
    }
}

fn yaml(name: &str) -> Vec<serde_json::Value> {
    let text = text(name);
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

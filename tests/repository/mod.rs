//! Repositories for tests: real git with a fixed identity and no configuration of the machine's, and the real program.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use stanch::detect::mint::mint;

/// A repository in a directory of its own.
pub struct Repository {
    _dir: tempfile::TempDir,
    /// Its work tree, or itself if it is bare.
    pub path: PathBuf,
}

/// What a program said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// Both outputs.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// The program under test.
pub fn stanch() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_stanch"))
}

/// A command in a directory, that sees no configuration and no repository but its own.
#[expect(clippy::disallowed_methods, reason = "what the machine sets must not reach the tests")]
pub fn command(program: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command.current_dir(dir).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", dir).env("NO_COLOR", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "A U Thor").env(format!("GIT_{role}_EMAIL"), "a@example.org");
        command.env(format!("GIT_{role}_DATE"), "2026-01-02T03:04:05Z");
    }
    command
}

/// Runs git and wants it to succeed; its standard output without the last line end.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let said = try_git(dir, args);
    assert_eq!(said.code, Some(0), "git {args:?}: {}", said.all());
    said.out.trim_end().to_owned()
}

/// Runs git.
pub fn try_git(dir: &Path, args: &[&str]) -> Said {
    command("git", dir).args(args).output().expect("git runs").into()
}

/// Runs the program.
pub fn run(dir: &Path, args: &[&str]) -> Said {
    command(stanch(), dir).args(args).output().expect("stanch runs").into()
}

/// A token that nobody has, of a kind whose checksum can be proved.
pub fn token(seed: u64) -> String {
    let rules = stanch::builtin::with_examples();
    mint(rules.get("github-pat").expect("a rule"), seed).expect("a token")
}

impl Repository {
    /// An empty one.
    pub fn new() -> Self {
        Self::init(&[])
    }

    /// An empty one that `git init` makes with these options.
    pub fn init(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("repo");
        git(dir.path(), &[&["init", "-q", "-b", "main"], options, &["repo"]].concat());
        Repository { _dir: dir, path }
    }

    /// A clone, made with these options.
    pub fn clone_of(&self, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("repo");
        let url = format!("file://{}", self.path.display());
        git(dir.path(), &[&["clone", "-q"], options, &[url.as_str(), "repo"]].concat());
        Repository { _dir: dir, path }
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(&self.path, args)
    }

    pub fn run(&self, args: &[&str]) -> Said {
        run(&self.path, args)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    /// Writes and stages.
    pub fn stage(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write(name, text);
        self.git(&["add", "--", name]);
    }

    /// Writes, stages and commits; the commit's id.
    pub fn commit(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        self.stage(name, text);
        self.git(&["commit", "-q", "-m", &format!("change {name}")]);
        self.git(&["rev-parse", "HEAD"])
    }
}

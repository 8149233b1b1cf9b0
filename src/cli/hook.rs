//! `stanch hook`.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};

use super::{message, scan};
use crate::coverage::Why;
use crate::exit::Exit;
use crate::finding::{Finding, Verdict};
use crate::hook::{Hook, Hooks, Outcome, push};
use crate::scan::history;
use crate::scan::staged::Request;
use crate::source::git::{Environment, Layout, Scope, alternate_paths, check_owner, is_bare, known_there};
use crate::summary::Summary;

/// The largest file or object that is scanned, in bytes.
const MEMORY: u64 = 512 << 20;

/// Findings that the last words name; the report before them names all.
const NAMED: usize = 5;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let git ask stanch before it commits, pushes or receives; hooks that are there already are called first
    Install {
        /// Which hooks [default: pre-commit and pre-push, in a bare repository pre-receive]
        #[arg(value_name = "HOOK")]
        hooks: Vec<Hook>,
    },
    /// Remove stanch's hooks, and restore what was there before
    Uninstall {
        /// Which hooks [default: all]
        #[arg(value_name = "HOOK")]
        hooks: Vec<Hook>,
    },
    /// Do a hook's work; for git, and for hooks of one's own
    Run {
        /// Which hook
        #[arg(value_name = "HOOK")]
        hook: Hook,
        /// What git tells the hook
        #[arg(value_name = "ARGUMENT", last = true)]
        arguments: Vec<OsString>,
    },
}

impl ValueEnum for Hook {
    fn value_variants<'a>() -> &'a [Self] {
        &Hook::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()))
    }
}

pub(super) fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Install { hooks } => install(hooks),
        Command::Uninstall { hooks } => uninstall(hooks),
        Command::Run { hook, arguments } => Ok(check(hook, &arguments).unwrap_or_else(|error| {
            message::error(&error);
            message::note(&format!("nothing was checked, so this is refused. {}", bypass(hook)));
            Exit::CouldNotRun
        })),
    }
}

fn layout() -> Result<Layout> {
    let environment = environment();
    let layout = Layout::locate(Path::new("."), &environment)?;
    if environment.git_dir.is_none() {
        check_owner(&layout)?;
    }
    Ok(layout)
}

fn install(mut hooks: Vec<Hook>) -> Result<Exit> {
    let layout = layout()?;
    if hooks.is_empty() {
        hooks = if is_bare(&layout) { vec![Hook::PreReceive] } else { vec![Hook::PreCommit, Hook::PrePush] };
    }
    let program = std::env::current_exe().context("cannot find out where stanch itself is")?;
    let there = Hooks::of(&layout)?;
    let exit = for_each(hooks, |hook| {
        let outcome = there.install(hook, &program)?;
        if let Outcome::Installed { path, chains } = outcome {
            let chained = if chains { "; the hook that was there is called first" } else { "" };
            message::note(&format!("{hook} is installed in {}{chained}", path.display()));
        }
        Ok(())
    });
    if there.is_shared {
        message::note("this is the user's core.hooksPath: it applies to all repositories that have none of their own");
    }
    Ok(exit)
}

fn uninstall(hooks: Vec<Hook>) -> Result<Exit> {
    let there = Hooks::of(&layout()?)?;
    let mut is_any = false;
    let exit = for_each(if hooks.is_empty() { Hook::ALL.to_vec() } else { hooks }, |hook| {
        if let Outcome::Removed { path, restored } = there.uninstall(hook)? {
            let again = if restored { "; what was there before is there again" } else { "" };
            message::note(&format!("{hook} is removed from {}{again}", path.display()));
            is_any = true;
        }
        Ok(())
    });
    if !is_any && exit == Exit::Clean {
        message::note("no hook of stanch was there");
    }
    Ok(exit)
}

/// Does something for each hook, whatever becomes of the others, and says at the end what went wrong.
fn for_each(hooks: Vec<Hook>, mut once: impl FnMut(Hook) -> Result<()>) -> Exit {
    let errors: Vec<_> = hooks.into_iter().filter_map(|hook| once(hook).err()).collect();
    errors.iter().for_each(message::error);
    if errors.is_empty() { Exit::Clean } else { Exit::CouldNotRun }
}

/// The request for the index of the repository at `target`; here, it is the one that git names to its hooks.
pub(super) fn staged(target: PathBuf) -> Request {
    let environment = if target.as_os_str() == "." { environment() } else { Environment::default() };
    Request { repository: target, environment, memory: MEMORY }
}

/// What git says to its hooks.
#[expect(clippy::disallowed_methods, reason = "git speaks to its hooks through the environment")]
fn environment() -> Environment {
    let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let alternates = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
    Environment {
        git_dir: path("GIT_DIR"),
        common_dir: path("GIT_COMMON_DIR"),
        index: path("GIT_INDEX_FILE"),
        objects: path("GIT_OBJECT_DIRECTORY"),
        alternates: alternate_paths(alternates.as_encoded_bytes()),
    }
}

/// What a scan without any options is told.
#[derive(Debug, Parser)]
struct Plain {
    #[command(flatten)]
    scan: scan::Args,
}

/// What git asks about.
struct Asked {
    /// Nothing where references are only deleted; what is staged is no part of a history.
    scope: Option<Option<Scope>>,
    /// A remote of which it is not sure what it has.
    unsure: Option<String>,
}

impl Asked {
    fn read(hook: Hook, arguments: &[OsString]) -> Result<Asked> {
        let word = |at: usize| arguments.get(at).map(|word| word.to_string_lossy()).unwrap_or_default();
        let mut unsure = None;
        let scope = match hook {
            Hook::PreCommit | Hook::PreMergeCommit => None,
            Hook::PrePush => {
                let layout = layout()?;
                Some(push::pre_push(&lines()?, |told| {
                    let known = known_there(&layout, &word(0), &word(1), told, MEMORY);
                    unsure = known.is_unsure.then(|| word(0).into_owned());
                    known.objects
                })?)
            }
            Hook::PreReceive => Some(push::pre_receive(&lines()?)?),
            Hook::Update => {
                ensure!(arguments.len() == 3, "git tells an update hook three things: reference, old and new object");
                let line = format!("{} {} {}", word(1), word(2), word(0));
                Some(push::pre_receive(line.as_bytes())?)
            }
        };
        Ok(Asked { scope, unsure })
    }
}

fn check(hook: Hook, arguments: &[OsString]) -> Result<Exit> {
    let Asked { scope, unsure } = Asked::read(hook, arguments)?;
    let adjust = |plan: &mut crate::scan::Plan| {
        // A server gets what Git LFS keeps in another way, and need not have it beside the repository. What a merge takes over from
        // another branch need not be here; what is made here is.
        if hook != Hook::PrePush {
            plan.accept.push(Why::MissingLfs);
        }
        match scope.clone() {
            None => plan.staged = Some(staged(PathBuf::from("."))),
            Some(scope) => plan.history = Some(brought(scope.unwrap_or_default())),
        }
    };
    if let Some(None) = scope {
        // Only deletions.
        return Ok(Exit::Clean);
    }
    let mut found = Vec::new();
    let mut plain = Plain::try_parse_from(["stanch", "--quiet"])?;
    plain.scan.search.for_server = matches!(hook, Hook::PreReceive | Hook::Update);
    let summary = scan::perform(&plain.scan, adjust, &mut |finding| {
        if finding.verdict == Verdict::Reported && found.len() < NAMED {
            found.push(Place::of(finding));
        }
    })?;
    if summary.exit() != Exit::Clean {
        refuse(hook, &found, &summary);
        if let Some(remote) = unsure {
            message::note(&format!(
                "what {remote} has is not sure, as its URL may have changed since: all that leads to what is pushed was searched. \
                 `git fetch {remote}` makes it sure"
            ));
        }
    }
    Ok(summary.exit())
}

fn brought(scope: Scope) -> history::Request {
    history::Request {
        cache: None,
        repository: PathBuf::from("."),
        environment: environment(),
        scope: Some(scope),
        submodules: false,
        memory: MEMORY,
        authors: true,
    }
}

fn lines() -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    std::io::stdin().lock().read_to_end(&mut lines).context("cannot read what git tells the hook")?;
    Ok(lines)
}

/// Where a secret is and what to do about it. Its place may hold it; what is said of it is masked like a report.
struct Place {
    rule: String,
    remedy: String,
    is_strong: bool,
}

impl Place {
    fn of(finding: &Finding) -> Place {
        let rule = &finding.rule;
        Place { rule: rule.id.clone(), remedy: rule.remedy.clone(), is_strong: rule.is_strong() }
    }
}

/// Says that it is refused, and the ways out.
fn refuse(hook: Hook, found: &[Place], summary: &Summary) {
    let what = match hook {
        Hook::PreCommit | Hook::PreMergeCommit => "commit",
        Hook::PrePush | Hook::PreReceive | Hook::Update => "push",
    };
    if summary.reported == 0 {
        let unread = summary.unaccepted();
        let why =
            if summary.interrupted { "it was interrupted".to_owned() } else { format!("{unread} could not be read") };
        return message::warning(&format!("this {what} is refused: nothing was found, but {why}. {}", bypass(hook)));
    }
    let secrets = if summary.reported == 1 { "a secret".to_owned() } else { format!("{} secrets", summary.reported) };
    message::warning(&format!("this {what} is refused: it would take {secrets} along. There are three ways out:"));
    message::note(&format!("remove: {}", remove(hook)));
    let mut remedies: Vec<&str> = found.iter().map(|place| place.remedy.as_str()).filter(|it| !it.is_empty()).collect();
    remedies.dedup();
    let rotate = if remedies.is_empty() { "revoke it where it was made".to_owned() } else { remedies.join(" ") };
    message::note(&format!("rotate: if anybody else may have seen it already. {rotate}"));
    message::note(&format!("allow: if it is no leak. {}", allow(hook, found)));
}

/// Where it can be allowed: a server does not ask the configuration that somebody pushes. The fingerprint of a secret that could be
/// guessed is that of its place, and would allow the next one there, too.
fn allow(hook: Hook, found: &[Place]) -> String {
    let rule = found.first().map_or("RULE", |place| place.rule.as_str());
    let line = format!("`stanch:allow {rule} REASON` on its line");
    let is_strong = found.iter().all(|place| place.is_strong);
    let what = if is_strong { "its fingerprint" } else { "an allowlist for its path" };
    match hook {
        Hook::PreCommit | Hook::PreMergeCommit if is_strong => format!("Write {line}, or {what} into .stanch.toml"),
        Hook::PreCommit | Hook::PreMergeCommit => format!("Write {line}"),
        Hook::PrePush => format!("Write {what} into .stanch.toml, or {line} in the commit that brought it"),
        Hook::PreReceive | Hook::Update => format!(
            "Write {line} in the commit that brought it, or have who runs the server write {what} into \
             .stanch.toml in the git directory there"
        ),
    }
}

fn remove(hook: Hook) -> &'static str {
    match hook {
        Hook::PreCommit | Hook::PreMergeCommit => {
            "take it out of the file, `git add` the file and commit again; `git reset -- FILE` leaves the file out"
        }
        Hook::PrePush | Hook::PreReceive | Hook::Update => {
            "take it out of the commit that brought it (`git commit --amend`, or `git rebase -i COMMIT^`), and push again; \
             one more commit on top does not help, as the old one is pushed, too"
        }
    }
}

fn bypass(hook: Hook) -> &'static str {
    match hook {
        Hook::PreCommit | Hook::PreMergeCommit => "Who knows better: git commit --no-verify",
        Hook::PrePush => "Who knows better: git push --no-verify",
        Hook::PreReceive | Hook::Update => "Who runs the server can let it pass",
    }
}

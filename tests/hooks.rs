//! Hooks, called by git itself: commits, pushes to a bare repository, the pre-commit framework.
#![cfg(unix)]

mod repository;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use repository::{Repository, Said, command, git, run, stanch, token, try_git};

fn attempt(repository: &Repository, args: &[&str]) -> Said {
    try_git(&repository.path, args)
}

fn refused(said: &Said, place: &str) {
    let all = said.all();
    assert_ne!(said.code, Some(0), "{all}");
    for word in [place, "is refused", "remove: ", "rotate: ", "allow: ", "github-pat"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    assert!(!all.contains(&token(1)) && !all.contains(&token(2)), "{all}");
}

fn passed(said: &Said) {
    assert_eq!(said.code, Some(0), "{}", said.all());
}

fn install(repository: &Repository, hooks: &[&str]) {
    passed(&repository.run(&[&["hook", "install"], hooks].concat()));
}

/// A repository with one commit, and a bare one that it pushes to as `origin`.
fn pair() -> (Repository, Repository) {
    let (repository, server) = (Repository::new(), Repository::init(&["--bare"]));
    repository.commit("readme", "hello\n");
    repository.git(&["remote", "add", "origin", server.path.to_str().expect("UTF-8")]);
    repository.git(&["push", "-q", "-u", "origin", "main"]);
    (repository, server)
}

/// A commit that no hook is asked about.
fn commit(repository: &Repository, name: &str, text: &str) -> String {
    repository.stage(name, text);
    repository.git(&["commit", "-q", "--no-verify", "-m", "x"]);
    repository.git(&["rev-parse", "HEAD"])
}

#[test]
fn a_commit_with_a_token_is_refused() {
    let repository = Repository::new();
    install(&repository, &["pre-commit"]);
    repository.stage("src/deploy.sh", format!("#!/bin/sh\n\nexport TOKEN={}\n", token(1)));
    refused(&attempt(&repository, &["commit", "-m", "x"]), "src/deploy.sh:3:14");
    assert_ne!(attempt(&repository, &["rev-parse", "HEAD"]).code, Some(0), "nothing was committed");
    repository.stage("src/deploy.sh", "#!/bin/sh\n");
    passed(&attempt(&repository, &["commit", "-m", "x"]));
    // What git does with an index of its own: `commit -a`, `commit FILE`.
    repository.write("src/deploy.sh", token(2));
    refused(&attempt(&repository, &["commit", "-a", "-m", "x"]), "src/deploy.sh:1:1");
    refused(&attempt(&repository, &["commit", "-m", "x", "src/deploy.sh"]), "src/deploy.sh:1:1");
    repository.stage("other", "fine\n");
    passed(&attempt(&repository, &["commit", "-m", "x", "other"]));
    let allowed = format!("{} # stanch:allow github-pat made up for a test\n", token(2));
    repository.stage("src/deploy.sh", allowed);
    passed(&attempt(&repository, &["commit", "-m", "x"]));
    repository.stage("more", token(1));
    passed(&attempt(&repository, &["commit", "--no-verify", "-m", "x"]));
}

/// The fingerprint of a password is that of its place.
#[test]
fn a_fingerprint_is_no_way_out_for_what_could_be_guessed() {
    let (repository, server) = pair();
    install(&repository, &[]);
    let weak = "url = https://user:tiger7Hidden9@bitbucket.org/x/y.git\n";
    repository.stage("a", weak);
    let said = attempt(&repository, &["commit", "-m", "x"]);
    let way = |said: &Said| said.err.lines().find(|line| line.contains("allow: if")).unwrap_or_default().to_owned();
    assert!(way(&said).ends_with("`stanch:allow bitbucket-url-credentials REASON` on its line"), "{}", said.err);
    repository.git(&["commit", "-q", "--no-verify", "-m", "x"]);
    for (hook, args) in
        [("pre-push", &["push", "origin", "main"][..]), ("pre-receive", &["push", "--no-verify", "origin", "main"])]
    {
        install(&server, &[]);
        let said = attempt(&repository, args);
        let way = way(&said);
        assert!(way.contains("stanch:allow") && way.contains("an allowlist for its path"), "{hook}: {}", said.err);
        assert!(!way.contains("fingerprint"), "{hook}: {}", said.err);
    }
    // One of both kinds.
    repository.stage("a", format!("{weak}{}\n{weak}", token(1)));
    repository.git(&["mv", "a", "b"]);
    repository.git(&["commit", "-q", "--no-verify", "-m", "x"]);
    assert!(!way(&attempt(&repository, &["push", "origin", "main"])).contains("fingerprint"));
}

#[test]
fn a_commit_from_a_linked_work_tree_or_a_directory_below_is_checked() {
    let repository = Repository::new();
    repository.commit("a", "x\n");
    install(&repository, &["pre-commit"]);
    repository.git(&["worktree", "add", "-q", "linked", "-b", "topic"]);
    let below = repository.path.join("linked/below");
    std::fs::create_dir(&below).expect("a directory");
    std::fs::write(below.join("b"), token(1)).expect("a file");
    git(&below, &["add", "b"]);
    refused(&try_git(&below, &["commit", "-m", "x"]), "below/b:1:1");
    git(&below, &["reset", "-q"]);
    passed(&try_git(&below, &["commit", "--allow-empty", "-m", "x"]));
}

/// Git names its index to a hook from the top of the work tree, wherever the hook goes.
#[test]
fn a_hook_that_changes_its_directory_is_checked() {
    let repository = Repository::new();
    let text = format!("#!/bin/sh\ncd below && exec '{}' hook run pre-commit\n", stanch().display());
    script(&repository.path.join(".git/hooks/pre-commit"), &text, 0o755);
    repository.stage("below/b", token(1));
    refused(&attempt(&repository, &["commit", "-m", "x"]), "below/b:1:1");
    let mut program = command(stanch(), &repository.path.join("below"));
    let variables = [("GIT_INDEX_FILE", ".git/index"), ("GIT_OBJECT_DIRECTORY", ".git/objects")];
    let said: Said = program.envs(variables).args(["scan", "--staged"]).output().expect("it runs").into();
    assert!(said.code == Some(1) && said.out.contains("below/b:1:1"), "{}", said.all());
    let mut program = command(stanch(), &repository.path.join(".git"));
    let said: Said =
        program.env("GIT_INDEX_FILE", "index").args(["scan", "--staged"]).output().expect("it runs").into();
    assert!(said.code == Some(1) && said.out.contains("below/b:1:1"), "{}", said.all());
    repository.stage("below/b", "x\n");
    passed(&attempt(&repository, &["commit", "-m", "x"]));
}

#[test]
fn what_cannot_be_checked_is_refused_and_says_how_to_pass() {
    let repository = Repository::new();
    install(&repository, &["pre-commit"]);
    repository.stage("a", "x\n");
    repository.write(".stanch.toml", "nonsense = [\n");
    let said = attempt(&repository, &["commit", "-m", "x"]);
    assert!(said.code != Some(0) && said.all().contains("git commit --no-verify"), "{}", said.all());
    let (error, note) = (said.err.find("error: "), said.err.find("nothing was checked"));
    assert!(error.is_some() && error < note, "{}", said.err);
    std::fs::remove_file(repository.path.join(".stanch.toml")).expect("it was there");
    repository.stage("lost", "this content gets lost\n");
    let id = repository.git(&["rev-parse", ":lost"]);
    std::fs::remove_file(repository.path.join(".git/objects").join(&id[..2]).join(&id[2..])).expect("it was there");
    let said = run(&repository.path, &["hook", "run", "pre-commit"]);
    assert_eq!(said.code, Some(3), "{}", said.all());
    assert!(said.all().contains("is refused") && said.all().contains("missing-object"), "{}", said.all());
    passed(&attempt(&repository, &["rm", "-q", "--cached", "lost"]));
    // A program that is gone does not pass for one that found nothing.
    let hook = repository.path.join(".git/hooks/pre-commit");
    let text = std::fs::read_to_string(&hook).expect("a hook");
    let text =
        text.replace(stanch().to_str().expect("UTF-8"), "/nowhere/stanch").replace("stanch=stanch", "stanch=sta-nch");
    std::fs::write(&hook, text).expect("a file");
    let said = attempt(&repository, &["commit", "-m", "x"]);
    assert!(said.code != Some(0) && said.all().contains("not installed any more"), "{}", said.all());
}

fn script(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode");
}

#[test]
fn a_hook_that_was_there_is_called_first_and_restored_as_it_was() {
    let repository = Repository::new();
    let hook = repository.path.join(".git/hooks/pre-commit");
    let text = "#!/bin/sh\n# mine\n[ ! -e stop ] || exit 7\necho called \"$#\" >> log\n";
    script(&hook, text, 0o750);
    for _ in 0..3 {
        install(&repository, &[]);
    }
    repository.stage("a", "x\n");
    passed(&attempt(&repository, &["commit", "-m", "x"]));
    assert_eq!(std::fs::read_to_string(repository.path.join("log")).expect("it was called"), "called 0\n");
    repository.stage("a", token(1));
    refused(&attempt(&repository, &["commit", "-m", "x"]), "a:1:1");
    repository.write("stop", "");
    let said = attempt(&repository, &["commit", "-m", "x"]);
    assert!(said.code != Some(0) && !said.all().contains("is refused"), "its own no is the first: {}", said.all());
    passed(&repository.run(&["hook", "uninstall"]));
    assert_eq!(std::fs::read_to_string(&hook).expect("it is there"), text);
    assert_eq!(std::fs::metadata(&hook).expect("it is there").permissions().mode() & 0o777, 0o750);
    let left: Vec<_> = std::fs::read_dir(repository.path.join(".git/hooks")).expect("a directory").flatten().collect();
    let left = left.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert_eq!(left.filter(|name| !name.ends_with(".sample")).collect::<Vec<_>>(), ["pre-commit"]);
    passed(&repository.run(&["hook", "uninstall"]));
    assert_eq!(std::fs::read_to_string(&hook).expect("it is there"), text, "what is not ours stays");
}

/// A hook that refuses where what it looks for is as the text says, and is installed over.
fn over(text: &str) -> (Repository, Said) {
    let repository = Repository::new();
    script(&repository.path.join(".git/hooks/pre-commit"), text, 0o755);
    let said = repository.run(&["hook", "install", "pre-commit"]);
    (repository, said)
}

#[test]
fn a_hook_that_goes_by_its_name_or_its_place_still_does() {
    for text in [
        "#!/bin/sh\n[ \"$(basename \"$0\")\" != pre-commit ] || exit 9\n",
        "#!/bin/sh\ncase \"${0##*/}\" in pre-commit) exit 9 ;; esac\n",
        "#!/bin/sh\n[ \"$(cd \"$(dirname \"$0\")\" && pwd)\" != \"$PWD/.git/hooks\" ] || exit 9\n",
    ] {
        let (repository, said) = over(text);
        passed(&said);
        assert_ne!(attempt(&repository, &["commit", "--allow-empty", "-m", "x"]).code, Some(0), "{text}");
        let mut commit = command("git", &repository.path);
        commit.env("CDPATH", ".").args(["commit", "--allow-empty", "-m", "x"]);
        assert_ne!(Said::from(commit.output().expect("git runs")).code, Some(0), "{text}");
        passed(&repository.run(&["hook", "uninstall"]));
        let hook = repository.path.join(".git/hooks/pre-commit");
        assert_eq!(std::fs::read_to_string(hook).expect("it is there"), text);
    }
    let text = "#!/bin/sh\n. \"$(dirname \"$0\")/h\"\n";
    let (repository, said) = over(text);
    assert_eq!(said.code, Some(2), "{}", said.all());
    assert!(said.err.contains("stanch hook run pre-commit"), "{}", said.err);
    let hook = repository.path.join(".git/hooks/pre-commit");
    assert_eq!(std::fs::read_to_string(hook).expect("it is there"), text);
}

#[test]
fn husky_is_told_by_a_line_in_its_own_hooks() {
    let repository = Repository::new();
    repository.git(&["config", "core.hooksPath", ".husky/_"]);
    repository.write(".husky/_/h", "");
    let said = repository.run(&["hook", "install"]);
    assert_eq!(said.code, Some(2), "{}", said.all());
    assert!(said.err.contains(".husky/pre-commit: stanch hook run pre-commit\n"), "{}", said.err);
    assert!(said.err.contains(".husky/pre-push: stanch hook run pre-push -- \"$@\"\n"), "{}", said.err);
    assert!(!repository.path.join(".husky/_/pre-commit").exists());
    repository.write(".husky/pre-commit", "npm test\nstanch hook run pre-commit\n");
    let said = repository.run(&["hook", "install", "pre-commit"]);
    assert!(said.code == Some(0) && said.err.contains(".husky/pre-commit\n"), "{}", said.all());
}

/// As stanch once kept them.
#[test]
fn a_hook_that_an_older_version_kept_is_called_and_restored() {
    let repository = Repository::new();
    let hooks = repository.path.join(".git/hooks");
    let text = "#!/bin/sh\necho called >> log\n";
    install(&repository, &["pre-commit"]);
    script(&hooks.join("pre-commit.stanch-chained"), text, 0o755);
    install(&repository, &["pre-commit"]);
    repository.stage("a", "x\n");
    passed(&attempt(&repository, &["commit", "-m", "x"]));
    assert_eq!(std::fs::read_to_string(repository.path.join("log")).expect("it was called"), "called\n");
    passed(&repository.run(&["hook", "uninstall"]));
    assert_eq!(std::fs::read_to_string(hooks.join("pre-commit")).expect("it is there"), text);
}

/// What pre-commit does: it keeps what it finds, unless that is its own, calls it, and never itself below itself.
fn pre_commit_install(repository: &Repository) {
    let hooks = repository.path.join(".git/hooks");
    let (path, legacy) = (hooks.join("pre-commit"), hooks.join("pre-commit.legacy"));
    let is_own = |text: String| text.contains("# File generated by pre-commit");
    if path.exists() && !std::fs::read_to_string(&path).is_ok_and(is_own) {
        std::fs::rename(&path, &legacy).expect("a hook");
    }
    let text = "#!/bin/sh\n# File generated by pre-commit\n[ -z \"$PRE_COMMIT_RUNNING_LEGACY\" ] || exit 99\necho it >> log\n\
                export PRE_COMMIT_RUNNING_LEGACY=1\nlegacy=\"$(dirname \"$0\")/pre-commit.legacy\"\n\
                [ ! -x \"$legacy\" ] || \"$legacy\" \"$@\"\n";
    script(&path, text, 0o755);
}

#[test]
fn pre_commit_may_come_before_and_after() {
    let repository = Repository::new();
    let hooks = repository.path.join(".git/hooks");
    let names = || {
        let entries = std::fs::read_dir(&hooks).expect("a directory").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|name| !name.ends_with(".sample")).collect();
        names.sort();
        names
    };
    pre_commit_install(&repository);
    install(&repository, &["pre-commit"]);
    for round in 0..3 {
        pre_commit_install(&repository);
        passed(&attempt(&repository, &["commit", "--allow-empty", "-m", "x"]));
        let log = std::fs::read_to_string(repository.path.join("log")).expect("it was called");
        assert_eq!(log.lines().count(), round + 1);
        install(&repository, &["pre-commit"]);
    }
    repository.stage("a", token(1));
    refused(&attempt(&repository, &["commit", "-m", "x"]), "a:1:1");
    passed(&repository.run(&["hook", "uninstall"]));
    assert_eq!(names(), ["pre-commit"]);
    passed(&attempt(&repository, &["commit", "-m", "x"]));
}

#[test]
fn one_hook_that_cannot_be_removed_keeps_no_other() {
    let repository = Repository::new();
    let hooks = repository.path.join(".git/hooks");
    script(&hooks.join("pre-commit"), "#!/bin/sh\n", 0o755);
    install(&repository, &[]);
    script(&hooks.join("pre-commit"), "#!/bin/sh\n# new\n", 0o755);
    let said = repository.run(&["hook", "uninstall"]);
    assert_eq!(said.code, Some(2), "{}", said.all());
    assert!(!hooks.join("pre-push").exists(), "{}", said.all());
    let (removed, error) = (said.err.find("pre-push is removed"), said.err.find("error: "));
    assert!(removed.is_some() && removed < error, "{}", said.err);
}

/// pre-commit, for one, keeps what it finds as `pre-commit.legacy` and calls it.
#[test]
fn tools_that_keep_each_others_hooks_do_not_call_each_other_for_ever() {
    let repository = Repository::new();
    let hooks = repository.path.join(".git/hooks");
    install(&repository, &["pre-commit", "pre-push"]);
    for hook in ["pre-commit", "pre-push"] {
        std::fs::rename(hooks.join(hook), hooks.join(format!("{hook}.legacy"))).expect("a hook");
        let text = format!("#!/bin/sh\necho {hook} >> other\n\"${{0%/*}}/{hook}.legacy\" \"$@\"\n");
        script(&hooks.join(hook), &text, 0o755);
    }
    install(&repository, &["pre-commit", "pre-push"]);
    repository.stage("a", "x\n");
    let mut commit = command("timeout", &repository.path);
    let said: Said = commit.args(["60", "git", "commit", "-m", "x"]).output().expect("it runs").into();
    passed(&said);
    assert_eq!(std::fs::read_to_string(repository.path.join("other")).expect("it was called"), "pre-commit\n");
    repository.stage("a", token(1));
    let mut commit = command("timeout", &repository.path);
    let said: Said = commit.args(["60", "git", "commit", "-m", "x"]).output().expect("it runs").into();
    refused(&said, "a:1:1");
}

#[test]
fn a_hook_that_git_would_not_run_is_not_run_and_a_link_stays_one() {
    let repository = Repository::new();
    let hooks = repository.path.join(".git/hooks");
    script(&hooks.join("pre-commit"), "#!/bin/sh\nexit 9\n", 0o644);
    script(&hooks.join("shared"), "#!/bin/sh\nexit 8\n", 0o755);
    std::os::unix::fs::symlink("shared", hooks.join("pre-push")).expect("a link");
    install(&repository, &["pre-commit", "pre-push"]);
    repository.stage("a", "x\n");
    passed(&attempt(&repository, &["commit", "-m", "x"]));
    passed(&repository.run(&["hook", "uninstall", "pre-push"]));
    assert_eq!(std::fs::read_link(hooks.join("pre-push")).expect("a link"), Path::new("shared"));
    // Somebody else's in the place of ours: neither is thrown away.
    script(&hooks.join("pre-commit"), "#!/bin/sh\n# new\n", 0o755);
    for verb in ["install", "uninstall"] {
        let said = repository.run(&["hook", verb, "pre-commit"]);
        assert_eq!(said.code, Some(2), "{}", said.all());
        assert!(said.err.contains("stanch-chained/pre-commit"), "{}", said.err);
    }
}

#[test]
fn hooks_are_where_the_configuration_says() {
    for (value, place) in [("my hooks/are here", "my hooks/are here"), ("~/hooks", "hooks")] {
        let repository = Repository::new();
        repository.git(&["config", "core.hooksPath", value]);
        std::fs::create_dir(repository.path.join("below")).expect("a directory");
        passed(&run(&repository.path.join("below"), &["hook", "install", "pre-commit"]));
        // HOME is the directory in which the test runs the program.
        let home = if value.starts_with('~') { repository.path.join("below") } else { repository.path.clone() };
        assert!(home.join(place).join("pre-commit").exists(), "{value}");
        assert!(!repository.path.join(".git/hooks/pre-commit").exists());
    }
    let repository = Repository::new();
    repository.git(&["config", "core.hooksPath", "h"]);
    install(&repository, &[]);
    repository.stage("a", token(1));
    refused(&attempt(&repository, &["commit", "-m", "x"]), "a:1:1");
    let elsewhere = tempfile::tempdir().expect("a directory");
    assert_eq!(run(elsewhere.path(), &["hook", "install"]).code, Some(2));
}

fn install_with(repository: &Repository, variables: &[(&str, &str)]) -> Said {
    let mut program = command(stanch(), &repository.path);
    program.envs(variables.iter().copied()).args(["hook", "install", "pre-commit"]);
    program.output().expect("stanch runs").into()
}

#[test]
fn hooks_are_where_gits_variables_say() {
    let entry =
        [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "core.hooksPath"), ("GIT_CONFIG_VALUE_0", "hooks here")];
    let sets: [&[(&str, &str)]; 5] = [
        &[("GIT_CONFIG_GLOBAL", "settings")],
        &[("GIT_CONFIG_SYSTEM", "settings"), ("GIT_CONFIG_NOSYSTEM", "0")],
        &entry,
        &[("GIT_CONFIG_PARAMETERS", "'user.name'='it'\\''s' 'core.hookspath'='hooks here'")],
        &[("GIT_CONFIG_SYSTEM", "settings"), ("GIT_CONFIG_NOSYSTEM", "1")],
    ];
    for (number, variables) in sets.into_iter().enumerate() {
        let repository = Repository::new();
        repository.write("settings", "[core]\nhooksPath = hooks here\n");
        let said = install_with(&repository, variables);
        passed(&said);
        let place = if number < 4 { "hooks here" } else { ".git/hooks" };
        assert!(repository.path.join(place).join("pre-commit").exists(), "{variables:?}: {}", said.all());
    }
    for value in ["", "%(prefix)/hooks", "~somebody/hooks"] {
        let repository = Repository::new();
        let said = install_with(&repository, &[entry[0], entry[1], ("GIT_CONFIG_VALUE_0", value)]);
        assert_eq!(said.code, Some(2), "{value}: {}", said.all());
        assert!(said.err.contains("core.hooksPath"), "{}", said.err);
    }
}

#[test]
fn who_is_trusted_is_what_gits_variables_say() {
    let repository = Repository::new();
    repository.commit("a", "x\n");
    repository.commit("a", "y\n");
    let mut chown = command("chown", repository.path.parent().expect("a parent"));
    if !chown.args(["-R", "12345:12345", "repo"]).status().expect("chown runs").success() {
        // Only root can give something away.
        return;
    }
    let here = repository.path.to_str().expect("UTF-8");
    let above = format!("{}/*", repository.path.parent().expect("a parent").display());
    for (values, code) in [
        (vec![], Some(2)),
        (vec!["*"], Some(0)),
        (vec![here], Some(0)),
        (vec![above.as_str()], Some(0)),
        (vec!["/elsewhere"], Some(2)),
        (vec!["*", ""], Some(2)),
    ] {
        for args in [["hook", "install", "pre-commit"].as_slice(), &["scan", "--history", "--range", "HEAD~1..HEAD"]] {
            let mut program = command(stanch(), &repository.path);
            program.env("GIT_CONFIG_COUNT", values.len().to_string());
            for (at, value) in values.iter().enumerate() {
                let key = format!("GIT_CONFIG_KEY_{at}");
                program.env(key, "safe.directory").env(format!("GIT_CONFIG_VALUE_{at}"), value);
            }
            let said: Said = program.args(args).output().expect("stanch runs").into();
            assert_eq!(said.code, code, "{values:?} {args:?}: {}", said.all());
        }
    }
}

#[test]
fn hooks_for_all_repositories_are_said_to_be() {
    let repository = Repository::new();
    let hooks = repository.path.join("hooks");
    repository.write("settings", format!("[core]\nhooksPath = {}\n", hooks.display()));
    let said = install_with(&repository, &[("GIT_CONFIG_GLOBAL", "settings")]);
    passed(&said);
    assert!(hooks.join("pre-commit").exists() && said.err.contains("all repositories"), "{}", said.err);
    repository.git(&["config", "core.hooksPath", hooks.to_str().expect("UTF-8")]);
    let said = install_with(&repository, &[("GIT_CONFIG_GLOBAL", "settings")]);
    assert!(said.code == Some(0) && !said.err.contains("all repositories"), "{}", said.err);
}

#[test]
fn a_git_directory_apart_has_a_work_tree() {
    let repository = Repository::init(&["--separate-git-dir", "apart"]);
    let apart = repository.path.parent().expect("a parent").join("apart");
    install(&repository, &[]);
    assert!(apart.join("hooks/pre-commit").exists() && !apart.join("hooks/pre-receive").exists());
    repository.git(&["config", "core.hooksPath", "h"]);
    install(&repository, &[]);
    repository.stage("a", token(1));
    refused(&attempt(&repository, &["commit", "-m", "x"]), "a:1:1");
}

#[test]
fn exactly_what_a_push_brings_is_checked() {
    let (repository, _server) = pair();
    install(&repository, &["pre-push"]);
    let push = |args: &[&str]| attempt(&repository, &[&["push", "-q", "origin"], args].concat());
    // A token that came and went is in the history.
    commit(&repository, "a", &token(1));
    let clean = commit(&repository, "a", "gone\n");
    refused(&push(&["main"]), "a:1:1");
    refused(&push(&["main:refs/heads/new"]), "a:1:1");
    refused(&push(&[":/x:refs/heads/new"]), "a:1:1");
    passed(&push(&["--no-verify", "main"]));
    // It is there now: nothing new.
    commit(&repository, "b", "more\n");
    passed(&push(&["main"]));
    passed(&push(&["main:refs/heads/copy"]));
    passed(&push(&["--force", &format!("{clean}:refs/heads/main")]));
    passed(&push(&["--delete", "copy"]));
    passed(&push(&[]));
    // Only in the message of a tag, and of a commit.
    repository.git(&["tag", "-a", "-m", &token(2), "told"]);
    refused(&push(&["told"]), "github-pat");
    repository.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", &token(2)]);
    refused(&push(&["main"]), "github-pat");
    repository.git(&["reset", "-q", "--hard", "HEAD^"]);
    // Rewritten: the old is replaced, and only what is really new counts.
    repository.git(&["commit", "-q", "--amend", "-m", "other words"]);
    passed(&push(&["--force", "main"]));
    commit(&repository, "c", &token(2));
    refused(&push(&["--force", "main"]), "c:1:1");
    // An orphan shares nothing.
    repository.git(&["checkout", "-q", "--orphan", "fresh"]);
    commit(&repository, "d", &token(2));
    refused(&push(&["fresh"]), ":1:1");
}

/// A token that `origin` has, and a server that has nothing.
fn told_only_origin() -> (Repository, Repository, Repository) {
    let (repository, server) = pair();
    commit(&repository, "a", &token(1));
    repository.git(&["push", "-q", "origin", "main"]);
    install(&repository, &["pre-push"]);
    (repository, server, Repository::init(&["--bare"]))
}

#[test]
fn what_another_repository_has_is_not_taken_for_known() {
    let (repository, server, other) = told_only_origin();
    let path = |it: &Repository| it.path.to_str().expect("UTF-8").to_owned();
    let (server_url, other_url) = (path(&server), path(&other));
    let push = |args: &[&str]| attempt(&repository, &[&["push", "-q"], args].concat());
    repository.git(&["remote", "set-url", "origin", &other_url]);
    refused(&push(&["origin", "main"]), "a:1:1");
    repository.git(&["remote", "set-url", "origin", &server_url]);
    repository.git(&["remote", "set-url", "--push", "origin", &other_url]);
    refused(&push(&["origin", "main:new"]), "a:1:1");
    repository.git(&["config", "--unset-all", "remote.origin.pushurl"]);
    repository.git(&["config", &format!("url.{other_url}.pushInsteadOf"), &server_url]);
    refused(&push(&["origin", "main:new"]), "a:1:1");
    repository.git(&["config", "--unset-all", &format!("url.{other_url}.pushInsteadOf")]);
    // Names that begin alike, and another remote that writes to the same place.
    repository.git(&["remote", "add", "team", &other_url]);
    repository.git(&["remote", "add", "team/internal", &server_url]);
    repository.git(&["fetch", "-q", "team/internal"]);
    refused(&push(&["team", "main:new"]), "a:1:1");
    repository.git(&["config", "--add", "remote.origin.fetch", "+refs/heads/*:refs/remotes/team/*"]);
    repository.git(&["fetch", "-q", "origin"]);
    refused(&push(&["team", "main:new"]), "a:1:1");
    passed(&push(&["origin", "main:new"]));
}

#[test]
fn what_the_receiver_has_is_known_by_any_of_its_urls() {
    let (repository, server, _) = told_only_origin();
    let parent = server.path.parent().and_then(Path::to_str).expect("UTF-8");
    let name = server.path.file_name().and_then(std::ffi::OsStr::to_str).expect("UTF-8");
    repository.git(&["config", &format!("url.{parent}/.insteadOf"), "short:"]);
    repository.git(&["remote", "set-url", "origin", &format!("short:{name}")]);
    repository.git(&["fetch", "-q"]);
    passed(&attempt(&repository, &["push", "-q", "origin", "main:new"]));
    // It has more by now, which is here, too.
    let more = commit(&repository, "b", "x\n");
    repository.git(&["push", "-q", "--no-verify", server.path.to_str().expect("UTF-8"), "main"]);
    assert_ne!(repository.git(&["rev-parse", "origin/main"]), more);
    commit(&repository, "b", "y\n");
    passed(&attempt(&repository, &["push", "-q", "origin", "main", "main:newer"]));
}

#[test]
fn what_was_taken_away_there_is_not_taken_for_known() {
    let (repository, server, _) = told_only_origin();
    let cleaner = Repository::new();
    cleaner.commit("readme", "clean\n");
    cleaner.git(&["push", "-q", "-f", server.path.to_str().expect("UTF-8"), "main"]);
    let push = |args: &[&str]| attempt(&repository, &[&["push", "-q", "-f", "origin"], args].concat());
    refused(&push(&["main"]), "a:1:1");
    server.git(&["update-ref", "-d", "refs/heads/main"]);
    refused(&push(&["main"]), "a:1:1");
    // Back to what was before.
    let before = repository.git(&["rev-parse", "main~1"]);
    repository.git(&[
        "push",
        "-q",
        "--no-verify",
        server.path.to_str().expect("UTF-8"),
        &format!("{before}:refs/heads/main"),
    ]);
    refused(&push(&["main"]), "a:1:1");
}

#[test]
fn a_chained_push_hook_reads_the_same_lines() {
    let (repository, _server) = pair();
    let text = "#!/bin/sh\necho \"$1\" > told\ncat >> told\n";
    script(&repository.path.join(".git/hooks/pre-push"), text, 0o755);
    install(&repository, &["pre-push"]);
    let id = commit(&repository, "a", "x\n");
    passed(&attempt(&repository, &["push", "-q", "origin", "main"]));
    let told = std::fs::read_to_string(repository.path.join("told")).expect("it was called");
    assert!(told.starts_with("origin\nrefs/heads/main ") && told.contains(&id) && told.ends_with('\n'), "{told:?}");
    assert_eq!(told.lines().count(), 2, "{told:?}");
}

/// A commit behind a tag of a tag of a tag …
#[test]
fn nothing_hides_behind_tags() {
    let (repository, server) = pair();
    install(&repository, &["pre-push"]);
    install(&server, &["pre-receive"]);
    let bad = commit(&repository, "a", &token(1));
    commit(&repository, "a", "gone\n");
    repository.git(&["tag", "-a", "-m", "x", "t0", &bad]);
    for number in 1..40 {
        repository.git(&["tag", "-a", "-m", "x", &format!("t{number}"), &format!("t{}", number - 1)]);
    }
    refused(&attempt(&repository, &["push", "-q", "origin", "t39"]), "a:1:1");
    refused(&attempt(&repository, &["push", "-q", "--no-verify", "origin", "t39"]), "a:1:1");
}

#[test]
fn a_server_refuses_before_anything_is_kept() {
    for unpack in ["1", "10000"] {
        for hook in ["pre-receive", "update"] {
            let (repository, server) = pair();
            // Whether git keeps the pack or unpacks it, it is in quarantine first.
            server.git(&["config", "receive.unpackLimit", unpack]);
            install(&server, &[hook]);
            let push = |args: &[&str]| attempt(&repository, &[&["push", "-q", "origin"], args].concat());
            let bad = commit(&repository, "a", &token(1));
            let good = commit(&repository, "a", "gone\n");
            refused(&push(&["main"]), "a:1:1");
            refused(&push(&["main:refs/heads/new"]), "a:1:1");
            // An update hook is asked when the objects are in the repository already.
            for id in [&bad, &good].into_iter().filter(|_| hook == "pre-receive") {
                assert_ne!(attempt(&server, &["cat-file", "-e", id]).code, Some(0), "nothing was kept");
            }
            repository.git(&["reset", "-q", "--hard", "HEAD~2"]);
            commit(&repository, "b", "x\n");
            passed(&push(&["main", "main:refs/heads/second"]));
            passed(&push(&["--delete", "second"]));
            repository.git(&["commit", "-q", "--amend", "-m", "other"]);
            passed(&push(&["--force", "main"]));
            repository.git(&["tag", "-a", "-m", &token(2), "told"]);
            refused(&push(&["told"]), "github-pat");
            commit(&repository, "c", &token(2));
            refused(&push(&["--force", "main"]), "c:1:1");
        }
    }
}

/// What is pushed cannot allow itself by configuration; the server's own can.
#[test]
fn a_server_need_not_have_what_git_lfs_keeps() {
    let (repository, server) = pair();
    install(&server, &["pre-receive"]);
    let id = "a1".repeat(32);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize 9\n");
    commit(&repository, "large.bin", &pointer);
    passed(&attempt(&repository, &["push", "-q", "origin", "main"]));
}

#[test]
fn a_server_has_its_own_configuration() {
    let (repository, server) = pair();
    install(&server, &["pre-receive"]);
    commit(&repository, "a", &token(1));
    let said = attempt(&repository, &["push", "-q", "origin", "main"]);
    refused(&said, "a:1:1");
    assert!(!said.all().contains("unreachable"), "not yet: {}", said.all());
    let (_, rest) = said.err.split_once("fingerprint: ").expect("it is told");
    let list = format!("[[allowlists]]\nreason = \"x\"\nfingerprints = [\"{}\"]\n", &rest[..32]);
    commit(&repository, ".stanch.toml", &list);
    refused(&attempt(&repository, &["push", "-q", "origin", "main"]), "a:1:1");
    server.write(".stanch.toml", &list);
    passed(&attempt(&repository, &["push", "-q", "origin", "main"]));
}

/// A push may bring the work tree up to date, and with it what it says of itself.
#[test]
fn what_was_pushed_before_allows_nothing() {
    let (repository, server) = (Repository::new(), Repository::new());
    server.commit("readme", "hello\n");
    server.git(&["config", "receive.denyCurrentBranch", "updateInstead"]);
    install(&server, &["pre-receive", "update"]);
    repository.git(&["pull", "-q", server.path.to_str().expect("UTF-8"), "main"]);
    repository.git(&["remote", "add", "origin", server.path.to_str().expect("UTF-8")]);
    let list = "[[allowlists]]\nreason = \"x\"\npaths = [\".\"]\n";
    commit(&repository, ".stanch.toml", list);
    repository.stage(".stanchignore", "a:github-pat:1\n");
    repository.git(&["commit", "-q", "-m", "x"]);
    passed(&attempt(&repository, &["push", "-q", "origin", "main"]));
    assert!(server.path.join(".stanch.toml").exists());
    commit(&repository, "a", &token(1));
    refused(&attempt(&repository, &["push", "-q", "origin", "main"]), "a:1:1");
    server.write(".git/.stanch.toml", list);
    passed(&attempt(&repository, &["push", "-q", "origin", "main"]));
}

#[test]
fn a_bare_repository_gets_the_hook_of_servers() {
    let (_, server) = pair();
    install(&server, &[]);
    assert!(server.path.join("hooks/pre-receive").exists() && !server.path.join("hooks/pre-commit").exists());
}

#[test]
fn lines_that_are_not_gits_are_refused() {
    let (repository, _server) = pair();
    let mut hook = command("sh", &repository.path);
    let program = stanch();
    hook.args(["-c", "echo nonsense | \"$0\" hook run pre-push -- origin url"]).arg(&program);
    let said: Said = hook.output().expect("it runs").into();
    assert_eq!(said.code, Some(2), "{}", said.all());
    assert!(said.err.contains("line 1 of standard input"), "{}", said.err);
    // A new side that is not there cannot be checked.
    let mut hook = command("sh", &repository.path);
    let line = format!("refs/heads/x {} refs/heads/x {}", "1".repeat(40), "0".repeat(40));
    hook.args(["-c", "echo \"$1\" | \"$0\" hook run pre-push -- origin url"]).arg(&program).arg(line);
    let said: Said = hook.output().expect("it runs").into();
    assert_eq!(said.code, Some(3), "{}", said.all());
}

/// The configuration that we offer, with our own program in the place of one that pre-commit would build.
fn offered() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml");
    let text = std::fs::read_to_string(path).expect("a file");
    let program = stanch();
    let text = text.replace("entry: stanch", &format!("entry: {}", program.display()));
    let hooks: String = text
        .replace("language: rust", "language: system")
        .lines()
        .fold(String::new(), |all, line| all + "      " + line + "\n");
    format!("repos:\n  - repo: local\n    hooks:\n{hooks}")
}

fn pre_commit(repository: &Repository, cache: &Path, args: &[&str]) -> Said {
    let mut program = command("pre-commit", &repository.path);
    keep_path(&mut program);
    let output = program.env("PRE_COMMIT_HOME", cache).args(args).output();
    output.expect("pre-commit is there: pip install pre-commit").into()
}

/// pre-commit's own launcher may need the home directory that the tests take away.
#[expect(clippy::disallowed_methods, reason = "it is passed on")]
fn keep_path(program: &mut Command) {
    if let Some(home) = std::env::var_os("HOME") {
        program.env("HOME", home);
    }
}

#[test]
#[ignore = "needs pre-commit from PyPI; .ci/run has it"]
fn pre_commit_runs_both_hooks() {
    let cache = tempfile::tempdir().expect("a directory");
    let repository = Repository::new();
    repository.stage(".pre-commit-config.yaml", offered());
    repository.stage("old", token(1));
    repository.git(&["commit", "-q", "-m", "x"]);
    let run = |args: &[&str]| pre_commit(&repository, cache.path(), args);
    passed(&run(&["run", "stanch"]));
    passed(&run(&["run", "stanch", "--all-files"]));
    let said = run(&["run", "stanch-all", "--all-files"]);
    assert_eq!(said.code, Some(1), "{}", said.all());
    assert!(said.all().contains("old:1:1") && !said.all().contains(&token(1)), "{}", said.all());
    passed(&run(&["install"]));
    repository.stage("new", token(2));
    // What is only in the work tree is no part of the commit.
    repository.write("new", "already cleaned up\n");
    let said = attempt(&repository, &["commit", "-m", "x"]);
    assert!(said.code != Some(0) && said.all().contains("new:1:1"), "{}", said.all());
    repository.git(&["reset", "-q", "--", "new"]);
    repository.stage("--staged", token(2));
    let said = run(&["run", "stanch-all", "--all-files"]);
    assert!(said.all().contains("--staged:1:1"), "a name is no option: {}", said.all());
}

#[test]
fn what_pre_commit_is_told_to_call_exists() {
    let repository = Repository::new();
    repository.stage("a", token(1));
    let offered = offered();
    assert!(offered.contains("scan --staged\n") && offered.contains("args: [\"--\"]"), "{offered}");
    assert_eq!(repository.run(&["scan", "--staged"]).code, Some(1));
    assert_eq!(repository.run(&["scan", "--", "a"]).code, Some(1));
}

#[test]
fn the_hook_is_a_script_that_every_shell_reads() {
    let repository = Repository::new();
    let hooks = ["pre-commit", "pre-merge-commit", "pre-push", "pre-receive", "update"];
    install(&repository, &hooks);
    for hook in hooks {
        let path: PathBuf = repository.path.join(".git/hooks").join(hook);
        let said: Said = command("sh", &repository.path).arg("-n").arg(&path).output().expect("sh runs").into();
        passed(&said);
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o755);
    }
}

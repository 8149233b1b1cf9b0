//! What a push would bring: from where remote-tracking references come, which URLs are one place, which objects must be there.
#![cfg(unix)]

mod repository;

use std::path::Path;

use repository::{Repository, Said, command, stanch, token, try_git};

/// A server that has a token in its history.
fn server() -> Repository {
    let (repository, server) = (Repository::new(), Repository::init(&["--bare"]));
    repository.commit("readme", "hello\n");
    repository.commit("a", token(1));
    repository.git(&["push", "-q", url(&server), "main"]);
    server
}

fn empty() -> Repository {
    Repository::init(&["--bare"])
}

fn url(repository: &Repository) -> &str {
    repository.path.to_str().expect("UTF-8")
}

fn guarded(repository: Repository) -> Repository {
    assert_eq!(repository.run(&["hook", "install", "pre-push"]).code, Some(0));
    repository
}

fn push(repository: &Repository, args: &[&str]) -> Said {
    try_git(&repository.path, &[&["push", "-q"], args].concat())
}

fn refused(said: &Said) {
    let all = said.all();
    assert!(said.code != Some(0) && all.contains("this push is refused") && all.contains("a:1:1"), "{all}");
    assert!(!all.contains(&token(1)), "{all}");
}

fn passed(said: &Said) {
    assert_eq!(said.code, Some(0), "{}", said.all());
}

/// A repository that was not cloned, and has pushed what it has to `origin`.
fn made_here(server: &Repository) -> Repository {
    let repository = guarded(Repository::new());
    repository.commit("readme", "hello\n");
    repository.commit("a", token(1));
    repository.git(&["remote", "add", "origin", url(server)]);
    repository.git(&["push", "-q", "--no-verify", "-u", "origin", "main"]);
    repository
}

#[test]
fn a_new_branch_at_an_unchanged_origin_brings_only_what_is_new() {
    let server = server();
    let repository = guarded(server.clone_of(&[]));
    passed(&push(&repository, &["origin", "main:one"]));
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["gc", "-q"]);
    repository.git(&["config", "x.y", "z"]);
    passed(&push(&repository, &["origin", "main:two"]));
    // Another remote that has the same, and was fetched last.
    let upstream = empty();
    repository.git(&["remote", "add", "upstream", url(&upstream)]);
    repository.git(&["push", "-q", "--no-verify", "upstream", "main"]);
    repository.git(&["fetch", "-q", "upstream"]);
    passed(&push(&repository, &["origin", "main:three"]));
    repository.git(&["remote", "rename", "origin", "other"]);
    passed(&push(&repository, &["other", "main:four"]));
    // From a branch that follows one of this repository.
    repository.git(&["branch", "-q", "--track", "local", "main"]);
    repository.git(&["checkout", "-q", "local"]);
    repository.git(&["pull", "-q"]);
    passed(&push(&repository, &["other", "local:five"]));
    let server = empty();
    let repository = made_here(&server);
    configured_before(&repository);
    passed(&push(&repository, &["origin", "main:one"]));
}

/// As if the configuration was written a second before the first push, and not by it in the same moment.
fn configured_before(repository: &Repository) {
    let file = std::fs::File::options().write(true).open(repository.path.join(".git/config")).expect("a file");
    let pushed = std::fs::metadata(repository.path.join(".git/refs/remotes/origin/main")).expect("a file");
    let before = pushed.modified().expect("a time") - std::time::Duration::from_secs(1);
    file.set_modified(before).expect("a time");
}

#[test]
fn what_was_configured_in_the_moment_of_a_push_may_have_been_set_after_it() {
    let server = empty();
    let repository = made_here(&server);
    let [config, pushed] = [".git/config", ".git/refs/remotes/origin/main"].map(|it| repository.path.join(it));
    let file = std::fs::File::options().write(true).open(&config).expect("a file");
    let moment = std::fs::metadata(pushed).and_then(|file| file.modified()).expect("a time");
    file.set_modified(moment).expect("a time");
    let said = push(&repository, &["origin", "main:one"]);
    refused(&said);
    assert!(said.err.contains("`git fetch origin` makes it sure"), "{}", said.err);
    repository.git(&["fetch", "-q"]);
    passed(&push(&repository, &["origin", "main:one"]));
}

#[test]
fn a_remote_that_is_elsewhere_now_is_not_known_by_what_tracked_it() {
    let (server, other) = (server(), empty());
    let set = |repository: &Repository| repository.git(&["remote", "set-url", "origin", url(&other)]);
    let cloned = guarded(server.clone_of(&[]));
    set(&cloned);
    let said = push(&cloned, &["origin", "main:new"]);
    refused(&said);
    assert!(said.err.contains("`git fetch origin` makes it sure"), "{}", said.err);
    // What is there is known after a fetch, and what is not is not.
    cloned.git(&["fetch", "-q"]);
    refused(&push(&cloned, &["origin", "main:new"]));
    // By what is set elsewhere than in the repository.
    let led = guarded(server.clone_of(&[]));
    led.write("settings", format!("[url \"{}\"]\n\tinsteadOf = file://{}\n", url(&other), url(&server)));
    let mut redirected = command("git", &led.path);
    redirected.env("GIT_CONFIG_GLOBAL", led.path.join("settings")).args(["push", "-q", "origin", "main:new"]);
    refused(&redirected.output().expect("git runs").into());
    let own = made_here(&server);
    set(&own);
    refused(&push(&own, &["origin", "main:new"]));
    let fetching = made_here(&server);
    fetching.git(&["fetch", "-q"]);
    set(&fetching);
    refused(&push(&fetching, &["origin", "main:new"]));
    passed(&push(&fetching, &["--no-verify", "origin", "main"]));
    for repository in [&cloned, &fetching] {
        repository.git(&["fetch", "-q"]);
        passed(&push(repository, &["origin", "main:new"]));
        repository.git(&["push", "-q", "--delete", "origin", "new"]);
    }
}

/// Runs what git would run on the other machine, on this one.
fn ssh(repository: &Repository, root: &Path) -> String {
    let script = repository.path.join(".git/ssh");
    let text = format!("#!/bin/sh\nfor word; do :; done\ncd '{}' && eval \"$word\"\n", root.display());
    std::fs::write(&script, text).expect("a file");
    format!("sh {}", script.display())
}

#[test]
fn one_place_is_fetched_from_and_pushed_to_by_several_urls() {
    let (server, other) = (server(), empty());
    let repository = guarded(Repository::new());
    let name = |it: &Repository| format!("{}.git", url(it));
    for it in [&server, &other] {
        std::os::unix::fs::symlink(&it.path, name(it)).expect("a link");
    }
    let ssh = ssh(&repository, server.path.parent().expect("a parent"));
    let git = |args: &[&str]| -> Said {
        command("git", &repository.path).env("GIT_SSH_COMMAND", &ssh).args(args).output().expect("git runs").into()
    };
    passed(&git(&["remote", "add", "origin", "git@host.example.org:repo.git"]));
    passed(&git(&["pull", "-q", "origin", "main"]));
    passed(&git(&["fetch", "-q"]));
    for (at, url) in ["git@HOST.example.org:repo", "git@host.example.org:repo.git/"].iter().enumerate() {
        passed(&git(&["config", "remote.origin.pushurl", url]));
        passed(&git(&["push", "-q", "origin", &format!("main:new{at}")]));
    }
    let zero = "0".repeat(40);
    let line = format!("refs/heads/main {} refs/heads/new {zero}\n", repository.git(&["rev-parse", "HEAD"]));
    for (pushed, code) in [
        ("https://host.example.org/repo", 0),
        ("ssh://git@host.example.org:22/repo.git", 0),
        ("https://host.example.org/repo2", 1),
        ("https://host.example.org.evil.org/repo", 1),
        ("https://host.example.org@evil.org/repo", 1),
        ("me@host.example.org:repo", 1),
        ("ssh://git@host.example.org:2222/repo", 1),
    ] {
        let mut hook = command("sh", &repository.path);
        let words = "printf %s \"$1\" | \"$0\" hook run pre-push -- origin \"$2\"";
        let said: Said = hook.args(["-c", words]).arg(stanch()).args([&line, pushed]).output().expect("it runs").into();
        assert_eq!(said.code, Some(code), "{pushed}: {}", said.all());
    }
    passed(&git(&["config", "remote.origin.pushurl", &name(&other)]));
    refused(&git(&["push", "-q", "origin", "main:new"]));
}

#[test]
fn a_store_that_is_gone_matters_where_something_is_missing() {
    let server = server();
    let repository = guarded(server.clone_of(&[]));
    repository.write(".git/objects/info/alternates", "/nowhere/objects\n");
    repository.write(".git/objects/pack/tmp_pack_abcdef", "");
    repository.commit("b", "clean\n");
    passed(&push(&repository, &["origin", "main:new"]));
    assert_eq!(repository.run(&["hook", "run", "pre-commit"]).code, Some(0));
    let said = repository.run(&["scan", "--history"]);
    assert!(said.all().contains("/nowhere/objects: the store that is borrowed from is not there"), "{}", said.all());
    repository.commit("lost", "this is lost\n");
    let id = repository.git(&["rev-parse", "HEAD:lost"]);
    std::fs::remove_file(repository.path.join(".git/objects").join(&id[..2]).join(&id[2..])).expect("it was there");
    let said = repository.run(&["scan", "--history", "--range", "origin/main..main"]);
    assert_eq!(said.code, Some(3), "{}", said.all());
    assert!(said.all().contains(&id) && said.all().contains("/nowhere/objects"), "{}", said.all());
}

#[test]
fn what_is_said_of_a_branch_that_is_pushed_is_true() {
    let (repository, server) = (guarded(Repository::new()), empty());
    repository.commit("readme", "hello\n");
    repository.git(&["checkout", "-q", "-b", "topic"]);
    repository.commit("a", token(1));
    repository.git(&["checkout", "-q", "main"]);
    let said = push(&repository, &[url(&server), "topic"]);
    refused(&said);
    assert!(said.all().contains("not in HEAD, but in what"), "{}", said.all());
    assert_eq!(server.run(&["hook", "install"]).code, Some(0));
    let said = push(&repository, &["--no-verify", url(&server), "topic"]);
    refused(&said);
    let all = said.all();
    assert!(all.contains("no reference leads to it yet") && !all.contains("HEAD"), "{all}");
}

#[test]
fn names_of_new_references_and_files_are_pushed_too() {
    let (repository, server) = (guarded(Repository::new()), empty());
    assert_eq!(server.run(&["hook", "install"]).code, Some(0));
    repository.commit("readme", "hello\n");
    let name = format!("main:refs/heads/{}", token(1));
    for args in [&[url(&server), &name][..], &["--no-verify", url(&server), &name]] {
        let said = push(&repository, args);
        assert!(said.code != Some(0) && said.all().contains("names of references:1:"), "{}", said.all());
        assert!(!said.all().contains(&format!("{}:1", token(1))), "{}", said.all());
    }
    passed(&push(&repository, &["--no-verify", url(&server), "main"]));
    repository.commit(&token(1), "x\n");
    for args in [&[url(&server), "main"][..], &["--no-verify", url(&server), "main"]] {
        let said = push(&repository, args);
        assert!(said.all().contains("is refused") && !said.all().contains(&token(1)), "{}", said.all());
    }
}

//! What a repository holds beside its objects, and what nobody may call clean as it is not understood.

use super::*;

/// A token, staged as the name of an empty file, and a second one that the first leads to in an index of version 4.
fn stage_name(repository: &Repository, name: &str) {
    let empty = git_fed(&repository.top(), &["hash-object", "-w", "--stdin"], b"");
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{empty},{name}")]);
}

#[test]
fn names_in_every_form_of_index_are_read() {
    for form in [&["--index-version", "2"][..], &["--index-version", "4"], &["--split-index"]] {
        let repository = Repository::new();
        repository.put("f", "nothing\n", "first");
        // Version 4 keeps of a name only what differs from the one before.
        let token = token(1);
        stage_name(&repository, &token[..9]);
        stage_name(&repository, &token);
        repository.git(&[&["update-index"], form].concat());
        let scanned = repository.scan(&[]);
        assert_eq!(
            (scanned.exit, scanned.skips(), scanned.of(&token).len()),
            (1, vec![], 1),
            "{form:?}: {}",
            scanned.text
        );
    }
}

#[test]
fn an_index_that_is_broken_or_names_what_is_not_there_is_named() {
    let repository = Repository::new();
    repository.put("f", "nothing\n", "first");
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},gone", "3".repeat(40))]);
    let scanned = repository.scan(&[]);
    assert_eq!((scanned.exit, scanned.skips()), (3, vec!["missing-object"]), "{}", scanned.text);
    repository.write(".git/index", "no index");
    let scanned = repository.scan(&[]);
    assert_eq!((scanned.exit, scanned.skips()), (3, vec!["corrupt-object"]), "{}", scanned.text);
}

#[test]
fn every_file_of_a_git_directory_is_read() {
    let repository = Repository::new();
    repository.put("f", "nothing\n", "first");
    let names =
        ["NOTES_MERGE_WORKTREE/1", "lost-found/other/2", "ADD_EDIT.patch", "config~", "svn/.metadata", "BISECT_TERMS"];
    for (seed, name) in (0..).zip(names) {
        repository.write(&format!(".git/{name}"), format!("{}\n", token(seed)));
    }
    let scanned = repository.scan(&[]);
    for (seed, name) in (0..).zip(names) {
        assert_eq!(scanned.of(&token(seed)).len(), 1, "{name}: {}", scanned.text);
    }
    assert_eq!(scanned.skips(), Vec::<&str>::new());
}

#[test]
fn what_symbolic_references_stand_for_is_searched_in_tables_too() {
    for format in ["files", "reftable"] {
        let repository = Repository::of(&[&format!("--ref-format={format}")]);
        repository.put("f", "nothing\n", "first");
        repository.git(&["symbolic-ref", "refs/heads/x", &format!("refs/heads/{}", token(1))]);
        repository.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{}", token(2))]);
        let scanned = repository.scan(&[]);
        for seed in [1, 2] {
            assert_eq!(scanned.of(&token(seed)).len(), 1, "{format}: {}", scanned.text);
        }
    }
}

#[test]
fn a_format_that_git_would_refuse_is_not_clean() {
    for (config, is_clean) in [
        ("[core]\nrepositoryformatversion = 1\n[extensions]\nnoop = 1\nworktreeConfig = true\n", true),
        ("[core]\nrepositoryformatversion = 0\n[extensions]\nfoo = 1\n", true),
        ("[core]\nrepositoryformatversion = 7\n", false),
        ("[core]\nrepositoryformatversion = 1\n[extensions]\nfoo = 1\n", false),
        ("[core]\nrepositoryformatversion = 1\n[extensions]\nrefStorage = foo\n", false),
        ("[core]\nrepositoryformatversion = 0\n[extensions]\nrefStorage = reftable\n", false),
    ] {
        let repository = Repository::new();
        repository.put("f", "nothing\n", "first");
        repository.write(".git/config", config);
        let scanned = repository.scan(&[]);
        let wanted = if is_clean { (0, vec![]) } else { (3, vec!["unsupported"]) };
        assert_eq!((scanned.exit, scanned.skips()), wanted, "{config}: {}", scanned.text);
    }
}

#[test]
fn links_to_nowhere_and_lines_that_say_nothing_are_named() {
    type Harm = fn(&Path);
    let broken: [(&str, Harm); 4] = [
        ("broken-symlink", |git| std::os::unix::fs::symlink("/nowhere", git.join("objects/7f")).unwrap()),
        ("broken-symlink", |git| {
            fs::remove_dir(git.join("objects/pack")).unwrap();
            std::os::unix::fs::symlink("/nowhere", git.join("objects/pack")).unwrap();
        }),
        ("broken-symlink", |git| std::os::unix::fs::symlink("/nowhere", git.join("shallow")).unwrap()),
        ("corrupt-object", |git| fs::write(git.join("shallow"), "xyz\n").unwrap()),
    ];
    for (wanted, harm) in broken {
        let repository = Repository::new();
        repository.put("f", "nothing\n", "first");
        drop(fs::remove_dir_all(repository.top().join(".git/objects/7f")));
        harm(&repository.top().join(".git"));
        let scanned = repository.scan(&[]);
        assert!(scanned.exit == 3 && scanned.skips().contains(&wanted), "{}", scanned.text);
    }
}

#[test]
fn what_follows_a_loose_object_is_not_clean() {
    let repository = Repository::new();
    repository.put("f", "nothing\n", "first");
    let id = repository.git(&["rev-parse", "HEAD:f"]);
    let file = repository.top().join(".git/objects").join(&id[..2]).join(&id[2..]);
    let bytes = [fs::read(&file).unwrap(), token(1).into_bytes()].concat();
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    let scanned = repository.scan(&[]);
    assert_eq!((scanned.exit, scanned.skips()), (3, vec!["corrupt-object"]), "{}", scanned.text);
}

/// A tree that a later commit has again, too, of which it brought nothing.
#[test]
fn a_root_is_read_whole_though_a_later_commit_has_its_tree_again() {
    for is_nested in [false, true] {
        let repository = Repository::new();
        let name = if is_nested { "d/s" } else { "s" };
        repository.put(name, format!("key = {}\n", token(1)), "one");
        repository.put(if is_nested { "d/n" } else { "n" }, "nothing\n", "two");
        repository.git(&["revert", "--no-edit", "HEAD"]);
        for scope in [&["--since", "2000-01-01"][..], &["--max-depth", "9"], &["--branch", "main", "--max-depth", "9"]]
        {
            let scanned = repository.scan(scope);
            assert_eq!((scanned.exit, scanned.of(&token(1)).len()), (1, 1), "{scope:?}: {}", scanned.text);
        }
    }
}

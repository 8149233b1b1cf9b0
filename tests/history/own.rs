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
        ("[core]\nrepositoryformatversion = 0x1\n", true),
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

/// What is left out of a clone by design is named as that, not once more for each name in the index.
#[test]
fn a_sparse_partial_clone_lacks_what_it_lacks_by_design() {
    let r = Repository::new();
    r.write("in", "one\n");
    r.put("d/out", "two\n", "first");
    r.git(&["config", "uploadpack.allowFilter", "true"]);
    let to = r.dir.path().join("clone");
    let from = format!("file://{}", r.top().display());
    git(r.dir.path(), &["clone", "-q", "--filter=blob:none", "--sparse", &from, &to.to_string_lossy()]);
    let scanned = scan(&to, &["--accept-skip", "partial-clone"]);
    assert_eq!((scanned.exit, scanned.skips()), (0, vec!["partial-clone"]), "{}", scanned.text);
}

#[test]
fn a_linked_work_tree_has_files_a_socket_and_submodules_of_its_own() {
    let r = Repository::new();
    r.put("f", "nothing\n", "one");
    let tree = r.dir.path().join("tree");
    r.git(&["worktree", "add", "-q", "-b", "side", &tree.to_string_lossy()]);
    let own = r.top().join(".git/worktrees/tree");
    fs::write(own.join("ADD_EDIT.patch"), token(1)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(own.join("fsmonitor--daemon.ipc")).unwrap();
    let inner = Repository::new();
    inner.put("s", token(2), "one");
    fs::create_dir_all(own.join("modules")).unwrap();
    fs::rename(inner.top().join(".git"), own.join("modules/sub")).unwrap();
    let scanned = r.scan(&[]);
    assert_eq!((scanned.exit, scanned.skips(), scanned.of(&token(1)).len()), (1, vec![], 1), "{}", scanned.text);
    assert_eq!(scanned.of(&token(2)).len(), 0);
    assert_eq!(r.scan(&["--submodules"]).of(&token(2)).len(), 1);
}

#[test]
fn an_index_takes_neither_the_stack_nor_all_memory() {
    let repository = Repository::new();
    repository.put("f", "nothing\n", "first");
    let sum = |bytes: Vec<u8>| [bytes, vec![0; 20]].concat();
    let mut deep = b"DIRC\0\0\0\x02\0\0\0\0TREE".to_vec();
    let trees = [b"\0-1 1\n".to_vec(), b"a\0-1 1\n".repeat(1 << 20)].concat();
    deep.extend((trees.len() as u32).to_be_bytes());
    deep.extend(trees);
    let entry = |kept: &[u8], name: &[u8]| [&[0; 40][..], &[7; 20], &[0, 0], kept, name, b"\0"].concat();
    let mut long = b"DIRC\0\0\0\x04\0\0\x4e\x20".to_vec();
    long.extend(entry(b"\0", &vec![b'a'; 1 << 20]));
    (1..20_000).for_each(|_| long.extend(entry(b"\0", b"b")));
    for (index, wanted) in [(sum(deep), 0), (sum(long), 3)] {
        repository.write(".git/index", index);
        let scanned = repository.scan(&[]);
        assert_eq!(scanned.exit, wanted, "{}", scanned.text);
    }
}

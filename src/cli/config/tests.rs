use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::rule::Condition;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

fn load_text(name: &str, text: &str) -> Result<Config, Error> {
    load(&tree(&[(name, text)]).path().join(name), false)
}

fn ids(config: &Config) -> Vec<&str> {
    config.rules.rules.iter().map(|rule| rule.id.as_str()).collect()
}

const EVERY_KEY: &str = r#"
[scan]
exclude = ["vendor/**", "*.lock"]
pack = "strict"
confidence = "low"
max_size = "2 MB"
accept_skip = ["too-large", "vanished"]
respect_gitignore = true
jobs = 3
rules = ["own.toml"]
show_allowed = true

[rules]
enabled = ["github-pat", "own"]
disabled = ["github-pat"]

[[allowlists]]
reason = "made up in the manual"
condition = "AND"
targetRules = ["github-pat"]
paths = ['''^docs/''']
stopwords = ["example"]
fingerprints = ["ba7816bf8f01cfea414140de5dae2223"]
"#;

#[test]
fn every_key_reaches_the_run() {
    let root = tree(&[(".stanch.toml", EVERY_KEY), ("own.toml", "[[rules]]\nid='own'\nregex='own'")]);
    let config = load(&root.path().join(".stanch.toml"), false).unwrap();
    assert_eq!(
        config.scan,
        ScanDefaults {
            exclude: vec!["vendor/**".into(), "*.lock".into()],
            pack: Some(Pack::Strict),
            confidence: Some(Confidence::Low),
            max_size: Some(2 << 20),
            accept_skip: vec![Why::TooLarge, Why::Vanished],
            respect_gitignore: Some(true),
            jobs: NonZeroUsize::new(3),
            show_allowed: Some(true),
        }
    );
    assert_eq!(ids(&config), ["own"]);
    let list = config.rules.allowlists.last().unwrap();
    assert_eq!((list.condition, list.builtin), (Condition::And, false));
    assert_eq!((list.paths.len(), list.stopwords.len(), list.fingerprints.len()), (1, 1, 1));
    assert_eq!((list.description.as_str(), list.target_rules.len()), ("made up in the manual", 1));
    assert_eq!(config.source, Some(root.path().join(".stanch.toml")));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, expected) in [
        ("[scan]\nexclud = []", ":2:1: unknown field `exclud`"),
        ("[scna]", ":1:2: unknown field `scna`"),
        ("[rules]\ndisable = []", ":2:1: unknown field `disable`"),
        ("[[rules]]\nid = 'a'", ":1:1: invalid type"),
        ("[scan]\njobs = 0", ":2:8: invalid value: integer `0`"),
        ("[scan]\njobs = 'hunter2'", ":2:8: invalid type: a string, expected a nonzero"),
        ("[scan]\nconfidence = 'sure'", ":2:14: confidence cannot be `sure`. Use one of: low, medium, high"),
        ("[scan]\naccept_skip = ['vanished', 'gone']", ":2:28: accept_skip cannot be `gone`"),
        ("[scan]\nmax_size = 'big'", ":2:12: this is no size"),
        ("[scan]\nmax_size = -1", ":2:12: this is no size"),
        ("[scan]\nexclude = ['a', '[']", ":2:17: this is no glob"),
        ("[rules]\ndisabled = ['github-pta']", ":2:13: there is no rule `github-pta`; perhaps `github-pat` is meant"),
        ("[rules]\nenabled = ['zzz']", ":2:12: there is no rule `zzz`. `stanch"),
        ("[[allowlists]]\npaths = ['a']", ":1:1: this allowlist gives no reason"),
        ("[[allowlists]]\nreason = ' '\npaths = ['a']", ":1:1: this allowlist gives no reason"),
        ("[[allowlists]]\nreason = 'x'", ":1:1: this allowlist allows nothing"),
        ("[[allowlists]]\nreason = 'x'\npaths = ['a', '(']", ":3:16: this regex cannot be used: unclosed group"),
        ("[[allowlists]]\nreason='x'\npaths=['a']\ntargetRules=['zz']", ":4:14: there is no rule `zz`"),
        ("[scan]\nrules = ['missing.toml']", "missing.toml: cannot read this rule file"),
    ] {
        let said = load_text(".stanch.toml", text).unwrap_err().to_string();
        assert!(said.contains(expected), "{text}\nsaid     {said}\nexpected {expected}");
    }
}

#[test]
fn the_nearest_directory_wins_and_ours_within_one() {
    let root = tree(&[
        ("repo/.git/HEAD", ""),
        ("repo/.stanch.toml", ""),
        ("repo/.gitleaks.toml", ""),
        ("repo/sub/.gitleaks.toml", ""),
        ("repo/sub/deep/file.txt", ""),
        ("repo/other/file.txt", ""),
        ("bare/.git", "gitdir: elsewhere"),
        (".stanch.toml", ""),
    ]);
    let real = root.path().canonicalize().unwrap();
    for (target, expected) in [
        ("repo", Some("repo/.stanch.toml")),
        ("repo/other", Some("repo/.stanch.toml")),
        ("repo/other/file.txt", Some("repo/.stanch.toml")),
        ("repo/sub/deep/file.txt", Some("repo/sub/.gitleaks.toml")),
        ("bare", None),
        ("missing/file.txt", Some(".stanch.toml")),
    ] {
        let found = discover(&root.path().join(target)).unwrap();
        let found = found.map(|path| path.canonicalize().unwrap());
        assert_eq!(found, expected.map(|name| real.join(name)), "{target}");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_not_passed_over() {
    let root = tree(&[(".git", "")]);
    std::os::unix::fs::symlink("nowhere", root.path().join(".stanch.toml")).unwrap();
    assert!(matches!(for_target(root.path(), None, false), Err(Error::Read { .. })));
}

#[test]
fn a_file_is_told_by_its_name_or_its_keys() {
    let gitleaks = "[[rules]]\nid='own'\nregex='own'";
    for name in [".gitleaks.toml", "gitleaks.toml", ".betterleaks.toml", "other.toml"] {
        let config = load_text(name, gitleaks).unwrap();
        assert_eq!(ids(&config), ["own"], "{name}");
        assert!(config.notes[0].contains("built-in rules are not used"));
    }
    assert!(load_text(".stanch.toml", gitleaks).is_err());
    assert!(load_text("other.toml", "[extend]\nuseDefault = true").unwrap().notes.is_empty());
    assert!(load_text("other.toml", "[scan]\njobs = 1").unwrap().scan.jobs.is_some());
    assert!(load_text("other.toml", "[scan").unwrap_err().to_string().contains("other.toml:1:"));
}

#[test]
fn a_gitleaks_file_without_rules_does_not_search_for_nothing() {
    let config = load_text(".gitleaks.toml", "[allowlist]\npaths = ['x']").unwrap();
    assert_eq!(config.rules.rules.len(), builtin::ready().rules.len());
    assert_eq!(config.rules.allowlists.iter().filter(|list| !list.builtin).count(), 1);
    assert!(config.notes[0].contains("has no rules"));
}

#[test]
fn without_files_the_built_in_rules_are_used() {
    let root = tree(&[(".git", "")]);
    let config = for_target(root.path(), None, false).unwrap();
    assert_eq!(config.rules.rules.len(), builtin::ready().rules.len());
    assert_eq!((config.source, config.rules.ignores.len()), (None, 0));
}

#[test]
fn ignore_files_beside_the_target_and_in_the_root_are_read() {
    let fingerprint = "ba7816bf8f01cfea414140de5dae2223";
    let root = tree(&[
        (".git", ""),
        (".gitleaksignore", "# why\n\n src\\a.rs:own:3 \r\n"),
        ("a/.gitleaksignore", "between:own:1"),
        ("a/b/.betterleaksignore", "x:own:1"),
        ("a/b/.stanchignore", fingerprint),
        ("a/b/f.txt", ""),
    ]);
    let place = |path: &str, line| Ignore::Place { commit: None, path: path.into(), rule: "own".into(), line };
    let all = ignores(&upwards(&root.path().join("a/b/f.txt")).unwrap()).unwrap();
    let expected = [Ignore::Fingerprint(Fingerprint::of_strong(b"abc")), place("x", 1), place("src/a.rs", 3)];
    assert_eq!(all, expected);
    assert_eq!(for_target(root.path(), None, false).unwrap().rules.ignores, [place("src/a.rs", 3)]);
}

#[test]
fn ignore_lines_are_read_or_refused() {
    let parse = |text: &str| parse_ignores(text, Path::new("i"));
    let commit = "0123456789ABCDEF0123456789abcdef01234567";
    let place = |commit: Option<&str>, path: &str| Ignore::Place {
        commit: commit.map(str::to_lowercase),
        path: path.into(),
        rule: "own".into(),
        line: 12,
    };
    assert_eq!(parse(&format!("{commit}:a/b:own:12")).unwrap(), [place(Some(commit), "a/b")]);
    assert_eq!(parse("C:\\a b:own:12").unwrap(), [place(None, "C:/a b")]);
    for bad in ["a", "a:own", "a:own:", "a:own:x", ":own:1", "a::1", "a:own:-1", "ba7816bf8f01cfea414140de5dae222"] {
        let said = parse(&format!("# x\n{bad}")).unwrap_err().to_string();
        assert!(said.starts_with("i:2:1: this is neither"), "{bad}: {said}");
    }
}

#[test]
fn rules_of_the_command_line_are_added_and_chosen() {
    let root = tree(&[(".git", ""), ("own.toml", "[[rules]]\nid='own'\nregex='own'")]);
    let mut config = for_target(root.path(), None, false).unwrap();
    config.keep_rules(&[]).unwrap();
    config.add_rules(&root.path().join("own.toml"), false).unwrap();
    assert_eq!(config.rules.rules.len(), builtin::ready().rules.len() + 1);
    let said = config.keep_rules(&["onw".into()]).unwrap_err().to_string();
    assert!(said.starts_with("there is no rule `onw`"), "{said}");
    config.keep_rules(&["own".into()]).unwrap();
    assert_eq!(ids(&config), ["own"]);
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [
        ("0", Some(0)),
        ("17", Some(17)),
        ("3k", Some(3 << 10)),
        ("3 MiB", Some(3 << 20)),
        ("2GB", Some(2 << 30)),
        ("", None),
        ("k", None),
        ("1.5M", None),
        ("-1", None),
        ("1 T", None),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551615k", None),
    ] {
        assert_eq!(parse_size(text), bytes, "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_file_with_one_byte_changed_never_panics(at in 0..EVERY_KEY.len(), byte in 32u8..127) {
        let mut text = EVERY_KEY.as_bytes().to_vec();
        text[at] = byte;
        if let Ok(text) = String::from_utf8(text) && let Err(error) = load_ours(Path::new("c.toml"), &text, false) {
            let said = error.to_string();
            prop_assert!(said.starts_with("c.toml:") || said.contains("cannot read this rule file"), "{said}");
        }
    }

    #[test]
    fn any_ignore_file_is_read_or_refused_with_its_line(text in "([a-f0-9]{0,40}|:|src/a|\n| |#|é){0,12}") {
        if let Err(error) = parse_ignores(&text, Path::new("i")) {
            prop_assert!(error.to_string().starts_with("i:"));
        }
    }
}

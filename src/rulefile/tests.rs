use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::builtin::{ready, with_examples};
use crate::rule::{Condition, Confidence, ProofKind, RegexTarget, compile};

/// A rule file over nothing, as `load` would have it.
fn rules(text: &str) -> Result<Loaded, Error> {
    parse(text, "own.toml")?.over(RuleSet::default())
}

fn message(text: &str) -> String {
    match rules(text) {
        Ok(loaded) => panic!("accepted: {:?}", loaded.rules),
        Err(error) => error.to_string(),
    }
}

const EVERY_KEY: &str = r#"
title = "our own"
description = "every key once"
minVersion = "v8.25.0"

[[rules]]
id = "acme-token"
description = "Acme token"
regex = '''\bacme_([a-z]{8})([0-9]{2})\b'''
secretGroup = 2
entropy = 2
keywords = ["ACME_"]
path = '''\.env$'''
tags = ["acme", "key"]
skipReport = true
provider = "acme"
kind = "token"
proof = "jwt"
confidence = "low"
severity = "critical"
random_bits = 96
remedy = "Revoke it."
references = ["https://acme.example/tokens"]
leaks = ["<mint>"]
clean = ["acme_"]
[[rules.allowlists]]
description = "placeholders"
condition = "and"
regexTarget = "line"
regexes = ['''example''']
paths = ['''^docs/''']
stopwords = ["Dummy"]
commits = [" ABCDEF0123456789ABCDEF0123456789ABCDEF01 "]

[[rules]]
id = "acme-file"
path = '''acme\.pem$'''
[rules.allowlist]
paths = ["test"]

[[allowlists]]
targetRules = ["acme-token"]
reason = "rotated"
fingerprints = ["ba7816bf8f01cfea414140de5dae2223"]
"#;

#[test]
fn every_key_reaches_the_rule() {
    let loaded = rules(EVERY_KEY).unwrap();
    let rule = loaded.rules.get("acme-token").unwrap();
    assert!(loaded.notes.is_empty());
    assert_eq!((rule.secret_group, rule.entropy, rule.random_bits), (2, Some(2.0), 96));
    assert_eq!((rule.proof, rule.confidence), (Some(ProofKind::Jwt), Confidence::Low));
    assert_eq!((rule.severity.as_str(), rule.skip_report), ("critical", true));
    assert_eq!((rule.keywords.as_slice(), rule.tags.len()), (["acme_".to_owned()].as_slice(), 2));
    assert!(rule.path.as_ref().unwrap().is_match(b"a/.env"));
    assert_eq!((rule.provider.as_str(), rule.kind.as_str(), rule.remedy.as_str()), ("acme", "token", "Revoke it."));
    assert_eq!((rule.references.len(), rule.leaks.len(), rule.clean.len()), (1, 1, 1));
    let list = &rule.allowlists[0];
    assert_eq!((list.condition, list.regex_target), (Condition::And, RegexTarget::Line));
    assert_eq!((list.regexes.len(), list.paths.len(), list.builtin), (1, 1, false));
    assert_eq!(list.stopwords, ["dummy"]);
    assert_eq!(list.commits, ["abcdef0123456789abcdef0123456789abcdef01"]);
    assert_eq!(loaded.rules.get("acme-file").unwrap().allowlists[0].paths.len(), 1);
    let global = &loaded.rules.allowlists[0];
    assert_eq!((global.description.as_str(), global.fingerprints.len()), ("rotated", 1));
    assert_eq!(global.target_rules, ["acme-token"]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let rule = |rest: &str| format!("[[rules]]\nid = \"a\"\nregex = 'x(y)'\n{rest}\n");
    for (text, expected) in [
        ("[[rules]]\nid = \"a\"\nregx = 'x'".to_owned(), "own.toml:3:1: unknown field `regx`"),
        ("[[rules]]\nid = 'a'\nregex = ".to_owned(), "own.toml:3:"),
        ("[[rules]]\nregex = 'x'".to_owned(), "own.toml:1:1: missing field `id`"),
        (rule("entropy = \"high\""), "own.toml:4:11: invalid type: a string, expected f64"),
        (rule("entropy = nan"), "own.toml:4:11: entropy is in bits"),
        (rule("secretGroup = 2"), "own.toml:4:15: secretGroup is 2, but the regex of rule `a` has 1 groups"),
        (rule("secretGroup = -1"), "own.toml:4:15: invalid value: integer `-1`"),
        (rule("proof = 'crc'"), "own.toml:4:9: proof cannot be `crc`. Use one of: github-crc32,"),
        (rule("confidence = 'High'"), "own.toml:4:14: confidence cannot be `High`"),
        (rule("[[rules.required]]\nid = 'b'"), "own.toml:5:6: there is no rule `b`"),
        (rule("[[rules.allowlists]]"), "own.toml:4:1: this allowlist allows nothing"),
        (rule("[[rules.allowlists]]\npaths = ['a']\ncondition = 'xor'"), "own.toml:6:13: condition cannot be `xor`"),
        (rule("[[rules.allowlists]]\npaths = ['a', 'b(']"), "own.toml:5:16: this regex cannot be used: unclosed group"),
        (rule("[[rules.allowlists]]\nregexes = ['a']\nregexTarget = 'file'"), "own.toml:6:15: regexTarget cannot be"),
        (rule("[[rules.allowlists]]\npaths = ['a']\ntargetRules = ['b']"), "own.toml:6:16: `targetRules` cannot be"),
        (rule("[[rules.allowlists]]\nfingerprints = ['00']"), "own.toml:5:17: a fingerprint cannot be `00`"),
        (rule("[[rules.allowlists]]\npaths=['a']\n[rules.allowlist]\npaths=['a']"), "own.toml:6:1: `allowlist` is the"),
        (rule("[[rules]]\nid = 'a'\nregex = 'y'"), "own.toml:5:6: rule `a` is already defined on line 2"),
        (rule("[[rules]]\nid = 'b'"), "own.toml:5:6: rule `b` has neither regex nor path"),
        (rule("[[rules]]\nid = ' '"), "own.toml:5:6: the id of a rule is empty"),
        (rule("[[rules]]\nid = 'b'\nregex = '''a(?=b)'''"), "own.toml:6:13: this regex cannot be used: look-ahead"),
        (rule("[[rules]]\nid = 'b'\nregex = 'a)'"), "own.toml:6:10: this regex cannot be used: unopened group"),
        (rule("[[rules]]\nid='b'\nregex='((a{1000}){1000}){99}'"), "own.toml:6:7: this regex cannot be used: it needs"),
        ("extend.url = 'https://a'".to_owned(), "own.toml:1:14: `extend.url` cannot be honoured"),
        ("[extend]\nuseDefault = true\npath = 'b'".to_owned(), "own.toml:3:8: extend.path and extend.useDefault"),
        ("minVersion = 'new'".to_owned(), "own.toml:1:14: minVersion cannot be `new`"),
        (rule("[[allowlists]]\ntargetRules=['aa']\npaths=['x']"), "own.toml:5:14: there is no rule `aa`; perhaps `a`"),
    ] {
        let said = message(&text);
        assert!(said.starts_with(expected), "{text}\nsaid     {said}\nexpected {expected}");
    }
}

#[test]
fn no_message_repeats_a_pattern_or_a_value() {
    for text in [
        "[[rules]]\nid='a'\nregex='hunter2hunter2('",
        "[[rules]]\nid='a'\nregex='hunter2hunter2\\Z'",
        "[[rules]]\nid='a'\nregex='(hunter2hunter2{1000}){1000}'",
        "[[allowlists]]\nregexes='hunter2hunter2'",
        "[[allowlists]]\nstopwords='''hunter2\", expected hunter2hunter2'''",
        "[[allowlists]]\nregexes=['''[hunter2-hunter2''']",
    ] {
        let said = message(text);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_rule_of_the_same_id_is_merged_as_gitleaks_merges() {
    let base = rules(EVERY_KEY).unwrap().rules;
    let change = "[[rules]]\nid='acme-token'\nentropy=3.5\nkeywords=['more','acme_']\ntags=['x']\n\
        [[rules.allowlists]]\npaths=['p']";
    let merged = parse(change, "c").unwrap().over(base).unwrap().rules;
    let rule = merged.get("acme-token").unwrap();
    assert_eq!((rule.entropy, rule.secret_group, rule.random_bits), (Some(3.5), 2, 96));
    assert_eq!(rule.keywords, ["acme_", "more"]);
    assert_eq!((rule.tags.len(), rule.allowlists.len()), (3, 2));
    let fewer_groups = parse("[[rules]]\nid='acme-token'\nregex='(a)'", "c").unwrap().over(merged);
    let said = fewer_groups.unwrap_err().to_string();
    assert!(said.starts_with("c:3:7: secretGroup is 2"), "{said}");
}

#[test]
fn extending_the_default_means_our_rules() {
    let text = "[extend]\nuseDefault=true\ndisabledRules=['github-pat','no-such']\n\
        [[rules]]\nid='freemius-secret-key'\n[[rules.allowlists]]\npaths=['x']\n\
        [[allowlists]]\ntargetRules=['freemius-secret-key']\npaths=['y']\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("g.toml");
    std::fs::write(&path, text).unwrap();
    let loaded = load(&path, ready, false).unwrap();
    assert!(loaded.rules.get("github-pat").is_none());
    assert_eq!(loaded.notes.len(), 3, "{:?}", loaded.notes);
    // A list whose rules are all unknown must not become one for all rules.
    assert!(loaded.rules.allowlists.is_empty());
}

fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn files_extend_files_next_to_them_two_deep() {
    let directory = tempfile::tempdir().unwrap();
    let rule = |id: &str, next: &str| format!("[extend]\npath='{next}'\n[[rules]]\nid='{id}'\nregex='{id}'\n");
    let first = write(directory.path(), "a.toml", &rule("a", "sub/b.toml"));
    write(directory.path(), "sub/b.toml", &rule("b", "../c.toml"));
    let last =
        write(directory.path(), "c.toml", "[[rules]]\nid='c'\nregex='c'\n[[rules]]\nid='a'\nregex='z'\ntags=['t']");
    let loaded = load(&first, ready, false).unwrap();
    let ids: Vec<_> = loaded.rules.rules.iter().map(|rule| (rule.id.as_str(), rule.regex.as_str())).collect();
    assert_eq!(ids, [("a", "a"), ("b", "b"), ("c", "c")]);
    assert_eq!(loaded.rules.get("a").unwrap().tags, ["t"]);

    write(directory.path(), "c.toml", &rule("c", "a.toml"));
    assert!(matches!(load(&first, ready, false), Err(Error::ExtendCycle { .. })));
    write(directory.path(), "c.toml", &rule("c", "d.toml"));
    write(directory.path(), "d.toml", "[[rules]]\nid='d'\nregex='d'");
    assert!(matches!(load(&first, ready, false), Err(Error::ExtendDepth { .. })));
    std::fs::remove_file(last).unwrap();
    assert!(matches!(load(&first, ready, false), Err(Error::Read { .. })));
}

#[test]
fn a_file_lies_over_the_rules_it_is_added_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(
        directory.path(),
        "more.toml",
        "[[rules]]\nid='own'\nregex='own'\n[[rules]]\nid='github-pat'\ntags=['t']",
    );
    let both = extend(with_examples(), &path, false).unwrap();
    assert_eq!(both.rules.rules.len(), with_examples().rules.len() + 1);
    assert!(both.rules.get("github-pat").unwrap().tags.contains(&"t".to_owned()));
    assert!(matches!(load(&path, ready, false), Err(Error::EmptyRule { .. })));
}

#[test]
fn the_built_in_rules_keep_their_promises() {
    for (name, text) in crate::builtin::FILES {
        let loaded = parse(text, name).unwrap().over(RuleSet::default()).unwrap();
        let provider = Path::new(name).file_stem().unwrap().to_str().unwrap();
        for rule in &loaded.rules.rules {
            assert_eq!(rule.provider, provider, "{}", rule.id);
            assert!(!rule.kind.is_empty() && !rule.description.is_empty() && !rule.remedy.is_empty(), "{}", rule.id);
            assert!(compile(&rule.regex).is_ok() && !rule.regex.is_empty(), "{}", rule.id);
        }
    }
    let rules = with_examples();
    assert!(rules.rules.is_sorted_by(|a, b| a.id < b.id));
    assert!(
        rules.rules.iter().flat_map(|rule| rule.allowlists.iter()).chain(&rules.allowlists).all(|list| list.builtin)
    );
}

#[test]
fn every_rule_that_gitleaks_names_stand_for_exists() {
    let rules = with_examples();
    for (theirs, ours) in names::GITLEAKS {
        assert!(!ours.is_empty() && rules.get(theirs).is_none(), "{theirs}");
        ours.iter().for_each(|id| assert!(rules.get(id).is_some(), "{theirs} stands for {id}"));
    }
    // Whoever knows theirs knows all of ours.
    let generic = rules.rules.iter().filter(|rule| rule.provider == "generic").map(|rule| rule.id.as_str());
    assert!(generic.eq(names::ours("generic-api-key").iter().copied().collect::<BTreeSet<_>>()));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_its_place(pieces in prop::collection::vec(PIECE, 0..14)) {
        let text = pieces.concat();
        if let Err(error) = parse(&text, "f") {
            let said = error.to_string();
            let mut parts = said.splitn(4, ':');
            prop_assert_eq!(parts.next(), Some("f"));
            prop_assert!(parts.next().unwrap().parse::<usize>().unwrap() >= 1);
            prop_assert!(parts.next().unwrap().parse::<usize>().unwrap() >= 1);
        }
    }

    #[test]
    fn a_file_with_one_byte_changed_never_panics(at in 0..EVERY_KEY.len(), byte in 32u8..127) {
        let mut text = EVERY_KEY.as_bytes().to_vec();
        text[at] = byte;
        if let Ok(text) = String::from_utf8(text) && let Err(error) = rules(&text) {
            prop_assert!(error.to_string().starts_with("own.toml:"));
        }
    }
}

/// What rule files are made of, as a regex for generated text.
const PIECE: &str = concat!(
    r"\[\[?(rules|rules\.allowlists?|allowlists|extend|x)\]\]?|[a-zA-Z]{1,3}|id|regex|=|\[|\]|\n|é",
    r#"|"[^"]{0,4}"|'''[a(\\Q]{0,3}'''|[0-9.-]{1,3}"#
);

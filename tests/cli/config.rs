//! Configuration files and what allows a finding, through the program.

use super::*;

#[test]
fn a_configuration_is_found_upwards_as_far_as_the_repository() {
    let (tree, _) = Tree::git(&[(".stanch.toml", "[rules]\ndisabled = ['github-pat']\n"), ("a/b/leak", &pat(1))]);
    tree.scan(&["a/b"]).exits(0);
    tree.scan(&["a/b", "--config", "/dev/null"]).exits(1);
    let outer = Tree::with(&[(".stanch.toml", "[rules]\ndisabled = ['github-pat']\n"), ("inner/leak", &pat(1))]);
    outer.scan(&["inner"]).exits(0);
    git2::Repository::init(outer.path("inner")).unwrap();
    outer.scan(&["inner"]).exits(1);
}

#[test]
fn every_option_can_be_a_default() {
    let tree = Tree::with(&[
        (
            ".stanch.toml",
            "[scan]\nexclude = ['vendor']\nmax_size = '1k'\naccept_skip = ['too-large']\nshow_allowed = true\n",
        ),
        ("vendor/x", &pat(1)),
        ("large", &format!("{}{}", " ".repeat(1024), pat(2))),
        ("fine", &format!("{} # stanch:allow github-pat made for a test", pat(3))),
    ]);
    let report = tree.json(&["."]);
    assert_eq!(report["summary"]["exit_code"], 0);
    assert_eq!((&report["summary"]["excluded"], &report["summary"]["allowed"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(findings(&report)[0]["verdict"]["by"], "inline");
    assert_eq!(findings(&report)[0]["verdict"]["reason"], "made for a test");
    assert_eq!(skips(&report), [("large".to_owned(), "too-large".to_owned())]);
}

#[test]
fn a_mistake_in_a_configuration_is_refused_with_its_place() {
    for (text, place, what) in [
        ("[scan]\nexcludes = []\n", ".stanch.toml:2:1", "unknown field"),
        ("[scan]\nconfidence = 'sure'\n", ".stanch.toml:2:14", "low, medium"),
        ("[scan]\nexclude = ['a{b']\n", ".stanch.toml:2:12", "glob"),
        ("[rules]\ndisabled = ['github-pta']\n", ".stanch.toml:2:13", "perhaps `github-pat` is meant"),
        ("[[allowlists]]\npaths = ['x']\n", ".stanch.toml:1:1", "gives no reason"),
        ("[scan\n", ".stanch.toml:1:", ""),
    ] {
        let tree = Tree::with(&[(".stanch.toml", text), ("leak", &pat(1))]);
        let ran = tree.scan(&["leak"]).exits(2);
        assert_eq!(ran.out, "");
        ran.says(place).says(what);
    }
}

#[test]
fn an_allowed_finding_is_counted_and_can_be_shown() {
    let allowlist = format!("[[allowlists]]\nreason = 'rotated in May'\nfingerprints = ['{}']\n", fingerprint(&pat(1)));
    let tree = Tree::with(&[(".stanch.toml", &allowlist), ("leak", &pat(1))]);
    tree.scan(&["leak"]).exits(0).prints("1 allowed (--show-allowed shows them)");
    tree.scan(&["leak", "--show-allowed"]).exits(0).prints("config: rotated in May");
    for format in FORMATS {
        let shown = tree.scan(&["leak", "--show-allowed", "--format", format]).exits(0);
        let hidden = tree.scan(&["leak", "--format", format]).exits(0);
        let redacted = format!("…{}", &pat(1)[36..]);
        assert!(shown.out.contains(&redacted) && !hidden.out.contains(&redacted), "{format}");
    }
}

#[test]
fn the_line_itself_can_allow() {
    let other = token("gitlab-pat", 1);
    for (line, count) in [
        (format!("{} # stanch:allow", pat(1)), 0),
        (format!("{} // gitleaks:allow", pat(1)), 0),
        (format!("{} # stanch:allow github-pat why not", pat(1)), 0),
        (format!("{} # stanch:allow gitlab-pat", pat(1)), 1),
        (format!("{} {other} # stanch:allow github-pat", pat(1)), 1),
        (format!("# stanch:allow\n{}", pat(1)), 1),
    ] {
        let tree = Tree::with(&[("leak", &line)]);
        assert_eq!(findings(&tree.json(&["leak"])).len(), count);
    }
}

#[test]
fn gitleaks_files_mean_what_they_mean_there() {
    let own = "[extend]\nuseDefault = true\ndisabledRules = ['gitlab-pat']\n\
        [[rules]]\nid = 'acme'\nregex = '''acme_([0-9a-f]{32})'''\nkeywords = ['acme_']\n\
        [[rules.allowlists]]\nregexTarget = 'line'\nregexes = ['fine$']\n\
        [[allowlists]]\ndescription = 'tests'\ncondition = 'AND'\npaths = ['^tests/']\nstopwords = ['deadbeef']\n";
    let acme = |hex: &str| format!("acme_{}", hex.repeat(4));
    let tree = Tree::with(&[
        (".gitleaks.toml", own),
        ("a", &format!("{}\n{} fine\n", acme("01234567"), acme("01234567"))),
        ("b", &pat(1)),
        ("c", &token("gitlab-pat", 1)),
        ("d", &acme("deadbeef")),
        ("tests/d", &acme("deadbeef")),
        ("tests/e", &acme("01234567")),
    ]);
    let report = tree.json(&["."]);
    assert_eq!(found(&report).into_iter().map(|(path, _)| path).collect::<Vec<_>>(), ["a", "b", "d", "tests/e"]);
    assert_eq!(report["summary"]["allowed"], 2);
    // Ours outranks theirs.
    tree.write(".stanch.toml", "");
    assert_eq!(
        by_path(&tree.json(&["."])).into_keys().collect::<std::collections::BTreeSet<_>>(),
        ["b".into(), "c".into()].into()
    );
}

#[test]
fn what_of_gitleaks_cannot_be_honoured_is_an_error() {
    let tree = Tree::with(&[
        (".gitleaks.toml", "[[rules]]\nid = 'a'\nregex = 'a_[0-9]{9}'\n[[rules.required]]\nid = 'b'\n"),
        ("leak", "x"),
    ]);
    tree.scan(&["."]).exits(2).says(".gitleaks.toml:5:6: there is no rule `b`");
    tree.write(".gitleaks.toml", "[extend]\nurl = 'https://example.org/rules.toml'\n");
    tree.scan(&["."]).exits(2).says(".gitleaks.toml:2:7: `extend.url` cannot be honoured");
}

#[test]
fn ignore_files_name_secrets_and_places() {
    for (entry, count) in [
        (fingerprint(&pat(1)), 0),
        ("leak:github-pat:2".to_owned(), 0),
        ("leak:github-pat:1".to_owned(), 1),
        (format!("# comment\n\n{}\n", fingerprint(&pat(2))), 1),
    ] {
        for name in [".gitleaksignore", ".stanchignore", ".betterleaksignore"] {
            let tree = Tree::with(&[(name, &entry), ("leak", &format!("\n{}\n", pat(1)))]);
            assert_eq!(findings(&tree.json(&[])).len(), count, "{name}: {entry}");
        }
    }
    let tree = Tree::with(&[(".stanchignore", "nonsense\n"), ("leak", "x")]);
    tree.scan(&["."]).exits(2).says(".stanchignore:1:1").says("neither a fingerprint");
}

/// A secret that could be guessed has a fingerprint that cannot be tried without the key.
#[test]
fn weak_secrets_are_keyed() {
    let weak = RULES.rules.iter().find(|rule| !rule.is_strong() && rule.confidence >= Confidence::Medium).unwrap();
    let leak = Press::new(weak).unwrap().expand(&weak.leaks[0], 1).unwrap();
    let tree = Tree::with(&[("a", &leak), ("b", &leak)]);
    let with_key = |key: &str| {
        let output = tree.stanch().args(["scan", "--format", "json"]).env("STANCH_FINGERPRINT_KEY", key).output();
        found(&Ran::of(output.unwrap()).exits(1).json())
    };
    let plain = with_key("");
    assert_ne!(plain[0].1, plain[1].1, "without a key it is that of the place");
    let (one, two) = (with_key("one"), with_key("two"));
    assert_eq!(one[0].1, one[1].1, "with a key it is that of the secret");
    assert_ne!(one[0].1, two[0].1);
}

/// gitleaks' own file has a rule for any assignment; the rule that knows whose token it is says more, however little of
/// the line it takes.
#[test]
fn a_generic_rule_yields_to_one_that_knows_the_token() {
    let own = "[[rules]]\nid='own'\nregex='own_[0-9a-z]{20}'\nkeywords=['own_']\n";
    let generic = "[[rules]]\nid='generic-api-key'\nregex='token ?= ?([0-9a-z_.-]{10,80})'\nkeywords=['token']\n";
    let tree =
        Tree::with(&[(".gitleaks.toml", &format!("{own}{generic}")), ("a", "token = own_0123456789abcdefghij.xyz\n")]);
    let found = tree.json(&["a"]);
    let rules: Vec<_> = findings(&found).iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect();
    assert_eq!(rules, ["own"]);
}

const BETTERLEAKS: &str = r#"
betterleaksMinVersion = "1.0.0"
prefilter = '''matchesAny(get(attributes, "path", ""), [`(?:^|/)vendor/`])'''

[[rules]]
id = "acme-key"
regex = '''\b(acme_[0-9a-f]{8})\b'''
keywords = ["acme_"]
filter = '''
entropy(finding["secret"]) <= 3.0
|| containsAny(finding["secret"], ["0000"])
|| matchesAny(finding["line"], [`# made up$`])
'''
"#;

#[test]
fn filters_of_betterleaks_say_what_they_say() {
    let tree = Tree::with(&[
        (".betterleaks.toml", BETTERLEAKS),
        ("found", "acme_0123abcd"),
        ("dull", "acme_aaaaaaaa"),
        ("zeros", "acme_0000bd1f"),
        ("line", "acme_0123abcd # made up"),
        ("vendor/a", "acme_0123abcd"),
    ]);
    assert_eq!(by_path(&tree.json(&["."])), [("found".to_owned(), 1)].into());
}

#[test]
fn what_of_betterleaks_cannot_be_honoured_is_an_error_or_passed_over_on_request() {
    for (key, said) in [
        ("filter = '''\nfinding[\"secret\"] == \"x\"'''", "`filter` of rule `acme-key` cannot be honoured"),
        ("validate = 'http.get(\"https://example.org\")'", "`validate` of rule `acme-key` cannot be honoured"),
        ("specificity = 3", "`specificity` of rule `acme-key`"),
        ("tokenEfficiency = true", "`tokenEfficiency` of rule `acme-key`"),
    ] {
        let rules = format!("[[rules]]\nid = 'acme-key'\nregex = 'acme_[0-9a-f]{{8}}'\nkeywords = ['acme_']\n{key}\n");
        let tree = Tree::with(&[("rules.toml", &rules), ("leak", "acme_0123abcd")]);
        tree.scan(&["--rules", "rules.toml", "leak"]).exits(2).says("rules.toml:5:").says(said).says("--lenient");
        let name = key.split(' ').next().unwrap();
        let ran = tree.scan(&["--rules", "rules.toml", "--lenient", "leak"]).exits(1);
        ran.says(&format!("rules.toml: `{name}` is ignored (--lenient) in 1 rules: acme-key"));
    }
    let tree =
        Tree::with(&[(".betterleaks.toml", "filter = 'true'\n[extend]\nuseDefault = true\n"), ("leak", &pat(1))]);
    tree.scan(&["."]).exits(2).says(".betterleaks.toml:1:10: `filter` of the file cannot be honoured");
    tree.scan(&["--lenient", "."]).exits(1).says("`filter` of the file is ignored (--lenient)");
}

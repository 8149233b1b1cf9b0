//! Every kind of token, and how sure the program is of it.

use super::*;

/// Who looks for one kind alone does not see the others of its line.
/// A run that looks for nothing would find nothing, and look clean. gitleaks' ids are as good as ours.
#[test]
fn a_selection_that_leaves_no_rule_is_refused() {
    let tree = Tree::new();
    tree.write("a", pat(1));
    for selection in [&["--pack", "strict", "--tag", "generic"][..], &["--pack", "strict", "--provider", "generic"]] {
        tree.scan(&[&["."][..], selection].concat()).exits(2).says("no rule is left");
    }
    tree.scan(&[".", "--rule", "gcp-api-key"]).exits(0);
    tree.scan(&[".", "--rule", "gcp-api-kee"]).exits(2).says("there is no rule");
}

#[test]
fn what_is_not_looked_for_is_masked_all_the_same() {
    let other = token("gitlab-pat", 5);
    let tree = Tree::with(&[("a", &format!("{} {other} password = \"qX7!vRz9mK\"\n", pat(1)))]);
    for selection in [&["--rule", "github-pat"][..], &["--provider", "github"], &["--pack", "strict"]] {
        for format in ["text", "json", "sarif"] {
            let ran = tree.scan(&[selection, &["--format", format]].concat()).exits(1);
            [&pat(1), &other, "qX7!vRz9mK"].iter().for_each(|secret| hides(&ran.out, secret));
        }
    }
}

/// Every leak of every rule, each in a file of its own, as often as tokens stand in it.
#[test]
fn every_leak_of_every_rule_is_found_in_a_tree() {
    let tree = Tree::new();
    let mut wanted = Vec::new();
    // Those that need another rule nearby are in `composite`.
    for rule in RULES.rules.iter().filter(|rule| !rule.is_apart()) {
        let press = Press::new(rule).unwrap();
        for (number, leak) in (0..).zip(&rule.leaks) {
            let name = format!("{}/{number}", rule.id);
            tree.write(&name, press.expand(leak, 1000 + number).unwrap());
            wanted.push((name, due(rule), leak.matches("<mint").count().max(1), leak));
        }
    }
    assert!(wanted.len() > 400, "{}", wanted.len());
    let report = tree.json(&["--confidence", "low"]);
    let mut sure: HashMap<(&str, &str), usize> = HashMap::new();
    for finding in findings(&report) {
        let field = |name: &str| finding[name].as_str().unwrap();
        *sure.entry((field("path"), field("confidence"))).or_default() += 1;
    }
    let levels = [Confidence::Low, Confidence::Medium, Confidence::High];
    let mut wrong = Vec::new();
    for (path, due, wanted, leak) in &wanted {
        let count = |level: &Confidence| sure.get(&(path.as_str(), level.as_str())).copied().unwrap_or(0);
        let found: usize = levels.iter().filter(|level| *level >= due).map(count).sum();
        // What only its context speaks for may have company.
        if found < *wanted || (*due > Confidence::Low && found > *wanted) {
            wrong.push(format!("{path}: {found} for {wanted} in {leak:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(report["summary"]["files"], wanted.len());
}

#[test]
fn no_clean_example_is_reported_by_its_rule() {
    let tree = Tree::new();
    for rule in &RULES.rules {
        let press = Press::new(rule).unwrap();
        for (number, clean) in (0..).zip(&rule.clean) {
            tree.write(&format!("{}/{number}", rule.id), press.expand(clean, 2000 + number).unwrap());
        }
    }
    for rule in &RULES.rules {
        // Rules about contexts are low by themselves; their clean examples are not even that.
        let level = if rule.proof.is_some() { "medium" } else { rule.confidence.min(Confidence::Medium).as_str() };
        let ran = tree.scan(&["--rule", &rule.id, "--confidence", level, &rule.id]);
        ran.exits(0).prints("nothing found");
    }
}

#[test]
fn confidence_says_what_is_reported_and_the_rest_is_counted() {
    let broken = Press::new(&rule("github-pat")).unwrap().broken(1).unwrap();
    let medium = token("gitlab-pat", 1);
    let tree = Tree::with(&[("high", &pat(1)), ("medium", &medium), ("low", &broken)]);
    for (level, reported, hidden) in [("high", 1, 2), ("medium", 2, 1), ("low", 3, 0)] {
        let report = tree.json(&["--confidence", level]);
        assert_eq!(report["summary"]["reported"], reported, "{level}");
        assert_eq!(report["summary"]["hidden"], hidden, "{level}");
        assert_eq!(findings(&report).len(), reported, "{level}");
    }
    assert_eq!(tree.json(&[]), tree.json(&["--confidence", "medium"]));
    tree.scan(&["low"]).exits(0).prints("1 look-alike hidden (shown by --confidence low)");
    tree.scan(&["--confidence", "sure"]).exits(2).says("low, medium or high");
}

#[test]
fn a_finding_says_what_is_known() {
    let pat = pat(3);
    let (tree, _) = Tree::git(&[("deploy.sh", &format!("#!/bin/sh\nexport TOKEN={pat}\n"))]);
    let report = tree.json(&["."]);
    let finding = &findings(&report)[0];
    for (key, value) in [
        ("rule", "github-pat"),
        ("provider", "github"),
        ("kind", "pat"),
        ("confidence", "high"),
        ("path", "deploy.sh"),
        ("tracking", "untracked"),
        ("fingerprint", &fingerprint(&pat)),
    ] {
        assert_eq!(finding[key], value, "{key}");
    }
    for (key, value) in [("line", 2), ("column", 14), ("end_line", 2), ("end_column", 54), ("byte_offset", 23)] {
        assert_eq!(finding[key], value, "{key}");
    }
    assert_eq!(finding["proof"]["state"], "holds");
    assert_eq!(finding["secret"], format!("ghp_****…{}", &pat[36..]));
    assert!(finding["remedy"].as_str().unwrap().contains("Revoke"));
}

#[test]
fn what_a_routable_token_tells_is_told() {
    let tree = Tree::with(&[("f", &token("gitlab-pat-routable", 5))]);
    let report = tree.json(&[]);
    let properties = findings(&report)[0]["properties"].as_object().unwrap();
    assert!(properties.keys().any(|name| name.starts_with("gitlab.")), "{properties:?}");
}

#[test]
fn one_rule_alone_can_be_asked_for() {
    let tree = Tree::with(&[("a", &pat(1)), ("b", &token("gitlab-pat", 1))]);
    assert_eq!(by_path(&tree.json(&["--rule", "gitlab-pat"])).keys().collect::<Vec<_>>(), ["b"]);
    tree.scan(&["--rule", "gitlab-pta"]).exits(2).says("perhaps `gitlab-pat` is meant").says("stanch rules list");
}

#[test]
fn no_part_of_a_secret_is_shown_that_is_longer_than_its_rule_looks() {
    // Hexadecimal digits of a digest: nothing that begins as a token does.
    let long: String = (0u8..10).map(|seed| fingerprint(&pat(u64::from(seed)))).collect();
    let lines = [
        format!("deploy --password {long} --now\n"),
        format!("<add key=\"RefreshToken\" value=\"{long}\"/>\n"),
        format!("docker login -u ci -p {long}\n"),
        format!("db_pw = \"{long}\"\n"),
    ];
    let parts: Vec<&str> = (0..long.len() / 16).map(|at| &long[16 * at..16 * (at + 1)]).collect();
    for line in &lines {
        let tree = Tree::with(&[("a.txt", line)]);
        for format in ["text", "json", "sarif", "csv"] {
            let ran = tree.scan(&["--format", format]).exits(1);
            hides_all(&ran.out, parts.iter().copied());
        }
        let filtered = tree.with_stdin(&["filter"], line.as_bytes());
        hides_all(&filtered.out, parts.iter().copied());
    }
}

#[test]
fn a_secret_of_more_than_two_hundred_characters_is_found_whole() {
    let long: String = (0u8..20).map(|seed| pat(u64::from(seed))[4..].to_owned()).collect();
    for line in [
        format!("AZURE_REFRESH_TOKEN=1.A{long}\n"),
        format!("{{\"refresh_token\": \"1.A{long}\"}}\n"),
        format!("const token = '1.A{long}';\n"),
    ] {
        let tree = Tree::with(&[("a.conf", &line)]);
        let report = tree.json(&[]);
        let found = findings(&report);
        assert_eq!(found.len(), 1, "{line}");
        assert_eq!(found[0]["byte_length"], long.len() + 3, "{line}");
    }
}

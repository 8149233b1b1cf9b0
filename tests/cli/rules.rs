//! `stanch rules`.

use super::*;

#[test]
fn the_built_in_rules_keep_what_they_say() {
    let ran = Tree::new().run(&["rules", "check"]).exits(0);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    ran.prints(&format!("built-in: {} rules keep what they say", RULES.rules.len()));
}

const GOOD: &str = r#"
[[rules]]
id = "acme-key"
regex = '''acme_[0-9a-f]{32}\b'''
keywords = ["acme_"]
leaks = ['key = "<mint>"']
clean = ['key = acme_short', 'key = <mint>f']
"#;

#[test]
fn rules_of_a_file_are_checked() {
    let tree = Tree::with(&[("rules.toml", GOOD)]);
    tree.run(&["rules", "check", "rules.toml"])
        .exits(0)
        .prints("rules.toml: 1 rules keep what they say, in 3 examples");
}

#[test]
fn a_rule_without_examples_of_both_kinds_is_refused() {
    for key in ["leaks", "clean"] {
        let text: String = GOOD.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect();
        let tree = Tree::with(&[("rules.toml", &text)]);
        let fault = format!("rules.toml: acme-key: has no `{key}`. Add texts in which it must");
        tree.run(&["rules", "check", "rules.toml"]).exits(1).prints(&fault).prints("1 faults in 1 rules");
    }
}

#[test]
fn a_rule_that_breaks_its_word_is_named_with_the_example_and_without_a_token() {
    for (from, to, fault) in [
        (r#"'key = "<mint>"'"#, r#"'key', '<mint>x'"#, "leak 1: 0 of 1 found with medium confidence by the rule alone"),
        (r#"'key = "<mint>"'"#, r#"'key', '<mint>x'"#, "leak 2: 0 of 1 found"),
        ("'key = acme_short'", "'key = acme_short', '<mint>'", "clean 2: something is found in it; found: acme-key"),
        ("<mint>f", "<mint:much>", "clean 2: a token for it cannot be made. Write <mint>"),
    ] {
        let tree = Tree::with(&[("rules.toml", &GOOD.replace(from, to))]);
        let ran = tree.run(&["rules", "check", "rules.toml"]).exits(1).prints(fault);
        let token =
            ran.out.split("acme_").skip(1).any(|rest| rest.bytes().take_while(u8::is_ascii_hexdigit).count() > 8);
        assert!(!token, "{}", ran.out);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_fault_of_a_rule() {
    let tree = Tree::with(&[("bad.toml", "[[rules]]\nid = 'a-b'\nregex = '('\n")]);
    tree.run(&["rules", "check", "bad.toml"]).exits(2).says("bad.toml:3:10: this regex cannot be used: unclosed group");
    tree.run(&["rules", "check", "gone.toml"]).exits(2).says("gone.toml: cannot read this rule file");
}

#[test]
fn the_list_has_every_rule() {
    let tree = Tree::with(&[("rules.toml", GOOD)]);
    let ran = tree.run(&["rules", "list", "--rules", "rules.toml"]).exits(0);
    let ids: Vec<&str> = ran.out.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let mut all: Vec<&str> = RULES.rules.iter().map(|rule| rule.id.as_str()).collect();
    all.insert(all.partition_point(|id| *id < "acme-key"), "acme-key");
    assert_eq!(ids, all);
    let json = tree.run(&["rules", "list", "--format", "json"]).exits(0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["rules"].as_array().unwrap().len(), RULES.rules.len());
}

#[test]
fn a_rule_is_shown_with_a_masked_example() {
    let tree = Tree::new();
    let ids = RULES.rules.iter().map(|rule| rule.id.as_str());
    let ran = tree.run(&["rules", "show"].into_iter().chain(ids).collect::<Vec<_>>()).exits(0);
    let shown: Vec<&str> = ran.out.split("\n\n").collect();
    assert_eq!(shown.len(), RULES.rules.len());
    for (rule, shown) in RULES.rules.iter().zip(shown) {
        assert!(shown.contains(&rule.remedy) && shown.contains("****"), "{} has an example:\n{shown}", rule.id);
        // Whatever it prints, a scan finds no token in it.
        tree.write(&format!("{}.txt", rule.id), shown);
    }
    tree.scan(&["--confidence", "medium"]).exits(0);
    let gitleaks = tree.run(&["rules", "show", "aws-access-token", "age-secret-key"]).exits(0).out;
    let shown: Vec<&str> = gitleaks.split("\n\n").map(|rule| &rule[..rule.find(':').unwrap()]).collect();
    assert_eq!(shown, ["aws-access-key-id", "aws-temporary-access-key-id", "private-key-age"]);
    tree.run(&["rules", "show", "github-pta"]).exits(2).says("perhaps `github-pat` is meant");
}

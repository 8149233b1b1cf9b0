//! `stanch explain`.

use super::archives::zip;
use super::*;

/// What the reports say of each finding: its rule, its fingerprint and its place.
fn reported(tree: &Tree) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_str(&tree.scan(&["--confidence", "low", "--format", "json"]).out).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let place = |one: &Value| format!("{}:{}:{}", one["path"].as_str().unwrap(), one["line"], one["column"]);
    findings.map(|one| (word(&one["rule"]), word(&one["fingerprint"]), place(one))).collect()
}

#[test]
fn what_a_report_says_is_explained() {
    let two = format!("x\nA={} B={}\n", pat(1), token("gitlab-pat", 1));
    let tree = Tree::with(&[("a.env", &two), ("b:3", &two)]);
    tree.write("c.zip", zip(&[("one.env", two.as_bytes()), ("in/two.env", two.as_bytes())]));
    let reported = reported(&tree);
    assert_eq!(reported.len(), 8);
    for (rule, fingerprint, place) in &reported {
        for args in [&["--line", place][..], &[&fingerprint[..12]]] {
            let ran = tree.run(&[&["explain"], args].concat()).exits(0);
            let heads: Vec<&str> = ran.out.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
            assert!(heads.iter().all(|head| head.contains(rule)), "{}", ran.out);
            assert!(heads.iter().any(|head| head.contains(place)), "{}", ran.out);
            // The same token has one fingerprint, wherever it is.
            assert_eq!(heads.len(), if args.len() == 2 { 1 } else { 4 }, "{}", ran.out);
            ran.prints("offline proof");
            hides_all(&tree.run(&[&["explain"], args].concat()).out, [&*pat(1), &*token("gitlab-pat", 1)]);
        }
        let (line, _) = place.rsplit_once(':').unwrap();
        let json = tree.run(&["explain", "--format", "json", "--line", line]).exits(0);
        let json: Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(json["findings"].as_array().unwrap().len(), 2, "{line}");
    }
    let all = tree.run(&["explain", "--line", "c.zip:2"]).exits(0);
    assert_eq!(all.out.matches("offline proof").count(), 4);
}

#[test]
fn rules_of_a_file_are_known() {
    let tree = Tree::with(&[
        ("rules.toml", "[[rules]]\nid = \"acme\"\nregex = '''acme-[a-z]{6}'''\nkeywords = [\"acme-\"]\n"),
        ("a", "acme-abcdef\n"),
    ]);
    tree.run(&["explain", "--line", "a:1"]).exits(2).says("nothing is found there, not even of low confidence");
    tree.run(&["explain", "--line", "a:1:1", "--rules", "rules.toml"]).exits(0).prints("a:1:1: acme ");
}

#[test]
fn what_is_no_place_is_said() {
    let tree = Tree::with(&[("a", "x\n")]);
    for place in ["a", "a:", "a:x", "1", "a:1:x"] {
        tree.run(&["explain", "--line", place]).exits(2).says("--line needs FILE:LINE or FILE:LINE:COLUMN");
    }
    tree.run(&["explain", "--line", "b.zip!/a:1"]).exits(2).says("b.zip!/a");
    tree.run(&["explain", "xyz"]).exits(2).says("a fingerprint has hex digits only");
}

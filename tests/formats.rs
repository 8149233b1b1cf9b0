//! The formats of CI systems through the real program: read by readers of their own, over names made to break them.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;
use stanch::builtin::with_examples;
use stanch::detect::mint::mint;
use stanch::report::Format;
use tempfile::TempDir;

/// File names that break a report which does not escape.
const NAMES: &[&[u8]] = &[
    b"plain.txt",
    b"=cmd|' C calc'!A0",
    b"+1",
    b"@SUM(A1)",
    b"-rf",
    b"a,b:c;d%0A%0D%25.txt",
    b"new\nline\r::error::title",
    b"::error file=x::y",
    b"::add-mask::z",
    b"a##[add-mask]b ##vso[task.setvariable]c",
    b"esc\x1b[2J\x07\x7f",
    "bidi\u{202e}txt.exe\u{200b}".as_bytes(),
    b"not utf-8 \xff\xfe",
    b"x]]>&amp;<script a=\"b\" c='d'>",
    b"`tick` ``two`` [l](h) ![i](s) **b** | c \\| d \\\\| <img src=x> @me #1 www.a.example",
    "emoji \u{1f600} \u{65e5}\u{672c}".as_bytes(),
];

fn token(seed: u64) -> String {
    mint(with_examples().get("github-pat").unwrap(), seed).unwrap()
}

/// A tree with a token in each of the names, the second of them allowed, and a link that leads nowhere.
fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, seed) in NAMES.iter().zip(1..) {
        let allow = if seed == 2 { " # stanch:allow github-pat a | <b>fine</b> one" } else { "" };
        let text = format!("first\nkey = \"{}\"{allow}\n", token(seed));
        std::fs::write(dir.path().join(OsStr::from_bytes(name)), text).unwrap();
    }
    std::os::unix::fs::symlink("nowhere", dir.path().join("broken ::warning::link")).unwrap();
    dir
}

fn scan(dir: &Path, code: i32, args: &[&str]) -> String {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("stanch"))
        .args([&["scan", "-q"], args].concat())
        .current_dir(dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A hundred findings in each of `files` files.
fn many(dir: &Path, files: u64) {
    let lines = format!("{}\n", token(77)).repeat(100);
    (0..files).for_each(|n| std::fs::write(dir.join(format!("many-{n}")), &lines).unwrap());
}

/// As [`scan`], as JSON. Without the allowed finding.
fn json(dir: &Path, code: i32, args: &[&str]) -> Value {
    serde_json::from_str(&scan(dir, code, args)).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn distinct(values: &[Value], key: &str) -> usize {
    values.iter().map(|value| value[key].as_str().unwrap()).collect::<BTreeSet<_>>().len()
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[test]
fn no_format_shows_a_secret_or_calls_an_unread_tree_clean() {
    let dir = tree();
    let unread = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", unread.path().join("link")).unwrap();
    for format in Format::ALL {
        let report = scan(dir.path(), 1, &["--show-allowed", "-f", format.as_str()]);
        for seed in 1..=NAMES.len() as u64 {
            assert!(!report.contains(&token(seed)), "{}: {report}", format.as_str());
            assert!(!report.contains(&token(seed)[4..36]), "{}: {report}", format.as_str());
        }
        let report = scan(unread.path(), 3, &["-f", format.as_str()]);
        assert!(report.contains("link") && report.contains("broken-symlink"), "{}: {report}", format.as_str());
    }
}

#[test]
fn the_baseline_is_counted_wherever_there_is_room_for_a_count() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), format!("{}\n", token(1))).unwrap();
    let stanch = |args: &[&str]| {
        let done = Command::new(assert_cmd::cargo::cargo_bin!("stanch")).args(args).current_dir(dir.path()).output();
        assert!(done.unwrap().status.success());
    };
    stanch(&["baseline", "create"]);
    for format in Format::ALL {
        let report = scan(dir.path(), 0, &["--baseline", ".stanch-baseline.toml", "-f", format.as_str()]);
        match format {
            Format::Codequality => assert_eq!(report, "[]\n"),
            Format::Json | Format::Jsonl | Format::Sarif => assert!(report.contains("\"baselined\":"), "{report}"),
            Format::Junit => assert!(report.contains(r#"name="in the baseline" value="1""#), "{report}"),
            _ => assert!(report.contains("1 in the baseline"), "{}: {report}", format.as_str()),
        }
    }
}

#[test]
fn gitlab_takes_the_report() {
    let dir = tree();
    let mut schemas = boon::Schemas::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/schema/gitlab-secret-detection-15.0.7.json");
    let schema = boon::Compiler::new().compile(file, &mut schemas).unwrap();
    for args in [&["--show-allowed", "-f", "gitlab"][..], &["-f", "gitlab"]] {
        let report = json(dir.path(), 1, args);
        if let Err(error) = schemas.validate(&report, schema) {
            panic!("not what GitLab takes: {error:#}\n{report:#}");
        }
    }
    let report = json(dir.path(), 1, &["--show-allowed", "-f", "gitlab"]);
    let found = list(&report["vulnerabilities"]);
    assert_eq!((found.len(), distinct(found, "id")), (NAMES.len(), NAMES.len()));
    let files: BTreeSet<String> = found.iter().map(|it| it["location"]["file"].as_str().unwrap().to_owned()).collect();
    assert_eq!(files, NAMES.iter().map(|name| lossy(name)).collect());
    let flagged: Vec<_> = found.iter().filter(|it| it.get("flags").is_some()).collect();
    assert_eq!(flagged.len(), 1);
    assert!(flagged[0]["flags"][0]["description"].as_str().unwrap().starts_with("allowed (inline): a | <b>"));
    assert_eq!(found[0]["location"]["start_line"], 2);
    assert_eq!(found[0]["location"]["commit"]["sha"], "0000000");
    assert_eq!(found[0]["identifiers"][0]["value"], "github-pat");
    let rules = list(&report["scan"]["primary_identifiers"]);
    assert!(rules.iter().any(|rule| rule["value"] == "github-pat"));
    let messages = list(&report["scan"]["messages"]);
    assert_eq!(messages[0]["value"], "15 found, 1 allowed, 1 not read");
    assert_eq!(messages[1]["level"], "warn");
    assert!(
        list(&json(dir.path(), 0, &["-f", "gitlab", "plain.txt", "--rule", "gitlab-pat"])["vulnerabilities"])
            .is_empty()
    );
}

#[test]
fn gitlab_is_told_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/a"), token(1)).unwrap();
    git(&["add", "."]);
    git(&["-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-qm", "x"]);
    let head = git(&["rev-parse", "HEAD"]);
    // From below the top: platforms know paths from the top alone.
    let report = json(&dir.path().join("sub"), 1, &["-f", "gitlab"]);
    let location = &report["vulnerabilities"][0]["location"];
    assert_eq!((&location["commit"]["sha"], &location["file"]), (&head.clone().into(), &"sub/a".into()));
    let issues = json(&dir.path().join("sub"), 1, &["-f", "codequality"]);
    assert_eq!(issues[0]["location"]["path"], "sub/a");
    let line = scan(&dir.path().join("sub"), 1, &["--history", "-f", "github", ".."]);
    assert!(line.contains("file=sub/a,line=1"), "{line}");
    // Gone from the commit that is checked out, and still in history.
    std::fs::write(dir.path().join("sub/a"), "gone").unwrap();
    git(&["-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-qam", "y"]);
    let report = json(dir.path(), 1, &["--history", "-f", "gitlab"]);
    let location = &report["vulnerabilities"][0]["location"];
    assert_eq!((&location["commit"]["sha"], &location["file"]), (&head.clone().into(), &"sub/a".into()));
    let line = scan(dir.path(), 1, &["--history", "-f", "github"]);
    assert!(line.contains(&format!("sub/a:1:1 in commit {head}")) && !line.contains("file="), "{line}");
    assert!(json(dir.path(), 1, &["--history", "-f", "bitbucket"])["annotations"][0].get("line").is_none());
}

#[test]
fn a_code_quality_issue_is_one_of_its_kind() {
    let dir = tree();
    std::fs::write(dir.path().join("twice"), format!("{0}\n{0}\n", token(99))).unwrap();
    let report = json(dir.path(), 1, &["-f", "codequality"]);
    let issues = list(&report);
    assert_eq!(issues.len(), NAMES.len() - 1 + 2 + 1);
    assert_eq!(distinct(issues, "fingerprint"), issues.len());
    for issue in issues {
        let keys: Vec<_> = issue.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["check_name", "description", "fingerprint", "location", "severity"]);
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() >= 1);
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
        assert!(!issue["location"]["path"].as_str().unwrap().starts_with("./"));
    }
    let unread: Vec<_> = issues.iter().filter(|issue| issue["check_name"] == "not-read").collect();
    assert_eq!((unread.len(), &unread[0]["severity"]), (1, &"major".into()));
    // The same names when lines move.
    let before: Vec<_> = issues.iter().map(|issue| issue["fingerprint"].clone()).collect();
    std::fs::write(dir.path().join("twice"), format!("\n\n{0}\n{0}\n", token(99))).unwrap();
    let report = json(dir.path(), 1, &["-f", "codequality"]);
    assert_eq!(before, list(&report).iter().map(|issue| issue["fingerprint"].clone()).collect::<Vec<_>>());
}

#[test]
fn bitbucket_gets_no_more_than_it_takes() {
    let dir = tree();
    let report = json(dir.path(), 1, &["--show-allowed", "-f", "bitbucket"]);
    assert_eq!((&report["report"]["result"], &report["report"]["report_type"]), (&"FAILED".into(), &"SECURITY".into()));
    let annotations = list(&report["annotations"]);
    assert_eq!((annotations.len(), distinct(annotations, "external_id")), (NAMES.len(), NAMES.len()));
    assert_eq!(annotations.iter().filter(|it| it["result"] == "IGNORED").count(), 1);
    assert!(list(&report["report"]["data"]).len() <= 10);
    many(dir.path(), 11);
    let report = json(dir.path(), 1, &["-f", "bitbucket"]);
    assert_eq!(list(&report["annotations"]).len(), 1000);
    let details = report["report"]["details"].as_str().unwrap();
    assert!(details.contains("115 are not annotated") && details.chars().count() <= 2000, "{details}");
    for annotation in list(&report["annotations"]) {
        assert!(annotation["summary"].as_str().unwrap().chars().count() <= 450);
        assert!(annotation["line"].as_u64().unwrap() >= 1);
    }
    let clean = tempfile::tempdir().unwrap();
    assert_eq!(json(clean.path(), 0, &["-f", "bitbucket"])["report"]["result"], "PASSED");
}

/// Level, properties, message.
type Annotation = (String, Vec<(String, String)>, String);

/// A workflow command as the runner of GitHub Actions reads it (actions/runner, `ActionCommand.TryParseV2`).
fn command(line: &str) -> Option<Annotation> {
    let undone = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let property = |text: &str| undone(&text.replace("%3A", ":").replace("%2C", ","));
    let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, rest) = head.split_once(' ').unwrap_or((head, ""));
    let properties = rest.split(',').filter_map(|pair| pair.split_once('='));
    Some((name.to_owned(), properties.map(|(key, value)| (key.to_owned(), property(value))).collect(), undone(data)))
}

#[test]
fn github_obeys_only_what_was_meant_and_is_told_what_it_will_not_show() {
    let dir = tree();
    let report = scan(dir.path(), 1, &["--show-allowed", "-f", "github"]);
    assert!(!report.contains("##["), "{report}");
    let commands: Vec<_> = report.lines().filter_map(command).collect();
    let of = |level: &str| commands.iter().filter(|(name, ..)| name == level).collect::<Vec<_>>();
    assert_eq!((of("error").len(), of("warning").len(), of("notice").len()), (10, 1, 2), "{report}");
    assert_eq!(commands.len(), 13, "{report}");
    let other: Vec<_> = report.lines().filter(|line| command(line).is_none()).collect();
    assert_eq!(other.len(), 5, "{report}");
    assert!(other.iter().all(|line| line.starts_with("not annotated: ")), "{report}");
    let visible = |text: &str| text.chars().all(stanch::report::escape::is_visible);
    for (_, properties, data) in of("error") {
        let get = |key: &str| &properties.iter().find(|(name, _)| name == key).unwrap().1;
        assert_eq!((get("title").as_str(), get("line").as_str(), get("col").as_str()), ("github-pat", "2", "8"));
        assert_eq!(properties.len(), 6, "a name made a property of its own: {properties:?}");
        assert!(visible(get("file")) && visible(data), "{properties:?}");
    }
    let files: Vec<_> =
        of("error").iter().map(|it| it.1.iter().find(|(key, _)| key == "file").unwrap().1.clone()).collect();
    assert!(files.contains(&"::error file=x::y".to_owned()), "{files:?}");
    let last = commands.last().unwrap();
    assert_eq!(last.0, "notice");
    assert!(last.2.contains("15 found, 1 allowed, 1 not read") && last.2.contains("5 findings"), "{}", last.2);
    assert_eq!(report.lines().last().and_then(command).as_ref(), Some(last));
    let plain = scan(dir.path(), 1, &["-f", "github", "a,b:c;d%0A%0D%25.txt"]);
    let (_, properties, _) = command(plain.lines().next().unwrap()).unwrap();
    assert!(properties.contains(&("file".to_owned(), "a,b:c;d%0A%0D%25.txt".to_owned())), "{properties:?}");
}

#[test]
fn junit_is_xml_that_counts_right() {
    let dir = tree();
    for (args, failures, skipped) in
        [(&["-f", "junit"][..], 15, 0), (&["--show-allowed", "--accept-skip", "broken-symlink", "-f", "junit"], 15, 2)]
    {
        let text = scan(dir.path(), 1, args);
        let document = roxmltree::Document::parse(&text).unwrap();
        let suite = document.root_element().first_element_child().unwrap();
        let count = |name: &str| suite.descendants().filter(|node| node.has_tag_name(name)).count();
        for node in [suite, document.root_element()] {
            for (attribute, tag) in
                [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
            {
                assert_eq!(node.attribute(attribute).unwrap(), count(tag).to_string(), "{attribute} in {text}");
            }
        }
        assert_eq!((count("failure"), count("skipped")), (failures, skipped));
        let known = ["testsuite", "properties", "property", "testcase", "failure", "skipped", "error", "testsuites"];
        assert!(
            document.descendants().filter(|node| node.is_element()).all(|it| known.contains(&it.tag_name().name()))
        );
        let names: Vec<_> = suite.children().filter_map(|node| node.attribute("classname")).collect();
        assert!(names.contains(&"x]]>&amp;<script a=\"b\" c='d'>"), "{names:?}");
    }
    let clean = tempfile::tempdir().unwrap();
    let text = scan(clean.path(), 0, &["-f", "junit"]);
    assert!(roxmltree::Document::parse(&text).is_ok() && text.contains("tests=\"1\" failures=\"0\""), "{text}");
}

#[test]
fn no_spreadsheet_calculates_what_csv_says() {
    let dir = tree();
    let text = scan(dir.path(), 1, &["--show-allowed", "-f", "csv"]);
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), NAMES.len() + 2);
    assert_eq!(text.lines().count(), rows.len() + 1, "a name makes a line");
    let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
    for field in rows.iter().flatten() {
        assert!(!field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{field}");
    }
    let of = |record: &str| rows.iter().filter(|row| &row[at("record")] == record).collect::<Vec<_>>();
    assert_eq!((of("finding").len(), of("skip").len(), of("summary").len()), (NAMES.len(), 1, 1));
    let paths: Vec<_> = of("finding").iter().map(|row| row[at("path")].to_owned()).collect();
    for path in ["'=cmd|' C calc'!A0", "'-rf", "not utf-8 \\xff\\xfe", "plain.txt"] {
        assert!(paths.contains(&path.to_owned()), "{path} in {paths:?}");
    }
    assert_eq!(&of("summary")[0][at("why")], "15 found, 1 allowed, 1 not read");
    assert_eq!(&of("summary")[0][at("verdict")], "exit 1");
}

#[test]
fn markdown_is_one_table_with_text_in_it() {
    let dir = tree();
    let text = scan(dir.path(), 1, &["--show-allowed", "-f", "markdown"]);
    let (mut rows, mut cells, mut html) = (0, 0, Vec::new());
    for event in Parser::new_ext(&text, Options::all()) {
        match event {
            Event::End(TagEnd::TableRow) => rows += 1,
            Event::End(TagEnd::TableCell) => cells += 1,
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock | Tag::FootnoteDefinition(_)) => {
                panic!("{event:?} in {text}")
            }
            Event::Html(tag) | Event::InlineHtml(tag) => html.push(tag.into_string()),
            _ => {}
        }
    }
    assert_eq!((rows, cells), (NAMES.len(), (NAMES.len() + 1) * 6), "{text}");
    assert!(html.iter().all(|tag| tag == "<code>" || tag == "</code>"), "{html:?}");
    // What would be a link or a mention outside of code.
    let hostile = text.lines().find(|line| line.contains("tick")).unwrap();
    assert!(!hostile.contains("www.") && !hostile.contains("@me"), "{hostile}");
    assert!(text.contains("15 found, 1 allowed, 1 not read") && text.contains("### Not read: 1"), "{text}");
    let clean = tempfile::tempdir().unwrap();
    assert_eq!(scan(clean.path(), 0, &["-f", "markdown"]), "## stanch: nothing found\n\n0 found.\n");
}

#[test]
fn a_job_summary_keeps_githubs_limit_and_says_what_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join(vec!["long".repeat(50); 8].join("/"));
    std::fs::create_dir_all(&deep).unwrap();
    many(&deep, 6);
    let text = scan(dir.path(), 1, &["-f", "markdown"]);
    assert!(text.len() < 1 << 20, "{}", text.len());
    let shown = text.lines().filter(|line| line.contains("many-")).count();
    assert!(
        shown > 300 && text.ends_with(&format!("\n{} more are not shown: the table would be too long.\n", 600 - shown))
    );
}

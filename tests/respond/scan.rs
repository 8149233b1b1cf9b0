//! `stanch scan --inspect`, and everything that `scan` can read as input for a response.

use std::process::Command;

use crate::cli::{Home, text};
use crate::forge::Forge;
use crate::server::{Reply, Server};
use crate::support::{gitlab_token, host, noise};

fn git(home: &Home, words: &[&str]) {
    let who = ["-c", "user.name=Jane", "-c", "user.email=jane@corp.test"];
    let output = Command::new("git").args(who).args(words).current_dir(home.path("tree")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn every_format_says_whether_it_is_live() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    let asked = ["text", "json", "jsonl", "sarif", "github", "markdown", "gitlab", "codequality", "bitbucket", "junit"];
    for format in asked.into_iter().chain(["csv"]) {
        let (code, said) = home.stanch("scan", &["--inspect", "--format", format, "."]);
        assert_eq!(code, 1, "{format}: {said}");
        let words: &[&str] = match format {
            "json" | "jsonl" => &["\"live\"", "\"jane\""],
            _ => &["live, held by jane, asked at http"],
        };
        assert!(words.iter().all(|word| said.contains(word)), "{format}: {said}");
    }
    assert!(forge.is_live(&token), "asking changes nothing");
    home.holds_nothing_of(&token);
    // One document, and in SARIF a property of its own.
    let config = home.path("stanch.toml");
    let sarif = |more: &[&str]| {
        let words = [&["scan", "--format", "sarif", "--config", config.to_str().unwrap(), "."], more].concat();
        let report: serde_json::Value = serde_json::from_slice(&home.run(&words, "").stdout).unwrap();
        report["runs"][0]["results"][0]["properties"]["liveness"].clone()
    };
    assert_eq!((sarif(&["--inspect"]), sarif(&[])), ("live".into(), serde_json::Value::Null));
}

#[test]
fn what_fails_is_what_was_asked_for_and_unknown_is_not_dead() {
    let (live, dead, odd) = (gitlab_token(), gitlab_token(), format!("ATBB{}", noise(24)));
    let odd = format!("{odd}{:08X}", crc32fast::hash(odd.as_bytes()));
    let forge = Forge::with(&[&live]);
    let config = host("gitlab", &forge.server.url, "") + &host("bitbucket", &format!("{}/2nd", forge.server.url), "");
    for (token, expected) in [(&live, [1, 1, 1]), (&dead, [1, 0, 0]), (&odd, [1, 1, 0])] {
        let home = Home::with(token, &config);
        let codes = ["found", "live", "proven-live"]
            .map(|which| home.stanch("scan", &["--inspect", "--fail-on", which, "."]).0);
        assert_eq!(codes, expected);
        let (code, said) = home.stanch("scan", &["--inspect", "--fail-on", "live", "--format", "json", "."]);
        assert!(said.contains(&format!("\"exit_code\": {code}")), "{said}");
    }
    // Where the run passes, no test fails, and the counts say the same.
    for (token, failing) in [(&live, ["1", "1", "1"]), (&dead, ["1", "0", "0"]), (&odd, ["1", "1", "0"])] {
        let home = Home::with(token, &config);
        for (which, failing) in ["found", "live", "proven-live"].into_iter().zip(failing) {
            let (_, said) = home.stanch("scan", &["--inspect", "--fail-on", which, "--format", "junit", "."]);
            let skipped = if failing == "0" { "1" } else { "0" };
            let totals = format!("tests=\"1\" failures=\"{failing}\" errors=\"0\" skipped=\"{skipped}\"");
            assert_eq!(said.matches(&totals).count(), 2, "{which}: {said}");
            assert_eq!(said.contains("<failure"), failing == "1", "{which}: {said}");
            assert_eq!(said.contains("<skipped message"), failing == "0", "{which}: {said}");
        }
    }
    // A provider that is out of order has proven nothing.
    let broken = Server::start(|_| Reply::json(403, "{}"));
    let home = Home::with(&live, &host("gitlab", &broken.url, ""));
    let (code, said) = home.stanch("scan", &["--inspect", "--fail-on", "live", "."]);
    assert!(code == 1 && said.contains("1 not known to be dead"), "{said}");
}

#[test]
fn a_scan_asks_nobody_unless_it_is_told_to() {
    let token = gitlab_token();
    let canary = Server::canary();
    let home = Home::with(&token, &host("gitlab", &canary.url, ""));
    for words in [&["."][..], &["--offline", "."]] {
        assert_eq!(home.stanch("scan", words).0, 1);
    }
    for words in [&["--inspect", "--offline", "."][..], &["--fail-on", "live", "."]] {
        assert_eq!(home.stanch("scan", words).0, 2, "{words:?}");
    }
    // Nor a host that only the tree names.
    std::fs::write(home.path("tree/.stanch.toml"), host("gitlab", &canary.url, "")).unwrap();
    std::fs::write(home.path("stanch.toml"), "").unwrap();
    let output = home.run(&["baseline", "create", "--no-baseline-live", "."], "");
    assert_eq!(output.status.code(), Some(2), "--no-baseline-live without --inspect");
    assert!(canary.log().is_empty());
}

#[test]
fn what_is_live_is_in_no_baseline() {
    let (live, dead) = (gitlab_token(), gitlab_token());
    let forge = Forge::with(&[&live]);
    let home = Home::with(&format!("{live}\nother = {dead}"), &host("gitlab", &forge.server.url, ""));
    let config = home.path("stanch.toml");
    let run = |words: &[&str]| {
        let output = home.run(&[words, &["--config", config.to_str().unwrap(), "."]].concat(), "");
        (output.status.code().unwrap(), text(&output))
    };
    let (code, said) = run(&["baseline", "create"]);
    assert!(code == 0 && said.contains("2 entries"), "{said}");
    let (code, said) = run(&["baseline", "update", "--inspect", "--no-baseline-live"]);
    assert!(code == 0 && said.contains("1 entry") && said.contains("1 secrets are live"), "{said}");
    let (code, said) = run(&["scan", "--baseline", ".stanch-baseline.toml"]);
    assert!(code == 1 && said.contains("1 in the baseline"), "{said}");
    std::fs::remove_file(home.path("tree/.stanch-baseline.toml")).unwrap();
    let (code, said) = run(&["baseline", "create", "--inspect", "--no-baseline-live"]);
    assert!(code == 0 && said.contains("1 entry"), "{said}");
    home.holds_nothing_of(&live);
}

#[test]
fn whatever_a_scan_reads_can_be_responded_to() {
    let (old, staged, logged) = (gitlab_token(), gitlab_token(), gitlab_token());
    let forge = Forge::with(&[&old, &staged, &logged]);
    let home = Home::with(&old, &host("gitlab", &forge.server.url, ""));
    git(&home, &["init", "-q", "-b", "main"]);
    git(&home, &["add", "."]);
    git(&home, &["commit", "-qm", "leak"]);
    home.leak("nothing\n");
    git(&home, &["commit", "-qam", "hide it"]);
    home.leak(&format!("token = {staged}\n"));
    git(&home, &["add", "."]);
    home.leak("nothing\n");
    // Only what the next commit would hold.
    let (code, said) = home.stanch("revoke", &["--yes", "--staged", "."]);
    assert_eq!((code, forge.ended(&staged), forge.ended(&old)), (0, 1, 0), "{said}");
    // Only what the last commit brought, which is nothing; then everything.
    let (code, said) = home.stanch("inspect", &["--history", "--range", "HEAD~1..HEAD", "."]);
    assert!(code == 0 && said.contains("no token was found"), "{said}");
    let report = home.path("report.sarif");
    home.run(&["scan", "--history", "--format", "sarif", "--output", report.to_str().unwrap(), "."], "");
    // A report of a history is looked for in the history without being told.
    let (code, said) = home.stanch("revoke", &["--yes", "--from", report.to_str().unwrap()]);
    assert_eq!((code, forge.ended(&old)), (0, 1), "{said}");
    // A log, in which a colour stands in the middle of the token.
    let (first, second) = logged.split_at(12);
    std::fs::write(home.path("tree/build.log"), format!("token \u{1b}[31m{first}\u{1b}[0m{second}\n")).unwrap();
    assert_eq!(home.stanch("inspect", &["build.log"]).0, 0, "the bytes alone hold no token");
    let (code, said) = home.stanch("revoke", &["--yes", "--log-dialect", "gitlab", "build.log"]);
    assert_eq!((code, forge.ended(&logged)), (0, 1), "{said}");
}

#[test]
fn alerts_without_secrets_lead_to_the_places_they_name() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    let alerts = home.path("alerts.json");
    let at = |line: u64| {
        let place = serde_json::json!({ "path": "settings.ini", "start_line": line });
        let list = serde_json::json!([{ "number": 1, "secret_type": "gitlab", "first_location_detected": place }]);
        std::fs::write(&alerts, list.to_string()).unwrap();
        home.stanch("inspect", &["--from", alerts.to_str().unwrap()])
    };
    let (code, said) = at(2);
    assert!(code == 1 && said.contains("jane"), "{said}");
    let (code, said) = at(1);
    assert!(code == 3 && said.contains("1 alerts"), "{said}");
}

//! The real program: what it prints, what it leaves behind, how it exits. And that no byte of a token gets anywhere
//! but to its provider.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use stanch::secret::Fingerprint;

use crate::forge::Forge;
use crate::server::{Reply, Server};
use crate::support::{github_token, gitlab_token, host, noise};

pub struct Home {
    dir: tempfile::TempDir,
    /// Everything that the program ever printed.
    said: std::cell::RefCell<Vec<u8>>,
}

impl Home {
    /// A tree with the token in it, and a configuration beside the tree.
    pub fn with(token: &str, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tree")).unwrap();
        let home = Home { dir, said: std::cell::RefCell::default() };
        home.leak(&format!("# made for a test\ntoken = \"{token}\"\n"));
        std::fs::write(home.path("stanch.toml"), config).unwrap();
        home
    }

    pub fn leak(&self, text: &str) {
        std::fs::write(self.path("tree/settings.ini"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn run(&self, words: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stanch"))
            .args(words)
            .current_dir(self.path("tree"))
            .env_clear()
            .env("HOME", self.dir.path())
            .env("OURS", "ours-0123456789")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses its arguments reads nothing.
        drop(std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        self.said.borrow_mut().extend_from_slice(&output.stdout);
        self.said.borrow_mut().extend_from_slice(&output.stderr);
        output
    }

    /// `stanch VERB --config … WORDS`, its exit code and all that it said.
    pub fn stanch(&self, verb: &str, words: &[&str]) -> (i32, String) {
        let config = self.path("stanch.toml");
        let output = self.run(&[&[verb, "--config", config.to_str().unwrap()], words].concat(), "");
        (output.status.code().unwrap(), text(&output))
    }

    fn stanch_task(&self, verb: &str, words: &[&str]) -> (i32, String) {
        let config = self.path("stanch.toml");
        let output = self.run(&[&["task", verb, "--config", config.to_str().unwrap()], words].concat(), "");
        (output.status.code().unwrap(), text(&output))
    }

    pub fn incidents(&self, words: &[&str]) -> (i32, String) {
        let output = self.run(&[&["incidents"], words].concat(), "");
        (output.status.code().unwrap(), text(&output))
    }

    /// Nothing that was printed or written holds the token, whole, in half, or coded, except the leak itself.
    pub fn holds_nothing_of(&self, token: &str) {
        let mut places = vec![("what it printed".to_owned(), self.said.borrow().clone())];
        files(self.dir.path(), &mut places);
        let (first, second) = token.as_bytes().split_at(token.len() / 2);
        let coded = [data_encoding::BASE64.encode(token.as_bytes()), data_encoding::HEXLOWER.encode(token.as_bytes())];
        for (name, bytes) in places.iter().filter(|(name, _)| !name.ends_with("settings.ini")) {
            for part in [first, second, coded[0].as_bytes(), coded[1].as_bytes()] {
                assert!(!bytes.windows(part.len()).any(|window| window == part), "{name} holds the token");
            }
        }
    }
}

fn files(dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn from_the_leak_to_the_closed_incident() {
    let (token, canary) = (github_token("ghp_"), Server::canary());
    let forge = Forge::with(&[&token]);
    let config = host("github", &forge.server.url, "") + &host("gitlab", &canary.url, "");
    let home = Home::with(&token, &config);

    let (code, said) = home.stanch("inspect", &["."]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("octocat") && said.contains("repo (dangerous)") && said.contains("settings.ini:2"), "{said}");

    let (code, said) = home.stanch("revoke", &["."]);
    assert_eq!((code, forge.ended(&token)), (1, 0), "{said}");
    assert!(said.contains("POST") && said.contains("/credentials/revoke") && said.contains("--yes"), "{said}");
    let (code, _) = home.stanch("revoke", &["--dry-run", "."]);
    assert_eq!((code, forge.ended(&token)), (1, 0));
    assert!(!home.path(".local").exists(), "a plan alone writes nothing");

    let (code, said) = home.stanch("revoke", &["--yes", "."]);
    assert_eq!((code, forge.ended(&token)), (0, 1), "{said}");
    let (code, said) = home.stanch("revoke", &["--yes", "."]);
    assert_eq!((code, forge.ended(&token)), (0, 1), "{said}");
    let (code, said) = home.stanch("inspect", &["."]);
    assert_eq!(code, 0, "{said}");

    let (code, said) = home.incidents(&[]);
    assert!(code == 0 && said.starts_with("closed "), "{said}");
    let id = said.split_whitespace().nth(1).unwrap().to_owned();
    let (_, said) = home.incidents(&["show", &id[..8]]);
    let order: Vec<usize> = ["found", "intent", "outcome", "closed"].map(|it| said.find(it).unwrap()).to_vec();
    assert!(order.is_sorted(), "{said}");
    for format in ["json", "csv", "markdown"] {
        assert!(home.incidents(&["export", "--format", format]).1.contains(&id));
    }
    let (code, said) = home.incidents(&["verify"]);
    let head = said.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!((code, home.incidents(&["verify", "--head", &head]).0), (0, 0), "{said}");
    assert_eq!(home.incidents(&["verify", "--head", "00"]).0, 2);

    home.holds_nothing_of(&token);
    assert!(canary.log().is_empty(), "a host of another provider was asked");
    let carried =
        forge.server.log().iter().filter(|got| got.raw.windows(token.len()).any(|it| it == token.as_bytes())).count();
    assert!(carried > 0, "the search above can find a token");
}

#[test]
fn tokens_come_by_standard_input_and_never_as_arguments() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with("", &host("gitlab", &forge.server.url, ""));
    let config = home.path("stanch.toml");
    let output = home.run(&["revoke", "--yes", "--config", config.to_str().unwrap(), "-"], &format!("{token}\n"));
    assert_eq!((output.status.code(), forge.ended(&token)), (Some(0), 1), "{}", text(&output));
    let long = format!("ghs_123456_eyJ{}.eyJ{}.{}", noise(100), noise(300), noise(86));
    for words in [&["inspect"][..], &["revoke"], &["task", "open"], &["task", "sync"], &["revoke", "--from"]] {
        for token in [&token, &long] {
            let output = home.run(&[words, &[token.as_str()]].concat(), "");
            let said = text(&output);
            assert!(output.status.code() == Some(2) && said.contains("stanch revoke -"), "{words:?} {said}");
        }
    }
    // Whatever it was meant for, and whoever would repeat it: the parser, or the message of a file that is not there.
    let inline = format!("--kind={token}");
    for words in [
        &[token.as_str()][..],
        &["inspect", "--config", &token],
        &["inspect", &inline],
        &["revoke", "--ledger", &token, "-"],
        &["rotate", "--successor-file", &token, "."],
        &["task", &token],
        &["incidents", "show", &token],
        &["incidents", "settle", &token, "--reason", "x"],
        &["scan", &token],
    ] {
        let output = home.run(words, "");
        assert!(output.status.code() == Some(2) && text(&output).contains("looks like a token"), "{words:?}");
    }
    home.holds_nothing_of(&token);
    home.holds_nothing_of(&long);
}

#[test]
fn a_report_is_responded_to_by_scanning_its_places_again() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    for (format, name) in [("json", "report.json"), ("sarif", "report.sarif")] {
        let path = home.path(name);
        home.run(&["scan", "--format", format, "--output", path.to_str().unwrap(), "."], "");
        let (code, said) = home.stanch("inspect", &["--from", path.to_str().unwrap()]);
        assert!(code == 1 && said.contains("jane"), "{format}: {said}");
    }
    home.leak("nothing here any more\n");
    let report = home.path("report.json");
    let (code, said) = home.stanch("inspect", &["--from", report.to_str().unwrap()]);
    assert!(code == 3 && said.contains("not found again"), "{said}");
    home.leak(&format!("token = {token}\n"));
    let (code, said) = home.stanch("revoke", &["--yes", "--from", report.to_str().unwrap()]);
    assert_eq!((code, forge.ended(&token)), (0, 1), "{said}");
    home.holds_nothing_of(&token);
}

#[test]
fn programs_get_one_document_and_the_plan_on_standard_error() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    let config = home.path("stanch.toml");
    let output = home.run(&["revoke", "--yes", "--format", "json", "--config", config.to_str().unwrap(), "."], "");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ends"][0]["end"], "closed");
    assert_eq!(document["plan"][0]["effect"], "irreversible");
    assert_eq!(document["incidents"][0]["reach"][1]["name"], "acme/site");
    assert!(String::from_utf8_lossy(&output.stderr).contains("plan: 1 incidents"));
    home.holds_nothing_of(&token);
}

#[test]
fn one_secret_is_one_incident_in_however_many_places() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    home.leak(&format!("token = \"{token}\"\nagain = \"{token}\"\n"));
    std::fs::create_dir(home.path("tree/deep")).unwrap();
    std::fs::write(home.path("tree/deep/settings.ini"), format!("url = https://oauth2:{token}@gitlab.com/a/b.git\n"))
        .unwrap();
    let config = home.path("stanch.toml");
    // Standard input and a scan name the same one.
    let words = ["revoke", "--yes", "--format", "json", "--config", config.to_str().unwrap(), "-", "."];
    let output = home.run(&words, &format!("{token}\n{token}\n"));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let incidents = document["incidents"].as_array().unwrap();
    assert_eq!((incidents.len(), incidents[0]["places"].as_array().unwrap().len()), (1, 3), "{document:#}");
    assert_eq!((forge.server.count("DELETE /api/v4/personal_access_tokens/self"), output.status.code()), (1, Some(0)));
    home.holds_nothing_of(&token);
}

#[test]
fn a_terminal_obeys_nothing_that_a_provider_says() {
    let evil = Server::start(|got| match got.path() {
        "/user" => Reply::json(200, r#"{"login":"a\u001b[2J\nplan: ok","id":1}"#).with("x-oauth-scopes", "repo"),
        _ => Reply::json(200, "[]"),
    });
    let home = Home::with(&github_token("ghp_"), &host("github", &evil.url, ""));
    for verb in ["inspect", "revoke"] {
        let (_, said) = home.stanch(verb, &["."]);
        assert!(said.contains("a\\u{1b}[2J\\nplan: ok"), "{said}");
        assert!(!said.contains('\u{1b}') && !said.contains("\nplan: ok"), "{said}");
    }
}

#[test]
fn a_failed_step_is_3_and_something_for_a_person_is_1() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    forge.trouble("/self", Reply::json(403, "{}"), false, usize::MAX);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    let (code, said) = home.stanch("revoke", &["--yes", "."]);
    assert!(code == 3 && said.contains("failed"), "{said}");
    let token = format!("ATCTT3xFfGN0{}=", noise(171));
    let token = format!("{token}{:08X}", crc32fast::hash(token.as_bytes()));
    let forge = Forge::with(&[]);
    let config =
        host("bitbucket", &forge.server.url, "") + &host("atlassian", &format!("{}/2nd", forge.server.url), "");
    let home = Home::with(&token, &config);
    let (code, said) = home.stanch("revoke", &["--yes", "--offline", "."]);
    assert!(code == 1 && said.contains("access-tokens"), "{said}");
    assert!(forge.server.log().is_empty(), "--offline asked somebody");
}

#[test]
fn without_a_ledger_nothing_is_done() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    std::fs::write(home.path("broken.db"), "not a database ".repeat(100)).unwrap();
    for ledger in [home.path("broken.db"), home.path("stanch.toml/below.db")] {
        let (code, said) = home.stanch("revoke", &["--yes", "--ledger", ledger.to_str().unwrap(), "."]);
        assert_eq!((code, forge.ended(&token)), (2, 0), "{said}");
        assert!(said.contains("ledger"), "{said}");
    }
}

#[test]
fn a_configuration_in_the_tree_sends_nothing_anywhere() {
    let canary = Server::canary();
    let home = Home::with(&gitlab_token(), "");
    std::fs::write(
        home.path("tree/.stanch.toml"),
        host("gitlab", &canary.url, "credential = { command = [\"touch\", \"ran\"] }"),
    )
    .unwrap();
    let output = home.run(&["inspect", "--offline", "."], "");
    assert!(text(&output).contains("[[host]] not used"), "{}", text(&output));
    assert!(canary.log().is_empty() && !home.path("tree/ran").exists());
}

/// The network is forbidden, so a token that could be revoked stands in the plan as one that nobody was asked about.
fn plan_in(home: &Home, verb: &str, more: &[&str]) -> (i32, String) {
    let spare = home.path("spare");
    let words = [&[verb, "--dry-run", "--offline", "--successor-file", spare.to_str().unwrap()], more, &["."]].concat();
    let output = home.run(&words, "");
    (output.status.code().unwrap(), text(&output))
}

#[test]
fn a_policy_in_the_tree_may_hold_back_and_do_nothing_else() {
    let canary = Server::canary();
    let token = gitlab_token();
    let home = Home::with(&token, "");
    let tree = |text: &str| std::fs::write(home.path("tree/.stanch.toml"), text).unwrap();
    let id = Fingerprint::of_strong(token.as_bytes());
    let evil = host("github", &canary.url, "credential = { command = [\"touch\", \"ran\"] }")
        + &host("webhook", &format!("{}/hook", canary.url), "credential = { file = \"/etc/passwd\" }")
        + &format!(
            "[respond]\nmax_irreversible = 1000\nsuccessor_file = \"stolen\"\n\
             [[respond.deliver]]\nfingerprint = \"{id}\"\ncommand = [\"touch\", \"ran\"]\n\
             [respond.task]\nhost = \"{}/hook\"\nautomatic = true\ntemplate = \"{{{{ holder }}}}\"\n",
            canary.url
        );
    tree(&evil);
    for verb in ["inspect", "revoke", "rotate"] {
        let words: &[&str] = if verb == "inspect" { &["--offline", "."] } else { &["--yes", "--offline", "."] };
        let output = home.run(&[&[verb], words].concat(), "");
        let said = text(&output);
        for part in ["[[host]]", "[[respond.deliver]]", "successor_file", "[respond.task]"] {
            assert!(said.contains(part), "{verb}: {part} {said}");
        }
    }
    let output = home.run(&["task", "open", "--offline", "."], "");
    assert!(output.status.code() == Some(2) && text(&output).contains("is not configured"), "{}", text(&output));
    assert!(!home.path("tree/ran").exists() && !home.path("tree/stolen").exists() && canary.log().is_empty());

    // Without a policy, or with one that asks for what is done anyway, it is revoked.
    for calm in ["", "[respond]\nmax_irreversible = 1000\n", "[[respond.rule]]\naction = \"revoke\"\n"] {
        tree(calm);
        let (_, said) = plan_in(&home, "revoke", &[]);
        assert!(said.contains("revoke   DELETE https://gitlab.com/api"), "{calm}: {said}");
    }
    // What holds back is heard, and named; neither verb becomes the other one.
    for (tight, verb, why) in [
        (format!("[respond]\nfreeze = [\"{id}\"]"), "revoke", "frozen"),
        ("[respond]\nmax_irreversible = 0".to_owned(), "revoke", "max_irreversible"),
        ("[respond]\nowners = [\"acme\"]".to_owned(), "revoke", "owners"),
        ("[[respond.rule]]\naction = \"ignore\"".to_owned(), "revoke", ".stanch.toml wants something else"),
        ("[[respond.rule]]\naction = \"task\"".to_owned(), "revoke", ".stanch.toml wants something else"),
        ("[[respond.rule]]\naction = \"rotate\"".to_owned(), "revoke", ".stanch.toml wants something else"),
        ("[[respond.rule]]\naction = \"revoke\"".to_owned(), "rotate", ".stanch.toml wants something else"),
    ] {
        tree(&tight);
        let (code, said) = plan_in(&home, verb, &[]);
        assert!(code == 1 && said.contains("hold") && said.contains(why), "{tight}: {said}");
        assert!(said.contains("0 irreversible steps"), "{tight}: {said}");
        // Whoever does not follow the tree says so.
        let empty = home.path("stanch.toml");
        let (_, said) = plan_in(&home, "revoke", &["--config", empty.to_str().unwrap()]);
        assert!(said.contains("revoke   DELETE"), "{said}");
    }
    // With a file of the user's own, the tree has no say at all.
    tree(&format!("[respond]\nfreeze = [\"{id}\"]"));
    std::fs::create_dir_all(home.path(".config/stanch")).unwrap();
    std::fs::write(home.path(".config/stanch/stanch.toml"), "[respond]\nmax_irreversible = 5\n").unwrap();
    assert!(plan_in(&home, "revoke", &[]).1.contains("revoke   DELETE"));
}

/// A configuration with `rule` and tasks in the tracker that is played.
fn tasks_at(desk: &crate::task::Desk, rule: &str) -> String {
    host("github", &desk.server.url, "credential = { env = \"OURS\" }")
        + &format!("{rule}[respond.task]\nhost = \"{}\"\nproject = \"acme/site\"\n", desk.server.url)
}

#[test]
fn tasks_are_opened_by_policy_and_closed_by_sync() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let desk = crate::task::Desk::new();
    let config = |rule: &str| host("gitlab", &forge.server.url, "") + &tasks_at(&desk, rule);
    let home = Home::with(&token, &config("[[respond.rule]]\naction = \"task\"\n"));
    std::fs::write(home.path("tree/CODEOWNERS"), "*.ini @jane\n").unwrap();
    let (code, said) = home.stanch_task("open", &["--dry-run", "."]);
    assert!(code == 1 && desk.issues().is_empty(), "{said}");
    let (code, said) = home.stanch("revoke", &["--yes", "."]);
    assert!(code == 1 && said.contains("task opened: https://t/1"), "{said}");
    let (code, said) = home.stanch_task("open", &["."]);
    assert!(code == 1 && said.contains("there already"), "{said}");
    assert_eq!((desk.issues().len(), forge.ended(&token)), (1, 0));
    let created = desk.server.log().into_iter().find(|got| got.method == "POST").unwrap();
    assert!(created.body.contains("\"assignees\":[\"jane\"]"), "{}", created.body);

    std::fs::write(home.path("stanch.toml"), config("")).unwrap();
    assert_eq!(home.stanch("revoke", &["--yes", "."]).0, 0);
    let (code, said) = home.stanch_task("sync", &[]);
    assert!(code == 0 && said.contains("1 tasks closed") && !desk.issues()[0].open, "{said}");
    let (code, said) = home.incidents(&["list"]);
    assert!(code == 0 && said.starts_with("closed ") && said.contains("gitlab-pat"), "{said}");
    home.holds_nothing_of(&token);
    let seen: Vec<u8> = desk.server.log().into_iter().flat_map(|got| got.raw).collect();
    assert!(!seen.windows(12).any(|window| window == &token.as_bytes()[8..20]), "the tracker got the token");
}

#[test]
fn a_task_is_closed_when_a_person_has_ended_the_token() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let desk = crate::task::Desk::new();
    let config = |rule: &str| host("gitlab", &forge.server.url, "") + &tasks_at(&desk, rule);
    let home = Home::with(&token, &config("[[respond.rule]]\naction = \"ignore\"\n"));
    let (code, said) = home.stanch_task("open", &["."]);
    assert!(code == 1 && said.contains("ignored by") && desk.issues().is_empty(), "{said}");
    std::fs::write(home.path("stanch.toml"), config("")).unwrap();
    assert!(home.stanch_task("open", &["."]).1.contains("task opened"));
    for words in [&[][..], &["."]] {
        let (code, said) = home.stanch_task("sync", words);
        assert!(code == 0 && said.contains("0 tasks closed") && desk.issues()[0].open, "{said}");
    }
    forge.end_by_hand(&token);
    let (_, said) = home.stanch_task("sync", &["--dry-run", "."]);
    assert!(desk.issues()[0].open && home.incidents(&["list"]).1.starts_with("open"), "{said}");
    let (code, said) = home.stanch_task("sync", &["."]);
    assert!(code == 0 && said.contains("1 tasks closed") && !desk.issues()[0].open, "{said}");
    assert!(home.incidents(&["list"]).1.starts_with("closed"));
    home.holds_nothing_of(&token);
}

/// A token of Atlassian's is refused in the same words whether it is dead or somebody else's: that it worked, and as
/// whom, is what proves its death.
#[test]
fn a_task_for_what_only_a_person_can_end_is_closed_once_it_is_ended_and_stays_closed() {
    let live = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let shared = live.clone();
    let site = Server::start(move |got| match got.line().as_str() {
        "GET /rest/api/3/myself" if shared.load(std::sync::atomic::Ordering::SeqCst) => {
            crate::support::reply(200, "atlassian/myself.json")
        }
        "GET /2nd/2.0/user" => Reply::json(401, r#"{"error":{"message":"no"}}"#),
        _ => Reply::json(401, r#"{"message":"no"}"#).with("x-arequestid", "1"),
    });
    for (verb, rule) in [("open", ""), ("revoke", ""), ("revoke", "[[respond.rule]]\naction = \"task\"\n")] {
        live.store(true, std::sync::atomic::Ordering::SeqCst);
        let desk = crate::task::Desk::new();
        let config = host("jira", &site.url, "emails = [\"jane@corp.test\"]")
            + &host("bitbucket", &format!("{}/2nd", site.url), "")
            + &tasks_at(&desk, rule)
            + "automatic = true\n";
        let home = Home::with("", &config);
        let token = format!("ATATT3xFfGF0{}", noise(60));
        let config = home.path("stanch.toml");
        let run = |words: &[&str]| {
            let output = home.run(&[words, &["--config", config.to_str().unwrap(), "-"]].concat(), &token);
            (output.status.code().unwrap(), text(&output))
        };
        let begin = if verb == "open" { &["task", "open"][..] } else { &["revoke", "--yes"] };
        let (code, said) = run(begin);
        assert!(code == 1 && said.contains("task opened"), "{said}");
        assert!(run(&["task", "sync"]).1.contains("0 tasks closed") && desk.issues()[0].open);
        live.store(false, std::sync::atomic::Ordering::SeqCst);
        let (code, said) = run(&["task", "sync"]);
        assert!(code == 0 && said.contains("1 tasks closed") && !desk.issues()[0].open, "{verb} {rule} {said}");
        assert!(home.incidents(&["list"]).1.starts_with("closed"));
        // Who asks again hears the same, and opens nothing again.
        for words in [&["revoke", "--yes"][..], &["task", "open"]] {
            let (code, said) = run(words);
            assert!(code == 0 && desk.issues().len() == 1 && !desk.issues()[0].open, "{words:?} {rule} {said}");
        }
        home.holds_nothing_of(&token);
    }
}

/// Nobody can be asked whether it works, so what a person says is all that can ever close it.
#[test]
fn what_no_provider_is_known_for_is_settled_by_a_person() {
    let desk = crate::task::Desk::new();
    let config = tasks_at(&desk, "");
    let secret = format!("sk_live_{}", noise(24));
    for automatic in [false, true] {
        let home = Home::with(&secret, &format!("{config}automatic = {automatic}\n"));
        let (code, said) = home.stanch("revoke", &["--yes", "."]);
        assert!(code == 1 && said.contains("no request can do it"), "{said}");
        let (code, said) = home.incidents(&["list"]);
        let id = said.split_whitespace().nth(1).unwrap_or_default().to_owned();
        assert!(code == 1 && said.starts_with("open"), "{said}");
        let (code, said) = home.incidents(&["settle", &id, "--reason", "made another one"]);
        assert_eq!(code, 0, "{said}");
        let (code, said) = home.stanch_task("sync", &[]);
        assert!(code == 0 && said.contains(&format!("{} tasks closed", u8::from(automatic))), "{said}");
        let comments = desk.issues().into_iter().flat_map(|issue| issue.comments).collect::<String>();
        assert!(!comments.contains("proven") && comments.contains("A person") == automatic, "{comments}");
        assert_eq!(home.stanch("revoke", &["--yes", "."]).0, 0);
        home.holds_nothing_of(&secret);
    }
    assert!(desk.issues().len() == 1 && !desk.issues()[0].open);
}

#[test]
fn a_line_that_nobody_understands_is_said_by_sync_too() {
    let desk = crate::task::Desk::new();
    let config = tasks_at(&desk, "");
    let home = Home::with("", &config);
    let config = home.path("stanch.toml");
    let output = home.run(&["task", "sync", "--config", config.to_str().unwrap(), "-"], "hello\n");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
}

/// Whose name stands in an address with another password is nobody's business: refused as he, the token is not dead.
#[test]
fn a_deploy_token_is_not_asked_about_as_whoever_has_another_password() {
    let server = Server::start(|_| Reply::json(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#));
    let token = format!("gldt-{}", noise(20));
    let home = Home::with(&token, &host("gitlab", &server.url, ""));
    for (line, code, asked) in [
        (format!("T={token} git clone {}/a/b.git\n", server.url.replace("://", "://bob:$P@")), 3, 0),
        (format!("git clone {}/a/b.git\n", server.url.replace("://", &format!("://bot:{token}@"))), 0, 1),
    ] {
        home.leak(&line);
        let before = server.log().len();
        let (is, said) = home.stanch("inspect", &["."]);
        assert_eq!((is, server.log().len() - before), (code, asked), "{said}");
    }
}

#[test]
fn what_wants_a_person_is_not_done_without_one() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let rule = "[[respond.rule]]\nscope = \"api\"\naction = \"revoke\"\nconfirm = \"person\"\n";
    let home = Home::with(&token, &(host("gitlab", &forge.server.url, "") + rule));
    let (code, said) = home.stanch("revoke", &["--yes", "."]);
    assert!(code == 1 && said.contains("nobody confirmed it"), "{said}");
    assert!(forge.is_live(&token));
}

#[test]
fn without_a_ledger_there_are_no_incidents() {
    let home = Home::with("", "");
    assert_eq!(home.incidents(&[]).0, 0);
    assert_eq!(home.incidents(&["--ledger", "none.db"]).0, 2);
    home.stanch("revoke", &["--yes", "."]);
    assert_eq!(home.incidents(&["show", "abc"]).0, 2);
}

#[test]
fn what_only_history_holds_is_revoked_too() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=Jane", "-c", "user.email=jane@corp.test"];
        let output = Command::new("git").args(who).args(words).current_dir(home.path("tree")).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "leak"]);
    home.leak("nothing here any more\n");
    git(&["commit", "-qam", "hide it"]);
    assert_eq!(home.stanch("inspect", &["."]).0, 0);
    let (code, said) = home.stanch("inspect", &["--history", "."]);
    assert!(code == 1 && said.contains("settings.ini:2 (since 20"), "{said}");
    let report = home.path("report.json");
    home.run(&["scan", "--history", "--format", "json", "--output", report.to_str().unwrap(), "."], "");
    let (code, said) = home.stanch("revoke", &["--yes", "--history", "--from", report.to_str().unwrap()]);
    assert_eq!((code, forge.ended(&token)), (0, 1), "{said}");
    home.holds_nothing_of(&token);
}

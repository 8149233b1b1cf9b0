//! The real program: credentials, what it remembers, what it deletes, and that it repeats no secret.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::play::{OURS, line, recorded, streamed, token};
use crate::providers::{github, gitlab, storage};
use crate::server::{Reply, Server};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Home(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `stanch scan --ci-logs WORDS`: exit code, standard output, standard error.
    fn stanch(&self, words: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_stanch"))
            .args(["scan", "--ci-logs"])
            .args(words)
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .env("TZ", "UTC")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

const GITHUB: &[(&str, &str)] = &[("GITHUB_TOKEN", OURS)];

#[test]
fn a_leak_is_reported_with_its_job_and_page_in_every_format() {
    let leak = token(21);
    let storage = storage(&leak);
    let server = github(&storage);
    let home = Home::new();
    let page = "https://github.com/octo-org/octo-repo/actions/runs/1001/job/399444496";
    for format in ["text", "json", "jsonl", "sarif", "csv", "markdown", "gitlab", "github"] {
        let words = ["github:octo-org/octo-repo", "--base-url", &server.url, "--format", format];
        let (code, out, err) = home.stanch(&words, GITHUB);
        assert_eq!(code, 1, "{err}");
        assert!(!out.contains(&leak[8..]) && !err.contains(&leak[8..]) && !out.contains(OURS) && !err.contains(OURS));
        if ["text", "json", "jsonl", "sarif"].contains(&format) {
            for known in
                [page, "octo-org/octo-repo", "1001", "build / linux", "Run make", "2026-11-18T08:00:12.1234567Z"]
            {
                assert!(out.contains(known), "{format}: {known} in {out}");
            }
        }
    }
    let (_, out, _) =
        home.stanch(&["github:octo-org/octo-repo", "--base-url", &server.url, "--format", "sarif"], GITHUB);
    let log: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "github:octo-org/octo-repo/1001/build%20%20linux/2_Run%20make.txt"
    );
}

#[test]
fn the_credential_comes_from_the_environment_or_the_netrc_file() {
    let jobs = |got: &crate::server::Got| {
        if got.path().ends_with("/jobs") { Reply::json(200, "[]") } else { Reply::json(200, "{}") }
    };
    let server = Server::start(jobs);
    let home = Home::new();
    let token_of = |environment: &[(&str, &str)]| {
        let (code, _, err) = home.stanch(&["gitlab:g/p", "--base-url", &server.url], environment);
        assert_eq!(code, 0, "{err}");
        let headers = server.log().last().unwrap().headers.clone();
        (headers.get("private-token").cloned(), headers.get("job-token").cloned())
    };
    assert_eq!(token_of(&[]), (None, None));
    assert_eq!(token_of(&[("CI_JOB_TOKEN", "of-the-job")]), (None, Some("of-the-job".to_owned())));
    let both = [("CI_JOB_TOKEN", "of-the-job"), ("GITLAB_TOKEN", "of-mine")];
    assert_eq!(token_of(&both), (Some("of-mine".to_owned()), None));
    std::fs::write(home.path(".netrc"), "machine 127.0.0.1 login me password from-file\n").unwrap();
    assert_eq!(token_of(&[]), (Some("from-file".to_owned()), None));
}

#[test]
fn a_second_run_reads_only_what_is_new_and_what_failed() {
    static FAILS: AtomicBool = AtomicBool::new(true);
    let server = Server::start(|got| match got.path() {
        "/repos/o/r/actions/runs" => Reply::json(
            200,
            r#"{"workflow_runs":[{"id":2,"status":"completed","created_at":"2026-11-19T08:00:00Z"},
                {"id":1,"status":"completed","created_at":"2026-11-18T08:00:00Z"}]}"#,
        ),
        path if path.contains("/runs/2/") && FAILS.load(SeqCst) => {
            Reply::File("application/zip", streamed(&[("a/1_x.txt", line("clean"))]), 40)
        }
        _ => Reply::file("application/zip", streamed(&[("a/1_x.txt", line("clean"))])),
    });
    let home = Home::new();
    let words = ["github:o/r", "--base-url", &server.url, "--state", "state.json"];
    let read = |run: &str| server.count(&format!("GET /repos/o/r/actions/runs/{run}/attempts/1/logs"));
    assert_eq!(home.stanch(&words, GITHUB).0, 3);
    assert_eq!((read("1"), read("2")), (1, 1));
    FAILS.store(false, SeqCst);
    let (code, _, err) = home.stanch(&words, GITHUB);
    assert_eq!(code, 0);
    assert!(err.contains("1 logs were read in an earlier run"), "{err}");
    assert_eq!((read("1"), read("2")), (1, 2), "what was not read wholly is read again");
    assert_eq!(home.stanch(&words, GITHUB).0, 0);
    assert_eq!((read("1"), read("2")), (1, 2));
    let state = std::fs::read_to_string(home.path("state.json")).unwrap();
    assert!(!state.contains(OURS) && serde_json::from_str::<serde_json::Value>(&state).unwrap()["version"] == 1);
    std::fs::write(home.path("state.json"), &state[..state.len() / 2]).unwrap();
    let (code, _, err) = home.stanch(&words, GITHUB);
    assert!(code == 2 && err.contains("state.json") && err.contains("broken"), "{err}");
}

#[test]
fn a_log_is_deleted_only_when_somebody_says_yes() {
    let leak = token(22);
    let storage = storage(&leak);
    let home = Home::new();
    let erasing = Server::start({
        let storage = storage.url.clone();
        move |got| match (got.method.as_str(), got.path()) {
            ("DELETE", _) => Reply::json(204, ""),
            (_, "/repos/octo-org/octo-repo/actions/runs/1001") => {
                let runs: serde_json::Value = serde_json::from_str(&recorded("github/actions_runs_2.json")).unwrap();
                Reply::json(200, &runs["workflow_runs"][0])
            }
            (_, path) if path.ends_with("/jobs") => Reply::json(200, recorded("github/actions_jobs.json")),
            (_, path) => Reply::Redirect(format!("{storage}{path}?sig=signed")),
        }
    });
    let deleted = || erasing.count("DELETE /repos/octo-org/octo-repo/actions/runs/1001/logs");
    let words = ["github:octo-org/octo-repo#1001", "--base-url", &erasing.url, "--ledger", "ledger.db", "--erase"];
    let plan = "DELETE /repos/octo-org/octo-repo/actions/runs/1001/logs, irreversible";
    for more in [&[][..], &["--dry-run"]] {
        let (code, _, err) = home.stanch(&[&words, more].concat(), GITHUB);
        assert!(code == 1 && err.contains(plan), "{err}");
        assert_eq!(deleted(), 0);
        assert!(!home.path("ledger.db").exists());
    }
    let (code, _, err) = home.stanch(&[&words[..], &["--yes"]].concat(), GITHUB);
    assert!(code == 1 && err.contains("github:octo-org/octo-repo#1001: erased"), "{err}");
    assert_eq!(deleted(), 1);
    let ledger = std::fs::read(home.path("ledger.db")).unwrap();
    assert!(memchr::memmem::find(&ledger, &leak.as_bytes()[8..]).is_none());
    for known in ["erase: github:octo-org/octo-repo#1001", "\"erased\":true", "found", "intent", "outcome"] {
        assert!(memchr::memmem::find(&ledger, known.as_bytes()).is_some(), "{known}");
    }
}

#[test]
fn gitlabs_jobs_are_erased_and_bitbuckets_are_left_to_a_person() {
    let leak = token(23);
    let played = gitlab(&leak);
    let home = Home::new();
    let words = ["gitlab:team/app#7", "--base-url", &played.url, "--ledger", "ledger.db", "--erase", "--yes"];
    let (code, _, err) = home.stanch(&words, &[("GITLAB_TOKEN", OURS)]);
    assert_eq!(code, 1);
    assert_eq!(played.count("POST /api/v4/projects/team%2Fapp/jobs/7/erase"), 1);
    assert!(err.contains("not erased"), "the played one answers 404, and has the job still: {err}");
    let text = format!("TOKEN={leak}\n");
    let server = Server::start(move |got| match got.path() {
        path if path.ends_with("/steps") => Reply::json(200, recorded("bitbucket/steps.json")),
        path if path.ends_with("/log") => Reply::file("application/octet-stream", text.clone()),
        _ => Reply::json(200, recorded("bitbucket/pipelines.json")),
    });
    let words = ["bitbucket:ws/app", "--base-url", &server.url, "--erase", "--yes", "--ledger", "other.db"];
    let (code, _, err) = home.stanch(&words, &[("BITBUCKET_TOKEN", OURS)]);
    assert!(code == 1 && err.contains("https://bitbucket.org/ws/app/pipelines/results/2/steps/"), "{err}");
    assert!(!home.path("other.db").exists());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let home = Home::new();
    for words in [
        &["github:o/r/x"][..],
        &["github:o/r", "--status", "failed"],
        &["gitlab:g/p", "--workflow", "ci.yml"],
        &["bitbucket:w/r", "--artifacts"],
        &["github:o/r", "--since", "whenever"],
        &["github:o/r", "src"],
        &["github:o/r", "--yes"],
        &["github:o/r", "--base-url", "http://192.0.2.1"],
        &["github:o/r", "--base-url", "https://u:p@example.org"],
    ] {
        let (code, _, err) = home.stanch(words, &[]);
        assert!(code == 2 && !err.is_empty(), "{words:?}: {err}");
    }
}

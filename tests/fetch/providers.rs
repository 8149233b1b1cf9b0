//! Each provider from its first page to its last log.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use stanch::coverage::Why;
use stanch::exit::Exit;
use stanch::fetch::Options;

use crate::play::{OURS, fact, line, logs, recorded, scanned, seekable, streamed, token, told};
use crate::server::{Got, Reply, Server};

/// GitHub with the recorded runs; run 1001 leaks. Logs are at `storage`, as GitHub has them elsewhere.
pub fn github(storage: &Server) -> Server {
    let there = storage.url.clone();
    Server::start(move |got| {
        let me = format!("http://{}", got.headers["host"]);
        assert_eq!(got.token().as_deref(), Some(OURS));
        match got.path() {
            "/repos/octo-org/octo-repo/actions/runs" if got.target.contains("page=2") => {
                Reply::json(200, recorded("github/actions_runs_2.json"))
            }
            "/repos/octo-org/octo-repo/actions/runs" => Reply::json(200, recorded("github/actions_runs.json"))
                .with("link", format!("<{me}{}&page=2>; rel=\"next\", <{me}/x?page=2>; rel=\"last\"", got.target)),
            path if path.ends_with("/jobs") => Reply::json(200, recorded("github/actions_jobs.json")),
            "/repos/octo-org/octo-repo/actions/runs/1001/artifacts" => {
                Reply::json(200, recorded("github/actions_artifacts.json"))
            }
            path if path.ends_with("/artifacts") => Reply::json(200, r#"{"total_count":0,"artifacts":[]}"#),
            "/repos/octo-org/octo-repo/actions/runs/1001" => {
                let runs: serde_json::Value = serde_json::from_str(&recorded("github/actions_runs_2.json")).unwrap();
                Reply::json(200, &runs["workflow_runs"][0])
            }
            path => Reply::Redirect(format!("{there}{path}?sig=signed")),
        }
    })
}

/// Where GitHub keeps archives: it must never see a credential.
pub fn storage(leak: &str) -> Server {
    let leak = leak.to_owned();
    Server::start(move |got| {
        assert!(got.target.ends_with("?sig=signed") && got.token().is_none());
        assert!(!got.headers.contains_key("authorization") && !got.headers.contains_key("cookie"));
        let leak = if got.path().contains("/1001/") { &leak } else { "nothing" };
        let members = [
            ("build  linux/1_Set up job.txt", line("##[group]Runner Image")),
            ("build  linux/2_Run make.txt", line("##[group]Run make") + &line(&format!("+ export TOKEN={leak}"))),
            ("lint/1_Set up job.txt", line("all is well")),
        ];
        Reply::file("application/zip", streamed(&members))
    })
}

#[test]
fn every_attempt_of_every_run_of_github_is_read_and_named() {
    let leak = token(1);
    let storage = storage(&leak);
    let server = github(&storage);
    let (findings, summary) = scanned(logs("github:octo-org/octo-repo", &server, Options::default()));
    let (places, skips) = told(&findings, &summary);
    // In the other runs the variable is set, too, to a word.
    let place =
        |run: &str, hidden: &str| format!("github:octo-org/octo-repo#{run}!/build  linux/2_Run make.txt:2{hidden}");
    assert_eq!(places, [place("2002.2", " hidden"), place("2002", " hidden"), place("1001", "")]);
    assert_eq!(skips, [(Why::StillRunning, "github:octo-org/octo-repo#3003".to_owned())]);
    assert_eq!(summary.coverage.streams, 12, "three members of three archives, and what the headers of each say");
    let known =
        ["ci.provider", "ci.repository", "ci.run", "ci.job", "log.job", "log.step", "log.time", "ci.started", "ci.url"];
    assert_eq!(
        known.map(|name| fact(&findings[2], name).unwrap()),
        [
            "github",
            "octo-org/octo-repo",
            "1001",
            "build / linux",
            "build  linux",
            "Run make",
            "2026-11-18T08:00:12.1234567Z",
            "2026-11-18T08:00:00Z",
            "https://github.com/octo-org/octo-repo/actions/runs/1001/job/399444496",
        ]
    );
    let paths: Vec<String> = storage.log().iter().map(|got| got.path().to_owned()).collect();
    let path = |run: &str| format!("/repos/octo-org/octo-repo/actions/runs/{run}/logs");
    for run in ["1001/attempts/1", "2002/attempts/1", "2002/attempts/2"] {
        assert!(paths.contains(&path(run)), "{run} of {paths:?}");
    }
    assert_eq!(
        server.log().iter().filter(|got| got.path().ends_with("/jobs")).count(),
        1,
        "jobs of the run that leaks"
    );
}

#[test]
fn options_become_githubs_parameters() {
    let storage = storage("nothing");
    let server = github(&storage);
    let options = Options {
        since: Some("2026-11-01T00:00:00Z".parse().unwrap()),
        branch: Some("feature/a b".to_owned()),
        status: Some("failure".to_owned()),
        limit: Some(1),
        ..Options::default()
    };
    scanned(logs("github:octo-org/octo-repo", &server, options));
    assert_eq!(
        server.log()[0].target,
        "/repos/octo-org/octo-repo/actions/runs?per_page=100&created=%3E%3D2026-11-01T00%3A00%3A00Z\
         &branch=feature%2Fa+b&status=failure"
    );
    assert_eq!(server.log().len(), 1, "the newest run alone, and that has not ended");
}

#[test]
fn one_run_and_one_attempt_can_be_named() {
    let storage = storage(&token(2));
    let server = github(&storage);
    let (findings, summary) = scanned(logs("github:octo-org/octo-repo#1001", &server, Options::default()));
    assert_eq!((findings.len(), summary.exit()), (1, Exit::Found));
    let (findings, _) = scanned(logs("github:octo-org/octo-repo#1001.7", &server, Options::default()));
    assert!(findings.is_empty());
}

#[test]
fn more_than_a_thousand_runs_are_listed_in_slices() {
    // 1500 runs, a minute apart; a search shows a thousand of those that fit.
    let server = Server::start(|got| {
        let at = |index: u64| jiff::Timestamp::from_second(1_790_000_000 - 60 * index as i64).unwrap();
        let value = |name: &str| {
            let query = got.target.split_once('?').unwrap().1;
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let until = value("created").map(|range| range.replace("%3A", ":").replace("%3C%3D", "").replace("%3E%3D", ""));
        let until = until.and_then(|range| range.split("..").last().map(str::to_owned)).unwrap();
        let until: jiff::Timestamp = until.parse().unwrap();
        let until = if until.as_second() < 1_700_000_000 { jiff::Timestamp::MAX } else { until };
        let page: u64 = value("page").map_or(1, |page| page.parse().unwrap());
        let fit: Vec<u64> = (0..1500).filter(|&index| at(index) <= until).take(1000).collect();
        let part = fit.iter().skip((page as usize - 1) * 100).take(100);
        let runs: Vec<_> = part
            .map(|&index| serde_json::json!({ "id": index, "status": "queued", "created_at": at(index).to_string() }))
            .collect();
        let more = fit.len() as u64 > page * 100;
        let reply = Reply::json(200, serde_json::json!({ "total_count": 1500, "workflow_runs": runs }));
        let target = got.target.split("&page=").next().unwrap().to_owned();
        let next = format!("<http://{}{target}&page={}>; rel=\"next\"", got.headers["host"], page + 1);
        if more { reply.with("link", next) } else { reply }
    });
    let options = Options { since: Some("2020-01-01T00:00:00Z".parse().unwrap()), ..Options::default() };
    let (_, summary) = scanned(logs("github:o/r", &server, options));
    assert_eq!(summary.coverage.skips.len(), 1500, "each is named, once");
}

#[test]
fn artifacts_are_read_when_they_are_wanted_and_archives_in_them_too() {
    let leak = token(3);
    let inner = seekable(&[("deep/env.txt", format!("TOKEN={leak}\n").into_bytes())], zip::CompressionMethod::Deflated);
    let outer = seekable(&[("a.zip", inner)], zip::CompressionMethod::Stored);
    let storage = Server::start(move |got| match got.path() {
        path if path.ends_with("/artifacts/11/zip") => Reply::file("application/zip", outer.clone()),
        _ => Reply::file("application/zip", streamed(&[("x/1_y.txt", line("clean"))])),
    });
    let server = github(&storage);
    let options = Options { artifacts: true, ..Options::default() };
    let (findings, summary) = scanned(logs("github:octo-org/octo-repo#1001", &server, options));
    let (places, skips) = told(&findings, &summary);
    assert_eq!(places, ["github:octo-org/octo-repo#1001!/artifacts/reports/a.zip!/deep/env.txt:1"]);
    assert_eq!(skips, [(Why::Expired, "github:octo-org/octo-repo#1001!/artifacts/old".to_owned())]);
}

#[test]
fn all_repositories_of_an_organisation_or_user_are_listed() {
    let storage = storage("nothing");
    for (owner, lists) in
        [("octo-org", "/orgs/octo-org/repos"), ("mona", "/user/repos"), ("other", "/users/other/repos")]
    {
        let there = storage.url.clone();
        let server = Server::start(move |got: &Got| match got.path() {
            "/orgs/octo-org" => Reply::json(200, r#"{"login":"octo-org"}"#),
            path if path.starts_with("/orgs/") && path.matches('/').count() == 2 => Reply::json(404, "{}"),
            "/user" => Reply::json(200, r#"{"login":"Mona"}"#),
            path if path.ends_with("/repos") && got.target.contains("page=2") => {
                Reply::json(200, r#"[{"full_name":"o/second"}]"#)
            }
            path if path.ends_with("/repos") => Reply::json(200, r#"[{"full_name":"o/first"}]"#)
                .with("link", format!("<http://{}{}&page=2>; rel=\"next\"", got.headers["host"], got.target)),
            path if path.ends_with("/actions/runs") => Reply::json(
                200,
                r#"{"workflow_runs":[{"id":1,"status":"completed","run_attempt":1,"created_at":"2026-11-18T08:00:00Z"}]}"#,
            ),
            path => Reply::Redirect(format!("{there}{path}?sig=signed")),
        });
        let (_, summary) = scanned(logs(&format!("github:{owner}"), &server, Options::default()));
        assert_eq!((summary.coverage.streams, summary.exit()), (8, Exit::Clean), "{owner}");
        assert_eq!(server.lines().iter().filter(|it| it.as_str() == format!("GET {lists}")).count(), 2, "{owner}");
    }
}

/// GitLab with the recorded jobs; the log of job 7 leaks.
pub fn gitlab(leak: &str) -> Server {
    let leak = leak.to_owned();
    Server::start(move |got| {
        assert_eq!(got.headers.get("private-token").map(String::as_str), Some(OURS));
        let host = &got.headers["host"];
        match got.path() {
            "/api/v4/projects/team%2Fapp" => Reply::json(200, r#"{"path_with_namespace":"team/app"}"#),
            "/api/v4/groups/team/projects" => Reply::json(200, r#"[{"path_with_namespace":"team/app"}]"#),
            "/api/v4/projects/team%2Fapp/jobs" if got.target.contains("cursor=next") => {
                Reply::json(200, recorded("gitlab/jobs_2.json"))
            }
            "/api/v4/projects/team%2Fapp/jobs" => Reply::json(200, recorded("gitlab/jobs.json"))
                .with("link", format!("<http://{host}{}&cursor=next>; rel=\"next\"", got.target)),
            "/api/v4/projects/team%2Fapp/jobs/7" => {
                let jobs: serde_json::Value = serde_json::from_str(&recorded("gitlab/jobs.json")).unwrap();
                Reply::json(200, &jobs[2])
            }
            "/api/v4/projects/team%2Fapp/jobs/7/trace" => {
                let stamp = "2026-11-19T08:00:06.525256Z ";
                let (a, b) = leak.split_at(leak.len() / 2);
                Reply::file("text/plain", format!("{stamp}01O $ echo {a}\n{stamp}00O other\n{stamp}01O+{b}\n"))
            }
            "/api/v4/projects/team%2Fapp/jobs/7/artifacts" => {
                Reply::file("application/zip", streamed(&[("coverage/index.html", format!("<b>{leak}</b>"))]))
            }
            path if path.ends_with("/trace") => Reply::file("text/plain", "nothing\n"),
            _ => Reply::json(404, r#"{"message":"404 Not found"}"#),
        }
    })
}

#[test]
fn every_job_of_gitlab_that_has_a_log_is_read() {
    let server = gitlab(&token(4));
    for target in ["gitlab:team/app", "gitlab:team"] {
        let (findings, summary) = scanned(logs(target, &server, Options::default()));
        let (places, skips) = told(&findings, &summary);
        assert_eq!(places, ["gitlab:team/app#7!/rspec: [1/2]:1"]);
        assert_eq!(skips, [(Why::StillRunning, "gitlab:team/app#9!/deploy".to_owned())]);
        assert_eq!(fact(&findings[0], "ci.url"), Some("https://gitlab.example.com/team/app/-/jobs/7"));
        assert_eq!(fact(&findings[0], "ci.job"), Some("rspec: [1/2]"));
    }
    let first = server.log().into_iter().find(|got| got.path().ends_with("/jobs")).unwrap();
    assert!(first.target.ends_with("?pagination=keyset&order_by=id&sort=desc&per_page=100"), "{}", first.target);
    assert!(!server.lines().iter().any(|line| line.contains("/8/") || line.contains("/5/")), "no log, or no longer");
}

#[test]
fn gitlabs_options_and_artifacts_hold() {
    let server = gitlab(&token(5));
    let options = Options {
        since: Some("2026-11-10T00:00:00Z".parse().unwrap()),
        status: Some("failed".to_owned()),
        artifacts: true,
        ..Options::default()
    };
    let (findings, summary) = scanned(logs("gitlab:team/app", &server, options));
    let (places, _) = told(&findings, &summary);
    assert_eq!(places[1..], ["gitlab:team/app#7!/artifacts/rspec: [1/2]/coverage/index.html:1"]);
    assert!(server.log().iter().any(|got| got.target.contains("scope%5B%5D=failed")));
    assert!(!server.lines().iter().any(|line| line.contains("/6/")), "job 6 is older");
    let (findings, _) = scanned(logs("gitlab:team/app#7", &server, Options::default()));
    assert_eq!(findings.len(), 1, "it is asked for by its number, and is not in the recorded list alone");
}

#[test]
fn every_step_of_bitbucket_is_read_from_its_storage() {
    static STORED: AtomicUsize = AtomicUsize::new(0);
    let leak = token(6);
    let storage = Server::start(move |got| {
        assert!(got.token().is_none());
        STORED.fetch_add(1, SeqCst);
        Reply::file("application/octet-stream", format!("+ docker login -p {leak}\n"))
    });
    let there = storage.url.clone();
    let server = Server::start(move |got| match got.path() {
        "/2.0/repositories/ws/app/pipelines" => Reply::json(200, recorded("bitbucket/pipelines.json")),
        path if path.ends_with("/steps") => Reply::json(200, recorded("bitbucket/steps.json")),
        _ => Reply::Redirect(format!("{there}/blob?sig=1")),
    });
    let options = Options { branch: Some("main".to_owned()), ..Options::default() };
    let (findings, summary) = scanned(logs("bitbucket:ws/app", &server, options));
    let (places, skips) = told(&findings, &summary);
    assert_eq!((places, skips), (vec!["bitbucket:ws/app#2!/Build and test:1".to_owned()], vec![]));
    assert_eq!(STORED.load(SeqCst), 1);
    assert_eq!(server.log()[0].token().as_deref(), Some(OURS));
}

#[test]
fn the_place_of_a_leak_is_the_same_in_every_run() {
    let leak = token(7);
    let storage = storage(&leak);
    let server = github(&storage);
    let (findings, _) = scanned(logs("github:octo-org/octo-repo#1001", &server, Options::default()));
    assert_eq!(findings[0].origin.lasting_name(), "github:octo-org/octo-repo/build  linux/2_Run make.txt");
}

//! What is asked of GitHub is what GitHub's OpenAPI description knows.

use stanch::fetch::Options;
use stanch::fetch::erase::{self, End, Leak};
use stanch::ledger::Ledger;

use crate::description::Description;
use crate::play::{logs, scanned, token};
use crate::providers::{github, storage};
use crate::server::{Reply, Server};

#[test]
fn every_request_to_github_is_described() {
    let description = Description::read();
    let leak = token(8);
    let storage = storage(&leak);
    let all = Options {
        since: Some("2026-11-01T00:00:00Z".parse().unwrap()),
        branch: Some("main".to_owned()),
        status: Some("completed".to_owned()),
        artifacts: true,
        ..Options::default()
    };
    let mut seen = 0;
    for (target, options) in [
        ("github:octo-org/octo-repo", all.clone()),
        ("github:octo-org/octo-repo", Options { workflow: Some("ci.yml".to_owned()), ..all }),
        ("github:octo-org/octo-repo#1001", Options::default()),
        ("github:octo-org", Options::default()),
        ("github:someone", Options::default()),
    ] {
        let server = github(&storage);
        scanned(logs(target, &server, options));
        for got in server.log() {
            description.check(&got);
            seen += 1;
        }
    }
    assert!(seen > 12, "{seen} requests only");
}

#[test]
fn deleting_a_log_is_described_and_counts_as_done_when_github_says_so() {
    let description = Description::read();
    let server = Server::start(|_| Reply::json(204, ""));
    let origin = stanch::origin::Origin::Log {
        project: "github:o/r".to_owned(),
        run: "5.2".to_owned(),
        part: "build/1_x.txt".to_owned(),
    };
    let leak = Leak { incident: "0".repeat(32), rule: "github-pat".to_owned(), origin, line: 1, page: None };
    let plan = erase::plan(vec![leak]);
    let dir = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(|| "2026-11-21T00:00:00Z".to_owned());
    let mut ledger = Ledger::open(&dir.path().join("l.db"), clock).unwrap();
    let logs = logs("github:o/r", &server, Options::default());
    assert!(matches!(erase::carry_out(&logs, &mut ledger, &plan[0]).unwrap(), End::Erased(_)));
    assert_eq!(server.lines(), ["DELETE /repos/o/r/actions/runs/5/logs"]);
    server.log().iter().for_each(|got| description.check(got));
    let said = &description.operations()["DELETE /repos/{owner}/{repo}/actions/runs/{run_id}/logs"];
    assert_eq!(said["success"], serde_json::json!([204]));
}

//! Every request to GitHub is one that its OpenAPI description knows, with the parameters and body that it names.

use stanch::respond::kind::Kind;

use crate::act::{policy, respond};
use crate::description::Description;
use crate::forge::Forge;
use crate::server::{Reply, Server};
use crate::support::{door, github_token, host, incident, to};

#[test]
fn what_is_asked_and_done_is_described() {
    let description = Description::read();
    let mut seen = 0;
    let mut check = |server: &Server| {
        for got in server.log() {
            description.check(&got);
            seen += 1;
        }
    };
    for (prefix, kind) in [("ghp_", Kind::GithubPat), ("ghs_", Kind::GithubInstallation)] {
        let token = github_token(prefix);
        let forge = Forge::with(&[&token]);
        let dir = tempfile::tempdir().unwrap();
        let http = to("github", &forge.server);
        respond(&http, vec![incident(&token, kind)], &policy(""), &dir.path().join("l.db"), &mut |_, _| ());
        check(&forge.server);
    }
    check(&crate::task::whole_life_at("github"));
    let application = Server::start(|got| match got.method.as_str() {
        "POST" => Reply::json(200, r#"{"hashed_token":"x","scopes":["repo"],"user":{"login":"octocat"}}"#),
        _ => Reply::json(204, ""),
    });
    let ours = "client_id = \"Iv1.abc\"\nclient_secret = { env = \"OURS\" }";
    let http = door(&host("github", &application.url, ours));
    let dir = tempfile::tempdir().unwrap();
    let token = github_token("gho_");
    respond(&http, vec![incident(&token, Kind::GithubOauth)], &policy(""), &dir.path().join("l.db"), &mut |_, _| ());
    assert_eq!(application.count("DELETE /applications/Iv1.abc/token"), 1);
    check(&application);
    assert!(seen > 20, "{seen} requests only");
}

#[test]
fn what_counts_as_done_is_what_github_documents() {
    let description = Description::read();
    for (line, status) in [
        ("POST /credentials/revoke", 202),
        ("DELETE /installation/token", 204),
        ("DELETE /applications/{client_id}/token", 204),
        ("POST /repos/{owner}/{repo}/issues", 201),
    ] {
        assert_eq!(description.operations()[line]["success"], serde_json::json!([status]), "{line}");
    }
}

//! The ways to end a token that need more than the token itself, a credential or an application of ours: each with every
//! fault of every request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;
use stanch::respond::act::End;
use stanch::respond::incident::Incident;
use stanch::respond::kind::Kind;

use crate::act::{policy, respond};
use crate::server::{Got, Reply, Server};
use crate::support::{door, faults, host, hurried, incident, noise, reply, together};

/// A service, a kind, and the request that ends a token of it.
const FLOWS: [(&str, Kind, &str); 10] = [
    ("gitlab", Kind::GitlabTrigger, "DELETE /api/v4/projects/9/triggers/5"),
    ("gitlab", Kind::GitlabAgent, "DELETE /api/v4/projects/9/cluster_agents/3/tokens/5"),
    ("gitlab", Kind::GitlabFeed, "DELETE /api/v4/admin/token"),
    ("gitlab", Kind::GitlabPat, "DELETE /api/v4/users/42/impersonation_tokens/4711"),
    ("gitlab", Kind::GitlabDeploy, "DELETE /api/v4/groups/acme/deploy_tokens/5"),
    ("gitlab", Kind::GitlabOauth, "POST /oauth/revoke"),
    ("gitlab", Kind::GitlabJob, "POST /api/v4/projects/9/jobs/8/cancel"),
    ("github", Kind::GithubOauth, "DELETE /applications/Iv1/token"),
    ("bitbucket-data-center", Kind::BitbucketDataCenter, "DELETE /rest/access-tokens/latest/users/jane/12"),
    ("jira", Kind::AtlassianApi, "DELETE /users/a%3A1/manage/api-tokens/tok-1"),
];

/// All services at once, with one token, and how often it was ended.
fn services(got: &Got, kind: Kind, ended: &AtomicUsize) -> Reply {
    let (live, line) = (ended.load(SeqCst) == 0, got.line());
    // Where the application's owner gets no answer, the token is known by itself, and ended as any other.
    if FLOWS.iter().any(|(_, _, act)| *act == line) || line == "POST /credentials/revoke" {
        ended.fetch_add(1, SeqCst);
        let status = match line.rsplit('/').next() {
            Some("revoke") if line.starts_with("POST /oauth") => 200,
            Some("revoke") => 202,
            Some("cancel") => 201,
            _ => 204,
        };
        return Reply::json(status, "{}");
    }
    let mut known = json!({ "id": 5, "created_at": "2026-01-01", "revoked": !live });
    if matches!(kind, Kind::GitlabTrigger | Kind::GitlabAgent) {
        (known["project_id"], known["agent_id"]) = (json!(9), json!(3));
    }
    let unauthorized = reply(401, "gitlab/unauthorized.json");
    match (line.as_str(), live) {
        ("POST /api/v4/admin/token", _) => Reply::json(200, known),
        ("GET /api/v4/users/42/impersonation_tokens/4711", _) => Reply::json(200, r#"{"id":4711}"#),
        ("GET /api/v4/groups/acme/deploy_tokens", _) => {
            Reply::json(200, r#"[{"id":5,"username":"bot","name":"ci","scopes":["read_registry"]}]"#)
        }
        ("GET /api/v4/projects/acme%2Fsite/deploy_tokens", _) => Reply::json(200, "[]"),
        ("GET /api/v4/personal_access_tokens/self", true) => reply(200, "gitlab/self.json"),
        ("GET /api/v4/personal_access_tokens/self", false) => reply(401, "gitlab/revoked.json"),
        ("GET /api/v4/personal_access_tokens/self/associations", _) => reply(200, "gitlab/associations.json"),
        ("GET /api/v4/user", _) => reply(200, "gitlab/user.json"),
        ("GET /jwt/auth", true) => Reply::json(200, r#"{"token":"x"}"#),
        ("GET /jwt/auth", false) => Reply::json(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
        ("GET /oauth/token/info", true) => Reply::json(200, r#"{"resource_owner_id":1,"scope":["api"]}"#),
        ("GET /api/v4/job", true) => Reply::json(200, r#"{"id":8,"pipeline":{"project_id":9}}"#),
        ("POST /applications/Iv1/token", true) => {
            Reply::json(200, r#"{"hashed_token":"x","user":{"login":"octocat"}}"#)
        }
        ("POST /applications/Iv1/token", false) => Reply::json(404, r#"{"message":"Not Found"}"#),
        ("GET /user", true) => reply(200, "github/user.json"),
        ("GET /user", false) => reply(401, "github/bad_credentials.json"),
        ("GET /user/repos", _) => reply(200, "github/user_repos.json"),
        ("GET /rest/api/1.0/projects", true) => reply(200, "bitbucket/dc_projects.json").with("x-ausername", "jane"),
        ("GET /rest/api/1.0/projects", false) => reply(401, "bitbucket/dc_unauthorized.json"),
        ("GET /rest/access-tokens/latest/users/jane/12", _) => Reply::json(200, r#"{"id":"12","name":"ci"}"#),
        ("GET /rest/api/3/myself", true) => Reply::json(200, r#"{"accountId":"a:1","displayName":"Jane"}"#),
        ("GET /users/a%3A1/manage/api-tokens", _) => reply(200, "atlassian/api_tokens.json"),
        ("GET /_edge/tenant_info", _) => Reply::json(200, r#"{"cloudId":"c-1"}"#),
        (line, _) if line.ends_with("/myself") => Reply::json(401, r#"{"message":"no"}"#).with("x-arequestid", "1"),
        ("GET /2.0/user", _) => Reply::json(401, r#"{"error":{"message":"no"}}"#),
        (line, false) if line.starts_with("GET /oauth/") || line == "GET /api/v4/job" => unauthorized,
        (other, _) => panic!("{other}"),
    }
}

/// What stands around the token.
fn case(kind: Kind) -> Incident {
    let mut case = incident(&noise(40), kind);
    case.hints.users = vec!["bot".to_owned()];
    case.hints.paths = vec!["acme/site".to_owned()];
    case.hints.emails = vec!["jane@corp.test".to_owned()];
    case.facts = vec![stanch::finding::Fact { name: "data_center.id", value: "000000000012".to_owned() }];
    case
}

/// Runs until the incident is closed; the requests that it took. After so many of them one goes wrong.
fn run(flow: usize, trouble: Option<(usize, Reply, bool)>) -> Vec<String> {
    let (service, kind, act) = FLOWS[flow];
    let (ended, served) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let (counter, story, well) = (ended.clone(), format!("{act} with {trouble:?}"), trouble.is_none());
    let server = Server::start(move |got| {
        let now = served.fetch_add(1, SeqCst);
        match trouble.as_ref().filter(|(after, ..)| *after == now) {
            Some((_, reply, done)) => {
                if *done {
                    services(got, kind, &counter);
                }
                reply.clone()
            }
            None => services(got, kind, &counter),
        }
    });
    let ours = "credential = { env = \"OURS\" }\nclient_id = \"Iv1\"\nclient_secret = { env = \"OURS\" }";
    let mut config = host(service, &server.url, if service == "jira" { "" } else { ours });
    if service == "jira" {
        config += &host("bitbucket", &format!("{}/2nd", server.url), "");
        config += &host("atlassian", &format!("{}/3rd", server.url), ours);
    }
    let (http, case, dir) = (hurried(door(&config)), case(kind), tempfile::tempdir().unwrap());
    let once =
        || respond(&http, vec![case.clone()], &policy(""), &dir.path().join("l.db"), &mut |_, _| ()).1.remove(0).1;
    let mut end = once();
    for _ in 0..3 {
        assert!(ended.load(SeqCst) == 1 || !matches!(end, End::Closed(_)), "{story}: closed, but alive");
        if matches!(end, End::Closed(_)) {
            break;
        }
        end = once();
    }
    assert!(matches!(end, End::Closed(_)), "{story}: {end:?}");
    assert_eq!(ended.load(SeqCst), 1, "{story}");
    assert!(!well || server.count(act) == 1, "{story}");
    server.lines()
}

#[test]
fn every_fault_of_every_request_that_needs_a_credential_ends_with_a_dead_token_and_no_second_act() {
    let faults = faults("http://127.0.0.1:9/elsewhere");
    let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for (flow, (_, _, act)) in FLOWS.iter().enumerate() {
        for (at, line) in run(flow, None).into_iter().enumerate() {
            for fault in &faults {
                for done in [false, true].into_iter().filter(|done| !done || line == *act) {
                    let fault = fault.clone();
                    jobs.push(Box::new(move || drop(run(flow, Some((at, fault, done))))));
                }
            }
        }
    }
    together(jobs);
}

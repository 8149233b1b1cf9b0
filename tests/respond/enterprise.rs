//! GitHub Enterprise Server, organisations, applications: what only their owners can do. Every request is one that
//! GitHub's OpenAPI description knows.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};
use stanch::http::Http;
use stanch::respond::act::End;
use stanch::respond::incident::Incident;
use stanch::respond::inspection::Inspection;
use stanch::respond::kind::Kind;
use stanch::respond::plan::{self, Action, How, Policy, Verb};

use crate::act::{policy, respond};
use crate::description::Description;
use crate::server::{Reply, Server};
use crate::support::{door, github_token, host, incident, noise, recorded, reply};

const OURS: &str = "credential = { env = \"OURS\" }\norganization = \"acme\"";

fn run(http: &Http, case: &Incident, policy: &Policy) -> Vec<End> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    // Twice: what was done once is not done again.
    let end = || respond(http, vec![case.clone()], policy, &path, &mut |_, _| ()).1.remove(0).1;
    vec![end(), end()]
}

fn described(server: &Server) {
    let description = Description::read();
    for mut got in server.log() {
        got.target = got.target.trim_start_matches("/api/v3").to_owned();
        description.check(&got);
    }
}

/// A server of this version, with two pages of tokens of which the second has ours.
fn enterprise(version: &'static str) -> Server {
    let one = |id: u32, login: &str| {
        json!({ "id": id, "owner": { "login": login }, "token_name": "ci", "token_expired": false,
            "token_expires_at": "2027-01-20T10:00:00Z", "token_last_used_at": null })
    };
    Server::start(move |got| {
        let user = || {
            Reply::json(200, recorded("github/user.json"))
                .with("x-github-enterprise-version", version)
                .with("github-authentication-token-expiration", "2027-01-20 19:07:53 UTC")
        };
        match got.line().trim_start_matches("GET /api/v3") {
            "/user" => user(),
            "/user/repos" => Reply::json(200, "[]"),
            "/orgs/acme/personal-access-tokens" if got.target.ends_with("page=1") => {
                let others: Vec<Value> = (0..100).map(|id| one(id, "somebody")).collect();
                Reply::json(200, Value::from(others)).with("link", "<x>; rel=\"next\"")
            }
            "/orgs/acme/personal-access-tokens" => Reply::json(200, json!([one(142, "octocat")])),
            "POST /api/v3/orgs/acme/personal-access-tokens/142" => Reply::json(204, ""),
            "POST /api/v3/credentials/revoke" => Reply::json(202, "{}"),
            other => panic!("{other}"),
        }
    })
}

#[test]
fn an_old_enterprise_server_shuts_the_organizations_door_and_that_is_not_called_closed() {
    let case = incident(&format!("github_pat_{}_{}", noise(22), noise(59)), Kind::GithubFineGrained);
    let server = enterprise("3.17.4");
    let http = door(&host("github", &format!("{}/api/v3", server.url), OURS));
    let ends = run(&http, &case, &policy(""));
    assert!(
        ends.iter().all(|end| matches!(end, End::Left(why) if why.contains("its owner must delete it"))),
        "{ends:?}"
    );
    assert_eq!(server.count("POST /api/v3/orgs/acme/personal-access-tokens/142"), 1);
    assert_eq!(server.count("POST /api/v3/credentials/revoke"), 0);
    described(&server);
    let server = enterprise("3.18.0");
    let http = door(&host("github", &format!("{}/api/v3", server.url), OURS));
    run(&http, &case, &policy(""));
    assert_eq!(server.count("POST /api/v3/credentials/revoke"), 1);
    described(&server);
    // A classic token of an old server is for a person.
    let server = enterprise("3.17.4");
    let http = door(&host("github", &format!("{}/api/v3", server.url), OURS));
    let ends = run(&http, &incident(&github_token("ghp_"), Kind::GithubPat), &policy(""));
    assert!(matches!(&ends[0], End::Left(why) if why.contains("/settings/tokens")), "{ends:?}");
}

#[test]
fn an_organization_with_sso_takes_its_authorization_back() {
    let token = noise(40).to_lowercase();
    let end = token[32..].to_owned();
    let server = Server::start(move |got| match got.line().as_str() {
        "GET /user" => reply(200, "github/user.json"),
        "GET /user/repos" => Reply::json(200, "[]"),
        "GET /orgs/acme/credential-authorizations" => Reply::json(
            200,
            json!([{ "login": "octocat", "credential_id": 1, "token_last_eight": "00000000" },
                { "login": "octocat", "credential_id": 9, "token_last_eight": end }]),
        ),
        "DELETE /orgs/acme/credential-authorizations/9" => Reply::json(204, ""),
        other => panic!("{other}"),
    });
    let http = door(&host("github", &server.url, OURS));
    let ends = run(&http, &incident(&token, Kind::GithubBare), &policy(""));
    assert!(
        ends.iter().all(|end| matches!(end, End::Left(why) if why.contains("its owner must delete it"))),
        "{ends:?}"
    );
    assert_eq!(server.count("DELETE /orgs/acme/credential-authorizations/9"), 1);
    described(&server);
}

#[test]
fn an_application_resets_its_token_into_a_secret_of_an_organization() {
    let (old, new) = (github_token("gho_"), github_token("gho_"));
    let (dead, made) = (AtomicBool::new(false), new.clone());
    let server = Server::start(move |got| match got.line().as_str() {
        "POST /applications/Iv1/token" if dead.load(SeqCst) => Reply::json(404, "{}"),
        "POST /applications/Iv1/token" => {
            Reply::json(200, r#"{"hashed_token":"x","scopes":["repo"],"user":{"login":"octocat"}}"#)
        }
        "PATCH /applications/Iv1/token" => {
            assert!(!dead.swap(true, SeqCst), "reset twice");
            Reply::json(200, json!({ "id": 1, "token": made }))
        }
        "GET /user" => reply(401, "github/bad_credentials.json"),
        "GET /orgs/acme/actions/secrets/public-key" => {
            let key = crypto_box::SecretKey::from([9; 32]).public_key();
            Reply::json(200, json!({ "key_id": "1", "key": data_encoding::BASE64.encode(key.as_bytes()) }))
        }
        "GET /orgs/acme/actions/secrets/BOT" => Reply::json(200, r#"{"name":"BOT","visibility":"selected"}"#),
        "GET /orgs/acme/actions/secrets/BOT/repositories" => Reply::json(200, r#"{"repositories":[{"id":77}]}"#),
        "PUT /orgs/acme/actions/secrets/BOT" => {
            let body: Value = serde_json::from_str(&got.body).unwrap();
            assert_eq!((&body["visibility"], &body["selected_repository_ids"]), (&json!("selected"), &json!([77])));
            Reply::json(204, "")
        }
        other => panic!("{other}"),
    });
    let ours = format!("{OURS}\nclient_id = \"Iv1\"\nclient_secret = {{ env = \"OURS\" }}");
    let http = door(&host("github", &server.url, &ours));
    let case = incident(&old, Kind::GithubOauth);
    let url = &server.url;
    let place = format!("github-secret = {{ host = \"{url}\", organization = \"acme\", secret = \"BOT\" }}");
    let policy = policy(&format!("[[respond.deliver]]\nfingerprint = \"{}\"\n{place}", case.id));
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy { otherwise: Action::Rotate, successor_file: Some(dir.path().join("spare")), ..policy };
    let ends = run(&http, &case, &policy);
    assert!(ends.iter().all(|end| matches!(end, End::Closed(_))), "{ends:?}");
    described(&server);
    let carries = |got: &crate::server::Got| got.raw.windows(new.len()).any(|it| it == new.as_bytes());
    assert!(!server.log().iter().any(carries), "the successor was sent to somebody in the clear");
}

#[test]
fn what_is_made_beside_the_old_one_is_made_like_it() {
    let ours = "credential = { env = \"OURS\" }";
    let ids = [("token", "5"), ("project", "9"), ("agent", "3"), ("user", "jane")];
    let table = [
        ("gitlab", Kind::GitlabTrigger, "POST /api/v4/projects/9/triggers", "/api/v4/projects/9/triggers/5"),
        (
            "gitlab",
            Kind::GitlabAgent,
            "POST /api/v4/projects/9/cluster_agents/3/tokens",
            "/api/v4/projects/9/cluster_agents/3/tokens/5",
        ),
        (
            "bitbucket-data-center",
            Kind::BitbucketDataCenter,
            "PUT /rest/access-tokens/latest/users/jane",
            "/rest/access-tokens/latest/users/jane/5",
        ),
        ("jira-data-center", Kind::AtlassianDataCenter, "POST /rest/pat/latest/tokens", "/rest/pat/latest/tokens/5"),
    ];
    for (provider, kind, make, end) in table {
        let http = door(&host(provider, "https://h.test", ours));
        let mut case = plan::Case { incident: incident(&noise(40), kind), said: Inspection::live() };
        case.said.host = Some("https://h.test".to_owned());
        case.said.ids = ids.iter().map(|&(name, id)| (name, id.to_owned())).collect();
        case.said.name = Some("ci (stanch 01234567)".to_owned());
        case.said.scopes = vec![stanch::respond::inspection::Scope { name: "REPO_READ".to_owned(), dangerous: false }];
        (case.said.created, case.said.expires) = (Some("2026-01-01".to_owned()), Some("2026-01-31".to_owned()));
        let policy = Policy { otherwise: Action::Rotate, successor_file: Some("x".into()), ..policy("") };
        let plan = plan::make(&[case.clone()], &policy, &http.hosts);
        let Verb::Rotate(rotation) = &plan.steps[0].verb else { panic!("{plan:?}") };
        let How::Beside(beside, last) = &rotation.how else { panic!("{rotation:?}") };
        assert!(beside.make.to_string().starts_with(&make.replacen(' ', " https://h.test", 1)), "{}", beside.make);
        assert!(last.path == end && last.method == "DELETE", "{last}");
        let sent = format!("{:?}", beside.make.carries);
        // The mark of an earlier rotation does not stay in the name.
        assert!(sent.contains(&format!("ci (stanch {:.8})", case.incident.id.to_string())), "{sent}");
        let days = matches!(kind, Kind::BitbucketDataCenter | Kind::AtlassianDataCenter);
        assert_eq!(sent.contains("Number(30)"), days, "{sent}");
    }
}

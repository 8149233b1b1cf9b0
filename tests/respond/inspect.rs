//! What providers say, and what is made of it. Unknown is not dead.

use stanch::http::Http;
use stanch::respond::incident::{Hints, Incident};
use stanch::respond::inspection::{Death, Inspection, Liveness};
use stanch::respond::kind::Kind;
use stanch::respond::provider;

use crate::server::{Got, Reply, Server};
use crate::support::{door, faults, github_token, gitlab_token, host, hurried, incident, noise, reply, to, together};

fn ask(http: &Http, incident: &Incident) -> Inspection {
    provider::inspect(http, incident, None)
}

fn github(got: &Got) -> Reply {
    match got.line().as_str() {
        "GET /user" => reply(200, "github/user.json")
            .with("x-oauth-scopes", "repo, read:org")
            .with("github-authentication-token-expiration", "2026-12-24 10:00:00 UTC"),
        "GET /user/repos" => reply(200, "github/user_repos.json"),
        "GET /installation/repositories" => reply(200, "github/installation_repositories.json"),
        other => panic!("{other}"),
    }
}

fn gitlab(got: &Got) -> Reply {
    match got.line().as_str() {
        "GET /api/v4/personal_access_tokens/self" => reply(200, "gitlab/self.json"),
        "GET /api/v4/user" => reply(200, "gitlab/user.json"),
        "GET /api/v4/personal_access_tokens/self/associations" => reply(200, "gitlab/associations.json"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_live_token_of_github_tells_holder_scopes_expiry_and_reach() {
    let server = Server::start(github);
    let token = github_token("ghp_");
    let said = ask(&to("github", &server), &incident(&token, Kind::GithubPat));
    assert_eq!(said.liveness, Liveness::Live { limited: None });
    assert_eq!(said.holder.as_deref(), Some("octocat"));
    assert_eq!(said.expires.as_deref(), Some("2026-12-24T10:00:00Z"));
    let scopes: Vec<_> = said.scopes.iter().map(|scope| (scope.name.as_str(), scope.dangerous)).collect();
    assert_eq!(scopes, [("repo", true), ("read:org", false)]);
    let reach: Vec<_> = said.reach.iter().map(|one| (one.name.as_str(), one.access.as_str())).collect();
    assert_eq!(reach, [("octocat/hello-world", "admin"), ("acme/site", "pull")]);
    let first = &server.log()[0];
    assert_eq!(first.headers["authorization"], format!("Bearer {token}"));
    assert_eq!(first.headers["x-github-api-version"], "2022-11-28");
}

#[test]
fn a_token_without_the_organizations_sso_is_live_and_limited() {
    let server = Server::start(|got| match got.path() {
        "/user" => github(got).with("x-github-sso", "partial-results; organizations=21955855,20582480"),
        _ => github(got),
    });
    let said = ask(&to("github", &server), &incident(&github_token("ghp_"), Kind::GithubPat));
    let why = "not authorized for SSO of organizations 21955855,20582480".to_owned();
    assert_eq!(said.liveness, Liveness::Live { limited: Some(why) });
    assert_eq!(said.holder.as_deref(), Some("octocat"));
}

#[test]
fn an_installation_is_asked_what_it_reaches() {
    // In the form of before 2026, and in the stateless one.
    for token in [github_token("ghs_"), format!("ghs_123456_eyJ{}.eyJ{}.{}", noise(60), noise(300), noise(86))] {
        let server = Server::start(github);
        let kind = Kind::of_prefix(token.as_bytes()).unwrap();
        let said = ask(&to("github", &server), &incident(&token, kind));
        assert!(kind == Kind::GithubInstallation && said.liveness.is_live());
        assert_eq!(said.owners, ["acme"]);
        assert_eq!(server.lines(), ["GET /installation/repositories"]);
    }
}

#[test]
fn dead_tokens_of_github_are_asked_about_slowly() {
    let server = Server::start(|got| match got.path() {
        "/user" => reply(401, "github/bad_credentials.json"),
        _ => reply(401, "gitlab/revoked.json"),
    });
    let mut http = door(&(host("github", &server.url, "") + &host("gitlab", &format!("{}/2nd", server.url), "")));
    http.pace.pause = std::time::Duration::from_millis(300);
    let github = || incident(&github_token("ghp_"), Kind::GithubPat);
    let start = std::time::Instant::now();
    let all = vec![github(), incident(&gitlab_token(), Kind::GitlabPat), github(), github()];
    let cases = stanch::respond::inspect(&http, all, &mut |_| std::ops::ControlFlow::Continue(()));
    assert!(cases.iter().all(|case| case.said.liveness.is_dead()));
    // Each is a failed login, and several in a short time lock everybody out: a pause before the second and the third.
    assert!(start.elapsed() >= std::time::Duration::from_millis(600), "{:?}", start.elapsed());
    assert_eq!(server.count("GET /user"), 3);
}

#[test]
fn a_refresh_token_is_not_asked_about() {
    let server = Server::canary();
    let said = ask(&to("github", &server), &incident(&github_token("ghr_"), Kind::GithubRefresh));
    assert!(matches!(said.liveness, Liveness::Unknown(_)));
    assert!(server.log().is_empty());
}

#[test]
fn github_has_many_ways_to_refuse_and_one_to_say_dead() {
    let dead = Liveness::Dead(Death::UnknownToProvider);
    let message = |status, text: &str| Reply::json(status, serde_json::json!({ "message": text }));
    let cases: Vec<(Reply, &str)> = vec![
        (reply(401, "github/bad_credentials.json"), "dead"),
        (message(401, "Requires authentication"), "unknown"),
        (message(403, "Forbidden"), "unknown"),
        (message(403, "Maximum number of login attempts exceeded. Please try again later."), "unknown"),
        (
            message(403, "Resource protected by organization SAML").with("x-github-sso", "required; url=x"),
            "live-limited",
        ),
        (message(403, "the `acme` organization has an IP allow list enabled"), "live-limited"),
        (message(403, "Resource not accessible by personal access token"), "live-limited"),
        (message(404, "Not Found"), "unknown"),
    ];
    for (reply, expected) in cases {
        let server = Server::start(move |_| reply.clone());
        let said = ask(&to("github", &server), &incident(&github_token("ghp_"), Kind::GithubPat));
        assert_eq!(said.liveness.as_str(), expected, "{:?}", said.liveness);
        assert_eq!(said.liveness == dead, expected == "dead");
    }
}

#[test]
fn a_live_token_of_gitlab_tells_all() {
    let server = Server::start(gitlab);
    let token = gitlab_token();
    let said = ask(&to("gitlab", &server), &incident(&token, Kind::GitlabPat));
    assert!(said.liveness.is_live());
    assert_eq!(said.holder.as_deref(), Some("jane"));
    assert_eq!(said.ips, ["203.0.113.7"]);
    assert_eq!(said.expires.as_deref(), Some("2027-01-20"));
    assert_eq!(said.ids["token"], "4711");
    let reach: Vec<_> = said.reach.iter().map(|one| (one.what, one.name.as_str(), one.access.as_str())).collect();
    assert_eq!(reach, [("group", "acme", "owner"), ("project", "acme/site", "owner")]);
    assert_eq!(server.log()[0].headers["private-token"], token);
}

#[test]
fn gitlab_has_three_401s_and_each_means_something_else() {
    for (status, file, expected) in [
        (401, "gitlab/revoked.json", Liveness::Dead(Death::Revoked)),
        (401, "gitlab/expired.json", Liveness::Dead(Death::Expired)),
        (401, "gitlab/unauthorized.json", Liveness::Dead(Death::UnknownToProvider)),
    ] {
        let server = Server::start(move |_| reply(status, file));
        let said = ask(&to("gitlab", &server), &incident(&gitlab_token(), Kind::GitlabPat));
        assert_eq!(said.liveness, expected, "{file}");
    }
    for (status, file) in [(401, "gitlab/impersonation_disabled.json"), (403, "gitlab/insufficient_scope.json")] {
        let server = Server::start(move |_| reply(status, file));
        let said = ask(&to("gitlab", &server), &incident(&gitlab_token(), Kind::GitlabPat));
        assert_eq!(said.liveness.as_str(), "live-limited", "{file}");
    }
}

#[test]
fn a_token_that_says_itself_that_it_is_revoked_is_dead() {
    let server = Server::start(|_| Reply::json(200, r#"{"id":1,"scopes":[],"revoked":true,"active":false}"#));
    let said = ask(&to("gitlab", &server), &incident(&gitlab_token(), Kind::GitlabPat));
    assert_eq!(said.liveness, Liveness::Dead(Death::Revoked));
}

#[test]
fn an_administrator_learns_what_is_dead_and_an_old_gitlab_says_nothing() {
    for (status, body, expected) in [
        (200, r#"{"id":5,"revoked":true,"expires_at":null}"#, "dead"),
        (200, r#"{"id":5,"agent_id":3,"status":"revoked"}"#, "dead"),
        (200, r#"{"id":5,"agent_id":3,"status":"active"}"#, "live"),
        (200, r#"{"id":5,"active":false,"status":"online"}"#, "live"),
        (404, r#"{"message":{"error":"Not found"}}"#, "dead"),
        (404, r#"{"error":"404 Not Found"}"#, "unknown"),
        (403, r#"{"message":"403 Forbidden"}"#, "unknown"),
        (422, r#"{"message":"Token type not supported."}"#, "unknown"),
    ] {
        let server = Server::start(move |_| Reply::json(status, body));
        let http = door(&host("gitlab", &server.url, "credential = { env = \"OURS\" }"));
        let said = ask(&http, &incident(&format!("glagent-{}", noise(50)), Kind::GitlabAgent));
        assert_eq!(said.liveness.as_str(), expected, "{status} {body}");
    }
}

#[test]
fn an_unknown_token_of_gitlab_is_unknown_in_both_words() {
    for body in
        [r#"{"message":"401 Unauthorized"}"#, r#"{"error":"invalid_token","error_description":"Bad Access Token."}"#]
    {
        let server = Server::start(move |_| Reply::json(401, body));
        let said = ask(&to("gitlab", &server), &incident(&gitlab_token(), Kind::GitlabPat));
        assert_eq!(said.liveness, Liveness::Dead(Death::UnknownToProvider), "{body}");
    }
}

/// Every kind that is asked, at every service that knows it.
fn everywhere() -> Vec<(&'static str, Kind)> {
    vec![
        ("github", Kind::GithubPat),
        ("github", Kind::GithubBare),
        ("github", Kind::GithubFineGrained),
        ("github", Kind::GithubOauth),
        ("github", Kind::GithubAppUser),
        ("github", Kind::GithubInstallation),
        ("gitlab", Kind::GitlabPat),
        ("gitlab", Kind::GitlabOauth),
        ("gitlab", Kind::GitlabRunner),
        ("gitlab", Kind::GitlabJob),
        ("gitlab", Kind::GitlabDeploy),
        ("gitlab", Kind::GitlabTrigger),
        ("bitbucket", Kind::BitbucketAccess),
        ("bitbucket", Kind::BitbucketAppPassword),
        ("bitbucket-data-center", Kind::BitbucketDataCenter),
        ("jira", Kind::AtlassianApi),
        ("jira-data-center", Kind::AtlassianDataCenter),
        ("confluence-data-center", Kind::AtlassianDataCenter),
    ]
}

/// A config in which every public host is replaced by the server, so that nothing can leave loopback.
fn only(provider: &str, server: &Server) -> Http {
    let mut config = host(provider, &server.url, "credential = { env = \"OURS\" }\nemails = [\"jane@corp.test\"]");
    for (public, address) in [("github", "2nd"), ("gitlab", "3rd"), ("bitbucket", "4th"), ("atlassian", "5th")] {
        if public != provider {
            config.push_str(&host(public, &format!("{}/{address}", server.url), ""));
        }
    }
    door(&config)
}

#[test]
fn unknown_is_not_dead_whatever_goes_wrong() {
    let canary = Server::canary();
    let mut faults = faults(&format!("{}/user", canary.url));
    faults.extend([401, 403, 404].map(Reply::Html));
    faults.extend(["[]", "{}", "null", "{\"login\":"].map(|body| Reply::json(200, body)));
    faults.extend([429, 503, 407].map(|status| Reply::json(status, "{}")));
    faults.push(Reply::json(403, r#"{"message":"403 Forbidden"}"#));
    let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for fault in faults {
        for (provider, kind) in everywhere() {
            let fault = fault.clone();
            jobs.push(Box::new(move || {
                let reply = fault.clone();
                let server = Server::start(move |_| reply.clone());
                let mut case = incident(&noise(40), kind);
                case.hints.users = vec!["deployer".to_owned()];
                let said = ask(&hurried(only(provider, &server)), &case);
                assert!(
                    matches!(said.liveness, Liveness::Unknown(_) | Liveness::Live { limited: Some(_) }),
                    "{kind:?} at {provider} after {fault:?}: {:?}",
                    said.liveness
                );
            }));
        }
    }
    together(jobs);
    assert!(canary.log().is_empty(), "a redirect led a token to another host");
}

#[test]
fn a_host_that_only_the_text_names_gets_nothing() {
    let canary = Server::canary();
    let server = Server::start(|_| reply(401, "gitlab/unauthorized.json"));
    let mut case = incident(&gitlab_token(), Kind::GitlabPat);
    case.hints = Hints::read(&format!("git clone http://oauth2:****@{}/a/b.git", canary.name()));
    let said = ask(&to("gitlab", &server), &case);
    let Liveness::Unknown(why) = &said.liveness else { panic!("{:?}", said.liveness) };
    assert!(why.contains("[[host]] provider = \"gitlab\"") && why.contains(canary.name()), "{why}");
    assert!(canary.log().is_empty());
    assert_eq!(server.log().len(), 1);
}

#[test]
fn a_refusal_of_one_github_says_nothing_of_another() {
    let line = "allow it with [[host]] provider = \"github\" base_url = ";
    let unknown = |http: &Http, text: &str, expected: Option<String>| {
        let mut case = incident(&github_token("ghp_"), Kind::GithubPat);
        case.hints = Hints::read(text);
        let said = ask(http, &case);
        match expected {
            None => assert_eq!(said.liveness, Liveness::Dead(Death::UnknownToProvider), "{text}"),
            Some(url) => {
                let Liveness::Unknown(why) = &said.liveness else { panic!("{text}: {:?}", said.liveness) };
                assert!(said.disowned && why.contains(&format!("{line}\"{url}\"")), "{text}: {why}");
            }
        }
    };
    let (com, ghes) = (Server::start(|_| reply(401, "github/bad_credentials.json")), Server::canary());
    let refuses = Server::start(|_| reply(401, "github/bad_credentials.json"));
    let enterprise = host("github", &format!("{}/api/v3", refuses.url), "");
    let (alone, both) = (to("github", &com), door(&(host("github", &com.url, "") + &enterprise)));
    // github.com alone was asked: dead, unless the text speaks of a server of somebody's own.
    unknown(&alone, "GH_TOKEN=****", None);
    unknown(&alone, "GH_ENTERPRISE_TOKEN=****", Some("https://HOST/api/v3".to_owned()));
    unknown(&alone, "ghe.corp.test:\n  oauth_token: ****", Some("https://ghe.corp.test/api/v3".to_owned()));
    unknown(
        &alone,
        &format!("curl http://{}/api/v3/user", ghes.name()),
        Some(format!("https://{}/api/v3", ghes.name())),
    );
    // A server of one's own alone was asked: it may be github.com's, which is most of them.
    unknown(&door(&enterprise), "GH_TOKEN=****", Some("https://api.github.com".to_owned()));
    // Both were.
    unknown(&both, "GH_TOKEN=****", None);
    unknown(&both, "GH_ENTERPRISE_TOKEN=****", None);
    assert!(ghes.log().is_empty(), "a host that only the text names was asked");
}

#[test]
fn the_configured_host_that_the_text_names_is_asked_first() {
    let (one, two) = (Server::start(gitlab), Server::start(gitlab));
    let http = door(&(host("gitlab", &one.url, "") + &host("gitlab", &two.url, "")));
    let mut case = incident(&gitlab_token(), Kind::GitlabPat);
    // Both are 127.0.0.1; the port makes the difference only in the whole name.
    case.hints.hosts = vec![two.name().to_owned()];
    let said = ask(&http, &case);
    assert_eq!(said.host.as_deref(), Some(two.url.as_str()));
    assert!(one.log().is_empty());
}

#[test]
fn a_second_host_may_know_what_the_first_does_not() {
    let one = Server::start(|_| reply(401, "gitlab/unauthorized.json"));
    let two = Server::start(gitlab);
    let http = door(&(host("gitlab", &one.url, "") + &host("gitlab", &two.url, "")));
    let said = ask(&http, &incident(&gitlab_token(), Kind::GitlabPat));
    assert!(said.liveness.is_live());
    assert_eq!(said.host.as_deref(), Some(two.url.as_str()));
    assert_eq!(said.evidence.len(), 4);
}

#[test]
fn a_kind_without_a_host_says_which_line_to_add() {
    let http = door("");
    let said = ask(&http, &incident(&noise(44), Kind::BitbucketDataCenter));
    assert!(said.liveness.detail().unwrap().contains("provider = \"bitbucket-data-center\""));
}

#[test]
fn runners_jobs_oauth_and_deploy_tokens_have_their_own_questions() {
    let server = Server::start(|got| match got.line().as_str() {
        "POST /api/v4/runners/verify" => Reply::json(200, r#"{"id":7,"token_expires_at":null}"#),
        "GET /api/v4/job" => {
            Reply::json(200, r#"{"id":8,"name":"test","pipeline":{"id":6,"project_id":9},"user":{"username":"jane"}}"#)
        }
        "GET /oauth/token/info" => {
            Reply::json(200, r#"{"resource_owner_id":1,"scope":["api"],"expires_in":7200,"application":{"uid":"x"}}"#)
        }
        "GET /jwt/auth" => Reply::json(200, r#"{"token":"eyJ"}"#),
        other => panic!("{other}"),
    });
    let http = to("gitlab", &server);
    for kind in [Kind::GitlabRunner, Kind::GitlabJob, Kind::GitlabOauth, Kind::GitlabDeploy] {
        let mut case = incident(&noise(30), kind);
        case.hints.users = vec!["gitlab+deploy-token-1".to_owned()];
        assert!(ask(&http, &case).liveness.is_live(), "{kind:?}");
    }
}

#[test]
fn a_deploy_token_is_not_dead_because_a_name_beside_it_is_not_its_own() {
    let server = Server::start(|got| match got.headers["authorization"].trim_start_matches("Basic ") {
        // `ci-bot:` and so on, in base64.
        coded if coded.starts_with("Y2ktYm90O") => Reply::json(200, r#"{"token":"eyJ"}"#),
        _ => Reply::json(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
    });
    let state = |users: &[&str]| {
        let mut case = incident(&format!("gldt-{}", noise(20)), Kind::GitlabDeploy);
        case.hints.users = users.iter().map(|&user| user.to_owned()).collect();
        ask(&to("gitlab", &server), &case).liveness.as_str()
    };
    assert_eq!(state(&["jane"]), "dead");
    assert_eq!(state(&["jane", "joe"]), "unknown");
    assert_eq!(state(&["jane", "ci-bot"]), "live");
    let before = server.log().len();
    assert_eq!(state(&["a", "b", "c", "d", "e"]), "unknown");
    assert_eq!(server.log().len() - before, 3, "failures are counted by whoever guards the registry");
}

/// A token that worked under its name is refused under every other one, which is no news.
#[test]
fn a_deploy_token_that_worked_is_asked_about_under_the_name_with_which_it_did() {
    let server = Server::start(|got| match got.headers["authorization"].trim_start_matches("Basic ") {
        coded if coded.starts_with("Y2ktYm90O") => Reply::json(200, r#"{"token":"eyJ"}"#),
        _ => Reply::json(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
    });
    let http = to("gitlab", &server);
    let mut case = incident(&format!("gldt-{}", noise(20)), Kind::GitlabDeploy);
    case.hints.users = vec!["ci-bot".to_owned()];
    let earlier = ask(&http, &case);
    assert!(earlier.liveness.is_live());
    for users in [&["jane"][..], &["jane", "joe"], &[]] {
        case.hints.users = users.iter().map(|&user| user.to_owned()).collect();
        assert!(provider::inspect(&http, &case, Some(&earlier)).liveness.is_live(), "{users:?}");
    }
}

/// GitLab shows only the first characters of a trigger's token to whoever did not make it.
#[test]
fn a_trigger_that_we_may_not_see_is_not_dead() {
    let token = format!("glptt-{}", noise(40));
    let shown = std::sync::Arc::new(std::sync::Mutex::new(token.clone()));
    let shared = shown.clone();
    let server = Server::start(move |got| match got.line().as_str() {
        "GET /api/v4/projects/9/triggers" => match shared.lock().unwrap().as_str() {
            "" => Reply::json(200, r#"[{"id":6,"token":"zzzz"}]"#),
            token => Reply::json(200, serde_json::json!([{ "id": 5, "token": token }])),
        },
        "POST /api/v4/admin/token" => Reply::json(403, r#"{"message":"403 Forbidden"}"#),
        other => panic!("{other}"),
    });
    let http = door(&host("gitlab", &server.url, "credential = { env = \"OURS\" }"));
    let mut case = incident(&token, Kind::GitlabTrigger);
    case.hints.projects = vec!["9".to_owned()];
    let mut earlier = ask(&http, &case);
    assert!(earlier.liveness.is_live());
    let now = |earlier: &Inspection, text: &str| {
        *shown.lock().unwrap() = text.to_owned();
        provider::inspect(&http, &case, Some(earlier)).liveness.as_str()
    };
    // Two ways to shorten it: with the prefix, and without.
    for short in [&token[..4], &token[6..10]] {
        assert_eq!(now(&earlier, short), "unknown");
    }
    assert_eq!(now(&earlier, ""), "dead");
    // What the ledger knows of an earlier run has no number.
    earlier.ids.clear();
    assert_eq!((now(&earlier, &token[6..10]), now(&earlier, "")), ("unknown", "dead"));
}

#[test]
fn an_administrator_is_asked_about_what_cannot_tell_of_itself() {
    let server = Server::start(|got| match got.line().as_str() {
        "POST /api/v4/admin/token" => {
            assert_eq!(got.headers["private-token"], "ours-0123456789");
            Reply::json(200, r#"{"id":5,"project_id":9,"revoked":false,"created_at":"2026-01-01"}"#)
        }
        other => panic!("{other}"),
    });
    let http = door(&host("gitlab", &server.url, "credential = { env = \"OURS\" }"));
    let said = ask(&http, &incident(&format!("glptt-{}", noise(40)), Kind::GitlabTrigger));
    assert!(said.liveness.is_live());
    assert_eq!((said.ids["token"].as_str(), said.ids["project"].as_str()), ("5", "9"));
}

#[test]
fn an_api_token_of_atlassian_needs_an_address_and_a_wrong_one_proves_nothing() {
    let server = Server::start(|got| match got.line().as_str() {
        "GET /rest/api/3/myself" if got.headers["authorization"].contains("amFuZUBjb3JwLnRlc3Q6") => {
            reply(200, "atlassian/myself.json")
        }
        "GET /_edge/tenant_info" => Reply::json(200, r#"{"cloudId":"c-1"}"#),
        _ => Reply::json(401, r#"{"errorMessages":["Client must be authenticated"],"error":{"message":"no"}}"#),
    });
    let everything = |more: &str| {
        door(
            &(host("jira", &server.url, more)
                + &host("bitbucket", &format!("{}/2nd", server.url), "")
                + &host("atlassian", &format!("{}/3rd", server.url), "")),
        )
    };
    let case = incident(&format!("ATATT3xFfGF0{}", noise(60)), Kind::AtlassianApi);
    let said = ask(&everything(""), &case);
    assert!(said.liveness.detail().unwrap().contains("emails = "), "{:?}", said.liveness);
    let said = ask(&everything("emails = [\"other@corp.test\"]"), &case);
    assert!(matches!(said.liveness, Liveness::Unknown(_)));
    let said = ask(&everything("emails = [\"other@corp.test\", \"jane@corp.test\"]"), &case);
    assert!(said.liveness.is_live());
    assert_eq!(said.asked_as.as_deref(), Some("jane@corp.test"));
}

#[test]
fn bitbucket_and_the_data_centers() {
    let server = Server::start(|got| match got.line().as_str() {
        "GET /2.0/repositories" => reply(200, "bitbucket/repositories.json")
            .with("x-credential-type", "repo_access_token")
            .with("x-oauth-scopes", "repository:write, pullrequest"),
        "GET /rest/api/1.0/projects" => reply(200, "bitbucket/dc_projects.json").with("x-ausername", "jane"),
        line if line.starts_with("GET /rest/access-tokens/latest/users/jane/") => Reply::json(
            200,
            r#"{"id":"1","name":"ci","permissions":["REPO_READ","REPO_WRITE"],"createdDate":1767225600000}"#,
        ),
        "GET /rest/api/2/myself" => reply(200, "atlassian/dc_myself.json"),
        "GET /rest/api/user/current" => Reply::json(200, r#"{"type":"known","username":"jane"}"#),
        "GET /rest/pat/latest/tokens" => Reply::json(200, r#"[{"id":12,"name":"ci","createdAt":"2026-01-01"}]"#),
        other => panic!("{other}"),
    });
    let said = ask(&only("bitbucket", &server), &incident(&noise(60), Kind::BitbucketAccess));
    assert_eq!(said.kind.as_deref(), Some("repo_access_token"));
    assert_eq!(said.owners, ["acme-ws"]);
    let said = ask(&only("bitbucket-data-center", &server), &incident(&noise(44), Kind::BitbucketDataCenter));
    assert_eq!(said.holder.as_deref(), Some("jane"));
    let mut case = incident(&noise(44), Kind::AtlassianDataCenter);
    case.facts = vec![stanch::finding::Fact { name: "data_center.id", value: "000000000012".to_owned() }];
    for provider in ["jira-data-center", "confluence-data-center"] {
        let said = ask(&only(provider, &server), &case);
        assert!(said.liveness.is_live() && said.holder.is_some(), "{provider}");
        assert_eq!((said.name.as_deref(), said.ids["token"].as_str()), (Some("ci"), "12"), "{provider}");
    }
}

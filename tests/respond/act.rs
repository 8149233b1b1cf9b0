//! Acting: once, proven, and never on what is not ours.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use stanch::http::Http;
use stanch::ledger::{Chain, Ledger};
use stanch::respond::act::{Actor, End, Moment, Patience};
use stanch::respond::config::File;
use stanch::respond::incident::Incident;
use stanch::respond::inspection::Inspection;
use stanch::respond::kind::Kind;
use stanch::respond::plan::{self, Effect, Plan, Policy, Verb};
use stanch::secret::Fingerprint;

use crate::forge::Forge;
use crate::server::{Reply, Server};
use crate::support::{door, faults, github_token, gitlab_token, host, hurried, incident, noise, reply, to, together};

pub fn ledger(path: &Path) -> Ledger {
    Ledger::open(path, Arc::new(|| "2026-11-21T00:00:00Z".to_owned())).unwrap()
}

pub fn policy(config: &str) -> Policy {
    toml::from_str::<File>(config).unwrap().respond.policy(false).unwrap()
}

pub const PATIENCE: Patience = Patience { pause: Duration::from_millis(10), deadline: Duration::from_millis(200) };

/// One run of `stanch revoke`, from the inspection to the end.
pub fn respond(
    http: &Http,
    incidents: Vec<Incident>,
    policy: &Policy,
    path: &Path,
    tell: &mut dyn FnMut(Moment, &[Fingerprint]),
) -> (Plan, Vec<(Fingerprint, End)>) {
    let cases = stanch::respond::inspect(http, incidents, &mut |_| ControlFlow::Continue(()));
    let plan = plan::make(&cases, policy, &http.hosts);
    let mut ledger = ledger(path);
    let ends = Actor { http, ledger: &mut ledger, patience: PATIENCE, tell }.run(&cases, &plan).unwrap();
    assert!(matches!(ledger.verify().unwrap(), Chain::Whole { .. }));
    (plan, ends)
}

fn run(http: &Http, case: &Incident, path: &Path) -> End {
    let (_, mut ends) = respond(http, vec![case.clone()], &policy(""), path, &mut |_, _| ());
    assert_eq!(ends.len(), 1);
    ends.remove(0).1
}

fn temp() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    (dir, path)
}

/// Every kind that is ended by a call that needs nobody else.
pub fn cases() -> Vec<(&'static str, Incident, &'static str)> {
    let mut jira = incident(&noise(44), Kind::AtlassianDataCenter);
    jira.facts = vec![stanch::finding::Fact { name: "data_center.id", value: "000000000012".to_owned() }];
    vec![
        ("github", incident(&github_token("ghp_"), Kind::GithubPat), "POST /credentials/revoke"),
        ("github", incident(&github_token("ghs_"), Kind::GithubInstallation), "DELETE /installation/token"),
        ("gitlab", incident(&gitlab_token(), Kind::GitlabPat), "DELETE /api/v4/personal_access_tokens/self"),
        (
            "gitlab",
            incident(&format!("glrt-{}", noise(20)), Kind::GitlabRunner),
            "POST /api/v4/runners/reset_authentication_token",
        ),
        ("jira-data-center", jira, "DELETE /rest/pat/latest/tokens/12"),
    ]
}

pub fn text(case: &Incident) -> String {
    String::from_utf8(case.secret.expose().to_vec()).unwrap()
}

#[test]
fn a_live_token_is_ended_proven_dead_and_closed() {
    for (provider, case, line) in cases() {
        let (_dir, path) = temp();
        let token = text(&case);
        let forge = Forge::with(&[&token]);
        let http = to(provider, &forge.server);
        let end = run(&http, &case, &path);
        assert!(matches!(end, End::Closed(_)), "{line}: {end:?}");
        assert!(!forge.is_live(&token));
        assert_eq!(forge.server.count(line), 1);
        // Again: nothing is left to do, and nothing is done.
        let rows = || ledger(&path).rows(None).unwrap().iter().filter(|row| row.event != "inspected").count();
        let before = rows();
        assert!(matches!(run(&http, &case, &path), End::Closed(_)));
        assert_eq!(forge.ended(&token), 1);
        assert_eq!(rows(), before);
    }
}

/// GitLab with one impersonation token, which may not end itself; `off`: impersonation is switched off.
fn impersonating(off: bool) -> Server {
    let live = AtomicBool::new(true);
    Server::start(move |got| {
        let number = "/api/v4/users/42/impersonation_tokens/4711";
        let ours = got.token().as_deref() == Some(crate::house::OURS);
        match (got.method.as_str(), got.path()) {
            ("POST", "/api/v4/admin/token") | ("GET" | "DELETE", "/api/v4/users/42/impersonation_tokens/4711")
                if !ours =>
            {
                panic!("{} without our credential", got.line())
            }
            ("POST", "/api/v4/admin/token") => reply(200, "gitlab/self.json"),
            ("GET", path) if path == number => Reply::json(200, r#"{"id":4711,"impersonation":true}"#),
            ("DELETE", path) if path == number => {
                live.store(false, SeqCst);
                Reply::json(204, "")
            }
            ("DELETE", "/api/v4/personal_access_tokens/self") => Reply::json(400, r#"{"message":"400 Bad request"}"#),
            _ if !live.load(SeqCst) => reply(401, "gitlab/revoked.json"),
            _ if off => reply(401, "gitlab/impersonation_disabled.json"),
            ("GET", "/api/v4/personal_access_tokens/self") => reply(200, "gitlab/self.json"),
            ("GET", "/api/v4/user") => reply(200, "gitlab/user.json"),
            _ => reply(200, "gitlab/associations.json"),
        }
    })
}

#[test]
fn an_impersonation_token_is_ended_by_an_administrator() {
    for off in [false, true] {
        let (_dir, path) = temp();
        let case = incident(&gitlab_token(), Kind::GitlabPat);
        let server = impersonating(off);
        let with = door(&host("gitlab", &server.url, "credential = { env = \"OURS\" }"));
        let end = run(&with, &case, &path);
        assert_eq!(end, End::Closed("revoked".to_owned()), "off {off}");
        assert_eq!(server.count("DELETE /api/v4/users/42/impersonation_tokens/4711"), 1);
        assert_eq!(server.count("DELETE /api/v4/personal_access_tokens/self"), 0);
        // Nobody here is an administrator: a person is told where to go, and the incident stays open.
        let (_dir, path) = temp();
        let server = impersonating(off);
        let end = run(&to("gitlab", &server), &case, &path);
        let (End::Left(said) | End::Failed(said)) = &end else { panic!("off {off}: {end:?}") };
        assert!(said.contains(if off { "/admin/users" } else { "/-/user_settings/" }), "off {off}: {said}");
    }
}

#[test]
fn an_accepted_revocation_is_not_believed_but_proven() {
    let (_dir, path) = temp();
    let case = incident(&github_token("ghp_"), Kind::GithubPat);
    let forge = Forge::with(&[&text(&case)]);
    forge.lag(6);
    assert!(matches!(run(&to("github", &forge.server), &case, &path), End::Closed(_)));
    let (_dir, path) = temp();
    let case = incident(&github_token("ghp_"), Kind::GithubPat);
    let forge = Forge::with(&[&text(&case)]);
    forge.lag(1000);
    let http = to("github", &forge.server);
    assert!(matches!(run(&http, &case, &path), End::Failed(_)));
    // It was accepted: the next run looks, and does not do it again.
    assert!(matches!(run(&http, &case, &path), End::Left(_)));
    assert_eq!(forge.ended(&text(&case)), 1);
    forge.lag(0);
    assert!(matches!(run(&http, &case, &path), End::Closed(_)));
    assert_eq!(forge.ended(&text(&case)), 1);
}

#[test]
fn many_tokens_of_github_go_in_one_call() {
    let (_dir, path) = temp();
    let cases: Vec<Incident> = (0..5).map(|_| incident(&github_token("ghp_"), Kind::GithubPat)).collect();
    let tokens: Vec<String> = cases.iter().map(text).collect();
    let forge = Forge::with(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
    let (_, ends) = respond(&to("github", &forge.server), cases, &policy(""), &path, &mut |_, _| ());
    assert!(ends.iter().all(|(_, end)| matches!(end, End::Closed(_))), "{ends:?}");
    assert_eq!((ends.len(), forge.server.count("POST /credentials/revoke")), (5, 1));
}

#[test]
fn one_bad_token_does_not_save_the_others() {
    let (_dir, path) = temp();
    let cases: Vec<Incident> = (0..3).map(|_| incident(&github_token("ghp_"), Kind::GithubPat)).collect();
    let tokens: Vec<String> = cases.iter().map(text).collect();
    let forge = Forge::with(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
    forge.trouble("/credentials/revoke", Reply::json(422, r#"{"message":"Validation Failed"}"#), false, 1);
    let (_, ends) = respond(&to("github", &forge.server), cases, &policy(""), &path, &mut |_, _| ());
    assert!(ends.iter().all(|(_, end)| matches!(end, End::Closed(_))), "{ends:?}");
    // All, which is refused, then one half after the other.
    assert_eq!(forge.server.count("POST /credentials/revoke"), 3);
    assert!(tokens.iter().all(|token| forge.ended(token) == 1));
}

#[test]
fn the_bad_token_is_found_by_halves_and_not_by_asking_for_each() {
    let (_dir, path) = temp();
    let cases: Vec<Incident> = (0..16).map(|_| incident(&github_token("ghp_"), Kind::GithubPat)).collect();
    let tokens: Vec<String> = cases.iter().map(text).collect();
    let (bad, forge) = (tokens[5].clone(), Forge::with(&tokens.iter().map(String::as_str).collect::<Vec<_>>()));
    let (inner, spoils) = (forge.clone(), bad.clone());
    let server = Server::start(move |got| match got.path() {
        "/credentials/revoke" if got.body.contains(&spoils) => Reply::json(422, "{}"),
        _ => inner.serve(got),
    });
    let (_, ends) = respond(&to("github", &server), cases, &policy(""), &path, &mut |_, _| ());
    let failed: Vec<_> = ends.iter().filter(|(_, end)| !matches!(end, End::Closed(_))).collect();
    assert!(matches!(&failed[..], [(_, End::Failed(why))] if why.contains("422")), "{failed:?}");
    // Of 16: four refusals on the way to the bad one, itself, and the four other halves.
    assert_eq!(server.count("POST /credentials/revoke"), 9);
    assert!(tokens.iter().filter(|token| **token != bad).all(|token| forge.ended(token) == 1));
    assert!(forge.is_live(&bad));
}

#[test]
fn a_token_that_worked_elsewhere_is_not_dead_because_somebody_else_does_not_know_it() {
    let (_dir, path) = temp();
    let case = incident(&github_token("ghp_"), Kind::GithubPat);
    let forge = Forge::with(&[&text(&case)]);
    forge.trouble("/credentials/revoke", Reply::json(403, "{}"), false, usize::MAX);
    assert!(matches!(run(&to("github", &forge.server), &case, &path), End::Failed(_)));
    // The same ledger, but another configuration: who is asked now never saw it.
    let other = Forge::with(&[]);
    for _ in 0..2 {
        let end = run(&to("github", &other.server), &case, &path);
        assert!(
            matches!(&end, End::Left(why) if why.contains("where it worked") && why.contains(&forge.server.url)),
            "{end:?}"
        );
    }
    let rows = ledger(&path).rows(None).unwrap();
    assert!(!rows.iter().any(|row| row.event == "closed"));
    // Where both may be asked, it is found again.
    forge.trouble("nothing", Reply::json(403, "{}"), false, 0);
    let both = door(&(host("github", &other.server.url, "") + &host("github", &forge.server.url, "")));
    assert!(matches!(run(&both, &case, &path), End::Closed(_)));
    assert_eq!(forge.ended(&text(&case)), 1);
}

#[test]
fn a_rule_that_holds_back_holds_what_nobody_can_tell_the_scopes_of() {
    let case = incident(&github_token("ghp_"), Kind::GithubPat);
    let http = to("github", &Forge::with(&[]).server);
    let verb = |said: Inspection, rest: &str| {
        let policy = policy(&format!("[[respond.rule]]\nscope = \"admin:org\"\n{rest}"));
        let cases = [plan::Case { incident: case.clone(), said }];
        let step = plan::make(&cases, &policy, &http.hosts).steps.remove(0);
        (matches!(step.verb, Verb::Revoke(_)), step.confirm)
    };
    let (person, ignore) = ("action = \"revoke\"\nconfirm = \"person\"", "action = \"ignore\"");
    for said in [Inspection::unknown("a timeout"), Inspection::limited("may not ask")] {
        assert_eq!(verb(said.clone(), person), (true, plan::Confirm::Person));
        assert!(!verb(said, ignore).0);
    }
    // Who tells what it may do, and does not name the scope, is believed.
    assert_eq!(verb(Inspection::live(), person), (true, plan::Confirm::Option));
    assert!(verb(Inspection::live(), ignore).0);
}

#[test]
fn a_limit_is_no_reason_to_ask_for_each_token() {
    for status in [403, 429] {
        let (_dir, path) = temp();
        let cases: Vec<Incident> = (0..4).map(|_| incident(&github_token("ghp_"), Kind::GithubPat)).collect();
        let tokens: Vec<String> = cases.iter().map(text).collect();
        let forge = Forge::with(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
        let limit = Reply::json(status, "{}").with("retry-after", "3600");
        forge.trouble("/credentials/revoke", limit, false, usize::MAX);
        let (_, ends) = respond(&to("github", &forge.server), cases, &policy(""), &path, &mut |_, _| ());
        assert!(ends.iter().all(|(_, end)| matches!(end, End::Failed(_))), "{ends:?}");
        assert_eq!(forge.server.count("POST /credentials/revoke"), 1);
    }
}

#[test]
fn what_is_frozen_is_frozen_under_every_name() {
    let case = incident(&gitlab_token(), Kind::GitlabPat);
    let forge = Forge::with(&[&text(&case)]);
    let http = to("gitlab", &forge.server);
    let other = Fingerprint::of_place("rule", b"path", b"", b"");
    // Found in two places it has two names, and the incident has a third; a token from standard input has the last.
    let weak = Incident { id: Fingerprint::of_place("a", b"", b"", b""), also: vec![other], ..case.clone() };
    for frozen in [other, case.id, weak.id] {
        let (_dir, path) = temp();
        let policy = policy(&format!("[respond]\nfreeze = [\"{frozen}\"]"));
        let (_, ends) = respond(&http, vec![weak.clone()], &policy, &path, &mut |_, _| ());
        assert!(matches!(&ends[0].1, End::Left(why) if why.contains("frozen")), "{ends:?}");
    }
    assert!(forge.is_live(&text(&case)));
}

#[test]
fn every_fault_of_every_request_ends_with_a_dead_token_and_no_second_act() {
    let faults = faults("http://127.0.0.1:9/elsewhere");
    let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for (provider, case, act) in cases() {
        // As many requests as a run without trouble makes, and each of them gets its turn.
        let forge = Forge::with(&[&text(&case)]);
        let (_dir, path) = temp();
        run(&to(provider, &forge.server), &case, &path);
        for (at, line) in forge.server.lines().into_iter().enumerate() {
            for fault in &faults {
                // An act may be done, and its answer lost.
                for done in [false, true].into_iter().filter(|done| !done || line == act) {
                    let (case, fault) = (case.clone(), fault.clone());
                    jobs.push(Box::new(move || faulty(provider, &case, act, at, &fault, done)));
                }
            }
        }
    }
    together(jobs);
}

/// One request goes wrong once; runs follow until the incident is closed.
fn faulty(provider: &str, case: &Incident, act: &'static str, at: usize, fault: &Reply, done: bool) {
    let (_dir, path) = temp();
    let token = text(case);
    let forge = Forge::with(&[&token]);
    forge.trouble_after(at, fault.clone(), done);
    let http = hurried(to(provider, &forge.server));
    let story = format!("{act} with {fault:?} for request {at}, done {done}");
    let mut end = run(&http, case, &path);
    for _ in 0..3 {
        assert!(matches!(end, End::Closed(_)) <= !forge.is_live(&token), "{story}: closed, but alive");
        if matches!(end, End::Closed(_)) {
            break;
        }
        end = run(&http, case, &path);
    }
    assert!(matches!(end, End::Closed(_)), "{story}: {end:?}");
    assert_eq!(forge.ended(&token), 1, "{story}");
}

#[test]
fn an_inspection_that_fails_after_the_act_leaves_the_incident_open() {
    let (_dir, path) = temp();
    let case = incident(&gitlab_token(), Kind::GitlabPat);
    let forge = Forge::with(&[&text(&case)]);
    let http = to("gitlab", &forge.server);
    let mut tell = |moment, _: &[Fingerprint]| {
        if moment == Moment::Recorded {
            forge.trouble("/self", Reply::json(503, "{}"), false, usize::MAX);
        }
    };
    let (_, ends) = respond(&http, vec![case.clone()], &policy(""), &path, &mut tell);
    assert!(matches!(ends[0].1, End::Left(_)), "{ends:?}");
    forge.trouble("/self", Reply::json(503, "{}"), false, 0);
    assert!(matches!(run(&http, &case, &path), End::Closed(_)));
    assert_eq!(forge.ended(&text(&case)), 1);
}

#[test]
fn two_runs_at_once_act_once() {
    let (_dir, path) = temp();
    let case = incident(&gitlab_token(), Kind::GitlabPat);
    let forge = Forge::with(&[&text(&case)]);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (path, case, http) = (path.clone(), case.clone(), to("gitlab", &forge.server));
            std::thread::spawn(move || run(&http, &case, &path))
        })
        .collect();
    for thread in threads {
        let end = thread.join().unwrap();
        assert!(matches!(end, End::Closed(_)), "{end:?}");
    }
    assert_eq!(forge.server.count("DELETE /api/v4/personal_access_tokens/self"), 1);
}

#[test]
fn a_ledger_that_cannot_be_written_stops_everything() {
    let case = incident(&gitlab_token(), Kind::GitlabPat);
    let forge = Forge::with(&[&text(&case)]);
    let http = to("gitlab", &forge.server);
    let (_dir, path) = temp();
    let cases = stanch::respond::inspect(&http, vec![case.clone()], &mut |_| ControlFlow::Continue(()));
    let plan = plan::make(&cases, &policy(""), &http.hosts);
    ledger(&path);
    let mut closed = Ledger::open_to_read(&path).unwrap();
    let mut actor = Actor { http: &http, ledger: &mut closed, patience: PATIENCE, tell: &mut |_, _| () };
    assert!(actor.run(&cases, &plan).is_err());
    assert_eq!(forge.ended(&text(&case)), 0);
}

/// How a token is ended of which this much is known.
fn way(provider: &str, more: &str, kind: Kind, ids: &[(&'static str, &str)]) -> String {
    let http = door(&host(provider, "https://h.test", more));
    let mut case = plan::Case { incident: incident(&noise(40), kind), said: Inspection::live() };
    case.said.host = Some("https://h.test".to_owned());
    case.said.ids = ids.iter().map(|&(name, id)| (name, id.to_owned())).collect();
    match plan::make(&[case], &policy(""), &http.hosts).steps.remove(0).verb {
        Verb::Revoke(call) => call.to_string().replace(" https://h.test", " "),
        Verb::Person(person) => format!("person {}", person.page),
        other => panic!("{other:?}"),
    }
}

/// Provider, what `[[host]]` says besides, kind, the provider's numbers; and the way.
type Row = (&'static str, &'static str, Kind, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn every_kind_that_an_api_can_end_is_ended_by_that_api() {
    const OURS: &str =
        "credential = { env = \"X\" }\nclient_id = \"Iv1\"\nclient_secret = { env = \"Y\" }\norganization = \"acme\"";
    let with = "with the configured credential";
    const TOKEN: (&str, &str) = ("token", "5");
    let table: &[Row] = &[
        ("github", "", Kind::GithubPat, &[], "POST /credentials/revoke without a credential"),
        ("github", "", Kind::GithubBare, &[], "person https://h.test/settings/tokens"),
        ("github", OURS, Kind::GithubRefresh, &[], "POST /credentials/revoke without a credential"),
        ("github", "", Kind::GithubInstallation, &[], "DELETE /installation/token as the token itself"),
        ("github", OURS, Kind::GithubOauth, &[("client", "Iv1")], "DELETE /applications/Iv1/token as our application"),
        ("gitlab", "", Kind::GitlabPat, &[TOKEN], "DELETE /api/v4/personal_access_tokens/self as the token itself"),
        ("gitlab", OURS, Kind::GitlabPat, &[TOKEN, ("admin", "yes")], "DELETE /api/v4/personal_access_tokens/5 WITH"),
        (
            "gitlab",
            OURS,
            Kind::GitlabPat,
            &[TOKEN, ("project", "9")],
            "DELETE /api/v4/personal_access_tokens/self as the token itself",
        ),
        (
            "gitlab",
            OURS,
            Kind::GitlabPat,
            &[TOKEN, ("user", "42"), ("admin", "yes"), ("impersonation", "yes")],
            "DELETE /api/v4/users/42/impersonation_tokens/5 WITH",
        ),
        (
            "gitlab",
            "",
            Kind::GitlabPat,
            &[TOKEN, ("user", "42"), ("impersonation", "yes")],
            "person https://h.test/admin/users",
        ),
        ("gitlab", "", Kind::GitlabRunner, &[], "POST /api/v4/runners/reset_authentication_token without a credential"),
        ("gitlab", OURS, Kind::GitlabOauth, &[], "POST /oauth/revoke as our application"),
        ("gitlab", "", Kind::GitlabOauth, &[], "person https://h.test/-/user_settings/applications"),
        (
            "gitlab",
            OURS,
            Kind::GitlabDeploy,
            &[TOKEN, ("project", "a/b")],
            "DELETE /api/v4/projects/a%2Fb/deploy_tokens/5 WITH",
        ),
        ("gitlab", OURS, Kind::GitlabDeploy, &[TOKEN, ("group", "7")], "DELETE /api/v4/groups/7/deploy_tokens/5 WITH"),
        ("gitlab", OURS, Kind::GitlabDeploy, &[], "POST /api/v4/groups/acme/tokens/revoke WITH"),
        ("gitlab", OURS, Kind::GitlabTrigger, &[TOKEN, ("project", "9")], "DELETE /api/v4/projects/9/triggers/5 WITH"),
        (
            "gitlab",
            OURS,
            Kind::GitlabAgent,
            &[TOKEN, ("project", "9"), ("agent", "3")],
            "DELETE /api/v4/projects/9/cluster_agents/3/tokens/5 WITH",
        ),
        (
            "gitlab",
            OURS,
            Kind::GitlabJob,
            &[("project", "9"), ("job", "8")],
            "POST /api/v4/projects/9/jobs/8/cancel WITH",
        ),
        ("gitlab", OURS, Kind::GitlabFeed, &[("admin", "yes")], "DELETE /api/v4/admin/token WITH"),
        ("gitlab", OURS, Kind::GitlabOauthSecret, &[("admin", "yes")], "DELETE /api/v4/admin/token WITH"),
        (
            "gitlab",
            "",
            Kind::GitlabFeed,
            &[("admin", "yes")],
            "person https://h.test/-/user_settings/personal_access_tokens",
        ),
        (
            "bitbucket-data-center",
            OURS,
            Kind::BitbucketDataCenter,
            &[TOKEN, ("user", "jane")],
            "DELETE /rest/access-tokens/latest/users/jane/5 WITH",
        ),
        (
            "jira-data-center",
            "",
            Kind::AtlassianDataCenter,
            &[TOKEN],
            "DELETE /rest/pat/latest/tokens/5 as the token itself",
        ),
        ("jira-data-center", OURS, Kind::AtlassianDataCenter, &[TOKEN], "DELETE /rest/pat/latest/tokens/5 WITH"),
        (
            "jira",
            "",
            Kind::AtlassianApi,
            &[TOKEN, ("account", "a:1"), ("admin_host", "https://api.atlassian.com")],
            "DELETE https://api.atlassian.com/users/a%3A1/manage/api-tokens/5 WITH",
        ),
        (
            "jira",
            "",
            Kind::AtlassianApi,
            &[("account", "a:1")],
            "person https://id.atlassian.com/manage-profile/security/api-tokens",
        ),
    ];
    for (provider, more, kind, ids, expected) in table {
        assert_eq!(way(provider, more, *kind, ids), expected.replace("WITH", with), "{kind:?} at {provider}");
    }
}

#[test]
fn what_no_provider_is_known_for_is_a_persons_with_a_task() {
    let http = door("");
    let secret = stanch::secret::Secret::new(noise(40));
    let mut case = Incident { kind: None, secret, ..incident(&noise(40), Kind::GithubPat) };
    case.provider = "private-key".to_owned();
    case.remedy = "Whatever trusts it must stop.".to_owned();
    let cases = stanch::respond::inspect(&http, vec![case], &mut |_| ControlFlow::Continue(()));
    let automatic = "[respond.task]\nhost = \"https://t.test\"\nautomatic = true";
    let plan = plan::make(&cases, &policy(automatic), &http.hosts);
    let [first, second] = &plan.steps[..] else { panic!("{plan:?}") };
    let Verb::Person(person) = &first.verb else { panic!("{first:?}") };
    assert_eq!((person.steps[0].as_str(), &second.verb), ("Whatever trusts it must stop.", &Verb::Task));
    assert!(person.steps[1].contains("GitHub App") && person.steps[1].contains("https://github.com/settings/apps"));
    assert!(person.check[0].contains("Nobody can be asked"));
}

/// Of a guessed address a refusal proves nothing; of one with which the token worked it does.
#[test]
fn what_a_person_has_ended_is_proven_by_what_was_noted_before() {
    let live = std::sync::Arc::new(AtomicBool::new(true));
    let shared = live.clone();
    let server = Server::start(move |got| match got.line().as_str() {
        "GET /rest/api/3/myself" if shared.load(SeqCst) => reply(200, "atlassian/myself.json"),
        "GET /rest/api/3/myself" => Reply::json(401, r#"{"message":"no"}"#).with("x-arequestid", "1"),
        "GET /_edge/tenant_info" => Reply::json(404, "{}"),
        "GET /2.0/user" => Reply::json(401, r#"{"error":{"message":"no"}}"#),
        other => panic!("{other}"),
    });
    let http = door(
        &(host("jira", &server.url, "emails = [\"jane@corp.test\"]")
            + &host("bitbucket", &format!("{}/2nd", server.url), "")
            + &host("atlassian", &format!("{}/3rd", server.url), "")),
    );
    let (_dir, path) = temp();
    let case = incident(&format!("ATATT3xFfGF0{}", noise(60)), Kind::AtlassianApi);
    for _ in 0..2 {
        let end = run(&http, &case, &path);
        assert!(matches!(&end, End::Left(why) if why.contains("id.atlassian.com")), "{end:?}");
    }
    live.store(false, SeqCst);
    // Whoever never saw it work cannot tell.
    let (_other, fresh) = temp();
    assert!(matches!(run(&http, &case, &fresh), End::Left(_)));
    for _ in 0..2 {
        assert!(matches!(run(&http, &case, &path), End::Closed(_)));
    }
}

#[test]
fn a_run_has_so_many_irreversible_steps_and_no_more() {
    let (_dir, path) = temp();
    let cases: Vec<Incident> = (0..3).map(|_| incident(&github_token("ghp_"), Kind::GithubPat)).collect();
    let tokens: Vec<String> = cases.iter().map(text).collect();
    let forge = Forge::with(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
    let two = policy("[respond]\nmax_irreversible = 2");
    let ended = || tokens.iter().filter(|token| !forge.is_live(token)).count();
    let (_, ends) = respond(&to("github", &forge.server), cases.clone(), &two, &path, &mut |_, _| ());
    let left = ends.iter().filter(|(_, end)| matches!(end, End::Left(why) if why.contains("max_irreversible")));
    assert_eq!((left.count(), ended()), (1, 2), "{ends:?}");
    let (_, ends) = respond(&to("github", &forge.server), cases, &two, &path, &mut |_, _| ());
    assert!(ends.iter().all(|(_, end)| matches!(end, End::Closed(_))) && ended() == 3, "{ends:?}");
    assert_eq!(policy("").max_irreversible, 20);
}

/// An administrator of an Atlassian organisation ends the token of a managed account by its number.
#[test]
fn a_managed_account_loses_one_token_and_never_all_of_its_organization() {
    let live = AtomicBool::new(true);
    let server = Server::start(move |got| match got.line().as_str() {
        "GET /users/a%3A1/manage/api-tokens" => reply(200, "atlassian/api_tokens.json"),
        "DELETE /users/a%3A1/manage/api-tokens/tok-1" => {
            assert_eq!(got.token().as_deref(), Some(crate::house::OURS));
            live.store(false, SeqCst);
            Reply::json(204, "")
        }
        "GET /rest/api/3/myself" if live.load(SeqCst) => {
            Reply::json(200, r#"{"accountId":"a:1","displayName":"Jane"}"#)
        }
        line if line.ends_with("/myself") => {
            Reply::json(401, r#"{"message":"Client must be authenticated"}"#).with("x-arequestid", "1")
        }
        "GET /_edge/tenant_info" => Reply::json(200, r#"{"cloudId":"c-1"}"#),
        "GET /2.0/user" => Reply::json(401, r#"{"error":{"message":"no"}}"#),
        other => panic!("{other}"),
    });
    let at = |path: &str| format!("{}{path}", server.url);
    let http = door(
        &(host("jira", &at(""), "")
            + &host("bitbucket", &at("/2nd"), "")
            + &host("atlassian", &at("/3rd"), "credential = { env = \"OURS\" }")),
    );
    let (_dir, path) = temp();
    let mut case = incident(&format!("ATATT3xFfGF0{}", noise(60)), Kind::AtlassianApi);
    // The owner's address is known from the text around the token.
    case.hints = stanch::respond::incident::Hints::read("curl -u jane@corp.test:**** https://acme.atlassian.net/");
    case.hints.hosts.clear();
    assert!(matches!(run(&http, &case, &path), End::Closed(_)));
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("DELETE")).count(), 1);
    assert!(server.lines().iter().all(|line| !line.contains("/orgs/")));
}

#[test]
fn a_token_that_nobody_owns_up_to_is_not_sent_around_to_be_revoked() {
    let forge = Forge::with(&[]);
    let http = to("github", &forge.server);
    let mut case = incident(&github_token("ghp_"), Kind::GithubPat);
    case.hints.hosts = vec!["git.elsewhere.test".to_owned()];
    let cases = stanch::respond::inspect(&http, vec![case], &mut |_| ControlFlow::Continue(()));
    let Verb::Hold(why) = plan::make(&cases, &policy(""), &http.hosts).steps.remove(0).verb else { panic!() };
    assert!(why.contains("https://git.elsewhere.test/api/v3"), "{why}");
}

/// The plan for one token of jane's at GitLab.
fn planned(config: &str, any_owner: bool) -> Plan {
    let case = incident(&gitlab_token(), Kind::GitlabPat);
    let forge = Forge::with(&[&text(&case)]);
    let http = to("gitlab", &forge.server);
    let id = case.id.to_string();
    let cases = stanch::respond::inspect(&http, vec![case], &mut |_| ControlFlow::Continue(()));
    let file: File = toml::from_str(&config.replace("THIS", &id)).unwrap();
    let plan = plan::make(&cases, &file.respond.policy(any_owner).unwrap(), &http.hosts);
    assert_eq!(forge.server.log().iter().filter(|got| got.method != "GET").count(), 0);
    plan
}

#[test]
fn a_policy_decides() {
    let effect = |config: &str| planned(config, false).steps[0].effect();
    assert_eq!(effect(""), Effect::Irreversible);
    assert_eq!(effect("[respond]\nfreeze = [\"THIS\"]"), Effect::Reads);
    assert_eq!(effect("[respond]\nmax_irreversible = 0"), Effect::Reads);
    assert_eq!(effect("[respond]\nowners = [\"jane\"]"), Effect::Irreversible);
    assert_eq!(effect("[respond]\nowners = [\"Jan\"]"), Effect::Reads);
    assert_eq!(planned("[respond]\nowners = [\"acme\"]", true).irreversible(), 1);
    let rule = |text: &str| effect(&format!("[[respond.rule]]\n{text}"));
    assert_eq!(rule("provider = \"gitlab\"\naction = \"ignore\""), Effect::Reads);
    assert_eq!(rule("provider = \"github\"\naction = \"ignore\""), Effect::Irreversible);
    assert_eq!(rule("liveness = \"live\"\naction = \"task\""), Effect::Reversible);
    assert_eq!(rule("liveness = \"unknown\"\naction = \"task\""), Effect::Irreversible);
    assert_eq!(rule("scope = \"api\"\naction = \"task\""), Effect::Reversible);
    assert_eq!(rule("scope = \"sudo\"\naction = \"task\""), Effect::Irreversible);
}

#[test]
fn a_wrong_policy_is_refused() {
    for config in [
        "[respond]\nfreeze = [\"abc\"]",
        "[[respond.rule]]\nliveness = \"dead\"\naction = \"revoke\"",
        "[[respond.deliver]]\nfile = \"/x\"",
        "[[respond.deliver]]\nname = \"ci\"",
        "[[respond.deliver]]\nname = \"ci\"\nfile = \"/x\"\ncommand = [\"y\"]",
    ] {
        assert!(toml::from_str::<File>(config).unwrap().respond.policy(false).is_err(), "{config}");
    }
    for config in ["[respond]\nfrezze = []", "[[respond.rule]]\naction = \"erase\"", "[[host]]\nprovider = \"x\""] {
        assert!(toml::from_str::<File>(config).is_err(), "{config}");
    }
}

#[test]
fn unknown_may_be_revoked_and_what_has_no_api_is_a_persons() {
    let http = door("");
    let mut http = http;
    http.offline = true;
    let plan = |kind| {
        let cases =
            stanch::respond::inspect(&http, vec![incident(&noise(40), kind)], &mut |_| ControlFlow::Continue(()));
        plan::make(&cases, &policy(""), &http.hosts).steps.remove(0).verb
    };
    let Verb::Revoke(call) = plan(Kind::GithubRefresh) else { panic!() };
    assert_eq!(call.to_string(), "POST https://api.github.com/credentials/revoke without a credential");
    let Verb::Person(person) = plan(Kind::BitbucketAccess) else { panic!() };
    assert!(person.steps.iter().any(|step| step.contains("Do not choose Rotate")));
    assert!(person.page.starts_with("https://bitbucket.org/"));
}

#[test]
fn an_enterprise_server_wants_a_credential_and_is_not_sent_what_it_does_not_take() {
    let forge = Forge::with(&[]);
    let url = format!("{}/api/v3", forge.server.url);
    let call = |more: &str, kind| {
        let mut http = door(&host("github", &url, more));
        http.offline = true;
        let cases =
            stanch::respond::inspect(&http, vec![incident(&noise(40), kind)], &mut |_| ControlFlow::Continue(()));
        plan::make(&cases, &policy(""), &http.hosts).steps.remove(0).verb
    };
    let ours = "credential = { env = \"X\" }";
    assert!(matches!(call("", Kind::GithubPat), Verb::Person(_)));
    let Verb::Revoke(it) = call(ours, Kind::GithubPat) else { panic!() };
    assert!(it.to_string().ends_with("with the configured credential"));
    assert!(matches!(call(ours, Kind::GithubOauth), Verb::Person(_)));
}

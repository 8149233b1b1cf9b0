//! Tasks: one per incident, whoever asks and however often, and closed when the token is dead.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stanch::http::Http;
use stanch::ledger::{Event, Intent, Row};
use stanch::respond::act::{Actor, Moment};
use stanch::respond::config::File;
use stanch::respond::incident::{Brought, Incident, Place};
use stanch::respond::inspection::{Reach, Scope};
use stanch::respond::kind::Kind;
use stanch::respond::plan::{self, Case};
use stanch::respond::task::draft::{self, Brief};
use stanch::respond::task::{Board, Error, Opened, once};

use crate::act::{PATIENCE, ledger, policy};
use crate::forge::Forge;
use crate::server::{Got, Reply, Server};
use crate::support::{door, faults, github_token, host, hurried, incident, together};

#[derive(Clone, Default)]
pub struct Issue {
    title: String,
    body: String,
    labels: Vec<String>,
    pub open: bool,
    confidential: bool,
    assignee: Value,
    pub comments: Vec<String>,
}

/// A tracker that speaks as GitHub, GitLab or Jira.
#[derive(Default)]
struct State {
    issues: Vec<Issue>,
    /// Drops labels and assignees without a word, as GitHub does without push access.
    drops: bool,
    /// Loses the answer to the next creation.
    loses: bool,
    /// The secrets of open alerts.
    alerts: Vec<String>,
    /// So many alerts, or issues at GitHub, come in an answer, which names the next one; 0: all.
    page: usize,
    /// Where the next page is said to be, if not here.
    next_at: Option<String>,
    /// After so many requests one is answered so, after it was done or not.
    trouble: Option<(usize, Reply, bool)>,
    served: usize,
}

#[derive(Clone)]
pub struct Desk {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

impl Desk {
    pub fn new() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let server = Server::start(move |got| shared.lock().unwrap().serve(got));
        Desk { server, state }
    }

    pub fn issues(&self) -> Vec<Issue> {
        self.state.lock().unwrap().issues.clone()
    }
}

impl State {
    fn serve(&mut self, got: &Got) -> Reply {
        self.served += 1;
        match self.trouble.clone().filter(|(after, ..)| self.served == after + 1) {
            Some((_, reply, false)) => reply,
            Some((_, reply, true)) => {
                self.well(got);
                reply
            }
            None => self.well(got),
        }
    }

    fn well(&mut self, got: &Got) -> Reply {
        let line = got.line();
        let body: Value = serde_json::from_str(&got.body).unwrap_or(Value::Null);
        let number = || got.path().split('/').rev().find_map(|it| it.trim_start_matches("SEC-").parse::<usize>().ok());
        match line.as_str() {
            "GET /repos/acme/site/issues" | "GET /api/v4/projects/acme%2Fsite/issues" => {
                let label = got.target.split(['?', '&']).find_map(|pair| pair.strip_prefix("labels="));
                let list: Vec<Value> = self.with(label).map(|(at, issue)| shown(at, issue)).collect();
                // The one word that the two have differently.
                let gitlab = line.contains("/api/v4/");
                let opened = if gitlab { "\"opened\"" } else { "\"open\"" };
                let (list, next) = if gitlab { (list, None) } else { self.paged(got, list) };
                let reply = Reply::json(200, json!(list).to_string().replace("\"open\"", opened));
                next.map_or(reply.clone(), |link| reply.with("link", link))
            }
            "GET /api/v4/users" => Reply::json(200, r#"[{"id":42,"username":"jane"}]"#),
            "POST /repos/acme/site/issues" | "POST /api/v4/projects/acme%2Fsite/issues" => self.create(&body, "body"),
            "POST /rest/api/3/search/jql" => self.search(body["jql"].as_str().unwrap()),
            "GET /rest/api/2/search" => self.search(&got.target.replace("%22", "\"").replace('+', " ")),
            "POST /rest/api/3/issue" | "POST /rest/api/2/issue" => self.create(&body["fields"], "description"),
            "GET /repos/acme/site/secret-scanning/alerts" => {
                let alert = |(at, secret): (usize, &String)| json!({ "number": at + 1, "secret": secret });
                let (list, next) = self.paged(got, self.alerts.iter().enumerate().map(alert).collect());
                let reply = Reply::json(200, json!(list));
                next.map_or(reply.clone(), |link| reply.with("link", link))
            }
            line if line.starts_with("PATCH /repos/acme/site/secret-scanning/alerts/") => {
                assert_eq!(body["resolution"], "revoked");
                self.alerts.remove(number().unwrap() - 1);
                Reply::json(200, "{}")
            }
            line if line.ends_with("/transitions") && got.method == "GET" => Reply::json(
                200,
                r#"{"transitions":[{"id":"11","to":{"statusCategory":{"key":"new"}}},
                    {"id":"31","to":{"statusCategory":{"key":"done"}}}]}"#,
            ),
            line if line.ends_with("/transitions") => {
                self.issues[number().unwrap() - 1].open = body["transition"]["id"] == "11";
                Reply::json(204, "")
            }
            line if got.method == "POST" && ["/comments", "/comment", "/notes"].iter().any(|it| line.ends_with(it)) => {
                self.issues[number().unwrap() - 1].comments.push(body["body"].to_string());
                Reply::json(201, "{}")
            }
            line if line.starts_with("PATCH ") || line.starts_with("PUT ") => {
                let open = body["state"] == "open" || body["state_event"] == "reopen";
                self.issues[number().unwrap() - 1].open = open;
                Reply::json(200, "{}")
            }
            line if line.starts_with("GET /rest/api/") => {
                let issue = &self.issues[number().unwrap() - 1];
                Reply::json(200, json!({ "fields": { "labels": issue.labels, "assignee": issue.assignee } }))
            }
            other => panic!("{other}"),
        }
    }

    /// The page of a list that is asked for, and where the next one is.
    fn paged(&self, got: &Got, list: Vec<Value>) -> (Vec<Value>, Option<String>) {
        let page = got.target.split(['?', '&']).find_map(|pair| pair.strip_prefix("page="));
        let (page, size) = (page.map_or(1, |page| page.parse::<usize>().unwrap()), self.page);
        if size == 0 || list.len() <= page * size {
            return (list.into_iter().skip((page - 1) * size).collect(), None);
        }
        let here = format!("http://{}{}", got.headers["host"], got.path());
        let next = self.next_at.as_ref().unwrap_or(&here);
        let link = format!("<{here}?page=1>; rel=\"first\", <{next}?state=open&page={}>; rel=\"next\"", page + 1);
        (list.into_iter().skip((page - 1) * size).take(size).collect(), Some(link))
    }

    fn with<'a>(&'a self, label: Option<&'a str>) -> impl Iterator<Item = (usize, &'a Issue)> {
        let fits = move |issue: &Issue| label.is_none_or(|label| issue.labels.iter().any(|it| it == label));
        self.issues.iter().enumerate().filter(move |(_, issue)| fits(issue))
    }

    fn create(&mut self, fields: &Value, body: &str) -> Reply {
        let text = |key: &str| fields[key].as_str().unwrap_or_default().to_owned();
        let labels = match &fields["labels"] {
            Value::String(list) => list.split(',').map(str::to_owned).collect(),
            list => list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
        };
        // Jira Cloud is told an account by `id`, and shows it by `accountId`; Data Center has names.
        let assignee = json!({ "accountId": fields["assignee"]["id"], "name": fields["assignee"]["name"] });
        self.issues.push(Issue {
            title: text("title") + &text("summary"),
            body: if fields[body].is_string() { text(body) } else { fields["description"].to_string() },
            labels: if self.drops { Vec::new() } else { labels },
            assignee: if self.drops { Value::Null } else { assignee },
            open: true,
            confidential: fields["confidential"] == json!(true),
            comments: Vec::new(),
        });
        if std::mem::take(&mut self.loses) {
            return Reply::Reset;
        }
        let at = self.issues.len() - 1;
        Reply::json(201, shown(at, &self.issues[at]))
    }

    fn search(&self, jql: &str) -> Reply {
        let label = jql.split('"').find(|it| it.starts_with("stanch-")).unwrap();
        assert!(jql.contains("project"));
        let one = |(at, issue): (usize, &Issue)| {
            let key = if issue.open { "new" } else { "done" };
            json!({ "key": format!("SEC-{}", at + 1), "fields": { "status": { "statusCategory": { "key": key } } } })
        };
        Reply::json(200, json!({ "issues": self.with(Some(label)).map(one).collect::<Vec<_>>(), "isLast": true }))
    }
}

/// An issue as GitHub, GitLab and Jira show one, all at once.
fn shown(at: usize, issue: &Issue) -> Value {
    json!({
        "number": at + 1, "iid": at + 1, "key": format!("SEC-{}", at + 1),
        "html_url": format!("https://t/{}", at + 1), "web_url": format!("https://t/{}", at + 1),
        "state": if issue.open { "open" } else { "closed" },
        "body": issue.body, "description": issue.body, "labels": issue.labels,
        "assignees": if issue.assignee.is_null() { json!([]) } else { json!([{ "id": 42, "login": "jane" }]) },
        "confidential": issue.confidential,
    })
}

const TRACKERS: [(&str, &str); 4] =
    [("github", "acme/site"), ("gitlab", "acme/site"), ("jira", "SEC"), ("jira-data-center", "SEC")];

fn config(provider: &str, project: &str, desk: &Desk) -> String {
    let more = "credential = { env = \"OURS\" }\nuser = \"bot@corp.test\"";
    let link = "https://github.com/acme/site/blob/{commit}";
    format!(
        "{}[respond.task]\nhost = \"{}\"\nproject = \"{project}\"\nassignees = [\"jane\"]\nlink = \"{link}\"\n",
        host(provider, &desk.server.url, more),
        desk.server.url
    )
}

/// A case with a live token, as nobody has inspected it.
fn case() -> Case {
    let mut incident: Incident = incident(&github_token("ghp_"), Kind::GithubPat);
    incident.places = vec![Place {
        origin: "src/a b.rs".to_owned(),
        line: 7,
        brought: Some(Brought {
            commit: "c0ffee".to_owned(),
            author: Some("Jane".to_owned()),
            at: "2026-05-01T00:00:00Z".to_owned(),
        }),
    }];
    let mut said = stanch::respond::inspection::Inspection::live();
    said.holder = Some("octo<b>cat".to_owned());
    said.scopes = vec![Scope { name: "workflow".to_owned(), dangerous: true }];
    said.reach = vec![Reach { what: "repository", name: "acme/site".to_owned(), access: "admin".to_owned() }];
    Case { incident, said }
}

struct Setup {
    file: File,
    http: Http,
    dir: tempfile::TempDir,
}

impl Setup {
    fn new(config: &str) -> Self {
        Setup { file: toml::from_str(config).unwrap(), http: door(config), dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("ledger.db")
    }

    fn board(&self) -> Board<'_> {
        Board::new(&self.http, self.file.respond.task.as_ref().unwrap()).unwrap()
    }

    fn open(&self, case: &Case) -> Result<Opened, Error> {
        self.open_with(case, &[])
    }

    fn open_with(&self, case: &Case, rows: &[Row]) -> Result<Opened, Error> {
        let (board, mut ledger) = (self.board(), ledger(&self.path()));
        let id = case.incident.id.to_string();
        let brief = Brief {
            target: self.file.respond.task.as_ref().unwrap(),
            style: board.style(),
            person: None,
            rows,
            assignees: vec!["jane".to_owned()],
            today: jiff::civil::date(2026, 11, 21),
        };
        once::open(&board, &mut ledger, &id, &draft::write(case, &brief).unwrap())
    }
}

#[test]
fn a_task_is_opened_once_and_opened_again_rather_than_twice() {
    for (provider, project) in TRACKERS {
        let desk = Desk::new();
        let (setup, case) = (Setup::new(&config(provider, project, &desk)), case());
        let opened = setup.open(&case).unwrap();
        assert_eq!((opened.how, opened.dropped.len()), ("opened", 0), "{provider} {opened:?}");
        assert_eq!(setup.open(&case).unwrap().how, "there already");
        // Another machine, with another ledger.
        let other = Setup::new(&config(provider, project, &desk));
        assert_eq!(other.open(&case).unwrap().how, "there already");
        desk.state.lock().unwrap().issues[0].open = false;
        assert_eq!(setup.open(&case).unwrap().how, "reopened");
        let issues = desk.issues();
        assert_eq!((issues.len(), issues[0].open, issues[0].comments.len()), (1, true, 1), "{provider}");
        assert_eq!(issues[0].confidential, provider == "gitlab");
        // Another incident is another task.
        assert_eq!(setup.open(&self::case()).unwrap().how, "opened");
        assert_eq!(desk.issues().len(), 2);
    }
}

#[test]
fn a_task_says_all_but_the_secret() {
    for (provider, project) in TRACKERS {
        let desk = Desk::new();
        let (setup, case) = (Setup::new(&config(provider, project, &desk)), case());
        setup.open(&case).unwrap();
        let issue = desk.issues().remove(0);
        assert_eq!(issue.title, "Leaked GitHub personal access token in src/a b.rs");
        for expected in [
            "blob/c0ffee/src/a%20b.rs#L7",
            "2026-05-01T00:00:00Z by commit",
            "of Jane",
            "(dangerous)",
            "acme/site admin",
            "Due 2026-11-24",
            "audit log",
            &case.incident.id.to_string(),
        ] {
            // What a Markdown reader takes for a sign stands behind a backslash.
            let body = issue.body.replace('\\', "");
            let issue = Issue { body, ..issue.clone() };
            assert!(issue.body.contains(expected), "{provider}: {expected} is missing in {}", issue.body);
        }
        assert!(!issue.body.contains("octo<b>") || provider.starts_with("jira"), "{}", issue.body);
        if provider == "jira" {
            assert_eq!(serde_json::from_str::<Value>(&issue.body).unwrap()["type"], "doc");
        }
        let secret = std::str::from_utf8(case.incident.secret.expose()).unwrap();
        for got in desk.server.log() {
            assert!(!String::from_utf8_lossy(&got.raw).contains(&secret[4..20]), "{provider}: {}", got.line());
        }
    }
}

#[test]
fn a_task_is_written_as_the_users_template_says() {
    let desk = Desk::new();
    let template = "template = \"\"\"{{ kind }} of {{ holder }}:{% for one in left %}\n* {{ one }}{% endfor %}\"\"\"\n";
    let setup = Setup::new(&(config("github", "acme/site", &desk) + template));
    setup.open(&case()).unwrap();
    let body = desk.issues().remove(0).body;
    assert!(body.starts_with("GitHub personal access token of octo") && !body.contains("<b>"), "{body}");
    assert!(body.contains("\n* Revoke the token") && body.contains("<!-- stanch-"), "{body}");
}

#[test]
fn a_lost_answer_makes_no_second_task() {
    for (provider, project) in TRACKERS {
        let desk = Desk::new();
        let (setup, case) = (Setup::new(&config(provider, project, &desk)), case());
        desk.state.lock().unwrap().loses = true;
        assert!(setup.open(&case).is_err());
        assert_eq!(setup.open(&case).unwrap().how, "there already");
        assert_eq!(desk.issues().len(), 1);
    }
}

#[test]
fn what_a_tracker_drops_is_noticed_and_not_needed() {
    for (provider, project) in TRACKERS {
        let desk = Desk::new();
        desk.state.lock().unwrap().drops = true;
        let (setup, case) = (Setup::new(&config(provider, project, &desk)), case());
        let opened = setup.open(&case).unwrap();
        assert!(opened.dropped.contains(&"leaked-secret".to_owned()), "{provider}: {opened:?}");
        assert!(opened.dropped.contains(&"jane".to_owned()), "{provider}: {opened:?}");
        if provider.starts_with("jira") {
            // Jira refuses what it does not know; only there the label alone leads back.
            continue;
        }
        // Newer ones, page after page, stand before it.
        desk.state.lock().unwrap().page = 1;
        let ours = desk.state.lock().unwrap().issues.remove(0);
        desk.state.lock().unwrap().issues = vec![Issue::default(), Issue::default(), ours];
        assert_eq!(setup.open(&case).unwrap().how, "there already", "{provider}");
        assert_eq!(desk.issues().len(), 3, "{provider}");
    }
}

#[test]
fn an_alert_is_resolved_on_whatever_page_it_stands() {
    let (desk, case, canary) = (Desk::new(), case(), Server::canary());
    let setup = Setup::new(&config("github", "acme/site", &desk));
    let token = String::from_utf8(case.incident.secret.expose().to_vec()).unwrap();
    let resolve = || setup.board().resolve_alerts(&case.incident.secret, "dead");
    let lists = || desk.server.lines().iter().filter(|line| line.starts_with("GET")).count();
    let fill = |before: usize| {
        let mut state = desk.state.lock().unwrap();
        state.alerts = (0..before).map(|at| format!("another {at}")).chain([token.clone()]).collect();
        (state.page, state.next_at) = (2, None);
    };
    fill(6);
    assert_eq!((resolve().unwrap(), lists()), (1, 4));
    assert!(!desk.state.lock().unwrap().alerts.contains(&token));
    // A list without end is read to a bound, and what was not seen is said.
    fill(1_000);
    let said = resolve().unwrap_err().to_string();
    assert!(said.contains("more entries") && lists() == 54, "{said}");
    // Nobody is followed to another host, whose next page would get our credential.
    fill(6);
    desk.state.lock().unwrap().next_at = Some(format!("{}/repos/acme/site/secret-scanning/alerts", canary.url));
    assert!(resolve().is_err() && canary.log().is_empty());
}

#[test]
fn many_machines_at_once_leave_one_open_task() {
    let desk = Desk::new();
    let case = case();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (setup, case) = (Setup::new(&config("gitlab", "acme/site", &desk)), case.clone());
            std::thread::spawn(move || setup.open(&case).unwrap())
        })
        .collect();
    let urls: Vec<String> = threads.into_iter().map(|thread| thread.join().unwrap().url).collect();
    assert!(urls.iter().all(|url| *url == "https://t/1"), "{urls:?}");
    assert_eq!(desk.issues().iter().filter(|issue| issue.open).count(), 1);
}

#[test]
fn sync_closes_the_task_when_the_token_is_dead_and_not_before() {
    for (provider, project) in TRACKERS {
        let (desk, mut case) = (Desk::new(), case());
        let token = String::from_utf8(case.incident.secret.expose().to_vec()).unwrap();
        let forge = Forge::with(&[&token]);
        // The tracker comes first: for GitHub both are hosts of one provider.
        let setup = Setup::new(&(host("github", &forge.server.url, "") + &config(provider, project, &desk)));
        desk.state.lock().unwrap().alerts = vec!["another".to_owned(), token.clone()];
        let id = case.incident.id.to_string();
        let sync = || {
            let mut ledger = ledger(&setup.path());
            once::sync(&setup.board(), &mut ledger, &id, Some(&case.incident.secret)).unwrap()
        };
        assert_eq!(sync(), once::Synced::default(), "there is no task");
        setup.open(&case).unwrap();
        assert_eq!(sync(), once::Synced::default(), "nothing happened");
        case.said.host = Some(forge.server.url.clone());
        let cases = [case.clone()];
        let plan = plan::make(&cases, &policy(""), &setup.http.hosts);
        let mut tell = |_: Moment, _: &[_]| ();
        let mut ledger = ledger(&setup.path());
        Actor { http: &setup.http, ledger: &mut ledger, patience: PATIENCE, tell: &mut tell }
            .run(&cases, &plan)
            .unwrap();
        drop(ledger);
        assert!(!forge.is_live(&token));
        let done = sync();
        assert_eq!((done.closed, done.alerts), (1, usize::from(provider == "github")), "{provider}");
        assert!(!desk.issues()[0].open && desk.issues()[0].comments[0].contains("proven dead"));
        assert_eq!(sync().closed, 0);
    }
}

#[test]
fn an_alert_is_resolved_for_what_never_needed_a_task() {
    let (desk, case) = (Desk::new(), case());
    let setup = Setup::new(&config("github", "acme/site", &desk));
    desk.state.lock().unwrap().alerts = vec![String::from_utf8(case.incident.secret.expose().to_vec()).unwrap()];
    let id = case.incident.id.to_string();
    let mut ledger = ledger(&setup.path());
    let mut sync = || once::sync(&setup.board(), &mut ledger, &id, Some(&case.incident.secret)).unwrap().alerts;
    assert_eq!(sync(), 0);
    self::ledger(&setup.path()).note(&id, Event::Closed, &json!({})).unwrap();
    assert_eq!((sync(), sync()), (1, 0));
    assert!(desk.issues().is_empty());
}

/// Every request that a tracker at GitHub or GitLab can get: opened, opened again, closed, an alert resolved.
pub fn whole_life_at(provider: &str) -> Server {
    let (desk, case) = (Desk::new(), case());
    let setup = Setup::new(&config(provider, "acme/site", &desk));
    setup.open(&case).unwrap();
    desk.state.lock().unwrap().issues[0].open = false;
    setup.open(&case).unwrap();
    desk.state.lock().unwrap().alerts = vec![String::from_utf8(case.incident.secret.expose().to_vec()).unwrap()];
    let id = case.incident.id.to_string();
    let mut ledger = ledger(&setup.path());
    ledger.note(&id, stanch::ledger::Event::Closed, &json!({})).unwrap();
    let done = once::sync(&setup.board(), &mut ledger, &id, Some(&case.incident.secret)).unwrap();
    assert_eq!((done.closed, done.alerts), (1, usize::from(provider == "github")));
    desk.server
}

#[test]
fn a_webhook_is_sent_once_and_its_address_stays_secret() {
    let desk = Server::start(|_| Reply::json(200, "{}"));
    let config = host("webhook", &desk.url, "credential = { env = \"HOOK\" }")
        + &format!("[respond.task]\nhost = \"{}\"\n", desk.url);
    let (setup, case) = (Setup::new(&config), case());
    assert_eq!(setup.open(&case).unwrap().how, "sent");
    assert_eq!(setup.open(&case).unwrap().how, "there already");
    // `door` gives every credential this value.
    assert_eq!(desk.lines(), ["POST /ours-0123456789"]);
    let message: Value = serde_json::from_str(&desk.log()[0].body).unwrap();
    assert!(message["text"].as_str().unwrap().starts_with("Leaked GitHub"));
    assert!(!format!("{:?}", ledger(&setup.path()).rows(None).unwrap()).contains("ours-0123456789"));
}

#[test]
fn a_chat_is_called_by_nobody_who_names_a_file() {
    let desk = Server::start(|_| Reply::json(200, "{}"));
    let config = host("webhook", &desk.url, "credential = { env = \"HOOK\" }")
        + &format!("[respond.task]\nhost = \"{}\"\n", desk.url);
    let (setup, mut case) = (Setup::new(&config), case());
    case.incident.places[0].origin = "<!channel> <https://evil.test|here> @all".to_owned();
    case.said.holder = Some("<!here>".to_owned());
    setup.open(&case).unwrap();
    let message: Value = serde_json::from_str(&desk.log()[0].body).unwrap();
    let text = message["text"].as_str().unwrap();
    assert!(!text.contains(['<', '>']) && !text.contains("@all") && text.contains("&lt;!here&gt;"), "{text}");
}

#[test]
fn a_task_that_was_opened_again_is_closed_again() {
    let (desk, case) = (Desk::new(), case());
    let setup = Setup::new(&config("github", "acme/site", &desk));
    let id = case.incident.id.to_string();
    for _ in 0..2 {
        setup.open(&case).unwrap();
        assert!(desk.issues()[0].open);
        let mut ledger = ledger(&setup.path());
        ledger.note(&id, stanch::ledger::Event::Closed, &json!({})).unwrap();
        let mut sync = || once::sync(&setup.board(), &mut ledger, &id, None).unwrap().closed;
        assert_eq!((sync(), sync()), (1, 0));
        assert!(!desk.issues()[0].open);
    }
    assert_eq!(desk.issues().len(), 1);
}

/// A task is opened, opened again, and closed; each is tried until it is done.
fn life(desk: &Desk, setup: &Setup, case: &Case) -> Option<()> {
    let done = |attempt: &mut dyn FnMut() -> bool| (0..3).any(|_| attempt()).then_some(());
    done(&mut || setup.open(case).is_ok())?;
    desk.state.lock().unwrap().issues[0].open = false;
    done(&mut || setup.open(case).is_ok())?;
    let id = case.incident.id.to_string();
    ledger(&setup.path()).note(&id, Event::Closed, &json!({})).unwrap();
    let secret = Some(&case.incident.secret);
    done(&mut || once::sync(&setup.board(), &mut ledger(&setup.path()), &id, secret).is_ok())
}

#[test]
fn every_fault_of_every_request_of_a_task_leaves_one_task() {
    let faults = faults("http://127.0.0.1:9/elsewhere");
    let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for (provider, project) in TRACKERS {
        let desk = Desk::new();
        life(&desk, &Setup::new(&config(provider, project, &desk)), &case()).unwrap();
        for (at, line) in desk.server.lines().into_iter().enumerate() {
            for fault in &faults {
                for done in [false, true].into_iter().filter(|done| !done || !line.starts_with("GET")) {
                    let (fault, line) = (fault.clone(), line.clone());
                    jobs.push(Box::new(move || {
                        let (desk, case) = (Desk::new(), case());
                        let token = String::from_utf8(case.incident.secret.expose().to_vec()).unwrap();
                        let mut setup = Setup::new(&config(provider, project, &desk));
                        setup.http = hurried(setup.http);
                        {
                            let mut state = desk.state.lock().unwrap();
                            (state.trouble, state.alerts) = (Some((at, fault.clone(), done)), vec![token]);
                        }
                        let story = format!("{provider}: {line} with {fault:?}, done {done}");
                        assert!(life(&desk, &setup, &case).is_some(), "{story}: never done");
                        let issues = desk.issues();
                        assert_eq!((issues.len(), issues[0].open), (1, false), "{story}");
                        let alerts = desk.state.lock().unwrap().alerts.len();
                        assert_eq!(alerts, usize::from(provider != "github"), "{story}");
                    }));
                }
            }
        }
    }
    together(jobs);
}

#[test]
fn a_task_is_told_once_what_happened_and_shows_the_evidence() {
    let (desk, case) = (Desk::new(), case());
    let setup = Setup::new(&config("github", "acme/site", &desk));
    let id = case.incident.id.to_string();
    setup.open(&case).unwrap();
    let mut ledger = ledger(&setup.path());
    let intent = [Intent { incident: id.clone(), step: "revoke: POST /credentials/revoke".to_owned() }];
    ledger.around(&intent, || (json!({ "accepted": false, "status": 503, "request_id": "AB:1" }), ())).unwrap();
    let mut commented = || once::sync(&setup.board(), &mut ledger, &id, None).unwrap().commented;
    assert_eq!((commented(), commented()), (1, 0));
    assert!(desk.issues()[0].open && desk.issues()[0].comments[0].contains("not proven dead"));
    let rows = ledger.rows(Some(&id)).unwrap();
    desk.state.lock().unwrap().issues.clear();
    setup.open_with(&case, &rows).unwrap();
    let body = &desk.issues()[0].body;
    for part in ["What was done", "credentials", "status 503, request AB:1", "What is left"] {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
}

#[test]
fn a_message_that_may_have_been_sent_is_not_sent_again() {
    let desk = Server::start(|_| Reply::json(200, "{}"));
    let config = host("webhook", &desk.url, "") + &format!("[respond.task]\nhost = \"{}\"\n", desk.url);
    let (setup, case) = (Setup::new(&config), case());
    let step = format!("task: {}", setup.board().name());
    ledger(&setup.path()).intend(&[Intent { incident: case.incident.id.to_string(), step }]).unwrap();
    assert!(setup.open(&case).unwrap().how.starts_with("sent perhaps"));
    assert!(desk.log().is_empty());
}

#[test]
fn a_tracker_in_trouble_is_named() {
    for (reply, expected) in [
        (Reply::json(401, "{}"), "not accepted"),
        (Reply::json(404, "{}"), "not there"),
        (Reply::json(410, "{}"), "switched off"),
        (Reply::Html(200), "does not answer as its API does"),
        (Reply::Reset, "could not be reached"),
        (Reply::Redirect("http://127.0.0.1:9/".to_owned()), "status 302"),
    ] {
        for (provider, project) in TRACKERS {
            let reply = reply.clone();
            let desk = Desk { server: Server::start(move |_| reply.clone()), state: Arc::default() };
            let setup = Setup::new(&config(provider, project, &desk));
            let said = setup.open(&case()).unwrap_err().to_string();
            assert!(said.contains(expected), "{provider}: {said}");
        }
    }
    let desk = Desk::new();
    let setup = Setup::new(&config("gitlab", "acme/site", &desk).replace("project", "# project"));
    assert!(matches!(Board::new(&setup.http, setup.file.respond.task.as_ref().unwrap()), Err(Error::Config(_))));
}

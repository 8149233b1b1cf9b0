//! Turns a token into what its provider knows of it, and into the request that ends it.

use std::cell::RefCell;

use serde_json::Value;

use super::incident::{Hints, Incident};
use super::inspection::{Death, Evidence, Inspection, Liveness, Reach};
use super::kind::Kind;
use crate::http::{Answer, Auth, Fault, Host, Http, Request, Service};
use crate::secret::Secret;

mod atlassian;
mod bitbucket;
mod github;
mod gitlab;
mod renew;
mod route;

pub use renew::{Beside, Made, Renewal, made, orphans, renew};
pub use route::{By, Call, Carries, Person, Route, by_hand, for_person, perform, route};

/// One token at one host.
struct Ask<'a> {
    http: &'a Http,
    host: &'a Host,
    kind: Kind,
    token: &'a Secret,
    hints: &'a Hints,
    /// How the successors are marked that were made for it.
    mark: String,
    /// The number in a Data Center token.
    number: Option<&'a str>,
    /// What this host said before, when the same is asked again to prove a revocation.
    earlier: Option<&'a Inspection>,
    evidence: RefCell<Vec<Evidence>>,
}

/// Asks about a token wherever it may be asked about. `earlier` is what was known before an act: then only the host
/// that knew it is asked.
pub fn inspect(http: &Http, incident: &Incident, earlier: Option<&Inspection>) -> Inspection {
    let Some(kind) = incident.kind else {
        return Inspection::unknown("no provider is known for this rule");
    };
    if kind == Kind::GithubRefresh {
        return Inspection::unknown("a refresh token is not asked about, because asking consumes it");
    }
    let hosts = hosts_for(http, incident, kind, earlier);
    if let (true, Some(url)) = (hosts.is_empty(), earlier.and_then(|it| it.host.as_deref())) {
        let line = format!("[[host]] provider = \"{}\" base_url = \"{url}\"", kind.services()[0].as_str());
        return Inspection::unknown(format!("{url}, where it worked, may not be asked any more: allow it with {line}"));
    }
    if hosts.is_empty() {
        return Inspection::unknown(no_host(kind, &incident.hints));
    }
    let mut answers = Vec::new();
    for host in hosts {
        let mut said = inspect_at(http, host, incident, kind, earlier);
        let knows = said.liveness.is_live()
            || matches!(said.liveness, Liveness::Dead(death) if death != Death::UnknownToProvider);
        if knows {
            said.evidence =
                answers.iter().flat_map(|it: &Inspection| it.evidence.clone()).chain(said.evidence).collect();
            return said;
        }
        answers.push(said);
    }
    let evidence: Vec<Evidence> = answers.iter().flat_map(|it| it.evidence.clone()).collect();
    let unsure = answers.iter().position(|it| !it.liveness.is_dead()).unwrap_or(0);
    let mut said = answers.swap_remove(unsure);
    said.evidence = evidence;
    if earlier.is_some_and(|earlier| earlier.liveness.is_live()) && said.liveness.is_dead() {
        said.liveness = Liveness::Dead(Death::Revoked);
    } else if said.liveness.is_dead() {
        doubt(http, kind, &incident.hints, &mut said);
    }
    said
}

fn hosts_for<'a>(http: &'a Http, incident: &Incident, kind: Kind, earlier: Option<&Inspection>) -> Vec<&'a Host> {
    let before = earlier.and_then(|it| it.host.as_deref().map(|url| (url, it.liveness.is_live())));
    match before.map(|(url, was_live)| (http.hosts.by_base_url(url), was_live)) {
        Some((Some(host), _)) => return vec![host],
        // Whoever else is asked does not know it, which would look like its death.
        Some((None, true)) => return Vec::new(),
        _ => {}
    }
    kind.services().iter().flat_map(|&service| http.hosts.of(service, &incident.hints.hosts)).collect()
}

fn inspect_at(http: &Http, host: &Host, incident: &Incident, kind: Kind, earlier: Option<&Inspection>) -> Inspection {
    let ask = Ask {
        http,
        host,
        kind,
        token: &incident.secret,
        hints: &incident.hints,
        mark: renew::mark(incident.id),
        number: incident.fact("data_center.id"),
        earlier,
        evidence: RefCell::new(Vec::new()),
    };
    let mut said = match host.service {
        Service::Github => github::inspect(&ask),
        Service::Gitlab => gitlab::inspect(&ask),
        Service::Bitbucket => bitbucket::inspect(&ask),
        Service::BitbucketDataCenter => bitbucket::inspect_data_center(&ask),
        Service::Jira => atlassian::inspect_site(&ask),
        Service::Atlassian => atlassian::inspect_organization(&ask),
        Service::JiraDataCenter | Service::ConfluenceDataCenter => atlassian::inspect_data_center(&ask),
        Service::Vault | Service::Webhook => Inspection::unknown("nobody there knows tokens"),
    };
    said.host = Some(host.base_url().to_owned());
    said.evidence = ask.evidence.into_inner();
    said
}

/// "Nobody knows it" is an answer only if everybody who may know it was asked.
fn doubt(http: &Http, kind: Kind, hints: &Hints, said: &mut Inspection) {
    said.disowned = true;
    if let Some(stranger) = strangers(http, hints).next() {
        said.liveness = Liveness::Unknown(format!(
            "the text around it names {stranger}, which was not asked: {}",
            allow_line(kind, stranger)
        ));
        return;
    }
    let Some(host) = said.host.as_deref().and_then(|url| http.hosts.by_base_url(url)) else { return };
    let another = |what: &str, line: String| {
        Liveness::Unknown(format!("{} does not know it; if it is of {what}, {line}", host.name()))
    };
    // GitLab is mostly self-managed and its tokens look alike everywhere.
    if host.service == Service::Gitlab && !host.configured {
        said.liveness = another("another GitLab", allow_line(kind, "HOST"));
    }
    // GitHub's look alike everywhere, too, but are mostly github.com's: there a word for an Enterprise Server is needed
    // to doubt its answer, and everywhere else that it was asked.
    if host.service == Service::Github {
        let asked = http.hosts.of(Service::Github, &[]);
        if asked.iter().all(|host| host.is_enterprise_server()) {
            said.liveness = another("github.com", allow_line(kind, "api.github.com"));
        } else if hints.enterprise && !asked.iter().any(|host| host.is_enterprise_server()) {
            said.liveness = another("a GitHub Enterprise Server", allow_line(kind, "HOST"));
        }
    }
}

fn strangers<'a>(http: &'a Http, hints: &'a Hints) -> impl Iterator<Item = &'a String> {
    hints.hosts.iter().filter(|name| !http.hosts.knows(name))
}

fn allow_line(kind: Kind, host: &str) -> String {
    let service = kind.services()[0].as_str();
    let path = if kind.is_github() && host != "api.github.com" { "/api/v3" } else { "" };
    format!("allow it with [[host]] provider = \"{service}\" base_url = \"https://{host}{path}\"")
}

fn no_host(kind: Kind, hints: &Hints) -> String {
    let host = hints.hosts.first().map_or("HOST", String::as_str);
    format!("no host is configured that may know a {}: {}", kind.as_str(), allow_line(kind, host))
}

impl<'a> Ask<'a> {
    /// Asks and keeps the evidence.
    fn read(&self, request: &Request<'_>) -> Result<Answer, Fault> {
        let question = format!("{} {}", request.method, request.path);
        let answer = self.http.read(self.host, request);
        self.evidence.borrow_mut().push(evidence(self.host, question, &answer));
        answer
    }

    /// A further question whose answer is worth having, but decides nothing.
    fn also(&self, request: &Request<'_>) -> Option<Value> {
        let answer = self.read(request).ok()?;
        (answer.status == 200).then(|| answer.json()).flatten()
    }

    /// What an answer means that is none of those the provider documents for a live or a dead token.
    fn unclear(&self, answer: &Answer) -> Inspection {
        let host = self.host.name();
        Inspection::unknown(match answer.status {
            _ if answer.is_rate_limit() => format!("{host} answers that there were too many requests; ask again later"),
            200..=299 => format!("{host} answers, but not as its API does (a login page, a captive portal?)"),
            300..=399 => format!("{host} redirects elsewhere ({}); tokens are not sent on", answer.status),
            401 => format!("{host} refuses (401), but not in the words of its API"),
            403 => format!("{host} forbids the question (403)"),
            407 => format!("the proxy in front of {host} asks for a password"),
            500.. => format!("{host} is out of order ({})", answer.status),
            status => format!("{host} answers with status {status}"),
        })
    }

    /// The token where it goes into a body.
    #[expect(clippy::disallowed_methods, reason = "sent to its provider")]
    fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.token.expose()).ok()
    }

    /// The header or password that the token itself is.
    fn bearer(&self) -> Auth<'a> {
        Auth::Bearer(self.token)
    }
}

/// Pages of a list that are read; who has more has to look for himself.
const MOST_PAGES: u32 = 50;

/// A list to its end: its items, or what wraps them, page by page. `None` if it cannot be read whole.
fn pages(mut read: impl FnMut(u32) -> Result<Answer, Fault>) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    for page in 1..=MOST_PAGES {
        let answer = read(page).ok().filter(|answer| answer.status == 200)?;
        match answer.json()? {
            Value::Array(items) => all.extend(items),
            wrapped => all.push(wrapped),
        }
        if !answer.has_next() {
            return Some(all);
        }
    }
    None
}

/// One page of a list of 100.
fn paged(request: Request<'_>, page: u32) -> Request<'_> {
    request.query("per_page", "100").query("page", page.to_string())
}

/// What was asked and what came back, without content.
pub(super) fn evidence(host: &Host, question: String, answer: &Result<Answer, Fault>) -> Evidence {
    let (said, request_id) = match answer {
        Ok(answer) => (answer.status.to_string(), answer.request_id().map(str::to_owned)),
        Err(fault) => (fault.to_string(), None),
    };
    Evidence { host: host.name(), question, answer: said, request_id }
}

/// A string of an answer.
fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The strings of a list in an answer.
fn texts(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What a list of objects names.
fn reach(list: Option<&Value>, what: &'static str, name: &str, access: impl Fn(&Value) -> String) -> Vec<Reach> {
    let list = list.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|one| Some(Reach { what, name: text(one, name)?, access: access(one) }))
        .collect()
}

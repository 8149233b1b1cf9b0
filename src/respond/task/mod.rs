//! Turns what is left to a person into a task, once. The task carries the incident's marker and is looked up by it
//! before it is opened, so two runs, or two machines at once, make one. It never carries the secret.

use serde_json::{Value, json};

use super::config::TaskTarget;
use crate::http::{Answer, Body, Fault, Host, Http, Method, Request, Service};

pub mod draft;
mod github;
mod gitlab;
mod jira;
pub mod once;
pub mod owners;

pub use draft::Draft;

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is not complete.
    #[error("[respond.task]: {0}")]
    Config(String),
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The ledger cannot be written: nothing is done without it.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::Error),
    /// The tracker says no.
    #[error("{host} refuses to {what} (status {status}): {why}")]
    Refused {
        /// Who.
        host: String,
        /// What was wanted.
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// What to look at.
        why: &'static str,
    },
    /// The tracker answers in a way it does not document.
    #[error("{host} does not answer as its API does when asked to {what}")]
    Unexpected {
        /// Who.
        host: String,
        /// What was wanted.
        what: &'static str,
    },
    /// A list has no end.
    #[error("{host} has more entries than are read when asked to {what}; what is behind them was not seen")]
    TooMany {
        /// Who.
        host: String,
        /// What was wanted.
        what: &'static str,
    },
    /// The template of the user's is wrong.
    #[error("the template of [respond.task]: {0}")]
    Template(String),
}

/// A task that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number or key.
    pub id: String,
    /// Where people see it.
    pub url: String,
    /// Whether somebody still has to do something.
    pub open: bool,
}

/// A task that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The task.
    pub task: Found,
    /// Labels and assignees that the tracker dropped without a word.
    pub dropped: Vec<String>,
}

/// What became of a wish for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where people see it; empty for a webhook.
    pub url: String,
    /// `opened`, `reopened`, `there already` or `sent`.
    pub how: &'static str,
    /// Labels and assignees that the tracker dropped without a word.
    pub dropped: Vec<String>,
}

/// Something that keeps tasks.
pub(super) trait Tracker {
    /// Every task with this marker, oldest first.
    fn find(&self, marker: &str) -> Result<Vec<Found>, Error>;
    /// A new one.
    fn create(&self, draft: &Draft) -> Result<Created, Error>;
    /// A remark.
    fn comment(&self, task: &Found, text: &str) -> Result<(), Error>;
    /// Closes, or opens again.
    fn set_open(&self, task: &Found, open: bool) -> Result<(), Error>;
}

/// A place for tasks: a tracker, or something that only listens.
pub struct Board<'a> {
    http: &'a Http,
    host: &'a Host,
    target: &'a TaskTarget,
}

impl<'a> Board<'a> {
    /// The place that the configuration names.
    pub fn new(http: &'a Http, target: &'a TaskTarget) -> Result<Self, Error> {
        let host = http.hosts.by_base_url(&target.host).ok_or_else(|| {
            Error::Config(format!("host {} is none of the [[host]] entries; add it, with its credential", target.host))
        })?;
        if target.project.is_empty() && host.service != Service::Webhook {
            return Err(Error::Config(
                "project is missing: owner/name, a path, or the key of a Jira project".to_owned(),
            ));
        }
        Ok(Board { http, host, target })
    }

    /// What stands in the ledger for it.
    pub fn name(&self) -> String {
        format!("{} {}", self.host.base_url(), self.target.project).trim_end().to_owned()
    }

    /// Whether an earlier task can be looked up. If not, only the ledger knows that one was sent.
    pub fn can_look(&self) -> bool {
        self.host.service != Service::Webhook
    }

    /// How text is written there.
    pub fn style(&self) -> draft::Style {
        match self.host.service {
            Service::Jira => draft::Style::Plain,
            Service::JiraDataCenter => draft::Style::Wiki,
            Service::Webhook => draft::Style::Chat,
            _ => draft::Style::Markdown,
        }
    }

    fn tracker(&self) -> Result<Box<dyn Tracker + '_>, Error> {
        let desk = Desk { http: self.http, host: self.host, target: self.target };
        match self.host.service {
            Service::Github => Ok(Box::new(github::Issues(desk))),
            Service::Gitlab => Ok(Box::new(gitlab::Issues(desk))),
            Service::Jira | Service::JiraDataCenter => Ok(Box::new(jira::Issues(desk))),
            other => Err(Error::Config(format!("a {} keeps no tasks", other.as_str()))),
        }
    }

    /// Opens the task, or finds it, or opens it again.
    pub fn open(&self, draft: &Draft) -> Result<Opened, Error> {
        if !self.can_look() {
            return self.send(draft);
        }
        let tracker = self.tracker()?;
        let opened = |task: &Found, how, dropped| Opened { url: task.url.clone(), how, dropped };
        if let Some(task) = one_of(&*tracker, &tracker.find(&draft.marker)?)? {
            if task.open {
                return Ok(opened(&task, "there already", Vec::new()));
            }
            tracker.set_open(&task, true)?;
            tracker.comment(&task, "The token is still not proven dead: this task is open again.")?;
            return Ok(opened(&task, "reopened", Vec::new()));
        }
        let created = tracker.create(draft)?;
        // Somebody else may have had the same idea at the same time. If that cannot be seen now, the next run sees it.
        let all = tracker.find(&draft.marker).unwrap_or_default();
        match one_of(&*tracker, &all)? {
            Some(task) if task.id != created.task.id => Ok(opened(&task, "there already", Vec::new())),
            _ => Ok(opened(&created.task, "opened", created.dropped)),
        }
    }

    /// Says something in the open tasks with this marker, and closes them if nothing is left
    /// to do. How many there were.
    pub fn report(&self, marker: &str, text: &str, close: bool) -> Result<usize, Error> {
        if !self.can_look() {
            return Ok(0);
        }
        let tracker = self.tracker()?;
        let open: Vec<Found> = tracker.find(marker)?.into_iter().filter(|task| task.open).collect();
        for task in &open {
            tracker.comment(task, text)?;
            if close {
                tracker.set_open(task, false)?;
            }
        }
        Ok(open.len())
    }

    /// Resolves GitHub's own alerts for this secret. How many there were.
    pub fn resolve_alerts(&self, secret: &crate::secret::Secret, comment: &str) -> Result<usize, Error> {
        match self.host.service {
            Service::Github => {
                let desk = Desk { http: self.http, host: self.host, target: self.target };
                github::Issues(desk).resolve_alerts(secret, comment)
            }
            _ => Ok(0),
        }
    }

    /// A webhook's address is a secret itself: the credential is its path.
    #[expect(clippy::disallowed_methods, reason = "the address of a webhook is a secret, too")]
    fn send(&self, draft: &Draft) -> Result<Opened, Error> {
        let path = match self.host.credential() {
            None => String::new(),
            Some(Ok(path)) => format!("/{}", String::from_utf8_lossy(path.expose()).trim_start_matches('/')),
            Some(Err(why)) => return Err(Error::Config(why)),
        };
        // `text` is what Slack and those like it show; the rest is for programs.
        let message = json!({
            "text": format!("{}\n\n{}", draft::chat(&draft.title), draft.body),
            "title": draft.title,
            "incident": draft.marker,
            "labels": draft.labels,
            "due": draft.due,
        });
        let mut request = Request::new(Method::POST, path, crate::http::Auth::None);
        request.body = Body::json(&message);
        let answer = self.http.once(self.host, &request)?;
        if answer.is_success() && !answer.is_page() {
            return Ok(Opened { url: String::new(), how: "sent", dropped: Vec::new() });
        }
        let host = self.host.name();
        let why = "look at the address of the webhook";
        Err(Error::Refused { host, what: "take the message", status: answer.status, why })
    }
}

/// Of several tasks for one incident the oldest open one stays; the other open ones are closed.
fn one_of(tracker: &dyn Tracker, all: &[Found]) -> Result<Option<Found>, Error> {
    let Some(first) = all.iter().find(|task| task.open).or(all.first()) else { return Ok(None) };
    for other in all.iter().filter(|task| task.open && task.id != first.id) {
        tracker.comment(other, &format!("The same as {}.", first.url))?;
        tracker.set_open(other, false)?;
    }
    Ok(Some(first.clone()))
}

/// What every tracker needs.
struct Desk<'a> {
    http: &'a Http,
    host: &'a Host,
    target: &'a TaskTarget,
}

impl Desk<'_> {
    fn request(&self, method: Method, path: String) -> Result<Request<'_>, Error> {
        let auth = self.host.sign_in().map_err(Error::Config)?;
        Ok(Request::new(method, path, auth).header("accept", "application/json"))
    }

    /// A question.
    fn ask(&self, request: &Request<'_>, what: &'static str) -> Result<Value, Error> {
        self.understand(&self.http.read(self.host, request)?, what)
    }

    /// A list, as many as `most` pages of it, and whether there are more. Pages are followed as the host names them, and
    /// at this host only.
    fn list(&self, first: Request<'_>, most: usize, what: &'static str) -> Result<(Vec<Value>, bool), Error> {
        let (mut all, mut request) = (Vec::new(), first);
        for _ in 0..most {
            let answer = self.http.read(self.host, &request)?;
            let Value::Array(page) = self.understand(&answer, what)? else { return Err(self.unexpected(what)) };
            all.extend(page);
            let Some(next) = answer.next_page() else { return Ok((all, false)) };
            let (path, query) = self.host.page(next).ok_or_else(|| self.unexpected(what))?;
            request = Request { query, ..self.request(Method::GET, path)? };
        }
        Ok((all, true))
    }

    /// An act. `body` is JSON.
    fn act(&self, method: Method, path: String, body: &Value, what: &'static str) -> Result<Value, Error> {
        let mut request = self.request(method, path)?;
        request.body = Body::json(body);
        self.understand(&self.http.once(self.host, &request)?, what)
    }

    fn understand(&self, answer: &Answer, what: &'static str) -> Result<Value, Error> {
        let host = self.host.name();
        match answer.status {
            204 => Ok(Value::Null),
            200..=299 => answer.json().ok_or(Error::Unexpected { host, what }),
            status => {
                let why = match status {
                    401 => "the credential is not accepted",
                    403 => "the credential may not do that, or too much was asked",
                    404 => "the project is not there, or the credential may not see it",
                    410 => "issues are switched off there",
                    400 | 422 => "a field is not as the project wants it (labels, assignees, type of issue?)",
                    _ => "try again later",
                };
                Err(Error::Refused { host, what, status, why })
            }
        }
    }

    fn unexpected(&self, what: &'static str) -> Error {
        Error::Unexpected { host: self.host.name(), what }
    }
}

/// A text or number of an answer, as text.
fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What was wanted and did not arrive.
fn dropped(wanted: &[String], got: Option<&Value>, name: &str) -> Vec<String> {
    let got: Vec<String> = got
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned).or_else(|| text(one, name)))
        .collect();
    wanted.iter().filter(|one| !got.iter().any(|it| it.eq_ignore_ascii_case(one))).cloned().collect()
}

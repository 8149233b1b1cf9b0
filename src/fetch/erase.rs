//! Ends logs that leaked, by way of the ledger: what is about to be done is written down first, what came of it after.

use std::fmt;

use serde_json::{Value, json};

use super::Logs;
use super::target::Provider;
use crate::http::{Method, segment};
use crate::ledger::{self, Event, Intent, Ledger, Past};
use crate::origin::Origin;

/// Something that was found in a log.
#[derive(Clone, Debug)]
pub struct Leak {
    /// The fingerprint of the secret.
    pub incident: String,
    /// The rule that found it.
    pub rule: String,
    /// The log.
    pub origin: Origin,
    /// The line in it.
    pub line: u64,
    /// The page that shows it.
    pub page: Option<String>,
}

/// How a log is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// By this request.
    Call { method: Method, path: String, look: String },
    /// By a person.
    Person(&'static str),
}

/// A log to be ended. It shows itself as one line.
#[derive(Clone, Debug)]
pub struct Erasure {
    project: String,
    run: String,
    way: Way,
    page: Option<String>,
    leaks: Vec<Leak>,
}

/// What became of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is gone.
    Erased(String),
    /// A person must do it.
    Left(String),
    /// It is still there, or nobody knows.
    Failed(String),
}

impl Erasure {
    /// Whether it is done by a request of ours.
    pub fn is_act(&self) -> bool {
        matches!(self.way, Way::Call { .. })
    }

    fn step(&self) -> String {
        format!("erase: {}#{}", self.project, self.run)
    }
}

impl fmt::Display for Erasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut secrets: Vec<&str> = self.leaks.iter().map(|leak| leak.incident.as_str()).collect();
        secrets.sort_unstable();
        secrets.dedup();
        write!(f, "{}#{} ({} secrets): ", self.project, self.run, secrets.len())?;
        match &self.way {
            Way::Call { method, path, .. } => write!(f, "{method} {path}, irreversible"),
            Way::Person(why) => {
                write!(f, "{why}{}", self.page.as_ref().map(|page| format!(": {page}")).unwrap_or_default())
            }
        }
    }
}

/// What must be ended for these leaks, each log once, in their order.
pub fn plan(leaks: Vec<Leak>) -> Vec<Erasure> {
    let mut erasures: Vec<Erasure> = Vec::new();
    for leak in leaks {
        let Origin::Log { project, run, part } = &leak.origin else { continue };
        // GitHub has one log for all attempts.
        let run = run.split('.').next().unwrap_or(run).to_owned();
        let way = way(project, &run, part.starts_with(super::ARTIFACTS));
        match erasures.iter_mut().find(|it| (&it.project, &it.run, &it.way) == (project, &run, &way)) {
            Some(known) => known.leaks.push(leak),
            None => {
                let (project, page) = (project.clone(), leak.page.clone());
                erasures.push(Erasure { project, run, way, page, leaks: vec![leak] });
            }
        }
    }
    erasures
}

fn way(project: &str, run: &str, is_artifact: bool) -> Way {
    match project.split_once(':').unwrap_or_default() {
        ("github", _) if is_artifact => Way::Person("delete the artifact on the page of its run"),
        ("github", path) => {
            let look = format!("/repos/{path}/actions/runs/{run}");
            Way::Call { method: Method::DELETE, path: format!("{look}/logs"), look }
        }
        // The artifacts of the job go with its log.
        ("gitlab", path) => {
            let look = format!("/api/v4/projects/{}/jobs/{run}", segment(path));
            Way::Call { method: Method::POST, path: format!("{look}/erase"), look }
        }
        _ => Way::Person(
            "Bitbucket has no request that deletes a log; a person can delete the pipeline's log on its page",
        ),
    }
}

/// Carries an erasure out. An error of the ledger ends the run: nothing is done without it.
pub fn carry_out(logs: &Logs, ledger: &mut Ledger, erasure: &Erasure) -> Result<End, ledger::Error> {
    let Way::Call { method, path, look } = &erasure.way else { return Ok(End::Left(erasure.to_string())) };
    let mut incidents: Vec<&str> = erasure.leaks.iter().map(|leak| leak.incident.as_str()).collect();
    incidents.sort_unstable();
    incidents.dedup();
    let _turns = ledger.turns(&incidents, &mut || ())?;
    for leak in &erasure.leaks {
        found(ledger, leak)?;
    }
    let intent = |incident: &&str| Intent { incident: (*incident).to_owned(), step: erasure.step() };
    let intents: Vec<Intent> = incidents.iter().map(intent).collect();
    for intent in &intents {
        // Whoever was cut off between the act and its outcome left a question, which is asked before anything is done.
        if matches!(ledger.past(&intent.incident, &erasure.step())?, Past::Doubt { .. }) && is_gone(logs, look) {
            ledger.record(&intents, &json!({ "erased": true, "found_out": "later" }))?;
            return Ok(End::Erased(format!("{}: an earlier run has erased it", erasure.step())));
        }
    }
    ledger.around(&intents, || act(logs, method, path, erasure))
}

/// The first row of an incident, if there is none.
fn found(ledger: &mut Ledger, leak: &Leak) -> Result<(), ledger::Error> {
    if ledger.rows(Some(&leak.incident))?.iter().any(|row| row.event == Event::Found.as_str()) {
        return Ok(());
    }
    let place = json!({ "in": leak.origin.to_string(), "line": leak.line, "commit": null });
    ledger.note(&leak.incident, Event::Found, &json!({ "rule": leak.rule, "kind": null, "places": [place] }))
}

fn act(logs: &Logs, method: &Method, path: &str, erasure: &Erasure) -> (Value, End) {
    let name = format!("{}#{}", erasure.project, erasure.run);
    let failed = |why: String| (json!({ "erased": false, "why": why }), End::Failed(format!("{name}: {why}")));
    let call = match logs.call() {
        Ok(call) => call,
        Err(unread) => return failed(unread.detail),
    };
    let mut request = call.request(path);
    request.method = method.clone();
    match call.http.once(call.host, &request) {
        Ok(answer) if matches!(answer.status, 200 | 201 | 204) => {
            (json!({ "erased": true, "status": answer.status }), End::Erased(format!("{name}: erased")))
        }
        Ok(answer) if matches!(answer.status, 404 | 410) && is_gone(logs, look_of(erasure)) => {
            (json!({ "erased": true, "status": answer.status }), End::Erased(format!("{name}: it was gone already")))
        }
        Ok(answer) => failed(match answer.status {
            401 | 403 => {
                format!("refused ({}); the credential needs the right to write to actions or jobs", answer.status)
            }
            status => format!("the provider answers {status}"),
        }),
        Err(fault) => failed(fault.to_string()),
    }
}

fn look_of(erasure: &Erasure) -> &str {
    match &erasure.way {
        Way::Call { look, .. } => look,
        Way::Person(_) => "",
    }
}

/// Whether a log is no longer there, while its run or job is: what the credential may not see is not gone. Who cannot
/// tell says no.
fn is_gone(logs: &Logs, look: &str) -> bool {
    let Ok(call) = logs.call() else { return false };
    let Ok(Some(run)) = call.find(look) else { return false };
    // GitLab's job says when its log was erased.
    match logs.target.provider {
        Provider::Gitlab => !run["erased_at"].is_null(),
        _ => {
            let log = call.http.read(call.host, &call.request(&format!("{look}/logs")));
            log.is_ok_and(|answer| matches!(answer.status, 404 | 410))
        }
    }
}

//! Runs of GitHub Actions: a zip archive of logs for each attempt, and one for each artifact.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::call::{Call, PAGE};
use super::{ARTIFACTS, Give, Logs, Options, unlisted};
use crate::coverage::{Skip, Why};
use crate::http::{Request, segment};
use crate::origin::Origin;
use crate::source::remote::{Listed, Log, Unread};

/// Pages that a filtered list has at most: "up to 1,000 results for each search" (GitHub's OpenAPI description).
const SEARCHED: usize = 1000 / PAGE;

/// Runs whose jobs are remembered.
const REMEMBERED: usize = 64;

/// Gives every log of the target.
pub(super) fn list(logs: &Logs, give: &mut Give<'_>) -> ControlFlow<()> {
    let call = match logs.call() {
        Ok(call) => call,
        Err(unread) => return give(unlisted(&logs.target.to_string(), "", "", unread)),
    };
    if logs.target.is_repository() {
        return Repository { logs, call, path: &logs.target.path }.list(logs.target.run.as_deref(), give);
    }
    let mut flow = ControlFlow::Continue(());
    let listed = repositories(&call, &logs.target.path, &mut |path| {
        flow = Repository { logs, call, path }.list(None, give);
        flow.is_continue()
    });
    match listed {
        Err(unread) if flow.is_continue() => give(unlisted(&logs.target.to_string(), "", "", unread)),
        _ => flow,
    }
}

/// Every repository of an organisation or user, until `each` has enough.
fn repositories(call: &Call<'_>, owner: &str, each: &mut dyn FnMut(&str) -> bool) -> Result<(), Unread> {
    let of = segment(owner);
    let is_organization = call.find(&format!("/orgs/{of}"))?.is_some();
    // Another user's private repositories are listed nowhere, one's own only here.
    let me = if is_organization { None } else { call.ask(&call.request("/user")).ok() };
    let mine = me.is_some_and(|(me, _)| me["login"].as_str().is_some_and(|login| login.eq_ignore_ascii_case(owner)));
    let request = match (is_organization, mine) {
        (true, _) => call.request(&format!("/orgs/{of}/repos")),
        (false, true) => call.request("/user/repos").query("affiliation", "owner"),
        (false, false) => call.request(&format!("/users/{of}/repos")),
    };
    call.pages(request.query("per_page", PAGE.to_string()), None, |repositories| {
        repositories.iter().filter_map(|it| it["full_name"].as_str()).all(&mut *each)
    })
}

/// One repository.
struct Repository<'l> {
    logs: &'l Logs,
    call: Call<'l>,
    path: &'l str,
}

impl Repository<'_> {
    fn project(&self) -> String {
        format!("github:{}", self.path)
    }

    fn list(&self, run: Option<&str>, give: &mut Give<'_>) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let listed = match run {
            Some(run) => {
                let (number, attempt) = run.split_once('.').unwrap_or((run, ""));
                let request = self.call.request(&format!("/repos/{}/actions/runs/{number}", self.path));
                self.call.ask(&request).map(|(run, _)| flow = self.run(&run, attempt.parse().ok(), give))
            }
            None => self.runs(&mut |run| {
                flow = self.run(run, None, give);
                flow.is_continue()
            }),
        };
        match listed {
            Err(unread) if flow.is_continue() => give(unlisted(&self.project(), run.unwrap_or(""), "", unread)),
            _ => flow,
        }
    }

    /// Every run that is wanted, the newest first. A search that ends at its thousandth result goes on from there.
    fn runs(&self, each: &mut dyn FnMut(&Value) -> bool) -> Result<(), Unread> {
        let options = &self.logs.options;
        let mut left = options.limit.unwrap_or(u64::MAX);
        let (mut seen, mut until) = (HashSet::new(), None::<String>);
        loop {
            let (mut pages, mut fresh, mut more) = (0, 0, false);
            let filtered =
                until.is_some() || options.since.is_some() || options.branch.is_some() || options.status.is_some();
            self.call.pages(self.search(options, until.as_deref()), Some("workflow_runs"), |runs| {
                pages += 1;
                for run in runs {
                    if left == 0 {
                        return false;
                    }
                    until = run["created_at"].as_str().map(str::to_owned).or(until.take());
                    if run["id"].as_u64().is_some_and(|id| seen.insert(id)) {
                        (fresh, left) = (fresh + 1, left - 1);
                        if !each(run) {
                            left = 0;
                            return false;
                        }
                    }
                }
                more = filtered && pages == SEARCHED && runs.len() == PAGE;
                !more
            })?;
            if !more || left == 0 {
                return Ok(());
            }
            if fresh == 0 {
                let detail = "more than 1000 runs were created in one second: GitHub does not list them".to_owned();
                return Err(Unread { why: Why::NotFetched, detail });
            }
        }
    }

    fn search(&self, options: &Options, until: Option<&str>) -> Request<'_> {
        let path = match &options.workflow {
            Some(workflow) => format!("/repos/{}/actions/workflows/{}/runs", self.path, segment(workflow)),
            None => format!("/repos/{}/actions/runs", self.path),
        };
        let created = match (options.since, until) {
            (None, None) => None,
            (Some(since), None) => Some(format!(">={}", second(since))),
            (None, Some(until)) => Some(format!("<={until}")),
            (Some(since), Some(until)) => Some(format!("{}..{until}", second(since))),
        };
        let mut request = self.call.request(&path).query("per_page", PAGE.to_string());
        for (name, value) in [("created", &created), ("branch", &options.branch), ("status", &options.status)] {
            if let Some(value) = value {
                request = request.query(name, value.clone());
            }
        }
        request
    }

    /// Gives every attempt of a run, or that one, the newest first, and what it made.
    fn run(&self, run: &Value, only: Option<u64>, give: &mut Give<'_>) -> ControlFlow<()> {
        let Some(id) = run["id"].as_u64() else { return ControlFlow::Continue(()) };
        let last = run["run_attempt"].as_u64().unwrap_or(1).max(1);
        let page = run["html_url"].as_str().unwrap_or_default();
        for attempt in (1..=last).rev().filter(|attempt| only.is_none_or(|only| only == *attempt)) {
            let name = if attempt == 1 { id.to_string() } else { format!("{id}.{attempt}") };
            if attempt == last && run["status"].as_str().is_some_and(|status| status != "completed") {
                let detail = "its log can be had when it has ended".to_owned();
                give(unlisted(&self.project(), &name, "", Unread { why: Why::StillRunning, detail }))?;
                continue;
            }
            let log = Log {
                project: self.project(),
                id: name.clone(),
                run: name,
                address: format!("/repos/{}/actions/runs/{id}/attempts/{attempt}/logs", self.path),
                page: if attempt == last { page.to_owned() } else { format!("{page}/attempts/{attempt}") },
                time: (attempt == last).then(|| run["run_started_at"].as_str().map(str::to_owned)).flatten(),
                archive: true,
                ..Log::default()
            };
            self.logs.offer(log, give)?;
        }
        if self.logs.options.artifacts { self.artifacts(id, page, give) } else { ControlFlow::Continue(()) }
    }

    fn artifacts(&self, run: u64, page: &str, give: &mut Give<'_>) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let path = format!("/repos/{}/actions/runs/{run}/artifacts", self.path);
        let request = self.call.request(&path).query("per_page", PAGE.to_string());
        let listed = self.call.pages(request, Some("artifacts"), |artifacts| {
            for artifact in artifacts {
                flow = self.artifact(run, page, artifact, give);
                if flow.is_break() {
                    return false;
                }
            }
            true
        });
        match listed {
            Err(unread) if flow.is_continue() => give(unlisted(&self.project(), &run.to_string(), ARTIFACTS, unread)),
            _ => flow,
        }
    }

    fn artifact(&self, run: u64, page: &str, artifact: &Value, give: &mut Give<'_>) -> ControlFlow<()> {
        let (Some(id), Some(name)) = (artifact["id"].as_u64(), artifact["name"].as_str()) else {
            return ControlFlow::Continue(());
        };
        let part = format!("{ARTIFACTS}/{name}");
        if artifact["expired"].as_bool() == Some(true) {
            let origin = Origin::Log { project: self.project(), run: run.to_string(), part };
            return give(Listed::Skip(Skip { origin, why: Why::Expired, detail: "GitHub has deleted it".to_owned() }));
        }
        let log = Log {
            project: self.project(),
            run: run.to_string(),
            part,
            id: format!("artifact {id}"),
            address: format!("/repos/{}/actions/artifacts/{id}/zip", self.path),
            page: page.to_owned(),
            time: artifact["created_at"].as_str().map(str::to_owned),
            archive: true,
            ..Log::default()
        };
        self.logs.offer(log, give)
    }
}

/// As GitHub's search has it.
fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A job and its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) page: String,
}

/// The jobs of runs that were asked for, by the address of their log.
#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<HashMap<String, Arc<Vec<Job>>>>);

/// The job of a file in a run's archive. Asked for only when something is found: nearly no run leaks. `None` where that
/// cannot be told; the run's page shows it, too.
pub(super) fn job(logs: &Logs, log: &Log, place: &Origin) -> Option<Job> {
    let Origin::Log { part, .. } = place else { return None };
    let list = log.address.strip_suffix("/logs").filter(|list| list.contains("/actions/runs/"))?;
    let known = logs.jobs.0.lock().unwrap_or_else(PoisonError::into_inner).get(list).cloned();
    let jobs = known.unwrap_or_else(|| {
        let jobs = Arc::new(jobs(logs, list).unwrap_or_default());
        let mut all = logs.jobs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(list.to_owned(), jobs.clone());
        jobs
    });
    let folder = folder(part)?;
    let mut fit = jobs.iter().filter(|job| file_name(&job.name) == folder);
    // Two jobs of one name are told apart by a number that their folders have and they have not.
    fit.next().filter(|_| fit.next().is_none()).cloned()
}

/// The name of a job that a member of the archive is of: `build/2_Run make.txt`, or `0_build.txt` for all of its steps.
fn folder(member: &str) -> Option<&str> {
    if let Some((folder, _)) = member.split_once('/') {
        return Some(folder);
    }
    let (number, name) = member.strip_suffix(".txt")?.split_once('_')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
}

/// A job's name as a folder has it: without `/` and `:`, cut to 90 UTF-16 units (cli/cli, pkg/cmd/run/view/view.go).
fn file_name(job: &str) -> String {
    let mut units = 0;
    let kept = job.chars().filter(|c| !matches!(c, '/' | ':')).take_while(|c| {
        units += c.len_utf16();
        units <= 90
    });
    kept.collect::<String>().trim().to_owned()
}

fn jobs(logs: &Logs, list: &str) -> Result<Vec<Job>, Unread> {
    let call = logs.call()?;
    let mut jobs = Vec::new();
    let request = call.request(&format!("{list}/jobs")).query("per_page", PAGE.to_string());
    call.pages(request, Some("jobs"), |page| {
        let job =
            |it: &Value| Some(Job { name: it["name"].as_str()?.to_owned(), page: it["html_url"].as_str()?.to_owned() });
        jobs.extend(page.iter().filter_map(job));
        true
    })?;
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_lead_to_the_names_of_jobs() {
        assert_eq!(folder("build/2_Run make.txt"), Some("build"));
        assert_eq!(folder("0_build _ test.txt"), Some("build _ test"));
        assert_eq!(folder("notes.txt"), None);
        assert_eq!(file_name("test / linux: stable"), "test  linux stable");
        assert_eq!(file_name(&"é".repeat(100)).chars().count(), 90);
        assert_eq!(file_name(&"😀".repeat(100)).chars().count(), 45);
    }
}

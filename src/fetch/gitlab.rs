//! Jobs of GitLab CI: a log as text for each, and an archive of what it made.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::Value;

use super::call::{Call, PAGE};
use super::{ARTIFACTS, Give, Logs, unlisted};
use crate::http::segment;
use crate::source::remote::{Log, Unread};

/// Gives every log of the target, which is a project or a group: only asking tells.
pub(super) fn list(logs: &Logs, give: &mut Give<'_>) -> ControlFlow<()> {
    let path = &logs.target.path;
    let mut flow = ControlFlow::Continue(());
    let listed = logs.call().and_then(|call| {
        let is_project = logs.target.is_repository() && is_project(&call, path, logs.target.run.is_some())?;
        if is_project {
            flow = Project { logs, call, path }.list(logs.target.run.as_deref(), give);
            return Ok(());
        }
        let list = call.request(&format!("/api/v4/groups/{}/projects", segment(path)));
        let list = list.query("include_subgroups", "true").query("with_shared", "false").query("simple", "true");
        call.pages(list.query("per_page", PAGE.to_string()), None, |projects| {
            projects.iter().filter_map(|it| it["path_with_namespace"].as_str()).all(|path| {
                flow = Project { logs, call, path }.list(None, give);
                flow.is_continue()
            })
        })
    });
    match listed {
        Err(unread) if flow.is_continue() => give(unlisted(&logs.target.to_string(), "", "", unread)),
        _ => flow,
    }
}

/// Whether a path is a project's and not a group's. Who names a job has said so.
fn is_project(call: &Call<'_>, path: &str, has_job: bool) -> Result<bool, Unread> {
    Ok(has_job || call.find(&format!("/api/v4/projects/{}", segment(path)))?.is_some())
}

struct Project<'l> {
    logs: &'l Logs,
    call: Call<'l>,
    path: &'l str,
}

impl Project<'_> {
    fn address(&self) -> String {
        format!("/api/v4/projects/{}/jobs", segment(self.path))
    }

    fn list(&self, job: Option<&str>, give: &mut Give<'_>) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let listed = match job {
            Some(job) => {
                let request = self.call.request(&format!("{}/{job}", self.address()));
                self.call.ask(&request).map(|(job, _)| flow = self.job(&job, give))
            }
            None => self.jobs(&mut |job| {
                flow = self.job(job, give);
                flow.is_continue()
            }),
        };
        match listed {
            Err(unread) if flow.is_continue() => {
                give(unlisted(&format!("gitlab:{}", self.path), job.unwrap_or(""), "", unread))
            }
            _ => flow,
        }
    }

    /// Every job that is wanted, the newest first.
    fn jobs(&self, each: &mut dyn FnMut(&Value) -> bool) -> Result<(), Unread> {
        let options = &self.logs.options;
        let mut left = options.limit.unwrap_or(u64::MAX);
        let mut request = self.call.request(&self.address());
        // Keyset pages do not shift when jobs are added meanwhile (doc/api/rest/index.md).
        for (name, value) in [("pagination", "keyset"), ("order_by", "id"), ("sort", "desc")] {
            request = request.query(name, value);
        }
        if let Some(status) = &options.status {
            request = request.query("scope[]", status.clone());
        }
        self.call.pages(request.query("per_page", PAGE.to_string()), None, |jobs| {
            for job in jobs {
                let created = job["created_at"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
                // Numbers grow with time: what follows is older still.
                let is_old = options.since.is_some_and(|since| created.is_some_and(|created| created < since));
                if left == 0 || is_old {
                    return false;
                }
                if options.branch.as_deref().is_some_and(|branch| job["ref"].as_str() != Some(branch)) {
                    continue;
                }
                left -= 1;
                if !each(job) {
                    return false;
                }
            }
            true
        })
    }

    /// Gives the log of a job, and what it made. One that never began has none, and one that was erased has none left.
    fn job(&self, job: &Value, give: &mut Give<'_>) -> ControlFlow<()> {
        let Some(id) = job["id"].as_u64() else { return ControlFlow::Continue(()) };
        if job["started_at"].is_null() || !job["erased_at"].is_null() {
            return ControlFlow::Continue(());
        }
        let name = job["name"].as_str().unwrap_or_default();
        let log = Log {
            project: format!("gitlab:{}", self.path),
            run: id.to_string(),
            id: id.to_string(),
            part: name.to_owned(),
            address: format!("{}/{id}/trace", self.address()),
            page: job["web_url"].as_str().unwrap_or_default().to_owned(),
            job: Some(name.to_owned()),
            time: job["started_at"].as_str().map(str::to_owned),
            grows: matches!(job["status"].as_str(), Some("running" | "canceling")),
            archive: false,
        };
        self.logs.offer(log.clone(), give)?;
        if self.logs.options.artifacts && !job["artifacts_file"].is_null() && !log.grows {
            let address = format!("{}/{id}/artifacts", self.address());
            let part = format!("{ARTIFACTS}/{name}");
            let id = format!("{id} {ARTIFACTS}");
            return self.logs.offer(Log { part, id, address, archive: true, ..log }, give);
        }
        ControlFlow::Continue(())
    }
}

//! Pipelines of Bitbucket Cloud: a log as text for each step.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::Value;

use super::call::{Call, PAGE};
use super::{Give, Logs, unlisted};
use crate::http::segment;
use crate::source::remote::{Log, Unread};

/// Gives every log of the target.
pub(super) fn list(logs: &Logs, give: &mut Give<'_>) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    let listed = logs.call().and_then(|call| {
        let target = &logs.target;
        if target.is_repository() {
            flow = Repository { logs, call, path: &target.path }.list(target.run.as_deref(), give);
            return Ok(());
        }
        let list = call.request(&format!("/2.0/repositories/{}", segment(target.parts().0)));
        call.pages(list.query("pagelen", PAGE.to_string()), Some("values"), |repositories| {
            repositories.iter().filter_map(|it| it["full_name"].as_str()).all(|path| {
                flow = Repository { logs, call, path }.list(None, give);
                flow.is_continue()
            })
        })
    });
    match listed {
        Err(unread) if flow.is_continue() => give(unlisted(&logs.target.to_string(), "", "", unread)),
        _ => flow,
    }
}

struct Repository<'l> {
    logs: &'l Logs,
    call: Call<'l>,
    path: &'l str,
}

impl Repository<'_> {
    fn address(&self) -> String {
        format!("/2.0/repositories/{}/pipelines", self.path)
    }

    fn list(&self, pipeline: Option<&str>, give: &mut Give<'_>) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let listed = match pipeline {
            Some(number) => {
                let request = self.call.request(&format!("{}/{number}", self.address()));
                self.call.ask(&request).map(|(pipeline, _)| flow = self.steps(&pipeline, give))
            }
            None => self.pipelines(&mut |pipeline| {
                flow = self.steps(pipeline, give);
                flow.is_continue()
            }),
        };
        match listed {
            Err(unread) if flow.is_continue() => {
                give(unlisted(&format!("bitbucket:{}", self.path), pipeline.unwrap_or(""), "", unread))
            }
            _ => flow,
        }
    }

    /// Every pipeline that is wanted, the newest first.
    fn pipelines(&self, each: &mut dyn FnMut(&Value) -> bool) -> Result<(), Unread> {
        let options = &self.logs.options;
        let mut left = options.limit.unwrap_or(u64::MAX);
        let request = self.call.request(&self.address()).query("sort", "-created_on");
        self.call.pages(request.query("pagelen", PAGE.to_string()), Some("values"), |pipelines| {
            for pipeline in pipelines {
                let created = pipeline["created_on"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
                let is_old = options.since.is_some_and(|since| created.is_some_and(|created| created < since));
                if left == 0 || is_old {
                    return false;
                }
                let branch = pipeline["target"]["ref_name"].as_str();
                let result = pipeline["state"]["result"]["name"].as_str().unwrap_or_default();
                if options.branch.as_deref().is_some_and(|wanted| branch != Some(wanted))
                    || options.status.as_deref().is_some_and(|wanted| !result.eq_ignore_ascii_case(wanted))
                {
                    continue;
                }
                left -= 1;
                if !each(pipeline) {
                    return false;
                }
            }
            true
        })
    }

    fn steps(&self, pipeline: &Value, give: &mut Give<'_>) -> ControlFlow<()> {
        let Some(id) = pipeline["uuid"].as_str() else { return ControlFlow::Continue(()) };
        let run = pipeline["build_number"].as_u64().map_or_else(|| id.to_owned(), |number| number.to_string());
        let address = format!("{}/{}/steps", self.address(), segment(id));
        let mut flow = ControlFlow::Continue(());
        let request = self.call.request(&address).query("pagelen", PAGE.to_string());
        let listed = self.call.pages(request, Some("values"), |steps| {
            steps.iter().all(|step| {
                flow = self.step(&run, &address, step, give);
                flow.is_continue()
            })
        });
        match listed {
            Err(unread) if flow.is_continue() => give(unlisted(&format!("bitbucket:{}", self.path), &run, "", unread)),
            _ => flow,
        }
    }

    /// Gives the log of a step. One that never began has none.
    fn step(&self, run: &str, steps: &str, step: &Value, give: &mut Give<'_>) -> ControlFlow<()> {
        let Some(id) = step["uuid"].as_str().filter(|_| !step["started_on"].is_null()) else {
            return ControlFlow::Continue(());
        };
        let name = step["name"].as_str().unwrap_or(id);
        let log = Log {
            project: format!("bitbucket:{}", self.path),
            run: run.to_owned(),
            id: format!("{run} {id}"),
            part: name.to_owned(),
            address: format!("{steps}/{}/log", segment(id)),
            // Pipelines have pages on the site alone, never at the API's address.
            page: format!("https://bitbucket.org/{}/pipelines/results/{run}/steps/{}", self.path, segment(id)),
            job: Some(name.to_owned()),
            time: step["started_on"].as_str().map(str::to_owned),
            grows: step["state"]["name"].as_str().is_some_and(|state| state != "COMPLETED"),
            archive: false,
        };
        self.logs.offer(log, give)
    }
}

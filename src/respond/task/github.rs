//! Issues of GitHub, and its secret scanning alerts.

use serde_json::{Value, json};

use super::{Created, Desk, Draft, Error, Found, Tracker, dropped, text};
use crate::http::Method;
use crate::secret::Secret;

/// Pages of alerts that are read, of 100 each.
const MOST_PAGES: usize = 50;

/// Pages of issues in which a marker is looked for that no label has: the newest come first.
const NEWEST_PAGES: usize = 5;

pub(super) struct Issues<'a>(pub(super) Desk<'a>);

impl Issues<'_> {
    fn path(&self, rest: &str) -> String {
        // `owner/name`: each part alone, so that the slash stays.
        let parts: Vec<String> = self.0.target.project.split('/').map(crate::http::segment).collect();
        format!("/repos/{}{rest}", parts.join("/"))
    }

    fn list(&self, label: Option<&str>) -> Result<Vec<Value>, Error> {
        let mut request =
            self.0.request(Method::GET, self.path("/issues"))?.query("state", "all").query("per_page", "100");
        if let Some(label) = label {
            request = request.query("labels", label);
        }
        Ok(self.0.list(request, NEWEST_PAGES, "list issues")?.0)
    }

    /// Resolves the open alerts for this very secret as revoked.
    #[expect(clippy::disallowed_methods, reason = "compares the secret with those of the alerts")]
    pub(super) fn resolve_alerts(&self, secret: &Secret, comment: &str) -> Result<usize, Error> {
        let path = self.path("/secret-scanning/alerts");
        let request = self.0.request(Method::GET, path)?.query("state", "open").query("per_page", "100");
        // All are read before one is resolved, which moves those behind it to other pages.
        let what = "list secret scanning alerts";
        let (alerts, more) = self.0.list(request, MOST_PAGES, what)?;
        let same = |alert: &&Value| alert["secret"].as_str().is_some_and(|it| it.as_bytes() == secret.expose());
        let numbers: Vec<String> = alerts.iter().filter(same).filter_map(|alert| text(alert, "/number")).collect();
        for number in &numbers {
            let body = json!({ "state": "resolved", "resolution": "revoked", "resolution_comment": comment });
            let path = self.path(&format!("/secret-scanning/alerts/{number}"));
            self.0.act(Method::PATCH, path, &body, "resolve an alert")?;
        }
        if more && numbers.is_empty() {
            return Err(Error::TooMany { host: self.0.host.name(), what });
        }
        Ok(numbers.len())
    }
}

fn found(issue: &Value) -> Option<Found> {
    let (id, url) = (text(issue, "/number")?, text(issue, "/html_url")?);
    Some(Found { id, url, open: issue["state"] == "open" })
}

impl Tracker for Issues<'_> {
    /// By label, which is consistent; and, because a label is dropped without push access, by the newest bodies.
    fn find(&self, marker: &str) -> Result<Vec<Found>, Error> {
        let mut issues = self.list(Some(marker))?;
        if issues.is_empty() {
            let hidden = super::draft::hidden(marker);
            issues = self.list(None)?;
            issues.retain(|issue| issue["body"].as_str().is_some_and(|body| body.contains(&hidden)));
        }
        // The list holds pull requests, too.
        issues.retain(|issue| issue.get("pull_request").is_none());
        let mut found: Vec<Found> = issues.iter().filter_map(found).collect();
        found.sort_by_key(|task| task.id.parse::<u64>().unwrap_or(u64::MAX));
        Ok(found)
    }

    fn create(&self, draft: &Draft) -> Result<Created, Error> {
        let body = json!({
            "title": draft.title, "body": draft.body, "labels": draft.labels, "assignees": draft.assignees,
        });
        let issue = self.0.act(Method::POST, self.path("/issues"), &body, "open an issue")?;
        let task = found(&issue).ok_or_else(|| self.0.unexpected("open an issue"))?;
        let mut lost = dropped(&draft.labels, issue.get("labels"), "/name");
        lost.extend(dropped(&draft.assignees, issue.get("assignees"), "/login"));
        Ok(Created { task, dropped: lost })
    }

    fn comment(&self, task: &Found, text: &str) -> Result<(), Error> {
        let path = self.path(&format!("/issues/{}/comments", task.id));
        self.0.act(Method::POST, path, &json!({ "body": text }), "comment").map(drop)
    }

    fn set_open(&self, task: &Found, open: bool) -> Result<(), Error> {
        let body = match open {
            true => json!({ "state": "open" }),
            false => json!({ "state": "closed", "state_reason": "completed" }),
        };
        self.0.act(Method::PATCH, self.path(&format!("/issues/{}", task.id)), &body, "change an issue").map(drop)
    }
}

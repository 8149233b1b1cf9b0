//! Issues of GitLab, confidential.

use serde_json::{Value, json};

use super::{Created, Desk, Draft, Error, Found, Tracker, dropped, text};
use crate::http::{Method, Request, segment};

/// Pages of issues with one marker that are read, of 100 each.
const MOST_PAGES: usize = 5;

pub(super) struct Issues<'a>(pub(super) Desk<'a>);

impl Issues<'_> {
    fn path(&self, rest: &str) -> String {
        format!("/api/v4/projects/{}{rest}", segment(&self.0.target.project))
    }

    /// GitLab wants the number of a user.
    fn user(&self, name: &str) -> Result<Option<u64>, Error> {
        if let Ok(number) = name.parse() {
            return Ok(Some(number));
        }
        let request = self.0.request(Method::GET, "/api/v4/users".to_owned())?.query("username", name);
        Ok(self.0.ask(&request, "look up a user")?.pointer("/0/id").and_then(Value::as_u64))
    }
}

fn found(issue: &Value) -> Option<Found> {
    Some(Found { id: text(issue, "/iid")?, url: text(issue, "/web_url")?, open: issue["state"] == "opened" })
}

impl Tracker for Issues<'_> {
    /// By label; and, because a label is dropped without the right to set it, by the text.
    fn find(&self, marker: &str) -> Result<Vec<Found>, Error> {
        let request = |name: &'static str| -> Result<Request<'_>, Error> {
            let request = self.0.request(Method::GET, self.path("/issues"))?;
            Ok(request.query(name, marker).query("scope", "all").query("per_page", "100"))
        };
        let what = "list issues";
        let (mut list, _) = self.0.list(request("labels")?, MOST_PAGES, what)?;
        if list.is_empty() {
            let hidden = super::draft::hidden(marker);
            (list, _) = self.0.list(request("search")?.query("in", "description"), MOST_PAGES, what)?;
            list.retain(|issue| issue["description"].as_str().is_some_and(|text| text.contains(&hidden)));
        }
        let mut found: Vec<Found> = list.iter().filter_map(found).collect();
        found.sort_by_key(|task| task.id.parse::<u64>().unwrap_or(u64::MAX));
        Ok(found)
    }

    fn create(&self, draft: &Draft) -> Result<Created, Error> {
        let mut users = Vec::new();
        for name in &draft.assignees {
            users.push((name, self.user(name)?));
        }
        let ids: Vec<u64> = users.iter().filter_map(|(_, id)| *id).collect();
        let body = json!({
            "title": draft.title,
            "description": draft.body,
            "labels": draft.labels.join(","),
            "confidential": true,
            "assignee_ids": ids,
            "due_date": draft.due,
        });
        let issue = self.0.act(Method::POST, self.path("/issues"), &body, "open an issue")?;
        let task = found(&issue).ok_or_else(|| self.0.unexpected("open an issue"))?;
        let mut lost = dropped(&draft.labels, issue.get("labels"), "/name");
        let assigned = |id: &u64| dropped(&[id.to_string()], issue.get("assignees"), "/id").is_empty();
        let others = users.iter().filter(|(_, id)| !id.as_ref().is_some_and(assigned));
        lost.extend(others.map(|(name, _)| (*name).clone()));
        if issue["confidential"] != json!(true) {
            lost.push("confidential".to_owned());
        }
        Ok(Created { task, dropped: lost })
    }

    fn comment(&self, task: &Found, text: &str) -> Result<(), Error> {
        let path = self.path(&format!("/issues/{}/notes", task.id));
        self.0.act(Method::POST, path, &json!({ "body": text }), "comment").map(drop)
    }

    fn set_open(&self, task: &Found, open: bool) -> Result<(), Error> {
        let body = json!({ "state_event": if open { "reopen" } else { "close" } });
        self.0.act(Method::PUT, self.path(&format!("/issues/{}", task.id)), &body, "change an issue").map(drop)
    }
}

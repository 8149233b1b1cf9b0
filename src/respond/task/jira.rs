//! Issues of Jira: Cloud (REST v3, documents in ADF) and Data Center (REST v2, wiki text).

use serde_json::{Value, json};

use super::{Created, Desk, Draft, Error, Found, Tracker, dropped, text};
use crate::http::{Body, Method, Service, segment};

pub(super) struct Issues<'a>(pub(super) Desk<'a>);

impl Issues<'_> {
    fn is_cloud(&self) -> bool {
        self.0.host.service == Service::Jira
    }

    fn path(&self, rest: &str) -> String {
        format!("/rest/api/{}{rest}", if self.is_cloud() { 3 } else { 2 })
    }

    /// Text as the version wants it.
    fn document(&self, text: &str) -> Value {
        if self.is_cloud() { adf(text) } else { json!(text) }
    }

    fn found(&self, key: String, open: bool) -> Found {
        Found { url: format!("{}/browse/{key}", self.0.host.base_url()), id: key, open }
    }
}

impl Tracker for Issues<'_> {
    fn find(&self, marker: &str) -> Result<Vec<Found>, Error> {
        let jql =
            format!("project = \"{}\" AND labels = \"{marker}\" ORDER BY created ASC", quoted(&self.0.target.project));
        let request = if self.is_cloud() {
            let mut request = self.0.request(Method::POST, self.path("/search/jql"))?;
            request.body = Body::json(&json!({ "jql": jql, "fields": ["status"], "maxResults": 100 }));
            request
        } else {
            self.0.request(Method::GET, self.path("/search"))?.query("jql", jql).query("fields", "status")
        };
        let answer = self.0.ask(&request, "search issues")?;
        let issues = answer["issues"].as_array().ok_or_else(|| self.0.unexpected("search issues"))?;
        let one = |issue: &Value| {
            let done = issue.pointer("/fields/status/statusCategory/key") == Some(&json!("done"));
            Some(self.found(text(issue, "/key")?, !done))
        };
        Ok(issues.iter().filter_map(one).collect())
    }

    fn create(&self, draft: &Draft) -> Result<Created, Error> {
        let mut fields = json!({
            "project": { "key": self.0.target.project },
            "issuetype": { "name": self.0.target.issue_type },
            "summary": draft.title,
            "labels": draft.labels,
            "description": self.document(&draft.body),
        });
        if let Some(assignee) = draft.assignees.first() {
            fields["assignee"] = if self.is_cloud() { json!({ "id": assignee }) } else { json!({ "name": assignee }) };
        }
        let issue = self.0.act(Method::POST, self.path("/issue"), &json!({ "fields": fields }), "open an issue")?;
        let key = text(&issue, "/key").ok_or_else(|| self.0.unexpected("open an issue"))?;
        // The answer does not tell what was dropped: one more look. And an issue has one assignee.
        let request = self.0.request(Method::GET, self.path(&format!("/issue/{}", segment(&key))))?;
        let seen = self.0.ask(&request.query("fields", "labels,assignee"), "look at an issue")?;
        let mut lost = dropped(&draft.labels, seen.pointer("/fields/labels"), "/name");
        let name = if self.is_cloud() { "/accountId" } else { "/name" };
        let assigned = seen.pointer("/fields/assignee").map(|one| json!([one]));
        lost.extend(dropped(&draft.assignees, assigned.as_ref(), name));
        Ok(Created { task: self.found(key, true), dropped: lost })
    }

    fn comment(&self, task: &Found, text: &str) -> Result<(), Error> {
        let path = self.path(&format!("/issue/{}/comment", segment(&task.id)));
        self.0.act(Method::POST, path, &json!({ "body": self.document(text) }), "comment").map(drop)
    }

    /// Every project has its own states; what they have in common is whether they count as done.
    fn set_open(&self, task: &Found, open: bool) -> Result<(), Error> {
        let path = self.path(&format!("/issue/{}/transitions", segment(&task.id)));
        let list = self.0.ask(&self.0.request(Method::GET, path.clone())?, "list transitions")?;
        let fits = |one: &&Value| (one.pointer("/to/statusCategory/key") == Some(&json!("done"))) != open;
        let way = list["transitions"].as_array().into_iter().flatten().find(fits).and_then(|one| text(one, "/id"));
        let id = way.ok_or_else(|| self.0.unexpected("change an issue"))?;
        self.0.act(Method::POST, path, &json!({ "transition": { "id": id } }), "change an issue").map(drop)
    }
}

/// A value inside the quotes of JQL.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Plain text as an Atlassian document: headings, lists and paragraphs by the first characters of a line. What stands
/// in a text node is text, so nothing has to be escaped.
fn adf(text: &str) -> Value {
    let mut content: Vec<Value> = Vec::new();
    let mut list: Vec<Value> = Vec::new();
    let paragraph = |text: &str| json!({ "type": "paragraph", "content": [{ "type": "text", "text": text }] });
    let flush = |list: &mut Vec<Value>, content: &mut Vec<Value>| {
        if !list.is_empty() {
            content.push(json!({ "type": "bulletList", "content": std::mem::take(list) }));
        }
    };
    // An empty text node is no valid document.
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if let Some(item) = line.strip_prefix("- ").filter(|item| !item.is_empty()) {
            list.push(json!({ "type": "listItem", "content": [paragraph(item)] }));
            continue;
        }
        flush(&mut list, &mut content);
        content.push(match line.strip_prefix("## ") {
            Some(title) if !title.is_empty() => {
                json!({ "type": "heading", "attrs": { "level": 2 }, "content": [{ "type": "text", "text": title }] })
            }
            _ => paragraph(line),
        });
    }
    flush(&mut list, &mut content);
    json!({ "type": "doc", "version": 1, "content": content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_headings_lists_and_paragraphs() {
        let document = adf("one\n\n## Head\n- a\n- {b}\nend\n");
        let kinds: Vec<&str> =
            document["content"].as_array().unwrap().iter().map(|node| node["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["paragraph", "heading", "bulletList", "paragraph"]);
        let items = &document["content"][2]["content"];
        assert_eq!(items[1]["content"][0]["content"][0]["text"], "{b}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_an_empty_node(text in "[-#a \n]{0,60}") {
            proptest::prop_assert!(!adf(&text).to_string().contains("\"text\":\"\""));
        }
    }
}

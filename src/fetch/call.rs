//! Asks a provider for lists, page by page.

use serde_json::Value;

use super::unread;
use crate::coverage::Why;
use crate::http::{Answer, Auth, Host, Http, Request};
use crate::source::remote::Unread;

/// Entries of a page; every provider's most.
pub(super) const PAGE: usize = 100;

/// A list with more pages than this is a list without end.
const MOST_PAGES: usize = 100_000;

/// What a request was for: it decides what a 404 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A list, or something in one.
    List,
    /// A log or an artifact that a list named.
    Content,
}

/// A way to ask one host.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) http: &'a Http,
    pub(super) host: &'a Host,
    pub(super) auth: Auth<'a>,
}

impl<'a> Call<'a> {
    /// A question.
    pub(super) fn request(&self, path: &str) -> Request<'a> {
        let request = Request::get(path, self.auth);
        match self.host.service {
            crate::http::Service::Github => {
                request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28")
            }
            _ => request,
        }
    }

    /// The answer to a question, if it is one.
    pub(super) fn ask(&self, request: &Request<'_>) -> Result<(Value, Answer), Unread> {
        let answer = self.http.read(self.host, request).map_err(|fault| unread(&fault))?;
        if !answer.is_success() {
            return Err(refused(&answer, self.host, Asked::List));
        }
        match answer.json() {
            Some(value) => Ok((value, answer)),
            None => Err(not(self.host, "gives something else than a list in JSON; is the base URL right?")),
        }
    }

    /// Something in JSON, or whether there is none.
    pub(super) fn find(&self, path: &str) -> Result<Option<Value>, Unread> {
        let answer = self.http.read(self.host, &self.request(path)).map_err(|fault| unread(&fault))?;
        match (answer.status, answer.json()) {
            (404, _) => Ok(None),
            (200, Some(value)) => Ok(Some(value)),
            (200, None) => Err(not(self.host, "gives something else than JSON; is the base URL right?")),
            _ => Err(refused(&answer, self.host, Asked::List)),
        }
    }

    /// Shows `each` the entries of a list, which stands in `field` or is the whole answer, page by page, until it says
    /// that it has enough. Pages are followed as the host names them.
    pub(super) fn pages(
        &self,
        first: Request<'a>,
        field: Option<&str>,
        mut each: impl FnMut(&[Value]) -> bool,
    ) -> Result<(), Unread> {
        let mut request = first;
        for number in 1..MOST_PAGES {
            let (value, answer) = self.ask(&request)?;
            let list = match field {
                Some(field) => &value[field],
                None => &value,
            };
            let Some(list) = list.as_array() else {
                return Err(not(self.host, "gives a list in a form that is not known"));
            };
            if !each(list) {
                return Ok(());
            }
            let next = answer.next_page().or(value["next"].as_str());
            match next {
                Some(next) => {
                    let Some((path, query)) = self.host.page(next) else {
                        return Err(not(self.host, "names a next page that is not its own"));
                    };
                    request = self.request(&path);
                    request.query = query;
                }
                None if counts_more(&value, list.len(), number) => turn(&mut request, number + 1),
                None => return Ok(()),
            }
        }
        Err(not(self.host, "gives a list without end"))
    }
}

/// Bitbucket's pipelines have no `next`, but say how many there are.
fn counts_more(value: &Value, len: usize, page: usize) -> bool {
    value["size"].as_u64().is_some_and(|size| len > 0 && ((page * PAGE) as u64) < size)
}

fn turn(request: &mut Request<'_>, page: usize) {
    request.query.retain(|(name, _)| name != "page");
    request.query.push(("page".into(), page.to_string()));
}

fn not(host: &Host, what: &str) -> Unread {
    Unread { why: Why::NotFetched, detail: format!("{} {what}", host.name()) }
}

/// Why an answer is none.
pub(super) fn refused(answer: &Answer, host: &Host, asked: Asked) -> Unread {
    let name = host.name();
    let say = |why, what: &str| Unread { why, detail: format!("{name} answers {}: {what}", answer.status) };
    match answer.status {
        _ if answer.is_rate_limit() => {
            say(Why::NotFetched, "its rate limit is used up for longer than --max-wait allows")
        }
        401 => say(Why::PermissionDenied, "it does not know the credential, or wants one"),
        403 => say(
            Why::PermissionDenied,
            "the credential may not read this; it needs the scope for actions, jobs or pipelines",
        ),
        404 if asked == Asked::Content => say(Why::Expired, "there is no log, or no longer"),
        404 => say(Why::NotFetched, "there is no such thing, or the credential may not see it"),
        410 => say(Why::Expired, "it is deleted"),
        300..=399 => say(Why::NotFetched, "it has moved; name it by its new name"),
        _ if answer.is_page() => say(Why::NotFetched, "there is a web page in its place"),
        500.. => say(Why::NotFetched, "the provider failed"),
        _ => say(Why::NotFetched, "it is not given"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_counts_has_more() {
        let value = serde_json::json!({ "size": 101 });
        assert!(counts_more(&value, 100, 1) && !counts_more(&value, 1, 2) && !counts_more(&value, 0, 1));
    }
}

//! How a token is replaced: by one request that ends it and answers with its successor, by one that makes another
//! beside it, or by a person.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::route::{By, Call, Carries, by_hand};
use crate::http::{Answer, Host, Http, Method, Request, Service, segment};
use crate::respond::inspection::Inspection;
use crate::respond::kind::Kind;
use crate::secret::{Fingerprint, Secret};

/// No provider makes shorter tokens, in characters.
const SHORTEST: usize = 16;

/// What stands in the names of the tokens that are made in place of the one with this fingerprint.
pub(super) fn mark(old: Fingerprint) -> String {
    format!(" (stanch {:.8})", old.to_string())
}

/// How a token is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The old one is dead when the answer comes, and nobody else has the new one.
    Swap(Call),
    /// Both live until the old one is ended.
    Beside(Beside),
    /// No request does it; what to do instead.
    No(String),
}

/// A request that makes a token, and the way to end one that was made and never delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Makes it.
    pub make: Call,
    /// What is called so in the list is ours.
    pub mark: (&'static str, String),
    /// What the list of them wraps them in, if it does.
    pub wrapped: Option<&'static str>,
    /// Lists them; behind a slash, a number names one.
    pub list: String,
}

impl Beside {
    /// The request that ends one of them.
    pub fn undo(&self, id: &str) -> Call {
        let path = format!("{}/{}", self.list, segment(id));
        let (host, by) = (self.make.host.clone(), self.make.by);
        Call {
            host,
            method: Method::DELETE,
            path,
            by,
            carries: Carries::Nothing,
            done: &[204, 200, 404],
            remains: None,
        }
    }
}

/// A token that was made.
#[derive(Debug)]
pub struct Made {
    /// The token.
    pub secret: Secret,
    /// Its public name.
    pub fingerprint: Fingerprint,
    /// The provider's number for it.
    pub id: Option<String>,
}

/// The token in an answer. Borrowed as long as possible: no copy of it is left behind in memory.
pub fn made(answer: &Answer) -> Option<Made> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, alias = "rawToken")]
        token: Cow<'a, str>,
        id: Option<Value>,
    }
    let body: Body<'_> = serde_json::from_slice(answer.bytes()).ok()?;
    let id = body.id.and_then(|id| match id {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text),
        _ => None,
    });
    let (token, fingerprint) = (body.token.as_bytes(), Fingerprint::of_strong(body.token.as_bytes()));
    (token.len() >= SHORTEST).then(|| Made { secret: Secret::new(token), fingerprint, id })
}

/// The tokens beside the old one that we made and that nobody got: their numbers. `None` if the list cannot be read.
pub fn orphans(http: &Http, host: &Host, beside: &Beside, token: &Secret) -> Option<Vec<String>> {
    let auth = match beside.make.by {
        By::Token => crate::http::Auth::Bearer(token),
        _ => host.sign_in().ok()?,
    };
    let all = super::pages(|page| {
        let request = Request::get(beside.list.clone(), auth);
        let request = if host.service == Service::Gitlab { super::paged(request, page) } else { request };
        http.read(host, &request)
    })?;
    let all: Vec<Value> = match beside.wrapped {
        Some(key) => all.iter().filter_map(|page| page.get(key)?.as_array().cloned()).flatten().collect(),
        None => all,
    };
    let (field, mark) = &beside.mark;
    let ours = all.iter().filter(|one| super::text(one, field).as_ref() == Some(mark));
    // GitLab's list goes on naming what was revoked.
    let ours = ours.filter(|one| one.get("revoked") != Some(&Value::Bool(true)));
    Some(ours.filter_map(|one| super::text(one, "id")).collect())
}

/// The way to replace the token `old`, from what is known of it. Pure: asks nobody.
pub fn renew(kind: Kind, said: &Inspection, host: Option<&Host>, old: Fingerprint) -> Renewal {
    let Some(host) = host else { return Renewal::No("no host is known for it".to_owned()) };
    let swap = |method, path: String, by, carries, done| {
        Renewal::Swap(Call { host: host.base_url().to_owned(), method, path, by, carries, done, remains: None })
    };
    let found = match kind {
        Kind::GitlabPat => gitlab_access(said, host),
        Kind::GitlabRunner => {
            let path = "/api/v4/runners/reset_authentication_token".to_owned();
            Some(swap(Method::POST, path, By::Nobody, Carries::Form, &[201, 200]))
        }
        Kind::GithubOauth | Kind::GithubAppUser if said.ids.contains_key("client") && host.client_id.is_some() => {
            let path = format!("/applications/{}/token", host.client_id.as_deref().unwrap_or_default());
            Some(swap(Method::PATCH, path, By::Application, Carries::Json("access_token"), &[200]))
        }
        _ => beside(kind, said, host, old).map(Renewal::Beside),
    };
    found.unwrap_or_else(|| Renewal::No(instead(kind, said, host)))
}

/// Rotation by the token itself, or by number with our credential.
fn gitlab_access(said: &Inspection, host: &Host) -> Option<Renewal> {
    let id = |name: &str| said.ids.get(name).map(|id| segment(id));
    let tokens = match (id("project"), id("group")) {
        (Some(project), _) => format!("projects/{project}/access_tokens"),
        (None, Some(group)) => format!("groups/{group}/access_tokens"),
        (None, None) => "personal_access_tokens".to_owned(),
    };
    let may = said.scopes.iter().any(|scope| ["api", "self_rotate"].contains(&scope.name.as_str()));
    let (path, by) = match id("token") {
        _ if may => (format!("/api/v4/{tokens}/self/rotate"), By::Token),
        Some(token) if host.has_credential() => (format!("/api/v4/{tokens}/{token}/rotate"), By::Ours),
        _ => return None,
    };
    // Without a date GitLab gives a week, or as long as it allows: the successor lives as long as the old one would.
    let expires = said.expires.as_deref().and_then(|date| date.get(..10));
    let fields = expires.map_or_else(Map::new, |date| Map::from_iter([("expires_at".to_owned(), json!(date))]));
    let carries = if fields.is_empty() { Carries::Nothing } else { Carries::Fields(fields.into()) };
    let host = host.base_url().to_owned();
    Some(Renewal::Swap(Call { host, method: Method::POST, path, by, carries, done: &[200, 201], remains: None }))
}

fn beside(kind: Kind, said: &Inspection, host: &Host, id_of_old: Fingerprint) -> Option<Beside> {
    let id = |name: &str| said.ids.get(name).map(|id| segment(id));
    // Without the number of the old one no request would end it.
    id("token")?;
    let ours = host.has_credential();
    let old = said.name.as_deref().unwrap_or("token");
    let name = old.split(" (stanch ").next().unwrap_or(old).to_owned() + &mark(id_of_old);
    let scopes: Vec<&str> = said.scopes.iter().map(|scope| scope.name.as_str()).collect();
    let by = |method, list: String, by, fields: Value, field, wrapped| {
        let mark = (field, name.clone());
        let (host, carries) = (host.base_url().to_owned(), Carries::Fields(fields));
        let make = Call { host, method, path: list.clone(), by, carries, done: &[201, 200], remains: None };
        Some(Beside { make, mark, wrapped, list })
    };
    let gitlab = |list: String, fields: Value, field| by(Method::POST, list, By::Ours, fields, field, None);
    match kind {
        Kind::GitlabDeploy if ours && !scopes.is_empty() => {
            let owner = id("project").map(|it| format!("projects/{it}"));
            let owner = owner.or_else(|| id("group").map(|it| format!("groups/{it}")))?;
            // With the same user name nothing but the password changes for whoever uses it.
            let mut fields = json!({ "name": name, "scopes": scopes });
            if let Some(user) = &said.holder {
                fields["username"] = json!(user);
            }
            if let Some(expires) = &said.expires {
                fields["expires_at"] = json!(expires);
            }
            gitlab(format!("/api/v4/{owner}/deploy_tokens"), fields, "name")
        }
        Kind::GitlabTrigger if ours => gitlab(
            format!("/api/v4/projects/{}/triggers", id("project")?),
            json!({ "description": name }),
            "description",
        ),
        Kind::GitlabAgent if ours => {
            let list = format!("/api/v4/projects/{}/cluster_agents/{}/tokens", id("project")?, id("agent")?);
            gitlab(list, json!({ "name": name }), "name")
        }
        Kind::BitbucketDataCenter if ours && !scopes.is_empty() => {
            let list = format!("/rest/access-tokens/latest/users/{}", id("user")?);
            let mut fields = json!({ "name": name, "permissions": scopes });
            if let Some(days) = lifetime(said) {
                fields["expiryDays"] = json!(days);
            }
            by(Method::PUT, list, By::Ours, fields, "name", Some("values"))
        }
        Kind::AtlassianDataCenter => {
            let mut fields = json!({ "name": name });
            if let Some(days) = lifetime(said) {
                fields["expirationDuration"] = json!(days);
            }
            // As the token itself: with our credential it would be one of ours.
            by(Method::POST, "/rest/pat/latest/tokens".to_owned(), By::Token, fields, "name", None)
        }
        _ => None,
    }
}

/// Days for which the old one was made, if it had an end.
fn lifetime(said: &Inspection) -> Option<i64> {
    let date = |text: &Option<String>| text.as_deref()?.get(..10)?.parse::<jiff::civil::Date>().ok();
    let span = date(&said.created)?.until(date(&said.expires)?).ok()?;
    Some(i64::from(span.get_days())).filter(|days| *days > 0)
}

/// Why no request does it, and what does.
fn instead(kind: Kind, said: &Inspection, host: &Host) -> String {
    let page = by_hand(kind, said, host).page;
    match kind {
        Kind::GithubInstallation => "its App makes new ones by itself (POST /app/installations/{id}/access_tokens, as \
            the App): nothing is rotated; let `stanch revoke` end it"
            .to_owned(),
        Kind::GitlabJob => {
            "every job gets a token of its own: nothing is rotated; let `stanch revoke` end it".to_owned()
        }
        Kind::GithubPat | Kind::GithubFineGrained | Kind::GithubBare => format!(
            "GitHub has no request that makes one: make a new one at {page}, put it where the old one is used, then \
             let `stanch revoke` end this one"
        ),
        Kind::GitlabPat => format!(
            "its scopes do not let it rotate itself (api or self_rotate), and no credential of ours may: rotate it at \
             {page}, or let `stanch revoke` end it"
        ),
        Kind::BitbucketAccess => format!(
            "Bitbucket has no request for it. Make a new one at {page}, then revoke this one; its Rotate leaves the \
             leaked one alive for up to 30 minutes"
        ),
        _ => format!(
            "no request makes its successor, as far as is known of it (its number, its scopes, a credential of ours): \
             make one at {page}, put it where the old one is used, then let `stanch revoke` end this one"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_lives_as_long_as_the_old_one_was_made_for() {
        let mut said = Inspection::live();
        assert_eq!(lifetime(&said), None);
        said.created = Some("2026-01-01T10:00:00.000Z".to_owned());
        said.expires = Some("2026-04-01".to_owned());
        assert_eq!(lifetime(&said), Some(90));
    }
}

//! What Atlassian says of a token: Jira Cloud sites, organisations, Jira and Confluence Data Center.

use serde_json::Value;

use super::bitbucket::with_emails;
use super::{Ask, text};
use crate::http::{Answer, Auth, Request, Service};
use crate::respond::inspection::{Death, Inspection, Reach};

/// An API token of an account, at one site.
pub(super) fn inspect_site(ask: &Ask<'_>) -> Inspection {
    let mut said = with_emails(ask, |email| as_user(ask, email));
    if said.liveness.is_live() {
        managed(ask, &mut said);
    }
    said
}

fn as_user(ask: &Ask<'_>, email: &str) -> Inspection {
    let mut said = myself(ask, email, "/rest/api/3/myself".to_owned(), ask.host);
    // A token with scopes is refused at the site and works at api.atlassian.com only, under the site's cloud id.
    if said.liveness.is_dead()
        && let Some(scoped) = scoped(ask, email)
    {
        said = scoped;
    }
    said.asked_as = Some(email.to_owned());
    said
}

fn scoped(ask: &Ask<'_>, email: &str) -> Option<Inspection> {
    let gateway = ask.http.hosts.of(Service::Atlassian, &[]).into_iter().next()?;
    let site = ask.also(&Request::get("/_edge/tenant_info", Auth::None))?;
    let cloud = crate::http::segment(&text(&site, "cloudId")?);
    Some(myself(ask, email, format!("/ex/jira/{cloud}/rest/api/3/myself"), gateway))
}

fn myself(ask: &Ask<'_>, email: &str, path: String, host: &crate::http::Host) -> Inspection {
    let answer = ask.http.read(host, &Request::get(path.clone(), Auth::Basic(email, ask.token)));
    ask.evidence.borrow_mut().push(super::evidence(host, format!("GET {path}"), &answer));
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    match (answer.status, answer.json()) {
        (200, Some(user)) if user.get("accountId").is_some() => {
            let mut said = Inspection::live();
            said.holder = text(&user, "emailAddress").or_else(|| text(&user, "displayName"));
            said.kind = text(&user, "accountType");
            said.owners = said.holder.iter().cloned().chain([email.to_owned()]).collect();
            said.ids.extend(text(&user, "accountId").map(|id| ("account", id)));
            said
        }
        (403, Some(_)) => Inspection::limited("its scopes do not allow asking who it is"),
        (401, _) if is_jira(&answer) => Inspection::dead(Death::UnknownToProvider),
        _ => ask.unclear(&answer),
    }
}

/// Atlassian's products answer 401 in text, HTML or JSON, but always with their marks.
fn is_jira(answer: &Answer) -> bool {
    ["x-seraph-loginreason", "x-arequestid", "atl-traceid"].iter().any(|name| answer.header(name).is_some())
        || answer.json().is_some_and(|body| body.get("errorMessages").or(body.get("message")).is_some())
}

/// An organisation's administrator sees the tokens of managed accounts, though not their values. One token needs no
/// guess which one it is.
pub(super) fn managed(ask: &Ask<'_>, said: &mut Inspection) {
    let Some(host) = ask.http.hosts.of(Service::Atlassian, &[]).into_iter().next() else { return };
    let (Some(ours), Some(account)) = (host.usable_credential(), said.ids.get("account").cloned()) else { return };
    let path = format!("/users/{}/manage/api-tokens", crate::http::segment(&account));
    let answer = ask.http.read(host, &Request::get(path.clone(), Auth::Bearer(ours)));
    ask.evidence.borrow_mut().push(super::evidence(host, format!("GET {path}"), &answer));
    let Some(list) = answer.ok().filter(|answer| answer.status == 200).and_then(|answer| answer.json()) else { return };
    let tokens: Vec<&Value> = list.as_array().into_iter().flatten().collect();
    match tokens.as_slice() {
        [one] => {
            said.ids.insert("admin_host", host.base_url().to_owned());
            said.ids.extend(text(one, "id").map(|id| ("token", id)));
            said.name = text(one, "label");
            said.created = text(one, "createdAt");
            said.last_used = text(one, "lastAccess");
            said.expires = text(one, "expiry");
        }
        several => {
            let labels: Vec<String> = several.iter().filter_map(|one| text(one, "label")).collect();
            said.name = Some(format!("one of: {}", labels.join(", ")));
        }
    }
}

/// The API key of an organisation, which looks like a Bitbucket access token.
pub(super) fn inspect_organization(ask: &Ask<'_>) -> Inspection {
    let answer = match ask.read(&Request::get("/admin/v1/orgs", ask.bearer())) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    match (answer.status, body.as_ref().and_then(|body| body.get("data")).and_then(Value::as_array)) {
        (200, Some(organizations)) => {
            let mut said = Inspection::live();
            said.kind = Some("organization API key".to_owned());
            let name = |one: &Value| one.pointer("/attributes/name").and_then(Value::as_str).map(str::to_owned);
            said.owners = organizations.iter().filter_map(name).collect();
            said.holder = said.owners.first().cloned();
            let access = "administrator".to_owned();
            let reach = |name: &String| Reach { what: "organization", name: name.clone(), access: access.clone() };
            said.reach = said.owners.iter().map(reach).collect();
            said
        }
        (401, _) if body.is_some() => Inspection::dead(Death::UnknownToProvider),
        _ => ask.unclear(&answer),
    }
}

/// Personal access tokens of Jira and Confluence Data Center.
pub(super) fn inspect_data_center(ask: &Ask<'_>) -> Inspection {
    let confluence = ask.host.service == Service::ConfluenceDataCenter;
    let path = if confluence { "/rest/api/user/current" } else { "/rest/api/2/myself" };
    let answer = match ask.read(&Request::get(path, ask.bearer())) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    match (answer.status, answer.json()) {
        (200, Some(user)) if text(&user, "type").as_deref() == Some("anonymous") => {
            Inspection::unknown("answered as to somebody without a token")
        }
        (200, Some(user)) => {
            let Some(name) = text(&user, "name").or_else(|| text(&user, "username")) else {
                return ask.unclear(&answer);
            };
            let mut said = Inspection::live();
            said.owners = [Some(name.clone()), text(&user, "emailAddress")].into_iter().flatten().collect();
            said.holder = Some(name);
            said.ids.extend(ask.number.map(|id| ("token", id.trim_start_matches('0').to_owned())));
            listed(ask, &mut said);
            said
        }
        (401, _) if is_jira(&answer) => Inspection::dead(Death::UnknownToProvider),
        _ => ask.unclear(&answer),
    }
}

/// A token may list its owner's tokens, and knows its own number.
fn listed(ask: &Ask<'_>, said: &mut Inspection) {
    let Some(list) = ask.also(&Request::get("/rest/pat/latest/tokens", ask.bearer())) else { return };
    let own = said.ids.get("token").cloned();
    let Some(one) = list.as_array().into_iter().flatten().find(|one| text(one, "id") == own) else { return };
    said.name = text(one, "name");
    said.created = text(one, "createdAt");
    said.expires = text(one, "expiringAt");
    said.last_used = text(one, "lastAccessedAt");
}

//! What Bitbucket says of a token, Cloud and Data Center.

use serde_json::Value;

use super::{Ask, reach, text, texts};
use crate::http::{Answer, Auth, Request, segment};
use crate::respond::inspection::{Death, Inspection, Scope};
use crate::respond::kind::Kind;

/// Addresses that are tried with one token: each failure counts against their account.
pub(super) const MOST_EMAILS: usize = 3;

pub(super) fn inspect(ask: &Ask<'_>) -> Inspection {
    match ask.kind {
        Kind::BitbucketAccess => access_token(ask),
        Kind::AtlassianApi => {
            let mut said = with_emails(ask, |email| as_user(ask, email));
            super::atlassian::managed(ask, &mut said);
            said
        }
        Kind::BitbucketAppPassword => match ask.hints.users.first() {
            Some(user) => as_user(ask, user),
            None => Inspection::unknown(
                "an app password is asked about with its user name, which stands nowhere near it \
                 (Bitbucket removed app passwords on 2026-07-28)",
            ),
        },
        _ => Inspection::unknown("Bitbucket has no question by which such a secret could be asked about"),
    }
}

/// Repository, project and workspace access tokens.
fn access_token(ask: &Ask<'_>) -> Inspection {
    let request = Request::get("/2.0/repositories", ask.bearer()).query("role", "member").query("pagelen", "100");
    let answer = match ask.read(&request) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    let Some(list) = body.as_ref().filter(|body| answer.status == 200 && body.get("values").is_some()) else {
        return refused(ask, &answer, body.as_ref());
    };
    let mut said = Inspection::live();
    describe(&answer, &mut said);
    said.reach = reach(list.get("values"), "repository", "full_name", |_| String::new());
    said.reaches_more = list.get("next").is_some();
    for one in &said.reach {
        let workspace = one.name.split('/').next().unwrap_or_default().to_owned();
        if !said.owners.contains(&workspace) {
            said.owners.push(workspace);
        }
    }
    said.holder = said.owners.first().map(|workspace| format!("workspace {workspace}"));
    said
}

/// Basic authentication with a user name (app password) or an e-mail address (API token).
fn as_user(ask: &Ask<'_>, user: &str) -> Inspection {
    let answer = match ask.read(&Request::get("/2.0/user", Auth::Basic(user, ask.token))) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    let mut said = match (answer.status, body.as_ref()) {
        (200, Some(body)) if body.get("account_id").is_some() || body.get("uuid").is_some() => {
            let mut said = Inspection::live();
            said.holder = text(body, "username").or_else(|| text(body, "display_name"));
            said.ids.extend(text(body, "account_id").map(|id| ("account", id)));
            said.owners = said.holder.iter().cloned().chain([user.to_owned()]).collect();
            said
        }
        // A token whose scopes do not include read:user answers 403, in JSON.
        (403, Some(body)) if body.get("error").is_some() => {
            Inspection::limited("its scopes do not allow asking who it is")
        }
        (_, body) => refused(ask, &answer, body),
    };
    describe(&answer, &mut said);
    said.asked_as = Some(user.to_owned());
    said
}

fn describe(answer: &Answer, said: &mut Inspection) {
    said.kind = answer.header("x-credential-type").map(str::to_owned);
    let scopes = answer.header("x-oauth-scopes").unwrap_or_default().split([',', ' ']).filter(|name| !name.is_empty());
    let dangerous = |name: &str| ["write", "admin", "delete"].iter().any(|word| name.contains(word));
    said.scopes = scopes.map(|name| Scope { name: name.to_owned(), dangerous: dangerous(name) }).collect();
}

fn refused(ask: &Ask<'_>, answer: &Answer, body: Option<&Value>) -> Inspection {
    let message = body.and_then(|body| body.pointer("/error/message")).and_then(Value::as_str);
    match (answer.status, message) {
        (401, Some(message)) if message.starts_with("Access token expired") => Inspection::dead(Death::Expired),
        (401, Some(_)) => Inspection::dead(Death::UnknownToProvider),
        _ => ask.unclear(answer),
    }
}

/// Atlassian's API tokens are asked about with the owner's address. A refusal of a guessed address says nothing about
/// the token, so only an address that worked before can prove it dead.
pub(super) fn with_emails(ask: &Ask<'_>, question: impl Fn(&str) -> Inspection) -> Inspection {
    if let Some(email) = ask.earlier.and_then(|earlier| earlier.asked_as.as_deref()) {
        return question(email);
    }
    let mut emails: Vec<&String> = ask.hints.emails.iter().chain(&ask.host.emails).collect();
    emails.dedup();
    if emails.is_empty() {
        return Inspection::unknown(
            "an Atlassian API token is asked about with its owner's e-mail address, which stands nowhere near it; \
             name it with emails = [\"…\"] in [[host]]",
        );
    }
    let mut last = None;
    for email in emails.into_iter().take(MOST_EMAILS) {
        let said = question(email);
        if said.liveness.is_live() {
            return said;
        }
        last = Some(said);
    }
    match last {
        Some(said) if said.liveness.is_dead() => Inspection::unknown(
            "refused with every e-mail address that was tried: the token is dead, or it is somebody else's",
        ),
        Some(said) => said,
        None => Inspection::unknown("no e-mail address to ask with"),
    }
}

/// What a token may do, its owner's or an administrator's credential can look up by its number.
fn itself(ask: &Ask<'_>, said: &mut Inspection) {
    let (Some(user), Some(id), true) = (said.ids.get("user"), said.ids.get("token"), ask.host.has_credential()) else {
        return;
    };
    let path = format!("/rest/access-tokens/latest/users/{}/{}", segment(user), segment(id));
    let found = ask.host.sign_in().ok().and_then(|auth| ask.also(&Request::get(path, auth)));
    let Some(found) = found else { return };
    let dangerous = |name: &str| name.ends_with("_WRITE") || name.ends_with("_ADMIN");
    let scopes = texts(&found, "permissions").into_iter();
    said.scopes = scopes.map(|name| Scope { dangerous: dangerous(&name), name }).collect();
    said.name = text(&found, "name");
    // Milliseconds since 1970.
    let date = |key: &str| {
        let at = jiff::Timestamp::from_millisecond(found.get(key)?.as_i64()?).ok()?;
        Some(at.to_string())
    };
    (said.created, said.expires, said.last_used) = (date("createdDate"), date("expiryDate"), date("lastAuthenticated"));
}

/// HTTP access tokens.
pub(super) fn inspect_data_center(ask: &Ask<'_>) -> Inspection {
    let request = Request::get("/rest/api/1.0/projects", ask.bearer()).query("limit", "100");
    let answer = match ask.read(&request) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    match (answer.status, body.as_ref()) {
        (200, Some(body)) if body.get("values").is_some() => {
            let mut said = Inspection::live();
            said.holder = answer.header("x-ausername").map(str::to_owned);
            said.owners = said.holder.iter().cloned().collect();
            said.reach = reach(body.get("values"), "project", "key", |_| String::new());
            said.reaches_more = body.get("isLastPage") == Some(&Value::Bool(false));
            said.ids.extend(said.holder.iter().map(|user| ("user", user.clone())));
            said.ids.extend(ask.number.map(|id| ("token", id.trim_start_matches('0').to_owned())));
            itself(ask, &mut said);
            said
        }
        (401, Some(body)) if body.get("errors").is_some() => Inspection::dead(Death::UnknownToProvider),
        _ => ask.unclear(&answer),
    }
}

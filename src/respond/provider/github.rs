//! What GitHub says of a token. Facts: docs.github.com/rest, GitHub's OpenAPI description.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Ask, paged, pages, reach, text, texts};
use crate::http::{Answer, Auth, Body, Method, Request, segment};
use crate::respond::inspection::{Death, Inspection, Liveness, Scope};
use crate::respond::kind::Kind;

/// Scopes that change code, settings, members or credentials, or read what is private.
const DANGEROUS: &[&str] = &["repo", "workflow", "gist", "delete_repo", "codespace", "project", "copilot", "user"];

pub(super) fn inspect(ask: &Ask<'_>) -> Inspection {
    if ask.kind == Kind::GithubInstallation {
        return installation(ask);
    }
    if matches!(ask.kind, Kind::GithubOauth | Kind::GithubAppUser)
        && let Some(said) = as_application(ask)
    {
        return said;
    }
    let answer = match ask.read(&get("/user", ask)) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    match (answer.status, answer.json()) {
        (200, Some(user)) if text(&user, "login").is_some() && user.get("id").is_some() => live(ask, &answer, &user),
        (_, body) => refused(ask, &answer, body.as_ref()),
    }
}

fn get<'a>(path: &str, ask: &Ask<'a>) -> Request<'a> {
    versioned(Request::get(path, ask.bearer()))
}

fn versioned(request: Request<'_>) -> Request<'_> {
    request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28")
}

fn live(ask: &Ask<'_>, answer: &Answer, user: &Value) -> Inspection {
    let mut said = Inspection::live();
    said.holder = text(user, "login");
    said.owners = said.holder.iter().cloned().collect();
    said.kind = text(user, "type");
    said.scopes = scopes(answer.header("x-oauth-scopes").unwrap_or_default().split(','));
    said.expires = answer.header("github-authentication-token-expiration").map(rfc3339);
    if let Some(sso) = answer.header("x-github-sso").filter(|sso| sso.starts_with("partial-results")) {
        let ids = sso.split_once("organizations=").map_or("some", |(_, ids)| ids);
        said.liveness = Liveness::Live { limited: Some(format!("not authorized for SSO of organizations {ids}")) };
    }
    let list = versioned(Request::get("/user/repos", ask.bearer())).query("per_page", "100").query("sort", "pushed");
    match ask.read(&list) {
        Ok(answer) if answer.status == 200 => {
            said.reach = reach(answer.json().as_ref(), "repository", "full_name", permissions);
            said.reaches_more = answer.header("link").is_some_and(|link| link.contains("rel=\"next\""));
        }
        _ => said.reaches_more = true,
    }
    version(ask, answer, &mut said);
    as_organization(ask, &mut said);
    said
}

/// Which GitHub Enterprise Server it is: what it can end depends on that. github.com says nothing.
fn version(ask: &Ask<'_>, answer: &Answer, said: &mut Inspection) {
    if !ask.host.is_enterprise_server() {
        return;
    }
    let told = answer.header("x-github-enterprise-version").map(str::to_owned);
    let meta = || text(&ask.also(&get("/meta", ask))?, "installed_version");
    said.ids.extend(told.or_else(meta).map(|version| ("enterprise_server", version)));
}

/// What an organisation's own credential knows of the token: the number of a fine-grained one (GitHub App only), or
/// of the authorisation for SSO, which shows the last eight characters.
fn as_organization(ask: &Ask<'_>, said: &mut Inspection) {
    let Some(organization) = ask.host.organization.as_deref().map(segment) else { return };
    if !ask.host.has_credential() {
        return;
    }
    let list = |what: &str| {
        let auth = ask.host.sign_in().ok()?;
        pages(|page| ask.read(&paged(versioned(Request::get(format!("/orgs/{organization}/{what}"), auth)), page)))
    };
    match ask.kind {
        // It is not told by its value, so there must be no doubt: its owner has one that ends when this one does.
        Kind::GithubFineGrained if ask.host.is_enterprise_server() => {
            let day = |date: Option<String>| date.and_then(|date| date.get(..10).map(str::to_owned));
            let end = day(said.expires.clone());
            let is = |one: &&Value| {
                one.pointer("/owner/login").and_then(Value::as_str) == said.holder.as_deref()
                    && day(text(one, "token_expires_at")) == end
                    && one.get("token_expired") != Some(&Value::Bool(true))
            };
            let all = list("personal-access-tokens").unwrap_or_default();
            let mut fitting = all.iter().filter(is);
            if let (Some(one), None) = (fitting.next(), fitting.next()) {
                said.name = text(one, "token_name");
                said.last_used = text(one, "token_last_used_at");
                said.ids.extend(text(one, "id").map(|id| ("pat", id)));
            }
        }
        Kind::GithubBare if !ask.host.is_enterprise_server() => {
            let token = ask.text().unwrap_or_default();
            let end = token.len().checked_sub(8).and_then(|at| token.get(at..));
            let all = list("credential-authorizations").unwrap_or_default();
            let is = |one: &&Value| {
                one.get("login").and_then(Value::as_str) == said.holder.as_deref()
                    && end.is_some()
                    && one.get("token_last_eight").and_then(Value::as_str) == end
            };
            said.ids
                .extend(all.iter().find(is).and_then(|one| text(one, "credential_id")).map(|id| ("authorization", id)));
        }
        _ => {}
    }
}

/// The token of an installation cannot be asked who it is, only what it reaches.
fn installation(ask: &Ask<'_>) -> Inspection {
    let request = versioned(Request::get("/installation/repositories", ask.bearer())).query("per_page", "100");
    let answer = match ask.read(&request) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    let Some(list) = body.as_ref().filter(|body| answer.status == 200 && body.get("repositories").is_some()) else {
        return refused(ask, &answer, body.as_ref());
    };
    let mut said = Inspection::live();
    said.reach = reach(list.get("repositories"), "repository", "full_name", permissions);
    said.reaches_more = list.get("total_count").and_then(Value::as_u64).unwrap_or(0) > said.reach.len() as u64;
    for repository in list.get("repositories").and_then(Value::as_array).into_iter().flatten() {
        let owner = repository.get("owner").and_then(|owner| text(owner, "login"));
        if let Some(owner) = owner.filter(|owner| !said.owners.contains(owner)) {
            said.owners.push(owner);
        }
    }
    said.holder = said.owners.first().map(|owner| format!("an app installed for {owner}"));
    said
}

/// The owner of an application may look its tokens up; that is no failed login if the token is dead.
fn as_application(ask: &Ask<'_>) -> Option<Inspection> {
    let (id, secret) = (ask.host.client_id.as_deref()?, ask.host.usable_client_secret()?);
    let token = ask.text()?;
    let body = Zeroizing::new(json!({ "access_token": token }).to_string().into_bytes());
    let path = format!("/applications/{id}/token");
    let request = Request::new(Method::POST, path, Auth::Basic(id, secret)).body(Body::Json(body), &[ask.token]);
    let answer = ask.read(&versioned(request)).ok()?;
    let found = answer.json().filter(|body| answer.status == 200 && body.get("hashed_token").is_some())?;
    let mut said = Inspection::live();
    said.holder = found.get("user").and_then(|user| text(user, "login"));
    said.owners = said.holder.iter().cloned().collect();
    said.name = found.get("app").and_then(|app| text(app, "name"));
    said.scopes = scopes(texts(&found, "scopes").iter().map(String::as_str));
    said.expires = text(&found, "expires_at");
    said.created = text(&found, "created_at");
    said.ids.insert("client", id.to_owned());
    Some(said)
}

/// What GitHub says instead of an answer. Only its own "Bad credentials" means dead.
fn refused(ask: &Ask<'_>, answer: &Answer, body: Option<&Value>) -> Inspection {
    let message = body.and_then(|body| text(body, "message")).unwrap_or_default();
    match answer.status {
        401 if message == "Bad credentials" => Inspection::dead(Death::UnknownToProvider),
        403 if answer.is_rate_limit() || message.contains("login attempts") || message.contains("rate limit") => {
            Inspection::unknown(format!("{} refuses more attempts for now; ask again later", ask.host.name()))
        }
        403 if answer.header("x-github-sso").is_some() => Inspection::limited("not authorized for SSO"),
        403 if message.contains("IP allow list") => Inspection::limited("the organization allows other addresses only"),
        403 if message.starts_with("Resource not accessible by") => {
            Inspection::limited("may not ask who it is; what it may do is not known")
        }
        _ => ask.unclear(answer),
    }
}

fn scopes<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Scope> {
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    let dangerous = |name: &str| {
        DANGEROUS.contains(&name) || ["admin:", "write:", "delete:", "manage_"].iter().any(|it| name.starts_with(it))
    };
    names.map(|name| Scope { name: name.to_owned(), dangerous: dangerous(name) }).collect()
}

/// The strongest permission that a repository lists.
fn permissions(repository: &Value) -> String {
    let has = |name: &str| repository.pointer(&format!("/permissions/{name}")) == Some(&Value::Bool(true));
    let strongest = ["admin", "maintain", "push", "triage", "pull"].into_iter().find(|name| has(name));
    strongest.unwrap_or_default().to_owned()
}

/// `2026-10-07 19:07:53 UTC` as the other providers write it.
fn rfc3339(date: &str) -> String {
    match date.strip_suffix(" UTC") {
        Some(date) => format!("{}Z", date.replacen(' ', "T", 1)),
        None => date.to_owned(),
    }
}

//! What GitLab says of a token. Facts: docs.gitlab.com/api, `lib/api/api_guard.rb` for the three kinds of 401.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Ask, paged, pages, reach, text, texts};
use crate::http::{Answer, Auth, Body, Method, Request, segment};
use crate::respond::inspection::{Death, Inspection, Liveness, Reach, Scope};
use crate::respond::kind::Kind;

/// Scopes that change things or make more credentials.
const DANGEROUS: &[&str] = &[
    "api",
    "sudo",
    "admin_mode",
    "write_repository",
    "write_registry",
    "create_runner",
    "manage_runner",
    "k8s_proxy",
    "self_rotate",
    "ai_features",
    "write_virtual_registry",
];

/// User names that are tried with one deploy token: 300 failures in a minute shut gitlab.com's registry.
const MOST_USERS: usize = 3;

pub(super) fn inspect(ask: &Ask<'_>) -> Inspection {
    let said = match ask.kind {
        Kind::GitlabPat => access_token(ask),
        Kind::GitlabOauth => oauth(ask),
        Kind::GitlabRunner => runner(ask),
        Kind::GitlabJob => job(ask),
        Kind::GitlabDeploy => deploy(ask),
        Kind::GitlabTrigger => trigger(ask),
        _ => Inspection::unknown("GitLab has no question by which such a token could be asked about"),
    };
    // An administrator may look up any token; worth it where the token could not tell of itself.
    match said.liveness {
        Liveness::Unknown(_) => as_administrator(ask).unwrap_or(said),
        Liveness::Live { limited: Some(_) } if !said.ids.contains_key("token") => with_number(ask, said),
        _ => said,
    }
}

/// What an administrator knows of a token that works, but may not tell of itself: its number among that.
fn with_number(ask: &Ask<'_>, said: Inspection) -> Inspection {
    match as_administrator(ask) {
        Some(known) if known.liveness.is_live() => {
            let ids = known.ids.iter().map(|(name, id)| (*name, id.clone())).chain(said.ids.clone()).collect();
            Inspection { liveness: said.liveness, kind: said.kind, ids, ..known }
        }
        // Whoever was told what keeps it from working is known there.
        Some(known) if known.liveness != Liveness::Dead(Death::UnknownToProvider) => known,
        _ => said,
    }
}

fn access_token(ask: &Ask<'_>) -> Inspection {
    let own = Auth::Header("private-token", ask.token);
    let answer = match ask.read(&Request::get("/api/v4/personal_access_tokens/self", own)) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    let Some(token) = body.as_ref().filter(|body| answer.status == 200 && body.get("scopes").is_some()) else {
        return refused(ask, &answer, body.as_ref());
    };
    let mut said = described(token);
    if said.liveness.is_live() {
        who_and_where(ask, own, &mut said);
        impersonation(ask, &mut said);
    }
    said
}

/// An impersonation token looks like any other of its user, but may not end itself
/// (`app/policies/personal_access_token_policy.rb`). An administrator sees which it is.
fn impersonation(ask: &Ask<'_>, said: &mut Inspection) {
    let (Some(user), Some(token), true) = (said.ids.get("user"), said.ids.get("token"), ask.host.has_credential())
    else {
        return;
    };
    let path = format!("/api/v4/users/{}/impersonation_tokens/{}", segment(user), segment(token));
    let found = ask.host.sign_in().ok().and_then(|ours| ask.also(&Request::get(path, ours)));
    if found.is_some_and(|found| text(&found, "id").as_ref() == Some(token)) {
        impersonates(said);
    }
}

fn impersonates(said: &mut Inspection) {
    said.kind = Some("impersonation token".to_owned());
    said.ids.insert("impersonation", "yes".to_owned());
}

/// What the object that describes a token says.
fn described(token: &Value) -> Inspection {
    let is = |key| token.get(key).and_then(Value::as_bool);
    // An agent's token says it with a word; a runner that is not `active` is paused, and no token that is dead.
    let revoked = is("revoked") == Some(true) || text(token, "status").as_deref() == Some("revoked");
    let over = is("expired") == Some(true) || (is("revoked").is_some() && is("active") == Some(false));
    let mut said = match (revoked, over) {
        (true, _) => Inspection::dead(Death::Revoked),
        (false, true) => Inspection::dead(Death::Expired),
        (false, false) => Inspection::live(),
    };
    said.name = text(token, "name");
    said.created = text(token, "created_at");
    said.expires = text(token, "expires_at");
    said.last_used = text(token, "last_used_at");
    said.ips = texts(token, "last_used_ips");
    let dangerous = |name: &str| DANGEROUS.contains(&name);
    let scopes = texts(token, "scopes").into_iter();
    said.scopes = scopes.map(|name| Scope { dangerous: dangerous(&name), name }).collect();
    for (name, key) in
        [("token", "id"), ("user", "user_id"), ("project", "project_id"), ("group", "group_id"), ("agent", "agent_id")]
    {
        said.ids.extend(text(token, key).map(|id| (name, id)));
    }
    said
}

/// Two more questions: whose it is and what it reaches. A token without the scope is live all the same.
fn who_and_where(ask: &Ask<'_>, own: Auth<'_>, said: &mut Inspection) {
    if let Some(user) = ask.also(&Request::get("/api/v4/user", own)) {
        said.holder = text(&user, "username");
        said.owners.extend(said.holder.clone());
    }
    let associations = Request::get("/api/v4/personal_access_tokens/self/associations", own).query("per_page", "100");
    // Without a least level the list holds what is public, too, and takes gitlab.com too long.
    let associations = associations.query("min_access_level", "10");
    let answer = ask.read(&associations).ok();
    let Some((body, answer)) = answer.and_then(|answer| Some((answer.json()?, answer))) else {
        said.reaches_more = true;
        return;
    };
    said.reaches_more = answer.status != 200 || answer.header("x-next-page").is_some_and(|page| !page.is_empty());
    said.reach = reach(body.get("groups"), "group", "web_url", access);
    for group in &mut said.reach {
        // A group says its path only in its address.
        group.name = group.name.split_once("/groups/").map_or(group.name.as_str(), |(_, path)| path).to_owned();
    }
    said.reach.extend(reach(body.get("projects"), "project", "path_with_namespace", access));
    said.reaches_more |= body.get("groups").is_none() && body.get("projects").is_none();
    bot_owners(&body, said);
}

/// The user of a project or group token is a bot named `project_ID_bot…` or `group_ID_bot…`; the owner is that project.
fn bot_owners(body: &Value, said: &mut Inspection) {
    let Some(holder) = said.holder.clone() else { return };
    for (what, list, path) in [("project", "projects", "path_with_namespace"), ("group", "groups", "full_path")] {
        let Some(id) =
            holder.strip_prefix(what).and_then(|it| it.strip_prefix('_')).and_then(|it| it.split_once("_bot"))
        else {
            continue;
        };
        said.kind = Some(format!("{what} access token"));
        said.ids.insert(what, id.0.to_owned());
        let home = body.get(list).and_then(Value::as_array).into_iter().flatten();
        said.owners
            .extend(home.filter(|one| text(one, "id").as_deref() == Some(id.0)).filter_map(|one| text(one, path)));
    }
}

fn access(one: &Value) -> String {
    let level = one.get("access_levels").or(one.get("access_level"));
    let level = match level {
        Some(Value::Number(level)) => level.as_u64(),
        Some(levels) => {
            ["project_access_level", "group_access_level"].iter().filter_map(|key| levels.get(key)?.as_u64()).max()
        }
        None => None,
    };
    // docs.gitlab.com/api/access_requests: valid access levels.
    match level {
        Some(5) => "minimal",
        Some(10) => "guest",
        Some(15) => "planner",
        Some(20) => "reporter",
        Some(25) => "security manager",
        Some(30) => "developer",
        Some(40) => "maintainer",
        Some(50) => "owner",
        Some(60) => "administrator",
        _ => "",
    }
    .to_owned()
}

fn oauth(ask: &Ask<'_>) -> Inspection {
    let answer = match ask.read(&Request::get("/oauth/token/info", ask.bearer())) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    let Some(info) = body.as_ref().filter(|body| answer.status == 200 && body.get("resource_owner_id").is_some())
    else {
        return refused(ask, &answer, body.as_ref());
    };
    let mut said = Inspection::live();
    said.ids.extend(text(info, "resource_owner_id").map(|id| ("user", id)));
    said.holder = text(info, "resource_owner_id").map(|id| format!("user {id}"));
    said.name = info.get("application").and_then(|application| text(application, "uid"));
    let scopes = if info.get("scope").is_some() { texts(info, "scope") } else { texts(info, "scopes") };
    said.scopes =
        scopes.into_iter().map(|name| Scope { dangerous: DANGEROUS.contains(&name.as_str()), name }).collect();
    said
}

/// GitLab answers 403 to a runner token that it does not know. That is proof only where it answered 200 before.
fn runner(ask: &Ask<'_>) -> Inspection {
    let Some(token) = ask.text() else { return Inspection::unknown("it is no text") };
    let form = Body::Form(vec![("token", Zeroizing::new(token.to_owned()))]);
    let request = Request::new(Method::POST, "/api/v4/runners/verify", Auth::None).body(form, &[ask.token]);
    let answer = match ask.read(&request) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    match (answer.status, body.as_ref()) {
        (200, Some(runner)) if runner.get("id").is_some() => {
            let mut said = Inspection::live();
            said.kind = Some("runner".to_owned());
            said.ids.extend(text(runner, "id").map(|id| ("runner", id)));
            said.expires = text(runner, "token_expires_at");
            said
        }
        (403, Some(body)) if text(body, "message").is_some_and(|it| it.starts_with("403 Forbidden")) => {
            if ask.earlier.is_some_and(|earlier| earlier.liveness.is_live()) {
                return Inspection::dead(Death::Revoked);
            }
            Inspection::unknown("403 is what GitLab answers to a dead runner token, but also to a forbidden question")
        }
        _ => ask.unclear(&answer),
    }
}

fn job(ask: &Ask<'_>) -> Inspection {
    let answer = match ask.read(&Request::get("/api/v4/job", Auth::Header("job-token", ask.token))) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    let body = answer.json();
    let Some(job) = body.as_ref().filter(|body| answer.status == 200 && body.get("pipeline").is_some()) else {
        return refused(ask, &answer, body.as_ref());
    };
    let mut said = Inspection::live();
    said.kind = Some("job token".to_owned());
    said.name = text(job, "name");
    said.created = text(job, "created_at");
    said.holder = job.get("user").and_then(|user| text(user, "username"));
    said.owners = said.holder.iter().cloned().collect();
    said.ids.extend(text(job, "id").map(|id| ("job", id)));
    said.ids.extend(job.get("pipeline").and_then(|it| text(it, "project_id")).map(|id| ("project", id)));
    if let Some(project) = said.ids.get("project") {
        said.reach.push(Reach { what: "project", name: project.clone(), access: "job".to_owned() });
    }
    said
}

/// The API takes no deploy token, the registry does; it wants the user name that stands in the same URL.
fn deploy(ask: &Ask<'_>) -> Inspection {
    // With this name it worked: under any other a refusal is no news.
    if let Some(user) = ask.earlier.and_then(|earlier| earlier.asked_as.as_deref()) {
        return deploy_of(ask, user);
    }
    let users = &ask.hints.users[..ask.hints.users.len().min(MOST_USERS)];
    let mut said =
        Inspection::unknown("a deploy token is asked about with its user name, which stands nowhere near it");
    for user in users {
        said = deploy_of(ask, user);
        if !said.liveness.is_dead() {
            return said;
        }
    }
    match users.len() {
        0 | 1 => said,
        // Which of the names is its own is a guess, and a wrong name is refused like a dead token.
        _ => Inspection::unknown("refused with every user name that stands near it: it is dead, or has another name"),
    }
}

fn deploy_of(ask: &Ask<'_>, user: &str) -> Inspection {
    let request = Request::get("/jwt/auth", Auth::Basic(user, ask.token)).query("service", "container_registry");
    let answer = match ask.read(&request) {
        Ok(answer) => answer,
        Err(fault) => return fault.into(),
    };
    match (answer.status, answer.json()) {
        (200, Some(body)) if body.get("token").is_some() => {
            let mut said = Inspection::live();
            said.kind = Some("deploy token".to_owned());
            said.holder = Some(user.to_owned());
            said.asked_as = said.holder.clone();
            said.owners = ask.hints.paths.clone();
            deploy_id(ask, user, &mut said);
            said
        }
        (401, Some(body)) if body.get("errors").is_some() || body.get("message").is_some() => {
            Inspection::dead(Death::UnknownToProvider)
        }
        _ => ask.unclear(&answer),
    }
}

/// Revoking a deploy token needs its number, which a maintainer's credential can look up by the user name: among those
/// of the project, then of the groups around it.
fn deploy_id(ask: &Ask<'_>, user: &str, said: &mut Inspection) {
    let Some(path) = ask.hints.paths.first() else { return };
    let groups = path.match_indices('/').map(|(at, _)| ("group", &path[..at])).collect::<Vec<_>>();
    for (what, owner) in std::iter::once(("project", path.as_str())).chain(groups.into_iter().rev()) {
        let Some(tokens) = ours(ask, &format!("{what}s/{}/deploy_tokens", segment(owner))) else { continue };
        // GitLab's list goes on naming what was revoked.
        let is_successor = |one: &Value| text(one, "name").is_some_and(|name| name.ends_with(&ask.mark));
        let same = |one: &&Value| {
            text(one, "username").as_deref() == Some(user)
                && one.get("revoked") != Some(&Value::Bool(true))
                && !is_successor(one)
        };
        let mut same = tokens.iter().filter(same);
        // Two with the same user name cannot be told apart by what we know.
        if let (Some(token), None) = (same.next(), same.next()) {
            said.ids.extend(text(token, "id").map(|id| ("token", id)));
            said.ids.insert(what, owner.to_owned());
            said.name = text(token, "name");
            said.scopes = described(token).scopes;
            said.expires = text(token, "expires_at");
            return;
        }
    }
}

/// A list that our credential may read, to its end.
fn ours(ask: &Ask<'_>, path: &str) -> Option<Vec<Value>> {
    let auth = Auth::Header("private-token", ask.host.usable_credential()?);
    pages(|page| ask.read(&paged(Request::get(format!("/api/v4/{path}"), auth), page)))
}

/// Nobody can be asked about a trigger token, but whoever made it finds it in the list of its project, whose number or
/// path stands in the address it is used with.
#[expect(clippy::disallowed_methods, reason = "compares the token with those of the list")]
fn trigger(ask: &Ask<'_>) -> Inspection {
    let Some(project) = ask.hints.projects.first() else {
        return Inspection::unknown("a trigger token is found in its project, which stands nowhere near it");
    };
    let Some(list) = ours(ask, &format!("projects/{}/triggers", segment(project))) else {
        return Inspection::unknown("the triggers of its project cannot be listed with our credential");
    };
    let is = |one: &&Value| one.get("token").and_then(Value::as_str).map(str::as_bytes) == Some(ask.token.expose());
    if let Some(found) = list.iter().find(is) {
        let mut said = Inspection::live();
        said.kind = Some("pipeline trigger".to_owned());
        said.name = text(found, "description");
        said.created = text(found, "created_at");
        said.last_used = text(found, "last_used");
        said.holder = found.get("owner").and_then(|owner| text(owner, "username"));
        said.owners = said.holder.iter().cloned().chain([project.clone()]).collect();
        said.ids.extend(text(found, "id").map(|id| ("token", id)));
        said.ids.insert("project", project.clone());
        return said;
    }
    // Tokens of others are shown by their first characters only, with `glptt-` or without: it may be one of these.
    let shown = |one: &Value| {
        let short = text(one, "token").unwrap_or_default();
        ask.text().is_some_and(|own| own.starts_with(&short) || own.trim_start_matches("glptt-").starts_with(&short))
    };
    let is_there = |earlier: &Inspection| match earlier.ids.get("token") {
        Some(id) => list.iter().any(|one| text(one, "id").as_ref() == Some(id)),
        None => list.iter().any(shown),
    };
    match ask.earlier {
        Some(earlier) if earlier.liveness.is_live() && !is_there(earlier) => Inspection::dead(Death::Revoked),
        _ => Inspection::unknown("it is not among the triggers that our credential sees in its project"),
    }
}

/// `POST /admin/token`, for self-managed GitLab. `None` if there is no administrator or no answer.
fn as_administrator(ask: &Ask<'_>) -> Option<Inspection> {
    let ours = ask.host.usable_credential()?;
    let token = ask.text()?;
    let body = Zeroizing::new(json!({ "token": token }).to_string().into_bytes());
    let request = Request::new(Method::POST, "/api/v4/admin/token", Auth::Header("private-token", ours))
        .body(Body::Json(body), &[ask.token]);
    let answer = ask.read(&request).ok()?;
    let body = answer.json()?;
    match answer.status {
        200 | 201 if body.get("id").is_some() || body.get("created_at").is_some() => {
            let mut said = described(&body);
            said.ids.insert("admin", "yes".to_owned());
            said.owners.extend(text(&body, "username"));
            said.holder = text(&body, "username");
            Some(said)
        }
        // Where GitLab is too old for the route it says `{"error": "404 Not Found"}` (lib/api/admin/token.rb).
        404 if body.pointer("/message/error").is_some() => Some(Inspection::dead(Death::UnknownToProvider)),
        _ => None,
    }
}

/// What GitLab says instead of an answer.
fn refused(ask: &Ask<'_>, answer: &Answer, body: Option<&Value>) -> Inspection {
    let say = |key| body.and_then(|body| text(body, key)).unwrap_or_default();
    let (error, why, message) = (say("error"), say("error_description"), say("message"));
    match (answer.status, error.as_str()) {
        (401, "invalid_token") if why.contains("revoked") => Inspection::dead(Death::Revoked),
        (401, "invalid_token") if why.contains("expired") => Inspection::dead(Death::Expired),
        (401, "invalid_token") if why.contains("impersonation was disabled") => {
            let mut said =
                Inspection::limited("an impersonation token, and impersonation is switched off there at the moment");
            impersonates(&mut said);
            said
        }
        (401, "invalid_token") if why.starts_with("Bad Access Token") || why.contains("is invalid") => {
            Inspection::dead(Death::UnknownToProvider)
        }
        (401, "dpop_error") => Inspection::limited("works only with a proof of possession (DPoP)"),
        (401, "") if message.starts_with("401 Unauthorized") => Inspection::dead(Death::UnknownToProvider),
        (403, "insufficient_scope") => {
            Inspection::limited("its scopes do not allow asking who it is; what it may do is not known")
        }
        _ => ask.unclear(answer),
    }
}

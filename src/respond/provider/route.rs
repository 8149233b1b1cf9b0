//! How a token is ended: by one request, or by a person.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::http::{Answer, Auth, Body, Fault, Host, Http, Method, Request, Service, segment};
use crate::respond::inspection::Inspection;
use crate::respond::kind::Kind;
use crate::secret::Secret;

/// Whom a call speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Nobody.
    Nobody,
    /// The leaked token itself.
    Token,
    /// The credential that the configuration names for the host.
    Ours,
    /// Our application (`client_id`, `client_secret`).
    Application,
}

/// How the leaked token is carried, if it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Not at all.
    Nothing,
    /// `{"credentials": ["…", …]}`, as many as 1,000 in one call.
    Credentials,
    /// `{"NAME": "…"}`.
    Json(&'static str),
    /// Not at all, but this: nothing secret.
    Fields(Value),
    /// `token=…`, with the application's id and secret if the call is [`By::Application`].
    Form,
}

/// One request that ends a token. Holds no secret: it is printed and goes into the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Base URL of the host.
    pub host: String,
    /// The verb.
    pub method: Method,
    /// The path.
    pub path: String,
    /// Whom it speaks for.
    pub by: By,
    /// How it carries the token.
    pub carries: Carries,
    /// The statuses that mean it was done.
    pub done: &'static [u16],
    /// What the token still does when it was done, where it does not end it.
    pub remains: Option<&'static str>,
}

impl Call {
    /// Whether several tokens can go in one call.
    pub fn takes_many(&self) -> bool {
        self.carries == Carries::Credentials
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = match self.by {
            By::Nobody => "without a credential",
            By::Token => "as the token itself",
            By::Ours => "with the configured credential",
            By::Application => "as our application",
        };
        write!(f, "{} {}{} {by}", self.method, self.host, self.path)
    }
}

/// What a person has to do, because no request can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Where to go; empty where that is not known.
    pub page: String,
    /// What to do there.
    pub steps: Vec<String>,
    /// What to look at afterwards.
    pub check: Vec<String>,
}

/// How a token is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// By a request.
    Call(Call),
    /// By a person.
    Person(Person),
}

/// The way to end a token, from what is known of it. Pure: asks nobody.
pub fn route(kind: Kind, said: &Inspection, host: Option<&Host>) -> Route {
    let Some(host) = host else { return Route::Person(person(kind, "", said)) };
    let call = |method, path: String, by, carries, done| {
        let host = host.base_url().to_owned();
        Some(Call { host, method, path, by, carries, done, remains: None })
    };
    let id = |name: &str| said.ids.get(name).map(|id| segment(id));
    let ours = host.has_credential();
    let found = match kind {
        _ if kind.is_github() => github(kind, said, host, &call),
        _ if kind.services() == [Service::Gitlab] => gitlab(kind, said, host, &call),
        Kind::BitbucketDataCenter => match (id("user"), id("token")) {
            (Some(user), Some(token)) if ours => {
                let path = format!("/rest/access-tokens/latest/users/{user}/{token}");
                call(Method::DELETE, path, By::Ours, Carries::Nothing, &[204, 200])
            }
            _ => None,
        },
        Kind::AtlassianDataCenter => id("token").and_then(|token| {
            let by = if ours { By::Ours } else { By::Token };
            call(Method::DELETE, format!("/rest/pat/latest/tokens/{token}"), by, Carries::Nothing, &[204, 200])
        }),
        Kind::AtlassianApi => match (said.ids.get("admin_host"), id("account"), id("token")) {
            // Never the path one level up: it revokes every token of the organisation.
            (Some(host), Some(account), Some(token)) => Some(Call {
                host: host.clone(),
                method: Method::DELETE,
                path: format!("/users/{account}/manage/api-tokens/{token}"),
                by: By::Ours,
                carries: Carries::Nothing,
                done: &[204, 200],
                remains: None,
            }),
            _ => None,
        },
        _ => None,
    };
    found.map_or_else(|| Route::Person(person(kind, &web(host), said)), Route::Call)
}

type Make<'a> = dyn Fn(Method, String, By, Carries, &'static [u16]) -> Option<Call> + 'a;

/// What is left when an organisation has shut its door.
const REMAINS: &str = "the organization no longer lets it in, but the token itself lives: its owner must delete it, and \
    whatever SSH keys it made";

fn github(kind: Kind, said: &Inspection, host: &Host, call: &Make<'_>) -> Option<Call> {
    let id = |name: &str| said.ids.get(name).map(|id| segment(id));
    let organization = host.organization.as_deref().map(segment);
    match kind {
        Kind::GithubInstallation => {
            call(Method::DELETE, "/installation/token".to_owned(), By::Token, Carries::Nothing, &[204])
        }
        _ if said.ids.contains_key("client") && host.client_id.is_some() => {
            let path = format!("/applications/{}/token", host.client_id.as_deref().unwrap_or_default());
            call(Method::DELETE, path, By::Application, Carries::Json("access_token"), &[204])
        }
        // `credentials/revoke` does not document tokens without a prefix, and one bad token spoils a whole batch. An
        // organisation with SSO can shut its own door to it.
        Kind::GithubBare => match (organization, id("authorization")) {
            (Some(organization), Some(id)) if host.has_credential() => {
                let path = format!("/orgs/{organization}/credential-authorizations/{id}");
                let call = call(Method::DELETE, path, By::Ours, Carries::Nothing, &[204])?;
                Some(Call { remains: Some(REMAINS), ..call })
            }
            _ => None,
        },
        // On github.com the call must come without a credential (403 otherwise); GitHub Enterprise Server (3.18 and
        // later) wants one, and takes personal access tokens only.
        _ if !host.is_enterprise_server() => {
            call(Method::POST, "/credentials/revoke".to_owned(), By::Nobody, Carries::Credentials, &[202])
        }
        Kind::GithubPat | Kind::GithubFineGrained if host.has_credential() && revokes(said) => {
            call(Method::POST, "/credentials/revoke".to_owned(), By::Ours, Carries::Credentials, &[202])
        }
        Kind::GithubFineGrained if host.has_credential() => {
            let path = format!("/orgs/{}/personal-access-tokens/{}", organization?, id("pat")?);
            let call = call(Method::POST, path, By::Ours, Carries::Fields(json!({ "action": "revoke" })), &[204])?;
            Some(Call { remains: Some(REMAINS), ..call })
        }
        _ => None,
    }
}

/// The first version that has `credentials/revoke` (docs.github.com/enterprise-server@3.18).
const REVOKES: (u32, u32) = (3, 18);

/// Whether the server can revoke by value. One that does not say what it is is asked: its 404 says enough.
fn revokes(said: &Inspection) -> bool {
    let Some(version) = said.ids.get("enterprise_server") else { return true };
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= REVOKES,
        _ => true,
    }
}

fn gitlab(kind: Kind, said: &Inspection, host: &Host, call: &Make<'_>) -> Option<Call> {
    let api = |path: String, by| call(Method::DELETE, format!("/api/v4/{path}"), by, Carries::Nothing, &[204, 200]);
    let id = |name: &str| said.ids.get(name).map(|id| segment(id));
    let ours = host.has_credential();
    match kind {
        // That of a project or group is its bot's own, and ends itself like a person's.
        Kind::GitlabPat => match (id("user"), id("token")) {
            (Some(user), Some(token)) if ours && said.is_impersonation() => {
                api(format!("users/{user}/impersonation_tokens/{token}"), By::Ours)
            }
            _ if said.is_impersonation() => None,
            (_, Some(token)) if ours && said.ids.contains_key("admin") => {
                api(format!("personal_access_tokens/{token}"), By::Ours)
            }
            _ => api("personal_access_tokens/self".to_owned(), By::Token),
        },
        Kind::GitlabRunner => {
            let path = "/api/v4/runners/reset_authentication_token".to_owned();
            call(Method::POST, path, By::Nobody, Carries::Form, &[201, 200])
        }
        Kind::GitlabOauth if host.client_id.is_some() => {
            call(Method::POST, "/oauth/revoke".to_owned(), By::Application, Carries::Form, &[200])
        }
        Kind::GitlabDeploy => match (id("project"), id("group"), id("token")) {
            (Some(project), _, Some(token)) if ours => {
                api(format!("projects/{project}/deploy_tokens/{token}"), By::Ours)
            }
            (_, Some(group), Some(token)) if ours => api(format!("groups/{group}/deploy_tokens/{token}"), By::Ours),
            _ => gitlab_by_value(said, host, call),
        },
        Kind::GitlabTrigger => match (id("project"), id("token")) {
            (Some(project), Some(token)) if ours => api(format!("projects/{project}/triggers/{token}"), By::Ours),
            _ => gitlab_by_value(said, host, call),
        },
        Kind::GitlabAgent => match (id("project"), id("agent"), id("token")) {
            (Some(project), Some(agent), Some(token)) if ours => {
                api(format!("projects/{project}/cluster_agents/{agent}/tokens/{token}"), By::Ours)
            }
            _ => gitlab_by_value(said, host, call),
        },
        Kind::GitlabJob => match (id("project"), id("job")) {
            (Some(project), Some(job)) if ours => {
                let path = format!("/api/v4/projects/{project}/jobs/{job}/cancel");
                call(Method::POST, path, By::Ours, Carries::Nothing, &[201, 200])
            }
            _ => None,
        },
        Kind::GitlabRunnerRegistration => None,
        _ => gitlab_by_value(said, host, call),
    }
}

/// Ways of GitLab to revoke any token by its value, for those who own the instance or the top-level group.
fn gitlab_by_value(said: &Inspection, host: &Host, call: &Make<'_>) -> Option<Call> {
    if !host.has_credential() {
        return None;
    }
    if said.ids.contains_key("admin") {
        return call(Method::DELETE, "/api/v4/admin/token".to_owned(), By::Ours, Carries::Json("token"), &[204, 200]);
    }
    let group = segment(host.organization.as_deref()?);
    call(Method::POST, format!("/api/v4/groups/{group}/tokens/revoke"), By::Ours, Carries::Json("token"), &[200, 201])
}

/// Carries a call out, once. All `tokens` go in it.
#[expect(clippy::disallowed_methods, reason = "sent to its provider")]
pub fn perform(http: &Http, host: &Host, call: &Call, tokens: &[&Secret]) -> Result<Answer, Fault> {
    let cannot = |why: &str| Fault::Request(host.name(), why.to_owned());
    let texts = tokens.iter().map(|token| std::str::from_utf8(token.expose())).collect::<Result<Vec<_>, _>>();
    let texts = texts.map_err(|_| cannot("the token is no text"))?;
    let (Some(&token), Some(&text)) = (tokens.first(), texts.first()) else { return Err(cannot("no token")) };
    let application = || {
        let secret = host.usable_client_secret().ok_or_else(|| cannot("client_secret is not to be had"))?;
        Ok((host.client_id.as_deref().unwrap_or_default(), secret))
    };
    let auth = match call.by {
        By::Nobody => Auth::None,
        By::Token if host.service == Service::Gitlab => Auth::Header("private-token", token),
        By::Token => Auth::Bearer(token),
        By::Ours => host.sign_in().map_err(|why| cannot(&why))?,
        By::Application if call.carries == Carries::Form => Auth::None,
        By::Application => application().map(|(id, secret)| Auth::Basic(id, secret))?,
    };
    let json = |value: serde_json::Value| Body::Json(Zeroizing::new(value.to_string().into_bytes()));
    let body = match &call.carries {
        Carries::Nothing => Body::Empty,
        Carries::Fields(fields) => Body::json(fields),
        Carries::Credentials => json(json!({ "credentials": texts })),
        Carries::Json(name) => json(json!({ *name: text })),
        Carries::Form => {
            let mut fields = vec![("token", Zeroizing::new(text.to_owned()))];
            if call.by == By::Application {
                let (id, secret) = application()?;
                let secret = std::str::from_utf8(secret.expose()).map_err(|_| cannot("client_secret is no text"))?;
                fields.push(("client_id", Zeroizing::new(id.to_owned())));
                fields.push(("client_secret", Zeroizing::new(secret.to_owned())));
            }
            Body::Form(fields)
        }
    };
    http.once(host, &Request::new(call.method.clone(), call.path.clone(), auth).body(body, tokens))
}

/// Where people go, which is not where programs go.
fn web(host: &Host) -> String {
    match host.base_url() {
        "https://api.github.com" => "https://github.com".to_owned(),
        "https://api.bitbucket.org" => "https://bitbucket.org".to_owned(),
        url => url.trim_end_matches("/api/v3").to_owned(),
    }
}

/// What a person does where the request is refused.
pub fn by_hand(kind: Kind, said: &Inspection, host: &Host) -> Person {
    person(kind, &web(host), said)
}

/// What a person does about a secret for which no request of ours is known: what its rule (of `provider`) says.
pub fn for_person(provider: &str, remedy: &str) -> Person {
    // docs.github.com, managing private keys for GitHub Apps: no request makes or deletes one.
    const APP: &str = "If it is the key of a GitHub App: at https://github.com/settings/apps (of an organization: \
        https://github.com/organizations/ORG/settings/apps) open the App, make another key, and delete this one.";
    const CHECK: &str = "Nobody can be asked whether it works: see that whatever used it works with another, and look in \
        the provider's log for uses of this one since it leaked.";
    let steps = match remedy {
        "" => "End it where it was made, and make another where one is needed.",
        remedy => remedy,
    };
    let app = (provider == "private-key").then_some(APP);
    let steps = std::iter::once(steps).chain(app).map(str::to_owned).collect();
    Person { page: String::new(), steps, check: vec![CHECK.to_owned()] }
}

/// The page, the steps and the check for a kind. `web` may be empty where no host is known.
fn person(kind: Kind, web: &str, said: &Inspection) -> Person {
    let (page, steps) = match said.is_impersonation() {
        true => impersonation(web),
        false => page(kind, web),
    };
    let mut steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
    steps.extend(said.name.as_ref().map(|name| format!("Its name there: {name}.")));
    let check = vec!["Run stanch again: the incident closes when the provider says that the token is dead.".to_owned()];
    Person { page, steps, check }
}

fn impersonation(web: &str) -> (String, &'static [&'static str]) {
    (format!("{web}/admin/users"), &["As an administrator, open the user, then Impersonation Tokens, and revoke it."])
}

fn page(kind: Kind, web: &str) -> (String, &'static [&'static str]) {
    match kind {
        Kind::GithubPat | Kind::GithubBare => (format!("{web}/settings/tokens"), &["Delete the token."]),
        Kind::GithubFineGrained => (format!("{web}/settings/personal-access-tokens"), &["Revoke the token."]),
        Kind::GithubOauth | Kind::GithubAppUser | Kind::GithubRefresh => {
            (format!("{web}/settings/applications"), &["Revoke the application's access, then authorize it again."])
        }
        Kind::GithubInstallation => {
            (format!("{web}/settings/apps"), &["Suspend the installation, or wait: the token lives for an hour."])
        }
        Kind::GitlabDeploy => (
            format!("{web}/PROJECT/-/settings/repository"),
            &["Under Deploy tokens, revoke the one with its user name."],
        ),
        Kind::GitlabRunnerRegistration | Kind::GitlabTrigger | Kind::GitlabRunner => {
            (format!("{web}/PROJECT/-/settings/ci_cd"), &["Reset or delete the token there."])
        }
        Kind::GitlabOauthSecret | Kind::GitlabOauth => {
            (format!("{web}/-/user_settings/applications"), &["Renew the application's secret, or revoke its token."])
        }
        Kind::GitlabFeed | Kind::GitlabMail | Kind::GitlabPat => {
            (format!("{web}/-/user_settings/personal_access_tokens"), &["Revoke or reset the token there."])
        }
        Kind::GitlabJob => {
            (format!("{web}/PROJECT/-/jobs"), &["Cancel the job, if it still runs: its token ends with it."])
        }
        Kind::GitlabAgent => (format!("{web}/PROJECT/-/clusters"), &["Open the agent, then revoke its token."]),
        Kind::GitlabOther => {
            (format!("{web}/admin"), &["Reset the token where the feature that uses it is configured."])
        }
        Kind::BitbucketAccess => (
            "https://bitbucket.org/WORKSPACE/workspace/settings/access-tokens".to_owned(),
            &[
                "In the repository's, project's or workspace's settings, under Security, open Access tokens.",
                "Revoke the token. Do not choose Rotate: that leaves the leaked one alive for up to 30 minutes.",
            ],
        ),
        Kind::BitbucketAppPassword => {
            ("https://bitbucket.org/account/settings/app-passwords/".to_owned(), &["Revoke the app password."])
        }
        Kind::BitbucketConsumer => (
            "https://bitbucket.org/WORKSPACE/workspace/settings/api".to_owned(),
            &["Delete the OAuth consumer and make a new one."],
        ),
        Kind::BitbucketDataCenter => (
            format!("{web}/plugins/servlet/access-tokens/manage"),
            &["Revoke the token as its owner or an administrator."],
        ),
        Kind::AtlassianApi => (
            "https://id.atlassian.com/manage-profile/security/api-tokens".to_owned(),
            &["As its owner, revoke it; for a managed account an administrator can, in admin.atlassian.com."],
        ),
        Kind::AtlassianDataCenter => {
            (format!("{web}/secure/ViewProfile.jspa"), &["Under Personal access tokens, revoke the token."])
        }
    }
}

//! Everything that a rotation touches, as it remembers itself: GitLab with its tokens, families and variables, Vault,
//! and GitHub's secrets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::server::{Got, Reply, Server};
use crate::support::{host, noise, reply};

/// The credential of ours that every door of the tests has.
pub const OURS: &str = "ours-0123456789";

pub struct State {
    /// Whether each token works.
    pub live: BTreeMap<String, bool>,
    /// How often something was made, by the request that made it.
    pub made: Vec<String>,
    /// A dead token was rotated: its whole family died.
    pub trapped: bool,
    /// Deploy tokens: number, name, token, and whether it was revoked.
    pub deploy: Vec<(u64, String, String, bool)>,
    pub variable: Option<String>,
    pub hidden: bool,
    /// Versions of the secret in Vault.
    pub vault: Vec<Map<String, Value>>,
    pub capabilities: Vec<&'static str>,
    /// What was sealed for GitHub.
    pub sealed: Option<Vec<u8>>,
    /// The request that ends so is answered so, before or after it was done, so often.
    pub trouble: Option<(&'static str, Reply, bool, usize)>,
    /// The request that comes after so many others is answered so, before or after it was done.
    pub trouble_after: Option<(usize, Reply, bool)>,
    served: usize,
    /// The scopes of the tokens.
    pub scopes: Vec<&'static str>,
}

#[derive(Clone)]
pub struct House {
    pub server: Server,
    pub state: Arc<Mutex<State>>,
}

fn key() -> crypto_box::SecretKey {
    crypto_box::SecretKey::from([9; 32])
}

impl House {
    /// With one live token, which is what every place holds.
    pub fn with(token: &str) -> Self {
        let state = State {
            live: BTreeMap::from([(token.to_owned(), true), (OURS.to_owned(), true)]),
            made: Vec::new(),
            trapped: false,
            deploy: vec![(5, "ci".to_owned(), token.to_owned(), false)],
            variable: Some(token.to_owned()),
            hidden: false,
            vault: vec![Map::from_iter([("token".to_owned(), json!(token)), ("user".to_owned(), json!("jane"))])],
            capabilities: vec!["read", "update"],
            sealed: None,
            trouble: None,
            trouble_after: None,
            served: 0,
            scopes: vec!["api"],
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let server = Server::start(move |got| shared.lock().unwrap().serve(got));
        House { server, state }
    }

    /// `[[host]]` for all that is here.
    pub fn hosts(&self) -> String {
        let ours = "credential = { env = \"OURS\" }";
        let at = |path: &str| format!("{}{path}", self.server.url);
        host("gitlab", &at(""), ours) + &host("vault", &at("/vault"), ours) + &host("github", &at("/github"), ours)
    }

    /// `[[respond.deliver]]` for every place that is here, for the token of this fingerprint.
    pub fn places(&self, id: impl std::fmt::Display) -> String {
        let url = &self.server.url;
        [
            format!("vault = {{ host = \"{url}/vault\", mount = \"secret\", path = \"ci/gitlab\", key = \"token\" }}"),
            format!("gitlab-variable = {{ host = \"{url}\", project = \"acme/site\", variable = \"DEPLOY\", environment = \"prod\" }}"),
            format!("github-secret = {{ host = \"{url}/github\", repository = \"acme/site\", secret = \"DEPLOY\" }}"),
        ]
        .map(|sink| format!("[[respond.deliver]]\nfingerprint = \"{id}\"\n{sink}\n"))
        .concat()
    }

    pub fn is_live(&self, token: &str) -> bool {
        self.state.lock().unwrap().live.get(token) == Some(&true)
    }

    /// Tokens that work, but ours.
    pub fn living(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.live.iter().filter(|(token, live)| **live && *token != OURS).map(|(token, _)| token.clone()).collect()
    }

    /// What the three places hold.
    pub fn held(&self) -> [Option<String>; 3] {
        let state = self.state.lock().unwrap();
        let sealed = state.sealed.as_ref().map(|sealed| key().unseal(sealed).unwrap());
        [
            state.vault.last().unwrap()["token"].as_str().map(str::to_owned),
            state.variable.clone(),
            sealed.map(|bytes| String::from_utf8(bytes).unwrap()),
        ]
    }
}

impl State {
    fn serve(&mut self, got: &Got) -> Reply {
        let line = got.line();
        self.served += 1;
        if let Some((_, reply, done)) = self.trouble_after.clone().filter(|(after, ..)| self.served == after + 1) {
            if done {
                self.well(got);
            }
            return reply;
        }
        let now = self.trouble.clone().filter(|(end, _, _, times)| *times > 0 && line.ends_with(end));
        let Some((_, reply, done, _)) = now else { return self.well(got) };
        if let Some((_, _, _, times)) = &mut self.trouble {
            *times -= 1;
        }
        if done {
            self.well(got);
        }
        reply
    }

    fn well(&mut self, got: &Got) -> Reply {
        let line = got.line();
        match () {
            () if line.contains("/vault/") => self.vault(got),
            () if line.contains("/github/") => self.github(got),
            () if line.contains("/variables/") => self.variables(got),
            () if line.contains("/deploy_tokens") || line.contains("/jwt/") => self.deploy(got),
            () if line.contains("/runners/") => self.runner(got),
            () => self.access(got),
        }
    }

    fn access(&mut self, got: &Got) -> Reply {
        let token = got.token().unwrap_or_default();
        let live = self.live.get(&token) == Some(&true);
        match got.line().as_str() {
            "POST /api/v4/personal_access_tokens/self/rotate" if !live => {
                // The trap: whoever shows a dead token ends its successors.
                self.trapped = true;
                self.live.iter_mut().filter(|(token, _)| *token != OURS).for_each(|(_, live)| *live = false);
                reply(401, "gitlab/revoked.json")
            }
            "POST /api/v4/personal_access_tokens/self/rotate" => {
                self.swap(&token, format!("glpat-{}", noise(20)), "rotate")
            }
            "POST /api/v4/admin/token" => Reply::json(404, r#"{"error":"404 Not Found"}"#),
            line if line.contains("personal_access_tokens") && !live => reply(401, "gitlab/revoked.json"),
            "GET /api/v4/personal_access_tokens/self" => {
                let name = if token == OURS { "ours" } else { "ci" };
                Reply::json(
                    200,
                    json!({ "id": 7, "name": name, "scopes": self.scopes, "revoked": false, "active": true,
                    "created_at": "2026-01-01T00:00:00Z", "expires_at": "2027-01-01" }),
                )
            }
            "GET /api/v4/personal_access_tokens/self/associations" => reply(200, "gitlab/associations.json"),
            "GET /api/v4/user" => reply(200, "gitlab/user.json"),
            other => panic!("{other}"),
        }
    }

    fn swap(&mut self, old: &str, new: String, how: &str) -> Reply {
        self.live.insert(old.to_owned(), false);
        self.live.insert(new.clone(), true);
        self.made.push(how.to_owned());
        Reply::json(200, json!({ "id": 8, "token": new, "token_expires_at": null }))
    }

    fn runner(&mut self, got: &Got) -> Reply {
        let token = got.body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default().to_owned();
        let live = self.live.get(&token) == Some(&true);
        match got.line().as_str() {
            _ if !live => Reply::json(403, r#"{"message":"403 Forbidden"}"#),
            "POST /api/v4/runners/verify" => Reply::json(200, r#"{"id":7,"token_expires_at":null}"#),
            "POST /api/v4/runners/reset_authentication_token" => {
                self.swap(&token, format!("glrt-{}", noise(20)), "reset")
            }
            other => panic!("{other}"),
        }
    }

    fn deploy(&mut self, got: &Got) -> Reply {
        let token = got.token().unwrap_or_default();
        if got.path() == "/jwt/auth" {
            return match self.live.get(&token) {
                Some(true) => Reply::json(200, r#"{"token":"x"}"#),
                _ => Reply::json(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
            };
        }
        assert_eq!(token, OURS, "the list is for maintainers");
        let shown = |(id, name, _, revoked): &(u64, String, String, bool)| {
            json!({ "id": id, "name": name, "username": "gitlab+deploy-token-5", "scopes": ["read_registry"],
                "expires_at": null, "revoked": revoked })
        };
        let list = "/api/v4/projects/group%2Fapp/deploy_tokens";
        if !got.path().starts_with(list) {
            return Reply::json(200, "[]");
        }
        match (got.method.as_str(), got.path().strip_prefix(list)) {
            ("GET", Some("")) => {
                // A page holds one: whoever stops at the first one misses the rest.
                let page: usize = got.target.split("page=").last().unwrap().parse().unwrap();
                let all: Vec<Value> = self.deploy.iter().map(shown).collect();
                let next = if page < all.len() { (page + 1).to_string() } else { String::new() };
                let items: Vec<_> = all.into_iter().skip(page - 1).take(1).collect();
                Reply::json(200, Value::Array(items)).with("x-next-page", next)
            }
            ("POST", Some("")) => {
                let body: Value = serde_json::from_str(&got.body).unwrap();
                assert_eq!(
                    (&body["username"], &body["scopes"]),
                    (&json!("gitlab+deploy-token-5"), &json!(["read_registry"]))
                );
                let (id, new) = (self.deploy.len() as u64 + 5, format!("gldt-{}", noise(20)));
                self.live.insert(new.clone(), true);
                self.deploy.push((id, body["name"].as_str().unwrap().to_owned(), new.clone(), false));
                self.made.push("make".to_owned());
                Reply::json(201, json!({ "id": id, "token": new }))
            }
            ("DELETE", Some(id)) => {
                let id: u64 = id.trim_start_matches('/').parse().unwrap();
                let Some(one) = self.deploy.iter_mut().find(|one| one.0 == id) else { return Reply::json(404, "{}") };
                one.3 = true;
                self.live.insert(one.2.clone(), false);
                Reply::json(204, "")
            }
            other => panic!("{other:?}"),
        }
    }

    fn variables(&mut self, got: &Got) -> Reply {
        assert_eq!(got.path(), "/api/v4/projects/acme%2Fsite/variables/DEPLOY");
        assert!(got.target.ends_with("?filter%5Benvironment_scope%5D=prod"), "{}", got.target);
        let Some(value) = &mut self.variable else {
            return Reply::json(404, r#"{"message":"404 Variable Not Found"}"#);
        };
        if got.method == "PUT" {
            let body: Map<String, Value> = serde_json::from_str(&got.body).unwrap();
            assert_eq!(body.keys().collect::<Vec<_>>(), ["value"], "what is not named stays as it is");
            *value = body["value"].as_str().unwrap().to_owned();
        }
        let shown = if self.hidden { Value::Null } else { json!(value) };
        Reply::json(200, json!({ "key": "DEPLOY", "value": shown, "hidden": self.hidden, "masked": true }))
    }

    fn vault(&mut self, got: &Got) -> Reply {
        assert_eq!(got.headers["x-vault-token"], OURS);
        let version = self.vault.len() as u64;
        match got.line().as_str() {
            "POST /vault/v1/sys/capabilities-self" => Reply::json(200, json!({ "capabilities": self.capabilities })),
            "GET /vault/v1/secret/data/ci/gitlab" => {
                Reply::json(200, json!({ "data": { "data": self.vault.last(), "metadata": { "version": version } } }))
            }
            "POST /vault/v1/secret/data/ci/gitlab" => {
                let body: Value = serde_json::from_str(&got.body).unwrap();
                if body["options"]["cas"] != json!(version) {
                    return Reply::json(
                        400,
                        r#"{"errors":["check-and-set parameter did not match the current version"]}"#,
                    );
                }
                self.vault.push(body["data"].as_object().unwrap().clone());
                Reply::json(200, json!({ "data": { "version": version + 1 } }))
            }
            other => panic!("{other}"),
        }
    }

    fn github(&mut self, got: &Got) -> Reply {
        let secrets = "/github/repos/acme/site/actions/secrets";
        match (got.method.as_str(), got.path().strip_prefix(secrets)) {
            ("GET", Some("/public-key")) => {
                static PUBLIC: std::sync::LazyLock<String> =
                    std::sync::LazyLock::new(|| data_encoding::BASE64.encode(key().public_key().as_bytes()));
                let public = PUBLIC.as_str();
                Reply::json(200, json!({ "key_id": "1", "key": public }))
            }
            ("GET", Some("/DEPLOY")) => Reply::json(200, r#"{"name":"DEPLOY"}"#),
            ("PUT", Some("/DEPLOY")) => {
                let body: Value = serde_json::from_str(&got.body).unwrap();
                assert_eq!(body["key_id"], "1");
                let sealed = body["encrypted_value"].as_str().unwrap();
                self.sealed = Some(data_encoding::BASE64.decode(sealed.as_bytes()).unwrap());
                Reply::json(204, "")
            }
            other => panic!("{other:?}"),
        }
    }
}

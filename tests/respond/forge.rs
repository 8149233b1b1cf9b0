//! A forge that remembers: it knows tokens, ends them when it is asked to in the right way, and counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::server::{Got, Reply, Server};
use crate::support::reply;

/// What goes wrong with which request, and whether the forge does what it was asked before it goes wrong.
#[derive(Clone)]
struct Trouble {
    when: When,
    reply: Reply,
    done: bool,
    /// How often; then all is well.
    times: usize,
}

#[derive(Clone, Copy)]
enum When {
    /// The request ends with this.
    Line(&'static str),
    /// So many requests came before.
    After(usize),
}

#[derive(Default)]
struct State {
    /// Whether each token works.
    tokens: BTreeMap<String, bool>,
    /// Every token that was ended, each time.
    ended: Vec<String>,
    /// Answers that say "accepted" before the token is dead.
    lag: usize,
    trouble: Option<Trouble>,
    served: usize,
}

#[derive(Clone)]
pub struct Forge {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

impl Forge {
    pub fn with(tokens: &[&str]) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        state.lock().unwrap().tokens = tokens.iter().map(|&token| (token.to_owned(), true)).collect();
        let shared = state.clone();
        let server = Server::start(move |got| shared.lock().unwrap().serve(got));
        Forge { server, state }
    }

    pub fn trouble(&self, line: &'static str, reply: Reply, done: bool, times: usize) {
        self.state.lock().unwrap().trouble = Some(Trouble { when: When::Line(line), reply, done, times });
    }

    /// The request that comes after so many others goes wrong.
    pub fn trouble_after(&self, requests: usize, reply: Reply, done: bool) {
        self.state.lock().unwrap().trouble = Some(Trouble { when: When::After(requests), reply, done, times: 1 });
    }

    /// Says that a dead token is alive for so many questions.
    pub fn lag(&self, questions: usize) {
        self.state.lock().unwrap().lag = questions;
    }

    /// Its owner ends it by hand.
    pub fn end_by_hand(&self, token: &str) {
        self.state.lock().unwrap().tokens.insert(token.to_owned(), false);
    }

    /// Answers for a server that stands in front of this one.
    pub fn serve(&self, got: &Got) -> Reply {
        self.state.lock().unwrap().serve(got)
    }

    /// How often a token was ended.
    pub fn ended(&self, token: &str) -> usize {
        self.state.lock().unwrap().ended.iter().filter(|it| *it == token).count()
    }

    pub fn is_live(&self, token: &str) -> bool {
        self.state.lock().unwrap().tokens[token]
    }
}

impl State {
    fn serve(&mut self, got: &Got) -> Reply {
        let line = got.line();
        self.served += 1;
        let now = |it: &Trouble| match it.when {
            When::Line(end) => line.ends_with(end),
            When::After(requests) => self.served == requests + 1,
        };
        let trouble = self.trouble.clone().filter(|it| it.times > 0 && now(it));
        match trouble {
            None => self.well(got),
            Some(trouble) => {
                if let Some(it) = &mut self.trouble {
                    it.times -= 1;
                }
                if trouble.done {
                    self.well(got);
                }
                trouble.reply
            }
        }
    }

    fn well(&mut self, got: &Got) -> Reply {
        let token = got.token().unwrap_or_default();
        let live = self.works(&token);
        let body = || serde_json::from_str::<Value>(&got.body).unwrap();
        match got.line().as_str() {
            "POST /credentials/revoke" => {
                if got.headers.contains_key("authorization") {
                    return Reply::json(403, json!({ "message": "Forbidden" }));
                }
                for token in body()["credentials"].as_array().unwrap() {
                    self.end(token.as_str().unwrap());
                }
                Reply::json(202, "{}").with("x-github-request-id", "ABCD:1234")
            }
            "GET /user" | "GET /user/repos" | "GET /installation/repositories" if !live => {
                reply(401, "github/bad_credentials.json")
            }
            "GET /user" => reply(200, "github/user.json").with("x-oauth-scopes", "repo"),
            "GET /user/repos" => reply(200, "github/user_repos.json"),
            "GET /installation/repositories" => reply(200, "github/installation_repositories.json"),
            "DELETE /installation/token" if live => self.end(&token),
            "DELETE /api/v4/personal_access_tokens/self" if live => self.end(&token),
            line if line.contains("/api/v4/personal_access_tokens/") && !live => reply(401, "gitlab/revoked.json"),
            "GET /api/v4/personal_access_tokens/self" => reply(200, "gitlab/self.json"),
            "GET /api/v4/personal_access_tokens/self/associations" => reply(200, "gitlab/associations.json"),
            "GET /api/v4/user" => reply(200, "gitlab/user.json"),
            "POST /api/v4/runners/verify" => match form_token(&got.body) {
                token if self.works(&token) => Reply::json(200, r#"{"id":7,"token_expires_at":null}"#),
                _ => Reply::json(403, r#"{"message":"403 Forbidden"}"#),
            },
            "POST /api/v4/runners/reset_authentication_token" => {
                self.end(&form_token(&got.body));
                // The answer holds a new token, which must not get anywhere.
                Reply::json(201, r#"{"token":"glrt-successor-successor","token_expires_at":null}"#)
            }
            "GET /rest/api/2/myself" if live => reply(200, "atlassian/dc_myself.json"),
            "GET /rest/pat/latest/tokens" if live => Reply::json(200, r#"[{"id":12,"name":"ci"}]"#),
            "DELETE /rest/pat/latest/tokens/12" if live => self.end(&token),
            line if line.contains("/rest/") => Reply::json(401, r#"{"message":"no"}"#).with("x-arequestid", "1"),
            other => panic!("{other}"),
        }
    }

    fn works(&mut self, token: &str) -> bool {
        match self.tokens.get(token) {
            Some(true) => true,
            Some(false) if self.lag > 0 => {
                self.lag -= 1;
                true
            }
            _ => false,
        }
    }

    fn end(&mut self, token: &str) -> Reply {
        self.tokens.insert(token.to_owned(), false);
        self.ended.push(token.to_owned());
        Reply::json(204, "")
    }
}

fn form_token(body: &str) -> String {
    body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default().to_owned()
}

//! Every request to GitHub is one that its OpenAPI description knows, with the parameters and body that it names.

use serde_json::Value;
use stanch::respond::kind::Kind;

use crate::act::{policy, respond};
use crate::forge::Forge;
use crate::server::{Got, Reply, Server};
use crate::support::{door, github_token, host, incident, to};

pub struct Description(Value);

impl Description {
    pub fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/schema/github-requests.json");
        Description(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    /// The operation of a request: each part of the path is the same, or a parameter.
    fn operation(&self, got: &Got) -> &Value {
        let same = |template: &str| {
            let (method, path) = template.split_once(' ').unwrap();
            let (ours, theirs): (Vec<_>, Vec<_>) = (got.path().split('/').collect(), path.split('/').collect());
            method == got.method
                && ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(our, their)| *our == their || their.starts_with('{'))
        };
        let found = self.0["operations"].as_object().unwrap().iter().find(|(template, _)| same(template));
        found.unwrap_or_else(|| panic!("{} is not described", got.line())).1
    }

    pub fn check(&self, got: &Got) {
        let operation = self.operation(got);
        for pair in got.target.split_once('?').map(|(_, query)| query.split('&')).into_iter().flatten() {
            let (name, value) = pair.split_once('=').unwrap();
            let schema = &operation["query"][name];
            assert!(schema.is_object(), "{}: no parameter {name}", got.line());
            let value = if schema["type"] == "integer" { value.parse().unwrap() } else { Value::from(value) };
            valid(schema, &value, &got.line());
        }
        match operation.get("body") {
            Some(schema) => valid(schema, &serde_json::from_str(&got.body).unwrap(), &got.line()),
            None => assert!(got.body.is_empty(), "{} takes no body", got.line()),
        }
    }
}

fn valid(schema: &Value, value: &Value, story: &str) {
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("mem://schema", schema.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("mem://schema", &mut schemas).unwrap();
    if let Err(error) = schemas.validate(value, index) {
        panic!("{story}: {error}");
    }
}

#[test]
fn what_is_asked_and_done_is_described() {
    let description = Description::read();
    let mut seen = 0;
    let mut check = |server: &Server| {
        for got in server.log() {
            description.check(&got);
            seen += 1;
        }
    };
    for (prefix, kind) in [("ghp_", Kind::GithubPat), ("ghs_", Kind::GithubInstallation)] {
        let token = github_token(prefix);
        let forge = Forge::with(&[&token]);
        let dir = tempfile::tempdir().unwrap();
        let http = to("github", &forge.server);
        respond(&http, vec![incident(&token, kind)], &policy(""), &dir.path().join("l.db"), &mut |_, _| ());
        check(&forge.server);
    }
    check(&crate::task::whole_life_at_github());
    let application = Server::start(|got| match got.method.as_str() {
        "POST" => Reply::json(200, r#"{"hashed_token":"x","scopes":["repo"],"user":{"login":"octocat"}}"#),
        _ => Reply::json(204, ""),
    });
    let ours = "client_id = \"Iv1.abc\"\nclient_secret = { env = \"OURS\" }";
    let http = door(&host("github", &application.url, ours));
    let dir = tempfile::tempdir().unwrap();
    let token = github_token("gho_");
    respond(&http, vec![incident(&token, Kind::GithubOauth)], &policy(""), &dir.path().join("l.db"), &mut |_, _| ());
    assert_eq!(application.count("DELETE /applications/Iv1.abc/token"), 1);
    check(&application);
    assert!(seen > 20, "{seen} requests only");
}

#[test]
fn what_counts_as_done_is_what_github_documents() {
    let description = Description::read();
    for (line, status) in [
        ("POST /credentials/revoke", 202),
        ("DELETE /installation/token", 204),
        ("DELETE /applications/{client_id}/token", 204),
        ("POST /repos/{owner}/{repo}/issues", 201),
    ] {
        assert_eq!(description.0["operations"][line]["success"], serde_json::json!([status]), "{line}");
    }
}

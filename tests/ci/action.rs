//! The GitHub Action: its steps are run as a runner would, in a clone as actions/checkout makes it, with the payloads of events.

use serde_json::{Value, json};

use super::*;

/// What became of a run.
struct Ran {
    code: Option<i32>,
    outputs: std::collections::BTreeMap<String, String>,
    found: BTreeSet<String>,
    summary: String,
    log: String,
}

/// An event, what its checkout is, and what the workflow chose.
struct Run<'r> {
    event: &'r str,
    payload: Value,
    inputs: &'r [(&'r str, &'r str)],
    upload: &'r str,
}

impl<'r> Run<'r> {
    fn of(event: &'r str, payload: Value) -> Self {
        Run { event, payload, inputs: &[], upload: "" }
    }

    /// The value of an expression of action.yml.
    fn expression(&self, text: &str, action: &Value, outputs: &std::collections::BTreeMap<String, String>) -> String {
        let text = text.trim();
        if let Some(name) = text.strip_prefix("inputs.") {
            let chosen = self.inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| *value);
            let default = action["inputs"][name]["default"].as_str();
            return chosen.or(default).unwrap_or_else(|| panic!("no input {name}")).to_owned();
        }
        if let Some((step, name)) = text.strip_prefix("steps.").and_then(|rest| rest.split_once(".outputs.")) {
            return outputs.get(&format!("{step}.{name}")).cloned().unwrap_or_default();
        }
        match text {
            "steps.upload.outcome" => self.upload.to_owned(),
            _ if text.starts_with("github.event_name == 'pull_request' &&") => {
                let head = self.payload.pointer("/pull_request/head/repo/full_name").and_then(Value::as_str);
                (self.event == "pull_request" && head != Some("us/it")).to_string()
            }
            _ => panic!("a new expression: {text}"),
        }
    }

    fn in_clone(&self, clone: &Repository) -> Ran {
        let action = yaml("action.yml").remove(0);
        let temp = tempfile::tempdir().expect("a directory");
        let place = |name: &str| temp.path().join(name).to_str().expect("UTF-8").to_owned();
        std::fs::write(place("event.json"), self.payload.to_string()).expect("a file");
        let (mut outputs, mut log, mut code) = (std::collections::BTreeMap::new(), String::new(), Some(0));
        for step in action["runs"]["steps"].as_array().expect("steps") {
            let Some(script) = step["run"].as_str() else { continue };
            std::fs::write(place("output"), "").expect("a file");
            let mut bash = alone("bash", &clone.path, &[]);
            bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
            bash.env("GITHUB_ACTIONS", "true").env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR"));
            bash.env("GITHUB_EVENT_NAME", self.event).env("GITHUB_EVENT_PATH", place("event.json"));
            bash.env("GITHUB_OUTPUT", place("output")).env("GITHUB_STEP_SUMMARY", place("summary.md"));
            bash.env("RUNNER_TEMP", temp.path()).env("RUNNER_OS", "Linux").env("RUNNER_ARCH", "X64");
            for (name, value) in step["env"].as_object().into_iter().flatten() {
                let text = value.as_str().expect("text");
                let expression = text.strip_prefix("${{").and_then(|text| text.strip_suffix("}}")).expect("one");
                bash.env(name, self.expression(expression, &action, &outputs));
            }
            let said: Said = bash.output().expect("bash runs").into();
            log += &said.all();
            code = said.code;
            for line in std::fs::read_to_string(place("output")).expect("a file").lines() {
                let (name, value) = line.split_once('=').expect("name=value");
                outputs.insert(format!("{}.{name}", step["id"].as_str().unwrap_or_default()), value.to_owned());
            }
            if code != Some(0) {
                break;
            }
        }
        let report = outputs.get("scan.sarif-file").map(|file| Path::new(file).with_extension("jsonl"));
        let found = report.map(|file| found(&std::fs::read_to_string(file).expect("a report"))).unwrap_or_default();
        let summary = std::fs::read_to_string(place("summary.md")).unwrap_or_default();
        for seed in 0..8 {
            assert!(!log.contains(&token(seed)) && !summary.contains(&token(seed)));
        }
        Ran { code, outputs, found, summary, log }
    }

    /// With the program that is tested, in a clone of this commit.
    fn at(&self, story: &Story, commit: &str, depth: Option<&str>) -> Ran {
        let program = stanch();
        let inputs = [self.inputs, &[("program", program.to_str().expect("UTF-8"))]].concat();
        let run = Run { inputs: &inputs, payload: self.payload.clone(), ..*self };
        run.in_clone(&story.checkout(commit, depth))
    }
}

fn push(reference: &str, before: &str, after: &str) -> Value {
    json!({"ref": reference, "before": before, "after": after, "repository": {"default_branch": "main"}})
}

fn pull_request(base: &str, head: &str, repository: &str) -> Value {
    let head = json!({"sha": head, "ref": "topic", "repo": {"full_name": repository}});
    json!({"number": 7, "pull_request": {"base": {"sha": base, "ref": "main"}, "head": head}})
}

#[test]
fn each_event_is_scanned_for_what_it_brings() {
    let story = Story::new();
    let Story { m1, m2, t1, t3, lost, merge, .. } = &story;
    let group = json!({"merge_group": {"base_sha": m2, "head_sha": merge, "base_ref": "refs/heads/main"}});
    let topic = "refs/heads/topic";
    let cases: &[(&str, Value, &str, &[&str])] = &[
        ("push", push("refs/heads/main", m1, m2), m2, &["old"]),
        ("push", push(topic, t1, t3), t3, &[]),
        // A new branch: what main has was scanned when it came there.
        ("push", push(topic, ZERO, t3), t3, &["came"]),
        ("push", push("refs/heads/main", ZERO, m2), m2, &["old"]),
        ("push", push("refs/tags/v1", ZERO, t3), t3, &["came"]),
        // By force, over a commit that nobody has any more.
        ("push", push(topic, lost, t3), t3, &["came"]),
        ("push", push("refs/heads/main", lost, m2), m2, &["old"]),
        ("pull_request", pull_request(m2, t3, "us/it"), merge, &["came"]),
        ("pull_request", pull_request(m2, t3, "them/it"), merge, &["came"]),
        ("pull_request", pull_request(t1, t3, "us/it"), merge, &[]),
        ("pull_request_target", pull_request(m2, t3, "them/it"), merge, &["came"]),
        ("merge_group", group, merge, &["came"]),
        ("schedule", json!({"schedule": "0 0 * * *"}), m2, &["old", "came"]),
        ("workflow_dispatch", json!({"inputs": null}), m2, &["old", "came"]),
    ];
    for (event, payload, commit, expected) in cases {
        let ran = Run::of(event, payload.clone()).at(&story, commit, None);
        let code = if expected.is_empty() { Some(0) } else { Some(1) };
        assert_eq!((ran.code, &ran.found), (code, &set(expected)), "{event} {payload}: {}", ran.log);
        assert_eq!(ran.outputs["scan.findings"], expected.len().to_string());
        assert_eq!(ran.outputs["scan.exit-code"], code.map(|code| code.to_string()).unwrap_or_default());
        assert!(ran.log.contains("::notice title=stanch::"), "{}", ran.log);
        let head = if expected.is_empty() { "## stanch: nothing found" } else { "## stanch: leaked secrets" };
        assert!(ran.summary.starts_with(head), "{}", ran.summary);
        let sarif = std::path::Path::new(&ran.outputs["scan.sarif-file"]);
        assert!(!sarif.exists(), "it is in the directory of the run, which is gone");
    }
}

#[test]
fn a_checkout_that_lacks_the_change_is_never_green() {
    let story = Story::clean();
    let Story { m1, m2, t1, t3, lost, merge, .. } = &story;
    let group = json!({"merge_group": {"base_sha": m2, "head_sha": merge, "base_ref": "refs/heads/main"}});
    let cases = [
        ("push", push("refs/heads/topic", t1, t3), t3),
        ("push", push("refs/heads/topic", ZERO, t3), t3),
        ("push", push("refs/heads/topic", lost, t3), t3),
        ("push", push("refs/heads/main", m1, m2), m2),
        ("pull_request", pull_request(m2, t3, "us/it"), merge),
        ("pull_request", pull_request(m2, t3, "us/it"), t3),
        ("merge_group", group, merge),
        ("schedule", json!({}), m2),
    ];
    for (event, payload, commit) in cases {
        let ran = Run::of(event, payload.clone()).at(&story, commit, Some("1"));
        assert_eq!(ran.code, Some(3), "{event} {payload}: {}", ran.log);
        assert!(ran.log.contains("fetch-depth: 0"), "{event} {payload}: {}", ran.log);
        assert!(ran.summary.contains("fetch-depth: 0"), "{event} {payload}: {}", ran.summary);
    }
    // The head of a pull request is not what pull_request_target checks out.
    let ran = Run::of("pull_request", pull_request(m2, &"1".repeat(40), "us/it")).at(&story, m2, None);
    assert!(ran.code == Some(3) && ran.log.contains("missing-object"), "{}", ran.log);
    // Enough of it is enough: two commits of the topic, and what was there before.
    let ran = Run::of("push", push("refs/heads/topic", t1, t3)).at(&story, t3, Some("3"));
    assert_eq!(ran.code, Some(0), "{}", ran.log);
}

/// Both branches are at the same commit, fetched alone: that main has it says nothing about what the push brought.
#[test]
fn a_shallow_clone_does_not_hide_behind_the_default_branch() {
    let story = Story::new();
    let tip = story.push("main", "came2", &token(3));
    let tip2 = story.push("main", "after", "clean\n");
    let clone = story.checkout(&tip2, Some("1"));
    clone.git(&["update-ref", "refs/remotes/origin/main", &tip2]);
    let program = stanch();
    let inputs = [("program", program.to_str().expect("UTF-8"))];
    let run = Run { inputs: &inputs, ..Run::of("push", push("refs/heads/topic", &story.t3, &tip2)) };
    let ran = run.in_clone(&clone);
    assert!(matches!(ran.code, Some(1 | 3)) && ran.log.contains("fetch-depth: 0"), "{tip} {}", ran.log);
}

#[test]
fn what_the_workflow_chose_is_done() {
    let story = Story::new();
    let (m2, t3) = (&story.m2, &story.t3);
    let with = |inputs: &[(&str, &str)], upload: &str| {
        let payload = push("refs/heads/topic", ZERO, t3);
        Run { inputs, upload, ..Run::of("push", payload) }.at(&story, t3, None)
    };
    assert_eq!(with(&[("fail-on", "never")], "").code, Some(0));
    assert_eq!(with(&[("fail-on", "findings")], "").code, Some(1));
    assert_eq!(with(&[("history", "none")], "").found, set(&["old"]));
    assert_eq!(with(&[("history", "all")], "").found, set(&["old", "came"]));
    let range = format!("{m2}..{t3}");
    assert_eq!(with(&[("range", &range)], "").found, set(&["came"]));
    assert!(with(&[("format", "text")], "").log.contains("error[github-pat]"));
    for wrong in
        [("history", "some"), ("fail-on", "maybe"), ("range", "--output=x"), ("format", "x=y"), ("config", "no")]
    {
        let ran = with(&[wrong], "");
        assert_eq!(ran.code, Some(2), "{wrong:?}: {}", ran.log);
    }
    // What is chosen is data.
    let ran = with(&[("range", "$(touch made)"), ("path", "$(touch made)")], "");
    assert_eq!(ran.code, Some(2), "{}", ran.log);
    let ran = with(&[("fail-on", "never")], "failure");
    assert!(ran.code == Some(2) && ran.log.contains("security-events: write"), "{}", ran.log);
    let fork = Run {
        upload: "failure",
        inputs: &[("fail-on", "never")],
        ..Run::of("pull_request", pull_request(m2, t3, "them/it"))
    };
    let ran = fork.at(&story, &story.merge, None);
    assert!(ran.code == Some(0) && ran.log.contains("from a fork"), "{}", ran.log);
    let mut payload = push("refs/heads/topic", ZERO, t3);
    payload["before"] = json!("HEAD");
    assert_eq!(Run::of("push", payload).at(&story, t3, None).code, Some(2));
    assert_eq!(Run::of("push", json!([])).at(&story, t3, None).code, Some(2));
}

#[test]
fn a_baseline_and_a_configuration_are_used() {
    let story = Story::new();
    let clone = story.checkout(&story.t3, None);
    let range = format!("{}..{}", story.m2, story.t3);
    let made = clone.run(&["baseline", "create", "--reason", "known", "--history", "--range", &range, "."]);
    assert_eq!(made.code, Some(0), "{}", made.all());
    let program = stanch();
    let program = ("program", program.to_str().expect("UTF-8"));
    let payload = || push("refs/heads/topic", ZERO, &story.t3);
    let inputs = [program, ("baseline", ".stanch-baseline.toml")];
    let ran = Run { inputs: &inputs, ..Run::of("push", payload()) }.in_clone(&clone);
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    clone.write("own.toml", "[rules]\nenabled = [\"gitlab-pat\"]\n");
    let inputs = [program, ("config", "own.toml")];
    let ran = Run { inputs: &inputs, ..Run::of("push", payload()) }.in_clone(&clone);
    assert_eq!(ran.code, Some(0), "{}", ran.log);
}

/// A program that is installed already is not built; what is in the cache, neither. A cargo of the scanned repository has no say.
#[test]
fn the_program_is_built_from_the_source_of_the_action() {
    let story = Story::new();
    let clone = story.checkout(&story.m2, None);
    let temp = tempfile::tempdir().expect("a directory");
    let cargo = temp.path().join("bin/cargo");
    std::fs::create_dir(temp.path().join("bin")).expect("a directory");
    let script = "#!/bin/sh\npwd > \"$RUNNER_TEMP/where\"; echo \"$@\" > \"$RUNNER_TEMP/what\"\n\
                  mkdir -p \"$RUNNER_TEMP/stanch-program/bin\"; ln -s \"$TESTED\" \"$RUNNER_TEMP/stanch-program/bin/stanch\"\n";
    std::fs::write(&cargo, script).expect("a file");
    std::fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    let step = |name: &str| {
        let script = format!("PATH=\"$RUNNER_TEMP/bin:$PATH\" bash \"$GITHUB_ACTION_PATH/.ci/action.sh\" {name}");
        let mut bash =
            alone("bash", &clone.path, &[("INPUT_PROGRAM", ""), ("RUNNER_OS", "Linux"), ("RUNNER_ARCH", "X64")]);
        bash.env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR")).env("RUNNER_TEMP", temp.path());
        bash.env("GITHUB_OUTPUT", temp.path().join("output")).env("TESTED", stanch());
        let said: Said = bash.args(["-c", &script]).output().expect("bash runs").into();
        assert_eq!(said.code, Some(0), "{}", said.all());
    };
    let read = |name: &str| std::fs::read_to_string(temp.path().join(name)).expect("a file");
    step("key");
    step("key");
    let output = read("output");
    let keys: BTreeSet<&str> = output.lines().filter(|line| line.starts_with("key=stanch-Linux-X64-")).collect();
    assert_eq!(keys.len(), 1, "the same source has the same key: {output}");
    step("build");
    assert_eq!(read("where").trim(), Path::new(env!("CARGO_MANIFEST_DIR")).to_str().expect("UTF-8"));
    assert!(read("what").starts_with("install --locked ") && !read("what").contains("--git"), "{}", read("what"));
    std::fs::remove_file(temp.path().join("where")).expect("it was there");
    step("build");
    assert!(!temp.path().join("where").exists(), "it is there already");
}

#[test]
fn whatever_is_used_is_pinned_and_no_script_has_an_expression() {
    let action = yaml("action.yml").remove(0);
    let steps = action["runs"]["steps"].as_array().expect("steps");
    for step in steps {
        if let Some(uses) = step["uses"].as_str() {
            let (_, commit) = uses.split_once('@').expect("a commit");
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{uses}");
            let line = text("action.yml").lines().find(|line| line.contains(uses)).map(str::to_owned);
            assert!(line.is_some_and(|line| line.contains(" # v")), "{uses} has no version");
        }
        assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
    }
    let uploaded = steps.iter().position(|step| step["id"] == "upload").expect("a step");
    assert!(
        uploaded == steps.len() - 2 && steps[uploaded]["continue-on-error"] == true,
        "upload first, fail afterwards"
    );
    for (name, output) in action["outputs"].as_object().expect("outputs") {
        assert_eq!(output["value"], format!("${{{{ steps.scan.outputs.{name} }}}}"));
    }
}

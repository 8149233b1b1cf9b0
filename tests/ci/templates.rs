//! The component for GitLab and the snippets of docs/ci.md: their scripts are run, in a clone, with the variables of the system.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::Value;

use super::*;

/// Runs the lines of a script as a runner does, one after the other in one shell.
fn run_script(clone: &Repository, lines: &Value, variables: &[(&str, &str)]) -> Said {
    let lines = lines.as_array().expect("a script").iter().map(|line| line.as_str().expect("text"));
    let script = lines.fold("set -e\n".to_owned(), |all, line| all + line + "\n");
    let program = stanch();
    let bin = program.parent().expect("a directory").to_str().expect("UTF-8");
    let script = format!("PATH=\"{bin}:$PATH\"\n{script}");
    alone("sh", &clone.path, variables).args(["-c", &script]).output().expect("sh runs").into()
}

/// The component with these inputs. GitLab fills them in when the YAML is parsed.
fn component(inputs: &[(&str, &str)]) -> Value {
    let [spec, mut jobs] = <[Value; 2]>::try_from(yaml("templates/stanch.yml")).expect("two documents");
    for (name, input) in spec["spec"]["inputs"].as_object().expect("inputs") {
        assert!(input["description"].is_string(), "{name}");
        let chosen = inputs.iter().find(|(chosen, _)| chosen == name).map(|(_, value)| *value);
        let mark = format!("$[[ inputs.{name} ]]");
        assert!(jobs.to_string().contains(&mark), "{name} is of no use");
        fill(&mut jobs, &mark, chosen.or(input["default"].as_str()).expect("text"));
    }
    assert!(!jobs.to_string().contains("$[["), "an input that is not declared");
    jobs["stanch"].clone()
}

fn fill(value: &mut Value, mark: &str, with: &str) {
    match value {
        Value::String(text) => *text = text.replace(mark, with),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, mark, with)),
        Value::Object(map) => {
            let filled = std::mem::take(map).into_iter().map(|(name, mut value)| {
                fill(&mut value, mark, with);
                (name.replace(mark, with), value)
            });
            *map = filled.collect();
        }
        _ => {}
    }
}

fn gitlab(clone: &Repository, inputs: &[(&str, &str)], variables: &[(&str, &str)]) -> Said {
    let job = component(inputs);
    let own = job["variables"].as_object().expect("variables").iter();
    let own: Vec<(&str, &str)> =
        own.map(|(name, value)| (name.as_str(), value["value"].as_str().or(value.as_str()).expect("text"))).collect();
    let marks = [("GITLAB_CI", "true"), ("CI_DEFAULT_BRANCH", "main")];
    run_script(clone, &job["script"], &[&own[..], &marks, variables].concat())
}

fn json(clone: &Repository, name: &str) -> Value {
    let text = std::fs::read_to_string(clone.path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_component_scans_a_merge_request() {
    let story = Story::new();
    let clone = story.checkout(&story.t3, None);
    let request = [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", story.m2.as_str()),
        ("CI_COMMIT_SHA", story.t3.as_str()),
    ];
    let said = gitlab(&clone, &[], &request);
    assert_eq!(said.code, Some(1), "{}", said.all());
    assert!(said.out.contains("came:1:1") && !said.all().contains(&token(2)), "{}", said.all());
    let reports = &component(&[])["artifacts"]["reports"];
    let report = json(&clone, reports["secret_detection"].as_str().expect("a name"));
    let vulnerabilities = report["vulnerabilities"].as_array().expect("a list");
    let place = &vulnerabilities[0]["location"];
    assert_eq!((vulnerabilities.len(), &place["file"]), (1, &Value::from("came")));
    assert_eq!(place["commit"]["sha"], story.t1);
    let schema = text("testdata/schema/gitlab-secret-detection-15.0.7.json");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("gitlab.json", schema).expect("a schema");
    let index = compiler.compile("gitlab.json", &mut schemas).expect("a schema");
    schemas.validate(&report, index).unwrap_or_else(|error| panic!("{error}"));
    let quality = json(&clone, reports["codequality"].as_str().expect("a name"));
    assert_eq!(quality[0]["location"]["path"], "came");
}

#[test]
fn the_component_passes_what_is_clean_and_nothing_else() {
    let story = Story::clean();
    let push = [
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_COMMIT_BRANCH", "topic"),
        ("CI_COMMIT_BEFORE_SHA", story.t1.as_str()),
        ("CI_COMMIT_SHA", story.t3.as_str()),
    ];
    let clone = story.checkout(&story.t3, None);
    let said = gitlab(&clone, &[], &push);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let said = gitlab(&story.checkout(&story.t3, Some("1")), &[], &push);
    assert!(said.code == Some(3) && said.all().contains("GIT_DEPTH: \"0\""), "{}", said.all());
    let said = gitlab(&clone, &[("config", "nowhere.toml")], &push);
    assert_eq!(said.code, Some(2), "{}", said.all());
    let said = gitlab(&clone, &[("config", "$(touch made)"), ("baseline", "'; touch made; '")], &push);
    assert!(said.code == Some(2) && !clone.path.join("made").exists(), "{}", said.all());
    assert_eq!(component(&[])["variables"]["GIT_DEPTH"], "0");
    assert_eq!(component(&[])["artifacts"]["when"], "always");
}

/// Where the image has no stanch, it is built from one commit and nothing less.
#[test]
fn the_component_builds_only_what_is_pinned() {
    let (clone, bin) = (Repository::new(), tempfile::tempdir().expect("a directory"));
    let cargo = bin.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\npwd > \"$TOLD\"; echo \"$@\" >> \"$TOLD\"\n").expect("a file");
    std::fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    let told = bin.path().join("told");
    let revision = "0123456789abcdef0123456789abcdef01234567";
    for (source, chosen, code) in [
        ("https://x/y.git", revision, 0),
        ("https://x/y.git", "main", 2),
        ("https://x/y.git", "", 2),
        ("", revision, 2),
    ] {
        let job = component(&[]);
        let script =
            format!("PATH={}:/usr/bin:/bin\n{}", bin.path().display(), job["script"][0].as_str().expect("text"));
        let variables =
            [("STANCH_SOURCE", source), ("STANCH_REVISION", chosen), ("TOLD", told.to_str().expect("UTF-8"))];
        let said: Said = alone("sh", &clone.path, &variables).args(["-c", &script]).output().expect("sh runs").into();
        assert_eq!(said.code, Some(code), "{source} {chosen}: {}", said.all());
    }
    let told = std::fs::read_to_string(told).expect("it was called");
    assert_eq!(told, format!("/\ninstall --locked --quiet --git https://x/y.git --rev {revision} stanch\n"));
}

/// The blocks of docs/ci.md in a language, each with the name of its file.
pub fn blocks(language: &str) -> Vec<(String, String)> {
    let page = text("docs/ci.md");
    let open = format!("```{language}\n");
    let blocks = page.split(&open).skip(1).map(|rest| rest.split("```").next().expect("an end"));
    blocks.map(|block| (block.lines().next().expect("a line")[2..].trim().to_owned(), block.to_owned())).collect()
}

fn block(name: &str) -> Value {
    let (_, text) = blocks("yaml").into_iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}"));
    serde_saphyr::from_str(&text).expect("YAML")
}

/// Takes what is sent through a proxy: method, address and body of each request.
fn proxy(answer: &'static str) -> (u16, mpsc::Receiver<(String, String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.expect("a connection"));
            let (mut head, mut len) = (String::new(), 0);
            reader.read_line(&mut head).expect("a request");
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    len = value.trim().parse().expect("a length");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; len];
            reader.read_exact(&mut body).expect("a body");
            let mut words = head.split(' ').map(str::to_owned);
            let sent = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let body = serde_json::from_slice(&body).expect("JSON");
            // Kept before it is answered: whoever sent the last one looks for it as soon as the script is done.
            if sender.send((sent.0, sent.1, body)).is_err() {
                return;
            }
            write!(reader.get_mut(), "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .expect("a reader");
        }
    });
    (port, receiver)
}

#[test]
fn the_snippet_for_bitbucket_sends_the_report() {
    let step = block("bitbucket-pipelines.yml")["pipelines"]["pull-requests"]["**"][0]["step"].clone();
    assert_eq!(step["clone"]["depth"], "full");
    let story = Story::new();
    let clone = story.checkout(&story.t3, None);
    let variables = [
        ("BITBUCKET_BUILD_NUMBER", "1"),
        ("BITBUCKET_COMMIT", story.t3.as_str()),
        ("BITBUCKET_PR_ID", "7"),
        ("BITBUCKET_PR_DESTINATION_COMMIT", &story.m2[..12]),
        ("BITBUCKET_REPO_FULL_NAME", "us/it"),
    ];
    let run = |answer, clone: &Repository| {
        let (port, sent) = proxy(answer);
        let text = step["script"].to_string();
        assert!(text.contains("http://localhost:29418"), "the proxy that Bitbucket documents");
        let script =
            serde_json::from_str(&text.replace("localhost:29418", &format!("127.0.0.1:{port}"))).expect("JSON");
        (run_script(clone, &script, &variables), sent.try_iter().collect::<Vec<_>>())
    };
    let (said, sent) = run("200 OK", &clone);
    assert_eq!(said.code, Some(1), "{}", said.all());
    let place = format!("http://api.bitbucket.org/2.0/repositories/us/it/commit/{}/reports/stanch", story.t3);
    assert_eq!((sent[0].0.as_str(), &sent[0].1), ("PUT", &place));
    assert_eq!(sent[0].2["result"], "FAILED");
    assert_eq!((sent[1].0.as_str(), sent[1].1.as_str()), ("POST", format!("{place}/annotations").as_str()));
    assert_eq!((sent.len(), sent[1].2.as_array().map(Vec::len)), (2, Some(1)));
    // The report is refused: nothing passes for that.
    assert_ne!(run("403 Forbidden", &clone).0.code, Some(0));
    let (said, sent) = run("200 OK", &story.checkout(&story.t3, Some("1")));
    assert!(said.code == Some(1) && sent[0].2["result"] == "FAILED", "{}", said.all());
    assert!(said.all().contains("clone: depth: full"), "{}", said.all());
}

/// More than a hundred annotations go in several requests.
#[test]
fn many_annotations_go_in_slices() {
    let step = block("bitbucket-pipelines.yml")["pipelines"]["pull-requests"]["**"][0]["step"].clone();
    let clone = Repository::new();
    let many: String = (0..230).map(|seed| token(seed) + "\n").collect();
    let commit = clone.commit("many", many);
    let variables =
        [("BITBUCKET_BUILD_NUMBER", "1"), ("BITBUCKET_COMMIT", commit.as_str()), ("BITBUCKET_REPO_FULL_NAME", "us/it")];
    let (port, sent) = proxy("200 OK");
    let text = step["script"].to_string().replace("localhost:29418", &format!("127.0.0.1:{port}"));
    let said = run_script(&clone, &serde_json::from_str(&text).expect("JSON"), &variables);
    assert_eq!(said.code, Some(1));
    let sizes: Vec<_> = sent.try_iter().skip(1).map(|(_, _, body)| body.as_array().map(Vec::len)).collect();
    assert_eq!(sizes, [Some(100), Some(100), Some(30)]);
}

#[test]
fn the_snippets_call_what_there_is() {
    let mut seen = 0;
    for (name, block) in blocks("yaml").into_iter().chain(blocks("groovy")) {
        for line in block.lines().filter_map(|line| line.split_once("stanch scan ")).map(|(_, rest)| rest) {
            let words = line.split(['|', '\'']).next().expect("a word").split_whitespace();
            let mut help = command(stanch(), Path::new("."));
            let said: Said = help.arg("scan").args(words).arg("--help").output().expect("it runs").into();
            assert_eq!(said.code, Some(0), "{name}: {line}");
            assert!(line.contains("--ci-env"), "{name}: {line}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
    let hooks = block(".pre-commit-config.yaml");
    let offered = yaml(".pre-commit-hooks.yaml").remove(0);
    let offered: Vec<&Value> = offered.as_array().expect("a list").iter().map(|hook| &hook["id"]).collect();
    assert!(offered.contains(&&hooks["repos"][0]["hooks"][0]["id"]));
    // What the action takes is what the page tells of it.
    let action = yaml("action.yml").remove(0);
    let page = text("docs/ci.md");
    for name in ["inputs", "outputs"].iter().flat_map(|kind| action[kind].as_object().expect("a table").keys()) {
        assert!(page.contains(&format!("`{name}`")), "docs/ci.md does not know {name}");
    }
}

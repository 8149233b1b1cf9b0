//! `--ci-env` for systems that tell the change in variables.

use super::*;

const CI: &[&str] = &["--ci-env"];

/// The variables of a system, what it checks out, and the files with findings.
type Case<'c> = (Vec<(String, String)>, &'c str, &'c [&'c str]);

#[test]
fn each_system_is_scanned_for_what_the_change_brings() {
    let story = Story::new();
    let Story { m1, m2, t1, t3, lost, merge, .. } = &story;
    let short = &m2[..12];
    let gitlab = |more: &[(&'static str, &str)]| {
        let all = [("GITLAB_CI", "true"), ("CI_DEFAULT_BRANCH", "main")].into_iter().chain(more.iter().copied());
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let other = |mark: &str, more: &[(&str, &str)]| {
        let all = [(mark, "1")].into_iter().chain(more.iter().copied());
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let merge_request = [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", m2),
        ("CI_COMMIT_BEFORE_SHA", ZERO),
    ];
    let push = |before: &'static str, branch: &'static str| {
        [("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_BEFORE_SHA", before), ("CI_COMMIT_BRANCH", branch)]
    };
    let merged = [&merge_request[..], &[("CI_COMMIT_SHA", merge), ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", t3)]].concat();
    let pr = [("BITBUCKET_COMMIT", t3.as_str()), ("BITBUCKET_PR_ID", "7"), ("BITBUCKET_PR_DESTINATION_BRANCH", "main")];
    let azure =
        [("BUILD_REASON", "PullRequest"), ("BUILD_SOURCEVERSION", merge), ("SYSTEM_PULLREQUEST_SOURCECOMMITID", t3)];
    let cases: Vec<Case> = vec![
        (gitlab(&[&merge_request[..], &[("CI_COMMIT_SHA", t3)]].concat()), t3, &["came"]),
        (gitlab(&merged), merge, &["came"]),
        (gitlab(&[&push(ZERO, "topic")[..], &[("CI_COMMIT_SHA", t3)]].concat()), t3, &["came"]),
        (gitlab(&[&push(ZERO, "main")[..], &[("CI_COMMIT_SHA", m2)]].concat()), m2, &["old"]),
        (gitlab(&[("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_BEFORE_SHA", t1), ("CI_COMMIT_SHA", t3)]), t3, &[]),
        (
            gitlab(&[("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_BEFORE_SHA", lost), ("CI_COMMIT_SHA", t3)]),
            t3,
            &["came"],
        ),
        (gitlab(&[("CI_PIPELINE_SOURCE", "schedule"), ("CI_COMMIT_SHA", m2)]), m2, &["old", "came"]),
        (other("BITBUCKET_BUILD_NUMBER", &pr), t3, &["came"]),
        (
            other("BITBUCKET_BUILD_NUMBER", &[&pr[..2], &[("BITBUCKET_PR_DESTINATION_COMMIT", short)]].concat()),
            t3,
            &["came"],
        ),
        (other("BITBUCKET_BUILD_NUMBER", &pr[..1]), t3, &["old", "came"]),
        (other("JENKINS_URL", &[("CHANGE_ID", "7"), ("CHANGE_TARGET", "main")]), t3, &["came"]),
        (other("JENKINS_URL", &[("GIT_COMMIT", m2), ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", m1)]), m2, &["old"]),
        (other("JENKINS_URL", &[]), t3, &["old", "came"]),
        (other("CIRCLECI", &[("CIRCLE_SHA1", t3), ("CIRCLE_BRANCH", "topic")]), t3, &["came"]),
        (other("CIRCLECI", &[("CIRCLE_SHA1", m2), ("CIRCLE_BRANCH", "main")]), m2, &["old"]),
        (
            other("TF_BUILD", &[&azure[..], &[("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/main")]].concat()),
            merge,
            &["came"],
        ),
        (other("TF_BUILD", &[("BUILD_REASON", "IndividualCI"), ("BUILD_SOURCEVERSION", t3)]), t3, &["old", "came"]),
        (other("TF_BUILD", &[("BUILD_REASON", "Schedule"), ("BUILD_SOURCEVERSION", m2)]), m2, &["old", "came"]),
    ];
    for (variables, commit, expected) in &cases {
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let clone = story.checkout(commit, None);
        clone.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
        let (code, found, said) = scan(&clone.path, &variables, CI);
        let due = if expected.is_empty() { Some(0) } else { Some(1) };
        assert_eq!((code, found), (due, set(expected)), "{variables:?}: {said}");
    }
}

#[test]
fn a_clone_that_is_cut_off_says_how_this_system_gets_it_whole() {
    let story = Story::clean();
    let (m2, t3) = (story.m2.as_str(), story.t3.as_str());
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("GITLAB_CI", "1"), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", m2), ("CI_COMMIT_SHA", t3)], "GIT_DEPTH: \\\"0\\\""),
        (&[("GITLAB_CI", "1"), ("CI_PIPELINE_SOURCE", "web")], "GIT_DEPTH: \\\"0\\\""),
        (&[("BITBUCKET_BUILD_NUMBER", "1"), ("BITBUCKET_COMMIT", t3)], "clone: depth: full"),
        (&[("JENKINS_URL", "x"), ("CHANGE_ID", "7"), ("CHANGE_TARGET", "main")], "cloneOption(shallow: false"),
        (&[("CIRCLECI", "1"), ("CIRCLE_SHA1", t3), ("CIRCLE_BRANCH", "topic")], "method: full"),
        (&[("TF_BUILD", "1"), ("BUILD_REASON", "BatchedCI"), ("BUILD_SOURCEVERSION", t3)], "fetchDepth: 0"),
    ];
    for (variables, fix) in cases {
        let (code, _, said) = scan(&story.checkout(t3, Some("1")).path, variables, CI);
        assert!(code == Some(3) && said.contains(fix), "{variables:?}: {code:?} {said}");
    }
    // A clone without blobs lacks what is to be read.
    story.server.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = story.server.clone_of(&["--filter=blob:none", "--no-checkout"]);
    let variables = [("CIRCLECI", "1"), ("CIRCLE_SHA1", t3), ("CIRCLE_BRANCH", "topic")];
    let (code, _, said) = scan(&partial.path, &variables, CI);
    assert!(code == Some(3) && said.contains("method: full"), "{said}");
}

/// A branch may have any name that git allows, that of the base by its first digits for one.
#[test]
fn names_that_others_chose_are_only_looked_up() {
    let story = Story::new();
    let clone = story.checkout(&story.t3, None);
    clone.git(&["branch", &story.m2[..12], "HEAD"]);
    let short = &story.m2[..12];
    let pr = [("BITBUCKET_BUILD_NUMBER", "1"), ("BITBUCKET_COMMIT", &story.t3), ("BITBUCKET_PR_ID", "7")];
    let variables = [&pr[..], &[("BITBUCKET_PR_DESTINATION_COMMIT", short)]].concat();
    let (code, found, said) = scan(&clone.path, &variables, CI);
    assert_eq!((code, found), (Some(1), set(&["came"])), "{said}");
    // A branch whose name begins like that of the default branch is another one.
    clone.git(&["update-ref", "refs/remotes/origin/main-too", &story.t3]);
    let change = [("JENKINS_URL", "x"), ("CHANGE_ID", "7"), ("CHANGE_TARGET", "main")];
    assert_eq!(scan(&clone.path, &change, CI).1, set(&["came"]));
    for bad in ["main^{/x}", "HEAD~1..", "--all", "a b"] {
        let change = [("JENKINS_URL", "x"), ("CHANGE_ID", "7"), ("CHANGE_TARGET", bad)];
        let (code, _, said) = scan(&clone.path, &change, CI);
        assert!(code == Some(2) && said.contains("is no name of a branch"), "{said}");
    }
}

#[test]
fn only_the_option_looks_at_the_environment() {
    let story = Story::new();
    let clone = story.checkout(&story.t3, None);
    let variables = [
        ("GITLAB_CI", "1"),
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_COMMIT_BEFORE_SHA", &story.t1),
        ("CI_COMMIT_SHA", &story.t3),
    ];
    assert_eq!(scan(&clone.path, &variables, CI).1, set(&[]));
    assert_eq!(scan(&clone.path, &variables, &["--history"]).1, set(&["came", "old"]));
    assert_eq!(scan(&clone.path, &variables, &["."]).1, set(&["old"]));
    // Both mean the change, too; a range of one's own besides is a contradiction.
    assert_eq!(scan(&clone.path, &variables, &["--history", "--ci-env"]).1, set(&[]));
    for more in [&["--history", "--range", "HEAD"][..], &["--staged"], &["--log"], &["--history", "--submodules"]] {
        assert_eq!(scan(&clone.path, &variables, &[CI, more].concat()).0, Some(2), "{more:?}");
    }
    assert_eq!(scan(&clone.path, &variables, &[CI, &["--memory", "64MB", "--no-authors"]].concat()).0, Some(0));
    let (code, _, said) = scan(&clone.path, &[], CI);
    assert!(code == Some(2) && said.contains("--history --range A..B"), "{said}");
    let (code, _, said) = scan(&clone.path, &[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push")], CI);
    assert!(code == Some(2) && said.contains("GITHUB_EVENT_PATH"), "{said}");
    let elsewhere = tempfile::tempdir().expect("a directory");
    assert_eq!(scan(elsewhere.path(), &variables, CI).0, Some(2));
}

/// A checkout leaves the token of the job in the configuration; that is no leak of the change.
#[test]
fn the_configuration_of_the_clone_is_not_read() {
    let story = Story::new();
    let clone = story.checkout(&story.m2, None);
    clone.git(&["config", "http.extraheader", &format!("AUTHORIZATION: basic {}", token(5))]);
    let variables = [("GITLAB_CI", "1"), ("CI_PIPELINE_SOURCE", "schedule")];
    assert_eq!(scan(&clone.path, &variables, CI).1, set(&["came", "old"]));
}

/// A baseline of the change is one of the change.
#[test]
fn a_baseline_takes_the_same_part() {
    let story = Story::new();
    let clone = story.checkout(&story.t3, None);
    let variables = [("CIRCLECI", "1"), ("CIRCLE_SHA1", story.t3.as_str())];
    let program = stanch();
    let mut create = alone(program.to_str().expect("UTF-8"), &clone.path, &variables);
    let said: Said = create.args(["baseline", "create", "--reason", "x", "--ci-env"]).output().expect("it runs").into();
    assert_eq!(said.code, Some(0), "{}", said.all());
    let (code, _, said) = scan(&clone.path, &variables, &[CI, &["--baseline", ".stanch-baseline.toml"]].concat());
    assert!(code == Some(0) && said.contains("\"baselined\":2"), "{said}");
}

use super::*;

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn id(text: &str) -> ObjectId {
    ObjectId::from_hex(text.as_bytes()).unwrap()
}

fn told(system: System, variables: &[(&str, &str)]) -> Result<Change> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    others::change(system, &Variables(variables)).map(|(_, change)| change)
}

fn from(tip: &str, bases: &[Base]) -> Change {
    Change::From { tip: Some(id(tip)), bases: bases.to_vec() }
}

fn main_branch() -> Base {
    Base::Branch("main".to_owned())
}

#[test]
fn gitlab_tells_in_variables() {
    let case = |variables: &[(&str, &str)]| told(System::GitLab, variables).unwrap();
    let push = [("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", TWO), ("CI_DEFAULT_BRANCH", "main")];
    let more = |other: &[(&'static str, &'static str)]| case(&[&push[..], other].concat());
    let before = Base::Commit(id(ONE));
    assert_eq!(
        more(&[("CI_COMMIT_BEFORE_SHA", ONE), ("CI_COMMIT_BRANCH", "main")]),
        from(TWO, std::slice::from_ref(&before))
    );
    assert_eq!(more(&[("CI_COMMIT_BEFORE_SHA", ZERO), ("CI_COMMIT_BRANCH", "main")]), from(TWO, &[]));
    assert_eq!(more(&[("CI_COMMIT_BEFORE_SHA", ZERO), ("CI_COMMIT_BRANCH", "x")]), from(TWO, &[main_branch()]));
    let merge = [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_COMMIT_BEFORE_SHA", ZERO),
        ("CI_COMMIT_SHA", TWO),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", ONE),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", ""),
    ];
    assert_eq!(case(&merge), from(TWO, &[before, main_branch()]));
    for source in ["schedule", "web", "api", "trigger", "pipeline"] {
        let zero = [("CI_PIPELINE_SOURCE", source), ("CI_COMMIT_SHA", TWO), ("CI_COMMIT_BEFORE_SHA", ZERO)];
        assert_eq!(case(&zero), Change::None, "{source}");
    }
}

#[test]
fn the_others_tell_what_they_know() {
    let pr = [("BITBUCKET_COMMIT", TWO), ("BITBUCKET_PR_ID", "7"), ("BITBUCKET_PR_DESTINATION_BRANCH", "main")];
    let short = [&pr[..], &[("BITBUCKET_PR_DESTINATION_COMMIT", "123456789abc")]].concat();
    let abbreviated = Base::Abbreviated("123456789abc".to_owned());
    assert_eq!(told(System::Bitbucket, &short).unwrap(), from(TWO, &[abbreviated, main_branch()]));
    assert_eq!(told(System::Bitbucket, &pr[..1]).unwrap(), from(TWO, &[]));
    let build = [("GIT_COMMIT", TWO), ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", ONE), ("GIT_PREVIOUS_COMMIT", TWO)];
    assert_eq!(told(System::Jenkins, &build).unwrap(), from(TWO, &[Base::Commit(id(ONE))]));
    let change = told(System::Jenkins, &[("CHANGE_ID", "7"), ("CHANGE_TARGET", "main")]).unwrap();
    assert_eq!(change, Change::From { tip: None, bases: vec![main_branch()] });
    let build = [("CIRCLE_SHA1", TWO), ("CIRCLE_BRANCH", "topic")];
    assert_eq!(told(System::CircleCi, &build).unwrap(), from(TWO, &[Base::DefaultUnless("topic".to_owned())]));
    let pr = [
        ("BUILD_REASON", "PullRequest"),
        ("BUILD_SOURCEVERSION", ONE),
        ("SYSTEM_PULLREQUEST_SOURCECOMMITID", TWO),
        ("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/main"),
    ];
    assert_eq!(told(System::Azure, &pr).unwrap(), from(TWO, &[main_branch()]));
    let build = [("BUILD_REASON", "BatchedCI"), ("BUILD_SOURCEVERSION", TWO)];
    assert_eq!(told(System::Azure, &build).unwrap(), from(TWO, &[]));
    assert_eq!(told(System::Azure, &[("BUILD_REASON", "Schedule")]).unwrap(), Change::None);
}

#[test]
fn what_is_no_name_is_refused() {
    for bad in ["HEAD", "--all", "1111", "$(id)", "main..evil"] {
        let push = [("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", TWO), ("CI_COMMIT_BEFORE_SHA", bad)];
        assert!(told(System::GitLab, &push).is_err(), "{bad}");
    }
    for bad in ["-x", "a..b", "main^{/x}", "x y", "main~1", "a:b", "main@{1}", "x\u{7}"] {
        let change = [("CHANGE_ID", "7"), ("CHANGE_TARGET", bad)];
        assert!(told(System::Jenkins, &change).is_err(), "{bad}");
    }
    for good in ["$(touch${IFS}x)", "a`b`", "feature/ü", "x;y", "main/x#1"] {
        let change = [("CHANGE_ID", "7"), ("CHANGE_TARGET", good)];
        assert!(told(System::Jenkins, &change).is_ok(), "git allows it, and nobody executes it: {good}");
    }
}

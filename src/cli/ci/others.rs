//! CI systems that tell the change in variables. Facts: each system's reference of predefined variables.

use anyhow::{Result, bail};

use super::{Base, Change, System, Variables};
use crate::origin::ObjectId;
use crate::source::git::is_branch_name;

pub(super) fn change(system: System, variables: &Variables) -> Result<(String, Change)> {
    match system {
        System::GitHub => bail!("GitHub tells the change in a file"),
        System::GitLab => gitlab(variables),
        System::Bitbucket => bitbucket(variables),
        System::Jenkins => jenkins(variables),
        System::CircleCi => circleci(variables),
        System::Azure => azure(variables),
    }
}

/// An object name that `place` has; all zeros is none.
pub(super) fn commit(place: &str, text: &str) -> Result<Option<ObjectId>> {
    match ObjectId::from_hex(text.as_bytes()) {
        Some(id) => Ok(Some(id).filter(|id| id.as_bytes().iter().any(|byte| *byte != 0))),
        None => bail!("{place} is {:?}, which is no name of a commit", text),
    }
}

/// The name of a branch, without `refs/heads/`.
pub(super) fn branch(text: &str) -> Result<String> {
    let name = text.strip_prefix("refs/heads/").unwrap_or(text);
    if !is_branch_name(name) {
        bail!("{text:?} is no name of a branch");
    }
    Ok(name.to_owned())
}

impl Variables {
    fn commit(&self, name: &str) -> Result<Option<ObjectId>> {
        self.get(name).map_or(Ok(None), |text| commit(name, text))
    }

    fn branch(&self, name: &str) -> Result<Option<String>> {
        self.get(name).map(branch).transpose()
    }
}

/// A change from the first of these that is there.
fn from(tip: Option<ObjectId>, bases: impl IntoIterator<Item = Option<Base>>) -> Change {
    Change::From { tip, bases: bases.into_iter().flatten().collect() }
}

fn gitlab(variables: &Variables) -> Result<(String, Change)> {
    let event = variables.get("CI_PIPELINE_SOURCE").unwrap_or("push").to_owned();
    let tip = variables.commit("CI_COMMIT_SHA")?;
    let change = if let Some(base) = variables.commit("CI_MERGE_REQUEST_DIFF_BASE_SHA")? {
        // Where results of merges are tested, CI_COMMIT_SHA is the merge and this is what is merged.
        let head = variables.commit("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")?.or(tip);
        let target = variables.branch("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")?;
        from(head, [Some(Base::Commit(base)), target.map(Base::Branch)])
    } else if let Some(base) = variables.commit("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA")? {
        from(variables.commit("CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA")?.or(tip), [Some(Base::Commit(base))])
    } else if event == "push" {
        let before = variables.commit("CI_COMMIT_BEFORE_SHA")?;
        let own = variables.get("CI_COMMIT_BRANCH");
        let default = variables.branch("CI_DEFAULT_BRANCH")?.filter(|default| own != Some(default));
        from(tip, [before.map(Base::Commit), default.map(Base::Branch)])
    } else {
        Change::None
    };
    Ok((event, change))
}

/// Only of pull requests is told where they begin. Any other pipeline scans all that its commit has.
fn bitbucket(variables: &Variables) -> Result<(String, Change)> {
    let tip = variables.commit("BITBUCKET_COMMIT")?;
    if variables.get("BITBUCKET_PR_ID").is_none() {
        return Ok(("pipeline".to_owned(), from(tip, [])));
    }
    let base = match variables.get("BITBUCKET_PR_DESTINATION_COMMIT") {
        // Told by its first digits.
        Some(text) if text.len() >= 7 && text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Some(Base::Abbreviated(text.to_owned()))
        }
        Some(text) => commit("BITBUCKET_PR_DESTINATION_COMMIT", text)?.map(Base::Commit),
        None => None,
    };
    let target = variables.branch("BITBUCKET_PR_DESTINATION_BRANCH")?;
    Ok(("pull request".to_owned(), from(tip, [base, target.map(Base::Branch)])))
}

/// The last build that went well, not the last one: what a build that failed should have scanned is scanned again.
fn jenkins(variables: &Variables) -> Result<(String, Change)> {
    if variables.get("CHANGE_ID").is_some() {
        let target = variables.branch("CHANGE_TARGET")?;
        return Ok(("change request".to_owned(), from(None, [target.map(Base::Branch)])));
    }
    let before = variables.commit("GIT_PREVIOUS_SUCCESSFUL_COMMIT")?;
    Ok(("build".to_owned(), from(variables.commit("GIT_COMMIT")?, [before.map(Base::Commit)])))
}

/// Nothing tells where a push began. A branch is compared with the default branch, which its clones know.
fn circleci(variables: &Variables) -> Result<(String, Change)> {
    let own = variables.branch("CIRCLE_BRANCH")?;
    Ok(("build".to_owned(), from(variables.commit("CIRCLE_SHA1")?, [own.map(Base::DefaultUnless)])))
}

fn azure(variables: &Variables) -> Result<(String, Change)> {
    let reason = variables.get("BUILD_REASON").unwrap_or("Manual").to_owned();
    let tip = variables.commit("BUILD_SOURCEVERSION")?;
    let change = match reason.as_str() {
        "PullRequest" => {
            let head = variables.commit("SYSTEM_PULLREQUEST_SOURCECOMMITID")?.or(tip);
            from(head, [variables.branch("SYSTEM_PULLREQUEST_TARGETBRANCH")?.map(Base::Branch)])
        }
        "IndividualCI" | "BatchedCI" => from(tip, []),
        _ => Change::None,
    };
    Ok((reason, change))
}

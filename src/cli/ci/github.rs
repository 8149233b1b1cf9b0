//! GitHub Actions: the change is in the payload of the event. Facts: docs.github.com, "Events that trigger workflows" and "Webhook events
//! and payloads".

use anyhow::{Context, Result};
use serde_json::Value;

use super::others::{branch, commit};
use super::{Base, Change, Variables};

pub(super) fn change(variables: &Variables) -> Result<(String, Change)> {
    let event = variables.get("GITHUB_EVENT_NAME").context("GITHUB_EVENT_NAME is not set")?;
    let path = variables.get("GITHUB_EVENT_PATH").context("GITHUB_EVENT_PATH is not set")?;
    let text = std::fs::read(path).with_context(|| format!("cannot read the event of GitHub in {path}"))?;
    let payload: Value = serde_json::from_slice(&text).with_context(|| format!("the event in {path} is no JSON"))?;
    let change = read(event, &payload).with_context(|| format!("cannot use the event `{event}` in {path}"))?;
    Ok((event.to_owned(), change))
}

/// Whatever has a pull request, a review of one as well, is about that; what has no change is about all.
fn read(event: &str, payload: &Value) -> Result<Change> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let needed = |pointer: &str| text(pointer).with_context(|| format!("it has no {pointer}"));
    let id = |pointer: &str| commit(pointer, needed(pointer)?);
    if payload.get("pull_request").is_some_and(Value::is_object) {
        let base = id("/pull_request/base/sha")?.map(Base::Commit);
        let bases = base.into_iter().chain([Base::Branch(branch(needed("/pull_request/base/ref")?)?)]).collect();
        return Ok(Change::From { tip: id("/pull_request/head/sha")?, bases });
    }
    if payload.get("merge_group").is_some_and(Value::is_object) {
        let base = id("/merge_group/base_sha")?.map(Base::Commit);
        return Ok(Change::From { tip: id("/merge_group/head_sha")?, bases: base.into_iter().collect() });
    }
    if event != "push" {
        return Ok(Change::None);
    }
    let (before, Some(tip)) = (id("/before")?, id("/after")?) else {
        // A branch that was deleted brings nothing.
        return Ok(Change::None);
    };
    let mut bases: Vec<Base> = before.map(Base::Commit).into_iter().collect();
    // New, or forced onto something else: what the default branch has was scanned when it came there.
    if let Some(default) =
        text("/repository/default_branch").filter(|it| text("/ref") != Some(&format!("refs/heads/{it}")))
    {
        bases.push(Base::Branch(branch(default)?));
    }
    Ok(Change::From { tip: Some(tip), bases })
}

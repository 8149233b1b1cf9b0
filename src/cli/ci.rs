//! What a CI system tells of the change for which it runs, and the part of the history that the change is.
//!
//! A name that somebody else chose (of a branch) is only ever looked up, as the whole name of a reference or object: neither a shell nor
//! git's language of revisions sees it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};

use crate::coverage::{Skip, Why};
use crate::origin::ObjectId;
use crate::source::git::{Environment, Layout, Names, Revision, Scope, abbreviated};

mod github;
mod others;

/// A CI system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    GitHub,
    GitLab,
    Bitbucket,
    Jenkins,
    CircleCi,
    Azure,
}

impl System {
    const ALL: [System; 6] =
        [System::GitHub, System::GitLab, System::Bitbucket, System::Jenkins, System::CircleCi, System::Azure];

    fn name(self) -> &'static str {
        match self {
            System::GitHub => "GitHub Actions",
            System::GitLab => "GitLab CI",
            System::Bitbucket => "Bitbucket Pipelines",
            System::Jenkins => "Jenkins",
            System::CircleCi => "CircleCI",
            System::Azure => "Azure Pipelines",
        }
    }

    /// The variable by which it is known.
    fn mark(self) -> &'static str {
        match self {
            System::GitHub => "GITHUB_ACTIONS",
            System::GitLab => "GITLAB_CI",
            System::Bitbucket => "BITBUCKET_BUILD_NUMBER",
            System::Jenkins => "JENKINS_URL",
            System::CircleCi => "CIRCLECI",
            System::Azure => "TF_BUILD",
        }
    }

    /// How its checkout gets the whole history.
    fn fix(self) -> &'static str {
        match self {
            System::GitHub => "give the step actions/checkout `with: fetch-depth: 0`",
            System::GitLab => "give the job `variables: GIT_DEPTH: \"0\"`",
            System::Bitbucket => "give the step `clone: depth: full`",
            System::Jenkins => {
                "check out with `extensions: [cloneOption(shallow: false, noTags: false, reference: '', honorRefspec: false)]`"
            }
            System::CircleCi => "write the step as `- checkout: {method: full}`",
            System::Azure => "write the step as `- checkout: self` with `fetchDepth: 0`",
        }
    }

    fn here(variables: &Variables) -> Option<System> {
        Self::ALL.into_iter().find(|system| variables.get(system.mark()).is_some())
    }
}

/// Environment variables. An empty one is as good as none.
#[derive(Debug, Default)]
struct Variables(BTreeMap<String, String>);

impl Variables {
    #[expect(clippy::disallowed_methods, reason = "CI systems speak to their jobs through the environment")]
    fn of_this_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        Variables(std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

/// A change, as the system tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// No change in particular: all that references lead to.
    None,
    /// What `tip` (the commit that is checked out if it is not told) reaches and the first of `bases` that is there does not.
    From { tip: Option<ObjectId>, bases: Vec<Base> },
}

/// Where a change may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    /// What was there before.
    Commit(ObjectId),
    /// The same, by the first digits of its name.
    Abbreviated(String),
    /// A branch of `origin` that has its own runs.
    Branch(String),
    /// The branch of `origin` that a clone checks out, unless it is the one of this name itself.
    DefaultUnless(String),
}

/// The part of the history of the repository at `target` that the change is, and a sentence about it.
pub(super) fn scope(target: &Path) -> Result<(Scope, String)> {
    let variables = Variables::of_this_process();
    let Some(system) = System::here(&variables) else {
        let marks = System::ALL.map(System::mark).join(", ");
        bail!(
            "--ci-env finds none of the CI systems that it knows (by {marks}); \
             say what to scan: --history, or --history --range A..B"
        );
    };
    let (event, change) = match system {
        System::GitHub => github::change(&variables)?,
        _ => others::change(system, &variables)?,
    };
    let layout = Layout::locate(target, &Environment::default())?;
    let (scope, told) = Place::new(&layout).scope(&change);
    Ok((scope, format!("{}, {event}: {told}", system.name())))
}

/// Adds to what was not read how this system's checkout would have it.
pub(super) fn advise(skips: &mut [Skip]) {
    let Some(system) = System::here(&Variables::of_this_process()) else { return };
    for skip in skips {
        if matches!(skip.why, Why::ShallowClone | Why::PartialClone | Why::MissingObject) {
            skip.detail += &format!("; in {} {}", system.name(), system.fix());
        }
    }
}

/// The clone in which a change is looked up.
struct Place<'l> {
    layout: &'l Layout,
    names: Names,
}

impl<'l> Place<'l> {
    fn new(layout: &'l Layout) -> Self {
        Place { layout, names: Names::read(layout) }
    }

    fn scope(&self, change: &Change) -> (Scope, String) {
        let Change::From { tip, bases } = change else {
            return (Scope::default(), "scanned is all that references lead to".to_owned());
        };
        let Some(tip) = tip.or_else(|| self.names.checked_out()) else {
            return (Scope::default(), "no commit is named; scanned is all that references lead to".to_owned());
        };
        let stores = self.layout.open();
        let found = bases.iter().map(|base| self.find(base).filter(|id| stores.contains(id)));
        let found: Vec<Option<ObjectId>> = found.collect();
        // A clone that is cut off lacks its past for another reason than a force-push: then nothing is left out, and the place where it
        // is cut off is named.
        let is_lost = !self.layout.shallow.is_empty() && found.first().is_some_and(Option::is_none);
        let base = found.iter().flatten().next().filter(|_| !is_lost);
        let mut revisions = vec![Revision::Object(tip)];
        revisions.extend(base.map(|base| Revision::NotObject(*base)));
        let told = match base {
            Some(base) => format!("scanned is what {} has and {} has not", short(tip), short(*base)),
            None => format!("scanned is all that {} has", short(tip)),
        };
        let missing = bases.iter().zip(&found).find(|(base, found)| found.is_none() && base.is_commit());
        let told = match missing {
            Some((base, _)) => format!("{} is not in this clone; {told}", base.told()),
            None => told,
        };
        (Scope { revisions, ..Scope::default() }, told)
    }

    fn find(&self, base: &Base) -> Option<ObjectId> {
        let tracked = |branch: &str| format!("refs/remotes/origin/{branch}");
        match base {
            Base::Commit(id) => Some(*id),
            Base::Abbreviated(digits) => abbreviated(self.layout, digits),
            Base::Branch(name) => self.names.id(&tracked(name)),
            Base::DefaultUnless(name) => {
                let default = self.names.stands_for(&tracked("HEAD"))?;
                (default != tracked(name)).then(|| self.names.id(default)).flatten()
            }
        }
    }
}

impl Base {
    fn is_commit(&self) -> bool {
        matches!(self, Base::Commit(_) | Base::Abbreviated(_))
    }

    fn told(&self) -> String {
        match self {
            Base::Commit(id) => short(*id),
            Base::Abbreviated(text) | Base::Branch(text) | Base::DefaultUnless(text) => text.clone(),
        }
    }
}

fn short(id: ObjectId) -> String {
    id.to_string().chars().take(12).collect()
}

#[cfg(test)]
mod tests;

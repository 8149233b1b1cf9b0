//! What the configuration file says of hosts and of the response: `[[host]]`, `[respond]`, `[[respond.rule]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::deliver::{self, Sink};
use super::plan::{self, Action, Choice, Confirm, Policy};
use crate::http::HostSpec;
use crate::rule::Severity;
use crate::secret::Fingerprint;

/// Irreversible steps of one run, unless the configuration says otherwise.
const MAX_IRREVERSIBLE: usize = 20;

/// The part of the configuration file that responding needs. The rest of the file is somebody else's.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct File {
    /// Hosts that may be asked.
    #[serde(default)]
    pub host: Vec<HostSpec>,
    /// What to do.
    #[serde(default)]
    pub respond: Respond,
    /// The file in the scanned tree that `respond` comes from, if it does: whoever wrote it may hold back what would
    /// be done, and nothing else.
    #[serde(skip)]
    pub in_tree: Option<PathBuf>,
}

impl File {
    /// What of a file that lies in the scanned tree counts: what can only hold back. No host, no credential, no
    /// program, no place for successors or tasks, no template.
    pub fn found_at(self, path: PathBuf) -> File {
        let Respond { freeze, max_irreversible, owners, rule, .. } = self.respond;
        let max_irreversible = max_irreversible.min(MAX_IRREVERSIBLE);
        let respond = Respond { freeze, max_irreversible, owners, rule, ..Respond::default() };
        File { host: Vec::new(), respond, in_tree: Some(path) }
    }

    /// Checks it and makes the policy of a run, as [`Respond::policy`].
    pub fn policy(&self, any_owner: bool) -> Result<Policy, Error> {
        Ok(Policy { in_tree: self.in_tree.clone(), ..self.respond.policy(any_owner)? })
    }
}

/// `[respond]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// Fingerprints that are never touched.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Irreversible steps in one run.
    #[serde(default = "max_irreversible")]
    pub max_irreversible: usize,
    /// Logins, groups and organisations whose tokens are ours. Empty: everybody's.
    #[serde(default)]
    pub owners: Vec<String>,
    /// The first that fits decides.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// Where tasks are opened.
    pub task: Option<TaskTarget>,
    /// Where the successors of rotated tokens go.
    #[serde(default)]
    pub deliver: Vec<Delivery>,
    /// The file that takes a successor when no place does.
    pub successor_file: Option<PathBuf>,
}

/// `[[respond.deliver]]`: whose successor, and one place for it. All places that fit get it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Delivery {
    /// The token's fingerprint.
    pub fingerprint: Option<String>,
    /// The name that its provider has for it.
    pub name: Option<String>,
    /// Id of the rule that found it; `*` stands for anything.
    pub rule: Option<String>,
    /// A key of a secret in Vault.
    pub vault: Option<deliver::Vault>,
    /// A CI/CD variable of GitLab.
    pub gitlab_variable: Option<deliver::GitlabVariable>,
    /// A secret of GitHub Actions.
    pub github_secret: Option<deliver::GithubSecret>,
    /// A file.
    pub file: Option<PathBuf>,
    /// A program that reads it from standard input.
    pub command: Option<Vec<String>>,
}

impl Delivery {
    fn check(&self) -> Result<plan::Delivery, Error> {
        let wrong = |what: &str| Error(format!("deliver: {what}"));
        let fingerprint = self.fingerprint.as_deref().map(|text| {
            Fingerprint::parse(text).ok_or_else(|| wrong(&format!("{text:?} is no fingerprint (32 hex digits)")))
        });
        if self.fingerprint.is_none() && self.name.is_none() {
            return Err(wrong("say whose successor goes there: fingerprint, or the name that its provider has for it"));
        }
        let named = [
            self.vault.clone().map(Sink::Vault),
            self.gitlab_variable.clone().map(Sink::GitlabVariable),
            self.github_secret.clone().map(Sink::GithubSecret),
            self.file.clone().map(Sink::File),
            self.command.clone().map(Sink::Command),
        ];
        let mut named = named.into_iter().flatten();
        let (Some(sink), None) = (named.next(), named.next()) else {
            return Err(wrong("each entry names one of vault, gitlab-variable, github-secret, file, command"));
        };
        let (name, rule) = (self.name.clone(), self.rule.clone());
        Ok(plan::Delivery { fingerprint: fingerprint.transpose()?, name, rule, sink })
    }
}

impl Default for Respond {
    fn default() -> Self {
        Respond {
            freeze: Vec::new(),
            max_irreversible: MAX_IRREVERSIBLE,
            owners: Vec::new(),
            rule: Vec::new(),
            task: None,
            deliver: Vec::new(),
            successor_file: None,
        }
    }
}

fn max_irreversible() -> usize {
    MAX_IRREVERSIBLE
}

/// `[[respond.rule]]`: conditions that are named must all hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Id of a rule; `*` stands for anything.
    pub rule: Option<String>,
    /// Name of a provider, as rules have it.
    pub provider: Option<String>,
    /// `live`, `live-limited` or `unknown`.
    pub liveness: Option<String>,
    /// A scope that the token has.
    pub scope: Option<String>,
    /// What to do.
    pub action: Action,
    /// Who must say yes.
    #[serde(default)]
    pub confirm: Confirm,
}

/// `[respond.task]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTarget {
    /// The base URL of a `[[host]]` with a credential.
    pub host: String,
    /// `owner/name` at GitHub, the path or number at GitLab, the key of a project in Jira. Unused by webhooks.
    #[serde(default)]
    pub project: String,
    /// Jira's type of issue.
    #[serde(default = "issue_type")]
    pub issue_type: String,
    /// Labels in addition to our own.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Who gets the task if nobody owns the path: logins, or user numbers at GitLab.
    #[serde(default)]
    pub assignees: Vec<String>,
    /// Who gets the task for which paths (globs), in the order of the file; the last that fits decides.
    #[serde(default)]
    pub owners: Vec<PathOwners>,
    /// A template (minijinja) for the body, instead of the built-in one.
    pub template: Option<String>,
    /// Prefix of links to lines, `https://github.com/acme/site/blob/{commit}`: the braces stand for the commit that
    /// brought the secret, or `HEAD`.
    pub link: Option<String>,
    /// Days until a task is due, by severity.
    #[serde(default)]
    pub due_days: BTreeMap<String, u32>,
    /// Whether `revoke` opens a task by itself for everything that is left to a person.
    #[serde(default)]
    pub automatic: bool,
}

/// One line of `owners`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathOwners {
    /// A glob, as in CODEOWNERS.
    pub path: String,
    /// Who gets the task.
    pub assignees: Vec<String>,
}

fn issue_type() -> String {
    "Task".to_owned()
}

impl TaskTarget {
    /// Days until a leak of this severity should be dealt with.
    pub fn due_days(&self, severity: Severity) -> u32 {
        let default = match severity {
            Severity::Critical => 1,
            Severity::High => 3,
            Severity::Medium => 14,
            Severity::Low => 30,
        };
        self.due_days.get(severity.as_str()).copied().unwrap_or(default)
    }
}

/// What is wrong with `[respond]`.
#[derive(Debug, thiserror::Error)]
#[error("[respond]: {0}")]
pub struct Error(String);

impl Respond {
    /// Checks it and makes the policy of a run, which revokes unless a rule says otherwise. `any_owner` is the option
    /// of that name.
    pub fn policy(&self, any_owner: bool) -> Result<Policy, Error> {
        let parse = |text: &String| {
            Fingerprint::parse(text).ok_or_else(|| Error(format!("freeze: {text:?} is no fingerprint (32 hex digits)")))
        };
        let choices = self.rule.iter().map(|rule| {
            if let Some(word) = rule.liveness.as_deref().filter(|it| !["live", "live-limited", "unknown"].contains(it))
            {
                return Err(Error(format!("rule: liveness {word:?}; there are live, live-limited and unknown")));
            }
            Ok(Choice {
                rule: rule.rule.clone(),
                provider: rule.provider.clone(),
                liveness: rule.liveness.clone(),
                scope: rule.scope.clone(),
                action: rule.action,
                confirm: rule.confirm,
            })
        });
        Ok(Policy {
            freeze: self.freeze.iter().map(parse).collect::<Result<_, _>>()?,
            max_irreversible: self.max_irreversible,
            owners: self.owners.clone(),
            any_owner,
            choices: choices.collect::<Result<_, _>>()?,
            otherwise: Action::Revoke,
            deliver: self.deliver.iter().map(Delivery::check).collect::<Result<_, _>>()?,
            successor_file: self.successor_file.clone(),
            tasks: self.task.as_ref().is_some_and(|task| task.automatic),
            in_tree: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_shows_what_is_read() {
        let manual = include_str!("../../docs/respond.md");
        let (_, rest) = manual.split_once("```toml\n").unwrap();
        let file: File = toml::from_str(rest.split_once("```").unwrap().0).unwrap();
        let policy = file.respond.policy(false).unwrap();
        assert_eq!((file.host.len(), policy.choices.len(), policy.max_irreversible), (3, 2, 20));
        assert_eq!(policy.choices[1].confirm, Confirm::Person);
        assert!(matches!(policy.deliver[0].sink, Sink::GitlabVariable(_)));
        let task = file.respond.task.unwrap();
        assert_eq!((task.due_days(Severity::High), task.due_days(Severity::Low)), (3, 30));
        assert!(policy.tasks || task.automatic);
    }
}

//! What `--ci-logs` names.

use std::fmt;

use super::Options;
use crate::http::Service;

/// Whose logs they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// Bitbucket Pipelines.
    Bitbucket,
}

impl Provider {
    /// The word before the colon.
    pub fn as_str(self) -> &'static str {
        self.service().as_str()
    }

    /// What runs at its hosts.
    pub fn service(self) -> Service {
        match self {
            Provider::Github => Service::Github,
            Provider::Gitlab => Service::Gitlab,
            Provider::Bitbucket => Service::Bitbucket,
        }
    }

    /// The words that `--status` takes.
    fn statuses(self) -> &'static [&'static str] {
        match self {
            // GitHub's OpenAPI description, parameter workflow-run-status.
            Provider::Github => &[
                "completed",
                "action_required",
                "cancelled",
                "failure",
                "neutral",
                "skipped",
                "stale",
                "success",
                "timed_out",
                "in_progress",
                "queued",
                "requested",
                "waiting",
                "pending",
            ],
            // doc/api/jobs.md, scope.
            Provider::Gitlab => &[
                "created",
                "pending",
                "running",
                "failed",
                "success",
                "canceled",
                "skipped",
                "waiting_for_resource",
                "manual",
            ],
            Provider::Bitbucket => &["successful", "failed", "error", "stopped", "expired"],
        }
    }
}

/// A repository, one run in it, or all repositories of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose logs.
    pub provider: Provider,
    /// `OWNER`, `OWNER/REPO`, `GROUP/SUBGROUP/PROJECT`.
    pub path: String,
    /// One run, job or pipeline.
    pub run: Option<String>,
}

impl Target {
    /// Reads `github:OWNER/REPO#RUN` and its kin.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        const HOW: &str =
            "write github:OWNER[/REPO[#RUN]], gitlab:GROUP[/PROJECT[#JOB]] or bitbucket:WORKSPACE[/REPO[#PIPELINE]]";
        let (word, rest) = text.split_once(':').ok_or(HOW)?;
        let all = [Provider::Github, Provider::Gitlab, Provider::Bitbucket];
        let provider = all.into_iter().find(|provider| provider.as_str() == word).ok_or(HOW)?;
        let (path, run) = match rest.split_once('#') {
            Some((path, run)) => (path, Some(run)),
            None => (rest, None),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let is_name = |part: &&str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
        };
        if !parts.iter().all(is_name) || (provider != Provider::Gitlab && parts.len() > 2) {
            return Err(HOW.to_owned());
        }
        if run.is_some() && parts.len() < 2 {
            return Err("a run is one of a repository's; name that, too".to_owned());
        }
        if !run.is_none_or(|run| is_run(provider, run)) {
            return Err("behind the # stands the number of a run, job or pipeline".to_owned());
        }
        Ok(Target { provider, path: path.to_owned(), run: run.map(str::to_owned) })
    }

    /// Whether it is one repository. A path of GitLab's may be a group as well.
    pub fn is_repository(&self) -> bool {
        self.path.contains('/')
    }

    /// Owner and repository of GitHub's and Bitbucket's paths.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.path.split_once('/').unwrap_or((&self.path, ""))
    }

    /// Whether the options mean something here.
    pub(super) fn check(&self, options: &Options) -> Result<(), String> {
        if options.workflow.is_some() && self.provider != Provider::Github {
            return Err(format!("--workflow is for GitHub; {} has none", self.provider.as_str()));
        }
        let statuses = self.provider.statuses();
        if let Some(status) = options.status.as_deref().filter(|status| !statuses.contains(status)) {
            let known = statuses.join(", ");
            return Err(format!("{} has no status {}; it has {known}", self.provider.as_str(), status.escape_debug()));
        }
        if options.artifacts && self.provider == Provider::Bitbucket {
            return Err("Bitbucket's API does not list artifacts: they cannot be read".to_owned());
        }
        Ok(())
    }
}

/// `123`; at GitHub also `123.2`, its second attempt.
fn is_run(provider: Provider, run: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    match run.split_once('.') {
        Some((run, attempt)) => provider == Provider::Github && digits(run) && digits(attempt),
        None => digits(run),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider.as_str(), self.path)?;
        self.run.iter().try_for_each(|run| write!(f, "#{run}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        for text in
            ["github:o", "github:o/r", "github:o/r#12", "github:o/r#12.3", "gitlab:a/b/c.d#7", "bitbucket:w/r#1"]
        {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "o/r",
            "github:",
            "github:o/",
            "github:o/r/x",
            "github:o#1",
            "github:o/r#",
            "github:o/r#x",
            "gitlab:a/../b",
            "gitlab:a/b#1.2",
            "svn:o/r",
            "github:o/r?x",
            "github:o/r#1.",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_option_that_means_nothing_is_refused() {
        let target = Target::parse("gitlab:a/b").unwrap();
        let status = |status: &str| Options { status: Some(status.to_owned()), ..Options::default() };
        assert!(target.check(&status("failed")).is_ok());
        assert!(target.check(&status("failure")).unwrap_err().contains("canceled"));
        assert!(target.check(&Options { workflow: Some("ci.yml".to_owned()), ..Options::default() }).is_err());
    }
}

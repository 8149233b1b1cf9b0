//! Turns the successor of a token into what its users have: puts it where the old one was.
//!
//! A place is looked at before anything is rotated, and read again after it was written. What holds something else than
//! the old token is not overwritten.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::http::{Host, Http};
use crate::secret::{Fingerprint, Secret};

mod github;
mod gitlab;
mod local;
mod vault;

pub use local::Spare;

/// How often a place is written to before it is given up. Writing is setting: it can be done again.
const ATTEMPTS: u32 = 3;

/// A place that holds a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sink {
    /// A key of a secret in Vault's KV engine, version 2.
    Vault(Vault),
    /// A CI/CD variable of GitLab.
    GitlabVariable(GitlabVariable),
    /// A secret of GitHub Actions.
    GithubSecret(GithubSecret),
    /// A file with the token and nothing else, readable by its owner alone.
    File(PathBuf),
    /// A program that reads the token from standard input; no shell is involved.
    Command(Vec<String>),
}

/// A key of a secret in Vault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// Base URL of a `[[host]]` with provider `vault` and a credential.
    pub host: String,
    /// Where the engine is mounted, behind the namespace if there is one.
    pub mount: String,
    /// The secret.
    pub path: String,
    /// The key in it.
    pub key: String,
}

/// A CI/CD variable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitlabVariable {
    /// Base URL of a `[[host]]` with a credential.
    pub host: String,
    /// Path or number of the project; or else of the `group`.
    pub project: Option<String>,
    /// Path or number of the group.
    pub group: Option<String>,
    /// Its name.
    pub variable: String,
    /// Its environment scope; needed where several variables have the name.
    pub environment: Option<String>,
}

/// A secret of Actions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubSecret {
    /// Base URL of a `[[host]]` with a credential.
    pub host: String,
    /// `owner/name`; or else the `organization`.
    pub repository: Option<String>,
    /// Its environment there, if it belongs to one.
    pub environment: Option<String>,
    /// The organisation.
    pub organization: Option<String>,
    /// Its name.
    pub secret: String,
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sink::Vault(it) => write!(f, "vault {} {}/{} {}", it.host, it.mount, it.path, it.key),
            Sink::GitlabVariable(it) => {
                let owner = it.project.as_ref().or(it.group.as_ref()).map_or("", String::as_str);
                let scope = it.environment.as_ref().map(|scope| format!(" ({scope})")).unwrap_or_default();
                write!(f, "variable {} of {} {owner}{scope}", it.variable, it.host)
            }
            Sink::GithubSecret(it) => {
                let owner = it.repository.as_ref().or(it.organization.as_ref()).map_or("", String::as_str);
                let scope = it.environment.as_ref().map(|scope| format!(" ({scope})")).unwrap_or_default();
                write!(f, "secret {} of {} {owner}{scope}", it.secret, it.host)
            }
            Sink::File(path) => write!(f, "file {}", path.display()),
            Sink::Command(words) => write!(f, "command {}", words.first().map_or("", String::as_str)),
        }
    }
}

/// What may stand in a place: the old token, or a successor of it that an earlier run put there.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The token that is replaced.
    pub old: &'a Secret,
    /// Successors of it that are known by name only.
    pub earlier: &'a [Fingerprint],
}

impl Expected<'_> {
    /// Whether a place with this content is ours to overwrite. An empty one is.
    #[expect(clippy::disallowed_methods, reason = "compares what stands there with the token")]
    fn is(&self, there: &str) -> Result<(), String> {
        let there = there.trim().as_bytes();
        if there.is_empty() || there == self.old.expose() || self.earlier.contains(&Fingerprint::of_strong(there)) {
            return Ok(());
        }
        Err("it holds something else than the token that is to be replaced".to_owned())
    }
}

/// What of a place is known before it is written.
trait Place {
    /// Fails where the place does not take the successor, as far as that can be told without writing.
    fn probe(&self) -> Result<(), String>;
    /// Writes, and reads again where that is possible.
    fn put(&self, new: &Secret) -> Result<(), String>;
}

impl Sink {
    fn place<'a>(&'a self, http: &'a Http, expected: Expected<'a>) -> Result<Box<dyn Place + 'a>, String> {
        Ok(match self {
            Sink::Vault(vault) => {
                Box::new(vault::At { http, host: host(http, &vault.host, expected)?, vault, expected })
            }
            Sink::GitlabVariable(it) => Box::new(gitlab::At::new(http, host(http, &it.host, expected)?, it, expected)?),
            Sink::GithubSecret(it) => Box::new(github::At::new(http, host(http, &it.host, expected)?, it)?),
            Sink::File(path) => Box::new(local::AtFile { path, expected }),
            Sink::Command(words) => Box::new(local::AtCommand { words }),
        })
    }

    /// Whether the successor can be put there: asked before there is one. Nothing is written.
    pub fn probe(&self, http: &Http, expected: Expected<'_>) -> Result<(), String> {
        self.place(http, expected)?.probe()
    }

    /// Puts the successor there. Done only if it was seen there, or, where nobody may read it, accepted.
    pub fn put(&self, http: &Http, expected: Expected<'_>, new: &Secret, pause: Duration) -> Result<(), String> {
        let place = self.place(http, expected)?;
        let mut outcome = place.put(new);
        for attempt in 1..ATTEMPTS {
            if outcome.is_ok() {
                break;
            }
            std::thread::sleep(pause * attempt);
            outcome = place.put(new);
        }
        outcome
    }
}

fn host<'a>(http: &'a Http, url: &str, expected: Expected<'_>) -> Result<&'a Host, String> {
    let host = http.hosts.by_base_url(url).ok_or_else(|| format!("{url} is none of the [[host]] entries"))?;
    let ours = host.credential().ok_or_else(|| format!("no credential is configured for {url}"))??;
    if ours == expected.old {
        // It would be dead when it is needed.
        return Err(format!("our credential for {url} is the very token that is to be replaced"));
    }
    Ok(host)
}

//! Turns a target at a CI provider into logs that can be read.
//!
//! What there is and where it is given is `github`'s, `gitlab`'s and `bitbucket`'s; `call` asks, `state` remembers what
//! was read in earlier runs, `erase` ends logs that leaked.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::coverage::{Skip, Why};
use crate::http::{Auth, Download, Fault, Host, Http};
use crate::origin::Origin;
use crate::source::remote::{Listed, Log, Remote, Unread};

mod bitbucket;
mod call;
pub mod erase;
mod github;
mod gitlab;
pub mod state;
pub mod target;

use call::Call;
use state::State;
use target::{Provider, Target};

/// Is given what there is; says when it has enough.
type Give<'g> = dyn FnMut(Listed) -> ControlFlow<()> + 'g;

/// What of it is wanted. What is not said is not asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Runs that were created since then.
    pub since: Option<Timestamp>,
    /// Runs of this branch.
    pub branch: Option<String>,
    /// Runs that are or ended so, in the provider's word.
    pub status: Option<String>,
    /// Runs of this workflow: the name of its file, or its number. GitHub alone has them.
    pub workflow: Option<String>,
    /// The newest runs of each project, at most so many.
    pub limit: Option<u64>,
    /// Files that runs made, too.
    pub artifacts: bool,
}

/// The logs of a target.
#[derive(Debug)]
pub struct Logs {
    http: Http,
    /// The base URL of the host that has them.
    base: String,
    target: Target,
    options: Options,
    state: Option<Mutex<State>>,
    /// Logs that were read in an earlier run.
    known: AtomicU64,
    /// The jobs of runs in which something was found, with their pages.
    jobs: github::Jobs,
}

impl Logs {
    /// The logs of `target` at the host of `http` with that base URL.
    ///
    /// # Errors
    /// An option that means nothing at this provider, or no such host.
    pub fn new(http: Http, base: &str, target: Target, options: Options, state: Option<State>) -> Result<Self, String> {
        target.check(&options)?;
        let Some(host) = http.hosts.by_base_url(base) else { return Err(format!("{base} is no host of this run")) };
        let base = host.base_url().to_owned();
        let state = state.map(Mutex::new);
        Ok(Logs { http, base, target, options, state, known: AtomicU64::new(0), jobs: github::Jobs::default() })
    }

    fn host(&self) -> &Host {
        self.http.hosts.by_base_url(&self.base).expect("the host was there when this was made")
    }

    fn call(&self) -> Result<Call<'_>, Unread> {
        let host = self.host();
        let auth = if host.has_credential() {
            host.sign_in().map_err(|detail| Unread { why: Why::NotFetched, detail })?
        } else {
            Auth::None
        };
        Ok(Call { http: &self.http, host, auth })
    }

    /// Logs that were not given because an earlier run has read them.
    pub fn known(&self) -> u64 {
        self.known.load(Relaxed)
    }

    /// Writes down what was read.
    pub fn save(&self) -> Result<(), state::Error> {
        self.remembered().map_or(Ok(()), |state| state.save())
    }

    /// What a log's project is called in the state: two hosts may have projects of one name.
    fn owner(&self, log: &Log) -> String {
        format!("{} {}", self.base, log.project)
    }

    fn remembered(&self) -> Option<MutexGuard<'_, State>> {
        self.state.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a log, if no earlier run has read it.
    fn offer(&self, log: Log, give: &mut Give<'_>) -> ControlFlow<()> {
        if self.remembered().is_some_and(|state| state.knows(&self.owner(&log), &log.id)) {
            self.known.fetch_add(1, Relaxed);
            return ControlFlow::Continue(());
        }
        give(Listed::Log(Box::new(log)))
    }
}

/// How the parts of files that are no logs begin.
const ARTIFACTS: &str = "artifacts";

impl Remote for Logs {
    fn list(&self, give: &mut dyn FnMut(Listed) -> ControlFlow<()>) {
        // Who broke off knows that he did.
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) = match self.target.provider {
            Provider::Github => github::list(self, give),
            Provider::Gitlab => gitlab::list(self, give),
            Provider::Bitbucket => bitbucket::list(self, give),
        };
    }

    fn open(&self, log: &Log) -> Result<Box<dyn Read + Send>, Unread> {
        let call = self.call()?;
        match self.http.download(call.host, &call.request(&log.address)).map_err(|fault| unread(&fault))? {
            Download::Content(head, body) => match head.header("content-type") {
                Some(kind) if ["html", "json", "xml"].iter().any(|other| kind.contains(other)) => {
                    let kind = kind.split(';').next().unwrap_or_default();
                    Err(Unread { why: Why::NotFetched, detail: format!("there is {kind} in its place") })
                }
                _ => Ok(Box::new(Told { body, failed: None })),
            },
            Download::Refused(answer) => Err(call::refused(&answer, call.host, call::Asked::Content)),
        }
    }

    fn facts(&self, log: &Log, place: &Origin) -> Vec<(&'static str, String)> {
        let job = github::job(self, log, place);
        let url = job.as_ref().map_or(&log.page, |job| &job.page).clone();
        let (provider, repository) = log.project.split_once(':').unwrap_or_default();
        let known = [
            ("ci.provider", Some(provider.to_owned())),
            ("ci.repository", Some(repository.to_owned())),
            ("ci.run", Some(log.run.clone())),
            ("ci.job", job.map(|job| job.name).or_else(|| log.job.clone())),
            ("ci.started", log.time.clone()),
            ("ci.url", Some(url).filter(|url| !url.is_empty())),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn done(&self, log: &Log) {
        if let Some(mut state) = self.remembered() {
            state.add(self.owner(log), log.id.clone());
        }
    }
}

fn unread(fault: &Fault) -> Unread {
    Unread { why: Why::NotFetched, detail: fault.to_string() }
}

/// A body whose errors say it in the words of a scan. Where it broke it stays broken: whoever reads on must not take
/// that for its end.
struct Told {
    body: Box<dyn Read + Send>,
    failed: Option<Unread>,
}

impl Read for Told {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if let Some(failed) = &self.failed {
            return Err(io::Error::other(failed.clone()));
        }
        self.body.read(space).map_err(|error| {
            let fault = error.get_ref().and_then(|inner| inner.downcast_ref());
            let failed = fault.map_or(Unread { why: Why::NotFetched, detail: error.to_string() }, unread);
            self.failed = Some(failed.clone());
            io::Error::other(failed)
        })
    }
}

/// The skip for something that could not be listed.
fn unlisted(project: &str, run: &str, part: &str, unread: Unread) -> Listed {
    let origin = Origin::Log { project: project.to_owned(), run: run.to_owned(), part: part.to_owned() };
    Listed::Skip(Skip { origin, why: unread.why, detail: unread.detail })
}

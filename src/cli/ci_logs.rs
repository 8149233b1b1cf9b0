//! `stanch scan --ci-logs`: which logs, from where, with what credential, and what becomes of those that leak.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use jiff::{SignedDuration, Timestamp};

use super::history::{now, time};
use super::respond::{clock, default_ledger, door, fetch, settings};
use super::revoke::ask;
use super::{message, netrc, scan};
use crate::fetch::erase::{self, End, Leak};
use crate::fetch::state::State;
use crate::fetch::target::{Provider, Target};
use crate::fetch::{Logs, Options};
use crate::finding::{Finding, Verdict};
use crate::http::{CredentialSpec, HostSpec, Http, JOB_TOKEN_USER, Stop};
use crate::ledger::Ledger;
use crate::origin::Origin;
use crate::scan::{Plan, Watch, digest};
use crate::source::log::Dialect;

/// Logs that are fetched at a time unless somebody says otherwise: most of the time goes by waiting.
const AT_ONCE: usize = 4;

/// How often something is asked for before it counts as not read.
const ATTEMPTS: usize = 5;

/// The options of `--ci-logs`.
#[derive(Debug, clap::Args)]
#[group(id = "ci-options")]
pub(super) struct Args {
    /// Search the logs of CI runs at their provider: github:OWNER[/REPO[#RUN]], gitlab:GROUP[/PROJECT[#JOB]],
    /// bitbucket:WORKSPACE[/REPO[#PIPELINE]]
    #[arg(long = "ci-logs", id = "ci_logs", value_name = "TARGET", value_parser = Target::parse, conflicts_with_all = ["targets", "history", "staged", "ci_env", "offline"], help_heading = HEADING)]
    pub(super) target: Option<Target>,
    /// Only runs with this status, in the provider's word
    #[arg(long, value_name = "STATUS", requires = "ci_logs", help_heading = HEADING)]
    status: Option<String>,
    /// Only runs of this workflow of GitHub's: the name of its file, or its number
    #[arg(long, value_name = "FILE", requires = "ci_logs", help_heading = HEADING)]
    workflow: Option<String>,
    /// Only the newest N runs (GitLab: jobs) of each repository
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), requires = "ci_logs", help_heading = HEADING)]
    limit: Option<u64>,
    /// Files that runs made, too
    #[arg(long, requires = "ci_logs", help_heading = HEADING)]
    artifacts: bool,
    /// Remember in this file which logs were read, and read only others
    #[arg(long, value_name = "FILE", requires = "ci_logs", help_heading = HEADING)]
    state: Option<PathBuf>,
    /// Where the provider's API is, if not in public; as `base_url` of a configured host
    #[arg(long, value_name = "URL", requires = "ci_logs", help_heading = HEADING)]
    base_url: Option<String>,
    /// Wait no longer than that (90s, 10m, 1h) when the provider wants us to stay away [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = span, requires = "ci_logs", help_heading = HEADING)]
    max_wait: Option<Duration>,
    /// Delete the logs in which something was found; asks first
    #[arg(long, requires = "ci_logs", help_heading = HEADING)]
    erase: bool,
    /// Do not ask before logs are deleted
    #[arg(short, long, requires = "erase", conflicts_with = "dry_run", help_heading = HEADING)]
    yes: bool,
    /// Show what would be deleted, and delete nothing
    #[arg(short = 'n', long, requires = "erase", help_heading = HEADING)]
    dry_run: bool,
    /// Where it is kept what was deleted [default: stanch/ledger.db in XDG_STATE_HOME]
    #[arg(long, value_name = "FILE", requires = "erase", help_heading = HEADING)]
    ledger: Option<PathBuf>,
}

const HEADING: &str = "Logs of CI runs";

/// `90s`, `10m`, `12h`, `7d`.
fn span(text: &str) -> Result<Duration, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse::<u32>().ok());
    let number = number.filter(|_| unit > 0).ok_or("write 90s, 10m, 12h or 7d")?;
    Ok(Duration::from_secs(u64::from(number) * unit))
}

/// Makes the plan one for logs at a provider, if that is what was asked for.
pub(super) fn prepare(args: &scan::Args, plan: &mut Plan, watch: &Arc<Watch>) -> Result<Option<Arc<Logs>>> {
    check(&args.search, args.ci.target.is_some())?;
    let Some(target) = args.ci.target.clone() else { return Ok(None) };
    let options = args.ci.options(args)?;
    let (mut http, base) = args.ci.door(target.provider, args.search.config.as_deref())?;
    let watch = watch.clone();
    http.stop = Stop(Arc::new(move || watch.interrupt.load(Relaxed)));
    let state = args.ci.state.as_ref().map(|path| state(path, plan)).transpose()?;
    let logs = Logs::new(http, &base, target, options, state).map_err(|why| anyhow!(why))?;
    let logs = Arc::new(logs);
    plan.remote = Some(logs.clone());
    plan.log = plan.log.or(Some(Dialect::Auto));
    if args.search.jobs.is_none() {
        plan.jobs = plan.jobs.max(AT_ONCE);
    }
    Ok(Some(logs))
}

/// Two options of a history mean something for runs, too, and nothing else.
pub(super) fn check(search: &scan::Search, is_ci: bool) -> Result<()> {
    let said = !search.in_history.branch.is_empty() || search.in_history.since.is_some();
    ensure!(!said || search.history || is_ci, "--branch and --since are for --history and --ci-logs");
    Ok(())
}

fn state(path: &Path, plan: &Plan) -> Result<State> {
    let rules = data_encoding::HEXLOWER.encode(&digest(&plan.rules, [plan.decode, plan.unpack])[..8]);
    let state = State::load(path, &rules, plan.now)?;
    if state.read_by_others() > 0 {
        message::warning(&format!(
            "{} logs were read by other rules or another version, and are not read again; remove {} to read them again",
            state.read_by_others(),
            path.display()
        ));
    }
    Ok(state)
}

/// What a finding is to those who erase logs.
pub(super) fn leak(finding: &Finding) -> Option<Leak> {
    if finding.verdict != Verdict::Reported || !matches!(finding.origin, Origin::Log { .. }) {
        return None;
    }
    Some(Leak {
        incident: finding.fingerprint.to_string(),
        rule: finding.rule.id.clone(),
        origin: finding.origin.clone(),
        line: finding.region.start.line,
        page: finding.facts.iter().find(|fact| fact.name == "ci.url").map(|fact| fact.value.clone()),
    })
}

impl Args {
    fn options(&self, args: &scan::Args) -> Result<Options> {
        let branch = match &args.search.in_history.branch[..] {
            [] => None,
            [branch] => Some(branch.clone()),
            _ => bail!("--ci-logs takes one --branch"),
        };
        let since = args.search.in_history.since.as_deref().map(since).transpose()?;
        let (status, workflow) = (self.status.clone(), self.workflow.clone());
        Ok(Options { since, branch, status, workflow, limit: self.limit, artifacts: self.artifacts })
    }

    /// The door, and the base URL of the host that has the logs.
    fn door(&self, provider: Provider, config: Option<&Path>) -> Result<(Http, String)> {
        let service = provider.service();
        let mut file = settings(Path::new("."), config)?;
        if let Some(url) = &self.base_url
            && !file.host.iter().any(|host| host.provider == service && same(&host.base_url, url))
        {
            file.host.push(HostSpec::bare(service, url));
        }
        let mut http = door(&file, false)?;
        let hosts = http.hosts.of(service, &[]);
        let base = match (&self.base_url, &hosts[..]) {
            (Some(url), hosts) => hosts.iter().find(|host| same(host.base_url(), url)).map(|host| host.base_url()),
            (None, [host]) => Some(host.base_url()),
            (None, _) => bail!("several [[host]] are of provider {}; say which with --base-url", provider.as_str()),
        };
        let base = base.context("--base-url names no host that can be asked")?.to_owned();
        if let Some((spec, user)) = credential(provider, &base)? {
            http.hosts.lend(&base, spec, user, Arc::new(fetch));
        }
        http.pace.attempts = ATTEMPTS;
        http.pace.longest_pause = self.max_wait.unwrap_or(Duration::from_secs(600));
        Ok((http, base))
    }

    /// What is to be done when everything is reported: logs are remembered, and those that leaked deleted.
    pub(super) fn conclude(&self, logs: &Logs, leaks: Vec<Leak>, quiet: bool) -> Result<()> {
        logs.save()?;
        if logs.known() > 0 && !quiet {
            message::note(&format!("{} logs were read in an earlier run and are not read again", logs.known()));
        }
        if !self.erase {
            return Ok(());
        }
        let erasures = erase::plan(leaks);
        for erasure in &erasures {
            message::note(&format!("erase {erasure}"));
        }
        let acts = erasures.iter().filter(|erasure| erasure.is_act()).count();
        if acts == 0 || self.dry_run || !self.confirmed(acts)? {
            return Ok(());
        }
        let path = self.ledger.clone().map_or_else(default_ledger, Ok)?;
        let mut ledger = Ledger::open(&path, clock())?;
        for erasure in erasures.iter().filter(|erasure| erasure.is_act()) {
            match erase::carry_out(logs, &mut ledger, erasure)? {
                End::Erased(text) | End::Left(text) => message::note(&text),
                End::Failed(text) => message::warning(&format!("not erased: {text}")),
            }
        }
        Ok(())
    }

    fn confirmed(&self, acts: usize) -> Result<bool> {
        if self.yes {
            return Ok(true);
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            message::note("this is the plan only: say --yes to carry it out");
            return Ok(false);
        }
        ask(&format!("Delete {acts} logs at the provider? That is irreversible."))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// A point in time: a date, or how long ago.
fn since(text: &str) -> Result<Timestamp> {
    let now = now();
    let ago = || {
        let span = SignedDuration::try_from(span(text).ok()?).ok()?;
        now.timestamp().checked_sub(span).ok()
    };
    let when = ago().or_else(|| time(text, &now));
    when.with_context(|| format!("--since {}: write 7d, 12h, or a date such as 2026-01-31", text.escape_debug()))
}

/// Where the environment or the netrc file has a credential for the host, and the name that belongs to it.
#[expect(clippy::disallowed_methods, reason = "cli asks the environment")]
fn credential(provider: Provider, base: &str) -> Result<Option<(CredentialSpec, Option<String>)>> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (names, user): (&[&str], _) = match provider {
        Provider::Github => (&["GH_TOKEN", "GITHUB_TOKEN"], None),
        Provider::Gitlab => (&["GITLAB_TOKEN", "CI_JOB_TOKEN"], None),
        Provider::Bitbucket => {
            (&["BITBUCKET_TOKEN"], std::env::var("BITBUCKET_USERNAME").ok().filter(|it| !it.is_empty()))
        }
    };
    if let Some(name) = names.iter().find(|name| set(name)) {
        let user = if *name == "CI_JOB_TOKEN" { Some(JOB_TOKEN_USER.to_owned()) } else { user };
        return Ok(Some((CredentialSpec::Env((*name).to_owned()), user)));
    }
    let machine = base.split_once("://").map_or(base, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
    let known = [machine, machine.strip_prefix("api.").unwrap_or(machine)];
    for machine in known {
        if let Some(entry) = netrc::find(machine).map_err(|why| anyhow!(why))? {
            let user = entry.login.filter(|_| provider == Provider::Bitbucket);
            return Ok(Some((CredentialSpec::Netrc(machine.to_owned()), user)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        assert_eq!(span("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert!(["7", "d", "", "-1d", "1.5h", "é"].iter().all(|text| span(text).is_err()));
        assert!(since("yesterday-ish").is_err() && since("2026-01-31").is_ok() && since("12h").is_ok());
    }
}

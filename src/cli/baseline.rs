//! `stanch baseline`: writes down what is known, so that a scan can hide it.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{message, scan};
use crate::baseline::{Baseline, Key, Known};
use crate::exit::Exit;
use crate::finding::{Finding, State, Verdict};
use crate::origin::Origin;
use crate::place::Places;
use crate::report::escape;
use crate::rulefile;
use crate::secret::Fingerprint;
use crate::source::worktree;
use crate::summary::Summary;

mod file;
mod foreign;

/// The file, where none is named.
const DEFAULT: &str = ".stanch-baseline.toml";

/// Digits of a commit's name: enough to find it, and too few to be taken for a token.
const ABBREVIATED: usize = 12;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
#[command(mut_subcommands(without_reports))]
enum What {
    /// Scan, and write everything that is found to a new file
    Create(Box<Writing>),
    /// Scan, and add what is new; what is there keeps its reason
    Update(Box<Writing>),
    /// Print what the file knows
    Show(Showing),
    /// Scan, and drop what matches nothing any more or has expired
    Prune(Box<Pruning>),
}

#[derive(Debug, clap::Args)]
struct Writing {
    /// Why the findings may stay
    #[arg(long, value_name = "TEXT", default_value = "not reviewed yet", help_heading = "What is written down")]
    reason: String,
    /// Who says so [default: user.email, or user.name, of git]
    #[arg(long, value_name = "NAME", help_heading = "What is written down")]
    by: Option<String>,
    /// The last day (2027-01-31) on which they are hidden
    #[arg(long, value_name = "DATE", value_parser = parse_date, help_heading = "What is written down")]
    expires: Option<Date>,
    /// With --inspect: do not hide what a provider calls live; it is not written down, and dropped if it was
    #[arg(long, requires = "inspect", help_heading = "What is written down")]
    no_baseline_live: bool,
    #[command(flatten)]
    scan: scan::Args,
}

#[derive(Debug, clap::Args)]
struct Showing {
    /// A baseline of ours, a gitleaks report or a .secrets.baseline
    #[arg(long, value_name = "FILE", default_value = DEFAULT)]
    baseline: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Pruning {
    #[command(flatten)]
    scan: scan::Args,
}

fn parse_date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "write the day as 2027-01-31".to_owned())
}

/// Tells in the help what the options of a scan are here: there is no report, and the baseline is what is written.
fn without_reports(command: clap::Command) -> clap::Command {
    if command.get_arguments().all(|arg| arg.get_id() != "format") {
        return command;
    }
    let reports = ["format", "output", "report", "no_color", "show_allowed", "verbose", "fail_on", "offline"];
    let command = reports.into_iter().fold(command, |command, name| command.mut_arg(name, |arg| arg.hide(true)));
    command.mut_arg("baseline", |arg| arg.help(format!("The file to write [default: {DEFAULT}]")))
}

pub(super) fn run(args: Args) -> Result<Exit> {
    match args.what {
        What::Create(args) => create(&args),
        What::Update(args) => update(&args),
        What::Show(args) => show(&args),
        What::Prune(args) => prune(&args),
    }
}

/// The baseline of a scan that was started at `now` (seconds since 1970).
pub(super) fn load(path: &Path, places: Places, now: i64) -> Result<Baseline> {
    let known = file::read(path, &places)?.known;
    Ok(Baseline::new(known, places, day(now)?, rulefile::ours_for))
}

/// The day in UTC, for a file that people in several places share, of seconds since 1970.
fn day(now: i64) -> Result<Date> {
    let now = jiff::Timestamp::from_second(now).context("the clock is out of its mind")?;
    Ok(now.to_zoned(TimeZone::UTC).date())
}

fn create(args: &Writing) -> Result<Exit> {
    let path = path(&args.scan);
    let there = path.symlink_metadata().is_ok();
    ensure!(!there, "{} is there already; `stanch baseline update` adds to it", path.display());
    let baseline = Baseline::new(Vec::new(), scan::places(&args.scan.search), today()?, rulefile::ours_for);
    let Some((mut findings, summary)) = gather(&args.scan, &baseline)? else { return Ok(Exit::Interrupted) };
    without_live(&mut findings, args);
    let known = entries(&baseline, &findings, args);
    file::write(path, &known)?;
    note(&args.scan, &format!("{} in {}", plural(known.len()), path.display()));
    Ok(account(&summary))
}

fn update(args: &Writing) -> Result<Exit> {
    let path = path(&args.scan);
    let baseline = ours(path, &args.scan)?;
    let Some((mut findings, summary)) = gather(&args.scan, &baseline)? else { return Ok(Exit::Interrupted) };
    let live = without_live(&mut findings, args);
    let mut found: BTreeMap<_, _> =
        entries(&baseline, &findings, args).into_iter().map(|entry| (fingerprint(&entry), entry)).collect();
    let mut known = baseline.known().to_vec();
    known.retain(|entry| fingerprint(entry).is_none_or(|it| !live.contains(&it)));
    for entry in &mut known {
        // Where it stands now is news, everything else is said already.
        if let Some(now) = found.remove(&fingerprint(entry)) {
            *entry = Known {
                rule: now.rule,
                path: now.path,
                line: now.line,
                commit: now.commit.or(entry.commit.clone()),
                ..entry.clone()
            };
        }
    }
    let added = found.len();
    known.extend(found.into_values());
    file::write(path, &known)?;
    let (count, stale) = (plural(known.len()), summary.stale.len());
    note(&args.scan, &format!("{count} in {}, {added} of them new, {stale} stale", path.display()));
    if !summary.expired.is_empty() {
        message::warning(&format!("{} expired stay reported until `expires` is changed", summary.expired.len()));
    }
    Ok(account(&summary))
}

fn prune(args: &Pruning) -> Result<Exit> {
    let path = path(&args.scan);
    let baseline = ours(path, &args.scan)?;
    let Some((_, summary)) = gather(&args.scan, &baseline)? else { return Ok(Exit::Interrupted) };
    let drop = |entry: &&Known| entry.is_expired(baseline.today()) || summary.stale.contains(entry);
    let (dropped, kept): (Vec<_>, Vec<_>) = baseline.known().iter().partition(drop);
    if !dropped.is_empty() {
        file::write(path, &kept.iter().map(|entry| (*entry).clone()).collect::<Vec<_>>())?;
    }
    note(&args.scan, &format!("{} dropped, {} in {}", plural(dropped.len()), kept.len(), path.display()));
    Ok(account(&summary))
}

fn show(args: &Showing) -> Result<Exit> {
    let known = file::read(&args.baseline, &Places::default())?.known;
    let today = today()?;
    let mut text = String::new();
    for entry in &known {
        text += &shown(entry, today);
    }
    let expired = known.iter().filter(|entry| entry.is_expired(today)).count();
    text += &format!("{} known, {expired} expired\n", known.len());
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write standard output"),
        _ => Ok(Exit::Clean),
    }
}

/// An entry for people: two lines, and one for what was said of it.
fn shown(entry: &Known, today: Date) -> String {
    let line = entry.line.map(|line| format!(":{line}")).unwrap_or_default();
    let key = match &entry.key {
        Key::Fingerprint(fingerprint) => fingerprint.to_string(),
        Key::Sha256(_) => "known by the SHA-256 of the secret".to_owned(),
        Key::Sha1(_) => "known by the SHA-1 of the secret".to_owned(),
        Key::Place { .. } => "known by its place".to_owned(),
    };
    let said = [
        (!entry.by.is_empty()).then(|| format!("by {}", entry.by)),
        entry.added.map(|day| format!("on {day}")),
        entry.expires.map(|day| format!("{} {day}", if entry.is_expired(today) { "EXPIRED" } else { "until" })),
    ];
    let said: Vec<_> = said.into_iter().flatten().collect();
    let commit = entry.commit.as_ref().map(|commit| format!(" in {commit}")).unwrap_or_default();
    let lines = [format!("{}{line} {}{commit}", entry.path, entry.rule), entry.reason.clone(), said.join(", "), key];
    let lines = lines.iter().filter(|line| !line.is_empty());
    let shown = |line: &str| escape::terminal(&message::masked_name(line)).to_string();
    lines.enumerate().map(|(at, line)| format!("{}{}\n", ["", "  "][at.min(1)], shown(line))).collect()
}

fn path(args: &scan::Args) -> &Path {
    args.search.baseline.as_deref().unwrap_or(Path::new(DEFAULT))
}

fn today() -> Result<Date> {
    day(super::now())
}

/// The baseline at that path, which must be one that can be written again.
fn ours(path: &Path, args: &scan::Args) -> Result<Baseline> {
    ensure!(path.exists(), "{} is not there; `stanch baseline create` makes it", path.display());
    let places = scan::places(&args.search);
    let read = file::read(path, &places)?;
    if let Some(tool) = read.foreign {
        bail!("{} is written by {tool}; `stanch baseline create --baseline FILE` makes one of ours", path.display());
    }
    Ok(Baseline::new(read.known, places, today()?, rulefile::ours_for))
}

/// What a scan finds, if it comes to its end: half a scan would make half a baseline.
fn gather(args: &scan::Args, baseline: &Baseline) -> Result<Option<(Vec<Finding>, Summary)>> {
    let (findings, summary) = scan::gather(args, Some(baseline.clone()))?;
    if summary.interrupted {
        message::warning("interrupted: the baseline is as it was");
    }
    Ok((!summary.interrupted).then_some((findings, summary)))
}

/// Takes out what is proven live and may not be hidden, and says which secrets these are.
fn without_live(findings: &mut Vec<Finding>, args: &Writing) -> HashSet<Fingerprint> {
    let is_live =
        |it: &Finding| it.inspected.as_ref().is_some_and(|it| matches!(it.state, State::Live | State::Limited));
    let mut live = HashSet::new();
    if args.no_baseline_live {
        live.extend(findings.iter().filter(|it| is_live(it)).map(|it| it.fingerprint));
        findings.retain(|it| !live.contains(&it.fingerprint));
    }
    if !live.is_empty() {
        message::warning(&format!(
            "{} secrets are live and not in the baseline; `stanch revoke` ends them",
            live.len()
        ));
    }
    live
}

/// An entry for every fingerprint that counts, with the first place where it stands.
fn entries(baseline: &Baseline, findings: &[Finding], args: &Writing) -> Vec<Known> {
    let by = args.by.clone().or_else(|| worktree::user(args.scan.search.targets().first()?)).unwrap_or_default();
    let mut seen = HashSet::new();
    let counts = |finding: &&Finding| matches!(finding.verdict, Verdict::Reported | Verdict::Baselined { .. });
    let new = findings.iter().filter(counts).filter(|finding| seen.insert(finding.fingerprint));
    new.map(|finding| Known {
        key: Key::Fingerprint(finding.fingerprint),
        rule: finding.rule.id.clone(),
        path: message::masked_name(&baseline.path(finding).unwrap_or_else(|| finding.origin.to_string())).into_owned(),
        line: Some(finding.region.start.line),
        commit: commit(finding),
        reason: args.reason.clone(),
        by: by.clone(),
        added: Some(baseline.today()),
        expires: args.expires,
    })
    .collect()
}

/// The commit that brought what was found in history, or else the object.
fn commit(finding: &Finding) -> Option<String> {
    let Origin::Object { id, .. } = &finding.origin else { return None };
    let brought = finding.provenance.as_ref().and_then(|provenance| provenance.introduced.first());
    let id = brought.map_or(*id, |commit| commit.id).to_string();
    Some(id.chars().take(ABBREVIATED).collect())
}

/// The fingerprint of an entry of ours; those of others never come here.
fn fingerprint(entry: &Known) -> Option<Fingerprint> {
    match entry.key {
        Key::Fingerprint(fingerprint) => Some(fingerprint),
        Key::Sha256(_) | Key::Sha1(_) | Key::Place { .. } => None,
    }
}

fn plural(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

fn note(args: &scan::Args, text: &str) {
    if !args.quiet {
        message::note(text);
    }
}

/// What is written down is no longer a failure; what was not read is.
fn account(summary: &Summary) -> Exit {
    let unread = summary.unaccepted();
    if unread > 0 {
        message::warning(&format!("{unread} could not be read: what is in there is not in the baseline"));
        return Exit::Unread;
    }
    Exit::Clean
}

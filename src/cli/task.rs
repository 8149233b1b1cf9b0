//! `stanch task`: what only a person can do becomes a task, once, and is closed when it is done.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::message;
use super::respond::{Input, Scan, clock, default_ledger, door};
use crate::exit::Exit;
use crate::http::Http;
use crate::ledger::Ledger;
use crate::respond::act::{self, Actor, End, Patience};
use crate::respond::config::{File, TaskTarget};
use crate::respond::incident::Incident;
use crate::respond::plan::{Case, Confirm, Plan, Step, Verb, is_ignored, make};
use crate::respond::provider::Person;
use crate::respond::task::draft::{self, Brief};
use crate::respond::task::{Board, Error, once, owners};

/// Where the owners of paths are named, in the order in which forges look.
const CODEOWNERS: [&str; 4] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Open a task for every token that is not proven dead, unless there is one
    Open(Common),
    /// Close the tasks of tokens that are proven dead, tell the others what happened. Tokens that are given are asked
    /// about first; without any the ledger alone decides
    Sync(Common),
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    input: Input,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Where it is kept what was done [default: stanch/ledger.db in XDG_STATE_HOME]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

impl Common {
    fn ledger(&self) -> Result<Ledger> {
        let path = self.ledger.clone().map_or_else(default_ledger, Ok)?;
        Ok(Ledger::open(&path, clock())?)
    }
}

pub(super) fn run(args: &Args, scan: &Scan<'_>) -> Result<Exit> {
    match &args.command {
        What::Open(common) => open_all(common, scan),
        What::Sync(common) => sync(common, scan),
    }
}

fn target(file: &File) -> Result<&TaskTarget> {
    file.respond
        .task
        .as_ref()
        .context("where tasks go is not configured: say [respond.task] host = \"…\" project = \"…\"")
}

fn open_all(args: &Common, scan: &Scan<'_>) -> Result<Exit> {
    let file = args.input.file()?;
    let http = door(&file, args.input.offline)?;
    Board::new(&http, target(&file)?)?;
    let gathered = args.input.gather(scan)?;
    let cases = crate::respond::inspect(&http, gathered.incidents, &mut |_| ControlFlow::Continue(()));
    let policy = file.policy(false)?;
    let plan = make(&cases, &policy, &http.hosts);
    let mut out = std::io::stdout().lock();
    let mut exit = if gathered.missing > 0 { Exit::Unread } else { Exit::Clean };
    for case in cases.iter().filter(|case| !case.said.liveness.is_dead()) {
        let person = plan.steps.iter().find_map(|step| match &step.verb {
            Verb::Person(person) if step.incident == case.incident.id => Some(person),
            _ => None,
        });
        let end = if is_ignored(case, &policy) {
            End::Left("ignored by [[respond.rule]]".to_owned())
        } else if args.dry_run {
            End::Left("a task would be opened, unless there is one".to_owned())
        } else {
            open(&http, &file, &mut args.ledger()?, case, person)?
        };
        exit = exit.and(match end {
            End::Closed(_) => Exit::Clean,
            End::Left(_) => Exit::Found,
            End::Failed(_) => Exit::Unread,
        });
        writeln!(out, "{}", super::respond::view::end(case.incident.id, &end))?;
    }
    Ok(exit)
}

/// Opens one task. An error of the ledger ends the run; one of the tracker is the end of this step.
pub(super) fn open(http: &Http, file: &File, ledger: &mut Ledger, case: &Case, person: Option<&Person>) -> Result<End> {
    let target = match target(file) {
        Ok(target) => target,
        Err(error) => return Ok(End::Failed(format!("{error:#}"))),
    };
    let id = case.incident.id.to_string();
    if !case.said.liveness.is_live() && act::is_closed(&ledger.rows(Some(&id))?) {
        return Ok(End::Closed("by an earlier run, or by a person who settled it".to_owned()));
    }
    let opened = Board::new(http, target).and_then(|board| {
        act::seen(ledger, case)?;
        let rows = ledger.rows(Some(&id))?;
        let brief = Brief {
            target,
            style: board.style(),
            person,
            rows: &rows,
            assignees: owners::assignees(&case.incident, target, codeowners().as_deref()),
            today: today(),
        };
        once::open(&board, ledger, &id, &draft::write(case, &brief)?)
    });
    match opened {
        Ok(opened) => {
            if !opened.dropped.is_empty() {
                message::warning(&format!("the tracker dropped: {}", opened.dropped.join(", ")));
            }
            Ok(End::Left(format!("task {}: {}", opened.how, opened.url)))
        }
        Err(Error::Ledger(error)) => Err(error.into()),
        Err(error) => Ok(End::Failed(format!("no task: {error}"))),
    }
}

/// The date in UTC.
fn today() -> jiff::civil::Date {
    let now = jiff::Timestamp::from_second(super::now()).unwrap_or_default();
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn codeowners() -> Option<String> {
    CODEOWNERS.iter().find_map(|path| std::fs::read_to_string(path).ok())
}

/// Closes what a person has ended since: those tokens at hand that their providers call dead, or refuse although they
/// worked there before.
fn close_dead(http: &Http, ledger: &mut Ledger, incidents: Vec<Incident>) -> Result<()> {
    let cases = crate::respond::inspect(http, incidents, &mut |_| ControlFlow::Continue(()));
    let step = |case: &Case| {
        let verb = if case.said.liveness.is_dead() { Verb::Close } else { Verb::Hold(String::new()) };
        Step { incident: case.incident.id, verb, confirm: Confirm::Option }
    };
    let plan = Plan { steps: cases.iter().map(step).collect() };
    Actor { http, ledger, patience: Patience::default(), tell: &mut |_, _| () }.run(&cases, &plan)?;
    Ok(())
}

fn sync(args: &Common, scan: &Scan<'_>) -> Result<Exit> {
    let file = args.input.file()?;
    let http = door(&file, args.input.offline)?;
    let board = Board::new(&http, target(&file)?)?;
    // Without input the ledger alone decides: the tokens may long be gone from the files.
    let search = &args.input.search;
    let given = !search.targets.is_empty() || args.input.from.is_some() || search.history || search.staged;
    let gathered = if given { Some(args.input.gather(scan)?) } else { None };
    let mut exit = if gathered.as_ref().is_some_and(|it| it.missing > 0) { Exit::Unread } else { Exit::Clean };
    let incidents = gathered.map_or_else(Vec::new, |it| it.incidents);
    let mut ledger = args.ledger()?;
    let known: BTreeSet<String> = ledger.rows(None)?.into_iter().map(|row| row.incident).collect();
    if !args.dry_run {
        let known = incidents.iter().filter(|it| known.contains(&it.id.to_string()));
        close_dead(&http, &mut ledger, known.cloned().collect())?;
    }
    let mut out = std::io::stdout().lock();
    for id in known {
        let secret = incidents.iter().find(|incident| incident.id.to_string() == id).map(|incident| &incident.secret);
        if args.dry_run {
            writeln!(out, "would look at the tasks of {id}")?;
            continue;
        }
        match once::sync(&board, &mut ledger, &id, secret) {
            Ok(done) => {
                let once::Synced { closed, commented, alerts } = done;
                writeln!(out, "{id} {closed} tasks closed, {commented} commented, {alerts} alerts resolved")?;
            }
            Err(Error::Ledger(error)) => return Err(error.into()),
            Err(error) => {
                message::warning(&format!("{id}: {error}"));
                exit = exit.and(Exit::Unread);
            }
        }
    }
    Ok(exit)
}

//! `stanch revoke` and `stanch rotate`: inspect, plan, ask, act, prove.

use std::io::{BufRead, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use super::respond::{Format, Input, Scan, clock, default_ledger, door, view};
use super::{message, task};
use crate::exit::Exit;
use crate::http::Http;
use crate::ledger::Ledger;
use crate::report::escape;
use crate::respond::act::{Actor, End, Moment, Patience};
use crate::respond::config::File;
use crate::respond::plan::{self, Action, Case, Confirm, Effect, Plan, Policy, Verb};
use crate::secret::Fingerprint;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Do not ask; carry the plan out
    #[arg(short, long, conflicts_with = "dry_run")]
    yes: bool,
    /// Show the plan, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Revoke tokens of people and groups that are not in `[respond]` owners, too
    #[arg(long)]
    any_owner: bool,
    /// Where the successor of a rotated token goes if no place takes it, or none is named: a line with the old one's
    /// fingerprint and the new token. Made readable by you alone, and removed again if it is not needed
    #[arg(long, value_name = "FILE")]
    successor_file: Option<PathBuf>,
    /// Where it is kept what was done [default: stanch/ledger.db in XDG_STATE_HOME]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// How to show what was done
    #[arg(short, long, value_enum, default_value = "text")]
    format: Format,
}

/// Does `otherwise`, revoke or rotate, with what no `[[respond.rule]]` speaks of.
pub(super) fn run(args: &Args, scan: &Scan<'_>, otherwise: Action) -> Result<Exit> {
    let file = args.input.file()?;
    let mut policy = Policy { otherwise, ..file.policy(args.any_owner)? };
    policy.successor_file = args.successor_file.clone().or(policy.successor_file);
    let http = door(&file, args.input.offline)?;
    let gathered = args.input.gather(scan)?;
    let cases = crate::respond::inspect(&http, gathered.incidents, &mut |_| ControlFlow::Continue(()));
    let mut plan = plan::make(&cases, &policy, &http.hosts);
    show(args, &cases, &plan)?;
    let mut ends = Vec::new();
    if !args.dry_run && confirm(args, &mut plan)? {
        let mut ledger = open(args)?;
        let mut tell = |moment, ids: &[Fingerprint]| progress(moment, ids.len());
        let mut actor = Actor { http: &http, ledger: &mut ledger, patience: Patience::default(), tell: &mut tell };
        ends = actor.run(&cases, &plan)?;
        ends.extend(tasks(&http, &file, &mut ledger, &cases, &plan)?);
    }
    finish(args, &cases, &plan, &ends)?;
    let unread = if gathered.missing > 0 { Exit::Unread } else { Exit::Clean };
    Ok(exit(&cases, &ends).and(unread))
}

/// The tasks of the plan. One that cannot be opened is a step that failed.
fn tasks(
    http: &Http,
    file: &File,
    ledger: &mut Ledger,
    cases: &[Case],
    plan: &Plan,
) -> Result<Vec<(Fingerprint, End)>> {
    let mut ends = Vec::new();
    for step in plan.steps.iter().filter(|step| step.verb == Verb::Task) {
        let Some(case) = cases.iter().find(|case| case.incident.id == step.incident) else { continue };
        let person = plan.steps.iter().find_map(|it| match &it.verb {
            Verb::Person(person) if it.incident == step.incident => Some(person),
            _ => None,
        });
        ends.push((step.incident, task::open(http, file, ledger, case, person)?));
    }
    Ok(ends)
}

fn open(args: &Args) -> Result<Ledger> {
    let path = args.ledger.clone().map_or_else(default_ledger, Ok)?;
    Ok(Ledger::open(&path, clock())?)
}

/// The plan comes first, always; where standard output is for a program, on standard error.
fn show(args: &Args, cases: &[Case], plan: &Plan) -> Result<()> {
    let lines = view::plan(plan, cases);
    match args.format {
        Format::Text => writeln!(std::io::stdout().lock(), "{lines}")?,
        Format::Json => writeln!(std::io::stderr().lock(), "{lines}")?,
    }
    Ok(())
}

/// Whether to go on. Steps that want a person become held steps if there is none.
fn confirm(args: &Args, plan: &mut Plan) -> Result<bool> {
    if !plan.acts() {
        return Ok(true);
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !args.yes && !terminal {
        message::note("this is the plan only: say --yes to carry it out");
        return Ok(false);
    }
    for step in plan.steps.iter_mut().filter(|step| step.confirm == Confirm::Person) {
        let what = match &step.verb {
            Verb::Revoke(call) => call.to_string(),
            Verb::Rotate(rotation) => rotation.how.make().to_string(),
            Verb::Close | Verb::Task | Verb::Person(_) | Verb::Hold(_) => continue,
        };
        if !terminal || !ask(&format!("{}: {what}. Irreversible. Do it?", step.incident))? {
            step.verb =
                Verb::Hold("nobody confirmed it, and [[respond.rule]] confirm = \"person\" wants that".to_owned());
        }
    }
    let count = plan.steps.iter().filter(|step| step.effect() == Effect::Irreversible).count();
    Ok(args.yes || ask(&format!("Carry the plan out? {count} steps are irreversible."))?)
}

pub(super) fn ask(question: &str) -> Result<bool> {
    write!(std::io::stderr().lock(), "{} [y/N] ", escape::terminal(question))?;
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn progress(moment: Moment, count: usize) {
    match moment {
        Moment::Waits => message::note("another process acts for the same token; waiting for its turn to end"),
        Moment::Intended => message::note(&format!("acting for {count} tokens, and waiting for what comes of it")),
        _ => {}
    }
}

fn finish(args: &Args, cases: &[Case], plan: &Plan, ends: &[(Fingerprint, End)]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if args.format == Format::Text {
        for (id, end) in ends {
            writeln!(out, "{}", view::end(*id, end))?;
        }
        return Ok(());
    }
    let document = json!({
        "schema_version": "1",
        "incidents": cases.iter().map(view::case_json).collect::<Vec<_>>(),
        "plan": view::plan_json(plan),
        "ends": ends.iter().map(|(id, end)| view::end_json(*id, end)).collect::<Vec<Value>>(),
    });
    writeln!(out, "{}", escape::json(&document, true)?)?;
    Ok(())
}

/// 0 if every incident is closed, 1 if something is left to a person, 3 if a step failed.
fn exit(cases: &[Case], ends: &[(Fingerprint, End)]) -> Exit {
    let of = |case: &Case| match ends.iter().find(|(id, _)| *id == case.incident.id) {
        Some((_, End::Closed(_))) => Exit::Clean,
        Some((_, End::Left(_))) => Exit::Found,
        Some((_, End::Failed(_))) => Exit::Unread,
        None if case.said.liveness.is_dead() => Exit::Clean,
        None => Exit::Found,
    };
    cases.iter().map(of).fold(Exit::Clean, Exit::and)
}

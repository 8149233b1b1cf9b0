//! `stanch incidents`: what the ledger knows.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::message;
use super::respond::{clock, default_ledger};
use crate::exit::Exit;
use crate::ledger::{Chain, Event, Ledger, Row};
use crate::report::escape;
use crate::respond::act::is_closed;
use crate::respond::kind::Kind;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The ledger [default: stanch/ledger.db in XDG_STATE_HOME]
    #[arg(long, value_name = "FILE", global = true)]
    ledger: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every incident, a line each (the default)
    List,
    /// What happened in one incident
    Show {
        /// Its fingerprint, or the beginning of it
        id: String,
    },
    /// Write down that a person has done what was left of an incident whose successor got lost
    Settle {
        /// Its fingerprint, or the beginning of it
        id: String,
        /// What was done
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Everything, for a post-mortem or a program
    Export {
        /// How
        #[arg(short, long, value_enum, default_value = "json")]
        format: Export,
    },
    /// Check that every row is what was written
    Verify {
        /// The hash that an earlier `verify` printed last: tells whether rows were cut off since
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Export {
    /// One document
    Json,
    /// A table
    Csv,
    /// A timeline per incident
    Markdown,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let path = args.ledger.clone().map_or_else(default_ledger, Ok)?;
    if args.ledger.is_none() && !path.exists() {
        message::note("there is no ledger yet: nothing was ever done");
        return Ok(Exit::Clean);
    }
    if let Some(What::Settle { id, reason }) = &args.command {
        // One that is not there is not begun for this.
        Ledger::open_to_read(&path)?;
        return settle(&mut Ledger::open(&path, clock())?, id, reason);
    }
    let ledger = Ledger::open_to_read(&path)?;
    let mut out = std::io::stdout().lock();
    match args.command.as_ref().unwrap_or(&What::List) {
        What::List => list(&ledger.rows(None)?, &mut out),
        What::Show { id } => show(&ledger.rows(None)?, id, &mut out),
        What::Export { format } => export(&ledger.rows(None)?, *format, &mut out),
        What::Settle { .. } => Ok(Exit::Clean),
        What::Verify { head } => verify(&ledger, head.as_deref(), &mut out),
    }
}

/// The rows of each incident, in the order of the fingerprints.
fn by_incident(rows: &[Row]) -> BTreeMap<&str, Vec<Row>> {
    let mut incidents: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for row in rows {
        incidents.entry(&row.incident).or_default().push(row.clone());
    }
    incidents
}

fn list(rows: &[Row], out: &mut impl Write) -> Result<Exit> {
    let mut exit = Exit::Clean;
    for (id, rows) in by_incident(rows) {
        let closed = is_closed(&rows);
        if !closed {
            exit = Exit::Found;
        }
        let found = rows.iter().find(|row| row.event == Event::Found.as_str()).map(detail).unwrap_or_default();
        let name = |key: &str| found[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let rule = name("rule").or_else(|| name("kind")).unwrap_or_default();
        let (state, last) = (if closed { "closed" } else { "open  " }, rows.last().map_or("", |row| row.at.as_str()));
        writeln!(out, "{state} {id} {last} {}", escape::terminal(&rule))?;
    }
    Ok(exit)
}

fn show(rows: &[Row], id: &str, out: &mut impl Write) -> Result<Exit> {
    let incidents = by_incident(rows);
    let (incident, rows) = the_one(&incidents, id)?;
    writeln!(out, "{incident}")?;
    for row in rows {
        writeln!(out, "  {} {:<9} {}", row.at, row.event, escape::terminal(&sentence(row)))?;
    }
    Ok(if is_closed(rows) { Exit::Clean } else { Exit::Found })
}

/// Only what is proven dead can be settled, and that of which nobody can be asked whether it works: a live token is no
/// matter of opinion.
fn settle(ledger: &mut Ledger, id: &str, reason: &str) -> Result<Exit> {
    let looks = |word: &str| word.len() >= 20 && Kind::of_prefix(word.as_bytes()).is_some();
    if reason.split(|c: char| c.is_whitespace() || "\"'`,;:()".contains(c)).any(looks) {
        bail!("the reason holds what looks like a token; the ledger keeps it for ever: say it without");
    }
    let all = ledger.rows(None)?;
    let id = the_one(&by_incident(&all), id)?.0.to_owned();
    let _turn = ledger.turns(&[&id], &mut || ())?;
    let rows = ledger.rows(Some(&id))?;
    let said = rows.iter().rfind(|row| row.event == Event::Inspected.as_str()).map(detail).unwrap_or_default();
    let word = said["liveness"].as_str().unwrap_or("unknown");
    // Without a kind there is no provider.
    let found = rows.iter().find(|row| row.event == Event::Found.as_str()).map(detail);
    let nobody = word == "unknown" && found.is_some_and(|found| found["kind"].is_null());
    if word != "dead" && !nobody {
        bail!("its provider was last heard to call it {word}: it is settled when it is dead");
    }
    ledger.note(&id, Event::Closed, &json!({ "liveness": word, "by_hand": reason }))?;
    message::note(&format!("{id} is settled"));
    Ok(Exit::Clean)
}

/// The incident whose fingerprint begins so.
fn the_one<'r>(incidents: &'r BTreeMap<&'r str, Vec<Row>>, id: &str) -> Result<(&'r str, &'r [Row])> {
    let mut found = incidents.iter().filter(|(incident, _)| incident.starts_with(&id.to_lowercase()));
    let (Some((incident, rows)), None) = (found.next(), found.next()) else {
        bail!("no incident, or more than one, begins with {id:?}; `stanch incidents list` names them");
    };
    Ok((incident, rows))
}

fn detail(row: &Row) -> Value {
    serde_json::from_str(&row.detail).unwrap_or(Value::Null)
}

/// What a row says, in a few words.
fn sentence(row: &Row) -> String {
    let detail = detail(row);
    let text = |key: &str| detail[key].as_str().unwrap_or_default().to_owned();
    match row.event.as_str() {
        "found" => {
            let places = detail["places"].as_array().map_or(0, Vec::len);
            format!("{} in {places} places", text("rule"))
        }
        "closed" if detail["by_hand"].is_string() => format!("settled by a person: {}", text("by_hand")),
        "inspected" | "closed" => format!("{} {} {}", text("liveness"), text("detail"), text("host")).trim().to_owned(),
        "intent" => row.step.clone(),
        _ => match detail {
            Value::Null => row.step.clone(),
            detail => format!("{} {detail}", row.step).trim().to_owned(),
        },
    }
}

fn export(rows: &[Row], format: Export, out: &mut impl Write) -> Result<Exit> {
    match format {
        Export::Json => {
            let rows: Vec<Value> = rows.iter().map(row_json).collect();
            writeln!(out, "{}", escape::json(&json!({ "schema_version": "1", "rows": rows }), true)?)?;
        }
        Export::Csv => {
            writeln!(out, "seq,at,incident,event,step,detail,hash")?;
            for row in rows {
                let fields = [&row.at, &row.incident, &row.event, &row.step, &row.detail, &row.hash];
                writeln!(out, "{},{}", row.seq, fields.map(|field| csv(field)).join(","))?;
            }
        }
        Export::Markdown => {
            for (id, rows) in by_incident(rows) {
                writeln!(out, "## Incident {id}\n\n| when | what | |\n| --- | --- | --- |")?;
                for row in rows {
                    writeln!(out, "| {} | {} | {} |", row.at, row.event, escape::markdown(&sentence(&row)))?;
                }
                writeln!(out)?;
            }
        }
    }
    Ok(Exit::Clean)
}

fn row_json(row: &Row) -> Value {
    json!({
        "seq": row.seq, "at": row.at, "incident": row.incident, "event": row.event, "step": row.step,
        "detail": detail(row), "prev": row.prev, "hash": row.hash,
    })
}

/// RFC 4180, and no field that a spreadsheet takes for a formula.
fn csv(field: &str) -> String {
    let guard = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}

fn verify(ledger: &Ledger, head: Option<&str>, out: &mut impl Write) -> Result<Exit> {
    match ledger.verify()? {
        Chain::Broken { seq } => bail!("row {seq} is not what was written: the ledger was changed, or is damaged"),
        Chain::Whole { rows, head: last } => {
            let known = head.is_none_or(|head| head == last)
                || ledger.rows(None)?.iter().any(|row| Some(row.hash.as_str()) == head);
            if !known {
                bail!("the hash given is not in the ledger: rows were cut off, or it is another ledger");
            }
            writeln!(out, "{rows} rows, each follows from the one before; the last is {last}")?;
            Ok(Exit::Clean)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_table_is_no_formula() {
        assert_eq!(csv("=1+1"), "\"'=1+1\"");
        assert_eq!(csv("a\"b,c"), "\"a\"\"b,c\"");
    }
}

//! Tasks by way of the ledger.

use serde_json::{Value, json};

use super::draft::marker;
use super::{Board, Draft, Error, Opened};
use crate::ledger::{Event, Intent, Ledger, Past, Row};
use crate::respond::act::is_closed;
use crate::secret::Secret;

/// How the ledger's steps of tasks begin.
const TASK: &str = "task: ";

/// Opens a task, unless there is one.
pub fn open(board: &Board<'_>, ledger: &mut Ledger, incident: &str, draft: &Draft) -> Result<Opened, Error> {
    let _turn = ledger.turns(&[incident], &mut || ())?;
    let step = format!("{TASK}{}", board.name());
    if !board.can_look() {
        // Only the ledger knows whether it was sent.
        let how = match ledger.past(incident, &step)? {
            Past::Doubt { .. } => Some("sent perhaps, by a run that was interrupted; it is not sent again"),
            Past::Outcome { detail, .. } if detail["accepted"] == json!(true) => Some("there already"),
            Past::Outcome { detail, .. } if detail["refused"] != json!(true) => {
                Some("sent perhaps, by a run that got no answer; it is not sent again")
            }
            _ => None,
        };
        if let Some(how) = how {
            return Ok(Opened { url: String::new(), how, dropped: Vec::new() });
        }
    }
    ledger.around(&[Intent { incident: incident.to_owned(), step }], || {
        let outcome = board.open(draft);
        let detail = match &outcome {
            Ok(opened) => json!({ "accepted": true, "url": opened.url, "how": opened.how, "dropped": opened.dropped }),
            Err(error) => {
                let refused = matches!(error, Error::Refused { .. } | Error::Config(_));
                json!({ "accepted": false, "refused": refused, "fault": error.to_string() })
            }
        };
        (detail, outcome)
    })?
}

/// What `sync` did for one incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Tasks closed.
    pub closed: usize,
    /// Tasks that got a comment.
    pub commented: usize,
    /// Alerts of GitHub's resolved.
    pub alerts: usize,
}

/// Tells the tasks of an incident what happened since they were told last, and closes them when the token is proven
/// dead. `secret`, where it is known, also resolves GitHub's own alerts.
pub fn sync(board: &Board<'_>, ledger: &mut Ledger, incident: &str, secret: Option<&Secret>) -> Result<Synced, Error> {
    let _turn = ledger.turns(&[incident], &mut || ())?;
    let rows = ledger.rows(Some(incident))?;
    let dead = is_closed(&rows);
    let mut synced = match rows.iter().rposition(is_task) {
        Some(told) => tell(board, ledger, incident, (&rows, told))?,
        None => Synced::default(),
    };
    if let Some(secret) = secret.filter(|_| dead) {
        let comment = match is_proven(&rows) {
            true => "Revoked, and proven dead by inspection (stanch).",
            false => "Revoked, as a person says who settled it (stanch).",
        };
        synced.alerts = board.resolve_alerts(secret, comment)?;
    }
    Ok(synced)
}

/// The tasks of an incident, which were told last by the row `told`.
fn tell(
    board: &Board<'_>,
    ledger: &mut Ledger,
    incident: &str,
    (rows, told): (&[Row], usize),
) -> Result<Synced, Error> {
    let dead = is_closed(rows);
    let news = rows[told..].iter().any(|row| row.event == Event::Outcome.as_str() && !is_task(row));
    // A task that was opened again since is not closed any more.
    let was_closed = detail(&rows[told])["closed"] == json!(true);
    let mut synced = Synced::default();
    if dead && !was_closed {
        let text = if is_proven(rows) {
            let why = closing(rows)["detail"].as_str().unwrap_or("dead").to_owned();
            format!("The token is proven dead ({why}). Nothing is left to revoke.")
        } else {
            "A person has settled this incident: nobody can be asked whether the secret works.".to_owned()
        };
        synced.closed = board.report(&marker(incident), &text, true)?;
        ledger.note(incident, Event::Task, &json!({ "closed": true, "tasks": synced.closed }))?;
    } else if !dead && news {
        let text = "stanch acted on this incident, but the token is not proven dead yet.";
        synced.commented = board.report(&marker(incident), text, false)?;
        ledger.note(incident, Event::Task, &json!({ "commented": synced.commented }))?;
    }
    Ok(synced)
}

fn detail(row: &Row) -> Value {
    serde_json::from_str(&row.detail).unwrap_or(Value::Null)
}

fn is_task(row: &Row) -> bool {
    row.event == Event::Task.as_str() || row.step.starts_with(TASK)
}

/// What closed an incident at last.
fn closing(rows: &[Row]) -> Value {
    rows.iter().rfind(|row| row.event == Event::Closed.as_str()).map(detail).unwrap_or_default()
}

/// Whether a provider's word closed it, and not a person's alone.
fn is_proven(rows: &[Row]) -> bool {
    closing(rows)["liveness"] != json!("unknown")
}

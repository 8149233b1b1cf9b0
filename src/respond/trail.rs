//! Turns the rows of an incident into how far its last rotation came, and into what was lost on the way.

use serde_json::{Value, json};

use crate::ledger::{Event, Row};
use crate::secret::Fingerprint;

/// How the ledger's steps of rotations begin.
pub(super) const ROTATE: &str = "rotate: ";

/// How the steps begin that put a successor somewhere.
pub(super) const DELIVER: &str = "deliver: ";

/// How the steps begin that end a successor which nobody got.
pub(super) const UNDO: &str = "undo: ";

/// How far the last rotation came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is none, or it came to nothing.
    Nothing,
    /// The request was sent, or not.
    Doubt { step: String },
    /// There is a successor, and it is not known that every place has it.
    Made(Successor),
    /// It is where it should be.
    Delivered,
}

/// What the ledger tells of a successor. Never the token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Successor {
    /// The provider's number for it.
    pub(super) id: Option<String>,
    /// Its fingerprint.
    print: Option<Fingerprint>,
    /// The step that made it.
    step: String,
    /// The places that have it.
    held_by: Vec<String>,
    /// The places that should have it.
    wanted_by: Vec<String>,
}

impl Successor {
    /// A run that was killed between its last delivery and the row that says so has lost nothing.
    fn is_everywhere(&self) -> bool {
        !self.wanted_by.is_empty() && self.wanted_by.iter().all(|place| self.held_by.contains(place))
    }
}

/// What the ledger tells of the rotations of an incident.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) progress: Progress,
    /// Every successor that was made.
    pub(super) earlier: Vec<Fingerprint>,
}

/// Reads them.
pub(super) fn trail(rows: &[Row]) -> Trail {
    let mut trail = Trail { progress: Progress::Nothing, earlier: Vec::new() };
    for row in rows {
        let detail: Value = serde_json::from_str(&row.detail).unwrap_or(Value::Null);
        let is = |key: &str| detail[key] == json!(true);
        let rotates = row.step.starts_with(ROTATE);
        if row.event == Event::Intent.as_str() && rotates {
            trail.progress = Progress::Doubt { step: row.step.clone() };
        } else if row.event == Event::Outcome.as_str() && rotates {
            let print = detail["successor"].as_str().and_then(Fingerprint::parse);
            trail.earlier.extend(print);
            trail.progress = if is("accepted") || detail["found"] == json!("dead") {
                let id = detail["id"].as_str().map(str::to_owned);
                let places = detail["places"].as_array().into_iter().flatten();
                let wanted_by = places.filter_map(Value::as_str).map(str::to_owned).collect();
                Progress::Made(Successor { id, print, step: row.step.clone(), held_by: Vec::new(), wanted_by })
            } else if is("refused") || is("no_effect") {
                Progress::Nothing
            } else {
                Progress::Doubt { step: row.step.clone() }
            };
        } else if let (Progress::Made(made), Some(place)) = (&mut trail.progress, row.step.strip_prefix(DELIVER))
            && row.event == Event::Outcome.as_str()
            && is("delivered")
        {
            made.held_by.push(place.to_owned());
            if made.is_everywhere() {
                trail.progress = Progress::Delivered;
            }
        } else if row.event == Event::Outcome.as_str() && row.step.starts_with(UNDO) && is("accepted") {
            trail.progress = Progress::Nothing;
        } else if row.event == Event::Delivered.as_str() {
            trail.progress = Progress::Delivered;
        } else if row.event == Event::Closed.as_str() && detail["by_hand"].is_string() {
            trail.progress = Progress::Nothing;
        }
    }
    trail
}

/// The incident as whose successor a token was made, by this ledger. `is` tells the token by its fingerprint.
pub(super) fn made_for(rows: &[Row], is: impl Fn(Fingerprint) -> bool) -> Option<&str> {
    let made = |row: &&Row| {
        let detail: Value = serde_json::from_str(&row.detail).unwrap_or(Value::Null);
        row.step.starts_with(ROTATE) && detail["successor"].as_str().and_then(Fingerprint::parse).is_some_and(&is)
    };
    rows.iter().find(made).map(|row| row.incident.as_str())
}

/// The successor of a dead token that was made, or may have been, and of which it is not known that every place has it:
/// in a sentence, if there is one, with the way out.
pub(super) fn lost(rows: &[Row]) -> Option<String> {
    let made = match trail(rows).progress {
        Progress::Made(made) => made,
        Progress::Doubt { step } => Successor { step, ..Successor::default() },
        Progress::Nothing | Progress::Delivered => return None,
    };
    let incident = rows.first().map_or("ID", |row| row.incident.as_str());
    let names = [
        made.id.as_ref().map(|id| format!("number {id}")),
        made.print.map(|print| format!("fingerprint {print}")),
        Some(format!("made by {}", made.step.trim_start_matches(ROTATE))),
    ];
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let held = match made.held_by.is_empty() {
        true => "no place is known to have it".to_owned(),
        false => format!("these have it, others may not: {}", made.held_by.join("; ")),
    };
    Some(format!(
        "it is dead, but its successor ({names}) got lost with an interrupted run; {held}. {}, make another, put it \
         where the old one was used, then say `stanch incidents settle {incident} --reason TEXT`",
        ending(&made)
    ))
}

/// How a person ends a successor that nobody has: the request that takes its number, where there is one.
fn ending(made: &Successor) -> String {
    let url = made.step.split_whitespace().nth(2).unwrap_or_default();
    let (list, id) = (url.strip_suffix("/rotate").and_then(|it| it.rsplit_once('/')), made.id.as_deref());
    match (list, id) {
        (Some((list, _)), Some(id)) => {
            let id = crate::http::segment(id);
            format!(
                "End it (DELETE {list}/{id}, as its owner or an administrator, or rotate it: POST {list}/{id}/rotate)"
            )
        }
        (Some((list, _)), None) => {
            format!("Find it in GET {list} (active, with the name of the old one, made then), and end it by its number")
        }
        (None, _) if url.ends_with("/runners/reset_authentication_token") => {
            let runners = url.trim_end_matches("/reset_authentication_token");
            format!("Reset it by the runner's number (POST {runners}/ID/reset_authentication_token): that ends it")
        }
        (None, _) => "End it at its provider".to_owned(),
    }
}

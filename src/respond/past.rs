//! Turns what happened into rows of the ledger, and rows back into what happened.

use serde_json::{Value, json};

use super::incident::Place;
use super::inspection::{Evidence, Inspection, Liveness};
use super::plan::Case;
use super::trail::ROTATE;
use crate::ledger::{self, Event, Intent, Ledger, Row};

/// How the ledger's steps of revocations begin.
pub(super) const REVOKE: &str = "revoke: ";

/// Writes the first row of an incident, if there is none. Whether it did.
pub fn found(ledger: &mut Ledger, case: &Case) -> Result<bool, ledger::Error> {
    let id = case.incident.id.to_string();
    if ledger.rows(Some(&id))?.iter().any(|row| row.event == Event::Found.as_str()) {
        return Ok(false);
    }
    let place = |it: &Place| {
        let commit = it.brought.as_ref().map(|brought| &brought.commit);
        json!({ "in": it.origin, "line": it.line, "commit": commit })
    };
    let places: Vec<Value> = case.incident.places.iter().map(place).collect();
    let kind = case.incident.kind.map(super::kind::Kind::as_str);
    ledger.note(&id, Event::Found, &json!({ "rule": case.incident.rule, "kind": kind, "places": places }))?;
    Ok(true)
}

/// Writes the first row of an incident that is left to a person, and once that its token works: a refusal proves its
/// death after that, where alone it would prove nothing.
pub fn seen(ledger: &mut Ledger, case: &Case) -> Result<(), ledger::Error> {
    found(ledger, case)?;
    let id = case.incident.id.to_string();
    let nothing = Case { incident: case.incident.clone(), said: Inspection::unknown("") };
    if case.said.liveness.is_live() && !known_before(&nothing, &ledger.rows(Some(&id))?).liveness.is_live() {
        ledger.note(&id, Event::Inspected, &inspected(&case.said))?;
    }
    Ok(())
}

/// Whether the rows of an incident end with a dead token: nothing was tried after it was proven.
pub fn is_closed(rows: &[Row]) -> bool {
    let closed = rows.iter().rposition(|row| row.event == Event::Closed.as_str());
    closed.is_some() && closed > rows.iter().rposition(tried)
}

/// Whether the row says that the token was to be ended.
pub(super) fn tried(row: &Row) -> bool {
    row.event == Event::Intent.as_str() && ends_tokens(&row.step)
}

/// Whether a step ends the token of its incident.
pub(super) fn ends_tokens(step: &str) -> bool {
    step.starts_with(REVOKE) || step.starts_with(ROTATE)
}

/// The intents whose outcome was never written.
pub(super) fn open_intents(rows: &[Row]) -> Vec<Intent> {
    let mut open: Vec<Intent> = Vec::new();
    for row in rows {
        if row.event == Event::Intent.as_str() {
            open.push(Intent { incident: row.incident.clone(), step: row.step.clone() });
        } else if row.event == Event::Outcome.as_str()
            && let Some(at) = open.iter().position(|intent| intent.step == row.step)
        {
            open.remove(at);
        }
    }
    open
}

/// What the ledger keeps of an inspection.
pub(super) fn inspected(said: &Inspection) -> Value {
    let evidence = |one: &Evidence| {
        json!({
            "host": one.host, "question": one.question, "answer": one.answer, "request_id": one.request_id,
        })
    };
    json!({
        "liveness": said.liveness.as_str(),
        "detail": said.liveness.detail(),
        "host": said.host,
        "holder": said.holder,
        "asked_as": said.asked_as,
        "evidence": said.evidence.iter().map(evidence).collect::<Vec<_>>(),
    })
}

/// What was known of a token before: one that was live once and is refused now is dead, where the refusal alone would
/// prove nothing.
pub(super) fn known_before(case: &Case, rows: &[Row]) -> Inspection {
    let mut earlier = case.said.clone();
    for row in rows {
        let detail: Value = serde_json::from_str(&row.detail).unwrap_or(Value::Null);
        let live = detail["liveness"].as_str().is_some_and(|word| word.starts_with("live"));
        if row.event == Event::Inspected.as_str() && live && !earlier.liveness.is_live() {
            earlier.liveness = Liveness::Live { limited: None };
            earlier.host = detail["host"].as_str().map(str::to_owned).or(earlier.host);
            earlier.asked_as = detail["asked_as"].as_str().map(str::to_owned);
        }
        // Only a token that works can do that. (202 is for GitHub's batches, which take anything.)
        let done = detail["accepted"] == json!(true) && detail["status"] != json!(202);
        if row.event == Event::Outcome.as_str() && ends_tokens(&row.step) && done {
            earlier.liveness = Liveness::Live { limited: None };
        }
    }
    earlier
}

//! Cases, plans and ends for people and for programs. What providers say is untrusted text.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::report::escape::terminal;
use crate::respond::act::End;
use crate::respond::inspection::{Inspection, Scope};
use crate::respond::plan::{Case, How, Plan, Rotation, Verb};
use crate::secret::Fingerprint;

/// How many places or reached things a line names.
const NAMED: usize = 5;

/// A case for people.
pub(in crate::cli) fn case(case: &Case) -> String {
    let (incident, said) = (&case.incident, &case.said);
    let mut out = String::new();
    let kind = incident.kind.map_or(incident.rule.as_str(), |kind| kind.as_str());
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            writeln!(out, "  {label:<9} {}", terminal(value)).expect("writing to a string does not fail");
        }
    };
    let liveness = match said.liveness.detail() {
        Some(detail) => format!("{} ({detail})", said.liveness.as_str()),
        None => said.liveness.as_str().to_owned(),
    };
    line("state", &liveness);
    line(
        "holder",
        &[said.holder.as_deref(), said.name.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", "),
    );
    line("kind", said.kind.as_deref().unwrap_or_default());
    line("scopes", &said.scopes.iter().map(scope).collect::<Vec<_>>().join(", "));
    line("dates", &dates(said));
    line("used from", &said.ips.join(", "));
    let reach = said.reach.iter().map(|one| format!("{} {} {}", one.what, one.name, one.access).trim_end().to_owned());
    line("reaches", &some(reach.collect(), said.reaches_more));
    let places = incident.places.iter().map(|place| match &place.brought {
        Some(brought) => format!("{}:{} (since {}, {:.10})", place.origin, place.line, brought.at, brought.commit),
        None => format!("{}:{}", place.origin, place.line),
    });
    line("in", &some(places.collect(), false));
    line("asked at", said.host.as_deref().unwrap_or_default());
    format!("{} {}\n{out}", incident.id, terminal(kind))
}

fn scope(scope: &Scope) -> String {
    format!("{}{}", scope.name, if scope.dangerous { " (dangerous)" } else { "" })
}

fn dates(said: &Inspection) -> String {
    let dates = [("made", &said.created), ("last used", &said.last_used), ("expires", &said.expires)];
    let known = dates.into_iter().filter_map(|(what, date)| Some(format!("{what} {}", date.as_deref()?)));
    known.collect::<Vec<_>>().join(", ")
}

fn some(all: Vec<String>, more: bool) -> String {
    let mut text = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED {
        write!(text, " and {} more", all.len() - NAMED).expect("writing to a string does not fail");
    } else if more && !all.is_empty() {
        text.push_str(" and more");
    }
    text
}

/// A case for programs.
pub(in crate::cli) fn case_json(case: &Case) -> Value {
    let (incident, said) = (&case.incident, &case.said);
    json!({
        "fingerprint": incident.id.to_string(),
        "rule": incident.rule,
        "provider": incident.provider,
        "kind": incident.kind.map(crate::respond::kind::Kind::as_str),
        "severity": incident.severity.as_str(),
        "places": incident.places.iter().map(|it| json!({
            "in": it.origin,
            "line": it.line,
            "commit": it.brought.as_ref().map(|brought| &brought.commit),
            "since": it.brought.as_ref().map(|brought| &brought.at),
            "author": it.brought.as_ref().and_then(|brought| brought.author.as_ref()),
        })).collect::<Vec<_>>(),
        "liveness": said.liveness.as_str(),
        "detail": said.liveness.detail(),
        "host": said.host,
        "holder": said.holder,
        "owners": said.owners,
        "provider_kind": said.kind,
        "name": said.name,
        "scopes": said.scopes.iter()
            .map(|it| json!({ "name": it.name, "dangerous": it.dangerous })).collect::<Vec<_>>(),
        "created": said.created,
        "expires": said.expires,
        "last_used": said.last_used,
        "ips": said.ips,
        "reach": said.reach.iter()
            .map(|it| json!({ "what": it.what, "name": it.name, "access": it.access })).collect::<Vec<_>>(),
        "reaches_more": said.reaches_more,
        "evidence": said.evidence.iter().map(|it| json!({
            "host": it.host, "question": it.question, "answer": it.answer, "request_id": it.request_id,
        })).collect::<Vec<_>>(),
    })
}

/// A plan for people: it is printed before anything is done.
pub(in crate::cli) fn plan(plan: &Plan, cases: &[Case]) -> String {
    let mut lines = vec![format!("plan: {} incidents, {} irreversible steps", cases.len(), plan.irreversible())];
    for step in &plan.steps {
        let Some(case) = cases.iter().find(|case| case.incident.id == step.incident) else { continue };
        let (incident, said) = (&case.incident, &case.said);
        let detail = said.liveness.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        let what = if incident.rule.is_empty() { &incident.provider } else { &incident.rule };
        lines.push(String::new());
        lines.push(format!("{} {what}, {}{detail}", incident.id, said.liveness.as_str()));
        if let Some(holder) = &said.holder {
            lines.push(format!("    held by {holder}, found in {} places", incident.places.len()));
        }
        match &step.verb {
            Verb::Close => lines.push("  close    nothing is left to do".to_owned()),
            Verb::Revoke(call) => lines.push(format!("  revoke   {call} (irreversible)")),
            Verb::Rotate(rotation) => lines.extend(rotation_lines(rotation)),
            Verb::Task => lines.push("  task     is opened (reversible)".to_owned()),
            Verb::Hold(why) => lines.push(format!("  hold     {why}")),
            Verb::Person(person) => {
                let page = if person.page.is_empty() { String::new() } else { format!(": {}", person.page) };
                lines.push(format!("  person   no request can do it{page}"));
                lines.extend(person.steps.iter().map(|step| format!("           - {step}")));
                lines.extend(person.check.iter().map(|check| format!("           then: {check}")));
            }
        }
    }
    lines.iter().map(|line| terminal(line) + "\n").collect()
}

fn rotation_lines(rotation: &Rotation) -> Vec<String> {
    let mut lines = vec![format!("  rotate   {} (irreversible)", rotation.how.make())];
    if let How::Swap(_) = rotation.how {
        lines.push(
            "           the old one dies with that; the new one is in memory only until it is delivered".to_owned(),
        );
    }
    lines.extend(rotation.sinks.iter().map(|sink| format!("  deliver  {sink}")));
    let spare = rotation.spare.as_ref().map(|path| path.display());
    match (rotation.sinks.is_empty(), spare) {
        (true, Some(spare)) => lines.push(format!("  deliver  file {spare}")),
        (false, Some(spare)) => lines.push(format!("           if one does not take it: file {spare}")),
        (_, None) => {}
    }
    if let How::Beside(_, end) = &rotation.how {
        lines.push(format!("  revoke   {end} (irreversible), when all have it"));
    }
    lines
}

/// A plan for programs.
pub(in crate::cli) fn plan_json(plan: &Plan) -> Value {
    let steps = plan.steps.iter().map(|step| {
        let (verb, detail) = match &step.verb {
            Verb::Close => ("close", Value::Null),
            Verb::Revoke(call) => ("revoke", json!({ "call": call.to_string() })),
            Verb::Rotate(it) => ("rotate", rotation_json(it)),
            Verb::Task => ("task", Value::Null),
            Verb::Hold(why) => ("hold", json!({ "why": why })),
            Verb::Person(it) => ("person", json!({ "page": it.page, "steps": it.steps, "check": it.check })),
        };
        let fingerprint = step.incident.to_string();
        json!({ "fingerprint": fingerprint, "verb": verb, "effect": step.effect().as_str(), "detail": detail })
    });
    Value::Array(steps.collect())
}

fn rotation_json(rotation: &Rotation) -> Value {
    let end = match &rotation.how {
        How::Swap(_) => None,
        How::Beside(_, end) => Some(end.to_string()),
    };
    json!({
        "call": rotation.how.make().to_string(),
        "end": end,
        "deliver": rotation.sinks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "successor_file": rotation.spare.as_ref().map(|path| path.display().to_string()),
    })
}

/// How an incident ended, for people.
pub(in crate::cli) fn end(id: Fingerprint, end: &End) -> String {
    let (word, why) = words(end);
    format!("{word:<7} {id} {}", terminal(why))
}

/// How an incident ended, for programs.
pub(in crate::cli) fn end_json(id: Fingerprint, end: &End) -> Value {
    let (word, why) = words(end);
    json!({ "fingerprint": id.to_string(), "end": word, "detail": why })
}

fn words(end: &End) -> (&'static str, &str) {
    match end {
        End::Closed(why) => ("closed", why),
        End::Left(why) => ("left", why),
        End::Failed(why) => ("failed", why),
    }
}

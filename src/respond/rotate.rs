//! Turns a live token into a dead one and a successor that is where the old one was.
//!
//! The successor is in memory only. What can be checked is checked before there is one; a request that makes one is
//! never sent twice without knowing what came of the first, because at GitLab rotating a dead token ends its successor.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::act::{Actor, End, Moment, Refusal, state};
use super::deliver::{Expected, Spare};
use super::incident::Incident;
use super::past::{ends_tokens, inspected, open_intents};
use super::plan::{Case, How, Rotation};
use super::provider::{self, Beside, Call, Made};
use super::trail::{DELIVER, Progress, ROTATE, UNDO, made_for, trail};
use crate::http::Host;
use crate::ledger::{self, Event, Intent, Row};
use crate::secret::Fingerprint;

/// How often the file of last resort is tried: what was to be lost otherwise is worth some patience.
const LAST_ATTEMPTS: u32 = 5;

/// What became of a successor.
#[derive(Debug, Default)]
struct Handed {
    /// The places that did not take it, and why.
    failed: Vec<String>,
    /// It is in the file of last resort.
    in_file: bool,
    /// The ledger could not be written: that is said when nothing can be lost any more.
    unwritten: Option<ledger::Error>,
}

impl Handed {
    fn keep(&mut self, written: Result<(), ledger::Error>) {
        self.unwritten = self.unwritten.take().or(written.err());
    }
}

impl Rotation {
    /// The names of the places that are to have the successor.
    fn places(&self) -> Vec<String> {
        match (&self.sinks[..], &self.spare) {
            ([], Some(file)) => vec![format!("file {}", file.display())],
            (sinks, _) => sinks.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Actor<'_> {
    /// Replaces the token of one incident.
    pub(super) fn rotate(&mut self, case: &Case, rotation: &Rotation) -> Result<End, ledger::Error> {
        let _turn = self.turn(&[case.incident.id])?;
        // Put into a file of the scanned tree it is found by the next run, and rotated it would be dead elsewhere.
        let rows = self.ledger.rows(None)?;
        if let Some(old) = made_for(&rows, |id| case.incident.is_called(id)) {
            return Ok(End::Left(format!(
                "not rotated: it is the successor that was made for {old}, where an earlier run put it; if it leaked, \
                 let `stanch revoke` end it"
            )));
        }
        self.begin(case)?;
        if let Some(end) = self.go_on(case, rotation)? {
            return Ok(end);
        }
        // Since the plan was made it may have been rotated, or revoked, by somebody else.
        let said = self.until_dead(case, Duration::ZERO)?;
        if said.liveness.is_dead() {
            return self.close(case, &said);
        }
        if !said.liveness.is_live() {
            return Ok(End::Failed(format!("not rotated: it is {} now", state(&said))));
        }
        let rows = self.ledger.rows(Some(&case.incident.id.to_string()))?;
        let earlier = trail(&rows).earlier;
        let spare = match self.ready(case, rotation, &earlier) {
            Ok(spare) => spare,
            Err(why) => return Ok(End::Failed(format!("not rotated, the token is as it was: {why}"))),
        };
        self.replace(case, rotation, spare, &earlier)
    }

    /// Looks whether every place would take a successor.
    fn ready(&self, case: &Case, rotation: &Rotation, earlier: &[Fingerprint]) -> Result<Option<Spare>, String> {
        let expected = Expected { old: &case.incident.secret, earlier };
        for sink in &rotation.sinks {
            sink.probe(self.http, expected).map_err(|why| format!("{sink}: {why}"))?;
        }
        rotation.spare.as_deref().map(Spare::open).transpose()
    }

    /// Makes the successor, delivers it, ends the old token.
    fn replace(
        &mut self,
        case: &Case,
        rotation: &Rotation,
        spare: Option<Spare>,
        earlier: &[Fingerprint],
    ) -> Result<End, ledger::Error> {
        let (made, written) = self.make(case, rotation)?;
        let made = match made {
            Ok(made) => made,
            Err(refusal) => {
                written?;
                return self.not_made(case, rotation, &refusal);
            }
        };
        let mut handed = Handed::default();
        handed.keep(written);
        self.hand_over(case, rotation, &made, spare, earlier, &mut handed);
        if let Some(error) = handed.unwritten.take() {
            return Err(error);
        }
        let missed = handed.failed.join("; ");
        match &rotation.how {
            How::Swap(_) if !handed.failed.is_empty() && !handed.in_file => {
                let number = made.id.as_ref().map(|id| format!(" (number {id})")).unwrap_or_default();
                Ok(End::Failed(format!("rotated, but nobody took the new one{number}, which is lost: {missed}")))
            }
            How::Swap(_) => {
                let said = self.until_dead(case, self.patience.deadline)?;
                if !said.liveness.is_dead() {
                    return Ok(End::Left(format!(
                        "rotated, but that the old one is dead is not proven: {}",
                        state(&said)
                    )));
                }
                let end = self.close(case, &said)?;
                let file = rotation.spare.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
                Ok(match handed.in_file && !rotation.sinks.is_empty() {
                    true => End::Left(format!("rotated, the old one is dead. The new one is in {file}: {missed}")),
                    false => end,
                })
            }
            How::Beside(..) if !handed.failed.is_empty() => Ok(End::Failed(format!(
                "the old one lives and nothing is lost, but the new one is not where it should be: {missed}; the next \
                 run ends it and makes another"
            ))),
            How::Beside(_, end) if self.works(case, &made) => self.finish(case, end),
            How::Beside(..) => Ok(End::Failed("the new one does not work, so the old one was not ended".to_owned())),
        }
    }

    /// A request that brought no token. If nobody knows what it did, that is found out.
    fn not_made(&mut self, case: &Case, rotation: &Rotation, refusal: &Refusal) -> Result<End, ledger::Error> {
        let why = &refusal.why;
        if refusal.sure {
            return Ok(End::Failed(format!("not rotated, the token is as it was: {why}")));
        }
        let end = self.go_on(case, rotation)?;
        Ok(end.unwrap_or_else(|| End::Failed(format!("{why}; nothing was done, run the command again"))))
    }

    /// Intent, request, outcome. That the outcome could not be written is told beside what was made: it must not be
    /// lost for that.
    #[expect(clippy::type_complexity, reason = "two results, and neither may hide the other")]
    fn make(
        &mut self,
        case: &Case,
        rotation: &Rotation,
    ) -> Result<(Result<Made, Refusal>, Result<(), ledger::Error>), ledger::Error> {
        let (ids, call) = ([case.incident.id], rotation.how.make());
        let intents = [Intent { incident: ids[0].to_string(), step: format!("{ROTATE}{call}") }];
        self.ledger.intend(&intents)?;
        (self.tell)(Moment::Intended, &ids);
        let (mut detail, made) = match self.http.hosts.by_base_url(&call.host) {
            Some(host) => self.send_for_token(host, case, call),
            None => {
                let why = format!("{} is not configured", call.host);
                (json!({ "accepted": false, "no_effect": true, "fault": why }), Err(Refusal::new(why, true)))
            }
        };
        (self.tell)(Moment::Acted, &ids);
        detail["places"] = json!(rotation.places());
        let written = self.ledger.record(&intents, &detail);
        (self.tell)(Moment::Recorded, &ids);
        Ok((made, written))
    }

    fn send_for_token(&self, host: &Host, case: &Case, call: &Call) -> (Value, Result<Made, Refusal>) {
        let answer = match provider::perform(self.http, host, call, &[&case.incident.secret]) {
            Ok(answer) => answer,
            Err(fault) => {
                let why = fault.to_string();
                let sure = fault.is_unsent();
                return (json!({ "accepted": false, "no_effect": sure, "fault": why }), Err(Refusal::new(why, sure)));
            }
        };
        let (status, request_id) = (answer.status, answer.request_id());
        let made = if call.done.contains(&status) { provider::made(&answer) } else { None };
        match made {
            Some(made) => {
                let detail = json!({
                    "accepted": true, "status": status, "request_id": request_id, "id": made.id,
                    "successor": made.fingerprint.to_string(),
                });
                (detail, Ok(made))
            }
            None => {
                let sure = super::act::is_refusal(&answer);
                let why = match call.done.contains(&status) {
                    true => format!("{} says that it was done, but not what the new token is", host.name()),
                    false => format!("{} refused it with status {status}", host.name()),
                };
                let detail = json!({ "accepted": false, "refused": sure, "status": status, "request_id": request_id, "fault": why });
                (detail, Err(Refusal::new(why, sure)))
            }
        }
    }

    /// Puts the successor into every place, the failing ones again, and what still fails into the file. Goes on where
    /// the ledger cannot be written: nothing is worse now than losing it.
    fn hand_over(
        &mut self,
        case: &Case,
        rotation: &Rotation,
        made: &Made,
        spare: Option<Spare>,
        earlier: &[Fingerprint],
        handed: &mut Handed,
    ) {
        let (id, pause) = (case.incident.id, self.patience.pause);
        let expected = Expected { old: &case.incident.secret, earlier };
        let http = self.http;
        for sink in &rotation.sinks {
            let name = format!("{DELIVER}{sink}");
            let put = self.deliver(id, &name, handed, || sink.put(http, expected, &made.secret, pause));
            handed.failed.extend(put.err().map(|why| format!("{sink}: {why}")));
        }
        let swap = matches!(rotation.how, How::Swap(_));
        // Beside a token that lives nothing is lost: the file is for it only where no place was named.
        if let Some(mut spare) = spare
            && (rotation.sinks.is_empty() || (swap && !handed.failed.is_empty()))
        {
            let path = rotation.spare.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            let put = self.deliver(id, &format!("{DELIVER}file {path}"), handed, || {
                let mut kept = spare.keep(id, &made.secret);
                for attempt in 1..LAST_ATTEMPTS {
                    if kept.is_ok() {
                        break;
                    }
                    std::thread::sleep(pause * attempt);
                    kept = spare.keep(id, &made.secret);
                }
                kept
            });
            handed.in_file = put.is_ok();
            handed.failed.extend(put.err());
        }
        if handed.failed.is_empty() || handed.in_file {
            let detail = json!({ "in_file": handed.in_file, "failed": handed.failed });
            let written = self.ledger.note(&id.to_string(), Event::Delivered, &detail);
            handed.keep(written);
            (self.tell)(Moment::Noted, &[id]);
        }
    }

    /// One place: intent, write, outcome.
    fn deliver(
        &mut self,
        id: Fingerprint,
        step: &str,
        handed: &mut Handed,
        put: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        let intents = [Intent { incident: id.to_string(), step: step.to_owned() }];
        let written = self.ledger.intend(&intents);
        handed.keep(written);
        (self.tell)(Moment::Intended, &[id]);
        let outcome = put();
        (self.tell)(Moment::Acted, &[id]);
        let detail = json!({ "delivered": outcome.is_ok(), "fault": outcome.as_ref().err() });
        let written = self.ledger.record(&intents, &detail);
        handed.keep(written);
        (self.tell)(Moment::Recorded, &[id]);
        outcome
    }

    /// Whether nobody calls the successor dead.
    fn works(&self, case: &Case, made: &Made) -> bool {
        let successor = Incident { secret: made.secret.clone(), ..case.incident.clone() };
        !provider::inspect(self.http, &successor, Some(&case.said)).liveness.is_dead()
    }

    /// Ends the old one, whose successor is where it should be.
    fn finish(&mut self, case: &Case, end: &Call) -> Result<End, ledger::Error> {
        if let Some(end) = self.look_back(case, end)? {
            return Ok(end);
        }
        let accepted = self.call(end, &[case])?;
        self.prove(case, end, accepted.as_ref())
    }

    /// What an earlier run left behind. `None`: nothing stands against a rotation.
    fn go_on(&mut self, case: &Case, rotation: &Rotation) -> Result<Option<End>, ledger::Error> {
        let rows = self.ledger.rows(Some(&case.incident.id.to_string()))?;
        self.leave_behind(&rows)?;
        let progress = trail(&rows).progress;
        match (progress, &rotation.how) {
            (Progress::Nothing, _) => Ok(None),
            (Progress::Delivered, How::Beside(_, end)) => self.finish(case, end).map(Some),
            (Progress::Doubt { step }, How::Beside(beside, _)) => self.undo(case, beside, None, &step),
            (Progress::Made(made), How::Beside(beside, _)) => self.undo(case, beside, made.id, ""),
            (Progress::Doubt { step }, How::Swap(_)) => self.after_doubt(case, step),
            (Progress::Made(_) | Progress::Delivered, How::Swap(_)) => {
                let said = self.until_dead(case, self.patience.deadline)?;
                if said.liveness.is_dead() {
                    return self.close(case, &said).map(Some);
                }
                let state = state(&said);
                Ok(Some(End::Left(format!("an earlier run rotated it, but it is {state}; it is not rotated twice"))))
            }
        }
    }

    /// Deliveries, and ends of successors, that were interrupted: they are begun anew if they are still wanted.
    fn leave_behind(&mut self, rows: &[Row]) -> Result<(), ledger::Error> {
        let open: Vec<Intent> = open_intents(rows).into_iter().filter(|it| !ends_tokens(&it.step)).collect();
        if !open.is_empty() {
            self.ledger.record(&open, &json!({ "interrupted": true }))?;
        }
        Ok(())
    }

    /// A rotation of which nobody knows whether it was done: the old token tells.
    fn after_doubt(&mut self, case: &Case, step: String) -> Result<Option<End>, ledger::Error> {
        let said = self.until_dead(case, self.patience.deadline)?;
        if said.liveness.is_dead() {
            return self.close(case, &said).map(Some);
        }
        if !said.liveness.is_live() {
            return Ok(Some(End::Failed(format!(
                "an earlier run was interrupted while rotating it, and whether it came through cannot be told ({}); run \
                 the command again when the provider answers",
                state(&said)
            ))));
        }
        let detail = json!({ "no_effect": true, "inspected": inspected(&said) });
        self.ledger.record(&[Intent { incident: case.incident.id.to_string(), step }], &detail)?;
        Ok(None)
    }

    /// Ends the successors that were made and that nobody got, so that there is room for another.
    fn undo(
        &mut self,
        case: &Case,
        beside: &Beside,
        known: Option<String>,
        doubt: &str,
    ) -> Result<Option<End>, ledger::Error> {
        let host = self.http.hosts.by_base_url(&beside.make.host);
        let found = host.and_then(|host| provider::orphans(self.http, host, beside, &case.incident.secret));
        let Some(found) = found else {
            let why = "an earlier run was interrupted while it made a new token; what it made cannot be listed now";
            return Ok(Some(End::Failed(format!("{why}; run the command again when the provider answers"))));
        };
        let all: BTreeSet<String> = found.into_iter().chain(known).collect();
        for id in &all {
            let call = beside.undo(id);
            let step = format!("{UNDO}{call}");
            if let Err(refusal) = self.call_as(&call, &[case], step)? {
                return Ok(Some(End::Failed(format!(
                    "a new token that nobody has could not be ended: {}",
                    refusal.why
                ))));
            }
        }
        if !doubt.is_empty() {
            let intent = Intent { incident: case.incident.id.to_string(), step: doubt.to_owned() };
            self.ledger.record(&[intent], &json!({ "no_effect": true, "ended": all.len() }))?;
            (self.tell)(Moment::Recorded, &[case.incident.id]);
        }
        Ok(None)
    }
}

//! Turns a plan into closed incidents, by way of the ledger. Nobody acts twice: whoever finds an act in the ledger
//! looks what came of it first.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::inspection::{Death, Inspection, Liveness};
use super::past::{REVOKE, ends_tokens, inspected, known_before, open_intents, tried};
use super::plan::{Case, Plan, Verb};
use super::provider::{self, Call};
use super::trail::lost;
use crate::http::{Answer, Host, Http};
use crate::ledger::{self, Event, Intent, Ledger, Past, Turn};
use crate::secret::{Fingerprint, Secret};

pub use super::past::{found, is_closed, seen};

/// GitHub's limit for one call of `credentials/revoke`.
const MOST_IN_ONE_CALL: usize = 1000;

/// Where a run stands. What a progress display shows, and where a test pulls the plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Somebody else acts for an incident; we wait until they are done.
    Waits,
    /// Nobody else acts for the incidents now.
    Turn,
    /// A row other than an intent or outcome is in the ledger.
    Noted,
    /// The intents are in the ledger, the request is not yet sent.
    Intended,
    /// The answer is there, or its absence; the ledger does not know yet.
    Acted,
    /// The outcome is in the ledger.
    Recorded,
    /// A provider was asked whether the token is dead.
    Proved,
    /// An incident is closed.
    Closed,
}

/// How an incident ended in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The token is dead, and its provider says so.
    Closed(String),
    /// Something is left to a person.
    Left(String),
    /// A step failed; the ledger says which.
    Failed(String),
}

/// How long to wait for a provider to do what it accepted.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before the second question; doubles after. GitHub locks out who fails often in a short time.
    pub pause: Duration,
    /// When to give up.
    pub deadline: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { pause: Duration::from_secs(1), deadline: Duration::from_secs(60) }
    }
}

/// What acting needs.
pub struct Actor<'a> {
    /// The network.
    pub http: &'a Http,
    /// The memory.
    pub ledger: &'a mut Ledger,
    /// How long to wait for proof.
    pub patience: Patience,
    /// Is told where the run stands.
    pub tell: &'a mut dyn FnMut(Moment, &[Fingerprint]),
}

/// Why a call was not accepted.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) why: String,
    /// The provider itself said no; otherwise nobody knows what came of it.
    pub(super) sure: bool,
    /// It said no to what the request holds, not to whoever asks.
    pub(super) by_content: bool,
}

impl Refusal {
    /// One that nothing in the request is the reason of.
    pub(super) fn new(why: String, sure: bool) -> Self {
        Refusal { why, sure, by_content: false }
    }
}

/// A case whose token was sent in a call, and whether the provider accepted it.
type Sent<'c> = (&'c Case, Result<(), Refusal>);

/// A group of incidents that one call ends.
struct Batch<'c> {
    call: &'c Call,
    cases: Vec<&'c Case>,
}

impl Actor<'_> {
    /// Carries the plan out, tasks excepted. An error of the ledger ends the run: nothing is done without it.
    pub fn run(&mut self, cases: &[Case], plan: &Plan) -> Result<Vec<(Fingerprint, End)>, ledger::Error> {
        let mut ends = Vec::new();
        let mut batches: Vec<Batch<'_>> = Vec::new();
        let mut rotations = Vec::new();
        for step in &plan.steps {
            let Some(case) = cases.iter().find(|case| case.incident.id == step.incident) else { continue };
            match &step.verb {
                Verb::Close => ends.push((step.incident, self.close_dead(case)?)),
                Verb::Revoke(call) => match batches.iter_mut().find(|it| it.takes(call)) {
                    Some(batch) => batch.cases.push(case),
                    None => batches.push(Batch { call, cases: vec![case] }),
                },
                // Not before the others: a successor is worth a whole run of its own, and a step that ends it all.
                Verb::Rotate(rotation) => rotations.push((case, rotation)),
                Verb::Hold(why) => ends.push((step.incident, self.held(case, why)?)),
                Verb::Person(person) => {
                    let what = if person.page.is_empty() { &person.steps[0] } else { &person.page };
                    ends.push((step.incident, self.left(case, &format!("see {what}"))?));
                }
                Verb::Task => {}
            }
        }
        for batch in batches {
            ends.extend(self.revoke(&batch)?);
        }
        for (case, rotation) in rotations {
            ends.push((case.incident.id, self.rotate(case, rotation)?));
        }
        Ok(ends)
    }

    /// A person is to end it, and may want to say that it is done. That it works is noted: where a refusal alone proves
    /// nothing, it does after that.
    fn left(&mut self, case: &Case, why: &str) -> Result<End, ledger::Error> {
        let turn = self.turn(&[case.incident.id])?;
        if case.said.liveness.is_live() {
            self.begin(case)?;
        } else if found(self.ledger, case)? {
            (self.tell)(Moment::Noted, &[case.incident.id]);
        }
        drop(turn);
        self.held(case, why)
    }

    /// Nothing is done. Where nobody can tell whether a token works, what earlier runs did and saw may tell.
    fn held(&mut self, case: &Case, why: &str) -> Result<End, ledger::Error> {
        let rows = self.ledger.rows(Some(&case.incident.id.to_string()))?;
        if case.said.liveness.is_live() {
            return Ok(End::Left(why.to_owned()));
        }
        if is_closed(&rows) {
            return Ok(End::Closed("by an earlier run, or by a person who settled it".to_owned()));
        }
        if rows.iter().any(tried) || known_before(case, &rows).liveness.is_live() {
            let _turn = self.turn(&[case.incident.id])?;
            let said = self.until_dead(case, Duration::ZERO)?;
            if said.liveness.is_dead() {
                return self.close(case, &said);
            }
        }
        Ok(End::Left(why.to_owned()))
    }

    /// A token that was dead when it was inspected. The ledger learns it once. It may know a host where the token worked
    /// and that was not asked now.
    fn close_dead(&mut self, case: &Case) -> Result<End, ledger::Error> {
        let id = case.incident.id.to_string();
        let _turn = self.turn(&[case.incident.id])?;
        let earlier = self.earlier(case)?;
        if case.said.liveness == Liveness::Dead(Death::UnknownToProvider) && earlier.host != case.said.host {
            self.begin(case)?;
            let said = self.until_dead(case, Duration::ZERO)?;
            return if said.liveness.is_dead() { self.close(case, &said) } else { Ok(End::Left(state(&said))) };
        }
        if self.ledger.rows(Some(&id))?.iter().all(|row| row.event != Event::Closed.as_str()) {
            self.begin(case)?;
        }
        self.close(case, &case.said)
    }

    fn revoke(&mut self, batch: &Batch<'_>) -> Result<Vec<(Fingerprint, End)>, ledger::Error> {
        let ids: Vec<Fingerprint> = batch.cases.iter().map(|case| case.incident.id).collect();
        let _turns = self.turn(&ids)?;
        let mut ends = Vec::new();
        let mut fresh = Vec::new();
        for &case in &batch.cases {
            self.begin(case)?;
            match self.look_back(case, batch.call)? {
                Some(end) => ends.push((case.incident.id, end)),
                None => fresh.push(case),
            }
        }
        for (index, (case, accepted)) in self.call_all(batch.call, &fresh)?.into_iter().enumerate() {
            if index > 0 {
                // Proof of death is a failed login, and many in a short time lock everybody out.
                std::thread::sleep(self.patience.pause);
            }
            ends.push((case.incident.id, self.prove(case, batch.call, accepted.as_ref())?));
        }
        Ok(ends)
    }

    /// Waits until nobody else acts for these incidents.
    pub(super) fn turn(&mut self, ids: &[Fingerprint]) -> Result<Vec<Turn>, ledger::Error> {
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let turns = self.ledger.turns(&names, &mut || (self.tell)(Moment::Waits, ids))?;
        (self.tell)(Moment::Turn, ids);
        Ok(turns)
    }

    /// One call for all; if the provider refuses what it holds, which changed nothing, one for each half: one bad token
    /// spoils a batch. A limit, or a door that is shut to all, is no reason to knock again.
    fn call_all<'c>(&mut self, call: &Call, cases: &[&'c Case]) -> Result<Vec<Sent<'c>>, ledger::Error> {
        if cases.is_empty() {
            return Ok(Vec::new());
        }
        let together = self.call(call, cases)?;
        if cases.len() > 1 && together.as_ref().is_err_and(|refusal| refusal.by_content) {
            let (first, rest) = cases.split_at(cases.len() / 2);
            return Ok([self.call_all(call, first)?, self.call_all(call, rest)?].concat());
        }
        Ok(cases.iter().map(|case| (*case, together.clone())).collect())
    }

    /// The first rows of an incident, and what is known of it now.
    pub(super) fn begin(&mut self, case: &Case) -> Result<(), ledger::Error> {
        if found(self.ledger, case)? {
            (self.tell)(Moment::Noted, &[case.incident.id]);
        }
        self.note(case, Event::Inspected, &inspected(&case.said))
    }

    /// What an earlier run, or another process, did for this incident. `None`: nothing stands against acting.
    pub(super) fn look_back(&mut self, case: &Case, call: &Call) -> Result<Option<End>, ledger::Error> {
        let incident = case.incident.id.to_string();
        let (step, accepted) = match self.ledger.past(&incident, REVOKE)? {
            Past::New => return Ok(None),
            Past::Doubt { step } => (step, None),
            Past::Outcome { step, detail } if detail["accepted"] == json!(true) => (step, Some(detail)),
            // The provider said no, or it was proven that nothing happened: there was no first act.
            Past::Outcome { detail, .. } if detail["refused"] == json!(true) || detail["no_effect"] == json!(true) => {
                return Ok(None);
            }
            Past::Outcome { step, .. } => (step, None),
        };
        let contained = accepted.is_some() && call.remains.is_some();
        let said = self.until_dead(case, if contained { Duration::ZERO } else { self.patience.deadline })?;
        if said.liveness.is_dead() {
            return self.close(case, &said).map(Some);
        }
        if let Some(remains) = call.remains.filter(|_| contained) {
            return Ok(Some(End::Left(remains.to_owned())));
        }
        if let Some(outcome) = accepted {
            let when = outcome["status"].as_u64().map(|status| format!(" (status {status})")).unwrap_or_default();
            return Ok(Some(End::Left(format!(
                "an earlier run revoked it{when}, but it is {}; it is not revoked twice: look at {}",
                state(&said),
                call.host
            ))));
        }
        if said.liveness.is_live() {
            // Proven alive after all that time: the earlier request did not arrive, or did nothing.
            self.ledger
                .record(&[Intent { incident, step }], &json!({ "no_effect": true, "inspected": inspected(&said) }))?;
            return Ok(None);
        }
        Ok(Some(End::Failed(format!(
            "an earlier run was interrupted while revoking it, and whether it came through cannot be told ({}); run \
             the command again when the provider answers",
            state(&said)
        ))))
    }

    /// Intent, call, outcome.
    pub(super) fn call(&mut self, call: &Call, cases: &[&Case]) -> Result<Result<(), Refusal>, ledger::Error> {
        self.call_as(call, cases, format!("{REVOKE}{call}"))
    }

    /// The same, under the name of another step.
    pub(super) fn call_as(
        &mut self,
        call: &Call,
        cases: &[&Case],
        step: String,
    ) -> Result<Result<(), Refusal>, ledger::Error> {
        let intent = |case: &&Case| Intent { incident: case.incident.id.to_string(), step: step.clone() };
        let intents: Vec<Intent> = cases.iter().map(intent).collect();
        let ids: Vec<Fingerprint> = cases.iter().map(|case| case.incident.id).collect();
        let tokens: Vec<&Secret> = cases.iter().map(|case| &case.incident.secret).collect();
        let (http, tell) = (self.http, &mut *self.tell);
        let outcome = self.ledger.around(&intents, || {
            tell(Moment::Intended, &ids);
            let outcome = match http.hosts.by_base_url(&call.host) {
                Some(host) => send(http, host, call, &tokens),
                None => {
                    let why = format!("{} is not configured", call.host);
                    (json!({ "accepted": false, "no_effect": true, "fault": why }), Err(Refusal::new(why, true)))
                }
            };
            tell(Moment::Acted, &ids);
            outcome
        })?;
        (self.tell)(Moment::Recorded, &ids);
        Ok(outcome)
    }

    /// Inspects until the token is dead, and only then closes the incident.
    pub(super) fn prove(
        &mut self,
        case: &Case,
        call: &Call,
        accepted: Result<&(), &Refusal>,
    ) -> Result<End, ledger::Error> {
        let refused = accepted.is_err_and(|refusal| refusal.sure);
        let at_once = refused || call.remains.is_some();
        let said = self.until_dead(case, if at_once { Duration::ZERO } else { self.patience.deadline })?;
        if said.liveness.is_dead() {
            return self.close(case, &said);
        }
        let state = state(&said);
        Ok(match (accepted, &said.liveness) {
            (Err(refusal), _) => End::Failed(format!("{}; the token is {state}{}", refusal.why, self.otherwise(case))),
            (Ok(()), _) if call.remains.is_some() => End::Left(call.remains.unwrap_or_default().to_owned()),
            (Ok(()), Liveness::Unknown(_)) => {
                End::Left(format!("revoked, and the provider accepted it, but that it is dead is not proven: {state}"))
            }
            (Ok(()), _) => End::Failed(format!("the provider accepted the revocation, but the token is still {state}")),
        })
    }

    /// What is left where a request does not do it.
    fn otherwise(&self, case: &Case) -> String {
        let host = case.said.host.as_deref().and_then(|url| self.http.hosts.by_base_url(url));
        let by_hand = case.incident.kind.zip(host).map(|(kind, host)| provider::by_hand(kind, &case.said, host));
        by_hand.map(|person| format!("; by hand: {}", person.page)).unwrap_or_default()
    }

    /// One row, and a moment after it.
    fn note(&mut self, case: &Case, event: Event, detail: &Value) -> Result<(), ledger::Error> {
        self.ledger.note(&case.incident.id.to_string(), event, detail)?;
        (self.tell)(Moment::Noted, &[case.incident.id]);
        Ok(())
    }

    /// Asks until the token is dead or the deadline is over, and notes the last answer.
    pub(super) fn until_dead(&mut self, case: &Case, deadline: Duration) -> Result<Inspection, ledger::Error> {
        let earlier = self.earlier(case)?;
        let start = Instant::now();
        let mut pause = self.patience.pause;
        loop {
            let said = provider::inspect(self.http, &case.incident, Some(&earlier));
            (self.tell)(Moment::Proved, &[case.incident.id]);
            // Nobody was asked: nobody will say anything else later.
            let pointless = said.evidence.is_empty() || self.http.offline;
            if said.liveness.is_dead() || pointless || start.elapsed() + pause > deadline {
                self.note(case, Event::Inspected, &inspected(&said))?;
                return Ok(said);
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    /// What was known before the act, by this run or by any before it.
    fn earlier(&self, case: &Case) -> Result<Inspection, ledger::Error> {
        Ok(known_before(case, &self.ledger.rows(Some(&case.incident.id.to_string()))?))
    }

    pub(super) fn close(&mut self, case: &Case, said: &Inspection) -> Result<End, ledger::Error> {
        let id = case.incident.id.to_string();
        if !is_closed(&self.ledger.rows(Some(&id))?) {
            self.settle(case, said)?;
            if let Some(why) = lost(&self.ledger.rows(Some(&id))?) {
                return Ok(End::Left(why));
            }
            self.note(case, Event::Closed, &inspected(said))?;
        }
        (self.tell)(Moment::Closed, &[case.incident.id]);
        Ok(closed(said))
    }

    /// Gives every intent without an outcome the one that the inspection found.
    fn settle(&mut self, case: &Case, said: &Inspection) -> Result<(), ledger::Error> {
        let id = case.incident.id.to_string();
        let open = open_intents(&self.ledger.rows(Some(&id))?);
        if open.is_empty() {
            return Ok(());
        }
        // A place that may have got a successor is no token that may be dead.
        let (acts, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|it| ends_tokens(&it.step));
        if !acts.is_empty() {
            self.ledger.record(&acts, &json!({ "found": "dead", "inspected": inspected(said) }))?;
        }
        if !rest.is_empty() {
            self.ledger.record(&rest, &json!({ "interrupted": true }))?;
        }
        (self.tell)(Moment::Recorded, &[case.incident.id]);
        Ok(())
    }
}

impl Batch<'_> {
    fn takes(&self, call: &Call) -> bool {
        self.call.takes_many() && self.call == call && self.cases.len() < MOST_IN_ONE_CALL
    }
}

/// Whether the provider itself said no, and nothing was done. Too many requests, or one that came too late, may be
/// answered by whatever stands in front of it.
pub(super) fn is_refusal(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) && answer.status != 408 && !answer.is_page()
}

/// Sends a call once, and says what the ledger should know of it.
fn send(http: &Http, host: &Host, call: &Call, tokens: &[&Secret]) -> (Value, Result<(), Refusal>) {
    match provider::perform(http, host, call, tokens) {
        Ok(answer) => {
            let status = answer.status;
            let accepted = call.done.contains(&status) && !answer.is_page();
            let sure = is_refusal(&answer);
            let detail =
                json!({ "accepted": accepted, "refused": sure, "status": status, "request_id": answer.request_id() });
            let why = format!("{} refused the revocation with status {status}", host.name());
            (
                detail,
                if accepted {
                    Ok(())
                } else {
                    Err(Refusal { by_content: sure && matches!(status, 400 | 422), why, sure })
                },
            )
        }
        Err(fault) => {
            let (why, unsent) = (fault.to_string(), fault.is_unsent());
            (json!({ "accepted": false, "no_effect": unsent, "fault": why }), Err(Refusal::new(why, unsent)))
        }
    }
}

fn closed(said: &Inspection) -> End {
    End::Closed(said.liveness.detail().unwrap_or("dead").to_owned())
}

pub(super) fn state(said: &Inspection) -> String {
    match said.liveness.detail() {
        Some(detail) => format!("{}: {detail}", said.liveness.as_str()),
        None => said.liveness.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;
    use crate::respond::incident::Incident;
    use crate::respond::kind::Kind;
    use crate::respond::provider::{By, Carries};

    #[test]
    fn no_call_holds_more_tokens_than_github_takes() {
        let case = Case {
            incident: Incident::bare(Secret::new("x"), Kind::GithubPat),
            said: Inspection::unknown("nobody was asked"),
        };
        let call = |carries| Call {
            host: String::new(),
            method: Method::POST,
            path: String::new(),
            by: By::Nobody,
            carries,
            done: &[202],
            remains: None,
        };
        let (many, one) = (call(Carries::Credentials), call(Carries::Form));
        let batch = |call, cases: usize| Batch { call, cases: vec![&case; cases] };
        assert!(batch(&many, 999).takes(&many) && !batch(&many, 1000).takes(&many));
        assert!(!batch(&one, 1).takes(&one) && !batch(&many, 1).takes(&one));
    }
}

//! Turns findings into closed incidents.
//!
//! Incident → inspection → plan → act → ledger. Who is asked and what they say is `provider`'s, what should be done is
//! `plan`'s, and only `act` does it.

pub mod act;
pub mod config;
pub mod deliver;
pub mod incident;
pub mod inspection;
pub mod kind;
mod past;
pub mod plan;
pub mod provider;
mod rotate;
pub mod task;
mod trail;

use std::ops::ControlFlow;

use incident::Incident;
use plan::Case;

use crate::http::Http;

/// Asks about every incident, in order. `tell` hears of each answer, and may end it.
pub fn inspect(http: &Http, incidents: Vec<Incident>, tell: &mut dyn FnMut(&Case) -> ControlFlow<()>) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::with_capacity(incidents.len());
    for incident in incidents {
        // Every dead token is a failed login for GitHub, and several in a short time lock everybody out.
        let is_github = |it: &Incident| it.kind.is_some_and(kind::Kind::is_github);
        let before = cases.iter().rfind(|case| is_github(&case.incident));
        if is_github(&incident) && before.is_some_and(|case| case.said.liveness.is_dead()) {
            std::thread::sleep(http.pace.pause);
        }
        let said = provider::inspect(http, &incident, None);
        let case = Case { incident, said };
        let goes_on = tell(&case);
        cases.push(case);
        if goes_on.is_break() {
            break;
        }
    }
    cases
}

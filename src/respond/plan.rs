//! Turns incidents and what is known of them into steps. Pure: no network, no clock, no environment.

use serde::Deserialize;

use super::incident::Incident;
use super::inspection::Inspection;
use super::provider::{Call, Person, Route, route};
use crate::http::Hosts;
use crate::secret::Fingerprint;

/// What a step does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Something that can be taken back: a task.
    Reversible,
    /// Something that cannot: a revocation.
    Irreversible,
}

impl Effect {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Reads => "reads",
            Effect::Reversible => "reversible",
            Effect::Irreversible => "irreversible",
        }
    }
}

/// What is to be done with a token that is not dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// End it.
    Revoke,
    /// Open a task.
    Task,
    /// Nothing.
    Ignore,
}

/// Who must say yes to a revocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// `--yes` is enough.
    #[default]
    Option,
    /// A person at a terminal, for each step.
    Person,
}

/// One `[[respond.rule]]`: what is named must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Id of a rule, with `*` for anything.
    pub rule: Option<String>,
    /// Name of a provider.
    pub provider: Option<String>,
    /// A word of `Liveness::as_str`.
    pub liveness: Option<String>,
    /// A scope that the token has.
    pub scope: Option<String>,
    /// What to do.
    pub action: Action,
    /// Who must say yes.
    pub confirm: Confirm,
}

/// What may be done, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Secrets that are never touched.
    pub freeze: Vec<Fingerprint>,
    /// Irreversible steps in one run.
    pub max_irreversible: usize,
    /// Logins, groups and organisations whose tokens are ours. Empty: no token is somebody else's.
    pub owners: Vec<String>,
    /// Do not ask whose a token is.
    pub any_owner: bool,
    /// The first that fits decides; else `revoke`.
    pub choices: Vec<Choice>,
    /// Open a task for everything that is left to a person.
    pub tasks: bool,
}

/// An incident and what the providers said of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The incident.
    pub incident: Incident,
    /// What is known.
    pub said: Inspection,
}

/// What is done in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The token is dead: nothing but a line in the ledger.
    Close,
    /// A request ends it; then it is inspected until it is dead.
    Revoke(Call),
    /// A task is opened.
    Task,
    /// A person ends it.
    Person(Person),
    /// Nothing, for this reason.
    Hold(String),
}

/// One step for one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The secret.
    pub incident: Fingerprint,
    /// What is done.
    pub verb: Verb,
    /// Who must say yes.
    pub confirm: Confirm,
}

impl Step {
    /// What it does to the world.
    pub fn effect(&self) -> Effect {
        match self.verb {
            Verb::Revoke(_) => Effect::Irreversible,
            Verb::Task => Effect::Reversible,
            Verb::Close | Verb::Person(_) | Verb::Hold(_) => Effect::Reads,
        }
    }
}

/// The steps of a run, in the order of the incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is done.
    pub steps: Vec<Step>,
}

impl Plan {
    /// How many steps cannot be taken back.
    pub fn irreversible(&self) -> usize {
        self.steps.iter().filter(|step| step.effect() == Effect::Irreversible).count()
    }

    /// Whether anything would be done to the world.
    pub fn acts(&self) -> bool {
        self.steps.iter().any(|step| step.effect() > Effect::Reads)
    }
}

/// Makes the plan.
pub fn make(cases: &[Case], policy: &Policy, hosts: &Hosts) -> Plan {
    let mut plan = Plan::default();
    let mut left = policy.max_irreversible;
    for case in cases {
        let (verb, confirm) = decide(case, policy, hosts, &mut left);
        let wants_task = policy.tasks && matches!(verb, Verb::Person(_));
        plan.steps.push(Step { incident: case.incident.id, verb, confirm });
        if wants_task {
            plan.steps.push(Step { incident: case.incident.id, verb: Verb::Task, confirm: Confirm::Option });
        }
    }
    plan
}

fn decide(case: &Case, policy: &Policy, hosts: &Hosts, left: &mut usize) -> (Verb, Confirm) {
    let hold = |why: String| (Verb::Hold(why), Confirm::Option);
    if case.said.liveness.is_dead() {
        return (Verb::Close, Confirm::Option);
    }
    if policy.freeze.contains(&case.incident.id) {
        return hold("frozen by [respond] freeze".to_owned());
    }
    let choice = policy.choices.iter().find(|choice| choice.fits(case));
    let confirm = choice.map_or(Confirm::Option, |choice| choice.confirm);
    match choice.map_or(Action::Revoke, |choice| choice.action) {
        Action::Ignore => return hold("ignored by [[respond.rule]]".to_owned()),
        Action::Task => return (Verb::Task, Confirm::Option),
        Action::Revoke => {}
    }
    let Some(kind) = case.incident.kind else {
        return hold(format!("no provider is known for it. {}", case.incident.remedy).trim_end().to_owned());
    };
    if let Some(why) = not_ours(&case.said, policy) {
        return if policy.tasks { (Verb::Task, Confirm::Option) } else { hold(why) };
    }
    if let Some(why) = case.said.liveness.detail().filter(|_| case.said.disowned) {
        return hold(why.to_owned());
    }
    let host = case.said.host.as_deref().and_then(|url| hosts.by_base_url(url));
    let host = host
        .or_else(|| kind.services().iter().find_map(|&it| hosts.of(it, &case.incident.hints.hosts).first().copied()));
    match route(kind, &case.said, host) {
        Route::Person(person) => (Verb::Person(person), confirm),
        Route::Call(_) if *left == 0 => hold(format!(
            "this run has its {} irreversible steps ([respond] max_irreversible); run the command again",
            policy.max_irreversible
        )),
        Route::Call(call) => {
            *left -= 1;
            (Verb::Revoke(call), confirm)
        }
    }
}

/// Why a token is not ours to revoke.
fn not_ours(said: &Inspection, policy: &Policy) -> Option<String> {
    if policy.any_owner || policy.owners.is_empty() {
        return None;
    }
    let covers = |own: &String, name: &String| {
        let (own, name) = (own.to_lowercase(), name.to_lowercase());
        name == own || name.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'))
    };
    if said.owners.iter().any(|name| policy.owners.iter().any(|own| covers(own, name))) {
        return None;
    }
    let whose = said.holder.as_deref().unwrap_or("nobody knows whom");
    Some(format!("it belongs to {whose}, who is not in [respond] owners; revoke it all the same with --any-owner"))
}

impl Choice {
    fn fits(&self, case: &Case) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| like(wanted, value));
        let scope = |wanted: &String| case.said.scopes.iter().any(|scope| scope.name == *wanted);
        is(&self.rule, &case.incident.rule)
            && is(&self.provider, &case.incident.provider)
            && is(&self.liveness, case.said.liveness.as_str())
            && self.scope.as_ref().is_none_or(scope)
    }
}

/// Whether `value` is `pattern`, in which `*` stands for anything.
fn like(pattern: &str, value: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == value };
    let Some(value) = value.strip_prefix(first) else { return false };
    // What follows the star is tried at every place where it may begin; the patterns are ids of rules, and short.
    (0..=value.len()).filter(|&at| value.is_char_boundary(at)).any(|at| like(rest, &value[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, value, fits) in [
            ("github-pat", "github-pat", true),
            ("github-pat", "github-pat-x", false),
            ("github-*", "github-pat", true),
            ("*-pat", "github-pat", true),
            ("*-pat", "github-pat-x", false),
            ("*pat*", "github-pat-x", true),
            ("g*b-p*t", "github-pat", true),
            ("g*b-p*t", "gitlab-pat", true),
            ("g*z*t", "gitlab-pat", false),
            ("*", "", true),
            ("", "x", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(like(pattern, value), fits, "{pattern} {value}");
        }
    }
}

//! Turns incidents and what is known of them into steps. Pure: no network, no clock, no environment.

use std::path::PathBuf;

use serde::Deserialize;

use super::deliver::Sink;
use super::incident::Incident;
use super::inspection::{Inspection, Liveness};
use super::kind::Kind;
use super::provider::{Beside, Call, Person, Renewal, Route, for_person, renew, route};
use crate::http::{Host, Hosts};
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
    /// Replace it, deliver its successor, and end it.
    Rotate,
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

/// One `[[respond.deliver]]`: where the successor of a token goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The token's fingerprint.
    pub fingerprint: Option<Fingerprint>,
    /// The name that its provider has for it.
    pub name: Option<String>,
    /// Id of the rule that found it; `*` stands for anything.
    pub rule: Option<String>,
    /// The place.
    pub sink: Sink,
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
    /// The first that fits decides; else `otherwise`.
    pub choices: Vec<Choice>,
    /// What is done where no choice fits: revoke or rotate.
    pub otherwise: Action,
    /// Where successors go.
    pub deliver: Vec<Delivery>,
    /// The file that takes a successor when no place does.
    pub successor_file: Option<PathBuf>,
    /// Open a task for everything that is left to a person.
    pub tasks: bool,
    /// The file in the scanned tree that all this comes from, if it does. It may only hold back.
    pub in_tree: Option<PathBuf>,
}

/// An incident and what the providers said of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The incident.
    pub incident: Incident,
    /// What is known.
    pub said: Inspection,
}

/// How a token is replaced, and where its successor goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The requests.
    pub how: How,
    /// The places, in their order.
    pub sinks: Vec<Sink>,
    /// The file that takes the successor when a place does not.
    pub spare: Option<PathBuf>,
}

/// Whether both tokens live for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The request that makes the new one ends the old one.
    Swap(Call),
    /// The old one is ended by a request of its own, when the new one is where it should be.
    Beside(Box<Beside>, Call),
}

impl How {
    /// The request that makes the successor.
    pub fn make(&self) -> &Call {
        match self {
            How::Swap(call) => call,
            How::Beside(beside, _) => &beside.make,
        }
    }
}

/// What is done in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The token is dead: nothing but a line in the ledger.
    Close,
    /// A request ends it; then it is inspected until it is dead.
    Revoke(Call),
    /// It is replaced; what is known afterwards is not in the plan.
    Rotate(Box<Rotation>),
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
            Verb::Revoke(_) | Verb::Rotate(_) => Effect::Irreversible,
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

/// Whether the user's own policy wants nothing done about it, tasks included. A file in the scanned tree silences nobody.
pub fn is_ignored(case: &Case, policy: &Policy) -> bool {
    let choice = policy.choices.iter().find(|choice| choice.fits(case));
    policy.in_tree.is_none() && choice.is_some_and(|choice| choice.action == Action::Ignore)
}

fn decide(case: &Case, policy: &Policy, hosts: &Hosts, left: &mut usize) -> (Verb, Confirm) {
    let hold = |why: String| (Verb::Hold(why), Confirm::Option);
    if case.said.liveness.is_dead() {
        return (Verb::Close, Confirm::Option);
    }
    if policy.freeze.iter().any(|id| case.incident.is_called(*id)) {
        let whose = policy.in_tree.as_ref().map(|path| format!(" of {}, a file in the scanned tree", path.display()));
        return hold(format!("frozen by [respond] freeze{}", whose.unwrap_or_default()));
    }
    let choice = policy.choices.iter().find(|choice| choice.fits(case));
    let confirm = choice.map_or(Confirm::Option, |choice| choice.confirm);
    let action = choice.map_or(policy.otherwise, |choice| choice.action);
    if let Some(path) = policy.in_tree.as_ref().filter(|_| action != policy.otherwise) {
        return hold(format!(
            "[[respond.rule]] of {} wants something else, and a file in the scanned tree may only hold back; to follow \
             it, or another one, say --config FILE",
            path.display()
        ));
    }
    match action {
        Action::Ignore => return hold("ignored by [[respond.rule]]".to_owned()),
        Action::Task => return (Verb::Task, Confirm::Option),
        Action::Revoke | Action::Rotate => {}
    }
    let Some(kind) = case.incident.kind else {
        return (Verb::Person(for_person(&case.incident.provider, &case.incident.remedy)), Confirm::Option);
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
    let verb = match action {
        Action::Rotate => rotation(case, kind, policy, host),
        _ => match route(kind, &case.said, host) {
            Route::Person(person) => Verb::Person(person),
            Route::Call(call) => Verb::Revoke(call),
        },
    };
    match verb {
        Verb::Revoke(_) | Verb::Rotate(_) if *left == 0 => hold(format!(
            "this run has its {} irreversible steps ([respond] max_irreversible); run the command again",
            policy.max_irreversible
        )),
        Verb::Revoke(_) | Verb::Rotate(_) => {
            *left -= 1;
            (verb, confirm)
        }
        verb => (verb, confirm),
    }
}

/// Replaces a token, if that is possible without losing anything.
fn rotation(case: &Case, kind: Kind, policy: &Policy, host: Option<&Host>) -> Verb {
    let hold = |why: &str| Verb::Hold(format!("not rotated: {why}"));
    if !case.said.liveness.is_live() {
        return hold("whether it works is not known, and what may be revoked already must not be rotated; revoke it");
    }
    let how = match renew(kind, &case.said, host, case.incident.id) {
        Renewal::No(why) => return hold(&why),
        Renewal::Swap(call) => How::Swap(call),
        Renewal::Beside(beside) => match route(kind, &case.said, host) {
            Route::Call(end) => How::Beside(Box::new(beside), end),
            Route::Person(_) => return hold("no request would end the old one"),
        },
    };
    let sinks: Vec<Sink> = policy.deliver.iter().filter(|it| it.fits(case)).map(|it| it.sink.clone()).collect();
    let spare = policy.successor_file.clone();
    if spare.is_none() && sinks.is_empty() {
        return hold("no [[respond.deliver]] says where its successor goes, nor does --successor-file");
    }
    if spare.is_none() && matches!(how, How::Swap(_)) {
        return hold(
            "the old one dies when the new one is made, so there must be a file for the new one in case that nobody \
             takes it: --successor-file, or successor_file in [respond]",
        );
    }
    Verb::Rotate(Box::new(Rotation { how, sinks, spare }))
}

impl Delivery {
    fn fits(&self, case: &Case) -> bool {
        self.fingerprint.is_none_or(|id| case.incident.is_called(id))
            && self.name.as_ref().is_none_or(|name| case.said.name.as_ref() == Some(name))
            && self.rule.as_ref().is_none_or(|rule| like(rule, &case.incident.rule))
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
        // Where the provider told no scopes because it told nothing, a rule that holds back fits: it was made for what
        // the token may be.
        let untold = case.said.scopes.is_empty() && case.said.liveness != (Liveness::Live { limited: None });
        let acts = matches!(self.action, Action::Revoke | Action::Rotate) && self.confirm == Confirm::Option;
        let scope = |wanted: &String| (untold && !acts) || case.said.scopes.iter().any(|scope| scope.name == *wanted);
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

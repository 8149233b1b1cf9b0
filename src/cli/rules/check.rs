//! Proves rules on their own examples, through everything that a scan does with bytes.

use std::cell::RefCell;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::{message, print};
use crate::builtin;
use crate::detect::allow::{Subject, allowed};
use crate::detect::mint::Press;
use crate::detect::{Candidate, Detector, Scratch, Where, settle};
use crate::exit::Exit;
use crate::finding::Proof;
use crate::report::escape::terminal;
use crate::rule::{Confidence, Rule, RuleSet};
use crate::rulefile;
use crate::secret::Fingerprint;
use crate::shape::{self, Dear};

/// Seeds that every example is tried with.
const SEEDS: u64 = 3;

/// Which rules to check.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Rule files, each with what it extends; without any, the built-in rules
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Ignore, with a warning, what of betterleaks' keys in rule files cannot be honoured
    #[arg(long)]
    lenient: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut sets = Vec::new();
    if args.paths.is_empty() {
        sets.push(("built-in".to_owned(), builtin::with_examples()));
    }
    for path in &args.paths {
        let loaded = rulefile::load(path, builtin::with_examples, args.lenient)?;
        loaded.notes.iter().for_each(|note| message::warning(note));
        let shown = path.display().to_string();
        let notes = notes(&loaded.rules).into_iter();
        notes.for_each(|note| message::warning(&format!("{}: {}", terminal(&shown), terminal(&note))));
        sets.push((shown, loaded.rules));
    }
    let mut exit = Exit::Clean;
    for (name, rules) in sets {
        let faults = faults(&rules)?;
        let name = terminal(&name);
        let examples: usize = rules.rules.iter().map(|rule| rule.leaks.len() + rule.clean.len()).sum();
        let mut text: String = faults.iter().map(|fault| format!("{name}: {}\n", terminal(fault))).collect();
        text += &match faults.len() {
            0 => format!("{name}: {} rules keep what they say, in {examples} examples\n", rules.rules.len()),
            count => format!("{name}: {count} faults in {} rules with {examples} examples\n", rules.rules.len()),
        };
        print(&text)?;
        exit = exit.and(if faults.is_empty() { Exit::Clean } else { Exit::Found });
    }
    Ok(exit)
}

/// What makes rules slower than they need be: no fault, but worth a change.
fn notes(rules: &RuleSet) -> Vec<String> {
    let text = |rule: &Rule| match shape::dear(&rule.regex, &rule.keywords)? {
        Dear::Unanchored => Some(
            "not every match has one of its keywords in it, so it is tried on every byte of everything. Give each \
             alternative a keyword, or make it a rule of its own"
                .to_owned(),
        ),
        Dear::Alternative(number) => Some(format!(
            "alternative {number} of its regex has no run of 18 letters and digits near its keyword, so the keyword is looked for \
             everywhere. Make it a rule of its own"
        )),
    };
    let rules = rules.rules.iter().filter(|rule| !rule.regex.is_empty());
    rules.filter_map(|rule| Some(format!("{}: {}", rule.id, text(rule)?))).collect()
}

/// What is wrong with the rules, one sentence each. No sentence holds a token, or an example: a user's may be live.
fn faults(rules: &RuleSet) -> Result<Vec<String>> {
    if rules.rules.is_empty() {
        return Ok(vec!["there are no rules. Add a [[rules]] table".to_owned()]);
    }
    let all = Bench::new(rules.clone())?;
    let mut faults = Vec::new();
    for rule in &all.detector.rules().rules {
        let alone = Bench::new(RuleSet { rules: vec![rule.clone()], ..rules.clone() })?;
        let mut say = |fault: String| faults.push(format!("{}: {fault}", rule.id));
        let what = if rule.regex.is_empty() { ["paths", "paths"] } else { ["texts", "a token, written <mint>"] };
        if rule.leaks.is_empty() {
            say(format!("has no `leaks`. Add {} in which it must find {}", what[0], what[1]));
        }
        if rule.clean.is_empty() {
            say(format!("has no `clean`. Add {} in which it must report nothing", what[0]));
        }
        if rule.regex.is_empty() {
            wrong_paths(rule).into_iter().for_each(say);
            continue;
        }
        let Some(press) = Press::new(rule) else {
            say("no token can be made from its regex".to_owned());
            continue;
        };
        for (number, leak) in (1..).zip(&rule.leaks) {
            if let Err(fault) = leaks(&all, &alone, &press, rule, leak) {
                say(format!("leak {number}: {fault}"));
            }
        }
        for (number, clean) in (1..).zip(&rule.clean) {
            if let Err(fault) = stays_clean(&alone, &press, rule, clean) {
                say(format!("clean {number}: {fault}"));
            }
        }
    }
    Ok(faults)
}

/// The examples of a rule about names of files are paths.
fn wrong_paths(rule: &Rule) -> Vec<String> {
    let matches = |path: &String| rule.path.as_ref().is_some_and(|wanted| wanted.is_match(path.as_bytes()));
    let leaks = (1..).zip(&rule.leaks).filter(|(_, path)| !matches(path));
    let clean = (1..).zip(&rule.clean).filter(|(_, path)| matches(path));
    leaks
        .map(|(number, _)| format!("leak {number}: `path` does not match it"))
        .chain(clean.map(|(number, _): (u32, _)| format!("clean {number}: `path` matches it")))
        .collect()
}

/// Something found, as far as it matters here. What a rule requires is not asked for: each is proven on its own regex.
struct Hit {
    rule: String,
    /// It is judged together with something else.
    apart: bool,
    confidence: Confidence,
    span: Range<usize>,
}

/// A detector that reads a text as a scan reads a chunk.
struct Bench {
    detector: Detector,
    /// Kept from text to text: what a regex has learnt of its states costs more than most texts.
    scratch: RefCell<Scratch>,
}

impl Bench {
    /// Conditions about paths are dropped: an example has none.
    fn new(mut rules: RuleSet) -> Result<Self> {
        for rule in rules.rules.iter_mut().filter(|rule| rule.path.is_some()) {
            Arc::make_mut(rule).path = None;
        }
        let detector = Detector::new(Arc::new(rules), 0)?;
        let scratch = RefCell::new(detector.scratch());
        Ok(Bench { detector, scratch })
    }

    fn hits(&self, text: &str) -> Vec<Hit> {
        let bytes = text.as_bytes();
        let mut found =
            self.detector.candidates(&mut self.scratch.borrow_mut(), bytes, &(0..bytes.len()), Where::Nowhere);
        settle(&mut found, |candidate| {
            (candidate.span.start as u64..candidate.span.end as u64, candidate.rule, &candidate.proof)
        });
        found.retain(|candidate| !self.allows(candidate, bytes));
        let hit = |found: Candidate<'_>| Hit {
            apart: found.rule.is_apart(),
            rule: found.rule.id.clone(),
            confidence: found.confidence,
            span: found.span,
        };
        found.into_iter().map(hit).collect()
    }

    fn allows(&self, candidate: &Candidate<'_>, text: &[u8]) -> bool {
        let subject = Subject {
            rule: candidate.rule,
            secret: &candidate.token,
            matched: &text[candidate.matched.clone()],
            lines: text,
            path: None,
            fingerprints: &[Fingerprint::of_strong(&candidate.token)],
            line_number: 1,
            commit: None,
            proof_holds: matches!(candidate.proof, Proof::Holds(_)),
        };
        allowed(self.detector.rules(), &subject).is_some()
    }
}

/// A minted token's proof holds.
fn due(rule: &Rule) -> Confidence {
    rule.best()
}

fn expanded(press: &Press<'_>, example: &str, seed: u64) -> Result<String, String> {
    press.expand(example, seed).ok_or_else(|| {
        "a token for it cannot be made. Write <mint>, <mint:NUMBER> or <mint:broken>, and a regex that has examples"
            .to_owned()
    })
}

/// Every token of the example is found by the rule alone, and by some rule, as surely, in the company of all.
fn leaks(all: &Bench, alone: &Bench, press: &Press<'_>, rule: &Rule, example: &str) -> Result<(), String> {
    let wanted = example.matches("<mint").count().max(1);
    for seed in 0..SEEDS {
        let text = expanded(press, example, seed)?;
        for (bench, company) in [(alone, "by the rule alone"), (all, "in the company of all rules")] {
            let hits = together(bench.hits(&text), rule);
            let sure = hits.iter().filter(|hit| hit.confidence >= due(rule)).count();
            if sure != wanted {
                let due = due(rule);
                return Err(format!("{sure} of {wanted} found with {due} confidence {company}{}", told(&hits)));
            }
        }
    }
    Ok(())
}

/// The hits without those that stand beside others in the same place.
fn together(mut hits: Vec<Hit>, rule: &Rule) -> Vec<Hit> {
    hits.retain(|hit| !hit.apart || hit.rule == rule.id);
    let own = hits.iter().filter(|hit| hit.rule == rule.id).map(|hit| hit.span.clone());
    let own: Vec<Range<usize>> = own.filter(|_| rule.is_apart()).collect();
    let meets = |hit: &Hit| own.iter().any(|span| span.start < hit.span.end && hit.span.start < span.end);
    hits.retain(|hit| hit.rule == rule.id || !meets(hit));
    hits
}

/// Nothing is reported by the rule. A proof that fails makes a look-alike, which is low.
fn stays_clean(alone: &Bench, press: &Press<'_>, rule: &Rule, example: &str) -> Result<(), String> {
    let most = if rule.proof.is_some() { Confidence::Medium } else { rule.confidence.min(Confidence::Medium) };
    for seed in 0..SEEDS {
        let mut hits = alone.hits(&expanded(press, example, seed)?);
        hits.retain(|hit| hit.confidence >= most);
        if !hits.is_empty() {
            return Err(format!("something is found in it{}", told(&hits)));
        }
    }
    Ok(())
}

/// What was found, without its text.
fn told(hits: &[Hit]) -> String {
    if hits.is_empty() {
        return "; nothing was found".to_owned();
    }
    let one = |hit: &Hit| format!("{} ({}) at byte {}", hit.rule, hit.confidence, hit.span.start);
    format!("; found: {}", hits.iter().map(one).collect::<Vec<_>>().join(", "))
}

//! Lays a file's rules over those it extends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{Draft, Source, why};
use super::error::{At, Error};
use super::names::{ids_meant, nearest};
use super::{RuleFile, read};
use crate::rule::{Required, Rule, RuleSet, compile};

/// A rule set, and what the user should know about how it came to be.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rules.
    pub rules: RuleSet,
    /// Sentences for people: what the file said that had no effect, and why nothing is lost by it.
    pub notes: Vec<String>,
    /// Whether the file asked for the built-in rules, itself or through one that it extends.
    pub with_builtin: bool,
}

/// How many files may stand behind the first one (gitleaks' `maxExtendDepth`).
const MAX_DEPTH: usize = 2;

/// What lies under a file and all that it extends.
#[derive(Clone, Copy)]
pub(super) enum Under<'r> {
    /// These rules, whether it asks for the built-in ones or not.
    All(&'r RuleSet),
    /// The built-in ones, if it asks.
    Asked(fn() -> RuleSet),
}

/// Reads `path` and what it extends; `chain` holds the files on the way here.
pub(super) fn load(
    path: &Path,
    under: Under<'_>,
    lenient: bool,
    chain: &mut Vec<PathBuf>,
    from: Option<At>,
) -> Result<Loaded, Error> {
    let fail = |source| Error::Read { path: path.to_owned(), source };
    let real = path.canonicalize().map_err(fail)?;
    if let Some(at) = from {
        if chain.contains(&real) {
            return Err(Error::ExtendCycle { at, path: path.to_owned() });
        }
        if chain.len() > MAX_DEPTH {
            return Err(Error::ExtendDepth { at });
        }
    }
    chain.push(real);
    let text = std::fs::read_to_string(path).map_err(fail)?;
    let mut file = read(&Source { name: &path.display().to_string(), text: &text, ours: false, lenient })?;
    let mut base = match file.extend.path.take() {
        Some((next, at)) => {
            let next = path.parent().unwrap_or(Path::new("")).join(next);
            load(&next, under, lenient, chain, Some(at))?
        }
        None => match under {
            Under::All(rules) => Loaded { rules: rules.clone(), ..Loaded::default() },
            Under::Asked(builtin) if file.extend.use_default => {
                Loaded { rules: builtin(), with_builtin: true, ..Loaded::default() }
            }
            Under::Asked(_) => Loaded::default(),
        },
    };
    file.extends = matches!(under, Under::All(_)) || base.with_builtin;
    let mut loaded = file.over(base.rules)?;
    base.notes.append(&mut loaded.notes);
    Ok(Loaded { rules: loaded.rules, ..base })
}

impl RuleFile {
    /// The rules of `base` as this file changes them, and its own. `extend.path` and `extend.useDefault` are not
    /// followed: `base` is what they would lead to.
    pub fn over(self, base: RuleSet) -> Result<Loaded, Error> {
        let mut notes = self.notes;
        let mut rules: BTreeMap<String, Rule> =
            base.rules.into_iter().map(|rule| (rule.id.clone(), Arc::unwrap_or_clone(rule))).collect();
        let mut disabled = Vec::new();
        for id in &self.extend.disabled {
            let known = known(&rules, id);
            if known.is_empty() {
                notes.push(format!("disabledRules: there is no rule `{}` to disable", id.escape_debug()));
            }
            disabled.extend(known.iter().filter_map(|id| rules.remove(id)));
        }
        for draft in &self.drafts {
            lay(draft, &mut rules, self.extends, &mut notes)?;
        }
        keep_required(&mut rules, disabled);
        if !self.ours {
            self.drafts.iter().try_for_each(|draft| check(draft, &rules))?;
        }
        let mut allowlists = base.allowlists;
        for (mut list, targets) in self.allowlists {
            let named = !targets.is_empty();
            for (id, at) in targets {
                let known = known(&rules, &id);
                match (known.is_empty(), self.extends) {
                    (false, _) => list.target_rules.extend(known),
                    (true, true) => notes.push(format!("{at}: there is no rule `{}` to allow for", id.escape_debug())),
                    (true, false) => {
                        let nearest = nearest(&id, rules.keys());
                        return Err(Error::UnknownRule { at, id, nearest });
                    }
                }
            }
            // Without its rules the list would speak of all of them.
            if !named || !list.target_rules.is_empty() {
                allowlists.push(list);
            }
        }
        let rules = rules.into_values().map(Arc::new).collect();
        Ok(Loaded {
            rules: RuleSet { rules, allowlists, ignores: base.ignores },
            notes,
            with_builtin: self.extend.use_default,
        })
    }
}

/// The ids among `rules` that `id` means: itself, or ours for the same kind of token.
fn known(rules: &BTreeMap<String, Rule>, id: &str) -> Vec<String> {
    ids_meant(id, |id| rules.contains_key(id)).into_iter().map(str::to_owned).collect()
}

/// Changes the rules that `draft` means, or adds it.
fn lay(draft: &Draft, rules: &mut BTreeMap<String, Rule>, extends: bool, notes: &mut Vec<String>) -> Result<(), Error> {
    if draft.is_whole() {
        let new = || Rule { id: draft.id.clone(), ..Rule::default() };
        draft.apply(rules.entry(draft.id.clone()).or_insert_with(new));
        return Ok(());
    }
    let known = known(rules, &draft.id);
    if known.is_empty() && !extends {
        return Err(Error::EmptyRule { at: draft.at.clone(), id: draft.id.clone() });
    }
    if known.is_empty() {
        notes.push(format!("{}: there is no rule `{}` to change", draft.at, draft.id));
    }
    for id in known {
        rules.entry(id).and_modify(|rule| draft.apply(rule));
    }
    Ok(())
}

/// Holds the rules that `draft` made or changed to the promises of a rule set.
fn check(draft: &Draft, rules: &BTreeMap<String, Rule>) -> Result<(), Error> {
    for id in known(rules, &draft.id) {
        let rule = &rules[&id];
        let at = || draft.regex.as_ref().map_or(&draft.at, |(_, at)| at).clone();
        let regex = compile(&rule.regex).map_err(|error| Error::Regex { at: at(), what: why(&error) })?;
        let groups = regex.captures_len() - 1;
        if !rule.regex.is_empty() && rule.secret_group > groups {
            let at = draft.secret_group.as_ref().map_or_else(at, |(_, at)| at.clone());
            return Err(Error::Group { at, id, group: rule.secret_group, groups });
        }
        draft.required.iter().try_for_each(|(required, at)| check_required(rule, required, at, rules))?;
    }
    Ok(())
}

/// A rule that needs what nothing finds would find nothing, and look clean.
fn check_required(rule: &Rule, required: &Required, at: &At, rules: &BTreeMap<String, Rule>) -> Result<(), Error> {
    let at = || at.clone();
    let Some(other) = rules.get(&required.rule) else {
        let nearest = nearest(&required.rule, rules.keys());
        return Err(Error::UnknownRule { at: at(), id: required.rule.clone(), nearest });
    };
    let nowhere = rule.regex.is_empty() || other.regex.is_empty();
    if nowhere || rule.id == other.id {
        let why = match nowhere {
            true => "both rules must have a regex, or nothing tells how near they are",
            false => "a rule cannot need itself",
        };
        return Err(Error::NotHonoured { at: at(), key: "required", why });
    }
    Ok(())
}

/// Puts back those of the rules that were taken out which others require: they are not reported alone.
fn keep_required(rules: &mut BTreeMap<String, Rule>, out: Vec<Rule>) {
    let mut set = RuleSet { rules: std::mem::take(rules).into_values().map(Arc::new).collect(), ..RuleSet::default() };
    set.keep_required(out.into_iter().map(Arc::new));
    *rules = set.rules.into_iter().map(|rule| (rule.id.clone(), Arc::unwrap_or_clone(rule))).collect();
}

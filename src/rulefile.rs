//! Turns rule files into a rule set: the TOML of gitleaks and betterleaks, and our own keys.
//!
//! Our keys are `provider`, `kind`, `proof`, `confidence`, `severity`, `random_bits`, `remedy`, `references`, `leaks`
//! and `clean` in `[[rules]]`, `reason` and `fingerprints` in allowlists. A key that neither side knows is an error, and
//! so is one that cannot be honoured (`extend.url`); of betterleaks' keys such may be passed over on request. Regexes are Go's RE2, as gitleaks reads them.
//!
//! `extend.useDefault = true` means the rules that are built into stanch, not those of gitleaks: these are not shipped.
//! Where the file changes or disables a rule that only gitleaks has, nothing is lost and a note says so.

mod dialect;
mod draft;
mod error;
mod expression;
mod layer;
mod names;
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::rule::{Allowlist, RuleSet};

pub use error::{At, Error};
pub use layer::Loaded;
pub use names::{ids_meant, nearest, ours as ours_for};

pub(crate) use draft::{Source, allowlist};
pub(crate) use error::meant;
pub(crate) use schema::RawAllowlist;

use draft::{Draft, both_forms};
use schema::{RawExtend, RawFile};

/// A file's rules as written, before they are laid over those they extend.
pub struct RuleFile {
    drafts: Vec<Draft>,
    /// With the rules each names, which may be those of the base.
    allowlists: Vec<(Allowlist, Vec<(String, At)>)>,
    extend: Extend,
    /// Lies over rules that another file or this program brings, so that it may name rules which only gitleaks has.
    extends: bool,
    notes: Vec<String>,
    ours: bool,
}

#[derive(Default)]
struct Extend {
    use_default: bool,
    path: Option<(PathBuf, At)>,
    disabled: Vec<String>,
}

/// Reads files of our own, each a name and its text. Tests hold them to every promise of a rule set.
pub fn ours(files: &[(&str, &str)]) -> Result<RuleSet, Error> {
    files.iter().try_fold(RuleSet::default(), |base, (name, text)| {
        Ok(read(&Source { name, text, ours: true, lenient: false })?.over(base)?.rules)
    })
}

/// Reads one file without following `extend`. `name` is how messages call it.
/// Everything that can be wrong with the file alone is an error that says where.
pub fn parse(text: &str, name: &str) -> Result<RuleFile, Error> {
    read(&Source { name, text, ours: false, lenient: false })
}

/// Reads a file with gitleaks' meaning: its own rules, and those it extends if it says so, `builtin` among them.
/// `lenient`: what betterleaks alone knows and cannot be honoured is passed over, with a note.
pub fn load(path: &Path, builtin: fn() -> RuleSet, lenient: bool) -> Result<Loaded, Error> {
    layer::load(path, layer::Under::Asked(builtin), lenient, &mut Vec::new(), None)
}

/// Lays the rules of a file over `base`: new ones are added, those of the same id are changed.
/// `extend.useDefault` is at home here and changes nothing.
pub fn extend(base: RuleSet, path: &Path, lenient: bool) -> Result<Loaded, Error> {
    layer::load(path, layer::Under::All(&base), lenient, &mut Vec::new(), None)
}

fn read(source: &Source<'_>) -> Result<RuleFile, Error> {
    let raw: RawFile = source.toml()?;
    let mut first = BTreeMap::new();
    let mut drafts = Vec::with_capacity(raw.rules.len());
    for rule in raw.rules {
        let draft = Draft::read(source, rule)?;
        if let Some(first) = first.insert(draft.id.clone(), draft.at.line) {
            return Err(Error::DuplicateId { at: draft.at, id: draft.id, first });
        }
        drafts.push(draft);
    }
    let lists = both_forms(source, raw.allowlist, raw.allowlists)?;
    let with_targets = |list| {
        let targets: &RawAllowlist = toml::Spanned::as_ref(list);
        let targets = targets.target_rules.iter().map(|id| (id.as_ref().clone(), source.at(id))).collect();
        Ok((allowlist(source, list)?, targets))
    };
    let mut allowlists: Vec<(Allowlist, _)> = lists.iter().map(with_targets).collect::<Result<_, Error>>()?;
    let mut ignored = Vec::new();
    for (key, said) in [("prefilter", &raw.prefilter), ("filter", &raw.filter)] {
        let (_, lists) = draft::filter(source, key, said.as_ref(), None, &mut ignored)?;
        allowlists.extend(lists.into_iter().map(|list| (list, Vec::new())));
    }
    let mut notes: Vec<String> = names::newer_than_known(source, raw.min_version.as_ref())?.into_iter().collect();
    notes.extend(passed_over(source, &ignored, &drafts));
    Ok(RuleFile {
        drafts,
        allowlists,
        extends: raw.extend.use_default,
        extend: Extend::read(source, raw.extend)?,
        notes,
        ours: source.ours,
    })
}

/// What a lenient reading left out, one sentence for each key.
fn passed_over(source: &Source<'_>, of_file: &[&'static str], drafts: &[Draft]) -> Vec<String> {
    let name = source.name.escape_debug();
    let mut notes: Vec<String> =
        of_file.iter().map(|key| format!("{name}: `{key}` of the file is ignored (--lenient)")).collect();
    let mut by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for draft in drafts {
        draft.ignored.iter().for_each(|key| by_key.entry(key).or_default().push(&draft.id));
    }
    let note = |(key, ids): (&str, Vec<&str>)| {
        let (count, ids) = (ids.len(), ids.join(", "));
        format!("{name}: `{key}` is ignored (--lenient) in {count} rules: {ids}")
    };
    notes.extend(by_key.into_iter().map(note));
    notes
}

impl Extend {
    fn read(source: &Source<'_>, raw: RawExtend) -> Result<Extend, Error> {
        let given = |text: &toml::Spanned<String>| !text.as_ref().is_empty();
        if let Some(url) = raw.url.filter(given) {
            let why = "gitleaks does not fetch it either; download the file and name it in extend.path";
            return Err(Error::NotHonoured { at: source.at(&url), key: "extend.url", why });
        }
        let path = raw.path.filter(given).map(|path| (PathBuf::from(path.as_ref()), source.at(&path)));
        match path {
            Some((_, at)) if raw.use_default => Err(Error::ExtendBoth { at }),
            path => Ok(Extend {
                use_default: raw.use_default,
                path,
                disabled: raw.disabled_rules.into_iter().map(toml::Spanned::into_inner).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;

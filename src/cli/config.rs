//! Finds and reads the configuration of a run: `.stanch.toml`, or gitleaks' file where there is none, and ignore files.
//!
//! ```toml
//! [scan]                       # defaults of the options of `stanch scan`; every key may be left out
//! exclude = ["vendor/**"]      # globs, as --exclude
//! confidence = "medium"        # low, medium or high
//! pack = "default"             # default, strict or paranoid, as --pack
//! max_size = "100 MB"          # bytes, or a number with k, M or G (powers of 1024)
//! accept_skip = ["too-large"]
//! respect_gitignore = false
//! jobs = 4
//! rules = ["rules/own.toml"]   # rule files, relative to this file, laid over the built-in rules in this order
//! show_allowed = false
//!
//! [rules]
//! enabled = ["github-pat"]     # these alone
//! disabled = ["gitlab-pat"]    # all but these
//!
//! [[allowlists]]               # gitleaks' keys, and fingerprints
//! reason = "rotated in May"    # must be said
//! fingerprints = ["0123456789abcdef0123456789abcdef"]
//! ```
//!
//! Rules of one's own stand in rule files, not here: TOML cannot have both `[rules]` and `[[rules]]`.

use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::pack::Pack;
use crate::builtin;
use crate::coverage::Why;
use crate::rule::{Confidence, Ignore, RuleSet};
use crate::rulefile::{self, At, RawAllowlist, Source, allowlist, ids_meant, nearest};
use crate::secret::Fingerprint;

/// Everything that files say about a run.
#[derive(Debug, Default)]
pub struct Config {
    /// The rules, with the allowlists and ignore entries that speak of them.
    pub rules: RuleSet,
    /// What options are when the command line does not give them.
    pub scan: ScanDefaults,
    /// What the user should know: what a file said that has no effect, and why.
    pub notes: Vec<String>,
    /// The file that was read, if there was one.
    pub source: Option<PathBuf>,
}

/// The defaults that `[scan]` gives; `None` and empty lists where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanDefaults {
    /// Globs of paths to leave out; each is valid.
    pub exclude: Vec<String>,
    /// Least confidence to report.
    pub confidence: Option<Confidence>,
    /// Which rules to use.
    pub pack: Option<Pack>,
    /// Largest file to read, in bytes.
    pub max_size: Option<u64>,
    /// Reasons of skips that do not make the run fail.
    pub accept_skip: Vec<Why>,
    /// Whether `.gitignore` is honoured.
    pub respect_gitignore: Option<bool>,
    /// Number of threads.
    pub jobs: Option<NonZeroUsize>,
    /// Whether allowed findings are shown.
    pub show_allowed: Option<bool>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something in the TOML of a configuration or rule file.
    #[error(transparent)]
    File(#[from] rulefile::Error),
    /// A file could not be looked for or read.
    #[error("{}: cannot read this configuration: {source}. Check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An allowlist that does not say why.
    #[error("{at}: this allowlist gives no reason. Add `reason = \"…\"`, for those who read it later")]
    Reason {
        /// Where.
        at: At,
    },
    /// A value that its key cannot have.
    #[error("{at}: this is no {expected}. Correct this place of the file")]
    Value {
        /// Where.
        at: At,
        /// What would do.
        expected: &'static str,
    },
    /// A rule named on the command line that does not exist.
    #[error(
        "there is no rule `{}`{}. `stanch rules list` prints them all", id.escape_debug(), rulefile::meant(nearest)
    )]
    UnknownRule {
        /// What was said.
        id: String,
        /// The rule whose id is most like it.
        nearest: Option<String>,
    },
    /// A line of an ignore file that says nothing.
    #[error(
        "{}:{line}:1: this is neither a fingerprint (32 hex digits) nor [commit:]path:rule:line. \
         Correct it, or start the line with # to make it a comment", path.display()
    )]
    Ignore {
        /// The ignore file.
        path: PathBuf,
        /// The line, 1-based.
        line: usize,
    },
}

/// The names under which a configuration is found, the first one first. The flag tells our own.
const NAMES: [(&str, bool); 3] = [(".stanch.toml", true), (".betterleaks.toml", false), (".gitleaks.toml", false)];

/// The names of ignore files; all that are there are read.
const IGNORE_NAMES: [&str; 3] = [".stanchignore", ".betterleaksignore", ".gitleaksignore"];

/// The configuration of a run over `target`: that of `explicit` (`--config`), or else the one that is found, or else
/// the built-in rules; and the ignore files beside the target and in the root of its repository.
/// `lenient`: what of betterleaks' keys cannot be honoured is passed over.
pub fn for_target(target: &Path, explicit: Option<&Path>, lenient: bool) -> Result<Config, Error> {
    configured(&upwards(target)?, explicit, lenient)
}

/// As [`for_target`], for a server that receives into the repository of this git directory. Nothing of the work tree around it counts: a
/// push may bring that up to date, and would allow the next one.
pub fn for_server(git_dir: &Path, explicit: Option<&Path>, lenient: bool) -> Result<Config, Error> {
    let mut directories = upwards(git_dir)?;
    if directories.last().is_some_and(|root| root.join(".git").exists()) {
        directories.truncate(1);
    }
    configured(&directories, explicit, lenient)
}

fn configured(directories: &[PathBuf], explicit: Option<&Path>, lenient: bool) -> Result<Config, Error> {
    let found = explicit.map_or_else(|| nearest_in(directories), |path| Ok(Some(path.to_owned())))?;
    let mut config = match found {
        Some(path) => load(&path, lenient)?,
        None => Config { rules: builtin::ready(), ..Config::default() },
    };
    config.rules.ignores = ignores(directories)?;
    Ok(config)
}

/// The configuration file that is nearest to `target`, looking upwards as far as the root of its repository, or of the
/// file system if it is in none. Within one directory ours is taken before gitleaks'.
pub fn discover(target: &Path) -> Result<Option<PathBuf>, Error> {
    nearest_in(&upwards(target)?)
}

fn nearest_in(directories: &[PathBuf]) -> Result<Option<PathBuf>, Error> {
    for directory in directories {
        for (name, _) in NAMES {
            let path = directory.join(name);
            if exists(&path)? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// The directories from the target's own to the root of its repository, or of the file system.
fn upwards(target: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::Read { path: target.to_owned(), source };
    // A target that does not exist is the scan's to report.
    let real = target.canonicalize().or_else(|_| std::path::absolute(target)).map_err(fail)?;
    let own = if real.is_dir() { real.as_path() } else { real.parent().unwrap_or(&real) };
    let mut all = Vec::new();
    for directory in own.ancestors() {
        all.push(directory.to_owned());
        if exists(&directory.join(".git"))? {
            break;
        }
    }
    Ok(all)
}

/// A link that leads nowhere exists: reading it fails, which is better than passing over it.
fn exists(path: &Path) -> Result<bool, Error> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// Reads a configuration of either kind: ours or gitleaks' by its name, else by its keys. Ignore files are not read.
pub fn load(path: &Path, lenient: bool) -> Result<Config, Error> {
    let text = read(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let by_name = NAMES.iter().find(|(known, _)| known.trim_start_matches('.') == name.trim_start_matches('.'));
    let ours = by_name.map_or_else(|| !looks_like_gitleaks(&text), |(_, ours)| *ours);
    let mut config = if ours { load_ours(path, &text, lenient)? } else { load_gitleaks(path, lenient)? };
    config.source = Some(path.to_owned());
    Ok(config)
}

/// Told by what only gitleaks' schema has. Text that is no TOML is not told: either reader says what is wrong with it.
fn looks_like_gitleaks(text: &str) -> bool {
    let Ok(table) = text.parse::<toml::Table>() else { return false };
    let theirs = ["title", "description", "minVersion", "extend", "allowlist"];
    table.get("rules").is_some_and(toml::Value::is_array) || theirs.iter().any(|key| table.contains_key(*key))
}

fn load_gitleaks(path: &Path, lenient: bool) -> Result<Config, Error> {
    let mut loaded = rulefile::load(path, builtin::ready, lenient)?;
    let shown = path.display();
    if loaded.rules.rules.is_empty() {
        // gitleaks would search for nothing and say "no leaks".
        loaded = rulefile::extend(builtin::ready(), path, lenient)?;
        loaded.notes.push(format!("{shown} has no rules and extends none: the built-in rules are used"));
    } else if !loaded.with_builtin {
        loaded.notes.push(format!("{shown} does not extend the default: the built-in rules are not used"));
    }
    Ok(Config { rules: loaded.rules, notes: loaded.notes, ..Config::default() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(default)]
    scan: RawScan,
    #[serde(default)]
    rules: RawRules,
    #[serde(default)]
    allowlists: Vec<Spanned<RawAllowlist>>,
    /// `[[host]]` and `[respond]` are read by those who respond (`respond::config`).
    #[serde(default, rename = "host")]
    _host: IgnoredAny,
    #[serde(default, rename = "respond")]
    _respond: IgnoredAny,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawScan {
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    confidence: Option<Spanned<String>>,
    pack: Option<Spanned<String>>,
    max_size: Option<Spanned<toml::Value>>,
    #[serde(default)]
    accept_skip: Vec<Spanned<String>>,
    respect_gitignore: Option<bool>,
    jobs: Option<NonZeroUsize>,
    #[serde(default)]
    rules: Vec<PathBuf>,
    show_allowed: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawRules {
    #[serde(default)]
    disabled: Vec<Spanned<String>>,
    enabled: Option<Vec<Spanned<String>>>,
}

fn load_ours(path: &Path, text: &str, lenient: bool) -> Result<Config, Error> {
    let name = path.display().to_string();
    let source = Source { name: &name, text, ours: false, lenient };
    let raw: RawConfig = source.toml()?;
    let mut config = Config { rules: builtin::ready(), ..Config::default() };
    for file in &raw.scan.rules {
        config.add_rules(&path.parent().unwrap_or(Path::new("")).join(file), lenient)?;
    }
    for spanned in &raw.allowlists {
        config.rules.allowlists.push(reasoned(&source, spanned, &config.rules)?);
    }
    raw.rules.choose(&source, &mut config.rules)?;
    config.scan = raw.scan.read(&source)?;
    Ok(config)
}

/// An allowlist that says why, and names rules that exist.
fn reasoned(
    source: &Source<'_>,
    spanned: &Spanned<RawAllowlist>,
    rules: &RuleSet,
) -> Result<crate::rule::Allowlist, Error> {
    let mut list = allowlist(source, spanned)?;
    if list.description.trim().is_empty() {
        return Err(Error::Reason { at: source.at(spanned) });
    }
    list.target_rules = existing(source, &spanned.as_ref().target_rules, rules)?;
    Ok(list)
}

/// The ids, if there is a rule of each.
fn existing(source: &Source<'_>, ids: &[Spanned<String>], rules: &RuleSet) -> Result<Vec<String>, Error> {
    let existing = |id: &Spanned<String>| match rules.get(id.as_ref()) {
        Some(rule) => Ok(rule.id.clone()),
        None => {
            let nearest = nearest(id.as_ref(), rules.rules.iter().map(|rule| &rule.id));
            Err(rulefile::Error::UnknownRule { at: source.at(id), id: id.as_ref().clone(), nearest }.into())
        }
    };
    ids.iter().map(existing).collect()
}

impl RawRules {
    fn choose(&self, source: &Source<'_>, rules: &mut RuleSet) -> Result<(), Error> {
        let disabled = existing(source, &self.disabled, rules)?;
        let enabled = self.enabled.as_ref().map(|ids| existing(source, ids, rules)).transpose()?;
        let enabled = |id: &String| enabled.as_ref().is_none_or(|ids| ids.contains(id));
        rules.retain(|rule| enabled(&rule.id) && !disabled.contains(&rule.id));
        Ok(())
    }
}

impl RawScan {
    fn read(self, source: &Source<'_>) -> Result<ScanDefaults, Error> {
        let bad = |at, expected| Error::Value { at, expected };
        if let Some(glob) = self.exclude.iter().find(|glob| globset::Glob::new(glob.as_ref()).is_err()) {
            return Err(bad(source.at(glob), "glob such as vendor/** (as in .gitignore, with balanced brackets)"));
        }
        let levels = [Confidence::Low, Confidence::Medium, Confidence::High].map(|level| (level.as_str(), level));
        let whys: Vec<_> = Why::ALL.iter().map(|why| (why.as_str(), *why)).collect();
        let skips = self.accept_skip.iter().map(|word| source.word("accept_skip", Some(word), &whys));
        let max_size = self.max_size.as_ref().map(|size| {
            let bytes = match size.as_ref() {
                toml::Value::Integer(bytes) => u64::try_from(*bytes).ok(),
                toml::Value::String(text) => parse_size(text),
                _ => None,
            };
            bytes.ok_or_else(|| bad(source.at(size), "size in bytes, or text such as \"100 MB\""))
        });
        Ok(ScanDefaults {
            confidence: source.word("confidence", self.confidence.as_ref(), &levels)?,
            pack: source.word("pack", self.pack.as_ref(), &Pack::ALL)?,
            accept_skip: skips.filter_map(Result::transpose).collect::<Result<_, _>>()?,
            max_size: max_size.transpose()?,
            exclude: self.exclude.into_iter().map(Spanned::into_inner).collect(),
            respect_gitignore: self.respect_gitignore,
            jobs: self.jobs,
            show_allowed: self.show_allowed,
        })
    }
}

/// Reads a size: digits, then nothing or `k`, `M`, `G` (any case, powers of 1024), then nothing, `B` or `iB`.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl Config {
    /// Lays the rules of a file over those that are there (`--rules`).
    pub fn add_rules(&mut self, path: &Path, lenient: bool) -> Result<(), Error> {
        let loaded = rulefile::extend(std::mem::take(&mut self.rules), path, lenient)?;
        self.rules = loaded.rules;
        self.notes.extend(loaded.notes);
        Ok(())
    }

    /// Drops all rules but those named on the command line (`--rule`), by our ids or gitleaks'; none named drops none.
    pub fn keep_rules(&mut self, ids: &[String]) -> Result<(), Error> {
        let mut chosen: Vec<&str> = Vec::new();
        for id in ids {
            let before = chosen.len();
            chosen.extend(ids_meant(id, |id| self.rules.get(id).is_some()));
            if chosen.len() == before {
                let nearest = nearest(id, self.rules.rules.iter().map(|rule| &rule.id));
                return Err(Error::UnknownRule { id: id.clone(), nearest });
            }
        }
        if !ids.is_empty() {
            self.rules.retain(|rule| chosen.contains(&rule.id.as_str()));
        }
        Ok(())
    }
}

/// The entries of the ignore files beside the target and in the root of its repository: the first and last of these.
fn ignores(directories: &[PathBuf]) -> Result<Vec<Ignore>, Error> {
    let root = directories.last().filter(|root| root.join(".git").exists());
    let mut places: Vec<_> = directories.first().into_iter().chain(root).collect();
    places.dedup();
    let mut all = Vec::new();
    for path in places.iter().flat_map(|place| IGNORE_NAMES.map(|name| place.join(name))) {
        if exists(&path)? {
            all.extend(parse_ignores(&read(&path)?, &path)?);
        }
    }
    Ok(all)
}

/// Reads an ignore file: one entry per line, comments with `#`. A rule of gitleaks' stands for ours of the same kind.
pub fn parse_ignores(text: &str, path: &Path) -> Result<Vec<Ignore>, Error> {
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches('\u{FEFF}');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = Fingerprint::parse(line).map(Ignore::Fingerprint).or_else(|| place(line));
        let entry = entry.ok_or_else(|| Error::Ignore { path: path.to_owned(), line: at + 1 })?;
        if let Ignore::Place { commit, path, rule, line } = &entry {
            let same = rulefile::ours_for(rule).iter().map(|ours| Ignore::Place {
                commit: commit.clone(),
                path: path.clone(),
                rule: (*ours).to_owned(),
                line: *line,
            });
            all.extend(same);
        }
        all.push(entry);
    }
    Ok(all)
}

/// gitleaks' `[commit:]path:rule:line`, read from its end as paths may have colons.
fn place(text: &str) -> Option<Ignore> {
    let (rest, line) = text.rsplit_once(':')?;
    let (rest, rule) = rest.rsplit_once(':')?;
    let is_commit = |id: &str| matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
    let (commit, path) = match rest.split_once(':') {
        Some((id, path)) if is_commit(id) => (Some(id.to_ascii_lowercase()), path),
        _ => (None, rest),
    };
    let line = line.parse().ok()?;
    // gitleaks takes both kinds of slashes.
    let path = path.replace('\\', "/");
    (!path.is_empty() && !rule.is_empty()).then(|| Ignore::Place { commit, path, rule: rule.to_owned(), line })
}

#[cfg(test)]
mod tests;

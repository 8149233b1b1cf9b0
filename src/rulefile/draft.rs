//! A rule as a file writes it: checked piece by piece, and whole only together with the rule it extends.

use toml::Spanned;

use super::dialect::translate;
use super::error::{At, Error, without_values};
use super::expression;
use super::schema::{RawAllowlist, RawRequired, RawRule};
use crate::rule::{Allowlist, Condition, Confidence, Pattern, ProofKind, RegexTarget, Required, Rule, Severity};
use crate::secret::Fingerprint;

/// A text and the name under which messages speak of it.
pub(crate) struct Source<'t> {
    pub name: &'t str,
    pub text: &'t str,
    /// Our own file: not checked at run time but by tests, and its allowlists are marked.
    pub ours: bool,
    /// What betterleaks alone knows and cannot be honoured is passed over.
    pub lenient: bool,
}

impl Source<'_> {
    pub fn at<T>(&self, value: &Spanned<T>) -> At {
        At::of(self.name, self.text, value.span().start)
    }

    /// Reads the text as TOML into what serde can read.
    pub fn toml<'t, T: serde::Deserialize<'t>>(&'t self) -> Result<T, Error> {
        toml::from_str(self.text).map_err(|error| Error::Toml {
            at: At::of(self.name, self.text, error.span().map_or(0, |span| span.start)),
            message: without_values(error.message()),
        })
    }

    /// Go's pattern as ours, checked for syntax.
    fn pattern(&self, go: &Spanned<String>) -> Result<String, Error> {
        let ours = translate(go.as_ref()).map_err(|refused| self.bad_regex(go, refused.offset, refused.what))?;
        if !self.ours
            && let Err(error) = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(&ours)
        {
            let what = match error {
                // The errors themselves print the pattern, which may be a secret.
                regex_syntax::Error::Parse(error) => error.kind().to_string(),
                regex_syntax::Error::Translate(error) => error.kind().to_string(),
                _ => "it is no valid pattern".to_owned(),
            };
            return Err(self.bad_regex(go, 0, what));
        }
        Ok(ours)
    }

    /// The place of a byte of a pattern, exact if the pattern stands in the file without TOML escapes.
    fn bad_regex(&self, go: &Spanned<String>, offset: usize, what: String) -> Error {
        let span = go.span();
        let inside = self.text.get(span.clone()).and_then(|raw| raw.find(go.as_ref().as_str()));
        let start = span.start + inside.map_or(0, |at| at + offset);
        Error::Regex { at: At::of(self.name, self.text, start), what }
    }

    /// Go's pattern, compiled; one of ours is compiled when it is needed.
    pub fn regex(&self, go: &Spanned<String>) -> Result<Pattern, Error> {
        let ours = self.pattern(go)?;
        if self.ours {
            return Ok(Pattern::trusted(ours));
        }
        Pattern::new(ours).map_err(|error| self.bad_regex(go, 0, why(&error)))
    }

    /// One of Go's patterns in an expression.
    fn regex_in(&self, expression: &Spanned<String>, go: &str) -> Result<Pattern, Error> {
        let ours = translate(go).map_err(|refused| self.bad_regex(expression, 0, refused.what))?;
        Pattern::new(ours).map_err(|error| self.bad_regex(expression, 0, why(&error)))
    }

    /// One of `words`, or the error that lists them.
    pub fn word<T: Copy>(
        &self,
        key: &'static str,
        said: Option<&Spanned<String>>,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Error> {
        let Some(said) = said else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|(word, _)| word == said.as_ref()) {
            return Ok(Some(*value));
        }
        let expected = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        Err(Error::Word { at: self.at(said), key, word: said.as_ref().chars().take(40).collect(), expected })
    }
}

/// Why a pattern with good syntax does not compile, without the pattern.
pub(super) fn why(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("it needs more than {limit} bytes; its repetitions are too large")
        }
        _ => "it is no valid pattern".to_owned(),
    }
}

/// A rule of a file; `None` and empty lists mean that the file does not say.
pub(super) struct Draft {
    pub id: String,
    pub at: At,
    /// The pattern as ours, and where it stands.
    pub regex: Option<(String, At)>,
    pub secret_group: Option<(usize, At)>,
    path: Option<Pattern>,
    entropy: Option<f64>,
    proof: Option<ProofKind>,
    confidence: Option<Confidence>,
    severity: Option<Severity>,
    allowlists: Vec<Allowlist>,
    /// With where each is named.
    pub required: Vec<(Required, At)>,
    /// Keys that are passed over.
    pub ignored: Vec<&'static str>,
    raw: RawRule,
}

impl Draft {
    pub fn read(source: &Source<'_>, mut raw: RawRule) -> Result<Draft, Error> {
        let at = source.at(&raw.id);
        let id = raw.id.as_ref().clone();
        if id.trim().is_empty() || id.chars().any(char::is_control) {
            return Err(Error::Id { at });
        }
        let given = |text: &&Spanned<String>| !text.as_ref().is_empty();
        let regex = raw.regex.as_ref().filter(given);
        let regex = regex.map(|go| Ok::<_, Error>((source.pattern(go)?, source.at(go)))).transpose()?;
        let path = raw.path.as_ref().filter(given).map(|go| source.regex(go)).transpose()?;
        let entropy = raw.entropy.as_ref().map(|bits| entropy(source, bits)).transpose()?.filter(|bits| *bits > 0.0);
        let secret_group = raw.secret_group.as_ref().filter(|group| *group.as_ref() > 0);
        let secret_group = secret_group.map(|group| (*group.as_ref(), source.at(group)));
        let lists = both_forms(source, raw.allowlist.take(), std::mem::take(&mut raw.allowlists))?;
        if let Some(target) = lists.iter().find_map(|list| list.as_ref().target_rules.first()) {
            let why = "the allowlist of a rule speaks of that rule alone";
            return Err(Error::NotHonoured { at: source.at(target), key: "targetRules", why });
        }
        let mut allowlists = lists.iter().map(|list| allowlist(source, list)).collect::<Result<Vec<_>, _>>()?;
        let mut ignored = foreign(source, &raw)?;
        let filter = filter(source, "filter", raw.filter.as_ref(), Some(&id), &mut ignored)?;
        allowlists.extend(filter.1);
        Ok(Draft {
            id,
            at,
            regex,
            secret_group,
            path,
            entropy: entropy.into_iter().chain(filter.0).reduce(f64::max),
            proof: source.word("proof", raw.proof.as_ref(), &words(ProofKind::ALL, ProofKind::as_str))?,
            confidence: source.word("confidence", raw.confidence.as_ref(), &words(&CONFIDENCES, Confidence::as_str))?,
            severity: source.word("severity", raw.severity.as_ref(), &words(&SEVERITIES, Severity::as_str))?,
            allowlists,
            ignored,
            required: raw.required.iter().map(|one| required(source, one)).collect(),
            raw,
        })
    }

    /// Whether it says what to look for, and not only how to change another rule.
    pub fn is_whole(&self) -> bool {
        self.regex.is_some() || self.path.is_some()
    }

    /// What this changes of `rule`, as gitleaks merges: lists grow, everything else that is said replaces.
    pub fn apply(&self, rule: &mut Rule) {
        let raw = &self.raw;
        if self.regex.is_some() || !raw.keywords.is_empty() {
            rule.shape = None;
        }
        replace(&mut rule.description, raw.description.clone().filter(|text| !text.is_empty()));
        replace(&mut rule.provider, raw.provider.clone());
        replace(&mut rule.kind, raw.kind.clone());
        replace(&mut rule.regex, self.regex.as_ref().map(|(regex, _)| regex.clone()));
        replace(&mut rule.secret_group, self.secret_group.as_ref().map(|(group, _)| *group));
        replace(&mut rule.confidence, self.confidence);
        replace(&mut rule.severity, self.severity);
        replace(&mut rule.random_bits, raw.random_bits);
        replace(&mut rule.requires_digit, raw.requires_digit);
        replace(&mut rule.remedy, raw.remedy.clone());
        replace(&mut rule.references, raw.references.clone());
        replace(&mut rule.leaks, raw.leaks.clone());
        replace(&mut rule.clean, raw.clean.clone());
        replace(&mut rule.skip_report, raw.skip_report);
        rule.entropy = self.entropy.or(rule.entropy);
        rule.path = self.path.clone().or(rule.path.take());
        rule.proof = self.proof.or(rule.proof);
        append(&mut rule.keywords, raw.keywords.iter().map(|word| word.to_lowercase()));
        append(&mut rule.tags, raw.tags.iter().cloned());
        rule.allowlists.extend(self.allowlists.iter().cloned());
        for (required, _) in &self.required {
            rule.required.retain(|known| known.rule != required.rule);
            rule.required.push(required.clone());
        }
    }
}

/// The keys of betterleaks' that say something about a rule which has no meaning here.
fn foreign(source: &Source<'_>, raw: &RawRule) -> Result<Vec<&'static str>, Error> {
    let given = |text: &&Spanned<String>| !text.as_ref().trim().is_empty();
    let asked = |flag: &&Spanned<bool>| *flag.as_ref();
    let keys = [
        (
            "validate",
            raw.validate.as_ref().filter(given).map(|it| source.at(it)),
            "tokens are inspected in another way",
        ),
        (
            "specificity",
            raw.specificity.as_ref().map(|it| source.at(it)),
            "which rule says more is decided in another way",
        ),
        (
            "tokenEfficiency",
            raw.token_efficiency.as_ref().filter(asked).map(|it| source.at(it)),
            "how words are told from secrets is decided in another way",
        ),
    ];
    let mut ignored = Vec::new();
    for (key, at, why) in keys {
        match at {
            Some(at) if !source.lenient => {
                return Err(Error::Foreign { at, key, rule: Some(raw.id.as_ref().clone()), why });
            }
            Some(_) => ignored.push(key),
            None => {}
        }
    }
    Ok(ignored)
}

/// The least entropy and the allowlists that say what an expression says.
pub(super) fn filter(
    source: &Source<'_>,
    key: &'static str,
    said: Option<&Spanned<String>>,
    rule: Option<&String>,
    ignored: &mut Vec<&'static str>,
) -> Result<(Option<f64>, Vec<Allowlist>), Error> {
    let Some(said) = said.filter(|text| !text.as_ref().trim().is_empty()) else { return Ok((None, Vec::new())) };
    // How much of a secret is chance, a list for all rules cannot ask.
    let read = expression::read(said.as_ref()).filter(|filter| rule.is_some() || filter.entropy.is_none());
    let Some(read) = read else {
        if source.lenient {
            ignored.push(key);
            return Ok((None, Vec::new()));
        }
        let why = "it is more than alternatives of entropy, matchesAny and containsAny";
        return Err(Error::Foreign { at: source.at(said), key, rule: rule.cloned(), why });
    };
    let list = |list: &expression::List| {
        let regexes = list.regexes.iter().map(|go| source.regex_in(said, go)).collect::<Result<Vec<_>, Error>>()?;
        let description = format!("{key} of the rule file");
        Ok(match list.target {
            None => Allowlist { description, paths: regexes, ..Allowlist::default() },
            Some(regex_target) => Allowlist { description, regexes, regex_target, ..Allowlist::default() },
        })
    };
    let lists = read.lists.iter().filter(|list| !list.regexes.is_empty()).map(list).collect::<Result<_, Error>>()?;
    Ok((read.entropy, lists))
}

fn required(source: &Source<'_>, raw: &RawRequired) -> (Required, At) {
    let RawRequired { id, within_lines, within_columns } = raw;
    let required = Required { rule: id.as_ref().clone(), within_lines: *within_lines, within_columns: *within_columns };
    (required, source.at(id))
}

const CONFIDENCES: [Confidence; 3] = [Confidence::Low, Confidence::Medium, Confidence::High];
const SEVERITIES: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<(&'static str, T)> {
    all.iter().map(|&value| (word(value), value)).collect()
}

fn replace<T>(field: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *field = said;
    }
}

fn append(list: &mut Vec<String>, more: impl Iterator<Item = String>) {
    for word in more {
        if !list.contains(&word) {
            list.push(word);
        }
    }
}

fn entropy(source: &Source<'_>, bits: &Spanned<f64>) -> Result<f64, Error> {
    if (0.0..=8.0).contains(bits.as_ref()) { Ok(*bits.as_ref()) } else { Err(Error::Entropy { at: source.at(bits) }) }
}

/// The allowlists of either form; gitleaks refuses both at once.
pub(super) fn both_forms(
    source: &Source<'_>,
    older: Option<Spanned<RawAllowlist>>,
    mut newer: Vec<Spanned<RawAllowlist>>,
) -> Result<Vec<Spanned<RawAllowlist>>, Error> {
    match older {
        Some(older) if !newer.is_empty() => Err(Error::BothAllowlists { at: source.at(&older) }),
        older => {
            newer.extend(older);
            Ok(newer)
        }
    }
}

/// One allowlist, except for the rules it names: whether they exist is known only later.
pub(crate) fn allowlist(source: &Source<'_>, spanned: &Spanned<RawAllowlist>) -> Result<Allowlist, Error> {
    let raw = spanned.as_ref();
    let regexes = |all: &[Spanned<String>]| all.iter().map(|go| source.regex(go)).collect::<Result<Vec<_>, _>>();
    let list = Allowlist {
        description: raw.reason.clone().or(raw.description.clone()).unwrap_or_default(),
        condition: condition(source, raw.condition.as_ref())?,
        target_rules: Vec::new(),
        paths: regexes(&raw.paths)?,
        regexes: regexes(&raw.regexes)?,
        regex_target: source.word("regexTarget", raw.regex_target.as_ref(), &TARGETS)?.unwrap_or_default(),
        stopwords: raw.stopwords.iter().map(|word| word.to_lowercase()).filter(|word| !word.is_empty()).collect(),
        commits: raw.commits.iter().map(|id| id.trim().to_lowercase()).filter(|id| !id.is_empty()).collect(),
        fingerprints: raw.fingerprints.iter().map(|text| fingerprint(source, text)).collect::<Result<_, _>>()?,
        builtin: source.ours,
    };
    let conditions = [&list.paths, &list.regexes].map(Vec::len).iter().sum::<usize>()
        + [&list.stopwords, &list.commits].map(Vec::len).iter().sum::<usize>();
    if conditions + list.fingerprints.len() == 0 {
        let expected = "paths, regexes, stopwords, commits, fingerprints";
        return Err(Error::EmptyAllowlist { at: source.at(spanned), expected });
    }
    Ok(list)
}

const TARGETS: [(&str, RegexTarget); 4] = [
    ("secret", RegexTarget::Secret),
    ("match", RegexTarget::Match),
    ("line", RegexTarget::Line),
    ("", RegexTarget::Secret),
];

fn condition(source: &Source<'_>, said: Option<&Spanned<String>>) -> Result<Condition, Error> {
    let Some(said) = said else { return Ok(Condition::Or) };
    match said.as_ref().to_ascii_uppercase().as_str() {
        "" | "OR" | "||" => Ok(Condition::Or),
        "AND" | "&&" => Ok(Condition::And),
        _ => source
            .word("condition", Some(said), &[("OR", Condition::Or), ("AND", Condition::And)])
            .map(|word| word.unwrap_or_default()),
    }
}

fn fingerprint(source: &Source<'_>, text: &Spanned<String>) -> Result<Fingerprint, Error> {
    Fingerprint::parse(text.as_ref()).ok_or_else(|| Error::Word {
        at: source.at(text),
        key: "a fingerprint",
        word: text.as_ref().chars().take(8).collect(),
        expected: "the 32 hex digits that a report shows".to_owned(),
    })
}

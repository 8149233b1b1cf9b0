//! Weighs what speaks for and against a candidate that no proof decides.
//!
//! Each sign has points (`sign`); a candidate of at least [`THRESHOLD`] is of medium confidence, any other of low. The
//! points are those of a logistic model: ten of them make it about three times as likely that a candidate is a secret.
//! All is a function of the match and of [`context::AROUND`] bytes on either side of it, so it does not matter how an
//! object was cut. What stands behind a match only ever takes points away, so that a stream that is judged before all
//! of it has come hides nothing.

use std::borrow::Cow;
use std::ops::Range;

mod between;
pub mod context;
mod language;
mod location;
mod model;
mod name;
mod path;
mod pattern;
pub mod sign;
mod syntax;
mod value;
mod words;

pub use sign::{Class, Sign, THRESHOLD};

use super::escape::unescape;
use super::manifest;
use super::proof::credentials;
use crate::finding::Evidence;
use crate::rule::{Confidence, ProofKind, Rule};
use context::Setting;

/// What was found out about a candidate so far, without its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Each piece, in the order of the documentation.
    pub evidence: Vec<Evidence>,
    class: Class,
    /// The value has no quotes, and stands in none.
    bare: bool,
    /// It looks like a name, which it is in source code.
    nominal: bool,
    /// It was drawn at random: no word of any language is.
    drawn: bool,
    /// Something else says that it is a secret, whatever its rule makes of its shape.
    believed: bool,
}

/// The class of a rule; `None` for rules of the user's, who said what they want.
pub fn class(rule: &Rule) -> Option<Class> {
    let tagged = rule.tags.iter().any(|tag| tag == "generic");
    match (rule.provider.as_str(), tagged) {
        ("generic" | "url" | "http-auth", _) | ("", true) => Some(Class::Generic),
        _ if rule.kind == manifest::KIND => Some(Class::Generic),
        ("", false) => None,
        ("password-hash", _) => Some(Class::Placed),
        (_, true) => Some(Class::Context),
        (_, false) => Some(Class::Prefixed),
    }
}

/// How its matches are written: an assignment, a URL, a header.
fn form(rule: &Rule) -> &str {
    match rule.provider.as_str() {
        "url" => "url",
        "http-auth" => "authorization",
        _ => &rule.kind,
    }
}

/// Judges the secret at `span` of a match. `ahead` tells whether what stands behind the match is known.
pub fn judge(rule: &Rule, bytes: &[u8], matched: &Range<usize>, span: &Range<usize>, ahead: bool) -> Option<Judgement> {
    let class = class(rule)?;
    let from = matched.start.saturating_sub(context::AROUND);
    let to = if ahead { bytes.len().min(matched.end + context::AROUND) } else { matched.end };
    let shift = |range: &Range<usize>| range.start - from..range.end - from;
    let setting = Setting { bytes: &bytes[from..to], matched: shift(matched), span: shift(span) };
    let (read, repeats) = readable(rule, setting.value());
    // What is base64 of a text is judged by that.
    let written = if class == Class::Generic && form(rule) != "url" { value::written(&read) } else { None };
    let is_documented = written.is_some() && pattern::is_documented(&read);
    let read = written.map_or(read, Cow::Owned);
    let mut given: Vec<Evidence> = Vec::new();
    let mut give = |sign: &'static Sign, detail: String| {
        let weight = sign.weight(class);
        if weight != 0 && !given.iter().any(|one| one.name == sign.name) {
            // Details are made of numbers and of words of ours; nothing keeps a secret from being one of them.
            let shown = !detail.is_empty()
                && [setting.value(), &read].iter().any(|part| memchr::memmem::find(detail.as_bytes(), part).is_some());
            given.push(Evidence { name: sign.name, weight, detail: if shown { String::new() } else { detail } });
        }
    };
    give(&sign::RULE, String::new());
    if is_documented {
        give(&sign::DOCUMENTED, String::new());
    }
    of_value(rule, class, &setting, &read, &mut give);
    if repeats && matches!(class, Class::Context | Class::Generic) {
        give(&sign::SAME_AS_NAME, "the user's name".to_owned());
    }
    if class == Class::Generic {
        of_name(rule, &setting, &mut give);
    }
    let bare = rule.kind == "assignment" && !setting.is_quoted() && !setting.is_in_string();
    let nominal = bare && context::may_be_chosen(&setting);
    let random = given.iter().any(|one| one.name == sign::RANDOM.name);
    let drawn = random && read.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2;
    let mut judgement = Judgement { evidence: given, class, bare, nominal, drawn, believed: false };
    judgement.sort();
    Some(judgement)
}

/// What a key behind a passphrase is worth before its path is known: one in a test has its passphrase beside it, and opens nothing.
pub fn guarded() -> Judgement {
    let weight = sign::RULE.weight(Class::Placed);
    let evidence = vec![Evidence { name: sign::RULE.name, weight, detail: "a passphrase guards it".to_owned() }];
    Judgement { evidence, class: Class::Placed, bare: false, nominal: false, drawn: false, believed: false }
}

/// What the value says, and what stands around it.
fn of_value(
    rule: &Rule,
    class: Class,
    setting: &Setting<'_>,
    read: &[u8],
    give: &mut dyn FnMut(&'static Sign, String),
) {
    if class == Class::Prefixed {
        return value::signs(body(rule, read), give);
    }
    let form = if class == Class::Placed { "" } else { form(rule) };
    // Where a password must stand, a short one is one.
    let placed = matches!(form, "url" | "authorization");
    // What stands behind an id, in a URL or a command, below a header or behind a name that says password is a secret, in a list of many, too.
    let is_hash = || read.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let is_password = || class == Class::Generic && name::is_of_password(setting) && !is_hash();
    let commanded = matches!(form, "argument" | "url") || rule.provider == "command-line";
    let beside = matches!(rule.kind.as_str(), "beside-id" | "column" | "key-column") || commanded || is_password();
    let secretive = class == Class::Generic && (rule.kind == manifest::KIND || name::is_of_secret(setting));
    value::signs(read, &mut |sign, detail| {
        let is_exempt = (placed && sign.name == sign::BRIEF.name) || (secretive && sign.name == sign::UUID.name);
        if !is_exempt {
            give(sign, detail);
        }
    });
    context::surroundings(setting, class, &mut |sign, detail| {
        // A header is none of what generated code has by itself: it may stand in a log or a recording, whose lines are long.
        let is_exempt = match () {
            () if sign.name == sign::LONG_LINE.name => form == "authorization",
            () => beside && sign.name == sign::NEIGHBOURS.name,
        };
        if !is_exempt {
            give(sign, detail);
        }
    });
}

/// What the name says that a generic value is given to, and how that is written.
fn of_name(rule: &Rule, setting: &Setting<'_>, give: &mut dyn FnMut(&'static Sign, String)) {
    let mut form = form(rule);
    // `server.ssl.key-store-password=…`: no option of a command.
    let is_option = setting.name().starts_with(b"-");
    if form == "argument" && !is_option && setting.bytes[setting.matched.start] == b'-' && setting.is_given_by(b'=') {
        form = "assignment";
    }
    if form == manifest::KIND {
        give(&sign::SETTING, "a value of a Kubernetes Secret".to_owned());
        return name::of_secret(setting, give);
    }
    if matches!(form, "assignment" | "default" | "element") {
        name::signs(setting, give);
    }
    if rule.kind == "header" || (form == "argument" && is_option) {
        name::against(setting, give);
    }
    context::writing(setting, form, give);
    if !matches!(form, "url" | "authorization") {
        name::sameness(setting, give);
    }
    if matches!(form, "assignment" | "element") {
        name::slugs(setting, give);
    }
}

/// Whether nothing in the value itself speaks against it, and for a generic rule something for it: so an example must be.
pub(super) fn is_credible(rule: &Rule, token: &[u8]) -> bool {
    // The lines around a key are prose; one that reads to its end is never weighed.
    let Some(class) = class(rule).filter(|_| rule.proof != Some(ProofKind::PrivateKey)) else { return true };
    let (mut sum, mut least) = (0, 0);
    value::signs(body(rule, &readable(rule, token).0), &mut |sign, _| {
        sum += sign.weight(class);
        least = least.min(sign.weight(class));
    });
    least == 0 && (class != Class::Generic || sum > 0)
}

/// What of a value there is to judge: of credentials in base64 the password, and whether it repeats the user.
fn readable<'v>(rule: &Rule, value: &'v [u8]) -> (Cow<'v, [u8]>, bool) {
    let parts = || credentials::parts(&unescape(value));
    match if rule.proof == Some(ProofKind::Credentials) { parts() } else { None } {
        Some(parts) => {
            let repeats = parts.secret == parts.user;
            (Cow::Owned(parts.secret), repeats)
        }
        // `"\u041f\u0430\u0440\u043e\u043b\u044c"`
        None => (value::spelled(value).map_or(Cow::Borrowed(value), Cow::Owned), false),
    }
}

/// A token without the prefix that its rule knows.
fn body<'v>(rule: &Rule, value: &'v [u8]) -> &'v [u8] {
    let lower = value.to_ascii_lowercase();
    let end = |keyword: &String| Some(memchr::memmem::find(&lower, keyword.as_bytes())? + keyword.len());
    let end = rule.keywords.iter().filter_map(end).filter(|end| end + 8 <= value.len()).max().unwrap_or(0);
    &value[end..]
}

impl Judgement {
    fn sort(&mut self) {
        let place = |evidence: &Evidence| sign::ALL.iter().position(|sign| sign.name == evidence.name);
        self.evidence.sort_by_key(place);
    }

    /// The points of all that was found out.
    pub fn points(&self) -> i32 {
        self.evidence.iter().map(|one| one.weight).sum()
    }

    /// Adds what the paths say: of several, the one that speaks least against it. `None` is a place without a path.
    pub fn at(&mut self, paths: &[Option<&[u8]>]) {
        let weigh = |path: &Option<&[u8]>| {
            let signs = path.map_or_else(Vec::new, |path| path::signs(path, self.bare, self.nominal));
            let holds =
                |sign: &&Sign| sign.weight(self.class) != 0 && !(self.drawn && sign.name == sign::LOCALE_FILE.name);
            signs.into_iter().filter(holds).collect::<Vec<_>>()
        };
        let points = |signs: &Vec<&'static Sign>| signs.iter().map(|sign| sign.weight(self.class)).sum::<i32>();
        let best = paths.iter().map(weigh).max_by_key(points).unwrap_or_default();
        let class = self.class;
        let made = |sign: &Sign| Evidence { name: sign.name, weight: sign.weight(class), detail: String::new() };
        self.evidence.extend(best.into_iter().map(made));
        self.sort();
    }

    /// Something else says that it is a secret.
    pub(super) fn believe(&mut self) {
        self.believed = true;
    }

    /// How sure that makes us of a candidate whose rule says `most`. A generic rule says nothing by itself; any other
    /// rule's word is raised by nothing here, as whoever wrote it knows what its shape is worth.
    pub fn confidence(&self, most: Confidence) -> Confidence {
        let most = if self.believed { most.max(Confidence::Medium) } else { most };
        if self.points() >= THRESHOLD { most } else { Confidence::Low }
    }
}

#[cfg(test)]
mod tests;

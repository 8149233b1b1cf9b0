//! Makes example tokens of the right shape and checksum, so that none need be stored.

mod sample;

use std::ops::Range;

use data_encoding::BASE64;
use regex::bytes::Regex;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use crate::detect::escape::unescape;
use crate::detect::evidence::is_credible;
use crate::detect::proof::{atlassian, azure, checksum, fly, form, github, gitlab, jwt, key, macaroon, prove, vault};
use crate::finding::Proof;
use crate::rule::{ProofKind, RegexTarget, Rule, compile};
use crate::secret::entropy;
use sample::{Random, sample};

/// How many tokens are drawn before giving up: a draw may look like a placeholder, or miss the pattern by its edges.
const TRIES: u64 = 256;
/// A token with this many equal characters in a row would look like a placeholder.
const SAME: usize = 4;
/// A token of this many characters is no placeholder for having some in a row.
const LONG: usize = 150;

/// A token that `rule` finds and whose proof holds. The same seed makes the same token.
/// `None` if the rule has no pattern, or one of which no such token could be drawn.
pub fn mint(rule: &Rule, seed: u64) -> Option<String> {
    Press::new(rule)?.token(seed)
}

/// A token of the rule's shape whose proof fails. `None` if the rule has no proof that can fail on one character.
pub fn mint_broken(rule: &Rule, seed: u64) -> Option<String> {
    Press::new(rule)?.broken(seed)
}

/// Mints for one rule; making it costs the compilation of the rule's pattern.
pub struct Press<'r> {
    rule: &'r Rule,
    hir: Hir,
    pattern: Regex,
    /// What is drawn.
    group: usize,
}

impl<'r> Press<'r> {
    /// `None` if the rule has no pattern, or none that compiles.
    pub fn new(rule: &'r Rule) -> Option<Self> {
        if rule.regex.is_empty() {
            return None;
        }
        let pattern = compile(&rule.regex).ok()?;
        let group = if rule.leads() { pattern.captures_len() - 1 } else { rule.secret_group };
        Some(Press { rule, hir: parse(&rule.regex)?, pattern, group })
    }

    /// As [`mint`].
    pub fn token(&self, seed: u64) -> Option<String> {
        (0..TRIES).find_map(|attempt| {
            let mut random = Random::new(seed.wrapping_mul(TRIES).wrapping_add(attempt));
            let drawn = sample(&self.hir, self.group, &mut random)?;
            let token = match self.rule.proof {
                Some(kind) => seal(self.rule, kind, &drawn, &mut random)?,
                None => drawn.clone(),
            };
            let good = holds(self.rule, &token)
                && is_credible(self.rule, &token)
                && credible(self.rule, &token)
                && self.stands_alone(&token)
                && (self.pattern.is_match(&token) || !self.pattern.is_match(&drawn));
            if good { String::from_utf8(token).ok() } else { None }
        })
    }

    /// As [`mint_broken`].
    pub fn broken(&self, seed: u64) -> Option<String> {
        let kind = self.rule.proof?;
        let token = self.token(seed)?.into_bytes();
        // From the end: a checksum stands there. A JSON Web Token breaks in its payload, further in front.
        let broken = (0..token.len()).rev().find_map(|at| {
            let mut broken = token.clone();
            broken[at] = if broken[at] == b'1' { b'2' } else { b'1' };
            let fails = matches!(prove(kind, &broken, 0).proof, Proof::Fails(_));
            (fails && self.stands_alone(&broken)).then_some(broken)
        })?;
        String::from_utf8(broken).ok()
    }

    /// As [`expand`].
    pub fn expand(&self, example: &str, seed: u64) -> Option<String> {
        let numbered = |number: u64| seed.wrapping_mul(1 << 16).wrapping_add(number);
        let mut text = String::with_capacity(example.len() + 64);
        let mut rest = example;
        // Counted from far above what anybody writes, so that `<mint>` and `<mint:2>` never agree by accident.
        let mut next = 1 << 15;
        while let Some(at) = rest.find("<mint") {
            let (before, after) = rest.split_at(at);
            let (word, after) = after["<mint".len()..].split_once('>')?;
            text.push_str(before);
            text.push_str(&match word.strip_prefix(':') {
                None if word.is_empty() => self.token(numbered(next)),
                Some("broken") => self.broken(numbered(next)),
                Some(number) => self.token(numbered(number.parse().ok()?)),
                None => None,
            }?);
            next += 1;
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }

    /// Whether the pattern, where its secret is all of it, finds exactly the token. A pattern that needs context is
    /// not judged here.
    fn stands_alone(&self, token: &[u8]) -> bool {
        let Some(found) = self.pattern.captures(token) else { return true };
        let group = match self.rule.secret_group {
            0 => found.iter().skip(1).flatten().next().or_else(|| found.get(0)),
            group => found.get(group),
        };
        group.is_some_and(|secret| secret.range() == (0..token.len()))
    }
}

/// The text of `example` with tokens in place of `<mint>` (each occurrence another one), `<mint:2>` (the same number,
/// the same token) and `<mint:broken>`. Without any of these it is as it is. `None` if a token cannot be made, or the
/// text between `<mint:` and `>` is neither a number nor `broken`.
pub fn expand(rule: &Rule, example: &str, seed: u64) -> Option<String> {
    if !example.contains("<mint") {
        return Some(example.to_owned());
    }
    Press::new(rule)?.expand(example, seed)
}

/// Gives the drawn token the checksum or the structure that its proof asks for.
fn seal(rule: &Rule, kind: ProofKind, drawn: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut token = unescape(drawn).into_owned();
    match kind {
        ProofKind::GithubCrc32 => github::seal_crc32(&mut token)?,
        ProofKind::GithubPatSha256 => github::seal_pat_sha256(&mut token)?,
        ProofKind::AtlassianCrc32 => atlassian::seal_crc32(&mut token)?,
        ProofKind::GitlabRoutable => {
            let versioned = token.iter().filter(|&&byte| byte == b'.').count() > 1;
            let routing = format!("o:1\nu:{}", random.below(1_000_000));
            return gitlab::make(routable_prefix(rule, &token)?, random.bytes(), &routing, versioned);
        }
        ProofKind::DataCenter => {
            let prefixed = token.starts_with(b"BBDC-");
            return Some(atlassian::make_data_center(prefixed, random.below(1_000_000_000_000), random.bytes()));
        }
        ProofKind::Jwt => {
            let prefix = find(&token, b"eyJ")?.start;
            let signature = token.iter().rposition(|&byte| byte == b'.')? + 1;
            return Some(jwt::make(&token[..prefix], random.below(u64::MAX), &token[signature..]));
        }
        ProofKind::PrivateKey => return Some(key::make(&token, &mut || random.below(256) as u8)),
        ProofKind::PolarCrc32 => checksum::POLAR.seal(&mut token)?,
        ProofKind::MatrixCrc32 => checksum::MATRIX.seal(&mut token)?,
        ProofKind::GrafanaCrc32 => checksum::GRAFANA.seal(&mut token)?,
        ProofKind::CloudflareCrc32 => checksum::CLOUDFLARE.seal(&mut token)?,
        ProofKind::CashfreeCrc32 => checksum::CASHFREE.seal(&mut token)?,
        ProofKind::HoneybadgerCrc32 => checksum::HONEYBADGER.seal(&mut token)?,
        ProofKind::NatsCrc16 => checksum::seal_nats(&mut token)?,
        ProofKind::AzureMarvin32 => azure::seal(&mut token)?,
        ProofKind::Base64 => {
            let inner = sample(&parse(&format!("({})", form::pattern(&token)?))?, 1, random)?;
            return form::make(&token, &inner);
        }
        ProofKind::Credentials => {
            let inner = sample(&parse("[a-z]{6}:[0-9A-Za-z]{16}")?, 0, random)?;
            return Some(BASE64.encode(&inner).into_bytes());
        }
        ProofKind::PypiMacaroon => {
            let test = token.starts_with(b"pypi-AgEN");
            return Some(macaroon::make(if test { "test.pypi.org" } else { "pypi.org" }, random.bytes()));
        }
        ProofKind::FlyMacaroon => {
            let prefix = token.iter().position(|&byte| byte == b'_')? + 1;
            return Some(fly::make(&token[..prefix], random.bytes()));
        }
        ProofKind::VaultProtobuf => return Some(vault::make(random.bytes(), random.bytes())),
        ProofKind::AwsAccount => {}
    }
    Some(token)
}

fn parse(pattern: &str) -> Option<Hir> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()
}

/// What stands before the payload: everything up to the kind's prefix, which is the keyword, and a runner's `t1_`.
/// Where the pattern says nothing of a prefix, a few characters of what was drawn.
fn routable_prefix<'t>(rule: &Rule, token: &'t [u8]) -> Option<&'t [u8]> {
    let head = token.split(|&byte| byte == b'.').next()?;
    let places = rule.keywords.iter().filter_map(|keyword| find(head, keyword.as_bytes()));
    let end = places.map(|place| place.end).min().unwrap_or(head.len().min(6));
    let runner = matches!(token[end..], [b't', b'1'..=b'3', b'_', ..]);
    Some(&token[..if runner { end + 3 } else { end }])
}

fn find(text: &[u8], needle: &[u8]) -> Option<Range<usize>> {
    let at = text.windows(needle.len()).position(|window| window == needle)?;
    Some(at..at + needle.len())
}

fn holds(rule: &Rule, token: &[u8]) -> bool {
    rule.proof.is_none_or(|kind| match prove(kind, token, 0).proof {
        Proof::Holds(_) => true,
        Proof::Absent => !kind.can_hold(),
        Proof::Fails(_) => false,
    })
}

/// Whether nobody would take the token for a placeholder: no filler, nothing that the rule's own lists allow.
fn credible(rule: &Rule, token: &[u8]) -> bool {
    // In something as long as a key, four of a kind come by chance, and dashes stand around it.
    let filler = token.len() < LONG && token.chunk_by(|a, b| a == b).any(|same| same.len() >= SAME);
    let allowed = rule.allowlists.iter().any(|list| {
        list.regex_target == RegexTarget::Secret && list.regexes.iter().any(|regex| regex.is_match(token))
            || list.stopwords.iter().any(|word| find(&token.to_ascii_lowercase(), word.as_bytes()).is_some())
    });
    let digit = !rule.requires_digit || token.iter().any(u8::is_ascii_digit);
    !filler && !allowed && digit && rule.entropy.is_none_or(|least| entropy(token) >= least)
}

#[cfg(test)]
mod tests;

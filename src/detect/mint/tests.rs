//! Every rule of ours against its own examples, before there is an engine: the pattern over the whole text.

use std::path::Path;

use proptest::prelude::*;
use regex::bytes::Captures;
use serde::Deserialize;

use super::*;
use crate::rule::{Allowlist, Confidence, Severity};

const FILES: &[(&str, &str)] = &[
    ("atlassian", include_str!("../../../rules/atlassian.toml")),
    ("bitbucket", include_str!("../../../rules/bitbucket.toml")),
    ("github", include_str!("../../../rules/github.toml")),
    ("gitlab", include_str!("../../../rules/gitlab.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    id: String,
    description: String,
    provider: String,
    kind: String,
    regex: String,
    keywords: Vec<String>,
    entropy: Option<f64>,
    proof: Option<String>,
    confidence: Option<String>,
    severity: String,
    #[serde(rename = "random_bits", default)]
    random_bits: u32,
    #[serde(default)]
    tags: Vec<String>,
    remedy: String,
    references: Vec<String>,
    leaks: Vec<String>,
    clean: Vec<String>,
    #[serde(default)]
    allowlists: Vec<List>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    description: String,
    #[serde(default)]
    regexes: Vec<String>,
    regex_target: Option<String>,
    #[serde(default)]
    stopwords: Vec<String>,
}

fn bytes_regex(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn allowlist(list: List) -> Allowlist {
    Allowlist {
        description: list.description,
        regexes: list.regexes.iter().map(|pattern| bytes_regex(pattern)).collect(),
        regex_target: match list.regex_target.as_deref() {
            None => RegexTarget::Secret,
            Some("match") => RegexTarget::Match,
            Some(other) => panic!("regexTarget {other}"),
        },
        stopwords: list.stopwords,
        ..Allowlist::default()
    }
}

fn rule(entry: Entry) -> Rule {
    let words = [Confidence::Low, Confidence::Medium, Confidence::High];
    let confidence = entry.confidence.as_deref().unwrap_or("medium");
    let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    let known = |word: &str| ProofKind::ALL.iter().copied().find(|kind| kind.as_str() == word).expect(word);
    Rule {
        id: entry.id,
        description: entry.description,
        provider: entry.provider,
        kind: entry.kind,
        regex: entry.regex,
        secret_group: 0,
        keywords: entry.keywords,
        entropy: entry.entropy,
        path: None,
        tags: entry.tags,
        proof: entry.proof.as_deref().map(known),
        confidence: words.into_iter().find(|word| word.as_str() == confidence).expect("a confidence"),
        severity: severities.into_iter().find(|word| word.as_str() == entry.severity).expect("a severity"),
        random_bits: entry.random_bits,
        remedy: entry.remedy,
        references: entry.references,
        leaks: entry.leaks,
        clean: entry.clean,
        allowlists: entry.allowlists.into_iter().map(allowlist).collect(),
        skip_report: false,
    }
}

fn rules() -> Vec<Rule> {
    FILES.iter().flat_map(|(_, text)| toml::from_str::<File>(text).unwrap().rules).map(rule).collect()
}

/// One hit of one rule: how sure, and the secret with escapes undone and what does not belong to it left out.
#[derive(Debug)]
struct Hit {
    confidence: Confidence,
    range: Range<usize>,
    secret: Vec<u8>,
}

fn secret_of(found: &Captures<'_>) -> Range<usize> {
    found.iter().skip(1).flatten().next().or_else(|| found.get(0)).unwrap().range()
}

fn allowed(rule: &Rule, whole: &[u8], secret: &[u8]) -> bool {
    let lower = secret.to_ascii_lowercase();
    rule.allowlists.iter().any(|list| {
        let target = if list.regex_target == RegexTarget::Match { whole } else { secret };
        list.regexes.iter().any(|regex| regex.is_match(target))
            || list.stopwords.iter().any(|word| find(&lower, word.as_bytes()).is_some())
    })
}

fn hits(rule: &Rule, pattern: &Regex, text: &[u8]) -> Vec<Hit> {
    let found = pattern.captures_iter(text);
    let hit = |found: Captures<'_>| {
        let whole = &found[0];
        let holds_keyword =
            rule.keywords.iter().any(|word| find(&whole.to_ascii_lowercase(), word.as_bytes()).is_some());
        assert!(holds_keyword, "{}: a match without a keyword", rule.id);
        let range = secret_of(&found);
        let secret = unescape(&text[range.clone()]).into_owned();
        let proven = rule.proof.map(|kind| prove(kind, &secret, 0));
        let confidence = match proven.as_ref().map(|proven| &proven.proof) {
            Some(Proof::Holds(_)) => Confidence::High,
            Some(Proof::Fails(_)) => Confidence::Low,
            Some(Proof::Absent) | None => {
                let random = rule.entropy.is_none_or(|least| entropy(&secret) > least);
                if !random || allowed(rule, whole, &secret) {
                    return None;
                }
                rule.confidence
            }
        };
        let skip = proven.map_or(0, |proven| proven.skip);
        Some(Hit { confidence, range: range.start + skip..range.end, secret: secret[skip..].to_vec() })
    };
    found.filter_map(hit).collect()
}

#[test]
fn every_rule_says_all_it_must() {
    let mut ids = std::collections::BTreeSet::new();
    for (name, text) in FILES {
        for rule in toml::from_str::<File>(text).unwrap().rules {
            assert_eq!(&rule.provider, name);
            assert!(rule.id.starts_with(name), "{}", rule.id);
            assert!(!rule.leaks.is_empty() && !rule.clean.is_empty(), "{} has both kinds of examples", rule.id);
            assert!(!rule.remedy.is_empty() && !rule.references.is_empty() && !rule.keywords.is_empty(), "{}", rule.id);
            assert!(rule.keywords.iter().all(|word| *word == word.to_ascii_lowercase()), "{}", rule.id);
            assert!(ids.insert(rule.id.clone()), "{} twice", rule.id);
        }
    }
}

#[test]
fn every_pattern_has_a_longest_match() {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    for rule in rules() {
        let longest = parser.parse(&rule.regex).unwrap().properties().maximum_len();
        assert!(longest.is_some_and(|longest| longest < crate::chunk::MARGIN / 2), "{}: {longest:?}", rule.id);
    }
}

#[test]
fn every_leak_is_found_whole() {
    for rule in rules() {
        let pattern = bytes_regex(&rule.regex);
        for (example, seed) in
            rule.leaks.iter().zip(0..).flat_map(|(text, n)| (0..20).map(move |s| (text, n * 100 + s)))
        {
            let text = expand(&rule, example, seed).unwrap_or_else(|| panic!("{}: {example} expands", rule.id));
            let found = hits(&rule, &pattern, text.as_bytes());
            let least = if rule.proof == Some(ProofKind::GithubPatSha256) || rule.proof.is_none() {
                rule.confidence
            } else {
                Confidence::High
            };
            let wanted = example.matches("<mint").count().max(1);
            let sure = found.iter().filter(|hit| hit.confidence >= least).count();
            assert_eq!(sure, wanted, "{}: {example:?} seed {seed}: {found:?} in {text}", rule.id);
        }
    }
}

#[test]
fn no_clean_text_is_reported() {
    for rule in rules() {
        let pattern = bytes_regex(&rule.regex);
        for (example, seed) in
            rule.clean.iter().zip(0..).flat_map(|(text, n)| (0..20).map(move |s| (text, n * 100 + s)))
        {
            let text = expand(&rule, example, seed).unwrap_or_else(|| panic!("{}: {example} expands", rule.id));
            let found = hits(&rule, &pattern, text.as_bytes());
            let most = if rule.proof.is_some() { Confidence::Medium } else { rule.confidence.min(Confidence::Medium) };
            assert!(found.iter().all(|hit| hit.confidence < most), "{}: {example:?}: {found:?} in {text}", rule.id);
        }
    }
}

#[test]
fn a_minted_token_is_the_secret_in_its_first_leak() {
    for rule in rules() {
        let pattern = bytes_regex(&rule.regex);
        for seed in 0..200 {
            let token = mint(&rule, seed).unwrap_or_else(|| panic!("{} mints {seed}", rule.id));
            assert_eq!(Some(&token), mint(&rule, seed).as_ref(), "the same seed, the same token");
            let text = rule.leaks[0].replace("<mint>", &token);
            let found = hits(&rule, &pattern, text.as_bytes());
            let whole = found.iter().any(|hit| hit.secret == token.as_bytes());
            assert!(whole, "{}: {token} in {text}: {found:?}", rule.id);
            assert!(holds(&rule, token.as_bytes()) || rule.proof == Some(ProofKind::GithubPatSha256), "{}", rule.id);
        }
    }
}

/// A token belongs to one rule: no neighbour finds a shorter twin in it, save rules about contexts.
#[test]
fn no_token_has_a_twin_under_another_rule() {
    let rules: Vec<(Rule, Regex)> =
        rules().into_iter().map(|rule| (bytes_regex(&rule.regex), rule)).map(|(p, r)| (r, p)).collect();
    let generic = |rule: &Rule| rule.tags.iter().any(|tag| tag == "generic");
    for (rule, _) in rules.iter().filter(|(rule, _)| !generic(rule)) {
        for seed in 0..50 {
            let text = format!("x = \"{}\"\n", mint(rule, seed).unwrap());
            for (other, pattern) in rules.iter().filter(|(other, _)| other.id != rule.id && !generic(other)) {
                let found = hits(other, pattern, text.as_bytes());
                assert!(found.is_empty(), "{} in a token of {}: {found:?} in {text}", other.id, rule.id);
            }
        }
    }
}

/// Nothing that looks alive is stored in the repository.
#[test]
fn no_file_of_ours_holds_a_token() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/detect");
    let mut texts: Vec<String> = FILES.iter().map(|&(_, text)| text.to_owned()).collect();
    let mut folders = vec![sources];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                texts.push(std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(texts.len() > FILES.len());
    for rule in rules().iter().filter(|rule| !rule.tags.iter().any(|tag| tag == "generic")) {
        let pattern = bytes_regex(&rule.regex);
        for text in &texts {
            let found = hits(rule, &pattern, text.as_bytes());
            assert!(found.iter().all(|hit| hit.confidence < Confidence::Medium), "{}: {found:?}", rule.id);
        }
    }
}

fn by_id(id: &str) -> (Rule, Regex) {
    let rule = rules().into_iter().find(|rule| rule.id == id).expect(id);
    let pattern = bytes_regex(&rule.regex);
    (rule, pattern)
}

/// The secrets that `id` finds in `text`, as text.
fn secrets(id: &str, text: &str) -> Vec<String> {
    let (rule, pattern) = by_id(id);
    let text = expand(&rule, text, 7).unwrap();
    let found = hits(&rule, &pattern, text.as_bytes());
    found.into_iter().map(|hit| String::from_utf8(hit.secret).unwrap()).collect()
}

#[test]
fn an_instance_prefix_belongs_to_the_token() {
    let (rule, _) = by_id("gitlab-pat");
    let token = expand(&rule, "<mint:1>", 7).unwrap();
    let whole = format!("mycorp-{token}");
    for text in ["token=mycorp-<mint:1>", r#""\nmycorp-<mint:1>\n""#, "a%3Dmycorp-<mint:1>", "'mycorp-<mint:1>'"] {
        assert_eq!(secrets("gitlab-pat", text), [whole.as_str()], "{text}");
    }
    for text in [
        "--<mint:1>",
        "incoming+project-1-<mint:1>@x",
        "TOKEN_<mint:1>",
        "a_name_longer_than_twenty_characters-<mint:1>",
    ] {
        assert_eq!(secrets("gitlab-pat", text), [token.as_str()], "{text}");
    }
}

#[test]
fn the_checksum_decides_how_long_a_prefix_is() {
    let token = gitlab::make(b"mycorp-glpat-", [9; 16], "o:1\nu:2", true).unwrap();
    let token = String::from_utf8(token).unwrap();
    for before in ["", "x=", "TOKEN_", "--", "a-b-c-", "\\n"] {
        assert_eq!(secrets("gitlab-pat-routable", &format!("{before}{token} ")), [token.as_str()], "{before}");
    }
}

#[test]
fn escapes_inside_a_token_are_undone() {
    let (rule, _) = by_id("atlassian-api-token");
    let token = (0..).find_map(|seed| mint(&rule, seed).filter(|token| token.contains('='))).unwrap();
    for written in [r"\=", "%3D", "%3d", r"\u003d", r"\u003D"] {
        let text = format!("\"{}\"", token.replace('=', written));
        assert_eq!(secrets("atlassian-api-token", &text), [token.as_str()], "{written}");
    }
    let (rule, _) = by_id("atlassian-data-center-pat");
    let token = (0..).find_map(|seed| mint(&rule, seed).filter(|t| t.contains('/') && t.contains('+'))).unwrap();
    for (slash, plus) in [(r"\/", "%2B"), ("%2f", r"\u002b"), (r"\u002F", "%2b")] {
        let text = format!("\"{}\"", token.replace('/', slash).replace('+', plus));
        assert_eq!(secrets("atlassian-data-center-pat", &text), [token.as_str()], "{slash} {plus}");
    }
}

#[test]
fn examples_expand_as_they_say() {
    let (rule, _) = by_id("github-pat");
    let parts = |text: &str| expand(&rule, text, 3).map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let tokens = parts("<mint> <mint> <mint:2> <mint:2> <mint:broken>").unwrap();
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(tokens[2], tokens[3]);
    assert!(!holds(&rule, tokens[4].as_bytes()));
    assert_eq!(parts("no token").unwrap(), ["no", "token"]);
    assert_eq!(parts("<mint:two>"), None);
    assert_eq!(parts("<mint"), None);
    assert_eq!(parts("<minty>"), None);
}

#[test]
fn a_rule_without_a_pattern_mints_nothing() {
    let (mut rule, _) = by_id("github-pat");
    rule.regex = String::new();
    assert_eq!(mint(&rule, 0), None);
    rule.regex = "(".to_owned();
    assert_eq!(mint(&rule, 0), None);
    assert_eq!(mint_broken(&rule, 0), None);
}

proptest! {
    /// One character less, one more, or one changed in the middle: never the same finding again.
    #[test]
    fn the_whole_token_or_nothing(seed: u64, which: prop::sample::Index) {
        let rules = rules();
        let fixed: Vec<&Rule> = rules.iter().filter(|rule| rule.proof == Some(ProofKind::GithubCrc32)).collect();
        let rule = which.get(&fixed);
        let pattern = bytes_regex(&rule.regex);
        let token = mint(rule, seed).unwrap();
        for text in [format!("{token}0 "), token[..token.len() - 1].to_owned(), format!("{token}_ ")] {
            prop_assert!(hits(rule, &pattern, text.as_bytes()).is_empty());
        }
    }
}

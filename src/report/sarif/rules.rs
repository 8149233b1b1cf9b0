//! The rules of a run as SARIF's `reportingDescriptor`s, within what GitHub shows of them.

use crate::rule::{Confidence, Rule, RuleSet, Severity};

use super::model::{Configuration, Rule as Descriptor, RuleProperties, Text};
use crate::report::common::{clip, description, is_web_address, sentence};
use crate::report::escape;

/// Rules that GitHub takes in one run (docs.github.com, "SARIF support for code scanning").
const RULES: usize = 25_000;
/// Characters of a description that GitHub takes (same page).
const DESCRIPTION: usize = 1024;
/// Characters of a name that GitHub takes (same page).
const NAME: usize = 255;
/// Tags of a rule that GitHub shows (same page).
const TAGS: usize = 10;

/// Every rule, sorted by id as the set is.
pub(super) fn descriptors(rules: &RuleSet) -> Vec<Descriptor> {
    rules.rules.iter().take(RULES).map(|rule| descriptor(rule)).collect()
}

/// `error` where a proof holds, `warning` where only the shape speaks for it, `note` for look-alikes.
pub(super) fn level(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "error",
        Confidence::Medium => "warning",
        Confidence::Low => "note",
    }
}

fn descriptor(rule: &Rule) -> Descriptor {
    let description = description(rule);
    let best = rule.best();
    Descriptor {
        id: rule.id.clone(),
        name: clip(&name(&rule.id), NAME),
        short_description: Text::plain(clip(&description, DESCRIPTION)),
        full_description: Text::plain(clip(&format!("{} {}", sentence(&description), why(rule)), DESCRIPTION)),
        help: help(rule, &description),
        help_uri: rule.references.iter().find(|text| is_web_address(text)).cloned(),
        default_configuration: Configuration { level: level(best) },
        properties: RuleProperties {
            security_severity: score(rule.severity),
            precision: precision(rule),
            tags: tags(rule),
        },
    }
}

/// Within the bands in which GitHub calls a score low, medium, high and critical (same page).
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "2.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

fn precision(rule: &Rule) -> &'static str {
    match (rule.proof.filter(|proof| proof.can_hold()), rule.confidence) {
        (Some(_), _) => "very-high",
        (None, Confidence::High) => "high",
        (None, Confidence::Medium) => "medium",
        (None, Confidence::Low) => "low",
    }
}

fn tags(rule: &Rule) -> Vec<String> {
    let fixed = ["security", "external/cwe/cwe-798", "secret", rule.provider.as_str()];
    let mut tags: Vec<String> = Vec::new();
    for tag in fixed.into_iter().chain(rule.tags.iter().map(String::as_str)) {
        if tags.len() < TAGS && !tag.is_empty() && !tags.iter().any(|other| other == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// `github-pat` becomes `GithubPat`.
fn name(id: &str) -> String {
    let words = id.split(|c: char| !c.is_alphanumeric());
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    };
    let name: String = words.map(capital).collect();
    if name.is_empty() { "Rule".to_owned() } else { name }
}

fn why(rule: &Rule) -> String {
    let reach = match rule.severity {
        Severity::Low => "reads little or is harmless alone",
        Severity::Medium => "reaches one thing",
        Severity::High => "reaches an account or a project",
        Severity::Critical => "reaches an organisation or can make more credentials",
    };
    format!("Whoever reads it can use it until it is revoked; a live one {reach}.")
}

/// What it is, why it matters, what to do, where the facts are from.
fn help(rule: &Rule, description: &str) -> Text {
    let remedy = match rule.remedy.trim() {
        "" => "Revoke it where it was made, replace it where it is used, then remove it from the file and its history.",
        text => text,
    };
    let allow = format!("stanch:allow {} REASON", rule.id);
    let mut text = format!("{}\n\n{}\n\n{remedy}", sentence(description), why(rule));
    text += &format!("\n\nIf it is no leak, say so on its line: {allow}");
    let mut markdown = format!("# {}\n\n## Why it matters\n{}\n", escape::markdown(description), why(rule));
    markdown += &format!("\n## What to do\n{}\n\nA secret that was pushed is known: ", escape::markdown(remedy));
    markdown += "removing the line is not enough, revoke it first.\n";
    markdown += &format!("\nIf it is no leak, say so on its line: {}\n", escape::code(&allow));
    let references: Vec<_> = rule.references.iter().filter(|text| is_web_address(text)).collect();
    if !references.is_empty() {
        markdown += "\n## References\n";
        markdown.extend(references.iter().map(|address| format!("- <{address}>\n")));
        text.extend(references.iter().map(|address| format!("\n{address}")));
    }
    Text { text, markdown: Some(markdown) }
}

//! Which of the rules are used.

use anyhow::{Result, bail};

use super::config::Config;
use crate::rule::{Confidence, Rule};

/// A choice of rules with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Pack {
    /// All rules, at medium confidence
    #[default]
    Default,
    /// Only rules whose tokens say themselves whose they are: none with the tag generic
    Strict,
    /// All rules, at low confidence: look-alikes and what the evidence speaks against, too
    Paranoid,
}

impl Pack {
    /// Every pack, with its word.
    pub const ALL: [(&'static str, Pack); 3] =
        [("default", Pack::Default), ("strict", Pack::Strict), ("paranoid", Pack::Paranoid)];
}

/// What can be said on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Selection {
    /// Which rules: strict has no generic ones, paranoid reports everything at low confidence [default: default]
    #[arg(long, value_name = "PACK", value_enum, hide_possible_values = true, help_heading = "What is found")]
    pack: Option<Pack>,
    /// Use only rules with this tag (repeatable)
    #[arg(long = "tag", value_name = "TAG", help_heading = "What is found")]
    tags: Vec<String>,
    /// Use only rules of this provider (repeatable)
    #[arg(long = "provider", value_name = "NAME", help_heading = "What is found")]
    providers: Vec<String>,
}

impl Selection {
    /// Everything, as `stanch explain` wants it.
    pub(super) fn paranoid() -> Self {
        Selection { pack: Some(Pack::Paranoid), ..Selection::default() }
    }

    /// Drops the rules that were not chosen. A tag or provider that no rule has is an error: a misspelt one would find
    /// nothing and look clean.
    pub(super) fn choose(&self, config: &mut Config) -> Result<()> {
        let rules = &config.rules.rules;
        let has = |rule: &Rule, tag: &String| rule.tags.contains(tag);
        if let Some(tag) = self.tags.iter().find(|tag| !rules.iter().any(|rule| has(rule, tag))) {
            bail!("no rule has the tag `{}`; `stanch rules list` prints them all", tag.escape_debug());
        }
        if let Some(name) = self.providers.iter().find(|name| !rules.iter().any(|rule| rule.provider == **name)) {
            bail!("no rule is of the provider `{}`; `stanch rules list` prints them all", name.escape_debug());
        }
        if !self.tags.is_empty() || !self.providers.is_empty() {
            let chosen =
                |rule: &Rule| self.tags.iter().any(|tag| has(rule, tag)) || self.providers.contains(&rule.provider);
            config.rules.retain(chosen);
        }
        match self.pack.or(config.scan.pack).unwrap_or_default() {
            Pack::Default => {}
            Pack::Strict => config.rules.retain(|rule| !rule.tags.iter().any(|tag| tag == "generic")),
            // What the command line says of packs outranks what the file says of confidence.
            Pack::Paranoid if self.pack.is_some() => config.scan.confidence = Some(Confidence::Low),
            Pack::Paranoid => config.scan.confidence = config.scan.confidence.or(Some(Confidence::Low)),
        }
        Ok(())
    }
}

//! The keys of a rule file, as serde reads them. gitleaks matches keys in any case; the spellings in use are aliases.

use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(default, rename = "title")]
    _title: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "minVersion", alias = "minversion")]
    pub min_version: Option<Spanned<String>>,
    // Says nothing about keys: those that betterleaks alone has are unknown here.
    #[serde(default, rename = "betterleaksMinVersion")]
    _betterleaks_min_version: Option<String>,
    #[serde(default)]
    pub prefilter: Option<Spanned<String>>,
    #[serde(default)]
    pub filter: Option<Spanned<String>>,
    #[serde(default)]
    pub extend: RawExtend,
    #[serde(default)]
    pub rules: Vec<RawRule>,
    #[serde(default, alias = "allowList")]
    pub allowlist: Option<Spanned<RawAllowlist>>,
    #[serde(default, alias = "allowLists")]
    pub allowlists: Vec<Spanned<RawAllowlist>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExtend {
    #[serde(default, rename = "useDefault", alias = "usedefault")]
    pub use_default: bool,
    #[serde(default)]
    pub path: Option<Spanned<String>>,
    #[serde(default)]
    pub url: Option<Spanned<String>>,
    #[serde(default, rename = "disabledRules", alias = "disabledrules")]
    pub disabled_rules: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    #[serde(alias = "ID")]
    pub id: Spanned<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub regex: Option<Spanned<String>>,
    #[serde(default, rename = "secretGroup", alias = "secretgroup")]
    pub secret_group: Option<Spanned<usize>>,
    #[serde(default)]
    pub entropy: Option<Spanned<f64>>,
    #[serde(default)]
    pub keywords: Vec<String>,
    #[serde(default)]
    pub path: Option<Spanned<String>>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default, rename = "skipReport", alias = "skipreport")]
    pub skip_report: Option<bool>,
    #[serde(default, alias = "allowList")]
    pub allowlist: Option<Spanned<RawAllowlist>>,
    #[serde(default, alias = "allowLists")]
    pub allowlists: Vec<Spanned<RawAllowlist>>,
    #[serde(default)]
    pub required: Vec<RawRequired>,
    // Those of betterleaks alone.
    #[serde(default)]
    pub filter: Option<Spanned<String>>,
    #[serde(default)]
    pub validate: Option<Spanned<String>>,
    #[serde(default)]
    pub specificity: Option<Spanned<i64>>,
    #[serde(default, rename = "tokenEfficiency", alias = "tokenefficiency")]
    pub token_efficiency: Option<Spanned<bool>>,
    // Ours.
    #[serde(default)]
    pub provider: Option<String>,
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub proof: Option<Spanned<String>>,
    #[serde(default)]
    pub confidence: Option<Spanned<String>>,
    #[serde(default)]
    pub severity: Option<Spanned<String>>,
    #[serde(default)]
    pub random_bits: Option<u32>,
    #[serde(default)]
    pub requires_digit: Option<bool>,
    #[serde(default)]
    pub remedy: Option<String>,
    #[serde(default)]
    pub references: Option<Vec<String>>,
    #[serde(default)]
    pub leaks: Option<Vec<String>>,
    #[serde(default)]
    pub clean: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequired {
    pub id: Spanned<String>,
    #[serde(default, rename = "withinLines", alias = "withinlines")]
    pub within_lines: Option<u64>,
    #[serde(default, rename = "withinColumns", alias = "withincolumns")]
    pub within_columns: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAllowlist {
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub condition: Option<Spanned<String>>,
    #[serde(default)]
    pub commits: Vec<String>,
    #[serde(default)]
    pub paths: Vec<Spanned<String>>,
    #[serde(default, rename = "regexTarget", alias = "regextarget")]
    pub regex_target: Option<Spanned<String>>,
    #[serde(default)]
    pub regexes: Vec<Spanned<String>>,
    #[serde(default, alias = "stopWords", alias = "StopWords")]
    pub stopwords: Vec<String>,
    #[serde(default, rename = "targetRules", alias = "targetrules")]
    pub target_rules: Vec<Spanned<String>>,
    // Ours, in `.stanch.toml` alone.
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub fingerprints: Vec<Spanned<String>>,
}

//! The part of SARIF 2.1.0 that is written here, field for field as the standard names it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::companion::Companion;

#[derive(Serialize)]
pub(super) struct Log {
    #[serde(rename = "$schema")]
    pub schema: &'static str,
    pub version: &'static str,
    pub runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub tool: Tool,
    pub automation_details: AutomationDetails,
    pub invocations: [Invocation; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub version_control_provenance: Vec<Provenance>,
    pub original_uri_base_ids: BTreeMap<&'static str, Base>,
    pub column_kind: &'static str,
    pub results: Vec<Result>,
    pub properties: Counts,
}

#[derive(Serialize)]
pub(super) struct Tool {
    pub driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Driver {
    pub name: &'static str,
    pub version: String,
    pub semantic_version: String,
    pub rules: Vec<Rule>,
    pub notifications: Vec<Notice>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub id: String,
    pub name: String,
    pub short_description: Text,
    pub full_description: Text,
    pub help: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help_uri: Option<String>,
    pub default_configuration: Configuration,
    pub properties: RuleProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notice {
    pub id: &'static str,
    pub short_description: Text,
}

/// A text, and the same in Markdown.
#[derive(Serialize)]
pub(super) struct Text {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
}

impl Text {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Text { text: text.into(), markdown: None }
    }
}

#[derive(Serialize)]
pub(super) struct Configuration {
    pub level: &'static str,
}

#[derive(Serialize)]
pub(super) struct RuleProperties {
    #[serde(rename = "security-severity")]
    pub security_severity: &'static str,
    pub precision: &'static str,
    pub tags: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct AutomationDetails {
    pub id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation {
    pub execution_successful: bool,
    pub exit_code: u8,
    pub exit_code_description: &'static str,
    pub tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
pub(super) struct Notification {
    pub descriptor: Descriptor,
    pub level: &'static str,
    pub message: Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
}

#[derive(Serialize)]
pub(super) struct Descriptor {
    pub id: &'static str,
    pub index: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provenance {
    pub repository_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Not for a commit that only brought something: what is scanned is not its tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_to: Option<Mapped>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mapped {
    pub uri_base_id: &'static str,
}

#[derive(Serialize)]
pub(super) struct Base {
    pub description: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result {
    pub rule_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_index: Option<usize>,
    pub level: &'static str,
    pub message: Text,
    pub locations: [Location; 1],
    pub partial_fingerprints: BTreeMap<&'static str, String>,
    pub fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressions: Option<Vec<Suppression>>,
    pub properties: ResultProperties,
}

#[derive(Serialize)]
pub(super) struct Suppression {
    pub kind: &'static str,
    pub justification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultProperties {
    pub confidence: &'static str,
    pub proof: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof_why: Option<String>,
    /// Points by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<&'static str, i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking: Option<&'static str>,
    pub provider: String,
    pub kind: String,
    pub severity: &'static str,
    pub secret: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decoded: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<Companion>,
    /// `live`, `live-limited`, `dead` or `unknown`, if somebody was asked, and what was said besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspected: Option<String>,
    pub facts: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    pub history: Option<History>,
}

/// How an object of git came into its repository. The names are ours: the standard has none.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    pub object_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_kind: Option<&'static str>,
    /// The first commit that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// All commits that brought it.
    pub commits: Vec<String>,
    pub paths: Vec<String>,
    pub references: Vec<String>,
    pub removed: Vec<String>,
    pub in_head: bool,
    pub unreachable: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    pub physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_region: Option<ContextRegion>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactLocation {
    pub uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub start_line: u64,
    pub start_column: u64,
    pub end_line: u64,
    pub end_column: u64,
    pub byte_offset: u64,
    pub byte_length: u64,
    pub snippet: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContextRegion {
    pub start_line: u64,
    pub end_line: u64,
    pub snippet: Text,
}

/// What the run counted.
#[derive(Serialize)]
pub(super) struct Counts {
    pub reported: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead: Option<u64>,
    pub allowed: u64,
    pub baselined: u64,
    pub stale: usize,
    pub expired: usize,
    pub hidden: u64,
    pub objects: u64,
    pub files: u64,
    pub streams: u64,
    pub bytes: u64,
    pub excluded: u64,
    pub skips: usize,
}

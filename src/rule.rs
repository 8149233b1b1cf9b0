//! What a leaked token of one kind looks like, and what a set of such rules promises.

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::secret::Fingerprint;
use crate::shape::Shape;

mod allowlist;

pub use allowlist::{Allowlist, Allowlists, Condition, RegexTarget};

/// How sure a finding is. High: an offline proof holds. Medium: the shape, for kinds without a checksum.
/// Low: the checksum fails, or only the context speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Confidence {
    /// The checksum fails, or only the context speaks for it.
    Low,
    /// The shape is right, for kinds that have no checksum; or a passphrase guards what a proof holds for.
    #[default]
    Medium,
    /// A proof holds.
    High,
}

impl Confidence {
    /// The word used in rules, options and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad it is if the token is live, as GitHub's `security-severity` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Severity {
    /// Reads little, or is harmless alone.
    Low,
    /// Reaches one thing.
    Medium,
    /// Reaches an account or a project.
    #[default]
    High,
    /// Reaches an organisation, or can make more credentials.
    Critical,
}

impl Severity {
    /// The word used in rules and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// The offline proof of a kind of token. `detect::proof` carries them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProofKind {
    /// CRC32 of the 30 body characters, base62, 6 digits: `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_` of 40 characters.
    GithubCrc32,
    /// Base32 of SHA-256 of the first 77 characters, 8 digits: only ever raises confidence.
    GithubPatSha256,
    /// GitLab's routable tokens: CRC32 in base36 and a length field; the payload is decoded.
    GitlabRoutable,
    /// CRC32 of everything before the last 8 characters, upper-case hex: `ATBB`, `ATCTT3`, `ATATT3`, `ATSTT3`.
    AtlassianCrc32,
    /// Base64 of `<decimal id>:<20 bytes>`, after an optional `BBDC-`.
    DataCenter,
    /// A JSON Web Token that decodes somewhere in the token; `exp`, `iss` and others are read.
    Jwt,
    /// A private key that parses: PEM, OpenPGP, OpenSSH, PuTTY, PKCS#12, age, JWK, XML; type, encryption and public half are read.
    PrivateKey,
    /// CRC32 of the 37 characters before the last 6, base62: Polar's tokens.
    PolarCrc32,
    /// CRC32 of everything before the last `_`, base62, 6 digits: `syt_`, `syr_`; the user's name is read.
    MatrixCrc32,
    /// CRC32 of everything before the last `_`, hex, least significant byte first: `glsa_`.
    GrafanaCrc32,
    /// CRC32 of the 40 characters before the last 8, lower-case hex: `cfut_`, `cfat_`, `cfk_`.
    CloudflareCrc32,
    /// CRC32 of the 32 digits before the last `_`, lower-case hex: `cfsk_ma_prod_`, `cfsk_ma_test_`.
    CashfreeCrc32,
    /// CRC32 of everything before the last 6 characters, base62 with the small letters first: `hbp_`.
    HoneybadgerCrc32,
    /// CRC16 (XMODEM) at the end of what base32 encodes: NATS' nkey seeds.
    NatsCrc16,
    /// Marvin32 at the end of what base64 encodes, with one of Azure's seeds: the seed tells what the key is for.
    AzureMarvin32,
    /// A part of the token is base64 of JSON or of text in a form that is known.
    Base64,
    /// Base64 of `user:password`: says what is none, and the user; the password is then judged by evidence.
    Credentials,
    /// A macaroon, version 2: PyPI's tokens; whom they are for is read.
    PypiMacaroon,
    /// Macaroons in MessagePack: Fly.io's tokens; organization and end are read.
    FlyMacaroon,
    /// A signed token in Protocol Buffers: Vault's `hvs.CAESI…`.
    VaultProtobuf,
    /// The account that an AWS key id belongs to: a fact, no proof.
    AwsAccount,
}

impl ProofKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [ProofKind] = &[
        ProofKind::GithubCrc32,
        ProofKind::GithubPatSha256,
        ProofKind::GitlabRoutable,
        ProofKind::AtlassianCrc32,
        ProofKind::DataCenter,
        ProofKind::Jwt,
        ProofKind::PrivateKey,
        ProofKind::PolarCrc32,
        ProofKind::MatrixCrc32,
        ProofKind::GrafanaCrc32,
        ProofKind::CloudflareCrc32,
        ProofKind::CashfreeCrc32,
        ProofKind::HoneybadgerCrc32,
        ProofKind::NatsCrc16,
        ProofKind::AzureMarvin32,
        ProofKind::Base64,
        ProofKind::Credentials,
        ProofKind::PypiMacaroon,
        ProofKind::FlyMacaroon,
        ProofKind::VaultProtobuf,
        ProofKind::AwsAccount,
    ];

    /// Whether it can hold; one that cannot only tells facts, and perhaps what is none.
    pub fn can_hold(self) -> bool {
        !matches!(self, ProofKind::Credentials | ProofKind::AwsAccount)
    }

    /// Whether it can fail, for some token of the kind; one that cannot never lowers the confidence.
    pub fn can_fail(self) -> bool {
        !matches!(self, ProofKind::GithubPatSha256 | ProofKind::VaultProtobuf | ProofKind::AwsAccount)
    }

    /// The word that a rule file says.
    pub fn as_str(self) -> &'static str {
        match self {
            ProofKind::GithubCrc32 => "github-crc32",
            ProofKind::GithubPatSha256 => "github-pat-sha256",
            ProofKind::GitlabRoutable => "gitlab-routable",
            ProofKind::AtlassianCrc32 => "atlassian-crc32",
            ProofKind::DataCenter => "data-center",
            ProofKind::Jwt => "jwt",
            ProofKind::PrivateKey => "private-key",
            ProofKind::PolarCrc32 => "polar-crc32",
            ProofKind::MatrixCrc32 => "matrix-crc32",
            ProofKind::GrafanaCrc32 => "grafana-crc32",
            ProofKind::CloudflareCrc32 => "cloudflare-crc32",
            ProofKind::CashfreeCrc32 => "cashfree-crc32",
            ProofKind::HoneybadgerCrc32 => "honeybadger-crc32",
            ProofKind::NatsCrc16 => "nats-crc16",
            ProofKind::AzureMarvin32 => "azure-marvin32",
            ProofKind::Base64 => "base64",
            ProofKind::Credentials => "credentials",
            ProofKind::PypiMacaroon => "pypi-macaroon",
            ProofKind::FlyMacaroon => "fly-macaroon",
            ProofKind::VaultProtobuf => "vault-protobuf",
            ProofKind::AwsAccount => "aws-account",
        }
    }
}

/// Compiles a pattern in the one way in which every pattern of a rule or allowlist is meant: over bytes, Unicode off.
/// Fails on bad syntax and on patterns that need more than the crate's 10 MiB.
pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).build()
}

/// A pattern that is compiled when it is first needed, as start-up must not pay for patterns that no candidate meets.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern {
    text: Box<str>,
    #[serde(skip)]
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// A pattern that is known to compile: a test holds it to that.
    pub fn trusted(text: impl Into<Box<str>>) -> Self {
        Pattern { text: text.into(), regex: OnceLock::new() }
    }

    /// Compiles the pattern at once; fails as `compile` does.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, regex::Error> {
        let text = text.into();
        let regex = OnceLock::from(compile(&text)?);
        Ok(Pattern { text, regex })
    }

    /// The pattern in the syntax of the `regex` crate with Unicode off.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches anywhere in `bytes`.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.regex.get_or_init(|| compile(&self.text).expect("trusted patterns are held to compile")).is_match(bytes)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text of a user's allowlist may be a secret.
        write!(f, "Pattern({} bytes)", self.text.len())
    }
}

/// One kind of token. Its serialised form is that of the table the program carries, and is never written elsewhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rule {
    /// Unique, stable, lower case with dashes: `github-pat`.
    pub id: String,
    /// One sentence for people.
    pub description: String,
    /// Lower case, the name of the file in `rules/`; empty for rules that do not say.
    pub provider: String,
    /// The provider's name for the kind, lower case with dashes; empty for rules that do not say.
    /// Of `manifest` the match is no secret, but leads to those that a Kubernetes Secret holds (`detect::manifest`); of `column` to
    /// those of a table (`detect::columns`).
    pub kind: String,
    /// The pattern, in the syntax of the `regex` crate with Unicode off. Empty for a rule about paths alone.
    pub regex: String,
    /// The group that holds the secret; 0 means the first group that took part, or the whole match (as gitleaks has it).
    pub secret_group: usize,
    /// Lower case; the rule is tried only where one of these stands (in any case). Empty: tried everywhere.
    pub keywords: Vec<String>,
    /// Least Shannon entropy of the secret in bits per character.
    pub entropy: Option<f64>,
    /// A secret without a digit is none. Where its pattern shows that a secret is one run of `[A-Za-z0-9_-]`, the
    /// prefilter uses that: a rule that goes by its context is tried only near runs with a digit. Of 20 random letters
    /// and digits, 3 in 100 have no digit, of 40 random hex digits none.
    pub requires_digit: bool,
    /// The rule is tried only in files whose path matches.
    pub path: Option<Pattern>,
    /// Free words, for selecting rules and for reports.
    pub tags: Vec<String>,
    /// What can be checked offline.
    pub proof: Option<ProofKind>,
    /// Confidence of a match that no proof decides.
    pub confidence: Confidence,
    /// How bad a live one is.
    pub severity: Severity,
    /// Random bits that the format guarantees; 0 where nothing is known. At 80 and above the fingerprint is a plain hash.
    pub random_bits: u32,
    /// What a person should do about a leaked one, one or two sentences.
    pub remedy: String,
    /// Where the facts of this rule are published.
    pub references: Vec<String>,
    /// Texts in which the rule must find a token; `<mint>` stands for one made at run time.
    pub leaks: Vec<String>,
    /// Texts in which it must report nothing.
    pub clean: Vec<String>,
    /// What is all right for this rule.
    pub allowlists: Allowlists,
    /// Found, but not reported by itself (gitleaks' `skipReport`): a part of a composite rule.
    pub skip_report: bool,
    /// Rules that must match near a match of this one, or it is not reported: with what they found it is one finding.
    pub required: Vec<Required>,
    /// What every match looks like, read off `regex` and `keywords` when the program was built. None: not read yet, or
    /// nothing can be read off them.
    pub shape: Option<Arc<Shape>>,
}

/// Another rule of which something must be found near a finding, as betterleaks' `[[rules.required]]` has it. Both bounds
/// are between the beginnings of the secrets, and both must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Required {
    /// The id of the other rule.
    pub rule: String,
    /// Most lines between them.
    pub within_lines: Option<u64>,
    /// Most columns between them, whatever their lines, in UTF-16 code units.
    pub within_columns: Option<u64>,
}

/// Formats with at least this many random bits get a fingerprint that is a plain hash of the secret.
pub const STRONG_BITS: u32 = 80;

impl Rule {
    /// Whether what it finds is judged together with something else: it takes no place from findings of other rules, and
    /// gives none up to them.
    pub fn is_apart(&self) -> bool {
        self.skip_report || !self.required.is_empty()
    }

    /// Whether its match is no secret, but leads to those that stand around it. The last group of its pattern, which no text has, is the
    /// form of one, for examples.
    pub fn leads(&self) -> bool {
        matches!(self.kind.as_str(), "manifest" | "column" | "key-column")
    }

    /// Whether nobody could find the secret by trying hashes.
    pub fn is_strong(&self) -> bool {
        self.random_bits >= STRONG_BITS
    }

    /// The confidence of a finding at best: high where its proof can hold.
    pub fn best(&self) -> Confidence {
        if self.proof.is_some_and(ProofKind::can_hold) { Confidence::High } else { self.confidence }
    }
}

/// One line of an ignore file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignore {
    /// A fingerprint of ours: the secret, wherever it is.
    Fingerprint(Fingerprint),
    /// gitleaks' `[commit:]path:rule:line`.
    Place {
        /// The commit, if one is named.
        commit: Option<String>,
        /// The path, `/`-separated.
        path: String,
        /// The rule's id.
        rule: String,
        /// The line, 1-based.
        line: u64,
    },
}

/// The rules of a run. Promise: every regex compiles (checked on load for files of the user's, by a test for ours).
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Sorted by id, ids unique.
    pub rules: Vec<Arc<Rule>>,
    /// Allowlists that speak of all rules, or of those they name.
    pub allowlists: Vec<Allowlist>,
    /// Entries of ignore files.
    pub ignores: Vec<Ignore>,
}

impl RuleSet {
    /// Puts back those of the rules that were taken out which those that are left require: they help, and are not reported
    /// alone.
    pub fn keep_required(&mut self, out: impl IntoIterator<Item = Arc<Rule>>) {
        let required = |rule: &Arc<Rule>| self.rules.iter().any(|by| by.required.iter().any(|it| it.rule == rule.id));
        let mut back: Vec<Arc<Rule>> = out.into_iter().filter(required).collect();
        back.retain(|rule| self.get(&rule.id).is_none());
        back.iter_mut().for_each(|rule| Arc::make_mut(rule).skip_report = true);
        self.rules.extend(back);
        self.rules.sort_by(|one, other| one.id.cmp(&other.id));
    }

    /// Drops the rules that `choose` does not want, but for what those that it wants require.
    pub fn retain(&mut self, choose: impl Fn(&Rule) -> bool) {
        let (left, out) = std::mem::take(&mut self.rules).into_iter().partition(|rule| choose(rule));
        self.rules = left;
        self.keep_required(out as Vec<_>);
    }

    /// The rule of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok().map(|at| &self.rules[at])
    }
}

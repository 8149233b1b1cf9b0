//! A leaked token in one place, with everything that is known about it offline.

use std::ops::Range;
use std::sync::Arc;

use crate::chunk::Position;
use crate::origin::{Origin, Provenance};
use crate::rule::{Confidence, Rule};
use crate::secret::{Fingerprint, Secret};

/// Something the token itself, or its surroundings, tells without asking anybody: `expires`, `gitlab.organization`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// A stable name, lower case with dots and underscores.
    pub name: &'static str,
    /// The value as text. Never a part of the secret that is random.
    pub value: String,
}

/// What the offline proof said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The checksum or structure holds: a machine of the provider's made this. With the sentence that says why.
    Holds(String),
    /// The kind has a checksum and this token's is wrong: a look-alike, a placeholder, a typing error.
    Fails(String),
    /// Nothing in it proves it offline, and nothing that was looked for in it speaks against it.
    Absent,
}

impl Proof {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        matches!(self, Proof::Holds(_))
    }
}

/// One thing that speaks for or against a finding that no proof decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// A stable name, lower case with dashes; `docs/evidence.md` lists them.
    pub name: &'static str,
    /// Points; negative ones speak against it.
    pub weight: i32,
    /// More about it, or nothing. Never a part of the secret.
    pub detail: String,
}

/// Who said that a finding is all right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// `inline`, `config`, `ignore-file` or `built-in`.
    pub by: &'static str,
    /// What they said, or which entry it was.
    pub reason: String,
}

/// What becomes of a finding. Nothing vanishes: each is counted under one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts: exit 1.
    Reported,
    /// It would count, but somebody allowed it.
    Allowed(Allowed),
    /// It would count, but the baseline knows it.
    Baselined {
        /// What the entry says, for people.
        reason: String,
    },
    /// Below the confidence that was asked for.
    Hidden,
}

/// Where a secret stands in its object. Ends are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// First byte of the secret.
    pub start: Position,
    /// One past the last byte of the secret.
    pub end: Position,
}

/// The text around a secret, with every secret in it already masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Line number of the first line of `text`, 1-based.
    pub line: u64,
    /// Whole lines, or the middle of a long one; lossily decoded, masked, not escaped for any channel.
    pub text: String,
    /// The bytes of `text` that show the masked secret.
    pub mark: Range<usize>,
    /// Whether `text` begins after the start of its line.
    pub cut_before: bool,
    /// Whether `text` ends before the end of its line.
    pub cut_after: bool,
}

/// Where a secret is masked outside of what was searched: in names, paths, subjects and what else a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Masking {
    /// Nowhere: it is too short, or a word that only looks like a secret, which tells nobody anything without its name.
    Nowhere,
    /// Everywhere but in what leads to a file: nothing proves that it is one.
    ButInPaths,
    /// Everywhere.
    Everywhere,
}

impl Masking {
    /// Shorter secrets are left, in bytes: a password like `gitlab` would blot out half of all paths.
    pub const LEAST: usize = 8;

    /// For a secret that a rule found, this sure and for these reasons.
    pub fn of(secret: &Secret, rule: &Rule, confidence: Confidence, evidence: &[Evidence]) -> Self {
        let is_generic = rule.tags.iter().any(|tag| tag == "generic");
        let is_low = confidence == Confidence::Low;
        let is_drawn = || evidence.iter().any(|one| matches!(one.name, "random" | "unpronounceable"));
        let is_word = is_generic && is_word(secret) && !is_drawn();
        match () {
            _ if secret.len() < Self::LEAST || is_word && is_low => Masking::Nowhere,
            _ if is_generic && (is_low || is_word) => Masking::ButInPaths,
            _ => Masking::Everywhere,
        }
    }
}

/// Whether it is made of letters and of what joins words.
#[expect(clippy::disallowed_methods, reason = "looks at the secret")]
fn is_word(secret: &Secret) -> bool {
    secret.expose().iter().all(|byte| byte.is_ascii_alphabetic() || b"-_./: ".contains(byte))
}

/// What the provider said of a token, if it was asked. But for the first word the texts are the provider's: they may
/// hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Whether the token works.
    pub state: State,
    /// The sentence behind the word: what limits it, how it died, why nobody could tell.
    pub detail: Option<String>,
    /// Who holds it.
    pub holder: Option<String>,
    /// Base URL of the host that was asked.
    pub host: Option<String>,
}

/// Whether a token works. Who could not be asked, or did not answer in its own words, leaves it unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Live,
    /// It works, though not for everything.
    Limited,
    /// It does not, and its provider says so.
    Dead,
    /// Nobody could tell.
    Unknown,
}

impl State {
    /// `live`, `live-limited`, `dead` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Limited => "live-limited",
            State::Dead => "dead",
            State::Unknown => "unknown",
        }
    }
}

/// What a rule that the finding's rule requires found near it: the other half of a key, the host it is good for.
#[derive(Clone, Debug)]
pub struct Companion {
    /// The rule that found it.
    pub rule: Arc<Rule>,
    /// What it found, whole, with escapes undone.
    pub secret: Secret,
    /// The same as it may be shown.
    pub redacted: String,
    /// Its public name.
    pub fingerprint: Fingerprint,
    /// Where in the object.
    pub region: Region,
    /// How it was written, from the outside in.
    pub decoded: Vec<&'static str>,
}

/// One secret in one place.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that found it.
    pub rule: Arc<Rule>,
    /// The token, whole, with escapes undone.
    pub secret: Secret,
    /// The token as it may be shown: `ghp_****…0mLq`.
    pub redacted: String,
    /// How it was written, from the outside in: `base64`, `gzip`; empty for a token that stands there as it is.
    pub decoded: Vec<&'static str>,
    /// The token's public name.
    pub fingerprint: Fingerprint,
    /// The object it is in.
    pub origin: Origin,
    /// How the object came into the repository; for objects of git.
    pub provenance: Option<Arc<Provenance>>,
    /// Where in the object; of what was decoded, where that is written.
    pub region: Region,
    /// The text around it, masked.
    pub snippet: Snippet,
    /// How sure we are.
    pub confidence: Confidence,
    /// What the offline proof said.
    pub proof: Proof,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What the token tells of itself, in a fixed order.
    pub facts: Vec<Fact>,
    /// What speaks for and against it where no proof decides, in the order of the documentation.
    pub evidence: Vec<Evidence>,
    /// What was found near it of each rule that its rule requires, by place; empty where it requires none.
    pub companions: Vec<Companion>,
    /// What its provider said; `None` if nobody was asked.
    pub inspected: Option<Inspected>,
    /// What the fingerprint would be at the other paths that it had, where it is one of its place.
    pub aliases: Vec<Fingerprint>,
}

impl Finding {
    /// Tells the secrets of one run apart; never written. The fingerprint of one that could be guessed is that of its place,
    /// where several may stand one after the other.
    pub fn identity(&self) -> Identity {
        #[expect(clippy::disallowed_methods, reason = "hashes the secret, for comparison alone")]
        let secret = Fingerprint::of_strong(self.secret.expose());
        (self.fingerprint, secret)
    }
}

/// See [`Finding::identity`].
pub type Identity = (Fingerprint, Fingerprint);

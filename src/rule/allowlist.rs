//! What is all right although a rule finds it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Pattern;
use crate::secret::Fingerprint;

/// How the conditions of an allowlist combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Condition {
    /// Any one of them suffices.
    #[default]
    Or,
    /// Each kind of condition that is present must hold.
    And,
}

/// What the regexes of an allowlist look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RegexTarget {
    /// The secret.
    #[default]
    Secret,
    /// Everything the rule's pattern matched.
    Match,
    /// The lines the match stands on.
    Line,
}

/// Findings that are all right, in gitleaks' words.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Allowlist {
    /// Why, for people.
    pub description: String,
    /// How the conditions below combine.
    pub condition: Condition,
    /// Rules this list speaks of; empty means all (only a global list names any).
    pub target_rules: Vec<String>,
    /// Paths, `/`-separated, as the finding shows them.
    pub paths: Vec<Pattern>,
    /// Patterns for what `regex_target` names.
    pub regexes: Vec<Pattern>,
    /// What `regexes` look at.
    pub regex_target: RegexTarget,
    /// Lower-case words; a secret that contains one (in any case) is all right.
    pub stopwords: Vec<String>,
    /// Commit ids, lower case.
    pub commits: Vec<String>,
    /// Fingerprints of ours.
    pub fingerprints: Vec<Fingerprint>,
    /// Part of our own rules and not said by the user: never drops a candidate whose proof holds.
    pub builtin: bool,
}

/// The allowlists of a rule. Those of the table that the program carries are read when somebody asks for them: their words are
/// most of what is there, and only who has a candidate needs them.
#[derive(Clone, Default)]
pub struct Allowlists {
    /// As the table has them; nothing for none.
    packed: Box<[u8]>,
    lists: OnceLock<Vec<Allowlist>>,
}

impl From<Vec<Allowlist>> for Allowlists {
    fn from(lists: Vec<Allowlist>) -> Self {
        Allowlists { packed: Box::default(), lists: lists.into() }
    }
}

impl Allowlists {
    fn read(&self) -> &Vec<Allowlist> {
        let read =
            || postcard::from_bytes(&self.packed).expect("build.rs wrote it from the same type, and tests read it");
        self.lists.get_or_init(|| if self.packed.is_empty() { Vec::new() } else { read() })
    }
}

impl Deref for Allowlists {
    type Target = Vec<Allowlist>;

    fn deref(&self) -> &Vec<Allowlist> {
        self.read()
    }
}

impl DerefMut for Allowlists {
    fn deref_mut(&mut self) -> &mut Vec<Allowlist> {
        self.read();
        self.lists.get_mut().expect("they were read just now")
    }
}

impl fmt::Debug for Allowlists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl Serialize for Allowlists {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pack = || postcard::to_allocvec(self.read()).map_err(serde::ser::Error::custom);
        serializer.serialize_bytes(&if self.is_empty() { Vec::new() } else { pack()? })
    }
}

impl<'de> Deserialize<'de> for Allowlists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = <&[u8]>::deserialize(deserializer)?.into();
        Ok(Allowlists { packed, lists: OnceLock::new() })
    }
}

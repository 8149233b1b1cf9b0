//! What a provider says of a token.

use std::collections::BTreeMap;

use crate::finding::{Inspected, State};
use crate::http::Fault;

/// Why a token is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Its provider says that somebody revoked it.
    Revoked,
    /// Its provider says that its time is over.
    Expired,
    /// The provider does not know it (any more).
    UnknownToProvider,
}

impl Death {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Death::Revoked => "revoked",
            Death::Expired => "expired",
            Death::UnknownToProvider => "unknown to the provider",
        }
    }
}

/// Whether a token works. Only a provider that says so in its own words makes it dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It works.
    Live {
        /// What keeps it from working for everything: a missing scope, SSO, an allow-list of addresses.
        limited: Option<String>,
    },
    /// It does not work and will not again.
    Dead(Death),
    /// Nobody could tell; with the reason.
    Unknown(String),
}

impl Liveness {
    /// `live`, `live-limited`, `dead` or `unknown`: the word of policies and reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Liveness::Live { limited: None } => "live",
            Liveness::Live { limited: Some(_) } => "live-limited",
            Liveness::Dead(_) => "dead",
            Liveness::Unknown(_) => "unknown",
        }
    }

    /// Whether the token works at least for something.
    pub fn is_live(&self) -> bool {
        matches!(self, Liveness::Live { .. })
    }

    /// Whether it is certain that it does not work.
    pub fn is_dead(&self) -> bool {
        matches!(self, Liveness::Dead(_))
    }

    /// The sentence behind the word, if there is one.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Liveness::Live { limited } => limited.as_deref(),
            Liveness::Dead(death) => Some(death.as_str()),
            Liveness::Unknown(why) => Some(why),
        }
    }
}

/// A permission of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The provider's word.
    pub name: String,
    /// Whether it changes things, or makes more credentials.
    pub dangerous: bool,
}

/// Something that the token reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// `repository`, `project`, `group`, …
    pub what: &'static str,
    /// Its full name.
    pub name: String,
    /// How far, in the provider's words; empty where it does not say.
    pub access: String,
}

/// One question that was asked, and what came back. No content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Who was asked.
    pub host: String,
    /// Verb and path, without query.
    pub question: String,
    /// The status, or what went wrong.
    pub answer: String,
    /// The provider's name for the request.
    pub request_id: Option<String>,
}

/// No answer, no knowledge.
impl From<Fault> for Inspection {
    fn from(fault: Fault) -> Self {
        Inspection::unknown(fault.to_string())
    }
}

/// Everything that a provider told of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether it works.
    pub liveness: Liveness,
    /// Base URL of the host that knows it; of the one that could not tell, if none does.
    pub host: Option<String>,
    /// Who holds it: a login or name.
    pub holder: Option<String>,
    /// Names by which a policy may know the owner: logins, groups, organisations.
    pub owners: Vec<String>,
    /// What the provider calls its kind.
    pub kind: Option<String>,
    /// The name its owner gave it.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Since when it exists, as the provider writes dates.
    pub created: Option<String>,
    /// Until when it works.
    pub expires: Option<String>,
    /// When it was last used.
    pub last_used: Option<String>,
    /// Addresses from which it was used.
    pub ips: Vec<String>,
    /// What it reaches.
    pub reach: Vec<Reach>,
    /// Whether there is more than `reach` names.
    pub reaches_more: bool,
    /// The provider's numbers: `token`, `project`, `group`, `user`, `agent`, `account`, `job`; and `admin`,
    /// `impersonation`, … where a token has or is that. For revoking by number.
    pub ids: BTreeMap<&'static str, String>,
    /// The e-mail address or user name with which it was asked about, where one is needed.
    pub asked_as: Option<String>,
    /// Everybody who was asked said that it is not theirs, but not everybody who may know it was asked.
    pub disowned: bool,
    /// What was asked, in order.
    pub evidence: Vec<Evidence>,
}

impl Inspection {
    /// Nothing but the answer to the one question.
    pub fn only(liveness: Liveness) -> Self {
        Inspection {
            liveness,
            host: None,
            holder: None,
            owners: Vec::new(),
            kind: None,
            name: None,
            scopes: Vec::new(),
            created: None,
            expires: None,
            last_used: None,
            ips: Vec::new(),
            reach: Vec::new(),
            reaches_more: false,
            ids: BTreeMap::new(),
            asked_as: None,
            disowned: false,
            evidence: Vec::new(),
        }
    }

    /// Whether it is a token of GitLab's by which an administrator acts as somebody else.
    pub fn is_impersonation(&self) -> bool {
        self.ids.contains_key("impersonation")
    }

    /// What a report shows of it.
    pub fn brief(&self) -> Inspected {
        let state = match &self.liveness {
            Liveness::Live { limited: None } => State::Live,
            Liveness::Live { limited: Some(_) } => State::Limited,
            Liveness::Dead(_) => State::Dead,
            Liveness::Unknown(_) => State::Unknown,
        };
        let detail = self.liveness.detail().map(str::to_owned);
        Inspected { state, detail, holder: self.holder.clone(), host: self.host.clone() }
    }

    /// Nobody could tell.
    pub fn unknown(why: impl Into<String>) -> Self {
        Inspection::only(Liveness::Unknown(why.into()))
    }

    /// It works.
    pub fn live() -> Self {
        Inspection::only(Liveness::Live { limited: None })
    }

    /// It does not.
    pub fn dead(death: Death) -> Self {
        Inspection::only(Liveness::Dead(death))
    }

    /// It works, but not for everything.
    pub fn limited(why: impl Into<String>) -> Self {
        Inspection::only(Liveness::Live { limited: Some(why.into()) })
    }
}

//! Turns findings into incidents: one secret is one incident, in however many places.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::kind::Kind;
use crate::finding::{Fact, Finding};
use crate::rule::Severity;
use crate::secret::{Fingerprint, Secret};

/// Where the secret stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What it stands in, as reports name it.
    pub origin: String,
    /// The line, 1-based.
    pub line: u64,
    /// The oldest commit that brought it there; for objects of git.
    pub brought: Option<Brought>,
}

/// How a secret came into a repository. Texts are masked already.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Brought {
    /// The commit.
    pub commit: String,
    /// Who wrote it, where authors are named.
    pub author: Option<String>,
    /// When, as RFC 3339; the commit claims it.
    pub at: String,
}

impl Place {
    fn of(finding: &Finding) -> Self {
        let first = finding.provenance.as_ref().and_then(|provenance| provenance.introduced.first());
        let brought = first.map(|commit| Brought {
            commit: commit.id.to_string(),
            author: commit.author.clone(),
            at: jiff::Timestamp::from_second(commit.time).map_or_else(|_| String::new(), |time| time.to_string()),
        });
        Place { origin: finding.origin.to_string(), line: finding.region.start.line, brought }
    }
}

/// What the text around the secret tells about who may know it. The text is masked: nothing here is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Hosts of URLs that a token of this kind may belong to.
    pub hosts: Vec<String>,
    /// User names of URLs in which the secret is the password.
    pub users: Vec<String>,
    /// Paths of URLs in which the secret is the password, without `.git`.
    pub paths: Vec<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// Numbers or paths of projects in addresses of GitLab's API.
    pub projects: Vec<String>,
    /// Names of variables and the like speak of a GitHub Enterprise Server.
    pub enterprise: bool,
}

/// A leaked secret and everything that is known of it offline.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The fingerprint; of several (weak secrets have one per place) the smallest.
    pub id: Fingerprint,
    /// Every other fingerprint that it has.
    pub also: Vec<Fingerprint>,
    /// The id of the rule that found it.
    pub rule: String,
    /// The rule's provider.
    pub provider: String,
    /// What it is, if it is something that can be responded to.
    pub kind: Option<Kind>,
    /// How bad it is.
    pub severity: Severity,
    /// What a person should do, as the rule has it.
    pub remedy: String,
    /// The token itself.
    pub secret: Secret,
    /// Where it is, sorted.
    pub places: Vec<Place>,
    /// What the token tells of itself.
    pub facts: Vec<Fact>,
    /// What the text around it tells.
    pub hints: Hints,
}

impl Incident {
    /// A token that somebody handed us, without a place.
    #[expect(clippy::disallowed_methods, reason = "hashes the secret")]
    pub fn bare(secret: Secret, kind: Kind) -> Self {
        let services = kind.services();
        Incident {
            id: Fingerprint::of_strong(secret.expose()),
            also: Vec::new(),
            rule: String::new(),
            provider: services[0].as_str().to_owned(),
            kind: Some(kind),
            severity: Severity::default(),
            remedy: String::new(),
            secret,
            places: Vec::new(),
            facts: Vec::new(),
            hints: Hints::default(),
        }
    }

    /// Whether this is a fingerprint of it. A weak secret has one for each place, or one under a key; what the same
    /// secret is called when it comes without a place counts, too.
    #[expect(clippy::disallowed_methods, reason = "hashes the secret")]
    pub fn is_called(&self, id: Fingerprint) -> bool {
        self.id == id || self.also.contains(&id) || Fingerprint::of_strong(self.secret.expose()) == id
    }

    /// A fact that the token tells of itself.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }
}

/// Gathers findings by their secret. Sorted by id.
#[expect(clippy::disallowed_methods, reason = "compares the secrets")]
pub fn gather(findings: &[Finding]) -> Vec<Incident> {
    let mut by_secret: BTreeMap<&[u8], Incident> = BTreeMap::new();
    for finding in findings {
        let found = from_finding(finding);
        match by_secret.entry(finding.secret.expose()) {
            Entry::Vacant(place) => {
                place.insert(found);
            }
            Entry::Occupied(mut known) => merge(known.get_mut(), found),
        }
    }
    let mut incidents: Vec<Incident> = by_secret.into_values().collect();
    for incident in &mut incidents {
        incident.places.sort();
        incident.places.dedup();
    }
    incidents.sort_by_key(|incident| incident.id);
    incidents
}

#[expect(clippy::disallowed_methods, reason = "looks at the first characters of the secret")]
fn from_finding(finding: &Finding) -> Incident {
    let rule = &finding.rule;
    Incident {
        id: finding.fingerprint,
        also: vec![finding.fingerprint],
        rule: rule.id.clone(),
        provider: rule.provider.clone(),
        kind: Kind::of_rule(&rule.provider, &rule.kind, finding.secret.expose()),
        severity: rule.severity,
        remedy: rule.remedy.clone(),
        secret: finding.secret.clone(),
        places: vec![Place::of(finding)],
        facts: finding.facts.clone(),
        hints: Hints::read(&finding.snippet.text),
    }
}

fn merge(known: &mut Incident, found: Incident) {
    known.places.extend(found.places);
    known.also.extend(found.also);
    known.kind = known.kind.or(found.kind);
    known.severity = known.severity.max(found.severity);
    for fact in found.facts {
        if !known.facts.contains(&fact) {
            known.facts.push(fact);
        }
    }
    known.hints.add(found.hints);
    if found.id < known.id {
        (known.id, known.rule) = (found.id, found.rule);
    }
}

impl Hints {
    fn add(&mut self, other: Hints) {
        self.enterprise |= other.enterprise;
        let lists = [
            (&mut self.hosts, other.hosts),
            (&mut self.users, other.users),
            (&mut self.paths, other.paths),
            (&mut self.emails, other.emails),
            (&mut self.projects, other.projects),
        ];
        for (mine, theirs) in lists {
            for one in theirs {
                push_new(mine, one);
            }
        }
    }

    /// Reads what stands in masked text.
    pub fn read(text: &str) -> Self {
        let mut hints = Hints::default();
        for (at, _) in text.match_indices("://") {
            let scheme = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            if ["http", "https", "git", "ssh"].contains(&scheme.to_ascii_lowercase().as_str()) {
                hints.read_url(&text[at + 3..]);
            }
        }
        hints.read_names(text);
        for word in text.split(|c: char| c.is_whitespace() || "\"'`<>()[]{},;=".contains(c)) {
            let word = word.rsplit("//").next().unwrap_or(word);
            // `me@example.org:ATATT…` is how curl -u takes it.
            if let Some(email) = as_email(word.split(':').next().unwrap_or(word)) {
                push_new(&mut hints.emails, email);
            }
        }
        hints
    }

    /// Hosts that stand without a scheme, where a file says by its form that they are hosts: git's `git@HOST:`, netrc's
    /// `machine HOST`, npm's `//HOST/…:_authToken`, gh's `HOST:` alone on a line, and `GH_HOST=HOST`.
    fn read_names(&mut self, text: &str) {
        let is_host = |word: &str| {
            word.split('.').count() > 1
                && word
                    .split('.')
                    .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
                && word.bytes().any(|b| b.is_ascii_alphabetic())
        };
        let end =
            |rest: &str| rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(rest.len());
        for mark in ["git@", "machine ", "machine\t"] {
            for (at, _) in text.match_indices(mark) {
                let rest = text[at + mark.len()..].trim_start();
                let host = &rest[..end(rest)];
                if is_host(host) && (mark != "git@" || rest[host.len()..].starts_with(':')) {
                    push_new(&mut self.hosts, host.to_ascii_lowercase());
                }
            }
        }
        for line in text.lines().map(str::trim) {
            let npm =
                line.strip_prefix("//").filter(|rest| rest.contains(":_auth")).and_then(|rest| rest.split('/').next());
            let key = line.strip_suffix(':').filter(|_| !line.contains(' '));
            let named = line.split_once(['=', ':']).and_then(|(name, value)| {
                let name = name.trim().trim_start_matches("export ").trim_matches(['"', '\'']).to_ascii_lowercase();
                let value = value.trim().trim_matches(['"', '\'', ',']);
                name.ends_with("host").then_some(value)
            });
            for host in [npm, key, named].into_iter().flatten().filter(|host| is_host(host)) {
                push_new(&mut self.hosts, host.to_ascii_lowercase());
            }
        }
        let lower = text.to_ascii_lowercase();
        // What GitHub's own programs call it (GH_ENTERPRISE_TOKEN, gh help environment), and what people do.
        let words = ["gh_enterprise", "github_enterprise", "github-enterprise", "github enterprise", "ghe_", "ghes_"];
        self.enterprise = words.iter().any(|word| {
            lower.match_indices(word).any(|(at, _)| !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
        });
    }

    fn read_url(&mut self, rest: &str) {
        let end = rest.find(|c: char| c.is_whitespace() || "\"'`<>()[]{},;\\".contains(c)).unwrap_or(rest.len());
        let (authority, path) = rest[..end].split_once('/').unwrap_or((&rest[..end], ""));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let host = host.to_ascii_lowercase();
        if !host.contains('.') && !host.starts_with("localhost") {
            return;
        }
        // A host counts if the URL carries a password, or looks like the API or the name of a forge: a token is not
        // of example.org because a comment next to it links there.
        let words = ["git", "bitbucket", "stash", "jira", "confluence", "atlassian", "wiki", "code", "scm"];
        let paths = ["api/v3", "api/v4", "rest/", "oauth/", "-/"];
        if user.is_some() || words.iter().any(|it| host.contains(it)) || paths.iter().any(|it| path.contains(it)) {
            push_new(&mut self.hosts, host);
        }
        let project = path.split_once("api/v4/projects/").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        if let Some(project) = project {
            let project = percent_encoding::percent_decode_str(project).decode_utf8_lossy().into_owned();
            push_new(&mut self.projects, project);
        }
        // The password is the secret, or another one that is masked: whoever has a password of his own tells nothing.
        if let Some((user, _)) =
            user.and_then(|user| user.split_once(':')).filter(|(_, password)| password.contains("****"))
        {
            push_new(&mut self.users, user.to_owned());
            push_new(&mut self.paths, path.trim_end_matches('/').trim_end_matches(".git").to_owned());
        }
    }
}

fn as_email(word: &str) -> Option<String> {
    let word = word.trim_end_matches(['.', ':']);
    let (name, domain) = word.split_once('@')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".+-_".contains(c));
    let is_domain = domain.contains('.') && domain.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    (is_name && is_domain && !domain.ends_with('.')).then(|| word.to_owned())
}

fn push_new(list: &mut Vec<String>, one: String) {
    if !one.is_empty() && !list.contains(&one) {
        list.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_password_tells_host_user_and_path() {
        let hints = Hints::read("url = https://gitlab+deploy-token-7:****@git.example.org:8443/group/app.git\n");
        assert_eq!(hints.hosts, ["git.example.org:8443"]);
        assert_eq!(hints.users, ["gitlab+deploy-token-7"]);
        assert_eq!(hints.paths, ["group/app"]);
        assert!(hints.emails.is_empty());
    }

    #[test]
    fn a_link_is_no_home_of_a_token() {
        assert_eq!(Hints::read("# see https://www.example.org/doc\ntoken = ****"), Hints::default());
        assert_eq!(Hints::read("curl https://build.corp.test/api/v4/user").hosts, ["build.corp.test"]);
    }

    #[test]
    fn hosts_without_a_scheme_count_where_the_form_tells() {
        for text in [
            "git clone git@ghe.corp.test:acme/site.git",
            "machine ghe.corp.test login x password ****",
            "//ghe.corp.test/npm/:_authToken=****",
            "ghe.corp.test:\n    oauth_token: ****",
            "export GH_HOST=ghe.corp.test",
            "\"github_host\": \"ghe.corp.test\",",
        ] {
            assert_eq!(Hints::read(text).hosts, ["ghe.corp.test"], "{text}");
        }
        for text in ["if: github.event.number", "a.b.c: ****", "see git@example", "ghost: 1.2", "machine learning"] {
            assert_eq!(Hints::read(text), Hints::default(), "{text}");
        }
        for (text, is) in [
            ("GH_ENTERPRISE_TOKEN=****", true),
            ("export GHE_TOKEN=****", true),
            ("github_enterprise: ****", true),
            ("spaghe_ti = ****", false),
            ("GH_TOKEN=****", false),
        ] {
            assert_eq!(Hints::read(text).enterprise, is, "{text}");
        }
    }

    #[test]
    fn an_address_of_the_api_tells_the_project() {
        let text = "curl https://git.corp.test/api/v4/projects/acme%2Fsite/trigger/pipeline?token=****";
        assert_eq!(Hints::read(text).projects, ["acme/site"]);
    }

    #[test]
    fn addresses_for_basic_authentication() {
        assert_eq!(Hints::read("curl -u me@corp.test:**** https://x.atlassian.net/").emails, ["me@corp.test"]);
        assert_eq!(Hints::read("JIRA_USER=a.b+c@corp.test\nTOKEN=****").emails, ["a.b+c@corp.test"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,200}") {
            Hints::read(&text);
        }

        #[test]
        fn no_url_is_too_odd(rest in "\\PC{0,100}") {
            Hints::read(&format!("https://{rest} http://a@b:{rest}@git"));
        }
    }
}

//! Which hosts may be asked, and with what of ours.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use reqwest::Url;
use serde::Deserialize;

use super::{Auth, Error, Query};
use crate::secret::Secret;

/// What runs at a host. The word is `provider` in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// github.com or GitHub Enterprise Server (base URL with `/api/v3`).
    Github,
    /// gitlab.com or a GitLab of one's own (base URL without `/api/v4`).
    Gitlab,
    /// Bitbucket Cloud.
    Bitbucket,
    /// Atlassian's administration, api.atlassian.com.
    Atlassian,
    /// Bitbucket Data Center.
    BitbucketDataCenter,
    /// One Jira Cloud site, `https://NAME.atlassian.net`.
    Jira,
    /// Jira Data Center.
    JiraDataCenter,
    /// Confluence Data Center.
    ConfluenceDataCenter,
    /// HashiCorp Vault, with the KV engine.
    Vault,
    /// Something that takes a JSON message by POST, as Slack does.
    Webhook,
}

impl Service {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Service::Github => "github",
            Service::Gitlab => "gitlab",
            Service::Bitbucket => "bitbucket",
            Service::Atlassian => "atlassian",
            Service::BitbucketDataCenter => "bitbucket-data-center",
            Service::Jira => "jira",
            Service::JiraDataCenter => "jira-data-center",
            Service::ConfluenceDataCenter => "confluence-data-center",
            Service::Vault => "vault",
            Service::Webhook => "webhook",
        }
    }

    /// Where the service runs for everybody, if it does.
    fn public(self) -> Option<&'static str> {
        match self {
            Service::Github => Some("https://api.github.com"),
            Service::Gitlab => Some("https://gitlab.com"),
            Service::Bitbucket => Some("https://api.bitbucket.org"),
            Service::Atlassian => Some("https://api.atlassian.com"),
            _ => None,
        }
    }

    const WITH_PUBLIC: [Service; 4] = [Service::Github, Service::Gitlab, Service::Bitbucket, Service::Atlassian];
}

/// Where a credential of the user's comes from. Never the credential itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialSpec {
    /// The value of an environment variable.
    Env(String),
    /// The content of a file, without the line end.
    File(PathBuf),
    /// The first line that a program prints; no shell is involved.
    Command(Vec<String>),
    /// The password of that machine in the user's netrc file.
    Netrc(String),
}

/// One `[[host]]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// What runs there.
    pub provider: Service,
    /// `https://…`; `http://` for loopback, or with `insecure_http`.
    pub base_url: String,
    /// A token of ours for this host: to look up, to revoke, to open tasks. For a webhook it is the path of the URL.
    pub credential: Option<CredentialSpec>,
    /// The name that belongs to `credential` where it is a password (Basic authentication).
    pub user: Option<String>,
    /// The id of an OAuth or GitHub App of ours.
    pub client_id: Option<String>,
    /// The secret of that application.
    pub client_secret: Option<CredentialSpec>,
    /// An organisation or top-level group of ours at this host.
    pub organization: Option<String>,
    /// E-mail addresses whose API tokens are ours (Atlassian asks for one with each token).
    #[serde(default)]
    pub emails: Vec<String>,
    /// Certificates (PEM) that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// `http://proxy.example.org:3128`.
    pub proxy: Option<ProxyUrl>,
    /// Allows `http://` to a host that is not loopback.
    #[serde(default)]
    pub insecure_http: bool,
}

impl HostSpec {
    /// A host of which nothing but its address is known.
    pub fn bare(provider: Service, url: &str) -> Self {
        HostSpec {
            provider,
            base_url: url.to_owned(),
            credential: None,
            user: None,
            client_id: None,
            client_secret: None,
            organization: None,
            emails: Vec::new(),
            ca_file: None,
            proxy: None,
            insecure_http: false,
        }
    }
}

/// The address of a proxy. It may hold a password: `Debug` shows nothing.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct ProxyUrl(pub String);

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl")
    }
}

/// The name that GitLab gives to job tokens (doc/ci/jobs/ci_job_token.md).
pub const JOB_TOKEN_USER: &str = "gitlab-ci-token";

/// How a credential is fetched; `cli` provides it. The error says what is missing, never a value.
pub type Fetch = dyn Fn(&CredentialSpec) -> Result<Secret, String> + Send + Sync;

/// A credential of the user's, fetched when it is first needed.
pub(super) struct Credential {
    spec: CredentialSpec,
    fetch: Arc<Fetch>,
    value: OnceLock<Result<Secret, String>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?})", self.spec)
    }
}

impl Credential {
    fn new(spec: CredentialSpec, fetch: &Arc<Fetch>) -> Self {
        Credential { spec, fetch: fetch.clone(), value: OnceLock::new() }
    }

    fn get(&self) -> Result<&Secret, String> {
        self.value.get_or_init(|| (self.fetch)(&self.spec)).as_ref().map_err(Clone::clone)
    }
}

/// A host that may be asked.
#[derive(Debug)]
pub struct Host {
    /// What runs there.
    pub service: Service,
    /// Whether the configuration names it; a public host is known without.
    pub configured: bool,
    /// An organisation or top-level group of ours.
    pub organization: Option<String>,
    /// E-mail addresses whose tokens are ours.
    pub emails: Vec<String>,
    /// The id of an application of ours.
    pub client_id: Option<String>,
    /// The name for Basic authentication with our credential.
    pub user: Option<String>,
    pub(super) base: Url,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) proxy: Option<ProxyUrl>,
    pub(super) client: OnceLock<Result<reqwest::blocking::Client, String>>,
    /// For the hosts that its answers lead to.
    pub(super) guide: OnceLock<Result<reqwest::blocking::Client, String>>,
    credential: Option<Credential>,
    client_secret: Option<Credential>,
}

impl Host {
    fn new(spec: HostSpec, configured: bool, fetch: &Arc<Fetch>) -> Result<Self, Error> {
        let base = check_url(&spec)?;
        Ok(Host {
            service: spec.provider,
            configured,
            organization: spec.organization,
            emails: spec.emails,
            client_id: spec.client_id,
            user: spec.user,
            base,
            ca_file: spec.ca_file,
            proxy: spec.proxy,
            client: OnceLock::new(),
            guide: OnceLock::new(),
            credential: spec.credential.map(|spec| Credential::new(spec, fetch)),
            client_secret: spec.client_secret.map(|spec| Credential::new(spec, fetch)),
        })
    }

    /// `name` or `name:port`, as messages show it.
    pub fn name(&self) -> String {
        let name = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
    }

    /// The request that an address of this host stands for, as it gives one for the next page of a list: path below the
    /// base URL and query. `None` for an address of any other host.
    pub fn page(&self, address: &str) -> Option<(String, Query)> {
        let url = Url::parse(address).ok().filter(|url| url.origin() == self.base.origin())?;
        let path = url.path().strip_prefix(self.base.path().trim_end_matches('/'))?;
        let query = url.query_pairs().map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()));
        path.starts_with('/').then(|| (path.to_owned(), query.collect()))
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.base.host_str().is_some_and(is_loopback)
    }

    /// The address under which people reach it, without a slash at the end.
    pub fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Our credential there: `None` if the configuration has none; an error says why it cannot be had.
    pub fn credential(&self) -> Option<Result<&Secret, String>> {
        self.credential.as_ref().map(|it| it.get().map_err(|why| format!("the credential of {}: {why}", self.name())))
    }

    /// Our credential in the form that the service wants it.
    pub fn sign_in(&self) -> Result<Auth<'_>, String> {
        let ours = self.credential().ok_or_else(|| format!("no credential is configured for {}", self.name()))??;
        Ok(match (self.service, &self.user) {
            (Service::Gitlab, Some(user)) if user == JOB_TOKEN_USER => Auth::Header("job-token", ours),
            (Service::Gitlab, _) => Auth::Header("private-token", ours),
            (Service::Vault, _) => Auth::Header("x-vault-token", ours),
            (Service::Github | Service::Atlassian, _) | (_, None) => Auth::Bearer(ours),
            (_, Some(user)) => Auth::Basic(user, ours),
        })
    }

    /// Whether it is a GitHub Enterprise Server.
    pub fn is_enterprise_server(&self) -> bool {
        self.service == Service::Github && self.base_url().ends_with("/api/v3")
    }

    /// Whether the configuration names a credential for it. Fetches nothing.
    pub fn has_credential(&self) -> bool {
        self.credential.is_some()
    }

    /// Our credential, if there is one and it can be had.
    pub fn usable_credential(&self) -> Option<&Secret> {
        self.credential.as_ref()?.get().ok()
    }

    /// The secret of our application there, if there is one and it can be had.
    pub fn usable_client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()?.get().ok()
    }

    /// Whether a text's `host` or `host:port` means this host. `github.com` means `api.github.com`, and so on.
    pub fn is_called(&self, name: &str) -> bool {
        let own = self.base.host_str().unwrap_or_default();
        let (bare, port) = name.split_once(':').map_or((name, None), |(bare, port)| (bare, Some(port)));
        // Git over SSH has a port of its own: only where both name one must they agree.
        if port.is_some_and(|port| self.base.port().is_some_and(|own| own.to_string() != port)) {
            return false;
        }
        // The API of GitHub's enterprise cloud with data residency is at `api.NAME.ghe.com`.
        if own.strip_prefix("api.").is_some_and(|own| own.ends_with(".ghe.com") && bare.eq_ignore_ascii_case(own)) {
            return true;
        }
        let aliases: &[&str] = match own {
            "api.github.com" => &["github.com", "gist.github.com", "raw.githubusercontent.com", "uploads.github.com"],
            "api.bitbucket.org" => &["bitbucket.org"],
            "gitlab.com" => &["registry.gitlab.com"],
            _ => &[],
        };
        bare.eq_ignore_ascii_case(own) || aliases.iter().any(|alias| bare.eq_ignore_ascii_case(alias))
    }
}

/// The hosts of a run: what the configuration names, and the public host of each provider that it does not name.
#[derive(Debug)]
pub struct Hosts(Vec<Host>);

impl Hosts {
    /// Checks and completes what the configuration says.
    pub fn new(specs: Vec<HostSpec>, fetch: Arc<Fetch>) -> Result<Self, Error> {
        let mut hosts: Vec<Host> = Vec::new();
        for spec in specs {
            let host = Host::new(spec, true, &fetch)?;
            // A step names its host by the address: with two there, one would be asked with the other's credential.
            if hosts.iter().any(|known| known.base_url() == host.base_url()) {
                let what = format!("{} is named twice; leave one [[host]] for it", host.base_url());
                return Err(Error::Host { provider: host.service.as_str(), what });
            }
            hosts.push(host);
        }
        for service in Service::WITH_PUBLIC {
            if !hosts.iter().any(|host| host.service == service)
                && let Some(url) = service.public()
            {
                hosts.push(Host::new(HostSpec::bare(service, url), false, &fetch)?);
            }
        }
        Ok(Hosts(hosts))
    }

    /// The hosts of a service in the order in which they are asked: those that the text names first.
    pub fn of(&self, service: Service, named: &[String]) -> Vec<&Host> {
        let mut hosts: Vec<&Host> = self.0.iter().filter(|host| host.service == service).collect();
        hosts.sort_by_key(|host| !named.iter().any(|name| host.is_called(name)));
        hosts
    }

    /// Lends a credential, and the name that belongs to it, to the host with this base URL if it has none.
    pub fn lend(&mut self, base_url: &str, spec: CredentialSpec, user: Option<String>, fetch: Arc<Fetch>) {
        let bare = self.0.iter_mut().find(|host| host.base_url() == base_url && host.credential.is_none());
        if let Some(host) = bare {
            host.credential = Some(Credential::new(spec, &fetch));
            host.user = user;
        }
    }

    /// Whether any host that may be asked is called so.
    pub fn knows(&self, name: &str) -> bool {
        self.0.iter().any(|host| host.is_called(name))
    }

    /// The host with this base URL.
    pub fn by_base_url(&self, url: &str) -> Option<&Host> {
        self.0.iter().find(|host| host.base_url() == url.trim_end_matches('/'))
    }
}

fn check_url(spec: &HostSpec) -> Result<Url, Error> {
    let wrong = |what: &str| Error::Host { provider: spec.provider.as_str(), what: what.to_owned() };
    let url = Url::parse(&spec.base_url).map_err(|_| wrong("base_url is not a URL such as https://git.example.org"))?;
    let Some(host) = url.host_str() else { return Err(wrong("base_url has no host")) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("base_url holds a user name or password; say credential = { env = \"…\" } instead"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("base_url has a query or a fragment; leave it out"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if spec.insecure_http || is_loopback(host) => Ok(url),
        "http" => Err(wrong("base_url is http://, which anybody can read; use https://, or say insecure_http = true")),
        _ => Err(wrong("base_url must begin with https://")),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an address is of the open internet. A public host that resolves to anything else is somebody's trick.
pub(super) fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b); // RFC 6598
            let special = a == 0 || a >= 224 || (a, b, c) == (192, 0, 0) || (a == 198 && b & 0xfe == 18); // RFC 6890
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared || special)
        }
        IpAddr::V6(ip) => match inner(ip) {
            Some(inner) => is_global(inner.into()),
            None => !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_local(ip)),
        },
    }
}

/// The address that a gateway makes of one of IPv6: mapped, or compatible (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052).
fn inner(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0 | 0xffff] if g != 0 => Some(of(g, h)),
        [0x64, 0xff9b, 0 | 1, ..] => Some(of(g, h)),
        [0x2002, ..] => Some(of(b, c)),
        _ => None,
    }
}

/// Unique local (fc00::/7), link-local (fe80::/10) or, as it was called, site-local (fec0::/10).
fn is_local(ip: Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(toml: &str) -> Result<Hosts, Error> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            host: Vec<HostSpec>,
        }
        let file: File = toml::from_str(toml).unwrap();
        Hosts::new(file.host, Arc::new(|_| Err("no".to_owned())))
    }

    #[test]
    fn a_configured_host_replaces_the_public_one() {
        let hosts = hosts("[[host]]\nprovider='gitlab'\nbase_url='https://git.example.org'").unwrap();
        let names = |service| hosts.of(service, &[]).iter().map(|host| host.name()).collect::<Vec<_>>();
        assert_eq!(names(Service::Gitlab), ["git.example.org"]);
        assert_eq!(names(Service::Github), ["api.github.com"]);
        assert!(names(Service::Jira).is_empty());
    }

    #[test]
    fn the_host_that_the_text_names_comes_first() {
        let both = "[[host]]\nprovider='gitlab'\nbase_url='https://a.example'\n\
                    [[host]]\nprovider='gitlab'\nbase_url='https://b.example'";
        let hosts = hosts(both).unwrap();
        assert_eq!(hosts.of(Service::Gitlab, &["B.example".to_owned()])[0].name(), "b.example");
    }

    #[test]
    fn no_address_is_named_twice() {
        let twice = "[[host]]\nprovider='gitlab'\nbase_url='https://a.example'\n\
                     [[host]]\nprovider='webhook'\nbase_url='https://a.example/'";
        assert!(hosts(twice).is_err());
    }

    #[test]
    fn plain_http_is_for_loopback_or_for_those_who_say_so() {
        let url = |url: &str, more: &str| hosts(&format!("[[host]]\nprovider='gitlab'\nbase_url='{url}'\n{more}"));
        assert!(url("http://127.0.0.1:8080", "").is_ok());
        assert!(url("http://[::1]:8080", "").is_ok());
        assert!(url("http://git.example.org", "").is_err());
        assert!(url("http://127.0.0.1.example.org", "").is_err());
        assert!(url("http://git.example.org", "insecure_http = true").is_ok());
        assert!(url("https://user:pw@git.example.org", "").is_err());
        assert!(url("ftp://git.example.org", "").is_err());
    }

    #[test]
    fn addresses_inside_are_not_global() {
        for ip in ["10.1.2.3", "192.168.0.1", "172.16.9.9", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"] {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["0.1.2.3", "192.0.0.8", "198.18.0.1", "198.19.9.9", "240.0.0.1", "255.255.255.255"] {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["::1", "fe80::1", "fec0::1", "fd00::1", "::ffff:10.0.0.1", "::", "ff02::1", "::127.0.0.1"] {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
        // What a gateway turns into 169.254.169.254 or 10.0.0.1.
        for ip in ["64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:a00:1::1"] {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["140.82.121.6", "192.0.1.1", "198.20.0.1", "2606:50c0::1", "64:ff9b::8c52:7906", "2002:8c52:7906::1"]
        {
            assert!(is_global(ip.parse().unwrap()), "{ip}");
        }
    }
}

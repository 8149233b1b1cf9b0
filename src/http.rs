//! The one door to the network. It opens to allowed hosts only, never follows a redirect, retries nothing but reads,
//! and lets no secret out by an error: not by a message, not by `Debug`, not by an answer that echoes what was sent.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, RequestBuilder};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::secret::Secret;

mod answer;
mod download;
mod hosts;

pub use answer::Answer;
pub use download::Download;
pub use hosts::{CredentialSpec, Fetch, Host, HostSpec, Hosts, JOB_TOKEN_USER, ProxyUrl, Service};
pub use reqwest::Method;

/// What is wrong with the configuration of hosts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A `[[host]]` cannot be used.
    #[error("[[host]] of provider {provider}: {what}")]
    Host {
        /// The provider that it names.
        provider: &'static str,
        /// What is wrong and what to write instead.
        what: String,
    },
}

/// Why there is no answer. Never holds anything that was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `--offline`.
    #[error("the network is forbidden (--offline)")]
    Offline,
    /// No answer in time, or not to its end.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// No connection, or it broke.
    #[error("{0} could not be reached")]
    Connect(String),
    /// The certificate is not trusted.
    #[error("the certificate of {0} is not trusted; name its authority with ca_file in [[host]]")]
    Tls(String),
    /// The connection broke in the middle of the answer, or the answer is too long.
    #[error("the answer of {0} could not be read to its end")]
    Body(String),
    /// The request could not be made: a certificate or proxy of the configuration, or a token no header can carry.
    #[error("{0} cannot be asked: {1}")]
    Request(String, String),
}

impl Fault {
    /// Whether nothing was sent, so that nothing can have been done.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Fault::Offline | Fault::Request(..))
    }
}

/// How a request says who it comes from.
#[derive(Clone, Copy, Debug)]
pub enum Auth<'a> {
    /// Nobody.
    None,
    /// `Authorization: Bearer …`.
    Bearer(&'a Secret),
    /// A header of the provider's own.
    Header(&'static str, &'a Secret),
    /// `Authorization: Basic …`, name and password.
    Basic(&'a str, &'a Secret),
}

impl<'a> Auth<'a> {
    fn secret(&self) -> Option<&'a Secret> {
        match self {
            Auth::None => None,
            Auth::Bearer(secret) | Auth::Header(_, secret) | Auth::Basic(_, secret) => Some(secret),
        }
    }
}

/// What a request carries. `Debug` shows no content.
pub enum Body {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Zeroizing<Vec<u8>>),
    /// A form.
    Form(Vec<(&'static str, Zeroizing<String>)>),
}

impl Body {
    /// JSON without a secret.
    pub fn json(value: &Value) -> Self {
        Body::Json(Zeroizing::new(value.to_string().into_bytes()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Empty => "Empty",
            Body::Json(_) => "Json",
            Body::Form(_) => "Form",
        })
    }
}

/// Names and values, in their order, not yet encoded.
pub type Query = Vec<(Cow<'static, str>, String)>;

/// One question, or one act. `Debug` shows the verb only: the path of a webhook is a secret.
pub struct Request<'a> {
    /// The verb.
    pub method: Method,
    /// Below the base URL, with a leading slash; the parts already encoded ([`segment`]).
    pub path: String,
    /// Query parameters. Never secret.
    pub query: Query,
    /// Headers other than those of `auth`. Never secret.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Who asks.
    pub auth: Auth<'a>,
    /// What is sent.
    pub body: Body,
    /// Secrets in `body`; an answer that repeats them is masked, as for the one in `auth`.
    pub masks: Vec<&'a Secret>,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({})", self.method)
    }
}

impl<'a> Request<'a> {
    /// A request with nothing but a path.
    pub fn new(method: Method, path: impl Into<String>, auth: Auth<'a>) -> Self {
        let path = path.into();
        Request { method, path, query: Vec::new(), headers: Vec::new(), auth, body: Body::Empty, masks: Vec::new() }
    }

    /// A question.
    pub fn get(path: impl Into<String>, auth: Auth<'a>) -> Self {
        Request::new(Method::GET, path, auth)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the body, and the secrets in it.
    #[must_use]
    pub fn body(mut self, body: Body, masks: &[&'a Secret]) -> Self {
        self.body = body;
        self.masks = masks.to_vec();
        self
    }
}

/// Encodes a part of a path, slashes too.
pub fn segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// How patient we are.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the answer is whole.
    pub answer: Duration,
    /// Attempts of a read, at least 1.
    pub attempts: usize,
    /// Before the second attempt; doubles after.
    pub pause: Duration,
    /// A host that wants us to stay away for longer is not asked again.
    pub longest_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            attempts: 4,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(65),
        }
    }
}

/// The door.
#[derive(Debug)]
pub struct Http {
    /// The hosts that may be asked.
    pub hosts: Hosts,
    /// How patient we are.
    pub pace: Pace,
    /// Nothing may be asked at all.
    pub offline: bool,
    /// The proxy for hosts that name none, and the hosts that need none (`HTTPS_PROXY`, `NO_PROXY`).
    pub proxy: Option<(ProxyUrl, String)>,
    /// Ends a pause before its time: whoever is interrupted does not wait for a rate limit.
    pub stop: Stop,
}

/// Whether to give up waiting.
#[derive(Clone)]
pub struct Stop(pub Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

impl Http {
    /// A door to these hosts.
    pub fn new(hosts: Hosts) -> Self {
        // Two doors in one process install it twice; the second time changes nothing.
        drop(rustls::crypto::ring::default_provider().install_default());
        Http { hosts, pace: Pace::default(), offline: false, proxy: None, stop: Stop(Arc::new(|| false)) }
    }

    /// Asks, and asks again after a failure that may pass. Only for requests that change nothing.
    pub fn read(&self, host: &Host, request: &Request<'_>) -> Result<Answer, Fault> {
        self.patiently(|| self.once(host, request), |answer| Some(answer))
    }

    /// Does `ask` until it succeeds, or fails in a way that does not pass. `answer` is what a host said, if it did not
    /// give what was asked for.
    fn patiently<T>(
        &self,
        ask: impl Fn() -> Result<T, Fault>,
        answer: impl Fn(&T) -> Option<&Answer>,
    ) -> Result<T, Fault> {
        // backon's blocking retries cannot be told a pause by an answer, and that is most of what there is to do.
        let mut pause = self.pace.pause;
        for _ in 1..self.pace.attempts {
            let outcome = ask();
            let asked = match outcome.as_ref().map(&answer) {
                Ok(Some(said)) if said.is_rate_limit() || matches!(said.status, 500 | 502..=504) => said.stay_away(),
                Err(Fault::Timeout(_) | Fault::Connect(_) | Fault::Body(_)) => None,
                _ => return outcome,
            };
            if asked.is_some_and(|asked| asked > self.pace.longest_pause)
                || !self.wait(asked.unwrap_or_default().max(pause))
            {
                return outcome;
            }
            pause = (pause * 2).min(self.pace.longest_pause);
        }
        ask()
    }

    /// Waits; `false` if that was cut short.
    fn wait(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        while !(self.stop.0)() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        false
    }

    /// Asks once. For acts: whoever loses the answer looks what came of it, and does not act again.
    pub fn once(&self, host: &Host, request: &Request<'_>) -> Result<Answer, Fault> {
        if self.offline {
            return Err(Fault::Offline);
        }
        let deadline = Instant::now() + self.pace.answer;
        let mut answer = Answer::read(self.send(host, request)?, deadline, &host.name())?;
        answer.mask_all(request);
        Ok(answer)
    }

    fn send(&self, host: &Host, request: &Request<'_>) -> Result<reqwest::blocking::Response, Fault> {
        let name = host.name();
        let client = host
            .client
            .get_or_init(|| self.connect(host))
            .as_ref()
            .map_err(|why| Fault::Request(name.clone(), why.clone()))?;
        let built = build(client, host, request).map_err(|why| Fault::Request(name.clone(), why))?;
        built.send().map_err(|error| fault(&name, &error))
    }

    fn connect(&self, host: &Host) -> Result<Client, String> {
        self.client(host, host.base.scheme() == "http")
    }

    /// `bare`: nobody shows a certificate, the system's, which take long to load, are not needed.
    fn client(&self, host: &Host, bare: bool) -> Result<Client, String> {
        let mut builder = Client::builder()
            .user_agent(concat!("stanch/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.pace.connect)
            .timeout(self.pace.answer)
            .no_proxy();
        if let Some(path) = &host.ca_file {
            let pem = std::fs::read(path).map_err(|error| format!("ca_file {}: {error}", path.display()))?;
            // A file without any certificate is no error for reqwest, but surely one of the user's.
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|found| !found.is_empty());
            let certificates =
                certificates.ok_or_else(|| format!("ca_file {} holds no PEM certificate", path.display()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        if bare {
            builder = builder.tls_certs_only([]);
        }
        let proxy = host.proxy.as_ref().map(|url| (url, "localhost,127.0.0.0/8,::1"));
        if let Some((url, except)) = proxy.or(self.proxy.as_ref().map(|(url, except)| (url, except.as_str()))) {
            let proxy = reqwest::Proxy::all(&url.0).map_err(|_| "its proxy is not a URL".to_owned())?;
            builder = builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string(except)));
        } else if !host.configured {
            // Behind a proxy it is the proxy that resolves names.
            builder = builder.dns_resolver(Arc::new(GlobalOnly));
        }
        builder.build().map_err(|_| "TLS could not be set up".to_owned())
    }
}

/// Resolves the names of public hosts, and only to addresses of the open internet.
struct GlobalOnly;

impl reqwest::dns::Resolve for GlobalOnly {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found = (name.as_str(), 0).to_socket_addrs()?.filter(|addr| hosts::is_global(addr.ip()));
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "sends the secret")]
fn build(client: &Client, host: &Host, request: &Request<'_>) -> Result<RequestBuilder, String> {
    let mut url = host.base.clone();
    url.set_path(&format!("{}{}", host.base.path().trim_end_matches('/'), request.path));
    let mut builder = client.request(request.method.clone(), url);
    if !request.query.is_empty() {
        builder = builder.query(&request.query);
    }
    for (name, value) in &request.headers {
        builder = builder.header(*name, *value);
    }
    builder = match &request.auth {
        Auth::None => builder,
        Auth::Bearer(secret) => builder.header("authorization", sensitive(&[b"Bearer ", secret.expose()])?),
        Auth::Header(name, secret) => builder.header(HeaderName::from_static(name), sensitive(&[secret.expose()])?),
        Auth::Basic(user, secret) => {
            let pair = Zeroizing::new([user.as_bytes(), b":", secret.expose()].concat());
            let coded = Zeroizing::new(data_encoding::BASE64.encode(&pair));
            builder.header("authorization", sensitive(&[b"Basic ", coded.as_bytes()])?)
        }
    };
    Ok(match &request.body {
        Body::Empty => builder,
        Body::Json(bytes) => builder.header("content-type", "application/json").body(bytes.to_vec()),
        Body::Form(fields) => {
            builder.form(&fields.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
        }
    })
}

fn sensitive(parts: &[&[u8]]) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_bytes(&Zeroizing::new(parts.concat()))
        .map_err(|_| "the token has characters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// reqwest's own messages hold the URL; ours hold the host.
fn fault(name: &str, error: &reqwest::Error) -> Fault {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.to_string().contains("certificate") {
            return Fault::Tls(name.to_owned());
        }
        source = inner.source();
    }
    match error {
        error if error.is_timeout() => Fault::Timeout(name.to_owned()),
        error if error.is_body() || error.is_decode() => Fault::Body(name.to_owned()),
        _ => Fault::Connect(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that leads to this machine, whatever its owner says of it, is no public host.
    #[test]
    fn a_public_name_that_leads_inside_leads_nowhere() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // An answer that comes before the question is none.
            std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap();
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            // Whoever came second would be in the queue.
            listener.set_nonblocking(true).unwrap();
            listener.accept().is_err()
        });
        drop(rustls::crypto::ring::default_provider().install_default());
        let bare = || Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(10));
        assert!(bare().dns_resolver(Arc::new(GlobalOnly)).build().unwrap().get(&url).send().is_err());
        assert_eq!(bare().build().unwrap().get(&url).send().unwrap().status(), 204);
        assert!(server.join().unwrap(), "somebody else came, too");
    }
}

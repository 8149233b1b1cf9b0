//! What a host gives that is too large for memory, as a stream. A redirect is followed, but never with a credential.

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::blocking::{Client, Response};

use super::{Answer, Fault, Host, Http, Request, fault, hosts};

/// Hops to storage that are followed. Every provider needs one.
const HOPS: usize = 3;

/// What must come within one [`Pace::answer`](super::Pace::answer), in bytes: a host that drips would keep us for ever.
const DRIP: u64 = 1 << 10;

/// A host's answer whose body is read as it comes.
pub enum Download {
    /// The body; its errors hold a [`Fault`].
    Content(Answer, Box<dyn Read + Send>),
    /// Something else than what was asked for.
    Refused(Answer),
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Download::Content(head, _) => write!(f, "Content({})", head.status),
            Download::Refused(answer) => write!(f, "Refused({})", answer.status),
        }
    }
}

impl Http {
    /// Asks for something large, and again after a failure that may pass. Where the host redirects to another one,
    /// that one is asked without any credential.
    pub fn download(&self, host: &Host, request: &Request<'_>) -> Result<Download, Fault> {
        self.patiently(
            || self.open(host, request),
            |download| match download {
                Download::Refused(answer) => Some(answer),
                Download::Content(..) => None,
            },
        )
    }

    fn open(&self, host: &Host, request: &Request<'_>) -> Result<Download, Fault> {
        if self.offline {
            return Err(Fault::Offline);
        }
        let mut deadline = Instant::now() + self.pace.answer;
        let mut response = self.send(host, request)?;
        let mut at = response.url().clone();
        let mut name = host.name();
        for _ in 0..HOPS {
            let Some(next) = leads_to(&response, &at, &name)? else { break };
            deadline = Instant::now() + self.pace.answer;
            at = self.allowed(host, next)?;
            name = at.host_str().unwrap_or_default().to_owned();
            response = self.follow(host, at.clone(), &name)?;
        }
        let mut head = Answer::head(&response);
        if head.status == 200 {
            head.mask_all(request);
            let steady = Steady { response, name, window: self.pace.answer, since: Duration::ZERO, came: 0 };
            return Ok(Download::Content(head, Box::new(steady)));
        }
        let mut answer = Answer::read(response, deadline, &name)?;
        answer.mask_all(request);
        Ok(Download::Refused(answer))
    }

    /// The address that a host of ours led to, if we may go there: over TLS, or to loopback and other plain hosts from
    /// one that is plain itself; to addresses of the open internet, unless the user named the host that leads.
    fn allowed(&self, host: &Host, next: Url) -> Result<Url, Fault> {
        let name = next.host_str().unwrap_or_default().to_owned();
        let refused = |why: &str| Err(Fault::Request(name.clone(), why.to_owned()));
        match next.scheme() {
            "https" => {}
            "http" if host.base.scheme() == "http" => {}
            _ => return refused("its address, which came from a redirect, is not https"),
        }
        if !next.username().is_empty() || next.password().is_some() {
            return refused("its address, which came from a redirect, holds a password");
        }
        // A name is looked at when it is resolved; a number never is.
        let number = name.trim_matches(['[', ']']).parse().ok();
        if !host.configured && number.is_some_and(|ip| !hosts::is_global(ip)) {
            return refused("its address, which came from a redirect, is inside of a private network");
        }
        Ok(next)
    }

    fn follow(&self, host: &Host, to: Url, name: &str) -> Result<Response, Fault> {
        let client: &Result<Client, String> =
            host.guide.get_or_init(|| self.client(host, to.scheme() == "http" && host.is_loopback()));
        let client = client.as_ref().map_err(|why| Fault::Request(name.to_owned(), why.clone()))?;
        client.get(to).send().map_err(|error| fault(name, &error))
    }
}

/// Where a redirect leads. One that leads nowhere is an answer like any other.
fn leads_to(response: &Response, from: &Url, name: &str) -> Result<Option<Url>, Fault> {
    if !matches!(response.status().as_u16(), 301..=303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get("location") else { return Ok(None) };
    let wrong = || Fault::Request(name.to_owned(), "it redirects to what is no address".to_owned());
    let location = location.to_str().map_err(|_| wrong())?;
    from.join(location).map(Some).map_err(|_| wrong())
}

/// A body whose host must keep giving.
struct Steady {
    response: Response,
    name: String,
    window: Duration,
    /// Time spent waiting for it since the last time that enough had come.
    since: Duration,
    came: u64,
}

impl Read for Steady {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let asked = Instant::now();
        let len = self.response.read(space).map_err(|error| {
            let fault = match error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>()) {
                Some(inner) if inner.is_timeout() => Fault::Timeout(self.name.clone()),
                _ => Fault::Body(self.name.clone()),
            };
            io::Error::other(fault)
        })?;
        self.since += asked.elapsed();
        self.came += len as u64;
        if self.came >= DRIP {
            (self.since, self.came) = (Duration::ZERO, 0);
        } else if len > 0 && self.since > self.window {
            return Err(io::Error::other(Fault::Timeout(self.name.clone())));
        }
        Ok(len)
    }
}

//! What a host said.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::time::{Duration, Instant};

use reqwest::blocking::Response;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Fault, Request};
use crate::secret::Secret;

/// No answer that we read is longer; the longest is a page of 100 projects.
const LONGEST_BODY: usize = 4 << 20;

/// Shorter than that, a secret would be found in innocent text; no provider makes such tokens.
const SHORTEST_MASKED: usize = 8;

/// What a host said. A redirect is an answer like any other. What was sent in secret is masked in it.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    headers: BTreeMap<String, String>,
    body: Zeroizing<Vec<u8>>,
}

/// A body may hold a new token: it is not shown.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Answer {
    /// Reads an answer to its end, with one deadline over all: a host that drips would keep one per read for ever.
    pub(super) fn read(mut response: Response, deadline: Instant, name: &str) -> Result<Self, Fault> {
        let mut answer = Answer::head(&response);
        let mut piece = Zeroizing::new([0; 16 << 10]);
        loop {
            if Instant::now() >= deadline {
                return Err(Fault::Timeout(name.to_owned()));
            }
            match response.read(&mut piece[..]) {
                Ok(0) => return Ok(answer),
                Ok(len) if answer.body.len() + len > LONGEST_BODY => return Err(Fault::Body(name.to_owned())),
                Ok(len) => answer.body.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                    return Err(Fault::Timeout(name.to_owned()));
                }
                Err(_) => return Err(Fault::Body(name.to_owned())),
            }
        }
    }

    /// What comes before the body.
    pub(super) fn head(response: &Response) -> Self {
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(key, value)| (key.as_str().to_owned(), text(value))).collect();
        Answer { status: response.status().as_u16(), headers, body: Zeroizing::new(Vec::new()) }
    }

    /// Masks what was sent in secret: some hosts repeat it.
    pub(super) fn mask_all(&mut self, request: &Request<'_>) {
        for secret in request.auth.secret().into_iter().chain(request.masks.iter().copied()) {
            self.mask(secret);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "masks the secret")]
    fn mask(&mut self, secret: &Secret) {
        let token = secret.expose();
        if token.len() < SHORTEST_MASKED {
            return;
        }
        let places: Vec<usize> = memchr::memmem::find_iter(&self.body, token).collect();
        for at in places {
            self.body[at..at + token.len()].fill(b'*');
        }
        if let Ok(text) = std::str::from_utf8(token) {
            for value in self.headers.values_mut() {
                *value = value.replace(text, "****");
            }
        }
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body, if it is JSON and says so.
    pub fn json(&self) -> Option<Value> {
        let says = self.header("content-type").is_none_or(|kind| kind.contains("json"));
        says.then(|| serde_json::from_slice(&self.body).ok()).flatten()
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// Whether a list goes on: GitHub's way to say so, and GitLab's.
    pub fn has_next(&self) -> bool {
        self.header("x-next-page").is_some_and(|page| !page.trim().is_empty())
            || self.header("link").is_some_and(|link| link.contains("rel=\"next\""))
    }

    /// Where a list goes on, as its `Link` header (RFC 8288) names it: an address that is not checked yet.
    pub fn next_page(&self) -> Option<&str> {
        let link = self.header("link")?.split(',').find(|link| link.contains("rel=\"next\""))?;
        link.trim().strip_prefix('<')?.split('>').next()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the status is of the 200s.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is a page for people, whatever the status says: a login form, a captive portal.
    pub fn is_page(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.contains("html"))
    }

    /// The provider's name for the request, by which its support finds it.
    pub fn request_id(&self) -> Option<&str> {
        ["x-github-request-id", "x-request-id", "x-arequestid", "atl-traceid"].iter().find_map(|it| self.header(it))
    }

    /// How long the host wants us to stay away: `retry-after`, or GitHub's and GitLab's time of reset. Measured by the
    /// host's own clock.
    pub(super) fn stay_away(&self) -> Option<Duration> {
        if let Some(seconds) = self.header("retry-after").and_then(|it| it.trim().parse().ok()) {
            return Some(Duration::from_secs(seconds));
        }
        // "wait for at least one minute before retrying" (docs.github.com, rate limits for the REST API).
        if memchr::memmem::find(&self.body, b"secondary rate limit").is_some() {
            return Some(Duration::from_secs(60));
        }
        let remaining = self.header("x-ratelimit-remaining").or(self.header("ratelimit-remaining"))?;
        let reset = self.header("x-ratelimit-reset").or(self.header("ratelimit-reset"))?.trim().parse::<i64>().ok()?;
        let date = jiff::fmt::rfc2822::parse(self.header("date")?).ok()?.timestamp().as_second();
        (remaining.trim() == "0").then(|| Duration::from_secs(u64::try_from(reset - date).unwrap_or(0)))
    }

    /// Too many requests, in each provider's way to say so.
    pub fn is_rate_limit(&self) -> bool {
        self.status == 429 || (self.status == 403 && self.stay_away().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_one_that_says_so() {
        let next = |link: &str| {
            let headers = BTreeMap::from([("link".to_owned(), link.to_owned())]);
            let answer = Answer { status: 200, headers, body: Zeroizing::new(Vec::new()) };
            answer.next_page().map(str::to_owned)
        };
        let link = "<https://h/a?page=1>; rel=\"prev\", <https://h/a?page=3>; rel=\"next\", <https://h/a?page=9>; rel=\"last\"";
        assert_eq!(next(link).as_deref(), Some("https://h/a?page=3"));
        assert_eq!(next("<https://h/a?page=1>; rel=\"prev\""), None);
    }
}

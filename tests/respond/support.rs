//! Tokens made at run time, doors to servers on loopback, answers from `testdata/http`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stanch::http::{Hosts, Http, Pace};
use stanch::respond::config::File;
use stanch::respond::incident::Incident;
use stanch::respond::kind::Kind;
use stanch::secret::Secret;

use crate::server::{Reply, Server};

/// A recorded answer.
pub fn recorded(path: &str) -> String {
    let whole = format!("{}/testdata/http/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{whole}: {error}"))
}

/// A recorded answer as a reply.
pub fn reply(status: u16, path: &str) -> Reply {
    Reply::json(status, recorded(path))
}

/// `len` characters that nobody has seen before.
pub fn noise(len: usize) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut state = COUNT.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed) ^ u64::from(std::process::id()) << 32;
    let mut next = || {
        // xorshift64*: enough for tests, and no dependency.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as usize
    };
    (0..len)
        .map(|_| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[next() % 62]))
        .collect()
}

/// A classic token of GitHub with a checksum that holds.
pub fn github_token(prefix: &str) -> String {
    let body = noise(30);
    let mut crc = crc32fast::hash(body.as_bytes());
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(crc % 62) as usize]);
        crc /= 62;
    }
    digits.reverse();
    format!("{prefix}{body}{}", String::from_utf8(digits).unwrap())
}

/// An access token of GitLab in the old form.
pub fn gitlab_token() -> String {
    format!("glpat-{}", noise(20))
}

pub fn incident(token: &str, kind: Kind) -> Incident {
    Incident::bare(Secret::new(token), kind)
}

/// What the configuration file says, as a door in a hurry.
pub fn door(config: &str) -> Http {
    let file: File = toml::from_str(config).unwrap();
    let hosts = Hosts::new(file.host, Arc::new(|_| Ok(Secret::new("ours-0123456789")))).unwrap();
    let mut http = Http::new(hosts);
    http.pace = Pace {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(10),
        attempts: 2,
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(3),
    };
    http
}

/// A door that does not wait long, for tests in which somebody is silent.
pub fn hurried(mut http: Http) -> Http {
    http.pace.answer = Duration::from_millis(700);
    http.pace.attempts = 1;
    http
}

/// Whatever can go wrong with any request; a redirect leads to `elsewhere`.
pub fn faults(elsewhere: &str) -> Vec<Reply> {
    vec![
        Reply::Silence,
        Reply::Reset,
        Reply::Truncated,
        Reply::Drip,
        Reply::Html(200),
        Reply::json(403, "{}"),
        Reply::json(429, "{}").with("retry-after", "3600"),
        Reply::json(500, "{}"),
        Reply::Redirect(elsewhere.to_owned()),
    ]
}

/// Runs jobs, a few at a time: silence is waited for together, and two cores are not drowned.
pub fn together(jobs: Vec<Box<dyn FnOnce() + Send>>) {
    let jobs = std::sync::Mutex::new(jobs);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let Some(job) = jobs.lock().unwrap().pop() else { break };
                    job();
                }
            });
        }
    });
}

/// One host of a provider.
pub fn host(provider: &str, url: &str, more: &str) -> String {
    format!("[[host]]\nprovider = \"{provider}\"\nbase_url = \"{url}\"\n{more}\n")
}

/// A door to one host.
pub fn to(provider: &str, server: &Server) -> Http {
    door(&host(provider, &server.url, ""))
}

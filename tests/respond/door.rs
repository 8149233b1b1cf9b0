//! The door itself: what passes, what does not, what is tried again.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use stanch::http::{Auth, Download, Fault, Request, Service};
use stanch::secret::Secret;

use crate::server::{Reply, Server};
use crate::support::{door, host, hurried, noise, to};

#[test]
fn a_redirect_is_an_answer_and_carries_nothing_on() {
    let canary = Server::canary();
    let there = canary.url.clone();
    let server = Server::start(move |_| Reply::Redirect(format!("{there}/user")));
    let http = to("github", &server);
    let secret = Secret::new(noise(40));
    let answer = http.read(http.hosts.of(Service::Github, &[])[0], &Request::get("/user", Auth::Bearer(&secret)));
    assert_eq!(answer.unwrap().status, 302);
    assert!(canary.log().is_empty());
}

#[test]
fn a_download_follows_a_redirect_without_the_credential() {
    let storage = Server::start(|_| Reply::file("text/plain", "what was asked for"));
    let there = storage.url.clone();
    let server = Server::start(move |_| Reply::Redirect(format!("{there}/blob?sig=1")));
    let http = to("github", &server);
    let secret = Secret::new(noise(40));
    let request = Request::get("/log", Auth::Bearer(&secret));
    let Download::Content(_, mut body) = http.download(http.hosts.of(Service::Github, &[])[0], &request).unwrap()
    else {
        panic!("it is refused")
    };
    let mut text = String::new();
    body.read_to_string(&mut text).unwrap();
    assert_eq!(text, "what was asked for");
    assert!(server.log()[0].token().is_some() && storage.log()[0].token().is_none());
}

#[test]
fn reads_are_tried_again_and_acts_are_not() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let server = Server::start(|_| match CALLS.fetch_add(1, SeqCst) {
        0 => Reply::json(429, "{}").with("retry-after", "1"),
        _ => Reply::json(200, "{}"),
    });
    let http = to("github", &server);
    let github = http.hosts.of(Service::Github, &[])[0];
    let request = Request::get("/user", Auth::None);
    let start = Instant::now();
    assert_eq!(http.read(github, &request).unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_secs(1), "retry-after is respected");
    CALLS.store(0, SeqCst);
    assert_eq!(http.once(github, &request).unwrap().status, 429);
    assert_eq!(CALLS.load(SeqCst), 1);
}

#[test]
fn a_host_that_wants_a_long_pause_is_left_alone() {
    let server = Server::start(|_| {
        Reply::json(403, r#"{"message":"API rate limit exceeded"}"#)
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", "1800003600")
            .with("date", "Fri, 15 Jan 2027 08:00:00 GMT")
    });
    let http = to("github", &server);
    let answer = http.read(http.hosts.of(Service::Github, &[])[0], &Request::get("/user", Auth::None)).unwrap();
    assert!(answer.is_rate_limit());
    assert_eq!(server.log().len(), 1);
}

#[test]
fn faults_are_named_and_show_nothing() {
    let secret = Secret::new(noise(40));
    for (reply, expected) in [
        (Reply::Silence, "did not answer in time"),
        (Reply::Drip, "did not answer in time"),
        (Reply::Reset, "could not be reached"),
        (Reply::Truncated, "could not be read to its end"),
    ] {
        let server = Server::start(move |_| reply.clone());
        let http = hurried(to("gitlab", &server));
        let gitlab = http.hosts.of(Service::Gitlab, &[])[0];
        let fault = http.once(gitlab, &Request::get("/api", Auth::Bearer(&secret))).unwrap_err();
        assert!(fault.to_string().contains(expected), "{fault}");
        let shown = format!("{fault} {fault:?} {http:?}");
        assert!(!shown.contains(std::str::from_utf8(secret.expose()).unwrap()));
    }
}

#[test]
fn offline_asks_nobody() {
    let server = Server::canary();
    let mut http = to("github", &server);
    http.offline = true;
    let answer = http.read(http.hosts.of(Service::Github, &[])[0], &Request::get("/user", Auth::None));
    assert_eq!(answer.unwrap_err(), Fault::Offline);
    assert!(server.log().is_empty());
}

#[test]
fn an_answer_that_repeats_the_token_is_masked() {
    let token = noise(40);
    let echo = Server::start(|got| Reply::json(200, format!("{got:?}")).with("x-echo", got.token().unwrap()));
    let http = to("github", &echo);
    let secret = Secret::new(token.clone());
    let github = http.hosts.of(Service::Github, &[])[0];
    let answer = http.read(github, &Request::get("/user", Auth::Bearer(&secret))).unwrap();
    assert!(!answer.text().contains(&token) && answer.text().contains("****"));
    assert_eq!(answer.header("x-echo"), Some("****"));
}

#[test]
fn a_token_that_no_header_can_carry_is_no_panic() {
    let server = Server::canary();
    let http = to("github", &server);
    let secret = Secret::new(*b"ghp_\nabc\xff");
    let github = http.hosts.of(Service::Github, &[])[0];
    let fault = http.once(github, &Request::get("/user", Auth::Bearer(&secret))).unwrap_err();
    assert!(matches!(fault, Fault::Request(..)), "{fault:?}");
    assert!(server.log().is_empty());
}

#[test]
fn a_certificate_is_trusted_if_its_authority_is_named_and_only_then() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (url, heard) = tls_server(Arc::new(config));
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("ca.pem");
    std::fs::write(&pem, made.cert.pem()).unwrap();

    let ask = |more: &str| {
        let http = door(&host("github", &url, more));
        let secret = Secret::new(noise(40));
        http.once(http.hosts.of(Service::Github, &[])[0], &Request::get("/user", Auth::Bearer(&secret)))
    };
    let fault = ask("").unwrap_err();
    assert!(matches!(fault, Fault::Tls(_)) && fault.to_string().contains("ca_file"), "{fault:?}");
    assert_eq!(heard.load(SeqCst), 0, "a host without a trusted certificate got a request");
    assert_eq!(ask(&format!("ca_file = {pem:?}")).unwrap().status, 200);
    assert_eq!(heard.load(SeqCst), 1);
    std::fs::write(&pem, "no certificate").unwrap();
    assert!(ask(&format!("ca_file = {pem:?}")).unwrap_err().to_string().contains("ca.pem"));
}

/// Answers every request with 200 and counts them.
fn tls_server(config: Arc<rustls::ServerConfig>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
            let mut request = [0; 4096];
            // Who does not trust us says nothing.
            if stream.read(&mut request).is_ok_and(|len| len > 0) {
                count.fetch_add(1, SeqCst);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
                tls.send_close_notify();
                drop(rustls::Stream::new(&mut tls, &mut tcp).flush());
            }
        }
    });
    (url, heard)
}

#[test]
fn a_path_stays_at_its_host() {
    let server = Server::canary();
    let http = to("github", &server);
    let github = http.hosts.of(Service::Github, &[])[0];
    http.once(github, &Request::get("//evil.example/user@x", Auth::None)).unwrap();
    assert_eq!(server.log()[0].headers["host"], server.name());
}

#[test]
fn a_proxy_is_used_where_one_is_named_and_its_address_is_not_shown() {
    let proxy = Server::start(|_| Reply::json(200, "{}"));
    let address = proxy.url.replace("http://", "http://user:hunter2hunter2@");
    let more = format!("insecure_http = true\nproxy = \"{address}\"");
    let http = door(&host("gitlab", "http://git.nowhere.test", &more));
    assert!(!format!("{http:?}").contains("hunter2"));
    let answer = http.once(http.hosts.of(Service::Gitlab, &[])[0], &Request::get("/api/v4/user", Auth::None)).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(proxy.log()[0].target, "http://git.nowhere.test/api/v4/user");
}

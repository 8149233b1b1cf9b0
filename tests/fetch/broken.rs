//! What goes wrong on the way: never taken for a clean log, never answered with a credential.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use stanch::coverage::Why;
use stanch::exit::Exit;
use stanch::fetch::target::Target;
use stanch::fetch::{Logs, Options};
use stanch::finding::{Finding, Verdict};
use zip::CompressionMethod;

use crate::play::{door, line, logs, scanned, seekable, streamed, token, told};
use crate::server::{Reply, Server};

/// A GitHub with one run whose log is what `reply` gives.
fn one_run(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |got| match got.path() {
        "/repos/o/r/actions/runs" => Reply::json(
            200,
            r#"{"workflow_runs":[{"id":1,"status":"completed","run_attempt":1,"created_at":"2026-11-18T08:00:00Z"}]}"#,
        ),
        path if path.ends_with("/jobs") => Reply::json(500, "{}"),
        _ => reply(),
    })
}

fn scan(server: &Server) -> (Vec<String>, Vec<(Why, String)>, Exit) {
    let (findings, summary) = scanned(logs("github:o/r", server, Options::default()));
    let (places, skips) = told(&findings, &summary);
    (places, skips, summary.exit())
}

#[test]
fn an_archive_that_breaks_off_anywhere_is_never_whole() {
    let leak = token(11);
    let members = [("a/1_x.txt", line(&format!("TOKEN={leak}"))), ("b/1_y.txt", line("and so on").repeat(4))];
    let plain = members.clone().map(|(name, text)| (name, text.into_bytes()));
    for archive in
        [streamed(&members), seekable(&plain, CompressionMethod::Deflated), seekable(&plain, CompressionMethod::Stored)]
    {
        let whole = archive.clone();
        let (places, skips, exit) = scan(&one_run(move || Reply::file("application/zip", whole.clone())));
        assert_eq!((places.len(), skips, exit), (1, vec![], Exit::Found));
        let first = memchr::memmem::find(&archive, b"b/1_y.txt").unwrap() - 30;
        for end in (0..archive.len()).step_by(10) {
            // The connection breaks before what was announced, or the storage itself has no more.
            for dropped in [true, false] {
                let part = archive.clone();
                let server = one_run(move || match dropped {
                    true => Reply::File("application/zip", part.clone(), end),
                    false => Reply::file("application/zip", &part[..end]),
                });
                let (places, skips, exit) = scan(&server);
                assert!(!skips.is_empty(), "{end} of {}", archive.len());
                assert!(skips.iter().all(|(why, _)| matches!(why, Why::NotFetched | Why::CorruptArchive)), "{skips:?}");
                // What came is searched, be it the start of a member; a token that is cut looks like one at most.
                let reported = places.iter().filter(|place| !place.ends_with(" hidden")).count();
                assert!(end < first || reported == 1, "{end}, {first}");
                let wanted = if reported == 0 { Exit::Unread } else { Exit::Found };
                assert_eq!(exit, wanted, "{end} of {}: {places:?}", archive.len());
            }
        }
    }
}

#[test]
fn a_text_that_breaks_off_is_searched_as_far_as_it_came() {
    let leak = token(12);
    let text = format!("first\nTOKEN={leak}\n{}", "more\n".repeat(20));
    let start = text.find(&leak).unwrap();
    let at = start + leak.len();
    for end in (0..text.len()).step_by(10) {
        let part = text.clone();
        let server = Server::start(move |got| match got.path() {
            path if path.ends_with("/jobs") => {
                Reply::json(200, r#"[{"id":1,"name":"j","started_at":"2026-11-18T08:00:00Z","status":"success"}]"#)
            }
            path if path.ends_with("/trace") => Reply::File("text/plain", part.clone().into_bytes(), end),
            _ => Reply::json(200, "{}"),
        });
        let (findings, summary) = scanned(logs("gitlab:g/p", &server, Options::default()));
        assert_eq!(summary.coverage.skips.len(), 1, "{end}");
        assert_eq!(summary.coverage.skips[0].why, Why::NotFetched);
        let told = |finding: &Finding| {
            let region = finding.region.start.offset..finding.region.end.offset;
            (finding.rule.id.clone(), region, finding.verdict.clone())
        };
        let found: Vec<_> = findings.iter().map(told).collect();
        // What came of a token may be somebody's password, once it is long enough for one.
        let came = start..end.clamp(start, at);
        let rule = if end >= at { "github-pat" } else { "generic-bare" };
        let wanted = [(rule.to_owned(), came.start as u64..came.end as u64, Verdict::Reported)];
        assert_eq!(found, if came.len() >= 6 { &wanted[..] } else { &[] }, "{end}");
    }
}

#[test]
fn an_archive_whose_content_is_not_what_it_says_is_named() {
    let members = [("a/1_x.txt", line("one").into_bytes()), ("b/1_y.txt", line("two").into_bytes())];
    let mut archive = seekable(&members, CompressionMethod::Stored);
    let at = memchr::memmem::find(&archive, b"one").unwrap();
    archive[at] = b'0';
    let (places, skips, exit) = scan(&one_run(move || Reply::file("application/zip", archive.clone())));
    assert_eq!(places.len(), 0);
    assert_eq!((skips, exit), (vec![(Why::CorruptArchive, "github:o/r#1!/a/1_x.txt".to_owned())], Exit::Unread));
}

#[test]
fn a_page_in_place_of_a_log_is_not_the_log() {
    let leak = token(13);
    for kind in ["text/html; charset=utf-8", "application/json", "application/xml"] {
        let body = format!("<p>{leak}</p>");
        let (places, skips, exit) = scan(&one_run(move || Reply::file(kind, body.clone())));
        assert_eq!((places.len(), skips.len(), exit), (0, 1, Exit::Unread), "{kind}");
        assert_eq!(skips[0].0, Why::NotFetched);
    }
}

#[test]
fn every_refusal_has_its_reason() {
    for (status, why) in [
        (401, Why::PermissionDenied),
        (403, Why::PermissionDenied),
        (404, Why::Expired),
        (410, Why::Expired),
        (418, Why::NotFetched),
        (500, Why::NotFetched),
    ] {
        let (_, skips, exit) = scan(&one_run(move || Reply::json(status, r#"{"message":"no"}"#)));
        assert_eq!((skips, exit), (vec![(why, "github:o/r#1".to_owned())], Exit::Unread), "{status}");
    }
    let server = Server::start(|_| Reply::Html(200));
    let (_, skips, exit) = scan(&server);
    assert_eq!((skips, exit), (vec![(Why::NotFetched, "github:o/r".to_owned())], Exit::Unread));
    for reply in [Reply::Reset, Reply::Truncated, Reply::json(200, "{}"), Reply::json(404, "{}")] {
        let (_, skips, exit) = scan(&Server::start(move |_| reply.clone()));
        assert_eq!((skips[0].0, exit), (Why::NotFetched, Exit::Unread));
    }
}

#[test]
fn a_host_that_wants_us_to_wait_is_waited_for_within_bounds() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let server = one_run(|| match CALLS.fetch_add(1, SeqCst) {
        0 => Reply::json(429, "{}").with("retry-after", "1"),
        1 => Reply::json(503, "{}"),
        _ => Reply::file("application/zip", streamed(&[("a/1_x.txt", line("fine"))])),
    });
    let start = Instant::now();
    let (_, skips, exit) = scan(&server);
    assert_eq!((skips, exit), (vec![], Exit::Clean));
    assert!(start.elapsed() >= Duration::from_secs(1), "retry-after is respected");
    for (name, value) in [("retry-after", "3600"), ("x-none", "")] {
        let body = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        let server = one_run(move || Reply::json(403, body).with(name, value));
        let (_, skips, _) = scan(&server);
        assert_eq!(skips, [(Why::NotFetched, "github:o/r#1".to_owned())], "{name}");
        assert_eq!(server.lines().iter().filter(|line| line.ends_with("/logs")).count(), 1, "it is not asked again");
    }
}

#[test]
fn no_redirect_and_no_page_carries_the_credential_elsewhere() {
    let canary = Server::canary();
    for to in ["/elsewhere", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:word@127.0.0.1/x", "http://[:bad"]
    {
        let location = if to == "/elsewhere" { format!("{}{to}", canary.url) } else { to.to_owned() };
        let (_, skips, _) = scan(&one_run(move || Reply::Redirect(location.clone())));
        assert_eq!(skips.len(), 1, "{to}");
        assert_eq!(skips[0].0, Why::NotFetched);
    }
    assert!(canary.log().iter().all(|got| got.token().is_none() && !got.raw.windows(4).any(|it| it == b"ours")));
    let seen = canary.log().len();
    assert_eq!(seen, 1, "the answer of the canary is JSON, which is no log");
    let there = canary.url.clone();
    let server = Server::start(move |_| {
        Reply::json(200, r#"{"workflow_runs":[]}"#).with("link", format!("<{there}/runs?page=2>; rel=\"next\""))
    });
    let (_, skips, exit) = scan(&server);
    assert_eq!((skips.len(), exit, canary.log().len()), (1, Exit::Unread, seen));
    // A redirect that leads in a circle ends.
    let server = one_run(|| Reply::Redirect("/again".to_owned()));
    let (_, skips, _) = scan(&server);
    assert_eq!(skips.len(), 1);
    assert!(server.log().len() < 10);
    assert_eq!(server.log().iter().filter(|got| got.path() == "/again" && got.token().is_some()).count(), 0);
}

#[test]
fn a_host_that_gives_nothing_or_a_byte_now_and_then_is_not_waited_for() {
    for slow in [Reply::Silence, Reply::Drip] {
        let kind = format!("{slow:?}");
        let server = Server::start(move |got| match got.path() {
            path if path.ends_with("/trace") => slow.clone(),
            _ => Reply::json(200, r#"{"id":1,"name":"j","started_at":"2026-11-18T08:00:00Z","status":"success"}"#),
        });
        let target = Target::parse("gitlab:g/p#1").unwrap();
        let mut http = door(&target, &server.url);
        http.pace.answer = Duration::from_millis(400);
        http.pace.attempts = 1;
        let logs = Logs::new(http, &server.url, target, Options::default(), None).unwrap();
        let start = Instant::now();
        let (_, summary) = scanned(logs);
        let skip = &summary.coverage.skips[0];
        assert_eq!((skip.why, summary.exit()), (Why::NotFetched, Exit::Unread), "{kind}");
        assert_eq!(skip.detail, format!("{} did not answer in time", server.name()), "{kind}");
        assert!(start.elapsed() < Duration::from_secs(10), "{kind}");
    }
}

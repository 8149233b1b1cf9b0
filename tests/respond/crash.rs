//! `kill -9` at every moment of a run, then the same run again. The child is this very test binary.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use stanch::respond::act::End;
use stanch::respond::incident::Incident;

use crate::act::{cases, ledger, policy, respond, text};
use crate::forge::Forge;
use crate::support::{incident, to};

const AT: &str = "STANCH_TEST_CRASH_AT";

/// Runs in the child only: one response, and death at the moment that the parent named.
#[test]
fn child() {
    let Ok(at) = std::env::var(AT) else { return };
    let (url, path) = (std::env::var("URL").unwrap(), std::env::var("LEDGER").unwrap());
    let index: usize = std::env::var("CASE").unwrap().parse().unwrap();
    let mut token = String::new();
    std::io::stdin().read_to_string(&mut token).unwrap();
    let (provider, model, _) = cases().remove(index);
    let case = Incident { facts: model.facts, ..incident(&token, model.kind.unwrap()) };
    let http = crate::support::door(&crate::support::host(provider, &url, ""));
    let mut left: usize = at.parse().unwrap();
    let mut tell = |_, _: &[_]| {
        if left == 0 {
            kill_self();
        }
        left -= 1;
    };
    respond(&http, vec![case], &policy(""), Path::new(&path), &mut tell);
}

/// SIGKILL: no destructor runs, nothing is flushed.
fn kill_self() {
    Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
    unreachable!("killed");
}

/// Starts the child; whether it came to its end.
fn start(url: &str, path: &Path, index: usize, token: &str, at: usize) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(AT, at.to_string())
        .env("URL", url)
        .env("LEDGER", path)
        .env("CASE", index.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn whenever_it_is_killed_the_next_run_finishes_and_nothing_is_done_twice() {
    for (index, (provider, case, act)) in cases().into_iter().enumerate() {
        let mut moments = 0;
        for at in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ledger.db");
            // The same model with a token of its own: a fingerprint is used once.
            let token = text(&case);
            let forge = Forge::with(&[&token]);
            let whole = start(&forge.server.url, &path, index, &token, at);
            let story = format!("{act} killed at moment {at}");
            let again = respond(&to(provider, &forge.server), vec![case.clone()], &policy(""), &path, &mut |_, _| ());
            assert!(matches!(again.1[0].1, End::Closed(_)), "{story}: {again:?}");
            assert_eq!(forge.ended(&token), 1, "{story}");
            assert_eq!(forge.server.count(act), 1, "{story}");
            let rows = ledger(&path).rows(None).unwrap();
            let count = |event: &str| rows.iter().filter(|row| row.event == event).count();
            assert_eq!(count("intent"), count("outcome"), "{story}: an intent is left without an outcome");
            assert_eq!(count("closed"), 1, "{story}");
            if whole {
                break;
            }
            moments += 1;
        }
        assert!(moments >= 8, "{act}: killed at {moments} moments only");
    }
}

#[test]
fn killed_twice_it_is_still_done_once() {
    let (index, (provider, case, act)) = cases().into_iter().enumerate().nth(2).unwrap();
    let token = text(&case);
    for first in [2, 3, 4, 5, 6] {
        for second in [0, 1, 3, 4, 5] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ledger.db");
            let forge = Forge::with(&[&token]);
            start(&forge.server.url, &path, index, &token, first);
            start(&forge.server.url, &path, index, &token, second);
            let http = to(provider, &forge.server);
            let (_, ends) = respond(&http, vec![case.clone()], &policy(""), &path, &mut |_, _| ());
            let story = format!("{act} killed at {first}, then at {second}");
            assert!(matches!(ends[0].1, End::Closed(_)), "{story}: {ends:?}");
            assert_eq!(forge.ended(&token), 1, "{story}");
        }
    }
}

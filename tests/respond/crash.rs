//! `kill -9` at every moment of a run, then the same run again. The child is this very test binary.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use stanch::respond::act::End;
use stanch::respond::incident::Incident;
use stanch::respond::plan::{Action, Policy};

use crate::act::{cases, ledger, policy, respond, text};
use crate::forge::Forge;
use crate::house::House;
use crate::support::{door, incident, to};

const AT: &str = "STANCH_TEST_CRASH_AT";

/// Runs in the child only: one response, and death at the moment that the parent named.
#[test]
fn child() {
    let Ok(at) = std::env::var(AT) else { return };
    let (url, path) = (std::env::var("URL").unwrap(), std::env::var("LEDGER").unwrap());
    let index: usize = std::env::var("CASE").unwrap().parse().unwrap();
    let mut token = String::new();
    std::io::stdin().read_to_string(&mut token).unwrap();
    let mut left: usize = at.parse().unwrap();
    let mut tell = |_, _: &[_]| {
        if left == 0 {
            kill_self();
        }
        left -= 1;
    };
    if let Ok(places) = std::env::var("PLACES") {
        let model = crate::rotate::cases().remove(index).0;
        let case = Incident { hints: model.hints, ..incident(&token, model.kind.unwrap()) };
        let spare = Path::new(&path).with_file_name("spare");
        let policy = Policy { otherwise: Action::Rotate, successor_file: Some(spare), ..policy(&places) };
        let http = crate::support::door(&std::env::var("HOSTS").unwrap());
        respond(&http, vec![case], &policy, Path::new(&path), &mut tell);
        return;
    }
    let (provider, model, _) = cases().remove(index);
    let case = Incident { facts: model.facts, ..incident(&token, model.kind.unwrap()) };
    let http = crate::support::door(&crate::support::host(provider, &url, ""));
    respond(&http, vec![case], &policy(""), Path::new(&path), &mut tell);
}

/// SIGKILL: no destructor runs, nothing is flushed.
fn kill_self() {
    Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
    unreachable!("killed");
}

/// Starts the child; whether it came to its end.
fn start(url: &str, path: &Path, index: usize, token: &str, at: usize) -> bool {
    start_with(url, path, index, token, at, &[])
}

fn start_with(url: &str, path: &Path, index: usize, token: &str, at: usize, more: &[(&str, String)]) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(AT, at.to_string())
        .env("URL", url)
        .env("LEDGER", path)
        .env("CASE", index.to_string())
        .envs(more.iter().map(|(name, value)| (*name, value.as_str())))
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

/// Which successor it is, as far as the ledger knows, who has it, and the requests by which a person ends it.
fn says_what_is_lost(story: &str, rows: &[stanch::ledger::Row], said: &str) {
    let made = rows.iter().find(|row| row.event == "outcome" && row.step.starts_with("rotate: "));
    let detail = made.map(|row| serde_json::from_str::<serde_json::Value>(&row.detail).unwrap());
    if let Some(print) = detail.as_ref().and_then(|detail| detail["successor"].as_str()) {
        assert!(said.contains("number 8") && said.contains(print), "{story}: {said}");
    }
    let ends: &[&str] = match (said.contains("/runners/"), detail.is_some()) {
        (true, _) => &["/runners/ID/reset_authentication_token"],
        (false, true) => &["DELETE http", "/api/v4/personal_access_tokens/8,", "personal_access_tokens/8/rotate"],
        (false, false) => &["GET http", "/api/v4/personal_access_tokens "],
    };
    assert!(ends.iter().all(|end| said.contains(end)), "{story}: {said}");
    for row in rows.iter().filter(|row| row.detail.contains("\"delivered\":true")) {
        assert!(said.contains(row.step.trim_start_matches("deliver: ")), "{story}: {said}");
    }
}

/// Killed at every moment of a rotation. What made a successor is never sent twice without knowing of the first; what
/// is called closed is delivered; and where a successor died with its only owner, that is said until it is settled.
#[test]
fn whenever_a_rotation_is_killed_the_next_run_finishes_or_says_what_is_lost() {
    for (index, (model, how)) in crate::rotate::cases().into_iter().enumerate() {
        let (mut moments, mut lost) = (0, 0);
        for at in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ledger.db");
            let token = text(&model);
            let house = House::with(&token);
            let more = [("HOSTS", house.hosts()), ("PLACES", house.places(model.id))];
            let whole = start_with(&house.server.url, &path, index, &token, at, &more);
            let made = house.state.lock().unwrap().made.len();
            let story = format!("{how} killed at moment {at}");
            let policy = crate::rotate::rotates(&house, &model, dir.path());
            let http = door(&house.hosts());
            let again = || respond(&http, vec![model.clone()], &policy, &path, &mut |_, _| ()).1.remove(0).1;
            let recorded = ledger(&path).rows(None).unwrap();
            let taken =
                recorded.iter().filter(|row| row.event == "outcome" && row.detail.contains("\"delivered\":true"));
            let everywhere = taken.count() == 3;
            let (first, second) = (again(), again());
            assert!(!house.is_live(&token), "{story}: the old one lives: {first:?}");
            assert!(!house.state.lock().unwrap().trapped, "{story}: what was dead was rotated");
            let (living, held) = (house.living(), house.held());
            match (&first, &second) {
                (End::Closed(_), End::Closed(_)) => {
                    assert_eq!(living.len(), 1, "{story}");
                    assert!(held.iter().all(|held| held.as_ref() == Some(&living[0])), "{story}: not delivered");
                }
                (End::Left(one), End::Left(two)) => {
                    assert!(one.contains("settle") && two.contains("settle"), "{story}: {one} {two}");
                    assert!(!everywhere, "{story}: what every place has is not lost: {one}");
                    says_what_is_lost(&story, &recorded, one);
                    assert!(made == 1 && how != "make", "{story}: nothing was made, or nothing had to be lost");
                    lost += 1;
                }
                other => panic!("{story}: {other:?}"),
            }
            if how != "make" {
                assert_eq!(house.state.lock().unwrap().made.len(), 1, "{story}: made twice");
            }
            let rows = ledger(&path).rows(None).unwrap();
            let count = |event: &str| rows.iter().filter(|row| row.event == event).count();
            assert_eq!(count("intent"), count("outcome"), "{story}: an intent is left without an outcome");
            if whole {
                break;
            }
            moments += 1;
        }
        // Between the answer and the last place: with a kill there, and only there, a successor is lost.
        assert_eq!(lost > 0, how != "make", "{how}");
        assert!(moments >= 15, "{how}: killed at {moments} moments only");
    }
}

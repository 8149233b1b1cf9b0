//! What a person at a terminal is asked. The terminal is made by `script` (util-linux).
#![cfg(target_os = "linux")]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::cli::Home;
use crate::forge::Forge;
use crate::support::{gitlab_token, host};

/// Runs the program at a terminal on which somebody types; its exit code and what was shown.
fn at_terminal(home: &Home, words: &str, typed: &str) -> (i32, String) {
    let (program, config) = (env!("CARGO_BIN_EXE_stanch"), home.path("stanch.toml"));
    let command = format!("'{program}' {words} --config '{}' .", config.display());
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(home.path("tree"))
        .env_clear()
        .env("HOME", home.path("."))
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn nothing_is_done_before_a_person_says_yes() {
    for (typed, code, ended) in [("n\n", 1, 0), ("\n", 1, 0), ("yess\n", 1, 0), ("y\n", 0, 1)] {
        let token = gitlab_token();
        let forge = Forge::with(&[&token]);
        let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
        let (exit, said) = at_terminal(&home, "revoke", typed);
        assert_eq!((exit, forge.ended(&token)), (code, ended), "{typed:?}: {said}");
        let (plan, question) = (said.find("plan: 1").unwrap(), said.find("Carry the plan out?").unwrap());
        assert!(plan < question && said.contains("1 steps are irreversible"), "{said}");
        assert!(!said.contains(&token[8..]), "the token was shown");
    }
}

#[test]
fn yes_is_not_enough_where_a_person_is_wanted() {
    let rule = "[[respond.rule]]\nscope = \"api\"\naction = \"revoke\"\nconfirm = \"person\"\n";
    for (typed, ended) in [("n\n", 0), ("y\n", 1)] {
        let token = gitlab_token();
        let forge = Forge::with(&[&token]);
        let home = Home::with(&token, &(host("gitlab", &forge.server.url, "") + rule));
        let (_, said) = at_terminal(&home, "revoke --yes", typed);
        assert_eq!(forge.ended(&token), ended, "{said}");
        assert!(said.contains("Irreversible. Do it?") && !said.contains("Carry the plan out?"), "{said}");
    }
    // A rotation is asked about in the same way.
    let token = gitlab_token();
    let house = crate::house::House::with(&token);
    let home = Home::with(&token, &(house.hosts() + &rule.replace("revoke", "rotate")));
    let spare = home.path("spare");
    let words = format!("revoke --yes --successor-file '{}'", spare.display());
    let (_, said) = at_terminal(&home, &words, "n\n");
    assert!(house.is_live(&token) && said.contains("self/rotate") && said.contains("Do it?"), "{said}");
    let (code, said) = at_terminal(&home, &words, "y\n");
    assert!(code == 0 && !house.is_live(&token), "{said}");
    let kept = std::fs::read_to_string(&spare).unwrap();
    assert!(kept.trim().ends_with(&house.living()[0]) && !said.contains(&house.living()[0]), "{said}");
}

#[test]
fn who_waits_for_another_process_is_told() {
    let token = gitlab_token();
    let forge = Forge::with(&[&token]);
    let home = Home::with(&token, &host("gitlab", &forge.server.url, ""));
    let ledger = home.path("own.db");
    let id = stanch::secret::Fingerprint::of_strong(token.as_bytes()).to_string();
    let held = crate::act::ledger(&ledger).turns(&[&id], &mut || ()).unwrap();
    let config = home.path("stanch.toml");
    std::thread::scope(|scope| {
        let (ledger, config) = (ledger.to_str().unwrap(), config.to_str().unwrap());
        let dir = home.path("tree");
        let run = scope.spawn(move || {
            Command::new(env!("CARGO_BIN_EXE_stanch"))
                .args(["revoke", "--yes", "--ledger", ledger, "--config", config, "."])
                .current_dir(dir)
                .output()
                .unwrap()
        });
        // Long enough to get as far as the turn on a busy machine; the answer does not depend on it being longer.
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert!(forge.is_live(&token));
        drop(held);
        let output = run.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("waiting for its turn to end"), "{said}");
    });
}

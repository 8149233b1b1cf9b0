//! `stanch filter` as a program: what it lets through, when, and with which exit code.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use stanch::builtin::with_examples;
use stanch::detect::mint::mint;

fn stanch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stanch"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn token(rule: &str) -> String {
    mint(with_examples().get(rule).unwrap(), 7).unwrap()
}

#[test]
fn secrets_of_every_rule_are_replaced_and_the_rest_is_the_same() {
    // Each rule's own examples of leaks, which have the context that some rules ask for.
    let mut leaks: Vec<(String, String, String)> = Vec::new();
    // The values of a manifest are known by what may still come (docs/wrappings.md).
    for rule in with_examples().rules.iter().filter(|rule| !rule.leads()) {
        let Some(token) = mint(rule, 7) else { continue };
        let plain = rule.leaks.iter().filter(|leak| leak.contains("<mint>") && !leak.contains("<mint:"));
        leaks.extend(plain.map(|leak| (rule.id.clone(), token.clone(), leak.replace("<mint>", &token))));
    }
    assert!(leaks.len() > 30);
    let text: String = leaks.iter().map(|(_, _, leak)| format!("{leak}\n\u{fffd} between \r\n")).collect();
    let mut child = stanch(&["filter", "--confidence", "low"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = [text.as_bytes(), b"\xff\0 no newline"].concat();
    // Whoever writes all before anything is read waits for ever where that is more than pipes hold.
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let filtered = String::from_utf8_lossy(&output.stdout);
    for (id, token, _) in &leaks {
        assert!(!filtered.contains(token.as_str()), "{id}");
    }
    assert!(output.stdout.ends_with(b"\xff\0 no newline"));
    assert_eq!(filtered.matches("\u{fffd} between \r\n").count(), leaks.len());
}

#[test]
fn a_line_comes_through_while_the_input_is_open() {
    let token = token("github-pat");
    let mut child = stanch(&["redact"]).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    input.write_all(format!("login {token} done\n> ").as_bytes()).unwrap();
    let wanted = format!("login [stanch: github-pat ghp_****…{}] done\n> ", &token[token.len() - 4..]);
    let mut seen = vec![0; wanted.len()];
    output.read_exact(&mut seen).unwrap();
    assert_eq!(String::from_utf8_lossy(&seen), wanted);
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// Somebody waits before a prompt: it has no newline, and what would be typed is not in the stream yet.
#[test]
fn a_prompt_comes_through_where_only_a_secret_would_follow() {
    let mut child = stanch(&["filter"]).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for prompt in [
        "Password: ",
        "Password for 'https://me@github.com': ",
        "Enter passphrase for key '/home/me/.ssh/id_ed25519': ",
        "me@host's password: ",
        "API key: ",
        "Authorization: ",
        "Retype new secret: ",
    ] {
        input.write_all(prompt.as_bytes()).unwrap();
        let mut seen = vec![0; prompt.len()];
        output.read_exact(&mut seen).unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), prompt);
        input.write_all(b"\n").unwrap();
        output.read_exact(&mut seen[..1]).unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_wrapped_command_keeps_its_exit_code_and_both_outputs_are_filtered() {
    let token = token("github-pat");
    let script = format!("echo out {token}; echo err {token} >&2; exit 42");
    let output = stanch(&["filter", "--", "sh", "-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(42));
    for (stream, word) in [(&output.stdout, "out"), (&output.stderr, "err")] {
        let text = String::from_utf8_lossy(stream);
        assert!(text.starts_with(&format!("{word} [stanch: github-pat ghp_")) && !text.contains(&token), "{text}");
    }
    let killed = stanch(&["filter", "--", "sh", "-c", "kill -TERM $$"]).output().unwrap();
    assert_eq!(killed.status.code(), Some(128 + 15));
}

/// No rule goes over what a log puts before each line of a key.
#[test]
fn a_private_key_with_a_prefix_on_each_line_is_replaced_line_by_line() {
    let key = format!("-----{}-----", token("private-key-pem"));
    // PGP has an empty line before the first one.
    let body: Vec<&str> = key.lines().filter(|line| !line.is_empty() && !line.starts_with("-----")).collect();
    assert!(body.len() > 1, "{key}");
    for prefix in ["2026-01-01T00:00:00Z ", "[job] ", "| ", "web-1  | ", "\x1b[36m[2/7] build\x1b[0m | ", ""] {
        let text: String = format!("before\n{key}\nafter").lines().map(|line| format!("{prefix}{line}\n")).collect();
        let mut child = stanch(&["filter"]).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let filtered = String::from_utf8(output.stdout).unwrap();
        assert!(!body.iter().any(|line| filtered.contains(line)), "{filtered}");
        assert!(filtered.contains("[stanch: private-key-pem"), "{filtered}");
        assert!(filtered.starts_with(&format!("{prefix}before\n")) && filtered.ends_with(&format!("{prefix}after\n")));
    }
}

#[test]
fn a_command_that_cannot_be_run_is_told_as_shells_do() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (program, code) in
        [("/no/such/program", 127), ("no-such-program-anywhere", 127), (file.path().to_str().unwrap(), 126)]
    {
        let output = stanch(&["filter", "--", program]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{program}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("cannot run {program}")), "{said}");
    }
}

#[test]
fn a_signal_to_the_filter_reaches_the_command() {
    let token = token("github-pat");
    let trapped = format!("trap 'echo {token}; exit 7' TERM; echo ready; while :; do sleep 0.1; done");
    let ended = "echo ready; exec sleep 60";
    // Without a terminal: an interrupt that was typed reaches the command by itself.
    for (script, signal, code) in
        [(trapped.as_str(), "-TERM", 7), (ended, "-TERM", 143), (ended, "-HUP", 129), (ended, "-INT", 130)]
    {
        let mut command = Command::new("setsid");
        // A job in the background of a shell has its interrupts ignored, and so would be the command's.
        command.args(["env", "--default-signal", env!("CARGO_BIN_EXE_stanch"), "filter", "--", "sh", "-c", script]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut seen = [0; 6];
        output.read_exact(&mut seen).unwrap();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        assert_eq!(rest.contains("[stanch: github-pat"), code == 7);
        assert!(!rest.contains(&token));
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = stanch(&["filter"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    // The pipe breaks at some point; which write notices does not matter.
    while input.write_all(&[b'\n'; 4096]).is_ok() {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

mod splits {
    use std::sync::{Arc, LazyLock};

    use proptest::prelude::*;
    use stanch::detect::Detector;
    use stanch::rule::Confidence;
    use stanch::scan::filter::Filter;

    use super::*;

    fn filtered(detector: &Detector, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut filter, mut out) = (Filter::new(detector, Confidence::Low).unwrap(), Vec::new());
        for (number, piece) in pieces.iter().enumerate() {
            filter.take(piece);
            filter.pass_on(number % 3 == 1, &mut out).unwrap();
        }
        filter.finish(&mut out).unwrap();
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_reads_of_our_rules_leaks_give_the_same_and_no_secret(
            parts in prop::collection::vec((any::<prop::sample::Index>(), "[a-zA-Z =:.\n\"-]{0,30}"), 1..6),
            cuts in prop::collection::vec(1usize..80, 0..40),
        ) {
            // Once: parsing every pattern anew took most of the time.
            static DETECTOR: LazyLock<Detector> =
                LazyLock::new(|| Detector::new(Arc::new(with_examples()), 0).unwrap());
            let detector = &*DETECTOR;
            // The values of a manifest are known by what may still come (docs/wrappings.md).
            let rules: Vec<_> = detector.rules().rules.iter().filter(|rule| !rule.leads()).collect();
            let (mut text, mut tokens) = (String::new(), Vec::new());
            for (index, noise) in &parts {
                let rule = index.get(&rules);
                let leak = rule.leaks.iter().find(|leak| leak.contains("<mint>") && !leak.contains("<mint:"));
                if let (Some(token), Some(leak)) = (mint(rule, index.index(1000) as u64), leak) {
                    text.push_str(&format!("{noise}\n{}\n", leak.replace("<mint>", &token)));
                    tokens.push(token);
                }
            }
            let whole = filtered(detector, &[text.as_bytes()]);
            let (mut pieces, mut rest) = (Vec::new(), text.as_bytes());
            for cut in cuts {
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            pieces.push(rest);
            let split = filtered(detector, &pieces);
            prop_assert_eq!(String::from_utf8_lossy(&split), String::from_utf8_lossy(&whole));
            for token in &tokens {
                prop_assert!(memchr::memmem::find(&split, token.as_bytes()).is_none());
            }
        }
    }
}

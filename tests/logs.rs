//! Logs of every dialect through a whole scan: what is found, where it is said to be, and what is said about it.
#![expect(clippy::disallowed_methods, reason = "only the test knows what was hidden in the log")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stanch::builtin::with_examples;
use stanch::detect::mint::{Press, mint};
use stanch::finding::Finding;
use stanch::rule::{Confidence, Rule};
use stanch::scan::{self, Plan, Watch};
use stanch::source::files::{self, Target};
use stanch::source::log::Dialect;
use stanch::source::read::CHUNK;
use stanch::summary::{NoteKind, Summary};

fn plan(target: Target) -> Plan {
    Plan {
        baseline: None,
        masks: None,
        history: None,
        staged: None,
        remote: None,
        targets: vec![target],
        files: files::Options::default(),
        log: Some(Dialect::Auto),
        rules: Arc::new(with_examples()),
        jobs: 1,
        confidence: Confidence::Medium,
        accept: Vec::new(),
        fingerprint_key: None,
        places: Default::default(),
        tops: Vec::new(),
        now: 1_700_000_000,
        decode: 3,
        unpack: 8,
        chunk: CHUNK,
    }
}

fn scanned(plan: &Plan) -> (Vec<Finding>, Summary) {
    let mut findings = Vec::new();
    let summary = scan::run(plan, &Watch::default(), &mut |finding| findings.push(finding)).unwrap();
    (findings, summary)
}

fn scan_text(log: &[u8], change: impl FnOnce(&mut Plan)) -> (Vec<Finding>, Summary) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), log).unwrap();
    let mut plan = plan(Target::Path(file.path().to_owned()));
    change(&mut plan);
    scanned(&plan)
}

fn token(rule: &str, seed: u64) -> String {
    mint(with_examples().get(rule).unwrap(), seed).unwrap()
}

/// What a test log is a pattern for: `<TOKEN>` is a minted token, `<A>` and `<B>` its halves.
fn fill(log: &str, token: &str) -> String {
    let (a, b) = token.split_at(token.len() / 2);
    log.replace("<TOKEN>", token)
        .replace("<A>", a)
        .replace("<B>", b)
        .replace("<ESC>", "\x1b")
        .replace("<CR>", "\r")
        .replace("<BEL>", "\x07")
}

fn fact<'f>(finding: &'f Finding, name: &str) -> Option<&'f str> {
    finding.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
}

/// Every log of testdata/logs holds one token, whatever the machine did to it, and says by its first line what must
/// be known of it: `# step=…; time=…; job=…`, and by its name the dialect.
#[test]
fn every_dialects_log_gives_its_token_and_its_place() {
    let mut logs = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/logs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        logs += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let (expected, log) = text.split_once('\n').unwrap();
        let named = path.file_stem().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
        for (number, dialect) in [Dialect::Auto, Dialect::parse(&named).unwrap()].into_iter().enumerate() {
            let token = token("github-pat", number as u64);
            let log = fill(log, &token);
            for chunk in [CHUNK, 7] {
                let (findings, _) = scan_text(log.as_bytes(), |plan| (plan.log, plan.chunk) = (Some(dialect), chunk));
                let secrets: Vec<_> =
                    findings.iter().map(|finding| finding.secret.expose() == token.as_bytes()).collect();
                assert_eq!(secrets, [true], "{} as {}", path.display(), dialect.as_str());
                check_place(&findings[0], &log, &token);
                for known in expected.trim_start_matches('#').trim().split("; ").filter(|known| !known.is_empty()) {
                    let (name, value) = known.split_once('=').unwrap();
                    assert_eq!(fact(&findings[0], &format!("log.{name}")), Some(value), "{}", path.display());
                }
            }
        }
    }
    assert!(logs >= 12, "there are {logs} logs");
}

/// The region begins with the token's first byte and ends with its last, counted by hand.
fn check_place(finding: &Finding, log: &str, token: &str) {
    let (start, end) = (finding.region.start, finding.region.end);
    let cut = &log[start.offset as usize..end.offset as usize];
    if !log.contains("asic ") {
        assert_eq!((&cut[..1], &cut[cut.len() - 1..]), (&token[..1], &token[token.len() - 1..]));
    }
    let before = &log[..start.offset as usize];
    assert_eq!(start.line as usize, before.matches('\n').count() + 1);
    let line = before.rsplit('\n').next().unwrap();
    assert_eq!(start.column as usize, line.encode_utf16().count() + 1);
}

/// The journal writes a message that has colours as the numbers of its bytes; `man` makes bold by striking twice.
#[test]
fn tokens_that_are_overstruck_or_written_as_numbers_are_found_where_they_stand() {
    let token = token("github-pat", 5);
    let (a, b) = token.split_at(12);
    let numbers = |text: &str| text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
    let (before, after) = ("{\"__CURSOR\":\"s=1;i=2\",\"MESSAGE\":[", "],\"_PID\":\"7\"}");
    let journal = |text: &str| format!("{before}{}{after}\n", numbers(text));
    let bold: String = token.chars().map(|c| format!("{c}\x08{c}")).collect();
    for (line, from, len) in [
        (journal(&format!("t={a}\x1b[1m{b}\x1b[0m")), before.len() + "116,61,".len(), None),
        // From the first letter that stays.
        (format!("t={bold} end\n"), 4, Some(bold.len() - 2)),
        (format!("|\x08/\x08-\x08t={a}x\x08{b}\n"), 8, Some(token.len() + 2)),
        (format!("\u{9b}1mt={a}\u{9b}0m{b}\n"), 6, Some(token.len() + 4)),
    ] {
        for dialect in [Dialect::Auto, Dialect::Journald] {
            let log = format!("all is well ⛔\n{line}");
            let (findings, _) = scan_text(log.as_bytes(), |plan| plan.log = Some(dialect));
            assert_eq!(findings.len(), 1, "{line:?}");
            assert_eq!(findings[0].secret.expose(), token.as_bytes());
            let region = &findings[0].region;
            let first = log.len() - line.len();
            assert_eq!((region.start.line, region.start.offset as usize), (2, first + from), "{line:?}");
            let len = len.unwrap_or(line.len() - after.len() - 1 - ",27,91,48,109".len() - from);
            assert_eq!((region.end.offset - region.start.offset) as usize, len, "{line:?}");
        }
    }
}

#[test]
fn what_is_clean_in_both_readings_is_clean() {
    let log = format!(
        "2026-06-21T05:34:54.5256259Z ##[group]Run make\n{}\n2026-06-21T05:34:54.5256259Z ghp_{}\n",
        "x".repeat(80),
        "short\x1b[0m\r"
    );
    let (findings, summary) = scan_text(log.as_bytes(), |_| {});
    assert_eq!((findings.len(), summary.coverage.files), (0, 1));
}

#[test]
fn a_title_that_holds_the_secret_is_masked() {
    let token = token("github-pat", 1);
    let log = format!("2026-06-21T05:34:54.5256259Z ##[group]Run curl -H 'Authorization: Bearer {token}'\n");
    let (findings, _) = scan_text(log.as_bytes(), |_| {});
    let step = fact(&findings[0], "log.step").unwrap();
    assert!(step.starts_with("Run curl") && !step.contains(&token[8..]), "{step}");
}

#[test]
fn tokens_of_equal_lines_are_not_taken_for_one_wrapped_token() {
    let rule = "gitlab-pat";
    let rules = with_examples();
    let press = Press::new(rules.get(rule).unwrap()).unwrap();
    let line = |seed| format!("DEPLOYMENT_TOKEN_FOR_THE_PRODUCTION_SYSTEM_{seed}={}", press.token(seed).unwrap());
    let log = format!("{}\n{}\n", line(1), line(2));
    let (findings, _) = scan_text(log.as_bytes(), |_| {});
    let found: Vec<&[u8]> = findings.iter().map(|finding| finding.secret.expose()).collect();
    assert!(found.contains(&press.token(1).unwrap().as_bytes()) && found.contains(&press.token(2).unwrap().as_bytes()));
}

#[test]
fn a_refused_job_token_is_a_note_and_no_leak() {
    let log = "Reinitialized existing Git repository in /builds/team/caller/.git/\n\
        remote: The project you were looking for could not be found or you don't have permission to view it.\n\
        fatal: repository 'https://gitlab-ci-token:[MASKED]@gitlab.example/team/callee.git/' not found\n";
    let (findings, summary) = scan_text(log.as_bytes(), |_| {});
    assert!(findings.is_empty());
    let (caller, callee) = (Some("team/caller".to_owned()), "team/callee".to_owned());
    assert_eq!(summary.notes.len(), 1);
    assert_eq!(summary.notes[0].kind, NoteKind::JobTokenRefused { caller, callee });
    assert_eq!((summary.notes[0].position.line, summary.notes[0].position.column), (3, 1));
}

#[test]
fn a_finding_comes_while_the_log_is_still_written() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("log");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let tokens = [token("github-pat", 1), token("github-pat", 2)];
    let (told, heard) = std::sync::mpsc::channel();
    let plan = plan(Target::Path(fifo.clone()));
    let scan = std::thread::spawn(move || {
        let watch = Watch::default();
        let mut found = 0;
        scan::run(&plan, &watch, &mut |finding| {
            found += 1;
            told.send(finding.secret.expose().to_vec()).unwrap();
        })
        .unwrap();
        (found, watch.bytes.load(Ordering::Relaxed))
    });
    let mut log = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    let mut written = 0;
    for token in &tokens {
        let line = format!("2026-06-21T05:34:54.5256259Z t={}\x1b[1m{}\x1b[0m\n", &token[..9], &token[9..]);
        written += line.len() as u64;
        log.write_all(line.as_bytes()).unwrap();
        let first = heard.recv_timeout(std::time::Duration::from_secs(20)).expect("while the pipe is open");
        assert_eq!(first, token.as_bytes());
    }
    drop(log);
    assert_eq!(scan.join().unwrap(), (2, written), "each once");
}

#[test]
fn compressed_logs_are_read_and_what_is_cut_off_is_named() {
    use flate2::{Compression, write::GzEncoder};
    let token = token("github-pat", 3);
    let log = format!("2026-06-21T05:34:54.5256259Z t={}\x1b[1m{}\n", &token[..9], &token[9..]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(log.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let (findings, summary) = scan_text(&packed, |_| {});
    assert_eq!((findings.len(), summary.unaccepted()), (1, 0));
    assert_eq!(findings[0].region.start.offset as usize, log.find("ghp_").unwrap());
    let (_, summary) = scan_text(&packed[..packed.len() - 6], |_| {});
    assert_eq!(summary.coverage.skips[0].why.as_str(), "corrupt-archive");
}

#[test]
fn a_run_log_zip_names_job_and_step_by_its_members() {
    let token = token("github-pat", 4);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in
        [("build (ubuntu)/1_Set up job.txt", "hello\n"), ("build (ubuntu)/2_Run make.txt", token.as_str())]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(format!("2026-06-21T05:34:54.5256259Z {text}\n").as_bytes()).unwrap();
    }
    let (findings, summary) = scan_text(&zip.finish().unwrap().into_inner(), |_| {});
    // The third is the archive itself, with what no member holds.
    assert_eq!((findings.len(), summary.coverage.files), (1, 3));
    assert!(findings[0].origin.to_string().ends_with("!/build (ubuntu)/2_Run make.txt"));
    assert_eq!(
        (fact(&findings[0], "log.job"), fact(&findings[0], "log.step")),
        (Some("build (ubuntu)"), Some("Run make"))
    );
}

/// In a log whose every line has a stamp only the normalised text is searched: what the raw lines alone show is found all the same.
#[test]
fn a_log_of_stamped_lines_hides_nothing() {
    let stamp = "2026-06-21T05:34:54.525256Z 01O";
    let tokens: Vec<String> = (1..6).map(|seed| token("github-pat", seed)).collect();
    let (a, b) = tokens[1].split_at(20);
    let lines = [
        format!("{stamp} plain {}", tokens[0]),
        format!("{stamp} coloured {a}\x1b[1m{b}"),
        // What looks like a service's name, what goes on behind a word that it would be glued to, what is overwritten.
        format!("{stamp} {} | text", tokens[2]),
        format!("{stamp} word"),
        format!("{stamp}+{}", tokens[3]),
        format!("{stamp} {}\rdone", tokens[4]),
    ];
    let filler = format!("{stamp} all is well\n").repeat(40);
    for rest in ["", "no stamp here\n", "\n\n"] {
        let log = filler.clone() + &lines.join("\n") + "\n" + rest + &filler;
        for chunk in [CHUNK, 900, 7] {
            let (findings, _) = scan_text(log.as_bytes(), |plan| plan.chunk = chunk);
            let found: Vec<&[u8]> = findings.iter().map(|finding| finding.secret.expose()).collect();
            for (number, token) in tokens.iter().enumerate() {
                assert_eq!(found.iter().filter(|it| **it == token.as_bytes()).count(), 1, "token {number} at {chunk}");
            }
            let lines: Vec<u64> = findings.iter().map(|finding| finding.region.start.line).collect();
            assert_eq!(lines, [41, 42, 43, 45, 46]);
        }
    }
}

/// The rule, the line, and the secret as it is shown. Of the rules of no provider some say the same as others.
fn told(findings: &[Finding]) -> BTreeSet<(String, u64, String)> {
    let name = |rule: &Rule| if rule.provider == "generic" { rule.provider.clone() } else { rule.id.clone() };
    findings.iter().map(|one| (name(&one.rule), one.region.start.line, one.redacted.clone())).collect()
}

#[test]
fn what_a_file_shows_its_log_shows_whatever_stands_before_and_around_each_line() {
    let filler = "a line that says little of anything\n".repeat(9);
    let mut text = filler.clone();
    for rule in with_examples().rules {
        let press = Press::new(&rule).unwrap();
        for (leak, seed) in rule.leaks.iter().zip(0..) {
            // A carriage return before a colour's end is no end of a line.
            text += &press.expand(leak, seed).unwrap().replace('\r', "");
            text.push('\n');
            text += &filler;
        }
    }
    let each = |line: &dyn Fn(&str) -> String| text.lines().map(|text| line(text) + "\n").collect::<String>();
    let (plain, _) = scan_text(text.as_bytes(), |plan| plan.log = None);
    let plain = told(&plain);
    for (name, log) in [
        ("plain", text.clone()),
        ("stamped", each(&|line| format!("2026-11-01T10:00:00.1234567Z {line}"))),
        ("coloured", each(&|line| format!("\x1b[36;1m{line}\x1b[0m"))),
        ("both", each(&|line| format!("2026-11-01T10:00:00.1234567Z \x1b[36;1m{line}\x1b[0m"))),
    ] {
        let (found, _) = scan_text(log.as_bytes(), |_| {});
        let found = told(&found);
        let (missing, more): (Vec<_>, Vec<_>) =
            (plain.difference(&found).collect(), found.difference(&plain).collect());
        assert!(missing.is_empty() && more.is_empty(), "{name}: missing {missing:#?}, more {more:#?}");
    }
}

/// What is found: the secrets, by which rules of providers, how sure.
fn known(log: &[u8], dialect: Option<Dialect>) -> Vec<(Vec<u8>, String, Confidence)> {
    let (findings, _) = scan_text(log, |plan| plan.log = dialect);
    let name = |rule: &Rule| if rule.provider == "generic" { rule.provider.clone() } else { rule.id.clone() };
    let one = |one: &Finding| (one.secret.expose().to_vec(), name(&one.rule), one.confidence);
    findings.iter().map(one).collect()
}

fn in_docker(text: &str) -> String {
    let line = |line: &str| serde_json::json!({ "log": format!("{line}\n"), "stream": "stdout" }).to_string() + "\n";
    text.lines().map(line).collect()
}

#[test]
fn a_secret_has_no_part_of_what_its_log_writes_around_it() {
    let password = &token("github-pat", 3)[12..22];
    for form in [
        "pass: {}",
        "<Pass>{}</Pass>",
        "#define WIFI_PASSWORD \"{}\"",
        "пароль: {}",
        "ENV DB_PASSWORD {}",
        "Using generated security password: {}",
    ] {
        let line = form.replace("{}", password);
        let wanted = known(line.as_bytes(), None);
        assert_eq!(wanted.len(), 1, "{form}");
        assert_eq!(wanted[0].0, password.as_bytes(), "{form}");
        let coloured = format!("ok\n\x1b[36;1m{line}\x1b[0m\nok\n");
        for log in [coloured, in_docker(&line), format!("2026-11-01T10:00:00.1234567Z \x1b[36;1m{line}\x1b[0m\n")] {
            assert_eq!(known(log.as_bytes(), Some(Dialect::Auto)), wanted, "{log}");
        }
    }
}

#[test]
fn a_token_behind_a_broken_control_sequence_is_whole() {
    let token = token("github-pat", 4);
    for before in ["x=", "example_token=", "token=", "Authorization: Bearer ", "https://x:", "\"token\":\""] {
        for broken in ["\x1b[", "\x1b", "\x1b[1;"] {
            let log = format!("ok\n{before}{broken}{token}@h.test/\" \nok\n");
            let found = known(log.as_bytes(), Some(Dialect::Auto));
            assert!(
                found.iter().any(|(secret, rule, sure)| secret == token.as_bytes()
                    && rule == "github-pat"
                    && *sure == Confidence::High),
                "{log:?}: {}",
                found.len()
            );
        }
    }
}

#[test]
fn a_key_that_a_log_writes_in_json_is_the_one_of_the_file() {
    for id in ["private-key-jwk", "google-service-account-key"] {
        let rules = with_examples();
        let rule = rules.get(id).unwrap();
        let text = Press::new(rule).unwrap().expand(&rule.leaks[0], 1).unwrap();
        let wanted = known(text.as_bytes(), None);
        assert!(!wanted.is_empty());
        assert_eq!(known(in_docker(&text).as_bytes(), Some(Dialect::Auto)), wanted, "{id}");
    }
}

#[test]
fn a_wrapped_value_that_only_its_name_tells_of_is_found_whole() {
    let token = token("checkout-com-secret-key", 1);
    for cut in [12, 20] {
        let name = " API_TOKEN=";
        let line = format!("{}{name}{}", &"note ".repeat(20)[..80 - name.len() - cut], &token[..cut]);
        let lines = ["step"; 10].into_iter().chain([&*line, &token[cut..], "done"]);
        let stamped: String = lines.clone().map(|line| format!("2026-11-01T10:00:00.1234567Z {line}\n")).collect();
        let plain: String = lines.map(|line| format!("{line}\n")).collect();
        for log in [stamped, plain] {
            let found = known(log.as_bytes(), Some(Dialect::Auto));
            let found: Vec<_> = found.iter().map(|(secret, rule, ..)| (&**secret, &**rule)).collect();
            assert_eq!(found, [(token.as_bytes(), "checkout-com-secret-key")], "{cut}");
        }
    }
}

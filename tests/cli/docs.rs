//! What is written about the program is what it does. `UPDATE=1 cargo test --test cli docs` writes the derived parts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use stanch::coverage::Why;
use stanch::detect::evidence::{Class, THRESHOLD, sign};
use stanch::exit::Exit;
use stanch::rule::ProofKind;

use super::*;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Holds the part of a page between the marks of that name to `text`, or writes it.
#[expect(clippy::disallowed_methods, reason = "UPDATE is how the person who runs the tests speaks to them")]
fn derived(page: &str, name: &str, text: &str) {
    let whole = read(page);
    let (open, close) = (format!("<!-- derived: {name} -->\n"), "<!-- /derived -->");
    let start = whole.find(&open).unwrap_or_else(|| panic!("{page} has no part {name}")) + open.len();
    let end = start + whole[start..].find(close).unwrap_or_else(|| panic!("{page}: {name} has no end"));
    if whole[start..end] == *text {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "{page}: {name} is out of date. Run UPDATE=1 cargo test --test cli docs\n{text}"
    );
    std::fs::write(file(page), format!("{}{text}{}", &whole[..start], &whole[end..])).unwrap();
}

fn kinds() -> String {
    let mut providers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for rule in &RULES.rules {
        // Some proofs only ever raise the confidence.
        let tells = rule.proof.is_some_and(ProofKind::can_fail);
        let mark = if tells { " ✓" } else { "" };
        providers.entry(&rule.provider).or_default().push(format!("{}{mark}", rule.kind));
    }
    let mut text = "| provider | kinds of tokens |\n| --- | --- |\n".to_owned();
    let (shown, others): (Vec<_>, Vec<_>) = providers.iter().partition(|(provider, _)| SHOWN.contains(*provider));
    for (provider, kinds) in shown {
        writeln!(text, "| {provider} ({}) | {} |", kinds.len(), kinds.join(", ")).unwrap();
    }
    let count: usize = others.iter().map(|(_, kinds)| kinds.len()).sum();
    writeln!(text, "\nAnd {count} kinds of {} others: {}.", others.len(), names(&others)).unwrap();
    text
}

/// Whose kinds README tells; docs/rules.md has those of all.
const SHOWN: &[&str] =
    &["atlassian", "aws", "bitbucket", "generic", "github", "gitlab", "google", "private-key", "url"];

fn names(providers: &[(&&str, &Vec<String>)]) -> String {
    providers.iter().map(|(provider, _)| **provider).collect::<Vec<_>>().join(", ")
}

fn table_of_rules() -> String {
    let mut text = "| rule | finds | proof | confidence | severity |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for rule in &RULES.rules {
        let proof = rule.proof.map_or("-", |proof| proof.as_str());
        let (id, about, severity) = (&rule.id, &rule.description, rule.severity.as_str());
        writeln!(text, "| `{id}` | {about} | {proof} | {} | {severity} |", due(rule).as_str()).unwrap();
    }
    text
}

/// Every sign of `detect::evidence` with its weights.
fn evidence() -> String {
    let mut text =
        "| sign | given when | generic | context | prefixed | placed |\n| --- | --- | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    for sign in sign::ALL {
        let weight = |class| match sign.weight(class) {
            0 => String::new(),
            points => format!("{points:+}"),
        };
        let [generic, context, prefixed, hash] =
            [Class::Generic, Class::Context, Class::Prefixed, Class::Placed].map(weight);
        writeln!(text, "| `{}` | {} | {generic} | {context} | {prefixed} | {hash} |", sign.name, sign.about).unwrap();
    }
    text
}

#[test]
fn the_threshold_is_as_said() {
    assert!(read("docs/evidence.md").contains(&format!("at least {THRESHOLD} points")));
}

/// The table of exit codes, from the words that `src/exit.rs` documents them with.
fn exit_codes() -> String {
    let all = [Exit::Clean, Exit::Found, Exit::CouldNotRun, Exit::Unread, Exit::Interrupted];
    let source = read("src/exit.rs");
    let mut text = "| exit | |\n| --- | --- |\n".to_owned();
    for exit in all {
        let variant = format!("\n    {exit:?},\n");
        let before = &source[..source.find(&variant).unwrap_or_else(|| panic!("{exit:?} is no variant"))];
        let about = before.rsplit("    /// ").next().unwrap();
        writeln!(text, "| {} | {about} |", exit.code()).unwrap();
    }
    text
}

#[test]
fn outcomes_merge_as_the_readme_says() {
    let page = read("README.md");
    let sentence = page.lines().find(|line| line.contains(" outranks ")).unwrap();
    let ranked: Vec<u8> = sentence
        .split(" outranks ")
        .map(|word| word.split(',').next().unwrap().rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    let all = [Exit::Interrupted, Exit::CouldNotRun, Exit::Found, Exit::Unread, Exit::Clean];
    assert_eq!(ranked, all.map(Exit::code));
    for (rank, high) in all.iter().enumerate() {
        for low in &all[rank..] {
            assert_eq!((high.and(*low), low.and(*high)), (*high, *high));
        }
    }
}

fn reasons() -> String {
    let mut text = "| reason | what to do |\n| --- | --- |\n".to_owned();
    for why in Why::ALL {
        writeln!(text, "| `{}` | {} |", why.as_str(), why.advice()).unwrap();
    }
    text
}

fn example() -> String {
    let token = pat(0);
    let (tree, _) = Tree::git(&[("deploy.sh", &format!("#!/bin/sh\nexport TOKEN={token}\n")), ("README", "x\n")]);
    format!("```text\n{}```\n", tree.scan(&["."]).exits(1).out)
}

#[test]
fn derived_parts_are_up_to_date() {
    let help = Tree::new().scan(&["--help"]).exits(0).out;
    derived("README.md", "example", &example());
    derived("README.md", "kinds", &kinds());
    derived("README.md", "help", &format!("```text\n{help}```\n"));
    derived("README.md", "exit", &exit_codes());
    derived("README.md", "reasons", &reasons());
    derived("docs/rules.md", "rules", &table_of_rules());
    derived("docs/evidence.md", "signs", &evidence());
}

/// The fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = read(page);
    let open = format!("```{language}\n");
    text.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The commands of a block without comments.
fn commands(block: &str) -> Vec<String> {
    block.lines().map(|line| line.split('#').next().unwrap().trim().to_owned()).collect()
}

/// Both commands that set stanch up stand first, and do what is said of them.
#[test]
fn the_two_commands_do_what_is_said() {
    let first = commands(&blocks("README.md", "sh")[0]);
    assert_eq!(first.len(), 2, "{first:?}");
    let args = first[0].strip_prefix("cargo run --release -- ").expect("the first one runs the program");
    let tree = Tree::with(&[("leak", &pat(1))]);
    tree.run(&args.split(' ').collect::<Vec<_>>()).exits(1).prints("1 secret found");
    let ours = read(".ci/run");
    assert!(ours.lines().any(|line| line.trim().starts_with(&first[1])), ".ci/run tests with {:?}", first[1]);
}

#[test]
fn every_command_of_the_readme_is_one() {
    let tree = Tree::new();
    let mut count = 0;
    for command in blocks("README.md", "sh").iter().flat_map(|block| commands(block)) {
        let Some(at) = command.find("stanch ").filter(|at| *at == 0 || command[..*at].ends_with("| ")) else {
            continue;
        };
        let args: Vec<&str> = command[at..].split(['|', '>']).next().unwrap().split_whitespace().skip(1).collect();
        // What stands behind -- is another program's.
        let ours = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
        tree.run(&[&args[..ours], &["--help"]].concat()).exits(0).prints("Usage: stanch");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn the_configuration_of_the_readme_is_valid() {
    let tree =
        Tree::with(&[(".stanch.toml", &blocks("README.md", "toml")[0]), ("docs/leak", &pat(1)), ("own.toml", "")]);
    let ran = tree.scan(&["."]).exits(1);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
}

#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        for link in read(page).split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            if link.starts_with("https://") {
                continue;
            }
            assert!(file(path).exists(), "{page}: {link}");
            let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-") == anchor;
            assert!(anchor.is_empty() || read(path).lines().any(heading), "{page}: {link}");
        }
    }
}

#[test]
fn completions_and_the_manual_page_know_every_option() {
    let tree = Tree::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        tree.run(&["completions", shell]).exits(0).prints("accept-skip");
    }
    tree.run(&["man"]).exits(0).prints(".TH");
}

//! Which module may use which. An arrow that is not in the table does not pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each module of `lib.rs`: what it may use. A longer path narrows the arrows of a part of a module.
/// Nobody may use `cli`, which may use all; no noun may use a stage.
const ARROWS: &[(&str, &[&str])] = &[
    ("origin", &[]),
    ("place", &["origin"]),
    ("chunk", &[]),
    ("coverage", &["origin"]),
    ("shape", &[]),
    ("rule", &["secret", "shape"]),
    ("secret", &[]),
    ("finding", &["chunk", "origin", "rule", "secret"]),
    ("baseline", &["finding", "place", "secret"]),
    ("summary", &["baseline", "chunk", "coverage", "exit", "finding", "origin"]),
    ("exit", &[]),
    ("rulefile", &["rule", "secret"]),
    ("builtin", &["rule", "rulefile"]),
    // No rules and no findings.
    ("source", &["chunk", "coverage", "origin"]),
    // No files, no git, no reports, no network.
    ("detect", &["finding", "rule", "secret", "shape"]),
    ("detect::escape", &[]),
    ("detect::evidence", &["finding", "rule", "secret"]),
    ("detect::pattern", &["rule", "shape"]),
    ("detect::prefilter", &["shape"]),
    ("detect::proof", &["finding", "rule"]),
    // The only one that sees both sources and detection.
    (
        "scan",
        &[
            "baseline", "chunk", "coverage", "detect", "finding", "origin", "place", "rule", "rulefile", "secret",
            "source", "summary",
        ],
    ),
    // Never reads a source.
    ("report", &["baseline", "chunk", "coverage", "exit", "finding", "origin", "place", "rule", "secret", "summary"]),
    ("hook", &["origin", "source"]),
    // The door to the network knows tokens, and nothing of what they are about.
    ("http", &["secret"]),
    // Never sees a secret.
    ("ledger", &[]),
    // Gives scan logs by way of a trait of source's; knows neither findings nor rules.
    ("fetch", &["coverage", "http", "ledger", "origin", "source"]),
    ("respond", &["finding", "http", "ledger", "report", "rule", "secret"]),
    // Knows no provider and no task: only places.
    ("respond::deliver", &["http", "secret"]),
    // Pure, but for the names of the hosts that a step goes to.
    ("respond::plan", &["http", "secret"]),
    ("respond::provider", &["http", "secret"]),
    (
        "cli",
        &[
            "baseline", "builtin", "chunk", "coverage", "detect", "exit", "fetch", "finding", "hook", "http", "ledger",
            "origin", "place", "report", "respond", "rule", "rulefile", "scan", "secret", "shape", "source", "summary",
        ],
    ),
];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules that `lib.rs` declares, in its order.
fn modules() -> Vec<String> {
    let text = fs::read_to_string(sources().join("lib.rs")).unwrap();
    let name = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    text.lines().filter_map(name).collect()
}

/// Every file below `src` with the path of its module.
fn files() -> Vec<(String, PathBuf)> {
    let (mut files, mut folders) = (Vec::new(), vec![sources()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            // The build script only lies there.
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("src/build.rs") {
                let relative = path.strip_prefix(sources()).unwrap().with_extension("");
                let name = relative.to_str().unwrap().replace('/', "::");
                files.push((name.strip_suffix("::mod").unwrap_or(&name).to_owned(), path));
            }
        }
    }
    files.sort();
    files
}

/// The code without its tests, which stand at its end and may use what they like.
fn shipped(code: &str) -> &str {
    let tests = code.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
    let module =
        |at: &usize| code[*at..].lines().nth(1).is_some_and(|line| line.contains("mod ") && line.ends_with('{'));
    tests.into_iter().find(module).map_or(code, |at| &code[..at])
}

/// The code without comments and without the contents of strings, as far as paths are concerned.
fn bare(code: &str) -> String {
    let mut bare = String::with_capacity(code.len());
    for line in code.lines() {
        let mut quoted = false;
        let mut previous = ' ';
        for c in line.split("//").next().unwrap_or_default().chars() {
            match c {
                '"' if previous != '\\' && previous != '\'' => quoted = !quoted,
                _ if quoted => {}
                _ => bare.push(c),
            }
            previous = c;
        }
        bare.push('\n');
    }
    bare
}

/// The names that stand first after `prefix`, through the braces of a `use`: `prefix::{a, b::c}` has a and b.
fn after(code: &str, prefix: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| word(c) || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(rest.chars().take_while(|c| word(*c)).collect());
            continue;
        };
        let (mut depth, mut first) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => first = true,
                _ if first && word(c) => {
                    names.insert(group[at..].chars().take_while(|c| word(*c)).collect());
                    first = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// The modules of the crate that the code of `module` uses. Names from enough `super::` reach the crate as well.
fn used(module: &str, code: &str, all: &[String]) -> BTreeSet<String> {
    let code = bare(shipped(code));
    let mut names = after(&code, "crate::");
    names.append(&mut after(&code, "stanch::"));
    let depth = module.split("::").count();
    names.append(&mut after(&code, &"super::".repeat(depth)));
    let own = module.split("::").next().unwrap_or_default();
    names.retain(|name| name != own && all.contains(name));
    names
}

/// What the table has for a module: that of its longest path.
fn allowed(module: &str) -> Option<&'static [&'static str]> {
    let inside = |path: &str| module == path || module.strip_prefix(path).is_some_and(|rest| rest.starts_with("::"));
    ARROWS.iter().filter(|(path, _)| inside(path)).max_by_key(|(path, _)| path.len()).map(|(_, to)| *to)
}

/// The arrows of the code that are not in the table.
fn violations(module: &str, code: &str, all: &[String]) -> Vec<String> {
    let Some(allowed) = allowed(module) else { return vec![format!("{module} is not in the table")] };
    let used = used(module, code, all);
    used.iter().filter(|name| !allowed.contains(&name.as_str())).map(|name| format!("{module} → {name}")).collect()
}

#[test]
fn every_arrow_is_in_the_table() {
    let all = modules();
    let mut wrong = Vec::new();
    for (module, path) in files() {
        let code = fs::read_to_string(path).unwrap();
        match module.as_str() {
            "lib" => {}
            _ if module.ends_with("::tests") || module.ends_with("::testing") => {}
            "main" => assert_eq!(used("main", &code, &all), BTreeSet::from(["cli".to_owned()])),
            _ => wrong.append(&mut violations(&module, &code, &all)),
        }
    }
    assert!(wrong.is_empty(), "these arrows are not in the table of tests/arrows.rs: {wrong:#?}");
}

#[test]
fn the_table_speaks_of_what_there_is_and_has_no_circle() {
    let all = modules();
    let files: BTreeSet<String> = files().into_iter().map(|(module, _)| module).collect();
    for (module, to) in ARROWS {
        assert!(files.contains(*module), "{module} is gone");
        to.iter().for_each(|name| assert!(all.iter().any(|module| module == name), "{module} → {name}, which is gone"));
    }
    assert!(ARROWS.iter().all(|(_, to)| !to.contains(&"cli")), "cli is known by nobody");
    let mut left: BTreeMap<&str, &[&str]> =
        ARROWS.iter().copied().filter(|(module, _)| !module.contains(':')).collect();
    while !left.is_empty() {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, to)| to.iter().all(|name| !left.contains_key(name)))
            .map(|(name, _)| *name)
            .collect();
        assert!(!free.is_empty(), "these use each other in a circle: {:?}", left.keys());
        left.retain(|name, _| !free.contains(name));
    }
}

#[test]
fn every_stage_says_what_it_turns_into_what() {
    for stage in
        ["rulefile.rs", "source/mod.rs", "detect/mod.rs", "scan/mod.rs", "report/mod.rs", "fetch/mod.rs", "cli/mod.rs"]
    {
        let text = fs::read_to_string(sources().join(stage)).unwrap();
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("//! Turns ") && first.contains(" into "), "{stage}: {first}");
    }
}

#[test]
fn a_wrong_arrow_is_seen_in_whatever_way_it_is_written() {
    let all = modules();
    for code in [
        "use crate::rule::Rule;",
        "use crate::{origin::Origin, rule::{Rule, RuleSet}};",
        "fn f() -> crate::rule::Rule { todo!() }",
        "use super::super::rule;",
        "let a = \"text\"; let b = crate::rule::compile(\"\");",
        "use stanch::rule;",
    ] {
        assert_eq!(violations("source::files", code, &all), ["source::files → rule"], "{code}");
    }
    for code in [
        "use crate::origin::Origin; // crate::rule",
        "let text = \"crate::rule\";",
        "use super::rule;",
        "use crate::source::x;",
    ] {
        assert!(violations("source::files", code, &all).is_empty(), "{code}");
    }
    assert_eq!(violations("detect::prefilter", "use crate::rule::Rule;", &all), ["detect::prefilter → rule"]);
    assert!(violations("detect::mint", "use crate::rule::Rule;", &all).is_empty());
    assert_eq!(violations("nowhere", "", &all), ["nowhere is not in the table"]);
}

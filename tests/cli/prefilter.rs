//! On real trees the prefilter loses nothing that a plain search finds.
//!
//! The oracle looks for every keyword everywhere with the aho-corasick crate and matches the rule's whole regex around
//! each; it knows nothing of runs, stencils, leads or windows.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex::bytes::Regex;
use stanch::detect::{Detector, Where};
use stanch::rule::compile;
use stanch::secret::entropy;

use super::*;

/// How much of real trees is read, in bytes. `STANCH_ORACLE_BYTES` says otherwise, `STANCH_ORACLE_TREE` which tree.
const MOST: u64 = 30 << 20;

/// How far around a keyword a regex is matched, in bytes: farther than any rule of ours reaches.
const AROUND: usize = 8 << 10;

struct Oracle {
    keywords: AhoCorasick,
    /// For each keyword, the rules it belongs to.
    owners: Vec<Vec<usize>>,
    regexes: Vec<Regex>,
}

/// A rule's id and the secret's place.
type Seen = BTreeSet<(String, usize, usize)>;

impl Oracle {
    fn new() -> Self {
        let mut texts: Vec<&str> = Vec::new();
        let mut owners: Vec<Vec<usize>> = Vec::new();
        for (index, rule) in RULES.rules.iter().enumerate() {
            for keyword in &rule.keywords {
                match texts.iter().position(|text| text == keyword) {
                    Some(at) => owners[at].push(index),
                    None => {
                        texts.push(keyword);
                        owners.push(vec![index]);
                    }
                }
            }
        }
        let keywords = AhoCorasick::builder().ascii_case_insensitive(true).build(&texts).unwrap();
        Oracle { keywords, owners, regexes: RULES.rules.iter().map(|rule| compile(&rule.regex).unwrap()).collect() }
    }

    /// Where each rule has to be matched: around its keywords, or everywhere if it has none.
    fn windows(&self, bytes: &[u8]) -> Vec<Vec<Range<usize>>> {
        let mut windows: Vec<Vec<Range<usize>>> = vec![Vec::new(); self.regexes.len()];
        for hit in self.keywords.find_overlapping_iter(bytes) {
            let window = hit.start().saturating_sub(AROUND)..bytes.len().min(hit.end() + AROUND);
            for &rule in &self.owners[hit.pattern().as_usize()] {
                match windows[rule].last_mut() {
                    Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
                    _ => windows[rule].push(window.clone()),
                }
            }
        }
        for (index, _) in RULES.rules.iter().enumerate().filter(|(_, rule)| rule.keywords.is_empty()) {
            windows[index].push(0..bytes.len());
        }
        windows
    }

    fn search(&self, bytes: &[u8]) -> Seen {
        let mut seen = Seen::new();
        for (index, windows) in self.windows(bytes).into_iter().enumerate() {
            let rule = &RULES.rules[index];
            // What a manifest's match leads to has an oracle of its own (`detect::manifest`).
            for window in windows.into_iter().filter(|_| !rule.leads()) {
                for found in self.regexes[index].captures_iter(&bytes[window.clone()]) {
                    let first = || found.iter().skip(1).flatten().find(|group| !group.is_empty());
                    let secret = match rule.secret_group {
                        0 => first().or_else(|| found.get(0)),
                        group => found.get(group),
                    };
                    let secret = secret.unwrap();
                    let digit = !rule.requires_digit || secret.as_bytes().iter().any(u8::is_ascii_digit);
                    if digit && rule.entropy.is_none_or(|least| entropy(secret.as_bytes()) >= least) {
                        seen.insert((rule.id.clone(), window.start + secret.start(), window.start + secret.end()));
                    }
                }
            }
        }
        seen
    }
}

fn detected(detector: &Detector, bytes: &[u8]) -> Seen {
    let found = detector.candidates(&mut detector.scratch(), bytes, &(0..bytes.len()), Where::Nowhere);
    found.iter().map(|found| (found.rule.id.clone(), found.span.start, found.span.end)).collect()
}

/// Whether the detector has what the oracle has; a proof may have cut what stands before the token.
fn has(detected: &Seen, wanted: &(String, usize, usize)) -> bool {
    let (id, start, end) = wanted;
    detected.iter().any(|(rule, from, to)| rule == id && to == end && from >= start)
}

#[track_caller]
fn compare(oracle: &Oracle, detector: &Detector, bytes: &[u8], name: &str) -> usize {
    let wanted = oracle.search(bytes);
    let detected = detected(detector, bytes);
    for one in &wanted {
        assert!(has(&detected, one), "{name}: {one:?} is lost; found: {detected:?}");
    }
    wanted.len()
}

#[expect(clippy::disallowed_methods, reason = "which trees there are depends on the machine")]
fn trees() -> Vec<PathBuf> {
    if let Some(tree) = std::env::var_os("STANCH_ORACLE_TREE") {
        return vec![tree.into()];
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut trees: Vec<_> =
        ["src", "rules", "tests", "docs", "testdata", "Cargo.lock"].iter().map(|name| here.join(name)).collect();
    trees.extend(cargo.map(|cargo| cargo.join("registry/src")).filter(|path| path.is_dir()));
    trees
}

#[test]
#[expect(clippy::disallowed_methods, reason = "larger trees on demand")]
fn nothing_is_lost_on_real_trees() {
    let (oracle, detector) = (Oracle::new(), Detector::new(Arc::new(RULES.clone()), 0).unwrap());
    let most = std::env::var("STANCH_ORACLE_BYTES").map_or(MOST, |text| text.parse().unwrap());
    let (mut read, mut found) = (0, 0);
    for tree in trees() {
        for entry in ignore::WalkBuilder::new(tree).standard_filters(false).sort_by_file_name(Ord::cmp).build() {
            let entry = entry.unwrap();
            if entry.file_type().is_some_and(|kind| kind.is_file()) && read < most {
                let bytes = std::fs::read(entry.path()).unwrap();
                read += bytes.len() as u64;
                found += compare(&oracle, &detector, &bytes, &entry.path().display().to_string());
            }
        }
    }
    assert!(read > 500_000, "only {read} bytes were read");
    assert!(found > 0, "{read} bytes without any match");
}

/// Real trees hold few tokens: these hold nothing else.
#[test]
fn nothing_is_lost_in_leaks() {
    let (oracle, detector) = (Oracle::new(), Detector::new(Arc::new(RULES.clone()), 0).unwrap());
    let mut found = 0;
    for rule in &RULES.rules {
        let press = Press::new(rule).unwrap();
        for (number, example) in (0..).zip(rule.leaks.iter().chain(&rule.clean)) {
            for before in ["", "x", " \n", "\u{fc}_-"] {
                let text = format!("{before}{}", press.expand(example, number).unwrap());
                found += compare(&oracle, &detector, text.as_bytes(), &format!("{} {example}", rule.id));
            }
        }
    }
    assert!(found > 1000, "{found}");
}

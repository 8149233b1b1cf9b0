//! Decides whether somebody has said that a candidate is all right: in the line, in an ignore file, in an allowlist.
//!
//! What the user said is honoured whatever the proof says. What our own rules know to be harmless never drops a
//! candidate whose proof holds. Allowlists mean what they mean in gitleaks 8.30: `config/allowlist.go`, `detect/detect.go`.

use crate::finding::Allowed;
use crate::rule::{Allowlist, Condition, Ignore, Pattern, RegexTarget, Rule, RuleSet};
use crate::secret::Fingerprint;

/// A candidate, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The rule that found it.
    pub rule: &'a Rule,
    /// The token, escapes undone.
    pub secret: &'a [u8],
    /// Everything that the rule's pattern matched.
    pub matched: &'a [u8],
    /// The whole lines on which the match stands, without the last line's end.
    pub lines: &'a [u8],
    /// The path as the report shows it, `/`-separated; none for a stream.
    pub path: Option<&'a [u8]>,
    /// The token's public names.
    pub fingerprints: &'a [Fingerprint],
    /// The line on which the match starts, 1-based.
    pub line_number: u64,
    /// The commit that brought it, as lower-case hex, when one is known.
    pub commit: Option<&'a str>,
    /// Whether the offline proof holds.
    pub proof_holds: bool,
}

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 200;

/// Who allowed the candidate, if anybody did: the line, else ignore files, the rule's allowlists, the global ones.
pub fn allowed(rules: &RuleSet, subject: &Subject<'_>) -> Option<Allowed> {
    if let Some(reason) = inline(rules, subject) {
        return Some(Allowed { by: "inline", reason });
    }
    if let Some(reason) = rules.ignores.iter().find_map(|entry| ignored(entry, subject)) {
        return Some(Allowed { by: "ignore-file", reason });
    }
    let names_it = |list: &&Allowlist| list.target_rules.is_empty() || list.target_rules.contains(&subject.rule.id);
    let lists = subject.rule.allowlists.iter().chain(rules.allowlists.iter().filter(names_it));
    lists.filter(|list| !(list.builtin && subject.proof_holds)).find_map(|list| {
        let what = listed(list, subject)?;
        let said = reason(&list.description, subject.secret);
        let reason = if said.is_empty() { format!("an allowlist names its {what}") } else { said };
        Some(Allowed { by: if list.builtin { "built-in" } else { "config" }, reason })
    })
}

/// What of the candidate the list allows; `None` if it does not.
fn listed(list: &Allowlist, subject: &Subject<'_>) -> Option<&'static str> {
    let target = match list.regex_target {
        RegexTarget::Secret => subject.secret,
        RegexTarget::Match => subject.matched,
        RegexTarget::Line => subject.lines,
    };
    let path = subject.path.unwrap_or_default();
    let any = |regexes: &[Pattern], text: &[u8]| !text.is_empty() && regexes.iter().any(|regex| regex.is_match(text));
    // In place: a folded copy of the secret would outlive it in memory.
    let has = |word: &String| {
        !word.is_empty() && subject.secret.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    let same = |commit: &str| list.commits.iter().any(|id| id.eq_ignore_ascii_case(commit));
    let kinds = [
        ("commit", !list.commits.is_empty(), subject.commit.is_some_and(same)),
        ("path", !list.paths.is_empty(), any(&list.paths, path)),
        ("text", !list.regexes.is_empty(), any(&list.regexes, target)),
        ("words", !list.stopwords.is_empty(), list.stopwords.iter().any(has)),
        (
            "fingerprint",
            !list.fingerprints.is_empty(),
            subject.fingerprints.iter().any(|name| list.fingerprints.contains(name)),
        ),
    ];
    let mut present = kinds.iter().filter(|(_, present, _)| *present).peekable();
    match list.condition {
        Condition::Or => present.find(|(_, _, holds)| *holds).map(|(what, ..)| *what),
        Condition::And => {
            let (what, ..) = **present.peek()?;
            present.all(|(_, _, holds)| *holds).then_some(what)
        }
    }
}

fn ignored(entry: &Ignore, subject: &Subject<'_>) -> Option<String> {
    match entry {
        Ignore::Fingerprint(fingerprint) => {
            subject.fingerprints.contains(fingerprint).then(|| format!("fingerprint {fingerprint}"))
        }
        Ignore::Place { commit, path, rule, line } => {
            let bare = |path| <[u8]>::strip_prefix(path, b"./").unwrap_or(path).to_owned();
            let here = *line == subject.line_number
                && *rule == subject.rule.id
                && subject.path.is_some_and(|shown| bare(shown) == bare(path.as_bytes()))
                && commit.as_deref().is_none_or(|id| subject.commit.is_some_and(|here| id.eq_ignore_ascii_case(here)));
            here.then(|| reason(&format!("{path}:{rule}:{line}"), subject.secret))
        }
    }
}

/// The words that allow a line, and whether a rule may be named after them.
const MARKS: [(&str, bool); 3] = [("stanch:allow", true), ("gitleaks:allow", false), ("betterleaks:allow", false)];

/// Whether some words in there may allow what stands on their line.
pub fn may_allow(text: &[u8]) -> bool {
    MARKS.iter().any(|(mark, _)| memchr::memmem::find(text, mark.as_bytes()).is_some())
}

/// What the line's own comment says about the candidate; `None` if it has none or speaks of another rule.
fn inline(rules: &RuleSet, subject: &Subject<'_>) -> Option<String> {
    MARKS.iter().find_map(|&(mark, names_rules)| {
        memchr::memmem::find_iter(subject.lines, mark).find_map(|at| {
            let after = comment(subject.lines, at, at + mark.len())?;
            let text = if names_rules { of_rule(rules, subject.rule, &after)? } else { after.as_str() };
            Some(reason(text, subject.secret))
        })
    })
}

/// The text from `end` to the end of the comment, if the mark at `start..end` is a word of its own.
fn comment(lines: &[u8], start: usize, end: usize) -> Option<String> {
    let joins = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    let after = &lines[end..];
    // A full stop or colon may follow (`gitleaks:allow.`), a longer word may not.
    let longer = match after {
        [b'.' | b':', next, ..] => joins(next),
        [next, ..] => joins(next) && !matches!(next, b'.' | b':'),
        [] => false,
    };
    if longer || start.checked_sub(1).is_some_and(|before| joins(&lines[before])) {
        return None;
    }
    let line = after.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let close =
        ["*/", "-->", "--%>", "*)", "-}", "#}", "\"\"\"", "'''"].iter().filter_map(|close| line.find(close)).min();
    Some(line[..close.unwrap_or(line.len())].trim_start_matches(['.', ':']).trim().to_owned())
}

/// The text without the rule it names; `None` if that is another rule than `rule`. A first word that looks like an id
/// (lower case with dashes) is one, so that a misspelt id does not allow everything.
fn of_rule<'t>(rules: &RuleSet, rule: &Rule, text: &'t str) -> Option<&'t str> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let word = word.trim_end_matches([':', ',']);
    if word == rule.id {
        return Some(rest.trim_start());
    }
    let like_id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let inner_dash = word.trim_matches('-').contains('-');
    let is_id = rules.get(word).is_some() || (inner_dash && word.bytes().all(like_id));
    (!is_id).then_some(text)
}

/// A reason as reports may show it: one line, short, without control characters. Text that holds the secret is dropped;
/// from a word on that could be another one it is cut.
fn reason(text: &str, secret: &[u8]) -> String {
    if !secret.is_empty() && memchr::memmem::find(text.as_bytes(), secret).is_some() {
        return String::new();
    }
    let like_token = |word: &&str| {
        let mut runs = word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        runs.any(|run| run.len() >= 16 && run.bytes().any(|b| b.is_ascii_digit()))
    };
    let words = text.split_whitespace().take_while(|word| !like_token(word)).collect::<Vec<_>>().join(" ");
    words.trim_start_matches(['-', '(', ' ']).chars().filter(|c| !is_unseen(*c)).take(MAX_REASON).collect()
}

/// Control characters, and those that change the direction of text.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"hunter2-Hunter2";

    fn rule(id: &str) -> Rule {
        Rule { id: id.to_owned(), ..Rule::default() }
    }

    fn subject<'a>(rule: &'a Rule, lines: &'a [u8]) -> Subject<'a> {
        Subject {
            rule,
            secret: SECRET,
            matched: b"key=hunter2-Hunter2",
            lines,
            path: Some(b"src/a.rs"),
            fingerprints: vec![Fingerprint::of_strong(SECRET)].leak(),
            line_number: 7,
            commit: Some("c0ffee"),
            proof_holds: true,
        }
    }

    fn regexes(all: &[&str]) -> Vec<Pattern> {
        all.iter().map(|text| Pattern::new(*text).unwrap()).collect()
    }

    fn said(line: &str) -> Option<String> {
        let (this, other) = (rule("acme-pat"), rule("jwt"));
        let rules = RuleSet { rules: vec![Arc::new(this.clone()), Arc::new(other)], ..RuleSet::default() };
        allowed(&rules, &subject(&this, line.as_bytes())).map(|allowed| {
            assert_eq!(allowed.by, "inline");
            allowed.reason
        })
    }

    #[test]
    fn a_comment_allows_its_line() {
        for (line, reason) in [
            ("key=hunter2-Hunter2 # stanch:allow", Some("")),
            ("key=hunter2-Hunter2 #gitleaks:allow", Some("")),
            ("key=hunter2-Hunter2 // betterleaks:allow, see docs", Some(", see docs")),
            ("<a key=hunter2-Hunter2> <!-- stanch:allow in the manual -->", Some("in the manual")),
            ("/* stanch:allow test data */ key=hunter2-Hunter2", Some("test data")),
            ("key=hunter2-Hunter2 # stanch:allow acme-pat revoked in May", Some("revoked in May")),
            ("key=hunter2-Hunter2 # stanch:allow acme-pat: revoked", Some("revoked")),
            ("key=hunter2-Hunter2 # stanch:allow -- rotated", Some("rotated")),
            ("key=hunter2-Hunter2 # stanch:allow jwt for tests", None),
            ("key=hunter2-Hunter2 # stanch:allow acme-path", None),
            ("key=hunter2-Hunter2 # stanch:allowed", None),
            ("key=hunter2-Hunter2 # stanch:allow-list", None),
            ("key=hunter2-Hunter2 # unstanch:allow", None),
            ("key=hunter2-Hunter2 # stanch: allow", None),
            ("key=hunter2-Hunter2", None),
            ("one # stanch:allow first\nkey=hunter2-Hunter2", Some("first")),
            ("key=hunter2-Hunter2 # stanch:allow jwt # stanch:allow acme-pat both", Some("both")),
        ] {
            assert_eq!(said(line).as_deref(), reason, "{line}");
        }
    }

    #[test]
    fn a_reason_never_shows_a_secret_or_controls_a_terminal() {
        assert_eq!(said("# stanch:allow key=hunter2-Hunter2").as_deref(), Some(""));
        assert_eq!(said("# stanch:allow fixture other=abcdefgh01234567 more").as_deref(), Some("fixture"));
        assert_eq!(said("# stanch:allow a\u{1b}[31m\u{202e}b").as_deref(), Some("a[31mb"));
        assert_eq!(said(&format!("# stanch:allow {}", "é ".repeat(500))).unwrap().chars().count(), MAX_REASON);
    }

    fn verdict(list: Allowlist, change: impl Fn(&mut Subject<'_>)) -> bool {
        let rule = rule("acme-pat");
        let mut subject = subject(&rule, b"let key=hunter2-Hunter2; // example");
        change(&mut subject);
        let rules = RuleSet { allowlists: vec![list], ..RuleSet::default() };
        allowed(&rules, &subject).is_some()
    }

    #[test]
    fn or_needs_one_condition_and_needs_one_of_each_kind() {
        let list = |condition, path: &str, regex: &str, stopword: &str, commit: &str| Allowlist {
            condition,
            paths: regexes(&[path, "^never$"]),
            regexes: regexes(&["^never$", regex]),
            stopwords: vec!["never".to_owned(), stopword.to_owned()],
            commits: vec![commit.to_owned()],
            ..Allowlist::default()
        };
        let good = ["^src/", "^hunter2", "2-hunt", "c0ffee"];
        for wrong in 0..16 {
            let pick = |at: usize| if wrong & (1 << at) == 0 { good[at] } else { "nothing" };
            let make = |condition| list(condition, pick(0), pick(1), pick(2), pick(3));
            assert_eq!(verdict(make(Condition::And), |_| ()), wrong == 0, "{wrong:04b}");
            assert_eq!(verdict(make(Condition::Or), |_| ()), wrong != 15, "{wrong:04b}");
        }
        // A kind that the list does not have is not asked for.
        let only = Allowlist { condition: Condition::And, paths: regexes(&["^src/"]), ..Allowlist::default() };
        assert!(verdict(only.clone(), |_| ()));
        assert!(!verdict(only, |subject| subject.path = None));
        assert!(!verdict(Allowlist { condition: Condition::And, ..Allowlist::default() }, |_| ()));
        assert!(!verdict(Allowlist::default(), |_| ()));
    }

    #[test]
    fn regexes_look_at_their_target() {
        for (target, regex, expected) in [
            (RegexTarget::Secret, "key", false),
            (RegexTarget::Match, "^key", true),
            (RegexTarget::Match, "example", false),
            (RegexTarget::Line, "example$", true),
        ] {
            let list = Allowlist { regexes: regexes(&[regex]), regex_target: target, ..Allowlist::default() };
            assert_eq!(verdict(list, |_| ()), expected, "{target:?} {regex}");
        }
        // gitleaks never lets a pattern match nothing.
        let anything = Allowlist { paths: regexes(&[""]), ..Allowlist::default() };
        assert!(!verdict(anything.clone(), |subject| subject.path = None));
        assert!(verdict(anything, |_| ()));
    }

    #[test]
    fn what_we_know_never_drops_what_is_proven() {
        let list = |builtin| Allowlist { stopwords: vec!["hunter".to_owned()], builtin, ..Allowlist::default() };
        assert!(!verdict(list(true), |_| ()));
        assert!(verdict(list(true), |subject| subject.proof_holds = false));
        assert!(verdict(list(false), |_| ()));
    }

    #[test]
    fn a_list_speaks_of_the_rules_it_names() {
        let list = |rule: &str| Allowlist {
            target_rules: vec![rule.to_owned()],
            fingerprints: vec![Fingerprint::of_strong(SECRET)],
            ..Allowlist::default()
        };
        assert!(verdict(list("acme-pat"), |_| ()));
        assert!(!verdict(list("other"), |_| ()));
    }

    #[test]
    fn ignore_entries_name_a_secret_or_a_place() {
        let place = |commit: Option<&str>, path: &str, rule: &str, line| Ignore::Place {
            commit: commit.map(str::to_owned),
            path: path.to_owned(),
            rule: rule.to_owned(),
            line,
        };
        for (entry, expected) in [
            (Ignore::Fingerprint(Fingerprint::of_strong(SECRET)), true),
            (Ignore::Fingerprint(Fingerprint::of_strong(b"other")), false),
            (place(None, "src/a.rs", "acme-pat", 7), true),
            (place(None, "./src/a.rs", "acme-pat", 7), true),
            (place(Some("C0FFEE"), "src/a.rs", "acme-pat", 7), true),
            (place(Some("c0ffe"), "src/a.rs", "acme-pat", 7), false),
            (place(None, "a.rs", "acme-pat", 7), false),
            (place(None, "src/a.rs", "acme", 7), false),
            (place(None, "src/a.rs", "acme-pat", 8), false),
        ] {
            let rule = rule("acme-pat");
            let rules = RuleSet { ignores: vec![entry.clone()], ..RuleSet::default() };
            let by = allowed(&rules, &subject(&rule, b"key=hunter2-Hunter2")).map(|allowed| allowed.by);
            assert_eq!(by, expected.then_some("ignore-file"), "{entry:?}");
        }
    }

    #[test]
    fn the_reason_is_what_the_list_says() {
        let rule = Rule {
            allowlists: vec![Allowlist {
                description: "rotated in May".to_owned(),
                paths: regexes(&["src"]),
                ..Allowlist::default()
            }]
            .into(),
            ..rule("acme-pat")
        };
        let answer = allowed(&RuleSet::default(), &subject(&rule, b"")).unwrap();
        assert_eq!(answer, Allowed { by: "config", reason: "rotated in May".to_owned() });
    }

    proptest! {
        #[test]
        fn any_line_is_read_and_no_reason_holds_the_secret(
            before in prop::collection::vec(any::<u8>(), 0..20),
            mark in prop::sample::select(vec!["stanch:allow", "gitleaks:allow", "stanch:allow acme-pat", ""]),
            after in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'*'), Just(b'/')], 0..30),
            with_secret in any::<bool>(),
        ) {
            let rule = rule("acme-pat");
            let secret = if with_secret { SECRET } else { b"" };
            let line = [&before, mark.as_bytes(), &after, secret, &after].concat();
            if let Some(allowed) = allowed(&RuleSet::default(), &subject(&rule, &line)) {
                prop_assert!(!allowed.reason.contains("hunter2-Hunter2"));
                prop_assert!(allowed.reason.chars().all(|c| !c.is_control()));
            }
        }
    }
}

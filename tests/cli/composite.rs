//! Rules that require other rules nearby: both halves of a key are one finding, one half is none.

use proptest::prelude::*;
use stanch::rule::RuleSet;

use super::*;

const RULEFILE: &str = r#"
[[rules]]
id = "pair-secret"
description = "Secret of a pair"
regex = '''\bpsec_[0-9a-z]{24}\b'''
keywords = ["psec_"]
random_bits = 120
[[rules.required]]
id = "pair-id"
withinLines = 3

[[rules]]
id = "pair-id"
regex = '''\bpid_[0-9A-Z]{20}\b'''
keywords = ["pid_"]
random_bits = 100

[[rules]]
id = "hosted-secret"
regex = '''\bhsec_[0-9a-z]{24}\b'''
keywords = ["hsec_"]
random_bits = 120
[[rules.required]]
id = "hosted-host"
[[rules.required]]
id = "hosted-user"
withinColumns = 4

[[rules]]
id = "hosted-host"
regex = '''\b([a-z]{8,12}\.hosted\.test)\b'''
keywords = [".hosted.test"]
skipReport = true

[[rules]]
id = "hosted-user"
regex = '''\bhusr_[0-9a-z]{20}\b'''
keywords = ["husr_"]
random_bits = 100
skipReport = true
"#;

/// Letters and digits that nobody wrote down.
fn drawn(seed: u64, len: usize, alphabet: &[u8]) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(alphabet[(state >> 33) as usize % alphabet.len()])
    };
    (0..len).map(|_| next()).collect()
}

const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn secret(seed: u64) -> String {
    format!("psec_{}", drawn(seed, 24, LOWER))
}

fn id(seed: u64) -> String {
    format!("pid_{}", drawn(seed, 20, UPPER))
}

/// A directory with the rules beside the tree that is scanned.
struct Place(Tree);

impl Place {
    fn with(files: &[(&str, &str)]) -> Self {
        let tree = Tree::with(&[("rules.toml", RULEFILE)]);
        for (name, text) in files {
            tree.write(&format!("tree/{name}"), text);
        }
        Place(tree)
    }

    fn scan(&self, args: &[&str]) -> Ran {
        self.0.scan(&[&["--rules", "rules.toml"], args, &["tree"]].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        self.scan(&[&["--format", "json"], args].concat()).json()
    }
}

/// Rule, line, and the lines of the companions.
fn shown(report: &Value) -> Vec<(String, u64, Vec<u64>)> {
    let line = |value: &Value| value["line"].as_u64().unwrap();
    let one = |finding: &Value| {
        let companions = finding["companions"].as_array().unwrap();
        (finding["rule"].as_str().unwrap().to_owned(), line(finding), companions.iter().map(line).collect())
    };
    findings(report).iter().map(one).collect()
}

#[test]
fn both_halves_are_one_finding_that_shows_neither() {
    let (secret, id) = (secret(1), id(2));
    let place = Place::with(&[("a", &format!("id: {id}\n\nsecret: {secret} # {id}\n"))]);
    let report = place.json(&[]);
    assert_eq!(shown(&report), [("pair-secret".to_owned(), 3, vec![1, 3])]);
    let finding = &findings(&report)[0];
    assert_eq!(finding["fingerprint"], fingerprint(&secret), "its name is that of the secret alone");
    let first = &finding["companions"][0];
    assert_eq!(first["rule"], "pair-id");
    assert_eq!(first["fingerprint"], fingerprint(&id));
    assert_eq!(
        (first["column"].as_u64(), first["byte_offset"].as_u64(), first["byte_length"].as_u64()),
        (Some(5), Some(4), Some(24))
    );
    assert_eq!(first["secret"], format!("pid_****…{}", &id[20..]));
    for format in ["text", "json", "jsonl", "sarif", "github", "gitlab", "markdown", "junit", "csv", "codequality"] {
        let ran = place.scan(&["--format", format]).exits(1);
        hides(&ran.out, &secret);
        hides(&ran.out, &id);
        assert!(format == "csv" || ran.out.contains("pair-id"), "{format}: {}", ran.out);
    }
}

#[test]
fn one_half_is_no_finding_and_helpers_are_none_alone() {
    let host = "https://somewhere.hosted.test/";
    let user = format!("husr_{}", drawn(3, 20, LOWER));
    let hosted = format!("hsec_{}", drawn(4, 24, LOWER));
    let place = Place::with(&[
        ("alone", &format!("{}\n", secret(5))),
        ("far", &format!("{}\n\n\n\n{}\n", secret(6), id(7))),
        ("helper", &format!("{host}\n{user}\n")),
        ("no-user", &format!("{hosted}\n{host}\n")),
        ("shifted", &format!("{hosted}\n{host}\n     {user}\n")),
        ("whole", &format!("{hosted}\n{}{host}\n    {user}\n", "\n".repeat(5000))),
    ]);
    let report = place.json(&[]);
    let paths: Vec<&str> = findings(&report).iter().map(|finding| finding["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["tree/far", "tree/whole"]);
    assert_eq!(shown(&report), [("pair-id".to_owned(), 5, vec![]), ("hosted-secret".to_owned(), 1, vec![5002, 5003])]);
}

#[test]
fn a_half_that_is_allowed_is_no_half() {
    let place = Place::with(&[("a", &format!("{} # stanch:allow pair-id made up\n{}\n", id(8), secret(9)))]);
    assert_eq!(shown(&place.json(&[])), []);
    // Who allows the secret allows the pair.
    let place = Place::with(&[("a", &format!("{}\n{} # stanch:allow pair-secret made up\n", id(8), secret(9)))]);
    place.scan(&[]).exits(0).prints("1 allowed");
}

#[test]
fn choosing_a_rule_keeps_what_it_requires() {
    let place = Place::with(&[("a", &format!("{}\n{}\n\n\n\n\n\n{}\n", id(10), secret(11), id(12)))]);
    assert_eq!(shown(&place.json(&["--rule", "pair-secret"])), [("pair-secret".to_owned(), 2, vec![1])]);
    place.0.write("more.toml", "[extend]\ndisabledRules = ['pair-id']\n");
    let both = ["scan", "--rules", "rules.toml", "--rules", "more.toml", "--format", "json", "tree"];
    assert_eq!(shown(&place.0.run(&both).json()), [("pair-secret".to_owned(), 2, vec![1])]);
}

#[test]
fn halves_in_other_writings_meet() {
    let base64 = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    let (id, secret) = (id(13), secret(14));
    let manifest = format!("kind: Secret\ndata:\n  id: {}\n  secret: {}\n", base64(&id), base64(&secret));
    let inside = base64(&format!("first: {id}\nthen: {secret}\n"));
    let place = Place::with(&[("manifest.yaml", &manifest), ("inside", &inside)]);
    let report = place.json(&[]);
    let layers = |at: usize| &findings(&report)[at]["companions"][0]["decoded"];
    assert_eq!(findings(&report).len(), 2, "{report:#}");
    assert_eq!((layers(0), layers(1)), (&serde_json::json!(["base64"]), &serde_json::json!(["base64"])));
}

#[test]
fn the_number_of_threads_and_the_way_of_reading_change_nothing() {
    let text = |seed: u64| format!("{}\n{}\n{}\n{}\n", id(seed), secret(seed + 1), secret(seed + 2), id(seed + 3));
    let place = Place::with(&[]);
    for seed in 0..40 {
        place.0.write(&format!("tree/{seed}"), text(seed * 10));
    }
    let one = place.scan(&["--format", "jsonl", "--jobs", "1"]).exits(1);
    assert_eq!(one.out, place.scan(&["--format", "jsonl", "--jobs", "7"]).exits(1).out);
    let args = ["scan", "--rules", "rules.toml", "--format", "json", "-"];
    let stream = place.0.with_stdin(&args, text(70).as_bytes()).json();
    assert_eq!(shown(&stream), [("pair-secret".to_owned(), 2, vec![1, 4]), ("pair-secret".to_owned(), 3, vec![1, 4])]);
}

#[test]
fn a_filter_replaces_each_half_wherever_it_stands() {
    let (id, secret) = (id(15), secret(16));
    let place = Place::with(&[]);
    let ran =
        place.0.with_stdin(&["filter", "--rules", "rules.toml"], format!("{secret}\n\n\n\n\n\n\n{id}\n").as_bytes());
    hides(&ran.out, &secret);
    hides(&ran.out, &id);
}

#[test]
fn a_rule_that_could_never_be_whole_is_an_error_that_says_where() {
    let place = Tree::new();
    let base = "[[rules]]\nid = 'a'\nregex = 'aaa_[0-9]{9}'\n";
    for (required, said) in [
        ("[[rules.required]]\nid = 'bb'\n", "rules.toml:5:6: there is no rule `bb`"),
        ("[[rules.required]]\nid = 'a'\n", "rules.toml:5:6: `required` cannot be honoured: a rule cannot need itself"),
        ("[[rules.required]]\nid = 'p'\n[[rules]]\nid = 'p'\npath = 'x'\n", "both rules must have a regex"),
    ] {
        place.write("rules.toml", format!("{base}{required}"));
        place.scan(&["--rules", "rules.toml"]).exits(2).says(said);
    }
}

/// The rules of this file, and the object cut into pieces of that many bytes.
fn scanned(path: &Path, rules: &Arc<RuleSet>, chunk: usize) -> Vec<String> {
    let mut all = Vec::new();
    scan_cut(path, rules.clone(), chunk, &mut |finding| {
        let companions: Vec<_> = finding.companions.iter().map(|it| (it.rule.id.clone(), it.region)).collect();
        all.push(format!("{} {:?} {companions:?}", finding.rule.id, finding.region));
    });
    all
}

/// What stands in the text.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Secret,
    Id,
    Hosted,
    Host,
    User,
    /// So many lines.
    Lines(usize),
    /// So many bytes in one line.
    Filler(usize),
    /// Both halves in a compressed text longer than a chunk's margins.
    Packed,
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        5 => Just(Piece::Secret),
        5 => Just(Piece::Id),
        2 => Just(Piece::Hosted),
        1 => Just(Piece::Host),
        2 => Just(Piece::User),
        6 => (1usize..6).prop_map(Piece::Lines),
        1 => (1usize..90_000).prop_map(Piece::Filler),
        1 => Just(Piece::Packed),
    ]
}

fn written(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for (number, piece) in pieces.iter().enumerate() {
        let seed = number as u64 + 1;
        text += &match piece {
            Piece::Secret => format!("{} ", secret(seed)),
            Piece::Id => format!("{} ", id(seed)),
            Piece::Hosted => format!("hsec_{} ", drawn(seed, 24, LOWER)),
            Piece::Host => format!("{}.hosted.test ", drawn(seed, 9, b"abcdefghijkl")),
            Piece::User => format!("husr_{} ", drawn(seed, 20, LOWER)),
            Piece::Lines(count) => "\n".repeat(*count),
            Piece::Filler(len) => " ".repeat(*len),
            Piece::Packed => {
                let noise = drawn(seed, 60_000, b"!#$%&()*+,;<>");
                let content = format!("{}\n{}\n{noise}", id(seed), secret(seed + 1));
                let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                packed.write_all(content.as_bytes()).unwrap();
                format!("\n{}\n", data_encoding::BASE64.encode(&packed.finish().unwrap()))
            }
        };
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn cutting_does_not_matter_to_what_belongs_together(pieces in prop::collection::vec(piece(), 1..80), wide in any::<bool>()) {
        let tree = Tree::with(&[("rules.toml", RULEFILE)]);
        let rules = stanch::rulefile::load(&tree.path("rules.toml"), with_examples, false).unwrap().rules;
        let text = written(&pieces);
        let bytes = match wide {
            true => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            false => text.into_bytes(),
        };
        tree.write("file", bytes);
        let rules = Arc::new(rules);
        let whole = scanned(&tree.path("file"), &rules, 1 << 30);
        prop_assert_eq!(whole, scanned(&tree.path("file"), &rules, 1), "{:?}", pieces);
    }

    #[test]
    fn a_pair_is_what_stands_near_enough(lines in prop::collection::vec(prop_oneof![Just(' '), Just('s'), Just('i')], 1..60)) {
        let text: String = lines.iter().zip(1..).map(|(kind, seed)| match kind {
            's' => secret(seed) + "\n",
            'i' => id(seed) + "\n",
            _ => "\n".to_owned(),
        }).collect();
        let near = |at: usize, wanted: char| -> Vec<usize> {
            let from = at.saturating_sub(3);
            let all = lines.iter().enumerate().skip(from).take(at + 4 - from);
            all.filter(|(_, kind)| **kind == wanted).map(|(line, _)| line + 1).collect()
        };
        let expected: Vec<(String, u64, Vec<u64>)> = lines.iter().enumerate().filter_map(|(at, kind)| match kind {
            's' if !near(at, 'i').is_empty() => {
                Some(("pair-secret".to_owned(), at as u64 + 1, near(at, 'i').iter().map(|line| *line as u64).collect()))
            }
            'i' if near(at, 's').is_empty() => Some(("pair-id".to_owned(), at as u64 + 1, vec![])),
            _ => None,
        }).collect();
        let place = Place::with(&[("a", &text)]);
        prop_assert_eq!(shown(&place.json(&[])), expected);
    }
}

#[test]
fn built_in_rules_that_need_others_are_whole_with_these() {
    let tree = Tree::new();
    let whole: Vec<_> = RULES.rules.iter().filter(|rule| !rule.required.is_empty()).collect();
    for rule in &whole {
        let leak = |id: &str| {
            let rule = RULES.get(id).unwrap();
            Press::new(rule).unwrap().expand(&rule.leaks[0], 7).unwrap()
        };
        let halves = rule.required.iter().map(|required| leak(&required.rule));
        let text = halves.chain([leak(&rule.id)]).map(|half| format!("{half}\n")).collect::<String>();
        tree.write(&rule.id, text);
    }
    let report = tree.json(&["--confidence", "low"]);
    for rule in &whole {
        let of_it = |finding: &&Value| finding["path"] == rule.id && finding["rule"] == rule.id;
        let found: Vec<&Value> = findings(&report).iter().filter(of_it).collect();
        assert_eq!(found.len(), 1, "{}", rule.id);
        assert!(found[0]["companions"].as_array().unwrap().len() >= rule.required.len(), "{}", rule.id);
    }
}

/// Who allows an id has not allowed what stands behind it.
#[test]
fn what_stands_behind_an_id_is_its_secret() {
    let id = format!("AKIA{}", drawn(31, 16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"));
    let secret = drawn(32, 40, &[LOWER, UPPER, b"+/"].concat());
    let row = |id: &str| format!("Access key ID,Secret access key\r\n{id},{secret}\r\n");
    let tree =
        Tree::with(&[("tree/accessKeys.csv", &row(&id)), ("tree/b.py", &format!("Session(\"{id}\", '{secret}')\n"))]);
    let report = tree.scan(&["--format", "json", "tree"]).json();
    let rule = || "aws-access-key-pair-by-position".to_owned();
    assert_eq!(shown(&report), [(rule(), 2, vec![2]), (rule(), 1, vec![1])]);
    let tree = Tree::with(&[("tree/a.csv", &row(&format!("{}EXAMPLE", &id[..13])))]);
    let report = tree.scan(&["--format", "json", "tree"]).json();
    assert_eq!(shown(&report), [("aws-secret-access-key-by-position".to_owned(), 2, vec![])]);
}

/// Two of our rules know them: by its name, and by what stands before it.
#[test]
fn a_file_of_credentials_is_one_finding() {
    let (id, secret) = (
        format!("AKIA{}", drawn(33, 16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
        drawn(34, 40, &[LOWER, UPPER, b"0123456789+/"].concat()),
    );
    let tree = Tree::with(&[
        ("tree/a", &format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")),
        ("tree/b", &format!("[default]\naws_secret_access_key = {secret}\naws_access_key_id = {id}\n")),
        ("tree/c.env", &format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n")),
        ("tree/d.tf", &format!("provider \"aws\" {{\n  access_key = \"{id}\"\n  secret_key = \"{secret}\"\n}}\n")),
        ("tree/e.json", &format!("{{\"accessKeyId\": \"{id}\", \"secretAccessKey\": \"{secret}\"}}\n")),
    ]);
    let report = tree.scan(&["--format", "json", "tree"]).json();
    let names: Vec<String> = shown(&report).into_iter().map(|(rule, ..)| rule).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.iter().all(|rule| rule.starts_with("aws-access-key-pair")), "{names:?}");
}

#[test]
fn a_check_proves_each_rule_on_its_own_regex_and_says_what_is_dear() {
    let examples = "leaks = ['<mint>']\nclean = ['x']\nkeywords =";
    let tree = Tree::with(&[("whole.toml", &RULEFILE.replace("keywords =", examples))]);
    tree.run(&["rules", "check", "whole.toml"]).exits(0).prints("whole.toml: 5 rules keep what they say");
    for (regex, said) in [
        ("(?:dear_|deer-)[0-9a-f]{30}", "dear.toml: dear: not every match has one of its keywords in it"),
        ("dear_(?:[0-9a-f]{30}|[0-9a-f]{6})", "dear.toml: dear: alternative 2 of its regex has no run"),
    ] {
        tree.write("dear.toml", format!("[[rules]]\nid = 'dear'\nregex = '{regex}'\n{examples} ['dear_']\n"));
        tree.run(&["rules", "check", "dear.toml"]).says(said);
    }
}

#[test]
fn a_stream_that_pauses_tells_a_pair_once_and_holds_nothing_else_back() {
    let (id, secret, lone) = (id(40), secret(41), id(42));
    let place = Place::with(&[]);
    for pieces in [
        vec![format!("{id}\n"), format!("{secret}\n"), "\n".repeat(9), format!("{lone}\n"), "\n".repeat(9)],
        vec![format!("{id}\n{secret}"), " more\n".to_owned(), "\n\n\n\n\n\n\n\n".to_owned(), format!("{lone}\n")],
        vec!["\n".to_owned(), format!("{secret}\n\n"), format!("{id}\n"), "x\n".repeat(20), format!("{lone}\n")],
    ] {
        let mut command = place.0.stanch();
        command.args(["scan", "--rules", "rules.toml", "--format", "jsonl", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for piece in &pieces {
            input.write_all(piece.as_bytes()).unwrap();
            input.flush().unwrap();
            // Long enough for what came to be searched, and shown again with the next piece.
            std::thread::sleep(std::time::Duration::from_millis(60));
        }
        drop(input);
        let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let all = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let rules: Vec<String> = all.filter_map(|line| Some(line["rule"].as_str()?.to_owned())).collect();
        assert_eq!(rules, ["pair-secret", "pair-id"], "{pieces:?}");
    }
}

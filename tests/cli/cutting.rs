//! Cutting does not matter: the same findings from chunks of any size.

use proptest::prelude::*;

use super::*;

/// Everything of a finding that a report shows: the text around it, and the rest.
fn shown(finding: &Finding) -> (String, String) {
    let (Snippet { line, text, mark, cut_before, cut_after }, region) = (&finding.snippet, finding.region);
    let (id, verdict, facts) = (&finding.rule.id, &finding.verdict, &finding.facts);
    let place = format!("{line} {} {cut_before} {cut_after}", mark.len());
    let rest = format!("{id} {region:?} {} {} {place} {verdict:?} {facts:?}", finding.redacted, finding.fingerprint);
    (text.clone(), rest)
}

/// Whether the text around a finding is the same in both, or shows less in the first: a copy of a secret is masked where
/// the chunk has the secret, too, however far away.
fn is_same_or_masked_more(one: &str, other: &str) -> bool {
    let alike = |(one, other): &(char, char)| one == other;
    let first = one.chars().zip(other.chars()).take_while(alike).count();
    let rests = || one.chars().rev().zip(other.chars().rev()).take_while(alike).count();
    let last = rests().min(one.chars().count().min(other.chars().count()) - first);
    let differs: String = one.chars().skip(first).take(one.chars().count() - first - last).collect();
    one == other || differs.is_empty() || differs.contains('*')
}

fn scanned(path: &Path, chunk: usize) -> Vec<(String, String)> {
    let mut all = Vec::new();
    scan_cut(path, Arc::new(RULES.clone()), chunk, &mut |finding| all.push(shown(&finding)));
    all
}

/// Leaks of all rules in an order of its own, so that what stands around an edge differs, with filler between them.
fn text(seed: u64, lead: usize, filler: &str) -> String {
    let mut text = "~".repeat(lead);
    let presses: Vec<_> = RULES.rules.iter().map(|rule| (rule, Press::new(rule).unwrap())).collect();
    let mut number = seed;
    while text.len() < 450_000 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (rule, press) = &presses[(number >> 33) as usize % presses.len()];
        let leak = &rule.leaks[(number >> 20) as usize % rule.leaks.len()];
        let leak = press.expand(leak, number >> 40).unwrap();
        text += &match number >> 60 {
            0 => data_encoding::BASE64.encode(leak.as_bytes()),
            1 => lines(&data_encoding::BASE64.encode(leak.repeat(9).as_bytes())),
            2 => packed(&leak, 0),
            // Longer than a chunk's margins, with and without lines.
            3 => packed(&leak, 30_000),
            4 => lines(&packed(&leak, 30_000)),
            5 => data_encoding::BASE64.encode(packed(&leak, 20_000).as_bytes()),
            6 => data_encoding::HEXLOWER.encode(leak.repeat(5).as_bytes()),
            7 => leak.replace('_', "\\u005f").replace('-', "\\x2d").replace('\n', "\\n"),
            8 => leak.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            _ => leak,
        };
        text += &filler.repeat((number >> 50) as usize % 200);
        text.push('\n');
    }
    text
}

fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("\n{}\n", lines.join("\r\n"))
}

/// Base64 of gzip of a leak and of so many bytes that cannot be compressed.
fn packed(leak: &str, more: u32) -> String {
    let noise: Vec<u8> = (0..more).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&[leak.as_bytes(), b"\n", &noise].concat()).unwrap();
    data_encoding::BASE64.encode(&packed.finish().unwrap())
}

/// What stands between leaks: nothing special, wide characters alone, line ends, runs.
const FILLERS: [&str; 4] = ["text ", "\u{fc}\u{1f600}", "a\tb\r\n", "no_run-here.but;dense "];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn cutting_does_not_matter(seed in any::<u64>(), lead in 0usize..70_000) {
        let tree = Tree::new();
        let path = tree.path("file");
        for filler in FILLERS {
            let text = text(seed, lead, filler);
            let utf16 = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
            for bytes in [text.as_bytes(), &utf16] {
                tree.write("file", bytes);
                let whole = scanned(&path, 1 << 30);
                prop_assert!(whole.len() > 100, "{} findings", whole.len());
                let cut = scanned(&path, 1);
                for ((text, one), (cut, other)) in whole.iter().zip(&cut) {
                    prop_assert_eq!(one, other, "{:?}", filler);
                    prop_assert!(is_same_or_masked_more(text, cut), "{one}: {text:?}, cut: {cut:?}");
                }
                prop_assert_eq!(whole.len(), cut.len());
            }
        }
    }
}

#[test]
fn what_is_the_same_is_told_from_what_is_masked_more() {
    for (one, other) in [("a", "a"), ("a ****", "a secret"), ("a **** b", "a x b"), ("x ab", "x secret ab"), ("", "")] {
        assert!(is_same_or_masked_more(one, other), "{one} {other}");
    }
    for (one, other) in [("a b", "a c"), ("secret", "****"), ("a secret b", "a **** b"), ("xy", "x")] {
        assert!(!is_same_or_masked_more(one, other), "{one} {other}");
    }
}

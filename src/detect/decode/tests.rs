use std::io::Write;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::detect::prefilter::for_each_run;
use crate::detect::tests::rule;
use crate::rule::{Rule, RuleSet};

fn detector() -> Detector {
    let rule = Rule { random_bits: 100, ..rule("fixed", r"\bfix_[0-9A-Za-z]{26}\b", &["fix_"]) };
    let rules = RuleSet { rules: vec![Arc::new(rule)], ..RuleSet::default() };
    Detector::new(Arc::new(rules), 0).unwrap().with_depth(DEPTH)
}

fn unwrapped<'d>(detector: &'d Detector, bytes: &[u8]) -> Vec<Candidate<'d>> {
    let mut scratch = detector.scratch();
    detector.candidates(&mut scratch, bytes, &(0..bytes.len()), Where::Nowhere);
    detector.unwrapped(&mut scratch, bytes, Where::Nowhere, true).candidates
}

const LAYERS: [Layer; 7] =
    [Layer::Base64, Layer::Hex, Layer::Percent, Layer::Escape, Layer::Html, Layer::QuotedPrintable, Layer::Utf16];

fn encode(layer: Layer, text: &[u8]) -> Vec<u8> {
    let each = |write: &dyn Fn(u8) -> String| text.iter().map(|byte| write(*byte)).collect::<String>().into_bytes();
    match layer {
        Layer::Base64 => data_encoding::BASE64.encode(text).into_bytes(),
        Layer::Hex => data_encoding::HEXLOWER.encode(text).into_bytes(),
        Layer::Percent => each(&|byte| format!("%{byte:02x}")),
        Layer::Escape => each(&|byte| format!("\\u{byte:04X}")),
        Layer::Html => each(&|byte| format!("&#{byte};")),
        // Soft ends of lines in what is not changed otherwise.
        Layer::QuotedPrintable => text.chunks(25).collect::<Vec<_>>().join(&b"=\r\n"[..]),
        _ => text.iter().flat_map(|byte| [*byte, 0]).collect(),
    }
}

#[test]
fn numbers_in_braces_are_escapes_too() {
    let token = format!("fix_{}", "x9".repeat(13));
    let written: String = token.bytes().map(|byte| format!("\\u{{{byte:x}}}")).collect();
    let text = format!("a = \"{written}\";\n");
    let detector = detector();
    let found = unwrapped(&detector, text.as_bytes());
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!(one.span, 5..5 + written.len());
}

#[test]
fn an_escape_whose_sign_is_written_by_escapes_is_undone_too() {
    let token = format!("fix_{}", "x9".repeat(13));
    let each = |write: &dyn Fn(u8) -> String| token.bytes().map(write).collect::<String>();
    let detector = detector();
    for written in [
        each(&|byte| format!("\\\\u{byte:04x}")),
        each(&|byte| format!("\\\\x{byte:02x}")),
        each(&|byte| format!("%25{byte:02X}")),
        each(&|byte| format!("%2525{byte:02X}")),
        each(&|byte| format!("&amp;#{byte};")),
        each(&|byte| format!("&amp;amp;#x{byte:x};")),
        each(&|byte| format!("={byte:02X}")),
        format!("{}\\\" + \\\"{}", &token[..19], &token[19..]),
    ] {
        let text = format!("a = \"{written}\";\n");
        let found = unwrapped(&detector, text.as_bytes());
        assert_eq!(found.iter().map(|one| &*one.token).collect::<Vec<_>>(), [token.as_bytes()], "{text}");
    }
}

#[test]
fn an_escape_at_the_very_end_is_one() {
    for text in ["a =41=42", "a %41%42", "a \\\\x41\\\\x42", "a &#65;&#66;", "=3D=3D", "&amp;#", "%25", "\\u00"] {
        for end in 0..=text.len() {
            assert_eq!(unwrapped(&detector(), &text.as_bytes()[..end]).len(), 0);
        }
    }
}

#[test]
fn what_goes_on_elsewhere_is_not_called_broken() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &(0..2000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let mut digits = data_encoding::BASE64.encode(&packed.finish().unwrap());
    digits.truncate(digits.len() / 4 * 4 - 4);
    let (detector, half) = (detector(), digits.len() / 2);
    let left = |text: &str| {
        let mut scratch = detector.scratch();
        detector.candidates(&mut scratch, text.as_bytes(), &(0..text.len()), Where::Nowhere);
        detector.unwrapped(&mut scratch, text.as_bytes(), Where::Nowhere, true).left
    };
    assert_eq!(left(&format!("a = \"{}\"\n  \"{}\"", &digits[..half], &digits[half..])), Left::Nothing);
    assert_eq!(left(&format!("a = {}...\n", &digits[..half])), Left::Nothing);
    assert_eq!(left(&format!("a = {}==\n", &digits[..digits.len() - 2])), Left::Broken);
}

#[test]
fn lines_of_digits_are_one_text_or_one_each() {
    let detector = detector();
    let token = |seed: usize| format!("fix_{:026}", 7_usize.pow(9) * seed);
    for layer in [Layer::Base64, Layer::Hex] {
        // None ends in padding, which would say that it is one.
        let lines: Vec<String> = (1..6)
            .map(|seed| {
                String::from_utf8(encode(layer, format!("abc={} ab", token(seed)).trim_end_matches(" ab").as_bytes()))
                    .unwrap()
            })
            .collect();
        let lines: Vec<String> = lines.into_iter().map(|line| line.trim_end_matches('=').to_owned()).collect();
        let found = unwrapped(&detector, lines.join("\n").as_bytes());
        let tokens: Vec<String> = found.iter().map(|one| String::from_utf8(one.token.to_vec()).unwrap()).collect();
        assert_eq!(tokens, (1..6).map(token).collect::<Vec<_>>(), "{layer:?}");
        let text = format!("{:80}{}{:80}", "", token(1), "");
        let digits = String::from_utf8(encode(layer, text.as_bytes())).unwrap();
        let wrapped: Vec<&str> = digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let found = unwrapped(&detector, wrapped.join("\n  ").as_bytes());
        assert_eq!(found.iter().map(|one| &*one.token).collect::<Vec<_>>(), [token(1).as_bytes()], "{layer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Wherever it stands and whatever stands around it, and the place is that of what writes it.
    #[test]
    fn what_was_encoded_is_found_where_it_is_written(
        token in "fix_[0-9A-Za-z]{26}",
        inner in "[ a-z:\n]{0,40}", behind in " [ a-z:\n]{0,40}",
        before in "[ a-z(\n]{0,60}", after in "[ a-z)\n]{0,60}",
        layer in prop::sample::select(&LAYERS[..]),
    ) {
        let detector = detector();
        let text = format!("{inner} {token}{behind}");
        let (lead, tail) = (format!("{before}("), format!("){after}"));
        let bytes = [lead.as_bytes(), &encode(layer, text.as_bytes()), tail.as_bytes()].concat();
        let found = unwrapped(&detector, &bytes);
        // A line end of its own may leave it as it is.
        if bytes.windows(token.len()).any(|window| window == token.as_bytes()) {
            return Ok(());
        }
        // Ends of lines may leave no part that is long enough to be seen.
        let mut runs = 0;
        for_each_run(&bytes, |_, _| runs += 1);
        if layer == Layer::QuotedPrintable && runs == 0 {
            return Ok(());
        }
        prop_assert_eq!(found.len(), 1, "{:?}", layer);
        let one = &found[0];
        prop_assert_eq!(&*one.token, token.as_bytes());
        prop_assert_eq!(&one.wrapping.layers, &[layer]);
        let (start, end) = (inner.len() + 1, inner.len() + 1 + token.len());
        let exact = match layer {
            Layer::Base64 => start * 4 / 3..(end * 4).div_ceil(3),
            Layer::Hex => 2 * start..2 * end,
            Layer::Percent => 3 * start..3 * end,
            Layer::Escape => 6 * start..6 * end,
            Layer::Utf16 => 2 * start..2 * end,
            _ => encode(layer, &text.as_bytes()[..start]).len()..encode(layer, &text.as_bytes()[..end]).len(),
        };
        // Soft line ends right beside it may count or not.
        if layer != Layer::QuotedPrintable {
            prop_assert_eq!(&one.span, &(lead.len() + exact.start..lead.len() + exact.end), "{:?}", layer);
        }
    }

    #[test]
    fn a_string_in_two_parts_is_one_whatever_joins_them(
        token in "fix_[0-9A-Za-z]{26}", cut in 1usize..29,
        seam in prop::sample::select(vec![
            "\" + \"", "\"  # the rest\n\t\"", "\" + // it's the rest\n \"", "\" /* \"a\" */ + /* b */ \"", "\" \\\r\n L\"", "\"..'", "\" & _\r\n $@\"", "\"\n  \"",
        ]),
        before in "[ a-z(\n]{0,60}", after in "[ a-z)\n]{0,60}",
    ) {
        // A long part leads to the seam.
        prop_assume!(cut.max(token.len() - cut) >= crate::shape::RUN);
        let detector = detector();
        let text = format!("{before}(\"{}{seam}{}\"){after}", &token[..cut], &token[cut..]);
        let found = unwrapped(&detector, text.as_bytes());
        prop_assert_eq!(found.len(), 1, "{}", text);
        prop_assert_eq!(&*found[0].token, token.as_bytes());
        let start = before.len() + 2;
        prop_assert_eq!(&found[0].span, &(start..start + token.len() + seam.len()));
    }

    #[test]
    fn encodings_inside_each_other_are_undone_to_the_depth_and_no_deeper(
        token in "fix_[0-9A-Za-z]{26}",
        layers in prop::collection::vec(prop::sample::select(vec![Layer::Base64, Layer::Hex, Layer::Percent]), 1..5),
        lead in "[ a-z]{0,5}",
    ) {
        let detector = detector();
        let text = format!("{lead} {token} ");
        let bytes = layers.iter().rev().fold(text.into_bytes(), |text, layer| encode(*layer, &text));
        let found = unwrapped(&detector, &bytes);
        prop_assert_eq!(found.len(), usize::from(layers.len() <= usize::from(DEPTH)));
        if let Some(one) = found.first() {
            prop_assert_eq!(&one.wrapping.layers, &layers);
            prop_assert!(one.span.end <= bytes.len() && one.span.start < one.span.end);
        }
    }

    #[test]
    fn no_bytes_panic_and_every_place_is_in_them(
        pieces in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::sample::select(vec!["H4sIAAAAAAAA", "eJw", "%", "\\u00", "\\x", "&#", "=\r\n", "\" + \"", "\\\n"])
                .prop_map(|text| text.as_bytes().to_vec()),
            "[A-Za-z0-9+/]{0,80}=?\n?".prop_map(String::into_bytes),
            ("fix_[0-9A-Za-z]{26}", prop::sample::select(&LAYERS[..])).prop_map(|(text, layer)| encode(layer, text.as_bytes())),
        ], 0..12),
    ) {
        let detector = detector();
        let bytes = pieces.concat();
        for one in unwrapped(&detector, &bytes) {
            prop_assert!(one.span.start < one.span.end && one.span.end <= bytes.len());
            prop_assert!(one.wrapping.text.start <= one.span.start && one.span.end <= one.wrapping.text.end);
        }
    }
}

/// Each text alone is small enough, and all together are not: a line of five kilobytes may stand there as often as one likes.
#[test]
fn many_small_texts_are_not_decoded_without_end() {
    let detector = detector();
    let gzip = |text: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    };
    let line = |text: &[u8]| [b"x = '".to_vec(), encode(Layer::Base64, &gzip(text)), b"'\n".to_vec()].concat();
    let token = format!("fix_{}", "Zq3".repeat(9).split_at(26).0);
    let (large, last) = (line(&vec![0; 3 << 20]), line(token.as_bytes()));
    for (count, expected) in [(10, (1, Left::Nothing)), (30, (0, Left::TooMuch))] {
        let text = [large.repeat(count), last.clone()].concat();
        let mut scratch = detector.scratch();
        detector.candidates(&mut scratch, &text, &(0..text.len()), Where::Nowhere);
        let unwrapped = detector.unwrapped(&mut scratch, &text, Where::Nowhere, true);
        assert_eq!((unwrapped.candidates.len(), unwrapped.left), expected);
    }
}

#[test]
fn what_the_part_at_hand_cuts_off_is_no_token_of_its_own() {
    let rule = Rule { random_bits: 100, ..rule("long", r"lng-[0-9a-z]{9,}", &["lng-"]) };
    let rules = RuleSet { rules: vec![Arc::new(rule)], ..RuleSet::default() };
    let detector = Detector::new(Arc::new(rules), 0).unwrap().with_depth(DEPTH);
    let token = format!("lng-{}", "a9k".repeat(20));
    for layer in [Layer::Hex, Layer::Base64, Layer::Utf16] {
        let encoded = encode(layer, token.as_bytes());
        for before in (RIGHT - encoded.len() - 8..RIGHT).step_by(3) {
            let text = [
                b"%61%62%63%64%65%66%67%68 ",
                "word ".repeat(before / 5).as_bytes(),
                &b" ".repeat(before % 5),
                &encoded,
                b" rest",
            ]
            .concat();
            let found = unwrapped(&detector, &text);
            let found: Vec<_> = found.iter().map(|one| (&*one.token, &one.wrapping.layers)).collect();
            assert_eq!(found, [(token.as_bytes(), &vec![layer])], "{before}");
        }
    }
}

/// Where the second way of writing is only seen once the first one is undone.
#[test]
fn what_only_the_part_before_it_leads_to_is_found() {
    let rule = Rule { random_bits: 100, ..rule("long", r"lng-[0-9a-z]{40}", &["lng-"]) };
    let rules = RuleSet { rules: vec![Arc::new(rule)], ..RuleSet::default() };
    let detector = Detector::new(Arc::new(rules), 0).unwrap().with_depth(DEPTH);
    let token = format!("lng-{}", "a9k7".repeat(10));
    // No run is long enough for a search of its own.
    let html = |(at, byte)| if at % 8 == 7 { format!("&#{byte};") } else { char::from(byte).to_string() };
    let html: String = token.bytes().enumerate().map(html).collect();
    let escaped = |way: &dyn Fn(u8) -> String| (b'a'..=b'z').map(way).collect::<String>();
    for (layer, before) in [
        (Layer::Percent, escaped(&|byte| format!("%{byte:02x}"))),
        (Layer::Escape, escaped(&|byte| format!("\\x{byte:02x}"))),
    ] {
        let text = format!("{before}&#65;b\ntoken: {html}\n");
        let found = unwrapped(&detector, text.as_bytes());
        let found: Vec<_> = found.iter().map(|one| (&*one.token, &one.wrapping.layers)).collect();
        assert_eq!(found, [(token.as_bytes(), &vec![layer, Layer::Html])]);
    }
}

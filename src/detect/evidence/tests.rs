use proptest::prelude::*;

use super::*;
use crate::builtin::with_examples;
use crate::detect::{Detector, Where};
use crate::rule::RuleSet;

mod forms;
mod languages;
mod others;
mod syntax;

/// Everything that the generic rules find, with its points.
fn found(text: &str) -> Vec<(String, Confidence, Judgement)> {
    thread_local!(static DETECTOR: Detector = detector());
    DETECTOR.with(|detector| {
        let bytes = text.as_bytes();
        let mut all = detector.candidates(&mut detector.scratch(), bytes, &(0..bytes.len()), Where::Nowhere);
        all.sort_by_key(|one| one.span.start);
        all.into_iter()
            .map(|one| (String::from_utf8_lossy(&one.token).into_owned(), one.confidence, one.judgement.unwrap()))
            .collect()
    })
}

fn detector() -> Detector {
    let rules = with_examples().rules.into_iter().filter(|rule| rule.provider == "generic").collect();
    Detector::new(RuleSet { rules, ..RuleSet::default() }.into(), 0).unwrap()
}

fn leaks(text: &str) -> bool {
    found(text).iter().any(|(_, confidence, _)| *confidence >= Confidence::Medium)
}

/// A password as people choose them, made here so that none is stored.
fn chosen(seed: usize) -> String {
    let words = ["Winter", "Harbor", "Monday", "rocket", "Velvet"];
    format!("{}{}{}", words[seed % words.len()], 1970 + seed * 7, ["!", "#", "?"][seed % 3])
}

/// What looks like the texts above and may well be a password.
#[test]
fn what_a_tag_or_a_date_does_not_hide() {
    for (seed, form) in (0..).zip([
        "<p>Password: §<br>\n",
        "password = \"§<b>2\"", // stanch:allow generic-quoted a form
        "password = \"2027-01-20§\"",
        "password = \"2027-01-20T10:00:00§\"", // stanch:allow generic-quoted a form
        "password = \"dbpass§\"",
    ]) {
        let text = form.replace('§', &chosen(seed));
        assert!(leaks(&text), "{text}: {:?}", found(&text));
    }
}

/// Bare values are suspicious in source code, but not in a string of it.
#[test]
fn a_string_in_source_code_is_no_code() {
    let points = |text: &str| {
        let (_, _, mut judgement) = found(text).remove(0);
        judgement.at(&[Some(b"src/db.go")]);
        judgement.evidence.iter().map(|one| one.name).collect::<Vec<_>>()
    };
    let secret = chosen(3);
    for open in ["x = \"host=a ", "x = `host=a ", "f('host=a ", "x = ['host=a "] {
        let signs = points(&format!("{open}password={secret} "));
        assert!(!signs.contains(&"source-code") && signs.contains(&"setting"), "{open}: {signs:?}");
    }
    for open in ["x = b'a' ", "don't ", "x = \"a\" "] {
        let signs = points(&format!("{open}password={secret} "));
        assert!(signs.contains(&"source-code"), "{open}: {signs:?}");
    }
}

/// What stands where only a password can stand may be short.
#[test]
fn short_values_need_more_than_a_name() {
    let signs =
        |text: &str| found(text).iter().flat_map(|(_, _, one)| &one.evidence).map(|one| one.name).collect::<Vec<_>>();
    assert!(signs("password = \"q7z!\"").contains(&"brief"));
    assert!(!signs("amqp://app:q7z!x@mq.corp.io/").contains(&"brief"));
    assert!(!leaks("password = \"qzxv\"") && leaks("password = \"qzxvwkjp\""));
}

#[test]
fn letters_tell_words_of_any_language_from_none() {
    let has =
        |text: &str, sign: &str| found(text).iter().any(|(_, _, one)| one.evidence.iter().any(|one| one.name == sign));
    assert!(has("password = \"hunterish\"", "word-like"));
    assert!(
        has("password = \"xqzkvbjw\"", "unpronounceable") && has("password = \"xqzkvb_wkjpqd_zr\"", "unpronounceable")
    );
    assert!(!has("password = \"pw_gecos\"", "unpronounceable"), "so few letters between joints tell nothing");
}

#[test]
fn what_is_irregular_for_another_reason_is_no_secret() {
    for value in [
        "a1b2/v4/4f/26/50/9f8e7d6c/pr_source.png",
        "urn:ietf:params:oauth:token-type:access_token",
        "PBKDF2WithHmacSHA512",
        "ecdsa-sha2-nistp256",
        "tls-mtls-split-crl",
        "client-1",
        "{\\\"apiVersion\\\": \\\"v1\\\"}",
        "^(?=.*[A-Z])[A-Za-z0-9]{8,32}$",
        "$telegram-token",
        "@VMWARE_PASSWORD",
        "#ddd0c0",
        "android.os.BinderProxy@2bd79ce",
        "[C@1b6d3586",
        "https://localhost:8080/argo-cd/x1",
    ] {
        assert!(!leaks(&format!("secret = \"{value}\"")), "{value}");
    }
    // Neither does a password have to be one, nor is a class all that may stand before a number.
    assert!(leaks("password = \"Session@202611\"") && leaks("password = \"client-1x7\""));
    // Base64 of a text is judged by that.
    let encoded = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    assert!(!leaks(&format!("password: {}\n", encoded("changeme"))));
    assert!(!leaks(&format!("password: {}\n", encoded("<your-token-here>"))));
    assert!(leaks(&format!("password: {}\n", encoded(&chosen(3)))));
}

#[test]
fn what_a_build_or_a_linter_reads_is_no_secret() {
    for text in [
        "runtimeOnly 'io.jsonwebtoken:jjwt-impl:0.11.2',",
        "compile \"com.corp.token:token-core:2.10.1:sources\"",
        "const oneTimePasswordMessage = \"Unable to set up one-time passwords.\" //nolint:gosec",
        "jwt-secret = \"@/dev/stdin\"",
        &format!("root_password_sha2 = {}\n", "8c6976e5b5410415bde908bd4dee15df".repeat(2)),
    ] {
        assert!(!leaks(text), "{text}");
    }
    // Nor is all that has colons an artifact, or all of a digest's length a digest.
    let hex: String = "4810aa0dc6".chars().rev().chain("7b59e2f3d1c06a85e4097c".chars()).collect();
    for value in [format!("app:{}:0k1z", chosen(2)), hex] {
        assert!(leaks(&format!("secret = \"{value}\"")), "{value}");
    }
}

#[test]
fn what_is_made_of_a_common_word_weighs_less_in_whatever_letters() {
    let points = |value: &str| found(&format!("password = \"{value}\"")).remove(0).2.points();
    let least = points("hrb0ur71!");
    for value in ["p4$$w0rd", "s3cr3t!!", "foobar123", "$3cr3t77"] {
        assert!(points(value) < least, "{value}");
    }
}

#[test]
fn a_uuid_is_a_secret_where_the_name_says_so() {
    let leaks = |name: &str| {
        let (_, _, mut judgement) = found(&format!("{name}: 'FC403974-643F-7D4B-BC18-EE18E427C07A'\n")).remove(0);
        judgement.at(&[Some(b"tests/a.py")]);
        judgement.points() >= THRESHOLD
    };
    assert!(leaks("client_secret") && leaks("accessToken") && leaks("MY_API_KEY") && leaks("identityToken"));
    assert!(!leaks("token") && !leaks("next_item_token"));
}

#[test]
fn keys_are_found_in_what_converts_them_and_in_settings() {
    let hex: String =
        (0..64u64).map(|at| char::from(b"0123456789abcdef"[(at * at * 7 + at * 3) as usize % 16])).collect();
    let hex = hex.replace("00", "7c").replace("44", "9e");
    let key = data_encoding::BASE64
        .encode(&(1..17u64).map(|at| ((at * 7).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect::<Vec<_>>());
    for text in [
        format!("manager.setCipherKey(Base64.decode(\"{}\"));", key),
        format!("byte[] key = Base64.getDecoder().decode(\"{}\");", key),
        format!("kubeadm_certificate_key: {hex}\n"),
        format!("db: {{user: app, password: {}}}\n", chosen(3)),
        format!("password             = \"{}\"", chosen(1)),
        format!("password:            {}\n", chosen(2)),
        format!("jwtSecret = Base64.getDecoder().decode(\"{}\")", key),
    ] {
        assert!(leaks(&text), "{text}");
    }
    assert!(!leaks(&format!("public_key: {hex}\n")) && !leaks(&format!("map.getByKey(\"{}\")", key)));
    assert!(!leaks("parsed['PasswordData'] = value.decode('utf-8')"));
}

#[test]
fn code_and_parameters_in_headers_are_no_tokens() {
    for text in [
        "strings.HasPrefix(r.Header.Get(\"Authorization\"), signV4Algorithm)",
        "header(WWW_AUTHENTICATE, \"Bearer resource_metadata=\\\"http://localhost/x\\\"\")",
        "Authorization: AWS4-HMAC-SHA256 Credential=x",
        "@Authorities({\"FACTOR_BEARER\", \"FACTOR_X509\"})",
    ] {
        assert!(!leaks(text), "{text}");
    }
    assert!(leaks("req.setHeader(\"Authorization\", \"Bearer q7Zk2Vx9Lw4Tn8Rb5Yc6\")"));
    assert!(leaks("headers[\"Authorization\"] = \"Bearer qVZkaVxwLwQTnWRbKYcM\""));
    assert!(!leaks("secret = \"Symfony\\Component\\Security\\RememberMeToken\"") && !leaks("PWD: '/Users/maciej2'"));
}

#[test]
fn names_say_what_is_public() {
    let random = "q7Zk2Vx9Lw4Tn8Rb";
    for name in ["changeToken", "page_token", "startingToken", "S3Key", "repositoryIdentifierKey", "Sec-WebSocket-Key"]
    {
        assert!(!leaks(&format!("\"{name}\": \"{random}\"")), "{name}");
    }
    assert!(leaks(&format!("\"apiToken\": \"{random}\"")));
    // Whoever makes the tool has his name in it.
    for name in ["LABEL_STUDIO_API_KEY", "CURSOR_API_KEY", "CURSOR_TOKEN", "SHORTCUT_SECRET_KEY", "cursorApiToken"] {
        assert!(leaks(&format!("{name}={random}\n")), "{name}");
    }
    for name in ["cursorToken", "NEXT_CURSOR_KEY", "shortcutKey", "labelKey", "cursor_token"] {
        assert!(!leaks(&format!("{name}={random}\n")), "{name}");
    }
    // A test has passed; a password has not.
    assert!(!leaks("--- PASS: TestFoo2 (0.00s)\n") && leaks(&format!("PASS={}\n", chosen(2))));
    // What a tag is for is not what stands in it.
    assert!(!leaks("<label for=\"password\">Heslo1:</label>"));
    assert!(leaks(&format!("<property name=\"password\">{}</property>", chosen(4))));
    // An option and its value in a list are an option and its value.
    assert!(leaks(&format!("[\"--password\", \"{}\"]", chosen(5))));
}

/// What stands between two strings, a place for a value as HTML writes it, and AWS's examples with other ends.
#[test]
fn places_and_examples_are_no_secrets() {
    for text in [
        "{passwordLabel:\"Password:\",rememberMeLabel:\"Remember me\"}",
        "password=\"&lt;YOURPASSWROD&gt;\"",
        "secret_key = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYESAFAKEKEY\"",
    ] {
        assert!(!leaks(text), "{text}");
    }
}

#[test]
fn many_secrets_behind_the_same_name_are_secrets() {
    let one = |seed: u64| {
        let text: String = (0..20).map(|at| char::from(b'a' + ((seed * 31 + at * 7 + at * at) % 26) as u8)).collect();
        format!("[p{seed}]\npassword = {}Q{seed}x\n", text)
    };
    let many: String = (0..30).map(one).collect();
    assert!(found(&many).iter().filter(|(_, confidence, _)| *confidence >= Confidence::Medium).count() >= 29);
}

/// What looks like a name is one in source code, and a password where nothing has a name.
#[test]
fn a_name_in_a_settings_file_is_a_password() {
    let (_, confidence, mut judgement) = found("DB_PASSWORD=homestead_99\n").remove(0);
    assert!(confidence >= Confidence::Medium);
    judgement.at(&[Some(b"config/.env")]);
    assert!(judgement.points() >= THRESHOLD);
    judgement.at(&[Some(b"src/db.py")]);
    assert!(judgement.points() < THRESHOLD);
    assert!(!leaks("password = settings.password2\n") && !leaks("DB_PASSWORD=DB_PASSWORD_2\n"));
}

#[test]
fn counting_stays_counting_in_base64() {
    let encoded = |text: &[u8]| data_encoding::BASE64.encode(text);
    let random: Vec<u8> = (0..12u64).map(|at| ((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    for (before, text, counts) in [
        ("", &b"0123456789012345"[..], true),
        ("BBDC-", b"ABCDEFGHIJKLMNOP", true),
        ("", &random, false),
        ("BBDC-", &random, false),
    ] {
        let line = format!("TOKEN={before}{}\n", encoded(text));
        assert_eq!(leaks(&line), !counts, "{line}");
    }
}

#[test]
fn a_list_of_hashes_is_no_list_of_secrets() {
    let hash = |seed: u64| {
        (0..4)
            .map(|part| format!("{:016x}", (seed * 4 + part + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect::<String>()
    };
    let line = |seed: u64| format!("  \"secret\": \"{}\",\n", hash(seed));
    assert!(leaks(&line(1)));
    let many: String = (0..40).map(line).collect();
    assert!(!leaks(&many));
}

#[test]
fn paths_count_only_if_all_agree() {
    let (_, _, judgement) = found(&format!("password = \"{}\"", chosen(1))).remove(0);
    let points = |paths: &[Option<&[u8]>]| {
        let mut judgement = judgement.clone();
        judgement.at(paths);
        judgement.points()
    };
    let (lock, source) = (Some(&b"yarn.lock"[..]), Some(&b"src/db.rs"[..]));
    assert!(points(&[lock]) < THRESHOLD && points(&[source]) >= THRESHOLD);
    assert_eq!(points(&[lock, source]), points(&[source]));
    assert_eq!(points(&[lock, None]), points(&[None]));
    assert_eq!(points(&[]), judgement.points());
}

#[test]
fn every_sign_has_one_name() {
    let mut names: Vec<_> = sign::ALL.iter().map(|sign| sign.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), sign::ALL.len());
}

#[test]
fn a_proof_is_never_outweighed() {
    let rules = with_examples();
    let detector = Detector::new(rules.clone().into(), 0).unwrap();
    for rule in rules.rules.iter().filter(|rule| rule.proof.is_some()) {
        let token = crate::detect::mint::mint(rule, 7).unwrap();
        let leak = rule.leaks[0].replace("<mint>", &token);
        // Everything that speaks against it.
        let text = format!("// example dummy placeholder sha256 {leak}\n");
        let all = detector.candidates(&mut detector.scratch(), text.as_bytes(), &(0..text.len()), Where::Nowhere);
        for one in all.iter().filter(|one| matches!(one.proof, crate::finding::Proof::Holds(_))) {
            assert!(one.confidence == Confidence::High && one.judgement.is_none(), "{}", one.rule.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_evidence_shows_the_secret(value in "[!-~]{6,40}", form in 0usize..4) {
        let form = ["password = \"§\"", "token: '§'", "SECRET=§\n", "--password §\n"][form];
        for (token, _, judgement) in found(&form.replace('§', &value)) {
            for piece in judgement.evidence {
                prop_assert!(!piece.detail.contains(&token), "{}", piece.name);
            }
        }
    }

    #[test]
    fn a_stronger_name_is_never_worth_less(value in "[A-Za-z0-9!#]{8,30}") {
        let points = |name: &str| {
            let all = found(&format!("{name} = \"{value}\""));
            all.iter().map(|(_, _, judgement)| judgement.points()).max().unwrap()
        };
        prop_assert!(points("db_password") >= points("db_token"));
        prop_assert!(points("db_token") >= points("db_token_id"));
    }

    #[test]
    fn what_stands_behind_only_takes_away(
        value in "[A-Za-z0-9]{8,40}",
        behind in "[ -~\n]{0,400}",
        word in prop::sample::select(vec!["", "example", ";base64,", "dummy fake"]),
    ) {
        let text = format!("password = \"{value}\" {word} {behind}");
        let bytes = text.as_bytes();
        let detector = detector();
        let all = |place| {
            let mut all = detector.candidates(&mut detector.scratch(), bytes, &(0..bytes.len()), place);
            all.sort_by_key(|one| (one.span.start, one.span.end, one.rule.id.clone()));
            all.into_iter().map(|one| one.judgement.unwrap().points()).collect::<Vec<_>>()
        };
        for (known, unknown) in all(Where::Nowhere).into_iter().zip(all(Where::Passing)) {
            prop_assert!(known <= unknown);
        }
    }

    #[test]
    fn what_is_far_away_does_not_matter(value in "[A-Za-z0-9]{8,40}", near in "[ -~]{0,60}\n", far in "[ -~]{0,300}\n") {
        let padding = "\n".repeat(context::AROUND);
        let text = |far: &str| format!("{far}{padding}{near}password = \"{value}\"\n{near}{padding}{far}");
        let own = |text: &str| {
            let all = found(text);
            all.into_iter().find(|(token, ..)| *token == value).map(|(_, _, judgement)| judgement.points())
        };
        prop_assert_eq!(own(&text(&far)), own(&text("")));
    }
}

//! What a tester who had not seen a rule wrote, by its form, and what other trees have that looks like it.

use super::{Confidence, chosen, found, leaks};

/// Values that nobody could tell from a machine's, made here so that none is stored.
pub(super) fn drawn(seed: u64) -> String {
    let digit = |at: u64| (seed * 31 + at * 7 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789Zz";
    (0..24).map(|at| char::from(DIGITS[digit(at) as usize])).collect()
}

#[test]
fn names_and_values_are_found_however_they_are_set_off() {
    let forms = [
        "API key: ¤\n",
        "The api key is ¤\n",
        "API key: `¤`\n",
        "API key: <code>¤</code>\n",
        "**Password:** `§`\n",
        "- **Client Secret**: `¤`\n",
        "<strong>Password:</strong> §\n",
        "'''Password:''' §\n",
        "Your password is §\n",
        "Das Passwort lautet: §\n",
        "The root password is `§`.\n",
        "Kennwort: §\n",
        "Mot de passe : §\n",
        "senha = '§'\n",
        "let c = C { password: String::from(\"§\") };",
        "std::string password = std::string(\"§\");",
        "$password = getenv('PW') ?: '§';",
        "const password = process.env.PW || '§';",
        "password = os.getenv('PW') or '§'",
        "{:password \"§\"}",
        "(def api-key \"¤\")",
        "(setq smtp-password \"§\")",
        "  @api_key \"¤\"\n",
        "DB_PASSWORD ?= §\n",
        "API_KEY := ¤\n",
        "ALTER USER app IDENTIFIED BY §;",
        "INSERT INTO users (id, login, password) VALUES (1, 'bob', '§');",
        "DbPassword:\n  Type: String\n  NoEcho: true\n  Default: §\n",
        "- name: password\n  default: §\n",
        "{\"Name\":\"DB_PASSWORD\",\"Type\":\"SecureString\",\"Value\":\"§\"}",
        "args:\n- --api-key\n- ¤\n",
        "<Pass>§</Pass>",
        "dbpw = '§'",
        "creds = '§'",
        "[password] => §\n",
        "password: \u{1b}[32m§\u{1b}[0m\n",
        "DB_PASSWORD=§\0API_KEY=¤\0",
        "buildConfigField \"String\", \"API_KEY\", \"\\\"¤\\\"\"",
        "d-i passwd/root-password password §\n",
        "rootpw --plaintext §\n",
        "zip -r -P § a.zip dir\n",
        "aws ssm put-parameter --name x --type SecureString --value \"§\"\n",
        "A temporary password is generated for root@localhost: §\n",
    ];
    for (seed, form) in (0..).zip(forms) {
        let text = form.replace('§', &chosen(seed).replace('#', "%")).replace('¤', &drawn(seed as u64));
        assert!(leaks(&text), "{text:?}: {:?}", found(&text));
    }
}

#[test]
fn a_value_ends_before_a_zero_byte() {
    let (one, other) = (chosen(1).replace('#', "%"), drawn(4));
    let text = format!("DB_PASSWORD={one}\0API_KEY={other}\0");
    let values: Vec<_> = found(&text).into_iter().map(|(value, ..)| value).collect();
    assert_eq!(values, [one, other]);
}

#[test]
fn what_says_that_it_is_none_is_none() {
    let base64 =
        data_encoding::BASE64.encode(&[0x9E, 0x37, 0x79, 0xB9, 0x7F, 0x4A, 0x7C, 0x15, 1, 2, 3, 0x55, 6, 7, 8, 9]);
    for text in [
        "{ \"Password\", \"\\u041f\\u0430\\u0440\\u043e\\u043b\\u0430\" },".to_owned(),
        "{ \"Password\", \"&Contrase\\u00f1a\" },".to_owned(),
        "$labels['changepasswd'] = 'Aldatu pasahitza';".to_owned(),
        "\"secret\": \"jack-hs256-secret-that-is-very-long\"".to_owned(),
        format!("<password>{{{base64}}}</password>"),
        format!("string PrivateKey = \"2.{base64}|{base64}|{base64}\";"),
        format!("\"sealedKey\": \"{base64}\""),
        format!("PUBLICKEY = \"{base64}\""),
        format!("\"password_hash\": \"{base64}\""),
        format!("auth_key: \"U{}\"", "BO2MQV67TQTVIRV3XFTEZOACM4WLOCMCDMAWN5QVN5PI2N6JHTVDRON"), // stanch:allow generic-key a user of NATS
        "val encryptKey = \"00112233445566778899aabbccddeeff\"".to_owned(),
        "'Password','VARCHAR(96)'".to_owned(),
        "overlay=eof_action=pass:repeatlast=0".to_owned(),
        "fmt.Printf(\"PASS: Stddev4 is\")".to_owned(),
        "ports with a password are identified by \"GPIO_4x\"".to_owned(),
        "{\\\"password\\\":\\\"$$KIBANA_PASSWORD\\\"}".to_owned(),
        "encryption_key: $kms_keys:billing-0/ew1/storage\n".to_owned(),
        "accessToken: \"a\\(refreshCount)\"".to_owned(),
        format!(".token = \"{}..\"", data_encoding::BASE64URL_NOPAD.encode(b"{\"alg\":\"HS256\",\"typ\":\"JWT\"}")),
        "emoji[secret]=$'\\U3299\\UFE0F'".to_owned(),
        "\"x-api-key\": \"'\"$SERVICE_API_KEY\"'\"".to_owned(),
        "the token is 32-bytes long, the secret is base64-encoded\n".to_owned(),
    ] {
        assert!(!leaks(&text), "{text}: {:?}", found(&text));
    }
    // What is written in escapes throughout may be one, so may what goes on behind words.
    assert!(leaks("password = \"\\x34\\x6e\\x63\\x68\\x30\\x72\\x21\\x35\\x30\\x36\"")); // stanch:allow generic-quoted a form
    assert!(leaks(&format!("password_hash_key = \"{}\"", drawn(3))));
}

#[test]
fn what_was_drawn_is_no_translation() {
    let medium = |text: String, path: &[u8]| {
        let (_, _, mut judgement) = found(&text).remove(0);
        judgement.at(&[Some(path)]);
        judgement.confidence(Confidence::High) >= Confidence::Medium
    };
    assert!(medium(format!("  api_key: {}\n", drawn(2)), b"config/locales/en.yml"));
    assert!(!medium(format!("  password: {}\n", chosen(2)), b"config/locales/en.yml"));
    assert!(medium(format!("<string name=\"db_password\">{}</string>", chosen(1)), b"app/res/values/strings.xml"));
    assert!(!medium(format!("<string name=\"db_password\">{}</string>", chosen(1)), b"app/res/values-de/strings.xml"));
}

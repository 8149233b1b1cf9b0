//! What a scan of forty trees by other people took for secrets, by its kind, and what it must not be confused with.

use super::{chosen, found, leaks};

const HEX: &str = "3f892bd8b84dae64a782a35f6eaa8f00c1d27e94";

#[test]
fn words_with_joints_are_no_secret() {
    for text in [
        "\"token\": \"azure-native:web:WebApp\"",
        "var passwordKey = \"Database:SelfHostPassword\";",
        "Token: string|null\n",
        "PRIVATE_KEY = \"application/cose-c509-privkey+cbor\";",
        "String PrivateKeyRegeneration = \"pm-12241-private-key-regeneration\";",
        "Password: \"60 secs\"",
        "TOKEN_REFRESH_WINDOW = \"2592000s\"",
    ] {
        assert!(!leaks(text), "{text}");
    }
    assert!(leaks(&format!("DB_PASSWORD=kx,9{}\n", chosen(1))));
    assert!(leaks(&format!("password: \"{}{}.\"\n", "Sunshine", "Horse12")));
}

#[test]
fn what_a_call_reads_is_a_name() {
    for (call, name) in
        [("c.GetSecretBool", "plainbool10"), ("db.getPassword", "tomcat9x"), ("generateSecret", "AES[256]")]
    {
        assert!(!leaks(&format!("{call}(\"{name}\")")), "{call}");
        assert!(!leaks(&format!("\"{call}(\\\"{name}\\\")\"")), "{call}");
    }
    assert!(!leaks("if prefix == \"secret-key-\" { \"ML-KEM-768+X25519\" } else { \"other\" }"));
    assert!(!leaks("[\"jwt::decode(\", \"aes.encrypt(\", \"cookieparser(\"]"));
    for call in ["user.setPassword", "withPassword", "changePassword"] {
        assert!(leaks(&format!("{call}(\"{}\")", chosen(1))), "{call}");
    }
    assert!(leaks(&format!("requests.get(url, auth=(\"app\", \"{}\"))", chosen(2))));
}

#[test]
fn what_is_public_or_encrypted_says_so() {
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIABUOP592JUbSLVfWz3W5VQ90gk0hmnPz9pGwVp2LfcX";
    for text in [
        format!("\"key\": \"{key}\""),
        format!("GPG_KEY={}\n", HEX.to_ascii_uppercase()),
        format!("password: encrypted-{HEX}\n"),
        format!("EncryptedPrivateKey = \"{HEX}\""),
        format!("byte[] seed = Hex.decode(\"{HEX}\");"),
        "X-Amz-Credential=USWUXHGYZQYFYFFIT3RE%2F20170529%2Fus-east-1%2Fs3%2Faws4_request\n".to_owned(),
    ] {
        assert!(!leaks(&text), "{text}");
    }
    assert!(leaks(&format!("SECRET_KEY={HEX}\n")) && leaks(&format!("signing_key_seed = \"{HEX}\"")));
}

#[test]
fn code_directives_and_places_for_values_are_no_secrets() {
    for text in [
        "link.split('token=')[1].split('&')[0]",
        "root_password = \"rand-pwd-%s\"",
        "secret_access_key: \"SECRET[backend_1.aws_secret_access_key]\"",
        "<token>#git.commit.id.abbrev#</token>",
        "proxy_pass nifi0:8081;",
        "telegraf ALL=(root) NOPASSWD: IPMITOOL9",
        "<settings pass=\"oobeSystem\">",
        "LoadCredential=token:/etc/creds/token\n",
        "docker login --password-stdin ghcr.corp.io",
        "\"accounts-password\",\n \"accounts-2fa\": {",
    ] {
        assert!(!leaks(text), "{text}");
    }
}

#[test]
fn a_value_goes_on_to_the_end_of_its_line() {
    let (one, two) = (chosen(1), "Lagos7");
    for (text, value) in [
        (format!("A_PASSWORD={one}&{two}\n"), format!("{one}&{two}")),
        (format!("B_PASSWORD={one};{two}\n"), format!("{one};{two}")),
        (format!("Environment=\"DB_PASSWORD={one}&{two}\"\n"), format!("{one}&{two}")),
        (format!("GET /x?private_token={one}{two}&ref=main\n"), format!("{one}{two}")),
        (format!("Server=a;Password={one}.;\n"), format!("{one}.")),
        (format!("server.ssl.key-store-password={one}\n"), one.clone()),
    ] {
        let all = found(&text);
        assert!(leaks(&text), "{text}");
        assert!(all.iter().all(|(token, ..)| *token == value), "{text}: {all:?}");
    }
}

#[test]
fn properties_and_initialisers_give_values() {
    for text in [
        "public string ApiKey { get; set; } = \"§\";",
        "Map(\"password\" -> \"§\")",
        "CREATE LOGIN app WITH PASSWORD = N'§'",
        "std::string token{\"§\"};",
        "password = \"\"\"§\"\"\"",
        "ssl.key.password=§.\n",
    ] {
        let text = text.replace('§', &chosen(3));
        assert!(leaks(&text), "{text}");
    }
}

/// What stands for something else: null, a mounted directory, a path in a query, a comment of PostScript, digits of ASCII85.
#[test]
fn what_only_stands_where_secrets_do_is_none() {
    let base85 = "A1mY@nrH'5%0;,aUtGd-4o9UO+eA92G9Y`rpjeiV<__PW=9Ko2(b#mX4q$,Dj4]Ue'G&1f"; // stanch:allow generic-short-name digits
    for text in [
        "char const* password = nullptr;\n",
        "f(char const* password = nullptr, int a)\n",
        "docker run -v $PWD:/srv:z image\n",
        "local vol=\"$PWD:/srv/data:ro\"\n",
        "go(\"/viewer.html?token=%2Ffoo\");\n",
        "go(\"/viewer.html?token=%2Fen%2Fhome.html\");\n",
        "$endToken = '%EndPhotoshop';\n",
        base85,
    ] {
        assert!(!leaks(text), "{text}: {:?}", found(text));
    }
    for form in [
        "char const* password = \"§\";\n",
        "docker run -e PASSWORD=§ image\n",
        "go(\"/v.html?password=§\");\n",
        "$endToken = '%§';\n",
    ] {
        let text = form.replace('§', &chosen(3));
        assert!(leaks(&text), "{text}: {:?}", found(&text));
    }
}

//! Every rule of ours against its own examples, through the prefilter and the patterns.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use regex_syntax::ParserBuilder;
use stanch::builtin::with_examples;
use stanch::chunk::MARGIN;
use stanch::detect::allow::{Subject, allowed};
use stanch::detect::escape::unescape;
use stanch::detect::mint::Press;
use stanch::detect::{Candidate, Detector, Scratch, Where, settle};
use stanch::finding::Proof;
use stanch::rule::{Confidence, ProofKind, Rule, RuleSet};
use stanch::secret::Fingerprint;
use stanch::shape::{MAX_MATCH, shape};

/// Seeds each example is tried with.
const SEEDS: u64 = 6;

#[derive(Debug)]
struct Hit {
    rule: String,
    confidence: Confidence,
    secret: String,
}

/// Whether one of the lists of our own rules says that this is filler.
fn filler(detector: &Detector, candidate: &Candidate<'_>, text: &[u8]) -> bool {
    let matched = &text[candidate.matched.clone()];
    let subject = Subject {
        rule: candidate.rule,
        secret: &candidate.token,
        matched,
        lines: matched,
        path: None,
        fingerprints: &[Fingerprint::of_strong(&candidate.token)],
        line_number: 1,
        commit: None,
        proof_holds: matches!(candidate.proof, Proof::Holds(_)),
    };
    allowed(detector.rules(), &subject).is_some()
}

fn hits(detector: &Detector, scratch: &mut Scratch, text: &str) -> Vec<Hit> {
    let bytes = text.as_bytes();
    let candidates = detector.candidates(scratch, bytes, &(0..bytes.len()), Where::Nowhere);
    let stays = candidates.into_iter().filter(|candidate| !filler(detector, candidate, bytes));
    stays
        .map(|candidate| Hit {
            rule: candidate.rule.id.clone(),
            confidence: candidate.confidence,
            secret: String::from_utf8_lossy(&candidate.token).into_owned(),
        })
        .collect()
}

fn detector(rules: Vec<Arc<Rule>>) -> Detector {
    Detector::new(Arc::new(RuleSet { rules, ..RuleSet::default() }), 0).unwrap()
}

fn generic(rule: &Rule) -> bool {
    rule.tags.iter().any(|tag| tag == "generic")
}

/// What a leak is worth: a proof that can fail holds for what is minted.
fn due(rule: &Rule) -> Confidence {
    rule.best()
}

#[test]
fn every_rule_says_all_it_must() {
    for rule in &with_examples().rules {
        assert!(rule.id.starts_with(&format!("{}-", rule.provider)), "{}", rule.id);
        assert!(!rule.leaks.is_empty() && !rule.clean.is_empty(), "{} has examples of both kinds", rule.id);
        assert!(rule.leaks[0].contains("<mint>"), "{}: the first leak shows a minted token", rule.id);
        assert!(!rule.references.is_empty(), "{}", rule.id);
        assert!(rule.proof.is_some() || rule.entropy.is_some() || generic(rule), "{} tells filler apart", rule.id);
    }
}

/// What generic secrets are found by, without the names of keys.
const NAMES: &[&str] = &[
    "-pass",
    "-passw",
    "-pwd",
    "-secret",
    "-token",
    "@tcp(",
    "@unix(",
    "auth=(",
    "auth=[",
    "authorization",
    "basic_auth(",
    "basicauth(",
    "bearer ",
    "bearer'",
    "bearer\"",
    "bearer\t",
    "convertto-securestring",
    "credential",
    "curl ",
    "curl\t",
    "docker login",
    "env ",
    "env\t",
    "identified",
    "pass ",
    "pass'",
    "pass:",
    "pass=",
    "pass\"",
    "pass]",
    "pass_phrase",
    "passphrase",
    "passw",
    "podman login",
    "pswd",
    "pwd",
    "registry login",
    "secret",
    "sshpass",
    "token",
];

/// Forms and calls that take passwords and keys, and names in other languages.
const FORMS: &[&str] = &[
    ".br:",
    ".cn:",
    ".com:",
    ".de:",
    ".fr:",
    ".in:",
    ".io:",
    ".net:",
    ".org:",
    ".ru:",
    ".uk:",
    "access_token,",
    "aes.new(",
    "api_key,",
    "api_token,",
    "apikey,",
    "auth_token,",
    "b64encode(",
    "base64_encode(",
    "btoa(",
    "buffer.from(",
    "encode64(",
    "encodetostring(",
    "getbytes(",
    "key_base,",
    "passphrase,",
    "password,",
    "secret,",
    "secret_key,",
    "secret_token,",
    "set_password(",
    "user default on ",
    ",pass",
    ",pw",
    "-access-key",
    "-access_key",
    "-api-key",
    "-api_key",
    "-apikey",
    ".basic_auth ",
    ".login(",
    ".signwith(",
    ".simple_bind_s(",
    "7z ",
    "7za ",
    ";pass",
    ";pw",
    "[]byte(",
    "\tpw",
    "_key_",
    "_pass",
    "account key",
    "adgangskode",
    "app_key",
    "asło",
    "auth key",
    "authentication-key ",
    "bcp ",
    "beeline",
    "cache_peer ",
    "clave",
    "contrase",
    "contrasena",
    "create_superuser(",
    "createcipheriv(",
    "createdecipheriv(",
    "createhmac(",
    "createuser ",
    "creds",
    "curlopt_",
    "cypher-shell",
    "dbi->connect(",
    "encryption key",
    "fernet(",
    "ftp_login(",
    "ftplib.ftp(",
    "geheimnis",
    "getconnection(",
    "haslo",
    "hasło",
    "heslo",
    "hmac.new(",
    "http_basic_authenticate_with(",
    "ipmitool ",
    "isql ",
    "jelszó",
    "jwt.decode",
    "jwt.encode",
    "jwt.sign",
    "jwt.verify",
    "kata sandi",
    "kennwort",
    "key=",
    "keypassword ",
    "ldap_bind(",
    "lozinka",
    "lösenord",
    "master key",
    "mdp",
    "mosquitto_pub ",
    "mosquitto_sub ",
    "mot de passe",
    "mot_de_passe",
    "motdepasse",
    "mysql_connect(",
    "mysql_pconnect(",
    "mysql_real_connect(",
    "mysqldb.connect(",
    "mysqli_connect(",
    "mật khẩu",
    "net user ",
    "network key",
    "new mysqli(",
    "new pdo(",
    "new sequelize(",
    "nickserv",
    "npmauthident: ",
    "nuget add source",
    "nwk_key",
    "oc login",
    "ontraseña",
    "palavra-passe",
    "parola",
    "parolă",
    "pass phrase",
    "pass[",
    "pass\t",
    "pass_word",
    "passcode",
    "passord",
    "passwd",
    "passwd --stdin",
    "passwor",
    "password",
    "passwordauthentication(",
    "passwort",
    "pepper",
    "plainauth(",
    "plink ",
    "plink.exe ",
    "pre-shared-secret ",
    "private key",
    "proxy_set_header ",
    "pscp ",
    "pscp.exe ",
    "psexec",
    "psftp ",
    "psk",
    "pymysql.connect(",
    "rabbitmqadmin",
    "rar ",
    "register => ",
    "salasana",
    "salt",
    "secretkeyspec(",
    "senha",
    "set snmp community ",
    "shared key",
    "signing key",
    "snmp community",
    "snmp-server host ",
    "sp_addlogin ",
    "sqlconnectinfo ",
    "ssh2_auth_password(",
    "sshpass=",
    "storage key",
    "storepassword ",
    "strcmp(",
    "strcpy(",
    "strncmp(",
    "sudo -",
    "symmetricsecuritykey(",
    "twine upload",
    "wachtwoord",
    "wep_key",
    "wi-fi key",
    "wifi key",
    "wifi-schlüssel",
    "wifi.begin(",
    "wlan-schlüssel",
    "wpa key",
    "wpa-psk ascii ",
    "wpa-schlüssel",
    "wpa2 key",
    "wpa2-schlüssel",
    "zaporka",
    "zugangscode",
    "{passwd,",
    "{password,",
    "{secret,",
    "| pass",
    "| pw",
    "|pass",
    "|pw",
    "ösenord",
    "şifre",
    "ωδικός",
    "арола",
    "ароль",
    "סיסמה",
    "كلمة المرور",
    "パスワード",
    "口令",
    "密码",
    "密碼",
    "暗証番号",
    "비밀번호",
    "암호",
];

/// Short names, which stand right before a sign.
const SHORT: &[&str] = &["pw", "psw", "psk", "mdp"];

/// The programs, and options of programs, that take passwords.
const COMMANDS: &[&str] = &[
    "buildconfigfield",
    "<pass ",
    "<pass>",
    "ascii-text \"",
    "authtok ",
    "generated security password: ",
    "gh secret set ",
    "http ",
    "https ",
    "create table ",
    "insert into ",
    "mc alias set ",
    "neighbor ",
    "option key '",
    "password-again password ",
    "plain-text-password",
    "plaintext-password",
    "root-password password ",
    "securestring",
    "ssh-keygen ",
    "temporary password is generated for ",
    "user-password password ",
    "zip ",
    "-password-stdin",
    " password 0 ",
    " secret 0 ",
    "--passphrase",
    "-deststorepass",
    "-keypass",
    "-srcstorepass",
    "-storepass",
    ": eap \"",
    ": psk \"",
    ": xauth \"",
    "aes.decrypt(",
    "aes.encrypt(",
    "aes_decrypt(",
    "aes_encrypt(",
    "az login ",
    "bindpw ",
    "chpasswd",
    "cleartext-password",
    "cookieparser(",
    "cqlsh ",
    "cx_oracle.connect(",
    "decodingkey::from_secret(",
    "enable password ",
    "enable secret ",
    "encodingkey::from_secret(",
    "expdp ",
    "htpasswd",
    "impdp ",
    "insecure-password ",
    "isakmp key ",
    "jdbc:oracle:",
    "jwt::decode(",
    "jwt::encode(",
    "ldapadd ",
    "ldapdelete ",
    "ldapmodify ",
    "ldapsearch ",
    "ldapwhoami ",
    "lftp ",
    "mariadb ",
    "mariadb-admin ",
    "mariadb-dump ",
    "masterauth",
    "message-digest-key ",
    "messageencryptor.new(",
    "messageverifier.new(",
    "mongo ",
    "mongodump ",
    "mongoexport ",
    "mongoimport ",
    "mongorestore ",
    "mongosh ",
    "mysql ",
    "mysqladmin ",
    "mysqldump ",
    "mysqlimport ",
    "net use ",
    "newcookiestore(",
    "openssl enc ",
    "oracledb.connect(",
    "pgp_sym_decrypt(",
    "pgp_sym_encrypt(",
    "rabbitmqctl ",
    "radius-server ",
    "redis-cli ",
    "requirepass",
    "rocommunity",
    "rootpw ",
    "rpcclient ",
    "rwcommunity",
    "sentinel auth-pass ",
    "smbclient ",
    "smbget ",
    "snmp-server community ",
    "sqlcmd ",
    "sqlldr ",
    "sqlplus ",
    "stats auth ",
    "tacacs-server ",
    "unzip ",
    "valkey-cli ",
    "wlfreerdp ",
    "xfreerdp ",
];

/// A rule that cannot be found from an anchor, or only by searching every byte for it, costs every scan.
#[test]
fn every_pattern_can_be_found_from_a_run() {
    let (mut everywhere, mut generic) = (BTreeSet::new(), BTreeSet::new());
    for rule in &with_examples().rules {
        let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(&rule.regex).unwrap();
        let longest = hir.properties().maximum_len();
        // What is longer than `MAX_MATCH` is not found; what a pattern could match beyond is cut. One that goes on for as
        // long as it can (bodies of keys: counting them to thousands takes megabytes) ends with the window around its anchor.
        assert!(longest.is_none_or(|longest| longest < MARGIN / 3), "{}: {longest:?}", rule.id);
        let shape = shape(&hir, &rule.keywords).unwrap_or_else(|| panic!("{}: no anchor in every match", rule.id));
        assert!(shape.before < MAX_MATCH && shape.after <= MAX_MATCH, "{}: {shape:?}", rule.id);
        if shape.run.is_none() {
            let keywords = if rule.provider == "generic" { &mut generic } else { &mut everywhere };
            keywords.extend(rule.keywords.iter().cloned());
        }
    }
    // All are looked for in one pass, whose cost grows with how often one of them stands there: hosts of which hardly anybody speaks
    // cost next to nothing. What the generic rules look for is found anyway.
    everywhere.retain(|keyword| !generic.contains(keyword));
    assert!(everywhere.len() <= 121, "{} of {everywhere:?}", everywhere.len());
    assert!(everywhere.iter().all(|keyword| keyword.len() >= 3), "{everywhere:?}");
    // Passwords are short, and have no run: what they are found by is looked for everywhere, and is no more than this.
    let keys = ["access", "account", "api", "auth", "encryption", "master", "private", "shared", "signing"];
    let keys = keys.iter().flat_map(|word| ["", "_", "-"].map(|joint| format!("{word}{joint}key")));
    let dotted = ["access", "account", "api", "auth", "encryption", "master", "private", "shared", "signing"];
    let dotted =
        dotted.map(|word| format!("{word}.key")).into_iter().chain(["access key", "api key"].map(str::to_owned));
    let short = SHORT.iter().flat_map(|name| ["=", ":", "\"", "'", "]", " "].map(|end| format!("{name}{end}")));
    let short = short.chain(["_pw=", "_psk="].map(str::to_owned));
    let marks = ["://", ":\\/\\/"].map(str::to_owned);
    let mut names: Vec<_> = NAMES.iter().chain(COMMANDS).chain(FORMS).map(|name| (*name).to_owned()).collect();
    names.extend(keys.chain(dotted).chain(short).chain(marks));
    names.sort_unstable();
    assert_eq!(generic.into_iter().collect::<Vec<_>>(), names);
}

#[test]
fn every_leak_is_found_whole_and_once() {
    for rule in with_examples().rules {
        let detector = detector(vec![rule.clone()]);
        let scratch = &mut detector.scratch();
        let press = Press::new(&rule).unwrap();
        for (number, example) in (0..).zip(&rule.leaks) {
            for seed in (0..SEEDS).map(|seed| number * SEEDS + seed) {
                let text = press.expand(example, seed).unwrap_or_else(|| panic!("{}: {example} expands", rule.id));
                let found = hits(&detector, scratch, &text);
                let sure = found.iter().filter(|hit| hit.confidence >= due(&rule)).count();
                let wanted = example.matches("<mint").count().max(1);
                assert_eq!(sure, wanted, "{}: {example:?}: {found:?} in {text:?}", rule.id);
            }
        }
    }
}

#[test]
fn no_clean_text_is_reported() {
    for rule in with_examples().rules {
        let detector = detector(vec![rule.clone()]);
        let scratch = &mut detector.scratch();
        // A proof that fails makes a look-alike, which is low.
        let press = Press::new(&rule).unwrap();
        let most = if rule.proof.is_some() { Confidence::Medium } else { rule.confidence.min(Confidence::Medium) };
        for (number, example) in (0..).zip(&rule.clean) {
            for seed in (0..SEEDS).map(|seed| number * SEEDS + seed) {
                let text = press.expand(example, seed).unwrap_or_else(|| panic!("{}: {example} expands", rule.id));
                let found = hits(&detector, scratch, &text);
                assert!(
                    found.iter().all(|hit| hit.confidence < most),
                    "{}: {example:?}: {found:?} in {text:?}",
                    rule.id
                );
            }
        }
    }
}

#[test]
fn a_minted_token_is_the_secret_in_its_first_leak() {
    for rule in with_examples().rules {
        let detector = detector(vec![rule.clone()]);
        let scratch = &mut detector.scratch();
        let press = Press::new(&rule).unwrap();
        for seed in 0..60 {
            let token = press.token(seed).unwrap_or_else(|| panic!("{} mints {seed}", rule.id));
            let text = rule.leaks[0].replace("<mint>", &token);
            let found = hits(&detector, scratch, &text);
            let plain = String::from_utf8(unescape(token.as_bytes()).into_owned()).unwrap();
            let whole = found.iter().any(|hit| hit.secret == plain && hit.confidence >= due(&rule));
            assert!(whole, "{}: {found:?} in {text:?}", rule.id);
        }
    }
}

/// No neighbour finds a shorter twin in a token, save rules about contexts, which leave precedence.
#[test]
fn no_token_has_a_twin_under_another_rule() {
    let (_, specific): (Vec<_>, Vec<_>) = with_examples().rules.into_iter().partition(|rule| generic(rule));
    let detector = detector(specific.clone());
    let scratch = &mut detector.scratch();
    for rule in &specific {
        let press = Press::new(rule).unwrap();
        for seed in 0..40 {
            let text = press.expand(&rule.leaks[0], seed).unwrap();
            let found = hits(&detector, scratch, &text);
            assert!(found.iter().all(|hit| hit.rule == rule.id), "{}: {found:?} in {text}", rule.id);
            assert_eq!(found.len(), 1, "{}: {found:?} in {text}", rule.id);
        }
    }
}

/// Where several rules see the same token, the one that knows most has it: nothing sure hides behind something unsure.
#[test]
fn a_leak_stays_one_in_the_company_of_all_rules() {
    let all = with_examples().rules;
    let detector = detector(all.clone());
    for rule in &all {
        let press = Press::new(rule).unwrap();
        for (seed, example) in (0..).zip(&rule.leaks) {
            let text = press.expand(example, seed).unwrap();
            let bytes = text.as_bytes();
            let mut found = detector.candidates(&mut detector.scratch(), bytes, &(0..bytes.len()), Where::Nowhere);
            settle(&mut found, |candidate| {
                let span = candidate.span.start as u64..candidate.span.end as u64;
                (span, candidate.rule, &candidate.proof)
            });
            // What needs others near it is put together by the scan (tests/cli/composite.rs); alone it is its other reading.
            found.retain(|found| found.rule.required.is_empty());
            let sure =
                found.iter().filter(|found| found.confidence >= due(rule) && !filler(&detector, found, bytes)).count();
            let wanted = example.matches("<mint").count().max(1);
            assert_eq!(sure, wanted, "{}: {example:?}: {found:?} in {text:?}", rule.id);
        }
    }
}

/// Nothing that looks alive is stored in the repository.
#[test]
fn no_file_of_ours_holds_a_token() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let specific = with_examples().rules.into_iter().filter(|rule| !generic(rule)).collect();
    let detector = detector(specific);
    let scratch = &mut detector.scratch();
    let mut folders: Vec<_> = ["src", "rules", "tests"].iter().map(|name| root.join(name)).collect();
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            read += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let found = hits(&detector, scratch, &text);
            assert!(found.iter().all(|hit| hit.confidence < Confidence::Medium), "{}: {found:?}", path.display());
        }
    }
    assert!(read > 20);
}

/// The secrets that the rule finds in `text`.
fn secrets(id: &str, text: &str) -> Vec<String> {
    let rule = with_examples().get(id).unwrap().clone();
    let detector = detector(vec![rule]);
    hits(&detector, &mut detector.scratch(), text).into_iter().map(|hit| hit.secret).collect()
}

fn minted(id: &str, like: impl Fn(&str) -> bool) -> String {
    let rules = with_examples();
    let press = Press::new(rules.get(id).unwrap()).unwrap();
    (0..).find_map(|seed| press.token(seed).filter(|token| like(token))).unwrap()
}

#[test]
fn an_instance_prefix_belongs_to_the_token() {
    let token = minted("gitlab-pat", |token| token.starts_with("glpat-"));
    let whole = format!("mycorp-{token}");
    for (before, after) in [("token=", " "), ("\"\\n", "\\n\""), ("a%3D", "%26"), ("'", "'"), ("oauth2:", "@host")] {
        assert_eq!(secrets("gitlab-pat", &format!("{before}{whole}{after}")), [whole.as_str()], "{before}");
        assert_eq!(secrets("gitlab-pat", &format!("{before}{token}{after}")), [token.as_str()], "{before}");
    }
    for before in ["--", "TOKEN_", "x", "a__b_"] {
        assert_eq!(secrets("gitlab-pat", &format!("{before}{token}")), [token.as_str()], "{before}");
    }
}

#[test]
fn the_checksum_decides_where_a_prefix_begins() {
    let prefixed = minted("gitlab-pat-routable", |token| !token.starts_with("glpat-"));
    let plain = minted("gitlab-pat-routable", |token| token.starts_with("glpat-"));
    for token in [prefixed, plain] {
        for before in ["", "x=", "TOKEN_", "--", "ab-cd-", "\\n", "%3D"] {
            let found = secrets("gitlab-pat-routable", &format!("{before}{token} "));
            assert_eq!(found, [token.as_str()], "{before}");
        }
    }
}

#[test]
fn escapes_inside_a_token_are_undone() {
    let token = minted("atlassian-api-token", |token| token.contains('='));
    for written in ["\\=", "%3D", "%3d", "\\u003d", "\\u003D"] {
        let text = format!("\"{}\"", token.replace('=', written));
        assert_eq!(secrets("atlassian-api-token", &text), [token.as_str()], "{written}");
    }
    for id in ["atlassian-data-center-pat", "bitbucket-dc-http-access-token"] {
        let token = minted(id, |token| token.contains('/') && token.contains('+'));
        for (slash, plus) in [("\\/", "%2B"), ("%2f", "\\u002b"), ("\\u002F", "%2b")] {
            let text = format!("\"{}\"", token.replace('/', slash).replace('+', plus));
            assert_eq!(secrets(id, &text), [token.as_str()], "{slash} {plus}");
        }
    }
}

/// Half of a token is no use to whoever has to revoke it.
#[test]
fn the_whole_token_or_nothing() {
    for rule in with_examples().rules.into_iter().filter(|rule| rule.proof == Some(ProofKind::GithubCrc32)) {
        let press = Press::new(&rule).unwrap();
        let detector = detector(vec![rule.clone()]);
        let scratch = &mut detector.scratch();
        for seed in 0..40 {
            let token = press.token(seed).unwrap();
            for text in [format!("{token}0 "), token[..token.len() - 1].to_owned(), format!("{token}_ ")] {
                assert!(hits(&detector, scratch, &text).is_empty(), "{}: {text}", rule.id);
            }
        }
    }
}

//! What the form of a value says: templates, counting, hashes, locations, code.

use sha2::{Digest, Sha256};

use super::language;
use super::location::is_location;
use super::sign::{self, Sign};
use super::syntax;
use super::value::{has, is_in};

/// Whether a value has a sign.
type Test = fn(&[u8]) -> bool;

/// Signs that the bytes alone give.
pub(super) fn signs(value: &[u8], give: &mut dyn FnMut(&'static Sign, String)) {
    let all: [(&'static Sign, Test); 13] = [
        (&sign::TEMPLATE, is_template),
        (&sign::REPEAT, is_repeat),
        (&sign::SEQUENCE, is_sequence),
        (&sign::KEYBOARD, is_keyboard_walk),
        (&sign::DOCUMENTED, is_documented),
        (&sign::INTEGRITY, is_integrity),
        (&sign::PUBLIC_NAME, is_public),
        (&sign::ENCRYPTED, is_encrypted),
        (&sign::HASHED, is_hashed),
        (&sign::UUID, is_uuid),
        (&sign::LOCATION, is_location),
        (&sign::CODE, is_code),
        (&sign::ALGORITHM, is_algorithm),
    ];
    for (sign, holds) in all {
        if holds(value) {
            give(sign, String::new());
        }
    }
}

fn is_template(value: &[u8]) -> bool {
    let inside = ["${", "{{", "}}", "<%", "#{", "$(", "%(", "@{", "%{", "{}", "{0}", "SECRET["];
    let ends = |open: &[u8], close: &[u8]| value.len() > 2 && value.starts_with(open) && value.ends_with(close);
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-' | b' ');
    let inner = |value: &[u8]| value.len() > 2 && value[1..value.len() - 1].iter().all(name);
    let variable = |rest: &[u8]| {
        rest.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && language::read(rest).words >= 0.6
            && rest.iter().all(name)
    };
    // `%s` alone, between words or with others; `%dc` is a byte of a URL.
    let formats = value.windows(2).enumerate().filter(|(at, two)| {
        let next = value.get(at + 2).is_some_and(u8::is_ascii_alphanumeric);
        two[0] == b'%' && matches!(two[1], b's' | b'd' | b'v' | b'@') && !next
    });
    let formats = formats.count();
    // `rand-pwd-%s`: what is drawn is put in.
    let behind = value.strip_suffix(b"%s").or(value.strip_suffix(b"%d"));
    formats >= 3
        || behind.and_then(<[u8]>::last).is_some_and(|joint| b"-_:=.".contains(joint))
        || (formats > 0 && (value.len() <= 8 || language::read(value).words >= 0.5))
        || inside.iter().any(|part| has(value, part))
        || ends(b"<", b">")
        || ends(b"&lt;", b"&gt;")
        || places(value).any(|inner| language::read(inner).words >= 0.6)
        || (ends(b"{", b"}") || ends(b"[", b"]") || ends(b"%", b"%") || ends(b"@", b"@") || ends(b"#", b"#"))
            && inner(value)
        || ends(b"__", b"__")
        || (ends(b"%[", b"]") && inner(&value[1..]))
        || value.split_first().is_some_and(|(first, rest)| {
            let word = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
            (*first == b'$' && rest.iter().all(word)) || (matches!(first, b'$' | b':' | b'@' | b'&') && variable(rest))
        })
        || is_substituted(value)
        || is_reference(value)
        || syntax::is_place(value)
        || syntax::is_mask(value)
}

/// `$$NAME` of Compose, `\(name)` of Swift, `{name}:`, `%name`, `$name:path`: no more than what says where a value comes from.
fn is_reference(value: &[u8]) -> bool {
    let capital = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
    let small = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    let swift = || {
        let at = value.windows(2).position(|two| two == b"\\(");
        at.is_some_and(|at| value[at..].contains(&b')'))
    };
    match value {
        [b'$', b'$', rest @ ..] => rest.len() >= 4 && rest.iter().all(capital),
        [b'$', rest @ ..] => {
            let name = rest.iter().take_while(|byte| small(byte)).count();
            rest[..name].contains(&b'_') && rest.get(name) == Some(&b':')
        }
        // A comment of PostScript, too: `%BeginDocument`.
        [b'%', rest @ ..] => {
            let is_named = rest.iter().all(u8::is_ascii_lowercase)
                || (rest.iter().all(u8::is_ascii_alphabetic) && language::pieces(rest).len() >= 2);
            is_named && language::read(rest).words >= 0.6
        }
        [b'{', name @ .., b'}', b':'] => !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric),
        _ => swift(),
    }
}

/// `$telegram-token`, `@VMWARE_PASSWORD`, `user:$user_password`: names that something else puts a value for. A `$` before digits may
/// be a part of a password.
fn is_substituted(value: &[u8]) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.');
    let capital = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
    let named = |rest: &[u8]| {
        rest.len() >= 4 && rest.iter().all(name) && rest.iter().all(|byte| !capital(byte) || *byte == b'_')
    };
    match value {
        [b'$', rest @ ..] => named(rest),
        [b'@', rest @ ..] => rest.len() >= 4 && rest.contains(&b'_') && rest.iter().all(capital),
        _ => value.iter().position(|byte| *byte == b'$').is_some_and(|at| {
            let rest = &value[at + 1..];
            matches!(value[at - 1], b':' | b'/' | b'-' | b'_' | b'=')
                && named(rest)
                && language::read(rest).words >= 0.6
        }),
    }
}

/// What stands between `<` and `>` where that may be the name of a value: `glpat-<your-token>`.
pub(super) fn places(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ');
    text.split(|byte| *byte == b'<').skip(1).filter_map(move |rest| {
        let inner = &rest[..rest.iter().position(|byte| *byte == b'>')?];
        (inner.len() >= 3 && inner.iter().all(name)).then_some(inner)
    })
}

fn is_repeat(value: &[u8]) -> bool {
    let longest = value.chunk_by(|one, two| one == two).map(<[u8]>::len).max().unwrap_or(0);
    let mut seen = [false; 256];
    value.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    let again =
        |period: usize| value.len() >= 3 * period && value[period..].iter().zip(value).all(|(one, two)| one == two);
    (longest >= 4 && longest * 2 >= value.len()) || (value.len() >= 8 && different <= 3) || (1..=12).any(again)
}

/// Counting, as it is or in base64 behind a prefix that ends with a dash.
pub(super) fn is_sequence(value: &[u8]) -> bool {
    let encoded = value.rsplit(|byte| *byte == b'-').next().unwrap_or(value);
    // `00112233445566778899aabbccddeeff`
    let pairs = || {
        let (pairs, rest) = value.as_chunks::<2>();
        let ones: Vec<u8> = pairs.iter().map(|[one, _]| *one).collect();
        rest.is_empty() && pairs.iter().all(|[one, other]| one == other) && counts_up(&ones)
    };
    let text = || data_encoding::BASE64.decode(encoded).or_else(|_| data_encoding::BASE64_NOPAD.decode(encoded));
    counts_up(value) || pairs() || (value.len() >= 12 && text().is_ok_and(|text| counts_up(&text)))
}

fn counts_up(value: &[u8]) -> bool {
    let next = |two: &[u8]| {
        let (one, two) = (two[0].to_ascii_lowercase(), two[1].to_ascii_lowercase());
        one.is_ascii_alphanumeric()
            && two.is_ascii_alphanumeric()
            && (one.abs_diff(two) == 1 || (one, two) == (b'9', b'0'))
    };
    let steps = value.windows(2).filter(|two| next(two)).count();
    value.len() >= 4 && steps * 10 >= (value.len() - 1) * 6
}

/// A date and time as RFC 3339 has it, with or without the parts behind the seconds: `2027-01-20T10:00:00Z`.
pub(super) fn is_time(value: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        _ => byte == form,
    };
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let rest = value.get(FORM.len()..).unwrap_or_default();
    value.len() >= FORM.len()
        && value.iter().zip(FORM).all(fits)
        && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'+' | b'-' | b'Z' | b'z'))
}

/// `60 secs`, `2592000s`: how long something takes.
pub(super) fn is_span(value: &[u8]) -> bool {
    const UNITS: &[&str] = &[
        "s", "sec", "secs", "second", "seconds", "ms", "m", "min", "mins", "minute", "minutes", "h", "hour", "hours",
        "d", "day", "days", "w", "week", "weeks", "month", "months", "year", "years",
    ];
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && is_in(UNITS, value[digits..].trim_ascii_start())
}

/// `v1.19.2`: a version.
pub(super) fn is_version(value: &[u8]) -> bool {
    let number = |part: &[u8]| (1..=4).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    value.strip_prefix(b"v").is_some_and(|rest| rest.contains(&b'.') && rest.split(|byte| *byte == b'.').all(number))
}

/// `'true'`, ``false` ``: yes or no, with what is around it in another language.
pub(super) fn is_answer(value: &[u8]) -> bool {
    let mark = |byte: &u8| b"\"'`\\".contains(byte);
    let start = value.iter().take_while(|byte| mark(byte)).count();
    let word = value[start..].split(mark).next().unwrap_or_default();
    // `false\f[R]`: no more than a mark of troff's behind it.
    value.len() <= start + word.len() + 6
        && is_in(&["true", "false", "null", "none", "undefined"], &word.to_ascii_lowercase())
}

/// `Username:` and `Password:` in base64, which servers of mail ask with (RFC 4954).
pub(super) fn is_prompt(value: &[u8]) -> bool {
    ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"].iter().any(|prompt| value.ends_with(prompt.as_bytes()))
}

/// The half of a key of SSH that everybody may see, as `authorized_keys` has it.
fn is_public(value: &[u8]) -> bool {
    const KINDS: &[&[u8]] =
        &[b"AAAAB3NzaC1", b"AAAAC3NzaC1lZDI1", b"AAAAE2VjZHNhLXNo", b"AAAAGnNrLXNz", b"AAAAInNrLWVj"];
    // A SubjectPublicKeyInfo (RFC 5280) of RSA, of an elliptic curve or of Ed25519.
    const INFOS: &[&[u8]] = &[
        b"MIGfMA0GCSqGSIb3DQEBAQUAA4GN",
        b"MIIBIjANBgkqhkiG9w0BAQEFAAOC",
        b"MIICIjANBgkqhkiG9w0BAQEFAAOC",
        b"MFkwEwYHKoZIzj0CAQYIKoZIzj0D",
        b"MCowBQYDK2VwAyEA",
    ];
    // What NATS calls users, accounts, operators, servers, clusters and curves by; a seed begins with S.
    let base32 = |byte: &u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(byte);
    let named = value.len() == 56 && b"UAONCX".contains(&value[0]) && value.iter().all(base32);
    named || KINDS.iter().chain(INFOS).any(|kind| value.starts_with(kind))
}

fn is_keyboard_walk(value: &[u8]) -> bool {
    const ROWS: [&[u8]; 6] =
        [b"qwertyuiop", b"asdfghjkl", b"zxcvbnm", b"qwertz", b"azerty", b"1qaz2wsx3edc4rfv5tgb6yhn"];
    let lower = value.to_ascii_lowercase();
    let walks = |window: &[u8]| ROWS.iter().any(|row| row.windows(4).any(|four| four == window));
    let steps = lower.windows(4).filter(|window| walks(window)).count();
    steps > 0 && (steps + 3) * 2 >= value.len()
}

/// The first 8 bytes of the SHA-256 of values that providers print in their documentation, as hex.
const DOCUMENTED: &[&str] = &include!("documented.in");

/// How the keys begin that AWS's documentation has, which everybody changes the ends of.
const AWS: [&str; 2] = ["AKIAIOSFODNN7", "wJalrXUtnFEMI/K7"];

pub(super) fn is_documented(value: &[u8]) -> bool {
    if AWS.iter().any(|start| value.starts_with(start.as_bytes())) {
        return true;
    }
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(value)[..8]);
    DOCUMENTED.contains(&digest.as_str())
}

fn is_integrity(value: &[u8]) -> bool {
    let lower = value.get(..8).unwrap_or_default().to_ascii_lowercase();
    ["sha1-", "sha1:", "sha256", "sha384", "sha512", "md5:", "md5-", "h1:"]
        .iter()
        .any(|start| lower.starts_with(start.as_bytes()))
        && value.len() >= 24
}

fn is_encrypted(value: &[u8]) -> bool {
    let begins = |text: &[u8]| {
        [
            "ENC(",
            "ENC[",
            "enc{",
            "ENC{",
            "encrypted:",
            "encrypted-",
            "vault:v",
            "{cipher}",
            "{AES}",
            "!vault",
            "$ANSIBLE_VAULT",
            "AQICAH",
        ]
        .iter()
        .any(|start| text.starts_with(start.as_bytes()))
    };
    // What `kubeseal` writes.
    let sealed = value.len() >= 300 && value.starts_with(b"Ag");
    let base64 = |text: &[u8]| text.len() >= 20 && data_encoding::BASE64.decode(text).is_ok();
    // `{…=}`, as Maven writes it; `2.…==|…=|…=`, as Bitwarden does; and what 1Password's vaults begin with.
    let braces = value.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).is_some_and(base64);
    let parts = || match value {
        [b'0'..=b'9', b'.', rest @ ..] => rest.split(|byte| *byte == b'|').all(base64),
        _ => false,
    };
    sealed
        || braces
        || parts()
        || value.starts_with(b"b3BkYXRhMDF")
        || begins(value)
        || data_encoding::BASE64.decode(value).is_ok_and(|text| begins(&text))
}

pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `0x` and 40 hex digits: an account or a contract of Ethereum, which everybody may see. Its key has 64.
pub(super) fn is_account(value: &[u8]) -> bool {
    value.len() == 42 && value.starts_with(b"0x") && value[2..].iter().all(u8::is_ascii_hexdigit)
}

/// `$argon2id$…` and others of crypt(3), `{SSHA}…` of LDAP, `pbkdf2_sha256$…` of frameworks.
fn is_hashed(value: &[u8]) -> bool {
    if syntax::is_crypt(value) {
        return true;
    }
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let named = |text: &[u8], end: u8| {
        let len = text.iter().take_while(|byte| name(byte)).count();
        (1..=16).contains(&len) && text.len() >= len + 16 && text[len] == end
    };
    const FRAMEWORKS: &[&str] = &["sha1$", "sha256$", "sha512$", "md5$", "pbkdf2", "bcrypt", "scrypt", "argon2"];
    match value {
        [b'$', rest @ ..] => named(rest, b'$'),
        [b'{', rest @ ..] => named(rest, b'}') && rest[0].is_ascii_uppercase(),
        _ => named(value, b'$') && FRAMEWORKS.iter().any(|name| value.starts_with(name.as_bytes())),
    }
}

fn is_code(value: &[u8]) -> bool {
    let parts = [
        "()", "->", "=>", "::", "(?", "\\d", "\\w", "\\s", "[a-z", "[A-Z", "[0-9", "[^", " + ", " == ", " && ", " || ",
        "</", "/>", ".*", " -", "';", "\";", "\\n", "\\t",
    ];
    let call = || {
        value.ends_with(b")")
            && value.iter().position(|byte| *byte == b'(').is_some_and(|at| language::read(&value[..at]).words >= 0.6)
    };
    // `required|min:8`: rules of validation.
    let ruled = || value.contains(&b'|') && language::read(value).words >= 0.7;
    // A CSS selector or an XPath.
    let selector = || matches!(value.first(), Some(b'#' | b'.')) && language::read(value).words >= 0.7;
    // `=b.kind`: the rest of a comparison.
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._".contains(byte);
    let compared = || value.strip_prefix(b"=").is_some_and(|rest| rest.iter().all(part));
    let begins = || compared() || ["{\"", "[{", "<?", "/*"].iter().any(|start| value.starts_with(start.as_bytes()));
    // `//nolint:gosec`. Base64 may begin with slashes, too.
    let remark = |rest: &[u8]| rest.iter().all(|byte| byte.is_ascii_lowercase() || b":,-_".contains(byte));
    let begins = || begins() || value.strip_prefix(b"//").is_some_and(remark);
    parts.iter().any(|part| has(value, part))
        || call()
        || is_rest_of_call(value)
        || syntax::is_notation(value)
        || is_type(value)
        || is_escaped(value)
        || ruled()
        || selector()
        || begins()
        || is_color(value)
        || is_drawing(value)
        || is_object(value)
}

/// `VARCHAR(96)`: a type and its size.
fn is_type(value: &[u8]) -> bool {
    let name = value.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
    let size = value.get(name..).and_then(|rest| rest.strip_prefix(b"(")?.strip_suffix(b")"));
    name > 0 && size.is_some_and(|size| size.len() <= 5 && size.iter().all(u8::is_ascii_digit))
}

/// `)[1].split(`, `CstElement)`, `,rememberMeLabel:`: what stands between two strings, or ends a call.
fn is_rest_of_call(value: &[u8]) -> bool {
    let words = |rest: &[u8]| language::read(rest).words >= 0.6;
    let named = |rest: &[u8]| {
        let part = |byte: &u8| byte.is_ascii_alphabetic() || b"._:".contains(byte);
        words(rest) || (rest.len() >= 3 && rest.iter().all(part))
    };
    let closes = |rest: &[u8]| {
        !rest.contains(&b'(') && rest.iter().all(|byte| byte.is_ascii_alphabetic() || b"._".contains(byte))
    };
    let key =
        |rest: &[u8]| rest.len() >= 2 && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(byte));
    value.strip_prefix(b",").and_then(|rest| rest.strip_suffix(b":")).is_some_and(key)
        || [&b")."[..], b")[", b")]", b");", b"),"].iter().any(|start| value.starts_with(start))
        || value.strip_suffix(b"(").is_some_and(named)
        || value.strip_suffix(b")").is_some_and(|rest| closes(rest) && words(rest))
}

/// `"\xC2\xAF"`, `"\033[5m"`: no more than characters that are written so.
fn is_escaped(value: &[u8]) -> bool {
    let parts = || value.split(|byte| *byte == b'\\').filter(|part| !part.is_empty());
    let escape = |part: &[u8]| match part {
        [b'x' | b'u' | b'U', digits @ ..] => {
            (2..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit)
        }
        [b'0'..=b'3', rest @ ..] => rest.iter().all(|byte| byte.is_ascii_digit() || b"[;m".contains(byte)),
        _ => false,
    };
    value.starts_with(b"\\") && (1..=3).contains(&parts().count()) && parts().all(escape)
}

/// Whether it is a regular expression, which is as irregular as a random value.
pub(super) fn is_expression(value: &[u8]) -> bool {
    ["(?", "\\d", "\\w", "\\s", "[a-z", "[A-Z", "[0-9", "[^", ".*", ".+", "]+", "]*", "]{"]
        .iter()
        .filter(|part| has(value, part))
        .count()
        >= 2
}

/// `#ddd0c0`.
fn is_color(value: &[u8]) -> bool {
    matches!(value, [b'#', rest @ ..] if matches!(rest.len(), 3 | 4 | 6 | 8) && rest.iter().all(u8::is_ascii_hexdigit))
}

/// Parts of the names of algorithms, none of which stands in a random value by chance.
const ALGORITHMS: &[&str] = &[
    "sha1",
    "sha2",
    "sha3",
    "sha-1",
    "sha-2",
    "sha-3",
    "sha-5",
    "sha5",
    "sha_",
    "hmac",
    "pbkdf2",
    "nistp",
    "x509",
    "ecdsa",
    "ed25519",
    "x25519",
    "aes128",
    "aes192",
    "aes256",
    "aes-",
    "scram",
    "argon2",
    "bcrypt",
    "scrypt",
    "mlkem",
    "mldsa",
    "chacha20",
    "-gcm",
    "-cbc",
    "rsa-",
    "_rsa",
    "md5",
    "iso-8859-",
    "us-ascii",
    "windows-125",
    "prime256",
    "secp256",
    "secp384",
];

/// `PBKDF2WithHmacSHA256`, `scram-sha-256`, `ecdsa-sha2-nistp256`: what an algorithm is called, with few digits and nothing else.
pub(super) fn is_algorithm(value: &[u8]) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/');
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let lower = value.to_ascii_lowercase();
    (5..40).contains(&value.len())
        && digits <= 8
        && value.iter().all(part)
        && ALGORITHMS.iter().any(|name| has(&lower, name))
        && letters_left(&lower) <= value.len() / 4
}

/// How many letters there are beside those of algorithms and what is said with them.
fn letters_left(lower: &[u8]) -> usize {
    const WITH: &[&str] = &[
        "hmac", "pbkdf2", "nistp", "with", "sha", "ecdsa", "scram", "bcrypt", "scrypt", "argon2id", "argon", "mlkem",
        "mldsa", "chacha", "poly", "aes", "rsa", "gcm", "cbc", "ctr", "pkix", "pkcs", "oaep", "pss", "mgf", "md5",
        "key", "private", "public", "and", "iso", "us-ascii", "windows", "prime", "secp",
    ];
    let mut text = String::from_utf8_lossy(lower).into_owned();
    WITH.iter().for_each(|word| text = text.replace(word, " "));
    text.bytes().filter(u8::is_ascii_alphabetic).count()
}

/// `android.os.BinderProxy@2bd79ce`, `[C@1b6d3586`: an object of Java as `Object.toString` prints it, whose number is 32 bits
/// in hex without zeros before them. `Session@202611`, a class alone with digits alone behind it, may be a password.
pub(super) fn is_object(value: &[u8]) -> bool {
    let Some(at) = value.iter().position(|byte| *byte == b'@') else { return false };
    let (class, number) = (&value[..at], &value[at + 1..]);
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$.;[".contains(byte);
    let simple = class.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let long = number.len() >= 6 && number.iter().any(u8::is_ascii_lowercase) && language::read(class).words >= 0.7;
    matches!(number.len(), 1..=8)
        && number[0] != b'0'
        && number.iter().all(hex)
        && class.iter().all(part)
        && (class.starts_with(b"[")
            || (simple.first().is_some_and(u8::is_ascii_uppercase) && (simple != class || long)))
}

/// `M12 2c-1.1 0-2 .9-2 2z`: path data of SVG, commands and their numbers.
fn is_drawing(value: &[u8]) -> bool {
    let command = |byte: &u8| b"MmLlHhVvCcSsQqTtAaZz".contains(byte);
    let number = |byte: &u8| byte.is_ascii_digit() || b" ,.-".contains(byte);
    matches!(value, [b'M' | b'm', second, ..] if number(second))
        && value.iter().all(|byte| command(byte) || number(byte))
        && value.iter().filter(|byte| number(byte)).count() * 3 >= value.len() * 2
        && value.iter().filter(|byte| b" ,.-".contains(byte)).count() >= 4
}

//! What the name says that a value is given to.

use super::context::{NAME, Setting, is_called};
use super::language;
use super::pattern::is_uuid;
use super::sign::{self, Sign};
use super::value::{has, is_in, is_joined, is_slug};
use super::words::{
    COMMONLY_KNOWN, DIGESTS, EXAMPLES, FOREIGN, MAYBES, ONCE, OTHERS, PASSES, PASSWORDS, PLACES, PUBLICS, SECRET_KEYS,
    SECRETS,
};

/// Calls `give` with what speaks against it in the name of an option or header: `--token-validity-units`, `--next-token`.
pub(super) fn against(setting: &Setting<'_>, give: &mut dyn FnMut(&'static Sign, String)) {
    let asked = [&sign::OTHER_NAME, &sign::EXAMPLE_NAME, &sign::PUBLIC_NAME, &sign::DIGEST_NAME];
    signs(setting, &mut |sign, detail| {
        if asked.iter().any(|one| one.name == sign.name) {
            give(sign, detail);
        }
    });
}

/// Calls `give` with what the name says of a value in a place for secrets: nothing is needed, and much speaks against it.
pub(super) fn of_secret(setting: &Setting<'_>, give: &mut dyn FnMut(&'static Sign, String)) {
    let unasked = [&sign::NO_NAME, &sign::KEY_NAME];
    signs(setting, &mut |sign, detail| {
        if unasked.iter().all(|one| one.name != sign.name) {
            give(sign, detail);
        }
    });
    sameness(setting, give);
    slugs(setting, give);
}

/// Calls `give` with what the name says.
pub(super) fn signs(setting: &Setting<'_>, give: &mut dyn FnMut(&'static Sign, String)) {
    let name = setting.name();
    // `user.password`, `$this->token`: what stands before the last dot is another name.
    let own = name.rsplit(|byte| *byte == b'.').next().unwrap_or(name);
    // `google.api.key`: what a key is of stands before it.
    let is_short = matches!(language::pieces(own)[..], [] | [b"key" | b"KEY" | b"Key"]);
    let own = if is_short { name } else { own };
    let words = language::pieces(own);
    let of = |list: &[&str]| words.iter().any(|word| is_in(list, word));
    let ends = |list: &[&str]| words.iter().any(|word| list.iter().any(|end| ends_with(word, end)));
    if is_foreign(setting) || say_password(&words) {
        give(&sign::PASSWORD_NAME, String::new());
    } else if of(SECRETS) || ends(&["secret", "token", "apikey", "accesskey"]) || is_secret_key(&words) {
        give(&sign::SECRET_NAME, String::new());
    } else if ends(&["key"]) || of(MAYBES) {
        give(&sign::KEY_NAME, String::new());
        if is_number(setting.value()) && !of(&["salt"]) {
            give(&sign::BRIEF, "for a key of digits and letters of one case".to_owned());
        }
        // What a test vector begins with, unless it is the seed of something.
        let is_drawn = setting.value().iter().all(u8::is_ascii_hexdigit);
        if is_drawn && of(&["seed"]) && !of(&["wallet", "signing", "master", "private", "mnemonic", "account"]) {
            give(&sign::BRIEF, "for a seed in hex".to_owned());
        }
    } else if !words.is_empty() {
        give(&sign::NO_NAME, String::new());
    }
    others(setting, own, &words, give);
    digests(setting, own, &words, give);
}

/// Calls `give` with what in a name says that it is of something else than a secret, or of one that is none.
fn others(setting: &Setting<'_>, own: &[u8], words: &[&[u8]], give: &mut dyn FnMut(&'static Sign, String)) {
    let (name, value, lower) = (setting.name(), setting.value(), own.to_ascii_lowercase());
    let of = |list: &[&str]| words.iter().any(|word| is_in(list, word));
    if words.last().is_some_and(|word| is_in(OTHERS, word)) || side_by_side(words, PLACES) {
        give(&sign::OTHER_NAME, String::new());
    }
    if of(EXAMPLES) {
        give(&sign::EXAMPLE_NAME, String::new());
    }
    let is_public = |at: usize| is_in(PUBLICS, words[at]) && !is_brand(words, at);
    if (0..words.len()).any(is_public)
        || words.iter().any(|word| ends_with(word, "publickey"))
        || side_by_side(words, COMMONLY_KNOWN)
    {
        give(&sign::PUBLIC_NAME, String::new());
    }
    if of(&["encrypted", "ciphertext", "sealed", "wrapped"]) {
        give(&sign::ENCRYPTED, "the name says so".to_owned());
    }
    // `proxy_pass` of nginx says where to, `NOPASSWD` of sudoers that there is none.
    let directive = lower.ends_with(b"_pass") && is_in(PASSES, &lower);
    // A pass of Windows' setup.
    let setup = lower == b"pass" && setting.before_name().ends_with(b"<settings ");
    if directive || setup || lower.ends_with(b"nopasswd") {
        give(&sign::OTHER_NAME, String::new());
    }
    // The id of a key, or its fingerprint.
    let is_print = matches!(value.len(), 8 | 16 | 40) && value.iter().all(u8::is_ascii_hexdigit);
    if (is_print && of(&["gpg", "pgp"])) || is_in(&["x-amz-credential", "x-goog-credential"], name) {
        give(&sign::PUBLIC_NAME, String::new());
    }
    // What tells requests apart (AWS' ClientToken), which says that it does.
    let is_drawn_once = side_by_side(words, ONCE) || of(&["idempotency", "idempotent"]);
    if is_drawn_once && (is_uuid(value) || language::read(value).words >= 0.4 || has(value, "TOKEN")) {
        give(&sign::PUBLIC_NAME, String::new());
    }
    // `secret_uuid`, `GUID_CHANGE_PASSWORD`, libvirt's `<encryption secret=…/>`
    let says_uuid = words.first().into_iter().chain(words.last()).any(|word| is_in(&["uuid", "guid"], word));
    if is_uuid(value) && (says_uuid || setting.before_name().ends_with(b"<encryption ")) {
        give(&sign::OTHER_NAME, String::new());
    }
    if name.starts_with(b"--no-") || name.starts_with(b"--disable") {
        give(&sign::OTHER_NAME, String::new());
    }
    // The shell's working directory, and where it is mounted.
    if [&b"PWD"[..], b"$PWD", b"-v$PWD"].contains(&name) && value.starts_with(b"/") {
        give(&sign::LOCATION, String::new());
    }
}

/// Calls `give` if the name is of a digest.
fn digests(setting: &Setting<'_>, own: &[u8], words: &[&[u8]], give: &mut dyn FnMut(&'static Sign, String)) {
    let (value, lower) = (setting.value(), own.to_ascii_lowercase());
    let digest = |word: &&str| has(&lower, word) && lower.len() <= NAME;
    // `checksum/secret: …`, as charts of Helm have it.
    let of_what = setting.before_name().ends_with(b"checksum/");
    if of_what
        || words.iter().any(|word| is_in(DIGESTS, word))
        || ["sha1", "sha256", "sha512", "md5"].iter().any(digest)
    {
        give(&sign::DIGEST_NAME, String::new());
        if is_digest(value) {
            give(&sign::HASHED, "hex of a digest's length".to_owned());
        } else if words.last().is_some_and(|word| is_in(&["hash", "hashed"], word)) {
            give(&sign::HASHED, "the name ends so".to_owned());
        }
    }
}

/// As many digits as a digest has in hex.
pub(super) fn is_digest(value: &[u8]) -> bool {
    matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128) && value.iter().all(u8::is_ascii_hexdigit)
}

/// Fewer characters than a key of 128 bits has in hex, and not of three kinds: the id of a key, a code.
fn is_number(value: &[u8]) -> bool {
    let any = |test: fn(&u8) -> bool| value.iter().any(test);
    value.len() < 18 && !(any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase) && any(u8::is_ascii_digit))
}

fn is_foreign(setting: &Setting<'_>) -> bool {
    let matched = setting.bytes[setting.matched.start..setting.span.start].to_ascii_lowercase();
    FOREIGN.iter().any(|word| has(&matched, word))
}

/// Whether a word that may stand for what everybody may know is somebody's name: `LABEL_STUDIO_API_KEY`, `CURSOR_API_KEY`. Of a cursor
/// in pages there is a token, too, but no program's environment has it.
fn is_brand(words: &[&[u8]], at: usize) -> bool {
    const WHAT: &[&str] = &["api", "apikey", "access", "auth", "client", "secret", "password", "admin"];
    let (word, behind) = (words[at], &words[at + 1..]);
    if is_in(&["label"], word) {
        return behind.first().is_some_and(|next| is_in(&["studio"], next));
    }
    let capitals = || words.iter().all(|word| !word.iter().any(u8::is_ascii_lowercase));
    is_in(&["cursor", "shortcut"], word)
        && (behind.iter().any(|next| is_in(WHAT, next))
            || (capitals() && behind.iter().any(|next| is_in(&["token"], next))))
}

fn ends_with(word: &[u8], end: &str) -> bool {
    word.len() >= end.len() && word[word.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

fn side_by_side(words: &[&[u8]], pairs: &[(&str, &str)]) -> bool {
    let same = |word: &[u8], other: &str| word.eq_ignore_ascii_case(other.as_bytes());
    words.windows(2).any(|two| pairs.iter().any(|(one, other)| same(two[0], one) && same(two[1], other)))
}

/// Whether the name says that what stands behind it is a password.
pub(super) fn is_of_password(setting: &Setting<'_>) -> bool {
    is_foreign(setting) || say_password(&language::pieces(setting.name()))
}

fn say_password(words: &[&[u8]]) -> bool {
    const ENDS: &[&str] = &["password", "passwd", "passphrase", "pwd", "passwort"];
    words.iter().any(|word| is_in(PASSWORDS, word) || ENDS.iter().any(|end| ends_with(word, end)))
}

/// Calls `give` if the value is a name of something, of which there are many beside words that say token or secret, and the name says
/// nothing of a password: `clientSecretName("tls-ca")`, `createToken("COERCE")`, `"token": "MAXLEN"`.
pub(super) fn slugs(setting: &Setting<'_>, give: &mut dyn FnMut(&'static Sign, String)) {
    let value = setting.value();
    let humped = || {
        let two = |two: &[u8]| !two[0].is_ascii_uppercase() || two[1].is_ascii_lowercase();
        value.first().is_some_and(u8::is_ascii_lowercase) && value.windows(2).all(two)
    };
    let letters = || {
        value.len() < 16
            && value.iter().all(u8::is_ascii_alphabetic)
            && (value.iter().all(u8::is_ascii_uppercase) || humped())
    };
    // `login1`, `INFO_21`
    let counted = || {
        let len = value.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
        let word = value[..len].strip_suffix(b"_").unwrap_or(&value[..len]);
        value.len() < 12 && (1..=3).contains(&(value.len() - len)) && word.iter().all(u8::is_ascii_alphabetic)
    };
    let words = language::pieces(setting.name());
    let grammar = || matches!(words[..], [word] if is_in(&["token", "tokens"], word));
    let named = || {
        is_slug(value)
            || is_joined(value)
            || (letters() && (grammar() || is_called(setting)))
            || (is_called(setting) && counted())
    };
    if !is_of_password(setting) && named() {
        give(&sign::SLUG, String::new());
    }
}

/// Whether the name says that it is of a secret, or of what token: `client_secret`, `accessToken`.
pub(super) fn is_of_secret(setting: &Setting<'_>) -> bool {
    const WHAT: &[&str] = &["access", "auth", "refresh", "bearer", "api", "oauth", "identity"];
    let words = language::pieces(setting.name());
    let said = words.iter().any(|word| ends_with(word, "secret") || ends_with(word, "apikey"));
    said || words.windows(2).any(|two| is_in(WHAT, two[0]) && is_in(&["token", "key"], two[1]))
}

fn is_secret_key(words: &[&[u8]]) -> bool {
    words.windows(2).any(|two| two[1].eq_ignore_ascii_case(b"key") && is_in(SECRET_KEYS, two[0]))
}

/// Calls `give` if the value repeats the name or is such a name itself: `"password": "Password"`, `API_KEY = "api-key"`.
pub(super) fn sameness(setting: &Setting<'_>, give: &mut dyn FnMut(&'static Sign, String)) {
    let folded = |text: &[u8]| -> Vec<u8> {
        text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let (name, value) = (folded(setting.name()), folded(setting.value()));
    let within = |outer: &[u8], inner: &[u8]| inner.len() >= 4 && memchr::memmem::find(outer, inner).is_some();
    // With a digit in it the value may be a password that somebody made of the name.
    let digits = value.iter().any(u8::is_ascii_digit) && !name.iter().any(u8::is_ascii_digit);
    let wordy = || language::read(setting.value()).words >= 0.7;
    // `pass = "dbpass"`: another name of the same kind.
    let named = is_in(PASSWORDS, &value) || is_in(SECRETS, &value);
    if named
        || is_of_kind(setting)
        || is_told_again(setting)
        || (!digits && (within(&name, &value) || (within(&value, &name) && wordy())))
    {
        give(&sign::SAME_AS_NAME, String::new());
    }
}

/// `client_token: "IdempotencyToken"`, `"unicodePwd", "ntPwdHistory"`, `b.pass: a.pass`, `{token: tokenOfThis}`: another name of the same kind.
fn is_of_kind(setting: &Setting<'_>) -> bool {
    let (name, value) = (setting.name(), setting.value());
    let (words, parts) = (language::pieces(name), language::pieces(value));
    // `lb.backendCreds`: a member, without quotes.
    let part = |byte: &u8| byte.is_ascii_alphabetic() || (*byte == b'.' && !setting.is_quoted());
    let humped = parts.len() >= 2 && value.iter().all(part);
    let same_end = || words.last().zip(parts.last()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other));
    let of_password = || parts.iter().any(|part| is_in(&["pwd", "password", "passwd"], part));
    let last = |text: &[u8]| text.iter().rposition(|byte| *byte == b'.').map(|at| text[at..].to_vec());
    let begins = || {
        let long = name.len() >= 4 && value.len() > name.len();
        long && !setting.is_quoted()
            && value[..name.len()].eq_ignore_ascii_case(name)
            && value.iter().all(|byte| byte.is_ascii_alphabetic() || b",;".contains(byte))
    };
    (humped && (of_password() || (same_end() && language::read(value).words >= 0.3)))
        || (!setting.is_quoted() && last(value).is_some_and(|end| end.len() >= 4 && last(name) == Some(end)))
        || begins()
}

/// `PrivateKeyRegeneration = "pm-12241-private-key-regeneration"`: all words of the name, and no more than words and numbers beside them.
fn is_told_again(setting: &Setting<'_>) -> bool {
    let parts: Vec<&[u8]> = setting.value().split(|byte| b"-_.".contains(byte)).collect();
    let plain = |part: &&[u8]| {
        part.iter().all(u8::is_ascii_lowercase) || (part.len() <= 6 && part.iter().all(u8::is_ascii_digit))
    };
    let words = language::pieces(setting.name());
    words.len() >= 2
        && parts.iter().all(plain)
        && words.iter().all(|word| parts.iter().any(|part| part.eq_ignore_ascii_case(word)))
}

/// Whether a call of that name reads what its argument names: `getPassword("tomcat")`, `config.require_secret("key")`.
/// With one argument it may do more with it than read.
pub(super) fn is_reader(name: &[u8], is_alone: bool) -> bool {
    const READERS: &[&str] =
        &["get", "fetch", "read", "lookup", "find", "retrieve", "delete", "refresh", "revoke", "copy", "scan"];
    const VERBS: &[&str] = &[
        "get", "require", "try", "has", "fetch", "read", "lookup", "find", "allow", "generate", "list", "load",
        "retrieve", "delete", "refresh", "revoke", "copy", "scan", "resolve",
    ];
    let own = name.rsplit(|byte| *byte == b'.').next().unwrap_or(name);
    let verbs = if is_alone { VERBS } else { READERS };
    language::pieces(own).first().is_some_and(|verb| is_in(verbs, verb))
}

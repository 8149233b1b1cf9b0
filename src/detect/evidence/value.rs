//! What a value says about itself.

use sha2::{Digest, Sha256};

use super::language::{self, Reading};
use super::sign::{self, Sign};

/// Characters of a value, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub lower: usize,
    pub upper: usize,
    pub digits: usize,
    pub spaces: usize,
    /// `_`, `-` and `.`, which join words.
    pub joints: usize,
    pub other: usize,
}

impl Counts {
    pub fn of(value: &[u8]) -> Self {
        let mut counts = Counts::default();
        for byte in value {
            match byte {
                b'a'..=b'z' => counts.lower += 1,
                b'A'..=b'Z' => counts.upper += 1,
                b'0'..=b'9' => counts.digits += 1,
                b' ' | b'\t' => counts.spaces += 1,
                b'_' | b'-' | b'.' => counts.joints += 1,
                _ => counts.other += 1,
            }
        }
        counts
    }

    pub fn letters(&self) -> usize {
        self.lower + self.upper
    }

    /// How many different characters such a value could have.
    fn alphabet(&self, hex: bool) -> f64 {
        let sizes = [(self.lower, 26.0), (self.upper, 26.0), (self.digits, 10.0), (self.joints + self.other, 10.0)];
        if hex { 16.0 } else { sizes.iter().filter(|(count, _)| *count > 0).map(|(_, size)| size).sum() }
    }
}

/// Calls `give` with every sign of a value and a detail that holds nothing of it.
pub(super) fn signs(value: &[u8], give: &mut dyn FnMut(&'static Sign, String)) {
    let counts = Counts::of(value);
    let reading = language::read(value);
    patterns(value, give);
    if is_placeholder(value, reading) {
        give(&sign::PLACEHOLDER, String::new());
    } else if is_common(value, reading) {
        give(&sign::COMMON, String::new());
    }
    if counts.spaces > 0 && (reading.words >= 0.5 || (counts.spaces > 2 && reading.words >= 0.3)) {
        give(&sign::PROSE, format!("{} spaces", counts.spaces));
    }
    if value.len() < 8 && counts.letters() == value.len() && reading.bits < 5.2 && !is_jumbled(value, counts) {
        give(&sign::SHORT, String::new());
    }
    if is_time(value) {
        give(&sign::NUMBER, "a date and time".to_owned());
        return;
    }
    if counts.letters() == 0 && counts.other <= 2 {
        give(&sign::NUMBER, String::new());
    }
    makeup(value, counts, reading, give);
}

/// What the characters are drawn from.
fn makeup(value: &[u8], counts: Counts, reading: Reading, give: &mut dyn FnMut(&'static Sign, String)) {
    let percent = (reading.words * 100.0).round();
    let plain = counts.digits == 0 && counts.other == 0 && counts.spaces == 0;
    // Of one word with a hump or none, or several that are joined.
    // `OS.CMD.COPY`, `DB_TOKEN_REF`: a constant.
    let constant = counts.lower == 0 && counts.other == 0 && counts.joints > 0 && counts.digits <= 2;
    if plain && counts.letters() > 0 && (reading.words >= 0.7 || (constant && reading.words >= 0.4)) {
        give(&sign::WORDS, format!("words cover {percent} % of its letters"));
    } else if counts.letters() > 0 && counts.spaces == 0 && reading.words >= 0.9 && is_name(value, counts) {
        give(&sign::WORDS, format!("a name of {} words", language::pieces(value).len()));
    } else if counts.letters() > 0 && counts.digits + counts.other > 0 && counts.spaces <= 2 {
        give(&sign::MIXED, String::new());
    } else if plain && counts.joints == 0 && counts.letters() >= 6 && (reading.bits >= 5.2 || is_jumbled(value, counts))
    {
        give(&sign::UNPRONOUNCEABLE, format!("{:.1} bits a letter", reading.bits));
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let most = counts.alphabet(hex).min(value.len() as f64).log2();
    let entropy = crate::secret::entropy(value);
    let classes = [counts.lower, counts.upper, counts.digits].iter().filter(|count| **count > 0).count();
    let spread = value.len() >= 16 && classes >= 2 && counts.spaces <= 2 && entropy >= 0.75 * most;
    if spread && reading.words < 0.5 && !is_sequence(value) {
        give(&sign::RANDOM, format!("{entropy:.1} of at most {most:.1} bits a character"));
    }
}

/// Capitals inside of words, as nobody writes a name: `xKqWbTz`.
fn is_jumbled(value: &[u8], counts: Counts) -> bool {
    let turns = value.windows(2).filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase()).count();
    counts.lower > 0 && turns * 4 >= value.len()
}

/// Words with joints or humps between them, and a number that is a part of the name: `token_v2`, `utf8Decoder`.
fn is_name(value: &[u8], counts: Counts) -> bool {
    counts.other == 0 && counts.digits <= 2 && counts.joints > 0 && language::pieces(value).len() >= 2
}

/// Whether a value has a sign.
type Test = fn(&[u8]) -> bool;

/// Signs that the bytes alone give.
fn patterns(value: &[u8], give: &mut dyn FnMut(&'static Sign, String)) {
    let all: [(&'static Sign, Test); 10] = [
        (&sign::TEMPLATE, is_template),
        (&sign::REPEAT, is_repeat),
        (&sign::SEQUENCE, is_sequence),
        (&sign::KEYBOARD, is_keyboard_walk),
        (&sign::DOCUMENTED, is_documented),
        (&sign::INTEGRITY, is_integrity),
        (&sign::ENCRYPTED, is_encrypted),
        (&sign::UUID, is_uuid),
        (&sign::LOCATION, is_location),
        (&sign::CODE, is_code),
    ];
    for (sign, holds) in all {
        if holds(value) {
            give(sign, String::new());
        }
    }
}

pub(super) fn has(value: &[u8], part: &str) -> bool {
    memchr::memmem::find(value, part.as_bytes()).is_some()
}

fn is_template(value: &[u8]) -> bool {
    let inside = ["${", "{{", "}}", "<%", "#{", "$(", "%(", "@{", "%{", "{}", "{0}"];
    let ends = |open: &[u8], close: &[u8]| value.len() > 2 && value.starts_with(open) && value.ends_with(close);
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-' | b' ');
    let inner = |value: &[u8]| value.len() > 2 && value[1..value.len() - 1].iter().all(name);
    let variable = |rest: &[u8]| {
        rest.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && language::read(rest).words >= 0.6
            && rest.iter().all(name)
    };
    // `%s` alone or between words; `%dc` is a byte of a URL.
    let formatted = value.windows(2).enumerate().any(|(at, two)| {
        let next = value.get(at + 2).is_some_and(u8::is_ascii_alphanumeric);
        two[0] == b'%' && matches!(two[1], b's' | b'd' | b'v' | b'@') && !next
    });
    (formatted && (value.len() <= 8 || language::read(value).words >= 0.5))
        || inside.iter().any(|part| has(value, part))
        || ends(b"<", b">")
        || places(value).any(|inner| language::read(inner).words >= 0.6)
        || (ends(b"{", b"}") || ends(b"[", b"]") || ends(b"%", b"%") || ends(b"@", b"@")) && inner(value)
        || ends(b"__", b"__")
        || value.split_first().is_some_and(|(first, rest)| {
            let word = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
            (*first == b'$' && rest.iter().all(word)) || (matches!(first, b'$' | b':' | b'@' | b'&') && variable(rest))
        })
}

/// What stands between `<` and `>` where that may be the name of a value: `glpat-<your-token>`.
fn places(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ');
    text.split(|byte| *byte == b'<').skip(1).filter_map(move |rest| {
        let inner = &rest[..rest.iter().position(|byte| *byte == b'>')?];
        (inner.len() >= 3 && inner.iter().all(name)).then_some(inner)
    })
}

/// Whether `text` begins with a place for a value, and not with a tag as HTML has them.
pub(super) fn begins_with_place(text: &[u8]) -> bool {
    let says =
        |inner: &[u8]| language::pieces(inner).iter().any(|piece| is_in(PLACEHOLDERS, piece) || is_in(COMMONS, piece));
    text.starts_with(b"<") && places(&text[..text.len().min(64)]).next().is_some_and(says)
}

/// Words that say that a value stands for another one, where the value is made of words.
const PLACEHOLDERS: &[&str] = &[
    "example",
    "sample",
    "dummy",
    "fake",
    "change",
    "changeme",
    "changeit",
    "your",
    "yours",
    "placeholder",
    "todo",
    "fixme",
    "redacted",
    "removed",
    "masked",
    "insert",
    "enter",
    "replace",
    "here",
    "mock",
    "stub",
    "none",
    "null",
    "undefined",
    "empty",
    "optional",
    "required",
    "deprecated",
    "unused",
    "invalid",
    "wrong",
    "bogus",
    "incorrect",
    "whatever",
    "something",
    "anything",
    "notused",
    "tbd",
];

/// The same, long enough to stand in no random value by chance.
const INNER_PLACEHOLDERS: &[&str] = &[
    "example",
    "changeme",
    "changeit",
    "placeholder",
    "redacted",
    "replaceme",
    "xxxxxx",
    "yourtoken",
    "your-",
    "your_",
    "<your",
    "insert-",
    "insert_",
    "dummy-",
    "dummy_",
];

fn is_placeholder(value: &[u8], reading: Reading) -> bool {
    let lower = value.to_ascii_lowercase();
    let made_of_words = reading.words >= 0.6;
    INNER_PLACEHOLDERS.iter().any(|word| has(&lower, word))
        || (made_of_words && language::pieces(value).iter().any(|piece| is_in(PLACEHOLDERS, piece)))
        || has(value, "...")
        || has(value, "***")
        || has(value, "\u{2022}\u{2022}")
        || has(value, "\u{2026}")
}

/// Words that tests, defaults and tutorials make values of.
const COMMONS: &[&str] = &[
    "test",
    "tests",
    "testing",
    "tester",
    "secret",
    "secrets",
    "password",
    "passwd",
    "pass",
    "token",
    "key",
    "default",
    "foo",
    "bar",
    "baz",
    "qux",
    "foobar",
    "demo",
    "temp",
    "value",
    "string",
    "mypassword",
    "mysecret",
    "supersecret",
    "blah",
    "credential",
    "credentials",
    "auth",
];

fn is_common(value: &[u8], reading: Reading) -> bool {
    let pieces = language::pieces(value);
    let known = |piece: &[u8]| {
        is_in(COMMONS, piece) || COMMONS.iter().any(|word| word.len() >= 6 && has(&piece.to_ascii_lowercase(), word))
    };
    value.len() <= 32 && reading.words >= 0.6 && pieces.iter().any(|piece| known(piece))
}

pub(super) fn is_in(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()))
}

fn is_repeat(value: &[u8]) -> bool {
    let longest = value.chunk_by(|one, two| one == two).map(<[u8]>::len).max().unwrap_or(0);
    let mut seen = [false; 256];
    value.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    let again =
        |period: usize| value.len() >= 3 * period && value[period..].iter().zip(value).all(|(one, two)| one == two);
    (longest >= 4 && longest * 2 >= value.len()) || (value.len() >= 8 && different <= 3) || (1..=8).any(again)
}

/// Counting, as it is or in base64 behind a prefix that ends with a dash.
fn is_sequence(value: &[u8]) -> bool {
    let encoded = value.rsplit(|byte| *byte == b'-').next().unwrap_or(value);
    counts_up(value) || (value.len() >= 12 && data_encoding::BASE64.decode(encoded).is_ok_and(|text| counts_up(&text)))
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
fn is_time(value: &[u8]) -> bool {
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

fn is_documented(value: &[u8]) -> bool {
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
        ["ENC(", "ENC[", "vault:v", "{cipher}", "{AES}", "!vault", "$ANSIBLE_VAULT", "AQICAH"]
            .iter()
            .any(|start| text.starts_with(start.as_bytes()))
    };
    begins(value) || data_encoding::BASE64.decode(value).is_ok_and(|text| begins(&text))
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_location(value: &[u8]) -> bool {
    const ENDS: [&str; 24] = [
        ".pem",
        ".key",
        ".json",
        ".yml",
        ".yaml",
        ".txt",
        ".crt",
        ".cer",
        ".jks",
        ".p12",
        ".pfx",
        ".html",
        ".php",
        ".js",
        ".py",
        ".xml",
        ".properties",
        ".com",
        ".org",
        ".net",
        ".local",
        ".io",
        ".sh",
        ".env",
    ];
    let lower = value.to_ascii_lowercase();
    let starts = |start: &str| lower.starts_with(start.as_bytes());
    let drive = value.len() > 3 && value[0].is_ascii_alphabetic() && &value[1..3] == b":\\";
    let worded = || language::read(value).words >= 0.6;
    has(&lower, "://")
        || drive
        || ["./", "../", "~/", "file:", "arn:", "secretsmanager:", "ssm:", "classpath:", "mailto:", "www."]
            .iter()
            .any(|start| starts(start))
        || (ENDS.iter().any(|end| lower.ends_with(end.as_bytes())) && worded())
        || (value.iter().filter(|byte| **byte == b'/').count() >= 1 && worded())
        || is_address(value)
}

/// `someone@host.tld`.
fn is_address(value: &[u8]) -> bool {
    let Some(at) = value.iter().position(|byte| *byte == b'@') else { return false };
    let (user, host) = (&value[..at], &value[at + 1..]);
    let plain =
        |part: &[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+'));
    let top = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    !user.is_empty()
        && plain(user)
        && plain(host)
        && host.len() > top.len() + 1
        && (2..=6).contains(&top.len())
        && top.iter().all(u8::is_ascii_lowercase)
}

fn is_code(value: &[u8]) -> bool {
    let parts = [
        "()", "->", "=>", "::", "(?", "\\d", "\\w", "\\s", "[a-z", "[A-Z", "[0-9", "[^", " + ", " == ", " && ", " || ",
        "</", "/>", ".*", "';", "\";", "\\n", "\\t",
    ];
    let call = || {
        value.ends_with(b")")
            && value.iter().position(|byte| *byte == b'(').is_some_and(|at| language::read(&value[..at]).words >= 0.6)
    };
    // `required|min:8`: rules of validation.
    let ruled = || value.contains(&b'|') && language::read(value).words >= 0.7;
    // A CSS selector or an XPath.
    let selector = || matches!(value.first(), Some(b'#' | b'.')) && language::read(value).words >= 0.7;
    parts.iter().any(|part| has(value, part)) || call() || ruled() || selector()
}

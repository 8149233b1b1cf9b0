//! What a value says about itself.

use super::language::{self, Reading};
use super::location::{is_file, is_media_type};
use super::pattern::{
    self, is_account, is_algorithm, is_answer, is_expression, is_object, is_prompt, is_sequence, is_span, is_time,
    is_version,
};
use super::sign::{self, Sign};
use super::syntax;

/// Characters of a value, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub lower: usize,
    pub upper: usize,
    pub digits: usize,
    pub spaces: usize,
    /// `_`, `-` and `.`, which join words.
    pub joints: usize,
    /// Bytes of characters that ASCII has not.
    pub foreign: usize,
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
                0x80.. => counts.foreign += 1,
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
        let sizes = [
            (self.lower, 26.0),
            (self.upper, 26.0),
            (self.digits, 10.0),
            (self.joints + self.other + self.foreign, 10.0),
        ];
        if hex { 16.0 } else { sizes.iter().filter(|(count, _)| *count > 0).map(|(_, size)| size).sum() }
    }
}

/// Nobody remembers fewer characters than these as a password, and no machine makes them.
const BRIEF: usize = 6;

/// Letters that cost so many bits in the mean are of no language, those that cost less than the other may be of one.
const STRANGE: f64 = 5.2;
/// As many as letters drawn at random cost.
const DRAWN: f64 = 6.0;
const FAMILIAR: f64 = 4.8;

/// What a value says in base64, if that is printable.
pub(super) fn written(value: &[u8]) -> Option<Vec<u8>> {
    let text = || data_encoding::BASE64.decode(value).ok();
    let mut text = if value.len() >= 8 && value.len().is_multiple_of(4) { text()? } else { return None };
    text.truncate(text.trim_ascii_end().len());
    (text.len() >= 5 && text.iter().all(|byte| matches!(byte, b' '..=b'~'))).then_some(text)
}

/// A value with letters that are written as `\u` and four digits, in UTF-8; `None` if it has none that ASCII has not.
pub(super) fn spelled(value: &[u8]) -> Option<Vec<u8>> {
    let letter = |text: &[u8]| {
        let digits = std::str::from_utf8(text.strip_prefix(b"\\u")?.get(..4)?).ok()?;
        char::from_u32(u32::from_str_radix(digits, 16).ok()?).filter(|letter| !letter.is_ascii())
    };
    let mut plain = Vec::new();
    let (mut rest, mut any) = (value, false);
    while let [first, behind @ ..] = rest {
        match letter(rest) {
            Some(letter) => {
                plain.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
                (rest, any) = (&rest[6..], true);
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    any.then_some(plain)
}

/// Calls `give` with every sign of a value and a detail that holds nothing of it.
pub(super) fn signs(value: &[u8], give: &mut dyn FnMut(&'static Sign, String)) {
    let counts = Counts::of(value);
    let reading = language::read(value);
    pattern::signs(value, give);
    if is_description(value) {
        give(&sign::WORDS, "words that say what it is".to_owned());
    }
    if is_placeholder(value, reading) {
        give(&sign::PLACEHOLDER, String::new());
    } else if is_common(value, reading) {
        give(&sign::COMMON, String::new());
    }
    if syntax::is_sentence(value) || is_phrase(value, counts, reading) {
        // What its letters look like to who reads English says nothing more.
        return give(&sign::PROSE, format!("{} spaces", counts.spaces));
    }
    // `enable password authentication, then`
    if value.split_last().is_some_and(|(last, rest)| *last == b',' && rest.iter().all(u8::is_ascii_alphabetic)) {
        give(&sign::PROSE, "a word before a comma".to_owned());
    }
    if counts.spaces > 0 && (reading.words >= 0.5 || (counts.spaces > 2 && reading.words >= 0.3)) {
        give(&sign::PROSE, format!("{} spaces", counts.spaces));
    }
    if value.len() < BRIEF {
        give(&sign::BRIEF, String::new());
    } else if value.len() < 8 && counts.letters() == value.len() && reading.bits < 5.2 && !is_jumbled(value, counts) {
        give(&sign::SHORT, String::new());
    }
    if is_answer(value) || is_prompt(value) {
        return give(&sign::WORDS, String::new());
    }
    if is_time(value) || is_span(value) || is_version(value) {
        return give(&sign::NUMBER, "a point or a span of time, or a version".to_owned());
    }
    // `0x0010`, `0x00090037`, `0xe7897444`: a constant.
    let few = |rest: &[u8]| matches!(rest.len(), 0..=4 | 8) || (rest.len() <= 16 && rest[0] == b'0');
    let hex = value.strip_prefix(b"0x").is_some_and(|rest| few(rest) && rest.iter().all(u8::is_ascii_hexdigit));
    if hex || (counts.letters() + counts.foreign == 0 && counts.other <= 2) {
        give(&sign::NUMBER, String::new());
    }
    makeup(value, counts, reading, give);
}

/// Words of whatever language: letters alone with spaces between them, or letters that English does not have.
fn is_phrase(value: &[u8], counts: Counts, reading: Reading) -> bool {
    let ends = |byte: &u8| matches!(byte, b'.' | b',' | b':' | b';' | b'?' | b'!' | b'(' | b')');
    let slashed = |byte: u8| byte == b'/' && counts.spaces > 0;
    let letter =
        |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80 || matches!(byte, b'-' | b'\'') || slashed(*byte);
    let word = |word: &[u8]| {
        let end = word.iter().rposition(|byte| !ends(byte)).map_or(0, |at| at + 1);
        let start = word.iter().take(end).take_while(|byte| ends(byte)).count();
        word[start..end].iter().all(letter)
    };
    let told = |part: &[u8]| word(part) || (counts.spaces >= 2 && syntax::is_beside_words(part));
    // `&Contraseña`: the letter behind it is underlined.
    let words = || value.strip_prefix(b"&").unwrap_or(value).split(|byte| *byte == b' ');
    let worded = counts.letters() + counts.foreign > 0 && words().all(told);
    let cased = |word: &[u8]| word.get(1..).is_none_or(|rest| !rest.iter().any(u8::is_ascii_uppercase));
    let spoken = || counts.spaces > 0 && (reading.bits < DRAWN || words().all(cased));
    worded && std::str::from_utf8(value).is_ok() && (counts.foreign > 0 || spoken())
}

/// Whether it looks as if it had been drawn at random.
pub(super) fn is_random(value: &[u8]) -> bool {
    let mut random = false;
    makeup(value, Counts::of(value), language::read(value), &mut |sign, _| random |= sign.name == sign::RANDOM.name);
    random
}

/// What the characters are drawn from.
fn makeup(value: &[u8], counts: Counts, reading: Reading, give: &mut dyn FnMut(&'static Sign, String)) {
    let percent = (reading.words * 100.0).round();
    // What is irregular for another reason.
    let told = has(value, "://")
        || value.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"%2f"))
        || syntax::is_registered(value)
        || value.starts_with(b"urn:")
        || is_file(value)
        || is_media_type(&value.to_ascii_lowercase())
        || is_expression(value)
        || is_algorithm(value)
        || is_object(value);
    let plain = is_joined(value) || (counts.digits + counts.other + counts.foreign == 0 && counts.spaces == 0);
    // What is joined has fewer letters to judge by in a row: `pw_gecos`.
    let enough = if counts.joints == 0 { BRIEF - 1 } else { 2 * BRIEF };
    let dotted = || value.contains(&b'.') && reading.words >= 0.4;
    // Of one word with a hump or none, or several that are joined.
    // `OS.CMD.COPY`, `DB_TOKEN_REF`: a constant.
    let constant = counts.lower == 0 && counts.other == 0 && counts.joints > 0 && counts.digits <= 2;
    if plain && counts.letters() > 0 && (reading.words >= 0.7 || (constant && reading.words >= 0.4) || dotted()) {
        give(&sign::WORDS, format!("words cover {percent} % of its letters"));
    } else if counts.letters() > 0 && counts.spaces == 0 && reading.words >= 0.9 && is_name(value, counts) {
        give(&sign::WORDS, format!("a name of {} words", language::pieces(value).len()));
    } else if counts.letters() > 0
        && counts.digits + counts.other > closing(value)
        && counts.spaces <= 2
        && !told
        && !is_joined(value)
    {
        give(&sign::MIXED, String::new());
    } else if plain && counts.letters() >= enough && (reading.bits >= STRANGE || is_jumbled(value, counts)) {
        give(&sign::UNPRONOUNCEABLE, format!("{:.1} bits a letter", reading.bits));
    } else if plain && counts.letters() > 0 && reading.bits < FAMILIAR {
        give(&sign::WORD_LIKE, format!("{:.1} bits a letter", reading.bits));
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let most = counts.alphabet(hex).min(value.len() as f64).log2();
    let entropy = crate::secret::entropy(value);
    let classes = [counts.lower, counts.upper, counts.digits].iter().filter(|count| **count > 0).count();
    let spread = value.len() >= 16 && classes >= 2 && counts.spaces <= 2 && entropy >= 0.75 * most;
    if spread && reading.words < 0.5 && !told && !is_sequence(value) && !is_account(value) {
        give(&sign::RANDOM, format!("{entropy:.1} of at most {most:.1} bits a character"));
    }
}

/// How many characters at the end close a label and no password: `Passwort:`, `Forgotten?!`.
fn closing(value: &[u8]) -> usize {
    let end = value.iter().rposition(|byte| !b":?!*.".contains(byte)).map_or(0, |at| at + 1);
    let letters = value[..end].iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    if letters { value[end..].iter().filter(|byte| **byte != b'.').count() } else { 0 }
}

/// `tls-split-crl`, `client-1`, `color.primary.500`: short forms of words with joints between them, and a number of one digit at most
/// with each. Groups of the same length are what machines make.
pub(super) fn is_slug(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| b"-_./".contains(byte)).filter(|part| !part.is_empty()).collect();
    let cased = |part: &[u8]| {
        let rest = part.get(1..).unwrap_or_default();
        rest.iter().all(u8::is_ascii_lowercase) || part.iter().all(u8::is_ascii_uppercase)
    };
    let short = |part: &&[u8]| {
        let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let digits = &part[letters..];
        digits.len() <= 1 && digits.iter().all(u8::is_ascii_digit) && cased(&part[..letters])
    };
    let alike = parts.len() >= 3 && parts.iter().all(|part| part.len() == parts[0].len());
    parts.len() >= 2 && !alike && parts.iter().all(short) && value.iter().all(|byte| byte.is_ascii_graphic())
}

/// `azure-native:web:WebApp`, `string|null`: letters alone in parts, with more than joints of names between them.
pub(super) fn is_joined(value: &[u8]) -> bool {
    let part = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_alphabetic);
    value.iter().any(|byte| b":/|,".contains(byte)) && value.split(|byte| b"-_.:/|,".contains(byte)).all(part)
}

/// Capitals inside of words, as nobody writes a name: `xKqWbTz`.
fn is_jumbled(value: &[u8], counts: Counts) -> bool {
    let turns = value.windows(2).filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase()).count();
    counts.lower > 0 && turns * 4 >= value.len()
}

/// Words with joints or humps between them, and a number that is a part of the name: `token_v2`, `utf8Decoder`.
fn is_name(value: &[u8], counts: Counts) -> bool {
    // What stands at the end joins nothing: `SunshineHorse12.`
    let joined = value.split_last().is_some_and(|(_, rest)| rest.iter().any(|byte| b"_-.".contains(byte)));
    counts.other == 0 && counts.digits <= 2 && joined && language::pieces(value).len() >= 2
}

pub(super) fn has(value: &[u8], part: &str) -> bool {
    memchr::memmem::find(value, part.as_bytes()).is_some()
}

/// Whether `text` begins with a place for a value, and not with a tag as HTML has them.
pub(super) fn begins_with_place(text: &[u8]) -> bool {
    let says =
        |inner: &[u8]| language::pieces(inner).iter().any(|piece| is_in(PLACEHOLDERS, piece) || is_in(COMMONS, piece));
    text.starts_with(b"<") && pattern::places(&text[..text.len().min(64)]).next().is_some_and(says)
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
        || value.split(|byte| !byte.is_ascii_alphanumeric()).any(is_filler)
        || is_stub(value)
        || syntax::is_filled(value)
        || lower == b"nullptr"
        || has(value, "...")
        || has(value, "***")
        || has(value, "\u{2022}\u{2022}")
        || has(value, "\u{2026}")
}

/// `a-secret-that-is-very-long`: four words or more, one of which says what it is. Numbers may stand between and behind them.
fn is_description(value: &[u8]) -> bool {
    const WHAT: &[&str] = &["secret", "token", "key", "code", "password", "passwd", "pass", "credential"];
    let parts: Vec<&[u8]> = value.split(|byte| b"-_ .#".contains(byte)).filter(|part| !part.is_empty()).collect();
    let digits = |part: &[u8]| part.len() <= 6 && part.iter().all(u8::is_ascii_digit);
    let word = |part: &[u8]| part.iter().all(u8::is_ascii_lowercase) && language::read(part).words >= 0.9;
    let name =
        |part: &[u8]| part.len() <= 6 && part[0].is_ascii_lowercase() && part.iter().all(u8::is_ascii_alphanumeric);
    let words = parts.iter().filter(|part| word(part)).count();
    words >= 4
        && parts.len() <= words + 2
        && parts.iter().all(|part| word(part) || digits(part) || name(part))
        && parts.iter().any(|part| is_in(WHAT, part))
}

/// A JSON Web Token without a signature, which opens nothing.
fn is_stub(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'.');
    let (claims, signature) = (parts.nth(1), parts.next());
    let empty = |part: Option<&[u8]>| part.is_none_or(|part| part.len() < 8);
    // One that is encrypted has five parts, of which the second may be empty.
    value.starts_with(b"eyJ")
        && claims.is_some()
        && parts.next().is_none()
        && (empty(claims) || signature.is_some_and(<[u8]>::is_empty))
}

/// `xxx` between joints.
fn is_filler(part: &[u8]) -> bool {
    part.len() >= 3 && part.iter().all(|byte| byte.eq_ignore_ascii_case(&b'x'))
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
    value.len() <= 32
        && ((reading.words >= 0.6 && pieces.iter().any(|piece| known(piece))) || is_in(COMMONS, &plain(value)))
}

/// `p4$$w0rd`, `foobar123`, `s3cr3t!`: the letters that its digits and signs stand for, without what is hung on at the end.
fn plain(value: &[u8]) -> Vec<u8> {
    let end = value.iter().rposition(|byte| byte.is_ascii_alphabetic() || b"$@".contains(byte)).map_or(0, |at| at + 1);
    let letter = |byte: &u8| match byte {
        b'0' => b'o',
        b'1' | b'!' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        other => *other,
    };
    value[..end].iter().map(letter).collect()
}

pub(super) fn is_in(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()))
}

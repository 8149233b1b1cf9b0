//! What is written as something else than a secret in the syntax of a language or tool: places for values, masks, types, images,
//! names in directories, sentences with formats in them.

use super::context::Setting;
use super::language;
use super::value::{has, is_in};

fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// `$ENV{HOME}/bin`, `$ARGV[5]`, `$avp(apass)`, `$tmp/htdocs`, `$user:$password`, `'"$PASS"'`, `0x%02hhX`: what a value is put in for.
pub(super) fn is_place(value: &[u8]) -> bool {
    is_variable(value) || has_format(value) || is_number_of_class(value)
}

/// A variable of a shell, Perl, PHP, CMake or Kamailio, and what goes on behind it.
fn is_variable(value: &[u8]) -> bool {
    let inner = value.iter().position(|byte| !b"'\"".contains(byte)).map_or(&b""[..], |at| &value[at..]);
    let is_put = inner.len() < value.len();
    let Some(rest) = inner.strip_prefix(b"$") else { return false };
    let len = rest.iter().take_while(|byte| is_word(byte)).count();
    let (name, behind) = rest.split_at(len);
    let is_name = len >= 3 && (name[0].is_ascii_alphabetic() || name[0] == b'_');
    let worded = || language::read(name).words >= 0.6;
    // `$newrelic-apiKey`
    let is_of_secret = |last: &[u8]| {
        let said = |word: &&[u8]| is_in(&["key", "token", "password", "secret"], word);
        language::pieces(last).last().is_some_and(said) && last.iter().all(u8::is_ascii_alphabetic)
    };
    let is_capital = || name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    is_name
        && match behind {
            [b'{', rest @ ..] => rest.contains(&b'}'),
            [b'[', rest @ ..] => rest.contains(&b']'),
            [b'(', rest @ ..] => rest.contains(&b')') && name.iter().all(u8::is_ascii_lowercase),
            [b'/', rest @ ..] => rest.iter().all(|byte| byte.is_ascii_lowercase() || b"/._-".contains(byte)),
            [b':', b'$', ..] | [b'@', b'$', ..] => true,
            // `$PWD:/srv:z`
            [b':', b'/', ..] => is_capital(),
            [b'"' | b'\'', ..] => is_put && (worded() || is_capital()),
            [b'-', last @ ..] => is_of_secret(last) || (worded() && language::read(last).words >= 0.6),
            _ => false,
        }
}

/// `%08x`, `%02hhX`: no two digits of a byte in a URL are followed by one of these.
fn has_format(value: &[u8]) -> bool {
    value.split(|byte| *byte == b'%').skip(1).any(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let sizes = rest[digits..].iter().take_while(|byte| **byte == b'h').count();
        rest.starts_with(b"0") && (2..=3).contains(&digits) && matches!(rest.get(digits + sizes), Some(b'x' | b'X'))
    })
}

/// `[a-f0-9]{32}`, `^.{8,32}$`.
fn is_number_of_class(value: &[u8]) -> bool {
    let is_count = |rest: &[u8]| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b',');
    let counted = value.strip_suffix(b"}").and_then(|rest| Some((rest, rest.iter().rposition(|byte| *byte == b'{')?)));
    let class = counted.filter(|(rest, at)| is_count(&rest[at + 1..])).map(|(rest, at)| &rest[..at]);
    class.is_some_and(|class| class.starts_with(b"[") && class.ends_with(b"]"))
        || (value.starts_with(b"^") && value.ends_with(b"}$"))
}

/// `$encrypted$`, `*hidden*`: a word that two signs say of that it stands for something.
pub(super) fn is_mask(value: &[u8]) -> bool {
    let letters = |inner: &[u8]| inner.len() >= 4 && inner.iter().all(u8::is_ascii_lowercase);
    let words = |inner: &[u8]| letters(inner) && language::read(inner).words >= 0.9;
    matches!(value, [first @ (b'$' | b'*'), inner @ .., last] if first == last && words(inner))
}

/// A run of the letter that stands for others: `ABCDXXXX`.
pub(super) fn is_filled(value: &[u8]) -> bool {
    has(value, "XXXX") || has(value, "xxxxx")
}

/// `$6$salt$hash`, whatever its length: the names of crypt(3) say what it is.
pub(super) fn is_crypt(value: &[u8]) -> bool {
    const NAMES: &[&[u8]] = &[
        b"$1$",
        b"$2a$",
        b"$2b$",
        b"$2x$",
        b"$2y$",
        b"$5$",
        b"$6$",
        b"$y$",
        b"$7$",
        b"$apr1$",
        b"$argon2",
        b"$pbkdf2",
        b"$scrypt$",
        b"$gy$",
        b"$sha1$",
    ];
    NAMES.iter().any(|name| value.starts_with(name))
}

/// `--fsck=yes`, `id=npmrc,src=.npmrc`, `octets[17]`, `flags.2?true`, `rhost%3D400%26url`, `151px`: an option, a field, a type, a measure.
pub(super) fn is_notation(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let option = || {
        value.strip_prefix(b"--").is_some_and(|rest| {
            let name = rest.iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
            name >= 3 && matches!(rest.get(name), None | Some(b'=')) && language::read(&rest[..name]).words >= 0.5
        })
    };
    let secret = || value.starts_with(b"id=") && [",src=", ",env=", ",type="].iter().any(|part| has(&lower, part));
    let sized = || {
        let name = value.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let size = value[name..].strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        name >= 3 && size.is_some_and(|size| !size.is_empty() && size.iter().all(u8::is_ascii_digit))
    };
    let parameters = || {
        let name = lower.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
        name >= 2 && lower[name..].starts_with(b"%3d") && has(&lower, "%26")
    };
    let measure = || {
        const UNITS: &[&str] = &["px", "em", "rem", "pt", "dp", "sp", "vh", "vw"];
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        digits > 0 && is_in(UNITS, &value[digits..])
    };
    // `remember=5`, `granted=true`
    let set = || {
        let name = value.iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_').count();
        let to = value[name..].strip_prefix(b"=").unwrap_or_default();
        let number = !to.is_empty() && to.len() <= 6 && to.iter().all(u8::is_ascii_digit);
        name >= 3 && (number || is_in(&["true", "false", "yes", "no"], to))
    };
    // What stands between two strings: `"+name+"`.
    let inner = |byte: &u8| is_word(byte) || b"._()".contains(byte);
    let joined = || match value {
        [first @ (b'+' | b'.'), rest @ .., last] if first == last => rest.len() >= 2 && rest.iter().all(inner),
        _ => false,
    };
    let opens = || value.ends_with(b"='") || value.ends_with(b"=\"");
    option() || secret() || sized() || parameters() || measure() || set() || joined() || opens() || has(&lower, "?true")
}

/// `quay.io/corp/app:1.2`, `workspace:^`, `cn=admin,dc=corp`: where something is in a registry or a directory.
pub(super) fn is_registered(value: &[u8]) -> bool {
    const TOPS: &[&str] = &["io", "com", "org", "net", "dev", "gov", "edu", "cloud", "local"];
    let host = value.split(|byte| *byte == b'/').next().unwrap_or_default();
    let is_host = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(byte);
    let top = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let image = host.len() < value.len() && host.len() > top.len() + 1 && host.iter().all(is_host) && is_in(TOPS, top);
    let lower = value.to_ascii_lowercase();
    let entry = ["cn=", "ou=", "dc=", "uid=", "o="].iter().find_map(|name| lower.strip_prefix(name.as_bytes()));
    let named = |rest: &[u8]| rest.first().is_some_and(|first| first.is_ascii_alphabetic() || b"${%".contains(first));
    // `@scope/name`
    let scoped = || {
        value.starts_with(b"@")
            && value.contains(&b'/')
            && value[1..].iter().all(|byte| byte.is_ascii_lowercase() || b"/-._".contains(byte))
    };
    image
        || scoped()
        || ["workspace:", "npm:", "link:", "portal:"].iter().any(|start| lower.starts_with(start.as_bytes()))
        || entry.is_some_and(|rest| named(rest) && (has(&lower, "dc=") || has(&lower, "ou=")))
}

/// Chinese, Japanese or Korean of six characters or more, whatever stands between: `%1$s 此密码将被保存`.
pub(super) fn is_sentence(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let ideographic =
        |letter: &char| matches!(*letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}');
    text.chars().filter(ideographic).count() >= 6
}

/// What in a sentence is no word: a number, a place for one (`%s`, `"%1$s"`, `{0}`).
pub(super) fn is_beside_words(word: &[u8]) -> bool {
    let bare: Vec<u8> = word.iter().copied().filter(|byte| !b"\"'`.,:;!?()".contains(byte)).collect();
    let format = match &bare[..] {
        [b'%', inner @ .., b's' | b'd' | b'@' | b'i' | b'u'] => {
            inner.iter().all(|byte| byte.is_ascii_digit() || b"$l".contains(byte))
        }
        [b'{', inner @ .., b'}'] => inner.len() <= 12 && inner.iter().all(is_word),
        digits => digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit),
    };
    !bare.is_empty() && format
}

/// Whether the value is the type of what its name stands for: `ndr_token_peek: uint32_t (struct list **)`, `val reset_token : buf -> unit`.
pub(super) fn is_signature(setting: &Setting<'_>) -> bool {
    let value = setting.value();
    let rest = &setting.bytes[setting.span.end..setting.bytes.len().min(setting.span.end + 200)];
    let rest = rest.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let is_typed = |inner: &[u8]| ["*", "const ", "struct ", "void", "int ", "&"].iter().any(|word| has(inner, word));
    let parameters = rest.strip_prefix(b" (").is_some_and(is_typed);
    let typed = value.len() > 3 && value.ends_with(b"_t") && value.iter().all(is_word) && value[0].is_ascii_lowercase();
    parameters || typed || rest.starts_with(b" -> ")
}

/// Whether the quote before the value ends a string that begins before it in the line, and what stands behind it is code:
/// `"Tokens: "+fmt.Sprintf("%#v")`.
pub(super) fn is_between_strings(setting: &Setting<'_>) -> bool {
    let Some(open) = setting.span.start.checked_sub(1) else { return false };
    let start = memchr::memrchr(b'\n', &setting.bytes[..open]).map_or(0, |at| at + 1);
    let line = &setting.bytes[start..open];
    let is_quote = |at: &usize| line[*at] == b'"' && (*at == 0 || line[*at - 1] != b'\\');
    let before = (0..line.len()).filter(is_quote).count();
    let value = setting.value();
    let is_code = matches!(value.first(), Some(b'+' | b'.' | b',' | b')' | b']' | b'~' | b' ' | b';'))
        && value.iter().any(|byte| b"+(),.=".contains(byte));
    setting.bytes[open] == b'"' && before % 2 == 1 && is_code
}

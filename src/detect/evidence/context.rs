//! What the bytes around a value say about it.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::between::{is_defined, is_line, is_loose};
use super::language;
use super::name::{is_digest, is_of_password, is_of_secret, is_reader};
use super::sign::{self, Class, Sign};
use super::syntax::{is_between_strings, is_signature};
use super::value::{begins_with_place, has, is_in, is_random};
use super::words::{DIGESTS, EXAMPLES};

/// How far around a match evidence is looked for, in bytes on either side.
pub const AROUND: usize = 2048;

/// The longest name that is read, in bytes.
pub(super) const NAME: usize = 64;

/// A line with more bytes than these was not written by hand.
const LONG: usize = 1000;

/// Names of two words, which may stand with a blank between them.
const APART: &[&[u8]] = &[b"api key", b"access key"];

/// So many others of the same shape make a list of what no longer is one secret.
const MANY: usize = 8;

/// A value where it stands.
pub(super) struct Setting<'b> {
    /// All that may be looked at.
    pub bytes: &'b [u8],
    /// The match, and the value in it.
    pub matched: Range<usize>,
    pub span: Range<usize>,
}

impl<'b> Setting<'b> {
    pub fn value(&self) -> &'b [u8] {
        &self.bytes[self.span.clone()]
    }

    /// The name that the value is given to: what stands around the start of the match and is a name.
    pub fn name(&self) -> &'b [u8] {
        &self.bytes[self.before_name().len()..self.matched.start + self.rest_of_name()]
    }

    /// How many bytes of the match are of the name.
    pub fn rest_of_name(&self) -> usize {
        let matched = &self.bytes[self.matched.start..self.span.start];
        let begins = |two: &&&[u8]| matched.get(..two.len()).is_some_and(|name| name.eq_ignore_ascii_case(two));
        let apart = APART.iter().find(begins).map_or(0, |two| two.len());
        let after = apart + matched[apart..].iter().take_while(|byte| is_of_name(byte)).count();
        after.min(NAME)
    }

    /// What stands before that name.
    pub fn before_name(&self) -> &'b [u8] {
        let floor = self.matched.start.saturating_sub(NAME);
        let before = self.bytes[floor..self.matched.start].iter().rev().take_while(|byte| is_of_name(byte)).count();
        &self.bytes[..self.matched.start - before]
    }

    pub fn line(&self) -> Range<usize> {
        let start = memrchr(b'\n', &self.bytes[..self.matched.start]).map_or(0, |at| at + 1);
        let end = memchr(b'\n', &self.bytes[self.span.end..]).map_or(self.bytes.len(), |at| self.span.end + at);
        start..end
    }

    /// Whether `sign` stands right behind the name.
    pub fn is_given_by(&self, sign: u8) -> bool {
        self.bytes.get(self.matched.start + self.rest_of_name()) == Some(&sign)
    }

    /// Whether quotes, or tags, hold the value.
    pub fn is_quoted(&self) -> bool {
        let before = self.span.start.checked_sub(1).map(|at| self.bytes[at]);
        matches!(before, Some(b'"' | b'\'' | b'`' | b'>'))
    }

    /// Whether the match stands in a string that begins in its line: a connection string, a URL, a text.
    pub fn is_in_string(&self) -> bool {
        let before = &self.bytes[self.line().start..self.matched.start];
        let (mut open, mut last) = (None, b' ');
        for &byte in before {
            match byte {
                b'"' | b'\'' | b'`' if open == Some(byte) && last != b'\\' => open = None,
                // An apostrophe opens nothing, nor does the end of a character.
                b'"' | b'`' if open.is_none() => open = Some(byte),
                b'\'' if open.is_none() && b" \t=([{,:".contains(&last) => open = Some(byte),
                _ => {}
            }
            last = byte;
        }
        open.is_some()
    }
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$')
}

/// Calls `give` with what the way of writing says. `kind` is the rule's.
pub(super) fn writing(setting: &Setting<'_>, kind: &str, give: &mut dyn FnMut(&'static Sign, String)) {
    let between = &setting.bytes[setting.matched.start..setting.span.start];
    assigned(setting, kind, give);
    if is_prefix(setting) || (!setting.is_quoted() && begins_with_place(&setting.bytes[setting.span.end..])) {
        give(&sign::TEMPLATE, String::new());
    }
    // `["--password", "value"]`: an option of a command.
    let option = setting.name().starts_with(b"--");
    if kind == "assignment" && !option && (between.contains(&b',') || (is_called(setting) && is_followed(setting))) {
        give(&sign::LISTED, String::new());
    }
    let behind = setting.bytes[setting.span.end..].iter().find(|byte| !b"\\\"'`".contains(byte));
    let is_read = || is_reader(setting.name(), behind == Some(&b')'));
    if kind == "assignment" && is_called(setting) && !between.contains(&b',') && is_read() {
        give(&sign::OTHER_NAME, "what is read by that name".to_owned());
    }
    if kind == "assignment" && is_outcome(setting) {
        give(&sign::PROSE, "what became of a test".to_owned());
    }
    if kind == "assignment" && is_name_of_other(setting) {
        give(&sign::REFERENCE, String::new());
    }
    // `eof_action=pass:repeatlast=0`: a value itself.
    if setting.name() == b"pass" && setting.before_name().ends_with(b"=") {
        give(&sign::REFERENCE, String::new());
    }
    if kind == "element" && is_of_markup(setting) {
        give(&sign::OTHER_NAME, String::new());
    }
    // `if prefix == "secret-key-" { "one" } else { "other" }`: what stands between the braces is no value of what stands before.
    let opens = |byte: &u8| !b" \t\r\n\\\"".contains(byte);
    let head = &between[..between.iter().rposition(opens).map_or(0, |at| at + 1)];
    if head.ends_with(b"\" {") {
        give(&sign::REFERENCE, String::new());
    }
    if has(between, "==") || has(between, "!=") {
        give(&sign::COMPARED, String::new());
    }
}

/// Calls `give` with how the value is given to its name.
fn assigned(setting: &Setting<'_>, kind: &str, give: &mut dyn FnMut(&'static Sign, String)) {
    let between = &setting.bytes[setting.matched.start..setting.span.start];
    match kind {
        "argument" if is_defined(setting) => give(&sign::QUOTED, String::new()),
        // `creation-token heuristics`: a word of a sentence, not an option.
        "argument" if between.starts_with(b"-") && !setting.name().starts_with(b"-") => {
            give(&sign::PROSE, String::new());
        }
        "row" | "column" if is_digest(setting.value()) => give(&sign::HASHED, "hex of a digest's length".to_owned()),
        "argument" | "row" | "column" | "key-column" => give(&sign::ARGUMENT, String::new()),
        "url" | "authorization" => {
            give(&sign::CREDENTIALS, String::new());
            if kind == "url" && is_local(setting) {
                give(&sign::LOCAL_HOST, String::new());
                if is_made_of_user(between, setting.value()) {
                    give(&sign::COMMON, "made of the user's name".to_owned());
                }
            }
            let listed = between.contains(&b',') && is_followed(setting);
            if kind == "authorization" && (listed || is_scheme(setting) || is_variable(setting)) {
                give(&sign::REFERENCE, String::new());
            }
        }
        // `{token:hex16}` is a place for a value, and `${TOKEN:hex16}` has one.
        "default" if is_default(setting) => give(&sign::SETTING, String::new()),
        "default" => give(&sign::REFERENCE, String::new()),
        // `{"credentials": {"host": {…`: the name of something else.
        // `"Tokens: "+f(x)+"…"`: what stands between two strings.
        _ if is_between_strings(setting) => give(&sign::REFERENCE, String::new()),
        _ if setting.is_quoted() && is_key(setting) => give(&sign::REFERENCE, String::new()),
        _ if is_loose(setting) => give(&sign::PROSE, "no more than blanks between the name and the value".to_owned()),
        _ if setting.is_quoted() => give(&sign::QUOTED, String::new()),
        _ if is_signature(setting) || (is_reference(setting) && !may_be_chosen(setting)) => {
            give(&sign::REFERENCE, String::new())
        }
        _ if is_setting(setting) || is_pair(setting) || is_line(setting) => give(&sign::SETTING, String::new()),
        _ => {}
    }
}

/// `minio:minio123`: whether both are the same but for digits at the end.
fn is_made_of_user(between: &[u8], password: &[u8]) -> bool {
    let user = between.strip_suffix(b":").unwrap_or(between);
    let user = user.rsplit(|byte| matches!(byte, b'/' | b'"' | b'\'' | b' ')).next().unwrap_or_default();
    let stem =
        |name: &[u8]| name[..name.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1)].to_vec();
    user.len() >= 3 && !stem(user).is_empty() && stem(user).eq_ignore_ascii_case(&stem(password))
}

/// Whether a colon follows the quote behind a value that a brace or a comma stands before.
fn is_key(setting: &Setting<'_>) -> bool {
    let between = &setting.bytes[setting.matched.start..setting.span.start];
    let behind = setting.bytes.get(setting.span.end + 1..).unwrap_or_default().trim_ascii_start();
    between.iter().any(|byte| b"{,".contains(byte)) && behind.starts_with(b":")
}

/// Whether the value is an argument of what is named.
pub(super) fn is_called(setting: &Setting<'_>) -> bool {
    setting.bytes[setting.matched.start + setting.rest_of_name()..setting.span.start]
        .trim_ascii_start()
        .starts_with(b"(")
}

/// Whether parameters follow, or the value is a constant: `AWS4-HMAC-SHA256 Credential=…`, `HTTP2_HEADER_RANGE`.
fn is_scheme(setting: &Setting<'_>) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let behind = setting.bytes[setting.span.end..].strip_prefix(b" ").unwrap_or_default();
    let name = behind.iter().take_while(|byte| word(byte)).count();
    let capital = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let value = setting.value();
    (name > 0 && behind.get(name) == Some(&b'=')) || (value.contains(&b'_') && value.iter().all(capital))
}

/// Whether the value is code: `HasPrefix(header.Authorization, signV4Algorithm)`, `"Bearer "+accessToken`, `Bearer realm="`.
fn is_variable(setting: &Setting<'_>) -> bool {
    let (value, between) = (setting.value(), &setting.bytes[setting.matched.start..setting.span.start]);
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+');
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let behind_sign = between.iter().rposition(|byte| matches!(byte, b',' | b'=')).map(|at| &between[at + 1..]);
    let given = behind_sign.is_some_and(|rest| rest.trim_ascii().is_empty());
    let drawn = || digits > 0 && value.iter().all(u8::is_ascii_alphanumeric) && is_random(value);
    let named = value.iter().all(part) && digits <= 3 && !drawn();
    let name = value.strip_suffix(b"=").unwrap_or_default();
    let parameter = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    (named && (given || value.starts_with(b"+"))) || parameter || value.starts_with(b"this.")
}

/// Whether a name is put behind the value: `"file-root:" + path`.
fn is_prefix(setting: &Setting<'_>) -> bool {
    let behind = setting.bytes.get(setting.span.end + 1..).unwrap_or_default().trim_ascii_start();
    let name = behind.strip_prefix(b"+").unwrap_or_default().trim_ascii_start();
    // PHP and Lua have other signs.
    let is_joined = || matches!(behind, [b'.' | b'~' | b'&', b' ' | b'.', ..]) && setting.value().ends_with(b"=");
    setting.is_quoted()
        && matches!(setting.value().last(), Some(b':' | b'/' | b'-' | b'_' | b'=' | b'.'))
        && (name.first().is_some_and(u8::is_ascii_alphabetic) || is_joined())
}

/// Whether the name is none that a value is given to: ``  `name` or `other` ``, `:token:`text`` of reStructuredText, a list of what is
/// passed (`'pass' => ['1']`), a file that stands in another place (`/etc/passwd:/etc/passwd`).
fn is_name_of_other(setting: &Setting<'_>) -> bool {
    let between = &setting.bytes[setting.matched.start + setting.rest_of_name()..setting.span.start];
    let before = setting.before_name().last();
    let quoted = |quote: &u8| before == Some(quote) && between.first() == Some(quote) && between.last() == Some(quote);
    let listed = between.len() > 2 && b"`\"'".iter().any(quoted) && between[1..between.len() - 1].trim_ascii() == b"or";
    let role = before == Some(&b':') && between == b":`";
    let passed = setting.name() == b"pass"
        && between.iter().position(|byte| *byte == b'[').is_some_and(|at| between.get(at + 1) != Some(&b']'));
    // `!GetAtt Key.Value` of CloudFormation.
    let tag = || setting.value().strip_prefix(b"!").is_some_and(|name| name.iter().all(u8::is_ascii_alphabetic));
    let tagged = setting.bytes.get(setting.span.end) == Some(&b' ') && !setting.is_quoted() && tag();
    let mounted = before == Some(&b'/') && between == b":" && setting.value().starts_with(b"/");
    listed || role || passed || tagged || mounted
}

/// Whether a comma follows the quote behind the value.
fn is_followed(setting: &Setting<'_>) -> bool {
    let behind = &setting.bytes[setting.span.end..];
    setting.is_quoted() && behind.get(1..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b","))
}

/// `PASS: gdb.base/foo.exp: print $x1`, `--- PASS: TestFoo2 (0.00s)`: a test has passed.
fn is_outcome(setting: &Setting<'_>) -> bool {
    let line = setting.line();
    let before = &setting.bytes[line.start..setting.matched.start];
    // `Printf("PASS: …`
    let before = before.rsplit(|byte| *byte == b'"').next().unwrap_or(before);
    setting.bytes[setting.matched.start..].starts_with(b"PASS: ")
        && before.iter().all(|byte| b" \t-=#/*>".contains(byte))
        && !setting.is_quoted()
}

/// Attributes of HTML that name what an element is, is for or leads to, not what stands in it.
const ATTRIBUTES: &[&str] =
    &["class", "id", "for", "href", "value", "type", "placeholder", "title", "accesskey", "action", "src"];

/// Whether the name stands in such an attribute, and the value between the tags: `<label for="password">Heslo:</label>`.
fn is_of_markup(setting: &Setting<'_>) -> bool {
    let between = &setting.bytes[setting.matched.start..setting.span.start];
    let name = setting.before_name();
    let Some(tag) = memrchr(b'<', name).filter(|at| name.len() - at <= 200 && memchr(b'>', &name[*at..]).is_none())
    else {
        return false;
    };
    let tag = &name[tag..];
    let attribute =
        memrchr(b'=', tag).map(|at| tag[..at].rsplit(|byte| b" \t\r\n<".contains(byte)).next().unwrap_or_default());
    let is = |name: &[u8]| name.starts_with(b"data-") || name.starts_with(b"aria-") || is_in(ATTRIBUTES, name);
    between.contains(&b'>') && (attribute.is_some_and(is) || setting.name().eq_ignore_ascii_case(b"accesskey"))
}

/// Whether the name before the value is that of a variable: `${NAME:-value}`, `${env:NAME:value}`.
fn is_default(setting: &Setting<'_>) -> bool {
    let before = setting.before_name();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'_' | b'-');
    let scope = before.iter().rev().take(NAME).take_while(|byte| part(byte)).count();
    before[..before.len() - scope].ends_with(b"${")
}

/// A host that is this machine, or a name that documentation may use (RFC 2606). One that is put in later may be any.
fn is_local(setting: &Setting<'_>) -> bool {
    let rest = &setting.bytes[setting.span.end..setting.bytes.len().min(setting.span.end + 80)];
    let host = rest.strip_prefix(b"@").unwrap_or(rest);
    // Oracle's: `@//host`, and `@(DESCRIPTION=…`.
    let host = host.strip_prefix(b"//").unwrap_or(host);
    if host.first().is_some_and(|first| b"$%{<(\"'`".contains(first)) {
        return false;
    }
    let end = host
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')))
        .unwrap_or(host.len());
    let host = host[..end].to_ascii_lowercase();
    let ends = [
        "example.com",
        "example.org",
        "example.net",
        ".example",
        ".test",
        ".invalid",
        "localhost",
        "foo.com",
        "bar.com",
    ];
    host.is_empty()
        || host.starts_with(b"127.")
        || matches!(&host[..], b"host" | b"hostname" | b"server" | b"0.0.0.0" | b"domain.com" | b"foo" | b"bar" | b"h")
        || ends.iter().any(|end| host.ends_with(end.as_bytes()))
}

/// A value without quotes that is a name of something else, or the beginning of an expression.
fn is_reference(setting: &Setting<'_>) -> bool {
    let value = setting.value();
    // What ends a statement is no part of it: `tokenValue = extent.Text;`
    let end = value.iter().rposition(|byte| !b";,)}".contains(byte)).map_or(value.len(), |at| at + 1);
    let value = &value[..end];
    let next = setting.bytes.get(setting.span.end);
    // `Summer2019.`, `Tiger.10`: no name goes on so.
    let odd = |(at, part): (usize, &[u8])| at > 0 && part.first().is_none_or(u8::is_ascii_digit);
    let chosen = || is_of_password(setting) && value.split(|byte| *byte == b'.').enumerate().any(odd);
    let name = value.iter().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'*' | b'&' | b':' | b'?' | b'!' | b'-' | b'>')
    }) && !chosen();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let joined = value.iter().any(|byte| matches!(byte, b'_' | b'.'));
    let words = language::read(value).words;
    let constant = name && joined && !value.iter().any(u8::is_ascii_lowercase) && value[0].is_ascii_uppercase();
    // `PrivateKey = module.PrivateKey`
    let own = setting.name();
    let member = |before: &[u8]| before.ends_with(b".") || (before.ends_with(b"_") && before.contains(&b'.'));
    let same = !own.is_empty() && value.strip_suffix(own).is_some_and(member);
    let environment = [&b"env."[..], b"process.env."].iter().any(|start| value.starts_with(start));
    matches!(next, Some(b'(' | b'[' | b'{'))
        || value.starts_with(b":")
        // The next name of a settings file.
        || value.ends_with(b":")
        || same
        || environment
        || constant
        || (name && words >= 0.6 && digits <= 2)
        || (name && joined && words >= 0.4 && digits <= 4)
        || value.windows(2).any(|two| two == b"->" || two == b"::")
        || value.iter().any(|byte| matches!(byte, b'(' | b'['))
}

/// Whether a value that looks like a name is a password of a settings file, where nothing has a name: `DB_PASSWORD=homestead_99`.
/// In source code it is a name.
pub(super) fn may_be_chosen(setting: &Setting<'_>) -> bool {
    let value = setting.value();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'!' | b'*' | b'?');
    let any = |test: fn(&u8) -> bool| value.iter().any(test);
    let next = setting.bytes.get(setting.span.end);
    any(u8::is_ascii_digit)
        && any(u8::is_ascii_lowercase)
        && value.iter().all(part)
        && !matches!(next, Some(b'(' | b'[' | b'{'))
        && (is_setting(setting) || is_pair(setting))
        && super::name::is_of_password(setting)
        && is_reference(setting)
}

/// What says that the word behind it is a variable with its value.
const SETTERS: &[&str] =
    &["-e", "-E", "-D", "--env", "--build-arg", "--set", "--from-literal", "config:set", "export", "set", "ENV", "ARG"];

/// `-e NAME=value`, `?name=value&…`, `host=db password=value`: a pair that needs no line of its own.
fn is_pair(setting: &Setting<'_>) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let line = &setting.bytes[setting.line().start..setting.matched.start];
    let name = line.iter().rev().take_while(|byte| part(byte)).count();
    let head = &line[..line.len() - name];
    let between = &setting.bytes[setting.matched.start..setting.span.start];
    let words = || head.split(|byte| matches!(byte, b' ' | b'\t' | b'=')).filter(|word| !word.is_empty());
    let set = || words().next_back().is_some_and(|word| SETTERS.iter().any(|setter| word == setter.as_bytes()));
    let last = || head.trim_ascii_end().rsplit(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    let field = || last().contains(&b'=') && !last().ends_with(b",") && !last().ends_with(b"=");
    let ended = setting.bytes.get(setting.span.end).is_none_or(|byte| !matches!(byte, b',' | b')'));
    between.ends_with(b"=")
        && !between.ends_with(b"==")
        && ended
        && match head.last() {
            Some(b'?' | b'&') => has(head, "?"),
            Some(b' ' | b'\t') => set() || field(),
            _ => false,
        }
}

/// `NAME=value`, `name: value`: the name begins the line, and the value ends it.
fn is_setting(setting: &Setting<'_>) -> bool {
    let line = setting.line();
    let before = &setting.bytes[line.start..setting.matched.start];
    let start =
        before.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'-' | b'#' | b';')).unwrap_or(before.len());
    let before = &before[start..];
    let words = ["export ", "set ", "ENV ", "ARG ", "env ", "$env:", "SET ", "-D", "--"];
    let before = words.iter().find_map(|word| before.strip_prefix(word.as_bytes())).unwrap_or(before);
    let named = before
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':' | b'/' | b'"'));
    let after = setting.bytes[setting.span.end..line.end].trim_ascii();
    named && (after.is_empty() || after.starts_with(b"#"))
        // `Server=…;Password=…;`
        || (after.starts_with(b";") && (has(before, ";") || has(before, "=")))
}

/// Calls `give` with what stands around the value.
pub(super) fn surroundings(setting: &Setting<'_>, class: Class, give: &mut dyn FnMut(&'static Sign, String)) {
    let line = setting.line();
    if line.len() > LONG {
        give(&sign::LONG_LINE, format!("more than {LONG} bytes"));
    }
    if is_embedded(setting) {
        give(&sign::EMBEDDED, String::new());
    }
    // Where the rule knows whose it is, or the name says that it is a secret, others behind the same name are secrets, too.
    let count = neighbours(setting, class != Class::Generic || is_list_of_secrets(setting));
    if count >= MANY {
        give(&sign::NEIGHBOURS, format!("at least {MANY} of them"));
    }
    let near = line.start.max(setting.matched.start.saturating_sub(200))..line.end.min(setting.span.end + 200);
    let (before, after) = (&setting.bytes[near.start..setting.span.start], &setting.bytes[setting.span.end..near.end]);
    // A linter was told that it is none.
    let silenced = |text: &[u8]| ["nolint:gosec", "nosec", "noqa: S10"].iter().any(|remark| has(text, remark));
    let says = |text: &[u8]| language::pieces(text).iter().any(|word| is_in(EXAMPLES, word)) || silenced(text);
    if says(before) || says(after) {
        give(&sign::EXAMPLE_LINE, String::new());
    }
    let start = setting.bytes[line.clone()].trim_ascii_start();
    if ["//", "# ", "* ", "/*", "<!--", "-- ", "REM ", "%% "].iter().any(|mark| start.starts_with(mark.as_bytes())) {
        give(&sign::COMMENT, String::new());
    }
    if class == Class::Context && DIGESTS.iter().any(|word| is_named(before, word)) {
        give(&sign::DIGEST_NAME, String::new());
    }
}

/// Whether others behind the same name are secrets, too: it says so, and hashes are no such.
fn is_list_of_secrets(setting: &Setting<'_>) -> bool {
    is_of_secret(setting) && !setting.value().iter().all(u8::is_ascii_hexdigit)
}

/// Whether the last words before a value are of a digest: `sha256 = `, `"checksum": "`.
fn is_named(before: &[u8], word: &str) -> bool {
    language::pieces(before).last().is_some_and(|last| last.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the value is a part of what `;base64,` begins.
fn is_embedded(setting: &Setting<'_>) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let before = &setting.bytes[..setting.span.start];
    let run = before.iter().rev().take_while(|byte| part(byte)).count();
    before[..before.len() - run].ends_with(b"base64,") || run > 256 || is_base85(setting)
}

/// Whether the match stands in a line of ASCII85: nothing but its digits, and as many signs among them as nobody writes without blanks.
fn is_base85(setting: &Setting<'_>) -> bool {
    const LEAST: usize = 56;
    const SIGNS: usize = 14;
    let digit = |byte: &&u8| matches!(byte, b'!'..=b'u' | b'z');
    let before = setting.bytes[..setting.span.start].iter().rev().take(LONG).take_while(digit);
    let line = before.chain(setting.bytes[setting.span.start..].iter().take(LONG).take_while(digit));
    let (mut seen, mut len, mut signs) = ([false; 256], 0, 0);
    line.for_each(|byte| {
        len += 1;
        signs += usize::from(byte.is_ascii_punctuation());
        seen[usize::from(*byte)] |= byte.is_ascii_punctuation();
    });
    // A third of its digits are signs; of a URL fewer, and not so many kinds.
    len >= LEAST && signs * 10 >= len * 3 && seen.iter().filter(|seen| **seen).count() >= SIGNS
}

/// So many bytes before two values tell that both are given to the same name.
const SAME: usize = 12;

/// How many other runs of the same length and alphabet there are, at most [`MANY`]; of secrets without those that are given to the
/// same name.
fn neighbours(setting: &Setting<'_>, of_secret: bool) -> usize {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    let value = setting.value();
    if value.len() < 16 || !value.iter().all(part) {
        return 0;
    }
    let alphabet = |text: &[u8]| {
        let any = |test: fn(&u8) -> bool| text.iter().any(test);
        let hex = text.iter().all(u8::is_ascii_hexdigit);
        (hex, any(u8::is_ascii_uppercase), any(u8::is_ascii_lowercase), any(u8::is_ascii_digit))
    };
    let wanted = alphabet(value);
    let before = |run: &[u8]| {
        let at = run.as_ptr() as usize - setting.bytes.as_ptr() as usize;
        &setting.bytes[at.saturating_sub(SAME)..at]
    };
    let own = before(value);
    let same = |run: &&[u8]| run.len() == value.len() && alphabet(run) == wanted && *run != value;
    let other = |run: &&[u8]| !of_secret || before(run) != own;
    let around = [&setting.bytes[..setting.span.start], &setting.bytes[setting.span.end..]];
    let runs = around.iter().flat_map(|side| side.split(|byte| !part(byte)));
    runs.filter(|run| same(run) && other(run)).take(MANY).count()
}

//! Whether a name and a value with nothing but blanks between them belong together.

use super::context::Setting;
use super::value::{is_in, is_random};

/// What gives a value to the name behind it without a sign between them.
const DIRECTIVES: &[&str] = &["#define", "%define", "set", "setenv", "export", "setx", "let", "env"];

/// What a command is told that sets something: `aws configure set NAME value`, `npm config set NAME value`.
const SETTING: &[&str] = &["config", "configure", "config:set"];

/// Whether nothing but blanks stands between name and value, and they are neither a directive (`#define NAME "value"`) nor of a command
/// that sets something, nor the whole line: then both may be words of a sentence. What is quoted and drawn at random is no word.
pub(super) fn is_loose(setting: &Setting<'_>) -> bool {
    let between = &setting.bytes[setting.matched.start + setting.rest_of_name()..setting.span.start];
    let blank = between.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'@'));
    let line = setting.bytes[setting.line()].trim_ascii_start();
    let directive = || {
        let first = line.split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default();
        is_in(DIRECTIVES, first) || line.starts_with(b"# define ")
    };
    let before = &setting.bytes[setting.line().start..setting.matched.start];
    let set = || before.split(|byte| matches!(byte, b' ' | b'\t')).skip(1).any(|word| is_in(SETTING, word));
    let one = || !setting.value().iter().any(|byte| b" \t$%{<".contains(byte));
    let told = || set() || (setting.is_quoted() && one() && is_random(setting.value()));
    blank
        && matches!(between.first(), Some(b' ' | b'\t'))
        && !directive()
        && !is_defined(setting)
        && !is_line(setting)
        && !told()
}

/// `:password "value"`, `@api_key "value"`, `(def api-key "value")`: what Lisps and Elixir write for a name and its value.
pub(super) fn is_defined(setting: &Setting<'_>) -> bool {
    const DEFINERS: &[&str] =
        &["def", "setq", "setf", "defvar", "defconst", "defparameter", "defcustom", "define", "let"];
    let between = &setting.bytes[setting.matched.start + setting.rest_of_name()..setting.span.start];
    let blank = between.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'"'));
    let before = setting.before_name();
    let marked = match before {
        [rest @ .., b':' | b'@'] => rest.last().is_none_or(|byte| b" \t\n([{,".contains(byte)),
        _ => {
            let opened = before.iter().rposition(|byte| matches!(byte, b'(' | b'\n')).map(|at| &before[at..]);
            opened.and_then(|rest| rest.strip_prefix(b"(")).is_some_and(|word| is_in(DEFINERS, word.trim_ascii_end()))
        }
    };
    blank && setting.is_quoted() && marked
}

/// Whether name and value are the whole line but for quotes and a semicolon or comma: a directive of a settings file.
pub(super) fn is_line(setting: &Setting<'_>) -> bool {
    let line = setting.line();
    let name = setting.before_name().len().max(line.start);
    let before = &setting.bytes[line.start..name];
    let after = setting.bytes[setting.span.end..line.end].trim_ascii();
    before.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'-'))
        && matches!(after, b"" | b";" | b"\"" | b"'" | b"\";" | b"';" | b"\"," | b"',")
}

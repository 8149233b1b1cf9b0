//! Untrusted text for each channel: terminal, URI, JSON, Markdown, SARIF message.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::Serialize;

/// Whether a person sees the character as itself: no control, format or unassigned character, no blank but the space,
/// nothing of zero width that is not a mark over its letter.
pub fn is_visible(c: char) -> bool {
    // What is invisible by design although Unicode counts it among letters and marks (Default_Ignorable_Code_Point).
    let ignorable = matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}');
    // The standard library knows the rest: it leaves in `Debug` output what is printable, quotes and backslash apart.
    // A leading letter makes it judge a combining mark as a mark over that letter.
    let printable = || {
        let mut text = [b'a', 0, 0, 0, 0];
        let end = 1 + c.encode_utf8(&mut text[1..]).len();
        std::str::from_utf8(&text[..end]).is_ok_and(|text| text.escape_debug().count() == 2)
    };
    (' '..='~').contains(&c) || (!c.is_ascii() && !ignorable && printable())
}

/// One line that a terminal shows and does not obey: what is not visible becomes `\u{1b}`, `\n`, `\t`. A backslash
/// stays one, so this is for people and cannot be undone. `##[` and `##vso[` are broken, because the logs of GitHub
/// Actions and Azure Pipelines obey them in the middle of a line.
pub fn terminal(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let command = || text[at..].starts_with("#[") || text[at..].starts_with("#vso[");
        if c == '#' && line.ends_with('#') && command() {
            line.push_str("\\u{23}");
        } else if is_visible(c) {
            line.push(c);
        } else if matches!(c, '\n' | '\r' | '\t') {
            line.extend(c.escape_default());
        } else {
            line.extend(c.escape_unicode());
        }
    }
    line
}

/// A path as one line for a terminal; bytes that are no UTF-8 become `\xff`.
pub fn terminal_path(path: &Path) -> String {
    let mut line = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        line.push_str(&terminal(chunk.valid()));
        for byte in chunk.invalid() {
            write!(line, "\\x{byte:02x}").expect("writing to a string does not fail");
        }
    }
    line
}

/// Only what keeps a line a line, for text that goes to no terminal.
pub fn line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

/// Everything but RFC 3986's unreserved characters and the `/`.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Bytes as a URI's path: every byte but `A-Z a-z 0-9 - . _ ~ /` becomes `%XX`.
pub fn percent(bytes: &[u8]) -> String {
    percent_encode(bytes, PATH).to_string()
}

/// A repository's address without user, password, query and fragment; `None` if it is no address of another machine.
/// `git@host:path` becomes `ssh://host/path`.
pub fn repository(address: &str) -> Option<String> {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest.to_owned()),
        None => {
            let (host, path) = address.split_once(':')?;
            ("ssh".to_owned(), format!("{host}/{}", path.trim_start_matches('/')))
        }
    };
    if !matches!(scheme.as_str(), "http" | "https" | "ssh" | "git") {
        return None;
    }
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next()?;
    let host_is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    // `C:\src`, `dir/x:y`: a path of this machine. A path with an `@` before its end may be a password with a `/`.
    if host.len() < 2 || !host.chars().all(host_is_plain) || path.contains('@') {
        return None;
    }
    Some(format!("{scheme}://{host}/{}", percent(path.as_bytes())))
}

/// Text in which Markdown and HTML see nothing to do, on one line.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        if "\\`*_{}[]()<>#!|~&@".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text as a Markdown code span, with a fence longer than any run of backticks inside.
pub fn code(text: &str) -> String {
    let text = terminal(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text of a SARIF message, where braces are placeholders and brackets are links (SARIF 2.1.0, 3.11.5 and 3.11.6).
pub fn sarif_message(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace('{', "{{").replace('}', "}}")
}

/// A value as JSON in which every invisible character is escaped, so that no terminal obeys it and no reviewer
/// misses it. Outside of strings JSON is ASCII, so what is escaped stands in a string.
pub fn json(value: &impl Serialize, pretty: bool) -> io::Result<String> {
    let text = if pretty { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
    let invisible = |c: &char| *c == '\u{7f}' || (!c.is_ascii() && !is_visible(*c));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| invisible(c)) {
        out.push_str(&text[done..at]);
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}").expect("writing to a string does not fail");
        }
        done = at + c.len_utf8();
    }
    out.push_str(&text[done..]);
    Ok(out)
}

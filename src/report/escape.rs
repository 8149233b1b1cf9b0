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

/// Everything but RFC 3986's unreserved characters.
const COMPONENT: &AsciiSet = &PATH.add(b'/');

/// Bytes as a URI's path: every byte but `A-Z a-z 0-9 - . _ ~ /` becomes `%XX`.
pub fn percent(bytes: &[u8]) -> String {
    percent_encode(bytes, PATH).to_string()
}

/// Bytes as one component of a URI: as [`percent`], and `/` becomes `%2F`.
pub fn percent_component(bytes: &[u8]) -> String {
    percent_encode(bytes, COMPONENT).to_string()
}

/// A repository's address without user, password, query and fragment; `None` if it is no address of another machine.
/// `git@host:path` becomes `ssh://host/path`.
pub fn repository(address: &str) -> Option<String> {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest.to_owned()),
        None => {
            // `ext::COMMAND`: what a program makes of it, and its arguments, are no address.
            let (host, path) = address.split_once(':').filter(|(_, path)| !path.starts_with(':'))?;
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
    // Empty, the fences would be one longer fence.
    let pad = if longest > 0 || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text of a SARIF message, where braces are placeholders and brackets are links (SARIF 2.1.0, 3.11.5 and 3.11.6).
pub fn sarif_message(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace('{', "{{").replace('}', "}}")
}

/// Text of a workflow command of GitHub Actions, after the second `::`. The runner undoes `%25`, `%0D` and `%0A`.
pub fn workflow_data(text: &str) -> String {
    terminal(text).replace('%', "%25")
}

/// Text of a property of a workflow command, which ends at `,` or `:`.
pub fn workflow_property(text: &str) -> String {
    workflow_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text of an XML element or attribute, on one line. XML 1.0 cannot hold most control characters in any form.
pub fn xml(text: &str) -> String {
    let text = terminal(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// A field of a table that no spreadsheet takes for a formula: what begins like one gets a `'` in front (OWASP, "CSV
/// injection"; full-width signs count as signs).
pub fn spreadsheet(text: &str) -> String {
    let text = terminal(text);
    let formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if formula { format!("'{text}") } else { text }
}

/// Text as code in a cell of a Markdown table. A bar would end the cell even in a code span, and a backslash before it
/// would not help: such text is an HTML element of entities.
pub fn cell(text: &str) -> String {
    let text = terminal(text);
    if !text.contains(['|', '\\']) {
        return code(&text);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ' || !c.is_ascii();
    let entity = |c: char| if plain(c) { c.to_string() } else { format!("&#{};", u32::from(c)) };
    format!("<code>{}</code>", text.chars().map(entity).collect::<String>())
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

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn invisible_is_what_unicode_calls_control_format_blank_or_ignorable() {
        for c in "\0\n\t\u{1b}\u{7f}\u{85}\u{9b}\u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{180e}\u{200b}\u{200d}\u{200e}\
            \u{2028}\u{202e}\u{2060}\u{2066}\u{3000}\u{3164}\u{fe0f}\u{feff}\u{fff9}\u{e0041}\u{e0101}\u{10ffff}"
            .chars()
        {
            assert!(!is_visible(c), "U+{:04X}", u32::from(c));
        }
        for c in " ~'\"\\é日…😀\u{301}\u{94d}ß".chars() {
            assert!(is_visible(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn repository_addresses_lose_their_credentials() {
        for (given, shown) in [
            ("https://u:p@host.org:8443/o/r.git", Some("https://host.org:8443/o/r.git")),
            ("https://x@y@host.org/r?token=1#f", Some("https://host.org/r")),
            ("git@host.org:o/r.git", Some("ssh://host.org/o/r.git")),
            ("SSH://git@[::1]:22/r", Some("ssh://[::1]:22/r")),
            // A `/` in a password ends the authority; what follows may be the rest of the password.
            ("https://u:p/w@host.org/r", None),
            ("https://u:p w/host", None),
            ("file:///srv/r.git", None),
            ("../r.git", None),
            ("C:\\r", None),
            ("ext::sh -c x y", None),
        ] {
            assert_eq!(repository(given).as_deref(), shown, "{given}");
        }
    }

    proptest! {
        #[test]
        fn a_terminal_line_is_one_visible_line(
            text in any::<String>(), command in "(##\\[x|##vso\\[|\x1b|\u{202e}|#)*",
        ) {
            let line = terminal(&format!("{text}{command}"));
            prop_assert!(line.chars().all(is_visible), "{line:?}");
            prop_assert!(!line.contains("##[") && !line.contains("##vso["), "{line:?}");
        }

        #[test]
        fn visible_text_is_left_alone(text in "[a-zA-Z0-9 _./\\\\é日😀-]*") {
            prop_assert_eq!(terminal(&text), text);
        }

        #[test]
        fn json_says_the_same_and_shows_nothing_invisible(text in any::<String>()) {
            for pretty in [false, true] {
                let json = json(&text, pretty).unwrap();
                prop_assert!(json.chars().all(is_visible), "{json:?}");
                prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
            }
        }

        #[test]
        fn markdown_keeps_its_characters_apart(text in any::<String>()) {
            let markdown = markdown(&text);
            let special = |rest: &str| rest.starts_with(|c: char| "`*_{}[]()<>#!|~&@".contains(c));
            let bare = markdown.replace("\\\\", "").split('\\').skip(1).all(special);
            prop_assert!(bare && !markdown.contains('\n'), "{markdown:?}");
        }

        #[test]
        fn a_cell_is_one_cell_of_code(text in "[ab|\\\\`<>&*_@#: ]{1,12}") {
            use pulldown_cmark::{Event, Options, Parser, TagEnd};
            let table = format!("| h | i |\n| - | - |\n| {} | end |\n", cell(&text));
            let (mut shown, mut cells) = (String::new(), 0);
            for event in Parser::new_ext(&table, Options::all()) {
                match event {
                    Event::Code(part) | Event::Text(part) => shown.push_str(&part),
                    Event::End(TagEnd::TableCell) => cells += 1,
                    Event::InlineHtml(tag) => prop_assert!(matches!(&*tag, "<code>" | "</code>"), "{}", table),
                    Event::Start(_) | Event::End(_) => {}
                    other => prop_assert!(false, "{:?} in {}", other, table),
                }
            }
            prop_assert_eq!(cells, 4, "{}", table);
            // A code span of one blank, or with one at its edge, may lose it.
            let solid = |text: &str| text.replace(' ', "");
            prop_assert_eq!(solid(&shown), solid(&format!("hi{text}end")), "{}", table);
        }

        #[test]
        fn xml_says_the_same(text in any::<String>()) {
            let document = format!("<a b=\"{0}\">{0}</a>", xml(&text));
            let document = roxmltree::Document::parse(&document).unwrap();
            let root = document.root_element();
            let shown = terminal(&text);
            prop_assert_eq!(root.attribute("b"), Some(shown.as_str()));
            prop_assert_eq!(root.text().unwrap_or_default(), shown);
        }

        #[test]
        fn a_workflow_property_ends_where_it_should(text in any::<String>(), more in "[%:,\r\n0AD]{0,8}") {
            let text = format!("{text}{more}");
            let escaped = workflow_property(&text);
            prop_assert!(!escaped.contains([':', ',', '\r', '\n']), "{escaped}");
            let undone = escaped.replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
            prop_assert_eq!(undone, terminal(&text));
        }

        #[test]
        fn no_field_begins_like_a_formula(text in "[ \t\r\n]{0,2}[-=+@＝＋－＠a]{0,2}.{0,4}") {
            let field = spreadsheet(&text);
            prop_assert!(!field.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{field}");
        }

        #[test]
        fn a_code_span_ends_where_it_should(text in "[`a ]*") {
            let span = code(&text);
            let runs: Vec<usize> = span.split(|c| c != '`').map(str::len).filter(|run| *run > 0).collect();
            let (fence, last) = (runs[0], runs[runs.len() - 1]);
            prop_assert!(runs.len() >= 2 && fence == last, "{span}");
            prop_assert!(runs[1..runs.len() - 1].iter().all(|run| *run < fence), "{span}");
        }

        #[test]
        fn percent_is_undone_by_any_decoder(bytes in any::<Vec<u8>>()) {
            for text in [percent(&bytes), percent_component(&bytes)] {
                prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
                let decoded: Vec<u8> = percent_encoding::percent_decode_str(&text).collect();
                prop_assert_eq!(&decoded, &bytes);
            }
        }
    }
}

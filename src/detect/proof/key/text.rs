//! Undoes what a text does to the lines of a key: escapes, quotes, indents, comment marks, seams of strings.

use memchr::memmem;
use zeroize::Zeroizing;

use super::{Bad, Read};

/// What stands between the header and the end of a block.
pub(super) struct Body {
    /// Nothing but digits of base64.
    pub base64: Zeroizing<Vec<u8>>,
    /// OpenPGP: four digits behind `=`.
    pub checksum: Option<Vec<u8>>,
    /// `Proc-Type: 4,ENCRYPTED`
    pub is_encrypted: bool,
    /// `DEK-Info: <cipher>,<hex>`
    pub has_cipher: bool,
}

/// Words of this many digits are base64 even where prose stands before them.
const LINE: usize = 40;

/// The longest remark behind a header, with its end of line.
const REMARK: usize = 36;

/// Tags that HTML puts between or around lines.
const TAGS: &[&[u8]] = &[b"br", b"br/", b"br /", b"p", b"/p", b"pre", b"/pre", b"code", b"/code", b"div", b"/div"];

/// A block of a private key.
pub(super) struct Block<'t> {
    pub label: &'t [u8],
    /// What stands between its header and its end; of one without an end all that follows.
    pub inside: &'t [u8],
    pub has_end: bool,
}

/// The first block of a private key.
pub(super) fn private_block(text: &[u8]) -> Option<Block<'_>> {
    memmem::find_iter(text, b"BEGIN ").find_map(|at| {
        let rest = &text[at + b"BEGIN ".len()..];
        let dashes = rest.iter().take(60).position(|&byte| byte == b'-')?;
        let label = rest[..dashes].trim_ascii_end();
        memmem::find(label, b"PRIVATE KEY")?;
        let rest = &rest[dashes..];
        let inside = behind_remark(&rest[rest.iter().take_while(|&&byte| byte == b'-').count()..]);
        let end = memmem::find_iter(inside, b"END ").find(|&at| inside[..at].trim_ascii_end().ends_with(b"-"));
        let inside = &inside[..end.unwrap_or(inside.len())];
        let dashes = inside.trim_ascii_end().iter().rev().take_while(|&&byte| byte == b'-').count();
        let inside = if end.is_some() { &inside[..inside.trim_ascii_end().len() - dashes] } else { inside };
        Some(Block { label, inside, has_end: end.is_some() })
    })
}

/// Words behind the header, on its line, say nothing about the key; as base64 they would spoil it.
fn behind_remark(inside: &[u8]) -> &[u8] {
    let end = inside.iter().take(REMARK).position(|byte| matches!(byte, b'\n' | b'\r' | b'\\')).unwrap_or(0);
    let remark = &inside[..end];
    let words = remark.iter().all(|&byte| byte.is_ascii_alphabetic() || byte == b' ');
    if words && remark.starts_with(b" ") { &inside[end..] } else { inside }
}

/// The base64 of a text with everything else taken away; an error where something stands in it that is neither base64 nor
/// what writers put around it.
pub(super) fn body(text: &[u8]) -> Read<Body> {
    let plain = undo(text);
    if memmem::find(&plain, b"..").is_some() {
        return Err(Bad::Wrong("parts of it are left out"));
    }
    let mut body = Body { base64: Zeroizing::default(), checksum: None, is_encrypted: false, has_cipher: false };
    for line in unmarked(&plain) {
        body.line(line)?;
    }
    Ok(body)
}

/// The lines without a mark that all of them begin with: that of a comment or of a difference.
fn unmarked(text: &[u8]) -> Vec<&[u8]> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
    let marked = |mark: &&&[u8]| lines.len() > 2 && lines.iter().all(|line| line.starts_with(mark));
    let mark = [&b"//"[..], b"--", b"+", b"-"].iter().find(marked).map_or(0, |mark| mark.len());
    lines.iter().map(|line| line[mark..].trim_ascii()).collect()
}

impl Body {
    fn line(&mut self, mut line: &[u8]) -> Read<()> {
        if self.base64.is_empty()
            && let Some(rest) = self.headers(line)
        {
            line = rest;
        }
        for word in line.split(|&byte| is_between(byte)).filter(|word| !word.is_empty()) {
            self.word(word)?;
        }
        Ok(())
    }

    /// What stands behind the headers that a line begins with: a key on one line has its base64 there.
    fn headers<'l>(&mut self, line: &'l [u8]) -> Option<&'l [u8]> {
        let mut rest = line;
        while let Some(colon) = header(rest) {
            let (name, value) = (&rest[..colon], rest[colon + 1..].trim_ascii_start());
            let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
            match name {
                b"Proc-Type" => self.is_encrypted = value[..end].ends_with(b"ENCRYPTED"),
                b"DEK-Info" => self.has_cipher = value[..end].contains(&b','),
                _ => return Some(from_long_word(value)),
            }
            rest = value[end..].trim_ascii_start();
        }
        (rest.len() < line.len()).then_some(rest)
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        match word {
            // The operator between two strings, the mark of a comment, an item of a list.
            b"+" | b"/" | b"//" | b"-" | b"--" | b"\\" => return Ok(()),
            [b'=', digits @ ..] if digits.len() == 4 => {
                self.checksum = Some(digits.to_vec());
                return Ok(());
            }
            _ => {}
        }
        let padding = word.iter().rev().take_while(|&&byte| byte == b'=').count();
        let digits = &word[..word.len() - padding];
        if !digits.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')) || padding > 2 {
            return Err(Bad::Wrong("what stands in it is not base64"));
        }
        self.base64.extend_from_slice(digits);
        Ok(())
    }
}

/// Where the colon stands, if `line` begins with a header's name.
fn header(line: &[u8]) -> Option<usize> {
    let name = line.iter().take(30).take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'-').count();
    (name > 0 && line.get(name) == Some(&b':')).then_some(name)
}

/// `text` from the first word on that is as long as a line of base64.
fn from_long_word(text: &[u8]) -> &[u8] {
    let long = text.split(u8::is_ascii_whitespace).find(|word| {
        word.len() >= LINE
            && word.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
    });
    long.and_then(|word| memmem::find(text, word)).map_or(&[], |at| &text[at..])
}

/// What stands between the words of a key: blanks, quotes, operators, marks.
fn is_between(byte: u8) -> bool {
    byte.is_ascii_whitespace() || br#""'`,;()|>*#.&_[]"#.contains(&byte)
}

/// `text` with line ends and signs in place of their escapes, however often they were escaped: `\n`, `\\n`, `\u002b`,
/// `&#10;`, `<br>`.
pub(super) fn undo(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let undone = match first {
            b'\\' => backslash(rest),
            b'<' => tag(behind),
            b'&' => entity(behind),
            _ => None,
        };
        let (byte, len) = undone.unwrap_or((first, 1));
        plain.push(byte);
        rest = &rest[len..];
    }
    plain
}

fn backslash(text: &[u8]) -> Option<(u8, usize)> {
    let slashes = text.iter().take_while(|&&byte| byte == b'\\').count();
    let hex = |digits: Option<&[u8]>| u8::from_str_radix(std::str::from_utf8(digits?).ok()?, 16).ok();
    let (byte, len) = match text[slashes..] {
        [b'n' | b'r', ..] => (b'\n', 1),
        [b't', ..] => (b' ', 1),
        [b'u', b'0', b'0', ..] => (hex(text.get(slashes + 3..slashes + 5))?, 5),
        [b'x', ..] => (hex(text.get(slashes + 1..slashes + 3))?, 3),
        [byte @ (b'"' | b'\'' | b'/' | b'='), ..] => (byte, 1),
        _ => (b' ', 0),
    };
    Some((byte, slashes + len))
}

fn tag(behind: &[u8]) -> Option<(u8, usize)> {
    let end = behind.iter().take(6).position(|&byte| byte == b'>')?;
    TAGS.iter().any(|tag| behind[..end].eq_ignore_ascii_case(tag)).then_some((b'\n', end + 2))
}

fn entity(behind: &[u8]) -> Option<(u8, usize)> {
    let end = behind.iter().take(7).position(|&byte| byte == b';')?;
    let byte = match std::str::from_utf8(&behind[..end]).ok()? {
        "quot" | "apos" | "nbsp" => b' ',
        name => match name.strip_prefix("#x").or(name.strip_prefix("#X")) {
            Some(digits) => u8::from_str_radix(digits, 16).ok()?,
            None => name.strip_prefix('#')?.parse().ok()?,
        },
    };
    Some((byte, end + 2))
}

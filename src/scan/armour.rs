//! Redacts a private key whose lines have a log's prefix each: no pattern of a whole key goes over that.
//!
//! Line by line, from the one that begins a key on, for as long as lines with the same prefix are of armour.

use std::cmp::Reverse;
use std::io::{self, Write};

use memchr::{memchr, memmem, memrchr};

use crate::rule::{ProofKind, RuleSet};

/// Longest line that may be one of a key, in bytes. Those of armour have 76 at most, the rest is prefix.
const LONGEST: usize = 1 << 10;

/// The least of the first line of a key, in bytes.
const FULL: usize = 40;

/// Lines of others, in a row, that may stand between two of a key.
const BETWEEN: usize = 64;

/// Every first line of a key has it.
const BEGIN: &[u8] = b"BEGIN ";

/// Passes on a stream, but no such key.
#[derive(Debug)]
pub(super) struct Armour {
    begin: memmem::Finder<'static>,
    /// What stands for a line of a key; nothing where nobody asks for keys.
    mark: Option<String>,
    /// What has come of the current line; of one that is no longer than [`LONGEST`].
    line: Vec<u8>,
    key: Option<Key>,
}

/// A key that has begun.
#[derive(Debug)]
struct Key {
    prefix: Prefix,
    /// There was a line of it.
    has_lines: bool,
    /// Lines of others since the last of its own.
    others: usize,
}

/// What stands before each line, with one `0` for each number: they count up, and times go on.
#[derive(Debug)]
struct Prefix(Vec<u8>);

/// What a line is to a key that has begun.
enum Part {
    /// Of its secret.
    Armour,
    /// A header of it, or something of it that was redacted.
    About,
    /// Of something else that is written at the same time.
    Other,
    /// Not of it any more.
    End,
}

impl Armour {
    /// Redacts keys if one of `rules` goes by how they begin.
    pub(super) fn new(rules: &RuleSet) -> Self {
        let by_header = |keyword: &String| keyword == "private key" || keyword == "-----begin";
        let of_keys = rules.rules.iter().filter(|rule| rule.keywords.iter().any(by_header));
        // One that reads keys says more than one that goes by the words.
        let rule = of_keys.max_by_key(|rule| (rule.proof == Some(ProofKind::PrivateKey), Reverse(&rule.id)));
        let mark = rule.map(|rule| format!("[stanch: {} ****]", rule.id));
        Armour { begin: memmem::Finder::new(BEGIN), mark, line: Vec::new(), key: None }
    }

    /// Passes on what came next. What is passed on does not depend on where the stream is cut.
    pub(super) fn write(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        if self.mark.is_none() {
            return out.write_all(bytes);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.key.is_none() && self.line.is_empty() {
                // Most lines begin none, and go on at once.
                let begin = self.begin.find(rest).unwrap_or(rest.len());
                let lines = memrchr(b'\n', &rest[..begin]).map_or(0, |at| at + 1);
                out.write_all(&rest[..lines])?;
                rest = &rest[lines..];
            }
            let (piece, behind) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |at| at + 1));
            rest = behind;
            match self.key {
                Some(_) => self.line.extend_from_slice(piece),
                None => {
                    out.write_all(piece)?;
                    self.line.extend_from_slice(&piece[..piece.len().min(LONGEST - self.line.len())]);
                }
            }
            if self.line.len() > LONGEST {
                out.write_all(&self.line)?;
                self.key = None;
                self.line.truncate(LONGEST);
            }
            if piece.ends_with(b"\n") {
                self.end_line(out)?;
            }
        }
        Ok(())
    }

    /// Passes on what is left at the end of the stream.
    pub(super) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.end_line(out)
    }

    fn end_line(&mut self, out: &mut impl Write) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let Some(key) = &mut self.key else {
            self.key = Key::begun(&line);
            return Ok(());
        };
        let (part, prefix) = key.part(&line);
        match (part, &self.mark) {
            (Part::Armour, Some(mark)) => {
                let end = prefix + text(&line[prefix..]).len();
                out.write_all(&line[..prefix])?;
                out.write_all(mark.as_bytes())?;
                return out.write_all(&line[end..]);
            }
            (Part::End, _) => self.key = Key::begun(&line),
            _ => {}
        }
        out.write_all(&line)
    }
}

impl Key {
    /// The key that a line begins, if there is something that counts before it: else the rules see it whole.
    fn begun(line: &[u8]) -> Option<Self> {
        let begin = memmem::find(line, BEGIN)?;
        let name = text(&line[begin + BEGIN.len()..]).strip_suffix(b"--")?;
        let before = line[..begin].strip_suffix(b" ").unwrap_or(&line[..begin]);
        let dashes = before.iter().rev().take_while(|&&byte| byte == b'-').count();
        let prefix = &before[..before.len() - dashes];
        let is_named = memmem::find(name, b"PRIVATE KEY").is_some() && !name.iter().any(u8::is_ascii_lowercase);
        (is_named && dashes >= 2 && prefix.iter().any(u8::is_ascii_alphanumeric)).then(|| Key {
            prefix: Prefix::of(prefix),
            has_lines: false,
            others: 0,
        })
    }

    /// What a line is to this key, and how long its prefix is.
    fn part(&mut self, line: &[u8]) -> (Part, usize) {
        let Some(prefix) = self.prefix.len_in(line) else {
            self.others += 1;
            return (if self.others > BETWEEN { Part::End } else { Part::Other }, 0);
        };
        self.others = 0;
        let text = text(&line[prefix..]);
        let is_armour = text.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        let part = match text {
            b"" => Part::About,
            _ if is_armour && (self.has_lines || text.len() >= FULL) => Part::Armour,
            // A rule was faster.
            _ if text.starts_with(b"[stanch: ") => Part::About,
            // `Proc-Type: 4,ENCRYPTED`, `Version: …`
            _ if !self.has_lines && memmem::find(text, b": ").is_some() => Part::About,
            _ => Part::End,
        };
        self.has_lines |= matches!(part, Part::Armour);
        (part, prefix)
    }
}

/// A line without its end and the colours there.
fn text(line: &[u8]) -> &[u8] {
    line[..memchr(0x1B, line).unwrap_or(line.len())].trim_ascii_end()
}

impl Prefix {
    fn of(text: &[u8]) -> Self {
        let mut shape = text.to_vec();
        shape.iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'0');
        shape.dedup_by(|one, other| *one == b'0' && *other == b'0');
        Prefix(shape)
    }

    /// The length of such a prefix at the start of `line`.
    fn len_in(&self, line: &[u8]) -> Option<usize> {
        self.0.iter().try_fold(0, |at, &wanted| {
            let len = match wanted {
                b'0' => line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
                _ => usize::from(line.get(at) == Some(&wanted)),
            };
            (len > 0).then_some(at + len)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::detect::tests::rule;

    fn armour() -> Armour {
        Armour::new(&RuleSet { rules: vec![Arc::new(rule("key", "x", &["private key"]))], ..RuleSet::default() })
    }

    fn filtered(text: &str, step: usize) -> String {
        let (mut armour, mut out) = (armour(), Vec::new());
        text.as_bytes().chunks(step).for_each(|piece| armour.write(piece, &mut out).unwrap());
        armour.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_of_a_key_go_and_all_others_stay() {
        let full = "a+/Z".repeat(16);
        let (long, between) = ("x".repeat(2 * LONGEST), "other | text\n".repeat(BETWEEN + 1));
        for (text, kept) in [
            (
                format!(
                    "t9 -----BEGIN RSA PRIVATE KEY-----\r\nt10 {full}\r\no\nt11 Zz==\r\nt12 -----END RSA PRIVATE KEY-----\nt13 {full}"
                ),
                1,
            ),
            (format!("t9 -----BEGIN PRIVATE KEY-----\n\nt1 A: b\nt1 \nt1 {full}\nt1 [stanch: x ****]\nt2 Zz=="), 0),
            (
                format!(
                    "\x1b[3mt \x1b[0m---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\x1b[0m\n\x1b[3mt \x1b[0m{full}\x1b[0m\n"
                ),
                0,
            ),
            (format!("t -----BEGIN PRIVATE KEY-----\n{long}\nt {full}\n"), 1),
            (format!("t -----BEGIN PRIVATE KEY-----\n{between}t {full}\n"), 1),
            (format!("t -----BEGIN PRIVATE KEY-----\nt Zz==\nt {full}\n"), 1),
            (format!("t -----BEGIN CERTIFICATE-----\nt {full}\n"), 1),
        ] {
            let whole = filtered(&text, usize::MAX);
            assert_eq!(whole.matches(&full).count(), kept, "{whole}");
            let wanted: Vec<String> = text.lines().map(|line| line.to_owned()).collect();
            for (line, wanted) in whole.lines().zip(&wanted) {
                let marked = line.split_once("[stanch: key ****]");
                assert!(line == wanted || marked.is_some_and(|(prefix, _)| wanted.starts_with(prefix)), "{line}");
            }
            assert_eq!(whole.lines().count(), wanted.len());
            for step in [1, 7, 60] {
                assert_eq!(filtered(&text, step), whole);
            }
        }
    }

    #[test]
    fn outside_a_key_nothing_waits() {
        let (mut armour, mut out) = (armour(), Vec::new());
        armour.write(b"t -----BEGIN PRIV", &mut out).unwrap();
        assert_eq!(out, b"t -----BEGIN PRIV");
    }
}

//! The cells of a column that a table's header says holds secrets: CSV and TSV, tables of Markdown, of MySQL and of psql.
//!
//! The match of a rule of [`KIND`] is a cell of the header; the secrets stand in the lines below. Which cells these are is a function
//! of [`BEFORE`] bytes before the match and [`REACH`] bytes behind it, so it does not matter how an object was cut.

use std::ops::Range;

use memchr::{memchr, memrchr};

/// The kind of the rules whose match is the header of a column.
pub(super) const KIND: &str = "column";

/// How far before the match its line may begin, in bytes, and the line before that, as far as it matters.
const BEFORE: usize = 1 << 10;

/// How far from the match secrets are looked for, in bytes.
const REACH: usize = 16 << 10;

/// How many columns a table may have, and how long their names, and the line of all, may be, in bytes.
const COLUMNS: Range<usize> = 2..65;
const LONGEST_NAME: usize = 40;
const LONGEST_HEADER: usize = 3 << 10;

/// Lengths of cells that are looked at, in bytes.
const LENGTHS: Range<usize> = 5..200;

/// The cells of the column that the match `head` is the header of. Before each stands at least one byte.
pub(super) fn cells(bytes: &[u8], head: &Range<usize>) -> Vec<Range<usize>> {
    let all = head.start.saturating_sub(BEFORE)..bytes.len().min(head.end + REACH);
    Table::of(bytes, all, head).map_or_else(Vec::new, |table| table.cells())
}

/// A table, whose header is known to be one.
struct Table<'b> {
    bytes: &'b [u8],
    /// Stands between cells: `,`, `;`, a tab or `|`.
    separator: u8,
    /// How many columns there are, and which is meant.
    columns: usize,
    column: usize,
    /// What is below the header.
    rows: Range<usize>,
}

impl<'b> Table<'b> {
    fn of(bytes: &'b [u8], all: Range<usize>, head: &Range<usize>) -> Option<Self> {
        let is_edge = |byte: &&u8| matches!(byte, b',' | b';' | b'\t' | b'|');
        let separator = *bytes[head.clone()].iter().find(is_edge)?;
        // A match begins with the end of the cell before and what separates them, or with the line.
        let own = match memchr(separator, &bytes[head.clone()])? {
            before @ (0 | 1) => head.start + before + 1,
            _ => head.start + usize::from(bytes[head.start] == b'\n'),
        };
        let start = memrchr(b'\n', &bytes[all.start..own]).map_or(all.start, |at| all.start + at + 1);
        let header = line(bytes, start, all.end).filter(|line| line.len() <= LONGEST_HEADER)?;
        let next = behind(bytes, header.end);
        let rows = match separator {
            b'|' => {
                let below = line(bytes, next, all.end).filter(|line| is_ruled(&bytes[line.clone()]))?;
                behind(bytes, below.end)..all.end
            }
            _ if begins(bytes, all.start, start) => next..all.end,
            _ => return None,
        };
        let names = cut(bytes, header, separator);
        let column = names.iter().position(|name| own <= name.end && name.start < head.end)?;
        let is_name = |cell: &Range<usize>| is_name(&bytes[cell.clone()]);
        if !COLUMNS.contains(&names.len()) || !names.iter().all(is_name) {
            return None;
        }
        Some(Table { bytes, separator, columns: names.len(), column, rows })
    }

    /// The cells of the column, up to a line that is none of the table.
    fn cells(&self) -> Vec<Range<usize>> {
        let (mut found, mut at) = (Vec::new(), self.rows.start);
        while let Some(line) = line(self.bytes, at, self.rows.end) {
            at = behind(self.bytes, line.end);
            // MySQL closes its tables; where there is another header, its own match leads on.
            let text = &self.bytes[line.clone()];
            if opens(text) || (self.separator == b'|' && is_ruled(text)) {
                break;
            }
            let cells = cut(self.bytes, line, self.separator);
            if cells.len() != self.columns {
                break;
            }
            let cell = cells[self.column].clone();
            let text = &self.bytes[cell.clone()];
            if LENGTHS.contains(&text.len()) && !text.iter().any(|byte| matches!(byte, b' ' | b'"' | b'\t')) {
                found.push(cell);
            }
        }
        found
    }
}

/// The line that begins at `at`, without its end; `None` behind the last one, and if it does not end before `end`.
fn line(bytes: &[u8], at: usize, end: usize) -> Option<Range<usize>> {
    let rest = bytes.get(at..end).filter(|rest| !rest.is_empty())?;
    let to = memchr(b'\n', rest).map_or(end, |len| at + len);
    let to = if to > at && bytes[to - 1] == b'\r' { to - 1 } else { to };
    (to < end || end == bytes.len()).then_some(at..to)
}

/// Where the line after one that ends at `end` begins.
fn behind(bytes: &[u8], end: usize) -> usize {
    let rest = &bytes[end..];
    end + if rest.starts_with(b"\r\n") { 2 } else { usize::from(!rest.is_empty()) }
}

/// Whether a table may begin at `start`: with the text, or behind an empty line, a comment, or what opens a block. Nothing before `from`
/// is known.
fn begins(bytes: &[u8], from: usize, start: usize) -> bool {
    let Some(end) = start.checked_sub(1).filter(|_| start > from) else { return start == 0 };
    let last = &bytes[from..end];
    let last = last[memrchr(b'\n', last).map_or(0, |at| at + 1)..].trim_ascii();
    last.is_empty() || opens(last)
}

/// Whether a table may begin behind a line like that, and so none goes on over it.
fn opens(line: &[u8]) -> bool {
    [&b"#"[..], b"```", b"sep="].iter().any(|opens| line.trim_ascii_start().starts_with(opens))
}

/// Whether a line is one of dashes, as stands below a header.
fn is_ruled(line: &[u8]) -> bool {
    line.iter().all(|byte| b"-:|+ \t".contains(byte)) && line.iter().filter(|byte| **byte == b'-').count() >= 3
}

/// The cells of a line, without quotes, blanks and marks around them.
fn cut(bytes: &[u8], line: Range<usize>, separator: u8) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let mut at = line.start;
    if separator == b'|' {
        let text = &bytes[line.clone()];
        let (lead, trail) = (text.len() - text.trim_ascii_start().len(), text.len() - text.trim_ascii_end().len());
        let inner = line.start + lead..(line.end - trail).max(line.start + lead);
        let opens = usize::from(bytes[inner.clone()].starts_with(b"|"));
        let closes = usize::from(inner.len() > opens && bytes[inner.clone()].ends_with(b"|"));
        return bytes[inner.start + opens..inner.end - closes]
            .split(|byte| *byte == b'|')
            .scan(inner.start + opens, |at, cell| {
                let start = *at;
                *at += cell.len() + 1;
                Some(trimmed(bytes, start..start + cell.len(), b" \t`*_"))
            })
            .collect();
    }
    while at <= line.end {
        let rest = &bytes[at..line.end];
        let end = match rest.first() {
            // A quote is doubled inside of quotes.
            Some(b'"') => {
                let mut end = 1;
                while let Some(len) = memchr(b'"', rest.get(end..).unwrap_or_default()) {
                    end += len + 1;
                    if rest.get(end) != Some(&b'"') {
                        break;
                    }
                    end += 1;
                }
                memchr(separator, rest.get(end..).unwrap_or_default()).map(|len| end + len)
            }
            _ => memchr(separator, rest),
        };
        let end = at + end.unwrap_or(rest.len());
        let cell = trimmed(bytes, at..end, b" ");
        let is_quoted = cell.len() >= 2 && bytes[cell.start] == b'"' && bytes[cell.end - 1] == b'"';
        cells.push(if is_quoted { cell.start + 1..cell.end - 1 } else { cell });
        at = end + 1;
    }
    cells
}

fn trimmed(bytes: &[u8], mut cell: Range<usize>, marks: &[u8]) -> Range<usize> {
    while !cell.is_empty() && marks.contains(&bytes[cell.start]) {
        cell.start += 1;
    }
    while !cell.is_empty() && marks.contains(&bytes[cell.end - 1]) {
        cell.end -= 1;
    }
    cell
}

/// Whether it may be the name of a column: code and numbers are none.
fn is_name(cell: &[u8]) -> bool {
    let cell = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell);
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b" _.-/?#@".contains(byte);
    cell.len() <= LONGEST_NAME && cell.iter().all(is_sign) && cell.first().is_none_or(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The cells below the first `password` of a text, taken with what a rule's match has on either side of it.
    fn read(text: &str) -> Vec<&str> {
        let at = text.find("password").unwrap();
        let before = text[..at].trim_end_matches([' ', '"', '*']);
        let start = match before.chars().next_back() {
            None => at,
            Some('\n') => before.len() - 1,
            Some('|') => before.len() - 1,
            Some(_) => before.len() - 2,
        };
        let end = (at + "password".len() + 2).min(text.len());
        cells(text.as_bytes(), &(start..end)).into_iter().map(|cell| &text[cell]).collect()
    }

    fn written(cell: &str, separator: &str, form: u8) -> String {
        match (separator, form) {
            ("|", 0) => format!(" {cell} "),
            ("|", 1) => format!(" `{cell}`"),
            ("|", _) => cell.to_owned(),
            (_, 0) => format!("\"{cell}\""),
            (_, 1) => format!(" {cell}"),
            _ => cell.to_owned(),
        }
    }

    proptest! {
        #[test]
        fn every_cell_is_read_however_the_table_is_written(
            rows in prop::collection::vec(prop::collection::vec(("[A-Za-z0-9!$%+/.@-]{5,30}", 0u8..3), 5), 1..6),
            column in 0usize..5,
            separator in prop::sample::select(vec![",", ";", "\t", "|"]),
            outer in any::<bool>(),
            end in prop::sample::select(vec!["\n", "\r\n"]),
            lead in prop::sample::select(vec!["", "text before\n\n", "```csv\n", "# a comment\r\n"]),
            tail in prop::sample::select(vec!["", "\n", "\n\nnot,any,more,of,it\n", "\ntoo few,cells"]),
        ) {
            let edge = if separator == "|" && outer { "|" } else { "" };
            let line = |cells: Vec<String>| format!("{edge}{}{edge}", cells.join(separator));
            let names = (0..5).map(|at| if at == column { "password".to_owned() } else { format!("name{at}") });
            // What has no edge begins with a blank in no sound table, and with no quote either.
            let mut lines = vec![line(names.map(|name| written(&name, separator, 2 * u8::from(!outer))).collect())];
            if separator == "|" {
                lines.push(line(vec!["---".to_owned(); 5]));
            }
            lines.extend(rows.iter().map(|row| line(row.iter().map(|(cell, form)| written(cell, separator, *form)).collect())));
            let text = format!("{lead}{}{tail}", lines.join(end));
            let wanted: Vec<&str> = rows.iter().map(|row| row[column].0.as_str()).collect();
            prop_assert_eq!(read(&text), wanted, "{}", text);
        }

        #[test]
        fn nothing_is_too_strange(
            parts in prop::collection::vec(prop::sample::select(vec![
                ",", ";", "|", "\t", "\n", "\r\n", "\"", "\"\"", "-", "---", "password", "a", " ", "`", "\u{feff}", "\u{e9}", "12345", "+", ":",
            ]), 0..60),
            start in any::<prop::sample::Index>(),
            len in 0usize..14,
        ) {
            let text = parts.concat();
            let start = start.index(text.len() + 1);
            for cell in cells(text.as_bytes(), &(start..text.len().min(start + len))) {
                prop_assert!(cell.start > 0 && LENGTHS.contains(&cell.len()) && cell.end <= text.len());
            }
        }
    }

    #[test]
    fn what_is_no_table_has_no_cells() {
        for text in [
            "text\nname,password\nsome,value",
            "call(a,password\nsome,value",
            "name,password\n\nsome,value",
            "name,password\nsome,value,more",
            "| name | password |\n| some | value |",
            "a: name,password\nsome,value",
            "password\nvalue\n",
            "name,password\nsome,two words",
            "name,password\nsome,abc",
        ] {
            assert_eq!(read(text), Vec::<&str>::new(), "{text}");
        }
        assert_eq!(read("name,password\n\"a, \"\"b\"\"\",value\nc,other\n\nd,third"), ["value", "other"]);
        let mysql = "+---+---+\n| n | password |\n+---+---+\n| a | value |\n| b | other |\n+---+---+\n2 rows\n";
        assert_eq!(read(mysql), ["value", "other"]);
        // As far as all that a search of a part is sure to have.
        let long = format!("name,password\n{}", "some,value\n".repeat(2 * REACH / 11));
        assert_eq!(read(&long).len(), REACH / 11);
    }
}

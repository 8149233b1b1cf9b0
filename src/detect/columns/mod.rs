//! The cells of a column that a table's header says holds secrets: CSV and its like, tables of Markdown, AsciiDoc, Jira, MySQL, psql,
//! SQLite, reStructuredText and HTML; rows of SQL.
//!
//! The match of a rule of [`KIND`] is the name in a cell of the header, or the words that rows of SQL begin with; the secrets stand in the lines below, or beside it where a row is
//! a name and a value. Which cells these are is a function of [`BEFORE`] bytes before the name and [`REACH`] bytes behind it, so it does
//! not matter how an object was cut.

mod html;
mod name;
mod piped;
mod separated;
mod tuples;

use std::ops::Range;

use memchr::{memchr, memrchr};

/// The kind of the rules whose match is the header of a column.
pub(super) const KIND: &str = "column";

/// The same, of columns of keys: hexadecimal digits are one, not the digest of one.
pub(super) const KEYS: &str = "key-column";

/// Whether it is one of these kinds.
pub(super) fn is_kind(kind: &str) -> bool {
    matches!(kind, KIND | KEYS)
}

/// How far before the name its line may begin, in bytes, and the lines before that, as far as they matter.
const BEFORE: usize = 1 << 10;

/// How far from the name secrets are looked for, in bytes.
const REACH: usize = 16 << 10;

/// How many columns a table may have, and how long the line of all their names may be, in bytes.
const MOST_COLUMNS: usize = 64;
const LONGEST_HEADER: usize = 3 << 10;

/// Lengths of cells that are looked at, in bytes.
const LENGTHS: Range<usize> = 5..200;

/// The cells of the column that `name` is the header of, by a rule of this kind. Before each stands at least one byte.
pub(super) fn cells(kind: &str, bytes: &[u8], name: &Range<usize>) -> Vec<Range<usize>> {
    let all = name.start.saturating_sub(BEFORE)..bytes.len().min(name.end + REACH);
    let text = Text { bytes, all };
    let mut found = match tuples::may_begin(bytes, name.start) {
        true => tuples::values(kind, bytes, name.start),
        false => text.head(name).and_then(|head| text.below(&head)).unwrap_or_default(),
    };
    // One that ends with what is known may go on.
    let is_whole = |cell: &Range<usize>| cell.end < text.all.end || text.all.end == bytes.len();
    found.retain(|cell| {
        cell.start > 0 && is_whole(cell) && LENGTHS.contains(&cell.len()) && may_be_value(&bytes[cell.clone()])
    });
    found
}

/// How far before a name its cell begins at most, in bytes: less than a mark looks.
const LONGEST_NAME: usize = 60;

/// Whether a match that begins at `at` is no name of a header, as what stands before it in its cell is none. The answer depends on
/// [`LONGEST_NAME`] bytes before it alone.
pub(super) fn is_elsewhere(bytes: &[u8], at: usize) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_ .-\"*`'".contains(byte);
    let before = &bytes[at.saturating_sub(LONGEST_NAME)..(at + 1).min(bytes.len())];
    let last = before.iter().rev().find(|byte| !is_of_name(byte));
    last.is_some_and(|last| !b",;\t|>\n".contains(last) && last.is_ascii()) && !tuples::may_begin(bytes, at)
}

/// Words with something between them are prose, and what is in brackets says what stands there.
fn may_be_value(cell: &[u8]) -> bool {
    let is_in = |brackets: &[u8; 2]| cell.starts_with(&brackets[..1]) && cell.ends_with(&brackets[1..]);
    let is_call = || cell.windows(2).any(|two| matches!(two, b"['" | b"[\"" | b"('" | b"(\""));
    // `HISTORY_5` names something, and databases keep what they check passwords against.
    let is_name = cell.contains(&b'_')
        && cell.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    let is_check = cell.starts_with(b"SCRAM-SHA") || (cell.starts_with(b"md5") && cell.len() == 35);
    let is_apart = cell.iter().any(|byte| b" \t\r\n".contains(byte));
    // `octets[17]`, `Vendor.Corp.Tunnel-Password`: types, and names of others.
    let is_typed = cell.ends_with(b"]") && cell[0].is_ascii_lowercase() && cell.contains(&b'[');
    let is_of_name = |byte: &u8| byte.is_ascii_alphabetic() || b".-".contains(byte);
    let ends = cell.to_ascii_lowercase().ends_with(b"password");
    let is_other = ends && cell.contains(&b'.') && cell.iter().filter(|byte| !is_of_name(byte)).count() <= 4;
    !is_typed
        && !is_other
        && !is_apart
        && !is_in(b"()")
        && !is_in(b"<>")
        && !is_in(b"[]")
        && !is_call()
        && !is_name
        && !is_check
}

/// As much of a text as matters.
#[derive(Clone)]
struct Text<'b> {
    bytes: &'b [u8],
    all: Range<usize>,
}

/// The line that a name stands in.
struct Head {
    name: Range<usize>,
    line: Range<usize>,
    edge: Edge,
}

/// What stands between cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// One of `,`, `;` and a tab.
    Separator(u8),
    /// `|`, or a line of a box.
    Bar,
    /// Tags.
    Tag,
    /// Blanks.
    Blank,
}

impl Text<'_> {
    fn head(&self, name: &Range<usize>) -> Option<Head> {
        let before = &self.bytes[self.all.start..name.start];
        let start = memrchr(b'\n', before).map_or(self.all.start, |at| self.all.start + at + 1);
        let line = self.line(start).filter(|line| line.len() <= LONGEST_HEADER && name.end <= line.end)?;
        let is_edge = |byte: &u8| b",;\t|<>\xe2".contains(byte);
        let edge = |at: usize| match &self.bytes[at..line.end] {
            [separator @ (b',' | b';' | b'\t'), ..] => Some(Edge::Separator(*separator)),
            [b'<' | b'>', ..] => Some(Edge::Tag),
            rest => (bar(rest) > 0).then_some(Edge::Bar),
        };
        let left = self.bytes[line.start..name.start].iter().rposition(is_edge).map(|at| edge(line.start + at));
        let right = self.bytes[name.end..line.end].iter().position(is_edge).map(|at| edge(name.end + at));
        let edge = match (left, right) {
            (None, None) => Edge::Blank,
            (Some(edge), None) | (None, Some(edge)) => edge?,
            (Some(left), Some(right)) => left.filter(|_| left == right)?,
        };
        Some(Head { name: name.clone(), line, edge })
    }

    fn below(&self, head: &Head) -> Option<Vec<Range<usize>>> {
        match head.edge {
            Edge::Separator(separator) => self.separated(head, separator),
            Edge::Bar => self.piped(head),
            Edge::Tag => self.tagged(head),
            Edge::Blank => self.aligned(head),
        }
    }

    /// The line that begins at `start`, without its end; `None` behind the last one, and if it goes on beyond what is known.
    fn line(&self, start: usize) -> Option<Range<usize>> {
        let rest = self.bytes.get(start..self.all.end).filter(|rest| !rest.is_empty())?;
        let to = memchr(b'\n', rest).map_or(self.all.end, |len| start + len);
        let end = if self.bytes[start..to].ends_with(b"\r") { to - 1 } else { to };
        (to < self.all.end || to == self.bytes.len()).then_some(start..end)
    }

    /// The line behind one.
    fn next(&self, line: &Range<usize>) -> Option<Range<usize>> {
        let rest = &self.bytes[line.end..];
        self.line(line.end + if rest.starts_with(b"\r\n") { 2 } else { usize::from(!rest.is_empty()) })
    }

    /// The lines behind one.
    fn lines(&self, line: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        std::iter::successors(self.next(line), |line| self.next(line))
    }

    /// The line before one; an empty one if there is none, `None` if that is not known.
    fn before(&self, line: &Range<usize>) -> Option<Range<usize>> {
        let Some(end) = line.start.checked_sub(1).filter(|_| line.start > self.all.start) else {
            return (line.start == 0).then_some(0..0);
        };
        let start =
            memrchr(b'\n', &self.bytes[self.all.start..end]).map_or(self.all.start, |at| self.all.start + at + 1);
        (start > self.all.start || start == 0).then_some(start..end)
    }

    /// The same, as text without blanks around it.
    fn previous(&self, line: &Range<usize>) -> Option<&[u8]> {
        Some(self.bytes[self.before(line)?].trim_ascii())
    }

    /// Whether two cells say the same.
    fn is_same(&self, one: &Range<usize>, other: &Range<usize>) -> bool {
        self.bytes[one.clone()].eq_ignore_ascii_case(&self.bytes[other.clone()])
    }

    /// Without blanks and marks around it.
    fn trimmed(&self, mut cell: Range<usize>, marks: &[u8]) -> Range<usize> {
        while !cell.is_empty() && marks.contains(&self.bytes[cell.start]) {
            cell.start += 1;
        }
        while !cell.is_empty() && marks.contains(&self.bytes[cell.end - 1]) {
            cell.end -= 1;
        }
        cell
    }

    /// Which of the cells of a header is the one of the secrets, if all may be names.
    fn column(&self, names: &[Range<usize>], name: &Range<usize>) -> Option<usize> {
        let column = names.iter().position(|cell| cell.start <= name.start && name.end <= cell.end)?;
        let is_name = |cell: &Range<usize>| name::may_be(&self.bytes[cell.clone()]);
        let others =
            || names.iter().enumerate().filter(|(at, _)| *at != column).map(|(_, one)| &self.bytes[one.clone()]);
        let parts = [names[column].start..name.start, name.clone(), name.end..names[column].end];
        let [before, own, behind] = parts.map(|part| &self.bytes[part]);
        (names.len() <= MOST_COLUMNS && names.iter().all(is_name) && name::is_meant(before, own, behind, others))
            .then_some(column)
    }
}

/// How many bytes the line of a box, or a bar, takes that stands first.
fn bar(bytes: &[u8]) -> usize {
    match bytes {
        [b'|', ..] => 1,
        // U+2502, U+2503, U+2551
        [0xe2, 0x94, 0x82 | 0x83, ..] | [0xe2, 0x95, 0x91, ..] => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;

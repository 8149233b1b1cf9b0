//! Tables of HTML, and of the XML of spreadsheets.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::{Head, Text};

/// How rows and cells are called, with the sign before it.
struct Tags {
    row: &'static [u8],
    cells: &'static [&'static [u8]],
    table: &'static [u8],
}

/// HTML, Excel's XML of 2003, and OpenDocument's.
const KINDS: [Tags; 3] = [
    Tags { row: b"<tr", cells: &[b"<td", b"<th"], table: b"</table" },
    Tags { row: b"<Row", cells: &[b"<Cell"], table: b"</Table" },
    Tags { row: b"<table:table-row", cells: &[b"<table:table-cell"], table: b"</table:table>" },
];

impl Text<'_> {
    /// The cells below a header, or the one beside a name.
    pub(super) fn tagged(&self, head: &Head) -> Option<Vec<Range<usize>>> {
        let (tags, row) = KINDS.iter().find_map(|tags| Some((tags, self.row_around(&head.name, tags)?)))?;
        let names = self.texts(&row, tags);
        let is_named = |cell: &Range<usize>| cell.start <= head.name.start && head.name.end <= cell.end;
        let column = names.iter().position(is_named)?;
        if names.len() == 2 && column == 0 && memmem::rfind(&self.bytes[row.start..row.end], b"<td").is_some() {
            self.column(&names[..1], &head.name)?;
            return Some(vec![names[1].clone()]);
        }
        self.column(&names, &head.name)?;
        let end =
            memmem::find(&self.bytes[row.end..self.all.end], tags.table).map_or(self.all.end, |len| row.end + len);
        let (mut found, mut at) = (Vec::new(), row.end);
        while let Some(start) = memmem::find(&self.bytes[at..end], tags.row).map(|len| at + len) {
            at = self.end_of_row(start + tags.row.len(), end, tags);
            let cells = self.texts(&(start..at), tags);
            if cells.len() == names.len() {
                // Where there is another header, its own match leads on.
                if self.is_same(&cells[column], &names[column]) {
                    break;
                }
                found.push(cells[column].clone());
            }
        }
        Some(found)
    }

    /// The row that a name stands in.
    fn row_around(&self, name: &Range<usize>, tags: &Tags) -> Option<Range<usize>> {
        let before = &self.bytes[self.all.start..name.start];
        let start = memmem::rfind(before, tags.row)?;
        let is_closed = has_end(&before[start..], tags.row);
        (!is_closed).then(|| self.all.start + start..self.end_of_row(name.end, self.all.end, tags))
    }

    fn end_of_row(&self, from: usize, end: usize, tags: &Tags) -> usize {
        let rest = &self.bytes[from..end];
        let rest = memmem::find(rest, tags.row).map_or(rest, |next| &rest[..next]);
        from + end_at(rest, tags.row).unwrap_or(rest.len())
    }

    /// The first text in each cell of a row.
    fn texts(&self, row: &Range<usize>, tags: &Tags) -> Vec<Range<usize>> {
        let bytes = &self.bytes[row.clone()];
        let is_cell = |at: &usize| {
            let opens = |tag: &&[u8]| bytes[*at..].strip_prefix(*tag).and_then(<[u8]>::first);
            tags.cells.iter().filter_map(opens).any(|behind| b" >\t\r\n".contains(behind))
        };
        let starts: Vec<usize> = memchr::memchr_iter(b'<', bytes).filter(is_cell).collect();
        let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
        starts.iter().zip(ends).map(|(start, end)| self.text(row.start + start..row.start + end)).collect()
    }

    /// The first text between tags; empty if there is none.
    fn text(&self, cell: Range<usize>) -> Range<usize> {
        let mut at = cell.start;
        while let Some(start) = memchr(b'>', &self.bytes[at..cell.end]).map(|len| at + len + 1) {
            let end = memchr(b'<', &self.bytes[start..cell.end]).map_or(cell.end, |len| start + len);
            let text = self.trimmed(start..end, b" \t\r\n");
            if !text.is_empty() {
                return text;
            }
            at = end;
        }
        cell.end..cell.end
    }
}

/// Where the tag stands that ends a row; its sign is not that of the one that begins it.
fn end_at(bytes: &[u8], row: &[u8]) -> Option<usize> {
    memmem::find_iter(bytes, b"</").find(|at| bytes[at + 2..].starts_with(&row[1..]))
}

fn has_end(bytes: &[u8], row: &[u8]) -> bool {
    end_at(bytes, row).is_some()
}

//! Tables of HTML.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::{Head, Text};

impl Text<'_> {
    /// The cells below a header, or the one beside a name.
    pub(super) fn tagged(&self, head: &Head) -> Option<Vec<Range<usize>>> {
        let row = self.row_around(&head.name)?;
        let names = self.texts(&row);
        let is_named = |cell: &Range<usize>| cell.start <= head.name.start && head.name.end <= cell.end;
        let column = names.iter().position(is_named)?;
        if names.len() == 2 && column == 0 && memmem::rfind(&self.bytes[row.start..row.end], b"<td").is_some() {
            self.column(&names[..1], &head.name)?;
            return Some(vec![names[1].clone()]);
        }
        self.column(&names, &head.name)?;
        let end =
            memmem::find(&self.bytes[row.end..self.all.end], b"</table").map_or(self.all.end, |len| row.end + len);
        let (mut found, mut at) = (Vec::new(), row.end);
        while let Some(start) = memmem::find(&self.bytes[at..end], b"<tr").map(|len| at + len) {
            at = self.end_of_row(start + 3, end);
            let cells = self.texts(&(start..at));
            if cells.len() == names.len() {
                found.push(cells[column].clone());
            }
        }
        Some(found)
    }

    /// The row that a name stands in.
    fn row_around(&self, name: &Range<usize>) -> Option<Range<usize>> {
        let before = &self.bytes[self.all.start..name.start];
        let start = memmem::rfind(before, b"<tr")?;
        let is_closed = memmem::find(&before[start..], b"</tr").is_some();
        (!is_closed).then(|| self.all.start + start..self.end_of_row(name.end, self.all.end))
    }

    fn end_of_row(&self, from: usize, end: usize) -> usize {
        let rest = &self.bytes[from..end];
        let ends = [memmem::find(rest, b"</tr"), memmem::find(rest, b"<tr")];
        ends.into_iter().flatten().min().map_or(end, |len| from + len)
    }

    /// The first text in each cell of a row.
    fn texts(&self, row: &Range<usize>) -> Vec<Range<usize>> {
        let bytes = &self.bytes[row.clone()];
        let is_cell =
            |at: &usize| matches!(&bytes[*at..], [b'<', b't', b'h' | b'd', b' ' | b'>' | b'\t' | b'\n' | b'\r', ..]);
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

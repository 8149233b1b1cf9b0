//! Tables whose cells a comma, a semicolon or a tab stands between.

use std::ops::Range;

use memchr::memchr;

use super::{Head, Text, name};

/// How long a cell with line breaks in it may be, in bytes.
const LONGEST_CELL: usize = 4 << 10;

impl Text<'_> {
    /// The cells below a header.
    pub(super) fn separated(&self, head: &Head, separator: u8) -> Option<Vec<Range<usize>>> {
        if let Some(names) = self.copied(&head.line).filter(|_| separator == b',') {
            return self.rows_of_dump(head, &names);
        }
        let names = self.cut(head.line.clone(), separator);
        if !self.may_begin(&head.line, separator) {
            return self.value(head, &names, separator);
        }
        let column = self.column(&names, &head.name)?;
        // `passwd:⇥files`: what is set to something, in a list of such.
        let is_set = self.bytes[names[column].clone()].ends_with(b":");
        if names.iter().filter(|name| !name.is_empty()).count() < 2 || is_set || self.is_code(&head.line) {
            return None;
        }
        // A file of nothing else goes on to its end.
        let is_all = head.line.start == 0;
        let (mut found, mut last, mut is_table) = (Vec::new(), head.line.clone(), false);
        while let Some(line) = self.next(&last) {
            let cells = self.cut(line.clone(), separator);
            last = line.start..cells.last().map_or(line.end, |cell| self.end_of_line(cell.end));
            // A row may end with a separator.
            let more = cells.len() - usize::from(cells.len() > names.len() && cells[names.len()].is_empty());
            is_table |= more == names.len();
            match cells.len() {
                _ if self.opens(&self.bytes[line.clone()], separator) && !is_all => break,
                1 if !is_all => break,
                // What is wrong with one row is so with that one.
                count if count < 2 || count <= column || count > names.len() + 1 => {}
                _ if self.is_same(&cells[column], &names[column]) => break,
                _ => found.push(cells[column].clone()),
            }
        }
        // Lines of prose have commas, too, each its own number of them.
        is_table.then_some(found)
    }

    /// `for password, salt in vectors:`, `return user, password`.
    fn is_code(&self, line: &Range<usize>) -> bool {
        const WORDS: [&[u8]; 16] = [
            b"for", b"return", b"yield", b"def", b"del", b"print", b"raise", b"import", b"from", b"with", b"let",
            b"var", b"const", b"global", b"assert", b"and",
        ];
        let text = self.bytes[line.clone()].trim_ascii_start();
        WORDS.iter().any(|word| text.strip_prefix(*word).is_some_and(|rest| rest.starts_with(b" ")))
    }

    /// What stands beside a name, in a row of these two below another.
    fn value(&self, head: &Head, names: &[Range<usize>], separator: u8) -> Option<Vec<Range<usize>>> {
        let [own, value] = names else { return None };
        self.column(std::slice::from_ref(own), &head.name)?;
        let above = self.cut(self.before(&head.line)?, separator);
        let is_row = above.len() == 2
            && above.iter().all(|cell| !cell.is_empty())
            && name::may_be(&self.bytes[above[0].clone()]);
        is_row.then(|| vec![value.clone()])
    }

    /// The columns of `COPY table (one, other) FROM stdin;`, as pg_dump writes it.
    fn copied(&self, line: &Range<usize>) -> Option<Vec<Range<usize>>> {
        let text = &self.bytes[line.clone()];
        let is_copy = text.starts_with(b"COPY ") && text.ends_with(b") FROM stdin;");
        let open = memchr(b'(', text).filter(|_| is_copy)?;
        Some(self.cut(line.start + open + 1..line.end - ") FROM stdin;".len(), b','))
    }

    fn rows_of_dump(&self, head: &Head, names: &[Range<usize>]) -> Option<Vec<Range<usize>>> {
        let column = self.column(names, &head.name)?;
        let rows = self.lines(&head.line).map(|line| {
            self.bytes[line.clone()]
                .split(|byte| *byte == b'\t')
                .scan(line.start, |at, cell| {
                    let start = *at;
                    *at += cell.len() + 1;
                    Some(start..start + cell.len())
                })
                .collect::<Vec<_>>()
        });
        Some(rows.take_while(|cells| cells.len() == names.len()).map(|cells| cells[column].clone()).collect())
    }

    /// Where the line ends that goes on at `at`.
    fn end_of_line(&self, at: usize) -> usize {
        let end = memchr(b'\n', &self.bytes[at..self.all.end]).map_or(self.all.end, |len| at + len);
        if self.bytes[at..end].ends_with(b"\r") { end - 1 } else { end }
    }

    /// Whether a table may begin with this line: it is the first, or stands behind an empty one, a comment, what opens a block or a text,
    /// or a sentence.
    pub(super) fn may_begin(&self, line: &Range<usize>, separator: u8) -> bool {
        let Some(last) = self.previous(line) else { return false };
        let is_of_prose = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b" .-_!?'/,".contains(byte);
        let is_prose = || last.iter().all(is_of_prose) && memchr(separator, last).is_none() && last.contains(&b' ');
        last.is_empty() || self.opens(last, separator) || is_prose()
    }

    /// Whether a table may begin behind a line like that, and so none goes on over it.
    fn opens(&self, line: &[u8], separator: u8) -> bool {
        let begins = [&b"#"[..], b"```", b"sep=", b"//", b"--"];
        let ends = [&b"\"\"\""[..], b"'''", b"`", b":"];
        let last = line.trim_ascii();
        // `Servers;;;`: a title.
        let mut cells = last.split(|byte| *byte == separator);
        let is_title = cells.next().is_some_and(|first| !first.is_empty())
            && last.ends_with(&[separator, separator])
            && cells.all(<[u8]>::is_empty);
        let is_query = separator == b'|' && last.ends_with(b";");
        let is_here = || last.windows(2).any(|two| two == b"<<");
        begins.iter().any(|begin| last.starts_with(begin))
            || ends.iter().any(|end| last.ends_with(end))
            || is_title
            || is_query
            || is_here()
    }

    /// The cells of the row that begins with a line, without quotes and blanks around them. The last may end in a later line.
    fn cut(&self, line: Range<usize>, separator: u8) -> Vec<Range<usize>> {
        let (mut cells, mut at, mut end) = (Vec::new(), line.start, line.end);
        if self.bytes[at..].starts_with(b"\xef\xbb\xbf") && at == 0 {
            at = 3;
        }
        loop {
            let rest = at..end;
            let lead = self.trimmed(rest.clone(), b" ").start;
            let quoted =
                (self.bytes.get(lead) == Some(&b'"') && lead < end).then(|| self.quoted(lead, separator)).flatten();
            let (cell, to) = match quoted {
                Some(close) => {
                    end = end.max(self.end_of_line(close));
                    let to = memchr(separator, &self.bytes[close..end]).map_or(end, |len| close + len);
                    (lead + 1..close - 1, to)
                }
                None => {
                    let to = memchr(separator, &self.bytes[rest]).map_or(end, |len| at + len);
                    (self.trimmed(at..to, b" "), to)
                }
            };
            cells.push(cell);
            if to >= end {
                return cells;
            }
            at = to + 1;
        }
    }

    /// Where the quotes end that begin at `open`: a separator or the end of a line follows. A quote in them is doubled, or has a backslash
    /// before it.
    fn quoted(&self, open: usize, separator: u8) -> Option<usize> {
        let end = self.all.end.min(open + LONGEST_CELL);
        let mut at = open + 1;
        loop {
            let quote = at + memchr(b'"', self.bytes.get(at..end)?)?;
            let behind = self.bytes.get(quote + 1).copied();
            match behind {
                Some(b'"') => at = quote + 2,
                _ if self.bytes[quote - 1] == b'\\'
                    && quote > open + 1
                    && behind.is_some_and(|byte| byte != separator) =>
                {
                    at = quote + 1;
                }
                None | Some(b'\r' | b'\n' | b' ') => return Some(quote + 1),
                Some(byte) if byte == separator => return Some(quote + 1),
                Some(_) => return None,
            }
        }
    }
}

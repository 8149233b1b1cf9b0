//! Tables whose cells a bar stands between, and those that are aligned below lines of dashes.

use std::ops::Range;

use super::{Head, Text, bar};

/// What stands around a cell, and marks it in Markdown.
const MARKS: &[u8] = b" \t`*_";

/// How far above a row its header is looked for, in lines.
const MOST_ROWS: usize = 40;

/// What a table of bars looks like below its header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A line of dashes is below the header: the rows are behind it.
    Ruled,
    /// Rows follow at once, up to one that has other columns.
    Bare,
    /// AsciiDoc's: empty lines do not end it.
    Spaced,
}

impl Text<'_> {
    /// The cells below a header, or the one beside a name.
    pub(super) fn piped(&self, head: &Head) -> Option<Vec<Range<usize>>> {
        let line = &self.bytes[head.line.clone()];
        // `||Host||Password||`: Jira's, whose rows have single bars.
        let is_doubled = line.trim_ascii().starts_with(b"||") && line.windows(2).filter(|two| two == b"||").count() > 1;
        let mut names = self.cells(head.line.clone(), if is_doubled { 2 } else { 1 });
        let first = names[0].clone();
        let is_closed = names.last()?.is_empty() && names.len() > 2;
        if is_closed {
            // A comment, a quotation, or what a log begins its lines with.
            names[0] = first.start..first.start;
        }
        let below = self.next(&head.line);
        let has_rule = below.as_ref().is_some_and(|below| is_ruled(&self.bytes[below.clone()]));
        if below.as_ref().is_some_and(|below| has_rule && self.is_between_rows(&head.line, &self.bytes[below.clone()]))
        {
            return None;
        }
        let previous = self.previous(&head.line);
        let form = match previous {
            _ if has_rule => Form::Ruled,
            Some(b"|===") => Form::Spaced,
            // Gherkin's, below a step.
            Some(last) if is_closed && first.is_empty() && (is_doubled || is_step(last)) => Form::Bare,
            _ if !is_closed && !first.is_empty() && names.len() > 2 && self.may_begin(&head.line, b'|') => Form::Bare,
            _ => return self.beside(head, &names, previous.unwrap_or_default(), below),
        };
        let column = self.column(&names, &head.name)?;
        let start = if has_rule { below? } else { head.line.clone() };
        let (mut found, mut was_ruled) = (Vec::new(), false);
        for line in self.lines(&start) {
            let text = &self.bytes[line.clone()];
            if is_ruled(text) {
                // A box has lines between its rows; below the last, another may begin.
                if was_ruled || form != Form::Ruled || !is_of_box(text) || text.contains(&b'=') {
                    break;
                }
                was_ruled = true;
                continue;
            }
            was_ruled = false;
            if form == Form::Spaced && text.trim_ascii().is_empty() {
                continue;
            }
            let cells = self.cells(line, 1);
            if cells.len() != names.len() {
                break;
            }
            if self.is_same(&cells[column], &names[column]) {
                break;
            }
            found.push(self.without_remark(cells[column].clone()));
        }
        Some(found)
    }

    /// Whether a line of a box has another row above it, and so the one of dashes below it is none below a header.
    fn is_between_rows(&self, line: &Range<usize>, below: &[u8]) -> bool {
        let rows = || {
            let above = self.before(line)?;
            let row = self.previous(&above)?;
            Some(is_ruled(&self.bytes[above]) && bar(row) > 0)
        };
        is_of_box(below) && !below.contains(&b'=') && rows().unwrap_or(true)
    }

    /// What stands beside a name, in a row of these two.
    fn beside(
        &self,
        head: &Head,
        names: &[Range<usize>],
        previous: &[u8],
        below: Option<Range<usize>>,
    ) -> Option<Vec<Range<usize>>> {
        let filled: Vec<Range<usize>> = names.iter().filter(|cell| !cell.is_empty()).cloned().collect();
        self.column(&filled[..1.min(filled.len())], &head.name)?;
        let value = match &filled[..] {
            [_, value] => value.clone(),
            _ => return self.named_value(head, names).map(|value| vec![value]),
        };
        let bars = |line: &[u8]| (0..line.len()).filter(|at| bar(&line[*at..]) > 0).count();
        let is_row = |line: &[u8]| is_ruled(line) || bars(line) == names.len() - 1;
        let is_table = is_row(previous) || below.is_some_and(|below| is_row(&self.bytes[below]));
        is_table.then(|| vec![self.without_remark(value)])
    }

    /// What stands below `Value` in the row of a name, in a table whose header is near.
    fn named_value(&self, head: &Head, cells: &[Range<usize>]) -> Option<Range<usize>> {
        const VALUES: [&[u8]; 6] = [b"value", b"wert", b"valeur", b"valor", b"valore", b"current value"];
        let above = std::iter::successors(self.before(&head.line), |line| self.before(line).filter(|_| line.start > 0));
        let rule = above.take(MOST_ROWS).find(|line| is_ruled(&self.bytes[line.clone()]))?;
        let header = self.cells(self.before(&rule)?, 1);
        let is_value =
            |cell: &Range<usize>| VALUES.iter().any(|value| self.bytes[cell.clone()].eq_ignore_ascii_case(value));
        let column = header.iter().position(is_value).filter(|_| header.len() == cells.len())?;
        Some(self.without_remark(cells[column].clone()))
    }

    /// `hunter2 (since May)`: the remark is none of it.
    fn without_remark(&self, cell: Range<usize>) -> Range<usize> {
        let text = &self.bytes[cell.clone()];
        let end = text.windows(2).position(|two| two == b" (").unwrap_or(text.len());
        self.trimmed(cell.start..cell.start + end, MARKS)
    }

    /// What stands before, between and behind bars, of which so many are one.
    fn cells(&self, line: Range<usize>, together: usize) -> Vec<Range<usize>> {
        let (mut cells, mut start, mut at) = (Vec::new(), line.start, line.start);
        while at < line.end {
            match bar(&self.bytes[at..line.end]) * together {
                0 => at += 1,
                // `\|` is none.
                _ if at > line.start && self.bytes[at - 1] == b'\\' => at += 1,
                len => {
                    cells.push(self.trimmed(start..at, MARKS));
                    at = (at + len).min(line.end);
                    start = at;
                }
            }
        }
        cells.push(self.trimmed(start..line.end, MARKS));
        cells
    }

    /// The cells below a header whose columns are as wide as the dashes below it.
    pub(super) fn aligned(&self, head: &Head) -> Option<Vec<Range<usize>>> {
        let rule = self.next(&head.line)?;
        let is_ruled = |line: &[u8]| !line.is_empty() && line.iter().all(|byte| b"-= ".contains(byte));
        let text = &self.bytes[rule.clone()];
        if !is_ruled(text) {
            return None;
        }
        let starts: Vec<usize> =
            (0..text.len()).filter(|at| text[*at] != b' ' && (*at == 0 || text[at - 1] == b' ')).collect();
        let cell = |line: &Range<usize>, column: usize| {
            let end = starts.get(column + 1).map_or(line.end, |next| line.end.min(line.start + next));
            let start = end.min(line.start + starts[column]);
            (start == line.start || self.bytes[start - 1] == b' ').then(|| self.trimmed(start..end, MARKS))
        };
        let names = (0..starts.len()).map(|column| cell(&head.line, column)).collect::<Option<Vec<_>>>()?;
        let column = self.column(&names, &head.name).filter(|_| names.len() > 1)?;
        let is_row = |line: &Range<usize>| {
            let text = &self.bytes[line.clone()];
            !text.trim_ascii().is_empty() && !is_ruled(text)
        };
        Some(self.lines(&rule).take_while(is_row).filter_map(|line| cell(&line, column)).collect())
    }
}

/// Whether a line is one of Gherkin's, below which there may be a table.
fn is_step(line: &[u8]) -> bool {
    const WORDS: [&[u8]; 5] = [b"Given ", b"When ", b"Then ", b"And ", b"But "];
    line.ends_with(b":") || WORDS.iter().any(|word| line.starts_with(word))
}

/// Whether a line is one of dashes, as stands below a header. A comment or the beginning of a log's line may stand before it.
fn is_ruled(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let start = line.iter().position(|byte| b"|+-:\xe2".contains(byte)).unwrap_or(line.len());
    let from = |start: usize| {
        let (mut at, mut dashes) = (start, 0);
        while at < line.len() {
            at += match &line[at..] {
                [b'-' | b'=', ..] => {
                    dashes += 1;
                    1
                }
                [b':' | b'|' | b'+' | b' ' | b'\t', ..] => 1,
                // U+2500 to U+257F
                [0xe2, 0x94 | 0x95, last, ..] => {
                    dashes += usize::from(matches!(last, 0x80 | 0x81 | 0x90));
                    3
                }
                _ => return false,
            };
        }
        dashes >= 3 || (dashes > 0 && line[start..].starts_with(b"|") && !line[start..].contains(&b' '))
    };
    // The time before it has dashes and colons, too.
    from(start) || line.iter().position(|byte| matches!(byte, b'|' | b'+')).is_some_and(from)
}

/// Whether a line of dashes is one of a box: of MySQL, of a grid of reStructuredText, or drawn.
fn is_of_box(line: &[u8]) -> bool {
    line.iter().any(|byte| matches!(byte, b'+' | 0xe2))
}

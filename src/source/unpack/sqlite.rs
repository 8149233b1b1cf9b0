//! The values of a SQLite database, each on a line of its own, and what is left of the file.
//!
//! Values of a row stand side by side with nothing between them, and a long row goes on in other pages: as bytes, `deploy` and
//! a token are one word. What no row holds (free space, deleted rows, whatever is broken) is left as the bytes that it is.
//! Facts: <https://www.sqlite.org/fileformat2.html>, sections 1.3, 1.6, 1.7 and 2.1.

use std::collections::HashSet;
use std::io::{self, Read, SeekFrom};
use std::ops::Range;

use super::archive::corrupt;
use super::contents::Disk;
use super::{Error, HEAD, packing};

mod pages;

/// Largest row that is read whole, in bytes; of a larger one, the beginning.
const ROW: u64 = 64 << 20;

/// So many values that are packed are opened; of more, the bytes are searched.
const PACKED: usize = 10_000;

/// Where a value stands: the number of its page, and which of its rows and of their values it is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    page: u64,
    cell: usize,
    value: usize,
}

/// A database and what of it was read as rows.
pub(super) struct Database<'d> {
    file: &'d mut dyn Disk,
    page_size: u64,
    /// Bytes of a page that SQLite uses.
    usable: u64,
    /// The pages there are.
    pages: u64,
    /// Pages in which rows go on.
    overflow: HashSet<u64>,
    /// Bytes of rows so far. Each byte of the file belongs to one row, unless the file lies.
    given: u64,
    /// What each page that was read says that it is.
    kinds: Vec<u8>,
    /// The pages that the header says there are.
    claimed: Option<u64>,
    /// A log beside the file has the newest pages: what this one says need not fit together.
    has_log: bool,
    packed: Vec<Place>,
    /// The row that was read last for a packed value.
    row: Option<(u64, usize, Vec<u8>)>,
}

impl<'d> Database<'d> {
    /// Reads the header.
    pub(super) fn new(file: &'d mut dyn Disk) -> io::Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        let mut header = [0; 100];
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut header).map_err(|_| corrupt("cut off in the header of a database"))?;
        let page_size = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
            1 => 65536,
            size => size,
        };
        let usable = page_size.saturating_sub(header[20].into());
        if !page_size.is_power_of_two() || page_size < 512 || usable < 480 {
            return Err(corrupt("the header of a database says what cannot be"));
        }
        let pages = size.div_ceil(page_size);
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        // Old writers count changes and not pages.
        let claimed = (word(24) == word(92) && word(28) > 0).then(|| u64::from(word(28)));
        let has_log = header[18] == 2 || header[19] == 2;
        let (overflow, kinds, packed) = (HashSet::new(), Vec::new(), Vec::new());
        let row = None;
        Ok(Database { file, page_size, usable, pages, overflow, given: 0, kinds, claimed, has_log, packed, row })
    }

    fn page(&mut self, number: u64) -> io::Result<Vec<u8>> {
        let mut page = Vec::new();
        if (1..=self.pages).contains(&number) {
            self.file.seek(SeekFrom::Start((number - 1) * self.page_size))?;
            (&mut self.file).take(self.page_size).read_to_end(&mut page)?;
        }
        Ok(page)
    }

    /// The values of the rows in a page, each with a line end behind it. Those that are packed are left out.
    fn values(&mut self, number: u64) -> io::Result<Vec<u8>> {
        let page = self.page(number)?;
        self.see(number, &page);
        let mut values = Vec::new();
        for (nth, cell) in cells(&page, number, self.usable).into_iter().enumerate() {
            let row = self.row(&page, &cell)?;
            for (at, value) in columns(&row).into_iter().enumerate() {
                let bytes = &row[value.place];
                if value.is_blob && self.packed.len() < PACKED && packing(&bytes[..bytes.len().min(HEAD)]).is_some() {
                    self.packed.push(Place { page: number, cell: nth, value: at });
                    continue;
                }
                values.extend_from_slice(bytes);
                values.push(b'\n');
            }
        }
        Ok(values)
    }

    /// A row with what of it stands in other pages.
    fn row(&mut self, page: &[u8], cell: &Cell) -> io::Result<Vec<u8>> {
        let mut row = page[cell.local.clone()].to_vec();
        let mut next = cell.overflow;
        while let Some(page) = next.filter(|_| (row.len() as u64) < cell.len.min(ROW)) {
            self.overflow.insert(page);
            let bytes = self.page(page)?;
            let Some((link, rest)) = bytes.split_first_chunk::<4>() else { break };
            let rest = &rest[..rest.len().min(self.usable as usize - 4)];
            row.extend_from_slice(&rest[..rest.len().min((cell.len - row.len() as u64) as usize)]);
            next = Some(u64::from(u32::from_be_bytes(*link))).filter(|page| *page > 0);
        }
        self.given += row.len() as u64;
        if self.given > 2 * self.pages * self.page_size {
            return Err(io::Error::other(Error::Bomb));
        }
        Ok(row)
    }

    /// The values that were left out.
    pub(super) fn take_packed(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.packed)
    }

    /// One of them.
    pub(super) fn value(&mut self, place: Place) -> io::Result<Vec<u8>> {
        let row = match self.row.take().filter(|(page, cell, _)| (*page, *cell) == (place.page, place.cell)) {
            Some((.., row)) => row,
            None => {
                let page = self.page(place.page)?;
                let cell = cells(&page, place.page, self.usable).into_iter().nth(place.cell);
                cell.map_or(Ok(Vec::new()), |cell| self.row(&page, &cell))?
            }
        };
        let value = columns(&row).into_iter().nth(place.value).map(|value| row[value.place].to_vec());
        self.row = Some((place.page, place.cell, row));
        Ok(value.unwrap_or_default())
    }

    /// A page with the rows in it blotted out.
    fn rest(&mut self, number: u64) -> io::Result<Vec<u8>> {
        let mut page = self.page(number)?;
        if self.overflow.contains(&number) {
            page.fill(0);
        }
        for cell in cells(&page, number, self.usable) {
            if !columns(&page[cell.local.clone()]).is_empty() {
                page[cell.local].fill(0);
            }
        }
        Ok(page)
    }
}

/// Which of both a [`Pages`] gives.
#[derive(Clone, Copy)]
pub(super) enum View {
    Values,
    Rest,
}

/// A database, page by page. The rest is right once all values were read.
pub(super) struct Pages<'p, 'd> {
    database: &'p mut Database<'d>,
    view: View,
    next: u64,
    bytes: Vec<u8>,
    done: usize,
}

impl<'p, 'd> Pages<'p, 'd> {
    pub(super) fn new(database: &'p mut Database<'d>, view: View) -> Self {
        Pages { database, view, next: 1, bytes: Vec::new(), done: 0 }
    }
}

impl Read for Pages<'_, '_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.done == self.bytes.len() && self.next <= self.database.pages {
            self.bytes = match self.view {
                View::Values => self.database.values(self.next)?,
                View::Rest => self.database.rest(self.next)?,
            };
            (self.next, self.done) = (self.next + 1, 0);
        }
        let len = space.len().min(self.bytes.len() - self.done);
        space[..len].copy_from_slice(&self.bytes[self.done..self.done + len]);
        self.done += len;
        Ok(len)
    }
}

/// A row, as far as it stands in its page.
struct Cell {
    local: Range<usize>,
    /// Bytes of the whole row.
    len: u64,
    /// The page in which it goes on.
    overflow: Option<u64>,
}

/// The rows of a page that has rows of a table or an index. What cannot be is left out.
fn cells(page: &[u8], number: u64, usable: u64) -> Vec<Cell> {
    let start = if number == 1 { 100 } else { 0 };
    let (kind, pointers) = match page.get(start) {
        Some(kind @ (0x0D | 0x0A)) => (*kind, start + 8),
        Some(kind @ 0x02) => (*kind, start + 12),
        _ => return Vec::new(),
    };
    let count = page.get(start + 3..start + 5).map_or(0, |two| usize::from(u16::from_be_bytes([two[0], two[1]])));
    let pointers = page.get(pointers..(pointers + 2 * count).min(page.len())).unwrap_or_default();
    let at = pointers.chunks_exact(2).map(|two| usize::from(u16::from_be_bytes([two[0], two[1]])));
    at.filter_map(|at| cell(page, kind, at, usable)).collect()
}

fn cell(page: &[u8], kind: u8, at: usize, usable: u64) -> Option<Cell> {
    let at = if kind == 0x02 { at + 4 } else { at };
    let (len, mut from) = varint(page, at)?;
    if kind == 0x0D {
        from = varint(page, from)?.1;
    }
    let most = if kind == 0x0D { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if len <= most {
        let local = from..from + len as usize;
        return (local.end <= page.len()).then_some(Cell { local, len, overflow: None });
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fits = least + (len - least) % (usable - 4);
    let end = from + if fits <= most { fits } else { least } as usize;
    let link = page.get(end..end + 4)?;
    let overflow = Some(u64::from(u32::from_be_bytes([link[0], link[1], link[2], link[3]])));
    Some(Cell { local: from..end, len, overflow })
}

/// A text or blob of a row.
struct Value {
    place: Range<usize>,
    is_blob: bool,
}

/// As many columns as SQLite allows.
const COLUMNS: usize = 32_767;

/// Where texts and blobs stand in a row, or in its beginning.
fn columns(row: &[u8]) -> Vec<Value> {
    let Some((len, mut at)) = varint(row, 0) else { return Vec::new() };
    let Ok(mut from) = usize::try_from(len) else { return Vec::new() };
    let mut values = Vec::new();
    let header = from.min(row.len());
    for _ in 0..COLUMNS {
        let Some((kind, next)) = (at < header).then(|| varint(row, at)).flatten() else { break };
        at = next;
        let Some(len) = length(kind) else { return Vec::new() };
        let Some(end) = usize::try_from(len).ok().and_then(|len| from.checked_add(len)) else { break };
        if kind >= 12 && from < row.len() {
            values.push(Value { place: from..end.min(row.len()), is_blob: kind % 2 == 0 });
        }
        from = end;
    }
    values
}

/// Bytes of a value of that kind.
fn length(kind: u64) -> Option<u64> {
    match kind {
        0 | 8 | 9 => Some(0),
        1..=4 => Some(kind),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        kind => Some((kind - 12) / 2),
    }
}

/// A number of one to nine bytes, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for count in 0..9 {
        let byte = *bytes.get(at + count)?;
        if count == 8 {
            return Some((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7F);
        if byte < 0x80 {
            return Some((value, at + count + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn views(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut file = Cursor::new(bytes);
        let mut database = Database::new(&mut file).ok()?;
        let (mut values, mut rest) = (Vec::new(), Vec::new());
        // What lies is an error, and what came before it was given.
        let lies = Pages::new(&mut database, View::Values).read_to_end(&mut values).is_err();
        Pages::new(&mut database, View::Rest).read_to_end(&mut rest).ok()?;
        assert!(lies || database.given <= 2 * database.pages * database.page_size);
        Some((values, rest))
    }

    proptest! {
        #[test]
        fn anything_ends_and_leaves_every_place_where_it_was(
            pages in prop::collection::vec((prop::sample::select(vec![0x0Du8, 0x0A, 0x02, 0x05, 0]),
                prop::collection::vec(any::<u8>(), 511), 0u16..9, prop::collection::vec(8u16..512, 8)), 1..6),
        ) {
            let mut bytes = Vec::new();
            for (number, (kind, noise, count, pointers)) in pages.iter().enumerate() {
                let mut page = [&[*kind], &noise[..]].concat();
                let start = if number == 0 { 100 } else { 0 };
                page[start] = *kind;
                page[start + 3..start + 5].copy_from_slice(&count.to_be_bytes());
                for (at, pointer) in pointers.iter().enumerate() {
                    page[start + 8 + 2 * at..start + 10 + 2 * at].copy_from_slice(&pointer.to_be_bytes());
                }
                bytes.extend(page);
            }
            bytes[..16].copy_from_slice(b"SQLite format 3\0");
            bytes[16..18].copy_from_slice(&512u16.to_be_bytes());
            bytes[20] = 0;
            let (_, rest) = views(&bytes).expect("the header is right");
            prop_assert_eq!(rest.len(), bytes.len());
        }
    }

    #[test]
    fn numbers_have_up_to_nine_bytes() {
        assert_eq!(varint(&[0x81, 0x00], 0), Some((128, 2)));
        assert_eq!(varint(&[0xFF; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0xFF; 8], 0), None);
    }
}

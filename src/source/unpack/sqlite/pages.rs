//! Whether the tables and indices of a database have the pages that they should.

use std::io;

use super::{Database, cells, length, varint};
use crate::source::unpack::archive::corrupt;

/// More pages are not kept account of.
const MOST: usize = 64 << 20;

/// What pages of tables and indices say that they are: inner ones, which name others, and leaves.
const INNER: [u8; 2] = [2, 5];
const LEAF: [u8; 2] = [10, 13];

impl Database<'_> {
    /// Takes note of a page.
    pub(super) fn see(&mut self, number: u64, page: &[u8]) {
        if self.kinds.len() < MOST {
            self.kinds.push(page.get(start(number)).copied().unwrap_or(0));
        }
    }

    /// An error if pages are missing, or something else stands where one of a table or an index should; all were seen. Where a log has
    /// newer pages, nothing is said.
    pub(in crate::source::unpack) fn check(&mut self) -> io::Result<()> {
        if self.has_log || self.kinds.len() as u64 != self.pages {
            return Ok(());
        }
        if self.claimed.is_some_and(|claimed| claimed > self.pages) {
            return Err(corrupt("a database that has fewer pages than it says"));
        }
        let (mut open, mut seen) = (vec![(1, true)], vec![false; self.kinds.len()]);
        while let Some((number, is_schema)) = open.pop() {
            let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
            let kind = at.and_then(|at| self.kinds.get(at)).copied().unwrap_or(0);
            if !INNER.contains(&kind) && !LEAF.contains(&kind) {
                return Err(corrupt("a database in which a page is not what it should be"));
            }
            let is_new = at.and_then(|at| seen.get_mut(at)).is_some_and(|seen| !std::mem::replace(seen, true));
            match kind {
                _ if !is_new => {}
                kind if INNER.contains(&kind) => {
                    let page = self.page(number)?;
                    open.extend(children(&page, number).into_iter().map(|child| (child, is_schema)));
                }
                _ if is_schema => {
                    let page = self.page(number)?;
                    let rows = cells(&page, number, self.usable).into_iter();
                    open.extend(rows.filter_map(|cell| root(&page[cell.local])).map(|root| (root, false)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where a page begins to say what it is: behind the header of the file in the first one.
fn start(number: u64) -> usize {
    if number == 1 { 100 } else { 0 }
}

/// The pages that an inner one names.
fn children(page: &[u8], number: u64) -> Vec<u64> {
    let start = start(number);
    let short = |at: usize| page.get(at..at + 2).map_or(0, |two| usize::from(u16::from_be_bytes([two[0], two[1]])));
    let long = |at: usize| page.get(at..at + 4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    let left = (0..short(start + 3)).map(|nth| short(start + 12 + 2 * nth));
    left.chain([start + 8]).filter_map(long).map(u64::from).collect()
}

/// The first page of the table or index that a row of the schema is of: its fourth value. Views have none.
fn root(row: &[u8]) -> Option<u64> {
    let (mut from, mut at) = varint(row, 0)?;
    for nth in 0..4 {
        let (kind, next) = varint(row, at)?;
        let len = length(kind)?;
        if nth == 3 {
            let start = usize::try_from(from).ok()?;
            let number = row.get(start..start.checked_add(len as usize)?).filter(|_| matches!(kind, 1..=6))?;
            let number = number.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
            return Some(number).filter(|number| *number > 0);
        }
        (from, at) = (from.checked_add(len)?, next);
    }
    None
}

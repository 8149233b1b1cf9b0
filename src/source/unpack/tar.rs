//! The members of a tar archive: POSIX, GNU, or older, with their extensions.
//!
//! Entries are walked here and not by the crate, which knows headers: it keeps what stands before an entry in memory whole, or knows
//! nothing of it, and takes the label of a volume for broken.

use std::io::{self, Read};
use std::ops::ControlFlow;

use tar::{GnuExtSparseHeader, Header};

use super::archive::{Member, NAME, Visit, corrupt, fill, finish, headers, member, pass, show};
use super::beside::Headers;

/// Everything stands in blocks of so many bytes.
const BLOCK: usize = 512;

/// Longest map of a sparse file, in bytes.
const MAP: u64 = 64 << 20;

/// What shows that the checksum of a header is wrong.
const WRONG_SUM: &str = "the checksum of a header is wrong";

/// The name of what stands where a header should.
const LOST: &str = "(no header)";

/// Whether an archive begins there: with a name, and the right sum, or with all else that a header has.
pub(super) fn is_tar(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|header| header[0] != 0 && (has_sum(header) || is_marked(header)))
}

/// Whether a header whose checksum may be wrong is one: POSIX's or GNU's mark, a name, and a size in digits.
fn is_marked(header: &[u8; BLOCK]) -> bool {
    let name = header[..100].split(|byte| *byte == 0).next().unwrap_or_default();
    let has_name = !name.is_empty() && !name.iter().any(u8::is_ascii_control);
    let is_size =
        matches!(header[124], 0 | b' ' | b'0'..=b'7' | 0x80) && Header::from_byte_slice(header).size().is_ok();
    let marks = [&b"ustar\x0000"[..], b"ustar  \0"];
    has_name && is_size && marks.contains(&&header[257..265])
}

/// Whether the header's checksum is right: the sum of its bytes, with its own field taken for blanks, in octal digits.
fn has_sum(header: &[u8; BLOCK]) -> bool {
    let digits = header[148..156].iter().copied().skip_while(|byte| *byte == b' ');
    let digits: Vec<u8> = digits.take_while(|byte| (b'0'..=b'7').contains(byte)).collect();
    let sum = |field: Vec<u8>| u32::from_str_radix(std::str::from_utf8(&field).ok()?, 8).ok();
    let blanks = 8 * u32::from(b' ');
    let bytes = |range: &[u8]| range.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(digits) == Some(bytes(&header[..148]) + blanks + bytes(&header[156..]))
}

/// What entries before a member say of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    /// Its content begins with where its parts belong (GNU's format 1.0 of sparse files).
    has_map: bool,
}

impl Said {
    /// Takes over what a pax header has (POSIX.1-2001, pax, "Extended Header").
    fn take(&mut self, text: &[u8]) {
        let mut has_own_name = false;
        for (key, value) in records(text) {
            match key {
                b"GNU.sparse.name" => (self.name, has_own_name) = (Some(value.to_vec()), true),
                b"path" if !has_own_name => self.name = Some(value.to_vec()),
                b"size" => self.size = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()),
                b"GNU.sparse.major" => self.has_map = value == b"1",
                _ => {}
            }
        }
    }
}

/// The records of a pax header, `<length> <key>=<value>\n`, up to one that is none.
fn records(mut text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let blank = text.iter().position(|byte| *byte == b' ')?;
        let len: usize = std::str::from_utf8(&text[..blank]).ok()?.parse().ok()?;
        let record = text.get(blank + 1..len.checked_sub(1)?)?;
        text = text.get(len..)?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        Some((&record[..equals], &record[equals + 1..]))
    })
}

/// Shows every file of a tar archive with its content, then what headers say, and what stands behind the end. Names that do not fit
/// a header come in entries before it; of a sparse file, what is there is shown without its holes. Where no header stands, it goes on with
/// the next one.
pub(super) fn members(input: &mut dyn Read, visit: &mut Visit<'_>) -> io::Result<()> {
    let (mut block, mut said, mut beside) = ([0; BLOCK], Said::default(), Headers::default());
    let mut sound = Ok(());
    while fill(input, &mut block)? && block != [0; BLOCK] {
        if !has_sum(&block) {
            sound = Err(corrupt(WRONG_SUM));
            if !is_marked(&block) {
                match lost(input, block, visit)? {
                    Some(next) => block = next,
                    None => break,
                }
            }
        }
        let begun = beside.add(&block, headers(visit));
        if begun.is_break() || entry(input, &block, &mut said, &mut beside, visit)?.is_break() {
            return Ok(());
        }
    }
    finish(beside, input, visit)?;
    sound
}

/// Shows what stands up to the next header, which it gives.
fn lost(input: &mut dyn Read, block: [u8; BLOCK], visit: &mut Visit<'_>) -> io::Result<Option<[u8; BLOCK]>> {
    let mut lost = Lost { input, block: block.to_vec(), done: 0, found: None };
    if visit(&Member::named(LOST), Ok(&mut lost)).is_break() {
        return Ok(None);
    }
    io::copy(&mut lost, &mut io::sink())?;
    Ok(lost.found)
}

/// Reads up to a block that is a header.
struct Lost<'i> {
    input: &'i mut dyn Read,
    block: Vec<u8>,
    done: usize,
    found: Option<[u8; BLOCK]>,
}

impl Read for Lost<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.done == self.block.len() && self.found.is_none() {
            self.block.clear();
            self.done = 0;
            (&mut *self.input).take(BLOCK as u64).read_to_end(&mut self.block)?;
            self.found = self.block.first_chunk().copied().filter(|block| has_sum(block) || is_marked(block));
        }
        if self.found.is_some() {
            return Ok(0);
        }
        let len = (&self.block[self.done..]).read(space)?;
        self.done += len;
        Ok(len)
    }
}

/// Shows what stands behind a header.
fn entry(
    input: &mut dyn Read,
    block: &[u8; BLOCK],
    said: &mut Said,
    beside: &mut Headers,
    visit: &mut Visit<'_>,
) -> io::Result<ControlFlow<()>> {
    let header = Header::from_byte_slice(block);
    let kind = header.entry_type();
    let is_name = kind.is_gnu_longname() || kind.is_pax_local_extensions();
    if is_name || kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
        return extension(input, header, said, beside, visit);
    }
    let Said { name, size, has_map } = std::mem::take(said);
    let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
    let size = size.map_or_else(|| size_of(header), Ok)?;
    if kind.is_gnu_sparse() && header.as_gnu().is_some_and(|gnu| gnu.is_extended()) {
        pass_places(input)?;
    }
    let map = if has_map { pass_map(input, size)? } else { 0 };
    // Links and devices have no content, but nothing keeps them from it.
    let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
    if !is_file && size == 0 {
        return Ok(ControlFlow::Continue(()));
    }
    let flow = show(input, &name, size - map, 0, visit)?;
    if flow.is_continue() {
        fill_up(input, size, beside)?;
    }
    Ok(flow)
}

/// The size that a header says; nothing is none: so GNU's volumes say it.
fn size_of(header: &Header) -> io::Result<u64> {
    let field = &header.as_old().size;
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(0) } else { header.entry_size() }
}

/// Reads what fills up the last block of so many bytes, which the last entry may go without. It should be zeros.
fn fill_up(input: &mut dyn Read, size: u64, beside: &mut Headers) -> io::Result<()> {
    let mut filler = Vec::new();
    (&mut *input).take(size.wrapping_neg() % BLOCK as u64).read_to_end(&mut filler)?;
    beside.keep(&filler);
    Ok(())
}

/// Shows an entry that speaks of others: what stands in it may be a secret, too.
fn extension(
    input: &mut dyn Read,
    header: &Header,
    said: &mut Said,
    beside: &mut Headers,
    visit: &mut Visit<'_>,
) -> io::Result<ControlFlow<()>> {
    let (kind, size) = (header.entry_type(), size_of(header)?);
    let mut text = Vec::new();
    (&mut *input).take(size.min(NAME)).read_to_end(&mut text)?;
    match () {
        () if kind.is_gnu_longname() => said.name = text.split(|byte| *byte == 0).next().map(<[u8]>::to_vec),
        () if kind.is_pax_local_extensions() => said.take(&text),
        () => {}
    }
    let about = Member { name: format!("{} (header)", member(&header.path_bytes()).name) };
    let mut rest = (&mut *input).take(size - text.len() as u64);
    let flow = visit(&about, Ok(&mut text.as_slice().chain(&mut rest)));
    let left = rest.limit();
    if flow.is_continue() {
        pass(input, left)?;
        fill_up(input, size, beside)?;
    }
    Ok(flow)
}

/// Reads past the blocks that say where the parts of a sparse file belong, beyond the four in its header.
fn pass_places(input: &mut dyn Read) -> io::Result<()> {
    let mut places = GnuExtSparseHeader::new();
    places.isextended[0] = 1;
    while places.is_extended() {
        if !fill(input, places.as_mut_bytes())? {
            return Err(corrupt("cut off in a header"));
        }
    }
    Ok(())
}

/// Reads past the numbers at the start of a sparse file, each on a line: how many parts there are, and where each begins and how
/// long it is. They fill blocks. Returns their bytes.
fn pass_map(input: &mut dyn Read, size: u64) -> io::Result<u64> {
    let (mut block, mut lines, mut wanted, mut passed) = ([0; BLOCK], 0, 1, 0);
    while lines < wanted {
        if passed + BLOCK as u64 > size.min(MAP) || !fill(input, &mut block)? {
            return Err(corrupt("the map of a sparse file is cut off"));
        }
        if passed == 0 {
            let parts = block.split(|byte| *byte == b'\n').next().and_then(|digits| std::str::from_utf8(digits).ok());
            let parts: u32 =
                parts.and_then(|digits| digits.parse().ok()).ok_or_else(|| corrupt("no map of a sparse file"))?;
            wanted += 2 * u64::from(parts);
        }
        lines += memchr::memchr_iter(b'\n', &block).count() as u64;
        passed += BLOCK as u64;
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_what_headers_cannot() {
        let mut said = Said::default();
        said.take(b"12 path=a/b\n22 GNU.sparse.major=1\n24 GNU.sparse.name=q/sp\n14 size=10000\n11 path=no\n99 x");
        assert_eq!(said, Said { name: Some(b"q/sp".to_vec()), size: Some(10_000), has_map: true });
    }

    #[test]
    fn a_map_is_passed_to_the_end_of_its_block() {
        let mut numbers = b"70\n".to_vec();
        (0..140).for_each(|number| numbers.extend(format!("{}\n", number * 512).bytes()));
        let len = numbers.len().next_multiple_of(BLOCK);
        numbers.resize(len, 0);
        numbers.extend_from_slice(b"content");
        let mut input = &numbers[..];
        assert_eq!(pass_map(&mut input, numbers.len() as u64).unwrap(), len as u64);
        assert_eq!(input, b"content");
        assert!(pass_map(&mut &b"99999999999999999999\n".repeat(100)[..], 2100).is_err());
        assert!(pass_map(&mut &numbers[..], 100).is_err());
    }
}

//! Members of a zip archive that its directory does not have: of an archive that stands before it, deleted or replaced ones,
//! those of a directory that claims to have fewer. Their own headers tell where they are.

use std::io::{self, Read};
use std::ops::{ControlFlow, Range};

use memchr::memmem;

use super::archive::{Member, corrupt};
use super::beside::Outside;
use super::contents::Disk;
use super::stream::{self, Extent};
use super::{Error, Meter};

/// So many of them that cannot be read are tried: whatever is made of headers alone ends soon.
const MOST_BROKEN: usize = 1000;

const SIGNATURE: &[u8] = b"PK\x03\x04";

/// So much is looked at for signatures at once, in bytes.
const BLOCK: usize = 8 << 10;

/// Bytes of a header before the name.
const FIXED: usize = 30;

/// Is shown a member, its content, and whether that is whole.
pub(super) type Visit<'v> = dyn FnMut(&Member, io::Result<&mut dyn Read>, bool) -> ControlFlow<()> + 'v;

/// Shows every member whose header stands outside of what is `held`, and adds where those contents stand that were shown.
/// No byte is read as the content of two: behind what was unpacked it goes on.
pub(super) fn members(
    disk: &mut dyn Disk,
    held: &mut Vec<Range<u64>>,
    meter: &Meter,
    visit: &mut Visit<'_>,
) -> io::Result<()> {
    let mut outside = Outside::new(disk, held.clone())?;
    let mut broken = 0;
    while let Some(at) = next(&mut outside)? {
        let start = at + SIGNATURE.len() as u64;
        outside.go_to(start);
        let Some(extent) = extent(&mut outside, start, meter)? else { continue };
        if meter.is_spent() {
            return Err(io::Error::other(Error::Bomb));
        }
        broken += usize::from(!extent.whole);
        if broken > MOST_BROKEN {
            return Err(corrupt(&format!("more than {MOST_BROKEN} members that its directory does not have")));
        }
        if member(&mut outside, start, &extent, visit)?.is_break() {
            break;
        }
        let content = start + extent.content.start..start + extent.content.end;
        if !content.is_empty() {
            outside.go_to(content.end);
            held.push(content);
        }
    }
    Ok(())
}

/// Where the next header of a member stands.
fn next(outside: &mut Outside<'_>) -> io::Result<Option<u64>> {
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        outside.pass_held();
        let start = outside.position();
        block.clear();
        outside.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        let ends = block.len() < BLOCK;
        for at in memmem::find_iter(&block, SIGNATURE) {
            let fields = block[at..].first_chunk::<FIXED>();
            let at = start + at as u64;
            if fields.is_some_and(stream::is_member) && has_name(outside, at)? {
                return Ok(Some(at));
            }
        }
        if ends {
            return Ok(None);
        }
        // One may stand on both sides of the seam.
        outside.go_to(start + (BLOCK - FIXED + 1) as u64);
    }
}

/// Whether the name in a header is one.
fn has_name(outside: &mut Outside<'_>, at: u64) -> io::Result<bool> {
    let mut header = Vec::new();
    outside.from(at)?.take((FIXED + stream::NAME) as u64).read_to_end(&mut header)?;
    let Some(fields) = header.first_chunk::<FIXED>() else { return Ok(false) };
    let len = usize::from(u16::from_le_bytes([fields[26], fields[27]]));
    let name = header.get(FIXED..FIXED + len);
    Ok(name.is_some_and(|name| !name.iter().any(u8::is_ascii_control)))
}

/// Where the member behind a signature stands, up to what is read elsewhere.
fn extent(outside: &mut Outside<'_>, start: u64, meter: &Meter) -> io::Result<Option<Extent>> {
    let mut rest = outside.from(start)?;
    let left = rest.limit();
    Ok(stream::extent(&mut rest, left, meter))
}

/// Shows the member behind a signature.
fn member(
    outside: &mut Outside<'_>,
    start: u64,
    extent: &Extent,
    visit: &mut Visit<'_>,
) -> io::Result<ControlFlow<()>> {
    let mut rest = outside.from(start)?;
    stream::alone(&mut rest, extent, &mut |about, content| {
        visit(&Member { name: about.name.clone() }, content.map_err(io::Error::other), extent.whole)
    })
}

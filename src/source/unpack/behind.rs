//! Zip archives behind a program or a script that unpacks them: their directory stands at the end of the file.

use std::io::{self, Read, Seek, SeekFrom};

use memchr::memmem;

use super::{Packing, packing};

/// Longest end of a zip archive (APPNOTE.TXT 4.3.16): 22 bytes and a comment.
const END: usize = 22;
const LONGEST: u64 = END as u64 + u16::MAX as u64;

/// How programs of Windows, Linux and macOS begin, and scripts.
const PROGRAMS: [&[u8]; 6] = [b"MZ", b"\x7fELF", b"#!", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];

/// The packing of a file of so many bytes that begins with `head`, as [`packing`]; also where it unpacks itself. It is read on
/// behind its head.
pub fn packing_of(head: &[u8], file: &mut (impl Read + Seek), size: u64) -> io::Result<Option<Packing>> {
    let found = packing(head);
    if found.is_some() || !PROGRAMS.iter().any(|program| head.starts_with(program)) {
        return Ok(found);
    }
    let at = file.stream_position()?;
    let ends = ends_as_zip(file, size)?;
    file.seek(SeekFrom::Start(at))?;
    Ok(ends.then_some(Packing::Zip))
}

/// Whether the file ends as a zip archive does, with its directory right before.
fn ends_as_zip(file: &mut (impl Read + Seek), size: u64) -> io::Result<bool> {
    let from = size.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&mut *file).take(LONGEST).read_to_end(&mut tail)?;
    let Some(at) = memmem::rfind(&tail, b"PK\x05\x06") else { return Ok(false) };
    let Some(end) = tail.get(at..at + END) else { return Ok(false) };
    let len = u64::from(u32::from_le_bytes([end[12], end[13], end[14], end[15]]));
    let Some(start) = (from + at as u64).checked_sub(len) else { return Ok(false) };
    file.seek(SeekFrom::Start(start))?;
    let mut mark = Vec::new();
    (&mut *file).take(4).read_to_end(&mut mark)?;
    Ok(mark == b"PK\x01\x02")
}

//! The members of a cpio archive: its text formats (`odc`, `newc`, `crc`), and the binary one, as machines of either byte order
//! wrote it (<https://man.freebsd.org/cgi/man.cgi?query=cpio&sektion=5>).

use std::io::{self, Read};

use super::archive::{NAME, Visit, corrupt, fill, finish, headers, number, pass, show};
use super::beside::Headers;

/// Bytes of the binary header: 13 words of 16 bits.
const BINARY: usize = 26;

/// The bits of a mode that say what a member is, and what they are for a file.
const TYPE: u64 = 0o170_000;
const FILE: u64 = 0o100_000;

/// Whether a text header has digits where it must.
pub(super) fn is_cpio(head: &[u8]) -> bool {
    match head.starts_with(b"070707") {
        true => head.get(6..76).is_some_and(|rest| rest.iter().all(|byte| (b'0'..=b'7').contains(byte))),
        false => head.get(6..110).is_some_and(|rest| rest.iter().all(u8::is_ascii_hexdigit)),
    }
}

/// Whether it begins as a binary archive: a mode that there is, and a name of the length that is said.
pub(super) fn is_binary(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk().and_then(Header::binary) else { return false };
    let name = head.get(BINARY..BINARY + header.name_len as usize).and_then(|name| name.split_last());
    let is_kind =
        matches!(header.mode & TYPE, FILE | 0o10_000 | 0o20_000 | 0o40_000 | 0o60_000 | 0o120_000 | 0o140_000);
    is_kind && name.is_some_and(|(end, name)| *end == 0 && !name.is_empty() && !name.iter().any(u8::is_ascii_control))
}

/// What a header says of its member, and how it is laid out.
struct Header {
    /// Bytes of the header without the name.
    len: u64,
    mode: u64,
    name_len: u64,
    size: u64,
    /// Name and content each end at a multiple of it.
    align: u64,
}

impl Header {
    /// The header that begins with the bytes in `bytes`, of which six were read; `None` for the zeros that fill the last block up.
    fn read(input: &mut dyn Read, bytes: &mut [u8; 110]) -> io::Result<Option<Self>> {
        let (len, mode, name_len, size, align) = match &bytes[..6] {
            b"070701" | b"070702" => {
                fill(input, &mut bytes[6..110])?;
                let field = |at: usize| number(&bytes[at..at + 8], 16);
                (110, field(14)?, field(94)?, field(54)?, 4)
            }
            b"070707" => {
                fill(input, &mut bytes[6..76])?;
                (76, number(&bytes[18..24], 8)?, number(&bytes[59..65], 8)?, number(&bytes[65..76], 8)?, 1)
            }
            [0xc7, 0x71, ..] | [0x71, 0xc7, ..] => {
                fill(input, &mut bytes[6..BINARY])?;
                return Ok(bytes.first_chunk().and_then(Header::binary));
            }
            [0, 0, 0, 0, 0, 0] => return Ok(None),
            _ => return Err(corrupt("a member's header is none")),
        };
        Ok(Some(Header { len, mode, name_len, size, align }))
    }

    /// A binary header; of numbers of 32 bits the upper half stands first on every machine.
    fn binary(bytes: &[u8; BINARY]) -> Option<Self> {
        let word: fn([u8; 2]) -> u16 = match bytes[..2] {
            [0xc7, 0x71] => u16::from_le_bytes,
            [0x71, 0xc7] => u16::from_be_bytes,
            _ => return None,
        };
        let word = |nth: usize| u64::from(word([bytes[2 * nth], bytes[2 * nth + 1]]));
        Some(Header {
            len: BINARY as u64,
            mode: word(3),
            name_len: word(10),
            size: word(11) << 16 | word(12),
            align: 2,
        })
    }
}

/// Shows every file of a cpio archive; then names and targets of links.
pub(super) fn members(input: &mut dyn Read, visit: &mut Visit<'_>) -> io::Result<()> {
    let (mut bytes, mut beside) = ([0; 110], Headers::default());
    while fill(input, &mut bytes[..6])? {
        let Some(Header { len, mode, name_len, size, align }) = Header::read(input, &mut bytes)? else { break };
        let rest = |done: u64| done.next_multiple_of(align) - done;
        let mut name = Vec::new();
        (&mut *input).take(name_len.min(NAME)).read_to_end(&mut name)?;
        pass(input, name_len - name.len() as u64)?;
        io::copy(&mut (&mut *input).take(rest(len + name_len)), &mut io::sink())?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name == b"TRAILER!!!" {
            break;
        }
        if beside.add(name, headers(visit)).is_break() {
            return Ok(());
        }
        if mode & TYPE != FILE {
            let mut target = Vec::new();
            (&mut *input).take(size.min(NAME)).read_to_end(&mut target)?;
            pass(input, size - target.len() as u64)?;
            if beside.add(&target, headers(visit)).is_break() {
                return Ok(());
            }
            io::copy(&mut (&mut *input).take(rest(size)), &mut io::sink())?;
        } else if show(input, name, size, rest(size), visit)?.is_break() {
            return Ok(());
        }
    }
    finish(beside, input, visit)
}

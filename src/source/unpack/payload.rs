//! Archives and streams behind something else, of which their end says nothing: behind a script or a program that unpacks them,
//! or behind a short header.

use memchr::memmem;

use super::{HEAD, Packing, packing};

/// So many bytes of a script or program are searched for what it unpacks.
pub(super) const SOUGHT: usize = 4 << 20;

/// What stands behind a header that other formats do without: compressed films of Flash, backups of Android.
pub(super) fn behind_header(head: &[u8]) -> Option<Packing> {
    let at = match head {
        // The version, and the size of what is compressed.
        [b'C', b'W', b'S', 1..=50, _, _, _, _, ..] => 8,
        _ if head.starts_with(b"ANDROID BACKUP\n") => {
            // Versions and ways of packing, a line each.
            let line_ends = memchr::memchr_iter(b'\n', &head[..head.len().min(64)]);
            line_ends.take(4).nth(3)? + 1
        }
        _ => return None,
    };
    let is_packed = packing(&head[at..]).is_some_and(Packing::is_stream);
    is_packed.then_some(Packing::Behind(at as u64))
}

/// Whether something may unpack what stands behind it.
pub fn may_unpack(head: &[u8]) -> bool {
    head.starts_with(b"#!") || is_program(head)
}

fn is_program(head: &[u8]) -> bool {
    head.starts_with(b"MZ") || head.starts_with(b"\x7fELF")
}

/// What stands behind a script or a program, of which `begun` is the beginning or all.
pub(super) fn unpacked_by(begun: &[u8]) -> Option<Packing> {
    let begun = &begun[..begun.len().min(SOUGHT)];
    let at = match begun {
        [b'#', b'!', ..] => behind_script(begun)?,
        _ if is_program(begun) => behind_program(begun)?,
        _ => return None,
    };
    Some(Packing::Behind(at as u64))
}

/// The first line that is no text, if it begins as something packed does.
fn behind_script(script: &[u8]) -> Option<usize> {
    let text = str::from_utf8(script).map_or_else(|error| error.valid_up_to(), str::len);
    let text = memchr::memchr(0, &script[..text]).unwrap_or(text);
    let line = memchr::memrchr(b'\n', script.get(..text).filter(|_| text < script.len())?)? + 1;
    let head = &script[line..script.len().min(line + HEAD)];
    let is_archive = |packing: &Packing| packing.is_stream() || matches!(packing, Packing::Tar | Packing::Cpio);
    packing(head).filter(is_archive).map(|_| line)
}

/// A 7z or rar archive whose first header has the right sum: the mark alone stands in every program that reads them.
fn behind_program(program: &[u8]) -> Option<usize> {
    let first = |mark: &[u8], is_one: fn(&[u8]) -> bool| {
        memmem::find_iter(program, mark).find(|at| *at > 0 && is_one(&program[*at..]))
    };
    first(b"7z\xbc\xaf\x27\x1c\0", is_7z).or_else(|| first(b"Rar!\x1a\x07", is_rar))
}

fn long(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

fn is_7z(bytes: &[u8]) -> bool {
    bytes.get(..32).is_some_and(|header| long(&header[8..12]) == crc32fast::hash(&header[12..]))
}

/// The first header of version 4 has 13 bytes with half a sum before them, that of version 5 a number of bytes.
fn is_rar(bytes: &[u8]) -> bool {
    match bytes.get(6..) {
        Some([0, header @ ..]) => header
            .get(..13)
            .is_some_and(|header| header[2] == 0x73 && long(&header[..2]) == crc32fast::hash(&header[2..]) & 0xffff),
        Some([1, 0, header @ ..]) => header.get(4).is_some_and(|len| {
            let end = 5 + usize::from(*len);
            *len < 0x80 && header.get(4..end).is_some_and(|fields| long(header) == crc32fast::hash(fields))
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip() -> Vec<u8> {
        let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.finish().unwrap()
    }

    #[test]
    fn what_a_script_unpacks_begins_a_line() {
        let script = b"#!/bin/sh\ntail -n +3 $0 | gzip -cd; exit\n".to_vec();
        let with = |rest: &[u8]| unpacked_by(&[&script[..], rest].concat());
        assert_eq!(with(&gzip()), Some(Packing::Behind(script.len() as u64)));
        assert_eq!(with(&[b"x", &gzip()[..]].concat()), None);
        assert_eq!((with(b""), with(b"caf\xe9\n"), unpacked_by(&gzip())), (None, None, None));
    }

    #[test]
    fn a_mark_in_a_program_is_no_archive() {
        let fields = [7; 20];
        let sum = crc32fast::hash(&fields).to_le_bytes();
        let sound = [&b"7z\xbc\xaf\x27\x1c\0\x04"[..], &sum, &fields].concat();
        let broken = [&b"7z\xbc\xaf\x27\x1c\0\x04abcd"[..], &fields].concat();
        let program = [&b"MZ\x90\0"[..], &[7; 900], &broken, b"Rar!\x1a\x07\0 and more of the text of it"].concat();
        assert_eq!(unpacked_by(&program), None);
        assert_eq!(unpacked_by(&[&program[..], &sound].concat()), Some(Packing::Behind(program.len() as u64)));
        let rar = [&b"Rar!\x1a\x07\x01\0"[..], &crc32fast::hash(b"\x03abc").to_le_bytes(), b"\x03abc"].concat();
        assert_eq!(unpacked_by(&[&program[..], &rar].concat()), Some(Packing::Behind(program.len() as u64)));
    }
}

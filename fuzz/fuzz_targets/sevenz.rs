//! Any header and any packed bytes as a 7z archive whose own sums are right, which no fuzzer would guess: the same
//! members in any reads as in large ones, never a panic, and no more than was asked for.
#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use stanch::source::unpack::{Packing, contents};

/// No input of a fuzzer is worth reading further.
const MOST: usize = 1 << 20;

/// The archive: the signature, where the header stands, what is packed, the header.
fn archive(packed: &[u8], header: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    let place = [&(packed.len() as u64).to_le_bytes()[..], &(header.len() as u64).to_le_bytes(), &sum(header)].concat();
    [&b"7z\xbc\xaf\x27\x1c\0\x04"[..], &sum(&place), &place, packed, header].concat()
}

/// Names, the beginnings of contents, and the errors.
fn read(archive: &[u8], step: usize) -> Vec<(String, Vec<u8>, Option<String>)> {
    let (mut seen, mut left) = (Vec::new(), MOST);
    drop(contents(Packing::SevenZip, &mut Cursor::new(archive), archive.len() as u64, 2, &mut |name, content| {
        let (mut bytes, mut space) = (Vec::new(), vec![0; step]);
        let error = content.and_then(|content| {
            while bytes.len() < left {
                let most = step.min(left - bytes.len());
                match content.read(&mut space[..most])? {
                    0 => break,
                    len => bytes.extend_from_slice(&space[..len]),
                }
            }
            Ok(())
        });
        left -= bytes.len();
        seen.push((name.to_owned(), bytes, error.err().map(|error| error.to_string())));
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }));
    seen
}

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (step, packed, header) = input;
    let archive = archive(packed, header);
    assert_eq!(read(&archive, usize::from(step) + 1), read(&archive, 1 << 16));
});

//! Anything compressed and any archive: an error or some content, never a panic, and no more than was asked for.
#![no_main]

use std::io::{Cursor, Read};
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use stanch::source::unpack::{HEAD, contents, packing, unpacked};

/// No input of a fuzzer is worth reading further.
const MOST: u64 = 1 << 20;

fuzz_target!(|packed: &[u8]| {
    let Some(packing) = packing(&packed[..packed.len().min(HEAD)]) else { return };
    if let Ok(content) = unpacked(packing, packed) {
        drop(content.take(MOST).read_to_end(&mut Vec::new()));
    }
    let mut left = MOST;
    drop(contents(packing, &mut Cursor::new(packed), packed.len() as u64, 8, &mut |_, content| {
        let read = content.and_then(|content| content.take(left).read_to_end(&mut Vec::new()));
        left -= read.unwrap_or(0) as u64;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }));
});

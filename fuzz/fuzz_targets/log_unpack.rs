//! Any compressed stream and any zip archive: an error or some content, never a panic, and no more than was asked for.
#![no_main]

use std::io::{Cursor, Read};
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use stanch::source::unpack::{members, packing, unpacked};

/// No input of a fuzzer is worth reading further.
const MOST: u64 = 1 << 20;

fuzz_target!(|packed: &[u8]| {
    if let Some(packing) = packing(packed)
        && let Ok(content) = unpacked(packing, packed)
    {
        drop(content.take(MOST).read_to_end(&mut Vec::new()));
    }
    drop(members(Cursor::new(packed), &mut |_, content| {
        if let Ok(content) = content {
            drop(content.take(MOST).read_to_end(&mut Vec::new()));
        }
        ControlFlow::Continue(())
    }));
});

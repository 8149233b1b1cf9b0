//! Any bytes as a zip archive that comes as a stream, in any reads: the same members and the same end as in one read, never
//! a panic, and no more than was asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stanch::source::unpack::stream::read;

fuzz_target!(|input: (u8, &[u8])| {
    let (step, archive) = input;
    assert_eq!(read(archive, usize::from(step) + 1), read(archive, usize::MAX));
});

//! Any bytes behind the mark of a compound file of OLE: never a panic, an end, and no more than twice what there is, once from
//! sectors and once from the stream that holds short ones; sources of macros are compressed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stanch::source::unpack::ole_streams;

fuzz_target!(|input: (u8, &[u8])| {
    let (shift, rest) = input;
    let mut file = [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], rest].concat();
    // What no fuzzer would guess.
    if let Some(fields) = file.get_mut(28..34) {
        fields.copy_from_slice(&[0xfe, 0xff, if shift % 2 == 0 { 9 } else { 12 }, 0, 6, 0]);
    }
    let streams = ole_streams(&file);
    let plain = streams.iter().filter(|(name, ..)| !name.contains("VBA/"));
    assert!(plain.map(|(_, bytes, _)| bytes.len()).sum::<usize>() <= 2 * file.len());
});

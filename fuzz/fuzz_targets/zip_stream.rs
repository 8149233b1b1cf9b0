//! Any bytes as a zip archive that comes as a stream, in any reads: the same members and the same end as in one read, never
//! a panic, and no more than was asked for.
#![no_main]

use std::io::Read;
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use stanch::source::unpack::stream::members;

/// No input of a fuzzer is worth reading further.
const MOST: u64 = 1 << 16;

/// Gives at most so many bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let len = self.0.len().min(self.1).min(space.len());
        space[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// Names, contents and whether they ended well, and whether the archive did.
fn read(archive: &[u8], step: usize) -> (Vec<(String, Vec<u8>, bool)>, bool) {
    let mut seen = Vec::new();
    let ended = members(&mut Slow(archive, step), &mut |member, content| {
        let mut bytes = Vec::new();
        let whole = content.is_ok_and(|content| content.take(MOST).read_to_end(&mut bytes).is_ok());
        seen.push((member.name.clone(), bytes, whole));
        ControlFlow::Continue(())
    });
    (seen, ended.is_ok())
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, archive) = input;
    assert_eq!(read(archive, usize::from(step) + 1), read(archive, usize::MAX));
});

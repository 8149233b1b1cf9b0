//! Reads streams of lz4, of both forms that there are
//! (<https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>).

use std::io::{self, BufRead, Read};

use lz4_flex::block;
use lz4_flex::frame::FrameDecoder;

use super::archive::corrupt;
use super::{Passed, pass_skippable};

/// How the old form begins, and each of several that stand behind each other.
pub(super) const OLD: [u8; 4] = *b"\x02\x21\x4c\x18";

/// What a block of the old form says at most, in bytes, and what it takes to say that if nothing repeats.
const BLOCK: usize = 8 << 20;
const PACKED: usize = BLOCK + BLOCK / 255 + 16;

pub(super) fn lz4<'r>(mut input: impl BufRead + 'r, passed: &Passed) -> io::Result<Box<dyn Read + 'r>> {
    // The other form begins with another byte.
    Ok(match input.fill_buf()? {
        [first, ..] if *first == OLD[0] => Box::new(Old { input, block: Vec::new(), at: 0 }),
        _ => Box::new(Frames(FrameDecoder::new(input), passed.clone())),
    })
}

/// All frames of a stream, one after the other.
struct Frames<R: Read>(FrameDecoder<R>, Passed);

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            let len = self.0.read(space)?;
            if len > 0 || space.is_empty() || pass_skippable(self.0.get_mut(), &self.1)?.is_none() {
                return Ok(len);
            }
        }
    }
}

/// What `lz4 -l` writes: blocks with their sizes before them, to the end of the file.
struct Old<R> {
    input: R,
    /// The block at hand, and how much of it was given.
    block: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Old<R> {
    /// Reads the next block; `false` at the end.
    fn next(&mut self) -> io::Result<bool> {
        let mut packed = Vec::new();
        while !self.input.fill_buf()?.is_empty() {
            let mut size = [0; 4];
            self.input.read_exact(&mut size).map_err(|_| corrupt("it is cut off"))?;
            if size == OLD {
                continue;
            }
            let size = u32::from_le_bytes(size) as usize;
            if size > PACKED {
                return Err(corrupt("a block of it is larger than any, or something stands behind the last one"));
            }
            if (&mut self.input).take(size as u64).read_to_end(&mut packed)? < size {
                return Err(corrupt("it is cut off"));
            }
            self.block.resize(BLOCK, 0);
            let len = block::decompress_into(&packed, &mut self.block).map_err(|error| corrupt(&error.to_string()))?;
            self.block.truncate(len);
            self.at = 0;
            return Ok(true);
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Old<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() && !space.is_empty() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let rest = &self.block[self.at..];
        let len = rest.len().min(space.len());
        space[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(blocks: &[&[u8]]) -> Vec<u8> {
        let packed = blocks.iter().map(|text| block::compress(text));
        packed.fold(OLD.to_vec(), |all, packed| [&all[..], &(packed.len() as u32).to_le_bytes(), &packed].concat())
    }

    fn read(packed: &[u8]) -> (Vec<u8>, bool) {
        let mut text = Vec::new();
        let read = lz4(packed, &Passed::default()).and_then(|mut stream| stream.read_to_end(&mut text));
        (text, read.is_ok())
    }

    #[test]
    fn blocks_are_read_to_the_end_or_it_is_said() {
        let (one, other) = (b"one ".repeat(1000), b"other".repeat(3));
        let packed = old(&[&one, b"", &other]);
        assert_eq!(read(&packed), ([&one[..], &other].concat(), true));
        assert_eq!(read(&[&packed[..], &packed].concat()).0.len(), 2 * (one.len() + other.len()));
        for len in 5..packed.len() {
            let (text, is_whole) = read(&packed[..len]);
            let ends = [&old(&[&one])[..], &old(&[&one, b""])].iter().any(|part| part.len() == len);
            assert_eq!((is_whole, text.is_empty() || text.starts_with(&one)), (ends, true), "{len}");
        }
        assert!(!read(&[&packed[..], b"behind it"].concat()).1);
        assert!(!read(&[&OLD[..], &[3, 0, 0, 0], b"\xff\xff\xff"].concat()).1);
    }
}

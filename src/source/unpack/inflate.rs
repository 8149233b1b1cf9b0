//! What deflate packs, with everything that came before a break. flate2's own readers lose what the call gave that failed.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::archive::corrupt;
use super::beside;

/// A stream of deflate (RFC 1951).
pub(super) struct Inflater<R> {
    input: R,
    inflate: Decompress,
    ended: bool,
    broken: bool,
}

impl<R: BufRead> Inflater<R> {
    pub(super) fn new(input: R) -> Self {
        Inflater { input, inflate: Decompress::new(false), ended: false, broken: false }
    }

    /// What was not read yet.
    pub(super) fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// Whether what was read is no deflate.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }
}

impl<R: BufRead> Read for Inflater<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !self.broken && !space.is_empty() {
            let input = self.input.fill_buf()?;
            let at_end = input.is_empty();
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, space, FlushDecompress::None);
            self.input.consume((self.inflate.total_in() - read) as usize);
            let len = (self.inflate.total_out() - written) as usize;
            self.ended = matches!(status, Ok(Status::StreamEnd));
            self.broken = status.is_err();
            match len {
                0 if at_end && !self.ended => return Err(corrupt("it is cut off")),
                0 => {}
                len => return Ok(len),
            }
        }
        if self.broken { Err(corrupt("what deflate packed cannot be unpacked")) } else { Ok(0) }
    }
}

/// The sum that stands behind a stream.
enum Sum {
    Crc(crc32fast::Hasher),
    Adler(u32),
}

impl Sum {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Crc(hasher) => hasher.update(bytes),
            Sum::Adler(sum) => *sum = zlib_rs::adler32::adler32(*sum, bytes),
        }
    }

    /// What stands behind a stream of so many bytes.
    fn trailer(&self, size: u32) -> Vec<u8> {
        match self {
            Sum::Crc(hasher) => [hasher.clone().finalize().to_le_bytes(), size.to_le_bytes()].concat(),
            Sum::Adler(sum) => sum.to_be_bytes().to_vec(),
        }
    }
}

/// Where reading is.
enum At {
    Header,
    Content,
    End,
}

/// One stream of zlib (RFC 1950), or all members of a gzip stream (RFC 1952), one after the other. Where a sum is wrong, or
/// something is cut off, the last read fails.
pub(super) struct Summed<R> {
    content: Inflater<R>,
    sum: Sum,
    at: At,
    is_first: bool,
}

impl<R: BufRead> Summed<R> {
    pub(super) fn gzip(input: R) -> Self {
        let content = Inflater::new(input);
        Summed { content, sum: Sum::Crc(crc32fast::Hasher::new()), at: At::Header, is_first: true }
    }

    pub(super) fn zlib(input: R) -> Self {
        Summed { content: Inflater::new(input), sum: Sum::Adler(1), at: At::Header, is_first: true }
    }

    /// What stands behind the last stream, which was read to its end.
    pub(super) fn rest(&mut self) -> Option<&mut R> {
        matches!(self.at, At::End).then_some(&mut self.content.input)
    }

    /// Reads past the header of a stream; `false` if none stands there.
    fn begin(&mut self) -> io::Result<bool> {
        const HEADER_SUM: u8 = 2;
        let Sum::Crc(sum) = &mut self.sum else {
            return self
                .is_first
                .then(|| self.content.input.read_exact(&mut [0; 2]))
                .transpose()
                .map(|it| it.is_some());
        };
        if !self.is_first && self.content.input.fill_buf()?.first() != Some(&0x1f) {
            return Ok(false);
        }
        let (header, _) = beside::gzip(&mut self.content.input)?;
        let Some([0x1f, 0x8b, 8, flags, ..]) = header.get(..10) else { return Err(corrupt("its header is none")) };
        if flags & HEADER_SUM != 0 {
            self.content.input.read_exact(&mut [0; 2])?;
        }
        *sum = crc32fast::Hasher::new();
        self.content.inflate.reset(false);
        self.content.ended = false;
        Ok(true)
    }

    fn check(&mut self) -> io::Result<()> {
        let wanted = self.sum.trailer(self.content.inflate.total_out() as u32);
        let mut trailer = Vec::new();
        (&mut self.content.input).take(wanted.len() as u64).read_to_end(&mut trailer)?;
        if trailer == wanted { Ok(()) } else { Err(corrupt("the content is not what its checksum says")) }
    }
}

impl<R: BufRead> Read for Summed<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.at {
                At::End => return Ok(0),
                At::Header => {
                    self.at = if self.begin()? { At::Content } else { At::End };
                    self.is_first = false;
                }
                At::Content => {
                    let len = self.content.read(space)?;
                    self.sum.update(&space[..len]);
                    if len > 0 || space.is_empty() {
                        return Ok(len);
                    }
                    // Whatever its sum says, it is at its end.
                    self.at = At::Header;
                    self.check()?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Bytes that hardly can be packed.
    fn noise(len: u32) -> Vec<u8> {
        (0..len).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn read(mut stream: impl Read) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        let ended = stream.read_to_end(&mut all).is_ok();
        (all, ended)
    }

    #[test]
    fn everything_before_a_break_is_given() {
        let content = noise(300_000);
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::none());
        packed.write_all(&content).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(read(Summed::zlib(&packed[..])), (content.clone(), true));
        let mut broken = packed.clone();
        // The length of a stored block.
        let second = 2 + 5 + usize::from(u16::from_le_bytes([packed[3], packed[4]]));
        broken[second + 1] ^= 0xFF;
        let (came, ended) = read(Summed::zlib(&broken[..]));
        assert!(!ended && came == content[..second - 7], "{} of {second}", came.len());
        let wrong = [&packed[..packed.len() - 4], b"abcd"].concat();
        assert_eq!(read(Summed::zlib(&wrong[..])), (content.clone(), false));
        let (came, ended) = read(Summed::zlib(&packed[..100_000]));
        assert!(!ended && came.len() > 99_900 && content.starts_with(&came));
    }

    #[test]
    fn members_of_gzip_end_before_what_is_none() {
        let pack = |content: &[u8]| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packed.write_all(content).unwrap();
            packed.finish().unwrap()
        };
        let all = [pack(b"one "), pack(b"two"), b"\0\0rest".to_vec()].concat();
        let mut gzip = Summed::gzip(&all[..]);
        assert!(gzip.rest().is_none());
        assert_eq!(read(&mut gzip), (b"one two".to_vec(), true));
        assert_eq!(gzip.rest(), Some(&mut &b"\0\0rest"[..]));
    }
}

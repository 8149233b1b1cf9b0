//! Filters of PDF that no library has on its own (ISO 32000, 7.4).

use std::io::{self, BufRead, Read};

use weezl::decode::Decoder;
use weezl::{BitOrder, LzwStatus};

use crate::source::unpack::archive::corrupt;

/// What digits of base 16 or 85 write (7.4.2, 7.4.3).
pub(super) struct Digits<R> {
    input: R,
    is_hex: bool,
    /// What was written and not given yet.
    ready: Vec<u8>,
    given: usize,
}

impl<R: BufRead> Digits<R> {
    pub(super) fn hex(input: R) -> Self {
        Digits { input, is_hex: true, ready: Vec::new(), given: 0 }
    }

    pub(super) fn base85(input: R) -> Self {
        Digits { input, is_hex: false, ready: Vec::new(), given: 0 }
    }

    /// Reads the digits of one group: fewer at the end.
    fn group(&mut self) -> io::Result<Vec<u32>> {
        let (len, mut digits) = (if self.is_hex { 2 } else { 5 }, Vec::with_capacity(5));
        while digits.len() < len {
            let Some(&byte) = self.input.fill_buf()?.first() else { break };
            let digit = match byte {
                b'>' if self.is_hex => break,
                b'~' => break,
                0 => None,
                _ if byte.is_ascii_whitespace() => None,
                _ if self.is_hex => Some(char::from(byte).to_digit(16).ok_or_else(|| corrupt("a digit is none"))?),
                b'z' if digits.is_empty() => {
                    digits.extend([0; 4]);
                    Some(0)
                }
                b'!'..=b'u' => Some(u32::from(byte - b'!')),
                _ => return Err(corrupt("a digit is none")),
            };
            digits.extend(digit);
            self.input.consume(1);
        }
        Ok(digits)
    }

    fn write(&mut self) -> io::Result<()> {
        let mut digits = self.group()?;
        let bytes = match (self.is_hex, digits.len()) {
            (true, len) => len.div_ceil(2),
            (false, len) => len.saturating_sub(1),
        };
        digits.resize(if self.is_hex { 2 } else { 5 }, if self.is_hex { 0 } else { 84 });
        let (base, width) = if self.is_hex { (16, 1) } else { (85, 4) };
        let number = digits.iter().fold(0u32, |sum, digit| sum.wrapping_mul(base).wrapping_add(*digit));
        self.ready = number.to_be_bytes()[4 - width..][..bytes].to_vec();
        self.given = 0;
        Ok(())
    }
}

impl<R: BufRead> Read for Digits<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        for (count, byte) in space.iter_mut().enumerate() {
            if self.given == self.ready.len() {
                match self.write() {
                    Err(_) if count > 0 => return Ok(count),
                    wrote => wrote?,
                }
            }
            let Some(next) = self.ready.get(self.given) else { return Ok(count) };
            *byte = *next;
            self.given += 1;
        }
        Ok(space.len())
    }
}

/// What codes of LZW stand for (7.4.4), which need no end.
pub(super) struct Codes<R> {
    input: R,
    decoder: Decoder,
    gave: bool,
}

impl<R: BufRead> Codes<R> {
    /// `early` is whether codes grow one code before they must.
    pub(super) fn new(input: R, early: bool) -> Self {
        let new = if early { Decoder::with_tiff_size_switch } else { Decoder::new };
        Codes { input, decoder: new(BitOrder::Msb, 8), gave: false }
    }
}

impl<R: BufRead> Read for Codes<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while !space.is_empty() && !self.decoder.has_ended() {
            let input = self.input.fill_buf()?;
            let is_end = input.is_empty();
            let result = self.decoder.decode_bytes(input, space);
            self.input.consume(result.consumed_in);
            self.gave |= result.consumed_out > 0;
            match result.status {
                _ if result.consumed_out > 0 => return Ok(result.consumed_out),
                Ok(LzwStatus::Done) => break,
                Ok(_) if is_end => break,
                Ok(LzwStatus::NoProgress) if result.consumed_in == 0 => break,
                Ok(_) => {}
                Err(_) if self.gave && is_end => break,
                Err(error) => return Err(corrupt(&error.to_string())),
            }
        }
        Ok(0)
    }
}

/// Bytes that are written out, and such as are repeated (7.4.5).
pub(super) struct Runs<R> {
    input: R,
    /// How many bytes are left of what was begun, and which, if it is one that is repeated.
    left: usize,
    repeated: Option<u8>,
    ended: bool,
}

impl<R: BufRead> Runs<R> {
    pub(super) fn new(input: R) -> Self {
        Runs { input, left: 0, repeated: None, ended: false }
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let next = self.input.fill_buf()?.first().copied();
        self.input.consume(next.iter().len());
        Ok(next)
    }

    fn begin(&mut self) -> io::Result<()> {
        match self.next()? {
            None | Some(128) => self.ended = true,
            Some(len @ ..128) => (self.left, self.repeated) = (usize::from(len) + 1, None),
            Some(len) => {
                self.repeated = self.next()?;
                (self.left, self.ended) = (257 - usize::from(len), self.repeated.is_none());
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Runs<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        for (count, place) in space.iter_mut().enumerate() {
            if self.left == 0 && !self.ended {
                self.begin()?;
            }
            let byte = match self.repeated {
                _ if self.ended => return Ok(count),
                None => self.next()?,
                repeated => repeated,
            };
            let Some(byte) = byte else {
                self.ended = true;
                return Ok(count);
            };
            *place = byte;
            self.left -= 1;
        }
        Ok(space.len())
    }
}

/// Rows as they were before PNG's filters (PNG, 9.2), each of which has the number of its filter before it.
pub(super) struct Unpredicted<R> {
    input: R,
    row: Vec<u8>,
    above: Vec<u8>,
    given: usize,
    /// Bytes of a pixel.
    pixel: usize,
    /// What ended the last row.
    broken: Option<io::Error>,
}

impl<R: Read> Unpredicted<R> {
    /// Rows of so many bytes.
    pub(super) fn new(input: R, row: usize, pixel: usize) -> Self {
        Unpredicted { input, row: Vec::new(), above: vec![0; row], given: 0, pixel: pixel.max(1), broken: None }
    }

    /// Reads the next row; the last may be short.
    fn next(&mut self) -> io::Result<()> {
        let len = self.above.len();
        if self.row.len() == len {
            std::mem::swap(&mut self.row, &mut self.above);
        }
        self.row.clear();
        self.given = 0;
        let mut filter = Vec::new();
        (&mut self.input).take(1).read_to_end(&mut filter)?;
        self.broken = (&mut self.input).take(len as u64).read_to_end(&mut self.row).err();
        for at in 0..self.row.len() {
            let left = at.checked_sub(self.pixel);
            let (a, b, c) = (left.map_or(0, |at| self.row[at]), self.above[at], left.map_or(0, |at| self.above[at]));
            let predicted = match filter.first() {
                Some(1) => a,
                Some(2) => b,
                Some(3) => ((u16::from(a) + u16::from(b)) / 2) as u8,
                Some(4) => paeth(a, b, c),
                _ => 0,
            };
            self.row[at] = self.row[at].wrapping_add(predicted);
        }
        Ok(())
    }
}

/// Whichever of three neighbours is nearest to their gradient (PNG, 9.4).
fn paeth(a: u8, b: u8, c: u8) -> u8 {
    let gradient = i16::from(a) + i16::from(b) - i16::from(c);
    let distance = |neighbour: u8| (gradient - i16::from(neighbour)).abs();
    [a, b, c].into_iter().min_by_key(|neighbour| distance(*neighbour)).unwrap_or(0)
}

impl<R: Read> Read for Unpredicted<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.given == self.row.len() {
            match self.broken.take() {
                Some(error) => return Err(error),
                None => self.next()?,
            }
        }
        let len = space.len().min(self.row.len() - self.given);
        space[..len].copy_from_slice(&self.row[self.given..self.given + len]);
        self.given += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut reader: impl Read) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).is_ok().then_some(all)
    }

    #[test]
    fn digits_are_what_they_write() {
        assert_eq!(read(Digits::hex(&b"48 65\n6C6c6F2>and"[..])), Some(b"Hello ".to_vec()));
        assert_eq!(read(Digits::hex(&b"4x"[..])), None);
        assert_eq!(read(Digits::base85(&b"87cURD_*#\n4DfTZ)~>"[..])), Some(b"Hello, World".to_vec()));
        assert_eq!(read(Digits::base85(&b"zz87cUR~>"[..])), Some(b"\0\0\0\0\0\0\0\0Hell".to_vec()));
        assert_eq!(read(Digits::base85(&b"87cUR\x7f"[..])), None);
    }

    #[test]
    fn codes_and_runs_are_what_they_stand_for() {
        // The example of ISO 32000, 7.4.4.2.
        let coded = b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01";
        assert_eq!(read(Codes::new(&coded[..], true)), Some(b"-----A---B".to_vec()));
        assert_eq!(read(Codes::new(&coded[..3], true)), Some(b"-".to_vec()), "what is cut off");
        assert_eq!(read(Codes::new(&b"\xff\xff"[..], true)), None, "a code of nothing");
        let long: Vec<u8> = (0..100_000u32).flat_map(|number| number.to_string().into_bytes()).collect();
        for early in [true, false] {
            let new = if early { weezl::encode::Encoder::with_tiff_size_switch } else { weezl::encode::Encoder::new };
            let packed = new(BitOrder::Msb, 8).encode(&long).unwrap();
            let drop_by_drop = io::BufReader::with_capacity(7, &packed[..]);
            assert!(read(Codes::new(drop_by_drop, early)) == Some(long.clone()), "{early}");
        }
        assert_eq!(read(Runs::new(&b"\x02abc\xfex\x00d\x80behind"[..])), Some(b"abcxxxd".to_vec()));
        assert_eq!(read(Runs::new(&b"\x05ab"[..])), Some(b"ab".to_vec()));
        assert_eq!(read(Runs::new(&b"\x00a\xfe"[..])), Some(b"a".to_vec()));
    }

    #[test]
    fn a_row_is_given_up_to_where_it_breaks() {
        struct Breaks;
        impl Read for Breaks {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(corrupt("broken"))
            }
        }
        let (mut rows, mut all) = (Unpredicted::new(b"\x00abc\x02\x03\x03".chain(Breaks), 3, 1), Vec::new());
        assert!(rows.read_to_end(&mut all).is_err());
        assert_eq!(all, b"abcde");
    }

    #[test]
    fn every_filter_of_a_row_is_undone() {
        let plain = b"abcdefghi\x01\x02\x03xyz";
        let packed =
            [&b"\x00abc\x02"[..], &[3, 3, 3], &[1, b'g', 1, 1], &[4, 1u8.wrapping_sub(b'g'), 1, 1], &[3]].concat();
        let third = |at: usize| {
            let left = if at == 0 { 0 } else { u16::from(plain[11 + at]) };
            plain[12 + at].wrapping_sub(((left + u16::from(plain[9 + at])) / 2) as u8)
        };
        let packed = [packed, (0..3).map(third).collect()].concat();
        assert_eq!(read(Unpredicted::new(&packed[..], 3, 1)), Some(plain.to_vec()));
        assert_eq!(read(Unpredicted::new(&packed[..6], 3, 1)), Some(b"abcd".to_vec()));
    }
}

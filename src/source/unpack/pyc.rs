//! A compiled file of Python with everything between its constants blotted out.
//!
//! A constant stands between bytes that say what it is and what follows, and these look like letters: `z(` before a token of 40
//! characters, `N` behind it for `None`. Facts: CPython's `Python/marshal.c` and `Lib/importlib/_bootstrap_external.py`, from
//! Python 2.5 on.

use std::ops::Range;

/// Objects inside each other; CPython allows 2,000.
const DEPTH: u32 = 200;

/// Whether it is one: the number of its version, a line end, where there are flags two bits that are known, and a code object.
pub(super) fn is_pyc(head: &[u8]) -> bool {
    let Some(start) = header(head).filter(|start| head.len() > *start) else { return false };
    let has_flags = start == 16;
    head[2..4] == *b"\r\n" && (!has_flags || (head[4] < 4 && head[5..8] == [0; 3])) && kind(head[start]) == b'c'
}

/// Bytes before the constants: magic number, flags from Python 3.7 on (PEP 552), time or hash, size from 3.3 on.
fn header(head: &[u8]) -> Option<usize> {
    match version(head.get(..4)?) {
        PYTHON_2_5..=PYTHON_2_7 | 3000..=3189 => Some(8),
        3190..=3389 => Some(12),
        3390..4000 => Some(16),
        _ => None,
    }
}

/// The first and the last version of Python 2 that is read; they were counted from 1995 on.
const PYTHON_2_5: u16 = 62061;
const PYTHON_2_7: u16 = 62219;

fn version(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}

/// The type of an object; the highest bit says that others refer to it.
fn kind(byte: u8) -> u8 {
    byte & 0x7F
}

/// The same bytes with zeros for all that is no constant, as far as it is understood.
pub(super) fn blotted(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut reader = Reader { bytes: &bytes, at: header(&bytes).unwrap_or(bytes.len()), blots: Vec::new() };
    // What follows something that is not understood stays as it is.
    reader.object(DEPTH);
    for blot in reader.blots {
        bytes[blot].fill(0);
    }
    bytes
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    blots: Vec<Range<usize>>,
}

impl Reader<'_> {
    /// Goes on behind so many bytes that are no constant.
    fn blot(&mut self, len: usize) -> Option<&[u8]> {
        let range = self.at..self.at.checked_add(len)?;
        let bytes = self.bytes.get(range.clone())?;
        self.at = range.end;
        self.blots.push(range);
        Some(bytes)
    }

    fn byte(&mut self) -> Option<usize> {
        self.blot(1).map(|byte| byte[0].into())
    }

    fn number(&mut self) -> Option<usize> {
        let four = self.blot(4)?;
        Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
    }

    /// Goes on behind a constant.
    fn text(&mut self, len: usize) -> Option<()> {
        self.at = self.at.checked_add(len).filter(|end| *end <= self.bytes.len())?;
        Some(())
    }

    fn objects(&mut self, count: usize, depth: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.object(depth).map(drop))
    }

    /// Goes on behind an object; `false` for the end of a dictionary.
    fn object(&mut self, depth: u32) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        match kind(self.blot(1)?[0]) {
            b'0' => return Some(false),
            b'N' | b'F' | b'T' | b'S' | b'.' => {}
            b'i' | b'r' | b'R' => drop(self.blot(4)?),
            b'I' | b'g' => drop(self.blot(8)?),
            b'y' => drop(self.blot(16)?),
            b'l' => {
                let digits = self.number()? as u32 as i32;
                self.blot(2 * digits.unsigned_abs() as usize)?;
            }
            b'z' | b'Z' | b'f' => {
                let len = self.byte()?;
                self.text(len)?;
            }
            b's' | b'a' | b'A' | b'u' | b't' => {
                let len = self.number()?;
                self.text(len)?;
            }
            b')' => {
                let count = self.byte()?;
                self.objects(count, depth)?;
            }
            b'(' | b'[' | b'<' | b'>' => {
                let count = self.number()?;
                self.objects(count, depth)?;
            }
            b':' => self.objects(3, depth)?,
            b'{' => while self.object(depth)? {},
            b'c' => self.code(depth)?,
            _ => return None,
        }
        Some(true)
    }

    /// The numbers and objects of a function or module, of which the line number stands among the objects.
    fn code(&mut self, depth: u32) -> Option<()> {
        let (numbers, objects, behind) = match version(self.bytes) {
            ..3413 => (5, 8, 1),
            PYTHON_2_5..=PYTHON_2_7 => (4, 8, 1),
            3413..3495 => (6, 8, 1),
            _ => (5, 8, 2),
        };
        self.blot(4 * numbers)?;
        self.objects(objects, depth)?;
        self.blot(4)?;
        self.objects(behind, depth)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn anything_keeps_its_length(body in prop::collection::vec(
            prop_oneof![prop::sample::select(b"NTiIglrzaAust)([<>{:c0\xe3\xfa\x00\x01\x02".to_vec()), any::<u8>()], 0..300)) {
            for (version, header) in [(62211u16, 8), (3379, 12), (3495, 16)] {
                let start = [&version.to_le_bytes()[..], b"\r\n", &vec![0; header - 4], b"c"].concat();
                let bytes = [&start[..], &body].concat();
                prop_assert!(is_pyc(&bytes) && blotted(bytes.clone()).len() == bytes.len());
            }
        }
    }

    #[test]
    fn a_long_nest_ends() {
        let bytes =
            [&[0xA7, 0x0D, b'\r', b'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &b")\x01".repeat(100_000)].concat();
        assert_eq!(blotted(bytes.clone()).len(), bytes.len());
    }
}

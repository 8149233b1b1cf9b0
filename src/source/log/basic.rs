//! Finds `Authorization: Basic …` and what it says in plain text.

use std::ops::Range;

use memchr::memmem;

use super::normalise::Next;

/// Longest credential that is decoded, in bytes of base64.
const LONGEST: usize = 8 << 10;

/// A credential's place in the log, and its text: `user:password`.
pub type Credential = (Range<usize>, Vec<u8>);

type Find = fn(&[u8]) -> Option<usize>;

/// Goes through the lines of a window.
pub(super) struct Basic {
    next: Next<Find>,
}

impl Basic {
    pub(super) fn new() -> Self {
        Basic { next: Next::new(find) }
    }

    /// The credentials of a line; lines must come in their order.
    #[inline]
    pub(super) fn in_line(&mut self, log: &[u8], line: &Range<usize>) -> Option<Vec<Credential>> {
        if self.next.at_or_after(log, line.start) >= line.end {
            return None;
        }
        let credentials: Vec<_> =
            memmem::find_iter(&log[line.clone()], b"asic ").filter_map(|at| credential(log, line, at)).collect();
        (!credentials.is_empty()).then_some(credentials)
    }
}

/// The scheme's name is written in any case (RFC 7617), but by machines as `Basic` or `basic`.
fn find(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"asic ")
}

fn credential(log: &[u8], line: &Range<usize>, at: usize) -> Option<Credential> {
    let start = line.start + at + b"asic ".len();
    let rest = &log[start..line.end.min(start + LONGEST)];
    let digits = rest.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/').count();
    if digits < 8 {
        return None;
    }
    let text = data_encoding::BASE64_NOPAD.decode(&rest[..digits]).ok()?;
    let says_something = text.contains(&b':') && text.iter().all(|byte| (0x20..0x7F).contains(byte));
    let padding = rest[digits..].iter().take(2).take_while(|&&byte| byte == b'=').count();
    says_something.then_some((start..start + digits + padding, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_decoded_where_there_is_one() {
        let log =
            format!("basic facts\n> Authorization: Basic {}\nbasic x", data_encoding::BASE64.encode(b"user:word"));
        let mut basic = Basic::new();
        let lines: Vec<_> = [0..11, 12..47, 48..55].iter().map(|line| basic.in_line(log.as_bytes(), line)).collect();
        assert_eq!(lines, [None, Some(vec![(35..47, b"user:word".to_vec())]), None]);
    }
}

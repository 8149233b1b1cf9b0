//! Deltas: which bytes of a base, and which new ones, make an object. Format: gitformat-pack(5), "Deltified
//! representation".

use std::io::{self, Read};

use super::fault::Fault;

/// A run of bytes of the object that a delta makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Op {
    /// Where the run stands in the object.
    pub at: u32,
    /// Bytes.
    pub len: u32,
    /// Where the bytes come from.
    pub from: From,
}

/// Where the bytes of an [`Op`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// From the base, there.
    Base(u32),
    /// From the delta itself, there.
    Delta(u32),
}

/// Objects are built in memory with 32-bit positions; larger ones are a named skip before this is asked.
const LIMIT: u64 = u32::MAX as u64;

/// Reads the two sizes before the operations: of the base, of the object, and where the operations start.
pub(super) fn sizes(delta: &[u8]) -> Result<(u64, u64, usize), Fault> {
    let mut at = 0;
    let mut number = || {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = *delta.get(at).ok_or(Fault::Corrupt("its delta ends within its header"))?;
            at += 1;
            if shift > 56 {
                return Err(Fault::Corrupt("its delta claims a size beyond 63 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    };
    let base = number()?;
    let object = number()?;
    Ok((base, object, at))
}

/// Reads all operations of a delta whose base has `base_len` bytes into `ops` and gives the object's size. What comes
/// out is sound: every run lies in its source, and the runs add up to the size. Copies that go on where
/// the one before ended, in source and object, are one: git splits copies at 64 KiB, and a seam costs a search.
pub(super) fn parse(delta: &[u8], base_len: usize, ops: &mut Vec<Op>) -> Result<u32, Fault> {
    ops.clear();
    let (base, size, mut at) = sizes(delta)?;
    if base != base_len as u64 {
        return Err(Fault::Corrupt("its delta is for a base of another size"));
    }
    if size > LIMIT || base > LIMIT {
        return Err(Fault::TooLarge(size.max(base)));
    }
    let mut made = 0u64;
    while let Some(&code) = delta.get(at) {
        at += 1;
        let (len, from) = if code & 0x80 != 0 {
            let (start, len) = copy(code, delta, &mut at)?;
            if start + len > base {
                return Err(Fault::Corrupt("its delta copies from beyond its base"));
            }
            (len, From::Base(start as u32))
        } else if code != 0 {
            let start = at;
            at += usize::from(code);
            if at > delta.len() || at as u64 > LIMIT {
                return Err(Fault::Corrupt("its delta ends within an insertion"));
            }
            (u64::from(code), From::Delta(start as u32))
        } else {
            return Err(Fault::Corrupt("its delta has an operation that git reserves"));
        };
        if made + len > size {
            return Err(Fault::Corrupt("its delta makes more bytes than it claims"));
        }
        push(ops, Op { at: made as u32, len: len as u32, from });
        made += len;
    }
    if made != size {
        return Err(Fault::Corrupt("its delta makes fewer bytes than it claims"));
    }
    Ok(size as u32)
}

/// Appends an operation, or lengthens the last one that it continues.
fn push(ops: &mut Vec<Op>, op: Op) {
    if let (Some(last), From::Base(from)) = (ops.last_mut(), op.from)
        && let From::Base(start) = last.from
        && u64::from(start) + u64::from(last.len) == u64::from(from)
    {
        last.len += op.len;
        return;
    }
    ops.push(op);
}

/// The start and length of a copy; a bit of the code for each byte that is there. Length 0 means 64 KiB.
fn copy(code: u8, delta: &[u8], at: &mut usize) -> Result<(u64, u64), Fault> {
    let mut bytes = [0u8; 8];
    for (bit, byte) in bytes.iter_mut().enumerate().take(7) {
        if code >> bit & 1 == 1 {
            *byte = *delta.get(*at).ok_or(Fault::Corrupt("its delta ends within a copy"))?;
            *at += 1;
        }
    }
    let all = u64::from_le_bytes(bytes);
    let len = all >> 32;
    Ok((all & 0xffff_ffff, if len == 0 { 0x1_0000 } else { len }))
}

/// The bytes of an operation.
pub(super) fn source<'a>(op: &Op, base: &'a [u8], delta: &'a [u8]) -> &'a [u8] {
    match op.from {
        From::Base(from) => &base[from as usize..(from + op.len) as usize],
        From::Delta(from) => &delta[from as usize..(from + op.len) as usize],
    }
}

/// Builds the object. `out` must be as long as [`parse`] said.
pub(super) fn apply(ops: &[Op], base: &[u8], delta: &[u8], out: &mut [u8]) {
    for op in ops {
        out[op.at as usize..][..op.len as usize].copy_from_slice(source(op, base, delta));
    }
}

/// The object, read piece by piece: nothing is built.
pub(super) struct Made<'d> {
    ops: std::slice::Iter<'d, Op>,
    base: &'d [u8],
    delta: &'d [u8],
    /// What is left of the operation at hand.
    rest: &'d [u8],
}

impl<'d> Made<'d> {
    pub(super) fn new(ops: &'d [Op], base: &'d [u8], delta: &'d [u8]) -> Self {
        Made { ops: ops.iter(), base, delta, rest: &[] }
    }
}

impl Read for Made<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let Some(op) = self.ops.next() else { return Ok(0) };
            self.rest = source(op, self.base, self.delta);
        }
        self.rest.read(space)
    }
}

/// Appends the bytes `start..end` of the object to `out` without building it. `first` is the first operation that can
/// matter and moves on: ask in ascending order.
pub(super) fn gather(
    ops: &[Op],
    first: &mut usize,
    (base, delta): (&[u8], &[u8]),
    (start, end): (u32, u32),
    out: &mut Vec<u8>,
) {
    while ops.get(*first).is_some_and(|op| op.at + op.len <= start) {
        *first += 1;
    }
    for op in &ops[*first..] {
        if op.at >= end {
            break;
        }
        let (from, to) = (start.max(op.at) - op.at, end.min(op.at + op.len) - op.at);
        out.extend_from_slice(&source(op, base, delta)[from as usize..to as usize]);
    }
}

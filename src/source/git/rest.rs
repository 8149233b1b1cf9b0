//! Turns bytes of git's binary files into the numbers and names in them; `None` where they end too early.

use super::index::ObjectFormat;
use crate::origin::ObjectId;

/// Bytes still to be read.
pub(super) struct Rest<'b>(pub(super) &'b [u8]);

impl<'b> Rest<'b> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    /// Up to `end`, which is passed over.
    pub(super) fn until(&mut self, end: u8) -> Option<&'b [u8]> {
        let taken = self.take(memchr::memchr(end, self.0)?)?;
        self.take(1)?;
        Some(taken)
    }

    pub(super) fn id(&mut self, format: ObjectFormat) -> Option<ObjectId> {
        ObjectId::from_bytes(self.take(format.width())?)
    }

    /// A number as pack files write offsets.
    pub(super) fn offset(&mut self) -> Option<usize> {
        let mut byte = self.take(1)?[0];
        let mut value = usize::from(byte & 127);
        while byte & 128 != 0 {
            byte = self.take(1)?[0];
            value = value.checked_add(1)?.checked_mul(128)? + usize::from(byte & 127);
        }
        Some(value)
    }
}

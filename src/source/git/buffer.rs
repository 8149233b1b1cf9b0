//! Memory that is used again.

use std::ops::Deref;

use super::entries::Listed;

/// Larger buffers go back to the system.
const KEEP: usize = 4 << 20;

/// More buffers than a descent holds at once are not kept.
const MOST: usize = 16;

/// Bytes of a length that can be set without clearing what was there: every user overwrites all of it.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    store: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// Sets the length and gives the bytes, whose content is arbitrary.
    pub(super) fn resize(&mut self, len: usize) -> &mut [u8] {
        if len > self.store.len() {
            if len > self.store.capacity() {
                // To grow in place would copy what nobody needs any more.
                self.store = Vec::new();
            }
            self.store.resize(len, 0);
        }
        self.len = len;
        &mut self.store[..len]
    }

    /// Gives back what is more than is worth keeping.
    pub(super) fn trim(&mut self) {
        if self.store.len() > KEEP {
            *self = Buffer::default();
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.store[..self.len]
    }
}

/// Buffers of one thread: objects, their marks and their entries.
#[derive(Default)]
pub(super) struct Pool {
    bytes: Vec<Buffer>,
    marks: Vec<Vec<u32>>,
    lists: Vec<Listed>,
}

impl Pool {
    pub(super) fn buffer(&mut self) -> Buffer {
        self.bytes.pop().unwrap_or_default()
    }

    pub(super) fn marks(&mut self) -> Vec<u32> {
        self.marks.pop().unwrap_or_default()
    }

    pub(super) fn give(&mut self, mut bytes: Buffer) {
        if self.bytes.len() < MOST {
            bytes.trim();
            self.bytes.push(bytes);
        }
    }

    pub(super) fn give_marks(&mut self, mut marks: Vec<u32>) {
        if self.marks.len() < 2 * MOST && marks.capacity() * 4 <= KEEP {
            marks.clear();
            self.marks.push(marks);
        }
    }

    pub(super) fn list(&mut self) -> Listed {
        self.lists.pop().unwrap_or_default()
    }

    pub(super) fn give_list(&mut self, mut list: Listed) {
        if self.lists.len() < MOST && list.size() <= KEEP {
            list.clear();
            self.lists.push(list);
        }
    }
}

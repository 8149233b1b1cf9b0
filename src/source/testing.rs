//! What tests and fuzz targets of several readers need.

use std::io::{self, Read};

/// Gives at most so many bytes at a time.
pub struct Slow<'a>(pub &'a [u8], pub usize);

impl Read for Slow<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.0.len().min(self.1).min(space.len());
        space[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

//! The entries of a tree. Format: mode in octal, a blank, the name, a zero byte, the raw id.

/// An entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name of what it names, in the tree.
    pub name: &'a [u8],
    /// The id of that, as raw bytes.
    pub id: &'a [u8],
    /// It is a tree itself.
    pub is_tree: bool,
    /// It is a submodule's commit, which is in another repository.
    pub is_module: bool,
}

/// The entries of a tree, up to the first that is no entry.
#[derive(Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    width: usize,
}

impl<'a> Entries<'a> {
    /// Ids of `width` bytes.
    pub fn new(bytes: &'a [u8], width: usize) -> Self {
        Entries { rest: bytes, width }
    }

    /// Bytes behind the entries so far.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything was an entry; to be asked at the end.
    pub fn is_complete(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        // Modes have five digits (trees) or six; others were written by old tools, so they are searched for.
        let blank = match self.rest {
            [_, _, _, _, _, b' ', ..] => 5,
            [_, _, _, _, _, _, b' ', ..] => 6,
            _ => memchr::memchr(b' ', self.rest.get(..12).unwrap_or(self.rest))?,
        };
        let is_tree = matches!(
            self.rest,
            [b'4', b'0', b'0', b'0', b'0', b' ', ..] | [b'0', b'4', b'0', b'0', b'0', b'0', b' ', ..]
        );
        let is_module = self.rest.starts_with(b"160000 ");
        let after = &self.rest[blank + 1..];
        let end = memchr::memchr(0, after)?;
        let id = after.get(end + 1..end + 1 + self.width)?;
        self.rest = &after[end + 1 + self.width..];
        Some(Entry { name: &after[..end], id, is_tree, is_module })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_end_where_they_are_none() {
        let mut tree = b"100644 a b\0".to_vec();
        tree.extend([1; 20]);
        tree.extend(b"40000 dir\0");
        tree.extend([b' '; 20]);
        let mut entries = Entries::new(&tree, 20);
        assert_eq!(entries.next(), Some(Entry { name: b"a b", id: &[1; 20], is_tree: false, is_module: false }));
        assert_eq!(entries.next(), Some(Entry { name: b"dir", id: &[b' '; 20], is_tree: true, is_module: false }));
        assert!(entries.next().is_none() && entries.is_complete());
        let mut short = Entries::new(&tree[..tree.len() - 1], 20);
        assert_eq!((short.by_ref().count(), short.is_complete()), (1, false));
    }
}

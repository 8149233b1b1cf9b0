//! Files mapped into memory: packs and their indices, and the index of a work tree.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file. Mapped rather than read, because a pack may be larger than the memory.
#[derive(Debug)]
pub(super) struct Map(Option<Mmap>);

impl Map {
    /// Maps a regular file as long as it is now. Anything else (a directory, a FIFO that would block) is an error.
    pub(super) fn open(path: &Path) -> io::Result<Map> {
        check(path)?;
        let file = File::open(path)?;
        // A mapping of no bytes is an error on some systems.
        if file.metadata()?.len() == 0 {
            return Ok(Map(None));
        }
        Ok(Map(Some(map(&file)?)))
    }
}

/// The content of a regular file; anything else is an error.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    check(path)?;
    std::fs::read(path)
}

/// Refuses what is no regular file before it is opened: to open a FIFO is to wait for a writer, for ever if there is none.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    match () {
        () if metadata.is_file() => Ok(()),
        () if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        () => Err(io::Error::new(io::ErrorKind::InvalidInput, "is no regular file")),
    }
}

/// The one `unsafe` of this program beside instructions that not every processor has.
///
/// A mapping is sound as long as nobody changes the file below it. Git never does: it writes a pack and its index
/// under another name, renames them into place with mode 0444 and from then on only unlinks them, which leaves a
/// mapping whole; the index of a work tree it writes as `index.lock`, and renames that. Who writes into a pack nevertheless can give us other bytes than before. All of them are untrusted
/// anyway: every offset and length is checked where it is used, against slices whose length is fixed here, so other
/// bytes lead to a named skip and not to a read out of bounds. Who *shortens* the file makes the next touch of the
/// lost pages a SIGBUS, as in git, libgit2 and gix, which all map packs; the process ends with a signal, which no
/// caller takes for a clean run. Reading packs instead would hold gigabytes twice, which is the worse choice.
#[expect(unsafe_code, reason = "packs are larger than memory; see above for why a mapping is sound enough")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: as argued above; the mapping is private to this process, read-only and never handed out mutably.
    unsafe { Mmap::map(file) }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

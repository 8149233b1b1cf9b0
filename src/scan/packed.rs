//! Searches what is compressed or archived as what is in it.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use super::Outcome;
use super::object::Searcher;
use super::suspect::Suspect;
use crate::coverage::{Coverage, Skip, Why};
use crate::origin::Origin;
use crate::source::read::Ended;
use crate::source::unpack::{self, HEAD, Packing};

/// What was found in a member of an archive in a git object, by the member's name.
pub(super) type InMember = (String, Vec<Suspect>);

impl Searcher<'_> {
    /// Reads and searches a file that may be packed.
    pub(super) fn packed_file(
        &mut self,
        origin: &Origin,
        file: &mut (impl Read + Seek),
        size: u64,
        coverage: &mut Coverage,
        emit: &mut dyn FnMut(Outcome),
    ) {
        let mut head = Vec::with_capacity(HEAD);
        let read = file.take(HEAD as u64).read_to_end(&mut head);
        let packed = unpack::packing(&head).filter(|_| self.depth() > 0);
        let (ended, size) = match (read, packed) {
            (Ok(_), None) => (self.read(origin, &mut head.as_slice().chain(file), Some(size), emit), Some(size)),
            (Ok(_), Some(packing)) => match file.seek(SeekFrom::Start(0)) {
                Ok(_) => return self.members(origin, packing, file, size, coverage, emit),
                Err(error) => (Err(error), None),
            },
            (Err(error), _) => (Err(error), None),
        };
        self.account(origin, ended, size, coverage);
    }

    /// Reads and searches a stream that may be compressed; archives are read from files.
    pub(super) fn packed_stream(
        &mut self,
        origin: &Origin,
        mut stream: &mut dyn Read,
        emit: &mut dyn FnMut(Outcome),
    ) -> io::Result<Ended> {
        let head = unpack::head(&mut stream)?;
        let packing = unpack::packing(&head);
        let mut whole = head.as_slice().chain(stream);
        match packing.filter(|packing| packing.is_stream() || matches!(packing, Packing::Zip | Packing::Foreign(_))) {
            Some(packing) if self.depth() > 0 => self.read(origin, &mut unpack::unpacked(packing, whole)?, None, emit),
            _ => self.read(origin, &mut whole, None, emit),
        }
    }

    /// Searches everything that an archive holds.
    fn members(
        &mut self,
        origin: &Origin,
        packing: Packing,
        file: &mut (impl Read + Seek),
        size: u64,
        coverage: &mut Coverage,
        emit: &mut dyn FnMut(Outcome),
    ) {
        let archive = origin.path().unwrap_or(Path::new("")).to_owned();
        let read = unpack::contents(packing, file, size, self.depth(), &mut |name, content| {
            let origin = match name {
                "" => origin.clone(),
                name => Origin::Member { archive: archive.clone(), name: name.to_owned() },
            };
            let ended = content.and_then(|content| self.read(&origin, content, None, emit));
            self.account(&origin, ended, None, coverage);
            if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Err(error) = read {
            self.account(origin, Err(error), None, coverage);
        }
    }

    /// Everything suspicious in a git object that is packed, with why some of it was not read.
    pub(super) fn packed_suspects(&mut self, packing: Packing, object: &[u8]) -> (Vec<InMember>, Vec<(String, Skip)>) {
        let (mut found, mut skips) = (Vec::new(), Vec::new());
        let nowhere = Origin::Stream { name: String::new() };
        let mut file = io::Cursor::new(object);
        let read = unpack::contents(packing, &mut file, object.len() as u64, self.depth(), &mut |name, content| {
            match content.and_then(|content| self.suspects(content, None)) {
                Ok(suspects) if suspects.is_empty() => {}
                Ok(suspects) => found.push((name.to_owned(), suspects)),
                Err(error) => skips.push((name.to_owned(), super::object::unread(&nowhere, &error))),
            }
            if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        skips.extend(read.err().map(|error| (String::new(), super::object::unread(&nowhere, &error))));
        (found, skips)
    }
}

/// The word for why something packed was not read.
pub(super) fn why(error: &unpack::Error) -> Why {
    match error {
        unpack::Error::Bomb | unpack::Error::Deep => Why::Bomb,
        unpack::Error::Large => Why::TooLarge,
        unpack::Error::Encrypted => Why::Encrypted,
        unpack::Error::Unsupported(_) => Why::UnknownPacking,
        unpack::Error::Corrupt(_) => Why::CorruptArchive,
    }
}

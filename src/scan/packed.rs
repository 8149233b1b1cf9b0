//! Searches logs that are compressed, as what is in them.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::ControlFlow;

use super::Outcome;
use super::object::Searcher;
use crate::coverage::{Coverage, Skip, Why};
use crate::origin::Origin;
use crate::source::read::Ended;
use crate::source::unpack::{self, Packing};

impl Searcher<'_> {
    /// Reads and searches a file that may be compressed.
    pub(super) fn packed_file(
        &mut self,
        origin: &Origin,
        mut file: File,
        size: u64,
        coverage: &mut Coverage,
        emit: &mut dyn FnMut(Outcome),
    ) {
        let head = unpack::head(&mut file).and_then(|head| file.rewind().map(|()| head));
        let (ended, size) = match head.map(|head| unpack::packing(&head)) {
            Ok(None) => (self.read(origin, &mut file, Some(size), emit), Some(size)),
            Ok(Some(Packing::Zip)) => return self.zip(origin, file, coverage, emit),
            Ok(Some(packing)) => (self.unpacked(origin, packing, file, emit), None),
            Err(error) => (Err(error), None),
        };
        self.account(origin, ended, size, coverage);
    }

    /// Reads and searches a stream that may be compressed.
    pub(super) fn packed_stream(
        &mut self,
        origin: &Origin,
        mut stream: &mut dyn Read,
        emit: &mut dyn FnMut(Outcome),
    ) -> io::Result<Ended> {
        let head = unpack::head(&mut stream)?;
        let packing = unpack::packing(&head);
        let mut whole = head.as_slice().chain(stream);
        match packing {
            None => self.read(origin, &mut whole, None, emit),
            Some(packing) => self.unpacked(origin, packing, whole, emit),
        }
    }

    fn unpacked(
        &mut self,
        origin: &Origin,
        packing: Packing,
        input: impl Read,
        emit: &mut dyn FnMut(Outcome),
    ) -> io::Result<Ended> {
        let mut content = unpack::unpacked(packing, input)?;
        self.read(origin, &mut content, None, emit)
    }

    fn zip(&mut self, origin: &Origin, file: File, coverage: &mut Coverage, emit: &mut dyn FnMut(Outcome)) {
        let archive = origin.path().unwrap_or(std::path::Path::new("")).to_owned();
        let read = unpack::members(file, &mut |member, content| {
            let origin = Origin::Member { archive: archive.clone(), name: member.name.clone() };
            match content {
                Ok(mut content) => {
                    let ended = self.read(&origin, &mut content, None, emit);
                    self.account(&origin, ended, None, coverage);
                }
                Err(error) => coverage.skips.push(skip(origin, &error)),
            }
            if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Err(error) = read {
            coverage.skips.push(skip(origin.clone(), &error));
        }
    }
}

fn skip(origin: Origin, error: &unpack::Error) -> Skip {
    Skip { origin, why: why(error), detail: error.to_string() }
}

/// The word for why something packed was not read.
pub(super) fn why(error: &unpack::Error) -> Why {
    match error {
        unpack::Error::Bomb => Why::Bomb,
        unpack::Error::Encrypted => Why::Encrypted,
        unpack::Error::Unsupported(_) => Why::UnknownPacking,
        unpack::Error::Corrupt(_) => Why::CorruptArchive,
    }
}

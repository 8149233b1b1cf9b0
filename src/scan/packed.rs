//! Searches what is compressed or archived as what is in it.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use super::Outcome;
use super::object::{Searcher, unread};
use super::suspect::Suspect;
use crate::coverage::{Coverage, Skip, Why};
use crate::origin::Origin;
use crate::source::unpack::{self, HEAD, Packing};

/// What was found in a member of an archive in a git object, by the member's name.
pub(super) type InMember = (String, Vec<Suspect>);

/// What hears of everything that a search comes to.
pub(super) struct Ears<'e> {
    pub(super) coverage: &'e mut Coverage,
    pub(super) emit: &'e mut dyn FnMut(Outcome),
}

impl Searcher<'_> {
    /// Reads and searches a file that may be packed.
    pub(super) fn packed_file(
        &mut self,
        origin: &Origin,
        file: &mut (impl Read + Seek),
        size: u64,
        ears: &mut Ears<'_>,
    ) {
        let mut head = Vec::with_capacity(HEAD);
        let read = file.take(HEAD as u64).read_to_end(&mut head);
        let packed = unpack::packing(&head).filter(|_| self.depth() > 0);
        let (ended, size) = match (read, packed) {
            (Ok(_), None) => (self.read(origin, &mut head.as_slice().chain(file), Some(size), ears.emit), Some(size)),
            (Ok(_), Some(packing)) => match file.seek(SeekFrom::Start(0)) {
                Ok(_) => {
                    let (depth, name) = (self.depth(), member_of(origin));
                    let unpacked = unpack::contents(packing, file, size, depth, &mut |member, content| {
                        self.member(&name, member, content, ears)
                    });
                    return self.failed(origin, unpacked, ears);
                }
                Err(error) => (Err(error), None),
            },
            (Err(error), _) => (Err(error), None),
        };
        self.account(origin, ended, size, ears.coverage);
    }

    /// Reads and searches a stream that may be packed.
    pub(super) fn packed(&mut self, origin: &Origin, mut input: &mut dyn Read, ears: &mut Ears<'_>) {
        let head = match unpack::head(&mut input) {
            Ok(head) => head,
            Err(error) => return ears.coverage.skips.push(unread(origin, &error)),
        };
        let mut whole = head.as_slice().chain(input);
        match unpack::packing(&head).filter(|_| self.depth() > 0) {
            None => {
                let ended = self.read(origin, &mut whole, None, ears.emit);
                self.account(origin, ended, None, ears.coverage);
            }
            Some(packing) => self.unpacked(origin, &member_of(origin), packing, &mut whole, ears),
        }
    }

    /// Reads and searches a stream that is packed. `name` makes the origins of what is in it.
    pub(super) fn unpacked(
        &mut self,
        origin: &Origin,
        name: &dyn Fn(&str) -> Origin,
        packing: Packing,
        input: &mut dyn Read,
        ears: &mut Ears<'_>,
    ) {
        let depth = self.depth().max(1);
        let unpacked =
            unpack::streamed(packing, input, depth, &mut |member, content| self.member(name, member, content, ears));
        self.failed(origin, unpacked, ears);
    }

    fn member(
        &mut self,
        name: &dyn Fn(&str) -> Origin,
        member: &str,
        content: io::Result<&mut dyn Read>,
        ears: &mut Ears<'_>,
    ) -> ControlFlow<()> {
        let origin = name(member);
        let ended = content.and_then(|content| self.read(&origin, content, None, ears.emit));
        self.account(&origin, ended, None, ears.coverage);
        if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn failed(&self, origin: &Origin, unpacked: io::Result<()>, ears: &mut Ears<'_>) {
        if let Err(error) = unpacked {
            ears.coverage.skips.push(unread(origin, &error));
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

/// The origins of what is in a packed thing; the thing itself for what has no name there.
fn member_of(origin: &Origin) -> impl Fn(&str) -> Origin + use<> {
    let outer = origin.clone();
    move |member| match &outer {
        outer if member.is_empty() => outer.clone(),
        Origin::Log { project, run, part } if part.is_empty() => {
            Origin::Log { project: project.clone(), run: run.clone(), part: member.to_owned() }
        }
        Origin::Log { project, run, part } => {
            Origin::Log { project: project.clone(), run: run.clone(), part: format!("{part}!/{member}") }
        }
        other => {
            let archive = other.path().map_or_else(|| other.to_string().into(), Path::to_owned);
            Origin::Member { archive, name: member.to_owned() }
        }
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

//! Searches logs that are compressed, as what is in them, and archives in archives.

use std::fs::File;
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::path::Path;

use super::Outcome;
use super::object::{Searcher, unread};
use crate::coverage::{Coverage, Skip, Why};
use crate::origin::Origin;
use crate::source::unpack::{self, Member, Packing};

/// Archives in archives are read to this depth.
const DEEPEST: usize = 3;

/// Makes the origin of an archive's member.
type Name<'n> = dyn Fn(&Member) -> Origin + 'n;

/// What hears of everything that a search comes to.
pub(super) struct Ears<'e> {
    pub(super) coverage: &'e mut Coverage,
    pub(super) emit: &'e mut dyn FnMut(Outcome),
}

impl Searcher<'_> {
    /// Reads and searches a file that may be compressed.
    pub(super) fn packed_file(&mut self, origin: &Origin, mut file: File, size: u64, ears: &mut Ears<'_>) {
        let head = unpack::head(&mut file).and_then(|head| file.rewind().map(|()| head));
        match head.map(|head| unpack::packing(&head)) {
            Ok(None) => {
                let ended = self.read(origin, &mut file, Some(size), ears.emit);
                self.account(origin, ended, Some(size), ears.coverage);
            }
            Ok(Some(Packing::Zip)) => {
                let name = member_of(origin);
                let read = unpack::members(file, &mut |member, content| self.member(&name, member, content, 0, ears));
                if let Err(error) = read {
                    ears.coverage.skips.push(skip(origin.clone(), &error));
                }
            }
            Ok(Some(_)) => self.packed(origin, &mut file, 0, ears),
            Err(error) => ears.coverage.skips.push(unread(origin, &error)),
        }
    }

    /// Reads and searches a stream that may be compressed, or an archive.
    pub(super) fn packed(&mut self, origin: &Origin, mut input: &mut dyn Read, depth: usize, ears: &mut Ears<'_>) {
        let head = match unpack::head(&mut input) {
            Ok(head) => head,
            Err(error) => return ears.coverage.skips.push(unread(origin, &error)),
        };
        let mut whole = head.as_slice().chain(input);
        let ended = match unpack::packing(&head) {
            None => self.read(origin, &mut whole, None, ears.emit),
            Some(Packing::Zip) => return self.archive(origin, &member_of(origin), &mut whole, depth, ears),
            Some(packing) => unpack::unpacked(packing, whole)
                .and_then(|mut content| self.read(origin, &mut content, None, ears.emit)),
        };
        self.account(origin, ended, None, ears.coverage);
    }

    /// Reads and searches an archive that comes as a stream.
    pub(super) fn archive(
        &mut self,
        origin: &Origin,
        name: &Name<'_>,
        input: &mut dyn Read,
        depth: usize,
        ears: &mut Ears<'_>,
    ) {
        let read =
            unpack::stream::members(input, &mut |member, content| self.member(name, member, content, depth, ears));
        if let Err(error) = read {
            ears.coverage.skips.push(unread(origin, &error));
        }
    }

    fn member(
        &mut self,
        name: &Name<'_>,
        member: &Member,
        content: Result<&mut dyn Read, unpack::Error>,
        depth: usize,
        ears: &mut Ears<'_>,
    ) -> ControlFlow<()> {
        let origin = name(member);
        match content {
            Ok(content) if depth < DEEPEST => self.packed(&origin, content, depth + 1, ears),
            Ok(_) => {
                let detail = format!("archives in archives are read to a depth of {DEEPEST}");
                ears.coverage.skips.push(Skip { origin, why: Why::UnknownPacking, detail });
            }
            Err(error) => ears.coverage.skips.push(skip(origin, &error)),
        }
        if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The origins of the members of what is at `origin`.
fn member_of(origin: &Origin) -> impl Fn(&Member) -> Origin + use<> {
    let outer = origin.clone();
    move |member| match &outer {
        Origin::Member { archive, name } => {
            Origin::Member { archive: archive.clone(), name: format!("{name}!/{}", member.name) }
        }
        Origin::Log { project, run, part } if part.is_empty() => {
            Origin::Log { project: project.clone(), run: run.clone(), part: member.name.clone() }
        }
        Origin::Log { project, run, part } => {
            Origin::Log { project: project.clone(), run: run.clone(), part: format!("{part}!/{}", member.name) }
        }
        other => {
            let archive = other.path().map_or_else(|| other.to_string().into(), Path::to_owned);
            Origin::Member { archive, name: member.name.clone() }
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

//! Searches what is compressed or archived as what is in it.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use super::Outcome;
use super::object::{Searcher, unread};
use super::suspect::Suspect;
use crate::coverage::{Coverage, Skip, Why};
use crate::finding::Fact;
use crate::origin::Origin;
use crate::source::unpack::{self, HEAD, Images, LIST, Packing, Tail};

/// So many members of an archive are named that were not read for one reason.
const NAMED: usize = 100;

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
        let depth = self.depth();
        let begun = self.buffer.begin(file, size, HEAD).and_then(|head| {
            let packing = if depth == 0 { None } else { unpack::packing_of(head, file, size)? };
            Ok((packing, head.len()))
        });
        if let Ok((None, len)) = begun {
            self.buffer.begins(len);
        }
        let (ended, size) = match begun.map(|begun| begun.0) {
            Ok(None) => (self.read(origin, file, Some(size), ears.emit), Some(size)),
            Ok(Some(packing)) => match file.seek(SeekFrom::Start(0)) {
                Ok(_) => {
                    let (depth, name) = (self.depth(), member_of(origin));
                    let mut archive = Archive::new(ears);
                    let unpacked = unpack::contents(packing, file, size, depth, &mut |member, content| {
                        self.member(&name, member, content, &mut archive)
                    });
                    archive.finish(origin);
                    return self.failed(origin, unpacked, ears);
                }
                Err(error) => (Err(error), None),
            },
            Err(error) => (Err(error), None),
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
            None if self.depth() > 0 && unpack::may_hold_zip(&head) => {
                let (name, depth) = (member_of(origin), self.depth());
                let mut archive = Archive::new(ears);
                let read = unpack::unknown(&head, &mut whole, depth, &mut |member, content| {
                    self.member(&name, member, content, &mut archive)
                });
                archive.finish(origin);
                self.failed(origin, read, ears);
            }
            None => {
                let mut whole = Tail::new(whole);
                let ended = self.read(origin, &mut whole, None, ears.emit);
                self.account(origin, ended, None, ears.coverage);
                if self.depth() > 0 {
                    self.failed(origin, whole.told(), ears);
                }
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
        let mut archive = Archive::new(ears);
        let unpacked = unpack::streamed(packing, input, depth, &mut |member, content| {
            self.member(name, member, content, &mut archive)
        });
        archive.finish(origin);
        self.failed(origin, unpacked, ears);
    }

    fn member(
        &mut self,
        name: &dyn Fn(&str) -> Origin,
        member: &str,
        content: io::Result<&mut dyn Read>,
        archive: &mut Archive<'_, '_>,
    ) -> ControlFlow<()> {
        let origin = name(member);
        let mut list = archive.images.see(member).then(Vec::new);
        let ended = content.and_then(|content| {
            let mut content = Copied { content, copy: &mut list };
            self.read(&origin, &mut content, None, &mut |outcome| archive.take(member, outcome))
        });
        list.iter().for_each(|list| archive.images.read(member, list));
        self.account(&origin, ended, None, archive.ears.coverage);
        archive.count();
        if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn failed(&self, origin: &Origin, unpacked: io::Result<()>, ears: &mut Ears<'_>) {
        if let Err(error) = unpacked {
            ears.coverage.skips.push(unread(origin, &error));
        }
    }

    /// Everything suspicious in a git object that is packed, with why some of it was not read.
    pub(super) fn packed_suspects(&mut self, packing: Packing, object: &[u8]) -> (Vec<InMember>, Vec<(String, Skip)>) {
        let (mut found, mut skips, mut counts) = (Vec::new(), Vec::new(), Counts::default());
        let nowhere = Origin::Stream { name: String::new() };
        let (mut file, mut images) = (io::Cursor::new(object), Images::default());
        let read = unpack::contents(packing, &mut file, object.len() as u64, self.depth(), &mut |name, content| {
            let mut list = images.see(name).then(Vec::new);
            let (suspects, ended) = match content {
                Ok(content) => self.suspects_until(&mut Copied { content, copy: &mut list }, None),
                Err(error) => (Vec::new(), Err(error)),
            };
            list.iter().for_each(|list| images.read(name, list));
            if !suspects.is_empty() {
                found.push((name.to_owned(), suspects));
            }
            if let Err(error) = ended {
                let skip = super::object::unread(&nowhere, &error);
                skips.extend(counts.is_named(skip.why).then(|| (name.to_owned(), skip)));
            }
            if self.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        for (name, suspects) in &mut found {
            let facts = facts(&images, name);
            suspects.iter_mut().for_each(|suspect| suspect.facts.extend(facts.iter().cloned()));
        }
        skips.extend(read.err().map(|error| (String::new(), super::object::unread(&nowhere, &error))));
        skips.extend(counts.more(&nowhere).map(|skip| (String::new(), skip)));
        (found, skips)
    }
}

/// Keeps what was found in layers of images until it is known what they are.
struct Archive<'a, 'e> {
    ears: &'a mut Ears<'e>,
    /// Skips that are counted, or have nothing to do with the archive.
    counted: usize,
    counts: Counts,
    images: Images,
    held: Vec<(String, Outcome)>,
}

impl<'a, 'e> Archive<'a, 'e> {
    fn new(ears: &'a mut Ears<'e>) -> Self {
        let counted = ears.coverage.skips.len();
        Archive { ears, counted, counts: Counts::default(), images: Images::default(), held: Vec::new() }
    }

    fn take(&mut self, member: &str, outcome: Outcome) {
        match self.held.is_empty() && !Images::may_be_in_layer(member) {
            true => (self.ears.emit)(outcome),
            false => self.held.push((member.to_owned(), outcome)),
        }
    }

    /// Keeps what was not read since the last call, as long as it is to be named.
    fn count(&mut self) {
        let skips = &mut self.ears.coverage.skips;
        let new = skips.split_off(self.counted);
        skips.extend(new.into_iter().filter(|skip| self.counts.is_named(skip.why)));
        self.counted = skips.len();
    }

    fn finish(self, origin: &Origin) {
        self.ears.coverage.skips.extend(self.counts.more(origin));
        for (member, mut outcome) in self.held {
            let facts = facts(&self.images, &member);
            outcome.findings.iter_mut().for_each(|finding| finding.facts.extend(facts.iter().cloned()));
            (self.ears.emit)(outcome);
        }
    }
}

/// How many members were not read for each reason.
#[derive(Default)]
struct Counts(BTreeMap<Why, usize>);

impl Counts {
    /// Counts one; whether it is one of the first, which are named.
    fn is_named(&mut self, why: Why) -> bool {
        let count = self.0.entry(why).or_default();
        *count += 1;
        *count <= NAMED
    }

    /// What tells of those that are not named.
    fn more(self, origin: &Origin) -> impl Iterator<Item = Skip> {
        let beyond = self.0.into_iter().filter(|(_, count)| *count > NAMED);
        beyond.map(move |(why, count)| {
            let detail = format!("and {} more of its members", count - NAMED);
            Skip { origin: origin.clone(), why, detail }
        })
    }
}

/// What a place in an image tells.
fn facts(images: &Images, member: &str) -> Vec<Fact> {
    let Some(layer) = images.layer(member) else { return Vec::new() };
    let deleted = layer.deleted_in.map(|layer| Fact { name: "image.deleted_in", value: layer });
    [Fact { name: "image.layer", value: layer.name }].into_iter().chain(deleted).collect()
}

/// Copies what is read, as long as it may be a list of layers.
struct Copied<'c> {
    content: &'c mut dyn Read,
    copy: &'c mut Option<Vec<u8>>,
}

impl Read for Copied<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.content.read(space)?;
        if let Some(copy) = self.copy {
            copy.extend_from_slice(&space[..len]);
            if copy.len() > LIST || !matches!(copy.first(), None | Some(b'{' | b'[')) {
                *self.copy = None;
            }
        }
        Ok(len)
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

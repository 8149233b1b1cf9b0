//! Everything that something packed holds, however deep, one stream after the other.

mod documents;

use std::io::{self, BufReader, Cursor, Read, Seek};
use std::ops::{ControlFlow, Range};

use zeroize::Zeroizing;

use super::archive::{self, Member};
use super::behind::{self, Tail};
use super::beside::{self, BEHIND, HEADERS, Outside};
use super::inflate::Summed;
use super::sqlite::{Database, Pages, View};
use super::{
    Counted, Error, FREE, Guarded, HEAD, Meter, Packing, Passed, Patient, cpio, decoder, keys, named, ole, packing,
    pdf, pyc, runs, sevenz, stray, stream, tar,
};

/// An archive inside of another one that has to be read from its end is kept whole; at most so many bytes, with those around it.
pub(super) const KEPT: usize = 128 << 20;

/// So much space is used for the next one again, in bytes.
const SPACE: usize = 4 << 20;

/// The name of what stands behind something that unpacks it.
const PAYLOAD: &str = "(payload)";

/// Is shown the name of what stands in an archive, `inner.zip!/file` if in an archive inside of it, and empty for what was
/// packed without a name; and its content. An error holds an [`Error`] where the content is to blame.
pub type Show<'s> = dyn FnMut(&str, io::Result<&mut dyn Read>) -> ControlFlow<()> + 's;

/// Makes words of a text in which they stand in pieces.
type Join<'j> = dyn FnMut(&[u8]) -> Vec<u8> + 'j;

/// What reads from any place.
pub(super) trait Disk: Read + Seek {}

impl<R: Read + Seek> Disk for R {}

/// Shows everything in a file of so many bytes, which is packed that way. `depth`, at least 1, is how many packings inside
/// each other are undone.
pub fn contents(
    packing: Packing,
    file: &mut (impl Read + Seek),
    size: u64,
    depth: u8,
    show: &mut Show<'_>,
) -> io::Result<()> {
    let meter = Meter::default();
    let mut unpacker = Unpacker::new(&meter, show);
    if matches!(packing, Packing::Zip | Packing::SevenZip | Packing::Sqlite | Packing::Ole) {
        // What is read from any place may share its bytes: none counts twice.
        meter.read.set(size);
    }
    let flow = match packing {
        Packing::Zip => unpacker.zip(file, "", depth),
        Packing::SevenZip => unpacker.sevenz(file, "", depth),
        Packing::Sqlite => unpacker.sqlite(file, "", depth),
        Packing::Ole => unpacker.ole(file, "", depth),
        _ => unpacker.packed(packing, &mut Counted { input: Patient(file), meter }, "", depth),
    };
    flow.or_else(|error| {
        unpacker.show("", Err(named(error)));
        Ok(())
    })
}

/// As [`contents`] of what can be read only once. A zip archive is read by its local headers as it comes; what has to be
/// read from its end inside of it is kept.
pub fn streamed(packing: Packing, input: &mut dyn Read, depth: u8, show: &mut Show<'_>) -> io::Result<()> {
    let meter = Meter::default();
    let mut unpacker = Unpacker::new(&meter, show);
    let mut input = Counted { input: Patient(input), meter };
    let unpacked = match (packing, depth.checked_sub(1)) {
        (Packing::Zip, Some(depth)) => stream::members(&mut input, &mut |member, content| {
            let member = Member { name: member.name.clone() };
            unpacker.member("", &member, content.map_err(io::Error::other), depth)
        }),
        _ => unpacker.packed(packing, &mut input, "", depth),
    };
    unpacked.or_else(|error| {
        unpacker.show("", Err(named(error)));
        Ok(())
    })
}

/// As [`streamed`] of what begins in no way that is known, and may have a zip archive behind it.
pub fn unknown(head: &[u8], input: &mut dyn Read, depth: u8, show: &mut Show<'_>) -> io::Result<()> {
    let meter = Meter::default();
    let mut unpacker = Unpacker::new(&meter, show);
    let read = unpacker.unknown(head, &mut Counted { input: Patient(input), meter }, "", depth);
    read.or_else(|error| {
        unpacker.show("", Err(named(error)));
        Ok(())
    })
}

pub(super) struct Unpacker<'u, 's> {
    meter: Meter,
    show: &'u mut Show<'s>,
    stopped: bool,
    /// Bytes that are kept of what the present one is in.
    kept: usize,
    /// What held the last member that was looked at from its end.
    space: Vec<u8>,
}

impl<'u, 's> Unpacker<'u, 's> {
    fn new(meter: &Meter, show: &'u mut Show<'s>) -> Self {
        Unpacker { meter: meter.clone(), show, stopped: false, kept: 0, space: Vec::new() }
    }
}

impl Unpacker<'_, '_> {
    fn show(&mut self, name: &str, content: io::Result<&mut dyn Read>) {
        if !self.stopped {
            self.stopped = (self.show)(name, content).is_break();
        }
    }

    /// Shows a stream, or what is packed in it. What is wrong inside is shown, too.
    fn stream(&mut self, input: &mut dyn Read, name: &str, depth: u8) {
        let mut head = Vec::with_capacity(HEAD);
        let broken = Broken((&mut *input).take(HEAD as u64).read_to_end(&mut head).err());
        let mut whole = head.as_slice().chain(broken).chain(input);
        let unpacked = match packing(&head) {
            None if runs::is_office(&head) => self.joined(&mut whole, name, &mut runs::office),
            None => self.unknown(&head, &mut whole, name, depth),
            Some(packing) => self.packed(packing, &mut whole, name, depth),
        };
        if let Err(error) = unpacked {
            self.show(name, Err(named(error)));
        }
    }

    /// Shows what is packed in no way that its first bytes tell: as it is, or as a zip archive if it ends as one.
    fn unknown(&mut self, head: &[u8], input: &mut dyn Read, name: &str, depth: u8) -> io::Result<()> {
        // Nothing stands behind a class of Java's, of which archives are full.
        if behind::is_class(head) {
            self.show(name, Ok(input));
            return Ok(());
        }
        if !behind::may_hold_zip(head) {
            return self.unheld(input, name);
        }
        let mut bytes = std::mem::take(&mut self.space);
        bytes.clear();
        let room = KEPT.saturating_sub(self.kept);
        let broken = (&mut *input).take(room as u64 + 1).read_to_end(&mut bytes).err();
        if bytes.len() > room {
            return self.unheld(&mut bytes.as_slice().chain(input), name);
        }
        // The end of a zip archive that is read as it comes, behind what stands where its directory should.
        let is_rest = name.ends_with(BEHIND) && behind::ends_earlier_zip(&bytes);
        let behind = behind::packing_behind(&bytes).filter(|_| !is_rest);
        self.kept += bytes.len();
        let read = match behind {
            Some(Packing::Zip) => self.zip(&mut Cursor::new(&bytes), name, depth),
            Some(packing) => self.packed(packing, &mut bytes.as_slice(), name, depth),
            None => {
                self.show(name, Ok(&mut bytes.as_slice()));
                Ok(())
            }
        };
        self.kept -= bytes.len();
        if bytes.capacity() <= SPACE {
            self.space = bytes;
        }
        read.and(broken.map_or(Ok(()), Err))
    }

    /// Shows something as it is; where its end tells of a zip archive, it is too late for that.
    fn unheld(&mut self, input: &mut dyn Read, name: &str) -> io::Result<()> {
        let mut whole = Tail::new(input);
        self.show(name, Ok(&mut whole));
        whole.told()
    }

    fn packed(&mut self, packing: Packing, input: &mut dyn Read, name: &str, depth: u8) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return Err(io::Error::other(Error::Deep)) };
        match packing {
            Packing::Tar => tar::members(input, &mut |member, content| self.member(name, member, content, depth)),
            Packing::Ar => archive::ar(input, &mut |member, content| self.member(name, member, content, depth)),
            Packing::Cpio => cpio::members(input, &mut |member, content| self.member(name, member, content, depth)),
            Packing::Rpm => {
                let mut visit =
                    |member: &Member, content: io::Result<&mut dyn Read>| self.member(name, member, content, depth);
                if archive::rpm_headers(input, &mut visit)?.is_continue() {
                    self.stream(input, name, depth);
                }
                Ok(())
            }
            Packing::Zip | Packing::SevenZip | Packing::Pdf | Packing::Pyc | Packing::Sqlite | Packing::Ole => {
                let room = KEPT.saturating_sub(self.kept);
                let (bytes, ended) = kept(input, room);
                if bytes.len() > room {
                    // A text may begin as these do.
                    if matches!(packing, Packing::Pdf | Packing::Pyc | Packing::Sqlite | Packing::Ole) {
                        self.show(name, Ok(&mut bytes.as_slice().chain(input)));
                    }
                    return Err(io::Error::other(Error::Large));
                }
                let len = bytes.len();
                self.kept += len;
                let read = self.held(packing, bytes, name, depth + 1);
                self.kept -= len;
                ended.and(read)
            }
            Packing::Behind(at) => {
                let mut front = (&mut *input).take(at);
                self.show(name, Ok(&mut front));
                io::copy(&mut front, &mut io::sink())?;
                // What it is stopped by is known.
                let _ = self.member(name, &Member::named(PAYLOAD), Ok(input), depth);
                Ok(())
            }
            Packing::Keys => self.keys(input, name),
            Packing::Foreign(advice) => {
                // Some of it may stand there as it is.
                self.show(name, Ok(input));
                Err(io::Error::other(Error::Unsupported(advice.to_owned())))
            }
            Packing::Gzip => {
                let (head, says_something) = beside::gzip(input)?;
                if says_something {
                    self.show(name, Ok(&mut head.as_slice()));
                }
                self.gzip(&mut head.as_slice().chain(input), name, depth)
            }
            _ => self.compressed(packing, input, name, depth),
        }
    }

    /// Shows what is in something that is read from any place in it.
    fn held(&mut self, packing: Packing, bytes: Vec<u8>, name: &str, depth: u8) -> io::Result<()> {
        match packing {
            Packing::Zip => self.zip(&mut Cursor::new(bytes), name, depth),
            Packing::SevenZip => self.sevenz(&mut Cursor::new(bytes), name, depth),
            Packing::Pdf => self.pdf(&bytes, name, depth),
            Packing::Sqlite => self.sqlite(&mut Cursor::new(bytes), name, depth),
            Packing::Ole => self.ole(&mut Cursor::new(bytes), name, depth),
            _ => {
                self.show(name, Ok(&mut &*pyc::blotted(bytes)));
                Ok(())
            }
        }
    }

    fn compressed(&mut self, packing: Packing, input: &mut dyn Read, name: &str, depth: u8) -> io::Result<()> {
        /// What pzstd says in a frame of its own: a size.
        const SIZE: usize = 1 + 4;
        let passed = Passed::default();
        let mut content = self.guarded(decoder(packing, input, &passed)?);
        self.stream(&mut content, name, depth);
        let passed = passed.take();
        if passed.len() > SIZE && !self.stopped {
            let flow = self.member(name, &Member::named(HEADERS), Ok(&mut passed.as_slice()), depth);
            self.stopped |= flow.is_break();
        }
        Ok(())
    }

    /// Shows what gzip packed, and what stands behind it. Tapes are filled up with zeros.
    fn gzip(&mut self, input: &mut dyn Read, name: &str, depth: u8) -> io::Result<()> {
        let mut stream = Summed::gzip(BufReader::with_capacity(64 << 10, input));
        let mut content = self.guarded(Box::new(&mut stream));
        self.stream(&mut content, name, depth);
        drop(content);
        match stream.rest() {
            Some(rest) => beside::behind(rest, &mut |rest| self.member(name, &Member::named(BEHIND), Ok(rest), depth)),
            None => Ok(()),
        }
    }

    fn guarded<'r>(&self, output: Box<dyn Read + 'r>) -> Guarded<'r> {
        Guarded { output, meter: self.meter.clone() }
    }

    /// What is wrong with a member keeps no other from being read.
    fn member(
        &mut self,
        archive: &str,
        member: &Member,
        content: io::Result<&mut dyn Read>,
        depth: u8,
    ) -> ControlFlow<()> {
        let name = inside(archive, member);
        match content {
            Ok(content) => {
                let written = self.meter.begin();
                let mut content = self.guarded(Box::new(content));
                self.stream(&mut content, &name, depth);
                self.meter.forgive(written);
            }
            Err(error) => self.show(&name, Err(error)),
        }
        self.flow()
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn zip(&mut self, file: &mut dyn Disk, name: &str, depth: u8) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return Err(io::Error::other(Error::Deep)) };
        let mut beside = archive::Beside::default();
        let mut visit = |member: &Member, content: io::Result<&mut dyn Read>| self.member(name, member, content, depth);
        let read = archive::zip(&mut *file, &mut beside, &mut visit);
        let archive::Beside { mut held, comments } = beside;
        let strays = if self.stopped { Ok(()) } else { self.strays(file, &mut held, name, depth) };
        self.show(name, Ok(&mut Outside::new(file, held)?));
        if !comments.is_empty() {
            self.show(&inside(name, &Member::named(HEADERS)), Ok(&mut comments.as_slice()));
        }
        read.and(strays)
    }

    /// Shows members of a zip archive that its directory does not have. What is not whole is not opened.
    fn strays(&mut self, file: &mut dyn Disk, held: &mut Vec<Range<u64>>, name: &str, depth: u8) -> io::Result<()> {
        let meter = self.meter.clone();
        stray::members(file, held, &meter, &mut |member, content, is_whole| match content {
            Ok(content) if !is_whole => {
                let mut content = self.guarded(Box::new(content));
                self.show(&inside(name, member), Ok(&mut content));
                self.flow()
            }
            content => self.member(name, member, content, depth),
        })
    }

    fn sevenz(&mut self, file: &mut dyn Disk, name: &str, depth: u8) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return Err(io::Error::other(Error::Deep)) };
        sevenz::members(file, &mut |member, content| match content {
            Err(error) => self.member(name, member, Err(error), depth),
            Ok(content) => {
                let bombs = self.meter.bombs.get();
                self.member(name, member, Ok(&mut *content), depth)?;
                self.rest(name, member, content, self.meter.bombs.get() > bombs)
            }
        })
    }

    /// Reads what of a member nobody wanted, because another one stands behind it; of one that is endless a part.
    fn rest(&mut self, archive: &str, member: &Member, content: &mut dyn Read, is_endless: bool) -> ControlFlow<()> {
        let read = match is_endless {
            true => io::copy(&mut content.take(FREE), &mut io::sink()).map(drop).or(Ok(())),
            false if self.meter.is_spent() => Ok(()),
            false => io::copy(&mut self.guarded(Box::new(content)), &mut io::sink()).map(drop),
        };
        match read {
            Err(error) => self.member(archive, member, Err(error), 0),
            Ok(()) => ControlFlow::Continue(()),
        }
    }

    /// A file as it is, and the text of each key in it.
    fn keys(&mut self, input: &mut dyn Read, name: &str) -> io::Result<()> {
        let mut file = Zeroizing::new(Vec::new());
        (&mut *input).take(keys::LONGEST as u64 + 1).read_to_end(&mut file)?;
        self.show(name, Ok(&mut file.as_slice().chain(input)));
        if file.len() <= keys::LONGEST {
            for keys::Block { name: key, text } in keys::blocks(&file) {
                let key = if key.is_empty() { "pem" } else { &key };
                let name = if name.is_empty() { key.to_owned() } else { format!("{name}!/{key}") };
                self.show(&name, Ok(&mut text.as_slice()));
            }
        }
        Ok(())
    }
}

/// What a member of an archive is called.
fn inside(archive: &str, member: &Member) -> String {
    match archive {
        "" => member.name.clone(),
        archive => format!("{archive}!/{}", member.name),
    }
}

/// All that a stream gives, or more than there is room for, and whether it broke.
fn kept(input: &mut dyn Read, room: usize) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let ended = (&mut *input).take(room as u64 + 1).read_to_end(&mut bytes).map(drop);
    (bytes, ended)
}

/// Where a reader failed: whoever reads on hears of it, after what came before.
pub(super) struct Broken(pub(super) Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use crate::source::unpack::{BOMBS, FREE, RATIO};

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(content).unwrap();
        packed.finish().unwrap()
    }

    fn tar(count: usize, content: &[u8]) -> Vec<u8> {
        let mut archive = ::tar::Builder::new(Vec::new());
        for number in 0..count {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, format!("{number}"), content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// The bytes that were shown, and the errors.
    pub(in super::super) fn shown(bytes: &[u8], depth: u8) -> (u64, Vec<String>) {
        let (mut read, mut errors) = (0, Vec::new());
        let kind = packing(&bytes[..bytes.len().min(HEAD)]).unwrap();
        contents(kind, &mut Cursor::new(bytes), bytes.len() as u64, depth, &mut |name, content| {
            let mut space = vec![0; 1 << 20];
            let all = content.and_then(|content| {
                loop {
                    match content.read(&mut space)? {
                        0 => return Ok(()),
                        len => read += len as u64,
                    }
                }
            });
            errors.extend(all.err().map(|error| format!("{name}: {error}")));
            ControlFlow::Continue(())
        })
        .unwrap();
        (read, errors)
    }

    #[test]
    fn a_bomb_of_archives_in_archives_ends_soon() {
        // 16 MiB in each of 32 members in each of 32 archives: 16 GiB.
        let bomb = gzip(&tar(32, &gzip(&tar(32, &gzip(&vec![0; 16 << 20])))));
        let (read, errors) = shown(&bomb, 8);
        let more = (2 + u64::from(BOMBS)) * (16 << 20);
        assert!(read < FREE + more + RATIO * bomb.len() as u64, "{read}");
        assert!(errors.iter().any(|error| error.contains("expands")), "{errors:?}");
    }

    #[test]
    fn what_stands_beside_a_bomb_is_read() {
        let endless = gzip(&gzip(&vec![0; 64 << 20]).repeat(17));
        let bomb = ::tar::Header::new_gnu();
        let mut archive = ::tar::Builder::new(Vec::new());
        for (name, content) in [("a", &endless[..]), ("b", b"text"), ("c", &endless[..]), ("d", b"text")] {
            let mut header = bomb.clone();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, content).unwrap();
        }
        let (_, errors) = shown(&archive.into_inner().unwrap(), 8);
        assert_eq!(errors, ["a", "c"].map(|name| format!("{name}: expands to more than {RATIO} times its size")));
    }

    #[test]
    fn members_of_a_zip_that_share_their_bytes_count_each() {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for number in 0..2 {
            archive.start_file(format!("{number}"), zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(&[vec![0; 1 << 20], vec![number]].concat()).unwrap();
        }
        let bytes = archive.finish().unwrap().into_inner();
        // One entry of the directory, many times over: what is read of the archive stays the same.
        let at = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        let end = bytes.windows(4).position(|four| four == b"PK\x05\x06").unwrap();
        let entry = &bytes[at..at + (end - at) / 2];
        let count = 1500u16;
        let mut many = [&bytes[..at], &entry.repeat(usize::from(count)), &bytes[end..]].concat();
        let end = at + entry.len() * usize::from(count);
        for place in [8, 10] {
            many[end + place..end + place + 2].copy_from_slice(&count.to_le_bytes());
        }
        many[end + 12..end + 16].copy_from_slice(&((entry.len() * usize::from(count)) as u32).to_le_bytes());
        let (read, _) = shown(&many, 8);
        assert!(read <= FREE + (2 << 20) + RATIO * many.len() as u64, "{read}");
    }

    #[test]
    fn a_quine_ends_where_the_depth_does() {
        let mut deep = b"text".to_vec();
        (0..20).for_each(|_| deep = gzip(&deep));
        assert_eq!(shown(&deep, 8).1.len(), 1);
        assert_eq!(shown(&deep, 20), (4, Vec::new()));
    }
}

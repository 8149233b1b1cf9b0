//! Documents and databases: what is shown as it is, and once more as who opens it sees it.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read, SeekFrom};

use super::*;

/// How many times its size the streams of a document may expand to, beyond what anything may.
const DOCUMENT_RATIO: u64 = 200;

/// How many times its size of a document is decoded: of what has no end, streams share their bytes.
const DOCUMENT_READS: usize = 8;

impl Unpacker<'_, '_> {
    /// A text as it is, and what of it is in pieces, joined.
    pub(super) fn joined(&mut self, input: &mut dyn Read, name: &str, join: &mut Join<'_>) -> io::Result<()> {
        let mut text = Vec::new();
        if let Err(error) = (&mut *input).take(runs::LONGEST as u64 + 1).read_to_end(&mut text) {
            self.show(name, Ok(&mut text.as_slice()));
            return Err(error);
        }
        self.show(name, Ok(&mut text.as_slice().chain(input)));
        let joined = if text.len() <= runs::LONGEST { join(&text) } else { Vec::new() };
        self.words(&joined, name);
        Ok(())
    }

    /// Shows words of something that stand otherwise in it.
    pub(super) fn words(&mut self, words: &[u8], name: &str) {
        let text = if name.is_empty() { "text".to_owned() } else { format!("{name}!/text") };
        if !words.is_empty() {
            self.show(&text, Ok(&mut &*words));
        }
    }

    /// A document as it is, and each of its streams that has to be decoded, or is packed itself.
    pub(super) fn pdf(&mut self, document: &[u8], name: &str, depth: u8) -> io::Result<()> {
        let is_zip = behind::ends_as_zip(document);
        let packed = match is_zip {
            true => self.zip(&mut Cursor::new(document), name, depth),
            false => {
                self.show(name, Ok(&mut &*document));
                Ok(())
            }
        };
        let is_encrypted = pdf::is_encrypted(document);
        let objects = pdf::Objects::new(document);
        let fonts = pdf::Fonts::new(&objects);
        let left = Cell::new(FREE.max(DOCUMENT_RATIO * document.len() as u64));
        let mut unread = DOCUMENT_READS * document.len();
        let (mut words, mut number) = (pdf::wide(document), 0);
        for stream in pdf::streams(&objects) {
            if self.stopped {
                return Ok(());
            }
            // What is stored in it was read with the archive.
            if stream.is_plain() || (is_zip && stream.is_stored_zip()) {
                let plain = stream.plain().filter(|_| words.len() <= runs::LONGEST).unwrap_or_default();
                words.extend(pdf::text(plain, &mut |name| fonts.find(&stream, name)));
                continue;
            }
            unread = match unread.checked_sub(stream.len()) {
                Some(unread) => unread,
                None => return Err(archive::corrupt("too many of its streams stand in each other")),
            };
            number += 1;
            let stream_name = format!("stream {number}");
            let name = if name.is_empty() { stream_name } else { format!("{name}!/{stream_name}") };
            let content = stream.content().map(|input| Limited { input, left: &left });
            let mut known = HashMap::new();
            let mut find = |name: &[u8]| match known.get(name) {
                Some(codes) => Option::clone(codes),
                None => known.entry(name.to_vec()).or_insert(fonts.find(&stream, name)).clone(),
            };
            let mut join = |content: &[u8]| match stream.is_image() {
                true => Vec::new(),
                false => [pdf::wide(content), pdf::text(content, &mut find)].concat(),
            };
            match content.and_then(|content| self.pdf_stream(content, &name, depth.saturating_sub(1), &mut join)) {
                // Of these it is told once.
                Err(_) if is_encrypted => {}
                Err(error) => self.show(&name, Err(named(error))),
                Ok(()) => {}
            }
        }
        self.words(&words, name);
        if is_encrypted { Err(io::Error::other(Error::Encrypted)) } else { packed }
    }

    pub(super) fn pdf_stream(
        &mut self,
        content: impl Read,
        name: &str,
        depth: u8,
        join: &mut Join<'_>,
    ) -> io::Result<()> {
        let mut content = self.guarded(Box::new(content));
        let mut head = Vec::with_capacity(HEAD);
        let broken = Broken((&mut content).take(HEAD as u64).read_to_end(&mut head).err());
        let mut whole = head.as_slice().chain(broken).chain(content);
        match packing(&head) {
            Some(packing) => self.packed(packing, &mut whole, name, depth),
            None => self.joined(&mut whole, name, join),
        }
    }

    /// The values of a database, the packed ones among them, and what no row of it holds.
    pub(super) fn sqlite(&mut self, file: &mut dyn Disk, name: &str, depth: u8) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return Err(io::Error::other(Error::Deep)) };
        let mut database = match Database::new(file) {
            Ok(database) => database,
            Err(error) => {
                file.seek(SeekFrom::Start(0))?;
                self.show(name, Ok(&mut &mut *file));
                return Err(error);
            }
        };
        let values = inside(name, &Member::named("values"));
        self.show(&values, Ok(&mut Pages::new(&mut database, View::Values)));
        self.show(name, Ok(&mut Pages::new(&mut database, View::Rest)));
        for (number, blob) in (1..).zip(database.take_packed()) {
            let value = database.value(blob)?;
            if self
                .member(name, &Member { name: format!("blob {number}") }, Ok(&mut value.as_slice()), depth)
                .is_break()
            {
                return Ok(());
            }
        }
        database.check()
    }

    /// The streams of a compound file, and what stands outside of them.
    pub(super) fn ole(&mut self, file: &mut dyn Disk, name: &str, depth: u8) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return Err(io::Error::other(Error::Deep)) };
        let streams = match ole::streams(file) {
            Ok(streams) => streams,
            Err(error) => {
                file.seek(SeekFrom::Start(0))?;
                self.show(name, Ok(&mut &mut *file));
                return Err(error);
            }
        };
        let mut visit = |member: &Member, content: io::Result<&mut dyn Read>| self.member(name, member, content, depth);
        let read = ole::members(file, &streams, &mut visit);
        let held = streams.into_iter().flat_map(|stream| stream.places).collect();
        self.show(name, Ok(&mut Outside::new(file, held)?));
        read
    }
}

/// Reads while something is left of what all of a document's streams may give.
struct Limited<'l, R> {
    input: R,
    left: &'l Cell<u64>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(space)?;
        match self.left.get().checked_sub(len as u64) {
            Some(left) => self.left.set(left),
            None => return Err(io::Error::other(Error::Bomb)),
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_of_a_document_share_what_they_may_give() {
        let left = Cell::new(250);
        let ended =
            [(); 3].map(|()| Limited { input: &[0; 100][..], left: &left }.read_to_end(&mut Vec::new()).is_ok());
        assert_eq!(ended, [true, true, false]);
    }
}

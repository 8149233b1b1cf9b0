//! Objects visited by themselves: loose ones, those looked up by name, and those too large to be held.

use std::io::Read;
use std::mem::take;

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::descend::{STREAM, Walker};
use super::fault::Fault;
use super::inflate::Stream;
use super::lens::{Lens, Object};
use super::loose::{Exact, Opened};
use super::pack::Link;
use crate::origin::ObjectId;

impl<L: Lens> Walker<'_, L> {
    /// An object seen whole.
    fn whole(&mut self, object: &Object, bytes: &[u8]) {
        let mut marks = self.pool.marks();
        self.search(object.kind, bytes, &mut marks);
        self.show(object, bytes, &marks);
        self.pool.give_marks(marks);
        if self.part.links.reads_entries(object.kind) {
            let mut bounds = self.pool.marks();
            self.part.links.tree(Some(object), bytes, &mut bounds);
            self.pool.give_marks(bounds);
        }
    }

    /// An object seen piece by piece.
    pub(super) fn stream<R: Read>(&mut self, object: &Object, content: &mut Exact<R>) -> Result<(), Fault> {
        self.part.lens.stream(object, content).map_err(|_| Fault::Corrupt("its zlib stream is broken or cut off"))?;
        self.part.links.unread(object);
        if !content.at_end() {
            return Err(Fault::Corrupt("holds another number of bytes than it claims"));
        }
        self.carry.searched += object.size;
        self.count(object);
        Ok(())
    }

    /// A loose object, unless a pack has it.
    pub(super) fn loose(&mut self, at: usize) {
        let (stores, options) = (self.shared.stores, &self.shared.options);
        let loose = &stores.loose[at];
        let packed = stores.packs.iter().any(|pack| pack.index.find(&loose.id).is_some());
        if packed || options.only.is_some_and(|only| !only.contains(&loose.id)) {
            return;
        }
        let mut first = None;
        for path in std::iter::once(&loose.path).chain(&loose.twins) {
            match self.file(loose.id, path) {
                Ok(()) => return,
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        self.part.skips.extend(first.map(|fault| fault.skip(loose.id, None)));
    }

    fn file(&mut self, id: ObjectId, path: &std::path::Path) -> Result<(), Fault> {
        let opened = Opened::open(path)?;
        let object = Object { id, kind: opened.kind, size: opened.size };
        if !self.shared.options.kinds.contains(&object.kind) {
            return Ok(());
        }
        let mut content = opened.content()?;
        if object.size > STREAM || self.reserve(object.size).is_err() {
            return self.stream(&object, &mut content);
        }
        let mut bytes = take(&mut self.delta);
        let read = content.fill(bytes.resize(object.size as usize)).and_then(|()| named_so(&object, &bytes));
        if read.is_ok() {
            self.whole(&object, &bytes);
        }
        self.delta = bytes;
        self.delta.trim();
        self.lane = None;
        read
    }

    /// An object looked up by its name.
    pub(super) fn named(&mut self, id: &ObjectId) {
        if let Some(fault) = self.try_named(id).err() {
            self.part.skips.push(fault.skip(*id, None));
        }
    }

    fn try_named(&mut self, id: &ObjectId) -> Result<(), Fault> {
        let whole = match self.reader.find(id, None, 0) {
            Err(Fault::TooLarge(size)) => return self.large(id, size),
            other => other?.ok_or(Fault::Absent)?,
        };
        if self.shared.options.kinds.contains(&whole.kind) {
            let object = Object { id: *id, kind: whole.kind, size: whole.bytes.len() as u64 };
            self.whole(&object, &whole.bytes);
        }
        Ok(())
    }

    /// An object looked up that is too large to be held: what is whole in its pack or a file of its own can be
    /// streamed.
    fn large(&mut self, id: &ObjectId, size: u64) -> Result<(), Fault> {
        let stores = self.shared.stores;
        for pack in &stores.packs {
            let offset = pack.index.find(id).and_then(|row| pack.index.offset(row));
            let Some(Ok(header)) = offset.map(|offset| pack.header(offset)) else { continue };
            if let Link::Whole(kind) = header.link {
                let object = Object { id: *id, kind, size: header.size };
                return self
                    .stream(&object, &mut Exact::new(Stream::new(pack.stream(header.stream, None)), header.size));
            }
        }
        match stores.loose_at(id) {
            Some(at) => self.file(*id, &stores.loose[at].path),
            None => Err(Fault::TooLarge(size)),
        }
    }
}

/// Whether an object is what its name says: the hash of it. What is in a pack has a checksum there.
fn named_so(object: &Object, bytes: &[u8]) -> Result<(), Fault> {
    let header = format!("{} {}\0", object.kind.as_str(), object.size);
    let name = match object.id.as_bytes().len() {
        20 => ObjectId::from_bytes(&Sha1::new().chain_update(&header).chain_update(bytes).finalize()),
        _ => ObjectId::from_bytes(&Sha256::new().chain_update(&header).chain_update(bytes).finalize()),
    };
    if name == Some(object.id) { Ok(()) } else { Err(Fault::Corrupt("is not what its name says")) }
}

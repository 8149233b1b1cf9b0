//! Objects visited by themselves: loose ones, those looked up by name, and those too large to be held.

use std::io::{self, Read};
use std::mem::take;

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::delta::{self, Made};
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
        let listed = self.show(Some(object), object.kind, bytes, &marks);
        self.pool.give_marks(marks);
        self.pool.give_list(listed);
    }

    /// An object seen piece by piece. `proves`: whether it is what its name says is asked, too.
    pub(super) fn stream<R: Read>(
        &mut self,
        object: &Object,
        content: &mut Exact<R>,
        proves: bool,
    ) -> Result<(), Fault> {
        let mut hash = proves.then(|| Hash::of(object));
        let mut hashed = Hashed { content: &mut *content, hash: hash.as_mut() };
        let seen = self.part.lens.stream(object, &mut hashed);
        seen.map_err(|_| Fault::Corrupt("its zlib stream is broken or cut off"))?;
        self.part.links.unread(object);
        if !content.at_end() {
            return Err(Fault::Corrupt("holds another number of bytes than it claims"));
        }
        hash.map_or(Ok(()), |hash| hash.check(object))?;
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
            return self.stream(&object, &mut content, true);
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

    /// An object looked up by its name. `proves`: whether it is what its name says is asked, too.
    pub(super) fn named(&mut self, id: &ObjectId, proves: bool) {
        if let Some(fault) = self.try_named(id, proves).err() {
            self.part.skips.push(fault.skip(*id, None));
        }
    }

    fn try_named(&mut self, id: &ObjectId, proves: bool) -> Result<(), Fault> {
        let whole = match self.reader.find(id, None, 0) {
            Err(Fault::TooLarge(size)) => return self.large(id, size, proves),
            other => other?.ok_or(Fault::Absent)?,
        };
        let object = Object { id: *id, kind: whole.kind, size: whole.bytes.len() as u64 };
        if proves {
            named_so(&object, &whole.bytes)?;
        }
        if self.shared.options.kinds.contains(&whole.kind) {
            self.whole(&object, &whole.bytes);
        }
        Ok(())
    }

    /// An object looked up that is too large to be held: what is whole in its pack or a file of its own can be
    /// streamed, and what a delta makes of a base that can be held.
    fn large(&mut self, id: &ObjectId, size: u64, proves: bool) -> Result<(), Fault> {
        let stores = self.shared.stores;
        let mut fault = Fault::TooLarge(size);
        for (number, pack) in stores.packs.iter().enumerate() {
            let Some(offset) = pack.index.find(id).and_then(|row| pack.index.offset(row)) else { continue };
            let Ok(header) = pack.header(offset) else { continue };
            if let Link::Whole(kind) = header.link {
                let object = Object { id: *id, kind, size: header.size };
                let content = Stream::new(pack.stream(header.stream, None));
                return self.stream(&object, &mut Exact::new(content, header.size), proves);
            }
            match self.reader.parts((number, offset), &header) {
                Ok((base, delta)) => {
                    let mut ops = Vec::new();
                    let size = u64::from(delta::parse(&delta, base.bytes.len(), &mut ops)?);
                    let object = Object { id: *id, kind: base.kind, size };
                    let made = Made::new(&ops, &base.bytes, &delta);
                    return self.stream(&object, &mut Exact::new(made, size), proves);
                }
                Err(Fault::TooLarge(size)) => fault = Fault::LargeBase(size),
                Err(_) => {}
            }
        }
        match stores.loose_at(id) {
            Some(at) => self.file(*id, &stores.loose[at].path),
            None => Err(fault),
        }
    }
}

/// Whether an object is what its name says: the hash of it. What is in a pack has a checksum there, and is asked only where
/// somebody's word for it is all there is: that of an index that has two names for one entry, or none for another.
fn named_so(object: &Object, bytes: &[u8]) -> Result<(), Fault> {
    if name_of(object, bytes) == Some(object.id) { Ok(()) } else { Err(Fault::Corrupt("is not what its name says")) }
}

/// The name that an object has by its content, whatever it is called.
pub(super) fn name_of(object: &Object, bytes: &[u8]) -> Option<ObjectId> {
    let mut hash = Hash::of(object);
    hash.update(bytes);
    hash.name()
}

/// The name of an object in the making.
enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hash {
    fn of(object: &Object) -> Hash {
        let header = format!("{} {}\0", object.kind.as_str(), object.size);
        match object.id.as_bytes().len() {
            20 => Hash::Sha1(Sha1::new().chain_update(header)),
            _ => Hash::Sha256(Sha256::new().chain_update(header)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
        }
    }

    fn name(self) -> Option<ObjectId> {
        match self {
            Hash::Sha1(hash) => ObjectId::from_bytes(&hash.finalize()),
            Hash::Sha256(hash) => ObjectId::from_bytes(&hash.finalize()),
        }
    }

    fn check(self, object: &Object) -> Result<(), Fault> {
        if self.name() == Some(object.id) { Ok(()) } else { Err(Fault::Corrupt("is not what its name says")) }
    }
}

/// Shows a hash what is read.
struct Hashed<'h, R> {
    content: R,
    hash: Option<&'h mut Hash>,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let len = self.content.read(space)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&space[..len]);
        }
        Ok(len)
    }
}

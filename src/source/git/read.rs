//! Single objects by name, for who knows what to ask for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::delta;
use super::fault::Fault;
use super::inflate::{Inflate, OneShot, plausible};
use super::lens::Object;
use super::loose::Opened;
use super::pack::{Header, Link};
use super::single::name_of;
use super::store::Stores;
use crate::origin::{ObjectId, ObjectKind};

/// Git builds chains of at most 4,095 deltas (`pack.depth`); whoever goes on beyond this walks in a circle.
const MAX_CHAIN: usize = 1 << 16;

/// How often in a row a base may be in yet another pack. Git keeps no pack on disk whose bases are elsewhere.
const MAX_FAR: usize = 64;

/// How many such bases are tried for one object in all. Packs can be made in which each try leads to two more.
const MAX_TRIES: u32 = 1024;

/// Bases are kept up to so many bytes, for the next object of the same chain.
const CACHE: usize = 64 << 20;

/// An object, whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub kind: ObjectKind,
    pub bytes: Vec<u8>,
}

/// A pack by number and an offset in it.
type Place = (usize, u64);

/// Reads objects by name. Keeps what was built on the way: ask in the order of a pack, or of a history, and it is
/// fast.
pub struct Reader<'s> {
    stores: &'s Stores,
    memory: u64,
    zlib: OneShot,
    ops: Vec<delta::Op>,
    cache: HashMap<Place, Arc<Whole>>,
    ages: VecDeque<Place>,
    cached: usize,
    tries: u32,
}

impl<'s> Reader<'s> {
    /// A reader that refuses objects over `memory` bytes.
    pub fn new(stores: &'s Stores, memory: u64) -> Self {
        let (cache, ages) = (HashMap::new(), VecDeque::new());
        Reader { stores, memory, zlib: OneShot::default(), ops: Vec::new(), cache, ages, cached: 0, tries: 0 }
    }

    /// Where it reads.
    pub(super) fn stores(&self) -> &'s Stores {
        self.stores
    }

    /// The object of that name: `None` if no store has it. Of several copies the first that can be read is taken.
    pub fn read(&mut self, id: &ObjectId) -> Result<Option<(ObjectKind, Vec<u8>)>, Fault> {
        let whole = self.find(id, None, 0)?;
        Ok(whole.map(|whole| match Arc::try_unwrap(whole) {
            Ok(whole) => (whole.kind, whole.bytes),
            Err(shared) => (shared.kind, shared.bytes.clone()),
        }))
    }

    /// The name that the object which is found under this one has by its content; `None` if it cannot be read. Another than this if
    /// the object or what leads to it is damaged.
    pub fn true_name(&mut self, id: &ObjectId) -> Option<ObjectId> {
        let whole = self.find(id, None, 0).ok().flatten()?;
        let object = Object { id: *id, kind: whole.kind, size: whole.bytes.len() as u64 };
        name_of(&object, &whole.bytes)
    }

    /// The object of that name, not taken from the place `but`.
    pub(super) fn find(&mut self, id: &ObjectId, but: Option<Place>, far: usize) -> Result<Option<Arc<Whole>>, Fault> {
        let stores = self.stores;
        let mut fault = None;
        self.tries = if far == 0 { 0 } else { self.tries + 1 };
        if self.tries > MAX_TRIES {
            return Err(Fault::Corrupt("its delta bases form a circle"));
        }
        for (pack, place) in stores.packs.iter().enumerate() {
            let Some(row) = place.index.find(id) else { continue };
            let offset = place.index.offset(row).unwrap_or(u64::MAX);
            if but == Some((pack, offset)) {
                continue;
            }
            match self.packed((pack, offset), far) {
                Ok(whole) => return Ok(Some(whole)),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        for path in stores.loose_files(id) {
            match self.loose(&path) {
                Ok(whole) => return Ok(Some(Arc::new(whole))),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(None), Err)
    }

    /// What the entry there is made of, which must be a delta: its base and the delta.
    pub(super) fn parts(&mut self, place: Place, header: &Header) -> Result<(Arc<Whole>, Vec<u8>), Fault> {
        let base = match header.link {
            Link::Offset(offset) => self.packed((place.0, offset), 0)?,
            Link::Name(id) => self.find(&id, None, 0)?.ok_or(Fault::Missing(id))?,
            Link::Whole(_) => return Err(Fault::Corrupt("is no delta")),
        };
        Ok((base, self.inflate(place, header)?))
    }

    fn limit(&self, size: u64) -> Result<usize, Fault> {
        if size > self.memory { Err(Fault::TooLarge(size)) } else { Ok(size as usize) }
    }

    fn loose(&self, path: &std::path::Path) -> Result<Whole, Fault> {
        let opened = Opened::open(path)?;
        let mut bytes = vec![0; self.limit(opened.size)?];
        opened.content()?.fill(&mut bytes)?;
        Ok(Whole { kind: opened.kind, bytes })
    }

    fn packed(&mut self, start: Place, far: usize) -> Result<Arc<Whole>, Fault> {
        let mut chain = Vec::new();
        let mut base = self.descend(start, far, &mut chain)?;
        while let Some((place, header)) = chain.pop() {
            let built = self.build(place, &header, &base);
            base = self.or_elsewhere(built, place, start, far)?;
            self.keep(place, &base);
        }
        Ok(base)
    }

    /// Follows the bases to one that is whole, and lists the deltas passed on the way.
    fn descend(&mut self, start: Place, far: usize, chain: &mut Vec<(Place, Header)>) -> Result<Arc<Whole>, Fault> {
        let pack = &self.stores.packs[start.0];
        let mut place = start;
        while chain.len() < MAX_CHAIN {
            if let Some(whole) = self.cache.get(&place) {
                return Ok(Arc::clone(whole));
            }
            let header = match pack.header(place.1) {
                Ok(header) => header,
                Err(fault) => return self.or_elsewhere(Err(fault), place, start, far),
            };
            let base = match header.link {
                Link::Whole(kind) => {
                    let whole = self.inflate(place, &header).map(|bytes| Arc::new(Whole { kind, bytes }));
                    let whole = self.or_elsewhere(whole, place, start, far)?;
                    self.keep(place, &whole);
                    return Ok(whole);
                }
                Link::Offset(offset) => offset,
                Link::Name(id) => match pack.index.find(&id).and_then(|row| pack.index.offset(row)) {
                    Some(offset) => offset,
                    None if far == MAX_FAR => break,
                    None => {
                        chain.push((place, header));
                        return self.find(&id, None, far + 1)?.ok_or(Fault::Missing(id));
                    }
                },
            };
            chain.push((place, header));
            place.1 = base;
        }
        Err(Fault::Corrupt("its delta bases form a circle"))
    }

    /// A base that is broken here may be sound in another pack.
    fn or_elsewhere(
        &mut self,
        whole: Result<Arc<Whole>, Fault>,
        place: Place,
        start: Place,
        far: usize,
    ) -> Result<Arc<Whole>, Fault> {
        let fault = match whole {
            Err(fault) if place != start && far < MAX_FAR && self.stores.has_twins() => fault,
            other => return other,
        };
        let Some(id) = self.stores.packs[place.0].id_at(place.1) else { return Err(fault) };
        match self.find(&id, Some(place), far + 1) {
            Ok(Some(whole)) => Ok(whole),
            _ => Err(fault),
        }
    }

    fn inflate(&mut self, place: Place, header: &Header) -> Result<Vec<u8>, Fault> {
        let packed = self.stores.packs[place.0].stream(header.stream, None);
        plausible(packed.len(), header.size)?;
        let mut bytes = vec![0; self.limit(header.size)?];
        self.zlib.inflate(packed, &mut bytes)?;
        Ok(bytes)
    }

    fn build(&mut self, place: Place, header: &Header, base: &Whole) -> Result<Arc<Whole>, Fault> {
        let delta = self.inflate(place, header)?;
        let size = delta::parse(&delta, base.bytes.len(), &mut self.ops)?;
        let mut bytes = vec![0; self.limit(u64::from(size))?];
        delta::apply(&self.ops, &base.bytes, &delta, &mut bytes);
        Ok(Arc::new(Whole { kind: base.kind, bytes }))
    }

    fn keep(&mut self, place: Place, whole: &Arc<Whole>) {
        if whole.bytes.len() > CACHE / 4 || self.cache.insert(place, Arc::clone(whole)).is_some() {
            return;
        }
        self.cached += whole.bytes.len();
        self.ages.push_back(place);
        while self.cached > CACHE
            && let Some(oldest) = self.ages.pop_front()
        {
            self.cached -= self.cache.remove(&oldest).map_or(0, |whole| whole.bytes.len());
        }
    }
}

//! Where the contents of a 7z archive stand and how they are packed. Every number of it is a claim.

use std::io;
use std::ops::Range;

use super::super::Error;
use super::super::archive::corrupt;

/// Most blocks and most files with content that are kept account of. An account of a block takes some 300 bytes, one of a file 16.
const BLOCKS: usize = 1 << 18;
const PARTS: usize = 1 << 20;

/// Most coders in a block, most inputs of them together, most bytes of their settings. 7-Zip reads up to 64 coders; it writes four.
const CODERS: usize = 32;
const SETTINGS: usize = 64;

/// Bytes of the signature header, behind which offsets count.
pub(super) const SIGNATURE: u64 = 32;

/// What the parts of a header are called.
pub(super) mod id {
    pub const END: u8 = 0;
    pub const HEADER: u8 = 1;
    pub const ARCHIVE_PROPERTIES: u8 = 2;
    pub const MAIN_STREAMS: u8 = 4;
    pub const FILES: u8 = 5;
    pub const PACKS: u8 = 6;
    pub const BLOCKS: u8 = 7;
    pub const PARTS: u8 = 8;
    pub const SIZES: u8 = 9;
    pub const SUMS: u8 = 10;
    pub const BLOCK: u8 = 11;
    pub const UNPACKED_SIZES: u8 = 12;
    pub const COUNTS: u8 = 13;
    pub const EMPTY_STREAMS: u8 = 14;
    pub const EMPTY_FILES: u8 = 15;
    pub const NAMES: u8 = 17;
    pub const ENCODED_HEADER: u8 = 23;
}

/// One way of packing, with its settings.
#[derive(Debug)]
pub(super) struct Coder {
    /// Its number in 7-Zip's `DOC/Methods.txt`.
    pub method: u64,
    pub settings: Vec<u8>,
    /// How many streams it reads; all write one.
    pub inputs: usize,
    /// Bytes that it writes, as is claimed.
    pub size: u64,
}

/// Coders that give one stream together: the contents of some files, one behind the other.
#[derive(Debug)]
pub(super) struct Block {
    pub coders: Vec<Coder>,
    /// An input, counted over all coders, and the coder that writes it.
    pub bonds: Vec<(usize, usize)>,
    /// The inputs that are read from the archive, in the order of their streams there.
    pub packed: Vec<usize>,
    /// The sum of all that it gives.
    pub sum: Option<u32>,
    /// How many files it has.
    pub parts: usize,
    /// Where the streams stand in the archive.
    pub packs: Range<usize>,
}

impl Block {
    /// The coder whose output no other reads.
    pub fn last(&self) -> Option<usize> {
        (0..self.coders.len()).find(|&at| self.bonds.iter().all(|&(_, from)| from != at))
    }

    /// Bytes that it gives, as is claimed.
    pub fn size(&self) -> u64 {
        self.last().map_or(0, |at| self.coders[at].size)
    }
}

/// The content of one file within a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub size: u64,
    /// CRC-32.
    pub sum: Option<u32>,
}

/// Where everything stands.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Places in the archive of the packed streams.
    pub packs: Vec<Range<u64>>,
    pub blocks: Vec<Block>,
    pub parts: Vec<Part>,
}

/// Most significant first; what is not there is not set.
pub(super) fn bit(bits: &[u8], at: usize) -> bool {
    bits.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

pub(super) fn unread(what: &str) -> io::Error {
    io::Error::other(Error::Unsupported(what.to_owned()))
}

/// Reads fields from the bytes of a header.
pub(super) struct Bytes<'b> {
    pub bytes: &'b [u8],
    pub at: usize,
}

impl<'b> Bytes<'b> {
    fn take(&mut self, len: usize) -> io::Result<&'b [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| corrupt("a field reaches beyond its header"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub fn byte(&mut self) -> io::Result<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn expect(&mut self, kind: u8) -> io::Result<()> {
        if self.byte()? == kind { Ok(()) } else { Err(corrupt("its header has something else than it should")) }
    }

    /// The ones that the first byte begins with are how many bytes follow, least significant first.
    fn number(&mut self) -> io::Result<u64> {
        let first = self.byte()?;
        let more = first.leading_ones() as usize;
        let low = self.take(more)?.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let high = if more < 7 { u64::from(first & (0x7f >> more)) << (8 * more) } else { 0 };
        Ok(low | high)
    }

    /// A number of things, of which there can be no more than `most`.
    pub fn count(&mut self, most: usize) -> io::Result<usize> {
        match usize::try_from(self.number()?) {
            Ok(count) if count <= most => Ok(count),
            _ if most == self.bytes.len() => Err(corrupt("it claims more than its header holds")),
            _ => Err(unread("an archive with so much in it")),
        }
    }

    /// Kind and place of a property; `None` at the end of them. Kinds of others' making have up to nine bytes.
    pub fn property(&mut self) -> io::Result<Option<(u64, Range<usize>)>> {
        let kind = self.number()?;
        if kind == u64::from(id::END) {
            return Ok(None);
        }
        let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let from = self.at;
        self.take(len)?;
        Ok(Some((kind, from..self.at)))
    }

    /// For each of `count` things a sum, where there is one.
    fn sums(&mut self, count: usize) -> io::Result<Vec<Option<u32>>> {
        let bits = match self.byte()? {
            0 => Some(self.take(count.div_ceil(8))?),
            _ => None,
        };
        let mut sums = Vec::new();
        for at in 0..count {
            sums.push(match bits.is_none_or(|bits| bit(bits, at)) {
                true => Some(u32::from_le_bytes(self.take(4)?.try_into().expect("there are four"))),
                false => None,
            });
        }
        Ok(sums)
    }

    pub fn streams(&mut self) -> io::Result<Streams> {
        let mut streams = Streams::default();
        let mut told = false;
        loop {
            match self.byte()? {
                id::END => break,
                id::PACKS => streams.packs = self.packs()?,
                id::BLOCKS => streams.blocks = self.blocks(streams.packs.len())?,
                id::PARTS => (streams.parts, told) = (self.parts(&mut streams.blocks)?, true),
                _ => return Err(corrupt("its header has something else than it should")),
            }
        }
        if !told {
            // Each block is one file.
            streams.parts = streams.blocks.iter().map(|block| Part { size: block.size(), sum: block.sum }).collect();
        }
        Ok(streams)
    }

    fn packs(&mut self) -> io::Result<Vec<Range<u64>>> {
        const NOWHERE: &str = "its contents stand nowhere";
        let mut at = self.number()?.checked_add(SIGNATURE).ok_or_else(|| corrupt(NOWHERE))?;
        let count = self.count(self.bytes.len())?;
        let mut packs = Vec::new();
        loop {
            match self.byte()? {
                id::END if packs.len() == count => return Ok(packs),
                id::SIZES if packs.is_empty() => {
                    for _ in 0..count {
                        let end = at.checked_add(self.number()?).ok_or_else(|| corrupt(NOWHERE))?;
                        packs.push(at..end);
                        at = end;
                    }
                }
                id::SUMS => drop(self.sums(count)?),
                _ => return Err(corrupt("its header has something else than it should")),
            }
        }
    }

    fn blocks(&mut self, packs: usize) -> io::Result<Vec<Block>> {
        self.expect(id::BLOCK)?;
        let count = self.count(BLOCKS)?;
        if self.byte()? != 0 {
            return Err(unread("an archive with its blocks elsewhere"));
        }
        let (mut blocks, mut pack) = (Vec::new(), 0);
        for _ in 0..count {
            let block = self.block(pack)?;
            pack = block.packs.end;
            blocks.push(block);
        }
        if pack > packs {
            return Err(corrupt("its blocks need more than it holds"));
        }
        self.expect(id::UNPACKED_SIZES)?;
        for coder in blocks.iter_mut().flat_map(|block| &mut block.coders) {
            coder.size = self.number()?;
        }
        loop {
            match self.byte()? {
                id::END => return Ok(blocks),
                id::SUMS => {
                    let sums = self.sums(count)?;
                    blocks.iter_mut().zip(sums).for_each(|(block, sum)| block.sum = sum);
                }
                _ => return Err(corrupt("its header has something else than it should")),
            }
        }
    }

    fn block(&mut self, pack: usize) -> io::Result<Block> {
        let mut coders = Vec::new();
        for _ in 0..self.count(CODERS)? {
            coders.push(self.coder()?);
        }
        let inputs: usize = coders.iter().map(|coder| coder.inputs).sum();
        let Some(bonded) = coders.len().checked_sub(1).filter(|bonded| inputs > *bonded && inputs <= CODERS) else {
            return Err(corrupt("its coders fit together in no way"));
        };
        let mut bonds: Vec<(usize, usize)> = Vec::new();
        for _ in 0..bonded {
            let (input, from) = (self.count(inputs)?, self.count(coders.len())?);
            if input == inputs || from == coders.len() || bonds.iter().any(|known| known.0 == input || known.1 == from)
            {
                return Err(corrupt("its coders fit together in no way"));
            }
            bonds.push((input, from));
        }
        let open = |input: &usize| bonds.iter().all(|(bonded, _)| bonded != input);
        let mut packed: Vec<usize> = (0..inputs).filter(open).collect();
        if packed.len() > 1 {
            let mut order = Vec::new();
            for _ in 0..packed.len() {
                order.push(self.count(inputs)?);
            }
            if packed.iter().any(|input| !order.contains(input)) {
                return Err(corrupt("its coders fit together in no way"));
            }
            packed = order;
        }
        let packs = pack..pack + packed.len();
        Ok(Block { coders, bonds, packed, sum: None, parts: 1, packs })
    }

    fn coder(&mut self) -> io::Result<Coder> {
        const COMPLEX: u8 = 0x10;
        const HAS_SETTINGS: u8 = 0x20;
        const REST: u8 = 0xC0;
        let flags = self.byte()?;
        let method = self.take(usize::from(flags & 15))?;
        if flags & REST != 0 || method.len() > 8 {
            return Err(unread("a way of packing that nobody has described"));
        }
        let method = method.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let mut inputs = 1;
        if flags & COMPLEX != 0 {
            inputs = self.count(CODERS)?;
            if self.count(CODERS)? != 1 {
                return Err(unread("a way of packing with more than one output"));
            }
        }
        let settings = if flags & HAS_SETTINGS != 0 { self.count(SETTINGS)? } else { 0 };
        let settings = self.take(settings)?.to_vec();
        Ok(Coder { method, settings, inputs, size: 0 })
    }

    fn parts(&mut self, blocks: &mut [Block]) -> io::Result<Vec<Part>> {
        let mut kind = self.byte()?;
        if kind == id::COUNTS {
            for block in &mut *blocks {
                block.parts = self.count(PARTS)?;
            }
            kind = self.byte()?;
        }
        let all = blocks.iter().try_fold(0usize, |sum, block| sum.checked_add(block.parts));
        if all.is_none_or(|all| all > PARTS) {
            return Err(unread("an archive with so much in it"));
        }
        let mut parts = Vec::new();
        for block in &*blocks {
            let mut left = block.size();
            for nth in 1..=block.parts {
                // The last one has what is left.
                let size = if nth == block.parts {
                    left
                } else if kind == id::SIZES {
                    self.number()?
                } else {
                    0
                };
                left =
                    left.checked_sub(size).ok_or_else(|| corrupt("its files are larger than the block they are in"))?;
                let sum = block.sum.filter(|_| block.parts == 1);
                parts.push(Part { size, sum });
            }
        }
        if kind == id::SIZES {
            kind = self.byte()?;
        }
        if kind == id::SUMS {
            let sums = self.sums(parts.iter().filter(|part| part.sum.is_none()).count())?;
            let unknown = parts.iter_mut().filter(|part| part.sum.is_none());
            unknown.zip(sums).for_each(|(part, sum)| part.sum = sum);
            kind = self.byte()?;
        }
        if kind == id::END { Ok(parts) } else { Err(corrupt("its header has something else than it should")) }
    }
}

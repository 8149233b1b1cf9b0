//! What undoes the packing of a block: the crates that read other formats, in the order that the header says.

use std::cell::RefCell;
use std::io::{self, BufReader, Read, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use deflate64::Deflate64Decoder;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::bcj2::Bcj2Reader;
use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Reader, LzmaReader};
use ppmd_rust::Ppmd7Decoder;

use super::super::archive::corrupt;
use super::super::contents::Disk;
use super::super::{Error, Packing, Passed, XZ_MEMORY, decoder};
use super::streams::{Block, Coder, unread};

/// An archive from which several streams are read in turns.
pub(super) type Shared<'d> = Rc<RefCell<&'d mut dyn Disk>>;

pub(super) fn share(disk: &mut dyn Disk) -> Shared<'_> {
    Rc::new(RefCell::new(disk))
}

/// All that a block gives. `packs` are the places of the archive's packed streams.
pub(super) fn content<'d>(block: &Block, packs: &[Range<u64>], disk: &Shared<'d>) -> io::Result<Box<dyn Read + 'd>> {
    if block.coders.iter().any(|coder| coder.method == AES) {
        return Err(io::Error::other(Error::Encrypted));
    }
    let needed = block.coders.iter().map(dictionary).sum::<u64>() >> 10;
    if needed > XZ_MEMORY.into() {
        return Err(unread(&format!(
            "it takes {} MiB to unpack, and up to {} are given",
            needed >> 10,
            XZ_MEMORY >> 10
        )));
    }
    let last = block.last().ok_or_else(|| corrupt("its coders go in a circle"))?;
    let packs = packs.get(block.packs.clone()).ok_or_else(|| corrupt("its block has no content"))?;
    Chain { block, packs, disk }.output(last, block.coders.len())
}

const AES: u64 = 0x06F1_0701;
const LZMA: u64 = 0x03_0101;
const LZMA2: u64 = 0x21;
const PPMD: u64 = 0x03_0401;

/// Most bytes that a coder looks back: what it claims, and never more than it gives. Of PPMd it is what its model takes.
fn dictionary(coder: &Coder) -> u64 {
    let claimed = match (coder.method, &coder.settings[..]) {
        (LZMA, &[_, a, b, c, d, ..]) => u64::from(u32::from_le_bytes([a, b, c, d])),
        (PPMD, &[_, a, b, c, d, ..]) => return u32::from_le_bytes([a, b, c, d]).into(),
        (LZMA2, &[40, ..]) => u64::from(u32::MAX),
        (LZMA2, &[bits @ 0..40, ..]) => (2 | u64::from(bits & 1)) << (bits / 2 + 11),
        _ => 0,
    };
    claimed.min(coder.size)
}

/// A place in the archive, read as a stream.
struct Span<'d> {
    disk: Shared<'d>,
    range: Range<u64>,
}

impl Read for Span<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let most = left.min(space.len());
        let mut disk = self.disk.borrow_mut();
        disk.seek(SeekFrom::Start(self.range.start))?;
        let len = disk.read(&mut space[..most])?;
        self.range.start += len as u64;
        Ok(len)
    }
}

/// The coders of a block while they are put together.
struct Chain<'c, 'd> {
    block: &'c Block,
    packs: &'c [Range<u64>],
    disk: &'c Shared<'d>,
}

impl<'d> Chain<'_, 'd> {
    /// What a coder writes. `depth` is how many coders may still stand before it.
    fn output(&self, at: usize, depth: usize) -> io::Result<Box<dyn Read + 'd>> {
        let circle = || corrupt("its coders go in a circle");
        let (coder, depth) = (&self.block.coders[at], depth.checked_sub(1).ok_or_else(circle)?);
        let first: usize = self.block.coders[..at].iter().map(|coder| coder.inputs).sum();
        let mut inputs = Vec::new();
        for input in first..first + coder.inputs {
            inputs.push(self.input(input, depth)?);
        }
        decoded(coder, inputs)
    }

    fn input(&self, input: usize, depth: usize) -> io::Result<Box<dyn Read + 'd>> {
        if let Some(&(_, from)) = self.block.bonds.iter().find(|(bonded, _)| *bonded == input) {
            return self.output(from, depth);
        }
        let pack = self.block.packed.iter().position(|packed| *packed == input);
        let range = pack.and_then(|pack| self.packs.get(pack)).ok_or_else(|| corrupt("its block has no content"))?;
        Ok(Box::new(BufReader::with_capacity(64 << 10, Span { disk: self.disk.clone(), range: range.clone() })))
    }
}

/// What a coder makes of its inputs. Its method is one of 7-Zip's `DOC/Methods.txt`.
fn decoded<'d>(coder: &Coder, mut inputs: Vec<Box<dyn Read + 'd>>) -> io::Result<Box<dyn Read + 'd>> {
    const BCJ2: u64 = 0x0303_011B;
    if (coder.method, inputs.len()) == (BCJ2, 4) {
        return Ok(Box::new(Bcj2Reader::try_new(inputs, coder.size)?));
    }
    let (Some(input), None) = (inputs.pop(), inputs.pop()) else {
        return Err(unread(&format!("{} of several streams", name(coder.method))));
    };
    let dictionary = dictionary(coder) as u32;
    let setting = coder.settings.first().copied();
    Ok(match coder.method {
        0 => input,
        LZMA if coder.settings.len() >= 5 => {
            Box::new(LzmaReader::new_with_props(input, coder.size, coder.settings[0], dictionary, None)?)
        }
        LZMA2 if matches!(setting, Some(0..=40)) => Box::new(Lzma2Reader::new(input, dictionary, None)),
        // Without a mark at its end, and none of what comes after is an error.
        PPMD if coder.settings.len() >= 5 => {
            let model = Ppmd7Decoder::new(input, coder.settings[0].into(), dictionary);
            Box::new(model.map_err(|error| corrupt(&error.to_string()))?.take(coder.size))
        }
        LZMA | LZMA2 | PPMD => return Err(corrupt("its settings of LZMA or PPMd are none")),
        3 => Box::new(DeltaReader::new(input, usize::from(setting.unwrap_or(0)) + 1)),
        4 | 0x0303_0103 => Box::new(BcjReader::new_x86(input, 0)),
        5 | 0x0303_0205 => Box::new(BcjReader::new_ppc(input, 0)),
        6 | 0x0303_0401 => Box::new(BcjReader::new_ia64(input, 0)),
        7 | 0x0303_0501 => Box::new(BcjReader::new_arm(input, 0)),
        8 | 0x0303_0701 => Box::new(BcjReader::new_arm_thumb(input, 0)),
        9 | 0x0303_0805 => Box::new(BcjReader::new_sparc(input, 0)),
        10 => Box::new(BcjReader::new_arm64(input, start(coder))),
        11 => Box::new(BcjReader::new_riscv(input, start(coder))),
        0x04_0108 => Box::new(DeflateDecoder::new(BufReader::new(input))),
        0x04_0109 => Box::new(Deflate64Decoder::new(input)),
        0x04_0202 => decoder(Packing::Bzip2, input, &Passed::default())?,
        0x04F7_1101 => decoder(Packing::Zstd, input, &Passed::default())?,
        0x04F7_1104 => decoder(Packing::Lz4, input, &Passed::default())?,
        other => return Err(unread(&format!("7z archives with {}", name(other)))),
    })
}

/// Where a filter of the newer kind begins to count.
fn start(coder: &Coder) -> usize {
    let bytes = coder.settings.first_chunk().copied();
    bytes.map_or(0, |bytes| u32::from_le_bytes(bytes) as usize)
}

/// What people call a method that is not read.
fn name(method: u64) -> String {
    let known = match method {
        0x04F7_1102 => "Brotli",
        0x0303_011B => "BCJ2",
        other => return format!("method {other:X}"),
    };
    known.to_owned()
}

//! For tests and fuzz targets: packs of one's own making, and a lens that is as hard to please as the contract
//! allows.

use std::io::{self, Read};
use std::path::Path;

use super::lens::{Lens, Note, Object, Reach};
use super::tree::{Entries, Entry};
use crate::origin::ObjectKind;

/// A lens that marks a position by a hash of all that its answer may depend on: every byte of its reach, and whether
/// the object begins or ends within. A walker that carries one mark too many or too few is found out.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// How far it looks.
    pub reach: Reach,
    /// About one position in so many is marked.
    pub one_in: u64,
    /// Look at objects whole whose first bytes hash to an even number.
    pub picky: bool,
    /// What was shown: the object, its marks, its bytes.
    pub shown: Vec<(Object, Vec<u32>, Vec<u8>)>,
    /// Every object that was asked about, and the answer.
    pub asked: Vec<(Object, bool)>,
    /// Every tree, with what was made of its entries, and whether it is sound.
    pub trees: Vec<(Object, Vec<Note>, bool)>,
}

impl Sieve {
    /// A lens that looks so far back and ahead.
    pub fn new(before: u32, after: u32, one_in: u64, picky: bool) -> Self {
        let (shown, asked, trees) = Default::default();
        Sieve { reach: Reach { before, after }, one_in, picky, shown, asked, trees }
    }

    /// The marks of a whole object, by definition.
    pub fn marks_of(&self, bytes: &[u8]) -> Vec<u32> {
        let sums: Vec<u64> = std::iter::once(0)
            .chain(bytes.iter().scan(0u64, |sum, byte| {
                *sum = sum.wrapping_add(u64::from(*byte).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                Some(*sum)
            }))
            .collect();
        let (before, after) = (self.reach.before as usize, self.reach.after as usize);
        let marked = |at: usize| {
            let (start, end) = (at.saturating_sub(before), (at + after).min(bytes.len()));
            let (left, right) = (sums[at].wrapping_sub(sums[start]), sums[end].wrapping_sub(sums[at]));
            let cut = (at - start) as u64 * 1_000_003 + (end - at) as u64;
            mix(left ^ mix(right ^ mix(cut))).is_multiple_of(self.one_in)
        };
        (0..bytes.len()).filter(|at| marked(*at)).map(|at| at as u32).collect()
    }

    /// What is made of the entries of a whole tree, and whether it is sound.
    pub fn notes_of(tree: &[u8]) -> (Vec<Note>, bool) {
        let mut entries = Entries::new(tree, 20);
        let notes = entries.by_ref().map(|entry| note(&entry)).collect();
        (notes, entries.is_complete())
    }

    /// Whether an object is wanted whole because of its first bytes.
    pub fn wants(&self, head: &[u8], size: u64) -> bool {
        self.picky && mix(head.iter().fold(size, |sum, byte| mix(sum ^ u64::from(*byte)))).is_multiple_of(2)
    }
}

/// A hash of all of an entry.
fn note(entry: &Entry<'_>) -> Note {
    let hash = |bytes: &[u8]| bytes.iter().fold(7, |sum, byte| mix(sum ^ u64::from(*byte))) as u32;
    [hash(entry.name), hash(entry.id) ^ u32::from(entry.is_tree) ^ u32::from(entry.is_module) << 1]
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value ^ (value >> 29)
}

impl Lens for Sieve {
    fn reach(&self, _: ObjectKind) -> Reach {
        self.reach
    }

    fn marks(&mut self, _: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        out.extend(self.marks_of(bytes));
    }

    fn reads_entries(&self) -> bool {
        true
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Note {
        note(entry)
    }

    fn tree(&mut self, object: &Object, notes: &[Note], is_sound: bool) -> bool {
        self.trees.push((*object, notes.to_vec(), is_sound));
        false
    }

    fn head(&mut self, object: &Object, head: &[u8]) -> bool {
        let wants = self.wants(head, object.size);
        self.asked.push((*object, wants));
        wants
    }

    fn object(&mut self, object: &Object, bytes: &[u8], marks: &[u32]) {
        self.shown.push((*object, marks.to_vec(), bytes.to_vec()));
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let marks = self.marks_of(&bytes);
        let wants = self.wants(&bytes[..bytes.len().min(super::HEAD)], object.size);
        self.asked.push((*object, wants));
        if wants || !marks.is_empty() {
            self.shown.push((*object, marks, bytes));
        }
        Ok(())
    }
}

/// A pack in the making. Names are not hashes of the content: readers take them from the index, as git does.
#[derive(Debug)]
pub struct PackWriter {
    pack: Vec<u8>,
    entries: Vec<([u8; 20], u64)>,
}

impl Default for PackWriter {
    fn default() -> Self {
        PackWriter { pack: b"PACK\0\0\0\x02\0\0\0\0".to_vec(), entries: Vec::new() }
    }
}

/// How an entry of a [`PackWriter`] is stored.
#[derive(Clone, Copy, Debug)]
pub enum Stored {
    /// Whole, a kind of 1 to 4.
    Whole(u8),
    /// On the entry of that number.
    Offset(usize),
    /// On whatever has that name.
    Name([u8; 20]),
}

impl PackWriter {
    /// Appends an entry that claims `size` bytes.
    pub fn add(&mut self, name: [u8; 20], stored: Stored, size: u64, content: &[u8]) {
        let at = self.pack.len() as u64;
        let kind = match stored {
            Stored::Whole(kind) => kind & 7,
            Stored::Offset(_) => 6,
            Stored::Name(_) => 7,
        };
        let mut byte = kind << 4 | (size & 15) as u8;
        let mut rest = size >> 4;
        while rest > 0 {
            self.pack.push(byte | 0x80);
            byte = (rest & 0x7f) as u8;
            rest >>= 7;
        }
        self.pack.push(byte);
        match stored {
            Stored::Whole(_) => {}
            Stored::Offset(entry) => {
                let mut back = at - self.entries[entry].1;
                let mut bytes = vec![(back & 0x7f) as u8];
                while back > 0x7f {
                    back = (back >> 7) - 1;
                    bytes.push((back & 0x7f) as u8 | 0x80);
                }
                self.pack.extend(bytes.iter().rev());
            }
            Stored::Name(name) => self.pack.extend(name),
        }
        self.pack.extend(deflate(content));
        self.entries.push((name, at));
    }

    /// The pack so far, without its trailer.
    pub fn bytes(&self) -> &[u8] {
        &self.pack
    }

    /// Entries so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The pack and its index, version 2.
    pub fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.pack[8..12].copy_from_slice(&(self.entries.len() as u32).to_be_bytes());
        let sum = [0x5a; 20];
        let ends: Vec<u64> = self.entries.iter().skip(1).map(|entry| entry.1).chain([self.pack.len() as u64]).collect();
        let crc = |(entry, end): (&([u8; 20], u64), &u64)| crc32fast::hash(&self.pack[entry.1 as usize..*end as usize]);
        let crcs: std::collections::BTreeMap<u64, u32> =
            self.entries.iter().zip(&ends).map(|both| (both.0.1, crc(both))).collect();
        self.pack.extend(sum);
        self.entries.sort_unstable();
        let mut idx = b"\xfftOc\0\0\0\x02".to_vec();
        for first in 0..=255u8 {
            let below = self.entries.iter().filter(|entry| entry.0[0] <= first).count() as u32;
            idx.extend(below.to_be_bytes());
        }
        self.entries.iter().for_each(|entry| idx.extend(entry.0));
        self.entries.iter().for_each(|entry| idx.extend(crcs[&entry.1].to_be_bytes()));
        self.entries.iter().for_each(|entry| idx.extend((entry.1 as u32).to_be_bytes()));
        idx.extend(sum);
        idx.extend([0; 20]);
        (self.pack, idx)
    }

    /// Writes `pack-NAME.pack` and `.idx` into the `pack` directory of an object directory.
    pub fn write(self, objects: &Path, name: &str) -> io::Result<()> {
        let (pack, idx) = self.finish();
        std::fs::create_dir_all(objects.join("pack"))?;
        std::fs::write(objects.join(format!("pack/pack-{name}.pack")), pack)?;
        std::fs::write(objects.join(format!("pack/pack-{name}.idx")), idx)
    }
}

/// A zlib stream.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; zlib_rs::compress_bound(bytes.len())];
    zlib_rs::compress_slice(&mut out, bytes, zlib_rs::DeflateConfig::new(1)).0.to_vec()
}

/// An operation of a delta to be written.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Bytes of the base: where, and how many.
    Copy(usize, usize),
    /// New bytes.
    Insert(Vec<u8>),
}

/// A delta, and the object that it makes of `base`. Copies are cut to what the base has.
pub fn delta_of(base: &[u8], edits: &[Edit]) -> (Vec<u8>, Vec<u8>) {
    let (mut ops, mut object) = (Vec::new(), Vec::new());
    for edit in edits {
        match edit {
            Edit::Copy(start, len) => {
                let start = (*start).min(base.len());
                let end = (start + len).min(base.len());
                object.extend_from_slice(&base[start..end]);
                // Git writes copies of at most 64 KiB, but three bytes of length are in the format.
                let mut at = start;
                while at < end {
                    let part = (end - at).min(0x1_0000);
                    write_copy(at as u32, part as u32, &mut ops);
                    at += part;
                }
            }
            Edit::Insert(bytes) => {
                object.extend_from_slice(bytes);
                for part in bytes.chunks(127) {
                    ops.push(part.len() as u8);
                    ops.extend_from_slice(part);
                }
            }
        }
    }
    let mut delta = Vec::new();
    for size in [base.len(), object.len()] {
        let mut rest = size;
        while rest > 0x7f {
            delta.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        delta.push(rest as u8);
    }
    delta.extend(ops);
    (delta, object)
}

fn write_copy(start: u32, len: u32, out: &mut Vec<u8>) {
    let at = out.len();
    out.push(0x80);
    for (bit, byte) in start.to_le_bytes().into_iter().enumerate() {
        if byte != 0 {
            out[at] |= 1 << bit;
            out.push(byte);
        }
    }
    let len = if len == 0x1_0000 { 0 } else { len };
    for (bit, byte) in len.to_le_bytes().into_iter().enumerate().take(3) {
        if byte != 0 {
            out[at] |= 0x10 << bit;
            out.push(byte);
        }
    }
}
